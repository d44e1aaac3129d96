/* The command line of ternlink: link options for both directions or for one, checked one by one.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "ternlink.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: ternlink udp --listen ADDR:PORT --to ADDR:PORT [options]\n"
    "       ternlink tun --netns-a A --netns-b B [options]\n"
    "\n"
    "udp: a proxy. Each client gets a socket of its own towards --to. Port 0 picks a free port; "
    "the\n"
    "     line \"ternlink: listening on ADDR:PORT\" on standard error names it.\n"
    "tun: a cable between two network namespaces (as made by: ip netns add A), 10.77.0.1/30 in A\n"
    "     and 10.77.0.2/30 in B, device tern0 in both. Needs CAP_NET_ADMIN and CAP_SYS_ADMIN.\n"
    "\n"
    "Link options hold for both directions; --up-NAME for client to server (tun: A to B) alone,\n"
    "--down-NAME for the way back. The default is a perfect wire.\n"
    "  --delay MS           one way, each direction: 25 gives a round trip of 50 ms\n"
    "  --jitter MS          0 to MS more, without reordering\n"
    "  --loss PCT           each packet by itself\n"
    "  --burst-loss P,R     Gilbert-Elliott: PCT to enter the state that loses all, PCT to leave "
    "it\n"
    "  --dup PCT            packets that come twice\n"
    "  --reorder PCT        packets held back for 2 ms and a quarter of the delay\n"
    "  --corrupt PCT        packets with one to four bits flipped\n"
    "  --rate MBIT          a bottleneck in Mbit/s, IP and UDP headers counted\n"
    "  --queue KB           its droptail queue in units of 1000 bytes; default: one second's "
    "worth\n"
    "  --mtu BYTES          largest payload that passes (tun: the MTU of both devices)\n"
    "  --blackout START,DUR[,PERIOD]   seconds from the start in which all is lost\n"
    "  --seed N             of everything random; default 1\n"
    "\n"
    "  --rebind SEC         udp: a new port towards the server every SEC seconds, as a NAT does\n"
    "  --duration SEC       stop by itself; else SIGINT or SIGTERM\n"
    "\n"
    "At the end, and whenever SIGUSR1 comes: one line of JSON on standard output with what "
    "happened.\n"
    "Exit codes: 0, 1 the system refused something, 2 the command line is wrong.\n";

enum option_id {
    OPTION_HELP = 'h',
    OPTION_LISTEN = 256,
    OPTION_TO,
    OPTION_NETNS_A,
    OPTION_NETNS_B,
    OPTION_REBIND,
    OPTION_DURATION,
    OPTION_LINK = 512 /* from here on: three for each link option */
};

enum link_option {
    LINK_DELAY,
    LINK_JITTER,
    LINK_LOSS,
    LINK_BURST,
    LINK_DUP,
    LINK_REORDER,
    LINK_CORRUPT,
    LINK_RATE,
    LINK_QUEUE,
    LINK_MTU,
    LINK_BLACKOUT,
    LINK_SEED
};

#define LINK_OPTION(name, id)                                                                      \
    {name, required_argument, NULL, OPTION_LINK + 3 * (id)},                                       \
        {"up-" name, required_argument, NULL, OPTION_LINK + 3 * (id) + 1},                         \
    {                                                                                              \
        "down-" name, required_argument, NULL, OPTION_LINK + 3 * (id) + 2                          \
    }

static const struct option table[] = {
    {"help", no_argument, NULL, OPTION_HELP},
    {"listen", required_argument, NULL, OPTION_LISTEN},
    {"to", required_argument, NULL, OPTION_TO},
    {"netns-a", required_argument, NULL, OPTION_NETNS_A},
    {"netns-b", required_argument, NULL, OPTION_NETNS_B},
    {"rebind", required_argument, NULL, OPTION_REBIND},
    {"duration", required_argument, NULL, OPTION_DURATION},
    LINK_OPTION("delay", LINK_DELAY),
    LINK_OPTION("jitter", LINK_JITTER),
    LINK_OPTION("loss", LINK_LOSS),
    LINK_OPTION("burst-loss", LINK_BURST),
    LINK_OPTION("dup", LINK_DUP),
    LINK_OPTION("reorder", LINK_REORDER),
    LINK_OPTION("corrupt", LINK_CORRUPT),
    LINK_OPTION("rate", LINK_RATE),
    LINK_OPTION("queue", LINK_QUEUE),
    LINK_OPTION("mtu", LINK_MTU),
    LINK_OPTION("blackout", LINK_BLACKOUT),
    LINK_OPTION("seed", LINK_SEED),
    {NULL, 0, NULL, 0},
};

_Noreturn __attribute__((format(printf, 1, 2))) static void usage(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "ternlink: ");
    vfprintf(stderr, format, args);
    fprintf(stderr, "\nternlink: see ternlink --help\n");
    va_end(args);
    exit(EXIT_USAGE);
}

/* Reads `least` to `most` numbers separated by commas, each in 0..max. Returns how many. */
static size_t read_numbers(const char *name, const char *text, double max, double *out,
                           size_t least, size_t most)
{
    const char *at = text;
    for (size_t n = 0; n < most; n++) {
        char *end = NULL;
        out[n] = strtod(at, &end);
        if (end == at || !(out[n] >= 0 && out[n] <= max)) {
            break;
        }
        if (*end == '\0' && n + 1 >= least) {
            return n + 1;
        }
        if (*end != ',') {
            break;
        }
        at = end + 1;
    }
    if (most == 1) {
        usage("--%s: \"%s\" is not a number from 0 to %.10g", name, text, max);
    }
    usage("--%s: \"%s\" is not %zu%s numbers from 0 to %.10g with commas between", name, text,
          least, most > least ? " or more" : "", max);
}

