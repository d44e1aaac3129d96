/* LEDBAT++: what it reaches alone, what queue it keeps, what it leaves to others, and the base delay on
 * which all of that stands. draft-irtf-iccrg-ledbat-plus-plus.
 * SPDX-License-Identifier: MIT */
#include "cc_kit.h"
#include "path_kit.h"
#include "tern_test.h"

#define MBIT ((uint64_t)125000) /* bytes a second */

static struct path the_path, the_other;
static struct path *const p = &the_path;
static struct path *const other = &the_other;
static struct bench b;

static void init_both(const char *rival, uint64_t rate, double queue_bdp)
{
    path_init(p, "ledbat", 0, 1);
    path_init(other, rival, 0, 2);
    p->bottleneck = other->bottleneck = rate;
    p->queue = other->queue = (uint64_t)((double)rate / 20 * queue_bdp);
}

/* Of what both delivered in `length`, in thousandths; and what they left of the link unused. */
static unsigned share_of_both(tern_time length, unsigned *link)
{
    uint64_t mine = p->rate.delivered, theirs = other->rate.delivered;
    path_run_both(p, other, length);
    mine = p->rate.delivered - mine;
    theirs = other->rate.delivered - theirs;
    *link = (unsigned)((mine + theirs) * 100 / (p->bottleneck * (length / TERN_SEC)));
    return (unsigned)(mine * 1000 / (mine + theirs));
}

/* The share of the bottleneck from now on, in hundredths. */
static unsigned share_alone(tern_time length)
{
    uint64_t before = p->rate.delivered;
    path_run(p, length);
    return (unsigned)((p->rate.delivered - before) * 100 / (p->bottleneck * (length / TERN_SEC)));
}

/* Alone at least 90 %. The first slow start and the slowdown after it, both
 * slower by GAIN, are in the first figure. */
static void fills_a_clean_path(void **state)
{
    const struct {
        uint64_t rate;
        tern_time delay;
        unsigned queue; /* products of both */
    } rows[] = {{100 * MBIT, 50 * TERN_MSEC, 1}, {100 * MBIT, 50 * TERN_MSEC, 4},
                {100 * MBIT, 5 * TERN_MSEC, 1},  {100 * MBIT, 5 * TERN_MSEC, 4},
                {10 * MBIT, 50 * TERN_MSEC, 1},  {10 * MBIT, 20 * TERN_MSEC, 4},
                {100 * MBIT, 200 * TERN_MSEC, 1}};
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(rows); i++) {
        path_init(p, "ledbat", 0, 1);
        p->bottleneck = rows[i].rate;
        p->delay = rows[i].delay;
        p->queue = rows[i].rate * (rows[i].delay / TERN_MSEC) / 1000 * rows[i].queue;
        unsigned first = share_alone(20 * TERN_SEC), then = share_alone(100 * TERN_SEC);
        print_message("%u Mbit/s, %u ms, queue %u BDP: %u %% of the first 20 s, then %u %%\n",
                      (unsigned)(rows[i].rate / MBIT), (unsigned)(rows[i].delay / TERN_MSEC),
                      rows[i].queue, first, then);
        assert_true(first >= 75);
        assert_true(then >= 90);
    }
}

static void keeps_the_queue_at_the_target(void **state)
{
    (void)state;
    path_init(p, "ledbat", 0, 1);
    p->queue *= 8;
    path_run(p, 10 * TERN_SEC);
    path_forget_delays(p);
    path_run(p, 110 * TERN_SEC);
    print_message("queue delay: p50 %.1f ms, p95 %.1f ms, p99 %.1f ms\n", path_delay_ms(p, 50),
                  path_delay_ms(p, 95), path_delay_ms(p, 99));
    assert_int_equal(p->overflows, 0);
    assert_true(path_delay_ms(p, 50) >= 50 && path_delay_ms(p, 50) <= 62);
    assert_true(path_delay_ms(p, 99) <= 66);
}

