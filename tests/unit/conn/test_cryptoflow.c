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

/* S4: the bound comes before the memory. */
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
};

TERN_TEST_MAIN(tests)
