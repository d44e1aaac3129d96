/* Linux: GSO and GRO, batches, ECN bits and local addresses by ancillary data.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "driver/udp.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* linux/udp.h; older C libraries do not have them. */
enum { OPTION_UDP = 17, OPTION_UDP_SEGMENT = 103, OPTION_UDP_GRO = 104 };

enum { MESSAGES = 64 }; /* in one sendmmsg */

/* Room for a local address, the ECN bits and a segment size. */
union control {
    size_t align; /* that of a cmsghdr */
    char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(struct in_pktinfo)) +
               3 * CMSG_SPACE(sizeof(int))];
};

struct tern_udp_platform {
    bool has_gso, has_gro; /* what the kernel offers, whatever is switched on */
    struct tern_chunk chunks[MESSAGES];
    struct mmsghdr out[MESSAGES];
    struct iovec out_iov[MESSAGES];
    union tern_sockaddr out_addr[MESSAGES];
    union control out_control[MESSAGES];

    struct mmsghdr in[TERN_UDP_SLOTS];
    struct iovec in_iov[TERN_UDP_SLOTS];
    union tern_sockaddr in_addr[TERN_UDP_SLOTS];
    union control in_control[TERN_UDP_SLOTS];
    uint8_t *slots; /* TERN_UDP_SLOTS of TERN_UDP_SLOT_SIZE */
};

/* --- options --- */

