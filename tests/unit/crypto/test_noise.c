/* Tests of crypto/noise: whole handshakes, forged and reflected messages, exports, wrong use.
 * The published vectors run in tests/vectors.
 * SPDX-License-Identifier: MIT */
#include "crypto/noise.h"

#include <stdio.h>

#include "hex.h"
#include "unit/mock_kem.h"

#define XK     "Noise_XK_25519_ChaChaPoly_SHA256"
#define XX     "Noise_XX_25519_ChaChaPoly_SHA256"
#define XKPSK3 "Noise_XKpsk3_25519_ChaChaPoly_SHA256"
#define XXPSK3 "Noise_XXpsk3_25519_ChaChaPoly_SHA256"

#define MESSAGE_SIZE 2000

static const char *const ours[] = {XK, XX, XKPSK3, XXPSK3};

struct pair {
    struct tern_noise init, resp;
    struct tern_random random;
    uint8_t init_public[TERN_KEY_SIZE], resp_public[TERN_KEY_SIZE];
};

struct message {
    uint8_t bytes[MESSAGE_SIZE];
    size_t len;
};

static void init_pair(struct pair *p, const char *name, const char *init_prologue,
                      const char *resp_prologue)
{
    static const uint8_t psk[1][TERN_NOISE_SECRET_SIZE] = {"a pre-shared key of 32 bytes...."};
    uint8_t secrets[2][TERN_KEY_SIZE];
    bool has_psk = strstr(name, "psk") != NULL;
    tern_key_generate(secrets[0], p->init_public);
    tern_key_generate(secrets[1], p->resp_public);
    tern_random_init(&p->random, NULL);
    struct tern_noise_setup setup = {
        .protocol_name = name,
        .is_initiator = true,
        .prologue = (const uint8_t *)init_prologue,
        .prologue_len = strlen(init_prologue),
        .static_secret = secrets[0],
        .remote_static = strncmp(name, "Noise_XK", 8) == 0 ? p->resp_public : NULL,
        .psks = has_psk ? psk : NULL,
        .psk_count = has_psk ? 1 : 0,
    };
    assert_int_equal(tern_noise_init(&p->init, &setup), 0);
    setup.is_initiator = false;
    setup.prologue = (const uint8_t *)resp_prologue;
    setup.prologue_len = strlen(resp_prologue);
    setup.static_secret = secrets[1];
    setup.static_public = p->resp_public;
    setup.remote_static = NULL;
    assert_int_equal(tern_noise_init(&p->resp, &setup), 0);
}

static struct tern_noise *writer_of(struct pair *p)
{
    return tern_noise_is_writer(&p->init) ? &p->init : &p->resp;
}

static struct tern_noise *reader_of(struct pair *p)
{
    return tern_noise_is_writer(&p->init) ? &p->resp : &p->init;
}

static void write_one(struct pair *p, struct message *m)
{
    assert_int_equal(tern_noise_write(writer_of(p), &p->random, (const uint8_t *)"payload", 7,
                                      m->bytes, sizeof m->bytes, &m->len),
                     0);
}

static int read_bytes(struct tern_noise *noise, const uint8_t *bytes, size_t len)
{
    uint8_t out[MESSAGE_SIZE];
    size_t out_len = 0;
    int rc = tern_noise_read(noise, bytes, len, out, sizeof out, &out_len);
    if (rc == 0) {
        assert_int_equal(out_len, 7);
        assert_memory_equal(out, "payload", 7);
    }
    return rc;
}

/* Writes and reads messages until `count` are done. */
static void exchange(struct pair *p, size_t count)
{
    while (p->init.message < count) {
        struct message m;
        struct tern_noise *reader = reader_of(p);
        write_one(p, &m);
        assert_int_equal(read_bytes(reader, m.bytes, m.len), 0);
    }
}

