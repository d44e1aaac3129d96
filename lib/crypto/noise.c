/* Handshake patterns as tables, and one engine that walks them token by token. [P §4]
 *
 * The Noise Protocol Framework, revision 34: http://www.noiseprotocol.org/noise.html
 * SPDX-License-Identifier: MIT */
#include "crypto/noise.h"

#include <sodium.h>

#include "base/cursor.h"
#include "crypto/keys.h"

enum token { END, E, S, EE, ES, SE, SS, PSK, E1, EKEM1 };

/* The hybrid with a KEM is that of the extension for hybrid forward secrecy (noise_hfs_spec): e1 ends
 * message 1, ekem1 stands behind the first ee. */

#define NO    false
#define KNOWN true

/* Sections 7.4, 7.5 and 18.1. First the static keys that are known beforehand, the initiator's and
 * the responder's, then the messages, the initiator's first. */
static const struct pattern {
    char name[5];
    bool knows_initiator, knows_responder;
    uint8_t messages[TERN_NOISE_MESSAGES][TERN_NOISE_TOKENS];
} patterns[] = {
    /* clang-format off */
    /*        <- s of:                ->            <-                   ->            <-     */
    {"XK",   NO,    KNOWN, {{E, ES},        {E, EE},             {S, SE}           }}, /* pinned */
    {"XX",   NO,    NO,    {{E},            {E, EE, S, ES},      {S, SE}           }}, /* first contact */

    {"N",    NO,    KNOWN, {{E, ES}                                                }},
    {"K",    KNOWN, KNOWN, {{E, ES, SS}                                            }},
    {"X",    NO,    KNOWN, {{E, ES, S, SS}                                         }},
    {"NN",   NO,    NO,    {{E},            {E, EE}                                }},
    {"NK",   NO,    KNOWN, {{E, ES},        {E, EE}                                }},
    {"NX",   NO,    NO,    {{E},            {E, EE, S, ES}                         }},
    {"XN",   NO,    NO,    {{E},            {E, EE},             {S, SE}           }},
    {"KN",   KNOWN, NO,    {{E},            {E, EE, SE}                            }},
    {"KK",   KNOWN, KNOWN, {{E, ES, SS},    {E, EE, SE}                            }},
    {"KX",   KNOWN, NO,    {{E},            {E, EE, SE, S, ES}                     }},
    {"IN",   NO,    NO,    {{E, S},         {E, EE, SE}                            }},
    {"IK",   NO,    KNOWN, {{E, ES, S, SS}, {E, EE, SE}                            }},
    {"IX",   NO,    NO,    {{E, S},         {E, EE, SE, S, ES}                     }},

    {"NK1",  NO,    KNOWN, {{E},            {E, EE, ES}                            }},
    {"NX1",  NO,    NO,    {{E},            {E, EE, S},          {ES}              }},
    {"X1N",  NO,    NO,    {{E},            {E, EE},             {S},        {SE}  }},
    {"X1K",  NO,    KNOWN, {{E, ES},        {E, EE},             {S},        {SE}  }},
    {"XK1",  NO,    KNOWN, {{E},            {E, EE, ES},         {S, SE}           }},
    {"X1K1", NO,    KNOWN, {{E},            {E, EE, ES},         {S},        {SE}  }},
    {"X1X",  NO,    NO,    {{E},            {E, EE, S, ES},      {S},        {SE}  }},
    {"XX1",  NO,    NO,    {{E},            {E, EE, S},          {ES, S, SE}       }},
    {"X1X1", NO,    NO,    {{E},            {E, EE, S},          {ES, S},    {SE}  }},
    {"K1N",  KNOWN, NO,    {{E},            {E, EE},             {SE}              }},
    {"K1K",  KNOWN, KNOWN, {{E, ES},        {E, EE},             {SE}              }},
    {"KK1",  KNOWN, KNOWN, {{E},            {E, EE, SE, ES}                        }},
    {"K1K1", KNOWN, KNOWN, {{E},            {E, EE, ES},         {SE}              }},
    {"K1X",  KNOWN, NO,    {{E},            {E, EE, S, ES},      {SE}              }},
    {"KX1",  KNOWN, NO,    {{E},            {E, EE, SE, S},      {ES}              }},
    {"K1X1", KNOWN, NO,    {{E},            {E, EE, S},          {SE, ES}          }},
    {"I1N",  NO,    NO,    {{E, S},         {E, EE},             {SE}              }},
    {"I1K",  NO,    KNOWN, {{E, ES, S},     {E, EE},             {SE}              }},
    {"IK1",  NO,    KNOWN, {{E, S},         {E, EE, SE, ES}                        }},
    {"I1K1", NO,    KNOWN, {{E, S},         {E, EE, ES},         {SE}              }},
    {"I1X",  NO,    NO,    {{E, S},         {E, EE, S, ES},      {SE}              }},
    {"IX1",  NO,    NO,    {{E, S},         {E, EE, SE, S},      {ES}              }},
    {"I1X1", NO,    NO,    {{E, S},         {E, EE, S},          {SE, ES}          }},
    /* clang-format on */
};

