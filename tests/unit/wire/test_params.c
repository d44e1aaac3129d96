/* Transport parameters: every limit of RFC 9000 §18.2, who may say what, and what is refused.
 * SPDX-License-Identifier: MIT */
#include "wire/params.h"

#include "unit/base/kit.h"

#define BAD TERN_ERR_TRANSPORT_PARAMETER

static int decode_exact(struct tern_params *out, const uint8_t *bytes, size_t len, bool from_server)
{
    uint8_t *exact = kit_exact(bytes, len);
    int rc = tern_params_decode(out, exact, len, from_server);
    free(exact);
    return rc;
}

static int rc_of(const uint8_t *bytes, size_t len, bool from_server)
{
    struct tern_params params;
    return decode_exact(&params, bytes, len, from_server);
}

/* One parameter with a value of these bytes. */
static int rc_of_bytes(uint64_t id, const void *value, size_t len, bool from_server)
{
    uint8_t bytes[128];
    struct tern_writer w;
    tern_writer_init(&w, bytes, sizeof bytes);
    tern_write_varint(&w, id);
    tern_write_varint(&w, len);
    tern_write_bytes(&w, value, len);
    assert_false(w.failed);
    return rc_of(bytes, tern_writer_used(&w), from_server);
}

static int rc_of_number(uint64_t id, uint64_t number)
{
    uint8_t value[8];
    struct tern_writer w;
    tern_writer_init(&w, value, sizeof value);
    tern_write_varint(&w, number);
    return rc_of_bytes(id, value, tern_writer_used(&w), false);
}

static void absent_ones_have_their_defaults(void **state)
{
    (void)state;
    struct tern_params p;
    memset(&p, 0xa5, sizeof p);
    assert_int_equal(decode_exact(&p, NULL, 0, true), 0);
    assert_int_equal(p.max_idle_timeout, 0);
    assert_int_equal(p.max_udp_payload_size, 65507);
    assert_int_equal(p.initial_max_data, 0);
    assert_int_equal(p.initial_max_streams_bidi, 0);
    assert_int_equal(p.ack_delay_exponent, 3);
    assert_int_equal(p.max_ack_delay, 25);
    assert_int_equal(p.active_connection_id_limit, 2);
    assert_int_equal(p.max_message_size, 0);
    assert_int_equal(p.initial_max_message_data, 0);
    assert_int_equal(p.max_message_channels, 65536);
    assert_int_equal(p.fec_window, 0);
    assert_false(p.disable_active_migration);
    assert_false(p.has_original_dcid || p.has_initial_scid || p.has_retry_scid);
    assert_false(p.has_stateless_reset_token || p.has_suite || p.has_min_ack_delay);
}

/* A server's, by hand. */
static const uint8_t golden[] = {
    0x01, 0x04, 0x80, 0x00, 0x75, 0x30,                   /* max_idle_timeout 30000 */
    0x03, 0x02, 0x45, 0xac,                               /* max_udp_payload_size 1452 */
    0x04, 0x04, 0x80, 0x10, 0x00, 0x00,                   /* initial_max_data 1 MiB */
    0x05, 0x01, 0x05, 0x06, 0x01, 0x06, 0x07, 0x01, 0x07, /* three kinds of streams */
    0x08, 0x01, 0x08, 0x09, 0x01, 0x09,                   /* how many of them */
    0x0a, 0x01, 0x0a, 0x0b, 0x01, 0x0b,                   /* exponent 10, delay 11 */
    0x0e, 0x01, 0x04,                                     /* 4 identifiers */
    0xc0, 0,    0,    0,    0x74, 0x65, 0x6e, 0x05, 4,    0x80, 0x10, 0, 0, /* messages of 1 MiB */
    0xc0, 0,    0,    0,    0x74, 0x65, 0x6e, 0x06, 2,    0x43, 0xe8,       /* 1000 bytes of them */
    0xc0, 0,    0,    0,    0x74, 0x65, 0x6e, 0x07, 1,    0x20,             /* 32 channels */
    0xc0, 0,    0,    0,    0x74, 0x65, 0x6e, 0x08, 1,    0x30,             /* 48 symbols */
    0x0c, 0x00,                                                             /* no migration */
    0x00, 0x02, 'o',  'd',                                                  /* original_dcid */
    0x02, 0x10, 1,    2,    3,    4,    5,    6,    7,    8,                /* reset token */
    9,    10,   11,   12,   13,   14,   15,   16,                           /* ... */
    0x0f, 0x03, 's',  'i',  'd',  0x10, 0x00,                         /* initial_scid, retry_scid */
    0xc0, 0,    0,    0,    0xff, 0x04, 0xde, 0x1b, 0x02, 0x43, 0xe8, /* min_ack_delay 1000 us */
    0xc0, 0,    0,    0,    0x74, 0x65, 0x6e, 0x01, 2,    0,    2,    /* suite 2 */
};

