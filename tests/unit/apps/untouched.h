/* Things that it does harm to open, and whether somebody has.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_UNIT_APPS_UNTOUCHED_H
#define TERN_UNIT_APPS_UNTOUCHED_H

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tern_test.h"

static inline void untouched_rest(void)
{
    (void)nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
}

static inline char untouched_state(pid_t pid)
{
    char path[64], line[128] = "", state = '?';
    (void)snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    FILE *file = fopen(path, "re");
    if (file != NULL) {
        (void)!fgets(line, sizeof line, file);
        (void)sscanf(line, "%*d (%*[^)]) %c", &state);
        (void)fclose(file);
    }
    return state;
}

/* A FIFO whose writer waits in open() for somebody to read: whoever opens it, however briefly, lets the writer go. */
static inline pid_t untouched_fifo(const char *path)
{
    assert_int_equal(mkfifo(path, 0600), 0);
    pid_t writer = fork();
    assert_true(writer >= 0);
    if (writer == 0) {
        (void)alarm(300); /* nobody waits for the child of a test that has failed */
        _exit(open(path, O_WRONLY | O_CLOEXEC) >= 0 ? 0 : 1);
    }
    for (int i = 0; i < 2000 && untouched_state(writer) != 'S'; i++) {
        untouched_rest();
    }
    assert_int_equal(untouched_state(writer), 'S');
    return writer;
}

/* Nobody has opened it. Ends its writer. */
static inline bool untouched_is_so(pid_t writer)
{
    bool is_waiting = true;
    for (int i = 0; i < 10 && is_waiting; i++) {
        untouched_rest();
        is_waiting = waitpid(writer, NULL, WNOHANG) == 0;
    }
    if (is_waiting) {
        (void)kill(writer, SIGKILL);
        (void)waitpid(writer, NULL, 0);
    }
    return is_waiting;
}

/* Opening it fails with ENXIO. */
static inline void untouched_socket(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    assert_true(strlen(path) < sizeof at.sun_path);
    memcpy(at.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(close(fd), 0);
}

/* A device that nothing drives: opening it fails with ENXIO, or EACCES. False: not root enough to make one. */
static inline bool untouched_device(const char *path)
{
    return mknod(path, S_IFCHR | 0600, makedev(240, 7)) == 0;
}

#endif