/* --- the protocol's name ------------------------------------------------------------------------- */

struct name {
    const struct pattern *pattern;
    enum tern_noise_cipher cipher;
    enum tern_noise_hash hash;
    bool has_psk[TERN_NOISE_MESSAGES + 1]; /* modifier pskN: 0 begins message 1, N ends message N */
    bool has_hfs;
};

/* Takes the part before the next underscore (or the end) off the text. */
static bool next_part(const char **text, const char **part, size_t *len)
{
    if (*text == NULL) {
        return false;
    }
    const char *end = strchr(*text, '_');
    *part = *text;
    *len = end == NULL ? strlen(*text) : (size_t)(end - *text);
    *text = end == NULL ? NULL : end + 1;
    return true;
}

static bool part_is(const char **text, const char *wanted)
{
    const char *part = NULL;
    size_t len = 0;
    return next_part(text, &part, &len) && len == strlen(wanted) && memcmp(part, wanted, len) == 0;
}

/* "hfs+", "hfs" or nothing of it, at the front of the modifiers. The patterns that may have it are those
 * whose places of e1 and ekem1 lay_out knows. */
static bool take_hfs(struct name *name, const char **text, size_t *len)
{
    bool is_alone = *len == 3;
    if (*len < 3 || memcmp(*text, "hfs", 3) != 0 || (!is_alone && (*text)[3] != '+')) {
        return true;
    }
    size_t taken = is_alone ? 3 : 4;
    name->has_hfs = true;
    *text += taken;
    *len -= taken;
    bool is_known =
        strcmp(name->pattern->name, "XK") == 0 || strcmp(name->pattern->name, "XX") == 0;
    return is_known && (is_alone || *len > 0);
}

/* "psk0+psk3", len characters. */
static int parse_modifiers(struct name *name, const char *text, size_t len)
{
    if (!take_hfs(name, &text, &len)) {
        return TERN_ERR_UNSUPPORTED;
    }
    for (size_t at = 0; at < len; at += 5) {
        size_t left = len - at;
        if (left < 4 || memcmp(text + at, "psk", 3) != 0 || (left > 4 && text[at + 4] != '+') ||
            left == 5) {
            return TERN_ERR_UNSUPPORTED;
        }
        unsigned n = (unsigned)(unsigned char)text[at + 3] - '0';
        if (n > TERN_NOISE_MESSAGES || name->has_psk[n] ||
            (n > 0 && name->pattern->messages[n - 1][0] == END)) {
            return TERN_ERR_UNSUPPORTED;
        }
        name->has_psk[n] = true;
    }
    return 0;
}

/* "XXpsk3": the pattern is in capitals and digits, its modifiers begin with a small letter. */
static int parse_pattern(struct name *name, const char *text, size_t len)
{
    size_t base = 0;
    while (base < len && (text[base] < 'a' || text[base] > 'z')) {
        base++;
    }
    for (size_t i = 0; i < TERN_COUNT_OF(patterns); i++) {
        if (strlen(patterns[i].name) == base && memcmp(patterns[i].name, text, base) == 0) {
            name->pattern = &patterns[i];
            return parse_modifiers(name, text + base, len - base);
        }
    }
    return TERN_ERR_UNSUPPORTED;
}

