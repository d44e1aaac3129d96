/* Entries and steps, every length checked before it is believed.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "terncp/bytes.h"
#include "terncp/proto.h"

size_t proto_entry_encode(const struct proto_entry *e, uint8_t *buf, size_t size)
{
    size_t name_len = strlen(e->name);
    if (name_len == 0 || name_len > PROTO_PATH_MAX || PROTO_ENTRY_FIXED + name_len > size) {
        return 0;
    }
    uint8_t *at = buf;
    bytes_put(&at, e->type | (e->is_asked ? PROTO_ASKED : 0u), 1);
    bytes_put(&at, e->index, 4);
    bytes_put(&at, e->mode, 4);
    bytes_put(&at, (uint64_t)e->mtime_s, 8);
    bytes_put(&at, e->mtime_ns, 4);
    bytes_put(&at, e->size, 8);
    bytes_put(&at, e->attrs, 4);
    bytes_put(&at, name_len, 2);
    memcpy(at, e->name, name_len);
    return PROTO_ENTRY_FIXED + name_len;
}

static bool is_good(const struct proto_entry *e, size_t name_len)
{
    return e->type >= PROTO_FILE && e->type <= PROTO_SAME && e->attrs <= PROTO_ATTRS_MAX &&
           e->mtime_ns < 1000000000u &&
           (e->size <= INT64_MAX || (e->size == PROTO_SIZE_UNKNOWN && e->type == PROTO_FILE)) &&
           name_len > 0 && name_len <= PROTO_PATH_MAX && e->index < PROTO_INDEX_NONE;
}

int proto_entry_decode(struct proto_entry *e, const uint8_t *data, size_t len)
{
    if (len < PROTO_ENTRY_FIXED) {
        return 0;
    }
    const uint8_t *at = data;
    unsigned type = (unsigned)bytes_take(&at, 1);
    e->type = (enum proto_entry_type)(type & ~PROTO_ASKED);
    e->is_asked = (type & PROTO_ASKED) != 0;
    e->index = (uint32_t)bytes_take(&at, 4);
    e->mode = (uint32_t)bytes_take(&at, 4);
    e->mtime_s = (int64_t)bytes_take(&at, 8);
    e->mtime_ns = (uint32_t)bytes_take(&at, 4);
    e->size = bytes_take(&at, 8);
    e->attrs = (uint32_t)bytes_take(&at, 4);
    size_t name_len = (size_t)bytes_take(&at, 2);
    if (!is_good(e, name_len)) {
        return -1;
    }
    if (len - PROTO_ENTRY_FIXED < name_len) {
        return 0;
    }
    return bytes_text(e->name, at, name_len) ? (int)(PROTO_ENTRY_FIXED + name_len) : -1;
}

/* Of what is only asked about; -1: nobody asks about that. */
static int64_t asked_size(const struct proto_entry *e, uint64_t flags)
{
    bool has_digest = e->type == PROTO_FILE && (flags & PROTO_FLAG_CHECKSUM) != 0;
    bool may_be_asked = (flags & PROTO_FLAG_DRY_RUN) != 0 ||
                        (e->type == PROTO_FILE && (flags & PROTO_FLAGS_ASK) != 0);
    if (!may_be_asked || e->type == PROTO_VOID || e->attrs > 0) {
        return -1;
    }
    return has_digest ? PROTO_DIGEST_MAX : 0;
}

int64_t proto_packed_size(const struct proto_entry *e, uint64_t flags)
{
    int64_t hash = (flags & PROTO_FLAG_NO_HASH) != 0 ? 0 : PROTO_HASH_SIZE;
    if (e->is_asked) {
        return asked_size(e, flags);
    }
    if (e->attrs > 0 && (flags & PROTO_FLAGS_ATTRS) == 0) {
        return -1;
    }
    switch (e->type) {
    case PROTO_FILE:
        return e->size < PROTO_SMALL_MAX ? e->attrs + (int64_t)e->size + hash : -1;
    case PROTO_LINK:
    case PROTO_SAME:
        return e->size > 0 && e->size <= PROTO_LINK_MAX ? e->attrs + (int64_t)e->size + hash : -1;
    case PROTO_FOLDER:
        return e->size == 0 ? (int64_t)e->attrs : -1;
    case PROTO_VOID:
        return e->size == 0 && e->attrs == 0 ? 0 : -1;
    }
    return -1;
}

