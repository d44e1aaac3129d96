/* The UDP driver's portable core: it moves datagrams between one socket and one endpoint.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "driver/udp.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver/system.h"

enum {
    RECEIVE_LARGEST =
        16
        << 20, /* what a thousand connections send while the reader is not scheduled for a moment */
    SEND_LARGEST = 8 << 20,
    BUFFER_SMALLEST = 256 << 10
};

/* Who does not keep up with what comes answers later, but no later than this. Then one ACK does for all that
 * came of a connection meanwhile, and lets the peer send as much in one train: with many connections each
 * pair of packets would cost an ACK and two visits else, and even less could be kept up with. */
#define FLUSH_PATIENCE (8 * TERN_MSEC)

#define BUSY_USECS_MAX 10000u /* the kernel asks with interrupts off */

/* How long tern_udp_close waits for a full socket. */
#define CLOSE_PATIENCE (50 * TERN_MSEC)

/* --- open and close --- */

/* Bursts of a fast path must fit while the application is busy. Refusal is no error: the kernel's
 * own bound then stays. */
static void enlarge_buffer(int fd, int option, int force, int size)
{
    if (force != 0 && tern_socket_set(fd, SOL_SOCKET, force, size)) {
        return;
    }
    while (size >= BUFFER_SMALLEST && !tern_socket_set(fd, SOL_SOCKET, option, size)) {
        size /= 2;
    }
}

static size_t buffer_size(int fd, int option)
{
    int size = tern_socket_option(fd, SOL_SOCKET, option);
    return size > 0 ? (size_t)size : 0;
}

static void enlarge_buffers(int fd)
{
#if defined(SO_RCVBUFFORCE) && defined(SO_SNDBUFFORCE)
    enlarge_buffer(fd, SO_RCVBUF, SO_RCVBUFFORCE, RECEIVE_LARGEST);
    enlarge_buffer(fd, SO_SNDBUF, SO_SNDBUFFORCE, SEND_LARGEST);
#else
    enlarge_buffer(fd, SO_RCVBUF, 0, RECEIVE_LARGEST);
    enlarge_buffer(fd, SO_SNDBUF, 0, SEND_LARGEST);
#endif
}

int tern_udp_bound_socket(const tern_addr *local, bool shared, int *family)
{
    *family = local->family == 4 ? AF_INET : AF_INET6;
    int fd = tern_socket_open(*family);
    if (fd < 0) {
        return -1;
    }
    union tern_sockaddr sa;
    socklen_t len = tern_sockaddr_encode(&sa, local, *family);
    int v6only = !tern_sockaddr_is_any(local);
    if (*family == AF_INET6) {
        /* [::] takes IPv4 as well, whatever the system's default is. */
        (void)tern_socket_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, v6only);
    }
    if ((shared && tern_udp_share_port(fd) != 0) || tern_socket_bind(fd, &sa, len) != 0) {
        tern_socket_close(fd);
        return -1;
    }
    return fd;
}

static int open_socket(struct tern_udp *udp, const tern_addr *local)
{
    tern_addr any = {.family = 6};
    udp->fd = tern_udp_bound_socket(local != NULL ? local : &any, false, &udp->family);
    if (udp->fd < 0 && local == NULL) {
        any.family = 4; /* a machine without IPv6 */
        udp->fd = tern_udp_bound_socket(&any, false, &udp->family);
    }
    return udp->fd < 0 ? TERN_ERR_SYSTEM : 0;
}

/* What the socket is, whoever opened it. */
static int look_at_socket(struct tern_udp *udp)
{
    union tern_sockaddr sa;
    if (tern_socket_name(udp->fd, &sa) != 0) {
        return TERN_ERR_SYSTEM;
    }
    udp->family = sa.any.sa_family;
    udp->local = tern_sockaddr_decode(&sa);
    if (udp->local.family == 0) {
        errno = EAFNOSUPPORT;
        return TERN_ERR_SYSTEM;
    }
    enlarge_buffers(udp->fd);
    udp->counters.receive_buffer = buffer_size(udp->fd, SO_RCVBUF);
    udp->counters.send_buffer = buffer_size(udp->fd, SO_SNDBUF);
    return 0;
}

