/* The small types that every other public header uses: time, addresses, handles, errors.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_TYPES_H
#define TERN_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32) && defined(TERN_BUILD)
#define TERN_API __declspec(dllexport)
#elif defined(_WIN32)
#define TERN_API
#else
#define TERN_API __attribute__((visibility("default")))
#endif

#if defined(__GNUC__)
#define TERN_MUST_CHECK __attribute__((warn_unused_result))
#else
#define TERN_MUST_CHECK
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Time in nanoseconds on a monotonic clock of the caller's choice. Only differences matter; the
 * library never reads a clock. Equal or slightly backward values are tolerated. */
typedef uint64_t tern_time;

#define TERN_TIME_NEVER UINT64_MAX
#define TERN_USEC       ((tern_time)1000)
#define TERN_MSEC       ((tern_time)1000000)
#define TERN_SEC        ((tern_time)1000000000)

/* Handles. All are opaque, all belong to one endpoint, and one endpoint with everything in it is
 * used from one thread at a time. */
typedef struct tern_endpoint tern_endpoint;
typedef struct tern_conn tern_conn;
typedef struct tern_stream tern_stream;

#define TERN_KEY_SIZE    32 /* bytes of an X25519 key, secret or public */
#define TERN_SECRET_SIZE 32 /* bytes of a secret that two ends share */

/* A network address without any platform's sockaddr. `family` is 0 (none), 4 or 6; an IPv4
 * address sits in ip[0..3]; `port` is in host order; `scope` is the IPv6 interface index or 0. */
typedef struct tern_addr {
    uint8_t family;
    uint8_t ip[16];
    uint16_t port;
    uint32_t scope;
} tern_addr;

/* What a path between two hosts was found to carry, to start from when they meet again: see
 * tern_conn_path_memory. Plain figures, to be kept in a file or a table. */
typedef struct tern_path_memory {
    size_t size;       /* set it to sizeof */
    uint64_t volume;   /* bytes that were delivered in a round trip */
    tern_time min_rtt; /* the least round trip then */
    tern_time age;     /* how long ago that was; 0 as it is given */
} tern_path_memory;

#define TERN_PATH_MEMORY_LIFE (3600 * TERN_SEC) /* what is as old as this is not used any more */

#define TERN_ADDR_TEXT_SIZE 64 /* enough for tern_addr_format of any address */

/* Parses "192.0.2.1:4433" or "[2001:db8::1]:4433" (numeric only). 0, or TERN_ERR_INVALID. */
TERN_API TERN_MUST_CHECK int tern_addr_parse(tern_addr *out, const char *text);

/* Writes the text form into buf (always terminated when size > 0) and returns buf. */
TERN_API const char *tern_addr_format(const tern_addr *addr, char *buf, size_t size);

/* The same family, address and port, and in IPv6 the same scope. */
TERN_API bool tern_addr_equal(const tern_addr *a, const tern_addr *b);

/* Every fallible call returns 0 (or a count) on success and one of these on failure. The values
 * are stable. The second group mirrors RFC 9000 section 20.1: what a peer's misbehaviour is called. */
typedef enum tern_error {
    TERN_OK = 0,
    TERN_ERR_AGAIN = -1,        /* nothing now; ask again after the next event */
    TERN_ERR_NOMEM = -2,        /* the allocator returned NULL */
    TERN_ERR_INVALID = -3,      /* an argument is out of its documented range */
    TERN_ERR_STATE = -4,        /* the call does not fit the handle's present state */
    TERN_ERR_LIMIT = -5,        /* a configured limit, ours or the peer's, is reached */
    TERN_ERR_RESET = -6,        /* the peer reset this stream */
    TERN_ERR_STOPPED = -7,      /* the peer asked us to stop sending on this stream */
    TERN_ERR_BUFFER = -8,       /* the caller's buffer is too small */
    TERN_ERR_SYSTEM = -9,       /* the operating system refused; errno says why */
    TERN_ERR_UNSUPPORTED = -10, /* not built in, or not offered by this machine */
    TERN_ERR_REFUSED = -11,     /* the peer (or our verify callback) refused the identity */
    TERN_ERR_TIMEOUT = -12,     /* nothing was heard for too long */
    TERN_ERR_CRYPTO = -13,      /* a tag, key or handshake message did not verify */
    TERN_ERR_VERSION = -14,     /* no common protocol version */
    TERN_ERR_CLOSED = -15,      /* the connection is closed */
    TERN_ERR_FORGOTTEN = -16,   /* the peer has lost the connection: it was started anew, say */
    TERN_ERR_SECRET = -17,      /* the two ends know different secrets or codes */
    TERN_ERR_MODE = -18,        /* the server wants a secret, a code, or none of what we offered */

    TERN_ERR_INTERNAL = -32,
    TERN_ERR_FLOW_CONTROL = -33,
    TERN_ERR_STREAM_LIMIT = -34,
    TERN_ERR_STREAM_STATE = -35,
    TERN_ERR_FINAL_SIZE = -36,
    TERN_ERR_FRAME_ENCODING = -37,
    TERN_ERR_TRANSPORT_PARAMETER = -38,
    TERN_ERR_CONNECTION_ID_LIMIT = -39,
    TERN_ERR_PROTOCOL = -40,
    TERN_ERR_INVALID_TOKEN = -41,
    TERN_ERR_CRYPTO_BUFFER = -42,
    TERN_ERR_KEY_UPDATE = -43,
    TERN_ERR_AEAD_LIMIT = -44
} tern_error;

/* A short English sentence without a full stop, never NULL, static storage. */
TERN_API const char *tern_strerror(int error);

/* "0.1.0": the version of the library that is running. */
TERN_API const char *tern_version(void);

/* A datagram that arrived. `data` is decrypted in place, so the bytes are spent after the call.
 * With GRO one buffer carries several packets: all of `segment` bytes but the last, which may be
 * shorter. segment 0 means one packet. ecn: the two ECN bits of the IP header (0..3). */
typedef struct tern_datagram {
    tern_addr local, remote;
    uint8_t *data;
    size_t len;
    size_t segment;
    uint8_t ecn;
} tern_datagram;

/* Datagrams to send. The caller lends `data` with `capacity` bytes (65535 lets a train be as long
 * as the kernel takes); the library fills the rest: `len` bytes in packets of `segment` bytes, the
 * last maybe shorter, all for one path and with one ECN mark, fit for one GSO call.
 * local.family 0: any local address will do. */
typedef struct tern_train {
    uint8_t *data;
    size_t capacity;
    tern_addr local, remote;
    size_t len;
    size_t segment;
    uint8_t ecn;
} tern_train;

#ifdef __cplusplus
}
#endif

#endif
