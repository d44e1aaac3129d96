/* Lines of the log.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/log.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "shared/cli.h"
#include "shared/json.h"
#include "shared/keyring.h"
#include "shared/term.h"

const char *log_who(const struct log_peer *peer, char *text, unsigned size)
{
    char words[KEYRING_WORDS_SIZE] = "anonymous", name[LOG_NAME_SIZE * 4];
    (void)term_escape(peer->name, strlen(peer->name), name, sizeof name);
    if (peer->has_key) {
        keyring_words(peer->key, words);
    }
    (void)snprintf(text, size, "%s (%s%s%s%s)", peer->addr,
                   peer->has_key && !peer->is_known ? "anonymous " : "", words,
                   name[0] == '\0' ? "" : "; ", name);
    return text;
}

/* The head that all JSON lines share. The output is locked from here to end_json(). */
static void begin_json(const struct log_peer *peer, const char *event)
{
    struct timespec now = {0};
    struct tm parts;
    char moment[40] = "", key[KEYRING_TEXT_SIZE];
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (gmtime_r(&now.tv_sec, &parts) != NULL) {
        (void)strftime(moment, sizeof moment, "%Y-%m-%dT%H:%M:%S", &parts);
    }
    flockfile(stdout);
    (void)printf("{\"event\":\"%s\",\"time\":\"%s.%03ldZ\"", event, moment, now.tv_nsec / 1000000);
    json_field(stdout, "peer", peer->addr);
    if (peer->has_key) {
        keyring_format(peer->key, key);
        json_field(stdout, "key", key);
    } else {
        (void)fputs(",\"key\":null", stdout);
    }
    (void)printf(",\"known\":%s", peer->is_known ? "true" : "false");
    json_field(stdout, "name", peer->name);
}

static void end_json(const char *why)
{
    if (why != NULL) {
        json_field(stdout, "why", why);
    }
    (void)fputs("}\n", stdout);
    (void)fflush(stdout);
    funlockfile(stdout);
}

static void write_text(const struct log_peer *peer, const struct log_request *r)
{
    char who[512], path[600], why[600] = "", size[24], time[32], amount[96];
    const char *shown = strcmp(r->path, ".") == 0 ? "/" : r->path;
    (void)term_escape(shown, strlen(shown), path, sizeof path);
    if (r->why != NULL) {
        (void)term_escape(r->why, strlen(r->why), why, sizeof why);
    }
    (void)cli_format_size(r->bytes, size, sizeof size);
    (void)cli_format_time(r->seconds, time, sizeof time);
    bool is_copy = strcmp(r->verb, "push") == 0 || strcmp(r->verb, "pull") == 0;
    int n = snprintf(amount, sizeof amount, "%llu %s%s", (unsigned long long)r->files,
                     is_copy ? "file" : "name", r->files == 1 ? "" : "s");
    if (is_copy && n > 0) {
        n += snprintf(amount + n, sizeof amount - (size_t)n, ", %s in %s", size, time);
        if (r->moved != r->bytes && n > 0 && (size_t)n < sizeof amount) {
            n += snprintf(amount + n, sizeof amount - (size_t)n, ", %s moved",
                          cli_format_size(r->moved, size, sizeof size));
        }
    }
    if (r->failed > 0 && n > 0 && (size_t)n < sizeof amount) {
        (void)snprintf(amount + n, sizeof amount - (size_t)n, ", %llu failed",
                       (unsigned long long)r->failed);
    }
    cli_note("%s: %s %s: %s: %s%s%s", log_who(peer, who, sizeof who), r->verb, path, r->result,
             amount, why[0] == '\0' ? "" : ": ", why);
}

void log_write(const struct log_peer *peer, const struct log_request *r, bool is_json)
{
    if (!is_json) {
        write_text(peer, r);
        return;
    }
    if (!cli_says(CLI_INFO)) {
        return;
    }
    begin_json(peer, "request");
    json_field(stdout, "request", r->verb);
    json_field(stdout, "path", r->path);
    (void)printf(",\"files\":%llu,\"folders\":%llu,\"failed\":%llu,\"bytes\":%llu,\"moved\":%llu,"
                 "\"seconds\":%.3f",
                 (unsigned long long)r->files, (unsigned long long)r->folders,
                 (unsigned long long)r->failed, (unsigned long long)r->bytes,
                 (unsigned long long)r->moved, r->seconds);
    json_field(stdout, "result", r->result);
    end_json(r->why);
}

void log_event(const struct log_peer *peer, const char *event, const char *why, bool is_json,
               int level)
{
    char who[512], safe[600] = "";
    if (!cli_says(level)) {
        return;
    }
    if (is_json) {
        begin_json(peer, event);
        end_json(why);
        return;
    }
    if (why != NULL) {
        (void)term_escape(why, strlen(why), safe, sizeof safe);
    }
    cli_verbose(level, "%s: %s%s%s", log_who(peer, who, sizeof who), event, why == NULL ? "" : ": ",
                safe);
}
