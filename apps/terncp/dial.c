/* Attempts at a connection: at all addresses of the peer at once, by key, code or first contact.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/dial.h"

#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "shared/cli.h"
#include "shared/identity.h"
#include "shared/keylog.h"
#include "shared/qlog.h"
#include "shared/term.h"

/* One ICMP message may be about a server that begins at this moment, or forged: RFC 9000 §21.9. */
#define REFUSALS_ENOUGH 2
#define PROBE_AFTER     (3 * TERN_SEC) /* a pinned server that is silent for so long is asked its key */

void dial_stop(struct dial *d, enum dial_outcome outcome)
{
    if (d->outcome == DIAL_RUNNING) {
        d->outcome = outcome;
        ev_break(d->loop, EVBREAK_ALL);
    }
}

/* --- events ------------------------------------------------------------------------------------------ */

static void begin(struct dial *d, bool is_early)
{
    d->is_begun = true;
    d->calls->begin(d->user, d->conn, is_early);
}

/* The user's word at first contact, if it can be had without a question: asking takes longer than a
 * connection waits. */
static bool trusts_at_once(struct dial *d)
{
    if (!d->options->accept_new) {
        return false;
    }
    d->trust_code = trust_decide(&d->trust, d->seen);
    return d->trust_code < 0;
}

/* Where the system cannot tell, a closed port is as silent as a dead host. */
static void heed_refusals(struct dial *d, bool is_wanted)
{
    int rc = tern_udp_heed_refusals(d->transport.udp, is_wanted);
    (void)rc;
}

/* Nothing has come, and the port is closed. */
static bool is_refused(const struct dial *d, const tern_conn *conn)
{
    tern_stats stats = {.size = sizeof stats};
    tern_addr remote = tern_conn_remote(conn);
    tern_conn_stats(conn, &stats);
    return stats.packets_received == 0 &&
           tern_udp_refusals(d->transport.udp, &remote) >= REFUSALS_ENOUGH;
}

/* So is each that is still tried. */
static bool is_nobody_there(const struct dial *d)
{
    unsigned refused = 0;
    for (unsigned i = 0; i < d->addr_count; i++) {
        if (d->racing[i] != NULL && !is_refused(d, d->racing[i])) {
            return false;
        }
        refused += d->racing[i] != NULL;
    }
    return refused > 0;
}

static void on_connected(struct dial *d, tern_conn *conn)
{
    if (d->is_connected) { /* another address of the same peer was faster */
        tern_conn_close(conn, 0, "");
        return;
    }
    d->conn = conn;
    d->is_connected = true;
    heed_refusals(d, false); /* nobody who forges them has a say from now on */
    for (unsigned i = 0; i < d->addr_count; i++) {
        if (d->racing[i] != NULL && d->racing[i] != conn) {
            tern_conn_close(d->racing[i], 0, "");
        }
    }
    if (d->only_key) {
        bool has_key = tern_conn_peer_key(conn, d->seen) == 0;
        if (has_key && !d->trust.has_key && trusts_at_once(d)) {
            d->only_key = false;
            memcpy(d->resume.server, d->trust.key, TERN_KEY_SIZE);
            d->resume.has_server = true;
        } else {
            tern_conn_close(conn, 0, "");
            dial_stop(d, has_key ? DIAL_KEY : DIAL_LOST);
            return;
        }
    }
    if (!d->is_begun) {
        begin(d, false);
    }
    ev_break(d->loop, EVBREAK_ALL); /* dial_open() has what it wants */
}

/* A full house refuses, too, and says so in words of its own. */
static bool is_our_key_refused(const tern_close_info *close)
{
    static const char words[] = "identity refused";
    return close->by == TERN_CLOSED_PEER && close->error == TERN_ERR_REFUSED &&
           close->reason_len == sizeof words - 1 &&
           memcmp(close->reason, words, sizeof words - 1) == 0;
}

