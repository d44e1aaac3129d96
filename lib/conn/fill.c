/* Frames into packets. Each function takes what a component wants, writes it if it fits, leaves a
 * receipt, and tells the component. A frame that does not fit waits for the next packet. [P §6]
 * SPDX-License-Identifier: MIT */
#include "conn/fill.h"

#include "conn/clock.h"
#include "conn/messages.h"
#include "conn/proofs.h"
#include "conn/receipts.h"
#include "conn/rekey.h"
#include "crypto/token.h"
#include "wire/encode.h"
#include "wire/frame.h"

#define ROUND_UP_MAX      24
#define ROUND_UP_MESSAGES 80 /* small ones are not cut: what is left is mostly less than one */
#define NEW_TOKEN_ROOM    (TERN_ADDRESS_ITEM + 3)
#define LEAST_MESSAGE     12   /* a frame with eight bytes */
#define MESSAGES_MAX      1024 /* in a packet, where datagrams are huge */
#define CRYPTO_MIN_ROOM   24   /* a CRYPTO frame with less than this is not worth its header */

/* One by one, not as a whole: it is done for each packet, and clearing that much takes longer. */
void tern_fill_init(struct tern_fill *fill, struct tern_conn *conn, enum tern_level level)
{
    fill->conn = conn;
    fill->level = level;
    fill->space = &conn->spaces[level];
    fill->path = &conn->path;
    fill->full = 0;
    fill->receipts_max = 0;
    fill->is_small = fill->is_eliciting = fill->has_ack = fill->has_immediate_ack = false;
    fill->has_message = fill->is_padded = fill->needs_full_size = false;
}

void tern_fill_note(struct tern_fill *fill, struct tern_receipt receipt)
{
    tern_sent_note(&fill->space->loss.sent, &receipt);
}

bool tern_fill_has_receipt_room(const struct tern_fill *fill)
{
    return fill->space->loss.sent.open_receipts < fill->receipts_max;
}

bool tern_fill_keep(struct tern_fill *fill, uint8_t *start)
{
    if (fill->w.failed) {
        fill->w.at = start;
        fill->w.failed = false;
        return false;
    }
    fill->is_eliciting = true;
    return true;
}

static void fill_ack(struct tern_fill *fill, tern_time now)
{
    struct tern_acks *acks = &fill->space->acks;
    uint8_t *start = fill->w.at;
    tern_time delay = fill->level == TERN_LEVEL_APP ? tern_sub_sat(now, acks->largest_at) : 0;
    struct tern_frame_ecn ecn = {.ect0 = acks->ecn[0], .ect1 = acks->ecn[1], .ce = acks->ecn[2]};
    size_t count;
    bool has_counts = tern_acks_owes_counts(acks);
    const struct tern_range *ranges = tern_acks_untold(acks, &count);
    tern_frame_encode_ack(&fill->w, acks->largest, (delay / TERN_USEC) >> 3, ranges, count,
                          has_counts ? &ecn : NULL);
    if (fill->w.failed) {
        fill->w.at = start;
        fill->w.failed = false;
        return;
    }
    fill->has_ack = true;
    tern_acks_on_sent(acks);
    if (has_counts) {
        tern_acks_on_counts_sent(acks);
    }
    fill->conn->counters.acks_sent++;
    tern_fill_note(fill, (struct tern_receipt){.kind = TERN_RECEIPT_ACK, .id = acks->largest});
}

/* Beside an ACK that tells when it was written: the two make one exchange of clocks. [P §17] */
static void fill_clock(struct tern_fill *fill, tern_time now)
{
    struct tern_conn *conn = fill->conn;
    uint8_t *start = fill->w.at;
    if (!fill->has_ack || !tern_clock_is_due(conn, fill->space->acks.largest, now)) {
        return;
    }
    tern_frame_encode_clock(&fill->w, tern_conn_session_time(conn, now) / TERN_USEC);
    if (fill->w.failed) {
        fill->w.at = start;
        fill->w.failed = false;
        return;
    }
    tern_clock_on_told(conn, fill->space->acks.largest, now);
}

