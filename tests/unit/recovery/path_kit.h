/* A modelled path for one controller: a fixed rate behind a droptail queue, a delay, random loss.
 *
 * It is the smallest loop that closes: the controller and the pacer decide when packets leave, the
 * path drops or carries them, every one that arrives is acknowledged, and what three later ones have
 * overtaken is lost (RFC 9002 section 6.1.1). One thread, one clock, one seed.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_TESTS_UNIT_RECOVERY_PATH_KIT_H
#define TERN_TESTS_UNIT_RECOVERY_PATH_KIT_H

#include "recovery/cc.h"
#include "recovery/loss.h"
#include "recovery/pacer.h"

#define PATH_MDS     1200
#define PATH_RING    32768
#define PATH_START   (3600 * TERN_SEC)
#define PATH_BUCKETS 2000 /* of a tenth of a millisecond */

struct path_packet {
    struct tern_sent_packet sent;
    tern_time acked_at; /* TERN_TIME_NEVER: it was dropped */
    bool is_acked;
};

struct path {
    /* what the path is; may be changed while it runs */
    uint64_t bottleneck; /* bytes a second */
    tern_time delay;     /* there and back */
    uint64_t queue;      /* bytes that may wait */
    uint64_t loss_ppm;   /* in a million, after the queue */
    uint64_t limit;      /* the application has no packet from this number on */
    /* how it went */
    uint64_t overflows, losses, events;
    uint64_t first_loss_window; /* the window when the first packet was dropped; 0: none was */
    uint64_t delays[PATH_BUCKETS], delay_count;
    /* the machinery */
    struct tern_cc cc;
    struct tern_cc_state state;
    struct tern_rtt rtt;
    struct tern_rate rate;
    struct tern_pacer pacer;
    struct path_packet packets[PATH_RING];
    uint64_t first, arriving, next; /* packet numbers */
    tern_time free_at, now, sent_at;
    uint64_t seed;
};

/* 100 Mbit/s, 50 ms, a queue of one product of both. */
static inline void path_init(struct path *path, const char *name, uint64_t loss_ppm, uint64_t seed)
{
    memset(path, 0, sizeof *path);
    path->bottleneck = 12500000;
    path->delay = 50 * TERN_MSEC;
    path->queue = 625000;
    path->loss_ppm = loss_ppm;
    path->limit = UINT64_MAX;
    path->seed = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    path->now = path->free_at = PATH_START;
    tern_rtt_init(&path->rtt, 333 * TERN_MSEC);
    tern_rate_init(&path->rate);
    tern_cc_init(&path->cc, &path->state, tern_cc_find(name), PATH_MDS, path->now);
    tern_pacer_init(&path->pacer, PATH_MDS);
}

static inline bool path_chance(struct path *path)
{
    path->seed ^= path->seed << 13;
    path->seed ^= path->seed >> 7;
    path->seed ^= path->seed << 17;
    return (path->seed >> 11) % 1000000 < path->loss_ppm;
}

/* Through the queue, over the wire, and back as an ACK; or not. */
static inline tern_time path_carry(struct path *path)
{
    tern_time wait = tern_sub_sat(path->free_at, path->now);
    uint64_t waiting = wait / TERN_USEC * (path->bottleneck / 1000) / 1000;
    size_t bucket = (size_t)TERN_MIN(wait / (100 * TERN_USEC), (tern_time)(PATH_BUCKETS - 1));
    path->delays[bucket]++;
    path->delay_count++;
    bool is_lost = path_chance(path);
    if (waiting + PATH_MDS > path->queue + PATH_MDS) {
        path->overflows++;
        path->first_loss_window =
            path->first_loss_window == 0 ? path->cc.cwnd : path->first_loss_window;
        return TERN_TIME_NEVER;
    }
    path->free_at = TERN_MAX(path->free_at, path->now) + PATH_MDS * TERN_SEC / path->bottleneck;
    if (is_lost) {
        path->losses++;
        return TERN_TIME_NEVER;
    }
    return path->free_at + path->delay;
}

static inline void path_send_one(struct path *path)
{
    struct path_packet *packet = &path->packets[path->next % PATH_RING];
    *packet = (struct path_packet){.sent = {.sent_at = path->now,
                                            .size = PATH_MDS,
                                            .flags = TERN_SENT_IN_FLIGHT | TERN_SENT_ELICITING}};
    tern_rate_on_sent(&path->rate, &packet->sent, path->cc.bytes_in_flight, path->now);
    tern_cc_on_sent(&path->cc, PATH_MDS, &path->rate, path->now);
    tern_pacer_on_sent(&path->pacer, PATH_MDS, path->now);
    packet->acked_at = path_carry(path);
    path->sent_at = path->now;
    path->next++;
}

static inline bool path_may_send(const struct path *path)
{
    return path->next < path->limit && path->next - path->first < PATH_RING &&
           tern_cc_room(&path->cc) >= PATH_MDS;
}

static inline void path_send(struct path *path)
{
    while (path_may_send(path) && tern_pacer_budget(&path->pacer, path->now) >= PATH_MDS) {
        path_send_one(path);
    }
    if (path->next >= path->limit && tern_cc_room(&path->cc) >= PATH_MDS) {
        tern_rate_on_app_limited(&path->rate, path->cc.bytes_in_flight);
    }
}

