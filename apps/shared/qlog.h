/* A folder of qlog files, one for each connection of an endpoint: what --qlog DIR asks for.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_APPS_QLOG_H
#define TERN_APPS_QLOG_H

#include <tern/trace.h>

struct qlog;

/* Files go into `folder` (made if it is not there) as PROGRAM-TIME-PID-PART-NUMBER.qlog; `part` tells the
 * endpoints of a process apart. NULL with errno. Of more than 64 connections at once the others have none. */
struct qlog *qlog_new(const char *folder, const char *program, unsigned part);
/* For tern_config.trace; the qlog must outlive the endpoint. */
tern_trace_sink qlog_sink(struct qlog *qlog);
void qlog_free(struct qlog *qlog); /* NULL is fine */

#endif
