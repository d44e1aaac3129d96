/* The command line of ternchat: every option that ternchat.cli names is taken, and sets what it should.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "ternchat/options.h"

#include <stdio.h>
#include <string.h>

#include "shared/cli.h"
#include "tern_test.h"
#include "ternchat_cli.h"
#define PROGRAM "ternchat"
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
        int code = PARSE(&o, word, "host");
        assert_true(code == -1 || code == CLI_USAGE || code == CLI_OK);
    }
}

static void files_have_options(void **state)
{
    (void)state;
    struct options o;
    assert_int_equal(PARSE(&o, "--downloads", "/tmp", "host"), -1);
    assert_string_equal(o.downloads, "/tmp");
    assert_int_equal(o.files, 100);
    assert_int_equal(PARSE(&o, "--files", "0", "serve"), -1);
    assert_int_equal(o.files, 0);
    assert_int_equal(PARSE(&o, "--files", "-1", "serve"), CLI_USAGE);
    assert_int_equal(PARSE(&o, "--files", "10001", "serve"), CLI_USAGE);
    assert_int_equal(PARSE(&o, "--files", "", "serve"), CLI_USAGE);
}

static void options_set_their_fields(void **state)
{
    (void)state;
    struct options o;
    assert_int_equal(PARSE(&o, "--theme", "light", "--nick=ann", "-vv", "-6", "--cc", "bbr",
                           "--connect-timeout", "250ms", "host:1", "work"),
                     -1);
    assert_true(o.theme == 1 && o.verbose == 2 && o.family == 6 && !o.plain);
    assert_string_equal(o.nick, "ann");
    assert_string_equal(o.room, "work");
    assert_string_equal(o.host, "host:1");
    assert_string_equal(o.cc, "bbr");
    assert_int_equal(o.connect_timeout, 250 * TERN_MSEC);
    assert_int_equal(o.command, COMMAND_TALK);
    assert_int_equal(PARSE(&o, "host"), -1);
    assert_string_equal(o.room, "lobby");
    assert_int_equal(PARSE(&o, "--plain", "--room", "work", "host"), -1);
    assert_true(o.plain);
    assert_string_equal(o.room, "work");
    assert_int_equal(PARSE(&o, "serve", "--silent", "--motd", "hi"), -1);
    assert_true(o.command == COMMAND_SERVE && o.silent);
}

static void what_makes_no_sense_is_refused(void **state)
{
    (void)state;
    struct options o;
    static const char *const bad[] = {"--theme=pink",        "--theme=",      "--color=some",
                                      "--connect-timeout=0", "--cc=fast",     "--nonsense",
                                      "--log-level=whisper", "--cipher=rot13"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(PARSE(&o, bad[i], "host"), CLI_USAGE);
    }
    assert_int_equal(PARSE(&o, "--batch", "host"), CLI_USAGE); /* a room is needed */
    assert_int_equal(PARSE(&o, "-q"), CLI_USAGE);
    assert_int_equal(PARSE(&o, "a", "b", "c"), CLI_USAGE);
    assert_int_equal(PARSE(&o, "id", "b"), CLI_USAGE);
    assert_int_equal(PARSE(&o, "serve", "--broker", "redis://host", "--history", "file"),
                     CLI_USAGE);
    assert_int_equal(PARSE(&o, "serve", "--broker", "redis://host"), -1);
    assert_string_equal(o.broker, "redis://host");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_option_has_a_rule),
    cmocka_unit_test(files_have_options),
    cmocka_unit_test(options_set_their_fields),
    cmocka_unit_test(what_makes_no_sense_is_refused),
};
TERN_TEST_MAIN(tests)
