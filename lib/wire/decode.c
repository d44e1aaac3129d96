/* One function for each frame read. Every bound of RFC 9000 section 19 that a frame can violate by
 * itself is checked here; what depends on state is conn's business.
 * SPDX-License-Identifier: MIT */
#include "wire/decode.h"

#define MESSAGE_CREDIT   0x01u
#define MESSAGE_FRAGMENT 0x02u
#define MESSAGE_LATEST   2u

static void decode_padding(struct tern_frame *out, struct tern_reader *r)
{
    out->padding = 1;
    /* A full-sized packet is mostly this: whole words first. */
    for (uint64_t word = 0; (size_t)(r->end - r->at) >= sizeof word;) {
        memcpy(&word, r->at, sizeof word);
        if (word != 0) {
            break;
        }
        r->at += sizeof word;
        out->padding += sizeof word;
    }
    while (r->at < r->end && *r->at == 0) {
        r->at++;
        out->padding++;
    }
}

/* Walks the ranges once: none may reach below zero. */
static bool ranges_are_sound(struct tern_frame_ack *ack, struct tern_reader *r)
{
    const uint8_t *start = r->at;
    if (r->failed || ack->first_range > ack->largest) {
        return false;
    }
    uint64_t smallest = ack->largest - ack->first_range;
    for (uint64_t i = 0; i < ack->range_count; i++) {
        uint64_t gap = tern_read_varint(r);
        uint64_t length = tern_read_varint(r);
        if (r->failed || smallest < gap + 2 || smallest - gap - 2 < length) {
            return false;
        }
        smallest -= gap + 2 + length;
    }
    ack->ranges = start;
    ack->ranges_len = (size_t)(r->at - start);
    return true;
}

static void decode_ack(struct tern_frame *out, struct tern_reader *r)
{
    struct tern_frame_ack *ack = &out->u.ack;
    ack->largest = tern_read_varint(r);
    ack->delay = tern_read_varint(r);
    ack->range_count = tern_read_varint(r);
    ack->first_range = tern_read_varint(r);
    if (!ranges_are_sound(ack, r)) {
        r->failed = true;
        return;
    }
    ack->has_ecn = out->type == TERN_FRAME_ACK_ECN;
    if (ack->has_ecn) {
        ack->ecn.ect0 = tern_read_varint(r);
        ack->ecn.ect1 = tern_read_varint(r);
        ack->ecn.ce = tern_read_varint(r);
    }
}

void tern_ack_iter_init(struct tern_ack_iter *iter, const struct tern_frame_ack *ack)
{
    tern_reader_init(&iter->r, ack->ranges, ack->ranges_len);
    iter->largest = ack->largest;
    iter->smallest = ack->largest - ack->first_range;
    iter->left = ack->range_count;
    iter->is_done = false;
}

bool tern_ack_iter_next(struct tern_ack_iter *iter, uint64_t *smallest, uint64_t *largest)
{
    if (iter->is_done) {
        return false;
    }
    *smallest = iter->smallest;
    *largest = iter->largest;
    iter->is_done = iter->left == 0;
    if (iter->left > 0) {
        iter->left--;
        iter->largest = iter->smallest - tern_read_varint(&iter->r) - 2;
        iter->smallest = iter->largest - tern_read_varint(&iter->r);
    }
    return true;
}

/* Offset and length may not reach past 2^62 - 1 (RFC 9000 §19.6, §19.8). */
static void check_span(struct tern_reader *r, uint64_t offset, uint64_t len)
{
    if (len > TERN_VARINT_MAX - offset) {
        r->failed = true;
    }
}

static void decode_crypto(struct tern_frame *out, struct tern_reader *r)
{
    out->u.crypto.offset = tern_read_varint(r);
    uint64_t len = tern_read_varint(r);
    out->u.crypto.data = tern_read_bytes(r, len);
    out->u.crypto.len = (size_t)len;
    check_span(r, out->u.crypto.offset, len);
}

