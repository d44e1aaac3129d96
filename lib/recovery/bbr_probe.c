/* BBR's ProbeBW cycle: Down, Cruise, Refill, Up, and the bound on what is in flight that it learns.
 * SPDX-License-Identifier: MIT */
#include "recovery/bbr.h"

#define WAIT_BASE       (2 * TERN_SEC)
#define WAIT_SPREAD_MS  1000
#define RENO_ROUNDS_MAX 63
#define UP_ROUNDS_MAX   30

/* PickProbeWait. The draft takes the wait from a random source, so that flows which share a
 * bottleneck do not probe in step. A controller here has none (the same seed must give the same
 * trace, and the vtable stays free of hooks), and needs none: how many bytes a connection has
 * delivered by its n-th round differs from flow to flow just as well. The mixing is splitmix64's. */
static void pick_wait(struct tern_bbr *bbr, uint64_t delivered)
{
    uint64_t x = delivered + bbr->round_count * UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    x ^= x >> 31;
    bbr->rounds_since_probe = x & 1;
    bbr->probe_wait = WAIT_BASE + (x >> 1) % (WAIT_SPREAD_MS + 1) * TERN_MSEC;
}

void tern_bbr_begin_down(struct tern_cc *cc, uint64_t delivered, tern_time now)
{
    struct tern_bbr *bbr = tern_bbr_of(cc);
    tern_bbr_reset_signals(bbr);
    bbr->probe_up_count = UINT64_MAX;
    pick_wait(bbr, delivered);
    bbr->cycle_at = now;
    bbr->watch_rounds = 0;
    bbr->ack_phase = TERN_BBR_ACKS_STOPPING;
    tern_bbr_begin_round(bbr, delivered);
    bbr->phase = TERN_BBR_DOWN;
}

void tern_bbr_begin_cruise(struct tern_bbr *bbr)
{
    bbr->phase = TERN_BBR_CRUISE;
    bbr->probe_wait = bbr->has_retreated ? 0 : bbr->probe_wait; /* half is not the end of it */
    bbr->has_retreated = false;
}

void tern_bbr_begin_refill(struct tern_bbr *bbr, uint64_t delivered)
{
    tern_bbr_reset_shortterm(bbr);
    bbr->probe_up_rounds = 0;
    bbr->probe_up_acked = 0;
    bbr->prev_probe_precautionary = false;
    bbr->ack_phase = TERN_BBR_ACKS_REFILLING;
    tern_bbr_begin_round(bbr, delivered);
    bbr->phase = TERN_BBR_REFILL;
}

/* RaiseInflightLongtermSlope: one datagram more in the first round, then 2, 4, 8, ... */
static void raise_slope(struct tern_cc *cc)
{
    struct tern_bbr *bbr = tern_bbr_of(cc);
    uint64_t growth = UINT64_C(1) << bbr->probe_up_rounds;
    bbr->probe_up_rounds = TERN_MIN(bbr->probe_up_rounds + 1, (uint32_t)UP_ROUNDS_MAX);
    bbr->probe_up_count = TERN_MAX(cc->cwnd / growth, (uint64_t)1);
}

static void begin_up(struct tern_cc *cc, uint64_t delivered, uint64_t rate)
{
    struct tern_bbr *bbr = tern_bbr_of(cc);
    bbr->is_sampling_probe = true;
    bbr->ack_phase = TERN_BBR_ACKS_STARTING;
    tern_bbr_begin_round(bbr, delivered);
    tern_bbr_reset_full_bw(bbr);
    bbr->full_bw = rate;
    bbr->phase = TERN_BBR_UP;
    raise_slope(cc);
}

/* --- the long-term bound ---------------------------------------------------------------------- */

/* ProbeInflightLongtermUpward */
static void probe_upward(struct tern_cc *cc, const struct tern_cc_ack *ack)
{
    struct tern_bbr *bbr = tern_bbr_of(cc);
    if (!(bbr->is_cwnd_limited || bbr->was_cwnd_limited) || cc->cwnd < bbr->inflight_longterm) {
        return; /* the bound is not what holds us back */
    }
    bbr->probe_up_acked += ack->acked_bytes;
    if (bbr->probe_up_acked >= bbr->probe_up_count) {
        uint64_t datagrams = bbr->probe_up_acked / bbr->probe_up_count;
        bbr->probe_up_acked -= datagrams * bbr->probe_up_count;
        bbr->inflight_longterm =
            tern_add_sat(bbr->inflight_longterm, datagrams * (uint64_t)cc->datagram);
    }
    if (bbr->is_round_start) {
        raise_slope(cc);
    }
}

/* AdvanceMaxBwFilter; a cycle without a sample forgets nothing. */
void tern_bbr_forget_old_bw(struct tern_bbr *bbr)
{
    if (bbr->max_bw[1] > 0) {
        bbr->max_bw[0] = bbr->max_bw[1];
        bbr->max_bw[1] = 0;
    }
}

