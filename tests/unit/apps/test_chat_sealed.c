/* Several clients in a sealed room, over a real server that does as it should, or lies.
 * SPDX-License-Identifier: MIT */
#include <sodium.h>

#include <unistd.h>

#include "chat_kit.h"
#include "ternchat/memory.h"
#include "ternchat/model_seal.h"
#include "ternchat/name.h"

#define LINES 2048

struct program {
    struct kit_client *conn; /* NULL: not connected */
    struct model *model;
    uint8_t secret[TERN_KEY_SIZE], key[TERN_KEY_SIZE];
    char nick[16];
    struct {
        enum line_kind kind;
        char nick[CHAT_NAME_MAX + 1], text[300];
    } lines[LINES];
    size_t line_count, read;
    size_t refused, heard;
    char note[300];
    size_t room;         /* packets that leave now */
    char found[60][200]; /* what was asked for */
    size_t found_count;
    struct memory *memory;
    unsigned sealed, plain; /* words that left sealed, and those that did not */
};

static struct kit kit;
static struct program *programs[8];
static size_t program_count;

static bool on_send(void *user, uint16_t channel, const uint8_t *data, size_t len, bool is_latest)
{
    struct program *p = user;
    struct chat_packet packet;
    (void)is_latest;
    if (p->room == 0) {
        return false;
    }
    p->room--;
    assert_true(chat_decode(&packet, data, len));
    if (packet.type == CHAT_SAY) {
        bool is_sealed = packet.body.len > 0 && packet.body.data[0] < 4;
        p->sealed += is_sealed ? 1 : 0;
        p->plain += is_sealed ? 0 : 1;
    }
    hub_receive(p->conn->session, channel, data, len, kit.now);
    return true;
}

static void on_line(void *user, struct model_room *room, const struct line *line)
{
    struct program *p = user;
    (void)room;
    assert_true(p->line_count < LINES);
    p->lines[p->line_count].kind = line->kind;
    memcpy(p->lines[p->line_count].nick, line->nick, sizeof line->nick);
    (void)snprintf(p->lines[p->line_count++].text, 300, "%s", line->text);
}

static void on_note(void *user, const char *text)
{
    struct program *p = user;
    (void)snprintf(p->note, sizeof p->note, "%s", text);
}

static void on_room(void *user, struct model_room *room)
{
    (void)user;
    (void)room;
}

static void on_heard(void *user, struct model_room *room, uint64_t id)
{
    struct program *p = user;
    (void)room;
    (void)id;
    p->heard++;
}

static void on_refused(void *user, struct model_room *room, uint64_t id)
{
    struct program *p = user;
    (void)room;
    (void)id;
    p->refused++;
}

static void on_answer(void *user, const struct chat_packet *packet)
{
    struct program *p = user;
    assert_true(p->found_count < 60);
    (void)snprintf(p->found[p->found_count++], 200, "%.*s %.*s", (int)packet->nick.len,
                   packet->nick.len == 0 ? "" : (const char *)packet->nick.data,
                   (int)packet->body.len,
                   packet->body.len == 0 ? "" : (const char *)packet->body.data);
}

static struct program *start(uint8_t person, const char *nick)
{
    struct program *p = calloc(1, sizeof *p);
    assert_non_null(p);
    struct model_front front = {.user = p,
                                .send = on_send,
                                .on_line = on_line,
                                .on_note = on_note,
                                .on_joined = on_room,
                                .on_heard = on_heard,
                                .on_refused = on_refused,
                                .on_answer = on_answer,
                                .on_left = on_room};
    memset(p->secret, person, sizeof p->secret);
    (void)crypto_scalarmult_base(p->key, p->secret);
    (void)snprintf(p->nick, sizeof p->nick, "%s", nick);
    p->room = SIZE_MAX;
    p->model = model_new(&front, nick);
    assert_non_null(p->model);
    model_identify(p->model, p->secret);
    programs[program_count++] = p;
    return p;
}

/* Another server in its place, which knows nobody. */
static void kit_restart(void)
{
    char why[HUB_WHY_SIZE];
    hub_free(kit.hub);
    kit.wall += 1000;
    kit.hub = kit_hub(&kit, NULL, 0, 0, why);
    assert_non_null(kit.hub);
}

/* What the server has sent, until nobody has anything to say to it. */
static bool pump(struct program *p)
{
    struct kit_client *c = p->conn;
    bool is_any = false;
    while (c != NULL && c->taken < c->count) {
        size_t i = c->taken++;
        model_receive(p->model, c->packets[i].channel, c->packets[i].data, c->packets[i].len);
        is_any = true;
    }
    return is_any;
}

static void settle(void)
{
    bool is_any = true;
    while (is_any) {
        is_any = false;
        for (size_t i = 0; i < program_count; i++) {
            is_any = pump(programs[i]) || is_any;
        }
    }
}

static void connect_program(struct program *p)
{
    p->conn = calloc(1, sizeof *p->conn);
    assert_non_null(p->conn);
    p->conn->kit = &kit;
    p->conn->room = KIT_PACKETS;
    memcpy(p->conn->key, p->key, sizeof p->key);
    p->conn->session = hub_came(kit.hub, p->conn, p->key, kit.now);
    assert_non_null(p->conn->session);
    model_connected(p->model);
}

