/* The least that a request and its answer take: one UDP datagram each way, each sealed and opened by the cipher
 * that tern would take, between two processes that sleep in epoll or look all the time.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "crypto/aead.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common.h"

#define HEADER      11
#define PATIENCE    2000 /* ms without a request, after which there will be none */
#define SAMPLES_MAX 2000000u

static uint8_t packet[2048];
static struct tern_aead aead;
static uint64_t number;

static bool cipher_init(void)
{
    static const uint8_t key[TERN_AEAD_KEY_MAX] = {7};
    unsigned ranked[4];
    (void)tern_suites_available(ranked);
    return tern_aead_init(&aead, ranked[0], key) == 0;
}

static size_t packet_size(const struct rate_run *run)
{
    return HEADER + run->size + aead.suite->tag_size;
}

static bool send_packet(const struct rate_run *run, int fd)
{
    uint8_t nonce[TERN_AEAD_NONCE_MAX] = {0};
    number++;
    memcpy(nonce, &number, sizeof number);
    memcpy(packet, &number, sizeof number);
    tern_aead_seal(&aead, nonce, packet, HEADER, packet + HEADER, run->size);
    return send(fd, packet, packet_size(run), 0) == (ssize_t)packet_size(run);
}

/* 1 it is here and opened, 0 it did not come in time, -1 */
static int await_packet(const struct rate_run *run, int fd, int waiting, struct sockaddr_in *from)
{
    uint8_t nonce[TERN_AEAD_NONCE_MAX] = {0};
    socklen_t len = sizeof *from;
    double until = rate_now() + PATIENCE / 1e3;
    ssize_t n = -1;
    while ((n = recvfrom(fd, packet, sizeof packet, MSG_DONTWAIT, (struct sockaddr *)from, &len)) <
           0) {
        struct epoll_event event;
        if (errno != EAGAIN && errno != EWOULDBLOCK) {
            return -1;
        }
        int came = waiting < 0 ? rate_now() < until : epoll_wait(waiting, &event, 1, PATIENCE);
        if (came == 0) {
            return 0;
        }
    }
    memcpy(nonce, packet, sizeof number);
    bool is_good =
        (size_t)n == packet_size(run) &&
        tern_aead_open(&aead, nonce, packet, HEADER, packet + HEADER, (size_t)n - HEADER) == 0;
    return is_good ? 1 : -1;
}

/* What to sleep in; -1: nowhere. */
static int watch(const struct rate_run *run, int fd)
{
    struct epoll_event wanted = {.events = EPOLLIN};
    int waiting = run->mode[0] == 'b' ? -1 : epoll_create1(EPOLL_CLOEXEC);
    if (waiting >= 0 && epoll_ctl(waiting, EPOLL_CTL_ADD, fd, &wanted) != 0) {
        (void)close(waiting);
        return -1;
    }
    return waiting;
}

static int64_t receive_echo(struct rate_run *run)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int64_t count = 0;
    int fd = socket(AF_INET, SOCK_DGRAM, 0), came = 1;
    if (!cipher_init() || bind(fd, (struct sockaddr *)&address, len) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0 ||
        !rate_tell(run, ntohs(address.sin_port))) {
        return -1;
    }
    int waiting = watch(run, fd);
    while ((came = await_packet(run, fd, waiting, &address)) > 0) {
        if (count == 0 && connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
            return -1;
        }
        if (!send_packet(run, fd)) {
            return -1;
        }
        count++;
    }
    (void)close(waiting);
    (void)close(fd);
    return came == 0 ? count : -1;
}

static int compare(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void tell(struct rate_run *run, double *samples, size_t count)
{
    qsort(samples, count, sizeof *samples, compare);
    (void)snprintf(run->more, sizeof run->more, ",\"p50_us\":%.2f,\"p95_us\":%.2f,\"p99_us\":%.2f",
                   1e6 * samples[count / 2], 1e6 * samples[count * 95 / 100],
                   1e6 * samples[count * 99 / 100]);
}

static bool ask(struct rate_run *run, int fd, double *samples)
{
    struct sockaddr_in from;
    int waiting = watch(run, fd);
    double start = rate_now(), now = start;
    while (now < start + run->seconds && run->sent < SAMPLES_MAX) {
        if (!send_packet(run, fd) || await_packet(run, fd, waiting, &from) != 1) {
            return false;
        }
        double since = now;
        now = rate_now();
        samples[run->sent++] = now - since;
    }
    run->took = now - start;
    (void)close(waiting);
    return run->sent > 0;
}

static bool send_echo(struct rate_run *run)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons(run->port)};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    double *samples = malloc(SAMPLES_MAX * sizeof *samples);
    bool is_done = samples != NULL && cipher_init() &&
                   connect(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
                   ask(run, fd, samples);
    if (is_done) {
        tell(run, samples, (size_t)run->sent);
    }
    free(samples);
    (void)close(fd);
    return is_done;
}

int main(int argc, char **argv)
{
    static const char *const modes[] = {"epoll", "busy", NULL};
    static const struct rate_peer peer = {
        .name = "echo", .modes = modes, .receive = receive_echo, .send = send_echo};
    return rate_main(argc, argv, &peer);
}
