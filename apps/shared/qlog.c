/* Files of records, opened when a connection is first heard of and closed with it.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "shared/qlog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILES_MAX 64

struct record_file {
    uint64_t number;
    FILE *file;
    bool is_over; /* it closes or drains: who comes may have the place */
};

struct qlog {
    char stem[4096];
    struct record_file files[FILES_MAX];
    uint64_t ended; /* the newest connection that has, so that its last words open no new file */
};

struct qlog *qlog_new(const char *folder, const char *program, unsigned part)
{
    char moment[32] = "";
    struct tm parts;
    time_t now = time(NULL);
    if (mkdir(folder, 0777) != 0 && errno != EEXIST) {
        return NULL;
    }
    if (access(folder, W_OK | X_OK) != 0) {
        return NULL;
    }
    struct qlog *qlog = calloc(1, sizeof *qlog);
    if (qlog != NULL) {
        if (gmtime_r(&now, &parts) != NULL) {
            (void)strftime(moment, sizeof moment, "%Y%m%dT%H%M%SZ", &parts);
        }
        (void)snprintf(qlog->stem, sizeof qlog->stem, "%s/%s-%s-%ld-%u", folder, program, moment,
                       (long)getpid(), part);
    }
    return qlog;
}

static void put(FILE *file, const char *record, size_t len)
{
    size_t written = fwrite(record, 1, len, file);
    (void)written; /* a full disk costs the trace, not the copy */
}

static FILE *open_file(struct qlog *qlog, const tern_trace_event *event)
{
    char path[sizeof qlog->stem + 64], record[4096] = "";
    (void)snprintf(path, sizeof path, "%s-%llu.qlog", qlog->stem,
                   (unsigned long long)event->conn_number);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    if (file != NULL) {
        size_t len = tern_trace_qlog_start(event->is_server, record, sizeof record);
        put(file, record, len < sizeof record ? len : 0);
    } else if (fd >= 0) {
        (void)close(fd);
    }
    return file;
}

static void end(struct qlog *qlog, struct record_file *one)
{
    (void)fclose(one->file);
    one->file = NULL;
    qlog->ended = one->number > qlog->ended ? one->number : qlog->ended;
}

static struct record_file *find(struct qlog *qlog, const tern_trace_event *event)
{
    struct record_file *room = NULL;
    for (size_t i = 0; i < FILES_MAX; i++) {
        struct record_file *one = &qlog->files[i];
        if (one->file != NULL && one->number == event->conn_number) {
            return one;
        }
        bool is_better = room == NULL || room->file != NULL;
        room = is_better && (one->file == NULL || one->is_over) ? one : room;
    }
    if (room == NULL || (event->conn_number <= qlog->ended && qlog->ended > 0)) {
        return NULL;
    }
    if (room->file != NULL) {
        end(qlog, room);
    }
    *room = (struct record_file){.number = event->conn_number, .file = open_file(qlog, event)};
    return room->file == NULL ? NULL : room;
}

static void on_event(void *user, const tern_trace_event *event)
{
    struct qlog *qlog = user;
    struct record_file *to = find(qlog, event);
    char record[4096];
    if (to == NULL) {
        return;
    }
    size_t need = tern_trace_qlog(event, record, sizeof record);
    char *large = need < sizeof record ? record : malloc(need + 1);
    if (large != NULL && large != record) {
        (void)tern_trace_qlog(event, large, need + 1);
    }
    if (large != NULL) {
        put(to->file, large, need);
    }
    if (large != record) {
        free(large);
    }
    if (event->kind == TERN_TRACE_STATE) {
        to->is_over = strcmp(event->text, "closing") == 0 || strcmp(event->text, "draining") == 0;
        if (strcmp(event->text, "closed") == 0) {
            end(qlog, to);
        }
    }
}

tern_trace_sink qlog_sink(struct qlog *qlog)
{
    return (tern_trace_sink){.event = on_event, .user = qlog};
}

void qlog_free(struct qlog *qlog)
{
    for (size_t i = 0; qlog != NULL && i < FILES_MAX; i++) {
        if (qlog->files[i].file != NULL) {
            (void)fclose(qlog->files[i].file);
        }
    }
    free(qlog);
}
