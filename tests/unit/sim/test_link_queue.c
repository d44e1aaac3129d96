/* The queue of a link under CoDel, along a rate trace, and behind an aggregating radio.
 * SPDX-License-Identifier: MIT */
#include "tern_test.h"

#include <string.h>

#include <tern/sim.h>

#define START (3600 * TERN_SEC)

static tern_link_config config_of(uint64_t rate)
{
    tern_link_config config;
    tern_link_config_init(&config);
    config.rate = rate;
    return config;
}

static tern_link *link_with(const tern_link_config *config)
{
    tern_link *link = NULL;
    assert_int_equal(tern_link_new(&link, config, 3), 0);
    return link;
}

static tern_link_counters stats_of(const tern_link *link)
{
    tern_link_counters counters = {.size = sizeof counters};
    tern_link_stats(link, &counters);
    return counters;
}

static void send(tern_link *link, uint64_t tag, uint8_t ecn, tern_time now)
{
    static const uint8_t zeros[1000];
    assert_int_equal(tern_link_send(link, zeros, sizeof zeros, ecn, tag, now), 0);
}

struct taken {
    uint64_t tag;
    uint8_t ecn;
    tern_time at;
};

/* The next packet until then, however often the link wants to be asked in between. */
static bool take(tern_link *link, struct taken *out, tern_time until)
{
    uint8_t buf[1000];
    size_t len = 0;
    for (tern_time at; (at = tern_link_next(link)) != TERN_TIME_NEVER && at <= until;) {
        int rc = tern_link_receive(link, buf, sizeof buf, &len, &out->ecn, &out->tag, at);
        assert_in_range(rc, 0, 1);
        if (rc == 1) {
            out->at = at;
            return true;
        }
    }
    return false;
}

/* Packets of a millisecond each, sent at 1.25 times the rate for a second. Returns a digest of what
 * came out; the packets are in order, and every one that went in is accounted for. */
static uint64_t overload(tern_link *link, uint8_t ecn)
{
    uint64_t digest = 0, last = 0;
    struct taken taken;
    for (uint64_t k = 1; k <= 1250; k++) {
        tern_time now = START + k * 800 * TERN_USEC;
        while (take(link, &taken, now)) {
            assert_true(taken.tag > last);
            last = taken.tag;
            digest = (digest ^ (taken.at + taken.tag + taken.ecn)) * 0x9e3779b97f4a7c15u;
        }
        send(link, k, ecn, now);
    }
    while (take(link, &taken, TERN_TIME_NEVER - 1)) {
        digest = (digest ^ (taken.at + taken.tag + taken.ecn)) * 0x9e3779b97f4a7c15u;
    }
    tern_link_counters c = stats_of(link);
    assert_int_equal(c.packets_in, 1250);
    assert_int_equal(c.packets_in, c.packets_out + c.aqm_dropped + c.queue_dropped);
    assert_int_equal(c.queue_now, 0);
    return digest;
}

static void codel_drops_what_is_not_capable(void **state)
{
    (void)state;
    tern_link_config config = config_of(8000000);
    config.aqm = TERN_LINK_AQM_CODEL;
    tern_link *link = link_with(&config);
    uint64_t digest = overload(link, 0);
    tern_link_counters c = stats_of(link);
    assert_in_range(c.aqm_dropped, 20, 80);
    assert_int_equal(c.marked + c.aqm_marked + c.queue_dropped, 0);
    tern_link_free(link);
    link = link_with(&config);
    assert_int_equal(overload(link, 0), digest);
    tern_link_free(link);
}

static void codel_marks_what_is_capable(void **state)
{
    (void)state;
    tern_link_config config = config_of(8000000);
    config.aqm = TERN_LINK_AQM_CODEL;
    for (uint8_t ecn = 1; ecn <= 3; ecn++) {
        tern_link *link = link_with(&config);
        (void)overload(link, ecn);
        tern_link_counters c = stats_of(link);
        assert_int_equal(c.aqm_dropped, 0);
        assert_in_range(c.aqm_marked, 20, 80);
        assert_int_equal(c.marked, ecn == 3 ? 0 : c.aqm_marked);
        tern_link_free(link);
    }
}

