/* Invitations: who is told a one-time code comes in once by it, and by their key from then on.
 *
 * A code closes the endpoint on which it is set to everybody who does not know it. So the invited come to
 * a desk, an endpoint of its own with the server's key: who proves the code there has their key written to
 * the authorised ones, and is sent on to the server's own port.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCHAT_INVITE_H
#define TERNCHAT_INVITE_H

#include <ev.h>
#include <stdbool.h>
#include <tern/ev.h>

#include "ternchat/options.h"

struct desk;

/* Called with the key of whoever came in by a code. */
typedef void desk_guest(void *user, const uint8_t key[TERN_KEY_SIZE]);

/* server: its own address. The port after it if that is free, any other else. NULL: it cannot be opened. */
struct desk *desk_new(struct ev_loop *loop, const uint8_t *secret, const tern_addr *server,
                      const char *authorized, desk_guest *on_guest, void *user);
void desk_free(struct desk *desk);
/* A new code in place of the one before, as "CODE@:PORT": the host goes between them. */
bool desk_invite(struct desk *desk, char *text, size_t size);

/* The client's part, for a host "CODE@host:port". Shows our key, learns the server's and keeps it as known.
 * -1: `host` is what to connect to now; else an exit code, after a message. */
int invite_take(const struct options *options, struct ev_loop *loop,
                const uint8_t secret[TERN_KEY_SIZE], char *host, size_t size);

#endif
