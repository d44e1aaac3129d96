/* One function for each frame sent: what is wanted becomes bytes in a packet and a receipt.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_CONN_FILL_H
#define TERN_CONN_FILL_H

#include "base/cursor.h"
#include "conn/conn.h"

#define TERN_FILL_RECEIPTS 48 /* frames with a receipt in one packet; more where messages wait */

/* The packet under construction. */
struct tern_fill {
    struct tern_conn *conn;
    enum tern_level level;
    struct tern_space *space;
    struct tern_path *path; /* that it will leave on */
    struct tern_writer w;   /* over the room for frames */
    size_t full;            /* the room for frames in a packet of full size */
    uint32_t receipts_max;
    bool is_small;     /* less than that is allowed: of the application messages alone */
    bool is_eliciting; /* holds a frame that asks for an ACK */
    bool has_ack, has_immediate_ack;
    bool has_message;     /* a new one */
    bool is_padded;       /* PADDING counts as in flight (RFC 9002 §2) */
    bool needs_full_size; /* a PATH_* frame: expand to 1200 (RFC 9000 §8.2.1) */
};

/* An empty one, for the path in use; its writer and `full` are the caller's to set. */
void tern_fill_init(struct tern_fill *fill, struct tern_conn *conn, enum tern_level level);

/* Puts into the packet what is wanted, in order of importance. `may_elicit`: congestion control,
 * pacing and the amplification limit allow more than an ACK. 0 · TERN_ERR_NOMEM */
TERN_MUST_CHECK int tern_fill_packet(struct tern_fill *fill, bool may_elicit, tern_time now);

/* Into a packet: a receipt is noted; a frame was encoded since `start`: keep it, or take it back when it
 * did not fit (false). */
void tern_fill_note(struct tern_fill *fill, struct tern_receipt receipt);
bool tern_fill_has_receipt_room(const struct tern_fill *fill);
bool tern_fill_keep(struct tern_fill *fill, uint8_t *start);

/* Parts of tern_fill_packet, in fill_messages.c: credit and given-up numbers; the next message that fits
 * (false: none); copies of those that are in flight. */
void tern_fill_message_controls(struct tern_fill *fill);
bool tern_fill_message(struct tern_fill *fill, tern_time now);
void tern_fill_copies(struct tern_fill *fill, tern_time now);
/* The next repair, if it fits; false: none. Only where there is forward error correction. */
bool tern_fill_repair(struct tern_fill *fill, tern_time now);

/* CONNECTION_CLOSE alone. */
void tern_fill_close(struct tern_fill *fill);

/* PATH_RESPONSE and PATH_CHALLENGE alone, as the packet's path wants them. */
void tern_fill_path(struct tern_fill *fill, tern_time now);

/* PING and PADDING up to the full room: a PMTU probe. */
void tern_fill_probe(struct tern_fill *fill, size_t datagram);

/* PADDING so that `len` bytes of frames stand there; never shortens. */
void tern_fill_padding(struct tern_fill *fill, size_t len);

/* Is there anything at this level that wants to leave? Split by whether it needs permission. */
bool tern_fill_wants_ack(const struct tern_conn *conn, enum tern_level level, tern_time now);
bool tern_fill_wants_data(struct tern_conn *conn, enum tern_level level);

#endif
