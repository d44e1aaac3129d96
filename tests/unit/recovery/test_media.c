/* The media controller: what a round of each kind does to its rate, what queue it keeps on whole paths,
 * and how it lives beside others.
 * SPDX-License-Identifier: MIT */
#include "cc_kit.h"
#include "path_kit.h"
#include "tern_test.h"

#define MBIT  ((uint64_t)125000) /* bytes a second */
#define TRIP  (50 * TERN_MSEC)
#define SPEED ((uint64_t)1000000) /* of the bench's path */

static struct path the_path, the_other;
static struct path *const p = &the_path;
static struct path *const other = &the_other;
static struct bench b;

/* --- rounds on the bench ------------------------------------------------------------------------ */

struct round_kind {
    tern_time queue;
    unsigned lost; /* in thousandths */
    bool is_marked;
};

static uint64_t rate_of(const struct bench *bench)
{
    return bench->cc.ops->estimate(&bench->cc);
}

/* A round trip at the present rate, at most at the path's, and its one ACK. While a queue stands the
 * path delivers what it can. */
static void play(const struct round_kind *kind)
{
    uint64_t rate = rate_of(&b) > 0 ? TERN_MIN(rate_of(&b), SPEED) : 12000000 / 50;
    rate = kind->queue > 8 * TERN_MSEC ? SPEED : rate;
    uint64_t bytes = rate / (TERN_SEC / TRIP), lost = bytes * kind->lost / 1000;
    b.cc.bytes_in_flight = bytes;
    b.now += TRIP;
    b.rate.delivered += bytes - lost;
    b.rate.lost += lost;
    if (lost > 0) {
        bench_lose(&b, lost, b.now - TRIP, false);
    }
    if (kind->is_marked) {
        struct tern_cc_loss mark = {
            .is_ecn = true, .latest_sent_at = b.now - TRIP, .rtt = &b.rtt, .rate = &b.rate};
        tern_cc_on_loss(&b.cc, &mark, b.now);
    }
    bench_ack(&b, bytes - lost, b.now - TRIP, TRIP + kind->queue);
}

static void play_many(const struct round_kind *kind, unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        play(kind);
    }
}

/* The start is over, the path was full once at SPEED, and its queue has drained. */
static void settle(void)
{
    static const struct round_kind good = {0}, full = {.queue = 20 * TERN_MSEC};
    bench_init(&b, &tern_cc_media);
    tern_rtt_init(&b.rtt, TRIP);
    tern_rtt_update(&b.rtt, TRIP, 0, b.now);
    play_many(&good, 30);
    play(&full);
    play_many(&good, 2);
    assert_in_range(rate_of(&b), SPEED * 94 / 100, SPEED * 96 / 100);
}

/* Rounds of a kind, and where the rate is then, in hundredths of what it was. */
static void rounds_move_the_rate(void **state)
{
    const struct {
        const char *name;
        struct round_kind kind;
        unsigned rounds, least, most;
    } rows[] = {
        {"nothing in the way", {0, 0, false}, 15, 102, 135},
        {"a little delay, next to no growth", {6 * TERN_MSEC, 0, false}, 15, 100, 106},
        {"a standing queue", {12 * TERN_MSEC, 0, false}, 15, 88, 97},
        {"1 % of loss", {0, 10, false}, 15, 102, 135},
        {"1.9 % of loss", {0, 19, false}, 15, 102, 135},
        {"4 % of loss, no more growth", {0, 40, false}, 15, 98, 110},
        {"10 % of loss, which may be chance", {0, 100, false}, 15, 98, 110},
        {"30 % of loss, which is more", {0, 300, false}, 15, 10, 100},
        {"15 % of loss that stays", {0, 150, false}, 160, 50, 95},
        {"30 % of loss that stays", {0, 300, false}, 40, 10, 70},
    };
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(rows); i++) {
        settle();
        uint64_t before = rate_of(&b);
        play_many(&rows[i].kind, rows[i].rounds);
        unsigned percent = (unsigned)(rate_of(&b) * 100 / before);
        print_message("%s: %u %%\n", rows[i].name, percent);
        assert_in_range(percent, rows[i].least, rows[i].most);
    }
}

