/* A queue, two threads, and a bell that wakes the loop.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "shared/work.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct queue {
    struct work_job *head, **tail;
};

struct work {
    struct ev_loop *loop;
    struct ev_async bell;
    pthread_mutex_t lock, turn;
    pthread_cond_t has_jobs;
    struct queue waiting, patient, finished; /* patient: those that may take long */
    unsigned long_count;                     /* of such, with a thread */
    pthread_t threads[WORK_THREADS_MAX];
    unsigned thread_count;
    bool is_over;
};

static void push(struct queue *q, struct work_job *job)
{
    job->next = NULL;
    *q->tail = job;
    q->tail = &job->next;
}

static struct work_job *pop(struct queue *q)
{
    struct work_job *job = q->head;
    if (job != NULL) {
        q->head = job->next;
        q->tail = q->head == NULL ? &q->head : q->tail;
    }
    return job;
}

/* One thread is kept from jobs that may take long. */
static struct work_job *next_job(struct work *work)
{
    struct work_job *job = pop(&work->waiting);
    bool may_be_long = work->long_count == 0 || work->long_count + 1 < work->thread_count;
    if (job == NULL && may_be_long && (job = pop(&work->patient)) != NULL) {
        work->long_count++;
    }
    return job;
}

static void *run(void *arg)
{
    struct work *work = arg;
    (void)pthread_mutex_lock(&work->lock);
    for (;;) {
        struct work_job *job = work->is_over ? NULL : next_job(work);
        if (job == NULL && work->is_over) {
            break;
        }
        if (job == NULL) {
            (void)pthread_cond_wait(&work->has_jobs, &work->lock);
            continue;
        }
        (void)pthread_mutex_unlock(&work->lock);
        job->run(job);
        (void)pthread_mutex_lock(&work->lock);
        if (job->is_long) {
            work->long_count--;
            (void)pthread_cond_signal(&work->has_jobs);
        }
        push(&work->finished, job);
        ev_async_send(work->loop, &work->bell);
    }
    (void)pthread_mutex_unlock(&work->lock);
    return NULL;
}

/* What is finished now: jobs that make more jobs must not keep the loop from everything else. */
static void on_bell(struct ev_loop *loop, struct ev_async *bell, int events)
{
    struct work *work = bell->data;
    (void)loop;
    (void)events;
    (void)pthread_mutex_lock(&work->lock);
    struct work_job *job = work->finished.head;
    work->finished.head = NULL;
    work->finished.tail = &work->finished.head;
    (void)pthread_mutex_unlock(&work->lock);
    for (struct work_job *next; job != NULL; job = next) {
        next = job->next;
        job->done(job);
    }
}

static void start_threads(struct work *work, unsigned count)
{
    while (work->thread_count < count &&
           pthread_create(&work->threads[work->thread_count], NULL, run, work) == 0) {
        (void)pthread_mutex_lock(&work->lock);
        work->thread_count++;
        (void)pthread_mutex_unlock(&work->lock);
    }
}

void work_grow(struct work *work)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    start_threads(work, processors < WORK_THREADS_MAX ? (unsigned)(processors < 0 ? 0 : processors)
                                                      : WORK_THREADS_MAX);
}

struct work *work_new(struct ev_loop *loop)
{
    struct work *work = calloc(1, sizeof *work);
    if (work == NULL) {
        return NULL;
    }
    work->loop = loop;
    work->waiting.tail = &work->waiting.head;
    work->patient.tail = &work->patient.head;
    work->finished.tail = &work->finished.head;
    (void)pthread_mutex_init(&work->lock, NULL);
    (void)pthread_mutex_init(&work->turn, NULL);
    (void)pthread_cond_init(&work->has_jobs, NULL);
    ev_async_init(&work->bell, on_bell);
    work->bell.data = work;
    ev_async_start(loop, &work->bell);
    ev_unref(loop);
    start_threads(work, WORK_THREADS);
    if (work->thread_count == 0) {
        work_free(work);
        return NULL;
    }
    return work;
}

void work_free(struct work *work)
{
    if (work == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&work->lock);
    work->is_over = true;
    (void)pthread_cond_broadcast(&work->has_jobs);
    (void)pthread_mutex_unlock(&work->lock);
    for (unsigned i = 0; i < work->thread_count; i++) {
        (void)pthread_join(work->threads[i], NULL);
    }
    for (struct work_job *job;
         (job = pop(&work->waiting)) != NULL || (job = pop(&work->patient)) != NULL;) {
        job->error = ECANCELED;
        push(&work->finished, job);
    }
    on_bell(work->loop, &work->bell, 0);
    ev_ref(work->loop);
    ev_async_stop(work->loop, &work->bell);
    (void)pthread_cond_destroy(&work->has_jobs);
    (void)pthread_mutex_destroy(&work->turn);
    (void)pthread_mutex_destroy(&work->lock);
    free(work);
}

void work_submit(struct work *work, struct work_job *job)
{
    job->work = work;
    job->error = 0;
    if (job->is_long) { /* of the threads that there were, it may not have all */
        work_grow(work);
    }
    (void)pthread_mutex_lock(&work->lock);
    push(job->is_long ? &work->patient : &work->waiting, job);
    (void)pthread_cond_signal(&work->has_jobs);
    (void)pthread_mutex_unlock(&work->lock);
}

struct ev_loop *work_loop(struct work *work)
{
    return work->loop;
}

pthread_mutex_t *work_turn(struct work *work)
{
    return &work->turn;
}
