/* Messages on the beat, their delays collected and sorted.
 * SPDX-License-Identifier: MIT */
#include "sim/talk.h"

#include <stdlib.h>

#include "sim/duo.h"
#include "tern_test.h"

#define HEADERS 28             /* IPv4 and UDP */
#define LINGER  (5 * TERN_SEC) /* for what is still on its way at the end */

struct talker {
    uint64_t next;  /* number of the message to send */
    uint64_t begun; /* ... and of the first one that counts */
    uint64_t last;  /* largest that came, plus one */
    uint8_t *seen;
};

struct talk {
    const struct talk_plan *plan;
    struct talker talker[2];
    tern_time *delays;
    size_t count, capacity;
};

void talk_plan_init(struct talk_plan *plan, uint64_t seed)
{
    memset(plan, 0, sizeof *plan);
    plan->seed = seed;
    plan->cc = "cubic";
    tern_link_config_init(&plan->link);
    plan->link.delay = 20 * TERN_MSEC;
    plan->size = 100;
    plan->per_second = 60;
    plan->duration = 15 * TERN_SEC;
    tern_send_options_init(&plan->options);
}

static void take(struct talk *talk, int at, const tern_message *m, tern_time now)
{
    struct talker *from = &talk->talker[1 - at];
    uint64_t stamp[2];
    assert_true(m->len == talk->plan->size && m->len >= sizeof stamp);
    memcpy(stamp, m->data, sizeof stamp);
    assert_true(stamp[0] < from->next);
    assert_int_equal(from->seen[stamp[0]], 0); /* never twice */
    from->seen[stamp[0]] = 1;
    if (talk->plan->options.order != TERN_UNORDERED) {
        assert_true(stamp[0] >= from->last);
    }
    from->last = TERN_MAX(from->last, stamp[0] + 1);
    if (stamp[0] >= from->begun) {
        assert_true(talk->count < talk->capacity);
        talk->delays[talk->count++] = now - stamp[1];
    }
}

static void look(struct duo *duo, tern_time now)
{
    struct talk *talk = duo->arg;
    for (int i = 0; i < 2; i++) {
        tern_message m = {.size = sizeof m};
        while (duo->side[i].conn != NULL && tern_conn_receive(duo->side[i].conn, &m) == 1) {
            take(talk, i, &m, now);
        }
    }
}

static void say(struct duo *duo, int i)
{
    struct talk *talk = duo->arg;
    struct talker *t = &talk->talker[i];
    uint8_t bytes[2048] = {0};
    uint64_t stamp[2] = {t->next++, tern_sim_now(duo->sim)};
    memcpy(bytes, stamp, sizeof stamp);
    assert_int_equal(
        tern_conn_send(duo->side[i].conn, bytes, talk->plan->size, &talk->plan->options, stamp[1]),
        0);
}

static void black_out(struct duo *duo, bool is_dark)
{
    for (int i = 0; i < 2; i++) {
        tern_link_config link = duo->link[i];
        link.loss = is_dark ? 1 : link.loss;
        tern_link_set(tern_sim_link(duo->sim, duo->side[i].host, duo->side[1 - i].host), &link);
    }
}

static void rebind(struct duo *duo)
{
    tern_addr addr = tern_sim_host_addr(duo->side[DUO_CLIENT].host);
    addr.port++;
    assert_int_equal(tern_sim_rebind(duo->sim, duo->side[DUO_CLIENT].host, &addr), 0);
}

/* Both ends talk for so long; the server half a beat behind the client, a little more with each seed. */
static void converse(struct duo *duo, tern_time length, bool counts)
{
    const struct talk *talk = duo->arg;
    const struct talk_plan *plan = talk->plan;
    tern_time beat = TERN_SEC / plan->per_second, phase = beat * (1 + plan->seed % 7) / 8;
    tern_time rebind_at = plan->rebind_every;
    bool is_dark = false;
    for (tern_time t = 0; t < length; t += beat) {
        bool dark = counts && t >= plan->blackout_at && t < plan->blackout_at + plan->blackout;
        if (dark != is_dark) {
            black_out(duo, dark);
            is_dark = dark;
        }
        if (counts && rebind_at > 0 && t >= rebind_at) {
            rebind(duo);
            rebind_at += plan->rebind_every;
        }
        say(duo, DUO_CLIENT);
        duo_run(duo, phase);
        say(duo, DUO_SERVER);
        duo_run(duo, beat - phase);
    }
}

static int compare(const void *a, const void *b)
{
    tern_time x = *(const tern_time *)a, y = *(const tern_time *)b;
    return x < y ? -1 : x > y;
}

static tern_time percentile(const struct talk *talk, size_t thousandth)
{
    return talk->count == 0 ? 0 : talk->delays[(talk->count - 1) * thousandth / 1000];
}

static uint64_t wire_bytes(struct duo *duo)
{
    uint64_t sum = 0;
    for (int i = 0; i < 2; i++) {
        tern_link_counters c = duo_counters(duo, i);
        sum += c.bytes_in + HEADERS * c.packets_in;
    }
    return sum;
}

static void sum_up(struct talk *talk, struct talk_result *result)
{
    qsort(talk->delays, talk->count, sizeof *talk->delays, compare);
    for (int i = 0; i < 2; i++) {
        result->sent += talk->talker[i].next - talk->talker[i].begun;
    }
    result->delivered = talk->count;
    result->p50 = percentile(talk, 500);
    result->p95 = percentile(talk, 950);
    result->p99 = percentile(talk, 990);
    result->max = percentile(talk, 1000);
}

void talk_run(const struct talk_plan *plan, struct talk_result *result)
{
    struct duo duo;
    struct talk talk = {.plan = plan};
    size_t most = (size_t)((plan->duration / TERN_SEC + 3) * plan->per_second);
    memset(result, 0, sizeof *result);
    talk.capacity = 2 * most;
    talk.delays = calloc(talk.capacity, sizeof *talk.delays);
    assert_non_null(talk.delays);
    duo_init(&duo, plan->cc);
    duo.arg = &talk;
    duo.look = look;
    for (int i = 0; i < 2; i++) {
        talk.talker[i].seen = calloc(most, 1);
        assert_non_null(talk.talker[i].seen);
        talk.talker[i].begun = UINT64_MAX; /* none counts while they warm up */
        duo.link[i] = plan->link;
    }
    duo_open(&duo, plan->seed);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(tern_conn_set_redundancy(duo.side[i].conn, plan->redundancy, plan->copies),
                         0);
    }
    converse(&duo, TERN_SEC, false);
    talk.talker[0].begun = talk.talker[0].next;
    talk.talker[1].begun = talk.talker[1].next;
    uint64_t before = wire_bytes(&duo);
    converse(&duo, plan->duration, true);
    uint64_t sent = wire_bytes(&duo) - before;
    duo_run(&duo, LINGER);
    sum_up(&talk, result);
    result->wire = (double)sent / (double)result->sent;
    result->client.size = sizeof result->client;
    tern_conn_stats(duo.side[DUO_CLIENT].conn, &result->client);
    duo_close(&duo);
    free(talk.talker[0].seen);
    free(talk.talker[1].seen);
    free(talk.delays);
}
