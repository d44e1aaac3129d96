/* The files that a client offers, is offered, sends and gets, beside the talk: all work on them is done in small
 * pieces while the loop has nothing else to do.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCHAT_FILES_H
#define TERNCHAT_FILES_H

#include <ev.h>
#include <tern/tern.h>

#include "ternchat/command.h"
#include "ternchat/model.h"
#include "ternchat/offer.h"

#define FILES_KNOWN 256 /* offers that are remembered, the latest */
#define FILES_OURS  64  /* that we offer at a time */
#define FILES_GIVES 8   /* that are sent at a time; the server allows no more, either */
#define FILES_TAKES 4   /* that come at a time; more wait for their turn */
#define FILES_QUEUE 64  /* that wait or come */
#define FILES_LINE  600 /* bytes of a text for people */

struct files;

enum files_state {
    FILES_STARTED,
    FILES_MOVED /* something does: no more is told */,
    FILES_WAITING,
    FILES_DONE,
    FILES_FAILED,
    FILES_CANCELLED /* by the person */
};

struct files_news {
    enum files_state state;
    bool is_ours; /* we send it */
    unsigned number;
    struct model_room *room; /* NULL: we have left it */
    const char *name;
    uint64_t done, size;
    const char *path; /* where it is, with FILES_DONE of one that came */
    const char *text; /* for people, safe to print; NULL with FILES_MOVED */
};

struct files_front {
    void *user;
    void (*on_news)(void *user, const struct files_news *news);
    void (*note)(void *user, const char *text); /* answers to what a person typed; safe to print */
    void (*wake)(void *user);                   /* the connection has something to send */
};

/* downloads NULL: the desktop's folder for them, or the current one. NULL: no memory. */
struct files *files_new(struct ev_loop *loop, struct model *model, const char *downloads,
                        const struct files_front *front);
void files_free(struct files *files);

void files_connected(struct files *files, tern_conn *conn);
void files_lost(struct files *files);
void files_on_stream(struct files *files, const tern_event *ev);
/* A packet that belongs to no room. False: it is not about files. */
bool files_on_packet(struct files *files, const struct chat_packet *p);
void files_on_joined(struct files *files);               /* a room has a seat again */
void files_on_refused(struct files *files, uint64_t id); /* what we said, maybe an offer */
void files_tick(struct files *files);                    /* once a second */

/* What somebody offers in a room. The number for people. */
unsigned files_on_offer(struct files *files, const struct model_room *room,
                        const struct line *about, uint64_t id, const struct offer *offer);
/* NULL: there is none of that number (any more). */
const struct offer *files_offer(const struct files *files, unsigned number);

/* What a person wants; the front's note answers. */
void files_send(struct files *files, const struct model_room *room, const char *path);
void files_get(struct files *files, unsigned number); /* 0: the latest */
void files_cancel(struct files *files, unsigned number);
void files_list(struct files *files);
/* A command, with what was typed behind it. */
void files_do(struct files *files, enum command_file what, const struct model_room *room,
              const char *rest);

bool files_are_moving(const struct files *files); /* or will, without another word */
/* What is on its way, for a line of status; "" when nothing is. */
void files_progress(const struct files *files, char out[FILES_LINE]);

#endif
