/* Chunks: order, cutting, credit at both levels, what loss and acknowledgement do.
 * SPDX-License-Identifier: MIT */
#include "stream_kit.h"

static void begin(struct kit_side *side)
{
    struct tern_streams_config mine = kit_config(false), peers = kit_config(true);
    kit_side_init(side, &mine);
    kit_grant(side, &peers);
}

static struct tern_stream *open_bidi(struct kit_side *side)
{
    struct tern_stream *s = NULL;
    assert_int_equal(tern_streams_open(&side->t, TERN_STREAM_BIDI, &s), 0);
    return s;
}

static void ack(struct kit_side *side, const struct tern_stream_chunk *c)
{
    tern_streams_on_chunk_acked(&side->t, c->id, c->offset, c->len, c->fin);
}

static void lose(struct kit_side *side, const struct tern_stream_chunk *c)
{
    assert_int_equal(tern_streams_on_chunk_lost(&side->t, c->id, c->offset, c->len, c->fin), 0);
}

static void nothing_to_send_at_first(void **state)
{
    (void)state;
    struct kit_side side;
    struct tern_stream_chunk c;
    begin(&side);
    open_bidi(&side);
    assert_false(tern_streams_has_data(&side.t));
    assert_false(tern_streams_next_chunk(&side.t, &c));
    kit_side_clear(&side);
}

static void lending_takes_nothing(void **state)
{
    (void)state;
    struct kit_side side;
    struct tern_stream_chunk a, b;
    begin(&side);
    struct tern_stream *s = open_bidi(&side);
    assert_int_equal(kit_write(&side, s, 0, 100, TERN_FIN), 100);
    assert_true(tern_streams_next_chunk(&side.t, &a));
    assert_true(tern_streams_next_chunk(&side.t, &b));
    assert_true(a.offset == 0 && a.len == 100 && a.fin && a.is_new);
    assert_true(b.offset == 0 && b.len == 100 && b.fin && b.is_new);
    tern_stream_chunk_cut(&b, 100);
    assert_true(b.fin);
    tern_stream_chunk_cut(&b, 99);
    assert_true(b.len == 99 && !b.fin);
    kit_side_clear(&side);
}

static void fin_leaves_with_the_last_byte_or_alone(void **state)
{
    (void)state;
    struct kit_side side;
    begin(&side);
    struct tern_stream *s = open_bidi(&side);
    assert_int_equal(kit_write(&side, s, 0, 100, 0), 100);
    struct tern_stream_chunk a = kit_send(&side, 60), b = kit_send(&side, 60);
    assert_true(!a.fin && !b.fin && b.offset == 60 && b.len == 40);
    assert_int_equal(kit_write(&side, s, 100, 0, TERN_FIN), 0);
    struct tern_stream_chunk c = kit_send(&side, 60);
    assert_true(c.fin && c.offset == 100 && c.len == 0);
    assert_false(tern_streams_has_data(&side.t));
    lose(&side, &c);
    struct tern_stream_chunk d = kit_send(&side, 60);
    assert_true(d.fin && d.offset == 100 && d.len == 0);
    lose(&side, &b);
    struct tern_stream_chunk e = kit_send(&side, 1000);
    assert_true(e.fin && e.offset == 60 && e.len == 40 && !e.is_new); /* together this time */
    ack(&side, &e);
    assert_int_equal(s->send, TERN_SEND_FIN);
    ack(&side, &a);
    assert_int_equal(s->send, TERN_SEND_DONE);
    ack(&side, &d);
    lose(&side, &c);
    assert_false(tern_streams_has_data(&side.t));
    assert_int_equal(side.t.bytes_sent, 100);
    assert_int_equal(side.t.bytes_resent, 40);
    kit_side_clear(&side);
}

static void an_empty_stream_ends(void **state)
{
    (void)state;
    struct kit_side side;
    begin(&side);
    struct tern_stream *s = open_bidi(&side);
    assert_int_equal(kit_write(&side, s, 0, 0, TERN_FIN), 0);
    struct tern_stream_chunk c = kit_send(&side, 100);
    assert_true(c.fin && c.len == 0 && c.offset == 0);
    ack(&side, &c);
    assert_int_equal(s->send, TERN_SEND_DONE);
    kit_side_clear(&side);
}

