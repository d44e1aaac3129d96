/* The clients: connections that come, talk over streams and by messages, move, change keys, and go.
 *
 * Each says how it went by a line a second on standard output:
 * alive N gone N refused N lost N items N bytes N wrong N late N moves N rekeys N updates N
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "soak.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PLACES = 8,         /* local addresses that a connection moves among: 127.0.0.1 to 127.0.0.8 */
    OPENING_MAX = 32,   /* handshakes at once */
    MESSAGE_MAX = 3000, /* one packet, and several */
    SOAK_CHANNEL = 3
};

#define LATE (60 * TERN_SEC) /* what is not back by then never comes */

struct client;

/* A stream with content that is on its way there and back. */
struct item {
    struct client *client;
    struct item *next;
    tern_stream *stream;
    uint64_t place; /* of its content */
    size_t len, written, came;
    tern_time began;
    bool is_late;
};

struct client {
    struct crowd *crowd;
    tern_conn *conn; /* NULL: a seat that nobody has */
    bool is_connected;
    struct item *items;
    tern_time talks_at, moves_at, rekeys_at, leaves_at;
    uint64_t messages_sent, messages_came; /* ordered: the n-th answer is to the n-th */
    tern_time message_began;
};

struct crowd {
    const struct crowd_options *options;
    tern_endpoint *endpoint;
    tern_udp *udp;
    tern_addr server;
    struct client *clients;
    unsigned opening, alive;
    bool is_ending; /* nobody comes any more */
    uint64_t state; /* of the draws */
    uint64_t gone, refused, lost, items, bytes, wrong, late, moves, rekeys, updates;
};

static uint64_t draw(struct crowd *c, uint64_t below)
{
    c->state ^= c->state << 13;
    c->state ^= c->state >> 7;
    c->state ^= c->state << 17;
    return (c->state >> 11) % below;
}

static tern_time draw_time(struct crowd *c, tern_time least, tern_time most)
{
    return least + draw(c, most - least);
}

/* --- streams ------------------------------------------------------------------------------------------ */

static void item_free(struct item *item)
{
    struct item **at = &item->client->items;
    while (*at != item) {
        at = &(*at)->next;
    }
    *at = item->next;
    if (item->stream != NULL) {
        tern_stream_set_user(item->stream, NULL);
    }
    free(item);
}

static void item_write(struct item *item)
{
    size_t left = item->len - item->written;
    if (left > 0) {
        ptrdiff_t n = tern_stream_write(item->stream, content_at(item->place) + item->written, left,
                                        TERN_FIN);
        item->written += n > 0 ? (size_t)n : 0;
    }
}

/* Compares; true at the end of it, or of what there will be. */
static bool item_read(struct item *item)
{
    struct crowd *c = item->client->crowd;
    const uint8_t *data;
    size_t len;
    int rc;
    while ((rc = tern_stream_peek(item->stream, &data, &len)) == 0 && len > 0) {
        bool is_good = len <= item->len - item->came &&
                       memcmp(data, content_at(item->place) + item->came, len) == 0;
        c->wrong += is_good ? 0 : 1;
        c->bytes += len;
        item->came += is_good ? len : 0;
        if (tern_stream_consume(item->stream, len) != 0) {
            return false;
        }
    }
    if (rc != 0 && rc != TERN_ERR_RESET) {
        return false; /* more will come, or the connection is over, which counts elsewhere */
    }
    bool is_whole = rc == 0 && item->came == item->len;
    c->wrong += is_whole ? 0 : 1;
    c->items += is_whole ? 1 : 0;
    return rc != 0 || tern_stream_consume(item->stream, 0) == 0;
}

/* Most are short; now and then one is larger than all windows at the beginning of a connection's life. */
static void begin_item(struct client *client, tern_time now)
{
    struct crowd *c = client->crowd;
    struct item *item = calloc(1, sizeof *item);
    if (item == NULL) {
        return;
    }
    item->client = client;
    item->place = draw(c, CONTENT_PERIOD);
    item->len = 1 + (size_t)draw(c, draw(c, 50) == 0 ? CONTENT_MAX - 1 : 6000);
    item->began = now;
    item->next = client->items;
    client->items = item;
    if (tern_conn_open_stream(client->conn, TERN_STREAM_BIDI, &item->stream) != 0) {
        item->stream = NULL; /* too many are under way */
        item_free(item);
        return;
    }
    tern_stream_set_user(item->stream, item);
    item_write(item);
}

/* --- messages: one at a time ---------------------------------------------------------------------------- */

static uint64_t message_place(const struct client *client, uint64_t number)
{
    return number * 7919 + (uint64_t)(client - client->crowd->clients) * 104729;
}