static void both_ends_agree(void **state)
{
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(ours); i++) {
        struct pair p;
        uint8_t a[2][TERN_NOISE_KEY_SIZE], b[2][TERN_NOISE_KEY_SIZE];
        size_t len = 0;
        init_pair(&p, ours[i], "same", "same");
        assert_false(tern_noise_is_finished(&p.init));
        assert_int_equal(tern_noise_split(&p.init, a[0], a[1]), TERN_ERR_STATE);
        exchange(&p, 3);
        assert_true(tern_noise_is_finished(&p.init) && tern_noise_is_finished(&p.resp));
        assert_int_equal(tern_noise_split(&p.init, a[0], a[1]), 0);
        assert_int_equal(tern_noise_split(&p.resp, b[0], b[1]), 0);
        assert_memory_equal(a, b, sizeof a);
        assert_memory_not_equal(a[0], a[1], sizeof a[0]);
        assert_memory_equal(tern_noise_remote_static(&p.init), p.resp_public, TERN_KEY_SIZE);
        assert_memory_equal(tern_noise_remote_static(&p.resp), p.init_public, TERN_KEY_SIZE);
        const uint8_t *h = tern_noise_hash(&p.init, &len);
        assert_int_equal(len, 32);
        assert_memory_equal(h, tern_noise_hash(&p.resp, &len), 32);
    }
}

/* A message and a payload that fit exactly are taken; one byte less is refused and harms nothing. */
static void buffers_are_kept_exactly(void **state)
{
    struct pair p;
    (void)state;
    init_pair(&p, XX, "same", "same");
    while (!tern_noise_is_finished(&p.init)) {
        struct tern_noise *writer = writer_of(&p), *reader = reader_of(&p);
        struct tern_noise trial = *writer;
        struct message m;
        uint8_t out[7];
        size_t len = 0;
        assert_int_equal(tern_noise_write(&trial, &p.random, (const uint8_t *)"payload", 7, m.bytes,
                                          sizeof m.bytes, &m.len),
                         0);
        assert_int_equal(tern_noise_write(writer, &p.random, (const uint8_t *)"payload", 7, m.bytes,
                                          m.len - 1, &len),
                         TERN_ERR_BUFFER);
        assert_int_equal(tern_noise_write(writer, &p.random, (const uint8_t *)"payload", 7, m.bytes,
                                          m.len, &len),
                         0);
        assert_int_equal(len, m.len);
        assert_int_equal(tern_noise_read(reader, m.bytes, len, out, 6, &len), TERN_ERR_BUFFER);
        assert_int_equal(tern_noise_read(reader, m.bytes, m.len, out, 7, &len), 0);
        assert_memory_equal(out, "payload", 7);
    }
}

/* Truncations, flipped bits and noise in place of the true message, each refused. Without a
 * tag a changed message is merely another message, so there only truncation can show. */
static void inject(struct tern_noise *reader, const struct message *m, bool has_tag)
{
    struct tern_noise before = *reader;
    uint8_t junk[MESSAGE_SIZE];
    for (size_t len = 0; len < (has_tag ? m->len : TERN_KEY_SIZE); len++) {
        assert_int_equal(read_bytes(reader, m->bytes, len), TERN_ERR_CRYPTO);
    }
    for (size_t bit = 0; has_tag && bit < 8 * m->len; bit++) {
        memcpy(junk, m->bytes, m->len);
        junk[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_int_equal(read_bytes(reader, junk, m->len), TERN_ERR_CRYPTO);
    }
    for (size_t len = 0; has_tag && len < sizeof junk; len += 37) {
        randombytes_buf(junk, sizeof junk);
        assert_int_equal(read_bytes(reader, junk, len), TERN_ERR_CRYPTO);
    }
    assert_memory_equal(&before, reader, sizeof before);
}

static void junk_at_each_step_changes_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(ours); i++) {
        struct pair p;
        init_pair(&p, ours[i], "same", "same");
        while (!tern_noise_is_finished(&p.resp)) {
            struct message m;
            struct tern_noise *reader = reader_of(&p);
            bool has_tag = strcmp(ours[i], XX) != 0 || reader->message > 0;
            write_one(&p, &m);
            inject(reader, &m, has_tag);
            assert_int_equal(read_bytes(reader, m.bytes, m.len), 0);
        }
        assert_true(tern_noise_is_finished(&p.init));
    }
}

