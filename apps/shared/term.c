/* Width, questions, and the escaping of foreign text.
 * SPDX-License-Identifier: MIT */
#include "shared/term.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

bool term_is_tty(int fd)
{
    return isatty(fd) == 1;
}

unsigned term_width(int fd)
{
    struct winsize size;
    return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

size_t term_printable(const unsigned char *p, size_t left)
{
    if (p[0] >= 0x20 && p[0] < 0x7f) {
        return 1;
    }
    size_t n = p[0] >= 0xc2 && p[0] < 0xe0   ? 2
               : p[0] >= 0xe0 && p[0] < 0xf0 ? 3
               : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
                                             : 0;
    if (n == 0 || n > left) {
        return 0;
    }
    uint32_t code = p[0] & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
        code = code << 6 | (p[i] & 0x3fu);
    }
    bool is_short = (n == 3 && code < 0x800) || (n == 4 && code < 0x10000);
    bool is_bad = code < 0xa0 || code == 0x61c || (code >= 0xd800 && code < 0xe000) ||
                  code > 0x10ffff || (code >= 0x200b && code <= 0x200f) ||
                  (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) ||
                  code == 0xfeff;
    return is_short || is_bad ? 0 : n;
}

/* Ranges of code points, sorted: UAX 11 (Wide and Fullwidth), and general categories Mn and Me. */
struct code_range {
    uint32_t first, last;
};

static bool is_in(uint32_t code, const struct code_range *ranges, size_t count)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (ranges[middle].last < code) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < count && ranges[low].first <= code;
}

static unsigned columns_of(uint32_t code)
{
    static const struct code_range wide[] = {
        {0x1100, 0x115f},   {0x231a, 0x231b},   {0x2329, 0x232a},   {0x23e9, 0x23ec},
        {0x23f0, 0x23f0},   {0x23f3, 0x23f3},   {0x25fd, 0x25fe},   {0x2614, 0x2615},
        {0x2648, 0x2653},   {0x267f, 0x267f},   {0x2693, 0x2693},   {0x26a1, 0x26a1},
        {0x26aa, 0x26ab},   {0x26bd, 0x26be},   {0x26c4, 0x26c5},   {0x26ce, 0x26ce},
        {0x26d4, 0x26d4},   {0x26ea, 0x26ea},   {0x26f2, 0x26f3},   {0x26f5, 0x26f5},
        {0x26fa, 0x26fa},   {0x26fd, 0x26fd},   {0x2705, 0x2705},   {0x270a, 0x270b},
        {0x2728, 0x2728},   {0x274c, 0x274c},   {0x274e, 0x274e},   {0x2753, 0x2755},
        {0x2757, 0x2757},   {0x2795, 0x2797},   {0x27b0, 0x27b0},   {0x27bf, 0x27bf},
        {0x2b1b, 0x2b1c},   {0x2b50, 0x2b50},   {0x2b55, 0x2b55},   {0x2e80, 0x303e},
        {0x3041, 0x33ff},   {0x3400, 0x4dbf},   {0x4e00, 0xa4cf},   {0xa960, 0xa97c},
        {0xac00, 0xd7a3},   {0xf900, 0xfaff},   {0xfe10, 0xfe19},   {0xfe30, 0xfe6b},
        {0xff01, 0xff60},   {0xffe0, 0xffe6},   {0x16fe0, 0x18cff}, {0x1b000, 0x1b2ff},
        {0x1f004, 0x1f004}, {0x1f0cf, 0x1f0cf}, {0x1f18e, 0x1f18e}, {0x1f191, 0x1f19a},
        {0x1f200, 0x1f320}, {0x1f32d, 0x1f335}, {0x1f337, 0x1f37c}, {0x1f37e, 0x1f393},
        {0x1f3a0, 0x1f3ca}, {0x1f3cf, 0x1f3d3}, {0x1f3e0, 0x1f3f0}, {0x1f3f4, 0x1f3f4},
        {0x1f3f8, 0x1f43e}, {0x1f440, 0x1f440}, {0x1f442, 0x1f4fc}, {0x1f4ff, 0x1f53d},
        {0x1f54b, 0x1f54e}, {0x1f550, 0x1f567}, {0x1f57a, 0x1f57a}, {0x1f595, 0x1f596},
        {0x1f5a4, 0x1f5a4}, {0x1f5fb, 0x1f64f}, {0x1f680, 0x1f6c5}, {0x1f6cc, 0x1f6cc},
        {0x1f6d0, 0x1f6d2}, {0x1f6d5, 0x1f6d7}, {0x1f6dc, 0x1f6df}, {0x1f6eb, 0x1f6ec},
        {0x1f6f4, 0x1f6fc}, {0x1f7e0, 0x1f7eb}, {0x1f90c, 0x1f93a}, {0x1f93c, 0x1f945},
        {0x1f947, 0x1f9ff}, {0x1fa70, 0x1faff}, {0x20000, 0x3fffd},
    };
    static const struct code_range none[] = {
        {0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd}, {0x05bf, 0x05bf}, {0x05c1, 0x05c2},
        {0x05c4, 0x05c5}, {0x05c7, 0x05c7}, {0x0610, 0x061a}, {0x064b, 0x065f}, {0x0670, 0x0670},
        {0x06d6, 0x06dc}, {0x06df, 0x06e4}, {0x06e7, 0x06e8}, {0x06ea, 0x06ed}, {0x0900, 0x0902},
        {0x093a, 0x093a}, {0x093c, 0x093c}, {0x0941, 0x0948}, {0x094d, 0x094d}, {0x0e31, 0x0e31},
        {0x0e34, 0x0e3a}, {0x0e47, 0x0e4e}, {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x20d0, 0x20f0},
        {0x302a, 0x302d}, {0x3099, 0x309a}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}, {0xe0100, 0xe01ef},
    };
    if (code < 0x300) {
        return 1;
    }
    return is_in(code, none, sizeof none / sizeof none[0])   ? 0
           : is_in(code, wide, sizeof wide / sizeof wide[0]) ? 2
                                                             : 1;
}

