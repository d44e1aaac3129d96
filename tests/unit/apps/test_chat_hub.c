/* The hub by hand: who comes, what they are told, and what nobody may do.
 * SPDX-License-Identifier: MIT */
#include "unit/apps/chat_kit.h"

#include "ternchat/hub_parts.h"
#include "ternchat/log.h"
#include "ternchat/name.h"
#include "ternchat/room.h"

static void words_go_to_everybody_in_order_and_once(void **state)
{
    struct kit kit;
    struct chat_packet p;
    (void)state;
    kit_open(&kit, NULL);
    struct kit_client *a = kit_come(&kit, 1, "alice"), *b = kit_come(&kit, 2, "bob");
    uint16_t in_a = kit_join(a, "den", 0, CHAT_SINCE_NONE);
    uint16_t in_b = kit_join(b, "den", 0, CHAT_SINCE_NONE);
    kit_say(a, in_a, KIT_ID(9, 1), "one");
    kit_say(a, in_a, KIT_ID(9, 1), "one");
    kit_say(b, in_b, KIT_ID(9, 1), "two"); /* the same number, another person */
    kit_say(a, in_a, KIT_ID(8, 1), "three");
    kit_say(a, in_a, KIT_ID(9, 2), "four");
    struct kit_client *both[] = {a, b};
    for (int i = 0; i < 2; i++) {
        uint64_t last = 0;
        assert_string_equal(kit_heard(both[i]), "one");
        assert_string_equal(kit_heard(both[i]), "two");
        assert_string_equal(kit_heard(both[i]), "three");
        assert_string_equal(kit_heard(both[i]), "four");
        assert_string_equal(kit_heard(both[i]), "");
        both[i]->taken = 0;
        while (kit_next(both[i], CHAT_EVENT, &p, NULL)) {
            assert_true(last == 0 || p.seq == last + 1);
            last = p.seq;
        }
    }
    kit_go(a, true);
    kit_go(b, true);
    hub_free(kit.hub);
}

static void what_was_missed_is_replayed_from_the_cursor(void **state)
{
    struct kit kit;
    struct chat_packet p;
    (void)state;
    kit_open(&kit, NULL);
    struct kit_client *a = kit_come(&kit, 1, "alice"), *b = kit_come(&kit, 2, "bob");
    uint16_t in_a = kit_join(a, "den", 0, CHAT_SINCE_NONE);
    (void)kit_join(b, "den", 0, CHAT_SINCE_NONE);
    kit_say(a, in_a, KIT_ID(1, 1), "heard");
    uint64_t last = 0;
    while (kit_next(b, CHAT_EVENT, &p, NULL)) {
        last = p.seq;
    }
    kit_go(b, false);
    kit_say(a, in_a, KIT_ID(1, 2), "missed");
    b = kit_come(&kit, 2, "bob");
    (void)kit_join(b, "den", 0, last);
    assert_string_equal(kit_heard(b), "missed");
    assert_string_equal(kit_heard(b), "");
    b->taken = 0;
    kit_expect(b, CHAT_CAUGHT_UP, &p);
    assert_int_equal(p.seq, last + 1);
    while (kit_next(a, CHAT_EVENT, &p, NULL)) { /* a lost network is no leave */
        assert_int_not_equal(p.kind, CHAT_KIND_LEAVE);
    }
    kit_go(a, true);
    kit_go(b, true);
    hub_free(kit.hub);
}

static void who_does_not_come_back_leaves_after_the_grace(void **state)
{
    struct kit kit;
    struct chat_packet p;
    (void)state;
    kit_open(&kit, NULL);
    struct kit_client *a = kit_come(&kit, 1, "alice"), *b = kit_come(&kit, 2, "bob");
    (void)kit_join(a, "den", 0, CHAT_SINCE_NONE);
    (void)kit_join(b, "den", 0, CHAT_SINCE_NONE);
    kit_go(b, false);
    kit.now += HUB_GRACE - TERN_SEC;
    hub_tick(kit.hub, kit.now);
    kit_skip(a);
    kit.now += 2 * TERN_SEC;
    hub_tick(kit.hub, kit.now);
    kit_expect(a, CHAT_EVENT, &p);
    assert_int_equal(p.kind, CHAT_KIND_LEAVE);
    assert_int_equal(p.key[0], 2);
    kit_go(a, true);
    hub_free(kit.hub);
}

