/* Which keys open a packet, when they change, and when they are worn out.
 * SPDX-License-Identifier: MIT */
#include "conn/keyphase.h"

#include "base/mem.h"

/* We start an update long before a suite's limit, and after this many bytes in any case. */
#define UPDATE_BYTES (UINT64_C(1) << 30) /* [P §5.5] */
#define UPDATE_AFTER (3600 * TERN_SEC)
#define IDLE_AFTER   (120 * TERN_SEC) /* a key that rested so long is not used again */

static void begin_phase(struct tern_key_phase *kp)
{
    memset(kp, 0, sizeof *kp);
    kp->previous_until = TERN_TIME_NEVER;
    kp->update_bytes = UPDATE_BYTES;
    kp->update_after = UPDATE_AFTER;
    kp->is_acked = true; /* the handshake is what stands before the first phase */
}

int tern_key_phase_init(struct tern_key_phase *kp, unsigned suite, const uint8_t tx_secret[32],
                        const uint8_t rx_secret[32])
{
    begin_phase(kp);
    int rc = tern_packet_keys_init(&kp->tx, suite, tx_secret);
    if (rc == 0) {
        rc = tern_packet_keys_init(&kp->rx, suite, rx_secret);
    }
    if (rc != 0) {
        tern_key_phase_clear(kp);
    }
    return rc;
}

int tern_key_phase_init_opened(struct tern_key_phase *kp, const uint8_t tx_secret[32],
                               const struct tern_packet_keys *rx)
{
    begin_phase(kp);
    kp->rx = *rx;
    kp->rx.opened = 0;
    int rc = tern_packet_keys_init(&kp->tx, rx->suite, tx_secret);
    if (rc != 0) {
        tern_key_phase_clear(kp);
    }
    return rc;
}

int tern_key_phase_look_ahead(struct tern_key_phase *kp)
{
    return tern_packet_keys_update(&kp->rx_next, &kp->rx);
}

bool tern_key_phase_can_fold(const struct tern_key_phase *kp)
{
    return kp->previous_until == TERN_TIME_NEVER && !kp->is_frozen && !kp->has_mix;
}

void tern_key_phase_fold(struct tern_key_fold *fold, const struct tern_key_phase *kp)
{
    memcpy(fold->books, kp, sizeof fold->books);
    tern_packet_keys_fold(&fold->tx, &kp->tx);
    tern_packet_keys_fold(&fold->rx, &kp->rx);
}

int tern_key_phase_unfold(struct tern_key_phase *kp, const struct tern_key_fold *fold)
{
    memset(kp, 0, sizeof *kp);
    memcpy(kp, fold->books, sizeof fold->books);
    int rc = tern_packet_keys_unfold(&kp->tx, &fold->tx);
    if (rc == 0) {
        rc = tern_packet_keys_unfold(&kp->rx, &fold->rx);
    }
    if (rc == 0) {
        rc = tern_key_phase_look_ahead(kp);
    }
    if (rc != 0) {
        tern_key_phase_clear(kp);
    }
    return rc;
}

void tern_key_phase_clear(struct tern_key_phase *kp)
{
    tern_packet_keys_clear(&kp->tx);
    tern_packet_keys_clear(&kp->rx);
    tern_packet_keys_clear(&kp->rx_next);
    tern_packet_keys_clear(&kp->rx_previous);
    tern_mem_wipe(kp->mix, sizeof kp->mix);
}

enum tern_key_choice tern_key_phase_choose(const struct tern_key_phase *kp, bool phase_bit,
                                           uint64_t pn)
{
    if (phase_bit == ((kp->phase & 1) != 0)) {
        return TERN_KEY_CURRENT;
    }
    if (kp->has_rx_pn && pn < kp->first_rx_pn) {
        return kp->previous_until == TERN_TIME_NEVER ? TERN_KEY_NONE : TERN_KEY_PREVIOUS;
    }
    if (!kp->has_rx_pn && kp->phase > 0) {
        return TERN_KEY_PREVIOUS; /* we updated; the peer has not followed yet */
    }
    return TERN_KEY_NEXT;
}

struct tern_packet_keys *tern_key_phase_keys(struct tern_key_phase *kp, enum tern_key_choice choice)
{
    switch (choice) {
    case TERN_KEY_CURRENT:
        return &kp->rx;
    case TERN_KEY_NEXT:
        return &kp->rx_next;
    case TERN_KEY_PREVIOUS:
        return &kp->rx_previous;
    case TERN_KEY_NONE:
        break;
    }
    return NULL;
}

/* Moves every key one phase on. The new rx_next is derived here, once a phase and never from a
 * packet that has not opened. */
