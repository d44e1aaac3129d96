/* Writes the seeds of the fuzz corpora, a few small files for each target, from our own encoders and from traffic
 * of the simulator.
 *
 *     build/fuzz/bin/seeds fuzz/corpus
 *
 * Run it again when the wire changes. What fuzzers found lies beside the seeds and is not touched.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/stat.h>

#include "base/ranges.h"
#include "fuzz.h"
#include "seeds.h"
#include "stream/fec_out.h"
#include "ternchat/proto.h"
#include "wire/encode.h"
#include "wire/params.h"

static const char *root;
static int failures;

static const struct tern_cid cid = {8, {7, 1, 2, 3, 4, 5, 6, 7}};
static const uint8_t bytes[2048] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

void save(const char *target, const char *name, const void *data, size_t len)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", root, target);
    (void)mkdir(path, 0777); /* most likely it is there; else fopen tells */
    (void)snprintf(path, sizeof path, "%s/%s/%s", root, target, name);
    FILE *file = fopen(path, "wb");
    bool is_whole = file != NULL && fwrite(data, 1, len, file) == len;
    if (file == NULL || fclose(file) != 0 || !is_whole) {
        perror(path);
        failures++;
    }
}

void failed(const char *what)
{
    (void)fprintf(stderr, "seeds: %s: failed\n", what);
    failures++;
}

/* --- headers ------------------------------------------------------------------------------------- */

static void seed_headers(void)
{
    uint8_t buf[512];
    struct tern_writer w;
    struct tern_header unknown;
    tern_writer_init(&w, buf, sizeof buf);
    tern_header_encode_long(&w, TERN_PACKET_INITIAL, &cid, &cid, NULL, 0, 0, 1, 40);
    tern_write_bytes(&w, bytes, 40);
    tern_header_encode_long(&w, TERN_PACKET_HANDSHAKE, &cid, &cid, NULL, 0, 300, 2, 20);
    tern_write_bytes(&w, bytes, 20);
    tern_header_encode_short(&w, &cid, true, 70000, 3);
    tern_write_bytes(&w, bytes, 32);
    save("fuzz_header", "coalesced", buf, tern_writer_used(&w));

    tern_writer_init(&w, buf, sizeof buf);
    tern_header_encode_long(&w, TERN_PACKET_INITIAL, &cid, &cid, bytes, 16, 0, 4, 24);
    tern_write_bytes(&w, bytes, 24);
    save("fuzz_header", "initial-token", buf, tern_writer_used(&w));
    buf[4] ^= 0xff; /* a version that nobody speaks */
    save("fuzz_header", "unknown-version", buf, tern_writer_used(&w));
    if (tern_header_decode(&unknown, buf, tern_writer_used(&w), TERN_CID_SIZE) == 0) {
        uint8_t answer[128];
        struct tern_writer a;
        tern_writer_init(&a, answer, sizeof answer);
        tern_header_encode_negotiation(&a, &unknown, 0x55);
        save("fuzz_header", "negotiation", answer, tern_writer_used(&a));
    }

    tern_writer_init(&w, buf, sizeof buf);
    tern_header_encode_short(&w, &cid, false, 7, 1);
    tern_write_bytes(&w, bytes, 20);
    save("fuzz_header", "short", buf, tern_writer_used(&w));
}

/* --- frames and the peer that says them ---------------------------------------------------------- */

/* Level, direction, reading application and mode octet as fuzz_peer.c has them. */
enum { INITIAL = 0x50, HANDSHAKE = 0x31, APP = 0x1a, TO_CLIENT = 0x04 };

/* A payload as a seed for fuzz_frame, and in one packet, twice, for fuzz_peer. */
static void save_payload(const char *name, uint8_t mode, const struct tern_writer *w)
{
    uint8_t buf[4096];
    struct tern_writer p;
    size_t len = TERN_MIN(tern_writer_used(w), (size_t)1020);
    save("fuzz_frame", name, w->start, tern_writer_used(w));
    tern_writer_init(&p, buf, sizeof buf);
    tern_write_u8(&p, mode);
    for (int i = 0; i < 2; i++) {
        tern_write_u8(&p, (uint8_t)(len >> 2));
        tern_write_u8(&p, (uint8_t)(len & 3) | 5 << 2);
        tern_write_bytes(&p, w->start, len);
    }
    save("fuzz_peer", name, buf, tern_writer_used(&p));
}

