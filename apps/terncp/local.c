/* Walks the sources and makes each entry beneath the destination, with the rules of a copy to afar: nothing
 * under its name before it is whole, nothing through a link, and a word for all that is left out.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/local.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/cli.h"
#include "terncp/decide.h"
#include "terncp/dest.h"
#include "terncp/fold.h"
#include "terncp/graft.h"
#include "terncp/hardlinks.h"
#include "terncp/local_file.h"
#include "terncp/mirror.h"
#include "terncp/partial.h"
#include "terncp/report.h"

#define LINKS_MEMORY ((size_t)16 << 20)

/* A folder that gets its attributes when the walk has left it. */
struct open_folder {
    char *name;
    struct attrs attrs;
    uint8_t *xattrs;
};

struct local {
    const struct options *options;
    struct report report;
    struct dest to;
    struct hardlinks *hardlinks;
    struct fold *fold;     /* NULL: the target tells "a" from "A" */
    struct mirror *mirror; /* NULL: nothing is deleted */
    struct stat top;       /* the folder that the source becomes; st_ino 0: none */
    struct open_folder folders[TREE_DEPTH_MAX + 1];
    size_t folder_count;
    mode_t mask;
    uint64_t bytes, total, files;
    uint8_t xattrs[ATTRS_XATTRS_MAX];
    struct tree_entry entry;
    char target[PROTO_PATH_MAX + 1];
};

static atomic_bool is_stopped; /* by the user: set in a signal handler */

static void on_signal(int number)
{
    (void)number;
    atomic_store(&is_stopped, true);
}

static void fail(struct local *local, const char *name, int error)
{
    const char *why = error == ESTALE     ? "it changed while it was read"
                      : error == ENOTUNIQ ? "its name differs from another one in case only"
                                          : strerror(error);
    if (error != EINTR && error != ECANCELED) {
        report_failed(&local->report, REPORT_LOCAL, name, why,
                      error == ENOSPC ? report_advice(PROTO_NO_SPACE) : NULL);
    }
}

/* --- names ------------------------------------------------------------------------------------------- */

/* Where an entry goes. False: there is no room for such a name. */
static bool map_name(struct local *local, const char *name)
{
    const char *below = strchr(name, '/');
    int n = local->to.is_into ? snprintf(local->target, sizeof local->target, "%s", name)
                              : snprintf(local->target, sizeof local->target, "%s%s",
                                         local->to.target, below == NULL ? "" : below);
    return n > 0 && (size_t)n < sizeof local->target;
}

/* Whether the name may be used; notes it. 0 or an errno. */
static int take_name(struct local *local)
{
    if (!tree_is_safe(local->target)) {
        return EINVAL;
    }
    if (local->mirror != NULL) {
        (void)mirror_note(local->mirror, local->target); /* it remembers that it could not */
    }
    return local->fold == NULL || fold_add(local->fold, local->target) ? 0 : ENOTUNIQ;
}

/* --- attributes --------------------------------------------------------------------------------------- */

/* What the target is to have, as far as it was asked for. xattrs may be NULL: of a link. */
static int gather(struct local *local, int fd, const struct stat *st, struct attrs *attrs)
{
    const struct options *o = local->options;
    size_t len = 0;
    int error = o->tree.xattrs && fd >= 0 ? attrs_read_xattrs(fd, local->xattrs, &len) : 0;
    if (o->tree.owner) {
        (void)attrs_put_owner(local->xattrs, &len, st->st_uid, st->st_gid);
    }
    /* Never set-user-ID and the like, as with what comes from afar. */
    mode_t all = S_ISDIR(st->st_mode) ? 01777 : 0777;
    *attrs = (struct attrs){.has_mode = true,
                            .has_times = o->preserve,
                            .has_owner = o->tree.owner,
                            .has_xattrs = o->tree.xattrs && error == 0,
                            .mode = st->st_mode & all & ~(o->preserve ? 0 : local->mask),
                            .mtime = st->st_mtim,
                            .xattrs = local->xattrs,
                            .xattrs_len = len};
    return error;
}

static void lost_xattrs(struct local *local, int error)
{
    if (error != 0) {
        report_skip(&local->report, REPORT_SKIP_XATTRS, local->target);
    }
}

