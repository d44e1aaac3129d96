/* From secrets to packet keys: HKDF labels, Initial secrets, sealing with a number, key update.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_CRYPTO_KEYS_H
#define TERN_CRYPTO_KEYS_H

#include "crypto/aead.h"

#define TERN_LABEL_PREFIX "tern "
#define TERN_LABEL_MAX    255 /* prefix and label together: RFC 8446 §7.1 */
#define TERN_HKDF_OUT_MAX (255 * TERN_SECRET_SIZE)
#define TERN_PN_MAX       ((UINT64_C(1) << 62) - 1)

/* HKDF with SHA-256, RFC 5869. */
void tern_hkdf_extract(uint8_t out[TERN_SECRET_SIZE], const uint8_t *salt, size_t salt_len,
                       const uint8_t *ikm, size_t ikm_len);
void tern_hkdf_expand(const uint8_t secret[TERN_SECRET_SIZE], const uint8_t *info, size_t info_len,
                      uint8_t *out, size_t len);

/* HKDF-Expand-Label of RFC 8446 §7.1 with a prefix of our choice: "tern " on the wire, "tls13 quic "
 * to check RFC 9001 A.5. context may be NULL when context_len is 0 and has 255 bytes at most. */
void tern_hkdf_expand_label(const uint8_t secret[TERN_SECRET_SIZE], const char *prefix,
                            const char *label, const uint8_t *context, size_t context_len,
                            uint8_t *out, size_t len);

/* The secrets of Initial packets. They follow from what the first packet shows, and from the
 * server's public key when the client knows it (NULL: it does not): a filter, not a secret. */
void tern_initial_secrets(uint8_t client[TERN_SECRET_SIZE], uint8_t server[TERN_SECRET_SIZE],
                          const uint8_t *dcid, size_t dcid_len, const uint8_t *server_public);

/* The key of Retry's integrity tag: HKDF-Expand-Label(HKDF-Extract(salt, K), "retry", "", 32), where K
 * is the server's public key, or empty (NULL). It hides from nobody who has that: as the tag of RFC 9001
 * §5.8 it keeps accidents and the blind away. */
void tern_retry_secret(uint8_t out[TERN_SECRET_SIZE], const uint8_t *server_public);

/* All that one direction of one key phase needs. */
struct tern_packet_keys {
    struct tern_aead aead;
    uint64_t sealed; /* packets, against tern_suite_seal_limit */
    uint64_t opened;
    struct tern_mask_key mask;
    uint8_t iv[TERN_AEAD_NONCE_MAX]; /* the suite's nonce_size bytes of it */
    uint8_t secret[TERN_SECRET_SIZE];
    const char *prefix; /* of the labels; static storage */
    unsigned suite;
};

/* Keys with our own label prefix, or with another's.
 * 0 · TERN_ERR_UNSUPPORTED (this build or machine lacks the suite); keys are clear then */
TERN_MUST_CHECK int tern_packet_keys_init(struct tern_packet_keys *keys, unsigned suite,
                                          const uint8_t secret[TERN_SECRET_SIZE]);
TERN_MUST_CHECK int tern_packet_keys_init_as(struct tern_packet_keys *keys, unsigned suite,
                                             const uint8_t secret[TERN_SECRET_SIZE],
                                             const char *prefix);
void tern_packet_keys_clear(struct tern_packet_keys *keys); /* wipes; a zeroed struct is fine */
/* Asks for the memory that they want for packets of a few blocks alone, or of any length. */
void tern_packet_keys_fetch(const struct tern_packet_keys *keys, bool is_short);

/* What they can be made from again, for while they are not used: a tenth of their size. */
struct tern_packet_seed {
    struct tern_mask_key mask;
    uint8_t secret[TERN_SECRET_SIZE];
    const char *prefix;
    unsigned suite;
    uint64_t sealed, opened;
};
void tern_packet_keys_fold(struct tern_packet_seed *seed, const struct tern_packet_keys *keys);
/* 0 · TERN_ERR_UNSUPPORTED (the keys were clear); keys are clear then */
TERN_MUST_CHECK int tern_packet_keys_unfold(struct tern_packet_keys *keys,
                                            const struct tern_packet_seed *seed);

/* The keys of the next phase, RFC 9001 §6: a new secret, key and IV, the same header mask. next may
 * be current itself. 0 · TERN_ERR_UNSUPPORTED (current was clear) */
TERN_MUST_CHECK int tern_packet_keys_update(struct tern_packet_keys *next,
                                            const struct tern_packet_keys *current);

/* The same with fresh secret bytes mixed in, of which who knows the present keys knows nothing:
 * [P §5.7]. */
TERN_MUST_CHECK int tern_packet_keys_ratchet(struct tern_packet_keys *next,
                                             const struct tern_packet_keys *current,
                                             const uint8_t mix[TERN_SECRET_SIZE]);

/* One end of a fresh Diffie-Hellman: the public point for 32 random bytes, and what both ends make of
 * it. 0 · TERN_ERR_CRYPTO (the peer's point is of small order) */
void tern_ratchet_public(uint8_t pub[TERN_SECRET_SIZE], const uint8_t secret[TERN_SECRET_SIZE]);
TERN_MUST_CHECK int tern_ratchet_mix(uint8_t mix[TERN_SECRET_SIZE],
                                     const uint8_t secret[TERN_SECRET_SIZE],
                                     const uint8_t client_public[TERN_SECRET_SIZE],
                                     const uint8_t server_public[TERN_SECRET_SIZE], bool is_server);

/* IV xor (path id u32 ‖ packet number u64), in the last twelve bytes of the nonce. Path 0 is
 * RFC 9001 §5.3; the others follow draft-ietf-quic-multipath §2.4. pn at most TERN_PN_MAX. */
void tern_packet_nonce(const struct tern_packet_keys *keys, uint32_t path_id, uint64_t pn,
                       uint8_t nonce[TERN_AEAD_NONCE_MAX]);

/* Seals the len bytes at payload in place and appends the tag (room: the caller's duty); the header
 * up to and including the packet number is authenticated. The caller never gives a number twice.
 * 0 · TERN_ERR_AEAD_LIMIT (the key is worn out: nothing was sealed) */
TERN_MUST_CHECK int tern_packet_seal(struct tern_packet_keys *keys, uint32_t path_id, uint64_t pn,
                                     const uint8_t *header, size_t header_len, uint8_t *payload,
                                     size_t len);

/* Whether len bytes, tag included, would open; they are left as they are. An Initial packet's suite only.
 * 0 · TERN_ERR_CRYPTO · TERN_ERR_UNSUPPORTED */
TERN_MUST_CHECK int tern_packet_check(const struct tern_packet_keys *keys, uint64_t pn,
                                      const uint8_t *header, size_t header_len,
                                      const uint8_t *sealed, size_t len);

/* Opens len bytes, tag included; len - tag_size bytes of plaintext remain at payload. On failure
 * the bytes are spent. 0 · TERN_ERR_CRYPTO */
TERN_MUST_CHECK int tern_packet_open(struct tern_packet_keys *keys, uint32_t path_id, uint64_t pn,
                                     const uint8_t *header, size_t header_len, uint8_t *payload,
                                     size_t len);

#endif
