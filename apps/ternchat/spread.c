/* What clients send becomes questions to Redis, one at a time for each session, and answers become theirs.
 * SPDX-License-Identifier: MIT */
#include "ternchat/spread.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ternchat/name.h"
#include "ternchat/spread_parts.h"

#define TRIES        3
#define PATIENCE     (4 * TERN_SEC) /* then who has said something is told why it takes so long */
#define LISTED       1000
#define ANSWER_BYTES ((size_t)256 * 1024) /* of one question */

static const char no_answer[] = "the server does not reach its broker now";
static const char cannot[] = "the broker cannot store it now";

/* --- small things ------------------------------------------------------------------------------------- */

/* The packet is done with, and with it the session's turn. */
static void go_on(struct hub_session *s);

static void done(struct ask *a)
{
    struct hub_session *s = a->session;
    free(a);
    if (s != NULL) {
        s->ask = NULL;
        go_on(s);
    }
}

static void refuse(struct ask *a, enum chat_refusal code, uint64_t id, const char *why)
{
    struct chat_packet p = {.channel = a->channel, .id = id, .room = chat_text(a->room)};
    if (a->channel != CHAT_CONTROL) {
        p.room.len = 0;
    }
    session_refuse(a->session, &p, code, why);
}

static const char *flag(bool is_so)
{
    return is_so ? "1" : "0";
}

static bool may_all(const struct ask *a)
{
    const struct hub_port *port = &a->spread->hub->port;
    return port->is_moderator != NULL && port->is_moderator(port->user, a->key);
}

/* --- asking ------------------------------------------------------------------------------------------- */

static void on_answer(void *user, const redisReply *reply);

/* Words wait for as long as it takes: were they refused, who says them again could not know whether they
 * were taken, nor we what may follow them. */
static void send_question(struct ask *a, const struct broker_question *q, bool is_patient)
{
    if (!broker_ask(a->spread->broker, a->spread->id, q, is_patient, on_answer, a)) {
        on_answer(a, NULL);
    }
}

static void ask_name(struct ask *a, struct broker_question *q, const char *operation,
                     char skeleton[CHAT_NAME_MAX + 1])
{
    (void)name_skeleton(a->nick, skeleton);
    spread_question(q, operation);
    broker_word(q, a->key, TERN_KEY_SIZE);
    broker_text(q, a->nick);
    broker_text(q, skeleton);
}

static void ask_join(struct ask *a, struct broker_question *q, const struct chat_packet *p,
                     char flags[4])
{
    struct person *person = a->session->person;
    struct allowance left = person->makes; /* only what is made costs */
    bool may_make = hub_may(a->spread->hub, &left, HUB_MAKES, HUB_MAKE_RATE);
    (void)snprintf(flags, 4, "%u", p->flags & CHAT_FLAG_OPEN);
    spread_question(q, "join");
    broker_text(q, a->room);
    broker_word(q, a->key, TERN_KEY_SIZE);
    broker_text(q, flags);
    broker_text(q, flag(may_make));
    broker_text(q, flag(may_all(a)));
    broker_text(q, flag(person->state == CHAT_AWAY));
}

static void ask_say(struct ask *a, struct broker_question *q, const struct chat_packet *p,
                    char kind[4])
{
    (void)snprintf(kind, 4, "%u", p->kind);
    spread_question(q, "say");
    broker_text(q, a->room);
    broker_word(q, a->key, TERN_KEY_SIZE);
    broker_word(q, a->data + 1, 8); /* the id, as the packet has it */
    broker_text(q, kind);
    broker_word(q, p->body.len == 0 ? (const uint8_t *)"" : p->body.data, p->body.len);
}

static void ask_kick(struct ask *a, struct broker_question *q, const struct chat_packet *p)
{
    static const char *const codes[] = {"0", "1", "2"};
    spread_question(q, "kick");
    broker_text(q, a->room);
    broker_word(q, a->key, TERN_KEY_SIZE);
    broker_word(q, p->key, TERN_KEY_SIZE);
    broker_text(q, codes[p->code]);
    broker_text(q, flag(may_all(a)));
}

static void ask_before(struct ask *a, struct broker_question *q, const struct chat_packet *p,
                       char before[24])
{
    uint64_t to = p->seq > INT64_MAX ? INT64_MAX : p->seq;
    (void)snprintf(before, 24, "%llu", (unsigned long long)(to > 0 ? to - 1 : 0));
    spread_question(q, "before");
    broker_text(q, a->room);
    broker_text(q, before);
    broker_text(q, "50");
}

