/* A trace in some hundred columns, each as wide as it must be: three curves over one axis of time.
 *
 * When time runs out of the columns, each two become one of double width. So a trace of any length takes the same
 * memory and one pass, and what stands out (the largest flight, the longest round trip, a loss) still stands out.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "ternperf/picture.h"

#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS     800
#define FIRST_WIDTH 0.01 /* ms */
#define MARKS       12
#define WORD_MAX    32

#define VALUE_MAX 1e15 /* what is more is a mistake of whoever wrote the trace */

#define LEFT   90.0 /* of the panels, in the picture's units */
#define WIDTH  1080.0
#define TOP    64.0
#define HEIGHT 210.0
#define GAP    46.0

/* The least and the greatest that was said; none while least > greatest. */
struct band {
    double least, greatest;
};

struct column {
    struct band cwnd, flight, latest, smoothed;
    double sent, received; /* bytes */
    unsigned lost;
};

struct mark {
    double at;
    char word[WORD_MAX];
};

struct picture {
    struct column columns[COLUMNS];
    double width, end; /* ms: of a column, and of the latest event */
    struct mark marks[MARKS];
    unsigned mark_count;
    uint64_t lost;
};

/* --- taking in ----------------------------------------------------------------------------------------- */

static const struct column blank = {
    .cwnd = {1, 0}, .flight = {1, 0}, .latest = {1, 0}, .smoothed = {1, 0}};

static bool has(const struct band *band)
{
    return band->least <= band->greatest;
}

static void widen(struct band *band, const struct band *by)
{
    if (!has(by)) {
        return;
    }
    bool is_first = !has(band);
    band->least = is_first || by->least < band->least ? by->least : band->least;
    band->greatest = is_first || by->greatest > band->greatest ? by->greatest : band->greatest;
}

static void take(struct band *band, double value)
{
    if (value >= 0 && value <= VALUE_MAX) {
        widen(band, &(struct band){value, value});
    }
}

static void join(struct column *into, const struct column *from)
{
    widen(&into->cwnd, &from->cwnd);
    widen(&into->flight, &from->flight);
    widen(&into->latest, &from->latest);
    widen(&into->smoothed, &from->smoothed);
    into->sent += from->sent;
    into->received += from->received;
    into->lost += from->lost;
}

static void halve(struct picture *p)
{
    for (size_t i = 0; i < COLUMNS / 2; i++) {
        struct column both = p->columns[2 * i];
        join(&both, &p->columns[2 * i + 1]);
        p->columns[i] = both;
    }
    for (size_t i = COLUMNS / 2; i < COLUMNS; i++) {
        p->columns[i] = blank;
    }
    p->width *= 2;
}

/* The column of a moment; a time that makes no sense has the first or the last one. */
static struct column *at_time(struct picture *p, double at)
{
    at = at >= 0 ? at : 0;       /* NaN, too */
    at = at <= 1e12 ? at : 1e12; /* thirty years */
    while (at >= p->width * COLUMNS) {
        halve(p);
    }
    p->end = at > p->end ? at : p->end;
    return &p->columns[(size_t)(at / p->width)];
}

struct picture *picture_new(void)
{
    struct picture *p = calloc(1, sizeof *p);
    for (size_t i = 0; p != NULL && i < COLUMNS; i++) {
        p->columns[i] = blank;
    }
    if (p != NULL) {
        p->width = FIRST_WIDTH;
    }
    return p;
}

void picture_free(struct picture *p)
{
    free(p);
}

void picture_packet(struct picture *p, double at, bool is_sent, double bytes)
{
    struct column *column = at_time(p, at);
    bytes = bytes >= 0 && bytes <= 65535 ? bytes : 0;
    column->sent += is_sent ? bytes : 0;
    column->received += is_sent ? 0 : bytes;
}

void picture_lost(struct picture *p, double at)
{
    at_time(p, at)->lost++;
    p->lost++;
}

void picture_metrics(struct picture *p, double at, double cwnd, double in_flight, double latest,
                     double smoothed)
{
    struct column *column = at_time(p, at);
    take(&column->cwnd, cwnd);
    take(&column->flight, in_flight);
    take(&column->latest, latest);
    take(&column->smoothed, smoothed);
}

