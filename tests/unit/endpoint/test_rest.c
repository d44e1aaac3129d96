/* Established connections at rest: what they hold of the heap, and that nobody notices.
 * SPDX-License-Identifier: MIT */
#include "conn/rest.h"
#include "endpoint/endpoint.h"
#include "one_pair.h"

#define MANY       500
#define REST_BOUND 4096 /* [P §12.6] */

static int setup(void **state)
{
    (void)state;
    pair_init(p);
    for (int i = 0; i < 2; i++) {
        p->side[i].config.idle_timeout = 600 * TERN_SEC;
    }
    return 0;
}

static void to_rest(void)
{
    pair_open(p);
    assert_int_equal(pair_connect(p, p->key), 0);
    pair_advance(p, 5 * TERN_SEC);
    assert_int_equal(client->connected, 1);
    assert_int_equal(server->connected, 1);
    assert_non_null(client->conn->rest);
    assert_non_null(server->conn->rest);
}

static void write_and_read(struct pair_side *from, struct pair_side *to, const char *text)
{
    char buf[64] = {0};
    tern_stream *stream;
    assert_int_equal(tern_conn_open_stream(from->conn, TERN_STREAM_UNI, &stream), 0);
    assert_int_equal(tern_stream_write(stream, text, strlen(text), TERN_FIN), strlen(text));
    pair_advance(p, 100 * TERN_MSEC);
    assert_int_equal(tern_stream_read(to->stream, buf, sizeof buf), strlen(text));
    assert_string_equal(buf, text);
}

/* The heap of each, the endpoint's tables included. */
static void each_holds_little(void **state)
{
    (void)state;
    pair_open(p);
    uint64_t before[2] = {client->heap.bytes, server->heap.bytes};
    for (unsigned i = 0; i < MANY; i++) {
        assert_int_equal(pair_connect(p, p->key), 0);
        pair_advance(p, 10 * TERN_MSEC);
    }
    pair_advance(p, 5 * TERN_SEC);
    assert_int_equal(server->connected, MANY);
    for (int i = 0; i < 2; i++) {
        uint64_t each = (p->side[i].heap.bytes - before[i]) / MANY;
        print_message("%s: %llu bytes each\n", i == PAIR_CLIENT ? "client" : "server",
                      (unsigned long long)each);
        assert_true(each <= REST_BOUND);
    }
}

/* Nothing rests within the second after the last word. */
static void it_takes_a_second(void **state)
{
    (void)state;
    pair_open(p);
    assert_int_equal(pair_connect(p, p->key), 0);
    pair_advance(p, 900 * TERN_MSEC);
    assert_null(client->conn->rest);
    assert_null(server->conn->rest);
    pair_advance(p, 2 * TERN_SEC);
    assert_non_null(client->conn->rest);
    assert_non_null(server->conn->rest);
    write_and_read(client, server, "awake");
    assert_null(client->conn->rest);
    assert_null(server->conn->rest);
}

static void either_side_wakes_the_other(void **state)
{
    (void)state;
    to_rest();
    write_and_read(server, client, "first");
    pair_advance(p, 5 * TERN_SEC);
    assert_non_null(client->conn->rest);
    write_and_read(client, server, "second");
    pair_advance(p, 5 * TERN_SEC);
    assert_non_null(server->conn->rest);
    tern_conn_close(client->conn, 7, "done");
    pair_advance(p, TERN_SEC);
    assert_int_equal(server->close.code, 7);
    assert_string_equal(server->reason, "done");
}

/* Keys that rested for two minutes are changed by the first packet after; the other side, which rests as
 * well, opens it all the same, and the header masks are still those of the first phase. */
static void keys_go_on(void **state)
{
    (void)state;
    tern_stats stats = {.size = sizeof stats};
    to_rest();
    for (unsigned i = 1; i <= 3; i++) {
        pair_advance(p, 130 * TERN_SEC);
        assert_non_null(client->conn->rest);
        write_and_read(client, server, "after long");
        write_and_read(server, client, "and back");
        pair_advance(p, 5 * TERN_SEC);
        assert_non_null(client->conn->rest);
        assert_non_null(server->conn->rest);
        tern_conn_stats(client->conn, &stats);
        assert_int_equal(stats.key_phase, i);
        tern_conn_stats(server->conn, &stats);
        assert_int_equal(stats.key_phase, i);
    }
}

