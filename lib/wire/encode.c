/* One function for each frame written.
 * SPDX-License-Identifier: MIT */
#include "wire/encode.h"

#define MESSAGE_CREDIT   0x01u
#define MESSAGE_FRAGMENT 0x02u

static void write_type(struct tern_writer *w, enum tern_frame_type type)
{
    tern_write_varint(w, (uint64_t)type);
}

static void write_one(struct tern_writer *w, enum tern_frame_type type, uint64_t a)
{
    write_type(w, type);
    tern_write_varint(w, a);
}

static void write_two(struct tern_writer *w, enum tern_frame_type type, uint64_t a, uint64_t b)
{
    write_one(w, type, a);
    tern_write_varint(w, b);
}

void tern_frame_encode_ping(struct tern_writer *w)
{
    write_type(w, TERN_FRAME_PING);
}

void tern_frame_encode_handshake_done(struct tern_writer *w)
{
    write_type(w, TERN_FRAME_HANDSHAKE_DONE);
}

void tern_frame_encode_immediate_ack(struct tern_writer *w)
{
    write_type(w, TERN_FRAME_IMMEDIATE_ACK);
}

void tern_frame_encode_rekey(struct tern_writer *w, uint64_t number, const uint8_t public_key[32])
{
    write_one(w, TERN_FRAME_REKEY, number);
    tern_write_bytes(w, public_key, 32);
}

void tern_frame_encode_clock(struct tern_writer *w, uint64_t micros)
{
    write_one(w, TERN_FRAME_CLOCK, TERN_MIN(micros, (uint64_t)TERN_CLOCK_MAX));
}

void tern_frame_encode_ack_frequency(struct tern_writer *w,
                                     const struct tern_frame_ack_frequency *f)
{
    write_two(w, TERN_FRAME_ACK_FREQUENCY, f->sequence, f->threshold);
    tern_write_varint(w, f->max_delay);
    tern_write_varint(w, f->reordering);
}

static size_t ecn_size(const struct tern_frame_ecn *ecn)
{
    return ecn == NULL ? 0
                       : tern_varint_size(ecn->ect0) + tern_varint_size(ecn->ect1) +
                             tern_varint_size(ecn->ce);
}

/* How many ranges below the newest fit into `room` bytes. */
static size_t count_fitting(const struct tern_range *ranges, size_t count, size_t room)
{
    size_t fitting = 0;
    for (size_t i = count - 1; i-- > 0;) {
        uint64_t gap = ranges[i + 1].start - ranges[i].end - 1;
        uint64_t length = ranges[i].end - ranges[i].start - 1;
        size_t size = tern_varint_size(gap) + tern_varint_size(length);
        if (size > room) {
            break;
        }
        room -= size;
        fitting++;
    }
    return fitting;
}

void tern_frame_encode_ack(struct tern_writer *w, uint64_t largest, uint64_t delay,
                           const struct tern_range *ranges, size_t count,
                           const struct tern_frame_ecn *ecn)
{
    tern_assert(count > 0 && ranges[count - 1].end == largest + 1);
    uint64_t first = largest - ranges[count - 1].start;
    delay = TERN_MIN(delay, TERN_VARINT_MAX);
    size_t fixed = 1 + tern_varint_size(largest) + tern_varint_size(delay) +
                   tern_varint_size(count - 1) + tern_varint_size(first) + ecn_size(ecn);
    if (fixed > tern_writer_left(w)) {
        w->failed = true;
        return;
    }
    size_t fitting = count_fitting(ranges, count, tern_writer_left(w) - fixed);
    write_two(w, ecn == NULL ? TERN_FRAME_ACK : TERN_FRAME_ACK_ECN, largest, delay);
    tern_write_varint(w, fitting);
    tern_write_varint(w, first);
    for (size_t i = count - 1; i-- > count - 1 - fitting;) {
        tern_write_varint(w, ranges[i + 1].start - ranges[i].end - 1);
        tern_write_varint(w, ranges[i].end - ranges[i].start - 1);
    }
    if (ecn != NULL) {
        tern_write_varint(w, ecn->ect0);
        tern_write_varint(w, ecn->ect1);
        tern_write_varint(w, ecn->ce);
    }
}

void tern_frame_encode_crypto(struct tern_writer *w, uint64_t offset, const uint8_t *data,
                              size_t len)
{
    write_two(w, TERN_FRAME_CRYPTO, offset, len);
    tern_write_bytes(w, data, len);
}

size_t tern_frame_stream_size(uint64_t id, uint64_t offset, size_t len)
{
    return 1 + tern_varint_size(id) + (offset > 0 ? tern_varint_size(offset) : 0) +
           tern_varint_size(len);
}

void tern_frame_encode_stream(struct tern_writer *w, uint64_t id, uint64_t offset, size_t len,
                              bool fin)
{
    unsigned type = TERN_FRAME_STREAM | TERN_STREAM_LEN | (fin ? TERN_STREAM_FIN : 0) |
                    (offset > 0 ? TERN_STREAM_OFF : 0);
    tern_write_u8(w, (uint8_t)type);
    tern_write_varint(w, id);
    if (offset > 0) {
        tern_write_varint(w, offset);
    }
    tern_write_varint(w, len);
}

