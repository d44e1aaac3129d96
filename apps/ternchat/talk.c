/* Lines are laid out one at a time, from the last row upwards: what a frame costs depends on the screen, not
 * on how much was said.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "ternchat/talk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WAITING_MAX 32 /* of what is on its way, so many lines are shown */
#define NICK_COLUMN 12u
#define TIME_COLUMN 6u
#define WIDE        60u /* columns for which nicks get a column of their own */
#define NARROW      30u /* below them there is no room for the time */

enum row_kind { ROW_DAY, ROW_MARK, ROW_FIRST, ROW_MORE };

struct talk_row {
    enum row_kind kind;
    size_t from, len;
};

/* One line, whether it came or is on its way. */
struct shown {
    enum line_kind kind;
    uint64_t time;
    const char *nick;
    const uint8_t *key; /* NULL: ours */
    bool is_waiting, is_own;
    const char *text;
    size_t len;
};

void talk_free(struct talk *talk)
{
    free(talk->text);
    free(talk->spans);
    *talk = (struct talk){0};
}

bool talk_is_mention(const struct line *line, const char *nick)
{
    return line->kind <= LINE_ACTION && !line->is_own && text_mentions(line->text, line->len, nick);
}

enum style talk_nick_style(const uint8_t key[TERN_KEY_SIZE])
{
    return (enum style)(STYLE_NICK + key[0] % 6);
}

/* --- lines ------------------------------------------------------------------------------------------- */

static uint64_t first_line(const struct model_room *room)
{
    return room->line_count > MODEL_LINES ? room->line_count - MODEL_LINES : 0;
}

static uint64_t end_line(const struct model_room *room)
{
    return room->line_count +
           (room->unheard_count < WAITING_MAX ? room->unheard_count : WAITING_MAX);
}

static void take(const struct talk *talk, const struct model_room *room, uint64_t n,
                 struct shown *out)
{
    struct chat_slice text = {NULL, 0};
    memset(out, 0, sizeof *out);
    if (n < room->line_count) {
        const struct line *line = room->lines[n % MODEL_LINES];
        *out = (struct shown){line->kind, line->time,   line->nick, line->key,
                              false,      line->is_own, line->text, line->len};
        return;
    }
    (void)model_waiting(room, (size_t)(n - room->line_count), &out->kind, &text);
    out->nick = talk->nick == NULL ? "" : talk->nick; /* nothing was drawn yet */
    out->is_waiting = out->is_own = true;
    out->text = text.data == NULL ? "" : (const char *)text.data;
    out->len = text.len;
}

static void local_time(uint64_t ms, struct tm *out)
{
    time_t at = (time_t)(ms / 1000);
    if (localtime_r(&at, out) == NULL) {
        memset(out, 0, sizeof *out);
    }
}

static bool is_new_day(const struct model_room *room, uint64_t n)
{
    struct tm now, before;
    if (n >= room->line_count) {
        return false;
    }
    local_time(room->lines[n % MODEL_LINES]->time, &now);
    if (n == first_line(room)) {
        return true;
    }
    local_time(room->lines[(n - 1) % MODEL_LINES]->time, &before);
    return now.tm_yday != before.tm_yday || now.tm_year != before.tm_year;
}

/* --- layout ------------------------------------------------------------------------------------------ */

static bool add_row(struct talk *talk, enum row_kind kind, size_t from, size_t len)
{
    if (talk->span_count == talk->span_room) {
        size_t more = talk->span_room == 0 ? 64 : 2 * talk->span_room;
        struct talk_row *spans = realloc(talk->spans, more * sizeof *spans);
        if (spans == NULL) {
            return false;
        }
        talk->spans = spans;
        talk->span_room = more;
    }
    talk->spans[talk->span_count++] = (struct talk_row){kind, from, len};
    return true;
}

