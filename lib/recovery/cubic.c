/* CUBIC: RFC 9438, with HyStart++ for slow start. Integers only, so that every machine agrees.
 * SPDX-License-Identifier: MIT */
#include "recovery/cc.h"
#include "recovery/hystart.h"

/* RFC 9438 §4.1, §4.6: C = 0.4 segments a cubic second, beta = 0.7. */
#define BETA_NUM 7
#define BETA_DEN 10
#define T_MAX_MS 100000 /* keeps the cube inside 64 bits; the window is huge by then */

/* What a reduction changes, kept so that it can be taken back. */
struct cubic_before {
    uint64_t cwnd, ssthresh, w_max, w_est, cwnd_prior, k_ms;
    tern_time epoch_start;
};

struct cubic {
    uint64_t w_max;        /* window before the last reduction */
    uint64_t w_est;        /* what Reno would have by now, §4.3 */
    uint64_t est_acked;    /* towards the next datagram of w_est */
    uint64_t cwnd_acked;   /* towards the next datagram of cwnd */
    uint64_t cwnd_prior;   /* before the last reduction, for w_est's slope */
    tern_time epoch_start; /* 0: none */
    tern_time idle_since;  /* start of the present application-limited time; 0: not */
    tern_time acked_at;
    uint64_t k_ms;
    struct tern_hystart hystart;
    struct cubic_before before;
};

static_assert(sizeof(struct cubic) <= sizeof(((struct tern_cc_state *)0)->own), "state fits");

static struct cubic *cubic_of(struct tern_cc *cc)
{
    return (struct cubic *)(void *)cc->state->own;
}

/* Integer cube root by bisection of bits. */
static uint64_t cube_root(uint64_t value)
{
    uint64_t root = 0;
    for (int bit = 20; bit >= 0; bit--) {
        uint64_t candidate = root | UINT64_C(1) << bit;
        if (candidate * candidate * candidate <= value) {
            root = candidate;
        }
    }
    return root;
}

static void cubic_init(struct tern_cc *cc, tern_time now)
{
    struct cubic *state = cubic_of(cc);
    (void)now;
    memset(cc->state->own, 0, sizeof cc->state->own);
    tern_hystart_init(&state->hystart);
}

static void cubic_on_sent(struct tern_cc *cc, size_t bytes, const struct tern_rate *rate,
                          tern_time now)
{
    struct cubic *state = cubic_of(cc);
    (void)rate;
    /* §4.2: time without use does not count. The epoch moves on by the length of the pause. A pause
     * may also begin with the one ACK that answers a full window: nothing was app-limited then. */
    if (state->idle_since == 0 && cc->bytes_in_flight <= bytes) {
        state->idle_since = state->acked_at;
    }
    if (state->idle_since > 0) {
        if (state->epoch_start > 0) {
            state->epoch_start += tern_sub_sat(now, state->idle_since);
        }
        state->idle_since = 0;
    }
}

static void begin_epoch(struct tern_cc *cc, tern_time now)
{
    struct cubic *state = cubic_of(cc);
    state->epoch_start = TERN_MAX(now, (tern_time)1);
    state->cwnd_acked = state->est_acked = 0;
    state->w_est = cc->cwnd;
    if (state->w_max <= cc->cwnd) {
        state->w_max = cc->cwnd;
        state->k_ms = 0;
        return;
    }
    /* K = cbrt((W_max - cwnd) / C), §4.2: in milliseconds and datagrams. */
    uint64_t gap = TERN_MIN(state->w_max - cc->cwnd, UINT64_C(1) << 31);
    state->k_ms = cube_root(gap * UINT64_C(2500000000) / cc->datagram);
}

/* W_cubic(t), §4.2. */
static uint64_t w_cubic(const struct cubic *state, uint64_t t_ms, size_t datagram)
{
    bool is_below = t_ms < state->k_ms;
    uint64_t d = is_below ? state->k_ms - t_ms : t_ms - state->k_ms;
    d = TERN_MIN(d, (uint64_t)T_MAX_MS);
    uint64_t cube = d * d * d / 1000 * 4 / 10 * datagram / 1000000;
    return is_below ? tern_sub_sat(state->w_max, cube) : state->w_max + cube;
}

/* §4.3: alpha is 3 (1 - beta) / (1 + beta) = 9/17 until the old window is reached again, then 1. */
static void grow_reno(struct tern_cc *cc, uint64_t acked)
{
    struct cubic *state = cubic_of(cc);
    bool is_slow = state->w_est < state->cwnd_prior;
    state->est_acked += is_slow ? acked * 9 / 17 : acked;
    if (state->est_acked >= cc->cwnd) {
        state->est_acked -= cc->cwnd;
        state->w_est += cc->datagram;
    }
}

