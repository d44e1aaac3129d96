/* Rooms as the packets tell of them, and words on their way until the server has put them in order.
 *
 * What a person says bears a number: which program said it, and its how manieth words they are. The server
 * takes each number once. So after a lost connection everything that did not come back as an event is said
 * again, and is there once.
 * SPDX-License-Identifier: MIT */
#include "ternchat/model.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shared/term.h"
#include "ternchat/name.h"

struct unheard {
    struct unheard *next;
    uint64_t id;
    uint8_t kind;
    size_t len;
    uint8_t body[];
};

struct model {
    struct model_front front;
    bool is_connected, is_welcome;
    uint8_t key[TERN_KEY_SIZE];
    char nick[CHAT_NAME_MAX + 1];
    uint64_t next_id;
    struct model_room *rooms[MODEL_ROOMS];
    size_t room_count;
    enum chat_presence presence;
    struct model_room console;
};

struct model *model_new(const struct model_front *front, const char *nick)
{
    struct model *model = calloc(1, sizeof *model);
    if (model != NULL) {
        model->front = *front;
        (void)snprintf(model->nick, sizeof model->nick, "%s", nick);
        /* The program's number: never 0, which the server takes for none. */
        model->next_id = (uint64_t)(1 + randombytes_uniform(UINT32_MAX - 1)) << 32 | 1;
    }
    return model;
}

static void drop_unheard(struct model_room *room)
{
    struct unheard *first = room->unheard;
    room->unheard = first->next;
    if (room->unheard == NULL) {
        room->unheard_tail = &room->unheard;
    }
    room->unheard_count--;
    free(first);
}

