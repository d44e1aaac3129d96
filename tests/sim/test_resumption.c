/* Coming back with a ticket over bad networks: everything arrives once, early or not.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>
#include <tern/sim.h>
#include <tern/tern.h>

#include "sim/invariants.h"
#include "sim/kit.h"
#include "tern_test.h"

#define TICKET_MAX 600
#define TEXT_MAX   20000

static const char *const controllers[] = {"newreno", "cubic", "bbr", "ledbat"};

struct visit {
    tern_sim *sim;
    tern_sim_host *hosts[2];
    tern_endpoint *ends[2]; /* the client, the server */
    tern_conn *conns[2];
    uint8_t ticket[TICKET_MAX];
    size_t ticket_len;
    tern_time ticket_at, read_at;
    uint8_t read[TEXT_MAX];
    size_t read_len, early_len, answer_len;
    size_t answer;       /* bytes that the server says to a request; 0: thanks */
    bool is_at_once;     /* ... before message 3 has come, if it may */
    tern_time answer_at; /* the last of it came */
    unsigned connected[2], closed[2];
    tern_early_state outcome;
    const char *broken;
};

static void answer(const struct visit *v, tern_stream *stream)
{
    static uint8_t many[TEXT_MAX];
    const void *words = v->answer == 0 ? (const void *)"thank you" : many;
    size_t len = v->answer == 0 ? 9 : v->answer;
    if (v->is_at_once) {
        assert_int_equal(tern_stream_set_early(stream), 0);
    }
    for (size_t i = 0; i < sizeof many; i++) {
        many[i] = (uint8_t)(i % 251);
    }
    assert_int_equal(tern_stream_write(stream, words, len, TERN_FIN), len);
}

static void read_answer(struct visit *v, tern_stream *stream)
{
    uint8_t buf[64];
    ptrdiff_t n;
    while ((n = tern_stream_read(stream, buf, sizeof buf)) > 0) {
        for (ptrdiff_t i = 0; v->answer > 0 && i < n; i++) {
            assert_int_equal(buf[i], (v->answer_len + (size_t)i) % 251);
        }
        v->answer_len += (size_t)n;
        v->answer_at = tern_sim_now(v->sim);
    }
}

static void read_all(struct visit *v, tern_stream *stream)
{
    ptrdiff_t n;
    do {
        bool is_early = tern_stream_is_early(stream);
        size_t room = sizeof v->read - v->read_len;
        n = room == 0 ? 0 : tern_stream_read(stream, v->read + v->read_len, room);
        if (n > 0) {
            v->read_len += (size_t)n;
            v->early_len += is_early ? (size_t)n : 0;
            v->read_at = tern_sim_now(v->sim);
        }
        if (n == 0) { /* the whole request is here */
            answer(v, stream);
        }
    } while (n > 0);
}

static void on_event(struct visit *v, int end, const tern_event *ev)
{
    if (ev->type == TERN_EVENT_CONNECTED) {
        v->connected[end]++;
        v->conns[end] = ev->conn;
        v->outcome = end == 0 ? tern_conn_early(ev->conn) : v->outcome;
    } else if (ev->type == TERN_EVENT_EARLY) {
        v->conns[end] = ev->conn;
    } else if (ev->type == TERN_EVENT_CLOSED) {
        v->closed[end]++;
        v->conns[end] = NULL;
    } else if (ev->type == TERN_EVENT_TICKET && ev->ticket_len <= TICKET_MAX) {
        memcpy(v->ticket, ev->ticket, ev->ticket_len);
        v->ticket_len = ev->ticket_len;
        v->ticket_at = tern_sim_now(v->sim);
    } else if (ev->type == TERN_EVENT_STREAM_READABLE && end == 1) {
        read_all(v, ev->stream);
    } else if (ev->type == TERN_EVENT_STREAM_READABLE) {
        read_answer(v, ev->stream);
    }
}

/* Until the answer is here (or both ends are closed), or `limit` is over. */
static void run(struct visit *v, size_t answer, tern_time limit)
{
    tern_time until = tern_sim_now(v->sim) + limit;
    while (v->broken == NULL && (answer == 0 || v->answer_len < answer || v->ticket_len == 0)) {
        if (tern_sim_flush(v->sim) != 0 || tern_sim_step(v->sim, until) != 1) {
            break;
        }
        for (int end = 1; end >= 0; end--) {
            tern_event ev;
            while (tern_endpoint_poll(v->ends[end], &ev) == 1) {
                on_event(v, end, &ev);
            }
            if (v->conns[end] != NULL && tern_conn_is_established(v->conns[end])) {
                v->broken = invariants_broken(v->conns[end], tern_sim_now(v->sim));
            }
        }
    }
}

