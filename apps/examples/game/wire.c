/* The game's messages as bytes, all numbers little-endian. What comes may be anything: it is checked.
 * SPDX-License-Identifier: MIT */
#include "examples/game/game.h"

static uint8_t *put(uint8_t *p, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) {
        *p++ = (uint8_t)(value >> 8 * i);
    }
    return p;
}

static uint64_t take(const uint8_t **p, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++) {
        value |= (uint64_t)(*p)[i] << 8 * i;
    }
    *p += bytes;
    return value;
}

size_t input_encode(const struct input *in, uint8_t out[INPUT_SIZE])
{
    uint8_t *p = put(out, in->frame, 4);
    p = put(p, (uint8_t)(in->dx + 1), 1);
    p = put(p, (uint8_t)(in->dy + 1), 1);
    return (size_t)(p - out);
}

bool input_decode(struct input *out, const uint8_t *data, size_t len)
{
    if (len != INPUT_SIZE || data[4] > 2 || data[5] > 2) {
        return false;
    }
    out->frame = (uint32_t)take(&data, 4);
    out->dx = (int8_t)(data[0] - 1);
    out->dy = (int8_t)(data[1] - 1);
    return out->frame > 0 && out->frame < UINT32_MAX;
}

size_t snapshot_encode(const struct snapshot *shot, uint8_t out[SNAPSHOT_MAX])
{
    uint8_t *p = put(out, shot->at, 8);
    p = put(p, shot->applied, 4);
    p = put(p, shot->you, 1);
    p = put(p, shot->count, 1);
    for (size_t i = 0; i < shot->count; i++) {
        p = put(p, shot->places[i].id, 1);
        p = put(p, shot->places[i].x, 4);
        p = put(p, shot->places[i].y, 4);
    }
    return (size_t)(p - out);
}

bool snapshot_decode(struct snapshot *out, const uint8_t *data, size_t len)
{
    if (len < 14 || data[13] > PLAYERS || len != 14 + (size_t)data[13] * 9) {
        return false;
    }
    out->at = take(&data, 8);
    out->applied = (uint32_t)take(&data, 4);
    out->you = (uint8_t)take(&data, 1);
    out->count = (uint8_t)take(&data, 1);
    for (size_t i = 0; i < out->count; i++) {
        out->places[i].id = (uint8_t)take(&data, 1);
        out->places[i].x = (uint32_t)take(&data, 4);
        out->places[i].y = (uint32_t)take(&data, 4);
    }
    return true;
}

void game_send(tern_conn *conn, enum channel channel, const void *data, size_t len)
{
    tern_send_options o;
    tern_send_options_init(&o);
    o.channel = channel;
    if (channel != CHANNEL_NEWS) {
        o.reliability = TERN_UNRELIABLE;
        o.order = channel == CHANNEL_SNAPSHOT ? TERN_LATEST : TERN_UNORDERED;
        o.priority = 1;
    }
    int rc = tern_conn_send(conn, data, len, &o, tern_udp_now());
    /* News of which nobody acknowledges 16 MiB is for a connection that ends soon anyway. */
    if (rc != 0 && rc != TERN_ERR_AGAIN && rc != TERN_ERR_CLOSED && rc != TERN_ERR_STATE) {
        die("send", rc);
    }
}
