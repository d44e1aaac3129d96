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
#include "ternchat/model_parts.h"
#include "ternchat/name.h"

#define MODEL_NEW_ROOM 1000000 /* a gap of so many is a new room */
#define NICK_TRIES     9

struct unheard {
    struct unheard *next;
    uint64_t id;
    uint8_t kind;
    size_t len;
    uint8_t body[];
};

struct model *model_new(const struct model_front *front, const char *nick)
{
    struct model *model = calloc(1, sizeof *model);
    if (model != NULL) {
        model->front = *front;
        (void)snprintf(model->nick, sizeof model->nick, "%s", nick);
        memcpy(model->wished, model->nick, sizeof model->wished);
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

/* As much as there is room for of what the room's person has said. */
static void send_unsent(struct model *model, struct model_room *room)
{
    while (room->channel != 0 && room->unsent != NULL && !room->is_held) {
        const struct unheard *u = room->unsent;
        struct chat_packet p = {
            .type = CHAT_SAY, .id = u->id, .kind = u->kind, .body = {u->body, u->len}};
        if (!model_send(model, room->channel, &p, false)) {
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
    if ((room->flags & CHAT_FLAG_PRIVATE) != 0) {
        p.type = CHAT_OPEN;
        memcpy(p.key, room->with, sizeof p.key);
    }
    if (model->is_welcome && room->channel == 0 && !room->is_joining && !room->is_held) {
        room->is_joining = model_send(model, CHAT_CONTROL, &p, false);
    }
}

void model_on_writable(struct model *model)
{
    for (size_t i = 0; i < model->room_count; i++) {
        send_join(model, model->rooms[i]);
        send_unsent(model, model->rooms[i]);
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
        }
    }
    model_on_writable(model);
}

void model_lost(struct model *model)
{
    model->is_connected = model->is_welcome = false;
    for (size_t i = 0; i < model->room_count; i++) {
        model->rooms[i]->channel = 0;
        model->rooms[i]->is_joining = false;
        model->rooms[i]->is_held = false;
        model->rooms[i]->unsent = NULL;
    }
}

/* --- wishes ------------------------------------------------------------------------------------------ */

static struct model_room *add_room(struct model *model, const char *name, const char *title,
                                   uint8_t flags)
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
    room = add_room(model, checked, checked, flags);
    if (room != NULL) {
        send_join(model, room);
    }
    return room;
}

struct model_room *model_open(struct model *model, const uint8_t key[TERN_KEY_SIZE],
                              const char *nick)
{
    char name[CHAT_NAME_MAX + 1];
    if (!model->is_welcome || sodium_memcmp(key, model->key, TERN_KEY_SIZE) == 0) {
        model_tell(model, model->is_welcome ? "that is you" : "not connected");
        return NULL;
    }
    name_private(model->key, key, name);
    struct model_room *room = model_find(model, name);
    if (room == NULL && (room = add_room(model, name, nick, CHAT_FLAG_PRIVATE)) != NULL) {
        memcpy(room->with, key, sizeof room->with);
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

bool model_say(struct model *model, struct model_room *room, enum chat_kind kind, const void *body,
               size_t len, uint64_t *id)
{
    struct unheard *u = len > CHAT_WORDS_MAX || room->unheard_count >= MODEL_UNHEARD
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
    if ((room->flags & CHAT_FLAG_PRIVATE) != 0 && memcmp(key, room->with, TERN_KEY_SIZE) == 0) {
        memcpy(room->title, person->nick, sizeof room->title);
    }
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
        model_tell(model, "out of memory: a line is not shown");
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

static void set_topic(struct model_room *room, struct chat_slice topic)
{
    size_t len = topic.len < sizeof room->topic ? topic.len : sizeof room->topic - 1;
    if (len > 0) {
        memcpy(room->topic, topic.data, len);
    }
    room->topic[len] = '\0';
}

static void on_kicked(struct model *model, struct model_room *room, const struct chat_packet *p,
                      struct line *about)
{
    const struct model_person *who =
        p->body.len == TERN_KEY_SIZE ? person_in(room, p->body.data) : NULL;
    char nick[CHAT_NAME_MAX + 1];
    (void)snprintf(nick, sizeof nick, "%s", who == NULL ? "somebody" : who->nick);
    if (who != NULL && !room->is_replay) {
        remove_person(room, p->body.data);
    }
    add_note(model, room, about, " put out ", nick);
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
    case CHAT_KIND_KICK:
        on_kicked(model, room, p, about);
        break;
    case CHAT_KIND_TOPIC:
        set_topic(room, p->body);
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
        uint64_t lost = p->seq - room->last - 1;
        (void)snprintf(text, sizeof text, "%llu events are lost: the server no longer has them",
                       (unsigned long long)lost);
        if (lost > MODEL_NEW_ROOM) { /* numbers begin at the time at which a room is made */
            (void)snprintf(text, sizeof text, "the server has lost what was said here before");
        }
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

static void on_joined(struct model *model, uint16_t channel, const struct chat_packet *p)
{
    struct chat_slice list = p->body;
    struct chat_member m;
    struct model_room *room = room_named(model, p->room);
    if (room == NULL || model_on(model, channel) != NULL) {
        return; /* we have left meanwhile, and said so */
    }
    room->is_joining = false;
    room->channel = channel;
    room->flags = (uint8_t)((p->flags & CHAT_FLAG_OPEN) | (room->flags & CHAT_FLAG_PRIVATE));
    room->may = (p->flags & CHAT_FLAG_MAY) != 0;
    room->is_held = false;
    room->is_replay = true;
    set_topic(room, p->text);
    room->people_count = 0;
    while (chat_member_next(&list, &m)) {
        add_person(room, m.key, m.nick, m.presence);
    }
    if (p->seq < room->last) {
        room->last = room->asked = 0; /* the server has lost its memory: all is new */
    }
    room->unsent = room->unheard;
    model->front.on_joined(model->front.user, room);
    send_unsent(model, room);
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

/* Words that the server takes later wait; others it will never take. */
static void on_words_refused(struct model *model, struct model_room *room, uint64_t id,
                             bool is_later)
{
    struct unheard **at = &room->unheard, *u;
    while (*at != NULL && (*at)->id != id) {
        at = &(*at)->next;
    }
    u = *at;
    if (u == NULL || is_later) {
        room->is_held = u != NULL;
        return;
    }
    *at = u->next;
    room->unheard_tail = *at == NULL ? at : room->unheard_tail;
    room->unsent = room->unsent == u ? u->next : room->unsent;
    room->unheard_count--;
    free(u);
    model->front.on_refused(model->front.user, room, id);
}

static void on_called(struct model *model, const struct chat_packet *p)
{
    char nick[CHAT_NAME_MAX + 1];
    if (!name_take(p->nick, NAME_NICK, nick)) {
        (void)snprintf(nick, sizeof nick, "?");
    }
    (void)model_open(model, p->key, nick);
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
    model_tell(model, text);
    if (said != NULL && p->id != 0) {
        on_words_refused(model, said, p->id, is_later);
    } else if (room != NULL && room->is_joining) {
        room->is_joining = false;
        room->is_held = is_later;
        if (!is_later) {
            remove_room(model, room);
        }
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
        model_tell(model, "you are no longer in that room");
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
        struct model_room *room = model_on(model, channel);
        if (room != NULL) {
            on_room_packet(model, room, &p);
        }
    } else if (p.type == CHAT_WELCOME) {
        on_welcome(model, &p);
    } else if (p.type == CHAT_REFUSED) {
        on_refused(model, &p);
    } else if (p.type == CHAT_CALLED && model->is_welcome) {
        on_called(model, &p);
    } else if (p.type < CHAT_JOINED && p.type > CHAT_REFUSED) {
        model->front.on_answer(model->front.user, &p);
    }
}
