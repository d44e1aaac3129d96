/* What one datagram costs who gets it, by processor time: little, or a few products on the curve. X25519 on this
 * machine is the measure, for a slow machine, an emulator or a sanitizer slows all of it down.
 * SPDX-License-Identifier: MIT */
#include "door_kit.h"
#include "endpoint/endpoint.h"

#include <sodium.h>
#include <stdlib.h>
#include <time.h>

#define TIMES 101

static struct pair the_pair;
static struct pair *const p = &the_pair;
static tern_addr stranger;
static double product; /* ns of one X25519 */

static double cpu_now(void)
{
    return (double)clock() * 1e9 / CLOCKS_PER_SEC;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double middle_of(double *times)
{
    qsort(times, TIMES, sizeof *times, by_size);
    return times[TIMES / 2];
}

static void measure_product(void)
{
    double times[TIMES];
    uint8_t secret[32] = {1}, point[32];
    for (size_t i = 0; i < TIMES; i++) {
        double from = cpu_now();
        for (unsigned k = 0; k < 10; k++) {
            secret[1]++;
            assert_int_equal(crypto_scalarmult_base(point, secret), 0);
            assert_int_equal(crypto_scalarmult(point, secret, point), 0);
        }
        times[i] = (cpu_now() - from) / 20;
    }
    product = middle_of(times);
}

static int setup(void **state)
{
    (void)state;
    pair_init(p);
    p->side[PAIR_SERVER].config.retry_half_open = SIZE_MAX;
    p->side[PAIR_SERVER].config.initial_rate = 0;
    pair_open(p);
    stranger = door_addr("203.0.113.5:1");
    measure_product();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    pair_close(p);
    return 0;
}

/* In products: the middle one of many lots of `each` datagrams. */
static double cost_of(int to, const tern_addr *from, uint8_t *data, size_t len, size_t changing,
                      unsigned each)
{
    double times[TIMES];
    for (size_t i = 0; i < TIMES; i++) {
        double begin = cpu_now();
        for (unsigned k = 0; k < each; k++) {
            data[changing] = (uint8_t)(data[changing] + 1);
            door_hear(p, to, from, data, len);
        }
        times[i] = (cpu_now() - begin) / each;
    }
    return middle_of(times) / product;
}

static void is_cheap(const char *what, double cost)
{
    print_message("%-40s %.3f products\n", what, cost);
    assert_true(cost < 1);
}

static void what_strangers_send_is_cheap(void **state)
{
    (void)state;
    uint8_t data[2000] = {0x40};
    is_cheap("a short header for nobody", cost_of(PAIR_SERVER, &stranger, data, 60, 5, 50));
    is_cheap("... of full size", cost_of(PAIR_SERVER, &stranger, data, 1400, 5, 50));
    memset(data, 0xff, sizeof data);
    is_cheap("noise", cost_of(PAIR_SERVER, &stranger, data, 1200, 700, 50));
    memset(data, 0, sizeof data);
    data[0] = 0xc0;
    memcpy(data + 1, "\x0a\x1a\x2a\x3a\x08", 5);
    is_cheap("an unknown version", cost_of(PAIR_SERVER, &stranger, data, 1200, 8, 50));
}

/* A first packet that is none: sealed with the right keys, which everybody can compute, or not. */
static void forgeries_are_cheap(void **state)
{
    (void)state;
    uint8_t data[2000];
    assert_int_equal(pair_connect(p, p->key), 0);
    size_t len = door_say(p, PAIR_CLIENT, data);
    assert_int_equal(len, 1200);
    data[600] ^= 1;
    is_cheap("a damaged first packet", cost_of(PAIR_SERVER, &stranger, data, len, 700, 50));
    data[0] ^= 0x10;
    is_cheap("another long packet", cost_of(PAIR_SERVER, &stranger, data, len, 700, 50));
    pair_close(p);
    pair_init(p);
    pair_ready(p);
    pair_advance(p, TERN_SEC);
    struct tern_conn *conn = p->side[PAIR_SERVER].conn;
    memset(data, 7, sizeof data);
    data[0] = 0x40;
    memcpy(data + 1, conn->cids.local[0].cid.bytes, 8);
    is_cheap("a forgery inside of a connection",
             cost_of(PAIR_SERVER, &p->side[PAIR_CLIENT].addr, data, 1400, 700, 50));
}

/* Where the key is known, two products tell a friend from a stranger, and an answer needs two more. */
static void a_first_message_costs_a_few_products(void **state)
{
    (void)state;
    uint8_t data[2000];
    double times[TIMES];
    for (size_t i = 0; i < TIMES; i++) {
        assert_int_equal(pair_connect(p, p->key), 0);
        size_t len = door_say(p, PAIR_CLIENT, data);
        assert_int_equal(len, 1200);
        double begin = cpu_now();
        door_hear(p, PAIR_SERVER, &stranger, data, len);
        times[i] = cpu_now() - begin;
        while (door_say(p, PAIR_CLIENT, data) > 0) {
        }
    }
    double cost = middle_of(times) / product;
    print_message("%-40s %.3f products\n", "a first message", cost);
    assert_true(cost > 0.5 && cost < 12);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(what_strangers_send_is_cheap, setup, teardown),
    cmocka_unit_test_setup_teardown(forgeries_are_cheap, setup, teardown),
    cmocka_unit_test_setup_teardown(a_first_message_costs_a_few_products, setup, teardown),
};

TERN_TEST_MAIN(tests)
