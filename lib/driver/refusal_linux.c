/* Linux: what ICMP says about closed ports, from the socket's queue of errors.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "driver/udp.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include <linux/errqueue.h>

/* What else comes with an error: the local address and the ECN bits, which are passed over. */
enum { CONTROL_SIZE = 512 };

int tern_udp_ask_refusals(struct tern_udp *udp, bool is_wanted)
{
    int value = is_wanted ? 1 : 0; /* 0 also empties the queue */
    bool is_set = setsockopt(udp->fd, IPPROTO_IP, IP_RECVERR, &value, sizeof value) == 0;
    if (udp->family == AF_INET6) { /* which carries IPv4 as well */
        is_set =
            setsockopt(udp->fd, IPPROTO_IPV6, IPV6_RECVERR, &value, sizeof value) == 0 && is_set;
    }
    return is_set ? 0 : TERN_ERR_SYSTEM;
}

static bool is_closed_port(const struct cmsghdr *c)
{
    bool is_v4 = c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR;
    bool is_v6 = c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR;
    struct sock_extended_err error;
    if ((!is_v4 && !is_v6) || c->cmsg_len < CMSG_LEN(sizeof error)) {
        return false;
    }
    memcpy(&error, CMSG_DATA(c), sizeof error);
    return error.ee_errno == ECONNREFUSED &&
           (error.ee_origin == SO_EE_ORIGIN_ICMP || error.ee_origin == SO_EE_ORIGIN_ICMP6);
}

bool tern_udp_pull_refusal(struct tern_udp *udp, tern_addr *out)
{
    union {
        size_t align; /* that of a cmsghdr */
        char bytes[CONTROL_SIZE];
    } control;
    union tern_sockaddr sa = {0};
    char quoted[1]; /* of the packet that is meant; the address says enough */
    struct iovec iov = {.iov_base = quoted, .iov_len = sizeof quoted};
    struct msghdr msg = {.msg_name = &sa,
                         .msg_namelen = sizeof sa,
                         .msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = &control,
                         .msg_controllen = sizeof control};
    if (recvmsg(udp->fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) {
        return false;
    }
    *out = (tern_addr){0};
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c != NULL; c = CMSG_NXTHDR(&msg, c)) {
        if (is_closed_port(c)) {
            *out = tern_sockaddr_decode(&sa);
        }
    }
    return true;
}
