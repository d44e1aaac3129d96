/* Headers: the bytes of RFC 9001 appendix A under our version, the invariants of RFC 8999, and the
 * packet numbers of RFC 9000 appendix A.
 * SPDX-License-Identifier: MIT */
#include "wire/header.h"

#include "unit/base/kit.h"

/* RFC 9001 A.2: the client's Initial, unprotected. The version is ours. */
static const uint8_t client_initial[22] = {0xc3, 0x54, 0x52, 0x4e, 0x01, 0x08, 0x83, 0x94,
                                           0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08, 0x00, 0x00,
                                           0x44, 0x9e, 0x00, 0x00, 0x00, 0x02};

/* RFC 9001 A.3: the server's. */
static const uint8_t server_initial[20] = {0xc1, 0x54, 0x52, 0x4e, 0x01, 0x00, 0x08,
                                           0xf0, 0x67, 0xa5, 0x50, 0x2a, 0x42, 0x62,
                                           0xb5, 0x00, 0x40, 0x75, 0x00, 0x01};

/* RFC 9001 A.4: Retry with the token "token"; the tag is that of QUIC's version. */
static const uint8_t retry[36] = {0xff, 0x54, 0x52, 0x4e, 0x01, 0x00, 0x08, 0xf0, 0x67,
                                  0xa5, 0x50, 0x2a, 0x42, 0x62, 0xb5, 0x74, 0x6f, 0x6b,
                                  0x65, 0x6e, 0x04, 0xa2, 0x65, 0xba, 0x2e, 0xff, 0x4d,
                                  0x82, 0x90, 0x58, 0xfb, 0x3f, 0x0f, 0x24, 0x96, 0xba};

static const struct tern_cid no_cid = {0};
static const struct tern_cid client_dcid = {8, {0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08}};
static const struct tern_cid server_scid = {8, {0xf0, 0x67, 0xa5, 0x50, 0x2a, 0x42, 0x62, 0xb5}};

/* Decodes a copy without a byte to spare. Pointers in `h` are not to be followed. */
static int decode_exact(struct tern_header *h, const uint8_t *bytes, size_t len)
{
    uint8_t *exact = kit_exact(bytes, len);
    int rc = tern_header_decode(h, exact, len, TERN_CID_SIZE);
    free(exact);
    return rc;
}

static void initials_are_written_as_in_the_rfc(void **state)
{
    (void)state;
    uint8_t buf[64];
    struct tern_writer w;
    tern_writer_init(&w, buf, sizeof buf);
    tern_header_encode_long(&w, TERN_PACKET_INITIAL, &client_dcid, &no_cid, NULL, 0, 2, 4,
                            0x49e - 4);
    assert_int_equal(tern_writer_used(&w), sizeof client_initial);
    assert_memory_equal(buf, client_initial, sizeof client_initial);
    assert_int_equal(tern_header_size(TERN_PACKET_INITIAL, 8, 0, 0, 4), sizeof client_initial);
    tern_writer_init(&w, buf, sizeof buf);
    tern_header_encode_long(&w, TERN_PACKET_INITIAL, &no_cid, &server_scid, NULL, 0, 1, 2,
                            0x75 - 2);
    assert_int_equal(tern_writer_used(&w), sizeof server_initial);
    assert_memory_equal(buf, server_initial, sizeof server_initial);
}

static void initial_is_read(void **state)
{
    (void)state;
    static uint8_t datagram[18 + 0x49e + 5];
    struct tern_header h;
    memcpy(datagram, client_initial, sizeof client_initial);
    assert_int_equal(tern_header_decode(&h, datagram, sizeof datagram, 8), 0);
    assert_int_equal(h.type, TERN_PACKET_INITIAL);
    assert_int_equal(h.version, TERN_VERSION_1);
    assert_true(tern_cid_equal(&h.dcid, &client_dcid));
    assert_true(tern_cid_equal(&h.scid, &no_cid));
    assert_int_equal(h.token_len, 0);
    assert_int_equal(h.pn_offset, 18);
    assert_int_equal(h.packet_len, sizeof datagram - 5); /* another one may follow */
}