static size_t message_len(const struct client *client, uint64_t number)
{
    return 1 + (size_t)(message_place(client, number) * 31 % MESSAGE_MAX);
}

static void begin_message(struct client *client, tern_time now)
{
    uint64_t number = client->messages_sent;
    tern_send_options options;
    tern_send_options_init(&options);
    options.channel = SOAK_CHANNEL;
    if (number == client->messages_came &&
        tern_conn_send(client->conn, content_at(message_place(client, number)),
                       message_len(client, number), &options, now) == 0) {
        client->messages_sent++;
        client->message_began = now;
    }
}

static void read_messages(struct client *client)
{
    struct crowd *c = client->crowd;
    tern_message message = {.size = sizeof message};
    while (tern_conn_receive(client->conn, &message) == 1) {
        uint64_t number = client->messages_came++;
        bool is_good =
            number < client->messages_sent && message.len == message_len(client, number) &&
            memcmp(message.data, content_at(message_place(client, number)), message.len) == 0;
        c->wrong += is_good ? 0 : 1;
        c->items += is_good ? 1 : 0;
        c->bytes += message.len;
    }
}

/* --- connections ---------------------------------------------------------------------------------------- */

static void open_client(struct client *client, tern_time now)
{
    struct crowd *c = client->crowd;
    tern_peer peer;
    tern_peer_init(&peer);
    peer.addr = c->server;
    *client = (struct client){.crowd = c};
    if (tern_endpoint_connect(c->endpoint, &peer, &client->conn, now) != 0) {
        client->conn = NULL;
        c->refused++;
        return;
    }
    tern_conn_set_user(client->conn, client);
    client->leaves_at = now + draw_time(c, 10 * TERN_SEC, 60 * TERN_SEC);
    client->talks_at = now;
    client->moves_at = now + draw_time(c, 5 * TERN_SEC, 40 * TERN_SEC);
    client->rekeys_at = now + draw_time(c, 2 * TERN_SEC, 30 * TERN_SEC);
    c->opening++;
    c->alive++;
}

static void on_closed(struct client *client, const tern_close_info *close)
{
    struct crowd *c = client->crowd;
    tern_stats stats = {.size = sizeof stats};
    tern_conn_stats(client->conn, &stats);
    bool is_ours = close->by == TERN_CLOSED_LOCAL;
    c->gone += is_ours ? 1 : 0;
    c->lost += !is_ours && client->is_connected ? 1 : 0;
    c->refused += !is_ours && !client->is_connected ? 1 : 0;
    if (!is_ours) {
        (void)fprintf(stderr, "soak: a connection ended: %s: %s\n",
                      close->by == TERN_CLOSED_PEER ? "the server said" : "here",
                      tern_strerror(close->error));
    }
    c->moves += stats.migrations;
    c->rekeys += stats.rekeys;
    c->updates += stats.key_phase;
    c->opening -= client->is_connected ? 0 : 1;
    c->alive--;
    while (client->items != NULL) {
        client->items->stream = NULL;
        item_free(client->items);
    }
    client->conn = NULL;
}

static void move(struct client *client, tern_time now)
{
    struct crowd *c = client->crowd;
    tern_addr place = {.family = 4, .ip = {127, 0, 0, (uint8_t)(1 + draw(c, PLACES))}};
    int rc = tern_conn_migrate(client->conn, &place); /* or not now: there is another time */
    client->moves_at = now + (rc == 0 ? draw_time(c, 10 * TERN_SEC, 40 * TERN_SEC) : TERN_SEC);
}

static bool is_done(const struct client *client)
{
    return client->items == NULL && client->messages_sent == client->messages_came;
}

static void count_late(struct client *client, tern_time now)
{
    struct crowd *c = client->crowd;
    for (struct item *item = client->items; item != NULL; item = item->next) {
        if (!item->is_late && now > item->began + LATE) {
            item->is_late = true;
            c->late++;
        }
    }
    if (client->messages_sent != client->messages_came && now > client->message_began + LATE) {
        client->message_began = now;
        c->late++;
    }
}

static void turn_client(struct client *client, tern_time now)
{
    struct crowd *c = client->crowd;
    bool wants_leave = c->is_ending || now >= client->leaves_at;
    count_late(client, now);
    if (wants_leave && is_done(client)) {
        tern_conn_close(client->conn, 0, "");
        return;
    }
    if (!wants_leave && now >= client->talks_at) {
        if (draw(c, 2) == 0) {
            begin_item(client, now);
        } else {
            begin_message(client, now);
        }
        client->talks_at = now + draw_time(c, TERN_SEC / 2, 4 * TERN_SEC);
    }
    if (now >= client->moves_at) {
        move(client, now);
    }
    if (now >= client->rekeys_at) {
        int rc = tern_conn_rekey(client->conn);
        client->rekeys_at = now + (rc == 0 ? draw_time(c, 5 * TERN_SEC, 30 * TERN_SEC) : TERN_SEC);
    }
}

