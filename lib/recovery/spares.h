/* How many copies of small messages are worth their bytes: as many as the loss of late calls for. [P §16.5]
 * SPDX-License-Identifier: MIT */
#ifndef TERN_RECOVERY_SPARES_H
#define TERN_RECOVERY_SPARES_H

#include "base/def.h"

#define TERN_SPARES_SPAN 256 /* packets; what is looked at is between one and two of them */

struct tern_spares {
    uint32_t packets[2], lost[2]; /* this span, and the one before */
};

/* Ack-eliciting packets whose fate became known; `spurious` of those called lost before were not. */
void tern_spares_on_settled(struct tern_spares *spares, uint64_t acked, uint64_t lost,
                            uint64_t spurious);

/* Of each message, in eighths of a copy. 0 when nothing was lost. */
unsigned tern_spares_eighths(const struct tern_spares *spares);

/* In thousandths of the packets. */
unsigned tern_spares_loss(const struct tern_spares *spares);

#endif
