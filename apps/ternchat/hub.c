/* Packets of clients become words in rooms.
 * SPDX-License-Identifier: MIT */
#include "ternchat/hub.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ternchat/hub_parts.h"
#include "ternchat/name.h"

struct hub *hub_new(const struct hub_port *port, const struct hub_config *config,
                    char why[HUB_WHY_SIZE])
{
    struct hub *hub = calloc(1, sizeof *hub);
    if (hub == NULL) {
        (void)snprintf(why, HUB_WHY_SIZE, "out of memory");
        return NULL;
    }
    hub->port = *port;
    hub->config = *config;
    hub->log_limit = HUB_LOG_BYTES;
    if (config->path != NULL) {
        struct store_limits limits = {config->history_bytes, config->history_age};
        hub->store = store_open(config->path, &limits, why);
        if (hub->store == NULL) {
            free(hub);
            return NULL;
        }
    }
    return hub;
}

uint64_t hub_wall(const struct hub *hub)
{
    return hub->port.wall(hub->port.user);
}

/* --- small things ------------------------------------------------------------------------------------- */

void hub_note(struct hub *hub, const char *what, const struct person *person, const char *room)
{
    if (hub->port.note != NULL) {
        hub->port.note(hub->port.user, what, person == NULL ? NULL : person->key,
                       person == NULL ? "" : person->nick, room == NULL ? "" : room);
    }
}

void hub_on_store_failure(struct hub *hub)
{
    hub->store_failures++;
    hub_note(hub, "history-failed", NULL, store_why(hub->store));
}

/* --- coming ------------------------------------------------------------------------------------------ */

struct hub_session *hub_came(struct hub *hub, void *conn, const uint8_t key[TERN_KEY_SIZE],
                             tern_time now)
{
    struct hub_session *s = calloc(1, sizeof *s);
    struct person *person = s == NULL ? NULL : hub_person(hub, key);
    hub->now = now;
    if (person == NULL) {
        free(s);
        return NULL;
    }
    hub->resting_count -= person->is_resting ? 1 : 0;
    person->is_resting = false;
    hub->session_count++;
    s->hub = hub;
    s->late_tail = &s->late;
    s->behind_tail = &s->behind;
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

/* --- joining and leaving ----------------------------------------------------------------------------- */

/* The member, who has no seats, leaves; the room goes with the last of them. A leave that cannot be stored
 * now is told later, by the sweep. */
static void part(struct member *m, const char *why, tern_time now)
{
    struct room *room = m->room;
    if (hub_announce(m, CHAT_KIND_LEAVE, chat_text(why)) == 0) {
        m->presence = CHAT_GONE;
        m->gone_since =
            now - HUB_GRACE; /* may be before the clock's beginning: differences count */
        return;
    }
    hub_note(room->hub, "left", m->person, room->name);
    hub_mark(room);
    room_exit(m);
    if (room->member_count == 0) {
        hub_remove_room(room);
    }
}

static void tell_joined(struct hub_session *s, const struct seat *seat, uint64_t last)
{
    uint8_t list[CHAT_BODY_MAX - CHAT_TEXT_MAX];
    size_t used = 0;
    const struct room *room = seat->member->room;
    for (struct member *m = room->members; m != NULL; m = m->next_in_room) {
        struct chat_member entry = {.presence = m->presence, .nick = chat_text(m->person->nick)};
        memcpy(entry.key, m->person->key, sizeof entry.key);
        used += chat_member_encode(&entry, list + used, sizeof list - used);
    }
    bool may = hub_is_moderator(room, s->person);
    struct chat_packet p = {.type = CHAT_JOINED,
                            .flags = (uint8_t)(room->flags | (may ? CHAT_FLAG_MAY : 0u)),
                            .seq = last,
                            .room = chat_text(room->name),
                            .text = chat_text(room->topic),
                            .body = {list, used}};
    session_tell_on(s, seat->channel, &p);
}

struct seat *hub_seat_in(const struct hub_session *s, const struct member *m)
{
    struct seat *seat = m->seats;
    while (seat != NULL && seat->session != s) {
        seat = seat->next_of_member;
    }
    return seat;
}

bool hub_seat(struct hub_session *s, struct member *m, uint64_t since, uint64_t last)
{
    uint16_t channel = session_free_channel(s);
    struct seat *seat = channel == 0 ? NULL : room_sit(m, s, channel, since);
    if (seat == NULL) {
        return false;
    }
    seat->caught_up = last + 1;
    if (m->presence == CHAT_GONE) {
        m->presence = s->person->state;
    }
    hub_mark(m->room); /* who comes must know what the others do */
    tell_joined(s, seat, last);
    room_serve(seat);
    return true;
}

/* A new member, who is told of. NULL: *code and *why say why not. */
static struct member *enter(struct room *room, struct person *person, enum chat_refusal *code,
                            const char **why)
{
    *code = CHAT_REFUSED_BANNED;
    *why = "you were put out of it for good";
    if (hub_is_banned(room, person)) {
        return NULL;
    }
    *code = CHAT_REFUSED_FULL;
    *why = "no room for you in it";
    struct member *m = room->member_count < HUB_ROOM_MEMBERS ? room_enter(room, person) : NULL;
    if (m == NULL || hub_announce(m, CHAT_KIND_JOIN, (struct chat_slice){NULL, 0}) != 0) {
        return m;
    }
    room_exit(m);
    *code = CHAT_REFUSED_HISTORY;
    *why = "the server cannot store that you come";
    return NULL;
}

static void on_join(struct hub_session *s, const struct chat_packet *p)
{
    char name[CHAT_NAME_MAX + 1];
    enum chat_refusal code;
    const char *why;
    if (!name_take(p->room, NAME_ROOM, name)) {
        hub_refuse(s, CHAT_REFUSED_ROOM, 0, 0, "not a name for a room");
        return;
    }
    struct room *room = hub_room(s->hub, name, p->flags & CHAT_FLAG_OPEN, s->person, &code, &why);
    struct member *m = room == NULL ? NULL : room_member(room, s->person);
    uint64_t last = room == NULL ? 0 : room->log.next - 1;
    if (room != NULL && m == NULL && (m = enter(room, s->person, &code, &why)) != NULL) {
        hub_note(s->hub, "joined", s->person, name);
    } else if (m != NULL && hub_seat_in(s, m) != NULL) {
        return; /* it sits there already */
    }
    if (m == NULL || !hub_seat(s, m, p->seq, last)) {
        hub_refuse_room(s, code, name, why);
        if (m != NULL && m->seats == NULL && m->presence != CHAT_GONE) {
            part(m, "left", s->hub->now);
        } else if (room != NULL && room->member_count == 0) {
            hub_remove_room(room);
        }
    }
}

static void on_leave(struct hub_session *s, struct seat *seat)
{
    struct member *m = seat->member;
    room_rise(seat);
    if (m->seats == NULL && (m->room->flags & CHAT_FLAG_PRIVATE) == 0) {
        part(m, "left", s->hub->now);
    }
}

void hub_welcome(struct hub_session *s)
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
    hub_note(s->hub, "came", s->person, NULL);
    if (s->hub->spread == NULL) {
        hub_call_back(s);
    }
}

