/* The two halves of the message layer in a connection: made when they are first needed, and what
 * frames, receipts, timers and events have to do with them. [P §16]
 * SPDX-License-Identifier: MIT */
#ifndef TERN_CONN_MESSAGES_H
#define TERN_CONN_MESSAGES_H

#include "conn/conn.h"
#include "conn/fec.h"
#include "recovery/loss.h"
#include "recovery/spares.h"
#include "stream/message_in.h"
#include "stream/message_out.h"
#include "wire/frame.h"

/* One pointer in a connection that sends and gets no messages. */
struct tern_messages {
    struct tern_msgout *out; /* NULL until something is sent ... */
    struct tern_msgin *in;   /* ... or has come */
    tern_redundancy redundancy;
    unsigned copies;           /* FIXED: of each message */
    struct tern_spares spares; /* ADAPTIVE: what was lost of late */
    struct tern_fec fec;
};

void tern_messages_clear(struct tern_conn *conn); /* runs release hooks */

/* The halves, made if need be. 0 · TERN_ERR_NOMEM; for the first the peer's parameters must be there. */
TERN_MUST_CHECK int tern_messages_need_out(struct tern_conn *conn, struct tern_msgout **out);
TERN_MUST_CHECK int tern_messages_need_in(struct tern_conn *conn, struct tern_msgin **in);
TERN_MUST_CHECK int tern_messages_set_redundancy(struct tern_conn *conn, tern_redundancy redundancy,
                                                 unsigned copies);

/* NULL where there are none yet. */
static inline struct tern_msgout *tern_messages_out(const struct tern_conn *conn)
{
    return conn->messages == NULL ? NULL : conn->messages->out;
}

static inline struct tern_msgin *tern_messages_in(const struct tern_conn *conn)
{
    return conn->messages == NULL ? NULL : conn->messages->in;
}

/* --- frames that have come: 0 · TERN_ERR_PROTOCOL · TERN_ERR_FLOW_CONTROL · TERN_ERR_NOMEM ·
 * TERN_ERR_AGAIN (the packet counts as lost) --- */
TERN_MUST_CHECK int tern_messages_on_part(struct tern_conn *conn,
                                          const struct tern_frame_message *f, const char **reason);
TERN_MUST_CHECK int tern_messages_on_skip(struct tern_conn *conn,
                                          const struct tern_frame_message_skip *f,
                                          const char **reason);
TERN_MUST_CHECK int tern_messages_on_max_data(struct tern_conn *conn, uint64_t limit,
                                              const char **reason);

/* Whether we take messages, and on that channel. */
TERN_MUST_CHECK int tern_messages_check_target(const struct tern_conn *conn, uint64_t channel,
                                               const char **reason);

/* --- receipts, whose kinds are MESSAGE, MESSAGE_SKIP and MAX_MESSAGE_DATA --- */
struct tern_receipt tern_messages_part_receipt(const struct tern_message_part *part);
struct tern_receipt tern_messages_skip_receipt(const struct tern_message_skip *skip);
void tern_messages_on_acked(struct tern_conn *conn, const struct tern_receipt *receipt);
void tern_messages_on_lost(struct tern_conn *conn, const struct tern_receipt *receipt,
                           tern_time now);
void tern_messages_repeat(struct tern_conn *conn, const struct tern_receipt *receipt);
/* For a probe with so much room: small ones that are on their way. */
void tern_messages_repeat_small(struct tern_conn *conn, size_t room);

/* --- output and time --- */
/* Something was sent, or is to be, that is not yet acknowledged or given up. */
bool tern_messages_are_waiting(const struct tern_conn *conn);
/* Something wants to leave, control frames among it. */
bool tern_messages_wants(const struct tern_conn *conn);
/* The size of the next frame if it is a whole message that is more urgent than all streams; else 0. */
size_t tern_messages_urgent_size(struct tern_conn *conn, size_t full);
tern_time tern_messages_deadline(const struct tern_conn *conn);
void tern_messages_expire(struct tern_conn *conn, tern_time now);
/* Packets were acknowledged or lost: chooses anew how many copies ride along. */
void tern_messages_adapt(struct tern_conn *conn, const struct tern_loss_outcome *outcome);

/* --- events and figures --- */
bool tern_messages_has_event(const struct tern_conn *conn);
bool tern_messages_next_event(struct tern_conn *conn, tern_event *out);
void tern_messages_stats(const struct tern_conn *conn, tern_stats *out);

#endif
