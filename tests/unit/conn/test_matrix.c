/* Every frame in every packet in every state of both roles: a defined outcome each (RFC 9000 table 3, [P §6.2]); and
 * every form of a type that is none.
 * SPDX-License-Identifier: MIT */
#include <time.h>

#include "conn/handle.h"
#include "conn/handshake.h"
#include "conn/rest.h"
#include "conn/resume.h"
#include "conn_kit.h"
#include "wire/decode.h"
#include "wire/frame.h"

/* --- the table ------------------------------------------------------------------------------------ */

/* What becomes of the one who receives it. */
enum outcome {
    NOTHING, /* as if it had not come */
    TAKEN,
    DRAINS,
    VIOLATION, /* closed with PROTOCOL_VIOLATION */
    ENCODING   /* closed with FRAME_ENCODING_ERROR */
};

static const enum tern_packet_type packet_types[] = {TERN_PACKET_INITIAL, TERN_PACKET_ZERO_RTT,
                                                     TERN_PACKET_HANDSHAKE, TERN_PACKET_ONE_RTT};

/* Where a type may stand, as RFC 9000 table 3 says it; what happens in a packet where it may, and in any if it
 * is not well-formed. 's' stands for a stream of the sender's, 'a' for a number to acknowledge. */
static const struct row {
    uint8_t frame[64];
    size_t len;
    char packets[5];
    enum outcome at_client, at_server;
} rows[] = {
    {{0x00}, 1, "IH01", TAKEN, TAKEN},
    {{0x01}, 1, "IH01", TAKEN, TAKEN},
    {{0x02, 'a', 0, 0, 0}, 5, "IH_1", TAKEN, TAKEN},
    {{0x03, 'a', 0, 0, 0, 0, 0, 0}, 8, "IH_1", TAKEN, TAKEN},
    {{0x04, 's', 0, 0}, 4, "__01", TAKEN, TAKEN},
    {{0x05, 's', 0}, 3, "__01", TAKEN, TAKEN},
    {{0x06, 0, 4, 0xff, 0xff, 0xff, 0xff}, 7, "IH_1", TAKEN, TAKEN},
    {{0x07, 2, 1, 2}, 4, "___1", TAKEN, VIOLATION},
    {{0x08, 's', 1}, 3, "__01", TAKEN, TAKEN},
    {{0x09, 's', 1}, 3, "__01", TAKEN, TAKEN},
    {{0x0a, 's', 1, 1}, 4, "__01", TAKEN, TAKEN},
    {{0x0b, 's', 1, 1}, 4, "__01", TAKEN, TAKEN},
    {{0x0c, 's', 0, 1}, 4, "__01", TAKEN, TAKEN},
    {{0x0d, 's', 0, 1}, 4, "__01", TAKEN, TAKEN},
    {{0x0e, 's', 0, 1, 1}, 5, "__01", TAKEN, TAKEN},
    {{0x0f, 's', 0, 1, 1}, 5, "__01", TAKEN, TAKEN},
    {{0x10, 20}, 2, "__01", TAKEN, TAKEN},
    {{0x11, 's', 20}, 3, "__01", TAKEN, TAKEN},
    {{0x12, 20}, 2, "__01", TAKEN, TAKEN},
    {{0x13, 20}, 2, "__01", TAKEN, TAKEN},
    {{0x14, 20}, 2, "__01", TAKEN, TAKEN},
    {{0x15, 's', 20}, 3, "__01", TAKEN, TAKEN},
    {{0x16, 20}, 2, "__01", TAKEN, TAKEN},
    {{0x17, 20}, 2, "__01", TAKEN, TAKEN},
    {{0x18, 9, 9, 8, 1, 2, 3}, 28, "__01", TAKEN, TAKEN},
    {{0x19, 60}, 2, "___1", VIOLATION, VIOLATION}, /* never given */
    {{0x1a, 1}, 9, "__01", TAKEN, TAKEN},
    {{0x1b, 1}, 9, "___1", TAKEN, TAKEN},
    {{0x1c, 0, 0, 0}, 4, "IH01", DRAINS, DRAINS},
    {{0x1d, 0, 0}, 3, "__01", DRAINS, DRAINS},
    {{0x1e}, 1, "___1", TAKEN, VIOLATION},
    {{0x1f}, 1, "___1", TAKEN, TAKEN},
    {{0x38, 1, 9}, 34, "___1", VIOLATION, TAKEN}, /* the client did not ask */
    {{0x39, 9}, 2, "___1", TAKEN, TAKEN},
    {{0x40, 0xaf, 0, 2, 0x80, 0, 0x61, 0xa8, 1}, 9, "___1", TAKEN, TAKEN},
    {{0x40, 0x01}, 2, "IH01", VIOLATION, VIOLATION}, /* a PING in a longer form */
    {{0x20, 0, 0, 1, 1}, 5, "___1", TAKEN, TAKEN},
    {{0x21, 0, 0, 1, 1}, 5, "___1", TAKEN, TAKEN},
    {{0x22, 0, 0, 0, 2, 1, 1}, 7, "___1", TAKEN, TAKEN},
    {{0x23, 0, 0, 0, 2, 1, 1}, 7, "___1", TAKEN, TAKEN},
    {{0x24, 0, 0, 1, 1}, 5, "___1", VIOLATION, VIOLATION}, /* ordered without credit */
    {{0x25, 0, 0, 1, 1}, 5, "___1", TAKEN, TAKEN},
    {{0x26, 0, 0, 0, 2, 1, 1}, 7, "___1", VIOLATION, VIOLATION},
    {{0x27, 0, 0, 0, 2, 1, 1}, 7, "___1", TAKEN, TAKEN},
    {{0x28, 0, 0, 1, 1}, 5, "___1", TAKEN, TAKEN},
    {{0x29, 0, 0, 1, 1}, 5, "IH01", ENCODING, ENCODING}, /* latest with credit */
    {{0x2a, 0, 0, 0, 2, 1, 1}, 7, "___1", TAKEN, TAKEN},
    {{0x2b, 0, 0, 0, 2, 1, 1}, 7, "IH01", ENCODING, ENCODING},
    {{0x2c, 0, 1, 0, 1, 0x40, 0x40}, 7, "___1", TAKEN, TAKEN},
    {{0x2d, 20}, 2, "___1", TAKEN, TAKEN},
    {{0x2f, 0}, 2, "IH01", ENCODING, ENCODING},
    {{0x2e, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0}, 11, "___1", TAKEN, TAKEN},
    {{0x2e, 0}, 2, "IH01", ENCODING, ENCODING}, /* cut short */
    {{0x3f, 0}, 2, "IH01", ENCODING, ENCODING},
};

