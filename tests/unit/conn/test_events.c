/* The order and shape of what an application is told.
 * SPDX-License-Identifier: MIT */
#include "conn/messages.h"
#include "conn_kit.h"

static struct ck k;
static struct tern_conn *client;

static int setup(void **state)
{
    (void)state;
    ck_init(&k);
    ck_ready(&k);
    client = k.side[CK_CLIENT].conn;
    (void)ck_poll(&k, CK_CLIENT, TERN_EVENT_CONNECTED);
    (void)ck_poll(&k, CK_SERVER, TERN_EVENT_CONNECTED);
    assert_false(tern_conn_has_event(client));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return ck_clear(&k);
}

/* A stream of the server's with five bytes and its end. */
static void peer_stream(uint64_t id)
{
    const uint8_t hello[5] = "hello";
    assert_int_equal(
        tern_streams_on_stream(&client->streams, id, 0, hello, 5, true, TERN_MSEC, k.now), 0);
}

static void connected_is_told_once_at_each_end(void **state)
{
    (void)state;
    ck_init(&k);
    ck_ready(&k);
    assert_true(tern_conn_has_event(k.side[CK_SERVER].conn));
    assert_true(tern_list_is_linked(&k.side[CK_SERVER].conn->event_node));
    assert_int_equal(ck_poll(&k, CK_CLIENT, TERN_EVENT_CONNECTED), 1);
    assert_int_equal(ck_poll(&k, CK_SERVER, TERN_EVENT_CONNECTED), 1);
    assert_false(tern_conn_has_event(k.side[CK_SERVER].conn));
    assert_int_equal(ck_clear(&k), 0);
}

/* Whoever never proved itself is nobody's business. */
static void an_unknown_client_dies_unheard(void **state)
{
    (void)state;
    static struct ck_flight first;
    tern_event ev;
    ck_init(&k);
    assert_int_equal(ck_connect(&k), 0);
    ck_take(&k, CK_CLIENT, &first);
    ck_give(&k, CK_SERVER, &first, 0);
    struct tern_conn *server = k.side[CK_SERVER].conn;
    k.now += k.side[CK_SERVER].config.handshake_timeout;
    tern_conn_tick(server, k.now);
    assert_int_equal(server->life.state, TERN_LIFE_CLOSED);
    assert_false(tern_conn_has_event(server));
    assert_false(tern_conn_next_event(server, &ev));
    assert_true(tern_conn_is_spent(server)); /* and may go at once */
    assert_int_equal(ck_clear(&k), 0);
}

static void they_come_in_order(void **state)
{
    (void)state;
    static const tern_event_type wanted[] = {TERN_EVENT_CONNECTED,     TERN_EVENT_OPENABLE,
                                             TERN_EVENT_STREAM_OPENED, TERN_EVENT_STREAM_READABLE,
                                             TERN_EVENT_STREAM_OPENED, TERN_EVENT_STREAM_READABLE,
                                             TERN_EVENT_CLOSED};
    tern_event ev;
    peer_stream(1);
    peer_stream(5);
    client->streams.is_openable = true;
    client->wants_connected_event = true;
    tern_conn_fail(client, TERN_ERR_PROTOCOL, 0, NULL, k.now);
    for (size_t i = 0; i < TERN_COUNT_OF(wanted); i++) {
        assert_true(tern_conn_has_event(client));
        memset(&ev, 0xee, sizeof ev);
        assert_true(tern_conn_next_event(client, &ev));
        assert_int_equal(ev.type, wanted[i]);
        assert_ptr_equal(ev.conn, client);
        bool is_stream = i >= 2 && i < 6;
        assert_int_equal(ev.stream != NULL, is_stream);
        assert_int_equal(ev.code, 0);
    }
    assert_false(tern_conn_has_event(client));
    assert_false(tern_conn_next_event(client, &ev));
}

static void the_end_is_told_in_full(void **state)
{
    (void)state;
    tern_event ev;
    assert_true(tern_life_on_close(&client->life, true, 77, (const uint8_t *)"bye", 3));
    tern_conn_on_over(client, k.now);
    assert_true(tern_conn_next_event(client, &ev));
    assert_int_equal(ev.type, TERN_EVENT_CLOSED);
    assert_int_equal(ev.close.by, TERN_CLOSED_PEER);
    assert_true(ev.close.is_application);
    assert_int_equal(ev.close.code, 77);
    assert_int_equal(ev.close.reason_len, 3);
    assert_memory_equal(ev.close.reason, "bye", 3);
    assert_null(ev.stream);
}

/* CLOSED is the last word: streams that have more to say are silent after it. */
static void nothing_follows_the_end(void **state)
{
    (void)state;
    tern_event ev;
    tern_conn_fail(client, TERN_ERR_PROTOCOL, 0, NULL, k.now);
    assert_int_equal(ck_poll(&k, CK_CLIENT, TERN_EVENT_CLOSED), 1);
    peer_stream(1);
    client->streams.is_openable = true;
    assert_false(tern_conn_has_event(client));
    assert_false(tern_conn_next_event(client, &ev));
    tern_conn_on_over(client, k.now); /* closing becomes draining: no second CLOSED */
    assert_false(tern_conn_has_event(client));
    assert_false(tern_conn_next_event(client, &ev));
}

