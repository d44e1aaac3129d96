/* Pictures of rooms: made of what Redis knows, and moved on by what it says.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ternchat/name.h"
#include "ternchat/spread_parts.h"

#define ENTRIES 200 /* that a look brings, as broker.lua has it */
#define FETCHED 100 /* events that a seat gets at once */

/* --- who is where ------------------------------------------------------------------------------------- */

bool spread_is_online(const struct person *person)
{
    const struct hub_session *s = person->sessions;
    while (s != NULL && !s->is_welcome) {
        s = s->next;
    }
    return s != NULL;
}

void spread_merge(struct member *m)
{
    bool is_pair = (m->room->flags & CHAT_FLAG_PRIVATE) != 0;
    bool is_here = is_pair ? spread_is_online(m->person) : m->seats != NULL;
    uint8_t presence = is_here ? m->person->state : CHAT_GONE;
    for (const struct elsewhere *e = m->elsewhere; e != NULL; e = e->next) {
        presence = e->presence < presence ? e->presence : presence;
    }
    if (presence != m->presence) {
        m->presence = presence;
        hub_mark(m->room);
    }
}

static struct elsewhere **find_elsewhere(struct member *m, const uint8_t server[BROKER_ID])
{
    struct elsewhere **at = &m->elsewhere;
    while (*at != NULL && memcmp((*at)->server, server, BROKER_ID) != 0) {
        at = &(*at)->next;
    }
    return at;
}

void spread_set_elsewhere(struct member *m, const uint8_t server[BROKER_ID], uint8_t presence)
{
    struct elsewhere **at = find_elsewhere(m, server), *e = *at;
    if (presence >= CHAT_GONE && e != NULL) {
        hub_mark(m->room);
        *at = e->next;
        free(e);
    } else if (presence < CHAT_GONE && e == NULL && (e = calloc(1, sizeof *e)) != NULL) {
        memcpy(e->server, server, BROKER_ID);
        e->next = m->elsewhere;
        m->elsewhere = e;
        e->presence = presence;
    } else if (e != NULL) {
        e->presence = presence;
    }
    spread_merge(m);
}

static void forget_elsewhere(struct member *m)
{
    while (m->elsewhere != NULL) {
        struct elsewhere *e = m->elsewhere;
        m->elsewhere = e->next;
        free(e);
    }
}

void spread_on_place(struct room *room, const uint8_t *data, size_t len)
{
    const struct spread *spread = room->hub->spread;
    if (len != BROKER_ID + TERN_KEY_SIZE + 1 || memcmp(data, spread->id, BROKER_ID) == 0) {
        return;
    }
    const struct person *person = hub_find_person(room->hub, data + BROKER_ID);
    struct member *m = person == NULL ? NULL : room_member(room, person);
    room->has_moved = true;
    if (m != NULL) {
        spread_set_elsewhere(m, data, (uint8_t)(data[len - 1] - '0'));
    }
}

void spread_on_tale(struct room *room, const uint8_t *data, size_t len)
{
    const struct spread *spread = room->hub->spread;
    struct chat_status status;
    if (len < BROKER_ID || memcmp(data, spread->id, BROKER_ID) == 0) {
        return;
    }
    struct chat_slice rest = {data + BROKER_ID, len - BROKER_ID};
    for (struct member *m = room->members; m != NULL; m = m->next_in_room) {
        struct elsewhere *e = *find_elsewhere(m, data);
        if (e != NULL) {
            e->is_typing = false;
        }
    }
    while (chat_status_next(&rest, &status)) {
        const struct person *person = hub_find_person(room->hub, status.key);
        struct member *m = person == NULL ? NULL : room_member(room, person);
        struct elsewhere *e = m == NULL ? NULL : *find_elsewhere(m, data);
        if (e != NULL) {
            e->is_typing = status.is_typing;
        }
        if (m != NULL) {
            m->read = status.read > m->read ? status.read : m->read;
        }
    }
    hub_mark(room);
}

/* --- members ------------------------------------------------------------------------------------------ */

static void set_nick(struct person *person, struct chat_slice nick)
{
    char checked[CHAT_NAME_MAX + 1];
    if (name_take(nick, NAME_NICK, checked)) {
        memcpy(person->nick, checked, sizeof checked);
    }
}

