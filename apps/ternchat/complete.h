/* Completion: nicks, rooms and commands that begin as the word before the cursor does.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCHAT_COMPLETE_H
#define TERNCHAT_COMPLETE_H

#include "ternchat/edit.h"
#include "ternchat/model.h"

#define COMPLETE_WORDS 256

struct complete {
    bool is_on; /* the last key completed, and the next may take another word instead */
    char words[COMPLETE_WORDS][CHAT_NAME_MAX + 3]; /* with what follows them */
    size_t count, now, start, end;
};

/* Puts the next word (step 1) or the one before (-1) at the cursor. False: there is none. */
bool complete_step(struct complete *c, struct edit *e, struct model *model,
                   const struct model_room *room, int step);
void complete_end(struct complete *c); /* another key was hit */

#endif
