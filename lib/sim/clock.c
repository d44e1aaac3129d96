/* Time and chance of the simulator: a binary heap of what comes when, and xoshiro256**.
 * SPDX-License-Identifier: MIT */
#include "sim/clock.h"

#include <stdlib.h>

static uint64_t rotate(uint64_t x, unsigned k)
{
    return (x << k) | (x >> (64 - k));
}

/* splitmix64: spreads any seed, zero too, over the whole state. */
static uint64_t spread(uint64_t *x)
{
    *x += 0x9e3779b97f4a7c15u;
    uint64_t z = *x;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void tern_chance_init(struct tern_chance *chance, uint64_t seed, uint64_t stream)
{
    uint64_t x = stream;
    x = seed ^ spread(&x);
    for (size_t i = 0; i < 4; i++) {
        chance->s[i] = spread(&x);
    }
}

uint64_t tern_chance_next(struct tern_chance *chance)
{
    uint64_t *s = chance->s;
    uint64_t out = rotate(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return out;
}

uint64_t tern_chance_below(struct tern_chance *chance, uint64_t n)
{
    if (n == 0) {
        return 0;
    }
    /* 2^64 mod n: values under it would make the small remainders more likely. */
    uint64_t uneven = (UINT64_MAX - n + 1) % n;
    uint64_t x = tern_chance_next(chance);
    while (x < uneven) {
        x = tern_chance_next(chance);
    }
    return x % n;
}

uint64_t tern_chance_odds(double probability)
{
    const double whole = 9007199254740992.0; /* 2^53 */
    if (!(probability > 0)) {                /* NaN too */
        return 0;
    }
    return probability >= 1 ? (uint64_t)whole : (uint64_t)(probability * whole);
}

bool tern_chance_hits(struct tern_chance *chance, uint64_t odds)
{
    return odds > 0 && (tern_chance_next(chance) >> 11) < odds;
}

void tern_chance_fill(struct tern_chance *chance, uint8_t *buf, size_t len)
{
    for (size_t i = 0; i < len;) {
        uint64_t x = tern_chance_next(chance);
        for (unsigned k = 0; k < 8 && i < len; k++, x >>= 8) {
            buf[i++] = (uint8_t)x;
        }
    }
}

void tern_agenda_clear(struct tern_agenda *agenda)
{
    free(agenda->entries);
    *agenda = (struct tern_agenda){0};
}

int tern_agenda_reserve(struct tern_agenda *agenda, size_t more)
{
    if (more <= agenda->capacity - agenda->count) {
        return 0;
    }
    size_t capacity = agenda->capacity > 0 ? agenda->capacity : 64;
    while (capacity - agenda->count < more) {
        capacity *= 2;
    }
    void *grown = realloc(agenda->entries, capacity * sizeof agenda->entries[0]);
    if (grown == NULL) {
        return TERN_ERR_NOMEM;
    }
    agenda->entries = grown;
    agenda->capacity = capacity;
    return 0;
}

static bool is_before(const struct tern_agenda_entry *a, const struct tern_agenda_entry *b)
{
    return a->due < b->due || (a->due == b->due && a->order < b->order);
}

void tern_agenda_push(struct tern_agenda *agenda, tern_time due, void *item)
{
    struct tern_agenda_entry *entries = agenda->entries;
    struct tern_agenda_entry entry = {.due = due, .order = agenda->order++, .item = item};
    size_t i = agenda->count++;
    while (i > 0 && is_before(&entry, &entries[(i - 1) / 2])) {
        entries[i] = entries[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    entries[i] = entry;
}

tern_time tern_agenda_next(const struct tern_agenda *agenda)
{
    return agenda->count > 0 ? agenda->entries[0].due : TERN_TIME_NEVER;
}

void *tern_agenda_peek(const struct tern_agenda *agenda)
{
    return agenda->count > 0 ? agenda->entries[0].item : NULL;
}

void *tern_agenda_pop(struct tern_agenda *agenda)
{
    if (agenda->count == 0) {
        return NULL;
    }
    struct tern_agenda_entry *entries = agenda->entries;
    void *item = entries[0].item;
    size_t count = --agenda->count;
    struct tern_agenda_entry last = entries[count];
    size_t i = 0;
    for (size_t child = 1; child < count; child = 2 * i + 1) {
        if (child + 1 < count && is_before(&entries[child + 1], &entries[child])) {
            child++;
        }
        if (!is_before(&entries[child], &last)) {
            break;
        }
        entries[i] = entries[child];
        i = child;
    }
    entries[i] = last;
    return item;
}
