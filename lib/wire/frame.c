/* The rule table.
 * SPDX-License-Identifier: MIT */
#include "wire/frame.h"

#define I (1u << TERN_PACKET_INITIAL)
#define O (1u << TERN_PACKET_ZERO_RTT)
#define H (1u << TERN_PACKET_HANDSHAKE)
#define A (1u << TERN_PACKET_ONE_RTT)
#define S TERN_FRAME_IN_HALF
#define n false
#define y true

/* clang-format off */
static const struct tern_frame_rule rules[] = {
    /*                                    name                   packets     eliciting probing in flight flow */
    [TERN_FRAME_PADDING]               = {"PADDING",              I|O|H|A|S, n,        y,      y,        n},
    [TERN_FRAME_PING]                  = {"PING",                 I|O|H|A|S, y,        n,      y,        n},
    [TERN_FRAME_ACK]                   = {"ACK",                  I|H|A|S,   n,        n,      n,        n},
    [TERN_FRAME_ACK_ECN]               = {"ACK",                  I|H|A|S,   n,        n,      n,        n},
    [TERN_FRAME_RESET_STREAM]          = {"RESET_STREAM",         O|A|S,     y,        n,      y,        n},
    [TERN_FRAME_STOP_SENDING]          = {"STOP_SENDING",         O|A|S,     y,        n,      y,        n},
    [TERN_FRAME_CRYPTO]                = {"CRYPTO",               I|H|A|S,   y,        n,      y,        n},
    [TERN_FRAME_NEW_TOKEN]             = {"NEW_TOKEN",            A,         y,        n,      y,        n},
    [TERN_FRAME_STREAM]                = {"STREAM",               O|A|S,     y,        n,      y,        y},
    [TERN_FRAME_MAX_DATA]              = {"MAX_DATA",             O|A|S,     y,        n,      y,        n},
    [TERN_FRAME_MAX_STREAM_DATA]       = {"MAX_STREAM_DATA",      O|A|S,     y,        n,      y,        n},
    [TERN_FRAME_MAX_STREAMS_BIDI]      = {"MAX_STREAMS_BIDI",     O|A|S,     y,        n,      y,        n},
    [TERN_FRAME_MAX_STREAMS_UNI]       = {"MAX_STREAMS_UNI",      O|A|S,     y,        n,      y,        n},
    [TERN_FRAME_DATA_BLOCKED]          = {"DATA_BLOCKED",         O|A|S,     y,        n,      y,        n},
    [TERN_FRAME_STREAM_DATA_BLOCKED]   = {"STREAM_DATA_BLOCKED",  O|A|S,     y,        n,      y,        n},
    [TERN_FRAME_STREAMS_BLOCKED_BIDI]  = {"STREAMS_BLOCKED_BIDI", O|A|S,     y,        n,      y,        n},
    [TERN_FRAME_STREAMS_BLOCKED_UNI]   = {"STREAMS_BLOCKED_UNI",  O|A|S,     y,        n,      y,        n},
    [TERN_FRAME_NEW_CONNECTION_ID]     = {"NEW_CONNECTION_ID",    O|A,       y,        y,      y,        n},
    [TERN_FRAME_RETIRE_CONNECTION_ID]  = {"RETIRE_CONNECTION_ID", A,         y,        n,      y,        n},
    [TERN_FRAME_PATH_CHALLENGE]        = {"PATH_CHALLENGE",       O|A,       y,        y,      y,        n},
    [TERN_FRAME_PATH_RESPONSE]         = {"PATH_RESPONSE",        A,         y,        y,      y,        n},
    [TERN_FRAME_CONNECTION_CLOSE]      = {"CONNECTION_CLOSE",     I|O|H|A|S, n,        n,      n,        n},
    [TERN_FRAME_CONNECTION_CLOSE_APP]  = {"CONNECTION_CLOSE",     O|A|S,     n,        n,      n,        n},
    [TERN_FRAME_HANDSHAKE_DONE]        = {"HANDSHAKE_DONE",       A,         y,        n,      y,        n},
    [TERN_FRAME_IMMEDIATE_ACK]         = {"IMMEDIATE_ACK",        A,         y,        n,      y,        n},
    [TERN_FRAME_ACK_FREQUENCY]         = {"ACK_FREQUENCY",        A,         y,        n,      y,        n},
    [TERN_FRAME_REKEY]                 = {"REKEY",                A,         y,        n,      y,        n},
    [TERN_FRAME_CLOCK]                 = {"CLOCK",                A,         n,        n,      n,        n},
    [TERN_FRAME_MESSAGE]               = {"MESSAGE",              A,         y,        n,      y,        n},
    [TERN_FRAME_MESSAGE_SKIP]          = {"MESSAGE_SKIP",         A,         y,        n,      y,        n},
    [TERN_FRAME_MAX_MESSAGE_DATA]      = {"MAX_MESSAGE_DATA",     A,         y,        n,      y,        n},
    [TERN_FRAME_REPAIR]                = {"REPAIR",               A,         y,        n,      y,        n},
};
/* clang-format on */

const struct tern_frame_rule *tern_frame_rule(uint64_t type)
{
    if (type >= TERN_FRAME_STREAM && type < TERN_FRAME_STREAM + 8) {
        type = TERN_FRAME_STREAM;
    } else if (type >= TERN_FRAME_MESSAGE && type < TERN_FRAME_MESSAGE_SKIP) {
        type = TERN_FRAME_MESSAGE;
    }
    return type < TERN_COUNT_OF(rules) && rules[type].name != NULL ? &rules[type] : NULL;
}
