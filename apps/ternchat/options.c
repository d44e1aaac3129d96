/* GNU-style options; a word that names a command comes first among the arguments.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "ternchat/options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <tern/tern.h>

#include "shared/cli.h"
#include "shared/net.h"

static const char help[] =
    "Usage: ternchat [OPTIONS] HOST[:PORT] [ROOM]\n"
    "       ternchat --batch HOST[:PORT] ROOM < words > talk\n"
    "       ternchat serve [--listen ADDR:PORT] [--authorized-keys FILE] [--motd TEXT]\n"
    "                      [--history FILE | --no-history] [--moderators FILE] [--invite]\n"
    "       ternchat keygen [-f FILE]\n"
    "       ternchat id\n"
    "\n"
    "Talks with others in rooms, over an encrypted UDP transport that outlives changes of\n"
    "network: what you say arrives once, in order, also if the connection was lost in between.\n"
    "Lines are said; /help tells of the commands.\n"
    "\n"
    "Talking:\n"
    "      --room NAME         the room to begin in (default: lobby)\n"
    "      --nick NAME         what others see (default: the login name)\n"
    "      --plain             lines in, lines out: for screen readers and dumb terminals\n"
    "      --batch             for programs: every line of the input is said, words of others\n"
    "                          come out as \"nick: words\"; ends with the input, once all was "
    "heard\n"
    "      --cc NAME           congestion control: cubic (default), bbr, newreno, ledbat,\n"
    "                          prague, media\n"
    "      --cipher LIST       allowed suites: aegis-128l, aegis-256, aes-256-gcm,\n"
    "                          chacha20-poly1305 (separated by commas)\n"
    "      --connect-timeout T give up the first connection after T (default 10s)\n"
    "  -4, -6                  IPv4 or IPv6 only\n"
    "\n"
    "Trust:\n"
    "      --key FILE          our secret key (default ~/.config/tern/id; without one: a new one\n"
    "                          each time)\n"
    "      --pin KEY           the server's key must be this one (tern:...)\n"
    "      --known-hosts FILE  default ~/.config/tern/known_hosts\n"
    "      --accept-new        trust an unknown server at first use without asking\n"
    "\n"
    "Serving:\n"
    "      --listen ADDR:PORT  default [::]:7438; port 0 chooses one and prints it\n"
    "      --authorized-keys FILE  clients that may connect (default: everybody)\n"
    "      --motd TEXT         what everybody is told who comes\n"
    "      --history FILE      where what was said is kept (default\n"
    "                          ~/.local/state/tern/ternchat.db)\n"
    "      --no-history        keep it in memory only, as long as somebody is in the room\n"
    "      --history-size SIZE the oldest of it goes, when the file is larger (default 1G)\n"
    "      --history-age T     and when it is older (default: any age; 24h = a day)\n"
    "      --moderators FILE   keys of those who may moderate every room, and invite\n"
    "      --invite            print a one-time code, with which somebody new can come in\n"
    "      --stats-interval T  figures on standard error (with --json: standard output) so often\n"
    "      --silent            answer only clients that know our key already\n"
    "\n"
    "Output:\n"
    "      --json              one JSON object a line on standard output\n"
    "  -q, --quiet             errors only\n"
    "  -v, --verbose           more; repeat for more\n"
    "  -f, --file FILE         keygen: where to write (default ~/.config/tern/id)\n"
    "  -h, --help   -V, --version\n"
    "\n"
    "Exit status: 0 done, 1 failed in part, 2 usage, 3 cannot connect, 4 identity or\n"
    "authorisation refused, 5 local error, 130 interrupted.\n";

enum {
    OPT_ROOM = 256,
    OPT_NICK,
    OPT_PLAIN,
    OPT_BATCH,
    OPT_CC,
    OPT_CIPHER,
    OPT_CONNECT_TIMEOUT,
    OPT_KEY,
    OPT_PIN,
    OPT_KNOWN_HOSTS,
    OPT_ACCEPT_NEW,
    OPT_LISTEN,
    OPT_AUTHORIZED_KEYS,
    OPT_MOTD,
    OPT_SILENT,
    OPT_HISTORY,
    OPT_NO_HISTORY,
    OPT_HISTORY_SIZE,
    OPT_HISTORY_AGE,
    OPT_MODERATORS,
    OPT_INVITE,
    OPT_STATS_INTERVAL,
    OPT_JSON
};

static const struct option longs[] = {
    {"room", required_argument, NULL, OPT_ROOM},
    {"nick", required_argument, NULL, OPT_NICK},
    {"plain", no_argument, NULL, OPT_PLAIN},
    {"batch", no_argument, NULL, OPT_BATCH},
    {"cc", required_argument, NULL, OPT_CC},
    {"cipher", required_argument, NULL, OPT_CIPHER},
    {"connect-timeout", required_argument, NULL, OPT_CONNECT_TIMEOUT},
    {"key", required_argument, NULL, OPT_KEY},
    {"pin", required_argument, NULL, OPT_PIN},
    {"known-hosts", required_argument, NULL, OPT_KNOWN_HOSTS},
    {"accept-new", no_argument, NULL, OPT_ACCEPT_NEW},
    {"listen", required_argument, NULL, OPT_LISTEN},
    {"authorized-keys", required_argument, NULL, OPT_AUTHORIZED_KEYS},
    {"motd", required_argument, NULL, OPT_MOTD},
    {"silent", no_argument, NULL, OPT_SILENT},
    {"history", required_argument, NULL, OPT_HISTORY},
    {"no-history", no_argument, NULL, OPT_NO_HISTORY},
    {"history-size", required_argument, NULL, OPT_HISTORY_SIZE},
    {"history-age", required_argument, NULL, OPT_HISTORY_AGE},
    {"moderators", required_argument, NULL, OPT_MODERATORS},
    {"invite", no_argument, NULL, OPT_INVITE},
    {"stats-interval", required_argument, NULL, OPT_STATS_INTERVAL},
    {"json", no_argument, NULL, OPT_JSON},
    {"quiet", no_argument, NULL, 'q'},
    {"verbose", no_argument, NULL, 'v'},
    {"file", required_argument, NULL, 'f'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

/* Options whose value is taken as it is. NULL: another. */
static const char **text_option(struct options *o, int opt)
{
    switch (opt) {
    case OPT_ROOM:
        return &o->room;
    case OPT_NICK:
        return &o->nick;
    case OPT_KEY:
        return &o->key;
    case OPT_PIN:
        return &o->pin;
    case OPT_KNOWN_HOSTS:
        return &o->known_hosts;
    case OPT_LISTEN:
        return &o->listen;
    case OPT_AUTHORIZED_KEYS:
        return &o->authorized_keys;
    case OPT_MOTD:
        return &o->motd;
    case OPT_HISTORY:
        return &o->history;
    case OPT_MODERATORS:
        return &o->moderators;
    case 'f':
        return &o->out_file;
    default:
        return NULL;
    }
}

