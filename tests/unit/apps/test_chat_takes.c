/* Files that come: what becomes of what is there already, and of what a server does with streams.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>

#include "ternchat/files_parts.h"
#include "ternchat/part.h"
#include "unit/apps/folder.h"

#define CHUNKS 2
#define SIZE   (CHUNKS * CHUNKS_PLAIN)

/* --- a stream, without a connection -------------------------------------------------------------------- */

struct pipe {
    void *user;
    uint8_t data[FILES_NUMBER + CHUNKS_HEADER + CHUNKS * CHUNKS_SEALED];
    size_t at, len;
    bool is_reset;
};

static struct pipe *pipe_of(const tern_stream *stream)
{
    return (struct pipe *)(void *)(uintptr_t)stream;
}

int __wrap_tern_stream_peek(tern_stream *stream, const uint8_t **data, size_t *len);
int __wrap_tern_stream_consume(tern_stream *stream, size_t len);
int __wrap_tern_stream_stop(tern_stream *stream, uint64_t error);
void __wrap_tern_stream_set_user(tern_stream *stream, void *user);
void *__wrap_tern_stream_user(const tern_stream *stream);
int __real_flock(int fd, int what);
int __wrap_flock(int fd, int what);
ssize_t __wrap_pwrite(int fd, const void *data, size_t len, off_t offset);
ssize_t __wrap_pwrite64(int fd, const void *data, size_t len, off_t offset);

int __wrap_tern_stream_peek(tern_stream *stream, const uint8_t **data, size_t *len)
{
    const struct pipe *pipe = pipe_of(stream);
    *data = pipe->data + pipe->at;
    *len = pipe->len - pipe->at;
    return pipe->is_reset ? TERN_ERR_RESET : *len == 0 ? TERN_ERR_AGAIN : 0;
}

int __wrap_tern_stream_consume(tern_stream *stream, size_t len)
{
    pipe_of(stream)->at += len;
    return 0;
}

int __wrap_tern_stream_stop(tern_stream *stream, uint64_t error)
{
    (void)stream;
    (void)error;
    return 0;
}

void __wrap_tern_stream_set_user(tern_stream *stream, void *user)
{
    pipe_of(stream)->user = user;
}

void *__wrap_tern_stream_user(const tern_stream *stream)
{
    return pipe_of(stream)->user;
}

/* --- a disk that does as it is told --------------------------------------------------------------------- */

static const char *removed_before_lock; /* once */
static bool takes_nothing;

int __wrap_flock(int fd, int what)
{
    if (removed_before_lock != NULL) {
        assert_int_equal(unlink(removed_before_lock), 0);
        removed_before_lock = NULL;
    }
    return __real_flock(fd, what);
}

ssize_t __wrap_pwrite(int fd, const void *data, size_t len, off_t offset)
{
    errno = 0;
    assert_int_equal(lseek(fd, offset, SEEK_SET), offset);
    return takes_nothing ? 0 : write(fd, data, len);
}

/* The same where offsets are made to have 64 bits. */
ssize_t __wrap_pwrite64(int fd, const void *data, size_t len, off_t offset)
{
    return __wrap_pwrite(fd, data, len, offset);
}

/* --- the rest of the client ------------------------------------------------------------------------------ */

static enum files_state latest;
static uint32_t fetched; /* the latest number */
static struct model_room room;

void files_tell(struct files *f, struct files_news *news, const char *name, const char *format, ...)
{
    (void)f;
    (void)name;
    (void)format;
    latest = news->state;
}

void files_note(struct files *f, const char *format, ...)
{
    (void)f;
    (void)format;
}

void files_work(struct files *f)
{
    (void)f; /* the loop does it, when it has nothing else to do */
}

unsigned files_percent(uint64_t done, uint64_t size)
{
    (void)done;
    (void)size;
    return 0;
}

struct model_room *model_find(struct model *model, const char *name)
{
    (void)model;
    (void)name;
    return &room;
}

bool model_fetch(struct model *model, const struct model_room *where, uint32_t id, uint64_t seq,
                 uint64_t offset)
{
    (void)model;
    (void)where;
    (void)seq;
    (void)offset;
    fetched = id;
    return true;
}

