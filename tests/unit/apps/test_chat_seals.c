/* What another program computed by the specification alone (tests/vectors/chat_seals.py) opens here, and what is
 * sealed here is the same to the last byte.
 * SPDX-License-Identifier: MIT */
#include <sodium.h>
#include <string.h>

#include "tern_test.h"
#include "ternchat/seal.h"
#include "ternchat/seal_parts.h"
#include "vectors/chat_seals.h"

#define PROGRAM 0x01020304u
#define ROOM    "h\303\266hle"
#define UNICORN "gr\303\274\303\237e, \360\237\246\204"

struct bytes {
    uint8_t data[1024];
    size_t len;
};

static struct bytes unhex(const char *text)
{
    struct bytes b = {{0}, 0};
    assert_int_equal(sodium_hex2bin(b.data, sizeof b.data, text, strlen(text), NULL, &b.len, NULL),
                     0);
    return b;
}

static struct chat_slice slice(const struct bytes *b)
{
    return (struct chat_slice){b->data, b->len};
}

static const struct {
    const char *body;
    uint64_t id;
    enum chat_kind kind;
    uint64_t time;
    const char *words;
} words[] = {
    {SEALS_WORD_0, 0x5566778800000001, CHAT_KIND_TEXT, 1700000000000, "hello"},
    {SEALS_WORD_1, 0x5566778800000002, CHAT_KIND_ACTION, 1700000000001, "waves, and fills a bloc"},
    {SEALS_WORD_2, 0x5566778800000003, CHAT_KIND_TEXT, 1700000000002, ""},
    {SEALS_WORD_3, 0x5566778800000004, CHAT_KIND_TEXT, UINT64_MAX,
     UNICORN UNICORN UNICORN UNICORN UNICORN},
    {SEALS_WORD_4, 0x5566778800000005, CHAT_KIND_TEXT, 1700000000009, "by another chain"},
};
#define WORDS (sizeof words / sizeof words[0])

static struct seal *ann, *bob;
static struct bytes ann_key, bob_key;

static struct seal *be(const char *secret, const char *key, struct bytes *out)
{
    struct bytes bytes = unhex(secret);
    struct seal *seal = seal_new(ROOM, bytes.data);
    *out = unhex(key);
    assert_non_null(seal);
    assert_memory_equal(seal->pub, out->data, TERN_KEY_SIZE);
    return seal;
}

static int begin(void **state)
{
    (void)state;
    assert_true(sodium_init() >= 0);
    ann = be(SEALS_ANN_SECRET, SEALS_ANN_KEY, &ann_key);
    bob = be(SEALS_BOB_SECRET, SEALS_BOB_KEY, &bob_key);
    return 0;
}

static int end(void **state)
{
    (void)state;
    seal_free(ann);
    seal_free(bob);
    return 0;
}

/* --- opening ------------------------------------------------------------------------------------------ */

static void take_keys(const char *text, uint64_t id)
{
    struct bytes keys = unhex(text);
    assert_int_equal(seal_take_keys(bob, ann_key.data, id, slice(&keys)), SEAL_DONE);
}

static void opens(size_t i, uint32_t missed, bool is_late)
{
    struct bytes body = unhex(words[i].body);
    uint8_t out[1024];
    struct seal_opened opened;
    assert_int_equal(
        seal_open(bob, ann_key.data, words[i].id, words[i].kind, slice(&body), out, &opened),
        SEAL_DONE);
    assert_int_equal(opened.len, strlen(words[i].words));
    assert_memory_equal(out, words[i].words, opened.len);
    assert_true(opened.time == words[i].time);
    assert_int_equal(opened.missed, missed);
    assert_int_equal(opened.is_late, is_late);
    assert_int_equal(
        seal_open(bob, ann_key.data, words[i].id, words[i].kind, slice(&body), out, &opened),
        SEAL_REPEAT);
}

static void words_of_another_program_are_read(void **state)
{
    (void)state;
    take_keys(SEALS_KEYS_1, 0x1122334400000001);
    opens(0, 0, false);
    opens(2, 1, false);
    opens(1, 0, true); /* by the key that was kept */
    opens(3, 0, false);
    take_keys(SEALS_KEYS_2, 0x1122334400000002);
    opens(4, 0, false);
}

