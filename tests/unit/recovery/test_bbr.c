/* BBR over a modelled bottleneck: its phases, its estimates, ProbeRTT, idleness and losses.
 * SPDX-License-Identifier: MIT */
#include "recovery/bbr.h"
#include "recovery/pacer.h"
#include "tern_test.h"

#define MDS   1200
#define RING  65536
#define START (3600 * TERN_SEC)

/* A sender, a bottleneck with an endless queue, and ACKs for every packet. */
struct pipe {
    struct tern_cc cc;
    struct tern_cc_state state;
    struct tern_rtt rtt;
    struct tern_rate rate;
    struct tern_pacer pacer;
    struct tern_sent_packet packets[RING];
    tern_time acked_at[RING];
    uint64_t first, next, limit; /* packet numbers; limit: the application has no more */
    uint64_t bottleneck;         /* bytes a second */
    tern_time delay, free_at, now;
    uint64_t loss_every; /* 0: never */
    unsigned phases;     /* bitmap of those seen */
    uint64_t queue_max;
};

static struct pipe *p;

static int setup(void **state)
{
    static struct pipe the_pipe;
    (void)state;
    p = &the_pipe;
    memset(p, 0, sizeof *p);
    p->now = p->free_at = START;
    p->limit = UINT64_MAX;
    p->bottleneck = 1250000; /* 10 Mbit/s */
    p->delay = 40 * TERN_MSEC;
    tern_rtt_init(&p->rtt, 333 * TERN_MSEC);
    tern_rate_init(&p->rate);
    tern_cc_init(&p->cc, &p->state, &tern_cc_bbr, MDS, p->now);
    tern_pacer_init(&p->pacer, MDS);
    return 0;
}

static const struct tern_bbr *bbr(void)
{
    return tern_bbr_of(&p->cc);
}

static uint64_t bdp(void)
{
    return p->bottleneck / 1000 * (p->delay / TERN_MSEC);
}

static void send_one(void)
{
    struct tern_sent_packet *packet = &p->packets[p->next % RING];
    *packet = (struct tern_sent_packet){
        .sent_at = p->now, .size = MDS, .flags = TERN_SENT_IN_FLIGHT | TERN_SENT_ELICITING};
    tern_rate_on_sent(&p->rate, packet, p->cc.bytes_in_flight, p->now);
    tern_cc_on_sent(&p->cc, MDS, &p->rate, p->now);
    tern_pacer_on_sent(&p->pacer, MDS, p->now);
    p->free_at = TERN_MAX(p->free_at, p->now) + MDS * TERN_SEC / p->bottleneck;
    p->acked_at[p->next % RING] = p->free_at + p->delay;
    p->next++;
}

static void send_some(void)
{
    while (p->next < p->limit && p->next - p->first < RING && tern_cc_room(&p->cc) >= MDS &&
           tern_pacer_budget(&p->pacer, p->now) >= MDS) {
        send_one();
    }
    if (p->next >= p->limit && tern_cc_room(&p->cc) >= MDS) {
        tern_rate_on_app_limited(&p->rate, p->cc.bytes_in_flight);
    }
}

static void lose(const struct tern_sent_packet *packet)
{
    tern_rate_on_lost(&p->rate, packet);
    struct tern_cc_loss loss = {
        .lost_bytes = MDS,
        .latest_sent_at = packet->sent_at,
        .prior_in_flight = p->cc.bytes_in_flight,
        .rtt = &p->rtt,
        .rate = &p->rate,
        .tx_in_flight = packet->in_flight_before + MDS,
        .lost_since_sent = p->rate.lost - packet->lost_before,
        .delivered_since_sent = p->rate.delivered - packet->delivered,
    };
    tern_cc_on_loss(&p->cc, &loss, p->now);
}

static void acknowledge(const struct tern_sent_packet *packet)
{
    struct tern_rate_sample sample = {0};
    tern_rtt_update(&p->rtt, p->now - packet->sent_at, 0, p->now);
    tern_rate_on_acked(&p->rate, packet, &sample, p->now);
    tern_rate_finish(&p->rate, &sample, p->rtt.min);
    struct tern_cc_ack ack = {
        .acked_bytes = MDS,
        .largest_sent_at = packet->sent_at,
        .prior_in_flight = p->cc.bytes_in_flight,
        .rtt = &p->rtt,
        .rtt_sample = p->now - packet->sent_at,
        .rate = &p->rate,
        .sample = &sample,
    };
    tern_cc_on_ack(&p->cc, &ack, p->now);
    tern_pacer_set_rate(&p->pacer, tern_cc_pace(&p->cc, &p->rtt), MDS, p->now);
}

