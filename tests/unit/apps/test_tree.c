/* Nothing leaves the root, and a walk finds all there is.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/tree.h"

#include <errno.h>
#include <linux/openat2.h>
#include <sys/syscall.h>

#include "unit/apps/folder.h"
#include "unit/apps/untouched.h"

static const struct tree_rules plain = {.links = TREE_LINKS_LEFT_OUT};

#define COUNT_OF(a) (sizeof(a) / sizeof(a)[0])

static bool is_old; /* the kernel: it has no openat2 */

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

/* The one call of this kind that there is. */
long __wrap_syscall(long number, ...)
{
    va_list arguments;
    va_start(arguments, number);
    int at = va_arg(arguments, int);
    const char *name = va_arg(arguments, const char *);
    struct open_how *how = va_arg(arguments, struct open_how *);
    va_end(arguments);
    if (is_old) {
        errno = ENOSYS;
        return -1;
    }
    return __real_syscall(number, at, name, how, sizeof *how);
}

/* Without it no link is followed, not even one that stays beneath. */
static bool has_openat2(void)
{
    struct open_how how = {.flags = O_PATH};
    long fd = syscall(SYS_openat2, AT_FDCWD, ".", &how, sizeof how);
    return fd >= 0 && close((int)fd) == 0;
}

static void need_openat2(void)
{
    if (!has_openat2()) {
        skip_because("this kernel has no openat2");
    }
}

static void safe_names_are_told_from_others(void **state)
{
    (void)state;
    static const char *const good[] = {"a",  "a/b", "...",  "..a",          "a../b",   ".hidden",
                                       "-r", " ",   "a\nb", "\xe2\x98\x83", "a\\..\\b"};
    static const char *const bad[] = {"",    "/",   "/a",    "a/",   "a//b",
                                      ".",   "..",  "../a",  "a/..", "a/../b",
                                      "./a", "a/.", "a/./b", "//",   "a/b/../../../c"};
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        assert_true(tree_is_safe(good[i]));
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_false(tree_is_safe(bad[i]));
    }
    char component[300];
    memset(component, 'x', sizeof component);
    component[255] = '\0';
    assert_true(tree_is_safe(component));
    component[255] = 'x';
    component[256] = '\0';
    assert_false(tree_is_safe(component));
}

static void deep_names_are_told_from_others(void **state)
{
    char name[2 * (TREE_DEPTH_MAX + 2)] = "";
    (void)state;
    for (size_t i = 0; i < sizeof name - 1; i++) {
        name[i] = i % 2 == 0 ? 'd' : '/';
    }
    assert_false(tree_is_shallow(name));
    name[2 * TREE_DEPTH_MAX + 1] = '\0';
    assert_true(tree_is_shallow(name));
    assert_true(tree_is_shallow("d"));
}

/* A server is asked for "photos": it may send no ".bashrc" beside it. */
static void names_are_those_asked_for(void **state)
{
    (void)state;
    assert_true(tree_is_under("photos", "photos", false));
    assert_false(tree_is_under("photos/a", "photos", false));
    assert_true(tree_is_under("photos", "photos", true));
    assert_true(tree_is_under("photos/a/b", "photos", true));
    const char *const others[] = {".bashrc", "photo", "photosx", "photosx/a", "a/photos", "Photos"};
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        assert_false(tree_is_under(others[i], "photos", true));
        assert_false(tree_is_under(others[i], "photos", false));
        assert_true(tree_is_under(others[i], "", true));
    }
}

static void what_a_pattern_stands_for_was_asked_for(void **state)
{
    (void)state;
    assert_true(tree_is_under("one.c", "*.c", false));
    assert_true(tree_is_under("*.c", "*.c", false));
    assert_true(tree_is_under("a1/b", "a[0-9]", true));
    assert_false(tree_is_under("a1/b", "a[0-9]", false));
    assert_false(tree_is_under("one.h", "*.c", true));
    assert_false(tree_is_under(".c", "*.c", true));
    assert_false(tree_is_under(".bashrc", "*", true));
    assert_false(tree_is_under("x/one.c", "*.c", true));
    assert_false(tree_is_under("", "*", true));
}

/* root/{file, folder/file, in -> folder/file, out -> ../outside, etc -> /etc, loop -> loop}, and
 * outside/file beside it */
