/* The datagram size over links of every size, with loss, and over one whose size shrinks and grows in
 * the middle of a transfer: RFC 8899.
 * SPDX-License-Identifier: MIT */
#include "tern_test.h"

#include <string.h>
#include <tern/sim.h>
#include <tern/tern.h>

#include "sim/kit.h"

#define CHUNK 16384

struct bench {
    tern_sim *sim;
    tern_sim_host *client, *server;
    tern_conn *conn;
    tern_stream *stream;
    uint64_t received;
    bool is_closed, is_quiet;
};

static tern_link_config link_of(size_t mtu, double loss)
{
    tern_link_config link;
    tern_link_config_init(&link);
    link.delay = 20 * TERN_MSEC;
    link.rate = 50000000;
    link.queue = mtu > 15625 ? 16 * mtu : 250000; /* else probes meet a full queue */
    link.loss = loss;
    link.mtu = mtu;
    return link;
}

static void open_bench(struct bench *b, size_t mtu, double loss, size_t ceiling, uint64_t seed)
{
    tern_config config;
    tern_addr here, there;
    tern_peer peer;
    tern_link_config link = link_of(mtu, loss);
    memset(b, 0, sizeof *b);
    assert_int_equal(tern_addr_parse(&here, "192.0.2.1:1"), 0);
    assert_int_equal(tern_addr_parse(&there, "192.0.2.2:2"), 0);
    assert_int_equal(tern_sim_new(&b->sim, seed), 0);
    tern_config_init(&config);
    config.max_datagram = ceiling;
    (void)replay_trace(&config);
    assert_int_equal(tern_sim_add_host(b->sim, &here, &config, &b->client), 0);
    config.accept = true;
    assert_int_equal(tern_sim_add_host(b->sim, &there, &config, &b->server), 0);
    assert_int_equal(tern_sim_connect(b->sim, b->client, b->server, &link, NULL), 0);
    tern_peer_init(&peer);
    peer.addr = there;
    assert_int_equal(tern_endpoint_connect(tern_sim_host_endpoint(b->client), &peer, &b->conn,
                                           tern_sim_now(b->sim)),
                     0);
}

static void serve(struct bench *b)
{
    tern_event ev;
    static uint8_t buf[65536];
    while (tern_endpoint_poll(tern_sim_host_endpoint(b->server), &ev) == 1) {
        ptrdiff_t n;
        while (ev.type == TERN_EVENT_STREAM_READABLE &&
               (n = tern_stream_read(ev.stream, buf, sizeof buf)) > 0) {
            b->received += (uint64_t)n;
        }
    }
}

static void drive(struct bench *b)
{
    tern_event ev;
    static const uint8_t chunk[CHUNK];
    while (tern_endpoint_poll(tern_sim_host_endpoint(b->client), &ev) == 1) {
        if (ev.type == TERN_EVENT_CONNECTED) {
            assert_int_equal(tern_conn_open_stream(b->conn, TERN_STREAM_UNI, &b->stream), 0);
        }
        b->is_closed = b->is_closed || ev.type == TERN_EVENT_CLOSED;
    }
    while (b->stream != NULL && !b->is_closed && !b->is_quiet &&
           tern_stream_writable(b->stream) >= 15 * 1024 * 1024) {
        assert_int_equal(tern_stream_write(b->stream, chunk, sizeof chunk, 0), CHUNK);
    }
}

static void run(struct bench *b, tern_time length)
{
    tern_time end = tern_sim_now(b->sim) + length;
    while (tern_sim_step(b->sim, end) == 1) {
        serve(b);
        drive(b);
        assert_int_equal(tern_sim_flush(b->sim), 0);
    }
    assert_false(b->is_closed);
}

static tern_stats stats_of(const struct bench *b)
{
    tern_stats stats = {.size = sizeof stats};
    tern_conn_stats(b->conn, &stats);
    return stats;
}

static void reaches_1452_in_spite_of_loss(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < replay_seed_count(100); i++) {
        struct bench b;
        open_bench(&b, 1472, 0.03, 1452, replay_first_seed() + i);
        run(&b, 10 * TERN_SEC);
        assert_int_equal(stats_of(&b).datagram_size, 1452);
        tern_sim_free(b.sim);
    }
}

static void finds_what_the_link_carries(void **state)
{
    static const struct {
        size_t mtu, least;
    } rows[] = {{1280, 1258}, {1400, 1376}, {1472, 1472},  {4100, 4048},
                {8972, 8900}, {9000, 8900}, {65507, 65507}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bench b;
        open_bench(&b, rows[i].mtu, 0, 65507, 1);
        run(&b, 10 * TERN_SEC);
        tern_stats stats = stats_of(&b);
        print_message("link %zu: %llu after %llu packets\n", rows[i].mtu,
                      (unsigned long long)stats.datagram_size,
                      (unsigned long long)stats.packets_sent);
        assert_in_range(stats.datagram_size, rows[i].least, rows[i].mtu);
        tern_sim_free(b.sim);
    }
}

