/* All sessions of a server: who asks for nothing must go, and how all end together.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "terncp/session_parts.h"

#define HELLO_TIMEOUT (30 * TERN_SEC) /* a client that asks for nothing for so long must go */
#define PROOF_TIMEOUT                                                                              \
    (2 * TERN_SEC) /* one that has not shown its key by then does not keep a server that ends */

static bool is_idle(const struct session *s)
{
    return !s->has_hello && s->names == NULL;
}

void host_init(struct host *host, const struct options *options, struct ev_loop *loop,
               struct work *work, int root)
{
    memset(host, 0, sizeof *host);
    host->options = options;
    host->loop = loop;
    host->work = work;
    host->root = root;
    host->house = &host->own;
    house_init(&host->own);
}

void host_tend(struct host *host)
{
    for (struct session *s = host->first; s != NULL; s = s->next) {
        session_limit(s);
        session_check_limit(s);
        tern_time age = tern_udp_now() - s->born;
        if (is_idle(s) && age > HELLO_TIMEOUT) {
            tern_conn_close(s->conn, CLOSE_PROTOCOL, "you ask for nothing");
        } else if (s->host->is_ending && !s->is_proved && age > PROOF_TIMEOUT) {
            tern_conn_close(s->conn, SESSION_CLOSE_OK, "the server ends");
        }
    }
}

void host_begin_end(struct host *host)
{
    host->is_ending = true;
    for (const struct session *s = host->first; s != NULL; s = s->next) {
        if (is_idle(s)) {
            tern_conn_close(s->conn, SESSION_CLOSE_OK, "the server ends");
        }
    }
    host_tend(host);
}

bool host_sending(const struct host *host, struct host_sending *out)
{
    const struct session *s = host->sender;
    if (s == NULL || s->push == NULL) {
        return false;
    }
    const struct push_counts *n = push_counts(s->push);
    *out = (struct host_sending){.conn = s->conn,
                                 .current = push_current(s->push),
                                 .bytes = n->bytes,
                                 .total = n->total,
                                 .files = n->files,
                                 .is_growing = !push_is_counted(s->push)};
    return true;
}

void host_end(struct host *host, tern_endpoint *endpoint)
{
    tern_event ev;
    if (endpoint == NULL) {
        return;
    }
    tern_endpoint_close_all(endpoint, SESSION_CLOSE_OK, "the server ends");
    while (tern_endpoint_poll(endpoint, &ev) == 1) {
        if (ev.type == TERN_EVENT_CLOSED) {
            host_on_event(host, &ev);
        }
    }
}
