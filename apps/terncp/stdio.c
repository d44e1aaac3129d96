/* A port of the range, one line, and sessions until nobody is left.
 *
 * When does it end? With the connection, which notices within ten seconds that the client is gone. The
 * end of standard input (ssh is gone) ends it only while nobody has come: a client that changes networks
 * loses ssh, but not the connection.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/stdio.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/cli.h"
#include "terncp/listen.h"
#include "terncp/session.h"
#include "terncp/ssh.h"
#include "terncp/transport.h"

#define WAIT_FOR_CLIENT 60.0 /* seconds */

struct far_side {
    const struct options *options;
    struct ev_loop *loop;
    struct transport transport;
    struct host host;
    struct ev_io input;
    struct ev_timer patience;
    int code;
};

static void end(struct far_side *f, int code)
{
    f->code = code;
    ev_break(f->loop, EVBREAK_ALL);
}

static void on_ready(tern_ev *binding, void *user)
{
    struct far_side *f = user;
    tern_event ev;
    (void)binding;
    while (tern_endpoint_poll(f->transport.endpoint, &ev) == 1) {
        host_on_event(&f->host, &ev);
    }
    if (f->host.requests > 0) {
        ev_timer_stop(f->loop, &f->patience);
        ev_io_stop(f->loop, &f->input);
        if (f->host.sessions == 0) {
            end(f, CLI_OK);
        }
    }
}

static void on_input(struct ev_loop *loop, struct ev_io *w, int events)
{
    struct far_side *f = w->data;
    char sink[256];
    (void)loop;
    (void)events;
    ssize_t n = read(STDIN_FILENO, sink, sizeof sink); /* nobody has anything to say here */
    if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN)) {
        end(f, CLI_CONNECT);
    }
}

static void on_patience(struct ev_loop *loop, struct ev_timer *w, int events)
{
    (void)loop;
    (void)events;
    end(w->data, CLI_CONNECT);
}

/* Where ssh was reached: "client port server port" in SSH_CONNECTION. */
static void find_address(char address[TERN_ADDR_TEXT_SIZE])
{
    const char *text = getenv("SSH_CONNECTION");
    address[0] = '\0';
    for (int word = 0; text != NULL && word < 2; word++) {
        text = strchr(text, ' ');
        text = text == NULL ? NULL : text + 1;
    }
    size_t len = text == NULL ? 0 : strcspn(text, " ");
    if (len > 0 && len < TERN_ADDR_TEXT_SIZE) {
        memcpy(address, text, len);
        address[len] = '\0';
    }
}

/* The one line; then standard output is of no use any more. */
static bool announce(const struct far_side *f, const uint8_t secret[TERN_SECRET_SIZE])
{
    struct ssh_line line = {.port = tern_udp_local(f->transport.udp).port};
    char text[SSH_LINE_MAX];
    tern_endpoint_public_key(f->transport.endpoint, line.key);
    memcpy(line.secret, secret, sizeof line.secret);
    find_address(line.address);
    ssh_line_format(&line, text);
    sodium_memzero(&line, sizeof line);
    bool is_good = fputs(text, stdout) >= 0 && fflush(stdout) == 0;
    sodium_memzero(text, sizeof text);
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (null >= 0) {
        (void)dup2(null, STDOUT_FILENO);
        (void)close(null);
    }
    return is_good;
}

static void serve(struct far_side *f)
{
    ev_io_init(&f->input, on_input, STDIN_FILENO, EV_READ);
    ev_timer_init(&f->patience, on_patience, WAIT_FOR_CLIENT, 0);
    f->input.data = f->patience.data = f;
    ev_io_start(f->loop, &f->input);
    ev_timer_start(f->loop, &f->patience);
    (void)signal(SIGHUP, SIG_IGN); /* ssh may go, see above */
    f->code = CLI_OK;
    (void)ev_run(f->loop, 0);
    ev_io_stop(f->loop, &f->input);
    ev_timer_stop(f->loop, &f->patience);
}

int stdio_run(const struct options *options)
{
    struct far_side far = {.options = options, .code = CLI_LOCAL};
    uint8_t secret[TERN_SECRET_SIZE];
    tern_config config;
    cli_init("terncp (far side)", true, 0);
    far.loop = ev_loop_new(EVFLAG_AUTO);
    struct work *work = far.loop == NULL ? NULL : work_new(far.loop);
    if (work == NULL) {
        cli_error("threads", "cannot be started", "check the limits of this user");
        return CLI_LOCAL;
    }
    host_init(&far.host, options, far.loop, work, -1);
    randombytes_buf(secret, sizeof secret);
    transport_config(&config, options);
    config.accept = true;
    config.secret = secret;
    int code = listen_in_range(&far.transport, far.loop, &config, options, on_ready, &far);
    far.code = code >= 0 ? code : CLI_CONNECT;
    far.host.binding = far.transport.binding;
    if (code < 0 && announce(&far, secret)) {
        serve(&far);
    }
    sodium_memzero(secret, sizeof secret);
    host_end(&far.host, far.transport.endpoint);
    work_free(work);
    transport_close(&far.transport);
    ev_loop_destroy(far.loop);
    return far.code;
}
