/* One connection: open streams, close, look inside.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_CONN_H
#define TERN_CONN_H

#include <tern/stream.h>
#include <tern/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Opens a stream. Works from CONNECTED on (a client may also open before that: the bytes leave
 * with the handshake's last message).
 * 0 · TERN_ERR_LIMIT (the peer allows no more now; TERN_EVENT_OPENABLE comes when it does)
 * · TERN_ERR_CLOSED · TERN_ERR_NOMEM */
TERN_API TERN_MUST_CHECK int tern_conn_open_stream(tern_conn *conn, tern_stream_kind kind,
                                                   tern_stream **out);

/* What became of early data: tern_peer.ticket, TERN_EVENT_EARLY. */
typedef enum tern_early_state {
    TERN_EARLY_NONE,     /* no ticket was offered */
    TERN_EARLY_PENDING,  /* a client: the server has not answered yet */
    TERN_EARLY_ACCEPTED, /* what left early counts */
    TERN_EARLY_REFUSED   /* it was, or would have been, sent again */
} tern_early_state;

TERN_API tern_early_state tern_conn_early(const tern_conn *conn);

/* Starts to close with an application code and a reason of at most 256 bytes (cut if longer).
 * Unsent stream data is dropped. TERN_EVENT_CLOSED follows. Closing twice does nothing. */
TERN_API void tern_conn_close(tern_conn *conn, uint64_t code, const char *reason);

/* Another congestion controller from the next packet on, one of those that config.cc names: "cubic",
 * "bbr", "newreno", "ledbat", "media", "prague". It goes on from the present window and round trip, without a slow start
 * of its own. Paths to come begin with it, too.
 * 0 · TERN_ERR_INVALID (no such name) · TERN_ERR_CLOSED */
TERN_API TERN_MUST_CHECK int tern_conn_set_cc(tern_conn *conn, const char *name);

/* The rate at which an encoder means to send: bytes a second of UDP payload. "media" sends at it while
 * the path carries as much, looks for more capacity when it does not, and never passes it; 0 (the
 * default): as much as the path carries. Other controllers do not heed it, but it is kept for a later
 * tern_conn_set_cc. */
TERN_API void tern_conn_set_rate(tern_conn *conn, uint64_t bytes_per_second);

/* The peer's proved public key. TERN_ERR_STATE before it is known. */
TERN_API TERN_MUST_CHECK int tern_conn_peer_key(const tern_conn *conn, uint8_t out[TERN_KEY_SIZE]);

/* Keying material bound to this connection: the same label gives the same bytes at both ends and
 * nowhere else. len at most 255. TERN_ERR_STATE before CONNECTED. */
TERN_API TERN_MUST_CHECK int tern_conn_export(const tern_conn *conn, const char *label,
                                              uint8_t *out, size_t len);

#define TERN_ADDRESS_TOKEN_MAX 256

/* A server's word that it has reached us at this address, for tern_peer.token of later connections to
 * it; good for a day, for this address. The latest that came; ask before CLOSED has been polled past.
 * 0 · TERN_ERR_STATE (none has come yet) · TERN_ERR_BUFFER (TERN_ADDRESS_TOKEN_MAX is enough) */
TERN_API TERN_MUST_CHECK int tern_conn_address_token(const tern_conn *conn, uint8_t *out,
                                                     size_t capacity, size_t *len);

/* A pointer of yours that rides on the connection. */
TERN_API void tern_conn_set_user(tern_conn *conn, void *user);
TERN_API void *tern_conn_user(const tern_conn *conn);

TERN_API bool tern_conn_is_server(const tern_conn *conn);
TERN_API bool tern_conn_is_established(const tern_conn *conn);
TERN_API tern_addr tern_conn_remote(const tern_conn *conn);
/* Our end of the path in use; family 0 while only the operating system knows it, port 0 after a
 * tern_conn_migrate() to port 0: the socket's (tern_udp_local() tells it). */
TERN_API tern_addr tern_conn_local(const tern_conn *conn);

/* Moves a client's connection to another local address (NULL or family 0: whichever the operating
 * system chooses; port 0: the socket's), which the caller can already send from: with tern/udp.h an
 * address of this machine, if the socket is bound to all of them. The new path is probed first, with an
 * identifier that nobody has seen, while everything goes on over the old one; the connection moves when
 * the server has answered there, and stays when it does not within three probe timeouts. A call during
 * a move begins another if it names another address. tern_stats counts both outcomes.
 * 0 · TERN_ERR_STATE (a server, or not confirmed yet: the server has not said so) · TERN_ERR_LIMIT (the
 * server has given no identifier for it; they come within a round trip) · TERN_ERR_INVALID (another
 * address family than the server's) · TERN_ERR_UNSUPPORTED (the server forbids it) · TERN_ERR_CLOSED
 * · TERN_ERR_NOMEM */
TERN_API TERN_MUST_CHECK int tern_conn_migrate(tern_conn *conn, const tern_addr *local);

TERN_API tern_endpoint *tern_conn_endpoint(const tern_conn *conn);

/* Wishes for fresh keys: the client's next packets bring a new Diffie-Hellman exchange, and the keys that
 * follow owe nothing to those before. It also happens by itself, once an hour and after every sixteenth
 * key update. 0 · TERN_ERR_STATE (a server: clients do it) · TERN_ERR_CLOSED */
TERN_API TERN_MUST_CHECK int tern_conn_rekey(tern_conn *conn);

/* Figures for a HUD, an encoder or a log. Times in ns, sizes in bytes, counters since birth. */
typedef struct tern_stats {
    size_t size; /* set it to sizeof before the call */
    tern_time smoothed_rtt, rtt_variance, min_rtt, latest_rtt; /* 0 before the first sample */
    uint64_t cwnd, ssthresh, bytes_in_flight;
    uint64_t pacing_rate;   /* bytes a second */
    uint64_t delivery_rate; /* bytes a second, latest estimate */
    uint64_t packets_sent, packets_received, packets_lost, packets_spurious;
    uint64_t packets_dropped;            /* arrived, but did not open or made no sense */
    uint64_t bytes_sent, bytes_received; /* UDP payload */
    uint64_t stream_bytes_sent, stream_bytes_received; /* new application data only */
    uint64_t stream_bytes_resent;
    uint64_t acks_sent, acks_received, ptos;
    uint64_t datagram_size; /* largest UDP payload in use on this path */
    unsigned suite;         /* TERN_SUITE_* in use */
    const char *cc;
    const char *state;  /* "handshaking", "established", "closing", "draining", "closed" */
    uint32_t key_phase; /* number of key updates so far */
    uint64_t streams_open;
    uint64_t packets_marked; /* of ours, as the peer reports: a queue marked them (ECN CE) */
    const char *ecn;         /* marks on this path: "testing", "unknown", "capable" or "failed" */
    uint64_t rekeys;         /* key phases with a fresh Diffie-Hellman in them */
    uint64_t migrations;     /* changes of path, ours or the peer's, returns included */
    uint64_t migrations_failed; /* new paths that did not answer */
} tern_stats;

TERN_API void tern_conn_stats(const tern_conn *conn, tern_stats *out);

#ifdef __cplusplus
}
#endif

#endif