/* -1: fine. */
static int parse_value(struct options *o, int opt)
{
    const char **text = text_option(o, opt);
    if (text != NULL) {
        *text = optarg;
        return -1;
    }
    if (opt == OPT_CC) {
        o->cc = optarg;
        return net_is_controller(optarg) ? -1 : cli_refuse("--cc", optarg, NET_CONTROLLERS_ADVICE);
    }
    if (opt == OPT_CIPHER) {
        return net_parse_suites(optarg, &o->suites)
                   ? -1
                   : cli_refuse("--cipher", optarg, "see ternchat --help for the names");
    }
    if (opt == OPT_HISTORY_SIZE) {
        return cli_parse_size(optarg, &o->history_size)
                   ? -1
                   : cli_refuse("--history-size", optarg, "give a size such as 500M; 0: any");
    }
    if (opt == OPT_HISTORY_AGE || opt == OPT_STATS_INTERVAL) {
        bool is_age = opt == OPT_HISTORY_AGE;
        return cli_parse_time(optarg, is_age ? &o->history_age : &o->stats_interval)
                   ? -1
                   : cli_refuse(is_age ? "--history-age" : "--stats-interval", optarg,
                                "give a time such as 60s or 720h; 0: none");
    }
    return cli_parse_time(optarg, &o->connect_timeout) && o->connect_timeout > 0
               ? -1
               : cli_refuse("--connect-timeout", optarg, "give a time such as 5s or 500ms");
}

