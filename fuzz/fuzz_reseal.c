/* An attacker who holds the keys of both ends and sits between them: packets of true traffic are opened, their
 * frames changed, and sealed again, so that what is wrong with them is found by nothing but the state machine.
 *
 * Input: one byte of configuration, then operations of a byte: see `step`, reframe_change and pair_step.
 * SPDX-License-Identifier: MIT */
#include "conn/conn.h"
#include "conn/input.h"
#include "endpoint/endpoint.h"
#include "pair.h"
#include "reframe.h"

#define STEPS_MAX  200
#define TICKET_MAX 600

struct world {
    struct pair pair;
    tern_stream *streams[2]; /* the latest that each end knows */
    uint8_t ticket[TICKET_MAX];
    size_t ticket_len;
};

/* The keys with which `from` seals such packets now; NULL: none. */
static struct tern_space *space_of(tern_conn *from, enum tern_packet_type type)
{
    enum tern_level level = type == TERN_PACKET_INITIAL     ? TERN_LEVEL_INITIAL
                            : type == TERN_PACKET_HANDSHAKE ? TERN_LEVEL_HANDSHAKE
                                                            : TERN_LEVEL_APP;
    struct tern_space *space = &from->spaces[level];
    return tern_space_is_live(space) ? space : NULL;
}

/* A header as the old one, but for the length of what follows. */
static void write_header(struct tern_writer *w, const struct tern_header *h,
                         const struct tern_opened *opened, size_t body_len)
{
    if (h->type == TERN_PACKET_ONE_RTT) {
        tern_header_encode_short(w, &h->dcid, opened->phase_bit, opened->pn, 4);
    } else {
        tern_header_encode_long(w, h->type, &h->dcid, &h->scid, h->token, h->token_len, opened->pn,
                                4, body_len);
    }
}

/* The first packet of the datagram is changed; what is behind it stays. */
static void reseal(struct pair *pair, size_t to, struct pair_packet *packet, uint8_t changes)
{
    uint8_t payload[PAIR_DATAGRAM], out[PAIR_DATAGRAM], mask[TERN_MASK_SIZE];
    struct pair_packet copy = *packet;
    struct tern_header h;
    struct tern_opened opened;
    struct tern_writer w;
    tern_conn *from = pair->conns[1 - to];
    if (from == NULL || tern_header_decode(&h, copy.data, copy.len, TERN_CID_SIZE) != 0 ||
        h.pn_offset == 0) {
        return;
    }
    struct tern_space *space = space_of(from, h.type);
    if (space == NULL || tern_packet_unseal(&opened, &h, copy.data, &space->keys->tx,
                                            space->loss.sent.next_pn) != 0) {
        return;
    }
    size_t len = opened.payload_len, tag = tern_suite_tag_size(space->keys->tx.suite);
    memcpy(payload, opened.payload, len);
    for (; changes > 0; changes--) {
        len = reframe_change(payload, len, PAIR_DATAGRAM - 200, &pair->in);
    }
    while (len < 4) {
        payload[len++] = 0;
    }
    tern_writer_init(&w, out, sizeof out);
    write_header(&w, &h, &opened, len + tag);
    size_t header_len = tern_writer_used(&w);
    tern_write_bytes(&w, payload, len);
    if (w.failed || tern_writer_left(&w) < tag) {
        return;
    }
    w.at += tag;
    FUZZ_CHECK(tern_packet_seal(&space->keys->tx, 0, opened.pn, out, header_len, out + header_len,
                                len) == 0);
    tern_aead_mask(&space->keys->tx.mask, out + header_len, mask);
    tern_header_mask(out, header_len - 4, 4, mask);
    size_t behind = TERN_MIN(packet->len - h.packet_len, tern_writer_left(&w));
    tern_write_bytes(&w, packet->data + h.packet_len, behind);
    memcpy(packet->data, out, tern_writer_used(&w));
    packet->len = tern_writer_used(&w);
    if (packet->len < TERN_INITIAL_DATAGRAM_MIN && h.type == TERN_PACKET_INITIAL) {
        memset(packet->data + packet->len, 0, TERN_INITIAL_DATAGRAM_MIN - packet->len);
        packet->len = TERN_INITIAL_DATAGRAM_MIN; /* as datagrams with an Initial have to be */
    }
}

static void read_all(tern_stream *stream)
{
    char buf[4096];
    ptrdiff_t n;
    do {
        n = tern_stream_read(stream, buf, sizeof buf);
    } while (n > 0);
}

static void on_event(struct pair *pair, size_t end, const tern_event *event)
{
    struct world *w = pair->user;
    tern_message message = {.size = sizeof message};
    switch ((int)event->type) {
    case TERN_EVENT_STREAM_OPENED:
        w->streams[end] = event->stream;
        /* Answers before message 3, if the handshake is that far. */
        FUZZ_CHECK(end == PAIR_CLIENT || tern_stream_set_early(event->stream) == 0);
        break;
    case TERN_EVENT_STREAM_READABLE:
        read_all(event->stream);
        break;
    case TERN_EVENT_STREAM_CLOSED:
        w->streams[end] = w->streams[end] == event->stream ? NULL : w->streams[end];
        break;
    case TERN_EVENT_MESSAGES:
        while (tern_conn_receive(event->conn, &message) == 1) {
        }
        break;
    case TERN_EVENT_TICKET:
        FUZZ_CHECK(event->ticket_len <= sizeof w->ticket);
        memcpy(w->ticket, event->ticket, event->ticket_len);
        w->ticket_len = event->ticket_len;
        break;
    case TERN_EVENT_CLOSED:
        w->streams[end] = NULL;
        break;
    default:
        break;
    }
}

