/* A controller on the bench: a clock, a round trip and a rate sampler, and the calls in short form.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_TESTS_UNIT_RECOVERY_CC_KIT_H
#define TERN_TESTS_UNIT_RECOVERY_CC_KIT_H

#include "recovery/cc.h"

#define MDS 1200

struct bench {
    struct tern_cc cc;
    struct tern_cc_state state;
    struct tern_rtt rtt;
    struct tern_rate rate;
    tern_time now;
    uint64_t pn;
    bool is_limited; /* what is acknowledged had not filled the window */
};

static inline void bench_init(struct bench *b, const struct tern_cc_ops *ops)
{
    b->now = 3600 * TERN_SEC;
    b->pn = 0;
    b->is_limited = false;
    tern_rtt_init(&b->rtt, 100 * TERN_MSEC);
    tern_rtt_update(&b->rtt, 100 * TERN_MSEC, 0, b->now);
    tern_rate_init(&b->rate);
    tern_cc_init(&b->cc, &b->state, ops, MDS, b->now);
}

static inline void bench_send(struct bench *b, size_t bytes)
{
    tern_cc_on_sent(&b->cc, bytes, &b->rate, b->now);
}

/* Sends what the window allows, in datagrams. */
static inline void bench_fill(struct bench *b)
{
    while (tern_cc_room(&b->cc) >= MDS) {
        bench_send(b, MDS);
    }
}

static inline void bench_ack(struct bench *b, uint64_t bytes, tern_time sent_at, tern_time rtt)
{
    struct tern_rate_sample sample = {0};
    struct tern_cc_ack ack = {
        .acked_bytes = bytes,
        .largest_sent_at = sent_at,
        .largest_pn = b->pn,
        .prior_in_flight = b->cc.bytes_in_flight,
        .rtt = &b->rtt,
        .rtt_sample = rtt,
        .rate = &b->rate,
        .sample = &sample,
        .next_pn = b->pn + 1,
    };
    b->pn++;
    b->cc.state->use.peak[0] = b->cc.state->use.peak[1] = b->is_limited ? MDS : b->cc.cwnd;
    b->cc.state->use.was_full[0] = b->cc.state->use.was_full[1] = !b->is_limited;
    tern_cc_on_ack(&b->cc, &ack, b->now);
}

static inline void bench_lose(struct bench *b, uint64_t bytes, tern_time sent_at, bool persistent)
{
    struct tern_cc_loss loss = {
        .lost_bytes = bytes,
        .latest_sent_at = sent_at,
        .largest_pn = b->pn,
        .prior_in_flight = b->cc.bytes_in_flight,
        .persistent = persistent,
        .rtt = &b->rtt,
        .rate = &b->rate,
        .tx_in_flight = b->cc.bytes_in_flight,
        .lost_since_sent = bytes,
    };
    tern_cc_on_loss(&b->cc, &loss, b->now);
}

#endif