static void lose(struct program *p, bool is_bye)
{
    kit_go(p->conn, is_bye);
    p->conn = NULL;
    model_lost(p->model);
}

static void tick(unsigned count)
{
    while (count-- > 0) {
        for (size_t i = 0; i < program_count; i++) {
            model_retry(programs[i]->model);
        }
        settle();
    }
}

static char folder[] = "/tmp/tern-sealed.XXXXXX";

/* With a memory: what was there at the last start is there again. */
static struct program *start_with_memory(uint8_t person, const char *nick)
{
    static char about[MEMORY_WHY_SIZE];
    char path[100];
    if (!memory_is_built_in()) {
        skip();
    }
    struct program *p = start(person, nick);
    (void)snprintf(path, sizeof path, "%s/%s.db", folder, nick);
    p->memory = memory_open(path, about);
    assert_string_equal(about, "");
    assert_non_null(p->memory);
    model_remember(p->model, p->memory, 100);
    return p;
}

static void finish(struct program *p, bool is_bye)
{
    if (p->conn != NULL) {
        lose(p, is_bye);
    }
    assert_int_equal(p->plain, 0);
    model_free(p->model);
    memory_close(p->memory);
    free(p);
}

/* The program is gone, the server thinks that the network has lost it, and it starts again. */
static struct program *restart(struct program *p)
{
    uint8_t person = p->secret[0];
    char nick[16];
    size_t i = 0;
    memcpy(nick, p->nick, sizeof nick);
    while (programs[i] != p) {
        i++;
    }
    programs[i] = programs[--program_count];
    finish(p, false);
    return start_with_memory(person, nick);
}

static struct program *come(uint8_t person, const char *nick, const char *room)
{
    struct program *p = start(person, nick);
    connect_program(p);
    settle();
    assert_non_null(model_join(p->model, room, 0));
    settle();
    return p;
}

static void say_in(struct program *p, struct model_room *room, const char *text)
{
    uint64_t id;
    assert_true(model_say(p->model, room, CHAT_KIND_TEXT, text, strlen(text), &id));
}

static void say(struct program *p, const char *text)
{
    say_in(p, model_room_at(p->model, 0), text);
}

/* The next line of that sort; "" at the end. */
static const char *next(struct program *p, enum line_kind kind)
{
    while (p->read < p->line_count) {
        size_t i = p->read++;
        if (p->lines[i].kind == kind) {
            return p->lines[i].text;
        }
    }
    return "";
}

static const char *next_words(struct program *p)
{
    return next(p, LINE_TEXT);
}

static bool has_line(const struct program *p, enum line_kind kind, const char *part)
{
    for (size_t i = 0; i < p->line_count; i++) {
        if (p->lines[i].kind == kind && strstr(p->lines[i].text, part) != NULL) {
            return true;
        }
    }
    return false;
}

static int begin(void **state)
{
    (void)state;
    program_count = 0;
    assert_true(sodium_init() >= 0);
    kit_open(&kit, NULL);
    return 0;
}

static int end(void **state)
{
    (void)state;
    for (size_t i = 0; i < program_count; i++) {
        finish(programs[i], true);
    }
    hub_free(kit.hub);
    return 0;
}

/* --- as it should be ---------------------------------------------------------------------------------- */

static void members_read_each_other(void **state)
{
    (void)state;
    struct program *ann = come(1, "ann", "den"), *bob = come(2, "bob", "den"),
                   *eve = come(3, "eve", "den");
    say(ann, "one");
    settle();
    say(bob, "two");
    say(bob, "three");
    settle();
    say(eve, "four");
    settle();
    struct program *all[] = {ann, bob, eve};
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(next_words(all[i]), "one");
        assert_string_equal(next_words(all[i]), "two");
        assert_string_equal(next_words(all[i]), "three");
        assert_string_equal(next_words(all[i]), "four");
        assert_string_equal(next_words(all[i]), "");
        assert_int_equal(model_unheard(all[i]->model), 0);
    }
    assert_int_equal(ann->sealed, 2); /* KEYS once, and the word */
    assert_int_equal(bob->sealed, 3);
}

static void what_waits_is_shown_as_it_was_typed(void **state)
{
    enum line_kind kind;
    struct chat_slice text;
    (void)state;
    struct program *ann = come(1, "ann", "den");
    ann->room = 0;
    say(ann, "on its way");
    assert_true(model_waiting(model_room_at(ann->model, 0), 0, &kind, &text));
    assert_int_equal(kind, LINE_TEXT);
    assert_int_equal(text.len, 10);
    assert_memory_equal(text.data, "on its way", 10);
    assert_false(model_waiting(model_room_at(ann->model, 0), 1, &kind, &text));
    ann->room = SIZE_MAX;
    model_on_writable(ann->model);
    settle();
    assert_string_equal(next_words(ann), "on its way");
}

static void a_newcomer_reads_from_now_on(void **state)
{
    (void)state;
    struct program *ann = come(1, "ann", "den"), *bob = come(2, "bob", "den");
    say(ann, "before");
    say(bob, "before that, too");
    settle();
    struct program *eve = come(3, "eve", "den");
    assert_true(has_line(eve, LINE_NOTE, "2 words were said here before you came"));
    say(ann, "after");
    settle();
    assert_string_equal(next_words(eve), "after");
    assert_false(has_line(eve, LINE_GAP, ""));
}

