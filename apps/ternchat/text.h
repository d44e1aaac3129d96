/* Other people's text on a screen: made harmless, measured, and broken into rows.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCHAT_TEXT_H
#define TERNCHAT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TEXT_MARKS     3 /* combining characters that one character keeps; what is more is a flood */
#define TEXT_CHARACTER ((size_t)4 * (1 + TEXT_MARKS)) /* bytes of a character with its marks */
#define TEXT_CLEAN(n)  (2 * (size_t)(n) + 4) /* bytes that suffice for so many, with the end */

/* Widths are those of the C library, which the terminal library goes by, too: they depend on LC_CTYPE, and
 * characters that it does not know are shown as one that stands for all of them. */

/* Copies text so that no byte of it moves the cursor, hides or turns round other text: what is no valid
 * UTF-8 or a control becomes U+FFFD, once for a run; what is never seen (bidirectional and joining controls,
 * variation selectors, fillers, tags) is dropped, and so are marks beyond TEXT_MARKS; a tabulator is a blank.
 * Line feeds stay, one at a time, when has_lines, else they are blanks. Cut between two characters when out
 * is full. Returns the length; out is terminated. */
size_t text_clean(const char *in, size_t len, bool has_lines, char *out, size_t size);

/* All of what follows is for clean text. */

/* Bytes of the character at the front with its marks, and its columns: 1 or 2; a line feed is 1. len > 0 */
size_t text_next(const char *text, size_t len, unsigned *columns);
size_t text_columns(const char *text, size_t len);
size_t text_fit(const char *text, size_t len, size_t columns); /* bytes that fit so many columns */

/* Bytes of the first row when text is broken at blanks, or where it must be, into rows of at most `columns`
 * (at least one character each); *skip: those behind it that are on no row. */
size_t text_row(const char *text, size_t len, size_t columns, size_t *skip);

/* Where the words stand in the text, without regard to case; NULL: nowhere. *found: bytes of the place. */
const char *text_find(const char *text, size_t len, const char *words, size_t *found);
/* The same for a whole word, as a nick is when somebody is spoken to. */
bool text_mentions(const char *text, size_t len, const char *nick);

/* The code point at p, which is valid UTF-8; its bytes in *len. */
uint32_t text_code(const char *p, size_t left, size_t *len);

#endif
