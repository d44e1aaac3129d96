/* What the recorder can record: each handshake and each kind of frame at least once.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "record.h"

enum { CLIENT = 0, SERVER = 1, BULK = 120000 };

static const uint8_t shared_secret[TERN_SECRET_SIZE] = "thirty-two bytes that both know";

/* --- parts --------------------------------------------------------------------------------------------- */

static void plain(struct world *w)
{
    (void)w;
}

/* The server, of whose key nothing is known. */
static tern_peer stranger_of(const struct world *w)
{
    tern_peer peer;
    tern_peer_init(&peer);
    peer.addr = w->sides[SERVER].addr;
    return peer;
}

static tern_peer peer_of(const struct world *w, uint8_t key[TERN_KEY_SIZE])
{
    tern_peer peer = stranger_of(w);
    tern_endpoint_public_key(w->sides[SERVER].endpoint, key);
    peer.key = key;
    return peer;
}

static tern_conn *dial(struct world *w, const tern_peer *peer)
{
    tern_conn *conn = NULL;
    record_check(tern_endpoint_connect(w->sides[CLIENT].endpoint, peer, &conn, w->now),
                 "connecting");
    return conn;
}

static void connect_to(struct world *w, const tern_peer *peer)
{
    (void)dial(w, peer);
    record_run(3 * TERN_SEC);
    if (w->sides[CLIENT].conn == NULL || w->sides[SERVER].conn == NULL) {
        record_fail("it did not connect");
    }
}

static void connect_pinned(struct world *w)
{
    uint8_t key[TERN_KEY_SIZE];
    tern_peer peer = peer_of(w, key);
    connect_to(w, &peer);
}

static tern_stream *write_stream(tern_conn *conn, tern_stream_kind kind, size_t len)
{
    static uint8_t bytes[BULK];
    tern_stream *stream = NULL;
    record_check(tern_conn_open_stream(conn, kind, &stream), "a stream");
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 7);
    }
    if (tern_stream_write(stream, bytes, len, TERN_FIN) != (ptrdiff_t)len) {
        record_fail("a stream took less");
    }
    return stream;
}

static void say(struct world *w, tern_conn *conn, tern_order order, tern_reliability reliability,
                size_t len)
{
    static const uint8_t bytes[5000];
    tern_send_options o;
    tern_send_options_init(&o);
    o.order = order;
    o.reliability = reliability;
    o.channel = 1 + (uint32_t)order;
    o.lifetime = reliability == TERN_UNTIL_DEADLINE ? 100 * TERN_MSEC : 0;
    record_check(tern_conn_send(conn, bytes, len, &o, w->now), "a message");
}

static void say_all(struct world *w, tern_conn *conn)
{
    say(w, conn, TERN_ORDERED, TERN_RELIABLE, 3);
    say(w, conn, TERN_ORDERED, TERN_RELIABLE, 4000);
    say(w, conn, TERN_UNORDERED, TERN_RELIABLE, 0);
    say(w, conn, TERN_UNORDERED, TERN_UNTIL_DEADLINE, 3000);
    say(w, conn, TERN_LATEST, TERN_UNRELIABLE, 100);
    say(w, conn, TERN_UNORDERED, TERN_UNRELIABLE, 2000);
}

static void leave(struct world *w, const char *reason)
{
    if (w->sides[CLIENT].conn != NULL) {
        tern_conn_close(w->sides[CLIENT].conn, 77, reason);
    }
    record_run(5 * TERN_SEC);
    if (w->sides[CLIENT].closed == 0) {
        record_fail("it did not end");
    }
}

