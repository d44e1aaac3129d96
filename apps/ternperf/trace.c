/* A qlog file as people read it: one line for each event, or a table of what happened in each interval.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/cli.h"
#include "shared/term.h"
#include "ternperf/json.h"
#include "ternperf/modes.h"
#include "ternperf/picture.h"

#define TEXT_MAX 240 /* of one value: what is longer is cut */

enum kind { SENT, RECEIVED, LOST, DROPPED, METRICS, STATE, OTHER, KINDS };

static const struct {
    const char *name; /* of the event, behind its category */
    char mark;
    const char *color;
} kinds[KINDS] = {
    [SENT] = {"packet_sent", '>', ""},
    [RECEIVED] = {"packet_received", '<', ""},
    [LOST] = {"packet_lost", 'x', "\033[31m"},
    [DROPPED] = {"packet_dropped", '!', "\033[33m"},
    [METRICS] = {"metrics_updated", '~', "\033[2m"},
    [STATE] = {"connection_state_updated", '=', "\033[1m"},
    [OTHER] = {"", '?', ""},
};

struct tally {
    uint64_t events[KINDS], bytes_sent, bytes_received;
};

struct reading {
    const struct options *options;
    bool has_color, has_start;
    double start, now, told_at; /* ms: of the first event, since then, and of the latest row */
    uint64_t lines, records, malformed;
    struct tally all, told;
    double smoothed, latest, cwnd, in_flight; /* the latest that was said */
    struct picture *picture;                  /* NULL: nobody wants one */
};

static const char *text_of(const struct json *value, char *buf)
{
    struct json bare = json_bare(value);
    return term_escape(bare.at, bare.len, buf, TEXT_MAX);
}

/* --- a line for each event ----------------------------------------------------------------------------- */

/* [[0,5],[7,7]] as 0-5,7. */
static void print_ranges(const struct json *ranges)
{
    struct json range;
    const char *comma = "";
    for (size_t next = 0; json_next(ranges, &next, NULL, &range);) {
        struct json first = {.at = "", .len = 0}, last = first;
        size_t at = 0;
        if (json_next(&range, &at, NULL, &first) && json_next(&range, &at, NULL, &last)) {
            (void)printf(json_number(&first) < json_number(&last) ? "%s%.0f-%.0f" : "%s%.0f", comma,
                         json_number(&first), json_number(&last));
        }
        comma = ",";
    }
}

/* Whatever a frame has, by its names: so that those that are not known here are shown, too. */
static void print_frame(const struct json *frame)
{
    char text[TEXT_MAX], name[TEXT_MAX];
    struct json type, key, value;
    (void)json_find(frame, "frame_type", &type);
    (void)printf("%s", text_of(&type, text));
    for (size_t next = 0; json_next(frame, &next, &key, &value);) {
        if (json_is(&key, "frame_type") || (json_is(&value, "false"))) {
            continue;
        }
        (void)printf(" %s", text_of(&key, name));
        if (json_is(&key, "acked_ranges")) {
            (void)putchar('=');
            print_ranges(&value);
        } else if (!json_is(&value, "true")) {
            (void)printf("=%s", text_of(&value, text));
        }
    }
}

static void print_packet(const struct json *data)
{
    char text[TEXT_MAX];
    struct json header, type, number, raw, length, frames, frame;
    const char *separator = ": ";
    (void)json_find(data, "header", &header);
    (void)json_find(&header, "packet_type", &type);
    (void)json_find(&header, "packet_number", &number);
    (void)printf("%s %.0f", text_of(&type, text), json_number(&number));
    if (json_find(data, "raw", &raw) && json_find(&raw, "length", &length)) {
        (void)printf(", %.0f bytes", json_number(&length));
    }
    (void)json_find(data, "frames", &frames);
    for (size_t next = 0; json_next(&frames, &next, NULL, &frame);) {
        (void)fputs(separator, stdout);
        print_frame(&frame);
        separator = " | ";
    }
}

/* What an event of any other kind holds. */
static void print_members(const struct json *data)
{
    char text[TEXT_MAX], name[TEXT_MAX];
    struct json key, value;
    const char *separator = "";
    for (size_t next = 0; json_next(data, &next, &key, &value);) {
        (void)printf("%s%s=%s", separator, text_of(&key, name), text_of(&value, text));
        separator = " ";
    }
}

