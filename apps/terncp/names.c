/* Encoding and decoding of requests about names, every length checked before it is believed.
 * SPDX-License-Identifier: MIT */
#include "terncp/names.h"

#include <string.h>

#include "terncp/bytes.h"

#define HEAD       5  /* type, length */
#define NAME_FIXED 38 /* mode, links, uid, gid, size, mtime, ns, length of the name */

/* Octets of a body before its text. */
static int fixed_size(unsigned type)
{
    switch (type) {
    case NAMES_ASK:
        return 4;
    case NAMES_NAME:
        return NAME_FIXED;
    case NAMES_FAIL:
        return 2;
    case NAMES_END:
        return 8;
    default:
        return -1;
    }
}

static void put_name(uint8_t **at, const struct names_message *m)
{
    const struct names_about *about = &m->about;
    bytes_put(at, about->mode, 4);
    bytes_put(at, about->links, 4);
    bytes_put(at, about->uid, 4);
    bytes_put(at, about->gid, 4);
    bytes_put(at, about->size, 8);
    bytes_put(at, (uint64_t)about->mtime_s, 8);
    bytes_put(at, about->mtime_ns, 4);
    bytes_put(at, strlen(m->text), 2);
}

size_t names_encode(const struct names_message *m, uint8_t *buf, size_t size)
{
    int fixed = fixed_size(m->type);
    size_t text = m->type == NAMES_END ? 0 : strlen(m->text);
    size_t target = m->type == NAMES_NAME ? strlen(m->target) : 0;
    size_t body = (size_t)fixed + text + target;
    if (fixed < 0 || body > NAMES_BODY_MAX || HEAD + body > size) {
        return 0;
    }
    uint8_t *at = buf;
    bytes_put(&at, m->type, 1);
    bytes_put(&at, body, 4);
    if (m->type == NAMES_ASK) {
        bytes_put(&at, m->version, 1);
        bytes_put(&at, m->verb, 1);
        bytes_put(&at, m->flags, 2);
    } else if (m->type == NAMES_NAME) {
        put_name(&at, m);
    } else if (m->type == NAMES_FAIL) {
        bytes_put(&at, m->status, 1);
        bytes_put(&at, m->is_last ? 1 : 0, 1);
    } else {
        bytes_put(&at, m->count, 8);
    }
    memcpy(at, m->text, text);
    memcpy(at + text, m->target, target);
    return HEAD + body;
}

/* The two texts behind a NAME's fixed part. */
static bool take_name(struct names_message *m, const uint8_t *at, size_t left)
{
    struct names_about *about = &m->about;
    about->mode = (uint32_t)bytes_take(&at, 4);
    about->links = (uint32_t)bytes_take(&at, 4);
    about->uid = (uint32_t)bytes_take(&at, 4);
    about->gid = (uint32_t)bytes_take(&at, 4);
    about->size = bytes_take(&at, 8);
    about->mtime_s = (int64_t)bytes_take(&at, 8);
    about->mtime_ns = (uint32_t)bytes_take(&at, 4);
    size_t name = (size_t)bytes_take(&at, 2);
    return name > 0 && name <= left && about->mtime_ns < 1000000000u &&
           bytes_text(m->text, at, name) && bytes_text(m->target, at + name, left - name);
}

int names_decode(struct names_message *m, const uint8_t *data, size_t len)
{
    if (len < HEAD) {
        return 0;
    }
    const uint8_t *at = data;
    unsigned type = (unsigned)bytes_take(&at, 1);
    uint64_t body = bytes_take(&at, 4);
    int fixed = fixed_size(type);
    if (fixed < 0 || body < (uint64_t)fixed || body > NAMES_BODY_MAX) {
        return -1;
    }
    if (len - HEAD < body) {
        return 0;
    }
    size_t left = (size_t)body - (size_t)fixed;
    bool is_good = true;
    memset(m, 0, sizeof *m);
    m->type = (enum names_type)type;
    if (type == NAMES_NAME) {
        is_good = take_name(m, at, left);
    } else if (type == NAMES_END) {
        m->count = bytes_take(&at, 8);
        is_good = left == 0;
    } else {
        m->version = m->status = (uint8_t)bytes_take(&at, 1);
        unsigned second = (unsigned)bytes_take(&at, 1);
        m->verb = (enum names_verb)second;
        m->is_last = second == 1;
        m->flags = type == NAMES_ASK ? (uint16_t)bytes_take(&at, 2) : 0;
        is_good = bytes_text(m->text, at, left);
    }
    return is_good ? (int)(HEAD + body) : -1;
}
