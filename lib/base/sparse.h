/* Memory that is mostly zero, written without its zero bytes and back.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_BASE_SPARSE_H
#define TERN_BASE_SPARSE_H

#include "base/def.h"

/* The most that `size` bytes can become. */
#define TERN_SPARSE_MAX(size) ((size) / 8 * 9)

/* `size` is a multiple of 8, and `out` has room for TERN_SPARSE_MAX of it. Returns the bytes written. */
size_t tern_sparse_pack(uint8_t *out, const void *image, size_t size);
/* Returns the bytes read. What was packed has the same size. */
size_t tern_sparse_unpack(void *image, size_t size, const uint8_t *in);

#endif
