/* The application's calls: what they return in which state.
 * SPDX-License-Identifier: MIT */
#include "stream_kit.h"

static void begin(struct kit_side *side)
{
    struct tern_streams_config mine = kit_config(true), peers = kit_config(false);
    kit_side_init(side, &mine);
    kit_grant(side, &peers);
}

static struct tern_stream *peer_stream(struct kit_side *side, uint64_t id, size_t len, bool fin)
{
    assert_int_equal(kit_data(side, id, 0, len, fin), 0);
    return tern_streams_find(&side->t, id);
}

static ptrdiff_t take(struct kit_side *side, struct tern_stream *s, size_t len)
{
    static uint8_t buf[70000];
    uint64_t at = s->in.read;
    ptrdiff_t n = tern_streams_read(&side->t, s, buf, len);
    assert_true(n < 0 || kit_matches(buf, s->id, at, (size_t)n));
    return n;
}

static void halves_that_do_not_exist(void **state)
{
    (void)state;
    struct kit_side side;
    struct tern_stream *mine = NULL;
    const uint8_t *data = NULL;
    size_t len = 0;
    begin(&side);
    assert_int_equal(tern_streams_open(&side.t, TERN_STREAM_UNI, &mine), 0);
    assert_int_equal(take(&side, mine, 1), TERN_ERR_STATE);
    assert_int_equal(tern_streams_peek(&side.t, mine, &data, &len), TERN_ERR_STATE);
    assert_int_equal(tern_streams_consume(&side.t, mine, 0), TERN_ERR_STATE);
    assert_int_equal(tern_streams_stop(&side.t, mine, 0), TERN_ERR_STATE);
    struct tern_stream *theirs = peer_stream(&side, 2, 1, false);
    assert_int_equal(kit_write(&side, theirs, 0, 1, 0), TERN_ERR_STATE);
    assert_int_equal(tern_streams_write_ref(&side.t, theirs, "x", 1, NULL, NULL, 0),
                     TERN_ERR_STATE);
    assert_int_equal(tern_streams_writable(&side.t, theirs), 0);
    assert_int_equal(tern_streams_reset(&side.t, theirs, 0), TERN_ERR_STATE);
    kit_side_clear(&side);
}

static void read_says_why_nothing_is_there(void **state)
{
    (void)state;
    struct kit_side side;
    begin(&side);
    struct tern_stream *s = peer_stream(&side, 0, 10, false);
    assert_int_equal(take(&side, s, 0), TERN_ERR_INVALID);
    assert_int_equal(take(&side, s, 4), 4);
    assert_int_equal(take(&side, s, 100), 6);
    assert_int_equal(take(&side, s, 100), TERN_ERR_AGAIN);
    assert_int_equal(kit_data(&side, 0, 10, 5, true), 0);
    assert_int_equal(take(&side, s, 100), 5);
    assert_int_equal(s->recv, TERN_RECV_OPEN); /* the end itself was not yet read */
    assert_int_equal(take(&side, s, 100), 0);
    assert_int_equal(s->recv, TERN_RECV_DONE);
    assert_int_equal(take(&side, s, 100), 0);
    kit_side_clear(&side);
}

static void read_crosses_pages(void **state)
{
    (void)state;
    struct kit_side side;
    struct tern_streams_config mine = kit_config(true);
    mine.stream_window = mine.conn_window = 65536;
    kit_side_init(&side, &mine);
    struct tern_stream *s = peer_stream(&side, 0, 60000, true);
    assert_int_equal(take(&side, s, 70000), 60000);
    assert_int_equal(take(&side, s, 70000), 0);
    kit_side_clear(&side);
}

static void peek_and_consume(void **state)
{
    (void)state;
    struct kit_side side;
    const uint8_t *data = NULL;
    size_t len = 0;
    begin(&side);
    struct tern_stream *s = peer_stream(&side, 2, 10, false);
    assert_int_equal(tern_streams_peek(&side.t, s, &data, &len), 0);
    assert_true(len == 10 && kit_matches(data, 2, 0, 10));
    assert_int_equal(tern_streams_consume(&side.t, s, 11), TERN_ERR_INVALID);
    assert_int_equal(tern_streams_consume(&side.t, s, 0), 0);
    assert_int_equal(tern_streams_consume(&side.t, s, 10), 0);
    assert_int_equal(tern_streams_peek(&side.t, s, &data, &len), TERN_ERR_AGAIN);
    assert_int_equal(tern_streams_consume(&side.t, s, 0), 0);
    assert_int_equal(tern_streams_consume(&side.t, s, 1), TERN_ERR_INVALID);
    assert_int_equal(s->recv, TERN_RECV_OPEN);
    assert_int_equal(kit_data(&side, 2, 10, 0, true), 0);
    data = NULL;
    assert_int_equal(tern_streams_peek(&side.t, s, &data, &len), 0);
    assert_true(len == 0 && data != NULL && s->recv == TERN_RECV_OPEN);
    assert_int_equal(tern_streams_consume(&side.t, s, 1), TERN_ERR_INVALID);
    assert_int_equal(tern_streams_consume(&side.t, s, 0), 0);
    assert_int_equal(s->recv, TERN_RECV_DONE);
    kit_expect(&side, TERN_STREAM_HAS_OPENED);
    assert_ptr_equal(kit_expect(&side, TERN_STREAM_IS_CLOSED), s);
    kit_side_clear(&side);
}

