/* What two ends of a connection tell a key log, and whether it is the same, once, and in time.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_TEST_EAR_KIT_H
#define TERN_TEST_EAR_KIT_H

#include <string.h>
#include <tern/trace.h>

#include "tern_test.h"

enum { EAR_MAX = 64 };

/* What one end told. */
struct ear {
    struct {
        uint8_t type, secret[TERN_SECRET_SIZE], connection[8];
        bool is_clients;
        uint32_t phase;
        unsigned suite;
    } secrets[EAR_MAX];
    unsigned count, packets[8], too_late; /* packets: of each type */
};

static struct ear ears[2]; /* of the client, and of the server */

static inline bool ear_knows(const struct ear *ear, uint8_t type, bool is_clients)
{
    for (unsigned i = 0; i < ear->count; i++) {
        if (ear->secrets[i].type == type && ear->secrets[i].is_clients == is_clients) {
            return true;
        }
    }
    return false;
}

static inline void ear_listen(void *user, const tern_trace_event *event)
{
    struct ear *ear = user;
    if (event->kind == TERN_TRACE_SENT || event->kind == TERN_TRACE_RECEIVED) {
        bool is_clients = (event->kind == TERN_TRACE_SENT) != event->is_server;
        ear->packets[event->packet_type]++;
        ear->too_late += ear_knows(ear, event->packet_type, is_clients) ? 0 : 1;
    }
    if (event->kind == TERN_TRACE_SECRET) {
        assert_true(ear->count < EAR_MAX);
        ear->secrets[ear->count].type = event->packet_type;
        ear->secrets[ear->count].is_clients = event->is_clients;
        ear->secrets[ear->count].phase = event->key_phase;
        ear->secrets[ear->count].suite = event->suite;
        memcpy(ear->secrets[ear->count].secret, event->secret, TERN_SECRET_SIZE);
        memcpy(ear->secrets[ear->count].connection, event->connection, 8);
        ear->count++;
    }
}

/* The last that an end told of a level, phase and direction; -1: none. *count: how often. */
static inline int ear_last(const struct ear *ear, uint8_t type, uint32_t phase, bool is_clients,
                           unsigned *count)
{
    int last = -1;
    *count = 0;
    for (unsigned i = 0; i < ear->count; i++) {
        if (ear->secrets[i].type == type && ear->secrets[i].phase == phase &&
            ear->secrets[i].is_clients == is_clients) {
            last = (int)i;
            ++*count;
        }
    }
    return last;
}

/* How often an end told of it; what the other end told of it is the same. */
static inline unsigned ear_told(int side, uint8_t type, uint32_t phase, bool is_clients)
{
    unsigned count, others;
    const struct ear *ear = &ears[side], *other = &ears[!side];
    int mine = ear_last(ear, type, phase, is_clients, &count);
    int theirs = ear_last(other, type, phase, is_clients, &others);
    if (mine >= 0 && theirs >= 0) {
        assert_memory_equal(ear->secrets[mine].secret, other->secrets[theirs].secret,
                            TERN_SECRET_SIZE);
        assert_memory_equal(ear->secrets[mine].connection, other->secrets[theirs].connection, 8);
        assert_int_equal(ear->secrets[mine].suite, other->secrets[theirs].suite);
    }
    return count;
}

#endif
