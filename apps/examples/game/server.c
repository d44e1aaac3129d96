/* The server of the game: it alone moves players, by the inputs that have come when its frame begins.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "examples/game/game.h"

#define STEP   (CELL * 3 / 20) /* a frame */
#define BUDGET 32000           /* bytes a second to each player, whatever happens */

static void tell_all(const struct server *s, const struct player *who, const char *what)
{
    char text[40];
    int len = snprintf(text, sizeof text, "%c %s", 'A' + who->place.id - 1, what);
    for (size_t i = 0; i < PLAYERS; i++) {
        if (s->players[i].conn != NULL) {
            game_send(s->players[i].conn, CHANNEL_NEWS, text, (size_t)len);
        }
    }
}

static void welcome(struct server *s, tern_conn *conn)
{
    for (size_t i = 0; i < PLAYERS; i++) {
        struct player *p = &s->players[i];
        if (p->conn == NULL) {
            memset(p, 0, sizeof *p);
            p->conn = conn;
            p->place.id = (uint8_t)(i + 1);
            p->place.x = (uint32_t)(4 + 11 * i) % WIDTH * CELL;
            p->place.y = (uint32_t)(3 + 5 * i) % HEIGHT * CELL;
            tern_conn_set_user(conn, p);
            tern_conn_set_budget(conn, BUDGET);
            tell_all(s, p, "came");
            return;
        }
    }
    tern_conn_close(conn, 1, "the game is full");
}

static void bid_farewell(struct server *s, struct player *p)
{
    p->conn = NULL;
    tell_all(s, p, "left");
}

/* A packet brings its input and copies of those before it: they wait here for the frame, which takes them in
 * their order. */
static void keep(struct server *s, struct player *p, const tern_message *m)
{
    struct input in;
    if (m->channel != CHANNEL_INPUT || !input_decode(&in, m->data, m->len)) {
        return;
    }
    s->inputs++;
    if (in.frame <= p->applied) {
        s->late++;
        return;
    }
    p->inputs[in.frame % INPUT_RING] = in;
    p->newest = in.frame > p->newest ? in.frame : p->newest;
}

static uint32_t moved(uint32_t at, int by, uint32_t cells)
{
    int64_t to = (int64_t)at + by * (int64_t)STEP, end = (int64_t)cells * CELL - 1;
    return (uint32_t)(to < 0 ? 0 : to > end ? end : to);
}

static void move(struct server *s, struct player *p)
{
    uint32_t oldest = p->newest < INPUT_RING ? 1 : p->newest - INPUT_RING + 1;
    uint32_t first = p->applied + 1 > oldest ? p->applied + 1 : oldest;
    p->credit += p->credit < INPUT_RING ? 1 : 0;
    s->missing += first - 1 - p->applied;
    for (uint32_t frame = first; frame <= p->newest; frame++) {
        const struct input *in = &p->inputs[frame % INPUT_RING];
        if (in->frame != frame || p->credit == 0) {
            s->missing++;
            continue;
        }
        p->credit--;
        uint32_t x = moved(p->place.x, in->dx, WIDTH), y = moved(p->place.y, in->dy, HEIGHT);
        p->moves += x != p->place.x || y != p->place.y ? 1 : 0;
        p->place.x = x;
        p->place.y = y;
    }
    p->applied = p->newest;
}

static void take_events(struct server *s)
{
    tern_event ev;
    while (tern_endpoint_poll(s->node.endpoint, &ev) == 1) {
        struct player *p = tern_conn_user(ev.conn);
        tern_message m = {.size = sizeof m};
        if (ev.type == TERN_EVENT_CONNECTED) {
            welcome(s, ev.conn);
        } else if (ev.type == TERN_EVENT_CLOSED && p != NULL) {
            bid_farewell(s, p);
        }
        while (ev.type == TERN_EVENT_MESSAGES && tern_conn_receive(ev.conn, &m) == 1) {
            if (p != NULL) {
                keep(s, p, &m);
            }
        }
    }
}

static void send_snapshots(const struct server *s)
{
    struct snapshot shot = {.count = 0};
    uint8_t bytes[SNAPSHOT_MAX];
    tern_time now = tern_udp_now();
    for (size_t i = 0; i < PLAYERS; i++) {
        if (s->players[i].conn != NULL) {
            shot.places[shot.count++] = s->players[i].place;
        }
    }
    for (size_t i = 0; i < PLAYERS; i++) {
        const struct player *p = &s->players[i];
        if (p->conn != NULL) {
            shot.at = tern_conn_session_time(p->conn, now);
            shot.you = p->place.id;
            shot.applied = p->applied;
            game_send(p->conn, CHANNEL_SNAPSHOT, bytes, snapshot_encode(&shot, bytes));
        }
    }
}

void server_frame(struct server *s)
{
    take_events(s);
    for (size_t i = 0; i < PLAYERS; i++) {
        if (s->players[i].conn != NULL) {
            move(s, &s->players[i]);
        }
    }
    if (++s->frame % 2 == 0) {
        send_snapshots(s);
    }
}

void server_open(struct server *s, uint16_t port)
{
    memset(s, 0, sizeof *s);
    node_listen(&s->node, port);
}

void server_summary(const struct server *s)
{
    printf("server: %llu frames, %llu inputs, %llu copies too late, %llu missing; moves",
           (unsigned long long)s->frame, (unsigned long long)s->inputs, (unsigned long long)s->late,
           (unsigned long long)s->missing);
    for (size_t i = 0; i < PLAYERS; i++) {
        if (s->players[i].place.id != 0) {
            printf(" %c %llu", (int)('A' + i), (unsigned long long)s->players[i].moves);
        }
    }
    printf("\n");
}