static void turn_all(struct crowd *c, tern_time now)
{
    for (unsigned i = 0; i < c->options->connections; i++) {
        struct client *client = &c->clients[i];
        if (client->conn == NULL && !c->is_ending && c->opening < OPENING_MAX) {
            open_client(client, now);
        } else if (client->conn != NULL && client->is_connected) {
            turn_client(client, now);
        }
    }
}

static void on_event(const tern_event *event)
{
    struct client *client = tern_conn_user(event->conn);
    struct item *item = event->stream == NULL ? NULL : tern_stream_user(event->stream);
    if (event->type == TERN_EVENT_CONNECTED) {
        client->is_connected = true;
        client->crowd->opening--;
    } else if (event->type == TERN_EVENT_CLOSED) {
        on_closed(client, &event->close);
    } else if (event->type == TERN_EVENT_MESSAGES) {
        read_messages(client);
    } else if (event->type == TERN_EVENT_STREAM_WRITABLE && item != NULL) {
        item_write(item);
    } else if (event->type == TERN_EVENT_STREAM_READABLE && item != NULL && item_read(item)) {
        item_free(item);
    }
}

static void tell(const struct crowd *c)
{
    (void)printf("alive %u gone %" PRIu64 " refused %" PRIu64 " lost %" PRIu64 " items %" PRIu64
                 " bytes %" PRIu64 " wrong %" PRIu64 " late %" PRIu64 " moves %" PRIu64
                 " rekeys %" PRIu64 " updates %" PRIu64 "\n",
                 c->alive, c->gone, c->refused, c->lost, c->items, c->bytes, c->wrong, c->late,
                 c->moves, c->rekeys, c->updates);
    (void)fflush(stdout);
}

/* Until the time is over and then until everybody has heard everything, or it is too late for that. */
static int live(struct crowd *c)
{
    tern_time now = tern_udp_now();
    tern_time until = now + c->options->seconds * TERN_SEC, tells_at = now, turns_at = now;
    int rc = 0;
    while (rc == 0 && (!c->is_ending || (c->alive > 0 && now < until + LATE))) {
        tern_event event;
        rc = tern_udp_service(c->udp, 20 * TERN_MSEC);
        while (tern_endpoint_poll(c->endpoint, &event) == 1) {
            on_event(&event);
        }
        now = tern_udp_now();
        c->is_ending = c->is_ending || is_over != 0 || now >= until;
        if (now >= turns_at) {
            turn_all(c, now);
            turns_at = now + 20 * TERN_MSEC;
        }
        if (now >= tells_at) {
            tell(c);
            trim_memory(now);
            tells_at = now + TERN_SEC;
        }
    }
    c->late += c->alive;
    tell(c);
    return rc;
}

static void crowd_free(struct crowd *c)
{
    tern_udp_close(c->udp);
    tern_endpoint_free(c->endpoint);
    for (unsigned i = 0; c->clients != NULL && i < c->options->connections; i++) {
        while (c->clients[i].items != NULL) {
            c->clients[i].items->stream = NULL;
            item_free(c->clients[i].items);
        }
    }
    free(c->clients);
}

int crowd_run(const struct crowd_options *options)
{
    struct crowd c = {.options = options, .state = options->seed * 2654435761u + 1};
    tern_config config;
    tern_addr anywhere = {.family = 4};
    tern_config_init(&config);
    int rc = tern_addr_parse(&c.server, options->server);
    rc = rc == 0 ? tern_endpoint_new(&c.endpoint, &config, tern_udp_now()) : rc;
    rc = rc == 0 ? tern_udp_open(&c.udp, c.endpoint, &anywhere) : rc;
    c.clients = calloc(options->connections, sizeof *c.clients);
    rc = rc == 0 && c.clients == NULL ? TERN_ERR_NOMEM : rc;
    for (unsigned i = 0; rc == 0 && i < options->connections; i++) {
        c.clients[i].crowd = &c;
    }
    rc = rc == 0 ? live(&c) : rc;
    if (rc != 0) {
        (void)fprintf(stderr, "soak: %s: %s\n", tern_strerror(rc), strerror(errno));
    }
    crowd_free(&c);
    return rc != 0 || c.wrong > 0 || c.late > 0 || c.lost > 0 ? 1 : 0;
}
