/* A peer that holds the keys and says anything: frames of the fuzzer's own, sealed as they should be,
 * at every level and towards either end. This reaches what forged datagrams never do.
 *
 * Input: one byte (bits 0-1 level, bit 2 towards the client, bit 3 the application reads, bit 4 XK,
 * bits 5-6 deliveries left out), then packets: two bytes of length and pause, and the payload.
 * SPDX-License-Identifier: MIT */
#include <tern/tern.h>

#include "conn/conn.h"
#include "endpoint/endpoint.h"
#include "reframe.h"

#define DATAGRAM_MAX 1500
#define PACKETS_MAX  64
#define MESSAGE_MAX  4096
#define PAYLOAD_MAX  1020 /* of a packet: its length has ten bits */

struct world {
    tern_endpoint *ends[2]; /* the server, the client */
    bool does_read;
    uint64_t random;
    tern_time now;
};

static tern_addr address(size_t end)
{
    return (tern_addr){.family = 4, .ip = {10, 0, 0, (uint8_t)end}, .port = 4433};
}

static void deliver(struct world *w, size_t to, uint8_t *data, size_t len, size_t segment)
{
    tern_datagram in = {.local = address(to),
                        .remote = address(1 - to),
                        .data = data,
                        .len = len,
                        .segment = segment};
    FUZZ_CHECK(tern_endpoint_receive(w->ends[to], &in, 1, w->now) == 0);
}

/* Something of each kind, so that the peer has what to acknowledge. */
static void say(tern_conn *conn, tern_time now)
{
    static const uint8_t bytes[MESSAGE_MAX];
    tern_send_options o;
    tern_send_options_init(&o);
    for (unsigned i = 0; i < 12; i++) {
        o.reliability = (tern_reliability)(i % 4);
        o.order = (tern_order)(i / 4);
        o.lifetime = o.reliability == TERN_UNTIL_DEADLINE ? 30 * TERN_MSEC : 0;
        o.channel = i % 3;
        o.wants_outcome = true;
        FUZZ_CHECK(tern_conn_send(conn, bytes, i % 5 == 0 ? sizeof bytes : 20 * i, &o, now) == 0);
    }
}

static void poll_events(struct world *w, size_t end)
{
    tern_event event;
    while (tern_endpoint_poll(w->ends[end], &event) == 1) {
        if (event.type == TERN_EVENT_MESSAGES && w->does_read) {
            tern_message message = {.size = sizeof message};
            while (tern_conn_receive(event.conn, &message) == 1) {
                FUZZ_CHECK(message.len <= MESSAGE_MAX);
            }
        } else if (event.type == TERN_EVENT_CONNECTED) {
            say(event.conn, w->now);
        } else if (event.type == TERN_EVENT_STREAM_READABLE && w->does_read) {
            char buf[4096];
            ptrdiff_t n;
            do {
                n = tern_stream_read(event.stream, buf, sizeof buf);
            } while (n > 0);
        } else if (event.type == TERN_EVENT_STREAM_OPENED &&
                   tern_stream_kind_of(event.stream) == TERN_STREAM_BIDI) {
            FUZZ_CHECK(tern_stream_write(event.stream, "welcome", 7, TERN_FIN) <= 7);
        }
    }
}

/* What one end has to say, to the other end or to nobody. True if there was anything. */
static bool speak(struct world *w, size_t from, bool is_heard)
{
    static uint8_t buf[20000];
    tern_train train = {.data = buf, .capacity = sizeof buf};
    if (tern_endpoint_transmit(w->ends[from], &train, w->now) <= 0) {
        return false;
    }
    if (is_heard) {
        deliver(w, 1 - from, train.data, train.len, train.segment);
    }
    return true;
}

static tern_conn *conn_of(const tern_endpoint *endpoint)
{
    return tern_list_is_empty(&endpoint->conns)
               ? NULL
               : TERN_CONTAINER_OF(endpoint->conns.next, struct tern_conn, all_node);
}

/* A packet of `from`, with keys, identifiers and number as its own connection would use them. */
static size_t seal(struct tern_conn *from, enum tern_level level, const uint8_t *payload,
                   size_t len, uint8_t out[DATAGRAM_MAX])
{
    static const enum tern_packet_type types[] = {TERN_PACKET_INITIAL, TERN_PACKET_HANDSHAKE,
                                                  TERN_PACKET_ONE_RTT};
    struct tern_space *space = &from->spaces[level];
    uint64_t pn = space->loss.sent.next_pn;
    uint8_t mask[TERN_MASK_SIZE];
    struct tern_writer w;
    tern_writer_init(&w, out, DATAGRAM_MAX);
    if (level == TERN_LEVEL_APP) {
        tern_header_encode_short(&w, tern_cids_remote(&from->cids), (space->keys->phase & 1) != 0,
                                 pn, 4);
    } else {
        tern_header_encode_long(&w, types[level], tern_cids_remote(&from->cids),
                                &from->cids.local[0].cid, NULL, 0, pn, 4,
                                len + tern_suite_tag_size(space->keys->tx.suite));
    }
    size_t header_len = tern_writer_used(&w);
    tern_write_bytes(&w, payload, len);
    FUZZ_CHECK(!w.failed && tern_writer_left(&w) >= TERN_AEAD_TAG_MAX);
    FUZZ_CHECK(tern_packet_seal(&space->keys->tx, 0, pn, out, header_len, out + header_len, len) ==
               0);
    tern_aead_mask(&space->keys->tx.mask, out + header_len, mask);
    tern_header_mask(out, header_len - 4, 4, mask);
    FUZZ_CHECK(tern_sent_reserve(&space->loss.sent, 0) == 0);
    (void)tern_sent_commit(&space->loss.sent, 0, 0, 0, 0, 0);
    return tern_writer_used(&w) + tern_suite_tag_size(space->keys->tx.suite);
}

