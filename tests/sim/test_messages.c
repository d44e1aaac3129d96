/* Messages between real endpoints over links that lose, reorder and duplicate: each kind arrives as it was
 * asked for. [P §16]
 * SPDX-License-Identifier: MIT */
#include "tern_test.h"

#include "sim/post.h"

#define SEEDS 100

static struct post p;

static void bad_links(const char *name, uint64_t seed)
{
    replay_note(name, seed);
    post_init(&p, "cubic");
    for (int i = 0; i < 2; i++) {
        p.duo.link[i].jitter = 5 * TERN_MSEC;
        p.duo.link[i].loss = 0.05;
        p.duo.link[i].reorder = 0.05;
        p.duo.link[i].duplicate = 0.03;
    }
    post_open(&p, seed);
}

/* So many letters of random length, two milliseconds apart, on some channels. */
static void send_many(size_t count, const tern_send_options *options, uint32_t channels,
                      size_t most)
{
    for (size_t i = 0; i < count; i++) {
        tern_send_options o = *options;
        o.channel = (uint32_t)tern_sim_random_below(p.duo.sim, channels);
        size_t len = POST_LEAST + (size_t)tern_sim_random_below(p.duo.sim, most - POST_LEAST);
        assert_int_equal(post_send(&p, DUO_CLIENT, len, &o), 0);
        post_run(&p, 2 * TERN_MSEC);
    }
}

static void each_seed(const char *name, void (*run)(void))
{
    uint64_t first = replay_first_seed();
    for (uint64_t seed = first; seed < first + replay_seed_count(SEEDS); seed++) {
        bad_links(name, seed);
        run();
        post_close(&p);
    }
}

/* The first whole message: from one end to the other, and the news of it back. */
static void one_message_crosses(void **state)
{
    (void)state;
    post_init(&p, "cubic");
    post_open(&p, 1);
    tern_send_options o = post_options(TERN_RELIABLE, TERN_ORDERED, 0);
    assert_int_equal(post_send(&p, DUO_CLIENT, 100, &o), 0);
    post_await(&p, 1, TERN_SEC);
    assert_int_equal(p.letters[0].came_at - p.letters[0].sent_at, 20 * TERN_MSEC);
    post_run(&p, 100 * TERN_MSEC);
    post_check_outcomes(&p);
    assert_int_equal(post_send(&p, DUO_SERVER, 100, &o), 0);
    post_await(&p, 2, TERN_SEC);
    assert_int_equal(post_stats(&p, DUO_CLIENT).messages_sent, 1);
    assert_int_equal(post_stats(&p, DUO_CLIENT).messages_acked, 1);
    assert_int_equal(post_stats(&p, DUO_SERVER).messages_received, 1);
    post_close(&p);
}

static void empty_ones_cross(void **state)
{
    (void)state;
    tern_message m = {.size = sizeof m};
    post_init(&p, "cubic");
    p.is_deaf[DUO_SERVER] = true;
    post_open(&p, 1);
    assert_int_equal(
        tern_conn_send(p.duo.side[DUO_CLIENT].conn, NULL, 0, NULL, tern_sim_now(p.duo.sim)), 0);
    post_run(&p, 100 * TERN_MSEC);
    assert_int_equal(p.told[DUO_SERVER], 1);
    assert_int_equal(tern_conn_receive(p.duo.side[DUO_SERVER].conn, &m), 1);
    assert_int_equal(m.len, 0);
    assert_int_equal(tern_conn_receive(p.duo.side[DUO_SERVER].conn, &m), 0);
    post_close(&p);
}

static void run_reliable_ordered(void)
{
    tern_send_options o = post_options(TERN_RELIABLE, TERN_ORDERED, 0);
    send_many(150, &o, 3, 3000);
    post_await(&p, 150, 20 * TERN_SEC);
    post_run(&p, 2 * TERN_SEC);
    post_check_outcomes(&p);
}

static void reliable_ordered_ones_all_come_in_order(void **state)
{
    (void)state;
    each_seed("sim.messages.reliable_ordered_ones_all_come_in_order", run_reliable_ordered);
}

static void run_reliable_unordered(void)
{
    tern_send_options o = post_options(TERN_RELIABLE, TERN_UNORDERED, 0);
    send_many(150, &o, 3, 3000);
    post_await(&p, 150, 20 * TERN_SEC);
    post_run(&p, 2 * TERN_SEC);
    post_check_outcomes(&p);
}