static void seed_stream_frames(void)
{
    uint8_t buf[2048];
    struct tern_writer w;
    tern_writer_init(&w, buf, sizeof buf);
    tern_frame_encode_stream(&w, 0, 0, 10, false);
    tern_write_bytes(&w, bytes, 10);
    tern_frame_encode_stream(&w, 0, 20, 10, true);
    tern_write_bytes(&w, bytes, 10);
    tern_frame_encode_stream(&w, 2, 5, 3, true);
    tern_write_bytes(&w, bytes, 3);
    save_payload("stream", APP, &w);

    tern_writer_init(&w, buf, sizeof buf);
    tern_frame_encode_reset_stream(&w, 0, 7, 100);
    tern_frame_encode_stop_sending(&w, 0, 7);
    tern_frame_encode_reset_stream(&w, 2, 1, 0);
    save_payload("reset", APP, &w);

    tern_writer_init(&w, buf, sizeof buf);
    tern_frame_encode_max_data(&w, 1 << 20);
    tern_frame_encode_max_stream_data(&w, 0, 1 << 20);
    tern_frame_encode_max_streams(&w, true, 1000);
    tern_frame_encode_max_streams(&w, false, 1000);
    tern_frame_encode_data_blocked(&w, 4096);
    tern_frame_encode_stream_data_blocked(&w, 0, 4096);
    tern_frame_encode_streams_blocked(&w, true, 8);
    tern_frame_encode_streams_blocked(&w, false, 8);
    save_payload("limits", APP, &w);
    save_payload("limits-to-client", APP | TO_CLIENT, &w);
}

/* A whole one, one in two parts and out of order, numbers that are given up, credit. [P §16] */
static void seed_message_frames(void)
{
    uint8_t buf[2048];
    struct tern_writer w;
    struct tern_frame_message m = {
        .channel = 7, .number = 0, .total = 10, .data = bytes, .len = 10, .order = 1};
    m.uses_credit = true;
    tern_writer_init(&w, buf, sizeof buf);
    tern_frame_encode_message(&w, &m);
    m.number = 2;
    tern_frame_encode_message(&w, &m);
    tern_frame_encode_message_skip(
        &w, &(struct tern_frame_message_skip){
                .channel = 7, .order = 1, .first = 1, .count = 1, .cost = 74});
    tern_frame_encode_max_message_data(&w, 1 << 20);
    save_payload("message-ordered", APP, &w);

    tern_writer_init(&w, buf, sizeof buf);
    m = (struct tern_frame_message){.channel = 300, .total = 30, .data = bytes, .len = 10};
    m.is_fragment = true;
    for (uint64_t offset = 30; offset > 0; offset -= 10) {
        m.offset = offset - 10;
        tern_frame_encode_message(&w, &m);
    }
    m.order = 2;
    tern_frame_encode_message(&w, &m);
    m.number = 1;
    m.is_fragment = false;
    tern_frame_encode_message(&w, &m);
    save_payload("message-parts", APP, &w);
    save_payload("message-parts-to-client", APP | TO_CLIENT, &w);
}

static void seed_ack_frames(void)
{
    static const struct tern_range ranges[] = {{0, 1}, {3, 5}, {9, 12}};
    static const struct tern_frame_ecn ecn = {5, 0, 1};
    uint8_t buf[256];
    struct tern_writer w;
    tern_writer_init(&w, buf, sizeof buf);
    tern_frame_encode_ack(&w, 0, 0, ranges, 1, NULL);
    tern_frame_encode_ping(&w);
    save_payload("ack", INITIAL, &w);
    save_payload("ack-handshake", HANDSHAKE | TO_CLIENT, &w);
    tern_writer_init(&w, buf, sizeof buf);
    tern_frame_encode_ack(&w, 11, 300, ranges, TERN_COUNT_OF(ranges), &ecn);
    save_payload("ack-ecn", APP, &w);

    const struct tern_frame_ack_frequency often = {0, 9, 6250, 3}, never = {1, 1000, 25000, 0};
    tern_writer_init(&w, buf, sizeof buf);
    tern_frame_encode_ack_frequency(&w, &often);
    tern_frame_encode_ack_frequency(&w, &never);
    tern_frame_encode_ack_frequency(&w, &often); /* too late */
    tern_frame_encode_immediate_ack(&w);
    save_payload("ack-frequency", APP, &w);
}