/* The word leaves before its writer knows that somebody has come, and gets its place behind that. */
static void words_that_cross_a_coming_are_read(void **state)
{
    (void)state;
    struct program *ann = come(1, "ann", "den"), *bob = come(2, "bob", "den");
    say(ann, "before");
    settle();
    struct program *eve = start(3, "eve");
    connect_program(eve);
    (void)pump(eve);
    assert_non_null(model_join(eve->model, "den", 0));
    say(ann, "crossing"); /* ann has not been told of eve yet */
    (void)pump(eve);
    assert_string_equal(next_words(eve), "");
    settle();
    assert_string_equal(next_words(eve), "crossing");
    assert_string_equal(next_words(eve), "");
    (void)next_words(bob);
    assert_string_equal(next_words(bob), "crossing");
}

static void who_leaves_is_given_no_more(void **state)
{
    (void)state;
    struct program *ann = come(1, "ann", "den"), *bob = come(2, "bob", "den"),
                   *eve = come(3, "eve", "den");
    say(ann, "all");
    settle();
    const struct room_seal *s = model_room_at(ann->model, 0)->seal;
    assert_true(seal_is_reader(s->seal, eve->key));
    lose(eve, true);
    settle();
    assert_false(seal_has_chain(s->seal));
    say(ann, "without eve");
    settle();
    assert_false(seal_is_reader(s->seal, eve->key));
    assert_true(seal_is_reader(s->seal, bob->key));
    (void)next_words(bob);
    assert_string_equal(next_words(bob), "without eve");
    connect_program(eve); /* with what she knew before */
    settle();
    assert_false(has_line(eve, LINE_TEXT, "without eve"));
    tick(HELD_TICKS + 1);
    assert_true(has_line(eve, LINE_NOTE, "1 word of ann cannot be read"));
    say(ann, "with eve again");
    settle();
    assert_true(has_line(eve, LINE_TEXT, "with eve again"));
}

static void who_is_put_out_is_given_no_more(void **state)
{
    (void)state;
    struct program *ann = come(1, "ann", "den"), *bob = come(2, "bob", "den"),
                   *eve = come(3, "eve", "den");
    say(bob, "all");
    settle();
    assert_true(model_kick(ann->model, model_room_at(ann->model, 0), eve->key, MODEL_BAN));
    settle();
    assert_null(model_room_at(eve->model, 0));
    say(bob, "without eve");
    settle();
    assert_false(seal_is_reader(model_room_at(bob->model, 0)->seal->seal, eve->key));
    (void)next_words(ann);
    assert_string_equal(next_words(ann), "without eve");
}

static void a_lost_connection_loses_no_keys(void **state)
{
    (void)state;
    struct program *ann = come(1, "ann", "den"), *bob = come(2, "bob", "den");
    say(ann, "one");
    settle();
    lose(bob, false);
    say(ann, "two");
    say(bob, "three"); /* while there is nobody to tell it to */
    settle();
    struct program *eve = come(3, "eve", "den"); /* she comes before bob's word */
    connect_program(bob);
    settle();
    for (size_t i = 0; i < 2; i++) {
        struct program *p = i == 0 ? ann : bob;
        assert_string_equal(next_words(p), "one");
        assert_string_equal(next_words(p), "two");
        assert_string_equal(next_words(p), "three");
        assert_string_equal(next_words(p), "");
        assert_false(has_line(p, LINE_GAP, "") || has_line(p, LINE_WARNING, ""));
    }
    assert_string_equal(next_words(eve), "three");
    lose(ann, false);
    struct program *dan = come(4, "dan", "den");
    say(eve, "four"); /* a new chain's? no: dan is given the same */
    settle();
    assert_string_equal(next_words(dan), "four");
    connect_program(ann);
    settle();
    assert_string_equal(next_words(ann), "four");
    say(ann, "five");
    settle();
    assert_string_equal(next_words(dan), "five");
}

/* The server has them, but its answer is lost with the connection. */
static void words_that_were_not_heard_are_once_there(void **state)
{
    (void)state;
    struct program *ann = come(1, "ann", "den"), *bob = come(2, "bob", "den");
    say(ann, "one");
    say(ann, "two");
    lose(ann, false);
    settle();
    assert_int_equal(model_unheard(ann->model), 2);
    connect_program(ann);
    settle();
    assert_int_equal(model_unheard(ann->model), 0);
    say(ann, "three");
    settle();
    for (size_t i = 0; i < 2; i++) {
        struct program *p = i == 0 ? ann : bob;
        assert_string_equal(next_words(p), "one");
        assert_string_equal(next_words(p), "two");
        assert_string_equal(next_words(p), "three");
        assert_string_equal(next_words(p), "");
        assert_false(has_line(p, LINE_GAP, "") || has_line(p, LINE_WARNING, ""));
    }
}

