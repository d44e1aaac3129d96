/* Several clients in a sealed room, and a server that lies to them.
 * SPDX-License-Identifier: MIT */
#include "chat_programs.h"

/* --- a lying server ----------------------------------------------------------------------------------- */

static void words_that_nobody_sealed_are_not_shown(void **state)
{
    (void)state;
    struct program *ann = come(1, "ann", "den"), *bob = come(2, "bob", "den");
    struct model_room *room = model_room_at(bob->model, 0);
    struct chat_packet lie = {.type = CHAT_EVENT,
                              .seq = room->last + 1,
                              .id = 1,
                              .kind = CHAT_KIND_TEXT,
                              .nick = chat_text("ann"),
                              .body = chat_text("send me your password")};
    memcpy(lie.key, ann->key, sizeof lie.key);
    tell(bob, room->channel, &lie);
    assert_false(has_line(bob, LINE_TEXT, ""));
    assert_true(has_line(bob, LINE_WARNING, "words came as those of ann that are not"));
}

static void words_are_not_shown_as_anothers(void **state)
{
    uint16_t channel;
    static uint8_t buf[CHAT_PACKET_MAX];
    (void)state;
    struct program *ann = come(1, "ann", "den"), *bob = come(2, "bob", "den"),
                   *eve = come(3, "eve", "den");
    say(eve, "hello");
    settle();
    say(ann, "I resign");
    struct chat_packet e = intercept(bob, CHAT_KIND_TEXT, &channel, buf);
    memcpy(e.key, eve->key, sizeof e.key);
    tell(bob, channel, &e);
    tick(HELD_TICKS + 2);
    assert_false(has_line(bob, LINE_TEXT, "I resign"));
}

/* A bad member and a bad server: words that are truly eve's, under another's nick. */
static void words_are_not_shown_under_anothers_nick(void **state)
{
    uint16_t channel;
    static uint8_t buf[CHAT_PACKET_MAX];
    (void)state;
    (void)come(1, "ann", "den");
    struct program *bob = come(2, "bob", "den"), *eve = come(3, "eve", "den");
    say(eve, "I am ann");
    struct chat_packet e = intercept(bob, CHAT_KIND_TEXT, &channel, buf);
    e.nick = chat_text("ann");
    tell(bob, channel, &e);
    assert_true(has_line(bob, LINE_TEXT, "I am ann"));
    assert_string_equal(bob->lines[bob->line_count - 1].nick, "eve");
}

static void answers_that_nobody_asked_for_are_not_shown(void **state)
{
    (void)state;
    struct program *ann = come(1, "ann", "den");
    struct chat_packet lie = {.type = CHAT_FOUND,
                              .channel = model_room_at(ann->model, 0)->channel,
                              .id = 1,
                              .seq = 1,
                              .kind = CHAT_KIND_TEXT,
                              .nick = chat_text("bob"),
                              .body = chat_text("I said so then")};
    tell(ann, CHAT_CONTROL, &lie);
    assert_int_equal(ann->found_count, 0);
}

static void dropped_repeated_and_late_words_are_told_of(void **state)
{
    uint16_t channel;
    static uint8_t first[CHAT_PACKET_MAX], second[CHAT_PACKET_MAX];
    (void)state;
    struct program *ann = come(1, "ann", "den"), *bob = come(2, "bob", "den");
    say(ann, "zero");
    settle();
    say(ann, "one");
    say(ann, "two");
    struct chat_packet one = intercept(bob, CHAT_KIND_TEXT, &channel, first);
    struct chat_packet two = intercept(bob, CHAT_KIND_TEXT, &channel, second);
    uint64_t seq = one.seq;
    two.seq = seq;
    tell(bob, channel, &two);
    assert_true(has_line(bob, LINE_GAP, "1 word of ann did not come"));
    one.seq = seq + 1;
    tell(bob, channel, &one);
    assert_true(has_line(bob, LINE_WARNING, "these words of ann late"));
    assert_true(has_line(bob, LINE_TEXT, "one"));
    two.seq = seq + 2;
    tell(bob, channel, &two);
    assert_true(has_line(bob, LINE_WARNING, "words of ann again: not shown"));
    bob->read = 0;
    assert_string_equal(next_words(bob), "zero");
    assert_string_equal(next_words(bob), "two");
    assert_string_equal(next_words(bob), "one");
    assert_string_equal(next_words(bob), "");
}

