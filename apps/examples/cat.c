/* A loop of one's own, without libev: standard input goes to the other end, and what comes from
 * there to standard output. poll(2) waits for the network, for the terminal and for tern's
 * deadline, all at once.
 *
 *     tern-cat listen 127.0.0.1:7403 >copy
 *     tern-cat 127.0.0.1:7403 <file
 *
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tern/tern.h>
#include <tern/udp.h>

struct cat {
    tern_endpoint *ep;
    tern_udp *udp;
    tern_stream *stream; /* NULL: nobody is there yet */
    char in[65536];      /* from standard input, not yet taken by the stream: from `at` to `end` */
    size_t at, end;
    bool has_ended; /* standard input */
    bool is_over;
};

static _Noreturn void die(const char *what, int error)
{
    (void)fprintf(stderr, "tern-cat: %s: %s\n", what,
                  error == TERN_ERR_SYSTEM ? strerror(errno) : tern_strerror(error));
    exit(1);
}

static void check(const char *what, int error)
{
    if (error != 0) {
        die(what, error);
    }
}

/* Gives the stream what it takes of the input, and after all of it the end. */
static void write_on(struct cat *c)
{
    if (c->stream == NULL || (c->at == c->end && !c->has_ended)) {
        return;
    }
    ptrdiff_t n =
        tern_stream_write(c->stream, c->in + c->at, c->end - c->at, c->has_ended ? TERN_FIN : 0);
    if (n < 0 && n != TERN_ERR_STATE) { /* STATE: the end is written already */
        die("cannot write", (int)n);
    }
    c->at += n > 0 ? (size_t)n : 0;
}

static void read_input(struct cat *c)
{
    ssize_t n = read(STDIN_FILENO, c->in, sizeof c->in);
    if (n < 0 && errno != EINTR) {
        die("standard input", TERN_ERR_SYSTEM);
    }
    c->at = 0;
    c->end = n > 0 ? (size_t)n : 0;
    c->has_ended = n == 0;
    write_on(c);
}

static void print(struct cat *c)
{
    const uint8_t *data;
    size_t len;
    while (tern_stream_peek(c->stream, &data, &len) == 0) {
        if (len > 0 && (fwrite(data, 1, len, stdout) < len || fflush(stdout) != 0)) {
            die("standard output", TERN_ERR_SYSTEM);
        }
        check("read", tern_stream_consume(c->stream, len));
        if (len == 0) {
            return; /* the end */
        }
    }
}

static void on_event(struct cat *c, const tern_event *ev)
{
    if (ev->type == TERN_EVENT_STREAM_OPENED && c->stream == NULL) {
        c->stream = ev->stream; /* the listening end: the first who comes */
        write_on(c);
    } else if (ev->type == TERN_EVENT_STREAM_READABLE && ev->stream == c->stream) {
        print(c);
    } else if (ev->type == TERN_EVENT_STREAM_WRITABLE && ev->stream == c->stream) {
        write_on(c);
    } else if (ev->type == TERN_EVENT_STREAM_CLOSED && ev->stream == c->stream) {
        c->is_over = true; /* all was said, and heard */
    } else if (ev->type == TERN_EVENT_CLOSED) {
        c->is_over = true;
        check("the other end is gone", ev->close.error);
    }
}

/* Milliseconds until the driver wants to be called, for poll: rounded up, so as not to spin
 * before it. */
static int patience(const struct cat *c)
{
    tern_time now = tern_udp_now(), at = tern_udp_deadline(c->udp);
    tern_time ms = at <= now ? 0 : (at - now + TERN_MSEC - 1) / TERN_MSEC;
    return at == TERN_TIME_NEVER ? -1 : ms > 60000 ? 60000 : (int)ms;
}

/* One round. Input is read only when what was read before is on its way: the peer's credit
 * slows down the pipe. */
static void turn(struct cat *c)
{
    bool wants_input = c->stream != NULL && c->at == c->end && !c->has_ended;
    struct pollfd fds[2] = {{.fd = tern_udp_fd(c->udp), .events = POLLIN},
                            {.fd = wants_input ? STDIN_FILENO : -1, .events = POLLIN}};
    tern_event ev;
    fds[0].events |= tern_udp_wants_write(c->udp) ? POLLOUT : 0;
    if (poll(fds, 2, patience(c)) < 0 && errno != EINTR) {
        die("poll", TERN_ERR_SYSTEM);
    }
    if ((fds[0].revents & POLLIN) != 0) {
        check("receive", tern_udp_receive(c->udp));
    }
    if (tern_udp_deadline(c->udp) <= tern_udp_now()) {
        check("tick", tern_udp_tick(c->udp));
    }
    if (fds[1].revents != 0) {
        read_input(c);
    }
    while (tern_endpoint_poll(c->ep, &ev) == 1) {
        on_event(c, &ev);
    }
    check("send", tern_udp_flush(c->udp)); /* last: sends what all of the above has queued */
}

int main(int argc, char **argv)
{
    static struct cat c;
    bool listens = argc == 3 && strcmp(argv[1], "listen") == 0;
    tern_config config;
    tern_peer peer;
    tern_conn *conn;

    tern_config_init(&config);
    tern_peer_init(&peer);
    if (!(listens || argc == 2) || tern_addr_parse(&peer.addr, argv[argc - 1]) != 0) {
        (void)fputs("Usage: tern-cat [listen] ADDRESS:PORT\n", stderr);
        return 2;
    }
    config.accept = listens;
    config.keepalive = 10 * TERN_SEC; /* whoever types may take their time */
    check("endpoint", tern_endpoint_new(&c.ep, &config, tern_udp_now()));
    check("socket", tern_udp_open(&c.udp, c.ep, listens ? &peer.addr : NULL));
    if (!listens) {
        check("cannot connect", tern_endpoint_connect(c.ep, &peer, &conn, tern_udp_now()));
        check("no stream", tern_conn_open_stream(conn, TERN_STREAM_BIDI, &c.stream));
    }
    check("send", tern_udp_flush(c.udp));
    while (!c.is_over) {
        turn(&c);
    }
    tern_endpoint_close_all(c.ep, 0, "");
    tern_udp_close(c.udp);
    tern_endpoint_free(c.ep);
    return 0;
}
