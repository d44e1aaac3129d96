/* The history: what a new process finds in the file, and what happens when the file fails.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "unit/apps/chat_kit.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ternchat/name.h"
#include "ternchat/store.h"

static char folder[64], path[128];

static void make_folder(void)
{
    (void)snprintf(folder, sizeof folder, "/tmp/tern-chat.XXXXXX");
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/history", folder);
}

static void remove_folder(void)
{
    static const char *const endings[] = {"", "-wal", "-shm", ".lock"};
    char name[160];
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        (void)snprintf(name, sizeof name, "%s%s", path, endings[i]);
        (void)unlink(name);
    }
    assert_int_equal(rmdir(folder), 0);
}

static void restart(struct kit *kit)
{
    char why[HUB_WHY_SIZE] = "";
    hub_free(kit->hub);
    kit->hub = kit_hub(kit, path, 0, 0, why);
    assert_string_equal(why, "");
    assert_non_null(kit->hub);
}

static void a_restart_loses_nothing_and_takes_nothing_twice(void **state)
{
    struct kit kit;
    struct chat_packet p;
    (void)state;
    make_folder();
    kit_open(&kit, path);
    struct kit_client *a = kit_come(&kit, 1, "alice");
    uint16_t in_a = kit_join(a, "den", 0, CHAT_SINCE_NONE);
    kit_say(a, in_a, KIT_ID(5, 1), "one");
    kit_say(a, in_a, KIT_ID(5, 2), "two");
    uint64_t last = 0;
    while (kit_next(a, CHAT_EVENT, &p, NULL)) {
        last = p.seq;
    }
    kit_go(a, false);
    restart(&kit);
    a = kit_come(&kit, 1, "alice");
    in_a = kit_join(a, "den", 0, last - 1);
    kit_say(a, in_a, KIT_ID(5, 2), "two"); /* it did not hear that it was taken */
    kit_say(a, in_a, KIT_ID(5, 3), "three");
    assert_string_equal(kit_heard(a), "two");
    assert_string_equal(kit_heard(a), "three");
    assert_string_equal(kit_heard(a), "");
    uint64_t seen = 0;
    a->taken = 0;
    while (kit_next(a, CHAT_EVENT, &p, NULL)) {
        assert_true(seen == 0 || p.seq == seen + 1);
        seen = p.seq;
    }
    assert_true(seen > last);
    kit_go(a, true);
    hub_free(kit.hub);
    remove_folder();
}

static void programs_of_a_person_do_not_fill_the_file(void **state)
{
    struct store_limits limits = {0};
    char why[STORE_WHY_SIZE] = "";
    uint8_t key[TERN_KEY_SIZE] = {1}, other[TERN_KEY_SIZE] = {2};
    uint32_t last;
    unsigned known = 0;
    (void)state;
    make_folder();
    struct store *s = store_open(path, &limits, why);
    struct store_room room = {.next = 1};
    struct log log;
    log_init(&log, 1);
    assert_non_null(s);
    assert_true(store_room_make(s, "den", &room) > 0);
    for (uint32_t i = 0; i < STORE_PROGRAMS + 100; i++) {
        struct chat_packet p = {.type = CHAT_EVENT,
                                .id = KIT_ID(i + 1, 7),
                                .kind = CHAT_KIND_TEXT,
                                .nick = chat_text("x"),
                                .body = chat_text("y")};
        memcpy(p.key, i == 0 ? other : key, sizeof p.key);
        struct log_event *event = log_make(&log, &p);
        assert_non_null(event);
        assert_int_equal(store_said(s, room.id, p.key, i + 1, &last), 1);
        assert_int_equal(last, 0);
        assert_true(store_append(s, room.id, &p, event) > 0);
        log_keep(&log, event);
    }
    for (uint32_t i = 1; i < STORE_PROGRAMS + 100; i++) {
        assert_true(store_said(s, room.id, key, i + 1, &last) > 0);
        known += last == 7 ? 1 : 0;
    }
    assert_int_equal(known, 99);
    assert_true(store_said(s, room.id, other, 1, &last) > 0);
    assert_int_equal(last, 7); /* nobody else's are forgotten */
    log_clear(&log);
    store_close(s);
    remove_folder();
}

