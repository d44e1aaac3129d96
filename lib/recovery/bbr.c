/* BBRv3: paces by a model of the path, its bandwidth and its delay, instead of by losses.
 * draft-ietf-ccwg-bbr. Integers only (gains in hundredths), so that every machine agrees.
 * SPDX-License-Identifier: MIT */
#include "recovery/bbr.h"

#define PACING_MARGIN      1 /* PacingMarginPercent */
#define MIN_RTT_WINDOW     (10 * TERN_SEC)
#define PROBE_RTT_INTERVAL (5 * TERN_SEC)
#define PROBE_RTT_LENGTH   (200 * TERN_MSEC)
#define PROBE_RTT_GAIN     50
#define FULL_BW_ROUNDS     3
#define DRAIN_ROUNDS       3
#define WATCH_GAIN         95 /* of pacing, in hundredths, while losses are counted */
#define HEADROOM           15 /* in hundredths, alone ... */
#define HEADROOM_SHARED    30 /* ... and beside flows that keep a queue */
#define QUANTUM_MAX        65536
#define EXTRA_HALF_ROUNDS  5
#define GUESSED_RTT        TERN_MSEC
/* An RTT within this part of the least is as good; within half of it, too, for the margin. */
#define MATCH_PART 64
#define TRAIN_PART 8 /* a train's least length in round trips, and its most delay */
/* A first window is ten small ones, or eight large, and one ACK is its beginning. */
#define TRAIN_DATAGRAMS 6
#define TRAIN_PACING    400 /* in hundredths */
#define RESUME_ROUNDS   2
#define FIRST_DATAGRAMS 24
#define ALONE           2 /* times more rounds without a queue than with one */

static const uint16_t pacing_gain[] = {
    [TERN_BBR_STARTUP] = 277,   [TERN_BBR_DRAIN] = 50,   [TERN_BBR_DOWN] = 90,
    [TERN_BBR_CRUISE] = 100,    [TERN_BBR_REFILL] = 100, [TERN_BBR_UP] = 125,
    [TERN_BBR_PROBE_RTT] = 100,
};

static const uint16_t cwnd_gain[] = {
    [TERN_BBR_STARTUP] = 200,
    [TERN_BBR_DRAIN] = 200,
    [TERN_BBR_DOWN] = 200,
    [TERN_BBR_CRUISE] = 200,
    [TERN_BBR_REFILL] = 200,
    [TERN_BBR_UP] = 225,
    [TERN_BBR_PROBE_RTT] = PROBE_RTT_GAIN,
};

uint64_t tern_bbr_scale(uint64_t value, uint64_t gain)
{
    return value > UINT64_MAX / 1000 ? UINT64_MAX : value * gain / 100;
}

/* Bytes that a rate carries in a time. Both are cut where the product would pass 64 bits: ten
 * seconds of delay, a terabyte a second. */
static uint64_t bytes_in(uint64_t rate, tern_time time)
{
    tern_time span = TERN_MIN(time, MIN_RTT_WINDOW);
    rate = TERN_MIN(rate, UINT64_C(1) << 40);
    return rate / TERN_SEC * span + rate % TERN_SEC * span / TERN_SEC;
}

uint64_t tern_bbr_bdp(const struct tern_bbr *bbr, uint64_t bw, uint64_t gain)
{
    if (bbr->min_rtt == TERN_TIME_NEVER) {
        return bbr->initial_cwnd; /* no RTT yet */
    }
    return tern_bbr_scale(bytes_in(bw, bbr->min_rtt), gain);
}

/* SetSendQuantum: what leaves in one go. */
static uint64_t quantum(const struct tern_cc *cc)
{
    uint64_t burst = TERN_MIN(tern_bbr_in(cc)->pacing_rate / 1000, (uint64_t)QUANTUM_MAX);
    return TERN_MAX(burst, 2 * (uint64_t)cc->datagram);
}

/* QuantizationBudget */
static uint64_t quantize(const struct tern_cc *cc, uint64_t inflight)
{
    inflight = TERN_MAX(inflight, 3 * quantum(cc));
    inflight = TERN_MAX(inflight, tern_bbr_min_pipe(cc));
    return tern_bbr_in(cc)->phase == TERN_BBR_UP ? inflight + 2 * (uint64_t)cc->datagram : inflight;
}

uint64_t tern_bbr_inflight(const struct tern_cc *cc, uint64_t bw, uint64_t gain)
{
    return quantize(cc, tern_bbr_bdp(tern_bbr_in(cc), bw, gain));
}

