/* The file: tables, and statements over them. What is written is gathered up to memory_keep and goes into the
 * database by a thread, in transactions of all that there is by then: a file system that is busy lets a write wait
 * for tens of milliseconds, and the talk is not to wait with it. Who reads waits for the thread.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "ternchat/memory.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ternchat/batch.h"

#define APPLICATION 0x74636d65 /* "tcme", so that no other program's file is taken for ours */
#define SCHEMA      1
#define QUEUE       ((size_t)1 << 20) /* bytes that may wait for the disk; for more everybody waits */

static const char schema[] =
    "CREATE TABLE rooms(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, title TEXT NOT NULL,"
    " flags INTEGER NOT NULL, other BLOB NOT NULL, last INTEGER NOT NULL, is_in INTEGER NOT NULL);"
    "CREATE TABLE lines(id INTEGER PRIMARY KEY AUTOINCREMENT, room INTEGER NOT NULL,"
    " seq INTEGER NOT NULL, time INTEGER NOT NULL, kind INTEGER NOT NULL, key BLOB NOT NULL,"
    " nick TEXT NOT NULL, own INTEGER NOT NULL, is_words INTEGER NOT NULL, text TEXT NOT NULL);"
    "CREATE INDEX lines_room ON lines(room, id);"
    "CREATE TABLE chains(room INTEGER, key BLOB, program INTEGER, used INTEGER NOT NULL, dump BLOB "
    "NOT NULL,"
    " PRIMARY KEY(room, key, program)) WITHOUT ROWID;"
    "CREATE TABLE unheard(n INTEGER PRIMARY KEY, room INTEGER NOT NULL, id INTEGER NOT NULL,"
    " kind INTEGER NOT NULL, body BLOB NOT NULL);"
    "CREATE TABLE held(n INTEGER PRIMARY KEY, room INTEGER NOT NULL, seq INTEGER NOT NULL,"
    " packet BLOB NOT NULL);"
    "CREATE TABLE people(room INTEGER, key BLOB, nick TEXT NOT NULL, PRIMARY KEY(room, key))"
    " WITHOUT ROWID;"
    "CREATE TABLE known(key BLOB PRIMARY KEY, nick TEXT NOT NULL, verified INTEGER NOT NULL,"
    " seen INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE VIRTUAL TABLE words USING fts5(place, body, tokenize='unicode61 remove_diacritics 2');";

enum statement {
    BEGIN,
    COMMIT,
    ROLLBACK,
    ROOM,
    ROOM_PUT,
    ROOM_SET,
    LAST,
    LEFT,
    LEFT_CHAINS,
    LEFT_UNHEARD,
    LEFT_HELD,
    LEFT_PEOPLE,
    LINE,
    WORDS,
    CHAIN,
    SAY,
    HEARD,
    HOLD,
    LET_GO,
    PERSON,
    NO_PERSON,
    KNOWN,
    ROOMS,
    CHAINS,
    UNHEARD,
    HELD,
    PEOPLE,
    ALL_KNOWN,
    LINES,
    BEFORE,
    SEARCH,
    OLD_WORDS,
    OLD_LINES,
    OLD_CHAINS,
    OLD_KNOWN,
    FIRST_WORDS,
    FIRST_LINES,
    PAGES,
    STATEMENTS
};

#define TRIMS        20 /* at a start */
#define LINE_COLUMNS "seq, time, kind, key, nick, own, text"
#define LAST_LINES   "(SELECT * FROM lines WHERE room = ? ORDER BY id DESC LIMIT ?)"
#define FIRST        "(SELECT id FROM lines ORDER BY id LIMIT 1 OFFSET ?)"

/* Those of more than one piece, by name. */
static const char lines_text[] = "SELECT " LINE_COLUMNS " FROM " LAST_LINES " ORDER BY id";
static const char before_text[] =
    "SELECT " LINE_COLUMNS " FROM lines WHERE room = ? AND seq < ? AND is_words"
    " ORDER BY id DESC LIMIT ?";
static const char search_text[] =
    "SELECT " LINE_COLUMNS " FROM words JOIN lines ON lines.id = words.rowid"
    " WHERE words MATCH ? ORDER BY words.rowid DESC LIMIT ?";
