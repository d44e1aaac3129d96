/* Opening, turning, closing.
 * SPDX-License-Identifier: MIT */
#include "ternperf/node.h"

#include <errno.h>
#include <string.h>

#include "shared/cli.h"
#include "shared/net.h"
#include "shared/qlog.h"

int node_trace(struct node *node, tern_config *config, const char *folder, const char *name,
               unsigned part)
{
    node->qlog = folder == NULL ? NULL : qlog_new(folder, name, part);
    if (node->qlog != NULL) {
        config->trace = qlog_sink(node->qlog);
    } else if (folder != NULL) {
        cli_error(folder, strerror(errno), "give --qlog a folder that can be written");
        return CLI_LOCAL;
    }
    return -1;
}

static int new_endpoint(struct node *node, const tern_config *config)
{
    tern_config own = *config;
    own.allocator = heap_allocator(&node->heap);
    node->heap = (struct heap){0};
    node->endpoint = NULL;
    node->udp = NULL;
    node->conditioner = NULL;
    return tern_endpoint_new(&node->endpoint, &own, tern_udp_now());
}

static int finish_open(struct node *node, int rc)
{
    if (rc != 0) {
        int saved = errno;
        node_close(node);
        errno = saved;
        return rc;
    }
    tern_udp_counters counters = {.size = sizeof counters};
    tern_udp_stats(node->udp, &counters);
    net_warn_buffers(&counters, NET_BUFFER_FAIR);
    return 0;
}

int node_open(struct node *node, const tern_config *config, const tern_addr *local)
{
    int rc = new_endpoint(node, config);
    return finish_open(node, rc == 0 ? tern_udp_open(&node->udp, node->endpoint, local) : rc);
}

int node_open_fd(struct node *node, const tern_config *config, int fd)
{
    int rc = new_endpoint(node, config);
    return finish_open(node, rc == 0 ? tern_udp_open_fd(&node->udp, node->endpoint, fd) : rc);
}

void node_close(struct node *node)
{
    tern_udp_close(node->udp);
    tern_endpoint_free(node->endpoint);
    tern_conditioner_free(node->conditioner);
    qlog_free(node->qlog);
    node->qlog = NULL;
    node->conditioner = NULL;
    node->udp = NULL;
    node->endpoint = NULL;
}

void node_busy_poll(struct node *node)
{
    tern_udp_set_busy_poll(node->udp, TERN_MSEC);
}

int node_condition(struct node *node, tern_time delay, double loss)
{
    tern_link_config link;
    tern_link_config_init(&link);
    link.delay = delay;
    link.loss = loss;
    if (delay == 0 && loss <= 0) {
        return 0;
    }
    int rc = tern_conditioner_new(&node->conditioner, &link, &link, tern_udp_now());
    return rc == 0 ? tern_udp_set_conditioner(node->udp, node->conditioner) : rc;
}

int node_turn(struct node *node, tern_time timeout)
{
    tern_event event;
    int rc = tern_udp_service(node->udp, timeout);
    while (tern_endpoint_poll(node->endpoint, &event) == 1) {
        node->on_event(node->user, &event);
    }
    return rc;
}

uint64_t node_syscalls(const struct node *node)
{
    tern_udp_counters counters = {.size = sizeof counters};
    tern_udp_stats(node->udp, &counters);
    return counters.sendmsg_calls + counters.recvmsg_calls;
}
