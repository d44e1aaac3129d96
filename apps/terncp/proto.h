/* The words of terncp on the wire: control messages on one stream, packs of small entries on a few, and a
 * stream for each larger file. docs/terncp-protocol.md is the specification.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_PROTO_H
#define TERNCP_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROTO_VERSION    2
#define PROTO_PATH_MAX   4096
#define PROTO_TEXT_MAX   512
#define PROTO_BODY_MAX   (PROTO_PATH_MAX + 64) /* of a control message */
#define PROTO_RANGES_MAX 512                   /* of a DONE */
#define PROTO_HASH_SIZE  32
#define PROTO_LEAF_SIZE  16
#define PROTO_KEY_SIZE   32
#define PROTO_BLOCK      ((size_t)1 << 20)   /* bytes of a block: a leaf of the hash */
#define PROTO_SMALL_MAX  ((size_t)256 << 10) /* a file of so many bytes has a stream of its own */
#define PROTO_LINK_MAX   4095                /* bytes that a symbolic link holds */

#define PROTO_ATTRS_MAX  ((size_t)64 << 10) /* of an entry's attributes */
#define PROTO_DIGEST_MAX 32                 /* of the contents of a file that is asked about */

#define PROTO_ENTRY_FIXED 35
#define PROTO_HEADER_MAX  (PROTO_ENTRY_FIXED + PROTO_PATH_MAX) /* of an entry */
/* Of an entry in a pack: contents are less than PROTO_SMALL_MAX. */
#define PROTO_PACKED_MAX (PROTO_HEADER_MAX + PROTO_ATTRS_MAX + PROTO_SMALL_MAX + PROTO_HASH_SIZE)

/* Control messages: type u8, length u32, body. */
enum proto_type {
    PROTO_HELLO = 1, /* client: version u8, direction u8, flags u64, key, path */
    PROTO_READY = 2, /* server: flags u64: the request is accepted, and those of its wishes */
    PROTO_FAIL = 3,  /* either: status u8, index u32, text: one entry, or (index ~0) everything */
    PROTO_DONE = 4,  /* receiver: ranges of indices: these entries stand under their final names */
    PROTO_END = 5,   /* sender: count u32 of entries sent, failed u32, excluded u64; the receiver
                        answers with the same count */
    PROTO_RULE = 7,  /* client, behind HELLO: "+ PATTERN", "- PATTERN", "= N"; empty: no more */
    PROTO_WANT = 8,  /* receiver: ranges of indices that were asked about: they shall come */
    PROTO_CURRENT = 9, /* receiver: ranges: these need not, and are settled */
    PROTO_GONE = 10,   /* receiver: count u32, name: so many names were removed, this among them */
    PROTO_LIMIT = 16,  /* either: rate u64, background u8: how the other may send from now on */
    PROTO_TOTAL = 17, /* files u64, bytes u64: a client asks (zeros) what there is, a server says */
    PROTO_SETTING = 24 /* client, before HELLO: setting u8, text */
};

enum proto_setting {
    PROTO_PARTIAL_DIR = 1 /* where unfinished files are to be kept, in each folder that has some */
};

enum proto_direction { PROTO_PUSH = 1, PROTO_PULL = 2 };

