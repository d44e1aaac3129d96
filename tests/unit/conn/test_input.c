/* Datagrams that a connection should not believe: forged, repeated, misdirected, late, or too many;
 * and those that it should: from a peer that moved, or ahead of its time.
 * SPDX-License-Identifier: MIT */
#include "conn/handle.h"
#include "conn/retry.h"
#include "crypto/token.h"
#include "one_ck.h"
#include "wire/encode.h"
#include "wire/limits.h"

static struct ck_flight flight;
static tern_addr elsewhere, third;

static int setup(void **state)
{
    (void)state;
    ck_init(&k);
    assert_int_equal(tern_addr_parse(&elsewhere, "203.0.113.1:5"), 0);
    assert_int_equal(tern_addr_parse(&third, "203.0.113.2:5"), 0);
    one_ready();
    return 0;
}

/* One small datagram of the client's. */
static void take_ping(void)
{
    client->wants_ping = true;
    ck_take(&k, CK_CLIENT, &flight);
    assert_int_equal(flight.count, 1);
}

static void give_garbage(int to, size_t len)
{
    uint8_t garbage[256];
    ck_random(&k.side[0].seed, garbage, sizeof garbage);
    ck_give_from(&k, to, &k.side[1 - to].addr, garbage, len);
}

/* RFC 9000 §10.2.1: the 1st, 2nd, 4th, 8th ... datagram is answered, and no answer keeps us alive. */
static void a_close_is_repeated_ever_more_rarely(void **state)
{
    (void)state;
    size_t sent = 0;
    tern_conn_close(client, 1, "bye");
    ck_take(&k, CK_CLIENT, &flight);
    assert_int_equal(flight.count, 1);
    tern_time end = client->life.end_at;
    for (unsigned i = 1; i <= 1000; i++) {
        give_garbage(CK_CLIENT, 100);
        k.now += TERN_USEC;
        size_t answers = ck_lose(&k, CK_CLIENT);
        assert_int_equal(answers, (i & (i - 1)) == 0);
        sent += answers;
    }
    assert_int_equal(sent, 10);
    assert_int_equal(client->life.end_at, end);
    ck_give(&k, CK_SERVER, &flight, 0);
    assert_int_equal(server->life.state, TERN_LIFE_DRAINING);
    assert_memory_equal(server->life.reason, "bye", 3);
}

static void a_lost_close_is_told_again(void **state)
{
    (void)state;
    tern_conn_close(client, 1, "bye");
    assert_int_equal(ck_lose(&k, CK_CLIENT), 1);
    server->wants_ping = true;
    assert_int_equal(ck_carry(&k, CK_SERVER), 1);
    assert_int_equal(ck_carry(&k, CK_CLIENT), 1);
    assert_int_equal(server->life.state, TERN_LIFE_DRAINING);
    assert_int_equal(server->life.code, 1);
}

static void who_drains_answers_nothing(void **state)
{
    (void)state;
    take_ping();
    tern_conn_close(client, 1, NULL);
    assert_int_equal(ck_carry(&k, CK_CLIENT), 1);
    for (unsigned i = 0; i < 20; i++) {
        give_garbage(CK_SERVER, 100);
        ck_give(&k, CK_SERVER, &flight, 0);
        assert_int_equal(ck_lose(&k, CK_SERVER), 0);
    }
}

/* RFC 9000 §10.2, RFC 9002 §7: no congestion window holds a close back. */
static void a_close_needs_no_window(void **state)
{
    (void)state;
    client->path.cc.bytes_in_flight = client->path.cc.cwnd;
    client->wants_ping = true;
    assert_int_equal(ck_lose(&k, CK_CLIENT), 0);
    tern_conn_close(client, 1, NULL);
    assert_int_equal(ck_carry(&k, CK_CLIENT), 1);
    assert_int_equal(server->life.state, TERN_LIFE_DRAINING);
}

