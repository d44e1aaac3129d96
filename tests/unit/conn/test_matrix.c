/* Every frame in every packet in every state: a defined outcome each (RFC 9000 table 3, [P §6.2]); and every
 * form of a type that is none.
 * SPDX-License-Identifier: MIT */
#include <time.h>

#include "conn/handle.h"
#include "conn/handshake.h"
#include "conn_kit.h"
#include "wire/frame.h"

enum stage {
    CLIENT_BEGAN,     /* message 1 has left */
    CLIENT_READ_2,    /* complete, not confirmed */
    CLIENT_CONFIRMED, /* HANDSHAKE_DONE has come */
    CLIENT_CLOSING,
    SERVER_READ_1, /* message 2 has left */
    SERVER_CONFIRMED,
    SERVER_CLOSING,
    SERVER_DRAINING,
    STAGES
};

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

/* Where a type may stand: i 0 h 1, and what is special about it there. */
static const struct row {
    uint8_t
        frame[64]; /* 's' stands for a stream of the sender's, 'a' for a number to acknowledge */
    size_t len;
    bool in_handshake, in_app;
    enum outcome at_client, at_server; /* in 1-RTT */
} rows[] = {
    {{0x00}, 1, true, true, TAKEN, TAKEN},
    {{0x01}, 1, true, true, TAKEN, TAKEN},
    {{0x02, 'a', 0, 0, 0}, 5, true, true, TAKEN, TAKEN},
    {{0x03, 'a', 0, 0, 0, 0, 0, 0}, 8, true, true, TAKEN, TAKEN},
    {{0x04, 's', 0, 0}, 4, false, true, TAKEN, TAKEN},
    {{0x05, 's', 0}, 3, false, true, TAKEN, TAKEN},
    {{0x06, 0, 4, 0xff, 0xff, 0xff, 0xff}, 7, true, true, TAKEN, TAKEN},
    {{0x07, 2, 1, 2}, 4, false, true, TAKEN, VIOLATION},
    {{0x08, 's', 1}, 3, false, true, TAKEN, TAKEN},
    {{0x09, 's', 1}, 3, false, true, TAKEN, TAKEN},
    {{0x0a, 's', 1, 1}, 4, false, true, TAKEN, TAKEN},
    {{0x0b, 's', 1, 1}, 4, false, true, TAKEN, TAKEN},
    {{0x0c, 's', 0, 1}, 4, false, true, TAKEN, TAKEN},
    {{0x0d, 's', 0, 1}, 4, false, true, TAKEN, TAKEN},
    {{0x0e, 's', 0, 1, 1}, 5, false, true, TAKEN, TAKEN},
    {{0x0f, 's', 0, 1, 1}, 5, false, true, TAKEN, TAKEN},
    {{0x10, 20}, 2, false, true, TAKEN, TAKEN},
    {{0x11, 's', 20}, 3, false, true, TAKEN, TAKEN},
    {{0x12, 20}, 2, false, true, TAKEN, TAKEN},
    {{0x13, 20}, 2, false, true, TAKEN, TAKEN},
    {{0x14, 20}, 2, false, true, TAKEN, TAKEN},
    {{0x15, 's', 20}, 3, false, true, TAKEN, TAKEN},
    {{0x16, 20}, 2, false, true, TAKEN, TAKEN},
    {{0x17, 20}, 2, false, true, TAKEN, TAKEN},
    {{0x18, 9, 9, 8, 1, 2, 3}, 28, false, true, TAKEN, TAKEN},
    {{0x19, 60}, 2, false, true, VIOLATION, VIOLATION}, /* never given */
    {{0x1a, 1}, 9, false, true, TAKEN, TAKEN},
    {{0x1b, 1}, 9, false, true, TAKEN, TAKEN},
    {{0x1c, 0, 0, 0}, 4, true, true, DRAINS, DRAINS},
    {{0x1d, 0, 0}, 3, false, true, DRAINS, DRAINS},
    {{0x1e}, 1, false, true, TAKEN, VIOLATION},
    {{0x1f}, 1, false, true, TAKEN, TAKEN},
    {{0x38, 1, 9}, 34, false, true, VIOLATION, TAKEN}, /* the client did not ask */
    {{0x40, 0xaf, 0, 2, 0x80, 0, 0x61, 0xa8, 1}, 9, false, true, TAKEN, TAKEN},
    {{0x40, 0x01}, 2, true, true, VIOLATION, VIOLATION}, /* a PING in a longer form */
    {{0x20, 0, 0, 1, 1}, 5, false, true, TAKEN, TAKEN},
    {{0x21, 0, 0, 1, 1}, 5, false, true, TAKEN, TAKEN},
    {{0x22, 0, 0, 0, 2, 1, 1}, 7, false, true, TAKEN, TAKEN},
    {{0x23, 0, 0, 0, 2, 1, 1}, 7, false, true, TAKEN, TAKEN},
    {{0x24, 0, 0, 1, 1}, 5, false, true, VIOLATION, VIOLATION}, /* ordered without credit */
    {{0x25, 0, 0, 1, 1}, 5, false, true, TAKEN, TAKEN},
    {{0x26, 0, 0, 0, 2, 1, 1}, 7, false, true, VIOLATION, VIOLATION},
    {{0x27, 0, 0, 0, 2, 1, 1}, 7, false, true, TAKEN, TAKEN},
    {{0x28, 0, 0, 1, 1}, 5, false, true, TAKEN, TAKEN},
    {{0x29, 0, 0, 1, 1}, 5, true, true, ENCODING, ENCODING}, /* latest with credit */
    {{0x2a, 0, 0, 0, 2, 1, 1}, 7, false, true, TAKEN, TAKEN},
    {{0x2b, 0, 0, 0, 2, 1, 1}, 7, true, true, ENCODING, ENCODING},
    {{0x2c, 0, 1, 0, 1, 0x40, 0x40}, 7, false, true, TAKEN, TAKEN},
    {{0x2d, 20}, 2, false, true, TAKEN, TAKEN},
    {{0x2f, 0}, 2, true, true, ENCODING, ENCODING},
    {{0x2e, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0}, 11, false, true, TAKEN, TAKEN},
    {{0x2e, 0}, 2, true, true, ENCODING, ENCODING}, /* cut short */
    {{0x3f, 0}, 2, true, true, ENCODING, ENCODING},
};

