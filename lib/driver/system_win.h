/* Windows' sockets by the numbers that the driver knows them by.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_DRIVER_SYSTEM_WIN_H
#define TERN_DRIVER_SYSTEM_WIN_H

#include "driver/system.h"

static inline SOCKET tern_socket_of(int fd)
{
    return (SOCKET)(unsigned)fd;
}

/* What errno would be after the latest call on a socket. */
int tern_system_error(void);

#endif