static void udp_free(struct tern_udp *udp)
{
    int saved = errno;
    if (udp->fd >= 0) {
        tern_socket_close(udp->fd);
    }
    if (udp->roam_fd >= 0) {
        tern_socket_close(udp->roam_fd);
    }
    tern_udp_teardown(udp);
    tern_outbox_clear(&udp->outbox);
    free(udp->conditioned);
    tern_fork_guard_clear(&udp->fork_guard);
    free(udp);
    errno = saved;
}

static struct tern_udp *udp_new(tern_endpoint *endpoint)
{
    struct tern_udp *udp = calloc(1, sizeof *udp);
    if (udp != NULL) {
        tern_fork_guard_init(&udp->fork_guard);
        udp->fd = udp->roam_fd = -1;
        udp->endpoint = endpoint;
    }
    return udp;
}

/* The socket is there: everything else. */
static int begin(struct tern_udp *udp)
{
    int rc = look_at_socket(udp);
    if (rc == 0) {
        size_t limit = udp->family == AF_INET ? TERN_OUTBOX_LEN4 : TERN_OUTBOX_LEN6;
        rc = tern_outbox_init(&udp->outbox, limit);
    }
    return rc == 0 ? tern_udp_setup(udp) : rc;
}

int tern_udp_open(tern_udp **out, tern_endpoint *endpoint, const tern_addr *local)
{
    if (local != NULL && local->family != 4 && local->family != 6) {
        errno = EAFNOSUPPORT;
        return TERN_ERR_SYSTEM;
    }
    struct tern_udp *udp = udp_new(endpoint);
    if (udp == NULL) {
        return TERN_ERR_NOMEM;
    }
    int rc = open_socket(udp, local);
    rc = rc == 0 ? begin(udp) : rc;
    if (rc != 0) {
        udp_free(udp);
        return rc;
    }
    *out = udp;
    return 0;
}

int tern_udp_open_fd(tern_udp **out, tern_endpoint *endpoint, int fd)
{
    struct tern_udp *udp = udp_new(endpoint);
    if (udp == NULL) {
        return TERN_ERR_NOMEM;
    }
    udp->fd = fd;
    int rc = tern_socket_unblock(fd);
    rc = rc == 0 ? begin(udp) : rc;
    if (rc != 0) {
        udp->fd = -1; /* it stays the caller's */
        udp_free(udp);
        return rc;
    }
    *out = udp;
    return 0;
}

/* When a packet leaves the conditioner for the socket. */
static tern_time next_out(const struct tern_udp *udp)
{
    tern_conditioner *conditioner = udp->conditioner;
    return conditioner == NULL ? TERN_TIME_NEVER : conditioner->next(conditioner, true);
}

void tern_udp_close(tern_udp *udp)
{
    if (udp == NULL) {
        return;
    }
    tern_time until = tern_udp_now() + CLOSE_PATIENCE;
    udp->is_behind = false; /* nobody reads any more */
    while (tern_udp_flush(udp) == 0) {
        tern_time now = tern_udp_now();
        tern_time next = udp->wants_write ? until : next_out(udp);
        next = next < until ? next : until;
        bool is_all = !udp->wants_write && next_out(udp) == TERN_TIME_NEVER;
        if (is_all || now >= until || (next > now && tern_udp_wait(udp, next - now) < 0)) {
            break;
        }
    }
    udp_free(udp);
}

/* --- out --- */

void tern_udp_on_sent(struct tern_udp *udp, const struct tern_chunk *chunk)
{
    udp->counters.datagrams_sent += tern_chunk_datagrams(chunk);
    if (udp->outbox.suspect) {
        /* What GSO could not carry went through alone: the device or the route has no use for it. */
        udp->outbox.suspect = false;
        udp->counters.has_gso = false;
    }
    udp->is_again = false;
    tern_outbox_pop(&udp->outbox, chunk);
}

static bool is_fatal(int error)
{
    return error == EBADF || error == ENOTSOCK || error == EFAULT;
}

static bool is_full(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK;
}

/* What Linux says to a source address that is not its own: IPv6 EINVAL, IPv4 ENETUNREACH. */
static bool is_about_source(int error)
{
    return error == EINVAL || error == EADDRNOTAVAIL || error == ENETUNREACH;
}