/* Two hosts, 20 ms apart, on a road that loses so many packets, and doubles, delays and breaks others. */
static void open_world(struct visit *v, double loss, tern_time jitter, uint64_t seed,
                       const char *cc)
{
    static const uint8_t client_key[TERN_KEY_SIZE] = {8}, server_key[TERN_KEY_SIZE] = {16};
    tern_config config;
    tern_link_config link;
    tern_addr a = {.family = 4, .ip = {10, 0, 0, 1}, .port = 1000};
    tern_addr b = {.family = 4, .ip = {10, 0, 0, 2}, .port = 4433};
    memset(v, 0, sizeof *v);
    tern_link_config_init(&link);
    link.delay = 20 * TERN_MSEC;
    link.loss = loss;
    link.duplicate = link.reorder = loss / 2;
    link.corrupt = loss / 4;
    link.jitter = jitter;
    assert_int_equal(tern_sim_new(&v->sim, seed), 0);
    tern_config_init(&config);
    config.cc = cc;
    config.handshake_timeout = config.idle_timeout = 60 * TERN_SEC;
    config.secret_key = client_key;
    (void)replay_trace(&config);
    assert_int_equal(tern_sim_add_host(v->sim, &a, &config, &v->hosts[0]), 0);
    config.secret_key = server_key;
    config.accept = config.early_data = true;
    assert_int_equal(tern_sim_add_host(v->sim, &b, &config, &v->hosts[1]), 0);
    assert_int_equal(tern_sim_connect(v->sim, v->hosts[0], v->hosts[1], &link, NULL), 0);
    v->ends[0] = tern_sim_host_endpoint(v->hosts[0]);
    v->ends[1] = tern_sim_host_endpoint(v->hosts[1]);
}

/* The client goes, and whatever is still to be said has so long. */
static void leave(struct visit *v, tern_time rest)
{
    tern_conn_close(v->conns[0], 0, NULL);
    run(v, 0, rest);
}

static void connect(struct visit *v, const uint8_t *text, size_t len, tern_time age_error)
{
    tern_peer peer;
    uint8_t key[TERN_KEY_SIZE];
    tern_stream *stream;
    tern_peer_init(&peer);
    peer.addr = tern_sim_host_addr(v->hosts[1]);
    tern_endpoint_public_key(v->ends[1], key);
    peer.key = key;
    peer.ticket = v->ticket_len > 0 ? v->ticket : NULL;
    peer.ticket_len = v->ticket_len;
    peer.ticket_age = tern_sim_now(v->sim) - v->ticket_at + age_error;
    v->read_len = v->early_len = v->answer_len = 0;
    assert_int_equal(tern_endpoint_connect(v->ends[0], &peer, &v->conns[0], tern_sim_now(v->sim)),
                     0);
    assert_int_equal(tern_conn_open_stream(v->conns[0], TERN_STREAM_BIDI, &stream), 0);
    assert_int_equal(tern_stream_set_early(stream), 0);
    assert_int_equal(tern_stream_write(stream, text, len, TERN_FIN), len);
    v->ticket_len = 0;
}

/* A visit, then another with the ticket of the first. */
static void two_visits(struct visit *v, const uint8_t *text, size_t len, tern_time age_error)
{
    connect(v, text, len, 0);
    run(v, 9, 120 * TERN_SEC);
    assert_null(v->broken);
    assert_int_equal(v->answer_len, 9);
    assert_int_equal(v->early_len, 0);
    assert_true(v->ticket_len > 0);
    leave(v, 20 * TERN_SEC);
    connect(v, text, len, age_error);
    run(v, 9, 120 * TERN_SEC);
    assert_null(v->broken);
    assert_int_equal(v->answer_len, 9);
    assert_int_equal(v->read_len, len);
    assert_memory_equal(v->read, text, len);
    assert_int_equal(v->connected[0], 2);
}

static void fill(uint8_t *text, size_t len, uint64_t seed)
{
    for (size_t i = 0; i < len; i++) {
        text[i] = (uint8_t)(i * 31 + seed);
    }
}

/* What the client wrote before it knew the server's answer is read half a round trip later. */
static void zerortt(void **state)
{
    uint8_t text[3000];
    (void)state;
    fill(text, sizeof text, 1);
    for (size_t c = 0; c < 4; c++) {
        struct visit v;
        open_world(&v, 0, 0, 1, controllers[c]);
        two_visits(&v, text, sizeof text, 0);
        assert_int_equal(v.outcome, TERN_EARLY_ACCEPTED);
        assert_int_equal(v.early_len, sizeof text);
        tern_sim_free(v.sim);
    }
}

static void early_data_saves_a_round_trip(void **state)
{
    uint8_t text[1000];
    tern_time took[2];
    (void)state;
    fill(text, sizeof text, 1);
    for (int i = 0; i < 2; i++) {
        struct visit v;
        open_world(&v, 0, 0, 1, "cubic");
        connect(&v, text, sizeof text, 0);
        run(&v, 9, 10 * TERN_SEC);
        leave(&v, 20 * TERN_SEC);
        v.ticket_len = i == 0 ? 0 : v.ticket_len;
        tern_time start = tern_sim_now(v.sim);
        connect(&v, text, sizeof text, 0);
        run(&v, 9, 10 * TERN_SEC);
        took[i] = v.read_at - start;
        tern_sim_free(v.sim);
    }
    assert_true(took[1] + 39 * TERN_MSEC <= took[0]);
    assert_true(took[1] < 21 * TERN_MSEC);
}

