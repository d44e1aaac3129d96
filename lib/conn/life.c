/* States and their moves; errors to wire codes and back. [P §10], [P §13]
 * SPDX-License-Identifier: MIT */
#include "conn/life.h"

static const uint8_t no_words[1];

#define BIT(state) (1u << (state))

/* For each state, where it may move. */
static const unsigned allowed_moves[] = {
    [TERN_LIFE_HANDSHAKING] = BIT(TERN_LIFE_ESTABLISHED) | BIT(TERN_LIFE_CLOSING) |
                              BIT(TERN_LIFE_DRAINING) | BIT(TERN_LIFE_CLOSED),
    [TERN_LIFE_ESTABLISHED] =
        BIT(TERN_LIFE_CLOSING) | BIT(TERN_LIFE_DRAINING) | BIT(TERN_LIFE_CLOSED),
    [TERN_LIFE_CLOSING] = BIT(TERN_LIFE_DRAINING) | BIT(TERN_LIFE_CLOSED),
    [TERN_LIFE_DRAINING] = BIT(TERN_LIFE_CLOSED),
    [TERN_LIFE_CLOSED] = 0,
};

/* RFC 9000 §20.1; the handshake's own failures take the CRYPTO_ERROR block from 0x100. */
static const struct {
    int error;
    uint64_t code;
} wire_codes[] = {
    {TERN_OK, 0x00},
    {TERN_ERR_INTERNAL, 0x01},
    {TERN_ERR_REFUSED, 0x02},
    {TERN_ERR_FLOW_CONTROL, 0x03},
    {TERN_ERR_STREAM_LIMIT, 0x04},
    {TERN_ERR_STREAM_STATE, 0x05},
    {TERN_ERR_FINAL_SIZE, 0x06},
    {TERN_ERR_FRAME_ENCODING, 0x07},
    {TERN_ERR_TRANSPORT_PARAMETER, 0x08},
    {TERN_ERR_CONNECTION_ID_LIMIT, 0x09},
    {TERN_ERR_PROTOCOL, 0x0a},
    {TERN_ERR_INVALID_TOKEN, 0x0b},
    {TERN_ERR_CRYPTO_BUFFER, 0x0d},
    {TERN_ERR_KEY_UPDATE, 0x0e},
    {TERN_ERR_AEAD_LIMIT, 0x0f},
    {TERN_ERR_VERSION, 0x11}, /* RFC 9368 §9.2 */
    {TERN_ERR_CRYPTO, 0x100},
    {TERN_ERR_UNSUPPORTED, 0x101},
    {TERN_ERR_SECRET, 0x102},
    {TERN_ERR_MODE, 0x103},
};

uint64_t tern_life_code(int error)
{
    for (size_t i = 0; i < TERN_COUNT_OF(wire_codes); i++) {
        if (wire_codes[i].error == error) {
            return wire_codes[i].code;
        }
    }
    return 0x01; /* INTERNAL_ERROR: no memory and the like are nobody's business */
}

static int error_of(uint64_t code)
{
    for (size_t i = 0; i < TERN_COUNT_OF(wire_codes); i++) {
        if (wire_codes[i].code == code) {
            return wire_codes[i].error;
        }
    }
    return TERN_ERR_INTERNAL;
}

static bool move(struct tern_life *life, enum tern_life_state to)
{
    if ((allowed_moves[life->state] & BIT(to)) == 0) {
        return false;
    }
    life->state = to;
    return true;
}

static void keep_reason(struct tern_life *life, const void *reason, size_t len)
{
    len = TERN_MIN(len, (size_t)TERN_LIFE_REASON_MAX);
    tern_life_clear(life);
    life->reason = len == 0 ? NULL : tern_mem_alloc(life->mem, len);
    if (life->reason != NULL) {
        memcpy(life->reason, reason, len);
        life->reason_len = (uint16_t)len;
    }
}

void tern_life_clear(struct tern_life *life)
{
    tern_mem_free(life->mem, life->reason);
    life->reason = NULL;
    life->reason_len = 0;
}

void tern_life_init(struct tern_life *life, struct tern_mem *mem)
{
    memset(life, 0, sizeof *life);
    life->mem = mem;
    life->state = TERN_LIFE_HANDSHAKING;
    life->end_at = TERN_TIME_NEVER;
}