static void say_lost(struct dial *d, const tern_close_info *close)
{
    char reason[300];
    (void)term_escape((const char *)close->reason, close->reason_len, reason, sizeof reason);
    cli_error(d->trust.name,
              reason[0] != '\0'                  ? reason
              : close->by == TERN_CLOSED_TIMEOUT ? "connection lost, nothing heard for 10 s"
                                                 : tern_strerror(close->error),
              "the copy is not complete; run the command again");
}

/* One of several attempts is over. True: it was the last. */
static bool was_last(struct dial *d, const tern_conn *conn)
{
    unsigned left = 0;
    for (unsigned i = 0; i < d->addr_count; i++) {
        d->racing[i] = d->racing[i] == conn ? NULL : d->racing[i];
        left += d->racing[i] != NULL ? 1 : 0;
    }
    return left == 0;
}

/* Asked while the connection's handle is still good. */
static void keep_token(struct dial *d, const tern_conn *conn)
{
    size_t len;
    tern_path_memory path;
    tern_addr remote = tern_conn_remote(conn);
    if (d->resume.has_server && tern_conn_path_memory(conn, &path) == 0) {
        resume_on_path(&d->resume, &remote, &path);
    }
    if (d->resume.has_server &&
        tern_conn_address_token(conn, d->resume.token, sizeof d->resume.token, &len) == 0) {
        d->resume.token_len = len;
    }
}

static void on_closed(struct dial *d, const tern_conn *conn, const tern_close_info *close)
{
    bool is_last = was_last(d, conn);
    if (conn != d->conn && (d->is_connected || (!is_last && close->by == TERN_CLOSED_TIMEOUT))) {
        return;
    }
    if (d->is_begun) {
        d->calls->end(d->user);
        d->is_begun = false;
    }
    keep_token(d, conn);
    d->conn = NULL;
    if (d->outcome != DIAL_RUNNING) {
        return;
    }
    if (is_our_key_refused(close)) {
        dial_stop(d, DIAL_REFUSED);
    } else if (close->error == TERN_ERR_SECRET || close->error == TERN_ERR_MODE) {
        dial_stop(d, DIAL_SECRET);
    } else if (!d->is_connected && close->by == TERN_CLOSED_TIMEOUT) {
        dial_stop(d, DIAL_SILENT);
    } else {
        say_lost(d, close);
        dial_stop(d, DIAL_LOST);
    }
}

static void on_ready(tern_ev *binding, void *user)
{
    struct dial *d = user;
    tern_event ev;
    (void)binding;
    while (tern_endpoint_poll(d->transport.endpoint, &ev) == 1) {
        if (ev.type == TERN_EVENT_CONNECTED) {
            on_connected(d, ev.conn);
        } else if (ev.type == TERN_EVENT_CLOSED) {
            on_closed(d, ev.conn, &ev.close);
        } else if (ev.type == TERN_EVENT_TICKET && ev.conn == d->conn) {
            resume_on_ticket(&d->resume, &ev);
        } else if (ev.conn == d->conn && d->is_begun && d->outcome == DIAL_RUNNING) {
            d->calls->event(d->user, &ev);
        }
        if (d->calls->after != NULL && d->conn != NULL && d->is_begun &&
            d->outcome == DIAL_RUNNING) {
            d->calls->after(d->user);
        }
    }
    if (d->outcome == DIAL_RUNNING && !d->is_connected && is_nobody_there(d)) {
        dial_stop(d, DIAL_NOBODY);
    }
}

/* Whoever has been heard by now is there, and gets all the time that a handshake may take: over a long
 * path it is confirmed long after the answer has come. */
static void on_silent(struct ev_loop *loop, struct ev_timer *timer, int events)
{
    struct dial *d = timer->data;
    (void)loop;
    (void)events;
    bool is_heard = d->is_connected;
    for (unsigned i = 0; i < d->addr_count; i++) {
        tern_stats stats = {.size = sizeof stats};
        if (d->racing[i] != NULL) {
            tern_conn_stats(d->racing[i], &stats);
        }
        is_heard = is_heard || stats.packets_received > 0;
    }
    if (!is_heard) {
        dial_stop(d, DIAL_SILENT);
    }
}

