/* Bulk: a file over a stream, without a copy on the way out, and a word of the receiver's that
 * it has all.
 *
 *     tern-bulk receive 127.0.0.1:7402 copy.iso      one file, then ends
 *     tern-bulk 127.0.0.1:7402 big.iso
 *
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tern/tern.h>
#include <tern/udp.h>

#define PIECE  ((size_t)256 * 1024)
#define PIECES 32 /* 8 MiB under way: what 1 Gbit/s carries in 60 ms */

struct sender {
    tern_endpoint *ep;
    tern_udp *udp;
    tern_stream *stream;
    FILE *file;
    uint8_t *free[PIECES]; /* pieces that nobody uses */
    size_t free_count;
    bool is_read, is_over; /* the file; all of it was received */
};

static _Noreturn void die(const char *what, int error)
{
    (void)fprintf(stderr, "tern-bulk: %s: %s\n", what,
                  error == TERN_ERR_SYSTEM ? strerror(errno) : tern_strerror(error));
    exit(1);
}

static void check(const char *what, int error)
{
    if (error != 0) {
        die(what, error);
    }
}

/* --- the sender --- */

/* The library has done with a piece: all of it was acknowledged. */
static void release(void *arg, const void *data, size_t len)
{
    struct sender *s = arg;
    (void)len;
    s->free[s->free_count++] = (uint8_t *)(uintptr_t)data; /* ours: it was only lent */
}

/* Lends pieces of the file to the stream for as long as there are free ones. */
static void feed(struct sender *s)
{
    while (s->free_count > 0 && !s->is_read && tern_stream_writable(s->stream) >= PIECE) {
        uint8_t *piece = s->free[--s->free_count];
        size_t len = fread(piece, 1, PIECE, s->file);
        s->is_read = len < PIECE;
        if (ferror(s->file) != 0) {
            die("read", TERN_ERR_SYSTEM);
        }
        ptrdiff_t n =
            tern_stream_write_ref(s->stream, piece, len, release, s, s->is_read ? TERN_FIN : 0);
        if (n != (ptrdiff_t)len) {
            die("write", n < 0 ? (int)n : TERN_ERR_LIMIT);
        }
    }
}

static void send_event(struct sender *s, const tern_event *ev)
{
    if (ev->type == TERN_EVENT_STREAM_CLOSED) {
        s->is_over = true; /* both halves: all is there, and the receiver has said so */
    } else if (ev->type == TERN_EVENT_STREAM_READABLE) {
        char word[8];
        ptrdiff_t n;
        while ((n = tern_stream_read(ev->stream, word, sizeof word)) > 0) {
            /* It only ends its half; what it says does not matter. */
        }
        check("the receiver gave up", n == TERN_ERR_RESET ? TERN_ERR_RESET : 0);
    } else if (ev->type == TERN_EVENT_CLOSED) {
        die("the receiver is gone", ev->close.error);
    }
}

static void send_file(const tern_addr *to, const char *path)
{
    static struct sender s;
    tern_config config;
    tern_peer peer;
    tern_conn *conn;
    tern_event ev;

    tern_config_init(&config);
    config.cc = "bbr"; /* keeps its pace where packets are lost at random */
    tern_peer_init(&peer);
    peer.addr = *to;
    s.file = fopen(path, "rb");
    check(path, s.file == NULL ? TERN_ERR_SYSTEM : 0);
    while (s.free_count < PIECES) {
        s.free[s.free_count] = malloc(PIECE);
        check("memory", s.free[s.free_count++] == NULL ? TERN_ERR_NOMEM : 0);
    }
    check("endpoint", tern_endpoint_new(&s.ep, &config, tern_udp_now()));
    check("socket", tern_udp_open(&s.udp, s.ep, NULL));
    check("cannot connect", tern_endpoint_connect(s.ep, &peer, &conn, tern_udp_now()));
    check("no stream", tern_conn_open_stream(conn, TERN_STREAM_BIDI, &s.stream));
    while (!s.is_over) {
        feed(&s);
        check("network", tern_udp_service(s.udp, 10 * TERN_MSEC));
        while (!s.is_over && tern_endpoint_poll(s.ep, &ev) == 1) {
            send_event(&s, &ev);
        }
    }
    tern_endpoint_close_all(s.ep, 0, "done");
    tern_udp_close(s.udp);
    tern_endpoint_free(s.ep); /* after this every piece is back */
    while (s.free_count > 0) {
        free(s.free[--s.free_count]);
    }
    (void)fclose(s.file);
}

/* --- the receiver --- */

/* Writes what has come to the file, straight from the stream's memory. True: that was all, and
 * it is on the disk, as far as the C library can tell. */
static bool store(tern_stream *stream, FILE *file)
{
    const uint8_t *data;
    size_t len;
    int rc;
    while ((rc = tern_stream_peek(stream, &data, &len)) == 0) {
        bool is_end = len == 0;
        if (is_end ? fflush(file) != 0 : fwrite(data, 1, len, file) != len) {
            die("write", TERN_ERR_SYSTEM);
        }
        check("consume", tern_stream_consume(stream, len)); /* which lets the sender send more */
        if (is_end) {
            return true;
        }
    }
    check("the sender gave up", rc == TERN_ERR_AGAIN ? 0 : rc);
    return false;
}

static void receive_file(const tern_addr *local, const char *path)
{
    tern_endpoint *ep;
    tern_udp *udp;
    tern_config config;
    tern_event ev;
    bool is_over = false;
    FILE *file = fopen(path, "wb");

    check(path, file == NULL ? TERN_ERR_SYSTEM : 0);
    tern_config_init(&config);
    config.accept = true;
    config.max_streams_bidi = 1;
    check("endpoint", tern_endpoint_new(&ep, &config, tern_udp_now()));
    check("socket", tern_udp_open(&udp, ep, local));
    printf("receiving\n");
    (void)fflush(stdout);
    while (!is_over) {
        check("network", tern_udp_service(udp, TERN_SEC));
        while (tern_endpoint_poll(ep, &ev) == 1) {
            if (ev.type == TERN_EVENT_STREAM_READABLE && store(ev.stream, file) &&
                tern_stream_write(ev.stream, NULL, 0, TERN_FIN) != 0) {
                die("cannot answer", TERN_ERR_STATE);
            }
            is_over = is_over || ev.type == TERN_EVENT_CLOSED;
        }
    }
    tern_udp_close(udp);
    tern_endpoint_free(ep);
    if (fclose(file) != 0) {
        die(path, TERN_ERR_SYSTEM);
    }
}

int main(int argc, char **argv)
{
    tern_addr addr;
    if (argc == 4 && strcmp(argv[1], "receive") == 0 && tern_addr_parse(&addr, argv[2]) == 0) {
        receive_file(&addr, argv[3]);
        return 0;
    }
    if (argc == 3 && tern_addr_parse(&addr, argv[1]) == 0) {
        send_file(&addr, argv[2]);
        return 0;
    }
    (void)fputs("Usage: tern-bulk receive ADDRESS:PORT FILE\n"
                "       tern-bulk ADDRESS:PORT FILE\n",
                stderr);
    return 2;
}
