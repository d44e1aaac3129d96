/* Messages received: whatever frames come, memory stays within its bounds, no message comes twice, ordered
 * ones come in order, latest ones only newer, and each byte stands where it belongs.
 *
 * Input: one octet of configuration, then steps. A step: an octet that says what, one with channel and
 * lane, one or nine for the number; a part: two for the total, two for the offset, two for the length; a
 * skip: nine for the count, two for the cost.
 * SPDX-License-Identifier: MIT */
#include "fuzz.h"
#include "stream/message_in.h"

#define CHANNELS 4
#define LONGEST  5000
#define NUMBERS  256 /* of each lane are remembered here */

static uint8_t body[LONGEST];

struct lane {
    bool is_delivered[NUMBERS];
    bool has_come; /* some was delivered, */
    uint64_t last; /* ... this one at last */
};

struct fuzz {
    struct fuzz_input in;
    struct tern_mem mem;
    struct tern_slab slab;
    struct tern_msgin_config config;
    struct tern_msgin *m;
    struct lane lanes[CHANNELS][TERN_LANES];
    struct fuzz_heap heap;
    uint64_t told; /* the peer's credit */
    size_t size;   /* of the input */
};

/* --- steps ------------------------------------------------------------------------------------- */

/* Mostly small; 0xff stands before any. */
static uint64_t read_any(struct fuzz *f)
{
    uint8_t first = fuzz_u8(&f->in);
    return first == 0xff ? fuzz_number(&f->in, 8) : first;
}

static void check_result(int rc)
{
    FUZZ_CHECK(rc == 0 || rc == TERN_ERR_AGAIN || rc == TERN_ERR_PROTOCOL ||
               rc == TERN_ERR_FLOW_CONTROL);
}

static void check_bounds(const struct fuzz *f)
{
    uint64_t held = tern_msgin_held(f->m);
    FUZZ_CHECK(held <= f->config.window + f->config.queue);
    /* The slab keeps nothing. A message with its pieces takes at most three times what it counts for; the
     * page of lanes and the lanes are few, and a gap in their numbers takes several bytes of input. */
    FUZZ_CHECK(f->heap.held <= 3 * held + 30000 + 24 * f->size);
    FUZZ_CHECK(tern_msgin_has_message(f->m) || !tern_msgin_has_event(f->m));
}

/* The bytes of a message depend on its number alone. */
static const uint8_t *body_of(uint64_t number)
{
    return &body[number % 7];
}

static void one_part(struct fuzz *f, uint8_t what, uint8_t where)
{
    struct tern_message_part part = {.channel = where % (CHANNELS + 1),
                                     .lane = (enum tern_lane)(where / 8 % (TERN_LANES + 1)),
                                     .uses_credit = (what & 8) != 0,
                                     .is_fragment = (what & 16) != 0,
                                     .number = read_any(f)};
    part.total = part.len = (uint32_t)fuzz_number(&f->in, 2);
    if (part.is_fragment) {
        part.offset = (uint32_t)fuzz_number(&f->in, 2);
        part.len = (uint32_t)fuzz_number(&f->in, 2);
    }
    uint64_t before = tern_msgin_held(f->m);
    bool is_inside = (uint64_t)part.offset + part.len <= LONGEST - 7;
    int rc = tern_msgin_on_part(f->m, &part, body_of(part.number) + (is_inside ? part.offset : 0),
                                (what & 32) != 0);
    check_result(rc);
    FUZZ_CHECK(rc == 0 || rc == TERN_ERR_AGAIN || tern_msgin_held(f->m) == before);
}

static void one_skip(struct fuzz *f, uint8_t where)
{
    struct tern_message_skip skip = {.channel = where % (CHANNELS + 1),
                                     .lane = (enum tern_lane)(where / 8 % (TERN_LANES + 1)),
                                     .first = read_any(f),
                                     .count = read_any(f)};
    skip.cost = fuzz_number(&f->in, 2);
    check_result(tern_msgin_on_skip(f->m, &skip));
}

static void receive(struct fuzz *f)
{
    tern_message got = {.size = sizeof got};
    bool expected = tern_msgin_has_message(f->m);
    FUZZ_CHECK(tern_msgin_receive(f->m, &got) == expected);
    if (!expected) {
        return;
    }
    static const enum tern_lane lanes[] = {[TERN_ORDERED] = TERN_LANE_ORDERED,
                                           [TERN_UNORDERED] = TERN_LANE_UNORDERED,
                                           [TERN_LATEST] = TERN_LANE_LATEST};
    FUZZ_CHECK(got.channel < CHANNELS && got.len <= f->config.max_size);
    FUZZ_CHECK(got.len == 0 || memcmp(got.data, body_of(got.number), got.len) == 0);
    struct lane *lane = &f->lanes[got.channel][lanes[got.order]];
    FUZZ_CHECK(got.order == TERN_UNORDERED || !lane->has_come || got.number > lane->last);
    lane->has_come = true;
    lane->last = got.number;
    if (got.number < NUMBERS) {
        FUZZ_CHECK(!lane->is_delivered[got.number]);
        lane->is_delivered[got.number] = true;
    }
}

static void tell(struct fuzz *f, bool is_lost)
{
    if (tern_msgin_wants_limit(f->m)) {
        uint64_t limit = tern_msgin_take_limit(f->m);
        FUZZ_CHECK(limit >= f->told);
        f->told = limit;
        if (is_lost) {
            tern_msgin_on_limit_lost(f->m, limit);
            FUZZ_CHECK(tern_msgin_wants_limit(f->m));
        }
    }
}

static void step(struct fuzz *f)
{
    uint8_t what = fuzz_u8(&f->in);
    switch (what & 7) {
    case 0:
        receive(f);
        break;
    case 1:
        one_skip(f, fuzz_u8(&f->in));
        break;
    case 2:
        tell(f, (what & 8) != 0);
        (void)tern_msgin_take_event(f->m);
        break;
    default:
        one_part(f, what, fuzz_u8(&f->in));
        break;
    }
    check_bounds(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fuzz f;
    memset(&f, 0, sizeof f);
    for (size_t i = 0; i < sizeof body; i++) {
        body[i] = (uint8_t)(i * 31 + i / 256);
    }
    tern_allocator hooks = fuzz_heap_hooks(&f.heap);
    tern_mem_init(&f.mem, &hooks);
    tern_slab_init(&f.slab, &f.mem, 0);
    f.in = (struct fuzz_input){data, size};
    f.size = size;
    uint8_t shape = fuzz_u8(&f.in);
    f.config = (struct tern_msgin_config){.max_size = LONGEST - 7,
                                          .channels = CHANNELS,
                                          .window = UINT64_C(5200) << (shape & 3),
                                          .queue = UINT64_C(2600) << (shape >> 2 & 3)};
    f.told = f.config.window;
    f.m = tern_msgin_new(&f.mem, &f.slab, &f.config);
    FUZZ_CHECK(f.m != NULL);
    while (f.in.left > 0) {
        step(&f);
    }
    while (tern_msgin_has_message(f.m)) {
        receive(&f);
    }
    tern_msgin_free(f.m);
    tern_slab_clear(&f.slab);
    FUZZ_CHECK(f.heap.held == 0);
    return 0;
}