static void stream_credit_holds_back(void **state)
{
    (void)state;
    struct kit_side side;
    begin(&side);
    struct tern_stream *s = open_bidi(&side);
    assert_int_equal(kit_write(&side, s, 0, 5000, TERN_FIN), 5000);
    kit_no_control(&side);
    struct tern_stream_chunk c = kit_send(&side, 70000);
    assert_true(c.len == 4096 && !c.fin);
    assert_false(tern_streams_has_data(&side.t));
    struct tern_stream_control b = kit_control(&side, TERN_CONTROL_STREAM_DATA_BLOCKED);
    assert_int_equal(b.value, 4096);
    kit_no_control(&side);
    tern_streams_on_control_lost(&side.t, &b);
    kit_control(&side, TERN_CONTROL_STREAM_DATA_BLOCKED);
    assert_int_equal(tern_streams_on_max_stream_data(&side.t, 0, 4000), 0); /* less: ignored */
    assert_false(tern_streams_has_data(&side.t));
    assert_int_equal(tern_streams_on_max_stream_data(&side.t, 0, 4097), 0);
    assert_int_equal(kit_send(&side, 70000).len, 1);
    tern_streams_on_control_lost(&side.t, &b); /* of an old limit */
    assert_int_equal(kit_control(&side, TERN_CONTROL_STREAM_DATA_BLOCKED).value, 4097);
    kit_no_control(&side);
    assert_int_equal(tern_streams_on_max_stream_data(&side.t, 0, 10000), 0);
    c = kit_send(&side, 70000);
    assert_true(c.len == 903 && c.fin);
    kit_side_clear(&side);
}

/* Resends use no credit, so they go out even where new data must wait. */
static void connection_credit_holds_back_only_new_data(void **state)
{
    (void)state;
    struct kit_side side;
    struct tern_stream *s[4];
    begin(&side);
    for (int i = 0; i < 4; i++) {
        s[i] = open_bidi(&side);
        assert_int_equal(tern_streams_on_max_stream_data(&side.t, s[i]->id, 8000), 0);
        assert_int_equal(kit_write(&side, s[i], 0, 8000, 0), 8000);
    }
    struct tern_stream_chunk first = kit_send(&side, 70000);
    assert_int_equal(first.len, 8000);
    assert_int_equal(kit_send(&side, 70000).id, 4);
    struct tern_stream_chunk third = kit_send(&side, 70000);
    assert_int_equal(third.len, 384); /* the rest of 16384 */
    assert_false(tern_streams_has_data(&side.t));
    assert_int_equal(kit_control(&side, TERN_CONTROL_DATA_BLOCKED).value, 16384);
    kit_no_control(&side);
    lose(&side, &third);
    struct tern_stream_chunk again = kit_send(&side, 70000);
    assert_true(again.id == 8 && again.len == 384 && !again.is_new);
    assert_false(tern_streams_has_data(&side.t));
    assert_int_equal(kit_write(&side, s[0], 8000, 0, TERN_FIN), 0); /* needs no credit either */
    assert_true(kit_send(&side, 70000).fin);
    tern_streams_on_max_data(&side.t, 16384); /* no news */
    assert_false(tern_streams_has_data(&side.t));
    tern_streams_on_max_data(&side.t, 17000);
    assert_int_equal(kit_send(&side, 70000).len, 616);
    assert_false(tern_streams_has_data(&side.t));
    assert_int_equal(kit_control(&side, TERN_CONTROL_DATA_BLOCKED).value, 17000);
    tern_streams_on_max_data(&side.t, 1000000);
    assert_int_equal(kit_send(&side, 70000).len, 7000);
    assert_int_equal(kit_send(&side, 70000).len, 8000);
    assert_false(tern_streams_has_data(&side.t));
    kit_side_clear(&side);
}

