/* qlog records: one JSON text each, every kind of event and of frame, whatever a peer sends.
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

/* A reader of JSON that only says where a value ends; NULL: there is none. Names and values of the kinds
 * that we write: no escapes but \u00xx, no fractions without digits. */
static const char *skip_value(const char *at);

static const char *skip_string(const char *at)
{
    if (at == NULL || *at++ != '"') {
        return NULL;
    }
    while (*at != '"') {
        if (*at < 0x20 || *at > 0x7e) {
            return NULL;
        }
        if (*at == '\\') {
            if (strncmp(at, "\\u00", 4) != 0 || strspn(at + 4, "0123456789abcdef") < 2) {
                return NULL;
            }
            at += 5;
        }
        at++;
    }
    return at + 1;
}

static const char *skip_list(const char *at, char end, bool has_names)
{
    for (at++; *at != end; at++) {
        if (has_names) {
            at = skip_string(at);
            if (at == NULL || *at++ != ':') {
                return NULL;
            }
        }
        at = skip_value(at);
        if (at == NULL || (*at != ',' && *at != end) || (*at == ',' && at[1] == end)) {
            return NULL;
        }
        if (*at == end) {
            break;
        }
    }
    return at + 1;
}

static const char *skip_value(const char *at)
{
    size_t digits = strspn(at, "0123456789.");
    switch (*at) {
    case '{':
        return skip_list(at, '}', true);
    case '[':
        return skip_list(at, ']', false);
    case '"':
        return skip_string(at);
    case 't':
        return strncmp(at, "true", 4) == 0 ? at + 4 : NULL;
    case 'f':
        return strncmp(at, "false", 5) == 0 ? at + 5 : NULL;
    default:
        return digits > 0 ? at + digits : NULL;
    }
}

/* Record separator, one value, newline: RFC 7464 §2.2. */
static void check_form(const char *record)
{
    assert_int_equal(record[0], 0x1e);
    const char *end = skip_value(record + 1);
    assert_non_null(end);
    assert_string_equal(end, "\n");
}

static const char *record_of(const tern_trace_event *event, char *buf, size_t size)
{
    size_t need = tern_trace_qlog(event, buf, size);
    assert_true(need < size);
    assert_int_equal(strlen(buf), need);
    check_form(buf);
    return buf + 1;
}

static const char *frames_of(const uint8_t *payload, size_t len, char *buf, size_t size)
{
    tern_trace_event event = sent;
    uint8_t *exact = kit_exact(payload, len);
    event.payload = exact;
    event.payload_len = len;
    const char *record = record_of(&event, buf, size);
    free(exact);
    const char *frames = strstr(record, "\"frames\":");
    assert_non_null(frames);
    return frames;
}

static void files_begin_with_the_point_of_view(void **state)
{
    (void)state;
    char buf[512];
    size_t need = tern_trace_qlog_start(false, buf, sizeof buf);
    assert_int_equal(strlen(buf), need);
    check_form(buf);
    assert_non_null(strstr(buf, "\"serialization_format\":\"application/qlog+json-seq\""));
    assert_non_null(strstr(buf, "\"vantage_point\":{\"type\":\"client\"}"));
    (void)tern_trace_qlog_start(true, buf, sizeof buf);
    assert_non_null(strstr(buf, "\"vantage_point\":{\"type\":\"server\"}"));
}

static void packets_have_names_that_viewers_know(void **state)
{
    (void)state;
    char buf[512];
    tern_trace_event event = sent;
    assert_string_equal(
        record_of(&event, buf, sizeof buf),
        "{\"time\":12034.567999,\"name\":\"quic:packet_sent\",\"group_id\":\"1\",\"data\":{"
        "\"header\":{\"packet_type\":\"1RTT\",\"packet_number\":7},\"raw\":{\"length\":1200}}}\n");
    event.kind = TERN_TRACE_RECEIVED;
    event.packet_type = TERN_PACKET_INITIAL;
    const char *record = record_of(&event, buf, sizeof buf);
    assert_non_null(strstr(record, "\"quic:packet_received\""));
    assert_non_null(strstr(record, "\"packet_type\":\"initial\""));
    event.kind = TERN_TRACE_LOST;
    event.packet_type = 99;
    record = record_of(&event, buf, sizeof buf);
    assert_non_null(strstr(record, "\"quic:packet_lost\""));
    assert_non_null(strstr(record, "\"packet_type\":\"unknown\""));
}

