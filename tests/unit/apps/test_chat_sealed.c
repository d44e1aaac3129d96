/* Several clients in a sealed room: who reads what, over comings, goings, lost connections and restarts.
 * SPDX-License-Identifier: MIT */
#include "chat_programs.h"

/* --- as it should be ---------------------------------------------------------------------------------- */

static void members_read_each_other(void **state)
{
    (void)state;
    struct program *ann = come(1, "ann", "den"), *bob = come(2, "bob", "den"),
                   *eve = come(3, "eve", "den");
    say(ann, "one");
    settle();
    say(bob, "two");
    say(bob, "three");
    settle();
    say(eve, "four");
    settle();
    struct program *all[] = {ann, bob, eve};
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(next_words(all[i]), "one");
        assert_string_equal(next_words(all[i]), "two");
        assert_string_equal(next_words(all[i]), "three");
        assert_string_equal(next_words(all[i]), "four");
        assert_string_equal(next_words(all[i]), "");
        assert_int_equal(model_unheard(all[i]->model), 0);
    }
    assert_int_equal(ann->sealed, 2); /* KEYS once, and the word */
    assert_int_equal(bob->sealed, 3);
}

static void what_waits_is_shown_as_it_was_typed(void **state)
{
    enum line_kind kind;
    struct chat_slice text;
    (void)state;
    struct program *ann = come(1, "ann", "den");
    ann->room = 0;
    say(ann, "on its way");
    assert_true(model_waiting(model_room_at(ann->model, 0), 0, &kind, &text));
    assert_int_equal(kind, LINE_TEXT);
    assert_int_equal(text.len, 10);
    assert_memory_equal(text.data, "on its way", 10);
    assert_false(model_waiting(model_room_at(ann->model, 0), 1, &kind, &text));
    ann->room = SIZE_MAX;
    model_on_writable(ann->model);
    settle();
    assert_string_equal(next_words(ann), "on its way");
}

static void a_newcomer_reads_from_now_on(void **state)
{
    (void)state;
    struct program *ann = come(1, "ann", "den"), *bob = come(2, "bob", "den");
    say(ann, "before");
    say(bob, "before that, too");
    settle();
    struct program *eve = come(3, "eve", "den");
    assert_true(has_line(eve, LINE_NOTE, "2 words were said here before you came"));
    say(ann, "after");
    settle();
    assert_string_equal(next_words(eve), "after");
    assert_false(has_line(eve, LINE_GAP, ""));
}

/* The word leaves before its writer knows that somebody has come, and gets its place behind that. */
static void words_that_cross_a_coming_are_read(void **state)
{
    (void)state;
    struct program *ann = come(1, "ann", "den"), *bob = come(2, "bob", "den");
    say(ann, "before");
    settle();
    struct program *eve = start(3, "eve");
    connect_program(eve);
    (void)pump(eve);
    assert_non_null(model_join(eve->model, "den", 0));
    say(ann, "crossing"); /* ann has not been told of eve yet */
    (void)pump(eve);
    assert_string_equal(next_words(eve), "");
    settle();
    assert_string_equal(next_words(eve), "crossing");
    assert_string_equal(next_words(eve), "");
    (void)next_words(bob);
    assert_string_equal(next_words(bob), "crossing");
}

static void who_leaves_is_given_no_more(void **state)
{
    (void)state;
    struct program *ann = come(1, "ann", "den"), *bob = come(2, "bob", "den"),
                   *eve = come(3, "eve", "den");
    say(ann, "all");
    settle();
    const struct room_seal *s = model_room_at(ann->model, 0)->seal;
    assert_true(seal_is_reader(s->seal, eve->key));
    lose(eve, true);
    settle();
    assert_false(seal_has_chain(s->seal));
    say(ann, "without eve");
    settle();
    assert_false(seal_is_reader(s->seal, eve->key));
    assert_true(seal_is_reader(s->seal, bob->key));
    (void)next_words(bob);
    assert_string_equal(next_words(bob), "without eve");
    connect_program(eve); /* with what she knew before */
    settle();
    assert_false(has_line(eve, LINE_TEXT, "without eve"));
    tick(HELD_TICKS + 1);
    assert_true(has_line(eve, LINE_NOTE, "1 word of ann cannot be read"));
    say(ann, "with eve again");
    settle();
    assert_true(has_line(eve, LINE_TEXT, "with eve again"));
}

