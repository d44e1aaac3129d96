/* Identifiers issued and received, retired in both directions, and floods of them.
 * SPDX-License-Identifier: MIT */
#include "conn/cids.h"

#include "tern_test.h"
#include "unit/heap_kit.h"

static struct kit_heap heap;
static struct tern_mem mem;
static struct tern_random random_source;
static struct tern_map routes;
static struct tern_cids cids;
static int owner, other;

static int setup(void **state)
{
    (void)state;
    kit_mem(&mem, &heap);
    tern_random_init(&random_source, NULL);
    tern_map_init(&routes, &mem, &random_source);
    tern_cids_init(&cids, &routes, &owner);
    struct tern_cid first = {.len = 8, .bytes = {100}};
    tern_cids_set_remote(&cids, &first);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tern_cids_clear(&cids);
    bool is_empty = routes.count == 0;
    tern_map_clear(&routes);
    return is_empty && heap.blocks == 0 ? 0 : -1;
}

static struct tern_cid remote_cid(uint64_t n)
{
    struct tern_cid cid = {.len = 8, .bytes = {200, (uint8_t)n, (uint8_t)(n >> 8)}};
    return cid;
}

static int on_new(uint64_t sequence, uint64_t retire_prior_to)
{
    struct tern_cid cid = remote_cid(sequence);
    uint8_t token[TERN_RESET_TOKEN_SIZE] = {(uint8_t)sequence};
    return tern_cids_on_new(&cids, sequence, retire_prior_to, &cid, token);
}

static unsigned issued(void)
{
    unsigned count = 0;
    for (uint64_t i = 0; i < cids.next_sequence; i++) {
        count += tern_cids_find_local(&cids, i) != NULL ? 1 : 0;
    }
    return count;
}

static void issued_ones_are_routed(void **state)
{
    (void)state;
    assert_int_equal(tern_cids_issue(&cids, &random_source, false), 0);
    const struct tern_cid_local *local = tern_cids_find_local(&cids, 0);
    assert_non_null(local);
    assert_int_equal(local->cid.len, 8);
    assert_int_equal(local->cid.bytes[0], 7); /* QUIC-LB: length - 1 */
    assert_ptr_equal(tern_map_find(&routes, local->cid.bytes, 8), &owner);
    assert_null(tern_cids_next_new(&cids)); /* the handshake has told it */
    tern_cids_clear(&cids);
    assert_int_equal(routes.count, 0);
    assert_null(tern_cids_find_local(&cids, 0));
}

static void as_many_as_the_peer_takes(void **state)
{
    (void)state;
    assert_int_equal(tern_cids_issue(&cids, &random_source, false), 0);
    cids.peer_limit = 3;
    assert_int_equal(tern_cids_fill(&cids, &random_source), 0);
    assert_int_equal(issued(), 3);
    assert_int_equal(tern_cids_next_new(&cids)->sequence, 1);
    cids.peer_limit = UINT64_MAX;
    assert_int_equal(tern_cids_fill(&cids, &random_source), 0);
    assert_int_equal(issued(), TERN_CIDS_LIMIT);
    assert_int_equal(tern_cids_issue(&cids, &random_source, true), TERN_ERR_LIMIT);
}

static void a_retired_one_is_replaced(void **state)
{
    (void)state;
    cids.peer_limit = TERN_CIDS_LIMIT;
    assert_int_equal(tern_cids_issue(&cids, &random_source, false), 0);
    assert_int_equal(tern_cids_fill(&cids, &random_source), 0);
    struct tern_cid used = tern_cids_find_local(&cids, 1)->cid;
    struct tern_cid gone = tern_cids_find_local(&cids, 0)->cid;
    assert_int_equal(tern_cids_on_retire(&cids, 0, &used, &random_source), 0);
    assert_null(tern_map_find(&routes, gone.bytes, gone.len));
    assert_null(tern_cids_find_local(&cids, 0));
    assert_int_equal(issued(), TERN_CIDS_LIMIT);
    assert_int_equal(tern_cids_on_retire(&cids, 0, &used, &random_source), 0); /* a repeat */
    assert_int_equal(cids.next_sequence, TERN_CIDS_LIMIT + 1);
}

