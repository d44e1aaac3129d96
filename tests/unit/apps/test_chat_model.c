/* The model of a client: words once and in order over lost connections, and what the server tells.
 * SPDX-License-Identifier: MIT */
#include "chat_server.h"

static void it_says_who_it_is_and_joins(void **state)
{
    (void)state;
    struct model *model = begin_model();
    struct model_room *room = model_join(model, "lobby", CHAT_FLAG_OPEN);
    assert_non_null(room);
    assert_int_equal(sent_count, 0);
    model_connected(model);
    assert_int_equal(sent_packet(0).type, CHAT_HELLO);
    welcome_model(model);
    assert_int_equal(sent_packet(0).type, CHAT_JOIN);
    assert_true(sent_packet(0).seq == CHAT_SINCE_NONE);
    admit(model, 1, "lobby", 5);
    assert_int_equal(room->people_count, 2);
    assert_ptr_equal(model_join(model, "lobby", CHAT_FLAG_OPEN), room);
    assert_null(model_join(model, "no room", CHAT_FLAG_OPEN));
    model_free(model);
}

static void words_are_said_until_they_are_heard(void **state)
{
    (void)state;
    struct model *model = begin_in_lobby();
    struct model_room *room = model_find(model, "lobby");
    uint64_t first, second;
    assert_true(model_say(model, room, CHAT_KIND_TEXT, "one", 3, &first));
    assert_true(model_say(model, room, CHAT_KIND_TEXT, "two", 3, &second));
    assert_true(first != second);
    event(model, 1, 1, CHAT_KIND_TEXT, own_key, first, "one");
    assert_int_equal(heard_count, 1);
    assert_int_equal(model_unheard(model), 1);
    model_lost(model);
    welcome_model(model);
    assert_true(sent_packet(0).type == CHAT_JOIN && sent_packet(0).seq == 1);
    admit(model, 7, "lobby", 2);
    assert_true(sent_packet(0).type == CHAT_SAY && sent_packet(0).id == second);
    assert_int_equal(sents[sent_count - 1].channel, 7);
    event(model, 7, 2, CHAT_KIND_TEXT, own_key, second, "two");
    assert_int_equal(model_unheard(model), 0);
    event(model, 7, 2, CHAT_KIND_TEXT, own_key, second,
          "two"); /* what was here is not shown again */
    assert_int_equal(room->line_count, 2);
    model_free(model);
}

static void a_full_connection_is_waited_for(void **state)
{
    (void)state;
    struct model *model = begin_in_lobby();
    struct model_room *room = model_find(model, "lobby");
    uint64_t id;
    enum line_kind kind;
    struct chat_slice text;
    is_full = true;
    size_t before = sent_count;
    assert_true(model_say(model, room, CHAT_KIND_ACTION, "waits", 5, &id));
    assert_int_equal(sent_count, before);
    assert_true(model_waiting(room, 0, &kind, &text));
    assert_true(kind == LINE_ACTION && text.len == 5);
    assert_false(model_waiting(room, 1, &kind, &text));
    is_full = false;
    model_on_writable(model);
    assert_int_equal(sent_packet(0).type, CHAT_SAY);
    for (size_t i = 1; i < MODEL_UNHEARD; i++) {
        is_full = true;
        assert_true(model_say(model, room, CHAT_KIND_TEXT, "x", 1, &id));
    }
    assert_false(model_say(model, room, CHAT_KIND_TEXT, "x", 1, &id));
    model_free(model);
}

static void what_is_missing_is_told(void **state)
{
    (void)state;
    struct model *model = begin_in_lobby();
    event(model, 1, 1, CHAT_KIND_TEXT, bob_key, 0, "a");
    event(model, 1, 5, CHAT_KIND_TEXT, bob_key, 0, "b");
    struct model_room *room = model_find(model, "lobby");
    assert_int_equal(room->line_count, 3);
    assert_int_equal(room->lines[1]->kind, LINE_GAP);
    assert_non_null(strstr(room->lines[1]->text, "3 events"));
    model_free(model);
}

