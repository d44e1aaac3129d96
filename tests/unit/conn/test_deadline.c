/* Every timer of a connection at its exact time, and not a nanosecond earlier.
 * SPDX-License-Identifier: MIT */
#include "conn/migrate.h"
#include "conn/recover.h"
#include "one_ck.h"
#include "wire/encode.h"

static void ready(void)
{
    one_ready();
    (void)ck_poll(&k, CK_CLIENT, TERN_EVENT_CONNECTED);
    (void)ck_poll(&k, CK_SERVER, TERN_EVENT_CONNECTED);
}

static tern_time deadline(int side)
{
    return tern_conn_deadline(k.side[side].conn, k.now);
}

static void tick_at(int side, tern_time now)
{
    k.now = now;
    tern_conn_tick(k.side[side].conn, now);
}

/* One that asks for an answer leaves and is lost. */
static void lose_a_ping(struct tern_conn *conn, int side)
{
    conn->wants_ping = true;
    assert_int_equal(ck_lose(&k, side), 1);
}

/* The n-th probe, `wait` after what left last, not a nanosecond earlier, and lost. */
static void lose_probe_after(int side, tern_time wait)
{
    tern_time at = k.now + wait;
    assert_int_equal(deadline(side), at);
    tick_at(side, at - 1);
    assert_int_equal(ck_lose(&k, side), 0);
    tick_at(side, at);
    assert_in_range(ck_lose(&k, side), 1, 2);
}

/* RFC 9002 §6.2.1: srtt + max(4 var, 1 ms) + max_ack_delay, then twice as long each time. */
static void probes_leave_ever_more_rarely(void **state)
{
    (void)state;
    k.side[CK_CLIENT].config.idle_timeout = k.side[CK_SERVER].config.idle_timeout = 0;
    ready();
    client->path.rtt.smoothed = 50 * TERN_MSEC;
    client->path.rtt.variation = 5 * TERN_MSEC;
    lose_a_ping(client, CK_CLIENT);
    tern_time wait = (50 + 4 * 5 + 25) * TERN_MSEC;
    for (unsigned n = 0; n < 40; n++, wait *= 2) {
        wait = TERN_MIN(wait, 5 * TERN_SEC); /* [P §9.4] */
        lose_probe_after(CK_CLIENT, wait);
        assert_int_equal(client->counters.ptos, n + 1);
    }
    assert_int_equal(client->counters.packets_lost, 0); /* RFC 9002 §6.2: silence is no proof */
    assert_int_equal(client->life.state, TERN_LIFE_ESTABLISHED);
}

/* [P §9.4]: as the application wishes, but twice in a round trip, and all connections together only so often. */
static void probes_that_hurry_have_a_budget(void **state)
{
    (void)state;
    k.side[CK_CLIENT].config.idle_timeout = k.side[CK_SERVER].config.idle_timeout = 0;
    k.side[CK_CLIENT].config.probe_interval = 20 * TERN_MSEC;
    ready();
    tern_budget_set(&k.side[CK_CLIENT].env.hurry, 1); /* one, and one more in a second */
    client->path.rtt.smoothed = 50 * TERN_MSEC;
    client->path.rtt.variation = 5 * TERN_MSEC;
    lose_a_ping(client, CK_CLIENT);
    tern_time pto = (50 + 4 * 5 + 25) * TERN_MSEC;
    lose_probe_after(CK_CLIENT, pto);
    lose_probe_after(CK_CLIENT, 25 * TERN_MSEC);
    lose_probe_after(CK_CLIENT, 4 * pto);
    lose_probe_after(CK_CLIENT, 8 * pto);
    lose_probe_after(CK_CLIENT, 25 * TERN_MSEC);
    lose_probe_after(CK_CLIENT, TERN_SEC);
}

