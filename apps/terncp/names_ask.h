/* The asking side of requests about names, and how their answers are shown.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_NAMES_ASK_H
#define TERNCP_NAMES_ASK_H

#include <tern/tern.h>

#include "terncp/names.h"
#include "terncp/options.h"

struct names_ask;

/* `where` names the server in messages. NULL: no memory. */
struct names_ask *names_ask_new(const struct options *options, const char *path, const char *where);
void names_ask_free(struct names_ask *ask);

/* Opens the stream and asks. False: the connection is of no use. */
bool names_ask_begin(struct names_ask *ask, tern_conn *conn);
/* What happens to the stream. True: everything was answered, or the answer makes no sense. */
bool names_ask_on_event(struct names_ask *ask, const tern_event *ev);
/* Shows what was collected; the exit code. */
int names_ask_end(struct names_ask *ask);

#endif
