/* Ack or loss of a packet becomes ack or loss of what was in it.
 * SPDX-License-Identifier: MIT */
#include "conn/receipts.h"

#include "conn/messages.h"
#include "conn/rekey.h"

static struct tern_stream_control control_of(const struct tern_receipt *r)
{
    struct tern_stream_control c = {
        .kind = (enum tern_stream_control_kind)r->extra, .id = r->id, .value = r->offset};
    return c;
}

void tern_receipts_end_run(struct tern_conn *conn, struct tern_receipt_run *run)
{
    if (run->len > 0) {
        tern_streams_on_chunk_acked(&conn->streams, run->id, run->offset, (size_t)run->len, false);
        run->len = 0;
    }
}

static void stream_acked(struct tern_conn *conn, const struct tern_receipt *r,
                         struct tern_receipt_run *run)
{
    bool is_end = (r->flags & TERN_RECEIPT_FIN) != 0;
    if (!is_end && run->len > 0 && run->id == r->id && run->offset + run->len == r->offset) {
        run->len += r->len;
        return;
    }
    tern_receipts_end_run(conn, run);
    if (is_end) {
        tern_streams_on_chunk_acked(&conn->streams, r->id, r->offset, r->len, true);
    } else {
        *run = (struct tern_receipt_run){.id = r->id, .offset = r->offset, .len = r->len};
    }
}

static void acked(struct tern_conn *conn, enum tern_level level, const struct tern_receipt *r)
{
    struct tern_space *space = &conn->spaces[level];
    struct tern_stream_control control;
    switch ((enum tern_receipt_kind)r->kind) {
    case TERN_RECEIPT_ACK:
        tern_acks_on_acked(&space->acks, r->id);
        break;
    case TERN_RECEIPT_STREAM: /* in a run */
        break;
    case TERN_RECEIPT_CONTROL:
        control = control_of(r);
        tern_streams_on_control_acked(&conn->streams, &control);
        break;
    case TERN_RECEIPT_CRYPTO:
        tern_crypto_flow_on_acked(&space->crypto, r->offset, r->len);
        break;
    case TERN_RECEIPT_HANDSHAKE_DONE:
        conn->wants_handshake_done = false;
        break;
    case TERN_RECEIPT_ACK_FREQUENCY:
        tern_cadence_on_acked(&conn->cadence, r->id);
        break;
    case TERN_RECEIPT_REKEY:
        tern_rekey_on_acked(conn, r->id);
        break;
    case TERN_RECEIPT_MESSAGE:
    case TERN_RECEIPT_MESSAGE_SKIP:
        tern_messages_on_acked(conn, r);
        break;
    case TERN_RECEIPT_MAX_MESSAGE_DATA:
    case TERN_RECEIPT_NEW_TOKEN:
    case TERN_RECEIPT_NEW_CID:
    case TERN_RECEIPT_RETIRE_CID:
    case TERN_RECEIPT_PROBE: /* pmtud is told of whole packets */
        break;
    }
}

/* The frame is not known to have arrived and must leave again. */
static int again(struct tern_conn *conn, enum tern_level level, const struct tern_receipt *r)
{
    struct tern_stream_control control;
    switch ((enum tern_receipt_kind)r->kind) {
    case TERN_RECEIPT_CRYPTO:
        return tern_crypto_flow_on_lost(&conn->spaces[level].crypto, r->offset, r->len);
    case TERN_RECEIPT_STREAM:
        return tern_streams_on_chunk_lost(&conn->streams, r->id, r->offset, r->len,
                                          (r->flags & TERN_RECEIPT_FIN) != 0);
    case TERN_RECEIPT_CONTROL:
        control = control_of(r);
        tern_streams_on_control_lost(&conn->streams, &control);
        return 0;
    case TERN_RECEIPT_HANDSHAKE_DONE:
        conn->wants_handshake_done = true;
        return 0;
    case TERN_RECEIPT_NEW_TOKEN:
        conn->wants_new_token = true;
        return 0;
    case TERN_RECEIPT_NEW_CID:
        tern_cids_on_new_lost(&conn->cids, r->id);
        return 0;
    case TERN_RECEIPT_RETIRE_CID:
        tern_cids_on_retire_lost(&conn->cids, r->id);
        return 0;
    case TERN_RECEIPT_ACK_FREQUENCY:
        tern_cadence_on_lost(&conn->cadence, r->id);
        return 0;
    case TERN_RECEIPT_REKEY:
        tern_rekey_on_lost(conn, r->id);
        return 0;
    case TERN_RECEIPT_MESSAGE: /* it knows more of its life than that: on_lost, repeat */
    case TERN_RECEIPT_MESSAGE_SKIP:
    case TERN_RECEIPT_MAX_MESSAGE_DATA:
    case TERN_RECEIPT_ACK:
    case TERN_RECEIPT_PROBE:
        break;
    }
    return 0;
}

void tern_receipts_on_acked(struct tern_conn *conn, enum tern_level level,
                            const struct tern_sent_packet *packet, uint64_t pn,
                            struct tern_receipt_run *run, tern_time now)
{
    const struct tern_sent *sent = &conn->spaces[level].loss.sent;
    if (level == TERN_LEVEL_APP && packet->path == conn->path.id) {
        tern_pmtud_on_acked(&conn->path.pmtud, pn, packet->size, now);
    }
    for (size_t i = 0; i < packet->receipt_count; i++) {
        const struct tern_receipt *receipt = tern_sent_receipt(sent, packet, i);
        if (receipt->kind == TERN_RECEIPT_STREAM) {
            stream_acked(conn, receipt, run);
        } else {
            tern_receipts_end_run(conn, run);
            acked(conn, level, receipt);
        }
    }
}

int tern_receipts_on_lost(struct tern_conn *conn, enum tern_level level,
                          const struct tern_sent_packet *packet, uint64_t pn, tern_time now)
{
    const struct tern_sent *sent = &conn->spaces[level].loss.sent;
    bool is_probe = (packet->flags & TERN_SENT_PROBE) != 0;
    if (level == TERN_LEVEL_APP && packet->path == conn->path.id &&
        tern_pmtud_on_lost(&conn->path.pmtud, pn, packet->size, now)) {
        tern_cc_set_datagram(&conn->path.cc, conn->path.pmtud.current);
    }
    for (size_t i = 0; !is_probe && i < packet->receipt_count; i++) {
        const struct tern_receipt *receipt = tern_sent_receipt(sent, packet, i);
        tern_messages_on_lost(conn, receipt, now);
        int rc = again(conn, level, receipt);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

int tern_receipts_repeat(struct tern_conn *conn, enum tern_level level,
                         const struct tern_sent_packet *packet)
{
    const struct tern_sent *sent = &conn->spaces[level].loss.sent;
    for (size_t i = 0; i < packet->receipt_count; i++) {
        const struct tern_receipt *receipt = tern_sent_receipt(sent, packet, i);
        tern_messages_repeat(conn, receipt);
        int rc = again(conn, level, receipt);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}
