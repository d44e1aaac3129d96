/* Packets of clients become words in rooms.
 * SPDX-License-Identifier: MIT */
#include "ternchat/hub.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "ternchat/name.h"
#include "ternchat/session.h"

struct hub {
    struct hub_port port;
    struct hub_config config;
    void *by_key, *by_nick, *by_name; /* trees of tsearch */
    struct person *persons;
    struct room *rooms;
    size_t room_count;
    struct room *news; /* rooms whose status has changed */
    tern_time swept;
};

struct hub *hub_new(const struct hub_port *port, const struct hub_config *config, const char **why)
{
    struct hub *hub = calloc(1, sizeof *hub);
    if (hub == NULL) {
        *why = "out of memory";
        return NULL;
    }
    hub->port = *port;
    hub->config = *config;
    return hub;
}

uint64_t hub_wall(const struct hub *hub)
{
    return hub->port.wall(hub->port.user);
}

/* --- sessions ---------------------------------------------------------------------------------------- */

void session_seat_set(struct hub_session *s, uint16_t channel, struct seat *seat)
{
    s->seats[channel - CHAT_ROOM_FIRST] = seat;
}

struct seat *session_seat(const struct hub_session *s, uint16_t channel)
{
    return channel < CHAT_ROOM_FIRST || channel >= CHAT_ROOM_FIRST + HUB_ROOMS_EACH
               ? NULL
               : s->seats[channel - CHAT_ROOM_FIRST];
}

uint16_t session_free_channel(const struct hub_session *s)
{
    for (uint16_t i = 0; i < HUB_ROOMS_EACH; i++) {
        if (s->seats[i] == NULL) {
            return (uint16_t)(CHAT_ROOM_FIRST + i);
        }
    }
    return 0;
}

bool session_send(struct hub_session *s, uint16_t channel, const uint8_t *data, size_t len,
                  bool is_latest)
{
    return s->hub->port.send(s->hub->port.user, s->conn, channel, data, len, is_latest);
}

void session_tell_on(struct hub_session *s, uint16_t channel, const struct chat_packet *p)
{
    uint8_t buf[CHAT_PACKET_MAX];
    size_t len = chat_encode(p, buf, sizeof buf);
    if (len == 0 || !session_send(s, channel, buf, len, false)) {
        s->hub->port.close(s->hub->port.user, s->conn, "too slow");
    }
}

void session_tell(struct hub_session *s, const struct chat_packet *p)
{
    session_tell_on(s, CHAT_CONTROL, p);
}

static void refuse(struct hub_session *s, enum chat_refusal code, uint16_t channel, uint64_t id,
                   const char *why)
{
    struct chat_packet p = {.type = CHAT_REFUSED,
                            .code = (uint8_t)code,
                            .channel = channel,
                            .id = id,
                            .text = chat_text(why)};
    session_tell(s, &p);
}

/* --- finding ----------------------------------------------------------------------------------------- */

static int compare_keys(const void *a, const void *b)
{
    const struct person *p = a, *q = b;
    return memcmp(p->key, q->key, TERN_KEY_SIZE);
}

static int compare_nicks(const void *a, const void *b)
{
    const struct person *p = a, *q = b;
    return strcmp(p->nick, q->nick);
}

static int compare_names(const void *a, const void *b)
{
    const struct room *p = a, *q = b;
    return strcmp(p->name, q->name);
}

/* What the tree holds and `like` equals; NULL: nothing. */
static void *find(void *const *tree, const void *like, int (*compare)(const void *, const void *))
{
    void **node = tfind(like, tree, compare);
    return node == NULL ? NULL : *node;
}

static struct person *person_of(struct hub *hub, const uint8_t key[TERN_KEY_SIZE])
{
    struct person like;
    memcpy(like.key, key, sizeof like.key);
    struct person *p = find(&hub->by_key, &like, compare_keys);
    if (p != NULL || (p = calloc(1, sizeof *p)) == NULL) {
        return p;
    }
    memcpy(p->key, key, TERN_KEY_SIZE);
    if (tsearch(p, &hub->by_key, compare_keys) == NULL) {
        free(p);
        return NULL;
    }
    p->next = hub->persons;
    p->link = &hub->persons;
    if (p->next != NULL) {
        p->next->link = &p->next;
    }
    hub->persons = p;
    return p;
}

static void forget_if_idle(struct hub *hub, struct person *p)
{
    if (p->members != NULL || p->sessions != NULL) {
        return;
    }
    if (p->nick[0] != '\0') {
        (void)tdelete(p, &hub->by_nick, compare_nicks);
    }
    (void)tdelete(p, &hub->by_key, compare_keys);
    *p->link = p->next;
    if (p->next != NULL) {
        p->next->link = p->link;
    }
    free(p);
}

/* --- coming ------------------------------------------------------------------------------------------ */

