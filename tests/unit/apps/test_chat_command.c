/* What can be typed: every command does what its help says, and completion finds nicks, rooms and commands.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "ternchat/command.h"

#include <locale.h>

#include "chat_server.h"
#include "ternchat/complete.h"

static char said[64][1200];
static size_t said_count;
static struct model_room *went;
static bool has_quit, has_members;
static char searched[100];

static void note(void *user, const char *text)
{
    (void)user;
    (void)snprintf(said[said_count++ % 64], sizeof said[0], "%s", text);
}

static void go(void *user, struct model_room *room)
{
    (void)user;
    went = room;
}

static void quit(void *user)
{
    (void)user;
    has_quit = true;
}

static const char *search(void *user, const char *words)
{
    (void)user;
    (void)snprintf(searched, sizeof searched, "%s", words);
    return strcmp(words, "there") == 0 ? NULL : words;
}

static bool set_theme(void *user, const char *name)
{
    (void)user;
    return strcmp(name, "light") == 0;
}

static void members(void *user)
{
    (void)user;
    has_members = true;
}

static struct command_front front = {.note = note,
                                     .go = go,
                                     .quit = quit,
                                     .has_screen = true,
                                     .search = search,
                                     .theme = set_theme,
                                     .members = members};

static struct model *begin(void)
{
    said_count = 0;
    went = NULL;
    has_quit = has_members = false;
    front.has_screen = true;
    return begin_in_lobby();
}

static enum command_result run(struct model *model, const char *line)
{
    return command_run(model, model_find(model, "lobby"), &front, line);
}

static void lines_are_said(void **state)
{
    (void)state;
    struct model *model = begin();
    assert_int_equal(run(model, "hello"), COMMAND_DONE);
    assert_memory_equal(sent_packet(0).body.data, "hello", 5);
    assert_int_equal(run(model, "//etc/passwd"), COMMAND_DONE);
    assert_int_equal(sent_packet(0).body.len, strlen("/etc/passwd"));
    assert_int_equal(run(model, "/me waves  "), COMMAND_DONE);
    assert_true(sent_packet(0).kind == CHAT_KIND_ACTION && sent_packet(0).body.len == 5);
    assert_int_equal(run(model, "/topic all"), COMMAND_DONE);
    assert_int_equal(sent_packet(0).kind, CHAT_KIND_TOPIC);
    assert_int_equal(command_run(model, NULL, &front, "hello"), COMMAND_DONE);
    assert_int_equal(said_count, 1); /* in no room */
    model_free(model);
}

static void too_much_is_for_later(void **state)
{
    (void)state;
    struct model *model = begin();
    is_full = true;
    for (size_t i = 0; i < MODEL_UNHEARD; i++) {
        assert_int_equal(run(model, "x"), COMMAND_DONE);
    }
    assert_int_equal(run(model, "x"), COMMAND_LATER);
    assert_int_equal(run(model, "/me x"), COMMAND_LATER);
    model_free(model);
}

static void rooms_are_entered_and_left(void **state)
{
    (void)state;
    struct model *model = begin();
    (void)run(model, "/join work");
    assert_non_null(went);
    assert_string_equal(went->name, "work");
    (void)run(model, "/go 1");
    assert_string_equal(went->name, "lobby");
    (void)run(model, "/go work");
    assert_string_equal(went->name, "work");
    (void)run(model, "/go 7");
    assert_int_equal(said_count, 1);
    (void)run(model, "/rooms");
    assert_int_equal(said_count, 3);
    (void)run(model, "/leave work");
    assert_null(model_find(model, "work"));
    (void)run(model, "/leave");
    assert_null(model_find(model, "lobby"));
    model_free(model);
}

