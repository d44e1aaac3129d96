/* What losses and marks tell BBR: the bounds that they lower, when they end a probe, and how much of
 * them is the path's own noise.
 *
 * The noise is our addition to the draft; the other departure stands at tern_bbr_adapt_shortterm.
 * BBRv3 tolerates two percent of loss in a probe (LossThresh); on a path that loses five whatever one
 * sends, each probe would fail and the rate would die away. So once a cycle, after losses, the flow
 * stays in Down a few rounds longer, where it sends a tenth less than the path can carry and keeps no
 * queue, and counts what is still lost. Loss that goes away when we slow down is ours, and the draft's
 * threshold holds: that is so for a flow alone behind a policer or a shallow buffer. What stays is a
 * floor, and the threshold stands on top of it.
 *
 * What the floor cannot tell apart is noise from the losses that other flows cause, in a buffer too
 * shallow to show as delay. Those come and go, and where they do not, the buffer is never empty.
 * Therefore the lowest of the latest figures counts, even a small queue makes one zero, and they are
 * cut at FLOOR_MAX; above, the draft's response has its way. The price, measured with ten such flows
 * at one bottleneck: in a buffer of a twentieth of the bandwidth-delay product two and a half percent
 * of overflow instead of a little over one, in one of a fiftieth three; from a tenth on no difference.
 * FLOOR_MAX 0 takes the floor out.
 * SPDX-License-Identifier: MIT */
#include "recovery/bbr.h"

#define IN_ALL           10000 /* the floor is in ten-thousandths */
#define FLOOR_MAX        500
#define FLOOR_ROUNDS_MIN 2 /* counted for the floor, after one that lets older losses pass */
#define FLOOR_ROUNDS_MAX 6
#define FLOOR_SAMPLES    36 /* losses that make a figure: right by a sixth */
#define FLOOR_NONE       50 /* so little loss needs no exact figure */
#define QUEUE_FLOOR      32 /* the part of a round trip that is a queue when noise is measured, */
#define QUEUE_STARTUP    8  /* ... and when Startup ends, by a single sample */
#define DEVIATIONS       2  /* of so many a round with no more than the floor is hardly ever off */
#define LUCK             1  /* by so many the best of a probe's few rounds excels */
#define BENEFIT          3
#define FULL_LOSS_EVENTS 6 /* StartupFullLossCnt */

/* value * share / IN_ALL for shares below a few units; no product passes 64 bits. */
static uint64_t share_of(uint64_t value, uint64_t share)
{
    return value / IN_ALL * share + value % IN_ALL * share / IN_ALL;
}

uint64_t tern_bbr_loss_floor(const struct tern_bbr *bbr)
{
    uint64_t least = UINT64_MAX;
    for (size_t i = 0; i < TERN_BBR_FLOORS; i++) {
        least = TERN_MIN(least, bbr->loss_floor[i]);
    }
    return least;
}

/* Integer square root by bisection of bits. */
static uint64_t square_root(uint64_t value)
{
    uint64_t root = 0;
    for (int bit = 31; bit >= 0; bit--) {
        uint64_t candidate = root | UINT64_C(1) << bit;
        if (candidate <= value / candidate) {
            root = candidate;
        }
    }
    return root;
}

/* What may be lost of so much if the path loses `floor` of all: LossThresh, and what the floor
 * explains: its expectation and some deviations, for losses are counted by the datagram and few of them
 * vary much. The deviation of n losses is their root; in bytes, the root of bytes times datagrams. */
static uint64_t allowance_over(const struct tern_cc *cc, uint64_t floor, uint64_t sent)
{
    uint64_t allowed = share_of(sent, TERN_BBR_LOSS_THRESHOLD * (IN_ALL / 100));
    uint64_t noise = share_of(sent, floor);
    return allowed + noise + DEVIATIONS * square_root(noise * cc->datagram);
}

static uint64_t allowance(const struct tern_cc *cc, uint64_t sent)
{
    uint64_t floor = tern_bbr_loss_floor(tern_bbr_in(cc));
    return allowance_over(cc, floor == UINT64_MAX ? 0 : floor, sent);
}

