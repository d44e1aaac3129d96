/* Many sockets on one port.
 * SPDX-License-Identifier: MIT */
#include <errno.h>

#include "driver/system.h"
#include "driver/udp.h"

enum { SHARDS_MAX = 256, AT_MAX = 3 };

static void close_all(const int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        tern_socket_close(fds[i]);
    }
}

/* Port 0 was any for the first: the others have to have the same. */
static int learn_port(int fd, tern_addr *addr)
{
    union tern_sockaddr sa;
    if (tern_socket_name(fd, &sa) != 0) {
        return TERN_ERR_SYSTEM;
    }
    addr->port = tern_sockaddr_decode(&sa).port;
    return 0;
}

int tern_udp_open_shards(int *fds, size_t count, const tern_addr *local, size_t at)
{
    if (count == 0 || count > SHARDS_MAX || at == 0 || at > AT_MAX ||
        (local->family != 4 && local->family != 6)) {
        return TERN_ERR_INVALID;
    }
    tern_addr addr = *local;
    int rc = 0;
    size_t open = 0;
    while (rc == 0 && open < count) { /* a socket's number is its turn to bind */
        int family;
        fds[open] = tern_udp_bound_socket(&addr, true, &family);
        if (fds[open] < 0) {
            rc = errno == ENOSYS ? TERN_ERR_UNSUPPORTED : TERN_ERR_SYSTEM;
            break;
        }
        open++;
        if (open == 1) { /* before there is a second one to mistake it for */
            rc = learn_port(fds[0], &addr);
            rc = rc == 0 ? tern_udp_steer(fds[0], at) : rc;
        }
    }
    if (rc != 0) {
        close_all(fds, open);
    }
    return rc;
}
