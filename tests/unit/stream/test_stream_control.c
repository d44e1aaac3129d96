/* Control frames: when they are owed, with which value, and what their loss means.
 * SPDX-License-Identifier: MIT */
#include "stream_kit.h"

static void begin(struct kit_side *side)
{
    struct tern_streams_config mine = kit_config(true), peers = kit_config(false);
    kit_side_init(side, &mine);
    kit_grant(side, &peers);
}

static struct tern_stream *peer_stream(struct kit_side *side, uint64_t id, size_t len)
{
    assert_int_equal(kit_data(side, id, 0, len, false), 0);
    return tern_streams_find(&side->t, id);
}

static void read_exactly(struct kit_side *side, struct tern_stream *s, size_t len)
{
    static uint8_t buf[70000];
    assert_int_equal(tern_streams_read(&side->t, s, buf, len), len);
}

static void stream_credit_is_owed_at_an_eighth(void **state)
{
    (void)state;
    struct kit_side side;
    begin(&side);
    struct tern_stream *s = peer_stream(&side, 0, 4096);
    read_exactly(&side, s, 511);
    kit_no_control(&side);
    read_exactly(&side, s, 1);
    struct tern_stream_control c;
    assert_true(tern_streams_next_control(&side.t, &c));
    assert_true(c.kind == TERN_CONTROL_MAX_STREAM_DATA && c.id == 0 && c.value == 4608);
    read_exactly(&side, s, 100);
    assert_true(tern_streams_next_control(&side.t, &c));
    assert_int_equal(c.value, 4708); /* lent anew with what is true now */
    assert_int_equal(kit_data(&side, 0, 4096, 1, false), TERN_ERR_FLOW_CONTROL);
    tern_streams_on_control_sent(&side.t, &c);
    kit_no_control(&side);
    assert_int_equal(kit_data(&side, 0, 4096, 612, false), 0);
    kit_side_clear(&side);
}

static void lost_credit_is_renewed_unless_stale(void **state)
{
    (void)state;
    struct kit_side side;
    begin(&side);
    struct tern_stream *s = peer_stream(&side, 0, 4096);
    read_exactly(&side, s, 512);
    struct tern_stream_control old = kit_control(&side, TERN_CONTROL_MAX_STREAM_DATA);
    read_exactly(&side, s, 200);
    tern_streams_on_control_lost(&side.t, &old);
    struct tern_stream_control now = kit_control(&side, TERN_CONTROL_MAX_STREAM_DATA);
    assert_int_equal(now.value, 4808); /* with the present value */
    tern_streams_on_control_lost(&side.t, &old);
    kit_no_control(&side); /* a larger one has left since */
    tern_streams_on_control_lost(&side.t, &now);
    assert_int_equal(kit_data(&side, 0, 4096, 0, true), 0);
    kit_no_control(&side); /* the final size is known: no more credit needed */
    tern_streams_on_control_lost(&side.t, &now);
    kit_no_control(&side);
    kit_side_clear(&side);
}

static void connection_credit_is_owed_at_an_eighth(void **state)
{
    (void)state;
    struct kit_side side;
    begin(&side);
    for (uint64_t id = 0; id < 16; id += 4) {
        assert_int_equal(kit_data(&side, id, 0, 600, true), 0);
    }
    uint64_t read = 0;
    for (uint64_t id = 0; id < 12; id += 4) {
        read_exactly(&side, tern_streams_find(&side.t, id), 600);
        read += 600;
    }
    kit_no_control(&side);
    read_exactly(&side, tern_streams_find(&side.t, 12), 2048 - read);
    struct tern_stream_control c = kit_control(&side, TERN_CONTROL_MAX_DATA);
    assert_int_equal(c.value, 16384 + 2048);
    tern_streams_on_control_lost(&side.t, &c);
    struct tern_stream_control again = kit_control(&side, TERN_CONTROL_MAX_DATA);
    assert_int_equal(again.value, c.value);
    c.value--; /* as if an older one: a larger has left since */
    tern_streams_on_control_lost(&side.t, &c);
    kit_no_control(&side);
    tern_streams_on_control_acked(&side.t, &again);
    kit_no_control(&side);
    kit_side_clear(&side);
}

