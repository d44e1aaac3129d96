/* A chat client whose server says anything, at a person who types anything, on a terminal of any size: what is
 * shown is text that can do nothing to a terminal, and what is sent are packets of a client.
 *
 * A record is an octet of what happens, one more, and for packets and text a length of 16 bits and the bytes.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <locale.h>

#include "fuzz.h"
#include "shared/term.h"
#include "ternchat/answer.h"
#include "ternchat/command.h"
#include "ternchat/complete.h"
#include "ternchat/frame.h"

#define STEPS_MAX 400

static const uint8_t secret[TERN_KEY_SIZE] = {1}; /* so that rooms can be sealed */

struct world {
    struct fuzz_input in;
    struct model *model;
    struct answer answer;
    struct complete complete;
    struct edit edit;
    struct talk talk;
    struct talk_look look; /* of whatever room is shown */
    struct frame frame;
    struct scene scene;
    unsigned room; /* packets that leave now */
};

static void check_safe(const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    for (size_t left = strlen(text), n; left > 0; left -= n, p += n) {
        n = term_printable(p, left);
        FUZZ_CHECK(n > 0);
    }
}

/* --- the front end ------------------------------------------------------------------------------- */

static bool on_send(void *user, uint16_t channel, const uint8_t *data, size_t len, bool is_latest)
{
    struct world *w = user;
    struct chat_packet p;
    FUZZ_CHECK(chat_decode(&p, data, len) && p.type < CHAT_WELCOME);
    FUZZ_CHECK((channel == CHAT_CONTROL) == (p.type < CHAT_SAY));
    if (w->room == 0) {
        return is_latest;
    }
    w->room--;
    return true;
}

static void on_line(void *user, struct model_room *room, const struct line *line)
{
    const struct world *w = user;
    FUZZ_CHECK(room->line_count > 0 && strlen(line->text) <= line->len);
    check_safe(line->nick);
    if (line->kind == LINE_NOTE || line->kind == LINE_GAP) {
        check_safe(line->text);
    }
    (void)talk_is_mention(line, model_nick_now(w->model));
}

static void on_note(void *user, const char *text)
{
    (void)user;
    check_safe(text);
}

static void on_joined(void *user, struct model_room *room)
{
    struct world *w = user;
    room->look = &w->look;
    w->scene.room = room;
}

static void on_numbered(void *user, struct model_room *room, uint64_t id)
{
    (void)user;
    (void)room;
    (void)id;
}

static void on_answer(void *user, const struct chat_packet *p)
{
    struct world *w = user;
    answer_take(&w->answer, w->model, p, on_note, w);
}

static void show(struct world *w, struct model_room *room)
{
    w->look = (struct talk_look){0};
    room->look = &w->look;
    w->scene.room = room;
}

static void on_left(void *user, struct model_room *room)
{
    struct world *w = user;
    room->look = NULL;
    if (w->scene.room == room) {
        show(w, model_console(w->model));
    }
}

static void on_go(void *user, struct model_room *room)
{
    show(user, room);
}

static void on_quit(void *user)
{
    (void)user;
}

static const char *on_search(void *user, const char *words)
{
    (void)user;
    return words;
}

static bool on_theme(void *user, const char *name)
{
    (void)user;
    return name[0] == 'd';
}

static void on_members(void *user)
{
    struct world *w = user;
    w->scene.has_members = !w->scene.has_members;
}

/* --- what happens ----------------------------------------------------------------------------------- */

/* The text or packet of a record, in a block of its size and terminated. */
static char *bytes_of(struct fuzz_input *in, size_t *len)
{
    const uint8_t *bytes = fuzz_bytes(in, (size_t)fuzz_number(in, 2), len);
    char *exact = malloc(*len + 1);
    FUZZ_CHECK(exact != NULL);
    memcpy(exact, *len > 0 ? bytes : (const uint8_t *)"", *len);
    exact[*len] = '\0';
    return exact;
}

static void draw(struct world *w, unsigned rows, unsigned columns)
{
    FUZZ_CHECK(frame_draw(&w->frame, &w->scene, rows, columns));
    const struct canvas *canvas = &w->frame.canvas;
    for (size_t i = 0; i < (size_t)canvas->rows * canvas->columns; i++) {
        const struct cell *cell = &canvas->cells[i];
        FUZZ_CHECK(cell->columns <= 2 && cell->style < STYLE_COUNT);
        FUZZ_CHECK(memchr(cell->text, 0, sizeof cell->text) != NULL);
        if (cell->columns > 0) {
            check_safe(cell->text);
        }
    }
    if (canvas->rows > 0 && canvas->columns > 0) {
        FUZZ_CHECK(w->frame.cursor_row < canvas->rows);
        FUZZ_CHECK(w->frame.cursor_column < canvas->columns);
    }
}

