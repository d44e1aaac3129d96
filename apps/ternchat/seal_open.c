/* The others' side: chains that we were given, and words that are opened by them.
 *
 * A signature is checked before a chain moves, so nobody but the chain's owner can make it move; and what
 * is known of a sender changes only when a word was opened.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "ternchat/seal.h"
#include "ternchat/seal_parts.h"

#define BOX_TRIES 4 /* in one event */

/* What stands in front of a word, and of KEYS. */
struct front {
    uint32_t program, epoch, index;
};

static bool is_ours(const struct seal *seal, const uint8_t from[TERN_KEY_SIZE], uint32_t program)
{
    return program == seal->program && memcmp(from, seal->pub, TERN_KEY_SIZE) == 0;
}

static bool take_front(struct chat_slice body, enum seal_form form, size_t least, struct front *f)
{
    if (body.len < least || body.data[0] != form) {
        return false;
    }
    f->program = (uint32_t)seal_number(body.data + 1, 4);
    f->epoch = (uint32_t)seal_number(body.data + 5, 4);
    f->index = (uint32_t)seal_number(body.data + 9, 4);
    return f->program != 0 && f->epoch != 0;
}

bool seal_is_ask(struct chat_slice body)
{
    return body.len == 1 && body.data[0] == SEAL_FORM_ASK;
}

uint32_t seal_program(struct chat_slice body)
{
    struct front f;
    return take_front(body, SEAL_FORM_WORD, SEAL_WORD_FRONT, &f) ||
                   take_front(body, SEAL_FORM_KEYS, SEAL_WORD_FRONT, &f)
               ? f.program
               : 0;
}

/* --- senders ------------------------------------------------------------------------------------------ */

static void free_sender(struct sender *sender)
{
    if (sender->skipped != NULL) {
        sodium_memzero(sender->skipped, SEAL_SKIPPED * sizeof *sender->skipped);
        free(sender->skipped);
    }
    sodium_memzero(sender, sizeof *sender);
    free(sender);
}

void seal_drop_senders(struct seal *seal)
{
    while (seal->senders != NULL) {
        struct sender *first = seal->senders;
        seal->senders = first->next;
        free_sender(first);
    }
    seal->sender_count = 0;
}

static struct sender *find(const struct seal *seal, const uint8_t key[TERN_KEY_SIZE],
                           uint32_t program)
{
    struct sender *s = seal->senders;
    while (s != NULL && (s->program != program || sodium_memcmp(s->key, key, TERN_KEY_SIZE) != 0)) {
        s = s->next;
    }
    return s;
}

/* The program that has been silent for longest makes room: of those of one person, if they have many, so that
 * nobody can push out the others. */
static void make_room(struct seal *seal, const uint8_t key[TERN_KEY_SIZE])
{
    struct sender **last = NULL, **last_own = NULL;
    size_t own = 0;
    for (struct sender **at = &seal->senders; *at != NULL; at = &(*at)->next) {
        last = at;
        if (memcmp((*at)->key, key, TERN_KEY_SIZE) == 0) {
            last_own = at;
            own++;
        }
    }
    last = own >= SEAL_PROGRAMS ? last_own : seal->sender_count >= SEAL_SENDERS ? last : NULL;
    if (last != NULL) {
        struct sender *gone = *last;
        *last = gone->next;
        free_sender(gone);
        seal->sender_count--;
    }
}

static void move_to_front(struct seal *seal, struct sender *sender)
{
    struct sender **at = &seal->senders;
    while (*at != sender) {
        at = &(*at)->next;
    }
    *at = sender->next;
    sender->next = seal->senders;
    seal->senders = sender;
}

static struct sender *add_sender(struct seal *seal, const uint8_t key[TERN_KEY_SIZE],
                                 uint32_t program)
{
    struct sender *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return NULL;
    }
    make_room(seal, key);
    memcpy(s->key, key, TERN_KEY_SIZE);
    s->program = program;
    s->next = seal->senders;
    seal->senders = s;
    seal->sender_count++;
    return s;
}

static struct their_chain *find_chain(struct sender *s, uint32_t epoch)
{
    for (size_t i = 0; s != NULL && i < s->chain_count; i++) {
        if (s->chains[i].epoch == epoch) {
            return &s->chains[i];
        }
    }
    return NULL;
}

