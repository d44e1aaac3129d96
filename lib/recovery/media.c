/* A controller for encoders and games: a rate that the application sets, inside what the path is seen
 * to carry, over a queue that stays short.
 *
 * The manner of SCReAM (RFC 8298) and of the requirements in RFC 8836: once a round trip the delay
 * that queues add, what was delivered and what was lost are looked at together. A queue means that
 * the path is full, and that what it delivered meanwhile is its capacity; the rate goes a little below
 * and the queue drains. Random loss of a few per cent moves nothing. A queue that does not drain when
 * we slow down is somebody else's: then the flow takes its share by losses, as the others do.
 * Integers only, so that every machine agrees.
 * SPDX-License-Identifier: MIT */
#include "recovery/cc.h"

#define ROUND_MIN       (25 * TERN_MSEC)
#define SLOTS           6 /* of the least delay, ... */
#define SLOT            (10 * TERN_SEC)
#define QUEUE_MOST      (12 * TERN_MSEC) /* a standing queue is overuse from here on at the latest */
#define QUEUE_LEAST     (4 * TERN_MSEC)  /* ... and not before */
#define NOISE_MOST      (30 * TERN_MSEC) /* of a delay that does not depend on us */
#define JITTER_GAIN     6
#define ROUNDS          8  /* whose delivery is remembered */
#define GAIN_NEAR       10 /* growth a round near the last known capacity, thousandths */
#define GAIN_BELOW      50
#define GAIN_MOST       60
#define START_GAIN      150 /* hundredths */
#define START_ABOVE     8   /* samples in a row over a queue that end the start at once */
#define BACKOFF         95  /* of the capacity that was seen, hundredths */
#define BACKOFF_MARKED  85
#define BACKOFF_COMPETE 70                /* as CUBIC: RFC 9438 §4.6 */
#define DRAIN_TIME      (400 * TERN_MSEC) /* in which a queue should be gone */
#define DRAIN_LEAST     10                /* hundredths of the rate */
#define DRAIN_MOST      50
#define PATIENCE        TERN_SEC /* a queue that has not begun to drain by then is not ours */
#define TEST_EVERY      (5 * TERN_SEC)
#define TEST_ROUNDS     3
#define LOSS_WINDOW     (500 * TERN_MSEC)
#define LOSS_PACKETS    50
#define LOSS_MOST       200  /* ten-thousandths that need no answer */
#define LOSS_START      1000 /* ... at the start, which runs into a short queue with many more */
#define LOSS_CLEAR      800  /* ... while no queue stands */
#define LOSS_CHANCE     1600 /* ... in one window of those */
#define LOSS_WINDOWS    8    /* that the mean remembers */
#define LOSS_ANSWER     3000 /* the largest single one */
#define FLOOR_MOST      1000
#define FLOOR_LIFE      (30 * TERN_SEC)

enum media_phase {
    PHASE_START,   /* the capacity is not known */
    PHASE_FOLLOW,  /* at it, or below */
    PHASE_DRAIN,   /* a queue stands: below it until the queue is gone */
    PHASE_COMPETE, /* somebody else keeps the queue full */
    PHASE_TEST     /* ... or do they? Half the rate for a moment shows it */
};

