/* What an endpoint is told once, at birth: who it is, its limits, and what it may call.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_CONFIG_H
#define TERN_CONFIG_H

#include <tern/trace.h>
#include <tern/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Packet cipher suites, as a bitmap. The Noise handshake is not affected by the choice. */
#define TERN_SUITE_CHACHA20_POLY1305 0x0001u /* always there */
#define TERN_SUITE_AES_256_GCM       0x0002u /* where the CPU has AES and carry-less multiply */
#define TERN_SUITE_AEGIS_128L        0x0004u /* built with libsodium >= 1.0.19 */
#define TERN_SUITE_AEGIS_256         0x0008u /* the same */
#define TERN_SUITE_ANY               0xffffu

/* Suites that this build offers on this machine, fastest first when `ranked` is not NULL
 * (four entries, zero-padded). Starts libsodium, if nobody has. */
TERN_API unsigned tern_suites_available(unsigned ranked[4]);

/* "aes-256-gcm" and so on; NULL for an unknown bit. */
TERN_API const char *tern_suite_name(unsigned suite);

/* Memory. realloc with size 0 never happens; a NULL return is handled everywhere. All three NULL
 * means malloc, realloc and free. */
typedef struct tern_allocator {
    void *(*alloc)(void *user, size_t size);
    void *(*realloc)(void *user, void *ptr, size_t size);
    void (*free)(void *user, void *ptr);
    void *user;
} tern_allocator;

/* Randomness: fills buf with len bytes fit for keys. NULL means libsodium's randombytes. Tests
 * and simulators seed it; nobody else should set it. */
typedef struct tern_random_source {
    void (*fill)(void *user, uint8_t *buf, size_t len);
    void *user;
} tern_random_source;

/* Asked once per handshake, with the peer's public key, as soon as the peer has proved that it
 * holds the secret: on a client in first contact (no key was expected), on a server for each
 * client. Return 0 to accept, TERN_ERR_REFUSED to refuse; the peer then sees a clean close.
 * Runs inside tern_endpoint_receive and must not call back into the endpoint. */
typedef int (*tern_verify_fn)(void *user, tern_conn *conn, const uint8_t key[TERN_KEY_SIZE]);

#define TERN_CID_PREFIX_MAX 3 /* bytes; four random ones remain */

