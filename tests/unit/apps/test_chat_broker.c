/* The address of a broker, and what it answers: events as a stream has them, and anything else.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "tern_test.h"
#include "ternchat/spread_parts.h"

static void addresses_are_taken_apart(void **state)
{
    struct broker_url url;
    char why[BROKER_WHY_SIZE];
    (void)state;
    assert_true(broker_url_parse(&url, "redis://host", why));
    assert_string_equal(url.place, "host");
    assert_true(!url.is_unix && url.port == 6379 && url.db == 0);
    assert_string_equal(url.password, "");
    assert_true(broker_url_parse(&url, "redis://:secret@10.0.0.1:7000/12", why));
    assert_string_equal(url.place, "10.0.0.1");
    assert_string_equal(url.password, "secret");
    assert_string_equal(url.user, "");
    assert_true(url.port == 7000 && url.db == 12);
    assert_true(broker_url_parse(&url, "redis://me:a%3ab%40c@d@[::1]:1/", why));
    assert_string_equal(url.user, "me");
    assert_string_equal(url.password, "a:b@c@d");
    assert_string_equal(url.place, "::1");
    assert_true(url.port == 1 && url.db == 0);
    assert_true(broker_url_parse(&url, "unix:/run/redis.sock", why));
    assert_string_equal(url.place, "/run/redis.sock");
    assert_true(url.is_unix);
    assert_true(broker_url_parse(&url, "unix://:pw@/run/a@b?db=3", why));
    assert_string_equal(url.place, "/run/a@b");
    assert_string_equal(url.password, "pw");
    assert_int_equal(url.db, 3);
    assert_true(broker_url_parse(&url, "unix:///a@b", why)); /* no name and no password there */
    assert_string_equal(url.place, "/a@b");
}

static void what_is_no_address_is_refused_with_words(void **state)
{
    static const char *const wrong[] = {"",
                                        "host",
                                        "http://host",
                                        "rediss://host",
                                        "redis://",
                                        "redis://:6379",
                                        "redis://host:",
                                        "redis://host:0",
                                        "redis://host:65536",
                                        "redis://host:99999999999999999999",
                                        "redis://[::1",
                                        "redis://[::1]x",
                                        "redis://host/x",
                                        "redis://host/1/2",
                                        "redis://host?db=1",
                                        "redis://:%zz@host",
                                        "redis://:%4@host",
                                        "redis://:%00@host",
                                        "unix:relative",
                                        "unix:/path?x=1",
                                        "unix:/path?db="};
    struct broker_url url;
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char why[BROKER_WHY_SIZE] = "";
        assert_false(broker_url_parse(&url, wrong[i], why));
        assert_string_not_equal(why, "");
    }
    char why[BROKER_WHY_SIZE] = "", text[400] = "unix:/";
    memset(text + 6, 'x', 108);
    assert_false(broker_url_parse(&url, text, why));
    memset(text, 0, sizeof text);
    (void)snprintf(text, sizeof text, "redis://%0300d", 0);
    assert_false(broker_url_parse(&url, text, why));
}

/* --- entries ------------------------------------------------------------------------------------------ */

static redisReply words[8], *list[8], fields, id, entry, *pair[2] = {&id, &fields};

static redisReply *text(redisReply *reply, const void *data, size_t len)
{
    static char kept[8][600];
    size_t place = (size_t)(reply - words) < 8 ? (size_t)(reply - words) : 7;
    memcpy(kept[place], data, len);
    kept[place][len] = '\0';
    reply->type = REDIS_REPLY_STRING;
    reply->str = kept[place];
    reply->len = len;
    return reply;
}

/* An entry of a stream as XRANGE gives it. */
static redisReply *make_entry(const char *number, const uint8_t *rest, size_t len)
{
    static char name[32];
    (void)snprintf(name, sizeof name, "%s", number);
    id = (redisReply){.type = REDIS_REPLY_STRING, .str = name, .len = strlen(name)};
    list[0] = text(&words[0], "t", 1);
    list[1] = text(&words[1], "1700000000123", 13);
    list[2] = text(&words[2], "f", 1);
    list[3] = text(&words[3], "\1", 1);
    list[4] = text(&words[4], "e", 1);
    list[5] = text(&words[5], rest, len);
    fields = (redisReply){.type = REDIS_REPLY_ARRAY, .elements = 6, .element = list};
    entry = (redisReply){.type = REDIS_REPLY_ARRAY, .elements = 2, .element = pair};
    return &entry;
}

