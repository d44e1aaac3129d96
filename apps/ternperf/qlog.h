/* Traces of connections in files that viewers open: --qlog.
 * SPDX-License-Identifier: MIT */
#ifndef TERNPERF_QLOG_H
#define TERNPERF_QLOG_H

#include <tern/trace.h>

/* A sink that writes one file for each of the first connections into the folder: client-0.qlog, server-0.qlog and
 * so on. One thread at a time. */
tern_trace_sink qlog_sink(const char *folder);

/* Closes the files, and says if one could not be written. */
void qlog_end(void);

#endif
