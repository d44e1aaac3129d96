/* Guessing codes, cutting modes down on the way, posing as the server. [P §4.7]
 * SPDX-License-Identifier: MIT */
#include "meddle_kit.h"
#include "mode_kit.h"
#include "one_pair.h"

static int setup(void **state)
{
    (void)state;
    pair_init(p);
    client->config.idle_timeout = server->config.idle_timeout = 0;
    return 0;
}

/* --- guessing ------------------------------------------------------------------------------------ */

static void the_third_wrong_guess_burns_a_code(void **state)
{
    (void)state;
    server->config.code = "7-orbit-salmon";
    pair_open(p);
    for (unsigned left = 3; left > 0; left--) {
        assert_int_equal(tern_endpoint_code_guesses(server->endpoint), left);
        assert_int_equal(mode_connect(p, NULL, NULL, "7-wrong-guess"), 0);
        assert_int_equal(mode_outcome(p), TERN_ERR_SECRET);
    }
    assert_int_equal(tern_endpoint_code_guesses(server->endpoint), 0);
    assert_int_equal(mode_connect(p, NULL, NULL, "7-orbit-salmon"), 0);
    assert_int_equal(mode_outcome(p), TERN_ERR_MODE);
    assert_int_equal(mode_connect(p, NULL, NULL, NULL), 0); /* nor does the door stand open now */
    assert_int_equal(mode_outcome(p), TERN_ERR_MODE);
    assert_int_equal(tern_endpoint_set_code(server->endpoint, "8-fresh-start"), 0);
    assert_int_equal(mode_connect(p, NULL, NULL, "8-fresh-start"), 0);
    assert_int_equal(mode_outcome(p), 0);
}

/* Twenty that have their message 2 before the first of them guesses: the twentieth, who is right, comes
 * too late. */
static void guessing_at_once_gains_nothing(void **state)
{
    (void)state;
    server->config.code = "7-orbit-salmon";
    pair_open(p);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(mode_connect(p, NULL, NULL, i == 19 ? "7-orbit-salmon" : "7-wrong-guess"),
                         0);
    }
    (void)pair_carry(p, PAIR_CLIENT);
    (void)pair_carry(p, PAIR_SERVER);
    assert_int_equal(tern_endpoint_code_guesses(server->endpoint), 3);
    pair_advance(p, 12 * TERN_SEC);
    assert_int_equal(server->connected, 0);
    assert_int_equal(client->connected, 0);
    assert_int_equal(client->closed, 20);
    assert_int_equal(tern_endpoint_code_guesses(server->endpoint), 0);
}

/* Who only takes message 2 and goes has guessed nothing, and has learnt nothing that depends on a guess. */
static bool drop_message_3(struct pair *pair, int from, uint8_t *data, size_t len)
{
    (void)len;
    return from == PAIR_SERVER || (data[0] & 0xb0) != 0xa0 || pair->wire_arg == 0;
}

static void half_a_handshake_is_no_guess(void **state)
{
    (void)state;
    server->config.code = "7-orbit-salmon";
    pair_open(p);
    p->wire = drop_message_3;
    p->wire_arg = 1;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(mode_connect(p, NULL, NULL, "7-wrong-guess"), 0);
        assert_int_equal(mode_outcome(p), TERN_ERR_TIMEOUT);
    }
    assert_int_equal(tern_endpoint_code_guesses(server->endpoint), 3);
    p->wire = NULL;
    assert_int_equal(mode_connect(p, NULL, NULL, "7-orbit-salmon"), 0);
    assert_int_equal(mode_outcome(p), 0);
}

/* A wrong message 3 that is sent again and again is one guess. */
static void a_repeated_guess_counts_once(void **state)
{
    static uint8_t copies[4][1500];
    (void)state;
    server->config.code = "7-orbit-salmon";
    pair_open(p);
    assert_int_equal(mode_connect(p, NULL, NULL, "7-wrong-guess"), 0);
    (void)pair_carry(p, PAIR_CLIENT);
    (void)pair_carry(p, PAIR_SERVER);
    tern_train train = {.data = p->buffer, .capacity = sizeof p->buffer};
    assert_true(tern_endpoint_transmit(client->endpoint, &train, p->now) > 0);
    for (size_t i = 0; i < 4; i++) {
        memcpy(copies[i], train.data, train.segment);
        assert_int_equal(pair_inject(p, PAIR_SERVER, copies[i], train.segment), 0);
    }
    assert_int_equal(tern_endpoint_code_guesses(server->endpoint), 2);
}

/* --- a forger in the middle ------------------------------------------------------------------------ */

