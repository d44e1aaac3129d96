/* The four states of RFC 9000 appendix A.4 and the checks of section 13.4.2.1.
 * SPDX-License-Identifier: MIT */
#include "recovery/ecn.h"

#define TEST_PACKETS 10  /* RFC 9000 §A.4 */
#define OWED_MOST    256 /* [P §9.2] */

void tern_ecn_init(struct tern_ecn *ecn)
{
    memset(ecn, 0, sizeof *ecn);
    ecn->kind = TERN_ECN_ECT0;
    ecn->test_until = TERN_TIME_NEVER;
}

void tern_ecn_restart(struct tern_ecn *ecn)
{
    ecn->state = TERN_ECN_TESTING;
    ecn->tested = ecn->tested_lost = 0;
    ecn->owed_ect0 = ecn->owed_ect1 = 0;
    ecn->test_until = TERN_TIME_NEVER;
}

void tern_ecn_use(struct tern_ecn *ecn, uint8_t kind)
{
    if (ecn->kind != kind) {
        ecn->kind = kind;
        tern_ecn_restart(ecn); /* a box may treat the two differently */
    }
}

void tern_ecn_choose(struct tern_ecn *ecn, tern_time three_pto, tern_time now)
{
    if (ecn->state == TERN_ECN_TESTING) {
        if (ecn->tested == 0) {
            ecn->test_from = now;
            ecn->test_until = tern_add_sat(now, three_pto);
        } else if (ecn->tested >= TEST_PACKETS || now >= ecn->test_until) {
            ecn->state = TERN_ECN_UNKNOWN;
        }
    }
    bool is_marking = ecn->state == TERN_ECN_TESTING || ecn->state == TERN_ECN_CAPABLE;
    ecn->mark = is_marking ? ecn->kind : TERN_ECN_NONE;
}

void tern_ecn_on_sent(struct tern_ecn *ecn)
{
    ecn->sent_ect0 += ecn->mark == TERN_ECN_ECT0 ? 1 : 0;
    ecn->sent_ect1 += ecn->mark == TERN_ECN_ECT1 ? 1 : 0;
    ecn->tested += ecn->state == TERN_ECN_TESTING ? 1 : 0;
}

/* Some boxes drop what is marked: if nothing of the test gets through, it was the marks. */
bool tern_ecn_on_lost(struct tern_ecn *ecn, tern_time sent_at)
{
    bool is_open = ecn->state == TERN_ECN_TESTING || ecn->state == TERN_ECN_UNKNOWN;
    if (!is_open || sent_at < ecn->test_from ||
        ++ecn->tested_lost < TERN_MAX(ecn->tested, (uint64_t)TEST_PACKETS)) {
        return false;
    }
    ecn->state = TERN_ECN_FAILED;
    return true;
}

/* Each kind of its own: those that are acknowledged arrived as they were or as CE, and nobody saw more of
 * them than there were. Else marks were wiped off, or changed on the way. */
static bool is_plausible(const struct tern_ecn *ecn, const struct tern_ecn_counts *counts,
                         uint64_t acked_ect0, uint64_t acked_ect1)
{
    const struct tern_ecn_counts *before = &ecn->peer;
    if (counts->ect0 < before->ect0 || counts->ect1 < before->ect1 || counts->ce < before->ce ||
        counts->ect0 > ecn->sent_ect0 || counts->ect1 > ecn->sent_ect1) {
        return false;
    }
    uint64_t ect0 = counts->ect0 - before->ect0, ect1 = counts->ect1 - before->ect1;
    uint64_t ce = counts->ce - before->ce;
    return counts->ce <= ecn->sent_ect0 + ecn->sent_ect1 - counts->ect0 - counts->ect1 &&
           ce >= tern_sub_sat(acked_ect0, ect0) + tern_sub_sat(acked_ect1, ect1);
}

bool tern_ecn_on_ack(struct tern_ecn *ecn, const struct tern_ecn_counts *counts,
                     uint64_t acked_ect0, uint64_t acked_ect1)
{
    ecn->owed_ect0 += acked_ect0;
    ecn->owed_ect1 += acked_ect1;
    uint64_t acked = ecn->owed_ect0 + ecn->owed_ect1;
    bool has_any = ecn->peer.ect0 + ecn->peer.ect1 + ecn->peer.ce > 0; /* else they are wiped off */
    uint64_t most = has_any ? OWED_MOST : 0;
    if (ecn->state == TERN_ECN_FAILED || (counts == NULL && acked <= most)) {
        return false;
    }
    if (counts == NULL || !is_plausible(ecn, counts, ecn->owed_ect0, ecn->owed_ect1)) {
        ecn->state = TERN_ECN_FAILED;
        return false;
    }
    ecn->owed_ect0 = ecn->owed_ect1 = 0;
    bool is_congested = counts->ce > ecn->peer.ce;
    ecn->peer = *counts;
    /* Not one that came through without: a box that marks everything, and says nothing by it. */
    if (counts->ect0 == 0 && counts->ect1 == 0 && counts->ce > 0) {
        ecn->state = counts->ce >= TEST_PACKETS ? TERN_ECN_FAILED : ecn->state;
        return false;
    }
    ecn->state = acked > 0 ? TERN_ECN_CAPABLE : ecn->state;
    return is_congested;
}

const char *tern_ecn_name(enum tern_ecn_state state)
{
    switch (state) {
    case TERN_ECN_TESTING:
        return "testing";
    case TERN_ECN_UNKNOWN:
        return "unknown";
    case TERN_ECN_CAPABLE:
        return "capable";
    case TERN_ECN_FAILED:
        break;
    }
    return "failed";
}
