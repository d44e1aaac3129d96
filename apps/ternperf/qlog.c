/* A file for each connection, opened when its first event comes.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "ternperf/qlog.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/cli.h"

#define FILES_MAX 64u /* connections that are written down; of more nobody reads the traces */

static struct {
    const char *folder;
    FILE *files[2 * FILES_MAX]; /* as clients, then as servers */
    bool has_failed;
    char *record; /* as long as the longest so far */
    size_t size;
} qlog;

static void give_up(const char *path)
{
    if (!qlog.has_failed) {
        cli_error(path, strerror(errno), "give --qlog a folder that can be written");
    }
    qlog.has_failed = true;
}

/* NULL: not this one. */
static FILE *file_of(const tern_trace_event *event)
{
    if (event->conn_number >= FILES_MAX || qlog.has_failed) {
        return NULL;
    }
    FILE **file = &qlog.files[event->conn_number + (event->is_server ? FILES_MAX : 0)];
    if (*file == NULL) {
        char path[PATH_MAX], start[512];
        (void)snprintf(path, sizeof path, "%s/%s-%llu.qlog", qlog.folder,
                       event->is_server ? "server" : "client",
                       (unsigned long long)event->conn_number);
        *file = fopen(path, "we");
        if (*file == NULL) {
            give_up(path);
            return NULL;
        }
        size_t len = tern_trace_qlog_start(event->is_server, start, sizeof start);
        (void)fwrite(start, 1, len < sizeof start ? len : 0, *file); /* ferror tells */
    }
    return *file;
}

static void on_event(void *user, const tern_trace_event *event)
{
    (void)user;
    FILE *file = file_of(event);
    size_t len = file == NULL ? 0 : tern_trace_qlog(event, qlog.record, qlog.size);
    if (len >= qlog.size && file != NULL) {
        char *longer = realloc(qlog.record, len + 1);
        if (longer == NULL) {
            give_up(qlog.folder);
            return;
        }
        qlog.record = longer;
        qlog.size = len + 1;
        len = tern_trace_qlog(event, qlog.record, qlog.size);
    }
    if (len > 0) {
        (void)fwrite(qlog.record, 1, len, file);
    }
}

tern_trace_sink qlog_sink(const char *folder)
{
    qlog.folder = folder;
    return (tern_trace_sink){.event = on_event};
}

void qlog_end(void)
{
    for (size_t i = 0; i < 2 * FILES_MAX; i++) {
        bool is_bad = qlog.files[i] != NULL && ferror(qlog.files[i]) != 0;
        is_bad = (qlog.files[i] != NULL && fclose(qlog.files[i]) != 0) || is_bad;
        qlog.files[i] = NULL;
        if (is_bad) {
            give_up(qlog.folder);
        }
    }
    free(qlog.record);
    qlog.record = NULL;
    qlog.size = 0;
}
