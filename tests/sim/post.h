/* Messages between the two of a duo: each has a number and known bytes, and what became of it is noted.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_TESTS_SIM_POST_H
#define TERN_TESTS_SIM_POST_H

#include "sim/duo.h"

#define POST_LEAST 8 /* bytes that a letter has: its number is in them */

/* One message. */
struct post_letter {
    int from;
    size_t len;
    tern_reliability reliability;
    tern_order order;
    uint32_t channel;
    tern_time sent_at, came_at; /* came_at 0: it has not */
    uint64_t place;             /* among those that have come, from 1 */
    bool has_outcome;
    tern_outcome outcome;
};

struct post {
    struct duo duo; /* comes first: hooks are given it */
    struct post_letter *letters;
    size_t count, capacity;
    uint64_t came;                 /* all together */
    bool is_deaf[2];               /* this side takes no messages */
    bool wants_outcome;            /* of all that are sent */
    uint64_t writable[2], told[2]; /* events of each side: WRITABLE, MESSAGES */
    size_t *latest;                /* by side, order and channel: the letter that came last, + 1 */
    void (*look)(struct post *post, tern_time now); /* after each event; may be NULL */
    void *arg;
};

void post_init(struct post *post, const char *cc);
void post_open(struct post *post, uint64_t seed);
void post_close(struct post *post);

/* The code of tern_conn_send; the letter is counted only when it is 0. */
int post_send(struct post *post, int from, size_t len, const tern_send_options *options);

tern_send_options post_options(tern_reliability reliability, tern_order order, uint32_t channel);

/* Takes what has come; checks bytes and order. */
void post_take(struct post *post, int side);

void post_run(struct post *post, tern_time length);
/* Until so many have come, all together; fails after `limit`. */
void post_await(struct post *post, uint64_t came, tern_time limit);

/* How many of those sent have come. */
size_t post_arrived(const struct post *post);
/* What was said to have become of them is what became of them. */
void post_check_outcomes(const struct post *post);

tern_stats post_stats(const struct post *post, int side);

#endif
