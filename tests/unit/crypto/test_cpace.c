/* CPace against the published numbers of draft-irtf-cfrg-cpace-21, appendix B.3, and between two ends.
 * SPDX-License-Identifier: MIT */
#include "crypto/cpace.h"

#include <stdio.h>
#include <stdlib.h>

#include "hex.h"

static const char pub_code[] = "50617373776F7264";
static const char pub_channel[] = "0B415F696E69746961746F720B425F726573706F6E646572";
static const char pub_session[] = "7E4B4791D6A8EF019B936C79FB7F2C57";

struct published {
    const char *code, *channel, *session, *generator;
    const char *ya, *ada, *a_share, *yb, *adb, *b_share, *isk;
};

static const struct published embedded = {
    .code = pub_code,
    .channel = pub_channel,
    .session = pub_session,
    .generator = "222B6B195FE84B1652BADB6F6A3AE3D24341E7306967F0B8115B40D5698C7E56",
    .ya = "DA3D23700A9E5699258AEF94DC060DFDA5EBB61F02A5EA77FAD53F4FF0976D08",
    .ada = "414461",
    .a_share = "D6BAC480F2C386C394EFC7C47ADB9925DCD2630B64F240C50F8D0EEC482B9157",
    .yb = "D2316B454718C35362D83D69DF6320F38578ED5984651435E2949762D900B80D",
    .adb = "414462",
    .b_share = "3EA7E0B19560D7C0B0F5734F63B955286DFA8232B5EBE63324E2D9E7433F7258",
    .isk =
        "B69EFFBF61B51D56401C0F65601ABE428DE8206FEAAF0E32198896DCAE7B35CD2B38950A39DFD5D4A79164614C"
        "2984F7DAA460B588C1E80C3FA2068AF7900447",
};

static void check_published(const struct published *p)
{
    uint8_t code[64], channel[64], session[64], scalar[32], generator[32], ada[8], adb[8];
    uint8_t a_isk[TERN_CPACE_ISK_SIZE], b_isk[TERN_CPACE_ISK_SIZE];
    struct tern_cpace a, b;
    struct tern_cpace_setup setup = {
        .code = {code, hex_read(code, sizeof code, p->code)},
        .channel = {channel, hex_read(channel, sizeof channel, p->channel)},
        .session = {session, hex_read(session, sizeof session, p->session)}};
    tern_cpace_generator(generator, &setup);
    assert_hex_equal(generator, sizeof generator, p->generator);
    (void)hex_read(scalar, sizeof scalar, p->ya);
    assert_int_equal(tern_cpace_begin_with(&a, &setup, scalar), 0);
    assert_hex_equal(a.share, sizeof a.share, p->a_share);
    (void)hex_read(scalar, sizeof scalar, p->yb);
    assert_int_equal(tern_cpace_begin_with(&b, &setup, scalar), 0);
    assert_hex_equal(b.share, sizeof b.share, p->b_share);
    struct tern_cpace_peer to_b = {.share = b.share,
                                   .our_data = {ada, hex_read(ada, sizeof ada, p->ada)},
                                   .peer_data = {adb, hex_read(adb, sizeof adb, p->adb)},
                                   .is_initiator = true};
    struct tern_cpace_peer to_a = {
        .share = a.share, .our_data = to_b.peer_data, .peer_data = to_b.our_data};
    assert_int_equal(tern_cpace_isk(&a, &setup, &to_b, a_isk), 0);
    assert_int_equal(tern_cpace_isk(&b, &setup, &to_a, b_isk), 0);
    assert_hex_equal(a_isk, sizeof a_isk, p->isk);
    assert_hex_equal(b_isk, sizeof b_isk, p->isk);
}

static void published_numbers_come_out(void **state)
{
    (void)state;
    check_published(&embedded);
}

/* The value of a field behind `at`, cut off in place; NULL if it is not there. */
static char *field(char *at, const char *name)
{
    char key[64];
    (void)snprintf(key, sizeof key, "\"%s\": \"", name);
    char *value = strstr(at, key);
    if (value == NULL) {
        return NULL;
    }
    value += strlen(key);
    return value;
}

static size_t load(char *text, size_t size)
{
    const char *folder = getenv("TERN_VECTORS");
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/cpace-ristretto255-x25519.json",
                   folder == NULL ? TEST_VECTORS : folder);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return 0;
    }
    size_t len = fread(text, 1, size - 1, file);
    (void)fclose(file);
    text[len] = '\0';
    return len;
}