static void initial_shorter_than_its_length_is_dropped(void **state)
{
    (void)state;
    static uint8_t datagram[18 + 0x49e];
    struct tern_header h;
    memcpy(datagram, client_initial, sizeof client_initial);
    for (size_t len = 0; len < sizeof datagram; len++) {
        assert_int_equal(decode_exact(&h, datagram, len), TERN_ERR_INVALID);
    }
    assert_int_equal(decode_exact(&h, datagram, sizeof datagram), 0);
}

static void token_is_lent(void **state)
{
    (void)state;
    uint8_t buf[128], token[70];
    struct tern_writer w;
    struct tern_header h;
    memset(token, 't', sizeof token);
    tern_writer_init(&w, buf, sizeof buf);
    tern_header_encode_long(&w, TERN_PACKET_INITIAL, &client_dcid, &server_scid, token,
                            sizeof token, 0, 1, 0);
    assert_int_equal(tern_writer_used(&w),
                     tern_header_size(TERN_PACKET_INITIAL, 8, 8, sizeof token, 1));
    size_t len = tern_writer_used(&w);
    assert_int_equal(tern_header_decode(&h, buf, len, 8), 0);
    assert_int_equal(h.token_len, sizeof token);
    assert_memory_equal(h.token, token, sizeof token);
    for (size_t cut = 0; cut < len; cut++) {
        assert_int_equal(decode_exact(&h, buf, cut), TERN_ERR_INVALID);
    }
}

static void all_long_types_round_trip(void **state)
{
    (void)state;
    static const enum tern_packet_type types[] = {TERN_PACKET_INITIAL, TERN_PACKET_ZERO_RTT,
                                                  TERN_PACKET_HANDSHAKE};
    static const uint8_t number[4] = {1, 2, 3, 4};
    for (size_t i = 0; i < TERN_COUNT_OF(types); i++) {
        for (size_t pn_len = 1; pn_len <= 4; pn_len++) {
            for (uint8_t cid_len = 0; cid_len <= TERN_CID_MAX; cid_len++) {
                uint8_t buf[128] = {0};
                struct tern_writer w;
                struct tern_header h;
                struct tern_cid dcid = {cid_len, {1, 2, 3}};
                struct tern_cid scid = {(uint8_t)(TERN_CID_MAX - cid_len), {4, 5, 6}};
                tern_writer_init(&w, buf, sizeof buf);
                tern_header_encode_long(&w, types[i], &dcid, &scid, NULL, 0, 0x01020304, pn_len,
                                        20);
                size_t size = tern_writer_used(&w);
                assert_int_equal(size, tern_header_size(types[i], dcid.len, scid.len, 0, pn_len));
                assert_int_equal(tern_header_decode(&h, buf, sizeof buf, 8), 0);
                assert_int_equal(h.type, types[i]);
                assert_true(tern_cid_equal(&h.dcid, &dcid) && tern_cid_equal(&h.scid, &scid));
                assert_int_equal(h.pn_offset, size - pn_len);
                assert_int_equal(h.packet_len, size + 20);
                assert_memory_equal(buf + h.pn_offset, number + 4 - pn_len, pn_len);
            }
        }
    }
}

/* The longest body that a length of two bytes can say. */
static void longest_body_fits_its_length(void **state)
{
    (void)state;
    static uint8_t buf[16500];
    struct tern_writer w;
    struct tern_header h;
    tern_writer_init(&w, buf, sizeof buf);
    tern_header_encode_long(&w, TERN_PACKET_HANDSHAKE, &no_cid, &no_cid, NULL, 0, 0, 4, 16383 - 4);
    assert_int_equal(tern_header_decode(&h, buf, sizeof buf, 8), 0);
    assert_int_equal(h.packet_len - h.pn_offset, 16383);
}

