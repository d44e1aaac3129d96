/* Prague: answers congestion marks in proportion, so that a queue of a millisecond is enough for it.
 * draft-briscoe-iccrg-prague-congestion-control, after DCTCP (RFC 8257); RFC 9331 §4 says what such a
 * controller must do for its ECT(1). Integers only, so that every machine agrees.
 *
 * Where marks do not come through there are none to answer, and what is left is Reno.
 * SPDX-License-Identifier: MIT */
#include "recovery/cc.h"
#include "recovery/hystart.h"

#define ONE         (UINT64_C(1) << 20)
#define GAIN_SHIFT  4                /* g = 1/16: RFC 8257 §3.3 */
#define VIRTUAL_RTT (25 * TERN_MSEC) /* below it all flows grow alike: RFC 9331 §4.3 */
#define SCALE       1024

/* RFC 9331 §4.3: marks that come while a round trip is longer by this all the time are not those of a
 * short queue; after so many answers in proportion they are answered as anybody would. */
#define CLASSIC_QUEUE   (3 * TERN_MSEC)
#define CLASSIC_ANSWERS 4
#define CLASSIC_MOST    8

struct prague {
    uint64_t alpha;         /* of ONE: the smoothed share of marked packets */
    bool has_alpha;         /* a mark has come, ever */
    uint64_t acked, marked; /* packets of this round, for alpha */
    uint64_t round_end;
    tern_time round_at;
    bool is_marking;    /* the round before had marks acknowledged: ECN works here */
    uint64_t credit;    /* towards the next bytes of growth */
    tern_time cut_at;   /* the last answer to marks; 0: none */
    tern_time smoothed; /* the round trip */
    tern_time least;    /* of this round; 0: no sample */
    tern_time queue;    /* how much longer the last round was, at least, than the shortest of all */
    unsigned classic;   /* answers to marks that a long queue made, less those of a short one */
    struct tern_hystart hystart;
    uint64_t prior_cwnd, prior_ssthresh; /* before the last loss */
};

static_assert(sizeof(struct prague) <= sizeof(((struct tern_cc_state *)0)->own), "state fits");

static struct prague *prague_of(struct tern_cc *cc)
{
    return (struct prague *)(void *)cc->state->own;
}

static void prague_init(struct tern_cc *cc, tern_time now)
{
    struct prague *state = prague_of(cc);
    memset(cc->state->own, 0, sizeof cc->state->own);
    state->round_at = now;
    state->prior_cwnd = cc->cwnd;
    state->prior_ssthresh = cc->ssthresh;
    tern_hystart_init(&state->hystart);
}

static void prague_on_sent(struct tern_cc *cc, size_t bytes, const struct tern_rate *rate,
                           tern_time now)
{
    (void)cc;
    (void)bytes;
    (void)rate;
    (void)now;
}

/* What is done once a round trip is done as if it were no shorter than this. Without marks we are Reno,
 * in a queue where everybody's pace is that of his round trip. */
static tern_time virtual_trip(const struct prague *state)
{
    return state->is_marking ? TERN_MAX(state->smoothed, VIRTUAL_RTT) : state->smoothed;
}

/* Once a virtual round trip: alpha moves by a sixteenth towards what this round had. */
static void update_alpha(struct prague *state, const struct tern_cc_ack *ack, tern_time now)
{
    if (ack->rtt_sample > 0) {
        state->least = state->least > 0 ? TERN_MIN(state->least, ack->rtt_sample) : ack->rtt_sample;
    }
    state->acked += ack->ect;
    state->marked += ack->ce;
    if (ack->largest_pn < state->round_end || now < state->round_at + virtual_trip(state)) {
        return;
    }
    if (state->has_alpha && state->acked > 0) {
        uint64_t share = TERN_MIN(state->marked, state->acked) * ONE / state->acked;
        state->alpha = state->alpha - (state->alpha >> GAIN_SHIFT) + (share >> GAIN_SHIFT);
    }
    state->queue = tern_sub_sat(state->least, ack->rtt->min);
    state->least = 0;
    state->is_marking = state->acked > 0;
    state->acked = state->marked = 0;
    state->round_end = ack->next_pn;
    state->round_at = now;
}

/* A datagram a round trip; on a short one less by the square of what it is short of the virtual one,
 * so that the rate grows as it would there. */
static void grow_window(struct tern_cc *cc, uint64_t acked)
{
    struct prague *state = prague_of(cc);
    uint64_t part = SCALE;
    if (state->smoothed < virtual_trip(state)) {
        uint64_t ratio = state->smoothed * SCALE / VIRTUAL_RTT;
        part = TERN_MAX(ratio * ratio / SCALE, UINT64_C(1));
    }
    state->credit += acked * cc->datagram * part / SCALE;
    cc->cwnd += state->credit / cc->cwnd;
    state->credit %= cc->cwnd;
}