struct hub_session *hub_came(struct hub *hub, void *conn, const uint8_t key[TERN_KEY_SIZE],
                             tern_time now)
{
    struct hub_session *s = calloc(1, sizeof *s);
    struct person *person = s == NULL ? NULL : person_of(hub, key);
    (void)now;
    if (person == NULL) {
        free(s);
        return NULL;
    }
    s->hub = hub;
    s->conn = conn;
    s->person = person;
    s->next = person->sessions;
    s->link = &person->sessions;
    if (s->next != NULL) {
        s->next->link = &s->next;
    }
    person->sessions = s;
    return s;
}

/* --- rooms ------------------------------------------------------------------------------------------- */

static void mark(struct room *room)
{
    if (!room->has_news) {
        room->has_news = true;
        room->next_news = room->hub->news;
        room->hub->news = room;
    }
}

/* What the server says of somebody: that they came, left, are called otherwise. */
static void announce(struct member *m, enum chat_kind kind, struct chat_slice body)
{
    struct chat_packet p = {
        .kind = (uint8_t)kind, .nick = chat_text(m->person->nick), .body = body};
    memcpy(p.key, m->person->key, sizeof p.key);
    (void)room_say(m->room, &p); /* without memory it is the least that is lost */
}

static void remove_room(struct room *room)
{
    struct hub *hub = room->hub;
    for (struct room **at = &hub->news; *at != NULL; at = &(*at)->next_news) {
        if (*at == room) {
            *at = room->next_news;
            break;
        }
    }
    (void)tdelete(room, &hub->by_name, compare_names);
    *room->link = room->next;
    if (room->next != NULL) {
        room->next->link = room->link;
    }
    hub->room_count--;
    room_free(room);
}

/* The member leaves; the room goes with the last of them. */
static void part(struct member *m, enum chat_kind kind, struct chat_slice why)
{
    struct room *room = m->room;
    announce(m, kind, why);
    mark(room);
    room_exit(m);
    if (room->member_count == 0) {
        remove_room(room);
    }
}

static struct room *open_room(struct hub *hub, const char *name, uint8_t flags)
{
    struct room like;
    (void)memccpy(like.name, name, '\0', sizeof like.name);
    struct room *room = find(&hub->by_name, &like, compare_names);
    if (room != NULL || hub->room_count == HUB_ROOMS ||
        (room = room_new(hub, name, flags)) == NULL) {
        return room;
    }
    if (tsearch(room, &hub->by_name, compare_names) == NULL) {
        room_free(room);
        return NULL;
    }
    room->next = hub->rooms;
    room->link = &hub->rooms;
    if (room->next != NULL) {
        room->next->link = &room->next;
    }
    hub->rooms = room;
    hub->room_count++;
    return room;
}

static void tell_joined(struct hub_session *s, const struct seat *seat)
{
    uint8_t list[CHAT_BODY_MAX];
    size_t used = 0;
    const struct room *room = seat->member->room;
    for (struct member *m = room->members; m != NULL; m = m->next_in_room) {
        struct chat_member entry = {.presence = m->presence, .nick = chat_text(m->person->nick)};
        memcpy(entry.key, m->person->key, sizeof entry.key);
        used += chat_member_encode(&entry, list + used, sizeof list - used);
    }
    struct chat_packet p = {.type = CHAT_JOINED,
                            .flags = room->flags,
                            .seq = room->log.next - 1,
                            .room = chat_text(room->name),
                            .body = {list, used}};
    session_tell_on(s, seat->channel, &p);
}

static struct seat *seat_in(const struct hub_session *s, const struct member *m)
{
    struct seat *seat = m->seats;
    while (seat != NULL && seat->session != s) {
        seat = seat->next_of_member;
    }
    return seat;
}

static void on_join(struct hub_session *s, const struct chat_packet *p)
{
    char name[CHAT_NAME_MAX + 1];
    uint16_t channel = session_free_channel(s);
    if (!name_take(p->room, NAME_ROOM, name)) {
        refuse(s, CHAT_REFUSED_ROOM, 0, 0, "not a name for a room");
        return;
    }
    struct room *room = open_room(s->hub, name, p->flags & CHAT_FLAG_OPEN);
    struct member *m = room == NULL ? NULL : room_member(room, s->person);
    bool is_new = room != NULL && m == NULL;
    if (is_new && room->member_count < HUB_ROOM_MEMBERS) {
        m = room_enter(room, s->person);
    }
    if (m != NULL && seat_in(s, m) != NULL) {
        return; /* it sits there already */
    }
    struct seat *seat = m == NULL || channel == 0 ? NULL : room_sit(m, s, channel, p->seq);
    if (seat == NULL) {
        struct chat_packet answer = {.type = CHAT_REFUSED,
                                     .code = CHAT_REFUSED_FULL,
                                     .room = chat_text(name),
                                     .text = chat_text("no room for you in it")};
        session_tell(s, &answer);
        if (is_new && m != NULL) {
            room_exit(m);
        }
        if (room != NULL && room->member_count == 0) {
            remove_room(room);
        }
        return;
    }
    if (m->presence == CHAT_GONE) {
        m->presence = CHAT_HERE;
        mark(room);
    }
    tell_joined(s, seat);
    if (is_new) {
        announce(m, CHAT_KIND_JOIN, (struct chat_slice){NULL, 0}); /* which serves the seat */
    } else {
        room_serve(seat);
    }
}

