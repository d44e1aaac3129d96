/* The states of a connection: which moves are allowed, whose story of the end is told, and the map
 * between errors and wire codes.
 * SPDX-License-Identifier: MIT */
#include "conn/life.h"

#include <string.h>

#include "tern_test.h"
#include "unit/heap_kit.h"

static struct tern_mem mem;
static struct tern_life life;

static void begin(void)
{
    if (life.mem != NULL) {
        tern_life_clear(&life);
    }
    tern_mem_init(&mem, NULL);
    tern_life_init(&life, &mem);
}

/* Every move tried from every state; the table in the header, written once more. */
static void begin_in(enum tern_life_state state)
{
    begin();
    life.state = state;
}

static void only_the_drawn_moves_exist(void **state)
{
    (void)state;
    for (int from = TERN_LIFE_HANDSHAKING; from <= TERN_LIFE_CLOSED; from++) {
        enum tern_life_state at = (enum tern_life_state)from;
        begin_in(at);
        assert_int_equal(tern_life_establish(&life), at == TERN_LIFE_HANDSHAKING);
        begin_in(at);
        assert_int_equal(tern_life_close(&life, 1, "x"), at <= TERN_LIFE_ESTABLISHED);
        begin_in(at);
        assert_int_equal(tern_life_fail(&life, TERN_ERR_PROTOCOL, 0, "x"),
                         at <= TERN_LIFE_ESTABLISHED);
        begin_in(at);
        assert_int_equal(tern_life_on_close(&life, true, 1, NULL, 0), at <= TERN_LIFE_CLOSING);
        begin_in(at);
        assert_int_equal(tern_life_expire(&life), at <= TERN_LIFE_DRAINING);
        begin_in(at);
        assert_int_equal(tern_life_end(&life), at <= TERN_LIFE_DRAINING);
        assert_int_equal(life.state, TERN_LIFE_CLOSED);
    }
}

static void over_begins_with_closing(void **state)
{
    (void)state;
    for (int i = TERN_LIFE_HANDSHAKING; i <= TERN_LIFE_CLOSED; i++) {
        begin_in((enum tern_life_state)i);
        assert_int_equal(tern_life_is_over(&life), i >= TERN_LIFE_CLOSING);
        assert_true(strlen(tern_life_name(life.state)) > 0);
    }
}

static void our_close_is_told_with_code_and_reason(void **state)
{
    (void)state;
    tern_close_info info;
    begin();
    assert_true(tern_life_establish(&life));
    assert_true(tern_life_close(&life, 42, "enough"));
    assert_true(life.wants_close);
    tern_life_info(&life, &info);
    assert_int_equal(info.by, TERN_CLOSED_LOCAL);
    assert_true(info.is_application);
    assert_int_equal(info.error, 0);
    assert_int_equal(info.code, 42);
    assert_int_equal(info.reason_len, 6);
    assert_memory_equal(info.reason, "enough", 6);
}

static void reasons_are_cut(void **state)
{
    (void)state;
    char lengthy[1000];
    memset(lengthy, 'a', sizeof lengthy);
    lengthy[999] = '\0';
    begin();
    assert_true(tern_life_close(&life, 1, lengthy));
    assert_int_equal(life.reason_len, TERN_LIFE_REASON_MAX);
    begin();
    assert_true(tern_life_on_close(&life, true, 1, (const uint8_t *)lengthy, 999));
    assert_int_equal(life.reason_len, TERN_LIFE_REASON_MAX);
    begin();
    assert_true(tern_life_close(&life, 1, NULL));
    assert_int_equal(life.reason_len, 0);
}

/* Without memory the code goes alone; and that there are no words is no pointer to nowhere. */
static void words_need_memory(void **state)
{
    (void)state;
    struct kit_heap heap = {.fail_at = 1};
    tern_allocator hooks = {kit_alloc, kit_realloc, kit_free, &heap};
    tern_close_info info;
    begin();
    tern_mem_init(&mem, &hooks);
    assert_true(tern_life_close(&life, 42, "enough"));
    tern_life_info(&life, &info);
    assert_int_equal(heap.calls, 1);
    assert_int_equal(info.code, 42);
    assert_int_equal(info.reason_len, 0);
    assert_non_null(info.reason);
}