/* An hour of keepalives: packet numbers go on, nothing piles up. */
static void keepalives_leave_nothing(void **state)
{
    (void)state;
    client->config.keepalive = 20 * TERN_SEC;
    client->config.idle_timeout = server->config.idle_timeout = 30 * TERN_SEC;
    to_rest();
    pair_advance(p, 50 * TERN_SEC);
    uint64_t before = server->heap.bytes;
    pair_advance(p, 3000 * TERN_SEC);
    assert_int_equal(client->closed + server->closed, 0);
    pair_advance(p, 3 * TERN_SEC);
    assert_true(server->heap.bytes <= before + 256);
}

static void send_much(size_t len)
{
    static uint8_t bytes[1 << 20];
    static uint8_t sink[1 << 16];
    tern_stream *stream;
    assert_true(len <= sizeof bytes);
    assert_int_equal(tern_conn_open_stream(client->conn, TERN_STREAM_UNI, &stream), 0);
    for (size_t sent = 0, read = 0; read < len;) {
        if (sent < len) {
            unsigned flags = TERN_FIN;
            ptrdiff_t n = tern_stream_write(stream, bytes, len - sent, flags);
            assert_true(n > 0 || n == TERN_ERR_AGAIN);
            sent += n > 0 ? (size_t)n : 0;
        }
        pair_advance(p, 2 * TERN_MSEC);
        ptrdiff_t n =
            server->stream == NULL ? 0 : tern_stream_read(server->stream, sink, sizeof sink);
        read += n > 0 ? (size_t)n : 0;
    }
}

/* But for the pacer, whose bucket fills with time. */
static void assert_learnt(const struct tern_path *path, const struct tern_path *then)
{
    assert_memory_equal(&path->rtt, &then->rtt, sizeof path->rtt);
    assert_memory_equal(&path->rate, &then->rate, sizeof path->rate);
    assert_memory_equal(&path->pmtud, &then->pmtud, sizeof path->pmtud);
    assert_memory_equal(&path->ecn, &then->ecn, sizeof path->ecn);
    assert_int_equal(path->pacer.rate, then->pacer.rate);
    assert_int_equal(path->cc.cwnd, then->cc.cwnd);
    assert_int_equal(path->cc.ssthresh, then->cc.ssthresh);
    assert_int_equal(path->cc.bytes_in_flight, 0);
}

/* Whatever controls congestion: nothing that was learnt about the path is lost. */
static void what_was_learnt_stays(void **state)
{
    (void)state;
    static const char *const names[] = {"cubic", "newreno", "bbr", "ledbat", "media", "prague"};
    to_rest();
    for (size_t i = 0; i < TERN_COUNT_OF(names); i++) {
        assert_int_equal(tern_conn_set_cc(client->conn, names[i]), 0);
        send_much(300000);
        pair_advance(p, 300 * TERN_MSEC);
        struct tern_conn *conn = client->conn;
        assert_null(conn->rest);
        assert_string_equal(conn->path.cc.ops->name, names[i]);
        struct tern_cc_state state_then = conn->awake->cc;
        struct tern_path then = conn->path;
        assert_true(then.rtt.has_sample && then.pmtud.current > TERN_PMTUD_BASE);
        pair_advance(p, 60 * TERN_SEC);
        assert_non_null(conn->rest);
        assert_learnt(&conn->path, &then);
        assert_int_equal(tern_rest_wake(conn, p->now), 0);
        assert_learnt(&conn->path, &then);
        assert_ptr_equal(conn->path.cc.state, &conn->awake->cc);
        assert_memory_equal(&conn->awake->cc, &state_then, sizeof state_then);
    }
}

/* Its window is as large as it was (nothing has told that the path is another), but is not let out at
 * once: RFC 9002 §7.7, [P §9.6]. */
