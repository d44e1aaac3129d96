/* Every allocation of a whole connection's life fails once, on either side: nothing crashes, nothing
 * leaks, and each failure that ends something is told.
 * SPDX-License-Identifier: MIT */
#include "pair_kit.h"

static struct pair the_pair;
static struct pair *const p = &the_pair;

static char much[60000];

/* Connect, send both ways, close. Returns false when not even the endpoints could be made. */
static bool live(void)
{
    struct pair_side *client = &p->side[PAIR_CLIENT], *server = &p->side[PAIR_SERVER];
    for (int i = 0; i < 2; i++) {
        int rc = tern_endpoint_new(&p->side[i].endpoint, &p->side[i].config, p->now);
        if (rc != 0) {
            assert_int_equal(rc, TERN_ERR_NOMEM);
            p->side[i].endpoint = NULL;
            return false;
        }
    }
    tern_endpoint_public_key(server->endpoint, p->key);
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
    assert_int_equal(server->connected, server->closed);
    return true;
}

static uint64_t calls(int side)
{
    pair_init(p);
    assert_true(live());
    uint64_t count = p->side[side].heap.calls;
    pair_close(p);
    return count;
}

/* fail_at fails from a call on; once the failure is over, memory comes back: a short drought. */
static void *alloc_but_one(void *user, size_t size)
{
    struct kit_heap *heap = user;
    uint64_t fail_at = heap->fail_at;
    heap->fail_at = fail_at == heap->calls + 1 ? fail_at : 0;
    void *block = kit_alloc(user, size);
    heap->fail_at = fail_at;
    return block;
}

static void *realloc_but_one(void *user, void *ptr, size_t size)
{
    struct kit_heap *heap = user;
    uint64_t fail_at = heap->fail_at;
    heap->fail_at = fail_at == heap->calls + 1 ? fail_at : 0;
    void *block = kit_realloc(user, ptr, size);
    heap->fail_at = fail_at;
    return block;
}

static void sweep(int side, bool is_short)
{
    uint64_t total = calls(side);
    assert_true(total > 10);
    for (uint64_t n = 1; n <= total; n++) {
        pair_init(p);
        p->side[side].heap.fail_at = n;
        if (is_short) {
            p->side[side].config.allocator.alloc = alloc_but_one;
            p->side[side].config.allocator.realloc = realloc_but_one;
        }
        (void)live();
        assert_true(p->side[side].heap.calls >= n); /* it did fail */
        pair_close(p);                              /* counts what is out: nothing */
    }
}

static void the_client_has_no_more(void **state)
{
    (void)state;
    sweep(PAIR_CLIENT, false);
}

static void the_server_has_no_more(void **state)
{
    (void)state;
    sweep(PAIR_SERVER, false);
}

static void the_client_misses_one(void **state)
{
    (void)state;
    sweep(PAIR_CLIENT, true);
}

static void the_server_misses_one(void **state)
{
    (void)state;
    sweep(PAIR_SERVER, true);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_client_has_no_more),
    cmocka_unit_test(the_server_has_no_more),
    cmocka_unit_test(the_client_misses_one),
    cmocka_unit_test(the_server_misses_one),
};

TERN_TEST_MAIN(tests)
