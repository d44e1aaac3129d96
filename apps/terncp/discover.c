/* Sockets for questions and answers on every interface.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/discover.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sodium.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <tern/udp.h>

#define GROUP_V4     "239.255.74.38"   /* RFC 2365 §6.1: local to a site */
#define GROUP_V6     "ff12::7465:726e" /* RFC 4291 §2.7: not assigned for good, link-local */
#define ANSWERS_MOST 50                /* in REJOIN seconds, whoever asks */
#define REJOIN       2.0               /* seconds: interfaces come and go */
#define ASK_EVERY    (400 * TERN_MSEC)
#define LISTEN_ON    (300 * TERN_MSEC) /* after the first answer: are there others? */

/* --- messages --------------------------------------------------------------------------------------- */

static const uint8_t zeros[12];

static void put_u32(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 24);
    at[1] = (uint8_t)(value >> 16);
    at[2] = (uint8_t)(value >> 8);
    at[3] = (uint8_t)value;
}

static uint32_t take_u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

void discover_question(uint8_t out[DISCOVER_SIZE], const uint8_t nonce[8], uint32_t slot)
{
    memset(out, 0, DISCOVER_SIZE);
    memcpy(out, "ternfind", 8);
    memcpy(out + 8, nonce, 8);
    put_u32(out + 16, slot);
}

bool discover_is_question(const uint8_t *data, size_t len, uint32_t *slot)
{
    if (len != DISCOVER_SIZE || memcmp(data, "ternfind", 8) != 0 ||
        memcmp(data + 20, zeros, 12) != 0) {
        return false;
    }
    *slot = take_u32(data + 16);
    return true;
}

void discover_answer(uint8_t out[DISCOVER_SIZE], const uint8_t question[DISCOVER_SIZE],
                     uint16_t port, const uint8_t name[8])
{
    memcpy(out, question, 20);
    memcpy(out, "ternhere", 8);
    out[20] = (uint8_t)(port >> 8);
    out[21] = (uint8_t)port;
    out[22] = out[23] = 0;
    memcpy(out + 24, name, 8);
}

bool discover_is_answer(const uint8_t *data, size_t len, const uint8_t nonce[8], uint32_t slot,
                        uint16_t *port, uint8_t name[8])
{
    if (len != DISCOVER_SIZE || memcmp(data, "ternhere", 8) != 0 ||
        memcmp(data + 8, nonce, 8) != 0 || take_u32(data + 16) != slot) {
        return false;
    }
    *port = (uint16_t)(data[20] << 8 | data[21]);
    memcpy(name, data + 24, 8);
    return *port != 0;
}

bool discover_slot(const char *code, uint32_t *slot)
{
    size_t digits = strspn(code, "0123456789");
    *slot = 0;
    for (size_t i = 0; i < digits && i < 8; i++) {
        *slot = *slot * 10 + (uint32_t)(code[i] - '0');
    }
    return digits > 0 && digits <= 8;
}

/* --- answering --------------------------------------------------------------------------------------- */

static void on_question(struct ev_loop *loop, struct ev_io *w, int events)
{
    struct discover *d = w->data;
    struct sockaddr_storage from;
    socklen_t from_len = sizeof from;
    uint8_t data[DISCOVER_SIZE + 1], answer[DISCOVER_SIZE];
    uint32_t slot;
    (void)loop;
    (void)events;
    ssize_t n =
        recvfrom(w->fd, data, sizeof data, MSG_DONTWAIT, (struct sockaddr *)&from, &from_len);
    if (n < 0 || !discover_is_question(data, (size_t)n, &slot) || slot != d->slot ||
        d->answers >= ANSWERS_MOST) {
        return;
    }
    d->answers++;
    discover_answer(answer, data, d->port, d->name);
    (void)sendto(w->fd, answer, sizeof answer, MSG_DONTWAIT, (struct sockaddr *)&from, from_len);
}

/* Joins the group on every interface; those joined already refuse, which is no matter. */
static void join_all(const struct discover *d)
{
    struct ifaddrs *all = NULL;
    if (getifaddrs(&all) != 0) {
        return;
    }
    for (const struct ifaddrs *at = all; at != NULL; at = at->ifa_next) {
        int index = (int)if_nametoindex(at->ifa_name);
        if (at->ifa_addr == NULL || (at->ifa_flags & IFF_UP) == 0) {
            continue;
        }
        if (at->ifa_addr->sa_family == AF_INET && d->v4.fd >= 0) {
            struct ip_mreqn group = {.imr_ifindex = index};
            (void)inet_pton(AF_INET, GROUP_V4, &group.imr_multiaddr);
            (void)setsockopt(d->v4.fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group);
        } else if (at->ifa_addr->sa_family == AF_INET6 && d->v6.fd >= 0) {
            struct ipv6_mreq group = {.ipv6mr_interface = (unsigned)index};
            (void)inet_pton(AF_INET6, GROUP_V6, &group.ipv6mr_multiaddr);
            (void)setsockopt(d->v6.fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &group, sizeof group);
        }
    }
    freeifaddrs(all);
}

