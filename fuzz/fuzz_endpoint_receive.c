/* A server and a client on a wire that the fuzzer owns: it forges datagrams, flips bits, drops,
 * repeats and delays, lets time pass, and makes the applications act.
 *
 * Input: operations of one byte, some followed by their arguments; see `step`.
 * SPDX-License-Identifier: MIT */
#include <tern/tern.h>

#include "fuzz.h"

#define WIRE_SLOTS   16
#define DATAGRAM_MAX 1500
#define STEPS_MAX    400

struct packet {
    uint8_t data[DATAGRAM_MAX];
    size_t len;
};

struct world {
    struct fuzz_input in;
    tern_endpoint *ends[2]; /* the server, the client */
    tern_conn *conns[2];    /* one of each end, or NULL */
    uint64_t random;
    tern_time now;
    struct packet wire[2][WIRE_SLOTS]; /* on the way to each end */
    size_t count[2];
};

static tern_addr address(size_t end, uint8_t variant)
{
    return (tern_addr){.family = 4,
                       .ip = {10, 0, (uint8_t)(variant & 1), (uint8_t)end},
                       .port = (uint16_t)(4000 + (variant >> 1 & 1))};
}

static void deliver(struct world *w, size_t to, const uint8_t *data, size_t len, uint8_t how)
{
    uint8_t copy[DATAGRAM_MAX]; /* receive decrypts in place */
    tern_datagram in = {.local = address(to, 0),
                        .remote = address(1 - to, how & 3),
                        .data = copy,
                        .len = len,
                        .ecn = how >> 2 & 3};
    memcpy(copy, data, len);
    FUZZ_CHECK(tern_endpoint_receive(w->ends[to], &in, 1, w->now) == 0);
}

/* What both ends have to say goes onto the wire; a full wire loses it. */
static void pump(struct world *w)
{
    static uint8_t buf[20000];
    for (size_t from = 0; from < 2; from++) {
        tern_train train = {.data = buf, .capacity = sizeof buf};
        for (int i = 0; i < 64 && tern_endpoint_transmit(w->ends[from], &train, w->now) > 0; i++) {
            FUZZ_CHECK(train.segment > 0 && train.len <= sizeof buf);
            for (size_t at = 0; at < train.len; at += train.segment) {
                size_t to = 1 - from;
                size_t len = TERN_MIN(train.segment, train.len - at);
                if (w->count[to] < WIRE_SLOTS && len <= DATAGRAM_MAX) {
                    struct packet *packet = &w->wire[to][w->count[to]++];
                    memcpy(packet->data, buf + at, len);
                    packet->len = len;
                }
            }
        }
    }
}

static void read_stream(tern_stream *stream)
{
    char buf[4096];
    ptrdiff_t n;
    do {
        n = tern_stream_read(stream, buf, sizeof buf);
    } while (n > 0);
}

static void poll_events(struct world *w)
{
    for (size_t end = 0; end < 2; end++) {
        tern_event event;
        while (tern_endpoint_poll(w->ends[end], &event) == 1) {
            if (event.type == TERN_EVENT_CONNECTED) {
                w->conns[end] = event.conn;
            } else if (event.type == TERN_EVENT_CLOSED && w->conns[end] == event.conn) {
                w->conns[end] = NULL;
            } else if (event.type == TERN_EVENT_STREAM_READABLE) {
                read_stream(event.stream);
            }
        }
    }
}

/* Takes packet `index` off the wire. */
static bool take(struct world *w, size_t to, size_t index, struct packet *out)
{
    if (index >= w->count[to]) {
        return false;
    }
    *out = w->wire[to][index];
    w->count[to]--;
    memmove(&w->wire[to][index], &w->wire[to][index + 1],
            (w->count[to] - index) * sizeof w->wire[to][0]);
    return true;
}

static void flip(struct world *w, struct packet *packet)
{
    size_t at = (size_t)fuzz_u8(&w->in) << 8 | fuzz_u8(&w->in);
    packet->data[at % packet->len] ^= fuzz_u8(&w->in);
}

static void read_packet(struct fuzz_input *in, struct packet *out)
{
    const uint8_t *bytes = fuzz_bytes(in, fuzz_u8(in), &out->len);
    memset(out->data, 0, sizeof out->data);
    if (out->len > 0) {
        memcpy(out->data, bytes, out->len);
    }
}

