/* A table from device and number to the first name. A file whose names were all met leaves it.
 * SPDX-License-Identifier: MIT */
#include "terncp/hardlinks.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct known {
    dev_t device;
    ino_t number;
    nlink_t left; /* names not met yet */
    struct known *next;
    char name[];
};

struct hardlinks {
    struct known **buckets;
    size_t bucket_count, used, max, forgotten;
    struct known *leaving; /* handed out last, free at the next call */
};

struct hardlinks *hardlinks_new(size_t max_bytes)
{
    struct hardlinks *links = calloc(1, sizeof *links);
    if (links == NULL) {
        return NULL;
    }
    links->bucket_count = 1024;
    while (links->bucket_count * 256 < max_bytes) {
        links->bucket_count *= 2;
    }
    links->max = max_bytes;
    links->buckets = calloc(links->bucket_count, sizeof *links->buckets);
    if (links->buckets == NULL) {
        free(links);
        return NULL;
    }
    return links;
}

void hardlinks_free(struct hardlinks *links)
{
    if (links == NULL) {
        return;
    }
    for (size_t i = 0; i < links->bucket_count; i++) {
        for (struct known *known = links->buckets[i], *next; known != NULL; known = next) {
            next = known->next;
            free(known);
        }
    }
    free(links->leaving);
    free(links->buckets);
    free(links);
}

static struct known **bucket_of(struct hardlinks *links, const struct stat *st)
{
    uint64_t mixed = ((uint64_t)st->st_ino ^ (uint64_t)st->st_dev << 32) * 0x9e3779b97f4a7c15u;
    return &links->buckets[(size_t)(mixed >> 20) & (links->bucket_count - 1)];
}

static void note(struct hardlinks *links, struct known **bucket, const struct stat *st,
                 const char *name)
{
    size_t size = sizeof(struct known) + strlen(name) + 1;
    struct known *known = links->used + size <= links->max ? malloc(size) : NULL;
    if (known == NULL) {
        links->forgotten++;
        return;
    }
    known->device = st->st_dev;
    known->number = st->st_ino;
    known->left = st->st_nlink - 1;
    known->next = *bucket;
    memcpy(known->name, name, strlen(name) + 1);
    *bucket = known;
    links->used += size;
}

const char *hardlinks_meet(struct hardlinks *links, const struct stat *st, const char *name)
{
    if (st->st_nlink < 2) {
        return NULL;
    }
    free(links->leaving);
    links->leaving = NULL;
    struct known **link = bucket_of(links, st);
    struct known **bucket = link;
    while (*link != NULL && ((*link)->number != st->st_ino || (*link)->device != st->st_dev)) {
        link = &(*link)->next;
    }
    struct known *known = *link;
    if (known == NULL) {
        note(links, bucket, st, name);
        return NULL;
    }
    if (--known->left == 0) {
        *link = known->next;
        links->used -= sizeof(struct known) + strlen(known->name) + 1;
        links->leaving = known;
    }
    return known->name;
}

size_t hardlinks_forgotten(const struct hardlinks *links)
{
    return links->forgotten;
}