/* A queue that is shorter than the target overflows once, not each time that it is full. */
static void learns_that_a_queue_is_short(void **state)
{
    (void)state;
    path_init(p, "ledbat", 0, 1);
    p->bottleneck = 10 * MBIT;
    p->queue = p->bottleneck / 25; /* 40 ms */
    path_run(p, 120 * TERN_SEC);
    uint64_t careful = p->overflows;
    path_init(p, "newreno", 0, 1);
    p->bottleneck = 10 * MBIT;
    p->queue = p->bottleneck / 25;
    path_run(p, 120 * TERN_SEC);
    print_message("dropped: %u, by newreno %u\n", (unsigned)careful, (unsigned)p->overflows);
    assert_true(careful * 2 < p->overflows);
}

/* Against CUBIC at most a tenth, in long queues and in short ones, on fast
 * paths and slow ones, whoever was there first. */
static void leaves_the_path_to_cubic(void **state)
{
    const uint64_t rates[] = {10 * MBIT, 100 * MBIT};
    const double queues[] = {0.5, 1, 2, 4};
    unsigned link;
    (void)state;
    for (size_t r = 0; r < TERN_COUNT_OF(rates); r++) {
        for (size_t q = 0; q < TERN_COUNT_OF(queues); q++) {
            unsigned shares[3];
            for (unsigned order = 0; order < 3; order++) {
                init_both("cubic", rates[r], queues[q]);
                p->limit = order == 1 ? 0 : UINT64_MAX;
                other->limit = order == 2 ? 0 : UINT64_MAX;
                path_run_both(p, other, 20 * TERN_SEC);
                p->limit = other->limit = UINT64_MAX;
                path_run_both(p, other, order == 0 ? 0 : 20 * TERN_SEC);
                shares[order] = share_of_both(80 * TERN_SEC, &link);
                assert_true(link >= 95);
                assert_true(shares[order] <= 100);
            }
            print_message("%u Mbit/s, queue %.1f BDP: together %.1f %%, cubic first %.1f %%, "
                          "ledbat first %.1f %%\n",
                          (unsigned)(rates[r] / MBIT), queues[q], shares[0] / 10.0,
                          shares[1] / 10.0, shares[2] / 10.0);
        }
    }
}

/* A camera at a fixed rate, which never asks whether there is room: all of it passes, and the rest of
 * the path is still used. */
static void leaves_the_path_to_a_constant_rate(void **state)
{
    (void)state;
    path_init(p, "ledbat", 0, 1);
    path_init(other, "newreno", 0, 2);
    p->bottleneck = other->bottleneck = 10 * MBIT;
    p->queue = other->queue = 10 * MBIT / 4;
    path_run_both(p, other, 60 * TERN_SEC);
    other->limit = other->next; /* it stops; in its stead 6 Mbit/s in datagrams */
    other->rate.delivered = 0;
    uint64_t mine = 0, offered = 0, dropped = 0;
    for (unsigned ms = 0; ms < 90000; ms++) {
        if (ms == 30000) {
            mine = p->rate.delivered;
            offered = dropped = 0;
        }
        path_run_both(p, other, TERN_MSEC);
        for (; offered * PATH_MDS < (uint64_t)(ms < 30000 ? ms : ms - 30000) * 750; offered++) {
            p->free_at = TERN_MAX(p->free_at, p->now);
            if ((p->free_at - p->now) / TERN_USEC * (p->bottleneck / 1000) / 1000 > p->queue) {
                dropped++;
            } else {
                p->free_at += PATH_MDS * TERN_SEC / p->bottleneck;
            }
        }
    }
    unsigned got = (unsigned)((p->rate.delivered - mine) / 60 * 100 / (4 * MBIT));
    print_message("of 6 Mbit/s dropped: %u of %u; of the 4 left: %u %%\n", (unsigned)dropped,
                  (unsigned)offered, got);
    assert_int_equal(dropped, 0);
    assert_true(got >= 80 && got <= 100);
}