static const char old_known_text[] = "DELETE FROM known WHERE verified = 0 AND key NOT IN"
                                     " (SELECT key FROM known ORDER BY seen DESC LIMIT ?)";

static const char pages_text[] =
    "SELECT (page_count - freelist_count) * page_size FROM pragma_page_count, "
    "pragma_freelist_count, pragma_page_size";
static const char first_words_text[] = "DELETE FROM words WHERE rowid <= " FIRST;
static const char first_lines_text[] = "DELETE FROM lines WHERE id <= " FIRST;

static const char *const texts[STATEMENTS] = {
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
    [ROOM] = "SELECT id, name, title, flags, other, last, is_in FROM rooms WHERE name = ?",
    [ROOM_PUT] =
        "INSERT INTO rooms(id, name, title, flags, other, last, is_in) VALUES(?, ?, ?, ?, ?, ?, ?)",
    [ROOM_SET] =
        "UPDATE rooms SET title = ?, flags = ?, other = ?, last = ?, is_in = ? WHERE id = ?",
    [LAST] = "UPDATE rooms SET last = ? WHERE id = ?",
    [LEFT] = "UPDATE rooms SET is_in = 0 WHERE id = ?",
    [LEFT_CHAINS] = "DELETE FROM chains WHERE room = ?",
    [LEFT_UNHEARD] = "DELETE FROM unheard WHERE room = ?",
    [LEFT_HELD] = "DELETE FROM held WHERE room = ?",
    [LEFT_PEOPLE] = "DELETE FROM people WHERE room = ?",
    [LINE] = "INSERT INTO lines VALUES(NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [WORDS] = "INSERT INTO words(rowid, place, body) VALUES(?, ?, ?)",
    [CHAIN] = "REPLACE INTO chains VALUES(?, ?, ?, ?, ?)",
    [SAY] = "INSERT INTO unheard(room, id, kind, body) VALUES(?, ?, ?, ?)",
    [HEARD] = "DELETE FROM unheard WHERE room = ? AND id = ?",
    [HOLD] = "INSERT INTO held(room, seq, packet) VALUES(?, ?, ?)",
    [LET_GO] = "DELETE FROM held WHERE room = ? AND seq = ?",
    [PERSON] = "REPLACE INTO people VALUES(?, ?, ?)",
    [NO_PERSON] = "DELETE FROM people WHERE room = ? AND key = ?",
    [KNOWN] = "REPLACE INTO known VALUES(?, ?, ?, ?)",
    [ROOMS] =
        "SELECT id, name, title, flags, other, last, is_in FROM rooms WHERE is_in ORDER BY id",
    [CHAINS] = "SELECT key, program, dump FROM chains WHERE room = ? ORDER BY used",
    [UNHEARD] = "SELECT id, kind, body FROM unheard WHERE room = ? ORDER BY n",
    [HELD] = "SELECT packet FROM held WHERE room = ? ORDER BY n",
    [PEOPLE] = "SELECT key, nick FROM people WHERE room = ?",
    [ALL_KNOWN] = "SELECT key, nick, verified, seen FROM known ORDER BY seen",
    [LINES] = lines_text,
    [BEFORE] = before_text,
    [SEARCH] = search_text,
    [OLD_WORDS] = "DELETE FROM words WHERE rowid <= (SELECT max(id) FROM lines) - ?",
    [OLD_LINES] = "DELETE FROM lines WHERE id <= (SELECT max(id) FROM lines) - ?",
    [OLD_CHAINS] =
        "DELETE FROM chains WHERE used < (SELECT last FROM rooms WHERE rooms.id = chains.room) - ?",
    [OLD_KNOWN] = old_known_text,
    [FIRST_WORDS] = first_words_text,
    [FIRST_LINES] = first_lines_text,
    [PAGES] = pages_text,
};

struct memory {
    /* The thread's when something is due or being written, else the caller's. */
    struct db db;
    bool is_writing, has_failed; /* a transaction has begun; nothing more is written */
    /* The thread's. */
    struct batch taken;
    pthread_t thread;
    /* The caller's. */
    struct batch begun;      /* since memory_keep */
    int64_t last_room;       /* the greatest number */
    unsigned lines, readers; /* lines since it was trimmed; reads, one within the other */
    bool is_uncommitted;     /* the caller has written itself, to read it */
    bool has_thread, was_told;
    /* Between them, under the lock. */
    pthread_mutex_t lock;
    pthread_cond_t has_changed;
    struct batch waiting;
    bool is_due, is_busy, is_long, is_lost, is_ending; /* is_long: so many lines have come that it
                                                          may be too large; is_lost: it has failed */
};

