/* What the kernel alone takes: each message a datagram, neither encrypted nor reliable, by sendmmsg.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common.h"

#define BATCH  64
#define BUFFER (4 * 1024 * 1024)
#define QUIET  500 /* ms after which no more comes */

struct batch {
    uint8_t data[BATCH][1024];
    struct iovec parts[BATCH];
    struct mmsghdr heads[BATCH];
};

static struct batch batch;

static void prepare(size_t size)
{
    for (size_t i = 0; i < BATCH; i++) {
        batch.parts[i] = (struct iovec){.iov_base = batch.data[i], .iov_len = size};
        batch.heads[i].msg_hdr = (struct msghdr){.msg_iov = &batch.parts[i], .msg_iovlen = 1};
    }
}

static int open_socket(struct sockaddr_in *address)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0), size = BUFFER;
    memset(address, 0, sizeof *address);
    address->sin_family = AF_INET;
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    return fd;
}

static int64_t receive_raw(struct rate_run *run)
{
    struct sockaddr_in address;
    socklen_t len = sizeof address;
    int fd = open_socket(&address), got = 0;
    int64_t count = 0;
    struct pollfd waiting = {.fd = fd, .events = POLLIN};
    prepare(sizeof batch.data[0]);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0 ||
        !rate_tell(run, ntohs(address.sin_port)) || poll(&waiting, 1, 10 * QUIET) != 1) {
        return -1;
    }
    while (poll(&waiting, 1, QUIET) == 1) {
        while ((got = recvmmsg(fd, batch.heads, BATCH, MSG_DONTWAIT, NULL)) > 0) {
            count += got;
        }
    }
    (void)close(fd);
    return count;
}

static bool send_raw(struct rate_run *run)
{
    struct sockaddr_in address;
    int fd = open_socket(&address);
    prepare(run->size);
    address.sin_port = htons(run->port);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        return false;
    }
    double start = rate_now();
    while (rate_now() < start + run->seconds) {
        int n = sendmmsg(fd, batch.heads, BATCH, 0);
        if (n <= 0) {
            return false;
        }
        run->sent += (uint64_t)n;
    }
    run->took = rate_now() - start;
    (void)close(fd);
    return true;
}

int main(int argc, char **argv)
{
    static const char *const modes[] = {"unreliable", NULL};
    static const struct rate_peer peer = {
        .name = "sendmmsg", .modes = modes, .receive = receive_raw, .send = send_raw};
    return rate_main(argc, argv, &peer);
}
