/* What Redis answers, taken apart: it may be anything.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "ternchat/spread_parts.h"

#define ENTRY_FRONT (1 + 8 + 8) /* of an EVENT: its type, its number, its time */

const redisReply *spread_at(const redisReply *reply, size_t at)
{
    return reply == NULL || reply->type != REDIS_REPLY_ARRAY || at >= reply->elements
               ? NULL
               : reply->element[at];
}

struct chat_slice spread_bytes(const redisReply *reply)
{
    struct chat_slice none = {NULL, 0};
    return reply == NULL || reply->type != REDIS_REPLY_STRING
               ? none
               : (struct chat_slice){(const uint8_t *)reply->str, (size_t)reply->len};
}

uint64_t spread_number(const redisReply *reply)
{
    return reply == NULL || reply->type != REDIS_REPLY_STRING ? 0 : strtoull(reply->str, NULL, 10);
}

bool spread_key(const redisReply *reply, uint8_t key[TERN_KEY_SIZE])
{
    struct chat_slice bytes = spread_bytes(reply);
    if (bytes.len == TERN_KEY_SIZE) {
        memcpy(key, bytes.data, TERN_KEY_SIZE);
    }
    return bytes.len == TERN_KEY_SIZE;
}

bool spread_is(const redisReply *reply, const char *word)
{
    struct chat_slice first = spread_bytes(spread_at(reply, 0));
    return first.len == strlen(word) && memcmp(first.data, word, first.len) == 0;
}

bool spread_is_ok(const redisReply *reply)
{
    return spread_is(reply, "ok");
}

static void put64(uint8_t *out, uint64_t n)
{
    for (int i = 7; i >= 0; i--, n >>= 8) {
        out[i] = (uint8_t)n;
    }
}

size_t spread_packet(uint64_t seq, uint64_t time, const uint8_t *entry, size_t len,
                     uint8_t packet[CHAT_PACKET_MAX])
{
    struct chat_packet p;
    if (len > CHAT_PACKET_MAX - ENTRY_FRONT) {
        return 0;
    }
    packet[0] = CHAT_EVENT;
    put64(packet + 1, seq);
    put64(packet + 9, time);
    memcpy(packet + ENTRY_FRONT, entry, len);
    return chat_decode(&p, packet, ENTRY_FRONT + len) ? ENTRY_FRONT + len : 0;
}

size_t spread_event(const redisReply *entry, uint64_t *seq, uint8_t *flags,
                    uint8_t packet[CHAT_PACKET_MAX])
{
    const redisReply *fields = spread_at(entry, 1);
    *seq = spread_number(spread_at(entry, 0));
    struct chat_slice flag = spread_bytes(spread_at(fields, 3));
    struct chat_slice rest = spread_bytes(spread_at(fields, 5));
    *flags = flag.len == 1 ? flag.data[0] : 0;
    return rest.len == 0 ? 0
                         : spread_packet(*seq, spread_number(spread_at(fields, 1)), rest.data,
                                         rest.len, packet);
}
