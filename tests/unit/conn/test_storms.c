/* Peers that hold the keys and mean no good: storms of moves, acknowledgements of any subset of what was sent,
 * identifiers said again and retired (CVE-2025-29785, GHSA-rfhg). The books stay right, the memory bounded.
 * SPDX-License-Identifier: MIT */
#include "conn/migrate.h"
#include "conn_kit.h"
#include "sim/invariants.h"
#include "wire/encode.h"

#define PLACES 6
#define STEPS  150

static struct ck k;
static uint64_t seed;

static uint64_t below(uint64_t n)
{
    uint64_t value;
    ck_random(&seed, (uint8_t *)&value, sizeof value);
    return (value >> 20) % n;
}

static tern_addr place(uint64_t n)
{
    tern_addr addr = k.side[CK_CLIENT].addr;
    addr.ip[3] = (uint8_t)(addr.ip[3] + 10 * (n / 2));
    addr.port = (uint16_t)(addr.port + n % 2);
    return addr;
}

/* A payload from the peer, as its own connection would seal it. */
static void seal_to(int to, const uint8_t *payload, size_t len)
{
    uint8_t out[1500], mask[TERN_MASK_SIZE];
    struct tern_conn *from = k.side[1 - to].conn;
    struct tern_space *space = &from->spaces[TERN_LEVEL_APP];
    uint64_t pn = space->loss.sent.next_pn;
    struct tern_writer w;
    tern_addr remote = to == CK_SERVER ? place(below(PLACES)) : k.side[CK_SERVER].addr;
    tern_writer_init(&w, out, sizeof out);
    tern_header_encode_short(&w, tern_cids_remote(&from->cids), (space->keys->phase & 1) != 0, pn,
                             4);
    size_t header = tern_writer_used(&w);
    tern_write_bytes(&w, payload, len);
    assert_false(w.failed);
    assert_int_equal(tern_packet_seal(&space->keys->tx, 0, pn, out, header, out + header, len), 0);
    tern_aead_mask(&space->keys->tx.mask, out + header, mask);
    tern_header_mask(out, header - 4, 4, mask);
    assert_int_equal(tern_sent_reserve(&space->loss.sent, 0), 0);
    (void)tern_sent_commit(&space->loss.sent, 0, 0, 0, 0, k.now);
    ck_give_from(&k, to, &remote, out, header + len + 16);
}

/* Some of what it has sent, and nothing else: a question and its answer may have fared differently. */
static void acknowledge_some(int to)
{
    const struct tern_sent *sent = &k.side[to].conn->spaces[TERN_LEVEL_APP].loss.sent;
    uint8_t out[1200];
    struct tern_writer w;
    struct tern_range ranges[16];
    size_t count = 0;
    for (uint64_t pn = sent->base; pn < sent->next_pn && count < TERN_COUNT_OF(ranges); pn++) {
        const struct tern_sent_packet *packet = tern_sent_find(sent, pn);
        if (packet == NULL || packet->state == TERN_SENT_SKIPPED || below(2) == 0) {
            continue;
        }
        if (count > 0 && ranges[count - 1].end == pn) {
            ranges[count - 1].end++;
        } else {
            ranges[count++] = (struct tern_range){pn, pn + 1};
        }
    }
    if (count > 0) {
        tern_writer_init(&w, out, sizeof out);
        tern_frame_encode_ack(&w, ranges[count - 1].end - 1, 0, ranges, count, NULL);
        seal_to(to, out, tern_writer_used(&w));
    }
}

/* One that is known is said again word for word, now and then one that is not; any may retire those before. */
static void say_identifier(int to)
{
    const struct tern_cid_remote *slot = &k.side[to].conn->cids.remote[below(TERN_CIDS_LIMIT)];
    uint64_t sequence = slot->sequence;
    struct tern_cid cid = slot->cid;
    uint8_t token[16] = {1}, out[100];
    struct tern_writer w;
    memcpy(token, slot->reset_token, sizeof token);
    if (!slot->is_used || below(40) == 0) {
        sequence = below(30);
        cid = (struct tern_cid){.len = 8, .bytes = {0x99, (uint8_t)sequence, (uint8_t)to}};
    }
    uint64_t retire = below(3) == 0 ? below(sequence + 1) : 0;
    tern_writer_init(&w, out, sizeof out);
    tern_frame_encode_new_connection_id(&w, sequence, retire, &cid, token);
    seal_to(to, out, tern_writer_used(&w));
}

