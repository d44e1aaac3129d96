/* A table of numbers with their ranges, and the few parameters that are not numbers.
 * SPDX-License-Identifier: MIT */
#include "wire/params.h"

enum param_id {
    ID_ORIGINAL_DCID = 0x00,
    ID_RESET_TOKEN = 0x02,
    ID_ACTIVE_MIGRATION = 0x0c,
    ID_PREFERRED_ADDRESS = 0x0d, /* refused: [P §7] */
    ID_INITIAL_SCID = 0x0f,
    ID_RETRY_SCID = 0x10,
    ID_VERSION_INFO = 0x11
};

/* The parameters that are one varint. */
static const struct {
    uint64_t id;
    size_t member;
    uint64_t least, most;
} numbers[] = {
    {0x01, offsetof(struct tern_params, max_idle_timeout), 0, TERN_VARINT_MAX},
    {0x03, offsetof(struct tern_params, max_udp_payload_size), 1200, TERN_VARINT_MAX},
    {0x04, offsetof(struct tern_params, initial_max_data), 0, TERN_VARINT_MAX},
    {0x05, offsetof(struct tern_params, initial_max_stream_data_bidi_local), 0, TERN_VARINT_MAX},
    {0x06, offsetof(struct tern_params, initial_max_stream_data_bidi_remote), 0, TERN_VARINT_MAX},
    {0x07, offsetof(struct tern_params, initial_max_stream_data_uni), 0, TERN_VARINT_MAX},
    {0x08, offsetof(struct tern_params, initial_max_streams_bidi), 0, TERN_STREAMS_MAX},
    {0x09, offsetof(struct tern_params, initial_max_streams_uni), 0, TERN_STREAMS_MAX},
    {0x0a, offsetof(struct tern_params, ack_delay_exponent), 0, TERN_ACK_DELAY_EXPONENT_MAX},
    {0x0b, offsetof(struct tern_params, max_ack_delay), 0, TERN_MAX_ACK_DELAY_MAX - 1},
    {0x0e, offsetof(struct tern_params, active_connection_id_limit), TERN_CID_LIMIT_MIN,
     TERN_VARINT_MAX},
    {TERN_PARAM_MAX_MESSAGE_SIZE, offsetof(struct tern_params, max_message_size), 0,
     TERN_MESSAGE_SIZE_MAX},
    {TERN_PARAM_MAX_MESSAGE_DATA, offsetof(struct tern_params, initial_max_message_data), 0,
     TERN_VARINT_MAX},
    {TERN_PARAM_MAX_MESSAGE_CHANNELS, offsetof(struct tern_params, max_message_channels), 1,
     TERN_MESSAGE_CHANNELS_MAX},
    {TERN_PARAM_FEC_WINDOW, offsetof(struct tern_params, fec_window), 0, TERN_REPAIR_SYMBOLS_MAX},
};

/* Bits of those with a large number in the set of those seen. */
#define SEEN_MIN_ACK_DELAY 32u
#define SEEN_OURS          33u /* and those that follow: of the numbers from `suite` on */
#define OURS_COUNT         9u

#define TICKET_SIZE (8 + TERN_BINDER_SIZE)

void tern_params_init(struct tern_params *params)
{
    memset(params, 0, sizeof *params);
    params->max_udp_payload_size = TERN_DATAGRAM_MAX;
    params->ack_delay_exponent = TERN_ACK_DELAY_EXPONENT;
    params->max_ack_delay = 25;
    params->active_connection_id_limit = TERN_CID_LIMIT_MIN;
    params->max_message_channels = TERN_MESSAGE_CHANNELS_MAX;
}

static uint64_t *member_of(struct tern_params *params, size_t offset)
{
    return (uint64_t *)(void *)((char *)params + offset);
}

static uint64_t value_of(const struct tern_params *params, size_t offset)
{
    uint64_t value;
    memcpy(&value, (const char *)params + offset, sizeof value);
    return value;
}

static void encode_bytes(struct tern_writer *w, uint64_t id, const uint8_t *bytes, size_t len)
{
    tern_write_varint(w, id);
    tern_write_varint(w, len);
    tern_write_bytes(w, bytes, len);
}

