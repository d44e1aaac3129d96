/* Whatever happens marks the frame as old; before the loop sleeps one new frame is drawn, so that a storm of
 * words or of sizes costs a frame now and then and not one each. Until the server has answered for the first
 * time there is no screen: questions of trust and errors are plain lines.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "ternchat/view_parts.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/cli.h"
#include "shared/steady.h"
#include "ternchat/command.h"
#include "ternchat/name.h"

#define PAUSE_MIN      0.0005 /* s between two frames, and as long as the last one took */
#define PAUSE_MAX      0.01
#define HEALTH         1.0  /* s between two looks at the connection */
#define HINT           4.0  /* s for which a hint stands */
#define RETRY          0.05 /* s until the next try, when too much waits to be heard */
#define LINES_AT_START 1000 /* of a room that we were in */

static void old(struct view *v)
{
    v->is_old = true;
}

static void hint(struct view *v, const char *text)
{
    (void)snprintf(v->hint, sizeof v->hint, "%s", text);
    ev_timer_stop(v->loop, &v->hint_end);
    ev_timer_set(&v->hint_end, HINT, 0);
    ev_timer_start(v->loop, &v->hint_end);
    old(v);
}

static void note(void *user, const char *text)
{
    struct view *v = user;
    model_note(v->model, v->room, text);
}

/* --- rooms ------------------------------------------------------------------------------------------- */

/* NULL only when there is no memory; then a room cannot be scrolled. */
struct talk_look *view_look(struct model_room *room)
{
    if (room->look == NULL) {
        room->look = calloc(1, sizeof(struct talk_look));
    }
    return room->look;
}

/* What the person asked for is not left out of sight below, however far back they have scrolled. */
static void tell(void *user, const char *text)
{
    struct view *v = user;
    if (v->room->look != NULL) {
        ((struct talk_look *)v->room->look)->is_back = false;
    }
    note(v, text);
}

void view_stop_typing(struct view *v)
{
    if (v->is_typing) {
        v->is_typing = false;
        model_type(v->model, v->room, false);
    }
    ev_timer_stop(v->loop, &v->typing_end);
}

static void go(void *user, struct model_room *room)
{
    struct view *v = user;
    struct talk_look *look = view_look(room);
    if (room == v->room) {
        return;
    }
    view_stop_typing(v);
    if (v->room->look != NULL) {
        ((struct talk_look *)v->room->look)->has_mark = false;
    }
    if (look != NULL) {
        look->is_mentioned = false;
    }
    v->room = room;
    old(v);
}

static size_t place_of(struct view *v)
{
    size_t i = 0;
    struct model_room *room;
    while ((room = model_room_at(v->model, i)) != NULL && room != v->room) {
        i++;
    }
    return i;
}

void view_go_to(struct view *v, size_t i)
{
    struct model_room *room = model_room_at(v->model, i);
    if (room != NULL) {
        go(v, room);
    }
}

void view_go_beside(struct view *v, bool is_left)
{
    size_t count = 0, at = place_of(v);
    while (model_room_at(v->model, count) != NULL) {
        count++;
    }
    if (count > 0) {
        view_go_to(v, is_left ? (at + count - 1) % count : (at + 1) % count);
    }
}

void view_go_to_unread(struct view *v)
{
    struct model_room *room, *found = NULL;
    for (size_t i = 0; (room = model_room_at(v->model, i)) != NULL; i++) {
        const struct talk_look *look = room->look;
        if (room != v->room && room->unread > 0 &&
            (found == NULL || (look != NULL && look->is_mentioned))) {
            found = room;
        }
    }
    if (found != NULL) {
        go(v, found);
    } else {
        hint(v, "nothing is unread");
    }
}

/* --- what the model tells ---------------------------------------------------------------------------- */

static bool is_seen(const struct view *v, const struct model_room *room)
{
    const struct talk_look *look = room->look;
    return v->is_open && room == v->room && (look == NULL || !look->is_back);
}

static void on_line(void *user, struct model_room *room, const struct line *line)
{
    struct view *v = user;
    struct talk_look *look = v->model == NULL ? NULL : view_look(room);
    old(v);
    if (line->kind == LINE_WARNING) {
        screen_bell();
    }
    if (look == NULL || line->is_own || (line->is_replay && !line->is_missed) ||
        line->kind > LINE_FILE) {
        return;
    }
    if (!is_seen(v, room) && !look->has_mark) {
        look->has_mark = true;
        look->mark = room->line_count - 1;
    }
    if (talk_is_mention(line, model_nick_now(v->model)) ||
        ((room->flags & CHAT_FLAG_PRIVATE) != 0 && room != v->room)) {
        look->is_mentioned = room != v->room;
        screen_bell();
    }
}

static void on_joined(void *user, struct model_room *room)
{
    (void)room;
    old(user);
}

