/* System calls that may wait for a disk.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "ternchat/part.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "shared/whole.h"

#define NUMBERS 1000 /* of "name (3).txt" */
#define TRIES   16   /* to open what others remove */
#define PIECES  16   /* of CHUNKS_PLAIN bytes, that are checked at once */

static struct part *part_of(struct work_job *job)
{
    return (struct part *)(void *)((char *)job - offsetof(struct part, job));
}

void part_init(struct part *part, const char *folder, const struct offer *offer)
{
    char name[2 * 8 + 1];
    part->folder = folder;
    part->offer = offer;
    part->fd = -1;
    (void)crypto_generichash_init(&part->hash, NULL, 0, OFFER_HASH_SIZE);
    /* By its hash, so that it is found again. */
    (void)sodium_bin2hex(name, sizeof name, offer->hash, 8);
    (void)snprintf(part->path, sizeof part->path, "%s/.ternchat-%s.part", folder, name);
}

void part_close(struct part *part, bool is_kept)
{
    if (part->fd < 0) {
        return;
    }
    if (!is_kept) {
        (void)unlink(part->path);
    }
    (void)close(part->fd);
    part->fd = -1;
}

/* --- opening ------------------------------------------------------------------------------------------ */

/* Not ours, or another's: nothing is done to it. */
static void leave(struct part *part, const char *why)
{
    (void)close(part->fd);
    part->fd = -1;
    part->why = why;
}

/* The file of that name, for us alone. Whoever had it may have removed it before it was ours: then there is another one
 * to be had. False: no file is open. */
static bool open_alone(struct part *part, struct stat *st)
{
    for (unsigned i = 0; i < TRIES; i++) {
        part->fd = open(part->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
        if (part->fd < 0 || fstat(part->fd, st) != 0) {
            part->job.error = errno;
            leave(part, NULL);
            return false;
        }
        if (!S_ISREG(st->st_mode) || st->st_uid != geteuid() || st->st_nlink > 1) {
            leave(part, "its hidden file is not ours");
            return false;
        }
        if (flock(part->fd, LOCK_EX | LOCK_NB) != 0) {
            break;
        }
        if (fstat(part->fd, st) == 0 && st->st_nlink == 1) {
            return true;
        }
        leave(part, NULL);
    }
    leave(part, "it is on its way already");
    return false;
}

void part_open(struct work_job *job)
{
    struct part *part = part_of(job);
    struct stat st;
    struct statvfs fs;
    uint64_t size = part->offer->size;
    if (!open_alone(part, &st)) {
        return;
    }
    part->there = (uint64_t)st.st_size < size ? (uint64_t)st.st_size : size;
    part->there -= part->there % CHUNKS_PLAIN;
    if (fstatvfs(part->fd, &fs) != 0) {
        job->error = errno;
    } else if ((uint64_t)fs.f_bavail * fs.f_frsize < size - part->there) {
        part->why = "there is not enough room for it on the disk";
    } else if ((uint64_t)st.st_size > size && ftruncate(part->fd, (off_t)size) != 0) {
        /* What was cut to nothing, even if it was empty, ext4 writes out when it is closed. Less than a chunk behind
         * what is proved does no harm: the next one is written over it. */
        job->error = errno;
    }
}

/* --- bytes -------------------------------------------------------------------------------------------- */

void part_check(struct work_job *job)
{
    struct part *part = part_of(job);
    for (unsigned i = 0; i < PIECES && part->at < part->there; i++) {
        uint64_t left = part->there - part->at;
        size_t len = left < sizeof part->data ? (size_t)left : sizeof part->data;
        if (whole_pread(part->fd, part->data, len, part->at) != 0) {
            part->why = "what was here of it cannot be read";
            return;
        }
        (void)crypto_generichash_update(&part->hash, part->data, len);
        part->at += len;
    }
}

void part_write(struct work_job *job)
{
    struct part *part = part_of(job);
    job->error = whole_pwrite(part->fd, part->data, part->len, part->at);
    if (job->error != 0) {
        return;
    }
    (void)crypto_generichash_update(&part->hash, part->data, part->len);
    part->at += part->len;
}

/* --- its name ----------------------------------------------------------------------------------------- */

/* Of the empty file that we have made under that name; it does not stay there for nothing. */
static bool take_place(const struct part *part)
{
    if (rename(part->path, part->named) == 0) {
        return true;
    }
    int error = errno;
    (void)unlink(part->named);
    errno = error;
    return false;
}

/* Under a name that is free: to take another's place, even that of an empty file, a file system may wait until
 * all of the file is on the disk, and the other writers with it. Where it has no links, it does so. */
static bool give_name(struct part *part)
{
    char name[OFFER_NAME_SIZE];
    bool has_links = true;
    for (unsigned i = 0; i < NUMBERS; i++) {
        offer_numbered_name(part->offer->name, i, name);
        (void)snprintf(part->named, sizeof part->named, "%s/%s", part->folder, name);
        if (has_links && link(part->path, part->named) == 0) {
            (void)unlink(part->path);
            return true;
        }
        has_links = has_links && errno == EEXIST;
        int fd = has_links ? -1 : open(part->named, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0) {
            (void)close(fd);
            return take_place(part);
        }
        if (errno != EEXIST) {
            return false;
        }
    }
    return false;
}

void part_name(struct work_job *job)
{
    struct part *part = part_of(job);
    uint8_t hash[OFFER_HASH_SIZE];
    (void)crypto_generichash_final(&part->hash, hash, sizeof hash);
    if (sodium_memcmp(hash, part->offer->hash, sizeof hash) != 0) {
        part->why = "it is not the file that was offered";
    } else if (!give_name(part)) {
        job->error = errno;
    } else {
        (void)close(part->fd);
        part->fd = -1;
    }
}
