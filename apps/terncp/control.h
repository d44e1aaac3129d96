/* The control stream: whole messages in and out.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_CONTROL_H
#define TERNCP_CONTROL_H

#include <tern/tern.h>

#include "terncp/proto.h"

/* Sends a message. False when the stream takes no more, which ends the session. */
bool control_send(tern_stream *stream, const struct proto_message *message);
bool control_send_fail(tern_stream *stream, enum proto_status status, uint32_t index,
                       const char *text);

struct control {
    uint8_t data[5 + PROTO_BODY_MAX];
    size_t used;
};

/* DONE of many entries goes out in one message. */
struct control_done {
    enum proto_type type; /* 0: PROTO_DONE; or another with ranges */
    struct proto_message message;
};
/* Notes an index; sends when there is no room for it. False as control_send. */
bool control_done_add(struct control_done *done, tern_stream *stream, uint32_t index);
bool control_done_flush(struct control_done *done, tern_stream *stream);

/* The next whole message. 1 · 0 nothing yet · -1 malformed · -2 the stream is over */
int control_read(struct control *control, tern_stream *stream, struct proto_message *message);

#endif