static void look_round(struct world *w, uint8_t how)
{
    size_t len;
    if (how < 200) {
        (void)talk_scroll(&w->talk, w->scene.room, &w->look, (long)how - 100);
        return;
    }
    char *words = bytes_of(&w->in, &len);
    len = TERN_MIN(len, (size_t)TALK_SEARCH - 1);
    (void)text_clean(words, len, false, w->look.search, sizeof w->look.search);
    (void)talk_search(&w->talk, w->scene.room, &w->look, (how & 1) != 0);
    free(words);
}

static void type(struct world *w, uint8_t how)
{
    static const struct command_front front = {.note = on_note,
                                               .go = on_go,
                                               .quit = on_quit,
                                               .has_screen = true,
                                               .search = on_search,
                                               .theme = on_theme,
                                               .members = on_members};
    struct command_front mine = front;
    size_t len;
    char *text = bytes_of(&w->in, &len);
    mine.user = w;
    if ((how & 1) != 0) {
        edit_set(&w->edit, "");
    }
    (void)edit_insert(&w->edit, text, len);
    complete_end(&w->complete);
    for (int i = how >> 6; i > 0 && (how & 2) != 0; i--) {
        (void)complete_step(&w->complete, &w->edit, w->model, w->scene.room, how & 4 ? 1 : -1);
    }
    FUZZ_CHECK(w->edit.len <= EDIT_MAX && w->edit.at <= w->edit.len);
    FUZZ_CHECK(strlen(w->edit.text) == w->edit.len);
    if ((how & 8) != 0) {
        char *line = strdup(w->edit.text);
        FUZZ_CHECK(line != NULL);
        bool is_room = w->scene.room != model_console(w->model);
        (void)command_run(w->model, is_room ? w->scene.room : NULL, &mine, line);
        edit_taken(&w->edit);
        free(line);
    }
    free(text);
}

static void turn(struct world *w, uint8_t how)
{
    switch (how % 5) {
    case 0:
        model_lost(w->model);
        break;
    case 1:
        model_connected(w->model);
        break;
    case 2:
        w->room += how;
        model_on_writable(w->model);
        break;
    case 3:
        model_retry(w->model);
        break;
    default:
        model_read(w->model, w->scene.room);
        model_type(w->model, w->scene.room, (how & 64) != 0);
        break;
    }
}

static void step(struct world *w)
{
    uint8_t what = fuzz_u8(&w->in), how = fuzz_u8(&w->in);
    size_t len;
    char *bytes;
    switch (what % 8) {
    case 0:
        turn(w, how);
        break;
    case 1:
        type(w, how);
        break;
    case 2:
        (void)edit_do(&w->edit, (enum edit_act)(how % (EDIT_NEWER + 1)));
        complete_end(&w->complete);
        break;
    case 3:
        draw(w, how % 41, fuzz_u8(&w->in) % 121);
        break;
    case 4:
        look_round(w, how);
        break;
    default:
        bytes = bytes_of(&w->in, &len);
        model_receive(w->model, how % 6, (const uint8_t *)bytes, len);
        free(bytes);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world w;
    memset(&w, 0, sizeof w);
    w.in = (struct fuzz_input){data, size};
    w.room = 100;
    struct model_front front = {.user = &w,
                                .send = on_send,
                                .on_line = on_line,
                                .on_note = on_note,
                                .on_joined = on_joined,
                                .on_heard = on_numbered,
                                .on_refused = on_numbered,
                                .on_answer = on_answer,
                                .on_left = on_left};
    FUZZ_CHECK(setlocale(LC_CTYPE, "C.UTF-8") != NULL);
    w.model = model_new(&front, "ann");
    FUZZ_CHECK(w.model != NULL);
    model_identify(w.model, secret);
    edit_init(&w.edit);
    w.scene = (struct scene){.model = w.model,
                             .edit = &w.edit,
                             .talk = &w.talk,
                             .state = CLIENT_ONLINE,
                             .has_members = true};
    show(&w, model_console(w.model));
    model_connected(w.model);
    draw(&w, 24, 80); /* sets where the talk is, for all that follows */
    for (int i = 0; i < STEPS_MAX && w.in.left > 0; i++) {
        step(&w);
    }
    draw(&w, 24, 80);
    model_free(w.model);
    answer_clear(&w.answer);
    talk_free(&w.talk);
    canvas_free(&w.frame.canvas);
    edit_clear(&w.edit);
    return 0;
}
