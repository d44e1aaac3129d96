/* Where what arrives is put: names mapped beneath one root, temporary files, and final names.
 *
 * A place does not change once it stands, but for its end, so worker threads may use it. Its references are counted on the
 * loop's thread alone.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_PLACE_H
#define TERNCP_PLACE_H

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "terncp/attrs.h"
#include "terncp/fold.h"
#include "terncp/proto.h"
#include "terncp/visits.h"

#define PLACE_TEMPORARY_SIZE 32

/* Everything goes beneath the folder `root` (duplicated). With is_into entries keep their names
 * below `target`; else the first component of each name becomes `target`. */
struct place_request {
    int root;
    const char *target;
    bool is_into;
    uint64_t flags;     /* PROTO_FLAG_* */
    const uint8_t *key; /* PROTO_KEY_SIZE bytes, copied: of the hashes, as in the HELLO */
    /* What was asked for: the first component of each name must be this, and without
     * PROTO_FLAG_RECURSIVE the whole of it, or a hostile sender could put anything into the target
     * (scp's CVE-2019-6111); and then nothing is written through a symbolic link below root. NULL: the
     * sender chooses. */
    const char *only;
    bool is_fresh;           /* what exists is not replaced */
    const char *partial_dir; /* where unfinished files are kept; NULL: beside their final names */
    /* Whoever sends has come with a ticket and not shown its key: nothing gets its name once that client has come again
     * (visits.h), until place_prove(). NULL: it is there itself. */
    struct visits *visits;
    const uint8_t *visitor; /* TERN_KEY_SIZE bytes, copied */
    uint64_t visit;
};

struct place {
    int root;
    bool is_into, is_fresh;
    uint64_t flags;
    mode_t mask;
    int links;                            /* TREE_NO_LINKS or 0 */
    char only[256];                       /* empty: any name */
    char partial_dir[PROTO_PATH_MAX + 1]; /* empty: none */
    char target[PROTO_PATH_MAX + 1];
    uint8_t session_key[PROTO_KEY_SIZE];
    /* Names that came, where the target does not tell "a" from "A"; NULL where it does. Locked. */
    struct fold *fold;
    pthread_mutex_t fold_lock;
    struct visits *visits;
    uint8_t visitor[TERN_KEY_SIZE];
    uint64_t visit;
    atomic_bool is_proved;
    /* Set by the loop when nobody waits for anything more: what takes long ends. */
    atomic_bool is_stopped;
    /* The loop's own. */
    unsigned references;
    size_t held; /* bytes in memory for files on their way to the disk */
};

/* NULL: no memory, or no descriptor. */
struct place *place_new(const struct place_request *request);
struct place *place_hold(struct place *place);
void place_drop(struct place *place); /* NULL is fine */

/* The sender is there itself. */
void place_prove(struct place *place);
/* Instead of a name: another visit has come first. The same call may go well when the sender has been proved. */
#define PLACE_NOT_YET EINPROGRESS

/* Where an entry goes. NULL, or why it must not. */
const char *place_map(const struct place *place, const char *name, char target[PROTO_PATH_MAX + 1]);

/* The folder that holds a target; in a recursive copy what is missing above it is made, since a folder
 * may come later than its files. -1 with errno. */
int place_open_folder(const struct place *place, const char *target, const char **last);

/* A new file beside the final name, of as many of the wished permissions as the umask leaves. `number`
 * is a random one, and another afterwards. -1 with errno. */
int place_create(int folder, mode_t mode, uint32_t *number, char temporary[PLACE_TEMPORARY_SIZE]);

/* The mode of the file that stands there and is to be replaced: as with cp and scp it stays, unless the sender's is
 * wanted. PLACE_NO_MODE: there is none, or it does not. */
#define PLACE_NO_MODE ((mode_t)-1)
/* Permissions: that the file has, and that the one in whose place it comes has (place_kept_mode). */
struct place_modes {
    mode_t has, kept;
};
mode_t place_kept_mode(const struct place *place, int folder, const char *last);

/* All that stands in an entry beside its name and contents: owner, mode, extended attributes, times. `xattrs`:
 * entry->attrs bytes, valid. With PROTO_FLAG_FSYNC, to the disk. 0
 * or an errno; *has_lost: extended attributes could not be set. */
int place_give_attributes(const struct place *place, const struct proto_entry *entry,
                          const uint8_t *xattrs, struct place_modes modes, int fd, bool *has_lost);
/* To the final name, maybe in another folder. As renameat, or PLACE_NOT_YET. */
int place_move(const struct place *place, int from, const char *temporary, int folder,
               const char *last);
/* With PROTO_FLAG_FSYNC: the names in it to the disk. */
void place_flush_folder(const struct place *place, int folder);

/* Attributes, and the final name. */
int place_give_name(const struct place *place, const struct proto_entry *entry,
                    const uint8_t *xattrs, struct place_modes modes, int fd, int folder,
                    const char *temporary, const char *last, bool *has_lost);
/* What an entry is to have when it is done. */
bool place_keeps_attrs(const struct place *place);
void place_attrs(const struct place *place, const struct proto_entry *entry, const uint8_t *xattrs,
                 struct attrs *attrs);

int place_make_folder(const struct place *place, int folder, const char *last);
int place_make_link(const struct place *place, const struct proto_entry *entry,
                    const uint8_t *attrs, const char *text, int folder, const char *last);

/* What was asked about stands there already, as far as the flags want to know. The digest is one of
 * decide_digest(). Reads files: for workers. A file that has the contents gets mode and times, if these are
 * to be kept. */
bool place_is_current(const struct place *place, const struct proto_entry *entry, int folder,
                      const char *last, const uint8_t *digest);

#endif
