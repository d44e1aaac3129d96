/* Messages beside one another and beside streams: who goes first, who waits for whom, and what it takes of
 * memory. [P §16]
 * SPDX-License-Identifier: MIT */
#include "tern_test.h"

#include "conn/messages.h"
#include "sim/post.h"
#include "unit/heap_kit.h"

#define FIFTY_MS 62500             /* of queue at ten megabits */
#define DEEP     ((size_t)4 << 20) /* loses nothing */

static struct post p;

static tern_conn *client(void)
{
    return p.duo.side[DUO_CLIENT].conn;
}

/* --- who goes first ----------------------------------------------------------------------------- */

/* A link of ten megabits with a queue. */
static void narrow_link(size_t queue)
{
    post_init(&p, "cubic");
    p.duo.link[DUO_CLIENT].rate = 10000000;
    p.duo.link[DUO_CLIENT].queue = queue;
    p.duo.link[DUO_CLIENT].overhead = 28;
    post_open(&p, 1);
}

static void priorities_are_strict(void **state)
{
    (void)state;
    narrow_link(DEEP);
    for (unsigned i = 0; i < 400; i++) {
        tern_send_options o = post_options(TERN_RELIABLE, TERN_UNORDERED, i % 8);
        o.priority = 7 - i % 8;
        assert_int_equal(post_send(&p, DUO_CLIENT, 1000, &o), 0);
    }
    post_await(&p, 400, 20 * TERN_SEC);
    for (size_t i = 0; i < 400; i++) { /* fifty of each priority, the first of them first */
        size_t priority = 7 - i % 8;
        assert_in_range(p.letters[i].place, priority * 50 + 1, priority * 50 + 50);
    }
    post_close(&p);
}

static void weights_share_a_priority(void **state)
{
    (void)state;
    narrow_link(DEEP);
    assert_int_equal(tern_conn_set_weight(client(), 1, 48), 0);
    assert_int_equal(tern_conn_set_weight(client(), 2, 16), 0);
    for (unsigned i = 0; i < 400; i++) {
        tern_send_options o = post_options(TERN_RELIABLE, TERN_ORDERED, 1 + i % 2);
        assert_int_equal(post_send(&p, DUO_CLIENT, 1000, &o), 0);
    }
    post_await(&p, 200, 20 * TERN_SEC);
    size_t first = 0;
    for (size_t i = 0; i < 400; i += 2) {
        first += p.letters[i].came_at > 0 ? 1 : 0;
    }
    assert_in_range(first, 140, 160);
    post_close(&p);
}

/* Against a stream of the same priority a channel of weight 16 has half of the link. */
static void streams_are_one_among_the_channels(void **state)
{
    (void)state;
    narrow_link(DEEP);
    duo_write(&p.duo, DUO_CLIENT, 8 << 20);
    for (unsigned i = 0; i < 600; i++) {
        tern_send_options o = post_options(TERN_RELIABLE, TERN_ORDERED, 1);
        assert_int_equal(post_send(&p, DUO_CLIENT, 1000, &o), 0);
    }
    post_await(&p, 600, 20 * TERN_SEC);
    uint64_t read = p.duo.side[DUO_SERVER].read;
    assert_in_range(read, 450000, 750000);
    post_close(&p);
}

/* Of a stream in the background a message feels the queue of the link, and nothing else. */
static void bulk_does_not_delay_messages(void **state)
{
    (void)state;
    tern_time worst = 0;
    narrow_link(FIFTY_MS);
    tern_send_options o = post_options(TERN_UNRELIABLE, TERN_UNORDERED, 1);
    o.priority = 0;
    duo_write(&p.duo, DUO_CLIENT, 64 << 20);
    for (unsigned i = 0; i < 500; i++) {
        post_run(&p, 10 * TERN_MSEC);
        assert_int_equal(post_send(&p, DUO_CLIENT, 100, &o), 0);
    }
    post_run(&p, TERN_SEC);
    for (size_t i = 0; i < p.count; i++) {
        if (p.letters[i].came_at > 0) {
            worst = TERN_MAX(worst, p.letters[i].came_at - p.letters[i].sent_at);
        }
    }
    print_message("worst delay beside a bulk stream: %.1f ms, %zu of %zu came\n",
                  (double)worst / 1e6, post_arrived(&p), p.count);
    assert_true(worst <= 75 * TERN_MSEC); /* 20 ms of way, 50 ms of queue */
    assert_true(post_arrived(&p) >= 480);
    post_close(&p);
}