/* §3.3's latecomer sees a queue and takes it for the path, until a slowdown shows it what is there. */
static void a_latecomer_learns_the_true_base_and_shares(void **state)
{
    unsigned link;
    (void)state;
    init_both("ledbat", 10 * MBIT, 4);
    p->limit = 0;
    path_run_both(p, other, 20 * TERN_SEC);
    p->limit = UINT64_MAX;
    path_run_both(p, other, TERN_SEC);
    assert_true(p->rtt.min >= p->delay + 50 * TERN_MSEC); /* as far as it knows */
    path_run_both(p, other, 60 * TERN_SEC);
    assert_true(p->rtt.min <= p->delay + 2 * TERN_MSEC);
    unsigned share = share_of_both(120 * TERN_SEC, &link);
    print_message("the latecomer has %.1f %%, the link carries %u %%\n", share / 10.0, link);
    assert_in_range(share, 400, 600);
    assert_true(link >= 90);
    path_forget_delays(p);
    path_run_both(p, other, 60 * TERN_SEC);
    assert_true(path_delay_ms(p, 95) <= 70);
}

/* Over half an hour the true base is seen again and again, so that the queue never becomes the base. */
static void slowdowns_keep_the_base_true(void **state)
{
    (void)state;
    path_init(p, "ledbat", 0, 1);
    p->bottleneck = 2 * MBIT;
    p->queue = p->bottleneck;
    path_run(p, 1800 * TERN_SEC);
    unsigned slowdowns = 0;
    tern_time longest = 0, since = p->now;
    bool was_low = false;
    path_forget_delays(p);
    for (unsigned i = 0; i < 60000; i++) {
        path_run(p, 10 * TERN_MSEC);
        bool is_low = p->cc.cwnd == tern_cc_min_window(&p->cc);
        slowdowns += is_low && !was_low;
        was_low = is_low;
        if (p->rtt.latest <= p->delay + 15 * TERN_MSEC) { /* a datagram or two take 10 ms */
            longest = TERN_MAX(longest, p->now - since);
            since = p->now;
        }
    }
    print_message("%u slowdowns in 600 s, the base unseen for at most %.1f s, queue p95 %.1f ms\n",
                  slowdowns, (double)longest / 1e9, path_delay_ms(p, 95));
    assert_in_range(slowdowns, 20, 200);
    assert_true(longest < 60 * TERN_SEC);
    assert_true(path_delay_ms(p, 95) <= 75);
}

/* RFC 6817 §3.4.2: ten minutes of minima. A longer path looks like a queue until they are over. */
static void learns_a_longer_base_after_its_window(void **state)
{
    (void)state;
    path_init(p, "ledbat", 0, 1);
    p->bottleneck = 10 * MBIT;
    path_run(p, 60 * TERN_SEC);
    p->delay += 100 * TERN_MSEC;
    path_run(p, 30 * TERN_SEC);
    assert_true(share_alone(300 * TERN_SEC) <= 10);
    path_run(p, 380 * TERN_SEC);
    unsigned share = share_alone(120 * TERN_SEC);
    print_message("100 ms more: %u %% of the path two minutes after the window\n", share);
    assert_true(share >= 80);
}

/* A shorter path is known at once. */
static void learns_a_shorter_base_at_once(void **state)
{
    (void)state;
    path_init(p, "ledbat", 0, 1);
    p->delay = 150 * TERN_MSEC;
    p->bottleneck = 10 * MBIT;
    p->queue = p->bottleneck;
    path_run(p, 60 * TERN_SEC);
    p->delay = 30 * TERN_MSEC;
    path_run(p, 10 * TERN_SEC);
    path_forget_delays(p);
    assert_true(share_alone(60 * TERN_SEC) >= 90);
    assert_true(path_delay_ms(p, 95) <= 66);
}

/* A round trip in one ACK, after three samples that only fill the filter. */
static void round_of(tern_time rtt)
{
    for (int i = 0; i < 4; i++) {
        bench_ack(&b, i == 3 ? b.cc.cwnd : 0, b.now, rtt);
    }
}