uint64_t tern_bbr_with_headroom(const struct tern_cc *cc)
{
    uint64_t bound = tern_bbr_in(cc)->inflight_longterm;
    if (bound == UINT64_MAX) {
        return bound;
    }
    uint64_t share = tern_bbr_in(cc)->is_shared ? HEADROOM_SHARED : HEADROOM;
    uint64_t headroom = TERN_MAX(bound / 100 * share, (uint64_t)cc->datagram);
    return TERN_MAX(tern_sub_sat(bound, headroom), tern_bbr_min_pipe(cc));
}

bool tern_bbr_is_limited_sample(const struct tern_bbr *bbr, const struct tern_cc_ack *ack)
{
    return ack->sample->is_app_limited || ack->sample->prior_delivered < bbr->limited_until;
}

void tern_bbr_begin_round(struct tern_bbr *bbr, uint64_t delivered)
{
    bbr->next_round_delivered = delivered;
}

void tern_bbr_reset_full_bw(struct tern_bbr *bbr)
{
    bbr->full_bw = 0;
    bbr->full_bw_count = 0;
    bbr->is_full_bw_now = false;
}

void tern_bbr_reset_shortterm(struct tern_bbr *bbr)
{
    bbr->bw_shortterm = bbr->inflight_shortterm = UINT64_MAX;
}

void tern_bbr_reset_signals(struct tern_bbr *bbr)
{
    bbr->is_loss_in_round = bbr->is_ecn_in_round = false;
    bbr->bw_latest = bbr->inflight_latest = 0;
}

/* --- pacing ----------------------------------------------------------------------------------- */

/* SetPacingRateWithGain; while the pipe is not yet full the rate only grows. The margin keeps us just
 * below the bottleneck's bandwidth, so that a queue goes away. In Cruise we leave it out in round trips
 * that show there is none: one in a hundred would be given away for nothing. The draft does not know of
 * noise: what it takes besides, and surely takes, is sent on top, but not in Down, which must stay below to
 * measure it. */
static void set_pacing(struct tern_cc *cc, uint64_t gain)
{
    struct tern_bbr *bbr = tern_bbr_of(cc);
    bool is_empty = bbr->phase == TERN_BBR_CRUISE && (bbr->is_clear || bbr->was_clear);
    uint64_t margin = is_empty ? 0 : PACING_MARGIN;
    uint64_t rate = tern_bbr_scale(tern_bbr_scale(bbr->bw, gain), 100 - margin);
    if (bbr->phase >= TERN_BBR_CRUISE && bbr->phase <= TERN_BBR_UP) {
        rate += tern_bbr_sure_noise(cc, rate);
    }
    if (bbr->phase == TERN_BBR_STARTUP) {
        rate = TERN_MAX(rate, tern_bbr_scale(bbr->train_rate, TRAIN_PACING));
        rate = TERN_MAX(rate, bbr->resume_rate);
    }
    if (rate > 0 && (bbr->is_full_bw_reached || rate > bbr->pacing_rate)) {
        bbr->pacing_rate = rate;
    }
}

/* InitPacingRate */
static void guess_pacing(struct tern_cc *cc, tern_time rtt)
{
    struct tern_bbr *bbr = tern_bbr_of(cc);
    uint64_t window = tern_bbr_scale(bbr->initial_cwnd, TRAIN_PACING);
    bbr->pacing_rate = tern_cc_rate_of(window, rtt);
}

static uint64_t bbr_pacing_rate(const struct tern_cc *cc, const struct tern_rtt *rtt)
{
    (void)rtt;
    return tern_bbr_in(cc)->pacing_rate;
}

/* --- ProbeRTT --------------------------------------------------------------------------------- */

static void exit_probe_rtt(struct tern_cc *cc, uint64_t delivered, tern_time now)
{
    struct tern_bbr *bbr = tern_bbr_of(cc);
    bbr->probe_rtt_min_at = now;
    cc->cwnd = TERN_MAX(cc->cwnd, bbr->prior_cwnd);
    tern_bbr_reset_shortterm(bbr);
    if (bbr->is_full_bw_reached) {
        tern_bbr_begin_down(cc, delivered, now);
        tern_bbr_begin_cruise(bbr);
    } else {
        bbr->phase = TERN_BBR_STARTUP;
    }
}

static bool is_probe_rtt_over(const struct tern_bbr *bbr, tern_time now)
{
    return bbr->probe_rtt_until != 0 && now > bbr->probe_rtt_until;
}

