/* Trace events as qlog records, for the viewers that people already have.
 *
 * draft-ietf-quic-qlog-main-schema-14 and draft-ietf-quic-qlog-quic-events-13 ("events"), in JSON text sequences
 * (RFC 7464). Frames are those of QUIC, and so are their names; what tern has beyond it is in docs/observing.md.
 * SPDX-License-Identifier: MIT */
#include <inttypes.h>

#include "trace/line.h"
#include "trace/trace.h"
#include "wire/decode.h"
#include "wire/limits.h"

#define RECORD_START "\x1e" /* RFC 7464 §2.2 */

#define ADD tern_line_add

/* Milliseconds, exactly. */
static void add_ms(struct tern_line *line, const char *name, tern_time time)
{
    ADD(line, "\"%s\":%" PRIu64 ".%06" PRIu64, name, time / TERN_MSEC, time % TERN_MSEC);
}

static void add_ack(struct tern_line *line, const struct tern_frame_ack *ack)
{
    struct tern_ack_iter iter;
    uint64_t smallest, largest;
    const char *separator = "";
    uint64_t delay = ack->delay > UINT64_MAX / TERN_USEC >> TERN_ACK_DELAY_EXPONENT
                         ? UINT64_MAX
                         : (ack->delay << TERN_ACK_DELAY_EXPONENT) * TERN_USEC;
    ADD(line, ",");
    add_ms(line, "ack_delay", delay);
    ADD(line, ",\"acked_ranges\":[");
    tern_ack_iter_init(&iter, ack);
    while (tern_ack_iter_next(&iter, &smallest, &largest)) {
        ADD(line, "%s[%" PRIu64 ",%" PRIu64 "]", separator, smallest, largest);
        separator = ",";
    }
    ADD(line, "]");
    if (ack->has_ecn) {
        ADD(line, ",\"ect1\":%" PRIu64 ",\"ect0\":%" PRIu64 ",\"ce\":%" PRIu64, ack->ecn.ect1,
            ack->ecn.ect0, ack->ecn.ce);
    }
}

static void add_hex(struct tern_line *line, const char *name, const uint8_t *bytes, size_t len)
{
    ADD(line, ",\"%s\":\"", name);
    for (size_t i = 0; i < len; i++) {
        ADD(line, "%02x", bytes[i]);
    }
    ADD(line, "\"");
}

static void add_new_id(struct tern_line *line, const struct tern_frame_new_connection_id *n)
{
    ADD(line,
        ",\"sequence_number\":%" PRIu64 ",\"retire_prior_to\":%" PRIu64
        ",\"connection_id_length\":%u",
        n->sequence, n->retire_prior_to, (unsigned)n->cid.len);
    add_hex(line, "connection_id", n->cid.bytes, n->cid.len);
}

/* How many bytes of something else a frame bears. */
static void add_payload(struct tern_line *line, size_t len)
{
    ADD(line, ",\"raw\":{\"payload_length\":%zu}", len);
}

/* An application's codes have no names in the schema: what counts is the number beside "unknown". */
static void add_application_error(struct tern_line *line, uint64_t code)
{
    ADD(line, ",\"error\":\"unknown\",\"error_code\":%" PRIu64, code);
}

/* Those of RFC 9000 §20.1, in their order. */
static void add_transport_error(struct tern_line *line, uint64_t code)
{
    static const char *const names[] = {
        "no_error",
        "internal_error",
        "connection_refused",
        "flow_control_error",
        "stream_limit_error",
        "stream_state_error",
        "final_size_error",
        "frame_encoding_error",
        "transport_parameter_error",
        "connection_id_limit_error",
        "protocol_violation",
        "invalid_token",
        "application_error",
        "crypto_buffer_exceeded",
        "key_update_error",
        "aead_limit_reached",
    };
    if (code < TERN_COUNT_OF(names)) {
        ADD(line, ",\"error\":\"%s\"", names[code]);
    } else if (code >= 0x100 && code <= 0x1ff) {
        ADD(line, ",\"error\":\"crypto_error_0x%" PRIx64 "\"", code);
    } else {
        add_application_error(line, code);
    }
}

