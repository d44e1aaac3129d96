/* What waits for everything else: more names of files, and names that the sender did not name. A worker does
 * it, since both may take long; the owner hears of it afterwards.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "terncp/graft.h"
#include "terncp/mirror.h"
#include "terncp/pull_parts.h"
#include "terncp/tree.h"

#define LINKS_MEMORY ((size_t)32 << 20)
#define TOLD_MAX     1000 /* removed names that are told one by one */

enum stage { COLLECTING, WORKING, ENDED };

struct waiting_link {
    struct waiting_link *next;
    uint32_t index;
    int error;
    size_t first_at; /* in names, behind the target */
    char names[];
};

struct removed {
    struct removed *next;
    int error;
    char name[];
};

struct pull_end {
    struct work_job job;
    struct pull *pull;   /* NULL: it is gone, and this goes with the job */
    struct place *place; /* held */
    struct pull_ending ending;
    enum stage stage;
    struct waiting_link *links, **last_link;
    uint32_t link_count;
    size_t links_size;
    struct mirror *mirror; /* NULL: nothing is deleted */
    bool may_delete;
    struct removed *removed, **last_removed;
    uint32_t told;   /* in `removed` */
    uint32_t untold; /* were removed, too */
    uint64_t kept;
    int error; /* of the mirror as a whole */
};

static void end_delete(struct pull_end *end)
{
    while (end->links != NULL) {
        struct waiting_link *link = end->links;
        end->links = link->next;
        free(link);
    }
    while (end->removed != NULL) {
        struct removed *removed = end->removed;
        end->removed = removed->next;
        free(removed);
    }
    mirror_free(end->mirror);
    place_drop(end->place);
    free(end);
}

bool pull_set_ending(struct pull *pull, const struct pull_ending *ending)
{
    const struct place *place = pull->place;
    struct pull_end *end = calloc(1, sizeof *end);
    if (end == NULL) {
        return false;
    }
    end->pull = pull;
    end->place = place_hold(pull->place);
    end->ending = *ending;
    end->last_link = &end->links;
    end->last_removed = &end->removed;
    bool is_deleting =
        (place->flags & PROTO_FLAG_DELETE) != 0 && (place->flags & PROTO_FLAG_RECURSIVE) != 0;
    struct mirror_request request = {.root = place->root,
                                     .flags = place->links,
                                     .filter = ending->filter,
                                     .max = ending->max_delete,
                                     .is_dry = (place->flags & PROTO_FLAG_DRY_RUN) != 0};
    if (is_deleting && (end->mirror = mirror_new(&request)) == NULL) {
        end_delete(end);
        return false;
    }
    pull->end = end;
    return true;
}

void pull_end_free(struct pull *pull)
{
    struct pull_end *end = pull->end;
    if (end != NULL && end->stage == WORKING) {
        end->pull = NULL;
    } else if (end != NULL) {
        end_delete(end);
    }
    pull->end = NULL;
}

/* --- what comes -------------------------------------------------------------------------------------- */

bool pull_note_link(struct pull *pull, const struct proto_entry *entry, const char *target,
                    const char *first)
{
    struct pull_end *end = pull->end;
    char mapped[PROTO_PATH_MAX + 1];
    if (end == NULL || place_map(pull->place, first, mapped) != NULL) {
        return false;
    }
    size_t len = strlen(target) + 1, first_len = strlen(mapped) + 1;
    size_t size = sizeof(struct waiting_link) + len + first_len;
    struct waiting_link *link = end->links_size + size <= LINKS_MEMORY ? malloc(size) : NULL;
    if (link == NULL) {
        return false;
    }
    *link = (struct waiting_link){.index = entry->index, .first_at = len};
    memcpy(link->names, target, len);
    memcpy(link->names + len, mapped, first_len);
    *end->last_link = link;
    end->last_link = &link->next;
    end->link_count++;
    end->links_size += size;
    pull_note_name(pull, entry, target);
    pull->counts.links++;
    /* It may be the last that everybody waits for. */
    pull->settled(pull->user, PROTO_INDEX_NONE, PROTO_AGAIN, target, "", true);
    return true;
}

void pull_note_name(struct pull *pull, const struct proto_entry *entry, const char *target)
{
    struct mirror *mirror = pull->end == NULL ? NULL : pull->end->mirror;
    if (mirror != NULL) {
        (void)mirror_note(mirror, target); /* it remembers that it could not */
        if (entry->type == PROTO_FOLDER && strchr(entry->name, '/') == NULL) {
            (void)mirror_note_top(mirror, target);
        }
    }
}