void tern_params_encode(struct tern_writer *w, const struct tern_params *params)
{
    for (size_t i = 0; i < TERN_COUNT_OF(numbers); i++) {
        uint64_t value = TERN_MIN(value_of(params, numbers[i].member), numbers[i].most);
        tern_write_varint(w, numbers[i].id);
        tern_write_varint(w, tern_varint_size(value));
        tern_write_varint(w, value);
    }
    if (params->disable_active_migration) {
        encode_bytes(w, ID_ACTIVE_MIGRATION, NULL, 0);
    }
    if (params->has_original_dcid) {
        encode_bytes(w, ID_ORIGINAL_DCID, params->original_dcid.bytes, params->original_dcid.len);
    }
    if (params->has_stateless_reset_token) {
        encode_bytes(w, ID_RESET_TOKEN, params->stateless_reset_token, TERN_RESET_TOKEN_BYTES);
    }
    if (params->has_initial_scid) {
        encode_bytes(w, ID_INITIAL_SCID, params->initial_scid.bytes, params->initial_scid.len);
    }
    if (params->has_retry_scid) {
        encode_bytes(w, ID_RETRY_SCID, params->retry_scid.bytes, params->retry_scid.len);
    }
    if (params->has_version_info) { /* the one in use, then all that we speak: the same */
        tern_write_varint(w, ID_VERSION_INFO);
        tern_write_varint(w, 8);
        tern_write_uint(w, params->chosen_version, 4);
        tern_write_uint(w, TERN_VERSION_1, 4);
    }
    if (params->has_min_ack_delay) {
        tern_write_varint(w, TERN_PARAM_MIN_ACK_DELAY);
        tern_write_varint(w, tern_varint_size(params->min_ack_delay));
        tern_write_varint(w, params->min_ack_delay);
    }
    if (params->has_suite) {
        uint8_t suite[2] = {(uint8_t)(params->suite >> 8), (uint8_t)params->suite};
        encode_bytes(w, TERN_PARAM_SUITE, suite, sizeof suite);
    }
    if (params->has_cpace) {
        encode_bytes(w, TERN_PARAM_CPACE, params->cpace, sizeof params->cpace);
    }
    if (params->has_ticket) {
        tern_write_varint(w, TERN_PARAM_TICKET);
        tern_write_varint(w, TICKET_SIZE);
        tern_write_uint(w, params->ticket_age, 8);
        tern_write_bytes(w, params->ticket_binder, sizeof params->ticket_binder);
    }
    if (params->takes_early) {
        encode_bytes(w, TERN_PARAM_EARLY, NULL, 0);
    }
    if (params->tells_time) {
        encode_bytes(w, TERN_PARAM_CLOCK, NULL, 0);
    }
}

static bool decode_cid(struct tern_cid *cid, bool *has, const uint8_t *bytes, size_t len)
{
    if (len > TERN_CID_MAX) {
        return false;
    }
    cid->len = (uint8_t)len;
    memcpy(cid->bytes, bytes, len);
    *has = true;
    return true;
}

/* A varint that fills its length exactly. */
static bool read_whole(uint64_t *value, const uint8_t *bytes, size_t len)
{
    struct tern_reader r;
    tern_reader_init(&r, bytes, len);
    *value = tern_read_varint(&r);
    return !r.failed && tern_reader_left(&r) == 0;
}

static bool decode_number(struct tern_params *out, size_t i, const uint8_t *bytes, size_t len)
{
    uint64_t value;
    if (!read_whole(&value, bytes, len) || value < numbers[i].least || value > numbers[i].most) {
        return false;
    }
    *member_of(out, numbers[i].member) = value;
    return true;
}

/* RFC 9368 §4: a list of numbers, none of them 0, the first of which is the one in use. */
static bool decode_versions(struct tern_params *out, const uint8_t *bytes, size_t len)
{
    struct tern_reader r;
    bool is_sane = len >= 4 && len % 4 == 0;
    tern_reader_init(&r, bytes, len);
    out->chosen_version = (uint32_t)tern_read_uint(&r, 4);
    is_sane = is_sane && out->chosen_version != 0;
    while (is_sane && tern_reader_left(&r) > 0) {
        uint32_t version = (uint32_t)tern_read_uint(&r, 4);
        is_sane = version != 0;
        out->lists_version_1 = out->lists_version_1 || version == TERN_VERSION_1;
    }
    out->has_version_info = true;
    return is_sane;
}

