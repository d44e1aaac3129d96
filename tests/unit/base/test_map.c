/* The keyed hash map against an array, under thousands of keys and deletes.
 * SPDX-License-Identifier: MIT */
#include "base/map.h"

#include <sodium.h>

#include "unit/base/kit.h"

#define KEYS 5000

struct fixture {
    struct kit_heap memory;
    struct tern_mem mem;
    struct tern_random random;
    uint64_t seed;
    struct tern_map map;
};

static void start(struct fixture *f, uint64_t seed)
{
    f->mem = kit_mem(&f->memory);
    f->seed = seed;
    tern_random_source source = {kit_random_fill, &f->seed};
    tern_random_init(&f->random, &source);
    tern_map_init(&f->map, &f->mem, &f->random);
}

static void stop(struct fixture *f)
{
    tern_map_clear(&f->map);
    assert_int_equal(f->memory.live, 0);
}

static void starts_empty(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, 1);
    assert_null(tern_map_find(&f.map, "a", 1));
    assert_null(tern_map_drop(&f.map, "a", 1));
    assert_null(tern_map_find_at(&f.map, tern_map_foresee(&f.map, "a", 1), "a", 1));
    assert_int_equal(f.memory.calls, 0); /* an empty map costs nothing */
    stop(&f);
}

static void finds_what_was_put(void **state)
{
    (void)state;
    struct fixture f;
    int a, b;
    start(&f, 2);
    assert_int_equal(tern_map_put(&f.map, "key", 3, &a), 0);
    assert_int_equal(tern_map_put(&f.map, "kez", 3, &b), 0);
    assert_ptr_equal(tern_map_find(&f.map, "key", 3), &a);
    assert_ptr_equal(tern_map_find(&f.map, "kez", 3), &b);
    assert_null(tern_map_find(&f.map, "ke", 2)); /* a prefix is another key */
    assert_null(tern_map_find(&f.map, "key\0", 4));
    stop(&f);
}

#define MANY 100000u

enum family { AT_RANDOM, IN_A_ROW, SAME_FRONT, SAME_BACK, SAME_HASH, FAMILIES };

/* Identifiers that a peer chose so that they meet in a table whose hash it knows. */
static void write_family(uint8_t (*keys)[8], enum family family)
{
    static const uint8_t no_secret[crypto_shorthash_KEYBYTES];
    uint8_t hash[crypto_shorthash_BYTES] = {0};
    uint64_t seed = 99, value = 0;
    for (size_t i = 0; i < MANY; i++, value++) {
        uint32_t half = (uint32_t)i;
        memset(keys[i], 7, 8);
        if (family == AT_RANDOM) {
            kit_random_fill(&seed, keys[i], 8);
        } else if (family == SAME_FRONT) {
            memcpy(keys[i] + 4, &half, 4);
        } else if (family == SAME_BACK) {
            memcpy(keys[i], &half, 4);
        } else {
            memcpy(keys[i], &value, 8);
        }
        while (family == SAME_HASH &&
               (crypto_shorthash(hash, keys[i], 8, no_secret) != 0 || hash[3] != 0)) {
            value++;
            memcpy(keys[i], &value, 8);
        }
    }
}

/* What a lookup of a key that is not there looks at, the mean over all slots to begin with: every slot of
 * a run of full ones from there on, and the empty one behind it. Keys that meet make one long run. */
static double slots_looked_at(const struct tern_map *map)
{
    size_t first = 0, length = 0;
    double sum = 0;
    while (map->slots[first].value != NULL) {
        first++; /* a run may lie around the end */
    }
    for (size_t i = 1; i <= map->capacity; i++) {
        bool is_full = map->slots[(first + i) % map->capacity].value != NULL;
        length = is_full ? length + 1 : 0;
        sum += (double)length + 1;
    }
    return sum / (double)map->capacity;
}

