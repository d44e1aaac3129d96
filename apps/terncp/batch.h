/* Finding entries, and reading the small ones among them into a pack: both on a worker's thread.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_BATCH_H
#define TERNCP_BATCH_H

#include <stdatomic.h>

#include "shared/work.h"
#include "terncp/hardlinks.h"
#include "terncp/proto.h"
#include "terncp/tree.h"
#include "terncp/zip.h"

#define BATCH_ENTRIES  128
#define BATCH_CONTENTS ((size_t)512 << 10) /* a batch is full with so much of small files */
#define BATCH_LARGE    16                  /* or so many larger ones */

struct item {
    enum proto_entry_type type; /* PROTO_VOID: it was skipped, or could not be read */
    bool is_large;              /* it shall have a stream of its own */
    bool is_named;              /* PROTO_VOID: it is told all the same */
    bool is_asked;              /* only asked about, for now */
    bool has_lost;              /* its extended attributes could not be read */
    int fd;                     /* files: open; -1 afterwards */
    int error;                  /* of PROTO_VOID; 0: it was left out */
    enum proto_status left;     /* why it was left out */
    uint32_t index, mode;
    struct timespec mtime;
    uint64_t size;
    size_t name, link; /* offsets in the batch's text */
    size_t attrs, digest;
    uint32_t attrs_len;
};

struct batch {
    struct work_job job;
    struct batch *next;          /* its owner's */
    struct tree_walk *walk;      /* of a scan */
    struct hardlinks *hardlinks; /* of all scans; NULL: names are copied one by one */
    const atomic_bool *stop;     /* set: nobody wants to know any more; NULL: that does not come */
    unsigned unanswered;         /* items that the receiver was asked about */
    bool is_end;                 /* the walk is over */
    uint64_t flags;
    uint8_t session_key[PROTO_KEY_SIZE]; /* of a fill */
    char *text;
    size_t text_used, text_capacity;
    uint64_t small; /* bytes in the small files found */
    unsigned large, count;
    struct item items[BATCH_ENTRIES];
    uint8_t *data; /* what was packed */
    size_t len, capacity;
    uint64_t contents;      /* of files, in it */
    int level;              /* of compression; 0: none */
    struct zip_gauge gauge; /* as it was and shall be */
};

struct batch *batch_new(void);
void batch_free(struct batch *batch); /* closes what is open */

/* job.run, with flags set: finds entries until the batch is full or the walk is over. */
void batch_scan(struct work_job *job);
/* job.run: packs all items that are neither large (unless they are asked about) nor skipped, in their order. Who cannot be read becomes
 * PROTO_VOID, in the pack, too. job.error: no memory; nothing was packed. */
void batch_fill(struct work_job *job);

/* The pack is lent or gone: another may be made of what is left of the items. */
void batch_reset(struct batch *batch);
void batch_close_item(struct item *item);

/* An item's header. */
void batch_entry(const struct batch *batch, const struct item *item, struct proto_entry *entry);

static inline const char *batch_name(const struct batch *batch, const struct item *item)
{
    return batch->text + item->name;
}

#endif
