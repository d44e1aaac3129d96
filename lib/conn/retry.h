/* The client's side of address tokens: one Retry, heeded by the rules, and NEW_TOKEN kept. [P §12.5]
 * SPDX-License-Identifier: MIT */
#ifndef TERN_CONN_RETRY_H
#define TERN_CONN_RETRY_H

#include "conn/conn.h"
#include "wire/header.h"

/* The tokens that the application gave for a new connection. 0 · TERN_ERR_INVALID · TERN_ERR_NOMEM */
TERN_MUST_CHECK int tern_retry_take_tokens(struct tern_conn *conn, const tern_peer *peer);

/* A Retry packet. True when it was heeded: message 1 then leaves anew, with a fresh key, to the
 * server's identifier and with its token. */
bool tern_retry_on_packet(struct tern_conn *conn, const struct tern_header *header,
                          const uint8_t *packet, tern_time now);

/* Version Negotiation. True when it answers us and lists no version of ours, which is then told as the
 * cause if the handshake comes to nothing; anybody who sees the first packet can forge it. */
bool tern_retry_on_negotiation(struct tern_conn *conn, const struct tern_header *header);

/* A NEW_TOKEN frame. One that is too long, or finds no memory, is not kept. */
void tern_retry_keep_token(struct tern_conn *conn, const uint8_t *token, size_t len);

#endif