static void act(struct world *w, size_t end, uint8_t what)
{
    static const uint8_t bytes[3000];
    tern_conn *conn = w->conns[end];
    tern_stream *stream;
    if (conn == NULL) {
        return;
    }
    if (what % 8 == 7) {
        tern_conn_close(conn, what, "the fuzzer says so");
    } else if (tern_conn_open_stream(conn, what & 1 ? TERN_STREAM_UNI : TERN_STREAM_BIDI,
                                     &stream) == 0) {
        ptrdiff_t n = tern_stream_write(stream, bytes, (size_t)what * 11, what & 2 ? TERN_FIN : 0);
        FUZZ_CHECK(n <= (ptrdiff_t)what * 11);
        FUZZ_CHECK((what & 4) == 0 || tern_stream_reset(stream, what) <= 0);
    }
}

/* One operation: the low three bits say which, bit 3 to which end, the others how. */
static void step(struct world *w)
{
    struct packet packet;
    uint8_t op = fuzz_u8(&w->in);
    size_t to = op >> 3 & 1;
    uint8_t how = op >> 4;
    switch (op & 7) {
    case 0: /* a datagram of the fuzzer's own, of up to 255 bytes or padded to a first flight's size */
        read_packet(&w->in, &packet);
        deliver(w, to, packet.data, how & 8 ? 1200 : packet.len, how);
        break;
    case 1: /* the next one goes through */
    case 2:
        if (take(w, to, 0, &packet)) {
            deliver(w, to, packet.data, packet.len, 0);
        }
        break;
    case 3: /* overtaken, from another address, marked, and maybe twice */
        if (take(w, to, how & 3, &packet)) {
            deliver(w, to, packet.data, packet.len, fuzz_u8(&w->in));
            if (how & 4) {
                deliver(w, to, packet.data, packet.len, how);
            }
        }
        break;
    case 4: /* damaged, then the true one or not */
        if (take(w, to, 0, &packet)) {
            struct packet damaged = packet;
            flip(w, &damaged);
            deliver(w, to, damaged.data, damaged.len, 0);
            if (how & 1) {
                deliver(w, to, packet.data, packet.len, 0);
            }
        }
        break;
    case 5: /* lost */
        (void)take(w, to, 0, &packet);
        break;
    case 6: /* time passes: a millisecond to half a minute, or steps back a little */
        w->now = how == 15 ? w->now - TERN_MSEC : w->now + (TERN_MSEC << how);
        break;
    default:
        act(w, to, fuzz_u8(&w->in));
        break;
    }
    for (size_t end = 0; end < 2; end++) {
        tern_endpoint_tick(w->ends[end], w->now);
        (void)tern_endpoint_deadline(w->ends[end]);
    }
    poll_events(w);
    pump(w);
}

static void begin(struct world *w)
{
    static const uint8_t server_secret[TERN_KEY_SIZE] = "a server's secret key, 32 bytes";
    uint8_t server_public[TERN_KEY_SIZE], how = fuzz_u8(&w->in);
    tern_config config;
    tern_peer peer;
    tern_config_init(&config);
    config.random = (tern_random_source){.fill = fuzz_fill, .user = &w->random};
    config.suites = how & 1 ? TERN_SUITE_ANY : TERN_SUITE_CHACHA20_POLY1305;
    config.keepalive = how & 2 ? TERN_SEC : 0;
    config.stream_window = 4096;
    config.conn_window = 8192;
    config.max_streams_bidi = config.max_streams_uni = 4;
    FUZZ_CHECK(tern_endpoint_new(&w->ends[1], &config, w->now) == 0);
    config.accept = true;
    config.silent = (how & 12) == 12;
    config.secret_key = server_secret;
    config.retry_half_open = (how & 16) != 0 ? 0 : config.retry_half_open;
    config.max_per_address = (how & 32) != 0 ? 1 : 0;
    FUZZ_CHECK(tern_endpoint_new(&w->ends[0], &config, w->now) == 0);
    tern_peer_init(&peer);
    peer.addr = address(0, 0);
    tern_endpoint_public_key(w->ends[0], server_public);
    peer.key = how & 4 ? server_public : NULL;
    FUZZ_CHECK(tern_endpoint_connect(w->ends[1], &peer, &w->conns[1], w->now) == 0);
    pump(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world w;
    w = (struct world){.in = {data, size}, .random = 7, .now = 3600 * TERN_SEC};
    begin(&w);
    for (int i = 0; i < STEPS_MAX && w.in.left > 0; i++) {
        step(&w);
    }
    tern_endpoint_free(w.ends[0]);
    tern_endpoint_free(w.ends[1]);
    return 0;
}