/* IsInflightTooHigh */
bool tern_bbr_is_too_high(const struct tern_cc *cc, uint64_t lost, uint64_t sent)
{
    return lost > allowance(cc, sent);
}

uint64_t tern_bbr_sure_noise(const struct tern_cc *cc, uint64_t rate)
{
    const struct tern_bbr *bbr = tern_bbr_in(cc);
    uint64_t floor = tern_bbr_loss_floor(bbr);
    uint64_t round = tern_bbr_bdp(bbr, bbr->bw, 100);
    if (floor == 0 || floor == UINT64_MAX || round == 0) {
        return 0;
    }
    uint64_t noise = share_of(round, floor);
    uint64_t luck = LUCK * square_root(noise * cc->datagram);
    uint64_t sure = tern_sub_sat(noise, luck) * IN_ALL / round;
    return share_of(rate, sure * IN_ALL / (IN_ALL - sure));
}

/* The draft takes what was in flight at the beginning. But a sender that was held up, by its
 * application or by flow control, begins with little in flight and has the losses of all that it sent
 * before. */
static uint64_t sent_since(uint64_t in_flight, uint64_t delivered, uint64_t lost)
{
    return TERN_MAX(in_flight, delivered + lost);
}

uint64_t tern_bbr_sent_in(const struct tern_rate_sample *sample)
{
    return sent_since(sample->in_flight_at_send, sample->delivered, sample->lost);
}

/* --- the floor -------------------------------------------------------------------------------- */

static void note_floor(struct tern_bbr *bbr, uint64_t floor)
{
    for (size_t i = TERN_BBR_FLOORS - 1; i > 0; i--) {
        bbr->loss_floor[i] = bbr->loss_floor[i - 1];
    }
    bbr->loss_floor[0] = TERN_MIN(floor, (uint64_t)FLOOR_MAX);
}

/* Was the loss that ended Startup or Up nothing but the floor that is known now? Then it is taken
 * back, as HandleSpuriousLossDetection does for losses that were none. Startup sees few packets when
 * it ends early without a queue, so it gets the benefit of three times the allowance: should it be
 * guilty after all, it ends again at once, by the threshold that holds then. */
static void review_verdict(struct tern_cc *cc)
{
    struct tern_bbr *bbr = tern_bbr_of(cc);
    if (!bbr->has_verdict) {
        return;
    }
    bbr->has_verdict = false;
    if (tern_bbr_is_too_high(cc, bbr->verdict_lost / (bbr->was_growing ? BENEFIT : 1),
                             bbr->verdict_sent)) {
        return;
    }
    bbr->prev_probe_too_high = false;
    bbr->inflight_longterm = TERN_MAX(bbr->inflight_longterm, bbr->verdict_longterm);
    if (bbr->was_growing) { /* Startup had not found the end yet */
        tern_bbr_reset_shortterm(bbr);
        tern_bbr_reset_full_bw(bbr);
        bbr->is_full_bw_reached = false;
        bbr->phase = TERN_BBR_STARTUP;
    }
}

/* A queue, ours or another's, of a `part`-th of the least round trip: what is lost now may be lost for
 * want of room in it. A datagram's own time on the wire is none, for the least round trip may have
 * been that of a small one. */
static bool has_queue(const struct tern_cc *cc, tern_time rtt, tern_time part)
{
    const struct tern_bbr *bbr = tern_bbr_in(cc);
    uint64_t bw = TERN_MAX(tern_bbr_max_bw(bbr), (uint64_t)1);
    tern_time slack = TERN_MAX(bbr->min_rtt / part, TERN_RTT_GRANULARITY);
    slack = TERN_MAX(slack, cc->datagram * (TERN_SEC / 4 * 5) / bw);
    return rtt > tern_add_sat(bbr->min_rtt, slack);
}

