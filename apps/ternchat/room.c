/* Events of a room go to each seat in their order, from its cursor on.
 * SPDX-License-Identifier: MIT */
#include "ternchat/room.h"

#include <stdlib.h>
#include <string.h>

#include "ternchat/hub_parts.h"
#include "ternchat/session.h"

#define STORED_EVENTS 128 /* in memory too: what newcomers are shown, and a little more */

struct room *room_new(struct hub *hub, const char *name, uint8_t flags, uint64_t next)
{
    struct room *room = calloc(1, sizeof *room);
    if (room == NULL) {
        return NULL;
    }
    room->hub = hub;
    room->flags = flags;
    (void)memccpy(room->name, name, '\0', sizeof room->name - 1);
    log_init(&room->log, next);
    room->log.total = &hub->log_bytes;
    return room;
}

static bool restore(void *user, uint64_t seq, const uint8_t *packet, size_t len)
{
    struct room *room = user;
    if (room->log.first == room->log.next) {
        log_go_on(&room->log, seq); /* the older ones are forgotten */
    }
    return log_restore(&room->log, packet, len);
}

struct room *room_load(struct hub *hub, const char *name, const struct store_room *stored)
{
    uint64_t from = stored->next > CHAT_REPLAY ? stored->next - CHAT_REPLAY : 1;
    struct room *room = room_new(hub, name, stored->flags, from);
    if (room == NULL) {
        return NULL;
    }
    room->stored = stored->id;
    memcpy(room->creator, stored->creator, sizeof room->creator);
    memcpy(room->topic, stored->topic, sizeof room->topic);
    if (store_replay(hub->store, room->stored, from, stored->next, restore, room) < 0 ||
        room->log.next != stored->next) { /* a hole in the file: what follows it has its numbers */
        log_clear(&room->log);
        log_go_on(&room->log, stored->next);
    }
    return room;
}

void room_free(struct room *room)
{
    struct member *next;
    for (struct member *m = room->members; m != NULL; m = next) {
        next = m->next_in_room;
        room_exit(m);
    }
    while (room->bans != NULL) {
        struct ban *ban = room->bans;
        room->bans = ban->next;
        free(ban);
    }
    log_clear(&room->log);
    free(room);
}

struct member *room_member(const struct room *room, const struct person *person)
{
    /* Persons are in fewer rooms than rooms have persons. */
    struct member *m = person->members;
    while (m != NULL && m->room != room) {
        m = m->next_of_person;
    }
    return m;
}

struct member *room_enter(struct room *room, struct person *person)
{
    struct member *m = calloc(1, sizeof *m);
    if (m == NULL) {
        return NULL;
    }
    m->person = person;
    m->room = room;
    m->presence = person->state;
    m->next_in_room = room->members;
    m->link_in_room = &room->members;
    if (m->next_in_room != NULL) {
        m->next_in_room->link_in_room = &m->next_in_room;
    }
    room->members = m;
    m->next_of_person = person->members;
    m->link_of_person = &person->members;
    if (m->next_of_person != NULL) {
        m->next_of_person->link_of_person = &m->next_of_person;
    }
    person->members = m;
    room->member_count++;
    return m;
}

void room_exit(struct member *m)
{
    struct seat *next;
    hub_files_on_exit(m);
    for (struct seat *seat = m->seats; seat != NULL; seat = next) {
        next = seat->next_of_member;
        room_rise(seat);
    }
    *m->link_in_room = m->next_in_room;
    if (m->next_in_room != NULL) {
        m->next_in_room->link_in_room = m->link_in_room;
    }
    *m->link_of_person = m->next_of_person;
    if (m->next_of_person != NULL) {
        m->next_of_person->link_of_person = m->link_of_person;
    }
    m->room->member_count--;
    while (m->elsewhere != NULL) {
        struct elsewhere *e = m->elsewhere;
        m->elsewhere = e->next;
        free(e);
    }
    free(m);
}

struct seat *room_sit(struct member *member, struct hub_session *session, uint16_t channel,
                      uint64_t since)
{
    struct seat *seat = calloc(1, sizeof *seat);
    if (seat == NULL) {
        return NULL;
    }
    uint64_t next = member->room->log.next;
    seat->session = session;
    seat->member = member;
    seat->channel = channel;
    if (since == CHAT_SINCE_NONE) {
        seat->cursor = next > CHAT_REPLAY ? next - CHAT_REPLAY : 1;
    } else {
        seat->cursor = since < next ? since + 1 : next; /* it cannot have what was not said */
    }
    seat->caught_up = next;
    seat->next_of_member = member->seats;
    seat->link_of_member = &member->seats;
    if (seat->next_of_member != NULL) {
        seat->next_of_member->link_of_member = &seat->next_of_member;
    }
    member->seats = seat;
    member->room->seat_count++;
    session_seat_set(session, channel, seat);
    return seat;
}

void room_rise(struct seat *seat)
{
    *seat->link_of_member = seat->next_of_member;
    if (seat->next_of_member != NULL) {
        seat->next_of_member->link_of_member = seat->link_of_member;
    }
    session_seat_set(seat->session, seat->channel, NULL);
    seat->member->room->seat_count--;
    spread_forget_fetch(seat->fetch);
    free(seat);
}

/* The place of a program's number; the last place when it has none. */
static unsigned place_of(const struct member *m, uint32_t instance)
{
    unsigned i = 0;
    while (i < ROOM_INSTANCES - 1 && m->said[i].instance != instance) {
        i++;
    }
    return i;
}

static void set_said(struct member *m, uint32_t instance, uint32_t last)
{
    unsigned i = place_of(m, instance);
    memmove(&m->said[1], &m->said[0], i * sizeof m->said[0]);
    m->said[0].instance = instance;
    m->said[0].last = last;
}