/* False: it is no switch. */
static bool parse_switch(struct options *o, int opt)
{
    bool *flag = opt == OPT_PLAIN        ? &o->plain
                 : opt == OPT_BATCH      ? &o->batch
                 : opt == OPT_ACCEPT_NEW ? &o->accept_new
                 : opt == OPT_SILENT     ? &o->silent
                 : opt == OPT_NO_HISTORY ? &o->no_history
                 : opt == OPT_INVITE     ? &o->invite
                 : opt == OPT_JSON       ? &o->json
                 : opt == 'q'            ? &o->quiet
                                         : NULL;
    if (flag != NULL) {
        *flag = true;
    } else if (opt == 'v') {
        o->verbose++;
    } else if (opt == '4' || opt == '6') {
        o->family = opt - '0';
    } else {
        return false;
    }
    return true;
}

static int usage(const char *what, const char *why)
{
    cli_error(what, why, "see ternchat --help");
    return CLI_USAGE;
}

static int parse_arguments(struct options *o, int count, char **args)
{
    static const char *const names[] = {"", "serve", "keygen", "id"};
    for (unsigned i = COMMAND_SERVE; i <= COMMAND_ID && count > 0; i++) {
        if (strcmp(args[0], names[i]) == 0) {
            o->command = (enum options_command)i;
            return count == 1 ? -1 : usage(args[1], "this command takes no such argument");
        }
    }
    if (count == 0) {
        return usage("no server", NULL);
    }
    if (count > 2) {
        return usage(args[2], "one argument too many");
    }
    o->host = args[0];
    o->room = count == 2 ? args[1] : o->room;
    if (o->batch && o->room == NULL) {
        return usage("no room", "--batch needs one");
    }
    o->room = o->room == NULL ? "lobby" : o->room;
    return -1;
}

int options_parse(struct options *o, int argc, char **argv)
{
    memset(o, 0, sizeof *o);
    o->cc = "cubic";
    o->suites = TERN_SUITE_ANY;
    o->connect_timeout = 10 * TERN_SEC;
    o->history_size = (uint64_t)1 << 30;
    cli_init("ternchat", false, 0);
    opterr = 0;
    for (int opt; (opt = getopt_long(argc, argv, ":qv46f:hV", longs, NULL)) != -1;) {
        if (opt == 'h') {
            (void)fputs(help, stdout);
            return CLI_OK;
        }
        if (opt == 'V') {
            (void)printf("ternchat %s\n", tern_version());
            return CLI_OK;
        }
        if (opt == '?' || opt == ':') {
            return usage(argv[optind - 1], opt == ':' ? "a value is missing" : "unknown option");
        }
        if (!parse_switch(o, opt)) {
            int code = parse_value(o, opt);
            if (code >= 0) {
                return code;
            }
        }
    }
    cli_init("ternchat", o->quiet, o->verbose);
    if (o->history != NULL && o->no_history) {
        return usage("--history and --no-history", "they exclude each other");
    }
    if (o->invite && o->authorized_keys == NULL) {
        return usage("--invite", "without --authorized-keys everybody may come");
    }
    return parse_arguments(o, argc - optind, argv + optind);
}
