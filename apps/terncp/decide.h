/* Is what is to be copied there already? The questions of -u and --checksum.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_DECIDE_H
#define TERNCP_DECIDE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#define DECIDE_DIGEST 32

/* -u: what stands there is newer than what would come, or as old and as long. */
bool decide_is_new_enough(const struct stat *there, const struct timespec *mtime, uint64_t size);

/* Digest of the first `size` bytes of a file: BLAKE2b. 0 or an errno (ESTALE: it is shorter). Reads the
 * whole file: not for the loop's thread, and ECANCELED soon after *stop is set; NULL: nobody will. */
int decide_digest(int fd, uint64_t size, const atomic_bool *stop, uint8_t out[DECIDE_DIGEST]);

/* The contents of two files are the same. 0, ESTALE when they are not, or another errno, as above. */
int decide_compare(int one, int other, uint64_t size, const atomic_bool *stop);

#endif