static void on_signal(struct ev_loop *loop, struct ev_signal *w, int events)
{
    struct dial *d = w->data;
    (void)loop;
    (void)events;
    if (d->conn != NULL) {
        tern_conn_close(d->conn, 0, "interrupted");
    }
    dial_stop(d, DIAL_SIGNAL);
}

/* --- attempts ------------------------------------------------------------------------------------------ */

static int connect_to(struct dial *d, const uint8_t *key, unsigned i)
{
    tern_peer peer;
    tern_path_memory path;
    tern_time age = 0;
    tern_peer_init(&peer);
    peer.addr = d->addrs[i];
    peer.key = key;
    peer.secret = d->has_psk ? d->psk : NULL;
    peer.code = d->code;
    if (key != NULL && !d->is_never_early && d->resume.has_server && resume_age(&d->resume, &age)) {
        peer.ticket = d->resume.ticket;
        peer.ticket_len = d->resume.ticket_len;
        peer.ticket_age = age;
    }
    if (key != NULL && d->resume.has_server && resume_path(&d->resume, &d->addrs[i], &path)) {
        peer.path = &path;
    }
    if (key != NULL && d->resume.token_len > 0) {
        peer.token = d->resume.token;
        peer.token_len = d->resume.token_len;
    }
    int rc = tern_endpoint_connect(d->transport.endpoint, &peer, &d->racing[i], tern_udp_now());
    if (rc == TERN_ERR_INVALID && peer.ticket != NULL) { /* what was kept is damaged */
        peer.ticket = peer.token = NULL;
        peer.ticket_len = peer.token_len = d->resume.ticket_len = d->resume.token_len = 0;
        rc = tern_endpoint_connect(d->transport.endpoint, &peer, &d->racing[i], tern_udp_now());
    }
    if (rc == 0 && peer.ticket != NULL) {
        d->conn = d->racing[i]; /* whoever has a ticket has but one address */
        begin(d, true);
        d->resume.ticket_len = 0; /* it is good for one attempt */
    }
    return rc;
}

/* --qlog: files of their own for each attempt. --key-log: one for all. */
static bool trace(struct dial *d, tern_config *config)
{
    static unsigned attempts;
    if (d->options->qlog != NULL) {
        d->qlog = qlog_new(d->options->qlog, "terncp", attempts++);
        if (d->qlog == NULL) {
            cli_error(d->options->qlog, strerror(errno), "give a folder for --qlog");
            return false;
        }
        config->trace = qlog_sink(d->qlog);
    }
    d->keylog = d->options->key_log == NULL ? NULL : keylog_add(d->options->key_log, config);
    return d->options->key_log == NULL || d->keylog != NULL;
}

static int open_attempt(struct dial *d, const uint8_t *key, tern_time timeout)
{
    tern_config config;
    transport_config(&config, d->options);
    config.secret_key = d->has_identity ? d->secret : d->resume.is_made ? d->resume.secret : NULL;
    config.handshake_timeout = timeout;
    if (!trace(d, &config)) {
        return TERN_ERR_SYSTEM;
    }
    int rc = transport_open(&d->transport, d->loop, &config, NULL, on_ready, d), failed = 0;
    unsigned begun = 0;
    if (rc == 0) {
        heed_refusals(d, true);
    }
    for (unsigned i = 0; i < d->addr_count && rc == 0; i++) {
        int one = connect_to(d, key, i);
        begun += one == 0 ? 1 : 0;
        failed = one != 0 ? one : failed;
    }
    rc = rc == 0 && begun == 0 ? failed : rc;
    if (rc != 0) {
        cli_error(d->trust.name, rc == TERN_ERR_SYSTEM ? strerror(errno) : tern_strerror(rc),
                  rc == TERN_ERR_UNSUPPORTED && d->options->suites != TERN_SUITE_ANY
                      ? "this machine has none of the suites of --cipher"
                      : "check the address and the options");
    }
    return rc;
}

