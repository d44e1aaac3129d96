/* A text that grows until its buffer ends, and keeps counting.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_TRACE_LINE_H
#define TERN_TRACE_LINE_H

#include "base/def.h"

struct tern_line {
    char *buf;
    size_t size, used;
};

#if defined(__MINGW32__) /* whose own vsnprintf, that of C11, this is, and not Windows' */
__attribute__((format(gnu_printf, 2, 3)))
#elif defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
void tern_line_add(struct tern_line *line, const char *format, ...);

/* A peer's bytes: printable ASCII but for quote and backslash as it is, all else as `escape` and two
 * hexadecimal digits. */
void tern_line_add_text(struct tern_line *line, const uint8_t *bytes, size_t len,
                        const char *escape);

#endif