struct media {
    enum media_phase phase;
    uint64_t rate; /* bytes a second that the path is believed to carry for us; 0: not known */
    uint64_t full; /* what it was when the path was last full; 0: never */
    uint64_t gain;
    tern_time minima[SLOTS]; /* TERN_TIME_NEVER: none */
    tern_time slot_at;
    size_t slot;
    tern_time base;     /* the least of all slots */
    tern_time least[2]; /* of the halves of this round; TERN_TIME_NEVER: no sample */
    tern_time half_at;  /* the second begins */
    tern_time queue;    /* by how much the last half round was longer than base */
    tern_time noise;    /* a delay that did not change when we slowed down */
    tern_time jitter;   /* of `queue` from round to round, smoothed */
    tern_time step;     /* the latest such change, and its direction */
    bool was_up;
    bool was_lowered; /* in this drain, to below what the path was seen to carry */
    unsigned above;   /* samples in a row that were too long by the threshold */
    uint64_t round_end, round_delivered;
    tern_time round_at, round_length;
    uint64_t supply[ROUNDS]; /* bytes a second delivered in each of the last rounds */
    size_t supply_at;
    tern_time watch_at; /* when draining, or competing, or the test of it, began */
    tern_time watch_queue;
    uint64_t before; /* the rate when the queue was first seen */
    tern_time cut_at;
    tern_time loss_at; /* when the present window began, and the counts then */
    uint64_t lost, delivered;
    uint64_t loss;                  /* in the last window, ten-thousandths */
    uint64_t loss_mean;             /* of the windows before, too */
    uint64_t loss_first, loss_from; /* and the rate, when answers began; 0: none is on */
    uint64_t floor;                 /* of loss, that no answer changed */
    tern_time floor_at;
};

static_assert(sizeof(struct media) <= sizeof(((struct tern_cc_state *)0)->own), "state fits");

static struct media *media_of(struct tern_cc *cc)
{
    return (struct media *)(void *)cc->state->own;
}

static const struct media *media_in(const struct tern_cc *cc)
{
    return (const struct media *)(const void *)cc->state->own;
}

/* Both are cut where the product would pass 64 bits. */
static uint64_t bytes_within(uint64_t rate, tern_time time)
{
    uint64_t usecs = TERN_MIN(time, 10 * TERN_SEC) / TERN_USEC;
    return TERN_MIN(rate, UINT64_C(1) << 40) * usecs / 1000000;
}

/* --- birth ------------------------------------------------------------------------------------ */

static void forget_delay(struct media *state, tern_time base)
{
    for (size_t i = 0; i < SLOTS; i++) {
        state->minima[i] = TERN_TIME_NEVER;
    }
    state->minima[state->slot] = base;
    state->base = base;
}

static void media_init(struct tern_cc *cc, tern_time now)
{
    struct media *state = media_of(cc);
    memset(cc->state->own, 0, sizeof cc->state->own);
    forget_delay(state, TERN_TIME_NEVER);
    state->least[0] = state->least[1] = TERN_TIME_NEVER;
    state->slot_at = state->round_at = state->loss_at = now;
    state->gain = GAIN_NEAR;
}

static void media_adopt(struct tern_cc *cc, const struct tern_cc_run *run, tern_time now)
{
    struct media *state = media_of(cc);
    forget_delay(state, run->rtt->min);
    state->rate = tern_cc_rate_of(cc->cwnd, run->rtt->smoothed);
    state->phase = run->is_starting ? PHASE_START : PHASE_FOLLOW;
    state->full = run->is_starting ? 0 : state->rate;
    state->supply[0] = state->rate;
    state->round_delivered = state->delivered = run->rate->delivered;
    state->lost = run->rate->lost;
    state->round_at = state->loss_at = now;
}

static uint64_t media_window(const struct tern_cc *cc)
{
    const struct media *state = media_in(cc);
    return state->rate > 0 ? bytes_within(state->rate, state->base + state->queue) : cc->cwnd;
}

static bool media_is_starting(const struct tern_cc *cc)
{
    return media_in(cc)->phase == PHASE_START;
}

static void media_on_sent(struct tern_cc *cc, size_t bytes, const struct tern_rate *rate,
                          tern_time now)
{
    (void)cc;
    (void)bytes;
    (void)rate;
    (void)now;
}

/* --- what a round shows ------------------------------------------------------------------------ */

