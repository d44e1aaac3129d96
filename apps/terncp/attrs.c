/* Reading and setting attributes; extended ones to and from a flat form.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/attrs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#define FIXED 5 /* name length, value length */
#define OWNER "owner"

static bool may_have(const char *name)
{
    return (strncmp(name, "user.", 5) == 0 && name[5] != '\0') ||
           strcmp(name, "system.posix_acl_access") == 0 ||
           strcmp(name, "system.posix_acl_default") == 0;
}

/* The names of a file's extended attributes, one behind the other with their NULs; *list is the
 * caller's to free. 0 or an errno. */
static int list_names(int fd, char **list, size_t *len)
{
    *list = NULL;
    *len = 0;
    for (;;) {
        ssize_t need = flistxattr(fd, NULL, 0);
        if (need <= 0) {
            return need == 0 || errno == ENOTSUP ? 0 : errno;
        }
        char *names = malloc((size_t)need);
        if (names == NULL) {
            return ENOMEM;
        }
        ssize_t got = flistxattr(fd, names, (size_t)need);
        if (got >= 0) {
            *list = names;
            *len = (size_t)got;
            return 0;
        }
        free(names);
        if (errno != ERANGE) { /* else one was added meanwhile */
            return errno;
        }
    }
}

static void put_u32(uint8_t *at, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++) {
        at[i] = (uint8_t)(value >> (24 - 8 * i));
    }
}

/* One attribute behind what is there. 0 or an errno; one that has just gone adds nothing. */
static int append(int fd, const char *name, uint8_t *buf, size_t *used)
{
    size_t name_len = strlen(name);
    if (*used + FIXED + name_len >= ATTRS_XATTRS_MAX) {
        return E2BIG;
    }
    uint8_t *at = buf + *used;
    uint8_t *value = at + FIXED + name_len;
    size_t room = ATTRS_XATTRS_MAX - *used - FIXED - name_len;
    ssize_t n = fgetxattr(fd, name, value, room);
    if (n < 0) {
        return errno == ENODATA ? 0 : errno == ERANGE ? E2BIG : errno;
    }
    at[0] = (uint8_t)name_len;
    put_u32(at + 1, (uint32_t)n);
    memcpy(at + FIXED, name, name_len);
    *used += FIXED + name_len + (size_t)n;
    return 0;
}

int attrs_read_xattrs(int fd, uint8_t *buf, size_t *len)
{
    char *names;
    size_t names_len, used = 0;
    int error = list_names(fd, &names, &names_len);
    for (size_t i = 0; i < names_len && error == 0; i += strlen(names + i) + 1) {
        if (may_have(names + i)) {
            error = append(fd, names + i, buf, &used);
        }
    }
    free(names);
    *len = error == 0 ? used : 0;
    return error;
}

static uint32_t take_u32(const uint8_t *at)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < 4; i++) {
        value = value << 8 | at[i];
    }
    return value;
}

bool attrs_put_owner(uint8_t *buf, size_t *len, uid_t uid, gid_t gid)
{
    size_t name_len = strlen(OWNER);
    uint8_t *at = buf + *len;
    if (*len + FIXED + name_len + 8 > ATTRS_XATTRS_MAX) {
        return false;
    }
    at[0] = (uint8_t)name_len;
    put_u32(at + 1, 8);
    memcpy(at + FIXED, OWNER, name_len);
    put_u32(at + FIXED + name_len, (uint32_t)uid);
    put_u32(at + FIXED + name_len + 4, (uint32_t)gid);
    *len += FIXED + name_len + 8;
    return true;
}

/* One attribute of the flat form. */
struct item {
    char name[256];
    const uint8_t *value;
    size_t value_len;
};

