/* Runs of packets hold the bytes of one stream and nothing else: whatever is owed besides, and whatever is not certain,
 * is left to packets that are built one by one. That both kinds come to the same is tests/sim/test_runs.c's.
 * SPDX-License-Identifier: MIT */
#include "conn/run.h"

#include <tern/conn.h>
#include <tern/message.h>
#include <tern/stream.h>

#include "conn_kit.h"
#include "wire/header.h"

enum { MOST = 4, SIZE = 1200, LEN = 50000 };

static struct ck k;
static struct tern_conn *client, *server;
static struct tern_space *space;
static tern_stream *stream;
static uint8_t bytes[LEN], out[65536];

/* A client that has much to send on one stream, and may. */
static int setup(void **state)
{
    (void)state;
    ck_init(&k);
    ck_ready(&k);
    client = k.side[CK_CLIENT].conn;
    server = k.side[CK_SERVER].conn;
    space = &client->spaces[TERN_LEVEL_APP];
    for (size_t i = 0; i < LEN; i++) {
        bytes[i] = (uint8_t)(i * 7 + i / 251);
    }
    assert_int_equal(tern_conn_open_stream(client, TERN_STREAM_UNI, &stream), 0);
    assert_int_equal(tern_stream_write(stream, bytes, LEN, 0), LEN);
    client->path.pacer.rate = 0; /* the path would bear it all at once */
    client->path.cc.cwnd = 1 << 20;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return ck_clear(&k);
}

/* How many packets a run has now, and the train no more and no less. */
static size_t run(size_t limit, size_t capacity)
{
    tern_train train = {.data = out, .capacity = capacity};
    size_t count = tern_run_transmit(client, &train, limit, MOST, k.now);
    assert_int_equal(train.len, count * limit);
    return count;
}

static void assert_no_run(void)
{
    uint64_t next = space->loss.sent.next_pn;
    assert_int_equal(run(SIZE, sizeof out), 0);
    assert_true(space->loss.sent.next_pn == next);
    assert_int_equal(space->loss.sent.open_receipts, 0);
}

/* Nothing was in the way: the same connection, left alone, has a run that the server can read. */
static void assert_run(void)
{
    uint8_t got[LEN];
    tern_stream *theirs = NULL;
    tern_event ev;
    assert_int_equal(run(SIZE, sizeof out), MOST);
    k.now += CK_HOP;
    for (size_t i = 0; i < MOST; i++) {
        ck_give_from(&k, CK_SERVER, &k.side[CK_CLIENT].addr, out + i * SIZE, SIZE);
    }
    while (tern_conn_next_event(server, &ev)) {
        theirs = ev.type == TERN_EVENT_STREAM_OPENED ? ev.stream : theirs;
    }
    assert_non_null(theirs);
    ptrdiff_t n = tern_stream_read(theirs, got, sizeof got);
    assert_true(n > MOST * (SIZE - 60) && n < MOST * SIZE);
    assert_memory_equal(got, bytes, (size_t)n);
}

static void what_is_owed_besides_ends_it(void **state)
{
    bool *const wants[] = {&client->cadence.wants_send, &client->rekey.wants_send,
                           &client->wants_handshake_done, &client->wants_new_token,
                           &client->path.wants_challenge};
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(wants); i++) {
        assert_false(*wants[i]);
        *wants[i] = true;
        assert_no_run();
        *wants[i] = false;
    }
    space->probes = 1;
    assert_no_run();
    space->probes = 0;
    client->path.response_count = 1;
    assert_no_run();
    client->path.response_count = 0;
    client->cids.retire_count++;
    assert_no_run();
    client->cids.retire_count--;
    assert_run();
}

static void an_acknowledgement_ends_it(void **state)
{
    (void)state;
    server->wants_ping = true;
    assert_true(ck_carry(&k, CK_SERVER) > 0);
    assert_true(tern_acks_is_owed(&space->acks));
    assert_no_run();
}

static void a_control_of_a_stream_ends_it(void **state)
{
    tern_stream *other;
    (void)state;
    assert_int_equal(tern_conn_open_stream(client, TERN_STREAM_UNI, &other), 0);
    assert_int_equal(tern_stream_reset(other, 3), 0);
    assert_no_run();
}

static void bytes_of_a_handshake_end_it(void **state)
{
    (void)state;
    assert_int_equal(tern_crypto_flow_write(&space->crypto, bytes, 10), 0);
    assert_no_run();
}

/* Copies of old ones may ride along, so who has ever sent a message has no runs. */
static void messages_end_it(void **state)
{
    (void)state;
    assert_int_equal(tern_conn_set_redundancy(client, TERN_REDUNDANCY_OFF, 0), 0);
    assert_non_null(client->messages); /* and nothing in it */
    assert_run();
    assert_int_equal(tern_conn_send(client, bytes, 10, NULL, k.now), 0);
    assert_no_run();
}