static void decode_stream(struct tern_frame *out, struct tern_reader *r, uint64_t type)
{
    struct tern_frame_stream *s = &out->u.stream;
    s->fin = (type & TERN_STREAM_FIN) != 0;
    s->id = tern_read_varint(r);
    s->offset = (type & TERN_STREAM_OFF) != 0 ? tern_read_varint(r) : 0;
    uint64_t len = (type & TERN_STREAM_LEN) != 0 ? tern_read_varint(r) : tern_reader_left(r);
    s->data = tern_read_bytes(r, len);
    s->len = (size_t)len;
    check_span(r, s->offset, len);
}

static void decode_new_token(struct tern_frame *out, struct tern_reader *r)
{
    uint64_t len = tern_read_varint(r);
    out->u.new_token.token = tern_read_bytes(r, len);
    out->u.new_token.len = (size_t)len;
    if (len == 0) { /* RFC 9000 §19.7 */
        r->failed = true;
    }
}

static void decode_new_connection_id(struct tern_frame *out, struct tern_reader *r)
{
    struct tern_frame_new_connection_id *f = &out->u.new_connection_id;
    f->sequence = tern_read_varint(r);
    f->retire_prior_to = tern_read_varint(r);
    uint8_t len = tern_read_u8(r);
    if (len == 0 || len > TERN_CID_MAX || f->retire_prior_to > f->sequence) { /* §19.15 */
        r->failed = true;
    }
    const uint8_t *cid = tern_read_bytes(r, len);
    const uint8_t *token = tern_read_bytes(r, TERN_RESET_TOKEN_BYTES);
    if (!r->failed) {
        f->cid.len = len;
        memcpy(f->cid.bytes, cid, len);
        memcpy(f->reset_token, token, TERN_RESET_TOKEN_BYTES);
    }
}

static void decode_path(struct tern_frame *out, struct tern_reader *r)
{
    const uint8_t *data = tern_read_bytes(r, sizeof out->u.path.data);
    if (data != NULL) {
        memcpy(out->u.path.data, data, sizeof out->u.path.data);
    }
}

static void decode_close(struct tern_frame *out, struct tern_reader *r)
{
    struct tern_frame_connection_close *c = &out->u.connection_close;
    c->is_application = out->type == TERN_FRAME_CONNECTION_CLOSE_APP;
    c->code = tern_read_varint(r);
    c->frame_type = c->is_application ? 0 : tern_read_varint(r);
    uint64_t len = tern_read_varint(r);
    c->reason = tern_read_bytes(r, len);
    c->reason_len = (size_t)len;
}

static void decode_rekey(struct tern_frame *out, struct tern_reader *r)
{
    out->u.rekey.number = tern_read_varint(r);
    const uint8_t *key = tern_read_bytes(r, sizeof out->u.rekey.public_key);
    if (key != NULL) {
        memcpy(out->u.rekey.public_key, key, sizeof out->u.rekey.public_key);
    }
}

static void decode_clock(struct tern_frame *out, struct tern_reader *r)
{
    out->u.clock.micros = tern_read_varint(r);
    r->failed = r->failed || out->u.clock.micros > TERN_CLOCK_MAX;
}

static void decode_ack_frequency(struct tern_frame *out, struct tern_reader *r)
{
    out->u.ack_frequency.sequence = tern_read_varint(r);
    out->u.ack_frequency.threshold = tern_read_varint(r);
    out->u.ack_frequency.max_delay = tern_read_varint(r);
    out->u.ack_frequency.reordering = tern_read_varint(r);
}