/* Another program of somebody who is there already: nobody sees them come. */
static void a_second_program_asks_for_keys(void **state)
{
    (void)state;
    struct program *ann = come(1, "ann", "den"), *bob = come(2, "bob", "den");
    say(bob, "early");
    settle();
    struct program *again = come(1, "ann", "den");
    tick(1); /* it asks */
    say(bob, "later");
    say(ann, "by the first");
    settle();
    assert_true(has_line(again, LINE_TEXT, "later"));
    assert_true(has_line(again, LINE_TEXT, "by the first")); /* our own words, too */
    say(again, "by the second");
    settle();
    assert_true(has_line(ann, LINE_TEXT, "by the second"));
    assert_true(has_line(bob, LINE_TEXT, "by the second"));
    unsigned sealed = bob->sealed;
    tick(50); /* who can read everything asks no more */
    assert_int_equal(bob->sealed, sealed);
}

static struct model_room *open_with(struct program *p, const struct program *other)
{
    struct model_room *room = model_open(p->model, other->key, other->nick);
    assert_non_null(room);
    return room;
}

static void two_talk_alone(void **state)
{
    (void)state;
    struct program *ann = come(1, "ann", "den"), *bob = come(2, "bob", "den");
    say_in(ann, open_with(ann, bob), "psst");
    settle(); /* bob is called, and opens it */
    assert_true(has_line(bob, LINE_TEXT, "psst"));
    say_in(bob, open_with(bob, ann), "yes?");
    settle();
    assert_true(has_line(ann, LINE_TEXT, "yes?"));
    assert_int_equal(seal_chains(open_with(ann, bob)->seal->seal), 1);
}

static void who_was_away_reads_the_end_of_a_private_talk(void **state)
{
    char text[32];
    (void)state;
    struct program *ann = come(1, "ann", "den"), *bob = come(2, "bob", "den");
    lose(bob, false);
    struct model_room *room = open_with(ann, bob);
    for (unsigned i = 0; i < 300; i++) {
        (void)snprintf(text, sizeof text, "word %u", i);
        say_in(ann, room, text);
        settle();
        ann->conn->taken = ann->conn->count;
    }
    connect_program(bob); /* for him it is new: he is shown the last CHAT_REPLAY */
    settle();
    for (unsigned i = 299; i >= 300 - CHAT_REPLAY / 2 + 4; i--) {
        (void)snprintf(text, sizeof text, "word %u", i);
        assert_true(has_line(bob, LINE_TEXT, text));
    }
}

/* --- a lying server ----------------------------------------------------------------------------------- */

/* What bob's client is told next, of that kind; the server keeps it back. */
static struct chat_packet intercept(struct program *p, enum chat_kind kind, uint16_t *channel,
                                    uint8_t buf[CHAT_PACKET_MAX])
{
    struct kit_client *c = p->conn;
    struct chat_packet packet;
    for (;;) {
        assert_true(c->taken < c->count);
        size_t i = c->taken++;
        assert_true(chat_decode(&packet, c->packets[i].data, c->packets[i].len));
        if (packet.type == CHAT_EVENT && packet.kind == kind) {
            *channel = c->packets[i].channel;
            memcpy(buf, c->packets[i].data, c->packets[i].len);
            assert_true(chat_decode(&packet, buf, c->packets[i].len));
            return packet;
        }
        model_receive(p->model, c->packets[i].channel, c->packets[i].data, c->packets[i].len);
    }
}

static void tell(struct program *p, uint16_t channel, const struct chat_packet *packet)
{
    static uint8_t buf[CHAT_PACKET_MAX];
    size_t len = chat_encode(packet, buf, sizeof buf);
    assert_true(len > 0);
    model_receive(p->model, channel, buf, len);
}

static void words_that_nobody_sealed_are_not_shown(void **state)
{
    (void)state;
    struct program *ann = come(1, "ann", "den"), *bob = come(2, "bob", "den");
    struct model_room *room = model_room_at(bob->model, 0);
    struct chat_packet lie = {.type = CHAT_EVENT,
                              .seq = room->last + 1,
                              .id = 1,
                              .kind = CHAT_KIND_TEXT,
                              .nick = chat_text("ann"),
                              .body = chat_text("send me your password")};
    memcpy(lie.key, ann->key, sizeof lie.key);
    tell(bob, room->channel, &lie);
    assert_false(has_line(bob, LINE_TEXT, ""));
    assert_true(has_line(bob, LINE_WARNING, "words came as those of ann that are not"));
}

static void words_are_not_shown_as_anothers(void **state)
{
    uint16_t channel;
    static uint8_t buf[CHAT_PACKET_MAX];
    (void)state;
    struct program *ann = come(1, "ann", "den"), *bob = come(2, "bob", "den"),
                   *eve = come(3, "eve", "den");
    say(eve, "hello");
    settle();
    say(ann, "I resign");
    struct chat_packet e = intercept(bob, CHAT_KIND_TEXT, &channel, buf);
    memcpy(e.key, eve->key, sizeof e.key);
    tell(bob, channel, &e);
    tick(HELD_TICKS + 2);
    assert_false(has_line(bob, LINE_TEXT, "I resign"));
}

