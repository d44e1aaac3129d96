/* Options, their checks, and the help text.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "ternperf/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/cli.h"
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
    "\n"
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
    "  -i, --interval T        bulk: a line for each T\n"
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
    "      --busy-poll         ask the socket over and over for a millisecond before waiting for "
    "it\n"
    "      --delay T           a worse network at this end: T more each way\n"
    "      --loss PCT          ... and PCT of the packets lost each way\n"
    "      --cc NAME           bbr, cubic (default), newreno, ledbat, prague, media\n"
    "      --cipher LIST       allowed suites: aegis-128l, aegis-256, aes-256-gcm,\n"
    "                          chacha20-poly1305 (separated by commas)\n"
    "      --pin KEY           the server's key must be this one (tern:...)\n"
    "      --listen ADDR:PORT  serve: where; port 0 chooses one and prints it\n"
    "  -4, -6                  IPv4 or IPv6 only\n"
    "      --json              one JSON object at the end, on standard output\n"
    "  -q, --quiet   -v, --verbose   -h, --help   -V, --version\n"
    "\n"
    "Exit status: 0 done, 1 failed in part, 2 usage, 3 cannot connect, 5 local error.\n";

enum {
    OPT_LOOPBACK = 256,
    OPT_BUSY_POLL,
    OPT_KEEPALIVE,
    OPT_MTU,
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
    OPT_JSON
};

static const struct option longs[] = {
    {"loopback", no_argument, NULL, OPT_LOOPBACK},
    {"busy-poll", no_argument, NULL, OPT_BUSY_POLL},
    {"time", required_argument, NULL, 't'},
    {"count", required_argument, NULL, 'n'},
    {"connections", required_argument, NULL, 'C'},
    {"keepalive", required_argument, NULL, OPT_KEEPALIVE},
    {"streams", required_argument, NULL, 'P'},
    {"reverse", no_argument, NULL, 'R'},
    {"interval", required_argument, NULL, 'i'},
    {"shards", required_argument, NULL, OPT_SHARDS},
    {"size", required_argument, NULL, OPT_SIZE},
    {"mtu", required_argument, NULL, OPT_MTU},
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
    {"json", no_argument, NULL, OPT_JSON},
    {"quiet", no_argument, NULL, 'q'},
    {"verbose", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

static const char *const mode_names[MODES] = {"serve",      "bulk", "rr",    "messages",
                                              "handshakes", "idle", "flood", "limit"};

static const char modes_advice[] =
    "give serve, bulk, rr, messages, handshakes, idle, flood or limit";

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
    case 'i':
        return parse_duration(optarg, &o->interval)
                   ? -1
                   : cli_refuse("-i", optarg, "give a time such as 1s");
    case OPT_SIZE:
        return parse_number(optarg, 1, 65536, &o->size)
                   ? -1
                   : cli_refuse("--size", optarg, "give a number from 1 to 65536");
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
    case OPT_LOOPBACK:
        o->loopback = true;
        return true;
    case OPT_JSON:
        o->json = true;
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
    bool is_word = opt == OPT_CC || opt == OPT_CIPHER || opt == OPT_PIN || opt == OPT_LISTEN;
    return is_word ? parse_word(o, opt) : parse_amount(o, opt);
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
    if (is_client ? others + (o->loopback ? 1 : 0) != 1 : others > 0 || o->loopback) {
        cli_error(mode_names[mode],
                  is_client ? "wants either a host or --loopback" : "takes no host",
                  "see ternperf --help");
        return CLI_USAGE;
    }
    if (o->shards > 1 && o->mode != MODE_SERVE && o->mode != MODE_BULK) {
        cli_error("--shards", "is for serve and bulk", "see ternperf --help");
        return CLI_USAGE;
    }
    if (o->connections == 0) {
        o->connections = o->mode == MODE_BULK || o->mode == MODE_LIMIT ? 1 : 32;
    }
    o->host = others > 0 ? argv[optind + 1] : NULL;
    if (o->per_second > 0 && o->mode != MODE_MESSAGES) {
        cli_error("--per-second", "not of this mode", "it is for messages");
        return CLI_USAGE;
    }
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
    for (int opt; (opt = getopt_long(argc, argv, ":t:n:C:P:Ri:qv46hV", longs, NULL)) != -1;) {
        if (opt == 'h') {
            (void)fputs(help, stdout);
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
    return parse_target(o, argc, argv);
}

void options_config(tern_config *config, const struct options *o)
{
    tern_config_init(config);
    config->cc = o->cc;
    config->suites = o->suites;
    config->max_datagram = (size_t)o->mtu;
}

unsigned options_best_suite(unsigned allowed)
{
    unsigned ranked[4];
    (void)tern_suites_available(ranked);
    for (unsigned i = 0; i < 4; i++) {
        if ((ranked[i] & allowed) != 0) {
            return ranked[i];
        }
    }
    return 0;
}
