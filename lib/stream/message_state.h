/* What the files of the sending half of the message layer share: its structs and who does what.
 *
 * message_out.c    the interface: send, cancel, time
 * message_block.c  the memory of one message, of channels and of the rings of numbers
 * message_queue.c  waiting: priorities, turns by weight, credit
 * message_emit.c   what goes into a packet: parts, copies, skips
 * message_parts.c  which bytes of a long message are acknowledged, lost, twice in flight
 * message_fate.c   what became of it: acknowledged, lost, given up, outcomes
 * message_urge.c   what leaves again before it is known to be lost, since there is no time to wait for that
 *
 * SPDX-License-Identifier: MIT */
#ifndef TERN_STREAM_MESSAGE_STATE_H
#define TERN_STREAM_MESSAGE_STATE_H

#include "base/heap.h"
#include "base/radix.h"
#include "stream/message_out.h"

#define TERN_SENDING_WHOLE   1024 /* up to here a message always leaves in one piece */
#define TERN_SENDING_GRAIN   16   /* long ones are cut at multiples of it */
#define TERN_SENDING_SLIVER  64   /* and into no smaller parts, but for the end */
#define TERN_SENDING_QUANTUM 128  /* bytes a turn for each unit of weight */
#define TERN_SENDING_WEIGHT  16   /* of a channel unless set, and of all streams */
#define TERN_LANE_SLOTS_MAX  ((uint64_t)1 << 21) /* a ring of 16 MiB */
#define TERN_CHANNEL_DEAD    16                  /* dead tags that a channel remembers */
#define TERN_OUTCOMES_MAX    ((size_t)1 << 20)
/* Lists: whoever ends looks for those of its tag, and most have none. */
#define TERN_DEPENDENTS 4096

/* Where a message is linked by `link`. */
enum tern_sending_place {
    TERN_PLACE_NONE,
    TERN_PLACE_FLOW,   /* in its channel's queue: not all of it was sent yet */
    TERN_PLACE_AGAIN,  /* in front of its priority: lost, or wanted by a probe */
    TERN_PLACE_COPIES, /* in flight, and worth a copy */
    TERN_PLACE_TWICE   /* was lost, left again in this packet, and leaves in the next, too */
};

/* One message. Its block is: [expiry] this [depends] [lent | parts? payload]; what stands in brackets is
 * only there when it is needed, so that a block is at most 127 bytes larger than a payload of up to
 * TERN_SENDING_WHOLE bytes. */
struct tern_message_sending {
    struct tern_list link;
    uint64_t tag;
    union {
        struct { /* nothing of it was sent yet */
            struct tern_list arrival;
            tern_time since;
        } waiting;
        struct {
            uint64_t number;
            uint32_t in_flight; /* transmissions */
            uint8_t copies;     /* that it may have */
        } sent;
    } as;
    uint32_t len;
    uint32_t turn; /* rises with each message that is sent, around */
    uint16_t channel;
    uint16_t retransmits; /* left, for LIMITED */
    unsigned reliability : 2;
    unsigned lane : 2;
    unsigned
        level : 3; /* its priority, or that of the ordered one before it if that is less urgent */
    unsigned place : 3;
    unsigned is_started : 1;
    unsigned uses_credit : 1;
    unsigned wants_outcome : 1;
    unsigned immediate_ack : 1;
    unsigned has_expiry : 1;
    unsigned has_depends : 1;
    unsigned is_lent : 1;
    unsigned is_long : 1;
    unsigned insists : 1; /* it was lost: the next time it leaves in two packets */
};

struct tern_sending_depends {
    struct tern_list link; /* among those of its channel and tag, or doomed */
    uint64_t tag;
};

struct tern_sending_lent {
    const uint8_t *data;
    tern_release_fn release;
    void *arg;
};

/* Of a long message: bitmaps of one bit a grain, one after another in `bits`. */
enum tern_parts_map { TERN_PARTS_ACKED, TERN_PARTS_LOST, TERN_PARTS_TWICE, TERN_PARTS_ROUND };
#define TERN_PARTS_MAPS 4

struct tern_sending_parts {
    uint32_t sent;  /* bytes below were sent at least once */
    uint32_t acked; /* grains */
    uint32_t lost;  /* grains to be sent again */
    uint32_t hint;  /* no lost grain below */
    uint32_t rounds;
    uint32_t words;       /* of each map */
    uint32_t urges;       /* how often it left again unasked */
    tern_time sent_at;    /* all of it, for the first time; 0: not yet */
    tern_time expires_at; /* when its entry, if it has one, may stand for something sooner */
    uint64_t bits[];
};

/* Numbers [base, next) of a channel and what became of each: a message, 0 (gone), or a skip, which is its
 * cost << 2 | 3 once it was sent, | 1 while it is owed. Messages are aligned, so these are never mixed. */
struct tern_lane_ring {
    uintptr_t *slots;
    uint64_t capacity; /* a power of two, or 0 */
    uint64_t base, next;
    uint64_t owed;      /* slots with a skip that is owed */
    uint64_t owed_from; /* none is owed below */
    struct tern_list owing;
    uint32_t channel;
    uint8_t lane;
};

