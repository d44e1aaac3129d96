/* A system whose n-th call fails, for whole programs: preloaded, and told by the environment what to do.
 *
 * TERN_CALLS is a list, separated by commas, of:
 *   call=NAME[+NAME...]   which (see names below; "all")           on=TEXT   on files with that in their path only
 *   nth=N [last=M]        those from the N-th to the M-th (N)       every=K  or every K-th
 *   seed=S share=PERCENT  or so many of them, drawn by the seed
 *   error=ENAME           how they fail; or "short": half of it is done
 *   room=BYTES            so much can be written to files, then the disk is full
 *   wall=SECONDS          the calendar is off by that             jump=SECONDS at=N   from the N-th look at the
 *                         monotonic clock on it is off by that, as after a pause of the machine, or a bad one
 *   leap=SECONDS since=N  the calendar is off by that from the N-th look at it on, as when somebody sets it
 * TERN_CALLS_TELL names a file that gets, when the program ends, a line "NAME CALLS REFUSED" for each name.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
/* Both sorts of names are wanted. */
#undef _FILE_OFFSET_BITS
#undef _TIME_BITS
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#ifdef __GLIBC__
typedef __CONST_SOCKADDR_ARG address;
#else
typedef const struct sockaddr *address;
#endif

#define SHOWN __attribute__((visibility("default")))

enum call {
    SOCKET,
    BIND,
    SENDMMSG,
    RECVMMSG,
    POLL,
    EPOLL_CREATE,
    EPOLL_CTL,
    EPOLL_WAIT,
    TIMERFD,
    OPEN,
    READ,
    PREAD,
    WRITE,
    PWRITE,
    FSYNC,
    FTRUNCATE,
    FALLOCATE,
    RENAME,
    LINK,
    MKDIR,
    CLOSE,
    MMAP,
    FLUSH,
    CALLS
};

/* Several of one kind count as one: openat2 and mkostemp are "open", sendmsg is "sendmmsg", fdatasync "fsync". */
static const char *const names[CALLS] = {
    "socket",    "bind",       "sendmmsg", "recvmmsg",  "poll",      "epoll_create",
    "epoll_ctl", "epoll_wait", "timerfd",  "open",      "read",      "pread",
    "write",     "pwrite",     "fsync",    "ftruncate", "fallocate", "rename",
    "link",      "mkdir",      "close",    "mmap",      "flush"};

static const struct {
    const char *name;
    int error;
} errors[] = {{"EIO", EIO},
              {"EAGAIN", EAGAIN},
              {"EINTR", EINTR},
              {"ENOBUFS", ENOBUFS},
              {"ENOMEM", ENOMEM},
              {"EMFILE", EMFILE},
              {"ENOSPC", ENOSPC},
              {"EDQUOT", EDQUOT},
              {"EROFS", EROFS},
              {"EACCES", EACCES},
              {"EPERM", EPERM},
              {"EXDEV", EXDEV},
              {"EOPNOTSUPP", EOPNOTSUPP},
              {"EADDRINUSE", EADDRINUSE},
              {"ENETDOWN", ENETDOWN}};

static struct {
    bool is_meant[CALLS];
    char on[256];
    unsigned long nth, last, every, seed, share;
    int error;
    bool is_short;
    bool has_room; /* a bound to it */
    long long wall, jump, leap;
    unsigned long jump_at, leap_since;
} plan;

static atomic_ulong calls[CALLS], met, refused[CALLS], looks, dates;
static atomic_llong room;

/* --- the decision --------------------------------------------------------------------------------- */

/* ISO C knows no conversion from an object pointer to a function's. */
static void look(void *next, const char *name)
{
    void *symbol = NULL;
    memcpy(&symbol, next, sizeof symbol);
    if (symbol == NULL) {
        symbol = dlsym(RTLD_NEXT, name);
        if (symbol == NULL) {
            abort(); /* a test that tests nothing */
        }
        memcpy(next, &symbol, sizeof symbol);
    }
}

