/* What can be typed that is not said: "/join ROOM" and so on, the same for every front end.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCHAT_COMMAND_H
#define TERNCHAT_COMMAND_H

#include "ternchat/model.h"

enum command_file { COMMAND_SEND, COMMAND_GET, COMMAND_CANCEL, COMMAND_FILES };

/* What a front end does for the commands. */
struct command_front {
    void *user;
    void (*note)(void *user, const char *text);      /* a line for the person; safe to print */
    void (*go)(void *user, struct model_room *room); /* this room is the current one now */
    void (*quit)(void *user);                        /* once all was heard */
    /* Files. room NULL: none is open. NULL: there are none. */
    void (*file)(void *user, enum command_file what, struct model_room *room, const char *rest);
    /* Without a screen there are none of these, and /help leaves their commands out. */
    bool has_screen;
    /* "": the next older place. What was not found any more; NULL: it was, or there was nothing to seek. */
    const char *(*search)(void *user, const char *words);
    bool (*theme)(void *user, const char *name); /* false: there is no such theme */
    void (*members)(void *user);                 /* show or hide the list */
};

enum command_result { COMMAND_DONE, COMMAND_LATER /* too much waits to be heard: try again */ };

/* A whole line: says it in the room, or does what it tells. A room's words begin with "/" when they are
 * typed with "//". room NULL: none is open. */
enum command_result command_run(struct model *model, struct model_room *room,
                                const struct command_front *front, const char *line);

/* For completion: the i-th name, with its slash; NULL behind the last. */
const char *command_name(size_t i);
/* Does the command take the name of a room, or of a command? */
bool command_wants_room(const char *name, size_t len);

#endif
