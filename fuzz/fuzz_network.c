/* Two endpoints with the fuzzer as the network: whatever it loses, repeats, delays, damages, marks or sends
 * from elsewhere, what is read is what was written, nobody calls the other a liar, and once the network is
 * good again everything arrives.
 *
 * Input: one byte of configuration, then operations of a byte: see `step` and pair_step.
 * SPDX-License-Identifier: MIT */
#include "pair.h"

#define STEPS_MAX    300
#define STREAMS      1300 /* identifiers: no more can be in so many steps */
#define STREAM_BYTES 30000
#define CHANNELS     3
#define MESSAGES     128 /* of a channel and order */
#define MESSAGE_MAX  4000

struct flow { /* what one end writes to a stream, and the other has read of it */
    tern_stream *stream;
    size_t sent, got;
    bool is_ended, is_reset, has_ended;
};

struct lane {
    size_t lens[MESSAGES];
    bool is_reliable[MESSAGES], has_come[MESSAGES];
    size_t count;
    uint64_t next; /* the least number that may come */
    size_t after;  /* the same, as the sender counts them */
};

struct world {
    struct pair pair;
    struct flow flows[2][STREAMS];
    struct lane lanes[2][CHANNELS][3]; /* of the sender */
    bool has_closed;                   /* an application did */
    bool is_over;
};

static uint8_t pattern[65536];

static const uint8_t *bytes_of(size_t end, uint64_t which, size_t offset)
{
    return pattern + (which * 613 + end * 211) % 16384 + offset;
}

/* --- what applications do ---------------------------------------------------------------------------- */

static void read_stream(struct world *w, size_t end, tern_stream *stream)
{
    static uint8_t buf[3000];
    uint64_t id = tern_stream_id(stream);
    ptrdiff_t n;
    FUZZ_CHECK(id < STREAMS);
    struct flow *flow = &w->flows[1 - end][id];
    while ((n = tern_stream_read(stream, buf, sizeof buf)) > 0) {
        FUZZ_CHECK(flow->got + (size_t)n <= flow->sent);
        FUZZ_CHECK(memcmp(buf, bytes_of(1 - end, id, flow->got), (size_t)n) == 0);
        flow->got += (size_t)n;
    }
    if (n == 0) {
        FUZZ_CHECK(flow->is_ended && flow->got == flow->sent);
        flow->has_ended = true;
    }
    FUZZ_CHECK(n == 0 || n == TERN_ERR_AGAIN || (n == TERN_ERR_RESET && flow->is_reset));
}

/* A message says first the how manieth of its lane it is: the sender's number leaves out what never left. */
static void receive(struct world *w, size_t end, tern_conn *conn)
{
    tern_message got = {.size = sizeof got};
    while (tern_conn_receive(conn, &got) == 1) {
        FUZZ_CHECK(got.channel < CHANNELS && got.len > 0);
        struct lane *lane = &w->lanes[1 - end][got.channel][got.order];
        size_t which = got.data[0];
        FUZZ_CHECK(which < lane->count && !lane->has_come[which]);
        FUZZ_CHECK(got.len == lane->lens[which]);
        FUZZ_CHECK(memcmp(got.data + 1, bytes_of(1 - end, got.channel, which), got.len - 1) == 0);
        if (got.order != TERN_UNORDERED) {
            FUZZ_CHECK(got.number >= lane->next && which >= lane->after);
            lane->next = got.number + 1;
            lane->after = which + 1;
        }
        lane->has_come[which] = true;
    }
}

static void on_event(struct pair *pair, size_t end, const tern_event *event)
{
    struct world *w = pair->user;
    uint64_t id = event->stream != NULL ? tern_stream_id(event->stream) : 0;
    FUZZ_CHECK(id < STREAMS);
    switch ((int)event->type) {
    case TERN_EVENT_CLOSED: {
        int error = event->close.error;
        bool was_connected = pair->is_connected[end];
        FUZZ_CHECK(
            error == 0 || error == TERN_ERR_TIMEOUT || error == TERN_ERR_FORGOTTEN ||
            (!was_connected && (error == TERN_ERR_VERSION || error == TERN_ERR_INVALID_TOKEN ||
                                error == TERN_ERR_REFUSED)));
        FUZZ_CHECK(event->close.by != TERN_CLOSED_ERROR || error != 0);
        w->is_over = true;
        memset(w->flows[end], 0, sizeof w->flows[end]);
        break;
    }
    case TERN_EVENT_STREAM_OPENED:
        w->flows[end][id].stream = event->stream;
        break;
    case TERN_EVENT_STREAM_CLOSED:
        w->flows[end][id].stream = NULL;
        break;
    case TERN_EVENT_STREAM_READABLE:
        if (!w->is_over) {
            read_stream(w, end, event->stream);
        }
        break;
    case TERN_EVENT_MESSAGES:
        if (!w->is_over) {
            receive(w, end, event->conn);
        }
        break;
    default:
        break;
    }
}

