/* Keys as text, small text files, written whole or not at all.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "shared/keyring.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <tern/config.h>
#include <unistd.h>

#define LINE_MAX_SIZE 1024
#define BLANKS        " \t"

void keyring_format(const uint8_t key[TERN_KEY_SIZE], char text[KEYRING_TEXT_SIZE])
{
    (void)tern_key_format(key, text, KEYRING_TEXT_SIZE);
}

bool keyring_parse(const char *text, size_t len, uint8_t key[TERN_KEY_SIZE])
{
    char copy[KEYRING_TEXT_SIZE];
    if (len >= sizeof copy || memchr(text, 0, len) != NULL) {
        return false;
    }
    memcpy(copy, text, len);
    copy[len] = 0;
    bool is_key = tern_key_parse(key, copy) == 0;
    sodium_memzero(copy, sizeof copy); /* our own file has the secret key in the same form */
    return is_key;
}

/* Four proquint-like words of two bytes each: consonant, vowel, consonant, vowel, consonant. */
void keyring_words(const uint8_t key[TERN_KEY_SIZE], char text[KEYRING_WORDS_SIZE])
{
    static const char consonants[] = "bdfghjklmnprstvz", vowels[] = "aiou";
    uint8_t hash[16];
    size_t used = 0;
    (void)crypto_generichash(hash, sizeof hash, key, TERN_KEY_SIZE, NULL, 0);
    for (size_t i = 0; i < 8; i += 2) {
        unsigned v = (unsigned)hash[i] << 8 | hash[i + 1];
        text[used++] = consonants[v >> 12 & 15];
        text[used++] = vowels[v >> 10 & 3];
        text[used++] = consonants[v >> 6 & 15];
        text[used++] = vowels[v >> 4 & 3];
        text[used++] = consonants[v & 15];
        text[used++] = i < 6 ? '-' : '\0';
    }
}

static bool place(const char *variable, const char *below_home, const char *name,
                  char path[KEYRING_PATH_SIZE])
{
    const char *folder = getenv(variable);
    const char *home = getenv("HOME");
    int n;
    if (folder != NULL && folder[0] == '/') {
        n = snprintf(path, KEYRING_PATH_SIZE, "%s/tern/%s", folder, name);
    } else if (home != NULL && home[0] != '\0') {
        n = snprintf(path, KEYRING_PATH_SIZE, "%s/%s/tern/%s", home, below_home, name);
    } else {
        return false;
    }
    return n > 0 && n < KEYRING_PATH_SIZE;
}

bool keyring_path(const char *name, char path[KEYRING_PATH_SIZE])
{
    return place("XDG_CONFIG_HOME", ".config", name, path);
}

bool keyring_state_path(const char *name, char path[KEYRING_PATH_SIZE])
{
    return place("XDG_STATE_HOME", ".local/state", name, path);
}

bool keyring_make_folders(const char *path)
{
    char folder[KEYRING_PATH_SIZE];
    (void)snprintf(folder, sizeof folder, "%s", path);
    for (char *slash = strchr(folder + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
            return false;
        }
        *slash = '/';
    }
    return true;
}

static bool write_all(int fd, const void *data, size_t len)
{
    const char *at = data;
    while (len > 0) {
        ssize_t n = write(fd, at, len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        at += n;
        len -= (size_t)n;
    }
    return true;
}

enum write_how {
    WRITE_ONCE,    /* an existing one is never replaced */
    WRITE_LASTING, /* on the disk when this returns */
    WRITE_SOON     /* when the kernel likes: what a crash may take */
};

/* Writes a file whole under another name and then moves it into place. */
static enum keyring_result write_file(const char *path, mode_t mode, const void *data, size_t len,
                                      enum write_how how)
{
    bool exclusive = how == WRITE_ONCE;
    char temporary[KEYRING_PATH_SIZE + 8];
    if (!keyring_make_folders(path)) {
        return KEYRING_SYSTEM;
    }
    (void)snprintf(temporary, sizeof temporary, "%s.XXXXXX", path);
    int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0) {
        return KEYRING_SYSTEM;
    }
    bool is_good =
        fchmod(fd, mode) == 0 && write_all(fd, data, len) && (how == WRITE_SOON || fsync(fd) == 0);
    is_good = close(fd) == 0 && is_good;
    if (is_good) {
        is_good = exclusive ? link(temporary, path) == 0 : rename(temporary, path) == 0;
    }
    int saved = errno;
    if (!is_good || exclusive) {
        (void)unlink(temporary);
    }
    errno = saved;
    return is_good ? KEYRING_OK : KEYRING_SYSTEM;
}