static struct member *ensure(struct room *room, const uint8_t key[TERN_KEY_SIZE],
                             struct chat_slice nick)
{
    struct person *person = hub_person(room->hub, key);
    if (person == NULL) {
        return NULL;
    }
    struct member *m = room_member(room, person);
    if (m == NULL && (m = room_enter(room, person)) == NULL) {
        hub_forget_if_idle(room->hub, person);
        return NULL;
    }
    m->is_expelled = false;
    set_nick(person, nick);
    spread_merge(m);
    return m;
}

/* Who is no member any more, for all others: sessions of theirs that sit here come in anew. */
static void expel(struct member *m)
{
    struct hub *hub = m->room->hub;
    struct person *person = m->person;
    if (m->seats != NULL) {
        m->is_expelled = true;
        for (struct seat *seat = m->seats; seat != NULL; seat = seat->next_of_member) {
            if (seat->session->conn != NULL) {
                hub->port.close(hub->port.user, seat->session->conn, "you were taken for lost");
            }
        }
        return; /* the seats go with the connection */
    }
    hub_mark(m->room);
    room_exit(m);
    hub_forget_if_idle(hub, person);
}

static void on_kicked(struct room *room, struct chat_slice key, bool is_ban)
{
    struct person *person = key.len == TERN_KEY_SIZE ? hub_find_person(room->hub, key.data) : NULL;
    struct member *m = person == NULL ? NULL : room_member(room, person);
    if (m != NULL) {
        hub_put_out(m, is_ban ? "a moderator has put you out of this room for good"
                              : "a moderator has put you out of this room");
        hub_forget_if_idle(room->hub, person);
    }
}

/* What an event means for the picture, before those who sit here get it: it may be done twice. */
static void foresee(struct room *room, const struct chat_packet *p)
{
    struct person *person = hub_find_person(room->hub, p->key);
    if (p->kind == CHAT_KIND_JOIN) {
        (void)ensure(room, p->key, p->nick);
    } else if (p->kind == CHAT_KIND_NICK && person != NULL) {
        set_nick(person, p->nick);
    } else if (p->kind == CHAT_KIND_TOPIC && p->body.len < sizeof room->topic) {
        memcpy(room->topic, p->body.len == 0 ? "" : (const char *)p->body.data, p->body.len);
        room->topic[p->body.len] = '\0';
    }
}

/* And after. */
static void conclude(struct room *room, const struct chat_packet *p, uint8_t flags)
{
    const struct person *person = hub_find_person(room->hub, p->key);
    struct member *m = person == NULL ? NULL : room_member(room, person);
    if (p->kind == CHAT_KIND_KICK) {
        on_kicked(room, p->body, flags != 0);
    } else if (p->kind == CHAT_KIND_LEAVE && m != NULL) {
        expel(m);
    } else if (p->kind < CHAT_KIND_JOIN && m != NULL) {
        bool was_typing = m->is_typing;
        m->is_typing = false;
        for (struct elsewhere *e = m->elsewhere; e != NULL; e = e->next) {
            was_typing = was_typing || e->is_typing;
            e->is_typing = false;
        }
        if ((room->flags & CHAT_FLAG_PRIVATE) != 0) {
            m->read = p->seq;
        }
        if (was_typing) {
            hub_mark(room);
        }
    }
}

/* --- events ------------------------------------------------------------------------------------------- */

static void serve_all(struct room *room)
{
    for (struct member *m = room->members; m != NULL; m = m->next_in_room) {
        for (struct seat *seat = m->seats; seat != NULL; seat = seat->next_of_member) {
            room_serve(seat);
        }
    }
}

static void seat_waiting(struct room *room)
{
    struct ask **at = &room->waiting;
    while (*at != NULL) {
        struct ask *a = *at;
        if (a->until < room->log.next) {
            *at = a->next_waiting;
            spread_sit(a, room);
            at = &room->waiting; /* what follows may have changed */
        } else {
            at = &a->next_waiting;
        }
    }
}

/* What comes next has another number: those between are lost. */
static void skip_to(struct room *room, uint64_t seq)
{
    log_clear(&room->log);
    log_go_on(&room->log, seq);
}