static void other_prologue_or_psk_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(ours); i++) {
        struct pair p;
        struct message m;
        bool is_unsealed_xx = strcmp(ours[i], XX) == 0;
        init_pair(&p, ours[i], "one", "other");
        if (is_unsealed_xx) {
            exchange(&p, 1); /* nothing to check yet */
        }
        struct tern_noise *reader = reader_of(&p);
        write_one(&p, &m);
        assert_int_equal(read_bytes(reader, m.bytes, m.len), TERN_ERR_CRYPTO);
    }
    struct pair p;
    struct message m;
    init_pair(&p, XXPSK3, "same", "same");
    p.resp.psks[0][31] ^= 1;
    exchange(&p, 2);
    struct tern_noise *reader = reader_of(&p);
    write_one(&p, &m);
    assert_int_equal(read_bytes(reader, m.bytes, m.len), TERN_ERR_CRYPTO);
}

/* Our own message sent back to us is no answer, in any pattern. */
static void reflected_message_is_refused(void **state)
{
    static const char *const names[] = {XK, XX, XXPSK3, "Noise_NN_25519_ChaChaPoly_SHA256"};
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(names); i++) {
        struct pair p;
        struct message m, answer;
        init_pair(&p, names[i], "same", "same");
        write_one(&p, &m);
        struct tern_noise before = p.init;
        assert_int_equal(read_bytes(&p.init, m.bytes, m.len), TERN_ERR_CRYPTO);
        assert_memory_equal(&before, &p.init, sizeof before);
        /* an answer that bears our e in place of its own is refused for that alone */
        assert_int_equal(read_bytes(&p.resp, m.bytes, m.len), 0);
        write_one(&p, &answer);
        memcpy(answer.bytes, p.init.e_public, TERN_KEY_SIZE);
        assert_int_equal(read_bytes(&p.init, answer.bytes, answer.len), TERN_ERR_CRYPTO);
        assert_memory_equal(&before, &p.init, sizeof before);
    }
}

/* The points of small order on Curve25519 and its twist, in every encoding. */
static const char *const low_order[] = {
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
};

static void low_order_points_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * TERN_COUNT_OF(low_order); i++) {
        struct pair p;
        struct message m;
        uint8_t point[TERN_KEY_SIZE];
        hex_read(point, sizeof point, low_order[i / 2]);
        point[31] |= (uint8_t)(i % 2 << 7); /* X25519 ignores the top bit */
        init_pair(&p, XK, "same", "same");
        write_one(&p, &m); /* as the responder's view of e, then as the initiator's */
        struct message bad = m;
        memcpy(bad.bytes, point, sizeof point);
        struct tern_noise before = p.resp;
        assert_int_equal(read_bytes(&p.resp, bad.bytes, bad.len), TERN_ERR_CRYPTO);
        assert_memory_equal(&before, &p.resp, sizeof before);
        assert_int_equal(read_bytes(&p.resp, m.bytes, m.len), 0);
        write_one(&p, &m);
        bad = m;
        memcpy(bad.bytes, point, sizeof point);
        assert_int_equal(read_bytes(&p.init, bad.bytes, bad.len), TERN_ERR_CRYPTO);
        assert_int_equal(read_bytes(&p.init, m.bytes, m.len), 0);
    }
}

/* In XX message 1 carries e alone: the bad point shows when the responder wants to answer. */
static void low_order_point_without_tag_is_refused_by_the_answer(void **state)
{
    struct pair p;
    uint8_t point[TERN_KEY_SIZE + 7], out[MESSAGE_SIZE];
    size_t len = 0;
    (void)state;
    init_pair(&p, XX, "same", "same");
    hex_read(point, sizeof point, low_order[2]);
    memcpy(point + TERN_KEY_SIZE, "payload", 7);
    assert_int_equal(read_bytes(&p.resp, point, sizeof point), 0);
    struct tern_noise before = p.resp;
    assert_int_equal(tern_noise_write(&p.resp, &p.random, NULL, 0, out, sizeof out, &len),
                     TERN_ERR_CRYPTO);
    assert_memory_equal(&before, &p.resp, sizeof before);
}