/* RFC 9000 §19.16 */
static void retiring_nonsense_is_a_violation(void **state)
{
    (void)state;
    assert_int_equal(tern_cids_issue(&cids, &random_source, false), 0);
    struct tern_cid used = tern_cids_find_local(&cids, 0)->cid;
    assert_int_equal(tern_cids_on_retire(&cids, 1, &used, &random_source), TERN_ERR_PROTOCOL);
    assert_int_equal(tern_cids_on_retire(&cids, UINT64_MAX, &used, &random_source),
                     TERN_ERR_PROTOCOL);
    assert_int_equal(tern_cids_on_retire(&cids, 0, &used, &random_source), TERN_ERR_PROTOCOL);
}

static void original_is_routed_for_a_while(void **state)
{
    (void)state;
    struct tern_cid chosen = {.len = 20, .bytes = {9, 9, 9}};
    assert_int_equal(tern_cids_route_original(&cids, &chosen), 0);
    assert_ptr_equal(tern_map_find(&routes, chosen.bytes, 20), &owner);
    tern_cids_drop_original(&cids);
    assert_null(tern_map_find(&routes, chosen.bytes, 20));
    /* taken by another connection: refused, and not taken away from it */
    assert_int_equal(tern_map_put(&routes, chosen.bytes, 20, &other), 0);
    assert_int_equal(tern_cids_route_original(&cids, &chosen), TERN_ERR_STATE);
    tern_cids_drop_original(&cids);
    assert_ptr_equal(tern_map_drop(&routes, chosen.bytes, 20), &other);
}

static void new_ones_are_kept_to_the_limit(void **state)
{
    (void)state;
    for (uint64_t i = 1; i < TERN_CIDS_LIMIT; i++) {
        assert_int_equal(on_new(i, 0), 0);
        assert_int_equal(on_new(i, 0), 0); /* a repeat says the same */
    }
    assert_int_equal(on_new(TERN_CIDS_LIMIT, 0), TERN_ERR_CONNECTION_ID_LIMIT);
    assert_int_equal(tern_cids_remote(&cids)->bytes[0], 100); /* nothing moved */
}

/* GHSA-rfhg: a repeat may retire the one in use while a path beside it has all the others. */
static void a_repeat_leaves_none_but_taken_ones(void **state)
{
    (void)state;
    uint64_t sequence, retired;
    assert_int_equal(on_new(1, 0), 0);
    assert_true(tern_cids_claim(&cids, &sequence));
    assert_int_equal(sequence, 1);
    assert_int_equal(on_new(1, 1), 0);
    assert_int_equal(tern_cids_active(&cids), 1); /* known again is better than not heard */
    assert_int_equal(tern_cids_remote(&cids)->bytes[0], 200);
    assert_true(tern_cids_next_retire(&cids, &retired));
    assert_int_equal(retired, 0);
    assert_int_equal(on_new(2, 0), 0);
    assert_int_equal(tern_cids_active(&cids), 1);
}

/* RFC 9000 §19.15 */
static void contradictions_are_violations(void **state)
{
    (void)state;
    struct tern_cid cid = remote_cid(9);
    const uint8_t token[TERN_RESET_TOKEN_SIZE] = {1};
    assert_int_equal(on_new(1, 2), TERN_ERR_PROTOCOL); /* retires itself */
    assert_int_equal(on_new(1, 0), 0);
    assert_int_equal(tern_cids_on_new(&cids, 1, 0, &cid, token), TERN_ERR_PROTOCOL);
    cid = remote_cid(1);
    assert_int_equal(tern_cids_on_new(&cids, 2, 0, &cid, token), TERN_ERR_PROTOCOL);
    const uint8_t wrong[TERN_RESET_TOKEN_SIZE] = {77};
    assert_int_equal(tern_cids_on_new(&cids, 1, 0, &cid, wrong), TERN_ERR_PROTOCOL);
    struct tern_cid none = {.len = 0};
    tern_cids_set_remote(&cids, &none); /* who asked for no identifier gets none to change */
    assert_int_equal(on_new(3, 0), TERN_ERR_PROTOCOL);
}

