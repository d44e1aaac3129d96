/* A game over tern: what its parts know of each other, and what goes over the network.
 *
 *     inputs      unreliable and unordered, sixty a second. Copies of each ride along with the two that follow,
 *                 so that a lost packet loses none; those that come too late are worth nothing
 *     snapshots   unreliable, the latest only, thirty a second: an old one must never follow a newer one
 *     news        reliable and ordered: who came and who left
 *
 * The server alone moves players. Each snapshot bears the time of the server's session clock, which clients know
 * (tern_conn_peer_time): they show what was 100 ms ago there, between two snapshots, so that neither loss nor
 * jitter makes anybody jump. SPDX-License-Identifier: MIT */
#ifndef TERN_GAME_H
#define TERN_GAME_H

#include "examples/kit.h"

#define FRAME        (TERN_SEC / 60)
#define PLAYERS      16
#define WIDTH        48
#define HEIGHT       14
#define CELL         1000u /* positions are in thousandths of a cell */
#define INPUT_SIZE   6
#define SNAPSHOT_MAX (14 + PLAYERS * 9)
#define INPUT_RING   16 /* inputs of a player that wait for the server's next frame */
#define SHOTS        16 /* snapshots that a client keeps, half a second's worth */
#define SENT_RING    256
#define DELAYS       8192

enum channel { CHANNEL_INPUT, CHANNEL_SNAPSHOT, CHANNEL_NEWS };

/* What a player holds down in a frame of the client's. */
struct input {
    uint32_t frame; /* from 1 */
    int8_t dx, dy;
};

struct place {
    uint8_t id;
    uint32_t x, y;
};

struct snapshot {
    tern_time at;     /* on the session clock of the server */
    uint32_t applied; /* the latest input of the receiver's that is in it */
    uint8_t you;      /* whom the receiver moves */
    uint8_t count;
    struct place places[PLAYERS];
};

size_t input_encode(const struct input *in, uint8_t out[INPUT_SIZE]);
bool input_decode(struct input *out, const uint8_t *data, size_t len);
size_t snapshot_encode(const struct snapshot *shot, uint8_t out[SNAPSHOT_MAX]);
bool snapshot_decode(struct snapshot *out, const uint8_t *data, size_t len);

/* Sends with what the channel's messages need. */
void game_send(tern_conn *conn, enum channel channel, const void *data, size_t len);

/* --- server.c --- */

struct player {
    tern_conn *conn; /* NULL: nobody */
    struct place place;
    uint32_t applied; /* frame of the latest input that moved it */
    struct input inputs[INPUT_RING];
    uint32_t newest; /* of them */
    /* Moves that it may make: one a frame, so that nobody is faster by sending more. */
    uint32_t credit;
    uint64_t moves;
};

struct server {
    struct node node;
    struct player players[PLAYERS];
    uint64_t frame, inputs, late, missing;
};

void server_open(struct server *server, uint16_t port);
/* Once a frame: takes what has come, moves players, tells all. */
void server_frame(struct server *server);
void server_summary(const struct server *server);

/* --- client.c --- */

struct client {
    struct node node;
    tern_conn *conn; /* NULL: over */
    struct input held;
    uint32_t frame;
    struct snapshot shots[SHOTS]; /* a ring; the latest is number shot_count - 1 */
    uint64_t shot_count;
    struct snapshot shown; /* what to draw: the world as it was 100 ms ago */
    uint64_t shows, smooth;
    char news[48];
    uint64_t news_count;
    tern_time sent_at[SENT_RING]; /* when the input of a frame left; 0: it has come back */
    tern_time delays[DELAYS];     /* from input to movement */
    size_t delay_count;
    tern_stats stats; /* the latest, also of a connection that is over */
    uint64_t queued;  /* bytes that wait to leave */
    bool is_bot;
    bool is_lost; /* the connection has failed, or never came to be */
    char why[64]; /* it is over */
};

void client_open(struct client *client, const tern_addr *to);
/* Once a frame: takes what has come, sends the input that is held, works out what to show. */
void client_frame(struct client *client);
/* Steers by itself, along a square. */
void client_steer(struct client *client, unsigned which);
void client_summary(struct client *client, const char *name);

/* --- view.c --- */

/* Takes the terminal, and gives it back whatever ends the program. False: standard output is none. */
bool view_open(void);
void view_close(void);
void view_draw(const struct client *client);
/* Moves what the client holds. False: the player wants to leave. */
bool view_keys(struct client *client);

#endif