static void expect_no_connection(const uint8_t *key, const uint8_t *secret, const char *code)
{
    unsigned closed = client->closed;
    assert_int_equal(mode_connect(p, key, secret, code), 0);
    pair_advance(p, 12 * TERN_SEC);
    assert_int_equal(client->connected + server->connected, 0);
    assert_int_equal(client->closed, closed + 1);
    assert_true(meddled > 0);
}

/* Pattern, suites, identity, ticket: whatever the path changes in the envelope, nobody connects. */
static void a_changed_envelope_connects_nobody(void **state)
{
    static const struct meddle_change changes[] = {{1, 0x10}, {1, 0x03}, {1, 0x20}, {1, 0x40},
                                                   {2, 0x80}, {3, 0x02}, {4, 0x01}};
    (void)state;
    pair_open(p);
    meddle_in(p);
    meddle_is_keyed = true;
    for (size_t i = 0; i < TERN_COUNT_OF(changes); i++) {
        meddle_change = changes[i];
        expect_no_connection(p->key, NULL, NULL);
    }
    meddle_is_keyed = false;
    for (size_t i = 0; i < TERN_COUNT_OF(changes);
         i++) { /* in first contact nothing seals message 1 */
        meddle_change = changes[i];
        expect_no_connection(NULL, NULL, NULL);
    }
}

static void a_mode_is_not_cut_down_on_the_way(void **state)
{
    (void)state;
    server->config.secret = mode_secret;
    pair_open(p);
    meddle_in(p);
    meddle_is_keyed = true;
    meddle_change = (struct meddle_change){1, TERN_PATTERN_PSK};
    expect_no_connection(p->key, mode_secret, NULL);
    meddle_is_keyed = false;
    expect_no_connection(NULL, mode_secret, NULL);
}

/* A code's slot and share, changed on the way: no connection, and no guess is counted for it. */
static void a_changed_code_message_is_no_guess(void **state)
{
    static const size_t places[] = {5, 10, 60, 100}; /* the slot, e, and the sealed parameters */
    (void)state;
    server->config.code = "7-orbit-salmon";
    pair_open(p);
    meddle_in(p);
    meddle_is_keyed = false;
    for (size_t i = 0; i < TERN_COUNT_OF(places); i++) {
        meddle_change = (struct meddle_change){places[i], 0x01};
        expect_no_connection(NULL, NULL, "7-orbit-salmon");
    }
    assert_int_equal(tern_endpoint_code_guesses(server->endpoint), 3);
}

/* --- posing ---------------------------------------------------------------------------------------- */

/* Somebody who answers in the server's place without the code: the client never says "connected". */
static void a_false_server_is_not_believed(void **state)
{
    (void)state;
    server->config.code = "7-other-words"; /* all that a liar can do is guess */
    pair_open(p);
    assert_int_equal(mode_connect(p, NULL, NULL, "7-orbit-salmon"), 0);
    assert_int_equal(mode_outcome(p), TERN_ERR_SECRET);
    assert_int_equal(client->connected, 0);
}

/* Two endpoints that both wait and both call: what one sends comes back to it. */
static bool reflect(struct pair *pair, int from, uint8_t *data, size_t len)
{
    if (from == PAIR_CLIENT) {
        static uint8_t copy[65536];
        memcpy(copy, data, len);
        assert_int_equal(pair_inject(pair, PAIR_CLIENT, copy, len), 0);
    }
    return false;
}

static void ones_own_words_connect_nobody(void **state)
{
    (void)state;
    client->config.accept = true;
    client->config.code = "7-orbit-salmon";
    pair_open(p);
    p->wire = reflect;
    assert_int_equal(mode_connect(p, NULL, NULL, "7-orbit-salmon"), 0);
    pair_advance(p, 12 * TERN_SEC);
    assert_int_equal(client->connected, 0);
    assert_int_equal(client->closed, 1);
}

/* A person's client and server may well share a key; who only calls cannot meet itself. */
static void ones_own_key_is_welcome_at_a_server(void **state)
{
    (void)state;
    static uint8_t secret[TERN_KEY_SIZE] = {7};
    client->config.secret_key = server->config.secret_key = secret;
    pair_open(p);
    assert_int_equal(mode_connect(p, NULL, NULL, NULL), 0);
    pair_advance(p, TERN_SEC);
    assert_int_equal(client->connected, 1);
    assert_int_equal(server->connected, 1);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(the_third_wrong_guess_burns_a_code, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(guessing_at_once_gains_nothing, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(half_a_handshake_is_no_guess, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_repeated_guess_counts_once, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_changed_envelope_connects_nobody, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_mode_is_not_cut_down_on_the_way, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_changed_code_message_is_no_guess, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_false_server_is_not_believed, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(ones_own_words_connect_nobody, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(ones_own_key_is_welcome_at_a_server, setup, pair_teardown),
};

TERN_TEST_MAIN(tests)