static int make_root(void **state)
{
    assert_int_equal(folder_make(state), 0);
    struct folder *folder = *state;
    assert_int_equal(mkdirat(folder->fd, "root", 0755), 0);
    assert_int_equal(mkdirat(folder->fd, "root/folder", 0755), 0);
    assert_int_equal(mkdirat(folder->fd, "outside", 0755), 0);
    folder_write(folder, "outside/file", "outside", 0644);
    folder_write(folder, "root/file", "inside", 0644);
    folder_write(folder, "root/folder/file", "deeper", 0644);
    assert_int_equal(symlinkat("folder/file", folder->fd, "root/in"), 0);
    assert_int_equal(symlinkat("folder", folder->fd, "root/within"), 0);
    assert_int_equal(symlinkat("../outside", folder->fd, "root/out"), 0);
    assert_int_equal(symlinkat("../outside/file", folder->fd, "root/outfile"), 0);
    assert_int_equal(symlinkat("/etc", folder->fd, "root/etc"), 0);
    assert_int_equal(symlinkat("loop", folder->fd, "root/loop"), 0);
    return 0;
}

static int open_root(const struct folder *folder)
{
    int root = openat(folder->fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
    assert_true(root >= 0);
    return root;
}

static void what_is_inside_opens(void **state)
{
    static const char *const names[] = {"file", "folder/file", "in"};
    need_openat2();
    int root = open_root(*state);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        int fd = tree_open(root, names[i], O_RDONLY, 0);
        assert_true(fd >= 0);
        assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
        (void)close(fd);
    }
    int fd = tree_open(root, ".", O_PATH | O_DIRECTORY, 0);
    assert_true(fd >= 0);
    (void)close(fd);
    fd = tree_open(root, "folder/new", O_WRONLY | O_CREAT | O_EXCL, 0640);
    assert_true(fd >= 0);
    (void)close(fd);
    (void)close(root);
}

static void what_leaves_does_not_open(void **state)
{
    static const char *const names[] = {"../outside/file",
                                        "folder/../../outside/file",
                                        "/etc/passwd",
                                        "out/file",
                                        "outfile",
                                        "etc/passwd",
                                        "out",
                                        "etc"};
    int root = open_root(*state);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        errno = 0;
        assert_int_equal(tree_open(root, names[i], O_RDONLY, 0), -1);
        assert_int_equal(proto_status_of(errno), PROTO_REFUSED_PATH);
        assert_int_equal(tree_open(root, names[i], O_WRONLY | O_CREAT, 0644), -1);
    }
    assert_int_equal(tree_open(root, "out/new", O_WRONLY | O_CREAT, 0644), -1);
    assert_int_equal(tree_open(root, "loop", O_RDONLY, 0), -1);
    assert_int_equal(errno, ELOOP);
    assert_int_equal(tree_open(root, "none", O_RDONLY, 0), -1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(faccessat(((struct folder *)*state)->fd, "outside/new", F_OK, 0), -1);
    (void)close(root);
}

static void parents_stay_inside(void **state)
{
    need_openat2();
    int root = open_root(*state);
    const char *last;
    int fd = tree_open_parent(root, "folder/file", 0, &last);
    assert_true(fd >= 0);
    assert_string_equal(last, "file");
    assert_int_equal(faccessat(fd, "file", R_OK, 0), 0);
    (void)close(fd);
    fd = tree_open_parent(root, "alone", 0, &last);
    assert_true(fd >= 0);
    assert_string_equal(last, "alone");
    (void)close(fd);
    fd = tree_open_parent(root, "within/file", 0, &last); /* a link that stays beneath */
    assert_true(fd >= 0);
    (void)close(fd);
    assert_int_equal(tree_open_parent(root, "within/file", TREE_NO_LINKS, &last), -1);
    fd = tree_open_parent(root, "folder/file", TREE_NO_LINKS, &last);
    assert_true(fd >= 0);
    (void)close(fd);
    assert_int_equal(tree_open_parent(root, "out/file", 0, &last), -1);
    assert_int_equal(tree_open_parent(root, "../x", 0, &last), -1);
    assert_int_equal(tree_open_parent(root, "file/x", 0, &last), -1);
    assert_int_equal(errno, ENOTDIR);
    (void)close(root);
}