static void who_was_away_for_long_is_served_from_the_file(void **state)
{
    struct kit kit;
    struct chat_packet p;
    char text[20];
    (void)state;
    make_folder();
    kit_open(&kit, path);
    struct kit_client *a = kit_come(&kit, 1, "alice"), *b = kit_come(&kit, 2, "bob");
    uint16_t in_a = kit_join(a, "den", 0, CHAT_SINCE_NONE);
    (void)kit_join(b, "den", 0, CHAT_SINCE_NONE);
    uint64_t last = 0;
    while (kit_next(b, CHAT_EVENT, &p, NULL)) {
        last = p.seq;
    }
    kit_go(b, false);
    for (unsigned i = 1; i <= 1000; i++) {
        (void)snprintf(text, sizeof text, "line %u", i);
        kit_say(a, in_a, KIT_ID(1, i), text);
    }
    for (int round = 0; round < 2; round++) {
        b = kit_come(&kit, 2, "bob");
        b->room = 100; /* in bits and pieces */
        (void)kit_join(b, "den", 0, last);
        for (int i = 0; i < 20; i++) {
            b->room = 60;
            hub_on_writable(b->session);
        }
        for (unsigned i = 1; i <= 1000; i++) {
            (void)snprintf(text, sizeof text, "line %u", i);
            assert_string_equal(kit_heard(b), text);
        }
        assert_true(kit_next(b, CHAT_CAUGHT_UP, &p, NULL) || round == 1);
        kit_go(b, false);
        if (round == 0) {
            kit_go(a, false);
            restart(&kit);
        }
    }
    hub_free(kit.hub);
    remove_folder();
}

static void names_bans_topics_and_makers_stay(void **state)
{
    struct kit kit;
    struct chat_packet p = {.type = CHAT_KICK, .code = 1};
    (void)state;
    make_folder();
    kit_open(&kit, path);
    struct kit_client *a = kit_come(&kit, 1, "alice"), *b = kit_come(&kit, 2, "bob");
    p.channel = kit_join(a, "den", 0, CHAT_SINCE_NONE);
    (void)kit_join(b, "den", 0, CHAT_SINCE_NONE);
    memset(p.key, 2, sizeof p.key);
    kit_put(a, CHAT_CONTROL, &p);
    struct chat_packet topic = {
        .type = CHAT_SAY, .id = KIT_ID(1, 1), .kind = CHAT_KIND_TOPIC, .body = chat_text("cats")};
    kit_put(a, p.channel, &topic);
    kit_go(a, true);
    kit_go(b, true);
    restart(&kit);
    b = kit_connect(&kit, 2);
    kit_hello(b, "AIice"); /* with a capital i */
    kit_expect_refusal(b, CHAT_REFUSED_NICK);
    kit_hello(b, "robert");
    kit_expect(b, CHAT_WELCOME, &p);
    kit_ask(b, "den", 0, CHAT_SINCE_NONE);
    kit_expect_refusal(b, CHAT_REFUSED_BANNED);
    a = kit_come(&kit, 1, "alice");
    kit_ask(a, "den", 0, CHAT_SINCE_NONE);
    kit_expect(a, CHAT_JOINED, &p);
    assert_true((p.flags & CHAT_FLAG_MAY) != 0);
    assert_memory_equal(p.text.data, "cats", 4);
    struct kit_client *c = kit_connect(&kit, 3);
    kit_hello(c, "b0b"); /* it is bob's, and nobody else's, while he has not taken three more */
    kit_expect_refusal(c, CHAT_REFUSED_NICK);
    kit.wall += STORE_NICK_AGE + 2000;
    kit_hello(c, "b0b");
    kit_expect(c, CHAT_WELCOME, &p);
    kit_go(a, true);
    kit_go(b, true);
    kit_go(c, true);
    hub_free(kit.hub);
    remove_folder();
}

