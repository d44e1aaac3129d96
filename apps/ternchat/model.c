/* Rooms as the packets tell of them, from when a person wishes to be in one until it is left.
 * SPDX-License-Identifier: MIT */
#include "ternchat/model.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shared/term.h"
#include "ternchat/model_memory.h"
#include "ternchat/model_seal.h"
#include "ternchat/name.h"

#define NICK_TRIES 9

struct model *model_new(const struct model_front *front, const char *nick)
{
    struct model *model = calloc(1, sizeof *model);
    if (model != NULL) {
        model->front = *front;
        (void)snprintf(model->nick, sizeof model->nick, "%s", nick);
        memcpy(model->wished, model->nick, sizeof model->wished);
        /* The program's number: never 0, which the server takes for none. */
        model->next_id = (uint64_t)(1 + randombytes_uniform(UINT32_MAX - 1)) << 32 | 1;
        model->next_keys_id = (uint64_t)(1 + randombytes_uniform(UINT32_MAX - 1)) << 32 | 1;
    }
    return model;
}

void model_identify(struct model *model, const uint8_t secret[TERN_KEY_SIZE])
{
    model->has_identity = true;
    memcpy(model->secret, secret, sizeof model->secret);
    (void)crypto_scalarmult_base(model->key, secret);
}

static void room_clear(struct model_room *room)
{
    while (room->unheard != NULL) {
        model_said_drop(room, &room->unheard);
    }
    model_seal_clear(room);
    for (size_t i = 0; i < MODEL_LINES; i++) {
        free(room->lines[i]);
    }
    free(room->people);
}

void model_free(struct model *model)
{
    for (size_t i = 0; model != NULL && i < model->room_count; i++) {
        room_clear(model->rooms[i]);
        free(model->rooms[i]);
    }
    if (model != NULL) {
        room_clear(&model->console);
        free(model->known);
        sodium_memzero(model->secret, sizeof model->secret);
    }
    free(model);
}

struct model_room *model_room_at(struct model *model, size_t i)
{
    return i < model->room_count ? model->rooms[i] : NULL;
}

struct model_room *model_find(struct model *model, const char *name)
{
    for (size_t i = 0; i < model->room_count; i++) {
        if (strcmp(model->rooms[i]->name, name) == 0) {
            return model->rooms[i];
        }
    }
    return NULL;
}

struct model_room *model_on(struct model *model, uint16_t channel)
{
    for (size_t i = 0; channel != CHAT_CONTROL && i < model->room_count; i++) {
        if (model->rooms[i]->channel == channel) {
            return model->rooms[i];
        }
    }
    return NULL;
}

const char *model_nick_now(const struct model *model)
{
    return model->nick;
}

bool model_is_welcome(const struct model *model)
{
    return model->is_welcome;
}

bool model_is_away(const struct model *model)
{
    return model->presence == CHAT_AWAY;
}

struct model_room *model_console(struct model *model)
{
    return &model->console;
}

void model_tell(struct model *model, const char *text)
{
    model->front.on_note(model->front.user, text);
}

/* --- sending ----------------------------------------------------------------------------------------- */

bool model_send(struct model *model, uint16_t channel, const struct chat_packet *p, bool is_latest)
{
    uint8_t buf[CHAT_PACKET_MAX];
    size_t len = chat_encode(p, buf, sizeof buf);
    return len > 0 && model->front.send(model->front.user, channel, buf, len, is_latest);
}

static void send_join(struct model *model, struct model_room *room)
{
    struct chat_packet p = {.type = CHAT_JOIN,
                            .flags = room->flags,
                            .seq = room->last == 0 ? CHAT_SINCE_NONE : room->last,
                            .room = chat_text(room->name)};
    if ((room->flags & CHAT_FLAG_PRIVATE) != 0) {
        p.type = CHAT_OPEN;
        memcpy(p.key, room->with, sizeof p.key);
    }
    if (model->is_welcome && room->channel == 0 && !room->is_joining && !room->is_held) {
        room->is_joining = model_send(model, CHAT_CONTROL, &p, false);
    }
}

