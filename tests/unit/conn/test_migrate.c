/* Moves of a client, rebindings, forged moves, and returns: two ends that talk over several addresses.
 * SPDX-License-Identifier: MIT */
#include "conn/migrate.h"

#include "conn_kit.h"

#define CLIENT (k.side[CK_CLIENT].conn)
#define SERVER (k.side[CK_SERVER].conn)

#define CHOSEN 0xa5

static struct ck k;
static tern_addr home, home_again, cafe, forger, other_server;
static bool is_cafe_dead; /* nothing passes there */
static size_t to_forger;  /* bytes that the server sent there */
static size_t challenges_to_forger;
static size_t chosen_by_peer; /* of the first 21 bytes of what went to the forger */
static tern_addr outside;     /* what a NAT makes of home; family 0: there is none */

/* What a datagram bore. */
static struct seen {
    tern_addr client;
    uint8_t dcid[8];
    bool is_to_server;
} seen[16384];
static size_t seen_count;

static int setup(void **state)
{
    (void)state;
    ck_init(&k);
    assert_int_equal(tern_addr_parse(&home, "192.0.2.1:1000"), 0);
    assert_int_equal(tern_addr_parse(&home_again, "192.0.2.1:2000"), 0);
    assert_int_equal(tern_addr_parse(&cafe, "198.51.100.7:1000"), 0);
    assert_int_equal(tern_addr_parse(&forger, "203.0.113.66:666"), 0);
    assert_int_equal(tern_addr_parse(&other_server, "192.0.2.3:7437"), 0);
    is_cafe_dead = false;
    to_forger = challenges_to_forger = seen_count = chosen_by_peer = 0;
    outside = (tern_addr){0};
    ck_ready(&k);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return ck_clear(&k);
}

static void note(const tern_addr *client, const uint8_t *data, bool is_to_server)
{
    struct seen *s = &seen[seen_count++];
    assert_true(seen_count < TERN_COUNT_OF(seen));
    s->client = *client;
    s->is_to_server = is_to_server;
    memcpy(s->dcid, data + 1, 8);
}

static void to_server(const tern_addr *from, const uint8_t *data, size_t len)
{
    const tern_addr *client = from->family == 0 ? &home : from;
    client = outside.family != 0 && tern_addr_equal(client, &home) ? &outside : client;
    note(client, data, true);
    if (!(is_cafe_dead && tern_addr_equal(client, &cafe))) {
        ck_give_from(&k, CK_SERVER, client, data, len);
    }
}

static void to_client(const tern_addr *to, uint8_t *data, size_t len)
{
    note(to, data, false);
    if (to->ip[0] == forger.ip[0]) { /* all of 203/8 is his */
        to_forger += len;
        for (size_t i = 0; i < 21 && i < len; i++) {
            chosen_by_peer += data[i] == CHOSEN ? 1 : 0;
        }
        challenges_to_forger += len >= 1000 ? 1 : 0;
        return;
    }
    if (is_cafe_dead && tern_addr_equal(to, &cafe)) {
        return;
    }
    tern_datagram in = {.local = *to, .remote = k.side[CK_SERVER].addr};
    if (outside.family != 0) {
        if (!tern_addr_equal(to, &outside)) {
            return; /* the NAT has forgotten it */
        }
        in.local = home;
    }
    tern_conn_on_datagram(CLIENT, &in, data, len, k.now);
}

/* One side says what it has to say now; it arrives a hop later. */
static size_t say(int from)
{
    static uint8_t data[64][1500];
    static size_t len[64];
    static tern_addr far[64];
    size_t count = 0;
    tern_train train = {.data = k.buffer, .capacity = sizeof k.buffer};
    while (count < 64 && tern_conn_transmit(k.side[from].conn, &train, k.now) > 0) {
        for (size_t at = 0; at < train.len && count < 64; at += train.segment) {
            len[count] = TERN_MIN(train.segment, train.len - at);
            memcpy(data[count], train.data + at, len[count]);
            far[count++] = from == CK_CLIENT ? train.local : train.remote;
        }
    }
    k.now += CK_HOP;
    for (size_t i = 0; i < count; i++) {
        if (from == CK_CLIENT) {
            to_server(&far[i], data[i], len[i]);
        } else {
            to_client(&far[i], data[i], len[i]);
        }
    }
    return count;
}

