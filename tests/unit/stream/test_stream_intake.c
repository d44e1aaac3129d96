/* Frame after frame of one stream, taken at once, and one by one: both leave the same books, whatever the times, the
 * windows and the reader's pace are.
 * SPDX-License-Identifier: MIT */
#include "stream_kit.h"

#define ROUNDS 300
#define FRAME  500u

static void begin(struct kit_side *side)
{
    struct tern_streams_config mine = kit_config(true), peers = kit_config(false);
    mine.stream_window = 4096;
    mine.stream_window_max = 1 << 20;
    mine.conn_window = 8192;
    mine.conn_window_max = 1 << 20;
    kit_side_init(side, &mine);
    kit_grant(side, &peers);
}

static void take_one_by_one(struct kit_side *side, uint64_t at, size_t frames, tern_time rtt,
                            tern_time now)
{
    static const uint8_t zeros[FRAME];
    for (size_t i = 0; i < frames; i++, at += FRAME) {
        assert_int_equal(tern_streams_on_stream(&side->t, 0, at, zeros, FRAME, false, rtt, now), 0);
    }
}

static void take_at_once(struct kit_side *side, uint64_t at, size_t frames, tern_time rtt,
                         tern_time now)
{
    static const uint8_t zeros[FRAME];
    struct tern_stream_intake intake = {.stream = NULL};
    for (size_t i = 0; i < frames; i++, at += FRAME) {
        assert_true(tern_streams_take_next(&side->t, &intake, 0, at, zeros, FRAME, rtt, now));
    }
    tern_streams_end_intake(&side->t, &intake, rtt, now);
}

static void read_some(struct kit_side *side, size_t len)
{
    uint8_t buf[8192];
    struct tern_stream_control control;
    struct tern_stream *s = tern_streams_find(&side->t, 0);
    while (len > 0) {
        ptrdiff_t n = tern_streams_read(&side->t, s, buf, TERN_MIN(len, sizeof buf));
        if (n <= 0) {
            break;
        }
        len -= (size_t)n;
    }
    while (tern_streams_next_control(&side->t, &control)) {
        tern_streams_on_control_sent(&side->t, &control);
    }
}

static void check_same(const struct kit_side *a, const struct kit_side *b)
{
    const struct tern_stream *s = a->t.recent, *r = b->t.recent;
    assert_memory_equal(&s->in_flow, &r->in_flow, sizeof s->in_flow);
    assert_memory_equal(&a->t.conn_in, &b->t.conn_in, sizeof a->t.conn_in);
    assert_true(s->in.ready == r->in.ready && s->events == r->events && s->owes == r->owes);
    assert_true(a->t.wants == b->t.wants && a->t.bytes_received == b->t.bytes_received);
}

static void both_ways_leave_the_same_books(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct kit_side one, other;
        uint64_t dice = seed, at = 0;
        tern_time now = TERN_SEC, rtt = 10 * TERN_MSEC;
        begin(&one);
        begin(&other);
        take_one_by_one(&one, 0, 1, rtt, now); /* that opens the stream */
        take_one_by_one(&other, 0, 1, rtt, now);
        for (size_t round = 0; round < ROUNDS; round++) {
            const struct tern_stream *s = one.t.recent;
            at = s->in.ready;
            uint64_t room = TERN_MIN(s->in_flow.limit - at, one.t.conn_in.limit - at) / FRAME;
            size_t frames = (size_t)kit_below(&dice, room + 1);
            take_one_by_one(&one, at, frames, rtt, now);
            take_at_once(&other, at, frames, rtt, now);
            check_same(&one, &other);
            size_t len = (size_t)kit_below(&dice, 2 * FRAME * (frames + 1));
            read_some(&one, len);
            read_some(&other, len);
            check_same(&one, &other);
            now += kit_below(&dice, 5 * rtt);
        }
        kit_side_clear(&one);
        kit_side_clear(&other);
    }
}

/* What needs a closer look is left alone. */
static void only_the_next_bytes_are_taken(void **state)
{
    static const uint8_t zeros[FRAME];
    struct kit_side side;
    struct tern_stream_intake intake = {.stream = NULL};
    (void)state;
    begin(&side);
    assert_false(tern_streams_take_next(&side.t, &intake, 0, 0, zeros, FRAME, 0, 1));
    take_one_by_one(&side, 0, 1, 0, 1);
    assert_false(tern_streams_take_next(&side.t, &intake, 0, 0, zeros, FRAME, 0, 1));
    assert_false(tern_streams_take_next(&side.t, &intake, 0, FRAME + 1, zeros, FRAME, 0, 1));
    assert_false(tern_streams_take_next(&side.t, &intake, 4, 0, zeros, FRAME, 0, 1));
    assert_false(tern_streams_take_next(&side.t, &intake, 0, FRAME, zeros, 0, 0, 1));
    assert_int_equal(tern_streams_find(&side.t, 0)->in.ready, FRAME);
    while (
        tern_streams_take_next(&side.t, &intake, 0, side.t.recent->in.ready, zeros, FRAME, 0, 1)) {
    }
    assert_true(side.t.recent->in.ready <= 4096 && side.t.recent->in.ready > 4096 - FRAME);
    take_one_by_one(&side, 0, 1, 0, 1); /* what was taken stays so */
    kit_side_clear(&side);
}

static void a_stream_that_has_ended_takes_nothing(void **state)
{
    static const uint8_t zeros[FRAME];
    struct kit_side side;
    struct tern_stream_intake intake = {.stream = NULL};
    (void)state;
    begin(&side);
    assert_int_equal(tern_streams_on_stream(&side.t, 0, 0, zeros, FRAME, true, 0, 1), 0);
    assert_false(tern_streams_take_next(&side.t, &intake, 0, FRAME, zeros, 1, 0, 1));
    take_one_by_one(&side, 0, 1, 0, 1);
    assert_int_equal(tern_streams_on_stream(&side.t, 4, 0, zeros, FRAME, false, 0, 1), 0);
    assert_int_equal(tern_streams_stop(&side.t, tern_streams_find(&side.t, 4), 0), 0);
    assert_false(tern_streams_take_next(&side.t, &intake, 4, FRAME, zeros, 1, 0, 1));
    assert_int_equal(tern_streams_on_stream(&side.t, 8, 10, zeros, 10, false, 0, 1), 0);
    assert_false(
        tern_streams_take_next(&side.t, &intake, 8, 0, zeros, 10, 0, 1)); /* a gap to close */
    kit_side_clear(&side);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(both_ways_leave_the_same_books),
    cmocka_unit_test(only_the_next_bytes_are_taken),
    cmocka_unit_test(a_stream_that_has_ended_takes_nothing),
};

TERN_TEST_MAIN(tests)