static void write_some(struct world *w, size_t end, uint8_t how)
{
    uint64_t id = fuzz_u8(&w->pair.in);
    size_t want = (size_t)fuzz_number(&w->pair.in, 2) % 8000;
    struct flow *flow = &w->flows[end][id];
    if (flow->stream == NULL || flow->is_ended || flow->is_reset) {
        return;
    }
    bool is_ours = tern_stream_is_local(flow->stream);
    if (!is_ours && tern_stream_kind_of(flow->stream) == TERN_STREAM_UNI) {
        return;
    }
    if (how == 7) {
        FUZZ_CHECK(tern_stream_reset(flow->stream, id) == 0);
        flow->is_reset = true;
        return;
    }
    want = TERN_MIN(want, STREAM_BYTES - flow->sent);
    ptrdiff_t n = tern_stream_write(flow->stream, bytes_of(end, id, flow->sent), want,
                                    (how & 1) != 0 ? TERN_FIN : 0);
    FUZZ_CHECK(n >= 0 && n <= (ptrdiff_t)want);
    flow->sent += (size_t)n;
    flow->is_ended = (how & 1) != 0 && n == (ptrdiff_t)want;
}

static void open_stream(struct world *w, size_t end, uint8_t how)
{
    tern_stream *stream;
    int rc = tern_conn_open_stream(w->pair.conns[end], how & 1 ? TERN_STREAM_UNI : TERN_STREAM_BIDI,
                                   &stream);
    FUZZ_CHECK(rc == 0 || rc == TERN_ERR_LIMIT || rc == TERN_ERR_CLOSED);
    if (rc == 0) {
        FUZZ_CHECK(tern_stream_id(stream) < STREAMS);
        w->flows[end][tern_stream_id(stream)].stream = stream;
        FUZZ_CHECK(tern_stream_set_priority(stream, how >> 1 & 7, (how & 8) != 0) == 0);
    }
}

static void send_message(struct world *w, size_t end, uint8_t how)
{
    static uint8_t message[1 + MESSAGE_MAX];
    tern_send_options options;
    uint8_t more = fuzz_u8(&w->pair.in);
    size_t len = (size_t)fuzz_number(&w->pair.in, 2) % MESSAGE_MAX;
    tern_send_options_init(&options);
    options.reliability = (tern_reliability)(how & 3);
    options.order = (tern_order)(more % 3);
    options.channel = more / 3 % CHANNELS;
    options.priority = more >> 5;
    options.retransmits = 1;
    options.lifetime = options.reliability == TERN_UNTIL_DEADLINE ? 50 * TERN_MSEC : 0;
    options.wants_outcome = (how & 4) != 0;
    struct lane *lane = &w->lanes[end][options.channel][options.order];
    if (lane->count == MESSAGES) {
        return;
    }
    message[0] = (uint8_t)lane->count;
    memcpy(message + 1, bytes_of(end, options.channel, lane->count), len);
    int rc = tern_conn_send(w->pair.conns[end], message, ++len, &options, w->pair.now);
    FUZZ_CHECK(rc == 0 || rc == TERN_ERR_AGAIN || rc == TERN_ERR_CLOSED || rc == TERN_ERR_STATE);
    if (rc == 0) {
        lane->is_reliable[lane->count] = options.reliability == TERN_RELIABLE;
        lane->lens[lane->count++] = len;
    }
}

static void arrange(struct world *w, size_t end, uint8_t how)
{
    static const char *const names[] = {"cubic", "bbr", "newreno", "ledbat", "media", "prague"};
    tern_conn *conn = w->pair.conns[end];
    int rc = 0;
    switch (how & 3) {
    case 0:
        rc = tern_conn_set_cc(conn, names[fuzz_u8(&w->pair.in) % TERN_COUNT_OF(names)]);
        break;
    case 1:
        rc = end == PAIR_CLIENT ? tern_conn_rekey(conn) : 0;
        break;
    case 2:
        rc = tern_conn_set_fec(conn, how >> 2 & 1, (tern_order)(fuzz_u8(&w->pair.in) % 3), 100,
                               false);
        break;
    default:
        tern_conn_set_budget(conn, (uint64_t)fuzz_u8(&w->pair.in) * 5000);
        break;
    }
    FUZZ_CHECK(rc == 0 || rc == TERN_ERR_CLOSED || rc == TERN_ERR_STATE || rc == TERN_ERR_LIMIT);
}