static void published_file_comes_out(void **state)
{
    static char text[65536];
    static const char *const names[] = {"PRS", "CI", "sid", "g",  "ya",    "ADa",
                                        "Ya",  "yb", "ADb", "Yb", "ISK_IR"};
    char *values[11];
    (void)state;
    if (load(text, sizeof text) == 0) {
        skip_because("the published vectors are not at hand");
    }
    for (size_t i = 0; i < 11; i++) {
        values[i] = field(text, names[i]);
        assert_non_null(values[i]);
    }
    for (size_t i = 0; i < 11; i++) {
        *strchr(values[i], '"') = '\0';
    }
    struct published p = {.code = values[0],
                          .channel = values[1],
                          .session = values[2],
                          .generator = values[3],
                          .ya = values[4],
                          .ada = values[5],
                          .a_share = values[6],
                          .yb = values[7],
                          .adb = values[8],
                          .b_share = values[9],
                          .isk = values[10]};
    check_published(&p);
}

static void random_fill(void *user, uint8_t *buf, size_t len)
{
    (void)user;
    randombytes_buf(buf, len);
}

static struct tern_cpace_setup setup_of(const char *code, const char *session)
{
    return (struct tern_cpace_setup){.code = {code, strlen(code)},
                                     .channel = {"test", 4},
                                     .session = {session, strlen(session)}};
}

/* Do two ends with these codes and sessions come to one key? */
static bool agree(const char *a_code, const char *a_session, const char *b_code,
                  const char *b_session, bool both_initiate)
{
    tern_random_source hook = {random_fill, NULL};
    struct tern_random random;
    struct tern_cpace a, b;
    uint8_t a_key[TERN_CPACE_SIZE], b_key[TERN_CPACE_SIZE];
    struct tern_cpace_setup a_setup = setup_of(a_code, a_session);
    struct tern_cpace_setup b_setup = setup_of(b_code, b_session);
    tern_random_init(&random, &hook);
    assert_int_equal(tern_cpace_begin(&a, &a_setup, &random), 0);
    assert_int_equal(tern_cpace_begin(&b, &b_setup, &random), 0);
    assert_int_equal(tern_cpace_finish(&a, &a_setup, b.share, true, a_key), 0);
    assert_int_equal(tern_cpace_finish(&b, &b_setup, a.share, both_initiate, b_key), 0);
    return memcmp(a_key, b_key, sizeof a_key) == 0;
}

static void two_ends_agree_on_one_code_only(void **state)
{
    (void)state;
    assert_true(agree("7-orbit-salmon", "s1", "7-orbit-salmon", "s1", false));
    assert_false(agree("7-orbit-salmon", "s1", "7-orbit-salmo", "s1", false));
    assert_false(agree("7-orbit-salmon", "s1", "7-orbit-salmon", "s2", false));
    assert_false(agree("7-orbit-salmon", "s1", "7-orbit-salmon", "s1", true)); /* roles count */
}

static void bad_shares_are_refused(void **state)
{
    static const char *const bad[] = {
        "2B3C6B8C4F3800E7AEF6864025B4ED79BD599117E427C41BD47D93D654B4A51C", /* published: no point */
        "0000000000000000000000000000000000000000000000000000000000000000", /* the neutral one */
        "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF", /* not reduced */
        "0100000000000000000000000000000000000000000000000000000000000000", /* negative */
    };
    tern_random_source hook = {random_fill, NULL};
    struct tern_random random;
    struct tern_cpace cpace;
    struct tern_cpace_setup setup = setup_of("7-orbit-salmon", "s");
    uint8_t share[32], key[TERN_CPACE_SIZE];
    (void)state;
    tern_random_init(&random, &hook);
    assert_int_equal(tern_cpace_begin(&cpace, &setup, &random), 0);
    for (size_t i = 0; i < TERN_COUNT_OF(bad); i++) {
        (void)hex_read(share, sizeof share, bad[i]);
        assert_int_equal(tern_cpace_finish(&cpace, &setup, share, true, key), TERN_ERR_CRYPTO);
    }
}

static void own_share_reflected_is_refused(void **state)
{
    tern_random_source hook = {random_fill, NULL};
    struct tern_random random;
    struct tern_cpace cpace;
    struct tern_cpace_setup setup = setup_of("7-orbit-salmon", "s");
    uint8_t key[TERN_CPACE_SIZE];
    (void)state;
    tern_random_init(&random, &hook);
    assert_int_equal(tern_cpace_begin(&cpace, &setup, &random), 0);
    assert_int_equal(tern_cpace_finish(&cpace, &setup, cpace.share, true, key), TERN_ERR_CRYPTO);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(published_numbers_come_out),      cmocka_unit_test(published_file_comes_out),
    cmocka_unit_test(two_ends_agree_on_one_code_only), cmocka_unit_test(bad_shares_are_refused),
    cmocka_unit_test(own_share_reflected_is_refused),
};

TERN_TEST_MAIN(tests)
