/* The terminal itself, by ncurses: frames go out at once, keys come in, and whatever happens the terminal is
 * left as it was found.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCHAT_SCREEN_H
#define TERNCHAT_SCREEN_H

#include "ternchat/canvas.h"

enum screen_theme { SCREEN_DARK, SCREEN_LIGHT, SCREEN_MONO };

enum screen_key {
    SCREEN_NONE, /* no more now */
    SCREEN_TEXT, /* a character, in *code */
    SCREEN_ENTER,
    SCREEN_PASTE_BEGIN, /* what comes until the end was not typed */
    SCREEN_PASTE_END,
    SCREEN_CONTROL, /* with Ctrl, the letter in *code */
    SCREEN_ALT,     /* with Alt, the character in *code */
    SCREEN_UP,
    SCREEN_DOWN,
    SCREEN_LEFT,
    SCREEN_RIGHT,
    SCREEN_WORD_LEFT,
    SCREEN_WORD_RIGHT,
    SCREEN_ALT_LEFT,
    SCREEN_ALT_RIGHT,
    SCREEN_HOME,
    SCREEN_END,
    SCREEN_PAGE_UP,
    SCREEN_PAGE_DOWN,
    SCREEN_TAB,
    SCREEN_TAB_BACK,
    SCREEN_RUB,
    SCREEN_DELETE,
    SCREEN_OTHER,
    SCREEN_CLOSED /* the terminal is gone */
};

/* Can there be one? Standard input and output are terminals, and TERM is one that can be drawn on. */
bool screen_is_possible(void);
/* Call it before anything is measured: widths are those of LC_CTYPE, and it must be UTF-8. */
void screen_set_locale(void);

bool screen_open(enum screen_theme theme); /* false: ncurses does not know the terminal */
void screen_close(void);                   /* also when it is not open */
void screen_set_theme(enum screen_theme theme);

void screen_size(unsigned *rows, unsigned *columns); /* as the terminal is now */
void screen_show(const struct canvas *canvas, unsigned cursor_row, unsigned cursor_column);
void screen_redraw(void); /* the next frame is written whole */
void screen_bell(void);
void screen_suspend(void); /* Ctrl-Z; returns when we go on */

enum screen_key screen_key(uint32_t *code);

/* From now on what is written to standard error, if that is the terminal, can be read from the result
 * instead, and does not disturb the frames. -1: it goes elsewhere anyway. screen_release ends that and
 * prints what nobody has read. */
int screen_capture(void);
void screen_release(void);

#endif
