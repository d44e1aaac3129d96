/* Which managers of intel-ipsec-mb are good enough, and that a lack of one is no more than that.
 * SPDX-License-Identifier: MIT */
#include <intel-ipsec-mb.h>
#include <stdbool.h>

#include "tern_test.h"

static IMB_MGR manager; /* 200 KB */
static bool has_memory;

static IMB_MGR *lend_manager(uint64_t flags)
{
    (void)flags;
    return has_memory ? &manager : NULL;
}

static void leave_as_it_is(IMB_MGR *mgr, IMB_ARCH *arch)
{
    (void)mgr;
    (void)arch;
}

static void take_back(IMB_MGR *mgr)
{
    assert_ptr_equal(mgr, &manager);
}

/* What it asks of the library is answered here. */
#define alloc_mb_mgr     lend_manager
#define init_mb_mgr_auto leave_as_it_is
#define free_mb_mgr      take_back
#include "crypto/gcm.c"

static void no_expand(const void *key, struct gcm_key_data *out)
{
    (void)key;
    (void)out;
}

static void no_seal(const struct gcm_key_data *key, struct gcm_context_data *context, uint8_t *out,
                    const uint8_t *in, uint64_t len, const uint8_t *iv, const uint8_t *ad,
                    uint64_t ad_len, uint8_t *tag, uint64_t tag_len)
{
    (void)key, (void)context, (void)out, (void)in, (void)len, (void)iv;
    (void)ad, (void)ad_len, (void)tag, (void)tag_len;
}

static int setup(void **state)
{
    (void)state;
    has_memory = true;
    memset(&manager, 0, sizeof manager);
    manager.features = FEATURES_NEEDED;
    manager.gcm256_pre = no_expand;
    manager.gcm256_enc = manager.gcm256_dec = no_seal;
    atomic_store(&speed, UNKNOWN);
    return 0;
}

static void what_is_wide_is_told(void **state)
{
    (void)state;
    assert_int_equal(tern_gcm_speed(), TERN_GCM_NARROW);
    manager.features |= FEATURES_WIDE;
    assert_int_equal(tern_gcm_speed(), TERN_GCM_NARROW); /* found out once */
    atomic_store(&speed, UNKNOWN);
    assert_int_equal(tern_gcm_speed(), TERN_GCM_WIDE);
    manager.features &= ~(uint64_t)IMB_FEATURE_VAES;
    atomic_store(&speed, UNKNOWN);
    assert_int_equal(tern_gcm_speed(), TERN_GCM_NARROW);
}

static void without_memory_there_is_none(void **state)
{
    (void)state;
    has_memory = false;
    assert_int_equal(tern_gcm_speed(), TERN_GCM_ABSENT);
}

static void lacking_instructions_there_is_none(void **state)
{
    (void)state;
    manager.features = IMB_FEATURE_AESNI;
    assert_int_equal(tern_gcm_speed(), TERN_GCM_ABSENT);
    manager.features = IMB_FEATURE_PCLMULQDQ;
    atomic_store(&speed, UNKNOWN);
    assert_int_equal(tern_gcm_speed(), TERN_GCM_ABSENT);
}

static void lacking_functions_there_is_none(void **state)
{
    (void)state;
    manager.gcm256_pre = NULL;
    assert_int_equal(tern_gcm_speed(), TERN_GCM_ABSENT);
    setup(state);
    manager.gcm256_enc = NULL;
    assert_int_equal(tern_gcm_speed(), TERN_GCM_ABSENT);
    setup(state);
    manager.gcm256_dec = NULL;
    assert_int_equal(tern_gcm_speed(), TERN_GCM_ABSENT);
}

/* Tables in place of instructions tell the cache about the key; and who fails its own test is not asked. */
static void emulations_and_failures_are_not_taken(void **state)
{
    (void)state;
#ifdef IMB_FEATURE_AESNI_EMU
    manager.features = FEATURES_NEEDED | IMB_FEATURE_AESNI_EMU;
    assert_int_equal(tern_gcm_speed(), TERN_GCM_ABSENT);
#endif
#ifdef IMB_FEATURE_SELF_TEST
    setup(state);
    manager.features = FEATURES_NEEDED | IMB_FEATURE_SELF_TEST;
    assert_int_equal(tern_gcm_speed(), TERN_GCM_ABSENT);
    setup(state);
    manager.features = FEATURES_NEEDED | IMB_FEATURE_SELF_TEST | IMB_FEATURE_SELF_TEST_PASS;
    assert_int_equal(tern_gcm_speed(), TERN_GCM_NARROW);
#endif
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(what_is_wide_is_told, setup),
    cmocka_unit_test_setup(without_memory_there_is_none, setup),
    cmocka_unit_test_setup(lacking_instructions_there_is_none, setup),
    cmocka_unit_test_setup(lacking_functions_there_is_none, setup),
    cmocka_unit_test_setup(emulations_and_failures_are_not_taken, setup),
};

TERN_TEST_MAIN(tests)
