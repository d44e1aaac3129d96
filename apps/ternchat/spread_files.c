/* Files between two servers: the bytes go through Redis in pieces, to the channel of the one server that wants
 * them, and no more than a window of them at a time, so that words do not wait behind them.
 *
 * A message begins with its type, the number of the server that it is from, and the number of the relay at the
 * server of who fetches. What a lost connection to Redis may have swallowed ends the relay; the client that
 * fetches asks again, from where it is.
 * SPDX-License-Identifier: MIT */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ternchat/spread_parts.h"

#define PIECE ((size_t)32 * 1024)
#define FRONT (1 + BROKER_ID + 8)
#define WANT  (2 * TERN_KEY_SIZE + 16) /* who offers, who fetches, the offer, where to begin */

/* The other half of a relay. */
struct far {
    uint8_t server[BROKER_ID];
    uint64_t number; /* of the relay at the server of who fetches */
    bool is_giving;  /* we are the server of who offers */
    uint64_t passed; /* bytes */
    uint64_t may;    /* they may become */
    uint64_t left;   /* fetching: of them, on their way to the client */
};

uint64_t spread_u64(const uint8_t *data)
{
    uint64_t n = 0;
    for (int i = 0; i < 8; i++) {
        n = n << 8 | data[i];
    }
    return n;
}

void spread_put_u64(uint64_t n, uint8_t *out)
{
    for (int i = 0; i < 8; i++) {
        out[i] = (uint8_t)(n >> (56 - 8 * i));
    }
}

void spread_files_channel(const uint8_t server[BROKER_ID], char out[SPREAD_TO_SIZE])
{
    memcpy(out, "to:", 3);
    (void)sodium_bin2hex(out + 3, SPREAD_TO_SIZE - 3, server, BROKER_ID);
}

/* --- telling ------------------------------------------------------------------------------------------ */

/* Of which relay of ours a message was. */
struct passing {
    struct spread *spread;
    uint64_t relay;
};

static void on_passed(void *user, const redisReply *reply)
{
    struct passing *passing = user;
    struct hub *hub = passing->spread->hub;
    struct hub_relay *relay = passing->spread->is_ending || spread_is_ok(reply)
                                  ? NULL
                                  : hub_relay_find(hub, passing->relay);
    free(passing);
    if (relay != NULL && relay->far != NULL) { /* that server is not there, or Redis is not */
        hub_relay_end(relay, CHAT_STOP_AWAY);
    } else if (relay != NULL && relay->pump == NULL) { /* others that were asked may have it */
        hub_relay_denied(relay, relay->asked > 1 ? CHAT_STOP_GONE : CHAT_STOP_AWAY);
    }
}

/* `what` and `data` behind the front. relay: ours that it is of; 0: what becomes of it does not matter. */
static bool pass(struct spread *spread, char type, const struct far *to, uint64_t relay,
                 const uint8_t *what, size_t what_len, const uint8_t *data, size_t len)
{
    struct broker_question q;
    char channel[SPREAD_TO_SIZE];
    size_t size = FRONT + what_len + len;
    struct passing *passing = calloc(1, sizeof *passing);
    uint8_t *message = malloc(size);
    bool is_asked = false;
    if (passing != NULL && message != NULL) {
        *passing = (struct passing){spread, relay};
        message[0] = (uint8_t)type;
        memcpy(message + 1, spread->id, BROKER_ID);
        spread_put_u64(to->number, message + 1 + BROKER_ID);
        if (what_len > 0) {
            memcpy(message + FRONT, what, what_len);
        }
        if (len > 0) {
            memcpy(message + FRONT + what_len, data, len);
        }
        spread_files_channel(to->server, channel);
        spread_question(&q, "pass");
        broker_text(&q, channel);
        broker_word(&q, message, size);
        is_asked = broker_ask(spread->broker, spread->id, &q, false, on_passed, passing);
    }
    free(message);
    if (!is_asked) {
        free(passing);
    }
    return is_asked;
}

/* That it does not come ('N'), or is not wanted any more ('X'). */
static void pass_no(struct spread *spread, char type, const struct far *to, enum chat_stop why)
{
    uint8_t code = (uint8_t)why;
    (void)pass(spread, type, to, 0, &code, 1, NULL, 0);
}

/* --- who fetches -------------------------------------------------------------------------------------- */

