/* Fifty scenes of a connection's life, each as often as it asks for memory at either end, and each time one
 * request fails: nothing crashes, nothing leaks, calls and closes say what is documented, and the other requests
 * go on being met, so that most connections survive.
 * SPDX-License-Identifier: MIT */
#include "pair_kit.h"

static struct pair the_pair;
static struct pair *const p = &the_pair;

static char much[40000];
static uint8_t ticket[600], token[TERN_ADDRESS_TOKEN_MAX];
static size_t ticket_len, token_len;
static unsigned lent, given_back;
static bool has_fault; /* a request fails in this life */

/* What went wrong has a name, and nothing does unless memory was short. */
static bool went_well(ptrdiff_t rc)
{
    assert_true(rc >= 0 || (has_fault && (rc == TERN_ERR_NOMEM || rc == TERN_ERR_CLOSED ||
                                          rc == TERN_ERR_STATE || rc == TERN_ERR_LIMIT)));
    return rc >= 0;
}

static void take_back(void *arg, const void *data, size_t len)
{
    (void)arg;
    (void)data;
    (void)len;
    given_back++;
}

/* --- how they meet ----------------------------------------------------------------------------------- */

typedef void meet_fn(tern_peer *peer, tern_config *client, tern_config *server);

static const uint8_t secrets[3][32] = {{8}, {16}, {24}};

static void by_key(tern_peer *peer, tern_config *client, tern_config *server)
{
    (void)client;
    (void)server;
    peer->key = p->key;
}

static void at_first(tern_peer *peer, tern_config *client, tern_config *server)
{
    (void)peer;
    (void)client;
    (void)server;
}

static void by_secret(tern_peer *peer, tern_config *client, tern_config *server)
{
    (void)client;
    server->secret = peer->secret = secrets[2];
    peer->key = p->key;
}

static void by_code(tern_peer *peer, tern_config *client, tern_config *server)
{
    (void)client;
    server->code = peer->code = "7-orbit-salmon";
}

static void by_retry(tern_peer *peer, tern_config *client, tern_config *server)
{
    (void)client;
    server->retry_half_open = 0;
    peer->key = p->key;
}

/* --- what they do -------------------------------------------------------------------------------------- */

typedef void act_fn(tern_conn *conn);

static void write_some(tern_conn *conn, tern_stream_kind kind, size_t len, bool is_loan)
{
    tern_stream *stream;
    if (!went_well(tern_conn_open_stream(conn, kind, &stream))) {
        return;
    }
    ptrdiff_t n = is_loan ? tern_stream_write_ref(stream, much, len, take_back, NULL, TERN_FIN)
                          : tern_stream_write(stream, much, len, TERN_FIN);
    lent += is_loan && n > 0 ? 1 : 0;
    (void)went_well(n);
}

static void a_stream(tern_conn *conn)
{
    write_some(conn, TERN_STREAM_BIDI, sizeof much, false);
}

static void a_loan(tern_conn *conn)
{
    write_some(conn, TERN_STREAM_UNI, sizeof much, true);
}

static void many_streams(tern_conn *conn)
{
    for (int i = 0; i < 20; i++) {
        write_some(conn, i % 2 == 0 ? TERN_STREAM_BIDI : TERN_STREAM_UNI, 500, i % 3 == 0);
    }
}

static void a_reset(tern_conn *conn)
{
    tern_stream *stream;
    if (went_well(tern_conn_open_stream(conn, TERN_STREAM_BIDI, &stream))) {
        (void)went_well(tern_stream_write(stream, much, 9000, 0));
        (void)went_well(tern_stream_stop(stream, 4));
        (void)went_well(tern_stream_reset(stream, 5));
    }
}

static void send(tern_conn *conn, tern_reliability reliability, tern_order order, size_t len)
{
    tern_send_options options;
    tern_send_options_init(&options);
    options.reliability = reliability;
    options.order = order;
    options.channel = (uint32_t)len % 5;
    options.wants_outcome = true;
    options.lifetime = reliability == TERN_UNTIL_DEADLINE ? TERN_SEC : 0;
    (void)went_well(tern_conn_send(conn, much, len, &options, p->now));
}

static void messages(tern_conn *conn)
{
    for (unsigned i = 0; i < 12; i++) {
        send(conn, (tern_reliability)(i % 4), (tern_order)(i / 4), 40 + 30 * i);
    }
}

static void fragments(tern_conn *conn)
{
    send(conn, TERN_RELIABLE, TERN_ORDERED, 30000);
    send(conn, TERN_UNRELIABLE, TERN_UNORDERED, 9000);
    send(conn, TERN_UNRELIABLE, TERN_LATEST, 5000);
}

