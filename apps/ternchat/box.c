/* Two agreements make the key of a box: with the sender's static key, so that nobody else can have closed
 * it, and with the event's own, so that the sender's static key alone cannot open it later.
 * SPDX-License-Identifier: MIT */
#include "ternchat/box.h"

#include <sodium.h>
#include <string.h>

#define BOX_NAME "tern chat box"

/* Each key closes one box, so the nonce need not differ. */
static const uint8_t nonce[crypto_aead_xchacha20poly1305_ietf_NPUBBYTES];

struct parties {
    const uint8_t *from, *to, *ephemeral; /* public halves */
};

/* The key out of both agreements; they are wiped. */
static void mix(const struct parties *p, uint8_t shared[2][crypto_scalarmult_BYTES],
                uint8_t key[BOX_KEY])
{
    crypto_generichash_state state;
    (void)crypto_generichash_init(&state, NULL, 0, BOX_KEY);
    (void)crypto_generichash_update(&state, (const uint8_t *)BOX_NAME, sizeof BOX_NAME - 1);
    (void)crypto_generichash_update(&state, p->ephemeral, TERN_KEY_SIZE);
    (void)crypto_generichash_update(&state, p->from, TERN_KEY_SIZE);
    (void)crypto_generichash_update(&state, p->to, TERN_KEY_SIZE);
    (void)crypto_generichash_update(&state, shared[0], crypto_scalarmult_BYTES);
    (void)crypto_generichash_update(&state, shared[1], crypto_scalarmult_BYTES);
    (void)crypto_generichash_final(&state, key, BOX_KEY);
    sodium_memzero(&state, sizeof state);
}

bool box_close(const struct box_from *from, const uint8_t to[TERN_KEY_SIZE], const uint8_t *about,
               size_t about_len, const uint8_t key[BOX_KEY], uint8_t out[BOX_BYTES])
{
    uint8_t shared[2][crypto_scalarmult_BYTES], box_key[BOX_KEY];
    const struct parties p = {from->pub, to, from->ephemeral_pub};
    bool is_key = crypto_scalarmult(shared[0], from->ephemeral_secret, to) == 0 &&
                  crypto_scalarmult(shared[1], from->secret, to) == 0;
    if (is_key) {
        mix(&p, shared, box_key);
        (void)crypto_aead_xchacha20poly1305_ietf_encrypt(out, NULL, key, BOX_KEY, about, about_len,
                                                         NULL, nonce, box_key);
    }
    sodium_memzero(shared, sizeof shared);
    sodium_memzero(box_key, sizeof box_key);
    return is_key;
}

bool box_open(const struct box_to *to, const uint8_t *about, size_t about_len,
              const uint8_t box[BOX_BYTES], uint8_t key[BOX_KEY])
{
    uint8_t shared[2][crypto_scalarmult_BYTES], box_key[BOX_KEY];
    const struct parties p = {to->from, to->pub, to->ephemeral_pub};
    bool is_open = crypto_scalarmult(shared[0], to->secret, to->ephemeral_pub) == 0 &&
                   crypto_scalarmult(shared[1], to->secret, to->from) == 0;
    if (is_open) {
        mix(&p, shared, box_key);
        is_open = crypto_aead_xchacha20poly1305_ietf_decrypt(key, NULL, NULL, box, BOX_BYTES, about,
                                                             about_len, nonce, box_key) == 0;
    }
    sodium_memzero(shared, sizeof shared);
    sodium_memzero(box_key, sizeof box_key);
    return is_open;
}
