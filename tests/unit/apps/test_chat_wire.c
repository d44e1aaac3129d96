/* Packets of ternchat: every layout there and back, and what is none.
 * SPDX-License-Identifier: MIT */
#include <sodium.h>
#include <string.h>

#include "tern_test.h"
#include "ternchat/log.h"
#include "ternchat/name.h"
#include "ternchat/proto.h"

static const uint8_t types[] = {
    CHAT_HELLO,   CHAT_JOIN,   CHAT_NICK,    CHAT_STATE,   CHAT_LIST,  CHAT_SEARCH, CHAT_BEFORE,
    CHAT_KICK,    CHAT_OPEN,   CHAT_FETCH,   CHAT_INVITE,  CHAT_DENY,  CHAT_SAY,    CHAT_READ,
    CHAT_TYPE,    CHAT_LEAVE,  CHAT_WELCOME, CHAT_REFUSED, CHAT_ROOMS, CHAT_FOUND,  CHAT_WANTED,
    CHAT_INVITED, CHAT_CALLED, CHAT_JOINED,  CHAT_PARTED,  CHAT_EVENT, CHAT_STATUS, CHAT_CAUGHT_UP};

static struct chat_packet full(uint8_t type)
{
    struct chat_packet p = {.type = (enum chat_type)type,
                            .version = 1,
                            .flags = 3,
                            .code = 7,
                            .kind = 2,
                            .channel = 0x1234,
                            .count = 0x12345678,
                            .id = 0x1122334455667788,
                            .seq = UINT64_MAX - 1,
                            .time = 1700000000000,
                            .offer = 0x99,
                            .offset = (uint64_t)1 << 40,
                            .room = chat_text("a room"),
                            .nick = chat_text("a nick"),
                            .text = chat_text("a text"),
                            .body = chat_text("a body")};
    memset(p.key, 0x5a, sizeof p.key);
    return p;
}

static void every_layout_comes_back(void **state)
{
    uint8_t buf[CHAT_PACKET_MAX], again[CHAT_PACKET_MAX];
    (void)state;
    for (size_t i = 0; i < sizeof types; i++) {
        struct chat_packet p = full(types[i]), q;
        size_t len = chat_encode(&p, buf, sizeof buf);
        assert_true(len > 0);
        assert_true(chat_decode(&q, buf, len));
        assert_int_equal(q.type, types[i]);
        assert_int_equal(chat_encode(&q, again, sizeof again), len);
        assert_memory_equal(buf, again, len);
        assert_int_equal(chat_encode(&p, buf, len - 1), 0);
    }
}

/* As docs/ternchat-protocol.md has it, octet for octet. */
static void layouts_are_as_written(void **state)
{
    static const uint8_t say[] = {32, 0, 0, 0, 9, 0, 0, 0, 1, 1, 'h', 'i'};
    static const uint8_t join[] = {2,    1,    0xff, 0xff, 0xff, 0xff, 0xff,
                                   0xff, 0xff, 0xff, 3,    'd',  'e',  'n'};
    static const uint8_t fetch[] = {11, 0, 7, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0,
                                    0,  0, 0, 0, 9, 0, 0, 0, 0, 0, 1, 0, 0};
    static const uint8_t deny[] = {13, 3, 0, 0, 0, 0, 0, 0, 0, 5};
    static const uint8_t refused[] = {65, 9, 0, 1, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 2, 'n', 'o'};
    struct chat_packet p;
    (void)state;
    assert_true(chat_decode(&p, say, sizeof say));
    assert_true(p.id == ((uint64_t)9 << 32 | 1) && p.kind == CHAT_KIND_TEXT && p.body.len == 2);
    assert_true(chat_decode(&p, join, sizeof join));
    assert_true(p.flags == CHAT_FLAG_OPEN && p.seq == CHAT_SINCE_NONE && p.room.len == 3);
    assert_true(chat_decode(&p, fetch, sizeof fetch));
    assert_true(p.channel == 7 && p.id == 1024 && p.seq == 9 && p.offset == 65536);
    assert_true(chat_decode(&p, deny, sizeof deny));
    assert_true(p.code == CHAT_STOP_CHANGED && p.id == 5);
    assert_true(chat_decode(&p, refused, sizeof refused));
    assert_true(p.code == CHAT_REFUSED_HISTORY && p.channel == 1 && p.room.len == 0);
    assert_memory_equal(p.text.data, "no", 2);
}

