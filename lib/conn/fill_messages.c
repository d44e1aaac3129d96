/* Messages into packets: one frame and one receipt each, credit and given-up numbers ahead of them,
 * copies in the room that is left. [P §16]
 * SPDX-License-Identifier: MIT */
#include "conn/fill.h"
#include "conn/messages.h"
#include "conn/receipts.h"
#include "wire/encode.h"

static void fill_limit(struct tern_fill *fill)
{
    struct tern_msgin *in = tern_messages_in(fill->conn);
    uint8_t *start = fill->w.at;
    if (in == NULL || !tern_msgin_wants_limit(in) || !tern_fill_has_receipt_room(fill) ||
        tern_writer_left(&fill->w) < 1 + 8) {
        return;
    }
    uint64_t limit = tern_msgin_take_limit(in);
    tern_frame_encode_max_message_data(&fill->w, limit);
    bool is_kept = tern_fill_keep(fill, start);
    tern_assert(is_kept); /* there was room for the longest */
    (void)is_kept;
    tern_fill_note(fill, (struct tern_receipt){.kind = TERN_RECEIPT_MAX_MESSAGE_DATA, .id = limit});
}

void tern_fill_message_controls(struct tern_fill *fill)
{
    struct tern_msgout *out = tern_messages_out(fill->conn);
    struct tern_message_skip skip;
    fill_limit(fill);
    while (out != NULL && tern_fill_has_receipt_room(fill) && tern_msgout_next_skip(out, &skip)) {
        struct tern_frame_message_skip frame = {.channel = skip.channel,
                                                .order = (uint64_t)skip.lane,
                                                .first = skip.first,
                                                .count = skip.count,
                                                .cost = skip.cost};
        uint8_t *start = fill->w.at;
        tern_frame_encode_message_skip(&fill->w, &frame);
        if (!tern_fill_keep(fill, start)) {
            return;
        }
        tern_msgout_on_skip_sent(out, &skip);
        tern_fill_note(fill, tern_messages_skip_receipt(&skip));
    }
}

/* Writes what was lent, for the room that there is. */
static void write_chunk(struct tern_fill *fill, const struct tern_msgout_chunk *chunk,
                        tern_time now)
{
    const struct tern_message_part *part = &chunk->part;
    struct tern_frame_message frame = {.channel = part->channel,
                                       .number = part->number,
                                       .offset = part->offset,
                                       .total = part->total,
                                       .data = chunk->data,
                                       .len = part->len,
                                       .order = (uint8_t)part->lane,
                                       .is_fragment = part->is_fragment,
                                       .uses_credit = part->uses_credit};
    uint8_t *start = fill->w.at;
    tern_frame_encode_message(&fill->w, &frame);
    bool is_kept = tern_fill_keep(fill, start);
    tern_assert(is_kept);
    (void)is_kept;
    struct tern_receipt receipt = tern_messages_part_receipt(part);
    if (fill->conn->messages->fec.out != NULL && !chunk->is_again) {
        struct tern_msgout *out = tern_messages_out(fill->conn);
        tern_fec_out_on_sent(fill->conn->messages->fec.out, part, chunk->data, chunk->priority,
                             tern_msgout_can_mend(out, chunk, now), now);
    }
    tern_msgout_on_sent(tern_messages_out(fill->conn), chunk, now);
    tern_fill_note(fill, receipt);
}

bool tern_fill_message(struct tern_fill *fill, tern_time now)
{
    struct tern_msgout *out = tern_messages_out(fill->conn);
    struct tern_msgout_chunk chunk;
    size_t kept = fill->has_immediate_ack ? 0 : 1; /* for the byte that it is */
    if (!tern_fill_has_receipt_room(fill) ||
        !tern_msgout_next(out, (size_t)tern_sub_sat(tern_writer_left(&fill->w), kept),
                          (size_t)tern_sub_sat(fill->full, 1), &chunk)) {
        return false;
    }
    bool wants_ack = chunk.immediate_ack;
    write_chunk(fill, &chunk, now);
    fill->has_message = true;
    if (wants_ack && fill->conn->cadence.is_usable && !fill->has_immediate_ack) {
        tern_frame_encode_immediate_ack(&fill->w);
        fill->has_immediate_ack = true;
    }
    return true;
}

/* Copies must not take the room of what comes next: they have the first two thirds of the window, and in recovery,
 * which lets out little at a time, what is above half a datagram. */
static size_t copies_room(const struct tern_fill *fill)
{
    const struct tern_cc *cc = &fill->path->cc;
    uint64_t share = tern_sub_sat(cc->cwnd / 3 * 2, cc->bytes_in_flight);
    uint64_t room = TERN_MIN(share, tern_sub_sat(tern_cc_room(cc), cc->datagram / 2));
    return (size_t)TERN_MIN(tern_sub_sat(room, tern_writer_used(&fill->w)),
                            (uint64_t)tern_writer_left(&fill->w));
}

/* Only where new ones are: redundancy makes no packets of its own. */
void tern_fill_copies(struct tern_fill *fill, tern_time now)
{
    struct tern_msgout *out = tern_messages_out(fill->conn);
    struct tern_msgout_chunk chunk;
    while (tern_fill_has_receipt_room(fill) &&
           tern_msgout_next_copy(out, copies_room(fill), &chunk)) {
        write_chunk(fill, &chunk, now);
    }
}

bool tern_fill_repair(struct tern_fill *fill, tern_time now)
{
    struct tern_fec *fec = &fill->conn->messages->fec;
    struct tern_fec_repair r;
    if (!tern_fec_out_next(fec->out, tern_writer_left(&fill->w), fill->full,
                           tern_fec_since(fill->conn, now), &r)) {
        return false;
    }
    struct tern_frame_repair frame = {.channel = r.channel,
                                      .order = (uint64_t)r.lane,
                                      .size = r.size,
                                      .message = r.message,
                                      .skip = r.skip,
                                      .symbols = r.symbols,
                                      .messages = r.messages,
                                      .first = r.first,
                                      .number = r.number,
                                      .lengths = r.lengths,
                                      .lengths_len = r.lengths_len,
                                      .len = r.len};
    tern_frame_encode_repair(&fill->w, &frame);
    uint8_t *data = tern_write_room(&fill->w, r.len);
    tern_assert(data != NULL); /* next has seen that there is room */
    tern_fec_out_write(fec->out, data);
    tern_fec_out_on_repair_sent(fec->out);
    fec->sent += r.symbols > 0;
    fill->is_eliciting = true;
    return true;
}