static void repairs(tern_conn *conn)
{
    (void)went_well(tern_conn_set_fec(conn, 0, TERN_UNORDERED, 50, false));
    (void)went_well(tern_conn_set_redundancy(conn, TERN_REDUNDANCY_FIXED, 2));
    (void)went_well(tern_conn_set_weight(conn, 0, 30));
    for (unsigned i = 0; i < 10; i++) {
        send(conn, TERN_UNRELIABLE, TERN_UNORDERED, 500);
    }
}

static void fresh_keys(tern_conn *conn)
{
    if (!tern_conn_is_server(conn)) {
        (void)went_well(tern_conn_rekey(conn));
    }
    a_stream(conn);
}

static void a_move(tern_conn *conn)
{
    tern_addr local;
    assert_int_equal(tern_addr_parse(&local, "192.0.2.9:1000"), 0);
    if (!tern_conn_is_server(conn)) {
        (void)went_well(tern_conn_migrate(conn, &local));
    }
    a_stream(conn);
}

static void other_controllers(tern_conn *conn)
{
    (void)went_well(tern_conn_set_cc(conn, "bbr"));
    a_stream(conn);
}

/* Whoever rests is woken by what comes. */
static void after_a_rest(tern_conn *conn)
{
    for (int i = 0; i < 2; i++) {
        if (p->side[i].conn != NULL && p->side[i].conn != conn) {
            return; /* once for both is enough */
        }
    }
    messages(conn);
}

/* --- a life ------------------------------------------------------------------------------------------- */

struct scene {
    const char *name;
    meet_fn *meet;
    act_fn *acts[3];
    bool loses, is_early, is_long;
};

static bool lose_some(struct pair *pair, int from, uint8_t *data, size_t len)
{
    (void)from;
    (void)data;
    (void)len;
    return ++pair->wire_arg % 5 != 0;
}

static void hear(struct pair_side *side, const tern_event *event)
{
    static uint8_t buf[50000];
    tern_message message = {.size = sizeof message};
    ptrdiff_t n;
    switch ((int)event->type) {
    case TERN_EVENT_CONNECTED:
        side->connected++;
        side->conn = event->conn;
        break;
    case TERN_EVENT_CLOSED:
        side->closed++;
        side->close = event->close;
        side->conn = side->conn == event->conn ? NULL : side->conn;
        break;
    case TERN_EVENT_STREAM_READABLE:
        n = tern_stream_read(event->stream, buf, sizeof buf);
        assert_true(n >= 0 || n == TERN_ERR_AGAIN || n == TERN_ERR_RESET);
        break;
    case TERN_EVENT_MESSAGES:
        while (tern_conn_receive(event->conn, &message) == 1) {
            assert_memory_equal(message.data, much, message.len);
        }
        break;
    case TERN_EVENT_TICKET:
        memcpy(ticket, event->ticket, event->ticket_len);
        ticket_len = event->ticket_len;
        break;
    default:
        break;
    }
}

static void run(tern_time length)
{
    tern_time end = p->now + length;
    for (int i = 0; i < 400 && p->now < end; i++) {
        bool is_busy = false;
        tern_time next = end;
        for (int side = 0; side < 2; side++) {
            tern_event event;
            tern_endpoint_tick(p->side[side].endpoint, p->now);
            while (tern_endpoint_poll(p->side[side].endpoint, &event) == 1) {
                hear(&p->side[side], &event);
            }
            is_busy = pair_carry(p, side) || is_busy;
            tern_time deadline = tern_endpoint_deadline(p->side[side].endpoint);
            next = TERN_MIN(next, TERN_MAX(deadline, p->now));
        }
        p->now = is_busy ? p->now : TERN_MAX(next, p->now + TERN_MSEC);
    }
}

static bool connect(const struct scene *scene, tern_peer *peer)
{
    struct pair_side *client = &p->side[PAIR_CLIENT];
    peer->addr = p->side[PAIR_SERVER].addr;
    int rc = tern_endpoint_connect(client->endpoint, peer, &client->conn, p->now);
    if (!went_well(rc)) {
        client->conn = NULL;
        return false;
    }
    tern_stream *stream;
    if (scene->is_early &&
        went_well(tern_conn_open_stream(client->conn, TERN_STREAM_BIDI, &stream))) {
        (void)went_well(tern_stream_set_early(stream));
        (void)went_well(tern_stream_write(stream, much, 3000, TERN_FIN));
    }
    run(TERN_SEC);
    return true;
}

