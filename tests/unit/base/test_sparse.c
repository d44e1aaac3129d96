/* Memory packed without its zeros comes back as it was, and is small when there are many.
 * SPDX-License-Identifier: MIT */
#include "base/sparse.h"

#include "unit/base/kit.h"

#define WORDS 600 /* more than one run of zeros can tell */

static uint64_t image[WORDS], back[WORDS];
static uint8_t packed[TERN_SPARSE_MAX(sizeof image) + 1];

/* Returns the packed length of the first `words`. */
static size_t goes_and_comes(size_t words)
{
    size_t size = words * sizeof image[0];
    memset(packed, 0xa5, sizeof packed);
    memset(back, 0x5a, sizeof back);
    size_t len = tern_sparse_pack(packed, image, size);
    assert_true(len <= TERN_SPARSE_MAX(size));
    assert_int_equal(packed[len], 0xa5);
    assert_int_equal(tern_sparse_unpack(back, size, packed), len);
    assert_memory_equal(back, image, size);
    if (words < WORDS) {
        assert_int_equal(back[words], UINT64_C(0x5a5a5a5a5a5a5a5a));
    }
    return len;
}

static void nothing_takes_next_to_nothing(void **state)
{
    (void)state;
    memset(image, 0, sizeof image);
    assert_int_equal(goes_and_comes(0), 0);
    assert_int_equal(goes_and_comes(1), 2);
    assert_int_equal(goes_and_comes(256), 2);
    assert_int_equal(goes_and_comes(257), 4);
    assert_int_equal(goes_and_comes(WORDS), 6);
}

static void full_words_take_a_ninth_more(void **state)
{
    (void)state;
    memset(image, 0xff, sizeof image);
    assert_int_equal(goes_and_comes(1), 9);
    assert_int_equal(goes_and_comes(WORDS), TERN_SPARSE_MAX(sizeof image));
}

static void every_byte_keeps_its_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3 * sizeof image[0]; i++) {
        memset(image, 0, sizeof image);
        ((uint8_t *)image)[i] = 0x80;
        (void)goes_and_comes(3);
    }
}

/* With more and more zero bytes among them. */
static void whatever_there_is_comes_back(void **state)
{
    uint64_t seed = 1;
    (void)state;
    for (unsigned round = 0; round < 200; round++) {
        uint8_t *bytes = (uint8_t *)image;
        for (size_t i = 0; i < sizeof image; i++) {
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
            bytes[i] = (seed >> 40) % 200 < round ? 0 : (uint8_t)(seed >> 56);
        }
        (void)goes_and_comes(WORDS - round);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(nothing_takes_next_to_nothing),
    cmocka_unit_test(full_words_take_a_ninth_more),
    cmocka_unit_test(every_byte_keeps_its_place),
    cmocka_unit_test(whatever_there_is_comes_back),
};

TERN_TEST_MAIN(tests)
