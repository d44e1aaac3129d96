/* Echo: a server that sends back what comes on every stream, and a client that asks it.
 *
 *     tern-echo serve 127.0.0.1:7400            says its key, which clients may pin
 *     tern-echo 127.0.0.1:7400 KEY hello        asks, and prints the answer; "-" for KEY: trusts whoever answers
 *
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tern/tern.h>
#include <tern/udp.h>

static _Noreturn void die(const char *what, int error)
{
    (void)fprintf(stderr, "tern-echo: %s: %s\n", what,
                  error == TERN_ERR_SYSTEM ? strerror(errno) : tern_strerror(error));
    exit(1);
}

/* Reads in place and writes what the stream takes. The rest stays where it is, which tells the
 * client to slow down, until WRITABLE says that there is room. */
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

static void serve(const tern_addr *local)
{
    tern_endpoint *ep;
    tern_udp *udp;
    tern_config config;
    uint8_t key[TERN_KEY_SIZE];
    char text[TERN_KEY_TEXT_SIZE];

    tern_config_init(&config);
    config.accept = true; /* no config.secret_key: a new key at each start */
    int rc = tern_endpoint_new(&ep, &config, tern_udp_now());
    rc = rc == 0 ? tern_udp_open(&udp, ep, local) : rc;
    if (rc != 0) {
        die("cannot serve", rc);
    }
    tern_endpoint_public_key(ep, key);
    printf("serving, with the key %s\n", tern_key_format(key, text, sizeof text));
    (void)fflush(stdout);

    while ((rc = tern_udp_service(udp, TERN_SEC)) == 0) {
        tern_event ev;
        while (tern_endpoint_poll(ep, &ev) == 1) {
            if (ev.type == TERN_EVENT_STREAM_READABLE || ev.type == TERN_EVENT_STREAM_WRITABLE) {
                echo(ev.stream);
            }
        }
    }
    die("network", rc);
}

/* Prints what has come. True: that was the end of it. */
static bool print(tern_stream *stream)
{
    char text[512];
    ptrdiff_t n;
    while ((n = tern_stream_read(stream, text, sizeof text)) > 0) {
        (void)fwrite(text, 1, (size_t)n, stdout);
    }
    if (n == 0) {
        (void)fputc('\n', stdout);
    } else if (n != TERN_ERR_AGAIN) {
        die("the answer is lost", (int)n);
    }
    return n == 0;
}

static void ask(const tern_peer *peer, const char *words)
{
    tern_endpoint *ep;
    tern_udp *udp;
    tern_conn *conn;
    tern_stream *stream;
    tern_config config;
    bool is_over = false;

    tern_config_init(&config);
    int rc = tern_endpoint_new(&ep, &config, tern_udp_now());
    rc = rc == 0 ? tern_udp_open(&udp, ep, NULL) : rc;
    rc = rc == 0 ? tern_endpoint_connect(ep, peer, &conn, tern_udp_now()) : rc;
    rc = rc == 0 ? tern_conn_open_stream(conn, TERN_STREAM_BIDI, &stream) : rc;
    if (rc != 0) {
        die("cannot connect", rc);
    }
    size_t len = strlen(words); /* less than the stream's buffer, so that all of it is taken */
    if (tern_stream_write(stream, words, len, TERN_FIN) != (ptrdiff_t)len) {
        die("cannot ask", TERN_ERR_LIMIT);
    }
    while (!is_over) {
        tern_event ev;
        rc = tern_udp_service(udp, TERN_SEC);
        if (rc != 0) {
            die("network", rc);
        }
        while (!is_over && tern_endpoint_poll(ep, &ev) == 1) {
            if (ev.type == TERN_EVENT_CLOSED) {
                die("the server is gone", ev.close.error);
            } else if (ev.type == TERN_EVENT_STREAM_READABLE) {
                is_over = print(ev.stream);
            }
        }
    }
    tern_endpoint_close_all(ep, 0, "thank you");
    tern_udp_close(udp);
    tern_endpoint_free(ep);
}

int main(int argc, char **argv)
{
    tern_addr local;
    tern_peer peer;
    uint8_t key[TERN_KEY_SIZE];

    tern_peer_init(&peer);
    if (argc == 3 && strcmp(argv[1], "serve") == 0 && tern_addr_parse(&local, argv[2]) == 0) {
        serve(&local);
    } else if (argc == 4 && tern_addr_parse(&peer.addr, argv[1]) == 0 &&
               (strcmp(argv[2], "-") == 0 || tern_key_parse(key, argv[2]) == 0)) {
        peer.key = strcmp(argv[2], "-") == 0 ? NULL : key;
        ask(&peer, argv[3]);
        return 0;
    }
    (void)fputs("Usage: tern-echo serve ADDRESS:PORT\n"
                "       tern-echo ADDRESS:PORT KEY|- WORDS\n",
                stderr);
    return 2;
}