/* Where the window has room for a message it leaves, though there is none for a whole datagram. */
static void messages_use_the_whole_window(void **state)
{
    (void)state;
    tern_send_options o = post_options(TERN_UNRELIABLE, TERN_UNORDERED, 1);
    post_init(&p, "newreno");
    p.duo.link[DUO_CLIENT].delay = p.duo.link[DUO_SERVER].delay = 200 * TERN_MSEC;
    post_open(&p, 1);
    post_run(&p, 3 * TERN_SEC);
    tern_stats stats = post_stats(&p, DUO_CLIENT);
    assert_int_equal(stats.bytes_in_flight, 0);
    size_t count = (size_t)(stats.cwnd / 440);
    for (size_t i = 0; i < count; i++) { /* a datagram each, all of them within a round trip */
        assert_int_equal(post_send(&p, DUO_CLIENT, 400, &o), 0);
        post_run(&p, 330 * TERN_MSEC / count);
    }
    post_run(&p, 2 * TERN_SEC);
    for (size_t i = 0; i < count; i++) {
        assert_true(p.letters[i].came_at > 0);
        assert_true(p.letters[i].came_at - p.letters[i].sent_at < 225 * TERN_MSEC);
    }
    post_close(&p);
}

/* --- who waits for whom ------------------------------------------------------------------------- */

/* Datagrams at certain moments are lost: those with A's messages. */
static tern_time doomed_from, doomed_until;
static size_t doomed;

#define LOSE_EVERY 16 /* of A's; in recovery the window itself holds all messages back a little */

static bool drop_doomed(struct duo *duo, int from, size_t len, tern_time now)
{
    (void)duo;
    (void)len;
    bool is_doomed = from == DUO_CLIENT && now >= doomed_from && now < doomed_until;
    doomed += is_doomed ? 1 : 0;
    return !is_doomed;
}

/* A's and B's messages leave in turn, five milliseconds apart, so few that the smallest window holds them.
 * Fills in B's delays. */
static void two_channels(bool is_lossy, tern_time *delays, size_t count)
{
    tern_send_options a = post_options(TERN_RELIABLE, TERN_ORDERED, 1);
    tern_send_options b = post_options(TERN_RELIABLE, TERN_ORDERED, 2);
    size_t of_b = 0;
    post_init(&p, "cubic");
    p.duo.tap = drop_doomed;
    doomed_from = doomed_until = doomed = 0;
    post_open(&p, 1);
    post_run(&p, TERN_SEC);
    for (size_t i = 0; i < count; i++) {
        doomed_from = tern_sim_now(p.duo.sim);
        doomed_until = is_lossy && i % LOSE_EVERY == 1 ? doomed_from + TERN_MSEC : 0;
        assert_int_equal(post_send(&p, DUO_CLIENT, 100, &a), 0);
        post_run(&p, 5 * TERN_MSEC);
        assert_int_equal(post_send(&p, DUO_CLIENT, 100, &b), 0);
        post_run(&p, 5 * TERN_MSEC);
    }
    doomed_until = 0;
    post_await(&p, 2 * count, 5 * TERN_SEC);
    for (size_t i = 0; i < p.count; i++) {
        if (p.letters[i].channel == 2) {
            delays[of_b++] = p.letters[i].came_at - p.letters[i].sent_at;
        }
    }
    assert_int_equal(of_b, count);
    assert_true(is_lossy ? doomed >= count / LOSE_EVERY : doomed == 0);
    post_close(&p);
}

static void loss_on_a_channel_does_not_delay_another(void **state)
{
    (void)state;
    static tern_time without[200], with[200];
    two_channels(false, without, TERN_COUNT_OF(without));
    two_channels(true, with, TERN_COUNT_OF(with));
    for (size_t i = 0; i < TERN_COUNT_OF(with); i++) {
        assert_true(with[i] <= without[i] + 2 * TERN_MSEC);
    }
}

/* --- credit --------------------------------------------------------------------------------------- */

