/* An echo over UDP between two processes, or two machines: `echo serve` prints its address and key, and ends after one
 * client; `echo ask ADDRESS KEY` sends bytes and has them back.
 * SPDX-License-Identifier: MIT */
#ifdef TERN_AMALGAM
#include "tern_udp.h"
#else
#include <tern/tern.h>
#include <tern/udp.h>
#endif

#include <stdio.h>
#include <string.h>

enum { BYTES = 500000 };

static tern_endpoint *endpoint;
static tern_udp *udp;
static size_t written, come;
static bool is_over, is_wrong;

static uint8_t byte_at(size_t at)
{
    return (uint8_t)(at * 17 + at / 251);
}

static bool open_at(const char *address, bool accept)
{
    tern_config config;
    tern_addr local;
    tern_config_init(&config);
    config.accept = accept;
    return tern_addr_parse(&local, address) == 0 &&
           tern_endpoint_new(&endpoint, &config, tern_udp_now()) == 0 &&
           tern_udp_open(&udp, endpoint, &local) == 0;
}

/* --- the server --- */

/* What was read and not taken back yet. Of one stream, since there is one client. */
static uint8_t waiting[65536];
static size_t waits;
static bool is_read;

static void give_back(tern_stream *stream)
{
    ptrdiff_t n = 1;
    while (n > 0) {
        ptrdiff_t got =
            is_read ? 0 : tern_stream_read(stream, waiting + waits, sizeof waiting - waits);
        is_read = is_read || (got == 0 && waits < sizeof waiting);
        waits += got > 0 ? (size_t)got : 0;
        n = waits > 0 || is_read ? tern_stream_write(stream, waiting, waits, is_read ? TERN_FIN : 0)
                                 : 0;
        if (n > 0) {
            waits -= (size_t)n;
            come += (size_t)n;
            memmove(waiting, waiting + n, waits);
        }
    }
}

static void on_server_event(const tern_event *event)
{
    if (event->type == TERN_EVENT_STREAM_READABLE || event->type == TERN_EVENT_STREAM_WRITABLE) {
        give_back(event->stream);
    }
    is_over = is_over || event->type == TERN_EVENT_CLOSED;
}

/* --- the client --- */

static void write_more(tern_stream *stream)
{
    uint8_t bytes[4096];
    ptrdiff_t n = 1;
    while (n > 0 && written < BYTES) {
        size_t len = BYTES - written < sizeof bytes ? BYTES - written : sizeof bytes;
        for (size_t i = 0; i < len; i++) {
            bytes[i] = byte_at(written + i);
        }
        n = tern_stream_write(stream, bytes, len, written + len == BYTES ? TERN_FIN : 0);
        written += n > 0 ? (size_t)n : 0;
    }
}

static void read_back(tern_conn *conn, tern_stream *stream)
{
    uint8_t bytes[4096];
    ptrdiff_t n;
    while ((n = tern_stream_read(stream, bytes, sizeof bytes)) > 0) {
        for (size_t i = 0; i < (size_t)n; i++) {
            is_wrong = is_wrong || bytes[i] != byte_at(come + i);
        }
        come += (size_t)n;
    }
    if (n == 0) {
        tern_conn_close(conn, 0, "thanks");
    }
}

static void on_client_event(const tern_event *event, tern_stream *stream)
{
    if (event->type == TERN_EVENT_CLOSED) {
        is_over = true;
        return;
    }
    if (event->type == TERN_EVENT_STREAM_READABLE) {
        read_back(event->conn, event->stream);
    } else if (event->type == TERN_EVENT_STREAM_WRITABLE) {
        write_more(stream);
    }
}

/* --- both --- */

static int serve(void)
{
    uint8_t key[TERN_KEY_SIZE];
    char text[TERN_ADDR_TEXT_SIZE];
    tern_event event;
    if (!open_at("127.0.0.1:0", true)) {
        return 1;
    }
    tern_addr local = tern_udp_local(udp);
    tern_endpoint_public_key(endpoint, key);
    printf("%s ", tern_addr_format(&local, text, sizeof text));
    for (size_t i = 0; i < sizeof key; i++) {
        printf("%02x", (unsigned)key[i]);
    }
    printf("\n");
    (void)fflush(stdout);
    tern_time until = tern_udp_now() + 60 * TERN_SEC;
    while (!is_over && tern_udp_now() < until && tern_udp_service(udp, TERN_SEC) == 0) {
        while (tern_endpoint_poll(endpoint, &event)) {
            on_server_event(&event);
        }
    }
    printf("echo: %zu bytes given back\n", come);
    return come == BYTES && is_over ? 0 : 1;
}

static int ask(const char *address, const char *hex)
{
    uint8_t key[TERN_KEY_SIZE];
    tern_conn *conn;
    tern_stream *stream;
    tern_event event;
    tern_peer peer;
    tern_peer_init(&peer);
    peer.key = key;
    for (size_t i = 0; i < sizeof key; i++) {
        unsigned byte = 0;
        if (sscanf(hex + 2 * i, "%2x", &byte) != 1) {
            return 2;
        }
        key[i] = (uint8_t)byte;
    }
    if (!open_at("127.0.0.1:0", false) || tern_addr_parse(&peer.addr, address) != 0 ||
        tern_endpoint_connect(endpoint, &peer, &conn, tern_udp_now()) != 0 ||
        tern_conn_open_stream(conn, TERN_STREAM_BIDI, &stream) != 0) {
        return 1;
    }
    write_more(stream);
    tern_time until = tern_udp_now() + 60 * TERN_SEC;
    while (!is_over && tern_udp_now() < until && tern_udp_service(udp, TERN_SEC) == 0) {
        while (!is_over && tern_endpoint_poll(endpoint, &event)) {
            on_client_event(&event, stream);
        }
    }
    printf("echo: %zu of %d bytes came back%s\n", come, BYTES,
           is_wrong ? ", others than were sent" : "");
    return come == BYTES && is_over && !is_wrong ? 0 : 1;
}

int main(int argc, char **argv)
{
    int rc = 2;
    if (argc == 2 && strcmp(argv[1], "serve") == 0) {
        rc = serve();
    } else if (argc == 4 && strcmp(argv[1], "ask") == 0 && strlen(argv[3]) == 2 * TERN_KEY_SIZE) {
        rc = ask(argv[2], argv[3]);
    } else {
        (void)fprintf(stderr, "usage: echo serve | echo ask ADDRESS KEY\n");
    }
    tern_udp_close(udp);
    tern_endpoint_free(endpoint);
    return rc;
}
