/* What the parts of the terminal front end share: view.c draws and is told, view_keys.c takes the keys.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCHAT_VIEW_PARTS_H
#define TERNCHAT_VIEW_PARTS_H

#include "ternchat/answer.h"
#include "ternchat/complete.h"
#include "ternchat/frame.h"
#include "ternchat/screen.h"
#include "ternchat/start.h"
#include "ternchat/view.h"

#define SIGNALS 6

struct view {
    const struct options *options;
    struct ev_loop *loop;
    struct client *client;
    struct model *model;
    struct model_room *room; /* the current one, or the console */
    struct frame frame;
    struct talk talk;
    struct edit edit;
    struct complete complete;
    struct answer answer;
    struct scene scene;
    enum client_state state;
    bool is_open, is_old, is_pasting, is_over, is_typing;
    char hint[200], about[START_ABOUT], remembers[MEMORY_WHY_SIZE];
    char errors[1024];
    size_t errors_used;
    ev_tstamp drawn, pause, typed; /* drawn: when; pause: until the next frame */
    struct ev_io keys, messages;
    struct ev_prepare prepare;
    struct ev_timer next_frame, health, hint_end, typing_end, retry;
    struct ev_signal signals[SIGNALS];
};

/* How a room is looked at; NULL: no memory for it. */
struct talk_look *view_look(struct model_room *room);
void view_stop_typing(struct view *v);
/* To another room. */
void view_go_to(struct view *v, size_t i);
void view_go_beside(struct view *v, bool is_left);
void view_go_to_unread(struct view *v);
/* The line is whole: it is said, or done. */
void view_enter(struct view *v);
void view_quit(void *user);

/* All keys that are there: for libev, its data the view. */
void view_on_keys(struct ev_loop *loop, struct ev_io *io, int events);

#endif
