/* Address validation, the amplification limit, moving and returning.
 * SPDX-License-Identifier: MIT */
#include "conn/paths.h"

#include "tern_test.h"

#define NOW (3600 * TERN_SEC)
#define PTO (200 * TERN_MSEC)

static struct tern_path path;
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
    tern_path_init(&path, &here, &there, &tern_cc_newreno, 333 * TERN_MSEC, NOW);
    tern_rtt_update(&path.rtt, 20 * TERN_MSEC, 0, NOW);
    return 0;
}

static void move_to(const tern_addr *remote)
{
    tern_path_move(&path, &here, remote, &random_source, &tern_cc_newreno, 333 * TERN_MSEC, 100,
                   PTO, NOW);
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

static void a_new_address_must_prove_itself(void **state)
{
    (void)state;
    tern_path_validate(&path);
    move_to(&elsewhere);
    assert_true(tern_addr_equal(&path.remote, &elsewhere));
    assert_false(path.is_validated);
    assert_int_equal(tern_path_allowance(&path), 300); /* of the packet that came from there */
    assert_true(path.wants_challenge);
    uint8_t guess[TERN_PATH_CHALLENGE_SIZE] = {0};
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
    tern_path_validate(&path);
    move_to(&elsewhere);
    memcpy(first, path.challenge, sizeof first);
    move_to(&other_port);
    assert_memory_not_equal(first, path.challenge, sizeof first);
    tern_path_on_challenge_sent(&path, PTO, NOW);
    move_to(&elsewhere);
    assert_int_equal(path.challenge_again, TERN_TIME_NEVER); /* that of the address before */
    assert_false(tern_path_on_response(&path, path.challenge));
}

/* S24: one challenge a PTO; RFC 9000 §8.2.4: three PTO, and then back. */
static void an_address_that_is_silent_is_given_up(void **state)
{
    (void)state;
    tern_path_validate(&path);
    move_to(&other_port);
    tern_path_on_challenge_sent(&path, PTO, NOW);
    assert_false(tern_path_on_timer(&path, NOW + PTO - 1));
    assert_false(path.wants_challenge);
    assert_false(tern_path_on_timer(&path, NOW + PTO));
    assert_true(path.wants_challenge);
    assert_int_equal(path.challenge_again, TERN_TIME_NEVER); /* no second alarm for the same */
    assert_false(tern_path_on_timer(&path, NOW + 3 * PTO - 1));
    assert_true(tern_path_on_timer(&path, NOW + 3 * PTO));
    assert_true(tern_addr_equal(&path.remote, &there));
    assert_true(path.is_validated);
    assert_int_equal(path.challenge_again, TERN_TIME_NEVER);
}

static void without_a_fallback_it_stays(void **state)
{
    (void)state;
    move_to(&elsewhere); /* the first address was never proved */
    tern_path_on_challenge_sent(&path, PTO, NOW);
    assert_false(tern_path_on_timer(&path, NOW + 60 * TERN_SEC));
    assert_true(tern_addr_equal(&path.remote, &elsewhere));
    assert_false(path.is_validated);
    assert_false(path.wants_challenge);
    assert_false(tern_path_on_response(&path, path.challenge));
    assert_int_equal(path.challenge_until, TERN_TIME_NEVER); /* given up, once */
    assert_int_equal(path.challenge_again, TERN_TIME_NEVER);
}

/* An attacker's copy moved us; the true peer's next packet brings us back without a new proof. */
static void the_way_back_needs_no_proof(void **state)
{
    (void)state;
    tern_path_validate(&path);
    move_to(&elsewhere);
    move_to(&there);
    assert_true(path.is_validated);
    assert_false(path.wants_challenge);
    assert_true(tern_addr_equal(&path.remote, &there));
}

/* RFC 9000 §8.2.4: three times the larger of the PTO that was and the PTO of a path not yet
 * measured. A peer that goes from a LAN to a far network needs longer than the LAN's PTO. */
static void a_slow_new_path_is_given_time(void **state)
{
    (void)state;
    struct tern_rtt unmeasured;
    tern_rtt_init(&unmeasured, 333 * TERN_MSEC);
    tern_time fresh = tern_rtt_pto(&unmeasured, 0);
    tern_path_validate(&path);
    tern_path_move(&path, &here, &elsewhere, &random_source, &tern_cc_newreno, 333 * TERN_MSEC, 100,
                   28 * TERN_MSEC, NOW);
    tern_path_on_challenge_sent(&path, fresh, NOW);
    assert_false(tern_path_on_timer(&path, NOW + 3 * fresh - 1));
    assert_true(tern_addr_equal(&path.remote, &elsewhere));
    assert_true(tern_path_on_timer(&path, NOW + 3 * fresh));
}

/* A path has two ends: back also means from where we spoke before. */
static void the_fallback_has_its_local_end(void **state)
{
    (void)state;
    tern_addr other_local;
    assert_int_equal(tern_addr_parse(&other_local, "192.0.2.77:7437"), 0);
    tern_path_validate(&path);
    tern_path_move(&path, &other_local, &elsewhere, &random_source, &tern_cc_newreno,
                   333 * TERN_MSEC, 100, PTO, NOW);
    assert_true(tern_addr_equal(&path.local, &other_local));
    assert_true(tern_path_on_timer(&path, NOW + 60 * TERN_SEC));
    assert_true(tern_addr_equal(&path.remote, &there));
    assert_true(tern_addr_equal(&path.local, &here));
}

/* S24: a spoofed source gets three times the bytes of the packet that named it, no more, and what
 * was received before from elsewhere does not count. */
static void a_move_starts_the_limit_anew(void **state)
{
    (void)state;
    tern_path_on_received(&path, 100000);
    path.sent = 7;
    tern_path_validate(&path);
    move_to(&elsewhere);
    assert_int_equal(tern_path_allowance(&path), 300);
    path.sent += 301; /* one byte too many is no wrap-around */
    assert_int_equal(tern_path_allowance(&path), 0);
    tern_path_on_received(&path, 1);
    assert_int_equal(tern_path_allowance(&path), 2);
}

/* S24: however often the timer is asked, one challenge a PTO. */
static void challenges_leave_once_a_pto(void **state)
{
    (void)state;
    unsigned sent = 0;
    tern_path_validate(&path);
    move_to(&other_port);
    for (tern_time now = NOW; now < NOW + 3 * PTO; now += PTO / 50) {
        assert_false(tern_path_on_timer(&path, now));
        if (path.wants_challenge) {
            tern_path_on_challenge_sent(&path, PTO, now);
            sent++;
        }
    }
    assert_int_equal(sent, 3);
}

/* After it was given up, a late answer changes nothing. */
static void a_late_answer_is_too_late(void **state)
{
    (void)state;
    tern_path_validate(&path);
    move_to(&elsewhere);
    tern_path_on_challenge_sent(&path, PTO, NOW);
    assert_true(tern_path_on_timer(&path, NOW + 60 * TERN_SEC));
    assert_false(tern_path_on_response(&path, path.challenge));
    assert_true(tern_addr_equal(&path.remote, &there));
}

/* [P §11]: a clock that stands or steps back. */
static void time_may_step_back(void **state)
{
    (void)state;
    tern_path_validate(&path);
    move_to(&elsewhere);
    tern_path_on_challenge_sent(&path, PTO, NOW);
    assert_false(tern_path_on_timer(&path, NOW - TERN_SEC));
    assert_false(path.wants_challenge);
    assert_true(path.has_challenge);
    assert_false(tern_path_on_timer(&path, 0));
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

/* The fallback is the last address that proved itself, not one that merely appeared. */
static void two_moves_fall_back_to_the_proved_one(void **state)
{
    (void)state;
    tern_path_validate(&path);
    move_to(&elsewhere);
    move_to(&other_port);
    tern_path_on_challenge_sent(&path, PTO, NOW);
    assert_true(tern_path_on_timer(&path, NOW + 60 * TERN_SEC));
    assert_true(tern_addr_equal(&path.remote, &there));
}

/* RFC 9000 §9.4: another port alone keeps what was learnt; another host does not. */
static void measurements_stay_on_the_same_host(void **state)
{
    (void)state;
    tern_path_validate(&path);
    path.cc.cwnd = 100000;
    path.cc.bytes_in_flight = 5000;
    move_to(&other_port);
    assert_true(path.rtt.has_sample);
    assert_int_equal(path.cc.cwnd, 100000);
    tern_path_validate(&path);
    move_to(&elsewhere);
    assert_false(path.rtt.has_sample);
    assert_int_equal(path.cc.cwnd, 12000);
    assert_int_equal(path.cc.bytes_in_flight, 5000); /* still unanswered */
}

/* S1: a flood of PATH_CHALLENGE makes four answers, in order, and no more. */
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

/* Once the new address has proved itself the old one is as strange as any. */
static void there_is_no_way_back_after_the_proof(void **state)
{
    (void)state;
    tern_path_validate(&path);
    move_to(&elsewhere);
    tern_path_on_challenge_sent(&path, PTO, NOW);
    assert_true(tern_path_on_response(&path, path.challenge));
    move_to(&there);
    assert_false(path.is_validated);
    assert_true(path.wants_challenge);
    assert_true(tern_addr_equal(&path.fallback, &elsewhere));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(three_times_what_came_until_it_is_proved, setup),
    cmocka_unit_test_setup(a_new_address_must_prove_itself, setup),
    cmocka_unit_test_setup(challenges_differ, setup),
    cmocka_unit_test_setup(an_address_that_is_silent_is_given_up, setup),
    cmocka_unit_test_setup(without_a_fallback_it_stays, setup),
    cmocka_unit_test_setup(the_way_back_needs_no_proof, setup),
    cmocka_unit_test_setup(a_slow_new_path_is_given_time, setup),
    cmocka_unit_test_setup(the_fallback_has_its_local_end, setup),
    cmocka_unit_test_setup(a_move_starts_the_limit_anew, setup),
    cmocka_unit_test_setup(challenges_leave_once_a_pto, setup),
    cmocka_unit_test_setup(a_late_answer_is_too_late, setup),
    cmocka_unit_test_setup(time_may_step_back, setup),
    cmocka_unit_test_setup(answers_leave_in_order_while_more_come, setup),
    cmocka_unit_test_setup(two_moves_fall_back_to_the_proved_one, setup),
    cmocka_unit_test_setup(measurements_stay_on_the_same_host, setup),
    cmocka_unit_test_setup(answers_are_bounded, setup),
    cmocka_unit_test_setup(there_is_no_way_back_after_the_proof, setup),
};

TERN_TEST_MAIN(tests)
