/* The keys of 1-RTT packets through their phases: key update by RFC 9001 section 6.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_CONN_KEYPHASE_H
#define TERN_CONN_KEYPHASE_H

#include "crypto/keys.h"

struct tern_key_phase {
    uint32_t phase;           /* updates so far; its low bit is on the wire */
    uint64_t first_rx_pn;     /* lowest number that opened in this phase */
    uint64_t first_tx_pn;     /* lowest number that we sent in it */
    bool has_rx_pn;           /* the peer has answered in this phase */
    bool has_answered;        /* and we have sent something since */
    bool is_acked;            /* one of our packets of this phase was acknowledged */
    tern_time previous_until; /* rx_previous is wiped then; NEVER: there is none */
    uint64_t opened_failed;   /* forgeries, counted against the integrity limit */
    uint64_t sealed_bytes;    /* in this phase */
    uint64_t update_bytes;    /* so many start an update ... */
    tern_time update_after;   /* ... and so long a time */
    tern_time began_at;       /* of this phase; 0: not known yet */
    tern_time sealed_at;      /* the latest packet */
    /* A fresh Diffie-Hellman goes into the next phase. [P §5.7] */
    bool is_frozen;    /* asked for: until the answer is here we start no update */
    bool has_mix;      /* the next phase takes it in, whoever starts it */
    bool wants_update; /* ... and we are the ones to */
    uint8_t mix[TERN_SECRET_SIZE];
    /* The last, for the fold keeps what stands before. */
    struct tern_packet_keys tx, rx;
    struct tern_packet_keys rx_next; /* made ahead, so that an update costs no time that shows */
    struct tern_packet_keys rx_previous;
};

/* A phase that nothing moves: the current keys' seeds, and the books. */
struct tern_key_fold {
    uint8_t books[offsetof(struct tern_key_phase, tx)];
    struct tern_packet_seed tx, rx;
};

/* Neither old keys nor fresh ones are waited for. */
bool tern_key_phase_can_fold(const struct tern_key_phase *kp);
void tern_key_phase_fold(struct tern_key_fold *fold, const struct tern_key_phase *kp);
/* 0 · TERN_ERR_UNSUPPORTED */
TERN_MUST_CHECK int tern_key_phase_unfold(struct tern_key_phase *kp,
                                          const struct tern_key_fold *fold);

TERN_MUST_CHECK int tern_key_phase_init(struct tern_key_phase *kp, unsigned suite,
                                        const uint8_t tx_secret[32], const uint8_t rx_secret[32]);
/* The same with keys to open that are made already, but have opened nothing that counts. */
TERN_MUST_CHECK int tern_key_phase_init_opened(struct tern_key_phase *kp,
                                               const uint8_t tx_secret[32],
                                               const struct tern_packet_keys *rx);
/* Makes rx_next, without which there is no update: for 1-RTT. 0 · TERN_ERR_UNSUPPORTED */
TERN_MUST_CHECK int tern_key_phase_look_ahead(struct tern_key_phase *kp);
void tern_key_phase_clear(struct tern_key_phase *kp);

/* Which keys a packet wants: by its phase bit and number. NULL: none fit, drop it. */
enum tern_key_choice { TERN_KEY_CURRENT, TERN_KEY_NEXT, TERN_KEY_PREVIOUS, TERN_KEY_NONE };
enum tern_key_choice tern_key_phase_choose(const struct tern_key_phase *kp, bool phase_bit,
                                           uint64_t pn);
struct tern_packet_keys *tern_key_phase_keys(struct tern_key_phase *kp,
                                             enum tern_key_choice choice);

/* A packet opened. 0 · TERN_ERR_KEY_UPDATE (a second update before we can have acknowledged the
 * first, or an old key on a newer packet) */
TERN_MUST_CHECK int tern_key_phase_on_opened(struct tern_key_phase *kp, enum tern_key_choice choice,
                                             uint64_t pn, tern_time three_pto, uint64_t next_pn,
                                             tern_time now);

/* Nothing would follow from such a packet that opened with the current keys. */
static inline bool tern_key_phase_is_usual(const struct tern_key_phase *kp, uint64_t pn)
{
    return kp->has_rx_pn && pn >= kp->first_rx_pn;
}

/* A forgery or an accident. 0 · TERN_ERR_AEAD_LIMIT */
TERN_MUST_CHECK int tern_key_phase_on_failed(struct tern_key_phase *kp);

void tern_key_phase_on_sealed(struct tern_key_phase *kp, size_t len, tern_time now);
void tern_key_phase_on_acked(struct tern_key_phase *kp, uint64_t pn);

/* The last update, ours or the peer's, has been acknowledged and followed. */
bool tern_key_phase_is_settled(const struct tern_key_phase *kp);
/* Both ends have the same fresh bytes, and nobody updates until `is_first`, the one who asked, does.
 * 0 · TERN_ERR_UNSUPPORTED (the keys were clear) */
TERN_MUST_CHECK int tern_key_phase_mix(struct tern_key_phase *kp,
                                       const uint8_t mix[TERN_SECRET_SIZE], bool is_first);

/* Starts an update of ours when the limits of the suite come near and the last one is settled.
 * 0 (also when nothing was due) · TERN_ERR_AEAD_LIMIT (due for too long) */
TERN_MUST_CHECK int tern_key_phase_advance(struct tern_key_phase *kp, uint64_t next_pn,
                                           tern_time three_pto, tern_time now);

void tern_key_phase_on_timer(struct tern_key_phase *kp, tern_time now);

#endif
