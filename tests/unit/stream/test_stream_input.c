/* What a peer may not do, each with its exact error, and what its frames set off.
 * SPDX-License-Identifier: MIT */
#include "base/cursor.h"
#include "stream_kit.h"

/* We are the server; the peer is the client. Its streams: bidi 0, 4, .. and uni 2, 6, ..
 * Ours: bidi 1, 5, .. and uni 3, 7, .. Windows: stream 4096, connection 16384, 4 streams a kind. */
static void begin(struct kit_side *side)
{
    struct tern_streams_config mine = kit_config(true), peers = kit_config(false);
    kit_side_init(side, &mine);
    kit_grant(side, &peers);
}

enum op { NOTHING, DATA, FIN, RESET, STOP, MAX, BLOCKED, OPEN_BIDI, OPEN_UNI, READ_ALL, APP_STOP };

struct step {
    enum op op;
    uint64_t id, offset, len; /* offset: also final size, limit */
};

struct row {
    const char *what;
    struct step before[5], last;
    int error;
};

static struct tern_stream *local_stream(struct kit_side *side, tern_stream_kind kind)
{
    struct tern_stream *s = NULL;
    assert_int_equal(tern_streams_open(&side->t, kind, &s), 0);
    return s;
}

static int read_all(struct kit_side *side, uint64_t id)
{
    uint8_t buf[1000];
    struct tern_stream *s = tern_streams_find(&side->t, id);
    ptrdiff_t n = 1;
    while (n > 0) {
        n = tern_streams_read(&side->t, s, buf, sizeof buf);
    }
    return 0;
}

static int apply(struct kit_side *side, const struct step *step)
{
    static const uint8_t zeros[70000];
    switch (step->op) {
    case DATA:
    case FIN:
        return tern_streams_on_stream(&side->t, step->id, step->offset, zeros, (size_t)step->len,
                                      step->op == FIN, TERN_MSEC, TERN_SEC);
    case RESET:
        return tern_streams_on_reset(&side->t, step->id, 9, step->offset);
    case STOP:
        return tern_streams_on_stop(&side->t, step->id, 9);
    case MAX:
        return tern_streams_on_max_stream_data(&side->t, step->id, step->offset);
    case BLOCKED:
        return tern_streams_on_stream_blocked(&side->t, step->id);
    case OPEN_BIDI:
    case OPEN_UNI:
        local_stream(side, step->op == OPEN_UNI ? TERN_STREAM_UNI : TERN_STREAM_BIDI);
        return 0;
    case READ_ALL:
        return read_all(side, step->id);
    case APP_STOP:
        return tern_streams_stop(&side->t, tern_streams_find(&side->t, step->id), 5);
    case NOTHING:
        break;
    }
    return 0;
}

#define MAX_OFFSET ((UINT64_C(1) << 62) - 1)

