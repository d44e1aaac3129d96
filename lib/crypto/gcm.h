/* AES-256-GCM by intel-ipsec-mb, in builds that have found it (TERN_HAVE_IPSEC_MB); crypto/aead chooses.
 *
 * Its functions for one message are called directly: no job, no manager, nothing shared between threads
 * but which functions suit the processor, and that is found out once and never changes.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_CRYPTO_GCM_H
#define TERN_CRYPTO_GCM_H

#include "base/def.h"

#define TERN_GCM_KEY_SIZE   32
#define TERN_GCM_NONCE_SIZE 12
#define TERN_GCM_TAG_SIZE   16
#define TERN_GCM_ROOM       1024 /* round keys and 48 powers of the hash key */

enum tern_gcm_speed {
    TERN_GCM_ABSENT, /* the processor lacks the instructions, or the library fails its own test */
    TERN_GCM_NARROW, /* AES and carry-less multiplication, one block an instruction */
    TERN_GCM_WIDE    /* four: VAES and VPCLMULQDQ with AVX-512 */
};

/* The first call takes some milliseconds, for the library tests itself. Any thread may be the first. */
enum tern_gcm_speed tern_gcm_speed(void);

/* A key made ready, once the speed is known not to be ABSENT. It is plain bytes, which may be copied and
 * should be wiped, and of any alignment, though 16 serves it best. */
void tern_gcm_expand(uint8_t room[TERN_GCM_ROOM], const uint8_t key[TERN_GCM_KEY_SIZE]);

/* In place: len bytes, and the tag behind them. */
void tern_gcm_seal(const uint8_t room[TERN_GCM_ROOM], const uint8_t nonce[TERN_GCM_NONCE_SIZE],
                   const uint8_t *ad, size_t ad_len, uint8_t *buf, size_t len);

/* In place: len bytes of plaintext remain of those and a tag; of a forgery, zeros. 0 · TERN_ERR_CRYPTO */
TERN_MUST_CHECK int tern_gcm_open(const uint8_t room[TERN_GCM_ROOM],
                                  const uint8_t nonce[TERN_GCM_NONCE_SIZE], const uint8_t *ad,
                                  size_t ad_len, uint8_t *buf, size_t len);

#endif
