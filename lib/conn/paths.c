/* Validation of an address, the 3x limit, and what another address inherits.
 * SPDX-License-Identifier: MIT */
#include "conn/paths.h"

#define AMPLIFICATION 3     /* RFC 9000 §8.1 */
#define HARDLY_ANY    14720 /* a first window, RFC 9002 §7.2: a handshake is less */

static uint8_t mark_of(const struct tern_cc_ops *cc)
{
    return cc->is_scalable ? TERN_ECN_ECT1 : TERN_ECN_ECT0;
}

void tern_path_init(struct tern_path *path, struct tern_cc_state *state, const tern_addr *local,
                    const tern_addr *remote, const struct tern_cc_ops *cc, tern_time initial_rtt,
                    tern_time now)
{
    memset(path, 0, sizeof *path);
    path->local = *local;
    path->remote = *remote;
    path->challenge_again = path->challenge_until = path->drop_at = TERN_TIME_NEVER;
    tern_ecn_init(&path->ecn);
    tern_ecn_use(&path->ecn, mark_of(cc));
    tern_pmtud_init(&path->pmtud, TERN_PMTUD_BASE);
    path->cc.state = state;
    tern_path_measure_afresh(path, cc, initial_rtt, now);
}

void tern_path_copy(struct tern_path *path, const struct tern_path *from)
{
    struct tern_cc cc = path->cc;
    tern_cc_copy(&cc, &from->cc);
    *path = *from;
    path->cc = cc;
}

void tern_path_set_cc(struct tern_path *path, const struct tern_cc_ops *cc, tern_time now)
{
    if (path->cc.ops != cc) {
        tern_cc_switch(&path->cc, cc, &path->rtt, &path->rate, now);
        tern_ecn_use(&path->ecn, mark_of(cc));
    }
    if (path->rtt.has_sample) {
        tern_pacer_set_rate(&path->pacer, tern_cc_pace(&path->cc, &path->rtt), path->cc.datagram,
                            now);
    }
}

void tern_path_recall(struct tern_path *path, const tern_path_memory *memory)
{
    bool is_fresh = memory->age < TERN_PATH_MEMORY_LIFE && memory->min_rtt > 0;
    if (is_fresh && path->rate.delivered < HARDLY_ANY && tern_cc_is_starting(&path->cc)) {
        tern_recall_begin(&path->cc, memory->volume, memory->min_rtt, &path->rate);
    }
}

void tern_path_on_received(struct tern_path *path, size_t len)
{
    path->received += len;
}

uint64_t tern_path_allowance(const struct tern_path *path)
{
    return path->is_validated ? UINT64_MAX
                              : tern_sub_sat(AMPLIFICATION * path->received, path->sent);
}

static void forget_challenge(struct tern_path *path)
{
    path->has_challenge = path->wants_challenge = false;
    path->challenge_again = path->challenge_until = TERN_TIME_NEVER;
}

void tern_path_validate(struct tern_path *path)
{
    path->is_validated = true;
    forget_challenge(path);
}

bool tern_path_is_same_host(const tern_addr *a, const tern_addr *b)
{
    tern_addr x = *a;
    x.port = b->port;
    return a->family != 0 && tern_addr_equal(&x, b);
}

void tern_path_measure_afresh(struct tern_path *path, const struct tern_cc_ops *cc,
                              tern_time initial_rtt, tern_time now)
{
    uint64_t in_flight = path->cc.bytes_in_flight;
    uint64_t wanted = path->cc.wanted_rate;
    tern_rtt_init(&path->rtt, initial_rtt);
    tern_rate_init(&path->rate);
    tern_pmtud_init(&path->pmtud, path->pmtud.ceiling);
    tern_cc_init(&path->cc, path->cc.state, cc, TERN_PMTUD_BASE, now);
    path->cc.wanted_rate = wanted;
    path->cc.bytes_in_flight = in_flight;
    tern_ecn_use(&path->ecn, mark_of(cc));
    tern_pacer_init(&path->pacer, TERN_PMTUD_BASE);
    path->delivery_rate = 0;
    path->capacity = (struct tern_capacity){.since = now};
}

void tern_path_inherit(struct tern_path *path, const struct tern_path *from)
{
    path->id = from->id;
    path->rtt = from->rtt;
    tern_cc_copy(&path->cc, &from->cc);
    path->rate = from->rate;
    path->delivery_rate = from->delivery_rate;
    path->capacity = from->capacity;
    path->pacer = from->pacer;
    path->pmtud = from->pmtud;
}

void tern_path_ask(struct tern_path *path, struct tern_random *random, tern_time until)
{
    tern_random_fill(random, path->challenge, TERN_PATH_CHALLENGE_SIZE);
    path->wants_challenge = true;
    path->has_challenge = false;
    path->challenge_again = TERN_TIME_NEVER;
    path->challenge_until = until;
}

void tern_path_on_challenge_sent(struct tern_path *path, tern_time pto, tern_time now)
{
    path->wants_challenge = false;
    path->challenged_at = path->has_challenge ? 0 : now;
    path->has_challenge = true;
    path->challenge_again = now + pto; /* one a PTO at most */
    if (path->challenge_until == TERN_TIME_NEVER) {
        path->challenge_until = now + TERN_PATH_PATIENCE * pto;
    }
}

bool tern_path_on_response(struct tern_path *path, const uint8_t data[TERN_PATH_CHALLENGE_SIZE])
{
    if (!path->has_challenge || memcmp(path->challenge, data, TERN_PATH_CHALLENGE_SIZE) != 0) {
        return false;
    }
    tern_path_validate(path);
    return true;
}

bool tern_path_on_timer(struct tern_path *path, tern_time now)
{
    if (now >= path->challenge_until) {
        forget_challenge(path);
        return true;
    }
    if (now >= path->challenge_again) {
        path->challenge_again = TERN_TIME_NEVER;
        path->wants_challenge = true;
    }
    return false;
}

void tern_path_on_challenge(struct tern_path *path, const uint8_t data[TERN_PATH_CHALLENGE_SIZE])
{
    if (path->response_count < TERN_PATH_RESPONSES_MAX) {
        memcpy(path->responses[path->response_count++], data, TERN_PATH_CHALLENGE_SIZE);
    }
}

void tern_path_on_response_sent(struct tern_path *path)
{
    path->response_count--;
    memmove(path->responses[0], path->responses[1],
            path->response_count * TERN_PATH_CHALLENGE_SIZE);
}

bool tern_path_wants(const struct tern_path *path)
{
    return path->response_count > 0 || path->wants_challenge;
}
