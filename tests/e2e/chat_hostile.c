/* What a program of ternchat writes to the stream of a file, broken as HOSTILE says. The server's relay and the
 * sender of a copy of ternchat call this in place of the library.
 *
 * "flip": a bit of it is another one. "stump": it ends at once. "more": something follows its end. "lie": it
 * is not what the offer's hash is of.
 * SPDX-License-Identifier: MIT */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <tern/tern.h>

#define FROM   ((size_t)150000) /* bytes that are left as they are */
#define NUMBER 8                /* in front of a stream */

ptrdiff_t hostile_write(tern_stream *stream, const void *data, size_t len, unsigned flags);
int hostile_final(crypto_generichash_state *state, unsigned char *out, size_t len);

static bool is(const char *how)
{
    const char *wanted = getenv("HOSTILE");
    return wanted != NULL && strcmp(wanted, how) == 0;
}

ptrdiff_t hostile_write(tern_stream *stream, const void *data, size_t len, unsigned flags)
{
    static size_t passed;
    uint8_t *copy = malloc(len + 1);
    if (copy == NULL) {
        return TERN_ERR_NOMEM;
    }
    if (len > 0) {
        memcpy(copy, data, len);
    }
    if (is("flip") && passed >= FROM && len > 0) {
        copy[len / 2] ^= 1;
    }
    if (is("stump") && len > NUMBER) {
        len = NUMBER;
        flags |= TERN_FIN;
    }
    bool has_more = is("more") && (flags & TERN_FIN) != 0;
    copy[len] = 'x';
    ptrdiff_t n = tern_stream_write(stream, copy, len + (has_more ? 1 : 0), flags);
    free(copy);
    passed += n > 0 ? (size_t)n : 0;
    return n > (ptrdiff_t)len ? (ptrdiff_t)len : n;
}

int hostile_final(crypto_generichash_state *state, unsigned char *out, size_t len)
{
    int rc = crypto_generichash_final(state, out, len);
    out[0] ^= is("lie") ? 1 : 0;
    return rc;
}