/* CVE-2025-23020: chosen identifiers cost no more than others. */
static void chosen_keys_are_found_as_fast_as_others(void **state)
{
    (void)state;
    static uint8_t keys[MANY][8];
    for (size_t i = 0; i < FAMILIES; i++) {
        struct fixture f;
        start(&f, 3 + i);
        write_family(keys, (enum family)i);
        for (size_t n = 0; n < MANY; n++) {
            assert_int_equal(tern_map_put(&f.map, keys[n], 8, keys[n]), 0);
        }
        for (size_t n = 0; n < MANY; n++) {
            assert_ptr_equal(tern_map_find(&f.map, keys[n], 8), keys[n]);
        }
        /* Knuth 6.4: (1 + 1 / (1 - a)^2) / 2, which is 8.5 where the table is three quarters full. */
        assert_true(slots_looked_at(&f.map) < 9);
        stop(&f);
    }
}

static void refuses_a_key_twice(void **state)
{
    (void)state;
    struct fixture f;
    int a, b;
    start(&f, 3);
    assert_int_equal(tern_map_put(&f.map, "key", 3, &a), 0);
    assert_int_equal(tern_map_put(&f.map, "key", 3, &b), TERN_ERR_STATE);
    assert_ptr_equal(tern_map_find(&f.map, "key", 3), &a);
    assert_int_equal(f.map.count, 1);
    assert_ptr_equal(tern_map_drop(&f.map, "key", 3), &a);
    assert_int_equal(tern_map_put(&f.map, "key", 3, &b), 0);
    assert_ptr_equal(tern_map_find(&f.map, "key", 3), &b);
    stop(&f);
}

static void keys_may_have_any_length(void **state)
{
    (void)state;
    struct fixture f;
    uint8_t key[TERN_MAP_KEY_MAX + 1] = {0};
    start(&f, 4);
    for (size_t len = 0; len <= TERN_MAP_KEY_MAX; len++) {
        assert_int_equal(tern_map_put(&f.map, key, len, &key[len]), 0);
    }
    for (size_t len = 0; len <= TERN_MAP_KEY_MAX; len++) {
        assert_ptr_equal(tern_map_find(&f.map, key, len), &key[len]);
    }
    assert_ptr_equal(tern_map_drop(&f.map, key, TERN_MAP_KEY_MAX), &key[TERN_MAP_KEY_MAX]);
    assert_null(tern_map_find(&f.map, key, TERN_MAP_KEY_MAX + 1)); /* a peer's may be longer */
    assert_null(tern_map_drop(&f.map, key, TERN_MAP_KEY_MAX + 1));
    stop(&f);
}

static void key_of(uint8_t key[8], size_t i)
{
    for (size_t k = 0; k < 8; k++) {
        key[k] = (uint8_t)((uint64_t)i >> (8 * (7 - k)));
    }
}

static void thousands_of_keys_come_and_go(void **state)
{
    (void)state;
    struct fixture f;
    static char values[KEYS];
    static bool is_in[KEYS];
    uint8_t key[8];
    size_t count = 0;
    uint64_t seed = 5;
    start(&f, 5);
    memset(is_in, 0, sizeof is_in);
    for (size_t step = 0; step < 100000; step++) {
        size_t i = (size_t)(kit_roll(&seed) % KEYS);
        bool wants_in = kit_roll(&seed) % 100 < (step < 50000 ? 70 : 30);
        key_of(key, i);
        if (wants_in) {
            assert_int_equal(tern_map_put(&f.map, key, 8, &values[i]),
                             is_in[i] ? TERN_ERR_STATE : 0);
        } else {
            assert_ptr_equal(tern_map_drop(&f.map, key, 8), is_in[i] ? &values[i] : NULL);
        }
        count += (size_t)wants_in - (size_t)is_in[i];
        is_in[i] = wants_in;
        assert_int_equal(f.map.count, count);
        assert_true(4 * count <= 3 * f.map.capacity); /* probes stay short */
    }
    for (size_t i = 0; i < KEYS; i++) {
        key_of(key, i);
        assert_ptr_equal(tern_map_find(&f.map, key, 8), is_in[i] ? &values[i] : NULL);
        size_t at = tern_map_foresee(&f.map, key, 8);
        assert_ptr_equal(tern_map_find_at(&f.map, at, key, 8), is_in[i] ? &values[i] : NULL);
    }
    stop(&f);
}

