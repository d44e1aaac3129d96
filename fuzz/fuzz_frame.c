/* Frames: what decodes lies inside the payload, and says the same when written again.
 *
 * Input: a packet's payload.
 * SPDX-License-Identifier: MIT */
#include "reframe.h"
#include "wire/decode.h"
#include "wire/encode.h"

#define RANGES_MAX 64
#define BUF_SIZE   8192

static bool is_inside(const uint8_t *part, size_t len, const struct tern_reader *all)
{
    return part >= all->at && part <= all->end && len <= (size_t)(all->end - part);
}

static void check_pointers(const struct tern_frame *f, const struct tern_reader *all)
{
    switch ((int)f->type) { /* the others have no pointers */
    case TERN_FRAME_CRYPTO:
        FUZZ_CHECK(is_inside(f->u.crypto.data, f->u.crypto.len, all));
        FUZZ_CHECK(f->u.crypto.offset + f->u.crypto.len <= TERN_VARINT_MAX);
        break;
    case TERN_FRAME_STREAM:
        FUZZ_CHECK(is_inside(f->u.stream.data, f->u.stream.len, all));
        FUZZ_CHECK(f->u.stream.offset + f->u.stream.len <= TERN_VARINT_MAX);
        break;
    case TERN_FRAME_MESSAGE:
        FUZZ_CHECK(is_inside(f->u.message.data, f->u.message.len, all));
        FUZZ_CHECK(f->u.message.offset + f->u.message.len <= f->u.message.total);
        FUZZ_CHECK(f->u.message.is_fragment || f->u.message.len == f->u.message.total);
        break;
    case TERN_FRAME_REPAIR:
        FUZZ_CHECK(is_inside(f->u.repair.lengths, f->u.repair.lengths_len, all));
        FUZZ_CHECK(is_inside(f->u.repair.data, f->u.repair.len, all));
        FUZZ_CHECK(f->u.repair.len <= f->u.repair.size);
        break;
    case TERN_FRAME_NEW_TOKEN:
        FUZZ_CHECK(is_inside(f->u.new_token.token, f->u.new_token.len, all));
        break;
    case TERN_FRAME_CONNECTION_CLOSE:
    case TERN_FRAME_CONNECTION_CLOSE_APP:
        FUZZ_CHECK(is_inside(f->u.connection_close.reason, f->u.connection_close.reason_len, all));
        break;
    default:
        break;
    }
}

/* The ranges come out descending, disjoint and with a gap between; the encoder takes them ascending.
 * Returns their count, RANGES_MAX + 1 when there are more than fit. */
static size_t collect(const struct tern_frame_ack *ack, struct tern_range ranges[RANGES_MAX])
{
    struct tern_ack_iter iter;
    uint64_t smallest, largest, before = 0;
    size_t count = 0;
    tern_ack_iter_init(&iter, ack);
    while (tern_ack_iter_next(&iter, &smallest, &largest)) {
        FUZZ_CHECK(smallest <= largest && largest <= ack->largest);
        FUZZ_CHECK(count == 0 || largest + 2 <= before);
        before = smallest;
        if (count < RANGES_MAX) {
            ranges[RANGES_MAX - 1 - count] = (struct tern_range){smallest, largest + 1};
        }
        count++;
    }
    FUZZ_CHECK(count == ack->range_count + 1);
    return count;
}

static bool rewrite_ack(struct tern_writer *w, const struct tern_frame_ack *ack)
{
    struct tern_range ranges[RANGES_MAX];
    size_t count = collect(ack, ranges);
    if (count > RANGES_MAX) {
        return false;
    }
    tern_frame_encode_ack(w, ack->largest, ack->delay, ranges + RANGES_MAX - count, count,
                          ack->has_ecn ? &ack->ecn : NULL);
    return true;
}

static void rewrite_limit(struct tern_writer *w, enum tern_frame_type type,
                          const struct tern_frame_limit *limit)
{
    switch ((int)type) {
    case TERN_FRAME_MAX_DATA:
        tern_frame_encode_max_data(w, limit->value);
        break;
    case TERN_FRAME_MAX_MESSAGE_DATA:
        tern_frame_encode_max_message_data(w, limit->value);
        break;
    case TERN_FRAME_MAX_STREAM_DATA:
        tern_frame_encode_max_stream_data(w, limit->id, limit->value);
        break;
    case TERN_FRAME_MAX_STREAMS_BIDI:
    case TERN_FRAME_MAX_STREAMS_UNI:
        tern_frame_encode_max_streams(w, type == TERN_FRAME_MAX_STREAMS_BIDI, limit->value);
        break;
    case TERN_FRAME_DATA_BLOCKED:
        tern_frame_encode_data_blocked(w, limit->value);
        break;
    case TERN_FRAME_STREAM_DATA_BLOCKED:
        tern_frame_encode_stream_data_blocked(w, limit->id, limit->value);
        break;
    default:
        tern_frame_encode_streams_blocked(w, type == TERN_FRAME_STREAMS_BLOCKED_BIDI, limit->value);
        break;
    }
}

static void rewrite_close(struct tern_writer *w, const struct tern_frame *f)
{
    tern_frame_encode_connection_close(w, f->u.connection_close.is_application,
                                       f->u.connection_close.code, f->u.connection_close.frame_type,
                                       f->u.connection_close.reason,
                                       f->u.connection_close.reason_len);
}

