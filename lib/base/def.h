/* The few macros that the whole tree uses, and the assertion for our own bugs.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_BASE_DEF_H
#define TERN_BASE_DEF_H

#include <assert.h>
#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <tern/types.h>

/* For our bugs, never for a peer's bytes. */
#define tern_assert(condition) assert(condition)

#define TERN_MIN(a, b) ((a) < (b) ? (a) : (b))
#define TERN_MAX(a, b) ((a) > (b) ? (a) : (b))
#define TERN_CONTAINER_OF(ptr, type, member)                                                       \
    ((type *)(void *)((char *)(ptr)-offsetof(type, member)))
#define TERN_COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* a - b, or 0 where that would wrap. Clocks may step back a little and must not hurt. */
static inline uint64_t tern_sub_sat(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

/* a + b, or the largest value where that would wrap (TERN_TIME_NEVER stays never). */
static inline uint64_t tern_add_sat(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* Soon wanted: into the cache with it while something else is done. Any address will do. The empty statement is an
 * effect: gcc (12 at least) leaves out calls of functions that do nothing but ask for memory. */
static inline void tern_prefetch(const void *at, size_t len)
{
#if defined(__GNUC__)
    uintptr_t line = (uintptr_t)at & ~(uintptr_t)63, end = (uintptr_t)at + len; /* NULL, too */
    for (; line < end; line += 64) {
        __builtin_prefetch((const void *)line);
    }
    __asm__ volatile("" ::"r"(line));
#else
    (void)at;
    (void)len;
#endif
}

#endif