/* Streams of both kinds and ways, messages of all orders, an end of each sort. */
static void talk(struct world *w)
{
    tern_conn *client = w->sides[CLIENT].conn, *server = w->sides[SERVER].conn;
    (void)write_stream(client, TERN_STREAM_BIDI, 20000);
    (void)write_stream(client, TERN_STREAM_UNI, 0);
    (void)write_stream(server, TERN_STREAM_UNI, 30000);
    say_all(w, client);
    say_all(w, server);
    record_run(TERN_SEC);
    tern_stream *reset = write_stream(client, TERN_STREAM_BIDI, BULK);
    record_check(tern_stream_stop(reset, 4), "stop");
    record_run(5 * TERN_MSEC);
    record_check(tern_stream_reset(reset, 3), "reset");
    record_run(2 * TERN_SEC);
}

static void visit(struct world *w, const tern_peer *peer, const char *last_words)
{
    connect_to(w, peer);
    talk(w);
    leave(w, last_words);
}

void scenario_on_event(struct world *world, struct side *side, const tern_event *event)
{
    uint8_t buf[4096];
    tern_message message = {.size = sizeof message};
    (void)world;
    (void)side;
    if (event->type == TERN_EVENT_STREAM_READABLE) {
        while (tern_stream_read(event->stream, buf, sizeof buf) > 0) {
        }
    } else if (event->type == TERN_EVENT_MESSAGES) {
        while (tern_conn_receive(event->conn, &message) > 0) {
        }
    } else if (event->type == TERN_EVENT_STREAM_OPENED &&
               tern_stream_kind_of(event->stream) == TERN_STREAM_BIDI) {
        ptrdiff_t rc = tern_stream_write(event->stream, "answer", 6, TERN_FIN);
        if (rc != 6 && rc != TERN_ERR_STOPPED) {
            record_fail("an answer");
        }
    }
}

/* --- the list ------------------------------------------------------------------------------------------ */

static void chacha(struct world *w)
{
    w->sides[CLIENT].config.suites = TERN_SUITE_CHACHA20_POLY1305;
}

static void aes(struct world *w)
{
    w->sides[CLIENT].config.suites = TERN_SUITE_AES_256_GCM;
}

static void run_pinned(struct world *w)
{
    uint8_t key[TERN_KEY_SIZE];
    tern_peer peer = peer_of(w, key);
    visit(w, &peer, "that was all");
}

static void run_first_contact(struct world *w)
{
    tern_peer peer = stranger_of(w);
    peer.anonymous = true;
    visit(w, &peer, "");
}

/* Where libsodium has none the recorder ends with 77, which says to a test that it is left out. */
static void aegis(struct world *w, unsigned suite)
{
    unsigned ranked[4];
    if ((tern_suites_available(ranked) & suite) == 0) {
        exit(77);
    }
    w->sides[CLIENT].config.suites = suite;
}

static void aegis_128l(struct world *w)
{
    aegis(w, TERN_SUITE_AEGIS_128L);
}

static void aegis_256(struct world *w)
{
    aegis(w, TERN_SUITE_AEGIS_256);
}

static void with_hybrid(struct world *w)
{
    tern_endpoint *probe = NULL;
    w->sides[SERVER].config.hybrid = true;
    if (tern_endpoint_new(&probe, &w->sides[SERVER].config, w->now) != 0) {
        exit(77);
    }
    tern_endpoint_free(probe);
}

static void run_hybrid(struct world *w)
{
    uint8_t key[TERN_KEY_SIZE];
    tern_peer peer = peer_of(w, key);
    peer.hybrid = true;
    visit(w, &peer, "later, too");
}

static void bad_road(struct world *w)
{
    chacha(w);
    w->link.loss = 0.05;
    w->link.duplicate = 0.02;
    w->link.reorder = 0.05;
    w->link.jitter = 3 * TERN_MSEC;
    w->link.corrupt = 0.01;
    w->link.ecn_mark = 0.05;
}

static void with_secret(struct world *w)
{
    w->sides[SERVER].config.secret = shared_secret;
}

static void run_secret(struct world *w)
{
    uint8_t key[TERN_KEY_SIZE];
    tern_peer peer = peer_of(w, key);
    peer.secret = shared_secret;
    visit(w, &peer, "both knew it");
}