static void codel_that_is_not_overloaded_is_a_droptail_queue(void **state)
{
    (void)state;
    tern_link_config config = config_of(8000000);
    config.delay = 7 * TERN_MSEC;
    tern_link *droptail = link_with(&config);
    config.aqm = TERN_LINK_AQM_CODEL;
    tern_link *codel = link_with(&config);
    for (uint64_t k = 0; k < 200; k++) { /* four together, then room for six */
        send(droptail, k, 0, START + k / 4 * 10 * TERN_MSEC);
        send(codel, k, 0, START + k / 4 * 10 * TERN_MSEC);
    }
    struct taken a, b;
    for (uint64_t k = 0; k < 200; k++) {
        assert_true(take(droptail, &a, TERN_TIME_NEVER - 1));
        assert_true(take(codel, &b, TERN_TIME_NEVER - 1));
        assert_int_equal(a.tag, b.tag);
        assert_int_equal(a.at, b.at);
    }
    assert_int_equal(stats_of(codel).queue_peak, stats_of(droptail).queue_peak);
    assert_int_equal(tern_link_queue_delay(codel, 95), tern_link_queue_delay(droptail, 95));
    tern_link_free(droptail);
    tern_link_free(codel);
}

static void codel_queue_is_bounded_in_length_too(void **state)
{
    (void)state;
    tern_link_config config = config_of(8000000);
    config.aqm = TERN_LINK_AQM_CODEL;
    config.queue = 4000;
    tern_link *link = link_with(&config);
    for (uint64_t k = 0; k < 10; k++) {
        send(link, k, 0, START);
    }
    assert_int_equal(stats_of(link).queue_dropped, 5);
    assert_int_equal(stats_of(link).queue_peak, 4000);
    tern_link_free(link); /* with packets that still wait */
}

/* What waits under one discipline keeps its turn under the other. */
static void switching_disciplines_keeps_order(void **state)
{
    (void)state;
    tern_link_config config = config_of(8000000);
    tern_link *link = link_with(&config);
    for (uint64_t k = 0; k < 40; k++) {
        if (k % 10 == 0) {
            config.aqm = k % 20 == 0 ? TERN_LINK_AQM_NONE : TERN_LINK_AQM_CODEL;
            tern_link_set(link, &config);
        }
        send(link, k, 0, START);
    }
    struct taken taken;
    for (uint64_t k = 0; k < 40; k++) {
        assert_true(take(link, &taken, TERN_TIME_NEVER - 1));
        assert_int_equal(taken.tag, k);
        assert_int_equal(taken.at, START + (k + 1) * TERN_MSEC);
    }
    assert_false(take(link, &taken, TERN_TIME_NEVER - 1));
    tern_link_free(link);
}

static void mishaps_reach_what_codel_lets_go(void **state)
{
    (void)state;
    tern_link_config config = config_of(8000000);
    config.aqm = TERN_LINK_AQM_CODEL;
    config.duplicate = 1;
    config.ecn = TERN_LINK_ECN_BLEACH;
    tern_link *link = link_with(&config);
    struct taken taken;
    for (uint64_t k = 0; k < 200; k++) { /* more than an agenda has room for at first */
        send(link, k, 2, START);
    }
    for (uint64_t k = 0; k < 400; k++) {
        assert_true(take(link, &taken, TERN_TIME_NEVER - 1));
        assert_int_equal(taken.ecn, 0);
    }
    assert_true(stats_of(link).aqm_marked > 0); /* and wiped behind the queue */
    assert_int_equal(stats_of(link).duplicated, 200);
    tern_link_free(link);
}

static void queue_delay_is_told(void **state)
{
    (void)state;
    tern_link_config config = config_of(8000000);
    tern_link *link = link_with(&config);
    assert_int_equal(tern_link_queue_delay(link, 50), 0);
    for (uint64_t k = 0; k <= 100; k++) {
        send(link, k, 0, START); /* waits k ms */
    }
    assert_in_range(tern_link_queue_delay(link, 50), 46 * TERN_MSEC, 50 * TERN_MSEC);
    assert_in_range(tern_link_queue_delay(link, 95), 88 * TERN_MSEC, 95 * TERN_MSEC);
    tern_link_free(link);
}

