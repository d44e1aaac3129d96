/* Two tables talk over a channel that loses, delays, reorders and repeats: what is read equals
 * what was written, and every stream comes to its end on both sides.
 * SPDX-License-Identifier: MIT */
#include "stream_kit.h"

#define STREAMS  10   /* that each side opens of each kind, far beyond what may be open at once */
#define FLIGHT   64   /* packets of one side under way */
#define PAYLOAD  1200 /* of a packet: one chunk or one control frame */
#define PATIENCE 400000

enum fate { ARRIVES, ARRIVES_TWICE, ARRIVES_BUT_SEEMS_LOST, IS_LOST };

struct packet {
    bool used, is_control;
    struct tern_stream_control control;
    uint64_t id, offset;
    size_t len;
    bool fin;
    uint8_t data[PAYLOAD];
    enum fate fate;
    uint64_t arrives, reports; /* ticks; 0: has happened */
    bool was_lost;
};

/* What the application does with one stream of one side. */
struct plan {
    bool used;
    struct tern_stream *stream;
    uint64_t goal, written, seen;
    uint64_t reset_at, stop_at; /* offsets; UINT64_MAX: never */
    bool writes, reads, may_write, was_stopped;
};

struct end {
    struct kit_side side;
    unsigned who; /* 0 client, 1 server */
    struct packet flight[FLIGHT];
    struct plan plans[4 * STREAMS];
    uint64_t opened[2], closed, resets_seen, ends_seen;
};

struct world {
    struct end ends[2];
    uint64_t seed, tick, salt;
    unsigned loss;            /* percent */
    bool may_starve, is_dead; /* memory may run out; it did */
};

/* 0, or, where that is the test, out of memory, which ends the world. */
static void must(struct world *w, ptrdiff_t result)
{
    w->is_dead = w->is_dead || (w->may_starve && result == TERN_ERR_NOMEM);
    assert_true(result == 0 || w->is_dead);
}

/* What the sender `who` means to send on a stream follows from the salt, so that the other end can
 * check it. */
static uint64_t trait(const struct world *w, uint64_t id, unsigned who, unsigned which)
{
    uint64_t seed = w->salt * 1000003 + id * 64 + who * 8 + which;
    return kit_next(&seed);
}

static uint64_t goal_of(const struct world *w, uint64_t id, unsigned who)
{
    uint64_t size = trait(w, id, who, 0);
    return size % 5 == 0 ? size / 5 % 3 : size / 5 % 60000;
}

static struct plan *plan_of(struct world *w, struct end *e, struct tern_stream *s)
{
    struct plan *p = &e->plans[(s->id >> 2) * 4 + (s->id & 3)];
    if (p->used) {
        return p;
    }
    unsigned other = 1 - e->who;
    bool is_bidi = s->kind == TERN_STREAM_BIDI;
    *p = (struct plan){.used = true, .stream = s, .may_write = true};
    p->writes = is_bidi || s->is_local;
    p->reads = is_bidi || !s->is_local;
    p->goal = goal_of(w, s->id, e->who);
    p->reset_at = p->stop_at = UINT64_MAX;
    if (trait(w, s->id, e->who, 1) % 6 == 0) {
        p->reset_at = p->goal / 2;
    }
    if (trait(w, s->id, other, 2) % 6 == 0) {
        p->stop_at = goal_of(w, s->id, other) / 3;
    }
    s->user = p;
    return p;
}

static uint64_t pattern(uint64_t id, unsigned sender)
{
    return id * 2 + sender;
}

/* --- the applications ----------------------------------------------------------------------- */

static void release_block(void *arg, const void *data, size_t len)
{
    (void)data;
    (void)len;
    free(arg);
}

