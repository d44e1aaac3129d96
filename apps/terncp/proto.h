/* The words of terncp on the wire: control messages on one stream, a file or folder on each other.
 * docs/terncp-protocol.md is the specification.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_PROTO_H
#define TERNCP_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROTO_VERSION    1
#define PROTO_PATH_MAX   4096
#define PROTO_TEXT_MAX   512
#define PROTO_BODY_MAX   (PROTO_PATH_MAX + 64) /* of a control message */
#define PROTO_HASH_SIZE  32
#define PROTO_LEAF_SIZE  16
#define PROTO_KEY_SIZE   32
#define PROTO_KEY_LABEL  "terncp file hash"    /* of tern_conn_export() */
#define PROTO_HEADER_MAX (32 + PROTO_PATH_MAX) /* of an entry */

/* Control messages: type u8, length u32, body. */
enum proto_type {
    PROTO_HELLO = 1, /* client: version u8, direction u8, flags u8, path */
    PROTO_READY = 2, /* server: the request is accepted */
    PROTO_FAIL = 3,  /* either: status u8, index u32, text: one entry, or (index ~0) everything */
    PROTO_DONE = 4,  /* receiver: index u32: this entry stands under its final name */
    PROTO_END = 5    /* sender: count u32 of entries sent; the receiver answers with the same */
};

enum proto_direction { PROTO_PUSH = 1, PROTO_PULL = 2 };

#define PROTO_FLAG_RECURSIVE 0x01u
#define PROTO_FLAG_PRESERVE  0x02u
#define PROTO_FLAG_FSYNC     0x04u
#define PROTO_FLAG_INTO                                                                            \
    0x08u /* the target must be a folder: several sources, or a trailing slash */

#define PROTO_CLOSE_PARTIAL 3 /* a receiving client has not kept everything */

#define PROTO_INDEX_ALL  UINT32_MAX       /* FAIL: the whole request */
#define PROTO_INDEX_NONE (UINT32_MAX - 1) /* FAIL: something that was not even sent */

/* What went wrong, in few kinds; the text says more. */
enum proto_status {
    PROTO_OK = 0,
    PROTO_BAD_REQUEST = 1,
    PROTO_REFUSED_PATH = 2, /* absolute, "..", or out of the root */
    PROTO_NOT_FOUND = 3,
    PROTO_NO_PERMISSION = 4,
    PROTO_NO_SPACE = 5,
    PROTO_IO = 6,
    PROTO_INTEGRITY = 7, /* the hash does not match */
    PROTO_READ_ONLY = 8,
    PROTO_CHANGED = 9,  /* the file changed while it was read */
    PROTO_LEFT_OUT = 10 /* neither file nor folder, such as a link: no failure of the copy */
};

struct proto_message {
    enum proto_type type;
    uint8_t version, direction, flags, status;
    uint32_t index;                /* or count */
    char text[PROTO_PATH_MAX + 1]; /* path or text, terminated; never holds a NUL inside */
};

/* Writes a message into buf; returns its length, 0 when it does not fit. */
size_t proto_encode(const struct proto_message *m, uint8_t *buf, size_t size);

/* Reads one message from the front of data. Returns its length, 0 when it is not whole yet, -1 when
 * it is malformed. */
int proto_decode(struct proto_message *m, const uint8_t *data, size_t len);

enum proto_entry_type { PROTO_FILE = 1, PROTO_FOLDER = 2 };

/* What stands at the front of an entry's stream; a file's bytes and then its hash follow. */
struct proto_entry {
    enum proto_entry_type type;
    uint32_t index;
    uint32_t mode;
    int64_t mtime_s;
    uint32_t mtime_ns;
    uint64_t size;
    char name[PROTO_PATH_MAX + 1]; /* relative, with slashes */
};

size_t proto_entry_encode(const struct proto_entry *e, uint8_t *buf, size_t size);
int proto_entry_decode(struct proto_entry *e, const uint8_t *data, size_t len);

/* The status that an errno is told as, and a plain word for a status. */
enum proto_status proto_status_of(int error);
const char *proto_status_text(enum proto_status status);

#endif
