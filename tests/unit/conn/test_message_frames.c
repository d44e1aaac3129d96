/* What a peer can do with message frames: each thing that it must not has an error, and each thing that it may
 * make grow a bound. [P §16], [P §14]
 * SPDX-License-Identifier: MIT */
#include "conn/fill.h"
#include "conn/handle.h"
#include "conn/messages.h"
#include "conn/receipts.h"
#include "one_ck.h"
#include "wire/encode.h"

static struct tern_handle handle;

static int setup(void **state)
{
    (void)state;
    ck_init(&k);
    k.side[CK_SERVER].config.max_message = 10000;
    k.side[CK_SERVER].config.max_channels = 100;
    k.side[CK_SERVER].config.message_window = 20000;
    k.side[CK_SERVER].config.message_queue = 20000;
    one_ready();
    return 0;
}

/* A server that takes none. */
static int setup_deaf(void **state)
{
    (void)state;
    ck_init(&k);
    k.side[CK_SERVER].config.max_message = 0;
    one_ready();
    return 0;
}

static int give(struct tern_conn *conn, const uint8_t *payload, size_t len)
{
    static tern_datagram in;
    handle = (struct tern_handle){
        .conn = conn, .level = TERN_LEVEL_APP, .packet_type = TERN_PACKET_ONE_RTT, .in = &in};
    in = (tern_datagram){.local = conn->path.local, .remote = conn->path.remote};
    return tern_handle_payload(&handle, payload, len, k.now);
}

enum { UNORDERED, ORDERED, LATEST };

static uint8_t bytes[20000];

/* A MESSAGE frame; len below total: a fragment. */
static int give_part(unsigned order, uint64_t channel, uint64_t number, uint64_t offset, size_t len,
                     uint64_t total, bool uses_credit)
{
    static uint8_t payload[30000];
    struct tern_writer w;
    struct tern_frame_message m = {.channel = channel,
                                   .number = number,
                                   .offset = offset,
                                   .total = total,
                                   .data = bytes,
                                   .len = len,
                                   .order = (uint8_t)order,
                                   .is_fragment = len < total,
                                   .uses_credit = uses_credit};
    tern_writer_init(&w, payload, sizeof payload);
    tern_frame_encode_message(&w, &m);
    assert_false(w.failed);
    return give(server, payload, tern_writer_used(&w));
}

static int give_whole(unsigned order, uint64_t channel, uint64_t number, size_t len,
                      bool uses_credit)
{
    return give_part(order, channel, number, 0, len, len, uses_credit);
}

static int give_skip(unsigned order, uint64_t channel, uint64_t first, uint64_t count,
                     uint64_t cost)
{
    uint8_t payload[64];
    struct tern_writer w;
    struct tern_frame_message_skip s = {
        .channel = channel, .order = order, .first = first, .count = count, .cost = cost};
    tern_writer_init(&w, payload, sizeof payload);
    tern_frame_encode_message_skip(&w, &s);
    return give(server, payload, tern_writer_used(&w));
}

static size_t take_all(void)
{
    tern_message m = {.size = sizeof m};
    size_t count = 0;
    while (tern_conn_receive(server, &m) == 1) {
        count++;
    }
    return count;
}

static void credit_is_not_overrun(void **state)
{
    (void)state;
    assert_int_equal(give_whole(ORDERED, 1, 0, 10000 - 64, true), 0);
    assert_int_equal(give_whole(UNORDERED, 2, 0, 10000 - 64, true), 0); /* to the byte */
    assert_int_equal(give_whole(ORDERED, 1, 1, 0, true), TERN_ERR_FLOW_CONTROL);
}

static void skips_count_for_credit(void **state)
{
    (void)state;
    assert_int_equal(give_skip(ORDERED, 1, 0, 10, 2000), 0);
    assert_int_equal(give_skip(ORDERED, 1, 0, 10, 2000), 0); /* again: nothing new */
    assert_int_equal(give_skip(ORDERED, 1, 10, 1, 64), TERN_ERR_FLOW_CONTROL);
}

static void skips_cannot_wrap_the_credit(void **state)
{
    (void)state;
    assert_int_equal(give_skip(UNORDERED, 1, 0, UINT64_C(1) << 61, 1 << 10), TERN_ERR_FLOW_CONTROL);
}

