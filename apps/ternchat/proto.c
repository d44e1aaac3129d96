/* A table says which fields each packet has; one walk over it writes them, another reads them.
 * SPDX-License-Identifier: MIT */
#include "ternchat/proto.h"

#include <string.h>

enum field {
    END,
    VERSION, /* u8 */
    FLAGS,   /* u8 */
    CODE,    /* u8 */
    KIND,    /* u8 */
    CHANNEL, /* u16 */
    COUNT,   /* u32 */
    ID,      /* u64 */
    SEQ,     /* u64 */
    TIME,    /* u64 */
    OFFER,   /* u64 */
    OFFSET,  /* u64 */
    KEY,     /* 32 bytes */
    ROOM,    /* u8 length, bytes */
    NICK,    /* u8 length, bytes */
    TEXT,    /* u16 length, bytes */
    BODY     /* the rest */
};

static const struct layout {
    uint8_t type;
    uint8_t fields[8];
} layouts[] = {
    {CHAT_HELLO, {VERSION, NICK}},
    {CHAT_JOIN, {FLAGS, SEQ, ROOM}},
    {CHAT_NICK, {NICK}},
    {CHAT_STATE, {CODE}},
    {CHAT_LIST, {END}},
    {CHAT_SEARCH, {CHANNEL, ID, TEXT}},
    {CHAT_BEFORE, {CHANNEL, ID, SEQ}},
    {CHAT_KICK, {CHANNEL, CODE, KEY}},
    {CHAT_OPEN, {FLAGS, SEQ, KEY}},
    {CHAT_FETCH, {CHANNEL, ID, SEQ, OFFSET}},
    {CHAT_INVITE, {END}},
    {CHAT_DENY, {CODE, ID}},
    {CHAT_SAY, {ID, KIND, BODY}},
    {CHAT_READ, {SEQ}},
    {CHAT_TYPE, {CODE}},
    {CHAT_LEAVE, {END}},
    {CHAT_WELCOME, {VERSION, TIME, KEY, NICK, TEXT}},
    {CHAT_REFUSED, {CODE, CHANNEL, ID, ROOM, TEXT}},
    {CHAT_ROOMS, {FLAGS, COUNT, ROOM, TEXT}},
    {CHAT_FOUND, {CHANNEL, ID, SEQ, TIME, KIND, KEY, NICK, BODY}},
    {CHAT_WANTED, {KEY, ID, OFFER, OFFSET}},
    {CHAT_INVITED, {TEXT}},
    {CHAT_CALLED, {KEY, SEQ, NICK}},
    {CHAT_JOINED, {FLAGS, SEQ, ROOM, TEXT, BODY}},
    {CHAT_PARTED, {TEXT}},
    {CHAT_EVENT, {SEQ, TIME, ID, KIND, KEY, NICK, BODY}},
    {CHAT_STATUS, {BODY}},
    {CHAT_CAUGHT_UP, {SEQ}},
};

static const struct layout *layout_of(unsigned type)
{
    for (size_t i = 0; i < sizeof layouts / sizeof layouts[0]; i++) {
        if (layouts[i].type == type) {
            return &layouts[i];
        }
    }
    return NULL;
}

struct chat_slice chat_text(const char *text)
{
    return (struct chat_slice){(const uint8_t *)text, strlen(text)};
}

/* --- numbers and bytes, big-endian --------------------------------------------------------------- */

struct out {
    uint8_t *at;
    size_t left;
    bool is_full;
};

static void put(struct out *o, const void *data, size_t len)
{
    if (o->is_full || len > o->left) {
        o->is_full = true;
        return;
    }
    if (len > 0) {
        memcpy(o->at, data, len);
    }
    o->at += len;
    o->left -= len;
}

static void put_number(struct out *o, uint64_t value, size_t size)
{
    uint8_t bytes[8];
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)(value >> 8 * (size - 1 - i));
    }
    put(o, bytes, size);
}

static void put_slice(struct out *o, struct chat_slice s, size_t prefix, size_t most)
{
    o->is_full = o->is_full || s.len > most;
    put_number(o, s.len, prefix);
    put(o, s.data, s.len);
}

struct in {
    const uint8_t *at;
    size_t left;
    bool is_short;
};

static const uint8_t *take(struct in *in, size_t len)
{
    const uint8_t *at = in->at;
    if (in->is_short || len > in->left) {
        in->is_short = true;
        return NULL;
    }
    in->at += len;
    in->left -= len;
    return at;
}

static uint64_t take_number(struct in *in, size_t size)
{
    const uint8_t *at = take(in, size);
    uint64_t value = 0;
    for (size_t i = 0; at != NULL && i < size; i++) {
        value = value << 8 | at[i];
    }
    return value;
}

static struct chat_slice take_slice(struct in *in, size_t prefix, size_t most)
{
    size_t len = (size_t)take_number(in, prefix);
    in->is_short = in->is_short || len > most;
    const uint8_t *at = take(in, len);
    return (struct chat_slice){at, at == NULL ? 0 : len};
}

/* --- packets --------------------------------------------------------------------------------------- */

