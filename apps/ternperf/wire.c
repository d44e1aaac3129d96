/* Two processes, two sockets, one counter in shared memory in place of acknowledgements.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "ternperf/wire.h"

#include <errno.h>

#if defined(__linux__)
#include <arpa/inet.h>
#include <sched.h>
#include <signal.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <tern/config.h>
#include <tern/udp.h>
#include <time.h>
#include <unistd.h>

#include "ternperf/system.h"

#ifdef TERN_HAVE_IPSEC_MB
#include <intel-ipsec-mb.h>
#endif

enum { OPTION_UDP = 17, OPTION_UDP_SEGMENT = 103, OPTION_UDP_GRO = 104 }; /* linux/udp.h */

enum {
    HEADER = 11,        /* of a short packet: first octet, identifier, two octets of number */
    SEGMENTS_MAX = 64,  /* in one GSO send */
    BUNDLE_MAX = 65507, /* bytes of one */
    BUNDLES = 4,        /* in one call, out */
    SLOTS = 16,         /* in one call, in */
    SLOT_SIZE = 65536,
    WINDOW = 1 << 20, /* bytes under way */
    BUFFER = 4 << 20, /* of the sockets: more than that with what the kernel adds */
    NONCE_MAX = 32,
    KEY_MAX = 32
};

#define LOOK_UP (50 * TERN_MSEC) /* how soon the receiver notices that it is over */

/* What both processes see. */
struct shared {
    _Atomic uint64_t received; /* bytes of datagrams */
    _Atomic uint64_t inside;   /* of what they hold */
    _Atomic bool is_over, is_broken;
};

struct cipher {
    unsigned suite;
    size_t tag;
    uint8_t key[KEY_MAX];
    _Alignas(16) crypto_aead_aes256gcm_state aes;
#ifdef TERN_HAVE_IPSEC_MB
    struct gcm_key_data gcm;
    bool is_mb; /* AES-GCM by the library that tern takes it from */
#endif
};

#ifdef TERN_HAVE_IPSEC_MB
static IMB_MGR *mb; /* NULL: not asked for yet, or not there */
#endif

static uint8_t arena[(size_t)SLOTS * SLOT_SIZE];
static const uint8_t filling[BUNDLE_MAX];

/* --- the cipher --------------------------------------------------------------------------------------- */

static size_t tag_size(unsigned suite)
{
    switch (suite) {
    case TERN_SUITE_AES_256_GCM:
        return crypto_aead_aes256gcm_ABYTES;
    case TERN_SUITE_CHACHA20_POLY1305:
        return crypto_aead_chacha20poly1305_ietf_ABYTES;
#if defined(crypto_aead_aegis128l_KEYBYTES) && defined(crypto_aead_aegis256_KEYBYTES)
    case TERN_SUITE_AEGIS_128L:
        return crypto_aead_aegis128l_ABYTES;
    case TERN_SUITE_AEGIS_256:
        return crypto_aead_aegis256_ABYTES;
#endif
    default:
        return 0;
    }
}

#ifdef TERN_HAVE_IPSEC_MB
static void mb_init(struct cipher *c)
{
    const uint64_t needed = IMB_FEATURE_AESNI | IMB_FEATURE_PCLMULQDQ;
    mb = mb == NULL ? alloc_mb_mgr(0) : mb;
    if (mb == NULL) {
        return; /* libsodium's then */
    }
    init_mb_mgr_auto(mb, NULL);
    c->is_mb = (mb->features & needed) == needed;
    if (c->is_mb) {
        mb->gcm256_pre(c->key, &c->gcm);
    }
}
#endif

static void cipher_init(struct cipher *c, unsigned suite)
{
    memset(c, 0, sizeof *c);
    c->suite = suite;
    c->tag = tag_size(suite);
    if (suite == TERN_SUITE_AES_256_GCM) {
#ifdef TERN_HAVE_IPSEC_MB
        mb_init(c);
#endif
        (void)crypto_aead_aes256gcm_beforenm(&c->aes, c->key);
    }
}