static void add_close(struct tern_line *line, const struct tern_frame_connection_close *c)
{
    if (c->is_application) {
        ADD(line, ",\"error_space\":\"application\"");
        add_application_error(line, c->code);
    } else {
        ADD(line, ",\"error_space\":\"transport\"");
        add_transport_error(line, c->code);
    }
    ADD(line, ",\"reason\":\"");
    tern_line_add_text(line, c->reason, c->reason_len, "\\u00");
    ADD(line, "\"");
}

/* The limits have one shape in three variants: alone, of a stream, of a kind of streams. */
static void add_limit(struct tern_line *line, const struct tern_frame *f, const char *name)
{
    int type = (int)f->type;
    if (type == TERN_FRAME_MAX_STREAM_DATA || type == TERN_FRAME_STREAM_DATA_BLOCKED) {
        ADD(line, ",\"stream_id\":%" PRIu64, f->u.limit.id);
    } else if (type == TERN_FRAME_MAX_STREAMS_BIDI || type == TERN_FRAME_STREAMS_BLOCKED_BIDI) {
        ADD(line, ",\"stream_type\":\"bidirectional\"");
    } else if (type == TERN_FRAME_MAX_STREAMS_UNI || type == TERN_FRAME_STREAMS_BLOCKED_UNI) {
        ADD(line, ",\"stream_type\":\"unidirectional\"");
    }
    ADD(line, ",\"%s\":%" PRIu64, name, f->u.limit.value);
}

static void add_stream(struct tern_line *line, const struct tern_frame_stream *s)
{
    ADD(line, ",\"stream_id\":%" PRIu64 ",\"offset\":%" PRIu64 ",\"fin\":%s", s->id, s->offset,
        s->fin ? "true" : "false");
    add_payload(line, s->len);
}

static const char *frame_name(enum tern_frame_type type)
{
    switch (type) {
    case TERN_FRAME_PADDING:
        return "padding";
    case TERN_FRAME_PING:
        return "ping";
    case TERN_FRAME_ACK:
    case TERN_FRAME_ACK_ECN:
        return "ack";
    case TERN_FRAME_RESET_STREAM:
        return "reset_stream";
    case TERN_FRAME_STOP_SENDING:
        return "stop_sending";
    case TERN_FRAME_CRYPTO:
        return "crypto";
    case TERN_FRAME_NEW_TOKEN:
        return "new_token";
    case TERN_FRAME_STREAM:
        return "stream";
    case TERN_FRAME_MAX_DATA:
        return "max_data";
    case TERN_FRAME_MAX_STREAM_DATA:
        return "max_stream_data";
    case TERN_FRAME_MAX_STREAMS_BIDI:
    case TERN_FRAME_MAX_STREAMS_UNI:
        return "max_streams";
    case TERN_FRAME_DATA_BLOCKED:
        return "data_blocked";
    case TERN_FRAME_STREAM_DATA_BLOCKED:
        return "stream_data_blocked";
    case TERN_FRAME_STREAMS_BLOCKED_BIDI:
    case TERN_FRAME_STREAMS_BLOCKED_UNI:
        return "streams_blocked";
    case TERN_FRAME_NEW_CONNECTION_ID:
        return "new_connection_id";
    case TERN_FRAME_RETIRE_CONNECTION_ID:
        return "retire_connection_id";
    case TERN_FRAME_PATH_CHALLENGE:
        return "path_challenge";
    case TERN_FRAME_PATH_RESPONSE:
        return "path_response";
    case TERN_FRAME_CONNECTION_CLOSE:
    case TERN_FRAME_CONNECTION_CLOSE_APP:
        return "connection_close";
    case TERN_FRAME_HANDSHAKE_DONE:
        return "handshake_done";
    case TERN_FRAME_IMMEDIATE_ACK:
        return "immediate_ack";
    case TERN_FRAME_ACK_FREQUENCY:
        return "ack_frequency";
    case TERN_FRAME_REKEY:
        return "rekey";
    case TERN_FRAME_CLOCK:
        return "clock";
    case TERN_FRAME_MESSAGE:
        return "message";
    case TERN_FRAME_MESSAGE_SKIP:
        return "message_skip";
    case TERN_FRAME_MAX_MESSAGE_DATA:
        return "max_message_data";
    case TERN_FRAME_REPAIR:
        return "repair";
    }
    return "unknown";
}

