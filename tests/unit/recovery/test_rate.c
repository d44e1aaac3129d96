/* The rate sampler against samples worked out by hand.
 * SPDX-License-Identifier: MIT */
#include "recovery/rate.h"

#include "tern_test.h"

#define SIZE    1000
#define START   (3600 * TERN_SEC)
#define MIN_RTT (50 * TERN_MSEC)

static struct tern_sent_packet send_at(struct tern_rate *rate, uint64_t in_flight, tern_time now)
{
    struct tern_sent_packet p = {.sent_at = now, .size = SIZE, .flags = TERN_SENT_IN_FLIGHT};
    tern_rate_on_sent(rate, &p, in_flight, now);
    return p;
}

static void one_packet_one_round_trip(void **state)
{
    struct tern_rate rate;
    struct tern_rate_sample s = {0};
    (void)state;
    tern_rate_init(&rate);
    struct tern_sent_packet p = send_at(&rate, 0, START);
    tern_rate_on_acked(&rate, &p, &s, START + 50 * TERN_MSEC);
    tern_rate_finish(&rate, &s, MIN_RTT);
    assert_true(s.has_any);
    assert_int_equal(s.delivered, 1000);
    assert_int_equal(s.interval, 50 * TERN_MSEC);
    assert_int_equal(s.rate, 20000); /* 1000 bytes in 50 ms */
    assert_int_equal(s.in_flight_at_send, 1000);
    assert_int_equal(s.lost, 0);
}

/* Four packets 10 ms apart; their ACKs come back 10 ms apart after 50 ms. The packet sent at 60 ms,
 * just after the first ACK, sees 4 packets delivered between its two ends: from the first ACK at 50
 * to its own at 110 ms. */
static void steady_flow_gives_its_rate(void **state)
{
    struct tern_rate rate;
    struct tern_sent_packet p[5];
    (void)state;
    tern_rate_init(&rate);
    for (unsigned i = 0; i < 4; i++) {
        p[i] = send_at(&rate, i * SIZE, START + i * 10 * TERN_MSEC);
    }
    struct tern_rate_sample first = {0};
    tern_rate_on_acked(&rate, &p[0], &first, START + 50 * TERN_MSEC);
    tern_rate_finish(&rate, &first, MIN_RTT);
    p[4] = send_at(&rate, 3 * SIZE, START + 60 * TERN_MSEC);
    for (unsigned i = 1; i < 4; i++) {
        struct tern_rate_sample s = {0};
        tern_rate_on_acked(&rate, &p[i], &s, START + (50 + i * 10) * TERN_MSEC);
    }
    struct tern_rate_sample s = {0};
    tern_rate_on_acked(&rate, &p[4], &s, START + 110 * TERN_MSEC);
    tern_rate_finish(&rate, &s, MIN_RTT);
    assert_int_equal(s.prior_delivered, 1000);
    assert_int_equal(s.delivered, 4000);
    assert_int_equal(s.ack_elapsed, 60 * TERN_MSEC);
    assert_int_equal(s.send_elapsed, 60 * TERN_MSEC);
    assert_int_equal(s.rate, 66666);
    assert_int_equal(s.in_flight_at_send, 4000);
}

/* ACKs that come in one bunch must not make the path look faster than we sent. */
static void send_interval_bounds_compressed_acks(void **state)
{
    struct tern_rate rate;
    struct tern_rate_sample s = {0};
    struct tern_sent_packet p[10];
    (void)state;
    tern_rate_init(&rate);
    for (unsigned i = 0; i < 10; i++) {
        p[i] = send_at(&rate, i * SIZE, START + i * 20 * TERN_MSEC);
    }
    for (unsigned i = 0; i < 10; i++) {
        tern_rate_on_acked(&rate, &p[i], &s, START + 230 * TERN_MSEC);
    }
    tern_rate_finish(&rate, &s, MIN_RTT);
    assert_int_equal(s.send_elapsed, 20 * TERN_MSEC * 9);
    assert_int_equal(s.ack_elapsed, 230 * TERN_MSEC);
    assert_int_equal(s.rate, 43478); /* 10000 bytes in 230 ms */
}