static bool set_option(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

/* ECN and the local address, and DF without the kernel's own guess of the path MTU, which anybody
 * can forge: RFC 8899 probes need both. A kernel that lacks one of them works without it. */
static void ask_for_ancillary_data(const struct tern_udp *udp)
{
    (void)set_option(udp->fd, IPPROTO_IP, IP_RECVTOS, 1);
    (void)set_option(udp->fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
    if (udp->family == AF_INET) {
        (void)set_option(udp->fd, IPPROTO_IP, IP_PKTINFO, 1);
    } else {
        (void)set_option(udp->fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
        (void)set_option(udp->fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
        (void)set_option(udp->fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
    }
}

int tern_udp_setup(struct tern_udp *udp)
{
    struct tern_udp_platform *p = calloc(1, sizeof *p);
    udp->platform = p;
    if (p == NULL || (p->slots = malloc((size_t)TERN_UDP_SLOTS * TERN_UDP_SLOT_SIZE)) == NULL) {
        return TERN_ERR_NOMEM;
    }
    for (size_t i = 0; i < TERN_UDP_SLOTS; i++) {
        p->in_iov[i].iov_base = p->slots + i * TERN_UDP_SLOT_SIZE;
        p->in_iov[i].iov_len = TERN_UDP_SLOT_SIZE;
        p->in[i].msg_hdr.msg_iov = &p->in_iov[i];
        p->in[i].msg_hdr.msg_iovlen = 1;
        p->in[i].msg_hdr.msg_name = &p->in_addr[i];
    }
    ask_for_ancillary_data(udp);
    p->has_gso = set_option(udp->fd, OPTION_UDP, OPTION_UDP_SEGMENT, 0);
    p->has_gro = set_option(udp->fd, OPTION_UDP, OPTION_UDP_GRO, 1);
    udp->counters.has_gso = p->has_gso;
    udp->counters.has_gro = p->has_gro;
    return 0;
}

void tern_udp_poll_device(struct tern_udp *udp, unsigned usecs)
{
    (void)set_option(udp->fd, SOL_SOCKET, SO_BUSY_POLL, (int)usecs); /* or not */
}

void tern_udp_teardown(struct tern_udp *udp)
{
    if (udp->platform != NULL) {
        free(udp->platform->slots);
        free(udp->platform);
        udp->platform = NULL;
    }
}

void tern_udp_switch_offload(struct tern_udp *udp, bool gso, bool gro)
{
    udp->counters.has_gso = gso && udp->platform->has_gso;
    bool switched =
        udp->platform->has_gro && set_option(udp->fd, OPTION_UDP, OPTION_UDP_GRO, gro ? 1 : 0);
    udp->counters.has_gro = switched ? gro : udp->counters.has_gro;
}

/* --- out --- */

static void add_control(struct msghdr *msg, int level, int type, const void *data, size_t len)
{
    uint8_t *base = msg->msg_control;
    struct cmsghdr header = {.cmsg_level = level, .cmsg_type = type, .cmsg_len = CMSG_LEN(len)};
    memcpy(base + msg->msg_controllen, &header, sizeof header);
    memcpy(base + msg->msg_controllen + CMSG_LEN(0), data, len);
    msg->msg_controllen += CMSG_SPACE(len);
}

/* Replies leave from the address that was asked, also on a machine with many. */
static void add_local(struct msghdr *msg, const tern_addr *local)
{
    if (local->family == 4) {
        struct in_pktinfo info = {0};
        memcpy(&info.ipi_spec_dst, local->ip, 4);
        add_control(msg, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
    } else if (local->family == 6) {
        struct in6_pktinfo info = {.ipi6_ifindex = local->scope};
        memcpy(&info.ipi6_addr, local->ip, 16);
        add_control(msg, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
    }
}

static void prepare_message(struct tern_udp *udp, size_t i)
{
    struct tern_udp_platform *p = udp->platform;
    const struct tern_chunk *chunk = &p->chunks[i];
    const tern_train *train = chunk->train;
    struct msghdr *msg = &p->out[i].msg_hdr;
    p->out_iov[i] = (struct iovec){.iov_base = chunk->data, .iov_len = chunk->len};
    *msg = (struct msghdr){.msg_name = &p->out_addr[i],
                           .msg_iov = &p->out_iov[i],
                           .msg_iovlen = 1,
                           .msg_control = &p->out_control[i]};
    msg->msg_namelen = tern_sockaddr_encode(&p->out_addr[i], &train->remote, udp->family);
    memset(&p->out_control[i], 0, sizeof p->out_control[i]);
    if (!tern_sockaddr_is_any(&train->local)) {
        add_local(msg, &train->local);
    }
    if (train->ecn != 0) {
        int ecn = train->ecn;
        bool is_v4 = train->remote.family == 4;
        add_control(msg, is_v4 ? IPPROTO_IP : IPPROTO_IPV6, is_v4 ? IP_TOS : IPV6_TCLASS, &ecn,
                    sizeof ecn);
    }
    if (chunk->segment != 0) {
        uint16_t segment = (uint16_t)chunk->segment;
        add_control(msg, OPTION_UDP, OPTION_UDP_SEGMENT, &segment, sizeof segment);
    }
    if (msg->msg_controllen == 0) {
        msg->msg_control = NULL;
    }
}

int tern_udp_push(struct tern_udp *udp)
{
    struct tern_udp_platform *p = udp->platform;
    while (!tern_outbox_is_empty(&udp->outbox)) {
        size_t n = tern_outbox_peek(&udp->outbox, udp->counters.has_gso, p->chunks, MESSAGES);
        for (size_t i = 0; i < n; i++) {
            prepare_message(udp, i);
        }
        udp->counters.sendmsg_calls++;
        int sent = p->out[0].msg_hdr.msg_namelen == 0
                       ? (errno = EAFNOSUPPORT, -1)
                       : sendmmsg(udp->fd, p->out, (unsigned)n, MSG_DONTWAIT);
        for (int i = 0; i < sent; i++) {
            tern_udp_on_sent(udp, &p->chunks[i]);
        }
        int rc = sent < 0 ? tern_udp_on_refused(udp, &p->chunks[0], errno) : 0;
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

/* --- in --- */

/* The kernel gives one byte for IPv4 and an int for everything else. */
static int control_int(const struct cmsghdr *c)
{
    int value = 0;
    if (c->cmsg_len >= CMSG_LEN(sizeof value)) {
        memcpy(&value, CMSG_DATA(c), sizeof value);
    } else if (c->cmsg_len >= CMSG_LEN(1)) {
        value = *CMSG_DATA(c);
    }
    return value;
}

static void read_control(tern_datagram *out, const struct cmsghdr *c)
{
    if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) {
        out->ecn = (uint8_t)(control_int(c) & 3);
    } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS) {
        out->ecn = (uint8_t)(control_int(c) & 3);
    } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
        struct in_pktinfo info;
        memcpy(&info, CMSG_DATA(c), sizeof info);
        out->local = tern_sockaddr_decode_ip4(&info.ipi_spec_dst, out->local.port);
    } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
        struct in6_pktinfo info;
        memcpy(&info, CMSG_DATA(c), sizeof info);
        out->local = tern_sockaddr_decode_ip6(&info.ipi6_addr, out->local.port, info.ipi6_ifindex);
    } else if (c->cmsg_level == OPTION_UDP && c->cmsg_type == OPTION_UDP_GRO) {
        int segment = control_int(c);
        out->segment = segment > 0 ? (size_t)segment : 0;
    }
}

static void read_message(const struct tern_udp *udp, size_t i, tern_datagram *out)
{
    struct tern_udp_platform *p = udp->platform;
    struct msghdr *msg = &p->in[i].msg_hdr;
    *out = (tern_datagram){.local = udp->local,
                           .remote = tern_sockaddr_decode(&p->in_addr[i]),
                           .data = p->in_iov[i].iov_base,
                           .len = p->in[i].msg_len};
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
        read_control(out, c);
    }
    if (out->segment >= out->len) {
        out->segment = 0;
    }
}

int tern_udp_pull(struct tern_udp *udp, tern_datagram *out)
{
    struct tern_udp_platform *p = udp->platform;
    for (size_t i = 0; i < TERN_UDP_SLOTS; i++) {
        struct msghdr *msg = &p->in[i].msg_hdr;
        msg->msg_namelen = sizeof p->in_addr[i];
        msg->msg_control = &p->in_control[i];
        msg->msg_controllen = sizeof p->in_control[i];
    }
    udp->counters.recvmsg_calls++;
    int got = recvmmsg(udp->fd, p->in, TERN_UDP_SLOTS, MSG_DONTWAIT, NULL);
    if (got < 0) {
        return tern_udp_on_unread(udp, errno);
    }
    udp->is_drained = got < TERN_UDP_SLOTS;
    int n = 0;
    for (size_t i = 0; i < (size_t)got; i++) {
        if ((p->in[i].msg_hdr.msg_flags & MSG_TRUNC) != 0) {
            continue;
        }
        read_message(udp, i, &out[n]);
        size_t segment = out[n].segment;
        udp->counters.datagrams_received += segment == 0 ? 1 : (out[n].len + segment - 1) / segment;
        n++;
    }
    return n;
}

int tern_udp_wait(struct tern_udp *udp, tern_time wait)
{
    struct pollfd pfd[2] = {{.fd = udp->fd, .events = POLLIN},
                            {.fd = udp->roam_fd, .events = POLLIN}}; /* -1 is passed over */
    if (udp->wants_write) {
        pfd[0].events |= POLLOUT;
    }
    struct timespec ts = {.tv_sec = (time_t)(wait / TERN_SEC), .tv_nsec = (long)(wait % TERN_SEC)};
    int n = ppoll(pfd, 2, wait == TERN_TIME_NEVER ? NULL : &ts, NULL);
    if (n < 0) {
        return errno == EINTR ? TERN_ERR_AGAIN : TERN_ERR_SYSTEM;
    }
    return n > 0;
}