static uint64_t probe_rtt_cwnd(const struct tern_cc *cc)
{
    const struct tern_bbr *bbr = tern_bbr_in(cc);
    return TERN_MAX(tern_bbr_bdp(bbr, bbr->bw, PROBE_RTT_GAIN), tern_bbr_min_pipe(cc));
}

/* HandleProbeRTT */
static void stay_in_probe_rtt(struct tern_cc *cc, const struct tern_cc_ack *ack, tern_time now)
{
    struct tern_bbr *bbr = tern_bbr_of(cc);
    uint64_t delivered = ack->rate->delivered;
    bbr->limited_until = delivered + cc->bytes_in_flight;
    if (bbr->probe_rtt_until == 0 && cc->bytes_in_flight <= probe_rtt_cwnd(cc)) {
        bbr->probe_rtt_until = now + PROBE_RTT_LENGTH;
        bbr->is_probe_rtt_round_done = false;
        tern_bbr_begin_round(bbr, delivered);
    } else if (bbr->probe_rtt_until != 0) {
        bbr->is_probe_rtt_round_done = bbr->is_probe_rtt_round_done || bbr->is_round_start;
        if (bbr->is_probe_rtt_round_done && is_probe_rtt_over(bbr, now)) {
            exit_probe_rtt(cc, delivered, now);
        }
    }
}

/* CheckProbeRTT */
static void check_probe_rtt(struct tern_cc *cc, const struct tern_cc_ack *ack, tern_time now)
{
    struct tern_bbr *bbr = tern_bbr_of(cc);
    /* It waits for a count of the noise, which over a satellite takes most of the time between two. */
    bool is_watching = bbr->phase == TERN_BBR_DOWN && bbr->watch_rounds > 0;
    bool is_due = bbr->is_probe_rtt_expired || bbr->is_probe_rtt_due;
    bbr->is_probe_rtt_due = is_due && is_watching;
    if (bbr->phase != TERN_BBR_PROBE_RTT && is_due && !is_watching && !bbr->is_idle_restart) {
        /* A probe that has had its answer counts as a cycle, although Down will not come to say so:
         * with a long queue the cycle can be as long as the interval of ProbeRTT, and an outdated
         * bandwidth would never be forgotten. */
        if (bbr->phase == TERN_BBR_UP && bbr->ack_phase == TERN_BBR_ACKS_FEEDBACK) {
            tern_bbr_forget_old_bw(bbr);
        }
        bbr->phase = TERN_BBR_PROBE_RTT;
        bbr->prior_cwnd = cc->cwnd;
        bbr->probe_rtt_until = 0;
        bbr->ack_phase = TERN_BBR_ACKS_STOPPING;
        tern_bbr_begin_round(bbr, ack->rate->delivered);
    }
    if (bbr->phase == TERN_BBR_PROBE_RTT) {
        stay_in_probe_rtt(cc, ack, now);
    }
    bbr->is_idle_restart = bbr->is_idle_restart && ack->sample->delivered == 0;
}

/* The draft has ProbeRTT for flows that keep a queue, and leaves it out after what has emptied it. But as
 * it is written only a sample below the least would tell, which a path without jitter never gives. Here
 * those that match it do, when ProbeRTT would be due and two thirds had one of those rounds since in which
 * we kept no queue ourselves: a flow that is alone has them in all. Beside others they are rarer, and
 * ProbeRTT stays, which gives those their share. */
static bool is_refreshed(const struct tern_cc *cc, struct tern_bbr *bbr, tern_time sample)
{
    tern_time slack = cc->datagram * (TERN_SEC / 4 * 5) / TERN_MAX(bbr->bw, (uint64_t)1);
    slack = TERN_MAX(slack, bbr->min_rtt / MATCH_PART);
    bool is_match = sample >= bbr->min_rtt && sample - bbr->min_rtt <= slack;
    bool is_clear = is_match && sample - bbr->min_rtt <= slack / 2;
    bbr->is_matched = bbr->is_matched || is_match;
    bbr->is_clear = bbr->is_clear || is_clear;
    if (bbr->is_round_start) {
        bool is_calm = bbr->phase == TERN_BBR_CRUISE || bbr->phase == TERN_BBR_REFILL ||
                       (bbr->phase == TERN_BBR_DOWN && bbr->watch_rounds > 0);
        bool counts = is_calm && bbr->was_calm; /* all of the round */
        bbr->matched += counts && bbr->is_matched ? 1 : 0;
        bbr->unmatched += counts && !bbr->is_matched ? 1 : 0;
        bbr->was_calm = is_calm;
        bbr->was_clear = bbr->is_clear;
        bbr->is_clear = is_clear;
        bbr->is_matched = is_match;
    }
    if (!bbr->is_probe_rtt_expired) {
        return false;
    }
    bool is_empty = bbr->matched > ALONE * bbr->unmatched;
    bbr->matched = bbr->unmatched = 0;
    return is_empty;
}

