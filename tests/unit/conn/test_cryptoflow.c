/* The handshake's bytes in pieces, out of order, twice, and too many.
 * SPDX-License-Identifier: MIT */
#include "conn/cryptoflow.h"

#include "tern_test.h"
#include "unit/heap_kit.h"

static struct kit_heap heap;
static struct tern_mem mem;
static struct tern_crypto_flow flow;
static uint8_t text[TERN_CRYPTO_FLOW_MAX];

static int setup(void **state)
{
    (void)state;
    kit_mem(&mem, &heap);
    tern_crypto_flow_init(&flow, &mem);
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = (uint8_t)(i * 7 + i / 256);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tern_crypto_flow_clear(&flow);
    return heap.blocks == 0 ? 0 : -1;
}

static int receive(size_t offset, size_t len)
{
    return tern_crypto_flow_receive(&flow, offset, text + offset, len);
}

static void pieces_in_any_order_make_the_whole(void **state)
{
    (void)state;
    size_t len;
    assert_null(tern_crypto_flow_readable(&flow, &len));
    assert_int_equal(receive(200, 100), 0);
    assert_null(tern_crypto_flow_readable(&flow, &len));
    assert_int_equal(len, 0);
    assert_int_equal(receive(0, 120), 0);
    assert_non_null(tern_crypto_flow_readable(&flow, &len));
    assert_int_equal(len, 120);
    assert_int_equal(receive(100, 150), 0); /* overlaps on both sides */
    assert_memory_equal(tern_crypto_flow_readable(&flow, &len), text, 300);
    assert_int_equal(len, 300);
    tern_crypto_flow_take(&flow, 130);
    assert_memory_equal(tern_crypto_flow_readable(&flow, &len), text + 130, 170);
    assert_int_equal(len, 170);
}

/* The bound comes before the memory. */
static void the_bound_is_checked_first(void **state)
{
    (void)state;
    assert_int_equal(tern_crypto_flow_receive(&flow, TERN_CRYPTO_FLOW_MAX, text, 1),
                     TERN_ERR_CRYPTO_BUFFER);
    assert_int_equal(tern_crypto_flow_receive(&flow, UINT64_MAX, text, 1), TERN_ERR_CRYPTO_BUFFER);
    assert_int_equal(tern_crypto_flow_receive(&flow, 1, text, SIZE_MAX), TERN_ERR_CRYPTO_BUFFER);
    assert_int_equal(heap.calls, 0);
    assert_int_equal(receive(0, TERN_CRYPTO_FLOW_MAX), 0);
}

static void too_many_holes_are_refused(void **state)
{
    (void)state;
    int rc = 0;
    size_t i = 0;
    for (; rc == 0 && i < 1000; i++) {
        rc = receive(4 * i + 2, 1);
    }
    assert_int_equal(rc, TERN_ERR_CRYPTO_BUFFER);
    assert_int_equal(i, 33);
}

/* What the handshake has read must not change under it: a forged repeat says something else. */
static void read_bytes_do_not_change(void **state)
{
    (void)state;
    size_t len;
    uint8_t forged[64];
    memset(forged, 0xee, sizeof forged);
    assert_int_equal(receive(0, 40), 0);
    const uint8_t *bytes = tern_crypto_flow_readable(&flow, &len);
    tern_crypto_flow_take(&flow, 40);
    assert_int_equal(tern_crypto_flow_receive(&flow, 0, forged, 40), 0);
    assert_int_equal(tern_crypto_flow_receive(&flow, 0, forged, sizeof forged), 0);
    assert_memory_equal(bytes, text, 40);
    assert_memory_equal(tern_crypto_flow_readable(&flow, &len), forged + 40, 24);
}

