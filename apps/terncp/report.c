/* The meter, one line a failure, one summary; JSON for scripts.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/report.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shared/cli.h"
#include "shared/json.h"
#include "shared/steady.h"
#include "shared/term.h"

void report_restart(struct report *report)
{
    report->started = report->last_json = steady_now();
}

void report_init(struct report *report, const struct options *options, bool is_push)
{
    memset(report, 0, sizeof *report);
    report->options = options;
    report->is_push = is_push;
    report->started = report->last_json = steady_now();
    bool is_on = options->progress == PROGRESS_BAR ||
                 (options->progress == PROGRESS_AUTO && !options->quiet && !options->json &&
                  term_is_tty(STDERR_FILENO));
    meter_init(&report->meter, is_on, report->started);
}

static bool wants_json_progress(const struct report *report)
{
    return report->options->progress == PROGRESS_JSON;
}

bool report_is_watched(const struct report *report)
{
    return report->meter.is_on || wants_json_progress(report);
}

/* Once a second; the keys stay as they are. */
static void tell_progress(struct report *report, const struct report_view *view,
                          const tern_stats *stats, double at)
{
    report->last_json = at;
    (void)printf("{\"event\":\"progress\",\"bytes\":%llu,\"total\":%llu,\"rate\":%.0f,"
                 "\"seconds\":%.3f,\"files\":%llu,\"files_total\":%llu,\"total_is_final\":%s",
                 (unsigned long long)view->done, (unsigned long long)view->total,
                 report->meter.rate, at - report->started, (unsigned long long)report->settled,
                 (unsigned long long)view->files, view->is_growing ? "false" : "true");
    (void)printf(",\"rtt_ms\":%.3f,\"packets_sent\":%llu,\"packets_lost\":%llu",
                 (double)stats->smoothed_rtt / 1e6, (unsigned long long)stats->packets_sent,
                 (unsigned long long)stats->packets_lost);
    json_field(stdout, "name", view->name);
    (void)fputs("}\n", stdout);
    (void)fflush(stdout);
}

void report_progress(struct report *report, const struct report_view *now_at,
                     const tern_stats *stats)
{
    char safe[256];
    double at = steady_now();
    if (report->is_over) {
        return;
    }
    report->bytes = now_at->done;
    report->files = now_at->files;
    if (stats->packets_sent > 0) { /* there is a connection */
        report->wire = report->is_push ? stats->stream_bytes_sent : stats->stream_bytes_received;
    }
    struct meter_view view = {
        .name = term_escape(now_at->name, strlen(now_at->name), safe, sizeof safe),
        .done = now_at->done,
        .total = now_at->total,
        .is_growing = now_at->is_growing,
        .files_done = report->settled < now_at->files ? report->settled : now_at->files,
        .files_total = now_at->files,
    };
    if (report->options->verbose > 0) {
        view.rtt_ms = (double)stats->smoothed_rtt / 1e6;
        view.loss =
            stats->packets_sent > 0 ? (double)stats->packets_lost / (double)stats->packets_sent : 0;
    }
    meter_draw(&report->meter, &view, at);
    if (wants_json_progress(report) && at - report->last_json >= 1) {
        tell_progress(report, now_at, stats, at);
    }
}

void report_done(struct report *report, const char *name)
{
    report->settled++;
    if (report->options->json) {
        (void)fputs("{\"event\":\"file\",\"name\":", stdout);
        json_put(stdout, name);
        (void)fputs(",\"status\":\"verified\"}\n", stdout);
    }
}

void report_done_there(struct report *report, uint32_t count)
{
    report->settled += count;
}

const char *report_advice(enum proto_status status)
{
    bool is_told =
        status == PROTO_BAD_REQUEST || status == PROTO_REFUSED_PATH || status == PROTO_READ_ONLY;
    return status == PROTO_NOT_FOUND  ? "check the name"
           : status == PROTO_NO_SPACE ? "make room or lift the limit, and run the command again"
           : is_told                  ? ""
                                      : NULL;
}

