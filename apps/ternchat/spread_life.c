/* The life of a server among others: its number, its lease, and what all of them hear.
 * SPDX-License-Identifier: MIT */
#include <ev.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ternchat/spread_parts.h"

#define BEAT    (3 * TERN_SEC)  /* broker.lua believes in us for 15 s after each */
#define SILENCE (12 * TERN_SEC) /* nothing was heard, not even our own beats */
#define ONLINE  1000            /* persons in one question */

void spread_question(struct broker_question *q, const char *operation)
{
    q->count = 0;
    broker_text(q, operation);
}

static void on_nothing(void *user, const redisReply *reply)
{
    (void)user;
    (void)reply;
}

void spread_tell(struct spread *spread, const struct broker_question *q, bool is_patient)
{
    (void)broker_ask(spread->broker, spread->id, q, is_patient, on_nothing, NULL);
}

/* --- guests ------------------------------------------------------------------------------------------- */

bool spread_is_guest(const struct spread *spread, const uint8_t key[TERN_KEY_SIZE])
{
    for (size_t i = 0; i < spread->guest_count; i++) {
        if (sodium_memcmp(spread->guests[i], key, TERN_KEY_SIZE) == 0) {
            return true;
        }
    }
    return false;
}

static void take_guest(struct spread *spread, const uint8_t key[TERN_KEY_SIZE])
{
    void *more = spread_is_guest(spread, key)
                     ? NULL
                     : realloc(spread->guests, (spread->guest_count + 1) * sizeof *spread->guests);
    if (more != NULL) {
        spread->guests = more;
        memcpy(spread->guests[spread->guest_count++], key, TERN_KEY_SIZE);
    }
}

void spread_add_guest(struct spread *spread, const uint8_t key[TERN_KEY_SIZE])
{
    struct broker_question q;
    take_guest(spread, key);
    spread_question(&q, "guest");
    broker_word(&q, key, TERN_KEY_SIZE);
    spread_tell(spread, &q, true);
}

static void take_guests(struct spread *spread, const redisReply *list)
{
    uint8_t key[TERN_KEY_SIZE];
    if (list == NULL) {
        return;
    }
    spread->guest_count = 0;
    for (size_t i = 0; spread_at(list, i) != NULL; i++) {
        if (spread_key(list->element[i], key)) {
            take_guest(spread, key);
        }
    }
}

/* A question about one of our numbers: by the time of its answer there may be another. */
struct about {
    struct spread *spread;
    uint8_t id[BROKER_ID];
};

static bool ask_about(struct spread *spread, const uint8_t id[BROKER_ID], const char *operation,
                      broker_answer *answer)
{
    struct broker_question q;
    struct about *about = calloc(1, sizeof *about);
    if (about == NULL) {
        return false;
    }
    about->spread = spread;
    memcpy(about->id, id, BROKER_ID);
    spread_question(&q, operation);
    if (!broker_ask(spread->broker, id, &q, false, answer, about)) {
        free(about);
        return false;
    }
    return true;
}

/* --- coming and going --------------------------------------------------------------------------------- */

static void on_begun(void *user, const redisReply *reply)
{
    struct spread *spread = user;
    if (!spread->is_ending && spread_is_ok(reply)) {
        take_guests(spread, spread_at(reply, 1));
    }
}

static void end_server(struct spread *spread, const uint8_t id[BROKER_ID]);

static void on_ended(void *user, const redisReply *reply)
{
    struct about *about = user;
    if (!about->spread->is_ending && spread_is(reply, "more")) {
        end_server(about->spread, about->id);
    }
    free(about);
}

static void end_server(struct spread *spread, const uint8_t id[BROKER_ID])
{
    (void)ask_about(spread, id, "end", on_ended); /* else its lease ends it */
}

static void tell_online(struct spread *spread)
{
    struct broker_question q;
    spread_question(&q, "online");
    for (struct person *p = spread->hub->persons; p != NULL; p = p->next) {
        if (spread_is_online(p)) {
            broker_word(&q, p->key, TERN_KEY_SIZE);
            broker_text(&q, p->state == CHAT_AWAY ? "1" : "0");
        }
        if (q.count > 2 * ONLINE) {
            spread_tell(spread, &q, false);
            spread_question(&q, "online");
        }
    }
    if (q.count > 1) {
        spread_tell(spread, &q, false);
    }
}

