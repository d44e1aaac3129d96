/* What the tables of an endpoint take with many connections in them: to find one by its identifier, and to move
 * its deadline. Random ones, so that the cache is as cold as it is among many.
 * SPDX-License-Identifier: MIT
 *
 *     scale 1000 10000 100000    for each number one object a line, in ns, the medians of eleven rounds */
#define _POSIX_C_SOURCE 200809L
#include "base/heap.h"
#include "base/map.h"
#include "base/random.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS   11
#define EACH     200000u
#define CID_SIZE 8
#define MOST     20000000ul

struct entry {
    uint8_t cid[CID_SIZE];
    struct tern_heap_entry timer;
};

static struct tern_mem mem;
static struct tern_random dice;
static struct tern_map map;
static struct tern_heap heap;
static struct entry *entries;
static size_t count, sink;

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* xorshift64*: cheap beside what is measured. */
static size_t any(void)
{
    static uint64_t state = 0x9e3779b97f4a7c15u;
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (size_t)((state * 0x2545f4914f6cdd1du >> 16) % count);
}

static bool fill(void)
{
    entries = calloc(count, sizeof *entries);
    for (size_t i = 0; entries != NULL && i < count; i++) {
        struct entry *entry = &entries[i];
        tern_random_fill(&dice, entry->cid, sizeof entry->cid);
        tern_heap_entry_init(&entry->timer);
        if (tern_map_put(&map, entry->cid, sizeof entry->cid, entry) != 0 ||
            tern_heap_claim(&heap, &entry->timer) != 0) {
            return false;
        }
        tern_heap_set(&heap, &entry->timer, TERN_SEC + i * TERN_USEC);
    }
    return entries != NULL;
}

/* The identifiers are those of packets, which come one behind the other: copied out beforehand. */
static double find_many(void)
{
    static uint8_t cids[EACH][CID_SIZE];
    for (size_t i = 0; i < EACH; i++) {
        memcpy(cids[i], entries[any()].cid, CID_SIZE);
    }
    double since = now_ns();
    for (size_t i = 0; i < EACH; i++) {
        sink += tern_map_find(&map, cids[i], CID_SIZE) != NULL;
    }
    return (now_ns() - since) / EACH;
}

/* Each is put off by a second or so, as an idle timer is by what comes. */
static double move_many(void)
{
    static tern_time at = 2 * TERN_SEC;
    double since = now_ns();
    for (size_t i = 0; i < EACH; i++) {
        at += 100;
        tern_heap_set(&heap, &entries[any()].timer, at);
    }
    return (now_ns() - since) / EACH;
}

static int compare(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static double median_of(double (*measure)(void))
{
    double rounds[ROUNDS];
    for (size_t i = 0; i < ROUNDS; i++) {
        rounds[i] = measure();
    }
    qsort(rounds, ROUNDS, sizeof *rounds, compare);
    return rounds[ROUNDS / 2];
}

static bool measure(const char *text)
{
    char *end = NULL;
    unsigned long wanted = strtoul(text, &end, 10);
    if (*text == '\0' || *end != '\0' || wanted == 0 || wanted > MOST) {
        return false;
    }
    count = wanted;
    tern_map_init(&map, &mem, &dice);
    tern_heap_init(&heap, &mem);
    bool is_full = fill();
    if (is_full) {
        double lookup = median_of(find_many), timer = median_of(move_many);
        (void)printf("{\"connections\":%zu,\"lookup_ns\":%.1f,\"timer_ns\":%.1f}\n", count, lookup,
                     timer);
    }
    tern_map_clear(&map);
    tern_heap_clear(&heap);
    free(entries);
    return is_full;
}

int main(int argc, char **argv)
{
    static const tern_allocator system_own;
    bool is_done = argc > 1 && sodium_init() >= 0;
    tern_mem_init(&mem, &system_own);
    tern_random_init(&dice, NULL);
    for (int i = 1; i < argc && is_done; i++) {
        is_done = measure(argv[i]);
    }
    if (!is_done) {
        (void)fprintf(stderr, "usage: scale NUMBER...\n");
    }
    return is_done && sink > 0 ? 0 : 2;
}