static void say(struct world *w, size_t end, uint8_t how)
{
    static const uint8_t bytes[6000];
    tern_send_options options;
    tern_conn *conn = w->pair.conns[end];
    tern_send_options_init(&options);
    options.reliability = (tern_reliability)(how & 1);
    options.order = (tern_order)(how >> 1 & 1);
    options.channel = how >> 2 & 1;
    int rc = tern_conn_send(conn, bytes, (size_t)how * 300, &options, w->pair.now);
    FUZZ_CHECK(rc <= 0);
}

static void write(struct world *w, size_t end, uint8_t how)
{
    static const uint8_t bytes[4000];
    tern_stream **stream = &w->streams[end];
    if (*stream == NULL || (how & 1) != 0) {
        tern_stream_kind kind = how & 2 ? TERN_STREAM_UNI : TERN_STREAM_BIDI;
        if (tern_conn_open_stream(w->pair.conns[end], kind, stream) != 0) {
            return;
        }
    }
    ptrdiff_t n = tern_stream_write(*stream, bytes, (size_t)how * 250, how & 4 ? TERN_FIN : 0);
    FUZZ_CHECK(n <= (ptrdiff_t)how * 250);
}

static void act(struct world *w, size_t end, uint8_t how)
{
    tern_conn *conn = w->pair.conns[end];
    tern_addr moved = {.family = 4, .ip = {10, 0, 1, PAIR_CLIENT}, .port = 4000};
    if (conn == NULL) {
        return;
    }
    if (how == 15) {
        tern_conn_close(conn, 1, "enough");
    } else if (how == 14) {
        FUZZ_CHECK(tern_conn_rekey(conn) <= 0);
    } else if (how == 13) {
        FUZZ_CHECK(tern_conn_migrate(conn, &moved) <= 0);
    } else if (how >= 8) {
        say(w, end, how);
    } else {
        write(w, end, how);
    }
}

/* Bits 0 to 2 which, bit 3 towards whom, the others how. */
static void step(struct world *w)
{
    struct pair *pair = &w->pair;
    struct pair_packet packet;
    uint8_t op = fuzz_u8(&pair->in), how = op >> 4;
    size_t to = op >> 3 & 1;
    if ((op & 7) < 4) {
        if (pair_take(pair, to, how & 1, &packet)) {
            reseal(pair, to, &packet, op & 3);
            pair_deliver(pair, to, &packet, 0);
        }
        pair->now += (tern_time)(how >> 1) * TERN_MSEC;
        pair_settle(pair);
    } else if ((op & 7) < 6) {
        act(w, to, how);
        pair_settle(pair);
    } else {
        pair_step(pair, fuzz_u8(&pair->in));
    }
}

/* They have met, and the client comes back with its ticket and early data. */
static void come_back(struct world *w, tern_peer *peer)
{
    struct pair *pair = &w->pair;
    pair_run(pair, TERN_SEC);
    if (pair->conns[PAIR_CLIENT] != NULL) {
        tern_conn_close(pair->conns[PAIR_CLIENT], 0, NULL);
    }
    pair_run(pair, 10 * TERN_SEC);
    peer->ticket = w->ticket;
    peer->ticket_len = w->ticket_len;
    peer->ticket_age = 10 * TERN_SEC;
    pair_connect(pair, peer);
    write(w, PAIR_CLIENT, 7);
    FUZZ_CHECK(w->streams[PAIR_CLIENT] == NULL ||
               tern_stream_set_early(w->streams[PAIR_CLIENT]) == 0);
    pair_settle(pair);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world w;
    tern_peer peer;
    memset(&w, 0, sizeof w);
    pair_init(&w.pair, data, size);
    w.pair.user = &w;
    w.pair.on_event = on_event;
    uint8_t shape = fuzz_u8(&w.pair.in);
    for (size_t i = 0; i < 2; i++) {
        tern_config *config = &w.pair.config[i];
        config->stream_window = config->stream_window_max = 16384;
        config->conn_window = config->conn_window_max = 32768;
        config->max_streams_bidi = config->max_streams_uni = 6;
        config->max_message = 8192;
        config->max_channels = 100;
        config->message_window = config->message_queue = 16384;
        config->clock = (shape & 1) != 0;
        config->early_data = i == PAIR_SERVER;
        config->suites = (shape & 2) != 0 ? TERN_SUITE_CHACHA20_POLY1305 : TERN_SUITE_ANY;
    }
    pair_open(&w.pair);
    tern_peer_init(&peer);
    peer.key = (shape & 4) != 0 ? w.pair.key : NULL;
    pair_connect(&w.pair, &peer);
    if ((shape & 12) == 12) {
        come_back(&w, &peer);
    } else if ((shape & 8) != 0) {
        pair_run(&w.pair, TERN_SEC);
    }
    for (int i = 0; i < STEPS_MAX && w.pair.in.left > 0; i++) {
        step(&w);
    }
    pair_run(&w.pair, 300 * TERN_MSEC);
    pair_close(&w.pair);
    return 0;
}
