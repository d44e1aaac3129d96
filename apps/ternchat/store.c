/* The file: tables, statements, and a worker that moves the log into it.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "ternchat/store.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define APPLICATION   0x7465726e /* "tern", so that no other program's file is taken for ours */
#define SCHEMA        1
#define CHECKED_BYTES (256 << 20) /* a larger file is not read through at each start */
#define CHECKPOINT    2           /* s between moves of the log into the database */
#define DAY           ((uint64_t)24 * 3600 * 1000) /* ms */
#define TIDY_EVENTS   200                          /* forgotten at once */
#define INDEX_EVENTS  200                          /* whose words are added at once */
#define INDEX_ROUNDS  50                           /* of that before a search */
#define SEARCH_STEPS  2000 /* thousands of SQLite's, that one question may cost */

static const char schema[] =
    "CREATE TABLE rooms(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, flags INTEGER NOT NULL,"
    " floor INTEGER NOT NULL, creator BLOB NOT NULL, topic TEXT NOT NULL DEFAULT '');"
    "CREATE TABLE events(id INTEGER PRIMARY KEY AUTOINCREMENT, room INTEGER NOT NULL, seq INTEGER "
    "NOT NULL,"
    " time INTEGER NOT NULL, packet BLOB NOT NULL);"
    "CREATE UNIQUE INDEX events_seq ON events(room, seq);"
    "CREATE TABLE said(room INTEGER, key BLOB, instance INTEGER, last INTEGER NOT NULL,"
    " PRIMARY KEY(room, key, instance)) WITHOUT ROWID;"
    "CREATE TABLE nicks(skeleton TEXT PRIMARY KEY, nick TEXT NOT NULL, key BLOB NOT NULL,"
    " used INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX nicks_key ON nicks(key, used);"
    "CREATE TABLE bans(room INTEGER, key BLOB, PRIMARY KEY(room, key)) WITHOUT ROWID;"
    "CREATE TABLE pairs(key BLOB, room INTEGER, other BLOB NOT NULL, read INTEGER NOT NULL DEFAULT "
    "0,"
    " PRIMARY KEY(key, room)) WITHOUT ROWID;"
    "CREATE VIRTUAL TABLE words USING fts5(place, body, tokenize='unicode61 remove_diacritics 2');";

enum statement {
    BEGIN,
    COMMIT,
    ROLLBACK,
    ROOM_FIND,
    ROOM_MAKE,
    ROOM_TOPIC,
    EVENT_ADD,
    WORDS_ADD,
    UNINDEXED,
    SAID_SET,
    SAID,
    REPLAY,
    BEFORE,
    SEARCH,
    NICK_OWNER,
    NICK_CLAIM,
    NICK_TRIM,
    NICK_OF,
    BAN,
    UNBAN,
    IS_BANNED,
    PAIR,
    PAIR_READ,
    PAIRS_UNREAD,
    OLDEST,
    SPAN,
    FLOORS,
    WORDS_DROP,
    EVENTS_DROP,
    PAGES,
    STATEMENTS
};