static void no_burst_follows(void **state)
{
    (void)state;
    static uint8_t bytes[300000];
    tern_stream *stream;
    tern_train train = {.data = p->buffer, .capacity = sizeof p->buffer};
    uint64_t sent = 0;
    to_rest();
    for (int i = 0; i < 4; i++) {
        send_much(1 << 20);
    }
    const struct tern_path *path = &client->conn->path;
    pair_advance(p, 10 * TERN_SEC);
    assert_non_null(client->conn->rest);
    assert_int_equal(tern_conn_open_stream(client->conn, TERN_STREAM_UNI, &stream), 0);
    ptrdiff_t n = tern_stream_write(stream, bytes, sizeof bytes, 0);
    while (tern_endpoint_transmit(client->endpoint, &train, p->now) > 0) {
        sent += train.len;
    }
    assert_null(client->conn->rest);
    assert_true(n > 0 && sent < (uint64_t)n && sent < path->cc.cwnd);
    assert_in_range(sent, 1200, TERN_MAX(path->pacer.burst, (uint64_t)14720) + 1452);
}

/* What is asked for meanwhile is done when it wakes, or when it can. */
static void another_controller_waits(void **state)
{
    (void)state;
    tern_stats stats = {.size = sizeof stats};
    to_rest();
    client->heap.fail_at = 1;
    assert_int_equal(tern_conn_set_cc(client->conn, "bbr"), 0);
    tern_conn_set_rate(client->conn, 1000000);
    pair_advance(p, TERN_SEC);
    assert_non_null(client->conn->rest);
    assert_string_equal(client->conn->path.cc.ops->name, "cubic");
    client->heap.fail_at = 0;
    pair_advance(p, TERN_SEC / 2);
    assert_string_equal(client->conn->path.cc.ops->name, "bbr");
    tern_conn_stats(client->conn, &stats);
    assert_true(stats.smoothed_rtt > 0);
}

/* Paths that come and go are decided on by one that is awake. */
static void an_open_question_keeps_it_awake(void **state)
{
    (void)state;
    to_rest();
    struct tern_conn *conn = server->conn;
    assert_int_equal(tern_rest_wake(conn, p->now), 0);
    assert_true(tern_rest_deadline(conn) < TERN_TIME_NEVER);
    conn->path.is_validated = false;
    assert_int_equal(tern_rest_deadline(conn), TERN_TIME_NEVER);
    conn->path.is_validated = conn->path.wants_challenge = true;
    assert_int_equal(tern_rest_deadline(conn), TERN_TIME_NEVER);
    conn->path.wants_challenge = false;
    conn->others[TERN_OTHER_KEPT] = &conn->path;
    assert_int_equal(tern_rest_deadline(conn), TERN_TIME_NEVER);
    conn->others[TERN_OTHER_KEPT] = NULL;
    assert_true(tern_rest_deadline(conn) < TERN_TIME_NEVER);
}

/* A PING and its answer after a long rest, and both rest again; more than that keeps them up a second. */
static void keepalives_wake_for_a_moment(void **state)
{
    (void)state;
    client->config.keepalive = 20 * TERN_SEC;
    to_rest();
    uint64_t before = server->datagrams;
    pair_advance(p, 15 * TERN_SEC + 100 * TERN_MSEC);
    assert_int_equal(server->datagrams, before + 1);
    assert_non_null(client->conn->rest);
    assert_non_null(server->conn->rest);
    write_and_read(client, server, "not for long");
    assert_null(client->conn->rest);
    pair_advance(p, 19 * TERN_SEC);
    assert_non_null(client->conn->rest);
    send_much(20000);
    pair_advance(p, 800 * TERN_MSEC);
    assert_null(client->conn->rest);
    assert_null(server->conn->rest);
    pair_advance(p, TERN_SEC);
    assert_non_null(client->conn->rest);
    assert_non_null(server->conn->rest);
}