/* RFC 9002 §6.2.1: where a packet will be taken for lost, nothing is probed before, however late that is. */
static void a_loss_to_come_replaces_the_probe(void **state)
{
    (void)state;
    ready();
    lose_a_ping(client, CK_CLIENT);
    tern_time probe = deadline(CK_CLIENT), late = probe + TERN_SEC;
    client->spaces[TERN_LEVEL_APP].loss.loss_time = probe - 1;
    assert_int_equal(deadline(CK_CLIENT), probe - 1);
    client->spaces[TERN_LEVEL_APP].loss.loss_time = late;
    assert_int_equal(deadline(CK_CLIENT), late);
    tick_at(CK_CLIENT, probe);
    assert_int_equal(client->counters.ptos, 0);
    client->spaces[TERN_LEVEL_APP].loss.loss_time = TERN_TIME_NEVER;
    tick_at(CK_CLIENT, probe);
    assert_int_equal(client->counters.ptos, 1);
}

/* RFC 9002 §5.3: what the peer claims beyond its longest delay is part of the round trip. */
static void a_claimed_delay_counts_up_to_the_longest(void **state)
{
    static const struct {
        tern_time claimed, believed;
    } cases[] = {{8 * TERN_MSEC, 8 * TERN_MSEC},
                 {25 * TERN_MSEC, 25 * TERN_MSEC},
                 {100 * TERN_MSEC, 25 * TERN_MSEC},
                 {3600 * TERN_SEC, 25 * TERN_MSEC}};
    (void)state;
    ready();
    for (size_t i = 0; i < TERN_COUNT_OF(cases); i++) {
        struct tern_frame ack = {.type = TERN_FRAME_ACK};
        struct tern_rtt expected = client->path.rtt;
        lose_a_ping(client, CK_CLIENT);
        k.now += 200 * TERN_MSEC;
        ack.u.ack.largest = client->spaces[TERN_LEVEL_APP].loss.sent.next_pn - 1;
        ack.u.ack.delay = (cases[i].claimed / TERN_USEC) >> client->ack_delay_exponent;
        assert_int_equal(tern_recover_on_ack(client, TERN_LEVEL_APP, &ack, k.now), 0);
        tern_rtt_update(&expected, 200 * TERN_MSEC, cases[i].believed, k.now);
        assert_int_equal(client->path.rtt.smoothed, expected.smoothed);
        assert_int_equal(client->path.rtt.variation, expected.variation);
    }
}

/* [P §9.4]: 333 + 4 * 166.5 ms, then a second and a half, until the 10 s of [P §10.3] are over. */
static void probes_of_a_handshake_keep_coming(void **state)
{
    (void)state;
    assert_int_equal(ck_connect(&k), 0);
    assert_int_equal(ck_lose(&k, CK_CLIENT), 1);
    lose_probe_after(CK_CLIENT, 999 * TERN_MSEC);
    for (unsigned n = 0; n < 6; n++) {
        lose_probe_after(CK_CLIENT, 1500 * TERN_MSEC);
    }
    assert_int_equal(deadline(CK_CLIENT), CK_START + 10 * TERN_SEC);
}

/* On a path longer than that the wait is the probe timeout itself: never shorter. */
static void a_slow_handshake_is_not_hurried(void **state)
{
    (void)state;
    k.side[CK_CLIENT].config.initial_rtt = 700 * TERN_MSEC;
    assert_int_equal(ck_connect(&k), 0);
    assert_int_equal(ck_lose(&k, CK_CLIENT), 1);
    lose_probe_after(CK_CLIENT, 2100 * TERN_MSEC);
    lose_probe_after(CK_CLIENT, 2100 * TERN_MSEC);
}