static void channels_beyond_the_last_are_refused(void **state)
{
    (void)state;
    assert_int_equal(give_whole(ORDERED, 99, 0, 10, true), 0);
    assert_int_equal(give_whole(ORDERED, 100, 0, 10, true), TERN_ERR_PROTOCOL);
    assert_non_null(handle.reason);
    assert_int_equal(give_whole(LATEST, TERN_VARINT_MAX, 0, 10, false), TERN_ERR_PROTOCOL);
    assert_int_equal(give_whole(ORDERED, 65536 + 5, 0, 10, true), TERN_ERR_PROTOCOL);
    assert_int_equal(give_skip(ORDERED, 100, 0, 1, 64), TERN_ERR_PROTOCOL);
}

static void messages_over_the_limit_are_refused(void **state)
{
    (void)state;
    assert_int_equal(give_whole(UNORDERED, 0, 0, 10000, false), 0);
    assert_int_equal(give_whole(UNORDERED, 0, 1, 10001, false), TERN_ERR_PROTOCOL);
    assert_int_equal(give_part(UNORDERED, 0, 1, 0, 10, 10001, false), TERN_ERR_PROTOCOL);
    assert_int_equal(give_part(UNORDERED, 0, 1, 0, 10, (UINT64_C(1) << 32) + 100, false),
                     TERN_ERR_PROTOCOL);
    assert_int_equal(give_part(UNORDERED, 0, 1, 0, 10, TERN_VARINT_MAX, false), TERN_ERR_PROTOCOL);
}

static void totals_do_not_change(void **state)
{
    (void)state;
    assert_int_equal(give_part(ORDERED, 0, 0, 0, 10, 100, true), 0);
    assert_int_equal(give_part(ORDERED, 0, 0, 10, 10, 101, true), TERN_ERR_PROTOCOL);
}

static void credit_bits_do_not_change(void **state)
{
    (void)state;
    assert_int_equal(give_part(UNORDERED, 0, 0, 0, 10, 100, true), 0);
    assert_int_equal(give_part(UNORDERED, 0, 0, 10, 10, 100, false), TERN_ERR_PROTOCOL);
}

/* What overlaps is put together all the same: a message that is sent again may be cut otherwise. */
static void fragments_may_overlap(void **state)
{
    (void)state;
    tern_message m = {.size = sizeof m};
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = 7;
    }
    assert_int_equal(give_part(ORDERED, 0, 0, 50, 50, 100, true), 0);
    assert_int_equal(give_part(ORDERED, 0, 0, 0, 30, 100, true), 0);
    memset(bytes, 9, sizeof bytes);
    assert_int_equal(give_part(ORDERED, 0, 0, 10, 60, 100, true), 0);
    assert_int_equal(tern_conn_receive(server, &m), 1);
    assert_int_equal(m.len, 100);
    for (size_t i = 0; i < 100; i++) { /* what had come is not changed */
        assert_int_equal(m.data[i], i < 30 || i >= 50 ? 7 : 9);
    }
}

/* Of who was compiled with a shorter struct nothing behind it is written. */
static void no_more_is_written_than_the_caller_has(void **state)
{
    (void)state;
    struct {
        tern_message m;
        uint8_t behind[8];
    } place;
    memset(&place, 0xaa, sizeof place);
    place.m.size = offsetof(tern_message, channel);
    assert_int_equal(give_part(ORDERED, 0, 0, 0, 100, 100, true), 0);
    assert_int_equal(tern_conn_receive(server, &place.m), 1);
    assert_int_equal(place.m.len, 100);
    assert_int_equal(place.m.size, offsetof(tern_message, channel));
    const uint8_t *at = (const uint8_t *)&place;
    for (size_t i = offsetof(tern_message, channel); i < sizeof place; i++) {
        assert_int_equal(at[i], 0xaa);
    }
}