static void measure_queue(struct media *state, tern_time sample, tern_time now)
{
    for (; now >= state->slot_at + SLOT; state->slot_at += SLOT) {
        state->slot = (state->slot + 1) % SLOTS;
        state->minima[state->slot] = TERN_TIME_NEVER;
        if (now - state->slot_at > SLOTS * SLOT) { /* a long silence: all of them are old */
            state->slot_at = now - SLOTS * SLOT;
        }
    }
    if (sample == 0) {
        return;
    }
    size_t half = now >= state->half_at ? 1 : 0;
    state->least[half] = TERN_MIN(state->least[half], sample);
    state->minima[state->slot] = TERN_MIN(state->minima[state->slot], sample);
    state->base = state->minima[0];
    for (size_t i = 1; i < SLOTS; i++) {
        state->base = TERN_MIN(state->base, state->minima[i]);
    }
}

/* Half of what the queue may come to in nineteen of twenty cases: a sixth of the round trip between
 * two bounds, but always the time of two datagrams. */
static tern_time queue_threshold(const struct tern_cc *cc)
{
    const struct media *state = media_in(cc);
    tern_time sixth = TERN_MAX(TERN_MIN(state->base / 6, QUEUE_MOST), QUEUE_LEAST);
    tern_time two = 2 * cc->datagram * TERN_SEC / TERN_MAX(state->rate, UINT64_C(1));
    return TERN_MAX(sixth, TERN_MIN(two, 4 * QUEUE_MOST)) + state->noise +
           TERN_MIN(JITTER_GAIN * state->jitter, NOISE_MOST);
}

static uint64_t best_supply(const struct media *state, size_t rounds)
{
    uint64_t best = 0;
    for (size_t i = 0; i < rounds; i++) {
        best = TERN_MAX(best, state->supply[(state->supply_at + ROUNDS - i) % ROUNDS]);
    }
    return best;
}

/* A queue grows for a while and then falls for a while. What goes up and down by turns is the path's
 * own jitter; the smaller of two such steps is its measure. */
static void note_step(struct media *state, tern_time before)
{
    bool is_up = state->queue > before;
    tern_time step = is_up ? state->queue - before : before - state->queue;
    tern_time both = is_up != state->was_up ? TERN_MIN(step, state->step) : 0;
    state->jitter = (15 * state->jitter + TERN_MIN(both, QUEUE_MOST)) / 16;
    state->step = step;
    state->was_up = is_up;
}

/* Without the time for which the peer kept its answer back, which is no queue. (RFC 9002 §5.3) */
static tern_time sample_of(const struct tern_cc_ack *ack)
{
    bool is_credible = ack->rtt_sample >= ack->rtt->min + ack->delay;
    return is_credible ? ack->rtt_sample - ack->delay : ack->rtt_sample;
}

static bool round_is_over(struct media *state, const struct tern_cc_ack *ack, tern_time now)
{
    if (ack->largest_pn < state->round_end || now < state->round_at + ROUND_MIN) {
        return false;
    }
    state->round_length = now - state->round_at;
    uint64_t bytes = tern_sub_sat(ack->rate->delivered, state->round_delivered);
    state->supply_at = (state->supply_at + 1) % ROUNDS;
    state->supply[state->supply_at] =
        TERN_MAX(tern_cc_rate_of(bytes, state->round_length), ack->sample->rate);
    state->round_end = ack->next_pn;
    state->round_delivered = ack->rate->delivered;
    state->round_at = now;
    tern_time least = state->least[1] < TERN_TIME_NEVER ? state->least[1] : state->least[0];
    tern_time before = state->queue;
    state->queue = least < TERN_TIME_NEVER ? tern_sub_sat(least, state->base) : before;
    note_step(state, before);
    state->least[0] = state->least[1] = TERN_TIME_NEVER;
    state->half_at = now + TERN_MAX(ack->rtt->smoothed, ROUND_MIN) / 2;
    return true;
}

/* --- the rate ---------------------------------------------------------------------------------- */

static void set_rate(struct tern_cc *cc, uint64_t rate, const struct tern_rtt *rtt)
{
    uint64_t least =
        tern_cc_rate_of(tern_cc_min_window(cc), TERN_MAX(rtt->smoothed, 100 * TERN_MSEC));
    media_of(cc)->rate = TERN_MAX(rate, least);
}