int tern_udp_on_refused(struct tern_udp *udp, const struct tern_chunk *chunk, int error)
{
    struct tern_outbox *box = &udp->outbox;
    if (error == EINTR) {
        return 0;
    }
    if (is_full(error)) {
        return TERN_ERR_AGAIN;
    }
    if (is_fatal(error)) {
        return TERN_ERR_SYSTEM;
    }
    if (udp->heeds_refusals && !udp->is_again) {
        /* Then the kernel also says here what ICMP said about an earlier datagram, once. */
        udp->is_again = true;
        return 0;
    }
    udp->is_again = false;
    if (chunk->segment != 0 && (error == EIO || error == EINVAL || error == EMSGSIZE)) {
        box->single = box->suspect = true;
        return 0;
    }
    box->suspect = false;
    if (chunk->train->local.family != 0 && is_about_source(error)) {
        /* The interface lost this address. Any other source lets the connection migrate. */
        chunk->train->local.family = 0;
        box->single = true;
        return 0;
    }
    /* Lost like any other datagram. ENOBUFS too: the socket would be writable at once, so that
     * waiting for it would spin. */
    udp->counters.send_errors += tern_chunk_datagrams(chunk);
    udp->counters.last_error = error;
    tern_outbox_pop(box, chunk);
    return 0;
}

/* Fills the outbox. *is_all: the endpoint has nothing more to say. */
static int fill_outbox(struct tern_udp *udp, bool *is_all)
{
    tern_time now = tern_udp_now();
    tern_train *train = NULL;
    *is_all = false;
    udp->flushed_at = now;
    while ((train = tern_outbox_room(&udp->outbox)) != NULL) {
        int n = udp->conditioner == NULL ? tern_endpoint_transmit(udp->endpoint, train, now)
                                         : tern_udp_condition_out(udp, train, now);
        if (n <= 0) {
            *is_all = true;
            return n;
        }
        tern_outbox_push(&udp->outbox);
    }
    return 0;
}

/* More is there to be read, and it is not long since what was ready left. */
static bool may_wait(const struct tern_udp *udp)
{
    return udp->is_behind && tern_udp_now() < udp->flushed_at + FLUSH_PATIENCE;
}

int tern_udp_flush(tern_udp *udp)
{
    bool is_all = false;
    int filled = 0;
    if (tern_fork_guard_is_child(&udp->fork_guard)) {
        return TERN_ERR_STATE; /* [P §5.8] */
    }
    if (may_wait(udp)) {
        return 0;
    }
    int rc = tern_udp_push(udp); /* what the socket had no room for */
    while (rc == 0 && !is_all) {
        filled = fill_outbox(udp, &is_all);
        rc = tern_udp_push(udp);
    }
    udp->wants_write = rc == TERN_ERR_AGAIN;
    if (rc == TERN_ERR_AGAIN) {
        rc = 0;
    }
    return rc != 0 ? rc : filled;
}

bool tern_udp_wants_write(const tern_udp *udp)
{
    return udp->wants_write;
}

/* --- in --- */

int tern_udp_on_unread(struct tern_udp *udp, int error)
{
    udp->is_drained = is_full(error) || error == EINTR;
    if (is_fatal(error)) {
        return TERN_ERR_SYSTEM;
    }
    if (!udp->is_drained) {
        /* An ICMP message about an earlier datagram: forgeable, so it decides nothing. */
        udp->counters.last_error = error;
    }
    return 0;
}

int tern_udp_heed_refusals(tern_udp *udp, bool is_wanted)
{
    int rc = tern_udp_ask_refusals(udp, is_wanted);
    udp->heeds_refusals = is_wanted && rc == 0;
    memset(udp->refusals, 0, sizeof udp->refusals);
    return rc;
}

static void count_refusal(struct tern_udp *udp, const tern_addr *remote)
{
    for (size_t i = 0; i < TERN_UDP_REFUSALS; i++) {
        struct tern_udp_refusal *r = &udp->refusals[i];
        if (r->count == 0 || tern_addr_equal(&r->remote, remote)) {
            r->remote = *remote;
            r->count += r->count < UINT_MAX;
            return;
        }
    }
}