/* Of messages that never become whole no more is kept than the queue and the window hold. */
static void fragments_that_never_finish_are_bounded(void **state)
{
    (void)state;
    size_t before = k.side[CK_SERVER].heap.blocks;
    for (uint64_t i = 0; i < 1000; i++) {
        assert_int_equal(give_part(UNORDERED, 1, i, 0, 1, 5000, false), 0);
        assert_true(tern_msgin_held(tern_messages_in(server)) <= 20000);
    }
    assert_true(k.side[CK_SERVER].heap.blocks < before + 50);
    assert_int_equal(give_part(UNORDERED, 2, 0, 0, 1, 10000 - 64, true), 0);
    assert_int_equal(give_part(UNORDERED, 2, 1, 0, 1, 10000 - 64, true), 0);
    assert_int_equal(give_part(UNORDERED, 2, 2, 0, 1, 2, true), TERN_ERR_FLOW_CONTROL);
    assert_true(tern_msgin_held(tern_messages_in(server)) <= 40000);
}

/* More holes than are kept track of: the packet counts as lost, and nothing is said to be wrong. */
static void gaps_beyond_the_bound_are_as_good_as_lost(void **state)
{
    (void)state;
    int rc = 0;
    uint64_t number = 0;
    for (; rc == 0 && number < 10000; number += 2) {
        rc = give_whole(UNORDERED, 1, number, 0, false);
        (void)take_all();
    }
    assert_int_equal(rc, TERN_ERR_AGAIN);
    assert_in_range(number / 2, TERN_MSGIN_GAPS, TERN_MSGIN_GAPS + 2);
    assert_int_equal(give_whole(UNORDERED, 1, 1, 0, false), 0); /* fills one */
    assert_int_equal(give_whole(UNORDERED, 2, 500, 0, false), 0);
    assert_int_equal(server->life.state, TERN_LIFE_ESTABLISHED);
}

static void skips_of_what_was_delivered_do_nothing(void **state)
{
    (void)state;
    assert_int_equal(give_whole(ORDERED, 1, 0, 10, true), 0);
    assert_int_equal(give_whole(ORDERED, 1, 1, 10, true), 0);
    assert_int_equal(take_all(), 2);
    assert_int_equal(give_skip(ORDERED, 1, 0, 2, 74), 0);
    assert_int_equal(give_whole(ORDERED, 1, 2, 10, true), 0);
    assert_int_equal(take_all(), 1);
}

static void what_was_skipped_does_not_come(void **state)
{
    (void)state;
    assert_int_equal(give_whole(ORDERED, 1, 2, 10, true), 0);
    assert_int_equal(take_all(), 0);
    assert_int_equal(give_skip(ORDERED, 1, 0, 2, 74), 0);
    assert_int_equal(take_all(), 1);
    assert_int_equal(give_whole(ORDERED, 1, 1, 10, true), 0);
    assert_int_equal(take_all(), 0);
}

/* A receiver that never reads: the credit is not raised, and what comes without it makes room for itself. */
static void a_receiver_that_never_reads_is_bounded(void **state)
{
    (void)state;
    int rc = 0;
    uint64_t i = 0;
    for (; rc == 0 && i < 10000; i++) {
        rc = give_whole(ORDERED, 1, i, 100, true);
    }
    assert_int_equal(rc, TERN_ERR_FLOW_CONTROL);
    assert_int_equal(i - 1, 20000 / 164);
    assert_false(tern_msgin_wants_limit(tern_messages_in(server)));
    for (i = 0; i < 10000; i++) {
        assert_int_equal(give_whole(UNORDERED, 2, i, 100, false), 0);
        assert_int_equal(give_whole(LATEST, 3, i, 100, false), 0);
    }
    assert_true(tern_msgin_held(tern_messages_in(server)) <= 40000);
}

static void an_end_that_takes_none_refuses_them(void **state)
{
    (void)state;
    for (unsigned order = UNORDERED; order <= LATEST; order++) {
        assert_int_equal(give_whole(order, 0, 0, 0, false), TERN_ERR_PROTOCOL);
        assert_non_null(handle.reason);
    }
    assert_int_equal(give_skip(ORDERED, 0, 0, 1, 64), TERN_ERR_PROTOCOL);
    assert_null(server->messages);
}

static void credit_from_who_takes_none_is_refused(void **state)
{
    (void)state;
    static const uint8_t limit[] = {0x2d, 20};
    assert_int_equal(give(client, limit, sizeof limit), TERN_ERR_PROTOCOL);
    assert_non_null(handle.reason);
    assert_int_equal(give(server, limit, sizeof limit), 0); /* the other way it is right */
}