/* RFC 9000 §2-4, §19 ([P §14], flow control table). */
static const struct row rows[] = {
    /* credit of a stream */
    {"data up to the limit", {{0}}, {DATA, 0, 0, 4096}, 0},
    {"data beyond the limit", {{0}}, {DATA, 0, 0, 4097}, TERN_ERR_FLOW_CONTROL},
    {"one byte beyond, far", {{0}}, {DATA, 0, 4096, 1}, TERN_ERR_FLOW_CONTROL},
    {"last byte of the window, alone", {{0}}, {DATA, 0, 4095, 1}, 0},
    {"empty frame at the limit", {{0}}, {DATA, 0, 4096, 0}, 0},
    {"empty frame beyond the limit", {{0}}, {DATA, 0, 4097, 0}, TERN_ERR_FLOW_CONTROL},
    {"FIN beyond the limit", {{0}}, {FIN, 0, 4097, 0}, TERN_ERR_FLOW_CONTROL},
    {"FIN at the limit", {{0}}, {FIN, 0, 4096, 0}, 0},
    {"reset beyond the limit", {{0}}, {RESET, 0, 4097, 0}, TERN_ERR_FLOW_CONTROL},
    {"reset at the limit", {{0}}, {RESET, 0, 4096, 0}, 0},
    {"uni data beyond the limit", {{0}}, {DATA, 2, 4000, 100}, TERN_ERR_FLOW_CONTROL},
    {"repeats use no credit", {{DATA, 0, 0, 4096}, {DATA, 0, 0, 4096}}, {DATA, 0, 0, 4096}, 0},
    {"read but not yet granted",
     {{DATA, 0, 0, 4096}, {READ_ALL, 0, 0, 0}},
     {DATA, 0, 4096, 1},
     TERN_ERR_FLOW_CONTROL},
    {"beyond the limit after stop",
     {{DATA, 0, 0, 10}, {APP_STOP, 0, 0, 0}},
     {DATA, 0, 4096, 1},
     TERN_ERR_FLOW_CONTROL},
    {"on our own stream", {{OPEN_BIDI, 0, 0, 0}}, {DATA, 1, 0, 4097}, TERN_ERR_FLOW_CONTROL},
    /* credit of the connection */
    {"connection up to the limit",
     {{DATA, 0, 4095, 1}, {DATA, 4, 4095, 1}, {DATA, 8, 4095, 1}},
     {DATA, 12, 4095, 1},
     0},
    {"connection beyond the limit",
     {{DATA, 0, 4095, 1}, {DATA, 4, 4095, 1}, {DATA, 8, 4095, 1}, {DATA, 12, 4095, 1}},
     {DATA, 2, 0, 1},
     TERN_ERR_FLOW_CONTROL},
    {"connection beyond the limit by a reset",
     {{DATA, 0, 4095, 1}, {DATA, 4, 4095, 1}, {DATA, 8, 4095, 1}, {DATA, 12, 4095, 1}},
     {RESET, 2, 1, 0},
     TERN_ERR_FLOW_CONTROL},
    {"empty frame on a full connection",
     {{DATA, 0, 4095, 1}, {DATA, 4, 4095, 1}, {DATA, 8, 4095, 1}, {DATA, 12, 4095, 1}},
     {FIN, 2, 0, 0},
     0},
    /* offsets */
    {"offset 2^62 - 1 and a byte", {{0}}, {DATA, 0, MAX_OFFSET, 1}, TERN_ERR_FLOW_CONTROL},
    {"offset 2^62 - 1, empty", {{0}}, {DATA, 0, MAX_OFFSET, 0}, TERN_ERR_FLOW_CONTROL},
    {"offset 2^62", {{0}}, {DATA, 0, MAX_OFFSET + 1, 0}, TERN_ERR_FLOW_CONTROL},
    {"offset 2^64 - 1 wraps", {{0}}, {DATA, 0, UINT64_MAX, 10}, TERN_ERR_FLOW_CONTROL},
    {"reset with final size 2^62 - 1", {{0}}, {RESET, 0, MAX_OFFSET, 0}, TERN_ERR_FLOW_CONTROL},
    /* final size */
    {"data beyond the final size", {{FIN, 0, 0, 10}}, {DATA, 0, 10, 1}, TERN_ERR_FINAL_SIZE},
    {"data up to the final size", {{FIN, 0, 10, 0}}, {DATA, 0, 0, 10}, 0},
    {"FIN below what came", {{DATA, 0, 0, 10}}, {FIN, 0, 0, 9}, TERN_ERR_FINAL_SIZE},
    {"FIN at what came", {{DATA, 0, 0, 10}}, {FIN, 0, 10, 0}, 0},
    {"FIN moves up", {{FIN, 0, 0, 10}}, {FIN, 0, 11, 0}, TERN_ERR_FINAL_SIZE},
    {"FIN moves down", {{FIN, 0, 10, 0}}, {FIN, 0, 9, 0}, TERN_ERR_FINAL_SIZE},
    {"FIN repeats", {{FIN, 0, 0, 10}}, {FIN, 0, 0, 10}, 0},
    {"FIN repeats without bytes", {{FIN, 0, 0, 10}}, {FIN, 0, 10, 0}, 0},
    {"reset below what came", {{DATA, 0, 0, 10}}, {RESET, 0, 9, 0}, TERN_ERR_FINAL_SIZE},
    {"reset at what came", {{DATA, 0, 0, 10}}, {RESET, 0, 10, 0}, 0},
    {"reset after FIN, other size", {{FIN, 0, 5, 5}}, {RESET, 0, 11, 0}, TERN_ERR_FINAL_SIZE},
    {"reset after FIN, same size", {{FIN, 0, 5, 5}}, {RESET, 0, 10, 0}, 0},
    {"reset changes its size", {{RESET, 0, 10, 0}}, {RESET, 0, 11, 0}, TERN_ERR_FINAL_SIZE},
    {"reset repeats", {{RESET, 0, 10, 0}}, {RESET, 0, 10, 0}, 0},
    {"data beyond a reset", {{RESET, 0, 10, 0}}, {DATA, 0, 5, 6}, TERN_ERR_FINAL_SIZE},
    {"data within a reset", {{RESET, 0, 10, 0}}, {DATA, 0, 0, 10}, 0},
    {"FIN of another size after reset", {{RESET, 0, 10, 0}}, {FIN, 0, 5, 0}, TERN_ERR_FINAL_SIZE},
    {"data beyond FIN after stop",
     {{DATA, 0, 0, 3}, {APP_STOP, 0, 0, 0}, {FIN, 0, 10, 0}},
     {DATA, 0, 10, 1},
     TERN_ERR_FINAL_SIZE},
    /* limits on streams */
    {"last allowed bidi stream", {{0}}, {DATA, 12, 0, 1}, 0},
    {"bidi stream beyond the limit", {{0}}, {DATA, 16, 0, 1}, TERN_ERR_STREAM_LIMIT},
    {"last allowed uni stream", {{0}}, {DATA, 14, 0, 1}, 0},
    {"uni stream beyond the limit", {{0}}, {DATA, 18, 0, 1}, TERN_ERR_STREAM_LIMIT},
    {"largest id", {{0}}, {DATA, MAX_OFFSET - 3, 0, 1}, TERN_ERR_STREAM_LIMIT},
    {"reset opens beyond the limit", {{0}}, {RESET, 16, 0, 0}, TERN_ERR_STREAM_LIMIT},
    {"stop opens beyond the limit", {{0}}, {STOP, 16, 0, 0}, TERN_ERR_STREAM_LIMIT},
    {"credit opens beyond the limit", {{0}}, {MAX, 16, 5, 0}, TERN_ERR_STREAM_LIMIT},
    {"blocked opens beyond the limit", {{0}}, {BLOCKED, 18, 5, 0}, TERN_ERR_STREAM_LIMIT},
    /* halves that do not exist, streams that we did not open */
    {"data on our uni stream", {{OPEN_UNI, 0, 0, 0}}, {DATA, 3, 0, 1}, TERN_ERR_STREAM_STATE},
    {"reset of our uni stream", {{OPEN_UNI, 0, 0, 0}}, {RESET, 3, 0, 0}, TERN_ERR_STREAM_STATE},
    {"blocked on our uni stream", {{OPEN_UNI, 0, 0, 0}}, {BLOCKED, 3, 0, 0}, TERN_ERR_STREAM_STATE},
    {"stop of our uni stream", {{OPEN_UNI, 0, 0, 0}}, {STOP, 3, 0, 0}, 0},
    {"stop of the peer's uni stream", {{DATA, 2, 0, 1}}, {STOP, 2, 0, 0}, TERN_ERR_STREAM_STATE},
    {"credit for the peer's uni stream", {{DATA, 2, 0, 1}}, {MAX, 2, 9, 0}, TERN_ERR_STREAM_STATE},
    {"data on a bidi stream of ours to come", {{0}}, {DATA, 1, 0, 1}, TERN_ERR_STREAM_STATE},
    {"reset of a stream of ours to come", {{0}}, {RESET, 1, 0, 0}, TERN_ERR_STREAM_STATE},
    {"stop of a stream of ours to come", {{0}}, {STOP, 1, 0, 0}, TERN_ERR_STREAM_STATE},
    {"stop of a uni stream of ours to come", {{0}}, {STOP, 3, 0, 0}, TERN_ERR_STREAM_STATE},
    {"credit for a stream of ours to come", {{0}}, {MAX, 1, 9, 0}, TERN_ERR_STREAM_STATE},
    {"blocked on a stream of ours to come", {{0}}, {BLOCKED, 1, 0, 0}, TERN_ERR_STREAM_STATE},
    {"credit opens a bidi stream of the peer", {{0}}, {MAX, 4, 9, 0}, 0},
    {"stop opens a bidi stream of the peer", {{0}}, {STOP, 4, 0, 0}, 0},
    {"shrinking credit is ignored", {{OPEN_BIDI, 0, 0, 0}}, {MAX, 1, 1, 0}, 0},
};

