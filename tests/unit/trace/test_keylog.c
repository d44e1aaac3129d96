/* Lines of a key log, and that nothing else makes one.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <tern/trace.h>

#include "tern_test.h"
#include "wire/header.h"

static uint8_t secret[TERN_SECRET_SIZE],
    connection[8] = {0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 8};

static tern_trace_event event_of(uint8_t packet_type, bool is_clients)
{
    secret[0] = 0x0f;
    secret[TERN_SECRET_SIZE - 1] = 0xa0;
    return (tern_trace_event){.kind = TERN_TRACE_SECRET,
                              .packet_type = packet_type,
                              .connection = connection,
                              .secret = secret,
                              .is_clients = is_clients,
                              .suite = 0x0002,
                              .key_phase = 12};
}

static void a_line_has_five_fields(void **state)
{
    (void)state;
    char buf[256];
    tern_trace_event event = event_of(TERN_PACKET_ONE_RTT, true);
    size_t len = tern_trace_key_log(&event, buf, sizeof buf);
    assert_string_equal(buf, "CLIENT_TRAFFIC 8394c8f03e515708 12 0002 "
                             "0f000000000000000000000000000000000000000000000000000000000000a0");
    assert_int_equal(len, strlen(buf));
}

static void levels_have_names(void **state)
{
    (void)state;
    static const struct {
        uint8_t type;
        bool is_clients;
        const char *name;
    } cases[] = {
        {TERN_PACKET_INITIAL, true, "CLIENT_INITIAL "},
        {TERN_PACKET_INITIAL, false, "SERVER_INITIAL "},
        {TERN_PACKET_ZERO_RTT, true, "CLIENT_EARLY "},
        {TERN_PACKET_ZERO_RTT, false, "SERVER_EARLY "},
        {TERN_PACKET_HANDSHAKE, true, "CLIENT_HANDSHAKE "},
        {TERN_PACKET_HANDSHAKE, false, "SERVER_HANDSHAKE "},
        {TERN_PACKET_ONE_RTT, false, "SERVER_TRAFFIC "},
    };
    for (size_t i = 0; i < TERN_COUNT_OF(cases); i++) {
        char buf[256];
        tern_trace_event event = event_of(cases[i].type, cases[i].is_clients);
        (void)tern_trace_key_log(&event, buf, sizeof buf);
        assert_memory_equal(buf, cases[i].name, strlen(cases[i].name));
    }
}

static void other_events_make_no_line(void **state)
{
    (void)state;
    char buf[16] = "untouched";
    for (int kind = TERN_TRACE_SENT; kind < TERN_TRACE_SECRET; kind++) {
        tern_trace_event event = {.kind = (tern_trace_kind)kind, .text = "x"};
        assert_int_equal(tern_trace_key_log(&event, buf, sizeof buf), 0);
    }
    assert_string_equal(buf, "untouched");
    tern_trace_event event = event_of(99, true);
    assert_int_equal(tern_trace_key_log(&event, buf, sizeof buf), 0);
}

static void a_text_trace_does_not_show_the_secret(void **state)
{
    (void)state;
    char buf[256];
    tern_trace_event event = event_of(TERN_PACKET_HANDSHAKE, false);
    (void)tern_trace_text(&event, buf, sizeof buf);
    assert_string_equal(buf, "0.000000 #0 c secret Handshake server phase=12 suite=0x0002");
}

static void a_cut_line_says_what_it_needed(void **state)
{
    (void)state;
    char whole[256];
    tern_trace_event event = event_of(TERN_PACKET_INITIAL, true);
    size_t need = tern_trace_key_log(&event, whole, sizeof whole);
    for (size_t size = 0; size <= need + 1; size++) {
        char *exact = malloc(size + 1);
        assert_int_equal(tern_trace_key_log(&event, size > 0 ? exact : NULL, size), need);
        assert_true(size == 0 || memcmp(exact, whole, size - 1) == 0);
        free(exact);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_line_has_five_fields),
    cmocka_unit_test(levels_have_names),
    cmocka_unit_test(other_events_make_no_line),
    cmocka_unit_test(a_text_trace_does_not_show_the_secret),
    cmocka_unit_test(a_cut_line_says_what_it_needed),
};

TERN_TEST_MAIN(tests)
