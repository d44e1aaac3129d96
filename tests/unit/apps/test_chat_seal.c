/* Sealed rooms: what members can do, and what a server, a stranger or a bad member cannot.
 * SPDX-License-Identifier: MIT */
#include "ternchat/seal.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tern_test.h"

/* A member of the room "den". */
struct who {
    uint8_t secret[TERN_KEY_SIZE], key[TERN_KEY_SIZE];
    struct seal *seal;
    uint64_t next_id;
};

struct event {
    uint8_t from[TERN_KEY_SIZE];
    uint64_t id;
    enum chat_kind kind;
    uint8_t body[CHAT_BODY_MAX];
    size_t len;
};

static struct who ann, bob, eve;

static void be(struct who *who, uint8_t seed, const char *room)
{
    memset(who->secret, seed, sizeof who->secret);
    assert_int_equal(crypto_scalarmult_base(who->key, who->secret), 0);
    who->seal = seal_new(room, who->secret);
    assert_non_null(who->seal);
    who->next_id = (uint64_t)seed << 32 | 1;
}

/* Another program of theirs, which knows nothing. */
static void be_again(struct who *who)
{
    seal_free(who->seal);
    who->seal = seal_new("den", who->secret);
    assert_non_null(who->seal);
}

static int begin(void **state)
{
    (void)state;
    assert_true(sodium_init() >= 0);
    be(&ann, 1, "den");
    be(&bob, 2, "den");
    be(&eve, 3, "den");
    return 0;
}

static int end(void **state)
{
    (void)state;
    seal_free(ann.seal);
    seal_free(bob.seal);
    seal_free(eve.seal);
    return 0;
}

static struct event *event_of(struct who *who, enum chat_kind kind)
{
    struct event *e = calloc(1, sizeof *e);
    assert_non_null(e);
    memcpy(e->from, who->key, sizeof e->from);
    e->id = who->next_id++;
    e->kind = kind;
    return e;
}

/* KEYS of the newest chain. */
static struct event *give(struct who *who, const struct who *to)
{
    struct event *e = event_of(who, CHAT_KIND_KEYS);
    e->len = seal_keys(who->seal, seal_chains(who->seal) - 1, e->id, to->key, 1, e->body,
                       sizeof e->body);
    assert_true(e->len > 0);
    return e;
}

static enum seal_result take(struct who *who, const struct event *e)
{
    return seal_take_keys(who->seal, e->from, e->id, (struct chat_slice){e->body, e->len});
}

/* ann has a chain that bob can read. */
static void introduce(void)
{
    seal_begin(ann.seal);
    struct event *e = give(&ann, &bob);
    assert_int_equal(take(&bob, e), SEAL_DONE);
    free(e);
}

static struct event *say(struct who *who, const char *words)
{
    struct event *e = event_of(who, CHAT_KIND_TEXT);
    e->len = seal_body(who->seal, e->id, e->kind, 1000, chat_text(words), e->body, sizeof e->body);
    assert_true(e->len > strlen(words));
    return e;
}

static char heard[CHAT_BODY_MAX + 1];
static struct seal_opened opened;

static enum seal_result hear(struct who *who, const struct event *e)
{
    heard[0] = '\0';
    enum seal_result result =
        seal_open(who->seal, e->from, e->id, e->kind, (struct chat_slice){e->body, e->len},
                  (uint8_t *)heard, &opened);
    if (result == SEAL_DONE) {
        heard[opened.len] = '\0';
    }
    return result;
}

static void expect(struct who *who, struct event *e, const char *words)
{
    assert_int_equal(hear(who, e), SEAL_DONE);
    assert_string_equal(heard, words);
    free(e);
}

static void refuse(struct who *who, struct event *e, enum seal_result result)
{
    assert_int_equal(hear(who, e), result);
    free(e);
}

/* --- what members can do ------------------------------------------------------------------------------ */

static void what_is_sealed_is_opened(void **state)
{
    char many[1000];
    (void)state;
    introduce();
    expect(&bob, say(&ann, "hello bob"), "hello bob");
    assert_int_equal(opened.time, 1000);
    assert_int_equal(opened.missed, 0);
    expect(&bob, say(&ann, ""), "");
    memset(many, 'x', sizeof many - 1);
    for (size_t len = 0; len < sizeof many; len += 37) {
        many[len] = '\0';
        expect(&bob, say(&ann, many), many);
        many[len] = 'x';
    }
    assert_int_equal(seal_words(ann.seal), 30);
}

