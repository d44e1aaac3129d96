/* Statements are prepared when they are first asked for. The lock is a file of its own: SQLite's are gone
 * whenever any descriptor of the database is closed.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "ternchat/db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CHECKED_BYTES (256 << 20) /* a larger file is not read through at each start */
#define CHECKPOINT    2           /* s between moves of the log into the database */
#define KEY_SIZE      32

/* --- statements -------------------------------------------------------------------------------------- */

static int fail(struct db *db)
{
    (void)snprintf(db->why, sizeof db->why, "%s", sqlite3_errmsg(db->handle));
    return -1;
}

sqlite3_stmt *db_ask(struct db *db, unsigned which, const char *types, ...)
{
    sqlite3_stmt **place = &db->statements[which];
    if (*place == NULL && sqlite3_prepare_v3(db->handle, db->texts[which], -1,
                                             SQLITE_PREPARE_PERSISTENT, place, NULL) != SQLITE_OK) {
        (void)fail(db);
        return NULL;
    }
    va_list values;
    va_start(values, types);
    for (int i = 1; *types != '\0'; types++, i++) {
        if (*types == 'i') {
            (void)sqlite3_bind_int64(*place, i, va_arg(values, int64_t));
        } else if (*types == 't') {
            (void)sqlite3_bind_text(*place, i, va_arg(values, const char *), -1, SQLITE_STATIC);
        } else if (*types == 'k') {
            (void)sqlite3_bind_blob(*place, i, va_arg(values, const uint8_t *), KEY_SIZE,
                                    SQLITE_STATIC);
        } else {
            const uint8_t *data = va_arg(values, const uint8_t *);
            (void)sqlite3_bind_blob(*place, i, data, (int)va_arg(values, size_t), SQLITE_STATIC);
        }
    }
    va_end(values);
    return *place;
}

int db_finish(struct db *db, sqlite3_stmt *statement, int rc)
{
    int result = rc == SQLITE_DONE || rc == SQLITE_ROW ? 1 : fail(db);
    if (statement != NULL) {
        (void)sqlite3_reset(statement);
        (void)sqlite3_clear_bindings(statement);
    }
    return result;
}

int db_run(struct db *db, sqlite3_stmt *statement)
{
    return statement == NULL ? -1 : db_finish(db, statement, sqlite3_step(statement));
}

bool db_take_blob(sqlite3_stmt *statement, int column, void *out, size_t len)
{
    const void *data = sqlite3_column_blob(statement, column);
    if (data == NULL || sqlite3_column_bytes(statement, column) != (int)len) {
        return false;
    }
    memcpy(out, data, len);
    return true;
}

int db_begin(struct db *db)
{
    return db_run(db, db_ask(db, (unsigned)db->begin, ""));
}

int db_end(struct db *db, bool is_whole)
{
    if (is_whole && db_run(db, db_ask(db, (unsigned)db->commit, "")) > 0) {
        return 1;
    }
    if (sqlite3_get_autocommit(db->handle) == 0) { /* some errors have rolled it back already */
        char why[DB_WHY_SIZE];
        memcpy(why, db->why, sizeof why);
        (void)db_run(db, db_ask(db, (unsigned)db->rollback, ""));
        memcpy(db->why, why, sizeof why);
    }
    return -1;
}