static void who_is_put_out_is_given_no_more(void **state)
{
    (void)state;
    struct program *ann = come(1, "ann", "den"), *bob = come(2, "bob", "den"),
                   *eve = come(3, "eve", "den");
    say(bob, "all");
    settle();
    assert_true(model_kick(ann->model, model_room_at(ann->model, 0), eve->key, MODEL_BAN));
    settle();
    assert_null(model_room_at(eve->model, 0));
    say(bob, "without eve");
    settle();
    assert_false(seal_is_reader(model_room_at(bob->model, 0)->seal->seal, eve->key));
    (void)next_words(ann);
    assert_string_equal(next_words(ann), "without eve");
}

static void a_lost_connection_loses_no_keys(void **state)
{
    (void)state;
    struct program *ann = come(1, "ann", "den"), *bob = come(2, "bob", "den");
    say(ann, "one");
    settle();
    lose(bob, false);
    say(ann, "two");
    say(bob, "three"); /* while there is nobody to tell it to */
    settle();
    struct program *eve = come(3, "eve", "den"); /* she comes before bob's word */
    connect_program(bob);
    settle();
    for (size_t i = 0; i < 2; i++) {
        struct program *p = i == 0 ? ann : bob;
        assert_string_equal(next_words(p), "one");
        assert_string_equal(next_words(p), "two");
        assert_string_equal(next_words(p), "three");
        assert_string_equal(next_words(p), "");
        assert_false(has_line(p, LINE_GAP, "") || has_line(p, LINE_WARNING, ""));
    }
    assert_string_equal(next_words(eve), "three");
    lose(ann, false);
    struct program *dan = come(4, "dan", "den");
    say(eve, "four"); /* a new chain's? no: dan is given the same */
    settle();
    assert_string_equal(next_words(dan), "four");
    connect_program(ann);
    settle();
    assert_string_equal(next_words(ann), "four");
    say(ann, "five");
    settle();
    assert_string_equal(next_words(dan), "five");
}

/* The server has them, but its answer is lost with the connection. */
static void words_that_were_not_heard_are_once_there(void **state)
{
    (void)state;
    struct program *ann = come(1, "ann", "den"), *bob = come(2, "bob", "den");
    say(ann, "one");
    say(ann, "two");
    lose(ann, false);
    settle();
    assert_int_equal(model_unheard(ann->model), 2);
    connect_program(ann);
    settle();
    assert_int_equal(model_unheard(ann->model), 0);
    say(ann, "three");
    settle();
    for (size_t i = 0; i < 2; i++) {
        struct program *p = i == 0 ? ann : bob;
        assert_string_equal(next_words(p), "one");
        assert_string_equal(next_words(p), "two");
        assert_string_equal(next_words(p), "three");
        assert_string_equal(next_words(p), "");
        assert_false(has_line(p, LINE_GAP, "") || has_line(p, LINE_WARNING, ""));
    }
}

/* Another program of somebody who is there already: nobody sees them come. */
static void a_second_program_asks_for_keys(void **state)
{
    (void)state;
    struct program *ann = come(1, "ann", "den"), *bob = come(2, "bob", "den");
    say(bob, "early");
    settle();
    struct program *again = come(1, "ann", "den");
    tick(1); /* it asks */
    say(bob, "later");
    say(ann, "by the first");
    settle();
    assert_true(has_line(again, LINE_TEXT, "later"));
    assert_true(has_line(again, LINE_TEXT, "by the first")); /* our own words, too */
    say(again, "by the second");
    settle();
    assert_true(has_line(ann, LINE_TEXT, "by the second"));
    assert_true(has_line(bob, LINE_TEXT, "by the second"));
    unsigned sealed = bob->sealed;
    tick(50); /* who can read everything asks no more */
    assert_int_equal(bob->sealed, sealed);
}

