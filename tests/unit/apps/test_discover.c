/* Questions and answers by which a receiver finds a sender: bytes from anybody.
 * SPDX-License-Identifier: MIT */
#include "terncp/discover.h"

#include <string.h>

#include "tern_test.h"

static const uint8_t nonce[8] = "a nonce";
static const uint8_t sender[8] = "a name.";

static void a_question_is_answered(void **state)
{
    uint8_t question[DISCOVER_SIZE], answer[DISCOVER_SIZE], name[8];
    uint32_t slot;
    uint16_t port;
    (void)state;
    discover_question(question, nonce, 77);
    assert_true(discover_is_question(question, sizeof question, &slot));
    assert_int_equal(slot, 77);
    discover_answer(answer, question, 60123, sender);
    assert_true(discover_is_answer(answer, sizeof answer, nonce, 77, &port, name));
    assert_int_equal(port, 60123);
    assert_memory_equal(name, sender, sizeof name);
    /* Neither is taken for the other: no two machines can be made to talk for ever. */
    assert_false(discover_is_question(answer, sizeof answer, &slot));
    assert_false(discover_is_answer(question, sizeof question, nonce, 77, &port, name));
}

static void the_layout_is_as_specified(void **state)
{
    static const uint8_t asked[DISCOVER_SIZE] = {'t', 'e', 'r', 'n', 'f', 'i', 'n', 'd', 'a', ' ',
                                                 'n', 'o', 'n', 'c', 'e', 0,   0,   0,   1,   2};
    static const uint8_t told[DISCOVER_SIZE] = {
        't', 'e', 'r', 'n', 'h', 'e', 'r', 'e', 'a', ' ', 'n', 'o', 'n', 'c', 'e', 0,
        0,   0,   1,   2,   3,   4,   0,   0,   'a', ' ', 'n', 'a', 'm', 'e', '.', 0};
    uint8_t question[DISCOVER_SIZE], answer[DISCOVER_SIZE];
    (void)state;
    discover_question(question, nonce, 258);
    assert_memory_equal(question, asked, sizeof asked);
    discover_answer(answer, question, 772, sender);
    assert_memory_equal(answer, told, sizeof told);
}

static void other_bytes_are_ignored(void **state)
{
    uint8_t question[DISCOVER_SIZE], answer[DISCOVER_SIZE], other[DISCOVER_SIZE + 1], name[8];
    uint32_t slot;
    uint16_t port;
    (void)state;
    discover_question(question, nonce, 7);
    discover_answer(answer, question, 1, sender);
    for (size_t len = 0; len < DISCOVER_SIZE; len++) {
        assert_false(discover_is_question(question, len, &slot));
        assert_false(discover_is_answer(answer, len, nonce, 7, &port, name));
    }
    memset(other, 0, sizeof other);
    memcpy(other, question, DISCOVER_SIZE);
    assert_false(discover_is_question(other, sizeof other, &slot));
    other[31] = 1; /* zeros are zeros, so that there is room for another version */
    assert_false(discover_is_question(other, DISCOVER_SIZE, &slot));
    assert_false(discover_is_answer(answer, sizeof answer, nonce, 8, &port, name));
    assert_false(discover_is_answer(answer, sizeof answer, sender, 7, &port, name));
    answer[20] = answer[21] = 0; /* no port */
    assert_false(discover_is_answer(answer, sizeof answer, nonce, 7, &port, name));
}

static void a_code_begins_with_its_number(void **state)
{
    uint32_t slot;
    (void)state;
    assert_true(discover_slot("7-orbit-salmon", &slot));
    assert_int_equal(slot, 7);
    assert_true(discover_slot("99 ORBIT", &slot));
    assert_int_equal(slot, 99);
    assert_true(discover_slot("12345678-x", &slot));
    assert_int_equal(slot, 12345678);
    assert_false(discover_slot("123456789-x", &slot));
    assert_false(discover_slot("orbit-salmon", &slot));
    assert_false(discover_slot("", &slot));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_question_is_answered),
        cmocka_unit_test(the_layout_is_as_specified),
        cmocka_unit_test(other_bytes_are_ignored),
        cmocka_unit_test(a_code_begins_with_its_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
