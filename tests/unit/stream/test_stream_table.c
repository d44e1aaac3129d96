/* Opening, granting, closing, burying; what a peer gains by opening and resetting in a loop.
 * SPDX-License-Identifier: MIT */
#include "stream/table.h"

#include "stream_kit.h"

static void begin(struct kit_side *side, bool is_server)
{
    struct tern_streams_config mine = kit_config(is_server), peers = kit_config(!is_server);
    kit_side_init(side, &mine);
    kit_grant(side, &peers);
}

static void ids_follow_role_and_kind(void **state)
{
    (void)state;
    for (unsigned server = 0; server < 2; server++) {
        struct kit_side side;
        begin(&side, server == 1);
        for (uint64_t i = 0; i < 4; i++) {
            struct tern_stream *s = NULL;
            assert_int_equal(tern_streams_open(&side.t, TERN_STREAM_BIDI, &s), 0);
            assert_int_equal(s->id, 4 * i + server);
            assert_true(s->is_local && s->kind == TERN_STREAM_BIDI && s->table == &side.t);
            assert_int_equal(tern_streams_open(&side.t, TERN_STREAM_UNI, &s), 0);
            assert_int_equal(s->id, 4 * i + 2 + server);
            assert_true(s->is_local && s->kind == TERN_STREAM_UNI);
        }
        assert_int_equal(side.t.open_count, 8);
        kit_side_clear(&side);
    }
}

static void open_stops_at_the_peers_limit(void **state)
{
    (void)state;
    struct kit_side side;
    struct tern_stream *s = NULL;
    begin(&side, false);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(tern_streams_open(&side.t, TERN_STREAM_UNI, &s), 0);
    }
    kit_no_control(&side);
    assert_int_equal(tern_streams_open(&side.t, TERN_STREAM_UNI, &s), TERN_ERR_LIMIT);
    struct tern_stream_control c = kit_control(&side, TERN_CONTROL_STREAMS_BLOCKED_UNI);
    assert_int_equal(c.value, 4);
    assert_int_equal(tern_streams_open(&side.t, TERN_STREAM_UNI, &s), TERN_ERR_LIMIT);
    kit_no_control(&side); /* said once for this limit */
    tern_streams_on_control_lost(&side.t, &c);
    kit_control(&side, TERN_CONTROL_STREAMS_BLOCKED_UNI);
    tern_streams_on_max_streams(&side.t, TERN_STREAM_UNI, 3); /* shrinking: ignored */
    assert_int_equal(tern_streams_open(&side.t, TERN_STREAM_UNI, &s), TERN_ERR_LIMIT);
    assert_false(tern_streams_take_openable(&side.t));
    tern_streams_on_max_streams(&side.t, TERN_STREAM_UNI, 5);
    assert_true(tern_streams_take_openable(&side.t));
    assert_false(tern_streams_take_openable(&side.t));
    tern_streams_on_control_lost(&side.t, &c); /* stale now */
    kit_no_control(&side);
    assert_int_equal(tern_streams_open(&side.t, TERN_STREAM_UNI, &s), 0);
    assert_int_equal(tern_streams_open(&side.t, TERN_STREAM_UNI, &s), TERN_ERR_LIMIT);
    assert_int_equal(kit_control(&side, TERN_CONTROL_STREAMS_BLOCKED_UNI).value, 5);
    kit_side_clear(&side);
}

