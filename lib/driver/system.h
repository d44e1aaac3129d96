/* Sockets as the driver needs them, by whichever calls the system has; failures are told by errno.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_DRIVER_SYSTEM_H
#define TERN_DRIVER_SYSTEM_H

#include "driver/sockaddr.h"

/* A datagram socket that waits for nobody and is not handed to children. -1: errno says why. Windows'
 * handles have 32 significant bits, and so fit into an int. */
int tern_socket_open(int family);
/* errno stays. */
void tern_socket_close(int fd);
/* 0 · TERN_ERR_SYSTEM */
TERN_MUST_CHECK int tern_socket_unblock(int fd);
TERN_MUST_CHECK int tern_socket_bind(int fd, const union tern_sockaddr *sa, socklen_t len);
TERN_MUST_CHECK int tern_socket_connect(int fd, const union tern_sockaddr *sa, socklen_t len);
TERN_MUST_CHECK int tern_socket_name(int fd, union tern_sockaddr *out);
/* Whether the system took it. */
bool tern_socket_set(int fd, int level, int option, int value);
/* 0 as well where there is no such option. */
int tern_socket_option(int fd, int level, int option);

/* One datagram, whole. */
TERN_MUST_CHECK int tern_socket_send(int fd, const uint8_t *data, size_t len,
                                     const union tern_sockaddr *to, socklen_t to_len);
/* How long it is; below 0: errno says why. */
TERN_MUST_CHECK ptrdiff_t tern_socket_receive(int fd, uint8_t *buf, size_t size,
                                              union tern_sockaddr *from);
/* At most so many milliseconds (below 0: without end). Above 0: something has come, or, if asked, can leave; 0:
 * neither; below 0: errno says why. */
TERN_MUST_CHECK int tern_socket_wait(int fd, bool wants_write, int ms);

/* Names may be resolved from now on. */
void tern_system_start(void);

#endif
