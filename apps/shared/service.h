/* What a program says to a service manager and gets from it: readiness, and sockets that are open
 * already. The protocols of sd_notify(3) and sd_listen_fds(3), which need no library.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_APPS_SERVICE_H
#define TERN_APPS_SERVICE_H

#include <stdbool.h>
#include <stddef.h>

#define SERVICE_SOCKETS_MAX 16

/* The UDP sockets over IPv4 or IPv6 that were handed to this process, each closed at exec from now on. Returns
 * how many; *others is set to how many handed descriptors were something else (they are left alone).
 * Only the first call gets them: the variables are taken out of the environment. */
size_t service_sockets(int fds[SERVICE_SOCKETS_MAX], size_t *others);

/* Tells the manager, if there is one: "READY=1", "STOPPING=1", "STATUS=...". False: it was not told. */
bool service_notify(const char *state);

#endif
