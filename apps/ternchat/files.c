/* What there is of files, and whose turn it is to work on them.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "ternchat/files.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/steady.h"
#include "ternchat/files_parts.h"

#define TOLD_EVERY 0.2 /* s between two words of something that moves */

/* --- small things ------------------------------------------------------------------------------------- */

void files_note(struct files *f, const char *format, ...)
{
    char text[FILES_LINE + FILES_PATH_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    f->front.note(f->front.user, text);
}

void files_tell(struct files *f, struct files_news *news, const char *room, const char *format, ...)
{
    char text[FILES_LINE + FILES_PATH_MAX];
    va_list args;
    va_start(args, format);
    news->room = room == NULL ? NULL : model_find(f->model, room);
    news->text = format == NULL ? NULL : text;
    if (format != NULL) {
        (void)vsnprintf(text, sizeof text, format, args);
    }
    va_end(args);
    f->front.on_news(f->front.user, news);
}

ptrdiff_t files_read(int fd, uint8_t *out, size_t len, uint64_t offset)
{
    size_t used = 0;
    while (used < len) {
        ssize_t n = pread(fd, out + used, len - used, (off_t)(offset + used));
        if (n < 0 && errno != EINTR) {
            return -1;
        }
        if (n == 0) {
            break;
        }
        used += n > 0 ? (size_t)n : 0;
    }
    return (ptrdiff_t)used;
}

unsigned files_percent(uint64_t done, uint64_t size)
{
    return size == 0 ? 100 : (unsigned)((double)done * 100 / (double)size);
}

/* --- what is known ------------------------------------------------------------------------------------ */

struct files_known *files_known(const struct files *f, unsigned number)
{
    struct files_known *k = f->known[number % FILES_KNOWN];
    return k != NULL && k->number == number ? k : NULL;
}

const struct offer *files_offer(const struct files *f, unsigned number)
{
    const struct files_known *k = files_known(f, number);
    return k == NULL ? NULL : &k->offer;
}

unsigned files_on_offer(struct files *f, const struct model_room *room, const struct line *about,
                        uint64_t id, const struct offer *offer)
{
    struct files_known **place = &f->known[(f->last + 1) % FILES_KNOWN];
    if (*place == NULL && (*place = calloc(1, sizeof **place)) == NULL) {
        return 0;
    }
    struct files_known *k = *place;
    *k = (struct files_known){
        .number = ++f->last, .is_own = about->is_own, .seq = about->seq, .offer = *offer};
    memcpy(k->room, room->name, sizeof k->room);
    memcpy(k->nick, about->nick, sizeof k->nick);
    if (about->is_own) {
        given_on_own(f, id, k->number);
    }
    return k->number;
}

/* --- work --------------------------------------------------------------------------------------------- */

static void on_idle(struct ev_loop *loop, struct ev_idle *idle, int events)
{
    struct files *f = idle->data;
    (void)events;
    bool has_given = given_work(f), has_gives = gives_work(f), has_takes = takes_work(f);
    if (!has_given && !has_gives && !has_takes) {
        ev_idle_stop(loop, idle);
    }
    if (steady_now() - f->told > TOLD_EVERY || f->told > steady_now()) {
        struct files_news news = {.state = FILES_MOVED};
        f->told = steady_now();
        f->front.on_news(f->front.user, &news);
    }
    f->front.wake(f->front.user);
}

void files_work(struct files *f)
{
    ev_idle_start(f->loop, &f->idle);
}

void files_tick(struct files *f)
{
    takes_tick(f);
    files_work(f);
}

void files_connected(struct files *f, tern_conn *conn)
{
    f->conn = conn;
}

void files_lost(struct files *f)
{
    gives_lost(f);
    takes_lost(f);
    f->conn = NULL;
}

void files_on_joined(struct files *f)
{
    takes_tick(f);
}

void files_on_refused(struct files *f, uint64_t id)
{
    given_on_refused(f, id);
}

bool files_on_packet(struct files *f, const struct chat_packet *p)
{
    if (p->type == CHAT_WANTED) {
        given_on_wanted(f, p);
        return true;
    }
    return p->type == CHAT_REFUSED && takes_on_refused(f, p);
}

void files_on_stream(struct files *f, const tern_event *ev)
{
    if (!gives_on_stream(f, ev)) {
        takes_on_stream(f, ev);
    }
}

/* --- birth and death ---------------------------------------------------------------------------------- */

/* The value of XDG_DOWNLOAD_DIR="$HOME/..." in the desktop's list of folders. */
static bool find_in_list(const char *home, char out[FILES_PATH_MAX])
{
    char path[FILES_PATH_MAX], line[1024];
    const char *config = getenv("XDG_CONFIG_HOME");
    bool is_found = false;
    (void)snprintf(path, sizeof path,
                   config != NULL ? "%s%s/user-dirs.dirs" : "%s%s/.config/user-dirs.dirs",
                   config != NULL ? config : home, "");
    FILE *file = fopen(path, "re");
    while (file != NULL && !is_found && fgets(line, sizeof line, file) != NULL) {
        char *value = line + sizeof "XDG_DOWNLOAD_DIR=\"" - 1, *end;
        if (strncmp(line, "XDG_DOWNLOAD_DIR=\"", sizeof "XDG_DOWNLOAD_DIR=\"" - 1) != 0 ||
            (end = strchr(value, '"')) == NULL) {
            continue;
        }
        *end = '\0';
        bool is_in_home = strncmp(value, "$HOME/", 6) == 0;
        (void)snprintf(out, FILES_PATH_MAX, "%s%s", is_in_home ? home : "",
                       value + (is_in_home ? 5 : 0));
        is_found = out[0] == '/';
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return is_found;
}

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static void choose_downloads(struct files *f, const char *downloads)
{
    const char *home = getenv("HOME");
    if (downloads != NULL) {
        (void)snprintf(f->downloads, sizeof f->downloads, "%s", downloads);
    } else if (home == NULL || !find_in_list(home, f->downloads) || !is_folder(f->downloads)) {
        (void)snprintf(f->downloads, sizeof f->downloads, ".");
    }
}

struct files *files_new(struct ev_loop *loop, struct model *model, const char *downloads,
                        const struct files_front *front)
{
    struct files *f = calloc(1, sizeof *f);
    if (f != NULL && (f->work = work_new(loop)) == NULL) {
        free(f);
        f = NULL;
    }
    if (f != NULL) {
        f->loop = loop;
        f->model = model;
        f->front = *front;
        ev_idle_init(&f->idle, on_idle);
        f->idle.data = f;
        choose_downloads(f, downloads);
    }
    return f;
}

void files_free(struct files *f)
{
    if (f == NULL) {
        return;
    }
    f->is_over = true;
    work_free(f->work);
    ev_idle_stop(f->loop, &f->idle);
    given_free(f);
    takes_free(f);
    for (size_t i = 0; i < FILES_KNOWN; i++) {
        if (f->known[i] != NULL) {
            sodium_memzero(f->known[i], sizeof *f->known[i]);
            free(f->known[i]);
        }
    }
    sodium_memzero(f->piece, sizeof f->piece);
    free(f);
}
