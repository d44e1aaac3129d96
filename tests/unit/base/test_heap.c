/* The deadline heap against a plain search, under random sets, moves and drops.
 * SPDX-License-Identifier: MIT */
#include "base/heap.h"

#include "unit/base/kit.h"

#define ENTRIES 200

/* Every entry knows its place, and no child comes before its parent. */
static void check_order(const struct tern_heap *heap)
{
    for (size_t i = 0; i < heap->count; i++) {
        assert_int_equal(heap->slots[i].entry->place, i);
        assert_int_equal(heap->slots[i].at, heap->slots[i].entry->at);
        if (i > 0) {
            assert_true(heap->slots[(i - 1) / 2].at <= heap->slots[i].at);
        }
    }
}

static void starts_empty(void **state)
{
    (void)state;
    struct kit_heap memory;
    struct tern_mem mem = kit_mem(&memory);
    struct tern_heap heap;
    struct tern_heap_entry entry;
    tern_heap_init(&heap, &mem);
    tern_heap_entry_init(&entry);
    assert_null(tern_heap_top(&heap));
    tern_heap_drop(&heap, &entry); /* who is not in it may be dropped */
    tern_heap_set(&heap, &entry, TERN_TIME_NEVER);
    assert_null(tern_heap_top(&heap));
    tern_heap_clear(&heap);
    assert_int_equal(memory.live, 0);
}

static void earliest_comes_first(void **state)
{
    (void)state;
    struct kit_heap memory;
    struct tern_mem mem = kit_mem(&memory);
    struct tern_heap heap;
    struct tern_heap_entry entries[ENTRIES];
    uint64_t seed = 1;
    tern_heap_init(&heap, &mem);
    for (size_t i = 0; i < ENTRIES; i++) {
        tern_heap_entry_init(&entries[i]);
        assert_int_equal(tern_heap_claim(&heap, &entries[i]), 0);
        tern_heap_set(&heap, &entries[i], kit_roll(&seed) % 50);
    }
    tern_time before = 0;
    for (size_t i = 0; i < ENTRIES; i++) {
        struct tern_heap_entry *top = tern_heap_top(&heap);
        assert_true(top->at >= before);
        before = top->at;
        tern_heap_drop(&heap, top);
        assert_int_equal(top->place, TERN_HEAP_NOWHERE);
    }
    assert_null(tern_heap_top(&heap));
    tern_heap_clear(&heap);
}

static void never_takes_it_out(void **state)
{
    (void)state;
    struct kit_heap memory;
    struct tern_mem mem = kit_mem(&memory);
    struct tern_heap heap;
    struct tern_heap_entry a, b;
    tern_heap_init(&heap, &mem);
    tern_heap_entry_init(&a);
    tern_heap_entry_init(&b);
    assert_int_equal(tern_heap_claim(&heap, &a), 0);
    assert_int_equal(tern_heap_claim(&heap, &b), 0);
    tern_heap_set(&heap, &a, 5);
    tern_heap_set(&heap, &b, 6);
    tern_heap_set(&heap, &a, TERN_TIME_NEVER);
    assert_ptr_equal(tern_heap_top(&heap), &b);
    assert_int_equal(a.at, TERN_TIME_NEVER);
    tern_heap_set(&heap, &a, 6); /* and in again */
    tern_heap_set(&heap, &a, 1);
    assert_ptr_equal(tern_heap_top(&heap), &a);
    tern_heap_clear(&heap);
}

static struct tern_heap_entry *earliest(struct tern_heap_entry *entries, size_t *members)
{
    struct tern_heap_entry *found = NULL;
    *members = 0;
    for (size_t i = 0; i < ENTRIES; i++) {
        if (entries[i].place != TERN_HEAP_NOWHERE) {
            ++*members;
            found = found == NULL || entries[i].at < found->at ? &entries[i] : found;
        }
    }
    return found;
}