struct tern_channel;

/* What waits of one channel at one priority. */
struct tern_message_flow {
    struct tern_list link; /* in its level, waiting or parked */
    struct tern_list plain, credited;
    struct tern_channel *channel;
    int64_t deficit; /* bytes that it may still send in this turn; below 0: a debt */
    uint8_t level;
    bool is_parked;
    bool is_back; /* it was parked, and has not had its turn since */
};

struct tern_channel {
    struct tern_list link; /* of all channels */
    struct tern_lane_ring lanes[TERN_LANES];
    struct tern_message_flow *flows[TERN_PRIORITIES];
    struct tern_message_sending *latest;       /* the newest of TERN_LATEST, while it is held */
    uint32_t ordered_waiting[TERN_PRIORITIES]; /* ordered ones in flows, by level */
    unsigned weight;
    uint32_t id;
    uint32_t dead_count, dead_next;
    uint64_t dead[TERN_CHANNEL_DEAD];
};

struct tern_message_level {
    struct tern_list again, ring, parked;
    struct tern_list arrivals[2]; /* never sent: [1] those that may be pushed out, [0] the others */
    uint64_t pushable;            /* costs of arrivals[1] */
    uint64_t queued;              /* bytes of both */
    uint64_t weight, parked_weight;
    int64_t streams; /* what streams are ahead (below 0) or behind, in 2^-20 bytes */
};

struct tern_sending_outcome {
    uint64_t tag;
    tern_outcome outcome;
};

struct tern_msgout {
    struct tern_mem *mem;
    struct tern_slab *slab;
    struct tern_msgout_config config;
    struct tern_msgout_counters counters;
    uint64_t held;        /* costs of all messages */
    uint64_t credit_used; /* costs of those sent that use credit */
    bool was_full;
    unsigned stuck; /* from this level on nothing new is charged to credit; 8: none waits for it */
    unsigned busy;  /* bit p: level p may have something to send */
    uint32_t turn;
    struct tern_message_level levels[TERN_PRIORITIES];
    const struct tern_fec_out *fec; /* NULL: no lane is protected */
    struct tern_heap expiries;
    struct tern_list *dependents; /* by channel and tag, TERN_DEPENDENTS lists; NULL: none yet */
    struct tern_list channels, owing, doomed;
    /* Copies: those that joined in this packet, those before, newest first, and how far this packet is. */
    struct tern_list fresh, copies, *cursor;
    struct tern_list twice; /* what was in this packet and shall be in the next */
    unsigned eighths, phase;
    size_t longest;
    tern_time trip, patience; /* 0: not known */
    /* A ring; promised: places in it, taken or to be taken. */
    struct tern_sending_outcome *outcomes;
    size_t outcomes_capacity, outcomes_first, outcomes_count, outcomes_promised;
    struct tern_radix by_id; /* channels */
};

/* --- message_block.c -------------------------------------------------------------------------- */
struct tern_message_sending *tern_sending_new(struct tern_msgout *m, const void *data, size_t len,
                                              tern_release_fn release, void *arg,
                                              const tern_send_options *options);
void tern_sending_discard(struct tern_msgout *m, struct tern_message_sending *s);
void tern_sending_free(struct tern_msgout *m, struct tern_message_sending *s); /* and releases */
struct tern_heap_entry *tern_sending_expiry(struct tern_message_sending *s);
struct tern_message_sending *tern_sending_of_expiry(struct tern_heap_entry *entry);
struct tern_sending_depends *tern_sending_depends(struct tern_message_sending *s);
struct tern_message_sending *tern_sending_of_depends(struct tern_list *link);
struct tern_sending_parts *tern_sending_parts(struct tern_message_sending *s);
const uint8_t *tern_sending_data(struct tern_message_sending *s);
size_t tern_sending_size(const struct tern_message_sending *s); /* of its block */

struct tern_channel *tern_channel_open(struct tern_msgout *m, uint32_t id); /* NULL: no memory */
struct tern_message_flow *tern_channel_flow(struct tern_msgout *m, struct tern_channel *c,
                                            unsigned level); /* NULL: no memory */
void tern_channel_free(struct tern_msgout *m, struct tern_channel *c);

bool tern_lane_has_room(struct tern_msgout *m, struct tern_lane_ring *r); /* for one more number */
void tern_lane_clear(struct tern_msgout *m, struct tern_lane_ring *r);
void tern_lane_settle(struct tern_lane_ring *r); /* moves base over what is gone */

static inline uintptr_t *tern_lane_slot(const struct tern_lane_ring *r, uint64_t number)
{
    return &r->slots[number & (r->capacity - 1)];
}

static inline bool tern_lane_holds(const struct tern_lane_ring *r, uint64_t number)
{
    return number >= r->base && number < r->next;
}

static inline struct tern_message_sending *tern_lane_message(uintptr_t slot)
{
    return (slot & 3) == 0 ? (struct tern_message_sending *)slot : NULL;
}

