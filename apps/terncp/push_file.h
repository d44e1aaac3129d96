/* What the parts of a file that is being sent share: push_file.c (blocks, steps, the end) and push_plan.c (what
 * the receiver has of it).
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_PUSH_FILE_H
#define TERNCP_PUSH_FILE_H

#include "terncp/hash.h"
#include "terncp/pipe.h"
#include "terncp/push_parts.h"
#include "terncp/scan.h"

struct read_block;

struct push_file {
    struct push_stream s;
    struct proto_entry entry;
    int fd;
    uint64_t submitted, written;
    struct read_block *first, **last; /* read or being read, in order */
    unsigned waiting;                 /* in `first` */
    unsigned out;                     /* of these, with the workers, who read from fd */
    bool is_dead;                     /* free when the last of them is back */
    uint8_t key[PROTO_KEY_SIZE];
    struct hash_root root;
    /* Bytes that are copied: header, heads of steps without data, the end. */
    uint8_t front[PROTO_HEADER_MAX];
    size_t front_len, front_at;
    uint8_t *attrs; /* right behind the header */
    size_t attrs_at;
    bool has_index;
    uint64_t data_end; /* up to here there is no hole */
    bool has_end, is_over;
    unsigned tries; /* that failed because it changed */
    /* Of a pipe, whose size only its end tells: one block at a time is read. */
    bool is_pipe, is_drained;
    struct pipe_stop stop;
    struct zip_gauge gauge;
    struct plan plan;     /* as it comes */
    struct scan *scan;    /* of what the plan has a bearing on; NULL: none, or it is over */
    struct match_run run; /* what the scan told last; len: not done yet */
    bool has_plan, has_slot;
    bool is_blind;  /* its data need not wait for the plan */
    int error;      /* to be told when it has come */
    bool has_parts; /* the plan has come: a scan is to begin when what was read before is written */
    struct push_file *next, **link;
};

/* The receiver hears why; ESTALE: as the file is now it comes again, if it has not too often. */
void push_file_give_up(struct push_file *file, int error);
/* Nobody has anything of it any more. */
void push_file_free(struct push_file *file);

/* May its data leave before the plan has come? Of a file that is about to begin. */
bool push_plan_is_needless(const struct push *push, const struct push_file *file);
/* How far, before it has come. */
uint64_t push_plan_limit(const struct push_file *file);
/* False: the plan is not there yet, or is none. */
bool push_plan_read(struct push_file *file);
/* Begins to compare the file, from what was written on, with what the plan tells. */
void push_plan_scan(struct push_file *file);
void push_plan_go_on(struct push_file *file); /* with that */
/* The plan was made use of, or is of no use. */
void push_plan_drop(struct push_file *file);

#endif
