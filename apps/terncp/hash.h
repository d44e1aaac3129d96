/* The hash of a file: a tag of each block under a key of its own, and a digest over the tags.
 *
 * A leaf is the Poly1305 tag of a block under BLAKE2b-256 of the block's number under the file's key, or 16
 * zero bytes for a block of zeros, so that a hole of a terabyte costs nothing. Nobody but the two ends knows
 * the keys, which the client draws, so a tag tells damage as surely as a digest of the bytes would
 * (the odds are 2^-87 for a block), at a seventh of the cost: BLAKE2b over every byte took two thirds of all
 * the time that a copy took. docs/terncp-protocol.md, section 6.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_HASH_H
#define TERNCP_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "terncp/proto.h"

/* session_key: of the HELLO; index: the entry's. */
void hash_file_key(const uint8_t session_key[PROTO_KEY_SIZE], uint32_t index,
                   uint8_t out[PROTO_KEY_SIZE]);
void hash_leaf(const uint8_t file_key[PROTO_KEY_SIZE], uint64_t block, const uint8_t *data,
               size_t len, uint8_t out[PROTO_LEAF_SIZE]);

struct hash_root {
    _Alignas(64) unsigned char state[384];
};
void hash_root_init(struct hash_root *root, const uint8_t file_key[PROTO_KEY_SIZE]);
void hash_root_add(struct hash_root *root, const uint8_t leaf[PROTO_LEAF_SIZE]);
void hash_root_final(struct hash_root *root, uint64_t size, uint8_t out[PROTO_HASH_SIZE]);

/* All of it for bytes that lie in memory. */
void hash_whole(const uint8_t session_key[PROTO_KEY_SIZE], uint32_t index, const uint8_t *data,
                size_t len, uint8_t out[PROTO_HASH_SIZE]);

#endif