static void a_server_without_memory_begins_anew(void **state)
{
    (void)state;
    struct model *model = begin_in_lobby();
    struct model_room *room = model_find(model, "lobby");
    event(model, 1, 1, CHAT_KIND_TEXT, bob_key, 0, "a");
    event(model, 1, 2, CHAT_KIND_TEXT, bob_key, 0, "b");
    model_lost(model);
    welcome_model(model);
    admit(model, 1, "lobby", 1);
    event(model, 1, 1, CHAT_KIND_TEXT, bob_key, 0, "after");
    assert_string_equal(room->lines[room->line_count - 1]->text, "after");
    model_free(model);
}

static void only_what_is_new_is_unread(void **state)
{
    (void)state;
    struct model *model = begin_model();
    welcome_model(model);
    struct model_room *room = model_join(model, "lobby", CHAT_FLAG_OPEN);
    admit(model, 1, "lobby", 2);
    event(model, 1, 1, CHAT_KIND_TEXT, bob_key, 0, "old");
    event(model, 1, 2, CHAT_KIND_TEXT, own_key, 9, "my own");
    catch_up(model, 1, 2);
    assert_int_equal(room->unread, 0);
    event(model, 1, 3, CHAT_KIND_TEXT, bob_key, 0, "new");
    event(model, 1, 4, CHAT_KIND_JOIN, bob_key, 0, "");
    assert_int_equal(room->unread, 1);
    model_read(model, room);
    assert_int_equal(room->unread, 0);
    assert_true(sent_packet(0).type == CHAT_READ && sent_packet(0).seq == 4);
    assert_true(sents[sent_count - 1].is_latest);
    model_free(model);
}

/* What is replayed after a lost connection was said to us all the same; and a private conversation begins
 * with a replay of the words for which it was opened. */
static void what_was_missed_is_unread(void **state)
{
    (void)state;
    struct model *model = begin_in_lobby();
    struct model_room *room = model_find(model, "lobby");
    event(model, 1, 1, CHAT_KIND_TEXT, bob_key, 0, "seen");
    model_read(model, room);
    model_lost(model);
    welcome_model(model);
    admit(model, 1, "lobby", 3);
    event(model, 1, 2, CHAT_KIND_TEXT, bob_key, 0, "missed");
    event(model, 1, 3, CHAT_KIND_TEXT, own_key, 0, "my own, from elsewhere");
    catch_up(model, 1, 3);
    assert_int_equal(room->unread, 1);
    const struct line *line = room->lines[1];
    assert_true(line->is_replay && line->is_missed);
    event(model, 1, 4, CHAT_KIND_TEXT, bob_key, 0, "new");
    assert_int_equal(room->unread, 2);
    assert_false(room->lines[3]->is_replay || room->lines[3]->is_missed);
    model_free(model);
}

/* Who came and went before us is not here, though both are told of; who goes while that is told is not, either. */
static void who_left_before_we_came_is_not_here(void **state)
{
    (void)state;
    struct model *model = begin_model();
    uint8_t eve_key[TERN_KEY_SIZE];
    memset(eve_key, 0xee, sizeof eve_key);
    welcome_model(model);
    struct model_room *room = model_join(model, "lobby", CHAT_FLAG_OPEN);
    admit(model, 1, "lobby", 4);
    event(model, 1, 1, CHAT_KIND_JOIN, bob_key, 0, "");
    event(model, 1, 2, CHAT_KIND_JOIN, eve_key, 0, "");
    event(model, 1, 3, CHAT_KIND_LEAVE, eve_key, 0, "");
    event(model, 1, 4, CHAT_KIND_LEAVE, bob_key, 0, ""); /* and is on the list: came again */
    assert_int_equal(room->people_count, 2);
    event(model, 1, 5, CHAT_KIND_JOIN, eve_key, 0, "");
    assert_int_equal(room->people_count, 3);
    event(model, 1, 6, CHAT_KIND_LEAVE, bob_key, 0, "");
    catch_up(model, 1, 6);
    assert_int_equal(room->people_count, 2);
    model_free(model);
}

