/* Addresses go to the platform and come back equal; mapped ones come back as IPv4.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "tern_test.h"

#include <arpa/inet.h>

#include "driver/sockaddr.h"

static tern_addr addr_of(const char *text)
{
    tern_addr addr;
    assert_int_equal(tern_addr_parse(&addr, text), 0);
    return addr;
}

static void addresses_come_back_equal(void **state)
{
    (void)state;
    const char *texts[] = {"192.0.2.1:4433", "[2001:db8::7]:1", "[::]:0", "0.0.0.0:65535"};
    for (size_t i = 0; i < 4; i++) {
        tern_addr addr = addr_of(texts[i]);
        union tern_sockaddr sa;
        assert_true(tern_sockaddr_encode(&sa, &addr, addr.family == 4 ? AF_INET : AF_INET6) > 0);
        tern_addr back = tern_sockaddr_decode(&sa);
        assert_true(tern_addr_equal(&addr, &back));
    }
}

static void ipv4_is_mapped_on_an_ipv6_socket(void **state)
{
    (void)state;
    tern_addr addr = addr_of("192.0.2.1:4433");
    union tern_sockaddr sa;
    assert_int_equal(tern_sockaddr_encode(&sa, &addr, AF_INET6), sizeof sa.v6);
    char text[INET6_ADDRSTRLEN];
    assert_non_null(inet_ntop(AF_INET6, &sa.v6.sin6_addr, text, sizeof text));
    assert_string_equal(text, "::ffff:192.0.2.1");
    tern_addr back = tern_sockaddr_decode(&sa);
    assert_true(tern_addr_equal(&addr, &back));
}

static void ipv6_does_not_fit_an_ipv4_socket(void **state)
{
    (void)state;
    tern_addr addr = addr_of("[::1]:1");
    tern_addr none = {0};
    union tern_sockaddr sa;
    assert_int_equal(tern_sockaddr_encode(&sa, &addr, AF_INET), 0);
    assert_int_equal(tern_sockaddr_encode(&sa, &none, AF_INET), 0);
    assert_int_equal(tern_sockaddr_encode(&sa, &none, AF_INET6), 0);
}

static void scope_is_kept_for_link_local_only(void **state)
{
    (void)state;
    tern_addr local = addr_of("[fe80::1]:9"), global = addr_of("[2001:db8::1]:9");
    local.scope = global.scope = 3;
    union tern_sockaddr sa;
    assert_true(tern_sockaddr_encode(&sa, &local, AF_INET6) > 0);
    assert_int_equal(tern_sockaddr_decode(&sa).scope, 3);
    assert_true(tern_sockaddr_encode(&sa, &global, AF_INET6) > 0);
    assert_int_equal(tern_sockaddr_decode(&sa).scope, 0);
}

static void unknown_families_are_none(void **state)
{
    (void)state;
    union tern_sockaddr sa = {.any = {.sa_family = AF_UNIX}};
    assert_int_equal(tern_sockaddr_decode(&sa).family, 0);
}

static void any_is_recognised(void **state)
{
    (void)state;
    tern_addr a = addr_of("0.0.0.0:5"), b = addr_of("[::]:5"), c = addr_of("0.0.0.1:5");
    tern_addr d = addr_of("[::1]:5");
    assert_true(tern_sockaddr_is_any(&a));
    assert_true(tern_sockaddr_is_any(&b));
    assert_false(tern_sockaddr_is_any(&c));
    assert_false(tern_sockaddr_is_any(&d));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(addresses_come_back_equal),
    cmocka_unit_test(ipv4_is_mapped_on_an_ipv6_socket),
    cmocka_unit_test(ipv6_does_not_fit_an_ipv4_socket),
    cmocka_unit_test(scope_is_kept_for_link_local_only),
    cmocka_unit_test(unknown_families_are_none),
    cmocka_unit_test(any_is_recognised),
};

TERN_TEST_MAIN(tests)
