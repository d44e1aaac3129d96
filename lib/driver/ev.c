/* The libev binding: watchers for the socket, the endpoint's deadline, and work queued elsewhere.
 *
 * libev rounds its own timers up to the millisecond, which is coarser than pacing. Where timerfd
 * exists the deadline is armed there, to the nanosecond; elsewhere by an ev_timer.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <stdlib.h>
#include <unistd.h>

#if defined(__linux__)
#include <sys/timerfd.h>
#endif

#include <tern/ev.h>

#define MEND_PATIENCE 0.05 /* seconds */

struct tern_ev {
    struct ev_loop *loop;
    tern_udp *udp;
    tern_ev_fn ready;
    void *user;

    ev_io readable, writable, roam;
    ev_prepare prepare;
    ev_watcher wake;   /* never started: tern_ev_wake feeds it */
    ev_timer again;    /* ... once in a turn of the loop; then this is for the next */
    unsigned woken_in; /* the turn, counted from 1 */
    int alarm_fd;      /* -1: none, then `timer` serves */
    ev_io alarm;
    ev_timer timer;
    ev_timer mend;   /* running: the loop could not watch something, and is asked again */
    tern_time armed; /* TERN_TIME_NEVER: not armed */
    bool in_ready;
    int error;
};

static void note_error(struct tern_ev *ev, int rc)
{
    if (rc != 0 && ev->error == 0) {
        ev->error = rc;
    }
}

/* --- the alarm --- */

#if defined(__linux__)
static int alarm_open(void)
{
    return timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
}

/* In so long, since our time is not the system's where that has stepped back (tern_udp_now). */
static bool alarm_set(int fd, tern_time at)
{
    struct itimerspec spec = {0};
    tern_time now = tern_udp_now();
    tern_time wait = at > now ? at - now : 1; /* zero would disarm it */
    spec.it_value.tv_sec = (time_t)(wait / TERN_SEC);
    spec.it_value.tv_nsec = (long)(wait % TERN_SEC);
    return timerfd_settime(fd, 0, &spec, NULL) == 0;
}
#else
static int alarm_open(void)
{
    return -1;
}

static bool alarm_set(int fd, tern_time at)
{
    (void)fd;
    (void)at;
    return false;
}
#endif

static void timer_set(struct tern_ev *ev, tern_time at)
{
    tern_time now = tern_udp_now();
    ev_now_update(ev->loop);
    ev->timer.repeat = at > now ? (double)(at - now) / (double)TERN_SEC : 1e-9;
    ev_timer_again(ev->loop, &ev->timer);
}

/* Arms for the driver's deadline. An alarm that rings too early costs one wake-up, one that is
 * moved costs a system call each time: deadlines only ever move on while packets flow, so an
 * earlier alarm is left as it is. */
static void rearm(struct tern_ev *ev)
{
    tern_time at = tern_udp_deadline(ev->udp);
    if (at >= ev->armed) {
        return;
    }
    if (ev->alarm_fd < 0 || !alarm_set(ev->alarm_fd, at)) {
        timer_set(ev, at);
    }
    ev->armed = at;
}

/* The kernel has no memory left to watch the timer: libev has its own. */
static void alarm_give_up(struct tern_ev *ev)
{
    (void)close(ev->alarm_fd);
    ev->alarm_fd = -1;
    ev->armed = TERN_TIME_NEVER;
}

/* --- work --- */

static void flush(struct tern_ev *ev)
{
    note_error(ev, tern_udp_flush(ev->udp));
    if (tern_udp_wants_write(ev->udp)) {
        ev_io_start(ev->loop, &ev->writable);
    } else {
        ev_io_stop(ev->loop, &ev->writable);
    }
}

static void call_ready(struct tern_ev *ev)
{
    ev->in_ready = true;
    ev->ready(ev, ev->user);
    ev->in_ready = false;
    flush(ev);
}

/* The kernel did not take a descriptor (epoll_ctl: ENOMEM, or ENOSPC for too many of a user): libev has stopped
 * its watchers, and nothing would be heard any more. There may be room again soon. libev tells us only after it
 * has slept, so whoever has started a watcher must look again. */
static void look_again(struct tern_ev *ev)
{
    if (!ev_is_active(&ev->mend)) {
        ev_now_update(ev->loop);
        ev_timer_set(&ev->mend, MEND_PATIENCE, 0.);
        ev_timer_start(ev->loop, &ev->mend);
    }
}

static bool has_failed(struct tern_ev *ev, int revents)
{
    if ((revents & EV_ERROR) != 0) {
        look_again(ev);
    }
    return (revents & EV_ERROR) != 0;
}

static void watch(struct tern_ev *ev, ev_io *watcher, int events)
{
    if (watcher->fd >= 0 && !ev_is_active(watcher)) {
        ev_io_set(watcher, watcher->fd, events); /* or libev thinks that the kernel knows */
        ev_io_start(ev->loop, watcher);
        look_again(ev);
    }
}

static void on_mend(struct ev_loop *loop, ev_timer *watcher, int revents)
{
    (void)loop;
    (void)revents;
    struct tern_ev *ev = watcher->data;
    watch(ev, &ev->readable, EV_READ);
    watch(ev, &ev->roam, EV_READ);
    if (tern_udp_wants_write(ev->udp)) {
        watch(ev, &ev->writable, EV_WRITE);
    }
}

static void on_readable(struct ev_loop *loop, ev_io *watcher, int revents)
{
    (void)loop;
    struct tern_ev *ev = watcher->data;
    if (has_failed(ev, revents)) {
        return;
    }
    note_error(ev, tern_udp_receive(ev->udp));
    call_ready(ev);
}

