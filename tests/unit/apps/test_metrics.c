/* Figures over HTTP: what is answered, and that no guest can do more than ask.
 * SPDX-License-Identifier: MIT */
#include "shared/metrics.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/cli.h"
#include "tern_test.h"

static struct ev_loop *loop;
static struct metrics *metrics;
static unsigned rows;

static void fill(void *user, struct metrics_page *page)
{
    (void)user;
    metrics_add(page, "rooms", "Rooms.", true, 3);
    metrics_add(page, "bytes_total", "Bytes.", false, UINT64_MAX);
    for (unsigned i = 0; i < rows; i++) {
        metrics_add(page, "more_total", "More of the same, until the page is full.", false, i);
    }
}

static int setup(void **state)
{
    int code = 0;
    (void)state;
    cli_init("test", true, 0);
    rows = 0;
    loop = ev_default_loop(0);
    metrics = metrics_open("0", loop, fill, NULL, &code);
    return metrics == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    metrics_close(metrics);
    return 0;
}

static void turn(unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        (void)ev_run(loop, EVRUN_NOWAIT);
        (void)usleep(1000);
    }
}

static int knock(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    unsigned port = 0;
    assert_int_equal(sscanf(metrics_url(metrics), "http://127.0.0.1:%u/metrics", &port), 1);
    at.sin_port = htons((uint16_t)port);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

/* What is answered to these bytes, until the server hangs up; the length, and the bytes terminated. */
static size_t ask_bytes(const void *request, size_t len, char *answer, size_t size)
{
    int fd = knock();
    size_t got = 0;
    assert_int_equal(send(fd, request, len, MSG_NOSIGNAL), len);
    for (int i = 0; i < 20000; i++) { /* the patience of the server is 5 s */
        turn(1);
        ssize_t n = recv(fd, answer + got, size - 1 - got, MSG_DONTWAIT);
        if (n == 0) {
            break;
        }
        got += n > 0 ? (size_t)n : 0;
    }
    answer[got] = '\0';
    (void)close(fd);
    return got;
}

static size_t ask(const char *request, char *answer, size_t size)
{
    return ask_bytes(request, strlen(request), answer, size);
}

static const char *body_of(const char *answer)
{
    const char *body = strstr(answer, "\r\n\r\n");
    assert_non_null(body);
    body += 4;
    char length[64];
    (void)snprintf(length, sizeof length, "\r\nContent-Length: %zu\r\n", strlen(body));
    assert_non_null(strstr(answer, length));
    return body;
}

static void a_scrape_has_the_text_form(void **state)
{
    (void)state;
    char answer[4096];
    (void)ask("GET /metrics HTTP/1.1\r\nHost: localhost:9437\r\n\r\n", answer, sizeof answer);
    assert_memory_equal(answer, "HTTP/1.1 200 OK\r\n", 17);
    assert_non_null(strstr(answer, "\r\nContent-Type: text/plain; version=0.0.4"));
    assert_string_equal(body_of(answer),
                        "# HELP tern_rooms Rooms.\n# TYPE tern_rooms gauge\ntern_rooms 3\n"
                        "# HELP tern_bytes_total Bytes.\n# TYPE tern_bytes_total counter\n"
                        "tern_bytes_total 18446744073709551615\n");
}

static void json_is_one_object(void **state)
{
    (void)state;
    char answer[4096];
    (void)ask("GET /json HTTP/1.0\r\n\r\n", answer, sizeof answer);
    assert_string_equal(body_of(answer), "{\"rooms\":3,\"bytes_total\":18446744073709551615}\n");
}

static void all_else_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *request, *status;
    } cases[] = {
        {"GET / HTTP/1.1\r\n\r\n", "404"},
        {"GET /metrics/../json HTTP/1.1\r\n\r\n", "404"},
        {"GET /metrics?x HTTP/1.1\r\n\r\n", "404"},
        {"POST /metrics HTTP/1.1\r\nContent-Length: 9\r\n\r\n", "405"},
        {"get /metrics HTTP/1.1\r\n\r\n", "405"},
        {"GET /metrics\r\n\r\n", "400"},
        {"GET /metrics HTTP/2.0\r\n\r\n", "400"},
        {"GET /metrics HTTP/1.10\r\n\r\n", "400"},
        {"GET  HTTP/1.1\r\n\r\n", "404"},
        {"\r\n\r\n", "400"},
        {"GET /metrics\nHTTP/1.1\r\nx: y HTTP/1.1\r\n\r\n", "400"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char answer[4096];
        (void)ask(cases[i].request, answer, sizeof answer);
        assert_memory_equal(answer, "HTTP/1.1 ", 9);
        assert_memory_equal(answer + 9, cases[i].status, 3);
        assert_null(strstr(answer, "tern_"));
    }
}

