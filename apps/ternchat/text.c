/* Cleaning goes character by character and keeps what stays apart: everything later may rely on that.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "ternchat/text.h"

#include <string.h>
#include <wchar.h>
#include <wctype.h>

#include "shared/term.h"

/* The code point at p, also of those that nobody sees; 0 bytes: no valid UTF-8. */
static size_t decode(const unsigned char *p, size_t left, uint32_t *code)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = p[0] < 0x80                   ? 1
               : p[0] >= 0xc2 && p[0] < 0xe0 ? 2
               : p[0] >= 0xe0 && p[0] < 0xf0 ? 3
               : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
                                             : 0;
    *code = n <= 1 ? p[0] : p[0] & (0xffu >> (n + 1));
    if (n > left) {
        return 0;
    }
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
        *code = *code << 6 | (p[i] & 0x3fu);
    }
    return n > 1 && (*code < least[n] || *code > 0x10ffff || (*code >> 11) == 0x1b) ? 0 : n;
}

uint32_t text_code(const char *p, size_t left, size_t *len)
{
    uint32_t code;
    size_t n = decode((const unsigned char *)p, left, &code);
    *len = n == 0 ? 1 : n;
    return code;
}

/* Unicode's Default_Ignorable_Code_Point, and what turns the direction round. */
static bool is_unseen(uint32_t code)
{
    static const uint32_t ranges[][2] = {
        {0xad, 0xad},       {0x34f, 0x34f},   {0x61c, 0x61c},     {0x115f, 0x1160},
        {0x17b4, 0x17b5},   {0x180b, 0x180f}, {0x200b, 0x200f},   {0x2028, 0x202e},
        {0x2060, 0x206f},   {0x3164, 0x3164}, {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},
        {0xffa0, 0xffa0},   {0xfff0, 0xfffb}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a},
        {0xe0000, 0xe0fff},
    };
    for (size_t i = 0; code >= 0xad && i < sizeof ranges / sizeof ranges[0]; i++) {
        if (code >= ranges[i][0] && code <= ranges[i][1]) {
            return true;
        }
    }
    return false;
}

static int width_of(uint32_t code)
{
    return code < 0x20 || code == 0x7f ? -1 : code < 0x7f ? 1 : wcwidth((wchar_t)code);
}

enum sort { SORT_PLAIN, SORT_MARK, SORT_UNSEEN, SORT_BLANK, SORT_LINE, SORT_BAD };

static enum sort sort_of(const unsigned char *p, size_t left, size_t *len)
{
    uint32_t code;
    *len = decode(p, left, &code);
    if (*len == 0) {
        *len = 1;
        return SORT_BAD;
    }
    if (is_unseen(code)) {
        return SORT_UNSEEN;
    }
    int width = width_of(code);
    return code == '\n'   ? SORT_LINE
           : code == '\t' ? SORT_BLANK
           : width < 0    ? SORT_BAD
           : width == 0   ? SORT_MARK
                          : SORT_PLAIN;
}

struct clean {
    char *out;
    size_t used, size;
    unsigned marks; /* on the last character; TEXT_MARKS: it takes no more, or there is none */
    enum sort last;
};

static bool add(struct clean *c, const void *bytes, size_t len)
{
    if (c->used + len + 1 > c->size) {
        return false;
    }
    memcpy(c->out + c->used, bytes, len);
    c->used += len;
    return true;
}

/* False: out is full. */
static bool add_sorted(struct clean *c, enum sort sort, const unsigned char *p, size_t len)
{
    bool is_added = true;
    if (sort == SORT_MARK) {
        is_added = c->marks >= TEXT_MARKS || add(c, p, len);
        c->marks += c->marks < TEXT_MARKS ? 1 : 0;
    } else if (sort == SORT_PLAIN) {
        is_added = add(c, p, len);
        c->marks = 0;
    } else if (sort == SORT_LINE) {
        is_added = c->last == SORT_LINE || add(c, "\n", 1);
        c->marks = TEXT_MARKS;
    } else if (sort == SORT_BLANK) {
        is_added = add(c, " ", 1);
        c->marks = TEXT_MARKS;
    } else if (sort == SORT_BAD && c->last != SORT_BAD) {
        bool has_sign = wcwidth(0xfffd) == 1;
        is_added = add(c, has_sign ? "\xef\xbf\xbd" : "?", has_sign ? 3 : 1);
        c->marks = TEXT_MARKS;
    }
    c->last = sort == SORT_UNSEEN || sort == SORT_MARK ? c->last : sort;
    return is_added;
}

