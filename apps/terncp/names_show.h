/* Names as people and scripts read them: short, long, all there is, JSON.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_NAMES_SHOW_H
#define TERNCP_NAMES_SHOW_H

#include "terncp/names.h"

/* "drwxr-xr-x"; at least 11 bytes. */
void names_show_mode(uint32_t mode, char text[11]);

void names_show_short(const struct names_message *name, bool is_colored);
void names_show_long(const struct names_message *name, bool is_colored);
void names_show_all(const struct names_message *name);
void names_show_json(const struct names_message *name);

#endif