static void ask_event(struct ask *a, struct broker_question *q, const struct chat_packet *p,
                      char seq[24])
{
    (void)snprintf(seq, 24, "%llu", (unsigned long long)p->seq);
    spread_question(q, "fetch");
    broker_text(q, a->room);
    broker_text(q, seq);
    broker_text(q, seq);
    broker_text(q, "1");
}

static void put(struct ask *a)
{
    struct broker_question q;
    struct chat_packet p;
    char number[24], skeleton[CHAT_NAME_MAX + 1];
    (void)chat_decode(&p, a->data, a->len); /* as when it came */
    if (p.type == CHAT_HELLO || p.type == CHAT_NICK) {
        ask_name(a, &q, p.type == CHAT_HELLO ? "hello" : "nick", skeleton);
        if (p.type == CHAT_HELLO) {
            broker_text(&q, flag(a->session->person->state == CHAT_AWAY));
        }
    } else if (p.type == CHAT_JOIN) {
        ask_join(a, &q, &p, number);
    } else if (p.type == CHAT_OPEN) {
        spread_question(&q, "open");
        broker_text(&q, a->room);
        broker_word(&q, a->key, TERN_KEY_SIZE);
        broker_word(&q, p.key, TERN_KEY_SIZE);
    } else if (p.type == CHAT_SAY) {
        ask_say(a, &q, &p, number);
    } else if (p.type == CHAT_KICK) {
        ask_kick(a, &q, &p);
    } else if (p.type == CHAT_FETCH) {
        ask_event(a, &q, &p, number);
    } else if (p.type == CHAT_LIST) {
        (void)snprintf(number, sizeof number, "%d", LISTED);
        spread_question(&q, "list");
        broker_text(&q, number);
    } else {
        ask_before(a, &q, &p, number);
    }
    send_question(a, &q, p.type == CHAT_SAY);
}

/* --- answers: names ----------------------------------------------------------------------------------- */

static void tell_unread(struct hub_session *s, const redisReply *reply)
{
    for (size_t i = 1; spread_at(reply, i + 2) != NULL; i += 3) {
        struct chat_packet p = {.type = CHAT_CALLED,
                                .nick = spread_bytes(reply->element[i + 1]),
                                .seq = spread_number(reply->element[i + 2])};
        if (spread_key(reply->element[i], p.key)) {
            session_tell(s, &p);
        }
    }
}

static void merge_pairs(struct person *person)
{
    for (struct member *m = person->members; m != NULL; m = m->next_of_person) {
        spread_merge(m);
    }
}

static void on_named(struct ask *a, const struct chat_packet *p, const redisReply *reply)
{
    struct hub_session *s = a->session;
    if (spread_is(reply, "taken")) {
        refuse(a, CHAT_REFUSED_NICK, 0, "somebody else has that name, or one that looks like it");
    } else if (!spread_is_ok(reply) && p->type == CHAT_HELLO && !s->is_welcome) {
        if (s->conn != NULL) { /* there is no other way to make it come again */
            s->hub->port.close(s->hub->port.user, s->conn, no_answer);
        }
    } else if (!spread_is_ok(reply)) {
        refuse(a, CHAT_REFUSED_HISTORY, 0, no_answer);
    } else {
        memcpy(s->person->nick, a->nick, sizeof s->person->nick);
        if (!s->is_welcome) {
            hub_welcome(s);
            merge_pairs(s->person);
            tell_unread(s, reply);
        }
    }
}

/* --- answers: rooms ----------------------------------------------------------------------------------- */

void spread_sit(struct ask *a, struct room *room)
{
    struct hub_session *s = a->session;
    struct chat_packet p;
    if (s != NULL && chat_decode(&p, a->data, a->len)) {
        struct member *m = room_member(room, s->person);
        if (m == NULL) {
            refuse(a, CHAT_REFUSED_BANNED, 0, "you were put out of it");
        } else if (hub_seat_in(s, m) == NULL && !hub_seat(s, m, p.seq, a->before)) {
            refuse(a, CHAT_REFUSED_FULL, 0, "no room for you in it");
        } else {
            spread_merge(m);
        }
    }
    spread_suspect(room);
    done(a);
}

void spread_refuse_waiting(struct room *room)
{
    while (room->waiting != NULL) {
        struct ask *a = room->waiting;
        room->waiting = a->next_waiting;
        if (a->session != NULL) {
            refuse(a, CHAT_REFUSED_HISTORY, 0, no_answer);
        }
        done(a);
    }
}