static void the_longest_words_fit(void **state)
{
    static uint8_t much[CHAT_WORDS_MAX];
    (void)state;
    introduce();
    struct event *e = event_of(&ann, CHAT_KIND_TEXT);
    memset(much, 'y', sizeof much);
    e->len = seal_body(ann.seal, e->id, e->kind, 1, (struct chat_slice){much, sizeof much}, e->body,
                       sizeof e->body);
    assert_true(e->len > sizeof much && e->len <= CHAT_BODY_MAX);
    assert_int_equal(hear(&bob, e), SEAL_DONE);
    assert_int_equal(opened.len, sizeof much);
    assert_memory_equal(heard, much, sizeof much);
    free(e);
}

static void lengths_tell_little(void **state)
{
    (void)state;
    introduce();
    struct event *one = say(&ann, "y"), *other = say(&ann, "no, never again");
    assert_int_equal(one->len, other->len);
    free(one);
    free(other);
}

static void a_newcomer_reads_what_was_not_in_its_place(void **state)
{
    (void)state;
    introduce();
    struct event *before = say(&ann, "before"), *after = say(&ann, "after");
    seal_on_heard(ann.seal, (struct chat_slice){before->body, before->len});
    assert_true(seal_is_on_its_way(ann.seal, 0));
    struct event *keys = give(&ann, &eve);
    assert_int_equal(take(&eve, keys), SEAL_DONE);
    refuse(&eve, before, SEAL_REPEAT); /* no key of it can be found any more */
    expect(&eve, after, "after");
    free(keys);
}

static void words_of_a_chain_that_was_ended_are_given_too(void **state)
{
    (void)state;
    introduce();
    struct event *old = say(&ann, "old");
    seal_begin(ann.seal);
    assert_int_equal(seal_chains(ann.seal), 2);
    struct event *first = event_of(&ann, CHAT_KIND_KEYS);
    first->len = seal_keys(ann.seal, 0, first->id, eve.key, 1, first->body, sizeof first->body);
    struct event *second = give(&ann, &eve), *third = give(&ann, &bob);
    assert_int_equal(take(&eve, first), SEAL_DONE);
    assert_int_equal(take(&eve, second), SEAL_DONE);
    assert_int_equal(take(&bob, third), SEAL_DONE);
    struct chat_slice body = {old->body, old->len};
    assert_int_equal(hear(&eve, old), SEAL_DONE);
    seal_on_heard(ann.seal, body);
    assert_int_equal(seal_chains(ann.seal), 1); /* nobody needs the old one any more */
    struct event *new = say(&ann, "new");
    assert_int_equal(hear(&bob, new), SEAL_DONE);
    assert_int_equal(opened.missed, 1); /* bob has not had the old word: numbers go on */
    expect(&bob, old, "old");
    assert_true(opened.is_late);
    expect(&eve, new, "new");
    free(first);
    free(second);
    free(third);
}

static void who_left_cannot_read_on(void **state)
{
    (void)state;
    introduce();
    struct event *keys = give(&ann, &eve);
    assert_int_equal(take(&eve, keys), SEAL_DONE);
    free(keys);
    expect(&eve, say(&ann, "with eve"), "with eve");
    seal_end(ann.seal);
    struct event *none = event_of(&ann, CHAT_KIND_TEXT);
    assert_int_equal(
        seal_body(ann.seal, none->id, none->kind, 1, chat_text("x"), none->body, sizeof none->body),
        0);
    free(none);
    introduce();
    struct event *e = say(&ann, "without eve");
    assert_int_equal(hear(&eve, e), SEAL_NO_KEY);
    expect(&bob, e, "without eve");
}

static bool is_bob(void *user, const uint8_t key[TERN_KEY_SIZE])
{
    (void)user;
    return memcmp(key, bob.key, TERN_KEY_SIZE) == 0;
}