static size_t make_rest(uint8_t *rest, size_t size)
{
    uint8_t packet[600];
    struct chat_packet p = {.type = CHAT_EVENT,
                            .id = 0x0102030405060708,
                            .kind = CHAT_KIND_TEXT,
                            .key = {7, 0, 9},
                            .nick = chat_text("ann"),
                            .body = chat_text("words")};
    size_t len = chat_encode(&p, packet, sizeof packet);
    assert_true(len > 17 && len - 17 <= size);
    memcpy(rest, packet + 17, len - 17); /* what is before it, the stream has elsewhere */
    return len - 17;
}

static void an_entry_is_an_event(void **state)
{
    uint8_t rest[600], flags, packet[CHAT_PACKET_MAX];
    struct chat_packet p;
    uint64_t seq;
    size_t len = make_rest(rest, sizeof rest);
    (void)state;
    size_t size = spread_event(make_entry("1734567890123456-0", rest, len), &seq, &flags, packet);
    assert_true(size > 0 && chat_decode(&p, packet, size));
    assert_true(p.type == CHAT_EVENT && p.seq == 1734567890123456 && seq == p.seq && flags == 1);
    assert_true(p.time == 1700000000123 && p.id == 0x0102030405060708 && p.key[2] == 9);
    assert_memory_equal(p.nick.data, "ann", 3);
    assert_memory_equal(p.body.data, "words", 5);
}

static void what_is_no_entry_is_none(void **state)
{
    uint8_t rest[600] = {0}, flags, packet[CHAT_PACKET_MAX];
    uint64_t seq;
    (void)state;
    assert_int_equal(spread_event(NULL, &seq, &flags, packet), 0);
    size_t len = make_rest(rest, sizeof rest);
    for (size_t cut = 0; cut < len - 5; cut++) { /* a body may have any length */
        assert_int_equal(spread_event(make_entry("5-0", rest, cut), &seq, &flags, packet), 0);
        assert_int_equal(seq, 5);
    }
    redisReply *whole = make_entry("5-0", rest, len);
    fields.elements = 5;
    assert_int_equal(spread_event(whole, &seq, &flags, packet), 0);
    fields.type = REDIS_REPLY_NIL;
    assert_int_equal(spread_event(whole, &seq, &flags, packet), 0);
    uint8_t *big = calloc(1, CHAT_PACKET_MAX);
    assert_non_null(big);
    assert_int_equal(spread_packet(1, 1, big, CHAT_PACKET_MAX, packet), 0);
    free(big);
}

static void answers_are_read_with_care(void **state)
{
    redisReply number = {.type = REDIS_REPLY_INTEGER, .integer = 5};
    uint8_t key[TERN_KEY_SIZE];
    (void)state;
    redisReply *first[1] = {text(&words[6], "ok", 2)};
    redisReply answer = {.type = REDIS_REPLY_ARRAY, .elements = 1, .element = first};
    assert_true(spread_is_ok(&answer));
    assert_false(spread_is(&answer, "o"));
    assert_null(spread_at(&answer, 1));
    assert_false(spread_is_ok(NULL));
    assert_false(spread_is_ok(&number));
    assert_int_equal(spread_number(&number), 0);
    assert_int_equal(spread_number(text(&words[6], "18446744073709551615", 20)), UINT64_MAX);
    assert_false(spread_key(&words[6], key));
    assert_int_equal(spread_bytes(&number).len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_taken_apart),
        cmocka_unit_test(what_is_no_address_is_refused_with_words),
        cmocka_unit_test(an_entry_is_an_event),
        cmocka_unit_test(what_is_no_entry_is_none),
        cmocka_unit_test(answers_are_read_with_care),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