static void app_write(struct world *w, struct end *e, struct plan *p)
{
    static uint8_t buf[20000];
    struct tern_stream *s = p->stream;
    if (p->written >= p->reset_at) {
        assert_int_equal(tern_streams_reset(&e->side.t, s, 7), 0);
        p->writes = false;
        return;
    }
    size_t len = 1 + kit_below(&w->seed, sizeof buf);
    len = TERN_MIN(len, p->goal - p->written);
    unsigned flags = p->written + len == p->goal ? TERN_FIN : 0;
    uint8_t *block = kit_below(&w->seed, 3) == 0 && len > 0 ? malloc(len) : NULL;
    uint8_t *data = block != NULL ? block : buf;
    kit_fill(data, pattern(s->id, e->who), p->written, len);
    ptrdiff_t n = block != NULL ? tern_streams_write_ref(&e->side.t, s, block, len, release_block,
                                                         block, flags)
                                : tern_streams_write(&e->side.t, s, buf, len, flags);
    if (block != NULL && n != (ptrdiff_t)len) {
        free(block);
    }
    if (n == TERN_ERR_NOMEM) {
        must(w, n);
        return;
    }
    if (n < 0) {
        assert_int_equal(n, TERN_ERR_STOPPED);
        p->writes = false;
        return;
    }
    p->written += (uint64_t)n;
    p->may_write = n == (ptrdiff_t)len;
    p->writes = !(p->written == p->goal && p->may_write);
}

static void app_read(struct world *w, struct end *e, struct plan *p)
{
    static uint8_t buf[5000];
    struct tern_stream *s = p->stream;
    unsigned other = 1 - e->who;
    if (p->seen >= p->stop_at) {
        assert_int_equal(tern_streams_stop(&e->side.t, s, 5), 0);
        p->reads = false;
        return;
    }
    ptrdiff_t n = tern_streams_read(&e->side.t, s, buf, 1 + kit_below(&w->seed, sizeof buf));
    if (n > 0) {
        assert_true(kit_matches(buf, pattern(s->id, other), p->seen, (size_t)n));
        p->seen += (uint64_t)n;
        return;
    }
    if (n == 0) {
        assert_int_equal(p->seen, goal_of(w, s->id, other));
        e->ends_seen++;
    }
    if (n == TERN_ERR_RESET) {
        assert_int_equal(s->reset_code, 7);
        e->resets_seen++;
    }
    assert_true(n == 0 || n == TERN_ERR_RESET || n == TERN_ERR_AGAIN);
    p->reads = n == TERN_ERR_AGAIN;
}

static void app_events(struct world *w, struct end *e)
{
    struct tern_stream *s = NULL;
    enum tern_stream_event_kind kind;
    while (tern_streams_next_event(&e->side.t, &s, &kind)) {
        struct plan *p = plan_of(w, e, s);
        assert_ptr_equal(p->stream, s);
        if (kind == TERN_STREAM_IS_WRITABLE) {
            p->may_write = true;
        } else if (kind == TERN_STREAM_WAS_STOPPED) {
            assert_int_equal(s->stop_code, 5);
            p->writes = false;
        } else if (kind == TERN_STREAM_IS_CLOSED) {
            assert_false(p->writes || p->reads);
            p->stream = NULL;
            e->closed++;
        }
    }
}

static void app_run(struct world *w, struct end *e)
{
    for (unsigned kind = 0; kind < 2; kind++) {
        struct tern_stream *s = NULL;
        if (e->opened[kind] < STREAMS && kit_below(&w->seed, 20) == 0) {
            int err = tern_streams_open(&e->side.t, (tern_stream_kind)kind, &s);
            must(w, err == TERN_ERR_LIMIT ? 0 : err);
            if (err == 0) {
                e->opened[kind]++;
                plan_of(w, e, s);
                assert_int_equal(tern_streams_set_priority(&e->side.t, s,
                                                           (unsigned)kit_below(&w->seed, 8),
                                                           kit_below(&w->seed, 2) == 0),
                                 0);
            }
        }
    }
    app_events(w, e);
    for (size_t i = 0; i < TERN_COUNT_OF(e->plans); i++) {
        struct plan *p = &e->plans[i];
        if (p->stream == NULL) {
            continue;
        }
        if (p->writes && p->may_write && kit_below(&w->seed, 4) == 0) {
            app_write(w, e, p);
        }
        if (p->reads && kit_below(&w->seed, 4) == 0) {
            app_read(w, e, p);
        }
    }
}

/* --- the channel ---------------------------------------------------------------------------- */

