/* An endpoint: many connections, no socket, no clock. Datagrams in, trains out, events polled.
 *
 * The whole of an event loop:
 *     tern_endpoint_receive(ep, in, n, now);              for each batch from the network
 *     tern_endpoint_tick(ep, now);                        when tern_endpoint_deadline has come
 *     while (tern_endpoint_poll(ep, &ev)) handle(&ev);
 *     while (tern_endpoint_transmit(ep, &train, now) > 0) send(&train);
 * tern/udp.h and tern/ev.h do this for you over real sockets, tern/sim.h in virtual time.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_ENDPOINT_H
#define TERN_ENDPOINT_H

#include <tern/config.h>
#include <tern/conn.h>
#include <tern/event.h>
#include <tern/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* 0 · TERN_ERR_INVALID (a setting is out of range) · TERN_ERR_NOMEM · TERN_ERR_UNSUPPORTED (no
 * acceptable suite, or libsodium would not start). */
TERN_API TERN_MUST_CHECK int tern_endpoint_new(tern_endpoint **out, const tern_config *config,
                                               tern_time now);

/* Frees it with all connections, without telling the peers. NULL is fine. */
TERN_API void tern_endpoint_free(tern_endpoint *endpoint);

/* tern_conn_close for every connection there is; each then has its CLOSED event. */
TERN_API void tern_endpoint_close_all(tern_endpoint *endpoint, uint64_t code, const char *reason);

/* Our public key, which clients may pin. */
TERN_API void tern_endpoint_public_key(const tern_endpoint *endpoint, uint8_t out[TERN_KEY_SIZE]);

/* A server's one-time code, in place of the one before: clients must prove that they know it, which one
 * of them can do once. A wrong guess ends that client's connection, and the third burns the code; until
 * another is set nobody gets in then. Its number, if it begins with one, is shown on the wire. NULL:
 * clients need no code any more. 0 · TERN_ERR_INVALID (fewer than 4 letters and digits besides the
 * number, more than 64, or other than ASCII) */
TERN_API TERN_MUST_CHECK int tern_endpoint_set_code(tern_endpoint *endpoint, const char *code);

/* Guesses that the code has left: 3 at first, 0 when it is used, burnt, or was never set. */
TERN_API unsigned tern_endpoint_code_guesses(const tern_endpoint *endpoint);

/* Starts a connection; TERN_EVENT_CONNECTED or TERN_EVENT_CLOSED follows.
 * 0 · TERN_ERR_INVALID · TERN_ERR_LIMIT · TERN_ERR_NOMEM · TERN_ERR_UNSUPPORTED (hybrid) */
TERN_API TERN_MUST_CHECK int tern_endpoint_connect(tern_endpoint *endpoint, const tern_peer *peer,
                                                   tern_conn **out, tern_time now);

/* Takes n datagrams. Junk is dropped and counted, never an error; only TERN_ERR_NOMEM is returned,
 * after all of them were tried. */
TERN_API TERN_MUST_CHECK int tern_endpoint_receive(tern_endpoint *endpoint, const tern_datagram *in,
                                                   size_t n, tern_time now);

/* Fills one train. Returns the number of datagrams in it, 0 when there is nothing to send now.
 * train->data and train->capacity (at least 1200) are yours and kept.
 * TERN_ERR_BUFFER: less capacity. Never call it in a child of fork: keys and packet numbers are the
 * parent's, who alone may send. tern/udp.h takes care of that, a driver of your own has to. */
TERN_API TERN_MUST_CHECK int tern_endpoint_transmit(tern_endpoint *endpoint, tern_train *train,
                                                    tern_time now);

/* When tern_endpoint_tick (and then transmit) wants to be called next; TERN_TIME_NEVER: not before
 * something arrives or the application acts; a time in the past: at once. */
TERN_API tern_time tern_endpoint_deadline(const tern_endpoint *endpoint);

/* Time passed. Calling early is harmless. */
TERN_API void tern_endpoint_tick(tern_endpoint *endpoint, tern_time now);

/* Takes the next event. 1: *out is filled; 0: none. It cannot fail. What the event before has lent, and the handles of
 * which it told the end, are gone. */
TERN_API TERN_MUST_CHECK int tern_endpoint_poll(tern_endpoint *endpoint, tern_event *out);

/* Walks over the connections: the first for NULL, then the one after `previous`; NULL at the end.
 * Closing a connection on the way is fine, polling is not. */
TERN_API tern_conn *tern_endpoint_next_conn(const tern_endpoint *endpoint,
                                            const tern_conn *previous);

/* Counters of the endpoint. */
typedef struct tern_endpoint_counters {
    size_t size;                  /* set it to sizeof before the call */
    uint64_t connections;         /* alive now, closing ones included */
    uint64_t half_open;           /* handshaking as a server */
    uint64_t accepted, connected; /* since birth */
    uint64_t datagrams_received, datagrams_sent;
    uint64_t dropped_unknown; /* for no connection of ours */
    uint64_t dropped_refused; /* over a limit, or not accepting */
    uint64_t version_negotiations;
    uint64_t retries;                      /* clients that were asked to show their address */
    uint64_t refusals;                     /* clients that were told why they may not come in */
    uint64_t resets_sent, resets_received; /* for connections that one end has lost */
} tern_endpoint_counters;

/* Of out only the first out->size bytes are written. */
TERN_API void tern_endpoint_stats(const tern_endpoint *endpoint, tern_endpoint_counters *out);

#ifdef __cplusplus
}
#endif

#endif
