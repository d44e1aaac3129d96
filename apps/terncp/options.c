/* Options, their checks, and the help text.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/cli.h"
#include "shared/net.h"

/* A string may not be longer than 4095 bytes (C11 §5.2.4.1). */
static const char *const help[] = {
    "Usage: terncp [OPTIONS] SOURCE... DESTINATION\n"
    "       terncp serve [--root DIR] [--listen ADDR:PORT] [--authorized-keys FILE | --anonymous]\n"
    "                    [--read-only] [--silent]\n"
    "       terncp send FILE...\n"
    "       terncp receive CODE[@HOST[:PORT]] [FOLDER]\n"
    "       terncp keygen [-f FILE]\n"
    "       terncp id\n"
    "\n"
    "Copies files and folders over an encrypted UDP transport. Remote names are [user@]host:path,\n"
    "where terncp is started over ssh, and tern://host[:port]/path, served by `terncp serve`. A\n"
    "name with a slash before its colon is local; - is standard input or output. Every file is\n"
    "verified by its hash and appears under its name only when it is whole.\n"
    "\n"
    "Copying:\n"
    "  -r, --recursive         copy folders\n"
    "  -p, --preserve          keep mode and modification time\n"
    "  -l, --links             copy symbolic links as such\n"
    "  -z, --compress          compress with zstd what shrinks, unless the network is faster than "
    "that\n"
    "      --compress-level N  1 (fast) to 19; implies -z\n"
    "  -P, --parallel N        larger files in flight at once (default: as many as keep the "
    "network\n"
    "                          busy)\n"
    "      --no-verify         check sizes only: no hash is made of what is copied\n"
    "      --preallocate       take the room of a larger file before it is written\n"
    "      --fsync             force each file to disk before it gets its name\n"
    "      --cc NAME           congestion control: bbr (default), cubic, newreno, ledbat (in the\n"
    "                          background), prague (L4S), media (a short queue)\n"
    "      --cipher LIST       allowed suites: aegis-128l, aegis-256, aes-256-gcm,\n"
    "                          chacha20-poly1305 (separated by commas)\n"
    "      --connect-timeout T give up connecting after T (default 10s)\n"
    "  -4, -6                  IPv4 or IPv6 only\n"
    "\n",
    "Over ssh:\n"
    "  -e, --rsh COMMAND       instead of ssh, with its options: -e 'ssh -p 2222'\n"
    "  -o OPTION               for ssh, as in its configuration: -o ProxyJump=gate\n"
    "      --port N[-M]        UDP ports that the far side may take (default 60000-61000)\n"
    "      --terncp-path PATH  the far side's terncp (default: what the shell there finds)\n"
    "      --direct            no ssh: host:path means tern://host/path (port: --port)\n"
    "  ssh only starts the far side; data goes by UDP, to the address that ssh has reached. The\n"
    "  copy goes on if ssh ends; the far side ends with the copy, or 10 s after we fall silent.\n"
    "\n"
    "By code:\n"
    "  send prints a code such as 7-orbit-salmon that works once, for whoever types it first;\n"
    "  three wrong ones end it. receive finds the sender in the same network by itself (UDP port\n"
    "  7438), elsewhere by the address that send prints. There is no server in between: the\n"
    "  receiver must get to the sender by UDP (ports as above, --port). Nothing that exists is\n"
    "  replaced.\n"
    "\n"
    "Trust:\n"
    "      --key FILE          our secret key (default ~/.config/tern/id; without one: anonymous)\n"
    "      --pin KEY           the server's key must be this one (tern:...)\n"
    "      --known-hosts FILE  default ~/.config/tern/known_hosts\n"
    "      --accept-new        trust an unknown server at first use without asking\n"
    "  -B, --batch             never ask; an unknown server is refused\n"
    "  keygen and id print our public key, and below it four words made from it for comparing "
    "keys\n"
    "  by voice; serve and first contact show both, too\n"
    "\n",
    "Serving:\n"
    "      --root DIR          serve this folder (default: the current one)\n"
    "      --listen ADDR:PORT  default [::]:7437; port 0 chooses one and prints it\n"
    "      --authorized-keys FILE  clients that may connect (default\n"
    "                          ~/.config/tern/authorized_keys)\n"
    "      --anonymous         let everybody in\n"
    "      --read-only         refuse to receive files\n"
    "      --silent            answer only clients that know our key already\n"
    "      --server-id N       our number, 0 to 255, for a balancer to steer by "
    "(docs/steering.md)\n"
    "\n"
    "Output:\n"
    "      --progress MODE     auto, bar, json or none\n"
    "      --json              one JSON object a line on standard output\n"
    "  -q, --quiet             errors only\n"
    "  -v, --verbose           more; repeat for more\n"
    "  -f, --file FILE         keygen: where to write (default ~/.config/tern/id)\n"
    "  -h, --help   -V, --version\n"
    "\n"
    "In a folder, what is neither file nor folder (links, sockets) is left out, said, and no "
    "failure.\n"
    "Exit status: 0 done, 1 failed in part, 2 usage, 3 cannot connect or connection lost,\n"
    "4 identity or authorisation refused, 5 local file error, 6 remote file error, 7 integrity\n"
    "error, 130 interrupted.\n",
};

