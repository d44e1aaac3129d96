/* Sums over connections that never fall, though connections come and go.
 * SPDX-License-Identifier: MIT */
#include "shared/figures.h"

#include <string.h>

static const struct {
    const char *name, *help;
    bool is_gauge;
} rows[FIGURES] = {
    [FIGURE_CONNECTIONS] = {"connections", "Connections that are alive.", true},
    [FIGURE_HALF_OPEN] = {"handshakes_in_progress", "Handshakes in progress.", true},
    [FIGURE_STREAMS_OPEN] = {"streams_open", "Streams that are open.", true},
    [FIGURE_ACCEPTED] = {"connections_accepted_total", "Handshakes that were begun.", false},
    [FIGURE_HANDSHAKES] = {"handshakes_total", "Handshakes that were completed.", false},
    [FIGURE_DATAGRAMS_RECEIVED] = {"datagrams_received_total", "Datagrams that came.", false},
    [FIGURE_DATAGRAMS_SENT] = {"datagrams_sent_total", "Datagrams that left.", false},
    [FIGURE_DROPPED_UNKNOWN] = {"datagrams_unknown_total", "Datagrams for no connection of ours.",
                                false},
    [FIGURE_DROPPED_REFUSED] = {"datagrams_refused_total",
                                "Datagrams of strangers that were dropped because of a limit.",
                                false},
    [FIGURE_RETRIES] = {"retries_total", "Clients that were asked to show their address.", false},
    [FIGURE_REFUSALS] = {"refusals_total", "Clients that were told why they may not come in.",
                         false},
    [FIGURE_RESETS_SENT] = {"stateless_resets_sent_total",
                            "Answers to packets of connections that were lost.", false},
    [FIGURE_BYTES_RECEIVED] = {"bytes_received_total", "UDP payload that came.", false},
    [FIGURE_BYTES_SENT] = {"bytes_sent_total", "UDP payload that left.", false},
    [FIGURE_STREAM_BYTES_RECEIVED] = {"stream_bytes_received_total",
                                      "Bytes of streams that came, each once.", false},
    [FIGURE_STREAM_BYTES_SENT] = {"stream_bytes_sent_total",
                                  "Bytes of streams that left, each once.", false},
    [FIGURE_STREAM_BYTES_RESENT] = {"stream_bytes_resent_total",
                                    "Bytes of streams that left again.", false},
    [FIGURE_PACKETS_RECEIVED] = {"packets_received_total", "Packets that opened.", false},
    [FIGURE_PACKETS_SENT] = {"packets_sent_total", "Packets that left.", false},
    [FIGURE_PACKETS_LOST] = {"packets_lost_total", "Packets that were declared lost.", false},
    [FIGURE_PACKETS_SPURIOUS] = {"packets_lost_spuriously_total",
                                 "Packets that were declared lost and were not.", false},
    [FIGURE_PACKETS_DROPPED] = {"packets_dropped_total",
                                "Packets that did not open or made no sense.", false},
    [FIGURE_PROBES] = {"probe_timeouts_total", "Probe timeouts.", false},
    [FIGURE_MESSAGES_RECEIVED] = {"messages_received_total", "Messages that were taken.", false},
    [FIGURE_MESSAGES_SENT] = {"messages_sent_total", "Messages of which all has left.", false},
    [FIGURE_MESSAGES_RESENT] = {"message_frames_resent_total",
                                "Frames of messages that left again.", false},
    [FIGURE_MIGRATIONS] = {"migrations_total", "Changes of path.", false},
};