static void on_again(struct ev_loop *loop, struct ev_timer *timer, int events)
{
    struct discover *d = timer->data;
    (void)loop;
    (void)events;
    d->answers = 0;
    join_all(d);
}

static bool set_on(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

/* Several senders on one machine share the port. */
static int open_shared(int family)
{
    int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(DISCOVER_PORT)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(DISCOVER_PORT)};
    if (fd < 0) {
        return -1;
    }
    bool is_good = set_on(fd, SOL_SOCKET, SO_REUSEADDR, 1) &&
                   (family == AF_INET ? bind(fd, (struct sockaddr *)&v4, sizeof v4) == 0
                                      : set_on(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) &&
                                            bind(fd, (struct sockaddr *)&v6, sizeof v6) == 0);
    if (!is_good) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

bool discover_start(struct discover *d, struct ev_loop *loop, uint32_t slot, uint16_t port)
{
    memset(d, 0, sizeof *d);
    d->loop = loop;
    d->slot = slot;
    d->port = port;
    randombytes_buf(d->name, sizeof d->name);
    ev_io_init(&d->v4, on_question, open_shared(AF_INET), EV_READ);
    ev_io_init(&d->v6, on_question, open_shared(AF_INET6), EV_READ);
    ev_timer_init(&d->again, on_again, REJOIN, REJOIN);
    d->v4.data = d->v6.data = d->again.data = d;
    if (d->v4.fd >= 0) {
        ev_io_start(loop, &d->v4);
    }
    if (d->v6.fd >= 0) {
        ev_io_start(loop, &d->v6);
    }
    join_all(d);
    ev_timer_start(loop, &d->again);
    return d->v4.fd >= 0 || d->v6.fd >= 0;
}

void discover_stop(struct discover *d)
{
    if (d->loop == NULL) {
        return;
    }
    ev_timer_stop(d->loop, &d->again);
    ev_io_stop(d->loop, &d->v4);
    ev_io_stop(d->loop, &d->v6);
    if (d->v4.fd >= 0) {
        (void)close(d->v4.fd);
    }
    if (d->v6.fd >= 0) {
        (void)close(d->v6.fd);
    }
    d->loop = NULL;
}

/* --- asking ------------------------------------------------------------------------------------------- */

struct search {
    int v4, v6; /* sockets; -1: none */
    uint32_t slot;
    uint8_t nonce[8], question[DISCOVER_SIZE];
    bool is_found, is_several;
    uint8_t name[8]; /* of the first that has answered */
    tern_addr addr;
};

static void ask_v4(const struct search *s, struct in_addr to)
{
    struct sockaddr_in addr = {
        .sin_family = AF_INET, .sin_port = htons(DISCOVER_PORT), .sin_addr = to};
    /* A network that takes no such packet has no sender for us. */
    (void)sendto(s->v4, s->question, sizeof s->question, 0, (struct sockaddr *)&addr, sizeof addr);
}

static void ask_v6(const struct search *s, const struct in6_addr *to, unsigned scope)
{
    struct sockaddr_in6 addr = {.sin6_family = AF_INET6,
                                .sin6_port = htons(DISCOVER_PORT),
                                .sin6_addr = *to,
                                .sin6_scope_id = scope};
    (void)sendto(s->v6, s->question, sizeof s->question, 0, (struct sockaddr *)&addr, sizeof addr);
}

static void ask_interface(const struct search *s, const struct ifaddrs *at)
{
    unsigned index = if_nametoindex(at->ifa_name);
    if (at->ifa_addr->sa_family == AF_INET && s->v4 >= 0) {
        struct ip_mreqn via = {.imr_ifindex = (int)index};
        struct in_addr group;
        (void)inet_pton(AF_INET, GROUP_V4, &group);
        if (setsockopt(s->v4, IPPROTO_IP, IP_MULTICAST_IF, &via, sizeof via) == 0) {
            ask_v4(s, group);
        }
        if ((at->ifa_flags & IFF_BROADCAST) != 0 && at->ifa_broadaddr != NULL) {
            struct sockaddr_in all;
            memcpy(&all, at->ifa_broadaddr, sizeof all);
            ask_v4(s, all.sin_addr);
        }
    } else if (at->ifa_addr->sa_family == AF_INET6 && s->v6 >= 0) {
        struct in6_addr group;
        (void)inet_pton(AF_INET6, GROUP_V6, &group);
        ask_v6(s, &group, index);
    }
}

static void ask(const struct search *s, const tern_addr *host)
{
    struct ifaddrs *all = NULL;
    if (host != NULL) {
        struct in_addr v4;
        struct in6_addr v6;
        memcpy(&v4, host->ip, sizeof v4);
        memcpy(&v6, host->ip, sizeof v6);
        if (host->family == 4 && s->v4 >= 0) {
            ask_v4(s, v4);
        } else if (host->family == 6 && s->v6 >= 0) {
            ask_v6(s, &v6, host->scope);
        }
        return;
    }
    if (getifaddrs(&all) != 0) {
        return;
    }
    for (const struct ifaddrs *at = all; at != NULL; at = at->ifa_next) {
        if (at->ifa_addr != NULL && (at->ifa_flags & IFF_UP) != 0) {
            ask_interface(s, at);
        }
    }
    freeifaddrs(all);
}

static void take_answer(struct search *s, int fd)
{
    struct sockaddr_storage from;
    socklen_t from_len = sizeof from;
    uint8_t data[DISCOVER_SIZE + 1], name[8];
    uint16_t port;
    ssize_t n = recvfrom(fd, data, sizeof data, MSG_DONTWAIT, (struct sockaddr *)&from, &from_len);
    if (n < 0 || !discover_is_answer(data, (size_t)n, s->nonce, s->slot, &port, name)) {
        return;
    }
    if (s->is_found) {
        s->is_several = s->is_several || memcmp(name, s->name, sizeof name) != 0;
        return;
    }
    s->is_found = true;
    memcpy(s->name, name, sizeof name);
    s->addr = (tern_addr){.port = port};
    if (from.ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)&from;
        s->addr.family = 4;
        memcpy(s->addr.ip, &v4->sin_addr, 4);
    } else {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&from;
        s->addr.family = 6;
        memcpy(s->addr.ip, &v6->sin6_addr, 16);
        s->addr.scope = v6->sin6_scope_id;
    }
}