enum {
    OPT_FSYNC = 256,
    OPT_COMPRESS_LEVEL,
    OPT_NO_VERIFY,
    OPT_PREALLOCATE,
    OPT_CC,
    OPT_CIPHER,
    OPT_CONNECT_TIMEOUT,
    OPT_KEY,
    OPT_PIN,
    OPT_KNOWN_HOSTS,
    OPT_ACCEPT_NEW,
    OPT_ROOT,
    OPT_LISTEN,
    OPT_AUTHORIZED_KEYS,
    OPT_ANONYMOUS,
    OPT_READ_ONLY,
    OPT_SILENT,
    OPT_SERVER_ID,
    OPT_PROGRESS,
    OPT_JSON,
    OPT_PORT,
    OPT_DIRECT,
    OPT_STDIO,
    OPT_TERNCP_PATH
};

static const struct option longs[] = {
    {"recursive", no_argument, NULL, 'r'},
    {"preserve", no_argument, NULL, 'p'},
    {"compress", no_argument, NULL, 'z'},
    {"compress-level", required_argument, NULL, OPT_COMPRESS_LEVEL},
    {"links", no_argument, NULL, 'l'},
    {"parallel", required_argument, NULL, 'P'},
    {"no-verify", no_argument, NULL, OPT_NO_VERIFY},
    {"preallocate", no_argument, NULL, OPT_PREALLOCATE},
    {"fsync", no_argument, NULL, OPT_FSYNC},
    {"cc", required_argument, NULL, OPT_CC},
    {"cipher", required_argument, NULL, OPT_CIPHER},
    {"connect-timeout", required_argument, NULL, OPT_CONNECT_TIMEOUT},
    {"key", required_argument, NULL, OPT_KEY},
    {"pin", required_argument, NULL, OPT_PIN},
    {"known-hosts", required_argument, NULL, OPT_KNOWN_HOSTS},
    {"accept-new", no_argument, NULL, OPT_ACCEPT_NEW},
    {"batch", no_argument, NULL, 'B'},
    {"root", required_argument, NULL, OPT_ROOT},
    {"listen", required_argument, NULL, OPT_LISTEN},
    {"authorized-keys", required_argument, NULL, OPT_AUTHORIZED_KEYS},
    {"anonymous", no_argument, NULL, OPT_ANONYMOUS},
    {"read-only", no_argument, NULL, OPT_READ_ONLY},
    {"silent", no_argument, NULL, OPT_SILENT},
    {"server-id", required_argument, NULL, OPT_SERVER_ID},
    {"progress", required_argument, NULL, OPT_PROGRESS},
    {"json", no_argument, NULL, OPT_JSON},
    {"rsh", required_argument, NULL, 'e'},
    {"port", required_argument, NULL, OPT_PORT},
    {"direct", no_argument, NULL, OPT_DIRECT},
    {"stdio", no_argument, NULL, OPT_STDIO},
    {"terncp-path", required_argument, NULL, OPT_TERNCP_PATH},
    {"quiet", no_argument, NULL, 'q'},
    {"verbose", no_argument, NULL, 'v'},
    {"file", required_argument, NULL, 'f'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

static bool parse_progress(const char *name, enum options_progress *out)
{
    static const char *const names[] = {"auto", "bar", "json", "none"};
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) == 0) {
            *out = (enum options_progress)i;
            return true;
        }
    }
    return false;
}