static bool open_ends(const struct scene *scene, tern_peer *peer)
{
    tern_peer_init(peer);
    for (int i = 0; i < 2; i++) {
        p->side[i].config.secret_key = secrets[i];
    }
    p->side[PAIR_SERVER].config.early_data = true;
    scene->meet(peer, &p->side[PAIR_CLIENT].config, &p->side[PAIR_SERVER].config);
    for (int i = 0; i < 2; i++) {
        int rc = tern_endpoint_new(&p->side[i].endpoint, &p->side[i].config, p->now);
        if (rc != 0) {
            assert_true(has_fault && rc == TERN_ERR_NOMEM);
            p->side[i].endpoint = NULL;
            return false;
        }
    }
    tern_endpoint_public_key(p->side[PAIR_SERVER].endpoint, p->key);
    return true;
}

/* A second connection, with what the first has brought. */
static void come_back(const struct scene *scene, tern_peer *peer)
{
    tern_conn *conn = p->side[PAIR_CLIENT].conn;
    if (conn == NULL || !scene->is_early) {
        return;
    }
    if (tern_conn_address_token(conn, token, sizeof token, &token_len) == 0) {
        peer->token = token;
        peer->token_len = token_len;
    }
    tern_conn_close(conn, 0, NULL);
    run(TERN_SEC);
    peer->ticket = ticket_len > 0 ? ticket : NULL;
    peer->ticket_len = ticket_len;
    (void)connect(scene, peer);
}

static void live(const struct scene *scene)
{
    tern_peer peer;
    lent = given_back = 0;
    ticket_len = 0;
    if (!open_ends(scene, &peer) || !connect(scene, &peer)) {
        return;
    }
    assert_true(has_fault || p->side[PAIR_SERVER].connected == 1);
    come_back(scene, &peer);
    p->wire = scene->loses ? lose_some : NULL;
    for (size_t i = 0; i < 3 && scene->acts[i] != NULL; i++) {
        for (int side = 0; side < 2; side++) {
            if (p->side[side].conn != NULL) {
                scene->acts[i](p->side[side].conn);
            }
        }
        run(scene->is_long ? 3 * TERN_SEC : 200 * TERN_MSEC);
    }
    run(5 * TERN_SEC);
    for (int side = 0; side < 2; side++) {
        tern_endpoint_close_all(p->side[side].endpoint, 0, "done");
    }
    run(5 * TERN_SEC);
    assert_int_equal(given_back, lent);
}

/* Whoever had no memory for its last words answers with a reset. */
static bool is_clean(int error)
{
    return error == 0 || (has_fault && (error == TERN_ERR_NOMEM || error == TERN_ERR_INTERNAL ||
                                        error == TERN_ERR_TIMEOUT || error == TERN_ERR_FORGOTTEN));
}

/* The number of requests of a side when its n-th fails; 0: none does. */
static uint64_t once(const struct scene *scene, int side, uint64_t n)
{
    pair_init(p);
    has_fault = n > 0;
    p->side[side].heap.fail_at = n;
    p->side[side].config.allocator.alloc = kit_alloc_but_one;
    p->side[side].config.allocator.realloc = kit_realloc_but_one;
    live(scene);
    assert_true(is_clean(p->side[0].close.error) && is_clean(p->side[1].close.error));
    uint64_t calls = p->side[side].heap.calls;
    pair_close(p); /* counts what is out: nothing */
    return calls;
}

static void play(const struct scene *scenes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t lives = 0;
        for (int side = 0; side < 2; side++) {
            uint64_t total = once(&scenes[i], side, 0);
            assert_true(total > 10);
            for (uint64_t n = 1; n <= total; n++, lives++) {
                assert_true(once(&scenes[i], side, n) >= n); /* it did fail */
            }
        }
        print_message("%-40s %llu lives\n", scenes[i].name, (unsigned long long)lives);
    }
}

/* --- the scenes ------------------------------------------------------------------------------------------ */

