/* The server's log: who copied what. One line a request, for people or as JSON.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_LOG_H
#define TERNCP_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include <tern/types.h>

#define LOG_NAME_SIZE 128

/* Who is at the other end of a connection. */
struct log_peer {
    char addr[TERN_ADDR_TEXT_SIZE];
    bool has_key;
    uint8_t key[TERN_KEY_SIZE];
    bool is_known;            /* its key is in the list of those that may connect */
    char name[LOG_NAME_SIZE]; /* the comment there; "" for none */
};

/* What one of its requests came to. */
struct log_request {
    const char *verb;                              /* "push", "pull", "ls", "stat", "rm", "mkdir" */
    const char *path;                              /* as asked for */
    uint64_t files, folders, failed, bytes, moved; /* moved: of the bytes */
    double seconds;
    const char *result; /* "done", "failed in part", "failed", "refused", "broken off" */
    const char *why;    /* NULL: nothing to say */
};

/* "address (words of its key; name)", escaped; returns text. */
const char *log_who(const struct log_peer *peer, char *text, unsigned size);

/* At CLI_INFO on standard error; or with is_json on standard output, with keys that stay:
 * event "request", time, peer, key, name, request, path, files, folders, failed, bytes, moved, seconds,
 * result, why. Whole lines, from any thread. */
void log_write(const struct log_peer *peer, const struct log_request *request, bool is_json);

/* Something else that happened to a connection: event "refused" or "connected" and so on. */
void log_event(const struct log_peer *peer, const char *event, const char *why, bool is_json,
               int level);

#endif
