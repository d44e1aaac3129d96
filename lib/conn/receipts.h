/* What the receipts of sent packets mean: the one place that knows (law 2).
 * SPDX-License-Identifier: MIT */
#ifndef TERN_CONN_RECEIPTS_H
#define TERN_CONN_RECEIPTS_H

#include "conn/conn.h"

enum tern_receipt_kind {
    TERN_RECEIPT_ACK,     /* id: largest acknowledged by the frame */
    TERN_RECEIPT_CRYPTO,  /* offset, len */
    TERN_RECEIPT_STREAM,  /* id, offset, len, flags: fin */
    TERN_RECEIPT_CONTROL, /* extra: enum tern_stream_control_kind; id, offset: value */
    TERN_RECEIPT_HANDSHAKE_DONE,
    TERN_RECEIPT_NEW_TOKEN,
    TERN_RECEIPT_NEW_CID,       /* id: sequence */
    TERN_RECEIPT_RETIRE_CID,    /* id: sequence */
    TERN_RECEIPT_ACK_FREQUENCY, /* id: sequence */
    TERN_RECEIPT_REKEY,         /* id: number */
    TERN_RECEIPT_MESSAGE,       /* these three: conn/messages.h */
    TERN_RECEIPT_MESSAGE_SKIP,
    TERN_RECEIPT_MAX_MESSAGE_DATA,
    TERN_RECEIPT_PROBE /* a PMTU probe; len: its size */
};

#define TERN_RECEIPT_FIN 0x01u

/* Bytes of one stream that packets of one ACK held one behind the other: the stream hears of them together. All
 * zero at first. */
struct tern_receipt_run {
    uint64_t id, offset, len;
};

/* The frames of an acknowledged or lost packet, each told to whom it concerns; of acknowledged stream bytes the
 * last are kept in the run until tern_receipts_end_run. 0 · TERN_ERR_NOMEM */
void tern_receipts_on_acked(struct tern_conn *conn, enum tern_level level,
                            const struct tern_sent_packet *packet, uint64_t pn,
                            struct tern_receipt_run *run, tern_time now);
void tern_receipts_end_run(struct tern_conn *conn, struct tern_receipt_run *run);
TERN_MUST_CHECK int tern_receipts_on_lost(struct tern_conn *conn, enum tern_level level,
                                          const struct tern_sent_packet *packet, uint64_t pn,
                                          tern_time now);

/* Makes the frames of a packet that is still in flight leave again, for a PTO probe
 * (RFC 9002 §6.2.4). 0 · TERN_ERR_NOMEM */
TERN_MUST_CHECK int tern_receipts_repeat(struct tern_conn *conn, enum tern_level level,
                                         const struct tern_sent_packet *packet);

#endif