/* The kernel calls the socket readable until all of it is taken. */
static void take_refusals(struct tern_udp *udp)
{
    tern_addr remote;
    for (int i = 0; i < TERN_UDP_SLOTS && tern_udp_pull_refusal(udp, &remote); i++) {
        if (remote.family != 0) {
            count_refusal(udp, &remote);
        }
    }
}

unsigned tern_udp_refusals(const tern_udp *udp, const tern_addr *remote)
{
    for (size_t i = 0; i < TERN_UDP_REFUSALS && udp->refusals[i].count > 0; i++) {
        if (tern_addr_equal(&udp->refusals[i].remote, remote)) {
            return udp->refusals[i].count;
        }
    }
    return 0;
}

tern_time tern_udp_deadline(const tern_udp *udp)
{
    tern_conditioner *conditioner = udp->conditioner;
    tern_time at = tern_endpoint_deadline(udp->endpoint);
    if (conditioner != NULL) {
        tern_time in = conditioner->next(conditioner, false);
        /* A full socket takes nothing before it is writable. */
        tern_time out = udp->wants_write ? TERN_TIME_NEVER : next_out(udp);
        at = in < at ? in : at;
        at = out < at ? out : at;
    }
    return at;
}

int tern_udp_tick(tern_udp *udp)
{
    tern_time now = tern_udp_now();
    int rc = udp->conditioner == NULL ? 0 : tern_udp_condition_deliver(udp, now);
    if (tern_endpoint_deadline(udp->endpoint) <= now) {
        tern_endpoint_tick(udp->endpoint, now);
    }
    return rc;
}

static int take_in(struct tern_udp *udp, const tern_datagram *in, size_t n)
{
    tern_time now = tern_udp_now();
    return udp->conditioner == NULL ? tern_endpoint_receive(udp->endpoint, in, n, now)
                                    : tern_udp_condition_in(udp, in, n, now);
}

static size_t bytes_of(const tern_datagram *in, size_t n)
{
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++) {
        bytes += in[i].len;
    }
    return bytes;
}

/* *any: something was there. */
static int receive(struct tern_udp *udp, bool *any)
{
    int rc = 0;
    tern_datagram in[TERN_UDP_SLOTS];
    *any = false;
    udp->is_drained = false;
    if (udp->heeds_refusals) {
        take_refusals(udp);
    }
    size_t bytes = 0;
    for (int round = 0; round < TERN_UDP_ROUNDS && bytes < TERN_UDP_ENOUGH && !udp->is_drained;
         round++) {
        int n = tern_udp_pull(udp, in);
        if (n < 0) {
            return n;
        }
        if (n > 0) {
            *any = true;
            bytes += bytes_of(in, (size_t)n);
            int each = take_in(udp, in, (size_t)n);
            rc = rc != 0 ? rc : each;
        }
    }
    /* Whether it was the last that was read only a look can tell. */
    udp->is_behind = !udp->is_drained && tern_udp_wait(udp, 0) > 0;
    if (udp->must_roam) {
        udp->must_roam = tern_udp_move_all(udp);
    }
    int ticked = tern_udp_tick(udp);
    return rc != 0 ? rc : ticked;
}

int tern_udp_receive(tern_udp *udp)
{
    bool any;
    return receive(udp, &any);
}

/* --- roaming --- */

int tern_udp_roam(tern_udp *udp)
{
    if (udp->roam_fd >= 0) {
        return 0;
    }
    return tern_sockaddr_is_any(&udp->local) ? tern_udp_roam_open(&udp->roam_fd) : TERN_ERR_STATE;
}

int tern_udp_roam_fd(const tern_udp *udp)
{
    return udp->roam_fd;
}

void tern_udp_on_roam(tern_udp *udp)
{
    if (udp->roam_fd >= 0 && tern_udp_roam_read(udp->roam_fd)) {
        udp->must_roam = tern_udp_move_all(udp);
    }
}

/* --- one call that does it all --- */

static tern_time time_to_wait(const struct tern_udp *udp, tern_time timeout)
{
    tern_time deadline = tern_udp_deadline(udp);
    if (timeout == 0 || deadline == TERN_TIME_NEVER) {
        return timeout;
    }
    tern_time now = tern_udp_now();
    tern_time left = deadline > now ? deadline - now : 0;
    return left < timeout ? left : timeout;
}