void picture_mark(struct picture *p, double at, const char *word)
{
    (void)at_time(p, at);
    if (p->mark_count < MARKS) {
        struct mark *mark = &p->marks[p->mark_count++];
        mark->at = at >= 0 ? at : 0;
        (void)snprintf(mark->word, sizeof mark->word, "%s", word);
    }
}

/* --- drawing ------------------------------------------------------------------------------------------- */

struct panel {
    double top, most; /* of its frame, and the value at it */
    double end;       /* ms at its right side */
};

/* The next of 1, 2 and 5 with zeros. */
static double round_up(double value)
{
    double power = pow(10, floor(log10(value)));
    double lead = value / power;
    return (lead <= 1 ? 1 : lead <= 2 ? 2 : lead <= 5 ? 5 : 10) * power;
}

static double x_of(const struct panel *panel, double ms)
{
    double share = ms / panel->end;
    return LEFT + WIDTH * (share < 1 ? share : 1);
}

static double y_of(const struct panel *panel, double value)
{
    double share = value / panel->most;
    return panel->top + HEIGHT * (1 - (share < 1 ? share : 1));
}

/* What a peer said, or a file's name, is no markup. */
static void put_text(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '<' || c == '&' || c == '"' || c < 0x20 || c >= 0x7f) {
            (void)fprintf(out, c >= 0x20 && c < 0x7f ? "&#%u;" : "?", c);
        } else {
            (void)fputc(c, out);
        }
    }
}

static const char *scale(double most, double *by)
{
    static const char *const prefixes[] = {"", "k", "M", "G", "T"};
    size_t i = 0;
    for (*by = 1; most / *by >= 1000 && i + 1 < sizeof prefixes / sizeof prefixes[0]; i++) {
        *by *= 1000;
    }
    return prefixes[i];
}

static void draw_frame(FILE *out, const struct panel *panel, const char *title, const char *unit)
{
    double by, step = round_up(panel->most / 5);
    const char *prefix = scale(panel->most, &by);
    (void)fprintf(out, "<rect x=\"%g\" y=\"%g\" width=\"%g\" height=\"%g\" class=\"frame\"/>\n",
                  LEFT, panel->top, WIDTH, HEIGHT);
    (void)fprintf(out, "<text x=\"%g\" y=\"%g\" class=\"title\">%s</text>\n", LEFT, panel->top - 10,
                  title);
    for (unsigned i = 0; i * step <= panel->most * 1.0001; i++) {
        double value = i * step;
        double y = y_of(panel, value);
        (void)fprintf(out,
                      "<path d=\"M%g %.1fh%g\" class=\"grid\"/>"
                      "<text x=\"%g\" y=\"%.1f\" class=\"y\">%.4g %s%s</text>\n",
                      LEFT, y, WIDTH, LEFT - 8, y + 4, value / by, prefix, unit);
    }
}

static void draw_axis(FILE *out, const struct panel *panel)
{
    double step = round_up(panel->end / 10);
    bool is_long = panel->end >= 2000;
    for (unsigned i = 0; i * step <= panel->end * 1.0001; i++) {
        double ms = i * step;
        double x = x_of(panel, ms);
        (void)fprintf(
            out,
            "<path d=\"M%.1f %gv6\" class=\"tick\"/><text x=\"%.1f\" y=\"%g\" class=\"x\">%.4g %s"
            "</text>\n",
            x, panel->top + HEIGHT, x, panel->top + HEIGHT + 20, is_long ? ms / 1e3 : ms,
            is_long ? "s" : "ms");
    }
}

static const struct band *band_of(const struct column *column, size_t offset)
{
    return (const struct band *)(const void *)((const char *)column + offset);
}

