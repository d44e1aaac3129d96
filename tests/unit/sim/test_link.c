/* A link does what its configuration says, no more, and the same for the same seed.
 * SPDX-License-Identifier: MIT */
#include "tern_test.h"

#include <stdlib.h>
#include <string.h>

#include <tern/sim.h>

#define START (3600 * TERN_SEC)

static tern_link *link_with(const tern_link_config *config, uint64_t seed)
{
    tern_link *link = NULL;
    assert_int_equal(tern_link_new(&link, config, seed), 0);
    return link;
}

static tern_link_counters stats_of(const tern_link *link)
{
    tern_link_counters counters = {.size = sizeof counters};
    tern_link_stats(link, &counters);
    return counters;
}

static void send_sized(tern_link *link, uint64_t tag, size_t len, tern_time now)
{
    uint8_t data[2048];
    memset(data, (int)(tag & 0xff), sizeof data);
    assert_int_equal(tern_link_send(link, data, len, 0, tag, now), 0);
}

/* Takes the next packet whenever it comes. False when nothing is inside. */
static bool take(tern_link *link, uint64_t *tag, tern_time *at)
{
    uint8_t buf[2048];
    size_t len = 0;
    uint8_t ecn = 0;
    *at = tern_link_next(link);
    if (*at == TERN_TIME_NEVER) {
        return false;
    }
    assert_int_equal(tern_link_receive(link, buf, sizeof buf, &len, &ecn, tag, *at), 1);
    return true;
}

static void zero_is_a_perfect_wire(void **state)
{
    (void)state;
    tern_link_config config;
    tern_link_config_init(&config);
    tern_link *link = link_with(&config, 1);
    for (uint64_t i = 0; i < 1000; i++) {
        send_sized(link, i, 100 + i % 1300, START + i);
        uint8_t buf[2048];
        size_t len = 0;
        uint8_t ecn = 9;
        uint64_t tag = 0;
        assert_int_equal(tern_link_next(link), START + i);
        assert_int_equal(tern_link_receive(link, buf, sizeof buf, &len, &ecn, &tag, START + i), 1);
        assert_int_equal(len, 100 + i % 1300);
        assert_int_equal(tag, i);
        assert_int_equal(ecn, 0);
        assert_int_equal(buf[0], i & 0xff);
        assert_int_equal(buf[len - 1], i & 0xff);
        assert_int_equal(tern_link_receive(link, buf, sizeof buf, &len, &ecn, &tag, START + i), 0);
    }
    tern_link_counters c = stats_of(link);
    assert_int_equal(c.packets_in, 1000);
    assert_int_equal(c.packets_out, 1000);
    assert_int_equal(c.bytes_in, c.bytes_out);
    tern_link_free(link);
}

static void small_buffer_leaves_the_packet_inside(void **state)
{
    (void)state;
    tern_link_config config;
    tern_link_config_init(&config);
    config.delay = TERN_MSEC;
    tern_link *link = link_with(&config, 1);
    send_sized(link, 5, 1000, START);
    uint8_t buf[1000], ecn = 0;
    size_t len = 0;
    uint64_t tag = 0;
    assert_int_equal(tern_link_receive(link, buf, 10, &len, &ecn, &tag, START), 0);
    tern_time due = START + TERN_MSEC;
    assert_int_equal(tern_link_receive(link, buf, 999, &len, &ecn, &tag, due), TERN_ERR_BUFFER);
    assert_int_equal(tern_link_receive(link, buf, 1000, &len, &ecn, &tag, due), 1);
    tern_link_free(link);
}

static void delay_is_exact(void **state)
{
    (void)state;
    tern_link_config config;
    tern_link_config_init(&config);
    config.delay = 25 * TERN_MSEC;
    tern_link *link = link_with(&config, 1);
    uint64_t tag = 0;
    tern_time at = 0;
    send_sized(link, 1, 100, START);
    send_sized(link, 2, 100, START + 7);
    assert_true(take(link, &tag, &at));
    assert_int_equal(at, START + 25 * TERN_MSEC);
    assert_true(take(link, &tag, &at));
    assert_int_equal(at, START + 7 + 25 * TERN_MSEC);
    assert_false(take(link, &tag, &at));
    tern_link_free(link);
}