/* No room: w.failed, nothing beyond. */
static void headers_fail_where_they_do_not_fit(void **state)
{
    (void)state;
    size_t full = tern_header_size(TERN_PACKET_INITIAL, 8, 8, 3, 2);
    for (size_t room = 0; room <= full; room++) {
        uint8_t *exact = malloc(room);
        struct tern_writer w;
        tern_writer_init(&w, exact, room);
        tern_header_encode_long(&w, TERN_PACKET_INITIAL, &client_dcid, &server_scid,
                                (const uint8_t *)"tok", 3, 0, 2, 30);
        assert_int_equal(w.failed, room < full);
        tern_writer_init(&w, exact, room);
        tern_header_encode_short(&w, &client_dcid, true, 7, 4);
        assert_int_equal(w.failed, room < 13);
        free(exact);
    }
}

static void short_header_round_trips(void **state)
{
    (void)state;
    for (size_t pn_len = 1; pn_len <= 4; pn_len++) {
        for (unsigned phase = 0; phase < 2; phase++) {
            uint8_t buf[64] = {0};
            struct tern_writer w;
            struct tern_header h;
            tern_writer_init(&w, buf, sizeof buf);
            tern_header_encode_short(&w, &client_dcid, phase == 1, 0x01020304, pn_len);
            assert_int_equal(tern_writer_used(&w),
                             tern_header_size(TERN_PACKET_ONE_RTT, 8, 0, 0, pn_len));
            assert_int_equal(buf[0], 0x40 | phase << 2 | (pn_len - 1));
            assert_int_equal(tern_header_decode(&h, buf, sizeof buf, 8), 0);
            assert_int_equal(h.type, TERN_PACKET_ONE_RTT);
            assert_int_equal(h.version, 0);
            assert_true(tern_cid_equal(&h.dcid, &client_dcid));
            assert_int_equal(h.pn_offset, 9);
            assert_int_equal(h.packet_len, sizeof buf); /* nothing can follow it */
        }
    }
}

static void short_header_has_the_length_that_we_chose(void **state)
{
    (void)state;
    uint8_t bytes[1 + TERN_CID_MAX] = {0x40, 1, 2, 3};
    for (size_t cid_len = 0; cid_len <= TERN_CID_MAX; cid_len++) {
        for (size_t len = 0; len <= sizeof bytes; len++) {
            uint8_t *exact = kit_exact(bytes, len);
            struct tern_header h;
            int rc = tern_header_decode(&h, exact, len, cid_len);
            assert_int_equal(rc, len < 1 + cid_len ? TERN_ERR_INVALID : 0);
            assert_true(rc != 0 || h.dcid.len == cid_len);
            free(exact);
        }
    }
}

/* [P §2]: the fixed bit is 1 in our version, whatever else is set. */
static void packets_without_the_fixed_bit_are_dropped(void **state)
{
    (void)state;
    for (unsigned first = 0; first < 256; first++) {
        uint8_t bytes[64] = {(uint8_t)first, 0x54, 0x52, 0x4e, 0x01};
        struct tern_header h;
        int rc = decode_exact(&h, bytes, sizeof bytes);
        assert_int_equal(rc, (first & 0x40) == 0 ? TERN_ERR_INVALID : 0);
    }
}

/* In our version identifiers end at 20 bytes, in an unknown one at 255 (RFC 8999 §5.1). */
static void identifier_lengths(void **state)
{
    (void)state;
    for (unsigned is_ours = 0; is_ours < 2; is_ours++) {
        for (unsigned len = 0; len < 256; len++) {
            for (unsigned is_scid = 0; is_scid < 2; is_scid++) {
                uint8_t bytes[5 + 2 + 255 + 40] = {0xe0, 0x54, 0x52, 0x4e, is_ours ? 1 : 2};
                struct tern_header h;
                bytes[5 + is_scid] = (uint8_t)len;
                int rc = tern_header_decode(&h, bytes, 7 + len + 40, 8);
                assert_int_equal(rc, is_ours && len > 20 ? TERN_ERR_INVALID : 0);
                assert_int_equal(is_scid ? h.raw_scid_len : h.raw_dcid_len, len);
                assert_ptr_equal(is_scid ? h.raw_scid : h.raw_dcid, bytes + 6 + is_scid);
            }
        }
    }
}

