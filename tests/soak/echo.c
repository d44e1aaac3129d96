/* The server: every stream and every message goes back to where it came from.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "soak.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct echo {
    tern_endpoint *endpoint;
    tern_udp *udp;
    uint64_t broken; /* connections that we ended for an error of theirs, or of ours */
};

/* As much as there is and as the other half takes. What is left waits for WRITABLE. */
static void echo_stream(tern_stream *stream)
{
    const uint8_t *data;
    size_t len;
    int rc;
    while ((rc = tern_stream_peek(stream, &data, &len)) == 0) {
        ptrdiff_t n = tern_stream_write(stream, data, len, len == 0 ? TERN_FIN : 0);
        if (n < 0 || tern_stream_consume(stream, (size_t)n) != 0 || len == 0 || (size_t)n < len) {
            return;
        }
    }
    if (rc == TERN_ERR_RESET && tern_stream_reset(stream, 0) != 0) {
        return; /* it is over already */
    }
}

/* Reliable ones wait in the peer while we have no room for the answers. */
static void echo_messages(tern_conn *conn)
{
    tern_message message = {.size = sizeof message};
    while (tern_conn_receive(conn, &message) == 1) {
        tern_send_options options;
        tern_send_options_init(&options);
        options.channel = message.channel;
        options.order = message.order;
        int rc = tern_conn_send(conn, message.data, message.len, &options, tern_udp_now());
        if (rc != 0 && rc != TERN_ERR_CLOSED) {
            tern_conn_close(conn, 1, "no room for an echo");
        }
    }
}

static void on_event(struct echo *echo, const tern_event *event)
{
    if (event->type == TERN_EVENT_STREAM_READABLE || event->type == TERN_EVENT_STREAM_WRITABLE) {
        echo_stream(event->stream);
    } else if (event->type == TERN_EVENT_MESSAGES) {
        echo_messages(event->conn);
    } else if (event->type == TERN_EVENT_CLOSED && event->close.by == TERN_CLOSED_ERROR) {
        echo->broken++;
        (void)fprintf(stderr, "soak: a connection ended: %s: %.*s\n",
                      tern_strerror(event->close.error), (int)event->close.reason_len,
                      (const char *)event->close.reason);
    }
}

static int serve(struct echo *echo)
{
    int rc = 0;
    while (is_over == 0 && rc == 0) {
        tern_event event;
        rc = tern_udp_service(echo->udp, 100 * TERN_MSEC);
        while (tern_endpoint_poll(echo->endpoint, &event) == 1) {
            on_event(echo, &event);
        }
        trim_memory(tern_udp_now());
    }
    return rc;
}

int echo_run(const char *address)
{
    struct echo echo = {0};
    tern_config config;
    tern_addr local;
    char text[TERN_ADDR_TEXT_SIZE];
    tern_config_init(&config);
    config.accept = true;
    config.initial_rate = 0; /* all of the crowd is one host, or seems to be */
    int rc = tern_addr_parse(&local, address);
    rc = rc == 0 ? tern_endpoint_new(&echo.endpoint, &config, tern_udp_now()) : rc;
    rc = rc == 0 ? tern_udp_open(&echo.udp, echo.endpoint, &local) : rc;
    if (rc == 0) {
        tern_addr bound = tern_udp_local(echo.udp);
        (void)printf("listening on %s\n", tern_addr_format(&bound, text, sizeof text));
        (void)fflush(stdout);
        rc = serve(&echo);
    }
    if (rc != 0) {
        (void)fprintf(stderr, "soak: %s: %s\n", tern_strerror(rc), strerror(errno));
    }
    tern_udp_close(echo.udp);
    tern_endpoint_free(echo.endpoint);
    return rc != 0 || echo.broken > 0 ? 1 : 0;
}