/* UpdateMinRTT: a filter of five seconds inside one of ten. */
static void update_min_rtt(const struct tern_cc *cc, struct tern_bbr *bbr, tern_time sample,
                           tern_time now)
{
    bbr->is_probe_rtt_expired = now > bbr->probe_rtt_min_at + PROBE_RTT_INTERVAL;
    if (is_refreshed(cc, bbr, sample)) {
        bbr->is_probe_rtt_expired = false;
        bbr->probe_rtt_min = bbr->min_rtt;
        bbr->probe_rtt_min_at = bbr->min_rtt_at = now;
    }
    if (sample > 0 && (sample < bbr->probe_rtt_min || bbr->is_probe_rtt_expired)) {
        bbr->probe_rtt_min = sample;
        bbr->probe_rtt_min_at = now;
    }
    if (bbr->probe_rtt_min < bbr->min_rtt || now > bbr->min_rtt_at + MIN_RTT_WINDOW) {
        bbr->min_rtt = bbr->probe_rtt_min;
        bbr->min_rtt_at = bbr->probe_rtt_min_at;
    }
}

/* --- the model -------------------------------------------------------------------------------- */

/* UpdateLatestDeliverySignals */
static void update_latest(struct tern_bbr *bbr, const struct tern_cc_ack *ack)
{
    const struct tern_rate_sample *sample = ack->sample;
    bbr->is_loss_round_start = false;
    bbr->bw_latest = TERN_MAX(bbr->bw_latest, sample->rate);
    bbr->inflight_latest = TERN_MAX(bbr->inflight_latest, sample->delivered);
    if (sample->prior_delivered >= bbr->loss_round_delivered) {
        bbr->loss_round_delivered = ack->rate->delivered;
        bbr->is_loss_round_start = true;
    }
}

/* UpdateRound */
static void update_round(struct tern_bbr *bbr, const struct tern_cc_ack *ack)
{
    bbr->is_round_start = ack->sample->prior_delivered >= bbr->next_round_delivered;
    if (bbr->is_round_start) {
        tern_bbr_begin_round(bbr, ack->rate->delivered);
        bbr->round_count++;
        bbr->rounds_since_probe++;
        bbr->was_cwnd_limited = bbr->is_cwnd_limited;
        bbr->is_cwnd_limited = false;
    }
}

/* UpdateMaxBw: a sender that had nothing to say proves no upper bound, only a lower one. */
static void update_max_bw(struct tern_bbr *bbr, const struct tern_cc_ack *ack)
{
    uint64_t rate = ack->sample->rate;
    if (ack->sample->prior_delivered < bbr->tainted_until) {
        return;
    }
    if (rate > 0 && (rate >= tern_bbr_max_bw(bbr) || !tern_bbr_is_limited_sample(bbr, ack))) {
        bbr->max_bw[1] = TERN_MAX(bbr->max_bw[1], rate);
    }
}

/* UpdateACKAggregation: how far ACKs run ahead of what the bandwidth explains. */
static void update_extra_acked(const struct tern_cc *cc, struct tern_bbr *bbr,
                               const struct tern_cc_ack *ack, tern_time now)
{
    uint64_t rate = bbr->is_full_bw_reached ? bbr->bw : TERN_MAX(bbr->bw, bbr->train_rate);
    uint64_t expected = bytes_in(rate, tern_sub_sat(now, bbr->extra_at));
    if (bbr->extra_delivered <= expected) {
        bbr->extra_delivered = expected = 0;
        bbr->extra_at = now;
    }
    bbr->extra_delivered += ack->acked_bytes;
    if (bbr->is_round_start &&
        ++bbr->extra_rounds >= (bbr->is_full_bw_reached ? EXTRA_HALF_ROUNDS : 1)) {
        bbr->extra_rounds = 0;
        bbr->extra_acked[0] = bbr->extra_acked[1];
        bbr->extra_acked[1] = 0;
    }
    uint64_t extra = TERN_MIN(tern_sub_sat(bbr->extra_delivered, expected), cc->cwnd);
    bbr->extra_acked[1] = TERN_MAX(bbr->extra_acked[1], extra);
}

