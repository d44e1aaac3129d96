/* Seconds by a clock that nobody sets, for whatever has a time to wait: ev_now() and ev_time() go by the calendar,
 * which a person or a time server may put back by an hour, and then it waits for that hour.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_APPS_STEADY_H
#define TERN_APPS_STEADY_H

#include <tern/udp.h>

static inline double steady_now(void)
{
    return (double)tern_udp_now() / 1e9;
}

#endif