static void take_event(struct room *room, const uint8_t *packet, size_t len, uint8_t flags)
{
    struct chat_packet p;
    if (!chat_decode(&p, packet, len) || p.seq != room->log.next) {
        return;
    }
    hub_trim_logs(room->hub, len);
    if (!log_restore(&room->log, packet, len)) {
        skip_to(room, p.seq + 1);
    }
    room->hub->events++;
    foresee(room, &p);
    serve_all(room);
    conclude(room, &p, flags);
    seat_waiting(room);
    spread_suspect(room);
}

void spread_on_event(struct room *room, const uint8_t *data, size_t len)
{
    uint8_t packet[CHAT_PACKET_MAX];
    if (len < 17) {
        return;
    }
    uint64_t seq = spread_u64(data);
    size_t size = spread_packet(seq, spread_u64(data + 8), data + 17, len - 17, packet);
    if (seq > room->log.next || (seq == room->log.next && size == 0)) {
        spread_look(room);
    } else if (seq == room->log.next) {
        take_event(room, packet, size, data[16]);
    }
}

/* --- looking ------------------------------------------------------------------------------------------ */

struct look {
    struct spread *spread;
    char room[CHAT_NAME_MAX + 1];
};

uint64_t spread_last(const redisReply *snapshot)
{
    return spread_number(spread_at(snapshot, 3));
}

static void take_seats(struct room *room, const redisReply *seats)
{
    const struct spread *spread = room->hub->spread;
    for (size_t i = 0; spread_at(seats, i + 1) != NULL; i += 2) {
        struct chat_slice who = spread_bytes(seats->element[i]);
        struct chat_slice state = spread_bytes(seats->element[i + 1]);
        const struct person *person = who.len != BROKER_ID + TERN_KEY_SIZE
                                          ? NULL
                                          : hub_find_person(room->hub, who.data + BROKER_ID);
        struct member *m = person == NULL ? NULL : room_member(room, person);
        if (m != NULL && state.len == 1 && memcmp(who.data, spread->id, BROKER_ID) != 0) {
            spread_set_elsewhere(m, who.data, (uint8_t)(state.data[0] - '0'));
        }
    }
}

static void take_read(struct room *room, const redisReply *read)
{
    uint8_t key[TERN_KEY_SIZE];
    for (size_t i = 0; spread_at(read, i + 1) != NULL; i += 2) {
        const struct person *person =
            spread_key(read->element[i], key) ? hub_find_person(room->hub, key) : NULL;
        struct member *m = person == NULL ? NULL : room_member(room, person);
        uint64_t seq = spread_number(read->element[i + 1]);
        if (m != NULL && seq > m->read) {
            m->read = seq;
        }
    }
}

/* The members are those, and no others. */
static void take_members(struct room *room, const redisReply *members)
{
    uint8_t key[TERN_KEY_SIZE];
    struct member *next;
    for (struct member *m = room->members; m != NULL; m = m->next_in_room) {
        m->is_seen = false;
        forget_elsewhere(m);
    }
    for (size_t i = 0; spread_at(members, i + 1) != NULL; i += 2) {
        struct member *m = spread_key(members->element[i], key)
                               ? ensure(room, key, spread_bytes(members->element[i + 1]))
                               : NULL;
        if (m != NULL) {
            m->is_seen = true;
        }
    }
    for (struct member *m = room->members; m != NULL; m = next) {
        next = m->next_in_room;
        if (!m->is_seen) {
            expel(m);
        }
    }
}

/* The room at its event `last`; what came since is done once more. */
static void take_snapshot(struct room *room, const redisReply *snapshot)
{
    struct chat_packet p;
    struct chat_slice creator = spread_bytes(spread_at(snapshot, 1));
    struct chat_slice topic = spread_bytes(spread_at(snapshot, 2));
    room->flags = (uint8_t)spread_number(spread_at(snapshot, 0));
    if (creator.len == TERN_KEY_SIZE) {
        memcpy(room->creator, creator.data, creator.len);
    }
    if (topic.len <= CHAT_TEXT_MAX) {
        memcpy(room->topic, topic.len == 0 ? "" : (const char *)topic.data, topic.len);
        room->topic[topic.len] = '\0';
    }
    take_members(room, spread_at(snapshot, 4));
    take_seats(room, spread_at(snapshot, 5));
    take_read(room, spread_at(snapshot, 6));
    for (uint64_t seq = spread_last(snapshot) + 1; seq < room->log.next; seq++) {
        const struct log_event *event = log_find(&room->log, seq);
        if (event != NULL && chat_decode(&p, event->packet, event->len)) {
            foresee(room, &p);
            if (p.kind >= CHAT_KIND_JOIN) {
                conclude(room, &p, 0);
            }
        }
    }
    hub_mark(room);
}

