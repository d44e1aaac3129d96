/* The copying client: one transfer, and what came of it.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_CLIENT_H
#define TERNCP_CLIENT_H

#include <tern/types.h>

#include "terncp/options.h"

/* Copies local sources to a remote folder or name, or one remote source to a local one. Returns the
 * exit code; everything that went wrong has been said. */
int client_push(const struct options *options, char **sources, int count, const char *name);
int client_pull(const struct options *options, const char *name, const char *destination);

/* Takes what the sender at this address offers under the code into a folder. */
int client_receive(const struct options *options, const char *code, const tern_addr *addr,
                   const char *folder);

/* The flags of a HELLO that the options ask for. */
uint64_t client_wishes(const struct options *options);

#endif