static void fill_up(const tern_send_options *o, size_t len, size_t *sent)
{
    int rc;
    while ((rc = post_send(&p, DUO_CLIENT, len, o)) == 0) {
        (*sent)++;
        assert_true(*sent < 100000);
    }
    assert_int_equal(rc, TERN_ERR_AGAIN);
}

/* A receiver that takes nothing holds what its window allows, and the sender what its buffer does. */
static void a_receiver_that_never_reads_is_not_filled(void **state)
{
    (void)state;
    size_t sent = 0;
    post_init(&p, "cubic");
    p.duo.side[DUO_SERVER].config.max_message = 16384;
    p.duo.side[DUO_SERVER].config.message_window = 65536;
    p.duo.side[DUO_SERVER].config.message_queue = 65536;
    p.duo.side[DUO_CLIENT].config.message_buffer = 200000;
    p.is_deaf[DUO_SERVER] = true;
    post_open(&p, 1);
    tern_send_options o = post_options(TERN_RELIABLE, TERN_ORDERED, 1);
    fill_up(&o, 1000, &sent);
    assert_in_range(sent, 150, 200);
    post_run(&p, 5 * TERN_SEC);
    for (size_t i = 0; i < 5; i++) { /* what has come is acknowledged, and makes room for as much */
        fill_up(&o, 1000, &sent);
        post_run(&p, 2 * TERN_SEC);
    }
    assert_in_range(sent, 200, 270); /* 200000 and 65536, each costs 1064 */
    assert_true(tern_msgin_held(tern_messages_in(p.duo.side[DUO_SERVER].conn)) <= 65536);
    assert_int_equal(p.came, 0);
    assert_int_equal(p.writable[DUO_CLIENT], 0);
    p.is_deaf[DUO_SERVER] = false;
    post_take(&p, DUO_SERVER);
    post_await(&p, sent, 10 * TERN_SEC);
    assert_int_equal(p.writable[DUO_CLIENT], 1);
    assert_int_equal(post_send(&p, DUO_CLIENT, 1000, &o), 0);
    post_await(&p, sent + 1, TERN_SEC);
    post_close(&p);
}

/* Of unreliable ones it keeps the newest. */
static void a_full_queue_drops_the_oldest(void **state)
{
    (void)state;
    post_init(&p, "cubic");
    p.duo.side[DUO_SERVER].config.max_message = 16384;
    p.duo.side[DUO_SERVER].config.message_queue = 65536;
    p.is_deaf[DUO_SERVER] = true;
    post_open(&p, 1);
    tern_send_options o = post_options(TERN_UNRELIABLE, TERN_UNORDERED, 1);
    for (size_t i = 0; i < 200; i++) {
        assert_int_equal(post_send(&p, DUO_CLIENT, 1000, &o), 0);
        post_run(&p, TERN_MSEC);
    }
    post_run(&p, TERN_SEC);
    assert_true(tern_msgin_held(tern_messages_in(p.duo.side[DUO_SERVER].conn)) <= 65536);
    p.is_deaf[DUO_SERVER] = false;
    post_take(&p, DUO_SERVER);
    assert_in_range(p.came, 50, 65536 / 1064);
    for (size_t i = 0; i < 200; i++) {
        assert_int_equal(p.letters[i].came_at > 0, i >= 200 - p.came);
    }
    assert_int_equal(post_stats(&p, DUO_SERVER).messages_dropped, 200 - p.came);
    post_close(&p);
}

/* An end that takes none says so before anything is sent. */
static void an_end_that_takes_none_gets_none(void **state)
{
    (void)state;
    post_init(&p, "cubic");
    p.duo.side[DUO_SERVER].config.max_message = 0;
    post_open(&p, 1);
    tern_send_options o = post_options(TERN_RELIABLE, TERN_ORDERED, 1);
    assert_int_equal(tern_conn_max_message(client()), 0);
    assert_int_equal(post_send(&p, DUO_CLIENT, 100, &o), TERN_ERR_UNSUPPORTED);
    assert_int_equal(tern_conn_max_message(p.duo.side[DUO_SERVER].conn), 1 << 20);
    for (size_t i = 0; i < 100; i++) { /* the other way needs credit, too */
        assert_int_equal(post_send(&p, DUO_SERVER, 60000, &o), 0);
    }
    post_await(&p, 100, 20 * TERN_SEC);
    post_close(&p);
}

