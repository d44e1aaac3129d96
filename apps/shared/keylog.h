/* A file with the secrets of an endpoint's connections: what --key-log FILE asks for.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_APPS_KEYLOG_H
#define TERN_APPS_KEYLOG_H

#include <tern/config.h>

struct keylog;

/* Appends to `path`, which is made with mode 0600, and warns. Sets the configuration's trace, and hands events on to
 * the one that it had. NULL after the reason was said. Several endpoints, also of several threads and processes,
 * may share a file. */
struct keylog *keylog_add(const char *path, tern_config *config);
void keylog_free(struct keylog *log); /* after the endpoint. NULL is fine */

#endif