static int rotate(struct tern_key_phase *kp, tern_time three_pto, tern_time now)
{
    struct tern_packet_keys tx, next;
    int rc = kp->has_mix ? tern_packet_keys_ratchet(&tx, &kp->tx, kp->mix)
                         : tern_packet_keys_update(&tx, &kp->tx);
    if (rc == 0) {
        rc = tern_packet_keys_update(&next, &kp->rx_next);
    }
    if (rc == 0) {
        tern_packet_keys_clear(&kp->rx_previous);
        kp->rx_previous = kp->rx;
        kp->rx = kp->rx_next;
        kp->rx_next = next;
        kp->tx = tx;
        kp->phase++;
        kp->has_answered = kp->is_acked = false;
        kp->sealed_bytes = 0;
        kp->began_at = now;
        kp->has_mix = kp->wants_update = false;
        tern_mem_wipe(kp->mix, sizeof kp->mix);
        kp->previous_until = now + three_pto;
    }
    tern_mem_wipe(&tx, sizeof tx);
    tern_mem_wipe(&next, sizeof next);
    return rc;
}

int tern_key_phase_on_opened(struct tern_key_phase *kp, enum tern_key_choice choice, uint64_t pn,
                             tern_time three_pto, uint64_t next_pn, tern_time now)
{
    if (choice == TERN_KEY_PREVIOUS) {
        /* RFC 9001 §6.4: an old key on a packet newer than one with the new key. */
        return kp->has_rx_pn && pn > kp->first_rx_pn ? TERN_ERR_KEY_UPDATE : 0;
    }
    if (choice == TERN_KEY_NEXT) {
        /* §6.2: a second update before we have sent what could acknowledge the first. Whether ours
         * were acknowledged says nothing: they may all have been ACKs. */
        if (kp->phase > 0 && !kp->has_answered) {
            return TERN_ERR_KEY_UPDATE;
        }
        int rc = rotate(kp, three_pto, now);
        if (rc != 0) {
            return rc;
        }
        kp->first_rx_pn = pn;
        kp->first_tx_pn = next_pn;
        kp->has_rx_pn = true;
        return 0;
    }
    if (!kp->has_rx_pn || pn < kp->first_rx_pn) {
        if (!kp->has_rx_pn && kp->phase > 0) {
            /* The peer followed; what it sent before may still be on its way (§6.1). */
            kp->previous_until = now + three_pto;
        }
        kp->first_rx_pn = pn;
        kp->has_rx_pn = true;
    }
    return 0;
}

int tern_key_phase_on_failed(struct tern_key_phase *kp)
{
    kp->opened_failed++;
    return kp->opened_failed > tern_suite_open_limit(kp->rx.suite) ? TERN_ERR_AEAD_LIMIT : 0;
}

void tern_key_phase_on_sealed(struct tern_key_phase *kp, size_t len, tern_time now)
{
    kp->sealed_at = now;
    kp->sealed_bytes += len;
    kp->has_answered = kp->has_answered || kp->has_rx_pn;
}

void tern_key_phase_on_acked(struct tern_key_phase *kp, uint64_t pn)
{
    if (pn >= kp->first_tx_pn) {
        kp->is_acked = true;
    }
}

bool tern_key_phase_is_settled(const struct tern_key_phase *kp)
{
    return kp->is_acked && kp->previous_until == TERN_TIME_NEVER &&
           (kp->has_rx_pn || kp->phase == 0);
}

int tern_key_phase_mix(struct tern_key_phase *kp, const uint8_t mix[TERN_SECRET_SIZE],
                       bool is_first)
{
    int rc = tern_packet_keys_ratchet(&kp->rx_next, &kp->rx, mix);
    if (rc == 0) {
        memcpy(kp->mix, mix, TERN_SECRET_SIZE);
        kp->has_mix = true;
        kp->wants_update = is_first;
        kp->is_frozen = false;
    }
    return rc;
}

static bool is_due(const struct tern_key_phase *kp, tern_time now)
{
    return kp->wants_update || kp->tx.sealed >= tern_suite_seal_limit(kp->tx.suite) / 2 ||
           kp->sealed_bytes >= kp->update_bytes ||
           tern_sub_sat(now, kp->began_at) >= kp->update_after ||
           (kp->sealed_at > 0 && tern_sub_sat(now, kp->sealed_at) >= IDLE_AFTER);
}

/* The next phase is not ours to begin, [P §5.7]. */
static bool must_wait(const struct tern_key_phase *kp)
{
    return kp->is_frozen || (kp->has_mix && !kp->wants_update);
}

int tern_key_phase_advance(struct tern_key_phase *kp, uint64_t next_pn, tern_time three_pto,
                           tern_time now)
{
    uint64_t limit = tern_suite_seal_limit(kp->tx.suite);
    kp->began_at = kp->began_at == 0 ? now : kp->began_at;
    if (!is_due(kp, now)) {
        return 0;
    }
    if (tern_key_phase_is_settled(kp) && !must_wait(kp)) {
        int rc = rotate(kp, three_pto, now);
        if (rc != 0) {
            return rc;
        }
        kp->first_tx_pn = next_pn;
        kp->has_rx_pn = false;
        return 0;
    }
    return kp->tx.sealed >= limit ? TERN_ERR_AEAD_LIMIT : 0;
}

void tern_key_phase_on_timer(struct tern_key_phase *kp, tern_time now)
{
    /* While the peer has not followed our update its packets still come with the old key. */
    if (now >= kp->previous_until && kp->has_rx_pn) {
        tern_packet_keys_clear(&kp->rx_previous);
        kp->previous_until = TERN_TIME_NEVER;
    }
}