static void retire_prior_to_moves_us_on(void **state)
{
    (void)state;
    uint64_t sequence = 0;
    assert_int_equal(on_new(1, 0), 0);
    assert_false(tern_cids_wants(&cids));
    assert_int_equal(on_new(2, 2), 0);
    struct tern_cid wanted = remote_cid(2);
    assert_true(tern_cid_equal(tern_cids_remote(&cids), &wanted));
    assert_true(tern_cids_wants(&cids));
    unsigned seen = 0;
    while (tern_cids_next_retire(&cids, &sequence)) {
        seen |= 1u << sequence;
        tern_cids_on_retire_sent(&cids, sequence);
    }
    assert_int_equal(seen, 0x3);
    tern_cids_on_retire_lost(&cids, 0);
    assert_true(tern_cids_next_retire(&cids, &sequence));
    assert_int_equal(sequence, 0);
}

/* RFC 9000 §13.3 pins only the sequence number of a repeat; its retire_prior_to may have risen. */
static void a_repeat_may_retire_more(void **state)
{
    (void)state;
    assert_int_equal(on_new(1, 0), 0);
    assert_int_equal(on_new(2, 0), 0);
    assert_int_equal(on_new(2, 1), 0);
    assert_int_equal(cids.retire_count, 1);
    assert_int_equal(cids.retire[0], 0);
    assert_int_equal(tern_cids_remote(&cids)->bytes[0], 200); /* the first is in use no more */
    assert_int_equal(on_new(2, 2), 0);
    assert_int_equal(cids.retire_count, 2);
    struct tern_cid wanted = remote_cid(2);
    assert_true(tern_cid_equal(tern_cids_remote(&cids), &wanted));
    assert_int_equal(on_new(2, 1), 0); /* and does not fall */
    assert_int_equal(cids.retire_prior_to, 2);
    assert_int_equal(cids.retire_count, 2);
}

/* The handshake's identifier has no token of its own: the repeat of number 0 must be the same. */
static void the_first_one_has_a_number_too(void **state)
{
    (void)state;
    const uint8_t token[TERN_RESET_TOKEN_SIZE] = {5};
    const struct tern_cid first = {.len = 8, .bytes = {100}};
    assert_int_equal(tern_cids_on_new(&cids, 0, 0, &first, token), 0);
    assert_int_equal(on_new(0, 0), TERN_ERR_PROTOCOL);
    assert_int_equal(tern_cids_on_new(&cids, 1, 0, &first, token), TERN_ERR_PROTOCOL);
}

static void numbers_at_the_edge(void **state)
{
    (void)state;
    const uint64_t top = (UINT64_C(1) << 62) - 1; /* the largest that a frame can say */
    uint64_t sequence = 0;
    assert_int_equal(on_new(top, top), 0);
    assert_true(tern_cids_next_retire(&cids, &sequence));
    assert_int_equal(sequence, 0);
    assert_int_equal(on_new(top - 1, top - 1), 0); /* late */
    assert_int_equal(cids.retire_count, 2);
    struct tern_cid wanted = remote_cid(top);
    assert_true(tern_cid_equal(tern_cids_remote(&cids), &wanted));
}

/* Answers that are lost are owed again, once each, and never more than the bound. */
static void lost_retirements_stay_in_the_bound(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 100; i++) {
        tern_cids_on_retire_lost(&cids, i);
        tern_cids_on_retire_lost(&cids, i);
    }
    assert_int_equal(cids.retire_count, TERN_CIDS_RETIRE_MAX);
    for (uint64_t i = 0; i < TERN_CIDS_RETIRE_MAX; i++) {
        tern_cids_on_retire_sent(&cids, i);
    }
    assert_false(tern_cids_wants(&cids));
    tern_cids_on_retire_sent(&cids, 3); /* twice is harmless */
    assert_int_equal(cids.retire_count, 0);
}