static void a_slow_reader_waits_and_then_gets_it_all(void **state)
{
    struct kit kit;
    char text[20];
    (void)state;
    kit_open(&kit, NULL);
    struct kit_client *a = kit_come(&kit, 1, "alice"), *b = kit_come(&kit, 2, "bob");
    uint16_t in_a = kit_join(a, "den", 0, CHAT_SINCE_NONE);
    (void)kit_join(b, "den", 0, CHAT_SINCE_NONE);
    kit_skip(b);
    b->room = 0;
    for (unsigned i = 1; i <= 200; i++) {
        (void)snprintf(text, sizeof text, "line %u", i);
        kit_say(a, in_a, KIT_ID(1, i), text);
    }
    kit_ask(b, "", 0, 0); /* a refusal, which waits, too, and goes first */
    for (unsigned i = 0; i < 300; i++) {
        b->room = 1;
        hub_on_writable(b->session);
    }
    kit_expect_refusal(b, CHAT_REFUSED_ROOM);
    for (unsigned i = 1; i <= 200; i++) {
        (void)snprintf(text, sizeof text, "line %u", i);
        assert_string_equal(kit_heard(b), text);
    }
    assert_false(b->is_closed);
    kit_go(a, true);
    kit_go(b, true);
    hub_free(kit.hub);
}

static void nothing_passes_what_waits(void **state)
{
    struct kit kit;
    struct chat_packet p;
    uint16_t in_b;
    (void)state;
    kit_open(&kit, NULL);
    struct kit_client *a = kit_come(&kit, 1, "alice"), *b = kit_come(&kit, 2, "bob");
    uint16_t in_a = kit_join(a, "den", 0, CHAT_SINCE_NONE);
    kit_skip(b);
    b->room = 0;
    kit_ask(b, "den", 0, CHAT_SINCE_NONE);
    b->room = 5; /* but nobody has said so yet */
    kit_say(a, in_a, KIT_ID(1, 1), "hello");
    assert_false(kit_next(b, CHAT_EVENT, &p, NULL));
    b->room = KIT_PACKETS;
    hub_on_writable(b->session);
    b->taken = 0;
    kit_expect(b, CHAT_WELCOME, &p);
    assert_true(kit_next(b, CHAT_JOINED, &p, &in_b));
    assert_string_equal(kit_heard(b), "hello");
    kit_go(a, true);
    kit_go(b, true);
    hub_free(kit.hub);
}

static void who_is_far_too_slow_sees_a_gap_in_the_numbers(void **state)
{
    struct kit kit;
    struct chat_packet p;
    (void)state;
    kit_open(&kit, NULL);
    struct kit_client *a = kit_come(&kit, 1, "alice"), *b = kit_come(&kit, 2, "bob");
    uint16_t in_a = kit_join(a, "den", 0, CHAT_SINCE_NONE);
    (void)kit_join(b, "den", 0, CHAT_SINCE_NONE);
    kit_expect(b, CHAT_EVENT, &p);
    uint64_t join = p.seq + 1;
    kit_skip(b);
    b->room = 0;
    for (unsigned i = 1; i <= LOG_EVENTS + 50; i++) {
        kit_say(a, in_a, KIT_ID(1, i), "words");
    }
    b->room = KIT_PACKETS;
    hub_on_writable(b->session);
    kit_expect(b, CHAT_EVENT, &p);
    assert_true(p.seq > join + 40);
    kit_go(a, true);
    kit_go(b, true);
    hub_free(kit.hub);
}

static uint64_t any_wall(void *user)
{
    (void)user;
    return 1000;
}

