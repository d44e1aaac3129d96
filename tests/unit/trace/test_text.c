/* Trace lines: each kind of event, each frame, and what a hostile peer cannot put into a log.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <tern/trace.h>

#include "unit/wire/samples.h"

static const tern_trace_event sent = {.kind = TERN_TRACE_SENT,
                                      .now = 12 * TERN_SEC + 34567 * TERN_USEC + 999,
                                      .conn_number = 1,
                                      .packet_type = TERN_PACKET_ONE_RTT,
                                      .packet_number = 7,
                                      .packet_size = 1200};

static void check_line(const tern_trace_event *event, const char *expected)
{
    char line[512];
    assert_int_equal(tern_trace_text(event, line, sizeof line), strlen(expected));
    assert_string_equal(line, expected);
}

/* The line of a 1-RTT packet with this payload, behind "size=1200". */
static const char *frames_of(const uint8_t *payload, size_t len, char *line, size_t size)
{
    tern_trace_event event = sent;
    uint8_t *exact = kit_exact(payload, len);
    event.payload = exact;
    event.payload_len = len;
    (void)tern_trace_text(&event, line, size);
    free(exact);
    return line + strlen("12.034567 #1 c sent 1-RTT pn=7 size=1200");
}

static void packets_say_what_they_are(void **state)
{
    (void)state;
    tern_trace_event event = sent;
    check_line(&event, "12.034567 #1 c sent 1-RTT pn=7 size=1200");
    event.kind = TERN_TRACE_RECEIVED;
    event.is_server = true;
    event.packet_type = TERN_PACKET_INITIAL;
    check_line(&event, "12.034567 #1 s received Initial pn=7 size=1200");
    event.packet_type = TERN_PACKET_ZERO_RTT;
    check_line(&event, "12.034567 #1 s received 0-RTT pn=7 size=1200");
    event.kind = TERN_TRACE_LOST;
    event.packet_type = TERN_PACKET_HANDSHAKE;
    check_line(&event, "12.034567 #1 s lost Handshake pn=7 size=1200");
    static const uint8_t unknown[] = {5, 99, 255};
    for (size_t i = 0; i < TERN_COUNT_OF(unknown); i++) {
        event.packet_type = unknown[i];
        check_line(&event, "12.034567 #1 s lost ? pn=7 size=1200");
    }
}

static void other_events_have_their_words(void **state)
{
    (void)state;
    tern_trace_event event = {.conn_number = UINT64_MAX, .text = "established"};
    event.kind = TERN_TRACE_STATE;
    check_line(&event, "0.000000 #18446744073709551615 c state established");
    event.kind = TERN_TRACE_DROPPED;
    event.text = "no keys";
    check_line(&event, "0.000000 #18446744073709551615 c dropped: no keys");
    event = (tern_trace_event){.kind = TERN_TRACE_METRICS,
                               .cwnd = 12000,
                               .bytes_in_flight = 2400,
                               .smoothed_rtt = 50 * TERN_MSEC,
                               .latest_rtt = 49999 * TERN_USEC};
    check_line(&event, "0.000000 #0 c metrics cwnd=12000 in_flight=2400 srtt=50000us rtt=49999us");
}

static void every_frame_is_rendered(void **state)
{
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(samples); i++) {
        char line[512];
        const char *text = frames_of(samples[i].bytes, samples[i].len, line, sizeof line);
        assert_int_equal(text[0], ' ');
        assert_string_equal(text + 1, samples[i].text);
    }
}

static void frames_are_told_apart(void **state)
{
    (void)state;
    const uint8_t payload[] = {1, 0x0a, 4, 1, 'x', 0x1e, 0, 0};
    char line[512];
    assert_string_equal(frames_of(payload, sizeof payload, line, sizeof line),
                        " PING | STREAM id=4 off=0 len=1 | HANDSHAKE_DONE | PADDING len=2");
}

static void empty_payload_has_no_frames(void **state)
{
    (void)state;
    tern_trace_event event = sent;
    event.payload = (const uint8_t *)"";
    check_line(&event, "12.034567 #1 c sent 1-RTT pn=7 size=1200");
}

