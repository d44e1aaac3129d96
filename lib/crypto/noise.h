/* The HandshakeState of the Noise specification: any pattern of the table in noise.c, by its name.
 *
 * Each call works on a copy of the state and commits it when all has verified: a message that fails
 * leaves the handshake as it was, ready for the true one.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_CRYPTO_NOISE_H
#define TERN_CRYPTO_NOISE_H

#include "base/random.h"
#include "crypto/kem.h"
#include "crypto/symmetric.h"

#define TERN_NOISE_MESSAGE_MAX 65535 /* Noise §3 */
#define TERN_NOISE_MESSAGES    4     /* in the longest pattern */
#define TERN_NOISE_TOKENS      8     /* in the longest message, modifiers included */
#define TERN_NOISE_PSKS        2
#define TERN_NOISE_LABEL_MAX   32 /* of an export */
#define TERN_NOISE_SECRET_SIZE 32

/* Whatever the pattern does not need stays NULL; what it needs must be there. */
struct tern_noise_setup {
    const char *protocol_name; /* "Noise_XKpsk3_25519_ChaChaPoly_SHA256" */
    bool is_initiator;
    const uint8_t *prologue;
    size_t prologue_len;
    const uint8_t *static_secret; /* TERN_KEY_SIZE bytes */
    const uint8_t *static_public; /* of static_secret; NULL: computed, one multiplication */
    const uint8_t *remote_static; /* when the pattern has it known beforehand, and only then */
    const uint8_t (*psks)[TERN_NOISE_SECRET_SIZE]; /* in the order of the psk tokens */
    size_t psk_count;
    /* With the modifier hfs. Room is lent: to an initiator for the seed of its encapsulation key, until
     * it has read message 2; to a responder for the initiator's key, from message 1 until it has written
     * message 2. A responder without a KEM can read message 1 all the same, not more. */
    const struct tern_kem *kem;
    uint8_t *kem_room; /* TERN_KEM_SEED_SIZE or TERN_KEM_PUBLIC_SIZE bytes */
};

struct tern_noise {
    struct tern_symmetric symmetric;
    uint8_t tokens[TERN_NOISE_MESSAGES][TERN_NOISE_TOKENS]; /* zero-terminated each */
    uint8_t s[TERN_KEY_SIZE], s_public[TERN_KEY_SIZE];
    uint8_t e[TERN_KEY_SIZE], e_public[TERN_KEY_SIZE];
    uint8_t rs[TERN_KEY_SIZE], re[TERN_KEY_SIZE];
    uint8_t psks[TERN_NOISE_PSKS][TERN_NOISE_SECRET_SIZE];
    const struct tern_kem *kem;
    uint8_t *kem_room;
    uint8_t message_count, message; /* in the pattern; the next one's index */
    uint8_t psk_count, psk;         /* given; the next one's index */
    bool is_initiator;
    bool has_s, has_e, has_rs, has_re;
};

/* 0 · TERN_ERR_UNSUPPORTED (a part of the name is unknown here, or needs a CPU that is not here) ·
 * TERN_ERR_INVALID (a key that the pattern needs is missing, or one that it cannot use is given) ·
 * TERN_ERR_CRYPTO (static_secret has no public key) */
TERN_MUST_CHECK int tern_noise_init(struct tern_noise *noise, const struct tern_noise_setup *setup);
void tern_noise_clear(struct tern_noise *noise); /* wipes; a zeroed struct is fine */

/* For test vectors alone: the ephemeral secret that the next e token would draw. */
void tern_noise_set_ephemeral(struct tern_noise *noise, const uint8_t secret[TERN_KEY_SIZE]);

/* A psk (by its place among the psk tokens) that is known only once the handshake has begun, as one that
 * a PAKE inside it gives. Zeros may stand for it in the setup. */
void tern_noise_set_psk(struct tern_noise *noise, size_t index,
                        const uint8_t psk[TERN_NOISE_SECRET_SIZE]);

/* Draws the ephemeral key ahead of the message that carries it, for a payload that depends on it.
 * Returns the public half; NULL: none could be made. */
const uint8_t *tern_noise_draw_ephemeral(struct tern_noise *noise, struct tern_random *random);
/* The peer's ephemeral public key, or NULL while unknown. Lives as long as the state. */
const uint8_t *tern_noise_remote_ephemeral(const struct tern_noise *noise);

/* A message of ours was among those so far. */
bool tern_noise_has_written(const struct tern_noise *noise);
/* The next message is ours to write (or, else, to read); false once all are done. */
bool tern_noise_is_writer(const struct tern_noise *noise);

/* Writes the next message. payload and out must not overlap.
 * 0 · TERN_ERR_STATE (not our turn) · TERN_ERR_BUFFER (capacity, or more than 65535 bytes) ·
 * TERN_ERR_CRYPTO (a Diffie-Hellman result of zero) */
TERN_MUST_CHECK int tern_noise_write(struct tern_noise *noise, struct tern_random *random,
                                     const uint8_t *payload, size_t payload_len, uint8_t *out,
                                     size_t capacity, size_t *out_len);

/* Reads the next message; its payload goes to out. message and out must not overlap. A key that the
 * message carries is to be believed only once the pattern has authenticated it.
 * 0 · TERN_ERR_STATE (not our turn) · TERN_ERR_BUFFER (capacity) · TERN_ERR_CRYPTO (truncated,
 * forged, a low-order point, or our own ephemeral sent back) */
TERN_MUST_CHECK int tern_noise_read(struct tern_noise *noise, const uint8_t *message, size_t len,
                                    uint8_t *out, size_t capacity, size_t *out_len);

bool tern_noise_is_finished(const struct tern_noise *noise);

/* The peer's static public key, or NULL while unknown. Lives as long as the state. */
const uint8_t *tern_noise_remote_static(const struct tern_noise *noise);

/* The hash h over all that was said so far; at the end it names the session (Noise §11.2). Lives
 * until the next message. */
const uint8_t *tern_noise_hash(const struct tern_noise *noise, size_t *len);

/* A secret that both ends derive from the present state, named by a label of 1 to
 * TERN_NOISE_LABEL_MAX characters. SHA256 protocols only.
 * 0 · TERN_ERR_INVALID (label) · TERN_ERR_UNSUPPORTED (another hash) · TERN_ERR_STATE (no key has
 * been agreed yet) */
TERN_MUST_CHECK int tern_noise_export(const struct tern_noise *noise, const char *label,
                                      uint8_t out[TERN_NOISE_SECRET_SIZE]);

/* The same, depending on other bytes besides: at most TERN_NOISE_CONTEXT_MAX of them. */
#define TERN_NOISE_CONTEXT_MAX 64
TERN_MUST_CHECK int tern_noise_export_with(const struct tern_noise *noise, const char *label,
                                           const uint8_t *context, size_t context_len,
                                           uint8_t out[TERN_NOISE_SECRET_SIZE]);

/* The transport keys. 0 · TERN_ERR_STATE (not finished) */
TERN_MUST_CHECK int tern_noise_split(const struct tern_noise *noise,
                                     uint8_t initiator[TERN_NOISE_KEY_SIZE],
                                     uint8_t responder[TERN_NOISE_KEY_SIZE]);

#endif