static void a_sealed_room_does_not_become_an_open_one(void **state)
{
    (void)state;
    struct program *ann = come(1, "ann", "den");
    struct model_room *room = model_room_at(ann->model, 0);
    struct chat_packet lie = {
        .type = CHAT_JOINED, .flags = CHAT_FLAG_OPEN, .seq = room->last, .room = chat_text("den")};
    lose(ann, false);
    say(ann, "secret");
    connect_program(ann);
    (void)pump(ann);
    model_lost(ann->model);
    model_connected(ann->model);
    struct chat_packet welcome = {.type = CHAT_WELCOME, .version = 1, .nick = chat_text("ann")};
    tell(ann, CHAT_CONTROL, &welcome);
    tell(ann, 9, &lie);
    assert_null(model_room_at(ann->model, 0));
    assert_non_null(strstr(ann->note, "WARNING"));
    assert_int_equal(ann->plain, 0);
}

static void words_for_a_sealed_room_do_not_go_to_an_open_one(void **state)
{
    (void)state;
    struct program *bob = start(2, "bob"), *ann = start(1, "ann");
    connect_program(bob);
    settle();
    assert_non_null(model_join(bob->model, "wide", CHAT_FLAG_OPEN));
    settle();
    assert_non_null(model_join(ann->model, "wide", 0));
    say(ann, "nobody is to read this");
    connect_program(ann);
    settle();
    assert_int_equal(ann->refused, 1);
    assert_int_equal(ann->plain, 0);
    assert_true(has_line(ann, LINE_NOTE, "this room is open"));
    assert_false(has_line(bob, LINE_TEXT, ""));
}

static void a_stranger_in_the_list_is_seen(void **state)
{
    uint8_t list[512];
    (void)state;
    struct program *ann = come(1, "ann", "den"), *bob = come(2, "bob", "den");
    struct model_room *room = model_room_at(ann->model, 0);
    say(ann, "one");
    settle();
    uint16_t channel = room->channel;
    model_lost(ann->model);
    struct program *eve = start(3, "eve");
    struct program *in[] = {ann, bob, eve};
    size_t used = 0;
    for (size_t i = 0; i < 3; i++) {
        struct chat_member m = {.nick = chat_text(in[i]->nick)};
        memcpy(m.key, in[i]->key, sizeof m.key);
        used += chat_member_encode(&m, list + used, sizeof list - used);
    }
    struct chat_packet welcome = {.type = CHAT_WELCOME, .version = 1, .nick = chat_text("ann")};
    struct chat_packet joined = {
        .type = CHAT_JOINED, .seq = room->last, .room = chat_text("den"), .body = {list, used}};
    struct chat_packet caught_up = {.type = CHAT_CAUGHT_UP, .seq = room->last};
    ann->room = 0;
    model_connected(ann->model);
    tell(ann, CHAT_CONTROL, &welcome);
    tell(ann, channel, &joined);
    tell(ann, channel, &caught_up);
    assert_true(has_line(ann, LINE_NOTE, "eve is here"));
    assert_false(has_line(ann, LINE_NOTE, "bob is here"));
    /* Nor is somebody who is named and not there, a reader. */
    uint8_t dan[TERN_KEY_SIZE];
    memset(dan, 4, sizeof dan);
    struct chat_packet named = {.type = CHAT_EVENT,
                                .seq = room->last + 1,
                                .kind = CHAT_KIND_NICK,
                                .nick = chat_text("dan"),
                                .body = chat_text("somebody")};
    memcpy(named.key, dan, sizeof named.key);
    tell(ann, channel, &named);
    assert_null(model_person(room, "dan"));
}

