/* The send buffer against a flat model: what is offered, what is given back, when it ends.
 * SPDX-License-Identifier: MIT */
#include "stream/outbuf.h"

#include "stream_kit.h"

struct fixture {
    struct kit_heap heap;
    struct tern_mem mem;
    struct tern_pool pages;
    struct tern_outbuf b;
    uint64_t releases, released_bytes;
};

static void begin(struct fixture *f, uint64_t limit)
{
    kit_mem(&f->mem, &f->heap);
    tern_pool_init(&f->pages, &f->mem, TERN_PAGE_SIZE, 64);
    tern_outbuf_init(&f->b, &f->mem, &f->pages, limit);
    f->releases = f->released_bytes = 0;
}

static void end(struct fixture *f)
{
    tern_outbuf_clear(&f->b);
    tern_pool_clear(&f->pages);
    assert_int_equal(f->heap.blocks, 0);
}

static ptrdiff_t put(struct fixture *f, size_t len)
{
    static uint8_t buf[300000];
    kit_fill(buf, 0, f->b.end, len);
    return tern_outbuf_write(&f->b, buf, len);
}

static void on_release(void *arg, const void *data, size_t len)
{
    struct fixture *f = arg;
    (void)data;
    f->releases++;
    f->released_bytes += len;
}

static uint8_t lent[1000000]; /* the right bytes for their offsets */

static ptrdiff_t lend(struct fixture *f, size_t len)
{
    if (lent[0] != kit_byte(0, 0) || lent[1] != kit_byte(0, 1)) {
        kit_fill(lent, 0, 0, sizeof lent);
    }
    assert_true(f->b.end + len <= sizeof lent);
    return tern_outbuf_lend(&f->b, lent + f->b.end, len, on_release, f);
}

/* Sends up to `most` bytes, lost ones first, and checks their content. */
static struct tern_range send_some(struct fixture *f, size_t most)
{
    static uint8_t buf[1000000];
    struct tern_range r = {f->b.sent, f->b.end};
    if (tern_outbuf_has_lost(&f->b)) {
        r = tern_outbuf_lost(&f->b);
        assert_true(r.start < r.end && r.end <= f->b.sent);
    }
    r.end = TERN_MIN(r.end, r.start + most);
    size_t len = (size_t)(r.end - r.start);
    tern_outbuf_copy(&f->b, r.start, len, buf);
    assert_true(kit_matches(buf, 0, r.start, len));
    tern_outbuf_on_sent(&f->b, r.start, len, false);
    return r;
}

static void write_takes_what_fits(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, 50000);
    assert_int_equal(tern_outbuf_room(&f.b), 50000);
    assert_int_equal(put(&f, 40000), 40000);
    assert_int_equal(put(&f, 40000), 10000);
    assert_int_equal(put(&f, 1), 0);
    send_some(&f, 30000);
    tern_outbuf_on_acked(&f.b, 0, 30000, false);
    assert_int_equal(tern_outbuf_room(&f.b), 30000);
    end(&f);
}

/* Fewer copies than the limit allows, for now; loans are not held. */
static void copies_are_held_and_loans_are_not(void **state)
{
    (void)state;
    struct fixture f;
    uint64_t hold = 30000;
    begin(&f, 100000);
    f.b.hold = &hold;
    assert_int_equal(put(&f, 50000), 30000);
    assert_int_equal(tern_outbuf_room(&f.b), 0);
    assert_int_equal(tern_outbuf_room_lent(&f.b), 70000);
    assert_int_equal(lend(&f, 60000), 60000);
    hold = 95000;
    assert_int_equal(put(&f, 50000), 5000);
    hold = 200000; /* the limit still holds */
    assert_int_equal(put(&f, 50000), 5000);
    hold = 10000;
    assert_int_equal(tern_outbuf_room(&f.b), 0);
    end(&f);
}