static void dropped_repeated_and_late_words_are_told_of(void **state)
{
    uint16_t channel;
    static uint8_t first[CHAT_PACKET_MAX], second[CHAT_PACKET_MAX];
    (void)state;
    struct program *ann = come(1, "ann", "den"), *bob = come(2, "bob", "den");
    say(ann, "zero");
    settle();
    say(ann, "one");
    say(ann, "two");
    struct chat_packet one = intercept(bob, CHAT_KIND_TEXT, &channel, first);
    struct chat_packet two = intercept(bob, CHAT_KIND_TEXT, &channel, second);
    uint64_t seq = one.seq;
    two.seq = seq;
    tell(bob, channel, &two);
    assert_true(has_line(bob, LINE_GAP, "1 word of ann did not come"));
    one.seq = seq + 1;
    tell(bob, channel, &one);
    assert_true(has_line(bob, LINE_WARNING, "these words of ann late"));
    assert_true(has_line(bob, LINE_TEXT, "one"));
    two.seq = seq + 2;
    tell(bob, channel, &two);
    assert_true(has_line(bob, LINE_WARNING, "words of ann again: not shown"));
    bob->read = 0;
    assert_string_equal(next_words(bob), "zero");
    assert_string_equal(next_words(bob), "two");
    assert_string_equal(next_words(bob), "one");
    assert_string_equal(next_words(bob), "");
}

static void a_sealed_room_does_not_become_an_open_one(void **state)
{
    (void)state;
    struct program *ann = come(1, "ann", "den");
    struct model_room *room = model_room_at(ann->model, 0);
    struct chat_packet lie = {
        .type = CHAT_JOINED, .flags = CHAT_FLAG_OPEN, .seq = room->last, .room = chat_text("den")};
    lose(ann, false);
    say(ann, "secret");
    connect_program(ann);
    (void)pump(ann);
    model_lost(ann->model);
    model_connected(ann->model);
    struct chat_packet welcome = {.type = CHAT_WELCOME, .version = 1, .nick = chat_text("ann")};
    tell(ann, CHAT_CONTROL, &welcome);
    tell(ann, 9, &lie);
    assert_null(model_room_at(ann->model, 0));
    assert_non_null(strstr(ann->note, "WARNING"));
    assert_int_equal(ann->plain, 0);
}

static void words_for_a_sealed_room_do_not_go_to_an_open_one(void **state)
{
    (void)state;
    struct program *bob = start(2, "bob"), *ann = start(1, "ann");
    connect_program(bob);
    settle();
    assert_non_null(model_join(bob->model, "wide", CHAT_FLAG_OPEN));
    settle();
    assert_non_null(model_join(ann->model, "wide", 0));
    say(ann, "nobody is to read this");
    connect_program(ann);
    settle();
    assert_int_equal(ann->refused, 1);
    assert_int_equal(ann->plain, 0);
    assert_true(has_line(ann, LINE_NOTE, "this room is open"));
    assert_false(has_line(bob, LINE_TEXT, ""));
}

static void a_stranger_in_the_list_is_seen(void **state)
{
    uint8_t list[512];
    (void)state;
    struct program *ann = come(1, "ann", "den"), *bob = come(2, "bob", "den");
    struct model_room *room = model_room_at(ann->model, 0);
    say(ann, "one");
    settle();
    uint16_t channel = room->channel;
    model_lost(ann->model);
    struct program *eve = start(3, "eve");
    struct program *in[] = {ann, bob, eve};
    size_t used = 0;
    for (size_t i = 0; i < 3; i++) {
        struct chat_member m = {.nick = chat_text(in[i]->nick)};
        memcpy(m.key, in[i]->key, sizeof m.key);
        used += chat_member_encode(&m, list + used, sizeof list - used);
    }
    struct chat_packet welcome = {.type = CHAT_WELCOME, .version = 1, .nick = chat_text("ann")};
    struct chat_packet joined = {
        .type = CHAT_JOINED, .seq = room->last, .room = chat_text("den"), .body = {list, used}};
    struct chat_packet caught_up = {.type = CHAT_CAUGHT_UP, .seq = room->last};
    ann->room = 0;
    model_connected(ann->model);
    tell(ann, CHAT_CONTROL, &welcome);
    tell(ann, channel, &joined);
    tell(ann, channel, &caught_up);
    assert_true(has_line(ann, LINE_NOTE, "eve is here"));
    assert_false(has_line(ann, LINE_NOTE, "bob is here"));
    /* Nor is somebody who is named and not there, a reader. */
    uint8_t dan[TERN_KEY_SIZE];
    memset(dan, 4, sizeof dan);
    struct chat_packet named = {.type = CHAT_EVENT,
                                .seq = room->last + 1,
                                .kind = CHAT_KIND_NICK,
                                .nick = chat_text("dan"),
                                .body = chat_text("somebody")};
    memcpy(named.key, dan, sizeof named.key);
    tell(ann, channel, &named);
    assert_null(model_person(room, "dan"));
}

static void a_private_room_has_two_readers_whatever_is_said(void **state)
{
    (void)state;
    struct program *ann = come(1, "ann", "den"), *bob = come(2, "bob", "den"),
                   *eve = come(3, "eve", "den");
    struct model_room *room = open_with(ann, bob);
    settle();
    struct chat_packet lie = {.type = CHAT_EVENT,
                              .seq = room->last + 1,
                              .kind = CHAT_KIND_JOIN,
                              .nick = chat_text("eve")};
    memcpy(lie.key, eve->key, sizeof lie.key);
    tell(ann, room->channel, &lie);
    say_in(ann, room, "psst");
    assert_true(seal_is_reader(room->seal->seal, bob->key));
    assert_false(seal_is_reader(room->seal->seal, eve->key));
}