/* The life of a connection, [P §10.1], and within it what makes a difference to what may come. */
enum stage {
    CLIENT_BEGAN,     /* handshaking: message 1 has left */
    CLIENT_TRIES,     /* ... and early data with it */
    CLIENT_READ_2,    /* established: complete, not confirmed */
    CLIENT_UNPROVED,  /* ... with a secret that the server has yet to show to know */
    CLIENT_CONFIRMED, /* HANDSHAKE_DONE has come */
    CLIENT_RESTS,     /* ... and long since nothing else */
    CLIENT_CLOSING,
    CLIENT_DRAINING,
    CLIENT_CLOSED,
    SERVER_NEW,       /* handshaking: message 1 is being looked at */
    SERVER_READ_1,    /* message 2 has left */
    SERVER_TAKES,     /* ... and early data is welcome */
    SERVER_CONFIRMED, /* established */
    SERVER_RESTS,
    SERVER_CLOSING,
    SERVER_DRAINING,
    SERVER_CLOSED
};

/* Packets that it can open there. */
static const char *const opens[] = {
    [CLIENT_BEGAN] = "I___",     [CLIENT_TRIES] = "I___",     [CLIENT_READ_2] = "_H_1",
    [CLIENT_UNPROVED] = "_H_1",  [CLIENT_CONFIRMED] = "___1", [CLIENT_RESTS] = "___1",
    [CLIENT_CLOSING] = "____",   [CLIENT_DRAINING] = "____",  [CLIENT_CLOSED] = "____",
    [SERVER_NEW] = "I___",       [SERVER_READ_1] = "IH__",    [SERVER_TAKES] = "IH0_",
    [SERVER_CONFIRMED] = "___1", [SERVER_RESTS] = "___1",     [SERVER_CLOSING] = "____",
    [SERVER_DRAINING] = "____",  [SERVER_CLOSED] = "____",
};

