/* No key ever seals two packets under one number, whatever happens: loss, Retry, moves, updates, fresh keys.
 *
 * Every seal of every endpoint passes through here: the linker calls it in the other's place.
 * SPDX-License-Identifier: MIT */
#include "tern_test.h"

#include <sodium.h>
#include <string.h>

#include "crypto/keys.h"
#include "sim/kit.h"

#define SLOTS (1u << 18) /* a power of two */

/* Each key with the number that it sealed last: they only rise, so that none comes twice. */
static struct slot {
    uint64_t key, last;
} slots[SLOTS];
static uint64_t seals, keys_seen;

int __real_tern_packet_seal(struct tern_packet_keys *keys, uint32_t path_id, uint64_t pn,
                            const uint8_t *header, size_t header_len, uint8_t *payload, size_t len);
int __wrap_tern_packet_seal(struct tern_packet_keys *keys, uint32_t path_id, uint64_t pn,
                            const uint8_t *header, size_t header_len, uint8_t *payload, size_t len);

static uint64_t fingerprint(const struct tern_packet_keys *keys, uint32_t path_id)
{
    static const uint8_t key[crypto_shorthash_KEYBYTES] = {1};
    uint8_t bytes[TERN_SECRET_SIZE + 8], out[crypto_shorthash_BYTES];
    uint32_t suite = keys->suite;
    uint64_t value;
    memcpy(bytes, keys->secret, TERN_SECRET_SIZE);
    memcpy(bytes + TERN_SECRET_SIZE, &path_id, 4);
    memcpy(bytes + TERN_SECRET_SIZE + 4, &suite, 4);
    crypto_shorthash(out, bytes, sizeof bytes, key);
    memcpy(&value, out, sizeof value);
    return value == 0 ? 1 : value;
}

int __wrap_tern_packet_seal(struct tern_packet_keys *keys, uint32_t path_id, uint64_t pn,
                            const uint8_t *header, size_t header_len, uint8_t *payload, size_t len)
{
    uint64_t key = fingerprint(keys, path_id);
    size_t at = (size_t)key & (SLOTS - 1);
    while (slots[at].key != 0 && slots[at].key != key) {
        at = (at + 1) & (SLOTS - 1);
    }
    if (slots[at].key == 0) {
        assert_true(++keys_seen < SLOTS * 3 / 4);
        slots[at].key = key;
    } else {
        assert_true(pn > slots[at].last);
    }
    slots[at].last = pn;
    seals++;
    return __real_tern_packet_seal(keys, path_id, pn, header, header_len, payload, len);
}

/* What can make a packet come again, by the bits of the seed. */
static void shape(struct kit_plan *plan, uint64_t seed)
{
    static const uint8_t secret[TERN_SECRET_SIZE] = {7};
    plan->check = false;
    plan->pinned = seed % 2 == 0;
    plan->up_bytes = plan->down_bytes = seed % 16 == 0 ? 20000000 : 300000;
    plan->up.rate = plan->down.rate = 50000000;
    plan->up.queue = plan->down.queue = 200000;
    plan->client.keepalive = 500 * TERN_MSEC;
    plan->server.retry_half_open = seed % 3 == 0 ? 0 : plan->server.retry_half_open;
    plan->secret = seed % 5 == 0 ? secret : NULL;
    plan->update_bytes = seed % 4 == 1 ? 50000 : 0;
    plan->rekey_every = seed % 4 == 2 ? 100 * TERN_MSEC : 0;
    plan->migrate_every = seed % 7 == 3 ? 700 * TERN_MSEC : 0;
    if (seed % 7 == 5 && seed % 16 != 0) {
        plan->rebind_every = 1700 * TERN_MSEC; /* longer than a probe of the handshake waits */
        plan->up.rate = plan->down.rate = 1000000;
    }
    plan->limit = 600 * TERN_SEC;
    if (seed % 8 >= 4) {
        plan->up.loss = plan->down.loss = 0.03;
        plan->up.reorder = plan->down.reorder = 0.03;
        plan->up.duplicate = plan->down.duplicate = 0.03;
        plan->up.corrupt = plan->down.corrupt = 0.01;
    }
}

static void no_number_comes_twice(void **state)
{
    (void)state;
    uint64_t first = replay_first_seed(), seed = first;
    while (seals < TERN_TEST_TIMES(10000000u) && seed < first + replay_seed_count(100000)) {
        struct kit_plan plan;
        struct kit_result result;
        kit_plan_init(&plan, "sim.seals.no_number_comes_twice", seed);
        shape(&plan, seed++);
        kit_run(&plan, &result);
        assert_true(result.is_done);
    }
    print_message("%llu seals under %llu keys, %llu runs\n", (unsigned long long)seals,
                  (unsigned long long)keys_seen, (unsigned long long)(seed - first));
    assert_true(keys_seen > 1000 || replay_seed_count(2) == 1);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(no_number_comes_twice),
};

REPLAY_TEST_MAIN(tests)