static int fill_crypto(struct tern_fill *fill)
{
    struct tern_crypto_flow *flow = &fill->space->crypto;
    while (tern_crypto_flow_wants(flow) && tern_fill_has_receipt_room(fill) &&
           tern_writer_left(&fill->w) >= CRYPTO_MIN_ROOM) {
        uint64_t offset;
        size_t len = tern_writer_left(&fill->w) - TERN_FRAME_CRYPTO_HEADER_MAX;
        const uint8_t *data = tern_crypto_flow_peek(flow, &offset, &len);
        uint8_t *start = fill->w.at;
        tern_frame_encode_crypto(&fill->w, offset, data, len);
        if (!tern_fill_keep(fill, start)) {
            return 0;
        }
        tern_fill_note(fill, (struct tern_receipt){.kind = TERN_RECEIPT_CRYPTO,
                                                   .offset = offset,
                                                   .len = (uint32_t)len});
        int rc = tern_crypto_flow_on_sent(flow, offset, len);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

static void fill_handshake_done(struct tern_fill *fill)
{
    uint8_t *start = fill->w.at;
    if (!fill->conn->wants_handshake_done) {
        return;
    }
    tern_frame_encode_handshake_done(&fill->w);
    if (tern_fill_keep(fill, start)) {
        fill->conn->wants_handshake_done = false;
        tern_fill_note(fill, (struct tern_receipt){.kind = TERN_RECEIPT_HANDSHAKE_DONE});
    }
}

/* Sealed anew for each packet: whoever sees two cannot tell that they are one client's. */
static void fill_new_token(struct tern_fill *fill, tern_time now)
{
    struct tern_conn *conn = fill->conn;
    uint8_t *start = fill->w.at;
    uint8_t token[TERN_ADDRESS_ITEM];
    if (!conn->wants_new_token || tern_writer_left(&fill->w) < NEW_TOKEN_ROOM) {
        return;
    }
    tern_proofs_seal_address(conn->env->proofs, token, conn->env->random, &conn->path.remote, now);
    tern_frame_encode_new_token(&fill->w, token, sizeof token);
    if (tern_fill_keep(fill, start)) {
        conn->wants_new_token = false;
        tern_fill_note(fill, (struct tern_receipt){.kind = TERN_RECEIPT_NEW_TOKEN});
    }
}

/* RFC 9000 §9.3.3: on the path in use the answer comes with more than a probe, so that a forwarder of
 * copies does not keep what it took. */
static void fill_ping_besides(struct tern_fill *fill)
{
    uint8_t *start = fill->w.at;
    if (fill->path == &fill->conn->path) {
        tern_frame_encode_ping(&fill->w);
        (void)tern_fill_keep(fill, start);
    }
}

/* A path not in use is asked as rarely as if nothing were known of it (RFC 9000 §8.2.1). */
static tern_time challenge_interval(const struct tern_fill *fill)
{
    struct tern_rtt unmeasured;
    tern_rtt_init(&unmeasured, fill->conn->env->config->initial_rtt);
    return fill->path == &fill->conn->path
               ? tern_conn_pto(fill->conn, TERN_LEVEL_APP)
               : TERN_MAX(tern_rtt_pto(&unmeasured, 0), tern_rtt_pto(&fill->path->rtt, 0));
}

void tern_fill_path(struct tern_fill *fill, tern_time now)
{
    struct tern_path *path = fill->path;
    uint8_t *start = fill->w.at;
    if (path->response_count > 0) { /* one answer a packet: [P §14] */
        tern_frame_encode_path_response(&fill->w, path->responses[0]);
        if (tern_fill_keep(fill, start)) {
            tern_path_on_response_sent(path);
            fill->needs_full_size = true;
            fill_ping_besides(fill);
        }
    }
    if (path->wants_challenge) {
        start = fill->w.at;
        tern_frame_encode_path_challenge(&fill->w, path->challenge);
        if (tern_fill_keep(fill, start)) {
            tern_path_on_challenge_sent(path, challenge_interval(fill), now);
            fill->needs_full_size = true;
        }
    }
}

static void fill_cids(struct tern_fill *fill)
{
    struct tern_cids *cids = &fill->conn->cids;
    struct tern_cid_local *cid;
    uint64_t sequence;
    while ((cid = tern_cids_next_new(cids)) != NULL && tern_fill_has_receipt_room(fill)) {
        uint8_t token[TERN_RESET_TOKEN_SIZE];
        uint8_t *start = fill->w.at;
        tern_token_reset(token, &fill->conn->env->reset_key, cid->cid.bytes, cid->cid.len);
        tern_frame_encode_new_connection_id(&fill->w, cid->sequence, 0, &cid->cid, token);
        if (!tern_fill_keep(fill, start)) {
            return;
        }
        tern_cids_on_new_sent(cids, cid);
        tern_fill_note(fill,
                       (struct tern_receipt){.kind = TERN_RECEIPT_NEW_CID, .id = cid->sequence});
    }
    while (tern_cids_next_retire(cids, &sequence) && tern_fill_has_receipt_room(fill)) {
        uint8_t *start = fill->w.at;
        tern_frame_encode_retire_connection_id(&fill->w, sequence);
        if (!tern_fill_keep(fill, start)) {
            return;
        }
        tern_cids_on_retire_sent(cids, sequence);
        tern_fill_note(fill,
                       (struct tern_receipt){.kind = TERN_RECEIPT_RETIRE_CID, .id = sequence});
    }
}

static void fill_rekey(struct tern_fill *fill)
{
    struct tern_rekey *rekey = &fill->conn->rekey;
    uint8_t *start = fill->w.at;
    if (!rekey->wants_send) {
        return;
    }
    tern_frame_encode_rekey(&fill->w, tern_rekey_number(fill->conn), rekey->keys->public_key);
    if (tern_fill_keep(fill, start)) {
        rekey->wants_send = false;
        tern_fill_note(fill, (struct tern_receipt){.kind = TERN_RECEIPT_REKEY,
                                                   .id = tern_rekey_number(fill->conn)});
    }
}

static void fill_ack_frequency(struct tern_fill *fill)
{
    struct tern_cadence *cadence = &fill->conn->cadence;
    uint8_t *start = fill->w.at;
    if (!cadence->wants_send) {
        return;
    }
    struct tern_frame_ack_frequency frame = {.sequence = cadence->sequence,
                                             .threshold = cadence->wanted.threshold - 1,
                                             .max_delay = cadence->wanted.delay / TERN_USEC,
                                             .reordering = cadence->wanted.reordering};
    tern_frame_encode_ack_frequency(&fill->w, &frame);
    if (tern_fill_keep(fill, start)) {
        tern_fill_note(fill, (struct tern_receipt){.kind = TERN_RECEIPT_ACK_FREQUENCY,
                                                   .id = tern_cadence_on_sent(cadence)});
    }
}

/* The last probe of a timeout does not wait until the peer's delay is over. It stands in for a PING. */
static void fill_immediate_ack(struct tern_fill *fill)
{
    uint8_t *start = fill->w.at;
    if (fill->space->probes == 1 && fill->conn->cadence.is_usable) {
        tern_frame_encode_immediate_ack(&fill->w);
        fill->has_immediate_ack = tern_fill_keep(fill, start);
    }
}

static void encode_control(struct tern_writer *w, const struct tern_stream_control *c)
{
    switch (c->kind) {
    case TERN_CONTROL_RESET_STREAM:
        tern_frame_encode_reset_stream(w, c->id, c->value, c->extra);
        break;
    case TERN_CONTROL_STOP_SENDING:
        tern_frame_encode_stop_sending(w, c->id, c->value);
        break;
    case TERN_CONTROL_MAX_STREAM_DATA:
        tern_frame_encode_max_stream_data(w, c->id, c->value);
        break;
    case TERN_CONTROL_STREAM_DATA_BLOCKED:
        tern_frame_encode_stream_data_blocked(w, c->id, c->value);
        break;
    case TERN_CONTROL_MAX_DATA:
        tern_frame_encode_max_data(w, c->value);
        break;
    case TERN_CONTROL_DATA_BLOCKED:
        tern_frame_encode_data_blocked(w, c->value);
        break;
    case TERN_CONTROL_MAX_STREAMS_BIDI:
    case TERN_CONTROL_MAX_STREAMS_UNI:
        tern_frame_encode_max_streams(w, c->kind == TERN_CONTROL_MAX_STREAMS_BIDI, c->value);
        break;
    case TERN_CONTROL_STREAMS_BLOCKED_BIDI:
    case TERN_CONTROL_STREAMS_BLOCKED_UNI:
        tern_frame_encode_streams_blocked(w, c->kind == TERN_CONTROL_STREAMS_BLOCKED_BIDI,
                                          c->value);
        break;
    }
}

static void fill_controls(struct tern_fill *fill)
{
    struct tern_streams *streams = &fill->conn->streams;
    struct tern_stream_control control;
    while (tern_fill_has_receipt_room(fill) && tern_streams_next_control(streams, &control)) {
        uint8_t *start = fill->w.at;
        encode_control(&fill->w, &control);
        if (!tern_fill_keep(fill, start)) {
            return;
        }
        tern_streams_on_control_sent(streams, &control);
        tern_fill_note(fill, (struct tern_receipt){.kind = TERN_RECEIPT_CONTROL,
                                                   .id = control.id,
                                                   .offset = control.value,
                                                   .extra = (uint16_t)control.kind});
    }
}

/* The next stream's turn. False when there is nothing, or no room for it. */
static bool fill_stream(struct tern_fill *fill, size_t *sent)
{
    struct tern_streams *streams = &fill->conn->streams;
    struct tern_stream_chunk chunk;
    if (!tern_fill_has_receipt_room(fill) || !tern_streams_next_chunk(streams, &chunk)) {
        return false;
    }
    size_t room = tern_writer_left(&fill->w);
    size_t header = tern_frame_stream_size(chunk.id, chunk.offset, TERN_MIN(chunk.len, room));
    if (room <= header) {
        return false;
    }
    tern_stream_chunk_cut(&chunk, room - header);
    if (chunk.len == 0 && !chunk.fin) {
        return false;
    }
    tern_frame_encode_stream(&fill->w, chunk.id, chunk.offset, chunk.len, chunk.fin);
    uint8_t *data = tern_write_room(&fill->w, chunk.len);
    tern_assert(data != NULL);
    tern_stream_chunk_copy(&chunk, data);
    fill->is_eliciting = true;
    tern_streams_on_chunk_sent(streams, &chunk);
    tern_fill_note(fill, (struct tern_receipt){.kind = TERN_RECEIPT_STREAM,
                                               .flags = chunk.fin ? TERN_RECEIPT_FIN : 0,
                                               .id = chunk.id,
                                               .offset = chunk.offset,
                                               .len = (uint32_t)chunk.len});
    *sent = header + chunk.len;
    return true;
}

/* The size of symbols is told ahead of the messages that it is meant for. False: there are no repairs, or none
 * fits. */
static bool begin_repairs(struct tern_fill *fill, tern_time now)
{
    const struct tern_messages *m = fill->conn->messages;
    if (m == NULL || m->fec.out == NULL) {
        return false;
    }
    return !tern_fec_out_has_news(m->fec.out) || tern_fill_repair(fill, now);
}

/* As much of messages and streams as fits: the more urgent first; inside one priority streams are one among
 * the channels, and repairs come behind messages and before streams, which they need not wait for. When the
 * next message does not fit, what is left is for whoever does. */
static void fill_application(struct tern_fill *fill, tern_time now)
{
    bool has_repairs = begin_repairs(fill, now);
    const struct tern_streams *streams = &fill->conn->streams;
    struct tern_msgout *out = tern_messages_out(fill->conn);
    bool has_messages = out != NULL, has_streams = !fill->is_small;
    if (has_messages) {
        tern_msgout_begin_packet(out);
    }
    while (has_messages || has_streams || has_repairs) {
        unsigned urgency = has_streams ? tern_streams_top(streams) : TERN_SCHED_URGENCIES;
        unsigned priority = has_messages ? tern_msgout_top(out) : TERN_PRIORITIES;
        unsigned repairs =
            has_repairs ? tern_fec_out_top(fill->conn->messages->fec.out) : TERN_PRIORITIES;
        size_t sent = 0;
        if (priority == TERN_PRIORITIES && urgency == TERN_SCHED_URGENCIES &&
            repairs == TERN_PRIORITIES) {
            break;
        }
        if (repairs < priority && repairs <= urgency) {
            has_repairs = tern_fill_repair(fill, now);
        } else if (priority < urgency ||
                   (priority == urgency && !tern_msgout_yields(out, priority))) {
            has_messages = tern_fill_message(fill, now);
        } else if (fill_stream(fill, &sent)) {
            if (out != NULL) {
                tern_msgout_on_stream_bytes(out, urgency, sent);
            }
        } else {
            has_streams = false;
        }
    }
    if (fill->has_message) {
        tern_fill_copies(fill, now);
    }
}

/* A few bytes are left because the next frame would not fit: PADDING makes the packet as long as its
 * neighbours in the train, which GSO needs. */
static void round_up(struct tern_fill *fill)
{
    size_t left = tern_writer_left(&fill->w);
    size_t most = fill->has_message ? ROUND_UP_MESSAGES : ROUND_UP_MAX;
    if (left > 0 && left <= most && !fill->is_small &&
        (tern_streams_has_data(&fill->conn->streams) || tern_messages_wants(fill->conn))) {
        tern_fill_padding(fill, tern_writer_used(&fill->w) + left);
    }
}

static void fill_ping(struct tern_fill *fill)
{
    uint8_t *start = fill->w.at;
    tern_frame_encode_ping(&fill->w);
    if (tern_fill_keep(fill, start)) {
        fill->conn->wants_ping = false;
    }
}

/* A server whose client has not proved itself: streams that may answer that. [P §4.10] */
static bool is_half(const struct tern_conn *conn)
{
    return conn->is_server && conn->sends_early;
}

static void fill_half(struct tern_fill *fill)
{
    size_t sent;
    fill_controls(fill);
    while (fill_stream(fill, &sent)) {
    }
}

static int fill_data(struct tern_fill *fill, tern_time now)
{
    int rc = fill_crypto(fill);
    if (rc != 0) {
        return rc;
    }
    if (fill->level == TERN_LEVEL_APP && is_half(fill->conn)) {
        fill_half(fill);
    } else if (fill->level == TERN_LEVEL_APP) {
        fill_immediate_ack(fill);
        fill_handshake_done(fill);
        fill_new_token(fill, now);
        fill_ack_frequency(fill);
        fill_rekey(fill);
        if (!fill->is_small) { /* they want full size */
            tern_fill_path(fill, now);
        }
        fill_cids(fill);
        fill_controls(fill);
        tern_fill_message_controls(fill);
        fill_application(fill, now);
        round_up(fill);
        if (fill->conn->wants_ping && !fill->is_eliciting) {
            fill_ping(fill);
        }
    }
    /* The second probe of a handshake says the message again: a PING would bring nobody further, and in
     * an Initial packet is not even believed. */
    if (fill->space->probes > 0 && !fill->is_eliciting && fill->level != TERN_LEVEL_APP) {
        struct tern_crypto_flow *flow = &fill->space->crypto;
        rc = tern_crypto_flow_on_lost(flow, 0, flow->out_len);
        rc = rc == 0 ? fill_crypto(fill) : rc;
    }
    /* A probe must ask for an answer even when there is nothing to say. */
    if (fill->space->probes > 0 && !fill->is_eliciting) {
        fill_ping(fill);
    }
    return rc;
}

/* Small messages are many. */
static uint32_t receipts_max(const struct tern_fill *fill)
{
    size_t most = tern_messages_wants(fill->conn) ? tern_writer_left(&fill->w) / LEAST_MESSAGE : 0;
    return (uint32_t)TERN_MIN(TERN_MAX(most, (size_t)TERN_FILL_RECEIPTS), (size_t)MESSAGES_MAX);
}

int tern_fill_packet(struct tern_fill *fill, bool may_elicit, tern_time now)
{
    fill->receipts_max = receipts_max(fill);
    int rc = tern_sent_reserve(&fill->space->loss.sent, fill->receipts_max + 1);
    if (rc != 0) {
        return rc;
    }
    bool wants_data = may_elicit && tern_fill_wants_data(fill->conn, fill->level);
    if (tern_acks_is_due(&fill->space->acks, now) ||
        (wants_data && tern_acks_is_owed(&fill->space->acks))) {
        fill_ack(fill, now);
    }
    if (fill->level == TERN_LEVEL_APP) {
        fill_clock(fill, now);
    }
    return wants_data ? fill_data(fill, now) : 0;
}

void tern_fill_close(struct tern_fill *fill)
{
    const struct tern_life *life = &fill->conn->life;
    bool is_app = life->is_application;
    if (is_app && fill->level != TERN_LEVEL_APP) {
        /* RFC 9000 §10.2.3: nobody is authenticated yet; say no more than APPLICATION_ERROR. */
        tern_frame_encode_connection_close(&fill->w, false, 0x0c, 0, NULL, 0);
        return;
    }
    tern_frame_encode_connection_close(&fill->w, is_app, life->code, life->frame_type, life->reason,
                                       life->reason_len);
}

void tern_fill_padding(struct tern_fill *fill, size_t len)
{
    size_t used = tern_writer_used(&fill->w);
    if (used < len) {
        uint8_t *room = tern_write_room(&fill->w, len - used);
        if (room == NULL) {
            fill->w.failed = false;
            return;
        }
        memset(room, 0, len - used); /* PADDING is type 0 */
        fill->is_padded = true;
    }
}

void tern_fill_probe(struct tern_fill *fill, size_t datagram)
{
    fill_ping(fill);
    tern_fill_note(fill,
                   (struct tern_receipt){.kind = TERN_RECEIPT_PROBE, .len = (uint32_t)datagram});
    tern_fill_padding(fill, (size_t)(fill->w.end - fill->w.start));
}

bool tern_fill_wants_ack(const struct tern_conn *conn, enum tern_level level, tern_time now)
{
    return tern_acks_is_due(&conn->spaces[level].acks, now);
}

bool tern_fill_wants_data(struct tern_conn *conn, enum tern_level level)
{
    struct tern_stream_control control;
    const struct tern_space *space = &conn->spaces[level];
    if (space->probes > 0 || tern_crypto_flow_wants(&space->crypto)) {
        return true;
    }
    if (level != TERN_LEVEL_APP) {
        return false;
    }
    if (is_half(conn)) {
        return tern_streams_next_control(&conn->streams, &control) ||
               tern_streams_has_data(&conn->streams);
    }
    return conn->wants_handshake_done || conn->wants_new_token || conn->cadence.wants_send ||
           conn->wants_ping || conn->rekey.wants_send || tern_path_wants(&conn->path) ||
           tern_cids_wants(&conn->cids) || tern_streams_next_control(&conn->streams, &control) ||
           tern_streams_has_data(&conn->streams) || tern_messages_wants(conn);
}