static void reliable_unordered_ones_all_come(void **state)
{
    (void)state;
    each_seed("sim.messages.reliable_unordered_ones_all_come", run_reliable_unordered);
}

/* Nothing is sent twice but as redundancy, which is off here. */
static void run_unreliable(void)
{
    tern_send_options o = post_options(TERN_UNRELIABLE, TERN_UNORDERED, 0);
    assert_int_equal(tern_conn_set_redundancy(p.duo.side[DUO_CLIENT].conn, TERN_REDUNDANCY_OFF, 0),
                     0);
    send_many(150, &o, 3, 1000);
    o.order = TERN_ORDERED;
    send_many(50, &o, 3, 1000);
    post_run(&p, 2 * TERN_SEC);
    post_check_outcomes(&p);
    assert_in_range(post_arrived(&p), 150, 200);
    assert_int_equal(post_stats(&p, DUO_CLIENT).messages_resent, 0);
    assert_int_equal(post_stats(&p, DUO_CLIENT).messages_copied, 0);
    assert_int_equal(post_stats(&p, DUO_CLIENT).messages_sent, 200);
}

static void unreliable_ones_come_once_or_not(void **state)
{
    (void)state;
    each_seed("sim.messages.unreliable_ones_come_once_or_not", run_unreliable);
}

/* The order is checked as they come. The last one is worth sending again. */
static void run_latest(void)
{
    tern_send_options o = post_options(TERN_UNRELIABLE, TERN_LATEST, 0);
    send_many(150, &o, 3, 1000);
    post_run(&p, TERN_SEC);
    assert_in_range(post_arrived(&p), 40, 150); /* a small window replaces many before they leave */
    o.reliability = TERN_RELIABLE;
    for (o.channel = 0; o.channel < 3; o.channel++) {
        assert_int_equal(post_send(&p, DUO_CLIENT, 500, &o), 0);
    }
    post_run(&p, 3 * TERN_SEC);
    for (size_t i = p.count - 3; i < p.count; i++) {
        assert_true(p.letters[i].came_at > 0);
    }
    post_check_outcomes(&p);
}

static void latest_ones_never_come_after_newer_ones(void **state)
{
    (void)state;
    each_seed("sim.messages.latest_ones_never_come_after_newer_ones", run_latest);
}

static void run_copies(void)
{
    tern_send_options o = post_options(TERN_UNRELIABLE, TERN_UNORDERED, 0);
    assert_int_equal(
        tern_conn_set_redundancy(p.duo.side[DUO_CLIENT].conn, TERN_REDUNDANCY_FIXED, 2), 0);
    send_many(150, &o, 3, 60);
    post_run(&p, 2 * TERN_SEC);
    tern_stats stats = post_stats(&p, DUO_CLIENT);
    assert_in_range(stats.messages_copied, 150, 300); /* fewer where the window is small */
    assert_int_equal(stats.messages_resent, 0);
    post_check_outcomes(&p);
    assert_in_range(post_arrived(&p), 144, 150); /* of a loss of a twentieth little is left */
}

static void copies_ride_along(void **state)
{
    (void)state;
    each_seed("sim.messages.copies_ride_along", run_copies);
}

/* Nothing is said of a message once its time is over, and those behind it do not wait for it. */
static void the_dead_hold_nobody_back(void **state)
{
    (void)state;
    const tern_time lifetime = 100 * TERN_MSEC;
    for (tern_order order = TERN_ORDERED; order <= TERN_UNORDERED; order++) {
        tern_send_options o = post_options(TERN_UNTIL_DEADLINE, order, 5);
        tern_link_config link;
        post_init(&p, "cubic");
        post_open(&p, 3);
        tern_link *wire =
            tern_sim_link(p.duo.sim, p.duo.side[DUO_CLIENT].host, p.duo.side[DUO_SERVER].host);
        link = p.duo.link[DUO_CLIENT];
        o.lifetime = lifetime;
        send_many(20, &o, 1, 500);
        link.loss = 1;
        tern_link_set(wire, &link);
        send_many(20, &o, 1, 500);
        tern_time dark_until = tern_sim_now(p.duo.sim) + lifetime;
        post_run(&p, 300 * TERN_MSEC);
        link.loss = 0;
        tern_link_set(wire, &link);
        send_many(20, &o, 1, 500);
        post_run(&p, 2 * TERN_SEC);
        for (size_t i = 0; i < p.count; i++) {
            const struct post_letter *letter = &p.letters[i];
            bool is_dead = i >= 20 && i < 40;
            assert_int_equal(letter->came_at > 0, !is_dead);
            assert_int_equal(letter->outcome, is_dead ? TERN_OUTCOME_EXPIRED : TERN_OUTCOME_ACKED);
            assert_true(letter->came_at == 0 || letter->came_at < dark_until + TERN_SEC);
        }
        assert_int_equal(post_stats(&p, DUO_CLIENT).messages_expired, 20);
        post_close(&p);
    }
}

