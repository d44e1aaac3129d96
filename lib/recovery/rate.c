/* Delivery-rate sampling: draft-cheng-iccrg-delivery-rate-estimation sections 3.2 and 3.3.
 * SPDX-License-Identifier: MIT */
#include "recovery/rate.h"

void tern_rate_init(struct tern_rate *rate)
{
    memset(rate, 0, sizeof *rate);
}

/* A time in 32 bits: to the nanosecond if it is below two seconds, else to the microsecond and up to half an hour. */
#define COARSE UINT32_C(0x80000000)

static uint32_t pack_length(tern_time length)
{
    return length < COARSE
               ? (uint32_t)length
               : COARSE | (uint32_t)TERN_MIN(length / TERN_USEC, (tern_time)(COARSE - 1));
}

static tern_time unpack_length(uint32_t packed)
{
    return (packed & COARSE) == 0 ? packed : (packed & ~COARSE) * TERN_USEC;
}

enum { SINCE_FIRST_SENT, SINCE_DELIVERED };

void tern_rate_on_sent(struct tern_rate *rate, struct tern_sent_packet *packet, uint64_t in_flight,
                       tern_time now)
{
    if (in_flight == 0) { /* a new flight: time spent idle says nothing about the path */
        rate->first_sent_at = now;
        rate->delivered_at = now;
    }
    packet->delivered = rate->delivered;
    packet->lost_before = (uint32_t)rate->lost;
    packet->since[SINCE_FIRST_SENT] = pack_length(tern_sub_sat(now, rate->first_sent_at));
    packet->since[SINCE_DELIVERED] = pack_length(tern_sub_sat(now, rate->delivered_at));
    packet->in_flight_before = (uint32_t)TERN_MIN(in_flight, (uint64_t)UINT32_MAX);
    if (rate->app_limited_until > 0) {
        packet->flags |= TERN_SENT_APP_LIMITED;
    }
}

/* The newest packet of the ACK gives the sample. Packets come in any order, and those of one burst
 * have the same time: of them the one that met the most in flight was the last. */
static bool is_newest(const struct tern_rate *rate, const struct tern_sent_packet *packet,
                      const struct tern_rate_sample *sample)
{
    if (!sample->has_any || packet->delivered != sample->prior_delivered) {
        return !sample->has_any || packet->delivered > sample->prior_delivered;
    }
    if (packet->sent_at != rate->first_sent_at) {
        return packet->sent_at > rate->first_sent_at;
    }
    return (uint64_t)packet->in_flight_before + packet->size > sample->in_flight_at_send;
}

void tern_rate_on_acked(struct tern_rate *rate, const struct tern_sent_packet *packet,
                        struct tern_rate_sample *sample, tern_time now)
{
    if ((packet->flags & TERN_SENT_IN_FLIGHT) == 0) {
        return;
    }
    rate->delivered += packet->size;
    rate->delivered_at = now;
    if (is_newest(rate, packet, sample)) {
        sample->has_any = true;
        sample->prior_delivered = packet->delivered;
        sample->prior_at = packet->sent_at - unpack_length(packet->since[SINCE_DELIVERED]);
        sample->is_app_limited = (packet->flags & TERN_SENT_APP_LIMITED) != 0;
        sample->send_elapsed = unpack_length(packet->since[SINCE_FIRST_SENT]);
        sample->ack_elapsed = tern_sub_sat(now, sample->prior_at);
        sample->in_flight_at_send = (uint64_t)packet->in_flight_before + packet->size;
        sample->lost = packet->lost_before; /* made a difference by finish */
        rate->first_sent_at = packet->sent_at;
    }
}

uint64_t tern_rate_lost_since(const struct tern_rate *rate, uint32_t before)
{
    uint32_t since = (uint32_t)rate->lost - before;
    return since > UINT32_MAX / 2 ? 0 : since;
}

void tern_rate_on_spurious(struct tern_rate *rate, const struct tern_sent_packet *packet)
{
    rate->lost = tern_sub_sat(rate->lost, packet->size);
}

void tern_rate_on_lost(struct tern_rate *rate, const struct tern_sent_packet *packet)
{
    rate->lost += packet->size;
}

/* a * b / c without overflow for the sizes at hand. */
static uint64_t scale(uint64_t bytes, tern_time interval)
{
    return bytes > UINT64_MAX / TERN_SEC ? bytes / TERN_MAX(interval / TERN_SEC, (tern_time)1)
                                         : bytes * TERN_SEC / interval;
}

void tern_rate_finish(struct tern_rate *rate, struct tern_rate_sample *sample, tern_time min_rtt)
{
    if (rate->app_limited_until > 0 && rate->delivered > rate->app_limited_until) {
        rate->app_limited_until = 0;
    }
    if (!sample->has_any) {
        return;
    }
    sample->interval = TERN_MAX(sample->send_elapsed, sample->ack_elapsed);
    sample->delivered = rate->delivered - sample->prior_delivered;
    sample->lost = tern_rate_lost_since(rate, (uint32_t)sample->lost);
    /* Shorter than any round trip: ACKs came compressed, and the rate would be fantasy. */
    if (sample->interval == 0 || sample->interval < min_rtt) {
        return;
    }
    sample->rate = scale(sample->delivered, sample->interval);
}

void tern_rate_on_app_limited(struct tern_rate *rate, uint64_t in_flight)
{
    uint64_t mark = rate->delivered + in_flight;
    rate->app_limited_until = mark > 0 ? mark : 1;
}
