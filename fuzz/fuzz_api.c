/* An application that calls anything at any time, with any arguments that a program can pass: each call says what
 * its header says that it may, each loan is given back once, and all memory comes back, even if some of it
 * could not be had.
 *
 * Input: two bytes and pairs for the configuration, then calls: a byte that says which, one for whom, and what it
 * needs.
 * SPDX-License-Identifier: MIT */
#include <stdint.h>

#include "pair.h"

#define STEPS_MAX 250
#define CONNS     4
#define STREAMS   12
#define TICKET    600

struct side {
    tern_conn *conns[CONNS];
    tern_stream *streams[STREAMS];
};

struct world {
    struct pair pair;
    struct side sides[2];
    unsigned lent, released;
    uint8_t ticket[TICKET], token[TERN_ADDRESS_TOKEN_MAX];
    size_t ticket_len, token_len;
    tern_path_memory path;
};

static uint8_t pattern[70000];
static const char *const names[] = {"cubic", "bbr",    "newreno", "ledbat",
                                    "media", "prague", "",        "x"};

static void on_release(void *arg, const void *data, size_t len)
{
    struct world *w = arg;
    FUZZ_CHECK((const uint8_t *)data >= pattern && len <= sizeof pattern);
    w->released++;
}

static void check_result(ptrdiff_t rc)
{
    FUZZ_CHECK(rc >= TERN_ERR_MODE || (rc <= TERN_ERR_INTERNAL && rc >= TERN_ERR_AEAD_LIMIT));
}

/* A number that is often small, and else one at an edge or any at all. */
static uint64_t any_number(struct fuzz_input *in)
{
    static const uint64_t edges[] = {0,          1,         UINT16_MAX, UINT32_MAX,
                                     UINT64_MAX, INT64_MAX, SIZE_MAX,   (uint64_t)1 << 62,
                                     65535,      TERN_SEC,  1200,       (uint64_t)1 << 60};
    uint8_t first = fuzz_u8(in);
    if (first < 224) {
        return first;
    }
    return first < 248 ? edges[first % TERN_COUNT_OF(edges)] : fuzz_number(in, 8);
}

/* --- handles ----------------------------------------------------------------------------------------- */

static void keep_conn(struct side *side, tern_conn *conn)
{
    for (size_t i = 0; i < CONNS; i++) {
        if (side->conns[i] == conn) {
            return;
        }
    }
    for (size_t i = 0; i < CONNS; i++) {
        if (side->conns[i] == NULL) {
            side->conns[i] = conn;
            return;
        }
    }
}

static void keep_stream(struct side *side, tern_stream *stream)
{
    for (size_t i = 0; i < STREAMS; i++) {
        if (side->streams[i] == NULL) {
            side->streams[i] = stream;
            return;
        }
    }
}

static void forget(struct side *side, const tern_conn *conn, const tern_stream *stream)
{
    for (size_t i = 0; i < STREAMS; i++) {
        tern_stream *kept = side->streams[i];
        if (kept != NULL &&
            (kept == stream || (stream == NULL && tern_stream_conn(kept) == conn))) {
            side->streams[i] = NULL;
        }
    }
    for (size_t i = 0; i < CONNS && stream == NULL; i++) {
        side->conns[i] = side->conns[i] == conn ? NULL : side->conns[i];
    }
}

static void on_event(struct pair *pair, size_t end, const tern_event *event)
{
    struct world *w = pair->user;
    struct side *side = &w->sides[end];
    FUZZ_CHECK(tern_event_name(event->type) != NULL && event->conn != NULL);
    switch ((int)event->type) {
    case TERN_EVENT_CONNECTED:
    case TERN_EVENT_EARLY:
        keep_conn(side, event->conn);
        break;
    case TERN_EVENT_CLOSED:
        FUZZ_CHECK(tern_strerror(event->close.error) != NULL);
        forget(side, event->conn, NULL);
        break;
    case TERN_EVENT_STREAM_OPENED:
        keep_stream(side, event->stream);
        break;
    case TERN_EVENT_STREAM_CLOSED:
        forget(side, event->conn, event->stream);
        break;
    case TERN_EVENT_TICKET:
        FUZZ_CHECK(event->ticket_len <= sizeof w->ticket);
        memcpy(w->ticket, event->ticket, event->ticket_len);
        w->ticket_len = event->ticket_len;
        break;
    default:
        break;
    }
}

/* --- calls ----------------------------------------------------------------------------------------- */

