/* The search for the largest datagram that the path carries: the Internet's usual size, then the
 * ceiling, then the sizes between that are likely.
 * SPDX-License-Identifier: MIT */
#include "recovery/pmtud.h"

#define STEP_MIN    20               /* a smaller gain is not worth three probes */
#define AGAIN_AFTER (600 * TERN_SEC) /* RFC 8899 §5.1.1: PMTU_RAISE_TIMER */
#define EXCUSES     8                /* losses of probes of one size that congestion explains */
#define BLACK_HOLE  6 /* losses of full size with none delivered: evidence, not bad luck */

void tern_pmtud_init(struct tern_pmtud *pmtud, size_t ceiling)
{
    memset(pmtud, 0, sizeof *pmtud);
    pmtud->current = TERN_PMTUD_BASE;
    pmtud->ceiling = TERN_MAX(ceiling, (size_t)TERN_PMTUD_BASE);
    pmtud->is_done = pmtud->ceiling == TERN_PMTUD_BASE;
    pmtud->again_at = TERN_TIME_NEVER;
}

/* What links above Ethernet's usual MTU carry, less 48 for IPv6 and UDP (RFC 8899 §5.3.2 leaves the
 * choice of sizes to us; RFC 1191 §7.1 has such a table). Below, where tunnels take odd amounts, the
 * search halves. */
static const size_t plateaus[] = {
    TERN_PMTUD_COMMON, 1472, 2000, 4048, 8100, 8900, 16000, 32000, 65507,
};

/* The middle one of the plateaus between what passed and what failed, or 0. */
static size_t next_plateau(const struct tern_pmtud *pmtud)
{
    size_t first = 0, count = 0;
    for (size_t i = 0; i < TERN_COUNT_OF(plateaus); i++) {
        if (plateaus[i] > pmtud->current && plateaus[i] < pmtud->failed) {
            first = count == 0 ? i : first;
            count++;
        }
    }
    return count > 0 ? plateaus[first + count / 2] : 0;
}

/* The next size worth trying, or 0 when the search is over. */
static size_t next_size(const struct tern_pmtud *pmtud)
{
    bool is_common_open = pmtud->current < TERN_PMTUD_COMMON &&
                          pmtud->ceiling >= TERN_PMTUD_COMMON &&
                          (pmtud->failed == 0 || pmtud->failed > TERN_PMTUD_COMMON);
    if (is_common_open) {
        return TERN_PMTUD_COMMON;
    }
    if (pmtud->failed == 0) {
        return pmtud->ceiling > pmtud->current ? pmtud->ceiling : 0;
    }
    if (pmtud->current >= TERN_PMTUD_COMMON) {
        return next_plateau(pmtud);
    }
    size_t gap = pmtud->failed - pmtud->current;
    return gap > STEP_MIN ? pmtud->current + gap / 2 : 0;
}

static void finish_search(struct tern_pmtud *pmtud, tern_time now)
{
    pmtud->is_done = true;
    pmtud->probe = 0;
    pmtud->again_at = pmtud->current < pmtud->ceiling ? now + AGAIN_AFTER : TERN_TIME_NEVER;
}

size_t tern_pmtud_wants(struct tern_pmtud *pmtud, tern_time now)
{
    if (pmtud->is_done && now >= pmtud->again_at) {
        pmtud->is_done = false;
        pmtud->failed = 0;
    }
    if (pmtud->is_done || pmtud->in_flight || !pmtud->is_useful) {
        return 0;
    }
    if (pmtud->probe == 0) {
        pmtud->probe = next_size(pmtud);
        pmtud->tries = pmtud->excused = 0;
    }
    if (pmtud->probe == 0) {
        finish_search(pmtud, now);
    }
    return pmtud->probe;
}

void tern_pmtud_on_sent(struct tern_pmtud *pmtud, uint64_t pn)
{
    pmtud->in_flight = true;
    pmtud->probe_pn = pn;
    pmtud->tries++;
}

void tern_pmtud_on_delivered(struct tern_pmtud *pmtud, uint64_t pn, size_t size)
{
    if (size >= pmtud->current) {
        pmtud->black_hole = 0;
        pmtud->delivered_pn = TERN_MAX(pmtud->delivered_pn, pn + 1);
    }
}

void tern_pmtud_on_acked(struct tern_pmtud *pmtud, uint64_t pn, size_t size, tern_time now)
{
    tern_pmtud_on_delivered(pmtud, pn, size);
    if (!pmtud->in_flight || pn != pmtud->probe_pn) {
        return;
    }
    pmtud->in_flight = false;
    pmtud->current = TERN_MAX(pmtud->current, pmtud->probe);
    pmtud->probe = 0;
    if (next_size(pmtud) == 0) {
        finish_search(pmtud, now);
    }
}

void tern_pmtud_on_congestion(struct tern_pmtud *pmtud, uint64_t pn)
{
    if (pmtud->in_flight && pn == pmtud->probe_pn && pmtud->tries > 0 && pmtud->excused < EXCUSES) {
        pmtud->excused++;
        pmtud->tries--;
    }
}

bool tern_pmtud_on_lost(struct tern_pmtud *pmtud, uint64_t pn, size_t size, tern_time now)
{
    if (pmtud->in_flight && pn == pmtud->probe_pn) {
        pmtud->in_flight = false;
        if (pmtud->tries >= TERN_PMTUD_PROBES) { /* one loss never ends a search */
            pmtud->failed = pmtud->probe;
            pmtud->probe = 0;
        }
        return false;
    }
    /* A full-size packet that was sent later has arrived: congestion, and no black hole. */
    if (size < pmtud->current || pmtud->current == TERN_PMTUD_BASE || pn < pmtud->delivered_pn ||
        ++pmtud->black_hole < BLACK_HOLE) {
        return false;
    }
    pmtud->black_hole = 0;
    pmtud->failed = pmtud->current;
    pmtud->current = TERN_PMTUD_BASE;
    pmtud->probe = 0;
    pmtud->in_flight = false;
    pmtud->is_done = false;
    (void)now;
    return true;
}
