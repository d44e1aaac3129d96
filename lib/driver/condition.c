/* Datagrams by way of a conditioner: one at a time, since each has a fate of its own.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "driver/udp.h"

int tern_udp_set_conditioner(tern_udp *udp, tern_conditioner *conditioner)
{
    if (conditioner != NULL && udp->conditioned == NULL) {
        udp->conditioned = malloc(TERN_UDP_SLOT_SIZE);
        if (udp->conditioned == NULL) {
            return TERN_ERR_NOMEM;
        }
    }
    udp->conditioner = conditioner;
    return 0;
}

/* `all` may hold several of `segment` bytes, the last maybe shorter. */
static int enter(struct tern_udp *udp, bool is_out, const tern_datagram *all, tern_time now)
{
    size_t segment = all->segment > 0 ? all->segment : all->len;
    int rc = 0;
    for (size_t at = 0; at < all->len && rc == 0; at += segment) {
        tern_datagram one = *all;
        one.data = all->data + at;
        one.len = all->len - at < segment ? all->len - at : segment;
        one.segment = 0;
        rc = udp->conditioner->send(udp->conditioner, is_out, &one, now);
    }
    return rc;
}

int tern_udp_condition_out(struct tern_udp *udp, tern_train *train, tern_time now)
{
    int n;
    while ((n = tern_endpoint_transmit(udp->endpoint, train, now)) > 0) {
        tern_datagram all = {.local = train->local,
                             .remote = train->remote,
                             .data = train->data,
                             .len = train->len,
                             .segment = train->segment,
                             .ecn = train->ecn};
        int rc = enter(udp, true, &all, now);
        if (rc != 0) {
            return rc;
        }
    }
    tern_datagram due = {.data = train->data, .len = train->capacity};
    int came = udp->conditioner->receive(udp->conditioner, true, &due, now);
    if (came > 0) {
        train->local = due.local;
        train->remote = due.remote;
        train->len = train->segment = due.len;
        train->ecn = due.ecn;
    }
    return n < 0 ? n : came;
}

int tern_udp_condition_in(struct tern_udp *udp, const tern_datagram *in, size_t n, tern_time now)
{
    int rc = 0;
    for (size_t i = 0; i < n; i++) {
        int each = enter(udp, false, &in[i], now);
        rc = rc != 0 ? rc : each;
    }
    return rc;
}

int tern_udp_condition_deliver(struct tern_udp *udp, tern_time now)
{
    tern_conditioner *conditioner = udp->conditioner;
    tern_datagram due = {.data = udp->conditioned, .len = TERN_UDP_SLOT_SIZE};
    int rc = 0, came;
    while ((came = conditioner->receive(conditioner, false, &due, now)) > 0) {
        int each = tern_endpoint_receive(udp->endpoint, &due, 1, now);
        rc = rc != 0 ? rc : each;
        due = (tern_datagram){.data = udp->conditioned, .len = TERN_UDP_SLOT_SIZE};
    }
    return came < 0 ? came : rc;
}