static void run_for(tern_time time)
{
    tern_time until = k.now + time;
    while (k.now < until) {
        while (say(CK_CLIENT) + say(CK_SERVER) > 0) {
        }
        tern_time at =
            TERN_MIN(tern_conn_deadline(CLIENT, k.now), tern_conn_deadline(SERVER, k.now));
        k.now = TERN_MAX(k.now, TERN_MIN(at, until));
        tern_conn_tick(CLIENT, k.now);
        tern_conn_tick(SERVER, k.now);
    }
    while (say(CK_CLIENT) + say(CK_SERVER) > 0) {
    }
}

static bool server_sees(const tern_addr *addr)
{
    return tern_addr_equal(&SERVER->path.remote, addr);
}

/* A datagram of the client's, taken off the wire. */
static size_t next_packet(uint8_t *out, size_t capacity)
{
    tern_train train = {.data = out, .capacity = capacity};
    CLIENT->wants_ping = true;
    assert_true(tern_conn_transmit(CLIENT, &train, k.now) > 0);
    return train.len;
}

static void ping(void)
{
    CLIENT->wants_ping = true;
    run_for(100 * TERN_MSEC);
}

static void a_client_moves_and_the_server_follows(void **state)
{
    (void)state;
    assert_int_equal(tern_conn_migrate(CLIENT, &cafe), 0);
    assert_true(CLIENT->path.local.family == 0 || tern_addr_equal(&CLIENT->path.local, &home));
    run_for(TERN_SEC);
    assert_true(tern_addr_equal(&CLIENT->path.local, &cafe));
    assert_true(server_sees(&cafe));
    assert_true(SERVER->path.is_validated);
    assert_int_equal(CLIENT->counters.migrations, 1);
    assert_int_equal(SERVER->counters.migrations, 1);
    run_for(10 * TERN_SEC); /* the old path is let go, its identifiers are retired and replaced */
    for (size_t i = 0; i < TERN_OTHERS; i++) {
        assert_null(CLIENT->others[i]);
        assert_null(SERVER->others[i]);
    }
    for (size_t i = 0; i < TERN_CIDS_LIMIT; i++) {
        assert_true(CLIENT->cids.remote[i].is_used && SERVER->cids.remote[i].is_used);
    }
    assert_int_equal(CLIENT->life.state, TERN_LIFE_ESTABLISHED);
}

/* RFC 9000 §9.5: nobody who sees both networks can tell that it is one client. */
static void no_identifier_is_seen_on_two_networks(void **state)
{
    (void)state;
    for (int i = 0; i < 6; i++) {
        assert_int_equal(tern_conn_migrate(CLIENT, i % 2 == 0 ? &cafe : &home), 0);
        run_for(10 * TERN_SEC);
    }
    assert_int_equal(CLIENT->counters.migrations, 6);
    for (size_t i = 0; i < seen_count; i++) {
        for (size_t j = 0; j < i; j++) {
            bool is_same = seen[i].is_to_server == seen[j].is_to_server &&
                           memcmp(seen[i].dcid, seen[j].dcid, 8) == 0;
            assert_true(!is_same || tern_addr_equal(&seen[i].client, &seen[j].client));
        }
    }
}

/* Probing before moving: where nothing passes nobody goes. */
static void a_dead_path_is_not_moved_to(void **state)
{
    (void)state;
    is_cafe_dead = true;
    assert_int_equal(tern_conn_migrate(CLIENT, &cafe), 0);
    run_for(TERN_SEC);
    assert_non_null(CLIENT->others[TERN_OTHER_TRIAL]);
    ping(); /* meanwhile all goes on as it was */
    assert_true(server_sees(&home));
    run_for(10 * TERN_SEC);
    assert_null(CLIENT->others[TERN_OTHER_TRIAL]);
    assert_int_equal(CLIENT->counters.migrations, 0);
    assert_int_equal(CLIENT->counters.migrations_failed, 1);
    assert_true(server_sees(&home));
    is_cafe_dead = false; /* and it works when the place does */
    assert_int_equal(tern_conn_migrate(CLIENT, &cafe), 0);
    run_for(TERN_SEC);
    assert_true(server_sees(&cafe));
}

