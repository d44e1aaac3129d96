/* Between the halves of the message layer, which know nothing of packets, and the connection.
 * SPDX-License-Identifier: MIT */
#include "conn/messages.h"

#include "conn/receipts.h"

#define RECEIPT_LANE     0x03u
#define RECEIPT_CREDIT   0x04u
#define RECEIPT_FRAGMENT 0x08u

#define COPIED_MAX 256u /* longer messages are not worth the room that copies would take */

/* --- birth and death ------------------------------------------------------------------------------ */

static int need(struct tern_conn *conn)
{
    if (conn->messages == NULL) {
        conn->messages = tern_mem_zalloc(conn->env->mem, sizeof *conn->messages);
    }
    return conn->messages == NULL ? TERN_ERR_NOMEM : 0;
}

void tern_messages_clear(struct tern_conn *conn)
{
    struct tern_messages *m = conn->messages;
    if (m != NULL) {
        tern_msgout_free(m->out);
        tern_fec_clear(conn, &m->fec);
        tern_msgin_free(m->in);
        tern_mem_free(conn->env->mem, m);
        conn->messages = NULL;
    }
}

static void choose_copies(const struct tern_messages *m)
{
    unsigned eighths = 0;
    if (m->redundancy != TERN_REDUNDANCY_OFF) {
        bool is_fixed = m->redundancy == TERN_REDUNDANCY_FIXED;
        eighths = is_fixed ? 8 * m->copies : tern_spares_eighths(&m->spares);
    }
    if (m->out != NULL) {
        tern_msgout_set_copies(m->out, eighths, COPIED_MAX);
    }
}

/* Where the peer does not know IMMEDIATE_ACK it takes its time. */
static void tell_trip(const struct tern_conn *conn)
{
    const struct tern_rtt *rtt = &conn->path.rtt;
    tern_time delay = conn->cadence.is_usable ? 0 : tern_conn_peer_ack_delay(conn);
    if (rtt->has_sample) {
        tern_msgout_set_trip(conn->messages->out, rtt->smoothed, tern_rtt_pto(rtt, delay));
    }
}

int tern_messages_need_out(struct tern_conn *conn, struct tern_msgout **out)
{
    const struct tern_peer_terms *peer = &conn->peer_terms;
    int rc = need(conn);
    if (rc == 0 && conn->messages->out == NULL) {
        struct tern_msgout_config config = {
            .buffer = conn->env->config->message_buffer,
            .max_size = peer->message_max,
            .credit = peer->message_credit,
            .channels = peer->message_channels,
        };
        conn->messages->out = tern_msgout_new(conn->env->mem, &conn->env->slab, &config);
        rc = conn->messages->out == NULL ? TERN_ERR_NOMEM : 0;
        choose_copies(conn->messages);
        if (rc == 0) {
            tell_trip(conn);
        }
    }
    if (rc == 0) {
        *out = conn->messages->out;
    }
    return rc;
}

int tern_messages_need_in(struct tern_conn *conn, struct tern_msgin **in)
{
    int rc = need(conn);
    if (rc == 0 && conn->messages->in == NULL) {
        const tern_config *c = conn->env->config;
        struct tern_msgin_config config = {
            .max_size = c->max_message,
            .channels = c->max_channels,
            .window = c->message_window,
            .queue = c->message_queue,
        };
        conn->messages->in = tern_msgin_new(conn->env->mem, &conn->env->slab, &config);
        rc = conn->messages->in == NULL ? TERN_ERR_NOMEM : 0;
    }
    if (rc == 0) {
        *in = conn->messages->in;
    }
    return rc;
}

int tern_messages_set_redundancy(struct tern_conn *conn, tern_redundancy redundancy,
                                 unsigned copies)
{
    int rc = need(conn);
    if (rc == 0) {
        conn->messages->redundancy = redundancy;
        conn->messages->copies = copies;
        choose_copies(conn->messages);
    }
    return rc;
}

