/* Whom a shard lets in, and how it ends.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/serve.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/cli.h"
#include "terncp/log.h"
#include "terncp/transport.h"

#define BAD_LINES   5   /* of the list of keys that are told one by one */
#define TEND_EVERY  0.5 /* seconds */
#define COUNT_EVERY 1.0 /* s, for --metrics */

struct server {
    struct serve_shared *shared;
    struct transport transport;
    struct work *work;
    struct host host;
    struct ev_async nudge;
    struct ev_timer tend, patience, count;
    struct figures figures;
};

static bool may_end(const struct server *server)
{
    return server->host.is_ending && server->host.sessions == 0 &&
           (server != server->shared->first || atomic_load(&server->shared->others) == 0);
}

static void on_ready(tern_ev *binding, void *user)
{
    struct server *server = user;
    tern_event ev;
    (void)binding;
    while (tern_endpoint_poll(server->transport.endpoint, &ev) == 1) {
        figures_on_event(&server->figures, &ev);
        host_on_event(&server->host, &ev);
    }
    if (may_end(server)) {
        ev_break(server->host.loop, EVBREAK_ALL);
    }
}

static int on_verify(void *user, tern_conn *conn, const uint8_t key[TERN_KEY_SIZE])
{
    const struct server *server = user;
    const char *list = server->shared->house.authorized;
    struct log_peer peer = {.has_key = true};
    tern_addr remote = tern_conn_remote(conn);
    char text[KEYRING_TEXT_SIZE], why[KEYRING_PATH_SIZE + 128];
    if (list[0] == '\0' || keyring_is_authorized(list, key) == KEYRING_OK) {
        return 0;
    }
    memcpy(peer.key, key, sizeof peer.key);
    (void)tern_addr_format(&remote, peer.addr, sizeof peer.addr);
    keyring_format(key, text);
    (void)snprintf(why, sizeof why, "its key is not in %s: %s", list, text);
    log_event(&peer, "refused", why, server->shared->options->json, CLI_INFO);
    return TERN_ERR_REFUSED;
}

void serve_check_list(struct serve_shared *shared)
{
    struct stat now, *then = &shared->list;
    const char *list = shared->house.authorized;
    if (list[0] == '\0' || stat(list, &now) != 0 ||
        (now.st_ino == then->st_ino && now.st_dev == then->st_dev && now.st_size == then->st_size &&
         now.st_mtim.tv_sec == then->st_mtim.tv_sec &&
         now.st_mtim.tv_nsec == then->st_mtim.tv_nsec)) {
        return;
    }
    *then = now;
    unsigned said = 0;
    for (size_t line = 0; (line = keyring_bad_line(list, line)) != 0 && said <= BAD_LINES; said++) {
        if (said < BAD_LINES) {
            cli_verbose(CLI_WARNING, "%s:%zu: no key: lets nobody in", list, line);
        } else {
            cli_verbose(CLI_WARNING, "%s: and more such lines", list);
        }
    }
}

static void on_tend(struct ev_loop *loop, struct ev_timer *timer, int events)
{
    struct server *server = timer->data;
    (void)loop;
    (void)events;
    if (server == server->shared->first) {
        serve_check_list(server->shared);
    }
    host_tend(&server->host);
    tern_ev_wake(server->transport.binding);
}

static void on_patience(struct ev_loop *loop, struct ev_timer *timer, int events)
{
    (void)timer;
    (void)events;
    ev_break(loop, EVBREAK_ALL);
}

static void on_nudge(struct ev_loop *loop, struct ev_async *nudge, int events)
{
    struct server *server = nudge->data;
    int end = atomic_load(&server->shared->end);
    double patience = (double)server->shared->options->stop_time / 1e9;
    bool was_ending = server->host.is_ending;
    (void)events;
    if (end == SERVE_GOES_ON) {
        return;
    }
    host_begin_end(&server->host);
    if (end == SERVE_ENDS_NOW || may_end(server) || patience <= 0) {
        ev_break(loop, EVBREAK_ALL);
    } else if (!was_ending) {
        ev_timer_set(&server->patience, patience, 0);
        ev_timer_start(loop, &server->patience);
    }
    tern_ev_wake(server->transport.binding);
}

static int open_transport(struct server *server, const tern_config *config, const tern_addr *addr,
                          int fd)
{
    tern_config own = *config;
    own.verify = on_verify;
    own.verify_user = server;
    return fd < 0
               ? transport_open(&server->transport, server->host.loop, &own, addr, on_ready, server)
               : transport_open_fd(&server->transport, server->host.loop, &own, fd, on_ready,
                                   server);
}

static void on_count(struct ev_loop *loop, struct ev_timer *timer, int events)
{
    struct server *server = timer->data;
    (void)loop;
    (void)events;
    figures_publish(&server->figures, server->transport.endpoint);
}

struct server *server_open(struct serve_shared *shared, struct ev_loop *loop,
                           const tern_config *config, const tern_addr *addr, int fd, int *rc)
{
    struct server *server = calloc(1, sizeof *server);
    struct work *work = server == NULL ? NULL : work_new(loop);
    if (work == NULL) {
        if (fd >= 0) {
            (void)close(fd);
        }
        free(server);
        *rc = TERN_ERR_NOMEM;
        return NULL;
    }
    server->shared = shared;
    server->work = work;
    host_init(&server->host, shared->options, loop, work, shared->root);
    server->host.house = &shared->house;
    *rc = open_transport(server, config, addr, fd);
    if (*rc != 0) {
        int saved = errno;
        work_free(work);
        free(server);
        errno = saved;
        return NULL;
    }
    server->host.binding = server->transport.binding;
    ev_async_init(&server->nudge, on_nudge);
    ev_timer_init(&server->tend, on_tend, TEND_EVERY, TEND_EVERY);
    ev_init(&server->patience, on_patience);
    server->nudge.data = server->tend.data = server->patience.data = server;
    ev_async_start(loop, &server->nudge);
    ev_timer_start(loop, &server->tend);
    ev_timer_init(&server->count, on_count, 0, COUNT_EVERY);
    server->count.data = server;
    if (shared->options->metrics != NULL) {
        ev_timer_start(loop, &server->count);
    }
    return server;
}

void server_nudge(struct server *server)
{
    ev_async_send(server->host.loop, &server->nudge);
}

void server_run(struct server *server)
{
    (void)ev_run(server->host.loop, 0);
    host_end(&server->host, server->transport.endpoint);
    if (server != server->shared->first) {
        (void)atomic_fetch_sub(&server->shared->others, 1);
        server_nudge(server->shared->first);
    }
}

void server_free(struct server *server)
{
    if (server == NULL) {
        return;
    }
    ev_async_stop(server->host.loop, &server->nudge);
    ev_timer_stop(server->host.loop, &server->tend);
    ev_timer_stop(server->host.loop, &server->patience);
    ev_timer_stop(server->host.loop, &server->count);
    work_free(server->work);
    transport_close(&server->transport);
    free(server);
}

const tern_endpoint *server_endpoint(const struct server *server)
{
    return server->transport.endpoint;
}

tern_addr server_addr(const struct server *server)
{
    return tern_udp_local(server->transport.udp);
}

struct figures *server_figures(struct server *server)
{
    return &server->figures;
}
