/* One request a connection, a few connections, a few seconds, and nothing that grows.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "shared/metrics.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/cli.h"
#include "shared/net.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#define GUESTS      8
#define PATIENCE    5.0 /* s, from the first byte to the last */
#define PAUSE       1.0 /* s, when the process has no descriptor left for a guest */
#define REQUEST_MAX 2048
#define HEAD_MAX    256

struct guest {
    struct metrics *metrics;
    int fd; /* -1: the place is free */
    struct ev_io io;
    struct ev_timer patience;
    char request[REQUEST_MAX + 1];
    size_t got;
    char answer[HEAD_MAX + METRICS_PAGE_MAX];
    size_t len, sent;
};

struct metrics {
    struct ev_loop *loop;
    metrics_fill_fn fill;
    void *user;
    int fd;
    struct ev_io io;
    struct ev_timer pause;
    char url[80];
    struct metrics_page page;
    struct guest guests[GUESTS];
};

/* --- pages --------------------------------------------------------------------------------------------- */

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
static void
put(struct metrics_page *page, const char *format, ...)
{
    va_list args;
    size_t left = sizeof page->text - page->used;
    va_start(args, format);
    int n = vsnprintf(page->text + page->used, left, format, args);
    va_end(args);
    page->used += n > 0 && (size_t)n < left ? (size_t)n : 0; /* whole or not at all */
}

void metrics_add(struct metrics_page *page, const char *name, const char *help, bool is_gauge,
                 uint64_t value)
{
    if (page->is_json) {
        put(page, "%s\"%s\":%" PRIu64, page->used > 1 ? "," : "", name, value);
    } else {
        put(page, "# HELP tern_%s %s\n# TYPE tern_%s %s\ntern_%s %" PRIu64 "\n", name, help, name,
            is_gauge ? "gauge" : "counter", name, value);
    }
}

/* --- guests -------------------------------------------------------------------------------------------- */

static void leave(struct guest *guest)
{
    ev_io_stop(guest->metrics->loop, &guest->io);
    ev_timer_stop(guest->metrics->loop, &guest->patience);
    (void)close(guest->fd);
    guest->fd = -1;
    ev_io_start(guest->metrics->loop, &guest->metrics->io); /* there is a place again */
}

static void answer(struct guest *guest, const char *status, const char *type, const char *body,
                   size_t len)
{
    int n = snprintf(guest->answer, HEAD_MAX,
                     "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
                     "Cache-Control: no-store\r\nConnection: close\r\n\r\n",
                     status, type, len);
    memcpy(guest->answer + n, body, len);
    guest->len = (size_t)n + len;
    guest->sent = 0;
    ev_io_stop(guest->metrics->loop, &guest->io);
    ev_io_set(&guest->io, guest->fd, EV_WRITE);
    ev_io_start(guest->metrics->loop, &guest->io);
}

static void refuse(struct guest *guest, const char *status)
{
    char body[64];
    int n = snprintf(body, sizeof body, "%s\n", status);
    answer(guest, status, "text/plain; charset=utf-8", body, (size_t)n);
}

static void show(struct guest *guest, bool is_json)
{
    struct metrics *m = guest->metrics;
    m->page.is_json = is_json;
    m->page.used = 0;
    if (is_json) {
        put(&m->page, "{");
    }
    m->fill(m->user, &m->page);
    if (is_json) {
        put(&m->page, "}\n");
    }
    answer(guest, "200 OK",
           is_json ? "application/json" : "text/plain; version=0.0.4; charset=utf-8", m->page.text,
           m->page.used);
}

static bool is_port(const char *text, size_t len)
{
    return len == 0 || (text[0] == ':' && strspn(text + 1, "0123456789") >= len - 1);
}

/* An address, or localhost: whoever wrote that meant this machine. Another name may have been made to lead here, so that a
 * page in somebody's browser could read what is answered as if it came from where the page did. */
static bool is_here(const char *value, size_t len)
{
    char host[64];
    uint8_t address[16];
    bool is_v6 = len > 0 && value[0] == '[';
    const char *end = is_v6 ? memchr(value, ']', len) : memchr(value, ':', len);
    size_t host_len = end == NULL ? len : (size_t)(end - value);
    size_t from = is_v6 ? 1 : 0, rest = host_len + from;
    if ((is_v6 && end == NULL) || host_len - from >= sizeof host ||
        !is_port(value + rest, len - rest)) {
        return false;
    }
    memcpy(host, value + from, host_len - from);
    host[host_len - from] = '\0';
    return is_v6 ? inet_pton(AF_INET6, host, address) == 1
                 : inet_pton(AF_INET, host, address) == 1 || strcasecmp(host, "localhost") == 0;
}