static void seal(struct local *local, struct open_folder *folder)
{
    int xattr_error = 0;
    int fd = tree_open(local->to.root, folder->name, O_RDONLY | O_DIRECTORY | TREE_NO_LINKS, 0);
    int error = fd < 0 ? errno : attrs_apply(fd, &folder->attrs, &xattr_error);
    if (error != 0) {
        fail(local, folder->name, error);
    } else if (xattr_error != 0) {
        report_skip(&local->report, REPORT_SKIP_XATTRS, folder->name);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    free(folder->name);
    free(folder->xattrs);
}

static bool is_in(const char *name, const char *folder)
{
    size_t len = strlen(folder);
    return strncmp(name, folder, len) == 0 && (name[len] == '/' || name[len] == '\0');
}

/* Seals the folders that a name is not in; NULL: all. */
static void leave_folders(struct local *local, const char *name)
{
    while (local->folder_count > 0) {
        struct open_folder *folder = &local->folders[local->folder_count - 1];
        if (name != NULL && is_in(name, folder->name)) {
            return;
        }
        seal(local, folder);
        local->folder_count--;
    }
}

/* --- entries ------------------------------------------------------------------------------------------ */

static bool on_copied(void *user, uint64_t bytes, bool is_hole)
{
    static const tern_stats none;
    struct local *local = user;
    local->bytes += bytes;
    local->report.spared.holes += is_hole ? bytes : 0;
    struct report_view view = {.name = local->entry.name,
                               .done = local->bytes,
                               .total = local->total,
                               .files = local->files,
                               .is_growing = true};
    report_progress(&local->report, &view, &none);
    return !atomic_load(&is_stopped);
}

static int make_folder(struct local *local, int at, const char *last, int source)
{
    struct stat st;
    struct open_folder folder = {.name = strdup(local->target)};
    struct attrs *attrs = &folder.attrs;
    bool is_kept = local->options->preserve || local->options->tree.xattrs;
    if (mkdirat(at, last, is_kept ? 0700 : 0777) != 0 &&
        (errno != EEXIST || fstatat(at, last, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
         !S_ISDIR(st.st_mode))) {
        int error = errno;
        free(folder.name);
        return error;
    }
    lost_xattrs(local, gather(local, source, &local->entry.st, attrs));
    folder.xattrs = malloc(attrs->xattrs_len + 1);
    if (folder.name == NULL || folder.xattrs == NULL || !(is_kept || attrs->has_owner)) {
        bool is_short = folder.name == NULL || folder.xattrs == NULL;
        free(folder.name);
        free(folder.xattrs);
        return is_short ? ENOMEM : 0;
    }
    memcpy(folder.xattrs, local->xattrs, attrs->xattrs_len);
    attrs->xattrs = folder.xattrs;
    local->folders[local->folder_count++] = folder;
    return 0;
}

/* A file that stands there has these contents, and then what else it is to have. */
static bool keep_contents(struct local *local, int at, const char *last)
{
    struct attrs attrs;
    int lost;
    uint64_t size = (uint64_t)local->entry.st.st_size;
    int fd = tree_open_regular(at, last, O_RDONLY);
    bool is_same = fd >= 0 && decide_compare(local->entry.fd, fd, size, &is_stopped) == 0;
    if (is_same && local->options->preserve && !local->options->tree.dry_run) {
        (void)gather(local, -1, &local->entry.st, &attrs);
        attrs.has_xattrs = attrs.has_owner = false;
        is_same = attrs_apply(fd, &attrs, &lost) == 0;
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return is_same;
}

/* It stands there already, as far as was asked. */
static bool is_current(struct local *local, int at, const char *last, const struct stat *there)
{
    const struct wishes *w = &local->options->tree;
    const struct stat *st = &local->entry.st;
    if (w->update && decide_is_new_enough(there, &st->st_mtim, (uint64_t)st->st_size)) {
        return true;
    }
    return w->checksum && S_ISREG(there->st_mode) && there->st_size == st->st_size &&
           keep_contents(local, at, last);
}

/* The copy itself; a file that changes meanwhile is tried once more. */
static int make_file(struct local *local, int at, const char *last)
{
    struct attrs attrs;
    struct stat there; /* what is replaced keeps its mode, as with what comes from afar */
    bool is_kept = !local->options->preserve &&
                   fstatat(at, last, &there, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(there.st_mode);
    int xattr_error = 0, error = ESTALE;
    for (unsigned attempt = 0; attempt < 2 && error == ESTALE; attempt++) {
        if (fstat(local->entry.fd, &local->entry.st) != 0) {
            return errno;
        }
        xattr_error = gather(local, local->entry.fd, &local->entry.st, &attrs);
        attrs.mode = is_kept ? there.st_mode & 0777 : attrs.mode;
        struct local_file file = {.from = local->entry.fd,
                                  .st = &local->entry.st,
                                  .folder = at,
                                  .last = last,
                                  .attrs = &attrs,
                                  .is_sparse = local->options->tree.sparse,
                                  .is_flushed = local->options->fsync,
                                  .is_compared = !local->options->no_verify,
                                  .stop = &is_stopped,
                                  .copied = on_copied,
                                  .user = local};
        int set_error;
        error = local_file_copy(&file, &set_error);
        xattr_error = xattr_error != 0 ? xattr_error : set_error;
    }
    if (error == 0) {
        lost_xattrs(local, xattr_error);
    }
    return error;
}

static int make_link(struct local *local, int at, const char *last, const char *text)
{
    struct attrs attrs;
    int error = graft_symlink(at, last, text);
    (void)gather(local, -1, &local->entry.st, &attrs);
    return error != 0 ? error : attrs_apply_link(at, last, &attrs);
}

enum made { MADE, MADE_NOTHING, MADE_FAILED };

/* A name of an inode, by what it is. 0 or an errno. */
static int make_kind(struct local *local, struct tree_walk *walk, int at, const char *last,
                     const char *first)
{
    const struct stat *st = &local->entry.st;
    struct stat there;
    if (S_ISDIR(st->st_mode)) {
        return make_folder(local, at, last, tree_walk_folder(walk));
    }
    if (first != NULL) {
        return graft_link(local->to.root, first, TREE_NO_LINKS, at, last);
    }
    if (S_ISLNK(st->st_mode)) {
        return make_link(local, at, last, tree_walk_target(walk));
    }
    bool is_folder = fstatat(at, last, &there, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(there.st_mode);
    return is_folder ? EISDIR : make_file(local, at, last);
}

/* A folder that a copy of its parent is being made in would never end. */
static bool is_own_copy(const struct local *local, const struct stat *st)
{
    return S_ISDIR(st->st_mode) && local->top.st_ino == st->st_ino &&
           local->top.st_dev == st->st_dev && local->top.st_ino != 0;
}

/* One entry beneath an open folder. */
static enum made make(struct local *local, struct tree_walk *walk, int at, const char *last)
{
    const struct stat *st = &local->entry.st;
    struct stat there;
    bool is_there = fstatat(at, last, &there, AT_SYMLINK_NOFOLLOW) == 0;
    bool is_same = is_there && there.st_ino == st->st_ino && there.st_dev == st->st_dev;
    if (is_same || is_own_copy(local, st)) {
        report_failed(&local->report, REPORT_LOCAL, local->entry.name,
                      is_same ? "source and destination are the same" : "it is the copy itself",
                      "choose another destination");
        return MADE_FAILED;
    }
    const char *first = local->hardlinks == NULL || S_ISDIR(st->st_mode)
                            ? NULL
                            : hardlinks_meet(local->hardlinks, st, local->target);
    if (S_ISREG(st->st_mode) && is_there && first == NULL && is_current(local, at, last, &there)) {
        report_skip(&local->report, REPORT_SKIP_CURRENT, local->entry.name);
        return MADE_NOTHING;
    }
    if (atomic_load(&is_stopped)) { /* it was not asked to the end */
        return MADE_NOTHING;
    }
    if (local->options->tree.dry_run) {
        if (!S_ISDIR(st->st_mode) || !is_there) {
            report_would(&local->report, local->entry.name);
        }
        return MADE_NOTHING;
    }
    int error = make_kind(local, walk, at, last, first);
    if (error != 0) {
        fail(local, local->entry.name, error);
        return MADE_FAILED;
    }
    if (S_ISDIR(st->st_mode) && local->top.st_ino == 0) {
        (void)fstatat(at, last, &local->top, AT_SYMLINK_NOFOLLOW);
    }
    return MADE;
}

static void copy_entry(struct local *local, struct tree_walk *walk)
{
    const char *last;
    bool is_dry = local->options->tree.dry_run;
    int error = map_name(local, local->entry.name) ? take_name(local) : ENAMETOOLONG;
    int at = -1;
    if (error == 0) {
        leave_folders(local, local->target);
        local->files++;
        local->total += S_ISREG(local->entry.st.st_mode) ? (uint64_t)local->entry.st.st_size : 0;
        at = tree_open_parent(local->to.root, local->target, TREE_NO_LINKS, &last);
        error = at < 0 ? errno : 0;
    }
    if (error == ENOENT && is_dry) { /* its folder would have been made */
        report_would(&local->report, local->entry.name);
    } else if (error != 0) {
        fail(local, local->entry.name, error);
    } else {
        enum made made = make(local, walk, at, last);
        if (made == MADE) {
            report_done(&local->report, local->entry.name);
        } else if (made == MADE_FAILED) {
            tree_walk_leave(walk);
        }
    }
    if (at >= 0) {
        (void)close(at);
    }
    if (local->entry.fd >= 0) {
        (void)close(local->entry.fd);
    }
}

/* Unfinished files of other copies are no part of a tree. */
static bool pass_unfinished(const struct local *local)
{
    const char *slash = strrchr(local->entry.name, '/');
    bool is_one = slash != NULL && local->entry.fd >= 0 && partial_is_name(slash + 1);
    if (is_one) {
        (void)close(local->entry.fd);
    }
    return is_one;
}

static void skip_entry(struct local *local, int error)
{
    const char *name = local->entry.name;
    if (local->mirror != NULL && map_name(local, name)) {
        (void)mirror_note(local->mirror, local->target); /* it has a namesake here: it stays */
    }
    switch (local->entry.why) {
    case TREE_WHY_ERROR:
        fail(local, name, error);
        break;
    case TREE_WHY_DEEP:
        report_failed(&local->report, REPORT_LOCAL, name, "more than 128 folders in one another",
                      "copy what is below it by itself");
        break;
    case TREE_WHY_LINK:
        report_skip(&local->report, REPORT_SKIP_LINK, name);
        break;
    case TREE_WHY_SPECIAL:
        report_skip(&local->report, REPORT_SKIP_SPECIAL, name);
        break;
    case TREE_WHY_LOOP:
        report_skip(&local->report, REPORT_SKIP_LOOP, name);
        break;
    case TREE_WHY_OUTSIDE:
        report_skip(&local->report, REPORT_SKIP_OUTSIDE, name);
        break;
    }
}

/* --- sources ------------------------------------------------------------------------------------------ */

static void copy_source(struct local *local, const char *source)
{
    char name[256];
    struct tree_rules rules = wishes_rules(&local->options->tree);
    tree_basename(source, name, sizeof name);
    struct tree_walk *walk = tree_walk_new(-1, source, name[0] == '\0' ? "root" : name,
                                           local->options->recursive, &rules);
    if (walk == NULL) {
        const char *why = errno == EISDIR   ? "it is a folder"
                          : errno == EINVAL ? "not a file or folder"
                                            : strerror(errno);
        report_failed(&local->report, REPORT_LOCAL, source, why,
                      errno == EISDIR ? "copy it with -r" : NULL);
        return;
    }
    bool is_top = true;
    enum tree_result result;
    local->top.st_ino = 0;
    while (!atomic_load(&is_stopped) &&
           (result = tree_walk_next(walk, &local->entry)) != TREE_END) {
        if (result == TREE_SKIPPED) {
            skip_entry(local, errno);
            continue;
        }
        if (pass_unfinished(local)) {
            continue;
        }
        copy_entry(local, walk);
        if (is_top && local->mirror != NULL && S_ISDIR(local->entry.st.st_mode)) {
            (void)mirror_note_top(local->mirror, local->target);
        }
        is_top = false;
    }
    leave_folders(local, NULL);
    report_skip_many(&local->report, REPORT_SKIP_EXCLUDED, tree_walk_filtered(walk));
    tree_walk_free(walk);
}

/* --- the end ------------------------------------------------------------------------------------------ */

static void on_removed(void *user, const char *name, int error)
{
    struct local *local = user;
    if (error == 0) {
        report_deleted(&local->report, name, 1);
    } else {
        fail(local, name, error);
    }
}

static void mirror(struct local *local)
{
    uint64_t kept = 0;
    const uint64_t *failed = local->report.failed;
    if (local->mirror == NULL || atomic_load(&is_stopped)) {
        return;
    }
    if (failed[REPORT_LOCAL] + failed[REPORT_REMOTE] + failed[REPORT_INTEGRITY] > 0) {
        cli_error("--delete", "nothing was deleted, since something failed", NULL);
        return;
    }
    int error = mirror_run(local->mirror, on_removed, local, &kept);
    if (error != 0 && local->report.failed[REPORT_LOCAL] == 0) {
        report_failed(&local->report, REPORT_LOCAL, "--delete", strerror(error), NULL);
    }
    if (kept > 0) {
        report_failed(&local->report, REPORT_LOCAL, "--delete", "--max-delete was reached",
                      "look at what would go with -n");
    }
}

/* 0 or an errno. */
static int begin(struct local *local)
{
    const struct wishes *w = &local->options->tree;
    int root = local->to.root;
    local->mask = umask(077);
    (void)umask(local->mask);
    if (w->hard_links && (local->hardlinks = hardlinks_new(LINKS_MEMORY)) == NULL) {
        return ENOMEM;
    }
    int folder = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool is_blind = folder >= 0 && !w->dry_run && fold_is_blind(folder);
    if (folder >= 0) {
        (void)close(folder);
    }
    if (is_blind && (local->fold = fold_new()) == NULL) {
        return ENOMEM;
    }
    struct mirror_request request = {.root = root,
                                     .flags = TREE_NO_LINKS,
                                     .filter = w->filter,
                                     .max = w->max_delete,
                                     .is_dry = w->dry_run};
    if (w->delete &&(local->mirror = mirror_new(&request)) == NULL) {
        return errno != 0 ? errno : ENOMEM;
    }
    struct sigaction action = {.sa_handler = on_signal};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGHUP, &action, NULL);
    return 0;
}

/* The second would replace the first. */
static bool have_same_names(char **sources, int count)
{
    for (int i = 0; i < count; i++) {
        for (int j = 0; j < i; j++) {
            if (tree_have_same_name(sources[i], sources[j])) {
                cli_error(sources[i], "another source has the same name", "copy them apart");
                return true;
            }
        }
    }
    return false;
}

int local_copy(const struct options *options, char **sources, int count, const char *destination)
{
    struct local *local = calloc(1, sizeof *local);
    if (local == NULL) {
        cli_error("terncp", "out of memory", NULL);
        return CLI_LOCAL;
    }
    local->options = options;
    int error = dest_open(&local->to, destination, count > 1);
    int code = CLI_LOCAL;
    if (error != 0) {
        cli_error(destination, strerror(error), "the folder must exist");
    } else if (have_same_names(sources, count)) {
        (void)close(local->to.root);
        code = CLI_USAGE;
        error = EEXIST;
    }
    if (error != 0) {
        free(local);
        return code;
    }
    report_init(&local->report, options, true);
    error = begin(local);
    if (error != 0) {
        fail(local, destination, error);
    }
    for (int i = 0; i < count && error == 0 && !atomic_load(&is_stopped); i++) {
        copy_source(local, sources[i]);
    }
    mirror(local);
    local->report.bytes = local->bytes;
    local->report.wire = proto_moved(local->bytes, &local->report.spared);
    if (atomic_load(&is_stopped)) {
        report_abort(&local->report);
        cli_error("interrupted", "what was copied stays", "run the command again for the rest");
        code = CLI_INTERRUPTED;
    } else {
        code = report_end(&local->report);
    }
    hardlinks_free(local->hardlinks);
    fold_free(local->fold);
    mirror_free(local->mirror);
    (void)close(local->to.root);
    free(local);
    return code;
}
