/* What a client makes of packets: lost connections, repeats, gaps, refusals.
 * SPDX-License-Identifier: MIT */
#include "ternchat/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tern_test.h"
#include "ternchat/name.h"

#define SENT_MAX 4096

struct bench {
    struct model *model;
    struct chat_packet sent[SENT_MAX]; /* their slices lie in `bytes` */
    uint16_t channels[SENT_MAX];
    uint8_t *bytes[SENT_MAX];
    size_t count, taken, room;
    char lines[64][200], notes[64][300];
    enum line_kind kinds[64];
    size_t line_count, note_count, heard, refused, answers;
};

static bool on_send(void *user, uint16_t channel, const uint8_t *data, size_t len, bool is_latest)
{
    struct bench *b = user;
    (void)is_latest;
    if (b->room == 0 || b->count == SENT_MAX) {
        return false;
    }
    b->room--;
    b->bytes[b->count] = malloc(len);
    assert_non_null(b->bytes[b->count]);
    memcpy(b->bytes[b->count], data, len);
    b->channels[b->count] = channel;
    assert_true(chat_decode(&b->sent[b->count], b->bytes[b->count], len));
    b->count++;
    return true;
}

static void on_line(void *user, struct model_room *room, const struct line *line)
{
    struct bench *b = user;
    (void)room;
    b->kinds[b->line_count % 64] = line->kind;
    (void)snprintf(b->lines[b->line_count++ % 64], sizeof b->lines[0], "%s", line->text);
}

static void on_note(void *user, const char *text)
{
    struct bench *b = user;
    (void)snprintf(b->notes[b->note_count++ % 64], sizeof b->notes[0], "%s", text);
}

static void on_joined(void *user, struct model_room *room)
{
    (void)user;
    (void)room;
}

static void on_heard(void *user, struct model_room *room, uint64_t id)
{
    struct bench *b = user;
    (void)room;
    (void)id;
    b->heard++;
}

static void on_refused(void *user, struct model_room *room, uint64_t id)
{
    struct bench *b = user;
    (void)room;
    (void)id;
    b->refused++;
}

static void on_answer(void *user, const struct chat_packet *p)
{
    struct bench *b = user;
    (void)p;
    b->answers++;
}

static void on_left(void *user, struct model_room *room)
{
    (void)user;
    (void)room;
}

static struct bench *bench_new(void)
{
    struct bench *b = calloc(1, sizeof *b);
    assert_non_null(b);
    struct model_front front = {.user = b,
                                .send = on_send,
                                .on_line = on_line,
                                .on_note = on_note,
                                .on_joined = on_joined,
                                .on_heard = on_heard,
                                .on_refused = on_refused,
                                .on_answer = on_answer,
                                .on_left = on_left};
    b->room = SENT_MAX;
    b->model = model_new(&front, "alice");
    assert_non_null(b->model);
    return b;
}

static void bench_free(struct bench *b)
{
    model_free(b->model);
    for (size_t i = 0; i < b->count; i++) {
        free(b->bytes[i]);
    }
    free(b);
}

static void put(struct bench *b, uint16_t channel, const struct chat_packet *p)
{
    uint8_t buf[CHAT_PACKET_MAX];
    size_t len = chat_encode(p, buf, sizeof buf);
    assert_true(len > 0);
    model_receive(b->model, channel, buf, len);
}

/* The next packet of that type that has left; NULL: none. */
static const struct chat_packet *next_sent(struct bench *b, enum chat_type type)
{
    while (b->taken < b->count) {
        if (b->sent[b->taken++].type == type) {
            return &b->sent[b->taken - 1];
        }
    }
    return NULL;
}

static void welcome(struct bench *b)
{
    struct chat_packet p = {.type = CHAT_WELCOME, .version = 1, .nick = chat_text("alice")};
    memset(p.key, 1, sizeof p.key);
    model_connected(b->model);
    assert_non_null(next_sent(b, CHAT_HELLO));
    put(b, CHAT_CONTROL, &p);
}