static struct their_chain *add_chain(struct sender *s)
{
    if (s->chain_count == SEAL_EPOCHS) {
        memmove(&s->chains[0], &s->chains[1], (SEAL_EPOCHS - 1) * sizeof s->chains[0]);
        s->chain_count--;
    }
    return &s->chains[s->chain_count++];
}

/* --- KEYS --------------------------------------------------------------------------------------------- */

/* The boxes with our hint; another's key may begin like ours. Each costs two agreements, so a body that is full of
 * them is not looked through. */
static bool open_box(const struct seal *seal, const uint8_t from[TERN_KEY_SIZE], uint64_t id,
                     struct chat_slice body, uint8_t key[BOX_KEY], bool *is_for_us)
{
    uint8_t about[SEAL_KEYS_ABOUT];
    const struct box_to to = {seal->secret, seal->pub, from,
                              body.data + SEAL_KEYS_FRONT - TERN_KEY_SIZE};
    unsigned tries = 0;
    *is_for_us = false;
    seal_keys_about(seal, from, seal->pub, id, body.data, about);
    for (size_t at = SEAL_KEYS_FRONT; tries < BOX_TRIES && at + SEAL_BOX <= body.len;
         at += SEAL_BOX) {
        if (memcmp(body.data + at, seal->pub, SEAL_HINT) == 0) {
            *is_for_us = true;
            tries++;
            if (box_open(&to, about, sizeof about, body.data + at + SEAL_HINT, key)) {
                return true;
            }
        }
    }
    return false;
}

enum seal_result seal_take_keys(struct seal *seal, const uint8_t from[TERN_KEY_SIZE], uint64_t id,
                                struct chat_slice body)
{
    struct front f;
    bool is_for_us;
    uint8_t key[BOX_KEY];
    if (!take_front(body, SEAL_FORM_KEYS, SEAL_KEYS_FRONT, &f) ||
        (body.len - SEAL_KEYS_FRONT) % SEAL_BOX != 0) {
        return SEAL_FALSE;
    }
    if (is_ours(seal, from, f.program)) {
        return SEAL_REPEAT; /* or the server could show us our own words twice */
    }
    struct sender *s = find(seal, from, f.program);
    if (s != NULL && s->chain_count > 0 && f.epoch <= s->chains[s->chain_count - 1].epoch) {
        return SEAL_REPEAT; /* it is known, or older: to go back would be to open words again */
    }
    if (!open_box(seal, from, id, body, key, &is_for_us)) {
        return is_for_us ? SEAL_FALSE : SEAL_NO_KEY;
    }
    if (s == NULL && (s = add_sender(seal, from, f.program)) == NULL) {
        sodium_memzero(key, sizeof key);
        return SEAL_NO_KEY;
    }
    s->expected = s->chain_count == 0 ? f.index : s->expected;
    struct their_chain *chain = add_chain(s);
    chain->epoch = f.epoch;
    memcpy(chain->verify, body.data + SEAL_WORD_FRONT, sizeof chain->verify);
    memcpy(chain->chain.key, key, sizeof chain->chain.key);
    chain->chain.index = f.index;
    sodium_memzero(key, sizeof key);
    return SEAL_DONE;
}

/* --- words -------------------------------------------------------------------------------------------- */

static struct skipped *find_skipped(const struct sender *s, uint32_t epoch, uint32_t index)
{
    for (size_t i = 0; i < s->skipped_count; i++) {
        if (s->skipped[i].epoch == epoch && s->skipped[i].index == index) {
            return &s->skipped[i];
        }
    }
    return NULL;
}

static void drop_skipped(struct sender *s, struct skipped *which)
{
    size_t i = (size_t)(which - s->skipped);
    s->skipped_count--;
    memmove(which, which + 1, (s->skipped_count - i) * sizeof *which);
    sodium_memzero(&s->skipped[s->skipped_count], sizeof *which);
}

