/* Any system without a faster way, by system.h: one datagram a call, no offload, no ancillary data.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#define __APPLE_USE_RFC_3542 /* IPV6_DONTFRAG */
#include "driver/udp.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "driver/system.h"

struct tern_udp_platform {
    uint8_t slots[TERN_UDP_SLOTS][TERN_UDP_SLOT_SIZE];
};

/* RFC 9000 §14: no router may cut a datagram. Each system has another name for it, and some have none: there a
 * probe (RFC 8899) that is too long comes in pieces. Where it can be had, the kernel's own guess of the path's MTU
 * does not count: it is made of ICMP, which anybody can forge. */
static const struct {
    int level, option, value;
} whole[] = {
#if defined(_WIN32) /* IP_DONTFRAGMENT and IPV6_DONTFRAG, which not all of its headers have */
    {IPPROTO_IP, 14, 1},
    {IPPROTO_IPV6, 14, 1},
#elif defined(IP_PMTUDISC_PROBE) && defined(IPV6_PMTUDISC_PROBE)
    {IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE},
    {IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE},
#else
#if defined(IP_DONTFRAG)
    {IPPROTO_IP, IP_DONTFRAG, 1},
#endif
#if defined(IPV6_DONTFRAG)
    {IPPROTO_IPV6, IPV6_DONTFRAG, 1},
#endif
#endif
    {-1, 0, 0}};

/* A socket of IPv6 carries IPv4, too, so both are asked for; what is not meant for it is refused. */
static void forbid_fragments(int fd)
{
    for (size_t i = 0; whole[i].level >= 0; i++) {
        (void)tern_socket_set(fd, whole[i].level, whole[i].option, whole[i].value);
    }
}

int tern_udp_setup(struct tern_udp *udp)
{
    forbid_fragments(udp->fd);
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
        udp->counters.sendmsg_calls++;
        bool is_sent = len != 0 && tern_socket_send(udp->fd, chunk.data, chunk.len, &sa, len) == 0;
        if (is_sent) {
            tern_udp_on_sent(udp, &chunk);
            continue;
        }
        int rc = tern_udp_on_refused(udp, &chunk, len == 0 ? EAFNOSUPPORT : errno);
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
        union tern_sockaddr sa;
        uint8_t *slot = udp->platform->slots[n];
        udp->counters.recvmsg_calls++;
        ptrdiff_t got = tern_socket_receive(udp->fd, slot, TERN_UDP_SLOT_SIZE, &sa);
        if (got < 0) {
            int rc = tern_udp_on_unread(udp, errno);
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
    tern_time ms = wait / TERN_MSEC + (wait % TERN_MSEC > 0 ? 1 : 0); /* never too early */
    int n = tern_socket_wait(udp->fd, udp->wants_write,
                             wait == TERN_TIME_NEVER ? -1
                             : ms > INT_MAX          ? INT_MAX
                                                     : (int)ms);
    if (n < 0) {
        return errno == EINTR ? TERN_ERR_AGAIN : TERN_ERR_SYSTEM;
    }
    return n > 0;
}

/* A socket that is not connected hears nothing of ICMP. */
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

/* There is no way to be told. */
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

/* Nor one to choose among the sockets of a port. */
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