/* AdaptLongTermModel. True: it has decided where to go. */
static bool adapt_bound(struct tern_cc *cc, const struct tern_cc_ack *ack)
{
    struct tern_bbr *bbr = tern_bbr_of(cc);
    const struct tern_rate_sample *sample = ack->sample;
    if (bbr->ack_phase == TERN_BBR_ACKS_STARTING && bbr->is_round_start) {
        bbr->ack_phase = TERN_BBR_ACKS_FEEDBACK;
    }
    if (bbr->ack_phase == TERN_BBR_ACKS_STOPPING && bbr->is_round_start) {
        bbr->is_sampling_probe = false;
        bbr->ack_phase = TERN_BBR_ACKS_INIT;
        if (tern_bbr_is_probing_cycle(bbr) && !tern_bbr_is_limited_sample(bbr, ack)) {
            tern_bbr_forget_old_bw(bbr);
        }
        /* The careful probe went well: now a whole one, at once. */
        if (tern_bbr_is_probing_cycle(bbr) && bbr->prev_probe_precautionary &&
            !bbr->prev_probe_too_high) {
            tern_bbr_begin_refill(bbr, ack->rate->delivered);
            return true;
        }
    }
    if (bbr->inflight_longterm == UINT64_MAX ||
        tern_bbr_is_too_high(cc, sample->lost, tern_bbr_sent_in(sample))) {
        return false;
    }
    bbr->inflight_longterm = TERN_MAX(bbr->inflight_longterm, sample->in_flight_at_send);
    if (bbr->phase == TERN_BBR_UP) {
        probe_upward(cc, ack);
    }
    return false;
}

/* --- the cycle -------------------------------------------------------------------------------- */

/* IsTimeToProbeBW; by the clock, or as soon as a Reno flow would have grown by our bandwidth. */
static bool has_waited(const struct tern_cc *cc, const struct tern_bbr *bbr, tern_time now)
{
    uint64_t target = TERN_MIN(tern_bbr_bdp(bbr, bbr->bw, 100), cc->cwnd);
    uint64_t rounds = TERN_MIN(target / cc->datagram, (uint64_t)RENO_ROUNDS_MAX);
    return now > bbr->cycle_at + bbr->probe_wait || bbr->rounds_since_probe >= rounds;
}

/* IsTimeToCruise, without the headroom under the bound: a window that the bound holds below the pipe
 * would not get there until the next probe. Cruise makes the room. */
static bool is_drained(const struct tern_cc *cc, const struct tern_bbr *bbr)
{
    return cc->bytes_in_flight <= bbr->inflight_longterm &&
           cc->bytes_in_flight <= tern_bbr_inflight(cc, tern_bbr_max_bw(bbr), 100);
}

/* IsTimeToGoDown */
static bool is_probe_done(const struct tern_cc *cc, struct tern_bbr *bbr, uint64_t rate)
{
    if (bbr->prev_probe_too_high && cc->bytes_in_flight >= bbr->inflight_longterm) {
        bbr->prev_probe_precautionary = true; /* at the bound that was too high the last time */
        return true;
    }
    if ((bbr->is_cwnd_limited || bbr->was_cwnd_limited) && cc->cwnd >= bbr->inflight_longterm) {
        tern_bbr_reset_full_bw(bbr); /* the bound hid what the path can do; it grows now */
        bbr->full_bw = rate;
        return false;
    }
    return bbr->is_full_bw_now;
}

/* To Cruise, when the queue is gone and the noise of the path is known. */
static void leave_down(struct tern_cc *cc, const struct tern_cc_ack *ack)
{
    struct tern_bbr *bbr = tern_bbr_of(cc);
    bool is_watching = bbr->watch_rounds > 0;
    if (!is_watching && (bbr->ack_phase == TERN_BBR_ACKS_STOPPING || !is_drained(cc, bbr))) {
        return;
    }
    if (tern_bbr_watch_floor(cc, ack) && bbr->phase == TERN_BBR_DOWN) {
        tern_bbr_begin_cruise(bbr);
    }
}

void tern_bbr_cycle(struct tern_cc *cc, const struct tern_cc_ack *ack, tern_time now)
{
    struct tern_bbr *bbr = tern_bbr_of(cc);
    uint64_t delivered = ack->rate->delivered;
    if (!bbr->is_full_bw_reached || adapt_bound(cc, ack)) {
        return;
    }
    switch (bbr->phase) {
    case TERN_BBR_DOWN:
    case TERN_BBR_CRUISE:
        if (has_waited(cc, bbr, now) && bbr->watch_rounds == 0) {
            tern_bbr_begin_refill(bbr, delivered);
        } else if (bbr->phase == TERN_BBR_DOWN) {
            leave_down(cc, ack);
        }
        break;
    case TERN_BBR_REFILL:
        if (bbr->is_round_start) {
            begin_up(cc, delivered, ack->sample->rate);
        }
        break;
    case TERN_BBR_UP:
        if (is_probe_done(cc, bbr, ack->sample->rate)) {
            bbr->prev_probe_too_high = false; /* no high loss yet */
            tern_bbr_begin_down(cc, delivered, now);
        }
        break;
    case TERN_BBR_STARTUP:
    case TERN_BBR_DRAIN:
    case TERN_BBR_PROBE_RTT:
        break;
    }
}