static void rendering_ends_at_a_malformed_frame(void **state)
{
    (void)state;
    static const uint8_t cut[] = {1, 6, 0, 9, 'x'}, unknown[] = {1, 0x3f, 1};
    char line[512];
    assert_string_equal(frames_of(cut, sizeof cut, line, sizeof line), " PING | (malformed)");
    assert_string_equal(frames_of(unknown, sizeof unknown, line, sizeof line),
                        " PING | (malformed)");
}

/* No byte of a peer's reason reaches the line unless it is printable ASCII, and neither quote nor
 * backslash does: a log cannot be forged, a terminal not be steered. */
static void reason_is_escaped(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        const uint8_t payload[] = {0x1d, 0, 3, 'a', (uint8_t)byte, 'z'};
        char line[512], expected[128];
        bool is_plain = byte >= ' ' && byte <= '~' && byte != '"' && byte != '\\';
        (void)snprintf(expected, sizeof expected,
                       is_plain ? " CONNECTION_CLOSE application code=0x0 reason=\"a%cz\""
                                : " CONNECTION_CLOSE application code=0x0 reason=\"a\\x%02xz\"",
                       byte);
        assert_string_equal(frames_of(payload, sizeof payload, line, sizeof line), expected);
    }
}

static void stream_data_is_never_shown(void **state)
{
    (void)state;
    const uint8_t payload[] = {0x08, 4, 0x1b, '[', '2', 'J', 's', 'e', 'c', 'r', 'e', 't'};
    char line[512];
    const char *text = frames_of(payload, sizeof payload, line, sizeof line);
    assert_null(strchr(text, 0x1b));
    assert_null(strstr(text, "secret"));
}

static void only_the_newest_ranges_are_listed(void **state)
{
    (void)state;
    const uint8_t payload[] = {2, 20, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    char line[512];
    assert_string_equal(frames_of(payload, sizeof payload, line, sizeof line),
                        " ACK largest=20 delay=0 ranges=6 20-20 18-18 16-16 14-14");
}

/* As snprintf: cut and terminated, and the length that it needed. */
static void short_buffer_cuts_and_terminates(void **state)
{
    (void)state;
    const uint8_t payload[] = {2, 20, 0, 0, 3, 0x1c, 0x0a, 6, 3, 'a', 0, 'b', 0, 0};
    char full[512];
    tern_trace_event event = sent;
    event.payload = payload;
    event.payload_len = sizeof payload;
    size_t needed = tern_trace_text(&event, full, sizeof full);
    assert_int_equal(needed, strlen(full));
    assert_int_equal(tern_trace_text(&event, NULL, 0), needed);
    for (size_t size = 1; size <= needed + 1; size++) {
        char *cut = malloc(size);
        assert_int_equal(tern_trace_text(&event, cut, size), needed);
        assert_int_equal(strlen(cut), size - 1);
        assert_memory_equal(cut, full, size - 1);
        free(cut);
    }
}

static void random_payloads_do_no_harm(void **state)
{
    (void)state;
    uint64_t seed = 1;
    for (size_t i = 0; i < 20000; i++) {
        uint8_t payload[64];
        char line[256];
        size_t len = (size_t)(kit_roll(&seed) % sizeof payload);
        kit_random_fill(&seed, payload, len);
        if (len > 0) {
            payload[0] &= 0x1f;
        }
        (void)frames_of(payload, len, line, sizeof line);
        for (const char *at = line; *at != '\0'; at++) {
            assert_true(*at >= ' ' && *at <= '~');
        }
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(packets_say_what_they_are),
    cmocka_unit_test(other_events_have_their_words),
    cmocka_unit_test(every_frame_is_rendered),
    cmocka_unit_test(frames_are_told_apart),
    cmocka_unit_test(empty_payload_has_no_frames),
    cmocka_unit_test(rendering_ends_at_a_malformed_frame),
    cmocka_unit_test(reason_is_escaped),
    cmocka_unit_test(stream_data_is_never_shown),
    cmocka_unit_test(only_the_newest_ranges_are_listed),
    cmocka_unit_test(short_buffer_cuts_and_terminates),
    cmocka_unit_test(random_payloads_do_no_harm),
};

TERN_TEST_MAIN(tests)
