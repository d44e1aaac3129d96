/* Attributes go there and back, and none that a peer must not set.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/attrs.h"

#include <errno.h>
#include <string.h>
#include <sys/xattr.h>

#include "unit/apps/folder.h"

/* user:: rw-, user:65534 r--, group:: r--, mask:: r--, other:: --- */
static const uint8_t acl[] = {2, 0,   0,   0,   1,   0,   6,  0, 255, 255, 255, 255, 2,   0,  4,
                              0, 254, 255, 0,   0,   4,   0,  4, 0,   255, 255, 255, 255, 16, 0,
                              4, 0,   255, 255, 255, 255, 32, 0, 0,   0,   255, 255, 255, 255};

static int open_new(const struct folder *folder, const char *name)
{
    folder_write(folder, name, "text", 0644);
    int fd = openat(folder->fd, name, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static void they_go_there_and_back(void **state)
{
    const struct folder *folder = *state;
    static uint8_t buf[ATTRS_XATTRS_MAX], again[ATTRS_XATTRS_MAX];
    size_t len, again_len;
    int from = open_new(folder, "from"), to = open_new(folder, "to"), why;
    if (fsetxattr(from, "user.colour", "red\0green", 9, 0) != 0) {
        (void)close(from);
        (void)close(to);
        skip_because("this file system has no attributes of users");
    }
    assert_int_equal(fsetxattr(from, "user.empty", "", 0, 0), 0);
    assert_int_equal(fsetxattr(to, "user.old", "x", 1, 0), 0);
    bool has_acl = fsetxattr(from, "system.posix_acl_access", acl, sizeof acl, 0) == 0;
    assert_int_equal(attrs_read_xattrs(from, buf, &len), 0);
    assert_true(attrs_are_valid(buf, len));
    struct attrs attrs = {.has_mode = true,
                          .has_times = true,
                          .has_xattrs = true,
                          .mode = 0640,
                          .mtime = {.tv_sec = 123456789, .tv_nsec = 987654321},
                          .xattrs = buf,
                          .xattrs_len = len};
    assert_int_equal(attrs_apply(to, &attrs, &why), 0);
    assert_int_equal(why, 0);
    assert_int_equal(attrs_read_xattrs(to, again, &again_len), 0);
    assert_int_equal(again_len, len);
    struct stat st;
    assert_int_equal(fstat(to, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(st.st_mtim.tv_sec, 123456789);
    assert_int_equal(st.st_mtim.tv_nsec, 987654321);
    char value[64];
    assert_int_equal(fgetxattr(to, "user.colour", value, sizeof value), 9);
    assert_memory_equal(value, "red\0green", 9);
    assert_int_equal(fgetxattr(to, "user.empty", value, sizeof value), 0);
    assert_int_equal(fgetxattr(to, "user.old", value, sizeof value), -1);
    if (has_acl) {
        assert_int_equal(fgetxattr(to, "system.posix_acl_access", value, sizeof value), sizeof acl);
        assert_memory_equal(value, acl, sizeof acl);
    }
    (void)close(from);
    (void)close(to);
}

static size_t put(uint8_t *at, const char *name, size_t value_len)
{
    size_t n = strlen(name);
    at[0] = (uint8_t)n;
    at[1] = at[2] = 0;
    at[3] = (uint8_t)(value_len >> 8);
    at[4] = (uint8_t)value_len;
    memcpy(at + 5, name, n);
    memset(at + 5 + n, 'v', value_len);
    return 5 + n + value_len;
}

static void a_peer_sets_only_what_it_may(void **state)
{
    (void)state;
    static const char *const refused[] = {"security.capability",
                                          "trusted.overlay.opaque",
                                          "system.posix_acl",
                                          "security.selinux",
                                          "user.",
                                          "system.nfs4_acl",
                                          "",
                                          "USER.x"};
    uint8_t buf[600];
    size_t len = put(buf, "user.a", 300);
    assert_true(attrs_are_valid(NULL, 0));
    assert_true(attrs_are_valid(buf, len));
    for (size_t cut = 1; cut < len; cut++) {
        assert_false(attrs_are_valid(buf, cut));
    }
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        assert_false(attrs_are_valid(buf, put(buf, refused[i], 1)));
        size_t one = put(buf, "user.a", 1);
        assert_false(attrs_are_valid(buf, one + put(buf + one, refused[i], 1)));
    }
    len = put(buf, "user.ab", 1);
    buf[5 + 5] = '\0';
    assert_false(attrs_are_valid(buf, len));
    len = put(buf, "user.a", 1);
    buf[1] = 0xff;
    assert_false(attrs_are_valid(buf, len));
}

static void links_have_times_of_their_own(void **state)
{
    const struct folder *folder = *state;
    struct stat st;
    folder_write(folder, "file", "x", 0600);
    assert_int_equal(symlinkat("file", folder->fd, "link"), 0);
    struct attrs attrs = {.has_times = true, .mtime = {.tv_sec = 1000000000}};
    assert_int_equal(attrs_apply_link(folder->fd, "link", &attrs), 0);
    assert_int_equal(fstatat(folder->fd, "link", &st, AT_SYMLINK_NOFOLLOW), 0);
    assert_int_equal(st.st_mtim.tv_sec, 1000000000);
    assert_int_equal(fstatat(folder->fd, "file", &st, AT_SYMLINK_NOFOLLOW), 0);
    assert_true(st.st_mtim.tv_sec > 1000000000);
}

static void an_owner_travels_with_them(void **state)
{
    const struct folder *folder = *state;
    static uint8_t buf[ATTRS_XATTRS_MAX];
    size_t len = 0, full = ATTRS_XATTRS_MAX - 5;
    struct stat st;
    int why, fd = open_new(folder, "file");
    assert_true(attrs_put_owner(buf, &len, 12345, 54321));
    assert_false(attrs_put_owner(buf, &full, 1, 1));
    assert_true(attrs_are_valid(buf, len));
    assert_false(attrs_are_valid(buf, put(buf + len, "owner", 7) + len));
    struct attrs attrs = {.has_xattrs = true, .xattrs = buf, .xattrs_len = len};
    assert_int_equal(attrs_apply(fd, &attrs, &why), 0); /* nobody asked for it */
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_uid, geteuid());
    attrs.has_owner = true;
    assert_int_equal(attrs_apply(fd, &attrs, &why), 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_uid, geteuid() == 0 ? 12345 : geteuid());
    (void)close(fd);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(they_go_there_and_back, folder_make, folder_remove),
    cmocka_unit_test_setup_teardown(an_owner_travels_with_them, folder_make, folder_remove),
    cmocka_unit_test(a_peer_sets_only_what_it_may),
    cmocka_unit_test_setup_teardown(links_have_times_of_their_own, folder_make, folder_remove),
};

TERN_TEST_MAIN(tests)