static void acked_pages_go_back(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, 1000000);
    assert_int_equal(put(&f, 100000), 100000);
    send_some(&f, 100000);
    tern_outbuf_on_acked(&f.b, 50000, 50000, false);
    assert_int_equal(f.pages.kept, 0);
    tern_outbuf_on_acked(&f.b, 0, 20000, false);
    assert_int_equal(f.pages.kept, 1);
    tern_outbuf_on_acked(&f.b, 20000, 30000, false);
    assert_int_equal(f.pages.kept, 7); /* also the last one, half full */
    assert_int_equal(f.b.acked.count, 0);
    assert_int_equal(put(&f, 10), 10);
    send_some(&f, 10);
    end(&f);
}

static void lost_bytes_come_first(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, 1000000);
    assert_int_equal(put(&f, 10000), 10000);
    send_some(&f, 5000);
    tern_outbuf_on_lost(&f.b, 1000, 1000, false);
    tern_outbuf_on_lost(&f.b, 3000, 500, false);
    struct tern_range r = send_some(&f, 600);
    assert_int_equal(r.start, 1000);
    assert_int_equal(r.end, 1600);
    assert_int_equal(send_some(&f, 600).start, 1600);
    assert_int_equal(send_some(&f, 600).start, 3000);
    assert_false(tern_outbuf_has_lost(&f.b));
    assert_int_equal(send_some(&f, 600).start, 5000);
    end(&f);
}

/* What was declared lost may still arrive: then it is not sent again. */
static void a_late_ack_cancels_the_resend(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, 1000000);
    assert_int_equal(put(&f, 10000), 10000);
    send_some(&f, 10000);
    tern_outbuf_on_lost(&f.b, 2000, 6000, false);
    tern_outbuf_on_acked(&f.b, 4000, 1000, false);
    assert_int_equal(tern_outbuf_lost(&f.b).end, 4000);
    send_some(&f, 100000);
    assert_int_equal(tern_outbuf_lost(&f.b).start, 5000);
    tern_outbuf_on_acked(&f.b, 5000, 3000, false);
    assert_false(tern_outbuf_has_lost(&f.b));
    tern_outbuf_on_lost(&f.b, 4500, 3000, false); /* all acknowledged long ago */
    assert_false(tern_outbuf_has_lost(&f.b));
    tern_outbuf_on_acked(&f.b, 0, 10000, false);
    tern_outbuf_on_lost(&f.b, 0, 10000, false);
    assert_false(tern_outbuf_has_lost(&f.b));
    end(&f);
}

static void lent_bytes_are_released_once_and_in_order(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, 1000000);
    assert_int_equal(lend(&f, 30000), 30000);
    assert_int_equal(put(&f, 100), 100);
    assert_int_equal(lend(&f, 50000), 50000);
    send_some(&f, 1000000);
    tern_outbuf_on_acked(&f.b, 30100, 50000, false);
    assert_int_equal(f.releases, 0);
    tern_outbuf_on_acked(&f.b, 0, 29999, false);
    assert_int_equal(f.releases, 0);
    tern_outbuf_on_acked(&f.b, 29999, 1, false);
    assert_int_equal(f.released_bytes, 30000);
    tern_outbuf_on_acked(&f.b, 30000, 100, false);
    assert_int_equal(f.released_bytes, 80000);
    assert_int_equal(lend(&f, 7), 7);
    end(&f);
    assert_int_equal(f.releases, 3); /* the last at the stream's death */
}

static void lending_is_all_or_nothing(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, 1000);
    assert_int_equal(lend(&f, 5000),
                     5000); /* an empty buffer takes any length, or it never could */
    assert_int_equal(lend(&f, 1), 0);
    assert_int_equal(tern_outbuf_room(&f.b), 0);
    send_some(&f, 4500);
    tern_outbuf_on_acked(&f.b, 0, 4500, false);
    assert_int_equal(lend(&f, 501), 0);
    assert_int_equal(lend(&f, 500), 500);
    end(&f);
}

