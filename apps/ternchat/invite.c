/* Both sides of the desk.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "ternchat/invite.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/cli.h"
#include "shared/keyring.h"
#include "shared/net.h"
#include "shared/term.h"
#include "shared/transport.h"
#include "ternchat/proto.h"

#define CLOSE_INVITED 4 /* the reason is the port of the server */
#define CLOSE_FAILED  5

struct desk {
    struct transport transport;
    uint16_t server_port;
    char authorized[KEYRING_PATH_SIZE];
    desk_guest *on_guest;
    void *user;
};

/* --- the server --------------------------------------------------------------------------------------- */

static bool let_in(const char *path, const uint8_t key[TERN_KEY_SIZE])
{
    return keyring_is_authorized(path, key) == KEYRING_OK ||
           keyring_authorize(path, key) == KEYRING_OK;
}

static void on_desk(tern_ev *binding, void *user)
{
    struct desk *desk = user;
    tern_event ev;
    (void)binding;
    while (tern_endpoint_poll(desk->transport.endpoint, &ev) == 1) {
        uint8_t key[TERN_KEY_SIZE];
        char port[8];
        if (ev.type != TERN_EVENT_CONNECTED || tern_conn_peer_key(ev.conn, key) != 0) {
            continue;
        }
        if (let_in(desk->authorized, key)) {
            desk->on_guest(desk->user, key);
            (void)snprintf(port, sizeof port, "%u", (unsigned)desk->server_port);
            tern_conn_close(ev.conn, CLOSE_INVITED, port);
            cli_note("the code was used: somebody new may come in");
        } else {
            cli_error(desk->authorized, "cannot be written", "the invited stays outside");
            tern_conn_close(ev.conn, CLOSE_FAILED, "the server cannot write your key down");
        }
    }
}

struct desk *desk_new(struct ev_loop *loop, const uint8_t *secret, const tern_addr *server,
                      const char *authorized, desk_guest *on_guest, void *user)
{
    struct desk *desk = calloc(1, sizeof *desk);
    char code[TERN_CODE_SIZE];
    tern_config config;
    if (desk == NULL || tern_code_generate(code) != 0) { /* never open to who knows none */
        free(desk);
        return NULL;
    }
    tern_config_init(&config);
    config.secret_key = secret;
    config.accept = true;
    config.code = code;
    tern_addr local = *server;
    desk->server_port = server->port;
    (void)snprintf(desk->authorized, sizeof desk->authorized, "%s", authorized);
    desk->on_guest = on_guest;
    desk->user = user;
    local.port++;
    int rc = transport_open(&desk->transport, loop, &config, &local, on_desk, desk);
    if (rc != 0) {
        local.port = 0;
        rc = transport_open(&desk->transport, loop, &config, &local, on_desk, desk);
    }
    sodium_memzero(code, sizeof code);
    if (rc != 0) {
        free(desk);
        return NULL;
    }
    return desk;
}

void desk_free(struct desk *desk)
{
    if (desk != NULL) {
        transport_close(&desk->transport);
        free(desk);
    }
}

bool desk_invite(struct desk *desk, char *text, size_t size)
{
    char code[TERN_CODE_SIZE];
    if (tern_code_generate(code) != 0 ||
        tern_endpoint_set_code(desk->transport.endpoint, code) != 0) {
        return false;
    }
    unsigned port = tern_udp_local(desk->transport.udp).port;
    return snprintf(text, size, "%s@:%u", code, port) < (int)size;
}

/* --- the client --------------------------------------------------------------------------------------- */

struct guest {
    struct ev_loop *loop;
    struct transport transport;
    uint8_t key[TERN_KEY_SIZE];
    bool has_key;
    uint16_t port; /* 0: not let in */
    int error;
    char reason[300];
};