/* False when the frame cannot be written again as it was. */
static bool rewrite(struct tern_writer *w, const struct tern_frame *f)
{
    switch ((int)f->type) { /* the others are limits */
    case TERN_FRAME_PADDING:
        return false;
    case TERN_FRAME_PING:
        tern_frame_encode_ping(w);
        break;
    case TERN_FRAME_ACK:
    case TERN_FRAME_ACK_ECN:
        return rewrite_ack(w, &f->u.ack);
    case TERN_FRAME_RESET_STREAM:
        tern_frame_encode_reset_stream(w, f->u.reset_stream.id, f->u.reset_stream.code,
                                       f->u.reset_stream.final_size);
        break;
    case TERN_FRAME_STOP_SENDING:
        tern_frame_encode_stop_sending(w, f->u.stop_sending.id, f->u.stop_sending.code);
        break;
    case TERN_FRAME_CRYPTO:
        tern_frame_encode_crypto(w, f->u.crypto.offset, f->u.crypto.data, f->u.crypto.len);
        break;
    case TERN_FRAME_NEW_TOKEN:
        tern_frame_encode_new_token(w, f->u.new_token.token, f->u.new_token.len);
        break;
    case TERN_FRAME_STREAM:
        tern_frame_encode_stream(w, f->u.stream.id, f->u.stream.offset, f->u.stream.len,
                                 f->u.stream.fin);
        tern_write_bytes(w, f->u.stream.data, f->u.stream.len);
        break;
    case TERN_FRAME_NEW_CONNECTION_ID:
        tern_frame_encode_new_connection_id(
            w, f->u.new_connection_id.sequence, f->u.new_connection_id.retire_prior_to,
            &f->u.new_connection_id.cid, f->u.new_connection_id.reset_token);
        break;
    case TERN_FRAME_RETIRE_CONNECTION_ID:
        tern_frame_encode_retire_connection_id(w, f->u.retire_connection_id.sequence);
        break;
    case TERN_FRAME_PATH_CHALLENGE:
        tern_frame_encode_path_challenge(w, f->u.path.data);
        break;
    case TERN_FRAME_PATH_RESPONSE:
        tern_frame_encode_path_response(w, f->u.path.data);
        break;
    case TERN_FRAME_CONNECTION_CLOSE:
    case TERN_FRAME_CONNECTION_CLOSE_APP:
        rewrite_close(w, f);
        break;
    case TERN_FRAME_HANDSHAKE_DONE:
        tern_frame_encode_handshake_done(w);
        break;
    case TERN_FRAME_IMMEDIATE_ACK:
        tern_frame_encode_immediate_ack(w);
        break;
    case TERN_FRAME_ACK_FREQUENCY:
        tern_frame_encode_ack_frequency(w, &f->u.ack_frequency);
        break;
    case TERN_FRAME_CLOCK:
        tern_frame_encode_clock(w, f->u.clock.micros);
        break;
    case TERN_FRAME_REKEY:
        tern_frame_encode_rekey(w, f->u.rekey.number, f->u.rekey.public_key);
        break;
    case TERN_FRAME_MESSAGE:
        tern_frame_encode_message(w, &f->u.message);
        break;
    case TERN_FRAME_REPAIR:
        tern_frame_encode_repair(w, &f->u.repair);
        tern_write_bytes(w, f->u.repair.data, f->u.repair.len);
        break;
    case TERN_FRAME_MESSAGE_SKIP:
        tern_frame_encode_message_skip(w, &f->u.message_skip);
        break;
    default:
        rewrite_limit(w, f->type, &f->u.limit);
        break;
    }
    return true;
}

/* Our own form of a frame must be read back and be written the same once more. */
static void check_rewrite(const struct tern_frame *f)
{
    static uint8_t first[BUF_SIZE], second[BUF_SIZE];
    struct tern_frame again;
    struct tern_reader r;
    struct tern_writer w, w2;
    tern_writer_init(&w, first, sizeof first);
    if (!rewrite(&w, f) || w.failed) {
        return;
    }
    tern_reader_init(&r, first, tern_writer_used(&w));
    FUZZ_CHECK(tern_frame_decode(&again, &r) == 0);
    FUZZ_CHECK(tern_reader_left(&r) == 0 && again.type == f->type);
    tern_writer_init(&w2, second, sizeof second);
    FUZZ_CHECK(rewrite(&w2, &again) && !w2.failed);
    FUZZ_CHECK(tern_writer_used(&w) == tern_writer_used(&w2));
    FUZZ_CHECK(memcmp(first, second, tern_writer_used(&w)) == 0);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    return reframe_mutate(data, size, max_size, seed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tern_reader r, all;
    tern_reader_init(&r, data, TERN_MIN(size, (size_t)BUF_SIZE / 2));
    all = r;
    while (tern_reader_left(&r) > 0) {
        const uint8_t *before = r.at;
        struct tern_frame frame;
        int rc = tern_frame_decode(&frame, &r);
        if (rc != 0) {
            FUZZ_CHECK(rc == TERN_ERR_FRAME_ENCODING || rc == TERN_ERR_PROTOCOL);
            break;
        }
        FUZZ_CHECK(r.at > before);
        FUZZ_CHECK(tern_frame_rule(frame.type) != NULL);
        check_pointers(&frame, &all);
        check_rewrite(&frame);
    }
    return 0;
}