static void run_secret_first(struct world *w)
{
    tern_peer peer = stranger_of(w);
    peer.secret = shared_secret;
    visit(w, &peer, NULL);
}

static void with_code(struct world *w)
{
    w->sides[SERVER].config.code = "7-orbit-salmon";
}

static void run_code(struct world *w)
{
    tern_peer peer = stranger_of(w);
    peer.code = "7-orbit-salmon";
    visit(w, &peer, NULL);
}

static void with_retry(struct world *w)
{
    w->sides[SERVER].config.retry_half_open = 0;
}

static void with_tickets(struct world *w)
{
    w->sides[SERVER].config.early_data = true;
}

/* A visit, and another that begins with a ticket of the first. */
static void run_early(struct world *w)
{
    uint8_t key[TERN_KEY_SIZE];
    tern_peer peer = peer_of(w, key);
    struct side *client = &w->sides[CLIENT];
    tern_stream *stream = NULL;
    visit(w, &peer, "see you");
    if (client->ticket_len == 0) {
        record_fail("no ticket came");
    }
    peer.ticket = client->ticket;
    peer.ticket_len = client->ticket_len;
    peer.ticket_age = 8 * TERN_SEC; /* since the first handshake */
    tern_conn *conn = dial(w, &peer);
    record_check(tern_conn_open_stream(conn, TERN_STREAM_BIDI, &stream), "a stream");
    record_check(tern_stream_set_early(stream), "an early stream");
    if (tern_stream_write(stream, "early", 5, TERN_FIN) != 5) {
        record_fail("the early bytes");
    }
    record_run(3 * TERN_SEC);
    if (tern_conn_early(conn) != TERN_EARLY_ACCEPTED) {
        record_fail("early data was refused");
    }
    talk(w);
    leave(w, "again");
}

static void long_lived(struct world *w)
{
    for (int i = 0; i < 2; i++) {
        w->sides[i].config.idle_timeout = 0;
        w->sides[i].config.suites = TERN_SUITE_AES_256_GCM;
    }
}

/* Key updates: after a rest of the client, of the server, and with fresh keys; each phase bears data both ways. */
static void run_update(struct world *w)
{
    tern_stats stats = {.size = sizeof stats};
    connect_pinned(w);
    talk(w);
    for (int round = 0; round < 3; round++) {
        record_run(130 * TERN_SEC);
        (void)write_stream(w->sides[round % 2].conn, TERN_STREAM_UNI, 9000);
        record_run(5 * TERN_SEC);
        record_check(tern_conn_rekey(w->sides[CLIENT].conn), "fresh keys");
        say_all(w, w->sides[CLIENT].conn);
        record_run(5 * TERN_SEC);
        say_all(w, w->sides[SERVER].conn);
        record_run(5 * TERN_SEC);
    }
    tern_conn_stats(w->sides[SERVER].conn, &stats);
    if (stats.key_phase < 4 || stats.rekeys < 2) {
        record_fail("its keys have not changed as often as they should");
    }
    leave(w, "worn out");
}

/* To other ports of the client, by its own will. */
static void run_move(struct world *w)
{
    tern_stats stats = {.size = sizeof stats};
    connect_pinned(w);
    talk(w);
    for (unsigned i = 1; i <= 2; i++) {
        tern_addr to = w->sides[CLIENT].addr;
        to.port = (uint16_t)(50000 + i);
        record_check(tern_conn_migrate(w->sides[CLIENT].conn, &to), "moving");
        record_run(2 * TERN_SEC);
        talk(w);
    }
    tern_conn_stats(w->sides[CLIENT].conn, &stats);
    if (stats.migrations < 2) {
        record_fail("it has not moved");
    }
    leave(w, "settled");
}

/* A server that wants a secret, and a client that knows of none. */
static void run_refused(struct world *w)
{
    uint8_t key[TERN_KEY_SIZE];
    tern_peer peer = peer_of(w, key);
    (void)dial(w, &peer);
    record_run(20 * TERN_SEC);
    if (w->sides[CLIENT].closed != 1 || w->sides[CLIENT].connected > 0) {
        record_fail("it was let in");
    }
}

