/* Names that differ in case only, on a target that does not tell them apart.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_FOLD_H
#define TERNCP_FOLD_H

#include <stdbool.h>
#include <stdint.h>

/* Whether the file system below an open folder takes "a" for "A". Makes a file there for a moment; a
 * folder that it may not write to counts as one that tells them apart. */
bool fold_is_blind(int folder);

/* A hash of a name, the same for names that differ in case only when is_blind. Keyed for this process,
 * so that no peer can choose names that have the same. Not of names in other normal forms. */
uint64_t fold_hash(const char *name, bool is_blind);

struct fold;

struct fold *fold_new(void); /* NULL: no memory */
void fold_free(struct fold *fold);

/* Notes a name. False: it, or a folder that it is in, differs in case only from one noted before.
 * Knows the last half a million names, in 16 MiB. */
bool fold_add(struct fold *fold, const char *name);

#endif
