/* How much there will be to copy: counts files and bytes ahead of the copy, in a thread of its own, so that a
 * bar can tell what share is done. It is for the eyes only: what changes meanwhile makes it wrong.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_FORECAST_H
#define TERNCP_FORECAST_H

#include <stdbool.h>
#include <stdint.h>

struct forecast;

/* Counts what is below each path, as the user's own (root -1) or beneath a folder. `wake` (or NULL) is called
 * from the thread when it is done. NULL: it cannot be had. */
struct forecast *forecast_new(int root, char *const *paths, int count, void (*wake)(void *user),
                              void *user);
/* False: not done yet. */
bool forecast_read(const struct forecast *forecast, uint64_t *files, uint64_t *bytes);
void forecast_free(struct forecast *forecast); /* NULL is fine */

#endif