static struct ck k;

static struct tern_conn *reach(enum stage stage)
{
    static struct ck_flight flight;
    ck_init(&k);
    if (stage == CLIENT_BEGAN || stage == CLIENT_READ_2 || stage == SERVER_READ_1) {
        assert_int_equal(ck_connect(&k), 0);
        (void)ck_carry(&k, CK_CLIENT);
        ck_take(&k, CK_SERVER, &flight);
        if (stage == CLIENT_READ_2) {
            ck_give(&k, CK_CLIENT, &flight, 0);
            (void)ck_lose(&k, CK_CLIENT);
        }
        return k.side[stage == SERVER_READ_1 ? CK_SERVER : CK_CLIENT].conn;
    }
    ck_ready(&k);
    int side = stage >= SERVER_READ_1 ? CK_SERVER : CK_CLIENT;
    if (stage == CLIENT_CLOSING || stage == SERVER_CLOSING) {
        tern_conn_close(k.side[side].conn, 0, NULL);
        (void)ck_lose(&k, side);
    } else if (stage == SERVER_DRAINING) {
        tern_conn_close(k.side[CK_CLIENT].conn, 0, NULL);
        (void)ck_carry(&k, CK_CLIENT);
    }
    return k.side[side].conn;
}

static enum tern_level level_of(enum tern_packet_type type)
{
    return type == TERN_PACKET_INITIAL     ? TERN_LEVEL_INITIAL
           : type == TERN_PACKET_HANDSHAKE ? TERN_LEVEL_HANDSHAKE
                                           : TERN_LEVEL_APP;
}

