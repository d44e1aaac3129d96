/* Frames written: the golden bytes again, every size of room, and acknowledgements that do not fit.
 * SPDX-License-Identifier: MIT */
#include "wire/encode.h"

#include "unit/wire/samples.h"
#include "wire/decode.h"

/* Writes the sample's contents anew from what was decoded. Not for PADDING, nor for STREAM without
 * a length, which nobody writes. */
static bool write_again(struct tern_writer *w, const struct tern_frame *f)
{
    switch ((int)f->type) {
    case TERN_FRAME_PING:
        tern_frame_encode_ping(w);
        return true;
    case TERN_FRAME_RESET_STREAM:
        tern_frame_encode_reset_stream(w, f->u.reset_stream.id, f->u.reset_stream.code,
                                       f->u.reset_stream.final_size);
        return true;
    case TERN_FRAME_STOP_SENDING:
        tern_frame_encode_stop_sending(w, f->u.stop_sending.id, f->u.stop_sending.code);
        return true;
    case TERN_FRAME_CRYPTO:
        tern_frame_encode_crypto(w, f->u.crypto.offset, f->u.crypto.data, f->u.crypto.len);
        return true;
    case TERN_FRAME_NEW_TOKEN:
        tern_frame_encode_new_token(w, f->u.new_token.token, f->u.new_token.len);
        return true;
    case TERN_FRAME_STREAM:
        tern_frame_encode_stream(w, f->u.stream.id, f->u.stream.offset, f->u.stream.len,
                                 f->u.stream.fin);
        tern_write_bytes(w, f->u.stream.data, f->u.stream.len);
        return true;
    case TERN_FRAME_NEW_CONNECTION_ID:
        tern_frame_encode_new_connection_id(
            w, f->u.new_connection_id.sequence, f->u.new_connection_id.retire_prior_to,
            &f->u.new_connection_id.cid, f->u.new_connection_id.reset_token);
        return true;
    case TERN_FRAME_RETIRE_CONNECTION_ID:
        tern_frame_encode_retire_connection_id(w, f->u.retire_connection_id.sequence);
        return true;
    case TERN_FRAME_PATH_CHALLENGE:
        tern_frame_encode_path_challenge(w, f->u.path.data);
        return true;
    case TERN_FRAME_PATH_RESPONSE:
        tern_frame_encode_path_response(w, f->u.path.data);
        return true;
    case TERN_FRAME_CONNECTION_CLOSE:
    case TERN_FRAME_CONNECTION_CLOSE_APP:
        tern_frame_encode_connection_close(
            w, f->u.connection_close.is_application, f->u.connection_close.code,
            f->u.connection_close.frame_type, f->u.connection_close.reason,
            f->u.connection_close.reason_len);
        return true;
    case TERN_FRAME_HANDSHAKE_DONE:
        tern_frame_encode_handshake_done(w);
        return true;
    case TERN_FRAME_IMMEDIATE_ACK:
        tern_frame_encode_immediate_ack(w);
        return true;
    case TERN_FRAME_REKEY:
        tern_frame_encode_rekey(w, f->u.rekey.number, f->u.rekey.public_key);
        return true;
    case TERN_FRAME_CLOCK:
        tern_frame_encode_clock(w, f->u.clock.micros);
        return true;
    case TERN_FRAME_MESSAGE:
        tern_frame_encode_message(w, &f->u.message);
        return true;
    case TERN_FRAME_REPAIR:
        tern_frame_encode_repair(w, &f->u.repair);
        tern_write_bytes(w, f->u.repair.data, f->u.repair.len);
        return true;
    case TERN_FRAME_MESSAGE_SKIP:
        tern_frame_encode_message_skip(w, &f->u.message_skip);
        return true;
    case TERN_FRAME_ACK_FREQUENCY:
        tern_frame_encode_ack_frequency(w, &f->u.ack_frequency);
        return true;
    default:
        return false;
    }
}