/* Bytes taken, or 0 when it is malformed. */
static size_t take(struct item *item, const uint8_t *data, size_t left)
{
    if (left < FIXED || left < FIXED + (size_t)data[0]) {
        return 0;
    }
    size_t name_len = data[0], value_len = take_u32(data + 1);
    if (value_len > left - FIXED - name_len || memchr(data + FIXED, '\0', name_len) != NULL) {
        return 0;
    }
    memcpy(item->name, data + FIXED, name_len);
    item->name[name_len] = '\0';
    item->value = data + FIXED + name_len;
    item->value_len = value_len;
    return FIXED + name_len + value_len;
}

bool attrs_are_valid(const uint8_t *xattrs, size_t len)
{
    struct item item;
    for (size_t at = 0, n; at < len; at += n) {
        n = take(&item, xattrs + at, len - at);
        bool is_owner = n != 0 && strcmp(item.name, OWNER) == 0 && item.value_len == 8;
        if (n == 0 || (!is_owner && !may_have(item.name))) {
            return false;
        }
    }
    return len <= ATTRS_XATTRS_MAX;
}

static bool find(const struct attrs *attrs, const char *name, struct item *item)
{
    for (size_t at = 0, n; at < attrs->xattrs_len; at += n) {
        n = take(item, attrs->xattrs + at, attrs->xattrs_len - at);
        if (n == 0 || strcmp(item->name, name) == 0) {
            return n != 0;
        }
    }
    return false;
}

/* False: nobody has asked for it, or it cannot be given. */
static bool has_owner(const struct attrs *attrs, uid_t *uid, gid_t *gid)
{
    struct item item;
    if (!attrs->has_owner || geteuid() != 0 || !find(attrs, OWNER, &item)) {
        return false;
    }
    *uid = (uid_t)take_u32(item.value);
    *gid = (gid_t)take_u32(item.value + 4);
    return true;
}

/* What the file has (an old folder, or a list that its folder hands down) and the source has not. */
static int remove_others(int fd, const struct attrs *attrs)
{
    char *names;
    size_t len;
    struct item item;
    int error = list_names(fd, &names, &len);
    for (size_t i = 0; i < len && error == 0; i += strlen(names + i) + 1) {
        if (may_have(names + i) && !find(attrs, names + i, &item) &&
            fremovexattr(fd, names + i) != 0 && errno != ENODATA) {
            error = errno;
        }
    }
    free(names);
    return error;
}

static int apply_xattrs(int fd, const struct attrs *attrs)
{
    struct item item;
    int error = remove_others(fd, attrs);
    for (size_t at = 0, n; at < attrs->xattrs_len; at += n) {
        n = take(&item, attrs->xattrs + at, attrs->xattrs_len - at);
        if (n == 0) {
            return EINVAL;
        }
        if (strcmp(item.name, OWNER) != 0 &&
            fsetxattr(fd, item.name, item.value, item.value_len, 0) != 0 && error == 0) {
            error = errno;
        }
    }
    return error;
}

int attrs_apply(int fd, const struct attrs *attrs, int *xattr_error)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, attrs->mtime};
    uid_t uid;
    gid_t gid;
    *xattr_error = 0;
    if (has_owner(attrs, &uid, &gid) && fchown(fd, uid, gid) != 0) {
        return errno;
    }
    if (attrs->has_mode && fchmod(fd, attrs->mode) != 0) {
        return errno;
    }
    if (attrs->has_xattrs) { /* behind the mode, whose group bits a list rules */
        *xattr_error = apply_xattrs(fd, attrs);
    }
    return attrs->has_times && futimens(fd, times) != 0 ? errno : 0;
}

int attrs_apply_link(int folder, const char *name, const struct attrs *attrs)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, attrs->mtime};
    uid_t uid;
    gid_t gid;
    if (has_owner(attrs, &uid, &gid) &&
        fchownat(folder, name, uid, gid, AT_SYMLINK_NOFOLLOW) != 0) {
        return errno;
    }
    return attrs->has_times && utimensat(folder, name, times, AT_SYMLINK_NOFOLLOW) != 0 ? errno : 0;
}
