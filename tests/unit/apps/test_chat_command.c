/* What can be typed: every command does what its help says, and completion finds nicks, rooms and commands.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "ternchat/command.h"

#include <locale.h>

#include "chat_server.h"
#include "ternchat/answer.h"
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

static enum command_file filed;
static char filed_rest[100];
static bool filed_here;

static void file(void *user, enum command_file what, struct model_room *room, const char *rest)
{
    (void)user;
    filed = what;
    filed_here = room != NULL;
    (void)snprintf(filed_rest, sizeof filed_rest, "%s", rest);
}

static struct command_front front = {.note = note,
                                     .file = file,
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

static void somebody_is_talked_to_alone(void **state)
{
    static const uint8_t secret[TERN_KEY_SIZE] = {7};
    (void)state;
    struct model *model = begin();
    model_identify(model, secret);
    (void)run(model, "/msg nobody hello");
    assert_int_equal(said_count, 1);
    assert_null(went);
    (void)run(model, "/msg bob hello you");
    assert_non_null(went);
    assert_string_equal(went->title, "bob");
    assert_int_equal(sent_packet(0).type, CHAT_OPEN);
    assert_memory_equal(sent_packet(0).key, bob_key, sizeof bob_key);
    struct model_room *room = went;
    admit(model, 2, room->name, 0);
    catch_up(model, 2, 0);
    assert_int_equal(sent_packet(1).kind, CHAT_KIND_KEYS);
    assert_true(sent_packet(0).type == CHAT_SAY && sent_packet(0).kind == CHAT_KIND_TEXT);
    assert_int_equal(sents[sent_count - 1].channel, 2);
    assert_true(sent_packet(0).body.len > 9); /* it is sealed */
    (void)run(model, "/go 1");
    (void)run(model, "/go bob");
    assert_ptr_equal(went, room);
    (void)run(model, "/leave bob");
    assert_int_equal(sent_packet(0).type, CHAT_LEAVE);
    assert_null(model_room_at(model, 1));
    model_free(model);
}

static void moderators_ask_the_server(void **state)
{
    (void)state;
    struct model *model = begin();
    event(model, 1, 1, CHAT_KIND_TEXT, bob_key, 0, "words");
    const struct {
        const char *line;
        uint8_t code;
    } kicks[] = {{"/kick bob", 0}, {"/ban bob", 1}, {"/pardon bob", 2}};
    for (size_t i = 0; i < 3; i++) {
        (void)run(model, kicks[i].line);
        assert_int_equal(sent_packet(0).type, CHAT_KICK);
        assert_int_equal(sent_packet(0).code, kicks[i].code);
        assert_int_equal(sent_packet(0).channel, 1);
        assert_memory_equal(sent_packet(0).key, bob_key, sizeof bob_key);
    }
    (void)run(model, "/invite");
    assert_int_equal(sent_packet(0).type, CHAT_INVITE);
    assert_int_equal(said_count, 0);
    (void)run(model, "/kick eve");
    (void)run(model, "/pardon eve");
    (void)run(model, "/topic");
    assert_int_equal(said_count, 3);
    assert_string_equal(said[2], "this room has no topic");
    model_free(model);
}

static void the_server_is_asked_for_what_is_not_here(void **state)
{
    (void)state;
    struct model *model = begin();
    (void)run(model, "/search there"); /* on the screen */
    assert_int_equal(said_count, 0);
    model_find(model, "lobby")->flags = 0;
    (void)run(model, "/search elsewhere");
    assert_non_null(strstr(said[0], "no memory"));
    model_find(model, "lobby")->flags = CHAT_FLAG_OPEN;
    (void)run(model, "/search elsewhere");
    assert_true(sent_packet(0).type == CHAT_SEARCH && sent_packet(0).text.len == 9);
    front.has_screen = false;
    (void)run(model, "/search there");
    assert_int_equal(sent_packet(0).text.len, 5);
    (void)run(model, "/before");
    assert_int_equal(sent_packet(0).type, CHAT_BEFORE);
    model_note(model, model_find(model, "lobby"), "without a number");
    event(model, 1, 1, CHAT_KIND_TEXT, bob_key, 0, "words");
    event(model, 1, 2, CHAT_KIND_TEXT, bob_key, 0, "words");
    (void)run(model, "/before");
    assert_int_equal(sent_packet(0).seq, 1);
    (void)run(model, "/open wide");
    assert_true(sent_packet(0).type == CHAT_JOIN && sent_packet(0).flags == CHAT_FLAG_OPEN);
    model_free(model);
}