/* An Initial packet from the server's side that acknowledges all of the client's and says no more. */
static size_t seal_bare_ack(uint8_t *out)
{
    struct tern_key_phase *keys = client->spaces[TERN_LEVEL_INITIAL].keys;
    const struct tern_cid peer = {.bytes = {7, 1, 2, 3, 4, 5, 6, 7}, .len = 8};
    uint64_t last = client->spaces[TERN_LEVEL_INITIAL].loss.sent.next_pn - 1;
    struct tern_range range = {.start = 0, .end = last + 1};
    struct tern_packet_keys tx;
    struct tern_writer header, w;
    uint8_t payload[64] = {0}, mask[TERN_MASK_SIZE];
    tern_writer_init(&w, payload, sizeof payload);
    tern_frame_encode_ack(&w, last, 0, &range, 1, NULL);
    size_t len = TERN_MAX(tern_writer_used(&w), (size_t)8);
    size_t tag = tern_suite_tag_size(keys->rx.suite);
    tx = keys->rx; /* both ends have the same: whoever saw the first packet has them, [P §4.3] */
    tern_writer_init(&header, out, 100);
    tern_header_encode_long(&header, TERN_PACKET_INITIAL, &client->cids.local[0].cid, &peer, NULL,
                            0, last + 1, 2, len + tag);
    size_t header_len = tern_writer_used(&header);
    memcpy(out + header_len, payload, len);
    assert_int_equal(tern_packet_seal(&tx, 0, last + 1, out, header_len, out + header_len, len), 0);
    tern_aead_mask(&tx.mask, out + header_len + 2, mask);
    tern_header_mask(out, header_len - 2, 2, mask);
    return header_len + len + tag;
}

/* RFC 9002 §6.2.1: acknowledgements of Initial packets do not reset the backoff, or else a server that
 * never goes on would be probed for ever at the first pace. Ours do not even count, [P §4.3]. */
static void acks_of_a_first_message_hurry_nobody(void **state)
{
    (void)state;
    uint8_t data[200];
    assert_int_equal(ck_connect(&k), 0);
    client = k.side[CK_CLIENT].conn;
    assert_int_equal(ck_lose(&k, CK_CLIENT), 1);
    tern_time wait = 999 * TERN_MSEC;
    for (unsigned n = 0; n < 7; n++, wait = 1500 * TERN_MSEC) {
        tern_time left_at = k.now;
        size_t len = seal_bare_ack(data);
        uint64_t dropped = client->counters.packets_dropped;
        k.now += CK_HOP;
        ck_give_from(&k, CK_CLIENT, &k.side[CK_SERVER].addr, data, len);
        assert_int_equal(client->counters.packets_dropped, dropped + 1);
        assert_int_equal(ck_lose(&k, CK_CLIENT), 0);
        lose_probe_after(CK_CLIENT, left_at + wait - k.now);
        assert_int_equal(client->counters.ptos, n + 1);
    }
}

/* A client that has said message 3 and never hears that it arrived. */
static void say_all(void)
{
    k.side[CK_CLIENT].config.idle_timeout = k.side[CK_SERVER].config.idle_timeout = 0;
    assert_int_equal(ck_connect(&k), 0);
    client = k.side[CK_CLIENT].conn;
    (void)ck_carry(&k, CK_CLIENT);
    (void)ck_carry(&k, CK_SERVER);
    assert_true(ck_lose(&k, CK_CLIENT) > 0);
    assert_int_equal(client->life.state, TERN_LIFE_ESTABLISHED);
    assert_false(client->life.is_confirmed);
}

/* [P §10.3]: without an idle timeout, too, it comes to an end. */
static void an_unconfirmed_handshake_ends(void **state)
{
    (void)state;
    say_all();
    tern_time end = CK_START + 10 * TERN_SEC;
    unsigned probes = 0;
    while (deadline(CK_CLIENT) < end) {
        tick_at(CK_CLIENT, deadline(CK_CLIENT));
        (void)ck_lose(&k, CK_CLIENT);
        assert_true(++probes < 20);
    }
    assert_int_equal(deadline(CK_CLIENT), end);
    tick_at(CK_CLIENT, end - 1);
    assert_int_equal(client->life.state, TERN_LIFE_ESTABLISHED);
    tick_at(CK_CLIENT, end);
    assert_int_equal(client->life.state, TERN_LIFE_CLOSED);
    assert_int_equal(client->life.error, TERN_ERR_TIMEOUT);
}

/* RFC 9002 §6.2.2.1, A.8: who acknowledged message 3 has our address proved, and its HANDSHAKE_DONE
 * will come by itself: there is nothing to probe for. */