static void on_hello(struct hub_session *s, const struct chat_packet *p)
{
    if (p->version != CHAT_VERSION) {
        hub_refuse(s, CHAT_REFUSED_VERSION, 0, 0, "this server speaks version 1");
        return;
    }
    if (hub_take_nick(s, p->nick) && !s->is_welcome) {
        hub_welcome(s);
    }
}

/* --- packets ----------------------------------------------------------------------------------------- */

/* Words after those that could not be stored must not pass them. */
static bool is_out_of_turn(struct seat *seat, uint64_t id)
{
    if (seat->refused != 0 && id >> 32 == seat->refused >> 32 && id > seat->refused) {
        return true;
    }
    seat->refused = 0;
    return false;
}

bool hub_may_say(struct hub_session *s, struct seat *seat, const struct chat_packet *p)
{
    const struct room *room = seat->member->room;
    if (p->kind == 0 || p->kind >= CHAT_KIND_JOIN) {
        hub_refuse(s, CHAT_REFUSED_RIGHT, seat->channel, p->id, "the server alone says that");
        return false;
    }
    if (room_is_repeat(seat->member, p->id)) {
        return false; /* its own event tells its sender, now or in the replay */
    }
    if (is_out_of_turn(seat, p->id)) {
        return false; /* their sender says them again, after the first of them */
    }
    return p->kind != CHAT_KIND_TOPIC ||
           ((room->flags & CHAT_FLAG_PRIVATE) == 0 && hub_may_set_topic(s, seat, p));
}

static void on_said(struct hub_session *s, struct seat *seat, const struct chat_packet *p,
                    uint64_t seq)
{
    struct member *m = seat->member;
    struct room *room = m->room;
    room_on_said(m, p->id);
    if (p->kind == CHAT_KIND_TOPIC) {
        memcpy(room->topic, p->body.len == 0 ? "" : (const char *)p->body.data, p->body.len);
        room->topic[p->body.len] = '\0';
    }
    if (m->is_typing) {
        m->is_typing = false;
        hub_mark(room);
    }
    if ((room->flags & CHAT_FLAG_PRIVATE) != 0) {
        m->read = seq;
        hub_on_pair_read(m);
        hub_call(room, s->person);
    }
}