static void end_attempt(struct dial *d)
{
    if (d->is_begun) {
        d->calls->end(d->user);
        d->is_begun = false;
    }
    transport_close(&d->transport);
    keylog_free(d->keylog);
    qlog_free(d->qlog);
    d->keylog = NULL;
    d->qlog = NULL;
    memset(d->racing, 0, sizeof d->racing);
    d->conn = NULL;
}

/* The answer came with the connection, and all is done: dial_wait() has nothing to wait for. */
static bool is_over(const struct dial *d)
{
    return d->is_connected && (d->outcome == DIAL_DONE || d->outcome == DIAL_REQUEST);
}

static void run_attempt(struct dial *d, tern_time silence)
{
    ev_timer_init(&d->silence, on_silent, (double)silence / (double)TERN_SEC, 0);
    d->silence.data = d;
    if (silence > 0) {
        ev_now_update(d->loop);
        ev_timer_start(d->loop, &d->silence);
    }
    tern_ev_wake(d->transport.binding);
    while (d->outcome == DIAL_RUNNING && !d->is_connected) {
        (void)ev_run(d->loop, 0);
    }
    ev_timer_stop(d->loop, &d->silence);
}

/* One attempt, given up after so much silence; 0: not for that. DIAL_RUNNING: the connection stands, and
 * the attempt is not ended. */
static enum dial_outcome attempt(struct dial *d, const uint8_t *key, bool only_key,
                                 tern_time timeout, tern_time silence)
{
    d->only_key = only_key;
    d->is_connected = d->is_begun = false;
    d->outcome = DIAL_RUNNING;
    if (open_attempt(d, key, timeout) != 0) {
        d->outcome = DIAL_ERROR;
    } else {
        run_attempt(d, silence);
    }
    if (is_over(d)) {
        return DIAL_RUNNING;
    }
    if (d->outcome != DIAL_RUNNING) {
        end_attempt(d);
    }
    return d->outcome;
}

/* is_refused: it was not even silent. A firewall can say that, too. */
static int on_silence(const struct dial *d, bool is_refused)
{
    char text[TERN_ADDR_TEXT_SIZE], why[160], advice[500];
    (void)snprintf(why, sizeof why,
                   is_refused ? "nobody listens there: %s refuses UDP"
                              : "no answer over UDP from %s",
                   tern_addr_format(&d->addrs[0], text, sizeof text));
    if (d->target.kind == TARGET_SSH) {
        (void)snprintf(
            advice, sizeof advice,
            "ssh gets there, so a firewall stops UDP on the way: let ports %u-%u to %.200s "
            "pass, or name others with --port",
            (unsigned)d->options->port_first, (unsigned)d->options->port_last, d->target.host);
    } else if (d->code != NULL) {
        (void)snprintf(advice, sizeof advice,
                       "is terncp send still running there, and does UDP pass the firewalls?");
    } else if (is_refused) {
        (void)snprintf(advice, sizeof advice, "start terncp serve there, or check the port");
    } else {
        (void)snprintf(advice, sizeof advice,
                       "is terncp serve running there, and does UDP pass the firewalls? With "
                       "--silent it answers only who has its key (--pin)");
    }
    cli_error(d->trust.name, why, advice);
    return CLI_CONNECT;
}

int dial_explain(const struct dial *d, enum dial_outcome outcome)
{
    switch (outcome) {
    case DIAL_REFUSED:
        cli_error(d->trust.name, "it does not know our key",
                  d->has_identity ? "have it added to the server's authorized_keys (terncp id "
                                    "shows it)"
                                  : "make a key with terncp keygen and have it added there");
        return CLI_IDENTITY;
    case DIAL_SECRET:
        cli_error(d->trust.name,
                  d->code != NULL ? "the code is wrong, or was used already"
                                  : "it asks for a secret that we do not have",
                  d->code != NULL ? "ask for it again; after three wrong ones it is worthless"
                                  : "check the address");
        return CLI_IDENTITY;
    case DIAL_SILENT:
    case DIAL_NOBODY:
        return on_silence(d, outcome == DIAL_NOBODY);
    case DIAL_SIGNAL:
        return CLI_INTERRUPTED;
    case DIAL_RUNNING:
    case DIAL_DONE:
    case DIAL_KEY:
    case DIAL_LOST:
    case DIAL_REQUEST:
    case DIAL_ERROR:
        break;
    }
    return CLI_CONNECT;
}