#define PROTO_FLAG_RECURSIVE 0x01u
#define PROTO_FLAG_PRESERVE  0x02u
#define PROTO_FLAG_FSYNC     0x04u
/* The target must be a folder: several sources, or a trailing slash. */
#define PROTO_FLAG_INTO        0x08u
#define PROTO_FLAG_LINKS       0x10u        /* symbolic links are copied as such */
#define PROTO_FLAG_NO_HASH     0x20u        /* no entry bears a hash */
#define PROTO_FLAG_ZSTD        0x40u        /* the sender may compress; a wish */
#define PROTO_FLAG_PREALLOCATE 0x80u        /* room is taken before a file is written */
#define PROTO_FLAG_NO_RESUME   0x1000u      /* unfinished files are neither gone on with nor kept */
#define PROTO_FLAG_WHOLE_FILE  0x2000u      /* no file is made out of its old version */
#define PROTO_FLAG_IN_PLACE    0x4000u      /* larger files are written where they are to stand */
#define PROTO_FLAG_FOLLOW      (1ull << 32) /* what symbolic links lead to is copied */
#define PROTO_FLAG_SPARSE      (1ull << 33) /* holes are told */
#define PROTO_FLAG_HARD_LINKS  (1ull << 34) /* names of one file stay that */
#define PROTO_FLAG_XATTRS      (1ull << 35) /* entries bear extended attributes */
#define PROTO_FLAG_OWNER       (1ull << 36) /* and their owner */
#define PROTO_FLAG_UPDATE      (1ull << 37) /* files are asked about: is there a newer one? */
#define PROTO_FLAG_CHECKSUM    (1ull << 38) /* files are asked about: has it these contents? */
#define PROTO_FLAG_DRY_RUN     (1ull << 39) /* everything is only asked about */
#define PROTO_FLAG_DELETE      (1ull << 40) /* what the sender does not name is removed */
#define PROTO_FLAG_RULES       (1ull << 41) /* rules follow, and the request begins behind them */
/* Pull: there is nothing here yet; plans need not be waited for. */
#define PROTO_FLAG_AHEAD   (1ull << 42)
#define PROTO_FLAGS_WISHES ((uint64_t)PROTO_FLAG_ZSTD)
#define PROTO_FILES_SHIFT  16 /* a byte: larger files in flight at once; 0: the sender's choice */
/* The highest byte: the level of compression; 0: the sender's choice. */
#define PROTO_LEVEL_SHIFT 24
#define PROTO_FLAGS_ATTRS (PROTO_FLAG_XATTRS | PROTO_FLAG_OWNER)
#define PROTO_FLAGS_ASK   (PROTO_FLAG_UPDATE | PROTO_FLAG_CHECKSUM | PROTO_FLAG_DRY_RUN)

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
    PROTO_CHANGED = 9,   /* the file changed while it was read */
    PROTO_LEFT_OUT = 10, /* neither file nor folder, such as a link: no failure of the copy */
    PROTO_AGAIN = 11,    /* it comes again under another index: no failure either */
    /* Nor are these: what was left out, or did not need to come, is told by its name. */
    PROTO_LOST_ATTRS = 12, /* the file stands, its extended attributes could not be kept */
    PROTO_IS_CURRENT = 13, /* never sent as a status: PROTO_CURRENT says so */
    PROTO_IS_WANTED = 14,  /* nor is this: PROTO_WANT */
    PROTO_LEFT_LINK = 16,
    PROTO_LEFT_SPECIAL = 17,
    PROTO_LEFT_LOOP = 18,
    PROTO_LEFT_OUTSIDE = 19
};

static inline bool proto_is_left_out(enum proto_status status)
{
    return status == PROTO_LEFT_OUT || (status >= PROTO_LEFT_LINK && status <= PROTO_LEFT_OUTSIDE);
}

struct proto_range {
    uint32_t first, count;
};

struct proto_message {
    enum proto_type type;
    uint8_t version, direction, status, setting;
    uint64_t flags;
    uint8_t key[PROTO_KEY_SIZE];   /* of the hashes */
    uint32_t index;                /* or count */
    uint64_t rate;                 /* LIMIT: bytes a second; 0: no limit */
    bool is_background;            /* LIMIT: give way to all others */
    uint64_t files, bytes;         /* TOTAL */
    uint32_t failed;               /* END */
    uint64_t excluded;             /* END */
    char text[PROTO_PATH_MAX + 1]; /* path or text, terminated; never holds a NUL inside */
    struct proto_range ranges[PROTO_RANGES_MAX];
    unsigned range_count;
};

/* Writes a message into buf; returns its length, 0 when it does not fit. */
size_t proto_encode(const struct proto_message *m, uint8_t *buf, size_t size);

