/* tern_addr to the platform's sockaddr and back; IPv4-mapped addresses never leave this file.
 * SPDX-License-Identifier: MIT */
#include "driver/sockaddr.h"

#include <string.h>

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool is_link_local(const uint8_t ip[16])
{
    return ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80;
}

socklen_t tern_sockaddr_encode(union tern_sockaddr *out, const tern_addr *addr, int family)
{
    memset(out, 0, sizeof *out);
    if (addr->family == 4 && family == AF_INET) {
        out->v4.sin_family = AF_INET;
        out->v4.sin_port = htons(addr->port);
        memcpy(&out->v4.sin_addr, addr->ip, 4);
        return sizeof out->v4;
    }
    if ((addr->family != 4 && addr->family != 6) || family != AF_INET6) {
        return 0;
    }
    uint8_t ip[16];
    memcpy(ip, addr->ip, 16);
    if (addr->family == 4) {
        memcpy(ip, mapped, 12);
        memcpy(ip + 12, addr->ip, 4);
    }
    out->v6.sin6_family = AF_INET6;
    out->v6.sin6_port = htons(addr->port);
    out->v6.sin6_scope_id = addr->family == 6 ? addr->scope : 0;
    memcpy(&out->v6.sin6_addr, ip, 16);
    return sizeof out->v6;
}

tern_addr tern_sockaddr_decode_ip4(const struct in_addr *ip, uint16_t port)
{
    tern_addr addr = {.family = 4, .port = port};
    memcpy(addr.ip, ip, 4);
    return addr;
}

tern_addr tern_sockaddr_decode_ip6(const struct in6_addr *ip, uint16_t port, uint32_t scope)
{
    tern_addr addr = {.family = 6, .port = port};
    memcpy(addr.ip, ip, 16);
    if (memcmp(addr.ip, mapped, 12) == 0) {
        struct in_addr inner;
        memcpy(&inner, addr.ip + 12, 4);
        return tern_sockaddr_decode_ip4(&inner, port);
    }
    addr.scope = is_link_local(addr.ip) ? scope : 0;
    return addr;
}

tern_addr tern_sockaddr_decode(const union tern_sockaddr *in)
{
    if (in->any.sa_family == AF_INET) {
        return tern_sockaddr_decode_ip4(&in->v4.sin_addr, ntohs(in->v4.sin_port));
    }
    if (in->any.sa_family == AF_INET6) {
        return tern_sockaddr_decode_ip6(&in->v6.sin6_addr, ntohs(in->v6.sin6_port),
                                        in->v6.sin6_scope_id);
    }
    return (tern_addr){0};
}

bool tern_sockaddr_is_any(const tern_addr *addr)
{
    static const uint8_t zero[16];
    return memcmp(addr->ip, zero, addr->family == 4 ? 4 : 16) == 0;
}
