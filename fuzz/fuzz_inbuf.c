/* Reassembly against a flat model: whatever order pieces come in, how often, and with what lies for bytes
 * that were there before, the reader gets each byte once, as it first became ready.
 *
 * Input: steps. One byte says which; a piece has two bytes for its offset above what was read, two for its
 * length; reading has two for how much.
 * SPDX-License-Identifier: MIT */
#include "fuzz.h"
#include "stream/inbuf.h"

#define SPAN  (6u * TERN_PAGE_SIZE) /* of a stream are looked at */
#define PIECE 40000u

struct world {
    struct fuzz_input in;
    struct fuzz_heap heap;
    struct tern_mem mem;
    struct tern_pool pool;
    struct tern_inbuf b;
    bool has_come[SPAN];
    size_t ready;
};

static uint8_t truth[SPAN];

static void note(struct world *w, size_t offset, size_t len)
{
    memset(w->has_come + offset, true, len);
    while (w->ready < SPAN && w->has_come[w->ready]) {
        w->ready++;
    }
}

/* A lie is about what is ready, and may reach beyond it only with the truth. */
static void write(struct world *w, bool is_lie)
{
    static uint8_t piece[PIECE];
    uint64_t above = fuzz_number(&w->in, 2) * 2, len = fuzz_number(&w->in, 2);
    size_t offset = (size_t)TERN_MIN(w->b.read + above, (uint64_t)SPAN);
    if (is_lie) {
        offset = (size_t)(above % (w->ready + 1));
    }
    len = TERN_MIN(len, TERN_MIN(PIECE, SPAN - offset));
    memcpy(piece, truth + offset, len);
    if (is_lie) {
        memset(piece, 0xa5, TERN_MIN(len, w->ready - offset));
    }
    int rc = tern_inbuf_write(&w->b, offset, piece, len);
    if (rc == 0) {
        note(w, offset, len);
    } else {
        FUZZ_CHECK(rc == TERN_ERR_NOMEM || rc == TERN_ERR_LIMIT);
    }
}

static void read(struct world *w)
{
    size_t want = (size_t)fuzz_number(&w->in, 2);
    const uint8_t *data = NULL;
    size_t n = tern_inbuf_peek(&w->b, &data);
    FUZZ_CHECK((n > 0) == (w->b.read < w->ready) && n <= w->ready - w->b.read);
    FUZZ_CHECK(n == 0 || memcmp(data, truth + w->b.read, n) == 0);
    want = TERN_MIN(want, w->ready - (size_t)w->b.read);
    for (size_t left = want; left > 0; left -= n) { /* page by page, and each as it should be */
        n = TERN_MIN(left, tern_inbuf_peek(&w->b, &data));
        FUZZ_CHECK(n > 0 && memcmp(data, truth + w->b.read, n) == 0);
        if ((left & 1) != 0) {
            n = left; /* all at once */
        }
        tern_inbuf_consume(&w->b, n);
    }
}

static void check(const struct world *w)
{
    FUZZ_CHECK(w->b.ready == w->ready && w->b.read <= w->ready);
    size_t pages = 0;
    for (size_t i = 0; i < w->b.slots; i++) {
        pages += w->b.ring[i] != NULL ? 1 : 0;
    }
    size_t window = SPAN - (size_t)w->b.read;
    FUZZ_CHECK(pages <= window / TERN_PAGE_SIZE + 1);
    for (size_t i = 0; i < w->b.above.count; i++) {
        const struct tern_range *range = &w->b.above.items[i];
        FUZZ_CHECK(range->start > w->ready && range->end <= SPAN);
        FUZZ_CHECK(memchr(w->has_come + range->start, 0, range->end - range->start) == NULL);
    }
}

static void step(struct world *w)
{
    uint8_t what = fuzz_u8(&w->in);
    w->heap.fail_in = what >= 0xf8 ? 1 + (what & 1) : 0;
    switch (what & 7) {
    case 0:
    case 1:
        read(w);
        break;
    case 2:
        write(w, true);
        break;
    default:
        write(w, false);
        break;
    }
    check(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world w;
    memset(&w, 0, sizeof w);
    w.in = (struct fuzz_input){data, size};
    fuzz_pattern(truth, sizeof truth);
    tern_allocator hooks = fuzz_heap_hooks(&w.heap);
    tern_mem_init(&w.mem, &hooks);
    tern_pool_init(&w.pool, &w.mem, TERN_PAGE_SIZE, 2);
    tern_inbuf_init(&w.b, &w.mem, &w.pool);
    while (w.in.left > 0) {
        step(&w);
    }
    tern_inbuf_clear(&w.b);
    tern_pool_clear(&w.pool);
    FUZZ_CHECK(w.heap.held == 0);
    return 0;
}