static void the_peers_errors_have_their_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(rows); i++) {
        struct kit_side side;
        begin(&side);
        for (size_t j = 0; j < TERN_COUNT_OF(rows[i].before); j++) {
            assert_int_equal(apply(&side, &rows[i].before[j]), 0);
        }
        int error = apply(&side, &rows[i].last);
        if (error != rows[i].error) {
            fail_msg("%s: %d instead of %d", rows[i].what, error, rows[i].error);
        }
        kit_side_clear(&side);
    }
}

/* A stream beyond the limit costs nothing ([P §14]). */
static void a_refused_stream_allocates_nothing(void **state)
{
    (void)state;
    struct kit_side side;
    begin(&side);
    uint64_t calls = side.heap.calls;
    assert_int_equal(kit_data(&side, 16, 0, 1, false), TERN_ERR_STREAM_LIMIT);
    assert_int_equal(kit_data(&side, MAX_OFFSET - 3, 0, 1, false), TERN_ERR_STREAM_LIMIT);
    assert_int_equal(side.heap.calls, calls);
    assert_int_equal(side.t.open_count, 0);
    kit_side_clear(&side);
}

static void lower_streams_open_first(void **state)
{
    (void)state;
    struct kit_side side;
    begin(&side);
    assert_int_equal(kit_data(&side, 8, 0, 1, false), 0);
    assert_int_equal(side.t.open_count, 3);
    assert_int_equal(kit_expect(&side, TERN_STREAM_HAS_OPENED)->id, 0);
    assert_int_equal(kit_expect(&side, TERN_STREAM_HAS_OPENED)->id, 4);
    assert_int_equal(kit_expect(&side, TERN_STREAM_HAS_OPENED)->id, 8);
    assert_int_equal(kit_expect(&side, TERN_STREAM_IS_READABLE)->id, 8);
    kit_expect_none(&side);
    kit_side_clear(&side);
}