static void who_has_not_come_gets_no_keys_by_asking(void **state)
{
    uint8_t body[1];
    (void)state;
    struct program *ann = come(1, "ann", "den"), *bob = come(2, "bob", "den");
    struct program *eve = start(3, "eve");
    say(ann, "one");
    settle();
    (void)bob;
    struct model_room *room = model_room_at(ann->model, 0);
    struct chat_packet lie = {.type = CHAT_EVENT,
                              .seq = room->last + 1,
                              .id = 77,
                              .kind = CHAT_KIND_KEYS,
                              .nick = chat_text("bob"),
                              .body = {body, seal_ask(body, sizeof body)}};
    memcpy(lie.key, eve->key, sizeof lie.key);
    tell(ann, room->channel, &lie);
    say(ann, "two");
    assert_false(seal_is_reader(room->seal->seal, eve->key));
}

static void we_are_who_we_are_whatever_the_server_says(void **state)
{
    (void)state;
    struct program *ann = start(1, "ann"), *eve = start(3, "eve");
    struct chat_packet welcome = {.type = CHAT_WELCOME, .version = 1, .nick = chat_text("ann")};
    char ours[WORDS_SIZE], theirs[WORDS_SIZE];
    memcpy(welcome.key, eve->key, sizeof welcome.key);
    ann->room = 0;
    model_connected(ann->model);
    tell(ann, CHAT_CONTROL, &welcome);
    assert_true(model_words(ann->model, eve->key, ours));
    assert_true(model_words(eve->model, ann->key, theirs));
    assert_string_equal(ours, theirs);
}

/* --- people ------------------------------------------------------------------------------------------- */

static void another_key_under_a_nick_is_told_loudly(void **state)
{
    (void)state;
    struct program *ann = come(1, "ann", "den"), *bob = come(2, "bob", "den");
    assert_false(model_is_verified(ann->model, bob->key));
    assert_true(model_verified(ann->model, bob->key, true));
    assert_true(model_is_verified(ann->model, bob->key));
    lose(bob, true);
    settle();
    assert_false(has_line(ann, LINE_WARNING, ""));
    struct program *other = come(9, "bob", "den");
    assert_true(has_line(ann, LINE_WARNING, "bob has another key than the one whose words"));
    assert_false(model_is_verified(ann->model, other->key));
    assert_true(model_is_verified(ann->model, bob->key));
    assert_true(model_verified(ann->model, bob->key, false));
    assert_false(model_is_verified(ann->model, bob->key));
}

static void both_see_the_same_words(void **state)
{
    char one[WORDS_SIZE], other[WORDS_SIZE];
    (void)state;
    struct program *ann = come(1, "ann", "den"), *bob = come(2, "bob", "den");
    assert_true(model_words(ann->model, bob->key, one));
    assert_true(model_words(bob->model, ann->key, other));
    assert_string_equal(one, other);
}

static void few_words_wait_for_keys(void **state)
{
    (void)state;
    struct program *ann = come(1, "ann", "den"), *bob = come(2, "bob", "den");
    uint16_t channel;
    static uint8_t buf[CHAT_PACKET_MAX];
    say(ann, "first");
    (void)intercept(bob, CHAT_KIND_KEYS, &channel, buf); /* they never come */
    for (unsigned i = 0; i < HELD_WORDS + 20; i++) {
        say(ann, "more");
        settle();
    }
    struct room_seal *s = model_room_at(bob->model, 0)->seal;
    assert_true(s->held_count <= HELD_WORDS);
    assert_true(has_line(bob, LINE_NOTE, "of ann cannot be read"));
    tick(HELD_TICKS + 2);
    assert_int_equal(s->held_count, 0);
    say(ann, "now that bob has asked");
    settle();
    assert_true(has_line(bob, LINE_TEXT, "now that bob has asked"));
}

/* --- the memory --------------------------------------------------------------------------------------- */

static int begin_remembering(void **state)
{
    memcpy(folder, "/tmp/tern-sealed.XXXXXX", sizeof folder);
    assert_non_null(mkdtemp(folder));
    return begin(state);
}

static int end_remembering(void **state)
{
    static const char *const ends[] = {"", "-wal", "-shm", ".lock"};
    static const char *const nicks[] = {"ann", "bob"};
    char path[100];
    (void)end(state);
    for (size_t i = 0; i < 8; i++) {
        (void)snprintf(path, sizeof path, "%s/%s.db%s", folder, nicks[i / 4], ends[i % 4]);
        (void)unlink(path);
    }
    return rmdir(folder);
}

static void a_restart_goes_on_where_it_was(void **state)
{
    (void)state;
    struct program *ann = start_with_memory(1, "ann"), *bob = come(2, "bob", "den");
    connect_program(ann);
    assert_non_null(model_join(ann->model, "den", 0));
    settle();
    say(bob, "one");
    say(ann, "two");
    settle();
    ann = restart(ann);
    say(bob, "three"); /* by a chain that ann was given before */
    model_rejoin(ann->model);
    assert_string_equal(next_words(ann), "one");
    assert_string_equal(next_words(ann), "two");
    assert_string_equal(next_words(ann), "");
    connect_program(ann);
    settle();
    assert_string_equal(next_words(ann), "three");
    say(ann, "four");
    settle();
    say(bob, "five");
    settle();
    assert_string_equal(next_words(ann), "four");
    assert_string_equal(next_words(ann), "five");
    assert_string_equal(next_words(ann), "");
    assert_true(has_line(bob, LINE_TEXT, "four"));
    assert_false(has_line(ann, LINE_WARNING, "") || has_line(ann, LINE_GAP, ""));
    assert_false(has_line(bob, LINE_WARNING, "") || has_line(bob, LINE_GAP, ""));
}

