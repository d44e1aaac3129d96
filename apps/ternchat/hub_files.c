/* Files pass through the server from who offers them to who may have them: the members of the offer's room. The
 * hub decides who; the streams are its port's.
 *
 * A relay begins with a FETCH. All programs of the person who offers are WANTED, and the one that has the file
 * opens a stream; the others DENY. It ends with the file, with either side, with either's membership of the
 * room, or when nothing moves.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "ternchat/hub_parts.h"

#define WAIT (30 * TERN_SEC)  /* for the stream of who offers */
#define IDLE (120 * TERN_SEC) /* without a byte: longer than a connection outlives its network */

/* --- ends --------------------------------------------------------------------------------------------- */

static void drop(struct hub_relay *relay)
{
    struct hub_relay **at = &relay->hub->relays;
    while (*at != relay) {
        at = &(*at)->next;
    }
    *at = relay->next;
    relay->hub->relay_count--;
    free(relay);
}

void hub_relay_over(struct hub_relay *relay)
{
    if (relay->far != NULL) {
        spread_files_stop(relay, CHAT_STOP_CANCELLED);
    }
    drop(relay);
}

static void refuse(const struct hub_relay *relay, enum chat_stop why)
{
    static const struct {
        enum chat_stop why;
        enum chat_refusal code;
        const char *text;
    } words[] = {
        {CHAT_STOP_CANCELLED, CHAT_REFUSED_GONE, "who offers it has stopped it"},
        {CHAT_STOP_GONE, CHAT_REFUSED_GONE, "they do not offer it any more, or it is not there"},
        {CHAT_STOP_CHANGED, CHAT_REFUSED_GONE, "the file was changed since it was offered"},
        {CHAT_STOP_AWAY, CHAT_REFUSED_AWAY, "who offers it does not answer"},
        {CHAT_STOP_IDLE, CHAT_REFUSED_AWAY, "nothing of it has come for too long"},
        {CHAT_STOP_OUT, CHAT_REFUSED_ROOM, "you are not both in that room any more"},
        {CHAT_STOP_BUSY, CHAT_REFUSED_FULL, "too many files are on their way: it may come later"},
    };
    size_t i = 0;
    while (i < sizeof words / sizeof words[0] && words[i].why != why) {
        i++;
    }
    bool is_known = i < sizeof words / sizeof words[0];
    if (relay->to != NULL) {
        hub_refuse(relay->to, is_known ? words[i].code : CHAT_REFUSED_GONE, 0, relay->fetch,
                   is_known ? words[i].text : "it was not sent as it should be");
    }
}

void hub_relay_end(struct hub_relay *relay, enum chat_stop why)
{
    struct hub *hub = relay->hub;
    if (relay->pump != NULL) {
        hub->port.relay_end(hub->port.user, relay->pump, why);
    }
    refuse(relay, why);
    if (relay->far != NULL) {
        spread_files_stop(relay, why);
    }
    drop(relay);
}

/* --- beginnings --------------------------------------------------------------------------------------- */

struct offered {
    bool is_file;
    uint64_t id;
    uint8_t key[TERN_KEY_SIZE];
};

static bool take_offer(void *user, uint64_t seq, const uint8_t *packet, size_t len)
{
    struct offered *offered = user;
    struct chat_packet p;
    (void)seq;
    if (chat_decode(&p, packet, len) && p.type == CHAT_EVENT && p.kind == CHAT_KIND_FILE) {
        offered->is_file = true;
        offered->id = p.id;
        memcpy(offered->key, p.key, sizeof offered->key);
    }
    return false;
}

/* What was said under that number, if it was an offer. */
static bool find_offer(struct room *room, uint64_t seq, struct offered *out)
{
    const struct log_event *event = log_find(&room->log, seq);
    out->is_file = false;
    if (event != NULL) {
        (void)take_offer(out, seq, event->packet, event->len);
    } else if (room->stored != 0 && seq < room->log.next &&
               store_replay(room->hub->store, room->stored, seq, seq + 1, take_offer, out) < 0) {
        hub_on_store_failure(room->hub);
    }
    return out->is_file;
}

static unsigned count_of(const struct hub *hub, const struct person *person, bool is_by)
{
    unsigned count = 0;
    for (const struct hub_relay *r = hub->relays; r != NULL; r = r->next) {
        count += (is_by ? r->by : r->with) == person ? 1 : 0;
    }
    return count;
}

