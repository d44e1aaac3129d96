/* Two endpoints on a wire that a fuzz target owns.
 * SPDX-License-Identifier: MIT */
#include "pair.h"

#include <stdio.h>

static const uint8_t secrets[2][TERN_KEY_SIZE] = {"a server's secret key, 32 bytes",
                                                  "a client's secret key, 32 bytes"};

static tern_addr address(size_t end, uint8_t variant)
{
    return (tern_addr){.family = 4,
                       .ip = {10, 0, (uint8_t)(variant & 1), (uint8_t)end},
                       .port = (uint16_t)(4000 + (variant >> 1 & 1))};
}

static void print(void *user, const tern_trace_event *event)
{
    char line[1000];
    (void)user;
    (void)tern_trace_text(event, line, sizeof line);
    (void)fprintf(stderr, "%s\n", line);
}

void pair_init(struct pair *pair, const uint8_t *data, size_t size)
{
    memset(pair, 0, sizeof *pair);
    pair->in = (struct fuzz_input){data, size};
    pair->random = 7;
    pair->now = 3600 * TERN_SEC;
    for (size_t i = 0; i < 2; i++) {
        tern_config *config = &pair->config[i];
        tern_config_init(config);
        config->random = (tern_random_source){.fill = fuzz_fill, .user = &pair->random};
        config->allocator = fuzz_heap_hooks(&pair->heap);
        config->secret_key = secrets[i];
        config->accept = i == PAIR_SERVER;
        config->trace.event = getenv("FUZZ_TRACE") != NULL ? print : NULL;
    }
}

void pair_open(struct pair *pair)
{
    for (size_t i = 0; i < 2; i++) {
        FUZZ_CHECK(tern_endpoint_new(&pair->ends[i], &pair->config[i], pair->now) == 0);
    }
    tern_endpoint_public_key(pair->ends[PAIR_SERVER], pair->key);
}

void pair_connect(struct pair *pair, tern_peer *peer)
{
    peer->addr = address(PAIR_SERVER, 0);
    FUZZ_CHECK(tern_endpoint_connect(pair->ends[PAIR_CLIENT], peer, &pair->conns[PAIR_CLIENT],
                                     pair->now) == 0);
    pair_settle(pair);
}

void pair_close(struct pair *pair)
{
    tern_endpoint_free(pair->ends[PAIR_CLIENT]);
    tern_endpoint_free(pair->ends[PAIR_SERVER]);
    FUZZ_CHECK(pair->heap.held == 0);
}

static void poll_events(struct pair *pair, size_t end)
{
    tern_event event;
    while (tern_endpoint_poll(pair->ends[end], &event) == 1) {
        if (event.type == TERN_EVENT_CONNECTED || event.type == TERN_EVENT_EARLY) {
            pair->conns[end] = event.conn;
            pair->is_connected[end] = event.type == TERN_EVENT_CONNECTED;
        }
        if (pair->on_event != NULL) {
            pair->on_event(pair, end, &event);
        }
        if (event.type == TERN_EVENT_CLOSED && pair->conns[end] == event.conn) {
            pair->conns[end] = NULL;
            pair->is_connected[end] = false;
        }
    }
}

static void pump(struct pair *pair, size_t from)
{
    static uint8_t buf[20000];
    tern_train train = {.data = buf, .capacity = sizeof buf};
    size_t to = 1 - from;
    for (int i = 0; i < 64 && tern_endpoint_transmit(pair->ends[from], &train, pair->now) > 0;
         i++) {
        FUZZ_CHECK(train.segment > 0 && train.len <= sizeof buf);
        for (size_t at = 0; at < train.len; at += train.segment) {
            struct pair_packet *packet = &pair->wire[to][pair->count[to]];
            size_t len = TERN_MIN(train.segment, train.len - at);
            if (pair->count[to] < PAIR_SLOTS && len <= PAIR_DATAGRAM) {
                memcpy(packet->data, buf + at, len);
                packet->len = len;
                packet->ecn = train.ecn;
                pair->count[to]++;
            }
        }
    }
}

