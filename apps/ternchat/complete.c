/* The words are gathered at the first Tab and gone through by those that follow.
 * SPDX-License-Identifier: MIT */
#include "ternchat/complete.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ternchat/command.h"
#include "ternchat/text.h"

/* Does the word begin as what was typed, without regard to case? */
static bool begins(const char *word, const char *typed, size_t len)
{
    char front[CHAT_NAME_MAX + 1];
    size_t found;
    if (len > CHAT_NAME_MAX) {
        return false;
    }
    memcpy(front, typed, len);
    front[len] = '\0';
    return len == 0 || text_find(word, strlen(word), front, &found) == word;
}

static void add(struct complete *c, const struct edit *e, const char *word, const char *behind)
{
    if (c->count < COMPLETE_WORDS && begins(word, e->text + c->start, c->end - c->start)) {
        (void)snprintf(c->words[c->count++], sizeof c->words[0], "%s%s", word, behind);
    }
}

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void gather(struct complete *c, const struct edit *e, struct model *model,
                   const struct model_room *room)
{
    size_t first = strcspn(e->text, " \n");
    const struct model_room *other;
    const char *name;
    c->count = 0;
    c->end = c->start = e->at;
    while (c->start > 0 && strchr(" \n", e->text[c->start - 1]) == NULL) {
        c->start--;
    }
    bool is_help = first == 5 && memcmp(e->text, "/help", 5) == 0;
    if (e->text[0] == '/' && c->start == 0) {
        for (size_t i = 0; (name = command_name(i)) != NULL; i++) {
            add(c, e, name, " ");
        }
    } else if (is_help) {
        for (size_t i = 0; (name = command_name(i)) != NULL; i++) {
            add(c, e, e->text[c->start] == '/' ? name : name + 1, "");
        }
    } else if (command_wants_room(e->text, first)) {
        for (size_t i = 0; (other = model_room_at(model, i)) != NULL; i++) {
            add(c, e, other->title, "");
        }
    } else {
        for (size_t i = 0; room != NULL && i < room->people_count; i++) {
            if (strcmp(room->people[i].nick, model_nick_now(model)) != 0) {
                add(c, e, room->people[i].nick, c->start == 0 ? ": " : " ");
            }
        }
    }
    qsort(c->words, c->count, sizeof c->words[0], compare);
}

bool complete_step(struct complete *c, struct edit *e, struct model *model,
                   const struct model_room *room, int step)
{
    if (!c->is_on) {
        gather(c, e, model, room);
        c->now = step > 0 ? c->count - 1 : 0;
    }
    if (c->count == 0) {
        return false;
    }
    c->now = (c->now + (step > 0 ? 1 : c->count - 1)) % c->count;
    if (!edit_replace(e, c->start, c->end, c->words[c->now])) {
        return false;
    }
    c->end = e->at;
    c->is_on = true;
    return true;
}

void complete_end(struct complete *c)
{
    c->is_on = false;
}