static void decode_message(struct tern_frame *out, struct tern_reader *r, uint64_t type)
{
    struct tern_frame_message *m = &out->u.message;
    m->order = (uint8_t)(type >> 2 & 3);
    m->is_fragment = (type & MESSAGE_FRAGMENT) != 0;
    m->uses_credit = (type & MESSAGE_CREDIT) != 0;
    m->channel = tern_read_varint(r);
    m->number = tern_read_varint(r);
    if (m->is_fragment) {
        m->offset = tern_read_varint(r);
        m->total = tern_read_varint(r);
    }
    uint64_t len = tern_read_varint(r);
    m->data = tern_read_bytes(r, len);
    m->len = (size_t)len;
    if (!m->is_fragment) {
        m->total = len;
    } else if (m->total == 0 || m->offset > m->total ||
               len > m->total - m->offset) { /* [P §16.1] */
        r->failed = true;
    }
    if (m->uses_credit && m->order == MESSAGE_LATEST) { /* [P §16.3] */
        r->failed = true;
    }
}

static void decode_message_skip(struct tern_frame *out, struct tern_reader *r)
{
    struct tern_frame_message_skip *s = &out->u.message_skip;
    s->channel = tern_read_varint(r);
    s->order = tern_read_varint(r);
    s->first = tern_read_varint(r);
    s->count = tern_read_varint(r);
    s->cost = tern_read_varint(r);
    if (s->order >= MESSAGE_LATEST || s->count == 0) { /* [P §16.4] */
        r->failed = true;
    }
    check_span(r, s->first, s->count);
}

/* What the list means is the receiver's business; here it is only as long as it should be. */
static void decode_repair(struct tern_frame *out, struct tern_reader *r)
{
    struct tern_frame_repair *f = &out->u.repair;
    f->channel = tern_read_varint(r);
    f->order = tern_read_varint(r);
    f->size = tern_read_varint(r);
    f->message = tern_read_varint(r);
    f->skip = tern_read_varint(r);
    f->symbols = tern_read_varint(r);
    f->messages = tern_read_varint(r);
    f->first = tern_read_u8(r);
    f->number = tern_read_u8(r);
    if (f->order > MESSAGE_LATEST || f->size == 0 || f->size > TERN_REPAIR_SIZE_MAX ||
        f->skip >= TERN_MESSAGE_SIZE_MAX || f->symbols > TERN_REPAIR_SYMBOLS_MAX ||
        f->messages > f->symbols || (f->messages == 0) != (f->symbols == 0)) { /* [P §16.6] */
        r->failed = true;
        return;
    }
    f->lengths = r->at;
    for (uint64_t i = 0; i < f->messages; i++) {
        (void)tern_read_varint(r);
    }
    f->lengths_len = r->failed ? 0 : (size_t)(r->at - f->lengths);
    uint64_t len = tern_read_varint(r);
    f->data = tern_read_bytes(r, len);
    f->len = (size_t)len;
    if (len > f->size || (f->symbols == 0 && len > 0)) {
        r->failed = true;
    }
}

static void decode_reset_stream(struct tern_frame *out, struct tern_reader *r)
{
    out->u.reset_stream.id = tern_read_varint(r);
    out->u.reset_stream.code = tern_read_varint(r);
    out->u.reset_stream.final_size = tern_read_varint(r);
}

/* Frames of one or two numbers. */
static void decode_limit(struct tern_frame *out, struct tern_reader *r, bool has_id,
                         uint64_t largest)
{
    out->u.limit.id = has_id ? tern_read_varint(r) : 0;
    out->u.limit.value = tern_read_varint(r);
    if (out->u.limit.value > largest) {
        r->failed = true;
    }
}