/* --- cancelling ----------------------------------------------------------------------------------- */

static void cancelled_ones_do_not_leave(void **state)
{
    (void)state;
    narrow_link(DEEP);
    for (uint32_t i = 0; i < 200; i++) {
        tern_send_options o = post_options(TERN_RELIABLE, TERN_ORDERED, i % 4);
        assert_int_equal(post_send(&p, DUO_CLIENT, 1000, &o), 0);
    }
    post_run(&p, 5 * TERN_MSEC); /* some have left */
    assert_int_equal(tern_conn_cancel(client(), 150), 1);
    assert_int_equal(tern_conn_cancel(client(), 150), 0);
    assert_int_equal(tern_conn_cancel(client(), 7777), 0);
    assert_in_range(tern_conn_cancel_channel(client(), 3), 40, 50);
    assert_int_equal(tern_conn_cancel_channel(client(), 3), 0);
    assert_int_equal(tern_conn_cancel_channel(client(), TERN_CHANNELS), 0);
    post_run(&p, 3 * TERN_SEC);
    for (uint32_t i = 0; i < 200; i++) {
        if (i % 4 != 3) {
            assert_int_equal(p.letters[i].came_at > 0, i != 150);
            assert_int_equal(p.letters[i].has_outcome, i != 150);
        } else {
            assert_false(p.letters[i].has_outcome);
        }
    }
    tern_send_options o = post_options(TERN_RELIABLE, TERN_ORDERED, 3); /* it still works */
    assert_int_equal(post_send(&p, DUO_CLIENT, 1000, &o), 0);
    post_run(&p, TERN_SEC);
    assert_true(p.letters[200].came_at > 0);
    post_close(&p);
}

/* --- memory --------------------------------------------------------------------------------------- */

/* Of every kind in turn, in both directions. */
static void exchange(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        static const size_t lens[] = {64, 200, 500, 1000};
        static const tern_reliability kinds[] = {TERN_RELIABLE, TERN_UNRELIABLE,
                                                 TERN_UNTIL_DEADLINE, TERN_LIMITED};
        tern_send_options o =
            post_options(kinds[i % 4], (tern_order)(i / 4 % 3), (uint32_t)(i / 12 % 20));
        o.lifetime = o.reliability == TERN_UNTIL_DEADLINE ? TERN_SEC : 0;
        o.retransmits = 3;
        assert_int_equal(post_send(&p, (int)(i % 2), lens[i / 60 % 4], &o), 0);
        post_run(&p, 3 * TERN_MSEC);
    }
}

static void warm_messages_allocate_nothing(void **state)
{
    (void)state;
    static struct kit_heap heap;
    const tern_allocator counting = {kit_alloc, kit_realloc, kit_free, &heap};
    post_init(&p, "cubic");
    heap = (struct kit_heap){0};
    for (int i = 0; i < 2; i++) {
        p.duo.side[i].config.allocator = counting;
        p.duo.link[i].loss = 0.04; /* more is held up than later, when it is warm */
    }
    post_open(&p, 1);
    exchange(5000);
    duo_set_loss(&p.duo, 0.005);
    uint64_t warm = heap.calls;
    exchange(10000);
    print_message("%llu allocations to get warm, %llu for 10000 messages then\n",
                  (unsigned long long)warm, (unsigned long long)(heap.calls - warm));
    assert_int_equal(heap.calls - warm, 0);
    post_close(&p);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(priorities_are_strict),
    cmocka_unit_test(weights_share_a_priority),
    cmocka_unit_test(streams_are_one_among_the_channels),
    cmocka_unit_test(bulk_does_not_delay_messages),
    cmocka_unit_test(messages_use_the_whole_window),
    cmocka_unit_test(loss_on_a_channel_does_not_delay_another),
    cmocka_unit_test(a_receiver_that_never_reads_is_not_filled),
    cmocka_unit_test(a_full_queue_drops_the_oldest),
    cmocka_unit_test(an_end_that_takes_none_gets_none),
    cmocka_unit_test(cancelled_ones_do_not_leave),
    cmocka_unit_test(warm_messages_allocate_nothing),
};

REPLAY_TEST_MAIN(tests)
