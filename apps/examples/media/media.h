/* Live video over tern: what its parts know of each other, and what goes over the network.
 *
 *     frames      one message each, of as many packets as it takes, until its deadline: lost packets are sent again
 *                 while they can still be in time, and a frame that cannot is given up and never waited for.
 *                 Repairs (forward error correction) make good what is lost without a round trip
 *     requests    unreliable: the receiver lacks a frame, and cannot show what follows up to the next whole picture
 *                 (key frame). With each that it cannot show it asks for one, which answers all that were asked before
 *
 * Without repairs a frame also depends on the one before: when that is given up, it is not sent any more, and the
 * encoder begins anew at once. With them the sender cannot know so: the receiver may have made the lost frame
 * whole, and says nothing of it. SPDX-License-Identifier: MIT */
#ifndef TERN_MEDIA_H
#define TERN_MEDIA_H

#include "examples/kit.h"

#define FRAME       (TERN_SEC / 30)
#define DEADLINE    (100 * TERN_MSEC)
#define FRAME_MAX   ((size_t)512 * 1024)
#define HEADER_SIZE 17

enum channel { CHANNEL_REQUEST, CHANNEL_VIDEO };

/* What a frame begins with. */
struct header {
    uint64_t number;
    tern_time sent_at; /* on the session clock of the receiver; 0: it is not known yet */
    bool is_key;
};

void header_encode(const struct header *header, uint8_t out[HEADER_SIZE]);
/* A request: which frame cannot be shown. */
void number_encode(uint64_t number, uint8_t out[8]);
uint64_t number_decode(const uint8_t in[8]);
bool header_decode(struct header *out, const uint8_t *data, size_t len);

/* --- sender.c --- */

struct sender {
    struct node node;
    tern_conn *conn;    /* NULL: over */
    uint64_t top, rate; /* bits a second: the encoder's best, and now */
    uint64_t ceiling;   /* what the rate may become */
    uint64_t next, key; /* numbers of the next frame, and of the latest key frame */
    bool wants_key, has_fec, is_lost;
    uint64_t keys, expired;
    tern_stats stats; /* the latest, also of a connection that is over */
    uint8_t frame[FRAME_MAX];
};

void sender_open(struct sender *sender, const tern_addr *to);
void sender_poll(struct sender *sender);
/* Thirty times a second: encodes a frame and sends it. */
void sender_frame(struct sender *sender);

/* --- receiver.c --- */

struct receiver {
    struct node node;
    tern_conn *conn; /* who sends; NULL: nobody. One at a time */
    uint64_t next;   /* the frame that can be shown without a key frame */
    uint64_t frames, in_time, late, broken, recovered, requests;
    tern_time worst;
};

void receiver_open(struct receiver *receiver, uint16_t port);
void receiver_poll(struct receiver *receiver);

#endif
