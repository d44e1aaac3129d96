/* The hidden file into which something comes, until it is whole and gets its name. What is done to it is done by
 * a worker, one thing at a time, so that nobody else waits for the disk.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCHAT_PART_H
#define TERNCHAT_PART_H

#include <sodium.h>

#include "shared/work.h"
#include "ternchat/chunks.h"
#include "ternchat/offer.h"

#define PART_PATH_MAX 4096

struct part {
    crypto_generichash_state hash; /* of what is before `at` */
    struct work_job job;           /* error: an errno, if why is NULL */
    const char *why;               /* it has failed; a text that stays */
    const struct offer *offer;
    const char *folder;
    char path[PART_PATH_MAX + 64];
    int fd;
    uint64_t there; /* bytes of an earlier run, whole chunks; part_open finds them */
    uint64_t at;    /* where the next piece begins */
    uint8_t data[CHUNKS_PLAIN];
    size_t len;                                  /* of data; what part_check has read */
    char named[PART_PATH_MAX + OFFER_NAME_SIZE]; /* where part_name has put it */
};

/* The offer and the folder's name stay as long. */
void part_init(struct part *part, const char *folder, const struct offer *offer);
/* For the loop, when no job is out. Of one that has got its name nothing is done. */
void part_close(struct part *part, bool is_kept);

/* What a worker runs; the job is a part's. */
void part_open(struct work_job *job);  /* finds the file of that hash, or makes one */
void part_check(struct work_job *job); /* reads and hashes a piece of what is there */
void part_write(struct work_job *job); /* data, and hashes it */
void part_name(struct work_job *job);  /* if it is what was offered; and closes it */

#endif