/* --- what is done ---------------------------------------------------------------------------------------- */

struct desk {
    struct folder *folder;
    struct files files;
    struct files_known known;
    struct part part;
    uint8_t contents[SIZE];
    char path[128]; /* of the hidden file */
};

static struct desk desk;

static int setup(void **state)
{
    char name[2 * 8 + 1];
    memset(&desk, 0, sizeof desk);
    assert_int_equal(folder_make(state), 0);
    desk.folder = *state;
    struct offer *offer = &desk.known.offer;
    offer->size = SIZE;
    memset(desk.contents, 'x', SIZE);
    (void)snprintf(offer->name, sizeof offer->name, "file");
    assert_int_equal(
        crypto_generichash(offer->hash, sizeof offer->hash, desk.contents, SIZE, NULL, 0), 0);
    (void)sodium_bin2hex(name, sizeof name, offer->hash, 8);
    (void)snprintf(desk.path, sizeof desk.path, "%s/.ternchat-%s.part", desk.folder->path, name);
    desk.known.number = 1;
    desk.files.loop = ev_loop_new(EVFLAG_AUTO);
    desk.files.work = work_new(desk.files.loop);
    assert_non_null(desk.files.work);
    desk.files.conn = (tern_conn *)(void *)&desk;
    (void)snprintf(desk.files.downloads, sizeof desk.files.downloads, "%s", desk.folder->path);
    room.channel = 1;
    part_init(&desk.part, desk.folder->path, offer);
    return 0;
}

static void end(void)
{
    desk.files.is_over = true;
    work_free(desk.files.work);
    desk.files.work = NULL;
    takes_free(&desk.files);
    part_close(&desk.part, true);
}

static int teardown(void **state)
{
    if (desk.files.work != NULL) {
        end();
    }
    ev_loop_destroy(desk.files.loop);
    return folder_remove(state);
}

/* One chunk of it is there, of a run before. */
static void leave_a_chunk(void)
{
    int fd = open(desk.path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, desk.contents, CHUNKS_PLAIN), CHUNKS_PLAIN);
    assert_int_equal(close(fd), 0);
}

static int64_t size_of(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? (int64_t)st.st_size : -1;
}

static int64_t size_of_named(void)
{
    char path[128];
    return size_of(folder_path(desk.folder, "file", path, sizeof path));
}

static void run_once(void)
{
    (void)ev_run(desk.files.loop, EVRUN_NOWAIT);
    while (takes_work(&desk.files)) {
    }
    (void)usleep(1000);
}

static void run_until(enum files_state state)
{
    for (int i = 0; i < 10000 && latest != state; i++) {
        run_once();
    }
    assert_int_equal(latest, state);
}

static void ask(void)
{
    fetched = 0;
    latest = FILES_MOVED;
    takes_add(&desk.files, &desk.known);
    for (int i = 0; i < 10000 && fetched == 0; i++) {
        run_once();
    }
    assert_int_not_equal(fetched, 0);
}

/* The file from its beginning, so many chunks of it. */
static void fill(struct pipe *pipe, size_t chunks)
{
    struct chunks seal;
    memset(pipe, 0, sizeof *pipe);
    for (size_t i = 0; i < 4; i++) {
        pipe->data[FILES_NUMBER - 1 - i] = (uint8_t)(fetched >> 8 * i);
    }
    pipe->len = FILES_NUMBER + CHUNKS_HEADER;
    chunks_seal_begin(&seal, &desk.known.offer, 0, pipe->data + FILES_NUMBER);
    for (size_t i = 0; i < chunks; i++) {
        size_t len = chunks_sealed(&seal);
        chunks_seal(&seal, desk.contents + i * CHUNKS_PLAIN, pipe->data + pipe->len);
        pipe->len += len;
    }
}

static void on_stream(struct pipe *pipe)
{
    tern_event ev = {.type = TERN_EVENT_STREAM_READABLE, .stream = (tern_stream *)(void *)pipe};
    takes_on_stream(&desk.files, &ev);
    while (takes_work(&desk.files)) {
    }
}

/* --- tests ------------------------------------------------------------------------------------------------ */