/* The server waits for the word, and nothing may keep us in the room. */
static void say_leave(struct model *model, uint16_t channel)
{
    struct chat_packet p = {.type = CHAT_LEAVE};
    if (channel != 0 && !model_send(model, channel, &p, false) && model->owed_count < MODEL_OWED) {
        model->owed[model->owed_count++] = channel;
    }
}

static void say_owed(struct model *model)
{
    struct chat_packet p = {.type = CHAT_LEAVE};
    while (model->owed_count > 0 &&
           model_send(model, model->owed[model->owed_count - 1], &p, false)) {
        model->owed_count--;
    }
}

void model_on_writable(struct model *model)
{
    say_owed(model);
    for (size_t i = 0; i < model->room_count; i++) {
        send_join(model, model->rooms[i]);
        model_send_unsent(model, model->rooms[i]);
    }
}

void model_hello(struct model *model)
{
    struct chat_packet p = {
        .type = CHAT_HELLO, .version = CHAT_VERSION, .nick = chat_text(model->nick)};
    (void)model_send(model, CHAT_CONTROL, &p, false); /* a new connection has room */
}

void model_connected(struct model *model)
{
    model->is_connected = true;
    model->nick_tries = 0;
    model_hello(model);
}

void model_retry(struct model *model)
{
    for (size_t i = 0; i < model->room_count; i++) {
        if (model->rooms[i]->is_held) {
            model->rooms[i]->is_held = false;
            model->rooms[i]->unsent = model->rooms[i]->unheard;
            model_seal_say_again(model->rooms[i]);
        }
        model_people_tick(model, model->rooms[i]);
        model_seal_tick(model, model->rooms[i]);
    }
    model_on_writable(model);
}

void model_lost(struct model *model)
{
    model->is_connected = model->is_welcome = false;
    model->owed_count = 0;
    for (size_t i = 0; i < model->room_count; i++) {
        model->rooms[i]->channel = 0;
        model->rooms[i]->is_joining = false;
        model->rooms[i]->is_held = false;
        model->rooms[i]->unsent = NULL;
        model_seal_on_lost(model->rooms[i]);
    }
}

/* --- wishes ------------------------------------------------------------------------------------------ */

/* with: of a private room, or NULL. */
static struct model_room *add_room(struct model *model, const char *name, const char *title,
                                   uint8_t flags, const uint8_t *with)
{
    struct model_room *room = model->room_count == MODEL_ROOMS ? NULL : calloc(1, sizeof *room);
    if (room == NULL) {
        model_tell(model, "no more rooms: leave one first");
        return NULL;
    }
    (void)snprintf(room->name, sizeof room->name, "%s", name);
    (void)snprintf(room->title, sizeof room->title, "%s", title);
    room->flags = flags;
    room->unheard_tail = &room->unheard;
    model->rooms[model->room_count++] = room;
    if (with != NULL) {
        memcpy(room->with, with, sizeof room->with);
    }
    model_memory_enter(model, room);
    return room;
}

struct model_room *model_join(struct model *model, const char *name, uint8_t flags)
{
    char checked[CHAT_NAME_MAX + 1];
    struct model_room *room = model_find(model, name);
    if (room != NULL) {
        return room;
    }
    if (!name_take(chat_text(name), NAME_ROOM, checked)) {
        model_tell(model,
                   "that is not a name for a room: no blanks, \"/\" or \"@\", at most 64 bytes");
        return NULL;
    }
    room = add_room(model, checked, checked, flags, NULL);
    if (room != NULL) {
        send_join(model, room);
    }
    return room;
}

