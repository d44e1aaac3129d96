/* The packets of ternchat: what is written is read again, and what is no packet is not read.
 * SPDX-License-Identifier: MIT */
#include "ternchat/proto.h"

#include <string.h>

#include "tern_test.h"

static const enum chat_type types[] = {
    CHAT_HELLO,  CHAT_JOIN,    CHAT_NICK,    CHAT_STATE,  CHAT_LIST,     CHAT_SEARCH, CHAT_BEFORE,
    CHAT_KICK,   CHAT_OPEN,    CHAT_FETCH,   CHAT_INVITE, CHAT_SAY,      CHAT_READ,   CHAT_TYPE,
    CHAT_LEAVE,  CHAT_WELCOME, CHAT_REFUSED, CHAT_ROOMS,  CHAT_FOUND,    CHAT_WANTED, CHAT_INVITED,
    CHAT_JOINED, CHAT_PARTED,  CHAT_EVENT,   CHAT_STATUS, CHAT_CAUGHT_UP};
#define TYPES (sizeof types / sizeof types[0])

static struct chat_packet full(enum chat_type type)
{
    struct chat_packet p = {.type = type,
                            .version = 1,
                            .flags = 2,
                            .code = 3,
                            .kind = 4,
                            .channel = 0x506,
                            .count = 0x708090a,
                            .id = 0x1122334455667788,
                            .seq = 0x99aabbccddeeff00,
                            .time = 1700000000000,
                            .room = chat_text("lobby"),
                            .nick = chat_text("ann"),
                            .text = chat_text("why"),
                            .body = chat_text("words")};
    memset(p.key, 7, sizeof p.key);
    return p;
}

static void every_packet_comes_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < TYPES; i++) {
        uint8_t buf[512], again[512];
        struct chat_packet p = full(types[i]), q;
        size_t len = chat_encode(&p, buf, sizeof buf);
        assert_true(len > 0);
        assert_true(chat_decode(&q, buf, len));
        assert_int_equal(q.type, types[i]);
        assert_int_equal(chat_encode(&q, again, sizeof again), len);
        assert_memory_equal(buf, again, len);
    }
}

static void an_event_has_all_of_it(void **state)
{
    (void)state;
    uint8_t buf[512];
    struct chat_packet p = full(CHAT_EVENT), q;
    assert_true(chat_decode(&q, buf, chat_encode(&p, buf, sizeof buf)));
    assert_true(q.seq == p.seq && q.time == p.time && q.id == p.id && q.kind == p.kind);
    assert_memory_equal(q.key, p.key, sizeof p.key);
    assert_int_equal(q.nick.len, 3);
    assert_memory_equal(q.nick.data, "ann", 3);
    assert_int_equal(q.body.len, 5);
    assert_memory_equal(q.body.data, "words", 5);
}

/* Where there is no list at the end, a packet that is cut or has a byte more is none. */
static void what_is_cut_is_no_packet(void **state)
{
    (void)state;
    for (size_t i = 0; i < TYPES; i++) {
        uint8_t buf[512] = {0};
        struct chat_packet p = full(types[i]), q;
        p.body = (struct chat_slice){NULL, 0};
        size_t len = chat_encode(&p, buf, sizeof buf);
        for (size_t cut = 0; cut < len; cut++) {
            assert_false(chat_decode(&q, buf, cut));
        }
        bool has_body = types[i] == CHAT_SAY || types[i] == CHAT_EVENT || types[i] == CHAT_FOUND ||
                        types[i] == CHAT_JOINED || types[i] == CHAT_STATUS;
        assert_int_equal(chat_decode(&q, buf, len + 1), has_body);
    }
}

static void unknown_types_are_none(void **state)
{
    (void)state;
    for (unsigned type = 0; type < 256; type++) {
        uint8_t buf[1] = {(uint8_t)type};
        struct chat_packet q;
        bool is_known =
            type == CHAT_LIST || type == CHAT_INVITE || type == CHAT_LEAVE || type == CHAT_STATUS;
        assert_int_equal(chat_decode(&q, buf, 1), is_known);
    }
}

static void what_is_too_long_is_refused(void **state)
{
    (void)state;
    static uint8_t much[CHAT_BODY_MAX + 1], buf[CHAT_PACKET_MAX + 1];
    struct chat_packet p = {.type = CHAT_NICK, .nick = {much, CHAT_NAME_MAX + 1}}, q;
    assert_int_equal(chat_encode(&p, buf, sizeof buf), 0);
    p = (struct chat_packet){.type = CHAT_SAY, .body = {much, sizeof much}};
    assert_int_equal(chat_encode(&p, buf, sizeof buf), 0);
    p.body.len--;
    size_t len = chat_encode(&p, buf, sizeof buf);
    assert_true(len > 0 && len < CHAT_PACKET_MAX);
    assert_true(chat_decode(&q, buf, len));
    assert_false(chat_decode(&q, buf, len + 1));
    assert_int_equal(chat_encode(&p, buf, len - 1), 0);
    const uint8_t nick[] = {CHAT_NICK, CHAT_NAME_MAX + 1};
    memcpy(buf, nick, sizeof nick);
    assert_false(chat_decode(&q, buf, sizeof nick + CHAT_NAME_MAX + 1));
}

static void lists_are_walked_to_their_end(void **state)
{
    (void)state;
    uint8_t buf[512];
    struct chat_member m = {.presence = CHAT_AWAY, .nick = chat_text("ann")}, got;
    struct chat_status s = {.presence = CHAT_GONE, .is_typing = true, .read = 77}, told;
    size_t len = chat_member_encode(&m, buf, sizeof buf);
    len += chat_member_encode(&m, buf + len, sizeof buf - len);
    struct chat_slice rest = {buf, len};
    assert_true(chat_member_next(&rest, &got) && chat_member_next(&rest, &got));
    assert_int_equal(got.presence, CHAT_AWAY);
    assert_int_equal(got.nick.len, 3);
    assert_false(chat_member_next(&rest, &got));
    for (size_t cut = 1; cut < len / 2; cut++) {
        rest = (struct chat_slice){buf, cut};
        assert_false(chat_member_next(&rest, &got));
    }
    len = chat_status_encode(&s, buf, sizeof buf);
    rest = (struct chat_slice){buf, len};
    assert_true(chat_status_next(&rest, &told));
    assert_true(told.presence == CHAT_GONE && told.is_typing && told.read == 77);
    rest = (struct chat_slice){buf, len - 1};
    assert_false(chat_status_next(&rest, &told));
    assert_int_equal(chat_status_encode(&s, buf, len - 1), 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_packet_comes_back),     cmocka_unit_test(an_event_has_all_of_it),
    cmocka_unit_test(what_is_cut_is_no_packet),    cmocka_unit_test(unknown_types_are_none),
    cmocka_unit_test(what_is_too_long_is_refused), cmocka_unit_test(lists_are_walked_to_their_end),
};
TERN_TEST_MAIN(tests)