static void add_ack_frequency(struct tern_line *line, const struct tern_frame_ack_frequency *a)
{
    ADD(line,
        ",\"sequence_number\":%" PRIu64 ",\"ack_eliciting_threshold\":%" PRIu64
        ",\"requested_max_ack_delay\":%" PRIu64 ",\"reordering_threshold\":%" PRIu64,
        a->sequence, a->threshold, a->max_delay, a->reordering);
}

static void add_crypto(struct tern_line *line, const struct tern_frame_crypto *c)
{
    ADD(line, ",\"offset\":%" PRIu64, c->offset);
    add_payload(line, c->len);
}

static void add_end_of_stream(struct tern_line *line, const struct tern_frame *f)
{
    if (f->type == TERN_FRAME_STOP_SENDING) {
        ADD(line, ",\"stream_id\":%" PRIu64, f->u.stop_sending.id);
        add_application_error(line, f->u.stop_sending.code);
        return;
    }
    ADD(line, ",\"stream_id\":%" PRIu64, f->u.reset_stream.id);
    add_application_error(line, f->u.reset_stream.code);
    ADD(line, ",\"final_size\":%" PRIu64, f->u.reset_stream.final_size);
}

static const char *order_name(uint64_t order)
{
    static const char *const names[] = {"unordered", "ordered", "latest"};
    return names[order];
}

static void add_message(struct tern_line *line, const struct tern_frame_message *m)
{
    ADD(line,
        ",\"channel\":%" PRIu64 ",\"order\":\"%s\",\"number\":%" PRIu64 ",\"offset\":%" PRIu64
        ",\"total\":%" PRIu64 ",\"credit\":%s",
        m->channel, order_name(m->order), m->number, m->offset, m->total,
        m->uses_credit ? "true" : "false");
    add_payload(line, m->len);
}

static void add_message_skip(struct tern_line *line, const struct tern_frame_message_skip *s)
{
    ADD(line,
        ",\"channel\":%" PRIu64 ",\"order\":\"%s\",\"first\":%" PRIu64 ",\"count\":%" PRIu64
        ",\"cost\":%" PRIu64,
        s->channel, order_name(s->order), s->first, s->count, s->cost);
}

static void add_repair(struct tern_line *line, const struct tern_frame_repair *r)
{
    ADD(line,
        ",\"channel\":%" PRIu64 ",\"order\":\"%s\",\"size\":%" PRIu64 ",\"message\":%" PRIu64
        ",\"messages\":%" PRIu64 ",\"skip\":%" PRIu64 ",\"first\":%u,\"symbols\":%" PRIu64
        ",\"number\":%u",
        r->channel, order_name(r->order), r->size, r->message, r->messages, r->skip,
        (unsigned)r->first, r->symbols, (unsigned)r->number);
    add_payload(line, r->len);
}