static void frames_for_ended_streams_are_ignored(void **state)
{
    (void)state;
    struct kit_side side;
    uint8_t buf[10];
    begin(&side);
    assert_int_equal(kit_data(&side, 2, 0, 5, true), 0);
    kit_expect(&side, TERN_STREAM_HAS_OPENED);
    struct tern_stream *s = kit_expect(&side, TERN_STREAM_IS_READABLE);
    assert_int_equal(tern_streams_read(&side.t, s, buf, 10), 5);
    assert_int_equal(tern_streams_read(&side.t, s, buf, 10), 0);
    kit_expect(&side, TERN_STREAM_IS_CLOSED);
    assert_int_equal(kit_data(&side, 2, 0, 5, true), 0);
    assert_int_equal(kit_data(&side, 2, 0, 50000, true), 0);
    assert_int_equal(tern_streams_on_reset(&side.t, 2, 1, 1000), 0);
    assert_int_equal(tern_streams_on_stream_blocked(&side.t, 2), 0);
    tern_streams_bury(&side.t);
    assert_int_equal(kit_data(&side, 2, 0, 5, true), 0);
    kit_expect_none(&side);
    kit_side_clear(&side);
}

static void readable_comes_with_each_news(void **state)
{
    (void)state;
    struct kit_side side;
    begin(&side);
    assert_int_equal(kit_data(&side, 0, 0, 10, false), 0);
    assert_int_equal(kit_data(&side, 0, 10, 10, false), 0);
    kit_expect(&side, TERN_STREAM_HAS_OPENED);
    kit_expect(&side, TERN_STREAM_IS_READABLE);
    kit_expect_none(&side);
    assert_int_equal(kit_data(&side, 0, 0, 20, false), 0);  /* nothing new */
    assert_int_equal(kit_data(&side, 0, 30, 10, false), 0); /* not in order */
    kit_expect_none(&side);
    assert_int_equal(kit_data(&side, 0, 20, 10, false), 0);
    kit_expect(&side, TERN_STREAM_IS_READABLE);
    assert_int_equal(kit_data(&side, 0, 50, 0, true), 0); /* the end, beyond a gap */
    kit_expect_none(&side);
    assert_int_equal(kit_data(&side, 0, 40, 10, false), 0);
    kit_expect(&side, TERN_STREAM_IS_READABLE);
    kit_side_clear(&side);
}

