/* A far side started over ssh: it binds a UDP port and says over ssh's pipe how to get there.
 *
 * The line is "terncp-stdio 1 PORT KEY SECRET ADDRESS": the port, the far side's public key, the secret
 * that opens the door to who knows it (64 hexadecimal digits), and the address at which ssh was reached
 * there ("-" if unknown). Whatever else stands on the pipe before it, greetings and the like, is passed
 * over.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_SSH_H
#define TERNCP_SSH_H

#include <stdbool.h>
#include <sys/types.h>
#include <tern/types.h>

#include "terncp/options.h"
#include "terncp/target.h"

#define SSH_LINE_WORD    "terncp-stdio"
#define SSH_LINE_VERSION 1
#define SSH_LINE_MAX     512

struct ssh {
    pid_t pid; /* 0: not started */
    int in;    /* its standard input, held open as long as we live */
    int out;
};

struct ssh_line {
    uint16_t port;
    uint8_t key[TERN_KEY_SIZE], secret[TERN_SECRET_SIZE];
    char address[TERN_ADDR_TEXT_SIZE]; /* "" if the far side does not know */
};

enum ssh_found {
    SSH_NOISE,  /* another line */
    SSH_LINE,   /* the line */
    SSH_VERSION /* the line of another version */
};

/* Is this the line? Without its end; taken apart if so. */
enum ssh_found ssh_line_parse(struct ssh_line *line, const char *text);
/* Writes it, with its end. */
void ssh_line_format(const struct ssh_line *line, char text[SSH_LINE_MAX]);

/* Starts the far side and waits for its line. -1, or the exit code after an error was said. */
int ssh_start(struct ssh *ssh, const struct options *options, const struct target *target,
              struct ssh_line *line);

/* The name that ssh makes of a host by its configuration, or the same. False: no memory for it. */
void ssh_real_host(const struct options *options, const struct target *target,
                   char host[TARGET_HOST_SIZE]);

/* Closes the pipes and waits a moment for ssh to end. Returns its exit code. */
int ssh_end(struct ssh *ssh);

#endif