static void shorter_than_a_round_trip_is_no_sample(void **state)
{
    struct tern_rate rate;
    struct tern_rate_sample s = {0};
    (void)state;
    tern_rate_init(&rate);
    struct tern_sent_packet p = send_at(&rate, 0, START);
    tern_rate_on_acked(&rate, &p, &s, START + 49 * TERN_MSEC);
    tern_rate_finish(&rate, &s, MIN_RTT);
    assert_true(s.has_any);
    assert_int_equal(s.rate, 0);
}

static void newest_packet_gives_the_sample_in_any_order(void **state)
{
    (void)state;
    for (int order = 0; order < 2; order++) {
        struct tern_rate rate;
        struct tern_rate_sample s = {0};
        struct tern_sent_packet p[3];
        tern_rate_init(&rate);
        for (unsigned i = 0; i < 3; i++) { /* one burst: equal times */
            p[i] = send_at(&rate, i * SIZE, START);
        }
        for (unsigned i = 0; i < 3; i++) {
            tern_rate_on_acked(&rate, &p[order == 0 ? i : 2 - i], &s, START + 60 * TERN_MSEC);
        }
        tern_rate_finish(&rate, &s, MIN_RTT);
        assert_int_equal(s.in_flight_at_send, 3000);
        assert_int_equal(s.delivered, 3000);
        assert_int_equal(s.rate, 50000);
    }
}

static void losses_count_from_the_sending(void **state)
{
    struct tern_rate rate;
    struct tern_rate_sample s = {0};
    struct tern_sent_packet p[4];
    (void)state;
    tern_rate_init(&rate);
    p[0] = send_at(&rate, 0, START);
    tern_rate_on_lost(&rate, &p[0]);
    for (unsigned i = 1; i < 4; i++) {
        p[i] = send_at(&rate, i * SIZE, START + TERN_MSEC);
    }
    tern_rate_on_lost(&rate, &p[1]);
    tern_rate_on_lost(&rate, &p[2]);
    tern_rate_on_acked(&rate, &p[3], &s, START + 60 * TERN_MSEC);
    tern_rate_finish(&rate, &s, MIN_RTT);
    assert_int_equal(s.lost, 2000);
    assert_int_equal(rate.lost, 3000);
}

static void idle_time_is_no_slowness(void **state)
{
    struct tern_rate rate;
    struct tern_rate_sample s = {0}, after = {0};
    (void)state;
    tern_rate_init(&rate);
    struct tern_sent_packet p = send_at(&rate, 0, START);
    tern_rate_on_acked(&rate, &p, &s, START + 50 * TERN_MSEC);
    p = send_at(&rate, 0, START + 60 * TERN_SEC);
    tern_rate_on_acked(&rate, &p, &after, START + 60 * TERN_SEC + 50 * TERN_MSEC);
    tern_rate_finish(&rate, &after, MIN_RTT);
    assert_int_equal(after.interval, 50 * TERN_MSEC);
    assert_int_equal(after.rate, 20000);
}

static void application_limit_marks_and_ends(void **state)
{
    struct tern_rate rate;
    (void)state;
    tern_rate_init(&rate);
    struct tern_sent_packet before = send_at(&rate, 0, START);
    tern_rate_on_app_limited(&rate, SIZE);
    struct tern_sent_packet marked = send_at(&rate, SIZE, START + TERN_MSEC);
    struct tern_rate_sample one = {0}, two = {0};
    tern_rate_on_acked(&rate, &before, &one, START + 50 * TERN_MSEC);
    tern_rate_finish(&rate, &one, MIN_RTT);
    assert_false(one.is_app_limited);
    assert_true(rate.app_limited_until > 0);
    tern_rate_on_acked(&rate, &marked, &two, START + 51 * TERN_MSEC);
    tern_rate_finish(&rate, &two, MIN_RTT);
    assert_true(two.is_app_limited);
    assert_int_equal(rate.app_limited_until, 0);
    struct tern_sent_packet free_again = send_at(&rate, 0, START + 60 * TERN_MSEC);
    assert_int_equal(free_again.flags & TERN_SENT_APP_LIMITED, 0);
}

