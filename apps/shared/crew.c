/* Starting and joining.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "shared/crew.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

bool crew_run(void *(*work)(void *part), void *parts, size_t size, size_t count,
              void (*stop)(void *user), void *user)
{
    sigset_t all, before;
    size_t started = 1;
    pthread_t *threads = calloc(count, sizeof *threads);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    while (threads != NULL && started < count &&
           pthread_create(&threads[started], NULL, work, (char *)parts + started * size) == 0) {
        started++;
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    bool is_whole = threads != NULL && started == count;
    if (!is_whole) {
        stop(user);
    }
    (void)work(parts);
    for (size_t i = 1; threads != NULL && i < started; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    free(threads);
    return is_whole;
}
