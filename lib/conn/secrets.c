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

/* Early packets of a client, and of a server that answers them [P §4.10]: who sends such has their keys as those
 * of the 1-RTT space, until there are others, and the peer's beside them. */
static void find_early(const struct tern_conn *conn, struct tern_trace_secrets *out)
{
    const struct tern_packet_keys *peers = tern_resume_keys(conn);
    const struct tern_packet_keys *ours =
        conn->sends_early ? &conn->spaces[TERN_LEVEL_APP].keys->tx : NULL;
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

/* Of a packet that was sealed, or has opened: there are keys. */
static void find_secrets(const struct tern_conn *conn, uint8_t packet_type,
                         struct tern_trace_secrets *out)
{
    const struct tern_key_phase *kp = phase_of(conn, packet_type);
    out->suite = kp->rx.suite;
    out->key_phase = kp->phase;
    out->client = conn->is_server ? kp->rx.secret : kp->tx.secret;
    out->server = conn->is_server ? kp->tx.secret : kp->rx.secret;
}

/* With the secrets that have not been told yet. Returns their bits, 0: all were. */
static unsigned find_untold(const struct tern_conn *conn, struct tern_trace_secrets *out)
{
    const struct tern_trace *trace = &conn->trace;
    unsigned bit = 1u << out->packet_type;
    if (out->packet_type == TERN_PACKET_ZERO_RTT) {
        find_early(conn, out);
        return (out->client != NULL ? bit : 0) | (out->server != NULL ? TOLD_HALF : 0);
    }
    find_secrets(conn, out->packet_type, out);
    bool is_next = out->packet_type == TERN_PACKET_ONE_RTT && trace->told_phase != out->key_phase;
    return (trace->told & bit) == 0 || is_next ? bit : 0;
}

void tern_secrets_tell(struct tern_conn *conn, uint8_t packet_type, tern_time now)
{
    struct tern_trace *trace = &conn->trace;
    struct tern_trace_secrets secrets = {.packet_type = packet_type};
    unsigned bits = find_untold(conn, &secrets);
    if (bits == 0) {
        return;
    }
    if (conn->handshake != NULL) {
        memcpy(trace->connection, conn->handshake->original_dcid.bytes, sizeof trace->connection);
    }
    trace->told |= (uint8_t)bits;
    trace->told_phase = packet_type == TERN_PACKET_ONE_RTT ? secrets.key_phase : trace->told_phase;
    tern_trace_secrets(trace, &secrets, now);
}