static bool is_fetching(const struct hub_session *s, uint64_t fetch)
{
    const struct hub_relay *r = s->hub->relays;
    while (r != NULL && (r->to != s || r->fetch != fetch)) {
        r = r->next;
    }
    return r != NULL;
}

/* NULL: it may be had of that member. */
static const char *find_refusal(const struct hub_session *s, const struct member *by,
                                enum chat_refusal *code)
{
    const struct hub *hub = s->hub;
    *code = CHAT_REFUSED_AWAY;
    if (by == NULL) { /* after a restart of ours they may not be back yet */
        return "who offered it is not in that room now";
    }
    if (by->person->sessions == NULL && by->elsewhere == NULL) {
        return "who offers it is not connected now";
    }
    *code = CHAT_REFUSED_FULL;
    if (count_of(hub, s->person, false) >= HUB_FETCHES) {
        return "too many files are on their way to you";
    }
    if (count_of(hub, by->person, true) >= HUB_GIVES || hub->relay_count >= hub->config.files) {
        return "too many files are on their way: it may come later";
    }
    return NULL;
}

static struct hub_relay *add(struct hub *hub, const struct member *by, uint64_t fetch,
                             struct hub_session *to)
{
    struct hub_relay *relay = calloc(1, sizeof *relay);
    if (relay != NULL) {
        *relay = (struct hub_relay){.hub = hub,
                                    .id = ++hub->next_relay,
                                    .fetch = fetch,
                                    .to = to,
                                    .by = by->person,
                                    .with = to == NULL ? NULL : to->person,
                                    .room = by->room,
                                    .moved = hub->now,
                                    .next = hub->relays};
        hub->relays = relay;
        hub->relay_count++;
    }
    return relay;
}

/* Their programs here. */
static void ask(struct hub_relay *relay, const uint8_t with[TERN_KEY_SIZE], uint64_t offer,
                uint64_t offset)
{
    struct chat_packet p = {.type = CHAT_WANTED, .id = relay->id, .offer = offer, .offset = offset};
    memcpy(p.key, with, sizeof p.key);
    for (struct hub_session *to = relay->by->sessions; to != NULL; to = to->next) {
        if (to->is_welcome) {
            relay->asked++;
            session_tell(to, &p);
        }
    }
}

static void fetch(struct hub_session *s, const struct chat_packet *p, const struct room *room,
                  const struct offered *offered)
{
    struct hub *hub = s->hub;
    enum chat_refusal code = CHAT_REFUSED_FULL;
    const struct person *by = hub_find_person(hub, offered->key);
    const struct member *m = by == NULL ? NULL : room_member(room, by);
    const char *why = find_refusal(s, m, &code);
    struct hub_relay *relay = why == NULL ? add(hub, m, p->id, s) : NULL;
    if (relay == NULL) {
        hub_refuse(s, code, 0, p->id, why == NULL ? "out of memory" : why);
        return;
    }
    ask(relay, s->person->key, offered->id, p->offset);
    if (m->elsewhere != NULL) {
        relay->asked += spread_files_ask(relay, m, offered->id, p->offset);
    }
    if (relay->asked == 0) {
        hub_relay_end(relay, CHAT_STOP_AWAY);
    }
}

void hub_on_fetch(struct hub_session *s, const struct chat_packet *p)
{
    struct seat *seat = session_seat(s, p->channel);
    struct room *room = seat == NULL ? NULL : seat->member->room;
    struct offered offered;
    if (s->hub->config.files == 0) {
        hub_refuse(s, CHAT_REFUSED_RIGHT, 0, p->id, "this server passes no files on");
    } else if (room == NULL || is_fetching(s, p->id) || !find_offer(room, p->seq, &offered)) {
        hub_refuse(s, CHAT_REFUSED_ROOM, 0, p->id, "nothing is offered there");
    } else {
        fetch(s, p, room, &offered);
    }
}

void hub_on_fetch_of(struct hub_session *s, const struct chat_packet *p, const uint8_t *event,
                     size_t len)
{
    const struct seat *seat = session_seat(s, p->channel);
    struct offered offered = {.is_file = false};
    if (len > 0) {
        (void)take_offer(&offered, p->seq, event, len);
    }
    if (seat == NULL || is_fetching(s, p->id) || !offered.is_file) {
        hub_refuse(s, CHAT_REFUSED_ROOM, 0, p->id, "nothing is offered there");
    } else {
        fetch(s, p, seat->member->room, &offered);
    }
}