static void without_openat2_no_link_is_followed(void **state)
{
    static const char *const links[] = {"in",     "within/file", "out/file", "outfile",
                                        "within", "etc/passwd",  "loop",     "loop/file"};
    const char *last;
    int root = open_root(*state);
    is_old = true;
    for (size_t i = 0; i < COUNT_OF(links); i++) {
        errno = 0;
        assert_int_equal(tree_open(root, links[i], O_RDONLY, 0), -1);
        assert_int_equal(errno, ELOOP);
        assert_int_equal(tree_open(root, links[i], O_WRONLY | O_CREAT, 0644), -1);
        assert_int_equal(tree_open(root, links[i], O_PATH, 0), -1);
        assert_int_equal(errno, ELOOP);
    }
    assert_int_equal(tree_open_parent(root, "out/file", 0, &last), -1);
    assert_int_equal(errno, ELOOP);
    int link = tree_open(root, "in", O_PATH | O_NOFOLLOW, 0);
    assert_true(link >= 0);
    (void)close(link);
    assert_int_equal(tree_open_parent(root, "file/x", 0, &last), -1);
    assert_int_equal(errno, ENOTDIR);
    assert_int_equal(tree_open(root, "../outside/file", O_RDONLY, 0), -1);
    assert_int_equal(errno, EXDEV);
    assert_int_equal(tree_open(root, "folder/none", O_RDONLY, 0), -1);
    assert_int_equal(errno, ENOENT);
    int fd = tree_open(root, "folder/file", O_RDONLY, 0);
    is_old = false;
    assert_true(fd >= 0);
    (void)close(fd);
    (void)close(root);
}

static void last_components_are_found(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"a", "a"}, {"a/b", "b"}, {"/a/b/", "b"}, {"a//", "a"}, {"/", ""},
        {"", ""},   {".", ""},    {"a/..", ""},   {"-r", "-r"},
    };
    char out[16];
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        tree_basename(pairs[i][0], out, sizeof out);
        assert_string_equal(out, pairs[i][1]);
    }
    tree_basename("a/0123456789abcdefXX", out, sizeof out);
    assert_string_equal(out, "0123456789abcde");
}

static void a_walk_finds_all_and_follows_no_link(void **state)
{
    static struct tree_entry entry;
    int root = open_root(*state);
    unsigned files = 0, folders = 0, skipped = 0;
    enum tree_result result;
    struct tree_walk *walk = tree_walk_new(root, ".", "top", true, &plain);
    assert_non_null(walk);
    while ((result = tree_walk_next(walk, &entry)) != TREE_END) {
        assert_int_equal(strncmp(entry.name, "top", 3), 0);
        if (result == TREE_SKIPPED) {
            assert_int_equal(errno, 0);
            skipped++;
        } else if (entry.fd < 0) {
            assert_true(S_ISDIR(entry.st.st_mode));
            folders++;
        } else {
            assert_int_equal(entry.st.st_size, 6);
            (void)close(entry.fd);
            files++;
        }
    }
    assert_int_equal(files, 2);
    assert_int_equal(folders, 2);
    assert_int_equal(skipped, 6);
    tree_walk_free(walk);
    (void)close(root);
}

static void a_walk_starts_where_it_may(void **state)
{
    static struct tree_entry entry;
    struct folder *folder = *state;
    need_openat2();
    int root = open_root(folder);
    assert_null(tree_walk_new(root, "folder", "f", false, &plain));
    assert_int_equal(errno, EISDIR);
    assert_null(tree_walk_new(root, "out", "f", true, &plain));
    assert_int_equal(errno, EXDEV);
    assert_null(tree_walk_new(root, "none", "f", true, &plain));
    assert_int_equal(errno, ENOENT);
    assert_int_equal(mkfifoat(folder->fd, "root/pipe", 0600), 0);
    assert_null(tree_walk_new(root, "pipe", "f", true, &plain));
    assert_int_equal(errno, EINVAL);
    struct tree_walk *walk = tree_walk_new(root, "file", "other name", false, &plain);
    assert_non_null(walk);
    assert_int_equal(tree_walk_next(walk, &entry), TREE_ENTRY);
    assert_string_equal(entry.name, "other name");
    (void)close(entry.fd);
    assert_int_equal(tree_walk_next(walk, &entry), TREE_END);
    tree_walk_free(walk);
    walk = tree_walk_new(root, ".", "dropped half way", true, &plain);
    assert_int_equal(tree_walk_next(walk, &entry), TREE_ENTRY);
    tree_walk_free(walk);
    tree_walk_free(NULL);
    (void)close(root);
}

struct found {
    unsigned files, folders, links, why[6];
};

