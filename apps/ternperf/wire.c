/* Two processes, two sockets, one counter in shared memory in place of acknowledgements.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "ternperf/wire.h"

#include <errno.h>

#if defined(__linux__)
#include <arpa/inet.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <tern/udp.h>
#include <time.h>
#include <unistd.h>

#include "ternperf/cipher.h"
#include "ternperf/system.h"

enum { OPTION_UDP = 17, OPTION_UDP_SEGMENT = 103, OPTION_UDP_GRO = 104 }; /* linux/udp.h */

enum {
    SEGMENTS_MAX = 64,  /* in one GSO send */
    BUNDLE_MAX = 65507, /* bytes of one */
    BUNDLES = 4,        /* in one call, out */
    SLOTS = 16,         /* in one call, in */
    SLOT_SIZE = 65536,
    WINDOW = 1 << 20, /* bytes under way */
    BUFFER = 4 << 20  /* of the sockets: more than that with what the kernel adds */
};

#define LOOK_UP (50 * TERN_MSEC) /* how soon the receiver notices that it is over */

/* What both processes see. */
struct shared {
    _Atomic uint64_t received; /* bytes of datagrams */
    _Atomic uint64_t inside;   /* of what they hold */
    _Atomic bool is_over, is_broken;
};

static uint8_t arena[(size_t)SLOTS * SLOT_SIZE];
/* A buffer of the application's, as large as what `bulk` writes at once, and what a packet may reach beyond it. */
static const uint8_t filling[2 * SLOT_SIZE];

/* --- sockets ------------------------------------------------------------------------------------------ */

static int socket_new(int force, int option)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int size = BUFFER;
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, force, &size, sizeof size) != 0) {
        (void)setsockopt(fd, SOL_SOCKET, option, &size, sizeof size);
    }
    return fd;
}

