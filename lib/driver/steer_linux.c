/* Linux: SO_REUSEPORT with a classic BPF program that returns the number of a socket.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <sys/socket.h>

#include "driver/udp.h"

#ifndef SO_ATTACH_REUSEPORT_CBPF
#define SO_ATTACH_REUSEPORT_CBPF 51
#endif

int tern_udp_share_port(int fd)
{
    int on = 1;
    return setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0 ? 0 : TERN_ERR_SYSTEM;
}

/* The program sees the UDP payload. A number beyond the last socket means: by the hash of the addresses,
 * which is what a packet without an identifier of ours gets. Of long headers only Handshake packets bear one
 * ([P §3]); a load beyond the end of the packet returns 0, the first socket. */
int tern_udp_steer(int fd, size_t at)
{
    enum { NOBODY = 0xffff, CID_SIZE = 8, TYPE_BITS = 0x30, TYPE_HANDSHAKE = 0x20 };
    const uint32_t behind_short = 1 + (uint32_t)at, behind_long = 6 + (uint32_t)at;
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x80, 2, 0),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, behind_short),
        BPF_STMT(BPF_RET | BPF_A, 0),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, TYPE_BITS),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TYPE_HANDSHAKE, 0, 4),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 5), /* the identifier's length */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CID_SIZE, 0, 2),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, behind_long),
        BPF_STMT(BPF_RET | BPF_A, 0),
        BPF_STMT(BPF_RET | BPF_K, NOBODY),
    };
    struct sock_fprog program = {.len = sizeof code / sizeof code[0], .filter = code};
    if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof program) == 0) {
        return 0;
    }
    return errno == ENOPROTOOPT ? TERN_ERR_UNSUPPORTED : TERN_ERR_SYSTEM;
}
