/* Addresses: what parses, what does not, and how they are written (RFC 5952).
 * SPDX-License-Identifier: MIT */
#include "base/addr.h"

#include "tern_test.h"

static tern_addr addr_of(const char *text)
{
    tern_addr addr;
    if (tern_addr_parse(&addr, text) != 0) {
        fail_msg("does not parse: %s", text);
    }
    return addr;
}

static void ipv4_parses(void **state)
{
    (void)state;
    tern_addr addr = addr_of("192.0.2.1:4433");
    const uint8_t ip[4] = {192, 0, 2, 1};
    assert_int_equal(addr.family, 4);
    assert_memory_equal(addr.ip, ip, sizeof ip);
    assert_int_equal(addr.port, 4433);
    assert_int_equal(addr.scope, 0);
}

static void ipv6_parses(void **state)
{
    (void)state;
    tern_addr addr = addr_of("[2001:DB8::a0b:1%7]:65535");
    const uint8_t ip[16] = {0x20, 1, 0x0d, 0xb8, [12] = 0x0a, 0x0b, 0, 1};
    assert_int_equal(addr.family, 6);
    assert_memory_equal(addr.ip, ip, sizeof ip);
    assert_int_equal(addr.port, 65535);
    assert_int_equal(addr.scope, 7);
}

/* Left what is typed, right what is written. RFC 5952 §4 names the rule of each row. */
static void text_is_canonical(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"0.0.0.0:0", "0.0.0.0:0"},
        {"255.255.255.255:65535", "255.255.255.255:65535"},
        {"[::]:1", "[::]:1"},
        {"[::1]:1", "[::1]:1"},
        {"[1::]:1", "[1::]:1"},
        {"[0:0:0:0:0:0:0:0]:1", "[::]:1"},
        {"[2001:0db8::0001]:1", "[2001:db8::1]:1"},              /* §4.1 */
        {"[2001:db8:0:0:0:0:2:1]:1", "[2001:db8::2:1]:1"},       /* §4.2.1 */
        {"[2001:db8::1:1:1:1:1]:1", "[2001:db8:0:1:1:1:1:1]:1"}, /* §4.2.2 */
        {"[2001:0:0:1:0:0:0:1]:1", "[2001:0:0:1::1]:1"},         /* §4.2.3 */
        {"[2001:db8:0:0:1:0:0:1]:1", "[2001:db8::1:0:0:1]:1"},   /* §4.2.3, a tie */
        {"[2001:DB8::ABCD:EF]:1", "[2001:db8::abcd:ef]:1"},      /* §4.3 */
        {"[1:2:3:4:5:6:7::]:1", "[1:2:3:4:5:6:7:0]:1"},          /* §4.2.2 */
        {"[::2:3:4:5:6:7:8]:1", "[0:2:3:4:5:6:7:8]:1"},          /* §4.2.2 */
        {"[1:2:3:4:5:6:7:8]:1", "[1:2:3:4:5:6:7:8]:1"},
        {"[::ffff:192.0.2.1]:1", "[::ffff:192.0.2.1]:1"}, /* §5 */
        {"[::ffff:10.200.0.1]:1", "[::ffff:10.200.0.1]:1"},
        {"[::ffff:c000:201]:1", "[::ffff:192.0.2.1]:1"}, /* §5 */
        {"[64:ff9b::192.0.2.33]:1", "[64:ff9b::c000:221]:1"},
        {"[1:2:3:4:5:6:7.8.9.10]:1", "[1:2:3:4:5:6:708:90a]:1"},
        {"[::255.255.255.255]:1", "[::ffff:ffff]:1"},
        {"[fe80::1%4294967295]:9", "[fe80::1%4294967295]:9"},
        {"[fe80::1%0]:9", "[fe80::1]:9"},
    };
    for (size_t i = 0; i < TERN_COUNT_OF(rows); i++) {
        char text[TERN_ADDR_TEXT_SIZE];
        tern_addr addr = addr_of(rows[i][0]);
        assert_ptr_equal(tern_addr_format(&addr, text, sizeof text), text);
        assert_string_equal(text, rows[i][1]);
        tern_addr again = addr_of(text);
        assert_true(tern_addr_equal(&addr, &again));
    }
}