static void check_golden(const struct tern_params *p)
{
    assert_int_equal(p->max_idle_timeout, 30000);
    assert_int_equal(p->max_udp_payload_size, 1452);
    assert_int_equal(p->initial_max_data, 1 << 20);
    assert_int_equal(p->initial_max_stream_data_bidi_local, 5);
    assert_int_equal(p->initial_max_stream_data_bidi_remote, 6);
    assert_int_equal(p->initial_max_stream_data_uni, 7);
    assert_int_equal(p->initial_max_streams_bidi, 8);
    assert_int_equal(p->initial_max_streams_uni, 9);
    assert_int_equal(p->ack_delay_exponent, 10);
    assert_int_equal(p->max_ack_delay, 11);
    assert_int_equal(p->active_connection_id_limit, 4);
    assert_int_equal(p->max_message_size, 1 << 20);
    assert_int_equal(p->initial_max_message_data, 1000);
    assert_int_equal(p->max_message_channels, 32);
    assert_int_equal(p->fec_window, 48);
    assert_true(p->disable_active_migration);
    assert_true(p->has_original_dcid && p->original_dcid.len == 2);
    assert_memory_equal(p->original_dcid.bytes, "od", 2);
    assert_true(p->has_initial_scid && p->initial_scid.len == 3);
    assert_memory_equal(p->initial_scid.bytes, "sid", 3);
    assert_true(p->has_retry_scid && p->retry_scid.len == 0);
    assert_true(p->has_stateless_reset_token);
    assert_memory_equal(p->stateless_reset_token, "\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17\20", 16);
    assert_true(p->has_min_ack_delay);
    assert_int_equal(p->min_ack_delay, 1000);
    assert_true(p->has_suite);
    assert_int_equal(p->suite, 2);
}

static void golden_bytes_are_read(void **state)
{
    (void)state;
    struct tern_params p;
    assert_int_equal(decode_exact(&p, golden, sizeof golden, true), 0);
    check_golden(&p);
}

static void golden_bytes_are_written(void **state)
{
    (void)state;
    uint8_t buf[256];
    struct tern_params p;
    struct tern_writer w;
    assert_int_equal(tern_params_decode(&p, golden, sizeof golden, true), 0);
    tern_writer_init(&w, buf, sizeof buf);
    tern_params_encode(&w, &p);
    assert_false(w.failed);
    assert_int_equal(tern_writer_used(&w), sizeof golden);
    assert_memory_equal(buf, golden, sizeof golden);
}

static void order_does_not_matter(void **state)
{
    (void)state;
    uint8_t turned[sizeof golden];
    struct tern_params p;
    size_t first = 6 + 4; /* the first two, put last */
    memcpy(turned, golden + first, sizeof golden - first);
    memcpy(turned + sizeof golden - first, golden, first);
    assert_int_equal(decode_exact(&p, turned, sizeof turned, true), 0);
    check_golden(&p);
}

static void encoding_is_bounded(void **state)
{
    (void)state;
    struct tern_params p;
    assert_int_equal(tern_params_decode(&p, golden, sizeof golden, true), 0);
    for (size_t room = 0; room <= sizeof golden; room++) {
        uint8_t *exact = malloc(room);
        struct tern_writer w;
        tern_writer_init(&w, exact, room);
        tern_params_encode(&w, &p);
        assert_int_equal(w.failed, room < sizeof golden);
        free(exact);
    }
}

/* Where each parameter of `golden` ends: only there may the bytes end. */
static bool is_boundary(size_t len)
{
    struct tern_reader r;
    tern_reader_init(&r, golden, sizeof golden);
    while ((size_t)(r.at - golden) < len) {
        (void)tern_read_varint(&r);
        (void)tern_read_bytes(&r, tern_read_varint(&r));
    }
    return (size_t)(r.at - golden) == len;
}

