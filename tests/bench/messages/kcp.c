/* KCP with its "fast" settings over UDP: timers of a millisecond, fast retransmission, no congestion window.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "common.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ikcp.h>

enum { CONVERSATION = 1, WINDOW = 512, INTERVAL_MS = 10, FAST_RESEND = 2 };

static struct end *self;
static struct sockaddr_in peer;
static ikcpcb *kcp;
static uint64_t hello_at;

static int send_packet(const char *data, int len, ikcpcb *from, void *user)
{
    (void)from;
    (void)user;
    const struct sockaddr *to = self->side == SERVER ? (const struct sockaddr *)&peer : NULL;
    (void)sendto(self->fd, data, (size_t)len, 0, to, to == NULL ? 0 : sizeof peer);
    return 0;
}

static int open_kcp(struct end *end, const struct sockaddr_in *address)
{
    self = end;
    end->fd = open_udp(address, end->side == SERVER);
    kcp = ikcp_create(CONVERSATION, NULL);
    if (end->fd < 0 || kcp == NULL) {
        return -1;
    }
    ikcp_setoutput(kcp, send_packet);
    errno = EINVAL;
    end->is_ready = end->side == CLIENT;
    return ikcp_nodelay(kcp, 1, INTERVAL_MS, FAST_RESEND, 1) | ikcp_wndsize(kcp, WINDOW, WINDOW);
}

static uint32_t milliseconds(uint64_t now)
{
    return (uint32_t)(now / NS_PER_MS);
}

/* KCP has no handshake: a datagram that is none of its own tells the server where the client is. */
static void greet(struct end *end, uint64_t now)
{
    if (end->side == CLIENT && end->next == 0 && now >= hello_at) {
        (void)send(end->fd, "hello", 5, 0);
        hello_at = now + NS_PER_SEC / 10;
    }
}

static uint64_t work_kcp(struct end *end, uint64_t now)
{
    char data[2048];
    socklen_t from_len = sizeof peer;
    ssize_t len = 0;
    while ((len = recvfrom(end->fd, data, sizeof data, 0, (struct sockaddr *)&peer, &from_len)) >=
           0) {
        (void)ikcp_input(kcp, data, (long)len);
        end->is_ready = true;
        from_len = sizeof peer;
    }
    int got = 0;
    while ((got = ikcp_recv(kcp, data, sizeof data)) > 0) {
        end_received(end, (const uint8_t *)data, (size_t)got);
    }
    greet(end, now);
    if (end->is_ready) {
        ikcp_update(kcp, milliseconds(now));
    }
    return now + NS_PER_MS;
}

static bool send_kcp(struct end *end, unsigned channel, const uint8_t *data, size_t len)
{
    (void)end;
    (void)channel;
    if (ikcp_send(kcp, (const char *)data, (int)len) < 0) {
        return false;
    }
    kcp->current = milliseconds(clock_now());
    ikcp_flush(kcp);
    return true;
}

static void close_kcp(struct end *end)
{
    ikcp_release(kcp);
    (void)close(end->fd);
}

int main(int argc, char **argv)
{
    static const char *const modes[] = {"reliable", NULL};
    static const struct transport transport = {.name = "kcp",
                                               .modes = modes,
                                               .channels = 1,
                                               .open = open_kcp,
                                               .work = work_kcp,
                                               .send = send_kcp,
                                               .close = close_kcp};
    return messages_main(argc, argv, &transport);
}