void tern_udp_set_busy_poll(tern_udp *udp, tern_time spin)
{
    udp->spin = spin;
    tern_time usecs = spin / TERN_USEC;
    tern_udp_poll_device(udp, usecs < BUSY_USECS_MAX ? (unsigned)usecs : BUSY_USECS_MAX);
}

/* Asks until something is there, or `wait` is over. */
static int spin(struct tern_udp *udp, tern_time wait, bool *any)
{
    tern_time until = tern_udp_now() + wait;
    int rc = 0;
    do {
        rc = receive(udp, any);
    } while (rc == 0 && !*any && tern_udp_now() < until);
    return rc;
}

int tern_udp_service(tern_udp *udp, tern_time timeout)
{
    int rc = tern_udp_flush(udp);
    if (rc != 0) {
        return rc;
    }
    tern_time wait = time_to_wait(udp, timeout);
    if (wait > 0 && udp->spin > 0) {
        bool any = false;
        rc = spin(udp, wait < udp->spin ? wait : udp->spin, &any);
        if (rc != 0 || any || wait <= udp->spin) { /* the deadline that came has been served */
            tern_udp_on_roam(udp);
            int sent = tern_udp_flush(udp);
            return rc != 0 ? rc : sent;
        }
        wait = time_to_wait(udp, timeout);
    }
    int came = wait > 0 ? tern_udp_wait(udp, wait) : 1;
    if (came == TERN_ERR_AGAIN) {
        return 0;
    }
    if (came < 0) {
        return came;
    }
    tern_udp_on_roam(udp);
    rc = came > 0 ? tern_udp_receive(udp) : tern_udp_tick(udp);
    int sent = tern_udp_flush(udp);
    return rc != 0 ? rc : sent;
}

/* --- the rest --- */

int tern_udp_fd(const tern_udp *udp)
{
    return udp->fd;
}

tern_addr tern_udp_local(const tern_udp *udp)
{
    return udp->local;
}

void tern_udp_set_offload(tern_udp *udp, bool gso, bool gro)
{
    tern_udp_switch_offload(udp, gso, gro);
}

void tern_udp_stats(const tern_udp *udp, tern_udp_counters *out)
{
    size_t size = out->size < sizeof *out ? out->size : sizeof *out;
    tern_udp_counters copy = udp->counters;
    copy.size = size;
    memcpy(out, &copy, size);
}

static int resolve_first(tern_addr *out, const struct addrinfo *list, uint16_t port)
{
    for (; list != NULL; list = list->ai_next) {
        union tern_sockaddr sa = {0};
        if (list->ai_addrlen <= sizeof sa) {
            memcpy(&sa, list->ai_addr, list->ai_addrlen);
            *out = tern_sockaddr_decode(&sa);
            out->port = port;
        }
        if (list->ai_addrlen <= sizeof sa && out->family != 0) {
            return 0;
        }
    }
    return TERN_ERR_INVALID;
}

int tern_udp_resolve(tern_addr *out, const char *host, uint16_t port, int family,
                     const char **reason)
{
    char bare[256];
    size_t len = strlen(host);
    if (len >= 2 && len < sizeof bare && host[0] == '[' && host[len - 1] == ']') {
        (void)snprintf(bare, sizeof bare, "%.*s", (int)(len - 2), host + 1);
        host = bare;
    }
    struct addrinfo hints = {.ai_socktype = SOCK_DGRAM,
                             .ai_family = family == 4   ? AF_INET
                                          : family == 6 ? AF_INET6
                                                        : AF_UNSPEC};
    struct addrinfo *list = NULL;
    tern_system_start();
    int failed = getaddrinfo(host, NULL, &hints, &list);
    if (failed != 0) {
        if (reason != NULL) {
            *reason = gai_strerror(failed);
        }
        return TERN_ERR_INVALID;
    }
    int rc = resolve_first(out, list, port);
    freeaddrinfo(list);
    if (rc != 0 && reason != NULL) {
        *reason = "no IPv4 or IPv6 address";
    }
    return rc;
}
