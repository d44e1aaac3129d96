/* Frames of any size: what is drawn, where lines break, and how one scrolls and searches in them.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "ternchat/frame.h"

#include <locale.h>
#include <stdlib.h>

#include "chat_server.h"

static struct frame frame;
static struct talk talk;
static struct edit edit;
static struct scene scene;
static struct talk_look look;
static char rows[64][4096];

static struct model *begin(void)
{
    struct model *model = begin_in_lobby();
    assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
    assert_int_equal(setenv("TZ", "UTC", 1), 0);
    memset(&look, 0, sizeof look);
    edit_init(&edit);
    scene = (struct scene){.model = model,
                           .room = model_find(model, "lobby"),
                           .edit = &edit,
                           .talk = &talk,
                           .state = CLIENT_ONLINE,
                           .has_health = true,
                           .rtt_ms = 21,
                           .loss = 0.5,
                           .has_members = true};
    scene.room->look = &look;
    return model;
}

static void end(struct model *model)
{
    model_free(model);
    talk_free(&talk);
    canvas_free(&frame.canvas);
    edit_clear(&edit);
}

static void draw(unsigned height, unsigned width)
{
    assert_true(frame_draw(&frame, &scene, height, width));
    for (unsigned y = 0; y < height && y < 64; y++) {
        canvas_row(&frame.canvas, y, rows[y]);
    }
}

static bool is_shown(const char *text)
{
    for (unsigned y = 0; y < frame.canvas.rows && y < 64; y++) {
        if (strstr(rows[y], text) != NULL) {
            return true;
        }
    }
    return false;
}

static void say(struct model *model, uint64_t seq, const char *text)
{
    event(model, 1, seq, CHAT_KIND_TEXT, bob_key, 0, text);
}

/* What has two columns keeps them where it is broken, and leaves the nicks' room to its words. */
static void tables_keep_their_columns(void **state)
{
    (void)state;
    struct model *model = begin();
    model_note(model, scene.room,
               "/me WORDS          says what you do: \"/me waves\" is \"* ann waves\"");
    draw(10, 80);
    assert_true(is_shown(" - /me WORDS          says what you do: "));
    bool is_under = false;
    for (unsigned y = 1; y < 8; y++) {
        is_under = is_under || strncmp(rows[y], "                           \"* ann", 33) == 0 ||
                   strncmp(rows[y], "                           is \"*", 32) == 0;
    }
    assert_true(is_under);
    draw(10, 40); /* there is no room for two */
    assert_true(is_shown("says"));
    end(model);
}

static void a_usual_frame_has_it_all(void **state)
{
    (void)state;
    struct model *model = begin();
    say(model, 1, "hello ann");
    assert_true(edit_insert(&edit, "typed", 5));
    draw(10, 100);
    assert_non_null(strstr(rows[0], " 1 lobby "));
    assert_non_null(strstr(rows[7], "22:13          bob  hello ann"));
    assert_true(is_shown(" 2023-11-14 "));
    assert_non_null(strstr(rows[1], "| ann"));
    assert_non_null(strstr(rows[8], "ann in lobby (2, open)"));
    assert_non_null(strstr(rows[8], "21 ms, 0.5 % lost"));
    assert_non_null(strstr(rows[9], "lobby> typed"));
    assert_int_equal(frame.cursor_row, 9);
    assert_int_equal(frame.cursor_column, 12);
    end(model);
}

/* Every size, from nothing: no step outside (the sanitizers watch), and the line that is written is there. */
static void any_size_can_be_drawn(void **state)
{
    (void)state;
    struct model *model = begin();
    say(model, 1, "some words that go over many rows \xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2");
    assert_true(edit_insert(&edit, "\xe6\xbc\xa2x\xe6\xbc\xa2xyz", 10));
    for (unsigned height = 0; height <= 12; height++) {
        for (unsigned width = 0; width <= 90; width++) {
            draw(height, width);
            if (height > 0 && width > 0) {
                assert_true(frame.cursor_row == height - 1 && frame.cursor_column < width);
            }
        }
    }
    draw(3, 10);
    assert_string_equal(rows[2], "\xe6\xbc\xa2x\xe6\xbc\xa2xyz  ");
    end(model);
}