static void a_reset_drops_what_was_unread(void **state)
{
    (void)state;
    struct kit_side side;
    uint8_t buf[10];
    begin(&side);
    assert_int_equal(kit_data(&side, 2, 0, 1000, false), 0);
    assert_int_equal(tern_streams_on_reset(&side.t, 2, 77, 3000), 0);
    assert_int_equal(side.t.conn_in.received, 3000);
    assert_int_equal(side.t.conn_in.consumed, 3000);
    kit_expect(&side, TERN_STREAM_HAS_OPENED);
    struct tern_stream *s = kit_expect(&side, TERN_STREAM_IS_READABLE);
    assert_int_equal(s->reset_code, 77);
    kit_expect_none(&side);
    assert_int_equal(tern_streams_read(&side.t, s, buf, 10), TERN_ERR_RESET);
    assert_ptr_equal(kit_expect(&side, TERN_STREAM_IS_CLOSED), s);
    assert_int_equal(tern_streams_read(&side.t, s, buf, 10), TERN_ERR_RESET);
    kit_side_clear(&side);
}

/* RFC 9000 §3.2: complete data may be delivered in spite of a reset. */
static void a_reset_after_all_bytes_changes_nothing(void **state)
{
    (void)state;
    struct kit_side side;
    uint8_t buf[20];
    begin(&side);
    assert_int_equal(kit_data(&side, 2, 0, 10, true), 0);
    assert_int_equal(tern_streams_on_reset(&side.t, 2, 77, 10), 0);
    struct tern_stream *s = tern_streams_find(&side.t, 2);
    assert_int_equal(tern_streams_read(&side.t, s, buf, 20), 10);
    assert_int_equal(tern_streams_read(&side.t, s, buf, 20), 0);
    assert_int_equal(s->reset_code, 0);
    kit_side_clear(&side);
}

static void stop_sending_is_answered_with_reset(void **state)
{
    (void)state;
    struct kit_side side;
    begin(&side);
    struct tern_stream *s = local_stream(&side, TERN_STREAM_BIDI);
    assert_int_equal(kit_write(&side, s, 0, 1000, 0), 1000);
    kit_send(&side, 600);
    assert_int_equal(tern_streams_on_stop(&side.t, 1, 55), 0);
    assert_int_equal(tern_streams_on_stop(&side.t, 1, 56), 0); /* once is enough */
    assert_ptr_equal(kit_expect(&side, TERN_STREAM_WAS_STOPPED), s);
    kit_expect_none(&side);
    assert_int_equal(s->stop_code, 55);
    assert_int_equal(kit_write(&side, s, 1000, 1, 0), TERN_ERR_STOPPED);
    assert_int_equal(tern_streams_writable(&side.t, s), 0);
    assert_false(tern_streams_has_data(&side.t));
    struct tern_stream_control c = kit_control(&side, TERN_CONTROL_RESET_STREAM);
    assert_int_equal(c.value, 55);
    assert_int_equal(c.extra, 600);
    kit_no_control(&side);
    kit_side_clear(&side);
}

/* Bytes 1.. of the window arrive, byte 0 does not: nothing is read, so nothing grows ([P §14]). */
static void byte_zero_last_does_not_grow_the_window(void **state)
{
    (void)state;
    struct kit_side side;
    begin(&side);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(kit_data(&side, 0, 1, 4095, false), 0);
        assert_int_equal(kit_data(&side, 4, 1, 4095, false), 0);
    }
    struct tern_stream *s = tern_streams_find(&side.t, 0);
    assert_int_equal(s->in_flow.window, 4096);
    assert_int_equal(side.t.conn_in.window, 16384);
    kit_no_control(&side);
    assert_true(side.heap.bytes <= 2 * (TERN_PAGE_SIZE + sizeof *s) + 4096);
    kit_side_clear(&side);
}

