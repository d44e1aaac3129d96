/* The way out: which packets leave now, in trains that one system call can send.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_CONN_OUTPUT_H
#define TERN_CONN_OUTPUT_H

#include "conn/conn.h"

#define TERN_TRAIN_MAX 64 /* segments in one train: what the kernel takes (UDP_MAX_SEGMENTS) */

/* Fills the train with datagrams of one size for the present path. Returns their number; 0: nothing
 * may or wants to leave now. */
size_t tern_conn_transmit(struct tern_conn *conn, tern_train *train, tern_time now);

#endif