static void another_stream_ends_it(void **state)
{
    tern_stream *other;
    (void)state;
    assert_int_equal(tern_stream_set_priority(stream, 3, true), 0);
    assert_int_equal(tern_conn_open_stream(client, TERN_STREAM_UNI, &other), 0);
    assert_int_equal(tern_stream_set_priority(other, 3, true), 0);
    assert_int_equal(tern_stream_write(other, bytes, LEN, 0), LEN);
    assert_no_run(); /* they take turns */
}

/* A path that has not been validated counts what leaves, and a budget each packet. */
static void a_path_with_books_of_its_own_has_none(void **state)
{
    (void)state;
    client->path.is_validated = false;
    assert_no_run();
    client->path.is_validated = true;
    tern_conn_set_budget(client, 1000000);
    assert_no_run();
    tern_conn_set_budget(client, 0);
    assert_run();
}

/* While the handshake is not over at both ends there are other levels. */
static void before_the_handshake_is_over_there_is_none(void **state)
{
    (void)state;
    client->life.is_confirmed = false;
    assert_no_run();
    client->life.is_confirmed = true;
    assert_run();
}

/* Leaving a number out, changing its length and asking for new keys are the others' business. */
static void numbers_must_be_plain(void **state)
{
    (void)state;
    struct tern_loss *loss = &space->loss;
    uint64_t next = loss->sent.next_pn, acked = loss->largest_acked, skip_at = space->skip_at;
    uint64_t far = 1;
    space->skip_at = next;
    assert_no_run();
    space->skip_at = next + 2;
    space->keys->tx.sealed = space->keys->tx.aead.suite->seal_limit;
    assert_no_run();
    space->keys->tx.sealed = 0;
    while (tern_pn_size_generous(far, 0) == tern_pn_size_generous(far + 1, 0)) {
        far++;
    }
    assert_true(loss->has_acked);
    loss->largest_acked = next - far; /* the second number would be longer than the first */
    assert_no_run();
    loss->largest_acked = acked;
    assert_int_equal(run(SIZE, sizeof out), 2); /* up to the one that is left out */
    space->skip_at = skip_at;
}

/* No packet is begun for which there is no room in the train or the window, or that the pacer or the stream's end
 * leaves short. */
static void each_packet_is_whole(void **state)
{
    (void)state;
    struct tern_pacer *pacer = &client->path.pacer;
    assert_int_equal(run(SIZE, SIZE - 1), 0);
    assert_int_equal(run(LEN + 100, sizeof out), 0); /* the stream has not that much */
    client->path.cc.cwnd = SIZE - 1;
    assert_no_run();
    client->path.cc.cwnd = 1 << 20;
    pacer->rate = 1000;
    pacer->tokens = SIZE - 1;
    pacer->burst = 2 * SIZE;
    pacer->at = k.now;
    assert_no_run();
    pacer->rate = 0;
    assert_int_equal(run(SIZE, 2 * SIZE + 1), 2);
}

/* A length is written in as few bytes as it takes: a few sizes cannot be filled to the last byte. */
static void a_size_that_no_frame_fills_has_none(void **state)
{
    unsigned none = 0;
    for (size_t limit = (1 << 14) - 10; limit < (1 << 14) + 60; limit++) {
        tern_train train = {.data = out, .capacity = sizeof out};
        size_t count = tern_run_transmit(client, &train, limit, 1, k.now);
        assert_true(count <= 1 && train.len == count * limit);
        none += count == 0 ? 1 : 0;
        assert_int_equal(teardown(state), 0); /* the bytes are there again */
        (void)setup(state);
    }
    assert_in_range(none, 1, 8); /* of seventy */
}

static void without_memory_there_is_none(void **state)
{
    (void)state;
    struct kit_heap *heap = &k.side[CK_CLIENT].heap;
    size_t sent = 0, n = 1;
    heap->fail_at = heap->calls + 1;
    while (n > 0 && sent < LEN / SIZE) {
        n = run(SIZE, sizeof out);
        sent += n;
    }
    assert_true(sent < LEN / SIZE - 1);
    heap->fail_at = 0;
    assert_true(run(SIZE, sizeof out) > 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(what_is_owed_besides_ends_it, setup, teardown),
    cmocka_unit_test_setup_teardown(an_acknowledgement_ends_it, setup, teardown),
    cmocka_unit_test_setup_teardown(a_control_of_a_stream_ends_it, setup, teardown),
    cmocka_unit_test_setup_teardown(bytes_of_a_handshake_end_it, setup, teardown),
    cmocka_unit_test_setup_teardown(messages_end_it, setup, teardown),
    cmocka_unit_test_setup_teardown(another_stream_ends_it, setup, teardown),
    cmocka_unit_test_setup_teardown(a_path_with_books_of_its_own_has_none, setup, teardown),
    cmocka_unit_test_setup_teardown(before_the_handshake_is_over_there_is_none, setup, teardown),
    cmocka_unit_test_setup_teardown(numbers_must_be_plain, setup, teardown),
    cmocka_unit_test_setup_teardown(each_packet_is_whole, setup, teardown),
    cmocka_unit_test_setup_teardown(a_size_that_no_frame_fills_has_none, setup, teardown),
    cmocka_unit_test_setup_teardown(without_memory_there_is_none, setup, teardown),
};

TERN_TEST_MAIN(tests)
