/* Order and shape of the events that an application polls.
 * SPDX-License-Identifier: MIT */
#include "conn/events.h"

#include "conn/messages.h"

bool tern_conn_has_event(const struct tern_conn *conn)
{
    return conn->wants_connected_event || conn->wants_closed_event || conn->wants_early_event ||
           conn->wants_ticket_event ||
           (!conn->is_told_closed &&
            (conn->wants_bandwidth_event || tern_streams_has_event(&conn->streams) ||
             conn->streams.is_openable || tern_messages_has_event(conn)));
}

static tern_event_type event_of(enum tern_stream_event_kind kind)
{
    switch (kind) {
    case TERN_STREAM_HAS_OPENED:
        return TERN_EVENT_STREAM_OPENED;
    case TERN_STREAM_IS_READABLE:
        return TERN_EVENT_STREAM_READABLE;
    case TERN_STREAM_IS_WRITABLE:
        return TERN_EVENT_STREAM_WRITABLE;
    case TERN_STREAM_WAS_STOPPED:
        return TERN_EVENT_STREAM_STOPPED;
    case TERN_STREAM_IS_CLOSED:
        break;
    }
    return TERN_EVENT_STREAM_CLOSED;
}

bool tern_conn_next_event(struct tern_conn *conn, tern_event *out)
{
    struct tern_stream *stream;
    enum tern_stream_event_kind kind;
    memset(out, 0, sizeof *out);
    out->conn = conn;
    if (conn->wants_early_event) {
        conn->wants_early_event = false;
        out->type = TERN_EVENT_EARLY;
        return true;
    }
    if (conn->wants_connected_event) {
        conn->wants_connected_event = false;
        out->type = TERN_EVENT_CONNECTED;
        return true;
    }
    if (!conn->is_told_closed && conn->wants_bandwidth_event) {
        conn->wants_bandwidth_event = false;
        tern_forecast_take(&conn->forecast, &out->bandwidth);
        out->type = TERN_EVENT_BANDWIDTH;
        return true;
    }
    if (conn->wants_ticket_event && !conn->is_told_closed) {
        conn->wants_ticket_event = false;
        out->type = TERN_EVENT_TICKET;
        out->ticket = conn->ticket;
        out->ticket_len = conn->ticket_len;
        out->ticket_life = conn->ticket_life;
        return true;
    }
    if (!conn->is_told_closed && tern_messages_next_event(conn, out)) {
        return true;
    }
    if (!conn->is_told_closed && tern_streams_take_openable(&conn->streams)) {
        out->type = TERN_EVENT_OPENABLE;
        return true;
    }
    if (!conn->is_told_closed && tern_streams_next_event(&conn->streams, &stream, &kind)) {
        out->type = event_of(kind);
        out->stream = stream;
        out->code = kind == TERN_STREAM_WAS_STOPPED ? stream->stop_code : 0;
        return true;
    }
    if (conn->wants_closed_event) {
        conn->wants_closed_event = false;
        conn->is_told_closed = true;
        out->type = TERN_EVENT_CLOSED;
        tern_life_info(&conn->life, &out->close);
        return true;
    }
    return false;
}