static void refuse_join(struct ask *a, const redisReply *reply)
{
    if (spread_is(reply, "banned")) {
        refuse(a, CHAT_REFUSED_BANNED, 0, "you were put out of it for good");
    } else if (spread_is(reply, "full")) {
        refuse(a, CHAT_REFUSED_FULL, 0, "no room for you in it");
    } else if (spread_is(reply, "rate")) {
        refuse(a, CHAT_REFUSED_RATE, 0, "too many new rooms; wait a little");
    } else if (spread_is(reply, "nobody")) {
        a->room[0] = '\0';
        refuse(a, CHAT_REFUSED_ROOM, 0, "nobody here has that key");
    } else {
        refuse(a, CHAT_REFUSED_HISTORY, 0, no_answer);
    }
}

/* Whether it is done. */
static bool on_joined(struct ask *a, const redisReply *reply)
{
    struct spread *spread = a->spread;
    const redisReply *snapshot = spread_at(reply, 3);
    if (!spread_is_ok(reply)) {
        refuse_join(a, reply);
        return true;
    }
    struct room *room = hub_find_room(spread->hub, a->room);
    if (room == NULL) {
        room =
            spread->hub->room_count < HUB_ROOMS ? spread_picture(spread, a->room, snapshot) : NULL;
        if (room == NULL) {
            refuse(a, CHAT_REFUSED_FULL, 0, "the server has no room for it");
            return true;
        }
    }
    if (spread_number(spread_at(reply, 1)) == 1) {
        (void)hub_may(spread->hub, &a->session->person->makes, HUB_MAKES, HUB_MAKE_RATE);
        hub_note(spread->hub, "joined", a->session->person, a->room);
    }
    a->before = spread_number(spread_at(reply, 2));
    a->until = spread_last(snapshot);
    if (a->until < room->log.next) {
        spread_sit(a, room);
    } else {
        a->next_waiting = room->waiting;
        room->waiting = a;
    }
    return false;
}

static void on_kicked(struct ask *a, const redisReply *reply)
{
    if (spread_is(reply, "right")) {
        refuse(a, CHAT_REFUSED_RIGHT, 0, "only a moderator of the room may do that");
    } else if (spread_is(reply, "absent")) {
        refuse(a, CHAT_REFUSED_ROOM, 0, "they are not in this room");
    } else if (!spread_is_ok(reply)) {
        refuse(a, CHAT_REFUSED_HISTORY, 0, no_answer);
    } else {
        hub_note(a->spread->hub, "kicked", a->session->person, a->room);
    }
}

/* Its event is the answer; it comes with the others of the room. */
static void on_said(struct ask *a, const struct chat_packet *p, const redisReply *reply)
{
    struct seat *seat = session_seat(a->session, a->channel);
    if (!spread_is_ok(reply) && !spread_is(reply, "said") && !spread_is(reply, "gone") &&
        seat != NULL) {
        seat->refused = p->id;
        refuse(a, CHAT_REFUSED_HISTORY, p->id, cannot);
    }
}

/* --- answers: questions ------------------------------------------------------------------------------- */

static void on_listed(struct ask *a, const redisReply *reply)
{
    struct chat_packet p = {.type = CHAT_ROOMS};
    if (!spread_is_ok(reply)) {
        refuse(a, CHAT_REFUSED_HISTORY, 0, no_answer);
        return;
    }
    for (size_t i = 1; spread_at(reply, i) != NULL; i++) {
        const redisReply *row = reply->element[i];
        p.room = spread_bytes(spread_at(row, 0));
        p.count = (uint32_t)spread_number(spread_at(row, 1));
        p.flags = (uint8_t)spread_number(spread_at(row, 2));
        p.text = spread_bytes(spread_at(row, 3));
        session_tell(a->session, &p);
    }
    p = (struct chat_packet){.type = CHAT_ROOMS};
    session_tell(a->session, &p);
}

static void on_found(struct ask *a, const struct chat_packet *question, const redisReply *reply)
{
    uint8_t packet[CHAT_PACKET_MAX], flags;
    struct chat_packet p;
    size_t bytes = 0;
    uint64_t seq;
    if (!spread_is_ok(reply)) {
        a->channel = question->channel;
        refuse(a, CHAT_REFUSED_HISTORY, question->id, no_answer);
        return;
    }
    const redisReply *entries = spread_at(reply, 1);
    for (size_t i = 0; spread_at(entries, i) != NULL && bytes < ANSWER_BYTES; i++) {
        size_t len = spread_event(entries->element[i], &seq, &flags, packet);
        if (len > 0 && chat_decode(&p, packet, len)) {
            p.type = CHAT_FOUND;
            p.channel = question->channel;
            p.id = question->id;
            session_tell(a->session, &p);
            bytes += len;
        }
    }
    p = (struct chat_packet){.type = CHAT_FOUND, .channel = question->channel, .id = question->id};
    session_tell(a->session, &p);
}

