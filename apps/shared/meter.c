/* Name, amounts, percentage, rate and remaining time in one line.
 * SPDX-License-Identifier: MIT */
#include "shared/meter.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shared/cli.h"
#include "shared/term.h"

#define SMOOTHING 0.3

void meter_init(struct meter *meter, bool is_on, double now)
{
    memset(meter, 0, sizeof *meter);
    meter->is_on = is_on;
    meter->started = meter->looked_at = now;
}

static void format_figures(const struct meter_view *view, double rate, char *buf, size_t size)
{
    char done[24], total[24], speed[24], left[32], files[48] = "", link[48] = "";
    unsigned percent =
        view->total > 0 ? (unsigned)((double)view->done * 100 / (double)view->total) : 100;
    (void)cli_format_size(view->done, done, sizeof done);
    (void)cli_format_size(view->total, total, sizeof total);
    (void)cli_format_size(rate > 0 ? (uint64_t)rate : 0, speed, sizeof speed);
    if (rate > 0 && view->done < view->total) {
        (void)cli_format_time((double)(view->total - view->done) / rate, left, sizeof left);
    } else {
        (void)snprintf(left, sizeof left, "-");
    }
    if (view->files_total > 1) {
        (void)snprintf(files, sizeof files, "%llu/%llu files  ",
                       (unsigned long long)view->files_done, (unsigned long long)view->files_total);
    }
    if (view->rtt_ms > 0) {
        (void)snprintf(link, sizeof link, "  rtt %.1f ms  loss %.1f%%", view->rtt_ms,
                       view->loss * 100);
    }
    (void)snprintf(buf, size, "%s%s/%s %3u%%  %s/s  ETA %s%s", files, done, total, percent, speed,
                   left, link);
}

void meter_format(const struct meter_view *view, double rate, unsigned width, char *buf,
                  size_t size)
{
    char figures[320];
    format_figures(view, rate, figures, sizeof figures);
    if (strlen(figures) > width) { /* too narrow for a name: what fits */
        (void)snprintf(buf, size, "%.*s", (int)width, figures);
        return;
    }
    size_t room = width > strlen(figures) + 2 ? width - strlen(figures) - 2 : 0;
    int shown = (int)(room < strlen(view->name) ? room : strlen(view->name));
    while (shown > 0 && ((unsigned char)view->name[shown] & 0xc0) == 0x80) {
        shown--; /* never half a character */
    }
    (void)snprintf(buf, size, "%.*s%*s%s%s", shown, view->name,
                   (int)(room < 24 ? room : 24) > shown ? (int)(room < 24 ? room : 24) - shown : 0,
                   "", room > 0 ? "  " : "", figures);
}

void meter_draw(struct meter *meter, const struct meter_view *view, double now)
{
    char line[512];
    if (now > meter->looked_at) {
        double current = (double)(view->done - meter->looked_bytes) / (now - meter->looked_at);
        meter->rate =
            meter->looked_bytes == 0 ? current : meter->rate + SMOOTHING * (current - meter->rate);
        meter->looked_at = now;
        meter->looked_bytes = view->done;
    }
    if (!meter->is_on) {
        return;
    }
    meter_format(view, meter->rate, term_width(STDERR_FILENO) - 1, line, sizeof line);
    (void)fprintf(stderr, "\r%s\033[K", line);
    (void)fflush(stderr);
    meter->has_line = true;
}

void meter_clear(struct meter *meter)
{
    if (meter->has_line) {
        (void)fputs("\r\033[K", stderr);
        (void)fflush(stderr);
        meter->has_line = false;
    }
}