static void exports_agree_and_differ_by_label_and_step(void **state)
{
    uint8_t a[32], b[32], other[32];
    struct pair p;
    (void)state;
    init_pair(&p, XK, "same", "same");
    assert_int_equal(tern_noise_export(&p.init, "client hs", a), TERN_ERR_STATE);
    for (size_t step = 1; step <= 3; step++) {
        exchange(&p, step);
        memcpy(other, a, sizeof other);
        assert_int_equal(tern_noise_export(&p.init, "client hs", a), 0);
        assert_int_equal(tern_noise_export(&p.resp, "client hs", b), 0);
        assert_memory_equal(a, b, sizeof a);
        assert_memory_not_equal(a, other, sizeof a);
        assert_int_equal(tern_noise_export(&p.resp, "server hs", b), 0);
        assert_memory_not_equal(a, b, sizeof a);
    }
    assert_int_equal(tern_noise_export(&p.init, "", a), TERN_ERR_INVALID);
    assert_int_equal(tern_noise_export(&p.init, "a label of thirty-two characters", a), 0);
    assert_int_equal(tern_noise_export(&p.init, "a label of thirty-three character", a),
                     TERN_ERR_INVALID);
    init_pair(&p, "Noise_XX_25519_ChaChaPoly_BLAKE2b", "same", "same");
    exchange(&p, 3);
    assert_int_equal(tern_noise_export(&p.init, "exporter", a), TERN_ERR_UNSUPPORTED);
}

/* The state is that of the first record of tests/vectors/self.json after message 3; the export was
 * computed by the same independent implementation. */
static void export_matches_an_independent_one(void **state)
{
    uint8_t secrets[4][TERN_KEY_SIZE], pub[TERN_KEY_SIZE], secret[32];
    static const char *const names[] = {"is", "rs", "ie", "re"};
    struct pair p;
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        char text[64];
        int len = snprintf(text, sizeof text, "tern self vector XK%s", names[i]);
        (void)crypto_hash_sha256(secrets[i], (const uint8_t *)text, (unsigned long long)len);
    }
    tern_key_public(pub, secrets[1]);
    struct tern_noise_setup setup = {.protocol_name = XK,
                                     .is_initiator = true,
                                     .prologue = (const uint8_t *)"tern hs 1",
                                     .prologue_len = 9,
                                     .static_secret = secrets[0],
                                     .remote_static = pub};
    assert_int_equal(tern_noise_init(&p.init, &setup), 0);
    setup.is_initiator = false;
    setup.static_secret = secrets[1];
    setup.remote_static = NULL;
    assert_int_equal(tern_noise_init(&p.resp, &setup), 0);
    tern_noise_set_ephemeral(&p.init, secrets[2]);
    tern_noise_set_ephemeral(&p.resp, secrets[3]);
    static const uint8_t sizes[] = {0, 5, 10};
    for (size_t i = 0; i < 3; i++) {
        uint8_t payload[32], out[MESSAGE_SIZE], got[32];
        char text[32];
        size_t len = 0, got_len = 0;
        int text_len = snprintf(text, sizeof text, "tern self vector p%zu", i);
        struct tern_noise *writer = i % 2 == 0 ? &p.init : &p.resp;
        struct tern_noise *reader = i % 2 == 0 ? &p.resp : &p.init;
        (void)crypto_hash_sha256(payload, (const uint8_t *)text, (unsigned long long)text_len);
        assert_int_equal(tern_noise_write(writer, NULL, payload, sizes[i], out, sizeof out, &len),
                         0);
        assert_int_equal(tern_noise_read(reader, out, len, got, sizeof got, &got_len), 0);
    }
    assert_int_equal(tern_noise_export(&p.resp, "client hs", secret), 0);
    assert_hex_equal(secret, sizeof secret,
                     "6833c7d03f226e0a3fc43e2d8f0981ad8ae48ca7c0001bd1062cc897f792ddc9");
}

