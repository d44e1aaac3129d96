/* Two spans of packets, how many of them were lost, and a table.
 * SPDX-License-Identifier: MIT */
#include "recovery/spares.h"

void tern_spares_on_settled(struct tern_spares *spares, uint64_t acked, uint64_t lost,
                            uint64_t spurious)
{
    uint64_t more = TERN_MIN(acked + lost, (uint64_t)TERN_SPARES_SPAN);
    if (spares->packets[0] + more > TERN_SPARES_SPAN) {
        spares->packets[1] = spares->packets[0];
        spares->lost[1] = spares->lost[0];
        spares->packets[0] = spares->lost[0] = 0;
    }
    spares->packets[0] += (uint32_t)more;
    spares->lost[0] += (uint32_t)TERN_MIN(lost, more);
    /* Most often they are of this span; where not, the one before ends soon anyhow. */
    spares->lost[0] -= (uint32_t)TERN_MIN(spurious, (uint64_t)spares->lost[0]);
}

unsigned tern_spares_loss(const struct tern_spares *spares)
{
    uint32_t packets = spares->packets[0] + spares->packets[1];
    uint32_t lost = spares->lost[0] + spares->lost[1];
    /* In the first moments one loss among few packets says little about how many more there will be. */
    return lost * 1000 / TERN_MAX(packets, (uint32_t)TERN_SPARES_SPAN / 4);
}

/* A message comes late only if it and its copies are lost, and in an ordered channel makes those behind
 * it late as well: so many that fewer than one in a hundred is, up to a tenth of loss. */
unsigned tern_spares_eighths(const struct tern_spares *spares)
{
    static const struct {
        unsigned loss, eighths;
    } steps[] = {{200, 32}, {75, 24}, {20, 13}, {0, 8}};
    unsigned loss = tern_spares_loss(spares);
    if (spares->lost[0] + spares->lost[1] == 0) {
        return 0;
    }
    size_t i = 0;
    while (loss < steps[i].loss) {
        i++;
    }
    return steps[i].eighths;
}