static bool has_packet(const char *packets, enum tern_packet_type type)
{
    static const char letters[] = {[TERN_PACKET_INITIAL] = 'I',
                                   [TERN_PACKET_ZERO_RTT] = '0',
                                   [TERN_PACKET_HANDSHAKE] = 'H',
                                   [TERN_PACKET_ONE_RTT] = '1'};
    return strchr(packets, letters[type]) != NULL;
}

static bool is_of_server(enum stage stage)
{
    return stage >= SERVER_NEW;
}

/* In a packet that opened and is believed. */
static enum outcome in_packet(enum stage stage, enum tern_packet_type type, const struct row *row)
{
    enum outcome outcome = is_of_server(stage) ? row->at_server : row->at_client;
    return outcome == ENCODING || has_packet(row->packets, type) ? outcome : VIOLATION;
}

static enum outcome expected(enum stage stage, enum tern_packet_type type, const struct row *row)
{
    if (!has_packet(opens[stage], type) || type == TERN_PACKET_INITIAL) {
        return NOTHING; /* nothing is believed in an Initial packet without its message */
    }
    if (type == TERN_PACKET_HANDSHAKE && is_of_server(stage)) {
        if (row->frame[0] == TERN_FRAME_CRYPTO) {
            return NOTHING; /* no message 3: as if it had not come */
        }
        if (row->frame[0] == TERN_FRAME_ACK || row->frame[0] == TERN_FRAME_ACK_ECN) {
            return VIOLATION; /* it has sent nothing at this level */
        }
    }
    return in_packet(stage, type, row);
}

/* --- getting there -------------------------------------------------------------------------------- */

static struct ck k;
static struct ck_flight flight;
static uint8_t secret[TERN_SECRET_SIZE] = {7};

/* Who is spoken to, and what speaking takes: of a connection at rest it is not to be seen. */
static struct subject {
    struct tern_conn *conn;
    struct tern_cid scid; /* that the other has, or says that it has */
    struct {
        struct tern_packet_keys keys;
        uint64_t pn, acked;
    } level[4]; /* by type of packet, 1-RTT in place of Retry */
} subject;

static size_t slot_of(enum tern_packet_type type)
{
    return type == TERN_PACKET_ONE_RTT ? 3 : (size_t)type;
}

static enum tern_level level_of(enum tern_packet_type type)
{
    return type == TERN_PACKET_INITIAL     ? TERN_LEVEL_INITIAL
           : type == TERN_PACKET_HANDSHAKE ? TERN_LEVEL_HANDSHAKE
                                           : TERN_LEVEL_APP;
}

/* The keys of who sends to it, which are those that it reads with; where it has none, any. */
static struct tern_packet_keys keys_to(const struct tern_conn *to, enum tern_packet_type type)
{
    const struct tern_space *space = &to->spaces[level_of(type)];
    struct tern_packet_keys keys;
    if (type == TERN_PACKET_ZERO_RTT && to->handshake != NULL && to->handshake->early_rx != NULL) {
        return to->handshake->early_rx->keys;
    }
    if (type != TERN_PACKET_ZERO_RTT && tern_space_is_live(space)) {
        return space->keys->rx;
    }
    assert_int_equal(tern_packet_keys_init(&keys, TERN_SUITE_CHACHA20_POLY1305, secret), 0);
    return keys;
}

static struct subject *look_at(struct tern_conn *conn)
{
    subject.conn = conn;
    subject.scid = *tern_cids_remote(&conn->cids);
    tern_handshake_install_due(conn); /* it would, when the packet comes */
    for (size_t i = 0; i < TERN_COUNT_OF(packet_types); i++) {
        const struct tern_space *space = &conn->spaces[level_of(packet_types[i])];
        uint64_t next = space->loss.sent.next_pn;
        size_t slot = slot_of(packet_types[i]);
        subject.level[slot].keys = keys_to(conn, packet_types[i]);
        subject.level[slot].pn = space->has_opened ? space->largest_opened + 1 : 3;
        subject.level[slot].acked = next > 0 ? next - 1 : 0;
    }
    return &subject;
}

static void leave(void)
{
    struct ck_side *s = &k.side[CK_SERVER];
    tern_conn_free(s->conn);
    s->conn = NULL;
    tern_tickets_free(s->env.tickets, &s->mem);
    s->env.tickets = NULL;
    assert_int_equal(ck_clear(&k), 0);
}

