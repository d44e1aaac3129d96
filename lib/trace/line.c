/* The growing text of the trace's renderers.
 * SPDX-License-Identifier: MIT */
#include "trace/line.h"

#include <stdarg.h>
#include <stdio.h>

void tern_line_add(struct tern_line *line, const char *format, ...)
{
    va_list args;
    size_t left = line->used < line->size ? line->size - line->used : 0;
    va_start(args, format);
    int n = vsnprintf(left > 0 ? line->buf + line->used : NULL, left, format, args);
    va_end(args);
    line->used += n > 0 ? (size_t)n : 0;
}

void tern_line_add_text(struct tern_line *line, const uint8_t *bytes, size_t len,
                        const char *escape)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        bool is_plain = bytes[i] >= 0x20 && bytes[i] < 0x7f && bytes[i] != '\\' && bytes[i] != '"';
        if (is_plain) {
            tern_line_add(line, "%c", bytes[i]);
        } else {
            tern_line_add(line, "%s%c%c", escape, digits[bytes[i] >> 4], digits[bytes[i] & 15]);
        }
    }
}
