/* The serving side of requests about names: one stream, its request, and the job that answers it.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_NAMES_SERVE_H
#define TERNCP_NAMES_SERVE_H

#include <ev.h>
#include <tern/ev.h>

#include "terncp/names_job.h"

struct names_serve;

struct names_door {
    struct ev_loop *loop;
    tern_ev *binding; /* woken when the job has something to say */
    int root;         /* -1: paths are the user's own, as in a shell */
    bool is_read_only;
    bool is_proved; /* the client is there itself: till then nothing is changed for it */
};

/* Does the stream begin with such a request? False also when nothing has come yet. */
bool names_serve_is_asked(tern_stream *stream);

/* Takes the stream. NULL: no memory. */
struct names_serve *names_serve_new(const struct names_door *door, tern_stream *stream);
/* The client has proved to be there; what waits for that begins with the next pump. */
void names_serve_prove(struct names_serve *serve);
/* Its stream is readable or writable. */
void names_serve_pump(struct names_serve *serve);
/* The stream is closed, or the connection. What was asked and what came of it; false: nothing was. */
bool names_serve_free(struct names_serve *serve, struct names_message *ask,
                      struct names_result *result);

#endif
