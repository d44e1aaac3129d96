/* The colon that makes a name remote, brackets around IPv6 addresses, and URLs.
 * SPDX-License-Identifier: MIT */
#include "terncp/target.h"

#include <stdio.h>
#include <string.h>

#include "shared/net.h"

bool target_is_remote(enum target_kind kind)
{
    return kind == TARGET_TERN || kind == TARGET_SSH;
}

/* Where the host begins: behind the user's name, if there is one. */
static const char *find_host(const char *text)
{
    size_t user = strcspn(text, "@:/[");
    return text[user] == '@' ? text + user + 1 : text;
}

/* The colon between host and path, or NULL. Those inside brackets belong to an IPv6 address. */
static const char *find_colon(const char *text)
{
    const char *slash = strchr(text, '/');
    const char *host = find_host(text);
    if (*host == '[') {
        const char *end = strchr(host, ']');
        return end != NULL && end[1] == ':' && (slash == NULL || end < slash) ? end + 1 : NULL;
    }
    const char *colon = strchr(text, ':');
    return colon != NULL && colon != text && (slash == NULL || colon < slash) ? colon : NULL;
}

enum target_kind target_kind_of(const char *text)
{
    if (strcmp(text, "-") == 0) {
        return TARGET_PIPE;
    }
    if (strncmp(text, TARGET_SCHEME, strlen(TARGET_SCHEME)) == 0) {
        return TARGET_TERN;
    }
    return find_colon(text) != NULL ? TARGET_SSH : TARGET_LOCAL;
}

static bool set_path(struct target *target, const char *path)
{
    int n = snprintf(target->path, sizeof target->path, "%s", path);
    return n >= 0 && (size_t)n < sizeof target->path;
}

static const char *parse_tern(struct target *target, const char *text)
{
    char authority[TARGET_HOST_SIZE + 16];
    const char *start = text + strlen(TARGET_SCHEME);
    size_t len = strcspn(start, "/");
    const char *path = start[len] == '/' ? start + len + 1 : start + len;
    if (len >= sizeof authority || !set_path(target, path)) {
        return "too long";
    }
    memcpy(authority, start, len);
    authority[len] = '\0';
    return net_split(authority, target->host, sizeof target->host, &target->port) &&
                   target->port != 0
               ? NULL
               : "no host or a bad port; write tern://host[:port]/path";
}

static const char *parse_ssh(struct target *target, const char *text)
{
    const char *colon = find_colon(text);
    size_t len = (size_t)(colon - text);
    const char *host = find_host(text);
    size_t user = (size_t)(host - text); /* with its @ */
    size_t host_len = len - user;
    if (host_len >= 2 && host[0] == '[' && host[host_len - 1] == ']') {
        host++;
        host_len -= 2;
    }
    if (host_len == 0 || user == 1) {
        return "no host or no user; write [user@]host:path";
    }
    if (user + host_len >= sizeof target->login || !set_path(target, colon + 1)) {
        return "too long";
    }
    if (text[0] == '-' || host[0] == '-') { /* ssh would take it for an option */
        return "a host's or user's name does not begin with a hyphen";
    }
    memcpy(target->login, text, user);
    memcpy(target->login + user, host, host_len);
    memcpy(target->host, host, host_len);
    return NULL;
}

const char *target_parse(struct target *target, const char *text, uint16_t default_port)
{
    memset(target, 0, sizeof *target);
    target->kind = target_kind_of(text);
    target->port = default_port;
    switch (target->kind) {
    case TARGET_TERN:
        return parse_tern(target, text);
    case TARGET_SSH:
        return parse_ssh(target, text);
    case TARGET_LOCAL:
    case TARGET_PIPE:
        break;
    }
    return set_path(target, text) ? NULL : "too long";
}
