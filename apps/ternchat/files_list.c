/* Files as a person sees them: commands, and what is on its way.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ternchat/files_parts.h"

static const struct files_known *latest(const struct files *f)
{
    for (unsigned n = f->last; n > 0 && f->last - n < FILES_KNOWN; n--) {
        const struct files_known *k = files_known(f, n);
        if (k != NULL && !k->is_own) {
            return k;
        }
    }
    return NULL;
}

void files_get(struct files *f, unsigned number)
{
    const struct files_known *k = number == 0 ? latest(f) : files_known(f, number);
    if (k == NULL) {
        files_note(f, number == 0 ? "nobody has offered a file"
                                  : "no file of that number is offered: /files tells which are");
    } else if (given_has(f, k->number)) {
        files_note(f, "that one is yours");
    } else {
        takes_add(f, k);
    }
}

void files_cancel(struct files *f, unsigned number)
{
    if (!takes_cancel(f, number) && !given_cancel(f, number)) {
        files_note(f, "that file is neither coming nor offered by you: /files tells of all");
    }
}

void files_list(struct files *f)
{
    char size[OFFER_BYTES_TEXT], moving[FILES_LINE];
    unsigned count = 0;
    for (unsigned n = f->last < FILES_KNOWN ? 1 : f->last - FILES_KNOWN + 1; n <= f->last; n++) {
        const struct files_known *k = files_known(f, n);
        if (k != NULL) {
            const struct model_room *room = model_find(f->model, k->room);
            files_note(f, "%u %s (%s) of %s, in %s", n, k->offer.name,
                       offer_bytes_text(k->offer.size, size), k->is_own ? "yours" : k->nick,
                       room == NULL ? "a room that you have left" : room->title);
            count++;
        }
    }
    files_progress(f, moving);
    if (moving[0] != '\0') {
        files_note(f, "on their way: %s", moving);
    } else if (count == 0) {
        files_note(f, "no file is offered: /send PATH offers one");
    }
}

/* A number without anything behind it; 0: it is none. */
static unsigned take_number(const char *text)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);
    return *end == '\0' && n <= UINT32_MAX ? (unsigned)n : 0;
}

void files_do(struct files *f, enum command_file what, const struct model_room *room,
              const char *rest)
{
    unsigned number = take_number(rest);
    if (what == COMMAND_FILES) {
        files_list(f);
    } else if (what == COMMAND_SEND && room == NULL) {
        files_note(f, "you are in no room: /join one");
    } else if (what == COMMAND_SEND) {
        files_send(f, room, rest);
    } else if (number == 0 && rest[0] != '\0') {
        files_note(f, "a number is wanted: /files tells of all");
    } else if (what == COMMAND_GET) {
        files_get(f, number);
    } else {
        files_cancel(f, number);
    }
}

bool files_are_moving(const struct files *f)
{
    return f->takes != NULL || given_is_moving(f);
}

void files_progress(const struct files *f, char out[FILES_LINE])
{
    char sent[FILES_LINE] = "";
    out[0] = '\0';
    size_t used = takes_progress(f, out, FILES_LINE);
    if (gives_progress(f, sent, sizeof sent) > 0) {
        (void)snprintf(out + used, FILES_LINE - used, "%s%s", used > 0 ? ", " : "", sent);
    }
}