size_t text_clean(const char *in, size_t len, bool has_lines, char *out, size_t size)
{
    struct clean c = {.out = out, .size = size, .marks = TEXT_MARKS, .last = SORT_PLAIN};
    const unsigned char *p = (const unsigned char *)in;
    for (size_t at = 0, n; at < len; at += n) {
        enum sort sort = sort_of(p + at, len - at, &n);
        sort = sort == SORT_LINE && !has_lines ? SORT_BLANK : sort;
        if (!add_sorted(&c, sort, p + at, n)) {
            break;
        }
    }
    out[c.used] = '\0';
    return c.used;
}

size_t text_next(const char *text, size_t len, unsigned *columns)
{
    size_t at, n;
    int width = width_of(text_code(text, len, &at));
    *columns = width == 2 ? 2 : 1;
    while (at < len && width_of(text_code(text + at, len - at, &n)) == 0) {
        at += n;
    }
    return at;
}

size_t text_columns(const char *text, size_t len)
{
    size_t used = 0;
    unsigned columns;
    for (size_t at = 0; at < len; used += columns) {
        at += text_next(text + at, len - at, &columns);
    }
    return used;
}

size_t text_fit(const char *text, size_t len, size_t columns)
{
    size_t at = 0, used = 0;
    while (at < len) {
        unsigned more;
        size_t n = text_next(text + at, len - at, &more);
        if (used + more > columns) {
            break;
        }
        used += more;
        at += n;
    }
    return at;
}

size_t text_row(const char *text, size_t len, size_t columns, size_t *skip)
{
    const char *feed = memchr(text, '\n', len);
    size_t whole = feed == NULL ? len : (size_t)(feed - text);
    size_t fit = text_fit(text, whole, columns);
    *skip = 0;
    if (fit == whole) {
        *skip = feed == NULL ? 0 : 1;
        return whole;
    }
    if (fit == 0) {
        unsigned wide;
        return text_next(text, whole, &wide);
    }
    for (size_t at = fit; at > 0; at--) { /* the blank may be the first that did not fit */
        if (text[at] == ' ') {
            *skip = 1;
            return at;
        }
    }
    return fit;
}

/* Do both begin the same, up to the end of `words`? Bytes of it in *len. */
static bool is_at(const char *text, size_t left, const char *words, size_t *len)
{
    size_t at = 0, n, m, all = strlen(words);
    for (size_t i = 0; i < all; i += m) {
        if (at >= left) {
            return false;
        }
        wint_t theirs = (wint_t)text_code(text + at, left - at, &n);
        wint_t ours = (wint_t)text_code(words + i, all - i, &m);
        if (towlower(theirs) != towlower(ours)) {
            return false;
        }
        at += n;
    }
    *len = at;
    return true;
}

const char *text_find(const char *text, size_t len, const char *words, size_t *found)
{
    for (size_t at = 0, n; *words != '\0' && at < len; at += n) {
        if (is_at(text + at, len - at, words, found)) {
            return text + at;
        }
        (void)text_code(text + at, len - at, &n);
    }
    return NULL;
}

static bool is_word(const char *p, size_t left)
{
    size_t n;
    uint32_t code = text_code(p, left, &n);
    return code == '_' || code == '-' || iswalnum((wint_t)code);
}

bool text_mentions(const char *text, size_t len, const char *nick)
{
    bool is_inside = false;
    for (size_t at = 0, n, found; *nick != '\0' && at < len; at += n) {
        if (!is_inside && is_at(text + at, len - at, nick, &found) &&
            (at + found == len || !is_word(text + at + found, len - at - found))) {
            return true;
        }
        is_inside = is_word(text + at, len - at);
        (void)text_code(text + at, len - at, &n);
    }
    return false;
}
