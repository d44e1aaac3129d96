/* Reassembly of a stream's bytes: pages on demand, lent to the reader without a copy.
 * SPDX-License-Identifier: MIT */
#include "stream/inbuf.h"

void tern_inbuf_init(struct tern_inbuf *b, struct tern_mem *mem, struct tern_pool *pages)
{
    memset(b, 0, sizeof *b);
    b->mem = mem;
    b->pages = pages;
    b->ring = b->inline_ring;
    b->slots = TERN_INBUF_INLINE;
    tern_ranges_init(&b->above, mem, TERN_INBUF_RANGES);
}

static void give_slot(struct tern_inbuf *b, uint8_t **slot)
{
    if (*slot != NULL) {
        tern_pool_give(b->pages, *slot);
        *slot = NULL;
    }
}

void tern_inbuf_clear(struct tern_inbuf *b)
{
    for (size_t i = 0; i < b->slots; i++) {
        give_slot(b, &b->ring[i]);
    }
    if (b->ring != b->inline_ring) {
        tern_mem_free(b->mem, b->ring);
    }
    b->ring = b->inline_ring;
    b->slots = TERN_INBUF_INLINE;
    tern_ranges_clear(&b->above);
}

static uint8_t **slot_of_page(const struct tern_inbuf *b, uint64_t page)
{
    return &b->ring[page & (b->slots - 1)];
}

/* Slots for pages first..last, by doubling. */
static int reserve_slots(struct tern_inbuf *b, uint64_t first, uint64_t last)
{
    size_t slots = b->slots;
    while (last - first >= slots) {
        slots *= 2;
    }
    if (slots == b->slots) {
        return 0;
    }
    uint8_t **ring = tern_mem_zalloc(b->mem, slots * sizeof *ring);
    if (ring == NULL) {
        return TERN_ERR_NOMEM;
    }
    for (uint64_t page = first; page < first + b->slots; page++) {
        ring[page & (slots - 1)] = *slot_of_page(b, page);
    }
    if (b->ring != b->inline_ring) {
        tern_mem_free(b->mem, b->ring);
    }
    memset(b->inline_ring, 0, sizeof b->inline_ring);
    b->ring = ring;
    b->slots = slots;
    return 0;
}

static int reserve_pages(struct tern_inbuf *b, uint64_t start, uint64_t end)
{
    uint64_t last = (end - 1) / TERN_PAGE_SIZE;
    int err = reserve_slots(b, b->read / TERN_PAGE_SIZE, last);
    if (err != 0) {
        return err;
    }
    for (uint64_t page = start / TERN_PAGE_SIZE; page <= last; page++) {
        uint8_t **slot = slot_of_page(b, page);
        if (*slot == NULL && (*slot = tern_pool_take(b->pages)) == NULL) {
            return TERN_ERR_NOMEM;
        }
    }
    return 0;
}

static void copy_in(struct tern_inbuf *b, uint64_t at, const uint8_t *data, size_t len)
{
    while (len > 0) {
        size_t inside = (size_t)(at % TERN_PAGE_SIZE);
        size_t n = TERN_MIN(len, TERN_PAGE_SIZE - inside);
        memcpy(*slot_of_page(b, at / TERN_PAGE_SIZE) + inside, data, n);
        at += n;
        data += n;
        len -= n;
    }
}

/* Everything up to `end` is there now; pieces that touch it join. */
static void advance(struct tern_inbuf *b, uint64_t end)
{
    b->ready = end;
    if (b->above.count == 0) {
        return;
    }
    for (size_t i = 0; i < b->above.count && b->above.items[i].start <= b->ready; i++) {
        b->ready = TERN_MAX(b->ready, b->above.items[i].end);
    }
    tern_ranges_drop_below(&b->above, b->ready);
}

int tern_inbuf_write(struct tern_inbuf *b, uint64_t offset, const uint8_t *data, size_t len)
{
    uint64_t end = offset + len;
    uint64_t start = TERN_MAX(offset, b->ready);
    if (end <= start) {
        return 0;
    }
    int err = reserve_pages(b, start, end);
    if (err == 0 && start > b->ready) {
        err = tern_ranges_add(&b->above, start, end);
    }
    if (err != 0) {
        return err; /* the pages stay for the next try, or for clear */
    }
    copy_in(b, start, data + (start - offset), (size_t)(end - start));
    if (start == b->ready) {
        advance(b, end);
    }
    return 0;
}

size_t tern_inbuf_peek(const struct tern_inbuf *b, const uint8_t **data)
{
    if (b->read == b->ready) {
        return 0;
    }
    size_t inside = (size_t)(b->read % TERN_PAGE_SIZE);
    *data = *slot_of_page(b, b->read / TERN_PAGE_SIZE) + inside;
    return (size_t)TERN_MIN(b->ready - b->read, TERN_PAGE_SIZE - inside);
}

void tern_inbuf_consume(struct tern_inbuf *b, size_t n)
{
    tern_assert(n <= b->ready - b->read);
    uint64_t page = b->read / TERN_PAGE_SIZE;
    b->read += n;
    for (; page < b->read / TERN_PAGE_SIZE; page++) {
        give_slot(b, slot_of_page(b, page));
    }
    /* A stream that has nothing to read holds no page, so that idle streams cost little. */
    if (b->read == b->ready && b->above.count == 0) {
        give_slot(b, slot_of_page(b, page));
    }
}