static bool has_open_end(uint8_t type)
{
    return type == CHAT_SAY || type == CHAT_FOUND || type == CHAT_JOINED || type == CHAT_EVENT ||
           type == CHAT_STATUS;
}

static void what_is_too_short_or_too_long_is_no_packet(void **state)
{
    uint8_t buf[CHAT_PACKET_MAX];
    (void)state;
    for (size_t i = 0; i < sizeof types; i++) {
        struct chat_packet p = full(types[i]), q;
        p.body = (struct chat_slice){NULL, 0};
        size_t len = chat_encode(&p, buf, sizeof buf);
        for (size_t cut = 0; cut < len; cut++) {
            assert_false(chat_decode(&q, buf, cut));
        }
        buf[len] = 0;
        assert_int_equal(chat_decode(&q, buf, len + 1), has_open_end(types[i]));
    }
    for (unsigned type = 0; type < 256; type++) {
        struct chat_packet q;
        uint8_t only = (uint8_t)type;
        assert_int_equal(chat_decode(&q, &only, 1), type == CHAT_LIST || type == CHAT_INVITE ||
                                                        type == CHAT_LEAVE || type == CHAT_STATUS);
    }
}

static void limits_hold_on_both_sides(void **state)
{
    static uint8_t buf[CHAT_PACKET_MAX + 8], bytes[CHAT_BODY_MAX + 1];
    struct chat_packet p = full(CHAT_SAY), q;
    (void)state;
    p.body = (struct chat_slice){bytes, CHAT_BODY_MAX};
    size_t len = chat_encode(&p, buf, sizeof buf);
    assert_true(len > CHAT_BODY_MAX && chat_decode(&q, buf, len));
    assert_false(chat_decode(&q, buf, len + 1));
    p.body.len++;
    assert_int_equal(chat_encode(&p, buf, sizeof buf), 0);
    p = full(CHAT_NICK);
    p.nick = (struct chat_slice){bytes, CHAT_NAME_MAX + 1};
    assert_int_equal(chat_encode(&p, buf, sizeof buf), 0);
    buf[0] = CHAT_NICK;
    buf[1] = CHAT_NAME_MAX + 1;
    assert_false(chat_decode(&q, buf, 2 + CHAT_NAME_MAX + 1));
    p = full(CHAT_PARTED);
    p.text = (struct chat_slice){bytes, CHAT_TEXT_MAX + 1};
    assert_int_equal(chat_encode(&p, buf, sizeof buf), 0);
}

static void foreign_bytes_are_read_within_their_bounds(void **state)
{
    struct chat_packet p;
    struct chat_member m;
    struct chat_status s;
    (void)state;
    for (unsigned i = 0; i < TERN_TEST_TIMES(200000); i++) {
        uint8_t bytes[96];
        size_t len = randombytes_uniform(sizeof bytes + 1);
        randombytes_buf(bytes, sizeof bytes);
        bytes[0] = i % 2 == 0 ? types[i / 2 % sizeof types] : bytes[0];
        uint8_t *exact = test_malloc(len + 1); /* so that the sanitizer sees the end */
        memcpy(exact, bytes, len);
        if (chat_decode(&p, exact, len)) {
            struct chat_slice rest = p.body;
            while (chat_member_next(&rest, &m)) {
            }
            rest = p.body;
            while (chat_status_next(&rest, &s)) {
            }
        }
        test_free(exact);
    }
}