/* The frame itself ends the connection, not only this function. */
static void a_violation_ends_the_connection(void **state)
{
    (void)state;
    tern_send_options o;
    tern_send_options_init(&o);
    client->peer_terms.message_channels = 65536; /* it believes that it may */
    o.channel = 100;
    assert_int_equal(tern_conn_send(client, "x", 1, &o, k.now), 0);
    (void)ck_carry(&k, CK_CLIENT);
    assert_int_equal(server->life.state, TERN_LIFE_CLOSING);
    assert_int_equal(server->life.code, 0x0a);
}

/* --- receipts ------------------------------------------------------------------------------------- */

static void receipts_hold_all_of_a_part(void **state)
{
    (void)state;
    const struct tern_message_part part = {.channel = 65535,
                                           .lane = TERN_LANE_LATEST,
                                           .uses_credit = true,
                                           .is_fragment = true,
                                           .number = TERN_VARINT_MAX,
                                           .offset = 1 << 24,
                                           .len = 77,
                                           .total = 1 << 24};
    struct tern_receipt r = tern_messages_part_receipt(&part);
    assert_int_equal(r.kind, TERN_RECEIPT_MESSAGE);
    assert_int_equal(r.id, TERN_VARINT_MAX);
    assert_int_equal(r.offset, UINT64_C(1) << 56 | 1 << 24);
    assert_int_equal(r.extra, 65535);
    assert_int_equal(r.len, 77);
    assert_int_equal(r.flags, 2 | 4 | 8);
}

static void lost_credit_is_given_again(void **state)
{
    (void)state;
    struct tern_receipt r = {.kind = TERN_RECEIPT_MAX_MESSAGE_DATA};
    for (uint64_t i = 0; i < 100; i++) {
        assert_int_equal(give_whole(ORDERED, 1, i, 100, true), 0);
    }
    assert_int_equal(take_all(), 100);
    assert_true(tern_messages_wants(server));
    (void)ck_lose(&k, CK_SERVER);
    assert_false(tern_messages_wants(server));
    r.id = 20000; /* an old one does not matter */
    tern_messages_on_lost(server, &r, k.now);
    assert_false(tern_messages_wants(server));
    ck_settle(&k);                         /* the timer finds it */
    for (uint64_t i = 100; i < 180; i++) { /* beyond the first limit */
        assert_int_equal(give_whole(ORDERED, 1, i, 100, true), 0);
    }
    assert_true(client->messages != NULL && client->messages->out != NULL);
}

/* --- forward error correction, [P §16.6] -------------------------------------------------------- */

/* Two symbols of ten bytes of one message of 20 on channel 1, ordered, with credit. */
static struct tern_frame_repair sound_repair(void)
{
    static const uint8_t words[] = {2 * 20 + 1, 2 * 20 + 1};
    return (struct tern_frame_repair){.channel = 1,
                                      .order = ORDERED,
                                      .size = 10,
                                      .symbols = 2,
                                      .messages = 1,
                                      .lengths = words,
                                      .lengths_len = 1,
                                      .len = 10};
}

static int give_repair(const struct tern_frame_repair *f)
{
    static uint8_t payload[200];
    struct tern_writer w;
    tern_writer_init(&w, payload, sizeof payload);
    tern_frame_encode_repair(&w, f);
    tern_write_bytes(&w, bytes, f->len);
    assert_false(w.failed);
    return give(server, payload, tern_writer_used(&w));
}

/* All bytes are 0, and so is any sum of them. */
static void a_repair_brings_back_a_part(void **state)
{
    (void)state;
    struct tern_frame_repair f = sound_repair();
    tern_message message = {.size = sizeof message};
    struct tern_frame_repair news = {.channel = 1, .order = ORDERED, .size = 10};
    assert_int_equal(give_repair(&news), 0);
    assert_int_equal(give_part(ORDERED, 1, 0, 0, 10, 20, true), 0);
    assert_int_equal(tern_conn_receive(server, &message), 0);
    assert_int_equal(give_repair(&f), 0);
    assert_int_equal(tern_conn_receive(server, &message), 1);
    assert_true(message.is_recovered);
    assert_int_equal(message.len, 20);
    tern_stats stats = {.size = sizeof stats};
    tern_conn_stats(server, &stats);
    assert_int_equal(stats.repairs_received, 1);
    assert_int_equal(stats.messages_recovered, 1);
}

