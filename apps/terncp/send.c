/* The sender: listens, answers those who look for it, and lets in who knows the code.
 *
 * There is no server of ours in between, so the receiver must get to the sender: in the same network by
 * asking around, elsewhere by the address that is printed beside the code.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/send.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "shared/cli.h"
#include "terncp/client.h"
#include "terncp/discover.h"
#include "terncp/listen.h"
#include "terncp/report.h"
#include "terncp/session.h"
#include "terncp/target.h"
#include "terncp/tree.h"

#define SHOWN_MAX 4                 /* addresses that are printed */
#define ASK_FOR   (200 * TERN_MSEC) /* who has this number already? */
#define TRIES     10

struct offer {
    const struct options *options;
    struct ev_loop *loop;
    struct transport transport;
    struct host host;
    struct discover discover;
    struct report report;
    struct ev_timer ticker;
    struct ev_signal interrupted, terminated;
    unsigned guesses;
    int code;
};

static void end(struct offer *o, int code)
{
    o->code = code;
    ev_break(o->loop, EVBREAK_ALL);
}

/* --- what happens --------------------------------------------------------------------------------------- */

/* The last wrong guess ends it; before, somebody should know that there are guesses. */
static void look_at_guesses(struct offer *o)
{
    unsigned left = tern_endpoint_code_guesses(o->transport.endpoint);
    if (left == o->guesses) {
        return;
    }
    o->guesses = left;
    if (o->host.accepted > 0) {
        return; /* the code was spent by who knew it */
    }
    if (left > 0) {
        cli_note("somebody has tried a wrong code; %u more and this one is worthless", left);
        return;
    }
    cli_error("three wrong codes were tried", "this one is worthless now",
              "run the command again for another");
    end(o, CLI_IDENTITY);
}

static void show_progress(struct offer *o)
{
    struct host_sending sending;
    if (host_sending(&o->host, &sending)) {
        tern_stats stats = {.size = sizeof stats};
        tern_conn_stats(sending.conn, &stats);
        struct report_view view = {.name = sending.current,
                                   .done = sending.bytes,
                                   .total = sending.total,
                                   .files = sending.files,
                                   .is_growing = sending.is_growing};
        report_progress(&o->report, &view, &stats);
    }
}

static void on_over(struct offer *o)
{
    const struct host_result *last = &o->host.last;
    int code = CLI_OK;
    report_abort(&o->report);
    if (last->error != 0) {
        cli_error("the receiver is gone", tern_strerror(last->error),
                  "not all of it has arrived; run the command again");
        code = CLI_CONNECT;
    } else if (last->code != 0 || last->failed > 0) {
        cli_error("not all of it has arrived", NULL,
                  last->failed > 0 ? "see above" : "the receiver says why");
        code = CLI_PARTIAL;
    } else {
        char size[24], moved[24] = "";
        if (last->moved != last->bytes) {
            (void)cli_format_size(last->moved, moved, sizeof moved);
        }
        cli_note("%llu %s, %s sent and verified there%s%s%s", (unsigned long long)last->entries,
                 last->entries == 1 ? "entry" : "entries",
                 cli_format_size(last->bytes, size, sizeof size), moved[0] == '\0' ? "" : ", ",
                 moved, moved[0] == '\0' ? "" : " moved");
    }
    if (o->options->json) {
        (void)printf("{\"event\":\"sent\",\"entries\":%llu,\"bytes\":%llu,\"moved\":%llu,"
                     "\"exit\":%d}\n",
                     (unsigned long long)last->entries, (unsigned long long)last->bytes,
                     (unsigned long long)last->moved, code);
    }
    end(o, code);
}

static void on_ready(tern_ev *binding, void *user)
{
    struct offer *o = user;
    tern_event ev;
    (void)binding;
    while (tern_endpoint_poll(o->transport.endpoint, &ev) == 1) {
        host_on_event(&o->host, &ev);
    }
    look_at_guesses(o);
    if (o->host.requests > 0 && o->host.sessions == 0) {
        on_over(o);
    } else if (o->host.accepted > 0 && o->host.sessions == 0) {
        cli_error("the receiver is gone", "it took nothing", "run the command again");
        end(o, CLI_CONNECT);
    }
}

static void on_tick(struct ev_loop *loop, struct ev_timer *timer, int events)
{
    struct offer *o = timer->data;
    (void)loop;
    (void)events;
    show_progress(o);
    look_at_guesses(o);
    host_tend(&o->host); /* who knows the code and asks for nothing does not keep us for ever */
    tern_ev_wake(o->transport.binding);
}

