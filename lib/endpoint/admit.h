/* The door: whether a datagram for no connection of ours may begin one.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_ENDPOINT_ADMIT_H
#define TERN_ENDPOINT_ADMIT_H

#include "conn/conn.h"
#include "wire/header.h"

/* Does this Initial packet open, and with which keys? It stays sealed, and nothing is allocated, so
 * that junk costs some microseconds and no memory. first->is_keyed is a guess, which is tried first; on
 * true it is the answer. Keys are left in `first` in any case, for the caller to wipe.
 * `scratch` has room for the packet. */
bool tern_admit_check(struct tern_conn_first *first, const struct tern_header *header,
                      const uint8_t *data, uint8_t *scratch, const struct tern_conn_env *env);

#endif