static int parse_name(struct name *name, const char *text)
{
    const char *part = NULL;
    size_t len = 0;
    memset(name, 0, sizeof *name);
    if (!part_is(&text, "Noise") || !next_part(&text, &part, &len)) {
        return TERN_ERR_UNSUPPORTED;
    }
    int rc = parse_pattern(name, part, len);
    const char *dh = name->has_hfs ? "25519+MLKEM768" : "25519";
    if (rc != 0 || !part_is(&text, dh) || text == NULL) {
        return TERN_ERR_UNSUPPORTED;
    }
    const char *rest = text;
    name->cipher = part_is(&text, "ChaChaPoly") ? TERN_NOISE_CHACHAPOLY : TERN_NOISE_AESGCM;
    if (name->cipher == TERN_NOISE_AESGCM && !part_is(&rest, "AESGCM")) {
        return TERN_ERR_UNSUPPORTED;
    }
    rest = text;
    name->hash = part_is(&text, "SHA256") ? TERN_NOISE_SHA256 : TERN_NOISE_BLAKE2B;
    if (name->hash == TERN_NOISE_BLAKE2B && !part_is(&rest, "BLAKE2b")) {
        return TERN_ERR_UNSUPPORTED;
    }
    return text == NULL && tern_noise_cipher_is_available(name->cipher) ? 0 : TERN_ERR_UNSUPPORTED;
}

/* --- birth --------------------------------------------------------------------------------------- */

/* Lays out the messages with the psk tokens where the modifiers put them; returns their number. */
static size_t lay_out(struct tern_noise *noise, const struct name *name)
{
    size_t psks = 0;
    for (size_t i = 0; i < TERN_NOISE_MESSAGES && name->pattern->messages[i][0] != END; i++) {
        const uint8_t *tokens = name->pattern->messages[i];
        uint8_t *out = noise->tokens[i];
        if (i == 0 && name->has_psk[0]) {
            *out++ = PSK;
            psks++;
        }
        for (; *tokens != END; tokens++) {
            *out++ = *tokens;
            if (name->has_hfs && *tokens == EE) {
                *out++ = EKEM1;
            }
        }
        if (name->has_hfs && i == 0) {
            *out++ = E1;
        }
        if (name->has_psk[i + 1]) {
            *out = PSK;
            psks++;
        }
        noise->message_count++;
    }
    return psks;
}

/* Our static key is known beforehand or in a message that we write. */
static bool needs_static(const struct tern_noise *noise, const struct pattern *pattern)
{
    bool needs = noise->is_initiator ? pattern->knows_initiator : pattern->knows_responder;
    for (size_t i = noise->is_initiator ? 0 : 1; i < noise->message_count; i += 2) {
        for (const uint8_t *token = noise->tokens[i]; *token != END; token++) {
            needs = needs || *token == S;
        }
    }
    return needs;
}

static int take_static(struct tern_noise *noise, const struct tern_noise_setup *setup)
{
    if (setup->static_secret == NULL) {
        return TERN_ERR_INVALID;
    }
    memcpy(noise->s, setup->static_secret, sizeof noise->s);
    noise->has_s = true;
    if (setup->static_public != NULL) {
        memcpy(noise->s_public, setup->static_public, sizeof noise->s_public);
        return 0;
    }
    return crypto_scalarmult_base(noise->s_public, noise->s) == 0 ? 0 : TERN_ERR_CRYPTO;
}

static int take_keys(struct tern_noise *noise, const struct tern_noise_setup *setup,
                     const struct pattern *pattern, size_t psks)
{
    bool knows_peer = noise->is_initiator ? pattern->knows_responder : pattern->knows_initiator;
    /* A key that the pattern would not check must not look as if it were pinned. */
    if (knows_peer != (setup->remote_static != NULL) || setup->psk_count != psks ||
        psks > TERN_NOISE_PSKS) {
        return TERN_ERR_INVALID;
    }
    if (knows_peer) {
        memcpy(noise->rs, setup->remote_static, sizeof noise->rs);
        noise->has_rs = true;
    }
    for (size_t i = 0; i < psks; i++) {
        memcpy(noise->psks[i], setup->psks[i], sizeof noise->psks[i]);
    }
    noise->psk_count = (uint8_t)psks;
    return needs_static(noise, pattern) ? take_static(noise, setup) : 0;
}