/* clang-format off: tables, and tests one a line, so that the build finds their names */
static const struct scene handshakes[] = {
    {"a known key", by_key, {a_stream}, .loses = false},
    {"first contact", at_first, {a_stream}, .loses = false},
    {"a secret", by_secret, {a_stream}, .loses = false},
    {"a code", by_code, {a_stream}, .loses = false},
    {"Retry", by_retry, {a_stream}, .loses = false},
};
static const struct scene early[] = {
    {"early data", by_key, {a_stream}, .is_early = true},
    {"early data and messages", by_key, {messages}, .is_early = true},
    {"early data over loss", by_key, {many_streams}, .loses = true, .is_early = true},
    {"early data and Retry", by_retry, {a_stream}, .is_early = true},
    {"early data, then fresh keys", by_key, {fresh_keys}, .is_early = true},
};
static const struct scene streams[] = {
    {"a loan", by_key, {a_loan}, .loses = false},
    {"many streams", by_key, {many_streams}, .loses = false},
    {"a reset", by_key, {a_reset}, .loses = false},
    {"streams after streams", by_key, {a_stream, a_stream, a_loan}, .loses = false},
    {"resets among streams", by_key, {many_streams, a_reset, many_streams}, .loses = false},
};
static const struct scene streams_and_loss[] = {
    {"a stream over loss", by_key, {a_stream}, .loses = true},
    {"a loan over loss", at_first, {a_loan}, .loses = true},
    {"many streams over loss", by_key, {many_streams}, .loses = true},
    {"a reset over loss", by_key, {a_reset}, .loses = true},
    {"resets among streams over loss", by_key, {many_streams, a_reset, a_loan}, .loses = true},
};
static const struct scene sent_messages[] = {
    {"messages", by_key, {messages}, .loses = false},
    {"fragments", by_key, {fragments}, .loses = false},
    {"repairs", by_key, {repairs}, .loses = false},
    {"messages, fragments, repairs", by_key, {messages, fragments, repairs}, .loses = false},
    {"messages and streams", at_first, {messages, a_stream, messages}, .loses = false},
};
static const struct scene messages_and_loss[] = {
    {"messages over loss", by_key, {messages}, .loses = true},
    {"fragments over loss", by_key, {fragments}, .loses = true},
    {"repairs over loss", by_key, {repairs}, .loses = true},
    {"all of them over loss", by_key, {messages, fragments, repairs}, .loses = true},
    {"messages and streams over loss", by_key, {messages, many_streams, fragments}, .loses = true},
};
static const struct scene keys_and_paths[] = {
    {"fresh keys", by_key, {fresh_keys}, .loses = false},
    {"fresh keys twice", by_key, {fresh_keys, fresh_keys}, .is_long = true},
    {"a move", by_key, {a_move}, .is_long = true},
    {"a move with fresh keys", by_key, {a_move, fresh_keys}, .is_long = true},
    {"fresh keys after a secret", by_secret, {fresh_keys}, .loses = false},
};
static const struct scene keys_and_paths_and_loss[] = {
    {"fresh keys over loss", by_key, {fresh_keys}, .loses = true},
    {"a move over loss", by_key, {a_move}, .loses = true, .is_long = true},
    {"a move with messages", by_key, {messages, a_move, messages}, .loses = true},
    {"a move of a stranger", at_first, {a_move}, .loses = true},
    {"fresh keys after a code", by_code, {fresh_keys, messages}, .loses = true},
};
static const struct scene rests[] = {
    {"a rest", by_key, {a_stream, after_a_rest}, .is_long = true},
    {"a rest after messages", by_key, {messages, messages}, .is_long = true},
    {"a rest after a reset", by_key, {a_reset, a_stream}, .is_long = true},
    {"rests", at_first, {messages, a_stream, fragments}, .is_long = true},
    {"a rest, then fresh keys", by_key, {a_stream, fresh_keys}, .is_long = true},
};
static const struct scene controllers[] = {
    {"another controller", by_key, {other_controllers}, .loses = false},
    {"another controller over loss", by_key, {other_controllers}, .loses = true},
    {"another controller after a rest", by_key, {a_stream, other_controllers}, .is_long = true},
    {"another controller on a move", by_key, {other_controllers, a_move}, .is_long = true},
    {"a controller and repairs", by_secret, {other_controllers, repairs}, .loses = true},
};

#define PLAY(name, table)                                                                          \
    static void name(void **state)                                                                 \
    {                                                                                              \
        (void)state;                                                                               \
        play(table, TERN_COUNT_OF(table));                                                         \
    }

PLAY(in_handshakes, handshakes)
PLAY(in_early_data, early)
PLAY(in_streams, streams)
PLAY(in_streams_over_loss, streams_and_loss)
PLAY(in_messages, sent_messages)
PLAY(in_messages_over_loss, messages_and_loss)
PLAY(in_keys_and_paths, keys_and_paths)
PLAY(in_keys_and_paths_over_loss, keys_and_paths_and_loss)
PLAY(in_rests, rests)
PLAY(with_other_controllers, controllers)

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(in_handshakes),     cmocka_unit_test(in_early_data),
    cmocka_unit_test(in_streams),        cmocka_unit_test(in_streams_over_loss),
    cmocka_unit_test(in_messages),       cmocka_unit_test(in_messages_over_loss),
    cmocka_unit_test(in_keys_and_paths), cmocka_unit_test(in_keys_and_paths_over_loss),
    cmocka_unit_test(in_rests),          cmocka_unit_test(with_other_controllers),
};
/* clang-format on */

TERN_TEST_MAIN(tests)
