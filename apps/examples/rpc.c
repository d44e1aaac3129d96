/* Remote calls: a stream for each, so that a slow one holds up no other, and any number are
 * under way at once.
 *
 *     tern-rpc serve 127.0.0.1:7401
 *     tern-rpc 127.0.0.1:7401 "wait 300" "sum 1 2 3" "dance" "wait 60000"
 *
 * The client writes the request and ends its half; the server answers and ends its own. What
 * cannot be answered is reset with a code. A call that is not answered within a second is given
 * up: the client stops the stream, and the server learns that nobody waits.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tern/tern.h>
#include <tern/udp.h>

#define CALLS       16
#define REQUEST_MAX 256
#define PATIENCE    TERN_SEC

enum code { CODE_UNKNOWN = 1, CODE_TOO_LONG = 2, CODE_GIVEN_UP = 3, CODE_BUSY = 4 };

/* A call, at either end; it rides on its stream as the user pointer. */
struct call {
    tern_stream *stream; /* NULL: this place is free */
    char text[REQUEST_MAX];
    size_t len;
    tern_time due; /* server: when the answer is ready; client: when patience ends */
};

struct peer {
    tern_endpoint *ep;
    tern_udp *udp;
    struct call calls[CALLS];
};

static _Noreturn void die(const char *what, int error)
{
    (void)fprintf(stderr, "tern-rpc: %s: %s\n", what,
                  error == TERN_ERR_SYSTEM ? strerror(errno) : tern_strerror(error));
    exit(1);
}

static void check(const char *what, int error)
{
    if (error != 0) {
        die(what, error);
    }
}

static void open_peer(struct peer *p, const tern_config *config, const tern_addr *local)
{
    memset(p, 0, sizeof *p);
    check("endpoint", tern_endpoint_new(&p->ep, config, tern_udp_now()));
    check("socket", tern_udp_open(&p->udp, p->ep, local));
}

static struct call *call_new(struct peer *p, tern_stream *stream)
{
    for (size_t i = 0; i < CALLS; i++) {
        struct call *call = &p->calls[i];
        if (call->stream == NULL) {
            *call = (struct call){.stream = stream, .due = TERN_TIME_NEVER};
            tern_stream_set_user(stream, call);
            return call;
        }
    }
    return NULL;
}

static void call_free(struct call *call)
{
    tern_stream_set_user(call->stream, NULL);
    call->stream = NULL;
}

/* Both halves: we say no more, and want to hear no more. */
static void give_up(tern_stream *stream, enum code code)
{
    /* Either fails only when that half is over, which is as well. */
    int was_ours = tern_stream_reset(stream, code), was_theirs = tern_stream_stop(stream, code);
    (void)was_ours;
    (void)was_theirs;
}

/* Takes what has come. 1: that was all; 0: more will come; else the error that ended the
 * stream. */
static int call_read(struct call *call)
{
    for (;;) {
        if (call->len == sizeof call->text) {
            return TERN_ERR_LIMIT;
        }
        ptrdiff_t n =
            tern_stream_read(call->stream, call->text + call->len, sizeof call->text - call->len);
        if (n <= 0) {
            return n == 0 ? 1 : n == TERN_ERR_AGAIN ? 0 : (int)n;
        }
        call->len += (size_t)n;
    }
}

/* --- the server --- */

static void answer(struct call *call, const char *text)
{
    size_t len = strlen(text); /* far less than a stream's buffer */
    if (tern_stream_write(call->stream, text, len, TERN_FIN) < 0) {
        give_up(call->stream, CODE_GIVEN_UP);
    }
    call_free(call);
}

static void call_run(struct call *call)
{
    char text[64], *word;
    long sum = 0;
    call->text[call->len < sizeof call->text ? call->len : sizeof call->text - 1] = 0;
    if (strncmp(call->text, "sum ", 4) == 0) {
        for (word = strtok(call->text + 4, " "); word != NULL; word = strtok(NULL, " ")) {
            sum += strtol(word, NULL, 10);
        }
        (void)snprintf(text, sizeof text, "%ld", sum);
        answer(call, text);
    } else if (strncmp(call->text, "wait ", 5) == 0) {
        /* Work that takes its time: the stream waits, and nothing else does. */
        long ms = strtol(call->text + 5, NULL, 10);
        call->due = tern_udp_now() + (tern_time)(ms > 0 ? ms : 0) * TERN_MSEC;
    } else {
        give_up(call->stream, CODE_UNKNOWN);
        call_free(call);
    }
}

static void on_request(struct peer *p, tern_stream *stream)
{
    struct call *call = tern_stream_user(stream);
    call = call == NULL ? call_new(p, stream) : call;
    if (call == NULL) {
        give_up(stream, CODE_BUSY);
        return;
    }
    int rc = call_read(call);
    if (rc == 1) {
        call_run(call);
    } else if (rc < 0) {
        give_up(stream, CODE_TOO_LONG);
        call_free(call);
    }
}

