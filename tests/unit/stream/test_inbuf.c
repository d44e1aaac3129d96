/* Reassembly against a flat model, its bounds, its pages.
 * SPDX-License-Identifier: MIT */
#include "stream/inbuf.h"

#include "stream_kit.h"

struct fixture {
    struct kit_heap heap;
    struct tern_mem mem;
    struct tern_pool pages;
    struct tern_inbuf b;
};

static void begin(struct fixture *f)
{
    kit_mem(&f->mem, &f->heap);
    tern_pool_init(&f->pages, &f->mem, TERN_PAGE_SIZE, 64);
    tern_inbuf_init(&f->b, &f->mem, &f->pages);
}

static void end(struct fixture *f)
{
    tern_inbuf_clear(&f->b);
    tern_pool_clear(&f->pages);
    assert_int_equal(f->heap.blocks, 0);
}

static int put(struct fixture *f, uint64_t offset, size_t len)
{
    static uint8_t buf[200000];
    kit_fill(buf, 0, offset, len);
    return tern_inbuf_write(&f->b, offset, buf, len);
}

/* Reads and checks up to n bytes; the count. */
static size_t take(struct fixture *f, size_t most)
{
    const uint8_t *data = NULL;
    size_t done = 0, n;
    while (done < most && (n = tern_inbuf_peek(&f->b, &data)) > 0) {
        n = TERN_MIN(n, most - done);
        assert_true(kit_matches(data, 0, f->b.read, n));
        tern_inbuf_consume(&f->b, n);
        done += n;
    }
    return done;
}

static void in_order_needs_no_ranges(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    for (uint64_t at = 0; at < 100000; at += 1000) {
        assert_int_equal(put(&f, at, 1000), 0);
        assert_int_equal(take(&f, 1000), 1000);
    }
    assert_null(f.b.above.items);
    assert_int_equal(f.heap.calls, 2); /* two pages did all the work */
    end(&f);
}

static void a_gap_waits(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    assert_int_equal(put(&f, 10, 20), 0);
    assert_int_equal(take(&f, 100), 0);
    assert_int_equal(put(&f, 40, 10), 0);
    assert_int_equal(put(&f, 0, 10), 0);
    assert_int_equal(take(&f, 100), 30);
    assert_int_equal(put(&f, 25, 20), 0); /* overlaps what was read and what is there */
    assert_int_equal(take(&f, 100), 20);
    assert_int_equal(f.b.above.count, 0);
    end(&f);
}

static void peek_ends_at_the_page(void **state)
{
    (void)state;
    struct fixture f;
    const uint8_t *data = NULL;
    begin(&f);
    assert_int_equal(put(&f, 0, 40000), 0);
    assert_int_equal(tern_inbuf_peek(&f.b, &data), TERN_PAGE_SIZE);
    tern_inbuf_consume(&f.b, 100);
    assert_int_equal(tern_inbuf_peek(&f.b, &data), TERN_PAGE_SIZE - 100);
    assert_int_equal(take(&f, 100000), 39900);
    end(&f);
}

static void an_empty_buffer_holds_no_page(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    assert_int_equal(put(&f, 0, 5), 0);
    assert_int_equal(f.pages.kept, 0);
    assert_int_equal(take(&f, 5), 5);
    assert_int_equal(f.pages.kept, 1);
    assert_int_equal(put(&f, 5, 5), 0);
    assert_int_equal(take(&f, 5), 5);
    assert_int_equal(f.heap.calls, 1);
    end(&f);
}

static void readable_bytes_never_change(void **state)
{
    (void)state;
    struct fixture f;
    const uint8_t *data = NULL;
    const uint8_t lies[100] = {0};
    begin(&f);
    assert_int_equal(put(&f, 0, 50), 0);
    assert_int_equal(tern_inbuf_write(&f.b, 0, lies, 50), 0);
    assert_int_equal(tern_inbuf_write(&f.b, 10, lies, 40), 0);
    assert_int_equal(tern_inbuf_peek(&f.b, &data), 50);
    assert_true(kit_matches(data, 0, 0, 50));
    end(&f);
}