/* Half of the operations are the network's, half the applications'. */
static void step(struct world *w)
{
    uint8_t op = fuzz_u8(&w->pair.in);
    size_t end = op >> 3 & 1;
    uint8_t how = op >> 4;
    if ((op & 7) < 5) {
        pair_step(&w->pair, op);
        return;
    }
    if (w->pair.conns[end] == NULL || w->is_over) {
        return;
    }
    if ((op & 7) == 5) {
        write_some(w, end, how);
    } else if ((op & 7) == 6 && how < 12) {
        send_message(w, end, how);
    } else if ((op & 7) == 6) {
        arrange(w, end, fuzz_u8(&w->pair.in));
    } else if (how == 15) {
        tern_conn_close(w->pair.conns[end], 7, "enough");
        w->has_closed = true;
    } else {
        open_stream(w, end, how);
    }
    pair_settle(&w->pair);
}

static bool is_all_there(const struct world *w)
{
    for (size_t end = 0; end < 2; end++) {
        for (size_t id = 0; id < STREAMS; id++) {
            const struct flow *flow = &w->flows[end][id];
            bool is_whole = flow->got == flow->sent && flow->has_ended == flow->is_ended;
            if (!is_whole && !flow->is_reset) {
                return false;
            }
        }
        for (size_t i = 0; i < CHANNELS * 3; i++) {
            const struct lane *lane = &w->lanes[end][i / 3][i % 3];
            for (size_t k = 0; k < lane->count && i % 3 != TERN_LATEST; k++) {
                if (lane->is_reliable[k] && !lane->has_come[k]) {
                    return false;
                }
            }
        }
    }
    return true;
}

/* The network is good again: whoever has not given up before gets all of it, if need be after some of the
 * round trips that were measured last. */
static void check_end(struct world *w)
{
    for (size_t end = 0; end < 2; end++) { /* no budget may keep it back */
        if (w->pair.conns[end] != NULL) {
            tern_conn_set_budget(w->pair.conns[end], 0);
        }
    }
    for (int i = 0; i < 200; i++) {
        pair_run(&w->pair, 20 * TERN_SEC);
        if (w->is_over || w->has_closed || !w->pair.is_connected[0] || !w->pair.is_connected[1] ||
            is_all_there(w)) {
            return;
        }
    }
    FUZZ_CHECK(is_all_there(w));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world w;
    tern_peer peer;
    memset(&w, 0, sizeof w);
    fuzz_pattern(pattern, sizeof pattern);
    pair_init(&w.pair, data, size);
    w.pair.user = &w;
    w.pair.on_event = on_event;
    uint8_t shape = fuzz_u8(&w.pair.in);
    for (size_t i = 0; i < 2; i++) {
        tern_config *config = &w.pair.config[i];
        config->max_streams_bidi = config->max_streams_uni = 8;
        config->stream_window = config->stream_window_max = (shape & 1) != 0 ? 5000 : 65536;
        config->conn_window = config->conn_window_max = (shape & 1) != 0 ? 12000 : 1 << 20;
        config->keepalive = (shape & 2) != 0 ? 5 * TERN_SEC : 0;
        config->idle_timeout = (shape & 4) != 0 ? 0 : 30 * TERN_SEC;
        config->clock = (shape & 8) != 0;
        config->suites = (shape & 16) != 0 ? TERN_SUITE_CHACHA20_POLY1305 : TERN_SUITE_ANY;
    }
    w.pair.config[PAIR_SERVER].retry_half_open = (shape & 32) != 0 ? 0 : 1000;
    pair_open(&w.pair);
    tern_peer_init(&peer);
    peer.key = (shape & 64) != 0 ? w.pair.key : NULL;
    pair_connect(&w.pair, &peer);
    if ((shape & 128) != 0) {
        pair_run(&w.pair, TERN_SEC);
    }
    for (int i = 0; i < STEPS_MAX && w.pair.in.left > 0; i++) {
        step(&w);
    }
    check_end(&w);
    pair_close(&w.pair);
    return 0;
}
