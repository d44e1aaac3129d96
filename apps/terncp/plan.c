/* Plans as bytes: written by the receiver, read and distrusted by the sender.
 * SPDX-License-Identifier: MIT */
#include "terncp/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "terncp/match.h"

#define CHUNK_WIRE (4 + CHUNK_HASH_SIZE)
#define AT_TAGS    3
#define AT_CHUNKS  7

static void put_u32(uint8_t out[4], uint32_t value)
{
    for (unsigned i = 0; i < 4; i++) {
        out[i] = (uint8_t)(value >> (24 - 8 * i));
    }
}

static uint32_t take_u32(const uint8_t in[4])
{
    return (uint32_t)in[0] << 24 | (uint32_t)in[1] << 16 | (uint32_t)in[2] << 8 | in[3];
}

/* --- writing -------------------------------------------------------------------------------------------- */

/* Room for n more bytes. NULL: no memory. */
static uint8_t *extend(struct plan_maker *maker, size_t n)
{
    if (maker->len + n > maker->capacity) {
        size_t capacity = maker->capacity == 0 ? 1024 : maker->capacity * 2;
        uint8_t *grown = realloc(maker->bytes, capacity);
        if (grown == NULL) {
            return NULL;
        }
        maker->bytes = grown;
        maker->capacity = capacity;
    }
    maker->len += n;
    return maker->bytes + maker->len - n;
}

int plan_maker_init(struct plan_maker *maker, unsigned flags, unsigned level)
{
    memset(maker, 0, sizeof *maker);
    uint8_t *front = extend(maker, PLAN_FRONT_SIZE);
    if (front == NULL) {
        return ENOMEM;
    }
    memset(front, 0, PLAN_FRONT_SIZE);
    front[0] = PLAN_PARTS;
    front[1] = (uint8_t)flags;
    front[2] = (uint8_t)level;
    return 0;
}

int plan_maker_init_plain(struct plan_maker *maker, enum plan_kind kind)
{
    memset(maker, 0, sizeof *maker);
    uint8_t *front = extend(maker, 1);
    if (front == NULL) {
        return ENOMEM;
    }
    *front = (uint8_t)kind;
    return 0;
}

void plan_maker_clear(struct plan_maker *maker)
{
    free(maker->bytes);
    memset(maker, 0, sizeof *maker);
}

int plan_maker_tag(struct plan_maker *maker, const uint8_t tag[PLAN_TAG_SIZE])
{
    if (maker->tags == PLAN_TAGS_MAX) {
        return 0;
    }
    uint8_t *at = extend(maker, PLAN_TAG_SIZE);
    if (at == NULL) {
        return ENOMEM;
    }
    memcpy(at, tag, PLAN_TAG_SIZE);
    maker->tags++;
    return 0;
}

int plan_maker_chunk(struct plan_maker *maker, const struct chunk *chunk)
{
    if (maker->chunks == CHUNK_COUNT_MAX) {
        return 0;
    }
    uint8_t *at = extend(maker, CHUNK_WIRE);
    if (at == NULL) {
        return ENOMEM;
    }
    put_u32(at, chunk->len);
    memcpy(at + 4, chunk->hash, CHUNK_HASH_SIZE);
    maker->chunks++;
    maker->base_size += chunk->len;
    return 0;
}

void plan_maker_end(struct plan_maker *maker)
{
    if (maker->len < PLAN_FRONT_SIZE) {
        return;
    }
    put_u32(maker->bytes + AT_TAGS, maker->tags);
    put_u32(maker->bytes + AT_CHUNKS, maker->chunks);
}

void plan_maker_shrink(struct plan_maker *maker)
{
    size_t len = maker->len - (size_t)maker->chunks * CHUNK_WIRE;
    uint8_t *shrunk = realloc(maker->bytes, len);
    maker->bytes = shrunk == NULL ? maker->bytes : shrunk;
    maker->capacity = maker->len = len;
}

const uint8_t *plan_maker_tag_of(const struct plan_maker *maker, uint64_t block)
{
    return block < maker->tags ? maker->bytes + PLAN_FRONT_SIZE + block * PLAN_TAG_SIZE : NULL;
}

static bool is_within(uint64_t offset, uint64_t len, uint64_t size)
{
    return len > 0 && offset <= size && len <= size - offset;
}

bool plan_maker_allows_copy(const struct plan_maker *maker, uint64_t size, uint64_t offset,
                            uint64_t from, uint64_t len)
{
    bool is_in_place = maker->chunks > 0 && (maker->bytes[1] & PLAN_IN_PLACE) != 0;
    return is_within(offset, len, size) && is_within(from, len, maker->base_size) &&
           (!is_in_place || from == offset);
}