/* RFC 9000 §10.2.2: the peer's close ends our sending; the first story stays. */
static void the_first_story_stays(void **state)
{
    (void)state;
    tern_close_info info;
    begin();
    assert_true(tern_life_close(&life, 7, "ours"));
    assert_true(tern_life_on_close(&life, true, 8, (const uint8_t *)"theirs", 6));
    assert_int_equal(life.state, TERN_LIFE_DRAINING);
    assert_false(life.wants_close);
    tern_life_info(&life, &info);
    assert_int_equal(info.by, TERN_CLOSED_LOCAL);
    assert_int_equal(info.code, 7);
    assert_memory_equal(info.reason, "ours", 4);
    assert_true(tern_life_expire(&life));
    tern_life_info(&life, &info);
    assert_int_equal(info.by, TERN_CLOSED_LOCAL);
    assert_int_equal(info.error, 0);
}

static void a_second_close_changes_nothing(void **state)
{
    (void)state;
    begin();
    assert_true(tern_life_close(&life, 1, "first"));
    assert_false(tern_life_close(&life, 2, "second"));
    assert_false(tern_life_fail(&life, TERN_ERR_PROTOCOL, 3, "third"));
    assert_int_equal(life.code, 1);
    assert_int_equal(life.by, TERN_CLOSED_LOCAL);
}

static void silence_is_a_timeout(void **state)
{
    (void)state;
    tern_close_info info;
    begin();
    assert_true(tern_life_expire(&life));
    assert_false(life.wants_close); /* no word leaves */
    tern_life_info(&life, &info);
    assert_int_equal(info.by, TERN_CLOSED_TIMEOUT);
    assert_int_equal(info.error, TERN_ERR_TIMEOUT);
}

/* RFC 9000 §20.1, spelt out; and the way back at the other end. */
static void errors_cross_the_wire(void **state)
{
    (void)state;
    static const struct {
        int error;
        uint64_t code;
    } rows[] = {
        {TERN_ERR_INTERNAL, 0x01},         {TERN_ERR_REFUSED, 0x02},
        {TERN_ERR_FLOW_CONTROL, 0x03},     {TERN_ERR_STREAM_LIMIT, 0x04},
        {TERN_ERR_STREAM_STATE, 0x05},     {TERN_ERR_FINAL_SIZE, 0x06},
        {TERN_ERR_FRAME_ENCODING, 0x07},   {TERN_ERR_TRANSPORT_PARAMETER, 0x08},
        {TERN_ERR_CONNECTION_ID_LIMIT, 9}, {TERN_ERR_PROTOCOL, 0x0a},
        {TERN_ERR_INVALID_TOKEN, 0x0b},    {TERN_ERR_CRYPTO_BUFFER, 0x0d},
        {TERN_ERR_KEY_UPDATE, 0x0e},       {TERN_ERR_AEAD_LIMIT, 0x0f},
        {TERN_ERR_CRYPTO, 0x100},          {TERN_ERR_UNSUPPORTED, 0x101},
    };
    for (size_t i = 0; i < TERN_COUNT_OF(rows); i++) {
        begin();
        assert_true(tern_life_fail(&life, rows[i].error, 0x1c, NULL));
        assert_int_equal(life.code, rows[i].code);
        assert_int_equal(life.by, TERN_CLOSED_ERROR);
        assert_false(life.is_application);
        begin();
        assert_true(tern_life_on_close(&life, false, rows[i].code, NULL, 0));
        assert_int_equal(life.error, rows[i].error);
        assert_int_equal(life.by, TERN_CLOSED_PEER);
    }
}

/* What is nobody's business becomes INTERNAL_ERROR; a code from the future is no crash. */
static void unlisted_ones_are_internal(void **state)
{
    (void)state;
    begin();
    assert_true(tern_life_fail(&life, TERN_ERR_NOMEM, 0, NULL));
    assert_int_equal(life.code, 0x01);
    assert_int_equal(life.error, TERN_ERR_NOMEM); /* we are told the truth */
    begin();
    assert_true(tern_life_on_close(&life, false, UINT64_C(1) << 61, NULL, 0));
    assert_int_equal(life.error, TERN_ERR_INTERNAL);
    begin();
    assert_true(tern_life_on_close(&life, true, 0x0a, NULL, 0));
    assert_int_equal(life.error, 0); /* an application's code is no error of ours */
}

