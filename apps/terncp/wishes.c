/* Rules as they come, and what goes with what in the end.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/wishes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/cli.h"

void wishes_init(struct wishes *wishes)
{
    memset(wishes, 0, sizeof *wishes);
    wishes->max_delete = UINT64_MAX;
}

void wishes_clear(struct wishes *wishes)
{
    filter_free(wishes->filter);
    wishes->filter = NULL;
}

static int need_filter(struct wishes *wishes)
{
    if (wishes->filter == NULL) {
        wishes->filter = filter_new();
    }
    if (wishes->filter == NULL) {
        cli_error("terncp", "out of memory", NULL);
        return CLI_LOCAL;
    }
    return -1;
}

int wishes_add_rule(struct wishes *wishes, bool is_include, const char *pattern)
{
    int code = need_filter(wishes);
    if (code >= 0) {
        return code;
    }
    enum filter_error error = filter_add(wishes->filter, is_include, pattern);
    return error == FILTER_OK ? -1
                              : cli_refuse(is_include ? "--include" : "--exclude", pattern,
                                           filter_error_text(error));
}

int wishes_add_rules(struct wishes *wishes, bool is_include, const char *path)
{
    char where[4096];
    unsigned line;
    enum filter_error error;
    int code = need_filter(wishes);
    if (code >= 0) {
        return code;
    }
    int rc = filter_add_file(wishes->filter, is_include, path, &line, &error);
    if (rc > 0) {
        cli_error(path, strerror(rc), "it was to be read for patterns");
        return CLI_LOCAL;
    }
    if (rc < 0) {
        (void)snprintf(where, sizeof where, "%s:%u", path, line);
        cli_error(where, filter_error_text(error), "mend the line");
        return CLI_USAGE;
    }
    return -1;
}

int wishes_set_max_delete(struct wishes *wishes, const char *value)
{
    char *end;
    errno = 0;
    unsigned long long n = strtoull(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end != '\0' || errno != 0) {
        return cli_refuse("--max-delete", value, "give a number of names");
    }
    wishes->max_delete = n;
    return -1;
}

int wishes_check(struct wishes *wishes, bool links, bool is_recursive)
{
    wishes->links = links;
    if (wishes->links && wishes->copy_links) {
        return cli_refuse("-l", "with -L", "links are kept or followed, not both");
    }
    if (wishes->archive) {
        wishes->links = !wishes->copy_links;
        wishes->xattrs = wishes->sparse = true;
    }
    if (wishes->delete &&!is_recursive) {
        return cli_refuse("--delete", "without -r", "only whole folders can be mirrored");
    }
    if (wishes->max_delete != UINT64_MAX && !wishes->delete) {
        return cli_refuse("--max-delete", "without --delete", "it bounds what --delete removes");
    }
    return -1;
}

struct tree_rules wishes_rules(const struct wishes *wishes)
{
    return (struct tree_rules){.links = wishes->copy_links ? TREE_LINKS_FOLLOWED
                                        : wishes->links    ? TREE_LINKS_KEPT
                                                           : TREE_LINKS_LEFT_OUT,
                               .filter = wishes->filter};
}