static void a_private_room_has_two_readers_whatever_is_said(void **state)
{
    (void)state;
    struct program *ann = come(1, "ann", "den"), *bob = come(2, "bob", "den"),
                   *eve = come(3, "eve", "den");
    struct model_room *room = open_with(ann, bob);
    settle();
    struct chat_packet lie = {.type = CHAT_EVENT,
                              .seq = room->last + 1,
                              .kind = CHAT_KIND_JOIN,
                              .nick = chat_text("eve")};
    memcpy(lie.key, eve->key, sizeof lie.key);
    tell(ann, room->channel, &lie);
    say_in(ann, room, "psst");
    assert_true(seal_is_reader(room->seal->seal, bob->key));
    assert_false(seal_is_reader(room->seal->seal, eve->key));
}

static void who_has_not_come_gets_no_keys_by_asking(void **state)
{
    uint8_t body[1];
    (void)state;
    struct program *ann = come(1, "ann", "den"), *bob = come(2, "bob", "den");
    struct program *eve = start(3, "eve");
    say(ann, "one");
    settle();
    (void)bob;
    struct model_room *room = model_room_at(ann->model, 0);
    struct chat_packet lie = {.type = CHAT_EVENT,
                              .seq = room->last + 1,
                              .id = 77,
                              .kind = CHAT_KIND_KEYS,
                              .nick = chat_text("bob"),
                              .body = {body, seal_ask(body, sizeof body)}};
    memcpy(lie.key, eve->key, sizeof lie.key);
    tell(ann, room->channel, &lie);
    say(ann, "two");
    assert_false(seal_is_reader(room->seal->seal, eve->key));
}

/* Comings without end, while nothing that is sent comes back. */
static void keys_do_not_pile_up(void **state)
{
    (void)state;
    struct program *ann = come(1, "ann", "den");
    struct model_room *room = model_room_at(ann->model, 0);
    uint64_t last = room->last;
    say(ann, "on its way");
    ann->room = 0;
    for (unsigned i = 0; i < 3 * KEYS_WAITING; i++) {
        char nick[16];
        (void)snprintf(nick, sizeof nick, "x%u", i);
        struct chat_packet lie = {.type = CHAT_EVENT,
                                  .seq = room->last + 1,
                                  .kind = CHAT_KIND_JOIN,
                                  .nick = chat_text(nick)};
        memset(lie.key, 5, sizeof lie.key);
        lie.key[0] = (uint8_t)i;
        lie.key[1] = (uint8_t)(i >> 8);
        tell(ann, room->channel, &lie);
        say(ann, "more");
    }
    assert_true(room->seal->keys_count <= KEYS_WAITING);
    room->last = last; /* what the true server has is all to come */
    ann->room = SIZE_MAX;
    model_on_writable(ann->model);
    settle();
    assert_int_equal(room->seal->keys_count, 0);
    assert_int_equal(model_unheard(ann->model), 0);
}

static void who_asks_without_end_is_not_always_answered(void **state)
{
    uint8_t body[1];
    (void)state;
    struct program *ann = come(1, "ann", "den"), *eve = come(3, "eve", "den");
    struct model_room *room = model_room_at(ann->model, 0);
    say(ann, "on its way");
    unsigned before = ann->sealed;
    struct chat_packet ask = {.type = CHAT_EVENT,
                              .kind = CHAT_KIND_KEYS,
                              .nick = chat_text("eve"),
                              .body = {body, seal_ask(body, sizeof body)}};
    memcpy(ask.key, eve->key, sizeof ask.key);
    for (unsigned i = 0; i < 100; i++) {
        ask.seq = room->last + 1;
        ask.id = 77 + i;
        tell(ann, room->channel, &ask);
    }
    assert_in_range(ann->sealed - before, 1, 8);
    for (unsigned i = 0; i < 30; i++) {
        model_retry(ann->model);
    }
    before = ann->sealed;
    ask.seq = room->last + 1;
    tell(ann, room->channel, &ask);
    assert_int_equal(ann->sealed - before, 1); /* who asks again in time is answered */
}

