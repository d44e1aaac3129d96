/* Lines from standard input are said, lines that are said come out on standard output.
 *
 * With --batch the input is what a program says, word for word; else lines that begin with "/" are
 * commands. It ends at the end of the input, once the server has all of it.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "ternchat/plain.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "shared/cli.h"
#include "shared/json.h"
#include "shared/term.h"
#include "ternchat/answer.h"
#include "ternchat/client.h"
#include "ternchat/command.h"
#include "ternchat/start.h"

#define LINES_AT_START 50   /* of a room that we were in */
#define WAIT_FULL      0.05 /* s until the next try, when too much waits to be heard */

struct plain {
    const struct options *options;
    struct ev_loop *loop;
    struct client *client;
    struct model_room *room; /* that lines go to */
    struct ev_io input;
    struct ev_timer retry;
    bool is_over;    /* the input has ended */
    bool was_online; /* with nothing to say, to have reached the server is what was wished */
    char in[2 * CHAT_BODY_MAX];
    size_t used;
    bool is_skipping; /* the rest of a line that was too long */
    int code;
    struct answer answer;
    /* Of --batch: what an earlier run could not get heard. Whoever runs it again with the same input means the
     * same words, and they are said once. */
    char *kept[MODEL_UNHEARD];
    size_t kept_count, kept_at;
};

/* --- out ---------------------------------------------------------------------------------------------- */

static void print_json(const struct model_room *room, const struct line *line, const char *kind,
                       const struct offer *offer)
{
    (void)printf("{\"event\":\"%s\",\"room\":", kind);
    json_put_bytes(stdout, room->name, strlen(room->name));
    (void)printf(",\"seq\":%llu,\"time_ms\":%llu,\"nick\":", (unsigned long long)line->seq,
                 (unsigned long long)line->time);
    json_put_bytes(stdout, line->nick, strlen(line->nick));
    (void)printf(",\"own\":%s,\"replay\":%s,\"text\":", line->is_own ? "true" : "false",
                 line->is_replay ? "true" : "false");
    json_put_bytes(stdout, line->text, line->len);
    if (offer != NULL) {
        (void)printf(",\"number\":%u,\"bytes\":%llu,\"name\":", line->file,
                     (unsigned long long)offer->size);
        json_put_bytes(stdout, offer->name, strlen(offer->name));
    }
    (void)puts("}");
}

/* For programs: words of others, and what they offer. */
static void print_batch(const struct line *line, const char *text, const struct offer *offer)
{
    if (line->is_own || line->is_remembered) { /* or a program would answer itself, or twice */
        return;
    }
    if (line->kind == LINE_TEXT) {
        (void)printf("%s: %s\n", line->nick, text);
    } else if (line->kind == LINE_FILE && offer != NULL) {
        (void)printf("%s offers file %u, %llu bytes: %s\n", line->nick, line->file,
                     (unsigned long long)offer->size, offer->name);
    }
}

static void print_line(const struct plain *p, const struct model_room *room,
                       const struct line *line, const struct offer *offer)
{
    char text[4 * CHAT_BODY_MAX + 1], when[16];
    time_t at = (time_t)(line->time / 1000);
    struct tm local;
    (void)term_escape(line->text, line->len, text, sizeof text);
    if (p->options->batch) {
        print_batch(line, text, offer);
        return;
    }
    (void)strftime(when, sizeof when, "%H:%M", localtime_r(&at, &local));
    (void)printf(line->kind == LINE_TEXT     ? "%s %s <%s> %s\n"
                 : line->kind == LINE_ACTION ? "%s %s * %s %s\n"
                 : line->kind == LINE_FILE   ? "%s %s + %s %s\n"
                                             : "%s %s -%s- %s\n",
                 when, room->title, line->kind >= LINE_NOTE ? "" : line->nick, text);
}