int64_t db_number(struct db *db, const char *text)
{
    sqlite3_stmt *statement = NULL;
    int64_t value = -1;
    if (sqlite3_prepare_v2(db->handle, text, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW) {
        value = sqlite3_column_int64(statement, 0);
    }
    (void)sqlite3_finalize(statement);
    return value;
}

/* --- the worker -------------------------------------------------------------------------------------- */

static void *work(void *user)
{
    struct db *db = user;
    (void)pthread_mutex_lock(&db->mutex);
    while (!db->is_ending) {
        struct timespec until;
        (void)clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += CHECKPOINT;
        (void)pthread_cond_timedwait(&db->wake, &db->mutex, &until);
        (void)pthread_mutex_unlock(&db->mutex);
        /* On failure (a full disk) the log grows until one works. */
        (void)sqlite3_wal_checkpoint_v2(db->worker_db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
        (void)pthread_mutex_lock(&db->mutex);
    }
    (void)pthread_mutex_unlock(&db->mutex);
    return NULL;
}

static bool start_worker(struct db *db, const char *path)
{
    return sqlite3_open_v2(path, &db->worker_db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
                           NULL) == SQLITE_OK &&
           sqlite3_exec(db->worker_db, "PRAGMA synchronous=NORMAL", NULL, NULL, NULL) ==
               SQLITE_OK &&
           pthread_create(&db->worker, NULL, work, db) == 0;
}

static void stop_worker(struct db *db)
{
    if (db->has_worker) {
        (void)pthread_mutex_lock(&db->mutex);
        db->is_ending = true;
        (void)pthread_cond_signal(&db->wake);
        (void)pthread_mutex_unlock(&db->mutex);
        (void)pthread_join(db->worker, NULL);
    }
    (void)sqlite3_close(db->worker_db);
}

/* --- birth and death --------------------------------------------------------------------------------- */

void db_init(struct db *db, const char *const *texts, size_t count, size_t begin, size_t commit,
             size_t rollback)
{
    memset(db, 0, sizeof *db);
    db->texts = texts;
    db->count = count;
    db->begin = begin;
    db->commit = commit;
    db->rollback = rollback;
    db->lock = -1;
    (void)pthread_mutex_init(&db->mutex, NULL);
    pthread_condattr_t steady; /* by a clock that nobody sets */
    (void)pthread_condattr_init(&steady);
    (void)pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&db->wake, &steady);
    (void)pthread_condattr_destroy(&steady);
}

void db_close(struct db *db)
{
    stop_worker(db);
    for (size_t i = 0; db->statements != NULL && i < db->count; i++) {
        (void)sqlite3_finalize(db->statements[i]);
    }
    free(db->statements);
    (void)sqlite3_close(
        db->handle); /* the last connection moves the rest of the log into the file */
    if (db->lock >= 0) {
        (void)close(db->lock);
    }
    (void)pthread_cond_destroy(&db->wake);
    (void)pthread_mutex_destroy(&db->mutex);
    memset(db, 0, sizeof *db);
    db->lock = -1;
}

static enum db_opened stop(struct db *db, enum db_opened what, const char *why)
{
    (void)snprintf(db->why, sizeof db->why, "%s", why);
    return what;
}

/* What the latest call met. A disk that cannot be read just now, or too many open files, say nothing about what is
 * in the file: nobody is to put it aside for that. */
static enum db_opened what_failed(struct db *db)
{
    int code = sqlite3_errcode(db->handle) & 0xff;
    if (code == SQLITE_OK || code == SQLITE_ROW || code == SQLITE_DONE || code == SQLITE_CORRUPT ||
        code == SQLITE_NOTADB) {
        return DB_DAMAGED;
    }
    return stop(db, DB_FAILED, sqlite3_errmsg(db->handle));
}

/* A check that could not read a page goes on, and says so among what is damaged: "error code=10" and the like. */
static enum db_opened what_is_found(struct db *db, const char *found)
{
    const char *at = strstr(found, "error code");
    int code = at == NULL ? SQLITE_CORRUPT : (int)strtol(at + strlen("error code") + 1, NULL, 10);
    return (code & 0xff) == SQLITE_CORRUPT ? DB_DAMAGED : stop(db, DB_FAILED, sqlite3_errstr(code));
}

static enum db_opened check(struct db *db, const char *path)
{
    struct stat st;
    sqlite3_stmt *statement = NULL;
    if (stat(path, &st) == 0 && st.st_size > CHECKED_BYTES) {
        return DB_OPEN;
    }
    bool has_run = sqlite3_prepare_v2(db->handle, "PRAGMA quick_check(1)", -1, &statement, NULL) ==
                       SQLITE_OK &&
                   sqlite3_step(statement) == SQLITE_ROW;
    const char *found = has_run ? (const char *)sqlite3_column_text(statement, 0) : NULL;
    enum db_opened opened = found == NULL              ? what_failed(db)
                            : strcmp(found, "ok") == 0 ? DB_OPEN
                                                       : what_is_found(db, found);
    (void)sqlite3_finalize(statement);
    return opened;
}

static enum db_opened prepare(struct db *db, const char *path, const struct db_layout *layout)
{
    int64_t application = db_number(db, "PRAGMA application_id");
    int64_t version = application < 0 ? -1 : db_number(db, "PRAGMA user_version");
    int64_t tables = version < 0 ? -1 : db_number(db, "SELECT count(*) FROM sqlite_schema");
    if (tables < 0) {
        return what_failed(db);
    }
    if (tables > 0 && application != layout->application) {
        return stop(db, DB_FOREIGN, "another program's database; name another file");
    }
    if (version > layout->version) {
        return stop(db, DB_FOREIGN,
                    "a later version of ternchat wrote it; use that one, or another file");
    }
    if (tables > 0) {
        return check(db, path);
    }
    char *text =
        sqlite3_mprintf("PRAGMA application_id=%d; BEGIN; %s PRAGMA user_version=%d; COMMIT",
                        layout->application, layout->schema, layout->version);
    int rc = text == NULL ? SQLITE_NOMEM : sqlite3_exec(db->handle, text, NULL, NULL, NULL);
    sqlite3_free(text);
    return rc == SQLITE_OK ? DB_OPEN : what_failed(db);
}

static enum db_opened take_lock(struct db *db, const char *path)
{
    char lock[4200];
    if (snprintf(lock, sizeof lock, "%s.lock", path) >= (int)sizeof lock) {
        return stop(db, DB_FAILED, "the name is too long");
    }
    db->lock = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (db->lock < 0) {
        return stop(db, DB_FAILED, strerror(errno));
    }
    return flock(db->lock, LOCK_EX | LOCK_NB) == 0 ? DB_OPEN : DB_USED;
}

static enum db_opened open_file(struct db *db, const char *path, const struct db_layout *layout)
{
    int rc = sqlite3_open_v2(
        path, &db->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_exec(db->handle,
                          "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
                          "PRAGMA wal_autocheckpoint=0; PRAGMA cache_size=-16384",
                          NULL, NULL, NULL);
    }
    enum db_opened opened = rc == SQLITE_NOTADB || rc == SQLITE_CORRUPT ? DB_DAMAGED
                            : rc != SQLITE_OK                           ? what_failed(db)
                                                                        : prepare(db, path, layout);
    if (opened == DB_OPEN && !(db->has_worker = start_worker(db, path))) {
        bool is_file = sqlite3_errcode(db->worker_db) != SQLITE_OK;
        return stop(db, DB_FAILED, is_file ? sqlite3_errmsg(db->worker_db) : "no thread for it");
    }
    return opened;
}

enum db_opened db_open(struct db *db, const char *path, const struct db_layout *layout)
{
    db->statements = calloc(db->count, sizeof *db->statements);
    if (db->statements == NULL) {
        return stop(db, DB_FAILED, "out of memory");
    }
    mode_t mask = umask(077); /* what people said is nobody else's to read */
    enum db_opened opened = take_lock(db, path);
    opened = opened == DB_OPEN ? open_file(db, path, layout) : opened;
    (void)umask(mask);
    return opened;
}

/* --- searching --------------------------------------------------------------------------------------- */

/* Is there anything in it that FTS5 takes for a letter? Without, it would find everything. */
static bool has_letters(const uint8_t *word, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (word[i] >= 0x80 || (word[i] >= '0' && word[i] <= '9') ||
            ((word[i] | 0x20) >= 'a' && (word[i] | 0x20) <= 'z')) {
            return true;
        }
    }
    return false;
}

bool db_words(const char *column, size_t least, const uint8_t *text, size_t text_len, char *out,
              size_t size)
{
    size_t used = 0, last = 0;
    for (size_t i = 0, len; i < text_len; i += len) {
        for (len = 0; i + len < text_len && text[i + len] > ' '; len++) {
        }
        if (len == 0 || !has_letters(text + i, len)) {
            len += len == 0 ? 1 : 0;
            continue;
        }
        if (used + 2 * len + strlen(column) + 8 > size) {
            return false;
        }
        used += (size_t)snprintf(out + used, size - used, " %s:\"", column);
        for (size_t k = 0; k < len; k++) {
            if (text[i + k] == '"') {
                out[used++] = '"';
            }
            out[used++] = (char)text[i + k];
        }
        out[used++] = '"';
        last = len;
    }
    if (used == 0) {
        return false;
    }
    if (last >= least) {
        out[used++] = '*';
    }
    out[used] = '\0';
    return true;
}