/* A first visit, and a second with its ticket. */
static void come_again(tern_peer *peer)
{
    struct ck_side *client = &k.side[CK_CLIENT], *server = &k.side[CK_SERVER];
    uint8_t ticket[600];
    assert_int_equal(tern_tickets_new(&server->env.tickets, &server->mem, &server->random, k.now),
                     0);
    ck_ready(&k);
    peer->ticket_len = client->conn->ticket_len;
    assert_in_range(peer->ticket_len, 1, sizeof ticket);
    memcpy(ticket, client->conn->ticket, peer->ticket_len);
    peer->ticket = ticket;
    for (size_t i = 0; i < 2; i++) {
        tern_conn_free(k.side[i].conn);
        k.side[i].conn = NULL;
    }
    assert_int_equal(tern_conn_new_client(&client->conn, &client->env, peer, k.now), 0);
    assert_int_equal(client->conn->early, TERN_EARLY_PENDING);
}

static void say_message_1(enum stage stage)
{
    struct ck_side *server = &k.side[CK_SERVER];
    tern_peer peer;
    tern_peer_init(&peer);
    peer.addr = server->addr;
    peer.key = server->env.public_key;
    if (stage == CLIENT_TRIES || stage == SERVER_TAKES) {
        come_again(&peer);
        return;
    }
    if (stage == CLIENT_UNPROVED) {
        memcpy(server->env.modes.secret, secret, sizeof secret);
        server->env.modes.has_secret = true;
        peer.secret = secret;
    }
    assert_int_equal(
        tern_conn_new_client(&k.side[CK_CLIENT].conn, &k.side[CK_CLIENT].env, &peer, k.now), 0);
}

/* In `flight` is what the other has answered. */
static struct subject *reach_handshake(enum stage stage)
{
    say_message_1(stage);
    ck_take(&k, CK_CLIENT, &flight);
    if (stage == SERVER_NEW) {
        assert_int_equal(ck_accept(&k, flight.data[0], flight.len[0]), 0);
        return look_at(k.side[CK_SERVER].conn);
    }
    ck_give(&k, CK_SERVER, &flight, 0);
    ck_take(&k, CK_SERVER, &flight);
    if (stage == CLIENT_READ_2 || stage == CLIENT_UNPROVED || stage == SERVER_READ_1) {
        ck_give(&k, CK_CLIENT, &flight, 0);
        ck_take(&k, CK_CLIENT, &flight);
    }
    struct tern_conn *server = k.side[CK_SERVER].conn, *client = k.side[CK_CLIENT].conn;
    assert_int_equal(server->early == TERN_EARLY_ACCEPTED,
                     stage == SERVER_TAKES || stage == CLIENT_TRIES);
    assert_int_equal(client->awaits_proof, stage == CLIENT_UNPROVED);
    return look_at(is_of_server(stage) ? server : client);
}

static struct subject *reach_rest(int side)
{
    struct tern_conn *conn = k.side[side].conn;
    struct subject *it = look_at(conn);
    tern_rest_init_env(&k.side[side].env);
    k.now += 5 * TERN_SEC;
    tern_rest_settle(conn, k.now);
    assert_non_null(conn->rest);
    return it;
}

static struct subject *reach_end(enum stage stage, int side)
{
    bool is_ours = stage == CLIENT_CLOSING || stage == SERVER_CLOSING;
    struct tern_conn *conn = k.side[side].conn;
    struct subject *it = look_at(conn);
    tern_conn_close(k.side[is_ours ? side : 1 - side].conn, 0, NULL);
    if (is_ours) {
        (void)ck_lose(&k, side);
        assert_int_equal(conn->life.state, TERN_LIFE_CLOSING);
        return it;
    }
    (void)ck_carry(&k, 1 - side);
    assert_int_equal(conn->life.state, TERN_LIFE_DRAINING);
    if (stage == CLIENT_CLOSED || stage == SERVER_CLOSED) {
        k.now = tern_conn_deadline(conn, k.now);
        tern_conn_tick(conn, k.now);
        assert_int_equal(conn->life.state, TERN_LIFE_CLOSED);
    }
    return it;
}