unsigned spread_files_ask(const struct hub_relay *relay, const struct member *by, uint64_t offer,
                          uint64_t offset)
{
    uint8_t want[WANT];
    unsigned count = 0;
    memcpy(want, by->person->key, TERN_KEY_SIZE);
    memcpy(want + TERN_KEY_SIZE, relay->with->key, TERN_KEY_SIZE);
    spread_put_u64(offer, want + 2 * TERN_KEY_SIZE);
    spread_put_u64(offset, want + 2 * TERN_KEY_SIZE + 8);
    for (const struct elsewhere *e = by->elsewhere; e != NULL; e = e->next) {
        struct far to = {.number = relay->id};
        memcpy(to.server, e->server, BROKER_ID);
        count += pass(relay->hub->spread, 'W', &to, relay->id, want, sizeof want,
                      (const uint8_t *)by->room->name, strlen(by->room->name))
                     ? 1
                     : 0;
    }
    return count;
}

void spread_files_took(struct hub_relay *relay, size_t len)
{
    struct far *far = relay->far;
    uint8_t may[8];
    far->left += len;
    if (far->left + HUB_FAR_WINDOW - far->may >= HUB_FAR_WINDOW / 4) {
        far->may = far->left + HUB_FAR_WINDOW;
        spread_put_u64(far->may, may);
        (void)pass(relay->hub->spread, 'M', far, relay->id, may, sizeof may, NULL, 0);
    }
}

/* The first of it. False: it cannot be had. */
static bool open_pump(struct hub_relay *relay, const struct far *from)
{
    const struct hub_port *port = &relay->hub->port;
    relay->far = malloc(sizeof *relay->far);
    if (relay->far == NULL || port->relay_open == NULL) {
        return false;
    }
    *relay->far = *from;
    relay->far->may = HUB_FAR_WINDOW;
    relay->pump = port->relay_open(port->user, relay->to->conn, relay, relay->fetch);
    return relay->pump != NULL;
}

/* A piece; is_end: there are no more. */
static void take(struct spread *spread, const struct far *from, uint64_t place, const uint8_t *data,
                 size_t len, bool is_end)
{
    struct hub_relay *relay = hub_relay_find(spread->hub, from->number);
    const struct hub_port *port = &spread->hub->port;
    bool is_first = relay != NULL && relay->pump == NULL && relay->far == NULL;
    bool is_its = relay != NULL && relay->far != NULL && !relay->far->is_giving &&
                  memcmp(relay->far->server, from->server, BROKER_ID) == 0;
    if ((!is_first && !is_its) || relay->to == NULL || relay->to->conn == NULL) {
        pass_no(spread, 'X', from, CHAT_STOP_CANCELLED);
    } else if (is_first && !open_pump(relay, from)) {
        hub_relay_end(relay, CHAT_STOP_BUSY);
    } else if (place != relay->far->passed) { /* something was missed */
        hub_relay_end(relay, CHAT_STOP_AWAY);
    } else {
        relay->far->passed += len;
        hub_relay_moved(relay, spread->hub->now);
        if (is_end) {
            free(relay->far);
            relay->far = NULL;
        }
        if ((len > 0 || is_end) && !port->relay_take(port->user, relay->pump, data, len)) {
            hub_relay_end(relay, CHAT_STOP_BAD);
        }
    }
}

/* It does not come, or comes no further. */
static void on_no(struct spread *spread, const struct far *from, enum chat_stop why)
{
    struct hub_relay *relay = hub_relay_find(spread->hub, from->number);
    if (relay != NULL && relay->pump == NULL && relay->far == NULL && relay->to != NULL) {
        hub_relay_denied(relay, why);
    } else if (relay != NULL && relay->far != NULL && !relay->far->is_giving &&
               memcmp(relay->far->server, from->server, BROKER_ID) == 0) {
        free(relay->far);
        relay->far = NULL;
        hub_relay_end(relay, why);
    }
}

bool spread_files_is_gone(const struct hub_relay *relay)
{
    const struct member *m = relay->far->is_giving ? NULL : room_member(relay->room, relay->by);
    const struct elsewhere *e = m == NULL ? NULL : m->elsewhere;
    while (e != NULL && memcmp(e->server, relay->far->server, BROKER_ID) != 0) {
        e = e->next;
    }
    return !relay->far->is_giving && e == NULL;
}

/* --- who offers --------------------------------------------------------------------------------------- */

static struct hub_relay *giving_to(const struct spread *spread, const struct far *to)
{
    struct hub_relay *r = spread->hub->relays;
    while (r != NULL && (r->far == NULL || !r->far->is_giving || r->far->number != to->number ||
                         memcmp(r->far->server, to->server, BROKER_ID) != 0)) {
        r = r->next;
    }
    return r;
}