/* What a FETCH is about. */
static void on_offer(struct ask *a, const struct chat_packet *question, const redisReply *reply)
{
    uint8_t packet[CHAT_PACKET_MAX], flags;
    uint64_t seq;
    if (!spread_is_ok(reply)) {
        refuse(a, CHAT_REFUSED_AWAY, question->id, no_answer);
        return;
    }
    const redisReply *entry = spread_at(spread_at(reply, 1), 0);
    size_t len = entry == NULL ? 0 : spread_event(entry, &seq, &flags, packet);
    hub_on_fetch_of(a->session, question, packet, len);
}

/* --- answers ------------------------------------------------------------------------------------------ */

/* Its session is gone: what it brought is undone. */
static void undo(struct ask *a, const struct chat_packet *p)
{
    struct hub *hub = a->spread->hub;
    struct broker_question q;
    struct person *person = hub_find_person(hub, a->key);
    struct room *room = p->type == CHAT_JOIN ? hub_find_room(hub, a->room) : NULL;
    const struct member *m = person == NULL || room == NULL ? NULL : room_member(room, person);
    if (p->type == CHAT_JOIN && (m == NULL || m->seats == NULL)) {
        spread_question(&q, "rise");
        broker_text(&q, a->room);
        broker_word(&q, a->key, TERN_KEY_SIZE);
        broker_text(&q, "lost");
        spread_tell(a->spread, &q, true);
    } else if (p->type == CHAT_HELLO && (person == NULL || !spread_is_online(person))) {
        spread_question(&q, "online");
        broker_word(&q, a->key, TERN_KEY_SIZE);
        broker_text(&q, "2");
        spread_tell(a->spread, &q, true);
    }
}

static void on_answer(void *user, const redisReply *reply)
{
    struct ask *a = user;
    struct chat_packet p;
    if (a->spread->is_ending) {
        free(a);
        return;
    }
    (void)chat_decode(&p, a->data, a->len);
    if (a->session == NULL) {
        undo(a, &p);
        free(a);
        return;
    }
    if (spread_is(reply, "stale") && ++a->tries < TRIES) { /* we have another number by now */
        put(a);
        return;
    }
    if (p.type == CHAT_HELLO || p.type == CHAT_NICK) {
        on_named(a, &p, reply);
    } else if (p.type == CHAT_JOIN || p.type == CHAT_OPEN) {
        if (!on_joined(a, reply)) {
            return;
        }
    } else if (p.type == CHAT_SAY) {
        on_said(a, &p, reply);
    } else if (p.type == CHAT_KICK) {
        on_kicked(a, reply);
    } else if (p.type == CHAT_FETCH) {
        on_offer(a, &p, reply);
    } else if (p.type == CHAT_LIST) {
        on_listed(a, reply);
    } else {
        on_found(a, &p, reply);
    }
    done(a);
}

/* --- packets ------------------------------------------------------------------------------------------ */

/* The session is busy with it from now on. room "": it belongs to none. */
static struct ask *begin(struct hub_session *s, uint16_t channel, const uint8_t *data, size_t len,
                         const char *room)
{
    struct ask *a = calloc(1, sizeof *a + len);
    if (a == NULL) {
        hub_refuse(s, CHAT_REFUSED_FULL, channel, 0, "out of memory");
        return NULL;
    }
    a->spread = s->hub->spread;
    a->session = s;
    a->channel = channel;
    a->len = len;
    memcpy(a->data, data, len);
    memcpy(a->key, s->person->key, sizeof a->key);
    (void)memccpy(a->room, room, '\0', sizeof a->room);
    a->since = s->hub->now;
    s->ask = a;
    return a;
}