/* From the least to the greatest of each column, as one line: a step where the columns are wide. */
static void draw_bands(FILE *out, const struct picture *p, const struct panel *panel, size_t offset,
                       const char *class)
{
    bool has_begun = false;
    (void)fprintf(out, "<path class=\"%s\" d=\"", class);
    for (size_t i = 0; i < COLUMNS; i++) {
        const struct band *band = band_of(&p->columns[i], offset);
        if (!has(band)) {
            continue;
        }
        double x = x_of(panel, ((double)i + 0.5) * p->width);
        (void)fprintf(out, "%c%.1f %.1f", has_begun ? 'L' : 'M', x, y_of(panel, band->least));
        if (band->greatest > band->least) {
            (void)fprintf(out, "V%.1f", y_of(panel, band->greatest));
        }
        has_begun = true;
    }
    (void)fputs("\"/>\n", out);
}

static double most_of(const struct picture *p, size_t offset)
{
    double most = 0;
    for (size_t i = 0; i < COLUMNS; i++) {
        const struct band *band = band_of(&p->columns[i], offset);
        most = has(band) && band->greatest > most ? band->greatest : most;
    }
    return most;
}

static void draw_losses(FILE *out, const struct picture *p, const struct panel *panel)
{
    for (size_t i = 0; i < COLUMNS; i++) {
        if (p->columns[i].lost > 0) {
            (void)fprintf(
                out, "<path d=\"M%.1f %gv-9\" class=\"lost\"><title>%u lost</title></path>\n",
                x_of(panel, ((double)i + 0.5) * p->width), panel->top + HEIGHT, p->columns[i].lost);
        }
    }
}

/* Bits a second over each few columns, since single packets would make a comb of it. */
static double rate_of(const struct picture *p, size_t from, size_t count, bool is_sent)
{
    double bytes = 0;
    for (size_t i = from; i < from + count && i < COLUMNS; i++) {
        bytes += is_sent ? p->columns[i].sent : p->columns[i].received;
    }
    return bytes * 8e3 / ((double)count * p->width);
}

#define RATE_COLUMNS 8

static void draw_rates(FILE *out, const struct picture *p, const struct panel *panel, bool is_sent,
                       const char *class)
{
    (void)fprintf(out, "<path class=\"%s\" d=\"M%g %g", class, LEFT, panel->top + HEIGHT);
    for (size_t i = 0; i < COLUMNS && (double)i * p->width <= p->end; i += RATE_COLUMNS) {
        (void)fprintf(out, "V%.1fH%.1f", y_of(panel, rate_of(p, i, RATE_COLUMNS, is_sent)),
                      x_of(panel, (double)(i + RATE_COLUMNS) * p->width));
    }
    (void)fprintf(out, "V%g\"/>\n", panel->top + HEIGHT);
}

static void draw_marks(FILE *out, const struct picture *p, const struct panel *first, double bottom)
{
    for (unsigned i = 0; i < p->mark_count; i++) {
        double x = x_of(first, p->marks[i].at);
        bool is_left = x > LEFT + WIDTH * 0.85;
        (void)fprintf(
            out,
            "<path d=\"M%.1f %gV%g\" class=\"mark\"/><text x=\"%.1f\" y=\"%g\" class=\"word\" "
            "text-anchor=\"%s\">",
            x, first->top, bottom, x + (is_left ? -4 : 4), first->top + 14 + 13 * (i % 4),
            is_left ? "end" : "start");
        put_text(out, p->marks[i].word);
        (void)fputs("</text>\n", out);
    }
}

static void draw_legend(FILE *out, double y, const char *const names[][2], size_t count)
{
    double x = LEFT + WIDTH;
    for (size_t i = count; i-- > 0;) {
        x -= 12.0 + 7.0 * (double)strlen(names[i][1]);
        (void)fprintf(
            out,
            "<path d=\"M%g %gh20\" class=\"%s\"/><text x=\"%g\" y=\"%g\" class=\"key\">%s</text>\n",
            x - 26, y - 4, names[i][0], x, y, names[i][1]);
        x -= 34;
    }
}