size_t proto_packed_encode(const struct proto_packed *p, uint8_t *buf, size_t size)
{
    uint8_t *at = buf;
    if (size < PROTO_PACKED_HEAD) {
        return 0;
    }
    bytes_put(&at, PROTO_PACKED, 1);
    bytes_put(&at, p->len, 4);
    bytes_put(&at, p->packed, 4);
    return PROTO_PACKED_HEAD;
}

int proto_packed_decode(struct proto_packed *p, const uint8_t *data, size_t len)
{
    if (len < PROTO_PACKED_HEAD) {
        return 0;
    }
    const uint8_t *at = data;
    bool is_packed = bytes_take(&at, 1) == PROTO_PACKED;
    p->len = (uint32_t)bytes_take(&at, 4);
    p->packed = (uint32_t)bytes_take(&at, 4);
    return is_packed && p->len <= PROTO_UNPACKED_MAX && p->packed > 0 && p->packed < p->len &&
                   p->packed <= PROTO_UNPACKED_MAX - PROTO_PACKED_HEAD
               ? PROTO_PACKED_HEAD
               : -1;
}

/* Bytes of a step before what follows it; -1: no such step. */
static int step_size(unsigned kind)
{
    static const int sizes[] = {
        [PROTO_STEP_DATA] = 5, [PROTO_STEP_ZDATA] = 9, [PROTO_STEP_COPY] = PROTO_STEP_MAX,
        [PROTO_STEP_HOLE] = 9, [PROTO_STEP_END] = 1,   [PROTO_STEP_KEEP] = 9};
    return kind >= PROTO_STEP_DATA && kind <= PROTO_STEP_KEEP ? sizes[kind] : -1;
}

size_t proto_step_encode(const struct proto_step *step, uint8_t *buf, size_t size)
{
    int len = step_size(step->kind);
    uint8_t *at = buf;
    if (len < 0 || (size_t)len > size) {
        return 0;
    }
    bytes_put(&at, step->kind, 1);
    if (step->kind == PROTO_STEP_DATA || step->kind == PROTO_STEP_ZDATA) {
        bytes_put(&at, step->len, 4);
    }
    if (step->kind == PROTO_STEP_ZDATA) {
        bytes_put(&at, step->packed, 4);
    }
    if (step->kind == PROTO_STEP_COPY) {
        bytes_put(&at, step->offset, 8);
    }
    if (step->kind == PROTO_STEP_COPY || step->kind == PROTO_STEP_HOLE ||
        step->kind == PROTO_STEP_KEEP) {
        bytes_put(&at, step->len, 8);
    }
    return (size_t)len;
}

int proto_step_decode(struct proto_step *step, const uint8_t *data, size_t len)
{
    int need = len > 0 ? step_size(data[0]) : 0;
    if (need <= 0 || len < (size_t)need) {
        return need < 0 ? -1 : 0;
    }
    const uint8_t *at = data;
    memset(step, 0, sizeof *step);
    step->kind = (enum proto_step_kind)bytes_take(&at, 1);
    switch (step->kind) {
    case PROTO_STEP_DATA:
    case PROTO_STEP_ZDATA:
        step->len = bytes_take(&at, 4);
        step->packed = step->kind == PROTO_STEP_ZDATA ? (uint32_t)bytes_take(&at, 4) : 0;
        return step->len > 0 && step->len <= PROTO_BLOCK &&
                       (step->kind == PROTO_STEP_DATA ||
                        (step->packed > 0 && step->packed < step->len))
                   ? need
                   : -1;
    case PROTO_STEP_COPY:
        step->offset = bytes_take(&at, 8);
        step->len = bytes_take(&at, 8);
        return step->len > 0 && step->len <= INT64_MAX && step->offset <= INT64_MAX - step->len
                   ? need
                   : -1;
    case PROTO_STEP_HOLE:
    case PROTO_STEP_KEEP:
        step->len = bytes_take(&at, 8);
        return step->len > 0 && step->len <= INT64_MAX ? need : -1;
    case PROTO_STEP_END:
        return need;
    }
    return -1;
}