static void every_truncation_fails(void **state)
{
    (void)state;
    for (size_t len = 0; len <= sizeof golden; len++) {
        assert_int_equal(rc_of(golden, len, true), is_boundary(len) ? 0 : BAD);
    }
}

/* What may be at the least and at the most, RFC 9000 §18.2 and [P §7]. */
static void numbers_have_their_ranges(void **state)
{
    (void)state;
    static const struct {
        uint64_t id, least, most;
    } rows[] = {
        {0x01, 0, TERN_VARINT_MAX},
        {0x03, 1200, TERN_VARINT_MAX},
        {0x04, 0, TERN_VARINT_MAX},
        {0x05, 0, TERN_VARINT_MAX},
        {0x06, 0, TERN_VARINT_MAX},
        {0x07, 0, TERN_VARINT_MAX},
        {0x08, 0, UINT64_C(1) << 60},
        {0x09, 0, UINT64_C(1) << 60},
        {0x0a, 0, 20},
        {0x0b, 0, (1u << 14) - 1},
        {0x0e, 2, TERN_VARINT_MAX},
        {TERN_PARAM_MAX_MESSAGE_SIZE, 0, 1 << 24},
        {TERN_PARAM_MAX_MESSAGE_DATA, 0, TERN_VARINT_MAX},
        {TERN_PARAM_MAX_MESSAGE_CHANNELS, 1, 1 << 16},
        {TERN_PARAM_FEC_WINDOW, 0, 64},
    };
    for (size_t i = 0; i < TERN_COUNT_OF(rows); i++) {
        assert_int_equal(rc_of_number(rows[i].id, rows[i].least), 0);
        assert_int_equal(rc_of_number(rows[i].id, rows[i].most), 0);
        if (rows[i].least > 0) {
            assert_int_equal(rc_of_number(rows[i].id, rows[i].least - 1), BAD);
        }
        if (rows[i].most < TERN_VARINT_MAX) {
            assert_int_equal(rc_of_number(rows[i].id, rows[i].most + 1), BAD);
            assert_int_equal(rc_of_number(rows[i].id, TERN_VARINT_MAX), BAD);
        }
    }
}

/* A number fills its length exactly, though it need not be in its shortest form. */
static void numbers_fill_their_length(void **state)
{
    (void)state;
    static const uint64_t ids[] = {1, 3, 4, 5, 6, 7, 8, 9, 0x0a, 0x0b, 0x0e};
    const uint8_t eight[9] = {0xc0, 0, 0, 0, 0, 0, 0x10, 0x00, 0};
    for (size_t i = 0; i < TERN_COUNT_OF(ids); i++) {
        bool takes_4096 = ids[i] != 0x0a;
        assert_int_equal(rc_of_bytes(ids[i], eight, 8, false), takes_4096 ? 0 : BAD);
        assert_int_equal(rc_of_bytes(ids[i], eight, 9, false), BAD);
        assert_int_equal(rc_of_bytes(ids[i], eight, 7, false), BAD);
        assert_int_equal(rc_of_bytes(ids[i], eight, 0, false), BAD);
    }
}

/* RFC 9000 §18.2: these four are the server's, and so is the suite [P §7]. */
static void servers_own_are_refused_from_a_client(void **state)
{
    (void)state;
    const uint8_t value[20] = {0};
    static const struct {
        uint64_t id;
        size_t len;
    } rows[] = {{0x00, 8}, {0x02, 16}, {0x10, 8}, {TERN_PARAM_SUITE, 2}, {TERN_PARAM_EARLY, 0}};
    for (size_t i = 0; i < TERN_COUNT_OF(rows); i++) {
        assert_int_equal(rc_of_bytes(rows[i].id, value, rows[i].len, true), 0);
        assert_int_equal(rc_of_bytes(rows[i].id, value, rows[i].len, false), BAD);
    }
    assert_int_equal(rc_of_bytes(0x0f, value, 8, true), 0);
    assert_int_equal(rc_of_bytes(0x0f, value, 8, false), 0);
    assert_int_equal(rc_of_bytes(0x0c, value, 0, false), 0);
}