/* The map grows with the first route and cannot: no identifier is half issued. */
static void without_memory_none_is_issued(void **state)
{
    (void)state;
    heap.fail_at = 1;
    assert_int_equal(tern_cids_issue(&cids, &random_source, true), TERN_ERR_NOMEM);
    assert_int_equal(tern_cids_fill(&cids, &random_source), TERN_ERR_NOMEM);
    assert_int_equal(issued(), 0);
    assert_int_equal(cids.next_sequence, 0);
    assert_false(tern_cids_wants(&cids));
    struct tern_cid chosen = {.len = 8, .bytes = {9}};
    assert_int_equal(tern_cids_route_original(&cids, &chosen), TERN_ERR_NOMEM);
    heap.fail_at = 0;
    assert_int_equal(tern_cids_fill(&cids, &random_source), 0);
    assert_int_equal(issued(), 2);
}

/* A generator that says the same number twice: the second identifier is drawn anew. */
static void repeat_then_count(void *user, uint8_t *buf, size_t len)
{
    unsigned *calls = user;
    memset(buf, (int)(++*calls / 2), len);
}

static void a_collision_is_drawn_again(void **state)
{
    (void)state;
    unsigned calls = 1;
    tern_random_source hook = {repeat_then_count, &calls};
    struct tern_random repeating;
    tern_random_init(&repeating, &hook);
    assert_int_equal(tern_cids_issue(&cids, &repeating, false), 0); /* 1 */
    assert_int_equal(tern_cids_issue(&cids, &repeating, false), 0); /* 1 again, then 2 */
    assert_int_equal(issued(), 2);
    assert_int_equal(routes.count, 2);
    assert_int_equal(calls, 4);
}

static void full_and_replaced_at_once(void **state)
{
    (void)state;
    for (uint64_t i = 1; i < TERN_CIDS_LIMIT; i++) {
        assert_int_equal(on_new(i, 0), 0);
    }
    assert_int_equal(on_new(TERN_CIDS_LIMIT, TERN_CIDS_LIMIT), 0); /* all old ones go */
    struct tern_cid wanted = remote_cid(TERN_CIDS_LIMIT);
    assert_true(tern_cid_equal(tern_cids_remote(&cids), &wanted));
    assert_int_equal(cids.retire_count, TERN_CIDS_LIMIT);
}

/* A peer that makes us retire without end, and never acknowledges, is stopped by a bound. */
static void a_flood_of_retirements_is_bounded(void **state)
{
    (void)state;
    int rc = 0;
    uint64_t sequence = 1;
    for (; rc == 0 && sequence < 1000; sequence++) {
        rc = on_new(sequence, sequence);
        assert_true(cids.retire_count <= TERN_CIDS_RETIRE_MAX);
    }
    assert_int_equal(rc, TERN_ERR_CONNECTION_ID_LIMIT);
    assert_in_range(sequence, TERN_CIDS_RETIRE_MAX, TERN_CIDS_RETIRE_MAX + 3);
}

static void a_late_one_is_retired_at_once(void **state)
{
    (void)state;
    assert_int_equal(on_new(5, 5), 0);
    size_t owed = cids.retire_count;
    assert_int_equal(on_new(3, 0), 0);
    assert_int_equal(cids.retire_count, owed + 1);
    assert_int_equal(on_new(3, 0), 0); /* owed once */
    assert_int_equal(cids.retire_count, owed + 1);
}

/* After a pause everything is sent twice: an identifier that has been given up since is not to be used again, for
 * the peer does not know it any more, and takes no room. */
static void a_repeat_of_a_retired_one_is_nothing_new(void **state)
{
    (void)state;
    uint64_t sequence = 0;
    for (uint64_t next = 1; next < 200; next++) {
        assert_int_equal(on_new(next, 0), 0);
        assert_true(tern_cids_claim(&cids, &sequence));
        assert_int_equal(sequence, next);
        tern_cids_activate(&cids, next);
        tern_cids_release(&cids, next - 1);
        while (tern_cids_next_retire(&cids, &sequence)) {
            tern_cids_on_retire_sent(&cids, sequence);
        }
        for (uint64_t old = 1; old < next; old++) {
            assert_int_equal(on_new(old, 0), 0);
        }
        assert_false(tern_cids_claim(&cids, &sequence));
        assert_int_equal(tern_cids_active(&cids), next);
    }
}

/* They may come in any order. */
static void a_late_one_is_good_when_it_is_the_first_of_its_number(void **state)
{
    (void)state;
    uint64_t sequence = 0;
    assert_int_equal(on_new(3, 0), 0);
    assert_int_equal(on_new(1, 0), 0);
    assert_int_equal(on_new(2, 0), 0);
    for (uint64_t n = 1; n <= 3; n++) {
        assert_true(tern_cids_claim(&cids, &sequence));
        assert_int_equal(sequence, n);
    }
}

