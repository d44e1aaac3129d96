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
#include <unistd.h>

#include "shared/cli.h"
#include "shared/figures.h"
#include "shared/identity.h"
#include "shared/json.h"
#include "shared/keylog.h"
#include "shared/keyring.h"
#include "shared/metrics.h"
#include "shared/net.h"
#include "shared/service.h"
#include "shared/transport.h"
#include "ternchat/hub.h"
#include "ternchat/invite.h"
#include "ternchat/relay.h"
#include "ternchat/store.h"

#define IDLE          (90 * TERN_SEC)
#define PROBE         (20 * TERN_MSEC) /* somebody waits for what is not acknowledged: as clients do */
#define FAILURE_EVERY (60 * TERN_SEC) /* messages about a history that fails */
#define TICK          0.1             /* s */
#define BURST         200.0           /* packets that somebody may send at once */
#define RATE          50.0 /* and a second, for long; more waits in the transport's windows */
#define WINDOW        (256u << 10) /* of messages that wait so */
#define FIRST_WINDOW  (64u << 10)  /* of a file's stream: nobody has asked for it yet, maybe */
#define QUEUE         (1u << 20)   /* of messages to one client; then its seats wait */
#define MAX_PACKET    CHAT_PACKET_MAX
/* Handshakes at once before the others get a Retry: what a busy core does within a client's patience. After a
 * restart all come back together, and those beyond should wait rather than find themselves forgotten. */
#define HALF_OPEN  2000
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
    struct desk *desk;                  /* where the invited come in; NULL: not opened yet */
    const uint8_t *secret;              /* NULL: a new one each time */
    char history[KEYRING_PATH_SIZE];
    struct figures figures;
    struct metrics *metrics; /* NULL: nobody asks */
    struct keylog *keylog;
    tern_time told;         /* figures */
    tern_time told_failure; /* of the history */
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

static bool on_is_moderator(void *user, const uint8_t key[TERN_KEY_SIZE])
{
    const struct server *server = user;
    return server->options->moderators != NULL &&
           keyring_is_authorized(server->options->moderators, key) == KEYRING_OK;
}

/* At another server of the same chat they may come in, too. */
static void on_guest(void *user, const uint8_t key[TERN_KEY_SIZE])
{
    const struct server *server = user;
    hub_add_guest(server->hub, key);
}

/* Opens the desk where the invited come in, once there is one to come. */
static const char *on_invite(void *user, char *code, size_t size)
{
    struct server *server = user;
    if (server->authorized[0] == '\0') {
        return "everybody may come: there is no need for a code";
    }
    if (server->desk == NULL) {
        tern_addr local = tern_udp_local(server->transport.udp);
        server->desk =
            desk_new(server->loop, server->secret, &local, server->authorized, on_guest, server);
    }
    return server->desk == NULL || !desk_invite(server->desk, code, size)
               ? "the server cannot make a code now"
               : NULL;
}

static void note_json(const char *what, const uint8_t *key, const char *nick, const char *room)
{
    char text[KEYRING_TEXT_SIZE];
    (void)printf("{\"event\":\"%s\",\"time_ms\":%llu", what, (unsigned long long)on_wall(NULL));
    if (key != NULL) {
        keyring_format(key, text);
        json_field(stdout, "key", text);
        json_field(stdout, "nick", nick);
    }
    if (*room != '\0') {
        json_field(stdout, key != NULL ? "room" : "why", room);
    }
    (void)fputs("}\n", stdout);
    (void)fflush(stdout);
}

static void on_note(void *user, const char *what, const uint8_t *key, const char *nick,
                    const char *room)
{
    struct server *server = user;
    if (strcmp(what, "broker-back") == 0) {
        server->told_failure = 0;
        cli_note("%s", room);
    } else if (key == NULL) { /* the history failed: it may do so with every word */
        tern_time now = tern_udp_now();
        if (server->told_failure != 0 && now - server->told_failure < FAILURE_EVERY) {
            return;
        }
        server->told_failure = now;
        bool is_broker = strcmp(what, "broker-lost") == 0;
        cli_error(is_broker ? "the broker" : "the history", room,
                  is_broker ? "words are refused until it is there again"
                            : "make room on the disk; words are refused until then");
    } else {
        cli_verbose(1, "%s: %s%s%s", what, nick, *room == '\0' ? "" : " in ", room);
    }
    if (server->options->json) {
        note_json(what, key, nick, room);
    }
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
    while (!hub_is_busy(peer->session) && may_talk(peer, now)) {
        if (tern_conn_receive(peer->conn, &m) != 1) {
            peer->allowed += 1;
            return;
        }
        hub_receive(peer->session, (uint16_t)m.channel, m.data, m.len, now);
    }
}

