/* Names as people type them: a local file, standard input or output, a daemon's or an ssh account's.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_TARGET_H
#define TERNCP_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "terncp/proto.h"

#define TARGET_SCHEME    "tern://"
#define TARGET_HOST_SIZE 256

enum target_kind {
    TARGET_LOCAL,
    TARGET_PIPE, /* "-": standard input or output */
    TARGET_TERN, /* tern://host[:port]/path */
    TARGET_SSH   /* [user@]host:path */
};

struct target {
    enum target_kind kind;
    /* SSH: "user@host" or "host", as ssh wants it, without brackets. */
    char login[TARGET_HOST_SIZE];
    char host[TARGET_HOST_SIZE];
    uint16_t port;                 /* TERN */
    char path[PROTO_PATH_MAX + 1]; /* as the other side shall read it; LOCAL: as typed */
};

/* What kind of name this is. As with scp, a colon makes it remote unless a slash stands before it, or the
 * name begins with it. */
enum target_kind target_kind_of(const char *text);

/* Takes a name apart. NULL, or what is wrong with it. */
const char *target_parse(struct target *target, const char *text, uint16_t default_port);

bool target_is_remote(enum target_kind kind);

#endif