/* The prologue, then the keys known beforehand: the initiator's first. */
static void mix_beginning(struct tern_noise *noise, const struct tern_noise_setup *setup,
                          const struct pattern *pattern)
{
    tern_symmetric_mix_hash(&noise->symmetric, setup->prologue, setup->prologue_len);
    if (pattern->knows_initiator) {
        tern_symmetric_mix_hash(&noise->symmetric,
                                noise->is_initiator ? noise->s_public : noise->rs, TERN_KEY_SIZE);
    }
    if (pattern->knows_responder) {
        tern_symmetric_mix_hash(&noise->symmetric,
                                noise->is_initiator ? noise->rs : noise->s_public, TERN_KEY_SIZE);
    }
}

int tern_noise_init(struct tern_noise *noise, const struct tern_noise_setup *setup)
{
    struct name name;
    memset(noise, 0, sizeof *noise);
    int rc = parse_name(&name, setup->protocol_name);
    if (rc != 0) {
        return rc;
    }
    noise->is_initiator = setup->is_initiator;
    noise->kem = setup->kem;
    noise->kem_room = setup->kem_room;
    if (name.has_hfs && (setup->kem_room == NULL || (setup->is_initiator && setup->kem == NULL))) {
        tern_noise_clear(noise);
        return TERN_ERR_UNSUPPORTED;
    }
    size_t psks = lay_out(noise, &name);
    rc = take_keys(noise, setup, name.pattern, psks);
    if (rc != 0) {
        tern_noise_clear(noise);
        return rc;
    }
    tern_symmetric_init(&noise->symmetric, name.cipher, name.hash, setup->protocol_name);
    mix_beginning(noise, setup, name.pattern);
    return 0;
}

void tern_noise_clear(struct tern_noise *noise)
{
    sodium_memzero(noise, sizeof *noise);
}

void tern_noise_set_ephemeral(struct tern_noise *noise, const uint8_t secret[TERN_KEY_SIZE])
{
    memcpy(noise->e, secret, sizeof noise->e);
    (void)crypto_scalarmult_base(noise->e_public, noise->e);
    noise->has_e = true;
}

void tern_noise_set_psk(struct tern_noise *noise, size_t index,
                        const uint8_t psk[TERN_NOISE_SECRET_SIZE])
{
    tern_assert(index < noise->psk_count && index >= noise->psk);
    memcpy(noise->psks[index], psk, TERN_NOISE_SECRET_SIZE);
}

const uint8_t *tern_noise_draw_ephemeral(struct tern_noise *noise, struct tern_random *random)
{
    if (!noise->has_e) {
        tern_random_fill(random, noise->e, sizeof noise->e);
        noise->has_e = crypto_scalarmult_base(noise->e_public, noise->e) == 0;
    }
    return noise->has_e ? noise->e_public : NULL;
}

const uint8_t *tern_noise_remote_ephemeral(const struct tern_noise *noise)
{
    return noise->has_re ? noise->re : NULL;
}

/* --- tokens -------------------------------------------------------------------------------------- */

/* libsodium refuses a result of zero, which only a low-order point gives; Noise §12.1 leaves the
 * choice, and refusing is ours for every token. */
static int mix_dh(struct tern_noise *noise, const uint8_t *secret, const uint8_t *public)
{
    uint8_t shared[TERN_KEY_SIZE];
    int rc = crypto_scalarmult(shared, secret, public) == 0 ? 0 : TERN_ERR_CRYPTO;
    if (rc == 0) {
        tern_symmetric_mix_key(&noise->symmetric, shared, sizeof shared);
    }
    sodium_memzero(shared, sizeof shared);
    return rc;
}

/* The tokens that put no bytes into the message are the same for writer and reader. */
static int mix_token(struct tern_noise *noise, uint8_t token)
{
    switch (token) {
    case EE:
        return mix_dh(noise, noise->e, noise->re);
    case ES: /* initiator's e, responder's s */
        return noise->is_initiator ? mix_dh(noise, noise->e, noise->rs)
                                   : mix_dh(noise, noise->s, noise->re);
    case SE: /* initiator's s, responder's e */
        return noise->is_initiator ? mix_dh(noise, noise->s, noise->re)
                                   : mix_dh(noise, noise->e, noise->rs);
    case SS:
        return mix_dh(noise, noise->s, noise->rs);
    case PSK:
        tern_assert(noise->psk < noise->psk_count);
        tern_symmetric_mix_key_and_hash(&noise->symmetric, noise->psks[noise->psk++],
                                        TERN_NOISE_SECRET_SIZE);
        return 0;
    default:
        tern_assert(false); /* the table holds nothing else */
        return TERN_ERR_INTERNAL;
    }
}

