/* What each frame does to the connection: state changes and marks, nothing is sent here.
 * Which frame may stand in which packet is the rule table's word (wire/frame.h). [P §6]
 * SPDX-License-Identifier: MIT */
#include "conn/handle.h"

#include "conn/clock.h"
#include "conn/handshake.h"
#include "conn/messages.h"
#include "conn/migrate.h"
#include "conn/recover.h"
#include "conn/rekey.h"
#include "conn/retry.h"
#include "wire/decode.h"
#include "wire/frame.h"

static int on_ack(struct tern_handle *h, const struct tern_frame *f, tern_time now)
{
    int rc = tern_recover_on_ack(h->conn, h->level, f, now);
    if (rc == TERN_ERR_PROTOCOL) {
        h->reason = "acknowledged a packet that was never sent";
    }
    return rc;
}

static int on_crypto(struct tern_handle *h, const struct tern_frame *f, tern_time now)
{
    struct tern_conn *conn = h->conn;
    const struct tern_frame_crypto *c = &f->u.crypto;
    int rc = tern_crypto_flow_receive(&conn->spaces[h->level].crypto, c->offset, c->data, c->len);
    if (rc == 0) {
        rc = tern_handshake_on_crypto(conn, h->level, now);
    }
    if (rc == TERN_ERR_REFUSED) {
        h->reason = "identity refused";
    } else if (rc == TERN_ERR_UNSUPPORTED) {
        h->reason = "no common cipher suite";
    } else if (rc == TERN_ERR_SECRET) {
        h->reason = "wrong secret or code";
    } else if (rc == TERN_ERR_MODE) {
        h->reason = "another kind of handshake is wanted here";
    }
    return rc;
}

static int on_stream(struct tern_handle *h, const struct tern_frame *f, tern_time now)
{
    const struct tern_frame_stream *s = &f->u.stream;
    int rc = tern_streams_on_stream(&h->conn->streams, s->id, s->offset, s->data, s->len, s->fin,
                                    h->conn->path.rtt.smoothed, now);
    if (rc == 0 && h->packet_type == TERN_PACKET_ZERO_RTT && h->conn->is_server) {
        tern_streams_on_early(&h->conn->streams, s->id, s->offset + s->len);
    }
    /* More holes than are kept track of, as after a fast start that ran into a long queue: as good as
     * lost, and sent again. */
    return rc == TERN_ERR_LIMIT ? TERN_ERR_AGAIN : rc;
}

static int on_new_token(struct tern_handle *h, const struct tern_frame *f)
{
    if (h->conn->is_server) {
        return TERN_ERR_PROTOCOL; /* RFC 9000 §19.7: only servers send them */
    }
    tern_retry_keep_token(h->conn, f->u.new_token.token, f->u.new_token.len);
    return 0;
}

static int on_new_connection_id(struct tern_handle *h, const struct tern_frame *f)
{
    const struct tern_frame_new_connection_id *n = &f->u.new_connection_id;
    int rc =
        tern_cids_on_new(&h->conn->cids, n->sequence, n->retire_prior_to, &n->cid, n->reset_token);
    h->conn->path.cid = tern_cids_active(&h->conn->cids); /* the one before may be retired by it */
    return rc;
}

/* The answer leaves on the path that asked (RFC 9000 §8.2.2). */
static int on_path_challenge(struct tern_handle *h, const struct tern_frame *f, tern_time now)
{
    struct tern_path *path = tern_migrate_probed(h->conn, h->in, h->in_len, &h->dcid, now);
    if (path != NULL) {
        tern_path_on_challenge(path, f->u.path.data);
    }
    return 0;
}

static int on_connection_close(struct tern_handle *h, const struct tern_frame *f, tern_time now)
{
    const struct tern_frame_connection_close *c = &f->u.connection_close;
    if (h->level == TERN_LEVEL_INITIAL) { /* the keys are no secret: anybody may have said it */
        tern_life_hint(&h->conn->life, c->is_application, c->code, c->reason, c->reason_len);
        return 0;
    }
    if (tern_life_on_close(&h->conn->life, c->is_application, c->code, c->reason, c->reason_len)) {
        tern_conn_on_over(h->conn, now);
    }
    return 0;
}

