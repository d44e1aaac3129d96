/* Frames where they do not belong, frames that say what cannot be, and what a payload turns out to be.
 * SPDX-License-Identifier: MIT */
#include "conn/handle.h"

#include "one_ck.h"
#include "wire/encode.h"
#include "wire/frame.h"

static struct tern_handle handle;
static tern_datagram in;

static int give(struct tern_conn *conn, const uint8_t *payload, size_t len)
{
    handle = (struct tern_handle){
        .conn = conn, .level = TERN_LEVEL_APP, .packet_type = TERN_PACKET_ONE_RTT, .in = &in};
    in = (tern_datagram){.local = conn->path.local, .remote = conn->path.remote};
    return tern_handle_payload(&handle, payload, len, k.now);
}

/* RFC 9000 §12.4 */
static void a_packet_without_frames_is_a_violation(void **state)
{
    (void)state;
    const uint8_t none[1] = {0};
    assert_int_equal(give(server, none, 0), TERN_ERR_PROTOCOL);
    assert_non_null(handle.reason);
    assert_int_equal(give(server, none, 1), 0); /* PADDING is one */
}

/* RFC 9000 §12.4 */
static void unknown_frames_do_not_decode(void **state)
{
    (void)state;
    static const uint8_t rows[][9] = {
        {1, 0x2f},
        {1, 0x30},
        {2, 0x40, 0x2f},
        {2, 0x40, 0xae},
        {4, 0x80, 0, 0, 0x99},
        {8, 0xc0, 0, 0, 0, 0, 0, 0, 0x77},
        {8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
        {1, 0x40}, /* cut short */
    };
    for (size_t i = 0; i < TERN_COUNT_OF(rows); i++) {
        assert_int_equal(give(server, rows[i] + 1, rows[i][0]), TERN_ERR_FRAME_ENCODING);
    }
}

/* Each frame type in each packet type; [P §6] spelt out once more. */
static void frames_stay_in_their_packets(void **state)
{
    static const uint8_t app_only[] = {0x04, 0x05, 0x07, 0x08, 0x10, 0x11, 0x12, 0x13,
                                       0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x1b,
                                       0x1d, 0x1e, 0x1f, 0x20, 0x2d, 0x2e};
    static const unsigned early[] = {TERN_PACKET_INITIAL, TERN_PACKET_HANDSHAKE};
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(app_only); i++) {
        uint8_t payload[64] = {app_only[i]};
        if (app_only[i] == 0x07 || app_only[i] == 0x18 ||
            app_only[i] == 0x2e) { /* these must have a length */
            payload[1] = 1;
            payload[3] = 1;
        }
        for (size_t j = 0; j < TERN_COUNT_OF(early); j++) {
            handle = (struct tern_handle){
                .conn = server, .level = TERN_LEVEL_INITIAL, .packet_type = (uint8_t)early[j]};
            assert_int_equal(tern_handle_payload(&handle, payload, sizeof payload, k.now),
                             TERN_ERR_PROTOCOL);
            assert_int_equal(handle.frame_type, app_only[i]);
        }
    }
    assert_int_equal(server->streams.open_count, 0);
    assert_int_equal(server->life.state, TERN_LIFE_ESTABLISHED);
}

/* A fast start that runs into a short queue loses every other packet of thousands. */
static void holes_beyond_the_bound_are_as_good_as_lost(void **state)
{
    (void)state;
    int rc = 0;
    unsigned holes = 0;
    for (; rc == 0 && holes < 5000; holes++) {
        unsigned offset = 2 * holes + 1;
        const uint8_t piece[] = {0x0e, 0, 0x80, 0, (uint8_t)(offset >> 8), (uint8_t)offset, 1, 'x'};
        rc = give(server, piece, sizeof piece);
    }
    assert_int_equal(rc, TERN_ERR_AGAIN);
    assert_int_equal(holes, 4096 + 1);
    assert_int_equal(server->life.state, TERN_LIFE_ESTABLISHED);
    const uint8_t first[] = {0x0e, 0, 0x80, 0, 0, 0, 1, 'x'};
    assert_int_equal(give(server, first, sizeof first), 0); /* fills one, which makes room */
    const uint8_t again[] = {0x0e, 0, 0x80, 0, 0x20, 0x01, 1, 'x'};
    assert_int_equal(give(server, again, sizeof again), 0);
}

/* RFC 9000 §19.7, §19.20: only servers say these. */
static void a_client_does_not_speak_as_a_server(void **state)
{
    (void)state;
    const uint8_t done[] = {0x1e}, token[] = {0x07, 1, 0xaa};
    assert_int_equal(give(server, done, sizeof done), TERN_ERR_PROTOCOL);
    assert_int_equal(give(server, token, sizeof token), TERN_ERR_PROTOCOL);
    client->life.is_confirmed = false;
    assert_int_equal(give(client, done, sizeof done), 0);
    assert_true(client->life.is_confirmed);
    assert_int_equal(give(client, token, sizeof token), 0); /* ignored */
}

