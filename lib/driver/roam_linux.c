/* Linux tells of changed addresses and routes over netlink.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include "driver/udp.h"

int tern_udp_roam_open(int *fd)
{
    struct sockaddr_nl sa = {.nl_family = AF_NETLINK,
                             .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |
                                          RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE};
    int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    if (netlink < 0) {
        return TERN_ERR_SYSTEM;
    }
    if (bind(netlink, (const struct sockaddr *)&sa, sizeof sa) != 0) {
        int saved = errno;
        (void)close(netlink);
        errno = saved;
        return TERN_ERR_SYSTEM;
    }
    *fd = netlink;
    return 0;
}

/* What exactly changed does not matter: the routing table is asked in any case. Nor does it when the
 * kernel had more to say than the socket holds (ENOBUFS). */
bool tern_udp_roam_read(int fd)
{
    char buf[8192];
    bool has_any = false;
    ssize_t n;
    while ((n = recv(fd, buf, sizeof buf, 0)) > 0 || (n < 0 && errno == ENOBUFS)) {
        has_any = true;
    }
    return has_any;
}
