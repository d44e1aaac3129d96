/* What a key does.
 * SPDX-License-Identifier: MIT */
#include "ternchat/view_parts.h"

#include "shared/steady.h"

#define TYPING      5.0 /* s without a key after which nobody is typing any more */
#define TYPING_MORE 2.0 /* s between two words of it to the server */

static void tell_typing(struct view *v)
{
    ev_tstamp now = steady_now();
    if (v->edit.len == 0 || v->edit.text[0] == '/') {
        view_stop_typing(v);
        return;
    }
    if (!v->is_typing || now - v->typed > TYPING_MORE) {
        v->is_typing = true;
        v->typed = now;
        model_type(v->model, v->room, true);
    }
    ev_timer_stop(v->loop, &v->typing_end);
    ev_timer_set(&v->typing_end, TYPING, 0);
    ev_timer_start(v->loop, &v->typing_end);
}

static void insert(struct view *v, uint32_t code)
{
    if (!edit_insert_code(&v->edit, code)) {
        screen_bell();
    }
}

static void scroll(struct view *v, long rows)
{
    struct talk_look *look = view_look(v->room);
    if (look != NULL) {
        (void)talk_scroll(&v->talk, v->room, look, rows);
    }
}

static void interrupt(struct view *v)
{
    if (v->edit.len > 0 && !v->is_over) {
        edit_set(&v->edit, "");
    } else if (v->is_over) {
        client_close(v->client);
    } else {
        view_quit(v);
    }
}

static void control(struct view *v, uint32_t letter)
{
    if (letter == 'c' || (letter == 'd' && v->edit.len == 0)) {
        interrupt(v);
    } else if (letter == 'l') {
        screen_redraw();
    } else if (letter == 'z') {
        screen_suspend();
    } else {
        (void)edit_control(&v->edit, letter);
    }
}

static void alt(struct view *v, uint32_t code)
{
    if (code >= '1' && code <= '9') {
        view_go_to(v, code - '1');
    } else if (code == 'a') {
        view_go_to_unread(v);
    } else if (code == '<' || code == '>') {
        scroll(v, code == '<' ? INT32_MAX : -INT32_MAX);
    } else if (code == 'b' || code == 'f') {
        (void)edit_do(&v->edit, code == 'b' ? EDIT_WORD_LEFT : EDIT_WORD_RIGHT);
    } else if (code == 'd') {
        (void)edit_do(&v->edit, EDIT_CUT_NEXT);
    }
}

/* Keys that act upon the line alone. */
static bool edit_key(struct view *v, enum screen_key key)
{
    static const struct {
        enum screen_key key;
        enum edit_act act;
    } acts[] = {
        {SCREEN_UP, EDIT_OLDER},
        {SCREEN_DOWN, EDIT_NEWER},
        {SCREEN_LEFT, EDIT_LEFT},
        {SCREEN_RIGHT, EDIT_RIGHT},
        {SCREEN_WORD_LEFT, EDIT_WORD_LEFT},
        {SCREEN_WORD_RIGHT, EDIT_WORD_RIGHT},
        {SCREEN_HOME, EDIT_HOME},
        {SCREEN_END, EDIT_END},
        {SCREEN_RUB, EDIT_RUB},
        {SCREEN_DELETE, EDIT_DELETE},
    };
    for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++) {
        if (acts[i].key == key) {
            (void)edit_do(&v->edit, acts[i].act);
            return true;
        }
    }
    return false;
}

static void other_key(struct view *v, enum screen_key key, uint32_t code)
{
    long page = v->talk.rows > 2 ? (long)v->talk.rows - 1 : 1;
    if (key == SCREEN_ENTER) {
        view_enter(v);
    } else if (key == SCREEN_CONTROL) {
        control(v, code);
    } else if (key == SCREEN_ALT) {
        alt(v, code);
    } else if (key == SCREEN_ALT_LEFT || key == SCREEN_ALT_RIGHT) {
        view_go_beside(v, key == SCREEN_ALT_LEFT);
    } else if (key == SCREEN_PAGE_UP || key == SCREEN_PAGE_DOWN) {
        scroll(v, key == SCREEN_PAGE_UP ? page : -page);
    } else if (key == SCREEN_OTHER &&
               v->room->look != NULL) { /* Esc: what was sought is not marked */
        ((struct talk_look *)v->room->look)->search[0] = '\0';
    }
}

static void on_key(struct view *v, enum screen_key key, uint32_t code)
{
    if (key == SCREEN_PASTE_BEGIN || key == SCREEN_PASTE_END) {
        v->is_pasting = key == SCREEN_PASTE_BEGIN;
    } else if (v->is_pasting) {
        insert(v, key == SCREEN_ENTER ? '\n' : key == SCREEN_TEXT ? code : ' ');
    } else if (key == SCREEN_TAB || key == SCREEN_TAB_BACK) {
        if (!complete_step(&v->complete, &v->edit, v->model, v->room, key == SCREEN_TAB ? 1 : -1)) {
            screen_bell();
        }
    } else if (key == SCREEN_TEXT) {
        insert(v, code);
    } else if (!edit_key(v, key)) {
        other_key(v, key, code);
    }
    if (key != SCREEN_TAB && key != SCREEN_TAB_BACK) {
        complete_end(&v->complete);
    }
}

void view_on_keys(struct ev_loop *loop, struct ev_io *io, int events)
{
    struct view *v = io->data;
    enum screen_key key;
    uint32_t code;
    (void)events;
    while (v->state != CLIENT_OVER && (key = screen_key(&code)) != SCREEN_NONE) {
        if (key == SCREEN_CLOSED) {
            ev_io_stop(loop, io);
            client_close(v->client);
            return;
        }
        size_t len = v->edit.len;
        on_key(v, key, code);
        if (v->edit.len != len) {
            tell_typing(v);
        }
    }
    v->is_old = true;
    if (v->state != CLIENT_OVER) {
        client_wake(v->client);
    }
}
