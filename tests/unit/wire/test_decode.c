/* Frames read: golden bytes, every truncation, every type, and what a hostile peer would send.
 * SPDX-License-Identifier: MIT */
#include "wire/decode.h"
#include "wire/encode.h"

#include "unit/wire/samples.h"

/* Decodes a copy without a byte to spare, so that an overread is seen. `frame` holds no pointers
 * worth following afterwards. */
static int decode_exact(struct tern_frame *frame, const uint8_t *bytes, size_t len, size_t *left)
{
    uint8_t *exact = kit_exact(bytes, len);
    struct tern_reader r;
    tern_reader_init(&r, exact, len);
    int rc = tern_frame_decode(frame, &r);
    *left = tern_reader_left(&r);
    free(exact);
    return rc;
}

static int rc_of(const uint8_t *bytes, size_t len)
{
    struct tern_frame frame;
    size_t left;
    return decode_exact(&frame, bytes, len, &left);
}

/* The frame in bytes that outlive it. */
static struct tern_frame frame_of(const uint8_t *bytes, size_t len)
{
    struct tern_frame frame;
    struct tern_reader r;
    tern_reader_init(&r, bytes, len);
    assert_int_equal(tern_frame_decode(&frame, &r), 0);
    assert_int_equal(tern_reader_left(&r), 0);
    return frame;
}

static const struct sample *sample_of(uint8_t type)
{
    for (size_t i = 0; i < TERN_COUNT_OF(samples); i++) {
        if (samples[i].bytes[0] == type) {
            return &samples[i];
        }
    }
    fail_msg("no sample of type %x", (unsigned)type);
    return NULL;
}

static struct tern_frame golden(uint8_t type)
{
    const struct sample *s = sample_of(type);
    return frame_of(s->bytes, s->len);
}

static void every_sample_is_read_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(samples); i++) {
        struct tern_frame frame;
        size_t left;
        assert_int_equal(decode_exact(&frame, samples[i].bytes, samples[i].len, &left), 0);
        assert_int_equal(frame.type, samples[i].type);
        assert_int_equal(left, 0);
    }
}

static void every_truncation_fails(void **state)
{
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(samples); i++) {
        for (size_t len = 0; len < samples[i].len; len++) {
            assert_int_equal(rc_of(samples[i].bytes, len),
                             len < samples[i].least ? TERN_ERR_FRAME_ENCODING : 0);
        }
    }
}

static void what_follows_a_frame_is_left(void **state)
{
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(samples); i++) {
        uint8_t bytes[64];
        struct tern_frame frame;
        size_t left;
        if (samples[i].least < samples[i].len) {
            continue; /* runs to the packet's end */
        }
        memcpy(bytes, samples[i].bytes, samples[i].len);
        bytes[samples[i].len] = TERN_FRAME_PING;
        assert_int_equal(decode_exact(&frame, bytes, samples[i].len + 1, &left), 0);
        assert_int_equal(left, 1);
    }
}

static void numbers_are_where_they_belong(void **state)
{
    (void)state;
    struct tern_frame f = golden(TERN_FRAME_RESET_STREAM);
    assert_int_equal(f.u.reset_stream.id, 4);
    assert_int_equal(f.u.reset_stream.code, 256);
    assert_int_equal(f.u.reset_stream.final_size, 4096);
    f = golden(TERN_FRAME_STOP_SENDING);
    assert_int_equal(f.u.stop_sending.id, 8);
    assert_int_equal(f.u.stop_sending.code, 7);
    f = golden(TERN_FRAME_MAX_DATA);
    assert_int_equal(f.u.limit.value, 1 << 20);
    f = golden(TERN_FRAME_MAX_STREAM_DATA);
    assert_int_equal(f.u.limit.id, 4);
    assert_int_equal(f.u.limit.value, 256);
    f = golden(TERN_FRAME_STREAM_DATA_BLOCKED);
    assert_int_equal(f.u.limit.id, 4);
    assert_int_equal(f.u.limit.value, 9);
    f = golden(TERN_FRAME_RETIRE_CONNECTION_ID);
    assert_int_equal(f.u.retire_connection_id.sequence, 3);
    f = golden(TERN_FRAME_PATH_CHALLENGE);
    assert_memory_equal(f.u.path.data, "\1\2\3\4\5\6\7\10", 8);
    f = golden(TERN_FRAME_PADDING);
    assert_int_equal(f.padding, 3);
}