static int result(const struct dial *d, enum dial_outcome outcome)
{
    return outcome == DIAL_RUNNING ? -1 : dial_explain(d, outcome);
}

static int open_unknown(struct dial *d, tern_time timeout)
{
    resume_make(&d->resume, d->has_identity ? d->secret : NULL);
    enum dial_outcome outcome = attempt(d, NULL, true, timeout, 0);
    if (outcome != DIAL_KEY) {
        return result(d, outcome);
    }
    int code = d->trust_code;
    if (!d->options->accept_new) {
        code = trust_decide(&d->trust, d->seen);
    }
    if (code >= 0) {
        return code;
    }
    resume_take(&d->resume, d->trust.key, d->has_identity ? d->secret : NULL);
    return result(d, attempt(d, d->trust.key, false, timeout, 0));
}

/* A server that lost its key cannot answer those who know the old one. After a while ask who is
 * there, to tell a changed key from a dead host, then give the known key the rest of its time. */
static int open_known(struct dial *d, tern_time timeout)
{
    tern_time first = timeout < PROBE_AFTER ? timeout : PROBE_AFTER, begun = tern_udp_now();
    resume_take(&d->resume, d->trust.key, d->has_identity ? d->secret : NULL);
    enum dial_outcome outcome =
        attempt(d, d->trust.key, false, timeout, first < timeout ? first : 0);
    if (outcome != DIAL_SILENT) {
        return result(d, outcome);
    }
    tern_time spent = tern_udp_now() - begun, rest = timeout > spent ? timeout - spent : 0;
    outcome = attempt(d, NULL, true, first, 0);
    if (outcome == DIAL_KEY && sodium_memcmp(d->seen, d->trust.key, TERN_KEY_SIZE) != 0) {
        return trust_changed(&d->trust, d->seen);
    }
    if (outcome == DIAL_SIGNAL) {
        return CLI_INTERRUPTED;
    }
    return rest == 0 ? on_silence(d, false) : result(d, attempt(d, d->trust.key, false, rest, 0));
}

int dial_open(struct dial *d)
{
    tern_time timeout = d->options->connect_timeout;
    if (d->code != NULL) {
        return result(d, attempt(d, NULL, false, timeout, 0));
    }
    if (d->has_psk) {
        return result(d, attempt(d, d->trust.key, false, timeout, 0));
    }
    return d->trust.has_key ? open_known(d, timeout) : open_unknown(d, timeout);
}

enum dial_outcome dial_wait(struct dial *d)
{
    tern_ev_wake(d->transport.binding);
    while (d->outcome == DIAL_RUNNING) {
        (void)ev_run(d->loop, 0);
    }
    return d->outcome;
}

/* --- set-up -------------------------------------------------------------------------------------------- */

static void watch_signals(struct dial *d)
{
    ev_signal_init(&d->interrupted, on_signal, SIGINT);
    ev_signal_init(&d->terminated, on_signal, SIGTERM);
    ev_signal_init(&d->hung_up, on_signal, SIGHUP);
    d->interrupted.data = d->terminated.data = d->hung_up.data = d;
    ev_signal_start(d->loop, &d->interrupted);
    ev_signal_start(d->loop, &d->terminated);
    ev_signal_start(d->loop, &d->hung_up);
}

static void add_address(struct dial *d, const char *host, uint16_t port, const char **why)
{
    tern_addr addr;
    if (d->addr_count == DIAL_ADDRS || host[0] == '\0' ||
        tern_udp_resolve(&addr, host, port, d->options->family, why) != 0) {
        return;
    }
    for (unsigned i = 0; i < d->addr_count; i++) {
        if (tern_addr_equal(&d->addrs[i], &addr)) {
            return;
        }
    }
    d->addrs[d->addr_count++] = addr;
}

