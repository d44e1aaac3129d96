/* Our own side: chains, whom they are given to, and words by them.
 *
 * Two states of each chain are kept: one for the next word, one for the first word that the server has not
 * put in its place yet. Newcomers are given the latter: they get no key of a word from before they came,
 * and have those of all words that follow.
 * SPDX-License-Identifier: MIT */
#include "ternchat/seal.h"

#include <stdlib.h>
#include <string.h>

#include "ternchat/seal_parts.h"

_Static_assert(sizeof SEAL_KEYS_NAME == SEAL_NAME + 1 && sizeof SEAL_WORD_NAME == SEAL_NAME + 1,
               "what is bound has one length");
_Static_assert(SEAL_MORE >= SEAL_WORD_FRONT + SEAL_TIME + SEAL_PAD +
                                crypto_aead_xchacha20poly1305_ietf_ABYTES + crypto_sign_BYTES,
               "what sealing adds");

void seal_put_number(uint8_t *at, uint64_t value, size_t size)
{
    while (size-- > 0) {
        at[size] = (uint8_t)value;
        value >>= 8;
    }
}

uint64_t seal_number(const uint8_t *at, size_t size)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++) {
        value = value << 8 | at[i];
    }
    return value;
}

struct seal *seal_new(const char *room, const uint8_t secret[TERN_KEY_SIZE])
{
    crypto_generichash_state state;
    struct seal *seal = calloc(1, sizeof *seal);
    if (seal == NULL) {
        return NULL;
    }
    (void)crypto_generichash_init(&state, NULL, 0, sizeof seal->room);
    (void)crypto_generichash_update(&state, (const uint8_t *)"tern chat room", SEAL_NAME);
    (void)crypto_generichash_update(&state, (const uint8_t *)room, strlen(room));
    (void)crypto_generichash_final(&state, seal->room, sizeof seal->room);
    memcpy(seal->secret, secret, sizeof seal->secret);
    (void)crypto_scalarmult_base(seal->pub, secret);
    seal->program = 1 + randombytes_uniform(UINT32_MAX - 1);
    return seal;
}

static void drop_oldest(struct seal *seal)
{
    free(seal->own[0].readers);
    seal->own_count--;
    memmove(&seal->own[0], &seal->own[1], seal->own_count * sizeof seal->own[0]);
    sodium_memzero(&seal->own[seal->own_count], sizeof seal->own[0]);
}

void seal_free(struct seal *seal)
{
    if (seal == NULL) {
        return;
    }
    while (seal->own_count > 0) {
        drop_oldest(seal);
    }
    seal_drop_senders(seal);
    sodium_memzero(seal, sizeof *seal);
    free(seal);
}

/* --- what is bound ------------------------------------------------------------------------------------ */

static uint8_t *put(uint8_t *at, const void *data, size_t len)
{
    memcpy(at, data, len);
    return at + len;
}

void seal_word_about(const struct seal *seal, const uint8_t from[TERN_KEY_SIZE], uint64_t id,
                     uint8_t kind, const uint8_t *front, uint8_t about[SEAL_WORD_ABOUT])
{
    uint8_t *at = put(about, SEAL_WORD_NAME, SEAL_NAME);
    at = put(at, seal->room, SEAL_ROOM);
    at = put(at, from, TERN_KEY_SIZE);
    seal_put_number(at, id, 8);
    at[8] = kind;
    (void)put(at + 9, front, SEAL_WORD_FRONT);
}

void seal_keys_about(const struct seal *seal, const uint8_t from[TERN_KEY_SIZE],
                     const uint8_t to[TERN_KEY_SIZE], uint64_t id, const uint8_t *front,
                     uint8_t about[SEAL_KEYS_ABOUT])
{
    uint8_t *at = put(about, SEAL_KEYS_NAME, SEAL_NAME);
    at = put(at, seal->room, SEAL_ROOM);
    at = put(at, from, TERN_KEY_SIZE);
    at = put(at, to, TERN_KEY_SIZE);
    seal_put_number(at, id, 8);
    (void)put(at + 8, front, SEAL_KEYS_FRONT);
}

void seal_digest(const uint8_t about[SEAL_WORD_ABOUT], const uint8_t *sealed, size_t len,
                 uint8_t out[64])
{
    crypto_generichash_state state;
    (void)crypto_generichash_init(&state, NULL, 0, 64);
    (void)crypto_generichash_update(&state, about, SEAL_WORD_ABOUT);
    (void)crypto_generichash_update(&state, sealed, len);
    (void)crypto_generichash_final(&state, out, 64);
}

