/* The client's side of address tokens: one Retry, heeded by the rules, and NEW_TOKEN kept. [P §12.5]
 * SPDX-License-Identifier: MIT */
#ifndef TERN_CONN_RETRY_H
#define TERN_CONN_RETRY_H

#include "conn/conn.h"
#include "crypto/cpace.h"
#include "crypto/noise.h"
#include "wire/header.h"

/* The tokens that the application gave for a new connection. 0 · TERN_ERR_INVALID · TERN_ERR_NOMEM */
TERN_MUST_CHECK int tern_retry_take_tokens(struct tern_conn *conn, const tern_peer *peer);

/* A Retry packet. True when it was heeded: message 1 then leaves anew, with a fresh key, to the
 * server's identifier and with its token. */
bool tern_retry_on_packet(struct tern_conn *conn, const struct tern_header *header,
                          const uint8_t *packet, tern_time now);

/* An observer who knows what the client knows can forge a Retry. The attempt that it has interrupted is put
 * aside, and an answer to it is still heeded: [P §4.3]. */
struct tern_retry_before {
    struct tern_noise noise;
    struct tern_cpace cpace;
    uint8_t session[TERN_KEY_SIZE];
    uint8_t kem_seed[TERN_KEM_SEED_SIZE];
    struct tern_cid initial_dcid;
    bool has_retry;
};

/* Goes over to the other attempt, with its Initial keys. False: there is none, or no memory. */
bool tern_retry_change_sides(struct tern_conn *conn);
void tern_retry_forget_before(struct tern_handshake *hs, struct tern_mem *mem);

/* Version Negotiation. True when it answers us and lists no version of ours, which is then told as the
 * cause if the handshake comes to nothing; anybody who sees the first packet can forge it. */
bool tern_retry_on_negotiation(struct tern_conn *conn, const struct tern_header *header);

/* A NEW_TOKEN frame. One that is too long, or finds no memory, is not kept. */
void tern_retry_keep_token(struct tern_conn *conn, const uint8_t *token, size_t len);

#endif
