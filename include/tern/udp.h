/* The UDP driver: one socket, the platform's fastest batch calls, and one call that does it all.
 *
 * A whole client loop (see also tern/ev.h for libev):
 *     tern_udp_open(&udp, ep, NULL);
 *     for (;;) {
 *         int rc = tern_udp_service(udp, TERN_SEC);        waits at most a second, receives, sends
 *         while (tern_endpoint_poll(ep, &ev)) handle(&ev);
 *     }
 * SPDX-License-Identifier: MIT */
#ifndef TERN_UDP_H
#define TERN_UDP_H

#include <tern/conditioner.h>
#include <tern/endpoint.h>
#include <tern/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A driver: one socket that serves one endpoint, on the endpoint's thread. */
typedef struct tern_udp tern_udp;

/* Binds a non-blocking socket to `local` (NULL: any IPv6 and IPv4 address, any port; family 4 or 6
 * with port 0: any port; [::] takes IPv4 as well) and serves `endpoint` with it. The endpoint stays yours and must outlive
 * the driver. Uses GSO, GRO, ECN marks and the local address by ancillary data where the kernel
 * has them. 0 · TERN_ERR_SYSTEM (errno says why, for example EADDRINUSE) · TERN_ERR_NOMEM */
TERN_API TERN_MUST_CHECK int tern_udp_open(tern_udp **out, tern_endpoint *endpoint,
                                           const tern_addr *local);

/* The same with a socket of yours, bound already, which then belongs to the driver (on failure it stays
 * yours): one of tern_udp_open_shards, or one that a parent process or a service manager has opened.
 * 0 · TERN_ERR_SYSTEM · TERN_ERR_NOMEM */
TERN_API TERN_MUST_CHECK int tern_udp_open_fd(tern_udp **out, tern_endpoint *endpoint, int fd);

/* Many sockets on one port, so that as many threads or processes serve it, each with an endpoint of its own:
 * fds[n] gets whatever bears an identifier with shard number n, which is the byte at `at` of the identifiers
 * (1 without a server's number before it; tern_config.cid_prefix says the same to the endpoint). So a
 * connection stays on its shard wherever its client goes. What bears none yet, a client's first packets,
 * goes by address. The order is the sockets': give each to its shard with tern_udp_open_fd, and keep them all
 * open as long as any serves; a shard that restarts takes its old socket (keep a dup, or have a parent
 * process hold it). Port 0: any, the same for all. 0 · TERN_ERR_INVALID (count is not 1..256, or at not 1..3) · TERN_ERR_UNSUPPORTED (not on this system) · TERN_ERR_SYSTEM; then none is open */
TERN_API TERN_MUST_CHECK int tern_udp_open_shards(int *fds, size_t count, const tern_addr *local,
                                                  size_t at);

/* Sends what the endpoint still has to say, then closes the socket and frees. NULL is fine. */
TERN_API void tern_udp_close(tern_udp *udp);

/* The now of this driver: CLOCK_MONOTONIC in nanoseconds. Should that step back, it goes on from where it was, for each
 * thread that looks. */
TERN_API tern_time tern_udp_now(void);

/* One round: sends what is ready, waits until something arrives, the endpoint's deadline comes or
 * `timeout` ns have passed (0: does not wait), receives all that is there (bounded), ticks, sends.
 * Returns 0 or TERN_ERR_SYSTEM / TERN_ERR_NOMEM. Network errors such as ECONNREFUSED are not
 * errors here: the transport's own timers decide. */
TERN_API TERN_MUST_CHECK int tern_udp_service(tern_udp *udp, tern_time timeout);

/* For who would rather burn a core than wait to be woken: before it waits, tern_udp_service asks the socket
 * over and over for so long (0: not at all), and the kernel's own busy polling is switched on where there is
 * any (SO_BUSY_POLL, for which more than the system's default wants CAP_NET_ADMIN). It pays when the next
 * packet comes sooner than that, and a core is free. */
TERN_API void tern_udp_set_busy_poll(tern_udp *udp, tern_time spin);

/* The parts, for event loops of your own: wait for readability of the descriptor, then receive; and for
 * tern_udp_deadline, then tick; after either, flush. The descriptor stays the driver's: wait for it, and do
 * nothing else with it. */
TERN_API int tern_udp_fd(const tern_udp *udp);
/* Reads until the socket is empty, or a bound is reached, and ticks. 0 · TERN_ERR_SYSTEM · TERN_ERR_NOMEM */
TERN_API TERN_MUST_CHECK int tern_udp_receive(tern_udp *udp);
/* tern_endpoint_deadline, or when a packet comes out of the conditioner. */
TERN_API tern_time tern_udp_deadline(const tern_udp *udp);
/* tern_endpoint_tick, and the conditioner's packets that are due. Calling early is harmless.
 * 0 · TERN_ERR_SYSTEM · TERN_ERR_NOMEM */
