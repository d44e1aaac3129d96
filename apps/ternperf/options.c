/* Options, their checks, and the help text.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "ternperf/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/cli.h"
#include "shared/keyring.h"
#include "shared/net.h"

static const char help[] =
    "Usage: ternperf serve [--listen ADDR:PORT] [--shards N]\n"
    "       ternperf bulk [OPTIONS] HOST[:PORT] | --loopback\n"
    "       ternperf rr [OPTIONS] HOST[:PORT] | --loopback\n"
    "       ternperf messages [OPTIONS] HOST[:PORT] | --loopback\n"
    "       ternperf handshakes [OPTIONS] HOST[:PORT] | --loopback\n"
    "       ternperf idle [OPTIONS] HOST[:PORT] | --loopback\n"
    "       ternperf flood [OPTIONS]\n"
    "       ternperf limit [OPTIONS]\n"
    "       ternperf trace [-i T] [-n LINES] [--svg PICTURE] FILE\n"
    "\n"
    "Measures tern: processor time, memory and time, against a `ternperf serve`.\n"
    "\n"
    "  serve       does what clients ask for; default [::]:7438\n"
    "  bulk        one connection, as many bytes as go: rate, processor time of both sides\n"
    "  rr          one request after the other over one stream: how long until the answer\n"
    "  messages    one way over one connection: how many a second, or at a given rate how late\n"
    "  handshakes  connects as often as it can; processor time of the server for each, and how\n"
    "              that compares to the four X25519 operations in it\n"
    "  idle        opens -n connections and leaves them alone but for keepalives; heap of each\n"
    "              and the processor's share for all\n"
    "  flood       what strangers cost: junk at a silent server, and answers by Retry. All in\n"
    "              this process and past the kernel, whose part would be the larger\n"
    "  limit       how near bulk over loopback comes to UDP with the cipher and nothing else\n"
    "  trace       prints a file that --qlog has written (- is standard input) as people read it: "
    "a\n"
    "              line for each event, or with -i a row for each T\n"
    "\n";

/* In two parts: compilers need not take longer strings. */
static const char help_options[] =
    "      --loopback          start a server in a second process on another core\n"
    "  -t, --time T            measure for T: 5s, 500ms (default 5s; idle: one keepalive;\n"
    "                          limit: of each part by turns, default 1s)\n"
    "  -n, --count N           bulk: bytes, as 100M, instead of a time; rr, messages, "
    "handshakes:\n"
    "                          stop after N; idle: connections (default 1000); flood: packets of "
    "each kind\n"
    "                          (default 500000)\n"
    "  -P, --streams N         bulk: over N streams at once (default 1)\n"
    "  -R, --reverse           bulk: the server sends\n"
    "      --bidir             bulk: both send at once; bytes and rate are those of both ways "
    "together\n"
    "  -b, --rate RATE         bulk: no more than that each way: 200mbit, 1gbit (bits a second), "
    "10M\n"
    "                          (bytes a second)\n"
    "  -i, --interval T        bulk, trace: a line for each T\n"
    "      --copy              bulk: write by copies, and do not lend the bytes\n"
    "      --size N            rr: bytes of a request and of an answer (default 128);\n"
    "                          messages: of each (default 64)\n"
    "      --unreliable, --reliable, --ordered, --latest\n"
    "                          messages: which (default unreliable); ordered ones are reliable,\n"
    "                          latest ones are not\n"
    "      --per-second N      messages: so many, and how late they come (by --loopback only)\n"
    "  -C, --connections N     handshakes under way at once (default 32); bulk: so many "
    "connections\n"
    "                          at once (default 1)\n"
    "      --shards N          serve, bulk: so many threads, each with an endpoint and a socket on "
    "the\n"
    "                          one port; bulk: as many processes, each with one of them (default "
    "1)\n"
    "      --keepalive T       idle: a PING after T of silence (default 25s)\n"
    "      --mtu N             largest UDP payload to send, 1200..65507 (default 1452)\n"
    "      --window N          receive window of a connection and of each stream, from the start "
    "on\n"
    "                          (default: 1M and 256K, growing to 24M and 16M)\n"
    "      --busy-poll         ask the socket over and over for a millisecond before waiting for "
    "it\n"
    "      --delay T           a worse network at this end: T more each way\n"
    "      --loss PCT          ... and PCT of the packets lost each way\n"
    "      --cc NAME           bbr, cubic (default), newreno, ledbat, prague, media\n"
    "      --cipher LIST       allowed suites: aegis-128l, aegis-256, aes-256-gcm,\n"
    "                          chacha20-poly1305 (separated by commas)\n"
    "      --key FILE          our secret key, as `terncp keygen` writes it (default: a new one)\n"
    "      --pin KEY           the server's key must be this one (tern:...)\n"
    "      --listen ADDR:PORT  serve: where; port 0 chooses one and prints it\n"
    "  -4, -6                  IPv4 or IPv6 only\n"
    "      --qlog DIR          write traces of 64 connections at once there, for `ternperf "
    "trace` and\n"
    "                          for viewers\n"
    "      --svg FILE          trace: draw it there, too: windows, losses, round trips and rates\n"
    "      --color WHEN        trace: auto (default), always or never; NO_COLOR is heeded\n"
    "      --log-level LEVEL   error, warning, info (default), debug or trace\n"
    "      --json              one JSON object at the end, on standard output\n"
    "  -q, --quiet   -v, --verbose   -h, --help   -V, --version\n"
    "\n"
    "Exit status: 0 done, 1 failed in part, 2 usage, 3 cannot connect, 5 local error, 7 no qlog.\n";