/* --- chains ------------------------------------------------------------------------------------------- */

/* The one that seals words; NULL: none. */
static const struct own_chain *present(const struct seal *seal)
{
    return seal->is_open ? &seal->own[seal->own_count - 1] : NULL;
}

size_t seal_chains(const struct seal *seal)
{
    return seal->own_count;
}

bool seal_is_on_its_way(const struct seal *seal, size_t chain)
{
    return seal->own[chain].heard.index != seal->own[chain].next.index;
}

/* Those that no word needs any more are forgotten; the newest may be needed by the next one. */
static void drop_done(struct seal *seal)
{
    while (seal->own_count > (seal->is_open ? 1u : 0u) && !seal_is_on_its_way(seal, 0)) {
        drop_oldest(seal);
    }
}

void seal_begin(struct seal *seal)
{
    seal_end(seal);
    if (seal->own_count == SEAL_CHAINS) {
        drop_oldest(seal); /* who comes now cannot read the words that are on their way by it */
    }
    struct own_chain *chain = &seal->own[seal->own_count++];
    memset(chain, 0, sizeof *chain);
    chain->epoch = ++seal->epoch;
    (void)crypto_sign_keypair(chain->verify, chain->sign);
    randombytes_buf(chain->next.key, sizeof chain->next.key);
    chain->next.index = chain->first = seal->said;
    chain->heard = chain->next;
    seal->is_open = true;
}

void seal_end(struct seal *seal)
{
    seal->is_open = false;
    drop_done(seal);
}

bool seal_has_chain(const struct seal *seal)
{
    return seal->is_open;
}

uint32_t seal_words(const struct seal *seal)
{
    const struct own_chain *chain = present(seal);
    return chain == NULL ? 0 : chain->next.index - chain->first;
}

/* --- readers ------------------------------------------------------------------------------------------ */

static size_t reader_place(const struct own_chain *chain, const uint8_t key[TERN_KEY_SIZE])
{
    size_t i = 0;
    while (i < chain->reader_count && memcmp(chain->readers[i], key, TERN_KEY_SIZE) != 0) {
        i++;
    }
    return i;
}

bool seal_is_reader(const struct seal *seal, const uint8_t key[TERN_KEY_SIZE])
{
    const struct own_chain *chain = present(seal);
    return chain != NULL && reader_place(chain, key) < chain->reader_count;
}

void seal_forget_reader(struct seal *seal, const uint8_t key[TERN_KEY_SIZE])
{
    if (seal_is_reader(seal, key)) {
        struct own_chain *chain = &seal->own[seal->own_count - 1];
        memmove(chain->readers[reader_place(chain, key)], chain->readers[chain->reader_count - 1],
                TERN_KEY_SIZE);
        chain->reader_count--;
    }
}

bool seal_has_other(const struct seal *seal,
                    bool (*is_there)(void *user, const uint8_t key[TERN_KEY_SIZE]), void *user)
{
    const struct own_chain *chain = present(seal);
    for (size_t i = 0; chain != NULL && i < chain->reader_count; i++) {
        if (!is_there(user, chain->readers[i])) {
            return true;
        }
    }
    return false;
}

static bool add_readers(struct own_chain *chain, const uint8_t *keys, size_t count)
{
    if (chain->reader_count + count > chain->reader_room) {
        size_t room = 2 * (chain->reader_count + count);
        uint8_t(*readers)[TERN_KEY_SIZE] = realloc(chain->readers, room * sizeof *readers);
        if (readers == NULL) {
            return false;
        }
        chain->readers = readers;
        chain->reader_room = room;
    }
    for (size_t i = 0; i < count; i++) {
        const uint8_t *key = keys + i * TERN_KEY_SIZE;
        if (reader_place(chain, key) == chain->reader_count) {
            memcpy(chain->readers[chain->reader_count++], key, TERN_KEY_SIZE);
        }
    }
    return true;
}

/* --- bodies ------------------------------------------------------------------------------------------- */

static void put_front(const struct seal *seal, enum seal_form form, uint32_t epoch, uint32_t index,
                      uint8_t *out)
{
    out[0] = (uint8_t)form;
    seal_put_number(out + 1, seal->program, 4);
    seal_put_number(out + 5, epoch, 4);
    seal_put_number(out + 9, index, 4);
}

size_t seal_ask(uint8_t *out, size_t size)
{
    if (size < 1) {
        return 0;
    }
    out[0] = SEAL_FORM_ASK;
    return 1;
}