/* --- faster Startup -------------------------------------------------------------------------- */

/* Startup doubles the window each round, because a sample of the bandwidth is the mean of a round, and
 * all but the last rounds pause when the window is full. But what left between two pauses shows what the
 * path surely carries: a train of an eighth of a round and six datagrams, whose ACKs came as fast as it
 * had left and without delay. Twice its product may be in flight, the bound that Startup always has, as
 * soon as it is known; and sent at four times its rate it is half a round long, which the next train
 * proves. So the window quadruples while there are no signs of a queue, as SUSS does for slow start
 * (Arghavani et al., "SUSS: Improving TCP Performance by Speeding Up Slow-Start", SIGCOMM 2024). */
static void begin_train(struct tern_bbr *bbr, const struct tern_cc_ack *ack, tern_time now)
{
    bbr->train_at = now;
    bbr->train_sent_at = ack->largest_sent_at;
    bbr->train_delivered = ack->rate->delivered;
}

/* A train that came slower than it had left, and at the rate that is remembered: two witnesses that do not know
 * of each other say that this is the bottleneck. What Startup would do besides is to fill its queue and lose
 * what has no room in it. If there is more by now, the next probe finds it. Where something was lost already
 * Startup goes on, and learns how much of that is noise. */
static bool is_found_again(const struct tern_bbr *bbr, uint64_t rate, tern_time took,
                           tern_time sent_in)
{
    return bbr->recalled_rate > 0 && took > sent_in / 4 * 5 &&
           rate > bbr->recalled_rate / 16 * 15 && rate < bbr->recalled_rate / 8 * 9;
}

/* Past Drain: what stands in the queue is little, and Down takes it away. */
static void end_startup_by_memory(struct tern_cc *cc, uint64_t rate, const struct tern_cc_ack *ack,
                                  tern_time now)
{
    struct tern_bbr *bbr = tern_bbr_of(cc);
    bbr->recalled_rate = bbr->resume_rate = 0;
    bbr->is_full_bw_now = bbr->is_full_bw_reached = true;
    bbr->max_bw[1] = TERN_MAX(bbr->max_bw[1], rate);
    tern_bbr_begin_down(cc, ack->rate->delivered, now);
}

static void note_train(struct tern_cc *cc, const struct tern_cc_ack *ack, tern_time now)
{
    struct tern_bbr *bbr = tern_bbr_of(cc);
    tern_time part = TERN_MAX(bbr->min_rtt / TRAIN_PART, TERN_USEC); /* clocks may be coarse */
    if (bbr->is_round_start || bbr->train_at == 0 || ack->largest_sent_at < bbr->train_sent_at) {
        begin_train(bbr, ack, now);
        return;
    }
    tern_time took = now - bbr->train_at, sent_in = ack->largest_sent_at - bbr->train_sent_at;
    tern_time length = TERN_MAX(took, sent_in);
    uint64_t bytes = ack->rate->delivered - bbr->train_delivered;
    bool is_long = length >= part && bytes >= TRAIN_DATAGRAMS * (uint64_t)cc->datagram;
    bool is_delayed = ack->rtt_sample == 0 || ack->rtt_sample > bbr->min_rtt + part;
    if (!is_long) {
        return;
    }
    uint64_t rate = bytes * 1000000 / (length / 1000);
    bbr->train_seen = TERN_MAX(bbr->train_seen, rate);
    if (!is_delayed && !bbr->is_loss_in_round) {
        bbr->train_rate = TERN_MAX(bbr->train_rate, rate);
        if (rate >= bbr->resume_rate / 8 * 7) { /* all of it has been validated */
            bbr->resume_rate = 0;
        }
        if (ack->rate->lost == 0 && is_found_again(bbr, rate, took, sent_in)) {
            end_startup_by_memory(cc, rate, ack, now);
        }
    }
    begin_train(bbr, ack, now);
}

/* --- Startup and Drain ------------------------------------------------------------------------ */