static void who_may_migrate(void **state)
{
    (void)state;
    tern_addr six;
    assert_int_equal(tern_addr_parse(&six, "[2001:db8::1]:1"), 0);
    assert_int_equal(tern_conn_migrate(SERVER, &cafe), TERN_ERR_STATE);
    assert_int_equal(tern_conn_migrate(CLIENT, &six), TERN_ERR_INVALID);
    CLIENT->peer_terms.forbids_migration = true;
    assert_int_equal(tern_conn_migrate(CLIENT, &cafe), TERN_ERR_UNSUPPORTED);
    CLIENT->peer_terms.forbids_migration = false;
    CLIENT->life.is_confirmed = false;
    assert_int_equal(tern_conn_migrate(CLIENT, &cafe), TERN_ERR_STATE);
    CLIENT->life.is_confirmed = true;
    tern_conn_close(CLIENT, 0, NULL);
    assert_int_equal(tern_conn_migrate(CLIENT, &cafe), TERN_ERR_CLOSED);
}

/* Each try spends an identifier; without one it would be known again, and is refused. */
static void identifiers_are_spent(void **state)
{
    (void)state;
    tern_addr to = cafe;
    for (int i = 0; i < TERN_CIDS_LIMIT - 1; i++) {
        to.port++;
        assert_int_equal(tern_conn_migrate(CLIENT, &to), 0);
        assert_int_equal(tern_conn_migrate(CLIENT, &to), 0); /* that is under way already */
    }
    assert_int_equal(tern_conn_migrate(CLIENT, &cafe), TERN_ERR_LIMIT);
    run_for(TERN_SEC); /* what was given up is retired, and more come */
    assert_int_equal(tern_conn_migrate(CLIENT, NULL), 0);
    run_for(TERN_SEC);
}

static void memory_may_run_out(void **state)
{
    (void)state;
    k.side[CK_CLIENT].heap.fail_at = k.side[CK_CLIENT].heap.calls + 1;
    assert_int_equal(tern_conn_migrate(CLIENT, &cafe), TERN_ERR_NOMEM);
    k.side[CK_CLIENT].heap.fail_at = 0;
    assert_int_equal(tern_conn_migrate(CLIENT, &cafe), 0);
    run_for(TERN_SEC);
    assert_true(server_sees(&cafe));
}

/* A NAT forgot: the server follows and keeps what it measured, the identifiers stay. */
static void a_rebound_port_is_followed(void **state)
{
    (void)state;
    uint64_t cid = SERVER->path.cid;
    SERVER->path.cc.cwnd = 77777;
    outside = home_again;
    ping();
    assert_true(server_sees(&home_again));
    assert_true(SERVER->path.is_validated);
    assert_int_equal(SERVER->path.cc.cwnd, 77777);
    assert_true(SERVER->path.rtt.has_sample);
    assert_int_equal(SERVER->path.cid, cid);
    run_for(10 * TERN_SEC);
    assert_null(SERVER->others[TERN_OTHER_KEPT]);
}

/* RFC 9000 §8.2.1: a challenge that the limit has cut short proves the address, not that 1200 bytes pass. */
static void a_short_challenge_is_repeated_in_full(void **state)
{
    (void)state;
    outside = home_again;
    CLIENT->wants_ping = true;
    (void)say(CK_CLIENT);
    (void)say(CK_SERVER);
    assert_false(SERVER->path.is_validated);
    assert_true(SERVER->path.is_short);
    assert_true(SERVER->path.sent <
                64); /* no padding, which would leave nothing for a repetition */
    (void)say(CK_CLIENT);
    assert_true(SERVER->path.is_validated);
    assert_true(SERVER->path.wants_challenge);
    run_for(TERN_SEC);
    assert_true(SERVER->path.is_validated);
    assert_false(SERVER->path.is_short || SERVER->path.has_challenge);
}

