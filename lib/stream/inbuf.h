/* Reassembly of a stream's bytes: pages on demand, lent to the reader without a copy.
 *
 * Memory is bounded by the window: a byte lands in the page of its offset, so fragments cost no
 * more than the pages that the whole window would (flow control is checked by the caller), and
 * the list of what has arrived out of order is bounded by TERN_INBUF_RANGES.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_STREAM_INBUF_H
#define TERN_STREAM_INBUF_H

#include "base/ranges.h"

#define TERN_PAGE_SIZE    16384 /* of the pool that inbuf and outbuf share */
#define TERN_PAGES_KEPT   1024 /* 16 MiB, a full default window: a warm endpoint allocates nothing */
#define TERN_INBUF_RANGES 4096 /* out-of-order pieces of one stream, [P §14] */
#define TERN_INBUF_INLINE 4    /* page slots that need no allocation */

struct tern_inbuf {
    uint64_t read;  /* the application took all below this */
    uint64_t ready; /* all below this has arrived */
    uint8_t **ring; /* the page of `offset` is ring[offset / page size modulo slots], or NULL */
    size_t slots;   /* a power of two */
    uint8_t *inline_ring[TERN_INBUF_INLINE];
    struct tern_pool *pages;
    struct tern_ranges above; /* what has arrived beyond a gap */
    struct tern_mem *mem;
};

void tern_inbuf_init(struct tern_inbuf *b, struct tern_mem *mem, struct tern_pool *pages);
void tern_inbuf_clear(struct tern_inbuf *b); /* gives all back; the offsets stay */

/* Bytes at an offset. What was ready before never changes, whatever the peer repeats.
 * 0 · TERN_ERR_NOMEM · TERN_ERR_LIMIT (too many pieces); then nothing has arrived. */
TERN_MUST_CHECK int tern_inbuf_write(struct tern_inbuf *b, uint64_t offset, const uint8_t *data,
                                     size_t len);

/* The readable bytes up to the end of their page; their count. *data is untouched when 0. */
size_t tern_inbuf_peek(const struct tern_inbuf *b, const uint8_t **data);
void tern_inbuf_consume(struct tern_inbuf *b, size_t n); /* n at most what is ready (asserted) */

#endif