static void joined(struct bench *b, uint16_t channel, const char *name, uint64_t seq)
{
    uint8_t list[200];
    size_t used = 0;
    for (uint8_t i = 1; i <= 2; i++) {
        struct chat_member m = {.nick = chat_text(i == 1 ? "alice" : "bob")};
        memset(m.key, i, sizeof m.key);
        used += chat_member_encode(&m, list + used, sizeof list - used);
    }
    struct chat_packet p = {
        .type = CHAT_JOINED, .seq = seq, .room = chat_text(name), .body = {list, used}};
    p.flags = name[0] == '@' ? CHAT_FLAG_PRIVATE : CHAT_FLAG_OPEN;
    put(b, channel, &p);
}

static void event(struct bench *b, uint16_t channel, uint64_t seq, uint8_t who, uint64_t id,
                  const char *text)
{
    struct chat_packet p = {.type = CHAT_EVENT,
                            .seq = seq,
                            .id = id,
                            .kind = CHAT_KIND_TEXT,
                            .nick = chat_text(who == 1 ? "alice" : "bob"),
                            .body = chat_text(text)};
    memset(p.key, who, sizeof p.key);
    put(b, channel, &p);
}

static void refused(struct bench *b, enum chat_refusal code, uint16_t channel, uint64_t id)
{
    struct chat_packet p = {.type = CHAT_REFUSED,
                            .code = (uint8_t)code,
                            .channel = channel,
                            .id = id,
                            .text = chat_text("why")};
    put(b, CHAT_CONTROL, &p);
}

static void what_was_not_heard_is_said_again(void **state)
{
    struct bench *b = bench_new();
    uint64_t ids[3];
    (void)state;
    welcome(b);
    struct model_room *room = model_join(b->model, "den", CHAT_FLAG_OPEN);
    joined(b, 1, "den", 10);
    for (int i = 0; i < 3; i++) {
        assert_true(model_say(b->model, room, CHAT_KIND_TEXT, "abc", 3, &ids[i]));
    }
    event(b, 1, 11, 1, ids[0], "abc");
    assert_int_equal(b->heard, 1);
    model_lost(b->model);
    b->taken = b->count;
    welcome(b);
    const struct chat_packet *p = next_sent(b, CHAT_JOIN);
    assert_non_null(p);
    assert_int_equal(p->seq, 11);
    assert_null(next_sent(b, CHAT_SAY)); /* not before it sits there */
    joined(b, 7, "den", 12);
    b->taken = 0;
    unsigned said = 0;
    while ((p = next_sent(b, CHAT_SAY)) != NULL) {
        assert_true(said < 3 || p->id == ids[said - 2]);
        said++;
    }
    assert_int_equal(said, 5);         /* three, and two again */
    event(b, 7, 12, 1, ids[1], "abc"); /* it had been heard after all */
    event(b, 7, 13, 1, ids[2], "abc");
    assert_int_equal(model_unheard(b->model), 0);
    assert_int_equal(b->line_count, 3);
    bench_free(b);
}

static void repeats_are_shown_once_and_gaps_are_told(void **state)
{
    struct bench *b = bench_new();
    (void)state;
    welcome(b);
    (void)model_join(b->model, "den", CHAT_FLAG_OPEN);
    joined(b, 1, "den", 5);
    event(b, 1, 6, 2, 1, "one");
    event(b, 1, 6, 2, 1, "one");
    event(b, 1, 4, 2, 1, "an old one");
    assert_int_equal(b->line_count, 1);
    event(b, 1, 9, 2, 1, "two");
    assert_int_equal(b->kinds[1], LINE_GAP);
    assert_string_equal(b->lines[1], "2 events are lost: the server no longer has them");
    event(b, 1, (uint64_t)1 << 50, 2, 1, "three"); /* a server without its memory */
    assert_int_equal(b->kinds[3], LINE_GAP);
    assert_null(strstr(b->lines[3], "events"));
    model_lost(b->model);
    welcome(b);
    joined(b, 1, "den", 3); /* another one, whose clock is behind */
    event(b, 1, 2, 2, 1, "anew");
    assert_string_equal(b->lines[(b->line_count - 1) % 64], "anew");
    bench_free(b);
}

