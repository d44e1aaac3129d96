/* A port of a range for a server that lives as long as one copy.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_LISTEN_H
#define TERNCP_LISTEN_H

#include "terncp/transport.h"

/* Binds the first free port of the options' range, from a random one on, at every address of this machine.
 * -1, or the exit code after the error was said. */
int listen_in_range(struct transport *transport, struct ev_loop *loop, const tern_config *config,
                    const struct options *options, tern_ev_fn ready, void *user);

#endif
