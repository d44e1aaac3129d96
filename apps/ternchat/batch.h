/* Statements that are to be run later, perhaps by another thread, with copies of their values.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCHAT_BATCH_H
#define TERNCHAT_BATCH_H

#include "ternchat/db.h"

struct batch {
    uint8_t *data;
    size_t len, room;
};

/* Types and values as db_ask has them, the types for as long as the program runs, and r, which has no value: the
 * number of the row that the latest statement before it has made. False: out of memory. */
bool batch_add(struct batch *batch, unsigned which, const char *types, ...);
/* All of it, behind what is there. False: out of memory, and nothing is changed. */
bool batch_move(struct batch *from, struct batch *to);
/* Empties it, too. -1 when one has failed: those behind it are not run. */
int batch_run(struct batch *batch, struct db *db);
void batch_free(struct batch *batch);

#endif