/* What the sender said after its time is no more than that it will not come. */
static void expired_ones_cost_no_bytes(void **state)
{
    (void)state;
    tern_send_options o = post_options(TERN_UNTIL_DEADLINE, TERN_UNORDERED, 0);
    post_init(&p, "cubic");
    p.duo.link[DUO_CLIENT].rate = 1000000; /* of which 100 ms hold 12500 bytes */
    p.duo.link[DUO_CLIENT].queue = 20000;
    post_open(&p, 4);
    tern_stats before = post_stats(&p, DUO_CLIENT);
    o.lifetime = 100 * TERN_MSEC;
    for (size_t i = 0; i < 200; i++) {
        assert_int_equal(post_send(&p, DUO_CLIENT, 1000, &o), 0);
    }
    post_run(&p, 3 * TERN_SEC);
    tern_stats after = post_stats(&p, DUO_CLIENT);
    assert_int_equal(after.messages_expired + after.messages_acked, 200);
    assert_in_range(after.messages_acked, 5, 40);
    assert_true(after.bytes_sent - before.bytes_sent < 50000);
    post_close(&p);
}

static void run_limited(void)
{
    tern_send_options o = post_options(TERN_LIMITED, TERN_UNORDERED, 0);
    o.retransmits = 1;
    assert_int_equal(tern_conn_set_redundancy(p.duo.side[DUO_CLIENT].conn, TERN_REDUNDANCY_OFF, 0),
                     0);
    send_many(100, &o, 3, 1000);
    o.order = TERN_ORDERED;
    send_many(50, &o, 3, 1000);
    post_run(&p, 3 * TERN_SEC);
    tern_stats stats = post_stats(&p, DUO_CLIENT);
    assert_int_equal(stats.messages_acked + stats.messages_lost, 150);
    assert_true(stats.messages_resent <= 150);
    assert_in_range(post_arrived(&p), 140, 150); /* one in 400 is lost both times */
    post_check_outcomes(&p);
}

static void limited_ones_are_sent_so_often(void **state)
{
    (void)state;
    each_seed("sim.messages.limited_ones_are_sent_so_often", run_limited);
}

static void run_all_kinds(void)
{
    for (size_t i = 0; i < 150; i++) {
        tern_send_options o = post_options((tern_reliability)tern_sim_random_below(p.duo.sim, 4),
                                           (tern_order)tern_sim_random_below(p.duo.sim, 3),
                                           (uint32_t)tern_sim_random_below(p.duo.sim, 5));
        int from = (int)tern_sim_random_below(p.duo.sim, 2);
        size_t len = POST_LEAST + (size_t)tern_sim_random_below(p.duo.sim, 4000);
        o.priority = (unsigned)tern_sim_random_below(p.duo.sim, 8);
        o.lifetime = o.reliability == TERN_UNTIL_DEADLINE ? 80 * TERN_MSEC : 0;
        o.retransmits = 2;
        o.immediate_ack = tern_sim_random_below(p.duo.sim, 4) == 0;
        assert_int_equal(post_send(&p, from, len, &o), 0);
        post_run(&p, tern_sim_random_below(p.duo.sim, 3 * TERN_MSEC));
    }
    post_run(&p, 5 * TERN_SEC);
    for (size_t i = 0; i < p.count; i++) {
        bool must_come =
            p.letters[i].reliability == TERN_RELIABLE && p.letters[i].order != TERN_LATEST;
        assert_true(!must_come || p.letters[i].came_at > 0);
    }
    post_check_outcomes(&p);
}