/* Far offsets, as of a stream that has run for long: nothing depends on offset 0. */
static void works_near_the_largest_offset(void **state)
{
    (void)state;
    struct fixture f;
    uint64_t base = (UINT64_C(1) << 62) - 100000;
    begin(&f);
    f.b.read = f.b.ready = base;
    assert_int_equal(put(&f, base + 50000, 49999), 0);
    assert_int_equal(put(&f, base, 50000), 0);
    assert_int_equal(take(&f, 100000), 99999);
    end(&f);
}

/* Every other byte of a window: as many pieces as are allowed, then LIMIT ([P §14]). */
static void fragments_are_bounded(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    for (uint64_t i = 0; i < TERN_INBUF_RANGES; i++) {
        assert_int_equal(put(&f, 1 + 2 * i, 1), 0);
    }
    assert_int_equal(put(&f, 1 + 2 * TERN_INBUF_RANGES, 1), TERN_ERR_LIMIT);
    assert_true(f.heap.peak <= 2 * 16384 + 64 * TERN_INBUF_RANGES);
    assert_int_equal(put(&f, 0, 1), 0); /* in order is always welcome */
    assert_int_equal(take(&f, 10), 2);
    end(&f);
}

static void sparse_pieces_cost_one_page_each(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    for (uint64_t i = 1; i <= 64; i++) {
        assert_int_equal(put(&f, i * TERN_PAGE_SIZE, 1), 0);
    }
    assert_true(f.heap.bytes <= 64 * TERN_PAGE_SIZE + 8192);
    end(&f);
}

static void failed_allocation_changes_nothing(void **state)
{
    (void)state;
    for (uint64_t fail = 1; fail < 12; fail++) {
        struct fixture f;
        begin(&f);
        assert_int_equal(put(&f, 0, 10), 0);
        f.heap.fail_at = f.heap.calls + fail;
        int err = put(&f, 20, 150000);
        assert_true(err == 0 || err == TERN_ERR_NOMEM);
        assert_int_equal(f.b.ready, 10);
        assert_int_equal(f.b.above.count, err == 0);
        f.heap.fail_at = 0;
        assert_int_equal(put(&f, 20, 150000), 0);
        assert_int_equal(put(&f, 10, 10), 0);
        assert_int_equal(take(&f, 200000), 150020);
        end(&f);
    }
}

/* Random pieces within a window against an array that says what has arrived. */
static void model_round(uint64_t seed)
{
    static uint8_t arrived[400000];
    struct fixture f;
    uint64_t window = 1000 + kit_below(&seed, 100000), read = 0;
    memset(arrived, 0, sizeof arrived);
    begin(&f);
    while (read < 300000) {
        uint64_t offset = read + kit_below(&seed, window);
        offset = tern_sub_sat(offset, kit_below(&seed, 3000));
        size_t len = 1 + kit_below(&seed, kit_below(&seed, 4) == 0 ? 20000 : 1500);
        len = TERN_MIN(len, tern_sub_sat(read + window, offset));
        if (len == 0) {
            continue;
        }
        int err = put(&f, offset, len);
        assert_int_equal(err, 0);
        memset(arrived + offset, 1, len);
        uint64_t ready = read;
        while (arrived[ready] != 0) {
            ready++;
        }
        assert_int_equal(f.b.ready, ready);
        size_t most = kit_below(&seed, 2) == 0 ? kit_below(&seed, 5000) : 1000000;
        assert_int_equal(take(&f, most), TERN_MIN(most, ready - read));
        read = f.b.read;
    }
    end(&f);
}

static void agrees_with_a_flat_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        model_round(seed);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(in_order_needs_no_ranges),
    cmocka_unit_test(a_gap_waits),
    cmocka_unit_test(peek_ends_at_the_page),
    cmocka_unit_test(an_empty_buffer_holds_no_page),
    cmocka_unit_test(readable_bytes_never_change),
    cmocka_unit_test(works_near_the_largest_offset),
    cmocka_unit_test(fragments_are_bounded),
    cmocka_unit_test(sparse_pieces_cost_one_page_each),
    cmocka_unit_test(failed_allocation_changes_nothing),
    cmocka_unit_test(agrees_with_a_flat_model),
};

TERN_TEST_MAIN(tests)
