/* People at real programs: what one writes to ternchat's standard input another reads from theirs, each perhaps
 * behind a link, and a link may go dead for a while. Prints how long it took as JSON.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "load.h"

#define FEW       100 /* lines beside one file: fewer are no measure */
#define PAIRS_MAX 32
#define LINES_MAX 20000
#define SIDES     2    /* 0 is behind the link, 1 is not */
#define BEFORE    20   /* lines of each before the blackout */
#define PATIENCE  30.0 /* s for all to meet, and for the last lines */

struct person {
    pid_t pid;
    int in, out; /* their standard input and output */
    char buf[1 << 16];
    size_t used;
    bool is_met; /* has seen the other */
    double *said;
    uint32_t said_count, heard; /* heard: lines of the other, in order */
    double last_at;             /* when the last line of the other was there */
};

struct pair {
    struct person side[SIDES];
    pid_t link;
    double back_at; /* the blackout's end */
    char address[64];
};

static struct {
    const char *bin, *server, *link, *file;
    double every, blackout;
    unsigned lines, pairs;
    bool is_backward; /* lines of side 1 count */
} options = {.every = 50, .lines = 400, .pairs = 1};

static struct pair *pairs;
static struct samples delays[SIDES], waits[SIDES];
static uint64_t wrong;
static double file_s; /* what the files took */
static unsigned files;
static char folder[] = "/tmp/chat_people.XXXXXX";

static double now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)fputs("chat_people: ", stderr);
    (void)vfprintf(stderr, format, args);
    (void)fputc('\n', stderr);
    va_end(args);
    exit(1);
}

/* --- programs ----------------------------------------------------------------------------------------- */

/* Runs a program with pipes at both ends; its errors go to a log. */
static pid_t start(const char *log, char *const argv[], const char *home, int *in, int *out)
{
    int to[2], from[2];
    if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0) {
        fail("no pipes: %s", strerror(errno));
    }
    pid_t pid = fork();
    if (pid == 0) {
        int errors = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
        (void)setenv("XDG_CONFIG_HOME", home, 1);
        (void)setenv("XDG_STATE_HOME", home, 1);
        if (dup2(to[0], STDIN_FILENO) < 0 || dup2(from[1], STDOUT_FILENO) < 0 ||
            dup2(errors, STDERR_FILENO) < 0) {
            _exit(127);
        }
        (void)execv(argv[0], argv);
        _exit(127);
    }
    (void)close(to[0]);
    (void)close(from[1]);
    *in = to[1];
    *out = from[0];
    return pid;
}

/* A link of this pair's own. Its blackout begins when it does, so much later. */
static void start_link(struct pair *pair, unsigned index)
{
    char program[512], text[1024], log[128], blackout[64] = "", line[256];
    char *argv[40] = {program,       "udp",  "--listen",
                      "127.0.0.1:0", "--to", (char *)(size_t)options.server};
    int argc = 6, in, out;
    double dead_at = 10 + 0.007 * index; /* the ends meet the probes at different moments */
    (void)snprintf(program, sizeof program, "%s/ternlink", options.bin);
    (void)snprintf(text, sizeof text, "%s", options.link);
    for (char *word = strtok(text, " "); word != NULL && argc < 36; word = strtok(NULL, " ")) {
        argv[argc++] = word;
    }
    if (options.blackout > 0) {
        (void)snprintf(blackout, sizeof blackout, "%.3f,%.3f", dead_at, options.blackout);
        argv[argc++] = "--blackout";
        argv[argc++] = blackout;
    }
    (void)snprintf(log, sizeof log, "%s/link%u.log", folder, index);
    double before = now_ms();
    pair->link = start(log, argv, folder, &in, &out);
    FILE *said = NULL;
    for (unsigned tries = 0; tries < 2000 && pair->address[0] == '\0'; tries++) {
        (void)usleep(500);
        said = fopen(log, "re");
        if (said != NULL && fgets(line, sizeof line, said) != NULL) {
            const char *at = strstr(line, "listening on ");
            (void)sscanf(at == NULL ? "" : at, "listening on %63s", pair->address);
        }
        if (said != NULL) {
            (void)fclose(said);
        }
    }
    pair->back_at = (before + now_ms()) / 2 + (dead_at + options.blackout) * 1e3;
    if (pair->address[0] == '\0') {
        fail("a link does not start: see %s", log);
    }
}

