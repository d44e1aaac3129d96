/* What the trace hands to its sink: every field, and nothing when nobody listens.
 * SPDX-License-Identifier: MIT */
#include "trace/trace.h"

#include "tern_test.h"

struct ear {
    tern_trace_event heard;
    unsigned count;
};

static void hear(void *user, const tern_trace_event *event)
{
    struct ear *ear = user;
    ear->heard = *event;
    ear->count++;
}

static struct tern_trace trace_to(struct ear *ear)
{
    memset(ear, 0, sizeof *ear);
    return (struct tern_trace){.sink = {hear, ear}, .conn_number = 5, .is_server = true};
}

static void check_common(const struct ear *ear, tern_trace_kind kind)
{
    assert_int_equal(ear->count, 1);
    assert_int_equal(ear->heard.kind, kind);
    assert_int_equal(ear->heard.now, 99);
    assert_int_equal(ear->heard.conn_number, 5);
    assert_true(ear->heard.is_server);
}

static void nobody_listens(void **state)
{
    (void)state;
    struct tern_trace trace = {0};
    assert_false(tern_trace_is_on(&trace));
    tern_trace_packet(&trace, TERN_TRACE_SENT, 4, 1, 2, NULL, 0, 3);
    tern_trace_dropped(&trace, "why", 3);
    tern_trace_lost(&trace, 4, 1, 2, 3);
    tern_trace_state(&trace, "closed", 3);
    tern_trace_metrics(&trace, 1, 2, 3, 4, 5);
}

static void packet_is_handed_over_whole(void **state)
{
    (void)state;
    static const tern_trace_kind kinds[] = {TERN_TRACE_SENT, TERN_TRACE_RECEIVED};
    const uint8_t payload[3] = {1, 1, 1};
    for (size_t i = 0; i < TERN_COUNT_OF(kinds); i++) {
        struct ear ear;
        struct tern_trace trace = trace_to(&ear);
        assert_true(tern_trace_is_on(&trace));
        tern_trace_packet(&trace, kinds[i], 2, 7, 1200, payload, sizeof payload, 99);
        check_common(&ear, kinds[i]);
        assert_int_equal(ear.heard.packet_type, 2);
        assert_int_equal(ear.heard.packet_number, 7);
        assert_int_equal(ear.heard.packet_size, 1200);
        assert_ptr_equal(ear.heard.payload, payload);
        assert_int_equal(ear.heard.payload_len, sizeof payload);
    }
}

static void lost_packet_has_no_payload(void **state)
{
    (void)state;
    struct ear ear;
    struct tern_trace trace = trace_to(&ear);
    tern_trace_lost(&trace, 4, 7, 1200, 99);
    check_common(&ear, TERN_TRACE_LOST);
    assert_int_equal(ear.heard.packet_type, 4);
    assert_int_equal(ear.heard.packet_number, 7);
    assert_int_equal(ear.heard.packet_size, 1200);
    assert_null(ear.heard.payload);
}

static void words_are_passed_on(void **state)
{
    (void)state;
    struct ear ear;
    struct tern_trace trace = trace_to(&ear);
    tern_trace_dropped(&trace, "no keys", 99);
    check_common(&ear, TERN_TRACE_DROPPED);
    assert_string_equal(ear.heard.text, "no keys");
    trace = trace_to(&ear);
    tern_trace_state(&trace, "established", 99);
    check_common(&ear, TERN_TRACE_STATE);
    assert_string_equal(ear.heard.text, "established");
}

static void metrics_are_passed_on(void **state)
{
    (void)state;
    struct ear ear;
    struct tern_trace trace = trace_to(&ear);
    tern_trace_metrics(&trace, 1, 2, 3, 4, 99);
    check_common(&ear, TERN_TRACE_METRICS);
    assert_int_equal(ear.heard.cwnd, 1);
    assert_int_equal(ear.heard.bytes_in_flight, 2);
    assert_int_equal(ear.heard.smoothed_rtt, 3);
    assert_int_equal(ear.heard.latest_rtt, 4);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(nobody_listens),
    cmocka_unit_test(packet_is_handed_over_whole),
    cmocka_unit_test(lost_packet_has_no_payload),
    cmocka_unit_test(words_are_passed_on),
    cmocka_unit_test(metrics_are_passed_on),
};

TERN_TEST_MAIN(tests)