/* One-byte loans cost a span each, so their number has a bound of its own. */
static void tiny_loans_are_bounded(void **state)
{
    (void)state;
    struct fixture f;
    uint64_t n = 0;
    begin(&f, 1000000);
    while (lend(&f, 1) == 1) {
        n++;
    }
    assert_int_equal(n, 1000000 / TERN_PAGE_SIZE + TERN_OUTBUF_SPANS);
    assert_int_equal(tern_outbuf_room(&f.b), 0);
    assert_int_equal(put(&f, 1), 0);
    assert_true(f.heap.bytes < 1000000);
    end(&f);
    assert_int_equal(f.releases, n);
}

static void the_end_travels_alone_or_with_bytes(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, 1000);
    assert_int_equal(put(&f, 10), 10);
    assert_false(tern_outbuf_wants_fin(&f.b));
    tern_outbuf_finish(&f.b);
    assert_false(tern_outbuf_wants_fin(&f.b)); /* bytes first */
    send_some(&f, 10);
    assert_true(tern_outbuf_wants_fin(&f.b));
    tern_outbuf_on_sent(&f.b, 10, 0, true);
    assert_false(tern_outbuf_wants_fin(&f.b));
    tern_outbuf_on_lost(&f.b, 10, 0, true);
    assert_true(tern_outbuf_wants_fin(&f.b));
    tern_outbuf_on_acked(&f.b, 10, 0, true); /* late, but here */
    assert_false(tern_outbuf_wants_fin(&f.b));
    assert_false(tern_outbuf_is_done(&f.b));
    tern_outbuf_on_acked(&f.b, 0, 10, false);
    assert_true(tern_outbuf_is_done(&f.b));
    tern_outbuf_on_lost(&f.b, 10, 0, true);
    assert_false(tern_outbuf_wants_fin(&f.b));
    end(&f);
}

/* Lists at their limit, or no memory for them: the buffer remembers less exactly, sends some bytes
 * twice, and still comes to its end. */
static void finish_without_memory(uint64_t fail_after)
{
    struct fixture f;
    begin(&f, 100000);
    assert_int_equal(put(&f, 20000), 20000);
    send_some(&f, 20000);
    f.heap.fail_at = f.heap.calls + fail_after;
    for (uint64_t at = 0; at < 20000; at += 2) {
        tern_outbuf_on_acked(&f.b, at + 1, 1, false);
    }
    for (uint64_t at = 0; at < 20000; at += 4) {
        tern_outbuf_on_lost(&f.b, at, 1, false);
    }
    for (uint64_t at = 2; at < 20000; at += 4) {
        tern_outbuf_on_lost(&f.b, at, 1, false);
    }
    uint64_t sends = 0;
    while (tern_outbuf_has_lost(&f.b)) {
        struct tern_range r = send_some(&f, 1000);
        tern_outbuf_on_acked(&f.b, r.start, (size_t)(r.end - r.start), false);
        assert_true(sends++ < 20000);
    }
    assert_int_equal(f.b.base, 20000);
    end(&f);
}

static void exhausted_lists_only_cost_resends(void **state)
{
    (void)state;
    finish_without_memory(1000000); /* 10,000 pieces exceed the limits by themselves */
    for (uint64_t n = 1; n < 30; n++) {
        finish_without_memory(n);
    }
}

static void failed_allocation_takes_nothing_or_a_part(void **state)
{
    (void)state;
    for (uint64_t n = 1; n < 20; n++) {
        struct fixture f;
        begin(&f, 1000000);
        f.heap.fail_at = n;
        ptrdiff_t taken = put(&f, 200000);
        assert_true(taken == TERN_ERR_NOMEM || taken > 0);
        assert_int_equal(f.b.end, taken > 0 ? taken : 0);
        for (int i = 0; i < 40; i++) {
            ptrdiff_t more = lend(&f, 10);
            assert_true(more == 10 || more == TERN_ERR_NOMEM);
        }
        send_some(&f, 1000000);
        end(&f);
    }
}

/* --- the model: one state a byte ------------------------------------------------------------ */

#define MODEL_SIZE 400000
#define FLIGHT     256

enum byte_state { UNSENT, FLYING, LOST, ACKED };

