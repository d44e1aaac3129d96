/* Small files are read whole before their header is written, so that none fails in the middle.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/batch.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "terncp/attrs.h"
#include "terncp/decide.h"
#include "terncp/hash.h"
#include "terncp/partial.h"

#define RUN_FULL  ((size_t)128 << 10) /* so much is compressed in one piece, and no more than fits */
#define RUN_LEAST ((size_t)4 << 10)   /* less tells nothing of what is to come */
_Static_assert(RUN_FULL + PROTO_PACKED_MAX <= PROTO_UNPACKED_MAX, "a run fits");
_Static_assert(BATCH_ENTRIES <= PROTO_UNPACKED_MANY, "and is not too many");

struct batch *batch_new(void)
{
    struct batch *batch = malloc(sizeof *batch);
    if (batch != NULL) {
        memset(batch, 0, offsetof(struct batch, items));
        batch_reset(batch);
    }
    return batch;
}

void batch_reset(struct batch *batch)
{
    batch->data = NULL;
    batch->len = batch->capacity = 0;
    batch->contents = 0;
}

void batch_close_item(struct item *item)
{
    if (item->fd >= 0) {
        (void)close(item->fd);
        item->fd = -1;
    }
}

void batch_free(struct batch *batch)
{
    if (batch == NULL) {
        return;
    }
    for (unsigned i = 0; i < batch->count; i++) {
        batch_close_item(&batch->items[i]);
    }
    sodium_memzero(batch->session_key, sizeof batch->session_key);
    free(batch->text);
    free(batch->data);
    free(batch);
}

/* --- finding --------------------------------------------------------------------------------------- */

/* Keeps bytes behind the text that there is. False: no memory. */
static bool keep(struct batch *batch, const void *bytes, size_t len, size_t *offset)
{
    if (batch->text_capacity - batch->text_used < len) {
        size_t capacity = 2 * batch->text_capacity + len + 4096;
        char *grown = realloc(batch->text, capacity);
        if (grown == NULL) {
            return false;
        }
        batch->text = grown;
        batch->text_capacity = capacity;
    }
    if (len > 0) {
        memcpy(batch->text + batch->text_used, bytes, len);
    }
    *offset = batch->text_used;
    batch->text_used += len;
    return true;
}

static bool keep_text(struct batch *batch, const char *text, size_t *offset)
{
    return keep(batch, text, strlen(text) + 1, offset);
}

/* Contents that are a text: what a link holds, or another name of the file. */
static int add_text(struct batch *batch, struct item *item, enum proto_entry_type type,
                    const char *text)
{
    item->type = type;
    item->size = strlen(text);
    return keep_text(batch, text, &item->link) ? 0 : ENOMEM;
}

static int add_file(struct batch *batch, struct item *item, const struct tree_entry *found)
{
    uint8_t digest[DECIDE_DIGEST];
    item->fd = found->fd;
    item->size = (uint64_t)found->st.st_size;
    const char *first =
        batch->hardlinks == NULL ? NULL : hardlinks_meet(batch->hardlinks, &found->st, found->name);
    if (first != NULL && strlen(first) <= PROTO_LINK_MAX) {
        batch_close_item(item);
        return add_text(batch, item, PROTO_SAME, first);
    }
    item->type = PROTO_FILE;
    item->is_large = item->size >= PROTO_SMALL_MAX;
    if (!item->is_large && item->size > 0) { /* the disk may fetch the next ones meanwhile */
        (void)posix_fadvise(item->fd, 0, 0, POSIX_FADV_WILLNEED);
    }
    batch->large += item->is_large ? 1 : 0;
    batch->small += item->is_large ? 0 : item->size;
    if ((batch->flags & PROTO_FLAG_CHECKSUM) == 0) {
        return 0;
    }
    int error = decide_digest(item->fd, item->size, batch->stop, digest);
    return error != 0 ? error : keep(batch, digest, sizeof digest, &item->digest) ? 0 : ENOMEM;
}

/* Extended attributes and owner, as far as they are asked for. 0 or ENOMEM. */
static int add_attrs(struct batch *batch, struct item *item, const struct stat *st)
{
    uint8_t attrs[ATTRS_XATTRS_MAX];
    size_t len = 0;
    int fd = item->type == PROTO_FOLDER ? tree_walk_folder(batch->walk) : item->fd;
    bool is_asked = (batch->flags & PROTO_FLAG_XATTRS) != 0 && fd >= 0;
    item->has_lost = is_asked && attrs_read_xattrs(fd, attrs, &len) != 0;
    if ((batch->flags & PROTO_FLAG_OWNER) != 0 &&
        !attrs_put_owner(attrs, &len, st->st_uid, st->st_gid)) {
        item->has_lost = true;
    }
    item->attrs_len = (uint32_t)len;
    batch->small += len;
    return keep(batch, attrs, len, &item->attrs) ? 0 : ENOMEM;
}

