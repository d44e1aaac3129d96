/* Congestion control as a const table of functions over one state; nothing else is known outside.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_RECOVERY_CC_H
#define TERN_RECOVERY_CC_H

#include "recovery/prr.h"
#include "recovery/rate.h"
#include "recovery/recall.h"
#include "recovery/rtt.h"

struct tern_cc;

/* An ACK, after loss detection and with the rate sample done. */
struct tern_cc_ack {
    uint64_t acked_bytes;
    tern_time largest_sent_at; /* send time of the newest newly acked packet */
    uint64_t largest_pn;
    uint64_t prior_in_flight; /* bytes in flight before this ACK */
    uint64_t lost_bytes;      /* declared lost by the same ACK */
    const struct tern_rtt *rtt;
    tern_time rtt_sample; /* 0: none */
    tern_time delay;      /* of it, what the peer says that it kept its answer back */
    const struct tern_rate *rate;
    const struct tern_rate_sample *sample;
    uint64_t next_pn; /* the next packet number of this space (HyStart++ rounds) */
    uint64_t ect, ce; /* packets with a mark that it acknowledged; how many more CE it reports */
};

/* A congestion event: losses, or a rise of the peer's CE count (lost_bytes 0). */
struct tern_cc_loss {
    uint64_t lost_bytes, lost_packets;
    uint64_t next_pn;         /* the next packet number of this space */
    tern_time latest_sent_at; /* newest lost (or marked) packet */
    uint64_t largest_pn;
    uint64_t prior_in_flight;
    bool persistent; /* RFC 9002 §7.6.2: fall to the minimum window */
    bool is_ecn;
    const struct tern_rtt *rtt;
    const struct tern_rate *rate;
    uint64_t tx_in_flight;    /* in flight when the newest lost packet was sent (BBR) */
    uint64_t lost_since_sent; /* bytes lost from that packet's sending until now, itself included */
    uint64_t delivered_since_sent; /* ... and delivered */
};

/* A connection in the middle of its life, for a controller that takes over from another. */
struct tern_cc_run {
    const struct tern_rtt *rtt; /* has a sample */
    const struct tern_rate *rate;
    bool is_starting; /* the other was still looking for the capacity */
};

struct tern_cc_ops {
    const char *name;
    bool is_scalable; /* answers CE in proportion, and so may mark ECT(1): RFC 9331 §4 */
    void (*init)(struct tern_cc *cc, tern_time now);
    /* After init, with the window and the threshold of the controller before. May be NULL. */
    void (*adopt)(struct tern_cc *cc, const struct tern_cc_run *run, tern_time now);
    /* What a successor should take over; NULL: cwnd, and whether it is below ssthresh. */
    uint64_t (*window)(const struct tern_cc *cc);
    bool (*is_starting)(const struct tern_cc *cc);
    void (*on_sent)(struct tern_cc *cc, size_t bytes, const struct tern_rate *rate, tern_time now);
    void (*on_ack)(struct tern_cc *cc, const struct tern_cc_ack *ack, tern_time now);
    void (*on_loss)(struct tern_cc *cc, const struct tern_cc_loss *loss, tern_time now);
    /* All losses of the last episode turned out spurious: undo. May be NULL. */
    void (*on_spurious)(struct tern_cc *cc, tern_time now);
    /* Careful resume: the path has carried twice this volume in a round trip, which may be sent now at an
     * even pace. From then on it is the controller's. NULL: it has a window, and the rest is done to that. */
    void (*resume)(struct tern_cc *cc, uint64_t volume, const struct tern_cc_ack *ack);
    /* Bytes a second. */
    uint64_t (*pacing_rate)(const struct tern_cc *cc, const struct tern_rtt *rtt);
    /* Bytes a second that the path is believed to carry for us; 0: not known. NULL: it has no idea. */
    uint64_t (*estimate)(const struct tern_cc *cc);
};

/* The largest state that any controller needs, in 8-byte words. */
#define TERN_CC_STATE_WORDS 96

struct tern_cc {
    const struct tern_cc_ops *ops;
    uint64_t cwnd, ssthresh;  /* bytes */
    uint64_t bytes_in_flight; /* all spaces of this path; kept by the tern_cc_ functions below */
    size_t datagram;          /* max datagram size (mds) */
    uint64_t wanted_rate; /* the application's wish, bytes a second; 0: none. Outlives switches */
    /* Packets sent before it belong to the present episode, 0: there is none. RFC 9002 §B.8 forgets it
     * after persistent congestion; but the ACK that brings that to light may well acknowledge a whole
     * window from before the path died, and would give it back in the same breath. */
    tern_time recovery_start;
    struct tern_cc_state *state; /* its owner's: beside the path that this is of */
};