/* Past the first slow start, with that window and no queue; the first slowdown is 200 s away. */
static void begin(uint64_t window, tern_time base)
{
    bench_init(&b, &tern_cc_ledbat);
    bench_ack(&b, 0, b.now, base);
    b.rtt.smoothed = 100 * TERN_SEC;
    round_of(base + 50 * TERN_MSEC);
    assert_true(b.cc.ssthresh != UINT64_MAX);
    b.rtt.smoothed = base;
    b.now += TERN_MSEC;
    for (int i = 0; i < 4; i++) {
        bench_ack(&b, 0, b.now, base);
    }
    b.cc.cwnd = b.cc.ssthresh = window * MDS;
    b.now += TERN_MSEC;
}

/* §4.2: 1 / min(16, ceil(2 target / base)) of a datagram. */
static void gain_follows_the_base_delay(void **state)
{
    const struct {
        tern_time base;
        unsigned rounds; /* for a datagram */
    } rows[] = {{200, 1}, {120, 1}, {119, 2}, {60, 2}, {50, 3}, {30, 4}, {8, 15}, {7, 16}, {1, 16}};
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(rows); i++) {
        begin(100, rows[i].base * TERN_MSEC);
        for (unsigned round = 1; round <= rows[i].rounds; round++) {
            assert_int_equal(b.cc.cwnd, 100 * MDS);
            bench_ack(&b, b.cc.cwnd, b.now, rows[i].base * TERN_MSEC);
        }
        assert_int_equal(b.cc.cwnd, 101 * MDS);
    }
}

/* §4.1: slow start is slower by GAIN as well, and over at 3/4 of the target. */
static void slow_start_ends_at_three_quarters(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        bench_init(&b, &tern_cc_ledbat);
        tern_time rtt = 50 * TERN_MSEC;
        bench_ack(&b, 3 * MDS, b.now, rtt);
        assert_int_equal(b.cc.cwnd, 11 * MDS); /* GAIN is 1/3 */
        rtt += i == 0 ? 45 * TERN_MSEC : 45 * TERN_MSEC + TERN_USEC;
        for (int k = 0; k < 4; k++) {
            bench_ack(&b, 3 * MDS, b.now, rtt);
        }
        assert_int_equal(b.cc.cwnd, i == 0 ? 15 * MDS : 14 * MDS / 4 * 3);
        assert_true((b.cc.ssthresh == UINT64_MAX) == (i == 0));
    }
}

/* §4.3: in proportion to the excess, at most half, and once a round trip. */
static void decreases_in_proportion_to_the_excess(void **state)
{
    const struct {
        tern_time delay;
        uint64_t down; /* bytes, GAIN not counted */
    } rows[] = {{60, 0},           {66, 10 * MDS}, {75, 25 * MDS},
                {89, 580000 / 10}, {90, 50 * MDS}, {1000, 50 * MDS}};
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(rows); i++) {
        begin(100, 120 * TERN_MSEC);
        round_of((120 + rows[i].delay) * TERN_MSEC);
        uint64_t wanted = rows[i].down == 0 ? 101 * MDS : 101 * MDS - rows[i].down;
        assert_true(b.cc.cwnd <= wanted && b.cc.cwnd + MDS >= wanted);
    }
}

static void delay_and_loss_halve_once_a_round_trip(void **state)
{
    (void)state;
    begin(100, 50 * TERN_MSEC);
    bench_fill(&b);
    tern_time sent = b.now;
    b.now += 200 * TERN_MSEC;
    bench_lose(&b, MDS, sent, false);
    assert_int_equal(b.cc.cwnd, 50 * MDS);
    b.now += TERN_MSEC;
    bench_lose(&b, MDS, sent + TERN_MSEC, false); /* the same episode */
    assert_int_equal(b.cc.cwnd, 50 * MDS);
    for (int i = 0; i < 8; i++) { /* nor is its queue counted a second time */
        bench_ack(&b, MDS, sent + TERN_MSEC, 200 * TERN_MSEC);
    }
    assert_int_equal(b.cc.cwnd, 50 * MDS);
    sent = b.now + TERN_MSEC;
    b.now += 200 * TERN_MSEC;
    bench_lose(&b, MDS, sent, false);
    assert_int_equal(b.cc.cwnd, 25 * MDS);
    for (int i = 0; i < 20; i++) {
        b.now += 200 * TERN_MSEC;
        bench_lose(&b, MDS, b.now - TERN_MSEC, false);
    }
    assert_int_equal(b.cc.cwnd, 2 * MDS);
}

