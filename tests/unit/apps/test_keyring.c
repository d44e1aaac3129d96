/* Keys as text and on disk.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "shared/keyring.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <tern/config.h>

#include "unit/apps/folder.h"

#define PATH_SIZE 128

static void fill(uint8_t key[TERN_KEY_SIZE], uint8_t seed)
{
    for (size_t i = 0; i < TERN_KEY_SIZE; i++) {
        key[i] = (uint8_t)(seed + 37 * i);
    }
}

static void text_form_round_trips(void **state)
{
    (void)state;
    uint8_t key[TERN_KEY_SIZE], back[TERN_KEY_SIZE];
    char text[KEYRING_TEXT_SIZE];
    for (unsigned seed = 0; seed < 256; seed++) {
        fill(key, (uint8_t)seed);
        keyring_format(key, text);
        assert_int_equal(strlen(text), 57);
        assert_true(keyring_parse(text, strlen(text), back));
        assert_memory_equal(key, back, sizeof key);
    }
}

/* The bytes of RFC 4648 §10 and known padding, so that the text stays the same over versions. */
static void text_form_is_base32(void **state)
{
    (void)state;
    uint8_t key[TERN_KEY_SIZE] = {'f', 'o', 'o', 'b', 'a', 'r'};
    char text[KEYRING_TEXT_SIZE];
    keyring_format(key, text);
    assert_string_equal(text, "tern:mzxw6ytboiaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    memset(key, 0xff, sizeof key);
    keyring_format(key, text);
    assert_string_equal(text, "tern:777777777777777777777777777777777777777777777777777q");
}

static void lines_that_are_no_keys_are_found(void **state)
{
    uint8_t key[TERN_KEY_SIZE];
    char text[KEYRING_TEXT_SIZE], path[PATH_SIZE];
    (void)snprintf(path, sizeof path, "%s/list", (const char *)*state);
    assert_int_equal(keyring_bad_line(path, 0), 0);
    fill(key, 1);
    keyring_format(key, text);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    (void)fprintf(file, "# keys\n\n%s ann\r\nssh-ed25519 AAAA\n \n%s\n %s\n", text, text, text);
    (void)fprintf(file, "%02000d\n%s %02000d\nlast", 0, text, 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(keyring_bad_line(path, 0), 4);
    assert_int_equal(keyring_bad_line(path, 4), 7);
    assert_int_equal(keyring_bad_line(path, 7), 8);
    assert_int_equal(keyring_bad_line(path, 8), 10);
    assert_int_equal(keyring_bad_line(path, 10), 0);
}

static void other_texts_are_no_keys(void **state)
{
    (void)state;
    uint8_t key[TERN_KEY_SIZE] = {0}, out[TERN_KEY_SIZE];
    char text[KEYRING_TEXT_SIZE];
    keyring_format(key, text);
    size_t len = strlen(text);
    for (size_t cut = 0; cut < len; cut++) {
        assert_false(keyring_parse(text, cut, out));
    }
    text[len] = 'a';
    assert_false(keyring_parse(text, len + 1, out));
    for (size_t i = 0; i < len; i++) {
        char old = text[i];
        for (const char *bad = "A1 \n89=:"; *bad != '\0'; bad++) {
            if (*bad != old) {
                text[i] = *bad;
                assert_false(keyring_parse(text, len, out));
            }
        }
        text[i] = '\0';
        assert_false(keyring_parse(text, len, out));
        text[i] = old;
    }
    text[len - 1] = 'b'; /* a bit in the padding: not the one text of this key */
    assert_false(keyring_parse(text, len, out));
}

static void words_differ_and_can_be_said(void **state)
{
    (void)state;
    uint8_t key[TERN_KEY_SIZE];
    char a[KEYRING_WORDS_SIZE], b[KEYRING_WORDS_SIZE];
    fill(key, 1);
    keyring_words(key, a);
    assert_int_equal(strlen(a), 23);
    assert_int_equal(strspn(a, "abdfghijklmnoprstuvz-"), 23);
    key[31] ^= 1;
    keyring_words(key, b);
    assert_string_not_equal(a, b);
}

static void paths_follow_the_environment(void **state)
{
    (void)state;
    char path[KEYRING_PATH_SIZE];
    assert_int_equal(setenv("HOME", "/home/me", 1), 0);
    assert_int_equal(setenv("XDG_CONFIG_HOME", "/conf", 1), 0);
    assert_true(keyring_path("id", path));
    assert_string_equal(path, "/conf/tern/id");
    assert_int_equal(setenv("XDG_CONFIG_HOME", "relative", 1), 0); /* must be ignored */
    assert_true(keyring_path("id", path));
    assert_string_equal(path, "/home/me/.config/tern/id");
    assert_int_equal(unsetenv("XDG_CONFIG_HOME"), 0);
    assert_int_equal(unsetenv("HOME"), 0);
    assert_false(keyring_path("id", path));
}

static void a_new_key_loads_and_is_not_replaced(void **state)
{
    char path[PATH_SIZE];
    uint8_t pub[TERN_KEY_SIZE], secret[TERN_KEY_SIZE], again[TERN_KEY_SIZE];
    struct stat st;
    (void)folder_path(*state, "new/folder/id", path, sizeof path);
    assert_int_equal(keyring_load(path, secret), KEYRING_ABSENT);
    assert_int_equal(keyring_create(path, pub), KEYRING_OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(keyring_load(path, secret), KEYRING_OK);
    tern_key_public(again, secret);
    assert_memory_equal(pub, again, sizeof pub);
    assert_int_equal(keyring_create(path, again), KEYRING_SYSTEM);
    assert_int_equal(errno, EEXIST);
    assert_int_equal(keyring_load(path, again), KEYRING_OK);
    assert_memory_equal(secret, again, sizeof secret);
}

static void keys_that_others_can_read_are_refused(void **state)
{
    static const mode_t bad[] = {0640, 0604, 0620, 0610, 0601, 0644, 0777};
    char path[PATH_SIZE];
    uint8_t pub[TERN_KEY_SIZE], secret[TERN_KEY_SIZE];
    (void)folder_path(*state, "id", path, sizeof path);
    assert_int_equal(keyring_create(path, pub), KEYRING_OK);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(chmod(path, bad[i]), 0);
        assert_int_equal(keyring_load(path, secret), KEYRING_UNSAFE);
    }
    assert_int_equal(chmod(path, 0400), 0);
    assert_int_equal(keyring_load(path, secret), KEYRING_OK);
}

static void files_without_a_key_are_malformed(void **state)
{
    static const char *const bad[] = {
        "", "\n", "tern:", "nonsense\n",
        "tern:mzxw6ytboiaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa x"};
    char path[PATH_SIZE];
    uint8_t secret[TERN_KEY_SIZE];
    (void)folder_path(*state, "id", path, sizeof path);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        folder_write(*state, "id", bad[i], 0600);
        assert_int_equal(keyring_load(path, secret), KEYRING_MALFORMED);
    }
}

static void hosts_are_remembered(void **state)
{
    char path[PATH_SIZE];
    uint8_t a[TERN_KEY_SIZE], b[TERN_KEY_SIZE], out[TERN_KEY_SIZE];
    fill(a, 1);
    fill(b, 2);
    (void)folder_path(*state, "conf/known_hosts", path, sizeof path);
    assert_int_equal(keyring_known(path, "h:1", out), KEYRING_ABSENT);
    assert_int_equal(keyring_remember(path, "h:1", a), KEYRING_OK);
    assert_int_equal(keyring_remember(path, "h:12", b), KEYRING_OK);
    assert_int_equal(keyring_known(path, "h:1", out), KEYRING_OK);
    assert_memory_equal(out, a, sizeof a);
    assert_int_equal(keyring_known(path, "h:12", out), KEYRING_OK);
    assert_memory_equal(out, b, sizeof b);
    assert_int_equal(keyring_known(path, "h:", out), KEYRING_ABSENT);
    assert_int_equal(keyring_known(path, "H:1", out), KEYRING_ABSENT);
}

static void known_hosts_are_read_with_care(void **state)
{
    char path[PATH_SIZE], text[KEYRING_TEXT_SIZE], file[2048], longest[1500];
    uint8_t key[TERN_KEY_SIZE], out[TERN_KEY_SIZE];
    fill(key, 3);
    keyring_format(key, text);
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    (void)snprintf(file, sizeof file, "# h:1 comment\n\nbad:1 nonsense\n%s\nh:1 %s\r\nlast:1 %s",
                   longest, text, text);
    folder_write(*state, "known", file, 0600);
    (void)folder_path(*state, "known", path, sizeof path);
    assert_int_equal(keyring_known(path, "h:1", out), KEYRING_OK);
    assert_memory_equal(out, key, sizeof key);
    assert_int_equal(keyring_known(path, "last:1", out), KEYRING_OK);
    assert_int_equal(keyring_known(path, "bad:1", out), KEYRING_MALFORMED);
}

/* People edit the file: blanks of any kind and number, and words of their own behind the key. */
static void lines_by_hand_are_read(void **state)
{
    char path[PATH_SIZE], text[KEYRING_TEXT_SIZE], file[512];
    uint8_t key[TERN_KEY_SIZE], out[TERN_KEY_SIZE];
    fill(key, 4);
    keyring_format(key, text);
    (void)snprintf(file, sizeof file,
                   "a:1   %s\nb:1\t%s\nc:1 %s  the server in the cellar\nd:1 %s \n", text, text,
                   text, text);
    folder_write(*state, "known", file, 0600);
    (void)folder_path(*state, "known", path, sizeof path);
    static const char *const hosts[] = {"a:1", "b:1", "c:1", "d:1"};
    for (size_t i = 0; i < 4; i++) {
        memset(out, 0, sizeof out);
        assert_int_equal(keyring_known(path, hosts[i], out), KEYRING_OK);
        assert_memory_equal(out, key, sizeof key);
    }
}

/* A host added behind a last line without a newline must not join that line. */
static void a_missing_newline_joins_no_lines(void **state)
{
    char path[PATH_SIZE], text[KEYRING_TEXT_SIZE], file[256];
    uint8_t key[TERN_KEY_SIZE], out[TERN_KEY_SIZE];
    fill(key, 4);
    keyring_format(key, text);
    (void)snprintf(file, sizeof file, "old:1 %s", text);
    folder_write(*state, "known", file, 0600);
    (void)folder_path(*state, "known", path, sizeof path);
    assert_int_equal(keyring_remember(path, "new:1", key), KEYRING_OK);
    assert_int_equal(keyring_known(path, "old:1", out), KEYRING_OK);
    assert_int_equal(keyring_known(path, "new:1", out), KEYRING_OK);
}

/* The disk is full in the middle of a line: it is gone again, and can be written when there is room. */
static void half_a_line_is_not_left(void **state)
{
    char path[PATH_SIZE];
    uint8_t key[TERN_KEY_SIZE], out[TERN_KEY_SIZE];
    struct rlimit whole, small;
    struct stat st;
    fill(key, 5);
    (void)folder_path(*state, "known", path, sizeof path);
    assert_int_equal(keyring_remember(path, "one:1", key), KEYRING_OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &whole), 0);
    assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    for (rlim_t room = 0; room < 70; room += 7) {
        small = whole;
        small.rlim_cur = (rlim_t)st.st_size + room;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        enum keyring_result result = keyring_remember(path, "two:2", key);
        int error = errno;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &whole), 0);
        if (result == KEYRING_OK) {
            break;
        }
        assert_int_equal(error, EFBIG);
        assert_int_equal(keyring_known(path, "two:2", out), KEYRING_ABSENT);
        assert_int_equal(keyring_known(path, "one:1", out), KEYRING_OK);
    }
    assert_int_equal(keyring_remember(path, "two:2", key), KEYRING_OK);
    assert_int_equal(keyring_known(path, "two:2", out), KEYRING_OK);
}

