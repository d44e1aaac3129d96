/* A key in a box that only one person can open, and of which they know who has closed it.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCHAT_BOX_H
#define TERNCHAT_BOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tern/types.h>

#define BOX_KEY   32             /* what is in it */
#define BOX_BYTES (BOX_KEY + 16) /* what it is */

/* Static keys of both, and one that was made for this event alone: the secret halves that one has. */
struct box_from {
    const uint8_t *secret, *pub;                     /* static */
    const uint8_t *ephemeral_secret, *ephemeral_pub; /* of the event */
};

/* `about`: what both must agree on. False: a key is no key. */
bool box_close(const struct box_from *from, const uint8_t to[TERN_KEY_SIZE], const uint8_t *about,
               size_t about_len, const uint8_t key[BOX_KEY], uint8_t out[BOX_BYTES]);

struct box_to {
    const uint8_t *secret, *pub; /* ours */
    const uint8_t *from, *ephemeral_pub;
};

/* False: it is not for us, not from them, or not about that. */
bool box_open(const struct box_to *to, const uint8_t *about, size_t about_len,
              const uint8_t box[BOX_BYTES], uint8_t key[BOX_KEY]);

#endif