static bool write_limit(struct tern_writer *w, const struct tern_frame *f)
{
    bool is_bidi =
        f->type == TERN_FRAME_MAX_STREAMS_BIDI || f->type == TERN_FRAME_STREAMS_BLOCKED_BIDI;
    switch ((int)f->type) {
    case TERN_FRAME_MAX_DATA:
        tern_frame_encode_max_data(w, f->u.limit.value);
        return true;
    case TERN_FRAME_MAX_MESSAGE_DATA:
        tern_frame_encode_max_message_data(w, f->u.limit.value);
        return true;
    case TERN_FRAME_MAX_STREAM_DATA:
        tern_frame_encode_max_stream_data(w, f->u.limit.id, f->u.limit.value);
        return true;
    case TERN_FRAME_MAX_STREAMS_BIDI:
    case TERN_FRAME_MAX_STREAMS_UNI:
        tern_frame_encode_max_streams(w, is_bidi, f->u.limit.value);
        return true;
    case TERN_FRAME_DATA_BLOCKED:
        tern_frame_encode_data_blocked(w, f->u.limit.value);
        return true;
    case TERN_FRAME_STREAM_DATA_BLOCKED:
        tern_frame_encode_stream_data_blocked(w, f->u.limit.id, f->u.limit.value);
        return true;
    case TERN_FRAME_STREAMS_BLOCKED_BIDI:
    case TERN_FRAME_STREAMS_BLOCKED_UNI:
        tern_frame_encode_streams_blocked(w, is_bidi, f->u.limit.value);
        return true;
    default:
        return false;
    }
}

static bool write_ack(struct tern_writer *w, const struct tern_frame_ack *ack)
{
    struct tern_range ranges[8];
    struct tern_ack_iter iter;
    size_t at = TERN_COUNT_OF(ranges);
    tern_ack_iter_init(&iter, ack);
    while (at > 0 && tern_ack_iter_next(&iter, &ranges[at - 1].start, &ranges[at - 1].end)) {
        at--;
        ranges[at].end++;
    }
    tern_frame_encode_ack(w, ack->largest, ack->delay, ranges + at, TERN_COUNT_OF(ranges) - at,
                          ack->has_ecn ? &ack->ecn : NULL);
    return true;
}

static bool rewrite(struct tern_writer *w, const struct tern_frame *f)
{
    bool is_ack = f->type == TERN_FRAME_ACK || f->type == TERN_FRAME_ACK_ECN;
    return is_ack ? write_ack(w, &f->u.ack) : write_again(w, f) || write_limit(w, f);
}

/* Those samples that are in the form that we write. */
static bool is_ours(const struct sample *s)
{
    return s->type != TERN_FRAME_PADDING && (s->type != TERN_FRAME_STREAM || s->len == s->least);
}

static struct tern_frame frame_of(const struct sample *s)
{
    struct tern_frame frame;
    struct tern_reader r;
    tern_reader_init(&r, s->bytes, s->len);
    assert_int_equal(tern_frame_decode(&frame, &r), 0);
    return frame;
}

static void every_sample_is_written_the_same(void **state)
{
    (void)state;
    size_t written = 0;
    for (size_t i = 0; i < TERN_COUNT_OF(samples); i++) {
        if (is_ours(&samples[i])) {
            uint8_t buf[64];
            struct tern_writer w;
            struct tern_frame frame = frame_of(&samples[i]);
            tern_writer_init(&w, buf, sizeof buf);
            assert_true(rewrite(&w, &frame));
            assert_false(w.failed);
            assert_int_equal(tern_writer_used(&w), samples[i].len);
            assert_memory_equal(buf, samples[i].bytes, samples[i].len);
            written++;
        }
    }
    assert_int_equal(written, TERN_COUNT_OF(samples) - 5);
}

/* In room of each smaller size the frame fails, or (ACK, CONNECTION_CLOSE) gets shorter; nothing is
 * written beyond. */
static void frames_fail_where_they_do_not_fit(void **state)
{
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(samples); i++) {
        struct tern_frame frame = frame_of(&samples[i]);
        bool can_shrink = frame.type == TERN_FRAME_ACK ||
                          frame.type == TERN_FRAME_CONNECTION_CLOSE ||
                          frame.type == TERN_FRAME_CONNECTION_CLOSE_APP;
        for (size_t room = 0; is_ours(&samples[i]) && room < samples[i].len; room++) {
            uint8_t *exact = malloc(room);
            struct tern_writer w;
            tern_writer_init(&w, exact, room);
            assert_true(rewrite(&w, &frame));
            assert_true(w.failed || can_shrink);
            assert_true(tern_writer_used(&w) <= room);
            free(exact);
        }
    }
}

static void failed_writer_stays_as_it_was(void **state)
{
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(samples); i++) {
        if (is_ours(&samples[i])) {
            uint8_t buf[64] = {0}, zeros[64] = {0};
            struct tern_writer w;
            struct tern_frame frame = frame_of(&samples[i]);
            tern_writer_init(&w, buf, sizeof buf);
            w.failed = true;
            assert_true(rewrite(&w, &frame));
            assert_true(w.failed);
            assert_int_equal(tern_writer_used(&w), 0);
            assert_memory_equal(buf, zeros, sizeof zeros);
        }
    }
}