static void seal_gcm(const struct cipher *c, uint8_t *packet, const uint8_t *from, size_t len,
                     const uint8_t *nonce)
{
    uint8_t *body = packet + HEADER;
#ifdef TERN_HAVE_IPSEC_MB
    if (c->is_mb) {
        struct gcm_context_data context;
        mb->gcm256_enc(&c->gcm, &context, body, from, len, nonce, packet, HEADER, body + len,
                       c->tag);
        return;
    }
#endif
    (void)crypto_aead_aes256gcm_encrypt_afternm(body, NULL, from, len, packet, HEADER, NULL, nonce,
                                                &c->aes);
}

static bool open_gcm(const struct cipher *c, uint8_t *packet, size_t len, const uint8_t *nonce)
{
    uint8_t *body = packet + HEADER;
#ifdef TERN_HAVE_IPSEC_MB
    if (c->is_mb) {
        struct gcm_context_data context;
        uint8_t tag[crypto_aead_aes256gcm_ABYTES];
        size_t inside = len < sizeof tag ? 0 : len - sizeof tag;
        mb->gcm256_dec(&c->gcm, &context, body, body, inside, nonce, packet, HEADER, tag,
                       sizeof tag);
        return len >= sizeof tag && sodium_memcmp(tag, body + inside, sizeof tag) == 0;
    }
#endif
    return crypto_aead_aes256gcm_decrypt_afternm(body, NULL, NULL, body, len, packet, HEADER, nonce,
                                                 &c->aes) == 0;
}

/* From where the application has it into the packet: there is no copy besides. */
static void seal(const struct cipher *c, uint8_t *packet, const uint8_t *from, size_t len,
                 uint64_t number)
{
    uint8_t nonce[NONCE_MAX] = {0};
    memcpy(nonce, &number, sizeof number);
    memcpy(packet + 1, &number, sizeof number);
    switch (c->suite) {
    case TERN_SUITE_AES_256_GCM:
        seal_gcm(c, packet, from, len, nonce);
        break;
    case TERN_SUITE_CHACHA20_POLY1305:
        (void)crypto_aead_chacha20poly1305_ietf_encrypt(packet + HEADER, NULL, from, len, packet,
                                                        HEADER, NULL, nonce, c->key);
        break;
#if defined(crypto_aead_aegis128l_KEYBYTES) && defined(crypto_aead_aegis256_KEYBYTES)
    case TERN_SUITE_AEGIS_128L:
        (void)crypto_aead_aegis128l_encrypt(packet + HEADER, NULL, from, len, packet, HEADER, NULL,
                                            nonce, c->key);
        break;
    case TERN_SUITE_AEGIS_256:
        (void)crypto_aead_aegis256_encrypt(packet + HEADER, NULL, from, len, packet, HEADER, NULL,
                                           nonce, c->key);
        break;
#endif
    default:
        break;
    }
}

static bool open_sealed(const struct cipher *c, uint8_t *packet, size_t len)
{
    uint8_t nonce[NONCE_MAX] = {0}, *body = packet + HEADER;
    memcpy(nonce, packet + 1, sizeof(uint64_t));
    len -= HEADER;
    switch (c->suite) {
    case TERN_SUITE_AES_256_GCM:
        return open_gcm(c, packet, len, nonce);
    case TERN_SUITE_CHACHA20_POLY1305:
        return crypto_aead_chacha20poly1305_ietf_decrypt(body, NULL, NULL, body, len, packet,
                                                         HEADER, nonce, c->key) == 0;
#if defined(crypto_aead_aegis128l_KEYBYTES) && defined(crypto_aead_aegis256_KEYBYTES)
    case TERN_SUITE_AEGIS_128L:
        return crypto_aead_aegis128l_decrypt(body, NULL, NULL, body, len, packet, HEADER, nonce,
                                             c->key) == 0;
    case TERN_SUITE_AEGIS_256:
        return crypto_aead_aegis256_decrypt(body, NULL, NULL, body, len, packet, HEADER, nonce,
                                            c->key) == 0;
#endif
    default:
        return false;
    }
}

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
        if (c->suite != 0 && !open_sealed(c, data + at, size)) {
            shared->is_broken = true;
        }
        inside += size - (c->suite != 0 ? HEADER + c->tag : 0);
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
};

static void fill(struct sender *s)
{
    size_t around = HEADER + s->cipher.tag;
    for (size_t at = 0; s->cipher.suite != 0 && at < BUNDLES * s->bundle; at += s->datagram) {
        seal(&s->cipher, arena + at, filling, s->datagram - around, s->number++);
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