static void two_talk_alone(void **state)
{
    (void)state;
    struct program *ann = come(1, "ann", "den"), *bob = come(2, "bob", "den");
    say_in(ann, open_with(ann, bob), "psst");
    settle(); /* bob is called, and opens it */
    assert_true(has_line(bob, LINE_TEXT, "psst"));
    say_in(bob, open_with(bob, ann), "yes?");
    settle();
    assert_true(has_line(ann, LINE_TEXT, "yes?"));
    assert_int_equal(seal_chains(open_with(ann, bob)->seal->seal), 1);
}

static void who_was_away_reads_the_end_of_a_private_talk(void **state)
{
    char text[32];
    (void)state;
    struct program *ann = come(1, "ann", "den"), *bob = come(2, "bob", "den");
    lose(bob, false);
    struct model_room *room = open_with(ann, bob);
    for (unsigned i = 0; i < 300; i++) {
        (void)snprintf(text, sizeof text, "word %u", i);
        say_in(ann, room, text);
        settle();
        ann->conn->taken = ann->conn->count;
    }
    connect_program(bob); /* for him it is new: he is shown the last CHAT_REPLAY */
    settle();
    for (unsigned i = 299; i >= 300 - CHAT_REPLAY / 2 + 4; i--) {
        (void)snprintf(text, sizeof text, "word %u", i);
        assert_true(has_line(bob, LINE_TEXT, text));
    }
}

/* --- the memory --------------------------------------------------------------------------------------- */

static int begin_remembering(void **state)
{
    memcpy(folder, "/tmp/tern-sealed.XXXXXX", sizeof folder);
    assert_non_null(mkdtemp(folder));
    return begin(state);
}

static int end_remembering(void **state)
{
    static const char *const ends[] = {"", "-wal", "-shm", ".lock"};
    static const char *const nicks[] = {"ann", "bob"};
    char path[100];
    (void)end(state);
    for (size_t i = 0; i < 8; i++) {
        (void)snprintf(path, sizeof path, "%s/%s.db%s", folder, nicks[i / 4], ends[i % 4]);
        (void)unlink(path);
    }
    return rmdir(folder);
}

static void a_restart_goes_on_where_it_was(void **state)
{
    (void)state;
    struct program *ann = start_with_memory(1, "ann"), *bob = come(2, "bob", "den");
    connect_program(ann);
    assert_non_null(model_join(ann->model, "den", 0));
    settle();
    say(bob, "one");
    say(ann, "two");
    settle();
    ann = restart(ann);
    say(bob, "three"); /* by a chain that ann was given before */
    model_rejoin(ann->model);
    assert_string_equal(next_words(ann), "one");
    assert_string_equal(next_words(ann), "two");
    assert_string_equal(next_words(ann), "");
    connect_program(ann);
    settle();
    assert_string_equal(next_words(ann), "three");
    say(ann, "four");
    settle();
    say(bob, "five");
    settle();
    assert_string_equal(next_words(ann), "four");
    assert_string_equal(next_words(ann), "five");
    assert_string_equal(next_words(ann), "");
    assert_true(has_line(bob, LINE_TEXT, "four"));
    assert_false(has_line(ann, LINE_WARNING, "") || has_line(ann, LINE_GAP, ""));
    assert_false(has_line(bob, LINE_WARNING, "") || has_line(bob, LINE_GAP, ""));
}