static void begin_conn(struct world *w, uint8_t how)
{
    struct pair *pair = &w->pair;
    tern_peer peer;
    tern_conn *conn;
    uint8_t more = fuzz_u8(&pair->in);
    tern_peer_init(&peer);
    peer.addr = (tern_addr){.family = 4, .ip = {10, 0, 0, PAIR_SERVER}, .port = 4000};
    peer.addr.family = more == 255 ? 9 : 4;
    peer.key = (how & 1) != 0 ? pair->key : NULL;
    peer.cc = (how & 2) != 0 ? names[more % TERN_COUNT_OF(names)] : NULL;
    peer.token = (how & 4) != 0 ? w->token : NULL;
    peer.token_len = w->token_len;
    peer.ticket = (how & 8) != 0 ? w->ticket : NULL;
    peer.ticket_len = w->ticket_len;
    peer.ticket_age = any_number(&pair->in);
    peer.secret = (more & 3) == 1 ? pattern : NULL;
    peer.code = (more & 3) == 2 ? "7-orbit-salmon" : NULL;
    peer.anonymous = (more & 4) != 0;
    peer.hybrid = (more & 24) == 24;
    peer.path = (more & 32) != 0 ? &w->path : NULL;
    int rc = tern_endpoint_connect(pair->ends[PAIR_CLIENT], &peer, &conn, pair->now);
    check_result(rc);
    if (rc == 0) {
        keep_conn(&w->sides[PAIR_CLIENT], conn);
    }
}

static void use_stream(struct world *w, tern_stream *stream, uint8_t what, uint8_t how)
{
    uint8_t buf[3000];
    const uint8_t *bytes;
    size_t len = (size_t)(any_number(&w->pair.in) * 17 % sizeof pattern);
    unsigned flags = how & 1 ? TERN_FIN : 0;
    ptrdiff_t n;
    switch (what) {
    case 0:
        n = tern_stream_write(stream, pattern, len, flags);
        FUZZ_CHECK(n <= (ptrdiff_t)len);
        check_result(n);
        break;
    case 1:
        n = tern_stream_write_ref(stream, pattern, len, on_release, w, flags);
        FUZZ_CHECK(n <= 0 || n == (ptrdiff_t)len);
        w->lent += n == (ptrdiff_t)len ? 1 : 0; /* no bytes are given back at once */
        break;
    case 2:
        n = tern_stream_read(stream, buf, 1 + len % sizeof buf);
        check_result(n);
        break;
    case 3:
        if (tern_stream_peek(stream, &bytes, &len) == 0) {
            size_t more = len + (how == 77 ? 1 : 0), part = len / (1 + how % 3u);
            FUZZ_CHECK(more == len || tern_stream_consume(stream, more) == TERN_ERR_INVALID);
            FUZZ_CHECK(tern_stream_consume(stream, part) == 0);
        }
        break;
    case 4:
        check_result((how & 1) != 0 ? tern_stream_reset(stream, any_number(&w->pair.in))
                                    : tern_stream_stop(stream, any_number(&w->pair.in)));
        break;
    case 5:
        n = tern_stream_set_priority(stream, how, (how & 1) != 0);
        FUZZ_CHECK(n == (how > 7 ? TERN_ERR_INVALID : 0));
        check_result(tern_stream_set_early(stream));
        break;
    default:
        (void)tern_stream_is_early(stream);
        (void)tern_stream_writable(stream);
        (void)tern_stream_reset_code(stream);
        tern_stream_set_user(stream, w);
        FUZZ_CHECK(tern_stream_user(stream) == w);
        FUZZ_CHECK(tern_conn_endpoint(tern_stream_conn(stream)) != NULL);
        break;
    }
}

static void send(struct world *w, tern_conn *conn, uint8_t how)
{
    struct fuzz_input *in = &w->pair.in;
    tern_send_options options;
    size_t len = (size_t)(any_number(in) * 31 % sizeof pattern);
    tern_send_options_init(&options);
    options.reliability = (tern_reliability)(how & 3);
    options.order = (tern_order)((how >> 2 & 3) % 3);
    options.wants_outcome = (how & 16) != 0;
    options.immediate_ack = (how & 32) != 0;
    options.has_depends = (how & 64) != 0;
    options.channel = (uint32_t)any_number(in);
    options.priority = (unsigned)any_number(in) % 9;
    options.lifetime = any_number(in);
    options.retransmits = (unsigned)any_number(in);
    options.tag = any_number(in);
    options.depends = any_number(in);
    if ((how & 128) == 0) {
        check_result(tern_conn_send(conn, pattern, len, &options, w->pair.now));
        return;
    }
    /* release may run inside of the call, for what makes room */
    int rc = tern_conn_send_ref(conn, pattern, len, on_release, w, &options, w->pair.now);
    check_result(rc);
    w->lent += rc == 0 ? 1 : 0;
}