void tern_frame_encode_message(struct tern_writer *w, const struct tern_frame_message *f)
{
    unsigned type = TERN_FRAME_MESSAGE | (unsigned)f->order << 2 |
                    (f->is_fragment ? MESSAGE_FRAGMENT : 0) | (f->uses_credit ? MESSAGE_CREDIT : 0);
    tern_write_u8(w, (uint8_t)type);
    tern_write_varint(w, f->channel);
    tern_write_varint(w, f->number);
    if (f->is_fragment) {
        tern_write_varint(w, f->offset);
        tern_write_varint(w, f->total);
    }
    tern_write_varint(w, f->len);
    tern_write_bytes(w, f->data, f->len);
}

void tern_frame_encode_repair(struct tern_writer *w, const struct tern_frame_repair *f)
{
    write_two(w, TERN_FRAME_REPAIR, f->channel, f->order);
    tern_write_varint(w, f->size);
    tern_write_varint(w, f->message);
    tern_write_varint(w, f->skip);
    tern_write_varint(w, f->symbols);
    tern_write_varint(w, f->messages);
    tern_write_u8(w, f->first);
    tern_write_u8(w, f->number);
    tern_write_bytes(w, f->lengths, f->lengths_len);
    tern_write_varint(w, f->len);
}

void tern_frame_encode_message_skip(struct tern_writer *w, const struct tern_frame_message_skip *f)
{
    write_two(w, TERN_FRAME_MESSAGE_SKIP, f->channel, f->order);
    tern_write_varint(w, f->first);
    tern_write_varint(w, f->count);
    tern_write_varint(w, f->cost);
}

void tern_frame_encode_max_message_data(struct tern_writer *w, uint64_t limit)
{
    write_one(w, TERN_FRAME_MAX_MESSAGE_DATA, limit);
}

void tern_frame_encode_reset_stream(struct tern_writer *w, uint64_t id, uint64_t code,
                                    uint64_t final_size)
{
    write_two(w, TERN_FRAME_RESET_STREAM, id, code);
    tern_write_varint(w, final_size);
}

void tern_frame_encode_stop_sending(struct tern_writer *w, uint64_t id, uint64_t code)
{
    write_two(w, TERN_FRAME_STOP_SENDING, id, code);
}

void tern_frame_encode_max_data(struct tern_writer *w, uint64_t limit)
{
    write_one(w, TERN_FRAME_MAX_DATA, limit);
}

void tern_frame_encode_max_stream_data(struct tern_writer *w, uint64_t id, uint64_t limit)
{
    write_two(w, TERN_FRAME_MAX_STREAM_DATA, id, limit);
}

void tern_frame_encode_max_streams(struct tern_writer *w, bool is_bidi, uint64_t limit)
{
    write_one(w, is_bidi ? TERN_FRAME_MAX_STREAMS_BIDI : TERN_FRAME_MAX_STREAMS_UNI, limit);
}

void tern_frame_encode_data_blocked(struct tern_writer *w, uint64_t limit)
{
    write_one(w, TERN_FRAME_DATA_BLOCKED, limit);
}

void tern_frame_encode_stream_data_blocked(struct tern_writer *w, uint64_t id, uint64_t limit)
{
    write_two(w, TERN_FRAME_STREAM_DATA_BLOCKED, id, limit);
}

void tern_frame_encode_streams_blocked(struct tern_writer *w, bool is_bidi, uint64_t limit)
{
    write_one(w, is_bidi ? TERN_FRAME_STREAMS_BLOCKED_BIDI : TERN_FRAME_STREAMS_BLOCKED_UNI, limit);
}

void tern_frame_encode_new_token(struct tern_writer *w, const uint8_t *token, size_t len)
{
    write_one(w, TERN_FRAME_NEW_TOKEN, len);
    tern_write_bytes(w, token, len);
}

void tern_frame_encode_new_connection_id(struct tern_writer *w, uint64_t sequence,
                                         uint64_t retire_prior_to, const struct tern_cid *cid,
                                         const uint8_t token[TERN_RESET_TOKEN_BYTES])
{
    write_two(w, TERN_FRAME_NEW_CONNECTION_ID, sequence, retire_prior_to);
    tern_write_u8(w, cid->len);
    tern_write_bytes(w, cid->bytes, cid->len);
    tern_write_bytes(w, token, TERN_RESET_TOKEN_BYTES);
}

void tern_frame_encode_retire_connection_id(struct tern_writer *w, uint64_t sequence)
{
    write_one(w, TERN_FRAME_RETIRE_CONNECTION_ID, sequence);
}

void tern_frame_encode_path_challenge(struct tern_writer *w, const uint8_t data[8])
{
    write_type(w, TERN_FRAME_PATH_CHALLENGE);
    tern_write_bytes(w, data, 8);
}

void tern_frame_encode_path_response(struct tern_writer *w, const uint8_t data[8])
{
    write_type(w, TERN_FRAME_PATH_RESPONSE);
    tern_write_bytes(w, data, 8);
}

void tern_frame_encode_connection_close(struct tern_writer *w, bool is_application, uint64_t code,
                                        uint64_t frame_type, const uint8_t *reason, size_t len)
{
    write_one(w, is_application ? TERN_FRAME_CONNECTION_CLOSE_APP : TERN_FRAME_CONNECTION_CLOSE,
              code);
    if (!is_application) {
        tern_write_varint(w, frame_type);
    }
    len = TERN_MIN(len, tern_sub_sat(tern_writer_left(w), tern_varint_size(len)));
    tern_write_varint(w, len);
    tern_write_bytes(w, reason, len);
}
