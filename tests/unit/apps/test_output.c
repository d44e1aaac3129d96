/* What people see: escaped names, numbers with suffixes, the meter's line.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "shared/cli.h"
#include "shared/meter.h"
#include "shared/term.h"
#include "tern_test.h"

#define COUNT_OF(a) (sizeof(a) / sizeof(a)[0])

static void plain_text_passes(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",         "file.txt",    "a b-c_~", "na\xc3\xafve \xe2\x98\x83", "\xf0\x9f\x90\xa6",
        "\xc2\xa0", "\xed\x9f\xbf"};
    char buf[64];
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        assert_string_equal(term_escape(texts[i], strlen(texts[i]), buf, sizeof buf), texts[i]);
    }
}

static void what_moves_the_cursor_is_escaped(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"\033[2J", "\\x1b[2J"},
        {"a\rb\nc\td\x7f", "a\\x0db\\x0ac\\x09d\\x7f"},
        {"\a\b", "\\x07\\x08"},
        {"\xc2\x9b", "\\xc2\\x9b"},                   /* CSI as a C1 control */
        {"\x9b", "\\x9b"},                            /* and as a bare byte */
        {"\xe2\x80\xae", "\\xe2\\x80\\xae"},          /* right-to-left override */
        {"\xe2\x80\x8f", "\\xe2\\x80\\x8f"},          /* right-to-left mark */
        {"\xe2\x81\xa6", "\\xe2\\x81\\xa6"},          /* isolate */
        {"\xe2\x80\xa8", "\\xe2\\x80\\xa8"},          /* line separator */
        {"\xd8\x9c", "\\xd8\\x9c"},                   /* Arabic letter mark */
        {"\xef\xbb\xbf", "\\xef\\xbb\\xbf"},          /* byte order mark */
        {"\xc0\xaf", "\\xc0\\xaf"},                   /* longer than needed */
        {"\xe0\x80\xaf", "\\xe0\\x80\\xaf"},          /* likewise */
        {"\xed\xa0\x80", "\\xed\\xa0\\x80"},          /* a surrogate */
        {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"}, /* beyond Unicode */
        {"\xe2\x98", "\\xe2\\x98"},                   /* cut off */
        {"\xff", "\\xff"},
    };
    char buf[64];
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        assert_string_equal(term_escape(pairs[i][0], strlen(pairs[i][0]), buf, sizeof buf),
                            pairs[i][1]);
    }
    assert_string_equal(term_escape("a\0b", 3, buf, sizeof buf), "a\\x00b");
}

static void a_cut_is_between_characters(void **state)
{
    (void)state;
    static const char text[] = "a\033\xe2\x98\x83z"; /* shown as 1 + 4 + 3 + 1 bytes */
    static const size_t shown[] = {0, 1, 1, 1, 1, 5, 5, 5, 8, 9, 9};
    for (size_t size = 1; size <= COUNT_OF(shown); size++) {
        char *buf = malloc(size);
        assert_non_null(buf);
        assert_int_equal(strlen(term_escape(text, strlen(text), buf, size)), shown[size - 1]);
        free(buf);
    }
    char untouched = 'u';
    (void)term_escape(text, strlen(text), &untouched, 0);
    assert_int_equal(untouched, 'u');
}

static void sizes_are_parsed(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t value;
    } good[] = {{"0", 0},
                {"1", 1},
                {"10k", 10240},
                {"10K", 10240},
                {"3M", 3145728},
                {"2G", 2147483648u},
                {"1T", UINT64_C(1) << 40},
                {"18446744073709551615", UINT64_MAX}};
    static const char *const bad[] = {"",
                                      "k",
                                      "-1",
                                      "+1",
                                      " 1",
                                      "1 ",
                                      "1x",
                                      "1.5M",
                                      "1MB",
                                      "0x10",
                                      "18446744073709551616",
                                      "99999999T"};
    uint64_t value;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        assert_true(cli_parse_size(good[i].text, &value));
        assert_true(value == good[i].value);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_false(cli_parse_size(bad[i], &value));
    }
}

static void times_are_parsed(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t value;
    } good[] = {{"5", UINT64_C(5000000000)},    {"5s", UINT64_C(5000000000)},
                {"250ms", 250000000},           {"7us", 7000},
                {"2m", UINT64_C(120000000000)}, {"1h", UINT64_C(3600000000000)}};
    static const char *const bad[] = {"", "s", "5 s", "1d", "-5s", "99999999999h", "5M"};
    uint64_t value;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        assert_true(cli_parse_time(good[i].text, &value));
        assert_true(value == good[i].value);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_false(cli_parse_time(bad[i], &value));
    }
}

