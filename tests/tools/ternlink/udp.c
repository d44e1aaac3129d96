/* The UDP proxy: one socket for clients, one towards the server for each of them, as a NAT has.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "batch.h"
#include "ternlink.h"

enum { CLIENTS = 1024, ROUNDS = 4 };

struct client {
    union address addr;
    socklen_t addr_len;
    int fd;         /* towards the server */
    uint64_t birth; /* tells packets of this client from those of one who had the place before */
    tern_time rebind_at, used_at;
};

struct proxy {
    const struct options *options;
    struct wires wires;
    int fd;
    union address listen, to;
    socklen_t listen_len, to_len;
    struct client clients[CLIENTS];
    size_t count, latest;
    struct pollfd fds[1 + CLIENTS];
    struct inbox in;
    struct outbox out;
};

/* --- sockets --- */

static void resolve(const char *what, const char *text, union address *out, socklen_t *len)
{
    char host[256];
    const char *colon = strrchr(text, ':');
    size_t n = colon != NULL ? (size_t)(colon - text) : 0;
    bool is_bracketed = n >= 2 && text[0] == '[' && text[n - 1] == ']';
    struct addrinfo hints = {.ai_socktype = SOCK_DGRAM}, *list = NULL;
    int failed = EAI_NONAME;
    if (n > 0 && n < sizeof host) {
        size_t skip = is_bracketed ? 1 : 0;
        (void)snprintf(host, sizeof host, "%.*s", (int)(n - 2 * skip), text + skip);
        failed = getaddrinfo(host, colon + 1, &hints, &list);
    }
    if (failed != 0 || list->ai_addrlen > sizeof *out) {
        fprintf(stderr, "ternlink: %s: \"%s\" is no ADDR:PORT: %s\n", what, text,
                gai_strerror(failed));
        exit(EXIT_USAGE);
    }
    memset(out, 0, sizeof *out);
    memcpy(out, list->ai_addr, list->ai_addrlen);
    *len = list->ai_addrlen;
    freeaddrinfo(list);
}

static int open_socket(int family)
{
    int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        batch_prepare(fd, family);
    }
    return fd;
}