static void add_frame(struct tern_line *line, const struct tern_frame *f)
{
    ADD(line, "{\"frame_type\":\"%s\"", frame_name(f->type));
    switch (f->type) {
    case TERN_FRAME_PADDING:
        ADD(line, ",\"raw\":{\"length\":%zu}", f->padding);
        break;
    case TERN_FRAME_ACK:
    case TERN_FRAME_ACK_ECN:
        add_ack(line, &f->u.ack);
        break;
    case TERN_FRAME_RESET_STREAM:
    case TERN_FRAME_STOP_SENDING:
        add_end_of_stream(line, f);
        break;
    case TERN_FRAME_CRYPTO:
        add_crypto(line, &f->u.crypto);
        break;
    case TERN_FRAME_NEW_TOKEN:
        ADD(line, ",\"token\":{\"raw\":{\"length\":%zu}}", f->u.new_token.len);
        break;
    case TERN_FRAME_STREAM:
        add_stream(line, &f->u.stream);
        break;
    case TERN_FRAME_MESSAGE:
        add_message(line, &f->u.message);
        break;
    case TERN_FRAME_MESSAGE_SKIP:
        add_message_skip(line, &f->u.message_skip);
        break;
    case TERN_FRAME_REPAIR:
        add_repair(line, &f->u.repair);
        break;
    case TERN_FRAME_MAX_DATA:
    case TERN_FRAME_MAX_MESSAGE_DATA:
    case TERN_FRAME_MAX_STREAM_DATA:
    case TERN_FRAME_MAX_STREAMS_BIDI:
    case TERN_FRAME_MAX_STREAMS_UNI:
        add_limit(line, f, "maximum");
        break;
    case TERN_FRAME_DATA_BLOCKED:
    case TERN_FRAME_STREAM_DATA_BLOCKED:
    case TERN_FRAME_STREAMS_BLOCKED_BIDI:
    case TERN_FRAME_STREAMS_BLOCKED_UNI:
        add_limit(line, f, "limit");
        break;
    case TERN_FRAME_NEW_CONNECTION_ID:
        add_new_id(line, &f->u.new_connection_id);
        break;
    case TERN_FRAME_RETIRE_CONNECTION_ID:
        ADD(line, ",\"sequence_number\":%" PRIu64, f->u.retire_connection_id.sequence);
        break;
    case TERN_FRAME_PATH_CHALLENGE:
    case TERN_FRAME_PATH_RESPONSE:
        add_hex(line, "data", f->u.path.data, sizeof f->u.path.data);
        break;
    case TERN_FRAME_CONNECTION_CLOSE:
    case TERN_FRAME_CONNECTION_CLOSE_APP:
        add_close(line, &f->u.connection_close);
        break;
    case TERN_FRAME_ACK_FREQUENCY:
        add_ack_frequency(line, &f->u.ack_frequency);
        break;
    case TERN_FRAME_CLOCK:
        ADD(line, ",\"time\":%" PRIu64, f->u.clock.micros);
        break;
    case TERN_FRAME_REKEY:
        ADD(line, ",\"number\":%" PRIu64, f->u.rekey.number);
        break;
    case TERN_FRAME_PING:
    case TERN_FRAME_HANDSHAKE_DONE:
    case TERN_FRAME_IMMEDIATE_ACK:
        break;
    }
    ADD(line, "}");
}

static void add_frames(struct tern_line *line, const tern_trace_event *event)
{
    struct tern_reader r;
    const char *separator = "";
    tern_reader_init(&r, event->payload, event->payload_len);
    ADD(line, ",\"frames\":[");
    while (tern_reader_left(&r) > 0) {
        struct tern_frame frame;
        unsigned first = *r.at;
        ADD(line, "%s", separator);
        if (tern_frame_decode(&frame, &r) != 0) {
            ADD(line, "{\"frame_type\":\"unknown\",\"frame_type_bytes\":%u}", first);
            break;
        }
        add_frame(line, &frame);
        separator = ",";
    }
    ADD(line, "]");
}

static void add_packet(struct tern_line *line, const tern_trace_event *event)
{
    static const char *const names[] = {"initial", "0RTT", "handshake", "retry", "1RTT"};
    const char *type =
        event->packet_type < TERN_COUNT_OF(names) ? names[event->packet_type] : "unknown";
    ADD(line, "\"header\":{\"packet_type\":\"%s\",\"packet_number\":%" PRIu64 "}", type,
        event->packet_number);
    if (event->kind != TERN_TRACE_LOST) { /* which has none in the schema */
        ADD(line, ",\"raw\":{\"length\":%zu}", event->packet_size);
    }
    if (event->payload != NULL) {
        add_frames(line, event);
    }
}

static void add_metrics(struct tern_line *line, const tern_trace_event *event)
{
    if (event->smoothed_rtt > 0) {
        add_ms(line, "smoothed_rtt", event->smoothed_rtt);
        ADD(line, ",");
        add_ms(line, "latest_rtt", event->latest_rtt);
        ADD(line, ",");
    }
    ADD(line, "\"congestion_window\":%" PRIu64 ",\"bytes_in_flight\":%" PRIu64, event->cwnd,
        event->bytes_in_flight);
}

