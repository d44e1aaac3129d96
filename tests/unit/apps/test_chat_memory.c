/* The client's memory as a file: what was written is there again, or nothing of it; damage, limits, locks.
 * SPDX-License-Identifier: MIT */
#include "ternchat/memory.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tern_test.h"

static char folder[] = "/tmp/tern-memory.XXXXXX", path[64], about[MEMORY_WHY_SIZE];
static struct memory_room den = {.name = "den", .title = "den", .is_in = true};
static const uint8_t key[TERN_KEY_SIZE] = {5};
static char got[100][100];
static size_t got_count;

static int begin(void **state)
{
    (void)state;
    memcpy(folder, "/tmp/tern-memory.XXXXXX", sizeof folder);
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/m.db", folder);
    den.id = 0;
    got_count = 0;
    return 0;
}

static int end(void **state)
{
    char command[128];
    (void)state;
    (void)snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command) == 0 ? 0 : -1; /* NOLINT(cert-env33-c): a folder of our own making */
}

static struct memory *open_memory(void)
{
    struct memory *m = memory_open(path, about);
    assert_non_null(m);
    return m;
}

static void add(struct memory *m, uint64_t seq, const char *text)
{
    struct memory_line line = {.seq = seq, .time = seq * 1000, .nick = "bob", .text = text};
    memcpy(line.key, key, sizeof line.key);
    memory_line(m, den.id, &line, true);
}

static void on_line(void *user, const struct memory_line *line)
{
    (void)user;
    assert_true(got_count < 100);
    assert_memory_equal(line->key, key, sizeof key);
    assert_string_equal(line->nick, "bob");
    (void)snprintf(got[got_count++], sizeof got[0], "%s", line->text);
}

static void on_unheard(void *user, uint64_t id, uint8_t kind, struct chat_slice body)
{
    (void)user;
    (void)snprintf(got[got_count++], sizeof got[0], "%llu %u %.*s", (unsigned long long)id, kind,
                   (int)body.len, body.len == 0 ? "" : (const char *)body.data);
}

static void on_bytes(void *user, struct chat_slice packet)
{
    (void)user;
    (void)snprintf(got[got_count++], sizeof got[0], "%.*s", (int)packet.len,
                   (const char *)packet.data);
}

static void on_chain(void *user, const uint8_t from[TERN_KEY_SIZE], uint32_t program,
                     struct chat_slice dump)
{
    (void)user;
    assert_memory_equal(from, key, sizeof key);
    (void)snprintf(got[got_count++], sizeof got[0], "%u %.*s", program, (int)dump.len,
                   (const char *)dump.data);
}

static void on_known(void *user, const uint8_t who[TERN_KEY_SIZE], const char *nick,
                     bool is_verified, uint64_t seen)
{
    (void)user;
    assert_memory_equal(who, key, sizeof key);
    (void)snprintf(got[got_count++], sizeof got[0], "%s %d %llu", nick, is_verified,
                   (unsigned long long)seen);
}

static void on_room(void *user, const struct memory_room *room)
{
    (void)user;
    (void)snprintf(got[got_count++], sizeof got[0], "%s %llu", room->name,
                   (unsigned long long)room->last);
}

