/* What pacing does to a link: none of a short queue overflows, a high rate is kept, and no burst is
 * longer than promised. RFC 9002 section 7.7, [P §9.6].
 * SPDX-License-Identifier: MIT */
#include "sim/duo.h"
#include "tern_test.h"

static struct duo d;

static struct tern_path *path_of(int side)
{
    return &d.side[side].conn->path;
}

/* The client's datagrams that leave at the same time. */
static struct {
    tern_time at, first_at, last_at;
    uint64_t bytes, sent;
    uint64_t longest;        /* bytes at once */
    uint64_t beyond, bursts; /* longer than a full bucket and the datagram that it is short of */
} burst;

static bool count_burst(struct duo *duo, int from, size_t len, tern_time now)
{
    (void)duo;
    if (from != DUO_CLIENT) {
        return true;
    }
    const struct tern_path *path = path_of(DUO_CLIENT);
    bool is_next = now != burst.at;
    burst.bytes = is_next ? len : burst.bytes + len;
    burst.bursts += is_next ? 1 : 0;
    burst.at = now;
    burst.first_at = burst.first_at == 0 ? now : burst.first_at;
    burst.last_at = now;
    burst.sent += len;
    burst.longest = TERN_MAX(burst.longest, burst.bytes);
    if (burst.bytes > path->pacer.burst + path->cc.datagram) {
        burst.beyond++;
    }
    return true;
}

static void open(uint64_t seed)
{
    duo_open(&d, seed);
    memset(&burst, 0, sizeof burst);
    d.tap = count_burst;
}

/* 256 kbit/s with half a second of round trip and four packets of queue. The receiver's window is what
 * the path holds, so that only a burst can overflow the queue: of its credit half comes at once.
 * (BBR looks for more until the queue is full, whatever the window.) */
static void a_narrow_link_loses_nothing(void **state)
{
    const char *const names[] = {"newreno", "cubic", "ledbat"};
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(names); i++) {
        duo_init(&d, names[i]);
        for (int k = 0; k < 2; k++) {
            d.link[k].delay = 250 * TERN_MSEC;
            d.link[k].rate = 256000;
            d.link[k].queue = 4 * 1452;
            d.side[k].config.stream_window = d.side[k].config.stream_window_max = 12000;
        }
        open(1);
        duo_write(&d, DUO_CLIENT, 1000000);
        tern_time took = duo_finish(&d, 300 * TERN_SEC);
        tern_link_counters up = duo_counters(&d, DUO_CLIENT);
        print_message("%s: %.1f s, %llu of %llu dropped, queue at most %zu, burst at most %llu\n",
                      names[i], (double)took / 1e9, (unsigned long long)up.queue_dropped,
                      (unsigned long long)up.packets_in, up.queue_peak,
                      (unsigned long long)burst.longest);
        assert_int_equal(up.queue_dropped, 0);
        assert_true(took < 120 * TERN_SEC);
        duo_close(&d);
    }
}

/* Ten megabytes in a window of ten, with a round trip of ten milliseconds: ten gigabits a second but
 * for the factor of pacing, and not in one burst. */
static void ten_gigabits_are_kept(void **state)
{
    (void)state;
    duo_init(&d, "newreno");
    for (int k = 0; k < 2; k++) {
        d.link[k].delay = 5 * TERN_MSEC;
        d.side[k].config.stream_window = d.side[k].config.conn_window = 32 << 20;
        d.side[k].config.stream_window_max = d.side[k].config.conn_window_max = 32 << 20;
    }
    open(1);
    duo_write(&d, DUO_CLIENT, 100000);
    (void)duo_finish(&d, TERN_SEC);
    struct tern_path *path = path_of(DUO_CLIENT);
    path->cc.cwnd = path->cc.ssthresh = 10000000;
    path->rtt.smoothed = 10 * TERN_MSEC;
    uint64_t rate = path->cc.ops->pacing_rate(&path->cc, &path->rtt);
    assert_int_equal(rate, UINT64_C(1250000000));
    tern_pacer_set_rate(&path->pacer, rate, path->cc.datagram, tern_sim_now(d.sim));
    memset(&burst, 0, sizeof burst);
    duo_write(&d, DUO_CLIENT, 9000000);
    duo_run(&d, 9 * TERN_MSEC);
    double kept = (double)(burst.sent - burst.longest) /
                  ((double)(burst.last_at - burst.first_at) / 1e9) / (double)rate;
    print_message("%.2f Gbit/s in %llu bursts of %llu at most: %.1f %%\n", (double)rate * 8 / 1e9,
                  (unsigned long long)burst.bursts, (unsigned long long)burst.longest, kept * 100);
    assert_true(kept >= 0.97 && kept <= 1.03);
    assert_true(burst.longest <= rate / 1000 + path->cc.datagram);
    duo_close(&d);
}

/* At most two datagrams at once, or a millisecond's worth where that is more. */
static void no_burst_is_longer_than_promised(void **state)
{
    const char *const names[] = {"newreno", "cubic", "bbr", "ledbat"};
    const uint64_t mbits[] = {1, 20, 500};
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(names) * TERN_COUNT_OF(mbits); i++) {
        const char *cc = names[i % TERN_COUNT_OF(names)];
        uint64_t rate = mbits[i / TERN_COUNT_OF(names)] * 1000000;
        duo_init(&d, cc);
        for (int k = 0; k < 2; k++) {
            d.link[k].rate = rate;
            d.link[k].queue = rate / 8 / 20;
            d.link[k].loss = 0.001;
        }
        open(1);
        duo_write(&d, DUO_CLIENT, rate / 8 * 3);
        duo_run(&d, 3 * TERN_SEC);
        uint64_t probes = 2 * d.side[DUO_CLIENT].conn->counters.ptos + 10; /* not paced */
        print_message("%s at %llu Mbit/s: %llu bytes at once, %llu of %llu bursts too long\n", cc,
                      (unsigned long long)(rate / 1000000), (unsigned long long)burst.longest,
                      (unsigned long long)burst.beyond, (unsigned long long)burst.bursts);
        assert_true(burst.beyond <= probes);
        duo_close(&d);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_narrow_link_loses_nothing),
    cmocka_unit_test(ten_gigabits_are_kept),
    cmocka_unit_test(no_burst_is_longer_than_promised),
};

REPLAY_TEST_MAIN(tests)
