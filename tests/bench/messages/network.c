/* ternlink as a child: its command line, its door, its figures.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "common.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ARGUMENTS = 64, CABLE_PORT = 7437, UDP_HEADERS = 28 };

struct line {
    char *words[ARGUMENTS];
    size_t count;
};

static void add(struct line *line, const char *word)
{
    if (line->count + 1 == ARGUMENTS || (line->words[line->count++] = strdup(word)) == NULL) {
        errno = E2BIG;
        fail("cannot start", "ternlink");
    }
}

static void add_all(struct line *line, const char *words)
{
    char copy[1024], *save = NULL;
    (void)snprintf(copy, sizeof copy, "%s", words);
    for (char *word = strtok_r(copy, " ", &save); word != NULL; word = strtok_r(NULL, " ", &save)) {
        add(line, word);
    }
}

static void fill_line(struct line *line, const struct shared *shared, bool is_cable,
                      const pid_t ends[SIDES])
{
    char text[128];
    add(line, shared->options.ternlink);
    if (is_cable) {
        (void)snprintf(text, sizeof text, "tun --netns-a /proc/%d/ns/net --netns-b /proc/%d/ns/net",
                       (int)ends[CLIENT], (int)ends[SERVER]);
    } else {
        (void)snprintf(text, sizeof text, "udp --listen 127.0.0.1:0 --to 127.0.0.1:%u",
                       (unsigned)ntohs(shared->server.sin_port));
    }
    add_all(line, text);
    (void)snprintf(text, sizeof text, "--seed %" PRIu64, shared->options.seed);
    add_all(line, text);
    add_all(line, shared->options.network);
}

static pid_t start(struct line *line, int out, int err)
{
    pid_t pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (dup2(out, STDOUT_FILENO) >= 0 && dup2(err, STDERR_FILENO) >= 0) {
            (void)execv(line->words[0], line->words);
        }
        fail("cannot run", line->words[0]);
    }
    return pid;
}

/* Its first line tells that it is there, and where. */
static void read_door(int fd, bool is_cable, struct sockaddr_in *door)
{
    char text[512] = "";
    FILE *words = fdopen(fd, "r");
    const char *colon = NULL;
    if (words == NULL || fgets(text, sizeof text, words) == NULL ||
        (strstr(text, "listening on ") == NULL && strstr(text, "forwarding") == NULL)) {
        fprintf(stderr, "messages: ternlink did not start: %s\n", text);
        exit(EXIT_FAILURE);
    }
    *door = (struct sockaddr_in){.sin_family = AF_INET};
    if (is_cable) {
        (void)inet_pton(AF_INET, "10.77.0.2", &door->sin_addr);
        door->sin_port = htons(CABLE_PORT);
    } else {
        colon = strrchr(text, ':');
        door->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        door->sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    }
    /* Left open: ternlink may have more to say, to nobody. */
}

void network_open(struct network *network, const struct shared *shared, bool is_cable,
                  const pid_t ends[SIDES], struct sockaddr_in *door)
{
    struct line line = {.count = 0};
    int out[2], err[2];
    if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) {
        fail("cannot make", "a pipe");
    }
    fill_line(&line, shared, is_cable, ends);
    *network = (struct network){.is_cable = is_cable};
    network->pid = start(&line, out[1], err[1]);
    network->figures = fdopen(out[0], "r");
    if (network->pid < 0 || network->figures == NULL) {
        fail("cannot start", "ternlink");
    }
    (void)close(out[1]);
    (void)close(err[1]);
    read_door(err[0], is_cable, door);
    for (size_t i = 0; i < line.count; i++) {
        free(line.words[i]);
    }
}

/* The sum of both directions' figures of that name. */
static uint64_t sum_of(const char *text, const char *name)
{
    char key[64];
    uint64_t sum = 0;
    int len = snprintf(key, sizeof key, "\"%s\":", name);
    for (const char *at = strstr(text, key); at != NULL; at = strstr(at + len, key)) {
        sum += strtoull(at + len, NULL, 10);
    }
    return sum;
}

struct traffic network_ask(struct network *network)
{
    char text[2048];
    if (kill(network->pid, SIGUSR1) != 0 || fgets(text, sizeof text, network->figures) == NULL) {
        fail("cannot ask", "ternlink");
    }
    struct traffic traffic = {.packets = sum_of(text, "packets_in"),
                              .bytes = sum_of(text, "bytes_in"),
                              .rebinds = sum_of(text, "rebinds")};
    traffic.bytes += network->is_cable ? 0 : traffic.packets * UDP_HEADERS;
    return traffic;
}

void network_close(struct network *network)
{
    (void)kill(network->pid, SIGTERM);
    (void)waitpid(network->pid, NULL, 0);
    (void)fclose(network->figures);
}