void pair_settle(struct pair *pair)
{
    for (size_t end = 0; end < 2; end++) {
        tern_endpoint_tick(pair->ends[end], pair->now);
        poll_events(pair, end);
    }
    pump(pair, PAIR_SERVER);
    pump(pair, PAIR_CLIENT);
}

bool pair_take(struct pair *pair, size_t to, size_t index, struct pair_packet *out)
{
    if (index >= pair->count[to]) {
        return false;
    }
    *out = pair->wire[to][index];
    pair->count[to]--;
    memmove(&pair->wire[to][index], &pair->wire[to][index + 1],
            (pair->count[to] - index) * sizeof pair->wire[to][0]);
    return true;
}

void pair_deliver(struct pair *pair, size_t to, const struct pair_packet *packet, uint8_t how)
{
    struct pair_packet copy = *packet; /* it is decrypted in place */
    bool is_marked = packet->ecn != 0 && (how & 12) != 0;
    tern_datagram in = {.local = address(to, 0),
                        .remote = address(1 - to, to == PAIR_SERVER ? how & 3 : 0),
                        .data = copy.data,
                        .len = copy.len,
                        .ecn = is_marked ? how >> 2 & 3 : packet->ecn};
    int rc = tern_endpoint_receive(pair->ends[to], &in, 1, pair->now);
    FUZZ_CHECK(rc == 0 || rc == TERN_ERR_NOMEM);
}

/* Bits 0 to 2 say what becomes of the next packet, bit 3 towards whom, the others how. */
void pair_step(struct pair *pair, uint8_t op)
{
    struct pair_packet packet;
    size_t to = op >> 3 & 1;
    uint8_t how = op >> 4;
    switch (op & 7) {
    case 0: /* through, with what stands behind it */
        for (uint8_t i = 0; i <= how && pair_take(pair, to, 0, &packet); i++) {
            pair_deliver(pair, to, &packet, 0);
        }
        break;
    case 1: /* overtaken, from another address, marked, and maybe twice */
        if (pair_take(pair, to, how & 3, &packet)) {
            pair_deliver(pair, to, &packet, fuzz_u8(&pair->in));
            if ((how & 4) != 0) {
                pair_deliver(pair, to, &packet, how);
            }
        }
        break;
    case 2: /* lost, with what stands behind it */
        for (uint8_t i = 0; i <= how && pair_take(pair, to, 0, &packet); i++) {
        }
        break;
    case 3: /* damaged */
        if (pair_take(pair, to, how & 3, &packet) && packet.len > 0) {
            size_t at = (size_t)fuzz_number(&pair->in, 2);
            packet.data[at % packet.len] ^= (uint8_t)(1 + fuzz_u8(&pair->in) % 255);
            pair_deliver(pair, to, &packet, 0);
        }
        break;
    default: /* a millisecond to half a minute, or steps back a little */
        pair->now = how == 15 ? pair->now - TERN_MSEC : pair->now + (TERN_MSEC << how);
        break;
    }
    pair_settle(pair);
}

void pair_run(struct pair *pair, tern_time length)
{
    tern_time end = pair->now + length;
    for (int i = 0; i < 1000 && pair->now < end; i++) {
        struct pair_packet packet;
        bool has_moved = false;
        for (size_t to = 0; to < 2; to++) {
            while (pair_take(pair, to, 0, &packet)) {
                pair_deliver(pair, to, &packet, 0);
                has_moved = true;
            }
        }
        tern_time next =
            TERN_MIN(tern_endpoint_deadline(pair->ends[0]), tern_endpoint_deadline(pair->ends[1]));
        next = has_moved ? TERN_MIN(next, pair->now + TERN_MSEC) : next;
        pair->now = TERN_MIN(TERN_MAX(next, pair->now + TERN_USEC), end);
        pair_settle(pair);
    }
}