static void on_leave(struct seat *seat)
{
    struct member *m = seat->member;
    room_rise(seat);
    if (m->seats == NULL) {
        part(m, CHAT_KIND_LEAVE, chat_text("left"));
    }
}

static void on_list(struct hub_session *s)
{
    struct chat_packet p = {.type = CHAT_ROOMS};
    for (const struct room *room = s->hub->rooms; room != NULL; room = room->next) {
        if ((room->flags & CHAT_FLAG_PRIVATE) == 0) {
            p.flags = room->flags;
            p.count = room->member_count;
            p.room = chat_text(room->name);
            p.text = chat_text(room->topic);
            session_tell(s, &p);
        }
    }
    p = (struct chat_packet){.type = CHAT_ROOMS};
    session_tell(s, &p);
}

/* --- names ------------------------------------------------------------------------------------------- */

/* Gives the person that nick. False: another has it. */
static bool rename_person(struct hub *hub, struct person *person, const char *nick)
{
    struct person like;
    char before[CHAT_NAME_MAX + 1];
    (void)memccpy(like.nick, nick, '\0', sizeof like.nick);
    const struct person *other = find(&hub->by_nick, &like, compare_nicks);
    if (other != NULL) {
        return other == person;
    }
    memcpy(before, person->nick, sizeof before);
    if (before[0] != '\0') {
        (void)tdelete(person, &hub->by_nick, compare_nicks);
    }
    (void)memccpy(person->nick, nick, '\0', sizeof person->nick);
    if (tsearch(person, &hub->by_nick, compare_nicks) ==
        NULL) { /* no memory: nameless, not wrong */
        person->nick[0] = '\0';
        return false;
    }
    for (struct member *m = before[0] == '\0' ? NULL : person->members; m != NULL;
         m = m->next_of_person) {
        announce(m, CHAT_KIND_NICK, chat_text(before));
    }
    return true;
}

static bool take_nick(struct hub_session *s, const struct chat_packet *p)
{
    char nick[CHAT_NAME_MAX + 1];
    if (!name_take(p->nick, NAME_NICK, nick)) {
        refuse(s, CHAT_REFUSED_NICK, 0, 0, "that is not a name");
        return false;
    }
    if (!rename_person(s->hub, s->person, nick)) {
        refuse(s, CHAT_REFUSED_NICK, 0, 0, "somebody else has that name");
        return false;
    }
    return true;
}

static void welcome(struct hub_session *s)
{
    struct chat_packet p = {.type = CHAT_WELCOME,
                            .version = CHAT_VERSION,
                            .time = hub_wall(s->hub),
                            .nick = chat_text(s->person->nick),
                            .text =
                                chat_text(s->hub->config.motd == NULL ? "" : s->hub->config.motd)};
    memcpy(p.key, s->person->key, sizeof p.key);
    s->is_welcome = true;
    session_tell(s, &p);
}

static void on_hello(struct hub_session *s, const struct chat_packet *p)
{
    if (p->version != CHAT_VERSION) {
        refuse(s, CHAT_REFUSED_VERSION, 0, 0, "this server speaks version 1");
        return;
    }
    if (take_nick(s, p)) {
        welcome(s);
    }
}

/* --- packets ----------------------------------------------------------------------------------------- */

static void on_say(struct hub_session *s, struct seat *seat, const struct chat_packet *p)
{
    struct chat_packet event = *p;
    if (p->kind == 0 || p->kind >= CHAT_KIND_JOIN) {
        refuse(s, CHAT_REFUSED_RIGHT, seat->channel, p->id, "the server alone says that");
        return;
    }
    if (room_is_repeat(seat->member, p->id)) {
        return; /* its own event tells its sender, now or in the replay */
    }
    memcpy(event.key, s->person->key, sizeof event.key);
    event.nick = chat_text(s->person->nick);
    if (seat->member->is_typing) {
        seat->member->is_typing = false;
        mark(seat->member->room);
    }
    if (room_say(seat->member->room, &event) == 0) {
        s->hub->port.close(s->hub->port.user, s->conn, "out of memory");
    }
}

