/* What the server answers to questions, as lines for a person: its rooms, what was found, invitations.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCHAT_ANSWER_H
#define TERNCHAT_ANSWER_H

#include "ternchat/model.h"

#define ANSWER_LINES 50 /* of one question; the server sends no more */

/* The numbers that questions bear: they come back with the answers. */
enum answer_question { ANSWER_SEARCH = 1, ANSWER_BEFORE = 2 };

/* What was found comes newest first, and is shown the other way round when it is all there. */
struct answer {
    char *lines[ANSWER_LINES];
    size_t count;
    bool is_any;      /* something came, if not for the eye */
    const char *host; /* of the server, as we call it, for invitations; NULL: not known */
};

/* A packet of on_answer; note is called with lines that are safe to print. */
void answer_take(struct answer *answer, struct model *model, const struct chat_packet *p,
                 void (*note)(void *user, const char *text), void *user);
void answer_clear(struct answer *answer);

#endif
