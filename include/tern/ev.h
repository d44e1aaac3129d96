/* The libev binding: an endpoint with its UDP driver on an event loop.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_EV_H
#define TERN_EV_H

#include <ev.h>
#include <tern/udp.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A driver on a loop. Everything of it runs on the loop's thread. */
typedef struct tern_ev tern_ev;

/* Called from the loop, outside of any endpoint call, when events may be waiting: poll them with
 * tern_endpoint_poll and act; what you queue is sent when you return. */
typedef void (*tern_ev_fn)(tern_ev *binding, void *user);

/* Starts watchers for the driver's socket, the endpoint's deadline and readiness. All handles stay
 * yours and must outlive the binding. 0 · TERN_ERR_NOMEM */
TERN_API TERN_MUST_CHECK int tern_ev_start(tern_ev **out, struct ev_loop *loop, tern_udp *udp,
                                           tern_endpoint *endpoint, tern_ev_fn ready, void *user);

/* Call after acting on the endpoint from outside `ready` (another watcher, say): sends and
 * re-arms before the loop sleeps again. Cheap; calling it twice is harmless. */
TERN_API void tern_ev_wake(tern_ev *binding);

/* Stops the watchers and frees the binding. NULL is fine. Not from within `ready`. */
TERN_API void tern_ev_stop(tern_ev *binding);

/* The first TERN_ERR_SYSTEM or TERN_ERR_NOMEM that the driver met, or 0. */
TERN_API int tern_ev_error(const tern_ev *binding);

#ifdef __cplusplus
}
#endif

#endif