static void it_comes(void **state)
{
    static struct pipe pipe;
    (void)state;
    ask();
    fill(&pipe, CHUNKS);
    on_stream(&pipe);
    run_until(FILES_DONE);
    assert_int_equal(size_of_named(), SIZE);
    assert_int_equal(size_of(desk.path), -1);
}

static void what_is_there_stays_when_there_is_no_room_for_the_rest(void **state)
{
    (void)state;
    leave_a_chunk();
    desk.known.offer.size = OFFER_SIZE_MAX;
    latest = FILES_MOVED;
    takes_add(&desk.files, &desk.known);
    run_until(FILES_FAILED);
    assert_int_equal(size_of(desk.path), CHUNKS_PLAIN);
}

/* While a worker is about to look at it, or does. */
static void what_is_there_stays_when_the_program_ends(void **state)
{
    (void)state;
    leave_a_chunk();
    takes_add(&desk.files, &desk.known);
    (void)usleep(100000);
    end();
    assert_int_equal(size_of(desk.path), CHUNKS_PLAIN);
}

static void an_empty_file_does_not_stay(void **state)
{
    (void)state;
    ask();
    assert_int_equal(size_of(desk.path), 0);
    end();
    assert_int_equal(size_of(desk.path), -1);
}

/* A stream ends while a worker has a chunk of it, and another of the same number begins where the first one did: what
 * came is not written a second time, nor behind itself. */
static void a_server_that_begins_again_spoils_nothing(void **state)
{
    static struct pipe first, second;
    (void)state;
    ask();
    fill(&first, 1);
    on_stream(&first);
    first.is_reset = true;
    on_stream(&first);
    fill(&second, CHUNKS);
    on_stream(&second);
    run_until(FILES_FAILED);
    assert_int_equal(size_of(desk.path), CHUNKS_PLAIN);
}

/* Another take of it has just failed, and removes the file between our open and our lock. */
static void what_was_removed_is_not_written_to(void **state)
{
    struct stat by_name, by_fd;
    (void)state;
    removed_before_lock = desk.path;
    part_open(&desk.part.job);
    assert_null(desk.part.why);
    assert_int_equal(desk.part.job.error, 0);
    assert_int_equal(fstat(desk.part.fd, &by_fd), 0);
    assert_int_equal(stat(desk.path, &by_name), 0);
    assert_int_equal(by_name.st_ino, by_fd.st_ino);
}

static void two_do_not_write_to_it(void **state)
{
    static struct part other;
    (void)state;
    part_open(&desk.part.job);
    part_init(&other, desk.folder->path, &desk.known.offer);
    part_open(&other.job);
    assert_string_equal(other.why, "it is on its way already");
    part_close(&other, false);
    assert_int_equal(size_of(desk.path), 0);
}

static void a_disk_that_takes_nothing_is_told_of(void **state)
{
    (void)state;
    part_open(&desk.part.job);
    desk.part.len = 1;
    takes_nothing = true;
    part_write(&desk.part.job);
    takes_nothing = false;
    assert_int_equal(desk.part.job.error, ENOSPC);
    assert_int_equal(desk.part.at, 0);
}

/* Somebody has removed it meanwhile: nothing empty is left under its name. */
static void no_name_without_the_file(void **state)
{
    (void)state;
    part_open(&desk.part.job);
    for (size_t i = 0; i < CHUNKS; i++) {
        memcpy(desk.part.data, desk.contents + i * CHUNKS_PLAIN, CHUNKS_PLAIN);
        desk.part.len = CHUNKS_PLAIN;
        part_write(&desk.part.job);
    }
    assert_int_equal(unlink(desk.path), 0);
    part_name(&desk.part.job);
    assert_int_equal(desk.part.job.error, ENOENT);
    assert_int_equal(size_of_named(), -1);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(it_comes),
        test(what_is_there_stays_when_there_is_no_room_for_the_rest),
        test(what_is_there_stays_when_the_program_ends),
        test(an_empty_file_does_not_stay),
        test(a_server_that_begins_again_spoils_nothing),
        test(what_was_removed_is_not_written_to),
        test(two_do_not_write_to_it),
        test(a_disk_that_takes_nothing_is_told_of),
        test(no_name_without_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