static void serve_event(struct peer *p, const tern_event *ev)
{
    struct call *call = ev->stream == NULL ? NULL : tern_stream_user(ev->stream);
    if (ev->type == TERN_EVENT_STREAM_READABLE) {
        on_request(p, ev->stream);
    } else if (call != NULL && ev->type == TERN_EVENT_STREAM_STOPPED) {
        give_up(ev->stream, CODE_GIVEN_UP); /* nobody waits for it: the work can end */
        call_free(call);
    } else if (ev->type == TERN_EVENT_CLOSED) {
        for (size_t i = 0; i < CALLS; i++) {
            call = &p->calls[i];
            if (call->stream != NULL && tern_stream_conn(call->stream) == ev->conn) {
                call->stream = NULL;
            }
        }
    }
}

static void serve(const tern_addr *local)
{
    struct peer p;
    tern_config config;
    tern_config_init(&config);
    config.accept = true;
    config.max_streams_bidi = CALLS;
    open_peer(&p, &config, local);
    printf("serving\n");
    (void)fflush(stdout);
    for (;;) {
        tern_event ev;
        check("network", tern_udp_service(p.udp, 10 * TERN_MSEC));
        while (tern_endpoint_poll(p.ep, &ev) == 1) {
            serve_event(&p, &ev);
        }
        for (size_t i = 0; i < CALLS; i++) {
            if (p.calls[i].stream != NULL && p.calls[i].due <= tern_udp_now()) {
                answer(&p.calls[i], "done");
            }
        }
    }
}

/* --- the client --- */

static void call_start(struct peer *p, tern_conn *conn, const char *request)
{
    tern_stream *stream;
    size_t len = strlen(request);
    check("no stream", tern_conn_open_stream(conn, TERN_STREAM_BIDI, &stream));
    if (tern_stream_write(stream, request, len, TERN_FIN) != (ptrdiff_t)len) {
        die("cannot ask", TERN_ERR_LIMIT);
    }
    struct call *call = call_new(p, stream);
    if (call == NULL) {
        die("too many calls", TERN_ERR_LIMIT);
    }
    call->due = tern_udp_now() + PATIENCE;
}

static void call_finish(struct call *call, int rc)
{
    uint64_t number = tern_stream_id(call->stream) / 4 + 1; /* identifiers go up by four */
    if (rc == 1) {
        printf("call %llu: %.*s\n", (unsigned long long)number, (int)call->len, call->text);
    } else if (rc == TERN_ERR_RESET) {
        printf("call %llu: refused with code %llu\n", (unsigned long long)number,
               (unsigned long long)tern_stream_reset_code(call->stream));
    } else {
        printf("call %llu: %s\n", (unsigned long long)number, tern_strerror(rc));
    }
    call_free(call);
}

/* How many calls still wait, after those are given up that have waited too long. */
static size_t calls_waiting(struct peer *p)
{
    size_t count = 0;
    for (size_t i = 0; i < CALLS; i++) {
        struct call *call = &p->calls[i];
        if (call->stream != NULL && call->due <= tern_udp_now()) {
            give_up(call->stream, CODE_GIVEN_UP);
            call_finish(call, TERN_ERR_TIMEOUT);
        }
        count += call->stream != NULL ? 1 : 0;
    }
    return count;
}

static void ask(const tern_addr *to, char **requests, int count)
{
    struct peer p;
    tern_conn *conn;
    tern_config config;
    tern_peer peer;

    tern_config_init(&config);
    tern_peer_init(&peer);
    peer.addr = *to; /* first contact: see tern-echo for a pinned key */
    open_peer(&p, &config, NULL);
    check("cannot connect", tern_endpoint_connect(p.ep, &peer, &conn, tern_udp_now()));
    for (int i = 0; i < count; i++) {
        call_start(&p, conn, requests[i]); /* all at once, before the handshake is over */
    }
    while (calls_waiting(&p) > 0) {
        tern_event ev;
        check("network", tern_udp_service(p.udp, 10 * TERN_MSEC));
        while (tern_endpoint_poll(p.ep, &ev) == 1) {
            struct call *call = ev.stream == NULL ? NULL : tern_stream_user(ev.stream);
            if (ev.type == TERN_EVENT_CLOSED) {
                die("the server is gone", ev.close.error);
            } else if (call != NULL && ev.type == TERN_EVENT_STREAM_READABLE) {
                int rc = call_read(call);
                if (rc != 0) {
                    call_finish(call, rc);
                }
            }
        }
    }
    tern_endpoint_close_all(p.ep, 0, "thank you");
    tern_udp_close(p.udp);
    tern_endpoint_free(p.ep);
}

int main(int argc, char **argv)
{
    tern_addr addr;
    if (argc == 3 && strcmp(argv[1], "serve") == 0 && tern_addr_parse(&addr, argv[2]) == 0) {
        serve(&addr);
    } else if (argc > 2 && argc - 2 <= CALLS && tern_addr_parse(&addr, argv[1]) == 0) {
        ask(&addr, argv + 2, argc - 2);
        return 0;
    }
    (void)fputs("Usage: tern-rpc serve ADDRESS:PORT\n"
                "       tern-rpc ADDRESS:PORT REQUEST...       at most 16\n"
                "Requests: \"sum NUMBER...\", \"wait MILLISECONDS\"\n",
                stderr);
    return 2;
}