static void other_events_too(void **state)
{
    (void)state;
    char buf[512];
    tern_trace_event event = {.kind = TERN_TRACE_STATE, .text = "established"};
    assert_non_null(strstr(record_of(&event, buf, sizeof buf),
                           "\"quic:connection_state_updated\",\"group_id\":\"0\",\"data\":{"
                           "\"new\":\"handshake_complete\"}"));
    event.text = "draining";
    assert_non_null(strstr(record_of(&event, buf, sizeof buf), "\"new\":\"draining\""));
    event.kind = TERN_TRACE_DROPPED;
    event.text = "no keys";
    assert_non_null(strstr(record_of(&event, buf, sizeof buf),
                           "\"quic:packet_dropped\",\"group_id\":\"0\",\"data\":{"
                           "\"details\":{\"why\":\"no keys\"},\"trigger\":\"general\"}"));
    event.text = "did not open";
    assert_non_null(strstr(record_of(&event, buf, sizeof buf),
                           "{\"details\":{\"why\":\"did not open\"},"
                           "\"trigger\":\"decryption_failure\"}"));
    event = (tern_trace_event){.kind = TERN_TRACE_METRICS, .cwnd = 12000, .bytes_in_flight = 24};
    assert_non_null(strstr(
        record_of(&event, buf, sizeof buf),
        "\"quic:recovery_metrics_updated\",\"group_id\":\"0\",\"data\":{\"congestion_window\":"
        "12000,\"bytes_in_flight\":24}"));
    event.smoothed_rtt = 50 * TERN_MSEC;
    event.latest_rtt = 49 * TERN_MSEC + 1;
    assert_non_null(strstr(record_of(&event, buf, sizeof buf),
                           "\"smoothed_rtt\":50.000000,\"latest_rtt\":49.000001,"));
}

/* Nobody may read a connection because he may see its trace. */
static void keys_are_told_of_and_not_told(void **state)
{
    (void)state;
    char buf[512];
    uint8_t secret[TERN_SECRET_SIZE];
    memset(secret, 0xab, sizeof secret);
    tern_trace_event event = {.kind = TERN_TRACE_SECRET,
                              .packet_type = TERN_PACKET_ONE_RTT,
                              .connection = secret,
                              .secret = secret,
                              .is_clients = true,
                              .suite = 2,
                              .key_phase = 3};
    const char *record = record_of(&event, buf, sizeof buf);
    assert_non_null(strstr(record, "\"quic:key_updated\",\"group_id\":\"0\",\"data\":{"
                                   "\"key_type\":\"client_1rtt_secret\",\"key_phase\":3}"));
    event.packet_type = TERN_PACKET_HANDSHAKE;
    event.is_clients = false;
    record = record_of(&event, buf, sizeof buf);
    assert_non_null(strstr(record, "{\"key_type\":\"server_handshake_secret\"}"));
    assert_null(strstr(record, "abab"));
}

static void errors_have_names(void **state)
{
    (void)state;
    char buf[512];
    static const struct {
        uint8_t payload[5];
        const char *expected;
    } cases[] = {
        {{0x1c, 0x0a, 0, 0}, "\"transport\",\"error\":\"protocol_violation\",\"reason"},
        {{0x1c, 0x41, 0x02, 0, 0}, "\"transport\",\"error\":\"crypto_error_0x102\",\"reason"},
        {{0x1c, 0x11, 0, 0}, "\"transport\",\"error\":\"unknown\",\"error_code\":17,\"reason"},
        {{0x1d, 0x0a, 0}, "\"application\",\"error\":\"unknown\",\"error_code\":10,\"reason"},
    };
    for (size_t i = 0; i < TERN_COUNT_OF(cases); i++) {
        assert_non_null(
            strstr(frames_of(cases[i].payload, sizeof cases[i].payload, buf, sizeof buf),
                   cases[i].expected));
    }
}

