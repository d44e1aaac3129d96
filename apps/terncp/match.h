/* What of a file the other end has already: its bytes go in, block by block, and out come runs to keep,
 * to copy from what stands there, and to send.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_MATCH_H
#define TERNCP_MATCH_H

#include "terncp/signs.h"

#define MATCH_BLOCK ((uint64_t)1 << 20) /* what is kept is kept by whole blocks of the hash tree */
/* A longer run is told in parts, so that none holds up work. */
#define MATCH_RUN_MAX ((uint64_t)4 << 20)

enum match_kind {
    MATCH_SEND = 1, /* the bytes */
    MATCH_COPY,     /* the other end has them in its old file, at `from` */
    MATCH_KEEP /* the other end has them in its unfinished file, in their place: whole blocks */
};

struct match_run {
    enum match_kind kind;
    uint64_t offset, len;
    uint64_t from;
};

/* Runs on their way from one to another. */
struct match_queue {
    struct match_run *runs;
    size_t first, count, capacity;
};
int match_queue_push(struct match_queue *queue, const struct match_run *run); /* 0 or ENOMEM */
bool match_queue_pop(struct match_queue *queue, struct match_run *out); /* false: it is empty */
void match_queue_clear(struct match_queue *queue);

/* Runs come out in the file's order, without gaps or overlaps. */
struct match {
    struct chunk_cutter cutter;
    const struct signs *base; /* NULL: the other end has no old file */
    bool is_in_place;      /* copies must stay where they are: what moved is overwritten, maybe */
    uint64_t fed, told;    /* bytes that went in, and that runs were made of */
    uint8_t *kept;         /* a bit a block */
    uint64_t kept_blocks;  /* that there are bits for */
    uint32_t next;         /* the chunk of the base behind the last one found */
    struct match_run last; /* not in the queue yet, since it may grow */
    struct match_queue queue; /* the runs that are ready */
};

/* blocks: how many from the file's begin may be kept. level and key: of the base's chunks; key may be NULL
 * without a base. 0 or ENOMEM; the base must stay until the end. */
int match_init(struct match *match, const struct signs *base, unsigned level,
               const uint8_t key[PROTO_KEY_SIZE], bool is_in_place, uint64_t blocks);
void match_clear(struct match *match);
/* Right after init: the first block to be fed is the one at `from`, and what is before it was sent. */
void match_begin_at(struct match *match, uint64_t from);

/* The next block of the file: MATCH_BLOCK bytes, or fewer if it is the last one. Safe in a worker, as
 * long as nobody else touches the match. 0 or ENOMEM. */
int match_feed(struct match *match, const uint8_t *data, size_t len, bool keep);
/* The file ends here: what waits becomes runs. 0 or ENOMEM. */
int match_end(struct match *match);

#endif
