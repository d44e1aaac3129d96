/* Forward error correction in a connection: made when it is asked for, or when the peer first sends a repair.
 * [P §16.6]
 * SPDX-License-Identifier: MIT */
#ifndef TERN_CONN_FEC_H
#define TERN_CONN_FEC_H

#include "conn/conn.h"
#include "stream/fec_in.h"
#include "stream/fec_out.h"
#include "wire/frame.h"

/* Part of struct tern_messages. */
struct tern_fec {
    struct tern_fec_out *out; /* NULL until a lane is protected ... */
    struct tern_fec_in *in;   /* ... or the peer has told of one */
    uint64_t sent, received;  /* repairs, those that only tell the size aside */
};

void tern_fec_clear(struct tern_conn *conn, struct tern_fec *fec);

/* 0 · TERN_ERR_LIMIT · TERN_ERR_NOMEM; the peer takes REPAIR. */
TERN_MUST_CHECK int tern_fec_protect(struct tern_conn *conn, uint32_t channel, enum tern_lane lane,
                                     unsigned percent, bool adaptive);

/* A REPAIR frame; a part that came in a MESSAGE frame and was taken. What they let us find goes to the
 * receiver of messages. Errors as of tern_messages_on_part. */
TERN_MUST_CHECK int tern_fec_on_repair(struct tern_conn *conn, const struct tern_frame_repair *f,
                                       const char **reason);
TERN_MUST_CHECK int tern_fec_on_part(struct tern_conn *conn, const struct tern_message_part *part,
                                     const uint8_t *data);

/* Symbols that left before it are not worth a repair now. */
tern_time tern_fec_since(const struct tern_conn *conn, tern_time now);

#endif