/* One more round is over. True: the figure is good enough. */
static bool count_floor(struct tern_cc *cc, const struct tern_rate *rate)
{
    struct tern_bbr *bbr = tern_bbr_of(cc);
    uint32_t rounds = bbr->watch_rounds++ - 1;
    uint64_t lost = tern_sub_sat(rate->lost, bbr->watch_lost);
    uint64_t sent = rate->delivered - bbr->watch_delivered + lost;
    bool is_clear =
        lost >= FLOOR_SAMPLES * (uint64_t)cc->datagram || lost <= share_of(sent, FLOOR_NONE);
    if (rounds < FLOOR_ROUNDS_MIN || (rounds < FLOOR_ROUNDS_MAX && !is_clear)) {
        return false;
    }
    bbr->watch_rounds = 0;
    bbr->floor_lost = rate->lost;
    if (bbr->loss_floor[0] == UINT64_MAX) { /* what lowered them was judged without a floor */
        tern_bbr_reset_shortterm(bbr);
    }
    bool is_noise = sent > 0 && !has_queue(cc, bbr->watch_rtt, QUEUE_FLOOR);
    note_floor(bbr, is_noise ? lost * IN_ALL / sent : 0);
    review_verdict(cc);
    return true;
}

bool tern_bbr_watch_floor(struct tern_cc *cc, const struct tern_cc_ack *ack)
{
    struct tern_bbr *bbr = tern_bbr_of(cc);
    if (bbr->watch_rounds == 0 && ack->rate->lost == bbr->floor_lost) {
        note_floor(bbr, 0); /* nothing was lost in this cycle */
        return true;
    }
    if (bbr->watch_rounds == 0) {
        tern_bbr_begin_round(bbr, ack->rate->delivered);
        bbr->watch_rounds = 1;
        return false;
    }
    if (ack->rtt_sample > 0) {
        bbr->watch_rtt = TERN_MIN(bbr->watch_rtt, ack->rtt_sample);
    }
    if (!bbr->is_round_start) {
        return false;
    }
    if (bbr->watch_rounds > 1) {
        return count_floor(cc, ack->rate);
    }
    bbr->watch_rounds = 2;
    bbr->watch_lost = ack->rate->lost;
    bbr->watch_delivered = ack->rate->delivered;
    bbr->watch_rtt = TERN_TIME_NEVER;
    return false;
}

/* --- bounds ----------------------------------------------------------------------------------- */

/* AdaptLowerBoundsFromCongestion, for rounds that lost more than a probe may. The draft takes every
 * round with a loss: under steady noise the bounds then shrink by the loss rate each round, and in
 * Down, where less is sent than the path carries, by Down's own tenth. But loss below the threshold is
 * what the probes accept; and of one lost datagram no rate can be told. Nor can it of what was sent in
 * ProbeRTT: half a window loses nothing of ours, and delivers half. */
void tern_bbr_adapt_shortterm(struct tern_cc *cc, const struct tern_rate_sample *sample)
{
    struct tern_bbr *bbr = tern_bbr_of(cc);
    bool is_probing = bbr->phase == TERN_BBR_STARTUP || bbr->phase == TERN_BBR_REFILL ||
                      bbr->phase == TERN_BBR_UP;
    bool is_halved = sample->prior_delivered < bbr->limited_until;
    bool is_noise = sample->lost <= cc->datagram ||
                    !tern_bbr_is_too_high(cc, sample->lost, tern_bbr_sent_in(sample));
    if (is_probing || is_halved || !bbr->is_loss_in_round || (is_noise && !bbr->is_ecn_in_round)) {
        return;
    }
    if (bbr->bw_shortterm == UINT64_MAX) {
        bbr->bw_shortterm = tern_bbr_max_bw(bbr);
    }
    if (bbr->inflight_shortterm == UINT64_MAX) {
        bbr->inflight_shortterm = cc->cwnd;
    }
    bbr->bw_shortterm = TERN_MAX(bbr->bw_latest, tern_bbr_scale(bbr->bw_shortterm, TERN_BBR_BETA));
    bbr->inflight_shortterm =
        TERN_MAX(bbr->inflight_latest, tern_bbr_scale(bbr->inflight_shortterm, TERN_BBR_BETA));
}

