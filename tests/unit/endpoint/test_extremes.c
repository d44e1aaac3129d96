/* Numbers at the edges: whatever a peer says in its parameters, whatever the application passes to a call, no
 * assertion and no overflow, with the trace on.
 * SPDX-License-Identifier: MIT */
#include <limits.h>
#include <tern/conn.h>
#include <tern/stream.h>

#include "one_pair.h"
#include "trace/trace.h"
#include "wire/params.h"

/* What takes the place of one parameter of one end. */
static struct change {
    bool is_on, is_server;
    uint64_t id;
    uint8_t value[300];
    size_t len;
} change;

void __real_tern_params_encode(struct tern_writer *w, const struct tern_params *params);
void __wrap_tern_params_encode(struct tern_writer *w, const struct tern_params *params);

/* Stands between the handshake and the encoder: the linker calls it in the other's place. */
void __wrap_tern_params_encode(struct tern_writer *w, const struct tern_params *params)
{
    uint8_t bytes[512];
    struct tern_writer true_ones;
    struct tern_reader r;
    if (!change.is_on || params->has_original_dcid != change.is_server) {
        __real_tern_params_encode(w, params);
        return;
    }
    tern_writer_init(&true_ones, bytes, sizeof bytes);
    __real_tern_params_encode(&true_ones, params);
    tern_reader_init(&r, bytes, tern_writer_used(&true_ones));
    while (tern_reader_left(&r) > 0) {
        const uint8_t *start = r.at;
        uint64_t id = tern_read_varint(&r);
        (void)tern_read_bytes(&r, tern_read_varint(&r));
        if (id != change.id) {
            tern_write_bytes(w, start, (size_t)(r.at - start));
        }
    }
    tern_write_varint(w, change.id);
    tern_write_varint(w, change.len);
    tern_write_bytes(w, change.value, change.len);
}

/* Renders everything, into little room and into enough. */
static void trace(void *user, const tern_trace_event *event)
{
    static char lines[3][8192];
    (void)user;
    assert_true(tern_trace_text(event, lines[0], 60) > 0);
    assert_true(tern_trace_qlog(event, lines[1], 60) > 0);
    assert_true(tern_trace_text(event, lines[2], sizeof lines[2]) > 0);
    assert_true(tern_trace_qlog(event, lines[2], sizeof lines[2]) > 0);
}

static void begin(void)
{
    pair_init(p);
    client->config.trace.event = server->config.trace.event = trace;
    pair_open(p);
}

static int teardown(void **state)
{
    (void)state;
    change.is_on = false;
    pair_close(p);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    begin();
    return 0;
}

static void talk(void)
{
    static const uint8_t data[3000];
    tern_stream *stream;
    for (int i = 0; i < 2; i++) {
        tern_conn *conn = p->side[i].conn;
        if (conn != NULL && tern_conn_open_stream(conn, TERN_STREAM_BIDI, &stream) == 0) {
            assert_true(tern_stream_write(stream, data, sizeof data, TERN_FIN) >= 0);
        }
    }
    pair_advance(p, 3 * TERN_SEC);
}

/* One handshake with the change in it. True: both are connected. */
static bool try_it(bool is_server)
{
    change.is_on = true;
    change.is_server = is_server;
    begin();
    assert_int_equal(pair_connect(p, p->key), 0);
    pair_exchange(p);
    bool has_connected = client->connected == 1 && server->connected == 1;
    if (has_connected) {
        talk();
    }
    pair_advance(p, 12 * TERN_SEC);
    assert_true(has_connected || client->closed == 1);
    assert_true(has_connected || client->close.error == TERN_ERR_TRANSPORT_PARAMETER ||
                (client->close.error == TERN_ERR_VERSION && change.id == 0x11) ||
                (client->close.error == TERN_ERR_UNSUPPORTED && change.id == TERN_PARAM_SUITE));
    pair_close(p);
    memset(p, 0, sizeof *p);
    change.is_on = false;
    return has_connected;
}

static void set_number(uint64_t id, uint64_t value)
{
    struct tern_writer w;
    change.id = id;
    tern_writer_init(&w, change.value, sizeof change.value);
    tern_write_varint(&w, value);
    change.len = tern_writer_used(&w);
}

/* RFC 9000 §18.2, [P §7] */
static const struct {
    uint64_t id, least, most;
} numbers[] = {
    {0x01, 0, UINT64_MAX},
    {0x03, 1200, UINT64_MAX},
    {0x04, 0, UINT64_MAX},
    {0x05, 0, UINT64_MAX},
    {0x06, 0, UINT64_MAX},
    {0x07, 0, UINT64_MAX},
    {0x08, 0, UINT64_C(1) << 60},
    {0x09, 0, UINT64_C(1) << 60},
    {0x0a, 0, 20},
    {0x0b, 0, (1u << 14) - 1},
    {0x0e, 2, UINT64_MAX},
    {TERN_PARAM_MIN_ACK_DELAY, 0, 25000},
};

