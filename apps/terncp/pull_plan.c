/* The beginning of a file: what it is written to, who may write to it, and the plan.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <tern/udp.h>

#include "terncp/pull_file.h"

#define TRIES_MAX 30 /* until it is done another way */
#define TRY_AFTER 0.1
/* After so long a sender that was asked whether it is there does not keep others from its file: a second, for it is
 * asked no earlier, and time for a few probes and their answers. */
#define SILENCE      (1500 * TERN_MSEC)
#define SILENCE_RTTS 6

/* --- the plan --------------------------------------------------------------------------------------- */

/* Another file may make its plan now. */
static void leave_slot(struct pull_file *file)
{
    if (file->has_slot && file->s.pull != NULL) {
        file->s.pull->planning--;
    }
    file->has_slot = false;
}

static void drop_planner(struct pull_file *file)
{
    if (file->planner != NULL) {
        planner_clear(file->planner);
        free(file->planner);
        file->planner = NULL;
    }
}

void pull_plan_write(struct pull_file *file)
{
    while (file->has_plan && file->s.stream != NULL && file->plan_at < file->plan.len) {
        ptrdiff_t n = tern_stream_write(file->s.stream, file->plan.bytes + file->plan_at,
                                        file->plan.len - file->plan_at, TERN_FIN);
        if (n <= 0) {
            return;
        }
        file->plan_at += (size_t)n;
        if (file->plan_at == file->plan.len) {
            plan_maker_shrink(&file->plan);
            file->plan_at = file->plan.len;
            leave_slot(file);
        }
    }
}

static void on_planned(struct work_job *job);

static void go_on_planning(struct pull_file *file)
{
    file->out++;
    work_submit(file->s.pull->work, &file->planner->job);
}

/* Is there something to go on with? In place the old version is that, if it counts. */
static bool has_part(const struct pull_file *file)
{
    return file->goal.partial.found > 0 && (!file->goal.is_in_place || file->goal.old >= 0);
}

static bool wants_plan(const struct pull_file *file)
{
    return file->entry.size != PROTO_SIZE_UNKNOWN && (has_part(file) || file->goal.old >= 0);
}

/* There is something to plan with: does so, unless too many others do. */
static void begin_planning(struct pull_file *file)
{
    struct pull *pull = file->s.pull;
    struct goal *goal = &file->goal;
    struct planner_source unfinished = {.fd = has_part(file) ? goal->partial.fd : -1,
                                        .size = goal->partial.found};
    struct planner_source old = {.fd = goal->old, .size = goal->old_size};
    if (pull->planning >= PULL_PLANS) {
        return;
    }
    pull->planning++;
    file->has_slot = true;
    file->planner = calloc(1, sizeof *file->planner);
    if (file->planner == NULL || planner_init(file->planner, &unfinished, &old, goal->is_in_place,
                                              file->entry.size, file->key) != 0) {
        pull_file_fail(file, ENOMEM);
        return;
    }
    file->planner->job.done = on_planned;
    file->planner->job.owner = file;
    go_on_planning(file);
}

void pull_plan_make(struct pull_file *file)
{
    if (!file->is_open || file->has_plan || file->is_settled || file->planner != NULL) {
        return;
    }
    if (wants_plan(file)) {
        begin_planning(file);
    } else if (plan_maker_init_plain(&file->plan, PLAN_WHOLE) != 0) {
        pull_file_fail(file, ENOMEM);
    } else {
        file->has_plan = true;
        pull_plan_write(file);
    }
}

static void on_planned(struct work_job *job)
{
    struct pull_file *file = job->owner;
    file->out--;
    if (job->error != 0) {
        pull_file_fail(file, job->error);
    } else if (file->s.pull != NULL && !file->is_settled) {
        if (!file->planner->is_done) {
            go_on_planning(file);
            return;
        }
        file->plan = file->planner->maker;
        memset(&file->planner->maker, 0, sizeof file->planner->maker);
        file->has_plan = true;
        drop_planner(file);
        pull_plan_write(file);
    }
    pull_file_after_job(file);
}

/* --- opening ---------------------------------------------------------------------------------------- */

/* All files of this loop that write to what others may want to write to, so that who comes back can take over from his former
 * self, of whom nothing is heard any more but whose connection has not timed out yet. */
static _Thread_local struct pull_file *writers; /* a shard must not touch those of another */

