/* Smooths what the path shows, and decides when it has changed enough to be told.
 * SPDX-License-Identifier: MIT */
#include "conn/forecast.h"

#define INTERVAL (200 * TERN_MSEC) /* between two events, at least */
#define CHANGE   20                /* one part in so many of the estimate is news */
/* ... and so much of the queue's delay, or half of it if that is more. */
#define QUEUE_STEP  (5 * TERN_MSEC)
#define LOSS_WINDOW TERN_SEC

static uint64_t estimate_of(const struct tern_path *path)
{
    const struct tern_cc_ops *ops = path->cc.ops;
    return ops->estimate != NULL ? ops->estimate(&path->cc) : path->delivery_rate;
}

static void count_loss(struct tern_forecast *forecast, const struct tern_rate *rate, tern_time now)
{
    if (now < forecast->window_at + LOSS_WINDOW) {
        return;
    }
    uint64_t lost = tern_sub_sat(rate->lost, forecast->lost);
    uint64_t all = lost + tern_sub_sat(rate->delivered, forecast->delivered);
    unsigned loss = all > 0 ? (unsigned)(lost * 10000 / all) : 0;
    forecast->now.loss =
        forecast->window_at == 0 ? loss : (forecast->now.loss + loss + 1) / 2; /* of two seconds */
    forecast->window_at = now;
    forecast->lost = rate->lost;
    forecast->delivered = rate->delivered;
}

static uint64_t difference(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

static bool is_news(const struct tern_forecast *forecast)
{
    uint64_t now = forecast->now.estimate, told = forecast->told;
    return now > 0 && (difference(now, told) > told / CHANGE ||
                       difference(forecast->now.queue_delay, forecast->told_queue) >
                           TERN_MAX(QUEUE_STEP, forecast->told_queue / 2));
}

bool tern_forecast_on_ack(struct tern_forecast *forecast, const struct tern_path *path,
                          tern_time now)
{
    tern_time queue = tern_sub_sat(path->rtt.latest, path->rtt.min);
    forecast->now.queue_delay = (7 * forecast->now.queue_delay + queue) / 8;
    forecast->now.rtt = path->rtt.smoothed;
    forecast->now.estimate = estimate_of(path);
    count_loss(forecast, &path->rate, now);
    if (!forecast->wants_event && is_news(forecast) &&
        (forecast->told == 0 || now >= forecast->told_at + INTERVAL)) {
        forecast->wants_event = true;
        forecast->told_at = now;
    }
    return forecast->wants_event;
}

void tern_forecast_take(struct tern_forecast *forecast, tern_bandwidth *out)
{
    forecast->wants_event = false;
    forecast->told = forecast->now.estimate;
    forecast->told_queue = forecast->now.queue_delay;
    *out = forecast->now;
}