static void on_signal(struct ev_loop *loop, struct ev_signal *w, int events)
{
    (void)loop;
    (void)events;
    end(w->data, CLI_INTERRUPTED);
}

/* --- what is said ---------------------------------------------------------------------------------------- */

/* An address that others may reach us at, as text without a port; false: it is none. */
static bool format_address(const struct ifaddrs *at, uint16_t port, char *text, size_t size)
{
    tern_addr addr = {.port = port};
    if (at->ifa_addr == NULL || (at->ifa_flags & IFF_UP) == 0 ||
        (at->ifa_flags & IFF_LOOPBACK) != 0) {
        return false;
    }
    if (at->ifa_addr->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, at->ifa_addr, sizeof v4);
        addr.family = 4;
        memcpy(addr.ip, &v4.sin_addr, 4);
    } else if (at->ifa_addr->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, at->ifa_addr, sizeof v6);
        addr.family = 6;
        memcpy(addr.ip, &v6.sin6_addr, 16);
        if (IN6_IS_ADDR_LINKLOCAL(&v6.sin6_addr)) { /* means something on its own link only */
            return false;
        }
    } else {
        return false;
    }
    (void)tern_addr_format(&addr, text, size);
    return true;
}

static void show(const struct offer *o, const char *code)
{
    struct ifaddrs *all = NULL;
    char text[TERN_ADDR_TEXT_SIZE];
    uint16_t port = tern_udp_local(o->transport.udp).port;
    unsigned shown = 0;
    cli_note("on the other machine, in the same network:");
    cli_note("    terncp receive %s", code);
    if (getifaddrs(&all) == 0) {
        for (const struct ifaddrs *at = all; at != NULL && shown < SHOWN_MAX; at = at->ifa_next) {
            if (format_address(at, port, text, sizeof text)) {
                if (shown++ == 0) {
                    cli_note("or, wherever it can reach this one by UDP:");
                }
                cli_note("    terncp receive %s@%s", code, text);
            }
        }
        freeifaddrs(all);
    }
    if (o->options->json) {
        (void)printf("{\"event\":\"code\",\"code\":\"%s\",\"port\":%u}\n", code, (unsigned)port);
    } else {
        (void)printf("%s\n", code);
    }
    (void)fflush(stdout);
}

/* --- start and end --------------------------------------------------------------------------------------- */

static int check_sources(const struct options *options)
{
    for (int i = 0; i < options->arg_count; i++) {
        struct stat st;
        const char *name = options->args[i];
        if (stat(name, &st) != 0 || (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))) {
            cli_error(name, "no file or folder", "check the name");
            return CLI_LOCAL;
        }
        for (int j = 0; j < i; j++) {
            if (tree_have_same_name(name, options->args[j])) {
                cli_error(name, "another source has the same name", "send them apart");
                return CLI_USAGE;
            }
        }
    }
    return -1;
}

static void wait_and_serve(struct offer *o, const char *code)
{
    uint32_t slot = 0;
    ev_timer_init(&o->ticker, on_tick, 0.1, 0.1);
    ev_signal_init(&o->interrupted, on_signal, SIGINT);
    ev_signal_init(&o->terminated, on_signal, SIGTERM);
    o->ticker.data = o->interrupted.data = o->terminated.data = o;
    ev_timer_start(o->loop, &o->ticker);
    ev_signal_start(o->loop, &o->interrupted);
    ev_signal_start(o->loop, &o->terminated);
    if (!discover_slot(code, &slot) ||
        !discover_start(&o->discover, o->loop, slot, tern_udp_local(o->transport.udp).port)) {
        cli_note("receivers cannot ask around for this one; give them an address, too");
    }
    o->guesses = tern_endpoint_code_guesses(o->transport.endpoint);
    show(o, code);
    (void)ev_run(o->loop, 0);
    discover_stop(&o->discover);
    ev_timer_stop(o->loop, &o->ticker);
    ev_signal_stop(o->loop, &o->interrupted);
    ev_signal_stop(o->loop, &o->terminated);
}

/* A code whose number nobody else in this network has now, so that receivers need not be told which of
 * two is meant. */
static bool choose_code(const struct options *options, char code[TERN_CODE_SIZE])
{
    for (int i = 0; i < TRIES; i++) {
        uint32_t slot;
        tern_addr other;
        if (tern_code_generate(code) != 0) {
            return false;
        }
        if (!discover_slot(code, &slot) ||
            discover_find(slot, NULL, options->family, ASK_FOR, &other) == DISCOVER_NONE) {
            return true;
        }
    }
    return true;
}

