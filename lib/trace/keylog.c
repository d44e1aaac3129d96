/* Secrets as lines of a key log, by which others decrypt a capture.
 * SPDX-License-Identifier: MIT */
#include <inttypes.h>

#include "trace/line.h"
#include "trace/trace.h"

static void add_octets(struct tern_line *line, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        tern_line_add(line, "%02x", bytes[i]);
    }
}

/* [P §5.9] */
size_t tern_trace_key_log(const tern_trace_event *event, char *buf, size_t size)
{
    static const char *const levels[] = {"INITIAL", "EARLY", "HANDSHAKE", "", "TRAFFIC"};
    struct tern_line line = {.buf = buf, .size = size, .used = 0};
    if (event->kind != TERN_TRACE_SECRET || event->packet_type >= TERN_COUNT_OF(levels)) {
        return 0;
    }
    tern_line_add(&line, "%s_%s ", event->is_clients ? "CLIENT" : "SERVER",
                  levels[event->packet_type]);
    add_octets(&line, event->connection, 8);
    tern_line_add(&line, " %" PRIu32 " %04x ", event->key_phase, event->suite);
    add_octets(&line, event->secret, TERN_SECRET_SIZE);
    return line.used;
}