static void join_writers(struct pull_file *file)
{
    if (file->goal.partial.is_lasting || file->goal.is_in_place) {
        file->other = writers;
        file->other_link = &writers;
        if (writers != NULL) {
            writers->other_link = &file->other;
        }
        writers = file;
    }
}

static void leave_writers(struct pull_file *file)
{
    if (file->other_link != NULL) {
        *file->other_link = file->other;
        if (file->other != NULL) {
            file->other->other_link = file->other_link;
        }
        file->other_link = NULL;
    }
}

static void on_open(struct work_job *job);

/* On a worker's thread: what may take its time before the plan can be made. */
static void run_opening(struct work_job *job)
{
    struct pull_file *file = job->owner;
    uint64_t size = file->entry.size;
    job->error = goal_open(&file->goal, file->place, file->target, size, file->tries < TRIES_MAX);
    bool is_taking_room = job->error == 0 && (file->place->flags & PROTO_FLAG_PREALLOCATE) != 0 &&
                          size > 0 && size != PROTO_SIZE_UNKNOWN;
    if (is_taking_room && fallocate(file->goal.partial.fd, 0, 0, (off_t)size) != 0 &&
        errno != EOPNOTSUPP && errno != ENOSYS) {
        job->error = errno;
    }
}

void pull_plan_open(struct pull_file *file)
{
    file->opening = (struct work_job){.run = run_opening, .done = on_open, .owner = file};
    file->out++;
    work_submit(file->s.pull->work, &file->opening);
}

static void on_again(struct ev_loop *loop, struct ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    pull_plan_open(timer->data);
}

/* Has nothing come from the sender for long, no acknowledgement either? One whose disk is slow, or that looks for what it
 * need not send, says nothing for as long as it likes, but answers. */
static bool is_gone(struct pull *pull, tern_conn *conn)
{
    tern_time now = tern_udp_now();
    tern_stats stats = {.size = sizeof stats};
    tern_conn_stats(conn, &stats);
    if (pull->silent_since == 0 || pull->packets != stats.packets_received) {
        pull->silent_since = now;
        pull->packets = stats.packets_received;
    }
    tern_conn_probe(conn, now);
    tern_time patience = TERN_SEC + SILENCE_RTTS * stats.smoothed_rtt;
    return now - pull->silent_since >= (patience > SILENCE ? patience : SILENCE);
}

/* Another copy has the file: it may be over soon, or be over long since. */
static void wait_for_other(struct pull_file *file)
{
    struct partial wanted = file->goal.partial;
    struct pull_file *other = writers;
    goal_close(&file->goal, false);
    goal_init(&file->goal);
    while (other != NULL && (other->goal.partial.inode != wanted.inode ||
                             other->goal.partial.device != wanted.device)) {
        other = other->other;
    }
    if (other != NULL && other->s.pull != NULL && !other->is_settled && other->s.stream != NULL &&
        is_gone(other->s.pull, tern_stream_conn(other->s.stream))) {
        pull_file_settle(other, PROTO_IO, "another copy goes on with it", false);
        pull_file_rest(other);
    }
    file->tries++;
    ev_timer_set(&file->again, TRY_AFTER, 0);
    ev_timer_start(file->loop, &file->again);
}

static void on_open(struct work_job *job)
{
    struct pull_file *file = job->owner;
    struct pull *pull = file->s.pull;
    file->out--;
    if (job->error == EBUSY && pull != NULL && !file->is_settled && file->tries < TRIES_MAX) {
        wait_for_other(file);
        return;
    }
    if (job->error != 0) {
        pull_file_fail(file, job->error);
    } else if (pull != NULL) {
        join_writers(file);
        file->is_open = true;
        pull->counts.files++;
        pull->counts.total += file->entry.size == PROTO_SIZE_UNKNOWN ? 0 : file->entry.size;
        pull_plan_make(file);
    }
    pull_file_after_job(file);
}

/* --- the end ---------------------------------------------------------------------------------------- */

void pull_plan_init(struct pull_file *file)
{
    ev_timer_init(&file->again, on_again, 0, 0);
    file->again.data = file;
}

void pull_plan_stop(struct pull_file *file)
{
    leave_slot(file);
    if (file->loop != NULL) {
        ev_timer_stop(file->loop, &file->again);
    }
}

void pull_plan_leave(struct pull_file *file)
{
    leave_writers(file);
    drop_planner(file);
}
