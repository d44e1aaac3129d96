/* Two processes, a socket each, and nothing between them but the kernel and the cipher.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "ternperf/echo.h"

#include <errno.h>

#if defined(__linux__)
#include <arpa/inet.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <tern/udp.h>
#include <unistd.h>

#include "ternperf/cipher.h"
#include "ternperf/system.h"

#define PACKET_MAX 65507
#define PATIENCE   1000 /* milliseconds for an answer */

struct side {
    const struct echo_plan *plan;
    struct cipher cipher;
    int fd, epoll;
    uint64_t number;
};

static const uint8_t filling[PACKET_MAX];
static uint8_t packet[PACKET_MAX];

/* Not connected, as those of a server with many clients. */
static int socket_new(struct sockaddr_in *addr)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    socklen_t len = sizeof *addr;
    *addr = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (fd >= 0 && (bind(fd, (struct sockaddr *)addr, len) != 0 ||
                    getsockname(fd, (struct sockaddr *)addr, &len) != 0)) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static int side_init(struct side *side, const struct echo_plan *plan, int fd)
{
    struct epoll_event event = {.events = EPOLLIN};
    *side = (struct side){.plan = plan, .fd = fd, .epoll = epoll_create1(EPOLL_CLOEXEC)};
    cipher_init(&side->cipher, plan->suite);
    return side->epoll < 0 ? -1 : epoll_ctl(side->epoll, EPOLL_CTL_ADD, fd, &event);
}

static int say(struct side *side, const struct sockaddr_in *to)
{
    size_t len = side->plan->size;
    if (side->plan->suite != 0) {
        cipher_seal(&side->cipher, packet, filling, len, side->number++);
        len += CIPHER_HEADER + side->cipher.tag;
    }
    ssize_t n = sendto(side->fd, packet, len, 0, (const struct sockaddr *)to, sizeof *to);
    return n == (ssize_t)len ? 0 : -1;
}

/* As an event loop does it: asked to read, told that there is something, read. 0, or -1 with errno. */
static int hear(struct side *side, struct sockaddr_in *from)
{
    ssize_t n = -1;
    tern_time until = tern_udp_now() + PATIENCE * TERN_MSEC;
    while (n < 0) {
        struct epoll_event event;
        socklen_t len = sizeof *from;
        if (!side->plan->is_busy && epoll_wait(side->epoll, &event, 1, PATIENCE) == 0) {
            errno = ETIMEDOUT;
            return -1;
        }
        n = recvfrom(side->fd, packet, sizeof packet, 0, (struct sockaddr *)from, &len);
        if (n < 0 && ((errno != EAGAIN && errno != EINTR) || tern_udp_now() > until)) {
            return -1;
        }
    }
    bool is_short = (size_t)n < CIPHER_HEADER + side->cipher.tag;
    if (side->plan->suite != 0 && (is_short || !cipher_open(&side->cipher, packet, (size_t)n))) {
        errno = EPROTO;
        return -1;
    }
    return 0;
}

static void answer(const struct echo_plan *plan, int fd)
{
    struct side side;
    struct sockaddr_in from;
    int rc = side_init(&side, plan, fd);
    while (rc == 0) { /* until nobody asks any more */
        rc = hear(&side, &from);
        rc = rc == 0 ? say(&side, &from) : rc;
    }
}

static int ask(const struct echo_plan *plan, int fd, const struct sockaddr_in *to,
               uint64_t *samples, size_t *count, size_t max)
{
    struct side side;
    struct sockaddr_in from;
    int rc = side_init(&side, plan, fd);
    tern_time start = tern_udp_now(), now = start;
    while (rc == 0 && now - start < plan->duration && *count < max) {
        tern_time asked = now;
        rc = say(&side, to);
        rc = rc == 0 ? hear(&side, &from) : rc;
        now = tern_udp_now();
        samples[(*count)++] = now - asked;
    }
    int saved = errno;
    (void)close(side.epoll);
    errno = saved;
    return rc;
}

int echo_measure(const struct echo_plan *plan, uint64_t *samples, size_t *count, size_t max)
{
    struct sockaddr_in theirs, ours;
    int their_fd = socket_new(&theirs), fd = socket_new(&ours);
    system_pin(SYSTEM_SERVER,
               0); /* where the child begins: who never waits leaves it no time on ours */
    pid_t parent = getpid(), child = their_fd < 0 || fd < 0 ? -1 : fork();
    if (child == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() == parent) {
            answer(plan, their_fd);
        }
        _exit(0);
    }
    system_pin(SYSTEM_CLIENT, 0);
    int rc = child < 0 ? -1 : ask(plan, fd, &theirs, samples, count, max);
    int saved = errno;
    if (child > 0) {
        (void)kill(child, SIGTERM);
        (void)waitpid(child, NULL, 0);
    }
    (void)close(their_fd);
    (void)close(fd);
    errno = saved;
    return rc;
}

#else

int echo_measure(const struct echo_plan *plan, uint64_t *samples, size_t *count, size_t max)
{
    (void)plan;
    (void)samples;
    (void)count;
    (void)max;
    errno = ENOSYS;
    return -1;
}

#endif
