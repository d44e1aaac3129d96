/* A weighted line through the swiftest samples, in integers only so that every machine agrees.
 * SPDX-License-Identifier: MIT */
#include "recovery/peerclock.h"

#define STRANGERS_MAX 3
#define LEEWAY        TERN_MSEC          /* between two samples that do not contradict each other */
#define NOISE         (100 * TERN_USEC)  /* of a round trip: as swift as the swiftest ... */
#define WEIGHT_MAX    (1 << 14)          /* ... which has this weight */
#define REACH         (INT64_C(1) << 26) /* ns beside the first point: no line goes through more */
#define PHI           15000              /* ppb of drift unknown to us, RFC 5905 §7.2 */
#define PPB           INT64_C(1000000000)

/* Clocks differ by 50 ppm or so: what speaks for more has to outweigh that, as noise over a short time
 * does not. In ns a ms, against the variance of a uniform error of NOISE. */
#define COMMON_DRIFT 50
#define PRIOR        ((int64_t)(WEIGHT_MAX * (NOISE * NOISE / 12 / (COMMON_DRIFT * COMMON_DRIFT))))

/* The line as sums over the points, relative to the oldest of them: in ms and ns. At most 2^5 points, 2^14
 * weight, 2^16 ms and 2^27 ns: no product of them passes 2^62. */
struct line {
    int64_t weight, x, y; /* of the centre */
    int64_t slope;        /* ppb */
    tern_time delay;      /* the least */
};

void tern_peerclock_init(struct tern_peerclock *pc)
{
    memset(pc, 0, sizeof *pc);
}

static struct tern_peerclock_point *point(struct tern_peerclock *pc, size_t i)
{
    return &pc->points[(pc->first + i) % TERN_PEERCLOCK_POINTS];
}

static int64_t magnitude(int64_t v)
{
    return v < 0 ? -v : v;
}

/* a * b / 10^9 of a time and parts per billion; b is small. */
static int64_t times_ppb(tern_time a, int64_t b)
{
    int64_t seconds = (int64_t)(a / TERN_SEC), rest = (int64_t)(a % TERN_SEC);
    return seconds * b + rest * b / PPB;
}

static int64_t x_of(struct tern_peerclock *pc, size_t i)
{
    return (int64_t)((point(pc, i)->at - point(pc, 0)->at) / TERN_MSEC);
}

static int64_t y_of(struct tern_peerclock *pc, size_t i)
{
    return point(pc, i)->offset - point(pc, 0)->offset;
}

/* Half of what its round trip has above the least one is the error that it may have beyond that of the
 * swiftest: it weighs as the square of that. */
static int64_t weight_of(struct tern_peerclock *pc, size_t i, tern_time least)
{
    tern_time excess = point(pc, i)->delay - least;
    int64_t share = (int64_t)(WEIGHT_MAX * NOISE / (NOISE + excess));
    return magnitude(y_of(pc, i)) > REACH ? 0 : share * share / WEIGHT_MAX;
}

static tern_time least_delay(struct tern_peerclock *pc)
{
    tern_time least = TERN_TIME_NEVER;
    for (size_t i = 0; i < pc->count; i++) {
        least = TERN_MIN(least, point(pc, i)->delay);
    }
    return least;
}

static void find_centre(struct line *line, struct tern_peerclock *pc)
{
    int64_t x = 0, y = 0;
    line->delay = least_delay(pc);
    line->weight = 0;
    for (size_t i = 0; i < pc->count; i++) {
        int64_t w = weight_of(pc, i, line->delay);
        line->weight += w;
        x += w * x_of(pc, i);
        y += w * y_of(pc, i);
    }
    line->weight = TERN_MAX(line->weight, INT64_C(1));
    line->x = x / line->weight;
    line->y = y / line->weight;
}

static void find_slope(struct line *line, struct tern_peerclock *pc)
{
    int64_t xx = PRIOR, xy = 0;
    for (size_t i = 0; i < pc->count; i++) {
        int64_t w = weight_of(pc, i, line->delay);
        int64_t dx = x_of(pc, i) - line->x, dy = y_of(pc, i) - line->y;
        xx += w * dx * dx;
        xy += w * dx * dy;
    }
    int64_t slope = xy / (xx / 1000); /* ns a ms, a thousand times */
    slope = TERN_MIN(slope, (int64_t)TERN_PEERCLOCK_DRIFT_MAX);
    line->slope = TERN_MAX(slope, (int64_t)-TERN_PEERCLOCK_DRIFT_MAX);
}

static int64_t y_on(const struct line *line, int64_t x)
{
    return line->y + (x - line->x) * line->slope / 1000;
}

