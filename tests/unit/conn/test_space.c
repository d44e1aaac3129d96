/* A packet number space from its keys to its discard.
 * SPDX-License-Identifier: MIT */
#include "conn/space.h"

#include "tern_test.h"
#include "unit/heap_kit.h"

static struct kit_heap heap;
static struct tern_mem mem;
static struct tern_space space;
static const uint8_t tx[32] = {1}, rx[32] = {2};

static int setup(void **state)
{
    (void)state;
    kit_mem(&mem, &heap);
    tern_space_init(&space, &mem, 25 * TERN_MSEC);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tern_space_clear(&space);
    return heap.blocks == 0 ? 0 : -1;
}

static void keys_make_it_live(void **state)
{
    (void)state;
    assert_false(tern_space_is_live(&space));
    assert_int_equal(space.skip_at, UINT64_MAX); /* no number is left out before 1-RTT */
    assert_int_equal(tern_space_install(&space, TERN_SUITE_CHACHA20_POLY1305, tx, rx), 0);
    assert_true(tern_space_is_live(&space));
    assert_int_equal(tern_space_install(&space, TERN_SUITE_CHACHA20_POLY1305, rx, tx), 0);
    assert_int_equal(heap.blocks, 1); /* the first ones are gone */
    assert_memory_equal(space.keys->tx.secret, rx, 32);
}

static void what_fails_leaves_the_old_keys(void **state)
{
    (void)state;
    assert_int_equal(tern_space_install(&space, TERN_SUITE_CHACHA20_POLY1305, tx, rx), 0);
    assert_int_equal(tern_space_install(&space, 0x4000, rx, tx), TERN_ERR_UNSUPPORTED);
    heap.fail_at = heap.calls + 1;
    assert_int_equal(tern_space_install(&space, TERN_SUITE_CHACHA20_POLY1305, rx, tx),
                     TERN_ERR_NOMEM);
    heap.fail_at = 0;
    assert_memory_equal(space.keys->tx.secret, tx, 32);
}

/* RFC 9002 §6.4: what leaves flight is told, and nothing stays. */
static void discard_forgets_everything(void **state)
{
    (void)state;
    assert_int_equal(tern_space_install(&space, TERN_SUITE_CHACHA20_POLY1305, tx, rx), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(tern_sent_reserve(&space.loss.sent, 0), 0);
        (void)tern_sent_commit(&space.loss.sent, 1000, TERN_SENT_IN_FLIGHT | TERN_SENT_ELICITING, 0,
                               0, TERN_SEC);
    }
    assert_int_equal(tern_acks_on_received(&space.acks, 0, true, 0, TERN_SEC), 0);
    assert_int_equal(tern_crypto_flow_write(&space.crypto, tx, sizeof tx), 0);
    space.probes = 2;
    assert_int_equal(tern_space_discard(&space), 3000);
    assert_false(tern_space_is_live(&space));
    assert_true(space.is_discarded);
    assert_int_equal(space.probes, 0);
    assert_int_equal(space.acks.deadline, TERN_TIME_NEVER);
    assert_false(tern_acks_is_owed(&space.acks));
    assert_false(tern_crypto_flow_wants(&space.crypto));
    assert_int_equal(heap.blocks, 0);
    assert_int_equal(tern_space_discard(&space), 0);
}

static bool was_dirty;

/* Is a secret left in the block? */
static void look_and_free(void *user, void *ptr)
{
    size_t size = 0, run = 0;
    const uint8_t *bytes = ptr;
    memcpy(&size, bytes - KIT_HEADER, sizeof size);
    for (size_t i = 0; i < size; i++) {
        run = bytes[i] == 0xa5 ? run + 1 : 0;
        was_dirty = was_dirty || run == 16;
    }
    kit_free(user, ptr);
}

static void secrets_do_not_outlive_their_level(void **state)
{
    (void)state;
    uint8_t secret[64];
    tern_allocator hooks = {kit_alloc, kit_realloc, look_and_free, &heap};
    memset(secret, 0xa5, sizeof secret);
    tern_mem_init(&mem, &hooks);
    was_dirty = false;
    assert_int_equal(tern_space_install(&space, TERN_SUITE_CHACHA20_POLY1305, secret, secret), 0);
    assert_int_equal(tern_space_install(&space, TERN_SUITE_CHACHA20_POLY1305, secret, rx), 0);
    assert_int_equal(tern_crypto_flow_write(&space.crypto, secret, sizeof secret), 0);
    assert_int_equal(tern_crypto_flow_receive(&space.crypto, 0, secret, sizeof secret), 0);
    (void)tern_space_discard(&space);
    assert_int_equal(heap.blocks, 0);
    assert_false(was_dirty);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(keys_make_it_live, setup, teardown),
    cmocka_unit_test_setup_teardown(what_fails_leaves_the_old_keys, setup, teardown),
    cmocka_unit_test_setup_teardown(discard_forgets_everything, setup, teardown),
    cmocka_unit_test_setup_teardown(secrets_do_not_outlive_their_level, setup, teardown),
};

TERN_TEST_MAIN(tests)