static void names_that_we_lack_are_unsupported(void **state)
{
    static const char *const names[] = {
        "",
        "Noise",
        "Noise_",
        "Noise_XX",
        "Noise_XX_25519",
        "Noise_XX_25519_ChaChaPoly",
        "Noise_XX_25519_ChaChaPoly_",
        "Noise_XX_25519_ChaChaPoly_SHA256_",
        "Noise_XX_25519_ChaChaPoly_SHA256_more",
        "noise_XX_25519_ChaChaPoly_SHA256",
        "NoisePSK_XX_25519_ChaChaPoly_SHA256",
        "Noise_XX_448_ChaChaPoly_SHA256",
        "Noise_XX_25519_ChaChaPoly_SHA512",
        "Noise_XX_25519_ChaChaPoly_BLAKE2s",
        "Noise_XX_25519_Salsa_SHA256",
        "Noise_YY_25519_ChaChaPoly_SHA256",
        "Noise_XXfallback_25519_ChaChaPoly_SHA256",
        "Noise_XXhfs_25519_ChaChaPoly_SHA256",
        "Noise_XX_25519+MLKEM768_ChaChaPoly_SHA256",
        "Noise_XXhfs_25519+MLKEM768_ChaChaPoly_SHA256", /* without a KEM */
        "Noise_XXhfs+_25519+MLKEM768_ChaChaPoly_SHA256",
        "Noise_XXpsk3+hfs_25519+MLKEM768_ChaChaPoly_SHA256",
        "Noise_IKhfs_25519+MLKEM768_ChaChaPoly_SHA256",
        "Noise_XXpsk_25519_ChaChaPoly_SHA256",
        "Noise_XXpsk4_25519_ChaChaPoly_SHA256",
        "Noise_XXpsk9_25519_ChaChaPoly_SHA256",
        "Noise_XXpsk3+_25519_ChaChaPoly_SHA256",
        "Noise_XXpsk3+psk3_25519_ChaChaPoly_SHA256",
        "Noise_XXpsk33_25519_ChaChaPoly_SHA256",
        "Noise__25519_ChaChaPoly_SHA256",
        "Noise_XXpsk3psk0_25519_ChaChaPoly_SHA256",
    };
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(names); i++) {
        struct tern_noise noise;
        struct tern_noise_setup setup = {.protocol_name = names[i]};
        assert_int_equal(tern_noise_init(&noise, &setup), TERN_ERR_UNSUPPORTED);
        assert_true(sodium_is_zero((const uint8_t *)&noise, sizeof noise) == 1);
    }
}

static void missing_or_useless_keys_are_invalid(void **state)
{
    static const uint8_t key[TERN_KEY_SIZE] = {9}, psks[2][TERN_NOISE_SECRET_SIZE];
    const struct tern_noise_setup setups[] = {
        {.protocol_name = XK, .is_initiator = true, .static_secret = key},
        {.protocol_name = XK, .is_initiator = true, .remote_static = key},
        {.protocol_name = XK, .is_initiator = false},
        {.protocol_name = XX, .is_initiator = true},
        {.protocol_name = XX, .is_initiator = true, .static_secret = key, .remote_static = key},
        {.protocol_name = XXPSK3, .is_initiator = true, .static_secret = key},
        {.protocol_name = XXPSK3, .static_secret = key, .psks = psks, .psk_count = 2},
        {.protocol_name = XX, .static_secret = key, .psks = psks, .psk_count = 1},
    };
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(setups); i++) {
        struct tern_noise noise;
        assert_int_equal(tern_noise_init(&noise, &setups[i]), TERN_ERR_INVALID);
        assert_true(sodium_is_zero((const uint8_t *)&noise, sizeof noise) == 1);
    }
}

static void messages_out_of_turn_are_refused(void **state)
{
    struct pair p;
    struct message m;
    size_t len = 0;
    (void)state;
    init_pair(&p, XX, "same", "same");
    assert_int_equal(tern_noise_write(&p.resp, &p.random, NULL, 0, m.bytes, 100, &len),
                     TERN_ERR_STATE);
    assert_int_equal(read_bytes(&p.init, m.bytes, 0), TERN_ERR_STATE);
    write_one(&p, &m);
    assert_int_equal(tern_noise_write(&p.init, &p.random, NULL, 0, m.bytes, 100, &len),
                     TERN_ERR_STATE);
    assert_int_equal(read_bytes(&p.resp, m.bytes, m.len), 0);
    exchange(&p, 3);
    assert_int_equal(tern_noise_write(&p.init, &p.random, NULL, 0, m.bytes, 100, &len),
                     TERN_ERR_STATE);
    assert_int_equal(read_bytes(&p.resp, m.bytes, m.len), TERN_ERR_STATE);
}