static int on_handshake_done(struct tern_handle *h)
{
    if (h->conn->is_server) {
        return TERN_ERR_PROTOCOL; /* RFC 9000 §19.20 */
    }
    tern_conn_on_confirmed(h->conn);
    return 0;
}

static int on_ack_frequency(struct tern_handle *h, const struct tern_frame *f)
{
    const struct tern_frame_ack_frequency *a = &f->u.ack_frequency;
    if (a->max_delay < tern_conn_min_ack_delay(h->conn) ||
        a->max_delay >= TERN_MAX_ACK_DELAY_MAX * (TERN_MSEC / TERN_USEC)) {
        h->reason = "asked for an acknowledgement delay out of range";
        return TERN_ERR_PROTOCOL;
    }
    struct tern_acks_wish wish = {.sequence = a->sequence,
                                  .threshold = a->threshold + 1, /* "more than": [P §6.1] */
                                  .reordering = a->reordering,
                                  .max_delay = a->max_delay * TERN_USEC};
    tern_acks_on_wish(&h->conn->spaces[h->level].acks, &wish);
    return 0;
}

/* Frames that concern streams. */
static int on_stream_frame(struct tern_handle *h, const struct tern_frame *f, tern_time now)
{
    struct tern_streams *streams = &h->conn->streams;
    switch ((unsigned)f->type) {
    case TERN_FRAME_STREAM:
        return on_stream(h, f, now);
    case TERN_FRAME_RESET_STREAM:
        return tern_streams_on_reset(streams, f->u.reset_stream.id, f->u.reset_stream.code,
                                     f->u.reset_stream.final_size);
    case TERN_FRAME_STOP_SENDING:
        return tern_streams_on_stop(streams, f->u.stop_sending.id, f->u.stop_sending.code);
    case TERN_FRAME_MAX_DATA:
        tern_streams_on_max_data(streams, f->u.limit.value);
        return 0;
    case TERN_FRAME_MAX_STREAM_DATA:
        return tern_streams_on_max_stream_data(streams, f->u.limit.id, f->u.limit.value);
    case TERN_FRAME_MAX_STREAMS_BIDI:
        tern_streams_on_max_streams(streams, TERN_STREAM_BIDI, f->u.limit.value);
        return 0;
    case TERN_FRAME_MAX_STREAMS_UNI:
        tern_streams_on_max_streams(streams, TERN_STREAM_UNI, f->u.limit.value);
        return 0;
    case TERN_FRAME_STREAM_DATA_BLOCKED:
        return tern_streams_on_stream_blocked(streams, f->u.limit.id);
    default: /* DATA_BLOCKED and STREAMS_BLOCKED are hints: credit follows consumption */
        return 0;
    }
}