static void unknown_version_shows_its_invariants_only(void **state)
{
    (void)state;
    const uint8_t bytes[] = {0x80, 0xfa, 0xce, 0xb0, 0x02, 2, 'd', 'd', 3, 's', 's', 's', 0xff};
    struct tern_header h;
    assert_int_equal(tern_header_decode(&h, bytes, sizeof bytes, 8), 0);
    assert_int_equal(h.type, TERN_PACKET_VERSION_UNKNOWN);
    assert_int_equal(h.version, 0xfaceb002);
    assert_memory_equal(h.raw_dcid, "dd", 2);
    assert_memory_equal(h.raw_scid, "sss", 3);
    assert_int_equal(h.dcid.len, 0);
    assert_int_equal(h.packet_len, sizeof bytes);
    for (size_t len = 0; len < sizeof bytes; len++) {
        assert_int_equal(decode_exact(&h, bytes, len), len < 12 ? TERN_ERR_INVALID : 0);
    }
}

static void negotiation_swaps_the_identifiers(void **state)
{
    (void)state;
    const uint8_t bytes[] = {0xff, 0x1a, 0x2a, 0x3a, 0x4a, 2, 'd', 'd', 3, 's', 's', 's'};
    const uint8_t expected[] = {0xd5, 0, 0,   0,   0,    3,    's',  's',
                                's',  2, 'd', 'd', 0x54, 0x52, 0x4e, 0x01};
    uint8_t buf[32];
    struct tern_header h, answer;
    struct tern_writer w;
    assert_int_equal(tern_header_decode(&h, bytes, sizeof bytes, 8), 0);
    tern_writer_init(&w, buf, sizeof buf);
    tern_header_encode_negotiation(&w, &h, 0x55);
    assert_int_equal(tern_writer_used(&w), sizeof expected);
    assert_memory_equal(buf, expected, sizeof expected);
    assert_int_equal(tern_header_decode(&answer, buf, sizeof expected, 8), 0);
    assert_int_equal(answer.type, TERN_PACKET_VERSION_NEGOTIATION);
    assert_int_equal(answer.versions_len, 4);
    assert_ptr_equal(answer.versions, buf + 12);
}

static void negotiation_list_is_whole_or_dropped(void **state)
{
    (void)state;
    const uint8_t bytes[7 + 12] = {0x80};
    struct tern_header h;
    for (size_t len = 0; len <= sizeof bytes; len++) {
        bool is_whole = len > 7 && (len - 7) % 4 == 0;
        assert_int_equal(decode_exact(&h, bytes, len), is_whole ? 0 : TERN_ERR_INVALID);
    }
    assert_int_equal(h.versions_len, 12);
}

static void retry_is_written_and_read(void **state)
{
    (void)state;
    uint8_t buf[64];
    struct tern_writer w;
    struct tern_header h;
    tern_writer_init(&w, buf, sizeof buf);
    tern_header_encode_retry(&w, &no_cid, &server_scid, (const uint8_t *)"token", 5, retry + 20,
                             0x3f);
    assert_int_equal(tern_writer_used(&w), sizeof retry);
    assert_memory_equal(buf, retry, sizeof retry);
    assert_int_equal(tern_header_decode(&h, retry, sizeof retry, 8), 0);
    assert_int_equal(h.type, TERN_PACKET_RETRY);
    assert_true(tern_cid_equal(&h.scid, &server_scid));
    assert_int_equal(h.token_len, 5);
    assert_memory_equal(h.token, "token", 5);
    assert_ptr_equal(h.token + h.token_len, retry + 20); /* the tag */
    assert_int_equal(h.pn_offset, 0);
    assert_int_equal(h.packet_len, sizeof retry);
}

/* RFC 9000 §17.2.5.2: without a token it is dropped. */
static void retry_without_a_token_is_dropped(void **state)
{
    (void)state;
    struct tern_header h;
    for (size_t len = 0; len < sizeof retry; len++) {
        assert_int_equal(decode_exact(&h, retry, len), len <= 15 + 16 ? TERN_ERR_INVALID : 0);
    }
}

