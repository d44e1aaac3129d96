/* A stream's bytes from the application's write until the peer acknowledged them.
 *
 * A queue of spans, each a page of copied bytes or memory that the application lent. Offsets rise
 * through base <= sent <= end: below `base` all is acknowledged and given back, below `sent` all
 * was sent at least once. What is lost and not yet acknowledged is offered again first.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_STREAM_OUTBUF_H
#define TERN_STREAM_OUTBUF_H

#include <tern/stream.h>

#include "base/ranges.h"

#define TERN_OUTBUF_RANGES 4096 /* acknowledged or lost pieces remembered exactly */
#define TERN_OUTBUF_SPANS  4096 /* beside those that the size limit needs anyhow */
#define TERN_OUTBUF_INLINE 4    /* spans that need no allocation */

struct tern_outbuf_span {
    uint64_t offset;
    size_t len;
    const uint8_t *data;
    uint8_t *page; /* of ours; NULL: lent */
    tern_release_fn release;
    void *arg;
};

struct tern_outbuf {
    uint64_t base, sent, end;
    uint64_t limit;       /* on end - base */
    const uint64_t *hold; /* the same for copies, for now, if that is less; NULL: it is not */
    struct tern_outbuf_span *ring;
    size_t slots;        /* a power of two */
    uint64_t head, tail; /* numbers of the first span and of the one after the last */
    uint64_t cursor;     /* number of the span used last */
    bool fin, fin_sent, fin_acked, fin_lost;
    /* All in here counts as lost: what `acked` and `lost` could not hold. */
    struct tern_range vague;
    struct tern_ranges lost;
    struct tern_ranges acked; /* above base */
    struct tern_outbuf_span inline_ring[TERN_OUTBUF_INLINE];
    struct tern_mem *mem;
    struct tern_pool *pages;
};

void tern_outbuf_init(struct tern_outbuf *b, struct tern_mem *mem, struct tern_pool *pages,
                      uint64_t limit);
void tern_outbuf_clear(
    struct tern_outbuf *b); /* gives all back, runs release hooks; keeps `sent` */

size_t tern_outbuf_room(const struct tern_outbuf *b); /* for copies */
size_t tern_outbuf_room_lent(
    const struct tern_outbuf *b); /* for loans, which take no memory of ours */
/* Copies what fits: the count, or TERN_ERR_NOMEM when nothing could be taken for that reason. */
TERN_MUST_CHECK ptrdiff_t tern_outbuf_write(struct tern_outbuf *b, const uint8_t *data, size_t len);
/* Lends all of len (> 0): len, or 0 (full), or TERN_ERR_NOMEM. An empty buffer takes any length. */
TERN_MUST_CHECK ptrdiff_t tern_outbuf_lend(struct tern_outbuf *b, const uint8_t *data, size_t len,
                                           tern_release_fn release, void *arg);
void tern_outbuf_finish(struct tern_outbuf *b); /* no more bytes */

bool tern_outbuf_has_lost(const struct tern_outbuf *b);
struct tern_range tern_outbuf_lost(const struct tern_outbuf *b); /* the first lost piece */
bool tern_outbuf_wants_fin(const struct tern_outbuf *b); /* only the end is left to (re)send */
bool tern_outbuf_is_done(const struct tern_outbuf *b);   /* all bytes and the end acknowledged */

void tern_outbuf_copy(struct tern_outbuf *b, uint64_t offset, size_t len, uint8_t *dst);
void tern_outbuf_rewind(struct tern_outbuf *b); /* nothing has left, and nothing was acknowledged */
void tern_outbuf_on_sent(struct tern_outbuf *b, uint64_t offset, size_t len, bool fin);
void tern_outbuf_on_acked(struct tern_outbuf *b, uint64_t offset, size_t len, bool fin);
void tern_outbuf_on_lost(struct tern_outbuf *b, uint64_t offset, size_t len, bool fin);

#endif