static void on_guest(tern_ev *binding, void *user)
{
    struct guest *g = user;
    tern_event ev;
    (void)binding;
    while (tern_endpoint_poll(g->transport.endpoint, &ev) == 1) {
        if (ev.type == TERN_EVENT_CONNECTED) {
            g->has_key = tern_conn_peer_key(ev.conn, g->key) == 0;
        } else if (ev.type == TERN_EVENT_CLOSED) {
            bool is_in = ev.close.by == TERN_CLOSED_PEER && ev.close.is_application &&
                         ev.close.code == CLOSE_INVITED;
            (void)term_escape((const char *)ev.close.reason, ev.close.reason_len, g->reason,
                              sizeof g->reason);
            g->error = ev.close.error;
            g->port = is_in ? (uint16_t)strtoul(g->reason, NULL, 10) : 0;
            ev_break(g->loop, EVBREAK_ALL);
        }
    }
}

static int connect_desk(const struct options *o, struct guest *g, const char *code,
                        const tern_addr *addr, const uint8_t secret[TERN_KEY_SIZE])
{
    tern_config config;
    tern_peer peer;
    tern_conn *conn;
    tern_config_init(&config);
    config.secret_key = secret;
    config.handshake_timeout = o->connect_timeout;
    config.idle_timeout = o->connect_timeout;
    int rc = transport_open(&g->transport, g->loop, &config, NULL, on_guest, g);
    if (rc != 0) {
        return rc;
    }
    tern_peer_init(&peer);
    peer.addr = *addr;
    peer.code = code;
    rc = tern_endpoint_connect(g->transport.endpoint, &peer, &conn, tern_udp_now());
    if (rc == 0) {
        tern_ev_wake(g->transport.binding);
        (void)ev_run(g->loop, 0);
        rc = g->port != 0 && g->has_key ? 0 : g->error != 0 ? g->error : TERN_ERR_REFUSED;
    }
    transport_close(&g->transport);
    return rc;
}

/* Keeps the server's key, as if it had been seen and trusted before. */
static int remember(const struct options *o, const char *name, const uint8_t key[TERN_KEY_SIZE])
{
    char path[KEYRING_PATH_SIZE];
    if (o->known_hosts == NULL
            ? !keyring_path("known_hosts", path)
            : snprintf(path, sizeof path, "%s", o->known_hosts) >= (int)sizeof path) {
        cli_error("known hosts", "no place for them", "name a file with --known-hosts");
        return CLI_LOCAL;
    }
    if (keyring_remember(path, name, key) != KEYRING_OK) {
        cli_error(path, "cannot be written", "check the file and its folders");
        return CLI_LOCAL;
    }
    return -1;
}

int invite_take(const struct options *o, struct ev_loop *loop, const uint8_t secret[TERN_KEY_SIZE],
                char *host, size_t size)
{
    char code[128], name[256];
    const char *at = strchr(o->host, '@'), *why = NULL;
    struct guest g = {.loop = loop};
    uint16_t port = CHAT_PORT + 1;
    tern_addr addr;
    if ((size_t)(at - o->host) >= sizeof code || !net_split(at + 1, name, sizeof name, &port)) {
        cli_error(o->host, "not an invitation", "it looks like 7-orbit-salmon@host:7439");
        return CLI_USAGE;
    }
    (void)snprintf(code, sizeof code, "%.*s", (int)(at - o->host), o->host);
    if (tern_udp_resolve(&addr, name, port, o->family, &why) != 0) {
        cli_error(name, why, "check the name");
        return CLI_CONNECT;
    }
    int rc = connect_desk(o, &g, code, &addr, secret);
    sodium_memzero(code, sizeof code);
    if (rc != 0) {
        cli_error(name, g.reason[0] != '\0' ? g.reason : tern_strerror(rc),
                  "a code is good for once, and worthless after three wrong ones: ask for another");
        return rc == TERN_ERR_TIMEOUT ? CLI_CONNECT : CLI_IDENTITY;
    }
    char known[300]; /* as trust_find names it */
    const char *v6 = strchr(name, ':');
    (void)snprintf(known, sizeof known, "%s:%u", name, (unsigned)g.port);
    (void)snprintf(host, size, "%s%s%s:%u", v6 ? "[" : "", name, v6 ? "]" : "", (unsigned)g.port);
    return remember(o, known, g.key);
}