struct room *spread_picture(struct spread *spread, const char *name, const redisReply *snapshot)
{
    char channel[CHAT_NAME_MAX + 8];
    struct room *room = room_new(spread->hub, name, (uint8_t)spread_number(spread_at(snapshot, 0)),
                                 spread_last(snapshot) + 1);
    if (room == NULL) {
        return NULL;
    }
    (void)snprintf(channel, sizeof channel, "room:%s", name);
    if (!hub_add_room(spread->hub, room)) {
        room_free(room);
        return NULL;
    }
    if (!broker_listen(spread->broker, channel)) {
        hub_remove_room(room);
        return NULL;
    }
    take_snapshot(room, snapshot);
    return room;
}

static void lose_room(struct room *room)
{
    for (struct member *m = room->members; m != NULL; m = m->next_in_room) {
        for (struct seat *seat = m->seats; seat != NULL; seat = seat->next_of_member) {
            if (seat->session->conn != NULL) {
                room->hub->port.close(room->hub->port.user, seat->session->conn,
                                      "the chat has lost its memory");
            }
        }
    }
    spread_refuse_waiting(room);
    spread_suspect(room);
}

static void take_entries(struct room *room, const redisReply *entries)
{
    uint8_t packet[CHAT_PACKET_MAX], flags;
    uint64_t seq;
    for (size_t i = 0; spread_at(entries, i) != NULL; i++) {
        size_t len = spread_event(entries->element[i], &seq, &flags, packet);
        if (seq > room->log.next) {
            skip_to(room, seq);
        }
        if (len > 0) {
            take_event(room, packet, len, flags);
        } else if (seq == room->log.next) {
            skip_to(room, seq + 1);
        }
    }
}

static void take_look(struct room *room, const redisReply *reply)
{
    const redisReply *snapshot = spread_at(reply, 1), *entries = spread_at(reply, 3);
    take_entries(room, entries);
    if (spread_at(entries, ENTRIES - 1) != NULL) {
        spread_look(room);
        return;
    }
    if (room->log.next <= spread_last(snapshot)) {
        skip_to(room, spread_last(snapshot) + 1);
    }
    take_snapshot(room, snapshot); /* strangers among those who sit here are no members in it */
    serve_all(room);
    seat_waiting(room);
    spread_suspect(room);
    if (room->has_moved) { /* meanwhile: who is where may be older than that */
        spread_look(room);
    }
}

static void on_look(void *user, const redisReply *reply)
{
    struct look *look = user;
    struct spread *spread = look->spread;
    struct room *room = spread->is_ending ? NULL : hub_find_room(spread->hub, look->room);
    free(look);
    if (room == NULL) {
        return;
    }
    room->is_looking = false;
    if (spread_is_ok(reply)) {
        take_look(room, reply);
    } else if (spread_is(reply, "absent")) {
        lose_room(room);
    } else {
        room->is_blind = true; /* the next tick tries again */
    }
}

void spread_look(struct room *room)
{
    struct spread *spread = room->hub->spread;
    struct broker_question q;
    char mine[24];
    if (room->is_looking) {
        room->has_moved = true; /* once more, then */
        return;
    }
    struct look *look = calloc(1, sizeof *look);
    if (look == NULL) {
        room->is_blind = true;
        return;
    }
    look->spread = spread;
    memcpy(look->room, room->name, sizeof look->room);
    (void)snprintf(mine, sizeof mine, "%llu", (unsigned long long)(room->log.next - 1));
    spread_question(&q, "look");
    broker_text(&q, room->name);
    broker_text(&q, mine);
    for (const struct member *m = room->members; m != NULL; m = m->next_in_room) {
        if (m->seats != NULL && (room->flags & CHAT_FLAG_PRIVATE) == 0) {
            broker_word(&q, m->person->key, TERN_KEY_SIZE);
            broker_text(&q, m->person->state == CHAT_AWAY ? "1" : "0");
        }
    }
    room->is_blind = room->has_moved = false;
    room->is_looking = broker_ask(spread->broker, spread->id, &q, false, on_look, look);
    if (!room->is_looking) {
        room->is_blind = true;
        free(look);
    }
}

