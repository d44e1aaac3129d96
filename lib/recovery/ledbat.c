/* LEDBAT++: takes what others leave of a path and hands it back as soon as they want it.
 * draft-irtf-iccrg-ledbat-plus-plus. Integers only, so that every machine agrees.
 * SPDX-License-Identifier: MIT */
#include "recovery/cc.h"

/* The draft's figures, §4.1 to §4.5; the base history and the filter are RFC 6817's, §4.2. */
#define TARGET            (60 * TERN_MSEC) /* of queueing delay */
#define TARGET_MIN        (TARGET / 4)
#define EXIT_DELAY        (TARGET / 4 * 3) /* ends the first slow start */
#define GAIN_DIVISOR_MAX  16
#define BASE_MINUTES      10
#define FILTER            4
#define FREEZE_RTTS       2
#define SLOWDOWN_INTERVAL 9 /* times the length of the last slowdown */
#define ADOPTED_SLOWDOWN  8 /* round trips that one would have taken before it took over */

enum phase {
    PHASE_FIRST,  /* the first slow start: nothing is known of the path */
    PHASE_STEADY, /* up by GAIN a round trip, or down in proportion to the excess of delay */
    PHASE_FROZEN, /* a slowdown: the minimum, until our own queue has drained and been measured */
    PHASE_REFILL, /* its second half: slow start back to where it was */
};

/* What a loss changes, kept so that it can be taken back. */
struct ledbat_before {
    enum phase phase;
    uint64_t cwnd, ssthresh;
    tern_time target;
};

struct ledbat {
    enum phase phase;
    tern_time minima[BASE_MINUTES]; /* of the RTT, one a minute; NEVER: none */
    tern_time minute_at;            /* when the present minute began */
    size_t minute;
    tern_time recent[FILTER]; /* the latest samples; NEVER: none */
    size_t recent_at;
    tern_time target;
    tern_time base, delay; /* what these come to; base 0: no sample yet */
    uint64_t round_end;    /* the packet number whose ACK ends the round */
    uint64_t acked;        /* towards the next datagram of growth */
    tern_time due;         /* the next slowdown, or the end of the freeze */
    tern_time began_at;    /* the slowdown, moved on by pauses */
    tern_time interval;    /* between the last slowdown and the next */
    tern_time acked_at, smoothed;
    tern_time cut_at;  /* when delay last made the window smaller */
    uint64_t cut_from; /* and what it had been */
    struct ledbat_before before;
};

static_assert(sizeof(struct ledbat) <= sizeof(((struct tern_cc_state *)0)->own), "state fits");

static struct ledbat *ledbat_of(struct tern_cc *cc)
{
    return (struct ledbat *)(void *)cc->state->own;
}

static const struct ledbat *ledbat_in(const struct tern_cc *cc)
{
    return (const struct ledbat *)(const void *)cc->state->own;
}

static void note_before(struct tern_cc *cc)
{
    struct ledbat *state = ledbat_of(cc);
    state->before = (struct ledbat_before){
        .target = state->target, .phase = state->phase, .cwnd = cc->cwnd, .ssthresh = cc->ssthresh};
}

static void ledbat_init(struct tern_cc *cc, tern_time now)
{
    struct ledbat *state = ledbat_of(cc);
    memset(cc->state->own, 0, sizeof cc->state->own);
    for (size_t i = 0; i < BASE_MINUTES; i++) {
        state->minima[i] = TERN_TIME_NEVER;
    }
    for (size_t i = 0; i < FILTER; i++) {
        state->recent[i] = TERN_TIME_NEVER;
    }
    state->minute_at = now;
    state->target = TARGET;
    note_before(cc);
}

static tern_time least_of(const tern_time *times, size_t count)
{
    tern_time least = times[0];
    for (size_t i = 1; i < count; i++) {
        least = TERN_MIN(least, times[i]);
    }
    return least;
}

/* Minima older than ten minutes are forgotten: a path that became longer is learnt by then. So is, in
 * less time, a target that was lowered. */
static void roll_minutes(struct ledbat *state, tern_time now)
{
    tern_time passed = tern_sub_sat(now, state->minute_at) / (60 * TERN_SEC);
    state->minute_at += passed * 60 * TERN_SEC;
    for (tern_time i = 0; i < TERN_MIN(passed, (tern_time)BASE_MINUTES); i++) {
        state->minute = (state->minute + 1) % BASE_MINUTES;
        state->minima[state->minute] = TERN_TIME_NEVER;
        state->target = TERN_MIN(state->target * 3 / 2, TARGET);
    }
}