/* Those that fell silent a little apart speak at the same moment, and none too late. */
static void keepalives_of_many_go_together(void **state)
{
    (void)state;
    const tern_time every = 20480 * TERN_MSEC, step = 20 * TERN_MSEC;
    client->config.keepalive = every;
    pair_open(p);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(pair_connect(p, p->key), 0);
        pair_advance(p, TERN_MSEC);
    }
    pair_advance(p, 5 * TERN_SEC);
    uint64_t before = client->datagrams;
    unsigned moments = 0;
    for (tern_time at = 0; client->datagrams < before + 20;) {
        pair_advance(p, TERN_MSEC);
        tern_time next = tern_endpoint_deadline(client->endpoint);
        assert_true(next < p->now + every);
        if (next != at && client->datagrams < before + 20) {
            at = next;
            assert_int_equal(at % step, 0);
            moments++;
        }
    }
    assert_int_equal(client->datagrams, before + 20);
    assert_in_range(moments, 1, 10); /* 20 of them, 5 to 8 ms apart */
}

/* An open stream is no reason to stay awake, and is as it was afterwards. */
static void streams_stay(void **state)
{
    (void)state;
    char buf[16] = {0};
    tern_stream *stream;
    to_rest();
    assert_int_equal(tern_conn_open_stream(client->conn, TERN_STREAM_BIDI, &stream), 0);
    assert_int_equal(tern_stream_write(stream, "ab", 2, 0), 2);
    pair_advance(p, 5 * TERN_SEC);
    assert_non_null(client->conn->rest);
    assert_non_null(server->conn->rest);
    assert_int_equal(tern_stream_write(stream, "cd", 2, TERN_FIN), 2);
    pair_advance(p, TERN_SEC);
    assert_int_equal(tern_stream_read(server->stream, buf, sizeof buf), 4);
    assert_string_equal(buf, "abcd");
}

/* Without memory it rests on, and speaks when there is some again. */
static void it_wakes_when_it_can(void **state)
{
    (void)state;
    tern_stream *stream;
    char buf[16] = {0};
    to_rest();
    assert_int_equal(tern_conn_open_stream(client->conn, TERN_STREAM_UNI, &stream), 0);
    assert_int_equal(tern_stream_write(stream, "later", 5, TERN_FIN), 5);
    client->heap.fail_at = 1;
    pair_advance(p, TERN_SEC);
    assert_non_null(client->conn->rest);
    assert_null(server->stream);
    client->heap.fail_at = 0;
    pair_advance(p, TERN_SEC);
    assert_int_equal(tern_stream_read(server->stream, buf, sizeof buf), 5);
    assert_string_equal(buf, "later");
}

static void the_end_comes_at_rest(void **state)
{
    (void)state;
    client->config.idle_timeout = 30 * TERN_SEC;
    to_rest();
    pair_advance(p, 60 * TERN_SEC);
    assert_int_equal(client->close.error, TERN_ERR_TIMEOUT);
    assert_int_equal(server->close.error, TERN_ERR_TIMEOUT);
    assert_int_equal(pair_counters(server).connections, 0);
}

/* clang-format off: one a line, so that the build finds their names */
/* Its controller is asked then, which it must not be while it rests (found by fuzz_api). */
static void a_path_is_recalled_at_rest(void **state)
{
    (void)state;
    const tern_path_memory memory = {
        .size = sizeof memory, .volume = 1000000, .min_rtt = 40 * TERN_MSEC};
    to_rest();
    server->heap.fail_at = server->heap.calls + 1;
    assert_int_equal(tern_conn_recall_path(server->conn, &memory), TERN_ERR_NOMEM);
    server->heap.fail_at = 0;
    assert_int_equal(tern_conn_recall_path(server->conn, &memory), 0);
    pair_advance(p, TERN_MSEC);
    assert_non_null(server->conn->rest); /* there was nothing else to stay up for */
    write_and_read(server, client, "awake");
    assert_null(server->conn->rest);
    assert_int_equal(server->conn->path.cc.state->recall.volume, memory.volume);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(each_holds_little, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(it_takes_a_second, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(either_side_wakes_the_other, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(keys_go_on, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(keepalives_leave_nothing, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(keepalives_wake_for_a_moment, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(keepalives_of_many_go_together, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(streams_stay, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(what_was_learnt_stays, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(no_burst_follows, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(another_controller_waits, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(an_open_question_keeps_it_awake, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(it_wakes_when_it_can, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(the_end_comes_at_rest, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_path_is_recalled_at_rest, setup, pair_teardown),
};
/* clang-format on */

TERN_TEST_MAIN(tests)
