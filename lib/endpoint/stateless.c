/* Version Negotiation from a fixed ring, smaller than what asked for it. [P §12.2]
 * SPDX-License-Identifier: MIT */
#include "endpoint/stateless.h"

#include "wire/limits.h"

void tern_stateless_negotiate(struct tern_stateless *stateless, const struct tern_header *header,
                              const tern_datagram *in, size_t len, struct tern_random *random)
{
    if (len < TERN_INITIAL_DATAGRAM_MIN || stateless->count == TERN_STATELESS_QUEUE) {
        return;
    }
    size_t slot = (stateless->head + stateless->count) % TERN_STATELESS_QUEUE;
    struct tern_stateless_reply *reply = &stateless->replies[slot];
    struct tern_writer w;
    uint8_t first;
    tern_random_fill(random, &first, 1);
    tern_writer_init(&w, reply->data, sizeof reply->data);
    tern_header_encode_negotiation(&w, header, first);
    if (w.failed) {
        return;
    }
    reply->local = in->local;
    reply->remote = in->remote;
    reply->len = tern_writer_used(&w);
    stateless->count++;
    stateless->negotiations++;
}

bool tern_stateless_next(struct tern_stateless *stateless, tern_train *train)
{
    if (stateless->count == 0) {
        return false;
    }
    const struct tern_stateless_reply *reply = &stateless->replies[stateless->head];
    stateless->head = (stateless->head + 1) % TERN_STATELESS_QUEUE;
    stateless->count--;
    if (reply->len > train->capacity) {
        return false;
    }
    memcpy(train->data, reply->data, reply->len);
    train->local = reply->local;
    train->remote = reply->remote;
    train->len = train->segment = reply->len;
    train->ecn = 0;
    return true;
}
