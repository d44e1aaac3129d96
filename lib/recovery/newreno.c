/* NewReno: RFC 9002 section 7.3, the reference to which others are compared.
 * SPDX-License-Identifier: MIT */
#include "recovery/cc.h"

struct newreno {
    uint64_t acked; /* bytes acknowledged towards the next datagram of growth */
    uint64_t prior_cwnd, prior_ssthresh; /* before the last reduction */
};

static_assert(sizeof(struct newreno) <= sizeof(((struct tern_cc_state *)0)->own), "state fits");

static struct newreno *newreno_of(struct tern_cc *cc)
{
    return (struct newreno *)(void *)cc->state->own;
}

static void newreno_init(struct tern_cc *cc, tern_time now)
{
    (void)now;
    memset(cc->state->own, 0, sizeof cc->state->own);
    newreno_of(cc)->prior_cwnd = cc->cwnd;
    newreno_of(cc)->prior_ssthresh = cc->ssthresh;
}

static void newreno_on_sent(struct tern_cc *cc, size_t bytes, const struct tern_rate *rate,
                            tern_time now)
{
    (void)cc;
    (void)bytes;
    (void)rate;
    (void)now;
}

static void newreno_on_ack(struct tern_cc *cc, const struct tern_cc_ack *ack, tern_time now)
{
    struct newreno *state = newreno_of(cc);
    (void)now;
    if (!tern_cc_is_window_used(cc) ||
        (cc->recovery_start > 0 && ack->largest_sent_at <= cc->recovery_start)) {
        return;
    }
    if (cc->cwnd < cc->ssthresh) {
        tern_cc_grow(cc, ack->acked_bytes);
        return;
    }
    state->acked += ack->acked_bytes;
    if (state->acked >= cc->cwnd) {
        state->acked -= cc->cwnd;
        cc->cwnd += cc->datagram;
    }
}

static void newreno_on_loss(struct tern_cc *cc, const struct tern_cc_loss *loss, tern_time now)
{
    /* RFC 9002 §7.3.2: once a round trip */
    if (cc->recovery_start == 0 || loss->latest_sent_at > cc->recovery_start) {
        newreno_of(cc)->prior_cwnd = cc->cwnd;
        newreno_of(cc)->prior_ssthresh = cc->ssthresh;
        cc->recovery_start = TERN_MAX(now, (tern_time)1);
        cc->ssthresh = TERN_MAX(cc->cwnd / 2, tern_cc_min_window(cc));
        cc->cwnd = cc->ssthresh;
        newreno_of(cc)->acked = 0;
    }
    if (loss->persistent) { /* RFC 9002 §7.6.2; slow start as far as the threshold follows */
        cc->cwnd = tern_cc_min_window(cc);
        cc->recovery_start = TERN_MAX(now, (tern_time)1);
    }
}

/* Nothing was lost: back to where it was (RFC 4015 §3.2). */
static void newreno_on_spurious(struct tern_cc *cc, tern_time now)
{
    const struct newreno *state = newreno_of(cc);
    (void)now;
    cc->cwnd = TERN_MAX(cc->cwnd, state->prior_cwnd);
    cc->ssthresh = state->prior_ssthresh;
    cc->recovery_start = 0;
}

static uint64_t newreno_pacing_rate(const struct tern_cc *cc, const struct tern_rtt *rtt)
{
    /* RFC 9002 §7.7: a little above the window's own pace, twice in slow start. */
    uint64_t gain = cc->cwnd < cc->ssthresh ? 200 : 125;
    return tern_cc_rate_of(cc->cwnd * gain / 100, rtt->smoothed);
}

const struct tern_cc_ops tern_cc_newreno = {
    .name = "newreno",
    .init = newreno_init,
    .on_sent = newreno_on_sent,
    .on_ack = newreno_on_ack,
    .on_loss = newreno_on_loss,
    .on_spurious = newreno_on_spurious,
    .pacing_rate = newreno_pacing_rate,
};
