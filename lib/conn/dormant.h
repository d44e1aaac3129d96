/* A server's half-open connection at rest: what must outlive the wait for message 3, and no more.
 *
 * Whoever sends a first Initial has so far proved nothing, and a whole connection is eight times as large
 * as what is known of him. When message 2 has left, the connection is folded into this record and freed.
 * It wakes, as a connection with all its parts, for a Handshake packet or to say message 2 again; if that
 * does not complete the handshake it is folded anew. [P §12.6]
 * SPDX-License-Identifier: MIT */
#ifndef TERN_CONN_DORMANT_H
#define TERN_CONN_DORMANT_H

#include "conn/conn.h"

struct tern_dormant {
    enum tern_route_kind kind; /* comes first, as in struct tern_conn */
    bool is_initial_over, is_validated, is_host_proved;
    uint8_t suite_shift; /* of the suite's bit */
    uint32_t pto_count;
    struct tern_conn_env *env;
    struct tern_list node;        /* in the endpoint's list */
    struct tern_heap_entry timer; /* in its heap of these */
    struct tern_handshake *handshake;
    struct tern_host *host;
    struct tern_grant *grant;
    uint8_t *message; /* message 2 with its envelope */
    size_t message_len;
    uint64_t number;
    tern_addr local, remote;
    uint64_t received, sent; /* while the address is not validated */
    uint64_t next_pn[TERN_LEVEL_APP];
    tern_time born_at;
    struct tern_cid scid; /* ours */
};

/* Has it nothing but what the record holds? */
bool tern_dormant_can_hold(const struct tern_conn *conn);

/* Folds a connection, which is freed, and claims a place in `timers`. NULL: no memory; the connection is
 * as it was. */
struct tern_dormant *tern_dormant_new(struct tern_conn *conn, struct tern_heap *timers);

/* Unfolds it, and frees the record. `again`: message 2 leaves once more. NULL: no memory; the record is
 * as it was. */
struct tern_conn *tern_dormant_wake(struct tern_dormant *dormant, struct tern_heap *timers,
                                    bool again, tern_time now);

/* The handshake is given up. */
void tern_dormant_free(struct tern_dormant *dormant, struct tern_heap *timers);

/* A datagram that need not wake it: counted, and its 1-RTT packets kept for when message 3 has come.
 * False: there is a Handshake packet in it, nothing was done. */
bool tern_dormant_receive(struct tern_dormant *dormant, const tern_datagram *in,
                          const uint8_t *data, size_t len);

/* When it wants to say message 2 again, or to be given up. */
tern_time tern_dormant_deadline(const struct tern_dormant *dormant);
bool tern_dormant_is_over(const struct tern_dormant *dormant, tern_time now);

#endif