static void receive_one(void)
{
    uint64_t pn = p->first++;
    const struct tern_sent_packet *packet = &p->packets[pn % RING];
    if (p->loss_every > 0 && pn % p->loss_every == p->loss_every - 1) {
        lose(packet);
    } else {
        acknowledge(packet);
    }
    p->phases |= 1u << bbr()->phase;
    assert_true(p->cc.cwnd >= 2 * MDS);
}

/* Runs for a time; stops early when `phase` is entered (-1: never). */
static bool run(tern_time length, int phase)
{
    tern_time end = p->now + length;
    while (p->now < end) {
        send_some();
        tern_time ack = p->first < p->next ? p->acked_at[p->first % RING] : end;
        tern_time pace = p->next < p->limit && tern_cc_room(&p->cc) >= MDS
                             ? tern_pacer_next(&p->pacer, MDS)
                             : TERN_TIME_NEVER;
        p->now = TERN_MIN(TERN_MIN(ack, end), TERN_MAX(pace, p->now + 1));
        p->queue_max = TERN_MAX(p->queue_max, tern_sub_sat(p->cc.bytes_in_flight, bdp()));
        if (p->first < p->next && p->now >= p->acked_at[p->first % RING]) {
            receive_one();
        }
        if ((int)bbr()->phase == phase) {
            return true;
        }
    }
    return false;
}

static void assert_near(uint64_t value, uint64_t wanted, uint64_t percent)
{
    assert_in_range(value, wanted - wanted * percent / 100, wanted + wanted * percent / 100);
}

static void guesses_a_rate_before_the_first_sample(void **state)
{
    (void)state;
    /* 12000 bytes a millisecond, times four; then over the round trip that was measured */
    assert_int_equal(tern_cc_bbr.pacing_rate(&p->cc, &p->rtt), 48000000);
    assert_int_equal(p->cc.cwnd, 12000);
    p->limit = 1;
    (void)run(50 * TERN_MSEC, -1);
    assert_near(tern_cc_bbr.pacing_rate(&p->cc, &p->rtt), 24 * MDS * 4 * 1000 / 41, 1);
    assert_int_equal(p->cc.cwnd, 25 * MDS); /* 24 when the round trip is known, and one came */
}

static void losses_before_the_first_sample_leave_the_window_small(void **state)
{
    (void)state;
    p->limit = 2;
    send_some();
    p->now += 50 * TERN_MSEC;
    p->first = 1;
    lose(&p->packets[0]);
    receive_one();
    assert_true(bbr()->has_rtt);
    assert_true(p->cc.cwnd <= 13 * MDS);
}

static void cruise_gives_nothing_away_where_there_is_no_queue(void **state)
{
    (void)state;
    assert_true(run(2 * TERN_SEC, TERN_BBR_CRUISE));
    (void)run(100 * TERN_MSEC, -1);
    assert_int_equal(bbr()->phase, TERN_BBR_CRUISE);
    assert_int_equal(tern_cc_bbr.pacing_rate(&p->cc, &p->rtt), bbr()->bw);
    p->delay += 800 * TERN_USEC; /* somebody's queue, and hardly one */
    (void)run(150 * TERN_MSEC, -1);
    assert_int_equal(bbr()->phase, TERN_BBR_CRUISE);
    assert_int_equal(tern_cc_bbr.pacing_rate(&p->cc, &p->rtt), bbr()->bw * 99 / 100);
}

/* The handshake's round trip is enough; who has little to say keeps it for later. */
static void half_of_what_is_remembered_follows_the_handshake(void **state)
{
    const uint64_t volume = 5000000;
    (void)state;
    p->bottleneck = volume * 25; /* in 40 ms */
    tern_recall_begin(&p->cc, volume, 40 * TERN_MSEC, &p->rate);
    for (p->limit = 1; p->limit < 10; p->limit++) {
        (void)run(100 * TERN_MSEC, -1);
        assert_near(bbr()->resume_rate, volume / 2 * 25, 3);
        assert_near(tern_cc_bbr.pacing_rate(&p->cc, &p->rtt), volume / 2 * 25, 3);
    }
    p->limit = UINT64_MAX;
    (void)run(38 * TERN_MSEC, -1);
    assert_in_range(p->cc.bytes_in_flight, volume * 4 / 10, volume / 2);
    (void)run(120 * TERN_MSEC, -1);
    assert_int_equal(bbr()->resume_rate, 0);
    assert_true(p->cc.bytes_in_flight >= bdp());
}

