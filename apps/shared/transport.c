/* Setting up and taking down, the same for clients and servers of all programs.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "shared/transport.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "shared/net.h"

/* The end of an opening, which has come so far: 0, or what failed, and all goes. */
static int bind_loop(struct transport *t, struct ev_loop *loop, int rc, tern_ev_fn ready,
                     void *user)
{
    if (rc == 0) {
        rc = tern_ev_start(&t->binding, loop, t->udp, t->endpoint, ready, user);
    }
    if (rc != 0) {
        int saved = errno;
        transport_close(t);
        errno = saved;
    }
    return rc;
}

int transport_open(struct transport *t, struct ev_loop *loop, const tern_config *config,
                   const tern_addr *local, tern_ev_fn ready, void *user)
{
    memset(t, 0, sizeof *t);
    int rc = tern_endpoint_new(&t->endpoint, config, tern_udp_now());
    if (rc == 0) {
        rc = tern_udp_open(&t->udp, t->endpoint, local);
    }
    if (rc == 0) {
        tern_udp_counters counters = {.size = sizeof counters};
        tern_udp_stats(t->udp, &counters);
        net_warn_buffers(&counters, NET_BUFFER_TINY);
    }
    if (rc == 0 && local == NULL) {
        int roams = tern_udp_roam(t->udp);
        (void)roams; /* where nobody tells of new addresses the server's eyes must do */
    }
    return bind_loop(t, loop, rc, ready, user);
}

int transport_open_fd(struct transport *t, struct ev_loop *loop, const tern_config *config, int fd,
                      tern_ev_fn ready, void *user)
{
    memset(t, 0, sizeof *t);
    int rc = tern_endpoint_new(&t->endpoint, config, tern_udp_now());
    if (rc == 0) {
        rc = tern_udp_open_fd(&t->udp, t->endpoint, fd);
    }
    if (rc != 0) {
        int saved = errno;
        (void)close(fd);
        errno = saved;
    }
    return bind_loop(t, loop, rc, ready, user);
}

void transport_close(struct transport *t)
{
    tern_ev_stop(t->binding);
    tern_udp_close(t->udp);
    tern_endpoint_free(t->endpoint);
    memset(t, 0, sizeof *t);
}
