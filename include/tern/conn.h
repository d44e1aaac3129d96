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

/* Whether what was written to streams of tern_stream_set_early has left early, and whether it counts. */
TERN_API tern_early_state tern_conn_early(const tern_conn *conn);

/* A server: the ticket with which the client came, and the one that it has for the next time, by their numbers
 * (0: none). Each is given to one client for one visit. So who remembers which number a client was given last
 * can tell whether early data is its latest word, or was held back on its way until after a later one. */
TERN_API uint64_t tern_conn_ticket_used(const tern_conn *conn);
TERN_API uint64_t tern_conn_ticket_given(const tern_conn *conn);

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
 * default): as much as the path carries. It is the pace, too: video whose frames have a deadline had better
 * ask for two or three times its mean, so that a frame leaves early in its interval and what is lost of it
 * can leave again. Other controllers do not heed it, but it is kept for a later tern_conn_set_cc. */
TERN_API void tern_conn_set_rate(tern_conn *conn, uint64_t bytes_per_second);

/* The most that the connection sends, whatever its controller allows: bytes a second of UDP payload; 0 (the
 * default): no limit. What 20 ms carry, or a datagram, leaves at once, with the rest of the datagram in which
 * that ends. Everything counts, also what is sent again. Acknowledgements alone, probes of a timeout and of
 * a path, and the last words do not wait: what comes after them pays, for a second's worth at most.
 * Messages that wait meanwhile expire or give way as their options say. */
TERN_API void tern_conn_set_budget(tern_conn *conn, uint64_t bytes_per_second);

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

/* Two clocks that agree, for what both ends shall see at the same moment. Each end has a session clock,
 * which shows zero at the birth of its connection; where both have config.clock, each tells the other what
 * it shows. A game that keeps time by its server's: the server says once, in a reliable message, what the
 * game's clock shows at zero of tern_conn_session_time; the client adds that to tern_conn_peer_time. */
typedef struct tern_clock {
    size_t size;    /* set it to sizeof before the call */
    tern_time at;   /* on our clock (the `now` of all calls): when the following holds */
    int64_t offset; /* ns: the peer's session clock shows now + offset */
    int64_t drift;  /* parts per billion that it gains on ours; 0 in the first ten seconds */
    /* ns that the offset may be off: half of the round trip, which no measurement can place on one way or the
     * other, and the noise that is left. */
    tern_time uncertainty;
    uint64_t samples; /* behind all that */
} tern_clock;

/* What is known of the peer's clock after the latest sample. A client or server that looks at its socket
 * once a frame sees packets late, and so does its peer: the samples with the least round trip count most.
 * 0 · TERN_ERR_STATE (no sample yet) · TERN_ERR_UNSUPPORTED (one of the two ends has no config.clock) */
TERN_API TERN_MUST_CHECK int tern_conn_clock(const tern_conn *conn, tern_clock *out);
/* What the peer's session clock shows at `now`, by offset and drift. It may step back when a sample
 * corrects it: an application that must not see that holds or slews its own.
 * 0 · TERN_ERR_STATE · TERN_ERR_UNSUPPORTED, as of tern_conn_clock */
TERN_API TERN_MUST_CHECK int tern_conn_peer_time(const tern_conn *conn, tern_time *out,
                                                 tern_time now);
/* What ours shows: time since the connection's birth at this end. */
TERN_API tern_time tern_conn_session_time(const tern_conn *conn, tern_time now);

/* What the path in use was found to carry, for a later connection between the same two hosts in the same
 * networks. Whoever sends much should look when it has, or at the end.
 * 0 · TERN_ERR_STATE (too little was sent to know: less than four first windows a round trip) */
TERN_API TERN_MUST_CHECK int tern_conn_path_memory(const tern_conn *conn, tern_path_memory *out);
/* Starts from such a memory (draft-ietf-tsvwg-careful-resume), as tern_peer.path does on a client: when the
 * first window has arrived whole and the round trip is like the one then (more than half of it, less than
 * ten times), half of the remembered volume is sent in the next, evenly. If some of that is lost, the
 * sender falls back to half of what came through, and the memory should be replaced. For a server as soon
 * as it knows its client; once the first window is out, or from a memory of TERN_PATH_MEMORY_LIFE or with
 * little in it, it does nothing. A memory is good for one connection at a time: two that start by it
 * at once may be too much for the path.
 * 0 · TERN_ERR_INVALID (size) · TERN_ERR_CLOSED · TERN_ERR_NOMEM */
TERN_API TERN_MUST_CHECK int tern_conn_recall_path(tern_conn *conn, const tern_path_memory *memory);

/* A pointer of yours that rides on the connection. */
TERN_API void tern_conn_set_user(tern_conn *conn, void *user);
TERN_API void *tern_conn_user(const tern_conn *conn);

/* We accepted it (true) or started it. */
TERN_API bool tern_conn_is_server(const tern_conn *conn);
/* True from TERN_EVENT_CONNECTED on, until it closes. */
TERN_API bool tern_conn_is_established(const tern_conn *conn);
/* The peer's end of the path in use; it changes when the peer moves. */
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

/* Something tells that the network may be back (tern_udp_roam calls it when a route is): what is not
 * acknowledged is asked for now, and not when the next probe is due; if that is nothing, and nothing was heard
 * for a second, whether the peer is there. Nothing happens when all is well. */
TERN_API void tern_conn_probe(tern_conn *conn, tern_time now);

/* The endpoint that it belongs to. */
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
    /* Messages that we sent: all of it left; frames that were lost, or did not seem to come, and left
     * again; frames that rode along as redundancy; and what became of them. */
    uint64_t messages_sent, messages_resent, messages_copied;
    uint64_t messages_acked, messages_expired, messages_lost;
    uint64_t messages_unsent; /* of the lost ones: pushed out of a full buffer, never sent */
    /* Messages of the peer: taken by the application; dropped from a full queue; frames that had come
     * before. */
    uint64_t messages_received, messages_dropped, messages_duplicate;
    /* How the path is now. Jitter: the mean change of the round trip, less the peer's delay, from one sample to
     * the next, smoothed over sixteen (as RFC 3550 section 6.4.1 does for one way). The two rates are in
     * ten-thousandths, over the last one to two seconds in which acknowledgements came: of our bytes, those
     * that were lost; of our packets with an ECN mark, those that a queue marked. All three begin anew when
     * nothing was said for a second. */
    tern_time jitter;
    unsigned loss_rate, ce_rate;
    unsigned path; /* another number in another network; see tern_conn_remote */
    /* Forward error correction: frames of it, and messages of the peer that it made whole. */
    uint64_t repairs_sent, repairs_received, messages_recovered;
} tern_stats;

/* Of out only the first out->size bytes are written: set it to sizeof *out before. Cheap enough for every frame of
 * a game, and it stays right until CLOSED has been polled past. */
TERN_API void tern_conn_stats(const tern_conn *conn, tern_stats *out);

#ifdef __cplusplus
}
#endif

#endif
