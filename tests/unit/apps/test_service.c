/* Readiness and handed sockets, as a service manager does them; and the threads of a crew.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "shared/service.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "shared/crew.h"
#include "tern_test.h"

static void readiness_arrives(const char *name, socklen_t name_len, const char *variable)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    char got[64];
    memcpy(at.sun_path, name, name_len);
    int manager = socket(AF_UNIX, SOCK_DGRAM, 0);
    assert_true(manager >= 0);
    assert_int_equal(bind(manager, (struct sockaddr *)&at,
                          (socklen_t)offsetof(struct sockaddr_un, sun_path) + name_len),
                     0);
    assert_int_equal(setenv("NOTIFY_SOCKET", variable, 1), 0);
    assert_true(service_notify("READY=1"));
    ssize_t n = recv(manager, got, sizeof got, MSG_DONTWAIT);
    assert_int_equal(n, 7);
    assert_memory_equal(got, "READY=1", 7);
    (void)close(manager);
}

static void the_manager_hears_of_readiness(void **state)
{
    (void)state;
    char path[] = "/tmp/tern-service.XXXXXX", name[64], variable[64];
    assert_non_null(mkdtemp(path));
    (void)snprintf(name, sizeof name, "%s/notify", path);
    readiness_arrives(name, (socklen_t)strlen(name), name);
    (void)unlink(name);
    (void)rmdir(path);
    /* In the abstract namespace, which ends with its socket. */
    int n = snprintf(name, sizeof name, "%ctern-service-%ld", '\0', (long)getpid());
    (void)snprintf(variable, sizeof variable, "@tern-service-%ld", (long)getpid());
    readiness_arrives(name, (socklen_t)n, variable);
}

static void without_a_manager_nothing_is_told(void **state)
{
    (void)state;
    static const char *const odd[] = {"", "/", "relative", "/no/such/socket", "@"};
    assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
    assert_false(service_notify("READY=1"));
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        assert_int_equal(setenv("NOTIFY_SOCKET", odd[i], 1), 0);
        assert_false(service_notify("READY=1"));
    }
    assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
}

static void announce(long pid, const char *count)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%ld", pid);
    assert_int_equal(setenv("LISTEN_PID", text, 1), 0);
    assert_int_equal(setenv("LISTEN_FDS", count, 1), 0);
}

/* Descriptors 3 to 5 become sockets for the time of a test. */
static void handed_sockets_are_taken(void **state)
{
    (void)state;
    int kept[3], fds[SERVICE_SOCKETS_MAX];
    size_t others;
    static const int kinds[3][2] = {
        {AF_INET, SOCK_DGRAM}, {AF_UNIX, SOCK_DGRAM}, {AF_INET6, SOCK_DGRAM}};
    for (int i = 0; i < 3; i++) {
        kept[i] = dup(3 + i);
        int fd = socket(kinds[i][0], kinds[i][1], 0);
        assert_true(fd >= 0);
        if (fd != 3 + i) {
            assert_int_equal(dup2(fd, 3 + i), 3 + i);
            (void)close(fd);
        }
    }
    announce((long)getpid() + 1, "3");
    assert_int_equal(service_sockets(fds, &others), 0);
    announce((long)getpid(), "3x");
    assert_int_equal(service_sockets(fds, &others), 0);
    announce((long)getpid(), "3");
    assert_int_equal(service_sockets(fds, &others), 2);
    assert_int_equal(others, 1);
    assert_int_equal(fds[0], 3);
    assert_int_equal(fds[1], 5);
    assert_true((fcntl(3, F_GETFD) & FD_CLOEXEC) != 0);
    assert_null(getenv("LISTEN_FDS"));
    assert_int_equal(service_sockets(fds, &others), 0); /* once */
    for (int i = 0; i < 3; i++) {
        (void)close(3 + i);
        if (kept[i] >= 0) {
            (void)dup2(kept[i], 3 + i);
            (void)close(kept[i]);
        }
    }
}

static atomic_int calls;

static void *add(void *part)
{
    (void)atomic_fetch_add(&calls, *(int *)part);
    return NULL;
}

static void never(void *user)
{
    (void)user;
    fail();
}

static void a_crew_does_every_part(void **state)
{
    (void)state;
    int parts[5] = {1, 10, 100, 1000, 10000};
    assert_true(crew_run(add, parts, sizeof parts[0], 5, never, NULL));
    assert_int_equal(atomic_load(&calls), 11111);
    assert_true(crew_run(add, parts, sizeof parts[0], 1, never, NULL));
    assert_int_equal(atomic_load(&calls), 11112);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_manager_hears_of_readiness),
    cmocka_unit_test(without_a_manager_nothing_is_told),
    cmocka_unit_test(handed_sockets_are_taken),
    cmocka_unit_test(a_crew_does_every_part),
};

TERN_TEST_MAIN(tests)