static void stream_size_is_what_is_written(void **state)
{
    (void)state;
    static const uint64_t ids[] = {0, 63, 64, 16384, UINT64_C(1) << 30, TERN_VARINT_MAX};
    static const size_t lens[] = {0, 1, 63, 64, 1200, 16383, 16384, 65507};
    for (size_t i = 0; i < TERN_COUNT_OF(ids); i++) {
        for (size_t o = 0; o < TERN_COUNT_OF(ids); o++) {
            for (size_t l = 0; l < TERN_COUNT_OF(lens); l++) {
                uint8_t buf[32];
                struct tern_writer w;
                tern_writer_init(&w, buf, sizeof buf);
                tern_frame_encode_stream(&w, ids[i], ids[o], lens[l], l % 2 == 0);
                assert_false(w.failed);
                assert_int_equal(tern_writer_used(&w),
                                 tern_frame_stream_size(ids[i], ids[o], lens[l]));
            }
        }
    }
}

static void crypto_header_is_never_longer_than_said(void **state)
{
    (void)state;
    uint8_t buf[TERN_FRAME_CRYPTO_HEADER_MAX + 64];
    static const uint8_t data[64];
    struct tern_writer w;
    tern_writer_init(&w, buf, sizeof buf);
    tern_frame_encode_crypto(&w, TERN_VARINT_MAX, data, sizeof data);
    assert_false(w.failed);
}

/* Ranges that need varints of every size, the newest last. */
static size_t make_ranges(struct tern_range *ranges, size_t count, uint64_t seed)
{
    uint64_t at = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t gap = 1 + (kit_roll(&seed) >> (34 + kit_roll(&seed) % 30));
        uint64_t len = 1 + (kit_roll(&seed) >> (34 + kit_roll(&seed) % 30));
        ranges[i].start = at + gap;
        ranges[i].end = at = ranges[i].start + len;
    }
    return count;
}

/* The newest ranges, in order, however many there are; returns their number. */
static size_t check_ack(const uint8_t *bytes, size_t len, const struct tern_range *ranges,
                        size_t count)
{
    struct tern_frame frame;
    struct tern_reader r;
    struct tern_ack_iter iter;
    uint64_t smallest, largest;
    size_t seen = 0;
    tern_reader_init(&r, bytes, len);
    assert_int_equal(tern_frame_decode(&frame, &r), 0);
    assert_int_equal(tern_reader_left(&r), 0);
    tern_ack_iter_init(&iter, &frame.u.ack);
    for (; tern_ack_iter_next(&iter, &smallest, &largest); seen++) {
        assert_true(seen < count);
        assert_int_equal(smallest, ranges[count - 1 - seen].start);
        assert_int_equal(largest, ranges[count - 1 - seen].end - 1);
    }
    return seen;
}

/* More room never holds fewer ranges, and the lowest are those that are left out. */
static void ack_drops_its_lowest_ranges(void **state)
{
    (void)state;
    const struct tern_frame_ecn counts = {1, 100, 100000};
    for (uint64_t seed = 0; seed < 70; seed++) {
        struct tern_range ranges[70];
        size_t count = make_ranges(ranges, 1 + (size_t)seed, seed), most = 0;
        const struct tern_frame_ecn *ecn = seed % 2 == 0 ? NULL : &counts;
        for (size_t room = 0; room < 1200; room++) {
            uint8_t *exact = malloc(room);
            struct tern_writer w;
            tern_writer_init(&w, exact, room);
            tern_frame_encode_ack(&w, ranges[count - 1].end - 1, 3, ranges, count, ecn);
            if (w.failed) {
                assert_int_equal(tern_writer_used(&w), 0);
                assert_int_equal(most, 0);
            } else {
                size_t seen = check_ack(exact, tern_writer_used(&w), ranges, count);
                assert_true(seen >= most);
                /* all of them as soon as there is room, to the byte */
                assert_true(seen == most || seen < count || tern_writer_used(&w) == room);
                most = seen;
            }
            free(exact);
        }
        assert_int_equal(most, count);
    }
}

/* Two ranges whose gap and length lie around the edges of a varint: the second is written if and
 * only if it fits to the byte. */
static void ack_fits_to_the_byte(void **state)
{
    (void)state;
    static const uint64_t edges[] = {0, 62, 63, 64, 65, 16383, 16384, 16385};
    for (size_t g = 0; g < TERN_COUNT_OF(edges); g++) {
        for (size_t l = 0; l < TERN_COUNT_OF(edges); l++) {
            struct tern_range ranges[2] = {{5, 5 + edges[l] + 1}};
            ranges[1].start = ranges[0].end + edges[g] + 1;
            ranges[1].end = ranges[1].start + 1;
            uint64_t largest = ranges[1].start;
            size_t one = 4 + tern_varint_size(largest);
            size_t two = one + tern_varint_size(edges[g]) + tern_varint_size(edges[l]);
            for (size_t room = one - 1; room <= two; room++) {
                uint8_t *exact = malloc(room);
                struct tern_writer w;
                tern_writer_init(&w, exact, room);
                tern_frame_encode_ack(&w, largest, 0, ranges, 2, NULL);
                assert_int_equal(w.failed, room < one);
                if (!w.failed) {
                    size_t used = tern_writer_used(&w);
                    assert_int_equal(check_ack(exact, used, ranges, 2), room == two ? 2 : 1);
                }
                free(exact);
            }
        }
    }
}