static void announce(struct proxy *proxy)
{
    char host[64], port[8];
    proxy->listen_len = sizeof proxy->listen;
    if (getsockname(proxy->fd, &proxy->listen.any, &proxy->listen_len) != 0 ||
        getnameinfo(&proxy->listen.any, proxy->listen_len, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
        fail("cannot name", "the socket");
    }
    bool is_v6 = proxy->listen.any.sa_family == AF_INET6;
    fprintf(stderr, "ternlink: listening on %s%s%s:%s\n", is_v6 ? "[" : "", host, is_v6 ? "]" : "",
            port);
}

static void proxy_open(struct proxy *proxy, const struct options *options)
{
    proxy->options = options;
    resolve("--listen", options->listen, &proxy->listen, &proxy->listen_len);
    resolve("--to", options->to, &proxy->to, &proxy->to_len);
    proxy->fd = open_socket(proxy->listen.any.sa_family);
    if (proxy->fd < 0 || bind(proxy->fd, &proxy->listen.any, proxy->listen_len) != 0) {
        fail("cannot listen on", options->listen);
    }
    proxy->fds[0] = (struct pollfd){.fd = proxy->fd, .events = POLLIN};
    inbox_init(&proxy->in);
    outbox_init(&proxy->out, proxy->fd);
    size_t ip_header = proxy->to.any.sa_family == AF_INET ? 20 : 40;
    wires_open(&proxy->wires, options, ip_header + 8);
    announce(proxy);
}

/* --- clients --- */

/* A socket towards the server with a port that the server has not seen. */
static int open_upstream(const struct proxy *proxy)
{
    int fd = open_socket(proxy->to.any.sa_family);
    if (fd >= 0 && connect(fd, &proxy->to.any, proxy->to_len) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static bool is_client(const struct client *client, const union address *addr, socklen_t len)
{
    return client->addr_len == len && memcmp(&client->addr, addr, len) == 0;
}

/* A free place, or that of the client who was silent for longest. */
static size_t find_place(struct proxy *proxy)
{
    if (proxy->count < CLIENTS) {
        return proxy->count++;
    }
    size_t oldest = 0;
    for (size_t i = 1; i < CLIENTS; i++) {
        if (proxy->clients[i].used_at < proxy->clients[oldest].used_at) {
            oldest = i;
        }
    }
    (void)close(proxy->clients[oldest].fd);
    return oldest;
}

static size_t add_client(struct proxy *proxy, const union address *addr, socklen_t len,
                         tern_time now)
{
    int fd = open_upstream(proxy);
    if (fd < 0) {
        fail("cannot open a socket to", proxy->options->to);
    }
    size_t i = find_place(proxy);
    proxy->clients[i] = (struct client){.addr = *addr,
                                        .addr_len = len,
                                        .fd = fd,
                                        .birth = proxy->wires.clients++,
                                        .rebind_at = TERN_TIME_NEVER,
                                        .used_at = now};
    if (proxy->options->rebind > 0) {
        proxy->clients[i].rebind_at = now + proxy->options->rebind;
    }
    proxy->fds[1 + i] = (struct pollfd){.fd = fd, .events = POLLIN};
    return i;
}

static size_t find_client(struct proxy *proxy, const union address *addr, socklen_t len,
                          tern_time now)
{
    size_t i = proxy->latest;
    if (i >= proxy->count || !is_client(&proxy->clients[i], addr, len)) {
        i = 0;
        while (i < proxy->count && !is_client(&proxy->clients[i], addr, len)) {
            i++;
        }
        if (i == proxy->count) {
            i = add_client(proxy, addr, len, now);
        }
    }
    proxy->latest = i;
    proxy->clients[i].used_at = now;
    return i;
}

/* Replaces the sockets whose time has come. Returns when the next one is due. */
static tern_time rebind_clients(struct proxy *proxy, tern_time now)
{
    tern_time next = TERN_TIME_NEVER;
    for (size_t i = 0; i < proxy->count && proxy->options->rebind > 0; i++) {
        struct client *client = &proxy->clients[i];
        if (client->rebind_at <= now) {
            int fd = open_upstream(proxy); /* before the close: it must not get the old port */
            if (fd < 0) {
                fail("cannot open a socket to", proxy->options->to);
            }
            (void)close(client->fd);
            client->fd = proxy->fds[1 + i].fd = fd;
            client->rebind_at = now + proxy->options->rebind;
            proxy->wires.rebinds++;
        }
        next = client->rebind_at < next ? client->rebind_at : next;
    }
    return next;
}

/* --- packets --- */

static uint64_t tag_of(const struct proxy *proxy, size_t i)
{
    return proxy->clients[i].birth * CLIENTS + i;
}

/* Each datagram of the message enters the link alone. */
static void enter(struct proxy *proxy, int direction, unsigned i, size_t client, tern_time now)
{
    uint8_t ecn = 0;
    size_t segment = 0, len = proxy->in.messages[i].msg_len;
    const uint8_t *data = proxy->in.iov[i].iov_base;
    inbox_look(&proxy->in, i, &ecn, &segment);
    for (size_t at = 0; at < len || at == 0; at += segment) {
        size_t left = len - at;
        if (tern_link_send(proxy->wires.link[direction], data + at, left < segment ? left : segment,
                           ecn, tag_of(proxy, client), now) != 0) {
            errno = ENOMEM;
            fail("cannot keep", "a packet");
        }
        if (segment == 0) {
            return; /* an empty datagram */
        }
    }
}

static void read_up(struct proxy *proxy)
{
    for (int round = 0, n = BATCH; round < ROUNDS && n == BATCH; round++) {
        n = (int)inbox_read(&proxy->in, proxy->fd);
        tern_time now = clock_now();
        for (unsigned i = 0; i < (unsigned)n; i++) {
            size_t client = find_client(proxy, &proxy->in.addresses[i],
                                        proxy->in.messages[i].msg_hdr.msg_namelen, now);
            enter(proxy, UP, i, client, now);
        }
    }
}

static void read_down(struct proxy *proxy, size_t client)
{
    for (int round = 0, n = BATCH; round < ROUNDS && n == BATCH; round++) {
        n = (int)inbox_read(&proxy->in, proxy->clients[client].fd);
        tern_time now = clock_now();
        for (unsigned i = 0; i < (unsigned)n; i++) {
            enter(proxy, DOWN, i, client, now);
        }
    }
}

/* All that is due leaves the link. */
static void leave(struct proxy *proxy, int direction, tern_time now)
{
    size_t len = 0;
    uint8_t ecn = 0;
    uint64_t tag = 0;
    while (tern_link_receive(proxy->wires.link[direction], outbox_slot(&proxy->out), OUTBOX_ROOM,
                             &len, &ecn, &tag, now) > 0) {
        size_t i = (size_t)(tag % CLIENTS);
        const struct client *client = &proxy->clients[i];
        if (tag_of(proxy, i) != tag) {
            continue; /* the client is gone */
        }
        if (direction == UP) {
            outbox_add(&proxy->out, client->fd, &proxy->to, 0, len, ecn);
        } else {
            outbox_add(&proxy->out, proxy->fd, &client->addr, client->addr_len, len, ecn);
        }
    }
    outbox_send(&proxy->out);
}

static void read_ready(struct proxy *proxy)
{
    size_t count = proxy->count; /* those that were polled */
    for (size_t i = 0; i < count; i++) {
        if (proxy->fds[1 + i].revents != 0) {
            read_down(proxy, i);
        }
    }
    if (proxy->fds[0].revents != 0) {
        read_up(proxy);
    }
}

void run_udp(const struct options *options)
{
    struct proxy *proxy = calloc(1, sizeof *proxy);
    if (proxy == NULL) {
        errno = ENOMEM;
        fail("cannot allocate", "the proxy");
    }
    proxy_open(proxy, options);
    for (tern_time now; wires_go_on(&proxy->wires, now = clock_now());) {
        leave(proxy, UP, now);
        leave(proxy, DOWN, now);
        tern_time next = wires_next(&proxy->wires, rebind_clients(proxy, now));
        wires_wait(&proxy->wires, proxy->fds, 1 + proxy->count, next);
        wires_answer(&proxy->wires, options);
        read_ready(proxy);
    }
    wires_close(&proxy->wires, options);
    for (size_t i = 0; i < proxy->count; i++) {
        (void)close(proxy->clients[i].fd);
    }
    (void)close(proxy->fd);
    inbox_clear(&proxy->in);
    outbox_clear(&proxy->out);
    free(proxy);
}