/* What the last packet on the control channel, or the last JOINED, was. */
static bool note_last(void *user, void *conn, uint16_t channel, const uint8_t *data, size_t len,
                      bool is_latest)
{
    struct chat_packet *last = user;
    struct chat_packet p;
    (void)conn;
    (void)is_latest;
    assert_true(chat_decode(&p, data, len));
    if (channel == CHAT_CONTROL || p.type == CHAT_JOINED) {
        last->type = p.type;
        last->code = p.code;
    }
    return true;
}

static void put(struct hub_session *s, const struct chat_packet *p)
{
    uint8_t buf[CHAT_PACKET_MAX];
    hub_receive(s, CHAT_CONTROL, buf, chat_encode(p, buf, sizeof buf), TERN_SEC);
}

/* A flood of joins fills one room, in which there is then no place for more, and no other. */
static void a_flood_fills_its_room(void **state)
{
    struct chat_packet last = {.type = CHAT_HELLO};
    struct hub_port port = {.user = &last, .send = note_last, .close = kit_close, .wall = any_wall};
    struct hub_config config = {.motd = NULL};
    char why[HUB_WHY_SIZE], nick[16];
    uint8_t key[TERN_KEY_SIZE] = {0};
    (void)state;
    struct hub *hub = hub_new(&port, &config, why);
    assert_non_null(hub);
    struct chat_packet join = {.type = CHAT_JOIN, .seq = CHAT_SINCE_NONE, .room = chat_text("den")};
    for (unsigned i = 0; i <= HUB_ROOM_MEMBERS; i++) {
        memcpy(key, &i, sizeof i);
        (void)snprintf(nick, sizeof nick, "n%u", i);
        struct hub_session *s = hub_came(hub, &last, key, TERN_SEC);
        assert_non_null(s);
        struct chat_packet hello = {
            .type = CHAT_HELLO, .version = CHAT_VERSION, .nick = chat_text(nick)};
        put(s, &hello);
        assert_int_equal(last.type, CHAT_WELCOME);
        put(s, &join);
        assert_int_equal(last.type, i < HUB_ROOM_MEMBERS ? CHAT_JOINED : CHAT_REFUSED);
        if (last.type == CHAT_REFUSED) {
            assert_int_equal(last.code, CHAT_REFUSED_FULL);
            join.room = chat_text("other");
            put(s, &join);
            assert_int_equal(last.type, CHAT_JOINED);
        }
    }
    hub_free(hub);
}

static void names_that_look_alike_are_one(void **state)
{
    static const char *const alike[] = {"ALICE",
                                        "a1ice",
                                        "аlice" /* Cyrillic a */,
                                        "alíce",
                                        "ali\xcc\x81"
                                        "ce",
                                        "ａｌｉｃｅ",
                                        "al\xc4\xb1"
                                        "ce",
                                        "αlice" /* Greek */};
    struct kit kit;
    (void)state;
    kit_open(&kit, NULL);
    struct kit_client *a = kit_come(&kit, 1, "alice"), *b = kit_connect(&kit, 2);
    for (size_t i = 0; i < sizeof alike / sizeof alike[0]; i++) {
        kit_hello(b, alike[i]);
        kit_expect_refusal(b, CHAT_REFUSED_NICK);
    }
    static const char *const bad[] = {"",     "a b", "a\x1b[2J", "a\xe2\x80\xae.b",
                                      "\xff", "#a",  "a@b"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        kit_hello(b, bad[i]);
        kit_expect_refusal(b, CHAT_REFUSED_NICK);
    }
    struct chat_packet p;
    kit_hello(b, "alicia");
    kit_expect(b, CHAT_WELCOME, &p);
    kit_go(a, true);
    kit_go(b, true);
    hub_free(kit.hub);
}

static void set(struct kit_client *c, enum chat_type type, const char *text)
{
    struct chat_packet p = {.type = type, .nick = chat_text(text)};
    kit_put(c, CHAT_CONTROL, &p);
}

