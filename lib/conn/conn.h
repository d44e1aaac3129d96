/* The whole state of one connection on one page; its birth and its death.
 *
 * How the parts work together (the five laws of docs/design.md): input, api and deadline change
 * state and mark what is wanted; output alone emits. Receipts of what was sent come back through
 * receipts.c. The endpoint lends four things of floor 2: the list of connections that want a look,
 * the list of those with events, the heap of deadlines and the map of routes.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_CONN_CONN_H
#define TERN_CONN_CONN_H

#include <tern/config.h>
#include <tern/conn.h>
#include <tern/event.h>

#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "base/slab.h"
#include "conn/cids.h"
#include "conn/forecast.h"
#include "conn/gauge.h"
#include "conn/life.h"
#include "conn/modes.h"
#include "conn/paths.h"
#include "conn/space.h"
#include "crypto/kem.h"
#include "crypto/sha256.h"
#include "crypto/ticket.h"
#include "recovery/budget.h"
#include "recovery/cadence.h"
#include "stream/table.h"
#include "trace/trace.h"
#include "wire/limits.h"
#include "wire/params.h"

struct tern_conn_clock;
struct tern_grant;
struct tern_handshake;
struct tern_host;
struct tern_messages;
struct tern_proofs;
struct tern_rest;
struct tern_tickets;

/* Paths beside the one in use, conn/migrate.h. */
enum tern_other {
    TERN_OTHER_KEPT,  /* the last one that was validated, to return to */
    TERN_OTHER_TRIAL, /* only probed */
    TERN_OTHERS
};

/* An address that proved nothing, and how long it is not followed. */
struct tern_shun {
    tern_addr addr;
    tern_time until;
    unsigned times;
};

/* Fresh Diffie-Hellman keys, conn/rekey.h. */
struct tern_rekey {
    struct tern_rekey_keys *keys; /* while an exchange is under way */
    uint64_t count;               /* exchanges done, or answered */
    tern_time done_at;            /* the latest; 0: none yet */
    uint32_t done_phase;          /* ... in this key phase */
    bool is_wanted, wants_send;
};

/* What all connections of an endpoint share. */
struct tern_conn_env {
    struct tern_mem *mem;
    struct tern_random *random;
    const tern_config *config;
    tern_endpoint *endpoint;
    unsigned suites; /* acceptable and available */
    uint8_t secret_key[TERN_KEY_SIZE], public_key[TERN_KEY_SIZE];
    struct tern_hmac reset_key;   /* which tern_token_reset wants */
    const struct tern_kem *kem;   /* for the hybrid; NULL: we have none */
    struct tern_modes modes;      /* of handshakes that we take as a server */
    struct tern_tickets *tickets; /* NULL: we give none and take no early data */
    struct tern_list *ready;      /* connections that output should look at */
    struct tern_list *eventful;   /* connections with something to tell */
    struct tern_slab slab;        /* messages, both ways */
    struct tern_pool pages;       /* streams, both ways */
    struct tern_heap *timers;
    struct tern_map *routes;
    const struct tern_proofs *proofs; /* how a server knows addresses again */
    /* Discarded ones, for whoever looks and never written. */
    struct tern_space resting[TERN_LEVELS];
    uint64_t next_number;
    bool has_company;   /* what leaves next leaves right behind another's train to the same host */
    size_t early_bytes; /* held for handshakes in progress, all together */
    struct tern_budget hurry; /* of probes that do not back off, in probes: all together */
};

struct tern_conn_counters {
    uint64_t packets_sent, packets_received, bytes_sent, bytes_received;
    uint64_t acks_sent, acks_received, packets_spurious, packets_marked;
    uint64_t packets_lost, packets_dropped, ptos;
    uint64_t migrations, migrations_failed;
};

/* How it came in, and by what it can be thrown out. */
struct tern_conn_door {
    uint8_t reset_token[TERN_RESET_TOKEN_SIZE]; /* the peer's, as the endpoint knows it */
    bool has_reset_token;
    bool is_host_proved;      /* among those whom `host` counts apart */
    struct tern_grant *grant; /* on servers: what the client's connect token said, or NULL */
    struct tern_host *host;   /* the endpoint's count of connections from there, or NULL */
    uint8_t *address_token;   /* on clients: the latest that the server gave, or NULL */
    size_t address_token_len;
};

/* What the map of routes leads to. */
enum tern_route_kind { TERN_ROUTE_CONN, TERN_ROUTE_DORMANT };

/* What of its transport parameters is asked for again. */
struct tern_peer_terms {
    uint64_t limits[TERN_TICKET_LIMITS]; /* as a ticket remembers them; on clients */
    uint32_t datagram_max;
    uint32_t message_max,
        message_channels;    /* the longest that it takes, 0: none; on channels below */
    uint64_t message_credit; /* at first */
    uint8_t fec_window;      /* symbols; 0: it takes no repairs */
    bool forbids_migration, tells_time;
};

