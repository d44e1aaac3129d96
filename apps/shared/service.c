/* NOTIFY_SOCKET, LISTEN_PID and LISTEN_FDS.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "shared/service.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FIRST_SOCKET 3 /* SD_LISTEN_FDS_START */

static long number(const char *text)
{
    char *end;
    long value = text == NULL || *text == '\0' ? -1 : strtol(text, &end, 10);
    return value >= 0 && *end == '\0' ? value : -1;
}

static bool is_udp(int fd)
{
    int type = 0, family = 0;
    socklen_t len = sizeof type;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) != 0 || type != SOCK_DGRAM) {
        return false;
    }
    len = sizeof family;
    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &len) == 0 &&
           (family == AF_INET || family == AF_INET6);
}

size_t service_sockets(int fds[SERVICE_SOCKETS_MAX], size_t *others)
{
    long pid = number(getenv("LISTEN_PID")), count = number(getenv("LISTEN_FDS"));
    size_t taken = 0;
    *others = 0;
    (void)unsetenv("LISTEN_PID");
    (void)unsetenv("LISTEN_FDS");
    (void)unsetenv("LISTEN_FDNAMES");
    if (pid != (long)getpid()) {
        return 0; /* they were meant for whoever started us */
    }
    for (int fd = FIRST_SOCKET; count > 0 && fd < FIRST_SOCKET + count; fd++) {
        bool is_ours =
            taken < SERVICE_SOCKETS_MAX && is_udp(fd) && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
        if (is_ours) {
            fds[taken++] = fd;
        } else {
            (*others)++;
        }
    }
    return taken;
}

bool service_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t len = path == NULL ? 0 : strlen(path);
    if (len < 2 || len >= sizeof to.sun_path || (path[0] != '/' && path[0] != '@')) {
        return false;
    }
    memcpy(to.sun_path, path, len);
    if (path[0] == '@') {
        to.sun_path[0] = '\0'; /* in the abstract namespace */
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return false;
    }
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    bool is_told = sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&to,
                          size) == (ssize_t)strlen(state);
    (void)close(fd);
    return is_told;
}