static void single_limits_are_read(void **state)
{
    (void)state;
    static const uint8_t types[] = {TERN_FRAME_MAX_STREAMS_BIDI, TERN_FRAME_MAX_STREAMS_UNI,
                                    TERN_FRAME_DATA_BLOCKED, TERN_FRAME_STREAMS_BLOCKED_BIDI,
                                    TERN_FRAME_STREAMS_BLOCKED_UNI};
    for (size_t i = 0; i < TERN_COUNT_OF(types); i++) {
        struct tern_frame f = golden(types[i]);
        assert_int_equal(f.u.limit.id, 0);
        assert_int_equal(f.u.limit.value, 9);
    }
}

static void data_is_lent_not_copied(void **state)
{
    (void)state;
    struct tern_frame f = golden(TERN_FRAME_CRYPTO);
    assert_int_equal(f.u.crypto.offset, 5);
    assert_int_equal(f.u.crypto.len, 3);
    assert_ptr_equal(f.u.crypto.data, sample_of(TERN_FRAME_CRYPTO)->bytes + 3);
    f = golden(TERN_FRAME_NEW_TOKEN);
    assert_int_equal(f.u.new_token.len, 2);
    assert_memory_equal(f.u.new_token.token, "tk", 2);
}

static void stream_bits_say_what_is_there(void **state)
{
    (void)state;
    for (uint8_t type = 0x08; type <= 0x0f; type++) {
        const struct sample *s = sample_of(type);
        struct tern_frame f = frame_of(s->bytes, s->len);
        assert_int_equal(f.type, TERN_FRAME_STREAM);
        assert_int_equal(f.u.stream.id, 4);
        assert_int_equal(f.u.stream.fin, (type & 1) != 0);
        assert_int_equal(f.u.stream.offset, (type & 4) == 0 ? 0 : (type & 2) != 0 ? 9 : 100);
        assert_ptr_equal(f.u.stream.data + f.u.stream.len, s->bytes + s->len);
    }
}

static void close_frames_are_read(void **state)
{
    (void)state;
    struct tern_frame f = golden(TERN_FRAME_CONNECTION_CLOSE);
    assert_false(f.u.connection_close.is_application);
    assert_int_equal(f.u.connection_close.code, 10);
    assert_int_equal(f.u.connection_close.frame_type, 6);
    assert_int_equal(f.u.connection_close.reason_len, 2);
    assert_memory_equal(f.u.connection_close.reason, "no", 2);
    f = golden(TERN_FRAME_CONNECTION_CLOSE_APP);
    assert_true(f.u.connection_close.is_application);
    assert_int_equal(f.u.connection_close.code, 256);
    assert_int_equal(f.u.connection_close.frame_type, 0);
    assert_memory_equal(f.u.connection_close.reason, "no", 2);
}

static void new_connection_id_is_read(void **state)
{
    (void)state;
    struct tern_frame f = golden(TERN_FRAME_NEW_CONNECTION_ID);
    const struct tern_frame_new_connection_id *n = &f.u.new_connection_id;
    assert_int_equal(n->sequence, 5);
    assert_int_equal(n->retire_prior_to, 2);
    assert_int_equal(n->cid.len, 8);
    assert_memory_equal(n->cid.bytes, "\1\2\3\4\5\6\7\10", 8);
    assert_int_equal(n->reset_token[0], 0xf0);
    assert_int_equal(n->reset_token[15], 0xff);
}

/* RFC 9000 §19.15: lengths 1 to 20, and retire prior to no more than the sequence. */
static void new_connection_id_bounds(void **state)
{
    (void)state;
    for (unsigned len = 0; len < 256; len++) {
        uint8_t bytes[4 + 255 + 16] = {0x18, 5, 5, (uint8_t)len};
        assert_int_equal(rc_of(bytes, 4 + len + 16),
                         len >= 1 && len <= 20 ? 0 : TERN_ERR_FRAME_ENCODING);
    }
    uint8_t bytes[4 + 8 + 16] = {0x18, 5, 6, 8};
    assert_int_equal(rc_of(bytes, sizeof bytes), TERN_ERR_FRAME_ENCODING);
}

/* RFC 9000 §19.7 */
static void empty_token_is_refused(void **state)
{
    (void)state;
    assert_int_equal(rc_of((const uint8_t[]){7, 0}, 2), TERN_ERR_FRAME_ENCODING);
}

static void padding_is_one_frame(void **state)
{
    (void)state;
    uint8_t bytes[1200] = {0};
    struct tern_frame frame;
    size_t left;
    bytes[1100] = TERN_FRAME_PING;
    assert_int_equal(decode_exact(&frame, bytes, sizeof bytes, &left), 0);
    assert_int_equal(frame.type, TERN_FRAME_PADDING);
    assert_int_equal(frame.padding, 1100);
    assert_int_equal(left, 100);
}