/* Its connection may be closed already, and its peer gone. */
static void on_resume(void *user, void *conn)
{
    struct server *server = user;
    struct peer *peer = conn == NULL ? NULL : tern_conn_user(conn);
    if (peer != NULL) {
        receive(peer);
    }
    tern_ev_wake(server->transport.binding);
}

static void stop_waiting(struct peer *peer)
{
    struct peer **at = &peer->server->waiting;
    while (peer->is_waiting && *at != peer) {
        at = &(*at)->next_waiting;
    }
    if (peer->is_waiting) {
        *at = peer->next_waiting;
        peer->is_waiting = false;
    }
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
    /* Said before the goodbye; who says goodbye may say no more at once than who stays. */
    while (may_talk(peer, now) && tern_conn_receive(peer->conn, &m) == 1) {
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
        figures_on_event(&server->figures, &ev);
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
        } else if (ev.stream != NULL) {
            relay_on_event(peer->session, &ev, tern_udp_now());
        }
    }
}

static void tell_figures(const struct server *server)
{
    struct hub_counts c;
    hub_count(server->hub, &c);
    if (server->options->json) {
        (void)printf("{\"event\":\"stats\",\"time_ms\":%llu,\"connections\":%zu,\"rooms\":%zu,"
                     "\"files\":%zu,"
                     "\"events\":%llu,\"refusals\":%llu,\"history_failures\":%llu,"
                     "\"history_bytes\":%llu}\n",
                     (unsigned long long)on_wall(NULL), c.sessions, c.rooms, c.relays,
                     (unsigned long long)c.events, (unsigned long long)c.refusals,
                     (unsigned long long)c.store_failures, (unsigned long long)c.store_bytes);
        (void)fflush(stdout);
    } else {
        cli_note("%zu connections, %zu rooms, %llu events, %llu refusals, history %llu bytes",
                 c.sessions, c.rooms, (unsigned long long)c.events, (unsigned long long)c.refusals,
                 (unsigned long long)c.store_bytes);
    }
}

/* For --metrics. */
static void fill_page(void *user, struct metrics_page *page)
{
    struct server *server = user;
    uint64_t sums[FIGURES] = {0};
    struct hub_counts c;
    figures_publish(&server->figures, server->transport.endpoint);
    figures_add(sums, &server->figures);
    figures_show(sums, page);
    hub_count(server->hub, &c);
    metrics_add(page, "chat_people", "People who are there.", true, c.people);
    metrics_add(page, "chat_sessions", "Sessions of theirs.", true, c.sessions);
    metrics_add(page, "chat_rooms", "Rooms.", true, c.rooms);
    metrics_add(page, "chat_files", "Files on their way through the server.", true, c.relays);
    metrics_add(page, "chat_events_total", "What was said and done in rooms.", false, c.events);
    metrics_add(page, "chat_refusals_total", "Wishes that were refused.", false, c.refusals);
    metrics_add(page, "chat_history_failures_total", "Events that the history did not take.", false,
                c.store_failures);
    metrics_add(page, "chat_history_bytes", "Size of the history.", true, c.store_bytes);
}

/* -1: they are to be had, or nobody wants them. */
static int open_metrics(struct server *server)
{
    int code = -1;
    if (server->options->metrics != NULL) {
        server->metrics =
            metrics_open(server->options->metrics, server->loop, fill_page, server, &code);
        if (server->metrics == NULL) {
            return code;
        }
        cli_note("figures at %s", metrics_url(server->metrics));
    }
    return -1;
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
    tern_time now = tern_udp_now();
    hub_tick(server->hub, now);
    if (server->options->stats_interval > 0 &&
        now - server->told >= server->options->stats_interval) {
        server->told = now;
        tell_figures(server);
    }
    tern_ev_wake(server->transport.binding);
}

/* --- birth and death ---------------------------------------------------------------------------------- */