static void answers_are_lines(void **state)
{
    (void)state;
    struct model *model = begin();
    static struct answer got;
    struct chat_packet rooms = {
        .type = CHAT_ROOMS, .count = 1, .room = chat_text("den"), .text = chat_text("a\x1b[2J")};
    struct chat_packet invited = {.type = CHAT_INVITED, .text = chat_text("1-two")};
    struct chat_packet found = {.type = CHAT_FOUND,
                                .channel = 1,
                                .id = ANSWER_BEFORE,
                                .nick = chat_text("bob"),
                                .body = chat_text("w\x07")};
    answer_take(&got, model, &rooms, note, NULL);
    assert_string_equal(said[0], "den: 1 person; a\\x1b[2J");
    rooms.room.len = 0; /* the list's end */
    answer_take(&got, model, &rooms, note, NULL);
    answer_take(&got, model, &invited, note, NULL);
    assert_int_equal(said_count, 2);
    assert_string_equal(said[1], "an invitation, good for one: ternchat 1-two");
    invited.text =
        chat_text("1-two@:7439"); /* the server's port, and the host that we know it by */
    said_count = 1;
    got.host = "::1";
    answer_take(&got, model, &invited, note, NULL);
    assert_string_equal(said[1], "an invitation, good for one: ternchat 1-two@[::1]:7439");
    said_count = 1;
    got.host = "chat.example.org";
    answer_take(&got, model, &invited, note, NULL);
    assert_string_equal(said[1],
                        "an invitation, good for one: ternchat 1-two@chat.example.org:7439");
    static const char *const lies[] = {"1-two;reboot@:1", "$(reboot)@:1", "1-two reboot",
                                       "--key-log"};
    for (size_t i = 0; i < sizeof lies / sizeof lies[0];
         i++) { /* it would be pasted into a shell */
        invited.text = chat_text(lies[i]);
        said_count = 1;
        answer_take(&got, model, &invited, note, NULL);
        assert_string_equal(
            said[1], "WARNING: what the server calls an invitation is none, and is not shown");
    }
    for (uint64_t seq = 200; seq > 100; seq--) { /* too many do no harm */
        found.seq = seq;
        found.kind = seq == 200 ? CHAT_KIND_ACTION : seq == 199 ? CHAT_KIND_JOIN : CHAT_KIND_TEXT;
        answer_take(&got, model, &found, note, NULL);
    }
    assert_int_equal(said_count, 2);
    found.kind = 0;
    answer_take(&got, model, &found, note, NULL);
    assert_int_equal(said_count, 2 + ANSWER_LINES);
    assert_non_null(strstr(said[2], " <bob> w\\x07"));
    assert_non_null(strstr(said[1 + ANSWER_LINES], " * bob w\\x07")); /* the newest is the last */
    (void)run(model, "/before");
    assert_int_equal(sent_packet(0).seq, 101);
    answer_take(&got, model, &found, note, NULL);
    assert_string_equal(said[(said_count - 1) % 64], "there is nothing older");
    found.kind = CHAT_KIND_TEXT;
    answer_take(&got, model, &found, note, NULL);
    answer_clear(&got);
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

static void files_are_told_of(void **state)
{
    struct model *model = begin();
    (void)state;
    (void)run(model, "/send  a file.txt ");
    assert_int_equal(filed, COMMAND_SEND);
    assert_string_equal(filed_rest, "a file.txt");
    assert_true(filed_here);
    (void)command_run(model, NULL, &front, "/get 7");
    assert_int_equal(filed, COMMAND_GET);
    assert_string_equal(filed_rest, "7");
    assert_false(filed_here);
    (void)run(model, "/cancel 7");
    assert_int_equal(filed, COMMAND_CANCEL);
    (void)run(model, "/files");
    assert_int_equal(filed, COMMAND_FILES);
    (void)run(model, "/send"); /* what? the help says so */
    assert_int_equal(filed, COMMAND_FILES);
    assert_non_null(strstr(said[said_count - 1], "/send PATH"));
    model_free(model);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(files_are_told_of),
    cmocka_unit_test(lines_are_said),
    cmocka_unit_test(too_much_is_for_later),
    cmocka_unit_test(rooms_are_entered_and_left),
    cmocka_unit_test(the_rest_does_what_it_says),
    cmocka_unit_test(somebody_is_talked_to_alone),
    cmocka_unit_test(moderators_ask_the_server),
    cmocka_unit_test(the_server_is_asked_for_what_is_not_here),
    cmocka_unit_test(answers_are_lines),
    cmocka_unit_test(help_covers_everything),
    cmocka_unit_test(what_makes_no_sense_is_told),
    cmocka_unit_test(tab_goes_through_what_fits),
};
TERN_TEST_MAIN(tests)
