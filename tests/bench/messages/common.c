/* The two ends of a cell: options, processes, the loop that sends on time.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "common.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_USAGE = 2, REAL_TIME_PRIORITY = 10 };

/* How long an end waits for the handshake, and for what is still missing after the last message. */
#define CONNECT_TIMEOUT (15 * NS_PER_SEC)
#define LINGER          (3 * NS_PER_SEC)
#define MAGIC           UINT32_C(0x7e12be4c)

static const char help[] =
    " [options]: messages both ways through ternlink, one line of JSON\n"
    "  --mode NAME      how messages are sent; see below\n"
    "  --network OPTS   options of ternlink; default \"--delay 20\"\n"
    "  --seconds N      of messages that count, default 15\n"
    "  --warmup N       seconds of messages before them that do not, default 2\n"
    "  --rate N         messages a second each way, default 60\n"
    "  --size N         bytes of each, 24 to 1100, default 100\n"
    "  --channels N     taken by turns, default 1\n"
    "  --seed N         of losses and of the moments of sending, default 1\n"
    "  --cc NAME        congestion control, of tern and tcp\n"
    "  --samples FILE   every latency in ms, sorted, a line each\n"
    "  --ternlink PATH  default: beside this program\n";

uint64_t clock_now(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

void fail(const char *what, const char *object)
{
    int error = errno;
    fprintf(stderr, "messages: %s %s: %s\n", what, object, strerror(error));
    exit(EXIT_FAILURE);
}

bool mode_is(const struct end *end, const char *name)
{
    return strcmp(end->mode, name) == 0;
}

struct letter *letters_of(struct shared *shared, int side)
{
    return shared->letters + (side == CLIENT ? shared->count : 0);
}

int open_udp(const struct sockaddr_in *address, bool is_server)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int failed = fd < 0      ? -1
                 : is_server ? bind(fd, (const struct sockaddr *)address, sizeof *address)
                             : connect(fd, (const struct sockaddr *)address, sizeof *address);
    if (failed != 0 && fd >= 0) {
        (void)close(fd);
    }
    return failed != 0 ? -1 : fd;
}

static void sleep_until(uint64_t moment)
{
    struct timespec ts = {.tv_sec = (time_t)(moment / NS_PER_SEC),
                          .tv_nsec = (long)(moment % NS_PER_SEC)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR) {
    }
}

/* --- one message --- */

struct head {
    uint32_t magic, channel;
    uint64_t number, sent;
};

_Static_assert(sizeof(struct head) == LETTER_HEAD, "the head is what the shortest message holds");

void end_received(struct end *end, const uint8_t *data, size_t len)
{
    struct shared *shared = end->shared;
    struct head head;
    uint64_t now = clock_now();
    if (len != shared->options.size) {
        return;
    }
    memcpy(&head, data, sizeof head);
    if (head.magic != MAGIC || head.number >= shared->count || head.channel >= CHANNELS_MOST) {
        return;
    }
    struct letter *letter = &letters_of(shared, 1 - end->side)[head.number];
    if (letter->received != 0) {
        shared->doubles[end->side]++;
        return;
    }
    letter->received = now;
    end->received++;
    uint32_t *latest = &end->latest[head.channel];
    if (head.number < *latest) {
        shared->disorders[end->side]++;
    } else {
        *latest = (uint32_t)head.number + 1;
    }
}

static uint64_t due_of(const struct end *end, size_t number)
{
    return atomic_load(&end->shared->start) + end->shared->phase[end->side] +
           number * NS_PER_SEC / end->shared->options.rate;
}

static void send_letter(struct end *end, const struct transport *transport, uint64_t due)
{
    struct shared *shared = end->shared;
    uint8_t data[LETTER_LARGEST] = {0};
    unsigned channel = (unsigned)(end->next % shared->options.channels);
    struct letter *letter = &letters_of(shared, end->side)[end->next];
    letter->due = due;
    letter->sent = clock_now();
    struct head head = {MAGIC, channel, end->next, letter->sent};
    memcpy(data, &head, sizeof head);
    if (!transport->send(end, channel, data, shared->options.size)) {
        shared->refused[end->side]++;
    }
    end->next++;
}

