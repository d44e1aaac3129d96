/* An endpoint, its socket and its libev binding as terncp sets them up, on either side.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_TRANSPORT_H
#define TERNCP_TRANSPORT_H

#include <tern/ev.h>

#include "terncp/options.h"

#define TERNCP_IDLE      (10 * TERN_SEC)
#define TERNCP_KEEPALIVE (3 * TERN_SEC)
#define TERNCP_ENTRIES   64   /* files that a peer may have under way at once */
#define TERNCP_DATAGRAM  8900 /* jumbo frames, where the path carries them */

struct transport {
    tern_endpoint *endpoint;
    tern_udp *udp;
    tern_ev *binding;
};

/* The configuration that both sides share. */
void transport_config(tern_config *config, const struct options *options);

/* 0 or TERN_ERR_*; after TERN_ERR_SYSTEM errno says why. */
int transport_open(struct transport *t, struct ev_loop *loop, const tern_config *config,
                   const tern_addr *local, tern_ev_fn ready, void *user);
void transport_close(struct transport *t); /* sends what is left to say */

#endif
