/* What becomes of each kind of frame when its packet is acknowledged or lost.
 * SPDX-License-Identifier: MIT */
#include "conn/receipts.h"

#include "one_ck.h"

#define FULL 1452u

static struct tern_sent *sent_of(struct tern_conn *conn)
{
    return &conn->spaces[TERN_LEVEL_APP].loss.sent;
}

/* A packet that left with one receipt in it. */
static const struct tern_sent_packet *packet_with(struct tern_conn *conn,
                                                  struct tern_receipt receipt, unsigned flags,
                                                  size_t size)
{
    assert_int_equal(tern_sent_reserve(sent_of(conn), 1), 0);
    tern_sent_note(sent_of(conn), &receipt);
    return tern_sent_commit(sent_of(conn), size, TERN_SENT_IN_FLIGHT | TERN_SENT_ELICITING | flags,
                            0, 0, k.now);
}

static const struct tern_sent_packet *newest(const struct tern_conn *conn)
{
    const struct tern_sent *sent = &conn->spaces[TERN_LEVEL_APP].loss.sent;
    return tern_sent_find(sent, sent->next_pn - 1);
}

static int lose(struct tern_conn *conn, const struct tern_sent_packet *packet)
{
    return tern_receipts_on_lost(conn, TERN_LEVEL_APP, packet, sent_of(conn)->next_pn - 1, k.now);
}

static void ack(struct tern_conn *conn, const struct tern_sent_packet *packet)
{
    struct tern_receipt_run run = {0};
    tern_receipts_on_acked(conn, TERN_LEVEL_APP, packet, sent_of(conn)->next_pn - 1, &run, k.now);
    tern_receipts_end_run(conn, &run);
}

static void handshake_done_leaves_until_it_is_heard(void **state)
{
    (void)state;
    const struct tern_receipt done = {.kind = TERN_RECEIPT_HANDSHAKE_DONE};
    const struct tern_sent_packet *packet = packet_with(server, done, 0, 100);
    assert_false(server->wants_handshake_done);
    assert_int_equal(lose(server, packet), 0);
    assert_true(server->wants_handshake_done);
    ack(server, packet); /* late, but it came */
    assert_false(server->wants_handshake_done);
    assert_int_equal(tern_receipts_repeat(server, TERN_LEVEL_APP, packet), 0);
    assert_true(server->wants_handshake_done);
}

static void an_identifier_is_told_again_while_it_is_one(void **state)
{
    (void)state;
    const struct tern_receipt told = {.kind = TERN_RECEIPT_NEW_CID, .id = 1};
    const struct tern_sent_packet *packet = packet_with(client, told, 0, 100);
    struct tern_cid_local *cid = tern_cids_find_local(&client->cids, 1);
    assert_non_null(cid);
    assert_false(cid->wants_send);
    assert_int_equal(lose(client, packet), 0);
    assert_true(cid->wants_send);
    assert_ptr_equal(tern_cids_next_new(&client->cids), cid);
    assert_int_equal(lose(client, packet), 0); /* once is enough */
    assert_int_equal(client->cids.unsent, 1);
    const struct tern_cid other = {.len = 8};
    assert_int_equal(tern_cids_on_retire(&client->cids, 1, &other, client->env->random), 0);
    assert_int_equal(ck_carry(&k, CK_CLIENT), 1); /* its successor */
    assert_int_equal(lose(client, packet), 0);
    assert_null(tern_cids_next_new(&client->cids)); /* the peer has given it back */
    assert_int_equal(client->cids.unsent, 0);
}

static void a_retirement_is_owed_again(void **state)
{
    (void)state;
    uint64_t sequence = 0;
    const struct tern_receipt retired = {.kind = TERN_RECEIPT_RETIRE_CID, .id = 9};
    const struct tern_sent_packet *packet = packet_with(client, retired, 0, 100);
    ack(client, packet);
    assert_false(tern_cids_next_retire(&client->cids, &sequence));
    assert_int_equal(lose(client, packet), 0);
    assert_true(tern_cids_next_retire(&client->cids, &sequence));
    assert_int_equal(sequence, 9);
}