static void seed_connection_frames(void)
{
    static const uint8_t token[TERN_RESET_TOKEN_BYTES] = "a reset token 16";
    uint8_t buf[512];
    struct tern_writer w;
    tern_writer_init(&w, buf, sizeof buf);
    tern_frame_encode_new_connection_id(&w, 4, 2, &cid, token);
    tern_frame_encode_retire_connection_id(&w, 1);
    tern_frame_encode_path_challenge(&w, bytes);
    tern_frame_encode_path_response(&w, bytes);
    save_payload("identifiers", APP, &w);

    tern_writer_init(&w, buf, sizeof buf);
    tern_frame_encode_new_token(&w, bytes, 16);
    tern_frame_encode_handshake_done(&w);
    save_payload("done", APP | TO_CLIENT, &w);

    tern_writer_init(&w, buf, sizeof buf);
    tern_frame_encode_connection_close(&w, true, 42, 0, (const uint8_t *)"enough", 6);
    save_payload("close-app", APP, &w);
    tern_writer_init(&w, buf, sizeof buf);
    tern_frame_encode_connection_close(&w, false, 10, 8, (const uint8_t *)"no", 2);
    save_payload("close", INITIAL | TO_CLIENT, &w);

    tern_writer_init(&w, buf, sizeof buf);
    tern_frame_encode_crypto(&w, 10, bytes, 40);
    tern_frame_encode_crypto(&w, 0, bytes, 10);
    save_payload("crypto", INITIAL, &w);
    save_payload("crypto-handshake", HANDSHAKE, &w);
    save_payload("crypto-app", APP, &w);

    static const uint8_t ticket[] = {4, 0, 1, 0x51, 0x80, 0, 16}; /* 16 bytes for a day */
    tern_writer_init(&w, buf, sizeof buf);
    tern_frame_encode_crypto(&w, sizeof ticket, bytes, 16);
    tern_frame_encode_crypto(&w, 0, ticket, sizeof ticket);
    save_payload("crypto-ticket", APP | TO_CLIENT, &w);
}

/* --- the rest ------------------------------------------------------------------------------------ */

static void seed_params(void)
{
    uint8_t buf[512] = {0};
    struct tern_params params;
    struct tern_writer w;
    tern_params_init(&params);
    params.has_initial_scid = true;
    params.initial_scid = cid;
    params.has_min_ack_delay = true;
    params.min_ack_delay = TERN_MIN_ACK_DELAY;
    params.max_message_size = 1 << 20;
    params.initial_max_message_data = 1 << 22;
    tern_writer_init(&w, buf + 1, sizeof buf - 1);
    tern_params_encode(&w, &params);
    save("fuzz_params", "client", buf, 1 + tern_writer_used(&w));

    params.has_cpace = params.has_ticket = true;
    params.ticket_age = 60000;
    tern_writer_init(&w, buf + 1, sizeof buf - 1);
    tern_params_encode(&w, &params);
    save("fuzz_params", "client-early", buf, 1 + tern_writer_used(&w));

    buf[0] = 1;
    params.has_ticket = false;
    params.takes_early = true;
    params.has_original_dcid = params.has_retry_scid = true;
    params.original_dcid = params.retry_scid = cid;
    params.has_stateless_reset_token = params.has_suite = true;
    params.suite = 2;
    params.disable_active_migration = true;
    tern_writer_init(&w, buf + 1, sizeof buf - 1);
    tern_params_encode(&w, &params);
    save("fuzz_params", "server", buf, 1 + tern_writer_used(&w));
}

/* What a client's application keeps, and a code that it was told. */
static void seed_tickets(void)
{
    static const char code[] = "7 Orbit Salmon";
    uint8_t buf[200] = {1};
    save("fuzz_ticket", "mask", buf, sizeof buf);
    buf[60] = 0x80;
    save("fuzz_ticket", "mask-changed", buf, sizeof buf);
    buf[0] = 0;
    memcpy(buf + 1, code, sizeof code);
    save("fuzz_ticket", "code", buf, sizeof code);
}