int send_run(const struct options *options)
{
    struct offer o = {.options = options, .code = CLI_LOCAL};
    char code[TERN_CODE_SIZE];
    tern_config config;
    int rc = check_sources(options);
    if (rc >= 0) {
        return rc;
    }
    o.loop = ev_loop_new(EVFLAG_AUTO);
    struct work *work = o.loop == NULL ? NULL : work_new(o.loop);
    if (work == NULL || !choose_code(options, code)) {
        cli_error("threads", "cannot be started", "check the limits of this user");
        return CLI_LOCAL;
    }
    host_init(&o.host, options, o.loop, work, -1);
    o.host.offers = options->args;
    o.host.offer_count = options->arg_count;
    report_init(&o.report, options, true);
    transport_config(&config, options);
    config.accept = true;
    config.code = code;
    rc = listen_in_range(&o.transport, o.loop, &config, options, on_ready, &o);
    o.code = rc >= 0 ? rc : o.code;
    if (rc < 0) {
        wait_and_serve(&o, code);
    }
    sodium_memzero(code, sizeof code);
    host_end(&o.host, o.transport.endpoint);
    work_free(work);
    transport_close(&o.transport);
    ev_loop_destroy(o.loop);
    return o.code;
}

/* --- the receiver's way to it ------------------------------------------------------------------------------ */

/* The port in "host:port" or "[v6]:port", or 0. */
static int find_named(const char *where, const struct options *options, uint32_t slot,
                      tern_addr *addr)
{
    struct target target;
    char url[TARGET_HOST_SIZE + 32];
    const char *why = NULL;
    (void)snprintf(url, sizeof url, "%s%.256s", TARGET_SCHEME, where);
    if (target_parse(&target, url, DISCOVER_PORT) != NULL) {
        cli_error(where, "not an address", "write CODE@host or CODE@host:port");
        return CLI_USAGE;
    }
    if (tern_udp_resolve(addr, target.host, target.port, options->family, &why) != 0) {
        cli_error(target.host, why, "check the name");
        return CLI_CONNECT;
    }
    if (target.port != DISCOVER_PORT) {
        return -1;
    }
    tern_addr host = *addr;
    if (discover_find(slot, &host, options->family, options->connect_timeout, addr) ==
        DISCOVER_NONE) {
        cli_error(target.host, "nobody there answers for this code",
                  "give the port, too, as terncp send prints it, and let UDP pass the firewalls");
        return CLI_CONNECT;
    }
    return -1;
}

static int find_nearby(const struct options *options, uint32_t slot, tern_addr *addr)
{
    switch (discover_find(slot, NULL, options->family, options->connect_timeout, addr)) {
    case DISCOVER_FOUND:
        return -1;
    case DISCOVER_SEVERAL:
        cli_error("more than one sender has this number", NULL,
                  "say which one: terncp receive CODE@host:port, as terncp send prints it");
        return CLI_CONNECT;
    case DISCOVER_INTERRUPTED:
        return CLI_INTERRUPTED;
    case DISCOVER_NONE:
        break;
    }
    cli_error("nobody in this network answers for this code", NULL,
              "is terncp send running? From another network: terncp receive CODE@host:port, as it "
              "prints");
    return CLI_CONNECT;
}

int receive_run(const struct options *options)
{
    char code[128];
    tern_addr addr;
    uint32_t slot;
    const char *text = options->args[0], *at = strchr(text, '@');
    size_t len = at == NULL ? strlen(text) : (size_t)(at - text);
    if (len >= sizeof code) {
        cli_error("the code", "too long", "it looks like 7-orbit-salmon");
        return CLI_USAGE;
    }
    memcpy(code, text, len);
    code[len] = '\0';
    if (!discover_slot(code, &slot)) {
        cli_error("the code", "no number in front", "it looks like 7-orbit-salmon");
        return CLI_USAGE;
    }
    const char *folder = options->arg_count > 1 ? options->args[1] : ".";
    struct stat st;
    if (stat(folder, &st) != 0 || !S_ISDIR(st.st_mode)) { /* before anybody is asked */
        cli_error(folder, "no folder", "name one that exists");
        return CLI_LOCAL;
    }
    int rc =
        at != NULL ? find_named(at + 1, options, slot, &addr) : find_nearby(options, slot, &addr);
    if (rc < 0) {
        rc = client_receive(options, code, &addr, folder);
    }
    sodium_memzero(code, sizeof code);
    return rc;
}