static bool parse_number(const char *text, int least, int most, int *out)
{
    *out = 0;
    for (const char *at = text; *at != '\0'; at++) {
        if (*at < '0' || *at > '9' || (*out = *out * 10 + (*at - '0')) > most) {
            return false;
        }
    }
    return *text != '\0' && *out >= least;
}

/* "N" or "N-M". */
static bool parse_ports(struct options *o, const char *text)
{
    char *end;
    unsigned long last, first = text[0] >= '0' && text[0] <= '9' ? strtoul(text, &end, 10) : 0;
    if (first == 0 || first > 65535) {
        return false;
    }
    last = *end == '-' && end[1] >= '0' && end[1] <= '9' ? strtoul(end + 1, &end, 10) : first;
    if (*end != '\0' || last < first || last > 65535) {
        return false;
    }
    o->port_first = o->direct_port = (uint16_t)first;
    o->port_last = (uint16_t)last;
    return true;
}

static int add_ssh_option(struct options *o)
{
    if (o->ssh_option_count == TERNCP_SSH_OPTIONS) {
        return cli_refuse("-o", optarg, "these are too many; put some into ~/.ssh/config");
    }
    o->ssh_options[o->ssh_option_count++] = optarg;
    return -1;
}

/* How far sides are started and found. -1: fine. -2: not one of these. */
static int parse_far(struct options *o, int opt)
{
    switch (opt) {
    case 'e':
        o->ssh = optarg;
        return -1;
    case 'o':
        return add_ssh_option(o);
    case OPT_PORT:
        return parse_ports(o, optarg)
                   ? -1
                   : cli_refuse("--port", optarg, "give a port or a range such as 60000-60100");
    case OPT_TERNCP_PATH:
        o->far_program = optarg;
        return -1;
    default:
        return -2;
    }
}

/* Options that take a value. -1: fine. */
static int parse_value(struct options *o, int opt)
{
    int code = parse_far(o, opt);
    if (code != -2) {
        return code;
    }
    switch (opt) {
    case OPT_CC:
        o->cc = optarg;
        return net_is_controller(optarg) ? -1 : cli_refuse("--cc", optarg, NET_CONTROLLERS_ADVICE);
    case OPT_CIPHER:
        return net_parse_suites(optarg, &o->suites)
                   ? -1
                   : cli_refuse("--cipher", optarg, "see terncp --help for the names");
    case OPT_CONNECT_TIMEOUT:
        return cli_parse_time(optarg, &o->connect_timeout) && o->connect_timeout > 0
                   ? -1
                   : cli_refuse("--connect-timeout", optarg, "give a time such as 5s or 500ms");
    case OPT_PROGRESS:
        return parse_progress(optarg, &o->progress)
                   ? -1
                   : cli_refuse("--progress", optarg, "give auto, bar, json or none");
    case OPT_KEY:
        o->key = optarg;
        return -1;
    case OPT_PIN:
        o->pin = optarg;
        return -1;
    case OPT_KNOWN_HOSTS:
        o->known_hosts = optarg;
        return -1;
    case OPT_SERVER_ID:
        o->has_server_id = true;
        return parse_number(optarg, 0, 255, &o->server_id)
                   ? -1
                   : cli_refuse("--server-id", optarg, "give a number from 0 to 255");
    case OPT_COMPRESS_LEVEL:
        o->compress = true;
        return parse_number(optarg, 1, 19, &o->level)
                   ? -1
                   : cli_refuse("--compress-level", optarg, "give a number from 1 to 19");
    case 'P':
        return parse_number(optarg, 1, OPTIONS_PARALLEL_MAX, &o->parallel)
                   ? -1
                   : cli_refuse("-P", optarg, "give a number from 1 to 16");
    case OPT_ROOT:
        o->root = optarg;
        return -1;
    case OPT_LISTEN:
        o->listen = optarg;
        return -1;
    case OPT_AUTHORIZED_KEYS:
        o->authorized_keys = optarg;
        return -1;
    default:
        o->out_file = optarg;
        return -1;
    }
}

