/* What there is no room for is left out in this order: the list of members, the rooms, the prompt, the status
 * line; the line that is being written stays to the last.
 * SPDX-License-Identifier: MIT */
#include "ternchat/frame.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEMBERS_FROM 72u /* columns from which on there is room for the list */
#define MEMBERS_WIDE 18u
#define PROMPT_FROM  24u
#define NAMES_SHOWN  3

/* --- rooms ------------------------------------------------------------------------------------------- */

static enum style tab_style(const struct scene *s, const struct model_room *room)
{
    const struct talk_look *look = room->look;
    return room == s->room                      ? STYLE_BAR_HERE
           : look != NULL && look->is_mentioned ? STYLE_BAR_MENTION
           : room->unread > 0                   ? STYLE_BAR_UNREAD
                                                : STYLE_BAR;
}

static size_t tab_text(const struct scene *s, const struct model_room *room, size_t i, char *out,
                       size_t size)
{
    char name[TEXT_CLEAN(CHAT_NAME_MAX)];
    const struct talk_look *look = room->look;
    (void)text_clean(room->title, strlen(room->title), false, name, sizeof name);
    int len = room == s->room || room->unread == 0
                  ? snprintf(out, size, " %zu %s ", i + 1, name)
                  : snprintf(out, size, " %zu %s (%llu%s) ", i + 1, name,
                             (unsigned long long)room->unread,
                             look != NULL && look->is_mentioned ? "!" : "");
    return len < 0 ? 0 : (size_t)len;
}

/* From the first room with which the current one is on the screen, too. */
static void draw_rooms(struct canvas *canvas, const struct scene *s)
{
    char text[TEXT_CLEAN(CHAT_NAME_MAX) + 64];
    const struct model_room *room;
    size_t first = 0, used = 0;
    for (size_t i = 0; (room = model_room_at(s->model, i)) != NULL; i++) {
        used += text_columns(text, tab_text(s, room, i, text, sizeof text));
        while (room == s->room && used > canvas->columns && first < i) {
            const struct model_room *out = model_room_at(s->model, first);
            used -= text_columns(text, tab_text(s, out, first++, text, sizeof text));
        }
        if (room == s->room) {
            break;
        }
    }
    canvas_fill(canvas, 0, 0, canvas->columns, STYLE_BAR);
    unsigned x = 0;
    for (size_t i = first; (room = model_room_at(s->model, i)) != NULL; i++) {
        size_t len = tab_text(s, room, i, text, sizeof text);
        x = canvas_put(canvas, 0, x, canvas->columns, tab_style(s, room), text, len);
    }
    if (model_room_at(s->model, 0) == NULL) {
        (void)canvas_say(canvas, 0, 0, canvas->columns, STYLE_BAR_HERE,
                         " no room: /join one, /help tells more ");
    }
}

/* --- people ------------------------------------------------------------------------------------------ */

static int compare_people(const void *a, const void *b)
{
    const struct model_person *const *x = a, *const *y = b;
    int order = (int)(*x)->presence - (int)(*y)->presence;
    return order != 0 ? order : strcmp((*x)->nick, (*y)->nick);
}

static void draw_person(struct canvas *canvas, const struct scene *s, unsigned y, unsigned x,
                        const struct model_person *p)
{
    char nick[TEXT_CLEAN(CHAT_NAME_MAX)];
    bool is_own = strcmp(p->nick, model_nick_now(s->model)) == 0;
    const char *tail = p->presence == CHAT_GONE   ? " (lost)"
                       : p->presence == CHAT_AWAY ? " (away)"
                       : p->is_typing && !is_own  ? " ..."
                                                  : "";
    size_t len = text_clean(p->nick, strlen(p->nick), false, nick, sizeof nick);
    unsigned end = canvas->columns - (unsigned)strlen(tail);
    enum style style = p->presence != CHAT_HERE ? STYLE_AWAY
                       : is_own                 ? STYLE_OWN
                                                : talk_nick_style(p->key);
    x = canvas_put(canvas, y, x, end, style, nick, len);
    if (model_is_verified(s->model, p->key)) {
        x = canvas_say(canvas, y, x, end, STYLE_TEXT, "+");
    }
    (void)canvas_say(canvas, y, x, canvas->columns, STYLE_AWAY, tail);
}