static void an_acknowledged_message_3_needs_no_probes(void **state)
{
    (void)state;
    say_all();
    struct tern_frame ack = {.type = TERN_FRAME_ACK};
    uint64_t last = client->spaces[TERN_LEVEL_HANDSHAKE].loss.sent.next_pn - 1;
    ack.u.ack.largest = last;
    ack.u.ack.first_range = last;
    assert_int_equal(tern_recover_on_ack(client, TERN_LEVEL_HANDSHAKE, &ack, k.now), 0);
    assert_int_equal(client->spaces[TERN_LEVEL_HANDSHAKE].loss.sent.eliciting_outstanding, 0);
    assert_int_equal(deadline(CK_CLIENT), CK_START + 10 * TERN_SEC);
    lose_a_ping(client,
                CK_CLIENT); /* RFC 9002 §6.2.1: nor for 1-RTT packets, until all is confirmed */
    assert_true(client->spaces[TERN_LEVEL_APP].loss.sent.eliciting_outstanding > 0);
    assert_int_equal(deadline(CK_CLIENT), CK_START + 10 * TERN_SEC);
}

static void a_handshake_ends_in_silence(void **state)
{
    (void)state;
    assert_int_equal(ck_connect(&k), 0);
    client = k.side[CK_CLIENT].conn;
    (void)ck_lose(&k, CK_CLIENT);
    tick_at(CK_CLIENT, CK_START + 10 * TERN_SEC - 1);
    assert_int_equal(client->life.state, TERN_LIFE_HANDSHAKING);
    (void)ck_lose(&k, CK_CLIENT);
    tick_at(CK_CLIENT, CK_START + 10 * TERN_SEC);
    assert_int_equal(client->life.state, TERN_LIFE_CLOSED);
    assert_int_equal(client->life.by, TERN_CLOSED_TIMEOUT);
    assert_int_equal(ck_lose(&k, CK_CLIENT), 0);
    assert_int_equal(ck_poll(&k, CK_CLIENT, TERN_EVENT_CLOSED), 1);
    assert_true(tern_conn_is_spent(client));
}

static void idleness_counts_from_the_last_word_heard(void **state)
{
    (void)state;
    ready();
    tern_time end = client->idle_from + 30 * TERN_SEC;
    assert_int_equal(deadline(CK_CLIENT), end);
    tick_at(CK_CLIENT, end - 1);
    assert_int_equal(client->life.state, TERN_LIFE_ESTABLISHED);
    tick_at(CK_CLIENT, end);
    assert_int_equal(client->life.state, TERN_LIFE_CLOSED);
    assert_int_equal(client->life.error, TERN_ERR_TIMEOUT);
    assert_int_equal(ck_lose(&k, CK_CLIENT), 0);
}