/* Beneath a root, or as a user writes it (the descriptor's own path). */
static struct found walk_all(int root, bool is_beneath, const struct tree_rules *rules)
{
    static struct tree_entry entry;
    struct found found = {0};
    enum tree_result result;
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", root);
    struct tree_walk *walk = is_beneath ? tree_walk_new(root, ".", "top", true, rules)
                                        : tree_walk_new(-1, path, "top", true, rules);
    assert_non_null(walk);
    while ((result = tree_walk_next(walk, &entry)) != TREE_END) {
        if (result == TREE_SKIPPED) {
            found.why[entry.why]++;
        } else if (entry.fd >= 0) {
            found.files++;
            (void)close(entry.fd);
        } else if (S_ISLNK(entry.st.st_mode)) {
            found.links++;
            assert_true(tree_walk_target(walk)[0] != '\0');
        } else {
            found.folders++;
            assert_true(tree_walk_folder(walk) >= 0);
        }
    }
    tree_walk_free(walk);
    return found;
}

static void links_are_kept_as_they_are(void **state)
{
    int root = open_root(*state);
    struct tree_rules rules = {.links = TREE_LINKS_KEPT};
    assert_int_equal(mkfifoat(root, "fifo", 0600), 0);
    struct found found = walk_all(root, true, &rules);
    assert_int_equal(found.files, 2);
    assert_int_equal(found.folders, 2);
    assert_int_equal(found.links, 6);
    assert_int_equal(found.why[TREE_WHY_SPECIAL], 1);
    rules.links = TREE_LINKS_LEFT_OUT;
    found = walk_all(root, true, &rules);
    assert_int_equal(found.why[TREE_WHY_LINK], 6);
    (void)close(root);
}

/* "in" and "within" lead to what is inside; "loop" to itself; the others outside. */
static void followed_links_end_and_stay_beneath(void **state)
{
    const struct folder *folder = *state;
    need_openat2();
    int root = open_root(folder);
    struct tree_rules rules = {.links = TREE_LINKS_FOLLOWED};
    assert_int_equal(symlinkat("..", root, "folder/up"), 0);
    assert_int_equal(unlinkat(root, "etc", 0), 0);
    assert_int_equal(symlinkat("gone", root, "broken"), 0);
    struct found found = walk_all(root, true, &rules);
    assert_int_equal(found.files, 4); /* file, folder/file, in, within/file */
    assert_int_equal(found.folders, 3);
    assert_int_equal(found.why[TREE_WHY_LOOP], 3);    /* loop, folder/up, within/up */
    assert_int_equal(found.why[TREE_WHY_OUTSIDE], 2); /* out, outfile */
    assert_int_equal(found.why[TREE_WHY_ERROR], 1);   /* broken */
    found = walk_all(root, false, &rules);
    assert_int_equal(found.files, 6); /* out/file and outfile, too */
    assert_int_equal(found.why[TREE_WHY_OUTSIDE], 0);
    (void)close(root);
}

static void a_filter_spares_what_it_leaves_out(void **state)
{
    need_openat2();
    int root = open_root(*state);
    struct filter *filter = filter_new();
    struct tree_rules rules = {.links = TREE_LINKS_FOLLOWED, .filter = filter};
    assert_int_equal(filter_add(filter, false, "/folder/"), FILTER_OK);
    assert_int_equal(filter_add(filter, false, "out*"), FILTER_OK);
    assert_int_equal(filter_add(filter, false, "etc"), FILTER_OK);
    assert_int_equal(filter_add(filter, false, "within/"), FILTER_OK); /* a link to a folder */
    struct found found = walk_all(root, true, &rules);
    assert_int_equal(found.files, 2); /* file, in */
    assert_int_equal(found.folders, 1);
    assert_int_equal(found.why[TREE_WHY_LOOP], 1);
    filter_free(filter);
    (void)close(root);
}

static void depth_has_an_end(void **state)
{
    const struct folder *folder = *state;
    struct tree_rules rules = {.links = TREE_LINKS_KEPT};
    int at = dup(folder->fd);
    for (unsigned i = 0; i < TREE_DEPTH_MAX + 5; i++) {
        assert_int_equal(mkdirat(at, "d", 0700), 0);
        int next = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        (void)close(at);
        at = next;
    }
    (void)close(at);
    struct found found = walk_all(folder->fd, true, &rules);
    assert_int_equal(found.folders, TREE_DEPTH_MAX);
    assert_int_equal(found.why[TREE_WHY_DEEP], 1);
}

