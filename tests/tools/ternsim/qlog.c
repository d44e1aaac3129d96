/* Writes each trace event as a qlog record to the file of its end.
 * SPDX-License-Identifier: MIT */
#include "ternsim/qlog.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void put(struct qlog_file *file, const char *record, size_t len)
{
    if (file->error == 0 && fwrite(record, 1, len, file->file) != len) {
        file->error = errno;
    }
}

static void write_event(void *user, const tern_trace_event *event)
{
    struct qlog_file *file = user;
    char record[4096];
    size_t need = tern_trace_qlog(event, record, sizeof record);
    if (need < sizeof record) {
        put(file, record, need);
        return;
    }
    char *large = malloc(need + 1);
    if (large == NULL) {
        file->error = ENOMEM;
        return;
    }
    (void)tern_trace_qlog(event, large, need + 1);
    put(file, large, need);
    free(large);
}

static bool open_one(struct qlog_file *file, const char *name, bool is_server)
{
    char record[1024];
    *file = (struct qlog_file){0};
    int len = snprintf(file->name, sizeof file->name, "%s%s", name, is_server ? ".server" : "");
    errno = len < 0 || (size_t)len >= sizeof file->name ? ENAMETOOLONG : 0;
    file->file = errno == 0 ? fopen(file->name, "w") : NULL;
    if (file->file == NULL) {
        (void)fprintf(stderr, "ternsim: %s: %s\n", name, strerror(errno));
        return false;
    }
    put(file, record, tern_trace_qlog_start(is_server, record, sizeof record));
    return true;
}

bool qlog_open(struct qlog_file files[2], const char *name, tern_trace_sink sinks[2])
{
    if (!open_one(&files[0], name, false)) {
        return false;
    }
    if (!open_one(&files[1], name, true)) {
        (void)fclose(files[0].file);
        return false;
    }
    for (int i = 0; i < 2; i++) {
        sinks[i] = (tern_trace_sink){.event = write_event, .user = &files[i]};
    }
    return true;
}

bool qlog_close(struct qlog_file files[2])
{
    bool is_good = true;
    for (int i = 0; i < 2; i++) {
        if (fclose(files[i].file) != 0 && files[i].error == 0) {
            files[i].error = errno;
        }
        if (files[i].error != 0) {
            (void)fprintf(stderr, "ternsim: %s: %s\n", files[i].name, strerror(files[i].error));
            is_good = false;
        }
    }
    return is_good;
}
