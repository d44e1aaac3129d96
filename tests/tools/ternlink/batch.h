/* Many datagrams in one system call, with their ECN bits; neighbours of one size travel as one.
 * SPDX-License-Identifier: MIT */
#ifndef TERNLINK_BATCH_H
#define TERNLINK_BATCH_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

enum {
    BATCH = 64,
    /* Not a power of two, so that the packets' beginnings do not compete for the same cache lines. */
    INBOX_SLOT = 67 * 1024,
    OUTBOX_ARENA = 1 << 20,
    OUTBOX_ROOM = 1 << 16 /* for one datagram */
};

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* What was read. A message is one datagram, or several of `segment` bytes, the last maybe shorter. */
struct inbox {
    struct mmsghdr messages[BATCH];
    struct iovec iov[BATCH];
    union address addresses[BATCH];
    uint64_t control[BATCH][16];
    uint8_t *slots;
};

/* What is to be sent on `fd`. Datagrams lie back to back, so that those of one size to one place
 * become one message with a segment size. */
struct outbox {
    int fd;
    unsigned count;
    size_t used;
    bool has_gso;
    struct mmsghdr messages[BATCH];
    struct iovec iov[BATCH];
    union address addresses[BATCH];
    uint8_t ecn[BATCH];
    size_t segment[BATCH];
    unsigned datagrams[BATCH];
    uint64_t control[BATCH][16];
    uint8_t *arena;
};

/* The options of a socket that inbox and outbox serve. */
void batch_prepare(int fd, int family);

void inbox_init(struct inbox *inbox); /* exits when there is no memory, as outbox_init */
void inbox_clear(struct inbox *inbox);

/* Reads what is there, at most BATCH messages. */
unsigned inbox_read(struct inbox *inbox, int fd);

/* The ECN bits and the segment size of message i. */
void inbox_look(struct inbox *inbox, unsigned i, uint8_t *ecn, size_t *segment);

/* fd: any socket of the process, to ask the kernel what it can do. */
void outbox_init(struct outbox *outbox, int fd);
void outbox_clear(struct outbox *outbox);

/* Where the next datagram's bytes belong (OUTBOX_ROOM); then outbox_add it. addr_len 0: the socket
 * is connected, addr tells the family alone. */
uint8_t *outbox_slot(struct outbox *outbox);
void outbox_add(struct outbox *outbox, int fd, const union address *addr, socklen_t addr_len,
                size_t len, uint8_t ecn);
void outbox_send(struct outbox *outbox);

#endif
