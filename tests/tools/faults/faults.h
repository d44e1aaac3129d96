/* A kernel that refuses: it stands between the driver and the system calls of its socket, linked into a test or
 * preloaded into a program (LD_PRELOAD), which then takes what it does from the environment.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_FAULTS_H
#define TERN_FAULTS_H

#include <stdbool.h>

struct faults {
    bool has_no_gso, has_no_gro, has_no_ancillary; /* as an old kernel's */
    int buffer;                                    /* the most that a socket's may be; 0: any */
    /* Send calls from number `first` to before number `last` (0: for ever) fail, of each `every` one, with
     * `error`: all of them, those that bear several datagrams in one (is_gso), or those with a datagram of more
     * than `longest` bytes (not 0). */
    int error;
    unsigned first, last, every, longest;
    bool is_gso;
    unsigned calls, refused; /* so far */
    unsigned unwatched;      /* so many epoll_ctl fail, for want of memory */
};

extern struct faults faults;

#endif