static void mix_ephemeral(struct tern_noise *noise, const uint8_t *public)
{
    tern_symmetric_mix_hash(&noise->symmetric, public, TERN_KEY_SIZE);
    if (noise->psk_count > 0) { /* Noise §9.2: psk handshakes randomise their keys with e */
        tern_symmetric_mix_key(&noise->symmetric, public, TERN_KEY_SIZE);
    }
}

/* --- writing ------------------------------------------------------------------------------------- */

static int write_ephemeral(struct tern_noise *noise, struct tern_random *random,
                           struct tern_writer *w)
{
    if (tern_noise_draw_ephemeral(noise, random) == NULL) {
        return TERN_ERR_CRYPTO;
    }
    tern_write_bytes(w, noise->e_public, sizeof noise->e_public);
    mix_ephemeral(noise, noise->e_public);
    return w->failed ? TERN_ERR_BUFFER : 0;
}

static int write_sealed(struct tern_noise *noise, struct tern_writer *w, const uint8_t *bytes,
                        size_t len)
{
    uint8_t *room = tern_write_room(w, len + tern_symmetric_overhead(&noise->symmetric));
    if (room == NULL) {
        return TERN_ERR_BUFFER;
    }
    return tern_symmetric_encrypt_and_hash(&noise->symmetric, bytes, len, room);
}

static int write_kem_key(struct tern_noise *noise, struct tern_random *random,
                         struct tern_writer *w)
{
    uint8_t public[TERN_KEM_PUBLIC_SIZE];
    tern_random_fill(random, noise->kem_room, TERN_KEM_SEED_SIZE);
    if (noise->kem->public_of(public, noise->kem_room) != 0) {
        return TERN_ERR_CRYPTO;
    }
    return write_sealed(noise, w, public, sizeof public);
}

static int write_enclosed(struct tern_noise *noise, struct tern_random *random,
                          struct tern_writer *w)
{
    uint8_t ciphertext[TERN_KEM_CIPHERTEXT_SIZE], shared[TERN_KEM_SHARED_SIZE];
    uint8_t seed[TERN_KEM_ENC_SEED_SIZE];
    if (noise->kem == NULL) {
        return TERN_ERR_UNSUPPORTED;
    }
    tern_random_fill(random, seed, sizeof seed);
    int rc =
        noise->kem->enclose(ciphertext, shared, noise->kem_room, seed) == 0 ? 0 : TERN_ERR_CRYPTO;
    if (rc == 0) {
        rc = write_sealed(noise, w, ciphertext, sizeof ciphertext);
        tern_symmetric_mix_key(&noise->symmetric, shared, sizeof shared);
    }
    sodium_memzero(seed, sizeof seed);
    sodium_memzero(shared, sizeof shared);
    return rc;
}

static int write_message(struct tern_noise *noise, struct tern_random *random,
                         struct tern_writer *w, const uint8_t *payload, size_t payload_len)
{
    int rc = 0;
    for (const uint8_t *token = noise->tokens[noise->message]; *token != END && rc == 0; token++) {
        switch (*token) {
        case E:
            rc = write_ephemeral(noise, random, w);
            break;
        case S:
            rc = write_sealed(noise, w, noise->s_public, sizeof noise->s_public);
            break;
        case E1:
            rc = write_kem_key(noise, random, w);
            break;
        case EKEM1:
            rc = write_enclosed(noise, random, w);
            break;
        default:
            rc = mix_token(noise, *token);
            break;
        }
    }
    return rc == 0 ? write_sealed(noise, w, payload, payload_len) : rc;
}

/* --- reading ------------------------------------------------------------------------------------- */

static int read_ephemeral(struct tern_noise *noise, struct tern_reader *r)
{
    const uint8_t *bytes = tern_read_bytes(r, TERN_KEY_SIZE);
    if (bytes == NULL || (noise->has_e && memcmp(bytes, noise->e_public, TERN_KEY_SIZE) == 0)) {
        return TERN_ERR_CRYPTO; /* too short, or our own message reflected */
    }
    memcpy(noise->re, bytes, sizeof noise->re);
    noise->has_re = true;
    mix_ephemeral(noise, noise->re);
    return 0;
}