static struct subject *reach(enum stage stage)
{
    int side = is_of_server(stage) ? CK_SERVER : CK_CLIENT;
    ck_init(&k);
    k.side[CK_CLIENT].config.clock = k.side[CK_SERVER].config.clock = true;
    if (stage <= CLIENT_UNPROVED || (is_of_server(stage) && stage <= SERVER_TAKES)) {
        return reach_handshake(stage);
    }
    ck_ready(&k);
    if (stage == CLIENT_CONFIRMED || stage == SERVER_CONFIRMED) {
        return look_at(k.side[side].conn);
    }
    return stage == CLIENT_RESTS || stage == SERVER_RESTS ? reach_rest(side)
                                                          : reach_end(stage, side);
}

/* --- speaking ------------------------------------------------------------------------------------- */

/* With more bits of the first byte set, under the mask and the tag. */
static void send_with(struct subject *to, enum tern_packet_type type, uint8_t bits,
                      const uint8_t *payload, size_t len)
{
    uint8_t out[2000], mask[TERN_MASK_SIZE];
    struct tern_writer w;
    size_t slot = slot_of(type);
    struct tern_packet_keys *keys = &to->level[slot].keys;
    const struct tern_cid *dcid = &to->conn->cids.local[0].cid;
    uint64_t pn = to->level[slot].pn;
    tern_writer_init(&w, out, sizeof out);
    if (type == TERN_PACKET_ONE_RTT) {
        tern_header_encode_short(&w, dcid, false, pn, 4);
    } else {
        tern_header_encode_long(&w, type, dcid, &to->scid, NULL, 0, pn, 4, len + 16);
    }
    size_t header = tern_writer_used(&w);
    assert_true(len + 16 <= sizeof out - header);
    tern_write_bytes(&w, payload, len);
    out[0] |= bits;
    assert_int_equal(tern_packet_seal(keys, 0, pn, out, header, out + header, len), 0);
    tern_aead_mask(&keys->mask, out + header, mask);
    tern_header_mask(out, header - 4, 4, mask);
    int side = to->conn->is_server ? CK_SERVER : CK_CLIENT;
    ck_give_from(&k, side, &k.side[1 - side].addr, out, header + len + 16);
}

static enum outcome outcome_of(const struct tern_conn *conn, enum tern_life_state before,
                               const struct tern_conn_counters *counters)
{
    if (conn->life.state != before && tern_life_is_over(&conn->life)) {
        assert_int_not_equal(conn->life.state, TERN_LIFE_CLOSED);
        return conn->life.state == TERN_LIFE_DRAINING ? DRAINS
               : conn->life.code == 0x0a              ? VIOLATION
               : conn->life.code == 0x07              ? ENCODING
                                                      : NOTHING;
    }
    bool is_received = conn->counters.packets_received > counters->packets_received;
    bool is_dropped = conn->counters.packets_dropped > counters->packets_dropped;
    return is_received && !is_dropped ? TAKEN : NOTHING;
}

static enum outcome send_payload(struct subject *to, enum tern_packet_type type, uint8_t bits,
                                 const uint8_t *payload, size_t len)
{
    struct tern_conn_counters counters = to->conn->counters;
    enum tern_life_state before = to->conn->life.state;
    send_with(to, type, bits, payload, len);
    return outcome_of(to->conn, before, &counters);
}

static size_t write_frame(uint8_t out[64], const struct subject *to, enum tern_packet_type type,
                          const struct row *row)
{
    memcpy(out, row->frame, sizeof row->frame);
    if (out[1] == 's') {
        out[1] = to->conn->is_server ? 0 : 1;
    } else if (out[1] == 'a') {
        out[1] = (uint8_t)to->level[slot_of(type)].acked;
    }
    return row->len;
}

static void assert_outcome(enum outcome outcome, enum outcome want, enum tern_packet_type type,
                           const struct row *row)
{
    if (outcome != want) {
        print_message("packet %d, frame %02x: %d in place of %d\n", (int)type, row->frame[0],
                      (int)outcome, (int)want);
    }
    assert_int_equal(outcome, want);
}

/* Each row of the table in each type of packet, each time to a connection that has just come there. */
static void every_frame(enum stage stage)
{
    for (size_t i = 0; i < TERN_COUNT_OF(packet_types) * TERN_COUNT_OF(rows); i++) {
        enum tern_packet_type type = packet_types[i % TERN_COUNT_OF(packet_types)];
        const struct row *row = &rows[i / TERN_COUNT_OF(packet_types)];
        struct subject *to = reach(stage);
        uint8_t frame[64];
        size_t len = write_frame(frame, to, type, row);
        assert_outcome(send_payload(to, type, 0, frame, len), expected(stage, type, row), type,
                       row);
        leave();
    }
}

