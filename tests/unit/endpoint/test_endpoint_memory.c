/* Every allocation of a whole connection's life fails once, on either side: nothing crashes, nothing
 * leaks, and each failure that ends something is told.
 * SPDX-License-Identifier: MIT */
#include "pair_kit.h"

static struct pair the_pair;
static struct pair *const p = &the_pair;

static char much[60000];

typedef bool life_fn(void);

static bool open_both(void)
{
    for (int i = 0; i < 2; i++) {
        int rc = tern_endpoint_new(&p->side[i].endpoint, &p->side[i].config, p->now);
        if (rc != 0) {
            assert_int_equal(rc, TERN_ERR_NOMEM);
            p->side[i].endpoint = NULL;
            return false;
        }
    }
    tern_endpoint_public_key(p->side[PAIR_SERVER].endpoint, p->key);
    return true;
}

/* Whatever failed on the way: each that was begun has ended, was told of once, and is gone. */
static void assert_over(unsigned begun)
{
    struct pair_side *client = &p->side[PAIR_CLIENT], *server = &p->side[PAIR_SERVER];
    assert_int_equal(server->connected, server->closed);
    assert_int_equal(client->closed, begun);
    for (int i = 0; i < 2; i++) {
        int error = p->side[i].close.error;
        assert_true(error == 0 || error == TERN_ERR_NOMEM || error == TERN_ERR_INTERNAL ||
                    error == TERN_ERR_TIMEOUT);
        assert_int_equal(pair_counters(&p->side[i]).connections, 0);
        assert_int_equal(pair_counters(&p->side[i]).half_open, 0);
    }
}

/* Connect, send both ways, close. Returns false when not even the endpoints could be made. */
static bool live(void)
{
    struct pair_side *client = &p->side[PAIR_CLIENT];
    if (!open_both()) {
        return false;
    }
    int rc = pair_connect(p, p->key);
    if (rc != 0) {
        assert_int_equal(rc, TERN_ERR_NOMEM);
        return true;
    }
    pair_advance(p, TERN_SEC);
    for (int i = 0; i < 2 && p->side[0].conn != NULL && p->side[1].conn != NULL; i++) {
        tern_stream *stream;
        rc = tern_conn_open_stream(p->side[i].conn, TERN_STREAM_BIDI, &stream);
        if (rc == 0) {
            ptrdiff_t n = tern_stream_write(stream, much, sizeof much, TERN_FIN);
            assert_true(n >= 0 || n == TERN_ERR_NOMEM);
        } else {
            assert_true(rc == TERN_ERR_NOMEM || rc == TERN_ERR_CLOSED);
        }
        pair_advance(p, TERN_SEC);
    }
    for (int i = 0; i < 2; i++) {
        static uint8_t buf[70000];
        if (p->side[i].conn != NULL && p->side[i].stream != NULL) {
            ptrdiff_t n = tern_stream_read(p->side[i].stream, buf, sizeof buf);
            assert_true(n >= 0 || n == TERN_ERR_AGAIN || n == TERN_ERR_NOMEM);
        }
        pair_exchange(p);
    }
    if (client->conn != NULL) {
        tern_conn_close(client->conn, 0, "done");
    }
    pair_advance(p, 60 * TERN_SEC);
    assert_over(1);
    return true;
}

static unsigned lent, given_back;

static void take_back(void *arg, const void *data, size_t len)
{
    (void)arg;
    (void)data;
    (void)len;
    given_back++;
}

/* One stream: copied and lent bytes, some kept back by priority, every fourth given up. */
static void speak(tern_conn *conn, unsigned number)
{
    tern_stream *stream;
    int rc =
        tern_conn_open_stream(conn, number % 2 == 0 ? TERN_STREAM_BIDI : TERN_STREAM_UNI, &stream);
    if (rc != 0) {
        assert_true(rc == TERN_ERR_NOMEM || rc == TERN_ERR_CLOSED);
        return;
    }
    assert_int_equal(tern_stream_set_priority(stream, number % 8, number % 3 == 0), 0);
    ptrdiff_t n = tern_stream_write(stream, much, 3000, 0);
    assert_true(n == 3000 || n == TERN_ERR_NOMEM);
    n = tern_stream_write_ref(stream, much, 9000, take_back, NULL, TERN_FIN);
    assert_true(n == 9000 || n == TERN_ERR_NOMEM);
    lent += n == 9000 ? 1 : 0;
    if (number % 4 == 3) {
        assert_int_equal(tern_stream_reset(stream, number), 0);
    }
}

static bool lose_some(struct pair *pair, int from, uint8_t *data, size_t len)
{
    (void)from;
    (void)data;
    (void)len;
    return ++pair->wire_arg % 7 != 0;
}