static void startup_finds_the_bandwidth_and_drains(void **state)
{
    (void)state;
    assert_true(run(2 * TERN_SEC, TERN_BBR_DRAIN));
    assert_near(tern_bbr_max_bw(bbr()), p->bottleneck, 2);
    assert_near(bbr()->min_rtt, p->delay, 5);
    assert_true(run(TERN_SEC, TERN_BBR_CRUISE)); /* Down is left at once: it is drained already */
    assert_true(p->cc.bytes_in_flight <= bdp() * 11 / 10 + 4 * MDS);
}

static void cycle_goes_through_all_phases(void **state)
{
    (void)state;
    (void)run(TERN_SEC, -1);
    p->delay += 2 * TERN_MSEC; /* no round trip is as short again, and ProbeRTT must look */
    (void)run(11 * TERN_SEC, -1);
    assert_int_equal(p->phases, (1u << (TERN_BBR_PROBE_RTT + 1)) - 1);
    assert_near(tern_bbr_max_bw(bbr()), p->bottleneck, 2);
    assert_near(p->rate.delivered, p->bottleneck * 12, 6);
}

static void queue_stays_small_after_startup(void **state)
{
    (void)state;
    (void)run(2 * TERN_SEC, -1);
    p->queue_max = 0;
    (void)run(8 * TERN_SEC, -1);
    assert_true(p->queue_max <= bdp() * 13 / 10); /* Up: 2.25 BDP in flight at the very most */
}

static void probe_rtt_comes_every_five_seconds(void **state)
{
    (void)state;
    (void)run(2 * TERN_SEC, -1);
    p->delay += 2 * TERN_MSEC; /* 5 %: more than what counts as the same */
    assert_true(run(6 * TERN_SEC, TERN_BBR_PROBE_RTT));
    tern_time first = p->now;
    assert_in_range((first - START) / TERN_MSEC, 5000, 7200);
    assert_true(p->cc.cwnd <= bdp() * 53 / 100 + MDS);
    assert_true(run(TERN_SEC, TERN_BBR_CRUISE)); /* 200 ms and a round, from when it has drained */
    assert_in_range((p->now - first) / TERN_MSEC, 200, 300);
    assert_true(p->cc.cwnd > bdp());
    p->delay += 2 * TERN_MSEC;
    assert_true(run(6 * TERN_SEC, TERN_BBR_PROBE_RTT));
    assert_in_range((p->now - first) / TERN_MSEC, 5200, 5400);
}

static void probe_rtt_is_left_out_where_the_queue_empties_by_itself(void **state)
{
    (void)state;
    assert_false(run(20 * TERN_SEC, TERN_BBR_PROBE_RTT));
    assert_near(bbr()->min_rtt, 40 * TERN_MSEC, 5);
    (void)setup(
        NULL); /* a long path, where our own probe and what drains it take most of the time */
    p->delay = 200 * TERN_MSEC;
    assert_false(run(20 * TERN_SEC, TERN_BBR_PROBE_RTT));
    assert_near(bbr()->min_rtt, 200 * TERN_MSEC, 5);
}

/* Half a round trip of somebody's queue, which comes and goes: between two visits the least comes back. */
static void probe_rtt_comes_beside_others(void **state)
{
    bool is_there = true, has_come = false;
    (void)state;
    (void)run(2 * TERN_SEC, -1);
    for (int i = 0; i < 20 && !has_come; i++, is_there = !is_there) {
        p->delay = is_there ? 60 * TERN_MSEC : 40 * TERN_MSEC;
        has_come = run(TERN_SEC / 2, TERN_BBR_PROBE_RTT);
    }
    assert_true(has_come);
}

/* --- trains --- */

