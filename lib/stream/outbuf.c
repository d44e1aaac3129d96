/* A stream's bytes from the application's write until the peer acknowledged them.
 * SPDX-License-Identifier: MIT */
#include "stream/outbuf.h"

#include "stream/inbuf.h" /* the page size that both share */

void tern_outbuf_init(struct tern_outbuf *b, struct tern_mem *mem, struct tern_pool *pages,
                      uint64_t limit)
{
    memset(b, 0, sizeof *b);
    b->mem = mem;
    b->pages = pages;
    b->limit = limit;
    b->ring = b->inline_ring;
    b->slots = TERN_OUTBUF_INLINE;
    tern_ranges_init(&b->acked, mem, TERN_OUTBUF_RANGES);
    tern_ranges_init(&b->lost, mem, TERN_OUTBUF_RANGES);
}

/* --- spans --------------------------------------------------------------------------------- */

static struct tern_outbuf_span *span_at(const struct tern_outbuf *b, uint64_t number)
{
    return &b->ring[number & (b->slots - 1)];
}

static uint64_t span_end(const struct tern_outbuf_span *span)
{
    return span->offset + span->len;
}

/* Out of the queue first, so that the hook sees a sound buffer. */
static void drop_first_span(struct tern_outbuf *b)
{
    struct tern_outbuf_span span = *span_at(b, b->head);
    b->head++;
    if (span.page != NULL) {
        tern_pool_give(b->pages, span.page);
    }
    if (span.release != NULL) {
        span.release(span.arg, span.data, span.len);
    }
}

void tern_outbuf_clear(struct tern_outbuf *b)
{
    while (b->head != b->tail) {
        drop_first_span(b);
    }
    if (b->ring != b->inline_ring) {
        tern_mem_free(b->mem, b->ring);
    }
    b->ring = b->inline_ring;
    b->slots = TERN_OUTBUF_INLINE;
    tern_ranges_clear(&b->acked);
    tern_ranges_clear(&b->lost);
    b->vague = (struct tern_range){0};
    b->base = b->end = b->sent;
}

static int reserve_span(struct tern_outbuf *b)
{
    if (b->tail - b->head < b->slots) {
        return 0;
    }
    size_t slots = 2 * b->slots;
    struct tern_outbuf_span *ring = tern_mem_alloc(b->mem, slots * sizeof *ring);
    if (ring == NULL) {
        return TERN_ERR_NOMEM;
    }
    for (uint64_t i = b->head; i != b->tail; i++) {
        ring[i & (slots - 1)] = *span_at(b, i);
    }
    if (b->ring != b->inline_ring) {
        tern_mem_free(b->mem, b->ring);
    }
    b->ring = ring;
    b->slots = slots;
    return 0;
}

/* Finds the span that holds the offset (below end): most often the cursor's or its successor;
 * else by bisection. */
static const struct tern_outbuf_span *find_span(struct tern_outbuf *b, uint64_t offset)
{
    uint64_t low = b->head, high = b->tail;
    if (b->cursor >= low && b->cursor < high && span_at(b, b->cursor)->offset <= offset) {
        low = b->cursor;
        for (int step = 0; step < 2; step++) {
            if (offset < span_end(span_at(b, low))) {
                b->cursor = low;
                return span_at(b, low);
            }
            low += low + 1 < high;
        }
    }
    while (high - low > 1) {
        uint64_t middle = low + (high - low) / 2;
        if (span_at(b, middle)->offset <= offset) {
            low = middle;
        } else {
            high = middle;
        }
    }
    b->cursor = low;
    return span_at(b, low);
}

/* --- writing ------------------------------------------------------------------------------- */

/* Bytes that the last span still takes: only pages of ours do. */
static size_t tail_room(const struct tern_outbuf *b)
{
    if (b->head == b->tail) {
        return 0;
    }
    const struct tern_outbuf_span *last = span_at(b, b->tail - 1);
    return last->page == NULL ? 0 : TERN_PAGE_SIZE - last->len;
}

/* Spans are bounded too, or a million one-byte loans would cost far more than their bytes. */
static uint64_t spans_left(const struct tern_outbuf *b)
{
    return tern_sub_sat(b->limit / TERN_PAGE_SIZE + TERN_OUTBUF_SPANS, b->tail - b->head);
}

