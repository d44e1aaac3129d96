/* The kernel's TCP: CUBIC, NODELAY, messages of one known length in one stream.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "common.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int door = -1; /* the server's listening socket */
static uint8_t part[2 * LETTER_LARGEST];
static size_t part_len;

static int prepare(const struct end *end, int fd)
{
    static const int on = 1;
    const char *cc = end->shared->options.cc != NULL ? end->shared->options.cc : "cubic";
    return setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) |
           setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, cc, (socklen_t)strlen(cc));
}

static int open_tcp(struct end *end, const struct sockaddr_in *address)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    end->fd = fd;
    if (fd < 0 || prepare(end, fd) != 0) {
        return -1;
    }
    if (end->side == SERVER) {
        door = fd;
        return bind(fd, (const struct sockaddr *)address, sizeof *address) != 0 ? -1
                                                                                : listen(fd, 1);
    }
    int rc = connect(fd, (const struct sockaddr *)address, sizeof *address);
    return rc != 0 && errno != EINPROGRESS ? -1 : 0;
}

static void look_for_connection(struct end *end)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof info;
    if (end->side == SERVER) {
        int fd = accept4(door, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0 && prepare(end, fd) == 0) {
            end->fd = fd;
            end->is_ready = true;
        }
    } else if (getsockopt(end->fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0) {
        end->is_ready = info.tcpi_state == TCP_ESTABLISHED;
    }
}

static uint64_t work_tcp(struct end *end, uint64_t now)
{
    size_t size = end->shared->options.size;
    if (!end->is_ready) {
        look_for_connection(end);
        return now + NS_PER_MS;
    }
    ssize_t len = 0;
    while ((len = recv(end->fd, part + part_len, sizeof part - part_len, 0)) > 0) {
        part_len += (size_t)len;
        size_t at = 0;
        for (; part_len - at >= size; at += size) {
            end_received(end, part + at, size);
        }
        part_len -= at;
        memmove(part, part + at, part_len);
    }
    end->is_over = len == 0 || (errno != EAGAIN && errno != EINTR);
    return end->is_over ? now + NS_PER_MS : NEVER;
}

static bool send_tcp(struct end *end, unsigned channel, const uint8_t *data, size_t len)
{
    (void)channel;
    return send(end->fd, data, len, MSG_NOSIGNAL) == (ssize_t)len;
}

static void close_tcp(struct end *end)
{
    (void)close(end->fd);
}

int main(int argc, char **argv)
{
    static const char *const modes[] = {"reliable", NULL};
    static const struct transport transport = {.name = "tcp",
                                               .modes = modes,
                                               .needs_cable = true,
                                               .channels = CHANNELS_MOST,
                                               .open = open_tcp,
                                               .work = work_tcp,
                                               .send = send_tcp,
                                               .close = close_tcp};
    return messages_main(argc, argv, &transport);
}