/* 5 MB in flight: from 12 kB nearly nine doublings. */
static void startup_quadruples_while_no_queue_shows(void **state)
{
    (void)state;
    p->bottleneck = 125000000;
    while (p->cc.bytes_in_flight < bdp() && p->now - START < 2 * TERN_SEC) {
        (void)run(TERN_MSEC, -1);
    }
    assert_in_range((p->now - START) / TERN_MSEC, 160, 7 * 40);
    (void)run(TERN_SEC, -1);
    assert_true(p->queue_max <= bdp() * 13 / 10); /* and is not more than by doubling */
    assert_near(tern_bbr_max_bw(bbr()), p->bottleneck, 2);
}

/* Trains that came delayed prove nothing: the rate of this path is below all that they ask for. */
static void trains_do_not_pass_the_bottleneck(void **state)
{
    (void)state;
    (void)run(TERN_SEC, TERN_BBR_DRAIN);
    assert_true(bbr()->train_rate <= p->bottleneck);
    assert_true(bbr()->train_rate >= p->bottleneck / 4);
}

/* The mean of a round with pauses would be a fraction of it. */
static void losses_end_startup_at_the_rate_of_its_trains(void **state)
{
    (void)state;
    p->bottleneck = 125000000;
    while (bbr()->train_rate < p->bottleneck / 20) {
        (void)run(TERN_MSEC, -1);
    }
    p->loss_every = 4;
    assert_true(run(TERN_SEC, TERN_BBR_DRAIN));
    assert_true(bbr()->train_rate > 0 && bbr()->train_seen >= bbr()->train_rate);
    assert_true(tern_bbr_max_bw(bbr()) >= bbr()->train_seen);
    assert_true(tern_bbr_max_bw(bbr()) <= p->bottleneck * 101 / 100);
    p->loss_every =
        0; /* the bound is low then: what more there is room for is looked for at once */
    assert_true(run(TERN_SEC, TERN_BBR_UP));
}

static void follows_a_faster_path_by_probing(void **state)
{
    (void)state;
    (void)run(3 * TERN_SEC, -1);
    p->bottleneck *= 3;
    (void)run(15 * TERN_SEC, -1);
    assert_near(tern_bbr_max_bw(bbr()), p->bottleneck, 5);
}

static void forgets_a_bandwidth_in_two_cycles(void **state)
{
    (void)state;
    (void)run(3 * TERN_SEC, -1);
    p->bottleneck /= 4;
    (void)run(15 * TERN_SEC, -1);
    assert_near(tern_bbr_max_bw(bbr()), p->bottleneck, 5);
}

static void probe_wait_is_two_to_three_seconds_and_repeats(void **state)
{
    tern_time waits[3];
    (void)state;
    for (int again = 0; again < 2; again++) {
        (void)setup(NULL);
        for (int i = 0; i < 3; i++) {
            assert_true(run(8 * TERN_SEC, TERN_BBR_UP));
            assert_true(run(8 * TERN_SEC, TERN_BBR_DOWN));
            assert_in_range(bbr()->probe_wait / TERN_MSEC, 2000, 3000);
            assert_true(again == 0 || waits[i] == bbr()->probe_wait);
            waits[i] = bbr()->probe_wait;
        }
    }
    assert_true(waits[0] != waits[1] || waits[1] != waits[2]);
}

static void one_percent_of_loss_costs_little(void **state)
{
    (void)state;
    p->bottleneck = 12500000; /* of 400 packets in flight the threshold forgives eight */
    p->loss_every = 100;
    (void)run(12 * TERN_SEC, -1);
    assert_true(p->rate.delivered > p->bottleneck * 12 * 85 / 100);
}

static void heavy_loss_lowers_the_bound(void **state)
{
    (void)state;
    (void)run(2 * TERN_SEC, -1);
    assert_true(bbr()->inflight_longterm == UINT64_MAX);
    p->loss_every = 10;
    assert_true(run(8 * TERN_SEC, TERN_BBR_UP));
    assert_true(run(8 * TERN_SEC, TERN_BBR_DOWN));
    assert_true(bbr()->inflight_longterm < 2 * bdp());
    assert_false(bbr()->is_sampling_probe);
    assert_true(bbr()->prev_probe_too_high);
    (void)run(5 * TERN_MSEC, -1); /* the window follows with the next ACK */
    assert_true(p->cc.cwnd <= bbr()->inflight_longterm);
}