static void lists_come_back(void **state)
{
    uint8_t buf[200];
    struct chat_member m = {.presence = CHAT_AWAY, .nick = chat_text("bob")}, n;
    struct chat_status s = {.presence = CHAT_GONE, .is_typing = true, .may = true, .read = 77}, t;
    (void)state;
    memset(m.key, 3, sizeof m.key);
    memset(s.key, 4, sizeof s.key);
    size_t len = chat_member_encode(&m, buf, sizeof buf);
    struct chat_slice rest = {buf, len};
    assert_true(chat_member_next(&rest, &n));
    assert_true(n.presence == CHAT_AWAY && n.key[31] == 3 && n.nick.len == 3);
    assert_false(chat_member_next(&rest, &n));
    len = chat_status_encode(&s, buf, sizeof buf);
    rest = (struct chat_slice){buf, len};
    assert_true(chat_status_next(&rest, &t));
    assert_true(t.presence == CHAT_GONE && t.is_typing && t.may && t.read == 77 && t.key[0] == 4);
    rest = (struct chat_slice){buf, len - 1};
    assert_false(chat_status_next(&rest, &t));
}

static void a_log_keeps_the_newest_and_takes_back_what_was_stored(void **state)
{
    struct log log, other;
    struct chat_packet p;
    (void)state;
    log_init(&log, 1000);
    for (unsigned i = 0; i < LOG_EVENTS + 10; i++) {
        p = full(CHAT_EVENT);
        assert_non_null(log_append(&log, &p));
        assert_int_equal(p.seq, 1000 + i);
    }
    assert_int_equal(log.first, 1010);
    assert_null(log_find(&log, 1009));
    assert_null(log_find(&log, log.next));
    assert_int_equal(log_find(&log, 1010)->seq, 1010);
    log_init(&other, 1010);
    const struct log_event *event = log_find(&log, 1011);
    assert_false(log_restore(&other, event->packet, event->len)); /* not the next */
    event = log_find(&log, 1010);
    assert_true(log_restore(&other, event->packet, event->len));
    assert_false(log_restore(&other, event->packet, event->len - 40));
    assert_int_equal(log_find(&other, 1010)->id, event->id);
    log_clear(&log);
    log_clear(&other);
    log_init(&log, 1);
    static const uint8_t bytes[CHAT_BODY_MAX];
    for (unsigned i = 0; i < 40; i++) { /* by bytes, too */
        p = full(CHAT_EVENT);
        p.body = (struct chat_slice){bytes, sizeof bytes};
        assert_non_null(log_append(&log, &p));
        assert_true(log.bytes <= LOG_BYTES);
    }
    log_clear(&log);
}

static void skeletons_tell_apart_what_the_eye_does(void **state)
{
    static const char *const same[][2] = {{"modern", "rnodern"}, {"williams", "vvilliams"},
                                          {"O0o", "ooo"},        {"Straße", "strasse"},
                                          {"ЁЛКА", "елка"},      {"paypal", "раураl"},
                                          {"𝐛𝐨𝐛", "bob"},        {"Łukasz", "lukasz"},
                                          {"ŽÓFIA", "zofia"},    {"ΑΒΓ", "αβγ"},
                                          {"ⓑⓞⓑ", "bob"},        {"a\xcc\x81\xcc\x82", "a"}};
    static const char *const other[][2] = {
        {"bob", "bobby"}, {"anna", "hanna"}, {"日本", "本日"}, {"bot2", "bot4"}, {"дима", "дина"}};
    char one[CHAT_NAME_MAX + 1], two[CHAT_NAME_MAX + 1];
    (void)state;
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        assert_true(name_skeleton(same[i][0], one) && name_skeleton(same[i][1], two));
        assert_string_equal(one, two);
    }
    for (size_t i = 0; i < sizeof other / sizeof other[0]; i++) {
        assert_true(name_skeleton(other[i][0], one) && name_skeleton(other[i][1], two));
        assert_string_not_equal(one, two);
    }
    assert_false(name_skeleton("\xcc\x81\xcc\x82", one)); /* nothing but accents */
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_layout_comes_back),
    cmocka_unit_test(layouts_are_as_written),
    cmocka_unit_test(what_is_too_short_or_too_long_is_no_packet),
    cmocka_unit_test(limits_hold_on_both_sides),
    cmocka_unit_test(foreign_bytes_are_read_within_their_bounds),
    cmocka_unit_test(lists_come_back),
    cmocka_unit_test(a_log_keeps_the_newest_and_takes_back_what_was_stored),
    cmocka_unit_test(skeletons_tell_apart_what_the_eye_does),
};

TERN_TEST_MAIN(tests)
