/* What a packet has to be asked (who wants what, with which keys, by which path) is asked once for a run of
 * packets: while no time passes and nothing comes in, only filling packets can change the answers, and the
 * bytes of one stream, of which more remain, do not.
 *
 * Whatever is not certain ends the run, and the next packet is built as all others are. Both ways must give the
 * same bytes and the same books: tests/sim/test_runs.c holds them side by side.
 * SPDX-License-Identifier: MIT */
#include "conn/run.h"

#include "conn/fill.h"
#include "conn/messages.h"
#include "conn/receipts.h"
#include "conn/secrets.h"
#include "wire/encode.h"
#include "wire/header.h"

struct packet_run {
    struct tern_conn *conn;
    struct tern_space *space;
    struct tern_path *path;
    struct tern_stream_run stream;
    const struct tern_cid *dcid;
    size_t size; /* of each packet */
    size_t pn_len, header_len, tag_len;
    bool phase;
    size_t sealed; /* bytes of frames so far */
};

/* Anything besides streams, which packets of a run could not hold. */
static bool wants_other(const struct tern_conn *conn, const struct tern_space *space)
{
    const struct tern_streams *streams = &conn->streams;
    const struct tern_messages *messages = conn->messages;
    return space->probes > 0 || tern_acks_is_owed(&space->acks) || streams->wants != 0 ||
           !tern_list_is_empty(&streams->controls) || conn->cadence.wants_send ||
           conn->rekey.wants_send || conn->wants_handshake_done || conn->wants_new_token ||
           tern_path_wants(&conn->path) || tern_cids_wants(&conn->cids) ||
           tern_crypto_flow_wants(&space->crypto) ||
           (messages != NULL &&
            (messages->out != NULL || messages->fec.out != NULL || tern_messages_wants(conn)));
}

/* Once the levels before it are done with, early data is over, too, which has another header. */
static bool is_settled(const struct tern_conn *conn)
{
    return tern_conn_first_level(conn) == TERN_LEVEL_APP && conn->path.is_validated &&
           conn->budget.rate == 0 && tern_space_is_live(&conn->spaces[TERN_LEVEL_APP]);
}

/* Numbers of one length, that the keys may seal, and none left out. How many there are, at most `most`. */
static size_t plain_numbers(struct packet_run *run, size_t most)
{
    const struct tern_space *space = run->space;
    const struct tern_packet_keys *keys = &space->keys->tx;
    uint64_t first = space->loss.sent.next_pn;
    uint64_t acked = space->loss.has_acked ? space->loss.largest_acked : TERN_PN_NONE;
    uint64_t left = keys->aead.suite->seal_limit - keys->sealed;
    most = (size_t)TERN_MIN((uint64_t)most, TERN_MIN(left, tern_sub_sat(space->skip_at, first)));
    run->pn_len = tern_pn_size_generous(first, acked);
    return most > 0 && tern_pn_size_generous(first + most - 1, acked) == run->pn_len ? most : 0;
}

/* How many packets the run may have. */
static size_t begin(struct packet_run *run, struct tern_conn *conn, size_t limit, size_t most)
{
    run->conn = conn;
    run->path = &conn->path;
    run->space = &conn->spaces[TERN_LEVEL_APP];
    if (!is_settled(conn) || wants_other(conn, run->space) ||
        !tern_streams_begin_run(&conn->streams, &run->stream)) {
        return 0;
    }
    most = plain_numbers(run, most);
    run->dcid = tern_cids_remote(&conn->cids);
    run->size = limit;
    run->header_len = tern_header_size(TERN_PACKET_ONE_RTT, run->dcid->len, 0, 0, run->pn_len);
    run->tag_len = run->space->keys->tx.aead.suite->tag_size;
    run->phase = (run->space->keys->phase & 1) != 0;
    run->sealed = 0;
    return most;
}

/* As output asks for leave, of which nothing is noted here: who has none ends the run. */
static bool may_leave(struct packet_run *run, tern_time now)
{
    return tern_cc_room(&run->path->cc) >= run->size &&
           tern_pacer_budget(&run->path->pacer, now) >= run->size;
}

