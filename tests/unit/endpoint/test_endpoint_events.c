/* What an application is told, in which order, and how long its handles, pointers and lent bytes live.
 * SPDX-License-Identifier: MIT */
#include "one_pair.h"

static tern_stream *say(tern_conn *conn, tern_stream_kind kind, const char *text, unsigned flags)
{
    tern_stream *stream = NULL;
    assert_int_equal(tern_conn_open_stream(conn, kind, &stream), 0);
    assert_int_equal(tern_stream_write(stream, text, strlen(text), flags), strlen(text));
    return stream;
}

/* The next event, which must be of this type. */
static tern_event expect(struct pair_side *side, tern_event_type type)
{
    tern_event ev;
    int n = tern_endpoint_poll(side->endpoint, &ev);
    assert_string_equal(tern_event_name(ev.type), tern_event_name(type));
    assert_int_equal(n, type == TERN_EVENT_NONE ? 0 : 1);
    return ev;
}

/* Both ways at once until nothing moves; nobody polls. */
static void carry_all(void)
{
    for (int i = 0; i < 20; i++) {
        (void)pair_carry(p, PAIR_CLIENT);
        (void)pair_carry(p, PAIR_SERVER);
    }
}

static void connected_opened_readable_closed(void **state)
{
    (void)state;
    pair_open(p);
    assert_int_equal(pair_connect(p, p->key), 0);
    tern_conn *conn = client->conn;
    (void)expect(client, TERN_EVENT_NONE);
    tern_stream *stream = say(conn, TERN_STREAM_UNI, "early", TERN_FIN);
    carry_all();
    tern_conn_close(conn, 3, "enough"); /* all has been waiting for the poll */
    carry_all();
    tern_event ev = expect(server, TERN_EVENT_CONNECTED);
    tern_conn *there = ev.conn;
    assert_null(ev.stream);
    ev = expect(server, TERN_EVENT_STREAM_OPENED);
    assert_ptr_equal(ev.conn, there);
    tern_stream *far = ev.stream;
    assert_int_equal(tern_stream_id(far), tern_stream_id(stream));
    assert_false(tern_stream_is_local(far));
    ev = expect(server, TERN_EVENT_STREAM_READABLE);
    assert_ptr_equal(ev.stream, far);
    ev = expect(server, TERN_EVENT_CLOSED);
    assert_ptr_equal(ev.conn, there);
    assert_int_equal(ev.close.code, 3);
    (void)expect(server, TERN_EVENT_NONE);
    ev = expect(client, TERN_EVENT_CONNECTED);
    assert_ptr_equal(ev.conn, conn);
    (void)expect(client, TERN_EVENT_STREAM_CLOSED);
    ev = expect(client, TERN_EVENT_CLOSED);
    assert_int_equal(ev.close.by, TERN_CLOSED_LOCAL);
    (void)expect(client, TERN_EVENT_NONE);
    pair_advance(p, 60 * TERN_SEC);
    assert_int_equal(client->closed + server->closed, 0); /* never a second time */
}

/* tern/conn.h: what was written before CONNECTED leaves with the handshake's last message. */
static void early_bytes_ride_on_message_3(void **state)
{
    (void)state;
    char buf[10];
    pair_open(p);
    assert_int_equal(pair_connect(p, p->key), 0);
    (void)say(client->conn, TERN_STREAM_UNI, "early", TERN_FIN);
    assert_true(pair_carry(p, PAIR_CLIENT));
    assert_true(pair_carry(p, PAIR_SERVER));
    (void)expect(server, TERN_EVENT_NONE); /* nobody has proved anything yet */
    assert_true(pair_carry(p, PAIR_CLIENT));
    (void)expect(server, TERN_EVENT_CONNECTED);
    tern_event ev = expect(server, TERN_EVENT_STREAM_OPENED);
    assert_int_equal(tern_stream_read(ev.stream, buf, sizeof buf), 5);
    assert_memory_equal(buf, "early", 5);
}

static int mark(void *user, tern_conn *conn, const uint8_t key[TERN_KEY_SIZE])
{
    uint8_t known[TERN_KEY_SIZE];
    assert_int_equal(tern_conn_peer_key(conn, known), 0);
    assert_memory_equal(known, key, sizeof known);
    assert_null(tern_conn_user(conn));
    tern_conn_set_user(conn, user);
    return 0;
}

static void pointers_ride_to_the_end(void **state)
{
    (void)state;
    int ours = 0, theirs = 0, of_stream = 0;
    server->config.verify = mark;
    server->config.verify_user = &theirs;
    pair_open(p);
    assert_int_equal(pair_connect(p, p->key), 0);
    assert_null(tern_conn_user(client->conn));
    tern_conn_set_user(client->conn, &ours);
    tern_stream *stream = say(client->conn, TERN_STREAM_BIDI, "x", 0);
    assert_null(tern_stream_user(stream));
    tern_stream_set_user(stream, &of_stream);
    carry_all();
    tern_event ev = expect(server, TERN_EVENT_CONNECTED);
    assert_ptr_equal(tern_conn_user(ev.conn), &theirs);
    assert_ptr_equal(tern_conn_endpoint(ev.conn), server->endpoint);
    ev = expect(server, TERN_EVENT_STREAM_OPENED);
    assert_null(tern_stream_user(ev.stream));
    assert_int_equal(tern_stream_write(ev.stream, "y", 1, 0), 1);
    carry_all();
    ev = expect(client, TERN_EVENT_CONNECTED);
    assert_ptr_equal(tern_conn_user(ev.conn), &ours);
    ev = expect(client, TERN_EVENT_STREAM_READABLE);
    assert_ptr_equal(tern_stream_user(ev.stream), &of_stream);
    assert_ptr_equal(tern_stream_conn(ev.stream), client->conn);
    tern_conn_close(client->conn, 0, NULL);
    carry_all();
    ev = expect(client, TERN_EVENT_CLOSED);
    assert_ptr_equal(tern_conn_user(ev.conn), &ours);
    (void)expect(server, TERN_EVENT_STREAM_READABLE);
    ev = expect(server, TERN_EVENT_CLOSED);
    assert_ptr_equal(tern_conn_user(ev.conn), &theirs);
}

