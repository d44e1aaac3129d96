/* The lines of a room in rows: drawn from the end or from where they were scrolled to, and searched.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCHAT_TALK_H
#define TERNCHAT_TALK_H

#include "ternchat/canvas.h"
#include "ternchat/model.h"

#define TALK_SEARCH 256 /* bytes of what is searched for, with the end */

/* How one room is looked at. */
struct talk_look {
    bool is_back; /* scrolled back: the last row shown is of this line, with so many rows hidden */
    uint64_t line;
    size_t hidden;
    bool has_mark; /* lines from this one on came while another room was shown */
    uint64_t mark;
    bool is_mentioned;
    char search[TALK_SEARCH]; /* what is sought; "": nothing */
    uint64_t found;           /* the line where it was found last */
};

struct talk {
    /* where, for all calls */
    unsigned row, rows, columns;
    const char *nick; /* ours */
    /* the line that is laid out */
    char *text;
    size_t text_room;
    struct talk_row *spans;
    size_t span_count, span_room;
};

void talk_free(struct talk *talk);

void talk_draw(struct talk *talk, struct canvas *canvas, const struct model_room *room,
               const struct talk_look *look);
/* So many rows back (negative: on). False: it is at that end already. */
bool talk_scroll(struct talk *talk, const struct model_room *room, struct talk_look *look,
                 long rows);
/* The next older place of look->search, from the end if `anew`. */
bool talk_search(struct talk *talk, const struct model_room *room, struct talk_look *look,
                 bool anew);

/* Is somebody else's line about us? */
bool talk_is_mention(const struct line *line, const char *nick);
enum style talk_nick_style(const uint8_t key[TERN_KEY_SIZE]);

#endif