static bool is_done(const struct view *v)
{
    return model_unheard(v->model) == 0 && !files_are_moving(client_files(v->client));
}

static void on_heard(void *user, struct model_room *room, uint64_t id)
{
    struct view *v = user;
    (void)room;
    (void)id;
    old(v);
    if (v->is_over) {
        ev_timer_stop(v->loop, &v->retry);
        ev_timer_set(&v->retry, 0, 0); /* not inside of the client's call */
        ev_timer_start(v->loop, &v->retry);
    }
}

/* Nothing of it is shown any more, and a note has said why. */
static void on_refused(void *user, struct model_room *room, uint64_t id)
{
    on_heard(user, room, id);
}

static void on_file(void *user, const struct files_news *news)
{
    struct view *v = user;
    if (news->text != NULL) {
        model_note(v->model, news->room != NULL ? news->room : v->room, news->text);
    }
    on_heard(v, NULL, 0);
}

static void on_answer(void *user, const struct chat_packet *p)
{
    struct view *v = user;
    v->answer.host = client_host(v->client);
    answer_take(&v->answer, v->model, p, tell, v);
}

static void on_left(void *user, struct model_room *room)
{
    struct view *v = user;
    if (room == v->room) {
        struct model_room *other = model_room_at(v->model, 0);
        other = other == room ? model_room_at(v->model, 1) : other;
        go(v, other == NULL ? model_console(v->model) : other);
    }
    free(room->look);
    room->look = NULL;
    old(v);
}

static void open_screen(struct view *v);

static void on_state(void *user, enum client_state state)
{
    struct view *v = user;
    v->state = state;
    old(v);
    if (state == CLIENT_LOST) {
        answer_clear(&v->answer); /* the rest of it will not come */
    } else if (state == CLIENT_OVER) {
        ev_break(v->loop, EVBREAK_ALL);
    } else if (state == CLIENT_ONLINE && !v->is_open) {
        open_screen(v);
    }
}

/* --- commands ---------------------------------------------------------------------------------------- */

void view_quit(void *user)
{
    struct view *v = user;
    v->is_over = true;
    if (is_done(v)) {
        client_close(v->client);
    } else {
        hint(v, "ends when the server has what you said, and files are there; Ctrl-C: at once");
    }
}

static void file(void *user, enum command_file what, struct model_room *room, const char *rest)
{
    struct view *v = user;
    files_do(client_files(v->client), what, room, rest);
}

static const char *search(void *user, const char *words)
{
    struct view *v = user;
    struct talk_look *look = view_look(v->room);
    bool is_anew = words[0] != '\0';
    if (look == NULL) {
        return NULL;
    }
    if (is_anew) {
        (void)snprintf(look->search, sizeof look->search, "%s", words);
    }
    if (look->search[0] == '\0') {
        hint(v, "search for what? /search WORDS");
        return NULL;
    }
    if (talk_search(&v->talk, v->room, look, is_anew)) {
        hint(v, "found; /search: the next older place, Esc: no more");
        return NULL;
    }
    hint(v, is_anew ? "not found" : "not found any further back");
    return look->search;
}

static bool set_theme(void *user, const char *name)
{
    static const char *const names[] = {"dark", "light", "mono"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) == 0) {
            screen_set_theme((enum screen_theme)i);
            screen_redraw();
            old(user);
            return true;
        }
    }
    return false;
}

static void members(void *user)
{
    struct view *v = user;
    v->scene.has_members = !v->scene.has_members;
    old(v);
}

void view_enter(struct view *v)
{
    const struct command_front front = {.user = v,
                                        .note = tell,
                                        .go = go,
                                        .quit = view_quit,
                                        .file = file,
                                        .has_screen = true,
                                        .search = search,
                                        .theme = set_theme,
                                        .members = members};
    struct model_room *room = v->room == model_console(v->model) ? NULL : v->room;
    struct talk_look *look = view_look(v->room);
    if (v->edit.len == 0) {
        return;
    }
    if (look != NULL && v->edit.text[0] != '/') {
        look->is_back = look->has_mark = false; /* who answers has read */
    }
    view_stop_typing(v); /* before the words, which may overtake it otherwise */
    if (command_run(v->model, room, &front, v->edit.text) == COMMAND_LATER) {
        hint(v, "too much waits to be sent: try again");
        return;
    }
    edit_taken(&v->edit);
}

/* --- frames ------------------------------------------------------------------------------------------ */

