/* Messages on their way in: put together, put in order, never twice, within bounds. [P §16]
 * SPDX-License-Identifier: MIT */
#ifndef TERN_STREAM_MESSAGE_IN_H
#define TERN_STREAM_MESSAGE_IN_H

#include "base/list.h"
#include "base/slab.h"
#include "stream/message.h"

#define TERN_MSGIN_GAPS     1024  /* in the numbers of a lane, and in one message, [P §16.2] */
#define TERN_MSGIN_GAPS_ALL 65536 /* in the numbers of all lanes together */

struct tern_msgin;

struct tern_msgin_config {
    uint64_t max_size; /* config.max_message */
    uint32_t channels;
    uint64_t window; /* config.message_window: of credit messages */
    uint64_t queue;  /* config.message_queue: of the others */
};

struct tern_msgin_counters {
    uint64_t received;   /* delivered to the application, */
    uint64_t bytes;      /* and their length */
    uint64_t duplicates; /* parts that had come before (also by redundancy) */
    uint64_t dropped;    /* messages without credit that the queue had no room for */
    uint64_t superseded; /* latest ones, also parts of them, that a newer one replaced */
    uint64_t recovered;  /* of the received: put together with forward error correction */
};

struct tern_msgin *tern_msgin_new(struct tern_mem *mem, struct tern_slab *slab,
                                  const struct tern_msgin_config *config);
void tern_msgin_free(struct tern_msgin *m); /* NULL is fine */

/* A MESSAGE frame. `data` is copied. 0 (also when it is ignored) · TERN_ERR_PROTOCOL · TERN_ERR_FLOW_CONTROL ·
 * TERN_ERR_NOMEM · TERN_ERR_AGAIN (too many gaps: the packet counts as lost, nothing has changed).
 * is_recovered: it is forward error correction's. */
TERN_MUST_CHECK int tern_msgin_on_part(struct tern_msgin *m, const struct tern_message_part *part,
                                       const uint8_t *data, bool is_recovered);
/* MESSAGE_SKIP: the same errors. */
TERN_MUST_CHECK int tern_msgin_on_skip(struct tern_msgin *m, const struct tern_message_skip *skip);

/* The application takes the next message; the one before is given back. 1 · 0: none */
int tern_msgin_receive(struct tern_msgin *m, tern_message *out);
bool tern_msgin_has_message(const struct tern_msgin *m);
/* True once after messages have come to an empty queue, or since the last was taken. */
bool tern_msgin_take_event(struct tern_msgin *m);
bool tern_msgin_has_event(const struct tern_msgin *m);

/* A MAX_MESSAGE_DATA frame is owed: its limit, which is then told. */
bool tern_msgin_wants_limit(const struct tern_msgin *m);
uint64_t tern_msgin_take_limit(struct tern_msgin *m);
/* Owes it again if it is the latest. */
void tern_msgin_on_limit_lost(struct tern_msgin *m, uint64_t limit);

const struct tern_msgin_counters *tern_msgin_counters(const struct tern_msgin *m);
uint64_t tern_msgin_held(
    const struct tern_msgin *m); /* bytes of memory that count, of both kinds */

#endif