static void words_wait_for_a_full_disk_and_keep_their_order(void **state)
{
    struct bench *b = bench_new();
    uint64_t one, two;
    (void)state;
    welcome(b);
    struct model_room *room = model_join(b->model, "den", CHAT_FLAG_OPEN);
    joined(b, 1, "den", 1);
    assert_true(model_say(b->model, room, CHAT_KIND_TEXT, "1", 1, &one));
    refused(b, CHAT_REFUSED_HISTORY, 1, one);
    b->taken = b->count;
    assert_true(model_say(b->model, room, CHAT_KIND_TEXT, "2", 1, &two));
    assert_null(next_sent(b, CHAT_SAY));
    assert_int_equal(b->note_count, 1);
    model_retry(b->model);
    assert_true(next_sent(b, CHAT_SAY)->id == one);
    assert_true(next_sent(b, CHAT_SAY)->id == two);
    assert_int_equal(model_unheard(b->model), 2);
    assert_int_equal(b->refused, 0);
    bench_free(b);
}

static void words_that_are_refused_for_good_are_dropped(void **state)
{
    struct bench *b = bench_new();
    uint64_t ids[3];
    (void)state;
    welcome(b);
    struct model_room *room = model_join(b->model, "den", CHAT_FLAG_OPEN);
    joined(b, 1, "den", 1);
    for (int i = 0; i < 3; i++) {
        assert_true(model_say(b->model, room, CHAT_KIND_TOPIC, "1", 1, &ids[i]));
    }
    refused(b, CHAT_REFUSED_RIGHT, 1, ids[1]);
    refused(b, CHAT_REFUSED_RIGHT, 1, ids[2]);
    refused(b, CHAT_REFUSED_RIGHT, 1, ids[2]); /* it is gone already */
    assert_int_equal(b->refused, 2);
    assert_int_equal(model_unheard(b->model), 1);
    assert_true(model_say(b->model, room, CHAT_KIND_TEXT, "1", 1, &ids[2]));
    event(b, 1, 2, 1, ids[0], "1");
    event(b, 1, 3, 1, ids[2], "1");
    assert_int_equal(model_unheard(b->model), 0);
    bench_free(b);
}

static void a_taken_nick_gets_a_number(void **state)
{
    struct bench *b = bench_new();
    (void)state;
    model_connected(b->model);
    (void)next_sent(b, CHAT_HELLO);
    refused(b, CHAT_REFUSED_NICK, 0, 0);
    assert_string_equal(model_nick_now(b->model), "alice-2");
    assert_memory_equal(next_sent(b, CHAT_HELLO)->nick.data, "alice-2", 7);
    for (int i = 0; i < 20; i++) {
        refused(b, CHAT_REFUSED_NICK, 0, 0);
    }
    assert_true(b->count < 15); /* it does not go on for ever */
    model_nick(b->model, "carol");
    b->taken = b->count - 1;
    assert_memory_equal(next_sent(b, CHAT_HELLO)->nick.data, "carol", 5);
    bench_free(b);
}

static void who_is_called_opens_the_conversation(void **state)
{
    struct bench *b = bench_new();
    struct chat_packet p = {.type = CHAT_CALLED, .seq = 9, .nick = chat_text("bob")};
    uint8_t own[TERN_KEY_SIZE], other[TERN_KEY_SIZE];
    char name[CHAT_NAME_MAX + 1];
    (void)state;
    memset(own, 1, sizeof own);
    memset(other, 2, sizeof other);
    memcpy(p.key, other, sizeof p.key);
    welcome(b);
    put(b, CHAT_CONTROL, &p);
    put(b, CHAT_CONTROL, &p);
    assert_non_null(next_sent(b, CHAT_OPEN));
    assert_null(next_sent(b, CHAT_OPEN));
    name_private(own, other, name);
    struct model_room *room = model_find(b->model, name);
    assert_non_null(room);
    assert_string_equal(room->title, "bob");
    joined(b, 1, name, 9);
    assert_int_equal(room->channel, 1);
    event(b, 1, 9, 2, 1, "psst"); /* what is not sealed is not shown there */
    assert_int_equal(b->line_count, 0);
    model_lost(b->model);
    b->taken = b->count;
    welcome(b);
    const struct chat_packet *again = next_sent(b, CHAT_OPEN);
    assert_non_null(again);
    assert_int_equal(again->seq, 9);
    assert_memory_equal(again->key, other, sizeof other);
    memcpy(p.key, own, sizeof p.key);
    put(b, CHAT_CONTROL, &p); /* nonsense */
    assert_null(next_sent(b, CHAT_OPEN));
    bench_free(b);
}

