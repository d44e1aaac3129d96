/* Name, amounts, percentage, rate and remaining time in one line.
 * SPDX-License-Identifier: MIT */
#include "shared/meter.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shared/cli.h"
#include "shared/term.h"

#define SMOOTHING 3.0 /* seconds: an older rate counts for a third */
#define NAME_ROOM 24  /* columns that a name has at least, so that figures do not jump about */

void meter_init(struct meter *meter, bool is_on, double now)
{
    memset(meter, 0, sizeof *meter);
    meter->is_on = is_on;
    meter->started = meter->looked_at = now;
}

/* "12.3 MiB/20.0 MiB  61%  4.1 MiB/s  ETA 2.0 s"; while the total grows there is no share of it. */
static void format_figures(const struct meter_view *view, double rate, char *buf, size_t size)
{
    char done[24], total[24], speed[24], left[32] = "-", files[64] = "", link[64] = "", share[8];
    const char *more = view->is_growing ? "+" : "";
    double percent = view->total > 0 ? (double)view->done * 100 / (double)view->total : 100;
    (void)cli_format_size(view->done, done, sizeof done);
    (void)cli_format_size(view->total, total, sizeof total);
    (void)cli_format_size(rate > 0 ? (uint64_t)rate : 0, speed, sizeof speed);
    double most = view->files_done < view->files_total ? 99 : 100; /* until the last is verified */
    (void)snprintf(share, sizeof share, view->is_growing ? "   -" : "%3u%%",
                   (unsigned)(percent > most ? most : percent));
    if (rate > 0 && view->done < view->total && !view->is_growing) {
        (void)cli_format_time((double)(view->total - view->done) / rate, left, sizeof left);
    }
    if (view->files_total > 1 || view->is_growing) {
        (void)snprintf(files, sizeof files, "%llu/%llu%s files  ",
                       (unsigned long long)view->files_done, (unsigned long long)view->files_total,
                       more);
    }
    if (view->rtt_ms > 0) {
        (void)snprintf(link, sizeof link, "  rtt %.1f ms  loss %.1f%%", view->rtt_ms,
                       view->loss * 100);
    }
    if (view->total == 0 && view->is_growing) { /* nobody has an idea */
        (void)snprintf(buf, size, "%s  %s/s%s", done, speed, link);
        return;
    }
    (void)snprintf(buf, size, "%s%s/%s%s %s  %s/s  ETA %s%s", files, done, total, more, share,
                   speed, left, link);
}

void meter_format(const struct meter_view *view, double rate, unsigned width, char *buf,
                  size_t size)
{
    char figures[320];
    format_figures(view, rate, figures, sizeof figures);
    size_t taken = strlen(figures); /* ASCII: a column each */
    if (taken > width) {            /* too narrow for a name: what fits */
        (void)snprintf(buf, size, "%.*s", (int)width, figures);
        return;
    }
    size_t room = width > taken + 2 ? width - taken - 2 : 0;
    size_t all = strlen(view->name), shown = term_fit(view->name, room);
    bool is_cut = shown < all && room > 0; /* said by a tilde where the rest would be */
    shown = is_cut ? term_fit(view->name, room - 1) : shown;
    char name[METER_LINE];
    (void)snprintf(name, sizeof name, "%.*s%s", (int)shown, view->name, is_cut ? "~" : "");
    size_t columns = term_columns(name);
    size_t least = room < NAME_ROOM ? room : NAME_ROOM;
    (void)snprintf(buf, size, "%s%*s%s%s", name, columns < least ? (int)(least - columns) : 0, "",
                   room > 0 ? "  " : "", figures);
}

/* An exponential mean over time, so that its speed does not hang on how often we look. */
static void smooth(struct meter *meter, uint64_t done, double now)
{
    double passed = now - meter->looked_at;
    if (passed <= 0) {
        return;
    }
    double current = done > meter->looked_bytes ? (double)(done - meter->looked_bytes) / passed : 0;
    double weight = passed >= SMOOTHING ? 1 : passed / SMOOTHING;
    meter->rate =
        meter->looked_bytes == 0 ? current : meter->rate + weight * (current - meter->rate);
    meter->looked_at = now;
    meter->looked_bytes = done;
}

static void write_whole(const char *text, size_t len)
{
    ssize_t n = write(STDERR_FILENO, text, len);
    (void)n; /* a terminal that takes nothing misses a frame */
}

void meter_draw(struct meter *meter, const struct meter_view *view, double now)
{
    char line[METER_LINE], frame[METER_LINE + 8];
    smooth(meter, view->done, now);
    if (!meter->is_on) {
        return;
    }
    meter_format(view, meter->rate, term_width(STDERR_FILENO) - 1, line, sizeof line);
    if (meter->has_line && strcmp(line, meter->last) == 0) {
        return;
    }
    int n = snprintf(frame, sizeof frame, "\r%s\033[K", line); /* written over, never blank */
    write_whole(frame, (size_t)n < sizeof frame ? (size_t)n : sizeof frame - 1);
    memcpy(meter->last, line, sizeof line);
    meter->has_line = true;
}

void meter_clear(struct meter *meter)
{
    static const char clear[] = "\r\033[K";
    if (meter->has_line) {
        write_whole(clear, sizeof clear - 1);
        meter->has_line = false;
    }
}
