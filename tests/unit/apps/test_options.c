/* The command line of terncp: every option that terncp.cli names is taken, and sets what it should.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/options.h"

#include <stdio.h>
#include <string.h>

#include "shared/cli.h"
#include "tern_test.h"
#include "terncp_cli.h"
#define PROGRAM "terncp"
#include "unit/apps/options_kit.h"

/* An option that is in the text and not in the parser's table would end in its assertion. */
static void every_option_has_a_rule(void **state)
{
    (void)state;
    struct options o;
    assert_int_equal(sizeof cli_letters, OPT_COUNT);
    for (const struct option *l = cli_longs; l->name != NULL; l++) {
        char word[64];
        (void)snprintf(word, sizeof word, "--%s%s", l->name,
                       l->has_arg == required_argument ? "=1" : "");
        int code = PARSE(&o, word, "a", "tern://b/c");
        /* CLI_LOCAL: a file of that name is to be read, and there is none */
        assert_true(code == -1 || code == CLI_USAGE || code == CLI_OK || code == CLI_LOCAL);
        options_clear(&o);
    }
    for (const char *l = cli_shorts + 1; *l != '\0'; l++) {
        char word[8];
        (void)snprintf(word, sizeof word, "-%c%s", *l, l[1] == ':' ? "1" : "");
        int code = *l == ':' ? -1 : PARSE(&o, word, "a", "tern://b/c");
        assert_true(code == -1 || code == CLI_USAGE || code == CLI_OK);
    }
}

static void options_set_their_fields(void **state)
{
    (void)state;
    struct options o;
    assert_int_equal(PARSE(&o, "-rp", "--fsync", "-vv", "-4", "--cc", "cubic", "--progress=json",
                           "--connect-timeout", "250ms", "--server-id", "0", "a", "tern://b/c"),
                     -1);
    assert_true(o.recursive && o.preserve && o.fsync && o.has_server_id && !o.json);
    assert_int_equal(o.verbose, 2);
    assert_int_equal(o.family, 4);
    assert_int_equal(o.progress, PROGRESS_JSON);
    assert_int_equal(o.server_id, 0);
    assert_int_equal(o.connect_timeout, 250 * TERN_MSEC);
    assert_string_equal(o.cc, "cubic");
    assert_int_equal(o.arg_count, 2);
    assert_string_equal(o.args[0], "a");
    assert_int_equal(o.command, COMMAND_COPY);
    assert_int_equal(PARSE(&o, "--root", "x", "serve", "--read-only"), -1);
    assert_int_equal(o.command, COMMAND_SERVE);
    assert_true(o.read_only);
    assert_string_equal(o.root, "x");
    assert_int_equal(PARSE(&o, "-6", "--", "-r", "tern://b/c"), -1);
    assert_true(!o.recursive && o.family == 6);
}

static void what_makes_no_sense_is_refused(void **state)
{
    (void)state;
    struct options o;
    static const char *const bad[] = {
        "--progress=loud", "--progress=or",   "--progress=",    "--connect-timeout=0",
        "--cc=fast",       "--server-id=256", "--server-id=-1", "--server-id=",
        "--server-id=1x",  "--nonsense",      "--cipher=rot13", "--connect-timeout=5x",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(PARSE(&o, bad[i], "a", "tern://b/c"), CLI_USAGE);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_option_has_a_rule),
        cmocka_unit_test(options_set_their_fields),
        cmocka_unit_test(what_makes_no_sense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