size_t seal_keys(struct seal *seal, size_t n, uint64_t id, const uint8_t *to, size_t count,
                 uint8_t *out, size_t size)
{
    uint8_t about[SEAL_KEYS_ABOUT], ephemeral[TERN_KEY_SIZE];
    struct own_chain *chain = &seal->own[n];
    uint8_t *at = out + SEAL_KEYS_FRONT;
    if (size < SEAL_KEYS_FRONT || count > (size - SEAL_KEYS_FRONT) / SEAL_BOX ||
        !add_readers(chain, to, count)) {
        return 0;
    }
    put_front(seal, SEAL_FORM_KEYS, chain->epoch, chain->heard.index, out);
    memcpy(out + SEAL_WORD_FRONT, chain->verify, sizeof chain->verify);
    uint8_t *ephemeral_pub = out + SEAL_KEYS_FRONT - TERN_KEY_SIZE;
    randombytes_buf(ephemeral, sizeof ephemeral);
    (void)crypto_scalarmult_base(ephemeral_pub, ephemeral);
    const struct box_from from = {seal->secret, seal->pub, ephemeral, ephemeral_pub};
    for (size_t i = 0; i < count; i++, to += TERN_KEY_SIZE) {
        memcpy(at, to, SEAL_HINT);
        seal_keys_about(seal, seal->pub, to, id, out, about);
        if (box_close(&from, to, about, sizeof about, chain->heard.key, at + SEAL_HINT)) {
            at += SEAL_BOX; /* else it is no key, and nobody's to miss it */
        }
    }
    sodium_memzero(ephemeral, sizeof ephemeral);
    return (size_t)(at - out);
}

/* Time and words, filled up so that their length tells less. */
static size_t put_plain(uint64_t time, struct chat_slice words, uint8_t *out, size_t size)
{
    size_t len = 0;
    seal_put_number(out, time, SEAL_TIME);
    if (words.len > 0) {
        memcpy(out + SEAL_TIME, words.data, words.len);
    }
    return sodium_pad(&len, out, SEAL_TIME + words.len, SEAL_PAD, size) == 0 ? len : 0;
}

size_t seal_body(struct seal *seal, uint64_t id, enum chat_kind kind, uint64_t time,
                 struct chat_slice words, uint8_t *out, size_t size)
{
    static const uint8_t nonce[crypto_aead_xchacha20poly1305_ietf_NPUBBYTES];
    uint8_t about[SEAL_WORD_ABOUT], key[CHAIN_KEY], digest[64];
    if (!seal->is_open || size < SEAL_MORE || words.len > size - SEAL_MORE ||
        seal->said == UINT32_MAX) {
        return 0;
    }
    struct own_chain *chain = &seal->own[seal->own_count - 1];
    put_front(seal, SEAL_FORM_WORD, chain->epoch, chain->next.index, out);
    seal_word_about(seal, seal->pub, id, (uint8_t)kind, out, about);
    uint8_t *sealed = out + SEAL_WORD_FRONT;
    size_t len = put_plain(time, words, sealed, size - SEAL_WORD_FRONT);
    chain_step(&chain->next, key);
    seal->said = chain->next.index;
    /* Each key seals one word, so the nonce need not differ. */
    (void)crypto_aead_xchacha20poly1305_ietf_encrypt(sealed, NULL, sealed, len, about, sizeof about,
                                                     NULL, nonce, key);
    len += crypto_aead_xchacha20poly1305_ietf_ABYTES;
    seal_digest(about, sealed, len, digest);
    (void)crypto_sign_detached(sealed + len, NULL, digest, sizeof digest, chain->sign);
    sodium_memzero(key, sizeof key);
    return SEAL_WORD_FRONT + len + crypto_sign_BYTES;
}

void seal_on_heard(struct seal *seal, struct chat_slice body)
{
    uint8_t key[CHAIN_KEY];
    if (body.len < SEAL_WORD_FRONT || seal_program(body) != seal->program) {
        return;
    }
    uint32_t epoch = (uint32_t)seal_number(body.data + 5, 4);
    uint32_t index = (uint32_t)seal_number(body.data + 9, 4);
    for (size_t i = 0; i < seal->own_count; i++) {
        struct own_chain *chain = &seal->own[i];
        while (chain->epoch == epoch && chain->heard.index <= index &&
               chain->heard.index < chain->next.index) {
            chain_step(&chain->heard, key);
        }
    }
    sodium_memzero(key, sizeof key);
    drop_done(seal);
}