/* Everything below `bound` that was not acknowledged is lost, as one event. */
static inline void path_lose_below(struct path *path, uint64_t bound)
{
    struct tern_cc_loss loss = {
        .prior_in_flight = path->cc.bytes_in_flight, .rtt = &path->rtt, .rate = &path->rate};
    for (; path->first < bound; path->first++) {
        const struct path_packet *packet = &path->packets[path->first % PATH_RING];
        if (packet->is_acked) {
            continue;
        }
        tern_rate_on_lost(&path->rate, &packet->sent);
        loss.lost_bytes += PATH_MDS;
        loss.latest_sent_at = packet->sent.sent_at;
        loss.largest_pn = path->first;
        loss.tx_in_flight = packet->sent.in_flight_before + PATH_MDS;
        loss.lost_since_sent = path->rate.lost - packet->sent.lost_before;
        loss.delivered_since_sent = path->rate.delivered - packet->sent.delivered;
    }
    if (loss.lost_bytes > 0) {
        path->events++;
        tern_cc_on_loss(&path->cc, &loss, path->now);
    }
}

static inline void path_receive(struct path *path, uint64_t pn)
{
    struct path_packet *packet = &path->packets[pn % PATH_RING];
    struct tern_rate_sample sample = {0};
    tern_time rtt = path->now - packet->sent.sent_at;
    uint64_t prior = path->cc.bytes_in_flight;
    packet->is_acked = true;
    tern_rtt_update(&path->rtt, rtt, 0, path->now);
    path_lose_below(path, tern_sub_sat(pn + 1, TERN_LOSS_PACKET_THRESHOLD));
    tern_rate_on_acked(&path->rate, &packet->sent, &sample, path->now);
    tern_rate_finish(&path->rate, &sample, path->rtt.min);
    struct tern_cc_ack ack = {
        .acked_bytes = PATH_MDS,
        .largest_sent_at = packet->sent.sent_at,
        .largest_pn = pn,
        .prior_in_flight = prior,
        .rtt = &path->rtt,
        .rtt_sample = rtt,
        .rate = &path->rate,
        .sample = &sample,
        .next_pn = path->next,
    };
    tern_cc_on_ack(&path->cc, &ack, path->now);
    tern_pacer_set_rate(&path->pacer, path->cc.ops->pacing_rate(&path->cc, &path->rtt), PATH_MDS,
                        path->now);
}

/* The next number whose ACK is on its way; path->next if there is none. */
static inline uint64_t path_next_arrival(struct path *path)
{
    while (path->arriving < path->next &&
           path->packets[path->arriving % PATH_RING].acked_at == TERN_TIME_NEVER) {
        path->arriving++;
    }
    return path->arriving;
}

/* One event, or the end of the time. */
static inline void path_step(struct path *path, tern_time end)
{
    path_send(path);
    uint64_t pn = path_next_arrival(path);
    tern_time ack = pn < path->next ? path->packets[pn % PATH_RING].acked_at : TERN_TIME_NEVER;
    tern_time pace =
        path_may_send(path) ? tern_pacer_next(&path->pacer, PATH_MDS) : TERN_TIME_NEVER;
    tern_time probe = path->cc.bytes_in_flight > 0 && pn == path->next
                          ? path->sent_at + tern_rtt_pto(&path->rtt, 0)
                          : TERN_TIME_NEVER; /* the whole tail was dropped */
    tern_time at = TERN_MIN(TERN_MIN(ack, probe), TERN_MAX(pace, path->now + 1));
    path->now = TERN_MIN(at, end);
    if (path->now >= ack) {
        path->arriving++;
        path_receive(path, pn);
    } else if (path->now >= probe) {
        path_lose_below(path, path->next);
    }
}

static inline void path_run(struct path *path, tern_time length)
{
    tern_time end = path->now + length;
    while (path->now < end) {
        path_step(path, end);
    }
}

/* Two over one bottleneck, behind one queue, in turns of 50 us. Who is first in a turn has the place
 * that became free in a full queue, so chance decides. */
static inline void path_run_both(struct path *one, struct path *other, tern_time length)
{
    tern_time end = one->now + length;
    while (one->now < end) {
        bool is_first = one->now / (50 * TERN_USEC) * UINT64_C(0x9e3779b97f4a7c15) >> 63 != 0;
        struct path *first = is_first ? one : other, *second = is_first ? other : one;
        first->free_at = TERN_MAX(one->free_at, other->free_at);
        path_run(first, 50 * TERN_USEC);
        second->free_at = first->free_at;
        path_run(second, 50 * TERN_USEC);
    }
}

/* Forgets the delays so far, so that a percentile leaves slow start out. */
static inline void path_forget_delays(struct path *path)
{
    memset(path->delays, 0, sizeof path->delays);
    path->delay_count = 0;
}

static inline double path_delay_ms(const struct path *path, uint64_t percent)
{
    uint64_t seen = 0;
    for (size_t i = 0; i < PATH_BUCKETS; i++) {
        seen += path->delays[i];
        if (seen * 100 >= path->delay_count * percent) {
            return (double)(i + 1) / 10;
        }
    }
    return PATH_BUCKETS / 10.0;
}

/* Delivered since the start, in hundredths of what the bottleneck could have carried. */
static inline uint64_t path_share(const struct path *path)
{
    tern_time ms = (path->now - PATH_START) / TERN_MSEC;
    return path->rate.delivered * 100 / (path->bottleneck / 1000 * ms);
}

#endif
