/* Streams of one connection led on into another, both ways, in bounded memory: what a copy between two other
 * machines does with the data. It is not changed, and nothing of it is kept; only the names are looked at.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_SPLICE_H
#define TERNCP_SPLICE_H

#include <ev.h>
#include <tern/tern.h>

#include "terncp/proto.h"

struct splices;

struct splices_request {
    struct ev_loop *loop;
    tern_conn *to;    /* where streams that come are led on to */
    uint64_t flags;   /* PROTO_FLAG_* of the copy */
    const char *only; /* as in struct place_request: no other name is passed on */
    /* A name that was not asked for, or something malformed: nothing more is passed on. */
    void (*refused)(void *user, const char *why);
    /* The sender gave an entry up, as the receiver hears, too, who leaves it to the sender's side to tell. */
    void (*given_up)(void *user, const char *name, enum proto_status status);
    void *user;
};

/* NULL: no memory. */
struct splices *splices_new(const struct splices_request *request);
void splices_free(struct splices *all); /* while the streams' handles are good; NULL is fine */

/* Leads a stream that the sender has opened on. */
void splices_add(struct splices *all, tern_stream *stream);
/* An event of a stream of either connection, and OPENABLE of the second. */
void splices_on_event(struct splices *all, const tern_event *event);

uint64_t splices_bytes(const struct splices *all); /* passed on and acknowledged */
const char *splices_current(const struct splices *all);

#endif
