/* The receiver: plays, which is to count what comes in time and can be shown.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "examples/media/media.h"

void receiver_open(struct receiver *r, uint16_t port)
{
    memset(r, 0, sizeof *r);
    node_listen(&r->node, port);
}

static void ask_for_key(struct receiver *r, tern_conn *conn, uint64_t number)
{
    uint8_t bytes[8];
    tern_send_options o;
    tern_send_options_init(&o);
    o.channel = CHANNEL_REQUEST;
    o.reliability = TERN_UNRELIABLE;
    o.order = TERN_UNORDERED;
    number_encode(number, bytes);
    if (tern_conn_send(conn, bytes, sizeof bytes, &o, tern_udp_now()) == 0) {
        r->requests++;
    }
}

/* A frame after a gap shows nothing until the next key frame. */
static void take_frame(struct receiver *r, tern_conn *conn, const tern_message *m)
{
    struct header header;
    if (m->channel != CHANNEL_VIDEO || !header_decode(&header, m->data, m->len)) {
        return;
    }
    tern_time now = tern_conn_session_time(conn, tern_udp_now());
    tern_time took = header.sent_at == 0 || now < header.sent_at ? 0 : now - header.sent_at;
    bool can_show = header.is_key || header.number == r->next;
    r->frames++;
    r->recovered += m->is_recovered ? 1 : 0;
    r->broken += can_show ? 0 : 1;
    r->late += took > DEADLINE ? 1 : 0;
    r->in_time += can_show && took <= DEADLINE ? 1 : 0;
    r->worst = took > r->worst ? took : r->worst;
    r->next = can_show ? header.number + 1 : r->next;
    if (!can_show) {
        ask_for_key(r, conn, header.number);
    }
}

static void welcome(struct receiver *r, tern_conn *conn)
{
    if (r->conn != NULL) {
        tern_conn_close(conn, 1, "another sender is here");
        return;
    }
    r->conn = conn;
    r->next = 0;
}

void receiver_poll(struct receiver *r)
{
    tern_event ev;
    while (tern_endpoint_poll(r->node.endpoint, &ev) == 1) {
        tern_message m = {.size = sizeof m};
        if (ev.type == TERN_EVENT_CONNECTED) {
            welcome(r, ev.conn);
        } else if (ev.type == TERN_EVENT_CLOSED && ev.conn == r->conn) {
            r->conn = NULL;
        }
        while (ev.type == TERN_EVENT_MESSAGES && ev.conn == r->conn &&
               tern_conn_receive(ev.conn, &m) == 1) {
            take_frame(r, ev.conn, &m);
        }
    }
}