static size_t room_below(const struct tern_outbuf *b, uint64_t limit)
{
    uint64_t room = tern_sub_sat(limit, b->end - b->base);
    return (size_t)TERN_MIN(room, spans_left(b) * TERN_PAGE_SIZE + tail_room(b));
}

size_t tern_outbuf_room(const struct tern_outbuf *b)
{
    return room_below(b, b->hold == NULL ? b->limit : TERN_MIN(b->limit, *b->hold));
}

size_t tern_outbuf_room_lent(const struct tern_outbuf *b)
{
    return room_below(b, b->limit);
}

static int push_page(struct tern_outbuf *b)
{
    int err = reserve_span(b);
    uint8_t *page = err == 0 ? tern_pool_take(b->pages) : NULL;
    if (page == NULL) {
        return TERN_ERR_NOMEM;
    }
    *span_at(b, b->tail++) =
        (struct tern_outbuf_span){.offset = b->end, .data = page, .page = page};
    return 0;
}

ptrdiff_t tern_outbuf_write(struct tern_outbuf *b, const uint8_t *data, size_t len)
{
    size_t goal = TERN_MIN(len, tern_outbuf_room(b));
    size_t done = 0;
    while (done < goal) {
        if (tail_room(b) == 0 && push_page(b) != 0) {
            return done > 0 ? (ptrdiff_t)done : TERN_ERR_NOMEM;
        }
        struct tern_outbuf_span *last = span_at(b, b->tail - 1);
        size_t n = TERN_MIN(goal - done, TERN_PAGE_SIZE - last->len);
        memcpy(last->page + last->len, data + done, n);
        last->len += n;
        b->end += n;
        done += n;
    }
    return (ptrdiff_t)done;
}

ptrdiff_t tern_outbuf_lend(struct tern_outbuf *b, const uint8_t *data, size_t len,
                           tern_release_fn release, void *arg)
{
    bool fits = b->end == b->base || len <= tern_sub_sat(b->limit, b->end - b->base);
    if (!fits || spans_left(b) == 0) {
        return 0;
    }
    int err = reserve_span(b);
    if (err != 0) {
        return err;
    }
    *span_at(b, b->tail++) = (struct tern_outbuf_span){
        .offset = b->end, .len = len, .data = data, .release = release, .arg = arg};
    b->end += len;
    return (ptrdiff_t)len;
}

void tern_outbuf_finish(struct tern_outbuf *b)
{
    b->fin = true;
}

/* --- sending ------------------------------------------------------------------------------- */

void tern_outbuf_copy(struct tern_outbuf *b, uint64_t offset, size_t len, uint8_t *dst)
{
    tern_assert(offset >= b->base && len <= b->end - offset);
    while (len > 0) {
        const struct tern_outbuf_span *span = find_span(b, offset);
        size_t inside = (size_t)(offset - span->offset);
        size_t n = TERN_MIN(len, span->len - inside);
        memcpy(dst, span->data + inside, n);
        dst += n;
        offset += n;
        len -= n;
    }
}

bool tern_outbuf_wants_fin(const struct tern_outbuf *b)
{
    return b->fin && !b->fin_acked && b->sent == b->end && (!b->fin_sent || b->fin_lost);
}

bool tern_outbuf_is_done(const struct tern_outbuf *b)
{
    return b->fin_acked && b->base == b->end;
}

/* --- acknowledgement and loss -------------------------------------------------------------- */

