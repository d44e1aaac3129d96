/* What all controllers have in common: the window's bookkeeping and the list of names.
 * SPDX-License-Identifier: MIT */
#include "recovery/cc.h"

static const struct tern_cc_ops *const controllers[] = {&tern_cc_cubic, &tern_cc_newreno,
                                                        &tern_cc_bbr,   &tern_cc_ledbat,
                                                        &tern_cc_media, &tern_cc_prague};

const struct tern_cc_ops *tern_cc_find(const char *name)
{
    for (size_t i = 0; name != NULL && i < TERN_COUNT_OF(controllers); i++) {
        if (strcmp(controllers[i]->name, name) == 0) {
            return controllers[i];
        }
    }
    return NULL;
}

void tern_cc_init(struct tern_cc *cc, struct tern_cc_state *state, const struct tern_cc_ops *ops,
                  size_t datagram, tern_time now)
{
    uint64_t mds = datagram;
    memset(cc, 0, sizeof *cc);
    memset(state, 0, sizeof *state);
    cc->state = state;
    cc->ops = ops;
    cc->datagram = datagram;
    cc->cwnd = TERN_MIN(10 * mds, TERN_MAX(2 * mds, (uint64_t)14720)); /* RFC 9002 §7.2 */
    cc->ssthresh = UINT64_MAX;
    ops->init(cc, now);
}

void tern_cc_copy(struct tern_cc *cc, const struct tern_cc *from)
{
    struct tern_cc_state *state = cc->state;
    *state = *from->state;
    *cc = *from;
    cc->state = state;
}

bool tern_cc_is_starting(const struct tern_cc *cc)
{
    return cc->ops->is_starting != NULL ? cc->ops->is_starting(cc) : cc->cwnd < cc->ssthresh;
}

uint64_t tern_cc_pace(const struct tern_cc *cc, const struct tern_rtt *rtt)
{
    uint64_t rate = cc->ops->pacing_rate(cc, rtt);
    if (cc->state->recall.phase == TERN_RECALL_JUMPED) {
        rate = TERN_MIN(rate, tern_cc_rate_of(cc->cwnd, rtt->smoothed));
    }
    /* A window of two datagrams over a round trip of an hour is no byte a second; but 0 is no pace at all. */
    return TERN_MAX(rate, (uint64_t)cc->datagram);
}

/* Losses of packets that left before are still of the old episode (recovery_start stays), but nobody
 * knows any more how to take its reduction back. */
void tern_cc_switch(struct tern_cc *cc, const struct tern_cc_ops *ops, const struct tern_rtt *rtt,
                    const struct tern_rate *rate, tern_time now)
{
    struct tern_cc_run run = {.rtt = rtt, .rate = rate, .is_starting = tern_cc_is_starting(cc)};
    uint64_t window = cc->ops->window != NULL ? cc->ops->window(cc) : cc->cwnd;
    cc->cwnd = TERN_MAX(window, tern_cc_min_window(cc));
    cc->ssthresh = run.is_starting ? cc->ssthresh : cc->cwnd;
    cc->state->episode.lost = cc->state->episode.end_pn = 0;
    cc->state->recall.phase = TERN_RECALL_NONE;
    tern_prr_end(&cc->state->prr);
    cc->ops = ops;
    ops->init(cc, now);
    if (ops->adopt != NULL && rtt->has_sample) {
        ops->adopt(cc, &run, now);
    }
}

void tern_cc_on_sent(struct tern_cc *cc, size_t bytes, const struct tern_rate *rate, tern_time now)
{
    cc->bytes_in_flight += bytes;
    cc->state->use.peak[1] = TERN_MAX(cc->state->use.peak[1], cc->bytes_in_flight);
    cc->state->use.was_full[1] = cc->state->use.was_full[1] || tern_cc_room(cc) < cc->datagram;
    tern_prr_on_sent(&cc->state->prr, bytes);
    cc->ops->on_sent(cc, bytes, rate, now);
}

static void note_use(struct tern_cc *cc, const struct tern_cc_ack *ack)
{
    if (ack->largest_pn < cc->state->use.end_pn) {
        return;
    }
    cc->state->use.end_pn = ack->next_pn;
    cc->state->use.peak[0] = cc->state->use.peak[1];
    cc->state->use.was_full[0] = cc->state->use.was_full[1];
    cc->state->use.peak[1] = cc->bytes_in_flight;
    cc->state->use.was_full[1] = tern_cc_room(cc) < cc->datagram;
}

