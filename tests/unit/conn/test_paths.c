/* Address validation, the amplification limit, and what another address inherits.
 * SPDX-License-Identifier: MIT */
#include "conn/paths.h"

#include "tern_test.h"

#define NOW (3600 * TERN_SEC)
#define PTO (200 * TERN_MSEC)

static struct tern_path path;
static struct tern_cc_state cc;
static struct tern_random random_source;
static tern_addr here, there, other_port, elsewhere;

static int setup(void **state)
{
    (void)state;
    tern_random_init(&random_source, NULL);
    assert_int_equal(tern_addr_parse(&here, "192.0.2.1:7437"), 0);
    assert_int_equal(tern_addr_parse(&there, "198.51.100.1:1000"), 0);
    assert_int_equal(tern_addr_parse(&other_port, "198.51.100.1:2000"), 0);
    assert_int_equal(tern_addr_parse(&elsewhere, "203.0.113.1:1000"), 0);
    tern_path_init(&path, &cc, &here, &there, &tern_cc_newreno, 333 * TERN_MSEC, NOW);
    tern_rtt_update(&path.rtt, 20 * TERN_MSEC, 0, NOW);
    return 0;
}

/* RFC 9000 §8.1 */
static void three_times_what_came_until_it_is_proved(void **state)
{
    (void)state;
    assert_int_equal(path.pmtud.current, TERN_PMTUD_BASE);
    assert_int_equal(tern_path_allowance(&path), 0);
    tern_path_on_received(&path, 1200);
    assert_int_equal(tern_path_allowance(&path), 3600);
    path.sent += 3000;
    assert_int_equal(tern_path_allowance(&path), 600);
    path.sent += 1200;
    assert_int_equal(tern_path_allowance(&path), 0);
    tern_path_validate(&path);
    assert_int_equal(tern_path_allowance(&path), UINT64_MAX);
}

static void answers_leave_in_order_while_more_come(void **state)
{
    (void)state;
    const uint8_t one[TERN_PATH_CHALLENGE_SIZE] = {1}, two[TERN_PATH_CHALLENGE_SIZE] = {2},
                  three[TERN_PATH_CHALLENGE_SIZE] = {3};
    tern_path_on_challenge(&path, one);
    tern_path_on_challenge(&path, two);
    tern_path_on_response_sent(&path);
    tern_path_on_challenge(&path, three);
    assert_memory_equal(path.responses[0], two, sizeof two);
    assert_memory_equal(path.responses[1], three, sizeof three);
    assert_int_equal(path.response_count, 2);
}

/* A flood of PATH_CHALLENGE makes four answers, in order, and no more. */
static void answers_are_bounded(void **state)
{
    (void)state;
    for (uint8_t i = 0; i < 100; i++) {
        const uint8_t data[TERN_PATH_CHALLENGE_SIZE] = {i};
        tern_path_on_challenge(&path, data);
    }
    assert_int_equal(path.response_count, TERN_PATH_RESPONSES_MAX);
    for (uint8_t i = 0; i < TERN_PATH_RESPONSES_MAX; i++) {
        assert_int_equal(path.responses[0][0], i);
        tern_path_on_response_sent(&path);
    }
    assert_int_equal(path.response_count, 0);
}

static void only_the_right_answer_proves(void **state)
{
    (void)state;
    uint8_t guess[TERN_PATH_CHALLENGE_SIZE] = {0};
    tern_path_ask(&path, &random_source, NOW + 3 * PTO);
    assert_true(path.wants_challenge && tern_path_wants(&path));
    memcpy(guess, path.challenge, sizeof guess);
    assert_false(tern_path_on_response(&path, guess)); /* never asked yet */
    tern_path_on_challenge_sent(&path, PTO, NOW);
    guess[7] ^= 1;
    assert_false(tern_path_on_response(&path, guess));
    guess[7] ^= 1;
    assert_true(tern_path_on_response(&path, guess));
    assert_true(path.is_validated);
    assert_int_equal(path.challenge_until, TERN_TIME_NEVER);
    assert_false(tern_path_on_response(&path, guess)); /* once */
}

static void challenges_differ(void **state)
{
    (void)state;
    uint8_t first[TERN_PATH_CHALLENGE_SIZE];
    tern_path_ask(&path, &random_source, NOW + 3 * PTO);
    memcpy(first, path.challenge, sizeof first);
    tern_path_on_challenge_sent(&path, PTO, NOW);
    tern_path_ask(&path, &random_source, NOW + 3 * PTO);
    assert_memory_not_equal(first, path.challenge, sizeof first);
    assert_int_equal(path.challenge_again, TERN_TIME_NEVER); /* that of the question before */
    assert_false(tern_path_on_response(&path, path.challenge));
}

