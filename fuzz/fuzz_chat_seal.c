/* What a server says that members of a sealed room have said: true words in any order and again and again,
 * with changes, as anybody's, or anything else. Whatever is opened must be what was sealed, and only once.
 *
 * A record is an octet of what to do; for true words and KEYS their number and what to change in them (16 bits
 * of place, an octet to combine with), else a length of 16 bits and the bytes.
 * SPDX-License-Identifier: MIT */
#include <sodium.h>
#include <string.h>

#include "fuzz.h"
#include "ternchat/seal.h"

#define WORDS 12
#define KEYS  3 /* a chain for every WORDS / KEYS words */

struct body {
    uint64_t id;
    size_t len;
    uint8_t bytes[1024];
};

static uint8_t secrets[2][TERN_KEY_SIZE], keys[2][TERN_KEY_SIZE];
static struct body said[WORDS], given[KEYS];
static uint64_t random_state;

static const char *name(void)
{
    return "fuzz";
}

static uint32_t random_number(void)
{
    uint8_t bytes[4];
    fuzz_fill(&random_state, bytes, sizeof bytes);
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static void random_fill(void *const buf, const size_t len)
{
    fuzz_fill(&random_state, buf, len);
}

static randombytes_implementation source = {
    .implementation_name = name, .random = random_number, .buf = random_fill};

static const char *words(unsigned i)
{
    static const char *const all[] = {"", "yes",
                                      "a longer word, so that there are two blocks of it"};
    return all[i % 3];
}

/* ann's words, the same in each run. */
static void prepare(void)
{
    (void)randombytes_set_implementation(&source);
    FUZZ_CHECK(sodium_init() >= 0);
    for (unsigned i = 0; i < 2; i++) {
        memset(secrets[i], (int)i + 1, sizeof secrets[i]);
        FUZZ_CHECK(crypto_scalarmult_base(keys[i], secrets[i]) == 0);
    }
    struct seal *ann = seal_new("den", secrets[0]);
    FUZZ_CHECK(ann != NULL);
    for (unsigned i = 0; i < WORDS; i++) {
        struct body *b = &said[i];
        if (i % (WORDS / KEYS) == 0) {
            struct body *k = &given[i / (WORDS / KEYS)];
            seal_begin(ann);
            k->id = 100 + i;
            k->len =
                seal_keys(ann, seal_chains(ann) - 1, k->id, keys[1], 1, k->bytes, sizeof k->bytes);
            FUZZ_CHECK(k->len > 0);
        }
        b->id = i + 1;
        b->len = seal_body(ann, b->id, CHAT_KIND_TEXT, i, chat_text(words(i)), b->bytes,
                           sizeof b->bytes);
        FUZZ_CHECK(b->len > 0);
    }
    seal_free(ann);
}

/* One of them, perhaps with a change. False: there is one. */
static bool take_true(struct fuzz_input *in, const struct body *all, unsigned count,
                      unsigned *which, struct body *out)
{
    *which = fuzz_u8(in) % count;
    unsigned place = (unsigned)fuzz_u8(in) << 8 | fuzz_u8(in);
    uint8_t change = fuzz_u8(in);
    *out = all[*which];
    out->bytes[place % out->len] ^= change;
    return change == 0;
}

static struct chat_slice take_bytes(struct fuzz_input *in)
{
    size_t len = (size_t)fuzz_u8(in) << 8;
    len |= fuzz_u8(in);
    const uint8_t *bytes = fuzz_bytes(in, len, &len);
    return (struct chat_slice){bytes, len};
}

static void open_word(struct seal *bob, const struct body *b, unsigned which, bool is_true,
                      unsigned *opened)
{
    uint8_t out[1024];
    struct seal_opened about;
    struct chat_slice body = {b->bytes, b->len};
    if (seal_open(bob, keys[0], b->id, CHAT_KIND_TEXT, body, out, &about) == SEAL_DONE) {
        FUZZ_CHECK(is_true && (*opened & 1u << which) == 0);
        FUZZ_CHECK(about.time == which && about.len == strlen(words(which)));
        FUZZ_CHECK(memcmp(out, words(which), about.len) == 0);
        *opened |= 1u << which;
    }
}

/* All that is known of ann goes into a file, and comes back. */
static struct seal *go_on_later(struct seal *bob)
{
    uint8_t dump[SEAL_DUMP];
    uint32_t program = seal_program((struct chat_slice){said[0].bytes, said[0].len});
    size_t len = seal_dump(bob, keys[0], program, dump);
    seal_free(bob);
    bob = seal_new("den", secrets[1]);
    FUZZ_CHECK(bob != NULL);
    if (len > 0) {
        FUZZ_CHECK(seal_load(bob, keys[0], program, (struct chat_slice){dump, len}));
    }
    return bob;
}

static struct seal *act(struct seal *bob, struct fuzz_input *in, unsigned *opened)
{
    static uint8_t out[CHAT_BODY_MAX];
    struct body b;
    struct seal_opened about;
    struct chat_slice bytes;
    unsigned which;
    bool is_true;
    switch (fuzz_u8(in) % 7) {
    case 0:
        is_true = take_true(in, said, WORDS, &which, &b);
        open_word(bob, &b, which, is_true, opened);
        return bob;
    case 1:
        is_true = take_true(in, given, KEYS, &which, &b);
        bytes = (struct chat_slice){b.bytes, b.len};
        FUZZ_CHECK(seal_take_keys(bob, keys[0], b.id, bytes) != SEAL_DONE || is_true);
        return bob;
    case 2:
        bytes = take_bytes(in);
        FUZZ_CHECK(seal_take_keys(bob, keys[0], 1, bytes) != SEAL_DONE);
        (void)seal_is_ask(bytes);
        return bob;
    case 3:
        bytes = take_bytes(in);
        if (bytes.len <= sizeof out) {
            FUZZ_CHECK(seal_open(bob, keys[0], 1, CHAT_KIND_TEXT, bytes, out, &about) != SEAL_DONE);
        }
        return bob;
    case 4: /* of another sender, or the file would be believed: it is ours */
        (void)seal_load(bob, keys[1], 7, take_bytes(in));
        return bob;
    case 5:
        return go_on_later(bob);
    default: /* as somebody else's */
        (void)take_true(in, said, WORDS, &which, &b);
        bytes = (struct chat_slice){b.bytes, b.len};
        FUZZ_CHECK(seal_open(bob, keys[1], b.id, CHAT_KIND_TEXT, bytes, out, &about) != SEAL_DONE);
        return bob;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    unsigned opened = 0;
    if (said[0].len == 0) {
        prepare();
    }
    struct seal *bob = seal_new("den", secrets[1]);
    FUZZ_CHECK(bob != NULL);
    while (in.left > 0) {
        bob = act(bob, &in, &opened);
    }
    seal_free(bob);
    return 0;
}