/* Our states by the names that viewers know; others pass. */
static const char *state_name(const char *state)
{
    if (strcmp(state, "handshaking") == 0) {
        return "attempted";
    }
    return strcmp(state, "established") == 0 ? "handshake_complete" : state;
}

/* The schema has a few causes only; our words stand beside them. */
static void add_drop(struct tern_line *line, const char *why)
{
    static const struct {
        const char *why, *trigger;
    } causes[] = {
        {"did not open", "decryption_failure"},
        {"no keys for this level", "key_unavailable"},
        {"duplicate", "duplicate"},
        {"no room for it", "rejected"},
        {"not a packet", "invalid"},
    };
    const char *trigger = "general";
    for (size_t i = 0; i < TERN_COUNT_OF(causes); i++) {
        trigger = strcmp(why, causes[i].why) == 0 ? causes[i].trigger : trigger;
    }
    ADD(line, "\"details\":{\"why\":\"%s\"},\"trigger\":\"%s\"", why, trigger);
}

/* That there is a key, not the key: who may see the trace may not therefore read the connection. */
static void add_key(struct tern_line *line, const tern_trace_event *event)
{
    static const char *const levels[] = {"initial", "0rtt", "handshake", "", "1rtt"};
    const char *level =
        event->packet_type < TERN_COUNT_OF(levels) ? levels[event->packet_type] : "";
    ADD(line, "\"key_type\":\"%s_%s_secret\"", event->is_clients ? "client" : "server", level);
    if (event->packet_type == TERN_PACKET_ONE_RTT) {
        ADD(line, ",\"key_phase\":%" PRIu32, event->key_phase);
    }
}

size_t tern_trace_qlog_start(bool is_server, char *buf, size_t size)
{
    struct tern_line line = {.buf = buf, .size = size, .used = 0};
    ADD(&line,
        RECORD_START
        "{\"file_schema\":\"urn:ietf:params:qlog:file:sequential\","
        "\"serialization_format\":\"application/qlog+json-seq\",\"title\":\"tern\","
        "\"trace\":{\"vantage_point\":{\"type\":\"%s\"},"
        "\"event_schemas\":[\"urn:ietf:params:qlog:events:quic-13\",\"tern:qlog:quic#tern-1\"],"
        "\"common_fields\":{\"time_format\":\"relative_to_epoch\",\"reference_time\":"
        "{\"clock_type\":\"monotonic\",\"epoch\":\"unknown\"}}}}\n",
        is_server ? "server" : "client");
    return line.used;
}

size_t tern_trace_qlog(const tern_trace_event *event, char *buf, size_t size)
{
    static const char *const names[] = {
        [TERN_TRACE_SENT] = "packet_sent",
        [TERN_TRACE_RECEIVED] = "packet_received",
        [TERN_TRACE_DROPPED] = "packet_dropped",
        [TERN_TRACE_LOST] = "packet_lost",
        [TERN_TRACE_METRICS] = "recovery_metrics_updated",
        [TERN_TRACE_STATE] = "connection_state_updated",
        [TERN_TRACE_SECRET] = "key_updated",
    };
    struct tern_line line = {.buf = buf, .size = size, .used = 0};
    ADD(&line, RECORD_START "{");
    add_ms(&line, "time", event->now);
    ADD(&line, ",\"name\":\"quic:%s\",\"group_id\":\"%" PRIu64 "\",\"data\":{", names[event->kind],
        event->conn_number);
    switch (event->kind) {
    case TERN_TRACE_SENT:
    case TERN_TRACE_RECEIVED:
    case TERN_TRACE_LOST:
        add_packet(&line, event);
        break;
    case TERN_TRACE_DROPPED:
        add_drop(&line, event->text);
        break;
    case TERN_TRACE_STATE:
        ADD(&line, "\"new\":\"%s\"", state_name(event->text));
        break;
    case TERN_TRACE_METRICS:
        add_metrics(&line, event);
        break;
    case TERN_TRACE_SECRET:
        add_key(&line, event);
        break;
    }
    ADD(&line, "}}\n");
    return line.used;
}
