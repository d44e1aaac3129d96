/* An array of hashes, spilled when it is full; sorted for a pass.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/nameset.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct nameset {
    int folder, spill; /* spill: -1 as long as memory holds all */
    uint64_t *hashes;
    size_t count, capacity, max;
    uint64_t spilled;
    unsigned pass, passes;
};

struct nameset *nameset_new(int folder, unsigned in_memory)
{
    struct nameset *set = calloc(1, sizeof *set);
    if (set != NULL) {
        set->folder = folder;
        set->spill = -1;
        set->max = in_memory;
        set->passes = 1;
    }
    return set;
}

void nameset_free(struct nameset *set)
{
    if (set != NULL) {
        if (set->spill >= 0) {
            (void)close(set->spill);
        }
        free(set->hashes);
        free(set);
    }
}

static int write_out(struct nameset *set)
{
    if (set->spill < 0) {
        set->spill = openat(set->folder, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (set->spill < 0) {
            return errno;
        }
    }
    const char *data = (const char *)set->hashes;
    for (size_t left = set->count * sizeof *set->hashes; left > 0;) {
        ssize_t n = write(set->spill, data, left);
        if (n < 0 && errno != EINTR) {
            return errno;
        }
        data += n > 0 ? n : 0;
        left -= n > 0 ? (size_t)n : 0;
    }
    set->spilled += set->count;
    set->count = 0;
    return 0;
}

static int push(struct nameset *set, uint64_t hash)
{
    if (set->count == set->capacity) {
        size_t capacity = set->capacity == 0 ? 1024 : set->capacity * 2;
        uint64_t *grown = realloc(set->hashes, capacity * sizeof *grown);
        if (grown == NULL) {
            return ENOMEM;
        }
        set->hashes = grown;
        set->capacity = capacity;
    }
    set->hashes[set->count++] = hash;
    return 0;
}

int nameset_add(struct nameset *set, uint64_t hash)
{
    int error = set->count >= set->max ? write_out(set) : 0;
    return error != 0 ? error : push(set, hash);
}

unsigned nameset_passes(const struct nameset *set)
{
    return (unsigned)((set->spilled + set->count + set->max - 1) / set->max) +
           (set->spilled + set->count == 0 ? 1u : 0u);
}

/* The share of the spilled hashes that this pass is about. */
static int read_share(struct nameset *set)
{
    uint64_t buf[4096];
    off_t at = 0;
    set->count = 0;
    for (;;) {
        ssize_t n = pread(set->spill, buf, sizeof buf, at);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < (ssize_t)sizeof buf[0]) {
            return n < 0 ? errno : 0;
        }
        size_t whole = (size_t)n / sizeof buf[0];
        for (size_t i = 0; i < whole; i++) {
            int error = buf[i] % set->passes == set->pass ? push(set, buf[i]) : 0;
            if (error != 0) {
                return error;
            }
        }
        at += (off_t)(whole * sizeof buf[0]);
    }
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

int nameset_begin(struct nameset *set, unsigned pass)
{
    if (pass == 0) {
        set->passes = nameset_passes(set);
        int error = set->spilled > 0 ? write_out(set) : 0;
        if (error != 0) {
            return error;
        }
    }
    set->pass = pass;
    int error = set->spilled > 0 ? read_share(set) : 0;
    if (error == 0 && set->count > 0) {
        qsort(set->hashes, set->count, sizeof *set->hashes, by_value);
    }
    return error;
}

enum nameset_answer nameset_ask(const struct nameset *set, uint64_t hash)
{
    if (hash % set->passes != set->pass) {
        return NAMESET_OTHER_PASS;
    }
    return set->count > 0 && bsearch(&hash, set->hashes, set->count, sizeof hash, by_value) != NULL
               ? NAMESET_HAS
               : NAMESET_HAS_NOT;
}
