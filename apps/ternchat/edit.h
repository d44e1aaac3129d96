/* One line that is being written: its characters, the cursor, what was cut, and the lines before it.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCHAT_EDIT_H
#define TERNCHAT_EDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EDIT_MAX     ((size_t)16 * 1024)
#define EDIT_HISTORY 200

struct edit {
    char text[EDIT_MAX + 1]; /* clean, as text.h has it, with line feeds where some were pasted */
    size_t len, at;          /* at: the cursor, before a character or at the end */
    char cut[EDIT_MAX + 1];
    char *past[EDIT_HISTORY]; /* a ring: line n is at n % EDIT_HISTORY */
    size_t past_count;
    size_t back;  /* how many lines back we are; 0: at the new one */
    char *unsent; /* the new one, meanwhile */
};

enum edit_act {
    EDIT_LEFT,
    EDIT_RIGHT,
    EDIT_WORD_LEFT,
    EDIT_WORD_RIGHT,
    EDIT_HOME,
    EDIT_END,
    EDIT_RUB,        /* the character before the cursor */
    EDIT_DELETE,     /* the one under it */
    EDIT_CUT_WORD,   /* before the cursor; these four can be pasted again */
    EDIT_CUT_NEXT,   /* the word behind it */
    EDIT_CUT_BEFORE, /* all before it */
    EDIT_CUT_BEHIND, /* all behind it */
    EDIT_PASTE,
    EDIT_SWAP, /* the two characters before the cursor */
    EDIT_OLDER,
    EDIT_NEWER
};

void edit_init(struct edit *e);
void edit_clear(struct edit *e); /* frees */

/* False: nothing happened, for there is no room, or nothing there. What is no clean text is cleaned. */
bool edit_insert(struct edit *e, const char *text, size_t len);
bool edit_replace(struct edit *e, size_t from, size_t to, const char *text);
bool edit_insert_code(struct edit *e, uint32_t code); /* a character */
bool edit_do(struct edit *e, enum edit_act act);
bool edit_control(struct edit *e, uint32_t letter); /* what Ctrl and that letter do in a line */
void edit_set(struct edit *e, const char *text);

/* The line was taken: it goes to the past (unless it is empty, or as the one before) and a new one begins. */
void edit_taken(struct edit *e);

#endif