static void on_line(void *user, struct model_room *room, const struct line *line)
{
    static const char *const kinds[] = {"text", "action", "file", "note", "gap", "warning"};
    struct plain *p = user;
    const struct offer *offer =
        line->file == 0 ? NULL : files_offer(client_files(p->client), line->file);
    if (p->options->json) {
        print_json(room, line, kinds[line->kind], offer);
    } else {
        print_line(p, room, line, offer);
    }
    (void)fflush(stdout);
    if (line->kind == LINE_GAP || line->kind == LINE_WARNING) {
        cli_error(room->title, line->text, NULL);
        p->code = line->kind == LINE_GAP ? CLI_PARTIAL : p->code;
    }
}

static void on_note(void *user, const char *text)
{
    (void)user;
    cli_note("%s", text);
}

static void on_joined(void *user, struct model_room *room)
{
    struct plain *p = user;
    if (!p->options->batch) {
        cli_note("in %s are %zu", room->title, room->people_count);
    }
}

static void end_if_done(struct plain *p)
{
    if (p->is_over && p->was_online && model_unheard(client_model(p->client)) == 0 &&
        !files_are_moving(client_files(p->client))) {
        client_close(p->client);
    }
}

static void end_soon(struct plain *p)
{
    if (p->is_over) {
        ev_timer_set(&p->retry, 0, 0); /* not inside of the client's call */
        ev_timer_start(p->loop, &p->retry);
    }
}

static void on_heard(void *user, struct model_room *room, uint64_t id)
{
    (void)room;
    (void)id;
    end_soon(user);
}

static void news_json(const struct files_news *news)
{
    static const char *const states[] = {"started", "moved",  "waiting",
                                         "done",    "failed", "cancelled"};
    (void)printf("{\"event\":\"transfer\",\"state\":\"%s\",\"own\":%s,\"number\":%u,\"done\":%llu,"
                 "\"bytes\":%llu",
                 states[news->state], news->is_ours ? "true" : "false", news->number,
                 (unsigned long long)news->done, (unsigned long long)news->size);
    json_field(stdout, "name", news->name);
    json_field(stdout, "text", news->text);
    if (news->path != NULL) {
        (void)fputs(",\"path\":", stdout);
        json_put_bytes(stdout, news->path, strlen(news->path));
    }
    (void)puts("}");
    (void)fflush(stdout);
}

static void on_file(void *user, const struct files_news *news)
{
    struct plain *p = user;
    if (news->state == FILES_MOVED) {
        return;
    }
    if (p->options->json) {
        news_json(news);
    } else {
        cli_note("%s", news->text);
    }
    p->code = news->state == FILES_FAILED && !news->is_ours ? CLI_PARTIAL : p->code;
    end_soon(p);
}

/* Its words are lost, but the rest goes on. */
static void on_refused(void *user, struct model_room *room, uint64_t id)
{
    struct plain *p = user;
    p->code = CLI_PARTIAL;
    on_heard(user, room, id);
}

static void on_answer(void *user, const struct chat_packet *packet)
{
    struct plain *p = user;
    p->answer.host = client_host(p->client);
    answer_take(&p->answer, client_model(p->client), packet, on_note, p);
}

static void on_left(void *user, struct model_room *room)
{
    struct plain *p = user;
    if (p->room == room) {
        struct model *model = client_model(p->client);
        p->room =
            model_room_at(model, 0) == room ? model_room_at(model, 1) : model_room_at(model, 0);
    }
}

static void on_state(void *user, enum client_state state)
{
    struct plain *p = user;
    if (state == CLIENT_OVER) {
        ev_break(p->loop, EVBREAK_ALL);
    } else if (state == CLIENT_LOST) {
        answer_clear(&p->answer); /* the rest of it will not come */
        cli_note("connection lost; trying again");
    } else if (state == CLIENT_ONLINE) {
        cli_verbose(1, "connected");
        p->was_online = true;
        end_soon(p);
    }
}

/* --- in ----------------------------------------------------------------------------------------------- */