static int on_frame(struct tern_handle *h, const struct tern_frame *f, tern_time now)
{
    switch ((unsigned)f->type) {
    case TERN_FRAME_PADDING:
    case TERN_FRAME_PING:
        return 0;
    case TERN_FRAME_ACK:
    case TERN_FRAME_ACK_ECN:
        return on_ack(h, f, now);
    case TERN_FRAME_CRYPTO:
        return on_crypto(h, f, now);
    case TERN_FRAME_NEW_TOKEN:
        return on_new_token(h, f);
    case TERN_FRAME_NEW_CONNECTION_ID:
        return on_new_connection_id(h, f);
    case TERN_FRAME_RETIRE_CONNECTION_ID:
        return tern_cids_on_retire(&h->conn->cids, f->u.retire_connection_id.sequence, &h->dcid,
                                   h->conn->env->random);
    case TERN_FRAME_PATH_CHALLENGE:
        return on_path_challenge(h, f, now);
    case TERN_FRAME_PATH_RESPONSE:
        /* One that answers nothing of ours is late or repeated, and harmless. */
        tern_migrate_on_response(h->conn, f->u.path.data, now);
        return 0;
    case TERN_FRAME_CONNECTION_CLOSE:
    case TERN_FRAME_CONNECTION_CLOSE_APP:
        return on_connection_close(h, f, now);
    case TERN_FRAME_HANDSHAKE_DONE:
        return on_handshake_done(h);
    case TERN_FRAME_ACK_FREQUENCY:
        return on_ack_frequency(h, f);
    case TERN_FRAME_REKEY:
        return tern_rekey_on_frame(h->conn, &f->u.rekey, now);
    case TERN_FRAME_CLOCK:
        return tern_clock_on_frame(h->conn, f->u.clock.micros, now);
    case TERN_FRAME_MESSAGE:
        return tern_messages_on_part(h->conn, &f->u.message, &h->reason);
    case TERN_FRAME_MESSAGE_SKIP:
        return tern_messages_on_skip(h->conn, &f->u.message_skip, &h->reason);
    case TERN_FRAME_REPAIR:
        return tern_fec_on_repair(h->conn, &f->u.repair, &h->reason);
    case TERN_FRAME_MAX_MESSAGE_DATA:
        return tern_messages_on_max_data(h->conn, f->u.limit.value, &h->reason);
    case TERN_FRAME_IMMEDIATE_ACK:
        tern_acks_on_asked(&h->conn->spaces[h->level].acks);
        return 0;
    default:
        return on_stream_frame(h, f, now);
    }
}

/* May this frame stand in this packet? */
static int check_rule(struct tern_handle *h, const struct tern_frame *f)
{
    const struct tern_frame_rule *rule = tern_frame_rule(f->type);
    if (rule == NULL) {
        return TERN_ERR_FRAME_ENCODING;
    }
    bool is_half = h->packet_type == TERN_PACKET_ZERO_RTT && !h->conn->is_server;
    if ((rule->packets & (is_half ? TERN_FRAME_IN_HALF : 1u << h->packet_type)) == 0) {
        h->reason = "frame not allowed in this packet";
        return TERN_ERR_PROTOCOL;
    }
    h->is_eliciting = h->is_eliciting || rule->is_ack_eliciting;
    h->is_probing_only = h->is_probing_only && rule->is_probing;
    return 0;
}

/* Which frames of the payload a walk takes. */
enum walk { WALK_ALL, WALK_HANDSHAKE, WALK_OTHERS };

static bool is_taken(enum walk walk, uint64_t type)
{
    bool is_handshake = type == TERN_FRAME_CRYPTO || type == TERN_FRAME_CONNECTION_CLOSE;
    return walk == WALK_ALL || is_handshake == (walk == WALK_HANDSHAKE);
}

static int walk_frames(struct tern_handle *h, const uint8_t *payload, size_t len, enum walk walk,
                       tern_time now)
{
    struct tern_reader r;
    tern_reader_init(&r, payload, len);
    while (tern_reader_left(&r) > 0) {
        struct tern_frame frame;
        int rc = tern_frame_decode(&frame, &r);
        h->frame_type = frame.type;
        if (rc == 0) {
            rc = check_rule(h, &frame);
        }
        if (rc == 0 && is_taken(walk, frame.type)) {
            rc = on_frame(h, &frame, now);
        }
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

int tern_handle_payload(struct tern_handle *h, const uint8_t *payload, size_t len, tern_time now)
{
    h->is_probing_only = true;
    if (len == 0) { /* RFC 9000 §12.4 */
        h->reason = "packet without frames";
        return TERN_ERR_PROTOCOL;
    }
    if (h->level != TERN_LEVEL_INITIAL) {
        return walk_frames(h, payload, len, WALK_ALL, now);
    }
    /* Anybody can seal an Initial packet: the message in it comes first, and only if it verifies the
     * rest is believed, acknowledgements among it. [P §4.3] */
    bool had_verified = tern_handshake_has_verified(h->conn);
    int rc = walk_frames(h, payload, len, WALK_HANDSHAKE, now);
    if (rc == 0 && tern_handshake_has_verified(h->conn) == had_verified) {
        return TERN_ERR_AGAIN;
    }
    return rc == 0 ? walk_frames(h, payload, len, WALK_OTHERS, now) : rc;
}
