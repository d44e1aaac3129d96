/* The log of a room: numbers without gaps, the latest in memory, bounded.
 * SPDX-License-Identifier: MIT */
#include "ternchat/log.h"

#include <string.h>

#include "tern_test.h"

static const struct log_event *append(struct log *log, const void *body, size_t len)
{
    struct chat_packet p = {.type = CHAT_EVENT, .kind = CHAT_KIND_TEXT, .body = {body, len}};
    return log_append(log, &p);
}

static void events_are_numbered_and_found(void **state)
{
    (void)state;
    static struct log log;
    log_init(&log, 1);
    assert_null(log_find(&log, 1));
    for (uint64_t seq = 1; seq <= 10; seq++) {
        const struct log_event *event = append(&log, "x", 1);
        assert_non_null(event);
        assert_int_equal(event->seq, seq);
        assert_ptr_equal(log_find(&log, seq), event);
    }
    struct chat_packet p;
    const struct log_event *event = log_find(&log, 7);
    assert_true(chat_decode(&p, event->packet, event->len));
    assert_true(p.seq == 7 && p.body.len == 1);
    assert_null(log_find(&log, 0));
    assert_null(log_find(&log, 11));
    log_clear(&log);
    assert_null(log_find(&log, 10));
}

static void a_room_goes_on_where_it_was(void **state)
{
    (void)state;
    static struct log log;
    log_init(&log, 1000);
    assert_null(log_find(&log, 999));
    assert_int_equal(append(&log, "x", 1)->seq, 1000);
    log_clear(&log);
}

static void the_oldest_make_room(void **state)
{
    (void)state;
    static struct log log;
    log_init(&log, 1);
    for (unsigned i = 0; i < LOG_EVENTS + 5; i++) {
        assert_non_null(append(&log, "x", 1));
    }
    assert_null(log_find(&log, 5));
    assert_non_null(log_find(&log, 6));
    assert_non_null(log_find(&log, LOG_EVENTS + 5));
    log_clear(&log);
    assert_int_equal(log.bytes, 0);
}

static void large_ones_make_room_by_bytes(void **state)
{
    (void)state;
    static struct log log;
    static uint8_t much[CHAT_BODY_MAX];
    log_init(&log, 1);
    for (unsigned i = 0; i < 40; i++) {
        assert_non_null(append(&log, much, sizeof much));
        assert_true(log.bytes <= LOG_BYTES);
    }
    assert_non_null(log_find(&log, 40));
    assert_null(log_find(&log, 1));
    assert_null(append(&log, much, sizeof much + 1)); /* no number is lost by it */
    assert_int_equal(append(&log, "x", 1)->seq, 41);
    log_clear(&log);
}

static void a_log_is_trimmed_to_its_newest(void **state)
{
    (void)state;
    static struct log log;
    log_init(&log, 1);
    for (unsigned i = 0; i < 10; i++) {
        assert_non_null(append(&log, "x", 1));
    }
    log_trim(&log, 11);
    assert_non_null(log_find(&log, 1));
    log_trim(&log, 3);
    assert_null(log_find(&log, 7));
    assert_non_null(log_find(&log, 8));
    assert_int_equal(append(&log, "x", 1)->seq, 11);
    log_clear(&log);
    assert_int_equal(log.bytes, 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(events_are_numbered_and_found),
    cmocka_unit_test(a_room_goes_on_where_it_was),
    cmocka_unit_test(the_oldest_make_room),
    cmocka_unit_test(large_ones_make_room_by_bytes),
    cmocka_unit_test(a_log_is_trimmed_to_its_newest),
};
TERN_TEST_MAIN(tests)