static unsigned found(struct kit_client *c, char *first, size_t size)
{
    struct chat_packet p;
    unsigned count = 0;
    *first = '\0';
    while (kit_next(c, CHAT_FOUND, &p, NULL) && p.kind != 0) {
        if (count++ == 0) {
            (void)snprintf(first, size, "%.*s", (int)p.body.len, (const char *)p.body.data);
        }
    }
    return count;
}

static unsigned search(struct kit_client *c, uint16_t channel, const char *text, char *first)
{
    struct chat_packet p = {
        .type = CHAT_SEARCH, .channel = channel, .id = 7, .text = chat_text(text)};
    kit_put(c, CHAT_CONTROL, &p);
    return found(c, first, 100);
}

static void open_rooms_can_be_searched_and_no_others(void **state)
{
    struct kit kit;
    char first[100];
    (void)state;
    make_folder();
    kit_open(&kit, path);
    struct kit_client *a = kit_come(&kit, 1, "alice");
    uint16_t open = kit_join(a, "open", CHAT_FLAG_OPEN, CHAT_SINCE_NONE);
    uint16_t other = kit_join(a, "other", CHAT_FLAG_OPEN, CHAT_SINCE_NONE);
    uint16_t sealed = kit_join(a, "sealed", 0, CHAT_SINCE_NONE);
    kit_say(a, open, KIT_ID(1, 1), "the café opens at nine");
    kit_say(a, open, KIT_ID(1, 2), "a cafeteria is no place");
    kit_say(a, other, KIT_ID(1, 3), "another CAFE");
    assert_int_equal(search(a, open, "cafe", first), 2); /* a beginning, and without accents */
    assert_string_equal(first, "a cafeteria is no place");
    assert_int_equal(search(a, open, "caf", first), 2);
    assert_int_equal(search(a, open, "ca", first),
                     0); /* to gather all words that begin so costs too much */
    assert_int_equal(search(a, open, "nine CAFÉ", first), 1);
    assert_int_equal(search(a, other, "cafe", first), 1);
    assert_string_equal(first, "another CAFE");
    assert_int_equal(search(a, open, "\"", first), 0);
    assert_int_equal(search(a, open, "place:room2 OR body:*", first), 0);
    assert_int_equal(search(a, open, "  ", first), 0);
    assert_int_equal(search(a, open, "nine\" OR \"another", first), 0);
    struct chat_packet p = {.type = CHAT_SEARCH, .channel = sealed, .text = chat_text("x")};
    kit_put(a, CHAT_CONTROL, &p);
    kit_expect_refusal(a, CHAT_REFUSED_RIGHT);
    p.channel = 99;
    kit_put(a, CHAT_CONTROL, &p);
    kit_expect_refusal(a, CHAT_REFUSED_ROOM);
    kit_go(a, true);
    hub_free(kit.hub);
    remove_folder();
}

static void older_pages_come_on_request(void **state)
{
    struct kit kit;
    struct chat_packet p;
    char text[20];
    (void)state;
    make_folder();
    for (int has_file = 0; has_file < 2; has_file++) {
        kit_open(&kit, has_file ? path : NULL);
        struct kit_client *a = kit_come(&kit, 1, "alice");
        uint16_t in = kit_join(a, "den", 0, CHAT_SINCE_NONE);
        for (unsigned i = 1; i <= 120; i++) {
            (void)snprintf(text, sizeof text, "line %u", i);
            kit_say(a, in, KIT_ID(1, i), text);
        }
        uint64_t before = CHAT_SINCE_NONE;
        unsigned expected = 120;
        for (int page = 0; page < 3; page++) {
            p = (struct chat_packet){.type = CHAT_BEFORE, .channel = in, .id = 3, .seq = before};
            kit_put(a, CHAT_CONTROL, &p);
            unsigned count = 0;
            while (kit_next(a, CHAT_FOUND, &p, NULL) && p.kind != 0) {
                if (p.kind == CHAT_KIND_TEXT) {
                    (void)snprintf(text, sizeof text, "line %u", expected--);
                    assert_memory_equal(p.body.data, text, strlen(text));
                }
                before = p.seq;
                count++;
            }
            assert_int_equal(count, page < 2 ? STORE_FOUND : 21);
        }
        assert_int_equal(expected, 0);
        kit_go(a, true);
        hub_free(kit.hub);
    }
    remove_folder();
}

