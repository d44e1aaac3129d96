/* One small binary file a server, taken by renaming and written beside its place.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/resume.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "shared/keyring.h"

/* magic[8] | is_made u8 | key[32]: made secret, or our public key | at u64 | life u64, s
 * | of the path: volume u64 | least round trip u64, ns | at u64 | ends[16]
 * | u16 length, ticket | u16 length, token */
#define MAGIC     "ternres2"
#define PATH_AT   (8 + 1 + TERN_KEY_SIZE + 8 + 8)
#define FIXED     (PATH_AT + 24 + RESUME_ENDS_SIZE)
#define FILE_SIZE (FIXED + 2 + RESUME_TICKET_MAX + 2 + TERN_ADDRESS_TOKEN_MAX)

static uint64_t unix_ms(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_REALTIME, &ts);
    return ts.tv_sec > 0 ? (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000 : 0;
}

static bool path_of(const uint8_t server[TERN_KEY_SIZE], char path[KEYRING_PATH_SIZE])
{
    char name[16 + KEYRING_TEXT_SIZE], text[KEYRING_TEXT_SIZE];
    keyring_format(server, text);
    (void)snprintf(name, sizeof name, "resume/%s", strchr(text, ':') + 1);
    return keyring_state_path(name, path);
}

static void put_u64(uint8_t *at, uint64_t value)
{
    for (int i = 7; i >= 0; i--) {
        at[i] = (uint8_t)value;
        value >>= 8;
    }
}

static uint64_t take_u64(const uint8_t *at)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++) {
        value = value << 8 | at[i];
    }
    return value;
}

static size_t put_bytes(uint8_t *at, const uint8_t *data, size_t len)
{
    at[0] = (uint8_t)(len >> 8);
    at[1] = (uint8_t)len;
    memcpy(at + 2, data, len);
    return 2 + len;
}

/* False: there are not so many, or more than fit. */
static bool take_bytes(const uint8_t **at, size_t *left, uint8_t *data, size_t size, size_t *len)
{
    size_t n = *left >= 2 ? (size_t)(*at)[0] << 8 | (*at)[1] : 0;
    if (*left < 2 || n > *left - 2 || n > size) {
        return false;
    }
    memcpy(data, *at + 2, n);
    *len = n;
    *at += 2 + n;
    *left -= 2 + n;
    return true;
}

static bool decode(struct resume *r, const uint8_t *data, size_t len, const uint8_t *secret)
{
    uint8_t pub[TERN_KEY_SIZE];
    if (len < FIXED || memcmp(data, MAGIC, 8) != 0 || data[8] != (secret == NULL ? 1 : 0)) {
        return false;
    }
    if (secret != NULL) {
        tern_key_public(pub, secret);
        if (sodium_memcmp(pub, data + 9, sizeof pub) != 0) {
            return false; /* of another identity */
        }
    } else {
        memcpy(r->secret, data + 9, sizeof r->secret);
    }
    r->at = take_u64(data + 9 + TERN_KEY_SIZE);
    uint64_t seconds = take_u64(data + 17 + TERN_KEY_SIZE);
    r->life = seconds < UINT64_MAX / TERN_SEC ? seconds * TERN_SEC : 0;
    r->path = (tern_path_memory){.size = sizeof r->path,
                                 .volume = take_u64(data + PATH_AT),
                                 .min_rtt = take_u64(data + PATH_AT + 8)};
    r->path_at = take_u64(data + PATH_AT + 16);
    memcpy(r->path_ends, data + PATH_AT + 24, sizeof r->path_ends);
    const uint8_t *at = data + FIXED;
    size_t left = len - FIXED;
    return take_bytes(&at, &left, r->ticket, sizeof r->ticket, &r->ticket_len) &&
           take_bytes(&at, &left, r->token, sizeof r->token, &r->token_len);
}

/* Moves the file aside first: of two programs one gets the ticket. */
static size_t read_away(const uint8_t server[TERN_KEY_SIZE], uint8_t data[FILE_SIZE])
{
    char path[KEYRING_PATH_SIZE], taken[KEYRING_PATH_SIZE + 32];
    struct stat st;
    if (!path_of(server, path)) {
        return 0;
    }
    (void)snprintf(taken, sizeof taken, "%s.%ld", path, (long)getpid());
    if (rename(path, taken) != 0) {
        return 0;
    }
    ssize_t n = -1;
    int fd = open(taken, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0) {
        bool is_ours = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 077) == 0;
        n = is_ours ? read(fd, data, FILE_SIZE) : -1;
        (void)close(fd);
    }
    (void)unlink(taken);
    return n > 0 ? (size_t)n : 0;
}

void resume_make(struct resume *resume, const uint8_t *secret)
{
    uint8_t pub[TERN_KEY_SIZE];
    memset(resume, 0, sizeof *resume);
    resume->is_made = secret == NULL;
    if (secret == NULL) {
        tern_key_generate(resume->secret, pub);
    } else {
        memcpy(resume->secret, secret, sizeof resume->secret);
    }
}

