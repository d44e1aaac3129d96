/* Packets with nothing but the next bytes of one stream, one after the other into a train.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_CONN_RUN_H
#define TERN_CONN_RUN_H

#include "conn/conn.h"

/* As many of the path's size `limit` as the next up to `most` datagrams of the train would be, if they are of that
 * kind; with them the train and the books are as they would be without this. The number of datagrams: 0 where the
 * next is another, or may not leave. */
size_t tern_run_transmit(struct tern_conn *conn, tern_train *train, size_t limit, size_t most,
                         tern_time now);

#endif
