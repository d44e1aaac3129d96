/* Repairs on their way out: the last symbols of each protected lane, and how many repairs they are worth.
 *
 * A lane earns a part of a repair with each symbol that is sent for the first time. What it has earned
 * falls due at the end of a message, or in the middle of a long one. A repair is made when it is sent, of
 * the symbols that are then young enough and not known to have come; so those that fall due with one
 * message also mend what a burst took from the end of the one before, repairs included.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_STREAM_FEC_OUT_H
#define TERN_STREAM_FEC_OUT_H

#include "base/mem.h"
#include "stream/fec.h"

struct tern_fec_out;

/* `window`: the symbols that the peer keeps (its fec_window), at least 1. NULL: no memory. */
struct tern_fec_out *tern_fec_out_new(struct tern_mem *mem, uint32_t window);
void tern_fec_out_free(struct tern_fec_out *f); /* NULL is fine */

/* Protects a lane with `percent` repairs for 100 symbols; when `adaptive` with as many as losses ask for,
 * up to that. 0: no more. 0 · TERN_ERR_LIMIT (TERN_FEC_LANES others are protected) · TERN_ERR_NOMEM */
TERN_MUST_CHECK int tern_fec_out_set(struct tern_fec_out *f, uint32_t channel, enum tern_lane lane,
                                     unsigned percent, bool adaptive);
/* The size of symbols from now on: what a full packet carries of a message and of a repair. Another one
 * begins all lanes anew. 0 · TERN_ERR_NOMEM */
TERN_MUST_CHECK int tern_fec_out_set_size(struct tern_fec_out *f, uint32_t size);
/* Where to cut the lane's fragments, so that a lost packet is one lost symbol; 0: it is not protected. */
uint32_t tern_fec_out_cut(const struct tern_fec_out *f, uint32_t channel, enum tern_lane lane);

/* A part left for the first time (any lane's), and what became of parts. Mended: if it is lost there is time to
 * send it again, so that fewer repairs will do. */
void tern_fec_out_on_sent(struct tern_fec_out *f, const struct tern_message_part *part,
                          const uint8_t *data, unsigned priority, bool is_mended, tern_time now);
void tern_fec_out_on_acked(struct tern_fec_out *f, const struct tern_message_part *part);
void tern_fec_out_on_lost(struct tern_fec_out *f, const struct tern_message_part *part);

/* A size is to be told: a repair without symbols comes next. */
bool tern_fec_out_has_news(const struct tern_fec_out *f);
/* The priority of the most urgent repair that is due, or TERN_PRIORITIES. */
unsigned tern_fec_out_top(const struct tern_fec_out *f);

/* The next repair: its frame fits `room`, or else waits for a packet with `full` bytes. Symbols sent
 * before `since` are left out. `data` is NULL: tern_fec_out_write puts it where it is to stand. False: none
 * is due, or it waits. Lent until the next call on `f`. */
bool tern_fec_out_next(struct tern_fec_out *f, size_t room, size_t full, tern_time since,
                       struct tern_fec_repair *out);
void tern_fec_out_write(const struct tern_fec_out *f, uint8_t *data); /* that of the last `next` */
void tern_fec_out_on_repair_sent(struct tern_fec_out *f);             /* it is in a packet */

#endif
