/* A stream's send buffer against a flat model: bytes leave as they were written, what is lost is offered
 * again until it is acknowledged, and each loan is given back once.
 *
 * Input: steps. One byte says which; most have two more for a length or for which packet it is about.
 * SPDX-License-Identifier: MIT */
#include "fuzz.h"
#include "stream/outbuf.h"

#define SPAN    (3u * 16384)
#define LIMIT   20000u
#define PACKETS 256u

enum fate { UNSENT, OUT, LOST, ACKED };

struct packet {
    uint64_t offset;
    size_t len;
    bool fin;
    enum fate fate; /* UNSENT: there is none here */
};

struct world {
    struct fuzz_input in;
    struct fuzz_heap heap;
    struct tern_mem mem;
    struct tern_pool pool;
    struct tern_outbuf b;
    /* Of each byte, by its best packet: ACKED for good, OUT if one is on the way. */
    uint8_t fate[SPAN];
    struct packet packets[PACKETS];
    size_t count;
    uint64_t end, sent;
    unsigned lent, released;
    bool is_finished;
    bool is_vague; /* memory was short: what was acknowledged may count as lost */
};

static uint8_t truth[SPAN];

static void on_release(void *arg, const void *data, size_t len)
{
    struct world *w = arg;
    const uint8_t *bytes = data;
    FUZZ_CHECK(bytes >= truth && bytes + len <= truth + SPAN);
    w->released++;
}

static void write(struct world *w, bool is_loan)
{
    size_t want = (size_t)fuzz_number(&w->in, 2), len = TERN_MIN(want, (size_t)(SPAN - w->end));
    if (w->is_finished || len == 0) {
        return;
    }
    size_t room = is_loan ? tern_outbuf_room_lent(&w->b) : tern_outbuf_room(&w->b);
    bool is_empty = w->b.base == w->b.end;
    ptrdiff_t n = is_loan ? tern_outbuf_lend(&w->b, truth + w->end, len, on_release, w)
                          : tern_outbuf_write(&w->b, truth + w->end, len);
    FUZZ_CHECK(n <= (ptrdiff_t)len);
    if (is_loan) {
        FUZZ_CHECK(n == (ptrdiff_t)len || n == TERN_ERR_NOMEM ||
                   (n == 0 && !is_empty && len > room));
        w->lent += n > 0 ? 1 : 0;
    } else {
        FUZZ_CHECK(n == TERN_ERR_NOMEM || (n >= 0 && n <= (ptrdiff_t)room));
    }
    w->end += n > 0 ? (uint64_t)n : 0;
}

static struct packet *new_packet(struct world *w)
{
    return w->count < PACKETS ? &w->packets[w->count] : NULL;
}

static void leave(struct world *w, uint64_t offset, size_t len)
{
    static uint8_t out[SPAN];
    struct packet *packet = new_packet(w);
    bool fin = w->is_finished && offset + len == w->end;
    if (packet == NULL) {
        return;
    }
    tern_outbuf_copy(&w->b, offset, len, out);
    FUZZ_CHECK(memcmp(out, truth + offset, len) == 0);
    tern_outbuf_on_sent(&w->b, offset, len, fin);
    for (uint64_t i = offset; i < offset + len; i++) {
        FUZZ_CHECK(w->fate[i] != ACKED || w->is_vague);
        w->fate[i] = w->fate[i] == ACKED ? (uint8_t)ACKED : (uint8_t)OUT;
    }
    *packet = (struct packet){.offset = offset, .len = len, .fin = fin, .fate = OUT};
    w->count++;
    w->sent = TERN_MAX(w->sent, offset + len);
}

/* As the stream does it: first what is lost, then what is new, then the end alone. */
static void send(struct world *w)
{
    uint64_t most = 1 + fuzz_number(&w->in, 2);
    if (tern_outbuf_has_lost(&w->b)) {
        struct tern_range lost = tern_outbuf_lost(&w->b);
        FUZZ_CHECK(lost.start < lost.end && lost.end <= w->sent && lost.start >= w->b.base);
        for (uint64_t i = lost.start; i < lost.end; i++) {
            FUZZ_CHECK(w->fate[i] == LOST || w->is_vague);
        }
        leave(w, lost.start, (size_t)TERN_MIN(most, lost.end - lost.start));
    } else if (w->b.sent < w->end) {
        leave(w, w->b.sent, (size_t)TERN_MIN(most, w->end - w->b.sent));
    } else if (tern_outbuf_wants_fin(&w->b)) {
        leave(w, w->end, 0);
    }
}

