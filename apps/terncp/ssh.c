/* ssh as a child process: its arguments, its pipes, its one line.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/ssh.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/cli.h"
#include "shared/keyring.h"
#include "shared/term.h"

#define ARGS_MAX  64
#define NOISE_MAX (256 << 10) /* bytes before the line */
#define NOT_FOUND 127         /* of a shell that finds no such program */
#define PATIENCE  2000        /* ms that ssh gets to end */

/* --- the line --------------------------------------------------------------------------------------- */

void ssh_line_format(const struct ssh_line *line, char text[SSH_LINE_MAX])
{
    char key[KEYRING_TEXT_SIZE], secret[2 * TERN_SECRET_SIZE + 1];
    keyring_format(line->key, key);
    (void)sodium_bin2hex(secret, sizeof secret, line->secret, sizeof line->secret);
    (void)snprintf(text, SSH_LINE_MAX, "%s %d %u %s %s %s\n", SSH_LINE_WORD, SSH_LINE_VERSION,
                   (unsigned)line->port, key, secret,
                   line->address[0] == '\0' ? "-" : line->address);
    sodium_memzero(secret, sizeof secret);
}

/* The next word of a line, or NULL. */
static const char *next_word(const char **at, size_t *len)
{
    const char *word = *at + strspn(*at, " ");
    *len = strcspn(word, " ");
    *at = word + *len;
    return *len > 0 ? word : NULL;
}

static bool parse_number(const char *word, size_t len, unsigned most, unsigned *out)
{
    *out = 0;
    for (size_t i = 0; i < len; i++) {
        if (word[i] < '0' || word[i] > '9' ||
            (*out = *out * 10 + (unsigned)(word[i] - '0')) > most) {
            return false;
        }
    }
    return len > 0;
}

/* Or "-"; no name that the far side would have us look up. */
static bool is_address(const char *word, size_t len)
{
    bool is_v6 = memchr(word, ':', len) != NULL;
    size_t digits = strspn(word, is_v6 ? "0123456789abcdefABCDEF.:" : "0123456789.");
    return digits >= len || (is_v6 && word[digits] == '%') || (len == 1 && word[0] == '-');
}

enum ssh_found ssh_line_parse(struct ssh_line *line, const char *text)
{
    size_t len = 0, used = 0;
    unsigned number;
    const char *word = next_word(&text, &len);
    memset(line, 0, sizeof *line);
    if (word == NULL || len != strlen(SSH_LINE_WORD) || memcmp(word, SSH_LINE_WORD, len) != 0) {
        return SSH_NOISE;
    }
    word = next_word(&text, &len);
    if (word == NULL || !parse_number(word, len, 1000, &number)) {
        return SSH_NOISE;
    }
    if (number != SSH_LINE_VERSION) {
        return SSH_VERSION;
    }
    word = next_word(&text, &len);
    if (word == NULL || !parse_number(word, len, 65535, &number) || number == 0) {
        return SSH_NOISE;
    }
    line->port = (uint16_t)number;
    word = next_word(&text, &len);
    if (word == NULL || !keyring_parse(word, len, line->key)) {
        return SSH_NOISE;
    }
    word = next_word(&text, &len);
    if (word == NULL ||
        sodium_hex2bin(line->secret, sizeof line->secret, word, len, NULL, &used, NULL) != 0 ||
        used != sizeof line->secret) {
        return SSH_NOISE;
    }
    word = next_word(&text, &len);
    if (word == NULL || len >= sizeof line->address || !is_address(word, len)) {
        return SSH_NOISE;
    }
    if (len != 1 || word[0] != '-') {
        memcpy(line->address, word, len);
    }
    return SSH_LINE;
}

/* --- the command ------------------------------------------------------------------------------------- */

/* What is run: words of -e, split at blanks (quotes keep them together), and what we add. */
struct command {
    char *args[ARGS_MAX + 1];
    unsigned count;
    char words[4096];
    char login[2 * TARGET_HOST_SIZE];
    char far[1024];
};

static bool add(struct command *c, const char *arg)
{
    if (c->count == ARGS_MAX) {
        return false;
    }
    c->args[c->count++] = (char *)(uintptr_t)arg; /* execvp does not write to them */
    c->args[c->count] = NULL;
    return true;
}

/* Splits in place, as a shell would without its other magic. False: an open quote, or too much. */
static bool split_words(struct command *c, const char *text)
{
    char *out = c->words;
    const char *end = c->words + sizeof c->words - 1;
    while (*(text += strspn(text, " \t\n")) != '\0') {
        char quote = '\0';
        if (!add(c, out)) {
            return false;
        }
        for (; *text != '\0' && (quote != '\0' || strchr(" \t\n", *text) == NULL); text++) {
            if (quote == '\0' && (*text == '"' || *text == '\'')) {
                quote = *text;
            } else if (*text == quote) {
                quote = '\0';
            } else {
                text += *text == '\\' && quote != '\'' && text[1] != '\0' ? 1 : 0;
                if (out == end) {
                    return false;
                }
                *out++ = *text;
            }
        }
        if (quote != '\0' || out == end) {
            return false;
        }
        *out++ = '\0';
    }
    return c->count > 0;
}