static void bad_text_is_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        ":",
        "1",
        "1.2.3.4",
        "1.2.3.4:",
        "1.2.3.4:65536",
        "1.2.3.4:-1",
        "1.2.3.4: 1",
        " 1.2.3.4:1",
        "1.2.3.4:1 ",
        "1.2.3.4:01",
        "1.2.3:1",
        "1.2.3.4.5:1",
        "1.2.3.256:1",
        "01.2.3.4:1",
        "00.2.3.4:1",
        "1.2.3.09:1",
        "1..3.4:1",
        "1.2.3.4:99999999999999999999999",
        "localhost:1",
        "::1:1",
        "[",
        "[]:1",
        "[1.2.3.4]:1",
        "[::1]",
        "[::1]:",
        "[::1:1",
        "[::1]1",
        "[:1]:1",
        "[1:]:1",
        "[:::]:1",
        "[::1:]:1",
        "[1::2::3]:1",
        "[::1::]:1",
        "[12345::]:1",
        "[g::]:1",
        "[1:2:3:4:5:6:7]:1",
        "[1:2:3:4:5:6:7:8:9]:1",
        "[1:2:3:4:5:6:7:8:]:1",
        "[1:2:3:4:5:6:7:8::]:1",
        "[1:2:3:4::5:6:7:8]:1",
        "[::1.2.3]:1",
        "[::1.2.3.4.5]:1",
        "[::1.2.3.4:5]:1",
        "[::1.2.3.256]:1",
        "[::a.2.3.4]:1",
        "[1:2:3:4:5:6:7:1.2.3.4]:1",
        "[1:2:3:4:5:1.2.3.4]:1",
        "[::1%]:1",
        "[::1%eth0]:1",
        "[::1%4294967296]:1",
        "[::1%10000000000]:1", /* wrapped to a valid number once */
        "[::1%99999999999999999999999]:1",
    };
    for (size_t i = 0; i < TERN_COUNT_OF(rows); i++) {
        tern_addr addr = {.family = 99};
        if (tern_addr_parse(&addr, rows[i]) != TERN_ERR_INVALID) {
            fail_msg("was taken: \"%s\"", rows[i]);
        }
        assert_int_equal(addr.family, 99);
    }
}

static void every_ipv6_survives_its_text(void **state)
{
    (void)state;
    for (unsigned zeros = 0; zeros < 256; zeros++) { /* each pattern of zero groups */
        tern_addr addr = {.family = 6, .port = 7};
        char text[TERN_ADDR_TEXT_SIZE];
        for (unsigned group = 0; group < 8; group++) {
            bool is_zero = (zeros >> group & 1) != 0;
            addr.ip[2 * group] = is_zero ? 0 : 0x12;
            addr.ip[2 * group + 1] = is_zero ? 0 : (uint8_t)(group + 1);
        }
        tern_addr again = addr_of(tern_addr_format(&addr, text, sizeof text));
        assert_true(tern_addr_equal(&addr, &again));
    }
}

static void longest_text_fits(void **state)
{
    (void)state;
    char text[TERN_ADDR_TEXT_SIZE];
    tern_addr addr = {.family = 6, .port = 65535, .scope = UINT32_MAX};
    memset(addr.ip, 0xff, sizeof addr.ip);
    tern_addr_format(&addr, text, sizeof text);
    assert_string_equal(text, "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535");
}

static void short_buffer_cuts_and_terminates(void **state)
{
    (void)state;
    tern_addr addr = addr_of("192.0.2.1:4433");
    for (size_t size = 1; size < 16; size++) {
        char text[16];
        memset(text, 'x', sizeof text);
        tern_addr_format(&addr, text, size);
        assert_int_equal(strlen(text), TERN_MIN(size - 1, strlen("192.0.2.1:4433")));
    }
    char untouched = 'x';
    tern_addr_format(&addr, &untouched, 0);
    assert_int_equal(untouched, 'x');
}

static void no_address_is_called_none(void **state)
{
    (void)state;
    char text[TERN_ADDR_TEXT_SIZE];
    tern_addr addr = {0};
    assert_string_equal(tern_addr_format(&addr, text, sizeof text), "none");
}

static void equality_looks_at_what_counts(void **state)
{
    (void)state;
    tern_addr a = addr_of("192.0.2.1:4433"), b = a;
    b.ip[15] = 1; /* behind an IPv4 address nothing counts */
    b.scope = 5;
    assert_true(tern_addr_equal(&a, &b));
    b.port = 4434;
    assert_false(tern_addr_equal(&a, &b));
    b = a;
    b.ip[3] = 2;
    assert_false(tern_addr_equal(&a, &b));
    b = a;
    b.family = 6;
    assert_false(tern_addr_equal(&a, &b));
    a = addr_of("[fe80::1%1]:1");
    b = addr_of("[fe80::1%2]:1");
    assert_false(tern_addr_equal(&a, &b));
}