static void avoid_congestion(struct tern_cc *cc, const struct tern_cc_ack *ack, tern_time now)
{
    struct cubic *state = cubic_of(cc);
    if (state->epoch_start == 0) {
        begin_epoch(cc, now);
    }
    tern_time t = tern_sub_sat(now, state->epoch_start) + ack->rtt->smoothed;
    uint64_t target = w_cubic(state, t / TERN_MSEC, cc->datagram);
    target = TERN_MAX(cc->cwnd, TERN_MIN(target, cc->cwnd + cc->cwnd / 2)); /* §4.2 */
    grow_reno(cc, ack->acked_bytes);
    if (w_cubic(state, tern_sub_sat(now, state->epoch_start) / TERN_MSEC, cc->datagram) <
        state->w_est) {
        cc->cwnd = TERN_MAX(cc->cwnd, state->w_est); /* §4.3: the Reno-friendly region */
        return;
    }
    /* §4.4: (target - cwnd) / cwnd for each datagram acknowledged. */
    state->cwnd_acked += ack->acked_bytes * ((target - cc->cwnd) / cc->datagram) +
                         ack->acked_bytes * ((target - cc->cwnd) % cc->datagram) / cc->datagram;
    if (state->cwnd_acked >= cc->cwnd) {
        uint64_t datagrams = state->cwnd_acked / cc->cwnd;
        state->cwnd_acked -= datagrams * cc->cwnd;
        cc->cwnd += datagrams * cc->datagram;
    }
}

static void cubic_on_ack(struct tern_cc *cc, const struct tern_cc_ack *ack, tern_time now)
{
    struct cubic *state = cubic_of(cc);
    state->acked_at = now;
    if (!tern_cc_is_window_used(cc)) { /* RFC 9002 §7.8; the epoch stands still */
        state->idle_since = state->idle_since == 0 ? now : state->idle_since;
        return;
    }
    if (cc->recovery_start > 0 && ack->largest_sent_at <= cc->recovery_start) {
        return;
    }
    if (cc->cwnd >= cc->ssthresh) {
        avoid_congestion(cc, ack, now);
        return;
    }
    bool is_over =
        tern_hystart_on_ack(&state->hystart, ack->rtt_sample, ack->largest_pn, ack->next_pn);
    tern_cc_grow(cc, tern_hystart_growth(&state->hystart, ack->acked_bytes));
    if (is_over) {
        cc->ssthresh = cc->cwnd;
        state->w_max = cc->cwnd;
    }
}

static void reduce(struct tern_cc *cc, tern_time now)
{
    struct cubic *state = cubic_of(cc);
    state->before = (struct cubic_before){.cwnd = cc->cwnd,
                                          .ssthresh = cc->ssthresh,
                                          .w_max = state->w_max,
                                          .w_est = state->w_est,
                                          .cwnd_prior = state->cwnd_prior,
                                          .k_ms = state->k_ms,
                                          .epoch_start = state->epoch_start};
    state->cwnd_prior = cc->cwnd;
    /* §4.7: fast convergence: a flow that lost before it was back where it had been makes room. */
    state->w_max =
        cc->cwnd < state->w_max ? cc->cwnd * (BETA_DEN + BETA_NUM) / (2 * BETA_DEN) : cc->cwnd;
    state->epoch_start = 0;
    cc->ssthresh = TERN_MAX(cc->cwnd * BETA_NUM / BETA_DEN, tern_cc_min_window(cc));
    cc->cwnd = cc->ssthresh;
    cc->recovery_start = TERN_MAX(now, (tern_time)1);
}

static void cubic_on_loss(struct tern_cc *cc, const struct tern_cc_loss *loss, tern_time now)
{
    if (cc->recovery_start == 0 || loss->latest_sent_at > cc->recovery_start) {
        reduce(cc, now); /* once a round trip */
    }
    if (loss->persistent) {
        cc->cwnd = tern_cc_min_window(cc);
        cc->recovery_start = TERN_MAX(now, (tern_time)1);
        cubic_of(cc)->epoch_start = 0;
        tern_hystart_init(&cubic_of(cc)->hystart);
    }
}

/* RFC 9438 §4.9.1: what the reduction changed is restored; the epoch goes on where it was. */
static void cubic_on_spurious(struct tern_cc *cc, tern_time now)
{
    struct cubic *state = cubic_of(cc);
    const struct cubic_before *before = &state->before;
    (void)now;
    if (cc->cwnd >= before->cwnd) {
        return; /* §4.9.1: it has grown back by itself */
    }
    cc->cwnd = before->cwnd;
    cc->ssthresh = before->ssthresh;
    cc->recovery_start = 0;
    state->w_max = before->w_max;
    state->w_est = before->w_est;
    state->cwnd_prior = before->cwnd_prior;
    state->k_ms = before->k_ms;
    state->epoch_start = before->epoch_start;
}

static uint64_t cubic_pacing_rate(const struct tern_cc *cc, const struct tern_rtt *rtt)
{
    uint64_t gain = cc->cwnd < cc->ssthresh ? 200 : 125; /* RFC 9002 §7.7 */
    return tern_cc_rate_of(cc->cwnd * gain / 100, rtt->smoothed);
}

const struct tern_cc_ops tern_cc_cubic = {
    .name = "cubic",
    .init = cubic_init,
    .on_sent = cubic_on_sent,
    .on_ack = cubic_on_ack,
    .on_loss = cubic_on_loss,
    .on_spurious = cubic_on_spurious,
    .pacing_rate = cubic_pacing_rate,
};
