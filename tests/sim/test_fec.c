/* Video over a link that loses in bursts: how many frames are there in time, with forward error correction
 * and with retransmission alone. [P §16.6]
 * SPDX-License-Identifier: MIT */
#include "tern_test.h"

#include "sim/post.h"

#define SEEDS      (TERN_TEST_TIMES(10) == 10 ? 8 : 2)
#define FRAME      20000
#define FRAME_RATE 30
#define PEAK       (FRAME * FRAME_RATE / 2 * 5) /* bytes a second: a frame leaves in 13 ms */
#define WARM_UP    (2 * TERN_SEC)
#define LENGTH     (60 * TERN_SEC)
#define DEADLINE   (100 * TERN_MSEC)

struct outcome {
    size_t frames, in_time;
    uint64_t bytes; /* on the wire, from the sender */
    tern_stats sender, receiver;
};

static struct post p;

/* 5 % of packets, four in a row in the mean; 40 ms there and back. */
static void open_link(const char *cc, uint64_t seed)
{
    post_init(&p, cc);
    p.duo.link[DUO_CLIENT].burst_enter = 0.05 / 0.95 / 4;
    p.duo.link[DUO_CLIENT].burst_leave = 0.25;
    p.duo.link[DUO_CLIENT].rate = 20000000;
    p.duo.link[DUO_CLIENT].queue = 250000;
    post_open(&p, seed);
    post_run(&p, TERN_SEC);
}

static void send_frames(tern_time length, const tern_send_options *options)
{
    for (tern_time t = 0; t < length; t += TERN_SEC / FRAME_RATE) {
        assert_int_equal(post_send(&p, DUO_CLIENT, FRAME, options), 0);
        post_run(&p, TERN_SEC / FRAME_RATE);
    }
}

static struct outcome video(const char *cc, uint64_t seed, unsigned percent, bool adaptive)
{
    struct outcome o = {0};
    open_link(cc, seed);
    tern_send_options options = post_options(TERN_UNTIL_DEADLINE, TERN_UNORDERED, 1);
    options.lifetime = DEADLINE;
    options.priority = 0;
    tern_conn_set_rate(p.duo.side[DUO_CLIENT].conn, PEAK);
    if (percent > 0) {
        assert_int_equal(
            tern_conn_set_fec(p.duo.side[DUO_CLIENT].conn, 1, TERN_UNORDERED, percent, adaptive),
            0);
    }
    send_frames(WARM_UP, &options);
    size_t first = p.count;
    uint64_t before = duo_counters(&p.duo, DUO_CLIENT).bytes_in;
    send_frames(LENGTH, &options);
    post_run(&p, TERN_SEC);
    o.frames = p.count - first;
    for (size_t i = first; i < p.count; i++) {
        const struct post_letter *l = &p.letters[i];
        o.in_time += l->came_at != 0 && l->came_at - l->sent_at <= DEADLINE;
    }
    o.bytes = duo_counters(&p.duo, DUO_CLIENT).bytes_in - before;
    o.sender = post_stats(&p, DUO_CLIENT);
    o.receiver = post_stats(&p, DUO_SERVER);
    post_close(&p);
    return o;
}

/* Of all seeds together. *sent: bytes for each of video. */
static double share_in_time(const char *cc, unsigned percent, bool adaptive, double *sent)
{
    size_t frames = 0, in_time = 0;
    uint64_t bytes = 0, repairs = 0, recovered = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct outcome o = video(cc, seed, percent, adaptive);
        frames += o.frames;
        in_time += o.in_time;
        bytes += o.bytes;
        repairs += o.sender.repairs_sent;
        recovered += o.receiver.messages_recovered;
        assert_int_equal(o.sender.repairs_sent > 0, percent > 0);
        assert_true(o.receiver.repairs_received <= o.sender.repairs_sent);
    }
    *sent = (double)bytes / ((double)frames * FRAME);
    print_message("%s, %u %%%s: %zu of %zu frames late; %.3f bytes sent for each of video; %llu "
                  "repairs, %llu frames made whole by them\n",
                  cc, percent, adaptive ? " at most" : "", frames - in_time, frames, *sent,
                  (unsigned long long)repairs, (unsigned long long)recovered);
    return (double)in_time / (double)frames;
}

/* Half of the deadline is gone when a loss is known, and one in ten of the frames that need it would lose a part
 * of what is sent again: hence that leaves more than once, and the end of a frame before its loss is known. */
static void retransmission_alone_is_in_time_with_media(void **state)
{
    double bytes;
    (void)state;
    assert_true(share_in_time("media", 0, false, &bytes) >= 0.995);
    assert_true(bytes <= 1.25);
}

static void repairs_are_in_time_with_media(void **state)
{
    double bytes;
    (void)state;
    assert_true(share_in_time("media", 10, false, &bytes) >= 0.999);
    assert_true(bytes <= 1.4);
}

static void adapted_repairs_are_in_time_with_media(void **state)
{
    double bytes;
    (void)state;
    assert_true(share_in_time("media", 100, true, &bytes) >= 0.999);
    assert_true(bytes <= 1.45);
}

/* CUBIC takes each burst for congestion, and has no window for so much video then: repairs cannot help where
 * they must not be sent. They take no more than their part of what there is. */
static void repairs_keep_to_the_window_with_cubic(void **state)
{
    (void)state;
    struct outcome alone = video("cubic", 1, 0, false), repaired = video("cubic", 1, 30, false);
    print_message("cubic: %zu of %zu frames late, %zu with repairs; %llu bytes and %llu\n",
                  alone.frames - alone.in_time, alone.frames, repaired.frames - repaired.in_time,
                  (unsigned long long)alone.bytes, (unsigned long long)repaired.bytes);
    assert_true(repaired.bytes <= alone.bytes / 100 * 130);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(retransmission_alone_is_in_time_with_media),
    cmocka_unit_test(repairs_are_in_time_with_media),
    cmocka_unit_test(adapted_repairs_are_in_time_with_media),
    cmocka_unit_test(repairs_keep_to_the_window_with_cubic),
};

TERN_TEST_MAIN(tests)