/* The keys of who sends to it, which are those that it reads with; where it has none, any. */
static struct tern_packet_keys keys_to(struct tern_conn *to, enum tern_packet_type type)
{
    static const uint8_t secret[TERN_SECRET_SIZE] = {1};
    const struct tern_space *space = &to->spaces[level_of(type)];
    struct tern_packet_keys keys;
    if (type == TERN_PACKET_HANDSHAKE) {
        tern_handshake_install_due(to); /* it would, when the packet comes */
    }
    if (type != TERN_PACKET_ZERO_RTT && tern_space_is_live(space)) {
        return space->keys->rx;
    }
    assert_int_equal(tern_packet_keys_init(&keys, TERN_SUITE_CHACHA20_POLY1305, secret), 0);
    return keys;
}

static uint64_t next_number(const struct tern_conn *to, enum tern_level level)
{
    const struct tern_space *space = &to->spaces[level];
    return space->has_opened ? space->largest_opened + 1 : 3;
}

/* With more bits of the first byte set, under the mask and the tag. */
static void send_with(struct tern_conn *to, enum tern_packet_type type, uint8_t bits,
                      const uint8_t *frame, size_t len)
{
    uint8_t out[200], mask[TERN_MASK_SIZE];
    struct tern_writer w;
    struct tern_packet_keys keys = keys_to(to, type);
    const struct tern_cid *dcid = &to->cids.local[0].cid, *scid = tern_cids_remote(&to->cids);
    uint64_t pn = next_number(to, level_of(type));
    tern_writer_init(&w, out, sizeof out);
    if (type == TERN_PACKET_ONE_RTT) {
        tern_header_encode_short(&w, dcid, false, pn, 4);
    } else {
        tern_header_encode_long(&w, type, dcid, scid, NULL, 0, pn, 4, len + 16);
    }
    size_t header = tern_writer_used(&w);
    tern_write_bytes(&w, frame, len);
    out[0] |= bits;
    assert_int_equal(tern_packet_seal(&keys, 0, pn, out, header, out + header, len), 0);
    tern_aead_mask(&keys.mask, out + header, mask);
    tern_header_mask(out, header - 4, 4, mask);
    int side = to->is_server ? CK_SERVER : CK_CLIENT;
    ck_give_from(&k, side, &k.side[1 - side].addr, out, header + len + 16);
}

static void send_frame(struct tern_conn *to, enum tern_packet_type type, const uint8_t *frame,
                       size_t len)
{
    send_with(to, type, 0, frame, len);
}

static bool has_keys(enum stage stage, enum tern_packet_type type)
{
    switch ((unsigned)stage) {
    case CLIENT_BEGAN:
        return type == TERN_PACKET_INITIAL;
    case CLIENT_READ_2:
        return type == TERN_PACKET_HANDSHAKE || type == TERN_PACKET_ONE_RTT;
    case SERVER_READ_1:
        return type == TERN_PACKET_INITIAL || type == TERN_PACKET_HANDSHAKE;
    case CLIENT_CONFIRMED:
    case SERVER_CONFIRMED:
        return type == TERN_PACKET_ONE_RTT;
    default:
        return false; /* it is over */
    }
}

static enum outcome expected(enum stage stage, enum tern_packet_type type, const struct row *row)
{
    bool is_server = stage >= SERVER_READ_1;
    if (!has_keys(stage, type) || type == TERN_PACKET_INITIAL) {
        return NOTHING; /* nothing is believed in an Initial packet without its message */
    }
    if (type == TERN_PACKET_ONE_RTT) {
        return is_server ? row->at_server : row->at_client;
    }
    if (!row->in_handshake) {
        return VIOLATION;
    }
    if (stage == SERVER_READ_1 && row->frame[0] == 0x06) {
        return NOTHING; /* no message 3: as if it had not come */
    }
    if (stage == SERVER_READ_1 && (row->frame[0] == 0x02 || row->frame[0] == 0x03)) {
        return VIOLATION; /* it has sent nothing at this level yet */
    }
    return is_server ? row->at_server : row->at_client;
}

