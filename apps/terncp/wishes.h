/* Options about trees: what is copied of one, how, and what the target keeps.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_WISHES_H
#define TERNCP_WISHES_H

#include <stdbool.h>
#include <stdint.h>

#include "terncp/filter.h"
#include "terncp/tree.h"

struct wishes {
    bool archive; /* recursive, preserve, links, xattrs, sparse */
    bool links;   /* -l, or by -a */
    bool copy_links, hard_links, xattrs, owner, sparse;
    bool update, checksum, dry_run, delete;
    uint64_t max_delete;
    struct filter *filter; /* NULL: no rules */
};

void wishes_init(struct wishes *wishes);
void wishes_clear(struct wishes *wishes);
/* --exclude or --include; --exclude-from or --include-from; --max-delete. -1, or an exit code: it was said why. */
int wishes_add_rule(struct wishes *wishes, bool is_include, const char *pattern);
int wishes_add_rules(struct wishes *wishes, bool is_include, const char *path);
int wishes_set_max_delete(struct wishes *wishes, const char *value);
/* When all are there: what goes with what. links: -l. As above. */
int wishes_check(struct wishes *wishes, bool links, bool is_recursive);

struct tree_rules wishes_rules(const struct wishes *wishes);

#endif