/* The queue that made delay answer also overflowed: half of what the window was then, not half of what
 * delay left. */
static void loss_before_a_decrease_by_delay_adds_little(void **state)
{
    (void)state;
    begin(100, 120 * TERN_MSEC);
    bench_fill(&b);
    tern_time sent = b.now;
    b.now += 200 * TERN_MSEC;
    round_of(195 * TERN_MSEC);
    assert_int_equal(b.cc.cwnd, 76 * MDS); /* a quarter, and GAIN */
    bench_lose(&b, MDS, sent, false);
    assert_int_equal(b.cc.cwnd, 50 * MDS);
}

static void lose_numbered(uint64_t packets, bool persistent)
{
    struct tern_cc_loss loss = {.lost_bytes = packets * MDS,
                                .lost_packets = packets,
                                .next_pn = b.pn + 100,
                                .largest_pn = b.pn,
                                .latest_sent_at = b.now,
                                .prior_in_flight = b.cc.bytes_in_flight,
                                .persistent = persistent,
                                .rtt = &b.rtt,
                                .rate = &b.rate};
    tern_cc_on_loss(&b.cc, &loss, b.now);
}

static void spurious_loss_is_taken_back(void **state)
{
    (void)state;
    begin(100, 50 * TERN_MSEC); /* in avoidance */
    lose_numbered(1, false);
    assert_int_equal(b.cc.cwnd, 50 * MDS);
    tern_cc_on_spurious(&b.cc, b.pn, b.now, b.now);
    assert_int_equal(b.cc.cwnd, 100 * MDS);
    assert_int_equal(b.cc.recovery_start, 0);
    assert_false(b.cc.state->prr.is_on);

    bench_init(&b, &tern_cc_ledbat); /* in the first slow start, which goes on */
    bench_ack(&b, 6 * MDS, b.now, 50 * TERN_MSEC);
    lose_numbered(1, false);
    assert_int_equal(b.cc.cwnd, 6 * MDS);
    tern_cc_on_spurious(&b.cc, b.pn, b.now, b.now);
    assert_int_equal(b.cc.ssthresh, UINT64_MAX);
    b.now += TERN_MSEC;
    bench_ack(&b, 6 * MDS, b.now, 50 * TERN_MSEC);
    assert_int_equal(b.cc.cwnd, 14 * MDS);
}

/* In a slowdown the window stays low; what is taken back is where it will end. */
static void spurious_loss_in_a_slowdown_restores_its_end(void **state)
{
    (void)state;
    begin(100, 50 * TERN_MSEC);
    b.now += 300 * TERN_SEC;
    bench_ack(&b, MDS, b.now, 50 * TERN_MSEC);
    assert_int_equal(b.cc.cwnd, 2 * MDS);
    assert_int_equal(b.cc.ssthresh, 100 * MDS);
    lose_numbered(3, false);
    assert_int_equal(b.cc.cwnd, 2 * MDS);
    assert_int_equal(b.cc.ssthresh, 50 * MDS);
    for (int i = 0; i < 3; i++) {
        tern_cc_on_spurious(&b.cc, b.pn, b.now, b.now);
    }
    assert_int_equal(b.cc.cwnd, 2 * MDS);
    assert_int_equal(b.cc.ssthresh, 100 * MDS);
}

/* §4.4: two datagrams for two round trips, slow start to where it was, and nine times as long until
 * the next. */