/* More is believed of the path than a quarter above what it has shown: no. An encoder that follows
 * the estimate climbs by it. */
static bool is_proved(const struct media *state)
{
    uint64_t best = best_supply(state, ROUNDS);
    return state->rate <= (state->phase == PHASE_START ? 2 * best : best + best / 4);
}

/* Slowly where the path was full before, or begins to be; faster the further that lies behind. */
static void raise_rate(struct tern_cc *cc, const struct tern_rtt *rtt)
{
    struct media *state = media_of(cc);
    if (state->queue > queue_threshold(cc) / 4) {
        state->gain = GAIN_NEAR;
    } else if (state->rate < state->full / 10 * 9) {
        state->gain = GAIN_BELOW;
    } else if (state->rate <= state->full + state->full / 20) {
        state->gain = GAIN_NEAR;
    } else {
        state->gain = TERN_MIN(2 * state->gain, (uint64_t)GAIN_MOST);
    }
    set_rate(cc, state->rate + state->rate / 1000 * state->gain, rtt);
}

static void begin_watch(struct media *state, enum media_phase phase, tern_time now)
{
    state->phase = phase;
    state->watch_at = now;
    state->watch_queue = state->queue;
}

static uint64_t within_wish(const struct tern_cc *cc, uint64_t rate)
{
    return cc->wanted_rate > 0 ? TERN_MIN(rate, cc->wanted_rate) : rate;
}

static uint64_t media_pacing_rate(const struct tern_cc *cc, const struct tern_rtt *rtt)
{
    const struct media *state = media_in(cc);
    uint64_t rate = state->rate > 0 ? state->rate : 2 * tern_cc_rate_of(cc->cwnd, rtt->smoothed);
    if (state->phase == PHASE_DRAIN) {
        uint64_t less = state->queue * 100 / DRAIN_TIME;
        less = TERN_MAX(TERN_MIN(less, (uint64_t)DRAIN_MOST), (uint64_t)DRAIN_LEAST);
        rate = rate / 100 * (100 - less);
    } else if (state->phase == PHASE_TEST) {
        rate /= 2;
    }
    return within_wish(cc, rate);
}

/* The path is full. What it delivers while a queue stands is what it can do. */
static void begin_drain(struct tern_cc *cc, const struct tern_rtt *rtt, tern_time now)
{
    struct media *state = media_of(cc);
    uint64_t supply = best_supply(state, 2);
    state->full = supply > 0 ? TERN_MIN(state->rate, supply) : state->rate;
    state->before = state->full;
    state->was_lowered = false;
    state->gain = GAIN_NEAR;
    set_rate(cc, state->full / 100 * BACKOFF, rtt);
    begin_watch(state, PHASE_DRAIN, now);
}

static void start_up(struct tern_cc *cc, const struct tern_rtt *rtt, tern_time now)
{
    struct media *state = media_of(cc);
    if (state->queue > queue_threshold(cc)) {
        begin_drain(cc, rtt, now);
    } else if (is_proved(state) &&
               (cc->wanted_rate == 0 || state->rate <= cc->wanted_rate + cc->wanted_rate / 4)) {
        set_rate(cc, state->rate / 100 * START_GAIN, rtt);
    }
}

/* The rate grows by half a round trip, so that to wait for the end of one would cost a long queue. */
static void stop_start(struct tern_cc *cc, const struct tern_cc_ack *ack, tern_time now)
{
    struct media *state = media_of(cc);
    tern_time sample = sample_of(ack);
    if (sample == 0 || state->phase != PHASE_START) {
        return;
    }
    state->above = sample > state->base + queue_threshold(cc) ? state->above + 1 : 0;
    if (state->above >= START_ABOVE) {
        uint64_t *supply = &state->supply[state->supply_at];
        *supply = TERN_MAX(*supply, ack->sample->rate);
        state->queue = sample - state->base;
        begin_drain(cc, ack->rtt, now);
    }
}

