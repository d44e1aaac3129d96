/* The hub on a socket: a connection is a session, and who talks too fast is read more slowly.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "ternchat/serve.h"

#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shared/cli.h"
#include "shared/identity.h"
#include "shared/keyring.h"
#include "shared/net.h"
#include "shared/transport.h"
#include "ternchat/hub.h"

#define IDLE       (90 * TERN_SEC)
#define TICK       0.1          /* s */
#define BURST      200.0        /* packets that somebody may send at once */
#define RATE       50.0         /* and a second, for long; more waits in the transport's windows */
#define WINDOW     (256u << 10) /* of messages that wait so */
#define QUEUE      (1u << 20)   /* of messages to one client; then its seats wait */
#define MAX_PACKET CHAT_PACKET_MAX
#define CLOSE_BYE  1
#define CLOSE_BAD  2
#define CLOSE_DOWN 3

struct server {
    const struct options *options;
    struct transport transport;
    struct ev_loop *loop;
    struct ev_timer ticker;
    struct hub *hub;
    char authorized[KEYRING_PATH_SIZE]; /* empty: everybody */
    struct peer *waiting;               /* those who talk too fast */
};

struct peer {
    struct server *server;
    tern_conn *conn;
    struct hub_session *session;
    double allowed;
    tern_time filled;
    bool is_waiting;
    struct peer *next_waiting;
};

/* --- the hub's port ---------------------------------------------------------------------------------- */

static bool on_send(void *user, void *conn, uint16_t channel, const uint8_t *data, size_t len,
                    bool is_latest)
{
    tern_send_options o;
    (void)user;
    tern_send_options_init(&o);
    o.channel = channel;
    o.order = is_latest ? TERN_LATEST : TERN_ORDERED;
    o.priority = is_latest ? 4 : 2;
    int rc = tern_conn_send(conn, data, len, &o, tern_udp_now());
    if (rc != 0 && rc != TERN_ERR_AGAIN) { /* else its CLOSED event is on its way */
        tern_conn_close(conn, CLOSE_BAD, "it does not take the packets of ternchat");
    }
    return rc != TERN_ERR_AGAIN || is_latest;
}

static void on_close(void *user, void *conn, const char *why)
{
    (void)user;
    tern_conn_close(conn, CLOSE_BAD, why);
}