static void readers_are_known(void **state)
{
    (void)state;
    introduce();
    assert_true(seal_is_reader(ann.seal, bob.key));
    assert_false(seal_is_reader(ann.seal, eve.key));
    assert_false(seal_has_other(ann.seal, is_bob, NULL));
    free(give(&ann, &eve));
    assert_true(seal_has_other(ann.seal, is_bob, NULL));
    seal_forget_reader(ann.seal, eve.key);
    assert_false(seal_is_reader(ann.seal, eve.key));
    assert_true(seal_is_reader(ann.seal, bob.key));
}

static void a_room_of_a_thousand_gets_its_keys_in_one_event(void **state)
{
    static uint8_t keys[1000][TERN_KEY_SIZE];
    (void)state;
    seal_begin(ann.seal);
    for (size_t i = 0; i < 1000; i++) {
        randombytes_buf(keys[i], sizeof keys[i]);
    }
    memcpy(keys[500], bob.key, sizeof bob.key);
    memcpy(keys[499], bob.key, 16); /* it looks like bob's at first */
    struct event *e = event_of(&ann, CHAT_KIND_KEYS);
    e->len = seal_keys(ann.seal, 0, e->id, keys[0], 1000, e->body, sizeof e->body);
    assert_true(e->len > 0);
    assert_int_equal(take(&bob, e), SEAL_DONE);
    expect(&bob, say(&ann, "all"), "all");
    assert_int_equal(take(&eve, e), SEAL_NO_KEY);
    free(e);
}

/* --- what a lying server cannot ----------------------------------------------------------------------- */

static void a_word_comes_only_once(void **state)
{
    (void)state;
    introduce();
    struct event *e = say(&ann, "once");
    assert_int_equal(hear(&bob, e), SEAL_DONE);
    refuse(&bob, e, SEAL_REPEAT);
}

static void a_dropped_word_is_missed(void **state)
{
    (void)state;
    introduce();
    free(say(&ann, "one"));
    free(say(&ann, "two"));
    expect(&bob, say(&ann, "three"), "three");
    assert_int_equal(opened.missed, 2);
    expect(&bob, say(&ann, "four"), "four");
    assert_int_equal(opened.missed, 0); /* told once */
}

static void a_reordered_word_is_seen_to_be_late(void **state)
{
    (void)state;
    introduce();
    struct event *one = say(&ann, "one"), *two = say(&ann, "two");
    expect(&bob, two, "two");
    assert_int_equal(opened.missed, 1);
    assert_int_equal(hear(&bob, one), SEAL_DONE);
    assert_true(opened.is_late);
    refuse(&bob, one, SEAL_REPEAT); /* its key is gone now */
}

static void few_skipped_keys_are_kept(void **state)
{
    struct event *all[SEAL_SKIPPED + 10];
    (void)state;
    introduce();
    for (size_t i = 0; i < SEAL_SKIPPED + 10; i++) {
        all[i] = say(&ann, "word");
    }
    expect(&bob, say(&ann, "last"), "last");
    assert_int_equal(opened.missed, SEAL_SKIPPED + 10);
    for (size_t i = 0; i < SEAL_SKIPPED + 10; i++) {
        refuse(&bob, all[i], i < 10 ? SEAL_REPEAT : SEAL_DONE);
    }
}

static void a_word_is_its_writers_alone(void **state)
{
    (void)state;
    introduce();
    seal_begin(eve.seal);
    struct event *keys = give(&eve, &bob);
    assert_int_equal(take(&bob, keys), SEAL_DONE);
    free(keys);
    struct event *e = say(&ann, "by ann");
    memcpy(e->from, eve.key, sizeof e->from); /* the server says it is eve's */
    assert_int_equal(hear(&bob, e), SEAL_NO_KEY);
    memcpy(e->from, ann.key, sizeof e->from);
    expect(&bob, e, "by ann");
    e = say(&eve, "by eve");
    memcpy(e->from, ann.key, sizeof e->from);
    refuse(&bob, e, SEAL_NO_KEY);
}