enum keyring_result keyring_save(const char *path, const void *data, size_t len)
{
    return write_file(path, 0600, data, len, WRITE_SOON);
}

/* As much as there is and as there is room for, or -1. */
static ssize_t read_all(int fd, char *buf, size_t size)
{
    size_t used = 0;
    while (used < size) {
        ssize_t n = read(fd, buf + used, size - used);
        if (n == 0) {
            break;
        }
        if (n < 0 && errno != EINTR) {
            return -1;
        }
        used += n > 0 ? (size_t)n : 0;
    }
    return (ssize_t)used;
}

enum keyring_result keyring_load(const char *path, uint8_t secret[TERN_KEY_SIZE])
{
    struct stat st;
    char text[KEYRING_TEXT_SIZE + 8];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? KEYRING_ABSENT : KEYRING_SYSTEM;
    }
    ssize_t n = -1;
    enum keyring_result result = KEYRING_SYSTEM;
    if (fstat(fd, &st) == 0) {
        result = (st.st_mode & 077) != 0 ? KEYRING_UNSAFE : KEYRING_OK;
        n = read_all(fd, text, sizeof text - 1);
    }
    int saved = errno;
    (void)close(fd);
    errno = saved;
    result = n < 0 ? KEYRING_SYSTEM : result;
    if (result == KEYRING_OK) {
        while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r')) {
            n--;
        }
        result = n > 0 && keyring_parse(text, (size_t)n, secret) ? KEYRING_OK : KEYRING_MALFORMED;
    }
    sodium_memzero(text, sizeof text);
    return result;
}

enum keyring_result keyring_create(const char *path, uint8_t pub[TERN_KEY_SIZE])
{
    uint8_t secret[TERN_KEY_SIZE];
    char text[KEYRING_TEXT_SIZE + 1], pub_path[KEYRING_PATH_SIZE + 4];
    tern_key_generate(secret, pub);
    keyring_format(secret, text);
    size_t len = strlen(text);
    text[len] = '\n';
    enum keyring_result result = write_file(path, 0600, text, len + 1, WRITE_ONCE);
    sodium_memzero(secret, sizeof secret);
    if (result == KEYRING_OK) {
        keyring_format(pub, text);
        len = strlen(text);
        text[len] = '\n';
        (void)snprintf(pub_path, sizeof pub_path, "%s.pub", path);
        result = write_file(pub_path, 0644, text, len + 1, WRITE_LASTING);
        if (result != KEYRING_OK) { /* nobody has seen it yet, and the next try is to go well */
            int saved = errno;
            (void)unlink(path);
            errno = saved;
        }
    }
    sodium_memzero(text, sizeof text);
    return result;
}

/* The next line of a key file without its newline and without comments; false at the end. */
static bool next_line(FILE *file, char line[LINE_MAX_SIZE])
{
    while (fgets(line, LINE_MAX_SIZE, file) != NULL) {
        line[strcspn(line, "\r\n")] = '\0';
        if (line[0] != '\0' && line[0] != '#') {
            return true;
        }
    }
    return false;
}

enum keyring_result keyring_known(const char *path, const char *host, uint8_t key[TERN_KEY_SIZE])
{
    char line[LINE_MAX_SIZE];
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return errno == ENOENT ? KEYRING_ABSENT : KEYRING_SYSTEM;
    }
    enum keyring_result result = KEYRING_ABSENT;
    size_t len = strlen(host);
    while (result == KEYRING_ABSENT && next_line(file, line)) {
        if (strncmp(line, host, len) == 0 && (line[len] == ' ' || line[len] == '\t')) {
            const char *text = line + len + strspn(line + len, BLANKS); /* a comment may follow */
            result =
                keyring_parse(text, strcspn(text, BLANKS), key) ? KEYRING_OK : KEYRING_MALFORMED;
        }
    }
    (void)fclose(file);
    return result;
}