/* What only we are told, under our number. */
static void listen_to_own(struct spread *spread, const uint8_t *before)
{
    char channel[SPREAD_TO_SIZE];
    if (before != NULL) {
        spread_files_channel(before, channel);
        broker_unlisten(spread->broker, channel);
    }
    spread_files_channel(spread->id, channel);
    /* Without it files of other servers do not come. */
    (void)broker_listen(spread->broker, channel);
}

/* What we knew under the number before is told once more, under a new one; then the one before ends. */
static void on_up(void *user)
{
    struct spread *spread = user;
    struct broker_question q;
    uint8_t before[BROKER_ID];
    bool had_id = spread->has_id;
    memcpy(before, spread->id, BROKER_ID);
    spread_files_lost(spread);
    randombytes_buf(spread->id, BROKER_ID);
    spread->has_id = true;
    listen_to_own(spread, had_id ? before : NULL);
    spread->beaten = spread->hub->now;
    spread_question(&q, "begin");
    (void)broker_ask(spread->broker, spread->id, &q, false, on_begun, spread);
    for (struct room *room = spread->hub->rooms; room != NULL; room = room->next) {
        room->is_looking = false; /* that look, if there was one, ended with its connection */
        spread_look(room);
    }
    tell_online(spread);
    if (had_id) {
        end_server(spread, before);
    }
    if (spread->is_told) {
        spread->is_told = false;
        hub_note(spread->hub, "broker-back", NULL, "the broker is there again");
    }
}

static void on_down(void *user, const char *why)
{
    struct spread *spread = user;
    spread->is_told = true;
    hub_note(spread->hub, "broker-lost", NULL, why);
}

static void on_beaten(void *user, const redisReply *reply)
{
    struct about *about = user;
    struct spread *spread = about->spread;
    bool is_now = !spread->is_ending && memcmp(about->id, spread->id, BROKER_ID) == 0;
    free(about);
    if (is_now && spread_is_ok(reply)) {
        take_guests(spread, spread_at(reply, 1));
    } else if (is_now &&
               spread_is(reply, "stale")) { /* we slept too long, or it has lost its memory */
        broker_renew(spread->broker);
    }
}

/* --- what all hear ------------------------------------------------------------------------------------ */

static void call_person(struct spread *spread, const uint8_t *data, size_t len)
{
    size_t front = 2 * TERN_KEY_SIZE + 8 + 1;
    size_t nick = len < front ? 0 : data[front - 1];
    char name[CHAT_NAME_MAX + 1];
    if (len < front + nick || len - front - nick > CHAT_NAME_MAX) {
        return;
    }
    size_t name_len = len - front - nick;
    memcpy(name, data + front + nick, name_len);
    name[name_len] = '\0';
    const struct person *person = hub_find_person(spread->hub, data);
    struct room *room = hub_find_room(spread->hub, name);
    const struct member *m = person == NULL || room == NULL ? NULL : room_member(room, person);
    struct chat_packet p = {.type = CHAT_CALLED, .nick = {data + front, nick}};
    memcpy(p.key, data + TERN_KEY_SIZE, TERN_KEY_SIZE);
    for (int i = 0; i < 8; i++) {
        p.seq = p.seq << 8 | data[2 * TERN_KEY_SIZE + i];
    }
    for (struct hub_session *s = person == NULL ? NULL : person->sessions; s != NULL; s = s->next) {
        if (s->is_welcome && (m == NULL || hub_seat_in(s, m) == NULL)) {
            session_tell(s, &p);
        }
    }
}

static void on_online(struct spread *spread, const uint8_t *data, size_t len)
{
    struct person *person =
        len == BROKER_ID + TERN_KEY_SIZE + 1 && memcmp(data, spread->id, BROKER_ID) != 0
            ? hub_find_person(spread->hub, data + BROKER_ID)
            : NULL;
    for (struct member *m = person == NULL ? NULL : person->members; m != NULL;
         m = m->next_of_person) {
        if ((m->room->flags & CHAT_FLAG_PRIVATE) != 0) {
            m->room->has_moved = true;
            spread_set_elsewhere(m, data, (uint8_t)(data[len - 1] - '0'));
        }
    }
}

