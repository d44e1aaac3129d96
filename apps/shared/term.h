/* The terminal: is there one, how wide is it, and a peer's text made safe for it.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_APPS_TERM_H
#define TERN_APPS_TERM_H

#include <stdbool.h>
#include <stddef.h>

bool term_is_tty(int fd);
unsigned term_width(int fd); /* 80 when unknown */

/* Length of the valid UTF-8 sequence of a printable character at p, or 0; left > 0. C1 controls,
 * bidirectional overrides and line separators count as controls. */
size_t term_printable(const unsigned char *p, size_t left);

/* Columns that text takes which term_escape has made safe: East Asian wide characters and emoji are two,
 * marks that combine none. Independent of the locale, which in scripts and services is often "C". */
size_t term_columns(const char *text);
/* Bytes of the longest front of it that takes at most so many columns. */
size_t term_fit(const char *text, size_t columns);

/* Copies text with every control character, and everything that is not valid UTF-8, as \xNN, so that
 * no peer can move the cursor. Cut when buf is full; always terminated. Returns buf. */
const char *term_escape(const char *text, size_t len, char *buf, size_t size);

/* Asks a yes-or-no question on the controlling terminal. False also when there is none. */
bool term_ask(const char *question);

#endif