/* RFC 6817 §3.4.2 with round trips. The least of four samples keeps delayed ACKs out. */
static void measure_delay(struct ledbat *state, tern_time sample, tern_time now)
{
    roll_minutes(state, now);
    if (sample == 0) {
        return;
    }
    state->minima[state->minute] = TERN_MIN(state->minima[state->minute], sample);
    state->recent[state->recent_at] = sample;
    state->recent_at = (state->recent_at + 1) % FILTER;
    state->base = least_of(state->minima, BASE_MINUTES);
    state->delay = tern_sub_sat(least_of(state->recent, FILTER), state->base);
}

/* 1 / GAIN, §4.2: on a path shorter than the queue that is aimed at, others get by with less. */
static uint64_t gain_divisor(const struct ledbat *state)
{
    if (state->base == 0) {
        return GAIN_DIVISOR_MAX;
    }
    tern_time ratio = (2 * TARGET + state->base - 1) / state->base;
    return TERN_MIN(ratio, (tern_time)GAIN_DIVISOR_MAX);
}

static void begin_slowdown(struct tern_cc *cc, tern_time now)
{
    struct ledbat *state = ledbat_of(cc);
    state->phase = PHASE_FROZEN;
    state->began_at = now;
    state->due = now + FREEZE_RTTS * state->smoothed;
    cc->ssthresh = cc->cwnd;
    cc->cwnd = tern_cc_min_window(cc);
}

/* §4.4: they cost a tenth of the time. */
static void end_slowdown(struct ledbat *state, tern_time now)
{
    state->phase = PHASE_STEADY;
    state->acked = 0;
    state->interval = SLOWDOWN_INTERVAL * tern_sub_sat(now, state->began_at);
    state->due = now + state->interval;
}

/* §4.4: the first slowdown comes two round trips later and measures what slow start filled. */
static void end_start(struct tern_cc *cc, tern_time now)
{
    struct ledbat *state = ledbat_of(cc);
    state->phase = PHASE_STEADY;
    state->acked = 0;
    state->due = now + FREEZE_RTTS * state->smoothed;
    cc->ssthresh = cc->cwnd;
}

/* The path's least round trip is known: the first slowdown need not come at once to measure it. */
static void ledbat_adopt(struct tern_cc *cc, const struct tern_cc_run *run, tern_time now)
{
    struct ledbat *state = ledbat_of(cc);
    state->smoothed = run->rtt->smoothed;
    state->base = state->minima[state->minute] = run->rtt->min;
    state->acked_at = now;
    if (!run->is_starting) {
        state->phase = PHASE_STEADY;
        state->interval = SLOWDOWN_INTERVAL * ADOPTED_SLOWDOWN * state->smoothed;
        state->due = now + state->interval;
    }
    note_before(cc); /* a loss of before may yet be taken back: to here */
}

/* Time in which there was nothing to send is no part of a slowdown, and drains the queue as one. */
static void ledbat_on_sent(struct tern_cc *cc, size_t bytes, const struct tern_rate *rate,
                           tern_time now)
{
    struct ledbat *state = ledbat_of(cc);
    (void)rate;
    if (cc->bytes_in_flight > bytes || state->acked_at == 0) {
        return;
    }
    tern_time pause = tern_sub_sat(now, state->acked_at);
    if (state->phase == PHASE_STEADY && pause >= FREEZE_RTTS * state->smoothed) {
        state->due = TERN_MAX(state->due, now + state->interval);
    }
    state->began_at += pause;
    state->acked_at = now;
}

static bool is_round_over(struct ledbat *state, const struct tern_cc_ack *ack)
{
    if (ack->largest_pn < state->round_end) {
        return false;
    }
    state->round_end = ack->next_pn;
    return true;
}

static void note_cut(struct tern_cc *cc, tern_time now)
{
    ledbat_of(cc)->cut_at = now;
    ledbat_of(cc)->cut_from = cc->cwnd;
}

/* §4.3: GAIN - W (delay / target - 1), but at most half a window a round trip. Once a round trip: the
 * next samples were sent after it and show what it did. */
