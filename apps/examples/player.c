/* A moving player in a game loop: the server decides where it is, the client says what is held
 * down. The smallest whole of it; tern-game is a game with many players, a picture, and
 * movement that stays smooth where packets are lost.
 *
 *     tern-player serve 127.0.0.1:7404
 *     tern-player 127.0.0.1:7404 3           walks in a circle for three seconds
 *
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tern/tern.h>
#include <tern/udp.h>

#define FRAME (TERN_SEC / 60)

enum channel { CHANNEL_INPUT, CHANNEL_PLACE, CHANNEL_NEWS };

/* What goes over the network: two octets, each. */
struct input {
    int8_t dx, dy;
};
struct place {
    uint8_t x, y;
};

struct loop {
    tern_endpoint *ep;
    tern_udp *udp;
    tern_conn *conn;    /* the one player; NULL: nobody */
    struct input held;  /* by the client; by the server: the newest that came */
    struct place place; /* by the server; by the client: the newest that came */
    unsigned long news, places;
};

static _Noreturn void die(const char *what, int error)
{
    (void)fprintf(stderr, "tern-player: %s: %s\n", what,
                  error == TERN_ERR_SYSTEM ? strerror(errno) : tern_strerror(error));
    exit(1);
}

static void check(const char *what, int error)
{
    if (error != 0) {
        die(what, error);
    }
}

/* Inputs and places are of use for a frame: sent once, and an old one never comes after a newer
 * one. News is for good: it comes, once and in order. */
static void send_on(struct loop *l, enum channel channel, const void *data, size_t len)
{
    tern_send_options o;
    tern_send_options_init(&o); /* reliable and ordered */
    o.channel = channel;
    if (channel != CHANNEL_NEWS) {
        o.reliability = TERN_UNRELIABLE;
        o.order = TERN_LATEST;
        o.priority = 1; /* before the news, if there is not room for both */
    }
    int rc = tern_conn_send(l->conn, data, len, &o, tern_udp_now());
    /* AGAIN: nobody acknowledges the news any more. CLOSED: an event will say so. */
    check("send", rc == TERN_ERR_AGAIN || rc == TERN_ERR_CLOSED ? 0 : rc);
}

/* What comes may be anything: its length is checked, and no value may do harm. */
static void take(struct loop *l, const tern_message *m)
{
    if (m->channel == CHANNEL_INPUT && m->len == 2) {
        l->held.dx = (int8_t)(m->data[0] % 3 - 1);
        l->held.dy = (int8_t)(m->data[1] % 3 - 1);
    } else if (m->channel == CHANNEL_PLACE && m->len == 2) {
        l->place = (struct place){m->data[0], m->data[1]};
        l->places++;
    } else if (m->channel == CHANNEL_NEWS) {
        l->news++;
    }
}

static void take_events(struct loop *l, bool is_server)
{
    tern_event ev;
    while (tern_endpoint_poll(l->ep, &ev) == 1) {
        tern_message m = {.size = sizeof m};
        if (ev.type == TERN_EVENT_CONNECTED && is_server && l->conn == NULL) {
            l->conn = ev.conn;
            send_on(l, CHANNEL_NEWS, "welcome", 7);
        } else if (ev.type == TERN_EVENT_CLOSED && ev.conn == l->conn) {
            check("the game is over", is_server ? 0 : ev.close.error);
            l->conn = NULL;
        }
        while (ev.type == TERN_EVENT_MESSAGES && tern_conn_receive(ev.conn, &m) == 1) {
            take(l, &m);
        }
    }
}

/* The rest of the frame: the network is served until it is over. */
static void wait_until(struct loop *l, tern_time at)
{
    tern_time now;
    while ((now = tern_udp_now()) < at) {
        check("network", tern_udp_service(l->udp, at - now));
    }
}

static void server_frame(struct loop *l)
{
    take_events(l, true);
    if (l->conn != NULL) {
        l->place.x = (uint8_t)(l->place.x + l->held.dx);
        l->place.y = (uint8_t)(l->place.y + l->held.dy);
        send_on(l, CHANNEL_PLACE, (uint8_t[]){l->place.x, l->place.y}, 2);
    }
}

static void client_frame(struct loop *l, unsigned long frame)
{
    static const struct input circle[4] = {{1, 0}, {0, 1}, {-1, 0}, {0, -1}};
    take_events(l, false);
    l->held = circle[frame / 30 % 4]; /* a game asks the keyboard here, and draws l->place */
    if (l->conn != NULL && tern_conn_is_established(l->conn)) {
        uint8_t bytes[2] = {(uint8_t)(l->held.dx + 1), (uint8_t)(l->held.dy + 1)};
        send_on(l, CHANNEL_INPUT, bytes, sizeof bytes);
    }
}

static void open_loop(struct loop *l, const tern_config *config, const tern_addr *local)
{
    check("endpoint", tern_endpoint_new(&l->ep, config, tern_udp_now()));
    check("socket", tern_udp_open(&l->udp, l->ep, local));
}

static void serve(const tern_addr *local)
{
    struct loop l = {.conn = NULL};
    tern_config config;
    tern_config_init(&config);
    config.accept = true;
    open_loop(&l, &config, local);
    printf("serving\n");
    (void)fflush(stdout);
    for (tern_time next = tern_udp_now();; next += FRAME) {
        server_frame(&l);
        wait_until(&l, next);
    }
}

static void play(const tern_addr *to, unsigned long seconds)
{
    struct loop l = {.conn = NULL};
    tern_config config;
    tern_peer peer;
    tern_time next = tern_udp_now();

    tern_config_init(&config);
    tern_peer_init(&peer);
    peer.addr = *to;
    open_loop(&l, &config, NULL);
    check("cannot join", tern_endpoint_connect(l.ep, &peer, &l.conn, tern_udp_now()));
    for (unsigned long frame = 0; frame < seconds * 60 && l.conn != NULL; frame++, next += FRAME) {
        client_frame(&l, frame);
        wait_until(&l, next);
    }
    printf("%lu places, %lu news, at %d,%d\n", l.places, l.news, l.place.x, l.place.y);
    tern_endpoint_close_all(l.ep, 0, "bye");
    tern_udp_close(l.udp);
    tern_endpoint_free(l.ep);
}

int main(int argc, char **argv)
{
    tern_addr addr;
    if (argc == 3 && strcmp(argv[1], "serve") == 0 && tern_addr_parse(&addr, argv[2]) == 0) {
        serve(&addr);
    } else if (argc == 3 && tern_addr_parse(&addr, argv[1]) == 0) {
        play(&addr, strtoul(argv[2], NULL, 10));
        return 0;
    }
    (void)fputs("Usage: tern-player serve ADDRESS:PORT\n"
                "       tern-player ADDRESS:PORT SECONDS\n",
                stderr);
    return 2;
}