/* RFC 9000 §13.1 */
static void an_ack_for_what_was_never_sent_is_a_violation(void **state)
{
    (void)state;
    uint8_t payload[32];
    struct tern_writer w;
    struct tern_range range = {.start = 0, .end = 0};
    uint64_t next = server->spaces[TERN_LEVEL_APP].loss.sent.next_pn;
    range.end = next + 1;
    tern_writer_init(&w, payload, sizeof payload);
    tern_frame_encode_ack(&w, next, 0, &range, 1, NULL);
    assert_int_equal(give(server, payload, tern_writer_used(&w)), TERN_ERR_PROTOCOL);
    assert_non_null(handle.reason);
    range.end = next;
    tern_writer_init(&w, payload, sizeof payload);
    tern_frame_encode_ack(&w, next - 1, 0, &range, 1, NULL);
    assert_int_equal(give(server, payload, tern_writer_used(&w)), 0);
}

/* RFC 9000 §13.2.1, §9.1 */
static void what_a_payload_asks_for(void **state)
{
    static const struct {
        uint8_t payload[12];
        size_t len;
        bool is_eliciting, is_probing_only;
    } rows[] = {
        {{0}, 3, false, true},                                /* PADDING */
        {{1}, 1, true, false},                                /* PING */
        {{0x02, 0, 0, 0, 0}, 5, false, false},                /* ACK */
        {{0x1a, 1, 2, 3, 4, 5, 6, 7, 8}, 9, true, true},      /* PATH_CHALLENGE */
        {{0x1a, 1, 2, 3, 4, 5, 6, 7, 8, 1}, 10, true, false}, /* ... and PING */
        {{0, 0, 0x1b, 1, 2, 3, 4, 5, 6, 7, 8}, 11, true, true},
    };
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(rows); i++) {
        assert_int_equal(give(server, rows[i].payload, rows[i].len), 0);
        assert_int_equal(handle.is_eliciting, rows[i].is_eliciting);
        assert_int_equal(handle.is_probing_only, rows[i].is_probing_only);
    }
}

/* Nothing behind the frame that broke the rules has any effect. */
static void work_stops_at_the_first_error(void **state)
{
    (void)state;
    const uint8_t payload[] = {0x1e, 0x1a, 1, 2, 3, 4, 5, 6, 7, 8};
    assert_int_equal(give(server, payload, sizeof payload), TERN_ERR_PROTOCOL);
    assert_int_equal(handle.frame_type, 0x1e);
    assert_int_equal(server->path.response_count, 0);
}

/* A packet full of challenges owes four answers, and each leaves in a packet of its own. */
static void a_packet_of_challenges_makes_four_answers(void **state)
{
    (void)state;
    uint8_t payload[9 * 120];
    uint64_t bytes = k.side[CK_SERVER].heap.bytes;
    for (size_t i = 0; i < sizeof payload; i++) {
        payload[i] = i % 9 == 0 ? 0x1a : (uint8_t)(i / 9);
    }
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(give(server, payload, sizeof payload), 0);
    }
    assert_int_equal(server->path.response_count, TERN_PATH_RESPONSES_MAX);
    assert_int_equal(k.side[CK_SERVER].heap.bytes, bytes);
    size_t sent = 0;
    for (unsigned i = 0; i < 10; i++) { /* the pacer lets two leave at a time */
        sent += ck_lose(&k, CK_SERVER);
        k.now += 100 * TERN_MSEC;
    }
    assert_int_equal(sent, TERN_PATH_RESPONSES_MAX);
    assert_int_equal(server->path.response_count, 0);
}

