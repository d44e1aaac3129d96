/* The ratchet: a fresh Diffie-Hellman inside a connection, so that who has learnt its keys once loses
 * the thread. [P §5.7]
 *
 *     client                                     server
 *     REKEY n, its point         ────────►       makes a point, mixes; starts no update from here on
 *     mixes, starts the update   ◄────────       REKEY n, its point
 *     packets of the next phase  ────────►       follows
 *
 * The client starts no update of its own while it waits, so that the phase into which the fresh bytes go
 * is the same at both ends: the one after the phase of the packet that brought the answer.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_CONN_REKEY_H
#define TERN_CONN_REKEY_H

#include "conn/conn.h"
#include "wire/frame.h"

struct tern_rekey_keys {
    uint8_t secret[TERN_SECRET_SIZE]; /* wiped as soon as it has served */
    uint8_t public_key[TERN_SECRET_SIZE];
};

/* Begins an exchange when one is due or wished for. 0 · TERN_ERR_NOMEM */
TERN_MUST_CHECK int tern_rekey_advance(struct tern_conn *conn, tern_time now);
/* 0 · TERN_ERR_PROTOCOL (out of turn, or a point of small order) · TERN_ERR_NOMEM */
TERN_MUST_CHECK int tern_rekey_on_frame(struct tern_conn *conn,
                                        const struct tern_frame_rekey *frame, tern_time now);
/* The number that a frame of ours bears now. */
uint64_t tern_rekey_number(const struct tern_conn *conn);
void tern_rekey_on_acked(struct tern_conn *conn, uint64_t number);
void tern_rekey_on_lost(struct tern_conn *conn, uint64_t number);
void tern_rekey_clear(struct tern_conn *conn);

#endif
