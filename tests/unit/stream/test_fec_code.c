/* The field against a slow reference and known answers; that each square part of the coefficients has an
 * inverse.
 * SPDX-License-Identifier: MIT */
#include "stream/fec_code.h"

#include "unit/stream/stream_kit.h"

/* Bit by bit, as the definition says. */
static uint8_t slow_multiply(unsigned a, unsigned b)
{
    unsigned sum = 0;
    for (; b > 0; b >>= 1) {
        sum ^= (b & 1) != 0 ? a : 0;
        a <<= 1;
        a ^= (a & 0x100) != 0 ? 0x11d : 0;
    }
    return (uint8_t)sum;
}

static void products_are_those_of_the_definition(void **state)
{
    (void)state;
    for (unsigned a = 0; a < 256; a++) {
        for (unsigned b = 0; b < 256; b++) {
            assert_int_equal(tern_fec_multiply((uint8_t)a, (uint8_t)b), slow_multiply(a, b));
        }
    }
}

static void each_but_zero_has_an_inverse(void **state)
{
    (void)state;
    for (unsigned a = 1; a < 256; a++) {
        assert_int_equal(slow_multiply(a, tern_fec_invert((uint8_t)a)), 1);
    }
}

/* Reckoned by hand: x * x^7 = x^8 = x^4 + x^3 + x^2 + 1, and so on. */
static void known_products(void **state)
{
    (void)state;
    static const uint8_t known[][3] = {{0x00, 0xff, 0x00}, {0x01, 0xb6, 0xb6}, {0x02, 0x80, 0x1d},
                                       {0x03, 0x03, 0x05}, {0x10, 0x10, 0x1d}, {0x80, 0x80, 0x13},
                                       {0x8e, 0x02, 0x01}, {0xff, 0xff, 0xe2}};
    for (size_t i = 0; i < TERN_COUNT_OF(known); i++) {
        assert_int_equal(tern_fec_multiply(known[i][0], known[i][1]), known[i][2]);
    }
}

/* 1 / ((128 + repair) + symbol), both modulo 128; from a table of inverses made by trying all. */
static void known_coefficients(void **state)
{
    (void)state;
    static const unsigned known[][3] = {{0, 0, 0x1b},     {14, 0, 0x02},  {0, 14, 0x02},
                                        {128, 142, 0x02}, {127, 0, 0xfd}, {5, 77, 0xd2},
                                        {100, 3, 0xf1}};
    for (size_t i = 0; i < TERN_COUNT_OF(known); i++) {
        assert_int_equal(tern_fec_coefficient(known[i][0], known[i][1]), known[i][2]);
    }
}

static void blocks_are_added_byte_by_byte(void **state)
{
    (void)state;
    uint8_t in[300], out[300], old[300];
    uint64_t seed = 5;
    for (unsigned factor = 0; factor < 256; factor++) {
        size_t len = kit_below(&seed, sizeof in + 1);
        kit_random_fill(&seed, in, sizeof in);
        kit_random_fill(&seed, out, sizeof out);
        memcpy(old, out, sizeof out);
        tern_fec_add(out, in, len, (uint8_t)factor);
        for (size_t i = 0; i < sizeof out; i++) {
            uint8_t product = i < len ? slow_multiply(factor, in[i]) : 0;
            assert_int_equal(out[i], old[i] ^ product);
        }
        memcpy(old, out, sizeof out);
        tern_fec_scale(out, len, (uint8_t)factor);
        for (size_t i = 0; i < sizeof out; i++) {
            assert_int_equal(out[i], i < len ? slow_multiply(factor, old[i]) : old[i]);
        }
    }
}

/* The determinant is not 0, by elimination with the slow product. */
static bool has_inverse(uint8_t m[16][16], size_t n)
{
    for (size_t p = 0; p < n; p++) {
        size_t r = p;
        while (r < n && m[r][p] == 0) {
            r++;
        }
        if (r == n) {
            return false;
        }
        for (size_t c = 0; c < n && r != p; c++) {
            uint8_t t = m[p][c];
            m[p][c] = m[r][c];
            m[r][c] = t;
        }
        uint8_t inverse = tern_fec_invert(m[p][p]);
        for (r = p + 1; r < n; r++) {
            uint8_t factor = slow_multiply(m[r][p], inverse);
            for (size_t c = p; c < n; c++) {
                m[r][c] ^= slow_multiply(factor, m[p][c]);
            }
        }
    }
    return true;
}

static void any_repairs_and_any_symbols_have_an_inverse(void **state)
{
    (void)state;
    uint64_t seed = 9;
    for (unsigned turn = 0; turn < TERN_TEST_TIMES(2000u); turn++) {
        uint8_t m[16][16];
        size_t n = 1 + kit_below(&seed, 16);
        unsigned repair = (unsigned)kit_below(&seed, 256), symbols[16];
        unsigned symbol = (unsigned)kit_below(&seed, 256);
        for (size_t i = 0; i < n; i++) {
            symbols[i] = symbol += 1 + (unsigned)kit_below(&seed, 4);
        }
        for (size_t r = 0; r < n; r++) {
            repair += 1 + (unsigned)kit_below(&seed, 4);
            for (size_t c = 0; c < n; c++) {
                m[r][c] = tern_fec_coefficient(repair, symbols[c]);
            }
        }
        assert_true(has_inverse(m, n));
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(products_are_those_of_the_definition),
    cmocka_unit_test(each_but_zero_has_an_inverse),
    cmocka_unit_test(known_products),
    cmocka_unit_test(known_coefficients),
    cmocka_unit_test(blocks_are_added_byte_by_byte),
    cmocka_unit_test(any_repairs_and_any_symbols_have_an_inverse),
};

TERN_TEST_MAIN(tests)
