/* The sending side of a copy: walks trees, reads ahead, packs small entries together, and gives each larger
 * file a stream of its own.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_PUSH_H
#define TERNCP_PUSH_H

#include <tern/tern.h>

#include "shared/work.h"
#include "terncp/filter.h"
#include "terncp/proto.h"

struct push;

/* An entry failed here; `error` is an errno (EAGAIN: it changed while it was read, and is read again, which is
 * no failure). is_begun: the receiver knows already. */
typedef void (*push_failed_fn)(void *user, const char *name, int error, bool is_begun);
const char *push_why(int error);
/* An entry was left out, and that is no failure: PROTO_LEFT_*; or it goes without its extended attributes:
 * PROTO_LOST_ATTRS; or the receiver was asked and said PROTO_IS_CURRENT or, in a dry run,
 * PROTO_IS_WANTED. */
typedef void (*push_left_fn)(void *user, const char *name, enum proto_status status);
/* Everything is on its way and counts.entries will not change: END may be said. Once; what is under way
 * may not be acknowledged yet. */
typedef void (*push_counted_fn)(void *user);

struct push_counts {
    uint64_t files, folders, links, failed;
    uint64_t bytes;             /* of file contents that the peer has acknowledged */
    struct proto_spared spared; /* of these */
    uint64_t total;             /* of the files begun so far */
    uint64_t excluded;          /* names that rules left out */
    uint32_t entries;
};

/* Has the receiver surely nothing of what it will call so? */
typedef bool (*push_is_new_fn)(void *user, const char *name);

struct push_request {
    uint64_t flags;              /* PROTO_FLAG_* */
    uint8_t key[PROTO_KEY_SIZE]; /* of the hashes, as in the HELLO */
    const struct filter *filter; /* borrowed; NULL: no rules */
    push_failed_fn failed;
    push_left_fn left;
    push_counted_fn counted;
    push_is_new_fn is_new; /* NULL: PROTO_FLAG_AHEAD tells */
    void *user;
};

struct push *push_new(struct work *work, tern_conn *conn, const struct push_request *request);
void push_free(struct push *push); /* NULL is fine; jobs that are out clean up after themselves */

/* Adds a source. As tree_walk_new. 0 or an errno. */
int push_add(struct push *push, int root, const char *path, const char *name, bool is_recursive);
/* Adds what can be read from a pipe until its end, as a file of this name. The descriptor is duplicated. 0 or
 * an errno. */
int push_add_pipe(struct push *push, int fd, const char *name);
/* No more sources will come: only from here on can it be done. */
void push_begin(struct push *push);
/* The receiver has answered whether it takes PROTO_FLAG_ZSTD: before that no larger file is read, if asked
 * to pack. */
void push_allow_zip(struct push *push, bool can_unpack);

/* The receiver's answers: PROTO_WANT or PROTO_CURRENT. */
void push_on_answer(struct push *push, const struct proto_message *message);

/* Does what can be done now. Call it after polling, whenever anything happened. */
void push_pump(struct push *push);

/* Events of streams that push opened (their user pointer is push's own): STREAM_READABLE, _WRITABLE,
 * _STOPPED, _CLOSED. */
void push_on_event(const tern_event *ev);

bool push_is_counted(const struct push *push);
const struct push_counts *push_counts(struct push *push);
const char *push_current(const struct push *push); /* name of the newest entry; "" at first */

#endif
