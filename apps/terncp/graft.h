/* Giving names: links of both kinds appear under their final name at once, or not at all.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_GRAFT_H
#define TERNCP_GRAFT_H

#include <stddef.h>

#define GRAFT_TEMPORARY_SIZE 32

/* A fresh name for something unfinished. */
void graft_temporary(char name[GRAFT_TEMPORARY_SIZE]);

/* A symbolic link in an open folder in place of what is there, unless that is a folder (EISDIR). The
 * target is only text to us: nothing ever follows it. 0 or an errno. */
int graft_symlink(int folder, const char *last, const char *target);

/* One more name for a file that stands beneath root. 0 or an errno. `flags` as for tree_open(). */
int graft_link(int root, const char *existing, int flags, int folder, const char *last);

#endif
