/* Preloaded into programs under qemu's user mode, which passes most ancillary data of datagrams as it stands: where the
 * order of octets is not the host's, the numbers in it are turned here. Whether they need be is found out by a try.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { OPTION_UDP = 17, OPTION_UDP_SEGMENT = 103, OPTION_UDP_GRO = 104 }; /* linux/udp.h */

typedef long syscall_fn(long number, ...);

static bool is_turned;

static void *next(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

static void turn(uint8_t *at, size_t len)
{
    for (size_t i = 0; i < len / 2; i++) {
        uint8_t kept = at[i];
        at[i] = at[len - 1 - i];
        at[len - 1 - i] = kept;
    }
}

/* Where the number in it is: all have one. The size, or 0: this is left to qemu. */
static size_t number_of(const struct cmsghdr *c, size_t *offset)
{
    size_t len = c->cmsg_len - CMSG_LEN(0);
    *offset = 0;
    if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) ||
        (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS) ||
        (c->cmsg_level == OPTION_UDP && c->cmsg_type == OPTION_UDP_GRO)) {
        return len == sizeof(int) ? len : 0;
    }
    if (c->cmsg_level == OPTION_UDP && c->cmsg_type == OPTION_UDP_SEGMENT) {
        return sizeof(uint16_t);
    }
    if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
        return sizeof(int); /* the interface comes first */
    }
    if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
        *offset = sizeof(struct in6_addr);
        return sizeof(unsigned);
    }
    return 0;
}

static void turn_all(struct msghdr *msg)
{
    for (struct cmsghdr *c = is_turned ? CMSG_FIRSTHDR(msg) : NULL; c != NULL;
         c = CMSG_NXTHDR(msg, c)) {
        size_t offset, size = number_of(c, &offset);
        turn(CMSG_DATA(c) + offset, size);
    }
}

static void turn_each(struct mmsghdr *messages, long count)
{
    for (long i = 0; i < count; i++) {
        turn_all(&messages[i].msg_hdr);
    }
}

/* Two halves that arrive as one were not told apart: the size of a half was not understood. */
static __attribute__((constructor)) void try(void)
{
    uint8_t bytes[200] = {0};
    uint16_t half = sizeof bytes / 2;
    union {
        size_t align;
        uint8_t bytes[CMSG_SPACE(sizeof(uint16_t))];
    } control = {0};
    struct iovec iov = {bytes, sizeof bytes};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = &control,
                         .msg_controllen = sizeof control};
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    *c = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof half),
                          .cmsg_level = OPTION_UDP,
                          .cmsg_type = OPTION_UDP_SEGMENT};
    memcpy(CMSG_DATA(c), &half, sizeof half);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && bind(fd, (const struct sockaddr *)&at, len) == 0 &&
        getsockname(fd, (struct sockaddr *)&at, &len) == 0 &&
        connect(fd, (const struct sockaddr *)&at, len) == 0 && sendmsg(fd, &msg, 0) > 0) {
        is_turned = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT) == (ssize_t)sizeof bytes;
    }
    if (fd >= 0) {
        (void)close(fd);
    }
}

int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    int (*real)(int, struct mmsghdr *, unsigned, int);
    *(void **)&real = next("sendmmsg");
    turn_each(messages, count);
    int rc = real(fd, messages, count, flags);
    turn_each(messages, count); /* they are the caller's */
    return rc;
}

int recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout)
{
    int (*real)(int, struct mmsghdr *, unsigned, int, struct timespec *);
    *(void **)&real = next("recvmmsg");
    int rc = real(fd, messages, count, flags, timeout);
    turn_each(messages, rc);
    return rc;
}

/* Who puts itself between a program and sendmmsg goes on so. */
long syscall(long number, ...)
{
    syscall_fn *real;
    long arg[6];
    va_list list;
    *(void **)&real = next("syscall");
    va_start(list, number);
    for (int i = 0; i < 6; i++) {
        arg[i] = va_arg(list, long);
    }
    va_end(list);
    struct mmsghdr *messages = number == SYS_sendmmsg ? (struct mmsghdr *)arg[1] : NULL;
    long count = messages != NULL ? (long)(unsigned)arg[2] : 0;
    turn_each(messages, count);
    long rc = real(number, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
    turn_each(messages, count);
    return rc;
}
