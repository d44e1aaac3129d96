/* Names on the command line: what is remote, and what a far side is told; the line that it says.
 * SPDX-License-Identifier: MIT */
#include "terncp/target.h"

#include <stdio.h>
#include <string.h>

#include "tern_test.h"
#include "terncp/ssh.h"

static void a_colon_makes_a_name_remote_unless_a_slash_stands_before_it(void **state)
{
    (void)state;
    assert_int_equal(target_kind_of("host:path"), TARGET_SSH);
    assert_int_equal(target_kind_of("host:"), TARGET_SSH);
    assert_int_equal(target_kind_of("user@host:/a/b"), TARGET_SSH);
    assert_int_equal(target_kind_of("[2001:db8::1]:x"), TARGET_SSH);
    assert_int_equal(target_kind_of("user@[fe80::1%eth0]:x"), TARGET_SSH);
    assert_int_equal(target_kind_of("./host:path"), TARGET_LOCAL);
    assert_int_equal(target_kind_of("/a:b"), TARGET_LOCAL);
    assert_int_equal(target_kind_of("a/b:c"), TARGET_LOCAL);
    assert_int_equal(target_kind_of(":name"), TARGET_LOCAL);
    assert_int_equal(target_kind_of("plain"), TARGET_LOCAL);
    assert_int_equal(target_kind_of("[x]"), TARGET_LOCAL);
    assert_int_equal(target_kind_of("[2001:db8::1"), TARGET_LOCAL);
    assert_int_equal(target_kind_of("tern://host/path"), TARGET_TERN);
    assert_int_equal(target_kind_of("-"), TARGET_PIPE);
    assert_int_equal(target_kind_of(""), TARGET_LOCAL);
}

static void assert_ssh(const char *text, const char *login, const char *host, const char *path)
{
    struct target t;
    assert_null(target_parse(&t, text, 1));
    assert_int_equal(t.kind, TARGET_SSH);
    assert_string_equal(t.login, login);
    assert_string_equal(t.host, host);
    assert_string_equal(t.path, path);
}

static void ssh_names_are_taken_apart(void **state)
{
    struct target t;
    (void)state;
    assert_ssh("host:a:b", "host", "host", "a:b");
    assert_ssh("u@host:", "u@host", "host", "");
    assert_ssh("u@[::1]:/x", "u@::1", "::1", "/x");
    assert_ssh("[::1]:x@y:z", "::1", "::1", "x@y:z");
    assert_ssh("host:x@y", "host", "host", "x@y");
    assert_non_null(target_parse(&t, "-oProxyCommand=x:y", 1));
    assert_non_null(target_parse(&t, "u@-x:y", 1));
    assert_non_null(target_parse(&t, "@host:y", 1));
    assert_non_null(target_parse(&t, "u@:y", 1));
    assert_non_null(target_parse(&t, "[]:y", 1));
}

static void urls_are_taken_apart(void **state)
{
    struct target t;
    char longest[PROTO_PATH_MAX + 32];
    (void)state;
    assert_null(target_parse(&t, "tern://[::1]:99/a/b", 7437));
    assert_string_equal(t.host, "::1");
    assert_int_equal(t.port, 99);
    assert_string_equal(t.path, "a/b");
    assert_null(target_parse(&t, "tern://host", 7437));
    assert_int_equal(t.port, 7437);
    assert_string_equal(t.path, "");
    assert_non_null(target_parse(&t, "tern:///x", 7437));
    assert_non_null(target_parse(&t, "tern://host:0/x", 7437));
    assert_non_null(target_parse(&t, "tern://host:99999/x", 7437));
    memset(longest, 'a', sizeof longest);
    memcpy(longest, "tern://h/", 9);
    longest[9 + PROTO_PATH_MAX] = '\0';
    assert_null(target_parse(&t, longest, 7437));
    longest[9 + PROTO_PATH_MAX] = 'a';
    longest[9 + PROTO_PATH_MAX + 1] = '\0';
    assert_non_null(target_parse(&t, longest, 7437));
}

static void the_line_of_a_far_side_survives_the_pipe(void **state)
{
    struct ssh_line line = {.port = 60123, .address = "2001:db8::7"}, back;
    char text[SSH_LINE_MAX];
    (void)state;
    memset(line.key, 7, sizeof line.key);
    memset(line.secret, 0xe5, sizeof line.secret);
    ssh_line_format(&line, text);
    assert_int_equal(text[strlen(text) - 1], '\n');
    text[strlen(text) - 1] = '\0';
    assert_int_equal(ssh_line_parse(&back, text), SSH_LINE);
    assert_int_equal(back.port, 60123);
    assert_memory_equal(back.key, line.key, sizeof line.key);
    assert_memory_equal(back.secret, line.secret, sizeof line.secret);
    assert_string_equal(back.address, "2001:db8::7");
    for (size_t len = strlen(text); len-- > strlen(text) - 20;) { /* cut within secret or address */
        text[len] = '\0';
        if (text[len - 1] == ' ' || len < strlen("terncp-stdio 1 60123 ") + 57 + 65) {
            assert_int_equal(ssh_line_parse(&back, text), SSH_NOISE);
        }
    }
}

static void other_lines_are_noise_and_other_versions_told(void **state)
{
    struct ssh_line line;
    (void)state;
    assert_int_equal(ssh_line_parse(&line, ""), SSH_NOISE);
    assert_int_equal(ssh_line_parse(&line, "Welcome"), SSH_NOISE);
    assert_int_equal(ssh_line_parse(&line, "terncp-stdio"), SSH_NOISE);
    assert_int_equal(ssh_line_parse(&line, "terncp-stdio is new here"), SSH_NOISE);
    assert_int_equal(ssh_line_parse(&line, "terncp-stdio 1 0 k s -"), SSH_NOISE);
    assert_int_equal(ssh_line_parse(&line, "terncp-stdio 1 70000 k s -"), SSH_NOISE);
    assert_int_equal(ssh_line_parse(&line, "terncp-stdio 2 anything"), SSH_VERSION);
    static const char good[] =
        "terncp-stdio 1 60001 tern:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa "
        "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff ";
    static const char *const addresses[] = {
        "192.0.2.1", "2001:db8::A", "-", "fe80::1%eth0", "inside.example", "beef.de", "192.0.2.1;"};
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        char text[SSH_LINE_MAX];
        (void)snprintf(text, sizeof text, "%s%s", good, addresses[i]);
        assert_int_equal(ssh_line_parse(&line, text), i < 4 ? SSH_LINE : SSH_NOISE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_colon_makes_a_name_remote_unless_a_slash_stands_before_it),
        cmocka_unit_test(ssh_names_are_taken_apart),
        cmocka_unit_test(urls_are_taken_apart),
        cmocka_unit_test(the_line_of_a_far_side_survives_the_pipe),
        cmocka_unit_test(other_lines_are_noise_and_other_versions_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