/* --- one test a state ----------------------------------------------------------------------------- */

static void client_that_began(void **state)
{
    (void)state;
    every_frame(CLIENT_BEGAN);
}

static void client_that_tries_early_data(void **state)
{
    (void)state;
    every_frame(CLIENT_TRIES);
}

static void client_that_is_complete(void **state)
{
    (void)state;
    every_frame(CLIENT_READ_2);
}

static void client_that_awaits_a_proof(void **state)
{
    (void)state;
    every_frame(CLIENT_UNPROVED);
}

static void client_that_is_confirmed(void **state)
{
    (void)state;
    every_frame(CLIENT_CONFIRMED);
}

static void client_at_rest(void **state)
{
    (void)state;
    every_frame(CLIENT_RESTS);
}

static void client_that_is_closing(void **state)
{
    (void)state;
    every_frame(CLIENT_CLOSING);
}

static void client_that_is_draining(void **state)
{
    (void)state;
    every_frame(CLIENT_DRAINING);
}

static void client_that_is_closed(void **state)
{
    (void)state;
    every_frame(CLIENT_CLOSED);
}

static void server_that_is_new(void **state)
{
    (void)state;
    every_frame(SERVER_NEW);
}

static void server_that_has_answered(void **state)
{
    (void)state;
    every_frame(SERVER_READ_1);
}

static void server_that_takes_early_data(void **state)
{
    (void)state;
    every_frame(SERVER_TAKES);
}

static void server_that_is_confirmed(void **state)
{
    (void)state;
    every_frame(SERVER_CONFIRMED);
}

static void server_at_rest(void **state)
{
    (void)state;
    every_frame(SERVER_RESTS);
}

static void server_that_is_closing(void **state)
{
    (void)state;
    every_frame(SERVER_CLOSING);
}

static void server_that_is_draining(void **state)
{
    (void)state;
    every_frame(SERVER_DRAINING);
}

static void server_that_is_closed(void **state)
{
    (void)state;
    every_frame(SERVER_CLOSED);
}

/* --- beside a message of the handshake ------------------------------------------------------------ */

/* The true packet of this type that is on its way to it: its frames, without padding. */
static size_t true_payload(struct subject *to, enum tern_packet_type type, uint8_t out[1500])
{
    struct tern_header header;
    struct tern_opened opened;
    struct tern_reader r;
    uint8_t *at = flight.data[0];
    size_t left = flight.len[0], len = 0;
    do {
        assert_int_equal(tern_header_decode(&header, at, left, TERN_CID_SIZE), 0);
        at += header.packet_len;
        left -= header.packet_len;
    } while (header.type != type);
    to->scid = header.scid;
    assert_int_equal(tern_packet_unseal(&opened, &header, at - header.packet_len,
                                        &to->level[slot_of(type)].keys, 0),
                     0);
    tern_reader_init(&r, opened.payload, opened.payload_len);
    while (tern_reader_left(&r) > 0) {
        struct tern_frame frame;
        const uint8_t *from = r.at;
        assert_int_equal(tern_frame_decode(&frame, &r), 0);
        if (frame.type != TERN_FRAME_PADDING) {
            memcpy(out + len, from, (size_t)(r.at - from));
            len += (size_t)(r.at - from);
        }
    }
    return len;
}

/* In front of the message nothing is believed yet, and what is wrong takes it along; behind it, all counts. */
static enum outcome expected_beside(enum stage stage, enum tern_packet_type type, bool is_behind,
                                    const struct row *row)
{
    enum outcome outcome = in_packet(stage, type, row);
    bool is_bytes = row->frame[0] == TERN_FRAME_CRYPTO;
    bool is_ack = row->frame[0] == TERN_FRAME_ACK || row->frame[0] == TERN_FRAME_ACK_ECN;
    if (is_bytes && !is_behind) {
        return NOTHING; /* it spoils the message */
    }
    if (is_ack && is_of_server(stage)) {
        outcome = VIOLATION; /* of a server that has sent nothing at this level */
    }
    if (type != TERN_PACKET_INITIAL) {
        return outcome;
    }
    if (outcome == DRAINS) {
        return TAKEN; /* anybody may have said it: a hint */
    }
    return is_behind || outcome == TAKEN || is_ack ? outcome : NOTHING;
}