static void arrange(struct world *w, tern_conn *conn, uint8_t how)
{
    struct fuzz_input *in = &w->pair.in;
    uint64_t number = any_number(in);
    tern_addr local = {.family = (uint8_t)(how & 64 ? 6 : 4), .ip = {10, 0, 1, 1}, .port = 4000};
    switch (how % 12) {
    case 0:
        check_result(tern_conn_set_cc(conn, names[number % TERN_COUNT_OF(names)]));
        break;
    case 1:
        tern_conn_set_rate(conn, number);
        break;
    case 2:
        tern_conn_set_budget(conn, number);
        break;
    case 3:
        check_result(tern_conn_set_weight(conn, (uint32_t)number, fuzz_u8(in)));
        break;
    case 4:
        check_result(tern_conn_set_redundancy(conn, (tern_redundancy)(number % 3), fuzz_u8(in)));
        break;
    case 5:
        check_result(tern_conn_set_fec(conn, (uint32_t)number, (tern_order)(how >> 4 & 1),
                                       fuzz_u8(in), (how & 32) != 0));
        break;
    case 6:
        (void)tern_conn_cancel(conn, number);
        (void)tern_conn_cancel_channel(conn, (uint32_t)number);
        break;
    case 7:
        check_result(tern_conn_rekey(conn));
        break;
    case 8:
        check_result(tern_conn_migrate(conn, (how & 16) != 0 ? NULL : &local));
        break;
    case 9:
        w->path.size = sizeof w->path;
        if (tern_conn_path_memory(conn, &w->path) != 0) {
            w->path = (tern_path_memory){.size = sizeof w->path,
                                         .volume = number,
                                         .min_rtt = any_number(in),
                                         .age = any_number(in)};
        }
        check_result(tern_conn_recall_path(conn, &w->path));
        break;
    case 10:
        tern_conn_close(conn, number, (how & 16) != 0 ? "enough" : NULL);
        break;
    default:
        check_result(tern_conn_address_token(conn, w->token, sizeof w->token, &w->token_len));
        break;
    }
}

static void look(struct world *w, tern_conn *conn, uint8_t how)
{
    tern_stats stats = {.size = how & 1 ? sizeof stats : 40};
    tern_clock clock = {.size = sizeof clock};
    tern_time time, age;
    uint8_t key[TERN_KEY_SIZE], made[255];
    const uint8_t *data;
    size_t len;
    tern_conn_stats(conn, &stats);
    check_result(tern_conn_clock(conn, &clock));
    check_result(tern_conn_peer_time(conn, &time, w->pair.now));
    (void)tern_conn_session_time(conn, w->pair.now);
    check_result(tern_conn_export(conn, "label", made, how));
    check_result(tern_conn_peer_key(conn, key));
    check_result(tern_conn_token_data(conn, &data, &len));
    (void)tern_conn_queued(conn, how % TERN_PRIORITIES, &age, w->pair.now);
    (void)tern_conn_max_message(conn);
    (void)tern_conn_early(conn);
    (void)tern_conn_remote(conn);
    (void)tern_conn_local(conn);
    (void)tern_conn_is_established(conn);
    (void)tern_conn_is_server(conn);
}

static void receive(tern_conn *conn)
{
    tern_message message = {.size = sizeof message};
    if (tern_conn_receive(conn, &message) == 1) {
        FUZZ_CHECK(message.len <= sizeof pattern);
        FUZZ_CHECK(message.len == 0 || memcmp(message.data, pattern, message.len) == 0);
    }
}

static void walk(struct world *w, size_t end, uint8_t how)
{
    tern_endpoint *endpoint = w->pair.ends[end];
    tern_endpoint_counters counters = {.size = sizeof counters};
    uint8_t small[1200];
    tern_train train = {.data = small, .capacity = how < 4 ? 1199 : sizeof small};
    uint64_t count = 0;
    for (tern_conn *conn = NULL; (conn = tern_endpoint_next_conn(endpoint, conn)) != NULL;
         count++) {
    }
    tern_endpoint_stats(endpoint, &counters);
    FUZZ_CHECK(count <= counters.connections);
    if (how >= 250) {
        tern_endpoint_close_all(endpoint, how, "all");
    } else if (how >= 240) {
        check_result(tern_endpoint_set_code(endpoint, how & 1 ? "7-orbit-salmon" : NULL));
        (void)tern_endpoint_code_guesses(endpoint);
    } else {
        int n = tern_endpoint_transmit(endpoint, &train, w->pair.now);
        FUZZ_CHECK(how < 4 ? n == TERN_ERR_BUFFER : n >= 0);
    }
}

static void call_conn(struct world *w, size_t end, uint8_t what, uint8_t how)
{
    tern_conn *conn = w->sides[end].conns[how % CONNS];
    tern_stream *stream;
    if (conn == NULL) {
        return;
    }
    switch (what) {
    case 8:
    case 9: {
        int rc =
            tern_conn_open_stream(conn, how & 64 ? TERN_STREAM_UNI : TERN_STREAM_BIDI, &stream);
        check_result(rc);
        if (rc == 0) {
            keep_stream(&w->sides[end], stream);
        }
        break;
    }
    case 10:
    case 11:
        send(w, conn, fuzz_u8(&w->pair.in));
        break;
    case 12:
        arrange(w, conn, fuzz_u8(&w->pair.in));
        break;
    case 13:
        look(w, conn, fuzz_u8(&w->pair.in));
        break;
    default:
        receive(conn);
        break;
    }
}