static void loss_rate_is_as_asked(void **state)
{
    (void)state;
    const double rates[] = {0.001, 0.01, 0.2, 0.5};
    for (size_t i = 0; i < 4; i++) {
        for (uint64_t seed = 0; seed < 5; seed++) {
            tern_link_config config;
            tern_link_config_init(&config);
            config.loss = rates[i];
            tern_link *link = link_with(&config, seed);
            for (uint64_t k = 0; k < 100000; k++) {
                send_sized(link, k, 1, START);
            }
            double mean = 100000 * rates[i];
            /* five standard deviations are at most 5 * sqrt(mean), squared to stay with integers */
            double off = (double)stats_of(link).lost - mean;
            assert_true(off * off <= 25 * mean);
            tern_link_free(link);
        }
    }
}

static void bursts_have_the_asked_share_and_length(void **state)
{
    (void)state;
    tern_link_config config;
    tern_link_config_init(&config);
    config.burst_enter = 0.01;
    config.burst_leave = 0.25; /* mean length 4, share 0.01 / 0.26 */
    tern_link *link = link_with(&config, 4);
    uint64_t bursts = 0, lost = 0;
    bool inside = false;
    for (uint64_t k = 0; k < 500000; k++) {
        uint64_t before = stats_of(link).lost;
        send_sized(link, k, 1, START);
        bool gone = stats_of(link).lost > before;
        bursts += gone && !inside;
        lost += gone;
        inside = gone;
    }
    assert_in_range(lost * 1000 / 500000, 36, 41);
    assert_in_range(lost * 100 / bursts, 385, 415);
    tern_link_free(link);
}

static void rate_is_accurate(void **state)
{
    (void)state;
    const uint64_t rates[] = {256000, 1000003, 100000000, 10000000000u};
    for (size_t i = 0; i < 4; i++) {
        tern_link_config config;
        tern_link_config_init(&config);
        config.rate = rates[i];
        config.overhead = 28;
        config.queue = SIZE_MAX / 2;
        tern_link *link = link_with(&config, 1);
        for (uint64_t k = 0; k < 10000; k++) {
            send_sized(link, k, 1172, START);
        }
        uint64_t tag = 0;
        tern_time at = 0, last = 0;
        while (take(link, &tag, &at)) {
            last = at;
        }
        assert_int_equal(last - START, 10000 * 1200 * 8 * TERN_SEC / rates[i]);
        tern_link_free(link);
    }
}

static void full_queue_drops_the_tail(void **state)
{
    (void)state;
    tern_link_config config;
    tern_link_config_init(&config);
    config.rate = 8000000; /* a byte a microsecond */
    config.queue = 4000;
    tern_link *link = link_with(&config, 1);
    for (uint64_t k = 0; k < 10; k++) {
        send_sized(link, k, 1000, START); /* one on the wire, four wait, five are dropped */
    }
    assert_int_equal(stats_of(link).queue_dropped, 5);
    assert_int_equal(stats_of(link).queue_peak, 4000);
    send_sized(link, 10, 1000, START + 999 * TERN_USEC);
    assert_int_equal(stats_of(link).queue_dropped, 6);
    send_sized(link, 11, 1000, START + 1000 * TERN_USEC);
    assert_int_equal(stats_of(link).queue_dropped, 6);
    uint64_t tag = 0;
    tern_time at = 0;
    for (uint64_t k = 0; k < 5; k++) {
        assert_true(take(link, &tag, &at));
        assert_int_equal(tag, k);
        assert_int_equal(at, START + (k + 1) * 1000 * TERN_USEC);
    }
    assert_true(take(link, &tag, &at));
    assert_int_equal(tag, 11);
    tern_link_free(link);
}

static void lone_packet_passes_a_tiny_queue(void **state)
{
    (void)state;
    tern_link_config config;
    tern_link_config_init(&config);
    config.rate = 8000000;
    config.queue = 1;
    tern_link *link = link_with(&config, 1);
    for (uint64_t k = 0; k < 5; k++) {
        send_sized(link, k, 1000, START + k * 1000 * TERN_USEC);
    }
    assert_int_equal(stats_of(link).queue_dropped, 0);
    tern_link_free(link);
}