static void on_roam(struct ev_loop *loop, ev_io *watcher, int revents)
{
    (void)loop;
    struct tern_ev *ev = watcher->data;
    if (!has_failed(ev, revents)) {
        tern_udp_on_roam(ev->udp);
        flush(ev);
    }
}

static void on_writable(struct ev_loop *loop, ev_io *watcher, int revents)
{
    (void)loop;
    if (!has_failed(watcher->data, revents)) {
        flush(watcher->data);
    }
}

/* The deadline came, or nearly. */
static void ring(struct tern_ev *ev)
{
    ev->armed = TERN_TIME_NEVER;
    tern_time now = tern_udp_now();
    if (tern_udp_deadline(ev->udp) <= now) {
        note_error(ev, tern_udp_tick(ev->udp));
        call_ready(ev);
    }
}

static void on_alarm(struct ev_loop *loop, ev_io *watcher, int revents)
{
    (void)loop;
    struct tern_ev *ev = watcher->data;
    uint64_t rings = 0;
    if ((revents & EV_ERROR) != 0) {
        alarm_give_up(ev);
    } else if (read(ev->alarm_fd, &rings, sizeof rings) == (ssize_t)sizeof rings) {
        ring(ev);
    }
}

static void on_timer(struct ev_loop *loop, ev_timer *watcher, int revents)
{
    (void)revents;
    ev_timer_stop(loop, watcher);
    ring(watcher->data);
}

static void on_wake(struct ev_loop *loop, ev_watcher *watcher, int revents)
{
    (void)loop;
    (void)revents;
    struct tern_ev *ev = watcher->data;
    ev->woken_in = ev_iteration(ev->loop) + 1;
    flush(ev);
    call_ready(ev);
}

static void on_again(struct ev_loop *loop, ev_timer *watcher, int revents)
{
    struct tern_ev *ev = watcher->data;
    on_wake(loop, &ev->wake, revents);
}

/* Before the loop sleeps: whatever any other watcher queued goes out, and the alarm is right. */
static void on_prepare(struct ev_loop *loop, ev_prepare *watcher, int revents)
{
    (void)loop;
    (void)revents;
    struct tern_ev *ev = watcher->data;
    if (!tern_udp_wants_write(ev->udp)) {
        flush(ev);
    }
    rearm(ev);
}

/* --- start and stop --- */

static void watchers_init(struct tern_ev *ev, const tern_udp *udp)
{
    ev_io_init(&ev->readable, on_readable, tern_udp_fd(udp), EV_READ);
    ev_io_init(&ev->writable, on_writable, tern_udp_fd(udp), EV_WRITE);
    ev_io_init(&ev->roam, on_roam, tern_udp_roam_fd(udp), EV_READ);
    ev_io_init(&ev->alarm, on_alarm, ev->alarm_fd, EV_READ);
    ev->readable.data = ev->writable.data = ev->alarm.data = ev->roam.data = ev;
}

static void timers_init(struct tern_ev *ev)
{
    ev_timer_init(&ev->timer, on_timer, 0., 0.);
    ev_timer_init(&ev->mend, on_mend, MEND_PATIENCE, 0.);
    ev_timer_init(&ev->again, on_again, 0., 0.);
    ev_prepare_init(&ev->prepare, on_prepare);
    ev_init(&ev->wake, on_wake);
    ev->timer.data = ev->mend.data = ev->prepare.data = ev->wake.data = ev->again.data = ev;
}

int tern_ev_start(tern_ev **out, struct ev_loop *loop, tern_udp *udp, tern_endpoint *endpoint,
                  tern_ev_fn ready, void *user)
{
    (void)endpoint; /* the driver's */
    struct tern_ev *ev = calloc(1, sizeof *ev);
    if (ev == NULL) {
        return TERN_ERR_NOMEM;
    }
    ev->loop = loop;
    ev->udp = udp;
    ev->ready = ready;
    ev->user = user;
    ev->armed = TERN_TIME_NEVER;
    ev->alarm_fd = alarm_open();
    watchers_init(ev, udp);
    timers_init(ev);
    ev_prepare_start(loop, &ev->prepare);
    watch(ev, &ev->readable, EV_READ);
    watch(ev, &ev->alarm, EV_READ);
    watch(ev, &ev->roam, EV_READ);
    *out = ev;
    return 0;
}

void tern_ev_wake(tern_ev *binding)
{
    if (binding->in_ready) {
        return;
    }
    if (binding->woken_in != ev_iteration(binding->loop) + 1) {
        ev_feed_event(binding->loop, &binding->wake, EV_CUSTOM);
        return;
    }
    /* Two bindings that wake one another from `ready` would keep the loop from ever looking at its sockets. */
    if (!ev_is_active(&binding->again)) {
        ev_timer_set(&binding->again, 0., 0.);
        ev_timer_start(binding->loop, &binding->again);
    }
}

void tern_ev_stop(tern_ev *binding)
{
    if (binding == NULL) {
        return;
    }
    ev_io_stop(binding->loop, &binding->readable);
    ev_io_stop(binding->loop, &binding->writable);
    ev_io_stop(binding->loop, &binding->alarm);
    ev_io_stop(binding->loop, &binding->roam);
    ev_timer_stop(binding->loop, &binding->timer);
    ev_timer_stop(binding->loop, &binding->again);
    ev_timer_stop(binding->loop, &binding->mend);
    ev_prepare_stop(binding->loop, &binding->prepare);
    (void)ev_clear_pending(binding->loop, &binding->wake);
    if (binding->alarm_fd >= 0) {
        (void)close(binding->alarm_fd);
    }
    free(binding);
}

int tern_ev_error(const tern_ev *binding)
{
    return binding->error;
}