/* What a connection at rest has no need of, conn/rest.h. */
struct tern_awake {
    struct tern_space spaces[TERN_LEVELS];
    struct tern_gauge gauge; /* begins anew after a rest */
    struct tern_cc_state cc; /* of the path in use */
};

/* In the order of what packets want, and only then of topics. Of a thousand connections nothing is in the cache when
 * the turn of one comes, and each line that it touches has to be waited for: what the packets of a transfer want, in
 * and out, stands in the first lines and in the first part of path, streams and cids, for which tern_conn_fetch asks
 * ahead. What a handshake, a move or an end wants is behind it. Sums of sizes are those of 64 bits. */
struct tern_conn {
    enum tern_route_kind kind; /* comes first, as in struct tern_dormant */
    bool is_server;
    bool has_streams;     /* until the application was told of the end */
    bool has_peer_params; /* peer_terms and cadence are valid */
    bool has_peer_key;
    bool has_sent_since_received;
    bool has_said_all; /* the latest train was the last for now: none would follow at once */
    bool sends_early;  /* the keys of 1-RTT are those of early packets still, [P §4.8] */
    /* Wants that belong to no component. */
    bool wants_handshake_done;
    bool wants_new_token; /* a server gives its client an address token */
    bool wants_ping;
    bool wants_cc; /* cc_ops, or the rate it shall keep, have changed */
    bool wants_connected_event, wants_closed_event, wants_early_event, wants_ticket_event,
        wants_bandwidth_event;
    bool is_half_open;   /* counted by the endpoint as a handshake in progress */
    bool awaits_proof;   /* a client: the server has not yet shown that it knows our secret */
    bool is_announced;   /* the application knows of this connection */
    bool is_told_early;  /* ... or will, of one that has not proved itself yet */
    bool is_told_closed; /* the application has its CLOSED event */
    bool may_hurry;      /* with the next probe, as config.probe_interval wants */
    uint8_t ack_delay_exponent; /* of the peer's ACKs */
    struct tern_conn_env *env;
    struct tern_list ready_node, event_node; /* links into the endpoint's collections */

    struct tern_awake *awake;
    struct tern_space *spaces; /* those of awake; while it rests, of env */
    struct tern_rest *rest;    /* what both were folded into, or NULL */
    /* NULL once it is confirmed: the levels before 1-RTT are gone then. */
    struct tern_handshake *handshake;
    struct tern_messages *messages; /* conn/messages.h; NULL: none so far, or none any more */
    struct tern_conn_clock *clock;  /* conn/clock.h; NULL: not wanted by both */
    struct tern_path *others[TERN_OTHERS];

    uint64_t number;
    struct tern_heap_entry timer;
    const struct tern_cc_ops *cc_ops;
    /* Timers, as points in time. */
    tern_time idle_from;         /* a packet came, or our first eliciting one after it left */
    tern_time last_eliciting_at; /* our latest ack-eliciting packet, at any level */
    tern_time idle_timeout;      /* the smaller of both ends'; 0: none */

    tern_time pacing_until; /* output waits for the pacer; 0: it does not */
    uint32_t pto_count;
    unsigned quiet_packets; /* sent in a row without asking for an ACK */
    struct tern_rekey rekey;
    struct tern_life life; /* its first words; the others fill the next line */

    struct tern_cadence cadence; /* how the peer is to acknowledge */
    struct tern_budget budget;
    struct tern_conn_counters counters;
    struct tern_trace trace;
    struct tern_conn_door door;

    struct tern_path path; /* in use */
    struct tern_cids cids;
    struct tern_streams streams;

    /* From here on: seldom. */
    void *user;
    struct tern_list all_node;
    tern_time woken_at;
    uint64_t nap_until; /* so many packets, sent and received, are no more than a keepalive */
    tern_time born_at;
    uint8_t path_ids; /* the latest one given */
    struct tern_shun shun;
    struct tern_forecast forecast;

    /* Who we talk to. */
    uint8_t peer_key[TERN_KEY_SIZE];
    uint8_t exporter[32];
    bool has_exporter;
    unsigned suite;
    struct tern_peer_terms peer_terms;

    /* Early data and what it takes, [P §4.8]. */
    tern_early_state early;
    uint64_t ticket_used;   /* on servers: the number of the ticket that was taken; 0: none */
    uint64_t ticket_given;  /* ... of the one for the next time */
    bool is_anonymous;      /* a client with a key for this connection alone */
    uint8_t resumption[32]; /* the secret of the ticket that is given */
    uint8_t *ticket;        /* for the application; NULL: none yet */
    size_t ticket_len;
    tern_time ticket_life;
};