static void keys_agree_with_equality(void **state)
{
    (void)state;
    static const char *const texts[] = {"192.0.2.1:1", "192.0.2.1:256",  "192.0.2.2:1",
                                        "[::]:1",      "[c000:201::]:1", "[fe80::1%1]:1",
                                        "[fe80::1]:1", "[fe80::1%256]:1"};
    for (size_t i = 0; i < TERN_COUNT_OF(texts); i++) {
        for (size_t j = 0; j < TERN_COUNT_OF(texts); j++) {
            tern_addr a = addr_of(texts[i]), b = addr_of(texts[j]);
            uint8_t ka[TERN_ADDR_KEY_SIZE], kb[TERN_ADDR_KEY_SIZE];
            tern_addr_key(ka, &a);
            tern_addr_key(kb, &b);
            assert_int_equal(memcmp(ka, kb, sizeof ka) == 0, i == j);
            assert_int_equal(tern_addr_equal(&a, &b), i == j);
        }
    }
}

static void every_byte_is_in_the_key(void **state)
{
    (void)state;
    tern_addr a = addr_of("[2001:db8::1%3]:4433");
    uint8_t key[TERN_ADDR_KEY_SIZE], other[TERN_ADDR_KEY_SIZE];
    tern_addr_key(key, &a);
    for (size_t byte = 0; byte < 16 + 2 + 4; byte++) {
        tern_addr b = a;
        if (byte < 16) {
            b.ip[byte] ^= 1;
        } else if (byte < 18) {
            b.port = (uint16_t)(b.port ^ 1u << 8 * (byte - 16));
        } else {
            b.scope ^= 1u << 8 * (byte - 18);
        }
        tern_addr_key(other, &b);
        assert_memory_not_equal(key, other, sizeof key);
    }
}

static void key_ignores_what_equality_ignores(void **state)
{
    (void)state;
    static const uint8_t families[] = {0, 4, 6};
    for (size_t i = 0; i < TERN_COUNT_OF(families); i++) {
        tern_addr a = {.family = families[i], .port = 9}, b = a;
        uint8_t ka[TERN_ADDR_KEY_SIZE], kb[TERN_ADDR_KEY_SIZE];
        size_t used = families[i] == 0 ? 0 : families[i] == 4 ? 4 : 16;
        memset(b.ip + used, 0xee, sizeof b.ip - used);
        b.scope = families[i] == 6 ? 0 : 3;
        assert_true(tern_addr_equal(&a, &b));
        tern_addr_key(ka, &a);
        tern_addr_key(kb, &b);
        assert_memory_equal(ka, kb, sizeof ka);
    }
}

static void mapped_addresses_are_those_they_stand_for(void **state)
{
    static const char *const rows[][2] = {
        {"[::ffff:192.0.2.1]:7", "192.0.2.1:7"},
        {"[::fffe:192.0.2.1]:7", "[::fffe:c000:201]:7"},
        {"[2001:db8::1]:7", "[2001:db8::1]:7"},
        {"192.0.2.1:7", "192.0.2.1:7"},
        {"[::1:ffff:c000:201]:7", "[::1:ffff:c000:201]:7"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        tern_addr addr;
        char text[TERN_ADDR_TEXT_SIZE];
        assert_int_equal(tern_addr_parse(&addr, rows[i][0]), 0);
        addr = tern_addr_unmapped(&addr);
        assert_string_equal(tern_addr_format(&addr, text, sizeof text), rows[i][1]);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(mapped_addresses_are_those_they_stand_for),
    cmocka_unit_test(ipv4_parses),
    cmocka_unit_test(ipv6_parses),
    cmocka_unit_test(text_is_canonical),
    cmocka_unit_test(bad_text_is_refused),
    cmocka_unit_test(every_ipv6_survives_its_text),
    cmocka_unit_test(longest_text_fits),
    cmocka_unit_test(short_buffer_cuts_and_terminates),
    cmocka_unit_test(no_address_is_called_none),
    cmocka_unit_test(equality_looks_at_what_counts),
    cmocka_unit_test(keys_agree_with_equality),
    cmocka_unit_test(every_byte_is_in_the_key),
    cmocka_unit_test(key_ignores_what_equality_ignores),
};

TERN_TEST_MAIN(tests)