static bool begin_command(struct command *c, const struct options *o)
{
    memset(c, 0, sizeof *c);
    if (!split_words(c, o->ssh != NULL ? o->ssh : "ssh")) {
        return false;
    }
    bool is_good = o->family == 0 || add(c, o->family == 4 ? "-4" : "-6");
    for (unsigned i = 0; i < o->ssh_option_count; i++) {
        is_good = is_good && add(c, "-o") && add(c, o->ssh_options[i]);
    }
    return is_good;
}

/* For the shell there: a path with blanks and the like is one word, and ~ stays what it is. False: too long. */
static bool quote(const char *path, char *out, size_t size)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-./~+@%=:,";
    size_t used = 0, safe = strspn(path, plain), home = path[0] == '~' ? strcspn(path, "/") + 1 : 0;
    bool is_plain = path[safe] == '\0';
    for (const char *at = path; *at != '\0' && used + 6 < size; at++) {
        size_t offset = (size_t)(at - path);
        if (!is_plain && offset == (home <= safe ? home : 0)) {
            out[used++] = '\'';
        }
        if (*at == '\'') { /* the quotes end for its sake */
            memcpy(out + used, "'\\'", 3);
            used += 3;
        }
        out[used++] = *at;
        if (at[1] == '\0' && !is_plain) {
            out[used++] = '\'';
        }
        if (at[1] == '\0') {
            out[used] = '\0';
            return true;
        }
    }
    return false;
}

static bool make_command(struct command *c, const struct options *o, const struct target *target)
{
    if (!begin_command(c, o)) {
        return false;
    }
    (void)snprintf(c->login, sizeof c->login, "%s", target->login);
    char far[900];
    if (!quote(o->far_program != NULL ? o->far_program : "terncp", far, sizeof far)) {
        return false;
    }
    int n = snprintf(c->far, sizeof c->far, "%s --stdio --port %u-%u", far, (unsigned)o->port_first,
                     (unsigned)o->port_last);
    return n > 0 && (size_t)n < sizeof c->far && add(c, "-T") && add(c, "-x") && add(c, "--") &&
           add(c, c->login) && add(c, c->far);
}

/* --- the child ---------------------------------------------------------------------------------------- */

/* Only what may stand between fork and exec. */
static void become(struct command *c, int in, int out)
{
    if ((in < 0 || dup2(in, STDIN_FILENO) == STDIN_FILENO) &&
        dup2(out, STDOUT_FILENO) == STDOUT_FILENO) {
        (void)signal(SIGPIPE, SIG_DFL);
        (void)execvp(c->args[0], c->args);
    }
    _exit(errno == ENOENT ? NOT_FOUND : 126);
}

static bool spawn(struct ssh *ssh, struct command *c)
{
    int in[2] = {-1, -1}, out[2] = {-1, -1};
    if (pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0 && (ssh->pid = fork()) >= 0) {
        if (ssh->pid == 0) {
            become(c, in[0], out[1]);
        }
        (void)close(in[0]);
        (void)close(out[1]);
        ssh->in = in[1];
        ssh->out = out[0];
        return true;
    }
    int saved = errno;
    for (int i = 0; i < 2; i++) {
        if (in[i] >= 0) {
            (void)close(in[i]);
        }
        if (out[i] >= 0) {
            (void)close(out[i]);
        }
    }
    ssh->pid = 0;
    errno = saved;
    return false;
}

/* 1: a line of text · 0: the end */
static int read_line(int fd, char *line, size_t size, size_t *total)
{
    size_t used = 0;
    for (char c; *total < NOISE_MAX; (*total)++) {
        ssize_t n = read(fd, &c, 1); /* one at a time: there is only this line to wait for */
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return 0;
        }
        if (c == '\n') {
            line[used > 0 && line[used - 1] == '\r' ? used - 1 : used] = '\0';
            return 1;
        }
        if (used + 1 < size) {
            line[used++] = c;
        }
    }
    return 0;
}

/* Greetings need not end with a newline: the word may stand behind them. */
static enum ssh_found find_line(struct ssh_line *line, const char *text)
{
    for (const char *at = strstr(text, SSH_LINE_WORD); at != NULL;
         at = strstr(at + 1, SSH_LINE_WORD)) {
        enum ssh_found found = ssh_line_parse(line, at);
        if (found != SSH_NOISE) {
            return found;
        }
    }
    return SSH_NOISE;
}