static void a_new_name_is_told_and_too_many_are_refused(void **state)
{
    struct kit kit;
    struct chat_packet p;
    char name[20];
    (void)state;
    kit_open(&kit, NULL);
    struct kit_client *a = kit_come(&kit, 1, "alice");
    (void)kit_join(a, "den", 0, CHAT_SINCE_NONE);
    kit_skip(a);
    set(a, CHAT_NICK, "Alicia");
    kit_expect(a, CHAT_EVENT, &p);
    assert_int_equal(p.kind, CHAT_KIND_NICK);
    assert_memory_equal(p.body.data, "alice", 5);
    assert_memory_equal(p.nick.data, "Alicia", 6);
    for (unsigned i = 0; i < 10; i++) {
        (void)snprintf(name, sizeof name, "name%c", (char)('a' + i));
        set(a, CHAT_NICK, name);
    }
    kit_expect_refusal(a, CHAT_REFUSED_RATE);
    kit_go(a, true);
    hub_free(kit.hub);
}

static void kick(struct kit_client *c, uint16_t channel, uint8_t code, uint8_t whom)
{
    struct chat_packet p = {.type = CHAT_KICK, .channel = channel, .code = code};
    memset(p.key, whom, sizeof p.key);
    kit_put(c, CHAT_CONTROL, &p);
}

static void only_moderators_put_people_out(void **state)
{
    struct kit kit;
    struct chat_packet p;
    uint16_t channel;
    (void)state;
    kit_open(&kit, NULL);
    struct kit_client *a = kit_come(&kit, 1, "alice"), *b = kit_come(&kit, 2, "bob");
    uint16_t in_a = kit_join(a, "den", 0, CHAT_SINCE_NONE); /* who made it */
    uint16_t in_b = kit_join(b, "den", 0, CHAT_SINCE_NONE);
    kick(b, in_b, 0, 1);
    kit_expect_refusal(b, CHAT_REFUSED_RIGHT);
    kick(a, in_a, 1, 2);
    kit_expect(b, CHAT_EVENT, &p);
    while (p.kind != CHAT_KIND_KICK) {
        kit_expect(b, CHAT_EVENT, &p);
    }
    assert_int_equal(p.body.len, TERN_KEY_SIZE);
    assert_true(kit_next(b, CHAT_PARTED, &p, &channel));
    assert_int_equal(channel, in_b);
    kit_say(b, in_b, KIT_ID(1, 1), "still here?");
    kit_ask(b, "den", 0, CHAT_SINCE_NONE);
    kit_expect_refusal(b, CHAT_REFUSED_BANNED);
    assert_int_not_equal(kit_join(b, "other", 0, CHAT_SINCE_NONE), in_b); /* not before LEAVE */
    p = (struct chat_packet){.type = CHAT_LEAVE};
    kit_put(b, in_b, &p);
    kick(a, in_a, 2, 2);
    assert_int_equal(kit_join(b, "den", 0, CHAT_SINCE_NONE), in_b);
    kit_skip(a);
    assert_string_equal(kit_heard(a), "");
    kit_go(a, true);
    kit_go(b, true);
    hub_free(kit.hub);
}

