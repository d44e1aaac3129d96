/* A file over TCP and nothing else: no encryption, no check, no name. What a link gives at best to those
 * who use the system's TCP.
 *
 *     copy_tcp serve ADDR PORT FILE        takes one file after the other under this name
 *     copy_tcp send ADDR PORT FILE         and waits until it is there
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 1 << 20 };

_Noreturn static void fail(const char *what)
{
    fprintf(stderr, "copy_tcp: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

static struct sockaddr_in address(char **argv)
{
    struct sockaddr_in sin = {.sin_family = AF_INET};
    sin.sin_port = htons((uint16_t)strtoul(argv[3], NULL, 10));
    if (inet_pton(AF_INET, argv[2], &sin.sin_addr) != 1) {
        errno = EINVAL;
        fail(argv[2]);
    }
    return sin;
}

static void take_one(int conn, const char *path)
{
    static char chunk[CHUNK];
    ssize_t n;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) {
        fail(path);
    }
    while ((n = read(conn, chunk, sizeof chunk)) > 0) {
        if (write(fd, chunk, (size_t)n) != n) {
            fail(path);
        }
    }
    if (close(fd) != 0 || n < 0 || write(conn, "", 1) != 1) {
        fail("a connection");
    }
}

static void serve(const struct sockaddr_in *sin, const char *path)
{
    int one = 1, door = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (door < 0 || setsockopt(door, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
        bind(door, (const struct sockaddr *)sin, sizeof *sin) != 0 || listen(door, 8) != 0) {
        fail("listening");
    }
    fprintf(stderr, "copy_tcp: listening\n");
    for (int conn; (conn = accept(door, NULL, NULL)) >= 0; (void)close(conn)) {
        take_one(conn, path);
    }
    fail("accepting");
}

static void send_one(const struct sockaddr_in *sin, const char *path)
{
    struct stat st;
    char answer;
    int fd = open(path, O_RDONLY | O_CLOEXEC),
        conn = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || fstat(fd, &st) != 0) {
        fail(path);
    }
    if (conn < 0 || connect(conn, (const struct sockaddr *)sin, sizeof *sin) != 0) {
        fail("connecting");
    }
    for (off_t at = 0; at < st.st_size;) {
        if (sendfile(conn, fd, &at, (size_t)(st.st_size - at)) <= 0) {
            fail("sending");
        }
    }
    if (shutdown(conn, SHUT_WR) != 0 || read(conn, &answer, 1) != 1) {
        fail("the answer");
    }
}

int main(int argc, char **argv)
{
    if (argc != 5 || (strcmp(argv[1], "serve") != 0 && strcmp(argv[1], "send") != 0)) {
        fprintf(stderr, "usage: copy_tcp serve|send ADDR PORT FILE\n");
        return 2;
    }
    struct sockaddr_in sin = address(argv);
    if (strcmp(argv[1], "serve") == 0) {
        serve(&sin, argv[4]);
    }
    send_one(&sin, argv[4]);
    return EXIT_SUCCESS;
}