/* Reads one message from the front of data. Returns its length, 0 when it is not whole yet, -1 when
 * it is malformed. */
int proto_decode(struct proto_message *m, const uint8_t *data, size_t len);

/* Adds an index to the ranges of a DONE. False: they are full, and it was not added. */
bool proto_ranges_add(struct proto_message *done, uint32_t index);

enum proto_entry_type {
    PROTO_FILE = 1,
    PROTO_FOLDER = 2,
    PROTO_LINK = 3, /* its contents are what the link holds */
    PROTO_VOID = 4, /* could not be read after all; `mode` is the status */
    PROTO_SAME = 5  /* a name more of the file of which its contents are a name */
};
#define PROTO_ASKED 0x80u /* with a type: asked about, no contents follow, at most a digest */

/* In a pack, in place of entries: them, compressed. */
#define PROTO_PACKED 0x5au
/* Bytes of its head: type u8, length u32 of the entries, packed u32. They fit an UNPACK_CAPACITY. */
#define PROTO_PACKED_HEAD   9
#define PROTO_UNPACKED_MAX  ((size_t)512 << 10)
#define PROTO_UNPACKED_MANY 128 /* entries */

struct proto_packed {
    uint32_t len, packed;
};
size_t proto_packed_encode(const struct proto_packed *p, uint8_t *buf, size_t size);
int proto_packed_decode(struct proto_packed *p, const uint8_t *data, size_t len);

#define PROTO_SIZE_UNKNOWN UINT64_MAX /* of a file with a stream of its own: its end tells */

/* What stands at the front of an entry. */
struct proto_entry {
    enum proto_entry_type type;
    bool is_asked;
    uint32_t index;
    uint32_t mode;
    int64_t mtime_s;
    uint32_t mtime_ns;
    uint64_t size;
    uint32_t attrs;                /* bytes of attributes, right behind the header */
    char name[PROTO_PATH_MAX + 1]; /* relative, with slashes */
};

size_t proto_entry_encode(const struct proto_entry *e, uint8_t *buf, size_t size);
/* As proto_decode. */
int proto_entry_decode(struct proto_entry *e, const uint8_t *data, size_t len);

/* Bytes that follow the header of an entry in a pack, attributes among them; -1: such an entry does not belong there. */
int64_t proto_packed_size(const struct proto_entry *e, uint64_t flags);

/* How the sender then makes the file, step by step. */
enum proto_step_kind {
    PROTO_STEP_DATA = 1,  /* `len` bytes follow */
    PROTO_STEP_ZDATA = 2, /* `packed` bytes follow, a zstd frame of `len` bytes */
    PROTO_STEP_COPY = 3,  /* `len` bytes of the old file from `offset` */
    PROTO_STEP_HOLE = 4,  /* `len` zeros */
    PROTO_STEP_END = 5,   /* the hash follows, if there is one, and the end of the stream */
    PROTO_STEP_KEEP = 6   /* `len` bytes of the unfinished file stay where they are: whole blocks */
};

#define PROTO_STEP_MAX 17 /* bytes of a step before what follows it */

struct proto_step {
    enum proto_step_kind kind;
    uint32_t packed;
    uint64_t offset, len;
};

size_t proto_step_encode(const struct proto_step *step, uint8_t *buf, size_t size);
int proto_step_decode(struct proto_step *step, const uint8_t *data, size_t len);

/* The status that an errno is told as, and a plain word for a status. */
enum proto_status proto_status_of(int error);
const char *proto_status_text(enum proto_status status);

/* Bytes of file contents that did not have to move. */
struct proto_spared {
    uint64_t kept;   /* they stood in unfinished files */
    uint64_t copied; /* ... in old versions */
    uint64_t holes;  /* nobody has written them, here or there */
};

/* Of so many bytes, those that did move. */
static inline uint64_t proto_moved(uint64_t bytes, const struct proto_spared *spared)
{
    uint64_t rest = spared->kept + spared->copied + spared->holes;
    return bytes > rest ? bytes - rest : 0;
}

#endif
