/* What the three parts of BBR share: its model of the path and the phases of its cycle.
 * draft-ietf-ccwg-bbr (BBRv3); the names in comments are the draft's.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_RECOVERY_BBR_H
#define TERN_RECOVERY_BBR_H

#include "recovery/cc.h"

#define TERN_BBR_LOSS_THRESHOLD 2   /* LossThresh, in hundredths */
#define TERN_BBR_FULL_GROWTH    125 /* in hundredths: with less a round the pipe is full */
#define TERN_BBR_FLOORS         4   /* figures of the path's noise */
#define TERN_BBR_BETA           70  /* Beta, in hundredths */

enum tern_bbr_phase {
    TERN_BBR_STARTUP,
    TERN_BBR_DRAIN,
    TERN_BBR_DOWN, /* ProbeBW, the four of them */
    TERN_BBR_CRUISE,
    TERN_BBR_REFILL,
    TERN_BBR_UP,
    TERN_BBR_PROBE_RTT
};

/* What the ACKs that arrive now were sent under, a round trip ago. */
enum tern_bbr_acks {
    TERN_BBR_ACKS_INIT,
    TERN_BBR_ACKS_REFILLING,
    TERN_BBR_ACKS_STARTING,
    TERN_BBR_ACKS_FEEDBACK,
    TERN_BBR_ACKS_STOPPING
};

/* Limits that are not known are UINT64_MAX. Rates are bytes a second. */
struct tern_bbr {
    enum tern_bbr_phase phase, undo_phase;
    enum tern_bbr_acks ack_phase;

    /* Bandwidth: the best of this cycle and of the one before. */
    uint64_t max_bw[2];
    uint64_t bw, bw_shortterm, bw_latest;
    uint64_t inflight_longterm, inflight_shortterm, inflight_latest;
    uint64_t undo_bw_shortterm, undo_inflight_shortterm, undo_inflight_longterm;
    uint64_t pacing_rate;

    /* Delay. */
    tern_time min_rtt, min_rtt_at;
    tern_time probe_rtt_min, probe_rtt_min_at;
    tern_time probe_rtt_until; /* 0: in flight has not yet come down */
    bool is_probe_rtt_expired, is_probe_rtt_due, is_probe_rtt_round_done;
    bool has_rtt;
    bool is_matched;             /* this round had a round trip as short as the least */
    bool is_clear, was_clear;    /* even closer to it: this one, and the one before */
    bool was_calm;               /* it began where we keep no queue ourselves */
    uint32_t matched, unmatched; /* such rounds since ProbeRTT was last due */
    bool is_shared;              /* others keep a queue in the bottleneck ... */
    bool was_shared;             /* ... or did since ProbeRTT */
    uint32_t cruise_rounds;
    bool has_undo;     /* the undo_ figures are those from before the last losses */
    bool left_by_loss; /* they ended undo_phase */

    /* Rounds, counted in bytes delivered. */
    uint64_t next_round_delivered, round_count, drain_round;
    uint64_t loss_round_delivered;
    bool is_round_start, is_loss_round_start;
    bool is_loss_in_round, is_ecn_in_round;
    bool is_cwnd_limited, was_cwnd_limited; /* in this round, in the last one */
    bool is_idle_restart;
    uint32_t loss_events; /* in this loss round, for Startup */

    /* Startup: a train of packets that left without a pause, and the rate at which the latest arrived. */
    tern_time train_at, train_sent_at; /* of its first ACK; 0: none */
    uint64_t train_delivered;
    uint64_t train_rate;
    uint64_t resume_rate;   /* probing rate of careful resume; 0: it is over, or never was ... */
    uint64_t resume_until;  /* ... when so many rounds are */
    uint64_t resume_bw;     /* what was known before */
    uint64_t recalled_rate; /* what the path carried then, to be found again; 0: nothing to find */
    bool has_retreated;     /* ... and from too much of it, a moment ago */
    /* `delivered` mark: what left before it was lost in part, and took too much. */
    uint64_t tainted_until;
    uint64_t train_seen; /* the best of all, of those that came delayed, too */

    /* Is the pipe full? */
    uint64_t full_bw;
    uint32_t full_bw_count;
    bool is_full_bw_now, is_full_bw_reached;

    /* Probing for bandwidth. */
    tern_time cycle_at, probe_wait;
    uint64_t rounds_since_probe;
    uint64_t probe_up_count, probe_up_acked; /* bytes acknowledged for one datagram of growth */
    uint32_t probe_up_rounds;
    bool is_sampling_probe; /* is_bw_probe_sample: losses now tell about the last probe */
    bool prev_probe_too_high, prev_probe_precautionary;

    /* The path's own noise in ten-thousandths, the latest first; and its count. */
    uint64_t loss_floor[TERN_BBR_FLOORS];
    uint64_t floor_lost; /* `lost` when it was last known */
    uint64_t watch_lost, watch_delivered;
    tern_time watch_rtt;
    uint32_t watch_rounds; /* 0: not counting */
    uint64_t startup_bw;   /* the loss round's before */