enum {
    OPT_LOOPBACK = 256,
    OPT_BUSY_POLL,
    OPT_COPY,
    OPT_KEEPALIVE,
    OPT_MTU,
    OPT_WINDOW,
    OPT_SIZE,
    OPT_PER_SECOND,
    OPT_UNRELIABLE,
    OPT_RELIABLE,
    OPT_ORDERED,
    OPT_LATEST,
    OPT_SHARDS,
    OPT_DELAY,
    OPT_LOSS,
    OPT_CC,
    OPT_CIPHER,
    OPT_PIN,
    OPT_LISTEN,
    OPT_JSON,
    OPT_BIDIR,
    OPT_QLOG,
    OPT_SVG,
    OPT_COLOR,
    OPT_LOG_LEVEL,
    OPT_KEY
};

static const struct option longs[] = {
    {"loopback", no_argument, NULL, OPT_LOOPBACK},
    {"copy", no_argument, NULL, OPT_COPY},
    {"busy-poll", no_argument, NULL, OPT_BUSY_POLL},
    {"time", required_argument, NULL, 't'},
    {"count", required_argument, NULL, 'n'},
    {"connections", required_argument, NULL, 'C'},
    {"keepalive", required_argument, NULL, OPT_KEEPALIVE},
    {"streams", required_argument, NULL, 'P'},
    {"reverse", no_argument, NULL, 'R'},
    {"bidir", no_argument, NULL, OPT_BIDIR},
    {"rate", required_argument, NULL, 'b'},
    {"interval", required_argument, NULL, 'i'},
    {"shards", required_argument, NULL, OPT_SHARDS},
    {"size", required_argument, NULL, OPT_SIZE},
    {"mtu", required_argument, NULL, OPT_MTU},
    {"window", required_argument, NULL, OPT_WINDOW},
    {"per-second", required_argument, NULL, OPT_PER_SECOND},
    {"unreliable", no_argument, NULL, OPT_UNRELIABLE},
    {"reliable", no_argument, NULL, OPT_RELIABLE},
    {"ordered", no_argument, NULL, OPT_ORDERED},
    {"latest", no_argument, NULL, OPT_LATEST},
    {"delay", required_argument, NULL, OPT_DELAY},
    {"loss", required_argument, NULL, OPT_LOSS},
    {"cc", required_argument, NULL, OPT_CC},
    {"cipher", required_argument, NULL, OPT_CIPHER},
    {"pin", required_argument, NULL, OPT_PIN},
    {"listen", required_argument, NULL, OPT_LISTEN},
    {"qlog", required_argument, NULL, OPT_QLOG},
    {"svg", required_argument, NULL, OPT_SVG},
    {"color", required_argument, NULL, OPT_COLOR},
    {"log-level", required_argument, NULL, OPT_LOG_LEVEL},
    {"key", required_argument, NULL, OPT_KEY},
    {"json", no_argument, NULL, OPT_JSON},
    {"quiet", no_argument, NULL, 'q'},
    {"verbose", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

static const char *const mode_names[MODES] = {"serve", "bulk",  "rr",    "messages", "handshakes",
                                              "idle",  "flood", "limit", "trace"};

static const char modes_advice[] =
    "give serve, bulk, rr, messages, handshakes, idle, flood, limit or trace";

const char *options_mode_name(enum options_mode mode)
{
    return mode_names[mode];
}

static bool parse_number(const char *text, uint64_t least, uint64_t most, uint64_t *out)
{
    return cli_parse_size(text, out) && *out >= least && *out <= most;
}

static bool parse_duration(const char *text, uint64_t *out)
{
    return cli_parse_time(text, out) && *out > 0 && *out <= 86400 * TERN_SEC;
}

static bool parse_percent(const char *text, double *out)
{
    char *end = NULL;
    double percent = strtod(text, &end);
    *out = percent / 100;
    return end != text && *end == '\0' && percent >= 0 && percent <= 100;
}

static bool parse_rate(const char *text, uint64_t *out)
{
    return cli_parse_rate(text, out) && *out >= 1000 && *out <= 1000000000000;
}

/* Numbers and times. -1: fine. */
static int parse_amount(struct options *o, int opt)
{
    switch (opt) {
    case 't':
        return parse_duration(optarg, &o->time)
                   ? -1
                   : cli_refuse("-t", optarg, "give a time such as 5s");
    case 'n':
        return parse_number(optarg, 1, UINT64_MAX, &o->count)
                   ? -1
                   : cli_refuse("-n", optarg, "give a number from 1 on");
    case 'C':
        return parse_number(optarg, 1, 10000, &o->connections)
                   ? -1
                   : cli_refuse("-C", optarg, "give a number from 1 to 10000");
    case 'P':
        return parse_number(optarg, 1, 100, &o->streams)
                   ? -1
                   : cli_refuse("-P", optarg, "give a number from 1 to 100");
    case 'b':
        return parse_rate(optarg, &o->rate)
                   ? -1
                   : cli_refuse("-b", optarg, "give a rate such as 200mbit or 10M");
    case 'i':
        return parse_duration(optarg, &o->interval)
                   ? -1
                   : cli_refuse("-i", optarg, "give a time such as 1s");
    case OPT_SIZE:
        return parse_number(optarg, 1, 65536, &o->size)
                   ? -1
                   : cli_refuse("--size", optarg, "give a number from 1 to 65536");
    case OPT_WINDOW:
        return parse_number(optarg, 16384, (uint64_t)1 << 40, &o->window)
                   ? -1
                   : cli_refuse("--window", optarg, "give a number from 16K to 1T");
    case OPT_PER_SECOND:
        return parse_number(optarg, 1, 100000000, &o->per_second)
                   ? -1
                   : cli_refuse("--per-second", optarg, "give a number from 1 to 100000000");
    case OPT_SHARDS:
        return parse_number(optarg, 1, OPTIONS_SHARDS_MAX, &o->shards)
                   ? -1
                   : cli_refuse("--shards", optarg, "give a number from 1 to 64");
    case OPT_KEEPALIVE:
        return parse_duration(optarg, &o->keepalive)
                   ? -1
                   : cli_refuse("--keepalive", optarg, "give a time such as 20s");
    case OPT_DELAY:
        return parse_duration(optarg, &o->delay)
                   ? -1
                   : cli_refuse("--delay", optarg, "give a time such as 20ms");
    case OPT_LOSS:
        return parse_percent(optarg, &o->loss)
                   ? -1
                   : cli_refuse("--loss", optarg, "give a share such as 2.5, in percent");
    default:
        return parse_number(optarg, 1200, 65507, &o->mtu)
                   ? -1
                   : cli_refuse("--mtu", optarg, "give a number from 1200 to 65507");
    }
}

/* Which of the words; -1: none. */
static int index_of(const char *text, const char *const *words, int count)
{
    int i = count - 1;
    while (i >= 0 && strcmp(text, words[i]) != 0) {
        i--;
    }
    return i;
}

static bool parse_color(const char *text)
{
    static const char *const names[] = {"auto", "always", "never"}; /* enum cli_color */
    int i = index_of(text, names, 3);
    if (i >= 0) {
        cli_set_color((enum cli_color)i);
    }
    return i >= 0;
}

static bool parse_level(struct options *o, const char *text)
{
    static const char *const names[] = {"error", "warning", "info", "debug", "trace"};
    int i = index_of(text, names, 5);
    o->has_level = i >= 0;
    o->level = CLI_ERROR + i;
    return o->has_level;
}

static int load_key(struct options *o, const char *path)
{
    enum keyring_result result = keyring_load(path, o->key);
    o->has_key = result == KEYRING_OK;
    if (!o->has_key) {
        cli_error(path,
                  result == KEYRING_UNSAFE      ? "others can read it"
                  : result == KEYRING_MALFORMED ? "not a key"
                                                : strerror(errno),
                  result == KEYRING_UNSAFE ? "chmod 600 it" : "`terncp keygen` writes one");
        return CLI_LOCAL;
    }
    return -1;
}

/* Words. -1: fine. */
static int parse_word(struct options *o, int opt)
{
    switch (opt) {
    case OPT_CC:
        o->cc = optarg;
        return net_is_controller(optarg) ? -1 : cli_refuse("--cc", optarg, NET_CONTROLLERS_ADVICE);
    case OPT_CIPHER:
        return net_parse_suites(optarg, &o->suites)
                   ? -1
                   : cli_refuse("--cipher", optarg, "see ternperf --help for the names");
    case OPT_PIN:
        o->pin = optarg;
        return -1;
    case OPT_QLOG:
        o->qlog = optarg;
        return -1;
    case OPT_SVG:
        o->svg = optarg;
        return -1;
    case OPT_KEY:
        return load_key(o, optarg);
    case OPT_COLOR:
        return parse_color(optarg) ? -1 : cli_refuse("--color", optarg, "give " CLI_COLORS);
    case OPT_LOG_LEVEL:
        return parse_level(o, optarg) ? -1 : cli_refuse("--log-level", optarg, "give " CLI_LEVELS);
    default:
        o->listen = optarg;
        return -1;
    }
}

/* Switches. False: it is none. */
static bool parse_switch(struct options *o, int opt)
{
    switch (opt) {
    case 'q':
        o->quiet = true;
        return true;
    case 'R':
        o->reverse = true;
        return true;
    case 'v':
        o->verbose++;
        return true;
    case '4':
        o->family = 4;
        return true;
    case '6':
        o->family = 6;
        return true;
    case OPT_BUSY_POLL:
        o->busy_poll = true;
        return true;
    case OPT_COPY:
        o->copy = true;
        return true;
    case OPT_LOOPBACK:
        o->loopback = true;
        return true;
    case OPT_JSON:
        o->json = true;
        return true;
    case OPT_BIDIR:
        o->bidirectional = true;
        return true;
    case OPT_UNRELIABLE:
        o->kind = KIND_UNRELIABLE;
        return true;
    case OPT_RELIABLE:
        o->kind = KIND_RELIABLE;
        return true;
    case OPT_ORDERED:
        o->kind = KIND_ORDERED;
        return true;
    case OPT_LATEST:
        o->kind = KIND_LATEST;
        return true;
    default:
        return false;
    }
}

static int parse_option(struct options *o, int opt)
{
    if (parse_switch(o, opt)) {
        return -1;
    }
    static const int words[] = {OPT_CC,  OPT_CIPHER, OPT_PIN,       OPT_LISTEN, OPT_QLOG,
                                OPT_SVG, OPT_COLOR,  OPT_LOG_LEVEL, OPT_KEY};
    bool is_word = false;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        is_word = is_word || opt == words[i];
    }
    return is_word ? parse_word(o, opt) : parse_amount(o, opt);
}

/* Options that other modes or other options have no use for. */
static int check_together(const struct options *o)
{
    const struct {
        bool is_bad;
        const char *option, *why;
    } checks[] = {
        {o->shards > 1 && o->mode != MODE_SERVE && o->mode != MODE_BULK, "--shards",
         "is for serve and bulk"},
        {o->bidirectional && (o->mode != MODE_BULK || o->reverse), "--bidir",
         "is for bulk, without -R"},
        {o->rate > 0 && o->mode != MODE_BULK, "-b", "is for bulk"},
        {o->qlog != NULL && (o->mode == MODE_TRACE || o->mode == MODE_FLOOD), "--qlog",
         "is for connections"},
        {o->svg != NULL && o->mode != MODE_TRACE, "--svg", "is for trace"},
        {o->per_second > 0 && o->mode != MODE_MESSAGES, "--per-second", "is for messages"},
    };
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        if (checks[i].is_bad) {
            cli_error(checks[i].option, checks[i].why, "see ternperf --help");
            return CLI_USAGE;
        }
    }
    return -1;
}