/* Is it us that the header means, as far as it says? `line` is what stands behind the first one. */
static bool is_for_us(const char *line)
{
    for (const char *end; (end = strstr(line, "\r\n")) != NULL && end > line; line = end + 2) {
        if (strncasecmp(line, "host:", 5) != 0) {
            continue;
        }
        const char *value = line + 5 + strspn(line + 5, " \t");
        const char *last = end;
        while (last > value && (last[-1] == ' ' || last[-1] == '\t')) {
            last--;
        }
        if (value > last || !is_here(value, (size_t)(last - value))) {
            return false;
        }
    }
    return true;
}

/* The first line decides, and the host that was asked for. */
static void judge(struct guest *guest)
{
    char *line = guest->request, *end = strstr(line, "\r\n");
    char *path = strchr(line, ' ');
    char *version = path == NULL ? NULL : strchr(path + 1, ' ');
    if (end == NULL || version == NULL || version > end || strncmp(version, " HTTP/1.", 8) != 0 ||
        version + 9 != end) {
        refuse(guest, "400 Bad Request");
        return;
    }
    if (!is_for_us(end + 2)) {
        refuse(guest, "421 Misdirected Request");
        return;
    }
    *path++ = *version = '\0';
    if (strcmp(line, "GET") != 0) {
        refuse(guest, "405 Method Not Allowed");
    } else if (strcmp(path, "/metrics") == 0) {
        show(guest, false);
    } else if (strcmp(path, "/json") == 0) {
        show(guest, true);
    } else {
        refuse(guest, "404 Not Found");
    }
}

static void hear(struct guest *guest)
{
    ssize_t n = read(guest->fd, guest->request + guest->got, REQUEST_MAX - guest->got);
    if (n <= 0) {
        if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
            leave(guest);
        }
        return;
    }
    guest->got += (size_t)n;
    guest->request[guest->got] = '\0';
    if (memchr(guest->request, '\0', guest->got) != NULL) {
        refuse(guest, "400 Bad Request");
    } else if (strstr(guest->request, "\r\n\r\n") != NULL) {
        judge(guest);
    } else if (guest->got == REQUEST_MAX) {
        refuse(guest, "431 Request Header Fields Too Large");
    }
}

static void say(struct guest *guest)
{
    ssize_t n =
        send(guest->fd, guest->answer + guest->sent, guest->len - guest->sent, MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    guest->sent += n > 0 ? (size_t)n : 0;
    if (n < 0 || guest->sent == guest->len) {
        (void)shutdown(guest->fd, SHUT_WR);
        leave(guest);
    }
}

static void on_guest(struct ev_loop *loop, struct ev_io *io, int events)
{
    struct guest *guest = io->data;
    (void)loop;
    if ((events & EV_WRITE) != 0) {
        say(guest);
    } else {
        hear(guest);
    }
}

static void on_impatience(struct ev_loop *loop, struct ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    leave(timer->data);
}

static void on_knock(struct ev_loop *loop, struct ev_io *io, int events)
{
    struct metrics *m = io->data;
    struct guest *guest = m->guests;
    (void)events;
    while (guest < m->guests + GUESTS && guest->fd >= 0) {
        guest++;
    }
    if (guest == m->guests + GUESTS) {
        /* Who comes now waits in the kernel's queue until somebody has left. */
        ev_io_stop(loop, io);
        return;
    }
    int fd = accept4(m->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
            ev_io_stop(loop, io); /* it still knocks, and the loop would do nothing but look */
            ev_timer_set(&m->pause, PAUSE, 0);
            ev_timer_start(loop, &m->pause);
        }
        return;
    }
    guest->fd = fd;
    guest->got = guest->len = guest->sent = 0;
    ev_io_init(&guest->io, on_guest, fd, EV_READ);
    ev_timer_init(&guest->patience, on_impatience, PATIENCE, 0);
    guest->io.data = guest->patience.data = guest;
    ev_io_start(loop, &guest->io);
    ev_timer_start(loop, &guest->patience);
}