/* `type` in a varint of `size` bytes, then zeros. */
static int rc_of_type(uint64_t type, size_t size)
{
    uint8_t bytes[64] = {0};
    struct tern_writer w;
    uint64_t prefix = size == 1 ? 0 : size == 2 ? 1 : size == 4 ? 2 : 3;
    tern_writer_init(&w, bytes, sizeof bytes);
    tern_write_uint(&w, type | prefix << (8 * size - 2), size);
    return rc_of(bytes, sizeof bytes);
}

static bool is_message(uint64_t type)
{
    return type >= TERN_FRAME_MESSAGE && type < TERN_FRAME_MESSAGE_SKIP;
}

static bool is_short_type(uint64_t type)
{
    return type <= TERN_FRAME_REPAIR || type == TERN_FRAME_REKEY || type == TERN_FRAME_CLOCK;
}

static void every_one_byte_type_is_known_or_refused(void **state)
{
    (void)state;
    for (uint64_t type = 0; type < 64; type++) {
        /* zeros are a fine body but where a length, a count or a total must not be 0 */
        bool wants_more = type == TERN_FRAME_NEW_TOKEN || type == TERN_FRAME_NEW_CONNECTION_ID ||
                          (is_message(type) && (type & 2) != 0) ||
                          type == TERN_FRAME_MESSAGE_SKIP || type == TERN_FRAME_REPAIR;
        bool is_known = is_short_type(type) && type != 0x29; /* latest with credit, [P §16.3] */
        assert_int_equal(rc_of_type(type, 1),
                         is_known && !wants_more ? 0 : TERN_ERR_FRAME_ENCODING);
    }
}

static void every_two_byte_type_but_one_is_refused(void **state)
{
    (void)state;
    for (uint64_t type = 0; type < 1 << 14; type++) {
        int expected = is_short_type(type)                ? TERN_ERR_PROTOCOL
                       : type == TERN_FRAME_ACK_FREQUENCY ? 0
                                                          : TERN_ERR_FRAME_ENCODING;
        assert_int_equal(rc_of_type(type, 2), expected);
    }
}

static void longer_types_are_refused(void **state)
{
    (void)state;
    uint64_t seed = 1;
    for (uint64_t type = 0; type <= 0x2e; type++) { /* RFC 9000 §12.4: the shortest form */
        assert_int_equal(rc_of_type(type, 4), TERN_ERR_PROTOCOL);
        assert_int_equal(rc_of_type(type, 8), TERN_ERR_PROTOCOL);
    }
    assert_int_equal(rc_of_type(TERN_FRAME_ACK_FREQUENCY, 4), TERN_ERR_PROTOCOL);
    assert_int_equal(rc_of_type(TERN_FRAME_ACK_FREQUENCY, 8), TERN_ERR_PROTOCOL);
    for (size_t i = 0; i < 20000; i++) {
        uint64_t type = 0xb0 + kit_roll(&seed) % ((1u << 30) - 0xb0);
        assert_int_equal(rc_of_type(type, 4), TERN_ERR_FRAME_ENCODING);
        type = 0xb0 + kit_roll(&seed) % (TERN_VARINT_MAX - 0xb0);
        assert_int_equal(rc_of_type(type, 8), TERN_ERR_FRAME_ENCODING);
    }
    assert_int_equal(rc_of_type(TERN_VARINT_MAX, 8), TERN_ERR_FRAME_ENCODING);
}

/* HAProxy once read a cut type as PADDING and went round for ever. */
static void cut_types_are_refused(void **state)
{
    (void)state;
    for (unsigned first = 64; first < 256; first++) {
        uint8_t bytes[8] = {(uint8_t)first};
        size_t size = (size_t)1 << (first >> 6);
        for (size_t len = 1; len < size; len++) {
            assert_int_equal(rc_of(bytes, len), TERN_ERR_FRAME_ENCODING);
        }
    }
    assert_int_equal(rc_of((const uint8_t[]){0}, 0), TERN_ERR_FRAME_ENCODING);
}

/* A frame whose first fields are these varints. */
static int rc_of_fields(uint8_t type, const uint64_t *fields, size_t n)
{
    uint8_t bytes[128];
    struct tern_writer w;
    tern_writer_init(&w, bytes, sizeof bytes);
    tern_write_u8(&w, type);
    for (size_t i = 0; i < n; i++) {
        tern_write_varint(&w, fields[i]);
    }
    assert_false(w.failed);
    return rc_of(bytes, tern_writer_used(&w));
}