static int add_entry(struct batch *batch, struct item *item, const struct tree_entry *found)
{
    int error = 0;
    item->mode = (uint32_t)found->st.st_mode & 07777;
    item->mtime = found->st.st_mtim;
    if (S_ISDIR(found->st.st_mode)) {
        item->type = PROTO_FOLDER;
    } else if (S_ISLNK(found->st.st_mode)) {
        error = add_text(batch, item, PROTO_LINK, tree_walk_target(batch->walk));
    } else {
        error = add_file(batch, item, found);
    }
    bool has_attrs = (batch->flags & PROTO_FLAGS_ATTRS) != 0 && item->type != PROTO_SAME;
    return error == 0 && has_attrs ? add_attrs(batch, item, &found->st) : error;
}

static enum proto_status status_of_left(enum tree_why why)
{
    switch (why) {
    case TREE_WHY_LINK:
        return PROTO_LEFT_LINK;
    case TREE_WHY_SPECIAL:
        return PROTO_LEFT_SPECIAL;
    case TREE_WHY_LOOP:
        return PROTO_LEFT_LOOP;
    case TREE_WHY_OUTSIDE:
        return PROTO_LEFT_OUTSIDE;
    case TREE_WHY_ERROR:
    case TREE_WHY_DEEP:
        break;
    }
    return PROTO_OK;
}

static void add(struct batch *batch, const struct tree_entry *found, bool is_skipped, int error)
{
    struct item *item = &batch->items[batch->count];
    *item = (struct item){.type = PROTO_VOID, .fd = -1};
    if (!keep_text(batch, found->name, &item->name)) {
        if (found->fd >= 0) {
            (void)close(found->fd);
        }
        return; /* and nothing is said of it: there is no room for its name */
    }
    batch->count++;
    if (is_skipped) {
        item->left = status_of_left(found->why);
        item->error = item->left != PROTO_OK ? 0 : found->why == TREE_WHY_DEEP ? EMLINK : error;
        return;
    }
    item->error = add_entry(batch, item, found);
    if (item->error != 0) {
        item->type = PROTO_VOID;
        item->is_large = false;
        item->mode = 0;
        batch_close_item(item);
    }
}

/* What copies into this tree have left or are still writing is no part of it. */
static bool is_unfinished(const struct tree_entry *found)
{
    const char *slash = strrchr(found->name, '/');
    return slash != NULL && found->fd >= 0 && partial_is_name(slash + 1);
}

void batch_scan(struct work_job *job)
{
    struct batch *batch = (struct batch *)(void *)job;
    struct tree_entry found;
    while (!batch->is_end && batch->count < BATCH_ENTRIES && batch->small < BATCH_CONTENTS &&
           batch->large < BATCH_LARGE) {
        switch (tree_walk_next(batch->walk, &found)) {
        case TREE_ENTRY:
            if (is_unfinished(&found)) {
                (void)close(found.fd);
            } else {
                add(batch, &found, false, 0);
            }
            break;
        case TREE_SKIPPED:
            add(batch, &found, true, errno);
            break;
        case TREE_END:
            batch->is_end = true;
            break;
        }
    }
}

/* --- packing --------------------------------------------------------------------------------------- */

static bool reserve(struct batch *batch, size_t n)
{
    if (batch->capacity - batch->len < n) {
        size_t capacity = batch->len + n + batch->capacity / 2;
        uint8_t *grown = realloc(batch->data, capacity);
        if (grown == NULL) {
            return false;
        }
        batch->data = grown;
        batch->capacity = capacity;
    }
    return true;
}

void batch_entry(const struct batch *batch, const struct item *item, struct proto_entry *entry)
{
    const char *name = batch_name(batch, item);
    entry->type = item->type;
    entry->is_asked = item->is_asked;
    entry->attrs = item->is_asked ? 0 : item->attrs_len;
    entry->index = item->index;
    entry->mode = item->mode;
    entry->mtime_s = item->mtime.tv_sec;
    entry->mtime_ns = (uint32_t)item->mtime.tv_nsec;
    entry->size = item->size;
    memcpy(entry->name, name, strlen(name) + 1);
}

/* All of a small file, behind room for its header. An errno, or 0 with its size in the item. */
static int read_small(struct batch *batch, struct item *item, size_t header)
{
    size_t got = 0;
    size_t want = (size_t)item->size + 1; /* one more would tell that it has grown */
    for (;;) {
        if (!reserve(batch, header + want + PROTO_HASH_SIZE)) {
            return ENOMEM;
        }
        ssize_t n =
            pread(item->fd, batch->data + batch->len + header + got, want - got, (off_t)got);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return errno;
        }
        got += (size_t)n;
        if (n == 0 || (got < want && got >= item->size)) {
            break;
        }
        if (got < want) {
            continue; /* some file systems give less than there is */
        }
        if (got >= PROTO_SMALL_MAX) {
            return ESTALE;
        }
        want = got * 2 < PROTO_SMALL_MAX ? got * 2 : PROTO_SMALL_MAX;
    }
    item->size = got;
    return 0;
}

