/* Framing of control messages on their stream.
 * SPDX-License-Identifier: MIT */
#include "terncp/control.h"

#include <stdio.h>
#include <string.h>

bool control_send(tern_stream *stream, const struct proto_message *message)
{
    uint8_t buf[5 + PROTO_BODY_MAX];
    size_t len = proto_encode(message, buf, sizeof buf);
    return len > 0 && tern_stream_writable(stream) >= len &&
           tern_stream_write(stream, buf, len, 0) == (ptrdiff_t)len;
}

bool control_send_fail(tern_stream *stream, enum proto_status status, uint32_t index,
                       const char *text)
{
    struct proto_message m = {.type = PROTO_FAIL, .status = (uint8_t)status, .index = index};
    (void)snprintf(m.text, PROTO_TEXT_MAX, "%s", text);
    return control_send(stream, &m);
}

bool control_done_flush(struct control_done *done, tern_stream *stream)
{
    bool is_sent = true;
    if (done->message.range_count > 0) {
        done->message.type = done->type == 0 ? PROTO_DONE : done->type;
        is_sent = control_send(stream, &done->message);
        done->message.range_count = 0;
    }
    return is_sent;
}

bool control_done_add(struct control_done *done, tern_stream *stream, uint32_t index)
{
    if (proto_ranges_add(&done->message, index)) {
        return true;
    }
    return control_done_flush(done, stream) && proto_ranges_add(&done->message, index);
}

int control_read(struct control *control, tern_stream *stream, struct proto_message *message)
{
    for (;;) {
        int n = proto_decode(message, control->data, control->used);
        if (n > 0) {
            memmove(control->data, control->data + n, control->used - (size_t)n);
            control->used -= (size_t)n;
            return 1;
        }
        if (n < 0 || control->used == sizeof control->data) {
            return -1;
        }
        ptrdiff_t got = tern_stream_read(stream, control->data + control->used,
                                         sizeof control->data - control->used);
        if (got == TERN_ERR_AGAIN) {
            return 0;
        }
        if (got <= 0) {
            return -2;
        }
        control->used += (size_t)got;
    }
}