/* --- on a worker's thread ---------------------------------------------------------------------------- */

static int make_link(const struct place *place, const struct waiting_link *link)
{
    const char *last;
    int folder = tree_open_parent(place->root, link->names, place->links, &last);
    if (folder < 0) {
        return errno;
    }
    bool is_taken = place->is_fresh && faccessat(folder, last, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
    int error = is_taken ? EEXIST
                         : graft_link(place->root, link->names + link->first_at, place->links,
                                      folder, last);
    (void)close(folder);
    return error;
}

static void on_removed(void *user, const char *name, int error)
{
    struct pull_end *end = user;
    size_t len = strlen(name) + 1;
    struct removed *removed =
        end->told < TOLD_MAX || error != 0 ? malloc(sizeof *removed + len) : NULL;
    if (removed == NULL) {
        end->untold++;
        return;
    }
    *removed = (struct removed){.error = error};
    memcpy(removed->name, name, len);
    *end->last_removed = removed;
    end->last_removed = &removed->next;
    end->told++;
}

static void run(struct work_job *job)
{
    struct pull_end *end = (struct pull_end *)(void *)job;
    for (struct waiting_link *link = end->links; link != NULL; link = link->next) {
        link->error = make_link(end->place, link);
        end->may_delete = end->may_delete && link->error == 0;
    }
    if (end->mirror != NULL && end->may_delete) {
        end->error = mirror_run(end->mirror, on_removed, end, &end->kept);
    }
}

/* --- afterwards -------------------------------------------------------------------------------------- */

static void settle_links(struct pull *pull, const struct pull_end *end)
{
    for (const struct waiting_link *link = end->links; link != NULL; link = link->next) {
        struct proto_entry entry = {.type = PROTO_SAME, .index = link->index};
        pull_settle(pull, &entry, link->names, proto_status_of(link->error),
                    pull_why(proto_status_of(link->error), link->error), false);
    }
}

static void fail(struct pull *pull, enum proto_status status, const char *name, const char *why)
{
    pull->counts.failed++;
    pull->settled(pull->user, PROTO_INDEX_NONE, status, name, why, false);
}

static void tell_removed(struct pull *pull, struct pull_end *end)
{
    bool has_failed = false;
    for (const struct removed *removed = end->removed; removed != NULL; removed = removed->next) {
        uint32_t count = removed->next == NULL ? 1 + end->untold : 1;
        if (removed->error == 0) {
            end->ending.removed(pull->user, removed->name, count, 0);
        } else {
            has_failed = true;
            fail(pull, proto_status_of(removed->error), removed->name, strerror(removed->error));
        }
    }
    if (end->mirror != NULL && !end->may_delete) {
        fail(pull, PROTO_IO, "--delete", "nothing was deleted, since something failed");
    } else if (end->error != 0 && !has_failed) {
        fail(pull, proto_status_of(end->error), "--delete", strerror(end->error));
    }
    if (end->kept > 0) {
        fail(pull, PROTO_IO, "--delete", "--max-delete was reached");
    }
}

static void conclude(struct pull *pull, struct pull_end *end)
{
    settle_links(pull, end);
    tell_removed(pull, end);
    pull_seal_folders(pull);
    end->stage = ENDED;
}

static void on_done(struct work_job *job)
{
    struct pull_end *end = (struct pull_end *)(void *)job;
    struct pull *pull = end->pull;
    if (pull == NULL) {
        end_delete(end);
        return;
    }
    conclude(pull, end);
    end->ending.ended(pull->user);
}

bool pull_finish(struct pull *pull, uint32_t count, uint32_t failed)
{
    struct pull_end *end = pull->end;
    if (end == NULL || end->stage == ENDED) {
        return end != NULL;
    }
    if (end->stage == WORKING || pull->counts.settled + end->link_count < count) {
        return false;
    }
    end->stage = WORKING;
    end->may_delete = failed == 0 && pull->counts.failed == 0;
    if (end->links == NULL && end->mirror == NULL) {
        conclude(pull, end);
        return true;
    }
    end->job = (struct work_job){.run = run, .done = on_done, .is_long = true};
    work_submit(pull->work, &end->job);
    return false;
}