static void people_come_go_and_type(void **state)
{
    (void)state;
    struct model *model = begin_in_lobby();
    struct model_room *room = model_find(model, "lobby");
    uint8_t list[64];
    struct chat_status s = {.presence = CHAT_AWAY, .is_typing = true, .read = 3};
    memcpy(s.key, bob_key, sizeof s.key);
    struct chat_packet p = {.type = CHAT_STATUS,
                            .body = {list, chat_status_encode(&s, list, sizeof list)}};
    answer(model, 1, &p);
    assert_true(room->people[1].is_typing && room->people[1].presence == CHAT_AWAY);
    p.body.len = 0;
    answer(model, 1, &p);
    assert_true(!room->people[1].is_typing && room->people[1].read == 3);
    event(model, 1, 1, CHAT_KIND_LEAVE, bob_key, 0, "");
    assert_int_equal(room->people_count, 1);
    assert_string_equal(room->lines[0]->text, "bob left");
    model_free(model);
}

/* The status that tells it of everybody comes when it comes, and only the latest counts. */
static void what_we_may_is_known_on_entering(void **state)
{
    (void)state;
    struct model *model = begin_model();
    welcome_model(model);
    struct model_room *room = model_join(model, "lobby", CHAT_FLAG_OPEN);
    admit_with(model, 1, "lobby", 0, CHAT_FLAG_MAY);
    assert_true(model_person(room, "ann")->may);
    assert_false(model_person(room, "bob")->may);
    model_free(model);
    model = begin_in_lobby();
    assert_false(model_person(model_find(model, "lobby"), "ann")->may);
    model_free(model);
}

static void away_is_said_again_after_a_loss(void **state)
{
    (void)state;
    struct model *model = begin_in_lobby();
    model_presence(model, CHAT_AWAY);
    assert_true(sent_packet(0).type == CHAT_STATE && sent_packet(0).code == CHAT_AWAY);
    assert_true(model_is_away(model));
    model_lost(model);
    welcome_model(model);
    assert_true(sent_packet(1).type == CHAT_STATE && sent_packet(1).code == CHAT_AWAY);
    assert_int_equal(sent_packet(0).type, CHAT_JOIN);
    model_free(model);
}

static void a_nick_that_is_taken_can_be_changed(void **state)
{
    (void)state;
    struct model *model = begin_model();
    struct chat_packet p = {
        .type = CHAT_REFUSED, .code = CHAT_REFUSED_NICK, .text = chat_text("somebody has it")};
    model_connected(model);
    answer(model, CHAT_CONTROL, &p);
    assert_int_equal(note_count, 1);
    assert_false(model_is_welcome(model));
    model_nick(model, "anna");
    assert_true(sent_packet(0).type == CHAT_HELLO && sent_packet(0).nick.len == 4);
    model_nick(model, "not a nick");
    assert_int_equal(note_count, 2);
    model_free(model);
}

static void rooms_end(void **state)
{
    (void)state;
    struct model *model = begin_in_lobby();
    struct model_room *other = model_join(model, "secret", CHAT_FLAG_OPEN);
    struct chat_packet refused = {.type = CHAT_REFUSED,
                                  .code = CHAT_REFUSED_BANNED,
                                  .room = chat_text("secret"),
                                  .text = chat_text("no \x1b[2J")};
    struct chat_packet parted = {.type = CHAT_PARTED, .text = chat_text("go")};
    assert_non_null(other);
    answer(model, CHAT_CONTROL, &refused);
    assert_null(model_find(model, "secret"));
    assert_int_equal(left_count, 1);
    assert_non_null(strstr(notes[0], "\\x1b")); /* what a server says is safe to print */
    answer(model, 1, &parted);
    assert_null(model_find(model, "lobby"));
    assert_int_equal(left_count, 2);
    assert_int_equal(sent_packet(0).type, CHAT_LEAVE); /* the channel is free */
    model_free(model);
}

/* However full the connection is: the seat goes, and the word that frees it follows. */
static void who_is_put_out_while_all_is_full_is_out(void **state)
{
    (void)state;
    struct model *model = begin_in_lobby();
    struct chat_packet parted = {.type = CHAT_PARTED, .text = chat_text("go")};
    is_full = true;
    size_t before = sent_count;
    answer(model, 1, &parted);
    assert_null(model_find(model, "lobby"));
    assert_int_equal(left_count, 1);
    assert_int_equal(sent_count, before);
    is_full = false;
    model_on_writable(model);
    assert_int_equal(sent_packet(0).type, CHAT_LEAVE);
    assert_int_equal(sents[sent_count - 1].channel, 1);
    before = sent_count;
    model_on_writable(model);
    assert_int_equal(sent_count, before); /* once */
    is_full = true;
    admit(model, 5, "gone", 9); /* the same for what is not wished any more ... */
    model_lost(model);
    is_full = false;
    welcome_model(model);
    before = sent_count;
    model_on_writable(model);
    assert_int_equal(sent_count, before); /* ... but not on another connection */
    model_free(model);
}