static uint64_t on_wall(void *user)
{
    struct timespec now;
    (void)user;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* --- peers -------------------------------------------------------------------------------------------- */

static bool may_talk(struct peer *peer, tern_time now)
{
    peer->allowed += (double)(now - peer->filled) / 1e9 * RATE;
    peer->allowed = peer->allowed < BURST ? peer->allowed : BURST;
    peer->filled = now;
    if (peer->allowed >= 1) {
        peer->allowed -= 1;
        return true;
    }
    if (!peer->is_waiting) {
        peer->is_waiting = true;
        peer->next_waiting = peer->server->waiting;
        peer->server->waiting = peer;
    }
    return false;
}

static void receive(struct peer *peer)
{
    tern_message m = {.size = sizeof m};
    tern_time now = tern_udp_now();
    while (may_talk(peer, now)) {
        if (tern_conn_receive(peer->conn, &m) != 1) {
            peer->allowed += 1;
            return;
        }
        hub_receive(peer->session, (uint16_t)m.channel, m.data, m.len, now);
    }
}

static void stop_waiting(struct peer *peer)
{
    for (struct peer **at = &peer->server->waiting; *at != NULL; at = &(*at)->next_waiting) {
        if (*at == peer) {
            *at = peer->next_waiting;
            break;
        }
    }
    peer->is_waiting = false;
}

static void on_came(struct server *server, tern_conn *conn)
{
    uint8_t key[TERN_KEY_SIZE];
    struct peer *peer = calloc(1, sizeof *peer);
    if (peer == NULL || tern_conn_peer_key(conn, key) != 0 ||
        (peer->session = hub_came(server->hub, conn, key, tern_udp_now())) == NULL) {
        free(peer);
        tern_conn_close(conn, CLOSE_DOWN, "out of memory");
        return;
    }
    peer->server = server;
    peer->conn = conn;
    peer->allowed = BURST;
    peer->filled = tern_udp_now();
    tern_conn_set_user(conn, peer);
}

static void on_went(struct peer *peer, const tern_close_info *close)
{
    bool is_bye =
        close->by == TERN_CLOSED_PEER && close->is_application && close->code == CLOSE_BYE;
    tern_message m = {.size = sizeof m};
    tern_time now = tern_udp_now();
    while (tern_conn_receive(peer->conn, &m) == 1) { /* said before the goodbye */
        hub_receive(peer->session, (uint16_t)m.channel, m.data, m.len, now);
    }
    stop_waiting(peer);
    hub_left(peer->session, is_bye, now);
    free(peer);
}

static void on_ready(tern_ev *binding, void *user)
{
    struct server *server = user;
    tern_event ev;
    (void)binding;
    while (tern_endpoint_poll(server->transport.endpoint, &ev) == 1) {
        struct peer *peer = tern_conn_user(ev.conn);
        if (ev.type == TERN_EVENT_CONNECTED) {
            on_came(server, ev.conn);
        } else if (peer == NULL) {
            continue;
        } else if (ev.type == TERN_EVENT_MESSAGES) {
            receive(peer);
        } else if (ev.type == TERN_EVENT_MESSAGES_WRITABLE) {
            hub_on_writable(peer->session);
        } else if (ev.type == TERN_EVENT_CLOSED) {
            on_went(peer, &ev.close);
        }
    }
}

static void on_tick(struct ev_loop *loop, struct ev_timer *timer, int events)
{
    struct server *server = timer->data;
    struct peer *waiting = server->waiting;
    (void)loop;
    (void)events;
    server->waiting = NULL;
    while (waiting != NULL) {
        struct peer *next = waiting->next_waiting;
        waiting->is_waiting = false;
        receive(waiting);
        waiting = next;
    }
    hub_tick(server->hub, tern_udp_now());
    tern_ev_wake(server->transport.binding);
}

/* --- birth and death ---------------------------------------------------------------------------------- */

static int on_verify(void *user, tern_conn *conn, const uint8_t key[TERN_KEY_SIZE])
{
    const struct server *server = user;
    (void)conn;
    return server->authorized[0] == '\0' ||
                   keyring_is_authorized(server->authorized, key) == KEYRING_OK
               ? 0
               : TERN_ERR_REFUSED;
}

static int open_server(struct server *server, const uint8_t *secret)
{
    const struct options *o = server->options;
    char host[256] = "::", text[TERN_ADDR_TEXT_SIZE];
    const char *reason = NULL;
    uint16_t port = CHAT_PORT;
    tern_addr addr;
    tern_config config;
    if (o->listen != NULL && (!net_split(o->listen, host, sizeof host, &port) ||
                              tern_udp_resolve(&addr, host, port, o->family, &reason) != 0)) {
        return cli_refuse("--listen", o->listen, "give address:port or [v6]:port");
    }
    if (o->listen == NULL && tern_udp_resolve(&addr, host, port, 0, &reason) != 0) {
        cli_error("socket", reason, "name an address with --listen");
        return CLI_CONNECT;
    }
    tern_config_init(&config);
    config.secret_key = secret;
    config.accept = true;
    config.silent = o->silent;
    config.suites = o->suites;
    config.cc = o->cc;
    config.idle_timeout = IDLE;
    config.max_message = MAX_PACKET;
    config.message_window = WINDOW;
    config.message_buffer = QUEUE;
    config.verify = on_verify;
    config.verify_user = server;
    int rc = transport_open(&server->transport, server->loop, &config, &addr, on_ready, server);
    if (rc != 0) {
        cli_error(tern_addr_format(&addr, text, sizeof text),
                  rc == TERN_ERR_SYSTEM ? strerror(errno) : tern_strerror(rc),
                  errno == EADDRINUSE ? "another program has the port; choose one with --listen"
                                      : "check --listen");
        return CLI_CONNECT;
    }
    return -1;
}

static int choose_clients(struct server *server)
{
    const char *file = server->options->authorized_keys;
    if (server->options->anonymous || file == NULL) {
        return -1;
    }
    if (snprintf(server->authorized, sizeof server->authorized, "%s", file) >=
        (int)sizeof server->authorized) {
        return cli_refuse("--authorized-keys", file, "the name is too long");
    }
    return -1;
}

static void announce(const struct server *server)
{
    char text[TERN_ADDR_TEXT_SIZE], pin[KEYRING_TEXT_SIZE];
    uint8_t key[TERN_KEY_SIZE];
    tern_addr local = tern_udp_local(server->transport.udp);
    tern_endpoint_public_key(server->transport.endpoint, key);
    keyring_format(key, pin);
    (void)printf("listening on %s\nkey %s\n", tern_addr_format(&local, text, sizeof text), pin);
    (void)fflush(stdout);
}

static void on_signal(struct ev_loop *loop, struct ev_signal *w, int events)
{
    (void)w;
    (void)events;
    ev_break(loop, EVBREAK_ALL);
}

static void run(struct server *server)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct ev_signal signals[3];
    for (size_t i = 0; i < 3; i++) {
        ev_signal_init(&signals[i], on_signal, numbers[i]);
        ev_signal_start(server->loop, &signals[i]);
    }
    ev_timer_init(&server->ticker, on_tick, TICK, TICK);
    server->ticker.data = server;
    ev_timer_start(server->loop, &server->ticker);
    announce(server);
    (void)ev_run(server->loop, 0);
    ev_timer_stop(server->loop, &server->ticker);
    for (size_t i = 0; i < 3; i++) {
        ev_signal_stop(server->loop, &signals[i]);
    }
    tern_endpoint_close_all(server->transport.endpoint, CLOSE_DOWN, "the server ends");
    on_ready(server->transport.binding, server);
}

int serve_run(const struct options *options)
{
    struct server server = {.options = options, .loop = ev_default_loop(0)};
    struct hub_port port = {&server, on_send, on_close, on_wall};
    struct hub_config config = {.motd = options->motd};
    uint8_t secret[TERN_KEY_SIZE];
    bool has_key = false;
    const char *why = NULL;
    int code = identity_load(options->key, secret, &has_key);
    if (code < 0) {
        code = choose_clients(&server);
    }
    if (code >= 0) {
        return code;
    }
    if (!has_key) {
        cli_note("no key of its own: clients will see a new one at the next start; "
                 "make one with ternchat keygen");
    }
    server.hub = hub_new(&port, &config, &why);
    if (server.hub == NULL) {
        cli_error("ternchat", why, NULL);
        return CLI_LOCAL;
    }
    code = open_server(&server, has_key ? secret : NULL);
    sodium_memzero(secret, sizeof secret);
    if (code < 0) {
        run(&server);
        code = CLI_OK;
        transport_close(&server.transport);
    }
    hub_free(server.hub);
    return code;
}
