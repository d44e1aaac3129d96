/* Many connections between two hosts: their acknowledgements have one size, so that they share a send.
 * SPDX-License-Identifier: MIT */
#include "one_pair.h"

#define CROWD 20u
#define STEP  64u

/* Connections, all of them quiet. */
static void gather(unsigned count)
{
    pair_open(p);
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(pair_connect(p, p->key), 0);
        pair_exchange(p);
    }
    pair_advance(p, TERN_SEC);
    assert_int_equal(server->connected, count);
}

/* Each connection of the client has three packets to send. */
static void write_all(void)
{
    static const uint8_t data[3000];
    tern_conn *conn = NULL;
    while ((conn = tern_endpoint_next_conn(client->endpoint, conn)) != NULL) {
        tern_stream *stream;
        assert_int_equal(tern_conn_open_stream(conn, TERN_STREAM_UNI, &stream), 0);
        assert_int_equal(tern_stream_write(stream, data, sizeof data, TERN_FIN), sizeof data);
    }
}

/* What the server has to say now, a packet in each train. */
static size_t answers(size_t sizes[], size_t max)
{
    tern_train train = {.data = p->buffer, .capacity = sizeof p->buffer};
    size_t count = 0;
    while (tern_endpoint_transmit(server->endpoint, &train, p->now) > 0) {
        assert_true(count < max);
        assert_int_equal(train.segment, train.len);
        sizes[count++] = train.len;
    }
    return count;
}

static void acks_of_many_to_one_host_have_one_size(void **state)
{
    size_t sizes[2 * CROWD];
    (void)state;
    gather(CROWD);
    write_all();
    pair_carry(p, PAIR_CLIENT);
    assert_int_equal(answers(sizes, TERN_COUNT_OF(sizes)), CROWD);
    assert_in_range(sizes[0], 1, STEP - 1); /* nobody was before it */
    for (size_t i = 1; i < CROWD; i++) {
        assert_int_equal(sizes[i], STEP);
    }
}

static void the_padding_of_an_ack_does_not_fill_the_window(void **state)
{
    size_t sizes[2 * CROWD];
    tern_conn *conn = NULL;
    (void)state;
    gather(CROWD);
    write_all();
    pair_carry(p, PAIR_CLIENT);
    assert_int_equal(answers(sizes, TERN_COUNT_OF(sizes)), CROWD);
    while ((conn = tern_endpoint_next_conn(server->endpoint, conn)) != NULL) {
        tern_stats stats = {.size = sizeof stats};
        tern_conn_stats(conn, &stats);
        assert_int_equal(stats.bytes_in_flight, 0);
    }
}

/* Nor behind itself. */
static void one_alone_pads_nothing(void **state)
{
    size_t sizes[4];
    (void)state;
    gather(1);
    write_all();
    pair_carry(p, PAIR_CLIENT);
    assert_int_equal(answers(sizes, TERN_COUNT_OF(sizes)), 1);
    assert_in_range(sizes[0], 1, STEP - 1);
    tern_stream *stream;
    assert_int_equal(tern_conn_open_stream(server->conn, TERN_STREAM_UNI, &stream), 0);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(tern_stream_write(stream, p->key, 5, 0), 5);
        assert_int_equal(answers(sizes, TERN_COUNT_OF(sizes)), 1);
        assert_in_range(sizes[0], 1, STEP - 1);
    }
}

/* To another port no send is shared. */
static void nor_do_those_of_several_hosts(void **state)
{
    size_t sizes[4];
    tern_train train = {.data = p->buffer, .capacity = sizeof p->buffer};
    (void)state;
    gather(1);
    client->addr.port++;
    assert_int_equal(pair_connect(p, p->key), 0);
    pair_exchange(p);
    assert_int_equal(server->connected, 2);
    write_all();
    const uint16_t port = client->addr.port;
    uint8_t first[8]; /* where those of the older connection go */
    bool has_first = false;
    while (tern_endpoint_transmit(client->endpoint, &train, p->now) > 0) {
        if (!has_first) {
            memcpy(first, train.data + 1, sizeof first);
            has_first = true;
        }
        client->addr.port =
            memcmp(first, train.data + 1, sizeof first) == 0 ? (uint16_t)(port - 1) : port;
        for (size_t at = 0; at < train.len; at += train.segment) {
            assert_int_equal(pair_inject(p, PAIR_SERVER, train.data + at,
                                         TERN_MIN(train.segment, train.len - at)),
                             0);
        }
    }
    assert_int_equal(answers(sizes, TERN_COUNT_OF(sizes)), 2);
    assert_in_range(sizes[0], 1, STEP - 1);
    assert_in_range(sizes[1], 1, STEP - 1);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(acks_of_many_to_one_host_have_one_size, pair_setup,
                                    pair_teardown),
    cmocka_unit_test_setup_teardown(the_padding_of_an_ack_does_not_fill_the_window, pair_setup,
                                    pair_teardown),
    cmocka_unit_test_setup_teardown(one_alone_pads_nothing, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(nor_do_those_of_several_hosts, pair_setup, pair_teardown),
};

TERN_TEST_MAIN(tests)