/* The words as they are shown, clean, in talk->text; their length. */
static size_t take_text(struct talk *talk, const struct shown *line)
{
    size_t needed = TEXT_CLEAN(line->len) + TEXT_CLEAN(CHAT_NAME_MAX) + 1, used = 0;
    if (talk->text == NULL || needed > talk->text_room) {
        char *text = realloc(talk->text, needed);
        if (text == NULL) {
            return 0;
        }
        talk->text = text;
        talk->text_room = needed;
    }
    if (line->kind == LINE_ACTION || line->kind == LINE_FILE) {
        used = text_clean(line->nick, strlen(line->nick), false, talk->text, talk->text_room);
        talk->text[used++] = ' ';
    }
    return used +
           text_clean(line->text, line->len, true, talk->text + used, talk->text_room - used);
}

/* What stands before the words: "12:34 ann: ", or columns for both. */
struct front {
    char label[TEXT_CLEAN(CHAT_NAME_MAX)];
    size_t label_len;
    unsigned label_at, first, more; /* columns: of the label, of the first row, of those below */
};

#define TABLE_ROOM 20u /* columns that the second one of a table must have */

/* Notes such as /help's have two columns, blanks between them: how wide is the first? 0: it is no table. */
static unsigned table_column(const struct shown *line)
{
    const char *gap = line->kind == LINE_NOTE ? memmem(line->text, line->len, "  ", 2) : NULL;
    if (gap == NULL || gap == line->text) {
        return 0;
    }
    size_t at = (size_t)(gap - line->text);
    while (at < line->len && line->text[at] == ' ') {
        at++;
    }
    return (unsigned)text_columns(line->text, at);
}

static void find_front(const struct talk *talk, const struct shown *line, struct front *f)
{
    const char *label = line->kind == LINE_ACTION ? "*"
                        : line->kind == LINE_FILE ? "+"
                        : line->kind == LINE_TEXT ? line->nick
                                                  : "-";
    unsigned table = table_column(line);
    bool is_wide = talk->columns >= WIDE && table == 0;
    unsigned time = talk->columns >= NARROW ? TIME_COLUMN : 0;
    unsigned most = is_wide ? NICK_COLUMN : talk->columns / 3;
    f->label_len = text_clean(label, strlen(label), false, f->label, sizeof f->label);
    f->label_len = text_fit(f->label, f->label_len, most);
    unsigned used = (unsigned)text_columns(f->label, f->label_len);
    f->label_at = is_wide ? time + NICK_COLUMN - used : time;
    f->first = is_wide ? time + NICK_COLUMN + 2 : time + used + 1;
    f->more = is_wide ? f->first : time + 1;
    if (table > 0 && f->first + table + TABLE_ROOM <= talk->columns) {
        f->more = f->first + table;
    }
}

static unsigned room_behind(const struct talk *talk, unsigned used)
{
    return talk->columns > used ? talk->columns - used : 1;
}

static void lay_out(struct talk *talk, const struct model_room *room, const struct talk_look *look,
                    uint64_t n, struct shown *line)
{
    struct front front;
    take(talk, room, n, line);
    talk->span_count = 0;
    if (is_new_day(room, n)) {
        (void)add_row(talk, ROW_DAY, 0, 0);
    }
    if (look->has_mark && look->mark == n) {
        (void)add_row(talk, ROW_MARK, 0, 0);
    }
    find_front(talk, line, &front);
    size_t len = take_text(talk, line), at = 0, skip;
    if (talk->text == NULL) {
        return; /* no memory: this frame lacks the line */
    }
    enum row_kind kind = ROW_FIRST;
    do {
        size_t row =
            text_row(talk->text + at, len - at,
                     room_behind(talk, kind == ROW_FIRST ? front.first : front.more), &skip);
        if (!add_row(talk, kind, at, row)) {
            return;
        }
        at += row + skip;
        kind = ROW_MORE;
    } while (at < len);
}

/* --- drawing ----------------------------------------------------------------------------------------- */