static void marks_end_startup(void **state)
{
    (void)state;
    for (int i = 0; i < 40 && bbr()->phase == TERN_BBR_STARTUP; i++) {
        struct tern_cc_loss mark = {
            .is_ecn = true, .latest_sent_at = p->now, .rtt = &p->rtt, .rate = &p->rate};
        (void)run(10 * TERN_MSEC, -1);
        mark.prior_in_flight = p->cc.bytes_in_flight;
        tern_cc_on_loss(&p->cc, &mark, p->now);
    }
    assert_true(bbr()->is_full_bw_reached);
    assert_true(bbr()->inflight_longterm != UINT64_MAX);
}

static void spurious_losses_are_undone(void **state)
{
    (void)state;
    tern_cc_bbr.on_spurious(&p->cc, p->now); /* nothing to undo */
    (void)run(2 * TERN_SEC, TERN_BBR_CRUISE);
    uint64_t cwnd = p->cc.cwnd;
    p->loss_every = 4;
    (void)run(20 * TERN_MSEC, -1);
    p->loss_every = 0;
    (void)run(80 * TERN_MSEC, -1);
    assert_true(bbr()->bw_shortterm < tern_bbr_max_bw(bbr()));
    assert_true(bbr()->inflight_shortterm < UINT64_MAX);
    tern_cc_bbr.on_spurious(&p->cc, p->now);
    assert_true(bbr()->bw_shortterm == UINT64_MAX);
    assert_true(bbr()->inflight_shortterm == UINT64_MAX);
    assert_true(p->cc.cwnd >= cwnd);
    uint64_t again = p->cc.cwnd = cwnd / 2;
    tern_cc_bbr.on_spurious(&p->cc, p->now); /* once only */
    assert_int_equal(p->cc.cwnd, again);
}

/* A probe that lost too much, undone, begins again with a refill. */
static void spurious_end_of_a_probe_refills(void **state)
{
    (void)state;
    assert_true(run(8 * TERN_SEC, TERN_BBR_UP));
    p->loss_every = 4;
    assert_true(run(TERN_SEC, TERN_BBR_DOWN));
    assert_true(bbr()->inflight_longterm != UINT64_MAX);
    tern_cc_bbr.on_spurious(&p->cc, p->now);
    assert_int_equal(bbr()->phase, TERN_BBR_REFILL);
    assert_true(bbr()->inflight_longterm == UINT64_MAX);
}

static void spurious_end_of_startup_resumes_it(void **state)
{
    (void)state;
    (void)run(150 * TERN_MSEC, -1);
    p->loss_every = 4;
    assert_true(run(TERN_SEC, TERN_BBR_DRAIN));
    assert_true(bbr()->is_full_bw_reached);
    tern_cc_bbr.on_spurious(&p->cc, p->now);
    assert_int_equal(bbr()->phase, TERN_BBR_STARTUP);
    assert_false(bbr()->is_full_bw_reached);
}

/* Draft: "Exiting DRAIN Based on Time". */
static void drain_ends_after_three_rounds(void **state)
{
    (void)state;
    assert_true(run(2 * TERN_SEC, TERN_BBR_DRAIN));
    p->bottleneck /= 4; /* the queue cannot drain to the BDP that is believed in */
    uint64_t round = bbr()->round_count;
    while (bbr()->phase == TERN_BBR_DRAIN && p->now < START + 60 * TERN_SEC) {
        (void)run(TERN_MSEC, -1);
    }
    assert_int_equal(bbr()->phase, TERN_BBR_DOWN);
    assert_in_range(bbr()->round_count, round + 1, round + 4);
}

/* Draft: "Precautionary Bandwidth Probing": after a probe that was too high the next ends at the old
 * bound, and when that went well a whole one follows without a pause. */
static void probes_with_caution_after_a_loss(void **state)
{
    (void)state;
    assert_true(run(8 * TERN_SEC, TERN_BBR_UP));
    p->loss_every = 4;
    assert_true(run(TERN_SEC, TERN_BBR_DOWN));
    p->loss_every = 0;
    assert_true(bbr()->prev_probe_too_high);
    uint64_t bound = bbr()->inflight_longterm;
    assert_true(run(8 * TERN_SEC, TERN_BBR_UP));
    assert_true(run(8 * TERN_SEC, TERN_BBR_DOWN));
    assert_true(bbr()->prev_probe_precautionary || !bbr()->prev_probe_too_high);
    assert_true(bbr()->inflight_longterm >= bound * 9 / 10);
    assert_true(run(20 * TERN_SEC, TERN_BBR_UP));
    assert_true(run(8 * TERN_SEC, TERN_BBR_DOWN));
    assert_false(bbr()->prev_probe_too_high);
    assert_true(bbr()->inflight_longterm > bound);
}