static inline struct tern_channel *tern_channel_find(const struct tern_msgout *m,
                                                     uint32_t id) /* or NULL */
{
    return tern_radix_find(&m->by_id, id);
}

static inline struct tern_channel *tern_sending_channel(const struct tern_msgout *m,
                                                        const struct tern_message_sending *s)
{
    struct tern_channel *c = tern_channel_find(m, s->channel);
    tern_assert(c != NULL); /* a channel stays as long as the connection does */
    return c;
}

static inline struct tern_message_sending *tern_sending_of(struct tern_list *link)
{
    return TERN_CONTAINER_OF(link, struct tern_message_sending, link);
}

/* --- message_queue.c -------------------------------------------------------------------------- */
void tern_msgqueue_push(struct tern_msgout *m, struct tern_channel *c,
                        struct tern_message_flow *flow, struct tern_message_sending *s,
                        tern_time now);
void tern_msgqueue_push_again(struct tern_msgout *m, struct tern_message_sending *s);
/* From TWICE: the second time is due. */
void tern_msgqueue_insist(struct tern_msgout *m, struct tern_message_sending *s);
/* Out of its place. */
void tern_msgqueue_drop(struct tern_msgout *m, struct tern_message_sending *s);
/* Its first byte is sent: it does not wait any more (but a long one stays in its queue). */
void tern_msgqueue_start(struct tern_msgout *m, struct tern_message_sending *s);
struct tern_message_sending *tern_msgqueue_pick(struct tern_msgout *m); /* whose turn it is */
void tern_msgqueue_charge(struct tern_msgout *m, const struct tern_message_sending *s,
                          size_t bytes);
/* Pushes out unsent unreliable ones of this priority or less urgent ones, until `cost` more fits. */
bool tern_msgqueue_make_room(struct tern_msgout *m, unsigned level, uint64_t cost);
void tern_msgqueue_unpark(struct tern_msgout *m);
void tern_msgqueue_weigh(struct tern_msgout *m, struct tern_channel *c, unsigned weight);

/* --- message_parts.c -------------------------------------------------------------------------- */
uint32_t tern_parts_grains(size_t len);
size_t tern_parts_size(size_t len);
void tern_parts_init(struct tern_sending_parts *p, size_t len);
/* What to send next: the first lost piece, or else what was never sent. False: nothing. */
bool tern_parts_next(struct tern_sending_parts *p, uint32_t len, uint32_t *start, uint32_t *end);
void tern_parts_on_sent(struct tern_sending_parts *p, uint32_t len, uint32_t start, uint32_t end);
/* True: all of the message is. */
bool tern_parts_on_acked(struct tern_sending_parts *p, uint32_t len, uint32_t start, uint32_t end);
/* True: something of it has to be sent again. */
bool tern_parts_on_lost(struct tern_sending_parts *p, uint32_t len, uint32_t start, uint32_t end);
void tern_parts_repeat(struct tern_sending_parts *p, uint32_t len, uint32_t start, uint32_t end);

/* --- message_urge.c --------------------------------------------------------------------------- */
bool tern_urge_minds(const struct tern_message_sending *s); /* is it one of those? */
tern_time tern_urge_expiry(struct tern_message_sending *s); /* of any with has_expiry */
/* All of it has left, or something of it was lost and is queued: when to look again. */
void tern_urge_plan(struct tern_msgout *m, struct tern_message_sending *s, tern_time now);
void tern_urge_on_time(struct tern_msgout *m, struct tern_message_sending *s, tern_time now);

/* --- message_fate.c --------------------------------------------------------------------------- */
/* Ends a message, and those that depend on it. */
void tern_sending_give_up(struct tern_msgout *m, struct tern_message_sending *s,
                          tern_outcome outcome);
void tern_sending_cancel(struct tern_msgout *m, struct tern_message_sending *s);
void tern_sending_queue_again(struct tern_msgout *m, struct tern_message_sending *s);
bool tern_sending_is_superseded(const struct tern_msgout *m, const struct tern_message_sending *s);
/* One that never was in a queue. */
void tern_sending_refuse(struct tern_msgout *m, struct tern_message_sending *s,
                         tern_outcome outcome);
/* Where those are that depend on a tag of a channel, others among them. The lists must be there. */
struct tern_list *tern_dependents_of(const struct tern_msgout *m, uint32_t channel, uint64_t tag);
TERN_MUST_CHECK int tern_dependents_need(struct tern_msgout *m); /* makes the lists, once */
TERN_MUST_CHECK int tern_outcomes_promise(struct tern_msgout *m);
void tern_outcomes_push(struct tern_msgout *m, uint64_t tag, tern_outcome outcome);
bool tern_channel_is_dead(const struct tern_channel *c, uint64_t tag);
void tern_channel_bury(struct tern_channel *c, uint64_t tag);
void tern_channel_revive(struct tern_channel *c, uint64_t tag); /* the tag is used anew */

#endif