static bool is_drawn(unsigned long number)
{
    uint64_t x = plan.seed * 0x9e3779b97f4a7c15u + number;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return (x ^ (x >> 31)) % 100 < plan.share;
}

/* path: or NULL, then the descriptor tells. */
static bool is_there(int fd, const char *path)
{
    char link[64], at[4096] = "";
    if (plan.on[0] == '\0') {
        return true;
    }
    if (path == NULL) {
        (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        path = readlink(link, at, sizeof at - 1) > 0 ? at : "";
    }
    return strstr(path, plan.on) != NULL;
}

static bool is_meant(enum call call, int fd, const char *path)
{
    if (!plan.is_meant[call] || !is_there(fd, path)) {
        return false;
    }
    unsigned long number = atomic_fetch_add(&met, 1) + 1;
    bool is_nth = plan.nth != 0 && number >= plan.nth && number <= plan.last;
    bool is_every = plan.every != 0 && number % plan.every == 0;
    return is_nth || is_every || (plan.share != 0 && is_drawn(number));
}

/* Counts a call. True: it is to fail, and errno says how. */
static bool fails(enum call call, int fd, const char *path)
{
    int saved = errno;
    atomic_fetch_add(&calls[call], 1);
    bool is_chosen = is_meant(call, fd, path);
    errno = saved;
    if (is_chosen) {
        atomic_fetch_add(&refused[call], 1);
        errno = plan.error;
    }
    return is_chosen;
}

/* No file, and nothing of ours: libev's own mailbox, which it cannot do without. */
static bool is_mailbox(int fd)
{
    char link[64], at[32] = "";
    int saved = errno;
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    bool is_it = readlink(link, at, sizeof at - 1) > 0 && strcmp(at, "anon_inode:[eventfd]") == 0;
    errno = saved;
    return is_it;
}

/* How much of `len` bytes is written: -1 and errno, or fewer. */
static ssize_t share_of(enum call call, int fd, size_t len)
{
    bool is_out = call == WRITE || call == PWRITE;
    if ((is_out && fd == STDERR_FILENO) ||
        is_mailbox(fd)) { /* who else could say what went wrong? */
        return (ssize_t)len;
    }
    if (fails(call, fd, NULL)) {
        return plan.is_short && len > 1 ? (ssize_t)(len / 2) : plan.is_short ? (ssize_t)len : -1;
    }
    struct stat st;
    if (!is_out || !plan.has_room || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) ||
        !is_there(fd, NULL)) {
        return (ssize_t)len;
    }
    long long left = atomic_fetch_sub(&room, (long long)len);
    if (left >= (long long)len) {
        return (ssize_t)len;
    }
    atomic_fetch_add(&refused[call], 1);
    errno = ENOSPC;
    return left > 0 ? (ssize_t)left : -1;
}

/* --- sockets and waiting --------------------------------------------------------------------------- */

SHOWN int socket(int family, int type, int protocol)
{
    static int (*next)(int, int, int);
    look(&next, "socket");
    return fails(SOCKET, -1, NULL) ? -1 : next(family, type, protocol);
}

SHOWN int bind(int fd, address addr, socklen_t len)
{
    static int (*next)(int, address, socklen_t);
    look(&next, "bind");
    return fails(BIND, fd, NULL) ? -1 : next(fd, addr, len);
}

SHOWN int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    static int (*next)(int, struct mmsghdr *, unsigned, int);
    look(&next, "sendmmsg");
    if (fails(SENDMMSG, fd, NULL)) {
        if (!plan.is_short) {
            return -1;
        }
        count = count > 1 ? count / 2 : count;
    }
    return next(fd, messages, count, flags);
}

SHOWN ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    static ssize_t (*next)(int, const struct msghdr *, int);
    look(&next, "sendmsg");
    return fails(SENDMMSG, fd, NULL) ? -1 : next(fd, message, flags);
}