static void forgetting_makes_room_for_the_true_one(void **state)
{
    (void)state;
    size_t len;
    const uint8_t forged[8] = {1, 2, 3};
    assert_int_equal(tern_crypto_flow_receive(&flow, 0, forged, sizeof forged), 0);
    tern_crypto_flow_take(&flow, 8);
    tern_crypto_flow_forget(&flow);
    assert_null(tern_crypto_flow_readable(&flow, &len));
    assert_int_equal(receive(0, 100), 0);
    assert_memory_equal(tern_crypto_flow_readable(&flow, &len), text, 100);
}

/* Takes what must leave in pieces of at most `most` and notes where it went. */
static size_t drain(uint8_t *out, size_t most)
{
    size_t total = 0;
    while (tern_crypto_flow_wants(&flow)) {
        uint64_t offset;
        size_t len = most;
        const uint8_t *piece = tern_crypto_flow_peek(&flow, &offset, &len);
        assert_in_range(len, 1, most);
        memcpy(out + offset, piece, len);
        assert_int_equal(tern_crypto_flow_on_sent(&flow, offset, len), 0);
        total += len;
    }
    return total;
}

static void what_is_written_leaves_once(void **state)
{
    (void)state;
    uint8_t out[1000] = {0};
    assert_false(tern_crypto_flow_wants(&flow));
    assert_int_equal(tern_crypto_flow_write(&flow, text, 0), 0);
    assert_false(tern_crypto_flow_wants(&flow));
    assert_int_equal(tern_crypto_flow_write(&flow, text, 600), 0);
    assert_int_equal(tern_crypto_flow_write(&flow, text + 600, 400), 0);
    assert_int_equal(drain(out, 70), 1000);
    assert_memory_equal(out, text, 1000);
    assert_false(tern_crypto_flow_wants(&flow));
}

static void what_is_lost_leaves_again(void **state)
{
    (void)state;
    uint8_t out[1000] = {0};
    assert_int_equal(tern_crypto_flow_write(&flow, text, 1000), 0);
    assert_int_equal(drain(out, 1000), 1000);
    assert_int_equal(tern_crypto_flow_on_lost(&flow, 100, 50), 0);
    assert_int_equal(tern_crypto_flow_on_lost(&flow, 900, 100), 0);
    tern_crypto_flow_on_acked(&flow, 110, 20); /* a late ACK for a part */
    memset(out, 0, sizeof out);
    assert_int_equal(drain(out, 64), 130);
    assert_memory_equal(out + 100, text + 100, 10);
    assert_memory_equal(out + 130, text + 130, 20);
    assert_memory_equal(out + 900, text + 900, 100);
    assert_int_equal(out[115], 0);
}

static void more_than_the_bound_is_not_said(void **state)
{
    (void)state;
    assert_int_equal(tern_crypto_flow_write(&flow, text, TERN_CRYPTO_FLOW_MAX), 0);
    assert_int_equal(tern_crypto_flow_write(&flow, text, 1), TERN_ERR_CRYPTO_BUFFER);
}

static void without_memory_nothing_is_lost(void **state)
{
    (void)state;
    size_t len;
    heap.fail_at = 1;
    assert_int_equal(receive(0, 10), TERN_ERR_NOMEM);
    assert_int_equal(tern_crypto_flow_write(&flow, text, 10), TERN_ERR_NOMEM);
    assert_false(tern_crypto_flow_wants(&flow));
    heap.fail_at = 0;
    assert_int_equal(receive(0, 10), 0);
    assert_memory_equal(tern_crypto_flow_readable(&flow, &len), text, 10);
    assert_int_equal(tern_crypto_flow_write(&flow, text, 10), 0);
    assert_true(tern_crypto_flow_wants(&flow));
}

/* The last byte inside the bound, and the first outside; nothing at all is welcome up to the edge. */
static void the_edge_of_the_bound(void **state)
{
    (void)state;
    assert_int_equal(receive(TERN_CRYPTO_FLOW_MAX - 1, 1), 0);
    assert_int_equal(tern_crypto_flow_receive(&flow, TERN_CRYPTO_FLOW_MAX, text, 0), 0);
    assert_int_equal(tern_crypto_flow_receive(&flow, TERN_CRYPTO_FLOW_MAX - 1, text, 2),
                     TERN_ERR_CRYPTO_BUFFER);
    assert_int_equal(tern_crypto_flow_receive(&flow, TERN_CRYPTO_FLOW_MAX + 1, text, 0),
                     TERN_ERR_CRYPTO_BUFFER);
    assert_true(heap.peak <= 2 * TERN_CRYPTO_FLOW_MAX);
}