static void on_want(struct spread *spread, const struct far *from, const uint8_t *data, size_t len)
{
    char name[CHAT_NAME_MAX + 1];
    enum chat_stop why = CHAT_STOP_GONE;
    if (len < WANT || len - WANT > CHAT_NAME_MAX || giving_to(spread, from) != NULL) {
        return;
    }
    memcpy(name, data + WANT, len - WANT);
    name[len - WANT] = '\0';
    const struct room *room = hub_find_room(spread->hub, name);
    const struct person *by = hub_find_person(spread->hub, data);
    struct member *m = room == NULL || by == NULL ? NULL : room_member(room, by);
    struct far *far = m == NULL ? NULL : malloc(sizeof *far);
    if (far != NULL) {
        *far = *from;
        far->is_giving = true;
        far->may = HUB_FAR_WINDOW;
    }
    if (far == NULL ||
        !hub_relay_for(spread->hub, m, data + TERN_KEY_SIZE, spread_u64(data + 2 * TERN_KEY_SIZE),
                       spread_u64(data + 2 * TERN_KEY_SIZE + 8), far, &why)) {
        free(far);
        pass_no(spread, 'N', from, why);
    }
}

size_t spread_files_give(struct hub_relay *relay, const uint8_t *data, size_t len)
{
    struct far *far = relay->far;
    struct spread *spread = relay->hub->spread;
    uint8_t place[8];
    size_t n = far->may - far->passed < PIECE ? (size_t)(far->may - far->passed) : PIECE;
    n = n < len ? n : len;
    spread_put_u64(far->passed, place);
    if (len == 0) {
        (void)pass(spread, 'F', far, 0, place, sizeof place, NULL, 0);
        free(far);
        relay->far = NULL;
    } else if (n > 0 && pass(spread, 'D', far, relay->id, place, sizeof place, data, n)) {
        far->passed += n;
        return n;
    }
    return 0;
}

static void on_may(struct spread *spread, const struct far *from, uint64_t may)
{
    struct hub_relay *relay = giving_to(spread, from);
    const struct hub_port *port = &spread->hub->port;
    if (relay == NULL || may <= relay->far->may || may - relay->far->passed > HUB_FAR_WINDOW) {
        return;
    }
    relay->far->may = may;
    hub_relay_moved(relay, spread->hub->now);
    if (relay->pump != NULL) {
        port->relay_go(port->user, relay->pump);
    }
}

static void on_unwanted(struct spread *spread, const struct far *from, enum chat_stop why)
{
    struct hub_relay *relay = giving_to(spread, from);
    if (relay != NULL) {
        free(relay->far);
        relay->far = NULL;
        hub_relay_end(relay, why);
    }
}

/* --- both --------------------------------------------------------------------------------------------- */

void spread_files_stop(struct hub_relay *relay, enum chat_stop why)
{
    pass_no(relay->hub->spread, relay->far->is_giving ? 'N' : 'X', relay->far, why);
    free(relay->far);
    relay->far = NULL;
}

void spread_files_lost(struct spread *spread)
{
    struct hub_relay *next;
    for (struct hub_relay *r = spread->hub->relays; r != NULL; r = next) {
        next = r->next;
        if (r->far != NULL) {
            hub_relay_end(r, CHAT_STOP_AWAY);
        }
    }
}

void spread_files_free(struct spread *spread)
{
    for (struct hub_relay *r = spread->hub->relays; r != NULL; r = r->next) {
        free(r->far);
        r->far = NULL;
    }
}

static enum chat_stop stop_of(uint8_t code)
{
    return code >= CHAT_STOP_CANCELLED && code <= CHAT_STOP_BAD ? (enum chat_stop)code
                                                                : CHAT_STOP_BAD;
}

void spread_files_on_heard(struct spread *spread, const uint8_t *data, size_t len)
{
    struct far from = {.number = 0};
    if (len < FRONT) {
        return;
    }
    const uint8_t *rest = data + FRONT;
    size_t left = len - FRONT;
    memcpy(from.server, data + 1, BROKER_ID);
    from.number = spread_u64(data + 1 + BROKER_ID);
    if (data[0] == 'W') {
        on_want(spread, &from, rest, left);
    } else if (data[0] == 'D' && left > 8) {
        take(spread, &from, spread_u64(rest), rest + 8, left - 8, false);
    } else if (data[0] == 'F' && left == 8) {
        take(spread, &from, spread_u64(rest), NULL, 0, true);
    } else if (data[0] == 'M' && left == 8) {
        on_may(spread, &from, spread_u64(rest));
    } else if (data[0] == 'N' && left == 1) {
        on_no(spread, &from, stop_of(rest[0]));
    } else if (data[0] == 'X' && left == 1) {
        on_unwanted(spread, &from, stop_of(rest[0]));
    }
}