SHOWN int recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags,
                   struct timespec *timeout)
{
    static int (*next)(int, struct mmsghdr *, unsigned, int, struct timespec *);
    look(&next, "recvmmsg");
    if (fails(RECVMMSG, fd, NULL)) {
        if (!plan.is_short) {
            return -1;
        }
        count = 1;
    }
    return next(fd, messages, count, flags, timeout);
}

SHOWN ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    static ssize_t (*next)(int, struct msghdr *, int);
    look(&next, "recvmsg");
    return fails(RECVMMSG, fd, NULL) ? -1 : next(fd, message, flags);
}

SHOWN int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask)
{
    static int (*next)(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *);
    look(&next, "ppoll");
    return fails(POLL, -1, NULL) ? -1 : next(fds, n, timeout, mask);
}

SHOWN int poll(struct pollfd *fds, nfds_t n, int timeout)
{
    static int (*next)(struct pollfd *, nfds_t, int);
    look(&next, "poll");
    return fails(POLL, -1, NULL) ? -1 : next(fds, n, timeout);
}

SHOWN int epoll_create1(int flags)
{
    static int (*next)(int);
    look(&next, "epoll_create1");
    return fails(EPOLL_CREATE, -1, NULL) ? -1 : next(flags);
}

SHOWN int epoll_create(int size)
{
    static int (*next)(int);
    look(&next, "epoll_create");
    return fails(EPOLL_CREATE, -1, NULL) ? -1 : next(size);
}

SHOWN int epoll_ctl(int epoll, int what, int fd, struct epoll_event *event)
{
    static int (*next)(int, int, int, struct epoll_event *);
    look(&next, "epoll_ctl");
    return !is_mailbox(fd) && fails(EPOLL_CTL, fd, NULL) ? -1 : next(epoll, what, fd, event);
}

SHOWN int epoll_wait(int epoll, struct epoll_event *events, int most, int timeout)
{
    static int (*next)(int, struct epoll_event *, int, int);
    look(&next, "epoll_wait");
    return fails(EPOLL_WAIT, epoll, NULL) ? -1 : next(epoll, events, most, timeout);
}

SHOWN int timerfd_create(int clock, int flags)
{
    static int (*next)(int, int);
    look(&next, "timerfd_create");
    return fails(TIMERFD, -1, NULL) ? -1 : next(clock, flags);
}

/* --- files ------------------------------------------------------------------------------------------ */

static mode_t mode_of(int flags, va_list args)
{
    return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(args, mode_t) : 0;
}

SHOWN int open(const char *path, int flags, ...)
{
    static int (*next)(const char *, int, ...);
    va_list args;
    va_start(args, flags);
    mode_t mode = mode_of(flags, args);
    va_end(args);
    look(&next, "open");
    return fails(OPEN, -1, path) ? -1 : next(path, flags, mode);
}

SHOWN int open64(const char *path, int flags, ...)
{
    static int (*next)(const char *, int, ...);
    va_list args;
    va_start(args, flags);
    mode_t mode = mode_of(flags, args);
    va_end(args);
    look(&next, "open64");
    return fails(OPEN, -1, path) ? -1 : next(path, flags, mode);
}

/* A folder has a name, the file in it as well: either may be meant. */
static bool fails_at(enum call call, int folder, const char *path)
{
    return plan.on[0] != '\0' && strstr(path, plan.on) == NULL ? fails(call, folder, NULL)
                                                               : fails(call, folder, path);
}

SHOWN int openat(int folder, const char *path, int flags, ...)
{
    static int (*next)(int, const char *, int, ...);
    va_list args;
    va_start(args, flags);
    mode_t mode = mode_of(flags, args);
    va_end(args);
    look(&next, "openat");
    return fails_at(OPEN, folder, path) ? -1 : next(folder, path, flags, mode);
}

SHOWN int mkostemp(char *path, int flags)
{
    static int (*next)(char *, int);
    look(&next, "mkostemp");
    return fails(OPEN, -1, path) ? -1 : next(path, flags);
}

SHOWN FILE *fopen(const char *path, const char *mode)
{
    static FILE *(*next)(const char *, const char *);
    look(&next, "fopen");
    return fails(OPEN, -1, path) ? NULL : next(path, mode);
}

