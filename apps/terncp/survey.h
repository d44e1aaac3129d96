/* How much there will be to copy: counts files and bytes ahead of the copy, in a thread of its own, so that a
 * bar can tell what share is done. It is for the eyes only: what changes meanwhile makes it wrong.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_SURVEY_H
#define TERNCP_SURVEY_H

#include <stdbool.h>
#include <stdint.h>

#include "terncp/tree.h"

struct survey;

/* Counts what is below each path, as the user's own (root -1) or beneath a folder, as the copy will find it
 * by these rules, whose filter must outlive it. `wake` (or NULL) is called
 * from the thread when it is done. NULL: it cannot be had. */
struct survey *survey_new(int root, char *const *paths, int count, const struct tree_rules *rules,
                          void (*wake)(void *user), void *user);
/* False: not done yet. */
bool survey_read(const struct survey *survey, uint64_t *files, uint64_t *bytes);
void survey_free(struct survey *f); /* NULL is fine */

#endif