/* Before the peer's parameters are known, streams may be opened and written, but nothing leaves. */
static void early_streams_wait_for_the_grant(void **state)
{
    (void)state;
    struct kit_side side;
    struct tern_streams_config mine = kit_config(false), peers = kit_config(true);
    struct tern_stream *s[17];
    kit_side_init(&side, &mine);
    for (int i = 0; i < 16; i++) {
        assert_int_equal(tern_streams_open(&side.t, TERN_STREAM_BIDI, &s[i]), 0);
        assert_int_equal(kit_write(&side, s[i], 0, 100, TERN_FIN), 100);
    }
    assert_int_equal(tern_streams_open(&side.t, TERN_STREAM_BIDI, &s[16]), TERN_ERR_LIMIT);
    assert_int_equal(tern_streams_reset(&side.t, s[1], 3), 0);
    assert_int_equal(tern_streams_stop(&side.t, s[5], 3), 0);
    assert_false(tern_streams_has_data(&side.t));
    kit_no_control(&side);

    kit_grant(&side, &peers); /* four streams */
    assert_int_equal(kit_control(&side, TERN_CONTROL_RESET_STREAM).id, 4);
    kit_no_control(&side);
    assert_int_equal(kit_send(&side, 1000).id, 0);
    assert_int_equal(kit_send(&side, 1000).id, 8);
    assert_int_equal(kit_send(&side, 1000).id, 12);
    assert_false(tern_streams_has_data(&side.t));
    assert_int_equal(side.t.held, 12);

    tern_streams_on_max_streams(&side.t, TERN_STREAM_BIDI, 6);
    assert_int_equal(kit_control(&side, TERN_CONTROL_STOP_SENDING).id, 20);
    assert_int_equal(kit_send(&side, 1000).id, 16);
    assert_int_equal(kit_send(&side, 1000).id, 20);
    assert_false(tern_streams_has_data(&side.t));
    assert_int_equal(tern_streams_open(&side.t, TERN_STREAM_BIDI, &s[16]), TERN_ERR_LIMIT);
    kit_side_clear(&side);
}

static void a_grant_without_credit_blocks(void **state)
{
    (void)state;
    struct kit_side side;
    struct tern_stream *s = NULL;
    struct tern_streams_config mine = kit_config(false);
    struct tern_streams_grant grant = {.streams_bidi = 1, .bidi_remote = 10};
    kit_side_init(&side, &mine);
    assert_int_equal(tern_streams_open(&side.t, TERN_STREAM_BIDI, &s), 0);
    assert_int_equal(kit_write(&side, s, 0, 100, 0), 100);
    tern_streams_on_grant(&side.t, &grant);
    assert_false(tern_streams_has_data(&side.t));
    assert_int_equal(kit_control(&side, TERN_CONTROL_DATA_BLOCKED).value, 0);
    tern_streams_on_max_data(&side.t, 5);
    assert_int_equal(kit_send(&side, 100).len, 5);
    assert_int_equal(kit_control(&side, TERN_CONTROL_DATA_BLOCKED).value, 5);
    kit_side_clear(&side);
}

/* The four windows of the grant are named from the granting side (RFC 9000 §18.2). */
static void windows_go_to_the_right_streams(void **state)
{
    (void)state;
    struct kit_side side;
    struct tern_stream *mine = NULL, *uni = NULL;
    struct tern_streams_config config = kit_config(true);
    struct tern_streams_grant grant = {1000, 11, 22, 33, 4, 4};
    kit_side_init(&side, &config);
    assert_int_equal(tern_streams_open(&side.t, TERN_STREAM_UNI, &uni), 0);
    assert_int_equal(uni->out_flow.limit, 0);
    tern_streams_on_grant(&side.t, &grant);
    assert_int_equal(uni->out_flow.limit, 33);
    assert_int_equal(tern_streams_open(&side.t, TERN_STREAM_BIDI, &mine), 0);
    assert_int_equal(mine->out_flow.limit, 22);
    assert_int_equal(kit_data(&side, 0, 0, 1, false), 0);
    assert_int_equal(tern_streams_find(&side.t, 0)->out_flow.limit, 11);
    kit_side_clear(&side);
}

static void events_come_in_their_order(void **state)
{
    (void)state;
    struct kit_side side;
    begin(&side, true);
    assert_int_equal(tern_streams_on_stop(&side.t, 0, 1), 0);
    assert_int_equal(kit_data(&side, 0, 0, 10, true), 0);
    struct tern_stream *s = kit_expect(&side, TERN_STREAM_HAS_OPENED);
    assert_ptr_equal(kit_expect(&side, TERN_STREAM_IS_READABLE), s);
    assert_ptr_equal(kit_expect(&side, TERN_STREAM_WAS_STOPPED), s);
    kit_expect_none(&side);
    kit_side_clear(&side);
}