/* Chains that wrap around the end of the table are where deletion goes wrong: with 12 of 16 slots
 * taken, every order of deletion must leave the rest to be found. */
static void deletion_keeps_every_chain(void **state)
{
    (void)state;
    uint64_t seed = 6;
    for (uint64_t round = 0; round < 500; round++) {
        struct fixture f;
        char values[12];
        size_t order[12];
        start(&f, round);
        for (size_t i = 0; i < 12; i++) {
            order[i] = i;
            assert_int_equal(tern_map_put(&f.map, &i, sizeof i, &values[i]), 0);
        }
        assert_int_equal(f.map.capacity, 16);
        for (size_t i = 0; i < 12; i++) {
            size_t pick = i + (size_t)(kit_roll(&seed) % (12 - i)), key = order[pick];
            order[pick] = order[i];
            assert_ptr_equal(tern_map_drop(&f.map, &key, sizeof key), &values[key]);
            for (size_t k = i + 1; k < 12; k++) {
                assert_ptr_equal(tern_map_find(&f.map, &order[k], sizeof order[k]),
                                 &values[order[k]]);
            }
        }
        stop(&f);
    }
}

static void failed_growth_changes_nothing(void **state)
{
    (void)state;
    struct fixture f;
    char values[64];
    size_t put = 0;
    int rc = 0;
    start(&f, 7);
    f.memory.refuse_from = 1;
    assert_int_equal(tern_map_put(&f.map, "a", 1, &f), TERN_ERR_NOMEM);
    assert_null(tern_map_find(&f.map, "a", 1));
    f.memory.refuse_from = f.memory.calls + 2; /* the first table, then no more */
    for (; rc == 0 && put < 64; put++) {
        rc = tern_map_put(&f.map, &put, sizeof put, &values[put]);
    }
    assert_int_equal(rc, TERN_ERR_NOMEM);
    assert_int_equal(f.map.count, put - 1);
    for (size_t i = 0; i < put; i++) {
        assert_ptr_equal(tern_map_find(&f.map, &i, sizeof i), i + 1 < put ? &values[i] : NULL);
    }
    stop(&f);
}

static void hash_is_keyed(void **state)
{
    (void)state;
    struct fixture a, b;
    start(&a, 8);
    start(&b, 9);
    assert_memory_not_equal(a.map.secret, b.map.secret, sizeof a.map.secret);
    stop(&a);
    stop(&b);
}

static void a_value_gives_way_to_another(void **state)
{
    (void)state;
    struct fixture f;
    int a, b, c;
    start(&f, 9);
    assert_int_equal(tern_map_put(&f.map, "key", 3, &a), 0);
    assert_int_equal(tern_map_put(&f.map, "kez", 3, &b), 0);
    uint64_t calls = f.memory.calls;
    tern_map_replace(&f.map, "key", 3, &c);
    assert_ptr_equal(tern_map_find(&f.map, "key", 3), &c);
    assert_ptr_equal(tern_map_find(&f.map, "kez", 3), &b);
    assert_int_equal(f.map.count, 2);
    assert_int_equal(f.memory.calls, calls);
    stop(&f);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(starts_empty),
    cmocka_unit_test(finds_what_was_put),
    cmocka_unit_test(chosen_keys_are_found_as_fast_as_others),
    cmocka_unit_test(refuses_a_key_twice),
    cmocka_unit_test(keys_may_have_any_length),
    cmocka_unit_test(thousands_of_keys_come_and_go),
    cmocka_unit_test(deletion_keeps_every_chain),
    cmocka_unit_test(a_value_gives_way_to_another),
    cmocka_unit_test(failed_growth_changes_nothing),
    cmocka_unit_test(hash_is_keyed),
};

TERN_TEST_MAIN(tests)
