/* All of it is foreign: names are checked and text is escaped before it gets any further.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "ternchat/answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shared/term.h"
#include "ternchat/name.h"

typedef void (*note_fn)(void *user, const char *text);

void answer_clear(struct answer *answer)
{
    while (answer->count > 0) {
        free(answer->lines[--answer->count]);
    }
    answer->is_any = false;
}

static void on_room(const struct chat_packet *p, note_fn note, void *user)
{
    char name[CHAT_NAME_MAX + 1], topic[2 * CHAT_TEXT_MAX], text[3 * CHAT_TEXT_MAX];
    if (name_take(p->room, NAME_ROOM, name)) {
        (void)term_escape((const char *)p->text.data, p->text.len, topic, sizeof topic);
        (void)snprintf(text, sizeof text, "%s: %lu %s%s%s%s", name, (unsigned long)p->count,
                       p->count == 1 ? "person" : "people",
                       (p->flags & CHAT_FLAG_OPEN) != 0 ? ", open" : "",
                       topic[0] == '\0' ? "" : "; ", topic);
        note(user, text);
    }
}

/* What is shown is pasted into a shell: nothing that means more there than itself, nor an option. */
static bool is_code(const char *code)
{
    static const char signs[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.:@";
    return code[0] != '-' && code[strspn(code, signs)] == '\0';
}

/* The server does not know by what name it is reached; who invites does. */
static void on_invited(const char *host, const struct chat_packet *p, note_fn note, void *user)
{
    char code[2 * CHAT_TEXT_MAX], text[3 * CHAT_TEXT_MAX];
    (void)term_escape((const char *)p->text.data, p->text.len, code, sizeof code);
    if (!is_code(code)) {
        note(user, "WARNING: what the server calls an invitation is none, and is not shown");
        return;
    }
    size_t front = strcspn(code, "@");
    bool has_room = host != NULL && code[front] == '@' && code[front + 1] == ':';
    bool is_v6 = has_room && strchr(host, ':') != NULL;
    (void)snprintf(text, sizeof text, "an invitation, good for one: ternchat %.*s%s%s%s%s%s",
                   (int)front, code, has_room ? "@" : "", is_v6 ? "[" : "", has_room ? host : "",
                   is_v6 ? "]" : "", code + front + (has_room ? 1 : 0));
    note(user, text);
}

static void keep(struct answer *answer, const struct chat_packet *p)
{
    char nick[CHAT_NAME_MAX + 1] = "?", words[2 * CHAT_TEXT_MAX], when[32];
    time_t at = (time_t)(p->time / 1000);
    struct tm local;
    bool is_action = p->kind == CHAT_KIND_ACTION;
    (void)name_take(p->nick, NAME_NICK, nick);
    (void)term_escape((const char *)p->body.data, p->body.len, words, sizeof words);
    if (localtime_r(&at, &local) == NULL ||
        strftime(when, sizeof when, "%Y-%m-%d %H:%M", &local) == 0) {
        (void)snprintf(when, sizeof when, "?");
    }
    if (asprintf(&answer->lines[answer->count], "%s %s%s%s %s", when, is_action ? "* " : "<", nick,
                 is_action ? "" : ">", words) >= 0) {
        answer->count++;
    }
}

static void show(struct answer *answer, const struct chat_packet *p, note_fn note, void *user)
{
    for (size_t i = answer->count; i-- > 0;) {
        note(user, answer->lines[i]);
    }
    if (answer->count == 0) {
        note(user, p->id == ANSWER_SEARCH ? "nothing was found"
                   : answer->is_any       ? "nobody spoke then; /before goes on further back"
                                          : "there is nothing older");
    }
    answer_clear(answer);
}

static void on_found(struct answer *answer, struct model *model, const struct chat_packet *p,
                     note_fn note, void *user)
{
    struct model_room *room = model_on(model, p->channel);
    if (p->kind == 0) {
        show(answer, p, note, user);
        return;
    }
    answer->is_any = true;
    if (p->id == ANSWER_BEFORE && room != NULL && (room->asked == 0 || p->seq < room->asked)) {
        room->asked = p->seq;
    }
    if ((p->kind == CHAT_KIND_TEXT || p->kind == CHAT_KIND_ACTION) &&
        answer->count < ANSWER_LINES) {
        keep(answer, p);
    }
}

void answer_take(struct answer *answer, struct model *model, const struct chat_packet *p,
                 note_fn note, void *user)
{
    if (p->type == CHAT_ROOMS) {
        on_room(p, note, user);
    } else if (p->type == CHAT_INVITED) {
        on_invited(answer->host, p, note, user);
    } else if (p->type == CHAT_FOUND) {
        on_found(answer, model, p, note, user);
    }
}