static void a_word_stays_in_its_room(void **state)
{
    struct who there;
    (void)state;
    introduce();
    be(&there, 2, "another den"); /* bob, in another room */
    struct event *keys = give(&ann, &bob);
    assert_int_equal(take(&there, keys), SEAL_FALSE); /* ann's keys are not taken there */
    free(keys);
    uint8_t dump[SEAL_DUMP];
    struct event *e = say(&ann, "here");
    struct chat_slice body = {e->body, e->len};
    size_t len = seal_dump(bob.seal, ann.key, seal_program(body), dump);
    assert_true(seal_load(there.seal, ann.key, seal_program(body), (struct chat_slice){dump, len}));
    assert_int_equal(hear(&there, e), SEAL_FALSE); /* nor her words, even if they were */
    expect(&bob, e, "here");
    seal_free(there.seal);
}

static void nothing_of_a_word_can_be_changed(void **state)
{
    (void)state;
    introduce();
    struct event *e = say(&ann, "as it was");
    for (size_t i = 0; i < e->len * 8; i++) {
        e->body[i / 8] ^= (uint8_t)(1u << i % 8);
        assert_int_not_equal(hear(&bob, e), SEAL_DONE);
        e->body[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    for (size_t len = 0; len < e->len; len++) {
        struct chat_slice cut = {e->body, len};
        assert_int_not_equal(
            seal_open(bob.seal, e->from, e->id, e->kind, cut, (uint8_t *)heard, &opened),
            SEAL_DONE);
    }
    e->id++;
    assert_int_equal(hear(&bob, e), SEAL_FALSE);
    e->id--;
    e->kind = CHAT_KIND_FILE;
    assert_int_equal(hear(&bob, e), SEAL_FALSE);
    e->kind = CHAT_KIND_TEXT;
    expect(&bob, e, "as it was");
}

static void nothing_of_keys_can_be_changed(void **state)
{
    (void)state;
    seal_begin(ann.seal);
    struct event *e = give(&ann, &bob);
    for (size_t i = 0; i < e->len; i++) {
        e->body[i] ^= 4;
        assert_int_not_equal(take(&bob, e), SEAL_DONE);
        e->body[i] ^= 4;
    }
    e->id++;
    assert_int_equal(take(&bob, e), SEAL_FALSE);
    e->id--;
    memcpy(e->from, eve.key, sizeof e->from); /* not ann's, says the server */
    assert_int_equal(take(&bob, e), SEAL_FALSE);
    memcpy(e->from, ann.key, sizeof e->from);
    e->len--;
    assert_int_equal(take(&bob, e), SEAL_FALSE);
    e->len++;
    assert_int_equal(take(&bob, e), SEAL_DONE);
    free(e);
}

static void old_keys_do_not_bring_old_words_back(void **state)
{
    (void)state;
    seal_begin(ann.seal);
    struct event *keys = give(&ann, &bob);
    assert_int_equal(take(&bob, keys), SEAL_DONE);
    struct event *word = say(&ann, "then");
    assert_int_equal(hear(&bob, word), SEAL_DONE);
    assert_int_equal(take(&bob, keys), SEAL_REPEAT);
    assert_int_equal(hear(&bob, word), SEAL_REPEAT);
    for (unsigned i = 0; i < SEAL_EPOCHS + 1; i++) {
        introduce(); /* until the chain is forgotten */
    }
    assert_int_equal(take(&bob, keys), SEAL_REPEAT);
    refuse(&bob, word, SEAL_REPEAT);
    free(keys);
}

/* --- what strangers and bad members cannot ------------------------------------------------------------ */

static void a_stranger_reads_nothing(void **state)
{
    (void)state;
    seal_begin(ann.seal);
    struct event *keys = give(&ann, &bob);
    assert_int_equal(take(&eve, keys), SEAL_NO_KEY);
    struct event *e = say(&ann, "for bob");
    refuse(&eve, e, SEAL_NO_KEY);
    free(keys);
}

static void nobody_makes_keys_in_anothers_name(void **state)
{
    (void)state;
    seal_begin(eve.seal);
    struct event *keys = give(&eve, &bob);
    memcpy(keys->from, ann.key, sizeof keys->from);
    assert_int_equal(take(&bob, keys), SEAL_FALSE);
    free(keys);
}

/* Eve has ann's chain, as every member has, and its key of signatures she has not. */
static void a_member_cannot_speak_for_another(void **state)
{
    uint8_t dump[SEAL_DUMP];
    (void)state;
    introduce();
    struct event *e = say(&ann, "my word");
    struct event *forged = say(&ann, "my word");
    uint32_t program = seal_program((struct chat_slice){e->body, e->len});
    assert_true(seal_dump(bob.seal, ann.key, program, dump) > 0); /* what any member knows */
    uint8_t key[crypto_sign_PUBLICKEYBYTES], secret[crypto_sign_SECRETKEYBYTES];
    assert_int_equal(crypto_sign_keypair(key, secret), 0);
    uint8_t *signature = forged->body + forged->len - crypto_sign_BYTES;
    assert_int_equal(crypto_sign_detached(signature, NULL, forged->body, 20, secret), 0);
    refuse(&bob, forged, SEAL_FALSE);
    expect(&bob, e, "my word"); /* and the attempt has moved nothing */
    assert_int_equal(opened.missed, 0);
}

static void keys_that_are_no_keys_are_passed_over(void **state)
{
    static const uint8_t none[2][TERN_KEY_SIZE];
    uint8_t to[2][TERN_KEY_SIZE];
    (void)state;
    seal_begin(ann.seal);
    memcpy(to[0], none[0], sizeof to[0]);
    memcpy(to[1], bob.key, sizeof to[1]);
    struct event *e = event_of(&ann, CHAT_KIND_KEYS);
    e->len = seal_keys(ann.seal, 0, e->id, to[0], 2, e->body, sizeof e->body);
    assert_int_equal(take(&bob, e), SEAL_DONE);
    memset(e->body + e->len - 2 * TERN_KEY_SIZE, 0, TERN_KEY_SIZE);
    free(e);
}

/* Eve starts program after program; bob still reads ann. */
static void nobody_pushes_out_the_chains_of_others(void **state)
{
    struct who many;
    (void)state;
    introduce();
    seal_begin(eve.seal);
    struct event *keys = give(&eve, &bob), *word = say(&eve, "her first program");
    assert_int_equal(take(&bob, keys), SEAL_DONE);
    free(keys);
    for (unsigned i = 0; i < SEAL_PROGRAMS; i++) {
        be(&many, 3, "den");
        seal_begin(many.seal);
        keys = give(&many, &bob);
        assert_int_equal(take(&bob, keys), SEAL_DONE);
        free(keys);
        seal_free(many.seal);
    }
    refuse(&bob, word, SEAL_NO_KEY);
    expect(&bob, say(&ann, "still here"), "still here");
}

static void a_chain_does_not_jump_for_ever(void **state)
{
    (void)state;
    introduce();
    for (uint32_t i = 0; i < SEAL_JUMP + 1; i++) {
        struct event *e = i == 0 ? say(&ann, "") : NULL;
        if (e == NULL) { /* quicker than with an event each */
            static uint8_t body[SEAL_MORE];
            assert_true(
                seal_body(ann.seal, i, CHAT_KIND_TEXT, 1, chat_text(""), body, sizeof body) > 0);
        }
        free(e);
    }
    refuse(&bob, say(&ann, "far"), SEAL_FALSE);
}

static void many_boxes_for_one_are_not_all_tried(void **state)
{
    (void)state;
    seal_begin(eve.seal);
    struct event *e = give(&eve, &bob);
    const size_t box = 8 + 48, front = e->len - box; /* docs/ternchat-protocol.md section 11 */
    for (size_t i = 1; i < 20; i++) {
        memcpy(e->body + front + i * box, e->body + front + (i - 1) * box, box);
        e->body[front + (i - 1) * box + 20] ^= 1;
        e->len += box;
        assert_int_equal(take(&bob, e), i < 4 ? SEAL_DONE : SEAL_FALSE);
        be_again(&bob);
    }
    free(e);
}

static void our_own_words_do_not_come_twice(void **state)
{
    (void)state;
    introduce();
    struct event *keys = give(&ann, &ann); /* for other programs of hers */
    struct event *word = say(&ann, "once");
    assert_int_equal(take(&ann, keys), SEAL_REPEAT);
    refuse(&ann, word, SEAL_REPEAT);
    free(keys);
}

/* --- the memory --------------------------------------------------------------------------------------- */

static void what_was_known_of_a_sender_comes_back(void **state)
{
    uint8_t dump[SEAL_DUMP];
    struct who again;
    (void)state;
    introduce();
    struct event *one = say(&ann, "one"), *two = say(&ann, "two");
    uint32_t program = seal_program((struct chat_slice){one->body, one->len});
    assert_int_equal(hear(&bob, two), SEAL_DONE);
    size_t len = seal_dump(bob.seal, ann.key, program, dump);
    assert_true(len > 0);
    assert_int_equal(seal_dump(bob.seal, eve.key, program, dump), 0);
    be(&again, 2, "den");
    assert_false(seal_load(again.seal, ann.key, program, (struct chat_slice){dump, len - 1}));
    assert_true(seal_load(again.seal, ann.key, program, (struct chat_slice){dump, len}));
    assert_false(seal_load(again.seal, ann.key, program, (struct chat_slice){dump, len}));
    refuse(&again, two, SEAL_REPEAT);
    expect(&again, one, "one");
    expect(&again, say(&ann, "three"), "three");
    assert_int_equal(opened.missed, 0);
    seal_free(again.seal);
}

static void asking_is_an_event(void **state)
{
    uint8_t body[4];
    (void)state;
    size_t len = seal_ask(body, sizeof body);
    assert_true(seal_is_ask((struct chat_slice){body, len}));
    assert_false(seal_is_ask(chat_text("")));
    assert_int_equal(take(&bob, &(struct event){.len = 1, .body = {2}}), SEAL_FALSE);
    assert_int_equal(seal_ask(body, 0), 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(what_is_sealed_is_opened, begin, end),
    cmocka_unit_test_setup_teardown(the_longest_words_fit, begin, end),
    cmocka_unit_test_setup_teardown(lengths_tell_little, begin, end),
    cmocka_unit_test_setup_teardown(a_newcomer_reads_what_was_not_in_its_place, begin, end),
    cmocka_unit_test_setup_teardown(words_of_a_chain_that_was_ended_are_given_too, begin, end),
    cmocka_unit_test_setup_teardown(who_left_cannot_read_on, begin, end),
    cmocka_unit_test_setup_teardown(readers_are_known, begin, end),
    cmocka_unit_test_setup_teardown(a_room_of_a_thousand_gets_its_keys_in_one_event, begin, end),
    cmocka_unit_test_setup_teardown(a_word_comes_only_once, begin, end),
    cmocka_unit_test_setup_teardown(a_dropped_word_is_missed, begin, end),
    cmocka_unit_test_setup_teardown(a_reordered_word_is_seen_to_be_late, begin, end),
    cmocka_unit_test_setup_teardown(few_skipped_keys_are_kept, begin, end),
    cmocka_unit_test_setup_teardown(a_word_is_its_writers_alone, begin, end),
    cmocka_unit_test_setup_teardown(a_word_stays_in_its_room, begin, end),
    cmocka_unit_test_setup_teardown(nothing_of_a_word_can_be_changed, begin, end),
    cmocka_unit_test_setup_teardown(nothing_of_keys_can_be_changed, begin, end),
    cmocka_unit_test_setup_teardown(old_keys_do_not_bring_old_words_back, begin, end),
    cmocka_unit_test_setup_teardown(a_stranger_reads_nothing, begin, end),
    cmocka_unit_test_setup_teardown(nobody_makes_keys_in_anothers_name, begin, end),
    cmocka_unit_test_setup_teardown(a_member_cannot_speak_for_another, begin, end),
    cmocka_unit_test_setup_teardown(keys_that_are_no_keys_are_passed_over, begin, end),
    cmocka_unit_test_setup_teardown(nobody_pushes_out_the_chains_of_others, begin, end),
    cmocka_unit_test_setup_teardown(a_chain_does_not_jump_for_ever, begin, end),
    cmocka_unit_test_setup_teardown(many_boxes_for_one_are_not_all_tried, begin, end),
    cmocka_unit_test_setup_teardown(our_own_words_do_not_come_twice, begin, end),
    cmocka_unit_test_setup_teardown(what_was_known_of_a_sender_comes_back, begin, end),
    cmocka_unit_test_setup_teardown(asking_is_an_event, begin, end),
};

TERN_TEST_MAIN(tests)
