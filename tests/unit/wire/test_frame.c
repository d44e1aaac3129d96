/* The rule table against RFC 9000 table 3, written down here a second time in its own notation.
 * SPDX-License-Identifier: MIT */
#include "wire/frame.h"

#include "tern_test.h"

/* The columns "Pkts" and "Spec" of RFC 9000 table 3; s for early packets of a server's, [P §6.2]. The letter C
 * (not in flight) stands only with ACK there; CONNECTION_CLOSE is not in flight by the definition in RFC 9002
 * §2. */
static const struct {
    uint64_t first, last;
    const char *packets, *spec;
} table_3[] = {
    {0x00, 0x00, "IH01s", "NP"},
    {0x01, 0x01, "IH01s", ""},
    {0x02, 0x03, "IH_1s", "NC"},
    {0x04, 0x04, "__01s", ""},
    {0x05, 0x05, "__01s", ""},
    {0x06, 0x06, "IH_1s", ""},
    {0x07, 0x07, "___1", ""},
    {0x08, 0x0f, "__01s", "F"},
    {0x10, 0x10, "__01s", ""},
    {0x11, 0x11, "__01s", ""},
    {0x12, 0x13, "__01s", ""},
    {0x14, 0x14, "__01s", ""},
    {0x15, 0x15, "__01s", ""},
    {0x16, 0x17, "__01s", ""},
    {0x18, 0x18, "__01", "P"},
    {0x19, 0x19, "___1", ""},
    {0x1a, 0x1a, "__01", "P"},
    {0x1b, 0x1b, "___1", "P"},
    {0x1c, 0x1c, "IH01s", "NC"},
    {0x1d, 0x1d, "__01s", "NC"},
    {0x1e, 0x1e, "___1", ""},
    {0x1f, 0x1f, "___1", ""}, /* draft-ietf-quic-ack-frequency: not in 0-RTT either */
    {0x20, 0x2b, "___1", ""},
    {0x2c, 0x2c, "___1", ""},
    {0x2d, 0x2e, "___1", ""}, /* [P §16] */
};
#define END 0x2fu /* of those that follow one another */

static uint8_t bits_of(const char *packets)
{
    unsigned bits = 0;
    bits |= strchr(packets, 'I') != NULL ? 1u << TERN_PACKET_INITIAL : 0;
    bits |= strchr(packets, 'H') != NULL ? 1u << TERN_PACKET_HANDSHAKE : 0;
    bits |= strchr(packets, '0') != NULL ? 1u << TERN_PACKET_ZERO_RTT : 0;
    bits |= strchr(packets, '1') != NULL ? 1u << TERN_PACKET_ONE_RTT : 0;
    bits |= strchr(packets, 's') != NULL ? TERN_FRAME_IN_HALF : 0;
    return (uint8_t)bits;
}

static void rules_are_those_of_the_rfc(void **state)
{
    (void)state;
    uint64_t next = 0;
    for (size_t i = 0; i < TERN_COUNT_OF(table_3); i++) {
        assert_int_equal(table_3[i].first, next);
        next = table_3[i].last + 1;
        for (uint64_t type = table_3[i].first; type <= table_3[i].last; type++) {
            const struct tern_frame_rule *rule = tern_frame_rule(type);
            const char *spec = table_3[i].spec;
            assert_non_null(rule);
            assert_int_equal(rule->packets, bits_of(table_3[i].packets));
            assert_int_equal(rule->is_ack_eliciting, strchr(spec, 'N') == NULL);
            assert_int_equal(rule->is_probing, strchr(spec, 'P') != NULL);
            assert_int_equal(rule->is_in_flight, strchr(spec, 'C') == NULL);
            assert_int_equal(rule->is_flow_controlled, strchr(spec, 'F') != NULL);
        }
    }
    assert_int_equal(next, END);
}

/* RFC 9002 §2: what asks for an acknowledgement is in flight. */
static void what_asks_is_in_flight(void **state)
{
    (void)state;
    for (uint64_t type = 0; type < END; type++) {
        const struct tern_frame_rule *rule = tern_frame_rule(type);
        assert_true(!rule->is_ack_eliciting || rule->is_in_flight);
    }
}

static void other_types_are_unknown(void **state)
{
    (void)state;
    for (uint64_t type = END; type < 0x10000; type++) { /* the reserved ones of [P §6.1] too */
        assert_int_equal(tern_frame_rule(type) != NULL, type == TERN_FRAME_ACK_FREQUENCY ||
                                                            type == TERN_FRAME_REKEY ||
                                                            type == TERN_FRAME_CLOCK);
    }
    for (unsigned bit = 16; bit < 64; bit++) {
        assert_null(tern_frame_rule(UINT64_C(1) << bit));
        assert_null(tern_frame_rule(UINT64_C(1) << bit | TERN_FRAME_STREAM));
    }
    assert_null(tern_frame_rule(UINT64_MAX));
}

static void the_far_one_is_like_a_ping_in_1rtt(void **state)
{
    (void)state;
    const struct tern_frame_rule *rule = tern_frame_rule(0xaf);
    assert_string_equal(rule->name, "ACK_FREQUENCY");
    assert_int_equal(rule->packets, bits_of("___1"));
    assert_true(rule->is_ack_eliciting && rule->is_in_flight);
    assert_false(rule->is_probing || rule->is_flow_controlled);
}

static void stream_has_one_row(void **state)
{
    (void)state;
    for (uint64_t type = 0x08; type <= 0x0f; type++) {
        assert_ptr_equal(tern_frame_rule(type), tern_frame_rule(TERN_FRAME_STREAM));
    }
}

static void message_has_one_row(void **state)
{
    (void)state;
    for (uint64_t type = 0x20; type <= 0x2b; type++) {
        assert_ptr_equal(tern_frame_rule(type), tern_frame_rule(TERN_FRAME_MESSAGE));
    }
    assert_string_equal(tern_frame_rule(0x2c)->name, "MESSAGE_SKIP");
    assert_string_equal(tern_frame_rule(0x2d)->name, "MAX_MESSAGE_DATA");
}

static void every_row_has_a_name(void **state)
{
    (void)state;
    for (uint64_t type = 0; type < END; type++) {
        const char *name = tern_frame_rule(type)->name;
        assert_true(strlen(name) > 0);
        for (; *name != '\0'; name++) {
            assert_true(*name == '_' || (*name >= 'A' && *name <= 'Z'));
        }
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(rules_are_those_of_the_rfc),
    cmocka_unit_test(what_asks_is_in_flight),
    cmocka_unit_test(the_far_one_is_like_a_ping_in_1rtt),
    cmocka_unit_test(other_types_are_unknown),
    cmocka_unit_test(stream_has_one_row),
    cmocka_unit_test(message_has_one_row),
    cmocka_unit_test(every_row_has_a_name),
};

TERN_TEST_MAIN(tests)