/* CheckFullBWReached: three rounds without a quarter more. */
static void check_full_bw(struct tern_bbr *bbr, const struct tern_cc_ack *ack)
{
    uint64_t rate = ack->sample->rate;
    if (bbr->is_full_bw_now || tern_bbr_is_limited_sample(bbr, ack) || rate == 0) {
        return;
    }
    if (rate >= tern_bbr_scale(bbr->full_bw, TERN_BBR_FULL_GROWTH)) {
        tern_bbr_reset_full_bw(bbr);
        bbr->full_bw = rate;
    } else if (bbr->is_round_start && ++bbr->full_bw_count >= FULL_BW_ROUNDS) {
        bbr->is_full_bw_now = bbr->is_full_bw_reached = true;
    }
}

static void check_startup_and_drain(struct tern_cc *cc, const struct tern_cc_ack *ack,
                                    bool was_marked, tern_time now)
{
    struct tern_bbr *bbr = tern_bbr_of(cc);
    if (!bbr->is_full_bw_reached) {
        tern_bbr_check_startup_loss(cc, ack, was_marked);
    }
    if (bbr->phase == TERN_BBR_STARTUP && bbr->is_full_bw_reached) {
        bbr->phase = TERN_BBR_DRAIN;
        bbr->drain_round = bbr->round_count;
    }
    if (bbr->phase == TERN_BBR_DRAIN &&
        (cc->bytes_in_flight <= tern_bbr_inflight(cc, bbr->bw, 100) ||
         bbr->round_count > bbr->drain_round + DRAIN_ROUNDS)) {
        tern_bbr_begin_down(cc, ack->rate->delivered, now);
    }
}

/* --- the window ------------------------------------------------------------------------------- */

/* BoundCwndForModel */
static uint64_t model_bound(const struct tern_cc *cc)
{
    const struct tern_bbr *bbr = tern_bbr_in(cc);
    uint64_t bound = UINT64_MAX;
    if (bbr->phase == TERN_BBR_CRUISE || bbr->phase == TERN_BBR_PROBE_RTT) {
        bound = tern_bbr_with_headroom(cc);
    } else if (tern_bbr_is_probing_cycle(bbr)) {
        bound = bbr->inflight_longterm;
    }
    bound = TERN_MIN(bound, bbr->inflight_shortterm);
    return TERN_MAX(bound, tern_bbr_min_pipe(cc));
}

/* The draft of careful resume lets out twice this, Startup's gain. But before the first answer even the
 * half that a window would jump to can be too much, and after it the train's rate is known. */
static uint64_t resumed_window(const struct tern_bbr *bbr)
{
    return tern_bbr_bdp(bbr, bbr->resume_rate, 100);
}

/* SetCwnd */
static void set_cwnd(struct tern_cc *cc, const struct tern_cc_ack *ack)
{
    struct tern_bbr *bbr = tern_bbr_of(cc);
    uint64_t extra = TERN_MAX(bbr->extra_acked[0], bbr->extra_acked[1]);
    uint64_t most = quantize(cc, tern_bbr_bdp(bbr, bbr->bw, cwnd_gain[bbr->phase]) + extra);
    if (bbr->is_full_bw_reached) {
        cc->cwnd = TERN_MIN(cc->cwnd + ack->acked_bytes, most);
    } else if (cc->cwnd < most || ack->rate->delivered < bbr->initial_cwnd) {
        cc->cwnd += ack->acked_bytes;
    }
    if (bbr->phase == TERN_BBR_STARTUP) {
        uint64_t proved = tern_bbr_bdp(bbr, bbr->train_rate, cwnd_gain[TERN_BBR_STARTUP]);
        cc->cwnd = TERN_MAX(cc->cwnd, bbr->train_rate > 0 ? proved : 0);
        cc->cwnd = TERN_MAX(cc->cwnd, bbr->resume_rate > 0 ? resumed_window(bbr) : 0);
    }
    cc->cwnd = TERN_MAX(cc->cwnd, tern_bbr_min_pipe(cc));
    if (bbr->phase == TERN_BBR_PROBE_RTT) {
        cc->cwnd = TERN_MIN(cc->cwnd, probe_rtt_cwnd(cc));
    }
    cc->cwnd = TERN_MIN(cc->cwnd, model_bound(cc));
}

/* --- the table -------------------------------------------------------------------------------- */