static void sizes_are_formatted(void **state)
{
    (void)state;
    static const struct {
        uint64_t value;
        const char *text;
    } cases[] = {{0, "0 B"},           {1023, "1023 B"},         {1024, "1.0 KiB"},
                 {1536, "1.5 KiB"},    {102400, "100 KiB"},      {1048575, "1.0 MiB"},
                 {1048576, "1.0 MiB"}, {5368709120u, "5.0 GiB"}, {UINT64_MAX, "16.0 EiB"}};
    char buf[16];
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_string_equal(cli_format_size(cases[i].value, buf, sizeof buf), cases[i].text);
    }
}

static void times_are_formatted(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = {{-1, "0.0 s"}, {0, "0.0 s"},    {4.25, "4.2 s"},  {59.97, "1:00"},
                 {60, "1:00"},  {3599, "59:59"}, {3723, "1:02:03"}};
    char buf[24];
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_string_equal(cli_format_time(cases[i].value, buf, sizeof buf), cases[i].text);
    }
}

static const struct meter_view view = {.name = "some/rather/long/name of a file.bin",
                                       .done = 123456789,
                                       .total = 987654321,
                                       .files_done = 12,
                                       .files_total = 345,
                                       .rtt_ms = 50.123,
                                       .loss = 0.0123};

static void the_meter_fits_every_width(void **state)
{
    (void)state;
    for (unsigned width = 0; width < 200; width++) {
        char line[512];
        meter_format(&view, 12345678, width, line, sizeof line);
        assert_in_range(strlen(line), 0, width);
    }
}

static void the_meter_shows_what_matters(void **state)
{
    (void)state;
    char line[512];
    meter_format(&view, 12345678, 150, line, sizeof line);
    assert_non_null(strstr(line, "some/rather/long/name of a file.bin"));
    assert_non_null(strstr(line, "12/345 files"));
    assert_non_null(strstr(line, "118 MiB/942 MiB  12%"));
    assert_non_null(strstr(line, "11.8 MiB/s"));
    assert_non_null(strstr(line, "ETA 1:10"));
    assert_non_null(strstr(line, "rtt 50.1 ms  loss 1.2%"));
}

static void the_meter_stands_odd_figures(void **state)
{
    (void)state;
    static const struct meter_view views[] = {
        {.name = ""},
        {.name = "x", .done = UINT64_MAX, .total = UINT64_MAX, .files_total = UINT64_MAX},
        {.name = "x", .done = 10, .total = 5},
        {.name = "x", .total = UINT64_MAX},
        {.name = "\xe2\x98\x83\xe2\x98\x83\xe2\x98\x83", .done = 1, .total = 3},
    };
    for (size_t i = 0; i < COUNT_OF(views); i++) {
        for (int rate = -1; rate < 2; rate++) {
            char line[512], small[8];
            meter_format(&views[i], rate, 79, line, sizeof line);
            assert_in_range(strlen(line), 1, 79);
            meter_format(&views[i], rate, 79, small, sizeof small);
            assert_in_range(strlen(small), 0, 7);
        }
    }
}

static void a_name_is_not_cut_inside_a_character(void **state)
{
    (void)state;
    struct meter_view one = {.name = "\xe2\x98\x83\xe2\x98\x83\xe2\x98\x83", .total = 3};
    for (unsigned width = 10; width < 80; width++) {
        char line[512], safe[1024];
        meter_format(&one, 0, width, line, sizeof line);
        assert_string_equal(term_escape(line, strlen(line), safe, sizeof safe), line);
    }
}

static void wide_characters_take_two_columns(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t columns;
    } cases[] = {
        {"", 0},
        {"plain", 5},
        {"na\xc3\xafve", 5},
        {"\xe6\x97\xa5\xe6\x9c\xac", 4}, /* two ideographs */
        {"e\xcc\x81", 1},                /* a letter and its accent */
        {"\xf0\x9f\x90\xa6.txt", 6},     /* a bird */
        {"\xef\xbd\x86", 2},             /* a fullwidth letter */
        {"\xed\x95\x9c\xea\xb8\x80", 4}, /* Hangul syllables */
        {"\xe2\x98\x83\xef\xb8\x8f", 1}, /* a variation selector takes none */
        {"\xe0\xa4\xa8\xe0\xa5\x8d", 1}, /* a virama */
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(term_columns(cases[i].text), cases[i].columns);
        assert_int_equal(term_fit(cases[i].text, cases[i].columns), strlen(cases[i].text));
    }
    assert_int_equal(term_fit("\xe6\x97\xa5\xe6\x9c\xac", 3), 3);
    assert_int_equal(term_fit("\xe6\x97\xa5\xe6\x9c\xac", 1), 0);
    struct meter_view one = {.name = "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", .total = 3};
    for (unsigned width = 1; width < 120; width++) {
        char line[512];
        meter_format(&one, 0, width, line, sizeof line);
        assert_in_range(term_columns(line), 0, width);
    }
}