void report_failed(struct report *report, enum report_kind kind, const char *name, const char *why,
                   const char *advice)
{
    static const char *const usual[] = {
        [REPORT_LOCAL] = "check the file here and run the command again",
        [REPORT_REMOTE] = "check the other side and run the command again",
        [REPORT_INTEGRITY] = "nothing was kept of it; run the command again",
    };
    static const char *const kinds[] = {"local", "remote", "integrity"};
    char safe[600], cause[400];
    report->failed[kind]++;
    meter_clear(&report->meter);
    (void)term_escape(name, strlen(name), safe, sizeof safe);
    (void)term_escape(why, strlen(why), cause, sizeof cause);
    advice = advice != NULL ? advice : usual[kind];
    cli_error(safe, cause, advice[0] != '\0' ? advice : NULL);
    if (report->options->json) {
        (void)printf("{\"event\":\"error\",\"kind\":\"%s\",\"name\":", kinds[kind]);
        json_put(stdout, name);
        (void)fputs(",\"why\":", stdout);
        json_put(stdout, why);
        (void)fputs("}\n", stdout);
    }
}

void report_again(struct report *report, const char *name)
{
    char safe[600];
    meter_clear(&report->meter);
    (void)term_escape(name, strlen(name), safe, sizeof safe);
    cli_note("%s: it changed while it was read: once more", safe);
    if (report->options->json) {
        (void)fputs("{\"event\":\"again\",\"name\":", stdout);
        json_put(stdout, name);
        (void)fputs("}\n", stdout);
    }
}

static const struct {
    const char *key, *text;
    bool is_said;
} skips[REPORT_SKIP_REASONS] = {
    [REPORT_SKIP_EXCLUDED] = {"excluded", "excluded", false},
    [REPORT_SKIP_CURRENT] = {"current", "there already", false},
    [REPORT_SKIP_LINK] = {"link", "symbolic link (-l keeps, -L follows them)", true},
    [REPORT_SKIP_SPECIAL] = {"special", "neither file nor folder", true},
    [REPORT_SKIP_LOOP] = {"loop", "symbolic link that leads back to where it is", true},
    [REPORT_SKIP_OUTSIDE] = {"outside", "symbolic link out of what is served", true},
    [REPORT_SKIP_XATTRS] = {"xattrs", "its extended attributes", true},
};

static void tell_event(const struct report *report, const char *event, const char *name,
                       const char *why)
{
    if (report->options->json) {
        (void)printf("{\"event\":\"%s\",\"name\":", event);
        json_put(stdout, name);
        if (why != NULL) {
            (void)printf(",\"why\":\"%s\"", why);
        }
        (void)fputs("}\n", stdout);
    }
}

void report_skip(struct report *report, enum report_skip why, const char *name)
{
    char safe[600];
    report->skipped[why]++;
    report->left_out[REPORT_LOCAL] +=
        why != REPORT_SKIP_CURRENT && why != REPORT_SKIP_XATTRS ? 1 : 0;
    if (skips[why].is_said) {
        meter_clear(&report->meter);
        cli_note("%s: %s: left out", term_escape(name, strlen(name), safe, sizeof safe),
                 skips[why].text);
    }
    tell_event(report, "left-out", name, skips[why].key);
}

void report_left(struct report *report, enum proto_status status, const char *name)
{
    if (status == PROTO_IS_WANTED) {
        report_would(report, name);
        return;
    }
    report_skip(report,
                status == PROTO_IS_CURRENT     ? REPORT_SKIP_CURRENT
                : status == PROTO_LOST_ATTRS   ? REPORT_SKIP_XATTRS
                : status == PROTO_LEFT_LINK    ? REPORT_SKIP_LINK
                : status == PROTO_LEFT_LOOP    ? REPORT_SKIP_LOOP
                : status == PROTO_LEFT_OUTSIDE ? REPORT_SKIP_OUTSIDE
                                               : REPORT_SKIP_SPECIAL,
                name);
}

