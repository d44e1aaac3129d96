/* What has come of the messages of one connection: how many, and how late.
 * SPDX-License-Identifier: MIT */
#ifndef TERNPERF_TALLY_H
#define TERNPERF_TALLY_H

#include <tern/message.h>

#include "ternperf/proto.h"

struct tally;

struct tally *tally_new(bool wants_latency); /* NULL: no memory */
void tally_free(struct tally *tally);        /* NULL is fine */

/* Takes all that has come; `now`, on the sender's clock, tells how late it is. */
void tally_receive(struct tally *tally, tern_conn *conn, tern_time now);

/* Sorts what it has kept. */
void tally_sum(struct tally *tally, struct proto_tally *out);

#endif
