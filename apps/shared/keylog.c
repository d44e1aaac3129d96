/* A line a secret, each in one write, so that those of many writers do not mix.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "shared/keylog.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <tern/trace.h>
#include <unistd.h>

#include "shared/cli.h"

struct keylog {
    int fd;
    tern_trace_sink next;
};

static void on_event(void *user, const tern_trace_event *event)
{
    const struct keylog *log = user;
    char line[256];
    size_t len = tern_trace_key_log(event, line, sizeof line - 1);
    if (len > 0 && len < sizeof line - 1) {
        line[len] = '\n';
        ssize_t written = write(log->fd, line, len + 1);
        (void)written; /* a full disk costs the log, not the connection */
        sodium_memzero(line, sizeof line);
    }
    if (log->next.event != NULL) {
        log->next.event(log->next.user, event);
    }
}

/* A file that was there before may be one that somebody has put there to read it. Pipes and terminals are as the
 * user has made them. */
static const char *why_not(int fd)
{
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        return strerror(errno);
    }
    return !S_ISREG(st.st_mode)      ? NULL
           : st.st_uid != geteuid()  ? "it belongs to somebody else"
           : (st.st_mode & 077) != 0 ? "others can read it or write to it"
                                     : NULL;
}

struct keylog *keylog_add(const char *path, tern_config *config)
{
    struct keylog *log = calloc(1, sizeof *log);
    if (log == NULL) {
        cli_error("--key-log", strerror(errno), NULL);
        return NULL;
    }
    log->fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
    const char *why = why_not(log->fd);
    if (why != NULL) {
        cli_error(path, why, "give a new file, or one of your own with mode 0600, for --key-log");
        keylog_free(log);
        return NULL;
    }
    cli_verbose(CLI_WARNING,
                "%s gets the keys: whoever reads it can read and forge these connections", path);
    log->next = config->trace;
    config->trace = (tern_trace_sink){.event = on_event, .user = log};
    config->key_log = true;
    return log;
}

void keylog_free(struct keylog *log)
{
    if (log != NULL) {
        if (log->fd >= 0) {
            (void)close(log->fd);
        }
        free(log);
    }
}