/* Each message of each pattern: raw, and as a mask over the true one. */
static void seed_noise(void)
{
    static const char *const names[] = {"xx", "xk", "xx-psk", "xk-psk", "xx-hfs", "xk-hfs"};
    uint8_t buf[160];
    char name[40];
    for (unsigned i = 0; i < 6 * TERN_COUNT_OF(names); i++) {
        unsigned pattern = i / 6, message = i % 3;
        bool is_mask = i % 6 >= 3;
        buf[0] = (uint8_t)((pattern & 1) | pattern / 2 << 4 | message << 1 | (is_mask ? 8 : 0));
        memset(buf + 1, is_mask ? 0 : 9, sizeof buf - 1);
        buf[is_mask ? 40 : 1] = 1;
        (void)snprintf(name, sizeof name, "%s-message-%u-%s", names[pattern], 1 + message,
                       is_mask ? "mask" : "raw");
        save("fuzz_noise", name, buf, sizeof buf);
    }
}

/* Steps as fuzz_messages.c has them. Where: channel 1, unordered, ordered or latest. */
enum { SHAPE = 0x0f, TAKE = 0, SKIP = 1, TELL = 2, PART = 3, CREDIT = 8, CUT = PART | 24 };
enum { UNORDERED = 1, ORDERED = 9, LATEST = 17 };

static void seed_messages(void)
{
    static const uint8_t unordered[] = {SHAPE, PART, UNORDERED, 4, 0, 9,    PART, UNORDERED,
                                        0,     0,    9,         4, 0, TAKE, PART, UNORDERED,
                                        4,     0,    9,         4, 0, TAKE, TAKE};
    static const uint8_t ordered[] = {
        SHAPE, PART | CREDIT, ORDERED, 1, 0, 9,    PART | CREDIT, ORDERED,       0, 0, 30, TAKE,
        TAKE,  SKIP,          9,       2, 3, 0,    0x40,          PART | CREDIT, 9, 6, 0,  1,
        SKIP,  ORDERED,       5,       1, 0, 0x40, TAKE,          TELL};
    static const uint8_t latest[] = {SHAPE, PART, LATEST, 1,    0,      9, PART, LATEST,
                                     3,     0,    9,      PART, LATEST, 2, 0,    9,
                                     TAKE,  PART, LATEST, 4,    1,      0, TAKE, TAKE};
    save("fuzz_messages", "unordered", unordered, sizeof unordered);
    save("fuzz_messages", "ordered", ordered, sizeof ordered);
    save("fuzz_messages", "latest", latest, sizeof latest);
}

static void seed_message_memory(void)
{
    static const uint8_t fragments[] = {
        SHAPE, CUT, ORDERED, 0,   0,       100, 0, 50,  0, 50, CUT, ORDERED, 0,    0,    100, 0,
        20,    0,   20,      CUT, ORDERED, 0,   0, 100, 0, 0,  0,   60,      TAKE, TAKE, TELL};
    static const uint8_t full[] = {0, PART, UNORDERED, 0,      8, 0, PART, UNORDERED, 1,
                                   8, 0,    PART,      LATEST, 0, 8, 0,    PART,      LATEST,
                                   1, 9,    0,         PART,   2, 0, 8,    0,         TAKE};
    save("fuzz_messages", "fragments", fragments, sizeof fragments);
    save("fuzz_messages", "full", full, sizeof full);
}

/* Records as fuzz_fec.c has them, of `value` in so many bytes. */
static void put_number(struct tern_writer *w, uint64_t value, size_t size)
{
    while (size-- > 0) {
        tern_write_u8(w, (uint8_t)(value >> 8 * size));
    }
}

static void put_part(struct tern_writer *w, const struct tern_message_part *part)
{
    put_number(w, 1, 1);
    put_number(w, part->channel, 1);
    put_number(w, (uint64_t)part->lane, 1);
    put_number(w, part->uses_credit ? 1 : 0, 1);
    put_number(w, part->number, 1);
    put_number(w, part->total, 3);
    put_number(w, part->offset, 3);
    put_number(w, part->len, 2);
}

