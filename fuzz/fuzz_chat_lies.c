/* Sealed rooms of the chat: a server that repeats, holds back, changes and makes up what members say to each other.
 * What opens is what was said by that member, once, and nothing else opens.
 *
 * Input: steps of a byte that says which, one more, and what it needs: see `step`.
 * SPDX-License-Identifier: MIT */
#include <sodium.h>

#include "fuzz.h"
#include "ternchat/seal.h"

#define STEPS_MAX 150
#define WORDS     64
#define BODY      400

struct body {
    uint8_t data[BODY];
    size_t len;
    uint64_t id;
    uint8_t kind;
    uint8_t words[32];
    size_t words_len;
    unsigned opened;
};

struct world {
    struct fuzz_input in;
    struct seal *writer, *reader;
    struct body words[WORDS], keys[WORDS];
    size_t word_count, keys_count;
    uint64_t id;
    bool has_loaded; /* keys that were dumped before open a word once more */
};

static const uint8_t secrets[3][TERN_KEY_SIZE] = {{8}, {16}, {24}};
static uint8_t keys[3][TERN_KEY_SIZE]; /* the writer's, the reader's, a stranger's */

static uint64_t random_state;

static const char *source_name(void)
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

/* An input does the same in each run. */
static randombytes_implementation source = {
    .implementation_name = source_name, .random = random_number, .buf = random_fill};

static void give_keys(struct world *w, uint8_t how)
{
    struct body *body = &w->keys[w->keys_count];
    size_t chains = seal_chains(w->writer);
    if (w->keys_count == WORDS || chains == 0) {
        return;
    }
    body->id = w->id++;
    body->len = seal_keys(w->writer, how % chains, body->id, keys[1], 1 + (how >> 6) % 2u,
                          body->data, sizeof body->data);
    w->keys_count += body->len > 0 ? 1 : 0;
}

static void say(struct world *w, uint8_t how)
{
    struct body *body = &w->words[w->word_count];
    if (w->word_count == WORDS) {
        return;
    }
    const uint8_t *words = fuzz_bytes(&w->in, how % sizeof body->words, &body->words_len);
    if (body->words_len > 0) {
        memcpy(body->words, words, body->words_len);
    }
    body->id = w->id++;
    body->kind = how & 128 ? CHAT_KIND_ACTION : CHAT_KIND_TEXT;
    body->len =
        seal_body(w->writer, body->id, (enum chat_kind)body->kind, 1700000000000u + w->id,
                  (struct chat_slice){body->words, body->words_len}, body->data, sizeof body->data);
    FUZZ_CHECK(body->len <= body->words_len + SEAL_MORE);
    w->word_count += body->len > 0 ? 1 : 0;
}

/* One or more octets of it are others now. False: none is. */
static bool change(struct world *w, struct body *body)
{
    uint8_t count = fuzz_u8(&w->in) % 4;
    for (uint8_t i = 0; i < count; i++) {
        size_t at = (size_t)fuzz_number(&w->in, 2) % body->len;
        body->data[at] ^= (uint8_t)(1 + fuzz_u8(&w->in) % 255);
        if (i + 1 == count && fuzz_u8(&w->in) % 4 == 0) {
            body->len = 1 + at;
        }
    }
    return count > 0;
}

static void deliver_keys(struct world *w, uint8_t how)
{
    if (w->keys_count > 0) {
        struct body body = w->keys[how % w->keys_count];
        (void)change(w, &body);
        enum seal_result result = seal_take_keys(w->reader, keys[how >> 7 ? 2 : 0], body.id,
                                                 (struct chat_slice){body.data, body.len});
        FUZZ_CHECK(result <= SEAL_FALSE && (result != SEAL_DONE || how >> 7 == 0));
    }
}

static void deliver(struct world *w, uint8_t how)
{
    uint8_t out[BODY];
    struct seal_opened opened;
    if (w->word_count == 0) {
        return;
    }
    struct body *truth = &w->words[how % w->word_count], body = *truth;
    bool is_changed = change(w, &body);
    is_changed =
        is_changed && (body.len != truth->len || memcmp(body.data, truth->data, body.len) != 0);
    uint8_t lie = how >> 6;
    uint64_t id = lie == 1 ? body.id + 1 : body.id;
    uint8_t kind = lie == 2 ? (uint8_t)(CHAT_KIND_TEXT + CHAT_KIND_ACTION - body.kind) : body.kind;
    enum seal_result result = seal_open(w->reader, keys[lie == 3 ? 2 : 0], id, (enum chat_kind)kind,
                                        (struct chat_slice){body.data, body.len}, out, &opened);
    FUZZ_CHECK(result <= SEAL_FALSE);
    if (result == SEAL_DONE) {
        FUZZ_CHECK(!is_changed && lie == 0 && opened.len == truth->words_len);
        FUZZ_CHECK(opened.len == 0 || memcmp(out, truth->words, opened.len) == 0);
        FUZZ_CHECK(truth->opened == 0 || w->has_loaded);
        truth->opened++;
    }
}