struct model {
    struct fixture f;
    uint8_t bytes[MODEL_SIZE];
    struct tern_range flight[FLIGHT];
    size_t flying;
};

static void model_mark(struct model *m, struct tern_range r, enum byte_state to)
{
    for (uint64_t i = r.start; i < r.end; i++) {
        if (m->bytes[i] != ACKED) {
            m->bytes[i] = (uint8_t)to;
        }
    }
}

static void model_send(struct model *m, uint64_t *seed)
{
    if (m->flying == FLIGHT) {
        return;
    }
    struct tern_range r = send_some(&m->f, 1 + kit_below(seed, 3000));
    if (r.start == r.end) {
        return;
    }
    bool is_new = m->bytes[r.start] == UNSENT;
    for (uint64_t i = r.start; i < r.end; i++) {
        assert_int_equal(m->bytes[i], is_new ? UNSENT : LOST);
    }
    for (uint64_t i = 0; is_new && i < m->f.b.base; i++) {
        assert_int_equal(m->bytes[i], ACKED);
    }
    model_mark(m, r, FLYING);
    m->flight[m->flying++] = r;
}

static void model_report(struct model *m, uint64_t *seed)
{
    if (m->flying == 0) {
        return;
    }
    size_t i = kit_below(seed, m->flying);
    struct tern_range r = m->flight[i];
    bool is_lost = kit_below(seed, 3) == 0;
    if (is_lost) {
        tern_outbuf_on_lost(&m->f.b, r.start, (size_t)(r.end - r.start), false);
        model_mark(m, r, LOST);
        if (kit_below(seed, 4) != 0) {
            m->flight[i] = m->flight[--m->flying]; /* else an ack may still come, late */
        }
        return;
    }
    tern_outbuf_on_acked(&m->f.b, r.start, (size_t)(r.end - r.start), false);
    model_mark(m, r, ACKED);
    m->flight[i] = m->flight[--m->flying];
}

static void model_write(struct model *m, uint64_t *seed)
{
    size_t len = 1 + kit_below(seed, kit_below(seed, 3) == 0 ? 40000 : 2000);
    len = TERN_MIN(len, MODEL_SIZE - m->f.b.end);
    if (len == 0) {
        return;
    }
    size_t room = tern_outbuf_room(&m->f.b);
    if (kit_below(seed, 2) == 0) {
        assert_int_equal(put(&m->f, len), TERN_MIN(len, room));
    } else {
        ptrdiff_t taken = lend(&m->f, len);
        assert_true(taken == 0 || taken == (ptrdiff_t)len);
    }
}

static void model_round(uint64_t seed)
{
    static struct model m;
    begin(&m.f, 20000 + kit_below(&seed, 100000));
    memset(m.bytes, UNSENT, sizeof m.bytes);
    m.flying = 0;
    while (m.f.b.base < MODEL_SIZE) {
        uint64_t what = kit_below(&seed, 6);
        if (what < 2) {
            model_write(&m, &seed);
        } else if (what < 4) {
            model_send(&m, &seed);
        } else {
            model_report(&m, &seed);
        }
    }
    end(&m.f);
}

static void agrees_with_a_flat_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        model_round(seed);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(write_takes_what_fits),
    cmocka_unit_test(copies_are_held_and_loans_are_not),
    cmocka_unit_test(acked_pages_go_back),
    cmocka_unit_test(lost_bytes_come_first),
    cmocka_unit_test(a_late_ack_cancels_the_resend),
    cmocka_unit_test(lent_bytes_are_released_once_and_in_order),
    cmocka_unit_test(lending_is_all_or_nothing),
    cmocka_unit_test(tiny_loans_are_bounded),
    cmocka_unit_test(the_end_travels_alone_or_with_bytes),
    cmocka_unit_test(exhausted_lists_only_cost_resends),
    cmocka_unit_test(failed_allocation_takes_nothing_or_a_part),
    cmocka_unit_test(agrees_with_a_flat_model),
};

TERN_TEST_MAIN(tests)
