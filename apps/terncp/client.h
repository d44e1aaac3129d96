/* The copying client: trust, one transfer, and what came of it.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_CLIENT_H
#define TERNCP_CLIENT_H

#include "terncp/options.h"

#define CLIENT_SCHEME "tern://"

/* Copies local sources to a remote folder or name, or one remote source to a local one. Returns the
 * exit code; everything that went wrong has been said. */
int client_push(const struct options *options, char **sources, int count, const char *url);
int client_pull(const struct options *options, const char *url, const char *destination);

/* ls, stat, rm or mkdir of one name. */
int client_names(const struct options *options, const char *url);

#endif
