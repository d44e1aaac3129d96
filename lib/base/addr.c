/* Numeric addresses: text to bytes and back without any platform's help. RFC 5952 for IPv6.
 * SPDX-License-Identifier: MIT */
#include "base/addr.h"

#include <stdio.h>

bool tern_addr_equal(const tern_addr *a, const tern_addr *b)
{
    size_t len = a->family == 4 ? 4 : a->family == 6 ? 16 : 0;
    return a->family == b->family && a->port == b->port && memcmp(a->ip, b->ip, len) == 0 &&
           (a->family != 6 || a->scope == b->scope);
}

void tern_addr_key(uint8_t out[TERN_ADDR_KEY_SIZE], const tern_addr *addr)
{
    memset(out, 0, TERN_ADDR_KEY_SIZE);
    out[0] = addr->family;
    memcpy(out + 1, addr->ip, addr->family == 4 ? 4 : addr->family == 6 ? 16 : 0);
    out[17] = (uint8_t)(addr->port >> 8);
    out[18] = (uint8_t)addr->port;
    for (unsigned i = 0; i < 4 && addr->family == 6; i++) {
        out[19 + i] = (uint8_t)(addr->scope >> (24 - 8 * i));
    }
}

/* ::ffff:0:0/96, RFC 4291 §2.5.5.2 */
static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

/* Decimal digits up to `max`; moves *at. Refuses leading zeros, which some read as octal. */
static bool parse_number(const char **at, uint32_t max, uint32_t *out)
{
    const char *p = *at;
    uint64_t value = 0;
    if (*p < '0' || *p > '9' || (p[0] == '0' && p[1] >= '0' && p[1] <= '9')) {
        return false;
    }
    for (; *p >= '0' && *p <= '9'; p++) {
        value = value * 10 + (uint64_t)(*p - '0');
        if (value > max) {
            return false;
        }
    }
    *at = p;
    *out = (uint32_t)value;
    return true;
}