/* Resets give credit back, but not for speed. */
static void resets_do_not_grow_the_window(void **state)
{
    (void)state;
    struct kit_side side;
    begin(&side);
    for (uint64_t id = 0; id < 16; id += 4) {
        assert_int_equal(kit_data(&side, id, 100, 10, false), 0);
        assert_int_equal(tern_streams_on_reset(&side.t, id, 0, 4096), 0);
    }
    assert_int_equal(kit_data(&side, 2, 100, 10, false), TERN_ERR_FLOW_CONTROL);
    assert_int_equal(side.t.conn_in.window, 16384);
    assert_int_equal(kit_control(&side, TERN_CONTROL_MAX_DATA).value, 32768);
    assert_int_equal(kit_data(&side, 2, 100, 10, false), 0);
    assert_int_equal(side.t.conn_in.window, 16384);
    kit_side_clear(&side);
}

/* Every other byte of a large window: bounded memory, then a clean error. */
static void fragments_end_in_an_error(void **state)
{
    (void)state;
    struct kit_side side;
    struct tern_streams_config mine = kit_config(true), peers = kit_config(false);
    mine.stream_window = mine.stream_window_max = mine.conn_window = 1 << 20;
    kit_side_init(&side, &mine);
    kit_grant(&side, &peers);
    int err = 0;
    for (uint64_t at = 1; err == 0; at += 2) {
        err = kit_data(&side, 0, at, 1, false);
    }
    assert_int_equal(err, TERN_ERR_LIMIT);
    assert_true(side.heap.peak <= 2 * (1 << 20) + 64 * 4096);
    kit_side_clear(&side);
}

/* [P §8.5]: a window's worth comes with its first byte last, and is read all at once. That looks like a
 * fast reader, yet it is a window in ten round trips. */
static void the_first_byte_last_does_not_grow_the_window(void **state)
{
    static const uint8_t zeros[4096];
    struct kit_side side;
    (void)state;
    begin(&side);
    tern_time rtt = 10 * TERN_MSEC, now = TERN_SEC;
    for (uint64_t n = 0; n < 200; n++, now += 10 * rtt) {
        struct tern_stream_control control;
        uint64_t at = n * sizeof zeros;
        for (uint64_t i = 1; i < sizeof zeros; i += 1365) {
            assert_int_equal(
                tern_streams_on_stream(&side.t, 0, at + i, zeros, 1365, false, rtt, now), 0);
        }
        assert_int_equal(
            tern_streams_on_stream(&side.t, 0, at, zeros, 1, false, rtt, now + 10 * rtt - 1), 0);
        assert_int_equal(read_all(&side, 0), 0);
        while (tern_streams_next_control(&side.t, &control)) {
            tern_streams_on_control_sent(&side.t, &control);
        }
        assert_int_equal(tern_streams_find(&side.t, 0)->in_flow.window, 4096);
        assert_int_equal(side.t.conn_in.window, 16384);
    }
    kit_side_clear(&side);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_first_byte_last_does_not_grow_the_window),
    cmocka_unit_test(the_peers_errors_have_their_names),
    cmocka_unit_test(a_refused_stream_allocates_nothing),
    cmocka_unit_test(lower_streams_open_first),
    cmocka_unit_test(frames_for_ended_streams_are_ignored),
    cmocka_unit_test(readable_comes_with_each_news),
    cmocka_unit_test(a_reset_drops_what_was_unread),
    cmocka_unit_test(a_reset_after_all_bytes_changes_nothing),
    cmocka_unit_test(stop_sending_is_answered_with_reset),
    cmocka_unit_test(byte_zero_last_does_not_grow_the_window),
    cmocka_unit_test(resets_do_not_grow_the_window),
    cmocka_unit_test(fragments_end_in_an_error),
};

TERN_TEST_MAIN(tests)