/* Half a line would be read as a key that is none, for ever. */
static void cut_half_line(int fd, off_t size)
{
    int saved = errno;
    char last = '\n';
    off_t end = lseek(fd, 0, SEEK_END);
    if (end <= size) { /* not a byte of it was written */
        errno = saved;
        return;
    }
    while (end > size && pread(fd, &last, 1, end - 1) == 1 && last != '\n') {
        end--;
    }
    if (ftruncate(fd, end) != 0) {
        (void)write_all(fd, "\n", 1); /* at least the next one begins anew */
    }
    errno = saved;
}

/* line: with an empty one before it, in case that the last line has no end. */
static enum keyring_result append_line(const char *path, const char *line)
{
    size_t len = strlen(line);
    if (!keyring_make_folders(path)) {
        return KEYRING_SYSTEM;
    }
    int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) {
        return KEYRING_SYSTEM;
    }
    /* One appending write of one line: others who do the same at this moment are not harmed. An
     * editor may have left the last line without its end. */
    char last = '\n';
    off_t size = lseek(fd, 0, SEEK_END);
    bool is_good = size == 0 || (size > 0 && pread(fd, &last, 1, size - 1) == 1);
    size_t skip = last == '\n' ? 1 : 0;
    bool is_written = is_good && write_all(fd, line + skip, len - skip);
    if (is_good && !is_written) {
        cut_half_line(fd, size);
    }
    is_good = is_written;
    int saved = errno;
    if (close(fd) != 0 && is_good) {
        saved = errno;
        is_good = false;
    }
    errno = saved;
    return is_good ? KEYRING_OK : KEYRING_SYSTEM;
}

enum keyring_result keyring_remember(const char *path, const char *host,
                                     const uint8_t key[TERN_KEY_SIZE])
{
    char text[KEYRING_TEXT_SIZE], line[LINE_MAX_SIZE];
    keyring_format(key, text);
    int len = snprintf(line, sizeof line, "\n%s %s\n", host, text);
    if (len <= 0 || (size_t)len >= sizeof line) {
        errno = ENAMETOOLONG;
        return KEYRING_SYSTEM;
    }
    return append_line(path, line);
}

enum keyring_result keyring_authorize(const char *path, const uint8_t key[TERN_KEY_SIZE])
{
    char text[KEYRING_TEXT_SIZE], line[KEYRING_TEXT_SIZE + 16];
    keyring_format(key, text);
    (void)snprintf(line, sizeof line, "\n%s invited\n", text);
    return append_line(path, line);
}

static bool is_bad_line(const char *line)
{
    uint8_t key[TERN_KEY_SIZE];
    bool is_empty = line[strspn(line, BLANKS "\r\n")] == '\0';
    return !is_empty && line[0] != '#' && !keyring_parse(line, strcspn(line, BLANKS "\r\n"), key);
}

size_t keyring_bad_line(const char *path, size_t after)
{
    char line[LINE_MAX_SIZE];
    size_t number = 0, bad = 0;
    bool is_new = true; /* what follows is the beginning of a line, not the rest of a long one */
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return 0;
    }
    while (bad == 0 && fgets(line, sizeof line, file) != NULL) {
        number += is_new ? 1 : 0;
        bad = is_new && number > after && is_bad_line(line) ? number : 0;
        is_new = strchr(line, '\n') != NULL;
    }
    (void)fclose(file);
    return bad;
}

enum keyring_result keyring_is_authorized(const char *path, const uint8_t key[TERN_KEY_SIZE])
{
    char comment[1];
    return keyring_comment(path, key, comment, sizeof comment);
}

enum keyring_result keyring_comment(const char *path, const uint8_t key[TERN_KEY_SIZE],
                                    char *comment, size_t size)
{
    *comment = '\0';
    char line[LINE_MAX_SIZE];
    uint8_t other[TERN_KEY_SIZE];
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return KEYRING_SYSTEM;
    }
    enum keyring_result result = KEYRING_ABSENT;
    while (result == KEYRING_ABSENT && next_line(file, line)) {
        size_t len = strcspn(line, BLANKS);
        if (keyring_parse(line, len, other) && sodium_memcmp(other, key, TERN_KEY_SIZE) == 0) {
            (void)snprintf(comment, size, "%s", line + len + strspn(line + len, BLANKS));
            result = KEYRING_OK;
        }
    }
    (void)fclose(file);
    return result;
}