/* Each byte of a word is bound, and so is what stands around it. */
static void none_of_it_is_left_open(void **state)
{
    (void)state;
    uint8_t out[1024];
    struct seal_opened opened;
    take_keys(SEALS_KEYS_1, 0x1122334400000001);
    for (size_t i = 0; i < unhex(SEALS_WORD_0).len; i++) {
        struct bytes body = unhex(SEALS_WORD_0);
        body.data[i] ^= 1;
        assert_int_not_equal(
            seal_open(bob, ann_key.data, words[0].id, words[0].kind, slice(&body), out, &opened),
            SEAL_DONE);
    }
    struct bytes body = unhex(SEALS_WORD_0);
    assert_int_equal(
        seal_open(bob, ann_key.data, words[0].id + 1, words[0].kind, slice(&body), out, &opened),
        SEAL_FALSE);
    assert_int_equal(
        seal_open(bob, ann_key.data, words[0].id, CHAT_KIND_FILE, slice(&body), out, &opened),
        SEAL_FALSE);
    opens(0, 0, false);
}

/* --- sealing ------------------------------------------------------------------------------------------ */

/* A chain of ann's with the vectors' secrets in place of random ones. */
static struct own_chain *begin_chain(const char *key, const char *sign)
{
    struct bytes chain_key = unhex(key), seed = unhex(sign);
    seal_begin(ann);
    ann->program = PROGRAM;
    struct own_chain *chain = &ann->own[ann->own_count - 1];
    memcpy(chain->next.key, chain_key.data, CHAIN_KEY);
    chain->heard = chain->next;
    assert_int_equal(crypto_sign_seed_keypair(chain->verify, chain->sign, seed.data), 0);
    return chain;
}

static void seals(size_t i)
{
    struct bytes expected = unhex(words[i].body), made = {{0}, 0};
    struct chat_slice text = {(const uint8_t *)words[i].words, strlen(words[i].words)};
    uint8_t large[CHAT_BODY_MAX];
    made.len = seal_body(ann, words[i].id, words[i].kind, words[i].time, text, large, sizeof large);
    assert_int_equal(made.len, expected.len);
    assert_memory_equal(large, expected.data, made.len);
}

static void what_is_sealed_here_is_the_same(void **state)
{
    (void)state;
    struct bytes after = unhex(SEALS_CHAIN_1_AFTER);
    const struct own_chain *chain = begin_chain(SEALS_CHAIN_1, SEALS_SIGN_1);
    for (size_t i = 0; i < WORDS - 1; i++) {
        seals(i);
    }
    assert_memory_equal(chain->next.key, after.data, CHAIN_KEY);
    (void)begin_chain(SEALS_CHAIN_2, SEALS_SIGN_2);
    seals(WORDS - 1);
}

/* All of KEYS but the key of the event, which is random, and the boxes that are made with it. */
static void the_front_of_keys_is_the_same(void **state)
{
    (void)state;
    uint8_t made[512];
    struct bytes expected = unhex(SEALS_KEYS_1);
    (void)begin_chain(SEALS_CHAIN_1, SEALS_SIGN_1);
    size_t len = seal_keys(ann, 0, 0x1122334400000001, bob_key.data, 1, made, sizeof made);
    assert_int_equal(len, SEAL_KEYS_FRONT + SEAL_BOX);
    assert_memory_equal(made, expected.data, SEAL_KEYS_FRONT - TERN_KEY_SIZE);
    assert_memory_equal(made + SEAL_KEYS_FRONT, bob_key.data, SEAL_HINT);
}

static void a_box_is_the_same(void **state)
{
    (void)state;
    struct bytes keys = unhex(SEALS_KEYS_1), once = unhex(SEALS_ONCE_SECRET),
                 once_key = unhex(SEALS_ONCE_KEY), chain = unhex(SEALS_CHAIN_1);
    struct bytes ann_secret = unhex(SEALS_ANN_SECRET);
    const struct box_from from = {ann_secret.data, ann_key.data, once.data, once_key.data};
    uint8_t about[SEAL_KEYS_ABOUT], box[BOX_BYTES];
    seal_keys_about(ann, ann_key.data, bob_key.data, 0x1122334400000001, keys.data, about);
    assert_true(box_close(&from, bob_key.data, about, sizeof about, chain.data, box));
    assert_memory_equal(box, keys.data + SEAL_KEYS_FRONT + SEAL_HINT, BOX_BYTES);
    seal_keys_about(ann, ann_key.data, ann_key.data, 0x1122334400000001, keys.data, about);
    assert_true(box_close(&from, ann_key.data, about, sizeof about, chain.data, box));
    assert_memory_equal(box, keys.data + SEAL_KEYS_FRONT + SEAL_BOX + SEAL_HINT, BOX_BYTES);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(words_of_another_program_are_read, begin, end),
    cmocka_unit_test_setup_teardown(none_of_it_is_left_open, begin, end),
    cmocka_unit_test_setup_teardown(what_is_sealed_here_is_the_same, begin, end),
    cmocka_unit_test_setup_teardown(the_front_of_keys_is_the_same, begin, end),
    cmocka_unit_test_setup_teardown(a_box_is_the_same, begin, end),
};

TERN_TEST_MAIN(tests)
