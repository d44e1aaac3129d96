/* A pull into standard output: the contents of one file, in order, as they come.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_SINK_H
#define TERNCP_SINK_H

#include <tern/tern.h>

#include "terncp/pull.h"

struct sink;

struct sink_request {
    int fd;
    const char *only;   /* the name that was asked for */
    uint64_t flags;     /* PROTO_FLAG_* */
    const uint8_t *key; /* as in struct place_request */
    pull_settled_fn settled;
    void *user;
};

/* NULL: no memory. */
struct sink *sink_new(struct work *work, const struct sink_request *request);
void sink_free(struct sink *sink); /* a job that is out cleans up after itself; NULL is fine */

void sink_on_opened(struct sink *sink, tern_stream *stream);
void sink_on_event(struct sink *sink, const tern_event *event);

/* files, bytes and settled alone. */
const struct pull_counts *sink_counts(const struct sink *sink);

#endif