static bool decode_ticket(struct tern_params *out, const uint8_t *bytes, size_t len)
{
    struct tern_reader r;
    if (len != TICKET_SIZE) {
        return false;
    }
    tern_reader_init(&r, bytes, len);
    out->ticket_age = tern_read_uint(&r, 8);
    memcpy(out->ticket_binder, r.at, sizeof out->ticket_binder);
    out->has_ticket = true;
    return true;
}

static bool decode_other(struct tern_params *out, uint64_t id, const uint8_t *bytes, size_t len,
                         bool from_server)
{
    switch (id) {
    case ID_ORIGINAL_DCID:
        return from_server && decode_cid(&out->original_dcid, &out->has_original_dcid, bytes, len);
    case ID_INITIAL_SCID:
        return decode_cid(&out->initial_scid, &out->has_initial_scid, bytes, len);
    case ID_RETRY_SCID:
        return from_server && decode_cid(&out->retry_scid, &out->has_retry_scid, bytes, len);
    case ID_RESET_TOKEN:
        if (!from_server || len != TERN_RESET_TOKEN_BYTES) {
            return false;
        }
        memcpy(out->stateless_reset_token, bytes, len);
        out->has_stateless_reset_token = true;
        return true;
    case ID_VERSION_INFO:
        return decode_versions(out, bytes, len);
    case ID_ACTIVE_MIGRATION:
        out->disable_active_migration = true;
        return len == 0;
    case TERN_PARAM_MIN_ACK_DELAY:
        out->has_min_ack_delay = true;
        return read_whole(&out->min_ack_delay, bytes, len);
    case TERN_PARAM_SUITE:
        if (!from_server || len != 2) {
            return false;
        }
        out->suite = (uint16_t)(bytes[0] << 8 | bytes[1]);
        out->has_suite = true;
        return true;
    case TERN_PARAM_CPACE:
        if (len != sizeof out->cpace) {
            return false;
        }
        memcpy(out->cpace, bytes, len);
        out->has_cpace = true;
        return true;
    case TERN_PARAM_TICKET:
        return !from_server && decode_ticket(out, bytes, len);
    case TERN_PARAM_EARLY:
        out->takes_early = true;
        return from_server && len == 0;
    case TERN_PARAM_CLOCK:
        out->tells_time = true;
        return len == 0;
    case ID_PREFERRED_ADDRESS:
        return false;
    default:
        return true;
    }
}

static bool decode_one(struct tern_params *out, uint64_t id, const uint8_t *bytes, size_t len,
                       bool from_server)
{
    for (size_t i = 0; i < TERN_COUNT_OF(numbers); i++) {
        if (numbers[i].id == id) {
            return decode_number(out, i, bytes, len);
        }
    }
    return decode_other(out, id, bytes, len, from_server);
}

/* The place of a parameter in the set of those seen; 0: it is not known and may come as often as it
 * likes. */
static uint64_t seen_bit(uint64_t id)
{
    bool is_ours = id >= TERN_PARAM_SUITE && id < TERN_PARAM_SUITE + OURS_COUNT;
    unsigned bit = id < SEEN_MIN_ACK_DELAY          ? (unsigned)id
                   : id == TERN_PARAM_MIN_ACK_DELAY ? SEEN_MIN_ACK_DELAY
                   : is_ours                        ? SEEN_OURS + (unsigned)(id - TERN_PARAM_SUITE)
                                                    : 64;
    return bit < 64 ? UINT64_C(1) << bit : 0;
}

int tern_params_decode(struct tern_params *out, const uint8_t *data, size_t len, bool from_server)
{
    struct tern_reader r;
    uint64_t seen = 0;
    tern_params_init(out);
    tern_reader_init(&r, data, len);
    while (tern_reader_left(&r) > 0) {
        uint64_t id = tern_read_varint(&r);
        uint64_t size = tern_read_varint(&r);
        const uint8_t *bytes = tern_read_bytes(&r, size);
        if (r.failed) {
            return TERN_ERR_TRANSPORT_PARAMETER;
        }
        uint64_t bit = seen_bit(id);
        if ((seen & bit) != 0 || !decode_one(out, id, bytes, (size_t)size, from_server)) {
            return TERN_ERR_TRANSPORT_PARAMETER;
        }
        seen |= bit;
    }
    /* They may come in either order. One beyond the other is an error and not cut down: who says so
     * does not know what it does. */
    if (out->has_min_ack_delay && out->min_ack_delay > out->max_ack_delay * 1000) {
        return TERN_ERR_TRANSPORT_PARAMETER;
    }
    return 0;
}