/* --- frames that have come ------------------------------------------------------------------------ */

/* What the halves have narrower numbers for. */
int tern_messages_check_target(const struct tern_conn *conn, uint64_t channel, const char **reason)
{
    const tern_config *config = conn->env->config;
    if (config->max_message == 0) {
        *reason = "sent a message to an end that takes none";
        return TERN_ERR_PROTOCOL;
    }
    if (channel >= config->max_channels) {
        *reason = "message channel out of range";
        return TERN_ERR_PROTOCOL;
    }
    return 0;
}

int tern_messages_on_part(struct tern_conn *conn, const struct tern_frame_message *f,
                          const char **reason)
{
    struct tern_msgin *in = NULL;
    int rc = tern_messages_check_target(conn, f->channel, reason);
    if (rc == 0 && f->total > conn->env->config->max_message) {
        *reason = "message longer than agreed";
        rc = TERN_ERR_PROTOCOL;
    }
    if (rc == 0) {
        rc = tern_messages_need_in(conn, &in);
    }
    if (rc != 0) {
        return rc;
    }
    struct tern_message_part part = {
        .channel = (uint32_t)f->channel,
        .lane = (enum tern_lane)f->order,
        .uses_credit = f->uses_credit,
        .is_fragment = f->is_fragment,
        .number = f->number,
        .offset = (uint32_t)f->offset,
        .len = (uint32_t)f->len,
        .total = (uint32_t)f->total,
    };
    rc = tern_msgin_on_part(in, &part, f->data, false);
    return rc == 0 ? tern_fec_on_part(conn, &part, f->data) : rc;
}

int tern_messages_on_skip(struct tern_conn *conn, const struct tern_frame_message_skip *f,
                          const char **reason)
{
    struct tern_msgin *in = NULL;
    int rc = tern_messages_check_target(conn, f->channel, reason);
    if (rc == 0) {
        rc = tern_messages_need_in(conn, &in);
    }
    if (rc != 0) {
        return rc;
    }
    struct tern_message_skip skip = {
        .channel = (uint32_t)f->channel,
        .lane = (enum tern_lane)f->order,
        .first = f->first,
        .count = f->count,
        .cost = f->cost,
    };
    return tern_msgin_on_skip(in, &skip);
}

int tern_messages_on_max_data(struct tern_conn *conn, uint64_t limit, const char **reason)
{
    struct tern_msgout *out = NULL;
    if (!conn->has_peer_params || conn->peer_terms.message_max == 0) {
        *reason = "gave credit for messages that it does not take";
        return TERN_ERR_PROTOCOL;
    }
    int rc = tern_messages_need_out(conn, &out);
    if (rc == 0) {
        tern_msgout_on_max_data(out, limit);
    }
    return rc;
}

/* --- receipts ------------------------------------------------------------------------------------- */

struct tern_receipt tern_messages_part_receipt(const struct tern_message_part *part)
{
    unsigned flags = (unsigned)part->lane | (part->uses_credit ? RECEIPT_CREDIT : 0) |
                     (part->is_fragment ? RECEIPT_FRAGMENT : 0);
    return (struct tern_receipt){.kind = TERN_RECEIPT_MESSAGE,
                                 .flags = (uint8_t)flags,
                                 .id = part->number,
                                 .offset = (uint64_t)part->offset << 32 | part->total,
                                 .len = part->len,
                                 .extra = (uint16_t)part->channel};
}

static struct tern_message_part part_of(const struct tern_receipt *r)
{
    return (struct tern_message_part){.channel = r->extra,
                                      .lane = (enum tern_lane)(r->flags & RECEIPT_LANE),
                                      .uses_credit = (r->flags & RECEIPT_CREDIT) != 0,
                                      .is_fragment = (r->flags & RECEIPT_FRAGMENT) != 0,
                                      .number = r->id,
                                      .offset = (uint32_t)(r->offset >> 32),
                                      .len = r->len,
                                      .total = (uint32_t)r->offset};
}