static unsigned count_lines(const struct program *p, const char *text)
{
    unsigned count = 0;
    for (size_t i = 0; i < p->line_count; i++) {
        count += strcmp(p->lines[i].text, text) == 0 ? 1 : 0;
    }
    return count;
}

/* A server that starts again knows nobody until they are back: they are to read all the same. */
static void who_is_back_later_reads_what_was_said(void **state)
{
    (void)state;
    struct program *ann = start_with_memory(1, "ann"), *bob = come(2, "bob", "den");
    connect_program(ann);
    assert_non_null(model_join(ann->model, "den", 0));
    settle();
    say(ann, "one");
    settle();
    lose(bob, false);
    ann = restart(ann);
    kit_restart();
    model_rejoin(ann->model);
    connect_program(ann);
    settle();
    struct model_person *person = model_person(model_room_at(ann->model, 0), "bob");
    assert_non_null(person);
    assert_int_equal(person->presence, CHAT_GONE);
    say(ann, "two");
    settle();
    connect_program(bob);
    settle();
    assert_true(has_line(bob, LINE_TEXT, "two"));
    assert_int_equal(model_person(model_room_at(ann->model, 0), "bob")->presence, CHAT_HERE);
    lose(bob, false);
    lose(ann, false);
    kit_restart(); /* and again, but this time he does not come back */
    connect_program(ann);
    settle();
    tick(599);
    assert_non_null(model_person(model_room_at(ann->model, 0), "bob"));
    tick(2);
    assert_null(model_person(model_room_at(ann->model, 0), "bob"));
    assert_true(has_line(ann, LINE_NOTE, "bob was lost"));
    say(ann, "three");
    settle();
    assert_false(seal_is_reader(model_room_at(ann->model, 0)->seal->seal, bob->key));
}

/* Some left and got their place, some left and were lost, some never left. */
static void what_was_said_before_a_crash_is_there_once(void **state)
{
    (void)state;
    struct program *ann = start_with_memory(1, "ann"), *bob = come(2, "bob", "den");
    connect_program(ann);
    assert_non_null(model_join(ann->model, "den", 0));
    settle();
    say(ann, "one"); /* the server has it, and ann is not told */
    ann->room = 0;
    say(ann, "two"); /* it never left */
    ann = restart(ann);
    model_rejoin(ann->model);
    assert_int_equal(model_unheard(ann->model), 2);
    connect_program(ann);
    settle();
    say(ann, "three");
    settle();
    assert_int_equal(model_unheard(ann->model), 0);
    static const char *const words[] = {"one", "two", "three"};
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(next_words(bob), words[i]);
        assert_int_equal(count_lines(bob, words[i]), 1);
        assert_int_equal(count_lines(ann, words[i]), 1);
    }
    assert_false(has_line(bob, LINE_WARNING, "") || has_line(bob, LINE_GAP, ""));
    ann = restart(ann);
    model_rejoin(ann->model);
    assert_int_equal(model_unheard(ann->model), 0);
    assert_int_equal(count_lines(ann, "two"), 1);
}

static void sealed_words_are_found_without_the_server(void **state)
{
    (void)state;
    struct program *ann = start_with_memory(1, "ann"), *bob = come(2, "bob", "den");
    connect_program(ann);
    assert_non_null(model_join(ann->model, "den", 0));
    settle();
    say(bob, "the birch is a tree");
    say(bob, "the heron is a bird");
    settle();
    ann = restart(ann);
    model_rejoin(ann->model);
    struct model_room *room = model_room_at(ann->model, 0);
    assert_true(model_search(ann->model, room, "TREE birch", 1));
    assert_int_equal(ann->found_count, 2);
    assert_string_equal(ann->found[0], "bob the birch is a tree");
    assert_string_equal(ann->found[1], " "); /* the end */
    assert_true(model_before(ann->model, room, UINT64_MAX, 2));
    assert_int_equal(ann->found_count, 5);
    assert_string_equal(ann->found[2], "bob the heron is a bird");
    assert_false(model_search(bob->model, model_room_at(bob->model, 0), "tree", 1));
}

static void words_that_waited_for_their_key_wait_on(void **state)
{
    uint16_t channel;
    static uint8_t buf[CHAT_PACKET_MAX];
    (void)state;
    struct program *ann = start_with_memory(1, "ann"), *bob = come(2, "bob", "den");
    connect_program(ann);
    assert_non_null(model_join(ann->model, "den", 0));
    settle();
    say(bob, "sealed");
    struct chat_packet keys = intercept(ann, CHAT_KIND_KEYS, &channel, buf);
    settle();
    assert_string_equal(next_words(ann), "");
    ann = restart(ann);
    model_rejoin(ann->model);
    connect_program(ann);
    settle();
    channel = model_room_at(ann->model, 0)->channel;
    keys.seq = model_room_at(ann->model, 0)->last + 1;
    tell(ann, channel, &keys);
    assert_string_equal(next_words(ann), "sealed");
}