struct model_room *model_open(struct model *model, const uint8_t key[TERN_KEY_SIZE],
                              const char *nick)
{
    char name[CHAT_NAME_MAX + 1];
    bool is_sure = model->is_welcome || model->has_identity; /* who we are */
    if (!is_sure || sodium_memcmp(key, model->key, TERN_KEY_SIZE) == 0) {
        model_tell(model, is_sure ? "that is you" : "not connected");
        return NULL;
    }
    name_private(model->key, key, name);
    struct model_room *room = model_find(model, name);
    return room != NULL ? room : model_reopen(model, name, nick, key);
}

struct model_room *model_reopen(struct model *model, const char *name, const char *title,
                                const uint8_t key[TERN_KEY_SIZE])
{
    struct model_room *room = model_find(model, name);
    if (room == NULL && (room = add_room(model, name, title, CHAT_FLAG_PRIVATE, key)) != NULL) {
        send_join(model, room);
    }
    return room;
}

static void remove_room(struct model *model, struct model_room *room)
{
    size_t i = 0;
    while (model->rooms[i] != room) {
        i++;
    }
    model->room_count--;
    memmove(&model->rooms[i], &model->rooms[i + 1],
            (model->room_count - i) * sizeof model->rooms[0]);
    model->front.on_left(model->front.user, room);
    model_memory_leave(model, room);
    room_clear(room);
    free(room);
}

bool model_leave(struct model *model, struct model_room *room)
{
    struct chat_packet p = {.type = CHAT_LEAVE};
    if (room->channel != 0 && !model_send(model, room->channel, &p, false)) {
        model_tell(model, "the connection is full: try again");
        return false;
    }
    remove_room(model, room);
    return true;
}

/* The server wants it so, or says what it should not: there is no later try. */
static void go(struct model *model, struct model_room *room)
{
    say_leave(model, room->channel);
    remove_room(model, room);
}

void model_read(struct model *model, struct model_room *room)
{
    struct chat_packet p = {.type = CHAT_READ, .seq = room->last};
    room->unread = 0;
    if (room->channel != 0 && room->last > 0) {
        (void)model_send(model, room->channel, &p, true);
    }
}

void model_type(struct model *model, struct model_room *room, bool is_typing)
{
    struct chat_packet p = {.type = CHAT_TYPE, .code = is_typing ? 1 : 0};
    if (room->channel != 0) {
        (void)model_send(model, room->channel, &p, true);
    }
}

/* --- packets ----------------------------------------------------------------------------------------- */

static void on_welcome(struct model *model, const struct chat_packet *p)
{
    char motd[2 * CHAT_TEXT_MAX];
    model->is_welcome = true;
    if (!model->has_identity) { /* else we know better than anybody who we are */
        memcpy(model->key, p->key, sizeof model->key);
    }
    (void)name_take(p->nick, NAME_NICK, model->nick);
    if (p->text.len > 0) {
        model_tell(model, term_escape((const char *)p->text.data, p->text.len, motd, sizeof motd));
    }
    if (model->presence != CHAT_HERE) {
        model_presence(model, model->presence);
    }
    model_on_writable(model);
}

/* As the server calls it; NULL: we know none of that name. */
static struct model_room *room_named(struct model *model, struct chat_slice from)
{
    char name[CHAT_NAME_MAX + 1];
    if (from.len == 0 || from.len > CHAT_NAME_MAX || memchr(from.data, 0, from.len) != NULL) {
        return NULL;
    }
    memcpy(name, from.data, from.len);
    name[from.len] = '\0';
    return model_find(model, name);
}

/* A room is open or sealed once and for all. False: the server says another thing now, and we have left.
 * What was said in a room that we took for a sealed one is not sent to an open one. */
