/* Requests about names, in words on the wire: list, describe, remove, make. One stream each, beside the
 * copies' own; docs/terncp-protocol.md, "Requests about names".
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_NAMES_H
#define TERNCP_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "terncp/proto.h"

#define NAMES_VERSION  1
#define NAMES_BODY_MAX (64 + PROTO_PATH_MAX + PROTO_PATH_MAX)
#define NAMES_SIZE_MAX (5 + NAMES_BODY_MAX)

/* Messages as on the control stream: type u8, length u32, body. The types do not meet its own. */
enum names_type {
    NAMES_ASK = 32,  /* client, first and only: version u8, verb u8, flags u16, path */
    NAMES_NAME = 33, /* server: one name and what it is */
    NAMES_FAIL = 34, /* server: status u8, is_last u8, text */
    NAMES_END = 35   /* server, last: how many names were told, removed or made, u64 */
};

enum names_verb { NAMES_LIST = 1, NAMES_STAT = 2, NAMES_REMOVE = 3, NAMES_MAKE = 4 };

#define NAMES_FLAG_RECURSIVE 0x01u /* LIST, REMOVE: what is in folders, too */
#define NAMES_FLAG_PARENTS   0x02u /* MAKE: the folders above as well; one that exists is fine */

/* What a thing is, besides its name. */
struct names_about {
    uint32_t mode; /* as of stat(2): type and permissions */
    uint32_t links, uid, gid;
    uint64_t size;
    int64_t mtime_s;
    uint32_t mtime_ns;
};

struct names_message {
    enum names_type type;
    /* ASK */
    uint8_t version;
    enum names_verb verb;
    uint16_t flags;
    /* FAIL */
    uint8_t status;                  /* enum proto_status */
    bool is_last;                    /* the request failed as a whole */
    uint64_t count;                  /* END */
    struct names_about about;        /* NAME */
    char target[PROTO_PATH_MAX + 1]; /* of a symbolic link */
    char text[PROTO_PATH_MAX + 1];   /* ASK: path; NAME: name; FAIL: why */
};

/* Writes a message into buf; its length, 0 when it does not fit. */
size_t names_encode(const struct names_message *m, uint8_t *buf, size_t size);

/* Reads one from the front of data: its length, 0 when it is not whole yet, -1 when malformed. */
int names_decode(struct names_message *m, const uint8_t *data, size_t len);

#endif