/* They said so at one of the servers; each tells of its own seats. */
static void take_state(struct person *person, uint8_t state)
{
    struct spread *spread = person->members == NULL ? NULL : person->members->room->hub->spread;
    struct broker_question q;
    const char *word = state == CHAT_AWAY ? "1" : "0";
    person->state = state;
    for (struct member *m = person->members; m != NULL; m = m->next_of_person) {
        spread_merge(m);
        if (m->seats != NULL && (m->room->flags & CHAT_FLAG_PRIVATE) == 0) {
            spread_question(&q, "move");
            broker_text(&q, m->room->name);
            broker_word(&q, person->key, TERN_KEY_SIZE);
            broker_text(&q, word);
            spread_tell(spread, &q, false);
        }
    }
    if (spread != NULL && spread_is_online(person)) {
        spread_question(&q, "online");
        broker_word(&q, person->key, TERN_KEY_SIZE);
        broker_text(&q, word);
        spread_tell(spread, &q, false);
    }
}

void spread_state(struct person *person, uint8_t state)
{
    struct spread *spread = person->sessions->hub->spread;
    struct broker_question q;
    spread_question(&q, "state");
    broker_word(&q, person->key, TERN_KEY_SIZE);
    broker_text(&q, state == CHAT_AWAY ? "1" : "0");
    spread_tell(spread, &q, false);
    take_state(person, state);
}

static void on_all(struct spread *spread, const uint8_t *data, size_t len)
{
    if (data[0] == 'C') {
        call_person(spread, data + 1, len - 1);
    } else if (data[0] == 'O') {
        on_online(spread, data + 1, len - 1);
    } else if (data[0] == 'T' && len == 1 + TERN_KEY_SIZE + 1) {
        struct person *person = hub_find_person(spread->hub, data + 1);
        uint8_t state = data[len - 1] == '1' ? CHAT_AWAY : CHAT_HERE;
        if (person != NULL && person->sessions != NULL && person->state != state) {
            take_state(person, state);
        }
    } else if (data[0] == 'G' && len == 1 + TERN_KEY_SIZE) {
        take_guest(spread, data + 1);
    }
}

static void on_heard(void *user, const char *channel, const uint8_t *data, size_t len)
{
    struct spread *spread = user;
    spread->heard = spread->hub->now;
    if (len == 0 || spread->is_ending) {
        return;
    }
    if (strcmp(channel, "all") == 0) {
        on_all(spread, data, len);
        return;
    }
    if (strncmp(channel, "to:", 3) == 0) {
        spread_files_on_heard(spread, data, len);
        return;
    }
    struct room *room =
        strncmp(channel, "room:", 5) == 0 ? hub_find_room(spread->hub, channel + 5) : NULL;
    if (room == NULL) {
        return;
    }
    if (data[0] == 'E') {
        spread_on_event(room, data + 1, len - 1);
    } else if (data[0] == 'P') {
        spread_on_place(room, data + 1, len - 1);
    } else if (data[0] == 'S') {
        spread_on_tale(room, data + 1, len - 1);
    }
}

static void on_listening(void *user, const char *channel)
{
    struct spread *spread = user;
    struct room *room =
        strncmp(channel, "room:", 5) == 0 ? hub_find_room(spread->hub, channel + 5) : NULL;
    spread->heard = spread->hub->now;
    if (room != NULL) {
        spread_look(room);
    } else if (strncmp(channel, "to:", 3) == 0) {
        spread_files_lost(spread);
    }
}

static void on_done(void *user)
{
    struct spread *spread = user;
    if (!spread->is_ending) {
        spread_settle(spread);
        if (spread->hub->port.resume != NULL) {
            spread->hub->port.resume(spread->hub->port.user, NULL);
        }
    }
}

/* --- who goes ----------------------------------------------------------------------------------------- */

void spread_on_rise(struct member *m, const char *why)
{
    struct room *room = m->room;
    struct broker_question q;
    if (m->seats != NULL) {
        return;
    }
    if ((room->flags & CHAT_FLAG_PRIVATE) == 0 && !m->is_expelled) {
        spread_question(&q, "rise");
        broker_text(&q, room->name);
        broker_word(&q, m->person->key, TERN_KEY_SIZE);
        broker_text(&q, why);
        spread_tell(room->hub->spread, &q, true);
    }
    m->is_typing = false;
    if (m->is_expelled) {
        room_exit(m); /* its person has a session still, or is forgotten with it */
        hub_mark(room);
    } else {
        spread_merge(m);
    }
    spread_suspect(room);
}

void spread_on_gone(struct hub *hub, struct person *person)
{
    struct broker_question q;
    for (struct member *m = person->members; m != NULL; m = m->next_of_person) {
        spread_merge(m);
    }
    if (!spread_is_online(person)) {
        spread_question(&q, "online");
        broker_word(&q, person->key, TERN_KEY_SIZE);
        broker_text(&q, "2");
        spread_tell(hub->spread, &q, true);
    }
}