static void handshake_bytes_leave_again_unless_they_came(void **state)
{
    (void)state;
    uint64_t offset = 0;
    size_t len = 100;
    struct tern_crypto_flow *flow = &client->spaces[TERN_LEVEL_APP].crypto;
    const uint8_t text[100] = {1, 2, 3};
    const struct tern_receipt said = {.kind = TERN_RECEIPT_CRYPTO, .offset = 10, .len = 20};
    assert_int_equal(tern_crypto_flow_write(flow, text, sizeof text), 0);
    assert_int_equal(tern_crypto_flow_on_sent(flow, 0, sizeof text), 0);
    const struct tern_sent_packet *packet = packet_with(client, said, 0, 100);
    assert_int_equal(lose(client, packet), 0);
    (void)tern_crypto_flow_peek(flow, &offset, &len);
    assert_int_equal(offset, 10);
    assert_int_equal(len, 20);
    ack(client, packet);
    assert_false(tern_crypto_flow_wants(flow));
}

/* A packet of a stream is lost, found again in a probe, and then acknowledged after all. */
static void stream_bytes_and_their_end_leave_again(void **state)
{
    (void)state;
    tern_stream *stream;
    struct tern_stream_chunk chunk;
    assert_int_equal(tern_conn_open_stream(client, TERN_STREAM_UNI, &stream), 0);
    assert_int_equal(tern_streams_write(&client->streams, stream, "0123456789", 10, TERN_FIN), 10);
    assert_int_equal(ck_lose(&k, CK_CLIENT), 1);
    assert_false(tern_streams_has_data(&client->streams));
    const struct tern_sent_packet *packet = newest(client);
    assert_int_equal(lose(client, packet), 0);
    assert_true(tern_streams_has_data(&client->streams));
    assert_true(tern_streams_next_chunk(&client->streams, &chunk));
    assert_int_equal(chunk.offset, 0);
    assert_int_equal(chunk.len, 10);
    assert_true(chunk.fin);
    ack(client, packet);
    assert_false(tern_streams_has_data(&client->streams));
    (void)ck_poll(&k, CK_CLIENT, TERN_EVENT_CONNECTED);
    assert_null(tern_streams_find(&client->streams, 2)); /* all came: it is over and buried */
}

static void a_reset_is_said_again(void **state)
{
    (void)state;
    tern_stream *stream;
    struct tern_stream_control control;
    assert_int_equal(tern_conn_open_stream(client, TERN_STREAM_UNI, &stream), 0);
    assert_int_equal(tern_streams_write(&client->streams, stream, "x", 1, 0), 1);
    assert_int_equal(ck_lose(&k, CK_CLIENT), 1);
    assert_int_equal(tern_streams_reset(&client->streams, stream, 5), 0);
    assert_int_equal(ck_lose(&k, CK_CLIENT), 1);
    const struct tern_sent_packet *packet = newest(client);
    assert_false(tern_streams_next_control(&client->streams, &control));
    assert_int_equal(lose(client, packet), 0);
    assert_true(tern_streams_next_control(&client->streams, &control));
    assert_int_equal(control.kind, TERN_CONTROL_RESET_STREAM);
    assert_int_equal(control.value, 5);
    assert_int_equal(control.extra, 1);
    ack(client, packet);
    assert_int_equal(ck_poll(&k, CK_CLIENT, TERN_EVENT_STREAM_CLOSED), 1);
}