static int receiver_socket(struct sockaddr_in *addr)
{
    int on = 1, fd = socket_new(SO_RCVBUFFORCE, SO_RCVBUF);
    struct timeval patience = {.tv_usec = (suseconds_t)(LOOK_UP / TERN_USEC)};
    socklen_t len = sizeof *addr;
    *addr = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (fd >= 0 && (bind(fd, (struct sockaddr *)addr, len) != 0 ||
                    getsockname(fd, (struct sockaddr *)addr, &len) != 0 ||
                    setsockopt(fd, OPTION_UDP, OPTION_UDP_GRO, &on, sizeof on) != 0 ||
                    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0)) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static int sender_socket(const struct sockaddr_in *to, size_t datagram)
{
    int segment = (int)datagram, fd = socket_new(SO_SNDBUFFORCE, SO_SNDBUF);
    bool is_bundled = 2 * datagram <= BUNDLE_MAX;
    if (fd >= 0 && (connect(fd, (const struct sockaddr *)to, sizeof *to) != 0 ||
                    (is_bundled && setsockopt(fd, OPTION_UDP, OPTION_UDP_SEGMENT, &segment,
                                              sizeof segment) != 0))) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

/* --- the receiver ------------------------------------------------------------------------------------- */

static void take(struct shared *shared, const struct cipher *c, uint8_t *data, size_t len,
                 size_t datagram)
{
    uint64_t inside = 0;
    for (size_t at = 0; at < len; at += datagram) {
        size_t size = len - at < datagram ? len - at : datagram;
        if (c->suite != 0 && !cipher_open(c, data + at, size)) {
            shared->is_broken = true;
        }
        inside += size - (c->suite != 0 ? CIPHER_HEADER + c->tag : 0);
    }
    shared->inside += inside;
    shared->received += len;
}

static void receive(struct shared *shared, const struct wire_plan *plan, int fd)
{
    struct cipher cipher;
    struct mmsghdr messages[SLOTS];
    struct iovec slots[SLOTS];
    cipher_init(&cipher, plan->suite);
    memset(messages, 0, sizeof messages);
    for (size_t i = 0; i < SLOTS; i++) {
        slots[i] = (struct iovec){.iov_base = arena + i * SLOT_SIZE, .iov_len = SLOT_SIZE};
        messages[i].msg_hdr.msg_iov = &slots[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    while (!shared->is_over) {
        int n = recvmmsg(fd, messages, SLOTS, MSG_WAITFORONE, NULL);
        for (int i = 0; i < n; i++) {
            take(shared, &cipher, slots[i].iov_base, messages[i].msg_len, plan->datagram);
        }
    }
}

/* --- the sender --------------------------------------------------------------------------------------- */

struct sender {
    struct cipher cipher;
    int fd;
    size_t datagram, bundle;
    uint64_t number, sent;
    /* In the application's buffer, as large as `bulk` writes: what a packet holds has to be
     * read. */
    size_t from;
};

/* Every packet has bytes of its own, a number and a nonce of its own. */
static void fill(struct sender *s)
{
    size_t len = s->datagram - CIPHER_HEADER - s->cipher.tag;
    for (size_t at = 0; s->cipher.suite != 0 && at < BUNDLES * s->bundle; at += s->datagram) {
        cipher_seal(&s->cipher, arena + at, filling + s->from, len, s->number++);
        s->from = (s->from + len) % SLOT_SIZE;
    }
}

static bool send_bundles(struct sender *s)
{
    struct mmsghdr messages[BUNDLES];
    struct iovec parts[BUNDLES];
    memset(messages, 0, sizeof messages);
    for (size_t i = 0; i < BUNDLES; i++) {
        parts[i] = (struct iovec){.iov_base = arena + i * s->bundle, .iov_len = s->bundle};
        messages[i].msg_hdr.msg_iov = &parts[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    for (unsigned done = 0; done < BUNDLES;) {
        int n = sendmmsg(s->fd, messages + done, BUNDLES - done, 0);
        if (n < 0 && errno != EINTR) {
            return false;
        }
        done += n > 0 ? (unsigned)n : 0;
    }
    s->sent += BUNDLES * s->bundle;
    return true;
}

/* The window is full. When that lasts, whoever does the kernel's part here gets the core: under real-time priority
 * a yield is for our like only, and what was sent might never arrive. */
static void wait_a_little(unsigned turns)
{
    const struct timespec moment = {.tv_nsec = 50000};
    if (turns % 1024 == 0) {
        (void)nanosleep(&moment, NULL);
    } else {
        (void)sched_yield();
    }
}

static double run_sender(struct shared *shared, struct sender *s, uint64_t duration)
{
    tern_time start = tern_udp_now(), now = start;
    uint64_t before = shared->inside;
    unsigned turns = 0;
    while (now - start < duration && !shared->is_broken) {
        if (s->sent - shared->received + BUNDLES * s->bundle > WINDOW) {
            wait_a_little(++turns);
        } else {
            turns = 0;
            fill(s);
            if (!send_bundles(s)) {
                return 0;
            }
        }
        now = tern_udp_now();
    }
    errno = shared->is_broken ? EPROTO : ETIMEDOUT; /* if nothing came */
    double bits = (double)(shared->inside - before) * 8;
    return shared->is_broken ? 0 : bits * 1e9 / (double)(now - start);
}

static double send_all(struct shared *shared, const struct wire_plan *plan,
                       const struct sockaddr_in *to)
{
    struct sender s = {.datagram = plan->datagram, .fd = sender_socket(to, plan->datagram)};
    size_t segments = BUNDLE_MAX / plan->datagram;
    s.bundle = plan->datagram * (segments < SEGMENTS_MAX ? segments : SEGMENTS_MAX);
    if (s.fd < 0) {
        return 0;
    }
    cipher_init(&s.cipher, plan->suite);
    double rate = run_sender(shared, &s, plan->duration);
    int saved = errno;
    (void)close(s.fd);
    errno = saved;
    return rate;
}

static double measure(struct shared *shared, const struct wire_plan *plan)
{
    struct sockaddr_in addr;
    int fd = receiver_socket(&addr);
    pid_t parent = getpid(), child = fd < 0 ? -1 : fork();
    if (child == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
        system_pin(SYSTEM_SERVER, 0);
        if (getppid() == parent) {
            receive(shared, plan, fd);
        }
        _exit(0);
    }
    system_pin(SYSTEM_CLIENT, 0);
    double rate = child < 0 ? 0 : send_all(shared, plan, &addr);
    int saved = errno;
    shared->is_over = true;
    if (child > 0) {
        (void)waitpid(child, NULL, 0);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    errno = saved;
    return rate;
}

double wire_measure(const struct wire_plan *plan)
{
    struct shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        return 0;
    }
    double rate = measure(shared, plan);
    int saved = errno;
    (void)munmap(shared, sizeof *shared);
    errno = saved;
    return rate;
}

#else

double wire_measure(const struct wire_plan *plan)
{
    (void)plan;
    errno = ENOSYS;
    return 0;
}

#endif