/* --- time --------------------------------------------------------------------------------------------- */

static void tell_tales(struct room *room)
{
    uint8_t blob[CHAT_BODY_MAX];
    size_t used = 0;
    struct broker_question q;
    for (const struct member *m = room->members; m != NULL; m = m->next_in_room) {
        struct chat_status s = {.is_typing = m->is_typing,
                                .read = room->member_count <= 16 ? m->read : 0};
        if (m->seats != NULL && (s.is_typing || s.read != 0)) {
            memcpy(s.key, m->person->key, sizeof s.key);
            used += chat_status_encode(&s, blob + used, sizeof blob - used);
        }
    }
    spread_question(&q, "tell");
    broker_text(&q, room->name);
    broker_word(&q, blob, used);
    spread_tell(room->hub->spread, &q, false);
}

void spread_tick(struct spread *spread, tern_time now)
{
    for (struct room *room = spread->hub->news; room != NULL; room = room->next_news) {
        if (room->has_tales) {
            room->has_tales = false;
            tell_tales(room);
        }
    }
    if (now - spread->beaten < BEAT || !spread->has_id) {
        return;
    }
    spread->beaten = now;
    (void)ask_about(spread, spread->id, "beat", on_beaten);
    if (spread->heard != 0 && now - spread->heard > SILENCE) {
        spread->heard = now;
        broker_on_silence(spread->broker);
    }
    for (struct person *p = spread->is_told ? spread->hub->persons : NULL; p != NULL; p = p->next) {
        for (struct hub_session *s = p->sessions; s != NULL; s = s->next) {
            spread_tell_why(s);
        }
    }
    for (struct room *room = spread->hub->rooms; room != NULL; room = room->next) {
        if (room->is_blind || room->waiting != NULL) {
            spread_look(room);
        }
    }
    spread_settle(spread);
}

/* --- birth and death ---------------------------------------------------------------------------------- */

struct spread *spread_new(struct hub *hub, struct ev_loop *loop, const char *url, uint64_t age,
                          char why[HUB_WHY_SIZE])
{
    struct broker_url parsed;
    struct spread *spread = calloc(1, sizeof *spread);
    if (spread == NULL) {
        (void)snprintf(why, HUB_WHY_SIZE, "out of memory");
        return NULL;
    }
    struct broker_front front = {.user = spread,
                                 .on_up = on_up,
                                 .on_down = on_down,
                                 .on_listening = on_listening,
                                 .on_heard = on_heard,
                                 .on_done = on_done};
    spread->hub = hub;
    if (!broker_url_parse(&parsed, url, why) ||
        (spread->broker = broker_new(loop, &parsed, &front, age, why)) == NULL) {
        free(spread);
        return NULL;
    }
    sodium_memzero(&parsed, sizeof parsed);
    if (!broker_listen(spread->broker, "all")) {
        (void)snprintf(why, HUB_WHY_SIZE, "out of memory");
        spread_free(spread);
        return NULL;
    }
    return spread;
}

void spread_free(struct spread *spread)
{
    if (spread == NULL) {
        return;
    }
    spread->is_ending = true;
    spread_files_free(spread);
    for (struct person *p = spread->hub->persons; p != NULL; p = p->next) {
        for (struct hub_session *s = p->sessions; s != NULL; s = s->next) {
            spread_drop(s);
        }
    }
    for (struct room *room = spread->hub->rooms; room != NULL; room = room->next) {
        while (room->waiting != NULL) {
            struct ask *a = room->waiting;
            room->waiting = a->next_waiting;
            free(a);
        }
    }
    broker_free(spread->broker);
    free(spread->guests);
    free(spread);
}

static void on_late(struct ev_loop *loop, struct ev_timer *timer, int events)
{
    bool *is_late = timer->data;
    (void)loop;
    (void)events;
    *is_late = true;
}

void spread_end(struct spread *spread, struct ev_loop *loop)
{
    bool is_late = false;
    struct ev_timer timer;
    if (!spread->has_id) {
        return;
    }
    ev_timer_init(&timer, on_late, 1.0, 0);
    timer.data = &is_late;
    ev_timer_start(loop, &timer);
    end_server(spread, spread->id);
    while (!is_late && !broker_is_idle(spread->broker)) {
        (void)ev_run(loop, EVRUN_ONCE);
    }
    ev_timer_stop(loop, &timer);
}