static const char *const texts[STATEMENTS] = {
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
    [ROOM_FIND] = "SELECT id, flags, creator, topic, max(floor, (SELECT ifnull(max(seq), 0) FROM "
                  "events WHERE room = rooms.id)) FROM rooms WHERE name = ?",
    [ROOM_MAKE] = "INSERT INTO rooms(name, flags, floor, creator) VALUES(?, ?, ?, ?)",
    [ROOM_TOPIC] = "UPDATE rooms SET topic = ? WHERE id = ?",
    [EVENT_ADD] = "INSERT INTO events(room, seq, time, packet) VALUES(?, ?, ?, ?)",
    [WORDS_ADD] = "INSERT INTO words(rowid, place, body) VALUES(?, ?, ?)",
    [UNINDEXED] =
        "SELECT events.id, room, packet, flags & 1 FROM events JOIN rooms ON rooms.id = room "
        "WHERE events.id > ? ORDER BY events.id LIMIT ?",
    [SAID_SET] =
        "INSERT INTO said VALUES(?, ?, ?, ?) ON CONFLICT DO UPDATE SET last = excluded.last",
    [SAID] = "SELECT last FROM said WHERE room = ? AND key = ? AND instance = ?",
    [REPLAY] =
        "SELECT seq, packet FROM events WHERE room = ? AND seq >= ? AND seq < ? ORDER BY seq",
    [BEFORE] =
        "SELECT seq, packet FROM events WHERE room = ? AND seq < ? ORDER BY seq DESC LIMIT ?",
    [SEARCH] = "SELECT seq, packet FROM words JOIN events ON events.id = words.rowid "
               "WHERE words MATCH ? AND room = ? ORDER BY words.rowid DESC LIMIT ?",
    [NICK_OWNER] = "SELECT key, used FROM nicks WHERE skeleton = ? AND used > ?",
    [NICK_CLAIM] = "REPLACE INTO nicks VALUES(?, ?, ?, ?)",
    [NICK_TRIM] = "DELETE FROM nicks WHERE skeleton IN (SELECT skeleton FROM nicks WHERE key = ? "
                  "ORDER BY used DESC LIMIT -1 OFFSET ?)",
    [NICK_OF] = "SELECT nick FROM nicks WHERE key = ? ORDER BY used DESC LIMIT 1",
    [BAN] = "INSERT OR IGNORE INTO bans VALUES(?, ?)",
    [UNBAN] = "DELETE FROM bans WHERE room = ? AND key = ?",
    [IS_BANNED] = "SELECT 1 FROM bans WHERE room = ? AND key = ?",
    [PAIR] = "INSERT OR IGNORE INTO pairs(key, room, other) VALUES(?1, ?2, ?3), (?3, ?2, ?1)",
    [PAIR_READ] = "UPDATE pairs SET read = ? WHERE key = ? AND room = ?",
    [PAIRS_UNREAD] =
        "SELECT other, (SELECT max(seq) FROM events WHERE events.room = pairs.room) AS "
        "newest FROM pairs WHERE key = ? AND newest > read",
    [OLDEST] = "SELECT time FROM events ORDER BY id LIMIT 1",
    [SPAN] = "SELECT max(id) FROM (SELECT id, time FROM events ORDER BY id LIMIT ?) WHERE time < ?",
    [FLOORS] =
        "UPDATE rooms SET floor = max(floor, (SELECT max(seq) FROM events WHERE room = rooms.id "
        "AND id <= ?1)) WHERE id IN (SELECT DISTINCT room FROM events WHERE id <= ?1)",
    [WORDS_DROP] = "DELETE FROM words WHERE rowid <= ?",
    [EVENTS_DROP] = "DELETE FROM events WHERE id <= ?",
    [PAGES] = "SELECT (page_count - freelist_count) * page_size FROM pragma_page_count, "
              "pragma_freelist_count, pragma_page_size",
};

struct store {
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];
    struct store_limits limits;
    int lock;
    int64_t newest, indexed; /* events: the last, and the last whose words can be searched */
    unsigned steps;          /* that the question under way has cost */
    char why[STORE_WHY_SIZE];
    /* The worker, on a connection of its own. */
    sqlite3 *worker_db;
    pthread_t worker;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool has_worker, is_ending;
};

bool store_is_built_in(void)
{
    return true;
}

const char *store_why(const struct store *s)
{
    return s->why;
}

/* --- statements -------------------------------------------------------------------------------------- */

static int fail(struct store *s)
{
    (void)snprintf(s->why, sizeof s->why, "%s", sqlite3_errmsg(s->db));
    return -1;
}

/* A statement with its values: i int64_t, t text, b bytes and their length, k a key. NULL: it failed. */
static sqlite3_stmt *ask(struct store *s, enum statement which, const char *types, ...)
{
    sqlite3_stmt **place = &s->statements[which];
    if (*place == NULL && sqlite3_prepare_v3(s->db, texts[which], -1, SQLITE_PREPARE_PERSISTENT,
                                             place, NULL) != SQLITE_OK) {
        (void)fail(s);
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
            (void)sqlite3_bind_blob(*place, i, va_arg(values, const uint8_t *), TERN_KEY_SIZE,
                                    SQLITE_STATIC);
        } else {
            const uint8_t *data = va_arg(values, const uint8_t *);
            (void)sqlite3_bind_blob(*place, i, data, (int)va_arg(values, size_t), SQLITE_STATIC);
        }
    }
    va_end(values);
    return *place;
}