static void what_was_kept_is_there_again(void **state)
{
    struct memory_room found;
    struct stat st;
    (void)state;
    struct memory *m = open_memory();
    memory_room_put(m, &den);
    add(m, 1, "one");
    memory_last(m, den.id, 1);
    memory_chain(m, den.id, key, 7, 1, chat_text("old"));
    memory_chain(m, den.id, key, 7, 1, chat_text("new"));
    memory_say(m, den.id, (uint64_t)9 << 32 | 1, 1, chat_text("a"));
    memory_say(m, den.id, 2, 1, chat_text(""));
    memory_heard(m, den.id, 2);
    memory_hold(m, den.id, 5, (const uint8_t *)"packet", 6);
    memory_hold(m, den.id, 6, (const uint8_t *)"other", 5);
    memory_let_go(m, den.id, 6);
    memory_known(m, key, "bob", true, 3);
    assert_null(memory_keep(m));
    memory_close(m);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    m = open_memory();
    assert_string_equal(about, "");
    assert_int_equal(memory_room(m, "den", &found), 1);
    assert_int_equal(memory_room(m, "work", &found), 0);
    assert_true(found.last == 1 && found.is_in && found.id == den.id);
    memory_lines(m, den.id, 10, on_line, NULL);
    memory_chains(m, den.id, on_chain, NULL);
    memory_unheard(m, den.id, on_unheard, NULL);
    memory_held(m, den.id, on_bytes, NULL);
    memory_all_known(m, on_known, NULL);
    memory_rooms(m, on_room, NULL);
    static const char *const wanted[] = {"one",    "7 new",   "38654705665 1 a",
                                         "packet", "bob 1 3", "den 1"};
    assert_int_equal(got_count, 6);
    for (size_t i = 0; i < 6; i++) {
        assert_string_equal(got[i], wanted[i]);
    }
    memory_leave(m, den.id);
    got_count = 0;
    memory_chains(m, den.id, on_chain, NULL);
    memory_unheard(m, den.id, on_unheard, NULL);
    memory_held(m, den.id, on_bytes, NULL);
    memory_rooms(m, on_room, NULL);
    assert_int_equal(got_count, 0);
    memory_lines(m, den.id, 10, on_line, NULL);
    assert_int_equal(got_count, 1);
    memory_close(m);
}

static void lines_are_found(void **state)
{
    char text[32];
    struct memory_room other = {.name = "work", .is_in = true};
    (void)state;
    struct memory *m = open_memory();
    memory_room_put(m, &den);
    memory_room_put(m, &other);
    for (unsigned i = 1; i <= 80; i++) {
        (void)snprintf(text, sizeof text,
                       "Gr\xc3\xbc\xc3\x9f"
                       "e number %u",
                       i);
        add(m, i, text);
    }
    memory_search(m, den.id, chat_text("grusse NUMB"), on_line, NULL);
    assert_int_equal(got_count, 0); /* sharp s stays itself */
    memory_search(m, den.id, chat_text("number 7"), on_line, NULL);
    assert_int_equal(got_count, 11); /* 7 and 70 to 79, the newest first */
    assert_non_null(strstr(got[0], "79"));
    got_count = 0;
    memory_search(m, other.id, chat_text("number"), on_line, NULL);
    memory_search(m, den.id, chat_text("\" * :"), on_line, NULL);
    memory_search(m, den.id, chat_text(""), on_line, NULL);
    assert_int_equal(got_count, 0);
    memory_search(m, den.id, chat_text("number"), on_line, NULL);
    assert_int_equal(got_count, MEMORY_FOUND);
    got_count = 0;
    memory_before(m, den.id, 4, on_line, NULL);
    assert_int_equal(got_count, 3);
    assert_non_null(strstr(got[0], "number 3"));
    got_count = 0;
    memory_lines(m, den.id, 2, on_line, NULL);
    assert_non_null(strstr(got[0], "number 79"));
    assert_non_null(strstr(got[1], "number 80"));
    memory_close(m);
}

static void only_one_program_has_it(void **state)
{
    (void)state;
    struct memory *m = open_memory();
    assert_null(memory_open(path, about));
    assert_non_null(strstr(about, "another ternchat of yours"));
    memory_close(m);
    memory_close(open_memory());
}

static void write_file(const char *bytes, long at)
{
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    assert_true(fd >= 0);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(pwrite(fd, bytes, strlen(bytes), at + i * 64), (ssize_t)strlen(bytes));
    }
    (void)close(fd);
}

static void a_damaged_file_is_set_aside(void **state)
{
    char damaged[200];
    const char *place;
    struct stat st;
    (void)state;
    write_file("this is no database, whatever its name is; it is a long text", 0);
    struct memory *m = open_memory();
    assert_non_null(strstr(about, "it is set aside as "));
    place = strstr(about, folder);
    assert_non_null(place);
    (void)snprintf(damaged, sizeof damaged, "%.*s", (int)strcspn(place, ","), place);
    assert_int_equal(stat(damaged, &st), 0);
    memory_room_put(m, &den);
    for (unsigned i = 1; i < 400; i++) {
        add(m, i, "many words, so that there are many pages of them in the file by now");
    }
    memory_close(m);
    (void)unlink(damaged);
    write_file("damage", 8192); /* in its midst */
    m = open_memory();
    assert_non_null(strstr(about, "it is set aside as "));
    memory_lines(m, 1, 10, on_line, NULL);
    assert_int_equal(got_count, 0);
    memory_close(m);
}