static bool fill_packet(struct tern_streams *t, struct packet *p)
{
    struct tern_stream_chunk c;
    if (tern_streams_next_control(t, &p->control)) {
        p->is_control = true;
        tern_streams_on_control_sent(t, &p->control);
        return true;
    }
    bool has_data = tern_streams_has_data(t);
    assert_int_equal(tern_streams_next_chunk(t, &c), has_data);
    if (!has_data) {
        return false;
    }
    assert_true(c.len > 0 || c.fin);
    tern_stream_chunk_cut(&c, PAYLOAD);
    tern_stream_chunk_copy(&c, p->data);
    tern_streams_on_chunk_sent(t, &c);
    p->id = c.id;
    p->offset = c.offset;
    p->len = c.len;
    p->fin = c.fin;
    return true;
}

static void send_packets(struct world *w, struct end *e)
{
    for (size_t i = 0; i < FLIGHT; i++) {
        struct packet *p = &e->flight[i];
        if (p->used) {
            continue;
        }
        memset(p, 0, offsetof(struct packet, data));
        if (!fill_packet(&e->side.t, p)) {
            return;
        }
        uint64_t luck = kit_below(&w->seed, 100);
        p->used = true;
        p->was_lost = false;
        p->fate = luck < w->loss ? IS_LOST : luck < 2 * w->loss ? ARRIVES_BUT_SEEMS_LOST : ARRIVES;
        p->fate = p->fate == ARRIVES && kit_below(&w->seed, 10) == 0 ? ARRIVES_TWICE : p->fate;
        p->arrives = w->tick + 1 + kit_below(&w->seed, 20);
        p->reports = p->arrives + 1 + kit_below(&w->seed, 20);
    }
}

static int receive_control(struct tern_streams *t, const struct tern_stream_control *c)
{
    int err = 0;
    switch (c->kind) {
    case TERN_CONTROL_RESET_STREAM:
        err = tern_streams_on_reset(t, c->id, c->value, c->extra);
        break;
    case TERN_CONTROL_STOP_SENDING:
        err = tern_streams_on_stop(t, c->id, c->value);
        break;
    case TERN_CONTROL_MAX_STREAM_DATA:
        err = tern_streams_on_max_stream_data(t, c->id, c->value);
        break;
    case TERN_CONTROL_STREAM_DATA_BLOCKED:
        err = tern_streams_on_stream_blocked(t, c->id);
        break;
    case TERN_CONTROL_MAX_DATA:
        tern_streams_on_max_data(t, c->value);
        break;
    case TERN_CONTROL_MAX_STREAMS_BIDI:
    case TERN_CONTROL_MAX_STREAMS_UNI:
        tern_streams_on_max_streams(
            t, c->kind == TERN_CONTROL_MAX_STREAMS_UNI ? TERN_STREAM_UNI : TERN_STREAM_BIDI,
            c->value);
        break;
    case TERN_CONTROL_DATA_BLOCKED:
    case TERN_CONTROL_STREAMS_BLOCKED_BIDI:
    case TERN_CONTROL_STREAMS_BLOCKED_UNI:
        break;
    }
    return err;
}

static void receive(struct world *w, struct tern_streams *t, const struct packet *p)
{
    if (p->is_control) {
        must(w, receive_control(t, &p->control));
        return;
    }
    must(w, tern_streams_on_stream(t, p->id, p->offset, p->data, p->len, p->fin, 20 * TERN_MSEC,
                                   TERN_SEC + w->tick * TERN_MSEC));
}

static void report_lost(struct tern_streams *t, const struct packet *p)
{
    if (p->is_control) {
        tern_streams_on_control_lost(t, &p->control);
    } else {
        assert_int_equal(tern_streams_on_chunk_lost(t, p->id, p->offset, p->len, p->fin), 0);
    }
}

static void report_acked(struct tern_streams *t, const struct packet *p)
{
    if (p->is_control) {
        tern_streams_on_control_acked(t, &p->control);
    } else {
        tern_streams_on_chunk_acked(t, p->id, p->offset, p->len, p->fin);
    }
}

