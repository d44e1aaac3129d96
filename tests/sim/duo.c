/* Two endpoints, one stream, and the loop that carries them from event to event.
 * SPDX-License-Identifier: MIT */
#include "sim/duo.h"

#include "sim/invariants.h"
#include "tern_test.h"

#define CHUNK 16384

void duo_init(struct duo *duo, const char *cc)
{
    memset(duo, 0, sizeof *duo);
    for (int i = 0; i < 2; i++) {
        tern_link_config_init(&duo->link[i]);
        duo->link[i].delay = 20 * TERN_MSEC;
        tern_config_init(&duo->side[i].config);
        duo->side[i].config.suites = REPLAY_SUITES;
        duo->side[i].config.cc = cc;
        duo->side[i].sip = UINT64_MAX;
    }
    duo->side[DUO_SERVER].config.accept = true;
}

static bool on_datagram(void *user, tern_time now, const tern_addr *from, const tern_addr *to,
                        uint8_t *data, size_t len)
{
    struct duo *duo = user;
    (void)to;
    (void)data;
    int side = from->port == 4433 ? DUO_SERVER : DUO_CLIENT;
    return duo->tap == NULL || duo->tap(duo, side, len, now);
}

static void write_some(struct duo_side *side)
{
    static const uint8_t zeros[CHUNK];
    while (side->stream != NULL && side->written < side->wanted) {
        size_t len = (size_t)TERN_MIN(side->wanted - side->written, (uint64_t)CHUNK);
        ptrdiff_t n = tern_stream_write(side->stream, zeros, len, 0);
        assert_true(n >= 0);
        side->written += (uint64_t)n;
        if ((size_t)n < len) {
            return;
        }
    }
}

static void read_some(struct duo_side *side)
{
    const uint8_t *data;
    size_t len;
    while (side->stream != NULL && side->read < side->sip &&
           tern_stream_peek(side->stream, &data, &len) == 0 && len > 0) {
        len = (size_t)TERN_MIN((uint64_t)len, side->sip - side->read);
        assert_int_equal(tern_stream_consume(side->stream, len), 0);
        side->read += len;
    }
}

static void on_event(struct duo *duo, struct duo_side *side, const tern_event *ev)
{
    if (ev->type == TERN_EVENT_CONNECTED) {
        side->is_connected = true;
        side->conn = ev->conn;
    } else if (ev->type == TERN_EVENT_CLOSED) {
        side->is_closed = true;
        side->close = ev->close;
        side->closed_at = tern_sim_now(duo->sim);
        side->conn = NULL;
        side->stream = NULL;
    } else if (ev->type == TERN_EVENT_STREAM_OPENED) {
        side->stream = ev->stream;
    } else if (ev->type == TERN_EVENT_BANDWIDTH) {
        side->bandwidth = ev->bandwidth;
        side->bandwidth_events++;
    }
}

static void poll_side(struct duo *duo, struct duo_side *side)
{
    tern_event ev;
    while (tern_endpoint_poll(side->endpoint, &ev) == 1) {
        on_event(duo, side, &ev);
        if (duo->event != NULL) {
            duo->event(duo, side == &duo->side[DUO_SERVER] ? DUO_SERVER : DUO_CLIENT, &ev);
        }
    }
    read_some(side);
    write_some(side);
    if (side->conn != NULL) {
        assert_null(invariants_broken(side->conn, tern_sim_now(duo->sim)));
    }
}

static bool step(struct duo *duo, tern_time until)
{
    assert_int_equal(tern_sim_flush(duo->sim), 0);
    int rc = tern_sim_step(duo->sim, until);
    assert_true(rc >= 0);
    poll_side(duo, &duo->side[DUO_CLIENT]);
    poll_side(duo, &duo->side[DUO_SERVER]);
    if (duo->look != NULL) {
        duo->look(duo, tern_sim_now(duo->sim));
    }
    return rc == 1;
}

static void add_host(struct duo *duo, int i)
{
    static uint8_t keys[2][TERN_KEY_SIZE];
    tern_addr addr = {.family = 4, .ip = {10, 0, 0, 1}, .port = 1000};
    struct duo_side *side = &duo->side[i];
    if (i == DUO_SERVER) {
        addr.ip[3] = 2;
        addr.port = 4433;
    }
    memset(keys[i], 17 + i, sizeof keys[i]);
    side->config.secret_key = keys[i];
    (void)replay_trace(&side->config);
    assert_int_equal(tern_sim_add_host(duo->sim, &addr, &side->config, &side->host), 0);
    side->endpoint = tern_sim_host_endpoint(side->host);
}

void duo_open(struct duo *duo, uint64_t seed)
{
    struct duo_side *client = &duo->side[DUO_CLIENT], *server = &duo->side[DUO_SERVER];
    uint8_t key[TERN_KEY_SIZE];
    tern_peer peer;
    assert_int_equal(tern_sim_new(&duo->sim, seed), 0);
    add_host(duo, DUO_CLIENT);
    add_host(duo, DUO_SERVER);
    assert_int_equal(tern_sim_connect(duo->sim, client->host, server->host, &duo->link[DUO_CLIENT],
                                      &duo->link[DUO_SERVER]),
                     0);
    tern_sim_tap(duo->sim, on_datagram, duo);
    tern_peer_init(&peer);
    peer.addr = tern_sim_host_addr(server->host);
    tern_endpoint_public_key(server->endpoint, key);
    peer.key = key;
    assert_int_equal(
        tern_endpoint_connect(client->endpoint, &peer, &client->conn, tern_sim_now(duo->sim)), 0);
    tern_time until = tern_sim_now(duo->sim) + 60 * TERN_SEC;
    while (!client->is_connected || !server->is_connected) {
        assert_true(step(duo, until));
    }
    assert_int_equal(tern_conn_open_stream(client->conn, TERN_STREAM_BIDI, &client->stream), 0);
}

void duo_close(struct duo *duo)
{
    tern_sim_free(duo->sim);
    duo->sim = NULL;
}

void duo_write(struct duo *duo, int from, uint64_t bytes)
{
    duo->side[from].wanted += bytes;
    write_some(&duo->side[from]);
}

void duo_set_loss(struct duo *duo, double loss)
{
    for (int i = 0; i < 2; i++) {
        duo->link[i].loss = loss;
        tern_link_set(tern_sim_link(duo->sim, duo->side[i].host, duo->side[1 - i].host),
                      &duo->link[i]);
    }
}

void duo_run(struct duo *duo, tern_time length)
{
    tern_time until = tern_sim_now(duo->sim) + length;
    while (step(duo, until)) {
    }
}

tern_time duo_finish(struct duo *duo, tern_time limit)
{
    tern_time start = tern_sim_now(duo->sim);
    while (duo->side[DUO_SERVER].read < duo->side[DUO_CLIENT].wanted ||
           duo->side[DUO_CLIENT].read < duo->side[DUO_SERVER].wanted) {
        assert_true(step(duo, start + limit));
    }
    return tern_sim_now(duo->sim) - start;
}

tern_link_counters duo_counters(struct duo *duo, int from)
{
    tern_link_counters counters = {.size = sizeof counters};
    tern_link_stats(tern_sim_link(duo->sim, duo->side[from].host, duo->side[1 - from].host),
                    &counters);
    return counters;
}