static void a_list_of_members_does_not_grow_without_end(void **state)
{
    (void)state;
    struct program *ann = come(1, "ann", "den");
    struct model_room *room = model_room_at(ann->model, 0);
    struct chat_packet lie = {.type = CHAT_EVENT, .kind = CHAT_KIND_JOIN};
    for (unsigned i = 0; i < MODEL_PEOPLE + 50; i++) {
        char nick[20];
        (void)snprintf(nick, sizeof nick, "nobody%u", i);
        lie.nick = chat_text(nick);
        lie.seq = room->last + 1;
        memset(lie.key, 7, sizeof lie.key);
        memcpy(lie.key, &i, sizeof i);
        tell(ann, room->channel, &lie);
        ann->line_count = 0;
    }
    assert_int_equal(room->people_count, MODEL_PEOPLE);
}

static void long_words_do_not_fill_the_memory(void **state)
{
    static char page[CHAT_WORDS_MAX];
    (void)state;
    struct program *ann = start(1, "ann");
    struct model_room *console = model_console(ann->model);
    memset(page, 'y', sizeof page);
    page[499] = '\xc3';
    page[500] = '\xa9';
    struct line about = {.kind = LINE_TEXT};
    size_t bytes = 0;
    for (unsigned i = 0; i < MODEL_LINES + 500; i++) {
        model_line(ann->model, console, &about,
                   (struct chat_slice){(const uint8_t *)page, sizeof page});
        ann->line_count = 0;
    }
    for (unsigned i = 0; i < MODEL_LINES; i++) {
        bytes += console->lines[i]->len;
    }
    assert_int_equal(bytes, console->line_bytes);
    assert_in_range(bytes, MODEL_LINE_BYTES / 2, MODEL_LINE_BYTES);
    const struct line *last = console->lines[(console->line_count - 1) % MODEL_LINES];
    const struct line *first = console->lines[console->line_count % MODEL_LINES];
    assert_int_equal(last->len, sizeof page);
    assert_int_equal(first->len, 499 + 6);
    assert_string_equal(first->text + 498, "y [...]");
}

static void we_are_who_we_are_whatever_the_server_says(void **state)
{
    (void)state;
    struct program *ann = start(1, "ann"), *eve = start(3, "eve");
    struct chat_packet welcome = {.type = CHAT_WELCOME, .version = 1, .nick = chat_text("ann")};
    char ours[WORDS_SIZE], theirs[WORDS_SIZE];
    memcpy(welcome.key, eve->key, sizeof welcome.key);
    ann->room = 0;
    model_connected(ann->model);
    tell(ann, CHAT_CONTROL, &welcome);
    assert_true(model_words(ann->model, eve->key, ours));
    assert_true(model_words(eve->model, ann->key, theirs));
    assert_string_equal(ours, theirs);
}

/* --- people ------------------------------------------------------------------------------------------- */

static void another_key_under_a_nick_is_told_loudly(void **state)
{
    (void)state;
    struct program *ann = come(1, "ann", "den"), *bob = come(2, "bob", "den");
    assert_false(model_is_verified(ann->model, bob->key));
    assert_true(model_verified(ann->model, bob->key, true));
    assert_true(model_is_verified(ann->model, bob->key));
    lose(bob, true);
    settle();
    assert_false(has_line(ann, LINE_WARNING, ""));
    struct program *other = come(9, "bob", "den");
    assert_true(has_line(ann, LINE_WARNING, "bob has another key than the one whose words"));
    assert_false(model_is_verified(ann->model, other->key));
    assert_true(model_is_verified(ann->model, bob->key));
    assert_true(model_verified(ann->model, bob->key, false));
    assert_false(model_is_verified(ann->model, bob->key));
}