static void put_field(struct out *o, enum field field, const struct chat_packet *p)
{
    switch (field) {
    case END:
        break;
    case VERSION:
        put_number(o, p->version, 1);
        break;
    case FLAGS:
        put_number(o, p->flags, 1);
        break;
    case CODE:
        put_number(o, p->code, 1);
        break;
    case KIND:
        put_number(o, p->kind, 1);
        break;
    case CHANNEL:
        put_number(o, p->channel, 2);
        break;
    case COUNT:
        put_number(o, p->count, 4);
        break;
    case ID:
        put_number(o, p->id, 8);
        break;
    case SEQ:
        put_number(o, p->seq, 8);
        break;
    case TIME:
        put_number(o, p->time, 8);
        break;
    case OFFER:
        put_number(o, p->offer, 8);
        break;
    case OFFSET:
        put_number(o, p->offset, 8);
        break;
    case KEY:
        put(o, p->key, sizeof p->key);
        break;
    case ROOM:
        put_slice(o, p->room, 1, CHAT_NAME_MAX);
        break;
    case NICK:
        put_slice(o, p->nick, 1, CHAT_NAME_MAX);
        break;
    case TEXT:
        put_slice(o, p->text, 2, CHAT_TEXT_MAX);
        break;
    case BODY:
        o->is_full = o->is_full || p->body.len > CHAT_BODY_MAX;
        put(o, p->body.data, p->body.len);
        break;
    }
}

static void take_field(struct in *in, enum field field, struct chat_packet *p)
{
    const uint8_t *at;
    switch (field) {
    case END:
        break;
    case VERSION:
        p->version = (uint8_t)take_number(in, 1);
        break;
    case FLAGS:
        p->flags = (uint8_t)take_number(in, 1);
        break;
    case CODE:
        p->code = (uint8_t)take_number(in, 1);
        break;
    case KIND:
        p->kind = (uint8_t)take_number(in, 1);
        break;
    case CHANNEL:
        p->channel = (uint16_t)take_number(in, 2);
        break;
    case COUNT:
        p->count = (uint32_t)take_number(in, 4);
        break;
    case ID:
        p->id = take_number(in, 8);
        break;
    case SEQ:
        p->seq = take_number(in, 8);
        break;
    case TIME:
        p->time = take_number(in, 8);
        break;
    case OFFER:
        p->offer = take_number(in, 8);
        break;
    case OFFSET:
        p->offset = take_number(in, 8);
        break;
    case KEY:
        at = take(in, sizeof p->key);
        if (at != NULL) {
            memcpy(p->key, at, sizeof p->key);
        }
        break;
    case ROOM:
        p->room = take_slice(in, 1, CHAT_NAME_MAX);
        break;
    case NICK:
        p->nick = take_slice(in, 1, CHAT_NAME_MAX);
        break;
    case TEXT:
        p->text = take_slice(in, 2, CHAT_TEXT_MAX);
        break;
    case BODY:
        in->is_short = in->is_short || in->left > CHAT_BODY_MAX;
        p->body.len = in->left;
        p->body.data = take(in, in->left);
        break;
    }
}

size_t chat_encode(const struct chat_packet *p, uint8_t *buf, size_t size)
{
    const struct layout *layout = layout_of(p->type);
    struct out o = {buf, size, layout == NULL};
    put_number(&o, p->type, 1);
    for (size_t i = 0; layout != NULL && i < sizeof layout->fields; i++) {
        put_field(&o, layout->fields[i], p);
    }
    return o.is_full ? 0 : size - o.left;
}

bool chat_decode(struct chat_packet *p, const uint8_t *data, size_t len)
{
    struct in in = {data, len, false};
    memset(p, 0, sizeof *p);
    unsigned type = (unsigned)take_number(&in, 1);
    const struct layout *layout = layout_of(type);
    if (layout == NULL) {
        return false;
    }
    p->type = (enum chat_type)type;
    for (size_t i = 0; i < sizeof layout->fields; i++) {
        take_field(&in, layout->fields[i], p);
    }
    return !in.is_short && in.left == 0;
}

/* --- lists ------------------------------------------------------------------------------------------ */

bool chat_member_next(struct chat_slice *rest, struct chat_member *out)
{
    struct in in = {rest->data, rest->len, false};
    const uint8_t *key = take(&in, sizeof out->key);
    out->presence = (uint8_t)take_number(&in, 1);
    out->nick = take_slice(&in, 1, CHAT_NAME_MAX);
    if (in.is_short) {
        return false;
    }
    memcpy(out->key, key, sizeof out->key);
    *rest = (struct chat_slice){in.at, in.left};
    return true;
}

size_t chat_member_encode(const struct chat_member *m, uint8_t *buf, size_t size)
{
    struct out o = {buf, size, false};
    put(&o, m->key, sizeof m->key);
    put_number(&o, m->presence, 1);
    put_slice(&o, m->nick, 1, CHAT_NAME_MAX);
    return o.is_full ? 0 : size - o.left;
}

#define TYPING_BIT 0x80u
#define MAY_BIT    0x40u

bool chat_status_next(struct chat_slice *rest, struct chat_status *out)
{
    struct in in = {rest->data, rest->len, false};
    const uint8_t *key = take(&in, sizeof out->key);
    unsigned state = (unsigned)take_number(&in, 1);
    out->presence = (uint8_t)(state & ~(TYPING_BIT | MAY_BIT));
    out->may = (state & MAY_BIT) != 0;
    out->is_typing = (state & TYPING_BIT) != 0;
    out->read = take_number(&in, 8);
    if (in.is_short) {
        return false;
    }
    memcpy(out->key, key, sizeof out->key);
    *rest = (struct chat_slice){in.at, in.left};
    return true;
}

size_t chat_status_encode(const struct chat_status *s, uint8_t *buf, size_t size)
{
    struct out o = {buf, size, false};
    put(&o, s->key, sizeof s->key);
    put_number(&o, s->presence | (s->is_typing ? TYPING_BIT : 0u) | (s->may ? MAY_BIT : 0u), 1);
    put_number(&o, s->read, 8);
    return o.is_full ? 0 : size - o.left;
}