static void rate_follows_its_trace(void **state)
{
    (void)state;
    const tern_rate_point points[] = {
        {0, 8000000}, {100 * TERN_MSEC, 800000}, {200 * TERN_MSEC, 0}, {250 * TERN_MSEC, 16000000}};
    for (int aqm = 0; aqm < 2; aqm++) {
        tern_link_config config = config_of(0);
        config.trace = points;
        config.trace_count = 4;
        config.trace_start = START;
        config.trace_period = 300 * TERN_MSEC;
        config.aqm = aqm == 0 ? TERN_LINK_AQM_NONE : TERN_LINK_AQM_CODEL;
        config.aqm_target = 10 * TERN_SEC; /* only the rate is of interest */
        tern_link *link = link_with(&config);
        for (uint64_t k = 0; k < 630; k++) {
            send(link, k, 0, START);
        }
        /* a period carries 100 packets, then 10, none, and 100 */
        uint64_t in_part[12] = {0};
        struct taken taken;
        while (take(link, &taken, TERN_TIME_NEVER - 1)) {
            tern_time since = taken.at - START - 1, phase = since % (300 * TERN_MSEC);
            size_t part = phase >= 250 * TERN_MSEC ? 3 : (size_t)(phase / (100 * TERN_MSEC));
            in_part[since / (300 * TERN_MSEC) * 4 + part]++;
        }
        for (size_t i = 0; i < 12; i++) {
            const uint64_t expected[] = {100, 10, 0, 100};
            assert_int_equal(in_part[i], expected[i % 4]);
        }
        assert_int_equal(stats_of(link).queue_dropped, 0); /* a second's worth of the peak */
        tern_link_free(link);
    }
}

static void aggregation_releases_in_groups(void **state)
{
    (void)state;
    tern_link_config config = config_of(0);
    config.delay = 5 * TERN_MSEC;
    config.aggregate = 4 * TERN_MSEC;
    tern_link *link = link_with(&config);
    for (uint64_t k = 0; k < 20000; k++) {
        send(link, k, 0, START + k * 100 * TERN_USEC);
    }
    struct taken taken;
    uint64_t groups = 0, widest = 0, width = 0;
    tern_time last = 0, longest = 0;
    for (uint64_t k = 0; k < 20000; k++) {
        assert_true(take(link, &taken, TERN_TIME_NEVER - 1));
        assert_int_equal(taken.tag, k);
        tern_time sent = START + k * 100 * TERN_USEC;
        assert_in_range(taken.at - sent, 5 * TERN_MSEC, 9 * TERN_MSEC);
        longest = taken.at - sent > longest ? taken.at - sent : longest;
        width = taken.at == last ? width + 1 : 1;
        groups += taken.at != last;
        widest = width > widest ? width : widest;
        last = taken.at;
    }
    /* a group is open for 2 ms on average, and then as long as the next packet takes */
    assert_in_range(groups, 900, 1050);
    assert_in_range(widest, 38, 41);
    assert_true(longest > 8900 * TERN_USEC);
    tern_link_free(link);
}

static void a_config_of_before_has_none_of_it(void **state)
{
    (void)state;
    tern_link_config config = config_of(8000000);
    config.size = offsetof(tern_link_config, aqm);
    config.aqm = TERN_LINK_AQM_CODEL;
    config.aggregate = TERN_SEC;
    tern_link *link = link_with(&config);
    send(link, 1, 0, START);
    send(link, 2, 0, START);
    assert_int_equal(tern_link_next(link), START + TERN_MSEC);
    tern_link_counters counters = {.size = offsetof(tern_link_counters, queue_now),
                                   .queue_now = 77};
    tern_link_stats(link, &counters);
    assert_int_equal(counters.queue_now, 77);
    assert_int_equal(counters.queue_peak, 1000);
    tern_link_free(link);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(codel_drops_what_is_not_capable),
    cmocka_unit_test(codel_marks_what_is_capable),
    cmocka_unit_test(codel_that_is_not_overloaded_is_a_droptail_queue),
    cmocka_unit_test(codel_queue_is_bounded_in_length_too),
    cmocka_unit_test(switching_disciplines_keeps_order),
    cmocka_unit_test(mishaps_reach_what_codel_lets_go),
    cmocka_unit_test(queue_delay_is_told),
    cmocka_unit_test(rate_follows_its_trace),
    cmocka_unit_test(aggregation_releases_in_groups),
    cmocka_unit_test(a_config_of_before_has_none_of_it),
};

TERN_TEST_MAIN(tests)