/* A route changes under a transfer: everything of full size vanishes. It goes on within five PTO. */
static void a_shrinking_link_is_noticed(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < replay_seed_count(20); i++) {
        struct bench b;
        open_bench(&b, 1500, 0, 1452, replay_first_seed() + i);
        run(&b, 3 * TERN_SEC + i * 7 * TERN_MSEC);
        tern_stats stats = stats_of(&b);
        assert_int_equal(stats.datagram_size, 1452);
        tern_link_config small = link_of(1280, 0);
        tern_link_set(tern_sim_link(b.sim, b.client, b.server), &small);
        tern_time pto = stats.smoothed_rtt + 4 * stats.rtt_variance + 25 * TERN_MSEC;
        uint64_t before = b.received;
        tern_time since = tern_sim_now(b.sim), longest = 0;
        for (int step = 0; step < 400; step++) { /* two seconds; the longest silence in them */
            uint64_t seen = b.received;
            run(&b, 5 * TERN_MSEC);
            since = b.received > seen ? tern_sim_now(b.sim) : since;
            tern_time silence = tern_sim_now(b.sim) - since;
            longest = silence > longest ? silence : longest;
        }
        if (i == 0) {
            print_message("silent for %.1f PTO of %.0f ms\n", (double)longest / (double)pto,
                          (double)pto / 1e6);
        }
        assert_true(longest < 5 * pto);
        run(&b, 5 * TERN_SEC);
        assert_in_range(stats_of(&b).datagram_size, 1200, 1280);
        assert_true(b.received > before + 1000000);
        tern_sim_free(b.sim);
    }
}

/* Ten minutes later the larger size is tried again. */
static void a_grown_link_is_noticed_in_time(void **state)
{
    struct bench b;
    (void)state;
    open_bench(&b, 1280, 0, 1452, replay_first_seed());
    run(&b, 5 * TERN_SEC);
    assert_in_range(stats_of(&b).datagram_size, 1260, 1280);
    tern_link_config large = link_of(1500, 0);
    large.rate = 1000000; /* slow, so that ten minutes are few packets */
    tern_link_set(tern_sim_link(b.sim, b.client, b.server), &large);
    run(&b, 610 * TERN_SEC);
    assert_int_equal(stats_of(&b).datagram_size, 1452);
    tern_sim_free(b.sim);
}

/* Message 1 and 2 are one round trip of 40 ms, message 3 and the receipt for it the next, and then leaves the
 * probe: among the first of the client's bulk, before the window is full. */
static void a_transfer_grows_in_its_first_round_trips(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < replay_seed_count(20); i++) {
        struct bench b;
        open_bench(&b, 1500, 0, 1452, replay_first_seed() + i);
        tern_time begin = tern_sim_now(b.sim);
        while (stats_of(&b).datagram_size < 1452) {
            run(&b, TERN_MSEC);
            assert_true(tern_sim_now(b.sim) - begin < 140 * TERN_MSEC);
        }
        if (i == 0) {
            print_message("1452 after %.0f ms\n", (double)(tern_sim_now(b.sim) - begin) / 1e6);
        }
        tern_sim_free(b.sim);
    }
}

/* Questions that fit one datagram each, for a minute: probes would be packets for nothing. */
static void who_says_little_does_not_probe(void **state)
{
    static const uint8_t question[1000];
    struct bench b;
    (void)state;
    open_bench(&b, 1500, 0, 1452, replay_first_seed());
    b.is_quiet = true;
    run(&b, TERN_SEC);
    uint64_t before = stats_of(&b).packets_sent;
    for (int i = 0; i < 60; i++) {
        assert_int_equal(tern_stream_write(b.stream, question, sizeof question, 0), 1000);
        assert_int_equal(tern_sim_flush(b.sim), 0);
        run(&b, TERN_SEC);
    }
    assert_int_equal(b.received, 60 * sizeof question);
    assert_int_equal(stats_of(&b).datagram_size, 1200);
    assert_in_range(stats_of(&b).packets_sent, before + 60, before + 65);
    b.is_quiet = false; /* now there is something to gain */
    run(&b, 2 * TERN_SEC);
    assert_int_equal(stats_of(&b).datagram_size, 1452);
    tern_sim_free(b.sim);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_transfer_grows_in_its_first_round_trips),
    cmocka_unit_test(who_says_little_does_not_probe),
    cmocka_unit_test(reaches_1452_in_spite_of_loss),
    cmocka_unit_test(finds_what_the_link_carries),
    cmocka_unit_test(a_shrinking_link_is_noticed),
    cmocka_unit_test(a_grown_link_is_noticed_in_time),
};

REPLAY_TEST_MAIN(tests)