/* Which mode, against whom. */
static int parse_target(struct options *o, int argc, char **argv)
{
    unsigned mode = 0;
    if (optind == argc) {
        cli_error("no mode", NULL, modes_advice);
        return CLI_USAGE;
    }
    while (mode < MODES && strcmp(argv[optind], mode_names[mode]) != 0) {
        mode++;
    }
    if (mode == MODES) {
        cli_error(argv[optind], "no such mode", modes_advice);
        return CLI_USAGE;
    }
    o->mode = (enum options_mode)mode;
    bool is_client = o->mode != MODE_SERVE && o->mode != MODE_FLOOD && o->mode != MODE_LIMIT;
    int others = argc - optind - 1;
    if (o->mode == MODE_TRACE && (others != 1 || o->loopback)) {
        cli_error("trace", "wants a file", "see ternperf --help");
        return CLI_USAGE;
    }
    if (o->mode != MODE_TRACE &&
        (is_client ? others + (o->loopback ? 1 : 0) != 1 : others > 0 || o->loopback)) {
        cli_error(mode_names[mode],
                  is_client ? "wants either a host or --loopback" : "takes no host",
                  "see ternperf --help");
        return CLI_USAGE;
    }
    int code = check_together(o);
    if (code >= 0) {
        return code;
    }
    if (o->connections == 0) {
        o->connections = o->mode == MODE_BULK || o->mode == MODE_LIMIT ? 1 : 32;
    }
    o->host = others > 0 ? argv[optind + 1] : NULL;
    o->size = o->size > 0 ? o->size : o->mode == MODE_MESSAGES ? 64 : 128;
    if (o->mode == MODE_IDLE && o->count > OPTIONS_CONNECTIONS_MAX) {
        cli_error("-n", "too many", "a million connections is the most");
        return CLI_USAGE;
    }
    return -1;
}

