/* What is remembered is one line, "nick NAME", in the file `chat` beside the keys.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "ternchat/start.h"

#include <errno.h>
#include <pwd.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shared/cli.h"
#include "shared/keyring.h"
#include "shared/term.h"
#include "ternchat/name.h"

/* The line's name, without what stands around it. */
static bool take(char *line, char nick[CHAT_NAME_MAX + 1])
{
    line[strcspn(line, "\r\n")] = '\0';
    line += strspn(line, " ");
    size_t len = strlen(line);
    while (len > 0 && line[len - 1] == ' ') {
        len--;
    }
    return name_take((struct chat_slice){(const uint8_t *)line, len}, NAME_NICK, nick);
}

static bool recall(char nick[CHAT_NAME_MAX + 1])
{
    char path[KEYRING_PATH_SIZE], line[200];
    bool is_found = false;
    FILE *file = keyring_path("chat", path) ? fopen(path, "re") : NULL;
    while (file != NULL && !is_found && fgets(line, sizeof line, file) != NULL) {
        is_found = strncmp(line, "nick ", 5) == 0 && take(line + 5, nick);
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return is_found;
}

void start_remember(const char *nick)
{
    char path[KEYRING_PATH_SIZE], line[CHAT_NAME_MAX + 16], checked[CHAT_NAME_MAX + 1];
    if (!name_take(chat_text(nick), NAME_NICK, checked) || !keyring_path("chat", path)) {
        return;
    }
    int len = snprintf(line, sizeof line, "nick %s\n", checked);
    if (keyring_save(path, line, (size_t)len) != KEYRING_OK) {
        cli_error(path, strerror(errno), "your nick is not remembered");
    }
}

bool start_is_first(const struct options *o)
{
    char nick[CHAT_NAME_MAX + 1];
    return o->nick == NULL && term_is_tty(STDIN_FILENO) && !o->batch && !recall(nick);
}

static void login_name(char nick[CHAT_NAME_MAX + 1])
{
    const struct passwd *entry = getpwuid(getuid());
    if (entry == NULL || !name_take(chat_text(entry->pw_name), NAME_NICK, nick)) {
        (void)snprintf(nick, CHAT_NAME_MAX + 1, "guest");
    }
}

/* Asks until it is a name; an empty answer is the login name. False: the input has ended. */
static bool ask(char nick[CHAT_NAME_MAX + 1])
{
    char login[CHAT_NAME_MAX + 1], line[300];
    login_name(login);
    for (;;) {
        (void)fprintf(stderr, "Your nick [%s]: ", login);
        (void)fflush(stderr);
        if (fgets(line, sizeof line, stdin) == NULL) {
            (void)fputc('\n', stderr);
            return false;
        }
        if (line[strspn(line, " \r\n")] == '\0') {
            memcpy(nick, login, sizeof login);
            return true;
        }
        if (take(line, nick)) {
            return true;
        }
        (void)fputs("That is not a nick: no blanks, \"/\", \"@\" or \"#\", at most 64 bytes.\n",
                    stderr);
    }
}

/* A person is their key: without one they would be a stranger at every start. */
static int make_key(const struct options *o, char about[START_ABOUT])
{
    char path[KEYRING_PATH_SIZE], words[KEYRING_WORDS_SIZE];
    uint8_t secret[TERN_KEY_SIZE], pub[TERN_KEY_SIZE];
    if (o->key != NULL || !keyring_path("id", path) ||
        keyring_load(path, secret) != KEYRING_ABSENT) {
        sodium_memzero(secret, sizeof secret);
        return -1; /* what is wrong with it is said when it is used */
    }
    if (keyring_create(path, pub) != KEYRING_OK) {
        cli_error(path, strerror(errno), "check the folder, or name a key with --key");
        return CLI_LOCAL;
    }
    keyring_words(pub, words);
    (void)snprintf(about, START_ABOUT, "a key was made for you, %s (%s): others know you by it",
                   path, words);
    return -1;
}

int start_find(const struct options *o, char nick[CHAT_NAME_MAX + 1], char about[START_ABOUT])
{
    bool is_person = term_is_tty(STDIN_FILENO) && !o->batch;
    about[0] = '\0';
    if (o->nick != NULL) {
        if (!name_take(chat_text(o->nick), NAME_NICK, nick)) {
            return cli_refuse(
                "--nick", o->nick,
                "give a name without blanks, \"/\", \"@\" or \"#\", at most 64 bytes");
        }
    } else if (!recall(nick)) {
        if (!is_person) {
            login_name(nick);
        } else if (ask(nick)) {
            start_remember(nick);
        } else {
            return CLI_USAGE;
        }
    }
    return o->batch ? -1 : make_key(o, about);
}
