/* One frame of every kind, byte by byte from RFC 9000 section 19 and
 * draft-ietf-quic-ack-frequency.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_UNIT_WIRE_SAMPLES_H
#define TERN_UNIT_WIRE_SAMPLES_H

#include "unit/base/kit.h"
#include "wire/frame.h"

struct sample {
    enum tern_frame_type type;
    size_t len;
    size_t least; /* fewer bytes than this cannot be a frame; len, but where data runs to the end */
    uint8_t bytes[48];
    const char *text; /* as the trace renders it */
};

static const struct sample samples[] = {
    {TERN_FRAME_PADDING, 3, 1, {0, 0, 0}, "PADDING len=3"},
    {TERN_FRAME_PING, 1, 1, {1}, "PING"},
    /* 1000 down to 998; gap 1: 995 down to 990; gap 0: 988 */
    {TERN_FRAME_ACK,
     11,
     11,
     {2, 0x43, 0xe8, 0x40, 0x64, 2, 2, 1, 5, 0, 0},
     "ACK largest=1000 delay=100 ranges=3 998-1000 990-995 988-988"},
    {TERN_FRAME_ACK_ECN,
     9,
     9,
     {3, 9, 0, 0, 9, 1, 2, 0x40, 0x80},
     "ACK largest=9 delay=0 ranges=1 0-9 ecn=1/2/128"},
    {TERN_FRAME_RESET_STREAM,
     6,
     6,
     {4, 4, 0x41, 0x00, 0x50, 0x00},
     "RESET_STREAM id=4 code=256 final=4096"},
    {TERN_FRAME_STOP_SENDING, 3, 3, {5, 8, 7}, "STOP_SENDING id=8 code=7"},
    {TERN_FRAME_CRYPTO, 6, 6, {6, 5, 3, 'a', 'b', 'c'}, "CRYPTO off=5 len=3"},
    {TERN_FRAME_NEW_TOKEN, 4, 4, {7, 2, 't', 'k'}, "NEW_TOKEN len=2"},
    {TERN_FRAME_STREAM, 4, 2, {8, 4, 'h', 'i'}, "STREAM id=4 off=0 len=2"},
    {TERN_FRAME_STREAM, 4, 2, {9, 4, 'h', 'i'}, "STREAM id=4 off=0 len=2 fin"},
    {TERN_FRAME_STREAM, 5, 5, {0x0a, 4, 2, 'h', 'i'}, "STREAM id=4 off=0 len=2"},
    {TERN_FRAME_STREAM, 3, 3, {0x0b, 4, 0}, "STREAM id=4 off=0 len=0 fin"},
    {TERN_FRAME_STREAM, 5, 4, {0x0c, 4, 0x40, 0x64, 'x'}, "STREAM id=4 off=100 len=1"},
    {TERN_FRAME_STREAM, 5, 4, {0x0d, 4, 0x40, 0x64, 'x'}, "STREAM id=4 off=100 len=1 fin"},
    {TERN_FRAME_STREAM, 5, 5, {0x0e, 4, 9, 1, 'x'}, "STREAM id=4 off=9 len=1"},
    {TERN_FRAME_STREAM, 5, 5, {0x0f, 4, 9, 1, 'x'}, "STREAM id=4 off=9 len=1 fin"},
    {TERN_FRAME_MAX_DATA, 5, 5, {0x10, 0x80, 0x10, 0, 0}, "MAX_DATA limit=1048576"},
    {TERN_FRAME_MAX_STREAM_DATA, 4, 4, {0x11, 4, 0x41, 0}, "MAX_STREAM_DATA id=4 limit=256"},
    {TERN_FRAME_MAX_STREAMS_BIDI, 2, 2, {0x12, 9}, "MAX_STREAMS_BIDI limit=9"},
    {TERN_FRAME_MAX_STREAMS_UNI, 2, 2, {0x13, 9}, "MAX_STREAMS_UNI limit=9"},
    {TERN_FRAME_DATA_BLOCKED, 2, 2, {0x14, 9}, "DATA_BLOCKED limit=9"},
    {TERN_FRAME_STREAM_DATA_BLOCKED, 3, 3, {0x15, 4, 9}, "STREAM_DATA_BLOCKED id=4 limit=9"},
    {TERN_FRAME_STREAMS_BLOCKED_BIDI, 2, 2, {0x16, 9}, "STREAMS_BLOCKED_BIDI limit=9"},
    {TERN_FRAME_STREAMS_BLOCKED_UNI, 2, 2, {0x17, 9}, "STREAMS_BLOCKED_UNI limit=9"},
    {TERN_FRAME_NEW_CONNECTION_ID,
     28,
     28,
     {0x18, 5, 2, 8, 1, 2, 3, 4, 5, 6, 7, 8, [12] = 0xf0, [27] = 0xff},
     "NEW_CONNECTION_ID seq=5 retire_prior_to=2"},
    {TERN_FRAME_RETIRE_CONNECTION_ID, 2, 2, {0x19, 3}, "RETIRE_CONNECTION_ID seq=3"},
    {TERN_FRAME_PATH_CHALLENGE, 9, 9, {0x1a, 1, 2, 3, 4, 5, 6, 7, 8}, "PATH_CHALLENGE"},
    {TERN_FRAME_PATH_RESPONSE, 9, 9, {0x1b, 1, 2, 3, 4, 5, 6, 7, 8}, "PATH_RESPONSE"},
    {TERN_FRAME_CONNECTION_CLOSE,
     6,
     6,
     {0x1c, 0x0a, 6, 2, 'n', 'o'},
     "CONNECTION_CLOSE transport code=0xa reason=\"no\""},
    {TERN_FRAME_CONNECTION_CLOSE_APP,
     6,
     6,
     {0x1d, 0x41, 0, 2, 'n', 'o'},
     "CONNECTION_CLOSE application code=0x100 reason=\"no\""},
    {TERN_FRAME_HANDSHAKE_DONE, 1, 1, {0x1e}, "HANDSHAKE_DONE"},
    {TERN_FRAME_IMMEDIATE_ACK, 1, 1, {0x1f}, "IMMEDIATE_ACK"},
    {TERN_FRAME_CLOCK, 5, 5, {0x39, 0x80, 0x01, 0xe2, 0x40}, "CLOCK time=123456"},
    {TERN_FRAME_ACK_FREQUENCY,
     7,
     7,
     {0x40, 0xaf, 5, 9, 0x58, 0x6a, 3},
     "ACK_FREQUENCY seq=5 threshold=9 delay=6250 reordering=3"},
};

#endif
