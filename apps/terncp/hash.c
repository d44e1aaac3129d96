/* Keys, leaves and roots.
 * SPDX-License-Identifier: MIT */
#include "terncp/hash.h"

#include <sodium.h>
#include <stdbool.h>
#include <string.h>

_Static_assert(sizeof(crypto_generichash_state) <= sizeof(((struct hash_root *)0)->state),
               "a hash state fits");

static void put_u64(uint8_t out[8], uint64_t value)
{
    for (unsigned i = 0; i < 8; i++) {
        out[i] = (uint8_t)(value >> (56 - 8 * i));
    }
}

void hash_file_key(const uint8_t session_key[PROTO_KEY_SIZE], uint32_t index,
                   uint8_t out[PROTO_KEY_SIZE])
{
    uint8_t bytes[8];
    put_u64(bytes, index);
    (void)crypto_generichash(out, PROTO_KEY_SIZE, bytes, sizeof bytes, session_key, PROTO_KEY_SIZE);
}

/* Nearly always the first look tells. */
static bool is_zero(const uint8_t *data, size_t len)
{
    return len > 0 && data[0] == 0 && memcmp(data, data + 1, len - 1) == 0;
}

void hash_leaf(const uint8_t file_key[PROTO_KEY_SIZE], uint64_t block, const uint8_t *data,
               size_t len, uint8_t out[PROTO_LEAF_SIZE])
{
    uint8_t number[8], key[crypto_onetimeauth_KEYBYTES];
    if (is_zero(data, len)) {
        memset(out, 0, PROTO_LEAF_SIZE);
        return;
    }
    put_u64(number, block);
    (void)crypto_generichash(key, sizeof key, number, sizeof number, file_key, PROTO_KEY_SIZE);
    (void)crypto_onetimeauth(out, data, len, key);
    sodium_memzero(key, sizeof key);
}

static crypto_generichash_state *state_of(struct hash_root *root)
{
    return (crypto_generichash_state *)(void *)root->state;
}

void hash_root_init(struct hash_root *root, const uint8_t file_key[PROTO_KEY_SIZE])
{
    (void)crypto_generichash_init(state_of(root), file_key, PROTO_KEY_SIZE, PROTO_HASH_SIZE);
}

void hash_root_add(struct hash_root *root, const uint8_t leaf[PROTO_LEAF_SIZE])
{
    (void)crypto_generichash_update(state_of(root), leaf, PROTO_LEAF_SIZE);
}

void hash_root_final(struct hash_root *root, uint64_t size, uint8_t out[PROTO_HASH_SIZE])
{
    uint8_t bytes[8];
    put_u64(bytes, size);
    (void)crypto_generichash_update(state_of(root), bytes, sizeof bytes);
    (void)crypto_generichash_final(state_of(root), out, PROTO_HASH_SIZE);
}

void hash_whole(const uint8_t session_key[PROTO_KEY_SIZE], uint32_t index, const uint8_t *data,
                size_t len, uint8_t out[PROTO_HASH_SIZE])
{
    struct hash_root root;
    uint8_t key[PROTO_KEY_SIZE], leaf[PROTO_LEAF_SIZE];
    hash_file_key(session_key, index, key);
    hash_root_init(&root, key);
    for (size_t at = 0; at < len; at += PROTO_BLOCK) {
        size_t n = len - at < PROTO_BLOCK ? len - at : PROTO_BLOCK;
        hash_leaf(key, at / PROTO_BLOCK, data + at, n, leaf);
        hash_root_add(&root, leaf);
    }
    hash_root_final(&root, len, out);
    sodium_memzero(key, sizeof key);
}