/* --- one end --- */

/* The client, who is ready last as a rule, sets the start. */
static void look_at_start(struct end *end, uint64_t now)
{
    struct shared *shared = end->shared;
    atomic_store(&shared->is_ready[end->side], end->is_ready);
    if (end->side == CLIENT && end->is_ready && atomic_load(&shared->is_ready[SERVER]) &&
        atomic_load(&shared->start) == 0) {
        atomic_store(&shared->start, now + NS_PER_SEC / 5);
    }
}

/* Waits until the moment, or until the transport has something to read. */
static void wait_until(const struct end *end, uint64_t until)
{
    uint64_t now = clock_now();
    uint64_t left = until > now ? until - now : 0;
    struct timespec ts = {.tv_sec = (time_t)(left / NS_PER_SEC),
                          .tv_nsec = (long)(left % NS_PER_SEC)};
    struct pollfd fd = {.fd = end->fd, .events = POLLIN};
    if (ppoll(&fd, 1, &ts, NULL) < 0 && errno != EINTR) {
        fail("cannot wait", "for packets");
    }
}

static bool goes_on(struct end *end, uint64_t now)
{
    struct shared *shared = end->shared;
    if (end->next < shared->count) {
        return true;
    }
    if (end->received == shared->count) {
        atomic_store(&shared->is_content[end->side], true);
    }
    bool both =
        atomic_load(&shared->is_content[SERVER]) && atomic_load(&shared->is_content[CLIENT]);
    return !both && now < due_of(end, shared->count) + LINGER;
}

static void run_end(struct end *end, const struct transport *transport)
{
    uint64_t give_up = clock_now() + CONNECT_TIMEOUT;
    for (uint64_t now; goes_on(end, now = clock_now());) {
        uint64_t next = transport->work(end, now);
        look_at_start(end, now);
        uint64_t soon = now + 5 * NS_PER_MS; /* for what the other process writes */
        next = next < soon ? next : soon;
        if (atomic_load(&end->shared->start) != 0) {
            uint64_t due = due_of(end, end->next);
            if (end->next < end->shared->count && clock_now() >= due) {
                send_letter(end, transport, due);
                continue;
            }
            next = end->next < end->shared->count && due < next ? due : next;
        } else if (now > give_up || end->is_over) {
            errno = ETIMEDOUT;
            fail(transport->name,
                 end->side == SERVER ? "server: no connection" : "client: no connection");
        }
        wait_until(end, next);
    }
    atomic_store(&end->shared->has_died[end->side], end->is_over);
}

static pid_t start_end(const struct transport *transport, struct shared *shared, int side)
{
    pid_t parent = getpid(), pid = fork();
    if (pid != 0) {
        return pid;
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)prctl(PR_SET_TIMERSLACK, 1UL);
    if (getppid() != parent || (transport->needs_cable && unshare(CLONE_NEWNET) != 0)) {
        fail("cannot make", "a network namespace");
    }
    struct end *end = calloc(1, sizeof *end);
    if (end == NULL) {
        fail("cannot allocate", "an end");
    }
    *end = (struct end){.side = side, .shared = shared, .mode = shared->options.mode, .fd = -1};
    if (side == SERVER && transport->open(end, &shared->server) != 0) {
        fail("cannot listen with", transport->name);
    }
    atomic_store(&shared->is_content[side], true); /* so far: it is there */
    while (!atomic_load(&shared->is_open)) {
        sleep_until(clock_now() + NS_PER_MS);
    }
    if (side == CLIENT && transport->open(end, &shared->door) != 0) {
        fail("cannot connect with", transport->name);
    }
    run_end(end, transport);
    transport->close(end);
    free(end);
    exit(EXIT_SUCCESS);
}

