/* A screen's cells in memory: frames are drawn here, and a terminal or a test shows them.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCHAT_CANVAS_H
#define TERNCHAT_CANVAS_H

#include "ternchat/text.h"

enum style {
    STYLE_TEXT,
    STYLE_NOTE,
    STYLE_TIME,
    STYLE_OWN,
    STYLE_WAITING, /* said, but the server does not have it yet */
    STYLE_MENTION,
    STYLE_MATCH,
    STYLE_MARK,
    STYLE_BAR,
    STYLE_BAR_HERE,
    STYLE_BAR_UNREAD,
    STYLE_BAR_MENTION,
    STYLE_STATUS,
    STYLE_STATUS_GOOD,
    STYLE_STATUS_BAD,
    STYLE_PROMPT,
    STYLE_AWAY,
    STYLE_NICK, /* and five more: a person's is always the same */
    STYLE_COUNT = STYLE_NICK + 6
};

struct cell {
    char text[TEXT_CHARACTER + 1]; /* one character with its marks */
    uint8_t columns;               /* 0: the right half of the one at its left */
    uint8_t style;
};

struct canvas {
    unsigned rows, columns;
    struct cell *cells;
};

bool canvas_size(struct canvas *canvas, unsigned rows, unsigned columns); /* false: no memory */
void canvas_free(struct canvas *canvas);
void canvas_clear(struct canvas *canvas);

/* Draws clean text from there on, no further than before the column `end`; returns the column behind it.
 * What is outside of the canvas is not drawn. */
unsigned canvas_put(struct canvas *canvas, unsigned row, unsigned column, unsigned end,
                    enum style style, const char *text, size_t len);
unsigned canvas_say(struct canvas *canvas, unsigned row, unsigned column, unsigned end,
                    enum style style, const char *text);
/* Blanks, as far as `end`. */
void canvas_fill(struct canvas *canvas, unsigned row, unsigned column, unsigned end,
                 enum style style);

/* The text of a row, for tests: at least columns * TEXT_CHARACTER + 1 bytes. */
void canvas_row(const struct canvas *canvas, unsigned row, char *out);

#endif