static void a_moderator_of_the_server_may_all(void **state)
{
    struct kit kit;
    struct chat_packet p;
    (void)state;
    kit_open(&kit, NULL);
    kit.moderator = 3;
    struct kit_client *a = kit_come(&kit, 1, "alice"), *c = kit_come(&kit, 3, "carol");
    uint16_t in_a = kit_join(a, "den", 0, CHAT_SINCE_NONE);
    kit_ask(c, "den", 0, CHAT_SINCE_NONE);
    uint16_t in_c = 0;
    assert_true(kit_next(c, CHAT_JOINED, &p, &in_c));
    assert_true((p.flags & CHAT_FLAG_MAY) != 0);
    p = (struct chat_packet){
        .type = CHAT_SAY, .id = KIT_ID(1, 1), .kind = CHAT_KIND_TOPIC, .body = chat_text("cats")};
    kit_put(c, in_c, &p);
    p = (struct chat_packet){.type = CHAT_LIST};
    kit_put(a, CHAT_CONTROL, &p);
    kit_expect(a, CHAT_ROOMS, &p);
    assert_int_equal(p.count, 2);
    assert_memory_equal(p.text.data, "cats", 4);
    p = (struct chat_packet){.type = CHAT_INVITE};
    kit_put(a, CHAT_CONTROL, &p);
    kit_expect_refusal(a, CHAT_REFUSED_RIGHT);
    p = (struct chat_packet){.type = CHAT_INVITE};
    kit_put(c, CHAT_CONTROL, &p);
    kit_expect(c, CHAT_INVITED, &p);
    kick(c, in_c, 0, 1);
    p = (struct chat_packet){.type = CHAT_SAY, .id = KIT_ID(1, 1), .kind = CHAT_KIND_KICK};
    kit_put(c, in_c, &p);
    kit_expect_refusal(c, CHAT_REFUSED_RIGHT); /* the server alone says that */
    kit_expect(a, CHAT_PARTED, &p);
    (void)in_a;
    kit_go(a, true);
    kit_go(c, true);
    hub_free(kit.hub);
}

static void open_private(struct kit_client *c, uint8_t with, uint64_t since)
{
    struct chat_packet p = {.type = CHAT_OPEN, .seq = since};
    memset(p.key, with, sizeof p.key);
    kit_put(c, CHAT_CONTROL, &p);
}

static void a_private_conversation_calls_the_other_one(void **state)
{
    struct kit kit;
    struct chat_packet p;
    char name[CHAT_NAME_MAX + 1];
    uint16_t in_a = 0, in_b = 0;
    (void)state;
    kit_open(&kit, NULL);
    struct kit_client *a = kit_come(&kit, 1, "alice"), *b = kit_come(&kit, 2, "bob");
    struct kit_client *c = kit_come(&kit, 3, "carol");
    open_private(a, 2, CHAT_SINCE_NONE);
    assert_true(kit_next(a, CHAT_JOINED, &p, &in_a));
    name_private(b->key, a->key, name);
    assert_int_equal(p.room.len, strlen(name));
    assert_memory_equal(p.room.data, name, strlen(name));
    assert_false(kit_next(b, CHAT_CALLED, &p, NULL)); /* nothing was said yet */
    kit_say(a, in_a, KIT_ID(1, 1), "psst");
    b->taken = 0;
    kit_expect(b, CHAT_CALLED, &p);
    assert_int_equal(p.key[0], 1);
    open_private(b, 1, CHAT_SINCE_NONE);
    assert_true(kit_next(b, CHAT_JOINED, &p, &in_b));
    assert_string_equal(kit_heard(b), "psst");
    kit_ask(c, name, 0, CHAT_SINCE_NONE); /* nobody else gets in, or sees that there is one */
    kit_expect_refusal(c, CHAT_REFUSED_ROOM);
    p = (struct chat_packet){.type = CHAT_LIST};
    kit_put(c, CHAT_CONTROL, &p);
    kit_expect(c, CHAT_ROOMS, &p);
    assert_int_equal(p.room.len, 0);
    kit_go(b, true);
    kit_say(a, in_a, KIT_ID(1, 2), "still there?");
    b = kit_come(&kit, 2, "bob");
    kit_expect(b, CHAT_CALLED, &p); /* it comes back to what it has not read */
    open_private(a, 1, CHAT_SINCE_NONE);
    kit_expect_refusal(a, CHAT_REFUSED_ROOM);
    open_private(a, 77, CHAT_SINCE_NONE);
    kit_expect_refusal(a, CHAT_REFUSED_ROOM);
    kit_go(a, true);
    kit_go(b, true);
    kit_go(c, true);
    kit.now += HUB_GRACE + 2 * TERN_SEC;
    hub_tick(kit.hub, kit.now);
    struct hub_counts counts;
    hub_count(kit.hub, &counts);
    assert_int_equal(counts.rooms, 0);
    hub_free(kit.hub);
}