/* What the points are beside the line, on average. */
static tern_time noise_of(const struct line *line, struct tern_peerclock *pc)
{
    int64_t sum = 0;
    for (size_t i = 0; i < pc->count; i++) {
        sum += weight_of(pc, i, line->delay) * magnitude(y_of(pc, i) - y_on(line, x_of(pc, i)));
    }
    return (tern_time)(sum / line->weight);
}

static void draw(struct tern_peerclock *pc, tern_time now)
{
    struct line line = {0};
    tern_time oldest = point(pc, 0)->at;
    bool is_long = point(pc, pc->count - 1)->at - oldest >= TERN_PEERCLOCK_DRIFT_SPAN;
    find_centre(&line, pc);
    if (is_long) {
        find_slope(&line, pc);
    }
    int64_t x = (int64_t)(tern_sub_sat(now, oldest) / TERN_MSEC);
    tern_time age = is_long ? 0 : (tern_time)magnitude(x - line.x) * TERN_MSEC;
    pc->now.at = now;
    pc->now.offset = point(pc, 0)->offset + y_on(&line, x);
    pc->now.drift = line.slope;
    pc->now.uncertainty = line.delay / 2 + noise_of(&line, pc) + (tern_time)times_ppb(age, PHI);
    pc->now.samples = pc->samples;
}

/* Neither of two samples of the same clock is wrong by more than half of its round trip. */
static bool is_stranger(const struct tern_peerclock *pc, const struct tern_peerclock_point *sample)
{
    if (pc->count == 0) {
        return false;
    }
    tern_time age = tern_sub_sat(sample->at, pc->now.at);
    tern_time leeway = sample->delay / 2 + pc->now.uncertainty + LEEWAY +
                       (tern_time)times_ppb(age, TERN_PEERCLOCK_DRIFT_MAX);
    int64_t expected = pc->now.offset + times_ppb(age, pc->now.drift);
    uint64_t apart = sample->offset > expected ? (uint64_t)sample->offset - (uint64_t)expected
                                               : (uint64_t)expected - (uint64_t)sample->offset;
    return apart > leeway;
}

static void keep_sample(struct tern_peerclock *pc, const struct tern_peerclock_point *sample)
{
    const tern_time window = TERN_PEERCLOCK_POINTS * TERN_PEERCLOCK_SLOT;
    while (pc->count > 0 && sample->at - point(pc, 0)->at >= window) {
        pc->first = (pc->first + 1) % TERN_PEERCLOCK_POINTS;
        pc->count--;
    }
    struct tern_peerclock_point *last = pc->count > 0 ? point(pc, pc->count - 1) : NULL;
    if (last == NULL || last->at / TERN_PEERCLOCK_SLOT != sample->at / TERN_PEERCLOCK_SLOT) {
        if (pc->count == TERN_PEERCLOCK_POINTS) {
            pc->first = (pc->first + 1) % TERN_PEERCLOCK_POINTS;
            pc->count--;
        }
        *point(pc, pc->count++) = *sample;
    } else if (sample->delay < last->delay) {
        *last = *sample;
    }
}

void tern_peerclock_add(struct tern_peerclock *pc, tern_time sent_at, tern_time held,
                        tern_time theirs, tern_time now)
{
    tern_time trip = tern_sub_sat(now, sent_at);
    if (held > trip + LEEWAY || trip - TERN_MIN(held, trip) > TERN_PEERCLOCK_DELAY_MAX ||
        now > TERN_TIME_NEVER / 4 || now < pc->now.at) {
        return;
    }
    held = TERN_MIN(held, trip); /* each clock is read to some microseconds */
    /* RFC 5905 §8: ((t2 - t1) + (t3 - t4)) / 2, where t2 = t3 - held. */
    struct tern_peerclock_point sample = {.at = now,
                                          .offset = (int64_t)theirs -
                                                    (int64_t)(sent_at + (trip + held) / 2),
                                          .delay = trip - held};
    if (!is_stranger(pc, &sample)) {
        pc->strangers = 0;
    } else if (++pc->strangers < STRANGERS_MAX) {
        return;
    } else {
        tern_peerclock_init(pc);
    }
    pc->samples++;
    keep_sample(pc, &sample);
    draw(pc, now);
}

tern_time tern_peerclock_at(const struct tern_peerclock *pc, tern_time now)
{
    bool is_past = now < pc->now.at;
    tern_time apart = is_past ? pc->now.at - now : now - pc->now.at;
    int64_t gain = times_ppb(apart, pc->now.drift);
    uint64_t shown = now + (uint64_t)pc->now.offset;
    shown = is_past ? shown - (uint64_t)gain : shown + (uint64_t)gain;
    return (int64_t)shown < 0 ? 0 : shown;
}