static void make_up(struct world *w, uint8_t how)
{
    static uint8_t out[CHAT_BODY_MAX];
    struct seal_opened opened;
    size_t len = how < 0xf0 ? how : (size_t)(how & 0xf) << 12 | fuzz_number(&w->in, 2) % 4096;
    const uint8_t *bytes = fuzz_bytes(&w->in, len, &len);
    struct chat_slice body = {bytes, len};
    (void)seal_is_ask(body);
    (void)seal_program(body);
    enum seal_result result =
        seal_open(w->reader, keys[0], w->id, CHAT_KIND_TEXT, body, out, &opened);
    FUZZ_CHECK(result != SEAL_DONE);
    FUZZ_CHECK(seal_take_keys(w->reader, keys[0], w->id, body) != SEAL_DONE);
    /* A file about somebody whose words must not open either. */
    (void)seal_load(w->reader, keys[2], 7, body);
}

/* The reader's program ends and begins again, with what it had kept, or with a damaged piece of it. */
static void restart(struct world *w, uint8_t how)
{
    uint8_t dump[SEAL_DUMP];
    size_t len = 0;
    uint32_t program = 0;
    if (w->word_count > 0) {
        const struct body *body = &w->words[how % w->word_count];
        program = seal_program((struct chat_slice){body->data, body->len});
        len = seal_dump(w->reader, keys[0], program, dump);
    }
    FUZZ_CHECK(len <= sizeof dump);
    if ((how & 64) != 0 && len > 0) {
        dump[(size_t)fuzz_number(&w->in, 2) % len] ^= fuzz_u8(&w->in);
        len = (how & 32) != 0 ? len - fuzz_u8(&w->in) % len : len;
        struct seal *other = seal_new("den", secrets[1]);
        FUZZ_CHECK(other != NULL);
        (void)seal_load(other, keys[0], program, (struct chat_slice){dump, len});
        seal_free(other);
        return;
    }
    seal_free(w->reader);
    w->reader = seal_new("den", secrets[1]);
    FUZZ_CHECK(w->reader != NULL);
    w->has_loaded = true; /* what was kept of other programs is gone */
    FUZZ_CHECK(len == 0 || seal_load(w->reader, keys[0], program, (struct chat_slice){dump, len}));
}

static void step(struct world *w)
{
    uint8_t what = fuzz_u8(&w->in), how = fuzz_u8(&w->in);
    switch (what % 8) {
    case 0:
        seal_begin(w->writer);
        give_keys(w, how);
        break;
    case 1:
        give_keys(w, how);
        break;
    case 2:
        deliver_keys(w, how);
        break;
    case 3:
        make_up(w, how);
        break;
    case 4:
        if (w->word_count > 0) {
            const struct body *body = &w->words[how % w->word_count];
            seal_on_heard(w->writer, (struct chat_slice){body->data, body->len});
        }
        break;
    case 5:
        if ((how & 128) != 0) {
            restart(w, how);
        } else if ((how & 1) != 0) {
            seal_end(w->writer);
        } else {
            seal_forget_reader(w->writer, keys[1]);
        }
        break;
    case 6:
        say(w, how);
        break;
    default:
        deliver(w, how);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world w;
    memset(&w, 0, sizeof w);
    random_state = 0;
    FUZZ_CHECK(randombytes_set_implementation(&source) == 0 && sodium_init() >= 0);
    w.in = (struct fuzz_input){data, size};
    w.id = 1;
    for (size_t i = 0; i < 3; i++) {
        tern_key_public(keys[i], secrets[i]);
    }
    w.writer = seal_new("den", secrets[0]);
    w.reader = seal_new("den", secrets[1]);
    FUZZ_CHECK(w.writer != NULL && w.reader != NULL);
    seal_begin(w.writer);
    give_keys(&w, 0);
    for (int i = 0; i < STEPS_MAX && w.in.left > 0; i++) {
        step(&w);
    }
    seal_free(w.writer);
    seal_free(w.reader);
    return 0;
}
