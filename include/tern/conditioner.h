/* The seam between a driver and a bad network that is wanted: what leaves and what comes goes through it.
 *
 * tern/sim.h makes one of simulated links (tern_conditioner_new), and tern_udp_set_conditioner puts it into
 * a driver. One of your own fills in the three functions and stands first in a structure of yours.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_CONDITIONER_H
#define TERN_CONDITIONER_H

#include <tern/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A network that a driver is put on: of the simulator's making, or your own. */
typedef struct tern_conditioner tern_conditioner;

/* What it does. All three are called by the driver that it was given to, on that driver's thread, and must not call
 * the driver back. is_out: the direction from the driver to the network. Datagrams are single ones: segment is 0. */
struct tern_conditioner {
    /* A datagram enters; its bytes are copied. 0 (also when it is lost) · TERN_ERR_NOMEM */
    int (*send)(tern_conditioner *self, bool is_out, const tern_datagram *datagram, tern_time now);
    /* When one comes out; TERN_TIME_NEVER: none is inside. */
    tern_time (*next)(const tern_conditioner *self, bool is_out);
    /* Takes one that is due, with the addresses and the mark it entered with, unless the mark was changed on
     * the way. `datagram` lends data with room for len bytes. 1 · 0: none is due · TERN_ERR_BUFFER */
    int (*receive)(tern_conditioner *self, bool is_out, tern_datagram *datagram, tern_time now);
};

#ifdef __cplusplus
}
#endif

#endif