static void who_was_called_in_vain_is_called_after_a_restart(void **state)
{
    struct kit kit;
    struct chat_packet p;
    uint16_t in = 0;
    (void)state;
    make_folder();
    kit_open(&kit, path);
    kit_go(kit_come(&kit, 2, "bob"), true);
    struct kit_client *a = kit_come(&kit, 1, "alice");
    p = (struct chat_packet){.type = CHAT_OPEN, .seq = CHAT_SINCE_NONE};
    memset(p.key, 2, sizeof p.key);
    kit_put(a, CHAT_CONTROL, &p);
    assert_true(kit_next(a, CHAT_JOINED, &p, &in));
    kit_say(a, in, KIT_ID(1, 1), "for later");
    kit_go(a, true);
    restart(&kit);
    struct kit_client *b = kit_come(&kit, 2, "bob");
    kit_expect(b, CHAT_CALLED, &p);
    assert_memory_equal(p.nick.data, "alice", 5);
    uint64_t last = p.seq;
    p = (struct chat_packet){.type = CHAT_OPEN, .seq = CHAT_SINCE_NONE};
    memset(p.key, 1, sizeof p.key);
    kit_put(b, CHAT_CONTROL, &p);
    assert_true(kit_next(b, CHAT_JOINED, &p, &in));
    assert_string_equal(kit_heard(b), "for later");
    p = (struct chat_packet){.type = CHAT_READ, .seq = last};
    kit_put(b, in, &p);
    kit_go(b, true);
    restart(&kit);
    b = kit_come(&kit, 2, "bob");
    assert_false(kit_next(b, CHAT_CALLED, &p, NULL)); /* all is read */
    kit_go(b, true);
    hub_free(kit.hub);
    remove_folder();
}

