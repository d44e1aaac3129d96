/* The system calls that fail on demand.
 *
 * In the environment, where this is preloaded, TERN_FAULTS is a list, separated by commas, of: nogso, nogro,
 * noancillary, buffer=BYTES, error=NAME (EIO, EAGAIN, ENOBUFS, EMSGSIZE, ENETDOWN or ENETUNREACH), first=CALL,
 * last=CALL, every=CALLS, longest=BYTES, gso.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "faults.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SHOWN __attribute__((visibility("default")))

enum { OPTION_UDP = 17, OPTION_UDP_SEGMENT = 103, OPTION_UDP_GRO = 104 }; /* linux/udp.h */

struct faults faults;

static bool is_refused_option(int level, int option)
{
    if (level == OPTION_UDP) {
        return (faults.has_no_gso && option == OPTION_UDP_SEGMENT) ||
               (faults.has_no_gro && option == OPTION_UDP_GRO);
    }
    bool is_ancillary =
        (level == IPPROTO_IP && (option == IP_RECVTOS || option == IP_PKTINFO)) ||
        (level == IPPROTO_IPV6 && (option == IPV6_RECVTCLASS || option == IPV6_RECVPKTINFO));
    return faults.has_no_ancillary && is_ancillary;
}

SHOWN int setsockopt(int fd, int level, int option, const void *value, socklen_t len)
{
    if (is_refused_option(level, option)) {
        errno = ENOPROTOOPT;
        return -1;
    }
    bool is_size = level == SOL_SOCKET && (option == SO_RCVBUF || option == SO_SNDBUF);
    bool is_force = level == SOL_SOCKET && (option == SO_RCVBUFFORCE || option == SO_SNDBUFFORCE);
    if (faults.buffer > 0 && is_force) {
        errno = EPERM;
        return -1;
    }
    int size = faults.buffer;
    if (faults.buffer > 0 && is_size) { /* the kernel, too, takes less without a word */
        value = &size;
    }
    return (int)syscall(SYS_setsockopt, fd, level, option, value, len);
}

/* The datagrams' size, if the message bears several. */
static unsigned segment_of(struct msghdr *message)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level == OPTION_UDP && c->cmsg_type == OPTION_UDP_SEGMENT) {
            uint16_t segment;
            memcpy(&segment, CMSG_DATA(c), sizeof segment);
            return segment;
        }
    }
    return 0;
}

static bool is_refused(struct msghdr *message)
{
    unsigned segment = segment_of(message);
    size_t longest = segment;
    for (size_t i = 0; segment == 0 && i < message->msg_iovlen; i++) {
        longest += message->msg_iov[i].iov_len;
    }
    return !((faults.is_gso && segment == 0) || (faults.longest > 0 && longest <= faults.longest));
}

SHOWN int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    unsigned number = faults.calls++, sent = 0;
    bool is_time = faults.error != 0 && number >= faults.first &&
                   (faults.last == 0 || number < faults.last) &&
                   (faults.every < 2 || number % faults.every == 0);
    /* As the kernel: what comes before the first refused one leaves, and is all that is told. */
    while (is_time && sent < count && !is_refused(&messages[sent].msg_hdr)) {
        sent++;
    }
    if (is_time && sent == 0) {
        faults.refused++;
        errno = faults.error;
        return -1;
    }
    return (int)syscall(SYS_sendmmsg, fd, messages, is_time ? sent : count, flags);
}

SHOWN int epoll_ctl(int epoll, int what, int fd, struct epoll_event *event)
{
    if (faults.unwatched > 0 && what != EPOLL_CTL_DEL) {
        faults.unwatched--;
        errno = ENOMEM;
        return -1;
    }
    return (int)syscall(SYS_epoll_ctl, epoll, what, fd, event);
}

/* --- from the environment --- */

static int error_of(const char *name)
{
    static const struct {
        const char *name;
        int error;
    } known[] = {{"EIO", EIO},           {"EAGAIN", EAGAIN},     {"ENOBUFS", ENOBUFS},
                 {"EMSGSIZE", EMSGSIZE}, {"ENETDOWN", ENETDOWN}, {"ENETUNREACH", ENETUNREACH}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(known[i].name, name) == 0) {
            return known[i].error;
        }
    }
    abort(); /* a test that tests nothing */
}

static void take_word(char *word)
{
    char *value = strchr(word, '=');
    if (value != NULL) {
        *value++ = '\0';
    }
    unsigned number = value == NULL ? 0 : (unsigned)strtoul(value, NULL, 10);
    faults.has_no_gso = faults.has_no_gso || strcmp(word, "nogso") == 0;
    faults.has_no_gro = faults.has_no_gro || strcmp(word, "nogro") == 0;
    faults.has_no_ancillary = faults.has_no_ancillary || strcmp(word, "noancillary") == 0;
    faults.is_gso = faults.is_gso || strcmp(word, "gso") == 0;
    faults.buffer = strcmp(word, "buffer") == 0 ? (int)number : faults.buffer;
    faults.error = strcmp(word, "error") == 0 && value != NULL ? error_of(value) : faults.error;
    faults.first = strcmp(word, "first") == 0 ? number : faults.first;
    faults.last = strcmp(word, "last") == 0 ? number : faults.last;
    faults.every = strcmp(word, "every") == 0 ? number : faults.every;
    faults.longest = strcmp(word, "longest") == 0 ? number : faults.longest;
}

__attribute__((constructor)) static void take_environment(void)
{
    const char *text = getenv("TERN_FAULTS");
    char copy[256] = "", *rest = NULL;
    if (text == NULL || strlen(text) >= sizeof copy) {
        return;
    }
    memcpy(copy, text, strlen(text) + 1);
    for (char *word = strtok_r(copy, ",", &rest); word != NULL; word = strtok_r(NULL, ",", &rest)) {
        take_word(word);
    }
}

/* So that a test sees that there was a fault at all. */
__attribute__((destructor)) static void tell(void)
{
    if (getenv("TERN_FAULTS") != NULL && faults.refused > 0) {
        (void)fprintf(stderr, "faults: %u calls refused\n", faults.refused);
    }
}
