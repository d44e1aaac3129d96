/* The daemon: whom it lets in, where it listens, how it starts and ends.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "shared/cli.h"
#include "shared/identity.h"
#include "shared/keyring.h"
#include "shared/net.h"
#include "terncp/session.h"
#include "terncp/transport.h"

struct server {
    const struct options *options;
    struct transport transport;
    struct host host;
    char authorized[KEYRING_PATH_SIZE]; /* empty: everybody */
};

static void on_ready(tern_ev *binding, void *user)
{
    struct server *server = user;
    tern_event ev;
    (void)binding;
    while (tern_endpoint_poll(server->transport.endpoint, &ev) == 1) {
        host_on_event(&server->host, &ev);
    }
}

static int on_verify(void *user, tern_conn *conn, const uint8_t key[TERN_KEY_SIZE])
{
    const struct server *server = user;
    tern_addr remote = tern_conn_remote(conn);
    char text[KEYRING_TEXT_SIZE], peer[TERN_ADDR_TEXT_SIZE];
    if (server->authorized[0] == '\0' ||
        keyring_is_authorized(server->authorized, key) == KEYRING_OK) {
        return 0;
    }
    keyring_format(key, text);
    cli_note("%s: refused, its key is not in %s: %s", tern_addr_format(&remote, peer, sizeof peer),
             server->authorized, text);
    return TERN_ERR_REFUSED;
}

/* --- start and end ------------------------------------------------------------------------------------ */

static int choose_clients(struct server *server)
{
    const struct options *o = server->options;
    if (o->anonymous) {
        return -1;
    }
    if (o->authorized_keys != NULL) {
        (void)snprintf(server->authorized, sizeof server->authorized, "%s", o->authorized_keys);
    } else if (!keyring_path("authorized_keys", server->authorized)) {
        server->authorized[0] = '\0';
    }
    if (server->authorized[0] == '\0' || access(server->authorized, R_OK) != 0) {
        cli_error(
            server->authorized[0] == '\0' ? "authorized_keys" : server->authorized, strerror(errno),
            "write the clients' keys into it, one a line, or let everybody in with --anonymous");
        return CLI_IDENTITY;
    }
    return -1;
}

static int parse_listen(const struct options *o, tern_addr *addr)
{
    char host[256] = "";
    uint16_t port = TERNCP_PORT;
    const char *why = NULL;
    memset(addr, 0, sizeof *addr);
    addr->family = o->family == 4 ? 4 : 6;
    addr->port = port;
    if (o->listen == NULL) {
        return -1;
    }
    const char *text = o->listen;
    if (text[0] == ':') {
        char with_host[64];
        (void)snprintf(with_host, sizeof with_host, "[::]%.40s", text);
        if (!net_split(with_host, host, sizeof host, &port)) {
            host[0] = '\0';
        }
    } else if (!net_split(text, host, sizeof host, &port)) {
        host[0] = '\0';
    }
    if (host[0] == '\0' || tern_udp_resolve(addr, host, port, o->family, &why) != 0) {
        cli_error(o->listen, why != NULL ? why : "not an address",
                  "give --listen ADDR:PORT, for example 0.0.0.0:7437");
        return CLI_USAGE;
    }
    return -1;
}

/* What was written on the command line, before any file is looked at. */
static int check_arguments(const struct options *o, tern_addr *addr)
{
    if (o->anonymous && o->authorized_keys != NULL) {
        cli_error("--anonymous and --authorized-keys", "exclude each other",
                  "with the first everybody gets in");
        return CLI_USAGE;
    }
    return parse_listen(o, addr);
}

static void on_signal(struct ev_loop *loop, struct ev_signal *w, int events)
{
    (void)w;
    (void)events;
    ev_break(loop, EVBREAK_ALL);
}

static void announce(const struct server *server)
{
    char addr[TERN_ADDR_TEXT_SIZE], key[KEYRING_TEXT_SIZE], words[KEYRING_WORDS_SIZE];
    uint8_t pub[TERN_KEY_SIZE];
    tern_addr local = tern_udp_local(server->transport.udp);
    tern_endpoint_public_key(server->transport.endpoint, pub);
    keyring_format(pub, key);
    keyring_words(pub, words);
    cli_note("key %s (%s)", key, words);
    cli_note("serving %s on %s", server->options->root,
             tern_addr_format(&local, addr, sizeof addr));
}

static int open_server(struct server *server, struct ev_loop *loop, const uint8_t *secret,
                       const tern_addr *addr)
{
    const struct options *o = server->options;
    tern_config config;
    transport_config(&config, o);
    config.secret_key = secret;
    config.accept = true;
    config.early_data = true;
    config.unix_time = (uint64_t)time(NULL);
    config.silent = o->silent;
    config.cid_prefix[0] = (uint8_t)o->server_id;
    config.cid_prefix_len = o->has_server_id ? 1 : 0;
    config.verify = on_verify;
    config.verify_user = server;
    int rc = transport_open(&server->transport, loop, &config, addr, on_ready, server);
    if (rc != 0) {
        char text[TERN_ADDR_TEXT_SIZE];
        cli_error(tern_addr_format(addr, text, sizeof text),
                  rc == TERN_ERR_SYSTEM ? strerror(errno) : tern_strerror(rc),
                  errno == EADDRINUSE ? "another program has the port; choose one with --listen"
                                      : "check --listen");
        return CLI_CONNECT;
    }
    return -1;
}

static void run(struct server *server, struct ev_loop *loop)
{
    struct ev_signal interrupted, terminated, hung_up;
    ev_signal_init(&interrupted, on_signal, SIGINT);
    ev_signal_init(&terminated, on_signal, SIGTERM);
    ev_signal_init(&hung_up, on_signal, SIGHUP);
    ev_signal_start(loop, &interrupted);
    ev_signal_start(loop, &terminated);
    ev_signal_start(loop, &hung_up);
    announce(server);
    (void)ev_run(loop, 0);
    ev_signal_stop(loop, &interrupted);
    ev_signal_stop(loop, &terminated);
    ev_signal_stop(loop, &hung_up);
}

int serve_run(const struct options *options)
{
    struct server server = {.options = options};
    struct ev_loop *loop = ev_default_loop(0);
    uint8_t secret[TERN_KEY_SIZE];
    bool has_key = false;
    tern_addr addr;
    int code = check_arguments(options, &addr);
    if (code < 0) {
        code = identity_load(options->key, secret, &has_key);
    }
    if (code < 0) {
        code = choose_clients(&server);
    }
    if (code >= 0) {
        return code;
    }
    if (!has_key) {
        cli_note("no key of its own: clients will see a new one at the next start; "
                 "make one with terncp keygen");
    }
    int root = open(options->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) {
        cli_error(options->root, strerror(errno), "name a folder with --root");
        return CLI_LOCAL;
    }
    struct work *work = work_new(loop);
    host_init(&server.host, options, loop, work, root);
    code = work == NULL ? CLI_LOCAL : open_server(&server, loop, has_key ? secret : NULL, &addr);
    sodium_memzero(secret, sizeof secret);
    if (code < 0) {
        run(&server, loop);
        code = CLI_OK;
    }
    host_end(&server.host, server.transport.endpoint);
    work_free(work);
    transport_close(&server.transport);
    (void)close(root);
    return code;
}