void resume_take(struct resume *resume, const uint8_t server[TERN_KEY_SIZE], const uint8_t *secret)
{
    uint8_t data[FILE_SIZE];
    struct resume kept = {.is_made = secret == NULL};
    resume_make(resume, secret);
    size_t len = read_away(server, data);
    if (len > 0 && decode(&kept, data, len, secret)) {
        if (secret != NULL) {
            memcpy(kept.secret, secret, sizeof kept.secret);
        }
        *resume = kept;
    }
    memcpy(resume->server, server, TERN_KEY_SIZE);
    resume->has_server = true;
    sodium_memzero(&kept, sizeof kept);
    sodium_memzero(data, sizeof data);
}

bool resume_age(const struct resume *resume, tern_time *age)
{
    uint64_t now = unix_ms();
    if (resume->ticket_len == 0 || now < resume->at) { /* somebody has set the clock back */
        return false;
    }
    uint64_t ms = now - resume->at;
    *age = ms * TERN_MSEC;
    return ms < resume->life / TERN_MSEC;
}

void resume_on_ticket(struct resume *resume, const tern_event *event)
{
    if (event->ticket_len <= sizeof resume->ticket) {
        memcpy(resume->ticket, event->ticket, event->ticket_len);
        resume->ticket_len = event->ticket_len;
        resume->life = event->ticket_life;
        resume->at = unix_ms();
    }
}

/* The network that we would send from: the address of ours that the system takes, to its /24 or /56. */
static size_t own_network(const tern_addr *remote, uint8_t out[8])
{
    union {
        struct sockaddr sa;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } to = {0}, from = {0};
    socklen_t len = remote->family == 4 ? sizeof to.v4 : sizeof to.v6;
    size_t size = remote->family == 4 ? 3 : 7;
    if (remote->family == 4) {
        to.v4.sin_family = AF_INET;
        to.v4.sin_port = htons(remote->port);
        memcpy(&to.v4.sin_addr, remote->ip, 4);
    } else {
        to.v6.sin6_family = AF_INET6;
        to.v6.sin6_port = htons(remote->port);
        to.v6.sin6_scope_id = remote->scope;
        memcpy(&to.v6.sin6_addr, remote->ip, 16);
    }
    int fd = socket(to.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool is_known =
        fd >= 0 && connect(fd, &to.sa, len) == 0 && getsockname(fd, &from.sa, &len) == 0;
    if (fd >= 0) {
        (void)close(fd);
    }
    if (is_known && remote->family == 4) {
        memcpy(out, &from.v4.sin_addr, size);
    } else if (is_known) {
        memcpy(out, &from.v6.sin6_addr, size);
    }
    return is_known ? size : 0;
}

/* False: nobody knows where we are. */
static bool ends_of(const tern_addr *remote, uint8_t ends[RESUME_ENDS_SIZE])
{
    uint8_t text[8 + 16];
    size_t len = own_network(remote, text);
    memcpy(text + len, remote->ip, 16);
    return len > 0 && crypto_generichash(ends, RESUME_ENDS_SIZE, text, len + 16, NULL, 0) == 0;
}

bool resume_path(const struct resume *resume, const tern_addr *remote, tern_path_memory *out)
{
    uint8_t ends[RESUME_ENDS_SIZE];
    uint64_t now = unix_ms();
    uint64_t ms = now < resume->path_at ? UINT64_MAX : now - resume->path_at;
    if (resume->path.volume == 0 || ms >= TERN_PATH_MEMORY_LIFE / TERN_MSEC ||
        !ends_of(remote, ends) || memcmp(ends, resume->path_ends, sizeof ends) != 0) {
        return false;
    }
    *out = resume->path;
    out->age = ms * TERN_MSEC;
    return true;
}

void resume_on_path(struct resume *resume, const tern_addr *remote, const tern_path_memory *path)
{
    if (ends_of(remote, resume->path_ends)) {
        resume->path = *path;
        resume->path_at = unix_ms();
    }
}

void resume_put(const struct resume *resume)
{
    uint8_t data[FILE_SIZE];
    char path[KEYRING_PATH_SIZE];
    if (!resume->has_server || resume->ticket_len + resume->token_len + resume->path.volume == 0 ||
        !path_of(resume->server, path)) {
        return;
    }
    memcpy(data, MAGIC, 8);
    data[8] = resume->is_made ? 1 : 0;
    if (resume->is_made) {
        memcpy(data + 9, resume->secret, TERN_KEY_SIZE);
    } else {
        tern_key_public(data + 9, resume->secret);
    }
    put_u64(data + 9 + TERN_KEY_SIZE, resume->at);
    put_u64(data + 17 + TERN_KEY_SIZE, resume->life / TERN_SEC);
    put_u64(data + PATH_AT, resume->path.volume);
    put_u64(data + PATH_AT + 8, resume->path.min_rtt);
    put_u64(data + PATH_AT + 16, resume->path_at);
    memcpy(data + PATH_AT + 24, resume->path_ends, sizeof resume->path_ends);
    size_t len = FIXED;
    len += put_bytes(data + len, resume->ticket, resume->ticket_len);
    len += put_bytes(data + len, resume->token, resume->token_len);
    enum keyring_result result = keyring_save(path, data, len);
    (void)result;
    sodium_memzero(data, sizeof data);
}