static void on_room_packet(struct hub_session *s, struct seat *seat, const struct chat_packet *p)
{
    struct member *m = seat->member;
    if (p->type == CHAT_SAY) {
        on_say(s, seat, p);
    } else if (p->type == CHAT_LEAVE) {
        on_leave(seat);
    } else if (p->type == CHAT_READ && p->seq > m->read && p->seq < m->room->log.next) {
        m->read = p->seq;
        mark(m->room);
    } else if (p->type == CHAT_TYPE && m->is_typing != (p->code != 0)) {
        m->is_typing = p->code != 0;
        mark(m->room);
    }
}

static void on_state(struct hub_session *s, const struct chat_packet *p)
{
    for (struct member *m = s->person->members; m != NULL; m = m->next_of_person) {
        m->presence = p->code == CHAT_AWAY ? CHAT_AWAY : CHAT_HERE;
        mark(m->room);
    }
}

static void on_control_packet(struct hub_session *s, const struct chat_packet *p)
{
    if (p->type == CHAT_HELLO) {
        on_hello(s, p);
    } else if (!s->is_welcome) {
        refuse(s, CHAT_REFUSED_NICK, 0, 0, "say who you are first");
    } else if (p->type == CHAT_JOIN) {
        on_join(s, p);
    } else if (p->type == CHAT_NICK) {
        (void)take_nick(s, p);
    } else if (p->type == CHAT_STATE) {
        on_state(s, p);
    } else if (p->type == CHAT_LIST) {
        on_list(s);
    } else {
        refuse(s, CHAT_REFUSED_RIGHT, p->channel, p->id, "this server does not do that");
    }
}

void hub_receive(struct hub_session *s, uint16_t channel, const uint8_t *data, size_t len,
                 tern_time now)
{
    struct chat_packet p;
    (void)now;
    if (!chat_decode(&p, data, len) || (channel == CHAT_CONTROL) != (p.type < CHAT_SAY) ||
        p.type >= CHAT_WELCOME) {
        s->hub->port.close(s->hub->port.user, s->conn, "not a packet of ternchat");
        return;
    }
    if (channel == CHAT_CONTROL) {
        on_control_packet(s, &p);
        return;
    }
    struct seat *seat = session_seat(s, channel);
    if (seat != NULL) { /* else it has just left, or was put out */
        on_room_packet(s, seat, &p);
    }
}

void hub_on_writable(struct hub_session *s)
{
    for (size_t i = 0; i < HUB_ROOMS_EACH; i++) {
        if (s->seats[i] != NULL) {
            room_serve(s->seats[i]);
        }
    }
}

/* --- going ------------------------------------------------------------------------------------------- */

void hub_left(struct hub_session *s, bool is_bye, tern_time now)
{
    struct hub *hub = s->hub;
    struct person *person = s->person;
    *s->link = s->next;
    if (s->next != NULL) {
        s->next->link = s->link;
    }
    for (size_t i = 0; i < HUB_ROOMS_EACH; i++) {
        struct member *m = s->seats[i] == NULL ? NULL : s->seats[i]->member;
        if (m == NULL) {
            continue;
        }
        room_rise(s->seats[i]);
        if (m->seats == NULL && is_bye) {
            part(m, CHAT_KIND_LEAVE, chat_text("left"));
        } else if (m->seats == NULL) {
            m->presence = CHAT_GONE;
            m->gone_since = now;
            mark(m->room);
        }
    }
    free(s);
    forget_if_idle(hub, person);
}

static void sweep(struct hub *hub, tern_time now)
{
    struct person *next;
    for (struct person *person = hub->persons; person != NULL; person = next) {
        struct member *m = person->sessions != NULL ? NULL : person->members;
        while (m != NULL) {
            struct member *after = m->next_of_person;
            if (m->presence == CHAT_GONE && now - m->gone_since >= HUB_GRACE) {
                part(m, CHAT_KIND_LEAVE, chat_text("lost"));
            }
            m = after;
        }
        next = person->next;
        forget_if_idle(hub, person);
    }
}

void hub_tick(struct hub *hub, tern_time now)
{
    while (hub->news != NULL) {
        struct room *room = hub->news;
        hub->news = room->next_news;
        room->has_news = false;
        room_tell_status(room);
    }
    if (now - hub->swept >= TERN_SEC) {
        hub->swept = now;
        sweep(hub, now);
    }
}

void hub_free(struct hub *hub)
{
    struct room *next_room;
    struct person *next;
    if (hub == NULL) {
        return;
    }
    for (struct room *room = hub->rooms; room != NULL; room = next_room) {
        next_room = room->next;
        remove_room(room);
    }
    for (struct person *person = hub->persons; person != NULL; person = next) {
        next = person->next;
        struct hub_session *after;
        for (struct hub_session *s = person->sessions; s != NULL; s = after) {
            after = s->next;
            free(s);
        }
        person->sessions = NULL;
        forget_if_idle(hub, person);
    }
    free(hub);
}