/* Fill with tern_config_init, then change what you need. */
typedef struct tern_config {
    size_t size; /* set by tern_config_init; another is of another soname, and refused */

    /* Identity. NULL: a fresh throw-away key, which is what an anonymous client wants. */
    const uint8_t *secret_key; /* TERN_KEY_SIZE bytes, copied */
    bool accept;               /* take incoming connections (a server) */
    bool silent;               /* answer only those who already know our public key */
    tern_verify_fn verify;     /* NULL: accept any peer that proves its key */
    void *verify_user;

    /* As a server: what clients must know besides. With both, either will do. */
    const uint8_t *secret; /* TERN_SECRET_SIZE bytes, not to be guessed, copied; NULL: none */
    const char *code;      /* a one-time code, see tern_endpoint_set_code; NULL: none */

    /* As a server: take only handshakes that mix in ML-KEM-768, which a quantum computer does not open
     * later; false: only those without. TERN_ERR_UNSUPPORTED where libsodium has none (before 1.0.22). */
    bool hybrid;

    /* As a server: give tickets, and take early data from who comes back with one; default false. Early
     * bytes may be replayed, at most once and within seconds, by whoever has recorded them: see
     * tern_stream_is_early. */
    bool early_data;

    unsigned suites; /* bitmap of acceptable suites; default TERN_SUITE_ANY */
    /* Congestion control by name. "cubic" (default), "bbr" and "newreno" for bulk; "ledbat" for copies
     * in the background; "media" for encoders and games (tern_conn_set_rate); "prague" for networks
     * with L4S queues, elsewhere as "newreno". */
    const char *cc;
    bool clock;            /* where both ends have it, each tells its time: see tern_conn_clock */
    bool bandwidth_events; /* TERN_EVENT_BANDWIDTH under every controller, not only "media" */

    /* Times in nanoseconds. */
    tern_time handshake_timeout; /* default 10 s */
    tern_time idle_timeout;      /* default 30 s; the smaller of both ends counts; 0 = none */
    tern_time keepalive; /* PING when silent for this long, or 0.1 % less; default 0 = never */
    /* While something of ours is not acknowledged, ask again at least so often, however long nothing was
     * heard, but not more than twice in a round trip: for people who wait for the end of a blackout. When
     * both ends do, what was said meanwhile is there a round trip after it. All connections of an endpoint
     * together ask 4000 times a second so, and else once a second each.
     * Default 0: seldom and seldomer, in the end every 5 s. */
    tern_time probe_interval;
    tern_time max_ack_delay; /* default 25 ms */
    tern_time initial_rtt;   /* default 333 ms, RFC 9002 section 6.2.2 */

    /* Sizes in bytes. Windows start at the first figure and grow to the second by autotuning. */
    size_t max_datagram;        /* largest UDP payload to try, 1200..65507; default 1452 */
    uint64_t stream_window;     /* default 256 KiB */
    uint64_t stream_window_max; /* default 16 MiB */
    uint64_t conn_window;       /* default 1 MiB */
    uint64_t conn_window_max;   /* default 24 MiB */
    /* Bytes a stream holds unacknowledged, at most; default 16 MiB. Over a path of less than 1.3 ms fewer copied
     * ones: what 100 Gbit/s carry in its round trip, but 2 MiB at least. */
    uint64_t stream_send_buffer;
    uint64_t max_streams_bidi; /* that the peer may have open at once; default 128 */
    uint64_t max_streams_uni;  /* the same; default 128 */
    /* The longest message to take, at most TERN_MESSAGE_MAX; default 1 MiB; 0: take none. */
    size_t max_message;
    /* Channels that the peer may use: those below; default, and most: 65536. */
    uint32_t max_channels;
    /* Reliable and other kept messages that may have come and not been received, each counting
     * TERN_MESSAGE_EXTRA bytes more; at least as large as one of max_message needs; default 4
     * MiB. */
    uint64_t message_window;
    /* The same of unreliable ones; then the oldest are dropped; default 2 MiB. */
    uint64_t message_queue;
    /* Symbols (of about a packet) kept of each channel and order that the peer protects by
     * forward error correction, at most 64, the default; 0: take no repairs. */
    uint32_t fec_window;
    uint64_t message_buffer; /* messages to send that are not yet acknowledged; default 16 MiB */
    size_t max_connections;  /* in this endpoint; default 65536 */
    size_t max_half_open;    /* handshakes in progress as a server; default 16384 */

    /* The door of a server. */

    /* From so many handshakes in progress on, a client must first show that it gets what is sent to
     * its address, which costs it a round trip (Retry). 0: always; SIZE_MAX: never; default 1000. */
    size_t retry_half_open;
    /* Connections of one IPv4 address or IPv6 /64; 0, the default: any number. */
    size_t max_per_address;
    /* Handshakes a second that one network (/24, /56) may start before each has to show its address;
     * default 4000; 0: no limit. */
    uint64_t initial_rate;
    /* TERN_CONNECT_KEY_SIZE bytes, copied: take only clients with a token sealed with it
     * (tern/token.h), which needs unix_time. NULL, the default: everybody. */
    const uint8_t *connect_token_key;
    /* This server in the lists of such tokens; family 0, the default: the address that a packet
     * came to. */
    tern_addr connect_address;
    /* Seconds since 1970 at the `now` of tern_endpoint_new; 0, the default: not known. With it the
     * tokens of Retry and tern_conn_address_token hold at all endpoints with the same secret key, as
     * those that share a port, and after a restart. */
    uint64_t unix_time;

    /* What every identifier that this endpoint issues bears behind its first octet, in clear, for those who
     * steer packets by it: the server's number in a cluster, then the shard's in the server (see
     * tern_udp_open_shards and docs/steering.md). Three bits of the first octet are the rotation, 0..6. */
    uint8_t cid_prefix[TERN_CID_PREFIX_MAX];
    size_t cid_prefix_len; /* default 0 */
    unsigned cid_rotation; /* default 0 */

    tern_allocator allocator;
    tern_random_source random;
    tern_trace_sink trace; /* see tern/trace.h; all zero: no trace */
    /* To decrypt captures while one looks for a fault: `trace` is also told the secrets of all packets
     * (TERN_TRACE_SECRET). Whoever has them reads the connection and can forge its packets. Default false. */
    bool key_log;
} tern_config;

