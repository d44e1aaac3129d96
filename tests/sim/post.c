/* Letters out, letters in, and what must hold of each: whole, once, and in order where that was asked.
 * SPDX-License-Identifier: MIT */
#include "sim/post.h"

#include "tern_test.h"

#define ORDERS 3

static uint8_t byte_at(uint64_t number, size_t i)
{
    return (uint8_t)(number * 31 + i * 7 + (i >> 8));
}

static void fill_letter(uint8_t *bytes, uint64_t number, size_t len)
{
    for (size_t i = POST_LEAST; i < len; i++) {
        bytes[i] = byte_at(number, i);
    }
    for (size_t i = 0; i < POST_LEAST; i++) {
        bytes[i] = (uint8_t)(number >> 8 * i);
    }
}

static uint64_t number_of(const tern_message *m)
{
    uint64_t number = 0;
    assert_true(m->len >= POST_LEAST);
    for (size_t i = 0; i < POST_LEAST; i++) {
        number |= (uint64_t)m->data[i] << 8 * i;
    }
    return number;
}

tern_send_options post_options(tern_reliability reliability, tern_order order, uint32_t channel)
{
    tern_send_options o;
    tern_send_options_init(&o);
    o.reliability = reliability;
    o.order = order;
    o.channel = channel;
    return o;
}

int post_send(struct post *post, int from, size_t len, const tern_send_options *options)
{
    static uint8_t bytes[TERN_MESSAGE_MAX];
    tern_time now = tern_sim_now(post->duo.sim);
    tern_send_options o = *options;
    assert_true(len >= POST_LEAST && len <= sizeof bytes);
    if (post->count == post->capacity) {
        post->capacity = post->capacity == 0 ? 1024 : 2 * post->capacity;
        post->letters = realloc(post->letters, post->capacity * sizeof *post->letters);
        assert_non_null(post->letters);
    }
    fill_letter(bytes, post->count, len);
    if (post->wants_outcome) {
        o.wants_outcome = true;
        o.tag = post->count;
    }
    int rc = tern_conn_send(post->duo.side[from].conn, bytes, len, &o, now);
    if (rc == 0) {
        post->letters[post->count++] = (struct post_letter){.from = from,
                                                            .len = len,
                                                            .reliability = o.reliability,
                                                            .order = o.order,
                                                            .channel = o.channel,
                                                            .sent_at = now};
    }
    return rc;
}

static void check_bytes(const tern_message *m, uint64_t number)
{
    for (size_t i = POST_LEAST; i < m->len; i++) {
        if (m->data[i] != byte_at(number, i)) {
            fail_msg("letter %llu has a wrong byte at %zu", (unsigned long long)number, i);
        }
    }
}

static void take_one(struct post *post, int side, const tern_message *m)
{
    uint64_t number = number_of(m);
    assert_true(number < post->count);
    struct post_letter *letter = &post->letters[number];
    assert_int_equal(letter->from, 1 - side);
    assert_int_equal(letter->len, m->len);
    assert_int_equal(letter->channel, m->channel);
    assert_int_equal(letter->order, m->order);
    assert_int_equal(letter->came_at, 0); /* once */
    check_bytes(m, number);
    letter->came_at = tern_sim_now(post->duo.sim);
    letter->place = ++post->came;
    size_t *latest = &post->latest[((size_t)side * ORDERS + m->order) * TERN_CHANNELS + m->channel];
    if (m->order != TERN_UNORDERED && *latest > number) {
        fail_msg("letter %llu came after %zu", (unsigned long long)number, *latest - 1);
    }
    *latest = number + 1;
}

void post_take(struct post *post, int side)
{
    tern_message m = {.size = sizeof m};
    tern_conn *conn = post->duo.side[side].conn;
    while (conn != NULL && !post->is_deaf[side] && tern_conn_receive(conn, &m) == 1) {
        take_one(post, side, &m);
    }
}

static void on_event(struct duo *duo, int side, const tern_event *ev)
{
    struct post *post = TERN_CONTAINER_OF(duo, struct post, duo);
    if (ev->type == TERN_EVENT_MESSAGES) {
        post->told[side]++;
        post_take(post, side);
    } else if (ev->type == TERN_EVENT_MESSAGES_WRITABLE) {
        post->writable[side]++;
    } else if (ev->type == TERN_EVENT_MESSAGE_OUTCOME) {
        assert_true(ev->tag < post->count);
        assert_false(post->letters[ev->tag].has_outcome);
        assert_int_equal(post->letters[ev->tag].from, side);
        post->letters[ev->tag].has_outcome = true;
        post->letters[ev->tag].outcome = ev->outcome;
    }
}

static void on_look(struct duo *duo, tern_time now)
{
    struct post *post = TERN_CONTAINER_OF(duo, struct post, duo);
    if (post->look != NULL) {
        post->look(post, now);
    }
}

void post_init(struct post *post, const char *cc)
{
    memset(post, 0, sizeof *post);
    duo_init(&post->duo, cc);
    post->duo.event = on_event;
    post->duo.look = on_look;
    post->wants_outcome = true;
    post->latest = calloc(2 * ORDERS * (size_t)TERN_CHANNELS, sizeof *post->latest);
    assert_non_null(post->latest);
}

void post_open(struct post *post, uint64_t seed)
{
    duo_open(&post->duo, seed);
}

void post_close(struct post *post)
{
    duo_close(&post->duo);
    free(post->letters);
    free(post->latest);
}

void post_run(struct post *post, tern_time length)
{
    duo_run(&post->duo, length);
}

void post_await(struct post *post, uint64_t came, tern_time limit)
{
    tern_time until = tern_sim_now(post->duo.sim) + limit;
    while (post->came < came) {
        tern_time now = tern_sim_now(post->duo.sim);
        if (now >= until) {
            fail_msg("%llu of %llu letters have come", (unsigned long long)post->came,
                     (unsigned long long)came);
        }
        duo_run(&post->duo, TERN_MIN(10 * TERN_MSEC, until - now));
    }
}

size_t post_arrived(const struct post *post)
{
    size_t count = 0;
    for (size_t i = 0; i < post->count; i++) {
        count += post->letters[i].came_at > 0 ? 1 : 0;
    }
    return count;
}

/* LOST and EXPIRED are what the sender knows: a letter whose acknowledgement was lost may have come all the
 * same, and a latest one that was overtaken is not taken. */
void post_check_outcomes(const struct post *post)
{
    for (size_t i = 0; i < post->count; i++) {
        const struct post_letter *letter = &post->letters[i];
        assert_true(letter->has_outcome);
        if (letter->outcome == TERN_OUTCOME_ACKED && letter->order != TERN_LATEST) {
            assert_true(letter->came_at > 0);
        }
        if (letter->reliability == TERN_RELIABLE && letter->order != TERN_LATEST) {
            assert_int_equal(letter->outcome, TERN_OUTCOME_ACKED);
        }
    }
}

tern_stats post_stats(const struct post *post, int side)
{
    tern_stats stats = {.size = sizeof stats};
    tern_conn_stats(post->duo.side[side].conn, &stats);
    return stats;
}