static void another_programs_file_is_left_alone(void **state)
{
    (void)state;
    memory_close(open_memory());
    int fd = open(path, O_RDWR);
    assert_int_equal(pwrite(fd, "\1\2\3\4", 4, 68), 4); /* its application */
    (void)close(fd);
    assert_null(memory_open(path, about));
    assert_non_null(strstr(about, "another program's database"));
}

/* A disk that is full, as a limit on the size of files. */
static void what_cannot_be_written_is_told_once(void **state)
{
    char *much = malloc(60001);
    struct rlimit old, small = {.rlim_cur = (rlim_t)512 * 1024};
    struct memory_room found;
    (void)state;
    assert_non_null(much);
    memset(much, 'x', 60000);
    much[60000] = '\0';
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small.rlim_max = old.rlim_max;
    struct memory *m = open_memory();
    memory_room_put(m, &den);
    memory_last(m, den.id, 1);
    assert_null(memory_keep(m));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    const char *why = NULL;
    for (unsigned i = 0; why == NULL && i < 100; i++) {
        memory_last(m, den.id, 2 + i);
        add(m, i, much);
        why = memory_keep(m);
        (void)memory_room(m, "den", &found); /* each is written before the next one */
    }
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_non_null(why);
    memory_last(m, den.id, 1000);
    add(m, 1000, "there is room again, but what was between is not there");
    assert_null(memory_keep(m));
    memory_close(m);
    m = open_memory();
    assert_int_equal(memory_room(m, "den", &found), 1);
    assert_true(found.last > 1 && found.last < 100); /* a moment of the past, whole */
    memory_close(m);
    free(much);
}

/* Whoever reads has waited for what was written, and what was not finished goes with a program that is killed. */
static void a_killed_program_leaves_what_was_kept(void **state)
{
    (void)state;
    memory_close(open_memory());
    pid_t pid = fork();
    if (pid == 0) {
        struct memory *m = open_memory();
        struct memory_room found;
        memory_room_put(m, &den);
        add(m, 1, "one");
        (void)memory_keep(m);
        bool is_there = memory_room(m, "den", &found) == 1;
        add(m, 2, "half of it");
        memory_lines(m, den.id, 10, on_line, NULL);
        _exit(is_there && got_count == 2 ? 0 : 1);
    }
    int status = 1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    struct memory *m = open_memory();
    memory_lines(m, 1, 10, on_line, NULL);
    assert_int_equal(got_count, 1);
    assert_string_equal(got[0], "one");
    memory_close(m);
}

/* A disk that takes no more for a while: whatever writes stands at the gate. */
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static ssize_t write_behind_gate(int fd, const void *data, size_t len)
{
    (void)pthread_mutex_lock(&gate);
    (void)pthread_mutex_unlock(&gate);
    return write(fd, data, len);
}

static ssize_t pwrite_behind_gate(int fd, const void *data, size_t len, off_t offset)
{
    (void)pthread_mutex_lock(&gate);
    (void)pthread_mutex_unlock(&gate);
    return pwrite(fd, data, len, offset);
}

static void set_gate(bool is_there)
{
    static const char *const names[] = {"write", "pwrite", "pwrite64"};
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    for (size_t i = 0; i < 3; i++) {
        sqlite3_syscall_ptr call = i == 0 ? (sqlite3_syscall_ptr)write_behind_gate
                                          : (sqlite3_syscall_ptr)pwrite_behind_gate;
        (void)vfs->xSetSystemCall(vfs, names[i], is_there ? call : NULL);
    }
}

