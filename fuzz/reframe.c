/* Changes to a packet's payload that keep it made of frames.
 * SPDX-License-Identifier: MIT */
#include "reframe.h"

#include "wire/decode.h"

#define FRAMES_MAX 64
#define NEW_MAX    40

/* Where frames begin; starts[count] is where the last one ends. */
struct cuts {
    size_t starts[FRAMES_MAX + 1];
    size_t count;
};

static void cut(struct cuts *cuts, const uint8_t *payload, size_t len)
{
    struct tern_reader r;
    struct tern_frame frame;
    tern_reader_init(&r, payload, len);
    cuts->count = 0;
    cuts->starts[0] = 0;
    while (cuts->count < FRAMES_MAX && tern_reader_left(&r) > 0 &&
           tern_frame_decode(&frame, &r) == 0) {
        cuts->starts[++cuts->count] = (size_t)(r.at - payload);
    }
}

static size_t insert(uint8_t *payload, size_t len, size_t max, size_t at, const uint8_t *bytes,
                     size_t n)
{
    if (len + n > max) {
        return len;
    }
    memmove(payload + at + n, payload + at, len - at);
    memcpy(payload + at, bytes, n);
    return len + n;
}

/* A type that exists, the last one in two octets, and what the input has for its fields. */
static size_t insert_frame(uint8_t *payload, size_t len, size_t max, size_t at,
                           struct fuzz_input *in)
{
    static const uint16_t types[] = {0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08,  0x0e,
                                     0x0f, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17,  0x18,
                                     0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f, 0x20, 0x22,  0x24,
                                     0x26, 0x28, 0x2a, 0x2c, 0x2d, 0x2e, 0x38, 0x39, 0x40af};
    uint8_t frame[2 + NEW_MAX];
    size_t n, want = fuzz_u8(in) % NEW_MAX;
    uint16_t type = types[fuzz_u8(in) % TERN_COUNT_OF(types)];
    size_t front = type > 0xff ? 2 : 1;
    frame[0] = (uint8_t)(front == 2 ? type >> 8 : type);
    frame[1] = (uint8_t)type;
    const uint8_t *bytes = fuzz_bytes(in, want, &n);
    if (n > 0) {
        memcpy(frame + front, bytes, n);
    }
    return insert(payload, len, max, at, frame, front + n);
}

/* As many octets as the varint at that place has, of a value at one of the edges or near the old one. */
static void change_number(uint8_t *at, const uint8_t *end, struct fuzz_input *in)
{
    static const uint64_t edges[] = {0,
                                     1,
                                     63,
                                     64,
                                     16383,
                                     16384,
                                     1 << 20,
                                     0x3fffffff,
                                     0x40000000,
                                     (UINT64_C(1) << 60) + 1,
                                     (UINT64_C(1) << 62) - 1};
    struct tern_reader r;
    tern_reader_init(&r, at, (size_t)(end - at));
    uint64_t old = tern_read_varint(&r);
    uint8_t how = fuzz_u8(in);
    if (r.failed) {
        return;
    }
    size_t n = (size_t)(r.at - at);
    uint64_t value = how < 128 ? edges[how % TERN_COUNT_OF(edges)] : old + how - 192;
    value &= (UINT64_C(1) << (8 * n - 2)) - 1;
    for (size_t i = n; i-- > 0; value >>= 8) {
        at[i] = i == 0 ? (uint8_t)((at[0] & 0xc0) | value) : (uint8_t)value;
    }
}

static size_t swap_with_next(uint8_t *payload, size_t len, const struct cuts *cuts, size_t which)
{
    uint8_t first[2048];
    size_t at = cuts->starts[which], n = cuts->starts[which + 1] - at;
    if (which + 2 <= cuts->count && n <= sizeof first) {
        size_t next = cuts->starts[which + 2] - cuts->starts[which + 1];
        memcpy(first, payload + at, n);
        memmove(payload + at, payload + at + n, next);
        memcpy(payload + at + next, first, n);
    }
    return len;
}

static size_t repeat(uint8_t *payload, size_t len, size_t max, size_t at, size_t n)
{
    uint8_t copy[2048];
    n = TERN_MIN(n, sizeof copy);
    memcpy(copy, payload + at, n);
    return insert(payload, len, max, at, copy, n);
}

size_t reframe_change(uint8_t *payload, size_t len, size_t max, struct fuzz_input *in)
{
    struct cuts cuts;
    uint8_t how = fuzz_u8(in), which = fuzz_u8(in);
    cut(&cuts, payload, len);
    if (len == 0 || cuts.count == 0) {
        return insert_frame(payload, len, max, 0, in);
    }
    size_t k = which % cuts.count, start = cuts.starts[k], end = cuts.starts[k + 1];
    switch (how % 8) {
    case 0: /* an octet */
        payload[start + fuzz_number(in, 2) % (end - start)] ^= (uint8_t)(1 + fuzz_u8(in) % 255);
        return len;
    case 1: /* a frame less */
        memmove(payload + start, payload + end, len - end);
        return len - (end - start);
    case 2: /* one twice */
        return repeat(payload, len, max, start, end - start);
    case 3:
        return swap_with_next(payload, len, &cuts, k);
    case 4: /* it ends in the middle of one */
        return start + fuzz_number(in, 2) % (end - start);
    case 5: /* one more */
        return insert_frame(payload, len, max, start, in);
    default: { /* another number, mostly one of the first fields */
        size_t at = start + 1 + fuzz_u8(in) % 9u;
        change_number(payload + TERN_MIN(at, end), payload + end, in);
        return len;
    }
    }
}

size_t reframe_mutate(uint8_t *payload, size_t len, size_t max, unsigned seed)
{
    uint8_t bytes[64];
    uint64_t state = seed;
    fuzz_fill(&state, bytes, sizeof bytes);
    struct fuzz_input in = {bytes + 1, sizeof bytes - 1};
    return bytes[0] % 4 == 0 ? LLVMFuzzerMutate(payload, len, max)
                             : reframe_change(payload, len, max, &in);
}