/* Whoever calls with a hundred keys does not take the rooms that the person wishes. */
static void strangers_who_call_leave_room(void **state)
{
    (void)state;
    struct model *model = begin_in_lobby();
    struct chat_packet p = {.type = CHAT_CALLED, .seq = 9, .nick = chat_text("someone")};
    uint64_t id;
    for (uint8_t i = 0; i < 100; i++) {
        memset(p.key, 100 + i, sizeof p.key);
        answer(model, CHAT_CONTROL, &p);
    }
    size_t rooms = 0;
    while (model_room_at(model, rooms) != NULL) {
        rooms++;
    }
    assert_int_equal(rooms, 1 + MODEL_CALLS);
    size_t told = note_count;
    answer(model, CHAT_CONTROL, &p);
    assert_int_equal(note_count, told); /* not with each of their words */
    assert_true(told > 0 && strstr(notes[told - 1], "/msg someone") != NULL);
    for (unsigned i = 0; i < 20; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "mine%u", i);
        assert_non_null(model_join(model, name, 0));
    }
    assert_true(model_say(model, model_room_at(model, 1), CHAT_KIND_TEXT, "yes?", 4, &id));
    answer(model, CHAT_CONTROL,
           &p); /* one of them is no stranger any more: there is room for one */
    assert_non_null(model_room_at(model, rooms + 20));
    memset(p.key, 2, sizeof p.key); /* bob, whom we know */
    assert_true(model_verified(model, bob_key, true));
    memcpy(p.key, bob_key, sizeof p.key);
    answer(model, CHAT_CONTROL, &p);
    assert_non_null(model_room_at(model, rooms + 21));
    model_free(model);
}

/* The answer to a wish that is no more: the server must not keep the seat. */
static void who_left_before_they_were_in_leaves(void **state)
{
    (void)state;
    struct model *model = begin_in_lobby();
    struct model_room *room = model_join(model, "den", 0);
    assert_non_null(room);
    assert_true(model_leave(model, room));
    admit(model, 3, "den", 9);
    assert_null(model_find(model, "den"));
    assert_int_equal(sent_packet(0).type, CHAT_LEAVE);
    assert_int_equal(sents[sent_count - 1].channel, 3);
    model_free(model);
}

static void lines_are_bounded(void **state)
{
    (void)state;
    struct model *model = begin_in_lobby();
    struct model_room *room = model_find(model, "lobby");
    for (uint64_t seq = 1; seq <= MODEL_LINES + 10; seq++) {
        event(model, 1, seq, CHAT_KIND_TEXT, bob_key, 0, "x");
    }
    assert_int_equal(room->line_count, MODEL_LINES + 10);
    assert_int_equal(room->lines[0]->seq, MODEL_LINES + 1);
    model_note(model, NULL, "for the console");
    assert_int_equal(model_console(model)->line_count, 1);
    assert_int_equal(room->line_count, MODEL_LINES + 10);
    model_free(model);
}

/* Whatever a server sends: no packet of a few octets, in any order, on any channel, does harm. */
static void any_packets_do_no_harm(void **state)
{
    (void)state;
    struct model *model = begin_in_lobby();
    uint32_t seed = 7;
    for (int i = 0; i < TERN_TEST_TIMES(200000); i++) {
        uint8_t data[80];
        size_t len = 0;
        for (; len < sizeof data; len++) {
            seed = seed * 1664525u + 1013904223u;
            data[len] = (uint8_t)(seed >> 24);
        }
        data[0] = (uint8_t)(64 + (seed >> 9) % 35);
        sent_count = 0;
        model_receive(model, (uint16_t)((seed >> 4) % 3), data, seed >> 5 & 63);
    }
    model_free(model);
}