static void wide_characters_are_never_halved(void **state)
{
    (void)state;
    struct model *model = begin();
    say(model, 1, "\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5\xad\x97");
    for (unsigned width = 1; width < 60; width++) {
        draw(20, width);
        for (unsigned y = 0; y < 20; y++) {
            unsigned columns = 0;
            for (unsigned x = 0; x < width; x++) {
                const struct cell *cell = &frame.canvas.cells[y * width + x];
                columns += cell->columns;
                assert_true(cell->columns != 2 || (x + 1 < width && cell[1].columns == 0));
            }
            assert_int_equal(columns, width);
        }
    }
    end(model);
}

static void peers_text_is_harmless(void **state)
{
    (void)state;
    struct model *model = begin();
    say(model, 1, "a\x1b]0;title\x07 \xe2\x80\xae\xff z");
    draw(10, 80);
    assert_true(is_shown("a\xef\xbf\xbd]0;title\xef\xbf\xbd \xef\xbf\xbd z"));
    say(model, 2, "one\n22:13 <eve> two");
    draw(10, 80);
    assert_true(is_shown("                    22:13 <eve> two")); /* where nobody's line begins */
    end(model);
}

static void rooms_show_what_is_unread(void **state)
{
    (void)state;
    struct model *model = begin();
    struct talk_look other = {.is_mentioned = true};
    struct model_room *room = model_join(model, "work", CHAT_FLAG_OPEN);
    assert_non_null(room);
    admit(model, 2, "work", 0);
    catch_up(model, 2, 0);
    event(model, 2, 1, CHAT_KIND_TEXT, bob_key, 0, "ann: hi");
    draw(10, 60);
    assert_non_null(strstr(rows[0], " 1 lobby  2 work (1) "));
    room->look = &other;
    draw(10, 60);
    assert_non_null(strstr(rows[0], "2 work (1!)"));
    scene.room = room; /* where there is no room for all, the current one is there */
    draw(10, 14);
    assert_non_null(strstr(rows[0], "2 work"));
    end(model);
}

static void people_are_shown_with_what_they_do(void **state)
{
    (void)state;
    struct model *model = begin();
    scene.room->people[1].is_typing = true;
    draw(10, 100);
    assert_non_null(strstr(rows[8], "bob is typing"));
    scene.room->people[1].is_typing = false;
    scene.room->people[1].presence = CHAT_AWAY;
    draw(10, 100);
    assert_true(is_shown("bob (away)"));
    draw(10, 60);
    assert_false(is_shown("bob (away)"));
    event(model, 1, 1, CHAT_KIND_TEXT, own_key, 1, "mine");
    scene.room->people[1].read = 1;
    draw(10, 100);
    assert_true(is_shown("read by bob"));
    scene.state = CLIENT_LOST;
    draw(10, 100);
    assert_true(is_shown("lost: reconnecting"));
    end(model);
}

static void words_on_their_way_are_there(void **state)
{
    (void)state;
    struct model *model = begin();
    uint64_t id;
    assert_true(model_say(model, scene.room, CHAT_KIND_TEXT, "under way", 9, &id));
    draw(10, 80);
    assert_true(is_shown(" ...           ann  under way"));
    end(model);
}

