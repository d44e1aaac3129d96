/* ICMP that anybody can forge: neither an unreachable port nor a small MTU has any effect (RFC 9000 §14.2.1,
 * §21.9). Needs leave to send raw packets, and is skipped without.
 * SPDX-License-Identifier: MIT */
#define _DEFAULT_SOURCE
#include "udp_kit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <sys/socket.h>
#include <unistd.h>

#define QUOTE 28 /* the header of IPv4 and that of UDP */

static uint16_t checksum(const uint8_t *data, size_t len)
{
    uint32_t sum = 0;
    for (size_t i = 0; i + 1 < len; i += 2) {
        sum += (uint32_t)(data[i] << 8 | data[i + 1]);
    }
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t) ~(sum + (sum >> 16));
}

static void put16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

/* As if a router said it about a datagram from one end to the other. False: we may not. */
static bool forge(const tern_addr *from, const tern_addr *to, uint8_t code, uint16_t mtu)
{
    uint8_t packet[8 + QUOTE] = {ICMP_DEST_UNREACH, code};
    struct sockaddr_in victim = {.sin_family = AF_INET};
    uint8_t *ip = packet + 8, *udp = ip + 20;
    int fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
    if (fd < 0) {
        return false;
    }
    put16(packet + 6, mtu);
    ip[0] = 0x45;
    put16(ip + 2, 1480);
    ip[6] = 0x40; /* Don't Fragment */
    ip[8] = 64;
    ip[9] = IPPROTO_UDP;
    memcpy(ip + 12, from->ip, 4);
    memcpy(ip + 16, to->ip, 4);
    put16(ip + 10, checksum(ip, 20));
    put16(udp, from->port);
    put16(udp + 2, to->port);
    put16(udp + 4, 1460);
    put16(packet + 2, checksum(packet, sizeof packet));
    memcpy(&victim.sin_addr, from->ip, 4);
    ssize_t sent =
        sendto(fd, packet, sizeof packet, 0, (const struct sockaddr *)&victim, sizeof victim);
    (void)close(fd);
    return sent == (ssize_t)sizeof packet;
}

static void carry_after(uint8_t code, uint16_t mtu)
{
    struct pair pair;
    uint32_t datagrams = 0;
    pair_open_at(&pair, "127.85.1.1:0",
                 "127.85.1.2:0"); /* the kernel keeps the MTU: spare others */
    for (int i = 0; i < 20; i++) {
        if (!forge(&pair.a_addr, &pair.b_addr, code, mtu)) {
            pair_close(&pair);
            skip_because("ICMP may not be forged here");
        }
        fake_send(&pair.a_end, &pair.b_addr, 3, 1452, 1452);
        datagrams += 3;
        pair_carry(&pair, datagrams);
        assert_int_equal(tern_udp_service(pair.a, 0), 0);
    }
    assert_int_equal(stats_of(pair.a).send_errors, 0);
    pair_close(&pair);
}

static void a_forged_mtu_has_no_effect(void **state)
{
    (void)state;
    carry_after(ICMP_FRAG_NEEDED, 576);
    carry_after(ICMP_FRAG_NEEDED, 0);
}

static void forged_unreachables_have_no_effect(void **state)
{
    (void)state;
    carry_after(ICMP_PORT_UNREACH, 0);
    carry_after(ICMP_HOST_UNREACH, 0);
    carry_after(ICMP_PROT_UNREACH, 0);
}

static unsigned refusals_after(struct pair *pair, int datagrams)
{
    for (int i = 0; i < datagrams; i++) {
        fake_send(&pair->a_end, &pair->b_addr, 1, 100, 100);
        assert_int_equal(tern_udp_service(pair->a, 50 * TERN_MSEC), 0);
    }
    return tern_udp_refusals(pair->a, &pair->b_addr);
}

static void closed_ports_are_told_while_wanted(const char *a, const char *b)
{
    struct pair pair;
    pair_open_at(&pair, a, b);
    pair.b_addr = tern_udp_local(pair.b);
    tern_udp_close(pair.b);
    pair.b = NULL;
    assert_int_equal(refusals_after(&pair, 2), 0);
    assert_int_equal(tern_udp_heed_refusals(pair.a, true), 0);
    assert_int_equal(refusals_after(&pair, 3), 3);
    assert_int_equal(stats_of(pair.a).send_errors, 0);
    assert_int_equal(tern_udp_refusals(pair.a, &pair.a_addr), 0);
    tern_time begun = tern_udp_now(); /* nothing is left that would keep it awake */
    assert_int_equal(tern_udp_service(pair.a, 20 * TERN_MSEC), 0);
    assert_true(tern_udp_now() - begun >= 20 * TERN_MSEC);
    assert_int_equal(tern_udp_heed_refusals(pair.a, false), 0);
    assert_int_equal(refusals_after(&pair, 2), 0);
    pair_close(&pair);
}

static bool has_ipv6(void)
{
    tern_udp *udp = NULL;
    tern_endpoint end = {.deadline = TERN_TIME_NEVER};
    tern_addr own = addr_of("[::1]:0");
    bool is_there = tern_udp_open(&udp, &end, &own) == 0;
    tern_udp_close(udp);
    return is_there;
}

static void a_closed_port_is_told_while_wanted(void **state)
{
    (void)state;
    closed_ports_are_told_while_wanted("127.0.0.1:0", "127.0.0.1:0");
    closed_ports_are_told_while_wanted("[::]:0", "127.0.0.1:0");
}

static void a_closed_port_of_ipv6_is_told_while_wanted(void **state)
{
    (void)state;
    if (!has_ipv6()) {
        skip_because("there is no IPv6");
    }
    closed_ports_are_told_while_wanted("[::]:0", "[::1]:0");
}

/* What is said of one datagram comes as the error of the next, which is not lost by it. */
static void what_is_said_of_others_costs_no_datagram(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair);
    tern_udp *closed = NULL;
    tern_endpoint none = {.deadline = TERN_TIME_NEVER};
    tern_addr any = addr_of("127.0.0.1:0");
    assert_int_equal(tern_udp_open(&closed, &none, &any), 0);
    tern_addr nobody = tern_udp_local(closed);
    tern_udp_close(closed);
    assert_int_equal(tern_udp_heed_refusals(pair.a, true), 0);
    for (unsigned i = 0; i < 5; i++) {
        pair.a_end.next_number = 0;
        fake_send(&pair.a_end, &nobody, 1, 100, 100);
        assert_int_equal(tern_udp_flush(pair.a), 0);
        pair.a_end.next_number = 3 * i;
        fake_send(&pair.a_end, &pair.b_addr, 3, 1200, 1200);
        pair_carry(&pair, 3 * (i + 1));
    }
    assert_int_equal(stats_of(pair.a).send_errors, 0);
    pair_close(&pair);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_forged_mtu_has_no_effect),
    cmocka_unit_test(forged_unreachables_have_no_effect),
    cmocka_unit_test(a_closed_port_is_told_while_wanted),
    cmocka_unit_test(a_closed_port_of_ipv6_is_told_while_wanted),
    cmocka_unit_test(what_is_said_of_others_costs_no_datagram),
};

TERN_TEST_MAIN(tests)
