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
    conn->trace.told &= (uint8_t) ~(1u << TERN_PACKET_INITIAL);
}

/* 0-RTT has one direction. On a client its keys are those of the 1-RTT space until there are others. */
static const struct tern_packet_keys *early_keys(const struct tern_conn *conn)
{
    const struct tern_key_phase *kp = conn->spaces[TERN_LEVEL_APP].keys;
    if (!conn->is_server) {
        return kp == NULL ? NULL : &kp->tx;
    }
    bool has_early = conn->handshake != NULL && conn->handshake->early_rx != NULL;
    return has_early ? &conn->handshake->early_rx->keys : NULL;
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
static bool find(const struct tern_conn *conn, uint8_t packet_type, struct tern_trace_secrets *out)
{
    *out = (struct tern_trace_secrets){.packet_type = packet_type};
    if (packet_type == TERN_PACKET_ZERO_RTT) {
        const struct tern_packet_keys *early = early_keys(conn);
        out->client = early == NULL ? NULL : early->secret;
        out->suite = early == NULL ? 0 : early->suite;
        return early != NULL;
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
    uint8_t bit = (uint8_t)(1u << packet_type);
    if (!find(conn, packet_type, &secrets) ||
        ((trace->told & bit) != 0 &&
         (packet_type != TERN_PACKET_ONE_RTT || trace->told_phase == secrets.key_phase))) {
        return;
    }
    if (conn->handshake != NULL) {
        memcpy(trace->connection, conn->handshake->original_dcid.bytes, sizeof trace->connection);
    }
    trace->told |= bit;
    trace->told_phase = packet_type == TERN_PACKET_ONE_RTT ? secrets.key_phase : trace->told_phase;
    tern_trace_secrets(trace, &secrets, now);
}