struct tern_receipt tern_messages_skip_receipt(const struct tern_message_skip *skip)
{
    return (struct tern_receipt){.kind = TERN_RECEIPT_MESSAGE_SKIP,
                                 .flags = (uint8_t)skip->lane,
                                 .id = skip->first,
                                 .offset = skip->count,
                                 .len = (uint32_t)skip->cost,
                                 .extra = (uint16_t)skip->channel};
}

static struct tern_message_skip skip_of(const struct tern_receipt *r)
{
    return (struct tern_message_skip){.channel = r->extra,
                                      .lane = (enum tern_lane)(r->flags & RECEIPT_LANE),
                                      .first = r->id,
                                      .count = r->offset,
                                      .cost = r->len};
}

void tern_messages_on_acked(struct tern_conn *conn, const struct tern_receipt *receipt)
{
    struct tern_msgout *out = tern_messages_out(conn);
    if (out == NULL) {
        return;
    }
    if (receipt->kind == TERN_RECEIPT_MESSAGE) {
        struct tern_message_part part = part_of(receipt);
        tern_msgout_on_acked(out, &part);
        if (conn->messages->fec.out != NULL) {
            tern_fec_out_on_acked(conn->messages->fec.out, &part);
        }
    } else if (receipt->kind == TERN_RECEIPT_MESSAGE_SKIP) {
        struct tern_message_skip skip = skip_of(receipt);
        tern_msgout_on_skip_acked(out, &skip);
    }
}

/* What leaves again whatever becomes of the packet: a second time does no harm. */
static void owe_again(struct tern_conn *conn, const struct tern_receipt *receipt)
{
    if (receipt->kind == TERN_RECEIPT_MESSAGE_SKIP && tern_messages_out(conn) != NULL) {
        struct tern_message_skip skip = skip_of(receipt);
        tern_msgout_on_skip_lost(tern_messages_out(conn), &skip);
    } else if (receipt->kind == TERN_RECEIPT_MAX_MESSAGE_DATA && tern_messages_in(conn) != NULL) {
        tern_msgin_on_limit_lost(tern_messages_in(conn), receipt->id);
    }
}

void tern_messages_on_lost(struct tern_conn *conn, const struct tern_receipt *receipt,
                           tern_time now)
{
    if (receipt->kind == TERN_RECEIPT_MESSAGE && tern_messages_out(conn) != NULL) {
        struct tern_message_part part = part_of(receipt);
        tern_msgout_on_lost(tern_messages_out(conn), &part, now);
        if (conn->messages->fec.out != NULL) {
            tern_fec_out_on_lost(conn->messages->fec.out, &part);
        }
        return;
    }
    owe_again(conn, receipt);
}

void tern_messages_repeat(struct tern_conn *conn, const struct tern_receipt *receipt)
{
    if (receipt->kind == TERN_RECEIPT_MESSAGE && tern_messages_out(conn) != NULL) {
        struct tern_message_part part = part_of(receipt);
        tern_msgout_repeat(tern_messages_out(conn), &part);
        return;
    }
    owe_again(conn, receipt);
}

void tern_messages_repeat_small(struct tern_conn *conn, size_t room)
{
    if (tern_messages_out(conn) != NULL) {
        tern_msgout_repeat_small(tern_messages_out(conn), room);
    }
}

/* --- output and time ------------------------------------------------------------------------------ */

bool tern_messages_are_waiting(const struct tern_conn *conn)
{
    const struct tern_msgout *out = tern_messages_out(conn);
    return out != NULL && tern_msgout_holds_any(out);
}

bool tern_messages_wants(const struct tern_conn *conn)
{
    const struct tern_messages *m = conn->messages;
    return m != NULL && ((m->out != NULL && tern_msgout_wants(m->out)) ||
                         (m->in != NULL && tern_msgin_wants_limit(m->in)) ||
                         (m->fec.out != NULL && tern_fec_out_top(m->fec.out) < TERN_PRIORITIES));
}