static void bbr_init(struct tern_cc *cc, tern_time now)
{
    struct tern_bbr *bbr = tern_bbr_of(cc);
    memset(cc->state->own, 0, sizeof cc->state->own);
    bbr->phase = bbr->undo_phase = TERN_BBR_STARTUP;
    bbr->initial_cwnd = cc->cwnd;
    bbr->min_rtt = bbr->probe_rtt_min = TERN_TIME_NEVER;
    bbr->min_rtt_at = bbr->probe_rtt_min_at = bbr->extra_at = bbr->cycle_at = now;
    bbr->inflight_longterm = UINT64_MAX;
    memset(bbr->loss_floor, 0xff, sizeof bbr->loss_floor); /* UINT64_MAX: none yet */
    bbr->probe_up_count = UINT64_MAX;
    tern_bbr_reset_shortterm(bbr);
    guess_pacing(cc, GUESSED_RTT);
}

/* What the window carried in a round trip is the first sample of the bandwidth. */
static void bbr_adopt(struct tern_cc *cc, const struct tern_cc_run *run, tern_time now)
{
    struct tern_bbr *bbr = tern_bbr_of(cc);
    uint64_t delivered = run->rate->delivered;
    bbr->has_rtt = true;
    bbr->min_rtt = bbr->probe_rtt_min = run->rtt->min;
    bbr->bw = bbr->max_bw[1] = tern_cc_rate_of(cc->cwnd, run->rtt->smoothed);
    bbr->loss_round_delivered = delivered + cc->bytes_in_flight;
    tern_bbr_begin_round(bbr, delivered);
    if (run->is_starting) {
        bbr->pacing_rate = bbr->bw;
        return;
    }
    bbr->is_full_bw_now = bbr->is_full_bw_reached = true;
    tern_bbr_begin_down(cc, delivered, now);
    set_pacing(cc, pacing_gain[bbr->phase]);
}

/* Half of the window is there for late ACKs; the flight is about one product. */
static uint64_t bbr_window(const struct tern_cc *cc)
{
    const struct tern_bbr *bbr = tern_bbr_in(cc);
    return bbr->is_full_bw_reached ? tern_bbr_bdp(bbr, bbr->bw, 100) : cc->cwnd;
}

/* Careful resume: half of the remembered volume a round trip, for the two rounds that its packets and their
 * ACKs take, once the application has as much to send. What its first train proves is Startup's then. */
static void bbr_resume(struct tern_cc *cc, uint64_t volume, const struct tern_cc_ack *ack)
{
    struct tern_bbr *bbr = tern_bbr_of(cc);
    if (bbr->phase != TERN_BBR_STARTUP) {
        return;
    }
    bbr->resume_rate = tern_cc_rate_of(volume, ack->rtt->smoothed);
    bbr->recalled_rate = 2 * bbr->resume_rate; /* tern_recall gives half */
    bbr->resume_until = bbr->round_count + RESUME_ROUNDS;
    bbr->resume_bw = tern_bbr_max_bw(bbr);
    set_pacing(cc, pacing_gain[bbr->phase]);
    set_cwnd(cc, ack);
}

/* Safe Retreat: to half of what came through, as a window would. */
void tern_bbr_retreat(struct tern_cc *cc, uint64_t delivered)
{
    struct tern_bbr *bbr = tern_bbr_of(cc);
    bbr->max_bw[0] = 0;
    bbr->max_bw[1] = TERN_MAX(bbr->resume_bw, tern_bbr_scale(bbr->train_seen, TERN_BBR_BETA));
    bbr->train_seen = bbr->train_rate = bbr->resume_rate = bbr->recalled_rate = 0;
    bbr->tainted_until = delivered + cc->bytes_in_flight;
    bbr->has_retreated = true;
}

static bool bbr_is_starting(const struct tern_cc *cc)
{
    return !tern_bbr_in(cc)->is_full_bw_reached;
}

/* HandleRestartFromIdle */
static void restart_from_idle(struct tern_cc *cc, const struct tern_rate *rate, tern_time now)
{
    struct tern_bbr *bbr = tern_bbr_of(cc);
    bbr->is_idle_restart = true;
    bbr->extra_at = now;
    bbr->extra_delivered = 0;
    if (tern_bbr_is_probing_cycle(bbr)) {
        set_pacing(cc, 100);
    } else if (bbr->phase == TERN_BBR_PROBE_RTT && is_probe_rtt_over(bbr, now)) {
        exit_probe_rtt(cc, rate->delivered, now);
    }
}

static void bbr_on_sent(struct tern_cc *cc, size_t bytes, const struct tern_rate *rate,
                        tern_time now)
{
    struct tern_bbr *bbr = tern_bbr_of(cc);
    if (cc->bytes_in_flight <= bytes && rate->app_limited_until > 0) {
        restart_from_idle(cc, rate, now);
    }
    bbr->is_cwnd_limited = bbr->is_cwnd_limited || tern_cc_room(cc) < cc->datagram;
}