static void draw(struct view *v)
{
    unsigned rows, columns;
    struct scene *s = &v->scene;
    screen_size(&rows, &columns);
    s->model = v->model;
    s->room = v->room;
    s->edit = &v->edit;
    s->talk = &v->talk;
    s->state = v->state;
    s->hint = v->hint[0] == '\0' ? NULL : v->hint;
    s->has_health = client_health(v->client, &s->rtt_ms, &s->loss);
    files_progress(client_files(v->client), s->files);
    v->is_old = false;
    ev_tstamp begun = steady_now();
    if (frame_draw(&v->frame, s, rows, columns)) {
        screen_show(&v->frame.canvas, v->frame.cursor_row, v->frame.cursor_column);
    }
    v->drawn = steady_now();
    v->pause = PAUSE_MIN + (v->drawn - begun);
    v->pause = v->pause < PAUSE_MAX ? v->pause : PAUSE_MAX;
    if (v->room->unread > 0 && is_seen(v, v->room)) {
        model_read(v->model, v->room);
        client_wake(v->client);
    }
}

static void on_prepare(struct ev_loop *loop, struct ev_prepare *prepare, int events)
{
    struct view *v = prepare->data;
    (void)events;
    if (!v->is_old || !v->is_open || v->state == CLIENT_OVER) {
        return;
    }
    ev_tstamp wait = v->drawn + v->pause - steady_now();
    if (wait <= 0) {
        draw(v);
    } else if (!ev_is_active(&v->next_frame)) {
        ev_timer_set(&v->next_frame, wait, 0);
        ev_timer_start(loop, &v->next_frame);
    }
}

static void on_next_frame(struct ev_loop *loop, struct ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    old(timer->data);
}

static void on_hint_end(struct ev_loop *loop, struct ev_timer *timer, int events)
{
    struct view *v = timer->data;
    (void)loop;
    (void)events;
    v->hint[0] = '\0';
    old(v);
}

static void on_typing_end(struct ev_loop *loop, struct ev_timer *timer, int events)
{
    struct view *v = timer->data;
    (void)loop;
    (void)events;
    view_stop_typing(v);
    client_wake(v->client);
}

static void on_retry(struct ev_loop *loop, struct ev_timer *timer, int events)
{
    struct view *v = timer->data;
    (void)loop;
    (void)events;
    if (v->is_over && is_done(v)) {
        client_close(v->client);
    }
}

/* What libraries and we ourselves write to standard error becomes notes, a line each. Our name in front
 * would tell nothing here. */
static void on_messages(struct ev_loop *loop, struct ev_io *io, int events)
{
    static const char prefix[] = "ternchat: ";
    enum { PREFIX_SIZE = sizeof prefix - 1 };
    struct view *v = io->data;
    char text[TEXT_CLEAN(sizeof v->errors)];
    (void)loop;
    (void)events;
    ssize_t n = read(io->fd, v->errors + v->errors_used, sizeof v->errors - v->errors_used);
    v->errors_used += n > 0 ? (size_t)n : 0;
    for (char *end; (end = memchr(v->errors, '\n', v->errors_used)) != NULL ||
                    v->errors_used == sizeof v->errors;) {
        size_t len = end == NULL ? v->errors_used : (size_t)(end - v->errors);
        size_t skip =
            len > PREFIX_SIZE && memcmp(v->errors, prefix, PREFIX_SIZE) == 0 ? PREFIX_SIZE : 0;
        (void)text_clean(v->errors + skip, len - skip, false, text, sizeof text);
        note(v, text);
        len += end == NULL ? 0 : 1;
        v->errors_used -= len;
        memmove(v->errors, v->errors + len, v->errors_used);
    }
}

static void on_signal(struct ev_loop *loop, struct ev_signal *w, int events)
{
    struct view *v = w->data;
    (void)loop;
    (void)events;
    if (w->signum == SIGWINCH || w->signum == SIGCONT) {
        if (w->signum == SIGCONT) {
            screen_redraw();
        }
        old(v);
    } else if (w->signum == SIGTSTP) {
        screen_suspend();
        old(v);
    } else {
        client_close(v->client);
    }
}

/* --- birth and death ---------------------------------------------------------------------------------- */

static enum screen_theme first_theme(const struct options *o)
{
    return cli_wants_color(STDOUT_FILENO) ? (enum screen_theme)o->theme : SCREEN_MONO;
}

static void open_screen(struct view *v)
{
    static const int numbers[SIGNALS] = {SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGWINCH, SIGCONT};
    for (size_t i = 0; i < SIGNALS; i++) {
        ev_signal_init(&v->signals[i], on_signal, numbers[i]);
        v->signals[i].data = v;
        ev_signal_start(v->loop, &v->signals[i]);
    }
    if (!screen_open(first_theme(v->options))) {
        screen_release();
        cli_error("terminal", "it cannot be drawn on", "use --plain");
        client_close(v->client);
        return;
    }
    v->is_open = true;
    if (v->messages.fd >= 0) {
        ev_io_start(v->loop, &v->messages);
    }
    ev_io_init(&v->keys, view_on_keys, STDIN_FILENO, EV_READ);
    v->keys.data = v;
    ev_io_start(v->loop, &v->keys);
    ev_timer_start(v->loop, &v->health);
    if (v->about[0] != '\0') {
        note(v, v->about);
        note(v, "type, and press Enter: those in the room hear it; /help tells of all else");
    }
    if (v->remembers[0] != '\0') {
        note(v, v->remembers);
    }
}