static void ack_of_one_packet(void **state)
{
    (void)state;
    uint8_t buf[5];
    struct tern_writer w;
    const struct tern_range zero = {0, 1};
    tern_writer_init(&w, buf, sizeof buf);
    tern_frame_encode_ack(&w, 0, 0, &zero, 1, NULL);
    assert_int_equal(tern_writer_used(&w), 5);
    assert_memory_equal(buf, "\2\0\0\0\0", 5);
}

static void ack_delay_is_capped(void **state)
{
    (void)state;
    uint8_t buf[32];
    struct tern_writer w;
    struct tern_frame frame;
    struct tern_reader r;
    const struct tern_range range = {7, 8};
    tern_writer_init(&w, buf, sizeof buf);
    tern_frame_encode_ack(&w, 7, UINT64_MAX, &range, 1, NULL);
    tern_reader_init(&r, buf, tern_writer_used(&w));
    assert_int_equal(tern_frame_decode(&frame, &r), 0);
    assert_int_equal(frame.u.ack.delay, TERN_VARINT_MAX);
}

/* A reason is cut to what fits, whatever the length field needs; the frame always decodes. */
static void reason_is_cut_to_the_room(void **state)
{
    (void)state;
    static uint8_t reason[17000];
    static const size_t lens[] = {0, 63, 64, 256, 16383, 16384, sizeof reason};
    memset(reason, 'r', sizeof reason);
    for (size_t i = 0; i < TERN_COUNT_OF(lens); i++) {
        for (size_t room = 0; room < 17010; room += room < 300 || room > 16300 ? 1 : 97) {
            uint8_t *exact = malloc(room);
            struct tern_writer w;
            tern_writer_init(&w, exact, room);
            tern_frame_encode_connection_close(&w, true, 7, 0, reason, lens[i]);
            assert_int_equal(w.failed, room < 3);
            if (!w.failed) {
                struct tern_frame frame;
                struct tern_reader r;
                tern_reader_init(&r, exact, tern_writer_used(&w));
                assert_int_equal(tern_frame_decode(&frame, &r), 0);
                size_t kept = frame.u.connection_close.reason_len;
                assert_true(kept == lens[i] || kept + 6 >= room - 2);
            }
            free(exact);
        }
    }
}

static void largest_numbers_round_trip(void **state)
{
    (void)state;
    uint8_t buf[64];
    struct tern_writer w;
    struct tern_reader r;
    struct tern_frame frame;
    tern_writer_init(&w, buf, sizeof buf);
    tern_frame_encode_reset_stream(&w, TERN_VARINT_MAX, TERN_VARINT_MAX - 1, TERN_VARINT_MAX - 2);
    tern_frame_encode_max_streams(&w, true, TERN_STREAMS_MAX);
    tern_reader_init(&r, buf, tern_writer_used(&w));
    assert_int_equal(tern_frame_decode(&frame, &r), 0);
    assert_int_equal(frame.u.reset_stream.id, TERN_VARINT_MAX);
    assert_int_equal(frame.u.reset_stream.code, TERN_VARINT_MAX - 1);
    assert_int_equal(frame.u.reset_stream.final_size, TERN_VARINT_MAX - 2);
    assert_int_equal(tern_frame_decode(&frame, &r), 0);
    assert_int_equal(frame.u.limit.value, TERN_STREAMS_MAX);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_sample_is_written_the_same),
    cmocka_unit_test(frames_fail_where_they_do_not_fit),
    cmocka_unit_test(failed_writer_stays_as_it_was),
    cmocka_unit_test(stream_size_is_what_is_written),
    cmocka_unit_test(crypto_header_is_never_longer_than_said),
    cmocka_unit_test(ack_drops_its_lowest_ranges),
    cmocka_unit_test(ack_fits_to_the_byte),
    cmocka_unit_test(ack_of_one_packet),
    cmocka_unit_test(ack_delay_is_capped),
    cmocka_unit_test(reason_is_cut_to_the_room),
    cmocka_unit_test(largest_numbers_round_trip),
};

TERN_TEST_MAIN(tests)