static void draw_members(struct canvas *canvas, const struct scene *s, unsigned top, unsigned rows)
{
    const struct model_room *room = s->room;
    unsigned x = canvas->columns - MEMBERS_WIDE;
    const struct model_person **people = calloc(room->people_count + 1, sizeof *people);
    char more[32];
    for (unsigned y = 0; y < rows; y++) {
        (void)canvas_say(canvas, top + y, x, canvas->columns, STYLE_TIME, "|");
    }
    if (people == NULL) {
        return;
    }
    for (size_t i = 0; i < room->people_count; i++) {
        people[i] = &room->people[i];
    }
    qsort(people, room->people_count, sizeof *people, compare_people);
    size_t fit = room->people_count <= rows ? room->people_count : rows - 1;
    for (size_t i = 0; i < fit; i++) {
        draw_person(canvas, s, top + (unsigned)i, x + 2, people[i]);
    }
    if (fit < room->people_count) {
        (void)snprintf(more, sizeof more, "and %zu more", room->people_count - fit);
        (void)canvas_say(canvas, top + (unsigned)fit, x + 2, canvas->columns, STYLE_AWAY, more);
    }
    free(people);
}

/* --- status ------------------------------------------------------------------------------------------ */

/* "ann, bob and 2 more" of those of whom `is` holds; how many they are. */
static size_t name_people(const struct scene *s,
                          bool (*is)(const struct scene *, const struct model_person *), char *out,
                          size_t size)
{
    size_t count = 0, used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < s->room->people_count; i++) {
        const struct model_person *p = &s->room->people[i];
        if (strcmp(p->nick, model_nick_now(s->model)) != 0 && is(s, p) && count++ < NAMES_SHOWN &&
            used < size) {
            used +=
                (size_t)snprintf(out + used, size - used, "%s%s", count > 1 ? ", " : "", p->nick);
        }
    }
    if (count > NAMES_SHOWN && used < size) {
        (void)snprintf(out + used, size - used, " and %zu more", count - NAMES_SHOWN);
    }
    return count;
}

static bool is_typing(const struct scene *s, const struct model_person *p)
{
    (void)s;
    return p->is_typing;
}

/* The number of what we said, if nobody has said anything since; else 0. */
static uint64_t own_last(const struct model_room *room)
{
    uint64_t first = room->line_count > MODEL_LINES ? room->line_count - MODEL_LINES : 0;
    for (uint64_t n = room->line_count; n > first; n--) {
        const struct line *line = room->lines[(n - 1) % MODEL_LINES];
        if (line->kind <= LINE_FILE) {
            return line->is_own ? line->seq : 0;
        }
    }
    return 0;
}

static bool has_read(const struct scene *s, const struct model_person *p)
{
    return s->own_last > 0 && p->read >= s->own_last;
}

static void say_what_people_do(const struct scene *s, char *out, size_t size)
{
    char names[NAMES_SHOWN * (CHAT_NAME_MAX + 2) + 32];
    const struct talk_look *look = s->room->look;
    size_t count = name_people(s, is_typing, names, sizeof names);
    out[0] = '\0';
    if (look != NULL && look->is_back) {
        (void)snprintf(out, size, " | scrolled back: PgDn");
    } else if (s->room->unheard_count > 0 && s->state != CLIENT_ONLINE) {
        (void)snprintf(out, size, " | %zu waiting to be sent", s->room->unheard_count);
    } else if (count > 0) {
        (void)snprintf(out, size, " | %s %s typing", names, count == 1 ? "is" : "are");
    } else if (name_people(s, has_read, names, sizeof names) > 0) {
        (void)snprintf(out, size, " | read by %s", names);
    }
}

/* What of it fits; its style in *style. */
static void say_health(const struct scene *s, unsigned columns, char *out, size_t size,
                       enum style *style)
{
    *style = s->state == CLIENT_ONLINE && s->loss < 5 ? STYLE_STATUS_GOOD : STYLE_STATUS_BAD;
    if (s->state != CLIENT_ONLINE) {
        (void)snprintf(out, size, columns < 40 ? " lost " : " lost: reconnecting ");
    } else if (!s->has_health) {
        out[0] = '\0';
    } else if (columns < 60) {
        (void)snprintf(out, size, " %.0f ms ", s->rtt_ms);
    } else {
        (void)snprintf(out, size, " %.*f ms, %.1f %% lost ", s->rtt_ms < 10 ? 1 : 0, s->rtt_ms,
                       s->loss);
    }
}

