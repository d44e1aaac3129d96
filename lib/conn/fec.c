/* Between frames and the two halves of forward error correction.
 * SPDX-License-Identifier: MIT */
#include "conn/fec.h"

#include "conn/messages.h"

/* Of a symbol: what the smallest datagram that a path must carry has room for, less what stands around it, of
 * the packet (29 bytes) and of the frame, with a few lengths, or an ACK before a MESSAGE; and a multiple of 16, at
 * which fragments are cut. It does not follow the path's size: bursts of losses move that, too, and each
 * change would begin the lanes anew, just when they are needed. */
#define SYMBOL_SIZE 1120

#define MEND_AT_LEAST (100 * TERN_MSEC) /* and two round trips: older symbols are not worth it */

_Static_assert(TERN_FEC_WINDOW == TERN_REPAIR_SYMBOLS_MAX, "one window");
_Static_assert(TERN_FEC_SIZE_MAX == TERN_REPAIR_SIZE_MAX, "one size");

void tern_fec_clear(struct tern_conn *conn, struct tern_fec *fec)
{
    (void)conn;
    tern_fec_out_free(fec->out);
    tern_fec_in_free(fec->in);
    *fec = (struct tern_fec){0};
}

int tern_fec_protect(struct tern_conn *conn, uint32_t channel, enum tern_lane lane,
                     unsigned percent, bool adaptive)
{
    struct tern_msgout *out = NULL;
    int rc = tern_messages_need_out(conn, &out);
    if (rc != 0) {
        return rc;
    }
    struct tern_fec *fec = &conn->messages->fec;
    if (fec->out == NULL && percent == 0) {
        return 0;
    }
    if (fec->out == NULL) {
        fec->out = tern_fec_out_new(conn->env->mem, conn->peer_terms.fec_window);
        if (fec->out == NULL) {
            return TERN_ERR_NOMEM;
        }
        tern_msgout_set_fec(out, fec->out);
    }
    rc = tern_fec_out_set_size(fec->out, SYMBOL_SIZE);
    return rc == 0 ? tern_fec_out_set(fec->out, channel, lane, percent, adaptive) : rc;
}

/* What was found is as if it had come; where there are too many gaps for it, it is not. */
static int deliver_mended(struct tern_fec_in *in, struct tern_msgin *messages)
{
    struct tern_message_part part;
    const uint8_t *data;
    while (tern_fec_in_next(in, &part, &data)) {
        int rc = tern_msgin_on_part(messages, &part, data, true);
        if (rc != 0 && rc != TERN_ERR_AGAIN) {
            return rc;
        }
    }
    return 0;
}

static int need_in(struct tern_conn *conn, struct tern_msgin **messages)
{
    int rc = tern_messages_need_in(conn, messages);
    struct tern_fec *fec = rc == 0 ? &conn->messages->fec : NULL;
    if (fec != NULL && fec->in == NULL) {
        fec->in = tern_fec_in_new(conn->env->mem, &conn->env->slab, conn->env->config->fec_window);
        rc = fec->in == NULL ? TERN_ERR_NOMEM : 0;
    }
    return rc;
}

int tern_fec_on_repair(struct tern_conn *conn, const struct tern_frame_repair *f,
                       const char **reason)
{
    struct tern_msgin *messages = NULL;
    if (conn->env->config->fec_window == 0) {
        *reason = "sent a repair to an end that takes none";
        return TERN_ERR_PROTOCOL;
    }
    int rc = tern_messages_check_target(conn, f->channel, reason);
    rc = rc == 0 ? need_in(conn, &messages) : rc;
    if (rc != 0) {
        return rc;
    }
    struct tern_fec_repair repair = {.channel = (uint32_t)f->channel,
                                     .lane = (enum tern_lane)f->order,
                                     .size = (uint32_t)f->size,
                                     .message = f->message,
                                     .skip = (uint32_t)f->skip,
                                     .symbols = (uint32_t)f->symbols,
                                     .messages = (uint32_t)f->messages,
                                     .first = f->first,
                                     .number = f->number,
                                     .lengths = f->lengths,
                                     .lengths_len = f->lengths_len,
                                     .data = f->data,
                                     .len = f->len};
    conn->messages->fec.received += f->symbols > 0;
    rc = tern_fec_in_on_repair(conn->messages->fec.in, &repair);
    if (rc == TERN_ERR_PROTOCOL) {
        *reason = "a repair contradicts itself or what came";
    }
    return rc == 0 ? deliver_mended(conn->messages->fec.in, messages) : rc;
}

int tern_fec_on_part(struct tern_conn *conn, const struct tern_message_part *part,
                     const uint8_t *data)
{
    struct tern_fec_in *in = conn->messages->fec.in;
    if (in == NULL) {
        return 0;
    }
    tern_fec_in_on_part(in, part, data);
    return deliver_mended(in, conn->messages->in);
}

tern_time tern_fec_since(const struct tern_conn *conn, tern_time now)
{
    return tern_sub_sat(now, 2 * conn->path.rtt.smoothed + MEND_AT_LEAST);
}