static int read_static(struct tern_noise *noise, struct tern_reader *r)
{
    size_t len = TERN_KEY_SIZE + tern_symmetric_overhead(&noise->symmetric);
    const uint8_t *bytes = tern_read_bytes(r, len);
    if (bytes == NULL) {
        return TERN_ERR_CRYPTO;
    }
    noise->has_rs = true;
    return tern_symmetric_decrypt_and_hash(&noise->symmetric, bytes, len, noise->rs);
}

static int read_sealed(struct tern_noise *noise, struct tern_reader *r, uint8_t *out, size_t len)
{
    size_t sealed = len + tern_symmetric_overhead(&noise->symmetric);
    const uint8_t *bytes = tern_read_bytes(r, sealed);
    return bytes == NULL ? TERN_ERR_CRYPTO
                         : tern_symmetric_decrypt_and_hash(&noise->symmetric, bytes, sealed, out);
}

static int read_enclosed(struct tern_noise *noise, struct tern_reader *r)
{
    uint8_t ciphertext[TERN_KEM_CIPHERTEXT_SIZE], shared[TERN_KEM_SHARED_SIZE];
    int rc = read_sealed(noise, r, ciphertext, sizeof ciphertext);
    if (rc == 0 && noise->kem->disclose(shared, ciphertext, noise->kem_room) != 0) {
        rc = TERN_ERR_CRYPTO;
    }
    if (rc == 0) {
        tern_symmetric_mix_key(&noise->symmetric, shared, sizeof shared);
    }
    sodium_memzero(shared, sizeof shared);
    return rc;
}

static int read_payload(struct tern_noise *noise, struct tern_reader *r, uint8_t *out,
                        size_t capacity, size_t *out_len)
{
    size_t len = tern_reader_left(r), overhead = tern_symmetric_overhead(&noise->symmetric);
    if (len < overhead) {
        return TERN_ERR_CRYPTO;
    }
    if (len - overhead > capacity) {
        return TERN_ERR_BUFFER;
    }
    *out_len = len - overhead;
    return tern_symmetric_decrypt_and_hash(&noise->symmetric, r->at, len, out);
}

static int read_tokens(struct tern_noise *noise, struct tern_reader *r)
{
    int rc = 0;
    for (const uint8_t *token = noise->tokens[noise->message]; *token != END && rc == 0; token++) {
        switch (*token) {
        case E:
            rc = read_ephemeral(noise, r);
            break;
        case S:
            rc = read_static(noise, r);
            break;
        case E1:
            rc = read_sealed(noise, r, noise->kem_room, TERN_KEM_PUBLIC_SIZE);
            break;
        case EKEM1:
            rc = read_enclosed(noise, r);
            break;
        default:
            rc = mix_token(noise, *token);
            break;
        }
    }
    return rc;
}

/* --- the calls ----------------------------------------------------------------------------------- */

static bool is_turn(const struct tern_noise *noise, bool to_write)
{
    bool is_initiators = noise->message % 2 == 0;
    return !tern_noise_is_finished(noise) && (is_initiators == noise->is_initiator) == to_write;
}

/* A message is done. After the last one no secret but the chaining key is needed any more. */
static void commit(struct tern_noise *noise, const struct tern_noise *done)
{
    *noise = *done;
    noise->message++;
    if (tern_noise_is_finished(noise)) {
        sodium_memzero(noise->s, sizeof noise->s);
        sodium_memzero(noise->e, sizeof noise->e);
        sodium_memzero(noise->psks, sizeof noise->psks);
    }
}

int tern_noise_write(struct tern_noise *noise, struct tern_random *random, const uint8_t *payload,
                     size_t payload_len, uint8_t *out, size_t capacity, size_t *out_len)
{
    struct tern_noise copy;
    struct tern_writer w;
    if (!is_turn(noise, true)) {
        return TERN_ERR_STATE;
    }
    copy = *noise;
    tern_writer_init(&w, out, TERN_MIN(capacity, TERN_NOISE_MESSAGE_MAX));
    int rc = write_message(&copy, random, &w, payload, payload_len);
    if (rc == 0) {
        *out_len = tern_writer_used(&w);
        commit(noise, &copy);
    }
    sodium_memzero(&copy, sizeof copy);
    return rc;
}