static void on_say(struct hub_session *s, struct seat *seat, const struct chat_packet *p)
{
    struct chat_packet event = *p;
    if (!hub_may_say(s, seat, p)) {
        return;
    }
    memcpy(event.key, s->person->key, sizeof event.key);
    event.nick = chat_text(s->person->nick);
    uint64_t seq = room_say(seat->member->room, &event);
    if (seq == 0) {
        seat->refused = p->id;
        hub_refuse(s, CHAT_REFUSED_HISTORY, seat->channel, p->id,
                   "the server cannot store it now: its disk is full, or fails");
        return;
    }
    on_said(s, seat, p, seq);
}

static void on_room_packet(struct hub_session *s, struct seat *seat, const struct chat_packet *p)
{
    struct member *m = seat->member;
    if (p->type == CHAT_SAY) {
        on_say(s, seat, p);
    } else if (p->type == CHAT_LEAVE) {
        on_leave(s, seat);
    } else if (p->type == CHAT_READ && p->seq > m->read && p->seq < m->room->log.next) {
        m->read = p->seq;
        hub_mark(m->room);
        if ((m->room->flags & CHAT_FLAG_PRIVATE) != 0) {
            hub_on_pair_read(m);
        }
    } else if (p->type == CHAT_TYPE && m->is_typing != (p->code != 0)) {
        m->is_typing = p->code != 0;
        hub_mark(m->room);
    }
}

static void on_state(struct hub_session *s, const struct chat_packet *p)
{
    s->person->state = p->code == CHAT_AWAY ? CHAT_AWAY : CHAT_HERE;
    for (struct member *m = s->person->members; m != NULL; m = m->next_of_person) {
        m->presence = s->person->state;
        hub_mark(m->room);
    }
}

/* What costs more than a look into memory. */
static void on_question(struct hub_session *s, const struct chat_packet *p)
{
    if (!hub_may_ask(s, p)) {
        return;
    }
    if (p->type == CHAT_JOIN) {
        on_join(s, p);
    } else if (p->type == CHAT_OPEN) {
        hub_on_open(s, p);
    } else if (p->type == CHAT_LIST) {
        hub_on_list(s);
    } else if (p->type == CHAT_SEARCH) {
        hub_on_search(s, p);
    } else if (p->type == CHAT_BEFORE) {
        hub_on_before(s, p);
    } else if (p->type == CHAT_KICK) {
        hub_on_kick(s, p);
    } else if (p->type == CHAT_INVITE) {
        hub_on_invite(s);
    } else {
        hub_on_fetch(s, p);
    }
}

static void on_control_packet(struct hub_session *s, const struct chat_packet *p)
{
    if (p->type == CHAT_HELLO) {
        on_hello(s, p);
    } else if (!s->is_welcome) {
        hub_refuse(s, CHAT_REFUSED_NICK, 0, 0, "say who you are first");
    } else if (p->type == CHAT_NICK) {
        (void)hub_take_nick(s, p->nick);
    } else if (p->type == CHAT_STATE) {
        on_state(s, p);
    } else if (p->type == CHAT_DENY) {
        hub_on_deny(s, p);
    } else {
        on_question(s, p);
    }
}

void hub_receive(struct hub_session *s, uint16_t channel, const uint8_t *data, size_t len,
                 tern_time now)
{
    struct chat_packet p;
    s->hub->now = now;
    if (!chat_decode(&p, data, len) || (channel == CHAT_CONTROL) != (p.type < CHAT_SAY) ||
        p.type >= CHAT_WELCOME) {
        if (s->conn != NULL) {
            s->hub->port.close(s->hub->port.user, s->conn, "not a packet of ternchat");
        }
        return;
    }
    if (s->hub->spread != NULL && spread_receive(s, channel, &p, data, len)) {
        return;
    }
    if (channel == CHAT_CONTROL) {
        on_control_packet(s, &p);
        return;
    }
    struct seat *seat = session_seat(s, channel);
    if (seat != NULL) { /* else it has just left, or was put out */
        on_room_packet(s, seat, &p);
    } else if (p.type == CHAT_LEAVE) {
        session_on_leave(s, channel);
    }
}

void hub_on_writable(struct hub_session *s)
{
    session_send_late(s);
    for (size_t i = 0; i < s->place_count; i++) {
        if (s->places[i].seat != NULL) {
            room_serve(s->places[i].seat);
        }
    }
}

