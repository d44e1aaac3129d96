/* The game on a terminal: a picture a frame, keys one by one, and the terminal as it was afterwards.
 * SPDX-License-Identifier: MIT */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "examples/game/game.h"

#define ENTER "\033[?1049h\033[?25l\033[2J" /* the other screen, without a cursor */
#define LEAVE "\033[0m\033[?25h\033[?1049l"

static struct termios before;
static volatile sig_atomic_t is_open, has_keys;

/* Only what a signal handler may call. */
void view_close(void)
{
    if (is_open != 0) {
        is_open = 0;
        ssize_t n = write(STDOUT_FILENO, LEAVE, sizeof LEAVE - 1);
        (void)n; /* nobody looks */
        if (has_keys != 0) {
            (void)tcsetattr(STDIN_FILENO, TCSANOW, &before);
        }
    }
}

/* What ends the program at once. SA_RESETHAND: then it does. */
static void on_crash(int number)
{
    view_close();
    (void)raise(number);
}

/* Keys come one by one, and reading never waits. Ctrl-Z would leave a terminal like that to the shell. */
static void take_keys(void)
{
    if (tcgetattr(STDIN_FILENO, &before) == 0) {
        struct termios raw = before;
        raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        raw.c_cc[VMIN] = 0;
        raw.c_cc[VTIME] = 0;
        raw.c_cc[VSUSP] = _POSIX_VDISABLE;
        has_keys = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
    }
}

bool view_open(void)
{
    static const int crashes[] = {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGPIPE, SIGSEGV};
    struct sigaction action;
    if (isatty(STDOUT_FILENO) != 1 || atexit(view_close) != 0) {
        return false;
    }
    memset(&action, 0, sizeof action);
    action.sa_handler = on_crash;
    action.sa_flags = (int)SA_RESETHAND;
    for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++) {
        (void)sigaction(crashes[i], &action, NULL);
    }
    take_keys();
    is_open = 1;
    return write(STDOUT_FILENO, ENTER, sizeof ENTER - 1) > 0;
}

bool view_keys(struct client *c)
{
    char key;
    while (has_keys != 0 && read(STDIN_FILENO, &key, 1) == 1) {
        c->held.dx = key == 'd' ? 1 : key == 'a' ? -1 : 0;
        c->held.dy = key == 's' ? 1 : key == 'w' ? -1 : 0;
        if (key == 'q') {
            return false;
        }
    }
    return true;
}

/* A picture under way: written at once, so that it does not flicker. */
struct picture {
    char text[8192];
    size_t len;
};

__attribute__((format(printf, 2, 3))) static void add(struct picture *p, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(p->text + p->len, sizeof p->text - p->len, format, args);
    va_end(args);
    p->len += n < 0 || (size_t)n >= sizeof p->text - p->len ? 0 : (size_t)n;
}

static const struct place *who_is_at(const struct snapshot *shot, uint32_t x, uint32_t y)
{
    for (size_t i = 0; i < shot->count; i++) {
        if (shot->places[i].x / CELL == x && shot->places[i].y / CELL == y) {
            return &shot->places[i];
        }
    }
    return NULL;
}

static void add_field(struct picture *p, const struct snapshot *shot)
{
    static const char line[] = "------------------------------------------------"; /* WIDTH */
    add(p, "+%s+\r\n", line);
    for (uint32_t y = 0; y < HEIGHT; y++) {
        add(p, "|");
        for (uint32_t x = 0; x < WIDTH; x++) {
            const struct place *who = who_is_at(shot, x, y);
            if (who == NULL) {
                add(p, " ");
            } else {
                int colour = 31 + who->id % 6;
                add(p, "\033[1;%s%dm%c\033[0m", who->id == shot->you ? "7;" : "", colour,
                    'A' + (who->id - 1) % 26);
            }
        }
        add(p, "|\r\n");
    }
    add(p, "+%s+\r\n", line);
}

static void add_clock(struct picture *p, const struct client *c)
{
    tern_clock clock = {.size = sizeof clock};
    tern_time now = tern_udp_now(), theirs;
    if (tern_conn_clock(c->conn, &clock) != 0 || tern_conn_peer_time(c->conn, &theirs, now) != 0) {
        add(p, "clock: not known yet\033[K\r\n");
        return;
    }
    double ahead = (double)theirs - (double)tern_conn_session_time(c->conn, now);
    add(p, "clock %+.2f ms +- %.2f  drift %+.1f ppm  %llu samples\033[K\r\n", ahead / 1e6,
        (double)clock.uncertainty / 1e6, (double)clock.drift / 1e3,
        (unsigned long long)clock.samples);
}

static void add_hud(struct picture *p, const struct client *c)
{
    const tern_stats *s = &c->stats;
    if (c->conn == NULL || !tern_conn_is_established(c->conn)) {
        add(p, "%s\033[K\r\n\033[J", c->conn == NULL ? c->why : "connecting");
        return;
    }
    add(p, "rtt %.1f ms  jitter %.1f ms  loss %.1f %%  queued %llu B\033[K\r\n",
        (double)s->smoothed_rtt / 1e6, (double)s->jitter / 1e6, (double)s->loss_rate / 100,
        (unsigned long long)c->queued);
    add_clock(p, c);
    add(p, "snapshots %llu  smooth %.1f %%  news: %s\033[K\r\n", (unsigned long long)c->shot_count,
        c->shows == 0 ? 0.0 : 100.0 * (double)c->smooth / (double)c->shows, c->news);
    add(p, "%sq to leave\033[K\r\n\033[J", c->is_bot ? "" : "w a s d to move, ");
}

void view_draw(const struct client *c)
{
    struct picture p;
    p.len = 0;
    add(&p, "\033[H");
    add_field(&p, &c->shown);
    add_hud(&p, c);
    ssize_t n = write(STDOUT_FILENO, p.text, p.len);
    (void)n; /* nobody looks */
}
