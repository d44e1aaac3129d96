/* Windows: one datagram a call, as plain POSIX, and neither ECN nor local addresses.
 * SPDX-License-Identifier: MIT */
#include "driver/udp.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "driver/system_win.h"

enum { DONT_FRAGMENT = 14 }; /* IP_DONTFRAGMENT and IPV6_DONTFRAG, which not all headers have */

struct tern_udp_platform {
    uint8_t slots[TERN_UDP_SLOTS][TERN_UDP_SLOT_SIZE];
};

int tern_udp_setup(struct tern_udp *udp)
{
    /* RFC 8899: probes of the path MTU must not arrive in pieces. */
    (void)tern_socket_set(udp->fd, IPPROTO_IP, DONT_FRAGMENT, 1);
    if (udp->family == AF_INET6) {
        (void)tern_socket_set(udp->fd, IPPROTO_IPV6, DONT_FRAGMENT, 1);
    }
    udp->platform = malloc(sizeof *udp->platform);
    return udp->platform != NULL ? 0 : TERN_ERR_NOMEM;
}

void tern_udp_poll_device(struct tern_udp *udp, unsigned usecs)
{
    (void)udp;
    (void)usecs;
}

void tern_udp_teardown(struct tern_udp *udp)
{
    free(udp->platform);
    udp->platform = NULL;
}

void tern_udp_switch_offload(struct tern_udp *udp, bool gso, bool gro)
{
    (void)udp;
    (void)gso;
    (void)gro;
}

int tern_udp_push(struct tern_udp *udp)
{
    struct tern_chunk chunk;
    while (tern_outbox_peek(&udp->outbox, false, &chunk, 1) > 0) {
        union tern_sockaddr sa;
        socklen_t len = tern_sockaddr_encode(&sa, &chunk.train->remote, udp->family);
        int error = EAFNOSUPPORT;
        udp->counters.sendmsg_calls++;
        if (len != 0) {
            int sent = sendto(tern_socket_of(udp->fd), (const char *)chunk.data, (int)chunk.len, 0,
                              &sa.any, len);
            error = sent < 0 ? tern_system_error() : 0;
        }
        if (error == 0) {
            tern_udp_on_sent(udp, &chunk);
            continue;
        }
        int rc = tern_udp_on_refused(udp, &chunk, error);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

int tern_udp_pull(struct tern_udp *udp, tern_datagram *out)
{
    int n = 0;
    while (n < TERN_UDP_SLOTS) {
        union tern_sockaddr sa = {0};
        socklen_t len = sizeof sa;
        uint8_t *slot = udp->platform->slots[n];
        udp->counters.recvmsg_calls++;
        int got =
            recvfrom(tern_socket_of(udp->fd), (char *)slot, TERN_UDP_SLOT_SIZE, 0, &sa.any, &len);
        if (got < 0) {
            int rc = tern_udp_on_unread(udp, tern_system_error());
            return rc != 0 ? rc : n;
        }
        out[n++] = (tern_datagram){.local = udp->local,
                                   .remote = tern_sockaddr_decode(&sa),
                                   .data = slot,
                                   .len = (size_t)got};
        udp->counters.datagrams_received++;
    }
    return n;
}

int tern_udp_wait(struct tern_udp *udp, tern_time wait)
{
    WSAPOLLFD pfd = {.fd = tern_socket_of(udp->fd), .events = POLLRDNORM};
    if (udp->wants_write) {
        pfd.events |= POLLWRNORM;
    }
    tern_time ms = wait / TERN_MSEC + (wait % TERN_MSEC > 0 ? 1 : 0); /* never too early */
    int n = WSAPoll(&pfd, 1, wait == TERN_TIME_NEVER ? -1 : ms > INT_MAX ? INT_MAX : (int)ms);
    if (n < 0) {
        return tern_system_error() == EINTR ? TERN_ERR_AGAIN : TERN_ERR_SYSTEM;
    }
    return n > 0;
}

int tern_udp_ask_refusals(struct tern_udp *udp, bool is_wanted)
{
    (void)udp;
    return is_wanted ? TERN_ERR_UNSUPPORTED : 0;
}

bool tern_udp_pull_refusal(struct tern_udp *udp, tern_addr *out)
{
    (void)udp;
    (void)out;
    return false;
}

int tern_udp_roam_open(int *fd)
{
    (void)fd;
    return TERN_ERR_UNSUPPORTED;
}

bool tern_udp_roam_read(int fd)
{
    (void)fd;
    return false;
}

int tern_udp_share_port(int fd)
{
    (void)fd;
    errno = ENOSYS;
    return TERN_ERR_UNSUPPORTED;
}

int tern_udp_steer(int fd, size_t at)
{
    (void)fd;
    (void)at;
    return TERN_ERR_UNSUPPORTED;
}
