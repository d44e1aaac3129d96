/* Encoding and decoding, every length checked before it is believed.
 * SPDX-License-Identifier: MIT */
#include "terncp/proto.h"

#include <errno.h>
#include <string.h>

#define ENTRY_FIXED 31 /* type, index, mode, mtime, ns, size, name length */

static void put(uint8_t **at, uint64_t value, unsigned n)
{
    for (unsigned i = n; i-- > 0;) {
        *(*at)++ = (uint8_t)(value >> (8 * i));
    }
}

static uint64_t take(const uint8_t **at, unsigned n)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < n; i++) {
        value = value << 8 | *(*at)++;
    }
    return value;
}

/* Bytes of a body before its text. */
static int fixed_size(unsigned type)
{
    switch (type) {
    case PROTO_HELLO:
        return 3;
    case PROTO_READY:
        return 0;
    case PROTO_FAIL:
        return 5;
    case PROTO_DONE:
    case PROTO_END:
        return 4;
    default:
        return -1;
    }
}

size_t proto_encode(const struct proto_message *m, uint8_t *buf, size_t size)
{
    int fixed = fixed_size(m->type);
    bool has_text = m->type == PROTO_HELLO || m->type == PROTO_FAIL;
    size_t text_len = has_text ? strlen(m->text) : 0;
    if (fixed < 0 || 5 + (size_t)fixed + text_len > size) {
        return 0;
    }
    uint8_t *at = buf;
    put(&at, m->type, 1);
    put(&at, (size_t)fixed + text_len, 4);
    if (m->type == PROTO_HELLO) {
        put(&at, m->version, 1);
        put(&at, m->direction, 1);
        put(&at, m->flags, 1);
    } else if (m->type == PROTO_FAIL) {
        put(&at, m->status, 1);
        put(&at, m->index, 4);
    } else if (fixed == 4) {
        put(&at, m->index, 4);
    }
    memcpy(at, m->text, text_len);
    return (size_t)(at - buf) + text_len;
}

static bool take_text(char *out, const uint8_t *text, size_t len)
{
    if (len > PROTO_PATH_MAX || memchr(text, '\0', len) != NULL) {
        return false;
    }
    memcpy(out, text, len);
    out[len] = '\0';
    return true;
}

int proto_decode(struct proto_message *m, const uint8_t *data, size_t len)
{
    if (len < 5) {
        return 0;
    }
    const uint8_t *at = data;
    unsigned type = (unsigned)take(&at, 1);
    uint64_t body = take(&at, 4);
    int fixed = fixed_size(type);
    if (fixed < 0 || body < (uint64_t)fixed || body > PROTO_BODY_MAX) {
        return -1;
    }
    if (len - 5 < body) {
        return 0;
    }
    memset(m, 0, sizeof *m);
    m->type = (enum proto_type)type;
    if (type == PROTO_HELLO) {
        m->version = (uint8_t)take(&at, 1);
        m->direction = (uint8_t)take(&at, 1);
        m->flags = (uint8_t)take(&at, 1);
    } else if (type == PROTO_FAIL) {
        m->status = (uint8_t)take(&at, 1);
        m->index = (uint32_t)take(&at, 4);
    } else if (fixed == 4) {
        m->index = (uint32_t)take(&at, 4);
    }
    size_t text_len = (size_t)body - (size_t)fixed;
    bool has_text = type == PROTO_HELLO || type == PROTO_FAIL;
    if ((!has_text && text_len > 0) || !take_text(m->text, at, text_len)) {
        return -1;
    }
    return (int)(5 + body);
}

size_t proto_entry_encode(const struct proto_entry *e, uint8_t *buf, size_t size)
{
    size_t name_len = strlen(e->name);
    if (name_len == 0 || name_len > PROTO_PATH_MAX || ENTRY_FIXED + name_len > size) {
        return 0;
    }
    uint8_t *at = buf;
    put(&at, e->type, 1);
    put(&at, e->index, 4);
    put(&at, e->mode, 4);
    put(&at, (uint64_t)e->mtime_s, 8);
    put(&at, e->mtime_ns, 4);
    put(&at, e->size, 8);
    put(&at, name_len, 2);
    memcpy(at, e->name, name_len);
    return ENTRY_FIXED + name_len;
}

int proto_entry_decode(struct proto_entry *e, const uint8_t *data, size_t len)
{
    if (len < ENTRY_FIXED) {
        return 0;
    }
    const uint8_t *at = data;
    memset(e, 0, sizeof *e);
    e->type = (enum proto_entry_type)take(&at, 1);
    e->index = (uint32_t)take(&at, 4);
    e->mode = (uint32_t)take(&at, 4);
    e->mtime_s = (int64_t)take(&at, 8);
    e->mtime_ns = (uint32_t)take(&at, 4);
    e->size = take(&at, 8);
    size_t name_len = (size_t)take(&at, 2);
    if ((e->type != PROTO_FILE && e->type != PROTO_FOLDER) || e->mtime_ns >= 1000000000u ||
        e->size > INT64_MAX || name_len == 0 || name_len > PROTO_PATH_MAX ||
        e->index >= PROTO_INDEX_NONE) {
        return -1;
    }
    if (len - ENTRY_FIXED < name_len) {
        return 0;
    }
    return take_text(e->name, at, name_len) ? (int)(ENTRY_FIXED + name_len) : -1;
}

enum proto_status proto_status_of(int error)
{
    switch (error) {
    case 0:
        return PROTO_OK;
    case ENOENT:
    case ENOTDIR:
        return PROTO_NOT_FOUND;
    case EACCES:
    case EPERM:
        return PROTO_NO_PERMISSION;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return PROTO_NO_SPACE;
    case EROFS:
        return PROTO_READ_ONLY;
    case ESTALE: /* shorter than it was */
        return PROTO_CHANGED;
    case EXDEV: /* openat2 with RESOLVE_BENEATH */
    case ELOOP:
        return PROTO_REFUSED_PATH;
    default:
        return PROTO_IO;
    }
}

const char *proto_status_text(enum proto_status status)
{
    switch (status) {
    case PROTO_OK:
        return "done";
    case PROTO_BAD_REQUEST:
        return "bad request";
    case PROTO_REFUSED_PATH:
        return "refused path";
    case PROTO_NOT_FOUND:
        return "not found";
    case PROTO_NO_PERMISSION:
        return "no permission";
    case PROTO_NO_SPACE:
        return "no space left";
    case PROTO_IO:
        return "input or output failed";
    case PROTO_INTEGRITY:
        return "the contents changed on the way";
    case PROTO_READ_ONLY:
        return "read only";
    case PROTO_CHANGED:
        return "the file changed while it was read";
    case PROTO_LEFT_OUT:
        return "left out";
    }
    return "unknown failure";
}