static int flood_with_new_ids(unsigned *given)
{
    for (unsigned i = 4; i < 1000; i++, (*given)++) {
        uint8_t payload[64];
        struct tern_writer w;
        const struct tern_cid cid = {.len = 8, .bytes = {9, (uint8_t)i, (uint8_t)(i >> 8)}};
        const uint8_t token[TERN_RESET_TOKEN_SIZE] = {(uint8_t)i};
        tern_writer_init(&w, payload, sizeof payload);
        tern_frame_encode_new_connection_id(&w, i, i, &cid, token);
        int rc = give(server, payload, tern_writer_used(&w));
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

/* CVE-2024-22189 */
static void a_flood_of_identifiers_ends_it(void **state)
{
    (void)state;
    unsigned given = 0;
    uint64_t bytes = k.side[CK_SERVER].heap.bytes;
    assert_int_equal(flood_with_new_ids(&given), TERN_ERR_CONNECTION_ID_LIMIT);
    assert_int_equal(handle.frame_type, 0x18);
    assert_true(given <= TERN_CIDS_RETIRE_MAX);
    assert_int_equal(k.side[CK_SERVER].heap.bytes, bytes);
}

/* CRYPTO after the handshake is counted, and has an end. */
static void crypto_without_end_has_one(void **state)
{
    (void)state;
    static const uint8_t text[1000];
    int rc = 0;
    uint64_t offset = 0;
    for (; rc == 0 && offset < 100000; offset += sizeof text) {
        uint8_t payload[1100];
        struct tern_writer w;
        tern_writer_init(&w, payload, sizeof payload);
        tern_frame_encode_crypto(&w, offset, text, sizeof text);
        rc = give(client, payload, tern_writer_used(&w));
    }
    assert_int_equal(rc, TERN_ERR_CRYPTO_BUFFER);
    assert_int_equal(offset, 5000);
}

/* RFC 9000 §19.16: a number that was never sent cannot be retired, though it may be reserved already. */
static void what_was_never_said_is_not_retired(void **state)
{
    (void)state;
    uint8_t payload[] = {0x19, 0};
    uint64_t next = server->cids.next_sequence;
    struct tern_handle h = {.conn = server,
                            .level = TERN_LEVEL_APP,
                            .packet_type = TERN_PACKET_ONE_RTT,
                            .dcid = tern_cids_find_local(&server->cids, 0)->cid};
    payload[1] = (uint8_t)next;
    assert_int_equal(tern_handle_payload(&h, payload, sizeof payload, k.now), TERN_ERR_PROTOCOL);
    payload[1] = (uint8_t)(next - 1); /* said, and one takes its place that is not yet */
    assert_int_equal(tern_handle_payload(&h, payload, sizeof payload, k.now), 0);
    assert_int_equal(server->cids.next_sequence, next + 1);
    payload[1] = (uint8_t)next;
    assert_int_equal(tern_handle_payload(&h, payload, sizeof payload, k.now), TERN_ERR_PROTOCOL);
    assert_true(ck_carry(&k, CK_SERVER) > 0);
    assert_int_equal(tern_handle_payload(&h, payload, sizeof payload, k.now), 0);
}

/* RFC 9000 §19.16: it may not retire the identifier that it came to. */
static void an_identifier_does_not_retire_itself(void **state)
{
    (void)state;
    const uint8_t first[] = {0x19, 0}, never[] = {0x19, 63};
    struct tern_handle h = {.conn = server,
                            .level = TERN_LEVEL_APP,
                            .packet_type = TERN_PACKET_ONE_RTT,
                            .dcid = tern_cids_find_local(&server->cids, 0)->cid};
    assert_int_equal(tern_handle_payload(&h, first, sizeof first, k.now), TERN_ERR_PROTOCOL);
    assert_int_equal(tern_handle_payload(&h, never, sizeof never, k.now), TERN_ERR_PROTOCOL);
    h.dcid = tern_cids_find_local(&server->cids, 1)->cid;
    assert_int_equal(tern_handle_payload(&h, first, sizeof first, k.now), 0);
    assert_null(tern_cids_find_local(&server->cids, 0));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(a_packet_without_frames_is_a_violation, one_setup_ready,
                                    one_teardown),
    cmocka_unit_test_setup_teardown(unknown_frames_do_not_decode, one_setup_ready, one_teardown),
    cmocka_unit_test_setup_teardown(frames_stay_in_their_packets, one_setup_ready, one_teardown),
    cmocka_unit_test_setup_teardown(holes_beyond_the_bound_are_as_good_as_lost, one_setup_ready,
                                    one_teardown),
    cmocka_unit_test_setup_teardown(a_client_does_not_speak_as_a_server, one_setup_ready,
                                    one_teardown),
    cmocka_unit_test_setup_teardown(an_ack_for_what_was_never_sent_is_a_violation, one_setup_ready,
                                    one_teardown),
    cmocka_unit_test_setup_teardown(what_a_payload_asks_for, one_setup_ready, one_teardown),
    cmocka_unit_test_setup_teardown(work_stops_at_the_first_error, one_setup_ready, one_teardown),
    cmocka_unit_test_setup_teardown(a_packet_of_challenges_makes_four_answers, one_setup_ready,
                                    one_teardown),
    cmocka_unit_test_setup_teardown(a_flood_of_identifiers_ends_it, one_setup_ready, one_teardown),
    cmocka_unit_test_setup_teardown(crypto_without_end_has_one, one_setup_ready, one_teardown),
    cmocka_unit_test_setup_teardown(what_was_never_said_is_not_retired, one_setup_ready,
                                    one_teardown),
    cmocka_unit_test_setup_teardown(an_identifier_does_not_retire_itself, one_setup_ready,
                                    one_teardown),
};

TERN_TEST_MAIN(tests)
