/* Trace events as lines of text, frames decoded by the same code that the connection uses.
 * SPDX-License-Identifier: MIT */
#include <inttypes.h>

#include "trace/line.h"
#include "trace/trace.h"
#include "wire/decode.h"

static void tell_ack(struct tern_line *line, const struct tern_frame_ack *ack)
{
    struct tern_ack_iter iter;
    uint64_t smallest, largest;
    tern_line_add(line, " largest=%" PRIu64 " delay=%" PRIu64 " ranges=%" PRIu64, ack->largest,
                  ack->delay, ack->range_count + 1);
    tern_ack_iter_init(&iter, ack);
    for (unsigned i = 0; i < 4 && tern_ack_iter_next(&iter, &smallest, &largest); i++) {
        tern_line_add(line, " %" PRIu64 "-%" PRIu64, smallest, largest);
    }
    if (ack->has_ecn) {
        tern_line_add(line, " ecn=%" PRIu64 "/%" PRIu64 "/%" PRIu64, ack->ecn.ect0, ack->ecn.ect1,
                      ack->ecn.ce);
    }
}

static void add_ids(struct tern_line *line, const struct tern_frame *f)
{
    const struct tern_frame_new_connection_id *n = &f->u.new_connection_id;
    if (f->type == TERN_FRAME_RETIRE_CONNECTION_ID) {
        tern_line_add(line, " seq=%" PRIu64, f->u.retire_connection_id.sequence);
        return;
    }
    tern_line_add(line, " seq=%" PRIu64 " retire_prior_to=%" PRIu64, n->sequence,
                  n->retire_prior_to);
}

static void tell_close(struct tern_line *line, const struct tern_frame_connection_close *c)
{
    tern_line_add(line, " %s code=0x%" PRIx64 " reason=\"",
                  c->is_application ? "application" : "transport", c->code);
    tern_line_add_text(line, c->reason, c->reason_len, "\\x");
    tern_line_add(line, "\"");
}

static void tell_message(struct tern_line *line, const struct tern_frame_message *m)
{
    static const char *const orders[] = {"unordered", "ordered", "latest"};
    tern_line_add(line, " channel=%" PRIu64 " %s number=%" PRIu64, m->channel, orders[m->order],
                  m->number);
    if (m->is_fragment) {
        tern_line_add(line, " off=%" PRIu64 " total=%" PRIu64, m->offset, m->total);
    }
    tern_line_add(line, " len=%zu%s", m->len, m->uses_credit ? " credit" : "");
}

static void tell_message_skip(struct tern_line *line, const struct tern_frame_message_skip *s)
{
    tern_line_add(line, " channel=%" PRIu64 " %s first=%" PRIu64 " count=%" PRIu64 " cost=%" PRIu64,
                  s->channel, s->order == 0 ? "unordered" : "ordered", s->first, s->count, s->cost);
}

static void tell_repair(struct tern_line *line, const struct tern_frame_repair *r)
{
    static const char *const orders[] = {"unordered", "ordered", "latest"};
    tern_line_add(line,
                  " channel=%" PRIu64 " %s size=%" PRIu64 " message=%" PRIu64 "+%" PRIu64
                  " skip=%" PRIu64 " symbols=%u+%" PRIu64 " repair=%u len=%zu",
                  r->channel, orders[r->order], r->size, r->message, r->messages, r->skip,
                  (unsigned)r->first, r->symbols, (unsigned)r->number, r->len);
}

