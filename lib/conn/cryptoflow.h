/* The CRYPTO stream of one level, both ways: handshake bytes, few and bounded.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_CONN_CRYPTOFLOW_H
#define TERN_CONN_CRYPTOFLOW_H

#include "base/ranges.h"

#define TERN_CRYPTO_FLOW_MAX 4096 /* [P §14]: bytes of CRYPTO below and at 1-RTT, each way */

struct tern_crypto_flow {
    /* What we say: all of it is kept until the level is discarded; `unsent` is what must leave. */
    struct tern_ranges unsent;
    uint8_t *out;
    size_t out_len;
    struct tern_mem *mem;
    /* What we hear: one flat buffer, allocated with the first byte. */
    uint8_t *in;
    struct tern_ranges received;
    size_t in_read; /* bytes taken by the handshake */
};

void tern_crypto_flow_init(struct tern_crypto_flow *flow, struct tern_mem *mem);
void tern_crypto_flow_clear(struct tern_crypto_flow *flow); /* wipes and frees; may be used again */

/* Appends bytes to say. 0 · TERN_ERR_NOMEM · TERN_ERR_CRYPTO_BUFFER */
TERN_MUST_CHECK int tern_crypto_flow_write(struct tern_crypto_flow *flow, const uint8_t *data,
                                           size_t len);
bool tern_crypto_flow_wants(const struct tern_crypto_flow *flow);
/* The next piece that must leave: its offset, at most *len bytes. */
const uint8_t *tern_crypto_flow_peek(const struct tern_crypto_flow *flow, uint64_t *offset,
                                     size_t *len);
TERN_MUST_CHECK int tern_crypto_flow_on_sent(struct tern_crypto_flow *flow, uint64_t offset,
                                             size_t len);
/* They have arrived: if they were queued again as lost, they need not leave. */
void tern_crypto_flow_on_acked(struct tern_crypto_flow *flow, uint64_t offset, size_t len);
TERN_MUST_CHECK int tern_crypto_flow_on_lost(struct tern_crypto_flow *flow, uint64_t offset,
                                             size_t len);

/* Takes bytes of a CRYPTO frame. The bound is checked before anything is allocated.
 * 0 · TERN_ERR_CRYPTO_BUFFER · TERN_ERR_NOMEM */
TERN_MUST_CHECK int tern_crypto_flow_receive(struct tern_crypto_flow *flow, uint64_t offset,
                                             const uint8_t *data, size_t len);
/* The contiguous bytes not yet taken. */
const uint8_t *tern_crypto_flow_readable(const struct tern_crypto_flow *flow, size_t *len);
void tern_crypto_flow_take(struct tern_crypto_flow *flow, size_t len);
/* Gives the buffer back while nothing waits in it; the offsets stay. */
void tern_crypto_flow_rest(struct tern_crypto_flow *flow);
/* Forgets everything heard: a forged message must not occupy the place of the true one. */
void tern_crypto_flow_forget(struct tern_crypto_flow *flow);

#endif