static void put_repair(struct tern_writer *w, const struct tern_fec_repair *r, const uint8_t *data)
{
    put_number(w, 0, 1);
    put_number(w, r->channel, 1);
    put_number(w, (uint64_t)r->lane, 1);
    put_number(w, r->size, 2);
    put_number(w, r->message, 1);
    put_number(w, r->skip, 3);
    put_number(w, r->symbols, 1);
    put_number(w, r->messages, 1);
    put_number(w, r->first, 1);
    put_number(w, r->number, 1);
    put_number(w, r->lengths_len, 1);
    tern_write_bytes(w, r->lengths, r->lengths_len);
    put_number(w, r->len, 2);
    put_number(w, r->len, 1);
    tern_write_bytes(w, data, r->len);
}

/* Eight messages and true repairs of them; bit i of `lost`: message i is not in the seed. */
static void seed_fec(const char *name, unsigned lost, uint32_t total, uint32_t cut)
{
    uint8_t buf[2048], data[TERN_FEC_SIZE_MAX];
    struct tern_writer w;
    struct tern_mem mem;
    struct tern_fec_repair r;
    tern_mem_init(&mem, NULL);
    tern_writer_init(&w, buf, sizeof buf);
    struct tern_fec_out *out = tern_fec_out_new(&mem, TERN_FEC_WINDOW);
    if (out == NULL || tern_fec_out_set_size(out, cut) != 0 ||
        tern_fec_out_set(out, 5, TERN_LANE_UNORDERED, 50, false) != 0) {
        failures++;
        tern_fec_out_free(out);
        return;
    }
    put_number(&w, 63, 1); /* the window, less one */
    for (unsigned i = 0; i < 8; i++) {
        struct tern_message_part part = {
            .channel = 5, .lane = TERN_LANE_UNORDERED, .number = i, .total = total + i};
        for (; part.offset < part.total; part.offset += part.len) {
            part.len = TERN_MIN(part.total - part.offset, cut);
            part.is_fragment = part.len != part.total;
            tern_fec_out_on_sent(out, &part, bytes, 3, false, 0);
            if ((lost >> i & 1) == 0) {
                put_part(&w, &part);
            }
        }
        while (tern_fec_out_next(out, sizeof data, sizeof data, 0, &r)) {
            tern_fec_out_write(out, data);
            put_repair(&w, &r, data);
            tern_fec_out_on_repair_sent(out);
        }
    }
    save("fuzz_fec", name, buf, tern_writer_used(&w));
    tern_fec_out_free(out);
}

/* Operations as fuzz_endpoint_receive.c has them: to the server 0x0., to the client 0x08. */
static void seed_endpoint(void)
{
    static const uint8_t handshake[] = {4,    1,    0x09, 1,    0x09, 1, 0x09, 7,    0x11, 1,
                                        0x09, 0x0f, 0x22, 0x09, 1,    6, 0x76, 0x0f, 7,    1};
    static const uint8_t retry[] = {0x34, 1, 0x09, 1,    0x09, 1, 0x09, 1, 0x09, 7,    0x11, 1,
                                    0x09, 1, 0x0f, 0x22, 0x09, 1, 6,    1, 0x76, 0x0f, 7,    1};
    static const uint8_t lossy[] = {1,    5, 0x96, 1,    0x0d, 0x96, 1,    9,    0xa6, 1,
                                    0x09, 3, 0x02, 0x1b, 1,    0x96, 0x09, 0xd6, 1,    9};
    static const uint8_t damaged[] = {4,    4,    0, 30, 0xff, 0x1c, 0, 60, 1, 0x14, 1, 7,
                                      0x80, 0x1c, 0, 20, 1,    1,    9, 1,  9, 1,    9};
    static const uint8_t forged[] = {0, 0x80, 22, 0xc0, 0x54, 0x52, 0x4e, 2, 8, 1, 2, 3, 4,
                                     5, 6,    7,  8,    0,    1,    2,    3, 4, 5, 1, 9, 1};
    save("fuzz_endpoint_receive", "handshake", handshake, sizeof handshake);
    save("fuzz_endpoint_receive", "retry", retry, sizeof retry);
    save("fuzz_endpoint_receive", "lossy", lossy, sizeof lossy);
    save("fuzz_endpoint_receive", "damaged", damaged, sizeof damaged);
    save("fuzz_endpoint_receive", "forged", forged, sizeof forged);
}