static int rc_of_delays(bool least_first, uint64_t most_ms, uint64_t least_us)
{
    uint8_t bytes[32];
    struct tern_writer w;
    tern_writer_init(&w, bytes, sizeof bytes);
    for (int i = 0; i < 2; i++) {
        bool is_least = (i == 0) == least_first;
        uint64_t value = is_least ? least_us : most_ms;
        tern_write_varint(&w, is_least ? TERN_PARAM_MIN_ACK_DELAY : 0x0b);
        tern_write_varint(&w, tern_varint_size(value));
        tern_write_varint(&w, value);
    }
    return rc_of(bytes, tern_writer_used(&w), least_first);
}

/* An error and not cut down, whichever comes first (RUSTSEC-2026-0340 is of such a clamp). */
static void least_delay_is_at_most_the_most(void **state)
{
    (void)state;
    static const struct {
        uint64_t most_ms, least_us;
        int rc;
    } rows[] = {
        {0, 0, 0},
        {0, 1, BAD},
        {1, 1000, 0},
        {1, 1001, BAD},
        {25, 25000, 0},
        {25, 25001, BAD},
        {(1u << 14) - 1, 16383000, 0},
        {(1u << 14) - 1, 16383001, BAD},
        {25, TERN_VARINT_MAX, BAD},
    };
    for (size_t i = 0; i < TERN_COUNT_OF(rows); i++) {
        assert_int_equal(rc_of_delays(true, rows[i].most_ms, rows[i].least_us), rows[i].rc);
        assert_int_equal(rc_of_delays(false, rows[i].most_ms, rows[i].least_us), rows[i].rc);
    }
    /* The default counts where none is said. */
    assert_int_equal(rc_of_number(TERN_PARAM_MIN_ACK_DELAY, 25000), 0);
    assert_int_equal(rc_of_number(TERN_PARAM_MIN_ACK_DELAY, 25001), BAD);
    assert_int_equal(rc_of_bytes(TERN_PARAM_MIN_ACK_DELAY, "", 0, false), BAD);
    assert_int_equal(rc_of_bytes(TERN_PARAM_MIN_ACK_DELAY, "\0\0", 2, false), BAD);
}

static void preferred_address_is_refused(void **state)
{
    (void)state;
    const uint8_t value[41] = {0};
    assert_int_equal(rc_of_bytes(0x0d, value, sizeof value, true), BAD);
    assert_int_equal(rc_of_bytes(0x0d, value, sizeof value, false), BAD);
    assert_int_equal(rc_of_bytes(0x0d, value, 0, true), BAD);
}

static void wrong_lengths_are_refused(void **state)
{
    (void)state;
    const uint8_t value[64] = {0};
    for (size_t len = 0; len <= sizeof value; len++) {
        assert_int_equal(rc_of_bytes(0x00, value, len, true), len <= 20 ? 0 : BAD);
        assert_int_equal(rc_of_bytes(0x0f, value, len, true), len <= 20 ? 0 : BAD);
        assert_int_equal(rc_of_bytes(0x10, value, len, true), len <= 20 ? 0 : BAD);
        assert_int_equal(rc_of_bytes(0x02, value, len, true), len == 16 ? 0 : BAD);
        assert_int_equal(rc_of_bytes(0x0c, value, len, true), len == 0 ? 0 : BAD);
        assert_int_equal(rc_of_bytes(TERN_PARAM_SUITE, value, len, true), len == 2 ? 0 : BAD);
        assert_int_equal(rc_of_bytes(TERN_PARAM_CPACE, value, len, true), len == 32 ? 0 : BAD);
        assert_int_equal(rc_of_bytes(TERN_PARAM_TICKET, value, len, false), len == 24 ? 0 : BAD);
        assert_int_equal(rc_of_bytes(TERN_PARAM_EARLY, value, len, true), len == 0 ? 0 : BAD);
    }
}