/* The oldest makes room. Without memory it is not kept: the word cannot be read if it comes. */
static void skip(struct sender *s, uint32_t epoch, uint32_t index, const uint8_t key[CHAIN_KEY])
{
    if (s->skipped == NULL && (s->skipped = calloc(SEAL_SKIPPED, sizeof *s->skipped)) == NULL) {
        return;
    }
    if (s->skipped_count == SEAL_SKIPPED) {
        drop_skipped(s, &s->skipped[0]);
    }
    struct skipped *place = &s->skipped[s->skipped_count++];
    place->epoch = epoch;
    place->index = index;
    memcpy(place->key, key, sizeof place->key);
}

struct word {
    struct chat_slice sealed; /* without its signature */
    uint8_t about[SEAL_WORD_ABOUT];
};

static bool is_signed(const struct word *w, const struct their_chain *chain)
{
    uint8_t digest[64];
    seal_digest(w->about, w->sealed.data, w->sealed.len, digest);
    return crypto_sign_verify_detached(w->sealed.data + w->sealed.len, digest, sizeof digest,
                                       chain->verify) == 0;
}

static bool decrypt(const struct word *w, const uint8_t key[CHAIN_KEY], uint8_t *out,
                    struct seal_opened *opened)
{
    static const uint8_t nonce[crypto_aead_xchacha20poly1305_ietf_NPUBBYTES];
    size_t len = w->sealed.len - crypto_aead_xchacha20poly1305_ietf_ABYTES, used;
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, w->sealed.data, w->sealed.len,
                                                   w->about, sizeof w->about, nonce, key) != 0 ||
        sodium_unpad(&used, out, len, SEAL_PAD) != 0 || used < SEAL_TIME) {
        return false;
    }
    opened->time = seal_number(out, SEAL_TIME);
    opened->len = used - SEAL_TIME;
    memmove(out, out + SEAL_TIME, opened->len);
    return true;
}

/* Its key was kept when those after it came. */
static enum seal_result open_late(struct sender *s, const struct front *f, const struct word *w,
                                  uint8_t *out, struct seal_opened *opened)
{
    struct skipped *skipped = find_skipped(s, f->epoch, f->index);
    if (skipped == NULL) {
        return SEAL_REPEAT;
    }
    if (!decrypt(w, skipped->key, out, opened)) {
        return SEAL_FALSE;
    }
    opened->is_late = true;
    drop_skipped(s, skipped);
    return SEAL_DONE;
}

/* Moves the chain on to the word, and keeps the keys of those before it. */
static enum seal_result open_next(struct sender *s, struct their_chain *chain,
                                  const struct front *f, const struct word *w, uint8_t *out,
                                  struct seal_opened *opened)
{
    struct chain ahead = chain->chain, before = chain->chain;
    uint8_t key[CHAIN_KEY];
    do {
        before = f->index - ahead.index >= SEAL_SKIPPED ? ahead : before;
        chain_step(&ahead, key);
    } while (ahead.index <= f->index);
    bool is_theirs = decrypt(w, key, out, opened);
    while (is_theirs && before.index < f->index) {
        uint32_t index = before.index;
        chain_step(&before, key);
        skip(s, f->epoch, index, key);
    }
    if (is_theirs) {
        chain->chain = ahead;
        opened->is_late = f->index < s->expected;
        opened->missed = f->index > s->expected ? f->index - s->expected : 0;
        s->expected = f->index >= s->expected ? f->index + 1 : s->expected;
    }
    sodium_memzero(key, sizeof key);
    sodium_memzero(&ahead, sizeof ahead);
    sodium_memzero(&before, sizeof before);
    return is_theirs ? SEAL_DONE : SEAL_FALSE;
}