static void take_name(struct hub_session *s, const struct chat_packet *p, const uint8_t *data,
                      size_t len)
{
    char nick[CHAT_NAME_MAX + 1], skeleton[CHAT_NAME_MAX + 1];
    struct person *person = s->person;
    if (!name_take(p->nick, NAME_NICK, nick) || !name_skeleton(nick, skeleton)) {
        hub_refuse(s, CHAT_REFUSED_NICK, 0, 0, "that is not a name");
        return;
    }
    if (s->is_welcome && strcmp(nick, person->nick) == 0) {
        return;
    }
    if (s->is_welcome && !hub_may(s->hub, &person->names, HUB_RENAMES, HUB_RENAME_RATE)) {
        hub_refuse(s, CHAT_REFUSED_RATE, 0, 0, "too many names; wait a little");
        return;
    }
    struct ask *a = begin(s, CHAT_CONTROL, data, len, "");
    if (a != NULL) {
        memcpy(a->nick, nick, sizeof a->nick);
        put(a);
    }
}

/* JOIN and OPEN. */
static void take_join(struct hub_session *s, const struct chat_packet *p, const uint8_t *data,
                      size_t len)
{
    char name[CHAT_NAME_MAX + 1];
    if (p->type == CHAT_OPEN) {
        name_private(s->person->key, p->key, name);
    }
    if (p->type == CHAT_OPEN && memcmp(s->person->key, p->key, TERN_KEY_SIZE) == 0) {
        hub_refuse(s, CHAT_REFUSED_ROOM, 0, 0, "that is you");
        return;
    }
    if (p->type == CHAT_JOIN && !name_take(p->room, NAME_ROOM, name)) {
        hub_refuse(s, CHAT_REFUSED_ROOM, 0, 0, "not a name for a room");
        return;
    }
    struct room *room = hub_find_room(s->hub, name);
    struct member *m = room == NULL ? NULL : room_member(room, s->person);
    struct ask *a = m != NULL && hub_seat_in(s, m) != NULL
                        ? NULL /* it sits there already */
                        : begin(s, CHAT_CONTROL, data, len, name);
    if (a != NULL) {
        put(a);
    }
}

static void take_kick(struct hub_session *s, const struct chat_packet *p, const uint8_t *data,
                      size_t len)
{
    const struct seat *seat = session_seat(s, p->channel);
    if (seat == NULL || p->code > 2) {
        hub_refuse(s, CHAT_REFUSED_ROOM, p->channel, 0, "no such room");
    } else if (!hub_is_moderator(seat->member->room, s->person)) {
        hub_refuse(s, CHAT_REFUSED_RIGHT, p->channel, 0,
                   "only a moderator of the room may do that");
    } else {
        struct ask *a = begin(s, CHAT_CONTROL, data, len, seat->member->room->name);
        if (a != NULL) {
            put(a);
        }
    }
}

static void take_before(struct hub_session *s, const struct chat_packet *p, const uint8_t *data,
                        size_t len)
{
    const struct seat *seat = session_seat(s, p->channel);
    if (seat == NULL) {
        hub_refuse(s, CHAT_REFUSED_ROOM, p->channel, p->id, "no such room");
        return;
    }
    struct ask *a = begin(s, CHAT_CONTROL, data, len, seat->member->room->name);
    if (a != NULL) {
        put(a);
    }
}

static void take_question(struct hub_session *s, const struct chat_packet *p, const uint8_t *data,
                          size_t len)
{
    if (!hub_may_ask(s, p)) {
        return;
    }
    if (p->type == CHAT_JOIN || p->type == CHAT_OPEN) {
        take_join(s, p, data, len);
    } else if (p->type == CHAT_KICK) {
        take_kick(s, p, data, len);
    } else if (p->type == CHAT_BEFORE || p->type == CHAT_FETCH) {
        take_before(s, p, data, len);
    } else if (p->type == CHAT_SEARCH) {
        hub_refuse(s, CHAT_REFUSED_HISTORY, p->channel, p->id,
                   "the talk of this chat lies with a broker, which does not search");
    } else {
        struct ask *a = begin(s, CHAT_CONTROL, data, len, "");
        if (a != NULL) {
            put(a);
        }
    }
}

static void take_state(struct hub_session *s, uint8_t state)
{
    struct person *person = s->person;
    if (state == person->state) {
        return;
    }
    if (!hub_may(s->hub, &person->states, HUB_STATES, HUB_STATE_RATE)) {
        hub_refuse(s, CHAT_REFUSED_RATE, 0, 0, "away and back too often; wait a little");
        return;
    }
    spread_state(person, state);
}

/* Of an event that is in memory no more: for others nobody needs to be asked. */
static bool is_old_offer(const struct hub_session *s, const struct chat_packet *p)
{
    const struct seat *seat = p->type == CHAT_FETCH ? session_seat(s, p->channel) : NULL;
    return seat != NULL && p->seq < seat->member->room->log.first && s->hub->config.files > 0;
}