/* RFC 9000 §13.3: ACK, PING, PADDING and a probe of the path's size are not repeated. */
static void what_is_not_repeated(void **state)
{
    (void)state;
    const struct tern_receipt silent[] = {{.kind = TERN_RECEIPT_ACK, .id = 3},
                                          {.kind = TERN_RECEIPT_PROBE, .len = FULL}};
    for (size_t i = 0; i < TERN_COUNT_OF(silent); i++) {
        const struct tern_sent_packet *packet = packet_with(client, silent[i], 0, 100);
        assert_int_equal(lose(client, packet), 0);
        assert_int_equal(tern_receipts_repeat(client, TERN_LEVEL_APP, packet), 0);
    }
    tern_conn_mark_ready(client);
    assert_int_equal(ck_lose(&k, CK_CLIENT), 0);
    const struct tern_receipt done = {.kind = TERN_RECEIPT_HANDSHAKE_DONE};
    const struct tern_sent_packet *probe = packet_with(server, done, TERN_SENT_PROBE, FULL);
    assert_int_equal(lose(server, probe), 0);
    assert_false(server->wants_handshake_done);
}

/* RFC 9000 §13.2.4: ranges that the peer has seen are not said again. */
static void an_ack_that_came_shortens_the_next(void **state)
{
    (void)state;
    size_t count = 0;
    struct tern_acks *acks = &client->spaces[TERN_LEVEL_APP].acks;
    uint64_t top = acks->largest;
    assert_int_equal(tern_acks_on_received(acks, top + 10, true, 0, k.now), 0);
    assert_int_equal(tern_acks_on_received(acks, top + 20, true, 0, k.now), 0);
    const struct tern_receipt told = {.kind = TERN_RECEIPT_ACK, .id = top + 10};
    ack(client, packet_with(client, told, 0, 100));
    const struct tern_range *ranges = tern_acks_untold(acks, &count);
    assert_int_equal(count, 1);
    assert_int_equal(ranges[0].start, top + 20);
}

/* [P §9.7]: six of full size in a row, and the window learns the new size; the levels of the
 * handshake say nothing about the path. */
static void a_black_hole_is_told_to_the_window(void **state)
{
    (void)state;
    const struct tern_receipt ping = {.kind = TERN_RECEIPT_ACK};
    client->path.pmtud.current = FULL;
    tern_cc_set_datagram(&client->path.cc, FULL);
    const struct tern_sent_packet early = {.size = FULL};
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(tern_receipts_on_lost(client, TERN_LEVEL_HANDSHAKE, &early, 0, k.now), 0);
    }
    assert_int_equal(client->path.pmtud.current, FULL);
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(client->path.cc.datagram, FULL);
        assert_int_equal(lose(client, packet_with(client, ping, 0, FULL)), 0);
    }
    assert_int_equal(client->path.pmtud.current, TERN_PMTUD_BASE);
    assert_int_equal(client->path.cc.datagram, TERN_PMTUD_BASE);
}

/* What cannot be queued for lack of memory is reported; and with memory, nothing is missing. */
static void without_memory_the_loss_is_reported(void **state)
{
    (void)state;
    struct tern_crypto_flow *flow = &client->spaces[TERN_LEVEL_APP].crypto;
    const uint8_t text[200] = {0};
    size_t failures = 0;
    uint64_t first = sent_of(client)->next_pn;
    assert_int_equal(tern_crypto_flow_write(flow, text, sizeof text), 0);
    assert_int_equal(tern_crypto_flow_on_sent(flow, 0, sizeof text), 0);
    for (uint32_t i = 0; i < 20; i++) {
        const struct tern_receipt said = {
            .kind = TERN_RECEIPT_CRYPTO, .offset = 10 * (uint64_t)i, .len = 1};
        (void)packet_with(client, said, 0, 100);
    }
    k.side[CK_CLIENT].heap.fail_at = 1;
    for (size_t i = 0; i < 20; i++) {
        int rc = lose(client, tern_sent_find(sent_of(client), first + i));
        assert_true(rc == 0 || rc == TERN_ERR_NOMEM);
        failures += rc != 0 ? 1 : 0;
    }
    assert_in_range(failures, 1, 20);
    int rc = 0;
    for (size_t i = 0; i < 20 && rc == 0; i++) {
        rc = tern_receipts_repeat(client, TERN_LEVEL_APP,
                                  tern_sent_find(sent_of(client), first + i));
    }
    assert_int_equal(rc, TERN_ERR_NOMEM);
    k.side[CK_CLIENT].heap.fail_at = 0;
    for (size_t i = 0; i < 20; i++) {
        assert_int_equal(lose(client, tern_sent_find(sent_of(client), first + i)), 0);
    }
    assert_int_equal(flow->unsent.count, 20);
}