/* Noise §3: nothing is written past 65535 bytes, however large the buffer is. */
static void messages_end_at_65535_bytes(void **state)
{
    static uint8_t payload[70000], out[70000], got[70000];
    size_t len = 0, got_len = 0;
    struct pair p;
    (void)state;
    init_pair(&p, XK, "same", "same");
    assert_int_equal(
        tern_noise_write(&p.init, &p.random, payload, 65535 - 47, out, sizeof out, &len),
        TERN_ERR_BUFFER);
    assert_int_equal(
        tern_noise_write(&p.init, &p.random, payload, 65535 - 48, out, sizeof out, &len), 0);
    assert_int_equal(len, 65535);
    assert_int_equal(tern_noise_read(&p.resp, out, 65536, got, sizeof got, &got_len),
                     TERN_ERR_CRYPTO);
    assert_int_equal(tern_noise_read(&p.resp, out, len, got, sizeof got, &got_len), 0);
    assert_int_equal(got_len, 65535 - 48);
}

/* A psk that a PAKE inside the handshake gives comes after the handshake has begun. */
static void a_psk_may_come_late(void **state)
{
    static const uint8_t late[TERN_NOISE_SECRET_SIZE] = "known only after message two....";
    (void)state;
    for (int one_only = 0; one_only < 2; one_only++) {
        struct pair p;
        struct message m;
        init_pair(&p, XXPSK3, "same", "same");
        exchange(&p, 2);
        tern_noise_set_psk(&p.init, 0, late);
        if (!one_only) {
            tern_noise_set_psk(&p.resp, 0, late);
        }
        struct tern_noise *reader = reader_of(&p);
        write_one(&p, &m);
        assert_int_equal(read_bytes(reader, m.bytes, m.len), one_only ? TERN_ERR_CRYPTO : 0);
    }
}

static void ephemerals_can_be_known_ahead(void **state)
{
    struct pair p;
    struct message m;
    (void)state;
    init_pair(&p, XK, "same", "same");
    assert_null(tern_noise_remote_ephemeral(&p.resp));
    const uint8_t *drawn = tern_noise_draw_ephemeral(&p.init, &p.random);
    uint8_t kept[TERN_KEY_SIZE];
    memcpy(kept, drawn, sizeof kept);
    assert_memory_equal(tern_noise_draw_ephemeral(&p.init, &p.random), kept, sizeof kept);
    write_one(&p, &m);
    assert_memory_equal(m.bytes, kept, sizeof kept);
    assert_int_equal(read_bytes(&p.resp, m.bytes, m.len), 0);
    assert_memory_equal(tern_noise_remote_ephemeral(&p.resp), kept, sizeof kept);
}

static void exports_depend_on_their_context(void **state)
{
    uint8_t context[TERN_NOISE_CONTEXT_MAX + 1] = {1}, a[32], b[32], plain[32], none[32];
    struct pair p;
    (void)state;
    init_pair(&p, XK, "same", "same");
    exchange(&p, 1); /* there is a key already */
    assert_int_equal(tern_noise_export_with(&p.init, "early", context, 32, a), 0);
    assert_int_equal(tern_noise_export_with(&p.resp, "early", context, 32, b), 0);
    assert_memory_equal(a, b, sizeof a);
    context[31] ^= 1;
    assert_int_equal(tern_noise_export_with(&p.init, "early", context, 32, b), 0);
    assert_memory_not_equal(a, b, sizeof a);
    assert_int_equal(tern_noise_export(&p.init, "early", plain), 0);
    assert_int_equal(tern_noise_export_with(&p.init, "early", NULL, 0, none), 0);
    assert_memory_equal(plain, none, sizeof plain);
    assert_memory_not_equal(plain, a, sizeof plain);
    assert_int_equal(tern_noise_export_with(&p.init, "early", context, sizeof context, a),
                     TERN_ERR_INVALID);
}