static void start_person(struct pair *pair, unsigned index, int side)
{
    char program[512], home[128], log[160], name[32], room[32];
    char *argv[] = {program,
                    "--plain",
                    "--accept-new",
                    "--nick",
                    name,
                    "--room",
                    room,
                    side == 0 && pair->link > 0 ? pair->address : (char *)(size_t)options.server,
                    options.file != NULL ? "--downloads" : NULL,
                    home,
                    NULL};
    struct person *p = &pair->side[side];
    (void)snprintf(program, sizeof program, "%s/ternchat", options.bin);
    /* A server may know those of an earlier run. */
    (void)snprintf(name, sizeof name, "p%d.%u-%d", (int)getpid(), index, side);
    (void)snprintf(room, sizeof room, "room%d.%u", (int)getpid(), index);
    (void)snprintf(home, sizeof home, "%s/p%u-%d", folder, index, side);
    (void)snprintf(log, sizeof log, "%s.log", home);
    (void)mkdir(home, 0700);
    p->said = calloc(LINES_MAX, sizeof *p->said);
    p->pid = p->said == NULL ? -1 : start(log, argv, home, &p->in, &p->out);
    if (p->pid < 0) {
        fail("out of memory, or of processes");
    }
    (void)fcntl(p->out, F_SETFL, O_NONBLOCK);
}

/* --- lines -------------------------------------------------------------------------------------------- */

static void write_line(struct person *p, const char *line)
{
    size_t len = strlen(line);
    if (write(p->in, line, len) != (ssize_t)len) {
        fail("a program does not read: %s", strerror(errno));
    }
}

static void say(struct person *p)
{
    char line[64];
    if (p->said_count == LINES_MAX) {
        fail("too many lines");
    }
    (void)snprintf(line, sizeof line, "word %u of it\n", p->said_count);
    p->said[p->said_count++] = now_ms();
    write_line(p, line);
}

/* A line of side `side` in the eyes of the other. */
static void on_line(struct pair *pair, int reader, const char *line, double at)
{
    struct person *to = &pair->side[reader];
    const struct person *from = &pair->side[1 - reader];
    char whose[16];
    unsigned number = 0;
    (void)snprintf(whose, sizeof whose, "-%d> ", 1 - reader);
    const char *words = strstr(line, whose);
    if (words == NULL) {
        return;
    }
    words += strlen(whose);
    to->is_met = to->is_met || strcmp(words, "hello") == 0;
    if (sscanf(words, "word %u of it", &number) != 1) {
        return;
    }
    wrong += number == to->heard ? 0 : 1;
    to->heard = number + 1;
    to->last_at = at;
    if (number < from->said_count && options.blackout == 0) {
        samples_add(&delays[1 - reader], at - from->said[number]);
    }
}

static void read_lines(struct pair *pair, int reader)
{
    struct person *p = &pair->side[reader];
    ssize_t n = read(p->out, p->buf + p->used, sizeof p->buf - p->used - 1);
    double at = now_ms();
    if (n <= 0) {
        if (n == 0) {
            fail("a program has ended: see %s", folder);
        }
        return;
    }
    p->used += (size_t)n;
    char *from = p->buf, *end;
    while ((end = memchr(from, '\n', p->used - (size_t)(from - p->buf))) != NULL) {
        *end = '\0';
        on_line(pair, reader, from, at);
        from = end + 1;
    }
    p->used -= (size_t)(from - p->buf);
    memmove(p->buf, from, p->used);
}

/* Reads what comes until then. */
static void wait_until(double until)
{
    struct pollfd fds[SIDES * PAIRS_MAX];
    for (double now; (now = now_ms()) < until;) {
        double left = until - now;
        struct timespec timeout = {(time_t)(left / 1e3),
                                   (long)((left - 1e3 * (double)(time_t)(left / 1e3)) * 1e6)};
        for (unsigned i = 0; i < SIDES * options.pairs; i++) {
            fds[i] = (struct pollfd){.fd = pairs[i / SIDES].side[i % SIDES].out, .events = POLLIN};
        }
        if (ppoll(fds, SIDES * options.pairs, &timeout, NULL) <= 0) {
            continue;
        }
        for (unsigned i = 0; i < SIDES * options.pairs; i++) {
            if (fds[i].revents != 0) {
                read_lines(&pairs[i / SIDES], (int)(i % SIDES));
            }
        }
    }
}

static void meet(void)
{
    double until = now_ms() + PATIENCE * 1e3;
    unsigned met = 0;
    while (met < SIDES * options.pairs) {
        if (now_ms() > until) {
            fail("they do not meet: see %s", folder);
        }
        met = 0;
        for (unsigned i = 0; i < SIDES * options.pairs; i++) {
            const struct person *p = &pairs[i / SIDES].side[i % SIDES];
            met += p->is_met ? 1 : 0;
            if (!pairs[i / SIDES].side[1 - i % SIDES].is_met) {
                write_line(&pairs[i / SIDES].side[i % SIDES], "hello\n");
            }
        }
        wait_until(now_ms() + 300);
    }
}

