/* The names in a stream of entries that passes: found without keeping or changing anything.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_PASSING_H
#define TERNCP_PASSING_H

#include "terncp/proto.h"

struct passing {
    bool is_file; /* a file's own stream: one header, and then what is none of ours; else a pack */
    uint64_t flags;   /* PROTO_FLAG_* of the copy */
    const char *only; /* as in struct place_request */
    /* An entry that the sender could not read after all: it stands in the pack without its bytes. */
    void (*given_up)(void *user, const char *name, uint64_t status);
    void *user;
    /* Its own. */
    uint8_t header[PROTO_HEADER_MAX];
    size_t used;   /* of a header that is not whole yet */
    uint64_t skip; /* bytes until the next one */
    bool is_over;
};

/* Looks at the next bytes. NULL, or why they must not be passed on. `name` gets the newest name, if there is
 * one among them. */
const char *passing_look(struct passing *passing, const uint8_t *data, size_t len,
                         char name[PROTO_PATH_MAX + 1]);

#endif
