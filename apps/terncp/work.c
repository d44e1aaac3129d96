/* A queue, two threads, and a bell that wakes the loop.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/work.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct queue {
    struct work_job *head, **tail;
};

struct work {
    struct ev_loop *loop;
    struct ev_async bell;
    pthread_mutex_t lock, writing; /* writing: held by the one that writes */
    pthread_cond_t has_jobs;
    struct queue waiting, finished;
    pthread_t threads[WORK_THREADS];
    unsigned thread_count;
    bool is_over;
};

_Static_assert(sizeof(crypto_generichash_state) <= sizeof(((struct work_root *)0)->state),
               "a hash state fits");

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

/* All of a block, or an error. */
static int transfer(const struct work_job *job)
{
    size_t done = 0;
    while (done < job->len) {
        off_t at = (off_t)(job->offset + done);
        ssize_t n = job->is_write ? pwrite(job->fd, job->data + done, job->len - done, at)
                                  : pread(job->fd, job->data + done, job->len - done, at);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n < 0 ? errno : job->is_write ? ENOSPC : ESTALE; /* the file shrank */
        }
        done += (size_t)n;
    }
    return 0;
}

static void put_u64(uint8_t out[8], uint64_t value)
{
    for (unsigned i = 0; i < 8; i++) {
        out[i] = (uint8_t)(value >> (56 - 8 * i));
    }
}

static void hash_leaf(struct work_job *job)
{
    uint8_t number[8], key[crypto_onetimeauth_KEYBYTES];
    put_u64(number, job->offset / WORK_BLOCK);
    (void)crypto_generichash(key, sizeof key, number, sizeof number, job->key, sizeof job->key);
    (void)crypto_onetimeauth(job->leaf, job->data, job->len, key);
    sodium_memzero(key, sizeof key);
}

/* Writers of one file wait for each other in the kernel, at work: while one writes, the other hashes. */
static void do_write(struct work *work, struct work_job *job)
{
    bool is_hashed = pthread_mutex_trylock(&work->writing) != 0;
    if (is_hashed) {
        hash_leaf(job);
        (void)pthread_mutex_lock(&work->writing);
    }
    job->error = transfer(job);
    (void)pthread_mutex_unlock(&work->writing);
    if (!is_hashed && job->error == 0) {
        hash_leaf(job);
    }
}

static void do_read(struct work_job *job)
{
    job->error = transfer(job);
    if (job->error == 0) {
        hash_leaf(job);
    }
}

static void *run(void *arg)
{
    struct work *work = arg;
    (void)pthread_mutex_lock(&work->lock);
    for (;;) {
        struct work_job *job = work->is_over ? NULL : pop(&work->waiting);
        if (job == NULL && work->is_over) {
            break;
        }
        if (job == NULL) {
            (void)pthread_cond_wait(&work->has_jobs, &work->lock);
            continue;
        }
        (void)pthread_mutex_unlock(&work->lock);
        if (job->is_write) {
            do_write(work, job);
        } else {
            do_read(job);
        }
        (void)pthread_mutex_lock(&work->lock);
        push(&work->finished, job);
        ev_async_send(work->loop, &work->bell);
    }
    (void)pthread_mutex_unlock(&work->lock);
    return NULL;
}

static void on_bell(struct ev_loop *loop, struct ev_async *bell, int events)
{
    struct work *work = bell->data;
    struct work_job *job;
    (void)loop;
    (void)events;
    for (;;) {
        (void)pthread_mutex_lock(&work->lock);
        job = pop(&work->finished);
        (void)pthread_mutex_unlock(&work->lock);
        if (job == NULL) {
            return;
        }
        job->done(job);
    }
}

struct work *work_new(struct ev_loop *loop)
{
    struct work *work = calloc(1, sizeof *work);
    if (work == NULL) {
        return NULL;
    }
    work->loop = loop;
    work->waiting.tail = &work->waiting.head;
    work->finished.tail = &work->finished.head;
    (void)pthread_mutex_init(&work->lock, NULL);
    (void)pthread_mutex_init(&work->writing, NULL);
    (void)pthread_cond_init(&work->has_jobs, NULL);
    ev_async_init(&work->bell, on_bell);
    work->bell.data = work;
    ev_async_start(loop, &work->bell);
    ev_unref(loop);
    while (work->thread_count < WORK_THREADS &&
           pthread_create(&work->threads[work->thread_count], NULL, run, work) == 0) {
        work->thread_count++;
    }
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
    for (struct work_job *job; (job = pop(&work->waiting)) != NULL;) {
        job->error = ECANCELED;
        push(&work->finished, job);
    }
    on_bell(work->loop, &work->bell, 0);
    ev_ref(work->loop);
    ev_async_stop(work->loop, &work->bell);
    (void)pthread_cond_destroy(&work->has_jobs);
    (void)pthread_mutex_destroy(&work->writing);
    (void)pthread_mutex_destroy(&work->lock);
    free(work);
}

void work_submit(struct work *work, struct work_job *job)
{
    (void)pthread_mutex_lock(&work->lock);
    push(&work->waiting, job);
    (void)pthread_cond_signal(&work->has_jobs);
    (void)pthread_mutex_unlock(&work->lock);
}

static crypto_generichash_state *state_of(struct work_root *root)
{
    return (crypto_generichash_state *)(void *)root->state;
}

void work_root_init(struct work_root *root, const uint8_t session_key[PROTO_KEY_SIZE],
                    uint32_t index, uint64_t size)
{
    uint8_t bytes[8];
    put_u64(bytes, index);
    (void)crypto_generichash(root->key, sizeof root->key, bytes, sizeof bytes, session_key,
                             PROTO_KEY_SIZE);
    put_u64(bytes, size);
    (void)crypto_generichash_init(state_of(root), root->key, sizeof root->key, PROTO_HASH_SIZE);
    (void)crypto_generichash_update(state_of(root), bytes, sizeof bytes);
}

void work_root_add(struct work_root *root, const uint8_t leaf[PROTO_LEAF_SIZE])
{
    (void)crypto_generichash_update(state_of(root), leaf, PROTO_LEAF_SIZE);
}

void work_root_final(struct work_root *root, uint8_t out[PROTO_HASH_SIZE])
{
    (void)crypto_generichash_final(state_of(root), out, PROTO_HASH_SIZE);
    sodium_memzero(root->key, sizeof root->key);
}
