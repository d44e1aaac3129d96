/* Which secrets a packet is sealed under, told once to those who keep a key log.
 *
 * A level's secrets are told when the first packet under them is traced, so that nothing has to be done where
 * keys are made, which happens in many places, and a log is in the order in which a capture wants it.
 * SPDX-License-Identifier: MIT */
#include "conn/secrets.h"

#include "conn/handshake.h"
#include "conn/resume.h"

void tern_secrets_forget_initial(struct tern_conn *conn)
{
    conn->trace.told &= (uint8_t) ~(1u << TERN_PACKET_INITIAL | 1u << TERN_PACKET_ZERO_RTT);
}

#define TOLD_HALF (1u << 5) /* of trace.told: no packet type has this bit */

/* Early packets of a client, and of a server that answers them [P §4.10]: each end has one of the two as keys of
 * the 1-RTT space, until there are others, and the other beside it. */
static bool find_early(const struct tern_conn *conn, struct tern_trace_secrets *out)
{
    const struct tern_key_phase *kp = conn->spaces[TERN_LEVEL_APP].keys;
    const struct tern_packet_keys *peers = tern_resume_keys(conn);
    const struct tern_packet_keys *ours = NULL;
    if (kp != NULL && conn->sends_early && (conn->is_server || peers == NULL)) {
        ours = &kp->tx;
    }
    const struct tern_packet_keys *clients = conn->is_server ? peers : ours;
    const struct tern_packet_keys *servers = conn->is_server ? ours : peers;
    if (clients != NULL && (conn->trace.told & 1u << TERN_PACKET_ZERO_RTT) == 0) {
        out->client = clients->secret;
        out->suite = clients->suite;
    }
    if (servers != NULL && (conn->trace.told & TOLD_HALF) == 0) {
        out->server = servers->secret;
        out->suite = servers->suite;
    }
    return out->client != NULL || out->server != NULL;
}

static const struct tern_key_phase *phase_of(const struct tern_conn *conn, uint8_t packet_type)
{
    switch (packet_type) {
    case TERN_PACKET_INITIAL:
        return conn->spaces[TERN_LEVEL_INITIAL].keys;
    case TERN_PACKET_HANDSHAKE:
        return conn->spaces[TERN_LEVEL_HANDSHAKE].keys;
    default:
        return conn->spaces[TERN_LEVEL_APP].keys;
    }
}

/* False: there are no such keys. */
static bool find_secrets(const struct tern_conn *conn, uint8_t packet_type,
                         struct tern_trace_secrets *out)
{
    *out = (struct tern_trace_secrets){.packet_type = packet_type};
    if (packet_type == TERN_PACKET_ZERO_RTT) {
        return find_early(conn, out);
    }
    const struct tern_key_phase *kp = phase_of(conn, packet_type);
    if (kp == NULL) {
        return false;
    }
    out->suite = kp->rx.suite;
    out->key_phase = kp->phase;
    out->client = conn->is_server ? kp->rx.secret : kp->tx.secret;
    out->server = conn->is_server ? kp->tx.secret : kp->rx.secret;
    return true;
}

void tern_secrets_tell(struct tern_conn *conn, uint8_t packet_type, tern_time now)
{
    struct tern_trace *trace = &conn->trace;
    struct tern_trace_secrets secrets;
    unsigned bit = 1u << packet_type;
    bool is_early = packet_type == TERN_PACKET_ZERO_RTT;
    if (!find_secrets(conn, packet_type, &secrets) ||
        (!is_early && (trace->told & bit) != 0 &&
         (packet_type != TERN_PACKET_ONE_RTT || trace->told_phase == secrets.key_phase))) {
        return;
    }
    bit = is_early ? (secrets.client != NULL ? bit : 0) | (secrets.server != NULL ? TOLD_HALF : 0)
                   : bit;
    if (conn->handshake != NULL) {
        memcpy(trace->connection, conn->handshake->original_dcid.bytes, sizeof trace->connection);
    }
    trace->told |= (uint8_t)bit;
    trace->told_phase = packet_type == TERN_PACKET_ONE_RTT ? secrets.key_phase : trace->told_phase;
    tern_trace_secrets(trace, &secrets, now);
}