static void packets_out_of_flight_do_not_count(void **state)
{
    struct tern_rate rate;
    struct tern_rate_sample s = {0};
    (void)state;
    tern_rate_init(&rate);
    struct tern_sent_packet p = {.sent_at = START, .size = SIZE};
    tern_rate_on_acked(&rate, &p, &s, START + 50 * TERN_MSEC);
    tern_rate_finish(&rate, &s, MIN_RTT);
    assert_false(s.has_any);
    assert_int_equal(rate.delivered, 0);
    assert_int_equal(s.rate, 0);
}

/* The record has 32 bits for a time: beyond two seconds it is told to the microsecond. */
static void long_samples_are_kept(void **state)
{
    const tern_time spans[] = {TERN_SEC + 1, 2 * TERN_SEC + 7, 3 * TERN_SEC + 1500 * TERN_USEC,
                               1000 * TERN_SEC + 8 * TERN_USEC};
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(spans); i++) {
        struct tern_rate rate;
        struct tern_rate_sample s = {0};
        tern_rate_init(&rate);
        (void)send_at(&rate, 0, START);
        struct tern_sent_packet p = send_at(&rate, SIZE, START + spans[i]);
        tern_rate_on_acked(&rate, &p, &s, START + spans[i] + MIN_RTT);
        tern_rate_finish(&rate, &s, MIN_RTT);
        assert_int_equal(s.send_elapsed, spans[i]);
        assert_int_equal(s.prior_at, START);
        assert_int_equal(s.ack_elapsed, spans[i] + MIN_RTT);
    }
}

static void losses_are_counted_past_four_gigabytes(void **state)
{
    struct tern_rate rate;
    (void)state;
    tern_rate_init(&rate);
    rate.lost = UINT32_MAX - (uint64_t)10;
    (void)send_at(&rate, 0, START);
    struct tern_sent_packet p = send_at(&rate, SIZE, START);
    rate.lost += 300;
    assert_int_equal(tern_rate_lost_since(&rate, p.lost_before), 300);
    rate.lost -= 301; /* what was lost before it came after all */
    assert_int_equal(tern_rate_lost_since(&rate, p.lost_before), 0);
}

static void a_flight_beyond_the_record_is_as_large_as_it_can_tell(void **state)
{
    struct tern_rate rate;
    struct tern_rate_sample s = {0};
    (void)state;
    tern_rate_init(&rate);
    struct tern_sent_packet p = send_at(&rate, UINT64_C(1) << 40, START);
    tern_rate_on_acked(&rate, &p, &s, START + MIN_RTT);
    assert_int_equal(s.in_flight_at_send, UINT64_C(0xffffffff) + SIZE);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(one_packet_one_round_trip),
    cmocka_unit_test(steady_flow_gives_its_rate),
    cmocka_unit_test(send_interval_bounds_compressed_acks),
    cmocka_unit_test(shorter_than_a_round_trip_is_no_sample),
    cmocka_unit_test(newest_packet_gives_the_sample_in_any_order),
    cmocka_unit_test(losses_count_from_the_sending),
    cmocka_unit_test(idle_time_is_no_slowness),
    cmocka_unit_test(application_limit_marks_and_ends),
    cmocka_unit_test(packets_out_of_flight_do_not_count),
    cmocka_unit_test(long_samples_are_kept),
    cmocka_unit_test(losses_are_counted_past_four_gigabytes),
    cmocka_unit_test(a_flight_beyond_the_record_is_as_large_as_it_can_tell),
};

TERN_TEST_MAIN(tests)
