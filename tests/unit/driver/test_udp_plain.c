/* The plain fallback, which other systems use, also works here.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "udp_cases.h"

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(trains_arrive_whole_and_in_order),
    cmocka_unit_test(service_waits_no_longer_than_told),
    cmocka_unit_test(service_wakes_at_the_deadline),
    cmocka_unit_test(busy_polling_hears_and_gives_up),
    cmocka_unit_test(service_returns_on_a_signal),
    cmocka_unit_test(full_socket_loses_nothing),
    cmocka_unit_test(refused_datagrams_are_counted_and_given_up),
    cmocka_unit_test(unreachable_port_is_no_error),
    cmocka_unit_test(errors_of_the_endpoint_are_passed_on),
    cmocka_unit_test(dual_stack_shows_ipv4_as_ipv4),
    cmocka_unit_test(ipv6_carries_trains),
    cmocka_unit_test(open_says_why_it_failed),
    cmocka_unit_test(close_sends_the_last_words),
    cmocka_unit_test(nothing_is_fragmented),
};

TERN_TEST_MAIN(tests)