static int on_verify(void *user, tern_conn *conn, const uint8_t key[TERN_KEY_SIZE])
{
    const struct server *server = user;
    (void)conn;
    return server->authorized[0] == '\0' ||
                   keyring_is_authorized(server->authorized, key) == KEYRING_OK ||
                   hub_is_guest(server->hub, key)
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
    config.probe_interval = PROBE;
    config.max_message = MAX_PACKET;
    config.message_window = WINDOW;
    config.retry_half_open = HALF_OPEN;
    config.message_buffer = QUEUE;
    config.max_streams_bidi = 0;
    config.max_streams_uni = RELAY_STREAMS;
    config.stream_window = FIRST_WINDOW;
    config.stream_window_max = RELAY_WINDOW;
    /* All of them full, or one file that its receiver does not take would hold up the others. */
    config.conn_window = config.conn_window_max = (uint64_t)RELAY_STREAMS * RELAY_WINDOW;
    config.stream_send_buffer = RELAY_WINDOW;
    config.verify = on_verify;
    config.verify_user = server;
    if (o->key_log != NULL && (server->keylog = keylog_add(o->key_log, &config)) == NULL) {
        return CLI_LOCAL;
    }
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
    const char *moderators = server->options->moderators;
    if (moderators != NULL && access(moderators, R_OK) != 0) {
        cli_note("%s: %s: nobody moderates until it can be read", moderators, strerror(errno));
    }
    if (file != NULL && access(file, R_OK) != 0 && !server->options->invite) {
        cli_note("%s: %s: nobody can come in until it can be read", file, strerror(errno));
    }
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
    char state[TERN_ADDR_TEXT_SIZE + 40];
    tern_endpoint_public_key(server->transport.endpoint, key);
    keyring_format(key, pin);
    (void)tern_addr_format(&local, text, sizeof text);
    if (server->options->json) {
        (void)fputs("{\"event\":\"serving\"", stdout);
        json_field(stdout, "listen", text);
        json_field(stdout, "key", pin);
        (void)fputs("}\n", stdout);
    } else {
        (void)printf("listening on %s\nkey %s\n", text, pin);
    }
    (void)fflush(stdout);
    (void)snprintf(state, sizeof state, "READY=1\nSTATUS=listening on %s", text);
    (void)service_notify(state);
}

/* By what this machine may be reached, for people to paste. */
static void own_host(const struct server *server, char *out, size_t size)
{
    const char *listen = server->options->listen;
    uint16_t port = 0;
    bool is_named = listen != NULL && net_split(listen, out, size, &port) && out[0] != '\0' &&
                    strcmp(out, "::") != 0 && strcmp(out, "0.0.0.0") != 0;
    if (!is_named && gethostname(out, size) != 0) {
        (void)snprintf(out, size, "HOST");
    }
    out[size - 1] = '\0';
}

static int show_invitation(struct server *server)
{
    char code[CHAT_TEXT_MAX], host[256];
    const char *why = server->options->invite ? on_invite(server, code, sizeof code) : NULL;
    if (why != NULL) {
        cli_error("--invite", why, NULL);
        return CLI_LOCAL;
    }
    if (server->options->invite) {
        int secret = (int)strcspn(code, "@");
        own_host(server, host, sizeof host);
        bool is_v6 = strchr(host, ':') != NULL;
        cli_note("somebody new comes in, once, with this (or another name of this machine in it):");
        cli_note("ternchat %.*s@%s%s%s%s", secret, code, is_v6 ? "[" : "", host, is_v6 ? "]" : "",
                 code + secret + 1);
        (void)printf(server->options->json ? "{\"event\":\"code\",\"code\":\"%s\"}\n" : "code %s\n",
                     code);
        (void)fflush(stdout);
    }
    return -1;
}

/* -1: fine; server->history is "" for none. */
static int choose_history(struct server *server)
{
    const struct options *o = server->options;
    if (o->broker != NULL) {
        cli_note("the broker keeps what is said: no history of our own");
        return -1;
    }
    if (o->no_history || (o->history == NULL && !store_is_built_in())) {
        if (!o->no_history) {
            cli_note("no history is kept: built without SQLite");
        }
        return -1;
    }
    if (o->history == NULL ? !keyring_state_path("ternchat.db", server->history)
                           : snprintf(server->history, sizeof server->history, "%s", o->history) >=
                                 (int)sizeof server->history) {
        cli_error("the history", o->history == NULL ? "no home folder" : "the name is too long",
                  "name a file with --history, or use --no-history");
        return CLI_USAGE;
    }
    if (o->history == NULL && !keyring_make_folders(server->history)) {
        cli_error(server->history, strerror(errno),
                  "name a file with --history, or use --no-history");
        return CLI_LOCAL;
    }
    return -1;
}