/* What a controller needs only while packets come and go. It lies apart, for connections at rest. */
struct tern_cc_state {
    /* The last congestion event: once all of its packets have turned out to be only late, it is taken
     * back. */
    alignas(8) struct {
        uint64_t end_pn; /* packets below it had left when the window was reduced */
        tern_time began_at;
        uint64_t lost, spurious; /* packets */
    } episode;
    struct tern_recall recall;
    /* From here on each packet or ACK wants it. */
    struct tern_prr prr;
    /* How much of the window the last two round trips used, for tern_cc_is_window_used(). */
    struct {
        uint64_t end_pn, peak[2]; /* peak: most bytes in flight; [0] the round before */
        bool was_full[2];
    } use;
    uint64_t own[TERN_CC_STATE_WORDS]; /* the controller's struct, size asserted at compile */
};

/* The table for a name ("newreno", "cubic", "bbr", "ledbat", "media", "prague"), or NULL. */
const struct tern_cc_ops *tern_cc_find(const char *name);

extern const struct tern_cc_ops tern_cc_newreno, tern_cc_cubic, tern_cc_bbr, tern_cc_ledbat,
    tern_cc_media, tern_cc_prague;

/* Initial window: min(10 mds, max(2 mds, 14720)), RFC 9002 §7.2. The state stays the caller's. */
void tern_cc_init(struct tern_cc *cc, struct tern_cc_state *state, const struct tern_cc_ops *ops,
                  size_t datagram, tern_time now);
/* What the other has learnt, each with a state of its own. */
void tern_cc_copy(struct tern_cc *cc, const struct tern_cc *from);

/* Another controller goes on from the window, the round trip and the flight that are. */
void tern_cc_switch(struct tern_cc *cc, const struct tern_cc_ops *ops, const struct tern_rtt *rtt,
                    const struct tern_rate *rate, tern_time now);

void tern_cc_on_sent(struct tern_cc *cc, size_t bytes, const struct tern_rate *rate, tern_time now);
/* Both lower bytes_in_flight by ack->acked_bytes or loss->lost_bytes first, then tell the controller. */
void tern_cc_on_ack(struct tern_cc *cc, const struct tern_cc_ack *ack, tern_time now);
void tern_cc_on_loss(struct tern_cc *cc, const struct tern_cc_loss *loss, tern_time now);
/* A packet that was declared lost at `lost_at` was acknowledged after all. */
void tern_cc_on_spurious(struct tern_cc *cc, uint64_t pn, tern_time lost_at, tern_time now);
/* The last congestion event had another cause: its reduction is taken back. */
void tern_cc_take_back(struct tern_cc *cc, tern_time now);
/* Bytes that left flight without a verdict: discarded spaces, lost probes. */
void tern_cc_on_discarded(struct tern_cc *cc, uint64_t bytes);
void tern_cc_set_datagram(struct tern_cc *cc, size_t datagram);

/* Whether this round trip or the one before it made use of the window: it was full once, or in slow
 * start more than half full. A window that was not used says nothing about what it could be and must
 * not grow (RFC 9002 §7.8). It is judged by round trips because a paced sender seldom fills the window
 * at the moment an ACK comes. */
bool tern_cc_is_window_used(const struct tern_cc *cc);

/* Slow start: the window grows by so much, but not beyond twice the flight of the last two round trips,
 * to which a window that is always full doubles anyway. */
void tern_cc_grow(struct tern_cc *cc, uint64_t bytes);

/* Still looking for the capacity. */
bool tern_cc_is_starting(const struct tern_cc *cc);

/* Bytes a second to send at: the controller's, but what a jump lets out takes a whole round trip, and never
 * less than a datagram a second. */
uint64_t tern_cc_pace(const struct tern_cc *cc, const struct tern_rtt *rtt);

/* Bytes that may be sent now. */
uint64_t tern_cc_room(const struct tern_cc *cc);

/* Bytes a second: so many in that time. */
static inline uint64_t tern_cc_rate_of(uint64_t bytes, tern_time time)
{
    return bytes * 1000000 / TERN_MAX(time / TERN_USEC, (tern_time)1);
}

static inline uint64_t tern_cc_min_window(const struct tern_cc *cc)
{
    return 2 * (uint64_t)cc->datagram; /* RFC 9002 §7.2 */
}

#endif