/* After message 2 both ends have one secret that neither message 1 nor 3 gives: [P §4.10]. */
static void an_export_belongs_to_its_moment(void **state)
{
    struct pair p;
    uint8_t context[32] = {9}, secrets[3][TERN_NOISE_SECRET_SIZE], theirs[TERN_NOISE_SECRET_SIZE];
    (void)state;
    init_pair(&p, XK, "same", "same");
    for (size_t i = 0; i < 3; i++) {
        exchange(&p, i + 1);
        assert_int_equal(tern_noise_export_with(&p.init, "half", context, 32, secrets[i]), 0);
        assert_int_equal(tern_noise_export_with(&p.resp, "half", context, 32, theirs), 0);
        assert_memory_equal(secrets[i], theirs, sizeof theirs);
        assert_int_equal(tern_noise_export_with(&p.init, "half resumption", context, 32, theirs),
                         0);
        assert_memory_not_equal(secrets[i], theirs, sizeof theirs);
    }
    assert_memory_not_equal(secrets[0], secrets[1], sizeof secrets[0]);
    assert_memory_not_equal(secrets[1], secrets[2], sizeof secrets[0]);
}

/* The hybrid, with a KEM that any machine has: both ends agree, and each part of it counts. */
static void init_hybrids(struct pair *p, const char *name, uint8_t room[TERN_KEM_PUBLIC_SIZE])
{
    static const uint8_t psk[1][TERN_NOISE_SECRET_SIZE] = {"a pre-shared key of 32 bytes...."};
    static uint8_t seed[TERN_KEM_SEED_SIZE];
    uint8_t secrets[2][TERN_KEY_SIZE];
    bool has_psk = strstr(name, "psk") != NULL;
    tern_key_generate(secrets[0], p->init_public);
    tern_key_generate(secrets[1], p->resp_public);
    tern_random_init(&p->random, NULL);
    struct tern_noise_setup setup = {
        .protocol_name = name,
        .is_initiator = true,
        .static_secret = secrets[0],
        .remote_static = strncmp(name, "Noise_XK", 8) == 0 ? p->resp_public : NULL,
        .psks = has_psk ? psk : NULL,
        .psk_count = has_psk ? 1 : 0,
        .kem = mock_kem_or_builtin(),
        .kem_room = seed,
    };
    assert_int_equal(tern_noise_init(&p->init, &setup), 0);
    setup.is_initiator = false;
    setup.static_secret = secrets[1];
    setup.remote_static = NULL;
    setup.kem_room = room;
    assert_int_equal(tern_noise_init(&p->resp, &setup), 0);
}

static const char *const hybrids[] = {
    "Noise_XKhfs_25519+MLKEM768_ChaChaPoly_SHA256",
    "Noise_XXhfs_25519+MLKEM768_ChaChaPoly_SHA256",
    "Noise_XKhfs+psk3_25519+MLKEM768_ChaChaPoly_SHA256",
    "Noise_XXhfs+psk3_25519+MLKEM768_ChaChaPoly_SHA256",
};

static void hybrids_agree(void **state)
{
    static const size_t sizes[][2] = {{32 + 1200 + 7 + 16, 32 + 1104 + 7 + 16},
                                      {32 + 1184 + 7, 32 + 1104 + 48 + 7 + 16},
                                      {32 + 1200 + 7 + 16, 32 + 1104 + 7 + 16},
                                      {32 + 1200 + 7 + 16, 32 + 1104 + 48 + 7 + 16}};
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(hybrids); i++) {
        struct pair p;
        uint8_t room[TERN_KEM_PUBLIC_SIZE], a[2][32], b[2][32];
        init_hybrids(&p, hybrids[i], room);
        for (size_t k = 0; k < 2; k++) {
            struct message m;
            struct tern_noise *reader = reader_of(&p);
            write_one(&p, &m);
            assert_int_equal(m.len, sizes[i][k]);
            assert_int_equal(read_bytes(reader, m.bytes, m.len), 0);
        }
        exchange(&p, 3);
        assert_int_equal(tern_noise_split(&p.init, a[0], a[1]), 0);
        assert_int_equal(tern_noise_split(&p.resp, b[0], b[1]), 0);
        assert_memory_equal(a, b, sizeof a);
    }
}