SHOWN ssize_t read(int fd, void *data, size_t len)
{
    static ssize_t (*next)(int, void *, size_t);
    look(&next, "read");
    ssize_t n = share_of(READ, fd, len);
    return n < 0 ? -1 : next(fd, data, (size_t)n);
}

SHOWN ssize_t pread(int fd, void *data, size_t len, off_t offset)
{
    static ssize_t (*next)(int, void *, size_t, off_t);
    look(&next, "pread");
    ssize_t n = share_of(PREAD, fd, len);
    return n < 0 ? -1 : next(fd, data, (size_t)n, offset);
}

SHOWN ssize_t pread64(int fd, void *data, size_t len, off64_t offset)
{
    static ssize_t (*next)(int, void *, size_t, off64_t);
    look(&next, "pread64");
    ssize_t n = share_of(PREAD, fd, len);
    return n < 0 ? -1 : next(fd, data, (size_t)n, offset);
}

SHOWN ssize_t write(int fd, const void *data, size_t len)
{
    static ssize_t (*next)(int, const void *, size_t);
    look(&next, "write");
    ssize_t n = share_of(WRITE, fd, len);
    return n < 0 ? -1 : next(fd, data, (size_t)n);
}

SHOWN ssize_t pwrite(int fd, const void *data, size_t len, off_t offset)
{
    static ssize_t (*next)(int, const void *, size_t, off_t);
    look(&next, "pwrite");
    ssize_t n = share_of(PWRITE, fd, len);
    return n < 0 ? -1 : next(fd, data, (size_t)n, offset);
}

SHOWN ssize_t pwrite64(int fd, const void *data, size_t len, off64_t offset)
{
    static ssize_t (*next)(int, const void *, size_t, off64_t);
    look(&next, "pwrite64");
    ssize_t n = share_of(PWRITE, fd, len);
    return n < 0 ? -1 : next(fd, data, (size_t)n, offset);
}

SHOWN int fsync(int fd)
{
    static int (*next)(int);
    look(&next, "fsync");
    return fails(FSYNC, fd, NULL) ? -1 : next(fd);
}

SHOWN int fdatasync(int fd)
{
    static int (*next)(int);
    look(&next, "fdatasync");
    return fails(FSYNC, fd, NULL) ? -1 : next(fd);
}

SHOWN int ftruncate(int fd, off_t len)
{
    static int (*next)(int, off_t);
    look(&next, "ftruncate");
    return fails(FTRUNCATE, fd, NULL) ? -1 : next(fd, len);
}

SHOWN int ftruncate64(int fd, off64_t len)
{
    static int (*next)(int, off64_t);
    look(&next, "ftruncate64");
    return fails(FTRUNCATE, fd, NULL) ? -1 : next(fd, len);
}

SHOWN int fallocate(int fd, int mode, off_t offset, off_t len)
{
    static int (*next)(int, int, off_t, off_t);
    look(&next, "fallocate");
    return fails(FALLOCATE, fd, NULL) ? -1 : next(fd, mode, offset, len);
}

SHOWN int posix_fallocate(int fd, off_t offset, off_t len)
{
    static int (*next)(int, off_t, off_t);
    int saved = errno;
    look(&next, "posix_fallocate");
    if (!fails(FALLOCATE, fd, NULL)) {
        return next(fd, offset, len);
    }
    int error = errno;
    errno = saved;
    return error;
}

SHOWN int rename(const char *from, const char *to)
{
    static int (*next)(const char *, const char *);
    look(&next, "rename");
    return fails(RENAME, -1, to) ? -1 : next(from, to);
}

SHOWN int renameat(int from, const char *old, int to, const char *new)
{
    static int (*next)(int, const char *, int, const char *);
    look(&next, "renameat");
    return fails_at(RENAME, to, new) ? -1 : next(from, old, to, new);
}