static void slowdown_freezes_refills_and_waits(void **state)
{
    tern_time rtt = 100 * TERN_MSEC; /* GAIN 1/2 */
    (void)state;
    begin(100, rtt);
    b.now += 300 * TERN_SEC;
    tern_time began = b.now;
    bench_ack(&b, MDS, b.now, rtt);
    for (b.now += rtt; b.now < began + 2 * rtt; b.now += rtt) {
        bench_ack(&b, 2 * MDS, b.now, rtt);
        assert_int_equal(b.cc.cwnd, 2 * MDS);
    }
    bench_ack(&b, 2 * MDS, b.now, rtt);
    assert_int_equal(b.cc.cwnd, 2 * MDS);
    uint64_t before = 0;
    while (b.cc.cwnd < 100 * MDS) { /* half more in each round */
        before = b.cc.cwnd;
        b.now += rtt;
        bench_ack(&b, before, b.now, rtt);
        assert_true(b.cc.cwnd == before + before / 2 || b.cc.cwnd == 100 * MDS);
    }
    tern_time length = b.now - began;
    tern_time due = b.now + 9 * length;
    b.now = due - TERN_MSEC;
    bench_ack(&b, MDS, b.now, rtt);
    assert_true(b.cc.cwnd >= 100 * MDS);
    b.now = due;
    bench_ack(&b, MDS, b.now, rtt);
    assert_int_equal(b.cc.cwnd, 2 * MDS);
}

/* What the application did not use must not grow, nor may the time be taken for a long slowdown. */
static void application_limited_does_not_grow(void **state)
{
    tern_time rtt = 100 * TERN_MSEC;
    (void)state;
    begin(100, rtt);
    b.is_limited = true;
    for (int i = 0; i < 1000; i++) {
        b.now += TERN_SEC;
        bench_ack(&b, MDS, b.now, rtt);
    }
    assert_int_equal(b.cc.cwnd, 100 * MDS);
    b.is_limited = false;
    b.now += 300 * TERN_SEC;
    bench_ack(&b, MDS, b.now, rtt); /* a slowdown */
    assert_int_equal(b.cc.cwnd, 2 * MDS);
    b.is_limited = true;
    for (int i = 0; i < 1000; i++) {
        b.now += TERN_SEC;
        bench_ack(&b, MDS, b.now, rtt);
    }
    assert_int_equal(b.cc.cwnd, 2 * MDS);
    b.is_limited = false;
    while (b.cc.cwnd < 100 * MDS) {
        b.now += rtt;
        bench_ack(&b, b.cc.cwnd, b.now, rtt);
    }
    b.now += 60 * TERN_SEC; /* about fifteen round trips, times nine */
    bench_ack(&b, MDS, b.now, rtt);
    assert_int_equal(b.cc.cwnd, 2 * MDS);
}

/* A minute without a packet drained the queue as well as a slowdown would. */
static void a_pause_stands_for_a_slowdown(void **state)
{
    (void)state;
    path_init(p, "ledbat", 0, 1);
    path_run(p, 30 * TERN_SEC);
    p->limit = p->next;
    path_run(p, 60 * TERN_SEC);
    uint64_t before = p->cc.cwnd, overflows = p->overflows;
    assert_true(before > tern_cc_min_window(&p->cc));
    p->limit = UINT64_MAX;
    for (int i = 0; i < 20; i++) {
        path_run(p, 100 * TERN_MSEC);
        assert_true(p->cc.cwnd >= before);
    }
    assert_int_equal(p->overflows, overflows);
}

static void persistent_congestion_refills_to_half(void **state)
{
    (void)state;
    begin(100, 50 * TERN_MSEC);
    lose_numbered(50, true);
    assert_int_equal(b.cc.cwnd, 2 * MDS);
    assert_int_equal(b.cc.ssthresh, 50 * MDS);
    for (int i = 0; i < 30; i++) {
        b.now += 50 * TERN_MSEC;
        bench_ack(&b, b.cc.cwnd, b.now, 50 * TERN_MSEC);
    }
    assert_true(b.cc.cwnd >= 50 * MDS && b.cc.cwnd <= 60 * MDS);
}

