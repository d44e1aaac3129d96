/* Tries the ports of a range.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/listen.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "shared/cli.h"

int listen_in_range(struct transport *transport, struct ev_loop *loop, const tern_config *config,
                    const struct options *options, tern_ev_fn ready, void *user)
{
    unsigned count = (unsigned)options->port_last - options->port_first + 1u;
    unsigned start = randombytes_uniform(count);
    uint8_t family = options->family == 4 ? 4 : 6;
    char range[32];
    int rc = TERN_ERR_SYSTEM;
    errno = EADDRINUSE;
    for (unsigned i = 0; i < count && rc == TERN_ERR_SYSTEM && errno == EADDRINUSE; i++) {
        tern_addr addr = {.family = family,
                          .port = (uint16_t)(options->port_first + (start + i) % count)};
        rc = transport_open(transport, loop, config, &addr, ready, user);
        if (rc == TERN_ERR_SYSTEM && family == 6 && options->family == 0 &&
            (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL)) { /* a machine without IPv6 */
            family = addr.family = 4;
            rc = transport_open(transport, loop, config, &addr, ready, user);
        }
    }
    if (rc == 0) {
        return -1;
    }
    (void)snprintf(range, sizeof range, "UDP ports %u-%u", (unsigned)options->port_first,
                   (unsigned)options->port_last);
    cli_error(range, rc == TERN_ERR_SYSTEM ? strerror(errno) : tern_strerror(rc),
              "choose others with --port");
    return CLI_CONNECT;
}
