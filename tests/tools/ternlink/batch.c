/* Many datagrams in one system call: recvmmsg and sendmmsg, GRO and GSO, ECN by ancillary data.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "batch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ternlink.h"

/* linux/udp.h; older C libraries do not have them. */
enum { OPTION_UDP = 17, OPTION_UDP_SEGMENT = 103, OPTION_UDP_GRO = 104 };

/* Of one GSO message. */
enum { MOST_DATAGRAMS = 64, MOST_BYTES = 65000 };

enum { SOCKET_BUFFER = 16 << 20 };

static bool set_option(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

void batch_prepare(int fd, int family)
{
    /* What the kernel does not offer is done without. */
    (void)set_option(fd, IPPROTO_IP, IP_RECVTOS, 1);
    if (family == AF_INET6) {
        (void)set_option(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
    }
    (void)set_option(fd, OPTION_UDP, OPTION_UDP_GRO, 1);
    if (!set_option(fd, SOL_SOCKET, SO_RCVBUFFORCE, SOCKET_BUFFER)) {
        (void)set_option(fd, SOL_SOCKET, SO_RCVBUF, SOCKET_BUFFER);
    }
    if (!set_option(fd, SOL_SOCKET, SO_SNDBUFFORCE, SOCKET_BUFFER)) {
        (void)set_option(fd, SOL_SOCKET, SO_SNDBUF, SOCKET_BUFFER);
    }
}

static uint8_t *allocate(size_t size)
{
    uint8_t *block = malloc(size);
    if (block == NULL) {
        errno = ENOMEM;
        fail("cannot allocate", "packet buffers");
    }
    return block;
}

/* --- in --- */

void inbox_init(struct inbox *inbox)
{
    memset(inbox, 0, sizeof *inbox);
    inbox->slots = allocate((size_t)BATCH * INBOX_SLOT);
    for (size_t i = 0; i < BATCH; i++) {
        inbox->iov[i].iov_base = inbox->slots + i * INBOX_SLOT;
        inbox->iov[i].iov_len = INBOX_SLOT;
        inbox->messages[i].msg_hdr.msg_iov = &inbox->iov[i];
        inbox->messages[i].msg_hdr.msg_iovlen = 1;
        inbox->messages[i].msg_hdr.msg_name = &inbox->addresses[i];
        inbox->messages[i].msg_hdr.msg_control = inbox->control[i];
    }
}

void inbox_clear(struct inbox *inbox)
{
    free(inbox->slots);
    inbox->slots = NULL;
}

unsigned inbox_read(struct inbox *inbox, int fd)
{
    for (size_t i = 0; i < BATCH; i++) {
        inbox->messages[i].msg_hdr.msg_namelen = sizeof inbox->addresses[i];
        inbox->messages[i].msg_hdr.msg_controllen = sizeof inbox->control[i];
    }
    /* Errors are of earlier packets (a closed port): a wire does not know them. */
    int n = recvmmsg(fd, inbox->messages, BATCH, MSG_DONTWAIT, NULL);
    return n > 0 ? (unsigned)n : 0;
}

static int control_int(const struct cmsghdr *c)
{
    int value = 0;
    memcpy(&value, CMSG_DATA(c), sizeof value);
    return value;
}

void inbox_look(struct inbox *inbox, unsigned i, uint8_t *ecn, size_t *segment)
{
    struct msghdr *msg = &inbox->messages[i].msg_hdr;
    *ecn = 0;
    *segment = inbox->messages[i].msg_len;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) {
            *ecn = *CMSG_DATA(c) & 3;
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS) {
            *ecn = (uint8_t)(control_int(c) & 3);
        } else if (c->cmsg_level == OPTION_UDP && c->cmsg_type == OPTION_UDP_GRO &&
                   control_int(c) > 0) {
            *segment = (size_t)control_int(c);
        }
    }
}

/* --- out --- */

void outbox_init(struct outbox *outbox, int fd)
{
    memset(outbox, 0, sizeof *outbox);
    outbox->fd = -1;
    outbox->has_gso = set_option(fd, OPTION_UDP, OPTION_UDP_SEGMENT, 0);
    outbox->arena = allocate(OUTBOX_ARENA);
}

void outbox_clear(struct outbox *outbox)
{
    free(outbox->arena);
    outbox->arena = NULL;
}

