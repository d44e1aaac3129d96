/* tern_addr to the platform's sockaddr and back.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_DRIVER_SOCKADDR_H
#define TERN_DRIVER_SOCKADDR_H

#if defined(_WIN32)
#include <winsock2.h>
#include <ws2tcpip.h>
#else
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#endif

#include <tern/types.h>

/* Big enough for both families and a third of a sockaddr_storage. */
union tern_sockaddr {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* For a socket of `family` (AF_INET or AF_INET6): an IPv4 address becomes IPv4-mapped on an IPv6
 * socket. Returns the length, or 0 when the socket cannot reach such an address. */
socklen_t tern_sockaddr_encode(union tern_sockaddr *out, const tern_addr *addr, int family);

/* IPv4-mapped IPv6 becomes family 4; the scope is kept for link-local addresses only, elsewhere it
 * would make equal addresses differ. Family 0 for anything else. */
tern_addr tern_sockaddr_decode(const union tern_sockaddr *in);
tern_addr tern_sockaddr_decode_ip6(const struct in6_addr *ip, uint16_t port, uint32_t scope);
tern_addr tern_sockaddr_decode_ip4(const struct in_addr *ip, uint16_t port);

bool tern_sockaddr_is_any(const tern_addr *addr);

#endif