static void all_kinds_at_once_keep_their_word(void **state)
{
    (void)state;
    each_seed("sim.messages.all_kinds_at_once_keep_their_word", run_all_kinds);
}

static void large_ones_are_put_together(void **state)
{
    (void)state;
    static const size_t lens[] = {1400, 1453, 65536, 100001, 500000, 1 << 20};
    uint64_t first = replay_first_seed();
    for (uint64_t seed = first; seed < first + replay_seed_count(TERN_TEST_TIMES(20)); seed++) {
        tern_send_options o = post_options(TERN_RELIABLE, TERN_UNORDERED, 1);
        bad_links("sim.messages.large_ones_are_put_together", seed);
        for (size_t i = 0; i < TERN_COUNT_OF(lens); i++) {
            o.order = i % 2 == 0 ? TERN_ORDERED : TERN_UNORDERED;
            assert_int_equal(post_send(&p, DUO_CLIENT, lens[i], &o), 0);
        }
        assert_int_equal(post_send(&p, DUO_CLIENT, (1 << 20) + 1, &o), TERN_ERR_LIMIT);
        post_await(&p, TERN_COUNT_OF(lens), 120 * TERN_SEC);
        post_run(&p, 2 * TERN_SEC);
        post_check_outcomes(&p);
        post_close(&p);
    }
}

/* Whoever asks for it hears of it in a round trip, without the peer's delay. */
static void immediate_acks_come_at_once(void **state)
{
    (void)state;
    tern_time took[2] = {0, 0};
    for (int i = 0; i < 2; i++) {
        tern_send_options o = post_options(TERN_RELIABLE, TERN_ORDERED, 0);
        o.immediate_ack = i == 1;
        post_init(&p, "cubic");
        post_open(&p, 1);
        send_many(300, &o, 1, 1000); /* until the peer acknowledges no more than it is asked to */
        for (size_t k = 0; k < 6; k++) {
            assert_int_equal(post_send(&p, DUO_CLIENT, 100, &o), 0);
            tern_time start = tern_sim_now(p.duo.sim);
            while (!p.letters[p.count - 1].has_outcome) {
                post_run(&p, TERN_MSEC);
                assert_true(tern_sim_now(p.duo.sim) < start + TERN_SEC);
            }
            took[i] = TERN_MAX(took[i], tern_sim_now(p.duo.sim) - start);
        }
        post_close(&p);
    }
    assert_true(took[0] >= 45 * TERN_MSEC);
    assert_true(took[1] <= 41 * TERN_MSEC);
}

static void twenty_thousand_channels(void **state)
{
    (void)state;
    tern_send_options o = post_options(TERN_RELIABLE, TERN_ORDERED, 0);
    post_init(&p, "cubic");
    p.duo.link[DUO_CLIENT].loss = 0.01;
    post_open(&p, 7);
    for (size_t round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 20000; i++) {
            o.channel = i * 3;
            assert_int_equal(post_send(&p, DUO_CLIENT, 20, &o), 0);
        }
    }
    post_await(&p, 40000, 60 * TERN_SEC);
    post_run(&p, 2 * TERN_SEC);
    post_check_outcomes(&p);
    o.channel = TERN_CHANNELS;
    assert_int_equal(post_send(&p, DUO_CLIENT, 20, &o), TERN_ERR_INVALID);
    post_close(&p);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(one_message_crosses),
    cmocka_unit_test(empty_ones_cross),
    cmocka_unit_test(reliable_ordered_ones_all_come_in_order),
    cmocka_unit_test(reliable_unordered_ones_all_come),
    cmocka_unit_test(unreliable_ones_come_once_or_not),
    cmocka_unit_test(latest_ones_never_come_after_newer_ones),
    cmocka_unit_test(copies_ride_along),
    cmocka_unit_test(the_dead_hold_nobody_back),
    cmocka_unit_test(expired_ones_cost_no_bytes),
    cmocka_unit_test(limited_ones_are_sent_so_often),
    cmocka_unit_test(all_kinds_at_once_keep_their_word),
    cmocka_unit_test(large_ones_are_put_together),
    cmocka_unit_test(immediate_acks_come_at_once),
    cmocka_unit_test(twenty_thousand_channels),
};

REPLAY_TEST_MAIN(tests)