bool memory_is_built_in(void)
{
    return true;
}

/* --- writing, whoever has the database --------------------------------------------------------------- */

static void fail(struct memory *m)
{
    m->has_failed = true;
    if (m->is_writing) {
        m->is_writing = false;
        (void)db_end(&m->db, false);
    }
}

/* Is there a transaction to write in? */
static bool may_write(struct memory *m)
{
    if (!m->has_failed && !m->is_writing) {
        m->is_writing = db_begin(&m->db) > 0;
        m->has_failed = !m->is_writing;
    }
    return !m->has_failed;
}

static bool write_it(struct memory *m, sqlite3_stmt *statement)
{
    if (db_run(&m->db, statement) > 0) {
        return true;
    }
    fail(m);
    return false;
}

static void write_all(struct memory *m, struct batch *batch)
{
    if (batch->len > 0 && may_write(m) && batch_run(batch, &m->db) < 0) {
        fail(m);
    }
    if (m->has_failed) {
        batch_free(batch);
    }
}

static uint64_t bytes_in_use(struct memory *m)
{
    sqlite3_stmt *statement = db_ask(&m->db, PAGES, "");
    int rc = statement == NULL ? SQLITE_ERROR : sqlite3_step(statement);
    int64_t bytes = rc == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    (void)db_finish(&m->db, statement, rc);
    return (uint64_t)bytes;
}

static void trim(struct memory *m, uint64_t most, unsigned rounds)
{
    while (rounds-- > 0 && !m->has_failed && bytes_in_use(m) > most && may_write(m)) {
        if (write_it(m, db_ask(&m->db, FIRST_WORDS, "i", (int64_t)MEMORY_TRIM - 1))) {
            (void)write_it(m, db_ask(&m->db, FIRST_LINES, "i", (int64_t)MEMORY_TRIM - 1));
        }
    }
}

/* --- the thread -------------------------------------------------------------------------------------- */

static void write_taken(struct memory *m, bool is_long)
{
    write_all(m, &m->taken);
    if (is_long) {
        trim(m, MEMORY_BYTES, 1);
    }
    if (m->is_writing) {
        m->is_writing = false;
        m->has_failed = db_end(&m->db, true) < 0;
    }
}

/* What comes while it writes is the next transaction. */
static void *work(void *user)
{
    struct memory *m = user;
    (void)pthread_mutex_lock(&m->lock);
    while (m->is_due || !m->is_ending) {
        if (!m->is_due) {
            (void)pthread_cond_wait(&m->has_changed, &m->lock);
            continue;
        }
        struct batch empty = m->taken;
        bool is_long = m->is_long;
        m->taken = m->waiting;
        m->waiting = empty;
        m->is_due = m->is_long = false;
        m->is_busy = true;
        (void)pthread_mutex_unlock(&m->lock);
        write_taken(m, is_long);
        (void)pthread_mutex_lock(&m->lock);
        m->is_busy = false;
        m->is_lost = m->has_failed;
        (void)pthread_cond_broadcast(&m->has_changed);
    }
    (void)pthread_mutex_unlock(&m->lock);
    return NULL;
}

/* The caller has the database, with all that was written in it, until memory_keep. */
static void settle(struct memory *m)
{
    (void)pthread_mutex_lock(&m->lock);
    while (m->is_due || m->is_busy) {
        (void)pthread_cond_wait(&m->has_changed, &m->lock);
    }
    (void)pthread_mutex_unlock(&m->lock);
    write_all(m, &m->begun);
    m->is_uncommitted = m->is_writing;
}

/* What was gathered, to the thread. */
static void hand_over(struct memory *m)
{
    bool is_new = m->begun.len > 0 || m->is_uncommitted;
    if (!is_new) {
        return;
    }
    (void)pthread_mutex_lock(&m->lock);
    while (m->is_due && m->waiting.len + m->begun.len > QUEUE) {
        (void)pthread_cond_wait(&m->has_changed, &m->lock);
    }
    if (batch_move(&m->begun, &m->waiting)) {
        m->is_long = m->is_long || m->lines >= MEMORY_TRIM / 2;
        m->lines = m->is_long ? 0 : m->lines;
        m->is_due = true;
        m->is_uncommitted = false;
        (void)pthread_cond_broadcast(&m->has_changed);
    }
    (void)pthread_mutex_unlock(&m->lock);
}