size_t tern_messages_urgent_size(struct tern_conn *conn, size_t full)
{
    struct tern_msgout *out = tern_messages_out(conn);
    struct tern_msgout_chunk chunk;
    if (out == NULL) {
        return 0;
    }
    tern_msgout_begin_packet(out);
    if (tern_msgout_top(out) >= tern_streams_top(&conn->streams) ||
        !tern_msgout_next(out, full, full, &chunk) || chunk.part.is_fragment) {
        return 0;
    }
    return 1 + tern_varint_size(chunk.part.channel) + tern_varint_size(chunk.part.number) +
           tern_varint_size(chunk.part.len) + chunk.part.len;
}

tern_time tern_messages_deadline(const struct tern_conn *conn)
{
    const struct tern_msgout *out = tern_messages_out(conn);
    return out == NULL ? TERN_TIME_NEVER : tern_msgout_deadline(out);
}

void tern_messages_expire(struct tern_conn *conn, tern_time now)
{
    if (now >= tern_messages_deadline(conn)) {
        tern_msgout_expire(tern_messages_out(conn), now);
        if (tern_messages_has_event(conn)) {
            tern_conn_mark_eventful(conn);
        }
    }
}

void tern_messages_adapt(struct tern_conn *conn, const struct tern_loss_outcome *outcome)
{
    struct tern_messages *m = conn->messages;
    if (m != NULL && m->out != NULL) {
        tern_spares_on_settled(&m->spares, outcome->acked_packets, outcome->lost_packets,
                               outcome->spurious_packets);
        choose_copies(m);
        tell_trip(conn);
    }
}

/* --- events and figures --------------------------------------------------------------------------- */

bool tern_messages_has_event(const struct tern_conn *conn)
{
    const struct tern_msgout *out = tern_messages_out(conn);
    const struct tern_msgin *in = tern_messages_in(conn);
    return (in != NULL && tern_msgin_has_event(in)) ||
           (out != NULL && (tern_msgout_is_writable(out) || tern_msgout_has_outcome(out)));
}

bool tern_messages_next_event(struct tern_conn *conn, tern_event *out)
{
    if (conn->messages == NULL) {
        return false;
    }
    struct tern_messages *m = conn->messages;
    if (m->in != NULL && tern_msgin_take_event(m->in)) {
        out->type = TERN_EVENT_MESSAGES;
        return true;
    }
    if (m->out != NULL && tern_msgout_next_outcome(m->out, &out->tag, &out->outcome)) {
        out->type = TERN_EVENT_MESSAGE_OUTCOME;
        return true;
    }
    if (m->out != NULL && tern_msgout_take_writable(m->out)) {
        out->type = TERN_EVENT_MESSAGES_WRITABLE;
        return true;
    }
    return false;
}

void tern_messages_stats(const struct tern_conn *conn, tern_stats *out)
{
    if (tern_messages_out(conn) != NULL) {
        const struct tern_msgout_counters *c = tern_msgout_counters(tern_messages_out(conn));
        out->messages_sent = c->sent;
        out->messages_resent = c->resent;
        out->messages_copied = c->copies;
        out->messages_acked = c->acked;
        out->messages_expired = c->expired;
        out->messages_lost = c->lost;
        out->messages_unsent = c->dropped;
    }
    if (conn->messages != NULL) {
        out->repairs_sent = conn->messages->fec.sent;
        out->repairs_received = conn->messages->fec.received;
    }
    if (tern_messages_in(conn) != NULL) {
        const struct tern_msgin_counters *c = tern_msgin_counters(tern_messages_in(conn));
        out->messages_received = c->received;
        out->messages_dropped = c->dropped;
        out->messages_duplicate = c->duplicates;
        out->messages_recovered = c->recovered;
    }
}