static void every_number_at_every_edge(void **state)
{
    (void)state;
    static const uint64_t values[] = {0,
                                      1,
                                      2,
                                      19,
                                      20,
                                      21,
                                      63,
                                      64,
                                      1199,
                                      1200,
                                      16383,
                                      16384,
                                      25000,
                                      25001,
                                      (UINT64_C(1) << 30) - 1,
                                      UINT64_C(1) << 30,
                                      UINT64_C(1) << 60,
                                      (UINT64_C(1) << 60) + 1,
                                      (UINT64_C(1) << 62) - 1};
    pair_close(p);
    for (size_t i = 0; i < TERN_COUNT_OF(numbers); i++) {
        for (size_t j = 0; j < 2 * TERN_COUNT_OF(values); j++) {
            uint64_t value = values[j / 2];
            bool is_right = value >= numbers[i].least && value <= numbers[i].most;
            /* acknowledgements sooner than within 25 ms, but that is what min_ack_delay begins with */
            bool is_below = numbers[i].id == 0x0b && value * 1000 < 1000;
            set_number(numbers[i].id, value);
            bool has_connected = try_it(j % 2 == 1);
            if (has_connected != (is_right && !is_below)) {
                print_message("%llx = %llu\n", (unsigned long long)numbers[i].id,
                              (unsigned long long)value);
            }
            assert_int_equal(has_connected, is_right && !is_below);
        }
    }
    begin();
}

/* CVE-2026-40170: every one that there is, known or not, in every length up to the longest that fits. */
static void every_parameter_in_every_length(void **state)
{
    (void)state;
    static const size_t lengths[] = {0,  1,  2,  3,  4,  7,  8,  9,  15,
                                     16, 17, 20, 21, 24, 31, 32, 33, 255};
    static const uint64_t ids[] = {0x00,
                                   0x01,
                                   0x02,
                                   0x03,
                                   0x04,
                                   0x08,
                                   0x0a,
                                   0x0c,
                                   0x0d,
                                   0x0e,
                                   0x0f,
                                   0x10,
                                   0x11,
                                   0x12,
                                   0x3fff,
                                   TERN_PARAM_MIN_ACK_DELAY,
                                   TERN_PARAM_SUITE,
                                   TERN_PARAM_CPACE,
                                   TERN_PARAM_TICKET,
                                   TERN_PARAM_EARLY,
                                   (UINT64_C(1) << 62) - 1};
    pair_close(p);
    for (size_t i = 0; i < TERN_COUNT_OF(ids); i++) {
        for (size_t j = 0; j < 4 * TERN_COUNT_OF(lengths); j++) {
            change.id = ids[i];
            change.len = lengths[j / 4];
            memset(change.value, j % 4 < 2 ? 0x00 : 0xff, sizeof change.value);
            (void)try_it(j % 2 == 1);
        }
    }
    begin();
}

/* --- the application ------------------------------------------------------------------------------ */

static void connect_both(void)
{
    assert_int_equal(pair_connect(p, p->key), 0);
    pair_exchange(p);
    assert_int_equal(server->connected, 1);
}

static const uint64_t codes[] = {0, (UINT64_C(1) << 62) - 1, UINT64_C(1) << 62, UINT64_MAX};

/* CVE-2026-55991: a code that no varint holds. The peer hears of the end all the same. */
static void a_close_with_any_code_is_heard(void **state)
{
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(codes); i++) {
        pair_close(p);
        begin();
        connect_both();
        tern_conn_close(client->conn, codes[i], "that is all");
        pair_advance(p, 2 * TERN_SEC);
        assert_int_equal(server->closed, 1);
        assert_true(server->close.is_application);
        assert_int_equal(server->close.code, TERN_MIN(codes[i], codes[1]));
    }
}

static void streams_end_with_any_code(void **state)
{
    (void)state;
    connect_both();
    for (size_t i = 0; i < TERN_COUNT_OF(codes); i++) {
        tern_stream *stream;
        uint8_t bytes[10];
        assert_int_equal(tern_conn_open_stream(client->conn, TERN_STREAM_BIDI, &stream), 0);
        assert_int_equal(tern_stream_write(stream, "well", 4, 0), 4);
        pair_exchange(p);
        assert_int_equal(tern_stream_read(server->stream, bytes, sizeof bytes), 4);
        bool is_valid = codes[i] <= codes[1];
        int rc = tern_stream_reset(stream, codes[i]);
        assert_int_equal(rc, is_valid ? 0 : TERN_ERR_INVALID);
        rc = tern_stream_stop(stream, codes[i]);
        assert_int_equal(rc, is_valid ? 0 : TERN_ERR_INVALID);
        pair_exchange(p);
        assert_int_equal(client->closed + server->closed, 0);
        if (is_valid) {
            assert_int_equal(tern_stream_read(server->stream, bytes, sizeof bytes), TERN_ERR_RESET);
        }
    }
}