static void repairing(struct world *w)
{
    w->link.loss = 0.05;
}

static void run_repair(struct world *w)
{
    connect_pinned(w);
    tern_conn *server = w->sides[SERVER].conn;
    record_check(tern_conn_set_fec(server, 2, TERN_UNORDERED, 50, false), "error correction");
    for (int i = 0; i < 60; i++) {
        say(w, server, TERN_UNORDERED, TERN_UNTIL_DEADLINE, 2500);
        say(w, server, TERN_UNORDERED, TERN_RELIABLE, 40);
        record_run(16 * TERN_MSEC);
    }
    leave(w, "mended");
}

/* Words and numbers that break a careless reader, and a road that breaks packets. */
static void rough(struct world *w)
{
    w->link.corrupt = 0.3;
    w->sides[CLIENT].config.max_streams_bidi = 1;
    w->sides[SERVER].config.max_streams_uni = 1;
    w->sides[SERVER].config.stream_window = 4000;
    w->sides[SERVER].config.conn_window = 4000;
}

static void run_rough(struct world *w)
{
    connect_pinned(w);
    tern_conn *client = w->sides[CLIENT].conn;
    (void)write_stream(client, TERN_STREAM_UNI, 30000);
    tern_stream *stream = write_stream(client, TERN_STREAM_BIDI, 60000);
    record_run(100 * TERN_MSEC);
    record_check(tern_stream_reset(stream, (UINT64_C(1) << 62) - 1), "reset");
    tern_stream *more = NULL;
    while (tern_conn_open_stream(client, TERN_STREAM_UNI, &more) == 0) {
        record_check((int)tern_stream_write(more, "x", 1, TERN_FIN), "writing");
    }
    record_run(2 * TERN_SEC);
    tern_conn_close(client, (UINT64_C(1) << 62) - 1, "\"},\\{\x1e\x01\x7f\xff\xc3\x28 and so on");
    record_run(20 * TERN_SEC);
}

static const struct scenario scenarios[] = {
    {"pinned", "XK, ChaCha20-Poly1305: streams, messages, all sorts of ends", chacha, run_pinned},
    {"first_contact", "XX, AES-256-GCM, an anonymous client", aes, run_first_contact},
    {"bad_road", "XX, losses, duplicates, disorder, broken packets, marks", bad_road,
     run_first_contact},
    {"secret", "XKpsk3", with_secret, run_secret},
    {"secret_first", "XXpsk3", with_secret, run_secret_first},
    {"code", "XXpsk3 by a one-time code", with_code, run_code},
    {"retry", "XK after a Retry", with_retry, run_pinned},
    {"retry_first", "XX after a Retry", with_retry, run_first_contact},
    {"early", "a ticket, and 0-RTT with it", with_tickets, run_early},
    {"update", "key updates, plain ones and with fresh keys", long_lived, run_update},
    {"move", "a client that moves twice", plain, run_move},
    {"refused", "a client that the server sends away", with_secret, run_refused},
    {"aegis_128l", "AEGIS-128L, where libsodium has it", aegis_128l, run_pinned},
    {"aegis_256", "AEGIS-256, where libsodium has it", aegis_256, run_pinned},
    {"hybrid", "ML-KEM-768 in the handshake, where libsodium has it", with_hybrid, run_hybrid},
    {"repair", "forward error correction", repairing, run_repair},
    {"rough", "small windows, strange words, a road that breaks packets", rough, run_rough},
};

const struct scenario *scenario_find(const char *name)
{
    for (size_t i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++) {
        if (strcmp(scenarios[i].name, name) == 0) {
            return &scenarios[i];
        }
    }
    return NULL;
}

void scenario_list(void)
{
    for (size_t i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++) {
        (void)printf("%-14s %s\n", scenarios[i].name, scenarios[i].about);
    }
}