/* A message of 3000 bytes in random pieces that overlap, are repeated, and come in any order, read
 * now and then. */
static void random_pieces_make_the_whole(void **state)
{
    (void)state;
    static uint8_t out[3000];
    for (uint32_t round = 1; round < 200; round++) {
        uint32_t seed = round * 2654435761u;
        size_t taken = 0, len = 0;
        tern_crypto_flow_clear(&flow);
        for (unsigned i = 0; taken < sizeof out && i < 10000; i++) {
            seed = seed * 1664525u + 1013904223u;
            size_t place = (seed >> 8) % (sizeof out + 200), size = (seed >> 3) % 400 + 1;
            size_t at = place < 200 ? 0 : place - 200; /* the first byte as often as others */
            int rc = receive(at, TERN_MIN(size, sizeof out - at));
            assert_true(rc == 0 || rc == TERN_ERR_CRYPTO_BUFFER); /* too many holes just now */
            if (i % 5 == 0) {
                const uint8_t *bytes = tern_crypto_flow_readable(&flow, &len);
                assert_true(taken + len <= sizeof out);
                memcpy(out + taken, len > 0 ? bytes : text, len);
                tern_crypto_flow_take(&flow, len);
                taken += len;
            }
        }
        assert_int_equal(taken, sizeof out);
        assert_memory_equal(out, text, sizeof out);
    }
}

/* Each allocation fails once in turn; afterwards all is as if nothing had been tried. */
static void each_allocation_may_fail(void **state)
{
    (void)state;
    unsigned failures = 0;
    for (uint64_t n = 1; n < 8; n++) {
        size_t len = 0;
        uint8_t out[100] = {0};
        tern_crypto_flow_clear(&flow);
        heap.calls = 0;
        heap.fail_at = n;
        int first = tern_crypto_flow_write(&flow, text, 60);
        int second = first == 0 ? tern_crypto_flow_write(&flow, text + 60, 40) : 0;
        int third = receive(0, 100);
        heap.fail_at = 0;
        failures += (first != 0 ? 1u : 0u) + (second != 0 ? 1u : 0u) + (third != 0 ? 1u : 0u);
        if (first != 0) {
            assert_int_equal(first, TERN_ERR_NOMEM);
            assert_int_equal(flow.out_len, 0);
            assert_int_equal(tern_crypto_flow_write(&flow, text, 60), 0);
        }
        if (first != 0 || second != 0) {
            assert_int_equal(flow.out_len, 60);
            assert_int_equal(tern_crypto_flow_write(&flow, text + 60, 40), 0);
        }
        assert_int_equal(drain(out, 33), 100);
        assert_memory_equal(out, text, 100);
        assert_int_equal(receive(0, 100), 0);
        assert_memory_equal(tern_crypto_flow_readable(&flow, &len), text, 100);
        assert_int_equal(len, 100);
    }
    assert_true(failures >= 4);
}

/* An ACK in the middle without the memory to split: the bytes leave once more, none is missing. */
static void an_ack_without_memory_costs_a_repeat(void **state)
{
    (void)state;
    static uint8_t out[TERN_CRYPTO_FLOW_MAX];
    assert_int_equal(tern_crypto_flow_write(&flow, text, 1000), 0);
    heap.fail_at = 1;
    for (size_t i = 0; i < 40; i++) {
        tern_crypto_flow_on_acked(&flow, 20 * i + 10, 5);
    }
    heap.fail_at = 0;
    assert_in_range(drain(out, 100), 1000 - 40 * 5, 999);
    for (size_t i = 0; i < 1000; i++) {
        bool was_acked = i >= 10 && i < 810 && (i - 10) % 20 < 5;
        assert_true(was_acked || out[i] == text[i]);
    }
}

