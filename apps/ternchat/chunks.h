/* A file on its way, sealed: a stream of libsodium's secretstream, whose server sees nothing but its length.
 *
 * Chunks of CHUNKS_PLAIN bytes, the last one shorter, or empty when nothing is left. Each is bound to its
 * place in the file, and the last one says that it is the last; so what was taken away, changed, or put
 * elsewhere is found out, and what came before it is known to be right.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCHAT_CHUNKS_H
#define TERNCHAT_CHUNKS_H

#include <sodium.h>

#include "ternchat/offer.h"

#define CHUNKS_PLAIN  ((size_t)64 * 1024)
#define CHUNKS_SEALED (CHUNKS_PLAIN + crypto_secretstream_xchacha20poly1305_ABYTES)
#define CHUNKS_HEADER crypto_secretstream_xchacha20poly1305_HEADERBYTES

struct chunks {
    crypto_secretstream_xchacha20poly1305_state state;
    uint64_t offset, size;
    bool is_over; /* the last one was sealed, or unsealed */
};

/* From there on; may it be? An offset is a number of whole chunks. */
bool chunks_may_begin(uint64_t offset, uint64_t size);
void chunks_seal_begin(struct chunks *c, const struct offer *offer, uint64_t offset,
                       uint8_t header[CHUNKS_HEADER]);
bool chunks_unseal_begin(struct chunks *c, const struct offer *offer, uint64_t offset,
                         const uint8_t header[CHUNKS_HEADER]);

size_t chunks_plain(const struct chunks *c);  /* bytes of the next chunk */
size_t chunks_sealed(const struct chunks *c); /* the same, sealed */

/* The next chunk: chunks_plain bytes in, chunks_sealed out, and the other way round. False: it was changed on the way,
 * or is another one. */
void chunks_seal(struct chunks *c, const uint8_t *plain, uint8_t *out);
bool chunks_unseal(struct chunks *c, const uint8_t *sealed, uint8_t *out);

#endif