bool hub_relay_for(struct hub *hub, struct member *by, const uint8_t with[TERN_KEY_SIZE],
                   uint64_t offer, uint64_t offset, struct far *far, enum chat_stop *why)
{
    *why = CHAT_STOP_BUSY;
    bool is_full =
        hub->relay_count >= hub->config.files || count_of(hub, by->person, true) >= HUB_GIVES;
    struct hub_relay *relay = is_full ? NULL : add(hub, by, 0, NULL);
    if (relay == NULL) {
        return false;
    }
    ask(relay, with, offer, offset);
    if (relay->asked == 0) {
        *why = CHAT_STOP_AWAY;
        drop(relay);
        return false;
    }
    relay->far = far;
    return true;
}

struct hub_relay *hub_relay_find(struct hub *hub, uint64_t id)
{
    struct hub_relay *r = hub->relays;
    while (r != NULL && r->id != id) {
        r = r->next;
    }
    return r;
}

static struct hub_relay *waiting_for(const struct hub_session *from, uint64_t id)
{
    struct hub_relay *r = from->hub->relays;
    while (r != NULL &&
           (r->id != id || r->from != NULL || r->pump != NULL || r->by != from->person)) {
        r = r->next;
    }
    return r;
}

void hub_on_deny(struct hub_session *s, const struct chat_packet *p)
{
    struct hub_relay *relay = waiting_for(s, p->id);
    if (relay != NULL) {
        hub_relay_denied(relay, (enum chat_stop)p->code);
    }
}

/* A program that never had the file leaves the word to the others. */
void hub_relay_denied(struct hub_relay *relay, enum chat_stop why)
{
    if (--relay->asked == 0 || why != CHAT_STOP_GONE) {
        hub_relay_end(relay, why);
    }
}

struct hub_relay *hub_relay_begin(struct hub_session *from, uint64_t id, void *pump, tern_time now,
                                  void **to, uint64_t *fetch)
{
    struct hub_relay *relay = waiting_for(from, id);
    if (relay == NULL || (relay->to != NULL && relay->to->conn == NULL)) {
        return NULL; /* it has said goodbye, and ends when it is heard out */
    }
    relay->from = from;
    relay->pump = pump;
    relay->moved = now;
    *to = relay->to == NULL ? NULL : relay->to->conn;
    *fetch = relay->fetch;
    return relay;
}

void hub_relay_moved(struct hub_relay *relay, tern_time now)
{
    relay->moved = now;
}

size_t hub_relay_pass(struct hub_relay *relay, const uint8_t *data, size_t len)
{
    return relay->far == NULL ? 0 : spread_files_give(relay, data, len);
}

void hub_relay_took(struct hub_relay *relay, size_t len)
{
    if (relay->far != NULL) {
        spread_files_took(relay, len);
    }
}

/* --- what ends them ----------------------------------------------------------------------------------- */

void hub_files_on_left(struct hub_session *s)
{
    struct hub_relay *next;
    for (struct hub_relay *r = s->hub->relays; r != NULL; r = next) {
        next = r->next;
        bool is_its = r->to == s || r->from == s;
        r->to = r->to == s ? NULL : r->to;
        if (is_its) {
            hub_relay_end(r, CHAT_STOP_AWAY);
        }
    }
}

void hub_files_on_exit(const struct member *m)
{
    struct hub_relay *next;
    for (struct hub_relay *r = m->room->hub->relays; r != NULL; r = next) {
        next = r->next;
        if (r->room == m->room && (r->by == m->person || r->with == m->person)) {
            hub_relay_end(r, CHAT_STOP_OUT);
        }
    }
}

void hub_files_tick(struct hub *hub, tern_time now)
{
    struct hub_relay *next;
    for (struct hub_relay *r = hub->relays; r != NULL; r = next) {
        next = r->next;
        if (now - r->moved >= (r->pump == NULL ? WAIT : IDLE)) {
            hub_relay_end(r, r->pump == NULL ? CHAT_STOP_AWAY : CHAT_STOP_IDLE);
        } else if (r->far != NULL && spread_files_is_gone(r)) {
            hub_relay_end(r, CHAT_STOP_AWAY);
        }
    }
}
