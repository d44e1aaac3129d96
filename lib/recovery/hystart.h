/* HyStart++: leaves slow start when the round trip grows, before packets are lost. RFC 9406.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_RECOVERY_HYSTART_H
#define TERN_RECOVERY_HYSTART_H

#include "base/def.h"

struct tern_hystart {
    tern_time last_round_min, this_round_min, baseline_min; /* RTTs; NEVER: none yet */
    uint64_t round_end; /* packet number whose ACK ends the round */
    uint32_t samples;   /* in this round */
    uint32_t css_rounds;
    bool in_css; /* conservative slow start */
    bool has_round;
};

void tern_hystart_init(struct tern_hystart *hystart);

/* An ACK in slow start. rtt_sample 0: none. Returns true when slow start is over. */
bool tern_hystart_on_ack(struct tern_hystart *hystart, tern_time rtt_sample, uint64_t acked_pn,
                         uint64_t next_pn);

/* Bytes of growth for bytes acknowledged: all of them, or a quarter in CSS. */
uint64_t tern_hystart_growth(const struct tern_hystart *hystart, uint64_t acked);

#endif