enum seal_result seal_open(struct seal *seal, const uint8_t from[TERN_KEY_SIZE], uint64_t id,
                           enum chat_kind kind, struct chat_slice body, uint8_t *out,
                           struct seal_opened *opened)
{
    struct front f;
    struct word w;
    const size_t least =
        SEAL_WORD_FRONT + SEAL_PAD + crypto_aead_xchacha20poly1305_ietf_ABYTES + crypto_sign_BYTES;
    memset(opened, 0, sizeof *opened);
    if (!take_front(body, SEAL_FORM_WORD, least, &f) || f.index == UINT32_MAX) {
        return SEAL_FALSE;
    }
    if (is_ours(seal, from, f.program)) {
        return SEAL_REPEAT;
    }
    struct sender *s = find(seal, from, f.program);
    struct their_chain *chain = find_chain(s, f.epoch);
    if (chain == NULL) {
        bool is_old = s != NULL && s->chain_count > 0 && f.epoch < s->chains[0].epoch;
        return is_old ? SEAL_REPEAT : SEAL_NO_KEY;
    }
    w.sealed = (struct chat_slice){body.data + SEAL_WORD_FRONT,
                                   body.len - SEAL_WORD_FRONT - crypto_sign_BYTES};
    seal_word_about(seal, from, id, (uint8_t)kind, body.data, w.about);
    if (!is_signed(&w, chain) ||
        (f.index > chain->chain.index && f.index - chain->chain.index > SEAL_JUMP)) {
        return SEAL_FALSE;
    }
    move_to_front(seal, s);
    return f.index < chain->chain.index ? open_late(s, &f, &w, out, opened)
                                        : open_next(s, chain, &f, &w, out, opened);
}

/* --- for the memory ----------------------------------------------------------------------------------- */

#define DUMP_CHAIN   (4 + crypto_sign_PUBLICKEYBYTES + 4 + CHAIN_KEY)
#define DUMP_SKIPPED (8 + CHAIN_KEY)

_Static_assert(SEAL_DUMP >= 6 + SEAL_EPOCHS * DUMP_CHAIN + SEAL_SKIPPED * DUMP_SKIPPED,
               "all of a sender fits");

static uint8_t *put(uint8_t *at, const void *data, size_t len)
{
    memcpy(at, data, len);
    return at + len;
}

static uint8_t *put_number(uint8_t *at, uint32_t value)
{
    seal_put_number(at, value, 4);
    return at + 4;
}

size_t seal_dump(const struct seal *seal, const uint8_t from[TERN_KEY_SIZE], uint32_t program,
                 uint8_t out[SEAL_DUMP])
{
    const struct sender *s = find(seal, from, program);
    if (s == NULL) {
        return 0;
    }
    uint8_t *at = put_number(out, s->expected);
    *at++ = (uint8_t)s->chain_count;
    *at++ = (uint8_t)s->skipped_count;
    for (size_t i = 0; i < s->chain_count; i++) {
        at = put_number(at, s->chains[i].epoch);
        at = put(at, s->chains[i].verify, sizeof s->chains[i].verify);
        at = put_number(at, s->chains[i].chain.index);
        at = put(at, s->chains[i].chain.key, CHAIN_KEY);
    }
    for (size_t i = 0; i < s->skipped_count; i++) {
        at = put_number(at, s->skipped[i].epoch);
        at = put_number(at, s->skipped[i].index);
        at = put(at, s->skipped[i].key, CHAIN_KEY);
    }
    return (size_t)(at - out);
}

bool seal_load(struct seal *seal, const uint8_t from[TERN_KEY_SIZE], uint32_t program,
               struct chat_slice dump)
{
    const uint8_t *at = dump.data + 6;
    size_t chains = dump.len < 6 ? 0 : dump.data[4], skipped = dump.len < 6 ? 0 : dump.data[5];
    if (chains == 0 || chains > SEAL_EPOCHS || skipped > SEAL_SKIPPED ||
        dump.len != 6 + chains * DUMP_CHAIN + skipped * DUMP_SKIPPED ||
        find(seal, from, program) != NULL) {
        return false;
    }
    struct sender *s = add_sender(seal, from, program);
    if (s == NULL) {
        return false;
    }
    s->expected = (uint32_t)seal_number(dump.data, 4);
    for (size_t i = 0; i < chains; i++, at += DUMP_CHAIN) {
        struct their_chain *chain = add_chain(s);
        chain->epoch = (uint32_t)seal_number(at, 4);
        memcpy(chain->verify, at + 4, sizeof chain->verify);
        chain->chain.index = (uint32_t)seal_number(at + DUMP_CHAIN - CHAIN_KEY - 4, 4);
        memcpy(chain->chain.key, at + DUMP_CHAIN - CHAIN_KEY, CHAIN_KEY);
    }
    for (size_t i = 0; i < skipped; i++, at += DUMP_SKIPPED) {
        skip(s, (uint32_t)seal_number(at, 4), (uint32_t)seal_number(at + 4, 4), at + 8);
    }
    return true;
}