static void decode_body(struct tern_frame *out, struct tern_reader *r, uint64_t type)
{
    switch (out->type) {
    case TERN_FRAME_PADDING:
        decode_padding(out, r);
        break;
    case TERN_FRAME_PING:
    case TERN_FRAME_HANDSHAKE_DONE:
    case TERN_FRAME_IMMEDIATE_ACK:
        break;
    case TERN_FRAME_ACK_FREQUENCY:
        decode_ack_frequency(out, r);
        break;
    case TERN_FRAME_REKEY:
        decode_rekey(out, r);
        break;
    case TERN_FRAME_CLOCK:
        decode_clock(out, r);
        break;
    case TERN_FRAME_ACK:
    case TERN_FRAME_ACK_ECN:
        decode_ack(out, r);
        break;
    case TERN_FRAME_RESET_STREAM:
        decode_reset_stream(out, r);
        break;
    case TERN_FRAME_STOP_SENDING:
        out->u.stop_sending.id = tern_read_varint(r);
        out->u.stop_sending.code = tern_read_varint(r);
        break;
    case TERN_FRAME_CRYPTO:
        decode_crypto(out, r);
        break;
    case TERN_FRAME_NEW_TOKEN:
        decode_new_token(out, r);
        break;
    case TERN_FRAME_STREAM:
        decode_stream(out, r, type);
        break;
    case TERN_FRAME_MESSAGE:
        decode_message(out, r, type);
        break;
    case TERN_FRAME_MESSAGE_SKIP:
        decode_message_skip(out, r);
        break;
    case TERN_FRAME_REPAIR:
        decode_repair(out, r);
        break;
    case TERN_FRAME_MAX_DATA:
    case TERN_FRAME_MAX_MESSAGE_DATA:
    case TERN_FRAME_DATA_BLOCKED:
        decode_limit(out, r, false, TERN_VARINT_MAX);
        break;
    case TERN_FRAME_MAX_STREAM_DATA:
    case TERN_FRAME_STREAM_DATA_BLOCKED:
        decode_limit(out, r, true, TERN_VARINT_MAX);
        break;
    case TERN_FRAME_MAX_STREAMS_BIDI:
    case TERN_FRAME_MAX_STREAMS_UNI:
    case TERN_FRAME_STREAMS_BLOCKED_BIDI:
    case TERN_FRAME_STREAMS_BLOCKED_UNI:
        decode_limit(out, r, false, TERN_STREAMS_MAX);
        break;
    case TERN_FRAME_NEW_CONNECTION_ID:
        decode_new_connection_id(out, r);
        break;
    case TERN_FRAME_RETIRE_CONNECTION_ID:
        out->u.retire_connection_id.sequence = tern_read_varint(r);
        break;
    case TERN_FRAME_PATH_CHALLENGE:
    case TERN_FRAME_PATH_RESPONSE:
        decode_path(out, r);
        break;
    case TERN_FRAME_CONNECTION_CLOSE:
    case TERN_FRAME_CONNECTION_CLOSE_APP:
        decode_close(out, r);
        break;
    }
}

static enum tern_frame_type family_of(uint64_t type)
{
    if (type >= TERN_FRAME_STREAM && type < TERN_FRAME_STREAM + 8) {
        return TERN_FRAME_STREAM;
    }
    bool is_message = type >= TERN_FRAME_MESSAGE && type < TERN_FRAME_MESSAGE_SKIP;
    return is_message ? TERN_FRAME_MESSAGE : (enum tern_frame_type)type;
}

int tern_frame_decode(struct tern_frame *out, struct tern_reader *r)
{
    const uint8_t *start = r->at;
    uint64_t type = tern_read_varint(r);
    out->type = TERN_FRAME_PADDING;
    out->padding = 0;
    if (r->failed || tern_frame_rule(type) == NULL) {
        return TERN_ERR_FRAME_ENCODING;
    }
    out->type = family_of(type);
    if (out->type !=
        TERN_FRAME_STREAM) { /* of which every field is set, and which most frames are */
        memset(&out->u, 0, sizeof out->u);
    }
    if ((size_t)(r->at - start) != tern_varint_size(type)) {
        return TERN_ERR_PROTOCOL;
    }
    decode_body(out, r, type);
    return r->failed ? TERN_ERR_FRAME_ENCODING : 0;
}