/* A handle lives until the poll after its CLOSED event. */
static void buried_at_the_next_poll(void **state)
{
    (void)state;
    struct kit_side side;
    struct tern_stream *s = NULL;
    enum tern_stream_event_kind kind;
    begin(&side, false);
    assert_int_equal(tern_streams_open(&side.t, TERN_STREAM_UNI, &s), 0);
    assert_int_equal(kit_write(&side, s, 0, 0, TERN_FIN), 0);
    struct tern_stream_chunk c = kit_send(&side, 100);
    tern_streams_on_chunk_acked(&side.t, c.id, c.offset, c.len, c.fin);
    assert_ptr_equal(kit_expect(&side, TERN_STREAM_IS_CLOSED), s);
    assert_int_equal(side.t.open_count, 0);
    assert_int_equal(s->id, 2);
    assert_int_equal(kit_write(&side, s, 0, 1, 0), TERN_ERR_STATE);
    assert_int_equal(tern_streams_reset(&side.t, s, 1), 0);
    assert_int_equal(tern_streams_set_priority(&side.t, s, 1, true), 0);
    assert_null(tern_streams_find(&side.t, 2));
    assert_int_equal(side.t.objects.kept, 0);
    assert_false(tern_streams_next_event(&side.t, &s, &kind));
    assert_int_equal(side.t.objects.kept, 1);
    kit_side_clear(&side);
}

/* The peer's streams come back to it only as the application lets go of them. */
static void stream_credit_follows_release(void **state)
{
    (void)state;
    struct kit_side side;
    uint8_t buf[10];
    begin(&side, true);
    for (uint64_t i = 0; i < 4; i++) {
        assert_int_equal(kit_data(&side, 2 + 4 * i, 0, 1, true), 0);
    }
    for (int i = 0; i < 4; i++) {
        kit_expect(&side, TERN_STREAM_HAS_OPENED);
        struct tern_stream *s = kit_expect(&side, TERN_STREAM_IS_READABLE);
        assert_int_equal(tern_streams_read(&side.t, s, buf, 10), 1);
        assert_int_equal(tern_streams_read(&side.t, s, buf, 10), 0);
    }
    kit_no_control(&side); /* read to the end, but CLOSED was not yet taken */
    kit_expect(&side, TERN_STREAM_IS_CLOSED);
    struct tern_stream_control c = kit_control(&side, TERN_CONTROL_MAX_STREAMS_UNI);
    assert_int_equal(c.value, 5);
    assert_int_equal(kit_data(&side, 18, 0, 1, true), 0);
    kit_expect(&side, TERN_STREAM_IS_CLOSED);
    assert_int_equal(kit_control(&side, TERN_CONTROL_MAX_STREAMS_UNI).value, 6);
    tern_streams_on_control_lost(&side.t, &c); /* a newer one is on its way */
    kit_no_control(&side);
    kit_side_clear(&side);
}

/* Open and reset in a loop: the application hears of no more streams than it was willing to
 * have, the rest is refused, and the heap stays flat. */
static void rapid_reset_is_bounded(void **state)
{
    (void)state;
    struct kit_side side;
    begin(&side, true);
    uint64_t refused = 0, bytes = 0;
    for (uint64_t i = 0; i < 1000000; i++) {
        int err = tern_streams_on_reset(&side.t, 2 + 4 * i, 1, 0);
        refused += err == TERN_ERR_STREAM_LIMIT;
        assert_true(err == 0 || err == TERN_ERR_STREAM_LIMIT);
        bytes = i == 10 ? side.heap.bytes : bytes;
    }
    assert_int_equal(refused, 1000000 - 4);
    assert_int_equal(side.heap.bytes, bytes);
    uint64_t told = 0;
    struct tern_stream *s = NULL;
    enum tern_stream_event_kind kind;
    while (tern_streams_next_event(&side.t, &s, &kind)) {
        told++;
    }
    assert_int_equal(told, 8);
    kit_no_control(&side);
    kit_side_clear(&side);
}