static bool is_all_heard(void)
{
    for (unsigned i = 0; i < SIDES * options.pairs; i++) {
        const struct pair *pair = &pairs[i / SIDES];
        if (pair->side[i % SIDES].heard != pair->side[1 - i % SIDES].said_count) {
            return false;
        }
    }
    return true;
}

static void wait_for_all(void)
{
    double until = now_ms() + PATIENCE * 1e3;
    while (!is_all_heard() && now_ms() < until) {
        wait_until(now_ms() + 20);
    }
    wrong += is_all_heard() ? 0 : 1;
}

/* --- what is measured --------------------------------------------------------------------------------- */

/* How often has the side that gets the file said that it is there? */
static unsigned files_here(void)
{
    char path[160], line[512];
    unsigned count = 0;
    (void)snprintf(path, sizeof path, "%s/p0-%d.log", folder, options.is_backward ? 0 : 1);
    FILE *log = fopen(path, "re");
    while (log != NULL && fgets(line, sizeof line, log) != NULL) {
        count += strstr(line, " is here: ") != NULL ? 1 : 0;
    }
    if (log != NULL) {
        (void)fclose(log);
    }
    return count;
}

/* Is all of it there as often as it was sent? Files of one name are numbered. */
static bool are_files_right(const struct stat *sent)
{
    char path[600], number[16] = "";
    const char *name = strrchr(options.file, '/');
    bool is_right = true;
    for (unsigned i = 0; i < files; i++) {
        struct stat st = {0};
        if (i > 0) {
            (void)snprintf(number, sizeof number, " (%u)", i);
        }
        (void)snprintf(path, sizeof path, "%s/p0-%d/%s%s", folder, options.is_backward ? 0 : 1,
                       name == NULL ? options.file : name + 1, number);
        is_right = is_right && stat(path, &st) == 0 && st.st_size == sent->st_size;
    }
    return is_right;
}

/* Offers the file and takes it, and waits until it is on its way. */
static void start_file(void)
{
    int from = options.is_backward ? 1 : 0;
    char line[600];
    (void)snprintf(line, sizeof line, "/send %s\n", options.file);
    write_line(&pairs[0].side[from], line);
    wait_until(now_ms() + 1000);
    write_line(&pairs[0].side[1 - from], "/get\n");
    wait_until(now_ms() + 200);
}

/* A line each way now and then, at no fixed beat. */
static void talk(void)
{
    double at = now_ms();
    for (unsigned said = 0; said < options.lines; said++) {
        at += options.every * (0.5 + (double)(random() % 1000) / 1000.0);
        wait_until(at);
        say(&pairs[0].side[said % SIDES]);
    }
    wait_for_all();
}

/* The same, while the file goes once and again. A file that few lines meet, or that is not there in time or not
 * what it was, is no measure. */
static void talk_beside_file(void)
{
    unsigned said = 0;
    struct stat sent = {0};
    bool is_fine = stat(options.file, &sent) == 0 && sent.st_size > 0;
    while (is_fine && said < options.lines) {
        start_file();
        double began = now_ms(), at = began;
        unsigned before = said;
        while (files_here() == files && at < began + PATIENCE * 1e3) {
            at += options.every * (0.5 + (double)(random() % 1000) / 1000.0);
            wait_until(at);
            say(&pairs[0].side[said++ % SIDES]);
        }
        file_s += (now_ms() - began) / 1e3;
        is_fine = files_here() == ++files && said - before >= FEW;
    }
    wrong += is_fine && are_files_right(&sent) ? 0 : 1;
    wait_for_all();
}

/* Lines of both into the blackout, three of each; and how long after its end all are there. */
static void sit_in_the_dark(void)
{
    double first = pairs[0].back_at - options.blackout * 1e3;
    for (unsigned n = 0; n < 2 * BEFORE * options.pairs && now_ms() < first - 500; n++) {
        say(&pairs[n / SIDES % options.pairs].side[n % SIDES]);
        wait_until(now_ms() + 100.0 / options.pairs);
    }
    wait_until(first + 400);
    for (unsigned n = 0; n < 3; n++) {
        for (unsigned i = 0; i < SIDES * options.pairs; i++) {
            say(&pairs[i / SIDES].side[i % SIDES]);
        }
        wait_until(first + (n + 1) * options.blackout * 1e3 / 4);
    }
    wait_until(pairs[options.pairs - 1].back_at);
    wait_for_all();
    for (unsigned i = 0; i < SIDES * options.pairs; i++) {
        const struct pair *pair = &pairs[i / SIDES];
        samples_add(&waits[1 - i % SIDES], pair->side[i % SIDES].last_at - pair->back_at);
    }
}