/* To open a device may rewind a tape, to open a FIFO lets its other side go. */
static void what_is_no_file_is_not_opened(void **state)
{
    const struct folder *folder = *state;
    char path[128], link[128];
    const char *const wrong[] = {"fifo", "socket", "device"};
    pid_t writer = untouched_fifo(folder_path(folder, "fifo", path, sizeof path));
    untouched_socket(folder_path(folder, "socket", path, sizeof path));
    bool has_device = untouched_device(folder_path(folder, "device", path, sizeof path));
    for (size_t i = 0; i < (has_device ? 3 : 2); i++) {
        assert_int_equal(tree_open_regular(folder->fd, wrong[i], O_RDONLY), -1);
        assert_int_equal(errno, TREE_NO_FILE);
        assert_int_equal(tree_open_regular(folder->fd, wrong[i], O_RDWR), -1);
        assert_int_equal(errno, TREE_NO_FILE);
        (void)snprintf(link, sizeof link, "link-%s", wrong[i]);
        assert_int_equal(symlinkat(wrong[i], folder->fd, link), 0);
        for (int links = TREE_LINKS_LEFT_OUT; links <= TREE_LINKS_FOLLOWED; links++) {
            struct tree_rules rules = {.links = (enum tree_links)links};
            assert_null(tree_walk_new(folder->fd, wrong[i], "x", true, &rules));
            assert_int_equal(errno, EINVAL);
            assert_null(tree_walk_new(-1, folder_path(folder, wrong[i], path, sizeof path), "x",
                                      true, &rules));
            assert_int_equal(errno, EINVAL);
            if (links != TREE_LINKS_KEPT) {
                assert_null(tree_walk_new(folder->fd, link, "x", true, &rules));
                assert_int_equal(errno, has_openat2() ? EINVAL : ELOOP);
            }
        }
    }
    struct tree_rules follow = {.links = TREE_LINKS_FOLLOWED};
    struct tree_walk *walk = tree_walk_new(folder->fd, ".", "x", true, &follow);
    struct tree_entry entry;
    enum tree_result found;
    assert_non_null(walk);
    while ((found = tree_walk_next(walk, &entry)) != TREE_END) {
        assert_true(found == TREE_SKIPPED || strcmp(entry.name, "x") == 0);
    }
    tree_walk_free(walk);
    assert_true(untouched_is_so(writer));
}

static void files_are_opened_as_asked(void **state)
{
    const struct folder *folder = *state;
    char text[8] = "";
    folder_write(folder, "file", "abc", 0600);
    assert_int_equal(mkdirat(folder->fd, "folder", 0700), 0);
    assert_int_equal(symlinkat("file", folder->fd, "link"), 0);
    int fd = tree_open_regular(folder->fd, "file", O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(read(fd, text, sizeof text), 3);
    assert_int_equal(write(fd, "d", 1), 1);
    assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    assert_int_equal(close(fd), 0);
    fd = tree_open_regular(folder->fd, "file", O_RDONLY);
    assert_int_equal(read(fd, text, sizeof text), 4);
    assert_int_equal(write(fd, "e", 1), -1);
    assert_int_equal(close(fd), 0);
    static const struct {
        const char *name;
        int error;
    } wrong[] = {{"folder", EISDIR}, {"link", ELOOP}, {"absent", ENOENT}};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        assert_int_equal(tree_open_regular(folder->fd, wrong[i].name, O_RDONLY), -1);
        assert_int_equal(errno, wrong[i].error);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(names_are_those_asked_for),
    cmocka_unit_test(what_a_pattern_stands_for_was_asked_for),
    cmocka_unit_test(safe_names_are_told_from_others),
    cmocka_unit_test(deep_names_are_told_from_others),
    cmocka_unit_test_setup_teardown(what_is_inside_opens, make_root, folder_remove),
    cmocka_unit_test_setup_teardown(what_leaves_does_not_open, make_root, folder_remove),
    cmocka_unit_test_setup_teardown(parents_stay_inside, make_root, folder_remove),
    cmocka_unit_test_setup_teardown(without_openat2_no_link_is_followed, make_root, folder_remove),
    cmocka_unit_test(last_components_are_found),
    cmocka_unit_test_setup_teardown(a_walk_finds_all_and_follows_no_link, make_root, folder_remove),
    cmocka_unit_test_setup_teardown(a_walk_starts_where_it_may, make_root, folder_remove),
    cmocka_unit_test_setup_teardown(links_are_kept_as_they_are, make_root, folder_remove),
    cmocka_unit_test_setup_teardown(followed_links_end_and_stay_beneath, make_root, folder_remove),
    cmocka_unit_test_setup_teardown(a_filter_spares_what_it_leaves_out, make_root, folder_remove),
    cmocka_unit_test_setup_teardown(depth_has_an_end, folder_make, folder_remove),
    cmocka_unit_test_setup_teardown(what_is_no_file_is_not_opened, folder_make, folder_remove),
    cmocka_unit_test_setup_teardown(files_are_opened_as_asked, folder_make, folder_remove),
};

TERN_TEST_MAIN(tests)