/* [P §10.3] */
static void the_smaller_idle_timeout_counts(void **state)
{
    static const tern_time rows[][3] = {
        {5 * TERN_SEC, 20 * TERN_SEC, 5 * TERN_SEC},
        {20 * TERN_SEC, 5 * TERN_SEC, 5 * TERN_SEC},
        {0, 7 * TERN_SEC, 7 * TERN_SEC},
        {7 * TERN_SEC, 0, 7 * TERN_SEC},
        {0, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(rows); i++) {
        ck_init(&k);
        k.side[CK_CLIENT].config.idle_timeout = rows[i][0];
        k.side[CK_SERVER].config.idle_timeout = rows[i][1];
        ready();
        tern_time at = rows[i][2] == 0 ? TERN_TIME_NEVER : client->idle_from + rows[i][2];
        assert_int_equal(client->idle_timeout, rows[i][2]);
        assert_int_equal(server->idle_timeout, rows[i][2]);
        assert_int_equal(deadline(CK_CLIENT), at);
        assert_int_equal(ck_clear(&k), 0);
    }
}

/* RFC 9000 §10.1: at least three PTO, so that one loss does not end it. */
static void no_idle_timeout_is_shorter_than_three_pto(void **state)
{
    (void)state;
    ready();
    client->idle_timeout = TERN_MSEC;
    tern_time least = 3 * tern_conn_pto(client, TERN_LEVEL_APP);
    assert_true(least > 60 * TERN_MSEC);
    assert_int_equal(deadline(CK_CLIENT), client->idle_from + least);
    client->idle_timeout = least + 1;
    assert_int_equal(deadline(CK_CLIENT), client->idle_from + least + 1);
}

/* RFC 9000 §10.1: only the first ack-eliciting packet since the last word heard starts it anew, or
 * else a dead peer would never be noticed by one who keeps asking. */
static void our_own_words_extend_it_once(void **state)
{
    (void)state;
    ready();
    k.now += 4 * TERN_SEC;
    lose_a_ping(client, CK_CLIENT);
    assert_int_equal(client->idle_from, k.now);
    tern_time first = k.now;
    for (int i = 0; i < 5; i++) {
        k.now += TERN_MSEC;
        lose_a_ping(client, CK_CLIENT);
    }
    assert_int_equal(client->idle_from, first);
}

static void keepalive_speaks_in_time(void **state)
{
    (void)state;
    k.side[CK_CLIENT].config.keepalive = 5 * TERN_SEC;
    ready();
    for (int i = 0; i < 10; i++) {
        tern_time at = TERN_MAX(client->idle_from, client->last_eliciting_at) + 5 * TERN_SEC;
        assert_int_equal(deadline(CK_CLIENT), at);
        tick_at(CK_CLIENT, at - 1);
        assert_int_equal(ck_lose(&k, CK_CLIENT), 0);
        tick_at(CK_CLIENT, at);
        assert_true(deadline(CK_CLIENT) > k.now); /* the want is noted: no spinning */
        assert_int_equal(ck_carry(&k, CK_CLIENT), 1);
        ck_settle(&k);
    }
    assert_int_equal(server->life.state, TERN_LIFE_ESTABLISHED); /* kept over 50 s */
    assert_true(k.now - CK_START > 50 * TERN_SEC);
}

/* RFC 9000 §10.2: three PTO from when the close left. */
static void closing_ends_three_pto_after_the_close_left(void **state)
{
    (void)state;
    ready();
    tern_conn_close(client, 7, "done");
    assert_int_equal(deadline(CK_CLIENT), TERN_TIME_NEVER);
    tick_at(CK_CLIENT, k.now + TERN_SEC);
    assert_int_equal(client->life.state, TERN_LIFE_CLOSING);
    assert_int_equal(ck_lose(&k, CK_CLIENT), 1);
    tern_time end = k.now + 3 * tern_conn_pto(client, TERN_LEVEL_APP);
    assert_int_equal(deadline(CK_CLIENT), end);
    tick_at(CK_CLIENT, end - 1);
    assert_int_equal(client->life.state, TERN_LIFE_CLOSING);
    tick_at(CK_CLIENT, end);
    assert_int_equal(client->life.state, TERN_LIFE_CLOSED);
    assert_false(tern_conn_is_spent(client)); /* not before the application knows */
    assert_int_equal(ck_poll(&k, CK_CLIENT, TERN_EVENT_CLOSED), 1);
    assert_true(tern_conn_is_spent(client));
}

static void draining_is_silent_for_three_pto(void **state)
{
    (void)state;
    ready();
    server->wants_ping = true; /* what it wanted to say stays unsaid */
    tern_conn_close(client, 7, NULL);
    assert_int_equal(ck_carry(&k, CK_CLIENT), 1);
    assert_int_equal(server->life.state, TERN_LIFE_DRAINING);
    tern_time end = k.now + 3 * tern_conn_pto(server, TERN_LEVEL_APP);
    assert_int_equal(deadline(CK_SERVER), end);
    tick_at(CK_SERVER, end - 1);
    assert_int_equal(server->life.state, TERN_LIFE_DRAINING);
    assert_int_equal(ck_lose(&k, CK_SERVER), 0);
    tick_at(CK_SERVER, end);
    assert_int_equal(server->life.state, TERN_LIFE_CLOSED);
}

/* A server that may send nothing must not wake up to send: the next datagram wakes it. */
static void no_allowance_no_alarm(void **state)
{
    (void)state;
    assert_int_equal(ck_connect(&k), 0);
    assert_int_equal(ck_carry(&k, CK_CLIENT), 1);
    server = k.side[CK_SERVER].conn;
    assert_true(ck_lose(&k, CK_SERVER) > 0);
    tern_time probe = deadline(CK_SERVER);
    assert_in_range(probe, k.now + 1, k.now + TERN_SEC);
    server->path.sent = 3 * server->path.received - (TERN_MIN_SEND_ALLOWANCE - 1);
    assert_int_equal(deadline(CK_SERVER), server->born_at + 10 * TERN_SEC);
    server->path.sent--; /* exactly enough */
    assert_int_equal(deadline(CK_SERVER), probe);
    server->path.sent++;
    tern_path_on_received(&server->path, 1);
    assert_int_equal(deadline(CK_SERVER), probe);
}

static void an_ack_is_late_by_its_delay_and_no_more(void **state)
{
    (void)state;
    ready();
    server->spaces[TERN_LEVEL_APP].acks.warmup = 0;
    client->wants_ping = true;
    assert_int_equal(ck_carry(&k, CK_CLIENT), 1);
    tern_time at = k.now + 25 * TERN_MSEC;
    assert_int_equal(deadline(CK_SERVER), at);
    tick_at(CK_SERVER, at - 1);
    assert_int_equal(ck_lose(&k, CK_SERVER), 0);
    tick_at(CK_SERVER, at);
    assert_int_equal(ck_lose(&k, CK_SERVER), 1);
    assert_true(deadline(CK_SERVER) > k.now);
}

static void a_path_is_asked_again_and_given_up(void **state)
{
    (void)state;
    tern_addr elsewhere;
    assert_int_equal(tern_addr_parse(&elsewhere, "203.0.113.9:9"), 0);
    ready();
    tern_addr home = server->path.remote;
    tern_datagram in = {.local = server->path.local, .remote = elsewhere};
    tern_migrate_follow(server, &in, 1200, &server->path.used, k.now);
    tern_time end = server->path.challenge_until;
    unsigned asked = 0;
    for (int i = 0; i < 60 && !server->path.is_validated; i++) {
        asked += server->path.wants_challenge ? 1 : 0;
        (void)ck_lose(&k, CK_SERVER);
        assert_false(server->path.wants_challenge);
        assert_in_range(deadline(CK_SERVER), k.now + 1, end);
        tick_at(CK_SERVER, deadline(CK_SERVER));
    }
    assert_in_range(asked, 2, 3);
    assert_int_equal(k.now, end);
    assert_true(tern_addr_equal(&server->path.remote, &home));
    assert_true(server->wants_ping); /* does the old one still live? */
}

static void an_old_key_goes_in_time(void **state)
{
    (void)state;
    ready();
    struct tern_key_phase *keys = client->spaces[TERN_LEVEL_APP].keys;
    tern_time idle = deadline(CK_CLIENT), at = k.now + 600 * TERN_MSEC;
    keys->previous_until = at;
    assert_true(keys->has_rx_pn);
    assert_int_equal(deadline(CK_CLIENT), at);
    tick_at(CK_CLIENT, at - 1);
    assert_int_equal(keys->previous_until, at);
    tick_at(CK_CLIENT, at);
    assert_int_equal(keys->previous_until, TERN_TIME_NEVER);
    keys->previous_until = at; /* the peer has not followed: its key stays, and wakes nobody */
    keys->has_rx_pn = false;
    assert_int_equal(deadline(CK_CLIENT), idle);
}

/* RFC 9002 §A.1 takes any clock: equal and backward times change nothing and harm nobody. */
static void time_may_step_back(void **state)
{
    (void)state;
    ready();
    tern_time was = deadline(CK_CLIENT);
    tern_conn_tick(client, k.now);
    tern_conn_tick(client, k.now - TERN_SEC);
    tern_conn_tick(client, 0);
    assert_int_equal(client->life.state, TERN_LIFE_ESTABLISHED);
    assert_int_equal(deadline(CK_CLIENT), was);
    tern_stream *stream;
    assert_int_equal(tern_conn_open_stream(client, TERN_STREAM_UNI, &stream), 0);
    assert_int_equal(tern_streams_write(&client->streams, stream, "back", 4, TERN_FIN), 4);
    k.now -= 2 * TERN_SEC;
    ck_settle(&k);
    assert_int_equal(server->streams.bytes_received, 4);
    assert_int_equal(server->life.state, TERN_LIFE_ESTABLISHED);
}

/* The earliest of all counts, whichever it is; a tick is a reason to look. */
static void the_earliest_counts(void **state)
{
    (void)state;
    ready();
    tern_time idle = deadline(CK_CLIENT);
    client->pacing_until = k.now;
    assert_int_equal(deadline(CK_CLIENT), idle); /* the pacer waits no more */
    client->pacing_until = k.now + 40;
    assert_int_equal(deadline(CK_CLIENT), k.now + 40);
    client->path.challenge_until = k.now + 30;
    assert_int_equal(deadline(CK_CLIENT), k.now + 30);
    client->path.challenge_again = k.now + 20;
    assert_int_equal(deadline(CK_CLIENT), k.now + 20);
    client->spaces[TERN_LEVEL_APP].acks.deadline = k.now + 10;
    assert_int_equal(deadline(CK_CLIENT), k.now + 10);
    client->spaces[TERN_LEVEL_INITIAL].acks.deadline = k.now + 1; /* long discarded */
    assert_int_equal(deadline(CK_CLIENT), k.now + 10);
    tern_list_drop(&client->ready_node);
    tern_conn_tick(client, k.now);
    assert_true(tern_list_is_linked(&client->ready_node));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(probes_leave_ever_more_rarely, one_setup, one_teardown),
    cmocka_unit_test_setup_teardown(probes_that_hurry_have_a_budget, one_setup, one_teardown),
    cmocka_unit_test_setup_teardown(a_loss_to_come_replaces_the_probe, one_setup, one_teardown),
    cmocka_unit_test_setup_teardown(a_claimed_delay_counts_up_to_the_longest, one_setup,
                                    one_teardown),
    cmocka_unit_test_setup_teardown(probes_of_a_handshake_keep_coming, one_setup, one_teardown),
    cmocka_unit_test_setup_teardown(a_slow_handshake_is_not_hurried, one_setup, one_teardown),
    cmocka_unit_test_setup_teardown(acks_of_a_first_message_hurry_nobody, one_setup, one_teardown),
    cmocka_unit_test_setup_teardown(an_unconfirmed_handshake_ends, one_setup, one_teardown),
    cmocka_unit_test_setup_teardown(an_acknowledged_message_3_needs_no_probes, one_setup,
                                    one_teardown),
    cmocka_unit_test_setup_teardown(a_handshake_ends_in_silence, one_setup, one_teardown),
    cmocka_unit_test_setup_teardown(idleness_counts_from_the_last_word_heard, one_setup,
                                    one_teardown),
    cmocka_unit_test(the_smaller_idle_timeout_counts),
    cmocka_unit_test_setup_teardown(no_idle_timeout_is_shorter_than_three_pto, one_setup,
                                    one_teardown),
    cmocka_unit_test_setup_teardown(our_own_words_extend_it_once, one_setup, one_teardown),
    cmocka_unit_test_setup_teardown(keepalive_speaks_in_time, one_setup, one_teardown),
    cmocka_unit_test_setup_teardown(closing_ends_three_pto_after_the_close_left, one_setup,
                                    one_teardown),
    cmocka_unit_test_setup_teardown(draining_is_silent_for_three_pto, one_setup, one_teardown),
    cmocka_unit_test_setup_teardown(no_allowance_no_alarm, one_setup, one_teardown),
    cmocka_unit_test_setup_teardown(an_ack_is_late_by_its_delay_and_no_more, one_setup,
                                    one_teardown),
    cmocka_unit_test_setup_teardown(a_path_is_asked_again_and_given_up, one_setup, one_teardown),
    cmocka_unit_test_setup_teardown(an_old_key_goes_in_time, one_setup, one_teardown),
    cmocka_unit_test_setup_teardown(time_may_step_back, one_setup, one_teardown),
    cmocka_unit_test_setup_teardown(the_earliest_counts, one_setup, one_teardown),
};

TERN_TEST_MAIN(tests)
