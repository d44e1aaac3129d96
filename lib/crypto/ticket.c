/* Tickets under XChaCha20-Poly1305 with keys that change daily. [P §4.8]
 * SPDX-License-Identifier: MIT */
#include "crypto/ticket.h"

#include <sodium.h>

#include "base/cursor.h"
#include "crypto/keys.h"

static const uint8_t purpose[] =
    "tern ticket 1"; /* of the associated data, with the key's number */

void tern_ticket_keys_init(struct tern_ticket_keys *keys, struct tern_random *random, tern_time now)
{
    memset(keys, 0, sizeof *keys);
    tern_random_fill(random, keys->keys[0], sizeof keys->keys[0]);
    keys->since = now;
}

void tern_ticket_keys_clear(struct tern_ticket_keys *keys)
{
    sodium_memzero(keys, sizeof *keys);
}

static void rotate_keys(struct tern_ticket_keys *keys, struct tern_random *random, tern_time now)
{
    tern_time passed = tern_sub_sat(now, keys->since);
    if (passed < TERN_TICKET_LIFE) {
        return;
    }
    keys->generation++;
    tern_random_fill(random, keys->keys[keys->generation % 2], sizeof keys->keys[0]);
    keys->has_previous = passed < 2 * TERN_TICKET_LIFE;
    keys->since = now;
}

static size_t write_aad(uint8_t out[sizeof purpose], uint8_t generation)
{
    memcpy(out, purpose, sizeof purpose - 1);
    out[sizeof purpose - 1] = generation;
    return sizeof purpose;
}

static void write_plain(uint8_t out[TERN_TICKET_PLAIN_SIZE], const struct tern_ticket *ticket)
{
    struct tern_writer w;
    tern_writer_init(&w, out, TERN_TICKET_PLAIN_SIZE);
    tern_write_uint(&w, ticket->id, 8);
    tern_write_uint(&w, ticket->issued_at, 8);
    tern_write_uint(&w, ticket->proved_at, 8);
    tern_write_uint(&w, ticket->suite, 2);
    tern_write_bytes(&w, ticket->secret, sizeof ticket->secret);
    tern_write_bytes(&w, ticket->client_key, sizeof ticket->client_key);
    for (size_t i = 0; i < TERN_TICKET_LIMITS; i++) {
        tern_write_uint(&w, ticket->limits[i], 8);
    }
    tern_assert(!w.failed && tern_writer_left(&w) == 0);
}

static void read_plain(struct tern_ticket *out, const uint8_t plain[TERN_TICKET_PLAIN_SIZE])
{
    struct tern_reader r;
    tern_reader_init(&r, plain, TERN_TICKET_PLAIN_SIZE);
    out->id = tern_read_uint(&r, 8);
    out->issued_at = tern_read_uint(&r, 8);
    out->proved_at = tern_read_uint(&r, 8);
    out->suite = (uint16_t)tern_read_uint(&r, 2);
    tern_read_copy(&r, out->secret, sizeof out->secret);
    tern_read_copy(&r, out->client_key, sizeof out->client_key);
    for (size_t i = 0; i < TERN_TICKET_LIMITS; i++) {
        out->limits[i] = tern_read_uint(&r, 8);
    }
}

void tern_ticket_seal(struct tern_ticket_keys *keys, const struct tern_ticket *ticket,
                      struct tern_random *random, uint8_t out[TERN_TICKET_SIZE], tern_time now)
{
    uint8_t plain[TERN_TICKET_PLAIN_SIZE], aad[sizeof purpose];
    uint8_t *nonce = out + 1;
    rotate_keys(keys, random, now);
    write_plain(plain, ticket);
    out[0] = keys->generation;
    tern_random_fill(random, nonce, TERN_TICKET_NONCE_SIZE);
    size_t aad_len = write_aad(aad, keys->generation);
    (void)crypto_aead_xchacha20poly1305_ietf_encrypt(nonce + TERN_TICKET_NONCE_SIZE, NULL, plain,
                                                     sizeof plain, aad, aad_len, NULL, nonce,
                                                     keys->keys[keys->generation % 2]);
    sodium_memzero(plain, sizeof plain);
}

int tern_ticket_open(struct tern_ticket_keys *keys, struct tern_ticket *out, const uint8_t *sealed,
                     size_t len, struct tern_random *random, tern_time now)
{
    uint8_t plain[TERN_TICKET_PLAIN_SIZE], aad[sizeof purpose];
    rotate_keys(keys, random, now);
    if (len != TERN_TICKET_SIZE) {
        return TERN_ERR_CRYPTO;
    }
    uint8_t age = (uint8_t)(keys->generation - sealed[0]);
    if (age > (keys->has_previous ? 1 : 0)) {
        return TERN_ERR_CRYPTO;
    }
    size_t aad_len = write_aad(aad, sealed[0]);
    const uint8_t *nonce = sealed + 1;
    int rc = crypto_aead_xchacha20poly1305_ietf_decrypt(
        plain, NULL, NULL, nonce + TERN_TICKET_NONCE_SIZE, sizeof plain + 16, aad, aad_len, nonce,
        keys->keys[sealed[0] % 2]);
    if (rc == 0) {
        read_plain(out, plain);
    }
    sodium_memzero(plain, sizeof plain);
    return rc == 0 ? 0 : TERN_ERR_CRYPTO;
}

void tern_ticket_binder(uint8_t out[TERN_TICKET_BINDER_SIZE],
                        const uint8_t secret[TERN_TICKET_SECRET_SIZE],
                        const uint8_t ephemeral[TERN_KEY_SIZE], uint64_t age)
{
    uint8_t context[TERN_KEY_SIZE + 8];
    struct tern_writer w;
    tern_writer_init(&w, context, sizeof context);
    tern_write_bytes(&w, ephemeral, TERN_KEY_SIZE);
    tern_write_uint(&w, age, 8);
    tern_hkdf_expand_label(secret, TERN_LABEL_PREFIX, "binder", context, sizeof context, out,
                           TERN_TICKET_BINDER_SIZE);
}