/* A name of somebody's that leads here shows nothing to the page that used it (DNS rebinding). */
static void only_who_means_this_machine_is_answered(void **state)
{
    (void)state;
    static const struct {
        const char *host, *status;
    } cases[] = {
        {"Host: localhost", "200"},
        {"Host: LocalHost:80", "200"},
        {"host:127.0.0.1:9437", "200"},
        {"Host: \t127.0.0.1 ", "200"},
        {"HOST: [::1]:9437", "200"},
        {"Host: [::1]", "200"},
        {"Host: 192.0.2.7", "200"},
        {"Accept: */*\r\nHost: 127.0.0.1", "200"},
        {"X-Host: evil.example", "200"},
        {"Host: evil.example", "421"},
        {"Host: evil.example:9437", "421"},
        {"hOST:evil.example", "421"},
        {"Host: localhost.evil.example", "421"},
        {"Host: 127.0.0.1.evil.example", "421"},
        {"Host: 127.0.0.1:evil", "421"},
        {"Host: 127.0.0.1:80:80", "421"},
        {"Host: 127.1", "421"},
        {"Host: [::1", "421"},
        {"Host: [::1]evil", "421"},
        {"Host: []", "421"},
        {"Host: [", "421"},
        {"Host:", "421"},
        {"Host: ", "421"},
        {"Host: :80", "421"},
        {"Host: 127.0.0.1\r\nHost: evil.example", "421"},
        {"Host: "
         "a.name.that.is.longer.than.any.address.could.ever.be.and.then.some.more.example",
         "421"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char request[256], answer[4096];
        (void)snprintf(request, sizeof request, "GET /json HTTP/1.1\r\n%s\r\n\r\n", cases[i].host);
        (void)ask(request, answer, sizeof answer);
        assert_memory_equal(answer + 9, cases[i].status, 3);
        assert_true((strstr(answer, "rooms") != NULL) == (cases[i].status[0] == '2'));
    }
}

static void too_much_is_not_read(void **state)
{
    (void)state;
    char answer[4096], request[6000];
    memset(request, 'a', sizeof request);
    (void)ask_bytes(request, 2048, answer, sizeof answer);
    assert_memory_equal(answer, "HTTP/1.1 431 ", 13);
    (void)ask_bytes("GET /metrics\0 HTTP/1.1\r\n\r\n", 26, answer, sizeof answer);
    assert_memory_equal(answer, "HTTP/1.1 400 ", 13);
}

static void bytes_of_any_kind_do_no_harm(void **state)
{
    (void)state;
    uint64_t x = 0x9e3779b97f4a7c15;
    for (unsigned round = 0; round < TERN_TEST_TIMES(200u); round++) {
        char answer[4096], request[2048];
        size_t len = 1 + x % sizeof request;
        for (size_t i = 0; i < len; i++) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            request[i] = (x & 15) == 0 ? "\r\n /\0"[x >> 8 & 3] : (char)(x >> 16);
        }
        memcpy(request + len - (len > 4 ? 4 : 0), "\r\n\r\n", len > 4 ? 4 : 0);
        (void)ask_bytes(request, len > 4 ? len : 4, answer, sizeof answer);
    }
    char answer[4096];
    (void)ask("GET /json HTTP/1.1\r\n\r\n", answer, sizeof answer);
    assert_memory_equal(answer, "HTTP/1.1 200 ", 13);
}

