/* Nodes, options and the end, for both examples.
 * SPDX-License-Identifier: MIT */
#include "examples/kit.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tern/sim.h>

static const char *kit_program = "tern-example";
static volatile sig_atomic_t kit_signal;

static void on_signal(int number)
{
    kit_signal = number;
}

void kit_init(const char *program)
{
    static const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    struct sigaction action;
    kit_program = program;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        (void)sigaction(ends[i], &action, NULL);
    }
}

bool kit_is_over(void)
{
    return kit_signal != 0;
}

void die(const char *what, int error)
{
    const char *why = error == TERN_ERR_SYSTEM ? strerror(errno) : tern_strerror(error);
    (void)fprintf(stderr, "%s: %s: %s\n", kit_program, what, why);
    exit(1);
}

void misuse(const char *what, const char *value, const char *advice)
{
    (void)fprintf(stderr, "%s: %s%s%s: %s\n", kit_program, what, value == NULL ? "" : " ",
                  value == NULL ? "" : value, advice);
    exit(2);
}

double take_number(char **argv, int *i, double least, double most)
{
    const char *name = argv[*i], *text = argv[*i + 1];
    char *end = NULL;
    char advice[80];
    double value = text == NULL ? 0 : strtod(text, &end);
    if (text == NULL || end == text || *end != 0 || !(value >= least && value <= most)) {
        (void)snprintf(advice, sizeof advice, "give a number from %g to %g", least, most);
        misuse(name, text, advice);
    }
    (*i)++;
    return value;
}

bool take_option(struct options *o, char **argv, int *i)
{
    const char *name = argv[*i];
    if (strcmp(name, "--seconds") == 0) {
        o->seconds = take_number(argv, i, 0.1, 86400);
    } else if (strcmp(name, "--port") == 0) {
        o->port = (uint16_t)take_number(argv, i, 1, 65535);
    } else if (strcmp(name, "--loss") == 0) {
        o->loss = take_number(argv, i, 0, 100);
    } else if (strcmp(name, "--delay") == 0) {
        o->delay = take_number(argv, i, 0, 10000);
    } else if (strcmp(name, "--rate") == 0) {
        o->rate = take_number(argv, i, 0.05, 10000);
    } else if (name[0] != '-' && o->where == NULL) {
        o->where = name;
    } else {
        return false;
    }
    return true;
}

tern_addr take_address(const struct options *o)
{
    tern_addr to;
    if (o->where == NULL || tern_addr_parse(&to, o->where) != 0) {
        misuse("where", o->where, "give an address and port, such as 127.0.0.1:7440");
    }
    return to;
}

void node_open(struct node *node, const tern_config *config, const tern_addr *local)
{
    node->conditioner = NULL;
    int rc = tern_endpoint_new(&node->endpoint, config, tern_udp_now());
    rc = rc == 0 ? tern_udp_open(&node->udp, node->endpoint, local) : rc;
    if (rc != 0) {
        die("cannot open a socket", rc);
    }
}

void node_listen(struct node *node, uint16_t port)
{
    tern_config config;
    tern_addr any = {.family = 6, .port = port};
    tern_config_init(&config);
    config.accept = true;
    config.clock = true;
    config.idle_timeout = 5 * TERN_SEC;
    node_open(node, &config, &any);
}

void node_worsen(struct node *node, const struct options *o, uint64_t seed)
{
    tern_link_config link;
    tern_link_config_init(&link);
    link.delay = (tern_time)(o->delay * (double)TERN_MSEC);
    link.loss = o->loss / 100;
    link.rate = (uint64_t)(o->rate * 1e6);
    link.queue = (size_t)(link.rate / 8 / 5); /* 200 ms: what home routers have, or more */
    link.overhead = 28;
    if (link.delay > 0 || link.loss > 0 || link.rate > 0) {
        int rc = tern_conditioner_new(&node->conditioner, &link, &link, seed);
        rc = rc == 0 ? tern_udp_set_conditioner(node->udp, node->conditioner) : rc;
        if (rc != 0) {
            die("no bad network", rc);
        }
    }
}

tern_addr node_address(const struct node *node)
{
    return (tern_addr){.family = 4, .ip = {127, 0, 0, 1}, .port = tern_udp_local(node->udp).port};
}

void node_close(struct node *node, const char *reason)
{
    tern_endpoint_close_all(node->endpoint, 0, reason);
    tern_udp_close(node->udp);
    tern_endpoint_free(node->endpoint);
    tern_conditioner_free(node->conditioner);
    memset(node, 0, sizeof *node);
}

void nodes_serve(struct node *const *nodes, size_t count, tern_time until)
{
    tern_time now = tern_udp_now();
    tern_time slice = until <= now ? 0 : until - now < TERN_MSEC ? until - now : TERN_MSEC;
    for (size_t i = 0; i < count; i++) {
        int rc = tern_udp_service(nodes[i]->udp, i == 0 ? slice : 0);
        if (rc != 0) {
            die("network", rc);
        }
    }
}

void nodes_wait(struct node *const *nodes, size_t count, tern_time until)
{
    do {
        nodes_serve(nodes, count, until);
    } while (tern_udp_now() < until && !kit_is_over());
}