static void find_kept(struct plain *p)
{
    enum line_kind kind;
    struct chat_slice text;
    while (p->options->batch && p->kept_count < MODEL_UNHEARD &&
           model_waiting(p->room, p->kept_count, &kind, &text) &&
           (p->kept[p->kept_count] = strndup((const char *)text.data, text.len)) != NULL) {
        p->kept_count++;
    }
}

static bool is_kept(struct plain *p, const char *text, size_t len)
{
    const char *kept = p->kept_at < p->kept_count ? p->kept[p->kept_at] : NULL;
    bool is_so = kept != NULL && strlen(kept) == len && memcmp(kept, text, len) == 0;
    p->kept_at += is_so ? 1 : 0;
    return is_so;
}

static bool say(struct plain *p, enum chat_kind kind, const char *text, size_t len)
{
    uint64_t id;
    if (is_kept(p, text, len)) {
        return true;
    }
    return p->room == NULL || len == 0 ||
           model_say(client_model(p->client), p->room, kind, text, len, &id);
}

/* --- what commands want ------------------------------------------------------------------------------- */

static void go(void *user, struct model_room *room)
{
    struct plain *p = user;
    p->room = room;
}

static void quit(void *user)
{
    struct plain *p = user;
    p->is_over = p->was_online = true; /* or it is not wished any more */
}

static void file(void *user, enum command_file what, struct model_room *room, const char *rest)
{
    struct plain *p = user;
    files_do(client_files(p->client), what, room, rest);
}

/* False: not now, there is too much that waits. */
static bool command(struct plain *p, const char *line)
{
    const struct command_front front = {
        .user = p, .note = on_note, .go = go, .quit = quit, .file = file};
    return command_run(client_model(p->client), p->room, &front, line) == COMMAND_DONE;
}

/* False: keep the line, and come again. */
static bool take_line(struct plain *p, char *line, size_t len)
{
    if (len > CHAT_WORDS_MAX) {
        cli_error("standard input", "a line is longer than 65536 bytes: not said",
                  "say it in parts");
        p->code = CLI_PARTIAL;
        return true;
    }
    if (line[0] == '/' && !p->options->batch) {
        char copy[CHAT_WORDS_MAX + 1];
        memcpy(copy, line, len);
        copy[len] = '\0';
        return command(p, copy);
    }
    return say(p, CHAT_KIND_TEXT, line, len);
}

/* Takes whole lines from the front of the input. False: the next one has to wait. */
static bool take_lines(struct plain *p)
{
    size_t at = 0;
    bool is_taken = true;
    while (at < p->used) {
        char *end = memchr(p->in + at, '\n', p->used - at);
        size_t len = end == NULL ? p->used - at : (size_t)(end - (p->in + at));
        if (end == NULL && !p->is_over && len <= CHAT_WORDS_MAX && !p->is_skipping) {
            break;
        }
        if (!p->is_skipping && !(is_taken = take_line(p, p->in + at, len))) {
            break;
        }
        p->is_skipping = end == NULL && !p->is_over;
        at += len + (end == NULL ? 0 : 1);
    }
    p->used -= at;
    memmove(p->in, p->in + at, p->used);
    return is_taken;
}

static void go_on(struct plain *p)
{
    bool is_taken = take_lines(p);
    if (!is_taken) {
        ev_io_stop(p->loop, &p->input);
        ev_timer_set(&p->retry, WAIT_FULL, 0);
        ev_timer_start(p->loop, &p->retry);
    } else if (!p->is_over) {
        ev_io_start(p->loop, &p->input);
    } else {
        end_if_done(p);
    }
    client_wake(p->client);
}

static void on_retry(struct ev_loop *loop, struct ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    go_on(timer->data);
}