static void an_offer_is_a_line_and_no_words(void **state)
{
    uint8_t body[OFFER_BODY_MAX];
    struct offer offer = {.size = 1500, .name = "tree.jpg"};
    struct chat_packet p = {.type = CHAT_EVENT, .seq = 1, .kind = CHAT_KIND_FILE};
    enum line_kind kind;
    struct chat_slice text;
    uint64_t id;
    (void)state;
    struct model *model = begin_in_lobby();
    struct model_room *room = model_find(model, "lobby");
    p.body = (struct chat_slice){body, offer_encode(&offer, body, sizeof body)};
    p.nick = chat_text("bob");
    memcpy(p.key, bob_key, sizeof p.key);
    answer(model, 1, &p);
    assert_int_equal(room->lines[0]->kind, LINE_FILE);
    assert_string_equal(room->lines[0]->text, "offers tree.jpg (1.5 kB)"); /* nobody keeps files */
    assert_int_equal(room->unread, 1);
    p.seq = 2;
    p.body.len = 3;
    answer(model, 1, &p);
    assert_int_equal(room->lines[1]->kind, LINE_FILE);
    assert_int_equal(room->lines[1]->file, 0);
    /* Of ours that is on its way nobody sees the key. */
    assert_true(model_say(model, room, CHAT_KIND_FILE, body, sizeof body, &id));
    assert_true(model_waiting(room, 0, &kind, &text));
    assert_int_equal(kind, LINE_FILE);
    assert_memory_equal(text.data, "offers a file", text.len);
    model_free(model);
}

/* A question that was refused has nothing to do with words, nor has a fetch. */
static void what_is_refused_is_told_by_its_number(void **state)
{
    struct chat_packet p = {.type = CHAT_REFUSED, .code = CHAT_REFUSED_HISTORY, .channel = 1};
    uint64_t id;
    (void)state;
    struct model *model = begin_in_lobby();
    struct model_room *room = model_find(model, "lobby");
    assert_true(model_say(model, room, CHAT_KIND_TEXT, "words", 5, &id));
    p.id = id;
    answer(model, CHAT_CONTROL, &p);
    assert_true(room->is_held);
    p.id = 1;
    p.code = CHAT_REFUSED_RIGHT;
    answer(model, CHAT_CONTROL, &p);
    assert_true(room->is_held);
    assert_int_equal(answer_count, 0);
    p.id = MODEL_FETCH;
    answer(model, CHAT_CONTROL, &p);
    assert_int_equal(answer_count, 1);
    assert_true(room->is_held);
    assert_true(model_fetch(model, room, MODEL_FETCH, 5, 65536));
    p = sent_packet(0);
    assert_true(p.type == CHAT_FETCH && p.channel == 1 && p.seq == 5 && p.offset == 65536);
    assert_true(model_deny(model, 77, CHAT_STOP_GONE));
    p = sent_packet(0);
    assert_true(p.type == CHAT_DENY && p.id == 77 && p.code == CHAT_STOP_GONE);
    model_free(model);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(an_offer_is_a_line_and_no_words),
    cmocka_unit_test(what_is_refused_is_told_by_its_number),
    cmocka_unit_test(it_says_who_it_is_and_joins),
    cmocka_unit_test(words_are_said_until_they_are_heard),
    cmocka_unit_test(a_full_connection_is_waited_for),
    cmocka_unit_test(what_is_missing_is_told),
    cmocka_unit_test(a_server_without_memory_begins_anew),
    cmocka_unit_test(only_what_is_new_is_unread),
    cmocka_unit_test(what_was_missed_is_unread),
    cmocka_unit_test(who_left_before_we_came_is_not_here),
    cmocka_unit_test(people_come_go_and_type),
    cmocka_unit_test(what_we_may_is_known_on_entering),
    cmocka_unit_test(away_is_said_again_after_a_loss),
    cmocka_unit_test(a_nick_that_is_taken_can_be_changed),
    cmocka_unit_test(rooms_end),
    cmocka_unit_test(who_left_before_they_were_in_leaves),
    cmocka_unit_test(who_is_put_out_while_all_is_full_is_out),
    cmocka_unit_test(strangers_who_call_leave_room),
    cmocka_unit_test(lines_are_bounded),
    cmocka_unit_test(any_packets_do_no_harm),
};
TERN_TEST_MAIN(tests)
