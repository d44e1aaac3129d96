/* Congestion controllers on a path that the fuzzer owns: acknowledgements and losses of any packets at any
 * time, marks, changes of controller, datagram size and wishes. A window never falls below two datagrams,
 * never locks the sender out, and does not run away from what was ever in flight.
 *
 * Input: one byte (the controller, bit 7: from a memory of the path), then steps of a byte that says which,
 * and what it needs.
 * SPDX-License-Identifier: MIT */
#include "fuzz.h"
#include "recovery/cc.h"
#include "recovery/loss.h"
#include "recovery/pacer.h"

#define STEPS_MAX  600
#define BURST_MAX  64
#define WINDOW_MAX (UINT64_C(1) << 44)

struct world {
    struct fuzz_input in;
    struct tern_mem mem;
    struct tern_loss loss;
    struct tern_rtt rtt;
    struct tern_rate rate;
    struct tern_cc cc;
    struct tern_cc_state state;
    struct tern_pacer pacer;
    tern_time now;
    uint64_t peak;
};

static const char *const names[] = {"newreno", "cubic", "bbr", "ledbat", "media", "prague"};

static const struct tern_cc_ops *controller(uint8_t which)
{
    return tern_cc_find(names[which % TERN_COUNT_OF(names)]);
}

/* As many datagrams as the window allows, and `probes` that it does not. */
static void send(struct world *w, unsigned count, unsigned probes)
{
    for (unsigned i = 0; i < count && tern_sent_reserve(&w->loss.sent, 0) == 0; i++) {
        size_t size = w->cc.datagram;
        if (tern_cc_room(&w->cc) < size && i >= probes) {
            break;
        }
        struct tern_sent_packet *packet = tern_sent_commit(
            &w->loss.sent, size, TERN_SENT_ELICITING | TERN_SENT_IN_FLIGHT, 0, 0, w->now);
        tern_rate_on_sent(&w->rate, packet, w->cc.bytes_in_flight, w->now);
        tern_cc_on_sent(&w->cc, size, &w->rate, w->now);
        tern_pacer_on_sent(&w->pacer, size, w->now);
        w->peak = TERN_MAX(w->peak, w->cc.bytes_in_flight);
    }
}

/* The application has nothing more to say, while it could. */
static void pause_app(struct world *w)
{
    if (tern_cc_room(&w->cc) >= w->cc.datagram) {
        tern_rate_on_app_limited(&w->rate, w->cc.bytes_in_flight);
    }
}

static void settle_lost(struct world *w, const struct tern_loss_outcome *outcome, uint64_t prior)
{
    struct tern_cc_loss loss = {.lost_bytes = outcome->lost_bytes,
                                .lost_packets = outcome->lost_packets,
                                .next_pn = w->loss.sent.next_pn,
                                .latest_sent_at = outcome->lost_latest_sent_at,
                                .largest_pn = outcome->lost_largest_pn,
                                .prior_in_flight = prior,
                                .persistent = outcome->persistent,
                                .rtt = &w->rtt,
                                .rate = &w->rate};
    const struct tern_sent_packet *packet;
    uint64_t pn;
    while ((packet = tern_loss_next_lost(&w->loss, &pn)) != NULL) {
        tern_rate_on_lost(&w->rate, packet);
        loss.tx_in_flight = packet->in_flight_before + packet->size;
        loss.lost_since_sent = tern_sub_sat(w->rate.lost, packet->lost_before);
        loss.delivered_since_sent = tern_sub_sat(w->rate.delivered, packet->delivered);
    }
    if (outcome->persistent) {
        tern_rtt_on_persistent(&w->rtt);
    }
    if (outcome->lost_packets > 0) {
        tern_cc_on_loss(&w->cc, &loss, w->now);
    }
}

static void settle_acked(struct world *w, const struct tern_loss_outcome *outcome, uint64_t prior,
                         tern_time delay, uint64_t marked)
{
    struct tern_rate_sample sample = {0};
    const struct tern_sent_packet *packet;
    uint64_t pn;
    while ((packet = tern_loss_next_acked(&w->loss, &pn)) != NULL) {
        if (packet->lost_at > 0) {
            tern_rate_on_spurious(&w->rate, packet);
            tern_cc_on_spurious(&w->cc, pn, packet->lost_at, w->now);
        }
        tern_rate_on_acked(&w->rate, packet, &sample, w->now);
    }
    tern_rate_finish(&w->rate, &sample, w->rtt.min);
    struct tern_cc_ack ack = {.acked_bytes = outcome->acked_bytes,
                              .largest_sent_at = outcome->largest_acked_sent_at,
                              .largest_pn = outcome->largest_acked_pn,
                              .prior_in_flight = prior,
                              .lost_bytes = outcome->lost_bytes,
                              .rtt = &w->rtt,
                              .rtt_sample = outcome->rtt_sample,
                              .delay = delay,
                              .rate = &w->rate,
                              .sample = &sample,
                              .next_pn = w->loss.sent.next_pn,
                              .ect = outcome->acked_packets,
                              .ce = marked};
    if (outcome->acked_bytes > 0) {
        tern_cc_on_ack(&w->cc, &ack, w->now);
    }
}

static uint64_t mark(struct world *w, const struct tern_loss_outcome *outcome, uint64_t prior,
                     uint8_t what)
{
    struct tern_cc_loss loss = {.is_ecn = true,
                                .next_pn = w->loss.sent.next_pn,
                                .latest_sent_at = outcome->largest_acked_sent_at,
                                .largest_pn = outcome->largest_acked_pn,
                                .prior_in_flight = prior,
                                .rtt = &w->rtt,
                                .rate = &w->rate};
    if ((what & 0xc0) != 0xc0 || outcome->acked_packets == 0) {
        return 0;
    }
    tern_cc_on_loss(&w->cc, &loss, w->now);
    return 1 + (outcome->acked_packets - 1) * (what >> 3 & 7) / 7;
}

