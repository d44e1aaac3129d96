/* The receiver's plan for a large file: what it has of it already, told to the sender on the file's own
 * stream. docs/terncp-protocol.md §5 is the specification.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_PLAN_H
#define TERNCP_PLAN_H

#include "terncp/signs.h"

#define PLAN_TAG_SIZE   16
#define PLAN_TAGS_MAX   (1u << 20) /* blocks of 1 MiB: what lies behind the first TiB is sent anew */
#define PLAN_FRONT_SIZE 11

enum plan_kind {
    PLAN_WHOLE = 1, /* nothing is there: send everything */
    PLAN_PARTS = 2,
    PLAN_SKIP = 3 /* it is not wanted: the file is settled */
};

#define PLAN_IN_PLACE 0x01u /* the old file is overwritten: copy only what stays where it is */

/* --- the receiver's side -------------------------------------------------------------------------------- */

/* A plan being written: kind u8 | flags u8 | level u8 | tags u32 | chunks u32 | tags | chunks. */
struct plan_maker {
    uint8_t *bytes;
    size_t len, capacity;
    uint32_t tags, chunks;
    uint64_t base_size; /* that the chunks cover */
};

/* level: of the chunks, 0: there will be none. 0 or ENOMEM. */
int plan_maker_init(struct plan_maker *maker, unsigned flags, unsigned level);
void plan_maker_clear(struct plan_maker *maker);
/* A plan of one byte. 0 or ENOMEM. */
int plan_maker_init_plain(struct plan_maker *maker, enum plan_kind kind);
/* The tag of the next block of the unfinished file; all tags before all chunks. What goes beyond the
 * limits is left out: then the sender just sends it. 0 or ENOMEM. */
int plan_maker_tag(struct plan_maker *maker, const uint8_t tag[PLAN_TAG_SIZE]);
int plan_maker_chunk(struct plan_maker *maker, const struct chunk *chunk);
/* Sets the counts: the bytes are ready to be sent. */
void plan_maker_end(struct plan_maker *maker);
/* Once they were sent: forgets the chunks' bytes. */
void plan_maker_shrink(struct plan_maker *maker);
/* The tag that was given for a block. NULL: none was. */
const uint8_t *plan_maker_tag_of(const struct plan_maker *maker, uint64_t block);

/* May a sender that got this plan refer to these bytes? Never trust that it does only that.
 * `size`: of the file that is being written, at whose `offset` the bytes are to stand. */
bool plan_maker_allows_copy(const struct plan_maker *maker, uint64_t size, uint64_t offset,
                            uint64_t from, uint64_t len);
bool plan_maker_allows_keep(const struct plan_maker *maker, uint64_t size, uint64_t offset,
                            uint64_t len);

/* --- the sender's side ---------------------------------------------------------------------------------- */

/* A plan being read. */
struct plan {
    enum plan_kind kind;
    unsigned flags, level;
    uint32_t tags, chunks; /* how many there are to be */
    uint32_t tags_read;
    uint8_t *tag_bytes; /* PLAN_TAG_SIZE each */
    size_t tag_capacity;
    struct signs base;
    uint8_t front[32]; /* bytes of something that is not whole yet */
    size_t front_used;
    bool has_front, is_whole;
};

void plan_init(struct plan *plan);
void plan_clear(struct plan *plan);
/* Reads what it can; size: of the sender's file, which bounds what may be told. Returns how many bytes, or -1: malformed; -2: no memory. is_whole tells the end,
 * behind which it reads no more. Memory grows with what has arrived, not with what was announced. */
ptrdiff_t plan_read(struct plan *plan, uint64_t size, const uint8_t *data, size_t len);
/* Has the receiver this block? */
bool plan_has_block(const struct plan *plan, uint64_t block, const uint8_t tag[PLAN_TAG_SIZE]);

#endif