static void add_conn(uint64_t sums[FIGURES], const tern_stats *s)
{
    sums[FIGURE_BYTES_RECEIVED] += s->bytes_received;
    sums[FIGURE_BYTES_SENT] += s->bytes_sent;
    sums[FIGURE_STREAM_BYTES_RECEIVED] += s->stream_bytes_received;
    sums[FIGURE_STREAM_BYTES_SENT] += s->stream_bytes_sent;
    sums[FIGURE_STREAM_BYTES_RESENT] += s->stream_bytes_resent;
    sums[FIGURE_PACKETS_RECEIVED] += s->packets_received;
    sums[FIGURE_PACKETS_SENT] += s->packets_sent;
    sums[FIGURE_PACKETS_LOST] += s->packets_lost;
    sums[FIGURE_PACKETS_SPURIOUS] += s->packets_spurious;
    sums[FIGURE_PACKETS_DROPPED] += s->packets_dropped;
    sums[FIGURE_PROBES] += s->ptos;
    sums[FIGURE_MESSAGES_RECEIVED] += s->messages_received;
    sums[FIGURE_MESSAGES_SENT] += s->messages_sent;
    sums[FIGURE_MESSAGES_RESENT] += s->messages_resent;
    sums[FIGURE_MIGRATIONS] += s->migrations;
}

static void add_endpoint(uint64_t sums[FIGURES], const tern_endpoint *endpoint)
{
    tern_endpoint_counters c = {.size = sizeof c};
    tern_endpoint_stats(endpoint, &c);
    sums[FIGURE_CONNECTIONS] = c.connections;
    sums[FIGURE_HALF_OPEN] = c.half_open;
    sums[FIGURE_ACCEPTED] = c.accepted;
    sums[FIGURE_DATAGRAMS_RECEIVED] = c.datagrams_received;
    sums[FIGURE_DATAGRAMS_SENT] = c.datagrams_sent;
    sums[FIGURE_DROPPED_UNKNOWN] = c.dropped_unknown;
    sums[FIGURE_DROPPED_REFUSED] = c.dropped_refused;
    sums[FIGURE_RETRIES] = c.retries;
    sums[FIGURE_REFUSALS] = c.refusals;
    sums[FIGURE_RESETS_SENT] = c.resets_sent;
}

void figures_on_event(struct figures *figures, const tern_event *event)
{
    if (event->type == TERN_EVENT_CONNECTED) {
        figures->gone[FIGURE_HANDSHAKES]++;
    } else if (event->type == TERN_EVENT_CLOSED) {
        tern_stats s = {.size = sizeof s};
        tern_conn_stats(event->conn, &s);
        add_conn(figures->gone, &s);
    }
}

void figures_publish(struct figures *figures, const tern_endpoint *endpoint)
{
    uint64_t sums[FIGURES];
    memcpy(sums, figures->gone, sizeof sums);
    add_endpoint(sums, endpoint);
    for (tern_conn *conn = tern_endpoint_next_conn(endpoint, NULL); conn != NULL;
         conn = tern_endpoint_next_conn(endpoint, conn)) {
        tern_stats s = {.size = sizeof s};
        tern_conn_stats(conn, &s);
        /* A closing one is among those that are gone, or will be when its event is polled. */
        if (strcmp(s.state, "handshaking") == 0 || strcmp(s.state, "established") == 0) {
            add_conn(sums, &s);
            sums[FIGURE_STREAMS_OPEN] += s.streams_open;
        }
    }
    for (size_t i = 0; i < FIGURES; i++) {
        uint64_t told = atomic_load_explicit(&figures->told[i], memory_order_relaxed);
        /* Between a close and its event a sum would fall, which a reader takes for a restart. */
        if (rows[i].is_gauge || sums[i] > told) {
            atomic_store_explicit(&figures->told[i], sums[i], memory_order_relaxed);
        }
    }
}

void figures_add(uint64_t sums[FIGURES], struct figures *figures)
{
    for (size_t i = 0; i < FIGURES; i++) {
        sums[i] += atomic_load_explicit(&figures->told[i], memory_order_relaxed);
    }
}

void figures_show(const uint64_t sums[FIGURES], struct metrics_page *page)
{
    for (size_t i = 0; i < FIGURES; i++) {
        metrics_add(page, rows[i].name, rows[i].help, rows[i].is_gauge, sums[i]);
    }
}
