/* One table has the commands, their help and what they do.
 * SPDX-License-Identifier: MIT */
#include "ternchat/command.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/term.h"
#include "ternchat/answer.h"

struct call {
    struct model *model;
    struct model_room *room;
    const struct command_front *front;
    const char *rest; /* behind the command's name, without blanks around it */
};

static void note(const struct call *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void note(const struct call *c, const char *format, ...)
{
    char text[CHAT_TEXT_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    c->front->note(c->front->user, text);
}

static enum command_result say(const struct call *c, enum chat_kind kind, const char *text)
{
    uint64_t id;
    size_t len = strlen(text);
    if (c->room == NULL) {
        note(c, "you are in no room: /join one");
    } else if (len > CHAT_WORDS_MAX) {
        note(c, "that is longer than 65536 bytes: say it in parts");
    } else if (len > 0 && !model_say(c->model, c->room, kind, text, len, &id)) {
        return COMMAND_LATER;
    }
    return COMMAND_DONE;
}

static enum command_result do_me(const struct call *c)
{
    return say(c, CHAT_KIND_ACTION, c->rest);
}

static void refuse(const struct call *c)
{
    note(c, c->room == NULL ? "you are in no room: /join one" : "not connected now: try again");
}

static enum command_result do_topic(const struct call *c)
{
    char topic[4 * CHAT_TEXT_MAX + 1];
    if (c->room == NULL) {
        refuse(c);
    } else if (c->rest[0] == '\0') {
        (void)term_escape(c->room->topic, strlen(c->room->topic), topic, sizeof topic);
        note(c, "%s", topic[0] == '\0' ? "this room has no topic" : topic);
    } else if (strlen(c->rest) > CHAT_TEXT_MAX) {
        note(c, "that is longer than 1024 bytes");
    } else if (!model_topic(c->model, c->room, c->rest)) {
        return COMMAND_LATER;
    }
    return COMMAND_DONE;
}

static void join(const struct call *c, uint8_t flags)
{
    struct model_room *room = model_join(c->model, c->rest, flags);
    if (room != NULL) {
        c->front->go(c->front->user, room);
    }
}

static enum command_result do_join(const struct call *c)
{
    join(c, 0);
    return COMMAND_DONE;
}

static enum command_result do_open(const struct call *c)
{
    join(c, CHAT_FLAG_OPEN);
    return COMMAND_DONE;
}

/* A room of ours by its name, or a private conversation by whom it is with. */
static struct model_room *room_called(const struct call *c, const char *name)
{
    struct model_room *room = model_find(c->model, name);
    for (size_t i = 0; room == NULL && (room = model_room_at(c->model, i)) != NULL; i++) {
        room = strcmp(room->title, name) == 0 ? room : NULL;
    }
    return room;
}

static enum command_result do_leave(const struct call *c)
{
    struct model_room *room = c->rest[0] == '\0' ? c->room : room_called(c, c->rest);
    if (room == NULL) {
        note(c, "you are not in that room");
    } else {
        (void)model_leave(c->model, room);
    }
    return COMMAND_DONE;
}

static enum command_result do_go(const struct call *c)
{
    char *end;
    unsigned long number = strtoul(c->rest, &end, 10);
    struct model_room *room = room_called(c, c->rest);
    if (room == NULL && *end == '\0' && number > 0) {
        room = model_room_at(c->model, number - 1);
    }
    if (room == NULL) {
        note(c, "you are not in that room: /rooms tells in which, /join goes to others");
    } else {
        c->front->go(c->front->user, room);
    }
    return COMMAND_DONE;
}

/* Somebody by the nick at the front of what was typed; *behind is what follows it. The current room is
 * looked at first. NULL: nobody is there. */
static const struct model_person *person_named(const struct call *c, bool here, const char **behind)
{
    char nick[CHAT_NAME_MAX + 1];
    size_t len = strcspn(c->rest, " \n");
    const struct model_person *found = NULL;
    struct model_room *room = c->room;
    if (behind != NULL) {
        *behind = c->rest + len + strspn(c->rest + len, " \n");
    }
    if (len <= CHAT_NAME_MAX) {
        memcpy(nick, c->rest, len);
        nick[len] = '\0';
        found = room == NULL ? NULL : model_person(room, nick);
        for (size_t i = 0; found == NULL && !here && (room = model_room_at(c->model, i)) != NULL;
             i++) {
            found = model_person(room, nick);
        }
    }
    if (found == NULL) {
        note(c, here ? "nobody of that name is in this room: /who tells who is"
                     : "nobody of that name is in your rooms: /who tells who is");
    }
    return found;
}

static enum command_result do_msg(const struct call *c)
{
    const char *words;
    const struct model_person *person = person_named(c, false, &words);
    struct model_room *room =
        person == NULL ? NULL : model_open(c->model, person->key, person->nick);
    if (room == NULL) {
        return COMMAND_DONE;
    }
    struct call there = *c;
    there.room = room;
    if (say(&there, CHAT_KIND_TEXT, words) == COMMAND_LATER) {
        return COMMAND_LATER;
    }
    c->front->go(c->front->user, room);
    return COMMAND_DONE;
}

static enum command_result kick(const struct call *c, enum model_kick what)
{
    const struct model_person *person = c->room == NULL ? NULL : person_named(c, true, NULL);
    if (c->room == NULL || (person != NULL && !model_kick(c->model, c->room, person->key, what))) {
        refuse(c);
    }
    return COMMAND_DONE;
}

static enum command_result do_kick(const struct call *c)
{
    return kick(c, MODEL_KICK);
}

static enum command_result do_ban(const struct call *c)
{
    return kick(c, MODEL_BAN);
}

/* Who is banned is in no room, but what they said or did may still be there to see. */
static enum command_result do_pardon(const struct call *c)
{
    uint64_t n = c->room == NULL ? 0 : c->room->line_count;
    for (uint64_t i = 0; i < n && i < MODEL_LINES; i++) {
        const struct line *line = c->room->lines[(n - 1 - i) % MODEL_LINES];
        if (line->seq != 0 && strcmp(line->nick, c->rest) == 0) {
            if (!model_kick(c->model, c->room, line->key, MODEL_PARDON)) {
                refuse(c);
            }
            return COMMAND_DONE;
        }
    }
    note(c, "nothing of somebody of that name is to be seen in this room");
    return COMMAND_DONE;
}

static enum command_result do_invite(const struct call *c)
{
    if (!model_invite(c->model)) {
        note(c, "not connected now: try again");
    }
    return COMMAND_DONE;
}

static enum command_result do_before(const struct call *c)
{
    uint64_t seq = c->room == NULL ? 0 : c->room->asked;
    if (c->room != NULL && seq == 0) {
        uint64_t n = c->room->line_count, first = n > MODEL_LINES ? n - MODEL_LINES : 0;
        for (; first < n && seq == 0; first++) { /* our own notes have no number */
            seq = c->room->lines[first % MODEL_LINES]->seq;
        }
        seq = seq == 0 ? UINT64_MAX : seq;
    }
    if (c->room == NULL) {
        refuse(c);
    } else if (!model_before(c->model, c->room, seq, ANSWER_BEFORE)) {
        note(c, (c->room->flags & CHAT_FLAG_OPEN) != 0
                    ? "not connected now: try again"
                    : "the server cannot read this room, and there is no memory of it");
    }
    return COMMAND_DONE;
}

static enum command_result do_rooms(const struct call *c)
{
    struct model_room *room;
    for (size_t i = 0; (room = model_room_at(c->model, i)) != NULL; i++) {
        note(c, "%zu %s: %zu %s, %llu unread%s", i + 1, room->title, room->people_count,
             room->people_count == 1 ? "person" : "people", (unsigned long long)room->unread,
             room == c->room ? " (here)" : "");
    }
    return COMMAND_DONE;
}

static enum command_result do_list(const struct call *c)
{
    if (!model_list(c->model)) {
        note(c, "not connected now: try again");
    }
    return COMMAND_DONE;
}

static enum command_result do_who(const struct call *c)
{
    static const char *const words[] = {"", " (away)", " (lost)"};
    for (size_t i = 0; c->room != NULL && i < c->room->people_count; i++) {
        const struct model_person *p = &c->room->people[i];
        note(c, "%s%s%s%s%s", p->nick, p->presence < 3 ? words[p->presence] : "",
             p->is_typing ? " (typing)" : "", p->may ? " (moderator)" : "",
             model_is_verified(c->model, p->key) ? " (verified)" : "");
    }
    return COMMAND_DONE;
}

static enum command_result do_verify(const struct call *c)
{
    char words[WORDS_SIZE];
    const struct model_person *person = person_named(c, false, NULL);
    if (person == NULL) {
        return COMMAND_DONE;
    }
    if (!model_words(c->model, person->key, words)) {
        note(c, "there is no key of ours to compare");
        return COMMAND_DONE;
    }
    note(c, "%s: %s", person->nick, words);
    note(c,
         "%s sees the same words with /verify, if nobody is between you. Compare them by voice or "
         "face to face, not here; then: /verified %s",
         person->nick, person->nick);
    return COMMAND_DONE;
}

static enum command_result verified(const struct call *c, bool is_verified)
{
    const struct model_person *person = person_named(c, false, NULL);
    if (person != NULL && !model_verified(c->model, person->key, is_verified)) {
        note(c, "out of memory");
    } else if (person != NULL) {
        note(c,
             is_verified ? "%s is marked: their words were compared" : "%s is not marked any more",
             person->nick);
    }
    return COMMAND_DONE;
}

static enum command_result do_verified(const struct call *c)
{
    return verified(c, true);
}

static enum command_result do_unverified(const struct call *c)
{
    return verified(c, false);
}

static enum command_result do_nick(const struct call *c)
{
    if (c->rest[0] == '\0') {
        note(c, "you are %s", model_nick_now(c->model));
        return COMMAND_DONE;
    }
    model_nick(c->model, c->rest);
    return COMMAND_DONE;
}

static enum command_result do_away(const struct call *c)
{
    model_presence(c->model, CHAT_AWAY);
    note(c, "you are away; /back when you are not");
    return COMMAND_DONE;
}

static enum command_result do_back(const struct call *c)
{
    model_presence(c->model, CHAT_HERE);
    note(c, "you are back");
    return COMMAND_DONE;
}

static enum command_result do_search(const struct call *c)
{
    const char *words = c->front->has_screen ? c->front->search(c->front->user, c->rest) : c->rest;
    if (words == NULL) {
        return COMMAND_DONE;
    }
    if (c->room == NULL) {
        refuse(c);
    } else if (words[0] == '\0') {
        note(c, "search for what? /search WORDS");
    } else if (strlen(words) > CHAT_TEXT_MAX) {
        note(c, "that is longer than 1024 bytes");
    } else if (!model_search(c->model, c->room, words, ANSWER_SEARCH)) {
        note(
            c,
            (c->room->flags & CHAT_FLAG_OPEN) != 0
                ? "not found here, and the server cannot be asked now"
                : "not found here; the server cannot read this room, and there is no memory of it");
    }
    return COMMAND_DONE;
}

static enum command_result file(const struct call *c, enum command_file what)
{
    if (c->front->file != NULL) {
        c->front->file(c->front->user, what, c->room, c->rest);
    }
    return COMMAND_DONE;
}

static enum command_result do_send(const struct call *c)
{
    return file(c, COMMAND_SEND);
}

static enum command_result do_get(const struct call *c)
{
    return file(c, COMMAND_GET);
}

static enum command_result do_cancel(const struct call *c)
{
    return file(c, COMMAND_CANCEL);
}

static enum command_result do_files(const struct call *c)
{
    return file(c, COMMAND_FILES);
}

static enum command_result do_theme(const struct call *c)
{
    if (!c->front->theme(c->front->user, c->rest)) {
        note(c, "themes are dark, light and mono");
    }
    return COMMAND_DONE;
}

static enum command_result do_members(const struct call *c)
{
    c->front->members(c->front->user);
    return COMMAND_DONE;
}

static enum command_result do_quit(const struct call *c)
{
    c->front->quit(c->front->user);
    return COMMAND_DONE;
}

static enum command_result do_help(const struct call *c);
static enum command_result do_keys(const struct call *c);

enum want { WANT_NOTHING, WANT_WORDS /* or it makes no sense */, WANT_ANY };

static const struct command {
    const char *name, *what, *help;
    enum want want;
    enum command_result (*run)(const struct call *c);
    bool needs_screen;
} commands[] = {
    {"/help", "[COMMAND]", "tells of all commands, or of one", WANT_ANY, do_help, false},
    {"/keys", "", "tells what the keys do", WANT_NOTHING, do_keys, true},
    {"/join", "ROOM", "enters a room, and makes it if there is none of that name", WANT_WORDS,
     do_join, false},
    {"/open", "ROOM", "the same, but the server can read it, and search in it for all", WANT_WORDS,
     do_open, false},
    {"/leave", "[ROOM]", "leaves this room, or that one", WANT_ANY, do_leave, false},
    {"/go", "ROOM", "turns to another of your rooms, by its name or number", WANT_WORDS, do_go,
     false},
    {"/rooms", "", "your rooms, with what is unread in them", WANT_NOTHING, do_rooms, false},
    {"/list", "", "the rooms of the server that are open to all", WANT_NOTHING, do_list, false},
    {"/who", "", "who is in this room", WANT_NOTHING, do_who, false},
    {"/me", "WORDS", "says what you do: \"/me waves\" is \"* ann waves\"", WANT_WORDS, do_me,
     false},
    {"/msg", "NICK [WORDS]", "talks with somebody alone", WANT_WORDS, do_msg, false},
    {"/verify", "NICK", "shows words by which you two can tell that nobody is between you",
     WANT_WORDS, do_verify, false},
    {"/verified", "NICK", "remembers that you have compared them", WANT_WORDS, do_verified, false},
    {"/unverified", "NICK", "forgets it", WANT_WORDS, do_unverified, false},
    {"/topic", "[WORDS]", "says what this room is about (moderators), or tells it", WANT_ANY,
     do_topic, false},
    {"/kick", "NICK", "puts somebody out of this room (moderators)", WANT_WORDS, do_kick, false},
    {"/ban", "NICK", "and never lets them in again", WANT_WORDS, do_ban, false},
    {"/pardon", "NICK", "lets them in again", WANT_WORDS, do_pardon, false},
    {"/invite", "", "makes a code for somebody new (moderators of the server)", WANT_NOTHING,
     do_invite, false},
    {"/nick", "[NAME]", "changes what others see as your name, or tells it", WANT_ANY, do_nick,
     false},
    {"/away", "", "shows others that you are not at the keyboard", WANT_NOTHING, do_away, false},
    {"/back", "", "shows them that you are again", WANT_NOTHING, do_back, false},
    {"/search", "[WORDS]",
     "finds words in this room, on the server too if it is open; alone: the next older place",
     WANT_ANY, do_search, false},
    {"/before", "", "shows what was said before the oldest that is here", WANT_NOTHING, do_before,
     false},
    {"/send", "PATH", "offers a file to this room, for as long as you are here", WANT_WORDS,
     do_send, false},
    {"/get", "[NUMBER]", "gets a file that somebody offers: the latest, or that one", WANT_ANY,
     do_get, false},
    {"/files", "", "tells which files are offered, and which are on their way", WANT_NOTHING,
     do_files, false},
    {"/cancel", "NUMBER", "stops a file that comes, or takes back what you offer", WANT_WORDS,
     do_cancel, false},
    {"/members", "", "shows or hides the list of who is here", WANT_NOTHING, do_members, true},
    {"/theme", "NAME", "changes the colours: dark, light or mono", WANT_WORDS, do_theme, true},
    {"/quit", "", "ends, once the server has all that you said", WANT_NOTHING, do_quit, false},
};

#define COUNT (sizeof commands / sizeof commands[0])

static bool is_there(const struct command *command, const struct command_front *front)
{
    return front->has_screen || !command->needs_screen;
}

static void help_of(const struct call *c, const struct command *command)
{
    char usage[40];
    (void)snprintf(usage, sizeof usage, "%s %s", command->name, command->what);
    note(c, "%-18s %s", usage, command->help);
}

static enum command_result do_help(const struct call *c)
{
    const char *name = c->rest[0] == '/' ? c->rest + 1 : c->rest;
    bool is_found = false;
    for (size_t i = 0; i < COUNT; i++) {
        if (is_there(&commands[i], c->front) &&
            (name[0] == '\0' || strcmp(name, commands[i].name + 1) == 0)) {
            help_of(c, &commands[i]);
            is_found = true;
        }
    }
    if (!is_found) {
        note(c, "there is no such command: /help tells of all");
    } else if (name[0] == '\0') {
        note(c, "%-18s %s", "//WORDS", "says words that begin with a slash");
        note(c, "All else that you type is said in the room.");
    }
    return COMMAND_DONE;
}

static enum command_result do_keys(const struct call *c)
{
    static const char *const lines[] = {
        "Enter            says the line",
        "Tab, Shift-Tab   completes a nick, a room or a command; again: the next, the one before",
        "Up, Down         lines that you typed before (also Ctrl-P, Ctrl-N)",
        "PgUp, PgDn       scroll; Alt-< and Alt-> to the start and to the end",
        "Alt-1 to Alt-9   turns to that room; Alt-Left, Alt-Right to the one beside it",
        "Alt-A            turns to the next room with something unread",
        "Ctrl-A, Ctrl-E   start and end of the line (also Home, End)",
        "Alt-B, Alt-F     a word back or on (also Ctrl-Left, Ctrl-Right)",
        "Ctrl-W, Alt-D    cuts the word before or behind the cursor",
        "Ctrl-U, Ctrl-K   cuts all before or behind the cursor; Ctrl-Y pastes it again",
        "Ctrl-T           swaps two characters",
        "Ctrl-C           empties the line; ends, when it is empty; Ctrl-D as well",
        "Ctrl-L           draws the screen anew; Ctrl-Z suspends",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        note(c, "%s", lines[i]);
    }
    return COMMAND_DONE;
}

static const struct command *find(const char *name, size_t len)
{
    for (size_t i = 0; i < COUNT; i++) {
        if (strlen(commands[i].name) == len && memcmp(commands[i].name, name, len) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

static enum command_result run(struct call *c, const char *line, size_t len)
{
    const struct command *command = find(line, len);
    if (command == NULL || !is_there(command, c->front)) {
        note(c, "there is no such command: /help tells of all; //WORDS says words with a slash");
        return COMMAND_DONE;
    }
    if ((command->want == WANT_WORDS && c->rest[0] == '\0') ||
        (command->want == WANT_NOTHING && c->rest[0] != '\0')) {
        help_of(c, command);
        return COMMAND_DONE;
    }
    return command->run(c);
}

enum command_result command_run(struct model *model, struct model_room *room,
                                const struct command_front *front, const char *line)
{
    struct call c = {model, room, front, line};
    if (line[0] != '/' || line[1] == '/') {
        return say(&c, CHAT_KIND_TEXT, line[0] == '/' ? line + 1 : line);
    }
    size_t len = strcspn(line, " \n");
    const char *rest = line + len + strspn(line + len, " \n");
    size_t used = strlen(rest);
    while (used > 0 && (rest[used - 1] == ' ' || rest[used - 1] == '\n')) {
        used--;
    }
    char *copy = malloc(used + 1);
    if (copy == NULL) {
        note(&c, "out of memory");
        return COMMAND_DONE;
    }
    memcpy(copy, rest, used);
    copy[used] = '\0';
    c.rest = copy;
    enum command_result result = run(&c, line, len);
    free(copy);
    return result;
}

const char *command_name(size_t i)
{
    return i < COUNT ? commands[i].name : NULL;
}

bool command_wants_room(const char *name, size_t len)
{
    const struct command *command = find(name, len);
    return command != NULL && strstr(command->what, "ROOM") != NULL;
}