static void note_verdict(struct tern_bbr *bbr, uint64_t lost, uint64_t sent)
{
    bbr->has_verdict = bbr->left_by_loss = true;
    bbr->undo_phase = bbr->phase;
    bbr->was_growing = false;
    bbr->verdict_lost = lost;
    bbr->verdict_sent = sent;
    bbr->verdict_longterm = bbr->inflight_longterm;
}

/* Startup doubles what it sends each round: at the end of the pipe it loses much of it at once, or its
 * rate grows no more. What is less than the floor may be, while the rate still grows or the
 * application holds it back and no queue shows, is more likely the path's noise. */
static bool may_be_noise(const struct tern_cc *cc, const struct tern_cc_ack *ack)
{
    const struct tern_bbr *bbr = tern_bbr_in(cc);
    bool goes_on = tern_bbr_is_limited_sample(bbr, ack) ||
                   bbr->bw_latest >= tern_bbr_scale(bbr->startup_bw, TERN_BBR_FULL_GROWTH);
    return goes_on && !has_queue(cc, ack->rtt_sample, QUEUE_STARTUP) &&
           ack->sample->lost <= allowance_over(cc, FLOOR_MAX, tern_bbr_sent_in(ack->sample));
}

/* CheckStartupHighLoss; a marked round says the same in one word. */
void tern_bbr_check_startup_loss(struct tern_cc *cc, const struct tern_cc_ack *ack, bool was_marked)
{
    struct tern_bbr *bbr = tern_bbr_of(cc);
    const struct tern_rate_sample *sample = ack->sample;
    if (!bbr->is_loss_round_start) {
        return;
    }
    bool is_lossy = bbr->loss_events >= FULL_LOSS_EVENTS &&
                    tern_bbr_is_too_high(cc, sample->lost, tern_bbr_sent_in(sample)) &&
                    !may_be_noise(cc, ack);
    bbr->loss_events = 0;
    bbr->startup_bw = bbr->bw_latest;
    if (is_lossy || was_marked) {
        note_verdict(bbr, sample->lost, tern_bbr_sent_in(sample));
        bbr->has_verdict = !was_marked; /* a mark is never noise */
        bbr->was_growing = !has_queue(cc, ack->rtt_sample, QUEUE_STARTUP);
        bbr->is_full_bw_reached = true;
        if (bbr->resume_rate > 0) {
            tern_bbr_retreat(cc, ack->rate->delivered);
        }
        bbr->max_bw[1] = TERN_MAX(bbr->max_bw[1], bbr->train_seen);
        bbr->inflight_longterm = tern_bbr_bdp(bbr, tern_bbr_max_bw(bbr), 100);
        /* Trains fill others' part of the queue before those can react. */
        if (bbr->train_rate == 0 && bbr->tainted_until == 0) {
            bbr->inflight_longterm = TERN_MAX(bbr->inflight_longterm, bbr->inflight_latest);
        } else {
            bbr->has_retreated = true;
        }
    }
}

static uint64_t sent_for(const struct tern_cc_loss *loss)
{
    return sent_since(loss->tx_in_flight, loss->delivered_since_sent, loss->lost_since_sent);
}

/* HandleInflightTooHigh */
static void lower_bound(struct tern_cc *cc, uint64_t in_flight, const struct tern_cc_loss *loss,
                        tern_time now)
{
    struct tern_bbr *bbr = tern_bbr_of(cc);
    note_verdict(bbr, loss->lost_since_sent, sent_for(loss));
    bbr->has_verdict = !loss->is_ecn;
    bbr->left_by_loss = bbr->phase == TERN_BBR_UP;
    bbr->prev_probe_too_high = true;
    bbr->is_sampling_probe = false; /* react once a probe */
    if (loss->rate->app_limited_until == 0) {
        uint64_t target = TERN_MIN(tern_bbr_bdp(bbr, bbr->bw, 100), cc->cwnd);
        bbr->inflight_longterm = TERN_MAX(in_flight, tern_bbr_scale(target, TERN_BBR_BETA));
    }
    if (bbr->phase == TERN_BBR_UP) {
        tern_bbr_begin_down(cc, loss->rate->delivered, now);
    }
}