/* --- the parent --- */

static unsigned read_number(const char *name, const char *text, unsigned least, unsigned most)
{
    char *end = NULL;
    unsigned long value = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || value < least || value > most) {
        fprintf(stderr, "messages: --%s: \"%s\" is not a number from %u to %u\n", name, text, least,
                most);
        exit(EXIT_USAGE);
    }
    return (unsigned)value;
}

static void print_help(const char *program, const struct transport *transport)
{
    printf("usage: %s%smodes:", program, help);
    for (size_t i = 0; transport->modes[i] != NULL; i++) {
        printf(" %s", transport->modes[i]);
    }
    printf("\n");
}

static void check_options(const struct options *options, const struct transport *transport)
{
    size_t i = 0;
    while (transport->modes[i] != NULL && strcmp(transport->modes[i], options->mode) != 0) {
        i++;
    }
    if (transport->modes[i] == NULL) {
        fprintf(stderr, "messages: %s has no mode \"%s\"; see --help\n", transport->name,
                options->mode);
        exit(EXIT_USAGE);
    }
    if (options->channels > transport->channels) {
        fprintf(stderr, "messages: %s has no more than %u channels\n", transport->name,
                transport->channels);
        exit(EXIT_USAGE);
    }
}

static void read_option(struct options *options, int code, const char *name)
{
    switch (code) {
    case 'm':
        options->mode = optarg;
        break;
    case 'n':
        options->network = optarg;
        break;
    case 's':
        options->seconds = read_number(name, optarg, 1, 3600);
        break;
    case 'w':
        options->warmup = read_number(name, optarg, 0, 60);
        break;
    case 'r':
        options->rate = read_number(name, optarg, 1, 10000);
        break;
    case 'z':
        options->size = read_number(name, optarg, LETTER_HEAD, LETTER_LARGEST);
        break;
    case 'c':
        options->channels = read_number(name, optarg, 1, CHANNELS_MOST);
        break;
    case 'e':
        options->seed = read_number(name, optarg, 0, 1000000000);
        break;
    case 'g':
        options->cc = optarg;
        break;
    case 'o':
        options->samples = optarg;
        break;
    case 't':
        options->ternlink = optarg;
        break;
    default:
        exit(EXIT_USAGE); /* getopt said what is wrong */
    }
}

static void read_options(struct options *options, int argc, char **argv,
                         const struct transport *transport)
{
    static const struct option table[] = {{"mode", required_argument, NULL, 'm'},
                                          {"network", required_argument, NULL, 'n'},
                                          {"seconds", required_argument, NULL, 's'},
                                          {"warmup", required_argument, NULL, 'w'},
                                          {"rate", required_argument, NULL, 'r'},
                                          {"size", required_argument, NULL, 'z'},
                                          {"channels", required_argument, NULL, 'c'},
                                          {"seed", required_argument, NULL, 'e'},
                                          {"samples", required_argument, NULL, 'o'},
                                          {"ternlink", required_argument, NULL, 't'},
                                          {"cc", required_argument, NULL, 'g'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    *options = (struct options){.mode = transport->modes[0],
                                .network = "--delay 20",
                                .seconds = 15,
                                .warmup = 2,
                                .rate = 60,
                                .size = 100,
                                .channels = 1,
                                .seed = 1};
    for (int code, index = 0; (code = getopt_long(argc, argv, "h", table, &index)) != -1;) {
        if (code == 'h') {
            print_help(argv[0], transport);
            exit(EXIT_SUCCESS);
        }
        read_option(options, code, table[index].name);
    }
    if (optind != argc) {
        fprintf(stderr, "messages: \"%s\" is no option\n", argv[optind]);
        exit(EXIT_USAGE);
    }
    check_options(options, transport);
}

static const char *find_ternlink(void)
{
    static char path[4096];
    ssize_t len = readlink("/proc/self/exe", path, sizeof path - sizeof "ternlink");
    char *slash = len > 0 ? memrchr(path, '/', (size_t)len) : NULL;
    memcpy(slash != NULL ? slash + 1 : path, "ternlink", sizeof "ternlink");
    return path;
}

static struct shared *make_shared(const struct options *options)
{
    size_t count = (size_t)options->rate * (options->seconds + options->warmup);
    size_t size = sizeof(struct shared) + SIDES * count * sizeof(struct letter);
    struct shared *shared =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        fail("cannot allocate", "the table of messages");
    }
    shared->options = *options;
    shared->count = count;
    shared->skipped = (size_t)options->rate * options->warmup;
    uint64_t period = NS_PER_SEC / options->rate;
    for (int i = 0; i < SIDES; i++) { /* the golden ratio's multiples are spread evenly */
        shared->phase[i] = (options->seed * SIDES + (uint64_t)i) * (period * 618 / 1000) % period;
    }
    return shared;
}

/* A port that was free a moment ago: not every library can tell which one it was given. */
static struct sockaddr_in choose_server(bool is_cable)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;
    if (is_cable) {
        address.sin_port = htons(7437);
        return address;
    }
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = open_udp(&address, true);
    if (fd < 0 || getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        fail("cannot find", "a free port");
    }
    (void)close(fd);
    return address;
}

