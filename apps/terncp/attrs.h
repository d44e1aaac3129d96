/* What an archive keeps of a file besides its bytes: mode, times, owner, extended attributes.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_ATTRS_H
#define TERNCP_ATTRS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#define ATTRS_XATTRS_MAX (64u * 1024) /* bytes of one file's extended attributes, encoded */

/* Extended attributes as they travel: name length u8, value length u32, name, value, and the next.
 * Only "user." ones and POSIX access control lists: the others mean something to the kernel, and a
 * peer's word must not give a program rights. One named "owner" is none, but user u32 and group u32. */

/* Into buf of ATTRS_XATTRS_MAX. 0 or an errno (E2BIG: they are too many); a file system that has none
 * gives none. */
int attrs_read_xattrs(int fd, uint8_t *buf, size_t *len);
/* The owner behind what is there. False: no room. */
bool attrs_put_owner(uint8_t *buf, size_t *len, uid_t uid, gid_t gid);
/* Well formed, and only names that may be set. */
bool attrs_are_valid(const uint8_t *xattrs, size_t len);

/* What a file is to have. */
struct attrs {
    bool has_mode, has_times, has_xattrs;
    bool has_owner; /* which is among the xattrs; only root can give it */
    mode_t mode;
    struct timespec mtime;
    const uint8_t *xattrs; /* valid */
    size_t xattrs_len;
};

/* Gives them to an open file or folder, in the order in which none undoes another. 0 or an errno.
 * Extended attributes that could not be set fail nothing: *xattr_error is why, else 0. */
int attrs_apply(int fd, const struct attrs *attrs, int *xattr_error);
/* To a symbolic link, which has neither mode nor extended attributes of ours. */
int attrs_apply_link(int folder, const char *name, const struct attrs *attrs);

#endif