/* The same from a peer that plays by the credits, with an application that lets go at once. */
static void released_streams_recycle_their_memory(void **state)
{
    (void)state;
    struct kit_side side;
    begin(&side, true);
    uint64_t calls = 0, id = 2;
    for (int i = 0; i < 20000; i++) {
        struct tern_stream_control c;
        struct tern_stream *s = NULL;
        enum tern_stream_event_kind kind;
        uint8_t byte;
        if (id >> 2 < side.t.max_remote[TERN_STREAM_UNI]) {
            assert_int_equal(kit_data(&side, id, 0, 100, false), 0);
            assert_int_equal(tern_streams_on_reset(&side.t, id, 1, 100), 0);
            id += 4;
        }
        while (tern_streams_next_event(&side.t, &s, &kind)) {
            if (kind == TERN_STREAM_IS_READABLE) {
                assert_int_equal(tern_streams_read(&side.t, s, &byte, 1), TERN_ERR_RESET);
            }
        }
        while (tern_streams_next_control(&side.t, &c)) {
            tern_streams_on_control_sent(&side.t, &c);
        }
        calls = i == 100 ? side.heap.calls : calls;
    }
    assert_true(id > 60000);
    assert_true(side.heap.calls - calls < 10); /* at most the map's own upkeep */
    kit_side_clear(&side);
}

static void clear_runs_release_hooks(void **state)
{
    (void)state;
    struct kit_side side;
    struct tern_stream *s = NULL;
    begin(&side, false);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(tern_streams_open(&side.t, TERN_STREAM_BIDI, &s), 0);
        assert_int_equal(kit_write(&side, s, 0, 30000, TERN_FIN), 30000);
        assert_int_equal(kit_data(&side, 1 + 4 * (uint64_t)i, 5, 100, false), 0);
    }
    kit_send(&side, 500);
    kit_side_clear(&side);
}

static void every_failing_allocation_is_an_error(void **state)
{
    (void)state;
    for (uint64_t n = 1; n < 40; n++) {
        struct kit_side side;
        struct tern_stream *s = NULL;
        begin(&side, true);
        side.heap.fail_at = side.heap.calls + n;
        for (uint64_t i = 0; i < 4; i++) {
            int err = tern_streams_open(&side.t, TERN_STREAM_BIDI, &s);
            assert_true(err == 0 || err == TERN_ERR_NOMEM);
            if (err == 0) {
                ptrdiff_t taken = kit_write(&side, s, 0, 40000, 0);
                assert_true(taken > 0 || taken == TERN_ERR_NOMEM);
            }
            err = kit_data(&side, 4 * i, 10, 100, false);
            assert_true(err == 0 || err == TERN_ERR_NOMEM);
            err = kit_data(&side, 4 * i, 200, 100, false);
            assert_true(err == 0 || err == TERN_ERR_NOMEM);
        }
        while (tern_streams_has_data(&side.t)) {
            struct tern_stream_chunk c = kit_send(&side, 1000);
            if (c.offset % 3000 == 0 && c.is_new) {
                assert_int_equal(tern_streams_on_chunk_lost(&side.t, c.id, c.offset, c.len, c.fin),
                                 0);
            } else {
                tern_streams_on_chunk_acked(&side.t, c.id, c.offset, c.len, c.fin);
            }
        }
        kit_side_clear(&side);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(ids_follow_role_and_kind),
    cmocka_unit_test(open_stops_at_the_peers_limit),
    cmocka_unit_test(early_streams_wait_for_the_grant),
    cmocka_unit_test(a_grant_without_credit_blocks),
    cmocka_unit_test(windows_go_to_the_right_streams),
    cmocka_unit_test(events_come_in_their_order),
    cmocka_unit_test(buried_at_the_next_poll),
    cmocka_unit_test(stream_credit_follows_release),
    cmocka_unit_test(rapid_reset_is_bounded),
    cmocka_unit_test(released_streams_recycle_their_memory),
    cmocka_unit_test(clear_runs_release_hooks),
    cmocka_unit_test(every_failing_allocation_is_an_error),
};

TERN_TEST_MAIN(tests)