static void await_end(struct shared *shared, int side, pid_t pid)
{
    while (!atomic_load(&shared->is_content[side])) {
        if (waitpid(pid, NULL, WNOHANG) != 0) {
            exit(EXIT_FAILURE); /* it has said why */
        }
        sleep_until(clock_now() + NS_PER_MS);
    }
    atomic_store(&shared->is_content[side], false);
}

/* The wire's bytes between the first message that counts and the last. */
static struct traffic watch(struct shared *shared, struct network *network, const pid_t pids[SIDES])
{
    while (atomic_load(&shared->start) == 0) {
        for (int i = 0; i < SIDES; i++) {
            if (waitpid(pids[i], NULL, WNOHANG) != 0) {
                network_close(network);
                exit(EXIT_FAILURE);
            }
        }
        sleep_until(clock_now() + NS_PER_MS);
    }
    uint64_t start = atomic_load(&shared->start);
    sleep_until(start + shared->options.warmup * NS_PER_SEC);
    struct traffic before = network_ask(network);
    sleep_until(start + (shared->options.warmup + shared->options.seconds) * NS_PER_SEC);
    struct traffic after = network_ask(network);
    after.packets -= before.packets;
    after.bytes -= before.bytes;
    return after;
}

int messages_main(int argc, char **argv, const struct transport *transport)
{
    struct options options;
    read_options(&options, argc, argv, transport);
    if (options.ternlink == NULL) {
        options.ternlink = find_ternlink();
    }
    struct shared *shared = make_shared(&options);
    shared->server = choose_server(transport->needs_cable);
    /* Where we may, before all others of this machine: they are not what is measured. */
    struct sched_param priority = {.sched_priority = REAL_TIME_PRIORITY};
    shared->is_real_time = sched_setscheduler(0, SCHED_FIFO, &priority) == 0;
    pid_t pids[SIDES];
    for (int i = 0; i < SIDES; i++) {
        pids[i] = start_end(transport, shared, i);
        if (pids[i] < 0) {
            fail("cannot start", "an end");
        }
        await_end(shared, i, pids[i]);
    }
    struct network network;
    network_open(&network, shared, transport->needs_cable, pids, &shared->door);
    atomic_store(&shared->is_open, true);
    struct traffic traffic = watch(shared, &network, pids);
    int failed = 0;
    for (int i = 0; i < SIDES; i++) {
        int status = 0;
        failed |= waitpid(pids[i], &status, 0) != pids[i] || status != 0;
    }
    network_close(&network);
    if (failed) {
        fprintf(stderr, "messages: an end of %s failed\n", transport->name);
        return EXIT_FAILURE;
    }
    report(transport, shared, &traffic);
    return EXIT_SUCCESS;
}