static void coalesced_packets_are_told_apart(void **state)
{
    (void)state;
    uint8_t buf[256] = {0};
    struct tern_writer w;
    struct tern_header h;
    tern_writer_init(&w, buf, sizeof buf);
    tern_header_encode_long(&w, TERN_PACKET_INITIAL, &client_dcid, &no_cid, NULL, 0, 0, 1, 50);
    (void)tern_write_room(&w, 50);
    size_t second = tern_writer_used(&w);
    tern_header_encode_long(&w, TERN_PACKET_HANDSHAKE, &client_dcid, &no_cid, NULL, 0, 0, 1, 40);
    (void)tern_write_room(&w, 40);
    size_t third = tern_writer_used(&w);
    tern_header_encode_short(&w, &client_dcid, false, 0, 1);
    size_t len = tern_writer_used(&w) + 20;
    assert_int_equal(tern_header_decode(&h, buf, len, 8), 0);
    assert_int_equal(h.packet_len, second);
    assert_int_equal(tern_header_decode(&h, buf + second, len - second, 8), 0);
    assert_int_equal(h.type, TERN_PACKET_HANDSHAKE);
    assert_int_equal(h.packet_len, third - second);
    assert_int_equal(tern_header_decode(&h, buf + third, len - third, 8), 0);
    assert_int_equal(h.type, TERN_PACKET_ONE_RTT);
    assert_int_equal(h.packet_len, len - third);
}

/* A packet that claims no bytes still moves the reader on. */
static void empty_packet_has_its_header_at_least(void **state)
{
    (void)state;
    const uint8_t bytes[] = {0xe0, 0x54, 0x52, 0x4e, 0x01, 0, 0, 0};
    struct tern_header h;
    assert_int_equal(decode_exact(&h, bytes, sizeof bytes), 0);
    assert_int_equal(h.packet_len, sizeof bytes);
    assert_int_equal(h.pn_offset, sizeof bytes);
}

/* Headers, masks and results of RFC 9001 A.2, A.3 and A.5. */
static const struct {
    size_t pn_offset, pn_len, len;
    uint8_t mask[5];
    uint8_t plain[22], masked[22];
} masks[] = {
    {18,
     4,
     22,
     {0x43, 0x7b, 0x9a, 0xec, 0x36},
     {0xc3, 0,    0, 0, 1, 8,    0x83, 0x94, 0xc8, 0xf0, 0x3e,
      0x51, 0x57, 8, 0, 0, 0x44, 0x9e, 0,    0,    0,    2},
     {0xc0, 0,    0, 0, 1, 8,    0x83, 0x94, 0xc8, 0xf0, 0x3e,
      0x51, 0x57, 8, 0, 0, 0x44, 0x9e, 0x7b, 0x9a, 0xec, 0x34}},
    {18,
     2,
     20,
     {0x2e, 0xc0, 0xd8, 0x35, 0x6a},
     {0xc1, 0, 0, 0, 1, 0, 8, 0xf0, 0x67, 0xa5, 0x50, 0x2a, 0x42, 0x62, 0xb5, 0, 0x40, 0x75, 0, 1},
     {0xcf, 0,    0,    0,    1,    0, 8,    0xf0, 0x67, 0xa5,
      0x50, 0x2a, 0x42, 0x62, 0xb5, 0, 0x40, 0x75, 0xc0, 0xd9}},
    {1, 3, 4, {0xae, 0xfe, 0xfe, 0x7d, 0x03}, {0x42, 0x00, 0xbf, 0xf4}, {0x4c, 0xfe, 0x41, 0x89}},
};

static void masks_are_those_of_the_rfc(void **state)
{
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(masks); i++) {
        uint8_t *packet = kit_exact(masks[i].plain, masks[i].len);
        tern_header_mask(packet, masks[i].pn_offset, masks[i].pn_len, masks[i].mask);
        assert_memory_equal(packet, masks[i].masked, masks[i].len);
        assert_int_equal(tern_header_unmask(packet, masks[i].pn_offset, masks[i].mask),
                         masks[i].pn_len);
        assert_memory_equal(packet, masks[i].plain, masks[i].len);
        free(packet);
    }
}