/* Nothing that a peer or a path can do makes arithmetic wrap. */
/* Datagrams grow while the window is at its least: the end of the slowdown, which knew smaller ones, is
 * below two of them, and must not pull the window there. */
static void larger_datagrams_raise_the_least_window(void **state)
{
    (void)state;
    begin(100, 50 * TERN_MSEC);
    for (int i = 0; i < 10; i++) {
        b.now += 200 * TERN_MSEC;
        lose_numbered(1, true);
    }
    assert_int_equal(b.cc.cwnd, 2 * MDS);
    tern_cc_set_datagram(&b.cc, MDS + 100);
    b.now += 200 * TERN_MSEC;
    bench_fill(&b);
    bench_ack(&b, MDS, b.now - TERN_MSEC, 50 * TERN_MSEC);
    assert_true(b.cc.cwnd >= 2 * (MDS + 100));
}

static void bears_extremes(void **state)
{
    const tern_time rtts[] = {1, TERN_USEC, TERN_SEC, 3600 * TERN_SEC};
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(rtts); i++) {
        begin(1, rtts[i]);
        b.cc.cwnd = b.cc.ssthresh = UINT64_C(1) << 40;
        for (size_t k = 0; k < TERN_COUNT_OF(rtts); k++) {
            b.rtt.smoothed = rtts[k];
            round_of(rtts[k]);
            b.now += rtts[k];
            assert_in_range(b.cc.cwnd, 2 * MDS, UINT64_C(1) << 41);
            assert_true(b.cc.ops->pacing_rate(&b.cc, &b.rtt) > 0);
        }
        b.now -= TERN_SEC; /* a clock may step back */
        round_of(rtts[i]);
        assert_in_range(b.cc.cwnd, 2 * MDS, UINT64_C(1) << 41);
    }
}

static void same_seed_same_course(void **state)
{
    uint64_t delivered[2], windows[2];
    (void)state;
    for (int i = 0; i < 2; i++) {
        path_init(p, "ledbat", 2000, 7);
        path_run(p, 30 * TERN_SEC);
        delivered[i] = p->rate.delivered;
        windows[i] = p->cc.cwnd;
    }
    assert_true(delivered[0] == delivered[1] && windows[0] == windows[1]);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(fills_a_clean_path),
    cmocka_unit_test(keeps_the_queue_at_the_target),
    cmocka_unit_test(learns_that_a_queue_is_short),
    cmocka_unit_test(leaves_the_path_to_cubic),
    cmocka_unit_test(leaves_the_path_to_a_constant_rate),
    cmocka_unit_test(a_latecomer_learns_the_true_base_and_shares),
    cmocka_unit_test(slowdowns_keep_the_base_true),
    cmocka_unit_test(learns_a_longer_base_after_its_window),
    cmocka_unit_test(learns_a_shorter_base_at_once),
    cmocka_unit_test(gain_follows_the_base_delay),
    cmocka_unit_test(slow_start_ends_at_three_quarters),
    cmocka_unit_test(decreases_in_proportion_to_the_excess),
    cmocka_unit_test(delay_and_loss_halve_once_a_round_trip),
    cmocka_unit_test(loss_before_a_decrease_by_delay_adds_little),
    cmocka_unit_test(spurious_loss_is_taken_back),
    cmocka_unit_test(spurious_loss_in_a_slowdown_restores_its_end),
    cmocka_unit_test(slowdown_freezes_refills_and_waits),
    cmocka_unit_test(application_limited_does_not_grow),
    cmocka_unit_test(a_pause_stands_for_a_slowdown),
    cmocka_unit_test(persistent_congestion_refills_to_half),
    cmocka_unit_test(larger_datagrams_raise_the_least_window),
    cmocka_unit_test(bears_extremes),
    cmocka_unit_test(same_seed_same_course),
};

TERN_TEST_MAIN(tests)
