/* A page that Linux wipes on fork (MADV_WIPEONFORK, since 4.14): looking costs a load. Elsewhere a system
 * call tells.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "driver/fork.h"

#include <string.h>

#if defined(_WIN32)

void tern_fork_guard_init(struct tern_fork_guard *guard)
{
    memset(guard, 0, sizeof *guard);
}

void tern_fork_guard_clear(struct tern_fork_guard *guard)
{
    (void)guard;
}

bool tern_fork_guard_is_child(const struct tern_fork_guard *guard)
{
    (void)guard;
    return false; /* there is no fork */
}

#else

#include <sys/mman.h>
#include <unistd.h>

#if defined(MADV_WIPEONFORK) && defined(MAP_ANONYMOUS)
/* Who takes advice that does not exist follows none: qemu's user mode, for one, says yes and does nothing. */
static bool takes_anything(void *page, size_t size)
{
    return madvise(page, size, -1) == 0;
}

static uint8_t *wiped_page(size_t size)
{
    void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        return NULL;
    }
    if (takes_anything(page, size) || madvise(page, size, MADV_WIPEONFORK) != 0) {
        (void)munmap(page, size);
        return NULL;
    }
    return page;
}
#else
static uint8_t *wiped_page(size_t size)
{
    (void)size;
    return NULL;
}
#endif

void tern_fork_guard_init(struct tern_fork_guard *guard)
{
    long size = sysconf(_SC_PAGESIZE);
    guard->size = size > 0 ? (size_t)size : 4096;
    guard->process = (long)getpid();
    guard->page = wiped_page(guard->size);
    if (guard->page != NULL) {
        guard->page[0] = 1;
    }
}

void tern_fork_guard_clear(struct tern_fork_guard *guard)
{
    if (guard->page != NULL) {
        (void)munmap(guard->page, guard->size);
        guard->page = NULL;
    }
}

bool tern_fork_guard_is_child(const struct tern_fork_guard *guard)
{
    return guard->page != NULL ? guard->page[0] == 0 : guard->process != (long)getpid();
}

#endif