/* Half a window (and a byte) arrives in each step and is read at once. RTT: 10 ms. */
static uint64_t window_after(tern_time step, uint64_t *conn_window)
{
    struct kit_side side;
    static uint8_t buf[70000];
    begin(&side);
    struct tern_stream *s = peer_stream(&side, 0, 0);
    tern_time now = TERN_SEC;
    for (int i = 0; i < 40; i++, now += step) {
        uint64_t len = s->in_flow.window / 2 + 1;
        int err = tern_streams_on_stream(&side.t, 0, s->in_flow.received, buf, len, false,
                                         10 * TERN_MSEC, now);
        assert_int_equal(err, 0);
        read_exactly(&side, s, len);
        struct tern_stream_control c;
        while (tern_streams_next_control(&side.t, &c)) {
            tern_streams_on_control_sent(&side.t, &c);
        }
    }
    uint64_t window = s->in_flow.window;
    *conn_window = side.t.conn_in.window;
    kit_side_clear(&side);
    return window;
}

/* Row 20 of the protocol notes: half of the window in less than two round trips doubles it, on both
 * levels, up to the cap; a slower reader leaves it alone. */
static void windows_grow_with_the_reader(void **state)
{
    (void)state;
    uint64_t conn_window = 0;
    assert_int_equal(window_after(10 * TERN_MSEC, &conn_window), 65536);
    assert_int_equal(conn_window, 131072); /* what this speed needs; its cap is higher */
    assert_int_equal(window_after(20 * TERN_MSEC, &conn_window), 4096);
    assert_int_equal(conn_window, 16384);
}

static void reset_is_sent_until_acknowledged(void **state)
{
    (void)state;
    struct kit_side side;
    begin(&side);
    struct tern_stream *s = NULL;
    assert_int_equal(tern_streams_open(&side.t, TERN_STREAM_UNI, &s), 0);
    assert_int_equal(kit_write(&side, s, 0, 500, TERN_FIN), 500);
    struct tern_stream_chunk sent = kit_send(&side, 300);
    assert_int_equal(tern_streams_reset(&side.t, s, 42), 0);
    assert_int_equal(tern_streams_reset(&side.t, s, 43), 0); /* nothing more to give up */
    struct tern_stream_control c = kit_control(&side, TERN_CONTROL_RESET_STREAM);
    assert_true(c.id == 3 && c.value == 42 && c.extra == 300);
    kit_no_control(&side);
    tern_streams_on_control_lost(&side.t, &c);
    struct tern_stream_control again = kit_control(&side, TERN_CONTROL_RESET_STREAM);
    assert_true(again.value == 42 && again.extra == 300);
    /* receipts of its data mean nothing any more */
    tern_streams_on_chunk_acked(&side.t, sent.id, sent.offset, sent.len, sent.fin);
    assert_int_equal(tern_streams_on_chunk_lost(&side.t, sent.id, sent.offset, sent.len, sent.fin),
                     0);
    assert_false(tern_streams_has_data(&side.t));
    kit_expect_none(&side);
    tern_streams_on_control_acked(&side.t, &again);
    tern_streams_on_control_acked(&side.t, &c);
    assert_ptr_equal(kit_expect(&side, TERN_STREAM_IS_CLOSED), s);
    tern_streams_on_control_lost(&side.t, &c);
    kit_no_control(&side);
    kit_side_clear(&side);
}