static void away_is_told_and_outlives_the_connection_only_if_said_again(void **state)
{
    struct kit kit;
    struct chat_packet p;
    struct chat_status s;
    (void)state;
    kit_open(&kit, NULL);
    struct kit_client *a = kit_come(&kit, 1, "alice"), *b = kit_come(&kit, 2, "bob");
    (void)kit_join(a, "den", 0, CHAT_SINCE_NONE);
    (void)kit_join(b, "den", 0, CHAT_SINCE_NONE);
    p = (struct chat_packet){.type = CHAT_STATE, .code = CHAT_AWAY};
    kit_put(a, CHAT_CONTROL, &p);
    kit_skip(b);
    hub_tick(kit.hub, kit.now);
    kit_expect(b, CHAT_STATUS, &p);
    assert_true(chat_status_next(&p.body, &s));
    assert_int_equal(s.presence, CHAT_AWAY);
    kit_go(a, false);
    hub_tick(kit.hub, kit.now);
    kit_expect(b, CHAT_STATUS, &p);
    assert_true(chat_status_next(&p.body, &s));
    assert_int_equal(s.presence, CHAT_GONE);
    kit_go(b, true);
    hub_free(kit.hub);
}

static void floods_of_joins_and_rooms_are_refused(void **state)
{
    struct kit kit;
    char name[20];
    (void)state;
    kit_open(&kit, NULL);
    struct kit_client *a = kit_come(&kit, 1, "alice");
    for (unsigned i = 0; i < 60; i++) {
        (void)snprintf(name, sizeof name, "room%u", i);
        kit_ask(a, name, 0, CHAT_SINCE_NONE);
    }
    kit_expect_refusal(a, CHAT_REFUSED_RATE);
    kit_skip(a);
    for (unsigned i = 0; i < 400; i++) {
        kit_ask(a, "room1", 0, CHAT_SINCE_NONE);
    }
    kit_expect_refusal(a, CHAT_REFUSED_RATE);
    assert_false(a->is_closed);
    kit_go(a, true);
    hub_free(kit.hub);
}

static void limits_outlive_a_goodbye(void **state)
{
    struct kit kit;
    struct chat_packet p;
    char name[20];
    (void)state;
    kit_open(&kit, NULL);
    struct kit_client *a = kit_come(&kit, 1, "alice"), *b = kit_come(&kit, 2, "bob");
    for (unsigned i = 0; i < 50; i++) {
        (void)snprintf(name, sizeof name, "room%u", i);
        (void)kit_join(a, name, 0, CHAT_SINCE_NONE);
    }
    kit_go(a, true);
    a = kit_come(&kit, 3, "alice"); /* the name is free */
    kit_go(a, true);
    p = (struct chat_packet){.type = CHAT_OPEN};
    memset(p.key, 1, sizeof p.key);
    kit_put(b, CHAT_CONTROL, &p);
    kit_expect_refusal(b, CHAT_REFUSED_ROOM); /* who is gone is gone */
    a = kit_come(&kit, 1, "alice");
    kit_ask(a, "one more", 0, CHAT_SINCE_NONE);
    kit_ask(a, "more", 0, CHAT_SINCE_NONE);
    kit_expect_refusal(a, CHAT_REFUSED_ROOM);
    kit_expect_refusal(a, CHAT_REFUSED_RATE);
    kit_go(a, true);
    kit.now += 3600 * TERN_SEC;
    hub_tick(kit.hub, kit.now);
    assert_int_equal(kit.hub->resting_count, 0);
    a = kit_come(&kit, 1, "alice");
    (void)kit_join(a, "more", 0, CHAT_SINCE_NONE);
    kit_go(a, true);
    kit_go(b, true);
    hub_free(kit.hub);
}

