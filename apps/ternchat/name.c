/* Names are what people tell each other apart by, so they hold nothing that cannot be seen.
 * SPDX-License-Identifier: MIT */
#include "ternchat/name.h"

#include <string.h>

#include "shared/term.h"

bool name_take(struct chat_slice from, enum name_use use, char out[CHAT_NAME_MAX + 1])
{
    if (from.len == 0 || from.len > CHAT_NAME_MAX) {
        return false;
    }
    for (size_t at = 0; at < from.len;) {
        size_t len = term_printable(from.data + at, from.len - at);
        if (len == 0 || memchr(" /@", from.data[at], 3) != NULL ||
            (use == NAME_NICK && from.data[at] == '#')) {
            return false;
        }
        at += len;
    }
    memcpy(out, from.data, from.len);
    out[from.len] = '\0';
    return true;
}
