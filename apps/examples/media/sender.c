/* The sender: an encoder whose bit rate follows the path, and what becomes of its frames.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "examples/media/media.h"

#define RATE_START 1000000
#define RATE_LEAST 200000
#define STEP       100 /* so much of itself the rate rises a frame */
#define QUEUE_MOST (15 * TERN_MSEC)
#define KEY_EVERY  60 /* frames */
#define KEY_FACTOR 2  /* a key frame is so much larger */
#define FEC        30 /* repairs for a hundred packets, at most */

static uint64_t at_least(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t at_most(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

void sender_open(struct sender *s, const tern_addr *to)
{
    tern_config config;
    tern_peer peer;
    s->rate = at_most(RATE_START, s->top);
    s->ceiling = s->rate;
    s->wants_key = true;
    s->stats.size = sizeof s->stats;
    tern_config_init(&config);
    config.cc = "media";
    config.clock = true;
    config.idle_timeout = 5 * TERN_SEC;
    tern_peer_init(&peer);
    peer.addr = *to; /* first contact: a real sender pins the receiver's key here */
    node_open(&s->node, &config, NULL);
    int rc = tern_endpoint_connect(s->node.endpoint, &peer, &s->conn, tern_udp_now());
    if (rc != 0) {
        die("cannot connect", rc);
    }
}

/* Three times what the encoder makes on average: a frame shall not take its whole time to leave,
 * and key frames, repairs and what is sent again want room. */
static void on_connected(struct sender *s)
{
    int rc = s->has_fec ? tern_conn_set_fec(s->conn, CHANNEL_VIDEO, TERN_ORDERED, FEC, true) : 0;
    if (rc != 0) {
        die("forward error correction", rc);
    }
    tern_conn_set_rate(s->conn, 3 * s->top / 8);
}

/* The ceiling is a fifth less than the path carries, for key frames; and three times what it
 * loses, for repairs and what is sent again. The estimate may be a quarter above what was used,
 * and so too high: when a queue shows that, the encoder lets it drain. */
static void on_bandwidth(struct sender *s, const tern_bandwidth *b)
{
    uint64_t loss = b->loss < 1500 ? b->loss : 1500;
    uint64_t carries = b->estimate * 8 / 10000;
    s->ceiling = at_least(carries * (8000 - 3 * loss), RATE_LEAST);
    s->rate = at_most(s->rate, s->ceiling);
    if (b->queue_delay > QUEUE_MOST) {
        s->rate = at_least(at_most(s->rate, carries * 6000), RATE_LEAST);
    }
}

/* Up to there it goes step by step, so that the path can show that it is too much before frames
 * are late. */
static void speed_up(struct sender *s)
{
    s->rate = at_most(s->rate + s->rate / STEP, at_most(s->ceiling, s->top));
}

/* A frame is missing at the other end, or cannot be shown: no matter if a key frame has left
 * since. */
static void lack(struct sender *s, uint64_t number)
{
    s->wants_key = s->wants_key || number >= s->key;
}

static void on_outcome(struct sender *s, uint64_t number, tern_outcome outcome)
{
    if (outcome != TERN_OUTCOME_ACKED) {
        s->expired++;
        if (!s->has_fec) {
            lack(s, number);
        }
    }
}

static void take_requests(struct sender *s)
{
    tern_message m = {.size = sizeof m};
    while (tern_conn_receive(s->conn, &m) == 1) {
        if (m.channel == CHANNEL_REQUEST && m.len == 8) {
            lack(s, number_decode(m.data));
        }
    }
}

void sender_poll(struct sender *s)
{
    tern_event ev;
    while (tern_endpoint_poll(s->node.endpoint, &ev) == 1) {
        if (ev.type == TERN_EVENT_CONNECTED) {
            on_connected(s);
        } else if (ev.type == TERN_EVENT_BANDWIDTH) {
            on_bandwidth(s, &ev.bandwidth);
        } else if (ev.type == TERN_EVENT_MESSAGE_OUTCOME) {
            on_outcome(s, ev.tag, ev.outcome);
        } else if (ev.type == TERN_EVENT_MESSAGES) {
            take_requests(s);
        } else if (ev.type == TERN_EVENT_CLOSED) {
            s->is_lost = ev.close.error != 0 || ev.close.code != 0;
            s->conn = NULL;
        }
    }
}

/* Stands for an encoder: bytes that nobody looks at, as many as the rate gives a frame. */
static size_t encode(struct sender *s, bool is_key)
{
    struct header header = {.number = s->next, .is_key = is_key};
    size_t len = (size_t)(s->rate / 8 / 30) * (is_key ? KEY_FACTOR : 1);
    if (tern_conn_peer_time(s->conn, &header.sent_at, tern_udp_now()) != 0) {
        header.sent_at = 0;
    }
    header_encode(&header, s->frame);
    return len < HEADER_SIZE ? HEADER_SIZE : len > FRAME_MAX ? FRAME_MAX : len;
}

static int send_frame(struct sender *s, size_t len, bool is_key)
{
    tern_send_options o;
    tern_send_options_init(&o);
    o.reliability = TERN_UNTIL_DEADLINE;
    o.lifetime =
        DEADLINE + s->stats.smoothed_rtt / 2; /* the word that it is there comes so much later */
    o.immediate_ack = true;
    o.channel = CHANNEL_VIDEO;
    o.priority = 1;
    o.wants_outcome = true;
    o.tag = s->next;
    o.has_depends = !is_key && !s->has_fec;
    o.depends = s->next - 1;
    return tern_conn_send(s->conn, s->frame, len, &o, tern_udp_now());
}

void sender_frame(struct sender *s)
{
    if (s->conn == NULL || !tern_conn_is_established(s->conn)) {
        return;
    }
    bool is_key = s->wants_key || s->next - s->key >= KEY_EVERY;
    size_t len = encode(s, is_key);
    int rc = send_frame(s, len, is_key);
    if (rc != 0 && rc != TERN_ERR_AGAIN) {
        die("send", rc);
    }
    /* The path is stuck: begin anew when it is free. */
    s->wants_key = rc == TERN_ERR_AGAIN;
    s->expired += rc == TERN_ERR_AGAIN ? 1 : 0;
    s->key = is_key ? s->next : s->key;
    s->keys += is_key ? 1 : 0;
    s->next++;
    speed_up(s);
    tern_conn_stats(s->conn, &s->stats);
}