/* ssh may know the host by another name, and may have come to it through others: where it was reached
 * as it says itself, and what its name means here, are tried at the same time. */
static int start_far_side(struct dial *d)
{
    struct ssh_line line;
    char real[TARGET_HOST_SIZE];
    const char *why = "no address of it is known here";
    (void)snprintf(d->trust.name, sizeof d->trust.name, "%s", d->target.login);
    int code = ssh_start(&d->ssh, d->options, &d->target, &line);
    if (code >= 0) {
        return code;
    }
    ssh_real_host(d->options, &d->target, real);
    add_address(d, real, line.port, &why);
    add_address(d, line.address, line.port, &why);
    memcpy(d->trust.key, line.key, TERN_KEY_SIZE);
    memcpy(d->psk, line.secret, sizeof d->psk);
    sodium_memzero(line.secret, sizeof line.secret);
    d->has_psk = d->trust.has_key = true;
    if (d->addr_count == 0) {
        cli_error(d->target.login, why, "ssh gets there, but UDP needs an address: check the name");
        return CLI_CONNECT;
    }
    cli_verbose(1, "%s: UDP port %u", d->target.login, (unsigned)line.port);
    return -1;
}

static int find_server(struct dial *d)
{
    const char *why = NULL;
    if (tern_udp_resolve(&d->addrs[0], d->target.host, d->target.port, d->options->family, &why) !=
        0) {
        cli_error(d->target.host, why, "check the name");
        return CLI_CONNECT;
    }
    d->addr_count = 1;
    struct trust_options trust = {.pin = d->options->pin,
                                  .known_hosts = d->options->known_hosts,
                                  .accept_new = d->options->accept_new,
                                  .batch = d->options->batch};
    return trust_find(&d->trust, &trust, d->target.host, d->target.port);
}

static void prepare(struct dial *d, const struct options *options, struct ev_loop *loop,
                    const struct dial_calls *calls, void *user)
{
    memset(d, 0, sizeof *d);
    d->options = options;
    d->loop = loop;
    d->calls = calls;
    d->user = user;
    d->trust_code = -1;
}

int dial_init(struct dial *d, const struct options *options, struct ev_loop *loop, const char *name,
              const struct dial_calls *calls, void *user)
{
    prepare(d, options, loop, calls, user);
    uint16_t port = options->direct_port != 0 ? options->direct_port : TERNCP_PORT;
    const char *wrong = target_parse(&d->target, name, port);
    if (wrong != NULL) {
        cli_error(name, wrong, "see terncp --help");
        return CLI_USAGE;
    }
    if (d->target.kind == TARGET_SSH && options->is_direct) {
        d->target.kind = TARGET_TERN;
    }
    int code = d->target.kind == TARGET_SSH ? start_far_side(d) : find_server(d);
    if (code < 0 && d->target.kind != TARGET_SSH) { /* which lets in whoever ssh does */
        code = identity_load(options->key, d->secret, &d->has_identity);
    }
    watch_signals(d);
    return code;
}

int dial_init_code(struct dial *d, const struct options *options, struct ev_loop *loop,
                   const char *code, const tern_addr *addr, const struct dial_calls *calls,
                   void *user)
{
    prepare(d, options, loop, calls, user);
    (void)tern_addr_format(addr, d->trust.name, sizeof d->trust.name);
    d->addrs[0] = *addr;
    d->addr_count = 1;
    d->code = code;
    watch_signals(d);
    return -1;
}

void dial_close(struct dial *d)
{
    if (d->conn != NULL) {
        keep_token(d, d->conn);
    }
    if (d->loop != NULL) {
        end_attempt(d);
        ev_signal_stop(d->loop, &d->interrupted);
        ev_signal_stop(d->loop, &d->terminated);
        ev_signal_stop(d->loop, &d->hung_up);
    }
    resume_put(&d->resume);
    (void)ssh_end(&d->ssh);
    sodium_memzero(&d->resume, sizeof d->resume);
    sodium_memzero(d->secret, sizeof d->secret);
    sodium_memzero(d->psk, sizeof d->psk);
}