static void repairs_that_contradict_are_refused(void **state)
{
    (void)state;
    struct tern_frame_repair f = sound_repair();
    f.channel = 100;
    assert_int_equal(give_repair(&f), TERN_ERR_PROTOCOL); /* out of range */
    f = sound_repair();
    f.symbols = 3;
    assert_int_equal(give_repair(&f), TERN_ERR_PROTOCOL); /* more than the message has */
    f = sound_repair();
    assert_int_equal(give_repair(&f), 0);
    static const uint8_t other[] = {2 * 19 + 1};
    f.lengths = other;
    f.number = 1;
    assert_int_equal(give_repair(&f), TERN_ERR_PROTOCOL); /* another length than before */
}

/* What it brings back is bound by the limits of messages that come. */
static void repairs_do_not_go_round_credit(void **state)
{
    (void)state;
    static const uint8_t words[] = {0x80, 0, 0x4e, 0x21}; /* 10000, with credit */
    struct tern_frame_repair f = {.channel = 1,
                                  .order = ORDERED,
                                  .size = 16000,
                                  .symbols = 1,
                                  .messages = 1,
                                  .lengths = words,
                                  .lengths_len = sizeof words,
                                  .len = 10000};
    static uint8_t payload[12000];
    int rc = 0;
    for (uint64_t i = 0; i < 3 && rc == 0; i++) {
        struct tern_writer w;
        f.message = i;
        tern_writer_init(&w, payload, sizeof payload);
        tern_frame_encode_repair(&w, &f);
        tern_write_bytes(&w, bytes, f.len);
        rc = give(server, payload, tern_writer_used(&w));
    }
    assert_int_equal(rc, TERN_ERR_FLOW_CONTROL);
}

static void repairs_to_who_takes_none_are_refused(void **state)
{
    (void)state;
    struct tern_frame_repair f = sound_repair();
    assert_int_equal(give_repair(&f), TERN_ERR_PROTOCOL);
    assert_int_equal(tern_conn_set_fec(client, 1, TERN_ORDERED, 20, false), TERN_ERR_UNSUPPORTED);
}

static void protection_is_within_its_ranges(void **state)
{
    (void)state;
    assert_int_equal(tern_conn_set_fec(client, TERN_CHANNELS, TERN_ORDERED, 20, false),
                     TERN_ERR_INVALID);
    assert_int_equal(tern_conn_set_fec(client, 1, TERN_ORDERED, 101, false), TERN_ERR_INVALID);
    assert_int_equal(tern_conn_set_fec(client, 1, (tern_order)3, 20, false), TERN_ERR_INVALID);
    assert_int_equal(tern_conn_set_fec(client, 1, TERN_ORDERED, 0, false), 0);
    for (uint32_t i = 0; i < TERN_FEC_LANES; i++) {
        assert_int_equal(tern_conn_set_fec(client, i, TERN_LATEST, 100, true), 0);
    }
    assert_int_equal(tern_conn_set_fec(client, 99, TERN_LATEST, 100, true), TERN_ERR_LIMIT);
}

static void no_release(void *arg, const void *data, size_t len)
{
    (void)arg, (void)data, (void)len;
    fail_msg("what was not lent is not given back");
}

