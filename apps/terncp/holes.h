/* Where a file has bytes and where it has holes.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_HOLES_H
#define TERNCP_HOLES_H

#include <stdbool.h>
#include <stdint.h>

/* A shorter hole is told as the zeros that it is read as: an extent saved would cost one of ours. */
#define HOLES_MIN (16u * 1024)

struct holes_span {
    bool is_hole;
    uint64_t len; /* never 0 */
};

/* The span that begins at `at` (< size) of a file read up to size. A file system that knows no holes
 * has none. 0 or an errno. */
int holes_next(int fd, uint64_t at, uint64_t size, struct holes_span *span);

/* Makes a range read as zeros and, where the file system can, take no room. What is behind the end of
 * the file needs nothing but a length at last. 0 or an errno. */
int holes_make(int fd, uint64_t at, uint64_t len);

#endif
