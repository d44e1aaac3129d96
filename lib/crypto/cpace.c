/* The suite CPACE-RISTR255-SHA512 from libsodium's primitives. [P §4.7]
 *
 * Sections are those of draft-irtf-cfrg-cpace-21.
 * SPDX-License-Identifier: MIT */
#include "crypto/cpace.h"

#include <sodium.h>

#include "crypto/keys.h"

#define HASH_BLOCK 128 /* s_in_bytes of SHA-512 */

static const char domain[] = "CPaceRistretto255";
static const char isk_domain[] = "CPaceRistretto255_ISK";
static const char psk_label[] = "tern cpace psk";

static struct tern_cpace_bytes text(const char *string)
{
    return (struct tern_cpace_bytes){.data = string, .len = strlen(string)};
}

/* prepend_len of §6.2: the length in LEB128, then the bytes. */
static size_t put_length(uint8_t out[10], size_t len)
{
    size_t n = 0;
    do {
        out[n] = (uint8_t)(len & 0x7f);
        len >>= 7;
        out[n] |= len > 0 ? 0x80 : 0;
        n++;
    } while (len > 0);
    return n;
}

static void hash_lv(crypto_hash_sha512_state *state, struct tern_cpace_bytes bytes)
{
    uint8_t length[10];
    size_t n = put_length(length, bytes.len);
    (void)crypto_hash_sha512_update(state, length, n);
    if (bytes.len > 0) {
        (void)crypto_hash_sha512_update(state, bytes.data, bytes.len);
    }
}

static size_t lv_size(size_t len)
{
    uint8_t length[10];
    return put_length(length, len) + len;
}

void tern_cpace_generator(uint8_t out[TERN_CPACE_SIZE], const struct tern_cpace_setup *setup)
{
    static const uint8_t zeros[HASH_BLOCK];
    uint8_t hash[crypto_hash_sha512_BYTES];
    crypto_hash_sha512_state state;
    /* The first block holds the code and nothing of the session, so that how long the hash takes says
     * nothing about the code (§6.3). */
    size_t used = lv_size(setup->code.len) + lv_size(sizeof domain - 1) + 1;
    struct tern_cpace_bytes pad = {.data = zeros, .len = (size_t)tern_sub_sat(HASH_BLOCK, used)};
    (void)crypto_hash_sha512_init(&state);
    hash_lv(&state, text(domain));
    hash_lv(&state, setup->code);
    hash_lv(&state, pad);
    hash_lv(&state, setup->channel);
    hash_lv(&state, setup->session);
    (void)crypto_hash_sha512_final(&state, hash);
    (void)crypto_core_ristretto255_from_hash(out, hash);
    sodium_memzero(&state, sizeof state);
    sodium_memzero(hash, sizeof hash);
}

int tern_cpace_begin_with(struct tern_cpace *cpace, const struct tern_cpace_setup *setup,
                          const uint8_t scalar[TERN_CPACE_SIZE])
{
    uint8_t generator[TERN_CPACE_SIZE];
    memcpy(cpace->scalar, scalar, sizeof cpace->scalar);
    tern_cpace_generator(generator, setup);
    int rc = crypto_scalarmult_ristretto255(cpace->share, cpace->scalar, generator);
    sodium_memzero(generator, sizeof generator);
    return rc == 0 ? 0 : TERN_ERR_CRYPTO;
}

int tern_cpace_begin(struct tern_cpace *cpace, const struct tern_cpace_setup *setup,
                     struct tern_random *random)
{
    uint8_t wide[crypto_core_ristretto255_NONREDUCEDSCALARBYTES], scalar[TERN_CPACE_SIZE];
    tern_random_fill(random, wide, sizeof wide);
    crypto_core_ristretto255_scalar_reduce(scalar, wide);
    int rc = tern_cpace_begin_with(cpace, setup, scalar);
    sodium_memzero(wide, sizeof wide);
    sodium_memzero(scalar, sizeof scalar);
    return rc;
}

int tern_cpace_isk(const struct tern_cpace *cpace, const struct tern_cpace_setup *setup,
                   const struct tern_cpace_peer *peer, uint8_t isk[TERN_CPACE_ISK_SIZE])
{
    uint8_t k[TERN_CPACE_SIZE];
    crypto_hash_sha512_state state;
    struct tern_cpace_bytes ours = {cpace->share, TERN_CPACE_SIZE};
    struct tern_cpace_bytes theirs = {peer->share, TERN_CPACE_SIZE};
    struct tern_cpace_bytes shared = {k, sizeof k};
    /* libsodium refuses what is no point, and a product that is the neutral one (§6.4). */
    if (memcmp(peer->share, cpace->share, TERN_CPACE_SIZE) == 0 ||
        crypto_scalarmult_ristretto255(k, cpace->scalar, peer->share) != 0) {
        return TERN_ERR_CRYPTO;
    }
    (void)crypto_hash_sha512_init(&state);
    hash_lv(&state, text(isk_domain));
    hash_lv(&state, setup->session);
    hash_lv(&state, shared);
    hash_lv(&state, peer->is_initiator ? ours : theirs);
    hash_lv(&state, peer->is_initiator ? peer->our_data : peer->peer_data);
    hash_lv(&state, peer->is_initiator ? theirs : ours);
    hash_lv(&state, peer->is_initiator ? peer->peer_data : peer->our_data);
    (void)crypto_hash_sha512_final(&state, isk);
    sodium_memzero(&state, sizeof state);
    sodium_memzero(k, sizeof k);
    return 0;
}

int tern_cpace_finish(const struct tern_cpace *cpace, const struct tern_cpace_setup *setup,
                      const uint8_t peer_share[TERN_CPACE_SIZE], bool is_initiator,
                      uint8_t key[TERN_CPACE_SIZE])
{
    uint8_t isk[TERN_CPACE_ISK_SIZE], secret[TERN_SECRET_SIZE];
    struct tern_cpace_peer peer = {.share = peer_share, .is_initiator = is_initiator};
    int rc = tern_cpace_isk(cpace, setup, &peer, isk);
    if (rc == 0) {
        tern_hkdf_extract(secret, NULL, 0, isk, sizeof isk);
        tern_hkdf_expand(secret, (const uint8_t *)psk_label, sizeof psk_label - 1, key,
                         TERN_CPACE_SIZE);
    }
    sodium_memzero(isk, sizeof isk);
    sodium_memzero(secret, sizeof secret);
    return rc;
}
