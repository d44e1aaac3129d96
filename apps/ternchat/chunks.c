/* The place of a chunk is its additional data; the tag of the last one is "final".
 * SPDX-License-Identifier: MIT */
#include "ternchat/chunks.h"

#include <string.h>

_Static_assert(OFFER_KEY_SIZE == crypto_secretstream_xchacha20poly1305_KEYBYTES, "an offer's key");

bool chunks_may_begin(uint64_t offset, uint64_t size)
{
    return offset <= size && offset % CHUNKS_PLAIN == 0;
}

static void begin(struct chunks *c, const struct offer *offer, uint64_t offset)
{
    c->offset = offset;
    c->size = offer->size;
    c->is_over = false;
}

void chunks_seal_begin(struct chunks *c, const struct offer *offer, uint64_t offset,
                       uint8_t header[CHUNKS_HEADER])
{
    begin(c, offer, offset);
    (void)crypto_secretstream_xchacha20poly1305_init_push(&c->state, header, offer->key);
}

bool chunks_unseal_begin(struct chunks *c, const struct offer *offer, uint64_t offset,
                         const uint8_t header[CHUNKS_HEADER])
{
    begin(c, offer, offset);
    return crypto_secretstream_xchacha20poly1305_init_pull(&c->state, header, offer->key) == 0;
}

size_t chunks_plain(const struct chunks *c)
{
    uint64_t left = c->size - c->offset;
    return left < CHUNKS_PLAIN ? (size_t)left : CHUNKS_PLAIN;
}

size_t chunks_sealed(const struct chunks *c)
{
    return chunks_plain(c) + crypto_secretstream_xchacha20poly1305_ABYTES;
}

static void place_of(const struct chunks *c, uint8_t out[8])
{
    for (unsigned i = 0; i < 8; i++) {
        out[i] = (uint8_t)(c->offset >> (56 - 8 * i));
    }
}

static bool is_last(const struct chunks *c)
{
    return c->size - c->offset <= CHUNKS_PLAIN;
}

static void pass(struct chunks *c)
{
    c->is_over = is_last(c);
    c->offset += chunks_plain(c);
}

void chunks_seal(struct chunks *c, const uint8_t *plain, uint8_t *out)
{
    uint8_t place[8];
    unsigned char tag = is_last(c) ? crypto_secretstream_xchacha20poly1305_TAG_FINAL : 0;
    place_of(c, place);
    (void)crypto_secretstream_xchacha20poly1305_push(&c->state, out, NULL, plain, chunks_plain(c),
                                                     place, sizeof place, tag);
    pass(c);
}

bool chunks_unseal(struct chunks *c, const uint8_t *sealed, uint8_t *out)
{
    uint8_t place[8];
    unsigned char tag = 0,
                  wanted = is_last(c) ? crypto_secretstream_xchacha20poly1305_TAG_FINAL : 0;
    place_of(c, place);
    if (crypto_secretstream_xchacha20poly1305_pull(&c->state, out, NULL, &tag, sealed,
                                                   chunks_sealed(c), place, sizeof place) != 0 ||
        tag != wanted) {
        return false;
    }
    pass(c);
    return true;
}
