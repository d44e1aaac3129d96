/* The receiving side of a copy: entries that arrive become files, folders and links beneath one root.
 *
 * A file is written under a temporary name beside its final one and gets that only when its hash has
 * matched. Whatever ends a copy early leaves no file under a final name that is not whole.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_PULL_H
#define TERNCP_PULL_H

#include <tern/tern.h>

#include "shared/work.h"
#include "terncp/filter.h"
#include "terncp/place.h"
#include "terncp/proto.h"

struct pull;

/* An entry is settled: under its final name (PROTO_OK) or not. `name` is where it was to go; `by_peer`:
 * the sender gave it up. PROTO_AGAIN: it changed over there while it was read, and comes again. Also the answers to
 * questions, PROTO_IS_CURRENT (settled, too) and PROTO_IS_WANTED (only in a dry run), and PROTO_LOST_ATTRS,
 * which settles nothing. */
typedef void (*pull_settled_fn)(void *user, uint32_t index, enum proto_status status,
                                const char *name, const char *why, bool by_peer);

struct pull_counts {
    uint64_t files, folders, links, failed;
    uint64_t bytes;             /* of file contents that arrived, or did not need to */
    struct proto_spared spared; /* of these */
    uint64_t total;             /* of the files begun so far */
    uint64_t settled;
};

/* NULL: no memory, or no descriptor. */
struct pull *pull_new(struct work *work, const struct place_request *request,
                      pull_settled_fn settled, void *user);
void pull_free(struct pull *pull); /* drops what is unfinished; NULL is fine */

/* A stream that the peer opened, and what happens to it: STREAM_READABLE, _WRITABLE, _STOPPED, _CLOSED. */
void pull_on_opened(struct pull *pull, tern_stream *stream);
void pull_on_event(const tern_event *ev);
/* Goes on with streams that waited for the disk. */
void pull_pump(struct pull *pull);
/* Takes nothing from streams, and gives nothing its name, until it is let go. It may hold itself back, when the sender
 * has come again since (place_request.visits). */
void pull_hold(struct pull *pull, bool is_held);
bool pull_is_held(const struct pull *pull);
/* The sender is there itself. */
void pull_prove(struct pull *pull);

/* What is left to do when everything has come. */
struct pull_ending {
    const struct filter *filter; /* of PROTO_FLAG_DELETE; borrowed; NULL: no rules */
    uint64_t max_delete;
    /* Names were removed, or (dry run) would be: this and count - 1 that are not told; or, with an
     * error, something was not. */
    void (*removed)(void *user, const char *name, uint32_t count, int error);
    void (*ended)(void *user); /* pull_finish() will say true */
};
/* Before anything comes. False: no memory. */
bool pull_set_ending(struct pull *pull, const struct pull_ending *ending);

/* The sender has sent so many entries, of which it failed to send some more. True once all is done: they
 * are settled, names of one file are linked, what was not named is removed, and folders have the modes
 * and times that could not stand while files were still being put into them. Else call it again when
 * something was settled, or after ended(). */
bool pull_finish(struct pull *pull, uint32_t count, uint32_t failed);

const struct pull_counts *pull_counts(const struct pull *pull);
const char *pull_current(const struct pull *pull);

#endif