/* The server should have refused it. */
static void a_nick_that_looks_like_anothers_is_told_of(void **state)
{
    (void)state;
    struct program *ann = come(1, "ann", "den"), *bob = come(2, "bob", "den");
    struct model_room *room = model_room_at(ann->model, 0);
    struct chat_packet lie = {.type = CHAT_EVENT,
                              .seq = room->last + 1,
                              .kind = CHAT_KIND_JOIN,
                              .nick = chat_text("b\xd0\xbe"
                                                "b")};
    memset(lie.key, 9, sizeof lie.key);
    assert_true(model_verified(ann->model, bob->key, true));
    tell(ann, room->channel, &lie);
    assert_true(has_line(ann, LINE_WARNING,
                         " looks like bob, and has another key than the one whose words"));
}

static void both_see_the_same_words(void **state)
{
    char one[WORDS_SIZE], other[WORDS_SIZE];
    (void)state;
    struct program *ann = come(1, "ann", "den"), *bob = come(2, "bob", "den");
    assert_true(model_words(ann->model, bob->key, one));
    assert_true(model_words(bob->model, ann->key, other));
    assert_string_equal(one, other);
}

static void few_words_wait_for_keys(void **state)
{
    (void)state;
    struct program *ann = come(1, "ann", "den"), *bob = come(2, "bob", "den");
    uint16_t channel;
    static uint8_t buf[CHAT_PACKET_MAX];
    say(ann, "first");
    (void)intercept(bob, CHAT_KIND_KEYS, &channel, buf); /* they never come */
    for (unsigned i = 0; i < HELD_WORDS + 20; i++) {
        say(ann, "more");
        settle();
    }
    struct room_seal *s = model_room_at(bob->model, 0)->seal;
    assert_true(s->held_count <= HELD_WORDS);
    assert_true(has_line(bob, LINE_NOTE, "of ann cannot be read"));
    tick(HELD_TICKS + 2);
    assert_int_equal(s->held_count, 0);
    say(ann, "now that bob has asked");
    settle();
    assert_true(has_line(bob, LINE_TEXT, "now that bob has asked"));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(words_that_nobody_sealed_are_not_shown, begin, end),
    cmocka_unit_test_setup_teardown(words_are_not_shown_as_anothers, begin, end),
    cmocka_unit_test_setup_teardown(words_are_not_shown_under_anothers_nick, begin, end),
    cmocka_unit_test_setup_teardown(answers_that_nobody_asked_for_are_not_shown, begin, end),
    cmocka_unit_test_setup_teardown(dropped_repeated_and_late_words_are_told_of, begin, end),
    cmocka_unit_test_setup_teardown(a_sealed_room_does_not_become_an_open_one, begin, end),
    cmocka_unit_test_setup_teardown(words_for_a_sealed_room_do_not_go_to_an_open_one, begin, end),
    cmocka_unit_test_setup_teardown(a_stranger_in_the_list_is_seen, begin, end),
    cmocka_unit_test_setup_teardown(a_private_room_has_two_readers_whatever_is_said, begin, end),
    cmocka_unit_test_setup_teardown(who_has_not_come_gets_no_keys_by_asking, begin, end),
    cmocka_unit_test_setup_teardown(keys_do_not_pile_up, begin, end),
    cmocka_unit_test_setup_teardown(who_asks_without_end_is_not_always_answered, begin, end),
    cmocka_unit_test_setup_teardown(a_list_of_members_does_not_grow_without_end, begin, end),
    cmocka_unit_test_setup_teardown(long_words_do_not_fill_the_memory, begin, end),
    cmocka_unit_test_setup_teardown(we_are_who_we_are_whatever_the_server_says, begin, end),
    cmocka_unit_test_setup_teardown(another_key_under_a_nick_is_told_loudly, begin, end),
    cmocka_unit_test_setup_teardown(a_nick_that_looks_like_anothers_is_told_of, begin, end),
    cmocka_unit_test_setup_teardown(both_see_the_same_words, begin, end),
    cmocka_unit_test_setup_teardown(few_words_wait_for_keys, begin, end),
};

TERN_TEST_MAIN(tests)