/* Who reads just the bytes that were announced still hears of the end. */
static void the_end_is_announced(void **state)
{
    (void)state;
    struct kit_side side;
    begin(&side);
    struct tern_stream *s = peer_stream(&side, 2, 10, true);
    kit_expect(&side, TERN_STREAM_HAS_OPENED);
    kit_expect(&side, TERN_STREAM_IS_READABLE);
    assert_int_equal(take(&side, s, 10), 10);
    assert_ptr_equal(kit_expect(&side, TERN_STREAM_IS_READABLE), s);
    assert_int_equal(take(&side, s, 10), 0);
    assert_ptr_equal(kit_expect(&side, TERN_STREAM_IS_CLOSED), s);
    kit_expect_none(&side);
    kit_side_clear(&side);
}

static void events_about_read_bytes_are_withdrawn(void **state)
{
    (void)state;
    struct kit_side side;
    begin(&side);
    struct tern_stream *s = peer_stream(&side, 2, 10, false);
    kit_expect(&side, TERN_STREAM_HAS_OPENED);
    assert_int_equal(take(&side, s, 10), 10);
    kit_expect_none(&side);
    kit_side_clear(&side);
}

static void write_ends_with_fin_and_reset(void **state)
{
    (void)state;
    struct kit_side side;
    struct tern_stream *s = NULL;
    begin(&side);
    assert_int_equal(tern_streams_open(&side.t, TERN_STREAM_BIDI, &s), 0);
    assert_int_equal(kit_write(&side, s, 0, 0, 0), 0);
    assert_false(tern_streams_has_data(&side.t));
    assert_int_equal(kit_write(&side, s, 0, 10, TERN_FIN), 10);
    assert_int_equal(kit_write(&side, s, 10, 1, 0), TERN_ERR_STATE);
    assert_int_equal(kit_write(&side, s, 10, 0, TERN_FIN), TERN_ERR_STATE);
    assert_int_equal(tern_streams_writable(&side.t, s), 0);
    assert_int_equal(tern_streams_reset(&side.t, s, 1), 0);
    assert_int_equal(kit_write(&side, s, 10, 1, 0), TERN_ERR_STATE);
    assert_false(tern_streams_has_data(&side.t));
    kit_side_clear(&side);
}

static void count_release(void *arg, const void *data, size_t len)
{
    (void)data;
    *(size_t *)arg += len + 1;
}

static void lent_bytes_come_back(void **state)
{
    (void)state;
    struct kit_side side;
    struct tern_stream *s = NULL;
    static uint8_t bytes[70000];
    size_t back = 0;
    begin(&side);
    assert_int_equal(tern_streams_open(&side.t, TERN_STREAM_BIDI, &s), 0);
    kit_fill(bytes, s->id, 0, sizeof bytes);
    assert_int_equal(tern_streams_write_ref(&side.t, s, bytes, 3000, count_release, &back, 0),
                     3000);
    struct tern_stream_chunk c = kit_send(&side, 3000);
    tern_streams_on_chunk_acked(&side.t, c.id, c.offset, c.len, c.fin);
    assert_int_equal(back, 3001);
    assert_int_equal(
        tern_streams_write_ref(&side.t, s, bytes + 3000, 60000, count_release, &back, 0), 60000);
    assert_int_equal(
        tern_streams_write_ref(&side.t, s, bytes, 6000, count_release, &back, TERN_FIN), 0);
    assert_int_equal(s->send, TERN_SEND_OPEN);
    assert_int_equal(tern_streams_write_ref(&side.t, s, bytes, 0, count_release, &back, TERN_FIN),
                     0);
    assert_int_equal(back, 3002); /* nothing lent, nothing to wait for */
    assert_int_equal(tern_streams_reset(&side.t, s, 1), 0);
    assert_int_equal(back, 63003); /* given up: all comes back at once */
    kit_side_clear(&side);
}

static void writable_waits_for_the_size_of_a_loan(void **state)
{
    (void)state;
    struct kit_side side;
    struct tern_stream *s = NULL;
    static uint8_t bytes[70000];
    begin(&side);
    assert_int_equal(tern_streams_open(&side.t, TERN_STREAM_BIDI, &s), 0);
    tern_streams_on_max_data(&side.t, 1000000);
    assert_int_equal(tern_streams_on_max_stream_data(&side.t, 1, 1000000), 0);
    kit_fill(bytes, s->id, 0, sizeof bytes);
    assert_int_equal(kit_write(&side, s, 0, 60000, 0), 60000);
    assert_int_equal(tern_streams_write_ref(&side.t, s, bytes, 50000, NULL, NULL, 0), 0);
    struct tern_stream_chunk a = kit_send(&side, 40000), b = kit_send(&side, 10000);
    tern_streams_on_chunk_acked(&side.t, a.id, a.offset, a.len, a.fin);
    kit_expect_none(&side);
    tern_streams_on_chunk_acked(&side.t, b.id, b.offset, b.len, b.fin);
    kit_expect(&side, TERN_STREAM_IS_WRITABLE);
    assert_int_equal(tern_streams_write_ref(&side.t, s, bytes, 50000, NULL, NULL, 0), 50000);
    kit_side_clear(&side);
}

