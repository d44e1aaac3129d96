/* The lines of a room: kept to scroll back in, and told to the front end.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shared/term.h"
#include "ternchat/model_memory.h"

#define SHORT 500 /* bytes that are left of an old line */

/* Some hundred lines of a page each would take as much memory as thousands of the usual sort: of the oldest only
 * the beginning stays, so that nobody can fill it with their words. */
static void shorten_old(struct model_room *room)
{
    static const char cut[] = " [...]";
    uint64_t first = room->line_count > MODEL_LINES ? room->line_count - MODEL_LINES : 0;
    room->shortened = room->shortened > first ? room->shortened : first;
    while (room->line_bytes > MODEL_LINE_BYTES && room->shortened + 1 < room->line_count) {
        struct line **place = &room->lines[room->shortened++ % MODEL_LINES], *line = *place;
        if (line->len <= SHORT) {
            continue;
        }
        size_t len = SHORT;
        while (len > 0 && ((unsigned char)line->text[len] & 0xc0) == 0x80) {
            len--; /* not within a character */
        }
        room->line_bytes -= line->len - len - (sizeof cut - 1);
        memcpy(line->text + len, cut, sizeof cut);
        line->len = len + sizeof cut - 1;
        line = realloc(line, sizeof *line + line->len + 1);
        *place = line != NULL ? line : *place;
    }
}

void model_line(struct model *model, struct model_room *room, const struct line *about,
                struct chat_slice text)
{
    struct line *line = malloc(sizeof *line + text.len + 1);
    if (line == NULL) {
        model_tell(model, "out of memory: a line is not shown");
        return;
    }
    *line = *about;
    line->len = text.len;
    if (text.len > 0) {
        memcpy(line->text, text.data, text.len);
    }
    line->text[text.len] = '\0';
    struct line **place = &room->lines[room->line_count++ % MODEL_LINES];
    room->line_bytes -= *place == NULL ? 0 : (*place)->len;
    free(*place);
    *place = line;
    room->line_bytes += line->len;
    shorten_old(room);
    model_memory_line(model, room, line);
    bool is_news = !line->is_replay || line->is_missed;
    room->unread += line->kind <= LINE_FILE && !line->is_own && is_news ? 1 : 0;
    model->front.on_line(model->front.user, room, line);
}

void model_happening(struct model *model, struct model_room *room, struct line *about,
                     const char *what, const char *more)
{
    char safe[CHAT_TEXT_MAX], text[CHAT_TEXT_MAX + 200];
    (void)term_escape(more, strlen(more), safe, sizeof safe);
    (void)snprintf(text, sizeof text, "%s%s%s", about->nick, what, safe);
    about->kind = LINE_NOTE;
    model_line(model, room, about, chat_text(text));
}

void model_warn(struct model *model, struct model_room *room, const struct line *about,
                const char *before, const char *after)
{
    char text[CHAT_NAME_MAX + 300];
    struct line warning = *about;
    warning.kind = LINE_WARNING;
    (void)snprintf(text, sizeof text, "WARNING: %s%s%s", before, about->nick, after);
    model_line(model, room, &warning, chat_text(text));
}

uint64_t model_clock(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void model_note(struct model *model, struct model_room *room, const char *text)
{
    struct line about = {.kind = LINE_NOTE, .time = model_clock()};
    model_line(model, room == NULL ? &model->console : room, &about, chat_text(text));
}