static void default_queue_is_one_second(void **state)
{
    (void)state;
    tern_link_config config;
    tern_link_config_init(&config);
    config.rate = 80000;
    tern_link *link = link_with(&config, 1);
    for (uint64_t k = 0; k < 20; k++) {
        send_sized(link, k, 1000, START);
    }
    assert_int_equal(stats_of(link).queue_dropped, 9);
    tern_link_free(link);
}

static void jitter_keeps_order(void **state)
{
    (void)state;
    tern_link_config config;
    tern_link_config_init(&config);
    config.delay = 10 * TERN_MSEC;
    config.jitter = 8 * TERN_MSEC;
    tern_link *link = link_with(&config, 6);
    for (uint64_t k = 0; k < 10000; k++) {
        send_sized(link, k, 10, START + k * 5 * TERN_MSEC);
    }
    uint64_t tag = 0;
    tern_time at = 0, least = TERN_TIME_NEVER, most = 0;
    for (uint64_t k = 0; k < 10000; k++) {
        assert_true(take(link, &tag, &at));
        assert_int_equal(tag, k);
        tern_time took = at - (START + k * 5 * TERN_MSEC);
        least = took < least ? took : least;
        most = took > most ? took : most;
    }
    assert_in_range(least, 10 * TERN_MSEC, 10 * TERN_MSEC + 50 * TERN_USEC);
    assert_in_range(most, 18 * TERN_MSEC - 50 * TERN_USEC, 18 * TERN_MSEC);
    tern_link_free(link);
}

static void reorder_holds_some_back(void **state)
{
    (void)state;
    tern_link_config config;
    tern_link_config_init(&config);
    config.delay = 20 * TERN_MSEC;
    config.reorder = 0.1;
    tern_link *link = link_with(&config, 2);
    for (uint64_t k = 0; k < 10000; k++) {
        send_sized(link, k, 10, START + k * TERN_MSEC);
    }
    uint64_t late = 0, highest = 0, tag = 0;
    tern_time at = 0;
    while (take(link, &tag, &at)) {
        late += tag < highest;
        highest = tag > highest ? tag : highest;
        tern_time took = at - (START + tag * TERN_MSEC);
        assert_true(took == 20 * TERN_MSEC || took == 27 * TERN_MSEC); /* 2 ms + delay / 4 */
    }
    assert_int_equal(stats_of(link).packets_out, 10000);
    assert_in_range(stats_of(link).reordered, 850, 1150);
    assert_true(late > 0 && late <= stats_of(link).reordered);
    tern_link_free(link);
}

static void duplicates_come_twice(void **state)
{
    (void)state;
    tern_link_config config;
    tern_link_config_init(&config);
    config.duplicate = 0.25;
    tern_link *link = link_with(&config, 2);
    for (uint64_t k = 0; k < 10000; k++) {
        send_sized(link, k, 10, START);
    }
    unsigned *seen = calloc(10000, sizeof *seen);
    assert_non_null(seen);
    uint64_t tag = 0, twice = 0;
    tern_time at = 0;
    while (take(link, &tag, &at)) {
        seen[tag]++;
    }
    for (size_t k = 0; k < 10000; k++) {
        assert_in_range(seen[k], 1, 2);
        twice += seen[k] == 2;
    }
    free(seen);
    assert_int_equal(stats_of(link).duplicated, twice);
    assert_in_range(twice, 2300, 2700);
    tern_link_free(link);
}

static unsigned bits_changed(const uint8_t *buf, size_t len, uint8_t was)
{
    unsigned bits = 0;
    for (size_t i = 0; i < len; i++) {
        for (unsigned x = buf[i] ^ was; x != 0; x >>= 1) {
            bits += x & 1;
        }
    }
    return bits;
}