/* A peer that keeps four in use and moves on one by one: each goes once, none that may stay. */
static void a_full_table_turns_over(void **state)
{
    (void)state;
    for (uint64_t i = 1; i < TERN_CIDS_LIMIT; i++) {
        assert_int_equal(on_new(i, 0), 0);
    }
    for (uint64_t i = TERN_CIDS_LIMIT; i < 50; i++) {
        uint64_t sequence = 0;
        assert_int_equal(on_new(i, i - TERN_CIDS_LIMIT + 1), 0);
        assert_int_equal(cids.retire_count, 1);
        assert_true(tern_cids_next_retire(&cids, &sequence));
        assert_int_equal(sequence, i - TERN_CIDS_LIMIT);
        tern_cids_on_retire_sent(&cids, sequence);
        for (uint64_t kept = i - TERN_CIDS_LIMIT + 1; kept <= i; kept++) {
            assert_int_equal(on_new(kept, 0), kept == 0 ? TERN_ERR_PROTOCOL : 0);
        }
        assert_int_equal(cids.retire_count, 0); /* all of those were known */
    }
}

/* retire_prior_to names the first that stays: it may be the one that is late. */
static void the_boundary_itself_stays(void **state)
{
    (void)state;
    assert_int_equal(on_new(6, 5), 0);
    assert_int_equal(cids.retire_count, 1);
    assert_int_equal(on_new(5, 0), 0);
    assert_int_equal(cids.retire_count, 1);
    assert_int_equal(on_new(6, 6), 0); /* it was kept, or else it would not be owed now */
    assert_int_equal(cids.retire_count, 2);
    assert_int_equal(cids.retire[1], 5);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(issued_ones_are_routed, setup, teardown),
    cmocka_unit_test_setup_teardown(as_many_as_the_peer_takes, setup, teardown),
    cmocka_unit_test_setup_teardown(a_retired_one_is_replaced, setup, teardown),
    cmocka_unit_test_setup_teardown(retiring_nonsense_is_a_violation, setup, teardown),
    cmocka_unit_test_setup_teardown(original_is_routed_for_a_while, setup, teardown),
    cmocka_unit_test_setup_teardown(new_ones_are_kept_to_the_limit, setup, teardown),
    cmocka_unit_test_setup_teardown(a_repeat_leaves_none_but_taken_ones, setup, teardown),
    cmocka_unit_test_setup_teardown(contradictions_are_violations, setup, teardown),
    cmocka_unit_test_setup_teardown(retire_prior_to_moves_us_on, setup, teardown),
    cmocka_unit_test_setup_teardown(a_repeat_may_retire_more, setup, teardown),
    cmocka_unit_test_setup_teardown(the_first_one_has_a_number_too, setup, teardown),
    cmocka_unit_test_setup_teardown(numbers_at_the_edge, setup, teardown),
    cmocka_unit_test_setup_teardown(lost_retirements_stay_in_the_bound, setup, teardown),
    cmocka_unit_test_setup_teardown(without_memory_none_is_issued, setup, teardown),
    cmocka_unit_test_setup_teardown(a_collision_is_drawn_again, setup, teardown),
    cmocka_unit_test_setup_teardown(full_and_replaced_at_once, setup, teardown),
    cmocka_unit_test_setup_teardown(a_flood_of_retirements_is_bounded, setup, teardown),
    cmocka_unit_test_setup_teardown(a_late_one_is_retired_at_once, setup, teardown),
    cmocka_unit_test_setup_teardown(a_repeat_of_a_retired_one_is_nothing_new, setup, teardown),
    cmocka_unit_test_setup_teardown(a_late_one_is_good_when_it_is_the_first_of_its_number, setup,
                                    teardown),
    cmocka_unit_test_setup_teardown(a_full_table_turns_over, setup, teardown),
    cmocka_unit_test_setup_teardown(the_boundary_itself_stays, setup, teardown),
};

TERN_TEST_MAIN(tests)