/* Ends it: 1, or -1 after a step that was neither a row nor the end. */
static int finish(struct store *s, sqlite3_stmt *statement, int rc)
{
    int result = rc == SQLITE_DONE || rc == SQLITE_ROW ? 1 : fail(s);
    if (statement != NULL) {
        (void)sqlite3_reset(statement);
        (void)sqlite3_clear_bindings(statement);
    }
    return result;
}

static int run(struct store *s, sqlite3_stmt *statement)
{
    return statement == NULL ? -1 : finish(s, statement, sqlite3_step(statement));
}

/* A row's bytes, of exactly that many. */
static bool take_blob(sqlite3_stmt *statement, int column, void *out, size_t len)
{
    const void *data = sqlite3_column_blob(statement, column);
    if (data == NULL || sqlite3_column_bytes(statement, column) != (int)len) {
        return false;
    }
    memcpy(out, data, len);
    return true;
}

static int begin(struct store *s)
{
    return run(s, ask(s, BEGIN, ""));
}

/* is_whole: everything since begin has worked. */
static int end(struct store *s, bool is_whole)
{
    if (is_whole && run(s, ask(s, COMMIT, "")) > 0) {
        return 1;
    }
    if (sqlite3_get_autocommit(s->db) == 0) { /* some errors have rolled it back already */
        char why[STORE_WHY_SIZE];
        memcpy(why, s->why, sizeof why);
        (void)run(s, ask(s, ROLLBACK, ""));
        memcpy(s->why, why, sizeof why);
    }
    return -1;
}

/* --- the worker -------------------------------------------------------------------------------------- */