static void move_packet(struct world *w, struct end *from, struct end *to, struct packet *p)
{
    if (p->arrives == w->tick && p->fate != IS_LOST) {
        receive(w, &to->side.t, p);
    }
    if (p->reports != w->tick) {
        return;
    }
    if (p->fate == ARRIVES_TWICE) {
        receive(w, &to->side.t, p);
    }
    bool seems_lost = p->fate == IS_LOST || p->fate == ARRIVES_BUT_SEEMS_LOST;
    if (seems_lost && !p->was_lost) {
        report_lost(&from->side.t, p);
        p->was_lost = true;
        p->used = p->fate == ARRIVES_BUT_SEEMS_LOST; /* its ack comes late */
        p->reports = w->tick + 1 + kit_below(&w->seed, 20);
        return;
    }
    report_acked(&from->side.t, p);
    p->used = false;
}

/* --- the world ------------------------------------------------------------------------------ */

static bool is_over(const struct world *w)
{
    for (unsigned i = 0; i < 2; i++) {
        const struct end *e = &w->ends[i];
        if (e->opened[0] + e->opened[1] < 2 * STREAMS || e->side.t.open_count > 0 ||
            e->closed < 4 * STREAMS) {
            return false;
        }
    }
    return true;
}

static void check_credits(const struct world *w)
{
    for (unsigned i = 0; i < 2; i++) {
        const struct tern_streams *a = &w->ends[i].side.t, *b = &w->ends[1 - i].side.t;
        assert_true(a->conn_in.received <= a->conn_in.limit);
        assert_true(a->conn_in.consumed <= a->conn_in.received);
        assert_true(a->conn_out.used <= a->conn_out.limit);
        assert_true(a->conn_out.limit <= b->conn_in.limit);
        assert_true(b->conn_in.received <= a->conn_out.used);
    }
}

static void world_step(struct world *w)
{
    w->tick++;
    for (unsigned i = 0; i < 2; i++) {
        struct end *e = &w->ends[i];
        app_run(w, e);
        send_packets(w, e);
    }
    for (unsigned i = 0; i < 2; i++) {
        for (size_t j = 0; j < FLIGHT; j++) {
            if (w->ends[i].flight[j].used) {
                move_packet(w, &w->ends[i], &w->ends[1 - i], &w->ends[i].flight[j]);
            }
        }
    }
    check_credits(w);
}

static struct world the_world;

static struct world *world_begin(uint64_t seed, unsigned loss)
{
    struct world *w = &the_world;
    memset(w, 0, sizeof *w);
    w->seed = w->salt = seed;
    w->loss = loss;
    for (unsigned i = 0; i < 2; i++) {
        struct tern_streams_config mine = kit_config(i == 1), peers = kit_config(i == 0);
        mine.send_buffer = 30000;
        w->ends[i].who = i;
        kit_side_init(&w->ends[i].side, &mine);
        kit_grant(&w->ends[i].side, &peers);
    }
    return w;
}

static void world_end(struct world *w)
{
    for (unsigned i = 0; i < 2; i++) {
        kit_side_clear(&w->ends[i].side);
    }
}

/* Returns how many resets were read. */
static uint64_t world_run(uint64_t seed, unsigned loss)
{
    uint64_t resets = 0;
    struct world *w = world_begin(seed, loss);
    while (!is_over(w)) {
        if (w->tick > PATIENCE) {
            fail_msg("seed %llu, loss %u %%: not over", (unsigned long long)seed, loss);
        }
        world_step(w);
    }
    for (unsigned i = 0; i < 2; i++) {
        struct tern_streams *t = &w->ends[i].side.t;
        assert_true(w->ends[i].ends_seen > 0);
        resets += w->ends[i].resets_seen;
        assert_int_equal(t->conn_in.consumed, t->conn_in.received);
        assert_int_equal(t->conn_in.received, w->ends[1 - i].side.t.conn_out.used);
        assert_true(tern_list_is_empty(&t->starved) && t->sched.used == 0);
    }
    world_end(w);
    return resets;
}

