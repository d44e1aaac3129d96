/* Sockets and clock of POSIX systems.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include <tern/udp.h>

#include "driver/system.h"

/* A counter that steps back, as under some hypervisors when the machine is moved, would keep every deadline waiting
 * until it has come as far again. Ours goes on from where it was: for each thread, since each has its own endpoints, and
 * none pays for what another sees. */
tern_time tern_udp_now(void)
{
    static _Thread_local tern_time latest, behind;
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail for this clock */
    tern_time now = (tern_time)ts.tv_sec * TERN_SEC + (tern_time)ts.tv_nsec + behind;
    if (now < latest) {
        behind += latest - now;
        now = latest;
    }
    latest = now;
    return now;
}

void tern_system_start(void)
{
}

int tern_socket_unblock(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? TERN_ERR_SYSTEM : 0;
}

int tern_socket_open(int family)
{
    int fd = socket(family, SOCK_DGRAM, 0);
    if (fd >= 0 && (tern_socket_unblock(fd) != 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)) {
        tern_socket_close(fd);
        return -1;
    }
    return fd;
}

void tern_socket_close(int fd)
{
    int saved = errno;
    (void)close(fd);
    errno = saved;
}

int tern_socket_bind(int fd, const union tern_sockaddr *sa, socklen_t len)
{
    return bind(fd, &sa->any, len) == 0 ? 0 : TERN_ERR_SYSTEM;
}

int tern_socket_connect(int fd, const union tern_sockaddr *sa, socklen_t len)
{
    return connect(fd, &sa->any, len) == 0 ? 0 : TERN_ERR_SYSTEM;
}

int tern_socket_name(int fd, union tern_sockaddr *out)
{
    socklen_t len = sizeof *out;
    *out = (union tern_sockaddr){0};
    return getsockname(fd, &out->any, &len) == 0 ? 0 : TERN_ERR_SYSTEM;
}

bool tern_socket_set(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

int tern_socket_option(int fd, int level, int option)
{
    int value = 0;
    socklen_t len = sizeof value;
    return getsockopt(fd, level, option, &value, &len) == 0 ? value : 0;
}

int tern_socket_send(int fd, const uint8_t *data, size_t len, const union tern_sockaddr *to,
                     socklen_t to_len)
{
    return sendto(fd, data, len, 0, &to->any, to_len) >= 0 ? 0 : TERN_ERR_SYSTEM;
}

ptrdiff_t tern_socket_receive(int fd, uint8_t *buf, size_t size, union tern_sockaddr *from)
{
    socklen_t len = sizeof *from;
    *from = (union tern_sockaddr){0};
    return recvfrom(fd, buf, size, 0, &from->any, &len);
}

int tern_socket_wait(int fd, bool wants_write, int ms)
{
    struct pollfd pfd = {.fd = fd, .events = POLLIN};
    if (wants_write) {
        pfd.events |= POLLOUT;
    }
    return poll(&pfd, 1, ms);
}