/* A hundred seeds of a bad link, all controllers. */
static void zerortt_under_loss(void **state)
{
    static uint8_t text[12000];
    uint64_t first = replay_first_seed();
    unsigned accepted = 0, runs = 0;
    (void)state;
    for (uint64_t seed = first; seed < first + replay_seed_count(100); seed++) {
        for (size_t c = 0; c < 4; c++) {
            static struct visit v;
            fill(text, sizeof text, seed);
            open_world(&v, 0.1, 0, seed, controllers[c]);
            two_visits(&v, text, sizeof text, 0);
            accepted += v.outcome == TERN_EARLY_ACCEPTED ? 1 : 0;
            runs++;
            tern_sim_free(v.sim);
        }
    }
    assert_true(accepted * 10 > runs * 9);
}

/* The same with a ticket that the server does not take: as if there had been none. */
static void refused_under_loss(void **state)
{
    static uint8_t text[12000];
    uint64_t first = replay_first_seed();
    (void)state;
    for (uint64_t seed = first; seed < first + replay_seed_count(100); seed++) {
        static struct visit v;
        fill(text, sizeof text, seed);
        open_world(&v, 0.1, 0, seed, controllers[seed % 4]);
        two_visits(&v, text, sizeof text, 60 * TERN_SEC);
        assert_int_equal(v.outcome, TERN_EARLY_REFUSED);
        assert_int_equal(v.early_len, 0);
        tern_sim_free(v.sim);
    }
}

/* Ten visits in a row, each with the ticket of the one before. */
static void resumption(void **state)
{
    uint8_t text[2000];
    struct visit v;
    (void)state;
    fill(text, sizeof text, 3);
    open_world(&v, 0, 0, 3, "cubic");
    two_visits(&v, text, sizeof text, 0);
    for (int i = 0; i < 8; i++) {
        leave(&v, 3600 * TERN_SEC);
        connect(&v, text, sizeof text, 0);
        run(&v, 9, 10 * TERN_SEC);
        assert_int_equal(v.outcome, TERN_EARLY_ACCEPTED);
        assert_int_equal(v.early_len, sizeof text);
    }
    tern_sim_free(v.sim);
}

/* A round trip, visit after visit, for a client that goes when it has its answer. */
static void answers_at_once(void **state)
{
    uint8_t text[1000];
    (void)state;
    fill(text, sizeof text, 4);
    for (size_t c = 0; c < 4; c++) {
        struct visit v;
        open_world(&v, 0, 0, 3, controllers[c]);
        two_visits(&v, text, sizeof text, 0);
        v.is_at_once = true;
        v.answer = 1500;
        for (int i = 0; i < 4; i++) {
            leave(&v, 600 * TERN_SEC);
            tern_time start = tern_sim_now(v.sim);
            connect(&v, text, sizeof text, 0);
            run(&v, v.answer, 10 * TERN_SEC);
            assert_int_equal(v.outcome, TERN_EARLY_ACCEPTED);
            assert_int_equal(v.answer_len, v.answer);
            assert_true(v.answer_at - start < 42 * TERN_MSEC);
        }
        tern_sim_free(v.sim);
    }
}

/* Message 2 lost, message 3 lost, either overtaken by what comes behind it: all of the answer comes, once. */
static void answers_at_once_under_loss(void **state)
{
    static uint8_t text[3000];
    uint64_t first = replay_first_seed(), seeds = replay_seed_count(100);
    unsigned accepted = 0;
    (void)state;
    for (uint64_t seed = first; seed < first + seeds; seed++) {
        static struct visit v;
        fill(text, sizeof text, seed);
        open_world(&v, 0.1, 15 * TERN_MSEC, seed, controllers[seed % 4]);
        connect(&v, text, sizeof text, 0);
        run(&v, 9, 120 * TERN_SEC);
        leave(&v, 20 * TERN_SEC);
        v.is_at_once = true;
        v.answer = 7000;
        connect(&v, text, sizeof text, 0);
        run(&v, v.answer, 120 * TERN_SEC);
        assert_null(v.broken);
        assert_int_equal(v.answer_len, v.answer);
        assert_int_equal(v.read_len, sizeof text);
        accepted += v.outcome == TERN_EARLY_ACCEPTED ? 1 : 0;
        run(&v, 0, 10 * TERN_SEC); /* the handshake ends as well */
        assert_int_equal(v.connected[1], 2);
        tern_sim_free(v.sim);
    }
    assert_true(accepted * 10 > seeds * 9);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(zerortt),
    cmocka_unit_test(early_data_saves_a_round_trip),
    cmocka_unit_test(zerortt_under_loss),
    cmocka_unit_test(refused_under_loss),
    cmocka_unit_test(resumption),
    cmocka_unit_test(answers_at_once),
    cmocka_unit_test(answers_at_once_under_loss),
};

REPLAY_TEST_MAIN(tests)