/* Draft: "Exiting STARTUP on Loss When Application-Limited". */
static void loss_ends_startup_although_application_limited(void **state)
{
    (void)state;
    p->loss_every = 5;
    for (int i = 0; i < 100 && bbr()->phase == TERN_BBR_STARTUP; i++) {
        p->limit = p->next + 60;
        (void)run(100 * TERN_MSEC, TERN_BBR_DRAIN);
    }
    assert_true(bbr()->is_full_bw_reached);
}

/* Draft: "Entering and Exiting PROBE_RTT During STARTUP". */
static void probe_rtt_in_startup_returns_to_it(void **state)
{
    (void)state;
    for (int i = 0; i < 200 && bbr()->phase != TERN_BBR_PROBE_RTT; i++) {
        p->limit = p->next + 2 + (uint64_t)(i == 0); /* an odd RTT first, never seen again */
        (void)run(30 * TERN_MSEC, TERN_BBR_PROBE_RTT);
        p->delay += i == 0 ? 20 * TERN_MSEC : 0;
    }
    assert_int_equal(bbr()->phase, TERN_BBR_PROBE_RTT);
    p->limit = UINT64_MAX;
    assert_true(run(TERN_SEC, TERN_BBR_STARTUP));
    assert_false(bbr()->is_full_bw_reached);
}

static void recovers_from_persistent_congestion(void **state)
{
    (void)state;
    (void)run(2 * TERN_SEC, -1);
    uint64_t cwnd = p->cc.cwnd;
    struct tern_cc_loss loss = {
        .persistent = true, .latest_sent_at = p->now, .rtt = &p->rtt, .rate = &p->rate};
    tern_cc_on_loss(&p->cc, &loss, p->now);
    assert_int_equal(p->cc.cwnd, 2 * MDS);
    (void)run(3 * TERN_SEC, -1);
    assert_true(p->cc.cwnd >= cwnd * 8 / 10);
}

static void application_limited_flow_keeps_its_bandwidth(void **state)
{
    (void)state;
    (void)run(3 * TERN_SEC, -1);
    uint64_t bw = tern_bbr_max_bw(bbr());
    for (int i = 0; i < 200; i++) { /* two packets every 50 ms: 4 % of the rate, for 10 s */
        p->limit = p->next + 2;
        (void)run(50 * TERN_MSEC, -1);
    }
    assert_true(tern_bbr_max_bw(bbr()) >= bw * 98 / 100);
    assert_true(p->cc.cwnd >= 4 * MDS);
}

static void application_limited_startup_is_not_taken_for_full(void **state)
{
    (void)state;
    for (int i = 0; i < 60; i++) {
        p->limit = p->next + 2;
        (void)run(50 * TERN_MSEC, -1);
    }
    assert_false(bbr()->is_full_bw_reached);
    assert_int_equal(bbr()->phase, TERN_BBR_STARTUP);
}

static void idle_minute_then_burst_is_paced(void **state)
{
    (void)state;
    (void)run(3 * TERN_SEC, -1);
    p->limit = p->next;
    (void)run(60 * TERN_SEC, -1);
    assert_int_equal(p->cc.bytes_in_flight, 0);
    uint64_t before = p->rate.delivered;
    p->limit = UINT64_MAX;
    send_some();
    assert_true(bbr()->is_idle_restart);
    assert_true(tern_cc_bbr.pacing_rate(&p->cc, &p->rtt) <= p->bottleneck);
    (void)run(TERN_SEC, -1);
    assert_true((p->phases & 1u << TERN_BBR_PROBE_RTT) == 0); /* the idle time was probe enough */
    assert_true(p->rate.delivered - before > p->bottleneck * 90 / 100);
    assert_true(p->rtt.latest < 2 * p->delay);
}

static void fifty_microseconds_at_ten_gigabits(void **state)
{
    (void)state;
    p->bottleneck = 1250000000;
    p->delay = 50 * TERN_USEC;
    (void)run(50 * TERN_MSEC, -1);
    assert_true(p->rate.delivered > p->bottleneck / 20 * 80 / 100);
}

