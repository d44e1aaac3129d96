/* Transport parameters: what decodes is within its ranges, and says the same when written again.
 *
 * Input: one byte (bit 0: from a server), then the parameters.
 * SPDX-License-Identifier: MIT */
#include "fuzz.h"
#include "wire/params.h"

static void check_ranges(const struct tern_params *p, bool from_server)
{
    FUZZ_CHECK(p->max_udp_payload_size >= TERN_INITIAL_DATAGRAM_MIN);
    FUZZ_CHECK(p->initial_max_streams_bidi <= TERN_STREAMS_MAX);
    FUZZ_CHECK(p->initial_max_streams_uni <= TERN_STREAMS_MAX);
    FUZZ_CHECK(p->ack_delay_exponent <= TERN_ACK_DELAY_EXPONENT_MAX);
    FUZZ_CHECK(p->max_ack_delay < TERN_MAX_ACK_DELAY_MAX);
    FUZZ_CHECK(!p->has_min_ack_delay || p->min_ack_delay <= p->max_ack_delay * 1000);
    FUZZ_CHECK(p->active_connection_id_limit >= TERN_CID_LIMIT_MIN);
    FUZZ_CHECK(p->max_message_size <= TERN_MESSAGE_SIZE_MAX);
    FUZZ_CHECK(p->max_message_channels >= 1);
    FUZZ_CHECK(p->max_message_channels <= TERN_MESSAGE_CHANNELS_MAX);
    FUZZ_CHECK(p->fec_window <= TERN_REPAIR_SYMBOLS_MAX);
    FUZZ_CHECK(!from_server || !p->has_ticket);
    FUZZ_CHECK(from_server || (!p->takes_early && !p->has_original_dcid && !p->has_retry_scid &&
                               !p->has_suite && !p->has_stateless_reset_token));
}

static bool is_same_cid(bool has_a, const struct tern_cid *a, bool has_b, const struct tern_cid *b)
{
    return has_a == has_b && (!has_a || tern_cid_equal(a, b));
}

static void check_same(const struct tern_params *a, const struct tern_params *b)
{
    FUZZ_CHECK(a->max_idle_timeout == b->max_idle_timeout);
    FUZZ_CHECK(a->max_udp_payload_size == b->max_udp_payload_size);
    FUZZ_CHECK(a->initial_max_data == b->initial_max_data);
    FUZZ_CHECK(a->initial_max_stream_data_bidi_local == b->initial_max_stream_data_bidi_local);
    FUZZ_CHECK(a->initial_max_stream_data_bidi_remote == b->initial_max_stream_data_bidi_remote);
    FUZZ_CHECK(a->initial_max_stream_data_uni == b->initial_max_stream_data_uni);
    FUZZ_CHECK(a->initial_max_streams_bidi == b->initial_max_streams_bidi);
    FUZZ_CHECK(a->initial_max_streams_uni == b->initial_max_streams_uni);
    FUZZ_CHECK(a->ack_delay_exponent == b->ack_delay_exponent);
    FUZZ_CHECK(a->max_ack_delay == b->max_ack_delay);
    FUZZ_CHECK(a->has_min_ack_delay == b->has_min_ack_delay);
    FUZZ_CHECK(a->min_ack_delay == b->min_ack_delay);
    FUZZ_CHECK(a->active_connection_id_limit == b->active_connection_id_limit);
    FUZZ_CHECK(a->max_message_size == b->max_message_size);
    FUZZ_CHECK(a->initial_max_message_data == b->initial_max_message_data);
    FUZZ_CHECK(a->max_message_channels == b->max_message_channels);
    FUZZ_CHECK(a->fec_window == b->fec_window);
    FUZZ_CHECK(a->disable_active_migration == b->disable_active_migration);
    FUZZ_CHECK(is_same_cid(a->has_original_dcid, &a->original_dcid, b->has_original_dcid,
                           &b->original_dcid));
    FUZZ_CHECK(
        is_same_cid(a->has_initial_scid, &a->initial_scid, b->has_initial_scid, &b->initial_scid));
    FUZZ_CHECK(is_same_cid(a->has_retry_scid, &a->retry_scid, b->has_retry_scid, &b->retry_scid));
    FUZZ_CHECK(a->has_suite == b->has_suite && a->suite == b->suite);
    FUZZ_CHECK(a->has_stateless_reset_token == b->has_stateless_reset_token);
    FUZZ_CHECK(a->has_cpace == b->has_cpace && a->takes_early == b->takes_early);
    FUZZ_CHECK(a->tells_time == b->tells_time);
    FUZZ_CHECK(memcmp(a->cpace, b->cpace, sizeof a->cpace) == 0);
    FUZZ_CHECK(a->has_ticket == b->has_ticket && a->ticket_age == b->ticket_age);
    FUZZ_CHECK(memcmp(a->ticket_binder, b->ticket_binder, sizeof a->ticket_binder) == 0);
    FUZZ_CHECK(memcmp(a->stateless_reset_token, b->stateless_reset_token,
                      sizeof a->stateless_reset_token) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct tern_params params, again;
    struct tern_writer w;
    uint8_t buf[512];
    bool from_server = (fuzz_u8(&in) & 1) != 0;
    int rc = tern_params_decode(&params, in.at, in.left, from_server);
    FUZZ_CHECK(rc == 0 || rc == TERN_ERR_TRANSPORT_PARAMETER);
    if (rc != 0) {
        return 0;
    }
    check_ranges(&params, from_server);
    tern_writer_init(&w, buf, sizeof buf);
    tern_params_encode(&w, &params);
    FUZZ_CHECK(!w.failed);
    FUZZ_CHECK(tern_params_decode(&again, buf, tern_writer_used(&w), from_server) == 0);
    check_same(&params, &again);
    return 0;
}