static void print_samples(const char *name, struct samples *s)
{
    (void)printf(",\"%s\":{\"count\":%zu,\"p50\":%.2f,\"p90\":%.2f,\"p99\":%.2f,\"max\":%.2f}",
                 name, s->count, samples_percentile(s, 50), samples_percentile(s, 90),
                 samples_percentile(s, 99), samples_percentile(s, 100));
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

static void stop_all(void)
{
    for (unsigned i = 0; i < options.pairs; i++) {
        pid_t pids[] = {pairs[i].side[0].pid, pairs[i].side[1].pid, pairs[i].link};
        for (size_t k = 0; k < 3; k++) {
            if (pids[k] > 0) {
                (void)kill(pids[k], SIGTERM);
                (void)waitpid(pids[k], NULL, 0);
            }
        }
    }
}

static const struct option longs[] = {
    {"bin", required_argument, NULL, 'b'},      {"server", required_argument, NULL, 's'},
    {"link", required_argument, NULL, 'l'},     {"file", required_argument, NULL, 'f'},
    {"every", required_argument, NULL, 'e'},    {"lines", required_argument, NULL, 'n'},
    {"blackout", required_argument, NULL, 'o'}, {"pairs", required_argument, NULL, 'p'},
    {"backward", no_argument, NULL, 'B'},       {NULL, 0, NULL, 0}};

static bool take(int opt, const char *value)
{
    switch (opt) {
    case 'b':
        options.bin = value;
        return true;
    case 's':
        options.server = value;
        return true;
    case 'l':
        options.link = value;
        return true;
    case 'f':
        options.file = value;
        return true;
    case 'e':
        options.every = strtod(value, NULL);
        return options.every > 0;
    case 'n':
        options.lines = (unsigned)strtoul(value, NULL, 10);
        return options.lines <= LINES_MAX;
    case 'o':
        options.blackout = strtod(value, NULL);
        return options.blackout > 0;
    case 'p':
        options.pairs = (unsigned)strtoul(value, NULL, 10);
        return options.pairs > 0 && options.pairs <= PAIRS_MAX;
    case 'B':
        options.is_backward = true;
        return true;
    default:
        return false;
    }
}

int main(int argc, char **argv)
{
    bool is_fine = true;
    for (int opt; (opt = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
        is_fine = is_fine && take(opt, optarg);
    }
    if (!is_fine || options.bin == NULL || options.server == NULL ||
        (options.blackout > 0 && options.link == NULL)) {
        (void)fprintf(
            stderr,
            "usage: chat_people --bin FOLDER --server HOST:PORT [--link 'LINK OPTIONS'] "
            "[--lines 400] [--every 50]\n"
            "       [--file FILE [--backward]] | --link '...' --blackout SECONDS [--pairs 8]\n");
        return 2;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    pairs = calloc(options.pairs, sizeof *pairs);
    if (pairs == NULL || mkdtemp(folder) == NULL) {
        fail("no folder for them: %s", strerror(errno));
    }
    for (unsigned i = 0; i < options.pairs; i++) {
        if (options.link != NULL) {
            start_link(&pairs[i], i);
        }
        start_person(&pairs[i], i, 0);
        start_person(&pairs[i], i, 1);
    }
    meet();
    if (options.blackout > 0) {
        sit_in_the_dark();
    } else if (options.file != NULL) {
        talk_beside_file();
    } else {
        talk();
    }
    (void)printf("{\"link\":\"%s\",\"blackout_s\":%.0f,\"files\":%u,\"file_s\":%.1f,\"wrong\":%llu",
                 options.link == NULL ? "" : options.link, options.blackout, files,
                 files == 0 ? 0 : file_s / files, (unsigned long long)wrong);
    print_samples(options.blackout > 0 ? "out_after_ms" : "out_ms",
                  options.blackout > 0 ? &waits[0] : &delays[0]);
    print_samples(options.blackout > 0 ? "in_after_ms" : "in_ms",
                  options.blackout > 0 ? &waits[1] : &delays[1]);
    (void)puts("}");
    stop_all();
    (void)nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return wrong == 0 ? 0 : 1;
}