bool tern_life_is_over(const struct tern_life *life)
{
    return life->state >= TERN_LIFE_CLOSING;
}

const char *tern_life_name(enum tern_life_state state)
{
    switch (state) {
    case TERN_LIFE_HANDSHAKING:
        return "handshaking";
    case TERN_LIFE_ESTABLISHED:
        return "established";
    case TERN_LIFE_CLOSING:
        return "closing";
    case TERN_LIFE_DRAINING:
        return "draining";
    case TERN_LIFE_CLOSED:
        break;
    }
    return "closed";
}

bool tern_life_establish(struct tern_life *life)
{
    return move(life, TERN_LIFE_ESTABLISHED);
}

bool tern_life_close(struct tern_life *life, uint64_t code, const char *reason)
{
    if (!move(life, TERN_LIFE_CLOSING)) {
        return false;
    }
    life->by = TERN_CLOSED_LOCAL;
    life->is_application = true;
    life->code = code;
    life->wants_close = true;
    keep_reason(life, reason, reason == NULL ? 0 : strlen(reason));
    return true;
}

bool tern_life_fail(struct tern_life *life, int error, uint64_t frame_type, const char *reason)
{
    if (!move(life, TERN_LIFE_CLOSING)) {
        return false;
    }
    life->by = TERN_CLOSED_ERROR;
    life->error = error;
    life->code = tern_life_code(error);
    life->frame_type = frame_type;
    life->wants_close = true;
    keep_reason(life, reason, reason == NULL ? 0 : strlen(reason));
    return true;
}

bool tern_life_on_close(struct tern_life *life, bool is_application, uint64_t code,
                        const uint8_t *reason, size_t len)
{
    bool had_ended = tern_life_is_over(life);
    if (!move(life, TERN_LIFE_DRAINING)) {
        return false;
    }
    life->wants_close = false;
    if (!had_ended) { /* else our own close came first and is the story that we tell */
        life->by = TERN_CLOSED_PEER;
        life->is_application = is_application;
        life->code = code;
        life->error = is_application ? 0 : error_of(code);
        keep_reason(life, reason, len);
    }
    return true;
}

bool tern_life_on_reset(struct tern_life *life)
{
    bool had_ended = tern_life_is_over(life);
    if (!move(life, TERN_LIFE_DRAINING)) {
        return false;
    }
    life->wants_close = false;
    if (!had_ended) {
        life->by = TERN_CLOSED_PEER;
        life->error = TERN_ERR_FORGOTTEN;
    }
    return true;
}

void tern_life_hint(struct tern_life *life, bool is_application, uint64_t code,
                    const uint8_t *reason, size_t len)
{
    if (life->has_hint || tern_life_is_over(life)) {
        return;
    }
    life->has_hint = true;
    life->is_application = is_application;
    life->code = code;
    keep_reason(life, reason, len);
}

void tern_life_forget_hint(struct tern_life *life)
{
    if (life->has_hint && !tern_life_is_over(life)) {
        life->has_hint = life->is_application = false;
        life->code = 0;
        tern_life_clear(life);
    }
}

bool tern_life_expire(struct tern_life *life)
{
    bool had_ended = tern_life_is_over(life);
    if (!move(life, TERN_LIFE_CLOSED)) {
        return false;
    }
    if (!had_ended && life->has_hint) {
        life->by = TERN_CLOSED_PEER;
        life->error = life->is_application ? 0 : error_of(life->code);
    } else if (!had_ended) {
        life->by = TERN_CLOSED_TIMEOUT;
        life->error = TERN_ERR_TIMEOUT;
    }
    life->wants_close = false;
    return true;
}

bool tern_life_end(struct tern_life *life)
{
    life->wants_close = false;
    return move(life, TERN_LIFE_CLOSED);
}

void tern_life_info(const struct tern_life *life, tern_close_info *out)
{
    out->by = life->by;
    out->error = life->error;
    out->is_application = life->is_application;
    out->code = life->code;
    out->reason = life->reason != NULL ? life->reason : no_words;
    out->reason_len = life->reason_len;
}
