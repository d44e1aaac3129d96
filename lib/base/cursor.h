/* Bounded reading and writing of bytes, big-endian numbers and RFC 9000 section 16 varints.
 *
 * Both fail softly: the first overrun sets `failed`, later calls do nothing and readers return 0,
 * so that a parser checks once at the end.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_BASE_CURSOR_H
#define TERN_BASE_CURSOR_H

#include "base/def.h"

#define TERN_VARINT_MAX ((UINT64_C(1) << 62) - 1)

struct tern_reader {
    const uint8_t *at, *end;
    bool failed;
};

struct tern_writer {
    uint8_t *start, *at, *end;
    bool failed;
};

static inline void tern_reader_init(struct tern_reader *r, const uint8_t *data, size_t len)
{
    r->at = data;
    r->end = data + len;
    r->failed = false;
}

static inline size_t tern_reader_left(const struct tern_reader *r)
{
    return (size_t)(r->end - r->at);
}

/* Lends the next n bytes, or NULL (and failed). n may be 0. */
static inline const uint8_t *tern_read_bytes(struct tern_reader *r, uint64_t n)
{
    if (r->failed || n > tern_reader_left(r)) {
        r->failed = true;
        return NULL;
    }
    const uint8_t *bytes = r->at;
    r->at += n;
    return bytes;
}

/* Copies the next n bytes; what does not reach so far is failed, and `out` as it was. */
static inline void tern_read_copy(struct tern_reader *r, uint8_t *out, size_t n)
{
    const uint8_t *bytes = tern_read_bytes(r, n);
    if (bytes != NULL) {
        memcpy(out, bytes, n);
    }
}

/* n bytes, big-endian, 1..8. */
static inline uint64_t tern_read_uint(struct tern_reader *r, size_t n)
{
    const uint8_t *bytes = tern_read_bytes(r, n);
    uint64_t value = 0;
    for (size_t i = 0; bytes != NULL && i < n; i++) {
        value = value << 8 | bytes[i];
    }
    return value;
}

static inline uint8_t tern_read_u8(struct tern_reader *r)
{
    return (uint8_t)tern_read_uint(r, 1);
}

static inline uint64_t tern_read_varint(struct tern_reader *r)
{
    if (r->failed || r->at == r->end) {
        r->failed = true;
        return 0;
    }
    size_t n = (size_t)1 << (*r->at >> 6);
    uint64_t value = tern_read_uint(r, n);
    return r->failed ? 0 : value & UINT64_MAX >> (66 - 8 * n);
}

static inline void tern_writer_init(struct tern_writer *w, uint8_t *data, size_t capacity)
{
    w->start = w->at = data;
    w->end = data + capacity;
    w->failed = false;
}

static inline size_t tern_writer_left(const struct tern_writer *w)
{
    return (size_t)(w->end - w->at);
}

static inline size_t tern_writer_used(const struct tern_writer *w)
{
    return (size_t)(w->at - w->start);
}

/* Room for n bytes that the caller fills, or NULL (and failed). */
static inline uint8_t *tern_write_room(struct tern_writer *w, size_t n)
{
    if (w->failed || n > tern_writer_left(w)) {
        w->failed = true;
        return NULL;
    }
    uint8_t *room = w->at;
    w->at += n;
    return room;
}

static inline void tern_write_bytes(struct tern_writer *w, const void *bytes, size_t n)
{
    uint8_t *room = tern_write_room(w, n);
    if (room != NULL && n > 0) {
        memcpy(room, bytes, n);
    }
}

static inline void tern_write_uint(struct tern_writer *w, uint64_t value, size_t n)
{
    uint8_t *room = tern_write_room(w, n);
    for (size_t i = 0; room != NULL && i < n; i++) {
        room[i] = (uint8_t)(value >> (8 * (n - 1 - i)));
    }
}

static inline void tern_write_u8(struct tern_writer *w, uint8_t value)
{
    tern_write_uint(w, value, 1);
}

static inline size_t tern_varint_size(uint64_t value)
{
    return value < 64 ? 1 : value < 16384 ? 2 : value < (UINT64_C(1) << 30) ? 4 : 8;
}

/* value at most TERN_VARINT_MAX (asserted: ours to keep). */
static inline void tern_write_varint(struct tern_writer *w, uint64_t value)
{
    tern_assert(value <= TERN_VARINT_MAX);
    size_t n = tern_varint_size(value);
    uint64_t prefix = n == 1 ? 0 : n == 2 ? 1 : n == 4 ? 2 : 3;
    tern_write_uint(w, value | prefix << (8 * n - 2), n);
}

#endif