static void one_scrolls_to_both_ends(void **state)
{
    (void)state;
    struct model *model = begin();
    char text[32];
    for (uint64_t seq = 1; seq <= 100; seq++) {
        (void)snprintf(text, sizeof text, "line %d.", (int)seq);
        say(model, seq, text);
    }
    draw(13, 70); /* ten rows of talk */
    assert_true(is_shown("line 100.") && is_shown("line 91.") && !is_shown("line 90."));
    assert_true(talk_scroll(&talk, scene.room, &look, 9));
    draw(13, 70);
    assert_true(is_shown("line 91.") && is_shown("line 82.") && !is_shown("line 92."));
    assert_true(is_shown("scrolled back"));
    say(model, 101, "line 101."); /* what comes does not move what is read */
    draw(13, 70);
    assert_true(is_shown("line 91.") && !is_shown("line 92."));
    assert_true(talk_scroll(&talk, scene.room, &look, 1000000));
    draw(13, 70);
    assert_true(is_shown("2023-11-14") && is_shown("line 9.") && !is_shown("line 10."));
    assert_false(talk_scroll(&talk, scene.room, &look, 1));
    assert_true(talk_scroll(&talk, scene.room, &look, -1000000));
    draw(13, 70);
    assert_true(is_shown("line 101."));
    assert_false(talk_scroll(&talk, scene.room, &look, -1));
    end(model);
}

/* Scrolling back by any steps and on by the same ends where it began. */
static void scrolling_is_even(void **state)
{
    (void)state;
    struct model *model = begin();
    for (uint64_t seq = 1; seq <= 60; seq++) {
        say(model, seq,
            seq % 3 == 0 ? "a line that goes over several rows of a narrow screen" : "x");
    }
    draw(13, 34);
    for (long step = 1; step < 30; step++) {
        assert_true(talk_scroll(&talk, scene.room, &look, step));
        struct talk_look there = look;
        assert_true(talk_scroll(&talk, scene.room, &look, step));
        assert_true(talk_scroll(&talk, scene.room, &look, -step));
        assert_true(look.line == there.line && look.hidden == there.hidden);
        (void)talk_scroll(&talk, scene.room, &look, -step);
        assert_false(look.is_back);
    }
    end(model);
}

static void words_are_searched_backwards(void **state)
{
    (void)state;
    struct model *model = begin();
    for (uint64_t seq = 1; seq <= 100; seq++) {
        say(model, seq, seq == 20 ? "a Needle" : seq == 60 ? "needles" : "hay");
    }
    draw(13, 70);
    (void)snprintf(look.search, sizeof look.search, "needle");
    assert_true(talk_search(&talk, scene.room, &look, true));
    draw(13, 70);
    assert_true(is_shown("needles"));
    assert_true(talk_search(&talk, scene.room, &look, false));
    draw(13, 70);
    assert_true(is_shown("a Needle"));
    assert_false(talk_search(&talk, scene.room, &look, false));
    end(model);
}

static void what_is_new_is_marked(void **state)
{
    (void)state;
    struct model *model = begin();
    say(model, 1, "seen");
    say(model, 2, "not seen");
    look.has_mark = true;
    look.mark = 1;
    draw(10, 60);
    assert_true(is_shown("- new -"));
    end(model);
}

/* 2000 lines of 1 KiB of marks and controls: a frame takes its time from the screen. */
static void floods_are_drawn(void **state)
{
    (void)state;
    struct model *model = begin();
    char text[1001];
    for (size_t i = 0; i < sizeof text - 1; i += 2) {
        memcpy(text + i, "\xcc\x81", 2);
    }
    text[sizeof text - 1] = '\0';
    for (uint64_t seq = 1; seq <= MODEL_LINES; seq++) {
        say(model, seq, text);
    }
    draw(50, 200);
    assert_true(talk_scroll(&talk, scene.room, &look, 100));
    draw(50, 200);
    end(model);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_usual_frame_has_it_all),
    cmocka_unit_test(tables_keep_their_columns),
    cmocka_unit_test(any_size_can_be_drawn),
    cmocka_unit_test(wide_characters_are_never_halved),
    cmocka_unit_test(peers_text_is_harmless),
    cmocka_unit_test(rooms_show_what_is_unread),
    cmocka_unit_test(people_are_shown_with_what_they_do),
    cmocka_unit_test(words_on_their_way_are_there),
    cmocka_unit_test(one_scrolls_to_both_ends),
    cmocka_unit_test(scrolling_is_even),
    cmocka_unit_test(words_are_searched_backwards),
    cmocka_unit_test(what_is_new_is_marked),
    cmocka_unit_test(floods_are_drawn),
};
TERN_TEST_MAIN(tests)
