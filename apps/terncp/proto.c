/* Control messages, every length checked before it is believed.
 * SPDX-License-Identifier: MIT */
#include "terncp/proto.h"

#include <errno.h>
#include <string.h>

#include "terncp/bytes.h"

#define RANGE_SIZE 8

/* Bytes of a body before its text or ranges. */
static int fixed_size(unsigned type)
{
    switch (type) {
    case PROTO_HELLO:
        return 10 + PROTO_KEY_SIZE;
    case PROTO_READY:
        return 8;
    case PROTO_GONE:
        return 4;
    case PROTO_END:
        return 16;
    case PROTO_FAIL:
        return 5;
    case PROTO_LIMIT:
        return 9;
    case PROTO_TOTAL:
        return 16;
    case PROTO_DONE:
    case PROTO_WANT:
    case PROTO_CURRENT:
    case PROTO_RULE:
        return 0;
    case PROTO_SETTING:
        return 1;
    default:
        return -1;
    }
}

static bool has_text(unsigned type)
{
    return type == PROTO_HELLO || type == PROTO_FAIL || type == PROTO_RULE || type == PROTO_GONE ||
           type == PROTO_SETTING;
}

static bool has_ranges(unsigned type)
{
    return type == PROTO_DONE || type == PROTO_WANT || type == PROTO_CURRENT;
}

static void put_fixed(const struct proto_message *m, uint8_t **at)
{
    switch (m->type) {
    case PROTO_HELLO:
        bytes_put(at, m->version, 1);
        bytes_put(at, m->direction, 1);
        bytes_put(at, m->flags, 8);
        memcpy(*at, m->key, sizeof m->key);
        *at += sizeof m->key;
        break;
    case PROTO_READY:
        bytes_put(at, m->flags, 8);
        break;
    case PROTO_FAIL:
        bytes_put(at, m->status, 1);
        bytes_put(at, m->index, 4);
        break;
    case PROTO_GONE:
        bytes_put(at, m->index, 4);
        break;
    case PROTO_LIMIT:
        bytes_put(at, m->rate, 8);
        bytes_put(at, m->is_background ? 1 : 0, 1);
        break;
    case PROTO_TOTAL:
        bytes_put(at, m->files, 8);
        bytes_put(at, m->bytes, 8);
        break;
    case PROTO_SETTING:
        bytes_put(at, m->setting, 1);
        break;
    case PROTO_END:
        bytes_put(at, m->index, 4);
        bytes_put(at, m->failed, 4);
        bytes_put(at, m->excluded, 8);
        break;
    case PROTO_DONE:
    case PROTO_WANT:
    case PROTO_CURRENT:
    case PROTO_RULE:
        break;
    }
}

size_t proto_encode(const struct proto_message *m, uint8_t *buf, size_t size)
{
    int fixed = fixed_size(m->type);
    size_t rest = has_text(m->type)     ? strlen(m->text)
                  : has_ranges(m->type) ? m->range_count * (size_t)RANGE_SIZE
                                        : 0;
    if (fixed < 0 || m->range_count > PROTO_RANGES_MAX || 5 + (size_t)fixed + rest > size) {
        return 0;
    }
    uint8_t *at = buf;
    bytes_put(&at, m->type, 1);
    bytes_put(&at, (size_t)fixed + rest, 4);
    put_fixed(m, &at);
    if (!has_ranges(m->type)) {
        memcpy(at, m->text, rest);
        return (size_t)(at - buf) + rest;
    }
    for (unsigned i = 0; i < m->range_count; i++) {
        bytes_put(&at, m->ranges[i].first, 4);
        bytes_put(&at, m->ranges[i].count, 4);
    }
    return (size_t)(at - buf);
}