static void draw_rule(const struct talk *talk, struct canvas *canvas, unsigned y, const char *words,
                      enum style style)
{
    unsigned wide = (unsigned)text_columns(words, strlen(words));
    unsigned left = talk->columns > wide ? (talk->columns - wide) / 2 : 0;
    for (unsigned x = 0; x < talk->columns; x++) {
        (void)canvas_say(canvas, y, x, talk->columns, style, "-");
    }
    (void)canvas_say(canvas, y, left, talk->columns, style, words);
}

static void draw_day(const struct talk *talk, struct canvas *canvas, unsigned y, uint64_t ms)
{
    char words[64];
    struct tm day;
    local_time(ms, &day);
    (void)strftime(words, sizeof words, " %Y-%m-%d ", &day);
    draw_rule(talk, canvas, y, words, STYLE_TIME);
}

static void draw_front(const struct talk *talk, struct canvas *canvas, unsigned y,
                       const struct shown *line, const struct front *f, bool is_mention)
{
    char time[16];
    struct tm at;
    local_time(line->time, &at);
    (void)strftime(time, sizeof time, "%H:%M", &at);
    if (talk->columns >= NARROW) {
        (void)canvas_say(canvas, y, 0, talk->columns, STYLE_TIME, line->is_waiting ? " ..." : time);
    }
    enum style style = line->kind == LINE_WARNING ? STYLE_MENTION
                       : line->kind >= LINE_NOTE  ? STYLE_NOTE
                       : is_mention               ? STYLE_MENTION
                       : line->is_own             ? STYLE_OWN
                                                  : talk_nick_style(line->key);
    (void)canvas_put(canvas, y, f->label_at, talk->columns, style, f->label, f->label_len);
}

static void draw_words(const struct talk *talk, struct canvas *canvas, unsigned y, unsigned x,
                       const char *text, size_t len, enum style style, const char *search)
{
    size_t at = 0, found;
    const char *place;
    while ((place = text_find(text + at, len - at, search, &found)) != NULL) {
        size_t before = (size_t)(place - (text + at));
        x = canvas_put(canvas, y, x, talk->columns, style, text + at, before);
        x = canvas_put(canvas, y, x, talk->columns, STYLE_MATCH, place, found);
        at += before + found;
    }
    (void)canvas_put(canvas, y, x, talk->columns, style, text + at, len - at);
}

static void draw_row(const struct talk *talk, struct canvas *canvas, unsigned y, size_t i,
                     const struct shown *line, const char *search, bool is_mention)
{
    const struct talk_row *row = &talk->spans[i];
    struct front f;
    find_front(talk, line, &f);
    if (row->kind == ROW_DAY) {
        draw_day(talk, canvas, y, line->time);
        return;
    }
    if (row->kind == ROW_MARK) {
        draw_rule(talk, canvas, y, " new ", STYLE_MARK);
        return;
    }
    if (row->kind == ROW_FIRST) {
        draw_front(talk, canvas, y, line, &f, is_mention);
    }
    enum style style = line->is_waiting             ? STYLE_WAITING
                       : line->kind == LINE_WARNING ? STYLE_MENTION
                       : line->kind >= LINE_NOTE    ? STYLE_NOTE
                       : is_mention                 ? STYLE_MENTION
                                                    : STYLE_TEXT;
    draw_words(talk, canvas, y, row->kind == ROW_FIRST ? f.first : f.more, talk->text + row->from,
               row->len, style, search);
}

void talk_draw(struct talk *talk, struct canvas *canvas, const struct model_room *room,
               const struct talk_look *look)
{
    uint64_t first = first_line(room), n = end_line(room);
    size_t hidden = look->is_back ? look->hidden : 0;
    unsigned left = talk->rows;
    n = look->is_back && look->line + 1 < n ? look->line + 1 : n;
    while (left > 0 && n > first) {
        struct shown line;
        lay_out(talk, room, look, --n, &line);
        bool is_mention = line.kind <= LINE_ACTION && !line.is_own &&
                          text_mentions(line.text, line.len, talk->nick);
        for (size_t i = talk->span_count > hidden ? talk->span_count - hidden : 0;
             i > 0 && left > 0; i--) {
            left--;
            draw_row(talk, canvas, talk->row + left, i - 1, &line, look->search, is_mention);
        }
        hidden = 0;
    }
}