static void who_is_put_out_leaves_the_room(void **state)
{
    struct bench *b = bench_new();
    struct chat_packet p = {.type = CHAT_PARTED, .text = chat_text("out")};
    uint8_t other[TERN_KEY_SIZE];
    (void)state;
    welcome(b);
    struct model_room *room = model_join(b->model, "den", CHAT_FLAG_OPEN);
    joined(b, 4, "den", 1);
    memset(other, 2, sizeof other);
    struct chat_packet kick = {.type = CHAT_EVENT,
                               .seq = 2,
                               .kind = CHAT_KIND_KICK,
                               .nick = chat_text("alice"),
                               .body = {other, sizeof other}};
    struct chat_packet caught_up = {.type = CHAT_CAUGHT_UP, .seq = 1};
    put(b, 4, &caught_up);
    put(b, 4, &kick);
    assert_int_equal(room->people_count, 1);
    assert_string_equal(b->lines[0], "alice put out bob");
    kick.seq = 3;
    kick.body.len = 5; /* no key */
    put(b, 4, &kick);
    put(b, 4, &p);
    assert_null(model_find(b->model, "den"));
    assert_int_equal(b->sent[b->count - 1].type, CHAT_LEAVE);
    assert_int_equal(b->channels[b->count - 1], 4);
    event(b, 4, 5, 2, 1, "late");
    bench_free(b);
}

static void a_full_connection_is_filled_again_in_order(void **state)
{
    struct bench *b = bench_new();
    uint64_t id, first = 0;
    (void)state;
    welcome(b);
    struct model_room *room = model_join(b->model, "den", CHAT_FLAG_OPEN);
    joined(b, 1, "den", 1);
    b->taken = b->count;
    b->room = 3;
    for (int i = 0; i < MODEL_UNHEARD; i++) {
        assert_true(model_say(b->model, room, CHAT_KIND_TEXT, "x", 1, &id));
        first = first == 0 ? id : first;
    }
    assert_false(model_say(b->model, room, CHAT_KIND_TEXT, "x", 1, &id));
    b->room = SENT_MAX;
    model_on_writable(b->model);
    for (int i = 0; i < MODEL_UNHEARD; i++) {
        assert_true(next_sent(b, CHAT_SAY)->id == first + (uint64_t)i);
    }
    bench_free(b);
}

static void away_and_questions_reach_the_server(void **state)
{
    struct bench *b = bench_new();
    struct chat_packet p = {.type = CHAT_ROOMS, .room = chat_text("den")};
    (void)state;
    assert_false(model_list(b->model)); /* not connected */
    model_presence(b->model, CHAT_AWAY);
    welcome(b);
    assert_int_equal(next_sent(b, CHAT_STATE)->code, CHAT_AWAY);
    assert_true(model_list(b->model));
    put(b, CHAT_CONTROL, &p);
    assert_int_equal(b->answers, 1);
    struct model_room *room = model_join(b->model, "den", CHAT_FLAG_OPEN);
    assert_false(model_search(b->model, room, "words", 1)); /* it has no seat yet */
    joined(b, 1, "den", 1);
    assert_true(model_search(b->model, room, "words", 1));
    assert_true(model_before(b->model, room, 100, 2));
    assert_true(model_kick(b->model, room, model_person(room, "bob")->key, MODEL_BAN));
    assert_null(model_person(room, "nobody"));
    assert_true(model_invite(b->model));
    bench_free(b);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(what_was_not_heard_is_said_again),
    cmocka_unit_test(repeats_are_shown_once_and_gaps_are_told),
    cmocka_unit_test(words_wait_for_a_full_disk_and_keep_their_order),
    cmocka_unit_test(words_that_are_refused_for_good_are_dropped),
    cmocka_unit_test(a_taken_nick_gets_a_number),
    cmocka_unit_test(who_is_called_opens_the_conversation),
    cmocka_unit_test(who_is_put_out_leaves_the_room),
    cmocka_unit_test(a_full_connection_is_filled_again_in_order),
    cmocka_unit_test(away_and_questions_reach_the_server),
};

TERN_TEST_MAIN(tests)