static bool take_control(struct hub_session *s, const struct chat_packet *p, const uint8_t *data,
                         size_t len)
{
    bool is_hello = p->type == CHAT_HELLO && p->version == CHAT_VERSION;
    if (is_hello || (p->type == CHAT_NICK && s->is_welcome)) {
        take_name(s, p, data, len);
    } else if (!s->is_welcome) {
        return false;
    } else if (p->type == CHAT_STATE) {
        take_state(s, p->code == CHAT_AWAY ? CHAT_AWAY : CHAT_HERE);
    } else if (p->type == CHAT_JOIN || p->type == CHAT_OPEN || p->type == CHAT_KICK ||
               p->type == CHAT_BEFORE || p->type == CHAT_SEARCH || p->type == CHAT_LIST ||
               is_old_offer(s, p)) {
        take_question(s, p, data, len);
    } else {
        return false;
    }
    return true;
}

static void take_room_packet(struct hub_session *s, struct seat *seat, const struct chat_packet *p,
                             const uint8_t *data, size_t len)
{
    struct member *m = seat->member;
    if (p->type == CHAT_SAY) {
        struct ask *a =
            hub_may_say(s, seat, p) ? begin(s, seat->channel, data, len, m->room->name) : NULL;
        if (a != NULL) {
            put(a);
        }
    } else if (p->type == CHAT_LEAVE) {
        room_rise(seat);
        spread_on_rise(m, "left");
    } else if (p->type == CHAT_READ && p->seq > m->read && p->seq < m->room->log.next) {
        m->read = p->seq;
        m->room->has_tales = true;
        hub_mark(m->room);
    } else if (p->type == CHAT_TYPE && m->is_typing != (p->code != 0)) {
        m->is_typing = p->code != 0;
        m->room->has_tales = true;
        hub_mark(m->room);
    }
}

void spread_tell_why(struct hub_session *s)
{
    struct chat_packet p = {0};
    if (s->ask != NULL && !s->ask->is_told && s->hub->now - s->ask->since >= PATIENCE) {
        s->ask->is_told = true;
        session_refuse(s, &p, CHAT_REFUSED_HISTORY, no_answer);
    }
}

bool spread_is_busy(const struct hub_session *s)
{
    return s->ask != NULL;
}

bool spread_receive(struct hub_session *s, uint16_t channel, const struct chat_packet *p,
                    const uint8_t *data, size_t len)
{
    if (s->ask != NULL) { /* it came with a goodbye */
        struct behind *b = malloc(sizeof *b + len);
        if (b != NULL) {
            *b = (struct behind){.channel = channel, .len = len};
            memcpy(b->data, data, len);
            *s->behind_tail = b;
            s->behind_tail = &b->next;
        }
        return true;
    }
    struct seat *seat = channel == CHAT_CONTROL ? NULL : session_seat(s, channel);
    bool is_taken = seat != NULL;
    s->is_in_call = true;
    if (channel == CHAT_CONTROL) {
        is_taken = take_control(s, p, data, len);
    } else if (seat != NULL) {
        take_room_packet(s, seat, p, data, len);
    }
    s->is_in_call = false;
    return is_taken;
}

static void go_on(struct hub_session *s)
{
    struct hub *hub = s->hub;
    if (s->is_in_call) { /* it could not even be asked: whoever gave us the packet has the next one */
        return;
    }
    while (s->ask == NULL && s->behind != NULL) {
        struct behind *b = s->behind;
        s->behind = b->next;
        s->behind_tail = s->behind == NULL ? &s->behind : s->behind_tail;
        hub_receive(s, b->channel, b->data, b->len, hub->now);
        free(b);
    }
    if (s->ask == NULL && s->is_leaving) {
        hub_finish(s, true, hub->now);
    } else if (s->ask == NULL && s->conn != NULL && hub->port.resume != NULL) {
        hub->port.resume(hub->port.user, s->conn);
    }
}

void spread_drop(struct hub_session *s)
{
    while (s->behind != NULL) {
        struct behind *b = s->behind;
        s->behind = b->next;
        free(b);
    }
    if (s->ask != NULL) {
        s->ask->session = NULL;
        s->ask = NULL;
    }
}

bool spread_lingers(struct hub_session *s, bool is_bye)
{
    if (!is_bye || s->ask == NULL) {
        spread_drop(s);
        return false;
    }
    s->conn = NULL;
    s->is_leaving = true;
    return true;
}
