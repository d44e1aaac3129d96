/* A player: sends what is held, and works out what the world looked like a tenth of a second ago.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "examples/game/game.h"

#define BEHIND (100 * TERN_MSEC) /* three snapshots, of which two may be missing */

void client_open(struct client *c, const tern_addr *to)
{
    tern_config config;
    tern_peer peer;
    memset(c, 0, sizeof *c);
    tern_config_init(&config);
    config.clock = true;
    config.idle_timeout = 5 * TERN_SEC;
    tern_peer_init(&peer);
    peer.addr = *to; /* first contact: a real game pins the server's key here */
    node_open(&c->node, &config, NULL);
    int rc = tern_endpoint_connect(c->node.endpoint, &peer, &c->conn, tern_udp_now());
    rc = rc == 0 ? tern_conn_set_redundancy(c->conn, TERN_REDUNDANCY_FIXED, 2) : rc;
    if (rc != 0) {
        die("cannot join", rc);
    }
    c->stats.size = sizeof c->stats;
}

/* How long an input took to come back as movement: what a player feels. */
static void note_delay(struct client *c, uint32_t applied)
{
    tern_time *sent = &c->sent_at[applied % SENT_RING];
    if (*sent != 0 && c->frame - applied < SENT_RING && c->delay_count < DELAYS) {
        c->delays[c->delay_count++] = tern_udp_now() - *sent;
        *sent = 0;
    }
}

/* No server moves the cursor of our terminal. */
static void take_news(struct client *c, const tern_message *m)
{
    size_t len = m->len < sizeof c->news ? m->len : sizeof c->news - 1;
    for (size_t i = 0; i < len; i++) {
        c->news[i] = m->data[i] >= ' ' && m->data[i] < 0x7f ? (char)m->data[i] : '?';
    }
    c->news[len] = 0;
    c->news_count++;
}

static void take_message(struct client *c, const tern_message *m)
{
    struct snapshot shot;
    if (m->channel == CHANNEL_NEWS) {
        take_news(c, m);
    } else if (m->channel == CHANNEL_SNAPSHOT && snapshot_decode(&shot, m->data, m->len)) {
        c->shots[c->shot_count++ % SHOTS] = shot;
        note_delay(c, shot.applied);
    }
}

static void take_close(struct client *c, const tern_close_info *close)
{
    c->conn = NULL;
    c->is_lost = close->error != 0 || close->code != 0;
    (void)snprintf(c->why, sizeof c->why, "%s",
                   close->error != 0  ? tern_strerror(close->error)
                   : close->code == 1 ? "the game is full"
                                      : "the game is over");
}

static void take_events(struct client *c)
{
    tern_event ev;
    while (tern_endpoint_poll(c->node.endpoint, &ev) == 1) {
        tern_message m = {.size = sizeof m};
        if (ev.type == TERN_EVENT_CLOSED) {
            take_close(c, &ev.close);
        }
        while (ev.type == TERN_EVENT_MESSAGES && tern_conn_receive(ev.conn, &m) == 1) {
            take_message(c, &m);
        }
    }
}

static void send_input(struct client *c)
{
    uint8_t bytes[INPUT_SIZE];
    c->held.frame = ++c->frame;
    c->sent_at[c->frame % SENT_RING] = tern_udp_now();
    game_send(c->conn, CHANNEL_INPUT, bytes, input_encode(&c->held, bytes));
}

static uint32_t between(uint32_t from, uint32_t to, double part)
{
    return (uint32_t)((double)from + ((double)to - (double)from) * part);
}

/* `a` was before, `b` after the moment. A player that one of them lacks is where the other has it. */
static void blend(struct snapshot *out, const struct snapshot *a, const struct snapshot *b,
                  tern_time at)
{
    double part = (double)(at - a->at) / (double)(b->at - a->at);
    *out = *b;
    out->at = at;
    for (size_t i = 0; i < b->count; i++) {
        for (size_t k = 0; k < a->count; k++) {
            if (a->places[k].id == b->places[i].id) {
                out->places[i].x = between(a->places[k].x, b->places[i].x, part);
                out->places[i].y = between(a->places[k].y, b->places[i].y, part);
            }
        }
    }
}

/* When the two snapshots around the moment are there, the picture is smooth; else it is the nearest one. The
 * clock may step back when it is corrected: the picture never does. */
static void show(struct client *c)
{
    tern_time at;
    if (c->shot_count == 0) {
        return;
    }
    const struct snapshot *after = &c->shots[(c->shot_count - 1) % SHOTS];
    if (tern_conn_peer_time(c->conn, &at, tern_udp_now()) != 0 || at < BEHIND) {
        c->shown = *after; /* no sample of the clock yet */
        return;
    }
    at -= BEHIND;
    at = at > c->shown.at ? at : c->shown.at;
    c->shows++;
    for (uint64_t i = 1; i < SHOTS && i < c->shot_count && at < after->at; i++) {
        const struct snapshot *before = &c->shots[(c->shot_count - 1 - i) % SHOTS];
        if (before->at <= at) {
            c->smooth++;
            blend(&c->shown, before, after, at);
            return;
        }
        after = before;
    }
    c->shown = *after;
}

static uint64_t queued(const struct client *c)
{
    uint64_t bytes = 0;
    for (unsigned priority = 0; priority < TERN_PRIORITIES; priority++) {
        bytes += tern_conn_queued(c->conn, priority, NULL, tern_udp_now());
    }
    return bytes;
}

void client_frame(struct client *c)
{
    take_events(c);
    if (c->conn != NULL && tern_conn_is_established(c->conn)) {
        c->queued = queued(c); /* what the last frame could not send */
        send_input(c);
        show(c);
        tern_conn_stats(c->conn, &c->stats);
    }
}

void client_steer(struct client *c, unsigned which)
{
    static const int8_t turns[4][2] = {{1, 0}, {0, 1}, {-1, 0}, {0, -1}};
    const int8_t *turn = turns[(c->frame / 40 + which) % 4];
    c->is_bot = true;
    c->held.dx = turn[0];
    c->held.dy = turn[1];
}

static int by_length(const void *a, const void *b)
{
    tern_time x = *(const tern_time *)a, y = *(const tern_time *)b;
    return x < y ? -1 : x > y;
}

/* What the share of all delays does not exceed, in ms; they are sorted. */
static double percentile(const struct client *c, size_t per_cent)
{
    size_t at = c->delay_count * per_cent / 100;
    return c->delay_count == 0 ? 0 : (double)c->delays[at] / 1e6;
}

void client_summary(struct client *c, const char *name)
{
    const tern_stats *s = &c->stats;
    qsort(c->delays, c->delay_count, sizeof *c->delays, by_length);
    printf("%s: rtt %.1f ms, loss %.1f %%, %llu snapshots, smooth %.1f %%, news %llu, "
           "input to movement p50 %.1f p99 %.1f ms%s%s\n",
           name, (double)s->smoothed_rtt / 1e6,
           s->packets_sent == 0 ? 0.0 : 100.0 * (double)s->packets_lost / (double)s->packets_sent,
           (unsigned long long)c->shot_count,
           c->shows == 0 ? 0.0 : 100.0 * (double)c->smooth / (double)c->shows,
           (unsigned long long)c->news_count, percentile(c, 50), percentile(c, 99),
           c->why[0] == 0 ? "" : "; ", c->why);
}