/* [P §4.7], [P §4.8] */
static void those_of_codes_and_tickets_round_trip(void **state)
{
    struct tern_params params, out;
    uint8_t buf[512];
    struct tern_writer w;
    (void)state;
    tern_params_init(&params);
    params.has_cpace = params.has_ticket = true;
    params.ticket_age = UINT64_MAX;
    memset(params.cpace, 0xc5, sizeof params.cpace);
    memset(params.ticket_binder, 0xb1, sizeof params.ticket_binder);
    tern_writer_init(&w, buf, sizeof buf);
    tern_params_encode(&w, &params);
    size_t len = tern_writer_used(&w);
    assert_int_equal(tern_params_decode(&out, buf, len, false), 0);
    assert_true(out.has_cpace && out.has_ticket && !out.takes_early);
    assert_int_equal(out.ticket_age, UINT64_MAX);
    assert_memory_equal(out.cpace, params.cpace, sizeof out.cpace);
    assert_memory_equal(out.ticket_binder, params.ticket_binder, sizeof out.ticket_binder);
    assert_int_equal(tern_params_decode(&out, buf, len, true), BAD); /* a client's alone */
    params.has_ticket = false;
    params.takes_early = params.tells_time = true;
    tern_writer_init(&w, buf, sizeof buf);
    tern_params_encode(&w, &params);
    assert_int_equal(tern_params_decode(&out, buf, tern_writer_used(&w), true), 0);
    assert_true(out.takes_early && out.tells_time && !out.has_ticket);
    assert_int_equal(rc_of_bytes(TERN_PARAM_CLOCK, "", 0, true), 0);
    assert_int_equal(rc_of_bytes(TERN_PARAM_CLOCK, "", 0, false), 0);
    assert_int_equal(rc_of_bytes(TERN_PARAM_CLOCK, "x", 1, false), BAD);
}

static void known_ones_come_once(void **state)
{
    (void)state;
    struct tern_reader r;
    tern_reader_init(&r, golden, sizeof golden);
    while (tern_reader_left(&r) > 0) {
        uint8_t bytes[2 * sizeof golden];
        const uint8_t *start = r.at;
        (void)tern_read_varint(&r);
        (void)tern_read_bytes(&r, tern_read_varint(&r));
        size_t len = (size_t)(r.at - start);
        memcpy(bytes, start, len);
        memcpy(bytes + len, start, len);
        assert_int_equal(rc_of(bytes, len, true), 0);
        assert_int_equal(rc_of(bytes, 2 * len, true), BAD);
    }
}

/* RFC 9368 §4 */
static void versions_are_read(void **state)
{
    (void)state;
    static const uint8_t both[] = {'T', 'R', 'N', 1, 1, 2, 3, 4, 'T', 'R', 'N', 1};
    static const uint8_t zero[] = {'T', 'R', 'N', 1, 0, 0, 0, 0}, none[4] = {0};
    uint8_t bytes[20] = {0x11, 12};
    struct tern_params params;
    memcpy(bytes + 2, both, sizeof both);
    assert_int_equal(decode_exact(&params, bytes, 14, false), 0);
    assert_true(params.has_version_info && params.lists_version_1);
    assert_int_equal(params.chosen_version, TERN_VERSION_1);
    bytes[1] = 8;
    assert_int_equal(decode_exact(&params, bytes, 10, true), 0);
    assert_false(params.lists_version_1);
    for (size_t len = 0; len <= sizeof both; len++) {
        assert_int_equal(rc_of_bytes(0x11, both, len, true), len > 0 && len % 4 == 0 ? 0 : BAD);
    }
    assert_int_equal(rc_of_bytes(0x11, zero, sizeof zero, false), BAD);
    assert_int_equal(rc_of_bytes(0x11, none, sizeof none, false), BAD);
}

static void unknown_ones_are_ignored(void **state)
{
    (void)state;
    const uint8_t value[20] = {0xff};
    uint64_t seed = 1;
    assert_int_equal(rc_of_bytes(0x12, value, 20, false), 0);
    assert_int_equal(rc_of_bytes(0x20, value, 20, false), 0);
    assert_int_equal(rc_of_bytes(TERN_VARINT_MAX, value, 0, false), 0);
    for (size_t i = 0; i < 1000; i++) { /* 31 N + 27 are sent to exercise this, §18.1 */
        uint64_t id = 31 * (kit_roll(&seed) >> 8) + 27;
        assert_int_equal(rc_of_bytes(TERN_MIN(id, TERN_VARINT_MAX), value, i % 20, i % 2 == 0), 0);
    }
}

/* The set of those seen must not take one for the other. */
static void unknown_ones_stand_beside_known_ones(void **state)
{
    (void)state;
    uint8_t bytes[sizeof golden + 3];
    struct tern_params p;
    for (uint8_t id = 0x12; id < 0x40; id++) {
        memcpy(bytes, golden, sizeof golden);
        memcpy(bytes + sizeof golden, (const uint8_t[]){id, 1, 9}, 3);
        assert_int_equal(decode_exact(&p, bytes, sizeof bytes, true), 0);
        check_golden(&p);
    }
}

