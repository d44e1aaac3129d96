/* Answers that need no connection and no memory: Version Negotiation, Retry, a refusal.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_ENDPOINT_STATELESS_H
#define TERN_ENDPOINT_STATELESS_H

#include <tern/types.h>

#include "base/mem.h"
#include "base/random.h"
#include "conn/proofs.h"
#include "wire/header.h"

#define TERN_STATELESS_MAX 600 /* a Version Negotiation with two identifiers of 255 bytes */
/* Answers waiting; more are dropped ([P §12.2]). Who accepts nobody has little to answer. */
#define TERN_STATELESS_SERVER_QUEUE 64
#define TERN_STATELESS_CLIENT_QUEUE 8

struct tern_stateless_reply {
    tern_addr local, remote;
    size_t len;
    uint8_t data[TERN_STATELESS_MAX];
};

/* A ring of answers, fixed in size. */
struct tern_stateless {
    struct tern_mem *mem;
    struct tern_stateless_reply *replies;
    size_t capacity, head, count;
    uint64_t negotiations, retries, refusals;
};

/* 0 · TERN_ERR_NOMEM */
TERN_MUST_CHECK int tern_stateless_init(struct tern_stateless *stateless, struct tern_mem *mem,
                                        size_t capacity);
void tern_stateless_clear(struct tern_stateless *stateless);

/* Queues a Version Negotiation for a datagram of an unknown version, if it is one that deserves it:
 * a long header, at least 1200 bytes, not itself a Version Negotiation (RFC 9000 §5.2.2, §6.1). */
void tern_stateless_negotiate(struct tern_stateless *stateless, const struct tern_header *header,
                              const tern_datagram *in, size_t len, struct tern_random *random);

/* Queues a Retry for a first Initial. [P §12.3] */
void tern_stateless_retry(struct tern_stateless *stateless, const struct tern_header *header,
                          const tern_datagram *in, const struct tern_proofs *proofs,
                          const struct tern_retry_keys *keys, struct tern_random *random,
                          tern_time now);

/* Queues a CONNECTION_CLOSE in answer to a first Initial that opened: with a wire code and words for the
 * user. server_public NULL: it was not keyed. */
void tern_stateless_refuse(struct tern_stateless *stateless, const struct tern_header *header,
                           const tern_datagram *in, const uint8_t *server_public, uint64_t code,
                           const char *reason);

/* Queues an answer that is made already. False: the ring is full. */
bool tern_stateless_push(struct tern_stateless *stateless, const tern_datagram *in,
                         const uint8_t *data, size_t len);

/* Copies the next answer into the train. False when there is none. */
bool tern_stateless_next(struct tern_stateless *stateless, tern_train *train);

#endif