static void yield(struct tern_cc *cc, tern_time now)
{
    struct ledbat *state = ledbat_of(cc);
    tern_time excess = TERN_MIN(state->delay - state->target, state->target / 2) / TERN_USEC;
    uint64_t down = cc->cwnd * excess / (state->target / TERN_USEC);
    if (state->phase == PHASE_REFILL) {
        end_slowdown(state, now);
    }
    down = tern_sub_sat(down, cc->datagram / gain_divisor(state));
    note_cut(cc, now);
    cc->cwnd = TERN_MAX(cc->cwnd - down, tern_cc_min_window(cc));
    cc->ssthresh = cc->cwnd;
    state->acked = 0;
}

/* §4.1: slow start too is slower by GAIN. */
static void grow_fast(struct tern_cc *cc, uint64_t acked)
{
    uint64_t grown = TERN_MIN(cc->cwnd + acked / gain_divisor(ledbat_of(cc)), cc->ssthresh);
    cc->cwnd = TERN_MAX(cc->cwnd, grown); /* datagrams may have become larger than ssthresh knew */
}

static void grow_steadily(struct tern_cc *cc, uint64_t acked)
{
    struct ledbat *state = ledbat_of(cc);
    uint64_t needed = cc->cwnd * gain_divisor(state);
    state->acked += acked;
    if (state->acked >= needed) {
        state->acked -= needed;
        cc->cwnd += cc->datagram;
    }
}

/* What has been sent for a round trip is not in the delay yet: the window that made it was smaller by
 * that round's growth. Without this step back the round would be answered twice or three times over,
 * by delay, by the loss that it runs into, and by a slowdown to what these leave. */
static void stop_filling(struct tern_cc *cc, uint64_t next_pn, tern_time now)
{
    struct ledbat *state = ledbat_of(cc);
    uint64_t divisor = gain_divisor(state);
    note_cut(cc, now);
    cc->cwnd = TERN_MAX(cc->cwnd / (divisor + 1) * divisor, tern_cc_min_window(cc));
    state->round_end = next_pn;
    end_start(cc, now);
}

static void follow_phase(struct tern_cc *cc, uint64_t acked, tern_time now)
{
    struct ledbat *state = ledbat_of(cc);
    switch (state->phase) {
    case PHASE_FIRST:
        grow_fast(cc, acked);
        break;
    case PHASE_STEADY:
        if (now >= state->due) {
            begin_slowdown(cc, now);
        } else if (state->delay <= state->target) {
            grow_steadily(cc, acked);
        }
        break;
    case PHASE_FROZEN:
        break;
    case PHASE_REFILL:
        grow_fast(cc, acked);
        if (cc->cwnd >= cc->ssthresh) {
            end_slowdown(state, now);
        }
        break;
    }
}

static void ledbat_on_ack(struct tern_cc *cc, const struct tern_cc_ack *ack, tern_time now)
{
    struct ledbat *state = ledbat_of(cc);
    bool is_used = tern_cc_is_window_used(cc);
    bool is_over = is_round_over(state, ack);
    measure_delay(state, ack->rtt_sample, now);
    state->smoothed = ack->rtt->smoothed;
    if (!is_used && state->acked_at > 0) {
        state->began_at += tern_sub_sat(now, state->acked_at);
    }
    state->acked_at = now;
    if (cc->recovery_start > 0 && ack->largest_sent_at <= cc->recovery_start) {
        return;
    }
    if (state->phase == PHASE_FROZEN) {
        state->phase = now >= state->due ? PHASE_REFILL : PHASE_FROZEN;
    } else if (state->phase == PHASE_FIRST && state->delay > EXIT_DELAY) {
        stop_filling(cc, ack->next_pn, now);
    } else if (is_over && state->delay > state->target) {
        yield(cc, now);
    } else if (is_used) { /* RFC 9002 §7.8 */
        follow_phase(cc, ack->acked_bytes, now);
    }
}

/* What was lost was sent before delay made the window smaller: one queue told of itself twice, and the
 * stronger answer is enough. */
static uint64_t half_window(const struct tern_cc *cc, tern_time sent_at)
{
    const struct ledbat *state = ledbat_in(cc);
    uint64_t from = sent_at <= state->cut_at ? TERN_MAX(state->cut_from, cc->cwnd) : cc->cwnd;
    return TERN_MAX(TERN_MIN(from / 2, cc->cwnd), tern_cc_min_window(cc));
}