static double read_number(const char *name, const char *text, double max)
{
    double value = 0;
    (void)read_numbers(name, text, max, &value, 1, 1);
    return value;
}

static double read_share(const char *name, const char *text)
{
    return read_number(name, text, 100) / 100;
}

/* Times in the given unit; a day is long enough for anything. */
static tern_time read_time(const char *name, const char *text, tern_time unit)
{
    double max = 86400.0 * (double)TERN_SEC / (double)unit;
    return (tern_time)llround(read_number(name, text, max) * (double)unit);
}

static uint64_t read_seed(const char *name, const char *text)
{
    char *end = NULL;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0) {
        usage("--%s: \"%s\" is not a whole number", name, text);
    }
    return value;
}

static void read_burst(tern_link_config *config, const char *name, const char *text)
{
    double share[2];
    (void)read_numbers(name, text, 100, share, 2, 2);
    config->burst_enter = share[0] / 100;
    config->burst_leave = share[1] / 100;
}

static void read_blackout(tern_link_config *config, const char *name, const char *text)
{
    double seconds[3] = {0, 0, 0};
    (void)read_numbers(name, text, 86400, seconds, 2, 3);
    config->blackout_start = (tern_time)llround(seconds[0] * (double)TERN_SEC);
    config->blackout_length = (tern_time)llround(seconds[1] * (double)TERN_SEC);
    config->blackout_period = (tern_time)llround(seconds[2] * (double)TERN_SEC);
}

static void read_link_option(tern_link_config *config, uint64_t *seed, enum link_option id,
                             const char *name, const char *text)
{
    switch (id) {
    case LINK_DELAY:
        config->delay = read_time(name, text, TERN_MSEC);
        break;
    case LINK_JITTER:
        config->jitter = read_time(name, text, TERN_MSEC);
        break;
    case LINK_LOSS:
        config->loss = read_share(name, text);
        break;
    case LINK_BURST:
        read_burst(config, name, text);
        break;
    case LINK_DUP:
        config->duplicate = read_share(name, text);
        break;
    case LINK_REORDER:
        config->reorder = read_share(name, text);
        break;
    case LINK_CORRUPT:
        config->corrupt = read_share(name, text);
        break;
    case LINK_RATE:
        config->rate = (uint64_t)llround(read_number(name, text, 1e6) * 1e6);
        break;
    case LINK_QUEUE:
        config->queue = (size_t)llround(read_number(name, text, 1e7) * 1000);
        break;
    case LINK_MTU:
        config->mtu = (size_t)llround(read_number(name, text, 65535));
        break;
    case LINK_BLACKOUT:
        read_blackout(config, name, text);
        break;
    case LINK_SEED:
        *seed = read_seed(name, text);
        break;
    }
}

/* which: 0 both directions, 1 up, 2 down. */
static void read_link(struct options *options, int code, const char *name, const char *text)
{
    enum link_option id = (enum link_option)((code - OPTION_LINK) / 3);
    int which = (code - OPTION_LINK) % 3;
    for (int i = 0; i < DIRECTIONS; i++) {
        if (which == 0 || which == i + 1) {
            read_link_option(&options->link[i], &options->seed[i], id, name, text);
        }
    }
}

static void read_option(struct options *options, int code, const char *name)
{
    switch (code) {
    case OPTION_HELP:
        fputs(help, stdout);
        exit(EXIT_SUCCESS);
    case OPTION_LISTEN:
        options->listen = optarg;
        break;
    case OPTION_TO:
        options->to = optarg;
        break;
    case OPTION_NETNS_A:
        options->netns[0] = optarg;
        break;
    case OPTION_NETNS_B:
        options->netns[1] = optarg;
        break;
    case OPTION_REBIND:
        options->rebind = read_time(name, optarg, TERN_SEC);
        break;
    case OPTION_DURATION:
        options->duration = read_time(name, optarg, TERN_SEC);
        break;
    default:
        if (code < OPTION_LINK) {
            fprintf(stderr, "ternlink: see ternlink --help\n"); /* getopt said what is wrong */
            exit(EXIT_USAGE);
        }
        read_link(options, code, name, optarg);
    }
}

static void check_mode(const struct options *options)
{
    bool has_udp = options->listen != NULL || options->to != NULL;
    bool has_tun = options->netns[0] != NULL || options->netns[1] != NULL;
    if (options->is_tun && (options->netns[0] == NULL || options->netns[1] == NULL)) {
        usage("tun needs --netns-a and --netns-b");
    }
    if (options->is_tun && (has_udp || options->rebind != 0)) {
        usage("--listen, --to and --rebind belong to udp");
    }
    if (!options->is_tun && (options->listen == NULL || options->to == NULL)) {
        usage("udp needs --listen and --to");
    }
    if (!options->is_tun && has_tun) {
        usage("--netns-a and --netns-b belong to tun");
    }
}

void options_read(struct options *options, int argc, char **argv)
{
    *options = (struct options){.seed = {1, 1}};
    for (size_t i = 0; i < DIRECTIONS; i++) {
        tern_link_config_init(&options->link[i]);
    }
    for (int code, index = 0; (code = getopt_long(argc, argv, "h", table, &index)) != -1;) {
        read_option(options, code, table[index].name);
    }
    if (optind + 1 != argc) {
        usage(optind == argc ? "say udp or tun" : "one mode, please: udp or tun");
    }
    options->is_tun = strcmp(argv[optind], "tun") == 0;
    if (!options->is_tun && strcmp(argv[optind], "udp") != 0) {
        usage("\"%s\" is no mode: udp or tun", argv[optind]);
    }
    check_mode(options);
}