void report_skip_many(struct report *report, enum report_skip why, uint64_t count)
{
    report->skipped[why] += count;
}

void report_deleted(struct report *report, const char *name, uint64_t count)
{
    char safe[600];
    report->deleted += count;
    bool is_dry = report->options->tree.dry_run;
    (void)term_escape(name, strlen(name), safe, sizeof safe);
    if (is_dry || report->options->verbose > 0) {
        meter_clear(&report->meter);
        cli_note("%s%s", is_dry ? "would delete " : "deleted ", safe);
    }
    tell_event(report, is_dry ? "would-delete" : "deleted", name, NULL);
}

void report_would(struct report *report, const char *name)
{
    char safe[600];
    report->settled++;
    meter_clear(&report->meter);
    cli_note("would copy %s", term_escape(name, strlen(name), safe, sizeof safe));
    tell_event(report, "would-copy", name, NULL);
}

/* "left out: 3 excluded, 2 there already; deleted: 4". Nothing when there is nothing. */
static void tell_skips(const struct report *report)
{
    static const char *const few[REPORT_SKIP_REASONS][2] = {
        {"excluded", "excluded"},
        {"there already", "there already"},
        {"symbolic link", "symbolic links"},
        {"special file", "special files"},
        {"loop of links", "loops of links"},
        {"link that leads out", "links that lead out"},
        {"set of extended attributes", "sets of extended attributes"}};
    char line[400];
    size_t used = 0;
    for (unsigned i = 0; i < REPORT_SKIP_REASONS; i++) {
        if (report->skipped[i] > 0 && used < sizeof line) {
            int n =
                snprintf(line + used, sizeof line - used, "%s%llu %s", used > 0 ? ", " : "",
                         (unsigned long long)report->skipped[i], few[i][report->skipped[i] != 1]);
            used += n > 0 ? (size_t)n : 0;
        }
    }
    if (used > 0) {
        cli_note("left out: %s", line);
    }
    if (report->deleted > 0) {
        cli_note("%s: %llu", report->options->tree.dry_run ? "would delete" : "deleted",
                 (unsigned long long)report->deleted);
    }
}

static void put_json_skips(const struct report *report)
{
    (void)printf(",\"deleted\":%llu,\"skipped\":{", (unsigned long long)report->deleted);
    for (unsigned i = 0; i < REPORT_SKIP_REASONS; i++) {
        (void)printf("%s\"%s\":%llu", i > 0 ? "," : "", skips[i].key,
                     (unsigned long long)report->skipped[i]);
    }
    (void)putchar('}');
}

static int exit_code(const struct report *report)
{
    uint64_t failed = report->failed[0] + report->failed[1] + report->failed[2];
    if (report->settled + report->skipped[REPORT_SKIP_CURRENT] > 0) {
        return failed > 0 ? CLI_PARTIAL : CLI_OK;
    }
    if (failed == 0 && report->left_out[REPORT_LOCAL] + report->left_out[REPORT_REMOTE] == 0) {
        return CLI_OK;
    }
    return report->failed[REPORT_INTEGRITY] > 0                                  ? CLI_INTEGRITY
           : report->failed[REPORT_REMOTE] + report->left_out[REPORT_REMOTE] > 0 ? CLI_REMOTE
                                                                                 : CLI_LOCAL;
}

/* Of the files' bytes to those that went over the wire for them; 0: nothing went. */
static double ratio_of(const struct report *report)
{
    return report->wire > 0 ? (double)report->bytes / (double)report->wire : 0;
}

/* Worth a word when compression, an old version or a resumed copy has saved something. */
static void format_ratio(const struct report *report, char *text, size_t size)
{
    char wire[24];
    text[0] = '\0';
    if (ratio_of(report) >= 1.05) {
        (void)snprintf(text, size, ", %s over the wire (%.*f times less)",
                       cli_format_size(report->wire, wire, sizeof wire),
                       ratio_of(report) < 10 ? 1 : 0, ratio_of(report));
    }
}