/* Switches. False: it is none. */
static bool parse_switch(struct options *o, int opt)
{
    switch (opt) {
    case 'r':
        o->recursive = true;
        return true;
    case 'p':
        o->preserve = true;
        return true;
    case 'z':
        o->compress = true;
        return true;
    case 'l':
        o->links = true;
        return true;
    case OPT_NO_VERIFY:
        o->no_verify = true;
        return true;
    case OPT_PREALLOCATE:
        o->preallocate = true;
        return true;
    case 'B':
        o->batch = true;
        return true;
    case 'q':
        o->quiet = true;
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
    case OPT_FSYNC:
        o->fsync = true;
        return true;
    case OPT_ACCEPT_NEW:
        o->accept_new = true;
        return true;
    case OPT_ANONYMOUS:
        o->anonymous = true;
        return true;
    case OPT_READ_ONLY:
        o->read_only = true;
        return true;
    case OPT_SILENT:
        o->silent = true;
        return true;
    case OPT_JSON:
        o->json = true;
        return true;
    case OPT_DIRECT:
        o->is_direct = true;
        return true;
    case OPT_STDIO:
        o->is_stdio = true;
        return true;
    default:
        return false;
    }
}

static int check_code_command(const struct options *o)
{
    if (o->arg_count == 0) {
        cli_error(o->command == COMMAND_SEND ? "nothing to send" : "no code", NULL,
                  "see terncp --help");
        return CLI_USAGE;
    }
    if (o->command == COMMAND_RECEIVE && o->arg_count > 2) {
        cli_error(o->args[2], "what is this?", "write terncp receive CODE [FOLDER]");
        return CLI_USAGE;
    }
    return -1;
}

static int parse_command(struct options *o, int argc, char **argv)
{
    static const char *const names[] = {"copy", "serve", "keygen", "id", "send", "receive"};
    o->command = COMMAND_COPY;
    o->args = argv + optind;
    o->arg_count = argc - optind;
    for (unsigned i = COMMAND_SERVE; i <= COMMAND_RECEIVE && o->arg_count > 0; i++) {
        if (strcmp(o->args[0], names[i]) == 0) {
            o->command = (enum options_command)i;
            o->args++;
            o->arg_count--;
            break;
        }
    }
    if (o->is_stdio && o->arg_count == 0) {
        o->command = COMMAND_STDIO;
        return -1;
    }
    if (o->command == COMMAND_COPY && o->arg_count < 2) {
        cli_error(o->arg_count == 0 ? "no source and no destination" : "no destination", NULL,
                  "see terncp --help");
        return CLI_USAGE;
    }
    if (o->command == COMMAND_SEND || o->command == COMMAND_RECEIVE) {
        return check_code_command(o);
    }
    if (o->command != COMMAND_COPY && o->arg_count > 0) {
        cli_error(o->args[0], "this command takes no such argument", "see terncp --help");
        return CLI_USAGE;
    }
    return -1;
}

int options_parse(struct options *o, int argc, char **argv)
{
    memset(o, 0, sizeof *o);
    o->cc = "bbr";
    o->suites = TERN_SUITE_ANY;
    o->connect_timeout = 10 * TERN_SEC;
    o->port_first = TERNCP_PORT_FIRST;
    o->port_last = TERNCP_PORT_LAST;
    o->root = ".";
    cli_init("terncp", false, 0);
    opterr = 0;
    for (int opt; (opt = getopt_long(argc, argv, ":rplzP:Bqv46e:o:f:hV", longs, NULL)) != -1;) {
        if (opt == 'h') {
            for (unsigned i = 0; i < sizeof help / sizeof help[0]; i++) {
                (void)fputs(help[i], stdout);
            }
            return CLI_OK;
        }
        if (opt == 'V') {
            (void)printf("terncp %s\n", tern_version());
            return CLI_OK;
        }
        if (opt == '?' || opt == ':') {
            cli_error(argv[optind - 1], opt == ':' ? "a value is missing" : "unknown option",
                      "see terncp --help");
            return CLI_USAGE;
        }
        if (!parse_switch(o, opt)) {
            int code = parse_value(o, opt);
            if (code >= 0) {
                return code;
            }
        }
    }
    cli_init("terncp", o->quiet, o->verbose);
    return parse_command(o, argc, argv);
}