static void room_clear(struct model_room *room)
{
    while (room->unheard != NULL) {
        drop_unheard(room);
    }
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

static struct model_room *room_on(struct model *model, uint16_t channel)
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

bool model_waiting(const struct model_room *room, size_t i, enum line_kind *kind,
                   struct chat_slice *text)
{
    const struct unheard *u = room->unheard;
    while (u != NULL && i > 0) {
        u = u->next;
        i--;
    }
    if (u != NULL) {
        *kind = u->kind == CHAT_KIND_TEXT     ? LINE_TEXT
                : u->kind == CHAT_KIND_ACTION ? LINE_ACTION
                                              : LINE_NOTE;
        *text = (struct chat_slice){u->body, u->len};
    }
    return u != NULL;
}

size_t model_unheard(const struct model *model)
{
    size_t n = 0;
    for (size_t i = 0; i < model->room_count; i++) {
        n += model->rooms[i]->unheard_count;
    }
    return n;
}

static void note(struct model *model, const char *text)
{
    model->front.on_note(model->front.user, text);
}

/* --- sending ----------------------------------------------------------------------------------------- */

static bool send_packet(struct model *model, uint16_t channel, const struct chat_packet *p,
                        bool is_latest)
{
    uint8_t buf[CHAT_PACKET_MAX];
    size_t len = chat_encode(p, buf, sizeof buf);
    return len > 0 && model->front.send(model->front.user, channel, buf, len, is_latest);
}

/* As much as there is room for of what the room's person has said. */
static void send_unsent(struct model *model, struct model_room *room)
{
    while (room->channel != 0 && room->unsent != NULL) {
        const struct unheard *u = room->unsent;
        struct chat_packet p = {
            .type = CHAT_SAY, .id = u->id, .kind = u->kind, .body = {u->body, u->len}};
        if (!send_packet(model, room->channel, &p, false)) {
            return;
        }
        room->unsent = u->next;
    }
}

static void send_join(struct model *model, struct model_room *room)
{
    struct chat_packet p = {.type = CHAT_JOIN,
                            .flags = room->flags,
                            .seq = room->last == 0 ? CHAT_SINCE_NONE : room->last,
                            .room = chat_text(room->name)};
    if (model->is_welcome && room->channel == 0 && !room->is_joining) {
        room->is_joining = send_packet(model, CHAT_CONTROL, &p, false);
    }
}

void model_on_writable(struct model *model)
{
    for (size_t i = 0; i < model->room_count; i++) {
        send_join(model, model->rooms[i]);
        send_unsent(model, model->rooms[i]);
    }
}

void model_connected(struct model *model)
{
    struct chat_packet p = {
        .type = CHAT_HELLO, .version = CHAT_VERSION, .nick = chat_text(model->nick)};
    model->is_connected = true;
    (void)send_packet(model, CHAT_CONTROL, &p, false); /* a new connection has room */
}

void model_lost(struct model *model)
{
    model->is_connected = model->is_welcome = false;
    for (size_t i = 0; i < model->room_count; i++) {
        model->rooms[i]->channel = 0;
        model->rooms[i]->is_joining = false;
        model->rooms[i]->unsent = NULL;
    }
}

/* --- wishes ------------------------------------------------------------------------------------------ */

struct model_room *model_join(struct model *model, const char *name, uint8_t flags)
{
    char checked[CHAT_NAME_MAX + 1];
    struct model_room *room = model_find(model, name);
    if (room != NULL) {
        return room;
    }
    if (!name_take(chat_text(name), NAME_ROOM, checked)) {
        note(model, "that is not a name for a room: no blanks, \"/\" or \"@\", at most 64 bytes");
        return NULL;
    }
    room = model->room_count == MODEL_ROOMS ? NULL : calloc(1, sizeof *room);
    if (room == NULL) {
        note(model, "no more rooms: leave one first");
        return NULL;
    }
    memcpy(room->name, checked, sizeof room->name);
    room->flags = flags;
    room->unheard_tail = &room->unheard;
    model->rooms[model->room_count++] = room;
    send_join(model, room);
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
    room_clear(room);
    free(room);
}

bool model_leave(struct model *model, struct model_room *room)
{
    struct chat_packet p = {.type = CHAT_LEAVE};
    if (room->channel != 0 && !send_packet(model, room->channel, &p, false)) {
        note(model, "the connection is full: try again");
        return false;
    }
    remove_room(model, room);
    return true;
}

bool model_say(struct model *model, struct model_room *room, enum chat_kind kind, const void *body,
               size_t len, uint64_t *id)
{
    struct unheard *u = len > CHAT_BODY_MAX || room->unheard_count >= MODEL_UNHEARD
                            ? NULL
                            : malloc(sizeof *u + len);
    if (u == NULL) {
        return false;
    }
    *u = (struct unheard){.id = model->next_id++, .kind = (uint8_t)kind, .len = len};
    memcpy(u->body, body, len);
    *room->unheard_tail = u;
    room->unheard_tail = &u->next;
    room->unheard_count++;
    room->unsent = room->unsent == NULL ? u : room->unsent;
    *id = u->id;
    send_unsent(model, room);
    return true;
}

void model_read(struct model *model, struct model_room *room)
{
    struct chat_packet p = {.type = CHAT_READ, .seq = room->last};
    room->unread = 0;
    if (room->channel != 0 && room->last > 0) {
        (void)send_packet(model, room->channel, &p, true);
    }
}

void model_type(struct model *model, struct model_room *room, bool is_typing)
{
    struct chat_packet p = {.type = CHAT_TYPE, .code = is_typing ? 1 : 0};
    if (room->channel != 0) {
        (void)send_packet(model, room->channel, &p, true);
    }
}

void model_nick(struct model *model, const char *nick)
{
    struct chat_packet p = {.type = CHAT_NICK, .nick = chat_text(nick)};
    char checked[CHAT_NAME_MAX + 1];
    if (!name_take(p.nick, NAME_NICK, checked)) {
        note(model, "that is not a nick: no blanks, \"/\", \"@\" or \"#\", at most 64 bytes");
    } else if (model->is_welcome) {
        if (!send_packet(model, CHAT_CONTROL, &p, false)) {
            note(model, "the connection is full: try again");
        }
    } else { /* the server did not take the other one, or there is none yet */
        memcpy(model->nick, checked, sizeof model->nick);
        if (model->is_connected) {
            model_connected(model);
        }
    }
}

static void send_presence(struct model *model)
{
    struct chat_packet p = {.type = CHAT_STATE, .code = (uint8_t)model->presence};
    if (model->is_welcome) {
        (void)send_packet(model, CHAT_CONTROL, &p, false);
    }
}

void model_presence(struct model *model, enum chat_presence presence)
{
    model->presence = presence;
    send_presence(model);
}

void model_list(struct model *model)
{
    struct chat_packet p = {.type = CHAT_LIST};
    if (!model->is_welcome || !send_packet(model, CHAT_CONTROL, &p, false)) {
        note(model, "not connected now: try again");
    }
}

/* --- people ------------------------------------------------------------------------------------------ */

static struct model_person *person_in(struct model_room *room, const uint8_t key[TERN_KEY_SIZE])
{
    for (size_t i = 0; i < room->people_count; i++) {
        if (memcmp(room->people[i].key, key, TERN_KEY_SIZE) == 0) {
            return &room->people[i];
        }
    }
    return NULL;
}

static void set_nick(struct model_person *person, struct chat_slice nick)
{
    if (!name_take(nick, NAME_NICK, person->nick)) {
        (void)snprintf(person->nick, sizeof person->nick, "?");
    }
}

static void add_person(struct model_room *room, const uint8_t key[TERN_KEY_SIZE],
                       struct chat_slice nick, uint8_t presence)
{
    struct model_person *person = person_in(room, key);
    if (person == NULL && room->people_count == room->people_room) {
        size_t more = room->people_room == 0 ? 16 : 2 * room->people_room;
        struct model_person *people = realloc(room->people, more * sizeof *people);
        if (people == NULL) {
            return; /* the list lacks somebody; their words still come */
        }
        room->people = people;
        room->people_room = more;
    }
    if (person == NULL) {
        person = &room->people[room->people_count++];
        memset(person, 0, sizeof *person);
        memcpy(person->key, key, sizeof person->key);
    }
    set_nick(person, nick);
    person->presence = presence;
}

static void remove_person(struct model_room *room, const uint8_t key[TERN_KEY_SIZE])
{
    struct model_person *person = person_in(room, key);
    if (person != NULL) {
        *person = room->people[--room->people_count];
    }
}

static void on_status(struct model_room *room, struct chat_slice list)
{
    struct chat_status s;
    for (size_t i = 0; i < room->people_count; i++) {
        room->people[i].presence = CHAT_HERE;
        room->people[i].is_typing = false;
    }
    while (chat_status_next(&list, &s)) {
        struct model_person *person = person_in(room, s.key);
        if (person != NULL) {
            person->presence = s.presence;
            person->is_typing = s.is_typing;
            person->read = s.read > person->read ? s.read : person->read;
        }
    }
}

/* --- lines ------------------------------------------------------------------------------------------- */

static void add_line(struct model *model, struct model_room *room, const struct line *about,
                     struct chat_slice text)
{
    struct line *line = malloc(sizeof *line + text.len + 1);
    if (line == NULL) {
        note(model, "out of memory: a line is not shown");
        return;
    }
    *line = *about;
    line->len = text.len;
    if (text.len > 0) {
        memcpy(line->text, text.data, text.len);
    }
    line->text[text.len] = '\0';
    struct line **place = &room->lines[room->line_count++ % MODEL_LINES];
    free(*place);
    *place = line;
    room->unread += line->kind <= LINE_ACTION && !line->is_own && !line->is_replay ? 1 : 0;
    model->front.on_line(model->front.user, room, line);
}

static void add_note(struct model *model, struct model_room *room, struct line *about,
                     const char *format, const char *more)
{
    char safe[CHAT_TEXT_MAX], text[CHAT_TEXT_MAX + 200];
    (void)term_escape(more, strlen(more), safe, sizeof safe);
    (void)snprintf(text, sizeof text, "%s%s%s", about->nick, format, safe);
    about->kind = LINE_NOTE;
    add_line(model, room, about, chat_text(text));
}

void model_note(struct model *model, struct model_room *room, const char *text)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    struct line about = {.kind = LINE_NOTE,
                         .time = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000};
    add_line(model, room == NULL ? &model->console : room, &about, chat_text(text));
}