    /* The loss that ended the last probe, to be looked at again when the floor is known. */
    bool has_verdict, was_growing;
    uint64_t verdict_lost, verdict_sent, verdict_longterm;

    /* ACK aggregation: two halves of a window of ten rounds. */
    uint64_t extra_acked[2];
    uint64_t extra_rounds;
    uint64_t extra_delivered;
    tern_time extra_at;

    uint64_t prior_cwnd, initial_cwnd;
    uint64_t limited_until; /* `delivered` mark: samples from before were made in ProbeRTT */
};

static_assert(sizeof(struct tern_bbr) <= sizeof(((struct tern_cc_state *)0)->own), "state fits");

static inline struct tern_bbr *tern_bbr_of(struct tern_cc *cc)
{
    return (struct tern_bbr *)(void *)cc->state->own;
}

static inline const struct tern_bbr *tern_bbr_in(const struct tern_cc *cc)
{
    return (const struct tern_bbr *)(const void *)cc->state->own;
}

static inline bool tern_bbr_is_probing_cycle(const struct tern_bbr *bbr)
{
    return bbr->phase >= TERN_BBR_DOWN && bbr->phase <= TERN_BBR_UP;
}

static inline uint64_t tern_bbr_max_bw(const struct tern_bbr *bbr)
{
    return TERN_MAX(bbr->max_bw[0], bbr->max_bw[1]);
}

static inline uint64_t tern_bbr_min_pipe(const struct tern_cc *cc)
{
    return 4 * (uint64_t)cc->datagram; /* MinPipeCwnd */
}

/* --- bbr.c --- */

/* value * gain in hundredths, saturating. */
uint64_t tern_bbr_scale(uint64_t value, uint64_t gain);
/* bw * min_rtt * gain; gain in hundredths. */
uint64_t tern_bbr_bdp(const struct tern_bbr *bbr, uint64_t bw, uint64_t gain);
/* The same, and never too little for the sender's and receiver's batches. */
uint64_t tern_bbr_inflight(const struct tern_cc *cc, uint64_t bw, uint64_t gain);
uint64_t tern_bbr_with_headroom(const struct tern_cc *cc);
bool tern_bbr_is_limited_sample(const struct tern_bbr *bbr, const struct tern_cc_ack *ack);
/* Congestion while careful resume lasts: what it measured does not count. */
void tern_bbr_retreat(struct tern_cc *cc, uint64_t delivered);
void tern_bbr_begin_round(struct tern_bbr *bbr, uint64_t delivered);
void tern_bbr_reset_full_bw(struct tern_bbr *bbr);
void tern_bbr_reset_shortterm(struct tern_bbr *bbr);
void tern_bbr_reset_signals(struct tern_bbr *bbr);

/* --- bbr_probe.c: ProbeBW --- */

void tern_bbr_begin_down(struct tern_cc *cc, uint64_t delivered, tern_time now);
void tern_bbr_begin_cruise(struct tern_bbr *bbr);
void tern_bbr_begin_refill(struct tern_bbr *bbr, uint64_t delivered);

/* Adapts the bound to an ACK, then moves through the cycle. */
void tern_bbr_cycle(struct tern_cc *cc, const struct tern_cc_ack *ack, tern_time now);

/* The cycle's best bandwidth takes the place of the one before. */
void tern_bbr_forget_old_bw(struct tern_bbr *bbr);

/* --- bbr_loss.c: what losses say --- */

/* The lowest of the figures; UINT64_MAX: not measured yet. */
uint64_t tern_bbr_loss_floor(const struct tern_bbr *bbr);
/* What the floor is sure to take of a rate: a bandwidth is the best of many rounds, and those were the
 * lucky ones. */
uint64_t tern_bbr_sure_noise(const struct tern_cc *cc, uint64_t rate);
bool tern_bbr_is_too_high(const struct tern_cc *cc, uint64_t lost, uint64_t sent);
/* What was sent meanwhile, for a share of it. */
uint64_t tern_bbr_sent_in(const struct tern_rate_sample *sample);

/* In Down, on each ACK once the queue is drained. True: it is done, the cycle may go on. It may have
 * gone back to Startup then. */
bool tern_bbr_watch_floor(struct tern_cc *cc, const struct tern_cc_ack *ack);

void tern_bbr_adapt_shortterm(struct tern_cc *cc, const struct tern_rate_sample *sample);
void tern_bbr_check_startup_loss(struct tern_cc *cc, const struct tern_cc_ack *ack,
                                 bool was_marked);
void tern_bbr_note_loss(struct tern_cc *cc, const struct tern_cc_loss *loss, tern_time now);
void tern_bbr_undo_loss(struct tern_cc *cc);

#endif
