/* CPace: two ends with the same short code agree on a key, and whoever lacks the code learns nothing
 * but whether one guess was right. [P §4.7]
 *
 * draft-irtf-cfrg-cpace-21, suite CPACE-RISTR255-SHA512, initiator and responder.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_CRYPTO_CPACE_H
#define TERN_CRYPTO_CPACE_H

#include "base/random.h"

#define TERN_CPACE_SIZE     32 /* a scalar, a point, the resulting key */
#define TERN_CPACE_ISK_SIZE 64

struct tern_cpace_bytes {
    const void *data;
    size_t len;
};

/* What both ends must have in common. */
struct tern_cpace_setup {
    struct tern_cpace_bytes code;    /* PRS */
    struct tern_cpace_bytes channel; /* CI: who speaks to whom, and what for */
    struct tern_cpace_bytes session; /* sid */
};

/* One end's half: wipe it when it is over. */
struct tern_cpace {
    uint8_t scalar[TERN_CPACE_SIZE];
    uint8_t share[TERN_CPACE_SIZE]; /* Ya or Yb: goes to the peer */
};

/* Draws a scalar. 0 · TERN_ERR_CRYPTO (a scalar of zero: as likely as a guessed key) */
TERN_MUST_CHECK int tern_cpace_begin(struct tern_cpace *cpace, const struct tern_cpace_setup *setup,
                                     struct tern_random *random);
/* The same with a given scalar: for test vectors. */
TERN_MUST_CHECK int tern_cpace_begin_with(struct tern_cpace *cpace,
                                          const struct tern_cpace_setup *setup,
                                          const uint8_t scalar[TERN_CPACE_SIZE]);

/* The intermediate session key of §7.2 there, over the associated data of both sides (may be empty).
 * 0 · TERN_ERR_CRYPTO (the peer's share is no point, the neutral one, or our own sent back) */
struct tern_cpace_peer {
    const uint8_t *share;
    struct tern_cpace_bytes our_data, peer_data;
    bool is_initiator; /* we are */
};
TERN_MUST_CHECK int tern_cpace_isk(const struct tern_cpace *cpace,
                                   const struct tern_cpace_setup *setup,
                                   const struct tern_cpace_peer *peer,
                                   uint8_t isk[TERN_CPACE_ISK_SIZE]);

/* The key that goes into the handshake as its psk, from the intermediate one. Errors as before. */
TERN_MUST_CHECK int tern_cpace_finish(const struct tern_cpace *cpace,
                                      const struct tern_cpace_setup *setup,
                                      const uint8_t peer_share[TERN_CPACE_SIZE], bool is_initiator,
                                      uint8_t key[TERN_CPACE_SIZE]);

/* For tests: the generator that a code leads to. */
void tern_cpace_generator(uint8_t out[TERN_CPACE_SIZE], const struct tern_cpace_setup *setup);

#endif
