/* On libev: the echo server of echo.c beside other watchers of the same loop, here a timer that tells who is
 * there, and signals that end it in order.
 *
 *     tern-libev 127.0.0.1:7405
 *     tern-echo 127.0.0.1:7405 - hello
 *
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tern/ev.h>
#include <tern/tern.h>

struct server {
    tern_endpoint *ep;
    tern_udp *udp;
    tern_ev *binding;
    ev_timer second;
    ev_signal interrupt, end;
};

static void check(const char *what, int error)
{
    if (error != 0) {
        (void)fprintf(stderr, "tern-libev: %s: %s\n", what,
                      error == TERN_ERR_SYSTEM ? strerror(errno) : tern_strerror(error));
        exit(1);
    }
}

static void echo(tern_stream *stream)
{
    const uint8_t *data;
    size_t len;
    while (tern_stream_peek(stream, &data, &len) == 0) {
        ptrdiff_t n = tern_stream_write(stream, data, len, len == 0 ? TERN_FIN : 0);
        if (n < 0 || tern_stream_consume(stream, (size_t)n) != 0) {
            tern_conn_close(tern_stream_conn(stream), 1, "cannot echo that");
            return;
        }
        if (len == 0 || (size_t)n < len) {
            return;
        }
    }
}

/* The binding calls this from the loop when events wait. What it queues leaves when it returns. */
static void on_ready(tern_ev *binding, void *user)
{
    struct server *s = user;
    tern_event ev;
    while (tern_endpoint_poll(s->ep, &ev) == 1) {
        if (ev.type == TERN_EVENT_STREAM_READABLE || ev.type == TERN_EVENT_STREAM_WRITABLE) {
            echo(ev.stream);
        }
    }
    check("network", tern_ev_error(binding));
}

/* Another watcher of the loop. Had it written to a stream, tern_ev_wake would have to follow. */
static void on_second(struct ev_loop *loop, ev_timer *timer, int events)
{
    const struct server *s = timer->data;
    tern_endpoint_counters counters = {.size = sizeof counters};
    (void)loop;
    (void)events;
    tern_endpoint_stats(s->ep, &counters);
    printf("%llu there, %llu came so far\n", (unsigned long long)counters.connections,
           (unsigned long long)counters.accepted);
    (void)fflush(stdout);
}

static void on_signal(struct ev_loop *loop, ev_signal *signal, int events)
{
    (void)signal;
    (void)events;
    ev_break(loop, EVBREAK_ALL);
}

int main(int argc, char **argv)
{
    static struct server s;
    struct ev_loop *loop = ev_default_loop(0);
    tern_config config;
    tern_addr local;

    if (loop == NULL || argc != 2 || tern_addr_parse(&local, argv[1]) != 0) {
        (void)fputs("Usage: tern-libev ADDRESS:PORT\n", stderr);
        return 2;
    }
    tern_config_init(&config);
    config.accept = true;
    check("endpoint", tern_endpoint_new(&s.ep, &config, tern_udp_now()));
    check("socket", tern_udp_open(&s.udp, s.ep, &local));
    check("binding", tern_ev_start(&s.binding, loop, s.udp, s.ep, on_ready, &s));

    ev_timer_init(&s.second, on_second, 0., 1.);
    s.second.data = &s;
    ev_timer_start(loop, &s.second);
    ev_signal_init(&s.interrupt, on_signal, SIGINT);
    ev_signal_start(loop, &s.interrupt);
    ev_signal_init(&s.end, on_signal, SIGTERM);
    ev_signal_start(loop, &s.end);
    ev_run(loop, 0);

    tern_ev_stop(s.binding); /* from the last made to the first */
    tern_endpoint_close_all(s.ep, 0, "goodbye");
    tern_udp_close(s.udp);
    tern_endpoint_free(s.ep);
    return 0;
}