SHOWN int link(const char *from, const char *to)
{
    static int (*next)(const char *, const char *);
    look(&next, "link");
    return fails(LINK, -1, to) ? -1 : next(from, to);
}

SHOWN int mkdir(const char *path, mode_t mode)
{
    static int (*next)(const char *, mode_t);
    look(&next, "mkdir");
    return fails(MKDIR, -1, path) ? -1 : next(path, mode);
}

SHOWN int mkdirat(int folder, const char *path, mode_t mode)
{
    static int (*next)(int, const char *, mode_t);
    look(&next, "mkdirat");
    return fails_at(MKDIR, folder, path) ? -1 : next(folder, path, mode);
}

/* As where the disk is elsewhere: what was written did not arrive, and the descriptor is gone. */
SHOWN int close(int fd)
{
    static int (*next)(int);
    look(&next, "close");
    bool is_bad = fails(CLOSE, fd, NULL);
    int error = errno;
    int rc = next(fd);
    errno = is_bad ? error : errno;
    return is_bad ? -1 : rc;
}

SHOWN int fflush(FILE *file)
{
    static int (*next)(FILE *);
    look(&next, "fflush");
    return file != stderr && fails(FLUSH, -1, NULL) ? EOF : next(file);
}

SHOWN void *mmap(void *at, size_t len, int rights, int flags, int fd, off_t offset)
{
    static void *(*next)(void *, size_t, int, int, int, off_t);
    look(&next, "mmap");
    return fails(MMAP, fd, NULL) ? MAP_FAILED : next(at, len, rights, flags, fd, offset);
}

/* For what the C library has no function. */
SHOWN long syscall(long number, ...)
{
    static long (*next)(long, ...);
    long arg[6];
    va_list args;
    va_start(args, number);
    for (size_t i = 0; i < 6; i++) {
        arg[i] = va_arg(args, long);
    }
    va_end(args);
    look(&next, "syscall");
    bool is_bad = false;
#ifdef SYS_openat2
    is_bad = number == SYS_openat2 && fails_at(OPEN, (int)arg[0], (const char *)arg[1]);
#endif
    is_bad =
        is_bad || (number == SYS_renameat2 && fails_at(RENAME, (int)arg[2], (const char *)arg[3]));
    return is_bad ? -1 : next(number, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
}

/* --- clocks ----------------------------------------------------------------------------------------- */

static long long offset_of_wall(void)
{
    bool is_off = plan.leap != 0 && atomic_fetch_add(&dates, 1) + 1 >= plan.leap_since;
    return plan.wall + (is_off ? plan.leap : 0);
}

static long long offset_of(clockid_t clock)
{
    if (clock == CLOCK_REALTIME) {
        return offset_of_wall();
    }
    bool is_off = plan.jump != 0 && clock == CLOCK_MONOTONIC &&
                  atomic_fetch_add(&looks, 1) + 1 >= plan.jump_at;
    return is_off ? plan.jump : 0;
}

SHOWN int clock_gettime(clockid_t clock, struct timespec *now)
{
    static int (*next)(clockid_t, struct timespec *);
    look(&next, "clock_gettime");
    int rc = next(clock, now);
    now->tv_sec += (time_t)offset_of(clock);
    if (now->tv_sec < 0) { /* no kernel says so */
        now->tv_sec = 0;
    }
    return rc;
}

SHOWN int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    static int (*next)(struct timeval *, void *);
    look(&next, "gettimeofday");
    int rc = next(now, zone);
    now->tv_sec += (time_t)offset_of_wall();
    return rc;
}

SHOWN time_t time(time_t *out)
{
    static time_t (*next)(time_t *);
    look(&next, "time");
    time_t now = next(NULL) + (time_t)offset_of_wall();
    if (out != NULL) {
        *out = now;
    }
    return now;
}