/* --- moving ------------------------------------------------------------------------------------------ */

static size_t rows_of(struct talk *talk, const struct model_room *room,
                      const struct talk_look *look, uint64_t n)
{
    struct shown line;
    lay_out(talk, room, look, n, &line);
    return talk->span_count;
}

static void go_on(struct talk *talk, const struct model_room *room, struct talk_look *look,
                  size_t rows)
{
    while (look->is_back && rows > look->hidden) {
        rows -= look->hidden;
        look->hidden = 0;
        if (++look->line >= end_line(room)) {
            look->is_back = false;
        } else {
            look->hidden = rows_of(talk, room, look, look->line);
        }
    }
    look->hidden -= look->is_back ? rows : 0;
    if (look->is_back && look->hidden == 0 && look->line + 1 >= end_line(room)) {
        look->is_back = false;
    }
}

/* The rows above are fewer than the screen's by the result, when the top is reached. */
static size_t missing_above(struct talk *talk, const struct model_room *room,
                            const struct talk_look *look)
{
    uint64_t first = first_line(room), n = look->line + 1;
    size_t hidden = look->hidden, there = 0;
    while (n > first && there < talk->rows) {
        size_t rows = rows_of(talk, room, look, --n);
        there += rows > hidden ? rows - hidden : 0;
        hidden = 0;
    }
    return there < talk->rows ? talk->rows - there : 0;
}

static void begin_back(const struct model_room *room, struct talk_look *look)
{
    if (!look->is_back) {
        look->is_back = true;
        look->line = end_line(room) - 1;
        look->hidden = 0;
    }
    if (look->line < first_line(room)) {
        look->line = first_line(room);
        look->hidden = 0;
    }
}

bool talk_scroll(struct talk *talk, const struct model_room *room, struct talk_look *look,
                 long rows)
{
    struct talk_look before = *look;
    if (end_line(room) == first_line(room) || (rows < 0 && !look->is_back)) {
        return false;
    }
    begin_back(room, look);
    if (rows < 0) {
        go_on(talk, room, look, (size_t)-rows);
    } else {
        size_t all;
        look->hidden += (size_t)rows;
        while (look->hidden >= (all = rows_of(talk, room, look, look->line)) &&
               look->line > first_line(room)) {
            look->hidden -= all;
            look->line--;
        }
        look->hidden = look->hidden < all ? look->hidden : all;
        go_on(talk, room, look, missing_above(talk, room, look));
    }
    return before.is_back != look->is_back ||
           (look->is_back && (before.line != look->line || before.hidden != look->hidden));
}

bool talk_search(struct talk *talk, const struct model_room *room, struct talk_look *look,
                 bool anew)
{
    size_t found;
    uint64_t first = first_line(room);
    for (uint64_t n = anew ? room->line_count : look->found; n > first; n--) {
        const struct line *line = room->lines[(n - 1) % MODEL_LINES];
        struct shown shown;
        if (line->kind >= LINE_NOTE) {
            continue; /* or a search would find what was said of it */
        }
        take(talk, room, n - 1, &shown);
        size_t len = take_text(talk, &shown);
        if (talk->text != NULL && text_find(talk->text, len, look->search, &found) != NULL) {
            look->found = n - 1;
            look->is_back = true;
            look->line = n - 1;
            look->hidden = 0;
            go_on(talk, room, look, talk->rows / 2);
            if (look->is_back) {
                go_on(talk, room, look, missing_above(talk, room, look));
            }
            return true;
        }
    }
    return false;
}
