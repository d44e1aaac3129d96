/* The offer of a file: what is said of it in a room, and under which name it may be written.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCHAT_OFFER_H
#define TERNCHAT_OFFER_H

#include "ternchat/proto.h"

#define OFFER_NAME_MAX   200 /* bytes, so that a number fits in before the file system's 255 */
#define OFFER_NAME_SIZE  256 /* of a name with a number, and the end */
#define OFFER_HASH_SIZE  32
#define OFFER_KEY_SIZE   32
#define OFFER_SIZE_MAX   ((uint64_t)1 << 60)
#define OFFER_BODY_MAX   (1 + 8 + OFFER_HASH_SIZE + OFFER_KEY_SIZE + OFFER_NAME_MAX)
#define OFFER_BYTES_TEXT 32

struct offer {
    uint64_t size;
    uint8_t hash[OFFER_HASH_SIZE]; /* BLAKE2b of the contents */
    uint8_t key[OFFER_KEY_SIZE];   /* under which they travel */
    char name[OFFER_NAME_SIZE];    /* safe, as offer_safe_name has it */
};

/* The body of an event of CHAT_KIND_FILE; its length, or 0 when it does not fit. */
size_t offer_encode(const struct offer *offer, uint8_t *buf, size_t size);
/* False: it is none, or of a later version. */
bool offer_decode(struct offer *offer, struct chat_slice body);

/* A name for a file in a folder of ours, whatever comes: what is behind the last slash of either sort, without
 * anything that cannot be seen, that begins like an option or a hidden file, or that means something else than
 * a file to some system. Never empty; the ending stays when it is cut. */
void offer_safe_name(const void *name, size_t len, char out[OFFER_NAME_SIZE]);
/* "name (3).txt"; 0: the name itself. */
void offer_numbered_name(const char *name, unsigned number, char out[OFFER_NAME_SIZE]);

/* "3.4 MB" */
const char *offer_bytes_text(uint64_t bytes, char out[OFFER_BYTES_TEXT]);

#endif