static void a_room_that_was_left_is_not_entered_again(void **state)
{
    (void)state;
    struct program *ann = start_with_memory(1, "ann");
    connect_program(ann);
    assert_non_null(model_join(ann->model, "den", 0));
    assert_non_null(model_join(ann->model, "work", 0));
    settle();
    assert_true(model_leave(ann->model, model_find(ann->model, "den")));
    settle();
    ann = restart(ann);
    model_rejoin(ann->model);
    assert_null(model_find(ann->model, "den"));
    assert_non_null(model_find(ann->model, "work"));
}

static void private_talk_and_marks_outlast_a_restart(void **state)
{
    (void)state;
    struct program *ann = start_with_memory(1, "ann"), *bob = come(2, "bob", "den");
    connect_program(ann);
    settle();
    say_in(ann, open_with(ann, bob), "psst");
    settle();
    assert_true(model_verified(ann->model, bob->key, true));
    ann = restart(ann);
    model_rejoin(ann->model);
    assert_true(model_is_verified(ann->model, bob->key));
    struct model_room *room = model_room_at(ann->model, 0);
    assert_non_null(room);
    assert_string_equal(room->title, "bob");
    assert_string_equal(next_words(ann), "psst");
    say_in(ann, room, "still there?");
    connect_program(ann);
    settle();
    assert_true(has_line(bob, LINE_TEXT, "still there?"));
    assert_non_null(model_join(ann->model, "den", 0));
    settle();
    room = model_find(ann->model, "den");
    struct chat_packet lie = {.type = CHAT_EVENT,
                              .seq = room->last + 1,
                              .kind = CHAT_KIND_JOIN,
                              .nick = chat_text("bob")};
    memset(lie.key, 9, sizeof lie.key);
    tell(ann, room->channel, &lie);
    assert_true(has_line(ann, LINE_WARNING, "another key than the one whose words"));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(members_read_each_other, begin, end),
    cmocka_unit_test_setup_teardown(what_waits_is_shown_as_it_was_typed, begin, end),
    cmocka_unit_test_setup_teardown(a_newcomer_reads_from_now_on, begin, end),
    cmocka_unit_test_setup_teardown(words_that_cross_a_coming_are_read, begin, end),
    cmocka_unit_test_setup_teardown(who_leaves_is_given_no_more, begin, end),
    cmocka_unit_test_setup_teardown(who_is_put_out_is_given_no_more, begin, end),
    cmocka_unit_test_setup_teardown(a_lost_connection_loses_no_keys, begin, end),
    cmocka_unit_test_setup_teardown(words_that_were_not_heard_are_once_there, begin, end),
    cmocka_unit_test_setup_teardown(a_second_program_asks_for_keys, begin, end),
    cmocka_unit_test_setup_teardown(two_talk_alone, begin, end),
    cmocka_unit_test_setup_teardown(who_was_away_reads_the_end_of_a_private_talk, begin, end),
    cmocka_unit_test_setup_teardown(words_that_nobody_sealed_are_not_shown, begin, end),
    cmocka_unit_test_setup_teardown(words_are_not_shown_as_anothers, begin, end),
    cmocka_unit_test_setup_teardown(dropped_repeated_and_late_words_are_told_of, begin, end),
    cmocka_unit_test_setup_teardown(a_sealed_room_does_not_become_an_open_one, begin, end),
    cmocka_unit_test_setup_teardown(words_for_a_sealed_room_do_not_go_to_an_open_one, begin, end),
    cmocka_unit_test_setup_teardown(a_stranger_in_the_list_is_seen, begin, end),
    cmocka_unit_test_setup_teardown(a_private_room_has_two_readers_whatever_is_said, begin, end),
    cmocka_unit_test_setup_teardown(who_has_not_come_gets_no_keys_by_asking, begin, end),
    cmocka_unit_test_setup_teardown(we_are_who_we_are_whatever_the_server_says, begin, end),
    cmocka_unit_test_setup_teardown(another_key_under_a_nick_is_told_loudly, begin, end),
    cmocka_unit_test_setup_teardown(both_see_the_same_words, begin, end),
    cmocka_unit_test_setup_teardown(few_words_wait_for_keys, begin, end),
    cmocka_unit_test_setup_teardown(a_restart_goes_on_where_it_was, begin_remembering,
                                    end_remembering),
    cmocka_unit_test_setup_teardown(who_is_back_later_reads_what_was_said, begin_remembering,
                                    end_remembering),
    cmocka_unit_test_setup_teardown(what_was_said_before_a_crash_is_there_once, begin_remembering,
                                    end_remembering),
    cmocka_unit_test_setup_teardown(sealed_words_are_found_without_the_server, begin_remembering,
                                    end_remembering),
    cmocka_unit_test_setup_teardown(words_that_waited_for_their_key_wait_on, begin_remembering,
                                    end_remembering),
    cmocka_unit_test_setup_teardown(a_room_that_was_left_is_not_entered_again, begin_remembering,
                                    end_remembering),
    cmocka_unit_test_setup_teardown(private_talk_and_marks_outlast_a_restart, begin_remembering,
                                    end_remembering),
};

TERN_TEST_MAIN(tests)