static void on_input(struct ev_loop *loop, struct ev_io *io, int events)
{
    struct plain *p = io->data;
    if ((events & EV_ERROR) != 0) { /* the kernel had no memory to watch it: libev gave it up */
        ev_io_set(io, STDIN_FILENO, EV_READ);
        ev_io_start(loop, io);
    }
    ssize_t n = read(STDIN_FILENO, p->in + p->used, sizeof p->in - p->used);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (n <= 0) {
        p->is_over = true;
        ev_io_stop(loop, io);
        if (n < 0) {
            cli_error("standard input", strerror(errno), NULL);
            p->code = CLI_LOCAL;
        }
    } else {
        p->used += (size_t)n;
    }
    go_on(p);
}

static void on_signal(struct ev_loop *loop, struct ev_signal *w, int events)
{
    struct plain *p = w->data;
    (void)loop;
    (void)events;
    bool is_done =
        model_unheard(client_model(p->client)) == 0 && !files_are_moving(client_files(p->client));
    p->code = is_done ? p->code : CLI_INTERRUPTED;
    client_close(p->client);
}

/* --- birth and death ---------------------------------------------------------------------------------- */

static void run(struct plain *p)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct ev_signal signals[3];
    for (size_t i = 0; i < 3; i++) {
        ev_signal_init(&signals[i], on_signal, numbers[i]);
        signals[i].data = p;
        ev_signal_start(p->loop, &signals[i]);
    }
    ev_timer_init(&p->retry, on_retry, 0, 0);
    p->retry.data = p;
    ev_io_init(&p->input, on_input, STDIN_FILENO, EV_READ);
    p->input.data = p;
    ev_io_start(p->loop, &p->input);
    char about[MEMORY_WHY_SIZE];
    client_remember(p->client, LINES_AT_START, about);
    if (about[0] != '\0') {
        cli_error("ternchat", about, NULL);
    }
    p->room = model_join(client_model(p->client), p->options->room,
                         p->options->open ? CHAT_FLAG_OPEN : 0);
    if (p->room == NULL) {
        p->code = CLI_USAGE;
    } else {
        find_kept(p);
        if (!p->options->batch && !p->options->json) {
            model_rejoin(client_model(p->client));
        }
        (void)ev_run(p->loop, 0);
    }
    ev_io_stop(p->loop, &p->input);
    ev_timer_stop(p->loop, &p->retry);
    for (size_t i = 0; i < 3; i++) {
        ev_signal_stop(p->loop, &signals[i]);
    }
}

int plain_run(const struct options *options)
{
    struct client_front front = {.model = {.on_line = on_line,
                                           .on_note = on_note,
                                           .on_joined = on_joined,
                                           .on_heard = on_heard,
                                           .on_refused = on_refused,
                                           .on_answer = on_answer,
                                           .on_left = on_left},
                                 .on_state = on_state,
                                 .on_file = on_file};
    struct plain *p = calloc(1, sizeof *p);
    int code = CLI_LOCAL;
    if (p == NULL) {
        cli_error("ternchat", "out of memory", NULL);
        return code;
    }
    p->options = options;
    p->loop = ev_default_loop(0);
    front.user = p;
    char nick[CHAT_NAME_MAX + 1], about[START_ABOUT];
    struct options mine = *options;
    mine.accept_new = mine.accept_new || start_is_first(options);
    code = start_find(options, nick, about);
    if (code < 0 && about[0] != '\0') {
        cli_note("%s", about);
    }
    p->client = code < 0 ? client_new(&mine, p->loop, &front, nick, &code) : NULL;
    if (p->client != NULL) {
        run(p);
        code = client_exit_code(p->client) != CLI_OK ? client_exit_code(p->client) : p->code;
        if (options->nick == NULL && term_is_tty(STDIN_FILENO) &&
            strcmp(nick, model_nick_now(client_model(p->client))) != 0) {
            start_remember(model_nick_now(client_model(p->client)));
        }
        client_free(p->client);
        answer_clear(&p->answer);
    }
    while (p->kept_count > 0) {
        free(p->kept[--p->kept_count]);
    }
    free(p);
    return code;
}