/* Beyond the draft: where a queue overflows, or marks, before it is as long as the target, delay would
 * never make room for anyone. There the target is half of that queue, and half as much again after each
 * minute: the loss may have had another cause, and flows that learnt different targets must not keep
 * them. */
static void aim_lower(struct ledbat *state)
{
    state->target = TERN_MIN(TERN_MAX(state->delay / 2, TARGET_MIN), TARGET);
}

static void back_off(struct tern_cc *cc, tern_time sent_at, tern_time now)
{
    struct ledbat *state = ledbat_of(cc);
    note_before(cc);
    cc->recovery_start = TERN_MAX(now, (tern_time)1);
    state->acked = 0;
    aim_lower(state);
    if (state->phase == PHASE_FROZEN) { /* the loss was of the window that is to be refilled */
        cc->ssthresh = TERN_MAX(cc->ssthresh / 2, tern_cc_min_window(cc));
        return;
    }
    cc->cwnd = half_window(cc, sent_at);
    if (state->phase == PHASE_FIRST) {
        end_start(cc, now);
    } else if (state->phase == PHASE_REFILL) {
        end_slowdown(state, now);
    }
    cc->ssthresh = cc->cwnd;
}

static void ledbat_on_loss(struct tern_cc *cc, const struct tern_cc_loss *loss, tern_time now)
{
    struct ledbat *state = ledbat_of(cc);
    state->smoothed = loss->rtt->smoothed;
    if (cc->recovery_start == 0 || loss->latest_sent_at > cc->recovery_start) {
        /* once a round trip, which delay must not use a second time */
        back_off(cc, loss->latest_sent_at, now);
        state->round_end = TERN_MAX(state->round_end, loss->next_pn);
    }
    if (loss->persistent) { /* a slowdown of the harder kind */
        cc->cwnd = tern_cc_min_window(cc);
        cc->recovery_start = TERN_MAX(now, (tern_time)1);
        state->phase = PHASE_REFILL;
        state->began_at = now;
    }
}

/* Nothing was lost: back to where it was, or, when a slowdown is on, back to there after it. */
static void ledbat_on_spurious(struct tern_cc *cc, tern_time now)
{
    struct ledbat *state = ledbat_of(cc);
    const struct ledbat_before *before = &state->before;
    bool was_slow = before->phase == PHASE_FROZEN || before->phase == PHASE_REFILL;
    (void)now;
    cc->recovery_start = 0;
    state->target = before->target;
    if (state->phase == PHASE_STEADY && before->phase != PHASE_FROZEN) {
        state->phase = before->phase;
        cc->cwnd = TERN_MAX(cc->cwnd, before->cwnd);
        cc->ssthresh = TERN_MAX(before->ssthresh, cc->ssthresh);
        return;
    }
    cc->ssthresh = TERN_MAX(cc->ssthresh, was_slow ? before->ssthresh : before->cwnd);
    if (state->phase == PHASE_STEADY) { /* the slowdown ended at half of what it should have */
        cc->cwnd = TERN_MAX(cc->cwnd, cc->ssthresh);
    }
}

/* A little above the window's own pace (RFC 9002 §7.7). After a freeze the smoothed round trip has the
 * old queue in it for long, since few samples come; the least of the latest has not. */
static uint64_t ledbat_pacing_rate(const struct tern_cc *cc, const struct tern_rtt *rtt)
{
    const struct ledbat *state = ledbat_in(cc);
    uint64_t gain = 125;
    tern_time trip = rtt->smoothed;
    if (state->phase == PHASE_FIRST || state->phase == PHASE_REFILL) {
        gain = TERN_MIN(gain + 100 / gain_divisor(state), UINT64_C(200));
    }
    if (state->base > 0) {
        trip = TERN_MIN(trip, state->base + state->delay);
    }
    return tern_cc_rate_of(cc->cwnd * gain / 100, trip);
}

const struct tern_cc_ops tern_cc_ledbat = {
    .name = "ledbat",
    .init = ledbat_init,
    .adopt = ledbat_adopt,
    .on_sent = ledbat_on_sent,
    .on_ack = ledbat_on_ack,
    .on_loss = ledbat_on_loss,
    .on_spurious = ledbat_on_spurious,
    .pacing_rate = ledbat_pacing_rate,
};