static void stop_sending_is_renewed_while_it_matters(void **state)
{
    (void)state;
    struct kit_side side;
    begin(&side);
    struct tern_stream *s = peer_stream(&side, 2, 100);
    assert_int_equal(tern_streams_stop(&side.t, s, 8), 0);
    assert_int_equal(tern_streams_stop(&side.t, s, 9), 0);
    struct tern_stream_control c = kit_control(&side, TERN_CONTROL_STOP_SENDING);
    assert_true(c.id == 2 && c.value == 8);
    kit_no_control(&side);
    tern_streams_on_control_lost(&side.t, &c);
    kit_control(&side, TERN_CONTROL_STOP_SENDING);
    tern_streams_on_control_lost(&side.t, &c);
    assert_int_equal(tern_streams_on_reset(&side.t, 2, 8, 100), 0);
    kit_no_control(&side);
    tern_streams_on_control_lost(&side.t, &c);
    kit_no_control(&side);
    kit_expect(&side, TERN_STREAM_HAS_OPENED);
    kit_expect(&side, TERN_STREAM_IS_CLOSED);
    kit_side_clear(&side);
}

static void blocked_goes_away_with_new_credit(void **state)
{
    (void)state;
    struct kit_side side;
    begin(&side);
    struct tern_stream *s = NULL;
    assert_int_equal(tern_streams_open(&side.t, TERN_STREAM_UNI, &s), 0);
    assert_int_equal(kit_write(&side, s, 0, 5000, 0), 5000);
    kit_send(&side, 5000);
    assert_int_equal(tern_streams_on_max_stream_data(&side.t, 3, 9000), 0);
    kit_no_control(&side); /* it was owed for a moment, and never left */
    assert_int_equal(kit_send(&side, 5000).len, 904);
    kit_no_control(&side); /* no bytes left: not blocked */
    kit_side_clear(&side);
}

static void receipts_of_unknown_streams_are_ignored(void **state)
{
    (void)state;
    struct kit_side side;
    begin(&side);
    for (unsigned kind = 0; kind <= TERN_CONTROL_STREAM_DATA_BLOCKED; kind++) {
        struct tern_stream_control c = {(enum tern_stream_control_kind)kind, 400, 1, 1};
        tern_streams_on_control_sent(&side.t, &c);
        tern_streams_on_control_lost(&side.t, &c);
        tern_streams_on_control_acked(&side.t, &c);
    }
    tern_streams_on_chunk_acked(&side.t, 400, 0, 10, true);
    assert_int_equal(tern_streams_on_chunk_lost(&side.t, 400, 0, 10, true), 0);
    kit_no_control(&side);
    kit_side_clear(&side);
}

/* What came early is marked; of a stream that is gone there is nothing to mark. */
static void early_bytes_are_marked_where_there_is_a_stream(void **state)
{
    (void)state;
    struct kit_side side;
    begin(&side);
    struct tern_stream *s = peer_stream(&side, 0, 100);
    tern_streams_on_early(&side.t, 8, 50);
    assert_null(tern_streams_find(&side.t, 8));
    assert_false(tern_streams_is_early(s));
    tern_streams_on_early(&side.t, 0, 50);
    tern_streams_on_early(&side.t, 0, 20); /* a repeat */
    assert_true(tern_streams_is_early(s));
    read_exactly(&side, s, 49);
    assert_true(tern_streams_is_early(s));
    read_exactly(&side, s, 1);
    assert_false(tern_streams_is_early(s));
    kit_side_clear(&side);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(early_bytes_are_marked_where_there_is_a_stream),
    cmocka_unit_test(stream_credit_is_owed_at_an_eighth),
    cmocka_unit_test(lost_credit_is_renewed_unless_stale),
    cmocka_unit_test(connection_credit_is_owed_at_an_eighth),
    cmocka_unit_test(windows_grow_with_the_reader),
    cmocka_unit_test(reset_is_sent_until_acknowledged),
    cmocka_unit_test(stop_sending_is_renewed_while_it_matters),
    cmocka_unit_test(blocked_goes_away_with_new_credit),
    cmocka_unit_test(receipts_of_unknown_streams_are_ignored),
};

TERN_TEST_MAIN(tests)