/* tern/event.h: after CLOSED the handles are good until the next poll, even when all timers of the
 * connection have come in between. */
static void handles_live_until_the_next_poll(void **state)
{
    (void)state;
    char buf[20];
    int mine = 0;
    pair_ready(p);
    tern_stream *stream = say(server->conn, TERN_STREAM_BIDI, "last words", 0);
    tern_stream_set_user(stream, &mine);
    carry_all();
    tern_conn_close(server->conn, 8, "bye");
    carry_all();
    tern_stream *far = expect(client, TERN_EVENT_STREAM_OPENED).stream;
    (void)expect(client, TERN_EVENT_STREAM_READABLE);
    tern_event there = expect(client, TERN_EVENT_CLOSED);
    tern_event here = expect(server, TERN_EVENT_CLOSED);
    p->now += 30 * TERN_SEC;
    tern_endpoint_tick(client->endpoint, p->now);
    tern_endpoint_tick(server->endpoint, p->now);
    carry_all();
    tern_stats stats = {.size = sizeof stats};
    tern_conn_stats(here.conn, &stats);
    assert_string_equal(stats.state, "closed");
    assert_memory_equal(there.close.reason, "bye", 3);
    assert_ptr_equal(tern_stream_user(stream), &mine);
    assert_int_equal(tern_stream_write(stream, "more", 4, 0), TERN_ERR_CLOSED);
    assert_int_equal(tern_stream_reset(stream, 1), TERN_ERR_CLOSED);
    assert_int_equal(tern_conn_open_stream(there.conn, TERN_STREAM_UNI, &stream), TERN_ERR_CLOSED);
    assert_int_equal(tern_stream_read(far, buf, sizeof buf), 10); /* it had arrived */
    assert_memory_equal(buf, "last words", 10);
    assert_int_equal(tern_stream_read(far, buf, sizeof buf), TERN_ERR_CLOSED);
    tern_conn_close(there.conn, 9, "again");
    (void)expect(client, TERN_EVENT_NONE);
    (void)expect(server, TERN_EVENT_NONE);
}

static void count_release(void *arg, const void *data, size_t len)
{
    unsigned *count = arg;
    assert_non_null(data);
    assert_int_equal(len, 50000);
    (*count)++;
}

/* tern/stream.h: lent bytes come back once, whatever ends the loan. */
static void lent_bytes_come_back_once(void **state)
{
    (void)state;
    static uint8_t lent[50000];
    for (int how = 0; how < 4; how++) {
        unsigned count = 0;
        tern_stream *stream;
        pair_ready(p);
        assert_int_equal(tern_conn_open_stream(client->conn, TERN_STREAM_UNI, &stream), 0);
        assert_int_equal(tern_stream_write_ref(stream, lent, sizeof lent, count_release, &count, 0),
                         sizeof lent);
        assert_int_equal(count, 0);
        if (how == 0) {
            pair_advance(p, TERN_SEC); /* acknowledged */
            assert_int_equal(count, 1);
        } else if (how == 1) {
            assert_int_equal(tern_stream_reset(stream, 1), 0);
            pair_advance(p, TERN_SEC);
            assert_int_equal(count, 1);
        } else if (how == 2) {
            tern_conn_close(client->conn, 1, NULL);
            pair_poll(client); /* CLOSED, and the poll after it: no handle lives any more */
            assert_int_equal(count, 1);
            pair_advance(p, 10 * TERN_SEC);
            assert_int_equal(count, 1);
        } else {
            (void)pair_carry(p, PAIR_CLIENT); /* some are on the way */
        }
        pair_close(p);
        assert_int_equal(count, 1);
        pair_init(p);
    }
    pair_open(p);
}

static void room_for_streams_is_told(void **state)
{
    (void)state;
    char buf[4];
    tern_stream *stream;
    server->config.max_streams_uni = 1;
    pair_ready(p);
    (void)say(client->conn, TERN_STREAM_UNI, "one", TERN_FIN);
    assert_int_equal(tern_conn_open_stream(client->conn, TERN_STREAM_UNI, &stream), TERN_ERR_LIMIT);
    carry_all();
    (void)expect(client, TERN_EVENT_STREAM_CLOSED);
    (void)expect(client, TERN_EVENT_NONE);
    tern_event ev = expect(server, TERN_EVENT_STREAM_OPENED);
    assert_int_equal(tern_stream_read(ev.stream, buf, sizeof buf), 3);
    assert_int_equal(tern_stream_read(ev.stream, buf, sizeof buf), 0);
    pair_poll(server);
    carry_all();
    (void)expect(client, TERN_EVENT_OPENABLE);
    (void)expect(client, TERN_EVENT_NONE);
    (void)say(client->conn, TERN_STREAM_UNI, "two", TERN_FIN);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(connected_opened_readable_closed, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(early_bytes_ride_on_message_3, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(pointers_ride_to_the_end, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(handles_live_until_the_next_poll, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(lent_bytes_come_back_once, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(room_for_streams_is_told, pair_setup, pair_teardown),
};

TERN_TEST_MAIN(tests)
