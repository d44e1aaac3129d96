/* A test of one's own protocol on a hundred bad networks, in virtual time: the simulator is a
 * library like the rest.
 *
 *     tern-simtest                a hundred seeds
 *     tern-simtest 17             that one, packet for packet as it was
 *
 * The protocol here is that of a score board. Points are reliable: each counts once, whatever
 * is lost, late or repeated. A ticker shows the latest only: it may skip, but must not go back.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

#include <tern/sim.h>
#include <tern/tern.h>

#define SEEDS  100
#define POINTS 200u

enum channel { CHANNEL_POINTS, CHANNEL_TICKER };

static void check(const char *what, int error)
{
    if (error != 0) {
        (void)fprintf(stderr, "tern-simtest: %s: %s\n", what, tern_strerror(error));
        exit(1);
    }
}

/* --- the protocol that is tested: in earnest, the program's own files --- */

struct board {
    unsigned points, ticker;
    bool went_back;
};

static void board_send(tern_conn *conn, unsigned number, tern_time now)
{
    uint8_t bytes[2] = {(uint8_t)(number >> 8), (uint8_t)number};
    tern_send_options o;
    tern_send_options_init(&o);
    o.order = TERN_UNORDERED; /* points are all alike */
    check("points", tern_conn_send(conn, "*", 1, &o, now));
    o.channel = CHANNEL_TICKER;
    o.reliability = TERN_UNRELIABLE;
    o.order = TERN_LATEST;
    check("ticker", tern_conn_send(conn, bytes, sizeof bytes, &o, now));
}

static void board_take(struct board *board, tern_conn *conn)
{
    tern_message m = {.size = sizeof m};
    while (tern_conn_receive(conn, &m) == 1) {
        if (m.channel == CHANNEL_POINTS) {
            board->points++;
        } else if (m.len == 2) {
            unsigned number = (unsigned)m.data[0] << 8 | m.data[1];
            board->went_back = board->went_back || number < board->ticker;
            board->ticker = number;
        }
    }
}

/* --- the network, and what must hold on it --- */

struct world {
    tern_sim *sim;
    tern_sim_host *client, *server;
    tern_conn *conn;
};

/* Five packets of a hundred are lost, two come twice, ten are overtaken; and in the middle
 * everything stops for two seconds, after which the client is at another address, as a
 * telephone is behind a tunnel. */
static void build(struct world *w, uint64_t seed)
{
    tern_config config;
    tern_link_config link;
    tern_peer peer;
    tern_addr at;

    check("sim", tern_sim_new(&w->sim, seed));
    tern_config_init(&config);
    check("address", tern_addr_parse(&at, "192.0.2.2:5000"));
    check("client", tern_sim_add_host(w->sim, &at, &config, &w->client));
    config.accept = true;
    tern_peer_init(&peer);
    check("address", tern_addr_parse(&peer.addr, "192.0.2.1:7400"));
    check("server", tern_sim_add_host(w->sim, &peer.addr, &config, &w->server));

    tern_link_config_init(&link);
    link.delay = 30 * TERN_MSEC;
    link.jitter = 10 * TERN_MSEC;
    link.loss = 0.05;
    link.duplicate = 0.02;
    link.reorder = 0.10;
    link.rate = 2000000;
    link.blackout_start = tern_sim_now(w->sim) + TERN_SEC;
    link.blackout_length = 2 * TERN_SEC;
    check("link", tern_sim_connect(w->sim, w->client, w->server, &link, NULL));
    check("connect", tern_endpoint_connect(tern_sim_host_endpoint(w->client), &peer, &w->conn,
                                           tern_sim_now(w->sim)));
}

/* The client's part: a point a frame, from the handshake on. */
static unsigned play(struct world *w, unsigned sent)
{
    tern_event ev;
    while (tern_endpoint_poll(tern_sim_host_endpoint(w->client), &ev) == 1) {
        check("the connection has ended", ev.type == TERN_EVENT_CLOSED ? TERN_ERR_CLOSED : TERN_OK);
    }
    if (sent == POINTS || !tern_conn_is_established(w->conn)) {
        return sent;
    }
    if (sent == POINTS / 2) {
        tern_addr moved;
        check("address", tern_addr_parse(&moved, "198.51.100.7:6000"));
        check("move", tern_sim_rebind(w->sim, w->client, &moved));
    }
    board_send(w->conn, sent + 1, tern_sim_now(w->sim));
    return sent + 1;
}

/* Runs one world to its end. True: all that was promised held. */
static bool run(uint64_t seed, uint64_t *hash, tern_time *took)
{
    struct world w;
    struct board board = {0, 0, false};
    unsigned sent = 0;

    build(&w, seed);
    tern_time start = tern_sim_now(w.sim), end = start + 30 * TERN_SEC, frame = start;
    while (board.points < POINTS && frame < end) {
        tern_event ev;
        sent = play(&w, sent);
        frame += TERN_SEC / 60;
        check("flush", tern_sim_flush(w.sim));
        int rc;
        while ((rc = tern_sim_step(w.sim, frame)) == 1) {
            while (tern_endpoint_poll(tern_sim_host_endpoint(w.server), &ev) == 1) {
                if (ev.type == TERN_EVENT_MESSAGES) {
                    board_take(&board, ev.conn);
                }
            }
        }
        check("step", rc);
    }
    *hash = tern_sim_hash(w.sim);
    *took = tern_sim_now(w.sim) - start;
    tern_sim_free(w.sim);
    return board.points == POINTS && !board.went_back;
}

int main(int argc, char **argv)
{
    uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    uint64_t last = argc > 1 ? first : SEEDS, count = last - first + 1, hash = 0, again = 0;
    tern_time took = 0, slowest = 0;
    unsigned broken = 0;

    for (uint64_t seed = first; seed <= last; seed++) {
        if (!run(seed, &hash, &took)) {
            printf("seed %llu breaks it: tern-simtest %llu\n", (unsigned long long)seed,
                   (unsigned long long)seed);
            broken++;
        }
        slowest = took > slowest ? took : slowest;
    }
    (void)run(last, &again, &took);
    bool is_same = hash == again;
    printf(
        "%llu networks, %u broken; the slowest took %.2f s of virtual time; the last again: %s\n",
        (unsigned long long)count, broken, (double)slowest / 1e9,
        is_same ? "the same packets" : "other packets");
    return broken == 0 && is_same ? 0 : 1;
}