/* With the caller's writes at the gate this would not end. */
static void nobody_waits_for_a_busy_disk(void **state)
{
    (void)state;
    set_gate(true);
    struct memory *m = open_memory();
    memory_room_put(m, &den);
    assert_null(memory_keep(m));
    (void)pthread_mutex_lock(&gate);
    for (unsigned i = 1; i <= 80; i++) {
        add(m, i, "number");
        memory_last(m, den.id, i);
        assert_null(memory_keep(m));
        memory_wait(m, 1);
    }
    (void)pthread_mutex_unlock(&gate);
    struct memory_room found;
    assert_int_equal(memory_room(m, "den", &found), 1);
    assert_int_equal(found.last, 80);
    memory_lines(m, den.id, 100, on_line, NULL);
    assert_int_equal(got_count, 80);
    memory_close(m);
    set_gate(false);
}

/* What grows with time is cut at the next start. */
static void what_is_old_is_forgotten(void **state)
{
    uint8_t other[TERN_KEY_SIZE] = {6};
    (void)state;
    struct memory *m = open_memory();
    memory_room_put(m, &den);
    add(m, 1, "first");
    for (unsigned i = 2; i <= MEMORY_LINES + 1; i++) {
        struct memory_line line = {.seq = i, .nick = "bob", .text = "x"};
        memcpy(line.key, key, sizeof line.key);
        memory_line(m, den.id, &line, false);
    }
    memory_chain(m, den.id, other, 7, 1, chat_text("old"));
    memory_chain(m, den.id, key, 7, 5, chat_text("new"));
    memory_last(m, den.id, MEMORY_EVENTS + 5);
    memory_close(m);
    m = open_memory();
    memory_chains(m, den.id, on_chain, NULL);
    assert_int_equal(got_count, 1);
    assert_string_equal(got[0], "7 new");
    got_count = 0;
    memory_search(m, den.id, chat_text("first"), on_line, NULL);
    memory_before(m, den.id, 2, on_line, NULL);
    assert_int_equal(got_count, 0);
    memory_close(m);
}

/* Long lines take the place of many: by bytes, too, the oldest go, and no others. */
static void a_file_that_is_too_large_loses_its_oldest_lines(void **state)
{
    static char text[20001];
    (void)state;
    struct memory *m = open_memory();
    memory_room_put(m, &den);
    memset(text, 'x', sizeof text - 1);
    for (uint64_t i = 1; i <= 1200; i++) {
        (void)snprintf(text, 6, "%05u", (unsigned)i);
        text[5] = i == 1 || i == 1200 ? ' ' : 'x';
        add(m, i, text);
    }
    memory_trim(m, (uint64_t)1 << 40, 10);
    memory_search(m, den.id, chat_text("00001"), on_line, NULL);
    assert_int_equal(got_count, 1); /* there is room enough */
    memory_trim(m, 30 << 20, 10);
    memory_search(m, den.id, chat_text("00001"), on_line, NULL);
    assert_int_equal(got_count, 1);
    memory_search(m, den.id, chat_text("01200"), on_line, NULL);
    assert_int_equal(got_count, 2);
    got_count = 0;
    memory_lines(m, den.id, 100, on_line, NULL);
    assert_int_equal(got_count, 100);
    assert_memory_equal(got[99], "01200", 5);
    assert_null(memory_keep(m));
    memory_close(m);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(a_file_that_is_too_large_loses_its_oldest_lines, begin, end),
    cmocka_unit_test_setup_teardown(what_is_old_is_forgotten, begin, end),
    cmocka_unit_test_setup_teardown(what_was_kept_is_there_again, begin, end),
    cmocka_unit_test_setup_teardown(lines_are_found, begin, end),
    cmocka_unit_test_setup_teardown(only_one_program_has_it, begin, end),
    cmocka_unit_test_setup_teardown(a_damaged_file_is_set_aside, begin, end),
    cmocka_unit_test_setup_teardown(another_programs_file_is_left_alone, begin, end),
    cmocka_unit_test_setup_teardown(what_cannot_be_written_is_told_once, begin, end),
    cmocka_unit_test_setup_teardown(a_killed_program_leaves_what_was_kept, begin, end),
    cmocka_unit_test_setup_teardown(nobody_waits_for_a_busy_disk, begin, end),
};

TERN_TEST_MAIN(tests)