static void nothing_leaves_after_the_end(void **state)
{
    (void)state;
    begin();
    assert_true(tern_life_close(&life, 1, NULL));
    assert_true(tern_life_end(&life));
    assert_false(life.wants_close);
    begin();
    assert_true(tern_life_close(&life, 1, NULL));
    assert_true(tern_life_expire(&life));
    assert_false(life.wants_close);
}

/* A close that anybody could have sent is believed when nothing better came. */
static void a_hint_is_believed_in_the_end(void **state)
{
    (void)state;
    tern_close_info info;
    begin();
    tern_life_hint(&life, false, 0x02, (const uint8_t *)"no", 2);
    assert_int_equal(life.state, TERN_LIFE_HANDSHAKING); /* nothing ends by it */
    assert_false(life.wants_close);
    tern_life_hint(&life, false, 0x0a, (const uint8_t *)"other", 5); /* the first one counts */
    assert_true(tern_life_expire(&life));
    tern_life_info(&life, &info);
    assert_int_equal(info.by, TERN_CLOSED_PEER);
    assert_int_equal(info.error, TERN_ERR_REFUSED);
    assert_int_equal(info.code, 0x02);
    assert_int_equal(info.reason_len, 2);
    assert_memory_equal(info.reason, "no", 2);
    begin();
    tern_life_hint(&life, true, 0x02, NULL, 0);
    assert_true(tern_life_expire(&life));
    tern_life_info(&life, &info);
    assert_true(info.is_application);
    assert_int_equal(info.error, 0); /* its code is the application's, not REFUSED */
}

static void a_forgotten_hint_leaves_no_trace(void **state)
{
    (void)state;
    tern_close_info info;
    begin();
    tern_life_hint(&life, true, 0x02, (const uint8_t *)"no", 2);
    tern_life_forget_hint(&life);
    assert_true(tern_life_expire(&life));
    tern_life_info(&life, &info);
    assert_int_equal(info.by, TERN_CLOSED_TIMEOUT);
    assert_int_equal(info.error, TERN_ERR_TIMEOUT);
    assert_int_equal(info.code, 0);
    assert_int_equal(info.reason_len, 0);
    assert_false(info.is_application);
}

/* The true end is not overwritten, by a hint or by its going away. */
static void a_hint_comes_too_late(void **state)
{
    (void)state;
    begin();
    assert_true(tern_life_close(&life, 7, "ours"));
    tern_life_hint(&life, false, 0x02, NULL, 0);
    assert_false(life.has_hint);
    assert_int_equal(life.code, 7);
    tern_life_forget_hint(&life);
    assert_int_equal(life.code, 7);
    assert_int_equal(life.reason_len, 4);
    begin();
    tern_life_hint(&life, false, 0x02, NULL, 0);
    assert_true(tern_life_close(&life, 7, "ours"));
    tern_life_forget_hint(&life);
    assert_int_equal(life.code, 7);
    assert_int_equal(life.reason_len, 4);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(only_the_drawn_moves_exist),
    cmocka_unit_test(over_begins_with_closing),
    cmocka_unit_test(our_close_is_told_with_code_and_reason),
    cmocka_unit_test(reasons_are_cut),
    cmocka_unit_test(words_need_memory),
    cmocka_unit_test(the_first_story_stays),
    cmocka_unit_test(a_second_close_changes_nothing),
    cmocka_unit_test(silence_is_a_timeout),
    cmocka_unit_test(errors_cross_the_wire),
    cmocka_unit_test(unlisted_ones_are_internal),
    cmocka_unit_test(nothing_leaves_after_the_end),
    cmocka_unit_test(a_hint_is_believed_in_the_end),
    cmocka_unit_test(a_forgotten_hint_leaves_no_trace),
    cmocka_unit_test(a_hint_comes_too_late),
};

TERN_TEST_MAIN(tests)