/* The n-th allocation of one side fails, and all later ones: an error, no crash, no leak. */
static void memory_runs_out_at_any_moment(void **state)
{
    (void)state;
    uint64_t deaths = 0;
    for (uint64_t n = 1; n <= 400; n++) {
        struct world *w = world_begin(77 + n % 7, 20);
        struct kit_heap *heap = &w->ends[n % 2].side.heap;
        w->may_starve = true;
        heap->fail_at = heap->calls + (n + 1) / 2;
        while (!w->is_dead && !is_over(w) && w->tick < PATIENCE) {
            world_step(w);
        }
        assert_true(w->tick < PATIENCE);
        deaths += w->is_dead;
        heap->fail_at = 0;
        world_end(w);
    }
    assert_true(deaths > 20);
}

static void run_seeds(unsigned loss)
{
    uint64_t resets = 0;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        resets += world_run(seed * 1000 + loss, loss);
    }
    assert_true(resets > 100);
}

static void contents_agree_without_loss(void **state)
{
    (void)state;
    run_seeds(0);
}

static void contents_agree_at_5_percent_loss(void **state)
{
    (void)state;
    run_seeds(5);
}

static void contents_agree_at_20_percent_loss(void **state)
{
    (void)state;
    run_seeds(20);
}

static void contents_agree_at_45_percent_loss(void **state)
{
    (void)state;
    run_seeds(45);
}

/* --- memory --------------------------------------------------------------------------------- */

/* One bulk stream over a clean pipe: what moves its bytes was all allocated in the beginning. */
static void bulk_allocates_nothing_after_warm_up(void **state)
{
    (void)state;
    static struct kit_side sides[2];
    static uint8_t buf[70000];
    struct tern_stream *s = NULL, *r = NULL;
    uint64_t calls[2] = {0}, sent = 0, read = 0;
    for (unsigned i = 0; i < 2; i++) {
        struct tern_streams_config mine = kit_config(i == 1), peers = kit_config(i == 0);
        kit_side_init(&sides[i], &mine);
        kit_grant(&sides[i], &peers);
    }
    assert_int_equal(tern_streams_open(&sides[0].t, TERN_STREAM_UNI, &s), 0);
    for (unsigned round = 0; read < 20000000; round++) {
        struct tern_stream_chunk c;
        struct tern_stream_control k;
        kit_fill(buf, 2, sent, 20000);
        ptrdiff_t n = tern_streams_write(&sides[0].t, s, buf, 20000, 0);
        assert_true(n >= 0);
        sent += (uint64_t)n;
        while (tern_streams_next_chunk(&sides[0].t, &c)) {
            tern_stream_chunk_cut(&c, 1400);
            tern_stream_chunk_copy(&c, buf);
            tern_streams_on_chunk_sent(&sides[0].t, &c);
            int err = tern_streams_on_stream(&sides[1].t, c.id, c.offset, buf, c.len, c.fin,
                                             TERN_MSEC, TERN_SEC + round * TERN_MSEC);
            assert_int_equal(err, 0);
            tern_streams_on_chunk_acked(&sides[0].t, c.id, c.offset, c.len, c.fin);
        }
        r = tern_streams_find(&sides[1].t, 2);
        while ((n = tern_streams_read(&sides[1].t, r, buf, 3000)) > 0) {
            assert_true(kit_matches(buf, 2, read, (size_t)n));
            read += (uint64_t)n;
        }
        for (unsigned i = 0; i < 2; i++) {
            while (tern_streams_next_control(&sides[i].t, &k)) {
                tern_streams_on_control_sent(&sides[i].t, &k);
                assert_int_equal(receive_control(&sides[1 - i].t, &k), 0);
            }
            calls[i] = round == 50 ? sides[i].heap.calls : calls[i];
        }
    }
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(sides[i].heap.calls, calls[i]);
        kit_side_clear(&sides[i]);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(contents_agree_without_loss),
    cmocka_unit_test(contents_agree_at_5_percent_loss),
    cmocka_unit_test(contents_agree_at_20_percent_loss),
    cmocka_unit_test(contents_agree_at_45_percent_loss),
    cmocka_unit_test(memory_runs_out_at_any_moment),
    cmocka_unit_test(bulk_allocates_nothing_after_warm_up),
};

TERN_TEST_MAIN(tests)