/* Of small files all bytes may have come before the last is verified. */
static void the_meter_is_full_with_the_last_file(void **state)
{
    (void)state;
    struct meter_view one = {
        .name = "x", .done = 1 << 20, .total = 1 << 20, .files_done = 4999, .files_total = 5000};
    char line[512];
    meter_format(&one, 1 << 20, 100, line, sizeof line);
    assert_non_null(strstr(line, " 99%"));
    one.files_done = 5000;
    meter_format(&one, 1 << 20, 100, line, sizeof line);
    assert_non_null(strstr(line, "100%"));
}

static void a_growing_total_promises_nothing(void **state)
{
    (void)state;
    struct meter_view one = {
        .name = "x", .done = 1 << 20, .total = 2 << 20, .is_growing = true, .files_total = 1};
    char line[512];
    meter_format(&one, 1 << 20, 100, line, sizeof line);
    assert_non_null(strstr(line, "0/1+ files  1.0 MiB/2.0 MiB+    -  1.0 MiB/s  ETA -"));
    assert_null(strstr(line, "%"));
}

static void the_rate_is_that_of_the_last_seconds(void **state)
{
    (void)state;
    struct meter meter;
    struct meter_view one = {.name = "x", .total = 1000000000};
    meter_init(&meter, false, 0);
    for (int tick = 1; tick <= 100; tick++) { /* ten seconds at 1 MB/s, each tick 0.1 s */
        one.done = (uint64_t)tick * 100000;
        meter_draw(&meter, &one, tick * 0.1);
    }
    assert_in_range((uint64_t)meter.rate, 990000, 1010000);
    for (int tick = 101; tick <= 200; tick++) { /* and then at 3 MB/s */
        one.done += 300000;
        meter_draw(&meter, &one, tick * 0.1);
    }
    assert_in_range((uint64_t)meter.rate, 2800000, 3010000);
    meter_draw(&meter, &one, 60); /* forty seconds without a byte */
    assert_in_range((uint64_t)meter.rate, 0, 1);
}

static void rates_are_parsed(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t value;
    } good[] = {{"0", 0},        {"1000", 1000},       {"10M", 10485760},   {"200mbit", 25000000},
                {"8kbit", 1000}, {"1gbit", 125000000}, {"1Gbit", 125000000}};
    static const char *const bad[] = {"",
                                      "M",
                                      "-1",
                                      "10 M",
                                      "10X",
                                      "1.5M",
                                      "mbit",
                                      "10bits",
                                      "1e6",
                                      "10Mb",
                                      "10MM",
                                      "99999999999999999999",
                                      "18446744073709551615gbit"};
    uint64_t value;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        assert_true(cli_parse_rate(good[i].text, &value));
        assert_int_equal(value, good[i].value);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_false(cli_parse_rate(bad[i], &value));
    }
}

static void levels_choose_what_is_said(void **state)
{
    (void)state;
    cli_init("test", true, 3);
    assert_true(cli_says(CLI_ERROR) && !cli_says(CLI_WARNING) && !cli_says(CLI_INFO));
    cli_init("test", false, 0);
    assert_true(cli_says(CLI_INFO) && !cli_says(CLI_DEBUG));
    cli_set_level(CLI_TRACE);
    assert_true(cli_says(CLI_TRACE));
    assert_int_equal(setenv("NO_COLOR", "1", 1), 0);
    assert_false(cli_wants_color(2));
    cli_set_color(CLI_COLOR_ALWAYS);
    assert_true(cli_wants_color(2));
    cli_set_color(CLI_COLOR_NEVER);
    assert_false(cli_wants_color(2));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(plain_text_passes),
    cmocka_unit_test(what_moves_the_cursor_is_escaped),
    cmocka_unit_test(a_cut_is_between_characters),
    cmocka_unit_test(sizes_are_parsed),
    cmocka_unit_test(times_are_parsed),
    cmocka_unit_test(sizes_are_formatted),
    cmocka_unit_test(times_are_formatted),
    cmocka_unit_test(the_meter_fits_every_width),
    cmocka_unit_test(the_meter_shows_what_matters),
    cmocka_unit_test(the_meter_stands_odd_figures),
    cmocka_unit_test(a_name_is_not_cut_inside_a_character),
    cmocka_unit_test(wide_characters_take_two_columns),
    cmocka_unit_test(the_meter_is_full_with_the_last_file),
    cmocka_unit_test(a_growing_total_promises_nothing),
    cmocka_unit_test(the_rate_is_that_of_the_last_seconds),
    cmocka_unit_test(rates_are_parsed),
    cmocka_unit_test(levels_choose_what_is_said),
};

TERN_TEST_MAIN(tests)