static void init_timer(struct view *v, struct ev_timer *timer,
                       void (*call)(struct ev_loop *, struct ev_timer *, int), double every)
{
    ev_timer_init(timer, call, every, every);
    timer->data = v;
}

static void run(struct view *v)
{
    v->model = client_model(v->client);
    client_remember(v->client, LINES_AT_START, v->remembers);
    v->room = model_join(v->model, v->options->room, v->options->open ? CHAT_FLAG_OPEN : 0);
    if (v->room == NULL) { /* no memory: the console says so */
        v->room = model_console(v->model);
    }
    model_rejoin(v->model);
    if (v->state != CLIENT_OVER) {
        (void)ev_run(v->loop, 0);
    }
    ev_timer_stop(v->loop, &v->next_frame);
    ev_timer_stop(v->loop, &v->health);
    ev_timer_stop(v->loop, &v->hint_end);
    ev_timer_stop(v->loop, &v->typing_end);
    ev_timer_stop(v->loop, &v->retry);
    if (v->is_open) {
        ev_io_stop(v->loop, &v->keys);
        ev_io_stop(v->loop, &v->messages);
    }
    screen_close();
    screen_release();
    for (size_t i = 0; i < SIGNALS; i++) {
        ev_signal_stop(v->loop, &v->signals[i]);
    }
}

static void free_looks(struct model *model)
{
    struct model_room *room;
    for (size_t i = 0; (room = model_room_at(model, i)) != NULL; i++) {
        free(room->look);
    }
    free(model_console(model)->look);
}

static int talk(struct view *v)
{
    struct client_front front = {.user = v,
                                 .model = {.on_line = on_line,
                                           .on_note = note,
                                           .on_joined = on_joined,
                                           .on_heard = on_heard,
                                           .on_refused = on_refused,
                                           .on_answer = on_answer,
                                           .on_left = on_left},
                                 .on_state = on_state,
                                 .on_file = on_file};
    char nick[CHAT_NAME_MAX + 1], room[CHAT_NAME_MAX + 1];
    struct options options = *v->options;
    bool is_first = start_is_first(v->options);
    int code = start_find(v->options, nick, v->about);
    if (code < 0 && !name_take(chat_text(options.room), NAME_ROOM, room)) {
        code = cli_refuse("--room", options.room, "give a name without blanks, \"/\" or \"@\"");
    }
    if (code >= 0) {
        return code;
    }
    options.accept_new = options.accept_new || is_first; /* one question, and that was the nick */
    cli_note("connecting to %s", options.host);
    ev_io_init(&v->messages, on_messages, screen_capture(), EV_READ);
    v->messages.data = v;
    v->client = client_new(&options, v->loop, &front, nick, &code);
    if (v->client == NULL) {
        screen_release();
        return code;
    }
    run(v);
    code = client_exit_code(v->client);
    size_t unheard = model_unheard(v->model);
    if (unheard > 0) {
        cli_error("ternchat", "not all that you said has reached the server", NULL);
        code = code == CLI_OK ? CLI_PARTIAL : code;
    }
    if (options.nick == NULL && strcmp(nick, model_nick_now(v->model)) != 0) {
        start_remember(model_nick_now(v->model));
    }
    free_looks(v->model);
    client_free(v->client);
    return code;
}

bool view_is_possible(void)
{
    return screen_is_possible();
}

int view_run(const struct options *options)
{
    struct view *v = calloc(1, sizeof *v);
    if (v == NULL) {
        cli_error("ternchat", "out of memory", NULL);
        return CLI_LOCAL;
    }
    screen_set_locale();
    v->options = options;
    v->loop = ev_default_loop(0);
    v->scene.has_members = true;
    edit_init(&v->edit);
    init_timer(v, &v->next_frame, on_next_frame, 0);
    init_timer(v, &v->health, on_next_frame, HEALTH);
    init_timer(v, &v->hint_end, on_hint_end, 0);
    init_timer(v, &v->typing_end, on_typing_end, 0);
    init_timer(v, &v->retry, on_retry, 0);
    ev_prepare_init(&v->prepare, on_prepare);
    v->prepare.data = v;
    ev_prepare_start(v->loop, &v->prepare);
    int code = talk(v);
    ev_prepare_stop(v->loop, &v->prepare);
    edit_clear(&v->edit);
    talk_free(&v->talk);
    answer_clear(&v->answer);
    canvas_free(&v->frame.canvas);
    free(v);
    return code;
}