static void options_are_within_their_ranges(void **state)
{
    tern_send_options options;
    (void)state;
    tern_send_options_init(&options);
    assert_int_equal(tern_conn_send(client, NULL, 1, &options, k.now), TERN_ERR_INVALID);
    assert_int_equal(tern_conn_send_ref(client, bytes, 1, NULL, NULL, &options, k.now),
                     TERN_ERR_INVALID);
    options.size--; /* as if made for another version */
    assert_int_equal(tern_conn_send(client, bytes, 1, &options, k.now), TERN_ERR_INVALID);
    assert_int_equal(tern_conn_send_ref(client, bytes, 1, no_release, NULL, &options, k.now),
                     TERN_ERR_INVALID);
    assert_int_equal(tern_conn_set_weight(client, TERN_CHANNELS, 1), TERN_ERR_INVALID);
    assert_int_equal(tern_conn_set_weight(client, 1, 0), TERN_ERR_INVALID);
    assert_int_equal(tern_conn_set_weight(client, 1, 256), TERN_ERR_INVALID);
    assert_null(tern_messages_out(client)); /* and nothing was made for it */
    assert_int_equal(tern_conn_set_weight(client, 1, 255), 0);
    assert_int_equal(tern_conn_set_redundancy(client, (tern_redundancy)77, 1), TERN_ERR_INVALID);
    assert_int_equal(tern_conn_set_redundancy(client, TERN_REDUNDANCY_FIXED, 9), TERN_ERR_INVALID);
    assert_int_equal(tern_conn_set_redundancy(client, TERN_REDUNDANCY_FIXED, 8), 0);
    assert_int_equal(tern_conn_send(client, NULL, 0, NULL, k.now), 0);
    ck_settle(&k);
    assert_int_equal(take_all(), 1);
}

/* Neither half is there yet, or anything in it. */
static void where_nothing_was_sent_there_is_nothing(void **state)
{
    tern_time age = 5;
    tern_message m = {.size = sizeof m};
    (void)state;
    for (int i = 0; i < 2; i++) { /* the second time with what the call on the weight has made */
        assert_int_equal(tern_conn_cancel(client, 1), 0);
        assert_int_equal(tern_conn_cancel_channel(client, 1), 0);
        assert_int_equal(tern_conn_cancel_channel(client, TERN_CHANNELS), 0);
        assert_int_equal(tern_conn_queued(client, 3, &age, k.now), 0);
        assert_int_equal(age, 0);
        assert_int_equal(tern_conn_receive(client, &m), 0);
        assert_int_equal(tern_conn_set_weight(client, 1, 7), 0);
    }
}

/* Programs that were built when there was less to be told of a message, or will be when there is more. */
static void no_more_of_a_message_is_told_than_there_is_room_for(void **state)
{
    struct {
        tern_message m;
        uint8_t more[8];
    } bigger;
    (void)state;
    assert_int_equal(tern_conn_send(client, bytes, 3, NULL, k.now), 0);
    assert_int_equal(tern_conn_send(client, bytes, 4, NULL, k.now), 0);
    ck_settle(&k);
    memset(&bigger, 0xaa, sizeof bigger);
    bigger.m.size = offsetof(tern_message, channel);
    assert_int_equal(tern_conn_receive(server, &bigger.m), 1);
    assert_int_equal(bigger.m.len, 3);
    assert_int_equal(bigger.m.channel, 0xaaaaaaaa);
    memset(&bigger, 0xaa, sizeof bigger);
    bigger.m.size = sizeof bigger;
    assert_int_equal(tern_conn_receive(server, &bigger.m), 1);
    assert_int_equal(bigger.m.len, 4);
    assert_int_equal(bigger.m.number, 1);
    assert_int_equal(bigger.more[0], 0xaa);
}

static void the_closed_send_no_messages(void **state)
{
    (void)state;
    assert_int_equal(tern_conn_max_message(client), 10000);
    tern_conn_close(client, 0, NULL);
    assert_int_equal(tern_conn_max_message(client), 0);
    assert_int_equal(tern_conn_send(client, bytes, 1, NULL, k.now), TERN_ERR_CLOSED);
    assert_int_equal(tern_conn_send_ref(client, bytes, 1, no_release, NULL, NULL, k.now),
                     TERN_ERR_CLOSED);
    assert_int_equal(tern_conn_set_weight(client, 1, 7), TERN_ERR_CLOSED);
    assert_int_equal(tern_conn_set_fec(client, 1, TERN_ORDERED, 20, false), TERN_ERR_CLOSED);
}