/* --- going ------------------------------------------------------------------------------------------- */

void hub_left(struct hub_session *s, bool is_bye, tern_time now)
{
    hub_files_on_left(s); /* its streams end with the connection */
    if (s->hub->spread == NULL || !spread_lingers(s, is_bye)) {
        hub_finish(s, is_bye, now);
    }
}

void hub_finish(struct hub_session *s, bool is_bye, tern_time now)
{
    struct hub *hub = s->hub;
    struct person *person = s->person;
    *s->link = s->next;
    if (s->next != NULL) {
        s->next->link = s->link;
    }
    for (size_t i = 0; i < s->place_count; i++) {
        struct seat *seat = s->places[i].seat;
        struct member *m = seat == NULL ? NULL : seat->member;
        if (m == NULL) {
            continue;
        }
        room_rise(seat);
        if (hub->spread != NULL) {
            spread_on_rise(m, is_bye ? "left" : "lost");
            continue;
        }
        bool is_pair = (m->room->flags & CHAT_FLAG_PRIVATE) != 0;
        if (m->seats == NULL && is_bye && !is_pair) {
            part(m, "left", now);
        } else if (m->seats == NULL && !is_pair) {
            m->presence = CHAT_GONE;
            m->gone_since = now;
            hub_mark(m->room);
        }
    }
    session_free(s);
    hub->session_count--;
    hub_note(hub, is_bye ? "went" : "lost", person, NULL);
    if (hub->spread != NULL) {
        spread_on_gone(hub, person);
    }
    if (person->sessions == NULL) {
        person->state = CHAT_HERE;
        if (hub->spread == NULL) {
            hub_on_pair_left(person);
        }
    }
    hub_forget_if_idle(hub, person);
}

/* Somebody without a session: do they leave the room now? */
static void sweep_member(struct member *m, tern_time now)
{
    struct room *room = m->room;
    bool is_late = m->presence == CHAT_GONE && now - m->gone_since >= HUB_GRACE;
    if ((room->flags & CHAT_FLAG_PRIVATE) == 0 && is_late) {
        part(m, "lost", now);
    } else if ((room->flags & CHAT_FLAG_PRIVATE) != 0 && is_late && hub_is_pair_over(room, now)) {
        hub_remove_room(room);
    }
}

static void sweep(struct hub *hub, tern_time now)
{
    struct person *next;
    for (struct person *person = hub->persons; person != NULL; person = next) {
        struct member *m = person->sessions != NULL || hub->spread != NULL ? NULL : person->members;
        while (m != NULL) {
            struct member *after = m->next_of_person;
            sweep_member(m, now);
            m = after;
        }
        next = person->next;
        hub_forget_if_idle(hub, person);
    }
}

void hub_tick(struct hub *hub, tern_time now)
{
    hub->now = now;
    if (hub->spread != NULL) {
        spread_tick(hub->spread, now);
    }
    while (hub->news != NULL) {
        struct room *room = hub->news;
        hub->news = room->next_news;
        room->has_news = false;
        room_tell_status(room);
    }
    if (now - hub->swept >= TERN_SEC) {
        hub->swept = now;
        hub_files_tick(hub, now);
        sweep(hub, now);
    }
    if (hub->store != NULL && store_tidy(hub->store, hub_wall(hub)) < 0) {
        hub_on_store_failure(hub);
    }
}

void hub_count(const struct hub *hub, struct hub_counts *out)
{
    *out = (struct hub_counts){.sessions = hub->session_count,
                               .rooms = hub->room_count,
                               .relays = hub->relay_count,
                               .events = hub->events,
                               .refusals = hub->refusals,
                               .store_failures = hub->store_failures};
    out->store_bytes = hub->store == NULL ? 0 : store_bytes(hub->store);
    for (const struct person *person = hub->persons; person != NULL; person = person->next) {
        out->people += person->sessions != NULL && !person->is_resting ? 1 : 0;
    }
}

void hub_free(struct hub *hub)
{
    struct room *next_room;
    struct person *next;
    if (hub == NULL) {
        return;
    }
    spread_free(hub->spread);
    hub->spread = NULL;
    for (struct room *room = hub->rooms; room != NULL; room = next_room) {
        next_room = room->next;
        hub_remove_room(room);
    }
    for (struct person *person = hub->persons; person != NULL; person = next) {
        next = person->next;
        struct hub_session *after;
        for (struct hub_session *s = person->sessions; s != NULL; s = after) {
            after = s->next;
            session_free(s);
        }
        person->sessions = NULL;
        hub_forget(hub, person);
    }
    store_close(hub->store);
    free(hub);
}