/* After stop, what arrives is counted and thrown away; the connection's credit comes back. */
static void stopped_streams_discard(void **state)
{
    (void)state;
    struct kit_side side;
    begin(&side);
    struct tern_stream *s = peer_stream(&side, 2, 1000, false);
    kit_expect(&side, TERN_STREAM_HAS_OPENED);
    assert_int_equal(tern_streams_stop(&side.t, s, 3), 0);
    kit_expect_none(&side); /* READABLE is gone */
    assert_int_equal(side.t.conn_in.consumed, 1000);
    assert_int_equal(kit_data(&side, 2, 3000, 1000, false), 0);
    assert_int_equal(side.t.conn_in.received, 4000);
    assert_int_equal(side.t.conn_in.consumed, 4000);
    assert_int_equal(take(&side, s, 1), TERN_ERR_STATE);
    kit_expect_none(&side);
    assert_int_equal(side.pages.kept, 1);
    assert_int_equal(kit_data(&side, 2, 4000, 0, true), 0);
    assert_ptr_equal(kit_expect(&side, TERN_STREAM_IS_CLOSED), s);
    struct tern_stream_control c;
    while (tern_streams_next_control(&side.t, &c)) { /* STOP_SENDING is pointless now */
        assert_int_equal(c.kind, TERN_CONTROL_MAX_DATA);
        tern_streams_on_control_sent(&side.t, &c);
    }
    kit_side_clear(&side);
}

static void stop_after_the_final_size_ends_the_half(void **state)
{
    (void)state;
    struct kit_side side;
    begin(&side);
    struct tern_stream *s = peer_stream(&side, 2, 10, true);
    assert_int_equal(tern_streams_stop(&side.t, s, 3), 0);
    kit_no_control(&side);
    assert_int_equal(s->recv, TERN_RECV_DONE);
    struct tern_stream *r = peer_stream(&side, 6, 10, false);
    assert_int_equal(tern_streams_on_reset(&side.t, 6, 1, 10), 0);
    assert_int_equal(tern_streams_stop(&side.t, r, 3), 0);
    assert_int_equal(r->recv, TERN_RECV_DONE);
    kit_no_control(&side);
    kit_side_clear(&side);
}

static void peek_and_consume_take_note_of_a_reset(void **state)
{
    (void)state;
    struct kit_side side;
    const uint8_t *data = NULL;
    size_t len = 1;
    begin(&side);
    for (uint64_t id = 2; id <= 6; id += 4) {
        struct tern_stream *s = peer_stream(&side, id, 10, false);
        assert_int_equal(tern_streams_on_reset(&side.t, id, 1, 10), 0);
        int err = id == 2 ? tern_streams_peek(&side.t, s, &data, &len)
                          : tern_streams_consume(&side.t, s, 5);
        assert_int_equal(err, TERN_ERR_RESET);
        assert_int_equal(s->recv, TERN_RECV_DONE);
    }
    kit_side_clear(&side);
}

/* A bidi stream is closed when both halves are. */
static void both_halves_must_end(void **state)
{
    (void)state;
    struct kit_side side;
    begin(&side);
    struct tern_stream *s = peer_stream(&side, 0, 10, true);
    kit_expect(&side, TERN_STREAM_HAS_OPENED);
    assert_int_equal(take(&side, s, 100), 10);
    assert_int_equal(take(&side, s, 100), 0);
    kit_expect_none(&side);
    assert_int_equal(kit_write(&side, s, 0, 10, TERN_FIN), 10);
    struct tern_stream_chunk c = kit_send(&side, 100);
    kit_expect_none(&side);
    tern_streams_on_chunk_acked(&side.t, c.id, c.offset, c.len, c.fin);
    assert_ptr_equal(kit_expect(&side, TERN_STREAM_IS_CLOSED), s);
    kit_side_clear(&side);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(halves_that_do_not_exist),
    cmocka_unit_test(read_says_why_nothing_is_there),
    cmocka_unit_test(read_crosses_pages),
    cmocka_unit_test(peek_and_consume),
    cmocka_unit_test(the_end_is_announced),
    cmocka_unit_test(events_about_read_bytes_are_withdrawn),
    cmocka_unit_test(write_ends_with_fin_and_reset),
    cmocka_unit_test(lent_bytes_come_back),
    cmocka_unit_test(writable_waits_for_the_size_of_a_loan),
    cmocka_unit_test(stopped_streams_discard),
    cmocka_unit_test(stop_after_the_final_size_ends_the_half),
    cmocka_unit_test(peek_and_consume_take_note_of_a_reset),
    cmocka_unit_test(both_halves_must_end),
};

TERN_TEST_MAIN(tests)