/* Index of the first acknowledged range that ends beyond the offset. */
static size_t first_acked_beyond(const struct tern_outbuf *b, uint64_t offset)
{
    size_t low = 0, high = b->acked.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (b->acked.items[middle].end <= offset) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* The first piece of the range that is not acknowledged; empty when all of it is. */
static struct tern_range first_open(const struct tern_outbuf *b, struct tern_range r)
{
    r.start = TERN_MAX(r.start, b->base);
    size_t i = first_acked_beyond(b, r.start);
    if (i < b->acked.count && b->acked.items[i].start <= r.start) {
        r.start = b->acked.items[i++].end;
    }
    if (i < b->acked.count) {
        r.end = TERN_MIN(r.end, b->acked.items[i].start);
    }
    r.end = TERN_MAX(r.end, r.start);
    return r;
}

/* Trims what was acknowledged in the meantime from the front of what is lost, so that both
 * has_lost and lost tell the truth. Each lost range passes here once, so the cost is amortised. */
static void settle(struct tern_outbuf *b)
{
    while (b->lost.count > 0) {
        struct tern_range first = b->lost.items[0];
        struct tern_range open = first_open(b, first);
        if (open.start < first.end) {
            tern_ranges_drop_below(&b->lost, open.start);
            break;
        }
        tern_ranges_drop_lowest(&b->lost);
    }
    if (b->vague.start < b->vague.end) {
        uint64_t start = first_open(b, b->vague).start;
        b->vague.start = TERN_MIN(start, b->vague.end);
    }
}

static void add_vague(struct tern_outbuf *b, uint64_t start, uint64_t end)
{
    if (b->vague.start < b->vague.end) {
        start = TERN_MIN(start, b->vague.start);
        end = TERN_MAX(end, b->vague.end);
    }
    b->vague = (struct tern_range){start, end};
}

bool tern_outbuf_has_lost(const struct tern_outbuf *b)
{
    return b->lost.count > 0 || b->vague.start < b->vague.end;
}

struct tern_range tern_outbuf_lost(const struct tern_outbuf *b)
{
    return first_open(b, b->lost.count > 0 ? b->lost.items[0] : b->vague);
}

/* A resend starts with the first lost byte, so what lies below its end is lost no more. */
void tern_outbuf_on_sent(struct tern_outbuf *b, uint64_t offset, size_t len, bool fin)
{
    uint64_t end = offset + len;
    if (offset < b->sent) {
        if (b->lost.count > 0) {
            tern_ranges_drop_below(&b->lost, end);
        } else if (b->vague.start < end) {
            b->vague.start = TERN_MIN(end, b->vague.end);
        }
        settle(b);
    }
    b->sent = TERN_MAX(b->sent, end);
    if (fin) {
        b->fin_sent = true;
        b->fin_lost = false;
    }
}

/* All below `base` is acknowledged now: spans go back in order. */
static void release_below(struct tern_outbuf *b, uint64_t base)
{
    b->base = base;
    while (b->head != b->tail && span_end(span_at(b, b->head)) <= base) {
        drop_first_span(b);
    }
}

static void raise_base(struct tern_outbuf *b, uint64_t base)
{
    if (b->acked.count > 0) {
        for (size_t i = 0; i < b->acked.count && b->acked.items[i].start <= base; i++) {
            base = TERN_MAX(base, b->acked.items[i].end);
        }
        tern_ranges_drop_below(&b->acked, base);
    }
    release_below(b, base);
}

void tern_outbuf_on_acked(struct tern_outbuf *b, uint64_t offset, size_t len, bool fin)
{
    uint64_t end = offset + len;
    tern_assert(end <= b->sent);
    b->fin_acked = b->fin_acked || fin;
    if (len > 0 && end > b->base) {
        if (offset <= b->base) {
            raise_base(b, end);
        } else if (tern_ranges_add(&b->acked, offset, end) != 0) {
            add_vague(b, offset, end); /* forgotten: sending it once more brings another ack */
        }
    }
    if (tern_outbuf_has_lost(b)) {
        settle(b);
    }
}

void tern_outbuf_on_lost(struct tern_outbuf *b, uint64_t offset, size_t len, bool fin)
{
    uint64_t end = offset + len;
    uint64_t start = TERN_MAX(offset, b->base);
    tern_assert(end <= b->sent);
    b->fin_lost = b->fin_lost || (fin && !b->fin_acked);
    if (start < end) {
        if (tern_ranges_add(&b->lost, start, end) != 0) {
            add_vague(b, start, end);
        }
        settle(b);
    }
}

void tern_outbuf_rewind(struct tern_outbuf *b)
{
    tern_assert(b->base == 0 && b->acked.count == 0);
    b->sent = 0;
    tern_ranges_clear(&b->lost);
    b->vague = (struct tern_range){0};
    b->fin_sent = b->fin_lost = false;
}