/* What the server itself has to say of somebody. */
static void on_happening(struct model *model, struct model_room *room, const struct chat_packet *p,
                         struct line *about)
{
    char more[CHAT_TEXT_MAX];
    (void)snprintf(more, sizeof more, "%.*s", (int)(p->body.len < 500 ? p->body.len : 500),
                   p->body.len == 0 ? "" : (const char *)p->body.data);
    switch (p->kind) {
    case CHAT_KIND_JOIN:
        add_person(room, p->key, p->nick, CHAT_HERE);
        add_note(model, room, about, " came", "");
        break;
    case CHAT_KIND_LEAVE:
        if (!room->is_replay) {
            remove_person(room, p->key);
        }
        add_note(model, room, about, strcmp(more, "lost") == 0 ? " was lost" : " left", "");
        break;
    case CHAT_KIND_NICK:
        add_person(room, p->key, p->nick, CHAT_HERE);
        if (memcmp(p->key, model->key, sizeof p->key) == 0 && !room->is_replay) {
            (void)name_take(p->nick, NAME_NICK, model->nick);
        }
        add_note(model, room, about, " was called ", more);
        break;
    case CHAT_KIND_TOPIC:
        add_note(model, room, about, " set the topic: ", more);
        break;
    default:
        break; /* of a later version: its number counts all the same */
    }
}

static void on_own(struct model *model, struct model_room *room, uint64_t id)
{
    /* Events of a room come in the order in which its words left. */
    if (room->unheard != NULL && room->unheard->id == id) {
        if (room->unsent == room->unheard) {
            room->unsent = room->unheard->next;
        }
        drop_unheard(room);
        model->front.on_heard(model->front.user, room, id);
    }
}

