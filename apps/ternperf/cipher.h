/* Sealing and opening and nothing else, to compare tern with.
 * SPDX-License-Identifier: MIT */
#ifndef TERNPERF_CIPHER_H
#define TERNPERF_CIPHER_H

#include <sodium.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef TERN_HAVE_IPSEC_MB
#include <intel-ipsec-mb.h>
#endif

#define CIPHER_HEADER  11 /* of a short packet: first octet, identifier, two octets of number */
#define CIPHER_KEY_MAX 32

struct cipher {
    unsigned suite;
    size_t tag;
    uint8_t key[CIPHER_KEY_MAX];
    _Alignas(16) crypto_aead_aes256gcm_state aes;
#ifdef TERN_HAVE_IPSEC_MB
    struct gcm_key_data gcm;
    bool is_mb; /* AES-GCM by the library that tern takes it from */
#endif
};

/* A key of zeros; suite: TERN_SUITE_*, 0: none. */
void cipher_init(struct cipher *cipher, unsigned suite);

/* From where the application has it into the packet, behind its header: there is no copy besides. The tag
 * goes behind that. */
void cipher_seal(const struct cipher *cipher, uint8_t *packet, const uint8_t *from, size_t len,
                 uint64_t number);

/* In place; `len` is the whole packet's. */
bool cipher_open(const struct cipher *cipher, uint8_t *packet, size_t len);

#endif
