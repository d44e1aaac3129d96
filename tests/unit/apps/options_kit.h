/* Command lines for the options of one program: define PROGRAM and include the program's options.h and the header
 * that is made of its .cli file first.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_TEST_OPTIONS_KIT_H
#define TERN_TEST_OPTIONS_KIT_H

#include <stdio.h>
#include <unistd.h>

#include "tern_test.h"

/* Words after the program's name, ended by NULL. */
static inline int parse(struct options *o, const char *const *words)
{
    static char kept[32][64];
    static char *argv[33];
    int argc = 1;
    argv[0] = kept[0];
    (void)snprintf(kept[0], sizeof kept[0], PROGRAM);
    for (; *words != NULL; words++, argc++) {
        (void)snprintf(kept[argc], sizeof kept[argc], "%s", *words);
        argv[argc] = kept[argc];
    }
    argv[argc] = NULL;
    optind = 0; /* GNU: begin anew */
    return options_parse(o, argc, argv);
}

#define PARSE(o, ...) parse(o, (const char *const[]){__VA_ARGS__, NULL})

#endif