/* What is lost while no queue stands is seldom lost for want of capacity: bursts on a radio link are. A few of
 * them fill a window, so that it is the mean of some windows that counts, and of one only what chance does not
 * explain. A policer has no queue either, but its losses do not end. */
static uint64_t loss_above(const struct tern_cc *cc)
{
    const struct media *state = media_in(cc);
    bool is_starting = state->phase == PHASE_START;
    uint64_t most = is_starting ? LOSS_START : LOSS_MOST + state->floor;
    if (state->queue > queue_threshold(cc) / 2) {
        return tern_sub_sat(state->loss, most);
    }
    uint64_t mean = TERN_MIN(state->loss, state->loss_mean);
    return TERN_MAX(tern_sub_sat(mean, TERN_MAX(LOSS_CLEAR, most)),
                    tern_sub_sat(state->loss, TERN_MAX(LOSS_CHANCE, most)));
}

/* What bursts have taken off comes back while they go on, but for a little: else a policer would be tried for
 * ever at the same rate. */
static bool may_grow(const struct tern_cc *cc)
{
    const struct media *state = media_in(cc);
    return state->loss <= LOSS_MOST + state->floor ||
           (loss_above(cc) == 0 && state->rate < state->full / 20 * 19);
}

static void follow(struct tern_cc *cc, const struct tern_rtt *rtt, tern_time now)
{
    struct media *state = media_of(cc);
    tern_time most = queue_threshold(cc);
    if (state->queue < state->noise / 2) {
        state->noise -= state->noise / 16;
    }
    if (state->queue > most) {
        begin_drain(cc, rtt, now);
    } else if (state->queue <= most / 2 && is_proved(state) && may_grow(cc)) {
        raise_rate(cc, rtt);
    }
}

static void drain(struct tern_cc *cc, const struct tern_rtt *rtt, tern_time now)
{
    struct media *state = media_of(cc);
    uint64_t supply = best_supply(state, 2);
    tern_time most = queue_threshold(cc);
    if (state->queue <= most / 2) {
        state->phase = PHASE_FOLLOW;
        return;
    }
    /* Less than we send arrives: the capacity has gone down. As much as we send says nothing. */
    if (state->queue > most && supply > 0 && supply < media_pacing_rate(cc, rtt) / 100 * BACKOFF) {
        state->full = TERN_MIN(supply, state->full);
        set_rate(cc, supply / 100 * BACKOFF, rtt);
    }
    if (now < state->watch_at + TERN_MAX(PATIENCE, 8 * rtt->smoothed)) {
        return;
    }
    if (state->queue > state->watch_queue / 4 * 3 && supply > 0 && !state->was_lowered) {
        /* As much came as was sent: it may be all that the path carries, and then nothing could drain. */
        state->was_lowered = true;
        state->full = TERN_MIN(supply, state->full);
        set_rate(cc, state->full / 100 * BACKOFF_MARKED, rtt);
        begin_watch(state, PHASE_DRAIN, now);
    } else if (state->queue > state->watch_queue / 4 * 3) {
        set_rate(cc, state->before, rtt);
        begin_watch(state, PHASE_TEST, now);
    } else {
        begin_watch(state, PHASE_DRAIN, now);
    }
}

/* A datagram more a round trip, as Reno; the losses are in media_on_loss. */
static void compete(struct tern_cc *cc, const struct tern_rtt *rtt, tern_time now)
{
    struct media *state = media_of(cc);
    if (state->queue <= queue_threshold(cc) / 2) {
        state->full = state->rate;
        state->phase = PHASE_FOLLOW;
    } else if (now >= state->watch_at + TEST_EVERY) {
        begin_watch(state, PHASE_TEST, now);
    } else if (is_proved(state)) {
        uint64_t more = tern_cc_rate_of(cc->datagram, rtt->smoothed);
        tern_time trips = state->round_length / TERN_MAX(rtt->smoothed / 16, (tern_time)1);
        set_rate(cc, state->rate + more * TERN_MIN(trips, (tern_time)64) / 16, rtt);
    }
}