static void on_pause(struct ev_loop *loop, struct ev_timer *timer, int events)
{
    struct metrics *m = timer->data;
    (void)events;
    ev_io_start(loop, &m->io);
}

/* --- birth and death ----------------------------------------------------------------------------------- */

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* PORT, or a numeric loopback address with one. False: it is neither. */
static bool parse(const char *where, union address *out, socklen_t *len)
{
    char host[64] = "127.0.0.1";
    uint16_t port = 0;
    char *end;
    unsigned long number = strtoul(where, &end, 10);
    memset(out, 0, sizeof *out);
    if (*where >= '0' && *where <= '9' && *end == '\0' && number <= 65535) {
        port = (uint16_t)number;
    } else if (strrchr(where, ':') == NULL || !net_split(where, host, sizeof host, &port)) {
        return false;
    }
    if (inet_pton(AF_INET, host, &out->v4.sin_addr) == 1) {
        out->v4.sin_family = AF_INET;
        out->v4.sin_port = htons(port);
        *len = sizeof out->v4;
        return ntohl(out->v4.sin_addr.s_addr) >> 24 == 127;
    }
    if (inet_pton(AF_INET6, host, &out->v6.sin6_addr) == 1) {
        out->v6.sin6_family = AF_INET6;
        out->v6.sin6_port = htons(port);
        *len = sizeof out->v6;
        return IN6_IS_ADDR_LOOPBACK(&out->v6.sin6_addr);
    }
    return false;
}

static int listen_at(const union address *at, socklen_t len)
{
    int on = 1;
    int fd = socket(at->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, &at->any, len) != 0 || listen(fd, GUESTS) != 0) {
        int saved = errno;
        (void)close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

static void name(struct metrics *m)
{
    union address at;
    socklen_t len = sizeof at;
    char host[INET6_ADDRSTRLEN] = "";
    memset(&at, 0, sizeof at);
    (void)getsockname(m->fd, &at.any, &len);
    bool is_v6 = at.any.sa_family == AF_INET6;
    (void)inet_ntop(at.any.sa_family,
                    is_v6 ? (const void *)&at.v6.sin6_addr : (const void *)&at.v4.sin_addr, host,
                    sizeof host);
    (void)snprintf(m->url, sizeof m->url, "http://%s%s%s:%u/metrics", is_v6 ? "[" : "", host,
                   is_v6 ? "]" : "", ntohs(is_v6 ? at.v6.sin6_port : at.v4.sin_port));
}

struct metrics *metrics_open(const char *where, struct ev_loop *loop, metrics_fill_fn fill,
                             void *user, int *code)
{
    union address at;
    socklen_t len = 0;
    *code = CLI_USAGE;
    if (!parse(where, &at, &len)) {
        cli_error(where, "not a port, nor a loopback address with one",
                  "give --metrics 9437, 127.0.0.1:9437 or [::1]:9437");
        return NULL;
    }
    struct metrics *m = calloc(1, sizeof *m);
    int fd = m == NULL ? -1 : listen_at(&at, len);
    if (fd < 0) {
        *code = CLI_CONNECT;
        cli_error(where, strerror(errno), "choose another port for --metrics");
        free(m);
        return NULL;
    }
    m->loop = loop;
    m->fill = fill;
    m->user = user;
    m->fd = fd;
    for (size_t i = 0; i < GUESTS; i++) {
        m->guests[i].metrics = m;
        m->guests[i].fd = -1;
    }
    name(m);
    ev_io_init(&m->io, on_knock, fd, EV_READ);
    ev_timer_init(&m->pause, on_pause, PAUSE, 0);
    m->io.data = m->pause.data = m;
    ev_io_start(loop, &m->io);
    return m;
}

void metrics_close(struct metrics *m)
{
    if (m == NULL) {
        return;
    }
    for (size_t i = 0; i < GUESTS; i++) {
        if (m->guests[i].fd >= 0) {
            leave(&m->guests[i]);
        }
    }
    ev_io_stop(m->loop, &m->io);
    ev_timer_stop(m->loop, &m->pause);
    (void)close(m->fd);
    free(m);
}

const char *metrics_url(const struct metrics *m)
{
    return m->url;
}
