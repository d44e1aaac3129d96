/* Messages on their way out: queued by priority, sent, sent again, copied, expired, given up. [P §16]
 *
 * A message is in one of these places:
 *
 *     QUEUED  --first byte sent: it gets its number--> FLYING (all of it was sent, or is being sent)
 *     FLYING  --all transmissions of some part lost, and it is worth it--> QUEUED again (in front)
 *     FLYING  --all acknowledged--> gone          --given up--> SKIPPING (only its number is left)
 *     SKIPPING --MESSAGE_SKIP acknowledged--> gone
 *
 * Whoever asked for the outcome has it in `outcomes` until it is polled. Nothing here reads a clock;
 * tern_msgout_expire is called with `now` before anything is sent and at tern_msgout_deadline.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_STREAM_MESSAGE_OUT_H
#define TERN_STREAM_MESSAGE_OUT_H

#include "base/list.h"
#include "base/slab.h"
#include "stream/message.h"

struct tern_msgout;

struct tern_msgout_counters {
    uint64_t sent;   /* messages of which all was sent at least once */
    uint64_t bytes;  /* ... and their length */
    uint64_t resent; /* frames sent again after a loss or for a probe */
    uint64_t copies; /* frames sent as redundancy */
    uint64_t acked, expired, lost;
    uint64_t dropped; /* of those lost: never sent, pushed out of a full buffer */
};

struct tern_msgout_config {
    uint64_t buffer; /* bytes (costs) that may be held: config.message_buffer */
    /* What the peer takes, from its transport parameters. */
    uint64_t max_size, credit;
    uint32_t channels;
};

/* Everything is allocated from the slab; creation is one allocation. NULL: no memory. */
struct tern_msgout *tern_msgout_new(struct tern_mem *mem, struct tern_slab *slab,
                                    const struct tern_msgout_config *config);
void tern_msgout_free(struct tern_msgout *m); /* runs release hooks; NULL is fine */

/* --- the application (as documented in tern/message.h, less the connection's own checks) ------- */
TERN_MUST_CHECK int tern_msgout_send(struct tern_msgout *m, const void *data, size_t len,
                                     tern_release_fn release, void *arg, /* NULL: copy */
                                     const tern_send_options *options, tern_time now);
size_t tern_msgout_cancel(struct tern_msgout *m, uint64_t tag);
size_t tern_msgout_cancel_channel(struct tern_msgout *m, uint32_t channel);
TERN_MUST_CHECK int tern_msgout_set_weight(struct tern_msgout *m, uint32_t channel,
                                           unsigned weight);
bool tern_msgout_next_outcome(struct tern_msgout *m, uint64_t *tag, tern_outcome *outcome);
bool tern_msgout_has_outcome(const struct tern_msgout *m);
bool tern_msgout_take_writable(
    struct tern_msgout *m); /* true once after AGAIN, when half is free */
bool tern_msgout_is_writable(const struct tern_msgout *m); /* the same without taking it */
bool tern_msgout_holds_any(const struct tern_msgout *m); /* that is not acknowledged or given up */
const struct tern_msgout_counters *tern_msgout_counters(const struct tern_msgout *m);
/* Bytes queued (not yet sent for the first time) at a priority, and since when the oldest waits
 * (TERN_TIME_NEVER: none). */
uint64_t tern_msgout_queued(const struct tern_msgout *m, unsigned priority, tern_time *since);

/* The lanes that it protects are cut into whole symbols. NULL: none; it must outlive `m` or be taken back. */
struct tern_fec_out;
void tern_msgout_set_fec(struct tern_msgout *m, const struct tern_fec_out *fec);

/* --- time ------------------------------------------------------------------------------------- */
tern_time tern_msgout_deadline(const struct tern_msgout *m); /* of what expire does; NEVER */
/* Gives up what has expired, and queues again what has to arrive soon and was not acknowledged. */
void tern_msgout_expire(struct tern_msgout *m, tern_time now);

