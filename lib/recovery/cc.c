/* What all controllers have in common: the window's bookkeeping and the list of names.
 * SPDX-License-Identifier: MIT */
#include "recovery/cc.h"

static const struct tern_cc_ops *const controllers[] = {&tern_cc_cubic, &tern_cc_newreno,
                                                        &tern_cc_bbr};

const struct tern_cc_ops *tern_cc_find(const char *name)
{
    for (size_t i = 0; name != NULL && i < TERN_COUNT_OF(controllers); i++) {
        if (strcmp(controllers[i]->name, name) == 0) {
            return controllers[i];
        }
    }
    return NULL;
}

void tern_cc_init(struct tern_cc *cc, const struct tern_cc_ops *ops, size_t datagram, tern_time now)
{
    uint64_t mds = datagram;
    memset(cc, 0, sizeof *cc);
    cc->ops = ops;
    cc->datagram = datagram;
    cc->cwnd = TERN_MIN(10 * mds, TERN_MAX(2 * mds, (uint64_t)14720)); /* RFC 9002 §7.2 */
    cc->ssthresh = UINT64_MAX;
    ops->init(cc, now);
}

void tern_cc_on_sent(struct tern_cc *cc, size_t bytes, const struct tern_rate *rate, tern_time now)
{
    cc->bytes_in_flight += bytes;
    cc->ops->on_sent(cc, bytes, rate, now);
}

void tern_cc_on_ack(struct tern_cc *cc, const struct tern_cc_ack *ack, tern_time now)
{
    cc->bytes_in_flight = tern_sub_sat(cc->bytes_in_flight, ack->acked_bytes);
    cc->ops->on_ack(cc, ack, now);
}

void tern_cc_on_loss(struct tern_cc *cc, const struct tern_cc_loss *loss, tern_time now)
{
    cc->bytes_in_flight = tern_sub_sat(cc->bytes_in_flight, loss->lost_bytes);
    cc->ops->on_loss(cc, loss, now);
}

void tern_cc_on_discarded(struct tern_cc *cc, uint64_t bytes)
{
    cc->bytes_in_flight = tern_sub_sat(cc->bytes_in_flight, bytes);
}

void tern_cc_set_datagram(struct tern_cc *cc, size_t datagram)
{
    cc->datagram = datagram;
    cc->cwnd = TERN_MAX(cc->cwnd, tern_cc_min_window(cc));
}

uint64_t tern_cc_room(const struct tern_cc *cc)
{
    return tern_sub_sat(cc->cwnd, cc->bytes_in_flight);
}
