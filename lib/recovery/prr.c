/* The arithmetic of RFC 9937 section 6.2, in bytes.
 * SPDX-License-Identifier: MIT */
#include "recovery/prr.h"

void tern_prr_begin(struct tern_prr *prr, uint64_t in_flight, uint64_t target, size_t datagram)
{
    *prr = (struct tern_prr){.is_on = true,
                             .target = target,
                             .recover_fs = TERN_MAX(in_flight, (uint64_t)1),
                             .room = datagram};
}

/* delivered * target / recover_fs in whole datagrams, upwards: in bytes, a window of two datagrams
 * would wait for a second ACK before it may send anything. */
static uint64_t share(const struct tern_prr *prr, size_t datagram)
{
    uint64_t delivered = TERN_MIN(prr->delivered, UINT64_C(1) << 31);
    uint64_t target = TERN_MIN(prr->target, UINT64_C(1) << 31);
    uint64_t bytes = (delivered * target + prr->recover_fs - 1) / prr->recover_fs;
    return (bytes + datagram - 1) / datagram * datagram;
}

void tern_prr_on_ack(struct tern_prr *prr, uint64_t delivered, uint64_t in_flight, bool is_safe,
                     size_t datagram)
{
    uint64_t room;
    prr->delivered += delivered;
    if (in_flight > prr->target) { /* proportionally down */
        room = tern_sub_sat(share(prr, datagram), prr->out);
    } else { /* below the target already: conserve packets, or climb back when it is safe */
        room = TERN_MAX(tern_sub_sat(prr->delivered, prr->out), delivered);
        room += is_safe ? datagram : 0;
        room = TERN_MIN(room, prr->target - in_flight);
    }
    if (prr->out == 0 && room < datagram) {
        room = datagram; /* the fast retransmission */
    }
    prr->room = room;
}

void tern_prr_on_sent(struct tern_prr *prr, uint64_t bytes)
{
    prr->out += bytes;
    prr->room = tern_sub_sat(prr->room, bytes);
}

void tern_prr_end(struct tern_prr *prr)
{
    prr->is_on = false;
}