static void on_event(struct model *model, struct model_room *room, const struct chat_packet *p)
{
    struct line about = {.seq = p->seq, .time = p->time, .is_replay = room->is_replay};
    if (p->seq <= room->last) {
        return;
    }
    memcpy(about.key, p->key, sizeof about.key);
    if (!name_take(p->nick, NAME_NICK, about.nick)) {
        (void)snprintf(about.nick, sizeof about.nick, "?");
    }
    if (room->last != 0 && p->seq != room->last + 1) {
        struct line gap = {.kind = LINE_GAP, .seq = p->seq - 1, .time = p->time};
        char text[100];
        (void)snprintf(text, sizeof text, "%llu events are lost: the server no longer has them",
                       (unsigned long long)(p->seq - room->last - 1));
        add_line(model, room, &gap, chat_text(text));
    }
    room->last = p->seq;
    about.is_own = memcmp(p->key, model->key, sizeof p->key) == 0;
    if (p->kind == CHAT_KIND_TEXT || p->kind == CHAT_KIND_ACTION) {
        about.kind = p->kind == CHAT_KIND_TEXT ? LINE_TEXT : LINE_ACTION;
        add_line(model, room, &about, p->body);
    } else {
        on_happening(model, room, p, &about);
    }
    if (about.is_own) {
        on_own(model, room, p->id);
    }
}

/* --- packets ----------------------------------------------------------------------------------------- */

static void on_welcome(struct model *model, const struct chat_packet *p)
{
    char motd[2 * CHAT_TEXT_MAX];
    model->is_welcome = true;
    memcpy(model->key, p->key, sizeof model->key);
    (void)name_take(p->nick, NAME_NICK, model->nick);
    if (p->text.len > 0) {
        note(model, term_escape((const char *)p->text.data, p->text.len, motd, sizeof motd));
    }
    model_on_writable(model);
}

static void on_joined(struct model *model, uint16_t channel, const struct chat_packet *p)
{
    char name[CHAT_NAME_MAX + 1];
    struct chat_slice list = p->body;
    struct chat_member m;
    struct model_room *room = name_take(p->room, NAME_ROOM, name) ? model_find(model, name) : NULL;
    if (room == NULL || room_on(model, channel) != NULL) {
        return; /* we have left meanwhile, and said so */
    }
    room->is_joining = false;
    room->channel = channel;
    room->flags = p->flags;
    room->is_replay = true;
    room->people_count = 0;
    while (chat_member_next(&list, &m)) {
        add_person(room, m.key, m.nick, m.presence);
    }
    if (p->seq < room->last) {
        room->last = 0; /* the server has lost its memory: all is new */
    }
    room->unsent = room->unheard;
    model->front.on_joined(model->front.user, room);
    send_unsent(model, room);
    if (model->presence != CHAT_HERE) { /* the server keeps it by room */
        send_presence(model);
    }
}

static void on_room_listed(struct model *model, const struct chat_packet *p)
{
    char name[CHAT_NAME_MAX + 1], topic[2 * CHAT_TEXT_MAX], text[3 * CHAT_TEXT_MAX];
    if (name_take(p->room, NAME_ROOM, name)) {
        (void)term_escape((const char *)p->text.data, p->text.len, topic, sizeof topic);
        (void)snprintf(text, sizeof text, "%s: %lu %s%s%s", name, (unsigned long)p->count,
                       p->count == 1 ? "person" : "people", topic[0] == '\0' ? "" : "; ", topic);
        note(model, text);
    }
}

static void on_refused(struct model *model, const struct chat_packet *p)
{
    char why[2 * CHAT_TEXT_MAX], text[3 * CHAT_TEXT_MAX], name[CHAT_NAME_MAX + 1];
    struct model_room *room = name_take(p->room, NAME_ROOM, name) ? model_find(model, name) : NULL;
    (void)term_escape((const char *)p->text.data, p->text.len, why, sizeof why);
    (void)snprintf(text, sizeof text, "%s%srefused: %s", room == NULL ? "" : room->name,
                   room == NULL ? "" : ": ", why);
    note(model, text);
    if (room != NULL && room->is_joining) {
        remove_room(model, room);
    }
}

static void on_room_packet(struct model *model, struct model_room *room,
                           const struct chat_packet *p)
{
    if (p->type == CHAT_EVENT) {
        on_event(model, room, p);
    } else if (p->type == CHAT_STATUS) {
        on_status(room, p->body);
    } else if (p->type == CHAT_PARTED) {
        note(model, "you are no longer in that room");
        (void)model_leave(model, room);
    } else if (p->type == CHAT_CAUGHT_UP) {
        room->is_replay = false;
        room->last = p->seq > room->last ? p->seq : room->last;
    }
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
        struct model_room *room = room_on(model, channel);
        if (room != NULL) {
            on_room_packet(model, room, &p);
        }
    } else if (p.type == CHAT_WELCOME) {
        on_welcome(model, &p);
    } else if (p.type == CHAT_REFUSED) {
        on_refused(model, &p);
    } else if (p.type == CHAT_ROOMS) {
        on_room_listed(model, &p);
    }
}
