/* Established connections at rest: what they hold of the heap, and that nobody notices.
 * SPDX-License-Identifier: MIT */
#include "conn/rest.h"
#include "endpoint/endpoint.h"
#include "pair_kit.h"

#define MANY       500
#define REST_BOUND 6144 /* [P §12.6] */

static struct pair the_pair;
static struct pair *const p = &the_pair;
static struct pair_side *const client = &the_pair.side[PAIR_CLIENT];
static struct pair_side *const server = &the_pair.side[PAIR_SERVER];

static int setup(void **state)
{
    (void)state;
    pair_init(p);
    for (int i = 0; i < 2; i++) {
        p->side[i].config.idle_timeout = 600 * TERN_SEC;
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    pair_close(p);
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
static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(each_holds_little, setup, teardown),
    cmocka_unit_test_setup_teardown(it_takes_a_second, setup, teardown),
    cmocka_unit_test_setup_teardown(either_side_wakes_the_other, setup, teardown),
    cmocka_unit_test_setup_teardown(keys_go_on, setup, teardown),
    cmocka_unit_test_setup_teardown(keepalives_leave_nothing, setup, teardown),
    cmocka_unit_test_setup_teardown(streams_stay, setup, teardown),
    cmocka_unit_test_setup_teardown(it_wakes_when_it_can, setup, teardown),
    cmocka_unit_test_setup_teardown(the_end_comes_at_rest, setup, teardown),
};
/* clang-format on */

TERN_TEST_MAIN(tests)