/* ... and so are messages: one that has come, what became of one that was sent. */
static void no_news_of_messages_follows_the_end(void **state)
{
    (void)state;
    tern_event ev;
    tern_send_options o;
    const uint8_t hello[5] = "hello";
    const char *reason = NULL;
    tern_send_options_init(&o);
    o.wants_outcome = true;
    o.lifetime = TERN_SEC;
    assert_int_equal(tern_conn_send(client, hello, sizeof hello, &o, k.now), 0);
    tern_conn_fail(client, TERN_ERR_PROTOCOL, 0, NULL, k.now);
    assert_int_equal(ck_poll(&k, CK_CLIENT, TERN_EVENT_CLOSED), 1);
    struct tern_frame_message f = {.data = hello, .len = 5, .total = 5};
    assert_int_equal(tern_messages_on_part(client, &f, &reason), 0);
    tern_messages_expire(client, k.now + 2 * TERN_SEC);
    assert_true(tern_msgin_has_event(client->messages->in));
    assert_true(tern_msgout_has_outcome(client->messages->out));
    assert_false(tern_conn_has_event(client));
    assert_false(tern_conn_next_event(client, &ev));
}

static void a_stop_brings_its_code(void **state)
{
    (void)state;
    tern_event ev;
    tern_stream *stream;
    assert_int_equal(tern_conn_open_stream(client, TERN_STREAM_BIDI, &stream), 0);
    assert_int_equal(tern_streams_on_stop(&client->streams, 0, 4242), 0);
    assert_true(tern_conn_next_event(client, &ev));
    assert_int_equal(ev.type, TERN_EVENT_STREAM_STOPPED);
    assert_int_equal(ev.code, 4242);
    assert_ptr_equal(ev.stream, stream);
}

/* From both ends: what is written is acknowledged, what came is read, and each half ends. */
static void a_stream_ends_with_closed(void **state)
{
    (void)state;
    tern_event ev;
    tern_stream *stream;
    uint8_t buf[8];
    assert_int_equal(tern_conn_open_stream(client, TERN_STREAM_UNI, &stream), 0);
    assert_int_equal(tern_streams_write(&client->streams, stream, "x", 1, TERN_FIN), 1);
    ck_settle(&k);
    assert_true(tern_conn_next_event(client, &ev));
    assert_int_equal(ev.type, TERN_EVENT_STREAM_CLOSED);
    assert_ptr_equal(ev.stream, stream);
    struct tern_conn *server = k.side[CK_SERVER].conn;
    assert_true(tern_conn_next_event(server, &ev));
    assert_int_equal(ev.type, TERN_EVENT_STREAM_OPENED);
    assert_true(tern_conn_next_event(server, &ev));
    assert_int_equal(ev.type, TERN_EVENT_STREAM_READABLE);
    assert_int_equal(tern_streams_read(&server->streams, ev.stream, buf, sizeof buf), 1);
    assert_int_equal(tern_streams_read(&server->streams, ev.stream, buf, sizeof buf), 0);
    assert_true(tern_conn_next_event(server, &ev));
    assert_int_equal(ev.type, TERN_EVENT_STREAM_CLOSED);
}

/* Each reason to be asked is reason enough. */
static void any_news_is_news(void **state)
{
    (void)state;
    client->streams.is_openable = true;
    assert_true(tern_conn_has_event(client));
    assert_int_equal(ck_poll(&k, CK_CLIENT, TERN_EVENT_OPENABLE), 1);
    assert_false(tern_conn_has_event(client));
    peer_stream(1);
    assert_true(tern_conn_has_event(client));
    assert_int_equal(ck_poll(&k, CK_CLIENT, TERN_EVENT_STREAM_OPENED), 1);
    assert_false(tern_conn_has_event(client));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(connected_is_told_once_at_each_end),
    cmocka_unit_test(an_unknown_client_dies_unheard),
    cmocka_unit_test_setup_teardown(they_come_in_order, setup, teardown),
    cmocka_unit_test_setup_teardown(the_end_is_told_in_full, setup, teardown),
    cmocka_unit_test_setup_teardown(nothing_follows_the_end, setup, teardown),
    cmocka_unit_test_setup_teardown(no_news_of_messages_follows_the_end, setup, teardown),
    cmocka_unit_test_setup_teardown(a_stop_brings_its_code, setup, teardown),
    cmocka_unit_test_setup_teardown(a_stream_ends_with_closed, setup, teardown),
    cmocka_unit_test_setup_teardown(any_news_is_news, setup, teardown),
};

TERN_TEST_MAIN(tests)