static void a_kilobyte_a_second_crawls_on(void **state)
{
    (void)state;
    p->bottleneck = 2000;
    p->delay = 500 * TERN_MSEC;
    (void)run(120 * TERN_SEC, -1);
    assert_true(p->rate.delivered > 120 * 2000 * 70 / 100);
}

/* Alone, Cruise leaves a little room below what was lost; beside flows that fill the queue, twice that. */
static void leaves_more_room_beside_others(void **state)
{
    (void)state;
    struct tern_bbr *model = tern_bbr_of(&p->cc);
    model->inflight_longterm = 1000 * MDS;
    assert_int_equal(tern_bbr_with_headroom(&p->cc), 850 * MDS);
    model->is_shared = true;
    assert_int_equal(tern_bbr_with_headroom(&p->cc), 700 * MDS);
}

/* An application whose clock moves once a frame brings a flight and its ACKs at one instant: they are no train,
 * and have no rate (found by fuzz_cc, as a division by the length of it). */
static void a_clock_may_stand_still(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        while (tern_cc_room(&p->cc) >= MDS) {
            send_one();
        }
        p->now++; /* loss.c makes no sample smaller */
        while (p->first < p->next) {
            receive_one();
        }
        p->now += round % 4 == 3 ? 16 * TERN_MSEC : 0;
    }
    assert_int_equal(bbr()->train_rate, 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(guesses_a_rate_before_the_first_sample, setup),
    cmocka_unit_test_setup(leaves_more_room_beside_others, setup),
    cmocka_unit_test_setup(losses_before_the_first_sample_leave_the_window_small, setup),
    cmocka_unit_test_setup(cruise_gives_nothing_away_where_there_is_no_queue, setup),
    cmocka_unit_test_setup(half_of_what_is_remembered_follows_the_handshake, setup),
    cmocka_unit_test_setup(startup_finds_the_bandwidth_and_drains, setup),
    cmocka_unit_test_setup(cycle_goes_through_all_phases, setup),
    cmocka_unit_test_setup(queue_stays_small_after_startup, setup),
    cmocka_unit_test_setup(probe_rtt_comes_every_five_seconds, setup),
    cmocka_unit_test_setup(probe_rtt_is_left_out_where_the_queue_empties_by_itself, setup),
    cmocka_unit_test_setup(probe_rtt_comes_beside_others, setup),
    cmocka_unit_test_setup(startup_quadruples_while_no_queue_shows, setup),
    cmocka_unit_test_setup(trains_do_not_pass_the_bottleneck, setup),
    cmocka_unit_test_setup(losses_end_startup_at_the_rate_of_its_trains, setup),
    cmocka_unit_test_setup(follows_a_faster_path_by_probing, setup),
    cmocka_unit_test_setup(forgets_a_bandwidth_in_two_cycles, setup),
    cmocka_unit_test_setup(probe_wait_is_two_to_three_seconds_and_repeats, setup),
    cmocka_unit_test_setup(one_percent_of_loss_costs_little, setup),
    cmocka_unit_test_setup(heavy_loss_lowers_the_bound, setup),
    cmocka_unit_test_setup(marks_end_startup, setup),
    cmocka_unit_test_setup(spurious_losses_are_undone, setup),
    cmocka_unit_test_setup(spurious_end_of_a_probe_refills, setup),
    cmocka_unit_test_setup(spurious_end_of_startup_resumes_it, setup),
    cmocka_unit_test_setup(drain_ends_after_three_rounds, setup),
    cmocka_unit_test_setup(probes_with_caution_after_a_loss, setup),
    cmocka_unit_test_setup(loss_ends_startup_although_application_limited, setup),
    cmocka_unit_test_setup(probe_rtt_in_startup_returns_to_it, setup),
    cmocka_unit_test_setup(recovers_from_persistent_congestion, setup),
    cmocka_unit_test_setup(application_limited_flow_keeps_its_bandwidth, setup),
    cmocka_unit_test_setup(application_limited_startup_is_not_taken_for_full, setup),
    cmocka_unit_test_setup(idle_minute_then_burst_is_paced, setup),
    cmocka_unit_test_setup(fifty_microseconds_at_ten_gigabits, setup),
    cmocka_unit_test_setup(a_kilobyte_a_second_crawls_on, setup),
    cmocka_unit_test_setup(a_clock_may_stand_still, setup),
};

TERN_TEST_MAIN(tests)
