/* The server's process, the control connection, and the questions over it.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "ternperf/lab.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__linux__)
#include <sys/prctl.h>
#endif

#include "shared/cli.h"
#include "shared/keyring.h"
#include "shared/net.h"
#include "ternperf/serve.h"
#include "ternperf/system.h"

#define PATIENCE (10 * TERN_SEC) /* with the control connection */

static volatile sig_atomic_t is_interrupted;

static void on_signal(int number)
{
    (void)number;
    is_interrupted = 1;
}

/* --- the server's process ----------------------------------------------------------------------------- */

struct greeting {
    tern_addr addr;
    uint8_t key[TERN_KEY_SIZE];
};

static bool greet(void *user, const tern_addr *addr, const uint8_t key[TERN_KEY_SIZE])
{
    const int *pipe_end = user;
    struct greeting greeting;
    memset(&greeting, 0, sizeof greeting);
    greeting.addr = *addr;
    memcpy(greeting.key, key, TERN_KEY_SIZE);
    const uint8_t *at = (const uint8_t *)&greeting;
    size_t told = 0;
    ssize_t n = 0;
    while (told < sizeof greeting && (n >= 0 || errno == EINTR)) {
        n = write(*pipe_end, at + told, sizeof greeting - told);
        told += n > 0 ? (size_t)n : 0;
    }
    (void)close(*pipe_end);
    return told == sizeof greeting;
}

