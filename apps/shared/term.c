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