/* Sets `size`, and all else to what the comments above call the default; zero where they name none. */
TERN_API void tern_config_init(tern_config *config);

#define TERN_CODE_SIZE 32 /* of the text that tern_code_generate writes */

/* A new one-time code to read out or type: a number and two words, "7-orbit-salmon". Letters' case,
 * spaces and hyphens do not matter when it is given back. 0 · TERN_ERR_UNSUPPORTED */
TERN_API TERN_MUST_CHECK int tern_code_generate(char out[TERN_CODE_SIZE]);

/* Whom to connect to. Fill with tern_peer_init. */
typedef struct tern_peer {
    size_t size;
    tern_addr addr;
    tern_addr local;    /* family 0: the operating system chooses */
    const uint8_t *key; /* expected public key (TERN_KEY_SIZE bytes, copied), or NULL: first
                           contact, the verify callback decides */
    const char *cc;     /* overrides config.cc when not NULL */
    /* What tern_conn_address_token gave on an earlier connection to the same server, copied; NULL: none.
     * With it a server under load sends no Retry. */
    const uint8_t *token;
    size_t token_len;
    const uint8_t *connect_token; /* from a matchmaker, copied (tern/token.h); NULL: none */
    size_t connect_token_len;

    /* What we both know. CONNECTED then comes only when the server has proved it as well; a server
     * that knows another ends the connection with TERN_ERR_SECRET. At most one of the two. */
    const uint8_t *secret; /* TERN_SECRET_SIZE random bytes, copied; NULL: none */
    const char *code; /* "7-orbit-salmon", copied: with key NULL only. Ask a person before trying a
                              second time: each try is a guess for whoever poses as the server */
    bool anonymous;   /* show a fresh key, made for this connection, instead of our own */

    bool hybrid; /* with ML-KEM-768, as the server's config.hybrid wants it; else TERN_ERR_MODE */

    /* From TERN_EVENT_TICKET of an earlier connection, with the same `key` and our same secret key: what
     * is written to streams of tern_stream_set_early leaves before the server has answered. Use it once.
     * If the server refuses, the bytes are sent again later, and nothing is lost but time. */
    const uint8_t *ticket; /* NULL: none */
    size_t ticket_len;
    tern_time ticket_age; /* since the event came, to within some seconds, by a clock that counts on
                             while the program does not run */

    const tern_path_memory *path; /* of this server, as seen from this network: see
                                     tern_conn_recall_path. NULL: none */
} tern_peer;

/* Sets `size`, and all else to none. Then set `addr`, and `key` if it is known. */
TERN_API void tern_peer_init(tern_peer *peer);

/* A new key pair from the system's generator. */
TERN_API void tern_key_generate(uint8_t secret[TERN_KEY_SIZE], uint8_t pub[TERN_KEY_SIZE]);

/* The public key that belongs to a secret key. */
TERN_API void tern_key_public(uint8_t pub[TERN_KEY_SIZE], const uint8_t secret[TERN_KEY_SIZE]);

#define TERN_KEY_TEXT_SIZE 64 /* enough for tern_key_format */

/* Writes a key as people pass it on, and as terncp and ternchat keep it, "tern:" and 52 letters and digits
 * (base32, RFC 4648 section 6, in lower case), into buf and returns buf: cut at size - 1 and terminated, when
 * size > 0. */
TERN_API const char *tern_key_format(const uint8_t key[TERN_KEY_SIZE], char *buf, size_t size);

/* Reads what tern_key_format has written, all of `text`. 0 · TERN_ERR_INVALID, and out is as it was */
TERN_API TERN_MUST_CHECK int tern_key_parse(uint8_t out[TERN_KEY_SIZE], const char *text);

#ifdef __cplusplus
}
#endif

#endif
