/* Tests of crypto/kem: ML-KEM-768 where libsodium has it, which elsewhere is skipped.
 * SPDX-License-Identifier: MIT */
#include "crypto/kem.h"

#include <sodium.h>

#include "tern_test.h"

struct parcel {
    uint8_t seed[TERN_KEM_SEED_SIZE], enc_seed[TERN_KEM_ENC_SEED_SIZE];
    uint8_t public[TERN_KEM_PUBLIC_SIZE], ciphertext[TERN_KEM_CIPHERTEXT_SIZE];
    uint8_t sent[TERN_KEM_SHARED_SIZE], taken[TERN_KEM_SHARED_SIZE];
};

static const struct tern_kem *make(struct parcel *p)
{
    const struct tern_kem *kem = tern_kem_builtin();
    if (kem == NULL) {
        skip_because("this libsodium has no ML-KEM");
    }
    randombytes_buf(p, sizeof *p);
    assert_int_equal(kem->public_of(p->public, p->seed), 0);
    assert_int_equal(kem->enclose(p->ciphertext, p->sent, p->public, p->enc_seed), 0);
    return kem;
}

static void both_ends_share_a_secret(void **state)
{
    struct parcel p;
    (void)state;
    const struct tern_kem *kem = make(&p);
    assert_int_equal(kem->disclose(p.taken, p.ciphertext, p.seed), 0);
    assert_memory_equal(p.taken, p.sent, sizeof p.sent);
    assert_true(sodium_is_zero(p.sent, sizeof p.sent) == 0);
}

/* The key pair is made anew from the seed when it is needed, the ciphertext when it is said again. */
static void seeds_decide_everything(void **state)
{
    struct parcel p, again;
    (void)state;
    const struct tern_kem *kem = make(&p);
    memcpy(&again, &p, sizeof again);
    assert_int_equal(kem->public_of(again.public, again.seed), 0);
    assert_int_equal(kem->enclose(again.ciphertext, again.sent, again.public, again.enc_seed), 0);
    assert_memory_equal(&again, &p, sizeof p);
    again.enc_seed[0] ^= 1;
    assert_int_equal(kem->enclose(again.ciphertext, again.sent, again.public, again.enc_seed), 0);
    assert_memory_not_equal(again.ciphertext, p.ciphertext, sizeof p.ciphertext);
    assert_memory_not_equal(again.sent, p.sent, sizeof p.sent);
}

/* FIPS 203 §6.3: another secret, not a refusal, so that nobody learns from it. */
static void changed_ciphertexts_give_other_secrets(void **state)
{
    struct parcel p;
    (void)state;
    const struct tern_kem *kem = make(&p);
    for (size_t at = 0; at < sizeof p.ciphertext; at += 97) {
        p.ciphertext[at] ^= 1;
        assert_int_equal(kem->disclose(p.taken, p.ciphertext, p.seed), 0);
        assert_memory_not_equal(p.taken, p.sent, sizeof p.sent);
        p.ciphertext[at] ^= 1;
    }
}

/* FIPS 203 §7.2: a coefficient that is not below the modulus. */
static void malformed_keys_are_refused(void **state)
{
    struct parcel p;
    (void)state;
    const struct tern_kem *kem = make(&p);
    p.public[0] = p.public[1] = 0xff;
    assert_int_equal(kem->enclose(p.ciphertext, p.sent, p.public, p.enc_seed), -1);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(both_ends_share_a_secret),
    cmocka_unit_test(seeds_decide_everything),
    cmocka_unit_test(changed_ciphertexts_give_other_secrets),
    cmocka_unit_test(malformed_keys_are_refused),
};

TERN_TEST_MAIN(tests)
