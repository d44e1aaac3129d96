/* HyStart++: leaves slow start when the round trip grows, before packets are lost. RFC 9406.
 *
 * Two things are other than there, because we pace. The samples of a round come spread over it, and the
 * first ones still tell of an empty queue when the last ones tell of a full one: not the least of the
 * round is compared but the least of the latest eight. And careful slow start ends at once when the delay
 * has risen by twice as much again: five rounds of a quarter each would be three times the window.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_RECOVERY_HYSTART_H
#define TERN_RECOVERY_HYSTART_H

#include "base/def.h"

#define TERN_HYSTART_SAMPLES 8 /* RFC 9406 §4.3: N_RTT_SAMPLE */

struct tern_hystart {
    tern_time last_round_min, this_round_min, baseline_min; /* RTTs; NEVER: none yet */
    tern_time recent[TERN_HYSTART_SAMPLES];
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