static void corruption_flips_one_to_four_bits(void **state)
{
    (void)state;
    tern_link_config config;
    tern_link_config_init(&config);
    config.corrupt = 1;
    for (size_t size = 0; size < 40; size++) {
        tern_link *link = link_with(&config, size);
        uint8_t data[64], buf[64], ecn = 0;
        size_t len = 0;
        uint64_t tag = 0;
        memset(data, 0x5a, sizeof data);
        for (int i = 0; i < 100; i++) {
            assert_int_equal(tern_link_send(link, data, size, 0, 0, START), 0);
            assert_int_equal(tern_link_receive(link, buf, 64, &len, &ecn, &tag, START), 1);
            assert_int_equal(len, size);
            assert_in_range(bits_changed(buf, len, 0x5a), size > 0, size > 0 ? 4 : 0);
        }
        assert_int_equal(stats_of(link).corrupted, size > 0 ? 100 : 0);
        tern_link_free(link);
    }
}

static void only_capable_packets_are_marked(void **state)
{
    (void)state;
    tern_link_config config;
    tern_link_config_init(&config);
    config.ecn_mark = 1;
    tern_link *link = link_with(&config, 2);
    const uint8_t expected[4] = {0, 3, 3, 3};
    for (uint8_t sent = 0; sent < 4; sent++) {
        uint8_t buf[8] = {0}, ecn = 0;
        size_t len = 0;
        uint64_t tag = 0;
        assert_int_equal(tern_link_send(link, buf, 8, sent, 0, START), 0);
        assert_int_equal(tern_link_receive(link, buf, 8, &len, &ecn, &tag, START), 1);
        assert_int_equal(ecn, expected[sent]);
    }
    assert_int_equal(stats_of(link).marked, 2);
    tern_link_free(link);
}

static void mtu_stops_the_larger(void **state)
{
    (void)state;
    tern_link_config config;
    tern_link_config_init(&config);
    config.mtu = 1280;
    tern_link *link = link_with(&config, 2);
    send_sized(link, 1, 1280, START);
    send_sized(link, 2, 1281, START);
    assert_int_equal(stats_of(link).too_big, 1);
    uint64_t tag = 0;
    tern_time at = 0;
    assert_true(take(link, &tag, &at));
    assert_int_equal(tag, 1);
    assert_false(take(link, &tag, &at));
    tern_link_free(link);
}

static void blackout_loses_everything_and_repeats(void **state)
{
    (void)state;
    tern_link_config config;
    tern_link_config_init(&config);
    config.blackout_start = START + 5 * TERN_SEC;
    config.blackout_length = 2 * TERN_SEC;
    config.blackout_period = 7 * TERN_SEC;
    tern_link *link = link_with(&config, 2);
    for (uint64_t s = 0; s < 21; s++) {
        uint64_t before = stats_of(link).blacked_out;
        send_sized(link, s, 10, START + s * TERN_SEC);
        bool dark = s >= 5 && (s - 5) % 7 < 2;
        assert_int_equal(stats_of(link).blacked_out - before, dark);
    }
    tern_link_free(link);
}

static void blackout_takes_what_leaves_the_queue_in_it(void **state)
{
    (void)state;
    tern_link_config config;
    tern_link_config_init(&config);
    config.rate = 8000; /* a byte a millisecond */
    config.queue = 100000;
    config.blackout_start = START + 1500 * TERN_MSEC;
    config.blackout_length = TERN_SEC;
    tern_link *link = link_with(&config, 2);
    for (uint64_t k = 0; k < 3; k++) {
        send_sized(link, k, 1000, START); /* leave at 1, 2 and 3 s */
    }
    uint64_t tag = 0;
    tern_time at = 0;
    assert_true(take(link, &tag, &at));
    assert_int_equal(tag, 0);
    assert_true(take(link, &tag, &at));
    assert_int_equal(tag, 2);
    assert_int_equal(stats_of(link).blacked_out, 1);
    tern_link_free(link);
}

static tern_link_config everything(void)
{
    tern_link_config config;
    tern_link_config_init(&config);
    config.delay = 10 * TERN_MSEC;
    config.jitter = 3 * TERN_MSEC;
    config.loss = 0.02;
    config.burst_enter = 0.01;
    config.burst_leave = 0.3;
    config.duplicate = 0.02;
    config.reorder = 0.05;
    config.corrupt = 0.02;
    config.rate = 20000000;
    config.queue = 60000;
    config.overhead = 28;
    return config;
}

