/* Answers that need no connection and no memory: Version Negotiation.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_ENDPOINT_STATELESS_H
#define TERN_ENDPOINT_STATELESS_H

#include <tern/types.h>

#include "base/random.h"
#include "wire/header.h"

#define TERN_STATELESS_MAX   600 /* a Version Negotiation with two identifiers of 255 bytes */
#define TERN_STATELESS_QUEUE 16  /* answers waiting; more are dropped ([P §12]) */

struct tern_stateless_reply {
    tern_addr local, remote;
    size_t len;
    uint8_t data[TERN_STATELESS_MAX];
};

/* A ring of answers, fixed in size. */
struct tern_stateless {
    struct tern_stateless_reply replies[TERN_STATELESS_QUEUE];
    size_t head, count;
    uint64_t negotiations;
};

/* Queues a Version Negotiation for a datagram of an unknown version, if it is one that deserves it:
 * a long header, at least 1200 bytes, not itself a Version Negotiation (RFC 9000 §5.2.2, §6.1). */
void tern_stateless_negotiate(struct tern_stateless *stateless, const struct tern_header *header,
                              const tern_datagram *in, size_t len, struct tern_random *random);

/* Copies the next answer into the train. False when there is none. */
bool tern_stateless_next(struct tern_stateless *stateless, tern_train *train);

#endif
