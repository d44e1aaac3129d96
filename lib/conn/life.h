/* The states of a connection, their allowed moves, and the one map between errors and wire codes.
 *
 *                 message 3 proved (server) / message 2 proved (client)
 *     handshaking ───────────────────────────────────────────────► established
 *         │  │ tern_life_close, an error                              │  │
 *         │  └───────────────► closing ◄──────────────────────────────┘  │
 *         │ CONNECTION_CLOSE      │ the peer's CONNECTION_CLOSE            │
 *         ├───────────────────► draining ◄─────────────────────────────────┤
 *         │ timeout               │ 3 PTO                     idle timeout  │
 *         └────────────────────► closed ◄──────────────────────────────────┘
 *
 * What may be trusted: handshaking, nothing but that the packets opened with keys that any observer
 * can derive; established, the peer's key is proved; closing, we only repeat our close; draining,
 * we are silent; closed, only memory is left.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_CONN_LIFE_H
#define TERN_CONN_LIFE_H

#include <tern/event.h>

#include "base/mem.h"

enum tern_life_state {
    TERN_LIFE_HANDSHAKING,
    TERN_LIFE_ESTABLISHED,
    TERN_LIFE_CLOSING,
    TERN_LIFE_DRAINING,
    TERN_LIFE_CLOSED
};

#define TERN_LIFE_REASON_MAX 256 /* [P §10.2] */

struct tern_life {
    enum tern_life_state state;
    tern_closer by;
    int error;
    bool is_application;
    bool wants_close;  /* a CONNECTION_CLOSE must leave */
    bool has_hint;     /* a close came that anybody could have sent */
    bool is_confirmed; /* RFC 9001 §4.1.2: both ends have finished the handshake */
    uint64_t code;
    uint64_t frame_type;  /* the frame that broke the protocol, 0 if unknown */
    tern_time end_at;     /* closing and draining end then; NEVER before the first close left */
    uint32_t close_heard; /* packets that came while closing: answer the 1st, 2nd, 4th, ... */
    struct tern_mem *mem;
    uint16_t reason_len;
    uint8_t *reason; /* NULL: none, or no memory for it, which loses a word to people and no more */
};

void tern_life_init(struct tern_life *life, struct tern_mem *mem);
void tern_life_clear(struct tern_life *life);
bool tern_life_is_over(const struct tern_life *life); /* closing, draining or closed */
const char *tern_life_name(enum tern_life_state state);

/* Each returns true when it moved the state. */
bool tern_life_establish(struct tern_life *life);
/* We close with an application's code. */
bool tern_life_close(struct tern_life *life, uint64_t code, const char *reason);
/* We found an error: TERN_ERR_* becomes the wire's code. */
bool tern_life_fail(struct tern_life *life, int error, uint64_t frame_type, const char *reason);
/* The peer closed. */
bool tern_life_on_close(struct tern_life *life, bool is_application, uint64_t code,
                        const uint8_t *reason, size_t len);
/* The peer has lost the connection and cannot say more. */
bool tern_life_on_reset(struct tern_life *life);
/* A CONNECTION_CLOSE in an Initial packet, before the peer is proved: any observer can forge it. If the
 * handshake comes to nothing, it was true and is told as the cause. */
void tern_life_hint(struct tern_life *life, bool is_application, uint64_t code,
                    const uint8_t *reason, size_t len);
void tern_life_forget_hint(struct tern_life *life);
/* Nothing was heard for too long: no word leaves. */
bool tern_life_expire(struct tern_life *life);
/* The closing or draining period is over, or the connection never began. */
bool tern_life_end(struct tern_life *life);

/* The wire's code for a TERN_ERR_*. */
uint64_t tern_life_code(int error);

void tern_life_info(const struct tern_life *life, tern_close_info *out);

#endif