static void every_frame_beside(enum stage stage, enum tern_packet_type type)
{
    for (size_t i = 0; i < 2 * TERN_COUNT_OF(rows); i++) {
        const struct row *row = &rows[i / 2];
        bool is_behind = i % 2 == 1;
        struct subject *to = reach(stage);
        uint8_t message[1500], payload[1600], frame[64];
        size_t message_len = true_payload(to, type, message);
        size_t len = write_frame(frame, to, type, row);
        memcpy(payload, is_behind ? message : frame, is_behind ? message_len : len);
        memcpy(payload + (is_behind ? message_len : len), is_behind ? frame : message,
               is_behind ? len : message_len);
        assert_outcome(send_payload(to, type, 0, payload, message_len + len),
                       expected_beside(stage, type, is_behind, row), type, row);
        leave();
    }
}

static void beside_message_1(void **state)
{
    (void)state;
    every_frame_beside(SERVER_NEW, TERN_PACKET_INITIAL);
}

static void beside_message_2(void **state)
{
    (void)state;
    every_frame_beside(CLIENT_BEGAN, TERN_PACKET_INITIAL);
}

static void beside_message_3(void **state)
{
    (void)state;
    every_frame_beside(SERVER_READ_1, TERN_PACKET_HANDSHAKE);
}

/* --- the table itself ----------------------------------------------------------------------------- */

/* No type can be forgotten: each that the library knows has a row, which says the same of where it may stand. */
static void every_type_has_its_row(void **state)
{
    (void)state;
    for (uint64_t type = 0; type < 1024; type++) {
        const struct tern_frame_rule *rule = tern_frame_rule(type);
        unsigned found = 0;
        for (size_t i = 0; i < TERN_COUNT_OF(rows); i++) {
            const uint8_t *frame = rows[i].frame;
            uint64_t of = frame[0] < 0x40 ? frame[0] : (uint64_t)(frame[0] & 0x3f) << 8 | frame[1];
            unsigned packets = 0;
            for (size_t j = 0; j < TERN_COUNT_OF(packet_types); j++) {
                packets |= has_packet(rows[i].packets, packet_types[j]) ? 1u << packet_types[j] : 0;
            }
            if (of == type && rows[i].at_client != ENCODING && rule != NULL) {
                assert_int_equal(packets,
                                 rule->packets & (TERN_FRAME_IN_HALF - 1)); /* those: test_half */
                found++;
            } else if (of == type && rule != NULL) {
                found++; /* of the forms of a known type, one that is not allowed */
            }
        }
        assert_int_equal(found > 0, rule != NULL);
    }
}

/* RFC 9000 §17.2, §17.3.1: the two reserved bits are 0 where the tag is right. The spin bit means nothing to us. */
static void reserved_bits_are_a_violation(void **state)
{
    static const struct {
        enum stage stage;
        enum tern_packet_type type;
        uint8_t bits;
        enum outcome outcome;
    } cases[] = {
        {CLIENT_CONFIRMED, TERN_PACKET_ONE_RTT, 0x08, VIOLATION},
        {CLIENT_CONFIRMED, TERN_PACKET_ONE_RTT, 0x10, VIOLATION},
        {SERVER_CONFIRMED, TERN_PACKET_ONE_RTT, 0x18, VIOLATION},
        {SERVER_CONFIRMED, TERN_PACKET_ONE_RTT, 0x20, TAKEN},
        {SERVER_TAKES, TERN_PACKET_ZERO_RTT, 0x04, VIOLATION},
        {CLIENT_READ_2, TERN_PACKET_HANDSHAKE, 0x04, VIOLATION},
        {CLIENT_READ_2, TERN_PACKET_HANDSHAKE, 0x08, VIOLATION},
        {CLIENT_BEGAN, TERN_PACKET_INITIAL, 0x0c, NOTHING}, /* anybody can seal one */
    };
    static const uint8_t ping[4] = {0x01};
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(cases); i++) {
        struct subject *to = reach(cases[i].stage);
        enum outcome outcome = send_payload(to, cases[i].type, cases[i].bits, ping, sizeof ping);
        assert_int_equal(outcome, cases[i].outcome);
        leave();
    }
}

