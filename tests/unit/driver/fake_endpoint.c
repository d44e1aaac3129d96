/* An endpoint without a protocol: numbered datagrams out, a tally of numbers in.
 * SPDX-License-Identifier: MIT */
#include "fake_endpoint.h"

#include <assert.h>
#include <string.h>

void fake_send(tern_endpoint *endpoint, const tern_addr *to, size_t datagrams, size_t segment,
               size_t last)
{
    assert(endpoint->queued < FAKE_TRAINS);
    endpoint->queue[endpoint->queued++] = (struct fake_train){
        .remote = *to, .datagrams = datagrams, .segment = segment, .last = last};
}

/* Number in front, then bytes that follow from it. */
static void write_datagram(uint8_t *data, size_t len, uint32_t number)
{
    for (size_t i = 0; i < len; i++) {
        data[i] = (uint8_t)(i < 4 ? number >> (8 * i) : number + i);
    }
}

int tern_endpoint_transmit(tern_endpoint *endpoint, tern_train *train, tern_time now)
{
    (void)now;
    if (endpoint->transmit_result != 0 || endpoint->taken == endpoint->queued) {
        return endpoint->transmit_result;
    }
    const struct fake_train *next = &endpoint->queue[endpoint->taken++];
    train->local = next->local;
    train->remote = next->remote;
    train->ecn = next->ecn;
    train->segment = next->segment;
    train->len = (next->datagrams - 1) * next->segment + next->last;
    assert(train->len <= train->capacity);
    for (size_t i = 0; i < next->datagrams; i++) {
        size_t len = i + 1 < next->datagrams ? next->segment : next->last;
        write_datagram(train->data + i * next->segment, len, endpoint->next_number++);
    }
    return (int)next->datagrams;
}

static void read_datagram(tern_endpoint *endpoint, const uint8_t *data, size_t len)
{
    uint32_t number = 0;
    for (size_t i = 0; i < len; i++) {
        number |= i < 4 ? (uint32_t)data[i] << (8 * i) : 0;
    }
    for (size_t i = 4; i < len; i++) {
        if (data[i] != (uint8_t)(number + i)) {
            endpoint->bad++;
            return;
        }
    }
    if (len < 4 || number >= FAKE_NUMBERS) {
        endpoint->bad++;
        return;
    }
    endpoint->out_of_order += number != endpoint->received;
    endpoint->seen[number]++;
    endpoint->received++;
    endpoint->bytes += len;
}

int tern_endpoint_receive(tern_endpoint *endpoint, const tern_datagram *in, size_t n, tern_time now)
{
    (void)now;
    endpoint->calls++;
    for (size_t i = 0; i < n; i++) {
        size_t segment = in[i].segment > 0 ? in[i].segment : in[i].len;
        endpoint->bundles += in[i].segment > 0;
        for (size_t at = 0; at < in[i].len; at += segment) {
            size_t len = in[i].len - at < segment ? in[i].len - at : segment;
            read_datagram(endpoint, in[i].data + at, len);
        }
        endpoint->latest = in[i];
    }
    return endpoint->receive_result;
}

tern_time tern_endpoint_deadline(const tern_endpoint *endpoint)
{
    return endpoint->deadline;
}

void tern_endpoint_tick(tern_endpoint *endpoint, tern_time now)
{
    endpoint->ticks++;
    endpoint->ticked_at = now;
    endpoint->deadline = TERN_TIME_NEVER;
}

tern_conn *tern_endpoint_next_conn(const tern_endpoint *endpoint, const tern_conn *previous)
{
    size_t next = previous == NULL ? 0 : (size_t)(previous - endpoint->conns) + 1;
    return next < endpoint->conn_count ? (tern_conn *)(uintptr_t)&endpoint->conns[next] : NULL;
}

tern_addr tern_conn_local(const tern_conn *conn)
{
    return conn->local;
}

tern_addr tern_conn_remote(const tern_conn *conn)
{
    return conn->remote;
}

bool tern_conn_is_server(const tern_conn *conn)
{
    return conn->is_server;
}

void tern_conn_probe(tern_conn *conn, tern_time now)
{
    (void)now;
    conn->probes++;
}

int tern_conn_migrate(tern_conn *conn, const tern_addr *local)
{
    conn->moves++;
    conn->moved_to = *local;
    return conn->result;
}