/* RFC 9000 §9.4 */
static void a_rebound_address_is_measured_anew(void **state)
{
    (void)state;
    SERVER->path.cc.cwnd = 77777;
    SERVER->path.pmtud.current = 1452;
    outside = cafe;
    CLIENT->wants_ping = true;
    (void)say(CK_CLIENT);
    assert_true(server_sees(&cafe));
    assert_false(SERVER->path.is_validated);
    assert_int_equal(SERVER->path.cc.cwnd, 12000);
    assert_int_equal(SERVER->path.pmtud.current, TERN_PMTUD_BASE);
    assert_false(SERVER->path.rtt.has_sample);
    assert_int_equal(SERVER->others[TERN_OTHER_KEPT]->cc.cwnd, 77777);
    run_for(TERN_SEC);
    assert_true(SERVER->path.is_validated);
    assert_true(SERVER->path.rtt.has_sample);
}

/* A copy of one packet under another source. Three times its bytes at most, one challenge a PTO,
 * and the true client's next packet ends it. */
static void a_spoofed_move_is_taken_back_by_the_next_packet(void **state)
{
    (void)state;
    uint8_t packet[1500];
    size_t len = next_packet(packet, sizeof packet);
    SERVER->path.cc.cwnd = 77777;
    ck_give_from(&k, CK_SERVER, &forger, packet, len);
    assert_true(server_sees(&forger));
    (void)say(CK_SERVER);
    assert_true(to_forger > 0 && to_forger <= 3 * len);
    ping();
    assert_true(server_sees(&home));
    assert_true(SERVER->path.is_validated);
    assert_int_equal(SERVER->path.cc.cwnd, 77777); /* as if nothing had been */
    run_for(10 * TERN_SEC);
    assert_int_equal(SERVER->life.state, TERN_LIFE_ESTABLISHED);
    assert_true(to_forger <= 3 * len);
}

/* RFC 9000 §21.5: a client makes the server send to a third party. The identifier is all that it chooses of
 * what comes there: the first byte is the server's, what follows is masked and sealed. */
static void a_third_party_gets_no_request_of_the_clients(void **state)
{
    (void)state;
    uint8_t packet[1500];
    size_t len = next_packet(packet, sizeof packet);
    for (size_t i = 0; i < TERN_CIDS_LIMIT; i++) {
        SERVER->cids.remote[i].cid.len = 20;
        memset(SERVER->cids.remote[i].cid.bytes, CHOSEN, 20);
    }
    ck_give_from(&k, CK_SERVER, &forger, packet, len);
    assert_true(server_sees(&forger));
    size_t datagrams = say(CK_SERVER);
    assert_true(to_forger > 0 && to_forger <= 3 * len);
    assert_true(chosen_by_peer >= 20 && chosen_by_peer <= 20 * datagrams);
}

/* RFC 9000 §9.3.2: the client says nothing more; the address that proves nothing is given up. */
static void a_spoofed_move_ends_by_itself(void **state)
{
    (void)state;
    uint8_t packet[1500];
    size_t len = next_packet(packet, sizeof packet);
    SERVER->path.cc.cwnd = 77777;
    ck_give_from(&k, CK_SERVER, &forger, packet, len);
    run_for(20 * TERN_SEC);
    assert_true(server_sees(&home));
    assert_true(SERVER->path.is_validated);
    assert_int_equal(SERVER->path.cc.cwnd, 77777);
    assert_true(to_forger <= 3 * len);
    assert_true(challenges_to_forger <= 3);
}

/* RFC 9000 §9.3.3: every packet of the client arrives first as a copy from elsewhere. After the
 * first failure the forger is not followed for a while, each time for longer. */