/* --- types that are none -------------------------------------------------------------------------- */

static int take(struct tern_conn *conn, const uint8_t *payload, size_t len)
{
    tern_datagram in = {.local = k.side[CK_SERVER].addr, .remote = k.side[CK_CLIENT].addr};
    struct tern_handle handle = {.conn = conn,
                                 .level = TERN_LEVEL_APP,
                                 .packet_type = TERN_PACKET_ONE_RTT,
                                 .dcid = conn->cids.local[0].cid,
                                 .in = &in,
                                 .in_len = 1200};
    return tern_handle_payload(&handle, payload, len, k.now);
}

static size_t write_type(uint8_t out[8], unsigned size_log2, uint64_t type)
{
    size_t size = (size_t)1 << size_log2;
    for (size_t i = 0; i < size; i++) {
        out[i] = (uint8_t)(type >> 8 * (size - 1 - i));
    }
    out[0] = (uint8_t)((out[0] & 0x3f) | size_log2 << 6);
    return size;
}

/* A type that is unknown, too long for its value, or cut at any byte; alone and behind a PING. (In HAProxy one
 * was read as PADDING, for ever.) */
static void types_that_are_none_are_told_at_once(void **state)
{
    (void)state;
    struct tern_conn *conn = reach(SERVER_CONFIRMED)->conn;
    uint64_t seed = 5, count = 0;
    clock_t start = clock();
    for (unsigned i = 0; i < 40000; i++) {
        uint8_t payload[10] = {0x01};
        uint64_t type = i;
        unsigned log2 = 1 + i % 3;
        if (i >= 20000) {
            ck_random(&seed, (uint8_t *)&type, sizeof type);
        }
        size_t len = write_type(payload + 1, log2, type);
        for (size_t cut = 1; cut <= len; cut++, count++) {
            uint64_t value = type & ((UINT64_C(1) << ((8u << log2) - 2)) - 1);
            bool is_known = value <= 0x2e || value == 0x38 || value == 0x39 || value == 0xaf;
            if (cut == len && log2 == 1 && value == 0xaf) {
                continue; /* its shortest form, without a body */
            }
            int rc = cut == len && is_known ? TERN_ERR_PROTOCOL : TERN_ERR_FRAME_ENCODING;
            assert_int_equal(take(conn, payload, 1 + cut), rc);
            assert_int_equal(take(conn, payload + 1, cut), rc);
        }
    }
    for (unsigned type = 0x20; type < 0x40; type++) {
        if (type == TERN_FRAME_MAX_MESSAGE_DATA) {
            continue; /* whole with one byte */
        }
        uint8_t payload[2] = {(uint8_t)type, 0};
        /* a CLOCK is whole with one byte, too */
        int rc = type == TERN_FRAME_CLOCK ? 0 : TERN_ERR_FRAME_ENCODING;
        assert_int_equal(take(conn, payload, 2), rc);
    }
    double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    assert_true(seconds / (2 * (double)count) < 10e-6);
    leave();
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(client_that_began),
    cmocka_unit_test(client_that_tries_early_data),
    cmocka_unit_test(client_that_is_complete),
    cmocka_unit_test(client_that_awaits_a_proof),
    cmocka_unit_test(client_that_is_confirmed),
    cmocka_unit_test(client_at_rest),
    cmocka_unit_test(client_that_is_closing),
    cmocka_unit_test(client_that_is_draining),
    cmocka_unit_test(client_that_is_closed),
    cmocka_unit_test(server_that_is_new),
    cmocka_unit_test(server_that_has_answered),
    cmocka_unit_test(server_that_takes_early_data),
    cmocka_unit_test(server_that_is_confirmed),
    cmocka_unit_test(server_at_rest),
    cmocka_unit_test(server_that_is_closing),
    cmocka_unit_test(server_that_is_draining),
    cmocka_unit_test(server_that_is_closed),
    cmocka_unit_test(beside_message_1),
    cmocka_unit_test(beside_message_2),
    cmocka_unit_test(beside_message_3),
    cmocka_unit_test(every_type_has_its_row),
    cmocka_unit_test(reserved_bits_are_a_violation),
    cmocka_unit_test(types_that_are_none_are_told_at_once),
};

TERN_TEST_MAIN(tests)
