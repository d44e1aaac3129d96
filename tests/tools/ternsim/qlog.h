/* The two ends of a run as qlog files.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_TERNSIM_QLOG_H
#define TERN_TERNSIM_QLOG_H

#include <stdio.h>
#include <tern/trace.h>

struct qlog_file {
    FILE *file;
    char name[1024];
    int error; /* errno of the first write that failed */
};

/* The client's view goes to `name`, the server's to `name`.server; the sinks are for their
 * configurations. Says what is wrong and returns false when a file cannot be made. */
bool qlog_open(struct qlog_file files[2], const char *name, tern_trace_sink sinks[2]);

/* False, and said, when something could not be written. */
bool qlog_close(struct qlog_file files[2]);

#endif