/* The frame and its receipt. False: what is left of the stream does not overflow the packet. */
static bool fill(struct packet_run *run, uint8_t *at, size_t room)
{
    struct tern_stream_run *stream = &run->stream;
    struct tern_writer w;
    size_t header = tern_frame_stream_size(stream->id, stream->offset, room);
    size_t len = room - header;
    struct tern_receipt receipt = {.kind = TERN_RECEIPT_STREAM,
                                   .id = stream->id,
                                   .offset = stream->offset,
                                   .len = (uint32_t)len};
    if (room <= header || stream->left <= len ||
        tern_frame_stream_size(stream->id, stream->offset, len) != header) {
        return false;
    }
    tern_writer_init(&w, at, header);
    tern_frame_encode_stream(&w, stream->id, stream->offset, len, false);
    tern_stream_run_copy(stream, len, at + header);
    tern_sent_note(&run->space->loss.sent, &receipt);
    return true;
}

static void enter_books(struct packet_run *run, tern_time now)
{
    struct tern_path *path = run->path;
    uint64_t in_flight = path->cc.bytes_in_flight;
    struct tern_sent_packet *packet =
        tern_sent_commit(&run->space->loss.sent, run->size,
                         TERN_SENT_ELICITING | TERN_SENT_IN_FLIGHT, path->id, path->ecn.mark, now);
    if (path->ecn.mark != TERN_ECN_NONE) {
        tern_ecn_on_sent(&path->ecn);
    }
    tern_rate_on_sent(&path->rate, packet, in_flight, now);
    tern_cc_on_sent(&path->cc, run->size, &path->rate, now);
    tern_pacer_on_sent(&path->pacer, run->size, now);
}

static int seal(struct packet_run *run, uint64_t pn, uint8_t *at, size_t len)
{
    struct tern_packet_keys *keys = &run->space->keys->tx;
    size_t pn_offset = run->header_len - run->pn_len;
    uint8_t mask[TERN_MASK_SIZE];
    int rc = tern_packet_seal(keys, 0, pn, at, run->header_len, at + run->header_len, len);
    if (rc == 0) {
        tern_aead_mask(&keys->mask, at + pn_offset + 4, mask);
        tern_header_mask(at, pn_offset, run->pn_len, mask);
        run->sealed += len;
    }
    return rc;
}

/* False: the run is over before this packet. */
static bool build(struct packet_run *run, uint8_t *at, tern_time now)
{
    struct tern_sent *sent = &run->space->loss.sent;
    struct tern_writer w;
    uint64_t pn = sent->next_pn;
    size_t len = run->size - run->header_len - run->tag_len;
    if (!may_leave(run, now) || tern_sent_reserve(sent, TERN_FILL_RECEIPTS + 1) != 0 ||
        !fill(run, at + run->header_len, len)) {
        return false;
    }
    tern_writer_init(&w, at, run->header_len);
    tern_header_encode_short(&w, run->dcid, run->phase, pn, run->pn_len);
    tern_conn_trace_packet(run->conn, TERN_TRACE_SENT, TERN_PACKET_ONE_RTT, pn, run->size,
                           at + run->header_len, len, now);
    enter_books(run, now);
    int rc = seal(run, pn, at, len);
    tern_assert(rc == 0); /* plain_numbers has seen to the only reason */
    return rc == 0;
}

/* What packets change that is the same after one and after many. */
static void finish(struct packet_run *run, tern_train *train, size_t count, tern_time now)
{
    struct tern_conn *conn = run->conn;
    size_t bytes = count * run->size;
    tern_streams_end_run(&conn->streams, &run->stream);
    tern_key_phase_on_sealed(run->space->keys, run->sealed, now);
    conn->idle_from = conn->has_sent_since_received ? conn->idle_from : now;
    conn->has_sent_since_received = true;
    conn->last_eliciting_at = now;
    conn->quiet_packets = 0;
    conn->pacing_until = 0;
    conn->counters.packets_sent += count;
    conn->counters.bytes_sent += bytes;
    train->len += bytes;
}

size_t tern_run_transmit(struct tern_conn *conn, tern_train *train, size_t limit, size_t most,
                         tern_time now)
{
    struct packet_run run;
    size_t count = 0;
    most = TERN_MIN(most, (train->capacity - train->len) / limit);
    most = most > 0 ? begin(&run, conn, limit, most) : 0;
    while (count < most && build(&run, train->data + train->len + count * limit, now)) {
        count++;
    }
    if (count > 0) {
        finish(&run, train, count, now);
    }
    return count;
}