TERN_API TERN_MUST_CHECK int tern_udp_tick(tern_udp *udp);
/* Transmits until nothing is ready or the socket is full; not yet, for a few milliseconds, while receive has
 * left something to be read, which one answer then covers: until then tern_udp_deadline remains 0.
 * 0 · TERN_ERR_STATE (in a child of fork, which must not send with the parent's keys and packet numbers: it may
 * close the driver and open another, with an endpoint of its own) · TERN_ERR_SYSTEM · TERN_ERR_NOMEM */
TERN_API TERN_MUST_CHECK int tern_udp_flush(tern_udp *udp);
TERN_API bool tern_udp_wants_write(
    const tern_udp *udp); /* the socket was full: wait for writable */

/* The address that the socket is bound to. */
TERN_API tern_addr tern_udp_local(const tern_udp *udp);

/* Roaming: when this machine's addresses or routes change, every client connection whose packets would
 * now leave from another address moves there (tern_conn_migrate). Call it once after tern_udp_open, and
 * before tern_ev_start, which then serves it; tern_udp_service does so, too.
 * 0 · TERN_ERR_UNSUPPORTED (not on this system) · TERN_ERR_STATE (the socket is bound to one address)
 * · TERN_ERR_SYSTEM */
TERN_API TERN_MUST_CHECK int tern_udp_roam(tern_udp *udp);
/* For event loops of your own: when the descriptor (-1: no roaming) is readable, call the other, which looks what has
 * changed and moves connections. */
TERN_API int tern_udp_roam_fd(const tern_udp *udp);
TERN_API void tern_udp_on_roam(tern_udp *udp);

/* All that the driver sends and receives from now on goes through it (tern_conditioner_new in tern/sim.h
 * makes one): a lossy, slow or jittery network in real time, with nothing between two programs. It stays
 * yours, serves one driver, and must outlive it or be taken out. NULL: none; what the one before holds,
 * stays in it. tern_udp_close waits 50 ms at most for what is on its way out. 0 · TERN_ERR_NOMEM */
TERN_API TERN_MUST_CHECK int tern_udp_set_conditioner(tern_udp *udp, tern_conditioner *conditioner);

/* For a client that waits for its first answer: the system keeps what ICMP says about closed ports, and the
 * other call tells how often it has said so of an address since then. Anybody who guesses the ports can forge
 * it, so it is a hint: believe it (two of them, at least) only while nothing of the handshake has come, and
 * switch it off once the connection stands. The driver itself does nothing with it. Addresses beyond the
 * first eight are not counted. 0 · TERN_ERR_UNSUPPORTED (not on this system)
 * · TERN_ERR_SYSTEM */
TERN_API TERN_MUST_CHECK int tern_udp_heed_refusals(tern_udp *udp, bool is_wanted);
TERN_API unsigned tern_udp_refusals(const tern_udp *udp, const tern_addr *remote);

/* Switches GSO and GRO off, to compare or to work around a broken device. */
TERN_API void tern_udp_set_offload(tern_udp *udp, bool gso, bool gro);

/* What a driver has asked of its kernel, since it was opened. */
typedef struct tern_udp_counters {
    size_t size; /* set it to sizeof before the call */
    uint64_t sendmsg_calls, recvmsg_calls;
    uint64_t datagrams_sent, datagrams_received;
    bool has_gso, has_gro;
    uint64_t send_errors; /* datagrams that the kernel refused, other than a full socket */
    int last_error;       /* errno of the latest of them */
    /* Of the socket, in bytes as the kernel counts them (Linux: twice what was asked for, since each
     * datagram also holds its bookkeeping). 16 and 8 MiB are asked for; what the kernel grants a program without
     * privileges is net.core.rmem_max and wmem_max there. What does not fit in the first is lost. */
    size_t receive_buffer, send_buffer;
} tern_udp_counters;

/* Of out only the first out->size bytes are written. */
TERN_API void tern_udp_stats(const tern_udp *udp, tern_udp_counters *out);

/* Resolves a host name (blocking, getaddrinfo). family 0, 4 or 6.
 * 0 · TERN_ERR_INVALID (no such host; *reason, if not NULL, says what the resolver said) */
TERN_API TERN_MUST_CHECK int tern_udp_resolve(tern_addr *out, const char *host, uint16_t port,
                                              int family, const char **reason);

#ifdef __cplusplus
}
#endif

#endif
