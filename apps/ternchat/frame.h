/* One frame of the terminal front end, drawn on a canvas of any size: the rooms, the talk, who is here, the
 * status line and the line that is being written.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCHAT_FRAME_H
#define TERNCHAT_FRAME_H

#include "ternchat/client.h"
#include "ternchat/edit.h"
#include "ternchat/talk.h"

/* What there is to show. */
struct scene {
    struct model *model;
    struct model_room *room; /* the current one, or the console; its `look` is a struct talk_look */
    const struct edit *edit;
    struct talk *talk; /* frame_draw sets where it is */
    enum client_state state;
    bool has_health;
    double rtt_ms, loss;    /* loss: percent */
    bool has_members;       /* the list is wanted, where there is room */
    char files[FILES_LINE]; /* what is on its way; "": nothing */
    const char *hint;       /* instead of the status, or NULL */
    /* frame_draw finds it: the number of what we said last, if nobody answered. */
    uint64_t own_last;
};

struct frame {
    struct canvas canvas;
    unsigned cursor_row, cursor_column;
};

/* False: no memory. */
bool frame_draw(struct frame *frame, struct scene *scene, unsigned rows, unsigned columns);

#endif
