/* Time and chance of the simulator: an agenda of things to come, and a seeded generator.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_SIM_CLOCK_H
#define TERN_SIM_CLOCK_H

#include <tern/types.h>

/* --- chance --- */

/* xoshiro256** (Blackman and Vigna), seeded by splitmix64. All decisions compare integers, so a
 * seed gives the same world on every compiler and machine. */
struct tern_chance {
    uint64_t s[4];
};

/* Streams of one seed are independent of each other: what one decides never shifts another. */
void tern_chance_init(struct tern_chance *chance, uint64_t seed, uint64_t stream);
uint64_t tern_chance_next(struct tern_chance *chance);

/* Uniform in 0..n-1 without bias; 0 when n is 0. */
uint64_t tern_chance_below(struct tern_chance *chance, uint64_t n);

/* A probability in units of 2^-53 (0..2^53). Scaling by a power of two is exact, so this is the
 * only place where a floating-point number is touched. */
uint64_t tern_chance_odds(double probability);

/* True with these odds. Odds of zero draw nothing. */
bool tern_chance_hits(struct tern_chance *chance, uint64_t odds);

void tern_chance_fill(struct tern_chance *chance, uint8_t *buf, size_t len);

/* --- agenda --- */

struct tern_agenda_entry {
    tern_time due;
    uint64_t order; /* of equal times, the one that was put first comes first */
    void *item;
};

/* A binary heap by (due, order). All zero is an empty agenda. */
struct tern_agenda {
    struct tern_agenda_entry *entries;
    size_t count, capacity;
    uint64_t order;
};

void tern_agenda_clear(struct tern_agenda *agenda);

/* Room for so many more, so that their pushes cannot fail. 0 · TERN_ERR_NOMEM */
TERN_MUST_CHECK int tern_agenda_reserve(struct tern_agenda *agenda, size_t more);
void tern_agenda_push(struct tern_agenda *agenda, tern_time due, void *item);
tern_time tern_agenda_next(const struct tern_agenda *agenda); /* TERN_TIME_NEVER when empty */
void *tern_agenda_peek(const struct tern_agenda *agenda);     /* NULL when empty */
void *tern_agenda_pop(struct tern_agenda *agenda);            /* NULL when empty */

/* a + b, or TERN_TIME_NEVER where that would wrap. */
static inline tern_time tern_time_add(tern_time a, tern_time b)
{
    return a > TERN_TIME_NEVER - b ? TERN_TIME_NEVER : a + b;
}

#endif