/* In the order of conn/recover.c: so many of the oldest that are out, or around the newest, are
 * acknowledged. */
static void ack(struct world *w, uint8_t what)
{
    struct tern_loss_outcome outcome = {0};
    uint64_t prior = w->cc.bytes_in_flight, from = fuzz_u8(&w->in), len = fuzz_u8(&w->in);
    tern_time delay = (what & 0x20) != 0 ? (tern_time)len * TERN_MSEC : 0;
    uint64_t first = w->loss.oldest + (what & 0x10 ? from * 8 : from % 4);
    uint64_t last = first + len;
    if (first >= w->loss.sent.next_pn) {
        return;
    }
    last = TERN_MIN(last, w->loss.sent.next_pn - 1);
    FUZZ_CHECK(tern_loss_ack_begin(&w->loss, last) == 0);
    first = tern_sub_sat(first, (what & 8) != 0 ? 20 : 0); /* with some that were given up */
    FUZZ_CHECK(tern_loss_ack_range(&w->loss, first, last, &outcome) == 0);
    tern_loss_ack_finish(&w->loss, &outcome, w->now);
    if (outcome.rtt_sample > 0) {
        tern_rtt_update(&w->rtt, outcome.rtt_sample, delay, w->now);
    }
    tern_loss_detect(&w->loss, &w->rtt, tern_rtt_pto(&w->rtt, 0), &outcome, w->now);
    settle_lost(w, &outcome, prior);
    uint64_t marked = mark(w, &outcome, prior, what);
    settle_acked(w, &outcome, prior, delay, marked);
    tern_loss_settle(&w->loss, &w->rtt, w->now);
    tern_pacer_set_rate(&w->pacer, tern_cc_pace(&w->cc, &w->rtt), w->cc.datagram, w->now);
}

static void on_timer(struct world *w)
{
    struct tern_loss_outcome outcome = {0};
    uint64_t prior = w->cc.bytes_in_flight;
    if (w->loss.loss_time == TERN_TIME_NEVER) {
        return;
    }
    w->now = TERN_MAX(w->now, w->loss.loss_time);
    tern_loss_detect(&w->loss, &w->rtt, tern_rtt_pto(&w->rtt, 0), &outcome, w->now);
    settle_lost(w, &outcome, prior);
    tern_loss_settle(&w->loss, &w->rtt, w->now);
}

static void change(struct world *w, uint8_t what)
{
    static const size_t datagrams[] = {1200, 1252, 1452, 9000, 1200, 16383, 1280, 65507};
    switch (what >> 3 & 3) {
    case 0:
        tern_cc_switch(&w->cc, controller(what >> 5), &w->rtt, &w->rate, w->now);
        break;
    case 1:
        tern_cc_set_datagram(&w->cc, datagrams[what >> 5]);
        break;
    case 2:
        w->cc.wanted_rate = (uint64_t)fuzz_u8(&w->in) << (what >> 5) * 6;
        break;
    default:
        pause_app(w);
        break;
    }
}

static void check(const struct world *w)
{
    FUZZ_CHECK(w->cc.bytes_in_flight == w->loss.sent.bytes_in_flight);
    FUZZ_CHECK(w->cc.cwnd >= tern_cc_min_window(&w->cc) && w->cc.cwnd <= WINDOW_MAX);
    FUZZ_CHECK(w->cc.bytes_in_flight > 0 || tern_cc_room(&w->cc) >= w->cc.datagram);
    FUZZ_CHECK(tern_cc_pace(&w->cc, &w->rtt) > 0 || !w->rtt.has_sample);
    if (w->cc.ops->estimate != NULL) {
        (void)w->cc.ops->estimate(&w->cc);
    }
}

static void step(struct world *w)
{
    uint8_t what = fuzz_u8(&w->in);
    switch (what & 7) {
    case 0:
    case 1:
        send(w, 1 + what % BURST_MAX, 0);
        break;
    case 2:
        send(w, 2, 2);
        break;
    case 3:
        w->now += (tern_time)fuzz_u8(&w->in) << (what >> 4) << 12;
        break;
    case 4:
        on_timer(w);
        break;
    case 5:
        change(w, what);
        break;
    default:
        ack(w, what);
        break;
    }
    check(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world w;
    memset(&w, 0, sizeof w);
    w.in = (struct fuzz_input){data, size};
    w.now = 3600 * TERN_SEC;
    uint8_t shape = fuzz_u8(&w.in);
    tern_mem_init(&w.mem, NULL);
    tern_loss_init(&w.loss, &w.mem);
    tern_rtt_init(&w.rtt, 100 * TERN_MSEC);
    tern_rate_init(&w.rate);
    tern_cc_init(&w.cc, &w.state, controller(shape), 1200, w.now);
    tern_pacer_init(&w.pacer, 1200);
    if ((shape & 0x80) != 0) {
        uint64_t volume = fuzz_number(&w.in, 5);
        tern_recall_begin(&w.cc, volume, 1 + fuzz_number(&w.in, 4), &w.rate);
    }
    for (int i = 0; i < STEPS_MAX && w.in.left > 0; i++) {
        step(&w);
    }
    tern_loss_clear(&w.loss);
    return 0;
}