static enum discover_result search(struct search *s, const tern_addr *host, tern_time timeout)
{
    struct pollfd fds[2] = {{.fd = s->v4, .events = POLLIN}, {.fd = s->v6, .events = POLLIN}};
    tern_time now = tern_udp_now(), end = now + timeout, next = now;
    while (now < end) {
        if (now >= next) {
            ask(s, host);
            next = now + ASK_EVERY;
        }
        tern_time until = next < end ? next : end;
        if (poll(fds, 2, (int)((until - now) / TERN_MSEC) + 1) < 0) {
            return DISCOVER_INTERRUPTED;
        }
        now = tern_udp_now();
        bool was_found = s->is_found;
        for (int i = 0; i < 2; i++) {
            if (fds[i].fd >= 0 && (fds[i].revents & POLLIN) != 0) {
                take_answer(s, fds[i].fd);
            }
        }
        if (s->is_found && !was_found && end > now + LISTEN_ON) {
            end = now + LISTEN_ON;
        }
    }
    return !s->is_found ? DISCOVER_NONE : s->is_several ? DISCOVER_SEVERAL : DISCOVER_FOUND;
}

enum discover_result discover_find(uint32_t slot, const tern_addr *host, int family,
                                   tern_time timeout, tern_addr *found)
{
    struct search s = {.v4 = -1, .v6 = -1, .slot = slot};
    randombytes_buf(s.nonce, sizeof s.nonce);
    discover_question(s.question, s.nonce, slot);
    s.v4 = family == 6 ? -1 : socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    s.v6 = family == 4 ? -1 : socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (s.v4 >= 0) {
        (void)set_on(s.v4, SOL_SOCKET, SO_BROADCAST, 1);
    }
    if (s.v6 >= 0) { /* or an answer for the other socket would come to this one */
        (void)set_on(s.v6, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    }
    enum discover_result result = search(&s, host, timeout);
    *found = s.addr;
    if (s.v4 >= 0) {
        (void)close(s.v4);
    }
    if (s.v6 >= 0) {
        (void)close(s.v6);
    }
    return result;
}