static void those_who_say_nothing_are_put_out(void **state)
{
    (void)state;
    int idle[12];
    char answer[4096];
    for (size_t i = 0; i < 12; i++) {
        idle[i] = knock();
        turn(2);
    }
    ev_tstamp before = ev_time();
    size_t got = ask("GET /json HTTP/1.1\r\n\r\n", answer, sizeof answer);
    assert_true(got > 0);
    assert_memory_equal(answer, "HTTP/1.1 200 ", 13);
    assert_true(ev_time() - before < 60);
    for (size_t i = 0; i < 12; i++) {
        (void)close(idle[i]);
    }
    turn(20);
}

static void a_full_page_ends_at_a_row(void **state)
{
    (void)state;
    static char answer[METRICS_PAGE_MAX + 1024];
    rows = 1000;
    (void)ask("GET /metrics HTTP/1.1\r\n\r\n", answer, sizeof answer);
    const char *body = body_of(answer);
    assert_true(strlen(body) > METRICS_PAGE_MAX - 200);
    assert_int_equal(body[strlen(body) - 1], '\n');
    (void)ask("GET /json HTTP/1.1\r\n\r\n", answer, sizeof answer);
    body = body_of(answer);
    assert_int_equal(body[strlen(body) - 2], '}');
}

static void only_this_machine_is_served(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "0.0.0.0:9437", "[::]:9437", "192.0.2.1:9437", "host:9437", "", "x",
        "65536",        "127.0.0.1", "9437x",          "-1"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        int code = 0;
        assert_null(metrics_open(wrong[i], loop, fill, NULL, &code));
        assert_int_equal(code, CLI_USAGE);
    }
}

static void on_time(struct ev_loop *l, struct ev_timer *timer, int events)
{
    (void)timer;
    (void)events;
    ev_break(l, EVBREAK_ALL);
}

/* Who knocks where there are no descriptors left waits, and does not keep the loop busy. */
static void without_descriptors_the_loop_rests(void **state)
{
    (void)state;
    struct rlimit before, none;
    struct ev_timer timer;
    char answer[64];
    int fd = knock();
    turn(0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    unsigned turns = ev_iteration(loop);
    ev_timer_init(&timer, on_time, 0.3, 0);
    ev_timer_start(loop, &timer);
    (void)ev_run(loop, 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_in_range(ev_iteration(loop) - turns, 1, 20);
    assert_int_equal(send(fd, "GET / HTTP/1.1\r\n\r\n", 18, MSG_NOSIGNAL), 18);
    ssize_t n = -1;
    for (int i = 0; i < 10000 && n < 0; i++) {
        turn(1);
        n = recv(fd, answer, sizeof answer, MSG_DONTWAIT);
    }
    assert_true(n > 12);
    assert_memory_equal(answer, "HTTP/1.1 404", 12);
    (void)close(fd);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(a_scrape_has_the_text_form, setup, teardown),
    cmocka_unit_test_setup_teardown(json_is_one_object, setup, teardown),
    cmocka_unit_test_setup_teardown(all_else_is_refused, setup, teardown),
    cmocka_unit_test_setup_teardown(only_who_means_this_machine_is_answered, setup, teardown),
    cmocka_unit_test_setup_teardown(too_much_is_not_read, setup, teardown),
    cmocka_unit_test_setup_teardown(bytes_of_any_kind_do_no_harm, setup, teardown),
    cmocka_unit_test_setup_teardown(those_who_say_nothing_are_put_out, setup, teardown),
    cmocka_unit_test_setup_teardown(a_full_page_ends_at_a_row, setup, teardown),
    cmocka_unit_test_setup_teardown(only_this_machine_is_served, setup, teardown),
    cmocka_unit_test_setup_teardown(without_descriptors_the_loop_rests, setup, teardown),
};

TERN_TEST_MAIN(tests)