static void a_forwarder_of_copies_is_shunned(void **state)
{
    (void)state;
    unsigned followed = 0;
    for (int i = 0; i < 600; i++) { /* a minute */
        uint8_t packet[1500];
        size_t len = next_packet(packet, sizeof packet);
        ck_give_from(&k, CK_SERVER, &forger, packet, len);
        followed += server_sees(&forger) ? 1 : 0;
        ck_give_from(&k, CK_SERVER, &home, packet, len);
        run_for(100 * TERN_MSEC - 2 * CK_HOP);
    }
    assert_int_equal(CLIENT->life.state, TERN_LIFE_ESTABLISHED);
    assert_int_equal(SERVER->life.state, TERN_LIFE_ESTABLISHED);
    assert_in_range(followed, 1, 6);
}

/* ... and a forger that changes its address each time does not put off the return for ever. */
static void ever_new_addresses_do_not_hold_it(void **state)
{
    (void)state;
    tern_addr from = forger;
    unsigned at_home = 0;
    for (int i = 0; i < 200; i++) {
        uint8_t packet[1500];
        size_t len = next_packet(packet, sizeof packet);
        from.port++;
        ck_give_from(&k, CK_SERVER, &from, packet, len);
        run_for(50 * TERN_MSEC);
        at_home += server_sees(&home) ? 1 : 0;
    }
    assert_in_range(at_home, 190, 200);
    assert_int_equal(SERVER->life.state, TERN_LIFE_ESTABLISHED);
}

static bool are_ids_distinct(void)
{
    const struct tern_path *paths[] = {&SERVER->path, SERVER->others[TERN_OTHER_KEPT],
                                       SERVER->others[TERN_OTHER_TRIAL]};
    bool are = true;
    for (size_t i = 0; i < TERN_COUNT_OF(paths); i++) {
        for (size_t j = 0; j < i; j++) {
            are = are && (paths[i] == NULL || paths[j] == NULL || paths[i]->id != paths[j]->id);
        }
    }
    return are;
}

/* More addresses than there are numbers for paths: no two paths share their books for that. */
static void a_thousand_addresses_do_not_confuse_the_books(void **state)
{
    (void)state;
    tern_addr from = forger;
    SERVER->path.cc.cwnd = 77777;
    for (unsigned i = 0; i < 1000; i++) {
        uint8_t packet[1500];
        size_t len = next_packet(packet, sizeof packet);
        from.ip[2] = (uint8_t)(i >> 8);
        from.ip[3] = (uint8_t)i;
        ck_give_from(&k, CK_SERVER, &from, packet, len);
        assert_true(are_ids_distinct());
        (void)say(CK_SERVER);
        if (i % 2 == 0) {
            ping();
            assert_true(server_sees(&home));
            assert_int_equal(SERVER->path.cc.cwnd, 77777);
        }
    }
}

/* §9.3.3: the answer on the path in use is more than a probe. */
static void a_challenge_on_the_path_in_use_is_answered_loudly(void **state)
{
    (void)state;
    uint8_t packet[1500];
    size_t len = next_packet(packet, sizeof packet);
    ck_give_from(&k, CK_SERVER, &forger, packet, len);
    assert_true(server_sees(&forger));
    (void)say(CK_SERVER); /* the old path is asked, too */
    (void)say(CK_CLIENT);
    assert_true(server_sees(&home));
}

/* A server answers where it was asked, and asks in turn, but does not move for a probe. */
static void a_probe_moves_nobody(void **state)
{
    (void)state;
    assert_int_equal(tern_conn_migrate(CLIENT, &cafe), 0);
    (void)say(CK_CLIENT);
    assert_true(server_sees(&home));
    const struct tern_path *trial = SERVER->others[TERN_OTHER_TRIAL];
    assert_non_null(trial);
    assert_true(tern_addr_equal(&trial->remote, &cafe));
    assert_true(trial->cid != SERVER->path.cid);
    assert_int_equal(trial->response_count, 1);
    assert_true(trial->wants_challenge);
    assert_int_equal(trial->received, 1200);
}

