/* An endpoint, its socket and its libev binding, set up and taken down together.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_APPS_TRANSPORT_H
#define TERN_APPS_TRANSPORT_H

#include <tern/ev.h>

struct transport {
    tern_endpoint *endpoint;
    tern_udp *udp;
    tern_ev *binding;
};

/* local NULL: any address and port, and the connections roam. 0 or TERN_ERR_*; after TERN_ERR_SYSTEM
 * errno says why. */
int transport_open(struct transport *t, struct ev_loop *loop, const tern_config *config,
                   const tern_addr *local, tern_ev_fn ready, void *user);
/* The same on a socket of yours, which is the transport's then; on failure it is closed. */
int transport_open_fd(struct transport *t, struct ev_loop *loop, const tern_config *config, int fd,
                      tern_ev_fn ready, void *user);
void transport_close(struct transport *t); /* sends what is left to say */

#endif
