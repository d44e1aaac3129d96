/* What was sent to whom before, so that a copy knows where the receiver has surely nothing of it yet.
 *
 * A list of digests in $XDG_STATE_HOME/tern/sent (or ~/.local/state/tern/sent), for us alone.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_FIRSTS_H
#define TERNCP_FIRSTS_H

#include <stdbool.h>

/* Notes that `name` goes to the path of a server. False: it did before, or nobody can tell: the list could not
 * be read or written. */
bool firsts_mark(const char *server, const char *path, const char *name);

#endif
