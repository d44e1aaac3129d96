/* The receiving side of a copy: entries that arrive become files, folders and links beneath one root.
 *
 * A file is written under a temporary name beside its final one and gets that only when its hash has
 * matched. Whatever ends a copy early leaves no file under a final name that is not whole.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_PULL_H
#define TERNCP_PULL_H

#include <tern/tern.h>

#include "terncp/place.h"
#include "terncp/proto.h"
#include "terncp/work.h"

struct pull;

/* An entry is settled: under its final name (PROTO_OK) or not. `name` is where it was to go; `by_peer`:
 * the sender gave it up. PROTO_AGAIN: it changed over there while it was read, and comes again. */
typedef void (*pull_settled_fn)(void *user, uint32_t index, enum proto_status status,
                                const char *name, const char *why, bool by_peer);

struct pull_counts {
    uint64_t files, folders, links, failed;
    uint64_t bytes;        /* of file contents that arrived, or were here already */
    uint64_t kept, copied; /* of these: out of unfinished files, out of old versions */
    uint64_t total;        /* of the files begun so far */
    uint64_t settled;
};

/* NULL: no memory, or no descriptor. */
struct pull *pull_new(struct work *work, tern_conn *conn, const struct place_request *request,
                      pull_settled_fn settled, void *user);
void pull_free(struct pull *pull); /* drops what is unfinished; NULL is fine */

/* A stream that the peer opened, and what happens to it: STREAM_READABLE, _WRITABLE, _STOPPED, _CLOSED. */
void pull_on_opened(struct pull *pull, tern_stream *stream);
void pull_on_event(const tern_event *ev);
/* Goes on with streams that waited for the disk. */
void pull_pump(struct pull *pull);

/* With PROTO_FLAG_PRESERVE, once everything is settled: gives folders their mode and times, which
 * could not stand while files were still being put into them. */
void pull_seal_folders(struct pull *pull);

const struct pull_counts *pull_counts(const struct pull *pull);
const char *pull_current(const struct pull *pull);

#endif