/* No file of this process may grow, as on a full disk: SIGXFSZ is ignored, and writes fail. */
static void set_full(bool is_full)
{
    struct stat st;
    char name[160];
    struct rlimit limit;
    (void)snprintf(name, sizeof name, "%s-wal", path);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    if (is_full) {
        assert_int_equal(stat(name, &st), 0);
        limit.rlim_cur = (rlim_t)st.st_size + 100;
    }
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void a_full_disk_refuses_words_and_loses_none(void **state)
{
    struct kit kit;
    struct chat_packet p;
    char text[100];
    (void)state;
    make_folder();
    (void)signal(SIGXFSZ, SIG_IGN);
    kit_open(&kit, path);
    struct kit_client *a = kit_come(&kit, 1, "alice"), *b = kit_come(&kit, 2, "bob");
    uint16_t in_a = kit_join(a, "den", CHAT_FLAG_OPEN, CHAT_SINCE_NONE);
    (void)kit_join(b, "den", 0, CHAT_SINCE_NONE);
    kit_say(a, in_a, KIT_ID(1, 1), "before");
    hub_tick(kit.hub, kit.now);
    set_full(true);
    kit_say(a, in_a, KIT_ID(1, 2), "while it is full");
    hub_tick(kit.hub, kit.now);
    kit_expect_refusal(a, CHAT_REFUSED_HISTORY);
    kit_ask(b, "new", 0, CHAT_SINCE_NONE);
    kit_expect_refusal(b, CHAT_REFUSED_HISTORY);
    set_full(false);
    kit_say(a, in_a, KIT_ID(1, 3), "after"); /* must not pass the one that was refused */
    kit_say(a, in_a, KIT_ID(1, 2), "while it is full");
    kit_say(a, in_a, KIT_ID(1, 3), "after");
    (void)kit_join(b, "new", 0, CHAT_SINCE_NONE);
    assert_true(kit.failures >= 2);
    b->taken = 0;
    assert_string_equal(kit_heard(b), "before");
    assert_string_equal(kit_heard(b), "while it is full");
    assert_string_equal(kit_heard(b), "after");
    assert_string_equal(kit_heard(b), "");
    kit_go(a, false);
    kit_go(b, false);
    restart(&kit);
    b = kit_come(&kit, 2, "bob");
    kit_ask(b, "den", 0, 0);
    assert_string_equal(kit_heard(b), "before");
    assert_string_equal(kit_heard(b), "while it is full");
    assert_string_equal(kit_heard(b), "after");
    assert_string_equal(kit_heard(b), "");
    b->taken = 0;
    assert_true(kit_next(b, CHAT_JOINED, &p, &in_a));
    assert_int_equal(search(b, in_a, "full", text), 1);
    kit_go(b, true);
    hub_free(kit.hub);
    remove_folder();
}

static void who_leaves_while_the_disk_is_full_leaves_later(void **state)
{
    struct kit kit;
    struct chat_packet p;
    (void)state;
    make_folder();
    (void)signal(SIGXFSZ, SIG_IGN);
    kit_open(&kit, path);
    struct kit_client *a = kit_come(&kit, 1, "alice"), *b = kit_come(&kit, 2, "bob");
    (void)kit_join(a, "den", 0, CHAT_SINCE_NONE);
    (void)kit_join(b, "den", 0, CHAT_SINCE_NONE);
    kit_skip(a);
    set_full(true);
    kit_go(b, true);
    kit.now += 2 * TERN_SEC;
    hub_tick(kit.hub, kit.now);
    assert_false(kit_next(a, CHAT_EVENT, &p, NULL));
    set_full(false);
    kit.now += 2 * TERN_SEC;
    hub_tick(kit.hub, kit.now);
    kit_expect(a, CHAT_EVENT, &p);
    assert_int_equal(p.kind, CHAT_KIND_LEAVE);
    kit_go(a, true);
    hub_free(kit.hub);
    remove_folder();
}

static void overwrite(off_t at, size_t len)
{
    uint8_t noise[8192];
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    memset(noise, 0xa5, sizeof noise);
    assert_int_equal(pwrite(fd, noise, len, at), (ssize_t)len);
    assert_int_equal(close(fd), 0);
}

static void a_damaged_file_is_refused_and_left_alone(void **state)
{
    struct kit kit;
    struct stat before, after;
    char why[HUB_WHY_SIZE] = "";
    (void)state;
    for (int i = 0; i < 3; i++) {
        make_folder();
        if (i > 0) {
            kit_open(&kit, path);
            struct kit_client *a = kit_come(&kit, 1, "alice");
            (void)kit_join(a, "den", 0, CHAT_SINCE_NONE);
            kit_go(a, true);
            hub_free(kit.hub);
        }
        overwrite(i == 2 ? 4096 : 0, i == 2 ? 8192 : 2000);
        assert_int_equal(stat(path, &before), 0);
        kit = (struct kit){.now = 1};
        assert_null(kit_hub(&kit, path, 0, 0, why));
        assert_non_null(strstr(why, "damaged"));
        assert_non_null(strstr(why, "--no-history")); /* what to do */
        assert_int_equal(stat(path, &after), 0);
        assert_int_equal(before.st_size, after.st_size);
        remove_folder();
    }
}

static void one_file_is_for_one_server(void **state)
{
    struct kit one, two = {.now = 1};
    char why[HUB_WHY_SIZE] = "";
    (void)state;
    make_folder();
    kit_open(&one, path);
    assert_null(kit_hub(&two, path, 0, 0, why));
    assert_non_null(strstr(why, "another server"));
    hub_free(one.hub);
    remove_folder();
}

static void the_oldest_goes_when_it_is_too_much(void **state)
{
    struct kit kit = {.now = TERN_SEC, .wall = 1000000};
    struct chat_packet p;
    struct hub_counts counts;
    char why[HUB_WHY_SIZE], text[1001];
    (void)state;
    make_folder();
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    for (int by_age = 0; by_age < 2; by_age++) {
        kit.hub = kit_hub(&kit, path, by_age ? 0 : 400000, by_age ? 5000 : 0, why);
        assert_non_null(kit.hub);
        struct kit_client *a = kit_come(&kit, 1, "alice");
        uint16_t in = kit_join(a, by_age ? "age" : "size", CHAT_FLAG_OPEN, CHAT_SINCE_NONE);
        for (unsigned i = 1; i <= 1000; i++) {
            kit_say(a, in, KIT_ID(1, i), text);
        }
        uint64_t last = 0;
        while (kit_next(a, CHAT_EVENT, &p, NULL)) {
            last = p.seq;
        }
        kit.wall += 6000;
        kit_say(a, in, KIT_ID(1, 1001), "the last one");
        for (int i = 0; i < 20; i++) {
            hub_tick(kit.hub, kit.now);
        }
        hub_count(kit.hub, &counts);
        assert_true(counts.store_bytes < 400000);
        kit_go(a, true);
        hub_free(kit.hub);
        kit.hub = kit_hub(&kit, path, 0, 0, why); /* numbers go on where they were */
        a = kit_come(&kit, 1, "alice");
        kit_ask(a, by_age ? "age" : "size", 0, 0);
        kit_expect(a, CHAT_JOINED, &p);
        assert_true(p.seq > last + 1);
        kit_go(a, true);
        hub_free(kit.hub);
    }
    remove_folder();
}

static void a_room_of_which_nothing_is_left_keeps_its_numbers(void **state)
{
    struct kit kit = {.now = TERN_SEC, .wall = 1000000};
    struct chat_packet p;
    char why[HUB_WHY_SIZE];
    (void)state;
    make_folder();
    kit.hub = kit_hub(&kit, path, 0, 1000, why);
    assert_non_null(kit.hub);
    struct kit_client *a = kit_come(&kit, 1, "alice");
    uint16_t in = kit_join(a, "den", 0, CHAT_SINCE_NONE);
    kit_say(a, in, KIT_ID(1, 1), "one");
    kit_say(a, in, KIT_ID(1, 2), "two");
    uint64_t last = 0;
    while (kit_next(a, CHAT_EVENT, &p, NULL)) {
        last = p.seq;
    }
    kit_go(a, false);
    kit.wall += 5000;
    hub_tick(kit.hub, kit.now);
    hub_free(kit.hub);
    kit.hub = kit_hub(&kit, path, 0, 0, why);
    a = kit_come(&kit, 1, "alice");
    kit_ask(a, "den", 0, last);
    kit_expect(a, CHAT_JOINED, &p);
    assert_int_equal(p.seq, last);
    kit_expect(a, CHAT_EVENT, &p);
    assert_int_equal(p.seq, last + 1);
    kit_go(a, true);
    hub_free(kit.hub);
    remove_folder();
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_room_of_which_nothing_is_left_keeps_its_numbers),
    cmocka_unit_test(a_restart_loses_nothing_and_takes_nothing_twice),
    cmocka_unit_test(programs_of_a_person_do_not_fill_the_file),
    cmocka_unit_test(who_was_away_for_long_is_served_from_the_file),
    cmocka_unit_test(names_bans_topics_and_makers_stay),
    cmocka_unit_test(open_rooms_can_be_searched_and_no_others),
    cmocka_unit_test(older_pages_come_on_request),
    cmocka_unit_test(who_was_called_in_vain_is_called_after_a_restart),
    cmocka_unit_test(a_full_disk_refuses_words_and_loses_none),
    cmocka_unit_test(who_leaves_while_the_disk_is_full_leaves_later),
    cmocka_unit_test(a_damaged_file_is_refused_and_left_alone),
    cmocka_unit_test(one_file_is_for_one_server),
    cmocka_unit_test(the_oldest_goes_when_it_is_too_much),
};

TERN_TEST_MAIN(tests)