static void draw_status(struct canvas *canvas, const struct scene *s, unsigned y)
{
    char doing[400], text[2 * CHAT_NAME_MAX + 500 + FILES_LINE], clean[TEXT_CLEAN(sizeof text)],
        health[80];
    enum style style;
    say_health(s, canvas->columns, health, sizeof health, &style);
    say_what_people_do(s, doing, sizeof doing);
    if (s->hint != NULL) {
        (void)snprintf(text, sizeof text, " %s", s->hint);
    } else if (s->room == model_console(s->model)) {
        (void)snprintf(text, sizeof text, " %s", model_nick_now(s->model));
    } else if ((s->room->flags & CHAT_FLAG_PRIVATE) != 0) {
        (void)snprintf(text, sizeof text, " %s%s, with %s alone%s", model_nick_now(s->model),
                       model_is_away(s->model) ? " (away)" : "", s->room->title, doing);
    } else {
        (void)snprintf(text, sizeof text, " %s%s in %s (%zu%s)%s%s%s", model_nick_now(s->model),
                       model_is_away(s->model) ? " (away)" : "", s->room->title,
                       s->room->people_count,
                       (s->room->flags & CHAT_FLAG_OPEN) != 0 ? ", open" : "",
                       s->files[0] != '\0' ? " | " : "", s->files, doing);
    }
    size_t len = text_clean(text, strlen(text), false, clean, sizeof clean);
    unsigned wide = (unsigned)strlen(health);
    wide = wide <= canvas->columns ? wide : 0;
    canvas_fill(canvas, y, 0, canvas->columns, STYLE_STATUS);
    (void)canvas_put(canvas, y, 0, canvas->columns - wide, STYLE_STATUS, clean, len);
    if (wide > 0) {
        (void)canvas_say(canvas, y, canvas->columns - wide, canvas->columns, style, health);
    }
}

/* --- the line that is being written ------------------------------------------------------------------- */

static void draw_input(struct frame *frame, const struct scene *s, unsigned y)
{
    struct canvas *canvas = &frame->canvas;
    const struct edit *e = s->edit;
    unsigned x = 0, columns, wide;
    if (canvas->columns >= PROMPT_FROM) {
        char name[TEXT_CLEAN(CHAT_NAME_MAX)];
        (void)text_clean(s->room->title, strlen(s->room->title), false, name, sizeof name);
        x = canvas_say(canvas, y, 0, canvas->columns / 3, STYLE_PROMPT, name);
        x = canvas_say(canvas, y, x, canvas->columns, STYLE_PROMPT, "> ");
    }
    /* The cursor needs a column of its own; the front goes out of sight by thirds of the line. */
    unsigned room = canvas->columns > x + 1 ? canvas->columns - x - 1 : 0;
    size_t from = 0;
    while (text_columns(e->text + from, e->at - from) > room) {
        size_t step = text_fit(e->text + from, e->at - from, room / 3 + 1);
        from += step > 0 ? step : text_next(e->text + from, e->at - from, &wide);
    }
    frame->cursor_row = y;
    frame->cursor_column = x + (unsigned)text_columns(e->text + from, e->at - from);
    for (size_t at = from, n; at < e->len && x < canvas->columns; at += n) {
        n = text_next(e->text + at, e->len - at, &columns);
        bool is_feed = e->text[at] == '\n';
        x = canvas_put(canvas, y, x, canvas->columns, is_feed ? STYLE_PROMPT : STYLE_TEXT,
                       is_feed ? "/" : e->text + at, n);
        if (columns == 2 && x + 1 == canvas->columns) {
            break;
        }
    }
}

bool frame_draw(struct frame *frame, struct scene *s, unsigned rows, unsigned columns)
{
    static const struct talk_look end = {0};
    const struct talk_look *look = s->room->look == NULL ? &end : s->room->look;
    struct canvas *canvas = &frame->canvas;
    if (!canvas_size(canvas, rows, columns)) {
        return false;
    }
    if (rows == 0 || columns == 0) {
        return true;
    }
    unsigned top = rows >= 5 ? 1 : 0, bottom = rows >= 3 ? 2 : 1;
    bool has_members = s->has_members && columns >= MEMBERS_FROM && s->room->people_count > 0;
    s->talk->row = top;
    s->talk->rows = rows > top + bottom ? rows - top - bottom : 0;
    s->talk->columns = has_members ? columns - MEMBERS_WIDE - 1 : columns;
    s->talk->nick = model_nick_now(s->model);
    s->own_last = own_last(s->room);
    talk_draw(s->talk, canvas, s->room, look);
    if (top > 0) {
        draw_rooms(canvas, s);
    }
    if (has_members && s->talk->rows > 0) {
        draw_members(canvas, s, top, s->talk->rows);
    }
    if (bottom == 2) {
        draw_status(canvas, s, rows - 2);
    }
    draw_input(frame, s, rows - 1);
    return true;
}