/* 0, or why nothing is heard of it. */
static int hear(int fd, struct greeting *greeting)
{
    uint8_t *at = (uint8_t *)greeting;
    size_t have = 0;
    while (have < sizeof *greeting) {
        ssize_t n = read(fd, at + have, sizeof *greeting - have);
        if (n == 0 || (n < 0 && errno != EINTR)) {
            return n == 0 ? ECHILD : errno; /* it has said why, and is gone */
        }
        have += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static int start_server(struct lab *lab)
{
    int ends[2];
    struct greeting greeting;
    if (pipe(ends) != 0) {
        cli_error("a pipe", strerror(errno), NULL);
        return CLI_LOCAL;
    }
    pid_t parent = getpid();
    lab->child = fork();
    if (lab->child == 0) {
        (void)close(ends[0]);
#if defined(__linux__)
        (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
#endif
        system_pin(SYSTEM_SERVER, 0);
        _exit(getppid() == parent ? serve_run(lab->options, true, greet, &ends[1]) : CLI_LOCAL);
    }
    (void)close(ends[1]);
    int error = lab->child < 0 ? errno : hear(ends[0], &greeting);
    (void)close(ends[0]);
    if (error != 0) {
        cli_error("the server's process did not start", strerror(error), NULL);
        lab->child = lab->child < 0 ? 0 : lab->child;
        return CLI_LOCAL;
    }
    lab->server = greeting.addr;
    memcpy(lab->key, greeting.key, TERN_KEY_SIZE);
    lab->has_key = true;
    system_pin(SYSTEM_CLIENT, 0);
    return -1;
}

static int find_server(struct lab *lab)
{
    const struct options *o = lab->options;
    char host[256];
    const char *why = "not a host";
    uint16_t port = PROTO_PORT;
    if (o->pin != NULL) {
        if (!keyring_parse(o->pin, strlen(o->pin), lab->key)) {
            cli_error(o->pin, "not a key", "the server prints it: tern:...");
            return CLI_USAGE;
        }
        lab->has_key = true;
    }
    if (!net_split(o->host, host, sizeof host, &port) || port == 0 ||
        tern_udp_resolve(&lab->server, host, port, o->family, &why) != 0) {
        cli_error(o->host, why, "give HOST or HOST:PORT");
        return CLI_USAGE;
    }
    return -1;
}

/* --- events ------------------------------------------------------------------------------------------- */

static void on_answer(struct lab *lab)
{
    uint8_t spare[64];
    ptrdiff_t n = 1;
    while (n > 0) {
        bool is_full = lab->have == sizeof lab->answer;
        n = is_full ? tern_stream_read(lab->asking, spare, sizeof spare)
                    : tern_stream_read(lab->asking, lab->answer + lab->have,
                                       sizeof lab->answer - lab->have);
        lab->have += n > 0 && !is_full ? (size_t)n : 0;
    }
    lab->is_answered = n == 0 && lab->have == sizeof lab->answer;
}

static void on_event(void *user, const tern_event *event)
{
    struct lab *lab = user;
    if (event->conn != lab->control) {
        lab->on_event(lab->user, event);
    } else if (event->type == TERN_EVENT_CONNECTED) {
        lab->is_connected = true;
    } else if (event->type == TERN_EVENT_CLOSED) {
        cli_error("the server", tern_strerror(event->close.error),
                  lab->is_connected ? NULL : "is `ternperf serve` running there?");
        lab->control = NULL;
    } else if (event->type == TERN_EVENT_STREAM_READABLE && event->stream == lab->asking) {
        on_answer(lab);
    } else if (event->type == TERN_EVENT_STREAM_CLOSED && event->stream == lab->asking) {
        lab->asking = NULL;
    }
}

/* --- the face ----------------------------------------------------------------------------------------- */

int lab_connect(struct lab *lab, tern_conn **out)
{
    tern_peer peer;
    tern_peer_init(&peer);
    peer.addr = lab->server;
    peer.key = lab->has_key ? lab->key : NULL;
    return tern_endpoint_connect(lab->node.endpoint, &peer, out, tern_udp_now());
}

int lab_turn(struct lab *lab, tern_time timeout)
{
    int rc = node_turn(&lab->node, timeout);
    if (is_interrupted != 0) {
        return CLI_INTERRUPTED;
    }
    if (rc != 0) {
        cli_error("the network", rc == TERN_ERR_SYSTEM ? strerror(errno) : tern_strerror(rc), NULL);
        return CLI_LOCAL;
    }
    return lab->control == NULL || lab->is_lost ? CLI_CONNECT : -1;
}

int lab_start(struct lab *lab, const struct options *o)
{
    memset(lab, 0, sizeof *lab);
    lab->options = o;
    return start_server(lab);
}

static int refuse(int rc)
{
    cli_error("connecting", rc == TERN_ERR_SYSTEM ? strerror(errno) : tern_strerror(rc), NULL);
    return CLI_CONNECT;
}

int lab_open(struct lab *lab, const struct options *o, const tern_config *config,
             node_event_fn others, void *user)
{
    memset(lab, 0, sizeof *lab);
    lab->options = o;
    lab->on_event = others;
    lab->user = user;
    int code = o->loopback ? start_server(lab) : find_server(lab);
    if (code >= 0) {
        return code;
    }
    struct sigaction action = {.sa_handler = on_signal};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    lab->node.on_event = on_event;
    lab->node.user = lab;
    tern_addr local = {.family = lab->server.family};
    tern_config own = *config;
    code = node_trace(&lab->node, &own, o->qlog, "ternperf-client", (unsigned)o->seat);
    if (code >= 0) {
        return code;
    }
    int rc = node_open(&lab->node, &own, &local);
    if (rc == 0 && o->busy_poll) {
        node_busy_poll(&lab->node);
    }
    rc = rc == 0 ? node_condition(&lab->node, o->delay, o->loss) : rc;
    rc = rc == 0 ? lab_connect(lab, &lab->control) : rc;
    if (rc != 0) {
        return refuse(rc);
    }
    while (code < 0 && !lab->is_connected) {
        code = lab_turn(lab, TERN_SEC);
    }
    return code;
}

void lab_close(struct lab *lab)
{
    if (lab->control != NULL) {
        tern_conn_close(lab->control, 0, "done");
    }
    node_close(&lab->node);
    if (lab->child > 0) {
        (void)kill(lab->child, SIGTERM);
        (void)waitpid(lab->child, NULL, 0);
    }
}

int lab_begin(struct lab *lab, const struct lab_visit *visit, const struct proto_request *request)
{
    uint8_t octets[PROTO_REQUEST_SIZE];
    int code = lab_connect(lab, visit->conn) == 0 ? -1 : CLI_CONNECT;
    while (code < 0 && !*visit->is_connected && !*visit->is_lost) {
        code = lab_turn(lab, TERN_SEC);
    }
    if (code >= 0 || *visit->is_lost) {
        return code >= 0 ? code : CLI_CONNECT;
    }
    proto_write_request(request, octets);
    if (tern_conn_open_stream(*visit->conn, TERN_STREAM_BIDI, visit->stream) != 0 ||
        tern_stream_write(*visit->stream, octets, sizeof octets, 0) != (ptrdiff_t)sizeof octets) {
        return CLI_CONNECT;
    }
    return -1;
}

int lab_ask(struct lab *lab, bool wants_x25519, struct proto_figures *out)
{
    struct proto_request request = {.command = PROTO_FIGURES, .a = wants_x25519 ? 1 : 0};
    uint8_t bytes[PROTO_REQUEST_SIZE];
    proto_write_request(&request, bytes);
    lab->have = 0;
    lab->is_answered = false;
    int rc = tern_conn_open_stream(lab->control, TERN_STREAM_BIDI, &lab->asking);
    if (rc == 0 &&
        tern_stream_write(lab->asking, bytes, sizeof bytes, TERN_FIN) != (ptrdiff_t)sizeof bytes) {
        rc = TERN_ERR_LIMIT;
    }
    if (rc != 0) {
        return refuse(rc);
    }
    int code = -1;
    tern_time until = tern_udp_now() + PATIENCE;
    while (code < 0 && (!lab->is_answered || lab->asking != NULL)) {
        code = lab_turn(lab, TERN_SEC);
        if (code < 0 && tern_udp_now() > until) {
            cli_error("the server", "does not answer", "is it a ternperf of the same version?");
            code = CLI_CONNECT;
        }
    }
    proto_read_figures(out, lab->answer);
    return code;
}