static void mask_leaves_form_and_type_alone(void **state)
{
    (void)state;
    const uint8_t ones[5] = {0xff, 0xff, 0xff, 0xff, 0xff};
    uint8_t packet[8] = {0xc0};
    tern_header_mask(packet, 4, 1, ones);
    assert_int_equal(packet[0], 0xcf);
    assert_int_equal(packet[4], 0xff);
    assert_int_equal(packet[5], 0);
    packet[0] = 0x40;
    tern_header_mask(packet, 4, 1, ones);
    assert_int_equal(packet[0], 0x5f);
    assert_int_equal(tern_header_unmask(packet, 4, ones), 1);
    assert_int_equal(packet[0], 0x40);
}

/* RFC 9000 A.2 */
static void number_sizes_of_the_rfc(void **state)
{
    (void)state;
    assert_int_equal(tern_pn_size(0xac5c02, 0xabe8b3), 2);
    assert_int_equal(tern_pn_size(0xace8fe, 0xabe8b3), 3);
}

/* RFC 9000 A.3 */
static void number_of_the_rfc_is_read(void **state)
{
    (void)state;
    assert_true(tern_pn_decode(UINT64_C(0xa82f30ea) + 1, 0x9b32, 2) == UINT64_C(0xa82f9b32));
}

/* RFC 9000 §17.1: more than twice the distance can be represented, and no byte is wasted. */
static void number_size_edges(void **state)
{
    (void)state;
    assert_int_equal(tern_pn_size(0, TERN_PN_NONE), 1);
    assert_int_equal(tern_pn_size(126, TERN_PN_NONE), 1);
    assert_int_equal(tern_pn_size(127, TERN_PN_NONE), 2);
    assert_int_equal(tern_pn_size(1127, 1000), 1);
    assert_int_equal(tern_pn_size(1128, 1000), 2);
    assert_int_equal(tern_pn_size(1000 + (1 << 15) - 1, 1000), 2);
    assert_int_equal(tern_pn_size(1000 + (1 << 15), 1000), 3);
    assert_int_equal(tern_pn_size(1000 + (1 << 23) - 1, 1000), 3);
    assert_int_equal(tern_pn_size(1000 + (1 << 23), 1000), 4);
    assert_int_equal(tern_pn_size(TERN_VARINT_MAX, 0), 4);
}

/* Whoever has seen anything between the largest acknowledged and the packet itself reads the number
 * that was meant. */
static void numbers_survive_their_truncation(void **state)
{
    (void)state;
    uint64_t seed = 3;
    for (size_t i = 0; i < 200000; i++) {
        uint64_t distance = 1 + (kit_roll(&seed) >> (33 + kit_roll(&seed) % 31)) % ((1u << 31) - 2);
        uint64_t pn = distance + (kit_roll(&seed) >> (2 + kit_roll(&seed) % 62));
        pn = TERN_MIN(pn, TERN_VARINT_MAX);
        uint64_t acked = pn - distance;
        size_t len = tern_pn_size(pn, acked);
        uint64_t truncated = pn & ((UINT64_C(1) << (8 * len)) - 1);
        uint64_t received = acked + kit_roll(&seed) % distance;
        assert_true(tern_pn_decode(received + 1, truncated, len) == pn);
        assert_true(tern_pn_decode(acked + 1, truncated, len) == pn);
    }
}

/* One that was overtaken by less than half the window is read as well. */
static void overtaken_numbers_are_read(void **state)
{
    (void)state;
    uint64_t seed = 4;
    assert_true(tern_pn_decode(0x102, 0xfe, 1) == 0xfe);
    assert_true(tern_pn_decode(0x10000, 0xffff, 2) == 0xffff);
    for (size_t len = 1; len <= 4; len++) {
        uint64_t window = UINT64_C(1) << (8 * len);
        for (size_t i = 0; i < 20000; i++) {
            uint64_t pn = kit_roll(&seed) >> (2 + kit_roll(&seed) % 62);
            uint64_t expected = pn + kit_roll(&seed) % (window / 2);
            assert_true(tern_pn_decode(expected, pn & (window - 1), len) == pn);
        }
        /* half a window ahead is still meant as it is, half a window behind is not */
        uint64_t expected = 1000 * window;
        assert_true(tern_pn_decode(expected, window / 2, len) == expected + window / 2);
        assert_true(tern_pn_decode(expected + window / 2, 0, len) == expected + window);
        assert_true(tern_pn_decode(expected, window / 2 + 1, len) == expected - window / 2 + 1);
    }
}