/* InflightAtLoss: how much was in flight when the losses crossed the threshold, if they came one
 * after the other: solves (lost_prev + x) / (prev + x) = threshold for x. */
static uint64_t in_flight_at_loss(const struct tern_cc *cc, const struct tern_cc_loss *loss)
{
    uint64_t size = cc->datagram;
    uint64_t prev = tern_sub_sat(loss->tx_in_flight, size);
    uint64_t lost_prev = tern_sub_sat(loss->lost_since_sent, size);
    return prev +
           tern_sub_sat(allowance(cc, prev), lost_prev) / (100 - TERN_BBR_LOSS_THRESHOLD) * 100;
}

/* NoteLoss and SaveStateUponLoss */
static void note_loss(struct tern_cc *cc, const struct tern_cc_loss *loss)
{
    struct tern_bbr *bbr = tern_bbr_of(cc);
    if (!bbr->is_loss_in_round) {
        bool is_small = bbr->phase == TERN_BBR_PROBE_RTT;
        bbr->prior_cwnd = is_small ? TERN_MAX(bbr->prior_cwnd, cc->cwnd) : cc->cwnd;
        bbr->loss_round_delivered = loss->rate->delivered;
        bbr->has_undo = true;
        bbr->left_by_loss = false;
        bbr->undo_bw_shortterm = bbr->bw_shortterm;
        bbr->undo_inflight_shortterm = bbr->inflight_shortterm;
        bbr->undo_inflight_longterm = bbr->inflight_longterm;
    }
    bbr->is_loss_in_round = true;
    bbr->is_ecn_in_round = bbr->is_ecn_in_round || loss->is_ecn;
    bbr->loss_events += loss->is_ecn ? 0 : 1;
}

/* HandleLostPacket */
void tern_bbr_note_loss(struct tern_cc *cc, const struct tern_cc_loss *loss, tern_time now)
{
    struct tern_bbr *bbr = tern_bbr_of(cc);
    note_loss(cc, loss);
    if (!bbr->is_sampling_probe) {
        return;
    }
    if (loss->is_ecn) {
        lower_bound(cc, loss->prior_in_flight, loss, now);
    } else if (tern_bbr_is_too_high(cc, loss->lost_since_sent, sent_for(loss))) {
        lower_bound(cc, in_flight_at_loss(cc, loss), loss, now);
    }
}

/* HandleSpuriousLossDetection */
void tern_bbr_undo_loss(struct tern_cc *cc)
{
    struct tern_bbr *bbr = tern_bbr_of(cc);
    if (!bbr->has_undo) {
        return;
    }
    bool was_probing = bbr->left_by_loss && bbr->phase != bbr->undo_phase;
    bbr->has_undo = bbr->left_by_loss = bbr->has_verdict = bbr->is_loss_in_round = false;
    cc->cwnd = TERN_MAX(cc->cwnd, bbr->prior_cwnd);
    tern_bbr_reset_full_bw(bbr);
    bbr->bw_shortterm = TERN_MAX(bbr->bw_shortterm, bbr->undo_bw_shortterm);
    bbr->inflight_shortterm = TERN_MAX(bbr->inflight_shortterm, bbr->undo_inflight_shortterm);
    bbr->inflight_longterm = TERN_MAX(bbr->inflight_longterm, bbr->undo_inflight_longterm);
    if (was_probing && bbr->undo_phase == TERN_BBR_STARTUP) {
        bbr->is_full_bw_reached = false;
        bbr->phase = bbr->phase == TERN_BBR_PROBE_RTT ? bbr->phase : TERN_BBR_STARTUP;
    } else if (was_probing && bbr->phase != TERN_BBR_PROBE_RTT) {
        tern_bbr_begin_refill(bbr, bbr->next_round_delivered);
    }
}