/* The trace renders whatever the peer sent, into less room than it needs. */
static void trace(void *user, const tern_trace_event *event)
{
    char line[100];
    (void)user;
    FUZZ_CHECK(tern_trace_text(event, line, sizeof line) > 0);
    FUZZ_CHECK(tern_trace_qlog(event, line, sizeof line) > 0);
    FUZZ_CHECK(memchr(line, 0, sizeof line) != NULL);
}

static bool inject(struct world *w, size_t to, enum tern_level level, struct fuzz_input *in)
{
    uint8_t out[DATAGRAM_MAX];
    struct tern_conn *from = conn_of(w->ends[1 - to]);
    size_t want = (size_t)fuzz_u8(in) << 2, len;
    uint8_t pause = fuzz_u8(in);
    want |= pause & 3;
    const uint8_t *payload = fuzz_bytes(in, want, &len);
    if (from == NULL || !tern_space_is_live(&from->spaces[level]) ||
        tern_cids_remote(&from->cids)->len == 0) {
        return false;
    }
    deliver(w, to, out, seal(from, level, payload, len, out), 0);
    w->now += (tern_time)(pause >> 2) * TERN_MSEC;
    tern_endpoint_tick(w->ends[to], w->now);
    poll_events(w, to);
    while (speak(w, to, false)) {
    }
    return true;
}

static void begin(struct world *w, bool is_xk)
{
    static const uint8_t server_secret[TERN_KEY_SIZE] = "a server's secret key, 32 bytes";
    uint8_t server_public[TERN_KEY_SIZE];
    tern_config config;
    tern_peer peer;
    tern_conn *conn;
    tern_config_init(&config);
    config.random = (tern_random_source){.fill = fuzz_fill, .user = &w->random};
    config.trace.event = trace;
    config.stream_window = 16384;
    config.stream_window_max = config.conn_window = 65536;
    config.max_streams_bidi = config.max_streams_uni = 8;
    config.max_message = MESSAGE_MAX;
    config.max_channels = 1000;
    config.message_window = config.message_queue = 16384;
    FUZZ_CHECK(tern_endpoint_new(&w->ends[1], &config, w->now) == 0);
    config.accept = true;
    config.secret_key = server_secret;
    FUZZ_CHECK(tern_endpoint_new(&w->ends[0], &config, w->now) == 0);
    tern_peer_init(&peer);
    peer.addr = address(0);
    tern_endpoint_public_key(w->ends[0], server_public);
    peer.key = is_xk ? server_public : NULL;
    FUZZ_CHECK(tern_endpoint_connect(w->ends[1], &peer, &conn, w->now) == 0);
}

/* In one of the packets; those behind it move. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    uint8_t payload[PAYLOAD_MAX + 1];
    size_t at = 1, len = 0;
    for (unsigned left = seed % 5; at + 2 < size; left--, at += 2 + len) {
        len = (size_t)data[at] << 2 | (data[at + 1] & 3u);
        len = TERN_MIN(len, size - at - 2);
        if (left == 0) {
            break;
        }
    }
    if (at + 2 >= size || seed % 7 == 0) {
        return LLVMFuzzerMutate(data, size, max_size);
    }
    memcpy(payload, data + at + 2, len);
    size_t room = TERN_MIN((size_t)PAYLOAD_MAX, len + (max_size - size));
    size_t now = reframe_mutate(payload, len, room, seed / 7);
    memmove(data + at + 2 + now, data + at + 2 + len, size - (at + 2 + len));
    memcpy(data + at + 2, payload, now);
    data[at] = (uint8_t)(now >> 2);
    data[at + 1] = (uint8_t)((data[at + 1] & 0xfc) | (now & 3));
    return size - len + now;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct world w = {.random = 7, .now = 3600 * TERN_SEC};
    uint8_t mode = fuzz_u8(&in);
    enum tern_level level = (enum tern_level)TERN_MIN(mode & 3, TERN_LEVEL_APP);
    size_t to = mode >> 2 & 1;
    w.does_read = (mode & 8) != 0;
    begin(&w, (mode & 16) != 0);
    /* client, server, client, server: how far the handshake is when the peer turns bad. */
    int rounds = (level == TERN_LEVEL_APP ? 12 : 3) - (mode >> 5 & 3);
    for (int i = 0; i < rounds; i++) {
        w.now += 5 * TERN_MSEC;
        (void)speak(&w, 1 - (size_t)i % 2, true);
        poll_events(&w, 0);
        poll_events(&w, 1);
    }
    for (int i = 0; i < PACKETS_MAX && in.left > 0 && inject(&w, to, level, &in); i++) {
    }
    tern_endpoint_free(w.ends[0]);
    tern_endpoint_free(w.ends[1]);
    return 0;
}