/* At half the rate our own queue falls by half of the time that has been seen of it. One that hardly
 * moves is none: the path has become longer, or its delay is never as short as it once was. */
static void test(struct tern_cc *cc, const struct tern_rtt *rtt, tern_time now)
{
    struct media *state = media_of(cc);
    if (now < state->watch_at + TEST_ROUNDS * rtt->smoothed) {
        return;
    }
    tern_time fell = tern_sub_sat(state->watch_queue, state->queue);
    tern_time rose = tern_sub_sat(state->queue, state->watch_queue);
    tern_time ours = TERN_MIN(rtt->smoothed, state->watch_queue) / 10 * 7;
    if (fell >= ours) {
        state->before = state->rate; /* to return to, if it was another who made room */
        begin_watch(state, PHASE_DRAIN, now);
    } else if (fell + rose <= TERN_MSEC) {
        forget_delay(state, state->base + state->queue);
        state->queue = 0;
        state->phase = PHASE_FOLLOW;
    } else if (fell + rose <= state->queue / 5 && state->queue <= NOISE_MOST) {
        state->noise = state->queue;
        state->phase = PHASE_FOLLOW;
    } else {
        begin_watch(state, PHASE_COMPETE, now);
    }
}

/* --- loss -------------------------------------------------------------------------------------- */

/* Loss that stays the same when we send a seventh less is the path's own. */
static void learn_floor(struct media *state, tern_time now)
{
    if (state->loss_from == 0) {
        state->loss_from = state->rate;
        state->loss_first = state->loss;
    } else if (state->rate < state->loss_from / 100 * 85) {
        bool is_same = state->loss >= state->loss_first / 10 * 7;
        state->floor = is_same ? TERN_MIN(state->loss_first, (uint64_t)FLOOR_MOST) : state->floor;
        state->floor_at = now;
        state->loss_from = 0;
    }
}

/* The answer is as large as what is above the limit, so that a path that loses a little by chance is
 * hardly slowed. */
static void answer_losses(struct tern_cc *cc, const struct tern_rtt *rtt, tern_time now)
{
    struct media *state = media_of(cc);
    uint64_t over = loss_above(cc);
    if (over == 0) {
        state->loss_from = 0;
        return;
    }
    uint64_t supply = best_supply(state, ROUNDS);
    if (state->queue <= queue_threshold(cc) / 2) {
        supply += supply /
                  2; /* it shows what was sent, which may have been less than there is room for */
    }
    uint64_t rate = supply > 0 ? TERN_MIN(state->rate, supply) : state->rate;
    learn_floor(state, now);
    if (state->phase == PHASE_START) {
        state->phase = PHASE_FOLLOW;
    }
    state->full = rate;
    state->gain = GAIN_NEAR;
    set_rate(cc, rate / 10000 * (10000 - TERN_MIN(over, (uint64_t)LOSS_ANSWER)), rtt);
}

static void check_loss(struct tern_cc *cc, const struct tern_cc_ack *ack, tern_time now)
{
    struct media *state = media_of(cc);
    uint64_t lost = tern_sub_sat(ack->rate->lost, state->lost);
    uint64_t all = lost + ack->rate->delivered - state->delivered;
    tern_time since = now - state->loss_at;
    if (since < LOSS_WINDOW ||
        (all < LOSS_PACKETS * (uint64_t)cc->datagram && since < 6 * LOSS_WINDOW)) {
        return;
    }
    state->loss = all > 0 ? lost * 10000 / all : 0;
    state->loss_mean = ((LOSS_WINDOWS - 1) * state->loss_mean + state->loss) / LOSS_WINDOWS;
    state->loss_at = now;
    state->lost = ack->rate->lost;
    state->delivered = ack->rate->delivered;
    if (state->floor > 0 && now >= state->floor_at + FLOOR_LIFE) {
        state->floor = 0;
    }
    if (state->phase != PHASE_COMPETE && state->phase != PHASE_TEST) {
        answer_losses(cc, ack->rtt, now);
    }
}

