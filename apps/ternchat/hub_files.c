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

struct hub_relay {
    struct hub *hub;
    uint64_t id, fetch;             /* ours, and the number that the fetcher gave it */
    struct hub_session *to, *from;  /* to NULL: it has left; from NULL: nobody has brought it yet */
    const struct person *by, *with; /* who offers, who fetches: both are members of the room */
    const struct room *room;
    unsigned asked; /* programs that have not answered */
    void *pump;     /* the port's; NULL: not yet */
    tern_time moved;
    struct hub_relay *next;
};

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
    if (by->person->sessions == NULL) {
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

static void ask(const struct hub_session *s, struct hub_relay *relay, uint64_t offer,
                uint64_t offset)
{
    struct chat_packet p = {.type = CHAT_WANTED, .id = relay->id, .offer = offer, .offset = offset};
    memcpy(p.key, s->person->key, sizeof p.key);
    for (struct hub_session *to = relay->by->sessions; to != NULL; to = to->next) {
        if (to->is_welcome) {
            relay->asked++;
            session_tell(to, &p);
        }
    }
    if (relay->asked == 0) {
        hub_relay_end(relay, CHAT_STOP_AWAY);
    }
}

void hub_on_fetch(struct hub_session *s, const struct chat_packet *p)
{
    struct hub *hub = s->hub;
    struct seat *seat = session_seat(s, p->channel);
    struct room *room = seat == NULL ? NULL : seat->member->room;
    struct offered offered;
    enum chat_refusal code = CHAT_REFUSED_FULL;
    if (hub->config.files == 0) {
        hub_refuse(s, CHAT_REFUSED_RIGHT, 0, p->id, "this server passes no files on");
        return;
    }
    if (room == NULL || is_fetching(s, p->id) || !find_offer(room, p->seq, &offered)) {
        hub_refuse(s, CHAT_REFUSED_ROOM, 0, p->id, "nothing is offered there");
        return;
    }
    const struct person *by = hub_find_person(hub, offered.key);
    const struct member *m = by == NULL ? NULL : room_member(room, by);
    const char *why = find_refusal(s, m, &code);
    struct hub_relay *relay = why == NULL ? calloc(1, sizeof *relay) : NULL;
    if (relay == NULL) {
        hub_refuse(s, code, 0, p->id, why == NULL ? "out of memory" : why);
        return;
    }
    *relay = (struct hub_relay){.hub = hub,
                                .id = ++hub->next_relay,
                                .fetch = p->id,
                                .to = s,
                                .by = by,
                                .with = s->person,
                                .room = room,
                                .moved = hub->now,
                                .next = hub->relays};
    hub->relays = relay;
    hub->relay_count++;
    ask(s, relay, offered.id, p->offset);
}

static struct hub_relay *waiting_for(const struct hub_session *from, uint64_t id)
{
    struct hub_relay *r = from->hub->relays;
    while (r != NULL && (r->id != id || r->from != NULL || r->by != from->person)) {
        r = r->next;
    }
    return r;
}

void hub_on_deny(struct hub_session *s, const struct chat_packet *p)
{
    struct hub_relay *relay = waiting_for(s, p->id);
    /* A program that never had the file leaves the word to the others. */
    if (relay != NULL && (--relay->asked == 0 || p->code != CHAT_STOP_GONE)) {
        hub_relay_end(relay, (enum chat_stop)p->code);
    }
}

struct hub_relay *hub_relay_begin(struct hub_session *from, uint64_t id, void *pump, tern_time now,
                                  void **to, uint64_t *fetch)
{
    struct hub_relay *relay = waiting_for(from, id);
    if (relay == NULL ||
        relay->to->conn == NULL) { /* it has said goodbye, and ends when it is heard out */
        return NULL;
    }
    relay->from = from;
    relay->pump = pump;
    relay->moved = now;
    *to = relay->to->conn;
    *fetch = relay->fetch;
    return relay;
}

void hub_relay_moved(struct hub_relay *relay, tern_time now)
{
    relay->moved = now;
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
        }
    }
}