static void other_arguments_are_checked(void **state)
{
    (void)state;
    tern_stream *stream;
    uint8_t key[300];
    tern_addr odd = {.family = 77, .port = 1};
    tern_peer peer;
    connect_both();
    assert_int_equal(tern_conn_open_stream(client->conn, (tern_stream_kind)2, &stream),
                     TERN_ERR_INVALID);
    assert_int_equal(tern_conn_open_stream(client->conn, (tern_stream_kind)-1, &stream),
                     TERN_ERR_INVALID);
    assert_int_equal(tern_conn_open_stream(client->conn, TERN_STREAM_UNI, &stream), 0);
    assert_int_equal(tern_stream_set_priority(stream, UINT_MAX, true), TERN_ERR_INVALID);
    assert_int_equal(tern_stream_write(stream, key, 0, 0), 0);
    assert_int_equal(tern_stream_consume(stream, SIZE_MAX), TERN_ERR_STATE); /* nothing to read */
    assert_int_equal(tern_conn_open_stream(client->conn, TERN_STREAM_BIDI, &stream), 0);
    assert_int_equal(tern_stream_consume(stream, SIZE_MAX), TERN_ERR_INVALID);
    assert_int_equal(tern_conn_export(client->conn, "label", key, SIZE_MAX), TERN_ERR_INVALID);
    assert_int_equal(tern_conn_export(client->conn, "label", key, 256), TERN_ERR_INVALID);
    assert_int_equal(tern_conn_migrate(client->conn, &odd), TERN_ERR_INVALID);
    tern_conn_set_rate(client->conn, UINT64_MAX);
    tern_peer_init(&peer);
    peer.addr = odd;
    tern_conn *conn;
    assert_int_equal(tern_endpoint_connect(client->endpoint, &peer, &conn, p->now),
                     TERN_ERR_INVALID);
    talk();
    assert_int_equal(client->closed + server->closed, 0);
}

static void no_release(void *arg, const void *data, size_t len)
{
    (void)arg, (void)data, (void)len;
    fail_msg("what was not lent is not given back");
}

/* Also between the end of a connection and the poll that tells of it. */
static void what_is_asked_of_the_closed_has_an_answer(void **state)
{
    (void)state;
    static char label[300];
    uint8_t key[32];
    tern_stream *both, *one;
    tern_path_memory memory = {.size = sizeof memory - 1};
    connect_both();
    memset(label, 'l', 201);
    assert_int_equal(tern_conn_export(client->conn, "label", key, 0), TERN_ERR_INVALID);
    assert_int_equal(tern_conn_export(client->conn, label, key, 32), TERN_ERR_INVALID);
    label[200] = '\0';
    assert_int_equal(tern_conn_export(client->conn, label, key, 32), 0);
    assert_int_equal(tern_conn_recall_path(client->conn, &memory), TERN_ERR_INVALID);
    assert_int_equal(tern_conn_open_stream(client->conn, TERN_STREAM_BIDI, &both), 0);
    assert_int_equal(tern_conn_open_stream(client->conn, TERN_STREAM_UNI, &one), 0);
    assert_int_equal(tern_stream_kind_of(both), TERN_STREAM_BIDI);
    assert_int_equal(tern_stream_kind_of(one), TERN_STREAM_UNI);
    size_t room = tern_stream_writable(both);
    assert_true(room > 0);
    assert_int_equal(tern_stream_write(both, key, sizeof key, 0), sizeof key);
    assert_int_equal(tern_stream_writable(both), room - sizeof key);
    assert_int_equal(tern_stream_set_priority(both, 7, false), 0);
    tern_conn_close(client->conn, 0, NULL);
    assert_int_equal(tern_stream_writable(both), 0);
    assert_int_equal(tern_stream_write(both, key, sizeof key, 0), TERN_ERR_CLOSED);
    assert_int_equal(tern_stream_write_ref(both, key, sizeof key, no_release, NULL, 0),
                     TERN_ERR_CLOSED);
    assert_int_equal(tern_stream_kind_of(one), TERN_STREAM_UNI);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(what_is_asked_of_the_closed_has_an_answer, setup, teardown),
    cmocka_unit_test_setup_teardown(every_number_at_every_edge, setup, teardown),
    cmocka_unit_test_setup_teardown(every_parameter_in_every_length, setup, teardown),
    cmocka_unit_test_setup_teardown(a_close_with_any_code_is_heard, setup, teardown),
    cmocka_unit_test_setup_teardown(streams_end_with_any_code, setup, teardown),
    cmocka_unit_test_setup_teardown(other_arguments_are_checked, setup, teardown),
};

TERN_TEST_MAIN(tests)