static void a_hybrid_needs_the_kem_at_both_ends(void **state)
{
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(hybrids); i++) {
        struct pair p;
        struct message m;
        uint8_t room[TERN_KEM_PUBLIC_SIZE];
        init_hybrids(&p, hybrids[i], room);
        p.resp.kem = NULL; /* it can read, to refuse with reason, and not answer */
        write_one(&p, &m);
        assert_int_equal(read_bytes(&p.resp, m.bytes, m.len), 0);
        assert_int_equal(
            tern_noise_write(&p.resp, &p.random, NULL, 0, m.bytes, sizeof m.bytes, &m.len),
            TERN_ERR_UNSUPPORTED);
        struct tern_noise_setup setup = {.protocol_name = hybrids[i], .is_initiator = true};
        assert_int_equal(tern_noise_init(&p.init, &setup), TERN_ERR_UNSUPPORTED);
    }
}

/* A wrong encapsulation, even one that decodes, ends in another key. */
static void the_encapsulation_counts(void **state)
{
    struct pair p;
    struct message m;
    uint8_t room[TERN_KEM_PUBLIC_SIZE];
    (void)state;
    init_hybrids(&p, hybrids[0], room);
    exchange(&p, 1);
    room[0] ^= 1; /* the responder encloses for another key */
    write_one(&p, &m);
    assert_int_equal(read_bytes(&p.init, m.bytes, m.len), TERN_ERR_CRYPTO);
    room[0] ^= 1;
}

/* Rule 1 of the design: each handshake draws an ephemeral of its own. */
static void ephemerals_are_fresh(void **state)
{
    struct pair p, q;
    struct message m, n;
    (void)state;
    init_pair(&p, XK, "same", "same");
    q = p;
    write_one(&p, &m);
    write_one(&q, &n);
    assert_memory_not_equal(m.bytes, n.bytes, TERN_KEY_SIZE);
}

static void secrets_are_wiped_when_done(void **state)
{
    struct pair p;
    (void)state;
    init_pair(&p, XXPSK3, "same", "same");
    exchange(&p, 3);
    struct tern_noise *ends[] = {&p.init, &p.resp};
    for (size_t i = 0; i < 2; i++) {
        assert_true(sodium_is_zero(ends[i]->s, sizeof ends[i]->s) == 1);
        assert_true(sodium_is_zero(ends[i]->e, sizeof ends[i]->e) == 1);
        assert_true(sodium_is_zero(ends[i]->psks[0], sizeof ends[i]->psks) == 1);
        tern_noise_clear(ends[i]);
        assert_true(sodium_is_zero((const uint8_t *)ends[i], sizeof *ends[i]) == 1);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(both_ends_agree),
    cmocka_unit_test(buffers_are_kept_exactly),
    cmocka_unit_test(junk_at_each_step_changes_nothing),
    cmocka_unit_test(other_prologue_or_psk_is_refused),
    cmocka_unit_test(reflected_message_is_refused),
    cmocka_unit_test(low_order_points_are_refused),
    cmocka_unit_test(low_order_point_without_tag_is_refused_by_the_answer),
    cmocka_unit_test(exports_agree_and_differ_by_label_and_step),
    cmocka_unit_test(export_matches_an_independent_one),
    cmocka_unit_test(names_that_we_lack_are_unsupported),
    cmocka_unit_test(missing_or_useless_keys_are_invalid),
    cmocka_unit_test(messages_out_of_turn_are_refused),
    cmocka_unit_test(messages_end_at_65535_bytes),
    cmocka_unit_test(a_psk_may_come_late),
    cmocka_unit_test(ephemerals_can_be_known_ahead),
    cmocka_unit_test(exports_depend_on_their_context),
    cmocka_unit_test(an_export_belongs_to_its_moment),
    cmocka_unit_test(hybrids_agree),
    cmocka_unit_test(a_hybrid_needs_the_kem_at_both_ends),
    cmocka_unit_test(the_encapsulation_counts),
    cmocka_unit_test(ephemerals_are_fresh),
    cmocka_unit_test(secrets_are_wiped_when_done),
};

TERN_TEST_MAIN(tests)