static void print_event(const struct reading *reading, enum kind kind, const struct json *name,
                        const struct json *data)
{
    char text[TEXT_MAX];
    const char *color = reading->has_color ? kinds[kind].color : "";
    (void)printf("%s%12.3f %c ", color, reading->now, kinds[kind].mark);
    if (kind == SENT || kind == RECEIVED || kind == LOST) {
        print_packet(data);
    } else if (kind == METRICS) {
        (void)printf("rtt %.3f ms, smoothed %.3f ms, cwnd %.0f, in flight %.0f", reading->latest,
                     reading->smoothed, reading->cwnd, reading->in_flight);
    } else {
        if (kind == OTHER) {
            (void)printf("%s ", text_of(name, text));
        }
        print_members(data);
    }
    (void)puts(*color == '\0' ? "" : "\033[0m");
}

/* --- a row for each interval --------------------------------------------------------------------------- */

static void print_row(struct reading *reading)
{
    const struct tally *a = &reading->all, *t = &reading->told;
    if (reading->told_at <= 0) {
        (void)puts("          ms    sent received  lost dropped  Mbit/s out  Mbit/s in  smoothed "
                   "rtt       "
                   "cwnd  in flight");
    }
    double ms = reading->now - reading->told_at;
    ms = ms > 0 ? ms : 1;
    (void)printf("%12.3f %7llu %8llu %5llu %7llu %11.3f %10.3f %10.3f ms %10.0f %10.0f\n",
                 reading->now, (unsigned long long)(a->events[SENT] - t->events[SENT]),
                 (unsigned long long)(a->events[RECEIVED] - t->events[RECEIVED]),
                 (unsigned long long)(a->events[LOST] - t->events[LOST]),
                 (unsigned long long)(a->events[DROPPED] - t->events[DROPPED]),
                 (double)(a->bytes_sent - t->bytes_sent) * 8e-3 / ms,
                 (double)(a->bytes_received - t->bytes_received) * 8e-3 / ms, reading->smoothed,
                 reading->cwnd, reading->in_flight);
    reading->told = reading->all;
    reading->told_at = reading->now;
    reading->lines++;
}

/* --- reading ------------------------------------------------------------------------------------------- */

static enum kind kind_of(const struct json *name)
{
    struct json bare = json_bare(name);
    const char *colon = bare.len == 0 ? NULL : memchr(bare.at, ':', bare.len);
    if (colon != NULL) {
        bare.len -= (size_t)(colon + 1 - bare.at);
        bare.at = colon + 1;
    }
    static const char prefix[] =
        "recovery_"; /* of the metrics, since the drafts have one category */
    if (bare.len > sizeof prefix && memcmp(bare.at, prefix, sizeof prefix - 1) == 0) {
        bare.at += sizeof prefix - 1;
        bare.len -= sizeof prefix - 1;
    }
    unsigned kind = 0;
    while (kind < OTHER && !json_is(&bare, kinds[kind].name)) {
        kind++;
    }
    return (enum kind)kind;
}

static void take_figure(const struct json *data, const char *key, double *figure)
{
    struct json value;
    if (json_find(data, key, &value)) {
        *figure = json_number(&value);
    }
}

static void draw(struct reading *reading, enum kind kind, const struct json *data, double length)
{
    double cwnd = -1, in_flight = -1, latest = -1, smoothed = -1;
    char text[TEXT_MAX];
    struct json word;
    if (kind == SENT || kind == RECEIVED) {
        picture_packet(reading->picture, reading->now, kind == SENT, length);
    } else if (kind == LOST) {
        picture_lost(reading->picture, reading->now);
    } else if (kind == METRICS) {
        take_figure(data, "congestion_window", &cwnd);
        take_figure(data, "bytes_in_flight", &in_flight);
        take_figure(data, "latest_rtt", &latest);
        take_figure(data, "smoothed_rtt", &smoothed);
        picture_metrics(reading->picture, reading->now, cwnd, in_flight, latest, smoothed);
    } else if (kind == STATE && json_find(data, "new", &word)) {
        picture_mark(reading->picture, reading->now, text_of(&word, text));
    }
}

static void count(struct reading *reading, enum kind kind, const struct json *data)
{
    struct json raw;
    double length = 0;
    if (json_find(data, "raw", &raw)) {
        take_figure(&raw, "length", &length);
    }
    uint64_t bytes = length > 0 && length < 1e6 ? (uint64_t)length : 0;
    reading->all.events[kind]++;
    reading->all.bytes_sent += kind == SENT ? bytes : 0;
    reading->all.bytes_received += kind == RECEIVED ? bytes : 0;
    if (reading->picture != NULL) {
        draw(reading, kind, data, length);
    }
    if (kind == METRICS) {
        take_figure(data, "smoothed_rtt", &reading->smoothed);
        take_figure(data, "latest_rtt", &reading->latest);
        take_figure(data, "congestion_window", &reading->cwnd);
        take_figure(data, "bytes_in_flight", &reading->in_flight);
    }
}