static bool is_same(const struct item *item, const struct stat *st)
{
    return st->st_mtim.tv_sec == item->mtime.tv_sec && st->st_mtim.tv_nsec == item->mtime.tv_nsec &&
           (uint64_t)st->st_size == item->size;
}

/* The file as it was at one moment: who writes to it meanwhile gets another chance. */
static int read_steady(struct batch *batch, struct item *item, size_t header)
{
    for (unsigned tries = 0; tries < 4; tries++) {
        struct stat st;
        int error = read_small(batch, item, header);
        if (error != 0 && error != ESTALE) {
            return error;
        }
        if (fstat(item->fd, &st) != 0) {
            return errno;
        }
        if (error == 0 && is_same(item, &st)) {
            return 0;
        }
        item->mtime = st.st_mtim;
        item->size = (uint64_t)st.st_size;
        if (item->size >= PROTO_SMALL_MAX) {
            break;
        }
    }
    return ESTALE;
}

static void put_entry(struct batch *batch, struct item *item, struct proto_entry *entry)
{
    uint8_t *data = batch->data + batch->len;
    batch_entry(batch, item, entry);
    size_t header = proto_entry_encode(entry, data, PROTO_HEADER_MAX);
    memcpy(data + header, batch->text + item->attrs, entry->attrs);
    header += entry->attrs;
    batch->len += header;
    if (item->type == PROTO_FILE || item->type == PROTO_LINK || item->type == PROTO_SAME) {
        batch->len += (size_t)item->size;
        if ((batch->flags & PROTO_FLAG_NO_HASH) == 0) {
            hash_whole(batch->session_key, item->index, data + header, (size_t)item->size,
                       data + header + item->size);
            batch->len += PROTO_HASH_SIZE;
        }
    }
}

/* A question alone. */
static void put_question(struct batch *batch, const struct item *item, struct proto_entry *entry)
{
    batch_entry(batch, item, entry);
    batch->len += proto_entry_encode(entry, batch->data + batch->len, PROTO_HEADER_MAX);
    if (item->type == PROTO_FILE && (batch->flags & PROTO_FLAG_CHECKSUM) != 0) {
        memcpy(batch->data + batch->len, batch->text + item->digest, DECIDE_DIGEST);
        batch->len += DECIDE_DIGEST;
    }
}

/* False: no memory. */
static bool pack(struct batch *batch, struct item *item, struct proto_entry *entry)
{
    size_t header = PROTO_ENTRY_FIXED + strlen(batch_name(batch, item)) + item->attrs_len;
    if (!reserve(batch,
                 PROTO_HEADER_MAX + item->attrs_len + PROTO_LINK_MAX + 1 + PROTO_HASH_SIZE)) {
        return false;
    }
    if (item->is_asked) {
        put_question(batch, item, entry);
        return true;
    }
    if (item->type == PROTO_FILE) {
        item->error = read_steady(batch, item, header);
        batch_close_item(item);
        if (item->error == ENOMEM) {
            return false;
        }
        if (item->error != 0) {
            item->type = PROTO_VOID;
            item->mode = (uint32_t)proto_status_of(item->error);
            item->size = item->attrs_len = 0;
        }
        batch->contents += item->size;
    } else if (item->type == PROTO_LINK || item->type == PROTO_SAME) {
        memcpy(batch->data + batch->len + header, batch->text + item->link, (size_t)item->size);
    }
    put_entry(batch, item, entry);
    return true;
}

/* Compresses what stands behind `start`, if it shrinks. */
static void zip_run(struct batch *batch, size_t start)
{
    size_t len = batch->len - start;
    uint8_t *packed = zip_gauge_wants(&batch->gauge) ? malloc(len) : NULL;
    size_t n = packed == NULL ? 0 : zip_pack(batch->data + start, len, packed, batch->level);
    if (packed != NULL && len >= RUN_LEAST) {
        zip_gauge_note(&batch->gauge, n > 0);
    }
    if (n > 0 && n + PROTO_PACKED_HEAD < len) {
        struct proto_packed head = {.len = (uint32_t)len, .packed = (uint32_t)n};
        size_t used = proto_packed_encode(&head, batch->data + start, len);
        memcpy(batch->data + start + used, packed, n);
        batch->len = start + used + n;
    }
    free(packed);
}

void batch_fill(struct work_job *job)
{
    struct batch *batch = (struct batch *)(void *)job;
    struct proto_entry entry;
    bool is_packed = reserve(batch, (size_t)batch->small + batch->count * (size_t)128);
    size_t run = 0; /* where a run of entries begins that is compressed in one piece */
    for (unsigned i = 0; i < batch->count && is_packed; i++) {
        struct item *item = &batch->items[i];
        bool is_told = item->type != PROTO_VOID || item->is_named;
        if (is_told && (!item->is_large || item->is_asked)) {
            is_packed = pack(batch, item, &entry);
        }
        if (batch->level > 0 && batch->len > run &&
            (batch->len - run >= RUN_FULL || i + 1 == batch->count)) {
            zip_run(batch, run);
            run = batch->len;
        }
    }
    job->error = is_packed ? 0 : ENOMEM;
}