static void take_fixed(struct proto_message *m, const uint8_t **at)
{
    switch (m->type) {
    case PROTO_HELLO:
        m->version = (uint8_t)bytes_take(at, 1);
        m->direction = (uint8_t)bytes_take(at, 1);
        m->flags = bytes_take(at, 8);
        memcpy(m->key, *at, sizeof m->key);
        *at += sizeof m->key;
        break;
    case PROTO_READY:
        m->flags = bytes_take(at, 8);
        break;
    case PROTO_FAIL:
        m->status = (uint8_t)bytes_take(at, 1);
        m->index = (uint32_t)bytes_take(at, 4);
        break;
    case PROTO_GONE:
        m->index = (uint32_t)bytes_take(at, 4);
        break;
    case PROTO_LIMIT:
        m->rate = bytes_take(at, 8);
        m->is_background = bytes_take(at, 1) == 1;
        break;
    case PROTO_TOTAL:
        m->files = bytes_take(at, 8);
        m->bytes = bytes_take(at, 8);
        break;
    case PROTO_SETTING:
        m->setting = (uint8_t)bytes_take(at, 1);
        break;
    case PROTO_END:
        m->index = (uint32_t)bytes_take(at, 4);
        m->failed = (uint32_t)bytes_take(at, 4);
        m->excluded = bytes_take(at, 8);
        break;
    case PROTO_DONE:
    case PROTO_WANT:
    case PROTO_CURRENT:
    case PROTO_RULE:
        break;
    }
}

static bool take_ranges(struct proto_message *m, const uint8_t *at, size_t len)
{
    if (len % RANGE_SIZE != 0) {
        return false;
    }
    m->range_count = (unsigned)(len / RANGE_SIZE);
    for (unsigned i = 0; i < m->range_count; i++) {
        struct proto_range *range = &m->ranges[i];
        range->first = (uint32_t)bytes_take(&at, 4);
        range->count = (uint32_t)bytes_take(&at, 4);
        if (range->count == 0 || range->first > PROTO_INDEX_NONE - range->count) {
            return false;
        }
    }
    return true;
}

int proto_decode(struct proto_message *m, const uint8_t *data, size_t len)
{
    if (len < 5) {
        return 0;
    }
    const uint8_t *at = data;
    unsigned type = (unsigned)bytes_take(&at, 1);
    uint64_t body = bytes_take(&at, 4);
    int fixed = fixed_size(type);
    uint64_t most = has_ranges(type) ? PROTO_RANGES_MAX * (uint64_t)RANGE_SIZE : PROTO_BODY_MAX;
    if (fixed < 0 || body < (uint64_t)fixed || body > most) {
        return -1;
    }
    if (len - 5 < body) {
        return 0;
    }
    memset(m, 0, sizeof *m);
    m->type = (enum proto_type)type;
    take_fixed(m, &at);
    size_t rest = (size_t)body - (size_t)fixed;
    bool is_good = has_text(type)     ? bytes_text(m->text, at, rest)
                   : has_ranges(type) ? take_ranges(m, at, rest)
                                      : rest == 0;
    return is_good ? (int)(5 + body) : -1;
}

bool proto_ranges_add(struct proto_message *done, uint32_t index)
{
    for (unsigned i = done->range_count; i > 0 && i + 8 > done->range_count; i--) {
        struct proto_range *range = &done->ranges[i - 1];
        if (index == range->first + range->count) {
            range->count++;
            return true;
        }
    }
    if (done->range_count == PROTO_RANGES_MAX) {
        return false;
    }
    done->ranges[done->range_count++] = (struct proto_range){.first = index, .count = 1};
    return true;
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
    case PROTO_LOST_ATTRS:
        return "its extended attributes could not be kept";
    case PROTO_IS_CURRENT:
        return "there already";
    case PROTO_IS_WANTED:
        return "wanted";
    case PROTO_LEFT_LINK:
        return "symbolic link: left out";
    case PROTO_LEFT_SPECIAL:
        return "neither file nor folder: left out";
    case PROTO_LEFT_LOOP:
        return "symbolic link that leads back to where it is: left out";
    case PROTO_LEFT_OUTSIDE:
        return "symbolic link out of what is served: left out";
    case PROTO_AGAIN:
        return "it comes again";
    }
    return "unknown failure";
}
