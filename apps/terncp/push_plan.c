/* The receiver's plan for a file that is being sent: whether it is waited for, and what comes of it.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>

#include "terncp/push_file.h"

#define BLIND_MAX 8 /* blocks that may leave before the plan has come */

/* A file that no other is under way beside need not wait for the plan, if that will be "whole": else a round
 * trip would pass with nothing on the wire. With compression the answer to that must be there first. */
bool push_plan_is_needless(const struct push *push, const struct push_file *file)
{
    const struct push_request *request = &push->request;
    if (push->file_count > 0 || file->tries > 0 || file->has_index ||
        ((request->flags & PROTO_FLAG_ZSTD) != 0 && !push->knows_zip)) {
        return false;
    }
    return file->is_pipe ||
           (request->is_new != NULL ? request->is_new(request->user, file->entry.name)
                                    : (request->flags & PROTO_FLAG_AHEAD) != 0);
}

/* How far a file goes ahead of its plan: what the window lets out until that can be here, in whole blocks, for
 * more would only wait in our buffer, and be in vain if the receiver had it. */
uint64_t push_plan_limit(const struct push_file *file)
{
    tern_stats stats = {.size = sizeof stats};
    tern_conn_stats(file->s.push->conn, &stats);
    uint64_t blocks = 1 + 2 * stats.cwnd / PROTO_BLOCK;
    uint64_t limit = (blocks < BLIND_MAX ? blocks : BLIND_MAX) * PROTO_BLOCK;
    return limit < file->submitted ? file->submitted : limit;
}

/* The plan was made use of, or is of no use. */
void push_plan_drop(struct push_file *file)
{
    if (file->scan != NULL) {
        scan_clear(file->scan);
        free(file->scan);
        file->scan = NULL;
    }
    plan_clear(&file->plan);
    if (file->has_slot) {
        file->has_slot = false;
        file->s.push->planning--;
    }
}

/* --- the scan --------------------------------------------------------------------------------------- */

static void on_scanned(struct work_job *job)
{
    struct push_file *file = job->owner;
    struct push *push = file->s.push;
    bool is_gone = file->is_dead;
    file->out--;
    int error = scan_back(file->scan, &file->root);
    if (is_gone && file->out == 0) {
        push_file_free(file);
    }
    if (push_job_back(push) || is_gone) {
        return;
    }
    if (error != 0) {
        push_file_give_up(file, error);
    }
    push_pump(push);
}

void push_plan_go_on(struct push_file *file)
{
    struct push *push = file->s.push;
    if (!file->is_over && file->scan != NULL && scan_go(file->scan, push->work)) {
        file->out++;
        push->out++;
    }
}

void push_plan_scan(struct push_file *file)
{
    file->scan = calloc(1, sizeof *file->scan);
    if (file->scan == NULL ||
        scan_init(file->scan, &file->plan, file->fd, file->entry.size, file->key) != 0) {
        push_file_give_up(file, ENOMEM);
        return;
    }
    scan_begin_at(file->scan, file->written);
    file->has_parts = false;
    file->scan->job.done = on_scanned;
    file->scan->job.owner = file;
    push_plan_go_on(file);
}

/* --- the plan --------------------------------------------------------------------------------------- */

/* The first byte of a plan tells whether it takes memory, which few may have at once. */
static bool may_read_plan(struct push_file *file, const uint8_t *data)
{
    struct push *push = file->s.push;
    if (file->has_slot || data[0] != PLAN_PARTS) {
        return true;
    }
    if (push->planning >= PUSH_PLANS) {
        return false;
    }
    push->planning++;
    file->has_slot = true;
    return true;
}

/* False: it is not there yet, or is none. */
bool push_plan_read(struct push_file *file)
{
    const uint8_t *data;
    size_t len;
    if (file->has_plan) {
        return true;
    }
    while (!file->plan.is_whole) {
        if (tern_stream_peek(file->s.stream, &data, &len) != 0 ||
            (len > 0 && !may_read_plan(file, data))) {
            return false;
        }
        ptrdiff_t n =
            len == 0 ? -1 : plan_read(&file->plan, file->entry.size, data, len); /* not an end */
        if (n == -2) {
            push_file_give_up(file, ENOMEM);
            return false;
        }
        /* Of a pipe nothing can be read a second time, for a scan: who knows it has nothing of it. */
        bool is_bad = file->is_pipe && file->plan.kind == PLAN_PARTS;
        if (n < 0 || is_bad || tern_stream_consume(file->s.stream, (size_t)n) != 0) {
            tern_conn_close(file->s.push->conn, 1, "malformed plan");
            return false;
        }
    }
    file->has_plan = true;
    file->has_parts = file->plan.kind == PLAN_PARTS;
    return true;
}