static bool is_as_before(struct model *model, struct model_room *room, bool is_open)
{
    bool is_surprise = is_open && (room->flags & CHAT_FLAG_OPEN) == 0;
    if (is_surprise && (room->is_known || (room->flags & CHAT_FLAG_PRIVATE) != 0)) {
        char text[CHAT_NAME_MAX + 100];
        (void)snprintf(text, sizeof text,
                       "WARNING: the server says that %s is open now, which it was not: left",
                       room->title);
        go(model, room);
        model_tell(model, text); /* where it is not gone with the room */
        return false;
    }
    if (is_surprise) {
        model_note(model, room, "this room is open: the server can read what is said here");
    }
    while (is_surprise && room->unheard != NULL) {
        model_tell(model, "words for a sealed room were not said: say them again if you will");
        model_said_in_vain(model, room, &room->unheard);
    }
    room->is_known = true;
    return true;
}

static void on_joined(struct model *model, uint16_t channel, const struct chat_packet *p)
{
    struct model_room *room = room_named(model, p->room);
    if (room == NULL && model_on(model, channel) == NULL) { /* we have left before it came */
        say_leave(model, channel);
    }
    if (room == NULL || model_on(model, channel) != NULL) {
        return;
    }
    room->is_joining = false;
    room->channel = channel;
    bool was_known = room->is_known;
    if (!is_as_before(model, room, (p->flags & CHAT_FLAG_OPEN) != 0)) {
        return;
    }
    room->flags = (uint8_t)((p->flags & CHAT_FLAG_OPEN) | (room->flags & CHAT_FLAG_PRIVATE));
    room->may = (p->flags & CHAT_FLAG_MAY) != 0;
    room->is_held = false;
    room->is_replay = true;
    /* What we saw before does not come again; and of a private conversation all was said to us. */
    room->is_missed = room->last != 0 || (room->flags & CHAT_FLAG_PRIVATE) != 0;
    room->listed = p->seq;
    model_set_topic(room, p->text);
    model_people_set(model, room, p->body, was_known);
    if (p->seq < room->last) {
        room->last = room->asked = 0; /* the server has lost its memory: all is new */
    }
    room->unsent = room->unheard;
    model_memory_joined(model, room);
    model_seal_on_joined(model, room);
    model->front.on_joined(model->front.user, room);
    model_send_unsent(model, room);
}

/* Another name, like the one that was wished. False: they are all taken. */
static bool try_nick(struct model *model)
{
    char text[200];
    if (model->nick_tries >= NICK_TRIES) {
        return false;
    }
    (void)snprintf(model->nick, sizeof model->nick, "%.*s-%u", CHAT_NAME_MAX - 3, model->wished,
                   model->nick_tries++ + 2);
    (void)snprintf(text, sizeof text, "that name is taken; trying %s", model->nick);
    model_tell(model, text);
    model_hello(model);
    return true;
}

static struct model_room *find_pair(struct model *model, const uint8_t key[TERN_KEY_SIZE])
{
    char name[CHAT_NAME_MAX + 1];
    name_private(model->key, key, name);
    return model_find(model, name);
}

/* Do those who call leave no room for what the person wishes? */
static bool is_crowded(const struct model *model)
{
    size_t called = 0;
    for (size_t i = 0; i < model->room_count; i++) {
        called += model->rooms[i]->is_called ? 1 : 0;
    }
    return called >= MODEL_CALLS || model->room_count + MODEL_CALLS >= MODEL_ROOMS;
}

/* Once a minute: each of their words is a call. */
static void tell_of_call(struct model *model, const char *nick)
{
    char text[2 * CHAT_NAME_MAX + 200];
    uint64_t now = model_clock();
    if (now - model->called >= 60000 || model->called > now) {
        model->called = now;
        (void)snprintf(text, sizeof text,
                       "%s talks to you alone, as too many do: /msg %s opens it, /leave closes "
                       "others",
                       nick, nick);
        model_tell(model, text);
    }
}

