/* The first start: a nick is asked for, a key is made; later ones find both.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCHAT_START_H
#define TERNCHAT_START_H

#include "ternchat/options.h"
#include "ternchat/proto.h"

#define START_ABOUT 4400 /* bytes */

/* Our nick: of the command line, of the start before, what the person answers (if there is a terminal to
 * ask at), or the login name. `about` tells what was made, or is "". -1, or an exit code. */
int start_find(const struct options *options, char nick[CHAT_NAME_MAX + 1],
               char about[START_ABOUT]);

void start_remember(const char *nick); /* for the next start; what goes wrong is said */

/* Will the nick be asked for? Then nothing else may be. */
bool start_is_first(const struct options *options);

#endif