#define RC_OF(type, ...)                                                                           \
    rc_of_fields(type, (const uint64_t[]){__VA_ARGS__},                                            \
                 sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

static void messages_are_read(void **state)
{
    (void)state;
    struct tern_frame f = golden(0x20);
    assert_int_equal(f.u.message.channel, 7);
    assert_int_equal(f.u.message.number, 9);
    assert_int_equal(f.u.message.order, 0);
    assert_false(f.u.message.is_fragment || f.u.message.uses_credit);
    assert_int_equal(f.u.message.offset, 0);
    assert_int_equal(f.u.message.total, 2);
    assert_int_equal(f.u.message.len, 2);
    assert_memory_equal(f.u.message.data, "hi", 2);
    f = golden(0x27);
    assert_true(f.u.message.is_fragment && f.u.message.uses_credit);
    assert_int_equal(f.u.message.order, 1);
    assert_int_equal(f.u.message.number, 100);
    assert_int_equal(f.u.message.offset, 256);
    assert_int_equal(f.u.message.total, 512);
    f = golden(0x2a);
    assert_int_equal(f.u.message.order, 2);
    f = golden(0x2c);
    assert_int_equal(f.u.message_skip.channel, 7);
    assert_int_equal(f.u.message_skip.order, 1);
    assert_int_equal(f.u.message_skip.first, 9);
    assert_int_equal(f.u.message_skip.count, 3);
    assert_int_equal(f.u.message_skip.cost, 128);
    f = golden(0x2d);
    assert_int_equal(f.u.limit.value, 1 << 20);
}

/* [P §16.1]: total is at least 1, and no byte lies behind it. */
static void fragments_lie_inside_their_total(void **state)
{
    (void)state;
    static const struct {
        uint64_t offset, total;
        size_t len;
        int rc;
    } rows[] = {
        {0, 0, 0, TERN_ERR_FRAME_ENCODING},
        {0, 1, 0, 0},
        {0, 1, 1, 0},
        {0, 1, 2, TERN_ERR_FRAME_ENCODING},
        {1, 1, 0, 0},
        {1, 1, 1, TERN_ERR_FRAME_ENCODING},
        {2, 1, 0, TERN_ERR_FRAME_ENCODING},
        {TERN_VARINT_MAX - 2, TERN_VARINT_MAX, 2, 0}, /* whose limit it breaks conn knows */
        {TERN_VARINT_MAX - 1, TERN_VARINT_MAX, 2, TERN_ERR_FRAME_ENCODING},
        {TERN_VARINT_MAX, 1, 2, TERN_ERR_FRAME_ENCODING},
    };
    for (size_t i = 0; i < TERN_COUNT_OF(rows); i++) {
        uint8_t bytes[64];
        struct tern_writer w;
        tern_writer_init(&w, bytes, sizeof bytes);
        tern_write_bytes(&w, (const uint8_t[]){0x23, 0, 0}, 3);
        tern_write_varint(&w, rows[i].offset);
        tern_write_varint(&w, rows[i].total);
        tern_write_varint(&w, rows[i].len);
        tern_write_bytes(&w, "xyz", rows[i].len);
        assert_int_equal(rc_of(bytes, tern_writer_used(&w)), rows[i].rc);
    }
}

/* [P §16.3] */
static void latest_ones_bear_no_credit(void **state)
{
    (void)state;
    assert_int_equal(RC_OF(0x28, 0, 0, 0), 0);
    assert_int_equal(RC_OF(0x29, 0, 0, 0), TERN_ERR_FRAME_ENCODING);
    assert_int_equal(RC_OF(0x2a, 0, 0, 0, 1, 0), 0);
    assert_int_equal(RC_OF(0x2b, 0, 0, 0, 1, 0), TERN_ERR_FRAME_ENCODING);
}

/* [P §16.4] */
static void skips_name_numbers_that_exist(void **state)
{
    (void)state;
    assert_int_equal(RC_OF(0x2c, 0, 0, 0, 1, 0), 0);
    assert_int_equal(RC_OF(0x2c, 0, 1, 0, 1, 0), 0);
    assert_int_equal(RC_OF(0x2c, 0, 2, 0, 1, 0), TERN_ERR_FRAME_ENCODING);
    assert_int_equal(RC_OF(0x2c, 0, TERN_VARINT_MAX, 0, 1, 0), TERN_ERR_FRAME_ENCODING);
    assert_int_equal(RC_OF(0x2c, 0, 1, 0, 0, 0), TERN_ERR_FRAME_ENCODING);
    assert_int_equal(RC_OF(0x2c, 0, 1, TERN_VARINT_MAX - 1, 1, 0), 0);
    assert_int_equal(RC_OF(0x2c, 0, 1, TERN_VARINT_MAX, 1, 0), TERN_ERR_FRAME_ENCODING);
    assert_int_equal(RC_OF(0x2c, 0, 1, 1, TERN_VARINT_MAX, 0), TERN_ERR_FRAME_ENCODING);
}

/* [P §16.6] */
static void repairs_are_within_their_ranges(void **state)
{
    (void)state;
    static const struct {
        uint64_t order, size, skip, symbols, messages, words, len;
        int rc;
    } rows[] = {
        {0, 1, 0, 0, 0, 0, 0, 0},
        {3, 1, 0, 0, 0, 0, 0, TERN_ERR_FRAME_ENCODING},
        {2, 0, 0, 0, 0, 0, 0, TERN_ERR_FRAME_ENCODING},
        {2, 16384, 0, 0, 0, 0, 0, 0},
        {2, 16385, 0, 0, 0, 0, 0, TERN_ERR_FRAME_ENCODING},
        {0, TERN_VARINT_MAX, 0, 1, 1, 1, 1, TERN_ERR_FRAME_ENCODING},
        {0, 1, 0, 0, 0, 0, 1, TERN_ERR_FRAME_ENCODING},
        {0, 9, 0, 1, 1, 1, 9, 0},
        {0, 9, 0, 1, 1, 1, 10, TERN_ERR_FRAME_ENCODING},
        {0, 9, (1 << 24) - 1, 1, 1, 1, 9, 0},
        {0, 9, 1 << 24, 1, 1, 1, 9, TERN_ERR_FRAME_ENCODING},
        {0, 9, 0, 64, 64, 64, 9, 0},
        {0, 9, 0, 65, 64, 64, 9, TERN_ERR_FRAME_ENCODING},
        {0, 9, 0, TERN_VARINT_MAX, 1, 1, 9, TERN_ERR_FRAME_ENCODING},
        {0, 9, 0, 3, 4, 4, 9, TERN_ERR_FRAME_ENCODING},
        {0, 9, 0, 3, 0, 0, 9, TERN_ERR_FRAME_ENCODING},
        {0, 9, 0, 0, 1, 1, 0, TERN_ERR_FRAME_ENCODING},
    };
    for (size_t i = 0; i < TERN_COUNT_OF(rows); i++) {
        static const uint8_t nothing[64];
        uint8_t bytes[256];
        struct tern_writer w;
        struct tern_frame_repair f = {.order = rows[i].order,
                                      .size = rows[i].size,
                                      .skip = rows[i].skip,
                                      .symbols = rows[i].symbols,
                                      .messages = rows[i].messages,
                                      .lengths = nothing,
                                      .lengths_len = rows[i].words,
                                      .len = rows[i].len};
        tern_writer_init(&w, bytes, sizeof bytes);
        tern_frame_encode_repair(&w, &f);
        tern_write_bytes(&w, nothing, rows[i].len);
        assert_int_equal(rc_of(bytes, tern_writer_used(&w)), rows[i].rc);
    }
}

static void repairs_are_read(void **state)
{
    (void)state;
    struct tern_frame f = golden(0x2e);
    assert_int_equal(f.u.repair.channel, 7);
    assert_int_equal(f.u.repair.order, 1);
    assert_int_equal(f.u.repair.size, 1024);
    assert_int_equal(f.u.repair.symbols, 0);
    static const uint8_t bytes[] = {0x2e, 7, 0, 2, 0x40, 0x64, 1, 3, 2, 126, 5, 9, 4, 2, 'x', 'y'};
    struct tern_reader r;
    tern_reader_init(&r, bytes, sizeof bytes);
    assert_int_equal(tern_frame_decode(&f, &r), 0);
    assert_int_equal(f.u.repair.message, 100);
    assert_int_equal(f.u.repair.skip, 1);
    assert_int_equal(f.u.repair.symbols, 3);
    assert_int_equal(f.u.repair.messages, 2);
    assert_int_equal(f.u.repair.first, 126);
    assert_int_equal(f.u.repair.number, 5);
    assert_int_equal(f.u.repair.lengths_len, 2);
    assert_memory_equal(f.u.repair.lengths, "\11\4", 2);
    assert_int_equal(f.u.repair.len, 2);
    assert_memory_equal(f.u.repair.data, "xy", 2);
}

/* RFC 9000 §19.6, §19.8: the last byte is numbered below 2^62. */
static void data_may_not_reach_past_the_numbers(void **state)
{
    (void)state;
    uint8_t bytes[32];
    for (uint64_t len = 0; len < 3; len++) {
        for (uint64_t past = 0; past < 2; past++) {
            for (unsigned is_stream = 0; is_stream < 2; is_stream++) {
                struct tern_writer w;
                tern_writer_init(&w, bytes, sizeof bytes);
                tern_write_u8(&w, is_stream ? 0x0e : 0x06);
                if (is_stream) {
                    tern_write_varint(&w, 4);
                }
                tern_write_varint(&w, TERN_VARINT_MAX - len + (len > 0 ? past : 0));
                tern_write_varint(&w, len);
                tern_write_bytes(&w, "xyz", (size_t)len);
                assert_int_equal(rc_of(bytes, tern_writer_used(&w)),
                                 len > 0 && past > 0 ? TERN_ERR_FRAME_ENCODING : 0);
            }
        }
    }
}

static void lengths_beyond_the_packet_fail(void **state)
{
    (void)state;
    static const uint64_t lengths[] = {1, 64, 65536, UINT32_MAX, TERN_VARINT_MAX};
    for (size_t i = 0; i < TERN_COUNT_OF(lengths); i++) {
        assert_int_equal(RC_OF(0x06, 0, lengths[i]), TERN_ERR_FRAME_ENCODING);
        assert_int_equal(RC_OF(0x06, TERN_VARINT_MAX, lengths[i]), TERN_ERR_FRAME_ENCODING);
        assert_int_equal(RC_OF(0x07, lengths[i]), TERN_ERR_FRAME_ENCODING);
        assert_int_equal(RC_OF(0x0a, 0, lengths[i]), TERN_ERR_FRAME_ENCODING);
        assert_int_equal(RC_OF(0x0f, 0, TERN_VARINT_MAX, lengths[i]), TERN_ERR_FRAME_ENCODING);
        assert_int_equal(RC_OF(0x1c, 0, 0, lengths[i]), TERN_ERR_FRAME_ENCODING);
        assert_int_equal(RC_OF(0x1d, 0, lengths[i]), TERN_ERR_FRAME_ENCODING);
        assert_int_equal(RC_OF(0x20, 0, 0, lengths[i]), TERN_ERR_FRAME_ENCODING);
        assert_int_equal(RC_OF(0x22, 0, 0, 0, TERN_VARINT_MAX, lengths[i]),
                         TERN_ERR_FRAME_ENCODING);
    }
}

/* RFC 9000 §19.11, §19.14 */
static void stream_counts_end_at_two_to_the_sixty(void **state)
{
    (void)state;
    static const uint8_t types[] = {0x12, 0x13, 0x16, 0x17};
    for (size_t i = 0; i < TERN_COUNT_OF(types); i++) {
        assert_int_equal(RC_OF(types[i], UINT64_C(1) << 60), 0);
        assert_int_equal(RC_OF(types[i], (UINT64_C(1) << 60) + 1), TERN_ERR_FRAME_ENCODING);
        assert_int_equal(RC_OF(types[i], TERN_VARINT_MAX), TERN_ERR_FRAME_ENCODING);
    }
    assert_int_equal(RC_OF(0x10, TERN_VARINT_MAX), 0); /* bytes are not streams */
    assert_int_equal(RC_OF(0x11, 0, TERN_VARINT_MAX), 0);
}

struct span {
    uint64_t smallest, largest;
};

static void check_walk(const struct tern_frame_ack *ack, const struct span *expected, size_t n)
{
    struct tern_ack_iter iter;
    uint64_t smallest, largest;
    tern_ack_iter_init(&iter, ack);
    for (size_t i = 0; i < n; i++) {
        assert_true(tern_ack_iter_next(&iter, &smallest, &largest));
        assert_int_equal(smallest, expected[i].smallest);
        assert_int_equal(largest, expected[i].largest);
    }
    assert_false(tern_ack_iter_next(&iter, &smallest, &largest));
    assert_false(tern_ack_iter_next(&iter, &smallest, &largest));
}

static void ack_ranges_are_walked_down(void **state)
{
    (void)state;
    struct tern_frame f = golden(TERN_FRAME_ACK);
    const struct span expected[] = {{998, 1000}, {990, 995}, {988, 988}};
    assert_int_equal(f.u.ack.largest, 1000);
    assert_int_equal(f.u.ack.delay, 100);
    assert_int_equal(f.u.ack.range_count, 2);
    assert_false(f.u.ack.has_ecn);
    check_walk(&f.u.ack, expected, 3);
}

static void ack_with_ecn_is_read(void **state)
{
    (void)state;
    struct tern_frame f = golden(TERN_FRAME_ACK_ECN);
    const struct span expected[] = {{0, 9}};
    assert_true(f.u.ack.has_ecn);
    assert_int_equal(f.u.ack.ecn.ect0, 1);
    assert_int_equal(f.u.ack.ecn.ect1, 2);
    assert_int_equal(f.u.ack.ecn.ce, 128);
    check_walk(&f.u.ack, expected, 1);
}

static void ack_may_reach_zero(void **state)
{
    (void)state;
    const uint8_t bytes[] = {2, 4, 0, 2, 0, 0, 0, 0, 0}; /* 4, 2, 0 */
    const struct span expected[] = {{4, 4}, {2, 2}, {0, 0}};
    struct tern_frame f = frame_of(bytes, sizeof bytes);
    check_walk(&f.u.ack, expected, 3);
    assert_int_equal(RC_OF(2, 10, 0, 0, 10), 0);
    assert_int_equal(RC_OF(2, TERN_VARINT_MAX, TERN_VARINT_MAX, 0, TERN_VARINT_MAX), 0);
    assert_int_equal(RC_OF(2, TERN_VARINT_MAX, 0, 1, 0, TERN_VARINT_MAX - 2, 0), 0);
}

static void hostile_ack_ranges_are_refused(void **state)
{
    (void)state;
    const int bad = TERN_ERR_FRAME_ENCODING;
    assert_int_equal(RC_OF(2, 10, 0, 0, 11), bad); /* the first one below zero */
    assert_int_equal(RC_OF(2, 0, 0, 0, TERN_VARINT_MAX), bad);
    assert_int_equal(RC_OF(2, 10, 0, 1, 10, 0, 0), bad); /* no number left for a gap */
    assert_int_equal(RC_OF(2, 10, 0, 1, 9, 0, 0), bad);  /* one left; a gap takes two */
    assert_int_equal(RC_OF(2, 10, 0, 1, 8, 0, 0), 0);
    assert_int_equal(RC_OF(2, 10, 0, 1, 8, 0, 1), bad);               /* a length one too long */
    assert_int_equal(RC_OF(2, 10, 0, 1, 8, 1, 0), bad);               /* a gap one too wide */
    assert_int_equal(RC_OF(2, 10, 0, 1, 0, TERN_VARINT_MAX, 0), bad); /* would wrap */
    assert_int_equal(RC_OF(2, 10, 0, 1, 0, 0, TERN_VARINT_MAX), bad);
    assert_int_equal(RC_OF(2, TERN_VARINT_MAX, 0, 1, 0, TERN_VARINT_MAX - 1, 0), bad);
    assert_int_equal(RC_OF(2, 20, 0, 2, 0, 0, 10, 0, 6), 0); /* 20, 18-8, 6-0 */
    assert_int_equal(RC_OF(2, 20, 0, 2, 0, 0, 10, 0, 7), bad);
    assert_int_equal(RC_OF(2, 10, 0, TERN_VARINT_MAX, 0), bad); /* ranges that never come */
    assert_int_equal(RC_OF(2, 10, 0, 2, 0, 0, 0), bad);
    assert_int_equal(RC_OF(3, 10, 0, 0, 0, 1, 1), bad); /* two counts of three */
}

/* A full packet of ranges is read once and walked once; the last goes below zero, or not. */
static void many_ack_ranges(void **state)
{
    (void)state;
    enum { RANGES = 10000 };
    static uint8_t bytes[2 * RANGES + 16];
    for (uint64_t short_by = 0; short_by < 2; short_by++) {
        struct tern_writer w;
        struct tern_frame f;
        struct tern_reader r;
        tern_writer_init(&w, bytes, sizeof bytes);
        tern_write_u8(&w, TERN_FRAME_ACK);
        tern_write_varint(&w, 2 * RANGES - short_by);
        tern_write_varint(&w, 0);
        tern_write_varint(&w, RANGES);
        tern_write_varint(&w, 0);
        memset(tern_write_room(&w, 2 * RANGES), 0, 2 * RANGES);
        tern_reader_init(&r, bytes, tern_writer_used(&w));
        assert_int_equal(tern_frame_decode(&f, &r), short_by == 0 ? 0 : TERN_ERR_FRAME_ENCODING);
        if (short_by == 0) {
            struct tern_ack_iter iter;
            uint64_t smallest, largest, count = 0;
            tern_ack_iter_init(&iter, &f.u.ack);
            for (; tern_ack_iter_next(&iter, &smallest, &largest); count++) {
                assert_true(smallest == largest && largest == 2 * (RANGES - count));
            }
            assert_int_equal(count, RANGES + 1);
        }
    }
}

/* Whatever the bytes: no overread, progress at every step, and only the two errors. */
static void random_bytes_do_no_harm(void **state)
{
    (void)state;
    uint64_t seed = 2;
    for (size_t i = 0; i < 50000; i++) {
        uint8_t bytes[64];
        size_t len = (size_t)(kit_roll(&seed) % sizeof bytes);
        kit_random_fill(&seed, bytes, len);
        if (len > 0) {
            bytes[0] &= 0x1f;
        }
        uint8_t *exact = kit_exact(bytes, len);
        struct tern_reader r;
        tern_reader_init(&r, exact, len);
        while (tern_reader_left(&r) > 0) {
            const uint8_t *before = r.at;
            struct tern_frame frame;
            int rc = tern_frame_decode(&frame, &r);
            assert_true(rc == 0 || rc == TERN_ERR_FRAME_ENCODING || rc == TERN_ERR_PROTOCOL);
            if (rc != 0) {
                break;
            }
            assert_true(r.at > before);
        }
        free(exact);
    }
}

/* What the way through trains looks at, one byte short of nothing to spare. */
static void only_a_stream_that_is_alone_is_one(void **state)
{
    static const struct {
        uint8_t payload[16];
        size_t len;
        bool is_alone;
        uint64_t id, offset, size;
    } cases[] = {
        {{0}, 0, false, 0, 0, 0},
        {{0x01}, 1, false, 0, 0, 0},
        {{0x08, 4}, 2, true, 4, 0, 0},
        {{0x08, 4, 'a', 'b'}, 4, true, 4, 0, 2},
        {{0x09, 4, 'a'}, 3, false, 0, 0, 0}, /* it ends the stream */
        {{0x0a, 4, 2, 'a', 'b'}, 5, true, 4, 0, 2},
        {{0x0a, 4, 2, 'a', 'b', 0x01}, 6, false, 0, 0, 0}, /* a PING behind it */
        {{0x0a, 4, 3, 'a', 'b'}, 5, false, 0, 0, 0},
        {{0x0c, 4, 9, 'a'}, 4, true, 4, 9, 1},
        {{0x0e, 4, 9, 1, 'a'}, 5, true, 4, 9, 1},
        {{0x0e, 4, 9}, 3, false, 0, 0, 0},
        {{0x08}, 1, false, 0, 0, 0},
        {{0x0c, 4, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
         10,
         true,
         4,
         TERN_VARINT_MAX,
         0},
        {{0x0c, 4, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 'a'}, 11, false, 0, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(cases); i++) {
        struct tern_frame_stream s;
        uint8_t *exact = kit_exact(cases[i].payload, cases[i].len);
        bool is_alone = tern_frame_is_stream_alone(&s, exact, cases[i].len);
        assert_int_equal(is_alone, cases[i].is_alone);
        if (is_alone) {
            assert_false(s.fin);
            assert_int_equal(s.id, cases[i].id);
            assert_int_equal(s.offset, cases[i].offset);
            assert_int_equal(s.len, cases[i].size);
            assert_ptr_equal(s.data, exact + cases[i].len - s.len);
        }
        free(exact);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(only_a_stream_that_is_alone_is_one),
    cmocka_unit_test(every_sample_is_read_whole),
    cmocka_unit_test(every_truncation_fails),
    cmocka_unit_test(what_follows_a_frame_is_left),
    cmocka_unit_test(numbers_are_where_they_belong),
    cmocka_unit_test(single_limits_are_read),
    cmocka_unit_test(data_is_lent_not_copied),
    cmocka_unit_test(stream_bits_say_what_is_there),
    cmocka_unit_test(close_frames_are_read),
    cmocka_unit_test(new_connection_id_is_read),
    cmocka_unit_test(new_connection_id_bounds),
    cmocka_unit_test(empty_token_is_refused),
    cmocka_unit_test(padding_is_one_frame),
    cmocka_unit_test(every_one_byte_type_is_known_or_refused),
    cmocka_unit_test(every_two_byte_type_but_one_is_refused),
    cmocka_unit_test(longer_types_are_refused),
    cmocka_unit_test(cut_types_are_refused),
    cmocka_unit_test(messages_are_read),
    cmocka_unit_test(fragments_lie_inside_their_total),
    cmocka_unit_test(latest_ones_bear_no_credit),
    cmocka_unit_test(skips_name_numbers_that_exist),
    cmocka_unit_test(repairs_are_within_their_ranges),
    cmocka_unit_test(repairs_are_read),
    cmocka_unit_test(data_may_not_reach_past_the_numbers),
    cmocka_unit_test(lengths_beyond_the_packet_fail),
    cmocka_unit_test(stream_counts_end_at_two_to_the_sixty),
    cmocka_unit_test(ack_ranges_are_walked_down),
    cmocka_unit_test(ack_with_ecn_is_read),
    cmocka_unit_test(ack_may_reach_zero),
    cmocka_unit_test(hostile_ack_ranges_are_refused),
    cmocka_unit_test(many_ack_ranges),
    cmocka_unit_test(random_bytes_do_no_harm),
};

TERN_TEST_MAIN(tests)