static void on_called(struct model *model, const struct chat_packet *p)
{
    char nick[CHAT_NAME_MAX + 1];
    if (!name_take(p->nick, NAME_NICK, nick)) {
        (void)snprintf(nick, sizeof nick, "?");
    }
    bool is_new = find_pair(model, p->key) == NULL;
    if (is_new && is_crowded(model) && !model_is_verified(model, p->key)) {
        tell_of_call(model, nick);
        return;
    }
    struct model_room *room = model_open(model, p->key, nick);
    if (room != NULL && is_new) {
        room->is_called = true;
    }
}

static void on_refused(struct model *model, const struct chat_packet *p)
{
    char why[2 * CHAT_TEXT_MAX], text[3 * CHAT_TEXT_MAX];
    bool is_later = p->code == CHAT_REFUSED_HISTORY || p->code == CHAT_REFUSED_RATE;
    struct model_room *room = room_named(model, p->room), *said = model_on(model, p->channel);
    if (p->code == CHAT_REFUSED_NICK && !model->is_welcome && try_nick(model)) {
        return;
    }
    if (is_later && said != NULL && said->is_held) {
        return; /* words after those that were refused: one note is enough */
    }
    (void)term_escape((const char *)p->text.data, p->text.len, why, sizeof why);
    room = room == NULL ? said : room;
    (void)snprintf(text, sizeof text, "%s%s%s: %s", room == NULL ? "" : room->title,
                   room == NULL ? "" : ": ", is_later ? "not now" : "refused", why);
    bool is_of_words = said != NULL && p->id > UINT32_MAX; /* else it was a question */
    bool was_joining = room != NULL && room->is_joining && !is_of_words;
    if (was_joining) {
        room->is_joining = false;
        room->is_held = is_later;
    }
    if (was_joining && !is_later) {
        remove_room(model, room);
    }
    model_tell(model, text); /* not before: it would go with the room */
    if (is_of_words) {
        model_said_refused(model, said, p->id, is_later);
    }
}

static void on_room_packet(struct model *model, struct model_room *room,
                           const struct chat_packet *p)
{
    if (p->type == CHAT_EVENT) {
        model_on_event(model, room, p);
    } else if (p->type == CHAT_STATUS) {
        model_on_status(room, p->body);
    } else if (p->type == CHAT_PARTED) {
        char text[CHAT_NAME_MAX + 60];
        (void)snprintf(text, sizeof text, "%s: you are no longer in that room", room->title);
        go(model, room); /* first, or the note would go with the room */
        model_tell(model, text);
    } else if (p->type == CHAT_CAUGHT_UP) {
        room->is_replay = false;
        room->last = p->seq > room->last ? p->seq : room->last;
        model_memory_last(model, room);
        model_people_caught_up(model, room);
        model_seal_on_caught_up(model, room);
        model_send_unsent(model, room);
    }
}

static bool is_open(const struct model_room *room)
{
    return room != NULL && (room->flags & CHAT_FLAG_OPEN) != 0;
}

void model_receive(struct model *model, uint16_t channel, const uint8_t *data, size_t len)
{
    struct chat_packet p;
    if (!chat_decode(&p, data, len)) {
        return; /* a later version's */
    }
    if (p.type == CHAT_JOINED && channel != CHAT_CONTROL) {
        on_joined(model, channel, &p);
    } else if (channel != CHAT_CONTROL) {
        struct model_room *room = model_on(model, channel);
        if (room != NULL) {
            on_room_packet(model, room, &p);
        }
    } else if (p.type == CHAT_WELCOME) {
        on_welcome(model, &p);
    } else if (p.type == CHAT_REFUSED && (p.id < MODEL_FETCH || p.id > UINT32_MAX)) {
        on_refused(model, &p);
    } else if (p.type == CHAT_CALLED && model->is_welcome) {
        on_called(model, &p);
    } else if (p.type == CHAT_FOUND && !is_open(model_on(model, p.channel))) {
        return; /* nobody asks the server for sealed words: these are its own */
    } else if (p.type < CHAT_JOINED && p.type >= CHAT_REFUSED) {
        model->front.on_answer(model->front.user, &p);
    }
}
