/* A set of very many names in little memory: what a sender named, for a mirror.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_NAMESET_H
#define TERNCP_NAMESET_H

#include <stdbool.h>
#include <stdint.h>

/* 64 bits of a hash stand for a name. What memory does not hold goes to a file without a name, and the
 * set is then looked through in passes, each over its share of all hashes. */
struct nameset;

#define NAMESET_IN_MEMORY (1u << 20) /* names: 8 MiB */

/* `folder`, which must stay open, is where such a file is made. in_memory: how many hashes memory
 * holds. NULL: no memory. */
struct nameset *nameset_new(int folder, unsigned in_memory);
void nameset_free(struct nameset *set);

int nameset_add(struct nameset *set, uint64_t hash); /* 0 or an errno */

/* How many passes it takes. Nothing is added afterwards. */
unsigned nameset_passes(const struct nameset *set);
int nameset_begin(struct nameset *set, unsigned pass); /* 0 or an errno */

enum nameset_answer { NAMESET_HAS, NAMESET_HAS_NOT, NAMESET_OTHER_PASS };
enum nameset_answer nameset_ask(const struct nameset *set, uint64_t hash);

#endif