int options_parse(struct options *o, int argc, char **argv)
{
    memset(o, 0, sizeof *o);
    o->cc = "cubic";
    o->suites = TERN_SUITE_ANY;
    o->shards = 1;
    o->keepalive = 25 * TERN_SEC;
    o->mtu = 1452;
    o->streams = 1;
    cli_init("ternperf", false, 0);
    opterr = 0;
    for (int opt; (opt = getopt_long(argc, argv, ":t:n:C:P:Rb:i:qv46hV", longs, NULL)) != -1;) {
        if (opt == 'h') {
            (void)fputs(help, stdout);
            (void)fputs(help_options, stdout);
            return CLI_OK;
        }
        if (opt == 'V') {
            (void)printf("ternperf %s\n", tern_version());
            return CLI_OK;
        }
        if (opt == '?' || opt == ':') {
            cli_error(argv[optind - 1], opt == ':' ? "a value is missing" : "unknown option",
                      "see ternperf --help");
            return CLI_USAGE;
        }
        int code = parse_option(o, opt);
        if (code >= 0) {
            return code;
        }
    }
    cli_init("ternperf", o->quiet, o->verbose);
    if (o->has_level) {
        cli_set_level(o->level);
    }
    return parse_target(o, argc, argv);
}

void options_config(tern_config *config, const struct options *o)
{
    tern_config_init(config);
    config->cc = o->cc;
    config->suites = o->suites;
    config->max_datagram = (size_t)o->mtu;
    config->secret_key = o->has_key ? o->key : NULL;
    if (o->window > 0) {
        config->stream_window = config->stream_window_max = o->window;
        config->conn_window = config->conn_window_max = o->window;
        config->stream_send_buffer = o->window; /* or it would be the bound */
    }
}

unsigned options_best_suite(unsigned allowed)
{
    unsigned ranked[4], best = 0;
    (void)tern_suites_available(ranked);
    /* From the slowest up: where a loop leaves at the first, gcc 12 at -O3 tests the last by a register that nobody
     * has set, and the limit was measured without a cipher. */
    for (unsigned i = 4; i-- > 0;) {
        best = (ranked[i] & allowed) != 0 ? ranked[i] : best;
    }
    return best;
}