/* Frames have reasons other than names to say "unknown". */
static void every_frame_is_rendered(void **state)
{
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(samples); i++) {
        char buf[1024];
        const char *frames = frames_of(samples[i].bytes, samples[i].len, buf, sizeof buf);
        assert_null(strstr(frames, "\"frame_type\":\"unknown\""));
    }
}

static void frames_say_what_they_carry(void **state)
{
    (void)state;
    char buf[1024];
    const uint8_t mixed[] = {1, 0x0b, 4, 1, 'x', 0x1e, 0, 0};
    assert_string_equal(frames_of(mixed, sizeof mixed, buf, sizeof buf),
                        "\"frames\":[{\"frame_type\":\"ping\"},{\"frame_type\":\"stream\","
                        "\"stream_id\":4,\"offset\":0,\"fin\":true,\"raw\":{\"payload_length\":1}},"
                        "{\"frame_type\":\"handshake_done\"},"
                        "{\"frame_type\":\"padding\",\"raw\":{\"length\":2}}]}}\n");
    const uint8_t ack[] = {3, 0x43, 0xe8, 0x40, 0x64, 1, 2, 1, 5, 1, 2, 3};
    assert_string_equal(frames_of(ack, sizeof ack, buf, sizeof buf),
                        "\"frames\":[{\"frame_type\":\"ack\",\"ack_delay\":0.800000,"
                        "\"acked_ranges\":[[998,1000],[990,995]],\"ect1\":2,\"ect0\":1,\"ce\":3}]"
                        "}}\n");
}

static void rendering_ends_at_a_malformed_frame(void **state)
{
    (void)state;
    char buf[512];
    static const uint8_t cut[] = {1, 6, 0, 9, 'x'}, unknown[] = {0x3f};
    assert_string_equal(frames_of(cut, sizeof cut, buf, sizeof buf),
                        "\"frames\":[{\"frame_type\":\"ping\"},{\"frame_type\":\"unknown\","
                        "\"frame_type_bytes\":6}]}}\n");
    assert_string_equal(frames_of(unknown, sizeof unknown, buf, sizeof buf),
                        "\"frames\":[{\"frame_type\":\"unknown\",\"frame_type_bytes\":63}]}}\n");
}

static void no_reason_breaks_out_of_its_string(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        const uint8_t payload[] = {0x1d, 0, 3, 'a', (uint8_t)byte, 'z'};
        char buf[512], expected[64];
        bool is_plain = byte >= ' ' && byte <= '~' && byte != '"' && byte != '\\';
        (void)snprintf(expected, sizeof expected,
                       is_plain ? "\"reason\":\"a%cz\"}" : "\"reason\":\"a\\u00%02xz\"}", byte);
        assert_non_null(strstr(frames_of(payload, sizeof payload, buf, sizeof buf), expected));
    }
}

static void delays_do_not_overflow(void **state)
{
    (void)state;
    char buf[512];
    const uint8_t ack[] = {2, 5, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0};
    assert_non_null(strstr(frames_of(ack, sizeof ack, buf, sizeof buf),
                           "\"ack_delay\":18446744073709.551615,"));
}

static void a_cut_record_says_what_it_needed(void **state)
{
    (void)state;
    char whole[512];
    size_t need = tern_trace_qlog(&sent, whole, sizeof whole);
    for (size_t size = 0; size <= need + 1; size++) {
        char *exact = malloc(size + 1);
        assert_int_equal(tern_trace_qlog(&sent, size > 0 ? exact : NULL, size), need);
        assert_true(size == 0 || strlen(exact) == size - 1);
        assert_true(size == 0 || memcmp(exact, whole, size - 1) == 0);
        free(exact);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(files_begin_with_the_point_of_view),
    cmocka_unit_test(packets_have_names_that_viewers_know),
    cmocka_unit_test(other_events_too),
    cmocka_unit_test(keys_are_told_of_and_not_told),
    cmocka_unit_test(errors_have_names),
    cmocka_unit_test(every_frame_is_rendered),
    cmocka_unit_test(frames_say_what_they_carry),
    cmocka_unit_test(rendering_ends_at_a_malformed_frame),
    cmocka_unit_test(no_reason_breaks_out_of_its_string),
    cmocka_unit_test(delays_do_not_overflow),
    cmocka_unit_test(a_cut_record_says_what_it_needed),
};

TERN_TEST_MAIN(tests)