int tern_noise_read(struct tern_noise *noise, const uint8_t *message, size_t len, uint8_t *out,
                    size_t capacity, size_t *out_len)
{
    struct tern_noise copy;
    struct tern_reader r;
    size_t payload_len = 0;
    if (!is_turn(noise, false)) {
        return TERN_ERR_STATE;
    }
    if (len > TERN_NOISE_MESSAGE_MAX) {
        return TERN_ERR_CRYPTO;
    }
    copy = *noise;
    tern_reader_init(&r, message, len);
    int rc = read_tokens(&copy, &r);
    if (rc == 0) {
        rc = read_payload(&copy, &r, out, capacity, &payload_len);
    }
    if (rc == 0) {
        *out_len = payload_len;
        commit(noise, &copy);
    }
    sodium_memzero(&copy, sizeof copy);
    return rc;
}

bool tern_noise_is_writer(const struct tern_noise *noise)
{
    return is_turn(noise, true);
}

bool tern_noise_has_written(const struct tern_noise *noise)
{
    return noise->message >= (noise->is_initiator ? 1 : 2);
}

bool tern_noise_is_finished(const struct tern_noise *noise)
{
    return noise->message >= noise->message_count;
}

const uint8_t *tern_noise_remote_static(const struct tern_noise *noise)
{
    return noise->has_rs ? noise->rs : NULL;
}

const uint8_t *tern_noise_hash(const struct tern_noise *noise, size_t *len)
{
    *len = noise->symmetric.hash_len;
    return noise->symmetric.h;
}

/* --- keys ---------------------------------------------------------------------------------------- */

/* Noise itself feeds its chaining key 0 or 32 bytes, an export always 48: the two never meet. */
#define EXPORT_INPUT_SIZE 48
static const char export_prefix[] = "tern export";

_Static_assert(sizeof export_prefix - 1 + TERN_NOISE_LABEL_MAX <= EXPORT_INPUT_SIZE, "label fits");

int tern_noise_export(const struct tern_noise *noise, const char *label,
                      uint8_t out[TERN_NOISE_SECRET_SIZE])
{
    return tern_noise_export_with(noise, label, NULL, 0, out);
}

int tern_noise_export_with(const struct tern_noise *noise, const char *label,
                           const uint8_t *context, size_t context_len,
                           uint8_t out[TERN_NOISE_SECRET_SIZE])
{
    const struct tern_symmetric *symmetric = &noise->symmetric;
    uint8_t input[EXPORT_INPUT_SIZE] = {0}, secret[TERN_NOISE_HASH_MAX];
    uint8_t whole[TERN_NOISE_HASH_MAX + TERN_NOISE_CONTEXT_MAX];
    size_t len = strlen(label);
    if (len == 0 || len > TERN_NOISE_LABEL_MAX || context_len > TERN_NOISE_CONTEXT_MAX) {
        return TERN_ERR_INVALID;
    }
    if (!symmetric->has_key) {
        return TERN_ERR_STATE;
    }
    if (symmetric->hash != TERN_NOISE_SHA256) {
        return TERN_ERR_UNSUPPORTED;
    }
    memcpy(input, export_prefix, sizeof export_prefix - 1);
    memcpy(input + sizeof export_prefix - 1, label, len);
    tern_noise_hmac(symmetric->hash, symmetric->ck, symmetric->hash_len, input, sizeof input,
                    secret);
    memcpy(whole, symmetric->h, symmetric->hash_len);
    if (context_len > 0) {
        memcpy(whole + symmetric->hash_len, context, context_len);
    }
    tern_hkdf_expand_label(secret, TERN_LABEL_PREFIX, label, whole,
                           symmetric->hash_len + context_len, out, TERN_NOISE_SECRET_SIZE);
    sodium_memzero(secret, sizeof secret);
    sodium_memzero(whole, sizeof whole);
    return 0;
}

int tern_noise_split(const struct tern_noise *noise, uint8_t initiator[TERN_NOISE_KEY_SIZE],
                     uint8_t responder[TERN_NOISE_KEY_SIZE])
{
    if (!tern_noise_is_finished(noise) || noise->message_count == 0) {
        return TERN_ERR_STATE;
    }
    tern_symmetric_split(&noise->symmetric, initiator, responder);
    return 0;
}
