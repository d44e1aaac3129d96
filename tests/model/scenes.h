/* What is explored: the handshakes, key update, the ratchet, and changes of address.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_TESTS_MODEL_SCENES_H
#define TERN_TESTS_MODEL_SCENES_H

#include "model/world.h"

extern const struct scene scenes[];
extern const size_t scene_count;

/* NULL: there is none of that name. */
const struct scene *scene_find(const char *name);

#endif