/* A client's connection; its first message is queued. 0 · TERN_ERR_NOMEM · TERN_ERR_INVALID */
TERN_MUST_CHECK int tern_conn_new_client(struct tern_conn **out, struct tern_conn_env *env,
                                         const tern_peer *peer, tern_time now);

/* A server's connection for a first Initial packet that opened. `dcid` is the destination that the
 * client chose, `scid` its own identifier; `is_keyed`: it knew our public key. After a Retry `dcid` is
 * ours and `original` the one that the client had chosen; `is_proved`: a token has proved its address.
 * 0 · TERN_ERR_NOMEM */
struct tern_conn_first {
    tern_addr local, remote;
    struct tern_cid dcid, scid, original;
    bool is_keyed, has_retry, is_proved;
    const struct tern_grant *grant; /* what its connect token says; NULL: it has none */
    bool has_keys;                  /* its packet was opened once already, with these */
    struct tern_packet_keys rx;
    uint8_t tx_secret[TERN_SECRET_SIZE];
};
TERN_MUST_CHECK int tern_conn_new_server(struct tern_conn **out, struct tern_conn_env *env,
                                         const struct tern_conn_first *first, tern_time now);

/* A connection with all its parts empty: no path, no identifier, no handshake. NULL: no memory. */
struct tern_conn *tern_conn_new_blank(struct tern_conn_env *env, bool is_server, tern_time now);

/* Takes it out of everything and wipes it. NULL is fine. */
void tern_conn_free(struct tern_conn *conn);

/* Frees all streams and messages; the application holds no handle any more. */
void tern_conn_drop_streams(struct tern_conn *conn);

/* Levels below are done with: their keys are gone, and whoever asks all levels need not look at them. */
static inline enum tern_level tern_conn_first_level(const struct tern_conn *conn)
{
    return conn->life.is_confirmed && conn->handshake == NULL ? TERN_LEVEL_APP : TERN_LEVEL_INITIAL;
}

/* Asks for the memory that 1-RTT packets will want, of which nothing is in the cache when there are thousands of
 * connections. Each of the three steps follows pointers that the one before has asked for: between them there
 * should be other work. */
#define TERN_FETCH_STEPS 3
enum tern_fetch {
    TERN_FETCH_OUT,  /* a train is to leave */
    TERN_FETCH_DATA, /* a long packet came */
    TERN_FETCH_ACK   /* a short one: most likely an acknowledgement */
};
void tern_conn_fetch(const struct tern_conn *conn, unsigned step, enum tern_fetch what);
void tern_conn_fetch_event(const struct tern_conn *conn);

/* Output should look at it again. */
void tern_conn_mark_ready(struct tern_conn *conn);
/* The application should be told something. */
void tern_conn_mark_eventful(struct tern_conn *conn);

/* An error of ours or of the peer's making ends the connection; marks what follows from that. */
void tern_conn_fail(struct tern_conn *conn, int error, uint64_t frame_type, const char *reason,
                    tern_time now);
/* The application will hear of the end, if it has heard of the beginning. */
void tern_conn_want_closed(struct tern_conn *conn);
/* After any move of life to an end: events, timers, memory. */
void tern_conn_on_over(struct tern_conn *conn, tern_time now);

/* A stateless reset came: the peer has forgotten us. */
void tern_conn_on_reset(struct tern_conn *conn, tern_time now);

/* Keys of a level are no longer needed. */
void tern_conn_discard_level(struct tern_conn *conn, enum tern_level level);

/* How long closing or draining takes. */
tern_time tern_conn_closing_time(const struct tern_conn *conn);

/* The probe timeout of the application level, with our estimate of the peer's ack delay. */
tern_time tern_conn_pto(const struct tern_conn *conn, enum tern_level level);

/* The longest that the peer waits with an acknowledgement, as far as we know. */
tern_time tern_conn_peer_ack_delay(const struct tern_conn *conn);
/* The least that we let the peer ask of us, in microseconds as we say it. */
uint64_t tern_conn_min_ack_delay(const struct tern_conn *conn);

/* The transport parameters that we say. */
void tern_conn_local_params(const struct tern_conn *conn, struct tern_params *out);

/* The peer's parameters have arrived and are proved. 0 · TERN_ERR_TRANSPORT_PARAMETER */
TERN_MUST_CHECK int tern_conn_on_params(struct tern_conn *conn, const struct tern_params *params);

/* The handshake is complete at this end. 0 · TERN_ERR_NOMEM */
TERN_MUST_CHECK int tern_conn_on_complete(struct tern_conn *conn, tern_time now);
/* Early data has come: the application may know of a client that is not proved yet. */
void tern_conn_announce_early(struct tern_conn *conn);
/* The application may know: the peer is proved and welcome. */
void tern_conn_announce(struct tern_conn *conn);
/* ... and at the other (RFC 9001 §4.1.2). */
void tern_conn_on_confirmed(struct tern_conn *conn);

#endif
