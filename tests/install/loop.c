/* libtern-ev: both ends on one libev loop, over the loopback.
 * SPDX-License-Identifier: MIT */
#include <tern/ev.h>

#include "ends.h"

static struct ev_loop *loop;

static void on_ready(tern_ev *binding, void *user)
{
    (void)binding;
    (void)user;
    ends_poll(); /* what either end then has to say leaves before the loop sleeps */
    if (ends_are_done()) {
        ev_break(loop, EVBREAK_ALL);
    }
}

static void on_timeout(struct ev_loop *of, ev_timer *timer, int what)
{
    (void)timer;
    (void)what;
    ev_break(of, EVBREAK_ALL);
}

int main(void)
{
    tern_udp *drivers[2] = {NULL, NULL};
    tern_ev *bindings[2] = {NULL, NULL};
    ev_timer timeout;
    tern_addr local, to;
    loop = ev_default_loop(0);
    bool works = tern_addr_parse(&local, "127.0.0.1:0") == 0 && ends_open(tern_udp_now()) &&
                 tern_udp_open(&drivers[0], client.endpoint, &local) == 0 &&
                 tern_udp_open(&drivers[1], server.endpoint, &local) == 0;
    if (works) {
        to = tern_udp_local(drivers[1]);
        works =
            ends_connect(&to, tern_udp_now()) &&
            tern_ev_start(&bindings[0], loop, drivers[0], client.endpoint, on_ready, NULL) == 0 &&
            tern_ev_start(&bindings[1], loop, drivers[1], server.endpoint, on_ready, NULL) == 0;
    }
    if (works) {
        ev_timer_init(&timeout, on_timeout, 60.0, 0.0);
        ev_timer_start(loop, &timeout);
        ev_run(loop, 0);
        ev_timer_stop(loop, &timeout);
    }
    for (int i = 0; i < 2; i++) {
        tern_ev_stop(bindings[i]);
        tern_udp_close(drivers[i]);
    }
    return ends_report("loop");
}