const char *memory_keep(struct memory *m)
{
    if (m->readers > 0) {
        return NULL; /* they have the database */
    }
    hand_over(m);
    (void)pthread_mutex_lock(&m->lock);
    bool is_lost = m->is_lost || (!m->is_due && !m->is_busy && m->has_failed);
    (void)pthread_mutex_unlock(&m->lock);
    if (!is_lost || m->was_told) {
        return NULL;
    }
    m->was_told = true;
    return m->db.why;
}

void memory_wait(struct memory *m, int ms)
{
    struct timespec until;
    int rc = 0;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    (void)pthread_mutex_lock(&m->lock);
    while (rc == 0 && (m->is_due || m->is_busy)) {
        rc = pthread_cond_timedwait(&m->has_changed, &m->lock, &until);
    }
    (void)pthread_mutex_unlock(&m->lock);
}

/* --- what is written --------------------------------------------------------------------------------- */

/* After each that was gathered. */
static void check(struct memory *m, bool is_gathered)
{
    if (!is_gathered || m->begun.len > QUEUE) {
        settle(m);
    }
    if (!is_gathered && !m->has_failed) {
        (void)snprintf(m->db.why, sizeof m->db.why, "out of memory");
        fail(m);
    }
}

void memory_trim(struct memory *m, uint64_t most, unsigned rounds)
{
    settle(m);
    trim(m, most, rounds);
    m->is_uncommitted = m->is_writing;
}

void memory_room_put(struct memory *m, struct memory_room *r)
{
    if (m->was_told) {
        return;
    }
    if (r->id != 0) {
        check(m, batch_add(&m->begun, ROOM_SET, "tikiii", r->title, (int64_t)r->flags, r->with,
                           (int64_t)r->last, (int64_t)r->is_in, r->id));
    } else {
        r->id = ++m->last_room;
        check(m, batch_add(&m->begun, ROOM_PUT, "ittikii", r->id, r->name, r->title,
                           (int64_t)r->flags, r->with, (int64_t)r->last, (int64_t)r->is_in));
    }
}

void memory_last(struct memory *m, int64_t room, uint64_t last)
{
    check(m, batch_add(&m->begun, LAST, "ii", (int64_t)last, room));
}

void memory_leave(struct memory *m, int64_t room)
{
    for (unsigned which = LEFT; which <= LEFT_PEOPLE; which++) {
        check(m, batch_add(&m->begun, which, "i", room));
    }
}

/* A word that is in every line of the room, so that a search looks at no other room's. */
static const char *place_word(int64_t room, char out[32])
{
    (void)snprintf(out, 32, "room%lld", (long long)room);
    return out;
}

void memory_line(struct memory *m, int64_t room, const struct memory_line *l, bool is_words)
{
    char place[32];
    bool is_gathered = batch_add(&m->begun, LINE, "iiiiktiit", room, (int64_t)l->seq,
                                 (int64_t)l->time, (int64_t)l->kind, l->key, l->nick,
                                 (int64_t)l->is_own, (int64_t)is_words, l->text);
    check(m, is_gathered && (!is_words ||
                             batch_add(&m->begun, WORDS, "rtt", place_word(room, place), l->text)));
    m->lines++;
}

void memory_chain(struct memory *m, int64_t room, const uint8_t key[TERN_KEY_SIZE],
                  uint32_t program, uint64_t seq, struct chat_slice dump)
{
    check(m, batch_add(&m->begun, CHAIN, "ikiib", room, key, (int64_t)program, (int64_t)seq,
                       dump.data, dump.len));
}

void memory_say(struct memory *m, int64_t room, uint64_t id, uint8_t kind, struct chat_slice body)
{
    check(m,
          batch_add(&m->begun, SAY, "iiib", room, (int64_t)id, (int64_t)kind, body.data, body.len));
}

void memory_heard(struct memory *m, int64_t room, uint64_t id)
{
    check(m, batch_add(&m->begun, HEARD, "ii", room, (int64_t)id));
}