static void take_event(struct reading *reading, const struct json *event)
{
    const struct options *o = reading->options;
    struct json time, name, data;
    (void)json_find(event, "time", &time);
    (void)json_find(event, "name", &name);
    (void)json_find(event, "data", &data);
    double at = json_number(&time);
    if (!reading->has_start) {
        reading->has_start = true;
        reading->start = at;
    }
    double interval = (double)o->interval / 1e6;
    double now = at - reading->start;
    if (o->interval > 0 && now >= reading->told_at + interval && !o->json &&
        reading->lines < o->count) {
        reading->now = reading->told_at + interval;
        print_row(reading);
        reading->told_at =
            now - fmod(now, interval); /* of intervals without an event nothing is told */
    }
    reading->now = now;
    enum kind kind = kind_of(&name);
    count(reading, kind, &data);
    if (o->interval == 0 && !o->json && reading->lines < o->count) {
        print_event(reading, kind, &name, &data);
        reading->lines++;
    }
}

/* A line of the file: RFC 7464 begins each record with an octet of its own. */
static void take_line(struct reading *reading, const char *line, size_t len)
{
    struct json record, time;
    if (len > 0 && *line == '\x1e') {
        line++;
        len--;
    }
    if (len == 0 || strspn(line, " \t\r\n") >= len) {
        return;
    }
    reading->records++;
    if (!json_first(&record, line, len) || *record.at != '{') {
        reading->malformed++;
    } else if (json_find(&record, "time", &time)) {
        take_event(reading, &record); /* else it is the head */
    }
}

static void print_json(const struct reading *r)
{
    (void)printf(
        "{\"mode\":\"trace\",\"seconds\":%.9g,\"records\":%llu,\"malformed\":%llu,"
        "\"packets_sent\":%llu,\"packets_received\":%llu,\"packets_lost\":%llu,"
        "\"packets_dropped\":%llu,\"bytes_sent\":%llu,\"bytes_received\":%llu}\n",
        r->now / 1e3, (unsigned long long)r->records, (unsigned long long)r->malformed,
        (unsigned long long)r->all.events[SENT], (unsigned long long)r->all.events[RECEIVED],
        (unsigned long long)r->all.events[LOST], (unsigned long long)r->all.events[DROPPED],
        (unsigned long long)r->all.bytes_sent, (unsigned long long)r->all.bytes_received);
}

static int conclude(struct reading *r)
{
    if (r->records == r->malformed) {
        cli_error(r->options->host, "not a qlog", "`--qlog DIR` writes them");
        return CLI_INTEGRITY;
    }
    if (r->options->json) {
        print_json(r);
    } else if (r->options->interval > 0 && r->now > r->told_at && r->lines < r->options->count) {
        print_row(r);
    }
    cli_note("%.3f s: sent %llu packets, received %llu, lost %llu, dropped %llu; %llu of %llu "
             "records make no "
             "sense",
             r->now / 1e3, (unsigned long long)r->all.events[SENT],
             (unsigned long long)r->all.events[RECEIVED], (unsigned long long)r->all.events[LOST],
             (unsigned long long)r->all.events[DROPPED], (unsigned long long)r->malformed,
             (unsigned long long)r->records);
    return r->malformed > 0 ? CLI_PARTIAL : CLI_OK;
}

int trace_run(const struct options *options)
{
    struct options o = *options;
    struct reading reading = {.options = &o, .has_color = cli_wants_color(STDOUT_FILENO)};
    bool is_input = strcmp(o.host, "-") == 0;
    FILE *file = is_input ? stdin : fopen(o.host, "re");
    char *line = NULL;
    size_t size = 0;
    o.count = o.count == 0 ? UINT64_MAX : o.count;
    reading.picture = o.svg == NULL ? NULL : picture_new();
    if (file == NULL) {
        cli_error(o.host, strerror(errno), "give a file that `--qlog DIR` has written");
        return CLI_LOCAL;
    }
    for (ssize_t n; (n = getline(&line, &size, file)) >= 0;) {
        take_line(&reading, line, (size_t)n);
    }
    bool is_bad = ferror(file) != 0;
    if (is_bad) {
        cli_error(o.host, strerror(errno), NULL);
    }
    free(line);
    if (!is_input) {
        (void)fclose(file);
    }
    int code = is_bad ? CLI_LOCAL : conclude(&reading);
    if (o.svg != NULL && code <= CLI_PARTIAL) {
        const char *slash = strrchr(o.host, '/');
        if (reading.picture == NULL ||
            !picture_write(reading.picture, o.svg, slash == NULL ? o.host : slash + 1)) {
            cli_error(o.svg, strerror(errno), "give a file that can be written for --svg");
            code = CLI_LOCAL;
        }
    }
    picture_free(reading.picture);
    return fflush(stdout) == 0 ? code : CLI_LOCAL;
}
