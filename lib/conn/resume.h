/* Tickets and early data: a client that was here before may speak before it is answered. [P §4.8]
 *
 * The ticket changes nothing in the handshake itself: it only gives keys for packets that travel with
 * message 1, so that a refusal costs no round trip.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_CONN_RESUME_H
#define TERN_CONN_RESUME_H

#include "conn/conn.h"
#include "crypto/strikes.h"
#include "crypto/ticket.h"

#define TERN_TICKET_SEALED_MAX 256 /* of other servers' making, too */

/* What a server needs to give and to take tickets. */
struct tern_tickets {
    struct tern_ticket_keys keys;
    struct tern_strikes strikes;
};

/* 0 · TERN_ERR_NOMEM */
TERN_MUST_CHECK int tern_tickets_new(struct tern_tickets **out, struct tern_mem *mem,
                                     struct tern_random *random, tern_time now);
void tern_tickets_free(struct tern_tickets *tickets, struct tern_mem *mem); /* NULL is fine */

/* A client's side of an attempt, until message 2. */
struct tern_resume {
    uint8_t sealed[TERN_TICKET_SEALED_MAX];
    size_t sealed_len;
    uint8_t secret[TERN_TICKET_SECRET_SIZE];
    uint16_t suite;
    uint64_t limits[TERN_TICKET_LIMITS];
    uint64_t age; /* ms, as message 1 says it */
    bool has_half;
    struct tern_packet_keys half; /* of what the server says before message 3, [P §4.10] */
    uint8_t half_resumption[TERN_TICKET_SECRET_SIZE];
};

/* A server's, until message 3. */
struct tern_early {
    struct tern_packet_keys keys;
    uint8_t client_key[TERN_KEY_SIZE];
    uint8_t secret[TERN_TICKET_SECRET_SIZE]; /* of the ticket, until message 2 is written */
    tern_time proved_at;
    bool wants_ticket, has_ticket; /* who has his answer may go before message 3 has arrived */
};

/* --- client ---------------------------------------------------------------------------------- */

/* Reads what the application has kept. A ticket that has grown too old is left aside.
 * 0 · TERN_ERR_INVALID (malformed, or of another server or client key) · TERN_ERR_NOMEM */
TERN_MUST_CHECK int tern_resume_choose(struct tern_conn *conn, const tern_peer *peer);
/* What message 1 says of it; the ephemeral key must be drawn. */
void tern_resume_params(const struct tern_conn *conn, const uint8_t *ephemeral,
                        struct tern_params *params);
/* Message 1 is written: keys for early packets, and the credit of last time. 0 or an error of ours. */
TERN_MUST_CHECK int tern_resume_begin(struct tern_conn *conn);
/* Message 2 has come: early data was taken, or is sent again.
 * 0 · TERN_ERR_TRANSPORT_PARAMETER (it takes what we did not offer, or less than it promised) ·
 * TERN_ERR_NOMEM */
TERN_MUST_CHECK int tern_resume_settle(struct tern_conn *conn, const struct tern_params *params);
/* CRYPTO at 1-RTT: new tickets, for the application to keep. 0 · TERN_ERR_NOMEM */
TERN_MUST_CHECK int tern_resume_on_crypto(struct tern_conn *conn);

/* --- both ------------------------------------------------------------------------------------ */

/* Keys for an early packet that has come, or NULL. */
struct tern_packet_keys *tern_resume_keys(const struct tern_conn *conn);

/* --- server ---------------------------------------------------------------------------------- */

/* Message 1 has verified, the suite is chosen: may early packets come? Then conn->early says so.
 * 0 · TERN_ERR_NOMEM */
TERN_MUST_CHECK int tern_resume_consider(struct tern_conn *conn, const struct tern_params *params,
                                         tern_time now);
/* Message 2 is written: keys for what may be answered before message 3. 0 or an error of ours. */
TERN_MUST_CHECK int tern_resume_begin_half(struct tern_conn *conn);
/* The application answers before message 3: the client may be gone before that arrives, and so has its
 * ticket at once. Without memory there is none. */
void tern_resume_want_half(struct tern_conn *conn);
void tern_resume_give_half(struct tern_conn *conn, tern_time now);
/* Message 3 has verified: a ticket for the next time. 0 or an error of ours. */
TERN_MUST_CHECK int tern_resume_give(struct tern_conn *conn, tern_time now);

#endif
