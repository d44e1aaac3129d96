/* Opening, locking, renaming and removing unfinished files.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/partial.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "terncp/tree.h"

#define TRIES 16

bool partial_is_name(const char *name)
{
    static const char digits[] = "0123456789abcdef";
    size_t len = strncmp(name, ".terncp-", 8) == 0 ? strspn(name + 8, digits) : 0;
    return (len == 16 || len == 8) && strcmp(name + 8 + len, ".part") == 0;
}

void partial_name(char out[PARTIAL_NAME_SIZE], const char *final, const struct stat *shared)
{
    uint8_t hash[crypto_generichash_BYTES_MIN];
    crypto_generichash_state state;
    (void)crypto_generichash_init(&state, NULL, 0, sizeof hash);
    if (shared != NULL) {
        uint64_t which[2] = {(uint64_t)shared->st_dev, (uint64_t)shared->st_ino};
        (void)crypto_generichash_update(&state, (const uint8_t *)which, sizeof which);
    }
    (void)crypto_generichash_update(&state, (const uint8_t *) final, strlen(final));
    (void)crypto_generichash_final(&state, hash, sizeof hash);
    char text[2 * 8 + 1];
    (void)sodium_bin2hex(text, sizeof text, hash, 8);
    (void)snprintf(out, PARTIAL_NAME_SIZE, ".terncp-%s.part", text);
}

/* Only ever a file: whoever else may write to the folder can have put anything under that name. -1 with errno. */
static int open_or_make(int folder, const char *name, bool makes)
{
    int fd = tree_open_regular(folder, name, O_RDWR);
    if (fd < 0 && errno == ENOENT && makes) {
        fd = openat(folder, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    }
    return fd;
}

/* Opens and locks. -EAGAIN: it vanished or was renamed meanwhile; -EBUSY: another writes to it; -EPERM: it is not
 * plainly ours. */
static int open_locked(int folder, const char *name, bool makes, struct stat *st)
{
    struct stat now;
    int fd = open_or_make(folder, name, makes);
    if (fd < 0) {
        bool is_odd = errno == ELOOP || errno == TREE_NO_FILE || errno == EISDIR || errno == EACCES;
        bool is_new = errno == EEXIST || errno == ESTALE; /* it was not there, or was another */
        return is_odd ? -EPERM : is_new ? -EAGAIN : -errno;
    }
    int error = 0;
    if (fstat(fd, st) != 0 || !S_ISREG(st->st_mode) || st->st_uid != geteuid()) {
        error = EPERM;
    } else if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        error = errno == EWOULDBLOCK ? EBUSY : EPERM;
    } else if (fstatat(folder, name, &now, AT_SYMLINK_NOFOLLOW) != 0 || now.st_ino != st->st_ino ||
               now.st_dev != st->st_dev) {
        error = EAGAIN; /* whom it belonged to has given it its final name before we had the lock */
    } else if (fstat(fd, st) != 0 || st->st_nlink != 1 || fchmod(fd, 0600) != 0) {
        error = EPERM; /* a second name: to write here would be to write there */
    }
    if (error != 0) {
        (void)close(fd);
        return -error;
    }
    return fd;
}

static int open_random(struct partial *partial, int folder)
{
    struct stat st;
    int fd;
    do {
        (void)snprintf(partial->name, sizeof partial->name, ".terncp-%08x.part",
                       (unsigned)randombytes_random());
        fd =
            openat(folder, partial->name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    } while (fd < 0 && errno == EEXIST);
    partial->fd = fd;
    if (fd < 0 || fstat(fd, &st) != 0) {
        int error = errno;
        partial->name[0] = '\0';
        return error;
    }
    return 0;
}

int partial_open(struct partial *partial, int folder, const char *name, enum partial_choice choice)
{
    struct stat st = {0};
    memset(partial, 0, sizeof *partial);
    partial->fd = -1;
    int fd = choice == PARTIAL_RANDOM ? -EPERM : -EAGAIN;
    for (int i = 0; i < TRIES && (fd == -EAGAIN || fd == -ENOENT); i++) {
        fd = open_locked(folder, name, true, &st);
    }
    if (fd == -EPERM || fd == -EAGAIN || (fd == -EBUSY && choice == PARTIAL_BUSY_OK)) {
        return open_random(partial, folder);
    }
    partial->device = st.st_dev;
    partial->inode = st.st_ino;
    if (fd < 0) {
        return -fd;
    }
    partial->fd = fd;
    partial->is_lasting = true;
    partial->found = (uint64_t)st.st_size;
    (void)snprintf(partial->name, sizeof partial->name, "%s", name);
    return 0;
}

void partial_finish(struct partial *partial)
{
    partial->name[0] = '\0';
    (void)close(partial->fd);
    partial->fd = -1;
}

void partial_close(struct partial *partial, int folder, bool keep)
{
    if (partial->name[0] != '\0' && !(keep && partial->is_lasting)) {
        (void)unlinkat(folder, partial->name, 0); /* before the lock goes with the descriptor */
    }
    partial->name[0] = '\0';
    if (partial->fd >= 0) {
        (void)close(partial->fd);
        partial->fd = -1;
    }
}

void partial_sweep(int folder, const char *name)
{
    struct stat st;
    int fd = open_locked(folder, name, false, &st);
    if (fd >= 0) {
        (void)unlinkat(folder, name, 0);
        (void)close(fd);
    }
}