bool room_is_repeat(struct member *m, uint64_t id)
{
    uint32_t instance = (uint32_t)(id >> 32), last = 0;
    const struct room *room = m->room;
    unsigned i = place_of(m, instance);
    if (m->said[i].instance == instance) {
        last = m->said[i].last;
    } else if (room->stored != 0) { /* from before a restart, or a leave */
        if (store_said(room->hub->store, room->stored, m->person->key, instance, &last) < 0) {
            hub_on_store_failure(room->hub);
        }
        set_said(m, instance, last);
    }
    return (uint32_t)id <= last;
}

void room_on_said(struct member *m, uint64_t id)
{
    set_said(m, (uint32_t)(id >> 32), (uint32_t)id);
}

/* --- serving ---------------------------------------------------------------------------------------- */

static bool tell_caught_up(struct seat *seat)
{
    uint8_t buf[32];
    struct chat_packet p = {.type = CHAT_CAUGHT_UP, .seq = seat->caught_up - 1};
    size_t len = chat_encode(&p, buf, sizeof buf);
    if (!session_send(seat->session, seat->channel, buf, len, false)) {
        return false;
    }
    seat->caught_up = 0;
    return true;
}

struct reading {
    struct seat *seat;
    bool is_full;
};

static bool send_stored(void *user, uint64_t seq, const uint8_t *packet, size_t len)
{
    struct reading *reading = user;
    struct seat *seat = reading->seat;
    reading->is_full = !session_send(seat->session, seat->channel, packet, len, false);
    seat->cursor = reading->is_full ? seat->cursor : seq + 1;
    return !reading->is_full;
}

/* From the store up to what is in memory. False: there is no room now. */
static bool serve_old(struct seat *seat)
{
    const struct room *room = seat->member->room;
    const struct log *log = &room->log;
    uint64_t before =
        seat->caught_up != 0 && seat->caught_up < log->first ? seat->caught_up : log->first;
    if (room->hub->spread != NULL) {
        spread_fetch(seat);
        return false;
    }
    if (room->stored == 0) {
        seat->cursor = log->first; /* the gap in the numbers tells the client what it has missed */
        return true;
    }
    struct reading reading = {.seat = seat};
    if (store_replay(room->hub->store, room->stored, seat->cursor, before, send_stored, &reading) <
        0) {
        hub_on_store_failure(room->hub);
    }
    if (!reading.is_full) {
        seat->cursor = before; /* what is between was forgotten, or cannot be read */
    }
    return !reading.is_full;
}

void room_serve(struct seat *seat)
{
    const struct log *log = &seat->member->room->log;
    while (true) {
        if (seat->caught_up != 0 && seat->cursor >= seat->caught_up && !tell_caught_up(seat)) {
            return;
        }
        if (seat->cursor == log->next) {
            return;
        }
        const struct log_event *event = log_find(log, seat->cursor);
        if (event == NULL) {
            if (!serve_old(seat)) {
                return;
            }
        } else if (session_send(seat->session, seat->channel, event->packet, event->len, false)) {
            seat->cursor++;
        } else {
            return;
        }
    }
}

static bool keep(struct room *room, const struct chat_packet *p, const struct log_event *event)
{
    if (room->stored == 0 || store_append(room->hub->store, room->stored, p, event) > 0) {
        return true;
    }
    hub_on_store_failure(room->hub);
    return false;
}

uint64_t room_say(struct room *room, struct chat_packet *p)
{
    p->type = CHAT_EVENT;
    p->time = hub_wall(room->hub);
    struct log_event *event = log_make(&room->log, p);
    if (event == NULL || !keep(room, p, event)) {
        free(event);
        return 0;
    }
    hub_trim_logs(room->hub, event->len);
    log_keep(&room->log, event);
    if (room->stored != 0) {
        log_trim(&room->log, STORED_EVENTS);
    }
    room->hub->events++;
    for (struct member *m = room->members; m != NULL; m = m->next_in_room) {
        for (struct seat *seat = m->seats; seat != NULL; seat = seat->next_of_member) {
            room_serve(seat);
        }
    }
    return p->seq;
}

/* Asked once, since the answer may be in a file. */
static bool may_moderate(struct member *m)
{
    if (!m->is_asked) {
        m->is_asked = true;
        m->may = hub_is_moderator(m->room, m->person);
    }
    return m->may;
}

#define READERS_MAX 16 /* in a larger room nobody looks who has read what */

static bool is_typing(const struct member *m)
{
    bool is_so = m->is_typing;
    for (const struct elsewhere *e = m->elsewhere; e != NULL; e = e->next) {
        is_so = is_so || e->is_typing;
    }
    return is_so;
}

void room_tell_status(struct room *room)
{
    uint8_t list[CHAT_BODY_MAX], buf[CHAT_PACKET_MAX];
    size_t used = 0;
    for (struct member *m = room->members; m != NULL; m = m->next_in_room) {
        struct chat_status s = {
            .presence = m->presence, .is_typing = is_typing(m), .may = may_moderate(m)};
        s.read = room->member_count <= READERS_MAX ? m->read : 0;
        if (s.presence != CHAT_HERE || s.is_typing || s.may || s.read != 0) {
            memcpy(s.key, m->person->key, sizeof s.key);
            used += chat_status_encode(&s, list + used, sizeof list - used);
        }
    }
    struct chat_packet p = {.type = CHAT_STATUS, .body = {list, used}};
    size_t len = chat_encode(&p, buf, sizeof buf);
    for (struct member *m = room->members; len > 0 && m != NULL; m = m->next_in_room) {
        for (struct seat *s = m->seats; s != NULL; s = s->next_of_member) {
            (void)session_send(s->session, s->channel, buf, len, true);
        }
    }
}
