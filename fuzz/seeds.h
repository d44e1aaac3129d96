/* What the writers of seeds share.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_SEEDS_H
#define TERN_SEEDS_H

#include <stddef.h>

/* A file in the target's corpus. */
void save(const char *target, const char *name, const void *data, size_t len);

/* Something could not be made: the program will end with 1. */
void failed(const char *what);

void seed_ops(void);
void seed_terncp(void);
void seed_traffic(void);

#endif