/* The end alone is lost; and bytes that are not the end are lost without one. */
static void an_end_is_lost_by_itself(void **state)
{
    (void)state;
    tern_stream *stream;
    struct tern_stream_chunk chunk;
    assert_int_equal(tern_conn_open_stream(client, TERN_STREAM_UNI, &stream), 0);
    assert_int_equal(tern_streams_write(&client->streams, stream, "abc", 3, 0), 3);
    assert_int_equal(ck_lose(&k, CK_CLIENT), 1);
    const struct tern_sent_packet *packet = newest(client);
    assert_int_equal(lose(client, packet), 0);
    assert_true(tern_streams_next_chunk(&client->streams, &chunk));
    assert_false(chunk.fin);
    ack(client, packet);
    assert_false(tern_streams_has_data(&client->streams));
    assert_int_equal(tern_streams_write(&client->streams, stream, NULL, 0, TERN_FIN), 0);
    assert_int_equal(ck_lose(&k, CK_CLIENT), 1);
    assert_int_equal(lose(client, newest(client)), 0);
    assert_true(tern_streams_next_chunk(&client->streams, &chunk));
    assert_int_equal(chunk.offset, 3);
    assert_int_equal(chunk.len, 0);
    assert_true(chunk.fin);
}

/* One of full size that came through clears the suspicion, at 1-RTT and nowhere else. */
static void full_size_that_arrives_is_no_black_hole(void **state)
{
    (void)state;
    const struct tern_receipt ping = {.kind = TERN_RECEIPT_ACK};
    client->path.pmtud.current = FULL;
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(lose(client, packet_with(client, ping, 0, FULL)), 0);
    }
    ack(client, packet_with(client, ping, 0, FULL));
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(lose(client, packet_with(client, ping, 0, FULL)), 0);
    }
    assert_int_equal(client->path.pmtud.current, FULL);
    const struct tern_sent_packet early = {.size = FULL};
    tern_receipts_on_acked(client, TERN_LEVEL_HANDSHAKE, &early, UINT64_MAX - 1,
                           &(struct tern_receipt_run){0}, k.now);
    assert_int_equal(lose(client, packet_with(client, ping, 0, FULL)), 0);
    assert_int_equal(client->path.pmtud.current, TERN_PMTUD_BASE);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(handshake_done_leaves_until_it_is_heard, one_setup_ready,
                                    one_teardown),
    cmocka_unit_test_setup_teardown(an_identifier_is_told_again_while_it_is_one, one_setup_ready,
                                    one_teardown),
    cmocka_unit_test_setup_teardown(a_retirement_is_owed_again, one_setup_ready, one_teardown),
    cmocka_unit_test_setup_teardown(handshake_bytes_leave_again_unless_they_came, one_setup_ready,
                                    one_teardown),
    cmocka_unit_test_setup_teardown(stream_bytes_and_their_end_leave_again, one_setup_ready,
                                    one_teardown),
    cmocka_unit_test_setup_teardown(a_reset_is_said_again, one_setup_ready, one_teardown),
    cmocka_unit_test_setup_teardown(what_is_not_repeated, one_setup_ready, one_teardown),
    cmocka_unit_test_setup_teardown(an_ack_that_came_shortens_the_next, one_setup_ready,
                                    one_teardown),
    cmocka_unit_test_setup_teardown(a_black_hole_is_told_to_the_window, one_setup_ready,
                                    one_teardown),
    cmocka_unit_test_setup_teardown(without_memory_the_loss_is_reported, one_setup_ready,
                                    one_teardown),
    cmocka_unit_test_setup_teardown(an_end_is_lost_by_itself, one_setup_ready, one_teardown),
    cmocka_unit_test_setup_teardown(full_size_that_arrives_is_no_black_hole, one_setup_ready,
                                    one_teardown),
};

TERN_TEST_MAIN(tests)