/* A digest of all that comes out, and when. */
static uint64_t run_everything(uint64_t seed, double ecn_mark)
{
    tern_link_config config = everything();
    config.ecn_mark = ecn_mark;
    tern_link *link = link_with(&config, seed);
    uint64_t digest = 0;
    for (uint64_t k = 0; k < 20000; k++) {
        uint8_t data[1500];
        memset(data, (int)(k & 0xff), sizeof data);
        assert_int_equal(
            tern_link_send(link, data, 100 + k * 7 % 1300, 1, k, START + k * 300 * TERN_USEC), 0);
    }
    uint8_t buf[1500], ecn = 0;
    size_t len = 0;
    uint64_t tag = 0;
    for (tern_time at; (at = tern_link_next(link)) != TERN_TIME_NEVER;) {
        assert_int_equal(tern_link_receive(link, buf, sizeof buf, &len, &ecn, &tag, at), 1);
        digest = (digest ^ at) * 0x9e3779b97f4a7c15u;
        digest = (digest ^ tag) * 0x9e3779b97f4a7c15u;
        for (size_t i = 0; i < len; i++) {
            digest = (digest ^ buf[i]) * 0x9e3779b97f4a7c15u;
        }
    }
    tern_link_free(link);
    return digest;
}

static void same_seed_gives_the_same_wire(void **state)
{
    (void)state;
    uint64_t digest = run_everything(11, 0);
    assert_int_equal(digest, run_everything(11, 0));
    assert_true(digest != run_everything(12, 0));
    assert_int_equal(digest, 0xf8091b30cddbe77fu); /* the same on every compiler */
}

static void one_mishap_does_not_shift_another(void **state)
{
    (void)state;
    assert_int_equal(run_everything(11, 0), run_everything(11, 0.5));
}

static void set_changes_what_comes_after(void **state)
{
    (void)state;
    tern_link_config config;
    tern_link_config_init(&config);
    config.delay = 10 * TERN_MSEC;
    tern_link *link = link_with(&config, 2);
    send_sized(link, 1, 10, START);
    config.delay = 50 * TERN_MSEC;
    tern_link_set(link, &config);
    send_sized(link, 2, 10, START);
    config.loss = 1;
    tern_link_set(link, &config);
    send_sized(link, 3, 10, START);
    uint64_t tag = 0;
    tern_time at = 0;
    assert_true(take(link, &tag, &at));
    assert_int_equal(at, START + 10 * TERN_MSEC);
    assert_true(take(link, &tag, &at));
    assert_int_equal(at, START + 50 * TERN_MSEC);
    assert_false(take(link, &tag, &at));
    tern_link_free(link);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(zero_is_a_perfect_wire),
    cmocka_unit_test(small_buffer_leaves_the_packet_inside),
    cmocka_unit_test(delay_is_exact),
    cmocka_unit_test(loss_rate_is_as_asked),
    cmocka_unit_test(bursts_have_the_asked_share_and_length),
    cmocka_unit_test(rate_is_accurate),
    cmocka_unit_test(full_queue_drops_the_tail),
    cmocka_unit_test(lone_packet_passes_a_tiny_queue),
    cmocka_unit_test(default_queue_is_one_second),
    cmocka_unit_test(jitter_keeps_order),
    cmocka_unit_test(reorder_holds_some_back),
    cmocka_unit_test(duplicates_come_twice),
    cmocka_unit_test(corruption_flips_one_to_four_bits),
    cmocka_unit_test(only_capable_packets_are_marked),
    cmocka_unit_test(mtu_stops_the_larger),
    cmocka_unit_test(blackout_loses_everything_and_repeats),
    cmocka_unit_test(blackout_takes_what_leaves_the_queue_in_it),
    cmocka_unit_test(same_seed_gives_the_same_wire),
    cmocka_unit_test(one_mishap_does_not_shift_another),
    cmocka_unit_test(set_changes_what_comes_after),
};

TERN_TEST_MAIN(tests)