/* --- rooms without seats ------------------------------------------------------------------------------ */

void spread_suspect(struct room *room)
{
    struct spread *spread = room->hub->spread;
    if (!room->is_suspect && room->seat_count == 0 && room->waiting == NULL) {
        room->is_suspect = true;
        room->next_suspect = spread->suspects;
        spread->suspects = room;
    }
}

void spread_settle(struct spread *spread)
{
    char channel[CHAT_NAME_MAX + 8];
    while (spread->suspects != NULL) {
        struct room *room = spread->suspects;
        spread->suspects = room->next_suspect;
        room->is_suspect = false;
        if (room->seat_count > 0 || room->waiting != NULL) {
            continue;
        }
        (void)snprintf(channel, sizeof channel, "room:%s", room->name);
        broker_unlisten(spread->broker, channel);
        while (room->members != NULL) {
            struct person *person = room->members->person;
            room_exit(room->members);
            hub_forget_if_idle(spread->hub, person);
        }
        hub_remove_room(room);
    }
}

/* --- older events ------------------------------------------------------------------------------------- */

struct fetch {
    struct spread *spread;
    struct seat *seat; /* NULL: it is no more */
    uint64_t before;
};

void spread_forget_fetch(struct fetch *fetch)
{
    if (fetch != NULL) {
        fetch->seat = NULL;
    }
}

static void on_fetched(void *user, const redisReply *reply)
{
    struct fetch *fetch = user;
    struct seat *seat = fetch->spread->is_ending ? NULL : fetch->seat;
    uint64_t before = fetch->before, seq;
    uint8_t packet[CHAT_PACKET_MAX], flags;
    if (fetch->seat != NULL) {
        fetch->seat->fetch = NULL;
    }
    free(fetch);
    if (seat == NULL) {
        return;
    }
    if (!spread_is_ok(reply)) {
        seat->member->room->is_blind = true;
        return;
    }
    const redisReply *entries = spread_at(reply, 1);
    for (size_t i = 0; spread_at(entries, i) != NULL; i++) {
        size_t len = spread_event(entries->element[i], &seq, &flags, packet);
        if (len > 0 && seq >= seat->cursor) {
            if (!session_send(seat->session, seat->channel, packet, len, false)) {
                return; /* hub_on_writable goes on from there */
            }
            seat->cursor = seq + 1;
        }
    }
    if (spread_at(entries, FETCHED - 1) == NULL && seat->cursor < before) {
        seat->cursor = before; /* what is between was forgotten */
    }
    room_serve(seat);
}

void spread_fetch(struct seat *seat)
{
    struct room *room = seat->member->room;
    struct spread *spread = room->hub->spread;
    struct broker_question q;
    char from[24], to[24], count[24];
    if (seat->fetch != NULL) {
        return;
    }
    struct fetch *fetch = calloc(1, sizeof *fetch);
    if (fetch == NULL) {
        room->is_blind = true;
        return;
    }
    fetch->spread = spread;
    fetch->seat = seat;
    fetch->before = seat->caught_up != 0 && seat->caught_up < room->log.first ? seat->caught_up
                                                                              : room->log.first;
    (void)snprintf(from, sizeof from, "%llu", (unsigned long long)seat->cursor);
    (void)snprintf(to, sizeof to, "%llu", (unsigned long long)(fetch->before - 1));
    (void)snprintf(count, sizeof count, "%d", FETCHED);
    spread_question(&q, "fetch");
    broker_text(&q, room->name);
    broker_text(&q, from);
    broker_text(&q, to);
    broker_text(&q, count);
    if (broker_ask(spread->broker, spread->id, &q, false, on_fetched, fetch)) {
        seat->fetch = fetch;
    } else {
        room->is_blind = true;
        free(fetch);
    }
}