static const char style[] =
    "<style>text{font:12px sans-serif;fill:#333}.head{font-size:16px;font-weight:bold}"
    ".title{font-weight:bold}.y{text-anchor:end}.x{text-anchor:middle}.word{font-size:11px;fill:#"
    "666}"
    "path{fill:none}.frame{fill:#fff;stroke:#999}.grid{stroke:#e4e4e4}.tick{stroke:#999}"
    ".cwnd{stroke:#1f6fb4;stroke-width:2}.flight{stroke:#8fb8da;stroke-width:1}"
    ".latest{stroke:#b9d8a6;stroke-width:1}.smoothed{stroke:#3b8132;stroke-width:2}"
    ".sent{stroke:#7a4ea3;fill:#7a4ea3;fill-opacity:.15}.received{stroke:#d08a2e;fill:#d08a2e;"
    "fill-opacity:.15}.lost{stroke:#d62828;stroke-width:1.5}.mark{stroke:#888;stroke-dasharray:4 3}"
    "</style>\n";

static struct panel panel_at(const struct picture *p, unsigned number, double most)
{
    double end = p->end > 1e-3 ? p->end : 1;
    return (struct panel){
        .top = TOP + number * (HEIGHT + GAP), .most = most > 1e-3 ? most * 1.05 : 1, .end = end};
}

static void draw_windows(FILE *out, const struct picture *p, struct panel *panel)
{
    static const char *const names[][2] = {
        {"cwnd", "congestion window"}, {"flight", "in flight"}, {"lost", "lost"}};
    double cwnd = most_of(p, offsetof(struct column, cwnd));
    double flight = most_of(p, offsetof(struct column, flight));
    *panel = panel_at(p, 0, cwnd > flight ? cwnd : flight);
    draw_frame(out, panel, "Bytes on their way", "B");
    draw_legend(out, panel->top - 10, names, 3);
    draw_bands(out, p, panel, offsetof(struct column, flight), "flight");
    draw_bands(out, p, panel, offsetof(struct column, cwnd), "cwnd");
    draw_losses(out, p, panel);
}

static void draw_trips(FILE *out, const struct picture *p)
{
    static const char *const names[][2] = {{"latest", "each"}, {"smoothed", "smoothed"}};
    struct panel panel = panel_at(p, 1, most_of(p, offsetof(struct column, latest)));
    draw_frame(out, &panel, "Round trip", "ms");
    draw_legend(out, panel.top - 10, names, 2);
    draw_bands(out, p, &panel, offsetof(struct column, latest), "latest");
    draw_bands(out, p, &panel, offsetof(struct column, smoothed), "smoothed");
}

static void draw_rate_panel(FILE *out, const struct picture *p, struct panel *panel)
{
    static const char *const names[][2] = {{"sent", "sent"}, {"received", "received"}};
    double most = 0;
    for (size_t i = 0; i < COLUMNS; i += RATE_COLUMNS) {
        most =
            fmax(most, fmax(rate_of(p, i, RATE_COLUMNS, true), rate_of(p, i, RATE_COLUMNS, false)));
    }
    *panel = panel_at(p, 2, most);
    draw_frame(out, panel, "Rate", "bit/s");
    draw_legend(out, panel->top - 10, names, 2);
    draw_rates(out, p, panel, false, "received");
    draw_rates(out, p, panel, true, "sent");
}

bool picture_write(const struct picture *p, const char *file, const char *title)
{
    FILE *out = fopen(file, "we");
    struct panel first, last;
    double bottom = TOP + 3 * HEIGHT + 2 * GAP;
    if (out == NULL) {
        return false;
    }
    (void)fprintf(out,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %g %g\">\n%s"
                  "<rect width=\"100%%\" height=\"100%%\" fill=\"#fafafa\"/>\n"
                  "<text x=\"%g\" y=\"28\" class=\"head\">",
                  LEFT + WIDTH + 30, bottom + 40, style, LEFT);
    put_text(out, title);
    (void)fputs("</text>\n", out);
    draw_windows(out, p, &first);
    draw_trips(out, p);
    draw_rate_panel(out, p, &last);
    draw_axis(out, &last);
    draw_marks(out, p, &first, bottom);
    (void)fputs("</svg>\n", out);
    bool is_bad = ferror(out) != 0;
    int saved = errno;
    is_bad = fclose(out) != 0 || is_bad;
    errno = is_bad && saved != 0 ? saved : errno;
    return !is_bad;
}