/* What does not fit, or has no room for its receipt, waits whole. */
static void controls_wait_for_room(void **state)
{
    uint8_t room[64];
    struct tern_fill fill;
    struct tern_message_skip skip;
    tern_send_options options;
    (void)state;
    tern_send_options_init(&options);
    options.tag = 7;
    assert_int_equal(tern_conn_send(client, bytes, 3000, &options, k.now), 0);
    assert_true(ck_lose(&k, CK_CLIENT) > 0);
    assert_int_equal(tern_conn_cancel(client, 7),
                     1); /* it has begun to leave: the number is owed */
    struct tern_msgout *out = tern_messages_out(client);
    assert_true(tern_msgout_next_skip(out, &skip));
    for (size_t len = 0; len < 5; len++) { /* too little room, or enough and none for the receipt */
        tern_fill_init(&fill, client, TERN_LEVEL_APP);
        tern_writer_init(&fill.w, room, len < 4 ? len : sizeof room);
        fill.full = 1000;
        fill.receipts_max = len < 4 ? 1 : 0;
        tern_fill_message_controls(&fill);
        assert_false(len == 4 && tern_fill_message(&fill, k.now));
        assert_int_equal(tern_writer_used(&fill.w), 0);
        assert_false(fill.is_eliciting);
        assert_true(tern_msgout_next_skip(out, &skip));
    }
    ck_settle(&k);
    assert_false(tern_msgout_next_skip(out, &skip));
    assert_int_equal(client->life.state, TERN_LIFE_ESTABLISHED);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(options_are_within_their_ranges, setup, one_teardown),
    cmocka_unit_test_setup_teardown(where_nothing_was_sent_there_is_nothing, setup, one_teardown),
    cmocka_unit_test_setup_teardown(no_more_of_a_message_is_told_than_there_is_room_for, setup,
                                    one_teardown),
    cmocka_unit_test_setup_teardown(the_closed_send_no_messages, setup, one_teardown),
    cmocka_unit_test_setup_teardown(controls_wait_for_room, setup, one_teardown),
    cmocka_unit_test_setup_teardown(credit_is_not_overrun, setup, one_teardown),
    cmocka_unit_test_setup_teardown(skips_count_for_credit, setup, one_teardown),
    cmocka_unit_test_setup_teardown(skips_cannot_wrap_the_credit, setup, one_teardown),
    cmocka_unit_test_setup_teardown(channels_beyond_the_last_are_refused, setup, one_teardown),
    cmocka_unit_test_setup_teardown(messages_over_the_limit_are_refused, setup, one_teardown),
    cmocka_unit_test_setup_teardown(totals_do_not_change, setup, one_teardown),
    cmocka_unit_test_setup_teardown(credit_bits_do_not_change, setup, one_teardown),
    cmocka_unit_test_setup_teardown(fragments_may_overlap, setup, one_teardown),
    cmocka_unit_test_setup_teardown(no_more_is_written_than_the_caller_has, setup, one_teardown),
    cmocka_unit_test_setup_teardown(fragments_that_never_finish_are_bounded, setup, one_teardown),
    cmocka_unit_test_setup_teardown(gaps_beyond_the_bound_are_as_good_as_lost, setup, one_teardown),
    cmocka_unit_test_setup_teardown(skips_of_what_was_delivered_do_nothing, setup, one_teardown),
    cmocka_unit_test_setup_teardown(what_was_skipped_does_not_come, setup, one_teardown),
    cmocka_unit_test_setup_teardown(a_receiver_that_never_reads_is_bounded, setup, one_teardown),
    cmocka_unit_test_setup_teardown(an_end_that_takes_none_refuses_them, setup_deaf, one_teardown),
    cmocka_unit_test_setup_teardown(credit_from_who_takes_none_is_refused, setup_deaf,
                                    one_teardown),
    cmocka_unit_test_setup_teardown(a_violation_ends_the_connection, setup, one_teardown),
    cmocka_unit_test_setup_teardown(receipts_hold_all_of_a_part, setup, one_teardown),
    cmocka_unit_test_setup_teardown(lost_credit_is_given_again, setup, one_teardown),
    cmocka_unit_test_setup_teardown(a_repair_brings_back_a_part, setup, one_teardown),
    cmocka_unit_test_setup_teardown(repairs_that_contradict_are_refused, setup, one_teardown),
    cmocka_unit_test_setup_teardown(repairs_do_not_go_round_credit, setup, one_teardown),
    cmocka_unit_test_setup_teardown(repairs_to_who_takes_none_are_refused, setup_deaf,
                                    one_teardown),
    cmocka_unit_test_setup_teardown(protection_is_within_its_ranges, setup, one_teardown),
};

TERN_TEST_MAIN(tests)
