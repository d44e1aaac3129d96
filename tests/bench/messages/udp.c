/* Bare datagrams: what the network and this machine do to a message, whatever the protocol.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "common.h"

#include <sys/socket.h>
#include <unistd.h>

static struct sockaddr_in peer; /* the server's view */
static uint64_t hello_at;

static int begin_udp(struct end *end, const struct sockaddr_in *address)
{
    end->fd = open_udp(address, end->side == SERVER);
    end->is_ready = end->side == CLIENT;
    return end->fd < 0 ? -1 : 0;
}

static uint64_t work_udp(struct end *end, uint64_t now)
{
    uint8_t data[2048];
    struct sockaddr_in from = {.sin_family = AF_INET};
    socklen_t from_len = sizeof from;
    ssize_t len = 0;
    while ((len = recvfrom(end->fd, data, sizeof data, 0, (struct sockaddr *)&from, &from_len)) >=
           0) {
        if (end->side == SERVER) {
            peer = from;
            end->is_ready = true;
        }
        end_received(end, data, (size_t)len);
        from_len = sizeof from;
    }
    if (end->side == CLIENT && end->next == 0 && now >= hello_at) {
        (void)send(end->fd, "hello", 5, 0);
        hello_at = now + NS_PER_SEC / 10;
    }
    return NEVER;
}

static bool send_udp(struct end *end, unsigned channel, const uint8_t *data, size_t len)
{
    (void)channel;
    const struct sockaddr *to = end->side == SERVER ? (const struct sockaddr *)&peer : NULL;
    return sendto(end->fd, data, len, 0, to, to == NULL ? 0 : sizeof peer) == (ssize_t)len;
}

static void close_udp(struct end *end)
{
    (void)close(end->fd);
}

int main(int argc, char **argv)
{
    static const char *const modes[] = {"unreliable", NULL};
    static const struct transport transport = {.name = "udp",
                                               .modes = modes,
                                               .channels = CHANNELS_MOST,
                                               .open = begin_udp,
                                               .work = work_udp,
                                               .send = send_udp,
                                               .close = close_udp};
    return messages_main(argc, argv, &transport);
}
