/* Worker threads that read, write and hash blocks, so that neither the disk nor the hash stops the
 * wire. One block of a file is one job; jobs come back on the loop's own thread.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_WORK_H
#define TERNCP_WORK_H

#include <ev.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "terncp/proto.h"

#define WORK_BLOCK   ((size_t)1 << 20) /* bytes of a block: also the leaf of the hash tree */
#define WORK_THREADS 2

struct work;
struct work_job;
typedef void (*work_done_fn)(struct work_job *job);

struct work_job {
    bool is_write;
    int fd;
    uint64_t offset;
    size_t len;
    uint8_t *data;               /* the owner's, of at least len bytes */
    uint8_t key[PROTO_KEY_SIZE]; /* of the file's hash */
    uint8_t leaf[PROTO_LEAF_SIZE];
    int error;         /* errno, or 0; a short read is EIO */
    work_done_fn done; /* on the loop's thread */
    void *owner;
    struct work_job *next; /* the work's own, while the job is out */
};

/* NULL when threads cannot be had. */
struct work *work_new(struct ev_loop *loop);
void work_free(struct work *work); /* waits for what is running; every job comes back first */
void work_submit(struct work *work, struct work_job *job);

/* A file's hash: BLAKE2b-256 under the file's key over the size and then the leaves in their order. A
 * leaf is the Poly1305 tag of a block under a key of its own, BLAKE2b-256 of the block's number under
 * the file's key. Nobody but the two ends knows the keys, which come from the connection, so a tag
 * tells damage as surely as a digest of the bytes would (the odds are 2^-87 for a block), at a seventh
 * of the cost: BLAKE2b over every byte took two thirds of all the time that a copy took. */
struct work_root {
    _Alignas(64) unsigned char state[384];
    uint8_t key[PROTO_KEY_SIZE];
};
/* session_key: from tern_conn_export() under PROTO_KEY_LABEL; index: the entry's. */
void work_root_init(struct work_root *root, const uint8_t session_key[PROTO_KEY_SIZE],
                    uint32_t index, uint64_t size);
void work_root_add(struct work_root *root, const uint8_t leaf[PROTO_LEAF_SIZE]);
void work_root_final(struct work_root *root, uint8_t out[PROTO_HASH_SIZE]);

#endif