void memory_hold(struct memory *m, int64_t room, uint64_t seq, const uint8_t *packet, size_t len)
{
    check(m, batch_add(&m->begun, HOLD, "iib", room, (int64_t)seq, packet, len));
}

void memory_let_go(struct memory *m, int64_t room, uint64_t seq)
{
    check(m, batch_add(&m->begun, LET_GO, "ii", room, (int64_t)seq));
}

void memory_person(struct memory *m, int64_t room, const uint8_t key[TERN_KEY_SIZE],
                   const char *nick)
{
    check(m, batch_add(&m->begun, PERSON, "ikt", room, key, nick));
}

void memory_no_person(struct memory *m, int64_t room, const uint8_t key[TERN_KEY_SIZE])
{
    check(m, batch_add(&m->begun, NO_PERSON, "ik", room, key));
}

void memory_known(struct memory *m, const uint8_t key[TERN_KEY_SIZE], const char *nick,
                  bool is_verified, uint64_t seen)
{
    check(m, batch_add(&m->begun, KNOWN, "ktii", key, nick, (int64_t)is_verified, (int64_t)seen));
}

/* --- birth and death --------------------------------------------------------------------------------- */

static const struct db_layout layout = {schema, APPLICATION, SCHEMA};

/* Moves the file away, with its log. False: it cannot. */
static bool set_aside(const char *path, char *name, size_t size)
{
    char log[4400], log_name[4400];
    (void)snprintf(name, size, "%s.damaged-%lld", path, (long long)time(NULL));
    (void)snprintf(log, sizeof log, "%s-wal", path);
    (void)snprintf(log_name, sizeof log_name, "%s-wal", name);
    (void)rename(log, log_name);
    (void)snprintf(log, sizeof log, "%s-shm", path);
    (void)unlink(log);
    return rename(path, name) == 0;
}

static enum db_opened open_db(struct memory *m, const char *path)
{
    db_init(&m->db, texts, STATEMENTS, BEGIN, COMMIT, ROLLBACK);
    return db_open(&m->db, path, &layout);
}

static void drop_old(struct memory *m)
{
    static const struct {
        enum statement which;
        int64_t most;
    } limits[] = {{OLD_WORDS, MEMORY_LINES},
                  {OLD_LINES, MEMORY_LINES},
                  {OLD_CHAINS, MEMORY_EVENTS},
                  {OLD_KNOWN, MEMORY_KNOWN}};
    bool is_whole = db_begin(&m->db) > 0;
    for (size_t i = 0; is_whole && i < sizeof limits / sizeof limits[0]; i++) {
        is_whole = db_run(&m->db, db_ask(&m->db, limits[i].which, "i", limits[i].most)) > 0;
    }
    (void)db_end(&m->db, is_whole);
}

struct memory *memory_open(const char *path, char about[MEMORY_WHY_SIZE])
{
    char name[4300];
    struct memory *m = calloc(1, sizeof *m);
    about[0] = '\0';
    if (m == NULL) {
        (void)snprintf(about, MEMORY_WHY_SIZE, "out of memory: nothing is remembered");
        return NULL;
    }
    pthread_condattr_t steady; /* by a clock that nobody sets */
    (void)pthread_mutex_init(&m->lock, NULL);
    (void)pthread_condattr_init(&steady);
    (void)pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&m->has_changed, &steady);
    (void)pthread_condattr_destroy(&steady);
    enum db_opened opened = open_db(m, path);
    if (opened == DB_DAMAGED) {
        db_close(&m->db);
        bool is_aside = set_aside(path, name, sizeof name);
        (void)snprintf(about, MEMORY_WHY_SIZE,
                       is_aside ? "the memory was damaged; it is set aside as %s, and a new one is "
                                  "begun: words of before cannot be read again"
                                : "the memory is damaged and cannot be set aside as %s: nothing is "
                                  "remembered",
                       name);
        opened = open_db(m, path);
    } else if (opened == DB_USED) {
        (void)snprintf(about, MEMORY_WHY_SIZE,
                       "another ternchat of yours has the memory: this one remembers nothing");
    } else if (opened != DB_OPEN) {
        (void)snprintf(about, MEMORY_WHY_SIZE, "%s: %s: nothing is remembered", path, m->db.why);
    }
    if (opened != DB_OPEN) {
        memory_close(m);
        return NULL;
    }
    /* What was deleted of keys is not to be found in the file. */
    (void)sqlite3_exec(m->db.handle, "PRAGMA secure_delete=ON", NULL, NULL, NULL);
    drop_old(m);
    memory_trim(m, MEMORY_BYTES, TRIMS);
    m->last_room = db_number(&m->db, "SELECT coalesce(max(id), 0) FROM rooms");
    m->has_thread = pthread_create(&m->thread, NULL, work, m) == 0;
    if (m->last_room < 0 || !m->has_thread) {
        (void)snprintf(about, MEMORY_WHY_SIZE, "%s: %s: nothing is remembered", path,
                       m->has_thread ? "its rooms cannot be read" : "no thread for it");
        memory_close(m);
        return NULL;
    }
    return m;
}