/* Whole blocks: what is kept goes into the file's hash by its tag, unread. */
bool plan_maker_allows_keep(const struct plan_maker *maker, uint64_t size, uint64_t offset,
                            uint64_t len)
{
    return is_within(offset, len, size) && offset % MATCH_BLOCK == 0 &&
           (len % MATCH_BLOCK == 0 || offset + len == size) &&
           (offset + len - 1) / MATCH_BLOCK < maker->tags;
}

/* --- reading -------------------------------------------------------------------------------------------- */

void plan_init(struct plan *plan)
{
    memset(plan, 0, sizeof *plan);
    signs_init(&plan->base);
}

void plan_clear(struct plan *plan)
{
    free(plan->tag_bytes);
    signs_clear(&plan->base);
    memset(plan, 0, sizeof *plan);
}

/* Collects n bytes of something small in front. NULL: they are not all there yet. */
static const uint8_t *collect(struct plan *plan, size_t n, const uint8_t **at, const uint8_t *end)
{
    size_t missing = n - plan->front_used, left = (size_t)(end - *at);
    size_t taken = missing < left ? missing : left;
    memcpy(plan->front + plan->front_used, *at, taken);
    *at += taken;
    plan->front_used += taken;
    if (plan->front_used < n) {
        return NULL;
    }
    plan->front_used = 0;
    return plan->front;
}

static bool take_front(struct plan *plan, uint64_t size, const uint8_t *front)
{
    uint64_t blocks = size / MATCH_BLOCK + (size % MATCH_BLOCK != 0 ? 1 : 0);
    plan->flags = front[1];
    plan->level = front[2];
    plan->tags = take_u32(front + AT_TAGS);
    plan->chunks = take_u32(front + AT_CHUNKS);
    plan->has_front = true;
    return (plan->flags & ~PLAN_IN_PLACE) == 0 && plan->tags <= PLAN_TAGS_MAX &&
           plan->tags <= blocks && plan->chunks <= CHUNK_COUNT_MAX &&
           (plan->chunks == 0 ||
            (plan->level >= CHUNK_LEVEL_MIN && plan->level <= CHUNK_LEVEL_MAX));
}

static int take_tag(struct plan *plan, const uint8_t *bytes)
{
    if (plan->tags_read == plan->tag_capacity) {
        size_t capacity = plan->tag_capacity == 0 ? 64 : plan->tag_capacity * 2;
        uint8_t *grown = realloc(plan->tag_bytes, capacity * PLAN_TAG_SIZE);
        if (grown == NULL) {
            return -2;
        }
        plan->tag_bytes = grown;
        plan->tag_capacity = capacity;
    }
    memcpy(plan->tag_bytes + (size_t)plan->tags_read++ * PLAN_TAG_SIZE, bytes, PLAN_TAG_SIZE);
    return 0;
}

static int take_chunk(struct plan *plan, const uint8_t *bytes)
{
    uint32_t len = take_u32(bytes);
    if (len == 0 || len > chunk_max(plan->level)) {
        return -1;
    }
    return signs_add(&plan->base, len, bytes + 4) == 0 ? 0 : -2;
}

/* The next part of the plan, of the bytes that are there. 0, -1 or -2; *at moves on. */
static int read_part(struct plan *plan, uint64_t size, const uint8_t **at, const uint8_t *end)
{
    if (!plan->has_front) {
        if (plan->front_used == 0 && (**at == PLAN_WHOLE || **at == PLAN_SKIP)) {
            plan->kind = (enum plan_kind) * (*at)++;
            plan->has_front = plan->is_whole = true;
            return 0;
        }
        const uint8_t *front = collect(plan, PLAN_FRONT_SIZE, at, end);
        if (plan->front[0] != PLAN_PARTS || (front != NULL && !take_front(plan, size, front))) {
            return -1;
        }
        plan->kind = PLAN_PARTS;
        return 0;
    }
    bool is_tag = plan->tags_read < plan->tags;
    const uint8_t *part = collect(plan, is_tag ? PLAN_TAG_SIZE : CHUNK_WIRE, at, end);
    return part == NULL ? 0 : is_tag ? take_tag(plan, part) : take_chunk(plan, part);
}

ptrdiff_t plan_read(struct plan *plan, uint64_t size, const uint8_t *data, size_t len)
{
    const uint8_t *at = data, *end = data + len;
    while (at < end && !plan->is_whole) {
        int rc = read_part(plan, size, &at, end);
        if (rc != 0) {
            return rc;
        }
        if (plan->has_front && plan->tags_read == plan->tags && plan->base.count == plan->chunks) {
            plan->is_whole = true;
        }
    }
    if (plan->is_whole && plan->base.count > 0 && plan->base.slots == NULL &&
        signs_index(&plan->base) != 0) {
        return -2;
    }
    return at - data;
}

bool plan_has_block(const struct plan *plan, uint64_t block, const uint8_t tag[PLAN_TAG_SIZE])
{
    return block < plan->tags_read &&
           memcmp(plan->tag_bytes + block * PLAN_TAG_SIZE, tag, PLAN_TAG_SIZE) == 0;
}