static void noise_changes_nothing(void **state)
{
    (void)state;
    tern_time idle_from = server->idle_from;
    uint64_t received = server->counters.packets_received;
    k.now += TERN_SEC;
    for (size_t len = 0; len < 200; len++) {
        give_garbage(CK_SERVER, len);
    }
    assert_int_equal(server->counters.packets_received, received);
    assert_true(server->counters.packets_dropped >= 199);
    assert_int_equal(server->idle_from, idle_from); /* forgers do not keep it alive */
    assert_int_equal(server->life.state, TERN_LIFE_ESTABLISHED);
    assert_int_equal(ck_lose(&k, CK_SERVER), 0); /* and get no answer */
}

static void every_flipped_bit_is_noticed(void **state)
{
    (void)state;
    take_ping();
    uint64_t received = server->counters.packets_received;
    for (size_t bit = 0; bit < 8 * flight.len[0]; bit++) {
        flight.data[0][bit / 8] ^= (uint8_t)(1u << bit % 8);
        ck_give(&k, CK_SERVER, &flight, 0);
        flight.data[0][bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(server->counters.packets_received, received);
    }
    ck_give(&k, CK_SERVER, &flight, 0);
    assert_int_equal(server->counters.packets_received, received + 1);
}

static void every_cut_is_noticed(void **state)
{
    (void)state;
    take_ping();
    uint64_t received = server->counters.packets_received;
    for (size_t len = 0; len < flight.len[0]; len++) {
        ck_give_from(&k, CK_SERVER, &k.side[CK_CLIENT].addr, flight.data[0], len);
    }
    assert_int_equal(server->counters.packets_received, received);
    ck_give(&k, CK_SERVER, &flight, 0);
    assert_int_equal(server->counters.packets_received, received + 1);
}

static void a_replay_is_dropped(void **state)
{
    (void)state;
    take_ping();
    ck_give(&k, CK_SERVER, &flight, 0);
    uint64_t received = server->counters.packets_received;
    uint64_t dropped = server->counters.packets_dropped;
    tern_time idle_from = server->idle_from;
    k.now += TERN_SEC;
    for (unsigned i = 0; i < 10; i++) {
        ck_give_from(&k, CK_SERVER, &elsewhere, flight.data[0], flight.len[0]);
    }
    assert_int_equal(server->counters.packets_received, received);
    assert_int_equal(server->counters.packets_dropped, dropped + 10);
    assert_int_equal(server->idle_from, idle_from);
    assert_true(tern_addr_equal(&server->path.remote, &k.side[CK_CLIENT].addr));
}

/* What is coalesced for others is dropped, with all that stands behind it. */
static void others_packets_in_the_datagram_are_dropped(void **state)
{
    (void)state;
    uint8_t both[3000];
    assert_int_equal(ck_clear(&k), 0);
    ck_init(&k);
    assert_int_equal(ck_connect(&k), 0);
    ck_take(&k, CK_CLIENT, &flight);
    size_t len = flight.len[0];
    assert_int_equal(len, TERN_INITIAL_DATAGRAM_MIN);
    memcpy(both, flight.data[0], len);
    memcpy(both + len, flight.data[0], len);
    both[len + 6] ^= 1; /* first byte of its destination */
    assert_int_equal(ck_accept(&k, both, len), 0);
    server = k.side[CK_SERVER].conn;
    ck_give_from(&k, CK_SERVER, &k.side[CK_CLIENT].addr, both, 2 * len);
    assert_int_equal(server->counters.packets_received, 1);
    assert_int_equal(server->counters.packets_dropped, 1);
    uint64_t bytes = k.side[CK_SERVER].heap.bytes;
    for (unsigned i = 0; i < 1000; i++) {
        ck_give_from(&k, CK_SERVER, &k.side[CK_CLIENT].addr, both, 2 * len);
    }
    assert_int_equal(k.side[CK_SERVER].heap.bytes, bytes);
}

/* RFC 9000 §9.3: the newest packet moves the path, an older one that comes late does not. */
static void the_newest_packet_says_where_the_peer_is(void **state)
{
    (void)state;
    static struct ck_flight older;
    client->wants_ping = true;
    ck_take(&k, CK_CLIENT, &older);
    take_ping();
    ck_give_from(&k, CK_SERVER, &elsewhere, flight.data[0], flight.len[0]);
    assert_true(tern_addr_equal(&server->path.remote, &elsewhere));
    assert_false(server->path.is_validated);
    assert_int_equal(tern_path_allowance(&server->path), 3 * flight.len[0]);
    uint64_t received = server->counters.packets_received;
    ck_give_from(&k, CK_SERVER, &third, older.data[0], older.len[0]);
    assert_int_equal(server->counters.packets_received, received + 1); /* heard all the same */
    assert_true(tern_addr_equal(&server->path.remote, &elsewhere));
}

/* RFC 9000 §9.1: a probe from elsewhere is answered and moves nothing. */
static void a_probe_moves_nothing(void **state)
{
    (void)state;
    client->path.wants_challenge = true;
    tern_conn_mark_ready(client);
    ck_take(&k, CK_CLIENT, &flight);
    assert_int_equal(flight.count, 1);
    assert_true(flight.len[0] >= TERN_INITIAL_DATAGRAM_MIN); /* RFC 9000 §8.2.1 */
    ck_give_from(&k, CK_SERVER, &elsewhere, flight.data[0], flight.len[0]);
    assert_int_equal(server->path.response_count, 0);
    assert_int_equal(server->others[TERN_OTHER_TRIAL]->response_count, 1);
    assert_true(tern_addr_equal(&server->path.remote, &k.side[CK_CLIENT].addr));
}

static void a_client_stays_with_its_server(void **state)
{
    (void)state;
    server->wants_ping = true;
    ck_take(&k, CK_SERVER, &flight);
    uint64_t received = client->counters.packets_received;
    ck_give_from(&k, CK_CLIENT, &elsewhere, flight.data[0], flight.len[0]);
    assert_int_equal(client->counters.packets_received, received); /* RFC 9000 §9 */
    assert_true(tern_addr_equal(&client->path.remote, &k.side[CK_SERVER].addr));
}

/* A megabyte waits, and the new address gets three times what came from it. */
static void an_unproved_address_gets_little(void **state)
{
    (void)state;
    static uint8_t much[1 << 20];
    tern_stream *stream;
    assert_int_equal(tern_conn_open_stream(server, TERN_STREAM_UNI, &stream), 0);
    assert_true(tern_streams_write(&server->streams, stream, much, sizeof much, 0) > 100000);
    take_ping();
    size_t received = flight.len[0];
    ck_give_from(&k, CK_SERVER, &elsewhere, flight.data[0], received);
    size_t sent = 0;
    for (unsigned i = 0; i < 50; i++) {
        tern_train train = {.data = k.buffer, .capacity = sizeof k.buffer};
        while (tern_conn_transmit(server, &train, k.now) > 0) {
            sent += tern_addr_equal(&train.remote, &elsewhere) ? train.len : 0;
        }
        k.now += 10 * TERN_MSEC;
        tern_conn_tick(server, k.now);
        assert_true(sent <= 3 * received);
    }
    assert_true(sent > 0); /* the challenge, at least */
}

static void a_proved_address_gets_all(void **state)
{
    (void)state;
    take_ping();
    ck_give_from(&k, CK_SERVER, &elsewhere, flight.data[0], flight.len[0]);
    k.side[CK_CLIENT].addr = elsewhere; /* from here on the client is there */
    ck_settle(&k);
    assert_true(server->path.is_validated);
    assert_true(tern_addr_equal(&server->path.remote, &elsewhere));
    assert_int_equal(server->path.challenge_until, TERN_TIME_NEVER);
}

/* New ones; the client's first packet has come, and nobody has answered it. */
static void begin_again(void)
{
    assert_int_equal(ck_clear(&k), 0);
    ck_init(&k);
    assert_int_equal(ck_connect(&k), 0);
    client = k.side[CK_CLIENT].conn;
    assert_int_equal(ck_carry(&k, CK_CLIENT), 1);
    server = k.side[CK_SERVER].conn;
}

/* [P §4.5]: 1-RTT packets ahead of message 3 are kept, ten of them, and read when it comes. */
static void early_packets_are_kept_within_a_bound(void **state)
{
    (void)state;
    tern_stream *stream;
    begin_again();
    assert_true(ck_carry(&k, CK_SERVER) > 0);
    assert_true(ck_lose(&k, CK_CLIENT) > 0); /* message 3 */
    assert_int_equal(tern_conn_open_stream(client, TERN_STREAM_UNI, &stream), 0);
    for (unsigned i = 0; i < 30; i++) {
        assert_int_equal(tern_streams_write(&client->streams, stream, "early", 5, 0), 5);
        k.now += 5 * TERN_MSEC;
        ck_take(&k, CK_CLIENT, &flight);
        for (size_t j = 0; j < flight.count; j++) {
            ck_give(&k, CK_SERVER, &flight, j);
        }
    }
    assert_int_equal(server->handshake->early_count, TERN_EARLY_PACKETS_MAX);
    assert_int_equal(server->streams.bytes_received, 0);
    assert_int_equal(server->life.state, TERN_LIFE_HANDSHAKING);
    ck_settle(&k);
    assert_int_equal(server->life.state, TERN_LIFE_ESTABLISHED);
    assert_int_equal(server->streams.bytes_received, 150);
}

/* A Retry as the server would send one in answer to the client's first packet. */
static size_t make_retry(uint8_t *out, size_t size, struct tern_header *header)
{
    static const uint8_t zeros[TERN_RETRY_TAG_SIZE];
    const struct tern_cid *odcid = &client->handshake->original_dcid;
    struct tern_cid scid = {.len = 8, .bytes = "another"};
    struct tern_retry_keys keys;
    struct tern_writer w;
    tern_writer_init(&w, out, size);
    tern_header_encode_retry(&w, &client->handshake->client_scid, &scid, zeros, 16, zeros, 0);
    assert_false(w.failed);
    size_t len = tern_writer_used(&w), tag_at = len - TERN_RETRY_TAG_SIZE;
    tern_retry_keys_init(&keys, k.side[CK_SERVER].env.public_key);
    tern_retry_tag(out + tag_at, &keys, odcid->bytes, odcid->len, out, tag_at);
    assert_int_equal(tern_header_decode(header, out, len, TERN_CID_SIZE), 0);
    return len;
}

/* RFC 9000 §17.2.5.2: a client that nobody has answered yet, and nobody else. */
static void who_does_not_wait_for_an_answer_heeds_no_retry(void **state)
{
    (void)state;
    uint8_t packet[200];
    struct tern_header header;
    for (int i = 0; i < 2; i++) {
        begin_again();
        (void)make_retry(packet, sizeof packet, &header);
        assert_false(tern_retry_on_packet(server, &header, packet, k.now));
        assert_int_equal(server->life.state, TERN_LIFE_HANDSHAKING);
        if (i == 0) {
            tern_conn_close(client, 1, NULL);
            assert_false(tern_retry_on_packet(client, &header, packet, k.now));
        } else {
            assert_true(tern_retry_on_packet(client, &header, packet, k.now));
            assert_true(client->handshake->has_retry);
        }
    }
    assert_int_equal(ck_clear(&k), 0);
    ck_init(&k);
    ck_ready(&k);
    client = k.side[CK_CLIENT].conn;
    assert_false(tern_retry_on_packet(client, &header, packet, k.now));
    assert_int_equal(client->life.state, TERN_LIFE_ESTABLISHED);
}

/* RFC 9000 §6.2: the same of Version Negotiation. */
static void who_does_not_wait_for_an_answer_needs_no_other_version(void **state)
{
    (void)state;
    static const uint8_t versions[] = {0x0a, 0x0a, 0x0a, 0x0a};
    begin_again();
    const struct tern_cid *asked = tern_cids_remote(&server->cids);
    struct tern_header header = {.type = TERN_PACKET_VERSION_NEGOTIATION,
                                 .raw_scid = asked->bytes,
                                 .raw_scid_len = asked->len,
                                 .versions = versions,
                                 .versions_len = sizeof versions};
    assert_false(server->has_peer_key);
    assert_false(tern_retry_on_negotiation(server, &header));
    asked = tern_cids_remote(&client->cids);
    header.raw_scid = asked->bytes;
    header.raw_scid_len = (uint8_t)(asked->len - 1);
    assert_false(tern_retry_on_negotiation(client, &header));
    header.raw_scid_len++;
    assert_true(tern_retry_on_negotiation(client, &header));
    tern_conn_close(client, 1, NULL);
    assert_false(tern_retry_on_negotiation(client, &header));
}

/* RFC 9000 §8.1.3: the newest counts; one that no server of ours gives, or for which there is no room, does not. */
static void address_tokens_are_kept_as_far_as_they_are_of_use(void **state)
{
    (void)state;
    static const uint8_t token[TERN_ADDRESS_TOKEN_MAX + 1] = {7, 7, 7};
    uint8_t payload[400], kept[TERN_ADDRESS_TOKEN_MAX];
    struct kit_heap *heap = &k.side[CK_CLIENT].heap;
    tern_datagram in = {.local = client->path.local, .remote = client->path.remote};
    size_t len = 0;
    for (size_t size = 20; size < 400; size += TERN_ADDRESS_TOKEN_MAX + 1 - 20) {
        for (int drought = 0; drought < 2; drought++) {
            struct tern_handle handle = {.conn = client,
                                         .level = TERN_LEVEL_APP,
                                         .packet_type = TERN_PACKET_ONE_RTT,
                                         .in = &in};
            struct tern_writer w;
            tern_writer_init(&w, payload, sizeof payload);
            tern_frame_encode_new_token(&w, token, size - (size_t)drought);
            heap->fail_at = drought > 0 ? heap->calls + 1 : 0;
            assert_int_equal(tern_handle_payload(&handle, payload, tern_writer_used(&w), k.now), 0);
            assert_int_equal(tern_conn_address_token(client, kept, sizeof kept, &len), 0);
            assert_int_equal(len, 20);
            assert_memory_equal(kept, token, len);
        }
    }
    heap->fail_at = 0;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(who_does_not_wait_for_an_answer_heeds_no_retry, setup,
                                    one_teardown),
    cmocka_unit_test_setup_teardown(who_does_not_wait_for_an_answer_needs_no_other_version, setup,
                                    one_teardown),
    cmocka_unit_test_setup_teardown(address_tokens_are_kept_as_far_as_they_are_of_use, setup,
                                    one_teardown),
    cmocka_unit_test_setup_teardown(a_close_is_repeated_ever_more_rarely, setup, one_teardown),
    cmocka_unit_test_setup_teardown(a_lost_close_is_told_again, setup, one_teardown),
    cmocka_unit_test_setup_teardown(who_drains_answers_nothing, setup, one_teardown),
    cmocka_unit_test_setup_teardown(a_close_needs_no_window, setup, one_teardown),
    cmocka_unit_test_setup_teardown(noise_changes_nothing, setup, one_teardown),
    cmocka_unit_test_setup_teardown(every_flipped_bit_is_noticed, setup, one_teardown),
    cmocka_unit_test_setup_teardown(every_cut_is_noticed, setup, one_teardown),
    cmocka_unit_test_setup_teardown(a_replay_is_dropped, setup, one_teardown),
    cmocka_unit_test_setup_teardown(others_packets_in_the_datagram_are_dropped, setup,
                                    one_teardown),
    cmocka_unit_test_setup_teardown(the_newest_packet_says_where_the_peer_is, setup, one_teardown),
    cmocka_unit_test_setup_teardown(a_probe_moves_nothing, setup, one_teardown),
    cmocka_unit_test_setup_teardown(a_client_stays_with_its_server, setup, one_teardown),
    cmocka_unit_test_setup_teardown(an_unproved_address_gets_little, setup, one_teardown),
    cmocka_unit_test_setup_teardown(a_proved_address_gets_all, setup, one_teardown),
    cmocka_unit_test_setup_teardown(early_packets_are_kept_within_a_bound, setup, one_teardown),
};

TERN_TEST_MAIN(tests)
