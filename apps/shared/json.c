/* Strings as JSON wants them.
 * SPDX-License-Identifier: MIT */
#include "shared/json.h"

#include <string.h>

#include "shared/term.h"

void json_put(FILE *out, const char *text)
{
    json_put_bytes(out, text, strlen(text));
}

void json_put_bytes(FILE *out, const char *text, size_t left)
{
    (void)fputc('"', out);
    for (const unsigned char *p = (const unsigned char *)text; left > 0;) {
        size_t n = term_printable(p, left);
        if (n == 0) {
            (void)fprintf(out, "\\u%04x", (unsigned)*p);
            n = 1;
        } else {
            if (*p == '"' || *p == '\\') {
                (void)fputc('\\', out);
            }
            (void)fwrite(p, 1, n, out);
        }
        p += n;
        left -= n;
    }
    (void)fputc('"', out);
}

void json_field(FILE *out, const char *key, const char *text)
{
    (void)fprintf(out, ",\"%s\":", key);
    json_put(out, text);
}