void memory_close(struct memory *m)
{
    if (m == NULL) {
        return;
    }
    if (m->has_thread) {
        hand_over(m);
        (void)pthread_mutex_lock(&m->lock);
        m->is_ending = true;
        (void)pthread_cond_broadcast(&m->has_changed);
        (void)pthread_mutex_unlock(&m->lock);
        (void)pthread_join(m->thread, NULL);
    }
    db_close(&m->db);
    batch_free(&m->begun);
    batch_free(&m->waiting);
    batch_free(&m->taken);
    (void)pthread_cond_destroy(&m->has_changed);
    (void)pthread_mutex_destroy(&m->lock);
    free(m);
}

/* --- reading ----------------------------------------------------------------------------------------- */

static void take_text(sqlite3_stmt *statement, int column, char out[CHAT_NAME_MAX + 1])
{
    const unsigned char *text = sqlite3_column_text(statement, column);
    (void)snprintf(out, CHAT_NAME_MAX + 1, "%s", text == NULL ? "" : (const char *)text);
}

static struct chat_slice take_bytes(sqlite3_stmt *statement, int column)
{
    const uint8_t *data = sqlite3_column_blob(statement, column);
    return (struct chat_slice){data,
                               data == NULL ? 0 : (size_t)sqlite3_column_bytes(statement, column)};
}

static void take_room(sqlite3_stmt *statement, struct memory_room *out)
{
    memset(out, 0, sizeof *out);
    out->id = sqlite3_column_int64(statement, 0);
    take_text(statement, 1, out->name);
    take_text(statement, 2, out->title);
    out->flags = (uint8_t)sqlite3_column_int(statement, 3);
    (void)db_take_blob(statement, 4, out->with, sizeof out->with);
    out->last = (uint64_t)sqlite3_column_int64(statement, 5);
    out->is_in = sqlite3_column_int(statement, 6) != 0;
}

/* The database with all that was written; finish gives it back. */
static struct db *reader(struct memory *m)
{
    settle(m);
    m->readers++;
    return &m->db;
}

static int step(sqlite3_stmt *statement)
{
    return statement == NULL ? SQLITE_ERROR : sqlite3_step(statement);
}

/* A failure to read is one like any other: what follows is not to be built upon it. */
static void finish(struct memory *m, sqlite3_stmt *statement, int rc)
{
    m->readers--;
    if (db_finish(&m->db, statement, rc) < 0) {
        fail(m);
    }
}

int memory_room(struct memory *m, const char *name, struct memory_room *out)
{
    sqlite3_stmt *statement = db_ask(reader(m), ROOM, "t", name);
    int rc = step(statement);
    if (rc == SQLITE_ROW) {
        take_room(statement, out);
    }
    finish(m, statement, rc);
    return rc == SQLITE_ROW;
}

void memory_rooms(struct memory *m, memory_room_each *each, void *user)
{
    struct memory_room room;
    sqlite3_stmt *statement = db_ask(reader(m), ROOMS, "");
    int rc;
    while ((rc = step(statement)) == SQLITE_ROW) {
        take_room(statement, &room);
        each(user, &room);
    }
    finish(m, statement, rc);
}

