/* Forward error correction: parts and repairs that say what they like, a lane that is bounded, and true
 * repairs that still mend what they should.
 *
 * Input: the window, then records: a byte that says which, and its fields.
 * SPDX-License-Identifier: MIT */
#include "fuzz.h"
#include "stream/fec_in.h"

#define HELD_MAX (TERN_FEC_LANES * (3u * TERN_FEC_LANE_BYTES + 65536u))

static uint32_t number_of(struct fuzz_input *in, unsigned bytes)
{
    return (uint32_t)fuzz_number(in, bytes);
}

/* As the connection would hand it on: within its total, that within the longest message. */
static void feed_part(struct tern_fec_in *f, struct fuzz_input *in)
{
    static const uint8_t bytes[2048] = {1, 2, 3};
    struct tern_message_part part = {.channel = number_of(in, 1) % 32,
                                     .lane = (enum tern_lane)(fuzz_u8(in) % TERN_LANES),
                                     .uses_credit = (fuzz_u8(in) & 1) != 0,
                                     .number = number_of(in, 1)};
    part.total = number_of(in, 3);
    part.offset = part.total > 0 ? number_of(in, 3) % part.total : 0;
    uint32_t len = number_of(in, 2) % sizeof bytes; /* TERN_MIN would read it twice */
    part.len = TERN_MIN(part.total - part.offset, len);
    part.is_fragment = part.len != part.total;
    tern_fec_in_on_part(f, &part, bytes);
}

static void feed_repair(struct tern_fec_in *f, struct fuzz_input *in)
{
    size_t len;
    uint8_t data[TERN_FEC_SIZE_MAX] = {0};
    struct tern_fec_repair r = {.channel = number_of(in, 1) % 32,
                                .lane = (enum tern_lane)(fuzz_u8(in) % TERN_LANES),
                                .size = number_of(in, 2),
                                .message = number_of(in, 1),
                                .skip = number_of(in, 3),
                                .symbols = fuzz_u8(in),
                                .messages = fuzz_u8(in),
                                .first = fuzz_u8(in),
                                .number = fuzz_u8(in)};
    r.lengths = fuzz_bytes(in, fuzz_u8(in), &r.lengths_len);
    r.len = number_of(in, 2) % (sizeof data + 1);
    const uint8_t *some = fuzz_bytes(in, fuzz_u8(in), &len);
    if (len > 0) {
        memcpy(data, some, len);
    }
    r.data = data;
    int rc = tern_fec_in_on_repair(f, &r);
    FUZZ_CHECK(rc == 0 || rc == TERN_ERR_PROTOCOL);
}

static void take_all(struct tern_fec_in *f)
{
    struct tern_message_part part;
    const uint8_t *data;
    unsigned sum = 0;
    while (tern_fec_in_next(f, &part, &data)) {
        FUZZ_CHECK(part.offset <= part.total && part.len <= part.total - part.offset);
        FUZZ_CHECK(part.total <= TERN_MESSAGE_MAX);
        FUZZ_CHECK(part.is_fragment == (part.len != part.total));
        for (uint32_t i = 0; i < part.len; i++) { /* all of it is there to be read */
            sum += data[i];
        }
    }
    (void)sum;
    FUZZ_CHECK(tern_fec_in_held(f) <= HELD_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct tern_mem mem;
    struct tern_slab slab;
    tern_mem_init(&mem, NULL);
    tern_slab_init(&slab, &mem, 0);
    struct tern_fec_in *f = tern_fec_in_new(&mem, &slab, 1 + fuzz_u8(&in) % TERN_FEC_WINDOW);
    FUZZ_CHECK(f != NULL);
    while (in.left > 0) {
        if ((fuzz_u8(&in) & 1) != 0) {
            feed_part(f, &in);
        } else {
            feed_repair(f, &in);
        }
        take_all(f);
    }
    tern_fec_in_free(f);
    tern_slab_clear(&slab);
    return 0;
}
