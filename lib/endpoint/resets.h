/* Stateless resets: told to peers whose connection we have lost, and understood when we are told.
 * RFC 9000 §10.3, [P §12.7]
 * SPDX-License-Identifier: MIT */
#ifndef TERN_ENDPOINT_RESETS_H
#define TERN_ENDPOINT_RESETS_H

#include "conn/conn.h"
#include "endpoint/stateless.h"

#define TERN_RESET_MIN 21 /* RFC 9000 §10.3: five bytes that look like a packet, and the token */
#define TERN_RESET_MAX 43 /* as long as an acknowledgement */

struct tern_resets {
    struct tern_cid_shape shape; /* of the identifiers that we issue */
    struct tern_map by_token;    /* under a keyed hash: to search tells nothing about tokens */
    tern_time next_at;           /* of a leaky bucket: 64 at once, 100 a second */
    uint64_t sent, received;
};

void tern_resets_init(struct tern_resets *resets, struct tern_mem *mem, struct tern_random *random,
                      const tern_config *config);
void tern_resets_clear(struct tern_resets *resets);

/* Keeps the token by which the peer could reset this connection: that of the identifier in use. Without
 * memory it is not kept, and the idle timeout has to do. */
void tern_resets_follow(struct tern_resets *resets, struct tern_conn *conn);
void tern_resets_drop(struct tern_resets *resets, struct tern_conn *conn);

/* The connection that a datagram for no identifier of ours resets, or NULL. */
struct tern_conn *tern_resets_find(const struct tern_resets *resets, const tern_datagram *in,
                                   const uint8_t *data, size_t len);

/* Queues the reset for a packet with a short header to an identifier that may have been ours. */
void tern_resets_answer(struct tern_resets *resets, struct tern_stateless *stateless,
                        const struct tern_header *header, const tern_datagram *in, size_t len,
                        const struct tern_hmac *reset_key, struct tern_random *random,
                        tern_time now);

#endif
