/* What people and scripts see of a copy: progress, failures, the summary, the exit code.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_REPORT_H
#define TERNCP_REPORT_H

#include <tern/conn.h>

#include "shared/meter.h"
#include "terncp/options.h"
#include "terncp/proto.h"

enum report_kind { REPORT_LOCAL, REPORT_REMOTE, REPORT_INTEGRITY };

/* Why something was not copied though nothing failed. */
enum report_skip {
    REPORT_SKIP_EXCLUDED, /* by a rule */
    REPORT_SKIP_CURRENT,  /* it is there already */
    REPORT_SKIP_LINK,     /* and links are not copied */
    REPORT_SKIP_SPECIAL,  /* a device, FIFO or socket */
    REPORT_SKIP_LOOP,     /* a link to a folder that it is in */
    REPORT_SKIP_OUTSIDE,  /* a link out of what is served */
    REPORT_SKIP_XATTRS,   /* the file was copied, its extended attributes were not */
    REPORT_SKIP_REASONS
};

struct report {
    const struct options *options;
    struct meter meter;
    double started, last_json;
    uint64_t bytes, files, settled, failed[3];
    uint64_t wire; /* bytes of files and what goes with them that streams have carried */
    struct proto_spared spared; /* of the bytes: not moved */
    uint64_t skipped[REPORT_SKIP_REASONS], deleted;
    uint64_t left_out[2]; /* here, there: a failure only where nothing else was copied */
    bool is_push;
    bool is_over; /* the summary is the last that is shown */
};

void report_init(struct report *report, const struct options *options, bool is_push);
void report_restart(struct report *report);
struct report_view {
    const char *name; /* that is under way */
    uint64_t done, total, files;
    bool is_growing; /* more may be found */
};
void report_progress(struct report *report, const struct report_view *now_at,
                     const tern_stats *stats);
/* Is anybody watching? Then it is worth while to find out how much there will be. */
bool report_is_watched(const struct report *report);
void report_done(struct report *report, const char *name);
void report_done_there(struct report *report, uint32_t count); /* the names were not told */
/* advice: what to do about it; NULL: what mostly helps with failures of this kind; "": the words say it already. */
void report_failed(struct report *report, enum report_kind kind, const char *name, const char *why,
                   const char *advice);
const char *report_advice(enum proto_status status); /* for report_failed */
/* It changed while it was read, and is read once more. */
void report_again(struct report *report, const char *name);
/* Says it, but for what is told by number alone (REPORT_SKIP_EXCLUDED, _CURRENT). */
void report_skip(struct report *report, enum report_skip why, const char *name);
/* As the sender, wherever it is, or a receiver there tells it: PROTO_LEFT_*, PROTO_LOST_ATTRS, PROTO_IS_*. */
void report_left(struct report *report, enum proto_status status, const char *name);
void report_skip_many(struct report *report, enum report_skip why, uint64_t count);
void report_deleted(struct report *report, const char *name, uint64_t count);
/* A dry run: this would be copied. */
void report_would(struct report *report, const char *name);
int report_end(struct report *report);    /* prints the summary; the exit code */
void report_abort(struct report *report); /* takes the meter away */

#endif