/* Congestion that has been said in so many words: at most once a round trip. */
static void cut_rate(struct tern_cc *cc, const struct tern_cc_loss *loss, uint64_t percent,
                     tern_time now)
{
    struct media *state = media_of(cc);
    if (state->cut_at > 0 && loss->latest_sent_at <= state->cut_at) {
        return;
    }
    uint64_t supply = best_supply(state, 2);
    state->cut_at = TERN_MAX(now, (tern_time)1);
    state->full = supply > 0 ? TERN_MIN(state->rate, supply) : state->rate;
    state->gain = GAIN_NEAR;
    state->phase = state->phase == PHASE_START ? PHASE_FOLLOW : state->phase;
    set_rate(cc, state->full / 100 * percent, loss->rtt);
}

static void media_on_loss(struct tern_cc *cc, const struct tern_cc_loss *loss, tern_time now)
{
    struct media *state = media_of(cc);
    state->noise -= state->noise / 4; /* what ends in losses may be a queue after all */
    if (loss->is_ecn) {
        cut_rate(cc, loss, BACKOFF_MARKED, now);
    } else if (state->phase == PHASE_COMPETE) {
        cut_rate(cc, loss, BACKOFF_COMPETE, now);
    }
    if (loss->persistent) {
        set_rate(cc, state->rate / 2, loss->rtt);
        state->phase = PHASE_START;
        cc->cwnd = tern_cc_min_window(cc);
    }
}

/* --- window and pace ---------------------------------------------------------------------------- */

/* The window only bounds the queue that a sudden loss of capacity makes. */
static void set_window(struct tern_cc *cc, const struct tern_rtt *rtt)
{
    const struct media *state = media_in(cc);
    uint64_t rate = within_wish(cc, state->rate);
    tern_time time = state->base + 4 * queue_threshold(cc);
    if (state->phase == PHASE_START) {
        rate = rate / 100 * START_GAIN;
    } else if (state->phase == PHASE_COMPETE || state->phase == PHASE_TEST) {
        time = TERN_MAX(time, rtt->smoothed / 4 * 5);
    }
    cc->cwnd = TERN_MAX(bytes_within(rate, time), 2 * tern_cc_min_window(cc));
}

static void media_on_ack(struct tern_cc *cc, const struct tern_cc_ack *ack, tern_time now)
{
    struct media *state = media_of(cc);
    measure_queue(state, sample_of(ack), now);
    if (state->base == TERN_TIME_NEVER) {
        return;
    }
    if (state->rate == 0) {
        state->rate = tern_cc_rate_of(cc->cwnd, ack->rtt->smoothed);
    }
    stop_start(cc, ack, now);
    if (round_is_over(state, ack, now)) {
        static void (*const steps[])(struct tern_cc *, const struct tern_rtt *, tern_time) = {
            [PHASE_START] = start_up,  [PHASE_FOLLOW] = follow, [PHASE_DRAIN] = drain,
            [PHASE_COMPETE] = compete, [PHASE_TEST] = test,
        };
        check_loss(cc, ack, now);
        steps[state->phase](cc, ack->rtt, now);
    }
    set_window(cc, ack->rtt);
}

static uint64_t media_estimate(const struct tern_cc *cc)
{
    return media_in(cc)->rate;
}

const struct tern_cc_ops tern_cc_media = {
    .name = "media",
    .init = media_init,
    .adopt = media_adopt,
    .window = media_window,
    .is_starting = media_is_starting,
    .on_sent = media_on_sent,
    .on_ack = media_on_ack,
    .on_loss = media_on_loss,
    .pacing_rate = media_pacing_rate,
    .estimate = media_estimate,
};