/* What did not need to move, as far as there was any. */
static void note_spared(const struct report *report)
{
    const struct {
        uint64_t bytes;
        const char *text;
    } parts[] = {{report->spared.kept, "resumed"},
                 {report->spared.copied, "taken from old versions"},
                 {report->spared.holes, "of holes"}};
    char line[200] = "", size[24];
    size_t used = 0;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0] && used < sizeof line; i++) {
        if (parts[i].bytes > 0) {
            int n = snprintf(line + used, sizeof line - used, "%s %s, ",
                             cli_format_size(parts[i].bytes, size, sizeof size), parts[i].text);
            used += n > 0 ? (size_t)n : 0;
        }
    }
    if (used > 0) {
        uint64_t moved = proto_moved(report->bytes, &report->spared);
        cli_note("%s%s new", line, cli_format_size(moved, size, sizeof size));
    }
}

/* The connection ends after it, which looks at the progress once more. */
static void end_meter(struct report *report)
{
    meter_clear(&report->meter);
    report->is_over = true;
}

int report_end(struct report *report)
{
    char size[24], rate[24], time[32], ratio[64];
    double seconds = steady_now() - report->started;
    uint64_t failed = report->failed[0] + report->failed[1] + report->failed[2];
    uint64_t all = report->settled + failed;
    int code = exit_code(report);
    end_meter(report);
    (void)cli_format_size(report->bytes, size, sizeof size);
    (void)cli_format_size(seconds > 0 ? (uint64_t)((double)report->bytes / seconds) : 0, rate,
                          sizeof rate);
    if (seconds < 1) {
        (void)snprintf(time, sizeof time, "%.0f ms", seconds * 1e3 < 1 ? 1 : seconds * 1e3);
    } else {
        (void)cli_format_time(seconds, time, sizeof time);
    }
    format_ratio(report, ratio, sizeof ratio);
    if (failed == 0 && code == CLI_OK) {
        const char *what = report->settled == 1 ? "entry" : "entries";
        if (report->options->tree.dry_run) {
            cli_note("%llu %s would be copied", (unsigned long long)report->settled, what);
        } else {
            cli_note("%llu %s, %s in %s (%s/s)%s, %s", (unsigned long long)report->settled, what,
                     size, time, rate, ratio,
                     report->options->no_verify ? "not verified" : "verified");
        }
    } else if (report->settled > 0) {
        cli_note("%llu of %llu entries verified, %llu failed, %s in %s%s",
                 (unsigned long long)report->settled, (unsigned long long)all,
                 (unsigned long long)failed, size, time, ratio);
    }
    note_spared(report);
    tell_skips(report);
    if (report->options->json) {
        (void)printf("{\"event\":\"summary\",\"entries\":%llu,\"failed\":%llu,\"bytes\":%llu,"
                     "\"seconds\":%.3f",
                     (unsigned long long)report->settled, (unsigned long long)failed,
                     (unsigned long long)report->bytes, seconds);
        (void)printf(",\"rate\":%.0f,\"wire_bytes\":%llu,\"ratio\":%.3f",
                     seconds > 0 ? (double)report->bytes / seconds : 0,
                     (unsigned long long)report->wire, ratio_of(report));
        const struct proto_spared *spared = &report->spared;
        (void)printf(",\"moved\":%llu,\"resumed\":%llu,\"from_old\":%llu,\"holes\":%llu",
                     (unsigned long long)proto_moved(report->bytes, spared),
                     (unsigned long long)spared->kept, (unsigned long long)spared->copied,
                     (unsigned long long)spared->holes);
        (void)printf(",\"left_out\":%llu",
                     (unsigned long long)report->left_out[0] + report->left_out[1]);
        put_json_skips(report);
        (void)printf(",\"exit\":%d}\n", code);
    }
    return code;
}

void report_abort(struct report *report)
{
    end_meter(report);
}