static void prague_on_ack(struct tern_cc *cc, const struct tern_cc_ack *ack, tern_time now)
{
    struct prague *state = prague_of(cc);
    state->smoothed = ack->rtt->smoothed;
    update_alpha(state, ack, now);
    if (!tern_cc_is_window_used(cc) ||
        (cc->recovery_start > 0 && ack->largest_sent_at <= cc->recovery_start)) {
        return;
    }
    if (cc->cwnd >= cc->ssthresh) {
        /* marked packets do not make it grow */
        uint64_t all = TERN_MAX(ack->ect, UINT64_C(1));
        grow_window(cc, ack->acked_bytes / all * (all - TERN_MIN(ack->ce, all)) +
                            (ack->ce == 0 ? ack->acked_bytes % all : 0));
        return;
    }
    bool is_over =
        tern_hystart_on_ack(&state->hystart, ack->rtt_sample, ack->largest_pn, ack->next_pn);
    tern_cc_grow(cc, tern_hystart_growth(&state->hystart, ack->acked_bytes));
    cc->ssthresh = is_over ? cc->cwnd : cc->ssthresh;
}

/* A queue that is shared with others and marks as it would drop: to answer in proportion would leave
 * them nothing. */
static bool is_classic(const struct tern_cc *cc, struct prague *state)
{
    /* A slow link's queue, even if it is short. */
    tern_time two = 2 * cc->datagram * state->smoothed / cc->cwnd;
    if (state->queue > TERN_MAX(two, CLASSIC_QUEUE)) {
        state->classic = TERN_MIN(state->classic + 1, (unsigned)CLASSIC_MOST);
    } else if (state->classic > 0) {
        state->classic--;
    }
    return state->classic >= CLASSIC_ANSWERS;
}

/* By alpha / 2, once a virtual round trip. The first mark of all finds alpha unknown: by half, as
 * anybody would. */
static void answer_marks(struct tern_cc *cc, tern_time now)
{
    struct prague *state = prague_of(cc);
    if (state->cut_at > 0 && now < state->cut_at + virtual_trip(state)) {
        return;
    }
    if (!state->has_alpha) {
        state->has_alpha = state->is_marking = true;
        state->alpha = ONE;
    }
    state->cut_at = TERN_MAX(now, (tern_time)1);
    uint64_t alpha = is_classic(cc, state) ? ONE : state->alpha;
    uint64_t down = cc->cwnd * alpha / ONE / 2;
    cc->cwnd = TERN_MAX(cc->cwnd - down, tern_cc_min_window(cc));
    cc->ssthresh = cc->cwnd;
}

/* A loss is a loss, for everybody: RFC 9331 §4.3. */
static void answer_loss(struct tern_cc *cc, tern_time now)
{
    struct prague *state = prague_of(cc);
    state->prior_cwnd = cc->cwnd;
    state->prior_ssthresh = cc->ssthresh;
    cc->recovery_start = TERN_MAX(now, (tern_time)1);
    cc->ssthresh = TERN_MAX(cc->cwnd / 2, tern_cc_min_window(cc));
    cc->cwnd = cc->ssthresh;
    state->credit = 0;
}

static void prague_on_loss(struct tern_cc *cc, const struct tern_cc_loss *loss, tern_time now)
{
    bool is_new = cc->recovery_start == 0 || loss->latest_sent_at > cc->recovery_start;
    prague_of(cc)->smoothed = loss->rtt->smoothed;
    if (loss->is_ecn && is_new) {
        answer_marks(cc, now);
    } else if (is_new) {
        answer_loss(cc, now);
    }
    if (loss->persistent) {
        cc->cwnd = tern_cc_min_window(cc);
        cc->recovery_start = TERN_MAX(now, (tern_time)1);
        tern_hystart_init(&prague_of(cc)->hystart);
    }
}

static void prague_on_spurious(struct tern_cc *cc, tern_time now)
{
    const struct prague *state = prague_of(cc);
    (void)now;
    cc->cwnd = TERN_MAX(cc->cwnd, state->prior_cwnd);
    cc->ssthresh = state->prior_ssthresh;
    cc->recovery_start = 0;
}

/* Hardly above the window's own pace: what is sent faster than the path carries stands in its queue. */
static uint64_t prague_pacing_rate(const struct tern_cc *cc, const struct tern_rtt *rtt)
{
    uint64_t gain = cc->cwnd < cc->ssthresh ? 200 : 103;
    return tern_cc_rate_of(cc->cwnd * gain / 100, rtt->smoothed);
}

const struct tern_cc_ops tern_cc_prague = {
    .name = "prague",
    .is_scalable = true,
    .init = prague_init,
    .on_sent = prague_on_sent,
    .on_ack = prague_on_ack,
    .on_loss = prague_on_loss,
    .on_spurious = prague_on_spurious,
    .pacing_rate = prague_pacing_rate,
};