/* A server that starts again knows nobody until they are back: they are to read all the same. */
static void who_is_back_later_reads_what_was_said(void **state)
{
    (void)state;
    struct program *ann = start_with_memory(1, "ann"), *bob = come(2, "bob", "den");
    connect_program(ann);
    assert_non_null(model_join(ann->model, "den", 0));
    settle();
    say(ann, "one");
    settle();
    lose(bob, false);
    ann = restart(ann);
    kit_restart();
    model_rejoin(ann->model);
    connect_program(ann);
    settle();
    struct model_person *person = model_person(model_room_at(ann->model, 0), "bob");
    assert_non_null(person);
    assert_int_equal(person->presence, CHAT_GONE);
    say(ann, "two");
    settle();
    connect_program(bob);
    settle();
    assert_true(has_line(bob, LINE_TEXT, "two"));
    assert_int_equal(model_person(model_room_at(ann->model, 0), "bob")->presence, CHAT_HERE);
    lose(bob, false);
    lose(ann, false);
    kit_restart(); /* and again, but this time he does not come back */
    connect_program(ann);
    settle();
    tick(599);
    assert_non_null(model_person(model_room_at(ann->model, 0), "bob"));
    tick(2);
    assert_null(model_person(model_room_at(ann->model, 0), "bob"));
    assert_true(has_line(ann, LINE_NOTE, "bob was lost"));
    say(ann, "three");
    settle();
    assert_false(seal_is_reader(model_room_at(ann->model, 0)->seal->seal, bob->key));
}

/* Some left and got their place, some left and were lost, some never left. */
static void what_was_said_before_a_crash_is_there_once(void **state)
{
    (void)state;
    struct program *ann = start_with_memory(1, "ann"), *bob = come(2, "bob", "den");
    connect_program(ann);
    assert_non_null(model_join(ann->model, "den", 0));
    settle();
    say(ann, "one"); /* the server has it, and ann is not told */
    ann->room = 0;
    say(ann, "two"); /* it never left */
    ann = restart(ann);
    model_rejoin(ann->model);
    assert_int_equal(model_unheard(ann->model), 2);
    connect_program(ann);
    settle();
    say(ann, "three");
    settle();
    assert_int_equal(model_unheard(ann->model), 0);
    static const char *const words[] = {"one", "two", "three"};
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(next_words(bob), words[i]);
        assert_int_equal(count_lines(bob, words[i]), 1);
        assert_int_equal(count_lines(ann, words[i]), 1);
    }
    assert_false(has_line(bob, LINE_WARNING, "") || has_line(bob, LINE_GAP, ""));
    ann = restart(ann);
    model_rejoin(ann->model);
    assert_int_equal(model_unheard(ann->model), 0);
    assert_int_equal(count_lines(ann, "two"), 1);
}

static void sealed_words_are_found_without_the_server(void **state)
{
    (void)state;
    struct program *ann = start_with_memory(1, "ann"), *bob = come(2, "bob", "den");
    connect_program(ann);
    assert_non_null(model_join(ann->model, "den", 0));
    settle();
    say(bob, "the birch is a tree");
    say(bob, "the heron is a bird");
    settle();
    ann = restart(ann);
    model_rejoin(ann->model);
    struct model_room *room = model_room_at(ann->model, 0);
    assert_true(model_search(ann->model, room, "TREE birch", 1));
    assert_int_equal(ann->found_count, 2);
    assert_string_equal(ann->found[0], "bob the birch is a tree");
    assert_string_equal(ann->found[1], " "); /* the end */
    assert_true(model_before(ann->model, room, UINT64_MAX, 2));
    assert_int_equal(ann->found_count, 5);
    assert_string_equal(ann->found[2], "bob the heron is a bird");
    assert_false(model_search(bob->model, model_room_at(bob->model, 0), "tree", 1));
}

static void words_that_waited_for_their_key_wait_on(void **state)
{
    uint16_t channel;
    static uint8_t buf[CHAT_PACKET_MAX];
    (void)state;
    struct program *ann = start_with_memory(1, "ann"), *bob = come(2, "bob", "den");
    connect_program(ann);
    assert_non_null(model_join(ann->model, "den", 0));
    settle();
    say(bob, "sealed");
    struct chat_packet keys = intercept(ann, CHAT_KIND_KEYS, &channel, buf);
    settle();
    assert_string_equal(next_words(ann), "");
    ann = restart(ann);
    model_rejoin(ann->model);
    connect_program(ann);
    settle();
    channel = model_room_at(ann->model, 0)->channel;
    keys.seq = model_room_at(ann->model, 0)->last + 1;
    tell(ann, channel, &keys);
    assert_string_equal(next_words(ann), "sealed");
}

