/* Which connections must move after the machine's addresses have changed.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "driver/system.h"
#include "driver/udp.h"

/* The address from which the system would send to `remote` now: a socket that is connected and never
 * used knows. Family 0: there is no way to it. */
static tern_addr source_for(const tern_addr *remote)
{
    tern_addr source = {0};
    union tern_sockaddr sa;
    int family = remote->family == 4 ? AF_INET : AF_INET6;
    int fd = tern_socket_open(family);
    if (fd < 0) {
        return source;
    }
    socklen_t len = tern_sockaddr_encode(&sa, remote, family);
    if (tern_socket_connect(fd, &sa, len) == 0 && tern_socket_name(fd, &sa) == 0) {
        source = tern_sockaddr_decode(&sa);
    }
    tern_socket_close(fd);
    return source;
}

static bool is_same_ip(const tern_addr *a, const tern_addr *b)
{
    return a->family == b->family && memcmp(a->ip, b->ip, a->family == 4 ? 4 : 16) == 0;
}

bool tern_udp_move_all(struct tern_udp *udp)
{
    int saved = errno;
    bool must_again = false;
    for (tern_conn *conn = tern_endpoint_next_conn(udp->endpoint, NULL); conn != NULL;
         conn = tern_endpoint_next_conn(udp->endpoint, conn)) {
        tern_addr remote = tern_conn_remote(conn), local = tern_conn_local(conn);
        if (tern_conn_is_server(conn) || local.family == 0) {
            continue;
        }
        tern_addr source = source_for(&remote);
        if (source.family == 0) {
            continue;
        }
        if (is_same_ip(&source, &local)) { /* an interface that was down may be up */
            tern_conn_probe(conn, tern_udp_now());
            continue;
        }
        source.port = udp->local.port;
        int rc = tern_conn_migrate(conn, &source);
        /* Not confirmed yet, or no identifier left: soon there will be. */
        must_again = must_again || rc == TERN_ERR_STATE || rc == TERN_ERR_LIMIT;
    }
    errno = saved;
    return must_again;
}