/* Records as fuzz_chat.c has them: client 0 to 2 on a channel. */
static void put_chat(struct tern_writer *w, unsigned client, unsigned channel,
                     struct chat_packet *p)
{
    uint8_t buf[600];
    size_t len = chat_encode(p, buf, sizeof buf);
    failures += len == 0 ? 1 : 0;
    put_number(w, 3, 1);
    put_number(w, channel * 3 + client, 1);
    put_number(w, len, 2);
    tern_write_bytes(w, buf, len);
}

static void seed_chat(void)
{
    static const uint8_t lost[] = {1, 0, 0, 200, 2, 1, 0, 255};
    static const struct chat_packet control[] = {
        {.type = CHAT_HELLO, .version = CHAT_VERSION, .nick = {bytes, 1}},
        {.type = CHAT_NICK, .nick = {(const uint8_t *)"bob", 3}},
        {.type = CHAT_STATE, .code = CHAT_AWAY},
        {.type = CHAT_LIST},
        {.type = CHAT_SEARCH, .channel = 1, .text = {(const uint8_t *)"hi", 2}},
        {.type = CHAT_BEFORE, .channel = 1, .seq = 9},
        {.type = CHAT_KICK, .channel = 1, .code = 1, .key = {2}},
        {.type = CHAT_OPEN, .seq = CHAT_SINCE_NONE, .key = {2}},
        {.type = CHAT_INVITE}};
    uint8_t buf[4096];
    struct tern_writer w;
    tern_writer_init(&w, buf, sizeof buf);
    for (unsigned client = 0; client < 3; client++) {
        struct chat_packet p = {.type = CHAT_HELLO, .version = CHAT_VERSION};
        p.nick = chat_text(client == 1 ? "bob" : "alice");
        put_chat(&w, client, 0, &p);
        p = (struct chat_packet){
            .type = CHAT_JOIN, .seq = CHAT_SINCE_NONE, .room = chat_text("den")};
        put_chat(&w, client, 0, &p);
        p = (struct chat_packet){
            .type = CHAT_SAY, .id = 1ull << 32 | 1, .kind = 1, .body = chat_text("hi")};
        put_chat(&w, client, 1, &p);
    }
    save("fuzz_chat", "talk", buf, tern_writer_used(&w));
    static const uint8_t stream[] = {7, 3};
    struct tern_writer files = w;
    struct chat_packet offer = {
        .type = CHAT_SAY, .id = 1ull << 32 | 2, .kind = CHAT_KIND_FILE, .body = {bytes, 9}};
    struct chat_packet fetch = {.type = CHAT_FETCH, .channel = 1, .id = 1024, .seq = 5};
    struct chat_packet deny = {.type = CHAT_DENY, .code = CHAT_STOP_GONE, .id = 2};
    put_chat(&files, 0, 1, &offer);
    put_chat(&files, 1, 0, &fetch);
    tern_write_bytes(&files, stream, sizeof stream);
    fetch.id++;
    put_chat(&files, 1, 0, &fetch);
    put_chat(&files, 0, 0, &deny);
    put_chat(&files, 2, 0, &deny);
    save("fuzz_chat", "files", buf, tern_writer_used(&files));
    for (size_t i = 0; i < TERN_COUNT_OF(control); i++) {
        struct chat_packet p = control[i];
        if (p.key[0] != 0) {
            memset(p.key, p.key[0], sizeof p.key);
        }
        put_chat(&w, (unsigned)i % 2, 0, &p);
    }
    save("fuzz_chat", "control", buf, tern_writer_used(&w));
    tern_write_bytes(&w, lost, sizeof lost);
    struct chat_packet leave = {.type = CHAT_LEAVE};
    put_chat(&w, 1, 1, &leave);
    save("fuzz_chat", "lost", buf, tern_writer_used(&w));
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        (void)fprintf(stderr, "usage: seeds FOLDER\n");
        return 2;
    }
    root = argv[1];
    (void)mkdir(root, 0777);
    seed_headers();
    seed_chat();
    seed_stream_frames();
    seed_message_frames();
    seed_ack_frames();
    seed_connection_frames();
    seed_params();
    seed_tickets();
    seed_noise();
    seed_messages();
    seed_message_memory();
    seed_fec("none-lost", 0, 40, 200);
    seed_fec("some-lost", 0x14, 40, 200);
    seed_fec("fragments-lost", 0x08, 90, 40);
    seed_endpoint();
    seed_terncp();
    seed_ops();
    seed_traffic();
    return failures == 0 ? 0 : 1;
}
