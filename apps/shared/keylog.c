/* A line a secret, each in one write, so that those of many writers do not mix.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "shared/keylog.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <tern/trace.h>
#include <time.h>
#include <unistd.h>

#include "shared/cli.h"

#define READER_TRIES                                                                               \
    100 /* a hundredth of a second each: a reader that is started beside us may take so long */

struct keylog {
    int fd;
    atomic_uint
        lost; /* lines: a full disk, or a reader that is slow or gone; none costs the connection */
    tern_trace_sink next;
};

static void on_event(void *user, const tern_trace_event *event)
{
    struct keylog *log = user;
    char line[256];
    size_t len = tern_trace_key_log(event, line, sizeof line - 1);
    if (len > 0 && len < sizeof line - 1) {
        line[len] = '\n';
        if (write(log->fd, line, len + 1) != (ssize_t)(len + 1)) {
            (void)atomic_fetch_add(&log->lost, 1);
        }
        sodium_memzero(line, sizeof line);
    }
    if (log->next.event != NULL) {
        log->next.event(log->next.user, event);
    }
}

/* Never waits for the other side of a FIFO, neither now nor when it is written to: a connection has its time. -1 with
 * errno: ENXIO, nobody reads from it. */
static int open_log(const char *path)
{
    struct stat st;
    int fd = -1;
    for (int i = 0; i < READER_TRIES; i++) {
        fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
        if (fd >= 0 || errno != ENXIO || stat(path, &st) != 0 || !S_ISFIFO(st.st_mode)) {
            break;
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
        errno = ENXIO;
    }
    return fd;
}

/* Is it a pipe as a shell makes them, which nobody can have put anywhere? */
static bool is_nameless(const struct stat *st)
{
    int ends[2];
    struct stat ours;
    if (pipe(ends) != 0) {
        return false;
    }
    bool is_like_ours = fstat(ends[0], &ours) == 0 && ours.st_dev == st->st_dev;
    (void)close(ends[0]);
    (void)close(ends[1]);
    return is_like_ours;
}

/* A file or FIFO that was there before may be one that somebody has put there to read it. Pipes and terminals are as the
 * user has made them. */
static const char *why_not(int fd)
{
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        return errno == ENXIO ? "nobody reads from it" : strerror(errno);
    }
    bool is_file = S_ISREG(st.st_mode);
    bool may_be_a_trap = is_file || (S_ISFIFO(st.st_mode) && !is_nameless(&st));
    return may_be_a_trap && st.st_uid != geteuid() ? "it belongs to somebody else"
           : is_file && (st.st_mode & 077) != 0    ? "others can read it or write to it"
                                                   : NULL;
}

struct keylog *keylog_add(const char *path, tern_config *config)
{
    struct keylog *log = calloc(1, sizeof *log);
    if (log == NULL) {
        cli_error("--key-log", strerror(errno), NULL);
        return NULL;
    }
    log->fd = open_log(path);
    bool is_alone = log->fd < 0 && errno == ENXIO;
    const char *why = why_not(log->fd);
    if (why != NULL) {
        cli_error(path, why,
                  is_alone ? "start the reader first"
                           : "give a new file, or one of your own with mode 0600, for --key-log");
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
        unsigned lost = atomic_load(&log->lost);
        if (lost > 0) {
            cli_verbose(CLI_WARNING, "%u lines of --key-log are lost: its reader was not in time",
                        lost);
        }
        if (log->fd >= 0) {
            (void)close(log->fd);
        }
        free(log);
    }
}
