/* JSON for scripts: one object a line.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_APPS_JSON_H
#define TERN_APPS_JSON_H

#include <stddef.h>
#include <stdio.h>

/* A string with its quotes. Control characters, and bytes that are no printable UTF-8, go out as \u00XX,
 * so that no terminal is moved and every parser is content. */
void json_put(FILE *out, const char *text);
void json_put_bytes(FILE *out, const char *text, size_t left);
/* ,"key":"text" */
void json_field(FILE *out, const char *key, const char *text);

#endif