static void step(struct world *w)
{
    uint8_t op = fuzz_u8(&w->pair.in), how = fuzz_u8(&w->pair.in);
    size_t end = op >> 7;
    uint8_t what = op % 20;
    tern_stream *stream = w->sides[end].streams[how % STREAMS];
    if (what < 7) {
        if (stream != NULL) {
            use_stream(w, stream, what, how / STREAMS);
        }
    } else if (what == 7) {
        begin_conn(w, how);
    } else if (what < 15) {
        call_conn(w, end, what, how);
    } else if (what == 15) {
        walk(w, end, how);
    } else if (what == 16) {
        pair_step(&w->pair, how);
    } else if (what == 17) {
        w->pair.heap.fail_in = 1 + how % 16u; /* of the calls that follow */
    } else {
        pair_run(&w->pair, TERN_MSEC << how % 14);
    }
    if ((op & 64) != 0) {
        pair_settle(&w->pair);
    }
}

/* --- configuration ------------------------------------------------------------------------------------- */

static void change(tern_config *config, struct fuzz_input *in)
{
    uint8_t which = fuzz_u8(in);
    uint64_t number = any_number(in);
    size_t *const sizes[] = {&config->max_datagram,    &config->max_message,
                             &config->max_connections, &config->max_half_open,
                             &config->retry_half_open, &config->max_per_address,
                             &config->cid_prefix_len};
    uint64_t *const numbers[] = {
        &config->handshake_timeout,  &config->idle_timeout,     &config->keepalive,
        &config->max_ack_delay,      &config->initial_rtt,      &config->stream_window,
        &config->stream_window_max,  &config->conn_window,      &config->conn_window_max,
        &config->stream_send_buffer, &config->max_streams_bidi, &config->max_streams_uni,
        &config->message_window,     &config->message_queue,    &config->message_buffer,
        &config->initial_rate,       &config->unix_time};
    if (which < 64) {
        *sizes[which % TERN_COUNT_OF(sizes)] = (size_t)number;
    } else if (which < 192) {
        size_t i = which % TERN_COUNT_OF(numbers);
        bool is_short = i < 5 && number < 256; /* who asks for a PING each nanosecond gets it */
        *numbers[i] = is_short ? number * TERN_MSEC : number;
    } else if (which < 200) {
        config->cc = names[number % TERN_COUNT_OF(names)];
    } else if (which < 208) {
        config->suites = (unsigned)number;
    } else if (which < 216) {
        config->max_channels = (uint32_t)number;
    } else if (which < 224) {
        config->fec_window = (uint32_t)number;
    } else if (which < 232) {
        config->cid_rotation = (unsigned)number;
    } else if (which < 236) {
        config->code = "7-orbit-salmon";
    } else if (which < 240) {
        config->secret = pattern;
    } else {
        config->clock = config->bandwidth_events = config->early_data = (number & 1) != 0;
    }
}

/* False: somebody's configuration is refused. */
static bool open_ends(struct pair *pair)
{
    for (size_t i = 0; i < 2; i++) {
        int rc = tern_endpoint_new(&pair->ends[i], &pair->config[i], pair->now);
        FUZZ_CHECK(rc == 0 || rc == TERN_ERR_INVALID || rc == TERN_ERR_UNSUPPORTED ||
                   rc == TERN_ERR_NOMEM);
        if (rc != 0) {
            pair->ends[i] = NULL;
            return false;
        }
    }
    tern_endpoint_public_key(pair->ends[PAIR_SERVER], pair->key);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world w;
    memset(&w, 0, sizeof w);
    fuzz_pattern(pattern, sizeof pattern);
    pair_init(&w.pair, data, size);
    w.pair.user = &w;
    w.pair.on_event = on_event;
    uint8_t shape = fuzz_u8(&w.pair.in);
    for (uint8_t i = shape & 3; i > 0; i--) {
        change(&w.pair.config[shape >> 2 & 1], &w.pair.in);
    }
    w.pair.heap.fail_in = (shape & 0xf8) == 0xf8 ? 1 + fuzz_u8(&w.pair.in) % 64u : 0;
    if (open_ends(&w.pair)) {
        for (int i = 0; i < STEPS_MAX && w.pair.in.left > 0; i++) {
            step(&w);
        }
    }
    pair_close(&w.pair);
    FUZZ_CHECK(w.lent == w.released);
    return 0;
}
