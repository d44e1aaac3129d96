/* Modes, times and colours of names. All text goes through term_escape or json_put: it is a peer's.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/names_show.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "shared/cli.h"
#include "shared/json.h"
#include "shared/term.h"

#define SAFE_SIZE (4 * PROTO_PATH_MAX + 1)

static char kind_letter(uint32_t mode)
{
    return S_ISDIR(mode)    ? 'd'
           : S_ISREG(mode)  ? '-'
           : S_ISLNK(mode)  ? 'l'
           : S_ISFIFO(mode) ? 'p'
           : S_ISSOCK(mode) ? 's'
           : S_ISCHR(mode)  ? 'c'
           : S_ISBLK(mode)  ? 'b'
                            : '?';
}

static const char *kind_word(uint32_t mode)
{
    return S_ISDIR(mode) ? "folder" : S_ISREG(mode) ? "file" : S_ISLNK(mode) ? "link" : "other";
}

void names_show_mode(uint32_t mode, char text[11])
{
    static const char letters[] = "rwxrwxrwx";
    text[0] = kind_letter(mode);
    for (unsigned i = 0; i < 9; i++) {
        text[1 + i] = (mode & 0400u >> i) != 0 ? letters[i] : '-';
    }
    if ((mode & S_ISUID) != 0) {
        text[3] = text[3] == 'x' ? 's' : 'S';
    }
    if ((mode & S_ISGID) != 0) {
        text[6] = text[6] == 'x' ? 's' : 'S';
    }
    if ((mode & S_ISVTX) != 0) {
        text[9] = text[9] == 'x' ? 't' : 'T';
    }
    text[10] = '\0';
}

static void put_name(const struct names_message *name, bool is_colored)
{
    static char safe[SAFE_SIZE];
    const char *color = !is_colored                 ? ""
                        : S_ISDIR(name->about.mode) ? "\033[1;34m"
                        : S_ISLNK(name->about.mode) ? "\033[36m"
                        : S_ISREG(name->about.mode) && (name->about.mode & 0111u) != 0 ? "\033[32m"
                                                                                       : "";
    (void)printf("%s%s%s", color, term_escape(name->text, strlen(name->text), safe, sizeof safe),
                 color[0] == '\0' ? "" : "\033[0m");
}

void names_show_short(const struct names_message *name, bool is_colored)
{
    put_name(name, is_colored);
    (void)putchar('\n');
}

/* "2026-11-21 14:34" here, or with `is_utc` as RFC 3339 has it. */
static void format_moment(int64_t seconds, uint32_t ns, bool is_utc, char *out, size_t size)
{
    time_t at = (time_t)seconds;
    struct tm parts;
    char text[64];
    if ((is_utc ? gmtime_r(&at, &parts) : localtime_r(&at, &parts)) == NULL) {
        (void)snprintf(out, size, "%lld", (long long)seconds);
    } else if (is_utc) {
        (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
        (void)snprintf(out, size, "%s.%09uZ", text, ns);
    } else {
        (void)strftime(out, size, "%Y-%m-%d %H:%M", &parts);
    }
}

void names_show_long(const struct names_message *name, bool is_colored)
{
    static char safe[SAFE_SIZE];
    char mode[11], moment[80];
    names_show_mode(name->about.mode, mode);
    format_moment(name->about.mtime_s, name->about.mtime_ns, false, moment, sizeof moment);
    (void)printf("%s %14llu %s ", mode, (unsigned long long)name->about.size, moment);
    put_name(name, is_colored);
    if (S_ISLNK(name->about.mode)) {
        (void)printf(" -> %s", term_escape(name->target, strlen(name->target), safe, sizeof safe));
    }
    (void)putchar('\n');
}

void names_show_all(const struct names_message *name)
{
    static char safe[SAFE_SIZE];
    char mode[11], moment[80], size[24];
    names_show_mode(name->about.mode, mode);
    format_moment(name->about.mtime_s, name->about.mtime_ns, true, moment, sizeof moment);
    (void)printf("name:      %s\n", term_escape(name->text, strlen(name->text), safe, sizeof safe));
    (void)printf("type:      %s\n", kind_word(name->about.mode));
    if (S_ISLNK(name->about.mode)) {
        (void)printf("target:    %s\n",
                     term_escape(name->target, strlen(name->target), safe, sizeof safe));
    }
    (void)printf("size:      %llu (%s)\n", (unsigned long long)name->about.size,
                 cli_format_size(name->about.size, size, sizeof size));
    (void)printf("mode:      %04o (%s)\n", name->about.mode & 07777u, mode);
    (void)printf("owner:     %u:%u\n", name->about.uid, name->about.gid);
    (void)printf("links:     %u\n", name->about.links);
    (void)printf("modified:  %s\n", moment);
}

void names_show_json(const struct names_message *name)
{
    char moment[80];
    format_moment(name->about.mtime_s, name->about.mtime_ns, true, moment, sizeof moment);
    (void)fputs("{\"event\":\"name\"", stdout);
    json_field(stdout, "name", name->text);
    json_field(stdout, "type", kind_word(name->about.mode));
    (void)printf(",\"size\":%llu,\"mode\":\"%04o\",\"uid\":%u,\"gid\":%u,\"links\":%u",
                 (unsigned long long)name->about.size, name->about.mode & 07777u, name->about.uid,
                 name->about.gid, name->about.links);
    json_field(stdout, "modified", moment);
    if (S_ISLNK(name->about.mode)) {
        json_field(stdout, "target", name->target);
    }
    (void)fputs("}\n", stdout);
}
