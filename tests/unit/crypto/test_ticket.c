/* Tickets: what is sealed comes back, whatever was touched does not, and keys have their days.
 * SPDX-License-Identifier: MIT */
#include "crypto/ticket.h"

#include "hex.h"

#define START (3600 * TERN_SEC)

static uint64_t seed;
static struct tern_random dice;
static struct tern_ticket_keys keys;

static void roll(void *user, uint8_t *buf, size_t len)
{
    (void)user;
    for (size_t i = 0; i < len; i++) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        buf[i] = (uint8_t)(seed >> 56);
    }
}

static int setup(void **state)
{
    tern_random_source hook = {roll, NULL};
    (void)state;
    seed = 5;
    tern_random_init(&dice, &hook);
    tern_ticket_keys_init(&keys, &dice, START);
    return 0;
}

static struct tern_ticket sample(void)
{
    struct tern_ticket ticket = {.id = UINT64_C(0x123456789abcdef0),
                                 .issued_at = START,
                                 .suite = 4,
                                 .limits = {1, UINT64_MAX, 3, 4, 5, 6}};
    memset(ticket.secret, 7, sizeof ticket.secret);
    memset(ticket.client_key, 8, sizeof ticket.client_key);
    return ticket;
}

static int open_at(struct tern_ticket *out, const uint8_t *sealed, size_t len, tern_time now)
{
    return tern_ticket_open(&keys, out, sealed, len, &dice, now);
}

static void what_is_sealed_comes_back(void **state)
{
    struct tern_ticket ticket = sample(), out = {0};
    uint8_t sealed[TERN_TICKET_SIZE];
    (void)state;
    tern_ticket_seal(&keys, &ticket, &dice, sealed, START);
    assert_int_equal(open_at(&out, sealed, sizeof sealed, START), 0);
    assert_int_equal(out.id, ticket.id);
    assert_int_equal(out.issued_at, ticket.issued_at);
    assert_int_equal(out.suite, ticket.suite);
    assert_memory_equal(out.secret, ticket.secret, sizeof out.secret);
    assert_memory_equal(out.client_key, ticket.client_key, sizeof out.client_key);
    assert_memory_equal(out.limits, ticket.limits, sizeof out.limits);
}

static void a_ticket_shows_nothing(void **state)
{
    struct tern_ticket ticket = sample();
    uint8_t first[TERN_TICKET_SIZE], second[TERN_TICKET_SIZE];
    size_t same = 0;
    (void)state;
    tern_ticket_seal(&keys, &ticket, &dice, first, START);
    tern_ticket_seal(&keys, &ticket, &dice, second, START);
    for (size_t i = 1; i < sizeof first; i++) {
        same += first[i] == second[i] ? 1 : 0;
    }
    assert_true(same < 10);
}

static void whatever_was_touched_does_not_open(void **state)
{
    struct tern_ticket ticket = sample(), out;
    uint8_t sealed[TERN_TICKET_SIZE + 1] = {0};
    (void)state;
    tern_ticket_seal(&keys, &ticket, &dice, sealed, START);
    for (size_t i = 0; i < TERN_TICKET_SIZE; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            sealed[i] ^= (uint8_t)(1u << bit);
            assert_int_equal(open_at(&out, sealed, TERN_TICKET_SIZE, START), TERN_ERR_CRYPTO);
            sealed[i] ^= (uint8_t)(1u << bit);
        }
    }
    for (size_t len = 0; len < TERN_TICKET_SIZE; len++) {
        assert_int_equal(open_at(&out, sealed, len, START), TERN_ERR_CRYPTO);
    }
    assert_int_equal(open_at(&out, sealed, TERN_TICKET_SIZE + 1, START), TERN_ERR_CRYPTO);
    assert_int_equal(open_at(&out, sealed, TERN_TICKET_SIZE, START), 0);
}

static void a_key_opens_for_two_days(void **state)
{
    struct tern_ticket ticket = sample(), out;
    uint8_t sealed[TERN_TICKET_SIZE];
    (void)state;
    tern_ticket_seal(&keys, &ticket, &dice, sealed, START);
    assert_int_equal(open_at(&out, sealed, sizeof sealed, START + TERN_TICKET_LIFE - 1), 0);
    assert_int_equal(open_at(&out, sealed, sizeof sealed, START + TERN_TICKET_LIFE), 0);
    assert_int_equal(open_at(&out, sealed, sizeof sealed, START + 2 * TERN_TICKET_LIFE),
                     TERN_ERR_CRYPTO);
}

static void a_key_that_slept_for_days_is_gone(void **state)
{
    struct tern_ticket ticket = sample(), out;
    uint8_t sealed[TERN_TICKET_SIZE];
    (void)state;
    tern_ticket_seal(&keys, &ticket, &dice, sealed, START);
    assert_int_equal(open_at(&out, sealed, sizeof sealed, START + 2 * TERN_TICKET_LIFE),
                     TERN_ERR_CRYPTO);
}

/* The number of a key is one byte: 256 keys later it comes again, and must not open. */
static void numbers_of_keys_come_again_in_vain(void **state)
{
    struct tern_ticket ticket = sample(), out;
    uint8_t sealed[TERN_TICKET_SIZE];
    tern_time now = START;
    (void)state;
    tern_ticket_seal(&keys, &ticket, &dice, sealed, START);
    for (int i = 0; i < 256; i++) {
        now += TERN_TICKET_LIFE;
        (void)open_at(&out, sealed, sizeof sealed, now);
    }
    assert_int_equal(keys.generation, sealed[0]);
    assert_int_equal(open_at(&out, sealed, sizeof sealed, now), TERN_ERR_CRYPTO);
}

static void another_server_does_not_open_it(void **state)
{
    struct tern_ticket ticket = sample(), out;
    uint8_t sealed[TERN_TICKET_SIZE];
    (void)state;
    tern_ticket_seal(&keys, &ticket, &dice, sealed, START);
    tern_ticket_keys_init(&keys, &dice, START);
    assert_int_equal(open_at(&out, sealed, sizeof sealed, START), TERN_ERR_CRYPTO);
}

static void a_binder_depends_on_all(void **state)
{
    uint8_t secret[32] = {1}, e[32] = {2}, first[TERN_TICKET_BINDER_SIZE];
    uint8_t other[TERN_TICKET_BINDER_SIZE];
    (void)state;
    tern_ticket_binder(first, secret, e, 1000);
    tern_ticket_binder(other, secret, e, 1000);
    assert_memory_equal(first, other, sizeof first);
    tern_ticket_binder(other, secret, e, 1001);
    assert_memory_not_equal(first, other, sizeof first);
    e[31] ^= 1;
    tern_ticket_binder(other, secret, e, 1000);
    assert_memory_not_equal(first, other, sizeof first);
    e[31] ^= 1;
    secret[31] ^= 1;
    tern_ticket_binder(other, secret, e, 1000);
    assert_memory_not_equal(first, other, sizeof first);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(what_is_sealed_comes_back, setup),
    cmocka_unit_test_setup(a_ticket_shows_nothing, setup),
    cmocka_unit_test_setup(whatever_was_touched_does_not_open, setup),
    cmocka_unit_test_setup(a_key_opens_for_two_days, setup),
    cmocka_unit_test_setup(a_key_that_slept_for_days_is_gone, setup),
    cmocka_unit_test_setup(numbers_of_keys_come_again_in_vain, setup),
    cmocka_unit_test_setup(another_server_does_not_open_it, setup),
    cmocka_unit_test(a_binder_depends_on_all),
};

TERN_TEST_MAIN(tests)