/* A late ACK of what was called lost counts as well. */
static void settle(struct world *w, bool is_acked)
{
    size_t which = (size_t)fuzz_number(&w->in, 1);
    struct packet *packet = w->count > 0 ? &w->packets[which % w->count] : NULL;
    if (packet == NULL || packet->fate == ACKED || (packet->fate == LOST && !is_acked)) {
        return;
    }
    bool is_short = w->heap.fail_in > 0;
    packet->fate = is_acked ? ACKED : LOST;
    if (is_acked) {
        tern_outbuf_on_acked(&w->b, packet->offset, packet->len, packet->fin);
    } else {
        tern_outbuf_on_lost(&w->b, packet->offset, packet->len, packet->fin);
    }
    w->is_vague = w->is_vague || (is_short && w->heap.fail_in == 0);
    for (uint64_t i = packet->offset; i < packet->offset + packet->len; i++) {
        w->fate[i] = w->fate[i] == ACKED ? (uint8_t)ACKED : (uint8_t)packet->fate;
    }
}

static void check(const struct world *w)
{
    uint64_t base = 0, lost = SPAN;
    while (base < w->end && w->fate[base] == ACKED) {
        base++;
    }
    for (uint64_t i = w->sent; i > base; i--) {
        lost = w->fate[i - 1] == LOST ? i - 1 : lost;
    }
    FUZZ_CHECK(w->b.base <= base && w->b.sent == w->sent && w->b.end == w->end);
    FUZZ_CHECK(tern_outbuf_has_lost(&w->b) || lost == SPAN);
    if (!w->is_vague) {
        FUZZ_CHECK(w->b.base == base && tern_outbuf_has_lost(&w->b) == (lost < SPAN));
        FUZZ_CHECK(lost == SPAN || tern_outbuf_lost(&w->b).start == lost);
    }
    FUZZ_CHECK(w->released <= w->lent);
}

static void step(struct world *w)
{
    uint8_t what = fuzz_u8(&w->in);
    w->heap.fail_in = what >= 0xf0 ? 1 : 0;
    switch (what & 7) {
    case 0:
        write(w, false);
        break;
    case 1:
        write(w, true);
        break;
    case 2:
        tern_outbuf_finish(&w->b);
        w->is_finished = true;
        break;
    case 3:
    case 4:
        send(w);
        break;
    case 5:
        settle(w, false);
        break;
    default:
        settle(w, true);
        break;
    }
    check(w);
}

/* From here on nothing is lost: all must arrive. */
static void drain(struct world *w)
{
    for (size_t i = 0; i < w->count; i++) {
        if (w->packets[i].fate == OUT) {
            tern_outbuf_on_lost(&w->b, w->packets[i].offset, w->packets[i].len, w->packets[i].fin);
        }
    }
    for (;;) {
        struct tern_range next = {w->b.sent, w->end};
        if (tern_outbuf_has_lost(&w->b)) {
            next = tern_outbuf_lost(&w->b);
        } else if (next.start == next.end && !tern_outbuf_wants_fin(&w->b)) {
            break;
        }
        bool fin = w->is_finished && next.end == w->end;
        tern_outbuf_on_sent(&w->b, next.start, (size_t)(next.end - next.start), fin);
        tern_outbuf_on_acked(&w->b, next.start, (size_t)(next.end - next.start), fin);
    }
    FUZZ_CHECK(w->b.base == w->end && w->released == w->lent);
    FUZZ_CHECK(tern_outbuf_is_done(&w->b) == w->is_finished);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world w;
    memset(&w, 0, sizeof w);
    w.in = (struct fuzz_input){data, size};
    fuzz_pattern(truth, sizeof truth);
    tern_allocator hooks = fuzz_heap_hooks(&w.heap);
    tern_mem_init(&w.mem, &hooks);
    tern_pool_init(&w.pool, &w.mem, 16384, 2);
    tern_outbuf_init(&w.b, &w.mem, &w.pool, LIMIT);
    uint8_t shape = fuzz_u8(&w.in);
    while (w.in.left > 0) {
        step(&w);
    }
    w.heap.fail_in = 0;
    if ((shape & 1) != 0) {
        drain(&w);
    }
    tern_outbuf_clear(&w.b);
    FUZZ_CHECK(w.released == w.lent);
    tern_pool_clear(&w.pool);
    FUZZ_CHECK(w.heap.held == 0);
    return 0;
}