/* Without its public half a key is not there either, so that the next try goes well. */
static void half_a_key_is_not_left(void **state)
{
    char path[PATH_SIZE], other[PATH_SIZE];
    uint8_t pub[TERN_KEY_SIZE], secret[TERN_KEY_SIZE];
    (void)folder_path(*state, "id", path, sizeof path);
    (void)folder_path(*state, "id.pub", other, sizeof other);
    assert_int_equal(mkdir(other, 0700), 0);
    assert_int_equal(keyring_create(path, pub), KEYRING_SYSTEM);
    assert_int_equal(errno, EISDIR);
    assert_int_equal(keyring_load(path, secret), KEYRING_ABSENT);
    assert_int_equal(rmdir(other), 0);
    assert_int_equal(keyring_create(path, pub), KEYRING_OK);
    assert_int_equal(keyring_load(path, secret), KEYRING_OK);
}

static void clients_are_let_in_by_their_keys(void **state)
{
    char path[PATH_SIZE], text[KEYRING_TEXT_SIZE], file[512];
    uint8_t a[TERN_KEY_SIZE], b[TERN_KEY_SIZE], c[TERN_KEY_SIZE];
    fill(a, 5);
    fill(b, 6);
    fill(c, 7);
    keyring_format(a, text);
    int n = snprintf(file, sizeof file, "# keys\n%s somebody's laptop\nnonsense\n#", text);
    keyring_format(c, text);
    n += snprintf(file + n, sizeof file - (size_t)n, "%s\n", text);
    keyring_format(b, text);
    (void)snprintf(file + n, sizeof file - (size_t)n, "%s\tother", text);
    (void)folder_path(*state, "keys", path, sizeof path);
    assert_int_equal(keyring_is_authorized(path, a), KEYRING_SYSTEM);
    folder_write(*state, "keys", file, 0600);
    assert_int_equal(keyring_is_authorized(path, a), KEYRING_OK);
    assert_int_equal(keyring_is_authorized(path, b), KEYRING_OK);
    assert_int_equal(keyring_is_authorized(path, c), KEYRING_ABSENT);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(text_form_round_trips),
    cmocka_unit_test(text_form_is_base32),
    cmocka_unit_test(other_texts_are_no_keys),
    cmocka_unit_test(words_differ_and_can_be_said),
    cmocka_unit_test(paths_follow_the_environment),
    cmocka_unit_test_setup_teardown(a_new_key_loads_and_is_not_replaced, folder_make,
                                    folder_remove),
    cmocka_unit_test_setup_teardown(keys_that_others_can_read_are_refused, folder_make,
                                    folder_remove),
    cmocka_unit_test_setup_teardown(files_without_a_key_are_malformed, folder_make, folder_remove),
    cmocka_unit_test_setup_teardown(hosts_are_remembered, folder_make, folder_remove),
    cmocka_unit_test_setup_teardown(known_hosts_are_read_with_care, folder_make, folder_remove),
    cmocka_unit_test_setup_teardown(lines_by_hand_are_read, folder_make, folder_remove),
    cmocka_unit_test_setup_teardown(a_missing_newline_joins_no_lines, folder_make, folder_remove),
    cmocka_unit_test_setup_teardown(half_a_line_is_not_left, folder_make, folder_remove),
    cmocka_unit_test_setup_teardown(half_a_key_is_not_left, folder_make, folder_remove),
    cmocka_unit_test_setup_teardown(lines_that_are_no_keys_are_found, folder_make, folder_remove),
    cmocka_unit_test_setup_teardown(clients_are_let_in_by_their_keys, folder_make, folder_remove),
};

TERN_TEST_MAIN(tests)