/* However often the timer is asked, one challenge a PTO; RFC 9000 §8.2.4: three PTO in all. */
static void challenges_leave_once_a_pto(void **state)
{
    (void)state;
    unsigned sent = 0;
    tern_path_ask(&path, &random_source, NOW + 3 * PTO);
    for (tern_time now = NOW; now < NOW + 3 * PTO; now += PTO / 50) {
        assert_false(tern_path_on_timer(&path, now));
        if (path.wants_challenge) {
            tern_path_on_challenge_sent(&path, PTO, now);
            sent++;
        }
    }
    assert_int_equal(sent, 3);
    assert_int_equal(path.challenged_at, 0); /* which of them is answered cannot be told */
    assert_true(tern_path_on_timer(&path, NOW + 3 * PTO));
    assert_int_equal(path.challenge_until, TERN_TIME_NEVER); /* given up, once */
    assert_int_equal(path.challenge_again, TERN_TIME_NEVER);
    assert_false(path.wants_challenge);
    assert_false(path.is_validated);
    assert_false(tern_path_on_response(&path, path.challenge)); /* too late */
}

/* A client does not know when its first challenge will leave. */
static void patience_begins_with_the_first_challenge(void **state)
{
    (void)state;
    tern_path_ask(&path, &random_source, TERN_TIME_NEVER);
    assert_false(tern_path_on_timer(&path, NOW + 60 * TERN_SEC));
    tern_path_on_challenge_sent(&path, PTO, NOW);
    assert_int_equal(path.challenge_until, NOW + 3 * PTO);
    assert_int_equal(path.challenged_at, NOW);
}

/* A clock that stands or steps back. */
static void time_may_step_back(void **state)
{
    (void)state;
    tern_path_ask(&path, &random_source, NOW + 3 * PTO);
    tern_path_on_challenge_sent(&path, PTO, NOW);
    assert_false(tern_path_on_timer(&path, NOW - TERN_SEC));
    assert_false(path.wants_challenge);
    assert_true(path.has_challenge);
    assert_false(tern_path_on_timer(&path, 0));
}

static void another_port_is_the_same_host(void **state)
{
    (void)state;
    tern_addr unknown = {0};
    assert_true(tern_path_is_same_host(&there, &other_port));
    assert_false(tern_path_is_same_host(&there, &elsewhere));
    assert_false(tern_path_is_same_host(&unknown, &unknown)); /* the system may choose any */
}

/* RFC 9000 §9.4 */
static void another_network_is_measured_anew(void **state)
{
    (void)state;
    tern_pmtud_init(&path.pmtud, 1452);
    path.pmtud.current = 1452;
    path.cc.cwnd = 100000;
    path.cc.bytes_in_flight = 5000;
    tern_path_measure_afresh(&path, &tern_cc_newreno, 333 * TERN_MSEC, NOW);
    assert_false(path.rtt.has_sample);
    assert_int_equal(path.cc.cwnd, 12000);
    assert_int_equal(path.cc.datagram, TERN_PMTUD_BASE);
    assert_int_equal(path.cc.bytes_in_flight, 5000); /* still unanswered */
    assert_int_equal(path.pmtud.current, TERN_PMTUD_BASE);
    assert_int_equal(path.pmtud.ceiling, 1452);
}

static void another_port_inherits(void **state)
{
    (void)state;
    struct tern_path next;
    struct tern_cc_state next_cc;
    path.id = 3;
    path.cc.cwnd = 100000;
    tern_path_init(&next, &next_cc, &here, &other_port, &tern_cc_newreno, 333 * TERN_MSEC, NOW);
    tern_path_inherit(&next, &path);
    assert_int_equal(next.id, 3);
    assert_int_equal(next.cc.cwnd, 100000);
    assert_true(next.rtt.has_sample);
    assert_true(tern_addr_equal(&next.remote, &other_port));
    assert_false(next.is_validated);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(only_the_right_answer_proves, setup),
    cmocka_unit_test_setup(challenges_differ, setup),
    cmocka_unit_test_setup(challenges_leave_once_a_pto, setup),
    cmocka_unit_test_setup(patience_begins_with_the_first_challenge, setup),
    cmocka_unit_test_setup(time_may_step_back, setup),
    cmocka_unit_test_setup(another_port_is_the_same_host, setup),
    cmocka_unit_test_setup(another_network_is_measured_anew, setup),
    cmocka_unit_test_setup(another_port_inherits, setup),
    cmocka_unit_test_setup(three_times_what_came_until_it_is_proved, setup),
    cmocka_unit_test_setup(answers_leave_in_order_while_more_come, setup),
    cmocka_unit_test_setup(answers_are_bounded, setup),
};

TERN_TEST_MAIN(tests)