uint8_t *outbox_slot(struct outbox *outbox)
{
    if (outbox->count == BATCH || outbox->used + OUTBOX_ROOM > OUTBOX_ARENA) {
        outbox_send(outbox);
    }
    return outbox->arena + outbox->used;
}

/* Whether the datagram may ride on the latest message. */
static bool fits_latest(const struct outbox *outbox, const union address *addr, socklen_t addr_len,
                        size_t len, uint8_t ecn)
{
    unsigned i = outbox->count - 1;
    size_t so_far = outbox->iov[i].iov_len, segment = outbox->segment[i];
    return outbox->has_gso && len > 0 && len <= segment && so_far % segment == 0 &&
           so_far + len <= MOST_BYTES && outbox->datagrams[i] < MOST_DATAGRAMS &&
           outbox->ecn[i] == ecn && outbox->messages[i].msg_hdr.msg_namelen == addr_len &&
           (addr_len == 0 || memcmp(&outbox->addresses[i], addr, addr_len) == 0);
}

void outbox_add(struct outbox *outbox, int fd, const union address *addr, socklen_t addr_len,
                size_t len, uint8_t ecn)
{
    uint8_t *data = outbox->arena + outbox->used;
    if (outbox->count > 0 && outbox->fd != fd) {
        outbox_send(outbox);
        memmove(outbox->arena, data, len);
        data = outbox->arena;
    }
    outbox->fd = fd;
    outbox->used += len;
    if (outbox->count > 0 && fits_latest(outbox, addr, addr_len, len, ecn)) {
        outbox->iov[outbox->count - 1].iov_len += len;
        outbox->datagrams[outbox->count - 1]++;
        return;
    }
    unsigned i = outbox->count++;
    outbox->iov[i] = (struct iovec){.iov_base = data, .iov_len = len};
    outbox->addresses[i] = *addr;
    outbox->ecn[i] = ecn;
    outbox->segment[i] = len;
    outbox->datagrams[i] = 1;
    outbox->messages[i].msg_hdr = (struct msghdr){
        .msg_name = addr_len > 0 ? &outbox->addresses[i] : NULL,
        .msg_namelen = addr_len,
        .msg_iov = &outbox->iov[i],
        .msg_iovlen = 1,
    };
}

static void add_control(struct outbox *outbox, unsigned i, int level, int type, const void *value,
                        size_t len)
{
    struct msghdr *msg = &outbox->messages[i].msg_hdr;
    uint8_t *at = (uint8_t *)outbox->control[i] + msg->msg_controllen;
    struct cmsghdr header = {.cmsg_len = CMSG_LEN(len), .cmsg_level = level, .cmsg_type = type};
    memset(at, 0, CMSG_SPACE(len));
    memcpy(at, &header, sizeof header);
    memcpy(at + CMSG_LEN(0), value, len);
    msg->msg_control = outbox->control[i];
    msg->msg_controllen += CMSG_SPACE(len);
}

static void finish_message(struct outbox *outbox, unsigned i)
{
    if (outbox->ecn[i] != 0) {
        bool is_v4 = outbox->addresses[i].any.sa_family == AF_INET;
        int ecn = outbox->ecn[i];
        add_control(outbox, i, is_v4 ? IPPROTO_IP : IPPROTO_IPV6, is_v4 ? IP_TOS : IPV6_TCLASS,
                    &ecn, sizeof ecn);
    }
    if (outbox->datagrams[i] > 1) {
        uint16_t segment = (uint16_t)outbox->segment[i];
        add_control(outbox, i, OPTION_UDP, OPTION_UDP_SEGMENT, &segment, sizeof segment);
    }
}

void outbox_send(struct outbox *outbox)
{
    for (unsigned i = 0; i < outbox->count; i++) {
        finish_message(outbox, i);
    }
    for (unsigned sent = 0; sent < outbox->count;) {
        int n = sendmmsg(outbox->fd, outbox->messages + sent, outbox->count - sent, 0);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 && outbox->datagrams[sent] > 1 && (errno == EIO || errno == EINVAL)) {
            outbox->has_gso = false; /* the device cannot: this one is lost, the next go alone */
        }
        sent += n > 0 ? (unsigned)n : 1; /* what the kernel refuses is lost, as on a wire */
    }
    outbox->count = 0;
    outbox->used = 0;
}