static void streams_share_by_priority(void **state)
{
    (void)state;
    struct kit_side side;
    struct tern_stream *s[4];
    begin(&side);
    for (int i = 0; i < 4; i++) {
        s[i] = open_bidi(&side);
        assert_int_equal(kit_write(&side, s[i], 0, 3000, 0), 3000);
    }
    assert_int_equal(tern_streams_set_priority(&side.t, s[1], 3, true), 0);
    assert_int_equal(tern_streams_set_priority(&side.t, s[2], 3, true), 0);
    assert_int_equal(tern_streams_set_priority(&side.t, s[3], 0, false), 0);
    assert_int_equal(tern_streams_set_priority(&side.t, s[3], 8, false), TERN_ERR_INVALID);
    const uint64_t expected[] = {12, 12, 12, 0, 4, 0, 8, 0, 4, 8, 4, 8};
    for (size_t i = 0; i < TERN_COUNT_OF(expected); i++) {
        assert_int_equal(kit_send(&side, 1000).id, expected[i]);
    }
    assert_false(tern_streams_has_data(&side.t));
    kit_side_clear(&side);
}

static void writable_comes_when_a_quarter_is_free(void **state)
{
    (void)state;
    struct kit_side side;
    begin(&side);
    struct tern_stream *s = open_bidi(&side);
    tern_streams_on_max_data(&side.t, 1000000);
    assert_int_equal(tern_streams_on_max_stream_data(&side.t, 0, 1000000), 0);
    assert_int_equal(kit_write(&side, s, 0, 65536, 0), 65536);
    assert_int_equal(tern_streams_writable(&side.t, s), 0);
    struct tern_stream_chunk a = kit_send(&side, 16000), b = kit_send(&side, 1000);
    ack(&side, &a);
    kit_expect_none(&side); /* nobody was turned away */
    assert_int_equal(kit_write(&side, s, 65536, 16001, TERN_FIN), 16000);
    assert_int_equal(s->send, TERN_SEND_OPEN); /* FIN was not taken */
    ack(&side, &b);
    kit_expect_none(&side); /* 1000 free are not worth an event */
    struct tern_stream_chunk c = kit_send(&side, 16000);
    ack(&side, &c);
    assert_ptr_equal(kit_expect(&side, TERN_STREAM_IS_WRITABLE), s);
    assert_int_equal(tern_streams_writable(&side.t, s), 17000);
    kit_expect_none(&side);
    kit_side_clear(&side);
}

static void no_allocation_after_warm_up(void **state)
{
    (void)state;
    struct kit_side side;
    begin(&side);
    struct tern_stream *s = open_bidi(&side);
    uint64_t calls = 0, offset = 0;
    tern_streams_on_max_data(&side.t, UINT64_C(1) << 40);
    assert_int_equal(tern_streams_on_max_stream_data(&side.t, 0, UINT64_C(1) << 40), 0);
    for (int round = 0; round < 2000; round++) {
        ptrdiff_t taken = kit_write(&side, s, offset, 20000, 0);
        assert_true(taken > 0);
        offset += (uint64_t)taken;
        struct tern_stream_chunk sent[20];
        size_t n = 0;
        while (tern_streams_has_data(&side.t)) {
            sent[n++] = kit_send(&side, 1400);
        }
        for (size_t i = 1; i < n; i += 2) {
            ack(&side, &sent[i]);
        }
        for (size_t i = 0; i < n; i += 2) {
            lose(&side, &sent[i]);
        }
        while (tern_streams_has_data(&side.t)) {
            struct tern_stream_chunk c = kit_send(&side, 1400);
            ack(&side, &c);
        }
        calls = round == 10 ? side.heap.calls : calls;
    }
    assert_int_equal(side.heap.calls, calls);
    kit_side_clear(&side);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(nothing_to_send_at_first),
    cmocka_unit_test(lending_takes_nothing),
    cmocka_unit_test(fin_leaves_with_the_last_byte_or_alone),
    cmocka_unit_test(an_empty_stream_ends),
    cmocka_unit_test(stream_credit_holds_back),
    cmocka_unit_test(connection_credit_holds_back_only_new_data),
    cmocka_unit_test(streams_share_by_priority),
    cmocka_unit_test(writable_comes_when_a_quarter_is_free),
    cmocka_unit_test(no_allocation_after_warm_up),
};

TERN_TEST_MAIN(tests)