static void a_mark_is_answered_once_a_round_trip(void **state)
{
    static const struct round_kind marked = {.is_marked = true};
    (void)state;
    settle();
    uint64_t before = rate_of(&b);
    play(&marked);
    assert_in_range(rate_of(&b), before * 84 / 100, before * 91 / 100);
    before = rate_of(&b);
    struct tern_cc_loss again = {
        .is_ecn = true, .latest_sent_at = b.now - 1, .rtt = &b.rtt, .rate = &b.rate};
    tern_cc_on_loss(&b.cc, &again, b.now); /* it had left before the answer */
    assert_int_equal(rate_of(&b), before);
}

static void a_queue_slows_until_it_is_gone(void **state)
{
    static const struct round_kind good = {0}, full = {.queue = 20 * TERN_MSEC},
                                   deep = {.queue = 300 * TERN_MSEC};
    (void)state;
    settle();
    play(&full);
    assert_true(b.cc.ops->pacing_rate(&b.cc, &b.rtt) <= rate_of(&b) * 91 / 100);
    play(&deep);
    assert_true(b.cc.ops->pacing_rate(&b.cc, &b.rtt) <= rate_of(&b) * 51 / 100);
    play_many(&good, 2);
    assert_true(b.cc.ops->pacing_rate(&b.cc, &b.rtt) >= rate_of(&b));
}

static void a_wish_bounds_the_pace_alone(void **state)
{
    (void)state;
    settle();
    b.cc.wanted_rate = SPEED / 4;
    assert_int_equal(b.cc.ops->pacing_rate(&b.cc, &b.rtt), SPEED / 4);
    assert_true(rate_of(&b) > SPEED / 2);
    b.cc.wanted_rate = 4 * SPEED;
    assert_int_equal(b.cc.ops->pacing_rate(&b.cc, &b.rtt), rate_of(&b));
    b.cc.wanted_rate = 1; /* never stands still */
    assert_true(tern_cc_pace(&b.cc, &b.rtt) >= MDS);
}

static void silence_changes_nothing(void **state)
{
    static const struct round_kind good = {0};
    (void)state;
    settle();
    uint64_t before = rate_of(&b);
    b.now += 3600 * TERN_SEC; /* every slot of the least delay is old */
    play(&good);
    assert_in_range(rate_of(&b), before * 99 / 100, before * 102 / 100);
}

/* --- whole paths --------------------------------------------------------------------------------- */

/* In hundredths of the bottleneck, from now on. */
static unsigned share_of(tern_time length)
{
    uint64_t before = p->rate.delivered;
    path_run(p, length);
    return (unsigned)((p->rate.delivered - before) * 100 / (p->bottleneck * (length / TERN_SEC)));
}

static void path_of(uint64_t rate, tern_time delay, double queue_bdp, uint64_t loss_ppm)
{
    path_init(p, "media", loss_ppm, 1);
    p->bottleneck = rate;
    p->delay = delay;
    p->queue = (uint64_t)((double)rate * (double)delay / 1e9 * queue_bdp);
}