static void a_room_that_was_left_is_not_entered_again(void **state)
{
    (void)state;
    struct program *ann = start_with_memory(1, "ann");
    connect_program(ann);
    assert_non_null(model_join(ann->model, "den", 0));
    assert_non_null(model_join(ann->model, "work", 0));
    settle();
    assert_true(model_leave(ann->model, model_find(ann->model, "den")));
    settle();
    ann = restart(ann);
    model_rejoin(ann->model);
    assert_null(model_find(ann->model, "den"));
    assert_non_null(model_find(ann->model, "work"));
}

static void private_talk_and_marks_outlast_a_restart(void **state)
{
    (void)state;
    struct program *ann = start_with_memory(1, "ann"), *bob = come(2, "bob", "den");
    connect_program(ann);
    settle();
    say_in(ann, open_with(ann, bob), "psst");
    settle();
    assert_true(model_verified(ann->model, bob->key, true));
    ann = restart(ann);
    model_rejoin(ann->model);
    assert_true(model_is_verified(ann->model, bob->key));
    struct model_room *room = model_room_at(ann->model, 0);
    assert_non_null(room);
    assert_string_equal(room->title, "bob");
    assert_string_equal(next_words(ann), "psst");
    say_in(ann, room, "still there?");
    connect_program(ann);
    settle();
    assert_true(has_line(bob, LINE_TEXT, "still there?"));
    assert_non_null(model_join(ann->model, "den", 0));
    settle();
    room = model_find(ann->model, "den");
    struct chat_packet lie = {.type = CHAT_EVENT,
                              .seq = room->last + 1,
                              .kind = CHAT_KIND_JOIN,
                              .nick = chat_text("bob")};
    memset(lie.key, 9, sizeof lie.key);
    tell(ann, room->channel, &lie);
    assert_true(has_line(ann, LINE_WARNING, "another key than the one whose words"));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(members_read_each_other, begin, end),
    cmocka_unit_test_setup_teardown(what_waits_is_shown_as_it_was_typed, begin, end),
    cmocka_unit_test_setup_teardown(a_newcomer_reads_from_now_on, begin, end),
    cmocka_unit_test_setup_teardown(words_that_cross_a_coming_are_read, begin, end),
    cmocka_unit_test_setup_teardown(who_leaves_is_given_no_more, begin, end),
    cmocka_unit_test_setup_teardown(who_is_put_out_is_given_no_more, begin, end),
    cmocka_unit_test_setup_teardown(a_lost_connection_loses_no_keys, begin, end),
    cmocka_unit_test_setup_teardown(words_that_were_not_heard_are_once_there, begin, end),
    cmocka_unit_test_setup_teardown(a_second_program_asks_for_keys, begin, end),
    cmocka_unit_test_setup_teardown(two_talk_alone, begin, end),
    cmocka_unit_test_setup_teardown(who_was_away_reads_the_end_of_a_private_talk, begin, end),
    cmocka_unit_test_setup_teardown(a_restart_goes_on_where_it_was, begin_remembering,
                                    end_remembering),
    cmocka_unit_test_setup_teardown(who_is_back_later_reads_what_was_said, begin_remembering,
                                    end_remembering),
    cmocka_unit_test_setup_teardown(what_was_said_before_a_crash_is_there_once, begin_remembering,
                                    end_remembering),
    cmocka_unit_test_setup_teardown(sealed_words_are_found_without_the_server, begin_remembering,
                                    end_remembering),
    cmocka_unit_test_setup_teardown(words_that_waited_for_their_key_wait_on, begin_remembering,
                                    end_remembering),
    cmocka_unit_test_setup_teardown(a_room_that_was_left_is_not_entered_again, begin_remembering,
                                    end_remembering),
    cmocka_unit_test_setup_teardown(private_talk_and_marks_outlast_a_restart, begin_remembering,
                                    end_remembering),
};

TERN_TEST_MAIN(tests)