/* Columns of the character at text, and its octets. */
static unsigned step(const char *text, size_t left, size_t *octets)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t n = term_printable(p, left);
    uint32_t code = n <= 1 ? p[0] : p[0] & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        code = code << 6 | (p[i] & 0x3fu);
    }
    *octets = n == 0 ? 1 : n;
    return columns_of(code);
}

size_t term_fit(const char *text, size_t columns)
{
    size_t len = strlen(text), at = 0, used = 0, n;
    while (at < len) {
        used += step(text + at, len - at, &n);
        if (used > columns) {
            break;
        }
        at += n;
    }
    return at;
}

size_t term_columns(const char *text)
{
    size_t len = strlen(text), used = 0, n;
    for (size_t at = 0; at < len; at += n) {
        used += step(text + at, len - at, &n);
    }
    return used;
}

const char *term_escape(const char *text, size_t len, char *buf, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < len;) {
        const unsigned char *p = (const unsigned char *)text + i;
        size_t n = term_printable(p, len - i);
        if (used + (n > 0 ? n : 4) + 1 > size) {
            break;
        }
        if (n > 0) {
            memcpy(buf + used, p, n);
            used += n;
            i += n;
        } else {
            (void)snprintf(buf + used, size - used, "\\x%02x", (unsigned)*p);
            used += 4;
            i++;
        }
    }
    if (size > 0) {
        buf[used] = '\0';
    }
    return buf;
}

bool term_ask(const char *question)
{
    FILE *tty = fopen("/dev/tty", "r+");
    char answer[16];
    if (tty == NULL) {
        return false;
    }
    bool is_yes = false;
    if (fprintf(tty, "%s (yes/no) ", question) > 0 && fflush(tty) == 0 &&
        fgets(answer, sizeof answer, tty) != NULL) {
        is_yes = strcmp(answer, "yes\n") == 0;
    }
    (void)fclose(tty);
    return is_yes;
}
