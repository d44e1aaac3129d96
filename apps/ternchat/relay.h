/* The streams of files, passed on by the server as they come.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCHAT_RELAY_H
#define TERNCHAT_RELAY_H

#include <tern/tern.h>

#include "ternchat/hub.h"

#define RELAY_WINDOW  (1u << 20) /* bytes that wait in a stream from who sends, and to who gets */
#define RELAY_STREAMS 16         /* that a client may have open: more than HUB_GIVES */

/* An event of a stream; session: of its connection. */
void relay_on_event(struct hub_session *session, const tern_event *ev, tern_time now);

/* The hub's port. */
void relay_end(void *user, void *pump, enum chat_stop why);
void *relay_open(void *user, void *conn, struct hub_relay *relay, uint64_t fetch);
bool relay_take(void *user, void *pump, const uint8_t *data, size_t len);
void relay_go(void *user, void *pump);

#endif
