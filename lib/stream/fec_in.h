/* Forward error correction on its way in: what came of protected lanes, and the repairs that wait.
 *
 * A lane is kept from the first repair on that speaks of it. Its repairs are equations in the symbols that
 * are missing; they stand reduced (each row has a pivot that no other row has), so that a symbol is found
 * as soon as it is determined. Bounded: TERN_FEC_LANES lanes, of which the one that was quiet the longest
 * gives way, each with at most `window` symbols and as many rows, and TERN_FEC_LANE_BYTES of either.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_STREAM_FEC_IN_H
#define TERN_STREAM_FEC_IN_H

#include "base/slab.h"
#include "stream/fec.h"

#define TERN_FEC_LANE_BYTES (128u * 1024) /* of symbols, and as much of repairs, [P §14] */

struct tern_fec_in;

/* `window`: symbols kept of a lane, 1..TERN_FEC_WINDOW. NULL: no memory. */
struct tern_fec_in *tern_fec_in_new(struct tern_mem *mem, struct tern_slab *slab, uint32_t window);
void tern_fec_in_free(struct tern_fec_in *f); /* NULL is fine */

/* A part that came in a MESSAGE frame and was taken. Without memory it is not kept. */
void tern_fec_in_on_part(struct tern_fec_in *f, const struct tern_message_part *part,
                         const uint8_t *data);

/* A REPAIR frame. 0 · TERN_ERR_PROTOCOL (it contradicts itself or what came) · TERN_ERR_NOMEM */
TERN_MUST_CHECK int tern_fec_in_on_repair(struct tern_fec_in *f, const struct tern_fec_repair *r);

/* The next part that was found; lent until the next call on `f`. To be asked for until false after each
 * of the two above. */
bool tern_fec_in_next(struct tern_fec_in *f, struct tern_message_part *part, const uint8_t **data);

uint64_t tern_fec_in_held(const struct tern_fec_in *f); /* bytes of memory, itself included */

#endif