static void on_signal(struct ev_loop *loop, struct ev_signal *w, int events)
{
    (void)w;
    (void)events;
    ev_break(loop, EVBREAK_ALL);
}

static int run(struct server *server)
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
    int code = show_invitation(server);
    if (code < 0) {
        (void)ev_run(server->loop, 0);
        (void)service_notify("STOPPING=1");
        hub_end(server->hub, server->loop);
    }
    ev_timer_stop(server->loop, &server->ticker);
    for (size_t i = 0; i < 3; i++) {
        ev_signal_stop(server->loop, &signals[i]);
    }
    tern_endpoint_close_all(server->transport.endpoint, CLOSE_DOWN, "the server ends");
    on_ready(server->transport.binding, server);
    desk_free(server->desk);
    return code < 0 ? CLI_OK : code;
}

static struct hub *open_hub(struct server *server)
{
    const struct options *o = server->options;
    struct hub_port port = {.user = server,
                            .send = on_send,
                            .close = on_close,
                            .wall = on_wall,
                            .is_moderator = on_is_moderator,
                            .invite = on_invite,
                            .resume = on_resume,
                            .note = on_note,
                            .relay_end = relay_end,
                            .relay_open = relay_open,
                            .relay_take = relay_take,
                            .relay_go = relay_go};
    struct hub_config config = {.motd = o->motd,
                                .path = server->history[0] == '\0' ? NULL : server->history,
                                .history_bytes = o->history_size,
                                .history_age = o->history_age / TERN_MSEC,
                                .files = (size_t)o->files};
    char why[HUB_WHY_SIZE] = "";
    struct hub *hub = hub_new(&port, &config, why);
    if (hub == NULL) {
        cli_error(server->history[0] == '\0' ? "ternchat" : server->history, why, NULL);
    }
    if (hub != NULL && o->broker != NULL &&
        !hub_spread(hub, server->loop, o->broker, config.history_age, why)) {
        cli_error("--broker", why, NULL);
        hub_free(hub);
        return NULL;
    }
    return hub;
}

/* Clients know a server by its key: with a new one at each start, all who were there before would be locked
 * out. So the first start makes one where the next will look. */
static int make_key(const struct options *o, uint8_t secret[TERN_KEY_SIZE], bool *has_key)
{
    char path[KEYRING_PATH_SIZE];
    uint8_t pub[TERN_KEY_SIZE];
    if (*has_key) {
        return -1;
    }
    if (keyring_path("id", path) && keyring_create(path, pub) == KEYRING_OK) {
        cli_note("a key was made: %s", path);
    }
    int code = identity_load(o->key, secret, has_key); /* another program may have been faster */
    if (code < 0 && !*has_key) {
        cli_note("no key of its own, and none can be made: clients will see a new one at the next "
                 "start; name a file with --key");
    }
    return code;
}

int serve_run(const struct options *options)
{
    struct server server = {.options = options, .loop = ev_default_loop(0)};
    uint8_t secret[TERN_KEY_SIZE];
    bool has_key = false;
    int code = identity_load(options->key, secret, &has_key);
    code = code < 0 ? choose_clients(&server) : code;
    code = code < 0 ? choose_history(&server) : code;
    code = code < 0 ? make_key(options, secret, &has_key) : code;
    if (code >= 0) {
        return code;
    }
    server.hub = open_hub(&server);
    if (server.hub == NULL) {
        return options->broker != NULL ? CLI_USAGE : CLI_LOCAL;
    }
    server.secret = has_key ? secret : NULL;
    code = open_server(&server, server.secret);
    if (code < 0) {
        code = open_metrics(&server);
        code = code < 0 ? run(&server) : code;
        metrics_close(server.metrics);
        transport_close(&server.transport);
    }
    keylog_free(server.keylog);
    sodium_memzero(secret, sizeof secret);
    hub_free(server.hub);
    return code;
}