void memory_chains(struct memory *m, int64_t room, memory_chain_each *each, void *user)
{
    uint8_t key[TERN_KEY_SIZE];
    sqlite3_stmt *statement = db_ask(reader(m), CHAINS, "i", room);
    int rc;
    while ((rc = step(statement)) == SQLITE_ROW) {
        if (db_take_blob(statement, 0, key, sizeof key)) {
            each(user, key, (uint32_t)sqlite3_column_int64(statement, 1), take_bytes(statement, 2));
        }
    }
    finish(m, statement, rc);
}

void memory_unheard(struct memory *m, int64_t room, memory_unheard_each *each, void *user)
{
    sqlite3_stmt *statement = db_ask(reader(m), UNHEARD, "i", room);
    int rc;
    while ((rc = step(statement)) == SQLITE_ROW) {
        each(user, (uint64_t)sqlite3_column_int64(statement, 0),
             (uint8_t)sqlite3_column_int(statement, 1), take_bytes(statement, 2));
    }
    finish(m, statement, rc);
}

void memory_held(struct memory *m, int64_t room, memory_held_each *each, void *user)
{
    sqlite3_stmt *statement = db_ask(reader(m), HELD, "i", room);
    int rc;
    while ((rc = step(statement)) == SQLITE_ROW) {
        each(user, take_bytes(statement, 0));
    }
    finish(m, statement, rc);
}

void memory_people(struct memory *m, int64_t room, memory_person_each *each, void *user)
{
    uint8_t key[TERN_KEY_SIZE];
    char nick[CHAT_NAME_MAX + 1];
    sqlite3_stmt *statement = db_ask(reader(m), PEOPLE, "i", room);
    int rc;
    while ((rc = step(statement)) == SQLITE_ROW) {
        take_text(statement, 1, nick);
        if (db_take_blob(statement, 0, key, sizeof key)) {
            each(user, key, nick);
        }
    }
    finish(m, statement, rc);
}

void memory_all_known(struct memory *m, memory_known_each *each, void *user)
{
    uint8_t key[TERN_KEY_SIZE];
    char nick[CHAT_NAME_MAX + 1];
    sqlite3_stmt *statement = db_ask(reader(m), ALL_KNOWN, "");
    int rc;
    while ((rc = step(statement)) == SQLITE_ROW) {
        take_text(statement, 1, nick);
        if (db_take_blob(statement, 0, key, sizeof key)) {
            each(user, key, nick, sqlite3_column_int(statement, 2) != 0,
                 (uint64_t)sqlite3_column_int64(statement, 3));
        }
    }
    finish(m, statement, rc);
}

static void each_line(struct memory *m, sqlite3_stmt *statement, memory_line_each *each, void *user)
{
    int rc;
    while ((rc = step(statement)) == SQLITE_ROW) {
        struct memory_line line = {.seq = (uint64_t)sqlite3_column_int64(statement, 0),
                                   .time = (uint64_t)sqlite3_column_int64(statement, 1),
                                   .kind = (uint8_t)sqlite3_column_int(statement, 2),
                                   .is_own = sqlite3_column_int(statement, 5) != 0};
        (void)db_take_blob(statement, 3, line.key, sizeof line.key);
        take_text(statement, 4, line.nick);
        line.text = (const char *)sqlite3_column_text(statement, 6);
        if (line.text != NULL) {
            each(user, &line);
        }
    }
    finish(m, statement, rc);
}

void memory_lines(struct memory *m, int64_t room, size_t count, memory_line_each *each, void *user)
{
    each_line(m, db_ask(reader(m), LINES, "ii", room, (int64_t)count), each, user);
}

void memory_before(struct memory *m, int64_t room, uint64_t seq, memory_line_each *each, void *user)
{
    int64_t before = seq > INT64_MAX ? INT64_MAX : (int64_t)seq;
    each_line(m, db_ask(reader(m), BEFORE, "iii", room, before, (int64_t)MEMORY_FOUND), each, user);
}

void memory_search(struct memory *m, int64_t room, struct chat_slice text, memory_line_each *each,
                   void *user)
{
    char query[8 * CHAT_TEXT_MAX], place[32]; /* words of one letter take the most */
    int used = snprintf(query, sizeof query, "place:%s", place_word(room, place));
    if (db_words("body", 1, text.data, text.len, query + used, sizeof query - (size_t)used)) {
        each_line(m, db_ask(reader(m), SEARCH, "ti", query, (int64_t)MEMORY_FOUND), each, user);
    }
}
