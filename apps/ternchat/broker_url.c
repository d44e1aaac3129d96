/* The address of a broker, as people write it.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "ternchat/broker.h"

static bool refuse(char why[BROKER_WHY_SIZE], const char *text)
{
    (void)snprintf(why, BROKER_WHY_SIZE, "%s", text);
    return false;
}

static int hex(char c)
{
    const char *digits = "0123456789abcdef";
    const char *at = c == '\0' ? NULL : strchr(digits, c >= 'A' && c <= 'F' ? c | 0x20 : c);
    return at == NULL ? -1 : (int)(at - digits);
}

/* Without its %XX; false: it does not fit, or makes no sense. */
static bool take(char *out, size_t size, const char *from, size_t len)
{
    size_t used = 0;
    for (size_t i = 0; i < len; i++) {
        int c = (unsigned char)from[i];
        if (c == '%') {
            int high = i + 2 < len ? hex(from[i + 1]) : -1;
            int low = high < 0 ? -1 : hex(from[i + 2]);
            if (high < 0 || low < 0 || high + low == 0) {
                return false;
            }
            c = high << 4 | low;
            i += 2;
        }
        if (used + 1 >= size) {
            return false;
        }
        out[used++] = (char)c;
    }
    out[used] = '\0';
    return true;
}

/* [USER]:PASSWORD, or PASSWORD alone. */
static bool take_secret(struct broker_url *url, const char *from, size_t len)
{
    const char *colon = memchr(from, ':', len);
    size_t user = colon == NULL ? 0 : (size_t)(colon - from);
    size_t skip = colon == NULL ? 0 : user + 1;
    return take(url->user, sizeof url->user, from, user) &&
           take(url->password, sizeof url->password, from + skip, len - skip);
}

static bool take_number(const char *from, size_t len, unsigned most, unsigned *out)
{
    *out = 0;
    for (size_t i = 0; i < len; i++) {
        if (from[i] < '0' || from[i] > '9' || *out > most) {
            return false;
        }
        *out = *out * 10 + (unsigned)(from[i] - '0');
    }
    return len > 0 && *out <= most;
}

/* HOST, HOST:PORT, [V6] or [V6]:PORT. */
static bool take_host(struct broker_url *url, const char *from, size_t len)
{
    const char *all = from + len, *end = NULL;
    unsigned port = BROKER_PORT;
    if (len > 0 && *from == '[') {
        end = memchr(++from, ']', len - 1);
        if (end == NULL || (end + 1 < all && end[1] != ':')) {
            return false;
        }
    } else {
        end = memchr(from, ':', len);
        end = end == NULL ? all : end;
    }
    const char *colon = end < all && *end == ']' ? end + 1 : end;
    if (colon < all && (!take_number(colon + 1, (size_t)(all - colon - 1), 65535, &port))) {
        return false;
    }
    url->port = (uint16_t)port;
    return port > 0 && end > from &&
           take(url->place, sizeof url->place, from, (size_t)(end - from));
}

static bool parse_host(struct broker_url *url, const char *text, char why[BROKER_WHY_SIZE])
{
    size_t len = strcspn(text, "/?");
    if (!take_host(url, text, len)) {
        return refuse(why, "give it as redis://[:PASSWORD@]HOST[:PORT][/DB]");
    }
    text += len;
    if (*text == '/') {
        text++;
        if (*text != '\0' && !take_number(text, strlen(text), 9999, &url->db)) {
            return refuse(why, "what follows the last / is the number of a database: /0");
        }
        return true;
    }
    return *text == '\0' || refuse(why, "nothing may follow a ?");
}

static bool parse_path(struct broker_url *url, const char *text, char why[BROKER_WHY_SIZE])
{
    const char *query = strchr(text, '?');
    size_t len = query == NULL ? strlen(text) : (size_t)(query - text);
    url->is_unix = true;
    if (*text != '/' || !take(url->place, sizeof url->place, text, len) ||
        strlen(url->place) >= 108) { /* as sun_path of struct sockaddr_un has it */
        return refuse(why, "give a socket as unix:/PATH, of at most 107 bytes");
    }
    if (query != NULL && (strncmp(query, "?db=", 4) != 0 ||
                          !take_number(query + 4, strlen(query + 4), 9999, &url->db))) {
        return refuse(why, "only ?db=NUMBER may follow the path of a socket");
    }
    return true;
}

bool broker_url_parse(struct broker_url *url, const char *text, char why[BROKER_WHY_SIZE])
{
    static const char host[] = "redis://", path[] = "unix:", tls[] = "rediss://";
    *url = (struct broker_url){.port = BROKER_PORT};
    if (strncmp(text, tls, strlen(tls)) == 0) {
        return refuse(why, "TLS is not spoken: lead it through a tunnel, or use a local Redis");
    }
    bool is_host = strncmp(text, host, strlen(host)) == 0;
    if (!is_host && strncmp(text, path, strlen(path)) != 0) {
        return refuse(why, "give it as redis://[:PASSWORD@]HOST[:PORT][/DB] or unix:/PATH");
    }
    text += is_host ? strlen(host) : strlen(path);
    text += !is_host && strncmp(text, "//", 2) == 0 ? 2 : 0;
    const char *end = text + strcspn(text, "/?"), *at = end;
    while (at > text && *at != '@') { /* a password may have one, too */
        at--;
    }
    if (at < end && *at == '@') {
        if (!take_secret(url, text, (size_t)(at - text))) {
            return refuse(why, "the name or the password is too long, or has a wrong %XX");
        }
        text = at + 1;
    }
    return is_host ? parse_host(url, text, why) : parse_path(url, text, why);
}
