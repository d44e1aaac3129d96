/* The phases of careful resume over any controller with a window; one with a model of its own (BBR) is
 * told the volume and does the rest.
 * SPDX-License-Identifier: MIT */
#include "recovery/recall.h"

#include "recovery/cc.h"

#define CAPACITY_INTERVAL (10 * TERN_SEC)
#define RTT_LONGER        10 /* times the saved one: another path */

/* --- observing -------------------------------------------------------------------------------- */

/* A sender that had nothing to say proves no upper bound, but what was delivered was carried. */
void tern_capacity_note(struct tern_capacity *capacity, const struct tern_rate_sample *sample,
                        tern_time now)
{
    if (tern_sub_sat(now, capacity->since) > CAPACITY_INTERVAL) {
        capacity->best[0] = capacity->best[1];
        capacity->best[1] = 0;
        capacity->since = now;
    }
    capacity->best[1] = TERN_MAX(capacity->best[1], sample->rate);
}

uint64_t tern_capacity_volume(const struct tern_capacity *capacity, tern_time min_rtt)
{
    uint64_t rate = TERN_MAX(capacity->best[0], capacity->best[1]);
    uint64_t usecs = min_rtt / TERN_USEC;
    return usecs > 0 && rate > UINT64_MAX / usecs ? UINT64_MAX : rate * usecs / 1000000;
}

/* --- using ------------------------------------------------------------------------------------ */

void tern_recall_begin(struct tern_cc *cc, uint64_t volume, tern_time min_rtt,
                       const struct tern_rate *rate)
{
    cc->state->recall = (struct tern_recall){.phase = TERN_RECALL_SCOUTING,
                                             .volume = volume,
                                             .min_rtt = min_rtt,
                                             .first_window = cc->cwnd,
                                             .first_until = rate->delivered + cc->cwnd};
}

static void end(struct tern_cc *cc)
{
    cc->state->recall.phase = TERN_RECALL_NONE;
}

/* Minimum RTT too small, or so large that the path is another. */
static bool is_same_path(const struct tern_recall *recall, tern_time min_rtt)
{
    return min_rtt > recall->min_rtt / 2 && min_rtt / RTT_LONGER < recall->min_rtt;
}

/* Path confirmed: the jump is to no more than half of what is remembered. It waits for an application
 * that does not use the window that there is, unless the controller does that itself; it then does not
 * wait for the first window either: that the path has its round trip and carries our packets the handshake has
 * shown, and ten more of them would say as little about how much it carries. */
static void jump(struct tern_cc *cc, const struct tern_cc_ack *ack, tern_time now)
{
    struct tern_recall *recall = &cc->state->recall;
    uint64_t volume = recall->volume / 2;
    bool has_model = cc->ops->resume != NULL;
    if (!ack->rtt->has_sample || (!has_model && ack->rate->delivered < recall->first_until)) {
        return;
    }
    if (!is_same_path(recall, ack->rtt->min) || volume <= cc->cwnd || !tern_cc_is_starting(cc)) {
        end(cc);
        return;
    }
    if (has_model) {
        cc->ops->resume(cc, volume, ack);
        end(cc);
        return;
    }
    if (!tern_cc_is_window_used(cc)) {
        return;
    }
    recall->phase = TERN_RECALL_JUMPED;
    recall->pipe = cc->bytes_in_flight;
    recall->from = ack->next_pn;
    recall->jumped_at = now;
    cc->cwnd = volume;
}

/* All of it is out, or one of it is acknowledged, or it has taken a round trip: what was not used of the
 * jump is given back. */
static void check_sent(struct tern_cc *cc, const struct tern_cc_ack *ack, tern_time now)
{
    struct tern_recall *recall = &cc->state->recall;
    bool is_out = tern_cc_room(cc) < cc->datagram || ack->largest_pn >= recall->from ||
                  tern_sub_sat(now, recall->jumped_at) > ack->rtt->smoothed;
    if (!is_out) {
        return;
    }
    recall->phase = TERN_RECALL_VALIDATING;
    recall->until = ack->next_pn;
    if (cc->bytes_in_flight < recall->first_window || cc->bytes_in_flight <= recall->pipe) {
        cc->cwnd = TERN_MAX(recall->pipe, recall->first_window);
        end(cc);
        return;
    }
    cc->cwnd = TERN_MIN(cc->cwnd, cc->bytes_in_flight + ack->acked_bytes);
}

/* The window stays low until all that the jump has sent is accounted for; then slow start may go on to
 * half of what came through. */
static void hold_back(struct tern_cc *cc, const struct tern_cc_ack *ack)
{
    struct tern_recall *recall = &cc->state->recall;
    cc->cwnd = TERN_MIN(cc->cwnd, recall->window);
    if (ack->largest_pn >= recall->until) {
        cc->ssthresh = TERN_MAX(recall->pipe / 2, tern_cc_min_window(cc));
        end(cc);
    }
}

/* The figures above are of the datagrams of that time, which may have grown since. */
static void keep_least(struct tern_cc *cc)
{
    cc->cwnd = TERN_MAX(cc->cwnd, tern_cc_min_window(cc));
}

void tern_recall_on_ack(struct tern_cc *cc, const struct tern_cc_ack *ack, tern_time now)
{
    struct tern_recall *recall = &cc->state->recall;
    recall->pipe += ack->acked_bytes;
    if (recall->phase == TERN_RECALL_SCOUTING) {
        jump(cc, ack, now);
    } else if (recall->phase == TERN_RECALL_JUMPED) {
        check_sent(cc, ack, now);
    } else if (recall->phase == TERN_RECALL_VALIDATING && ack->largest_pn >= recall->until) {
        end(cc);
    } else if (recall->phase == TERN_RECALL_RETREATING) {
        hold_back(cc, ack);
    }
    keep_least(cc);
}

void tern_recall_on_loss(struct tern_cc *cc, const struct tern_cc_loss *loss, tern_time now)
{
    struct tern_recall *recall = &cc->state->recall;
    bool is_over = recall->phase == TERN_RECALL_SCOUTING || loss->persistent;
    if (recall->phase == TERN_RECALL_NONE || is_over) {
        end(cc);
        return;
    }
    if (recall->phase != TERN_RECALL_RETREATING) {
        recall->until = loss->next_pn;
        recall->window = TERN_MAX(recall->pipe / 2, tern_cc_min_window(cc));
        recall->phase = TERN_RECALL_RETREATING;
        cc->recovery_start = TERN_MAX(now, (tern_time)1);
    }
    cc->cwnd = TERN_MIN(cc->cwnd, recall->window);
    keep_least(cc);
    cc->ssthresh = TERN_MIN(cc->ssthresh, cc->cwnd);
    cc->state->episode.lost = UINT64_MAX / 2; /* not to be taken back: the memory was wrong */
    tern_prr_end(&cc->state->prr);            /* nor to be gradual, when so much may be too much */
}