static bool parse_ipv4(const char **at, uint8_t ip[4])
{
    for (unsigned i = 0; i < 4; i++) {
        uint32_t part;
        if ((i > 0 && *(*at)++ != '.') || !parse_number(at, 255, &part)) {
            return false;
        }
        ip[i] = (uint8_t)part;
    }
    return true;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool parse_group(const char **at, uint8_t out[2])
{
    unsigned value = 0, digits = 0;
    for (; digits < 5 && hex_value(**at) >= 0; (*at)++, digits++) {
        value = value << 4 | (unsigned)hex_value(**at);
    }
    out[0] = (uint8_t)(value >> 8);
    out[1] = (uint8_t)value;
    return digits >= 1 && digits <= 4;
}

/* RFC 4291 §2.2: the last 32 bits may be written as an IPv4 address. */
static bool is_dotted(const char *at)
{
    while (*at >= '0' && *at <= '9') {
        at++;
    }
    return *at == '.';
}

/* Groups of hex with at most one "::"; ends at the first other character. */
static bool parse_ipv6(const char **at, uint8_t ip[16])
{
    uint8_t groups[16] = {0};
    size_t count = 0, gap = SIZE_MAX;
    if ((*at)[0] == ':' && (*at)[1] == ':') {
        gap = 0;
        *at += 2;
    }
    while (count < 8 && hex_value(**at) >= 0) {
        if (is_dotted(*at)) {
            if (count > 6 || !parse_ipv4(at, groups + 2 * count)) {
                return false;
            }
            count += 2;
            break;
        }
        if (!parse_group(at, groups + 2 * count)) {
            return false;
        }
        count++;
        if ((*at)[0] != ':' || count == 8) {
            break;
        }
        (*at)++;
        if (**at == ':') {
            if (gap != SIZE_MAX) {
                return false;
            }
            gap = count;
            (*at)++;
        } else if (hex_value(**at) < 0) {
            return false;
        }
    }
    if ((gap == SIZE_MAX) != (count == 8)) {
        return false;
    }
    size_t tail = gap == SIZE_MAX ? 0 : count - gap;
    memset(ip, 0, 16);
    memcpy(ip, groups, 2 * (count - tail));
    memcpy(ip + 16 - 2 * tail, groups + 2 * (count - tail), 2 * tail);
    return true;
}

int tern_addr_parse(tern_addr *out, const char *text)
{
    tern_addr addr = {0};
    uint32_t number;
    const char *at = text;
    if (*at == '[') {
        at++;
        addr.family = 6;
        if (!parse_ipv6(&at, addr.ip)) {
            return TERN_ERR_INVALID;
        }
        if (*at == '%') {
            at++;
            if (!parse_number(&at, UINT32_MAX, &number)) {
                return TERN_ERR_INVALID;
            }
            addr.scope = number;
        }
        if (*at++ != ']') {
            return TERN_ERR_INVALID;
        }
    } else {
        addr.family = 4;
        if (!parse_ipv4(&at, addr.ip)) {
            return TERN_ERR_INVALID;
        }
    }
    if (*at++ != ':' || !parse_number(&at, 65535, &number) || *at != '\0') {
        return TERN_ERR_INVALID;
    }
    addr.port = (uint16_t)number;
    *out = addr;
    return 0;
}

/* The longest run of zero groups, at least two: RFC 5952 §4.2. */
static void find_gap(const uint8_t ip[16], size_t *start, size_t *length)
{
    *start = *length = 0;
    for (size_t i = 0; i < 8; i++) {
        size_t n = 0;
        while (i + n < 8 && ip[2 * (i + n)] == 0 && ip[2 * (i + n) + 1] == 0) {
            n++;
        }
        if (n >= 2 && n > *length) {
            *start = i;
            *length = n;
        }
    }
}

static void format_ipv6(const uint8_t ip[16], char *text, size_t size)
{
    size_t start, length, used = 0;
    if (memcmp(ip, mapped, sizeof mapped) == 0) { /* RFC 5952 §5 */
        (void)snprintf(text, size, "::ffff:%u.%u.%u.%u", (unsigned)ip[12], (unsigned)ip[13],
                       (unsigned)ip[14], (unsigned)ip[15]);
        return;
    }
    find_gap(ip, &start, &length);
    for (size_t i = 0; i < 8 && used < size; i++) {
        int n;
        if (length > 0 && i == start) {
            n = snprintf(text + used, size - used, "%s", i == 0 ? "::" : ":");
            i += length - 1;
        } else {
            unsigned group = (unsigned)ip[2 * i] << 8 | ip[2 * i + 1];
            n = snprintf(text + used, size - used, i < 7 ? "%x:" : "%x", group);
        }
        used += n > 0 ? (size_t)n : 0;
    }
}

const char *tern_addr_format(const tern_addr *addr, char *buf, size_t size)
{
    if (size == 0) {
        return buf;
    }
    if (addr->family == 4) {
        (void)snprintf(buf, size, "%u.%u.%u.%u:%u", (unsigned)addr->ip[0], (unsigned)addr->ip[1],
                       (unsigned)addr->ip[2], (unsigned)addr->ip[3], (unsigned)addr->port);
    } else if (addr->family == 6) {
        char ip[48], scope[16] = "";
        format_ipv6(addr->ip, ip, sizeof ip);
        if (addr->scope != 0) {
            (void)snprintf(scope, sizeof scope, "%%%u", (unsigned)addr->scope);
        }
        (void)snprintf(buf, size, "[%s%s]:%u", ip, scope, (unsigned)addr->port);
    } else {
        (void)snprintf(buf, size, "none");
    }
    return buf;
}

tern_addr tern_addr_unmapped(const tern_addr *addr)
{
    if (addr->family != 6 || memcmp(addr->ip, mapped, sizeof mapped) != 0) {
        return *addr;
    }
    tern_addr plain = {.family = 4, .port = addr->port};
    memcpy(plain.ip, addr->ip + sizeof mapped, 4);
    return plain;
}