static void lengths_beyond_the_end_fail(void **state)
{
    (void)state;
    static const uint64_t lengths[] = {1, 1000, UINT32_MAX, TERN_VARINT_MAX};
    for (size_t i = 0; i < TERN_COUNT_OF(lengths); i++) {
        uint8_t bytes[16];
        struct tern_writer w;
        tern_writer_init(&w, bytes, sizeof bytes);
        tern_write_varint(&w, 0x3f);
        tern_write_varint(&w, lengths[i]);
        assert_int_equal(rc_of(bytes, tern_writer_used(&w), true), BAD);
    }
}

static void random_ones_round_trip(void **state)
{
    (void)state;
    uint64_t seed = 2;
    for (size_t i = 0; i < 2000; i++) {
        uint8_t first[256], second[256];
        struct tern_params p, q;
        struct tern_writer w, w2;
        tern_params_init(&p);
        p.max_idle_timeout = kit_roll(&seed) >> (2 + kit_roll(&seed) % 62);
        p.initial_max_data = kit_roll(&seed) >> (2 + kit_roll(&seed) % 62);
        p.initial_max_stream_data_uni = kit_roll(&seed) >> (2 + kit_roll(&seed) % 62);
        p.initial_max_streams_bidi = kit_roll(&seed) >> (4 + kit_roll(&seed) % 60);
        p.max_ack_delay = kit_roll(&seed) % (1u << 14);
        p.has_min_ack_delay = kit_roll(&seed) % 2 == 0;
        p.min_ack_delay = kit_roll(&seed) % (p.max_ack_delay * 1000 + 1);
        p.has_initial_scid = kit_roll(&seed) % 2 == 0;
        p.initial_scid.len = (uint8_t)(kit_roll(&seed) % (TERN_CID_MAX + 1));
        kit_random_fill(&seed, p.initial_scid.bytes, sizeof p.initial_scid.bytes);
        tern_writer_init(&w, first, sizeof first);
        tern_params_encode(&w, &p);
        assert_int_equal(decode_exact(&q, first, tern_writer_used(&w), false), 0);
        tern_writer_init(&w2, second, sizeof second);
        tern_params_encode(&w2, &q);
        assert_int_equal(tern_writer_used(&w), tern_writer_used(&w2));
        assert_memory_equal(first, second, tern_writer_used(&w));
    }
}

static void random_bytes_do_no_harm(void **state)
{
    (void)state;
    uint64_t seed = 3;
    for (size_t i = 0; i < 50000; i++) {
        uint8_t bytes[64];
        size_t len = (size_t)(kit_roll(&seed) % sizeof bytes);
        kit_random_fill(&seed, bytes, len);
        for (size_t k = 0; k < len; k += 3) {
            bytes[k] &= 0x1f; /* ids and lengths that are likely */
        }
        int rc = rc_of(bytes, len, i % 2 == 0);
        assert_true(rc == 0 || rc == BAD);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(absent_ones_have_their_defaults),
    cmocka_unit_test(golden_bytes_are_read),
    cmocka_unit_test(golden_bytes_are_written),
    cmocka_unit_test(order_does_not_matter),
    cmocka_unit_test(encoding_is_bounded),
    cmocka_unit_test(every_truncation_fails),
    cmocka_unit_test(numbers_have_their_ranges),
    cmocka_unit_test(numbers_fill_their_length),
    cmocka_unit_test(servers_own_are_refused_from_a_client),
    cmocka_unit_test(least_delay_is_at_most_the_most),
    cmocka_unit_test(preferred_address_is_refused),
    cmocka_unit_test(wrong_lengths_are_refused),
    cmocka_unit_test(those_of_codes_and_tickets_round_trip),
    cmocka_unit_test(known_ones_come_once),
    cmocka_unit_test(versions_are_read),
    cmocka_unit_test(unknown_ones_are_ignored),
    cmocka_unit_test(unknown_ones_stand_beside_known_ones),
    cmocka_unit_test(lengths_beyond_the_end_fail),
    cmocka_unit_test(random_ones_round_trip),
    cmocka_unit_test(random_bytes_do_no_harm),
};

TERN_TEST_MAIN(tests)