static void random_moves_agree_with_a_search(void **state)
{
    (void)state;
    struct kit_heap memory;
    struct tern_mem mem = kit_mem(&memory);
    struct tern_heap heap;
    struct tern_heap_entry entries[ENTRIES];
    uint64_t seed = 2;
    tern_heap_init(&heap, &mem);
    for (size_t i = 0; i < ENTRIES; i++) {
        tern_heap_entry_init(&entries[i]);
        assert_int_equal(tern_heap_claim(&heap, &entries[i]), 0);
    }
    for (size_t step = 0; step < 20000; step++) {
        struct tern_heap_entry *entry = &entries[kit_roll(&seed) % ENTRIES];
        uint64_t dice = kit_roll(&seed) % 8;
        size_t members;
        if (dice == 0) {
            tern_heap_drop(&heap, entry);
        } else {
            tern_time at = dice == 1 ? TERN_TIME_NEVER : kit_roll(&seed) % 1000;
            tern_heap_set(&heap, entry, at);
            assert_int_equal(entry->at, at);
        }
        const struct tern_heap_entry *first = earliest(entries, &members);
        assert_int_equal(heap.count, members);
        assert_int_equal(first == NULL, tern_heap_top(&heap) == NULL);
        assert_true(first == NULL || tern_heap_top(&heap)->at == first->at);
        if (step % 64 == 0) {
            check_order(&heap);
        }
    }
    tern_heap_clear(&heap);
    assert_int_equal(memory.live, 0);
}

/* Room is counted by those who may come, not by those who are there: a hundred connections may begin
 * before the first of them sets its timer. */
static void every_claim_has_its_room(void **state)
{
    (void)state;
    struct kit_heap memory;
    struct tern_mem mem = kit_mem(&memory);
    struct tern_heap heap;
    struct tern_heap_entry entries[ENTRIES];
    tern_heap_init(&heap, &mem);
    for (size_t i = 0; i < ENTRIES; i++) {
        tern_heap_entry_init(&entries[i]);
        assert_int_equal(tern_heap_claim(&heap, &entries[i]), 0);
    }
    for (size_t i = 0; i < ENTRIES; i++) {
        tern_heap_set(&heap, &entries[i], i);
    }
    size_t capacity = heap.capacity;
    for (size_t i = 0; i < ENTRIES; i++) { /* one goes, one comes: no new room is needed */
        tern_heap_release(&heap, &entries[i]);
        tern_heap_release(&heap, &entries[i]);
        assert_int_equal(tern_heap_claim(&heap, &entries[i]), 0);
    }
    assert_int_equal(heap.capacity, capacity);
    assert_int_equal(heap.claims, ENTRIES);
    assert_null(tern_heap_top(&heap));
    tern_heap_clear(&heap);
    assert_int_equal(memory.live, 0);
}

static void failed_claim_keeps_what_is_there(void **state)
{
    (void)state;
    struct kit_heap memory;
    struct tern_mem mem = kit_mem(&memory);
    struct tern_heap heap;
    struct tern_heap_entry entries[17];
    tern_heap_init(&heap, &mem);
    memory.refuse_from = 2;
    for (size_t i = 0; i < 17; i++) {
        tern_heap_entry_init(&entries[i]);
        int rc = tern_heap_claim(&heap, &entries[i]);
        assert_int_equal(rc, i < 16 ? 0 : TERN_ERR_NOMEM);
    }
    tern_heap_set(&heap, &entries[3], 3);
    assert_ptr_equal(tern_heap_top(&heap), &entries[3]);
    tern_heap_release(&heap, &entries[16]); /* it has none: harmless */
    assert_int_equal(heap.claims, 16);
    tern_heap_clear(&heap);
    assert_int_equal(memory.live, 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(starts_empty),
    cmocka_unit_test(earliest_comes_first),
    cmocka_unit_test(never_takes_it_out),
    cmocka_unit_test(random_moves_agree_with_a_search),
    cmocka_unit_test(every_claim_has_its_room),
    cmocka_unit_test(failed_claim_keeps_what_is_there),
};

TERN_TEST_MAIN(tests)