/* One of its own is retired, which the peer does not need; now and then any. */
static void retire_identifier(int to)
{
    struct tern_cids *peer = &k.side[1 - to].conn->cids;
    struct tern_cid_remote *slot = &peer->remote[below(TERN_CIDS_LIMIT)];
    uint8_t out[9] = {0x19, (uint8_t)(slot->sequence & 0x3f)};
    bool may = slot->is_used && !slot->is_taken && slot->sequence < 64;
    if (may || below(40) == 0) {
        seal_to(to, out, 2);
        slot->is_used = slot->is_used && !may;
    }
}

static void say_path(int to)
{
    uint8_t out[9] = {(uint8_t)(0x1a + below(2))};
    const struct tern_conn *conn = k.side[to].conn;
    const struct tern_path *paths[] = {&conn->path, conn->others[0], conn->others[1]};
    const struct tern_path *path = paths[below(3)];
    if (path != NULL && path->has_challenge) {
        memcpy(out + 1, path->challenge, 8);
    }
    seal_to(to, out, sizeof out);
}

/* What one end says, some of it lost, some of it seen from elsewhere. */
static void speak(int from)
{
    tern_train train = {.data = k.buffer, .capacity = sizeof k.buffer};
    uint8_t copy[2000];
    for (int i = 0; i < 4 && tern_conn_transmit(k.side[from].conn, &train, k.now) > 0; i++) {
        size_t len = TERN_MIN(train.segment, sizeof copy);
        memcpy(copy, train.data, len);
        tern_addr near = train.local.family == 0 ? place(0) : train.local;
        if (below(3) == 0) {
            continue;
        }
        if (from == CK_SERVER) {
            tern_datagram in = {.local = train.remote, .remote = k.side[CK_SERVER].addr};
            tern_conn_on_datagram(k.side[CK_CLIENT].conn, &in, copy, len, k.now);
        } else {
            near = below(4) == 0 ? place(below(PLACES)) : near;
            ck_give_from(&k, CK_SERVER, &near, copy, len);
        }
    }
}

static void pass_time(void)
{
    k.now += below(400) * TERN_MSEC;
    for (size_t i = 0; i < 2; i++) {
        tern_conn_tick(k.side[i].conn, k.now);
    }
}

static void step(void)
{
    int side = (int)below(2);
    tern_addr to = place(below(PLACES));
    switch (below(9)) {
    case 0:
        (void)!tern_conn_migrate(k.side[CK_CLIENT].conn, &to);
        break;
    case 1:
    case 2:
        k.side[side].conn->wants_ping = true;
        speak(side);
        break;
    case 3:
        acknowledge_some(side);
        break;
    case 4:
        say_identifier(side);
        break;
    case 5:
        retire_identifier(side);
        break;
    case 6:
        say_path(side);
        break;
    default:
        pass_time();
        break;
    }
}

/* False: it is over, for a reason that such a peer has given. */
static bool is_right(size_t side, uint64_t number)
{
    const struct tern_conn *conn = k.side[side].conn;
    const char *broken = invariants_broken(conn, k.now);
    if (broken != NULL) {
        print_message("seed %llu: %s\n", (unsigned long long)number, broken);
    }
    assert_null(broken);
    assert_true(k.side[side].heap.bytes < 128 * 1024);
    if (tern_life_is_over(&conn->life)) {
        uint64_t code = conn->life.code;
        assert_true(code == 0x09 || code == 0x0a || conn->life.by != TERN_CLOSED_ERROR);
        return false;
    }
    assert_true(conn->cids.remote[conn->cids.active].is_used);
    assert_true(conn->cids.retire_count <= TERN_CIDS_RETIRE_MAX);
    for (size_t i = 0; i < TERN_OTHERS; i++) {
        assert_true(conn->others[i] == NULL || conn->others[i]->id != conn->path.id ||
                    tern_path_is_same_host(&conn->others[i]->remote, &conn->path.remote));
    }
    return true;
}

static void books_stay_right_in_any_storm(void **state)
{
    (void)state;
    uint64_t steps = 0, ended = 0;
    for (uint64_t number = 1; number <= TERN_TEST_TIMES(10000u); number++) {
        ck_init(&k);
        ck_ready(&k);
        seed = number;
        bool goes_on = true;
        for (unsigned i = 0; i < STEPS && goes_on; i++, steps++) {
            step();
            goes_on = is_right(CK_CLIENT, number) && is_right(CK_SERVER, number);
        }
        ended += goes_on ? 0 : 1;
        assert_int_equal(ck_clear(&k), 0);
    }
    print_message("%llu steps, %llu ended early\n", (unsigned long long)steps,
                  (unsigned long long)ended);
    assert_true(steps > TERN_TEST_TIMES(10000u) * 20);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(books_stay_right_in_any_storm),
};

TERN_TEST_MAIN(tests)