/* Many connections of first contact over a wire that loses a seventh, each with many streams. */
static bool live_much(void)
{
    tern_conn *conns[17];
    struct pair_side *client = &p->side[PAIR_CLIENT];
    unsigned begun = 0;
    lent = given_back = 0;
    if (!open_both()) {
        return false;
    }
    p->wire = lose_some;
    for (unsigned i = 0; i < 17; i++) {
        int rc = pair_connect(p, NULL);
        assert_true(rc == 0 || rc == TERN_ERR_NOMEM);
        if (rc == 0) {
            conns[begun++] = client->conn;
        }
    }
    for (unsigned i = 0; i < begun; i++) { /* nobody polls until all have spoken */
        for (unsigned k = 0; k < (i == 0 ? 12u : 1u); k++) {
            speak(conns[i], k);
        }
    }
    pair_advance(p, 10 * TERN_SEC);
    tern_endpoint_close_all(client->endpoint, 0, "done");
    pair_advance(p, 120 * TERN_SEC);
    assert_over(begun);
    assert_int_equal(given_back, lent);
    return true;
}

static uint64_t calls(int side, life_fn *life)
{
    pair_init(p);
    assert_true(life());
    uint64_t count = p->side[side].heap.calls;
    pair_close(p);
    return count;
}

static void sweep(int side, bool is_short, life_fn *life)
{
    uint64_t total = calls(side, life);
    assert_true(total > 10);
    for (uint64_t n = 1; n <= total; n++) {
        pair_init(p);
        p->side[side].heap.fail_at = n;
        if (is_short) {
            p->side[side].config.allocator.alloc = kit_alloc_but_one;
            p->side[side].config.allocator.realloc = kit_realloc_but_one;
        }
        (void)life();
        assert_true(p->side[side].heap.calls >= n); /* it did fail */
        pair_close(p);                              /* counts what is out: nothing */
    }
}

static void the_client_has_no_more(void **state)
{
    (void)state;
    sweep(PAIR_CLIENT, false, live);
}

static void the_server_has_no_more(void **state)
{
    (void)state;
    sweep(PAIR_SERVER, false, live);
}

static void the_client_misses_one(void **state)
{
    (void)state;
    sweep(PAIR_CLIENT, true, live);
}

static void the_server_misses_one(void **state)
{
    (void)state;
    sweep(PAIR_SERVER, true, live);
}

static void a_busy_client_has_no_more(void **state)
{
    (void)state;
    sweep(PAIR_CLIENT, false, live_much);
}

static void a_busy_server_has_no_more(void **state)
{
    (void)state;
    sweep(PAIR_SERVER, false, live_much);
}

static void a_busy_client_misses_one(void **state)
{
    (void)state;
    sweep(PAIR_CLIENT, true, live_much);
}

static void a_busy_server_misses_one(void **state)
{
    (void)state;
    sweep(PAIR_SERVER, true, live_much);
}

/* tern/endpoint.h: the failure is returned after all datagrams of the batch were tried. */
static void a_failure_is_returned_after_the_rest(void **state)
{
    (void)state;
    struct pair_side *client = &p->side[PAIR_CLIENT], *server = &p->side[PAIR_SERVER];
    static uint8_t flights[2][1500];
    tern_datagram in[2];
    pair_init(p);
    server->config.allocator.alloc = kit_alloc_but_one;
    server->config.allocator.realloc = kit_realloc_but_one;
    pair_open(p);
    for (int i = 0; i < 2; i++) {
        tern_train train = {.data = flights[i], .capacity = sizeof flights[i]};
        assert_int_equal(pair_connect(p, p->key), 0);
        assert_int_equal(tern_endpoint_transmit(client->endpoint, &train, p->now), 1);
        in[i] = (tern_datagram){
            .local = server->addr, .remote = client->addr, .data = flights[i], .len = train.len};
    }
    server->heap.fail_at = server->heap.calls + 1; /* the first connection, and nothing else */
    assert_int_equal(tern_endpoint_receive(server->endpoint, in, 2, p->now), TERN_ERR_NOMEM);
    assert_int_equal(pair_counters(server).connections, 1);
    pair_advance(p, 5 * TERN_SEC);
    assert_int_equal(server->connected, 2); /* the first tried again */
    assert_int_equal(client->connected, 2);
    pair_close(p);
}

/* clang-format off: one a line, so that the build finds their names */
static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_client_has_no_more),
    cmocka_unit_test(the_server_has_no_more),
    cmocka_unit_test(the_client_misses_one),
    cmocka_unit_test(the_server_misses_one),
    cmocka_unit_test(a_busy_client_has_no_more),
    cmocka_unit_test(a_busy_server_has_no_more),
    cmocka_unit_test(a_busy_client_misses_one),
    cmocka_unit_test(a_busy_server_misses_one),
    cmocka_unit_test(a_failure_is_returned_after_the_rest),
};
/* clang-format on */

TERN_TEST_MAIN(tests)
