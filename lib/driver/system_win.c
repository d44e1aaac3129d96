/* Sockets and clock of Windows.
 * SPDX-License-Identifier: MIT */
#include <errno.h>

#include <tern/udp.h>

#include "driver/system.h"

/* mstcpip.h has it in the SDK's newer releases only. */
#define CONNRESET 0x9800000Cu /* _WSAIOW(IOC_VENDOR, 12) */

/* Sockets have the numbers that the driver knows them by. */
static SOCKET socket_of(int fd)
{
    return (SOCKET)(unsigned)fd;
}

tern_time tern_udp_now(void)
{
    LARGE_INTEGER ticks, rate;
    (void)QueryPerformanceCounter(&ticks); /* neither fails since Windows XP */
    (void)QueryPerformanceFrequency(&rate);
    tern_time per_second = (tern_time)rate.QuadPart, now = (tern_time)ticks.QuadPart;
    /* In two parts, since nanoseconds times ticks would not fit for long. */
    return now / per_second * TERN_SEC + now % per_second * TERN_SEC / per_second;
}

/* Each call counts, and no other ends what the first began: sockets may live as long as the process. */
void tern_system_start(void)
{
    WSADATA data;
    (void)WSAStartup(MAKEWORD(2, 2), &data); /* what follows fails, if this does */
}

/* What errno would be after the latest call on a socket. */
static int system_error(void)
{
    static const struct {
        int theirs, ours;
    } known[] = {
        {WSAEWOULDBLOCK, EAGAIN},      {WSAEINTR, EINTR},
        {WSAEMSGSIZE, EMSGSIZE},       {WSAECONNRESET, ECONNREFUSED},
        {WSAENETRESET, ECONNREFUSED},  {WSAECONNREFUSED, ECONNREFUSED},
        {WSAENETUNREACH, ENETUNREACH}, {WSAEHOSTUNREACH, EHOSTUNREACH},
        {WSAENETDOWN, ENETDOWN},       {WSAEADDRINUSE, EADDRINUSE},
        {WSAEINVAL, EINVAL},           {WSAEADDRNOTAVAIL, EADDRNOTAVAIL},
        {WSAEACCES, EACCES},           {WSAEAFNOSUPPORT, EAFNOSUPPORT},
        {WSAENOBUFS, ENOBUFS},         {WSAEMFILE, EMFILE},
        {WSAENOTSOCK, ENOTSOCK},       {WSAEBADF, EBADF},
        {WSAEFAULT, EFAULT},
    };
    int error = WSAGetLastError();
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (known[i].theirs == error) {
            return known[i].ours;
        }
    }
    return EIO;
}

/* What POSIX's calls return: 0, or an error with errno. */
static int outcome(int rc)
{
    if (rc == 0) {
        return 0;
    }
    errno = system_error();
    return TERN_ERR_SYSTEM;
}

int tern_socket_unblock(int fd)
{
    u_long yes = 1;
    return outcome(ioctlsocket(socket_of(fd), (long)FIONBIO, &yes));
}

/* An ICMP message about a datagram that was sent would make the next recvfrom fail, else. */
static void ignore_resets(SOCKET s)
{
    BOOL no = FALSE;
    DWORD len = 0;
    (void)WSAIoctl(s, CONNRESET, &no, sizeof no, NULL, 0, &len, NULL, NULL);
}

int tern_socket_open(int family)
{
    tern_system_start();
    SOCKET s = WSASocketW(family, SOCK_DGRAM, IPPROTO_UDP, NULL, 0,
                          WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
    if (s == INVALID_SOCKET) {
        errno = system_error();
        return -1;
    }
    int fd = (int)s;
    if (tern_socket_unblock(fd) != 0) {
        tern_socket_close(fd);
        return -1;
    }
    ignore_resets(s);
    return fd;
}

void tern_socket_close(int fd)
{
    (void)closesocket(socket_of(fd));
}

int tern_socket_bind(int fd, const union tern_sockaddr *sa, socklen_t len)
{
    return outcome(bind(socket_of(fd), &sa->any, len));
}

int tern_socket_connect(int fd, const union tern_sockaddr *sa, socklen_t len)
{
    return outcome(connect(socket_of(fd), &sa->any, len));
}

int tern_socket_name(int fd, union tern_sockaddr *out)
{
    socklen_t len = sizeof *out;
    *out = (union tern_sockaddr){0};
    return outcome(getsockname(socket_of(fd), &out->any, &len));
}

bool tern_socket_set(int fd, int level, int option, int value)
{
    return setsockopt(socket_of(fd), level, option, (const char *)&value, sizeof value) == 0;
}

int tern_socket_option(int fd, int level, int option)
{
    int value = 0;
    socklen_t len = sizeof value;
    return getsockopt(socket_of(fd), level, option, (char *)&value, &len) == 0 ? value : 0;
}

int tern_socket_send(int fd, const uint8_t *data, size_t len, const union tern_sockaddr *to,
                     socklen_t to_len)
{
    int sent = sendto(socket_of(fd), (const char *)data, (int)len, 0, &to->any, to_len);
    return outcome(sent < 0 ? sent : 0);
}

ptrdiff_t tern_socket_receive(int fd, uint8_t *buf, size_t size, union tern_sockaddr *from)
{
    socklen_t len = sizeof *from;
    *from = (union tern_sockaddr){0};
    int got = recvfrom(socket_of(fd), (char *)buf, (int)size, 0, &from->any, &len);
    return got < 0 ? outcome(got) : got;
}

int tern_socket_wait(int fd, bool wants_write, int ms)
{
    WSAPOLLFD pfd = {.fd = socket_of(fd), .events = POLLRDNORM};
    if (wants_write) {
        pfd.events |= POLLWRNORM;
    }
    int n = WSAPoll(&pfd, 1, ms);
    return n < 0 ? outcome(n) : n;
}