bool tern_cc_is_window_used(const struct tern_cc *cc)
{
    uint64_t peak = TERN_MAX(cc->state->use.peak[0], cc->state->use.peak[1]);
    return cc->state->use.was_full[0] || cc->state->use.was_full[1] ||
           (cc->cwnd < cc->ssthresh && cc->cwnd < 2 * peak);
}

void tern_cc_grow(struct tern_cc *cc, uint64_t bytes)
{
    uint64_t peak = TERN_MAX(cc->state->use.peak[0], cc->state->use.peak[1]);
    cc->cwnd += TERN_MIN(bytes, tern_sub_sat(2 * peak, cc->cwnd));
}

void tern_cc_on_ack(struct tern_cc *cc, const struct tern_cc_ack *ack, tern_time now)
{
    cc->bytes_in_flight = tern_sub_sat(cc->bytes_in_flight, ack->acked_bytes);
    cc->ops->on_ack(cc, ack, now);
    note_use(cc, ack);
    if (cc->state->prr.is_on && ack->largest_sent_at > cc->recovery_start) {
        tern_prr_end(
            &cc->state->prr); /* RFC 9002 §7.3.2: a packet sent during recovery has arrived */
    } else if (cc->state->prr.is_on) {
        tern_prr_on_ack(&cc->state->prr, ack->acked_bytes, cc->bytes_in_flight,
                        ack->lost_bytes == 0, cc->datagram);
    }
    if (cc->state->recall.phase != TERN_RECALL_NONE) {
        tern_recall_on_ack(cc, ack, now);
    }
}

static void note_episode(struct tern_cc *cc, const struct tern_cc_loss *loss, tern_time now)
{
    if (loss->largest_pn >= cc->state->episode.end_pn) {
        cc->state->episode.end_pn = loss->next_pn;
        cc->state->episode.began_at = now;
        cc->state->episode.lost = cc->state->episode.spurious = 0;
    }
    cc->state->episode.lost += loss->lost_packets;
    if (loss->is_ecn || loss->persistent) { /* that was no mistake */
        cc->state->episode.lost = UINT64_MAX / 2;
    }
}

void tern_cc_on_loss(struct tern_cc *cc, const struct tern_cc_loss *loss, tern_time now)
{
    cc->bytes_in_flight = tern_sub_sat(cc->bytes_in_flight, loss->lost_bytes);
    tern_time before = cc->recovery_start;
    note_episode(cc, loss, now);
    cc->ops->on_loss(cc, loss, now);
    if (cc->recovery_start == 0 || loss->persistent) { /* slow start, not recovery */
        tern_prr_end(&cc->state->prr);
    } else if (cc->recovery_start != before) {
        tern_prr_begin(&cc->state->prr, loss->prior_in_flight, cc->cwnd, cc->datagram);
    }
    if (cc->state->recall.phase != TERN_RECALL_NONE) {
        tern_recall_on_loss(cc, loss, now);
    }
}

void tern_cc_on_spurious(struct tern_cc *cc, uint64_t pn, tern_time lost_at, tern_time now)
{
    if (pn >= cc->state->episode.end_pn || lost_at < cc->state->episode.began_at ||
        cc->state->episode.lost == 0 || ++cc->state->episode.spurious < cc->state->episode.lost) {
        return;
    }
    tern_cc_take_back(cc, now);
}

void tern_cc_take_back(struct tern_cc *cc, tern_time now)
{
    cc->state->episode.lost = 0; /* once */
    if (cc->ops->on_spurious != NULL) {
        cc->ops->on_spurious(cc, now);
        cc->cwnd = TERN_MAX(cc->cwnd, tern_cc_min_window(cc)); /* datagrams may have grown since */
        tern_prr_end(&cc->state->prr);
    }
}

void tern_cc_on_discarded(struct tern_cc *cc, uint64_t bytes)
{
    cc->bytes_in_flight = tern_sub_sat(cc->bytes_in_flight, bytes);
}

void tern_cc_set_datagram(struct tern_cc *cc, size_t datagram)
{
    cc->datagram = datagram;
    cc->cwnd = TERN_MAX(cc->cwnd, tern_cc_min_window(cc));
    cc->ssthresh = TERN_MAX(cc->ssthresh, tern_cc_min_window(cc));
}

uint64_t tern_cc_room(const struct tern_cc *cc)
{
    if (cc->state->prr.is_on) { /* with nothing in flight no ACK would ever bring more room */
        return cc->bytes_in_flight == 0 ? TERN_MAX(cc->state->prr.room, (uint64_t)cc->datagram)
                                        : cc->state->prr.room;
    }
    return tern_sub_sat(cc->cwnd, cc->bytes_in_flight);
}