/* Once the handshake has shown the round trip, the first window is spread over a quarter of it, and is larger for
 * that: RFC 9002 §7.2 bounds what leaves into the unknown, as fast as it can. */
static void widen_first_window(struct tern_cc *cc, const struct tern_cc_ack *ack)
{
    struct tern_bbr *bbr = tern_bbr_of(cc);
    if (ack->lost_bytes == 0 && ack->rate->lost == 0 && ack->rate->delivered < bbr->initial_cwnd) {
        bbr->initial_cwnd = TERN_MAX(bbr->initial_cwnd, FIRST_DATAGRAMS * (uint64_t)cc->datagram);
        cc->cwnd = TERN_MAX(cc->cwnd, bbr->initial_cwnd);
    }
}

static void bbr_on_ack(struct tern_cc *cc, const struct tern_cc_ack *ack, tern_time now)
{
    struct tern_bbr *bbr = tern_bbr_of(cc);
    if (!bbr->has_rtt && ack->rtt_sample > 0) { /* the guess of 1 ms has served its time */
        bbr->has_rtt = true;
        widen_first_window(cc, ack);
        guess_pacing(cc, ack->rtt->smoothed);
    }
    update_latest(bbr, ack);
    update_round(bbr, ack);
    update_max_bw(bbr, ack);
    bool was_marked = bbr->is_loss_round_start && bbr->is_ecn_in_round;
    if (bbr->is_loss_round_start) {
        tern_bbr_adapt_shortterm(cc, ack->sample);
        bbr->is_loss_in_round = bbr->is_ecn_in_round = false;
    }
    update_extra_acked(cc, bbr, ack, now);
    if (bbr->phase == TERN_BBR_STARTUP && bbr->has_rtt) {
        note_train(cc, ack, now);
    }
    if (bbr->is_round_start && tern_bbr_is_limited_sample(bbr, ack)) {
        bbr->resume_until = bbr->round_count + RESUME_ROUNDS; /* it has not been made use of */
    }
    if (bbr->resume_rate > 0 && bbr->round_count > bbr->resume_until) {
        bbr->resume_rate = 0; /* it has been validated */
    }
    check_full_bw(bbr, ack);
    check_startup_and_drain(cc, ack, was_marked, now);
    tern_bbr_cycle(cc, ack, now);
    update_min_rtt(cc, bbr, ack->rtt_sample, now);
    if (bbr->phase == TERN_BBR_CRUISE) { /* where we keep no queue ourselves */
        bbr->is_shared = ack->rtt->smoothed > tern_add_sat(bbr->min_rtt, bbr->min_rtt / 4);
    }
    check_probe_rtt(cc, ack, now);
    if (bbr->is_loss_round_start) {
        bbr->bw_latest = ack->sample->rate;
        bbr->inflight_latest = ack->sample->delivered;
    }
    bbr->bw = TERN_MIN(tern_bbr_max_bw(bbr), bbr->bw_shortterm);
    set_pacing(cc, bbr->phase == TERN_BBR_DOWN && bbr->watch_rounds > 0 ? WATCH_GAIN
                                                                        : pacing_gain[bbr->phase]);
    set_cwnd(cc, ack);
}

static void bbr_on_loss(struct tern_cc *cc, const struct tern_cc_loss *loss, tern_time now)
{
    struct tern_bbr *bbr = tern_bbr_of(cc);
    tern_bbr_note_loss(cc, loss, now);
    if (loss->persistent) { /* set_cwnd lets it grow by what is acknowledged, to the model's bound */
        bbr->prior_cwnd = TERN_MAX(bbr->prior_cwnd, cc->cwnd);
        cc->cwnd = tern_cc_min_window(cc);
    }
}

static void bbr_on_spurious(struct tern_cc *cc, tern_time now)
{
    (void)now;
    tern_bbr_undo_loss(cc);
}

const struct tern_cc_ops tern_cc_bbr = {
    .name = "bbr",
    .init = bbr_init,
    .adopt = bbr_adopt,
    .window = bbr_window,
    .is_starting = bbr_is_starting,
    .resume = bbr_resume,
    .on_sent = bbr_on_sent,
    .on_ack = bbr_on_ack,
    .on_loss = bbr_on_loss,
    .on_spurious = bbr_on_spurious,
    .pacing_rate = bbr_pacing_rate,
};