static void first_numbers_are_read(void **state)
{
    (void)state;
    for (uint64_t pn = 0; pn < 70000; pn++) {
        size_t len = tern_pn_size(pn, TERN_PN_NONE);
        uint64_t truncated = pn & ((UINT64_C(1) << (8 * len)) - 1);
        assert_true(tern_pn_decode(0, truncated, len) == pn);
        assert_true(tern_pn_decode(pn, truncated, len) == pn);
    }
}

/* A.3 never leaves the numbers at either end. */
static void numbers_stay_in_their_range(void **state)
{
    (void)state;
    assert_true(tern_pn_decode(0, 0xff, 1) == 0xff);
    assert_true(tern_pn_decode(0, 0xffffffff, 4) == 0xffffffff);
    assert_true(tern_pn_decode(TERN_VARINT_MAX, 0, 1) == TERN_VARINT_MAX - 0xff);
    assert_true(tern_pn_decode(TERN_VARINT_MAX, 0xff, 1) == TERN_VARINT_MAX);
    assert_true(tern_pn_decode(TERN_VARINT_MAX, 0, 4) == TERN_VARINT_MAX - 0xffffffff);
}

static void identifiers_compare_by_length_and_bytes(void **state)
{
    (void)state;
    struct tern_cid a = {3, {1, 2, 3, 9}}, b = {3, {1, 2, 3, 8}}, c = {4, {1, 2, 3, 9}};
    assert_true(tern_cid_equal(&a, &b));
    assert_false(tern_cid_equal(&a, &c));
    b.bytes[2] = 4;
    assert_false(tern_cid_equal(&a, &b));
    assert_true(tern_cid_equal(&no_cid, &no_cid));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(initials_are_written_as_in_the_rfc),
    cmocka_unit_test(initial_is_read),
    cmocka_unit_test(initial_shorter_than_its_length_is_dropped),
    cmocka_unit_test(token_is_lent),
    cmocka_unit_test(all_long_types_round_trip),
    cmocka_unit_test(longest_body_fits_its_length),
    cmocka_unit_test(headers_fail_where_they_do_not_fit),
    cmocka_unit_test(short_header_round_trips),
    cmocka_unit_test(short_header_has_the_length_that_we_chose),
    cmocka_unit_test(packets_without_the_fixed_bit_are_dropped),
    cmocka_unit_test(identifier_lengths),
    cmocka_unit_test(unknown_version_shows_its_invariants_only),
    cmocka_unit_test(negotiation_swaps_the_identifiers),
    cmocka_unit_test(negotiation_list_is_whole_or_dropped),
    cmocka_unit_test(retry_is_written_and_read),
    cmocka_unit_test(retry_without_a_token_is_dropped),
    cmocka_unit_test(coalesced_packets_are_told_apart),
    cmocka_unit_test(empty_packet_has_its_header_at_least),
    cmocka_unit_test(masks_are_those_of_the_rfc),
    cmocka_unit_test(mask_leaves_form_and_type_alone),
    cmocka_unit_test(number_sizes_of_the_rfc),
    cmocka_unit_test(number_of_the_rfc_is_read),
    cmocka_unit_test(number_size_edges),
    cmocka_unit_test(numbers_survive_their_truncation),
    cmocka_unit_test(overtaken_numbers_are_read),
    cmocka_unit_test(first_numbers_are_read),
    cmocka_unit_test(numbers_stay_in_their_range),
    cmocka_unit_test(identifiers_compare_by_length_and_bytes),
};

TERN_TEST_MAIN(tests)