/* What nobody keeps on a disk is kept in memory, of each room and of all together, whoever says it. */
static void all_rooms_together_hold_so_much(void **state)
{
    struct kit kit;
    char text[1001], name[20];
    uint16_t channels[40];
    (void)state;
    memset(text, 'x', 1000);
    text[1000] = '\0';
    kit_open(&kit, NULL);
    kit.hub->log_limit = 100000;
    struct kit_client *a = kit_come(&kit, 1, "alice");
    uint32_t said = 0;
    for (unsigned i = 0; i < 40; i++) {
        (void)snprintf(name, sizeof name, "room%u", i);
        channels[i] = kit_join(a, name, CHAT_FLAG_OPEN, CHAT_SINCE_NONE);
    }
    for (unsigned i = 0; i < 400; i++) {
        kit_say(a, channels[i % 40], KIT_ID(9, ++said), text);
        assert_true(kit.hub->log_bytes <= kit.hub->log_limit);
        assert_string_equal(kit_heard(a), text); /* each comes through */
    }
    for (unsigned i = 0; i < 400;
         i++) { /* one room alone may have its share, and the others keep something */
        kit_say(a, channels[7], KIT_ID(9, ++said), text);
        assert_true(kit.hub->log_bytes <= kit.hub->log_limit);
        kit_skip(a);
    }
    size_t bytes = 0;
    for (const struct room *room = kit.hub->rooms; room != NULL; room = room->next) {
        bytes += room->log.bytes;
    }
    assert_int_equal(bytes, kit.hub->log_bytes);
    assert_true(bytes > 40000);
    kit_go(a, true);
    assert_int_equal(kit.hub->log_bytes, 0);
    hub_free(kit.hub);
}

static void foreign_bytes_end_a_session(void **state)
{
    static const struct {
        uint16_t channel;
        uint8_t bytes[3];
        size_t len;
    } cases[] = {{0, {0}, 0},
                 {0, {255}, 1},
                 {0, {CHAT_WELCOME}, 1},
                 {1, {CHAT_LIST}, 1},
                 {0, {CHAT_TYPE, 1}, 2},
                 {0, {CHAT_LIST, 0}, 2},
                 {0, {CHAT_HELLO, 1}, 2}};
    struct kit kit;
    (void)state;
    kit_open(&kit, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct kit_client *a = kit_connect(&kit, 1);
        hub_receive(a->session, cases[i].channel, cases[i].bytes, cases[i].len, kit.now);
        assert_true(a->is_closed);
        kit_go(a, false);
    }
    struct kit_client *a = kit_connect(&kit, 1); /* harmless: a room that is not there */
    kit_say(a, 5, 1, "x");
    kit_say(a, 60000, 1, "x");
    kit_ask(a, "den", 0, 0); /* before HELLO */
    assert_false(a->is_closed);
    kit_expect_refusal(a, CHAT_REFUSED_NICK);
    kit_go(a, false);
    hub_free(kit.hub);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(words_go_to_everybody_in_order_and_once),
    cmocka_unit_test(what_was_missed_is_replayed_from_the_cursor),
    cmocka_unit_test(who_does_not_come_back_leaves_after_the_grace),
    cmocka_unit_test(a_slow_reader_waits_and_then_gets_it_all),
    cmocka_unit_test(nothing_passes_what_waits),
    cmocka_unit_test(who_is_far_too_slow_sees_a_gap_in_the_numbers),
    cmocka_unit_test(a_flood_fills_its_room),
    cmocka_unit_test(names_that_look_alike_are_one),
    cmocka_unit_test(a_new_name_is_told_and_too_many_are_refused),
    cmocka_unit_test(only_moderators_put_people_out),
    cmocka_unit_test(a_moderator_of_the_server_may_all),
    cmocka_unit_test(a_private_conversation_calls_the_other_one),
    cmocka_unit_test(away_is_told_and_outlives_the_connection_only_if_said_again),
    cmocka_unit_test(floods_of_joins_and_rooms_are_refused),
    cmocka_unit_test(limits_outlive_a_goodbye),
    cmocka_unit_test(all_rooms_together_hold_so_much),
    cmocka_unit_test(foreign_bytes_end_a_session),
};

TERN_TEST_MAIN(tests)