static void tell_frame(struct tern_line *line, const struct tern_frame *f)
{
    const struct tern_frame_rule *rule = tern_frame_rule(f->type);
    tern_line_add(line, "%s", rule == NULL ? "?" : rule->name);
    switch (f->type) {
    case TERN_FRAME_PADDING:
        tern_line_add(line, " len=%zu", f->padding);
        break;
    case TERN_FRAME_ACK:
    case TERN_FRAME_ACK_ECN:
        tell_ack(line, &f->u.ack);
        break;
    case TERN_FRAME_CRYPTO:
        tern_line_add(line, " off=%" PRIu64 " len=%zu", f->u.crypto.offset, f->u.crypto.len);
        break;
    case TERN_FRAME_STREAM:
        tern_line_add(line, " id=%" PRIu64 " off=%" PRIu64 " len=%zu%s", f->u.stream.id,
                      f->u.stream.offset, f->u.stream.len, f->u.stream.fin ? " fin" : "");
        break;
    case TERN_FRAME_RESET_STREAM:
        tern_line_add(line, " id=%" PRIu64 " code=%" PRIu64 " final=%" PRIu64, f->u.reset_stream.id,
                      f->u.reset_stream.code, f->u.reset_stream.final_size);
        break;
    case TERN_FRAME_STOP_SENDING:
        tern_line_add(line, " id=%" PRIu64 " code=%" PRIu64, f->u.stop_sending.id,
                      f->u.stop_sending.code);
        break;
    case TERN_FRAME_MAX_STREAM_DATA:
    case TERN_FRAME_STREAM_DATA_BLOCKED:
        tern_line_add(line, " id=%" PRIu64 " limit=%" PRIu64, f->u.limit.id, f->u.limit.value);
        break;
    case TERN_FRAME_MESSAGE:
        tell_message(line, &f->u.message);
        break;
    case TERN_FRAME_MESSAGE_SKIP:
        tell_message_skip(line, &f->u.message_skip);
        break;
    case TERN_FRAME_REPAIR:
        tell_repair(line, &f->u.repair);
        break;
    case TERN_FRAME_MAX_DATA:
    case TERN_FRAME_MAX_MESSAGE_DATA:
    case TERN_FRAME_MAX_STREAMS_BIDI:
    case TERN_FRAME_MAX_STREAMS_UNI:
    case TERN_FRAME_DATA_BLOCKED:
    case TERN_FRAME_STREAMS_BLOCKED_BIDI:
    case TERN_FRAME_STREAMS_BLOCKED_UNI:
        tern_line_add(line, " limit=%" PRIu64, f->u.limit.value);
        break;
    case TERN_FRAME_NEW_CONNECTION_ID:
    case TERN_FRAME_RETIRE_CONNECTION_ID:
        add_ids(line, f);
        break;
    case TERN_FRAME_CONNECTION_CLOSE:
    case TERN_FRAME_CONNECTION_CLOSE_APP:
        tell_close(line, &f->u.connection_close);
        break;
    case TERN_FRAME_CLOCK:
        tern_line_add(line, " time=%" PRIu64, f->u.clock.micros);
        break;
    case TERN_FRAME_REKEY:
        tern_line_add(line, " number=%" PRIu64, f->u.rekey.number);
        break;
    case TERN_FRAME_NEW_TOKEN:
        tern_line_add(line, " len=%zu", f->u.new_token.len);
        break;
    case TERN_FRAME_PING:
    case TERN_FRAME_PATH_CHALLENGE:
    case TERN_FRAME_PATH_RESPONSE:
    case TERN_FRAME_HANDSHAKE_DONE:
    case TERN_FRAME_IMMEDIATE_ACK:
        break;
    case TERN_FRAME_ACK_FREQUENCY:
        tern_line_add(
            line, " seq=%" PRIu64 " threshold=%" PRIu64 " delay=%" PRIu64 " reordering=%" PRIu64,
            f->u.ack_frequency.sequence, f->u.ack_frequency.threshold, f->u.ack_frequency.max_delay,
            f->u.ack_frequency.reordering);
        break;
    }
}

static void tell_payload(struct tern_line *line, const tern_trace_event *event)
{
    struct tern_reader r;
    const char *separator = " ";
    tern_reader_init(&r, event->payload, event->payload_len);
    while (tern_reader_left(&r) > 0) {
        struct tern_frame frame;
        tern_line_add(line, "%s", separator);
        if (tern_frame_decode(&frame, &r) != 0) {
            tern_line_add(line, "(malformed)");
            return;
        }
        tell_frame(line, &frame);
        separator = " | ";
    }
}

static const char *type_name(uint8_t type)
{
    static const char *const names[] = {"Initial", "0-RTT", "Handshake", "Retry", "1-RTT"};
    return type < TERN_COUNT_OF(names) ? names[type] : "?";
}

static void tell_packet(struct tern_line *line, const tern_trace_event *event, const char *verb)
{
    tern_line_add(line, "%s %s pn=%" PRIu64 " size=%zu", verb, type_name(event->packet_type),
                  event->packet_number, event->packet_size);
    if (event->payload != NULL) {
        tell_payload(line, event);
    }
}

size_t tern_trace_text(const tern_trace_event *event, char *buf, size_t size)
{
    struct tern_line line = {.buf = buf, .size = size, .used = 0};
    tern_line_add(&line, "%" PRIu64 ".%06" PRIu64 " #%" PRIu64 " %c ", event->now / TERN_SEC,
                  event->now % TERN_SEC / TERN_USEC, event->conn_number,
                  event->is_server ? 's' : 'c');
    switch (event->kind) {
    case TERN_TRACE_SENT:
        tell_packet(&line, event, "sent");
        break;
    case TERN_TRACE_RECEIVED:
        tell_packet(&line, event, "received");
        break;
    case TERN_TRACE_LOST:
        tell_packet(&line, event, "lost");
        break;
    case TERN_TRACE_DROPPED:
        tern_line_add(&line, "dropped: %s", event->text);
        break;
    case TERN_TRACE_STATE:
        tern_line_add(&line, "state %s", event->text);
        break;
    case TERN_TRACE_SECRET: /* whoever may see the trace may not therefore read what is to come */
        tern_line_add(&line, "secret %s %s phase=%" PRIu32 " suite=0x%04x",
                      type_name(event->packet_type), event->is_clients ? "client" : "server",
                      event->key_phase, event->suite);
        break;
    case TERN_TRACE_METRICS:
        tern_line_add(&line,
                      "metrics cwnd=%" PRIu64 " in_flight=%" PRIu64 " srtt=%" PRIu64
                      "us rtt=%" PRIu64 "us",
                      event->cwnd, event->bytes_in_flight, event->smoothed_rtt / TERN_USEC,
                      event->latest_rtt / TERN_USEC);
        break;
    }
    return line.used;
}