/* --- output ----------------------------------------------------------------------------------- */
/* The next thing to send: lent until the next call on `m`. `data` points to the part's bytes. */
struct tern_msgout_chunk {
    struct tern_message_part part;
    const uint8_t *data;
    unsigned priority;
    bool is_again; /* sent before: a repetition after loss, a probe, or a copy */
    bool is_copy;
    bool immediate_ack;
    struct tern_message_sending *message; /* for on_sent */
};

/* The priority of what tern_msgout_next would give, or TERN_PRIORITIES: nothing can be sent now (all
 * that waits waits for credit). Cheap: asked for each packet. */
unsigned tern_msgout_top(struct tern_msgout *m);

/* The next part of at most `room` bytes of frame (header included): the caller encodes it as it is. False:
 * nothing, or nothing that fits (a message that would fit an empty packet of `full` bytes whole is not cut
 * into fragments). */
bool tern_msgout_next(struct tern_msgout *m, size_t room, size_t full,
                      struct tern_msgout_chunk *out);
/* It is in a packet: now a new message has its number, and its cost is charged to the credit. */
void tern_msgout_on_sent(struct tern_msgout *m, const struct tern_msgout_chunk *chunk,
                         tern_time now);

/* All streams together are one more member of each priority, of weight 16. When both streams and messages
 * of a priority have something to send: is it the streams' turn? They have it until what they were told
 * to have sent makes up for their share of what messages sent. Tell it only while messages wait at that
 * priority too, or at any time: what either side got alone counts for no more than one turn (2 KiB). */
bool tern_msgout_yields(const struct tern_msgout *m, unsigned priority);
void tern_msgout_on_stream_bytes(struct tern_msgout *m, unsigned priority, size_t bytes);

/* Redundancy: the next copy worth carrying in `room` bytes, newest first, of messages that are not in
 * this packet yet; to be told by tern_msgout_on_sent. Call tern_msgout_begin_packet before a packet, then
 * next (and on_sent) until false, then next_copy (and on_sent) until false. */
void tern_msgout_begin_packet(struct tern_msgout *m);
bool tern_msgout_next_copy(struct tern_msgout *m, size_t room, struct tern_msgout_chunk *out);
/* How many copies of each message (in eighths, so 12 is one and a half), and the longest message that is
 * copied. What was lost is sent again in two packets in any case. */
void tern_msgout_set_copies(struct tern_msgout *m, unsigned eighths, size_t longest);

/* How long the path's round trip is, and how long an acknowledgement takes at most if nothing was lost. Until
 * this is told, nothing leaves again unasked. */
void tern_msgout_set_trip(struct tern_msgout *m, tern_time trip, tern_time patience);

/* Will what is lost of it be sent again in time? */
bool tern_msgout_can_mend(const struct tern_msgout *m, const struct tern_msgout_chunk *chunk,
                          tern_time now);

/* MESSAGE_SKIP frames that are owed. */
bool tern_msgout_next_skip(struct tern_msgout *m, struct tern_message_skip *out);
void tern_msgout_on_skip_sent(struct tern_msgout *m, const struct tern_message_skip *skip);
/* Anything of the above (parts that credit lets out, skips) wants to leave. */
bool tern_msgout_wants(struct tern_msgout *m);

/* --- receipts: what became of a part that left ------------------------------------------------- */
void tern_msgout_on_acked(struct tern_msgout *m, const struct tern_message_part *part);
void tern_msgout_on_lost(struct tern_msgout *m, const struct tern_message_part *part,
                         tern_time now);
/* Still in flight, but a probe wants something to carry: what may be sent again is queued again. */
void tern_msgout_repeat(struct tern_msgout *m, const struct tern_message_part *part);
/* The oldest small ones that are on their way and must arrive: so many bytes of them leave again. */
void tern_msgout_repeat_small(struct tern_msgout *m, size_t room);
void tern_msgout_on_skip_acked(struct tern_msgout *m, const struct tern_message_skip *skip);
void tern_msgout_on_skip_lost(struct tern_msgout *m, const struct tern_message_skip *skip);

/* --- input ------------------------------------------------------------------------------------ */
void tern_msgout_on_max_data(struct tern_msgout *m, uint64_t limit); /* never falls */

#endif