/* Tickets come now and then for a connection's whole life, and 4 KiB must not lie about between them. */
static void a_resting_flow_holds_no_buffer(void **state)
{
    size_t len = 0;
    (void)state;
    assert_int_equal(tern_crypto_flow_receive(&flow, 0, text, 50), 0);
    tern_crypto_flow_rest(&flow); /* not yet: it is not read */
    assert_non_null(tern_crypto_flow_readable(&flow, &len));
    assert_int_equal(len, 50);
    tern_crypto_flow_take(&flow, 50);
    tern_crypto_flow_rest(&flow);
    assert_null(flow.in);
    assert_null(tern_crypto_flow_readable(&flow, &len));
    assert_int_equal(len, 0);
    assert_int_equal(tern_crypto_flow_receive(&flow, 20, text + 20, 30), 0); /* a repeat */
    assert_null(flow.in);
    assert_int_equal(tern_crypto_flow_receive(&flow, 60, text + 60, 40), 0);
    tern_crypto_flow_rest(&flow); /* there is something beyond a hole */
    assert_int_equal(tern_crypto_flow_receive(&flow, 45, text + 45, 15), 0);
    const uint8_t *bytes = tern_crypto_flow_readable(&flow, &len);
    assert_int_equal(len, 50);
    assert_memory_equal(bytes, text + 50, 50);
    assert_int_equal(tern_crypto_flow_receive(&flow, TERN_CRYPTO_FLOW_MAX, text, 1),
                     TERN_ERR_CRYPTO_BUFFER); /* the bound is that of the whole */
}

/* After the level is discarded, what is lost of it concerns nobody. */
static void losses_of_a_cleared_flow_are_nothing(void **state)
{
    (void)state;
    assert_int_equal(tern_crypto_flow_write(&flow, text, 100), 0);
    tern_crypto_flow_clear(&flow);
    assert_int_equal(heap.blocks, 0);
    assert_int_equal(tern_crypto_flow_on_lost(&flow, 0, 100), 0);
    assert_false(tern_crypto_flow_wants(&flow));
    assert_int_equal(tern_crypto_flow_write(&flow, text, TERN_CRYPTO_FLOW_MAX), 0); /* anew */
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(pieces_in_any_order_make_the_whole, setup, teardown),
    cmocka_unit_test_setup_teardown(the_bound_is_checked_first, setup, teardown),
    cmocka_unit_test_setup_teardown(too_many_holes_are_refused, setup, teardown),
    cmocka_unit_test_setup_teardown(read_bytes_do_not_change, setup, teardown),
    cmocka_unit_test_setup_teardown(forgetting_makes_room_for_the_true_one, setup, teardown),
    cmocka_unit_test_setup_teardown(what_is_written_leaves_once, setup, teardown),
    cmocka_unit_test_setup_teardown(what_is_lost_leaves_again, setup, teardown),
    cmocka_unit_test_setup_teardown(more_than_the_bound_is_not_said, setup, teardown),
    cmocka_unit_test_setup_teardown(without_memory_nothing_is_lost, setup, teardown),
    cmocka_unit_test_setup_teardown(the_edge_of_the_bound, setup, teardown),
    cmocka_unit_test_setup_teardown(random_pieces_make_the_whole, setup, teardown),
    cmocka_unit_test_setup_teardown(each_allocation_may_fail, setup, teardown),
    cmocka_unit_test_setup_teardown(an_ack_without_memory_costs_a_repeat, setup, teardown),
    cmocka_unit_test_setup_teardown(a_resting_flow_holds_no_buffer, setup, teardown),
    cmocka_unit_test_setup_teardown(losses_of_a_cleared_flow_are_nothing, setup, teardown),
};

TERN_TEST_MAIN(tests)