static int reap(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            return 0;
        }
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

/* Once the pipes are closed ssh ends by itself; what does not is told to. */
int ssh_end(struct ssh *ssh)
{
    struct pollfd end = {.fd = ssh->out, .events = POLLIN};
    char sink[512];
    int left = PATIENCE;
    if (ssh->pid == 0) {
        return 0;
    }
    (void)close(ssh->in);
    while (left > 0 && poll(&end, 1, 100) >= 0) { /* until ssh has closed its end as well */
        if (end.revents != 0 && read(ssh->out, sink, sizeof sink) <= 0) {
            break;
        }
        left -= end.revents == 0 ? 100 : 1;
    }
    if (left <= 0) {
        (void)kill(ssh->pid, SIGTERM);
    }
    (void)close(ssh->out);
    int code = reap(ssh->pid);
    ssh->pid = 0;
    return code;
}

static int explain_end(struct ssh *ssh, const struct options *o, const struct command *c,
                       const struct target *target)
{
    char why[400], advice[400];
    int code = ssh_end(ssh);
    const char *far = o->far_program != NULL ? o->far_program : "terncp";
    if (code == NOT_FOUND) {
        (void)snprintf(why, sizeof why, "%.100s does not start there, or %.100s not here", far,
                       c->args[0]);
        (void)snprintf(advice, sizeof advice,
                       "install tern on %.200s so that the shell finds terncp there, or say where "
                       "it is with --terncp-path",
                       target->host);
    } else if (code == 255) {
        (void)snprintf(why, sizeof why, "ssh could not connect");
        (void)snprintf(advice, sizeof advice, "try: %.100s %.200s", c->args[0], target->login);
    } else {
        (void)snprintf(why, sizeof why, "the far side ended (exit code %d) and said nothing", code);
        (void)snprintf(advice, sizeof advice, "try there: %.200s --version", far);
    }
    cli_error(target->login, why, advice);
    return CLI_CONNECT;
}

int ssh_start(struct ssh *ssh, const struct options *options, const struct target *target,
              struct ssh_line *line)
{
    static struct command command; /* large, and there is one at a time */
    char text[4096], safe[1000];
    size_t total = 0;
    memset(ssh, 0, sizeof *ssh);
    if (!make_command(&command, options, target)) {
        cli_error("-e", "not understood", "give a command and its options, such as 'ssh -p 2222'");
        return CLI_USAGE;
    }
    if (!spawn(ssh, &command)) {
        cli_error(command.args[0], strerror(errno), "check the limits of this user");
        return CLI_LOCAL;
    }
    enum ssh_found found = SSH_NOISE;
    while (found == SSH_NOISE && read_line(ssh->out, text, sizeof text, &total) == 1) {
        found = find_line(line, text);
        if (found == SSH_NOISE && text[0] != '\0') {
            cli_verbose(1, "%s: %s", target->host,
                        term_escape(text, strlen(text), safe, sizeof safe));
        }
    }
    sodium_memzero(text, sizeof text);
    if (found == SSH_NOISE) {
        return explain_end(ssh, options, &command, target);
    }
    if (found == SSH_VERSION) {
        (void)ssh_end(ssh);
        cli_error(target->login, "terncp there speaks another version of this start-up",
                  "install the same version of tern on both sides");
        return CLI_CONNECT;
    }
    return -1;
}

/* --- its configuration -------------------------------------------------------------------------------- */

static bool is_openssh(const char *program)
{
    const char *slash = strrchr(program, '/');
    return strcmp(slash == NULL ? program : slash + 1, "ssh") == 0;
}

void ssh_real_host(const struct options *options, const struct target *target,
                   char host[TARGET_HOST_SIZE])
{
    static struct command command;
    struct ssh ssh = {.pid = 0};
    char text[1024];
    size_t total = 0;
    (void)snprintf(host, TARGET_HOST_SIZE, "%s", target->host);
    if (!begin_command(&command, options) || !is_openssh(command.args[0])) {
        return; /* whatever it is, it may not know this option and log in instead */
    }
    (void)snprintf(command.login, sizeof command.login, "%s", target->login);
    if (!add(&command, "-T") || !add(&command, "-G") || !add(&command, "--") ||
        !add(&command, command.login) || !spawn(&ssh, &command)) {
        return;
    }
    while (read_line(ssh.out, text, sizeof text, &total) == 1) {
        if (strncmp(text, "hostname ", 9) == 0 && strlen(text + 9) < TARGET_HOST_SIZE) {
            memcpy(host, text + 9, strlen(text + 9) + 1);
        }
    }
    (void)close(ssh.in);
    (void)close(ssh.out);
    (void)reap(ssh.pid);
}