/* RFC 9000 §9: a server that speaks from elsewhere is not ours. */
static void a_client_hears_one_server(void **state)
{
    (void)state;
    static struct ck_flight flight;
    SERVER->wants_ping = true;
    ck_take(&k, CK_SERVER, &flight);
    uint64_t dropped = CLIENT->counters.packets_dropped;
    uint64_t received = CLIENT->counters.packets_received;
    ck_give_from(&k, CK_CLIENT, &other_server, flight.data[0], flight.len[0]);
    assert_int_equal(CLIENT->counters.packets_received, received);
    assert_int_equal(CLIENT->counters.packets_dropped, dropped + 1);
    ck_give(&k, CK_CLIENT, &flight, 0);
    assert_int_equal(CLIENT->counters.packets_received, received + 1);
}

/* The address of the client went away and its system chose another. */
static void a_client_notices_its_own_new_address(void **state)
{
    (void)state;
    SERVER->wants_ping = true;
    CLIENT->path.local = home;
    CLIENT->path.cc.cwnd = 77777;
    static struct ck_flight flight;
    ck_take(&k, CK_SERVER, &flight);
    tern_datagram in = {.local = cafe, .remote = k.side[CK_SERVER].addr};
    tern_conn_on_datagram(CLIENT, &in, flight.data[0], flight.len[0], k.now);
    assert_true(tern_addr_equal(&CLIENT->path.local, &cafe));
    assert_int_equal(CLIENT->path.cc.cwnd, 12000);
}

/* The peer retires what a path is using: another is taken, or the path waits. */
static void a_retired_identifier_is_replaced(void **state)
{
    (void)state;
    assert_int_equal(tern_conn_migrate(CLIENT, &cafe), 0);
    uint64_t sequence = CLIENT->others[TERN_OTHER_TRIAL]->cid;
    for (size_t i = 0; i < TERN_CIDS_LIMIT; i++) {
        if (CLIENT->cids.remote[i].sequence == sequence) {
            CLIENT->cids.remote[i].is_used = false;
        }
    }
    (void)say(CK_CLIENT);
    assert_true(CLIENT->others[TERN_OTHER_TRIAL]->cid != sequence);
    assert_int_equal(SERVER->others[TERN_OTHER_TRIAL]->response_count, 1);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(a_client_moves_and_the_server_follows, setup, teardown),
    cmocka_unit_test_setup_teardown(no_identifier_is_seen_on_two_networks, setup, teardown),
    cmocka_unit_test_setup_teardown(a_dead_path_is_not_moved_to, setup, teardown),
    cmocka_unit_test_setup_teardown(who_may_migrate, setup, teardown),
    cmocka_unit_test_setup_teardown(identifiers_are_spent, setup, teardown),
    cmocka_unit_test_setup_teardown(memory_may_run_out, setup, teardown),
    cmocka_unit_test_setup_teardown(a_rebound_port_is_followed, setup, teardown),
    cmocka_unit_test_setup_teardown(a_short_challenge_is_repeated_in_full, setup, teardown),
    cmocka_unit_test_setup_teardown(a_rebound_address_is_measured_anew, setup, teardown),
    cmocka_unit_test_setup_teardown(a_spoofed_move_is_taken_back_by_the_next_packet, setup,
                                    teardown),
    cmocka_unit_test_setup_teardown(a_third_party_gets_no_request_of_the_clients, setup, teardown),
    cmocka_unit_test_setup_teardown(a_spoofed_move_ends_by_itself, setup, teardown),
    cmocka_unit_test_setup_teardown(a_forwarder_of_copies_is_shunned, setup, teardown),
    cmocka_unit_test_setup_teardown(ever_new_addresses_do_not_hold_it, setup, teardown),
    cmocka_unit_test_setup_teardown(a_thousand_addresses_do_not_confuse_the_books, setup, teardown),
    cmocka_unit_test_setup_teardown(a_challenge_on_the_path_in_use_is_answered_loudly, setup,
                                    teardown),
    cmocka_unit_test_setup_teardown(a_probe_moves_nobody, setup, teardown),
    cmocka_unit_test_setup_teardown(a_client_hears_one_server, setup, teardown),
    cmocka_unit_test_setup_teardown(a_client_notices_its_own_new_address, setup, teardown),
    cmocka_unit_test_setup_teardown(a_retired_identifier_is_replaced, setup, teardown),
};

TERN_TEST_MAIN(tests)
