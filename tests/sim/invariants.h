/* What must hold in a connection after every event.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_TESTS_SIM_INVARIANTS_H
#define TERN_TESTS_SIM_INVARIANTS_H

#include <tern/conn.h>

/* The name of an invariant that does not hold, or NULL. */
const char *invariants_broken(const tern_conn *conn, tern_time now);

/* From now on keys change after so many bytes. */
void invariants_wear_keys(tern_conn *conn, uint64_t bytes, tern_time now);

#endif