static void fills_paths_over_a_short_queue(void **state)
{
    const struct {
        uint64_t rate;
        tern_time delay;
        double queue;
        uint64_t loss_ppm;
        unsigned share;
        double delay_95;
    } rows[] = {
        {100 * MBIT, 50 * TERN_MSEC, 1, 0, 92, 25},
        {10 * MBIT, 50 * TERN_MSEC, 4, 0, 92, 25},
        {10 * MBIT, 5 * TERN_MSEC, 10, 0, 92, 10},
        {1 * MBIT, 50 * TERN_MSEC, 4, 0, 92, 40},
        {10 * MBIT, 200 * TERN_MSEC, 2, 0, 90, 30},
        {50 * MBIT, 40 * TERN_MSEC, 2, 20000, 85, 20},
        {50 * MBIT, 40 * TERN_MSEC, 1, 50000, 80, 25},
        {MBIT / 3, 60 * TERN_MSEC, 5, 0, 85, 90},
        {100 * MBIT, 50 * TERN_MSEC, 0.2, 0, 90, 15},
        {10 * MBIT, 40 * TERN_MSEC, 4, 10000, 85, 20},
    };
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(rows); i++) {
        path_of(rows[i].rate, rows[i].delay, rows[i].queue, rows[i].loss_ppm);
        path_run(p, 5 * TERN_SEC);
        path_forget_delays(p);
        unsigned share = share_of(20 * TERN_SEC);
        print_message("%.1f Mbit/s, %u ms, queue %.1f BDP, %.1f %% loss: %u %%, 95 %% of delays "
                      "%.1f ms\n",
                      (double)rows[i].rate / MBIT, (unsigned)(rows[i].delay / TERN_MSEC),
                      rows[i].queue, (double)rows[i].loss_ppm / 1e4, share, path_delay_ms(p, 95));
        assert_true(share >= rows[i].share);
        assert_true(path_delay_ms(p, 95) <= rows[i].delay_95);
    }
}

/* 40 ms become 100: that is no queue, however much it looks like one. */
static void a_longer_path_is_learnt(void **state)
{
    (void)state;
    path_of(10 * MBIT, 40 * TERN_MSEC, 4, 0);
    path_run(p, 5 * TERN_SEC);
    p->delay = 100 * TERN_MSEC;
    path_run(p, 5 * TERN_SEC);
    path_forget_delays(p);
    unsigned share = share_of(20 * TERN_SEC);
    print_message("%u %%, 95 %% of delays %.1f ms\n", share, path_delay_ms(p, 95));
    assert_true(share >= 85);
    assert_true(path_delay_ms(p, 95) <= 60);
}

/* A flow that fills the queue does not starve it, and when it goes the queue does, too. */
static void holds_its_own_beside_cubic(void **state)
{
    (void)state;
    const double queues[] = {0.5, 1, 2};
    for (size_t i = 0; i < TERN_COUNT_OF(queues); i++) {
        path_of(20 * MBIT, 40 * TERN_MSEC, queues[i], 0);
        path_init(other, "cubic", 0, 2);
        other->bottleneck = p->bottleneck;
        other->delay = p->delay;
        other->queue = p->queue;
        path_run_both(p, other, 10 * TERN_SEC);
        uint64_t mine = p->rate.delivered, theirs = other->rate.delivered;
        path_run_both(p, other, 60 * TERN_SEC);
        mine = p->rate.delivered - mine;
        theirs = other->rate.delivered - theirs;
        unsigned percent = (unsigned)(mine * 100 / (mine + theirs));
        path_run(p, 8 * TERN_SEC);
        path_forget_delays(p);
        path_run(p, 10 * TERN_SEC);
        print_message("queue %.1f BDP: %u %% beside CUBIC, then alone 95 %% of delays %.1f ms\n",
                      queues[i], percent, path_delay_ms(p, 95));
        assert_in_range(percent, 5, 70);
        assert_true(path_delay_ms(p, 95) <= 20);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(rounds_move_the_rate),
    cmocka_unit_test(a_mark_is_answered_once_a_round_trip),
    cmocka_unit_test(a_queue_slows_until_it_is_gone),
    cmocka_unit_test(a_wish_bounds_the_pace_alone),
    cmocka_unit_test(silence_changes_nothing),
    cmocka_unit_test(fills_paths_over_a_short_queue),
    cmocka_unit_test(a_longer_path_is_learnt),
    cmocka_unit_test(holds_its_own_beside_cubic),
};

TERN_TEST_MAIN(tests)
