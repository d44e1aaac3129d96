/* zstd, if terncp was built with it: packing blocks and batches on the workers' threads.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_ZIP_H
#define TERNCP_ZIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ZIP_LEVEL     3 /* unless told otherwise */
#define ZIP_LEVEL_MAX 19

bool zip_is_there(void);

/* Packs into `out`, which has room for len bytes. Returns how many it took; 0: it did not shrink by a
 * sixteenth, or there is no memory or no zstd. */
size_t zip_pack(const uint8_t *data, size_t len, uint8_t *out, int level);

/* Exactly len bytes into out, or false. */
bool zip_unpack(const uint8_t *packed, size_t packed_len, uint8_t *out, size_t len);

/* Whether packing is worth it: what does not shrink is not tried again for a while, and a wire that idles
 * gets its bytes as they are. */
struct zip_gauge {
    /* Blocks that are still not to be tried, and how many it was the last time. */
    unsigned skip, pause;
};
bool zip_gauge_wants(struct zip_gauge *gauge);
void zip_gauge_note(struct zip_gauge *gauge, bool has_shrunk);
void zip_gauge_starved(struct zip_gauge *gauge);

#endif