static enum outcome outcome_of(const struct tern_conn *conn, enum tern_life_state before,
                               enum tern_packet_type type, uint64_t pn)
{
    const struct tern_space *space = &conn->spaces[level_of(type)];
    if (conn->life.state != before) {
        return conn->life.state == TERN_LIFE_DRAINING ? DRAINS
               : conn->life.code == 0x0a              ? VIOLATION
               : conn->life.code == 0x07              ? ENCODING
                                                      : NOTHING;
    }
    return space->has_opened && space->largest_opened == pn ? TAKEN : NOTHING;
}

static size_t write_frame(uint8_t out[64], const struct tern_conn *to, enum tern_level level,
                          const struct row *row)
{
    const struct tern_sent *sent = &to->spaces[level].loss.sent;
    memcpy(out, row->frame, sizeof row->frame);
    if (out[1] == 's') {
        out[1] = to->is_server ? 0 : 1;
    } else if (out[1] == 'a') {
        out[1] = (uint8_t)(sent->next_pn > 0 ? sent->next_pn - 1 : 0);
    }
    return row->len;
}

static void every_frame_everywhere(void **state)
{
    (void)state;
    for (unsigned stage = 0; stage < STAGES; stage++) {
        for (size_t i = 0; i < TERN_COUNT_OF(packet_types) * TERN_COUNT_OF(rows); i++) {
            enum tern_packet_type type = packet_types[i % TERN_COUNT_OF(packet_types)];
            const struct row *row = &rows[i / TERN_COUNT_OF(packet_types)];
            struct tern_conn *conn = reach((enum stage)stage);
            enum tern_life_state before = conn->life.state;
            uint64_t pn = next_number(conn, level_of(type));
            uint8_t frame[64];
            size_t len = write_frame(frame, conn, level_of(type), row);
            send_frame(conn, type, frame, len);
            enum outcome outcome = outcome_of(conn, before, type, pn);
            if (outcome != expected((enum stage)stage, type, row)) {
                print_message("stage %u, packet %d, frame %02x: %d\n", stage, (int)type,
                              row->frame[0], (int)outcome);
            }
            assert_int_equal(outcome, expected((enum stage)stage, type, row));
            assert_int_equal(ck_clear(&k), 0);
        }
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
        {CLIENT_READ_2, TERN_PACKET_HANDSHAKE, 0x04, VIOLATION},
        {CLIENT_READ_2, TERN_PACKET_HANDSHAKE, 0x08, VIOLATION},
        {CLIENT_BEGAN, TERN_PACKET_INITIAL, 0x0c, NOTHING}, /* anybody can seal one */
    };
    static const uint8_t ping[4] = {0x01};
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(cases); i++) {
        struct tern_conn *conn = reach(cases[i].stage);
        enum tern_life_state before = conn->life.state;
        uint64_t pn = next_number(conn, level_of(cases[i].type));
        send_with(conn, cases[i].type, cases[i].bits, ping, sizeof ping);
        assert_int_equal(outcome_of(conn, before, cases[i].type, pn), cases[i].outcome);
        assert_int_equal(ck_clear(&k), 0);
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
    struct tern_conn *conn = reach(SERVER_CONFIRMED);
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
        int rc = type == TERN_FRAME_CLOCK ? TERN_ERR_PROTOCOL : TERN_ERR_FRAME_ENCODING;
        assert_int_equal(take(conn, payload, 2), rc); /* a whole one that nobody asked for */
    }
    double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    assert_true(seconds / (2 * (double)count) < 10e-6);
    assert_int_equal(ck_clear(&k), 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_frame_everywhere),
    cmocka_unit_test(reserved_bits_are_a_violation),
    cmocka_unit_test(types_that_are_none_are_told_at_once),
};

TERN_TEST_MAIN(tests)