static void *work(void *user)
{
    struct store *s = user;
    (void)pthread_mutex_lock(&s->mutex);
    while (!s->is_ending) {
        struct timespec until;
        (void)clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += CHECKPOINT;
        (void)pthread_cond_timedwait(&s->wake, &s->mutex, &until);
        (void)pthread_mutex_unlock(&s->mutex);
        /* On failure (a full disk) the log grows until one works. */
        (void)sqlite3_wal_checkpoint_v2(s->worker_db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
        (void)pthread_mutex_lock(&s->mutex);
    }
    (void)pthread_mutex_unlock(&s->mutex);
    return NULL;
}

static bool start_worker(struct store *s, const char *path)
{
    return sqlite3_open_v2(path, &s->worker_db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
                           NULL) == SQLITE_OK &&
           sqlite3_exec(s->worker_db, "PRAGMA synchronous=NORMAL", NULL, NULL, NULL) == SQLITE_OK &&
           pthread_create(&s->worker, NULL, work, s) == 0;
}

static void stop_worker(struct store *s)
{
    if (s->has_worker) {
        (void)pthread_mutex_lock(&s->mutex);
        s->is_ending = true;
        (void)pthread_cond_signal(&s->wake);
        (void)pthread_mutex_unlock(&s->mutex);
        (void)pthread_join(s->worker, NULL);
    }
    (void)sqlite3_close(s->worker_db);
}

/* --- birth and death --------------------------------------------------------------------------------- */

static int64_t number(struct store *s, const char *text)
{
    sqlite3_stmt *statement = NULL;
    int64_t value = -1;
    if (sqlite3_prepare_v2(s->db, text, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW) {
        value = sqlite3_column_int64(statement, 0);
    }
    (void)sqlite3_finalize(statement);
    return value;
}

static bool is_sound(struct store *s, const char *path)
{
    struct stat st;
    sqlite3_stmt *statement = NULL;
    if (stat(path, &st) == 0 && st.st_size > CHECKED_BYTES) {
        return true;
    }
    bool is_ok =
        sqlite3_prepare_v2(s->db, "PRAGMA quick_check(1)", -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW &&
        strcmp((const char *)sqlite3_column_text(statement, 0), "ok") == 0;
    (void)sqlite3_finalize(statement);
    return is_ok;
}

static const char damaged[] =
    "the file is damaged; put back a copy of it, or move it away to begin "
    "anew (names and bans are lost then), or use --no-history";

static const char *prepare(struct store *s, const char *path)
{
    char text[sizeof schema + 100];
    int64_t application = number(s, "PRAGMA application_id");
    int64_t version = number(s, "PRAGMA user_version");
    int64_t tables = number(s, "SELECT count(*) FROM sqlite_schema");
    if (application < 0 || version < 0 || tables < 0) {
        return damaged;
    }
    if (tables > 0 && application != APPLICATION) {
        return "another program's database; name another file";
    }
    if (version > SCHEMA) {
        return "a later version of ternchat wrote it; use that one, or another file";
    }
    if (tables > 0 && !is_sound(s, path)) {
        return damaged;
    }
    (void)snprintf(text, sizeof text,
                   "PRAGMA application_id=%d; BEGIN; %s PRAGMA user_version=%d; COMMIT",
                   APPLICATION, schema, SCHEMA);
    if (tables == 0 && sqlite3_exec(s->db, text, NULL, NULL, NULL) != SQLITE_OK) {
        return sqlite3_errmsg(s->db);
    }
    return NULL;
}

static const char *open_file(struct store *s, const char *path)
{
    char lock[4200];
    if (snprintf(lock, sizeof lock, "%s.lock", path) >= (int)sizeof lock) {
        return "the name is too long";
    }
    s->lock = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->lock < 0) {
        return strerror(errno);
    }
    if (flock(s->lock, LOCK_EX | LOCK_NB) != 0) {
        return "another server uses it; name another file with --history, or use --no-history";
    }
    mode_t mask = umask(077); /* what people said is nobody else's to read */
    int rc = sqlite3_open_v2(
        path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_exec(s->db,
                          "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
                          "PRAGMA wal_autocheckpoint=0; PRAGMA cache_size=-16384",
                          NULL, NULL, NULL);
    }
    const char *why = rc == SQLITE_NOTADB || rc == SQLITE_CORRUPT ? damaged
                      : rc != SQLITE_OK                           ? sqlite3_errmsg(s->db)
                                                                  : prepare(s, path);
    if (why == NULL) {
        s->newest = number(s, "SELECT ifnull(max(id), 0) FROM events");
        s->indexed = number(s, "SELECT ifnull(max(rowid), 0) FROM words");
    }
    if (why == NULL && !(s->has_worker = start_worker(s, path))) {
        why = "no thread for it";
    }
    (void)umask(mask);
    return why;
}

static int count_steps(void *user)
{
    struct store *s = user;
    return ++s->steps > SEARCH_STEPS;
}

struct store *store_open(const char *path, const struct store_limits *limits,
                         char why[STORE_WHY_SIZE])
{
    struct store *s = calloc(1, sizeof *s);
    if (s == NULL) {
        (void)snprintf(why, STORE_WHY_SIZE, "out of memory");
        return NULL;
    }
    s->limits = *limits;
    s->lock = -1;
    (void)pthread_mutex_init(&s->mutex, NULL);
    (void)pthread_cond_init(&s->wake, NULL);
    const char *problem = open_file(s, path);
    if (problem != NULL) {
        (void)snprintf(why, STORE_WHY_SIZE, "%s", problem);
        store_close(s);
        return NULL;
    }
    return s;
}

void store_close(struct store *s)
{
    if (s == NULL) {
        return;
    }
    stop_worker(s);
    for (size_t i = 0; i < STATEMENTS; i++) {
        (void)sqlite3_finalize(s->statements[i]);
    }
    (void)sqlite3_close(s->db); /* the last connection moves the rest of the log into the file */
    if (s->lock >= 0) {
        (void)close(s->lock);
    }
    (void)pthread_cond_destroy(&s->wake);
    (void)pthread_mutex_destroy(&s->mutex);
    free(s);
}

/* --- rooms ------------------------------------------------------------------------------------------- */

int store_room_find(struct store *s, const char *name, struct store_room *out)
{
    sqlite3_stmt *statement = ask(s, ROOM_FIND, "t", name);
    int rc = statement == NULL ? SQLITE_ERROR : sqlite3_step(statement), found = 0;
    if (rc == SQLITE_ROW && sqlite3_column_type(statement, 0) != SQLITE_NULL) {
        found = 1;
        out->id = sqlite3_column_int64(statement, 0);
        out->flags = (uint8_t)sqlite3_column_int(statement, 1);
        if (!take_blob(statement, 2, out->creator, sizeof out->creator)) {
            memset(out->creator, 0, sizeof out->creator);
        }
        const unsigned char *topic = sqlite3_column_text(statement, 3);
        (void)snprintf(out->topic, sizeof out->topic, "%s",
                       topic == NULL ? "" : (const char *)topic);
        out->next = (uint64_t)sqlite3_column_int64(statement, 4) + 1;
    }
    return finish(s, statement, rc) < 0 ? -1 : found;
}

int store_room_make(struct store *s, const char *name, struct store_room *out)
{
    int rc = run(s, ask(s, ROOM_MAKE, "tiik", name, (int64_t)out->flags, (int64_t)out->next - 1,
                        out->creator));
    out->id = sqlite3_last_insert_rowid(s->db);
    return rc;
}

/* --- events ------------------------------------------------------------------------------------------ */

static bool add_event(struct store *s, int64_t room, const struct chat_packet *p,
                      const struct log_event *event)
{
    char topic[CHAT_TEXT_MAX + 1];
    if (run(s, ask(s, EVENT_ADD, "iiib", room, (int64_t)event->seq, (int64_t)p->time, event->packet,
                   event->len)) < 0) {
        return false;
    }
    s->newest = sqlite3_last_insert_rowid(s->db);
    if (p->kind == CHAT_KIND_TOPIC) {
        (void)snprintf(topic, sizeof topic, "%.*s", (int)p->body.len,
                       p->body.len == 0 ? "" : (const char *)p->body.data);
        if (run(s, ask(s, ROOM_TOPIC, "ti", topic, room)) < 0) {
            return false;
        }
    }
    return p->id == 0 || run(s, ask(s, SAID_SET, "ikii", room, p->key, (int64_t)(p->id >> 32),
                                    (int64_t)(uint32_t)p->id)) > 0;
}

int store_append(struct store *s, int64_t room, const struct chat_packet *p,
                 const struct log_event *event)
{
    return begin(s) < 0 ? -1 : end(s, add_event(s, room, p, event));
}

/* --- words ------------------------------------------------------------------------------------------- */

/* A word that is in every event of the room, so that a search looks at no other room's. */
static const char *place_word(int64_t room, char out[32])
{
    (void)snprintf(out, 32, "room%lld", (long long)room);
    return out;
}

static bool add_words(struct store *s, int64_t event, int64_t room, const void *packet, size_t len)
{
    char place[32], text[CHAT_BODY_MAX + 1];
    struct chat_packet p;
    if (packet == NULL || !chat_decode(&p, packet, len) ||
        (p.kind != CHAT_KIND_TEXT && p.kind != CHAT_KIND_ACTION) || p.body.len == 0) {
        return true;
    }
    memcpy(text, p.body.data, p.body.len);
    text[p.body.len] = '\0'; /* a zero in it ends what is searched for, no more */
    return run(s, ask(s, WORDS_ADD, "itt", event, place_word(room, place), text)) > 0;
}

/* Many in one transaction, since each costs FTS5 a segment of its own. */
static int index_some(struct store *s)
{
    int64_t last = s->indexed;
    if (last >= s->newest) {
        return 1;
    }
    if (begin(s) < 0) {
        return -1;
    }
    sqlite3_stmt *statement = ask(s, UNINDEXED, "ii", last, (int64_t)INDEX_EVENTS);
    int rc = statement == NULL ? SQLITE_ERROR : sqlite3_step(statement);
    bool is_whole = true;
    for (; is_whole && rc == SQLITE_ROW; rc = sqlite3_step(statement)) {
        last = sqlite3_column_int64(statement, 0);
        is_whole = sqlite3_column_int(statement, 3) == 0 ||
                   add_words(s, last, sqlite3_column_int64(statement, 1),
                             sqlite3_column_blob(statement, 2),
                             (size_t)sqlite3_column_bytes(statement, 2));
    }
    is_whole = finish(s, statement, is_whole ? rc : SQLITE_ROW) > 0 && is_whole;
    if (end(s, is_whole) < 0) {
        return -1;
    }
    s->newest = last > s->indexed ? s->newest : last; /* nothing more: what was newest failed */
    s->indexed = last;
    return 1;
}

static int each_row(struct store *s, sqlite3_stmt *statement, store_each *each, void *user)
{
    int rc = statement == NULL ? SQLITE_ERROR : sqlite3_step(statement);
    while (rc == SQLITE_ROW) {
        const uint8_t *packet = sqlite3_column_blob(statement, 1);
        size_t len = (size_t)sqlite3_column_bytes(statement, 1);
        if (packet != NULL &&
            !each(user, (uint64_t)sqlite3_column_int64(statement, 0), packet, len)) {
            break;
        }
        rc = sqlite3_step(statement);
    }
    return finish(s, statement, rc);
}

int store_replay(struct store *s, int64_t room, uint64_t from, uint64_t before, store_each *each,
                 void *user)
{
    return each_row(s, ask(s, REPLAY, "iii", room, (int64_t)from, (int64_t)before), each, user);
}

int store_before(struct store *s, int64_t room, uint64_t seq, store_each *each, void *user)
{
    int64_t before = seq > INT64_MAX ? INT64_MAX : (int64_t)seq;
    return each_row(s, ask(s, BEFORE, "iii", room, before, (int64_t)STORE_FOUND), each, user);
}

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

/* The query of FTS5: each word between quotes means itself, the last one also as a beginning. False: there
 * are no words, or too many. */
static bool make_query(int64_t room, struct chat_slice text, char *out, size_t size)
{
    char place[32];
    size_t used = (size_t)snprintf(out, size, "place:%s", place_word(room, place));
    size_t first = used;
    for (size_t i = 0, len; i < text.len; i += len) {
        for (len = 0; i + len < text.len && text.data[i + len] > ' '; len++) {
        }
        if (len == 0 || !has_letters(text.data + i, len)) {
            len += len == 0 ? 1 : 0;
            continue;
        }
        if (used + 2 * len + 12 > size) {
            return false;
        }
        used += (size_t)snprintf(out + used, size - used, " body:\"");
        for (size_t k = 0; k < len; k++) {
            if (text.data[i + k] == '"') {
                out[used++] = '"';
            }
            out[used++] = (char)text.data[i + k];
        }
        out[used++] = '"';
    }
    out[used++] = '*';
    out[used] = '\0';
    return used > first + 1;
}

int store_search(struct store *s, int64_t room, struct chat_slice text, store_each *each,
                 void *user)
{
    char query[8 * CHAT_TEXT_MAX]; /* words of one letter take the most */
    if (!make_query(room, text, query, sizeof query)) {
        return 1;
    }
    for (int i = 0; s->indexed < s->newest && i < INDEX_ROUNDS; i++) {
        if (index_some(s) < 0) { /* a full disk: what was indexed before can be found */
            break;
        }
    }
    s->steps = 0;
    sqlite3_progress_handler(s->db, 1000, count_steps, s);
    int rc = each_row(s, ask(s, SEARCH, "tii", query, room, (int64_t)STORE_FOUND), each, user);
    sqlite3_progress_handler(s->db, 0, NULL, NULL);
    return s->steps > SEARCH_STEPS ? 1 : rc; /* what was found so far is an answer, too */
}

int store_said(struct store *s, int64_t room, const uint8_t key[TERN_KEY_SIZE], uint32_t instance,
               uint32_t *last)
{
    sqlite3_stmt *statement = ask(s, SAID, "iki", room, key, (int64_t)instance);
    int rc = statement == NULL ? SQLITE_ERROR : sqlite3_step(statement);
    *last = rc == SQLITE_ROW ? (uint32_t)sqlite3_column_int64(statement, 0) : 0;
    return finish(s, statement, rc);
}

/* --- people ------------------------------------------------------------------------------------------ */

int store_nick_owner(struct store *s, const char *skeleton, uint64_t now,
                     uint8_t key[TERN_KEY_SIZE], bool *is_fresh)
{
    uint64_t since = now > STORE_NICK_AGE ? now - STORE_NICK_AGE : 0;
    sqlite3_stmt *statement = ask(s, NICK_OWNER, "ti", skeleton, (int64_t)since);
    int rc = statement == NULL ? SQLITE_ERROR : sqlite3_step(statement);
    int found = rc == SQLITE_ROW && take_blob(statement, 0, key, TERN_KEY_SIZE);
    *is_fresh = found == 1 && (uint64_t)sqlite3_column_int64(statement, 1) + DAY > now;
    return finish(s, statement, rc) < 0 ? -1 : found;
}

int store_nick_claim(struct store *s, const char *skeleton, const char *nick,
                     const uint8_t key[TERN_KEY_SIZE], uint64_t now)
{
    return begin(s) < 0
               ? -1
               : end(s, run(s, ask(s, NICK_CLAIM, "ttki", skeleton, nick, key, (int64_t)now)) > 0 &&
                            run(s, ask(s, NICK_TRIM, "ki", key, (int64_t)STORE_NICKS)) > 0);
}

int store_nick_of(struct store *s, const uint8_t key[TERN_KEY_SIZE], char nick[CHAT_NAME_MAX + 1])
{
    sqlite3_stmt *statement = ask(s, NICK_OF, "k", key);
    int rc = statement == NULL ? SQLITE_ERROR : sqlite3_step(statement), found = 0;
    if (rc == SQLITE_ROW && sqlite3_column_text(statement, 0) != NULL) {
        found = 1;
        (void)snprintf(nick, CHAT_NAME_MAX + 1, "%s",
                       (const char *)sqlite3_column_text(statement, 0));
    }
    return finish(s, statement, rc) < 0 ? -1 : found;
}

int store_ban(struct store *s, int64_t room, const uint8_t key[TERN_KEY_SIZE], bool is_banned)
{
    return run(s, ask(s, is_banned ? BAN : UNBAN, "ik", room, key));
}

int store_is_banned(struct store *s, int64_t room, const uint8_t key[TERN_KEY_SIZE])
{
    sqlite3_stmt *statement = ask(s, IS_BANNED, "ik", room, key);
    int rc = statement == NULL ? SQLITE_ERROR : sqlite3_step(statement);
    return finish(s, statement, rc) < 0 ? -1 : rc == SQLITE_ROW;
}

int store_pair(struct store *s, int64_t room, const uint8_t one[TERN_KEY_SIZE],
               const uint8_t other[TERN_KEY_SIZE])
{
    return run(s, ask(s, PAIR, "kik", one, room, other));
}

int store_pair_read(struct store *s, int64_t room, const uint8_t key[TERN_KEY_SIZE], uint64_t seq)
{
    return run(s, ask(s, PAIR_READ, "iki", (int64_t)seq, key, room));
}

int store_pairs_unread(struct store *s, const uint8_t key[TERN_KEY_SIZE], store_pair_each *each,
                       void *user)
{
    sqlite3_stmt *statement = ask(s, PAIRS_UNREAD, "k", key);
    int rc = statement == NULL ? SQLITE_ERROR : sqlite3_step(statement);
    while (rc == SQLITE_ROW) {
        uint8_t other[TERN_KEY_SIZE];
        if (take_blob(statement, 0, other, sizeof other)) {
            each(user, other, (uint64_t)sqlite3_column_int64(statement, 1));
        }
        rc = sqlite3_step(statement);
    }
    return finish(s, statement, rc);
}

/* --- limits ------------------------------------------------------------------------------------------ */

uint64_t store_bytes(struct store *s)
{
    sqlite3_stmt *statement = ask(s, PAGES, "");
    int rc = statement == NULL ? SQLITE_ERROR : sqlite3_step(statement);
    int64_t bytes = rc == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    (void)finish(s, statement, rc);
    return (uint64_t)bytes;
}

/* Before which time is all too old? 0: nothing is. */
static int64_t too_old(struct store *s, uint64_t now)
{
    if (s->limits.bytes > 0 && store_bytes(s) > s->limits.bytes) {
        return INT64_MAX;
    }
    sqlite3_stmt *statement = s->limits.age == 0 ? NULL : ask(s, OLDEST, "");
    int rc = statement == NULL ? SQLITE_DONE : sqlite3_step(statement);
    bool is_old =
        rc == SQLITE_ROW && (uint64_t)sqlite3_column_int64(statement, 0) + s->limits.age < now;
    (void)finish(s, statement, rc);
    return is_old ? (int64_t)(now - s->limits.age) : 0;
}

/* Numbers of rooms stay where they are: `floor` remembers what was forgotten. */
static bool drop_oldest(struct store *s, int64_t before)
{
    sqlite3_stmt *statement = ask(s, SPAN, "ii", (int64_t)TIDY_EVENTS, before);
    int rc = statement == NULL ? SQLITE_ERROR : sqlite3_step(statement);
    int64_t last = rc == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    s->indexed = s->indexed > last ? s->indexed : last;
    return finish(s, statement, rc) > 0 && run(s, ask(s, FLOORS, "i", last)) > 0 &&
           run(s, ask(s, WORDS_DROP, "i", last)) > 0 && run(s, ask(s, EVENTS_DROP, "i", last)) > 0;
}

int store_tidy(struct store *s, uint64_t now)
{
    if (index_some(s) < 0) {
        return -1;
    }
    int64_t before = too_old(s, now);
    if (before == 0) {
        return 0;
    }
    return begin(s) < 0 ? -1 : end(s, drop_oldest(s, before));
}