static void the_rest_does_what_it_says(void **state)
{
    (void)state;
    struct model *model = begin();
    (void)run(model, "/who");
    assert_int_equal(said_count, 2);
    (void)run(model, "/away");
    assert_int_equal(sent_packet(0).code, CHAT_AWAY);
    (void)run(model, "/back");
    assert_int_equal(sent_packet(0).code, CHAT_HERE);
    (void)run(model, "/nick anna");
    assert_int_equal(sent_packet(0).type, CHAT_NICK);
    (void)run(model, "/list");
    assert_int_equal(sent_packet(0).type, CHAT_LIST);
    (void)run(model, "/search two words ");
    assert_string_equal(searched, "two words");
    (void)run(model, "/members");
    assert_true(has_members);
    (void)run(model, "/quit");
    assert_true(has_quit);
    model_free(model);
}

/* /help tells of every command, and each of them can be run: none is only a name. */
static void help_covers_everything(void **state)
{
    (void)state;
    const char *name;
    struct model *model = begin();
    size_t count = 0;
    while (command_name(count) != NULL) {
        count++;
    }
    (void)run(model, "/help");
    assert_int_equal(said_count, count + 2);
    for (size_t i = 0; (name = command_name(i)) != NULL; i++) {
        char line[64];
        assert_true(strncmp(said[i], name, strlen(name)) == 0);
        (void)snprintf(line, sizeof line, "/help %s", name + 1);
        said_count = 0;
        (void)run(model, line);
        assert_int_equal(said_count, 1);
        assert_true(strncmp(said[0], name, strlen(name)) == 0);
        (void)run(model, "/help"); /* for the comparison of the next */
        memmove(said, said + 1, (count + 2) * sizeof said[0]);
    }
    model_free(model);
}

static void what_makes_no_sense_is_told(void **state)
{
    (void)state;
    struct model *model = begin();
    (void)run(model, "/nonsense");
    (void)run(model, "/");
    (void)run(model, "/join");
    assert_non_null(strstr(said[2], "/join ROOM"));
    (void)run(model, "/who cares");
    (void)run(model, "/theme pink");
    (void)run(model, "/help nonsense");
    assert_int_equal(said_count, 6);
    front.has_screen = false;
    (void)run(model, "/theme light");
    assert_non_null(strstr(said[6], "no such command"));
    model_free(model);
}

static void tab_goes_through_what_fits(void **state)
{
    (void)state;
    static struct edit e;
    static struct complete c;
    struct model *model = begin();
    assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
    struct model_room *room = model_find(model, "lobby");
    edit_init(&e);
    edit_set(&e, "B");
    assert_true(complete_step(&c, &e, model, room, 1));
    assert_string_equal(e.text, "bob: ");
    complete_end(&c);
    edit_set(&e, "hi b");
    assert_true(complete_step(&c, &e, model, room, 1));
    assert_string_equal(e.text, "hi bob ");
    complete_end(&c);
    edit_set(&e, "/le");
    assert_true(complete_step(&c, &e, model, room, 1));
    assert_string_equal(e.text, "/leave ");
    complete_end(&c);
    assert_true(complete_step(&c, &e, model, room, 1));
    assert_string_equal(e.text, "/leave lobby");
    complete_end(&c);
    edit_set(&e, "/help me");
    assert_true(complete_step(&c, &e, model, room, 1));
    assert_string_equal(e.text, "/help me");
    assert_true(complete_step(&c, &e, model, room, 1));
    assert_string_equal(e.text, "/help members");
    assert_true(complete_step(&c, &e, model, room, -1));
    assert_string_equal(e.text, "/help me");
    complete_end(&c);
    edit_set(&e, "zz");
    assert_false(complete_step(&c, &e, model, room, 1));
    edit_clear(&e);
    model_free(model);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(lines_are_said),
    cmocka_unit_test(too_much_is_for_later),
    cmocka_unit_test(rooms_are_entered_and_left),
    cmocka_unit_test(the_rest_does_what_it_says),
    cmocka_unit_test(help_covers_everything),
    cmocka_unit_test(what_makes_no_sense_is_told),
    cmocka_unit_test(tab_goes_through_what_fits),
};
TERN_TEST_MAIN(tests)