/* The alarm goes by the same clock as they who set it. */
SHOWN int timerfd_settime(int fd, int flags, const struct itimerspec *to, struct itimerspec *old)
{
    static int (*next)(int, int, const struct itimerspec *, struct itimerspec *);
    look(&next, "timerfd_settime");
    struct itimerspec spec = *to;
    if ((flags & TFD_TIMER_ABSTIME) != 0 && plan.jump != 0 && atomic_load(&looks) >= plan.jump_at) {
        spec.it_value.tv_sec -= (time_t)plan.jump;
        if (spec.it_value.tv_sec < 0) {
            spec.it_value = (struct timespec){.tv_nsec = 1};
        }
    }
    return next(fd, flags, &spec, old);
}

/* --- from the environment ---------------------------------------------------------------------------- */

static void take_calls(char *list)
{
    char *rest = NULL;
    for (char *name = strtok_r(list, "+", &rest); name != NULL; name = strtok_r(NULL, "+", &rest)) {
        bool is_known = false;
        for (size_t i = 0; i < CALLS; i++) {
            bool is_it = strcmp(name, "all") == 0 || strcmp(name, names[i]) == 0;
            plan.is_meant[i] = plan.is_meant[i] || is_it;
            is_known = is_known || is_it;
        }
        if (!is_known) {
            abort(); /* a test that tests nothing */
        }
    }
}

static void take_error(const char *name)
{
    plan.is_short = strcmp(name, "short") == 0;
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        if (strcmp(name, errors[i].name) == 0) {
            plan.error = errors[i].error;
        }
    }
    if (!plan.is_short && plan.error == 0) {
        abort();
    }
}

static void take_word(const char *word, char *value)
{
    long long number = strtoll(value, NULL, 10);
    if (strcmp(word, "call") == 0) {
        take_calls(value);
    } else if (strcmp(word, "error") == 0) {
        take_error(value);
    } else if (strcmp(word, "on") == 0) {
        (void)snprintf(plan.on, sizeof plan.on, "%s", value);
    } else if (strcmp(word, "room") == 0) {
        plan.has_room = true;
        atomic_store(&room, number);
    } else if (strcmp(word, "wall") == 0) {
        plan.wall = number;
    } else if (strcmp(word, "jump") == 0) {
        plan.jump = number;
    } else if (strcmp(word, "leap") == 0) {
        plan.leap = number;
    } else {
        unsigned long *to = strcmp(word, "nth") == 0     ? &plan.nth
                            : strcmp(word, "last") == 0  ? &plan.last
                            : strcmp(word, "every") == 0 ? &plan.every
                            : strcmp(word, "seed") == 0  ? &plan.seed
                            : strcmp(word, "share") == 0 ? &plan.share
                            : strcmp(word, "at") == 0    ? &plan.jump_at
                            : strcmp(word, "since") == 0 ? &plan.leap_since
                                                         : NULL;
        if (to == NULL) {
            abort();
        }
        *to = (unsigned long)number;
    }
}

__attribute__((constructor)) static void take_environment(void)
{
    const char *text = getenv("TERN_CALLS");
    char copy[1024] = "", *rest = NULL;
    if (text == NULL || strlen(text) >= sizeof copy) {
        return;
    }
    memcpy(copy, text, strlen(text) + 1);
    for (char *word = strtok_r(copy, ",", &rest); word != NULL; word = strtok_r(NULL, ",", &rest)) {
        char *value = strchr(word, '=');
        if (value == NULL) {
            abort();
        }
        *value = '\0';
        take_word(word, value + 1);
    }
    plan.last = plan.last == 0 ? plan.nth : plan.last;
}

/* So that a test knows how many calls there are, and sees that there was a fault at all. */
__attribute__((destructor)) static void tell(void)
{
    const char *path = getenv("TERN_CALLS_TELL");
    memset(plan.is_meant, 0, sizeof plan.is_meant);
    FILE *file = path == NULL ? NULL : fopen(path, "ae");
    if (file == NULL) {
        return;
    }
    for (size_t i = 0; i < CALLS; i++) {
        (void)fprintf(file, "%s %lu %lu\n", names[i], atomic_load(&calls[i]),
                      atomic_load(&refused[i]));
    }
    (void)fclose(file);
}
