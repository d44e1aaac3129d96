/* The file: tables, and statements over them.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "ternchat/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ternchat/db.h"

#define APPLICATION  0x7465726e /* "tern", so that no other program's file is taken for ours */
#define SCHEMA       1
#define DAY          ((uint64_t)24 * 3600 * 1000) /* ms */
#define TIDY_EVENTS  200                          /* forgotten at once */
#define INDEX_EVENTS 200                          /* whose words are added at once */
#define INDEX_ROUNDS 50                           /* of that before a search */
#define PREFIX       3    /* bytes of a word that is searched for as a beginning */
#define SEARCH_STEPS 2000 /* thousands of SQLite's, that one question may cost */

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
    SAID_TRIM,
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
    [SAID_TRIM] = "DELETE FROM said WHERE room = ?1 AND key = ?2 AND "
                  "(SELECT count(*) FROM said WHERE room = ?1 AND key = ?2) >= ?3",
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
    struct db db;
    struct store_limits limits;
    int64_t newest, indexed; /* events: the last, and the last whose words can be searched */
    unsigned steps;          /* that the question under way has cost */
};

bool store_is_built_in(void)
{
    return true;
}

const char *store_why(const struct store *s)
{
    return s->db.why;
}

/* --- birth and death --------------------------------------------------------------------------------- */

static int count_steps(void *user)
{
    struct store *s = user;
    return ++s->steps > SEARCH_STEPS;
}

static const char *problem_of(struct store *s, const char *path)
{
    static const struct db_layout layout = {schema, APPLICATION, SCHEMA};
    switch (db_open(&s->db, path, &layout)) {
    case DB_OPEN:
        return NULL;
    case DB_DAMAGED:
        return "the file is damaged; put back a copy of it, or move it away to begin anew (names "
               "and "
               "bans are lost then), or use --no-history";
    case DB_USED:
        return "another server uses it; name another file with --history, or use --no-history";
    case DB_FOREIGN:
    case DB_FAILED:
        break;
    }
    return s->db.why;
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
    db_init(&s->db, texts, STATEMENTS, BEGIN, COMMIT, ROLLBACK);
    const char *problem = problem_of(s, path);
    if (problem != NULL) {
        (void)snprintf(why, STORE_WHY_SIZE, "%s", problem);
        store_close(s);
        return NULL;
    }
    s->newest = db_number(&s->db, "SELECT ifnull(max(id), 0) FROM events");
    s->indexed = db_number(&s->db, "SELECT ifnull(max(rowid), 0) FROM words");
    return s;
}

void store_close(struct store *s)
{
    if (s != NULL) {
        db_close(&s->db);
        free(s);
    }
}

/* --- rooms ------------------------------------------------------------------------------------------- */

int store_room_find(struct store *s, const char *name, struct store_room *out)
{
    sqlite3_stmt *statement = db_ask(&s->db, ROOM_FIND, "t", name);
    int rc = statement == NULL ? SQLITE_ERROR : sqlite3_step(statement), found = 0;
    if (rc == SQLITE_ROW && sqlite3_column_type(statement, 0) != SQLITE_NULL) {
        found = 1;
        out->id = sqlite3_column_int64(statement, 0);
        out->flags = (uint8_t)sqlite3_column_int(statement, 1);
        if (!db_take_blob(statement, 2, out->creator, sizeof out->creator)) {
            memset(out->creator, 0, sizeof out->creator);
        }
        const unsigned char *topic = sqlite3_column_text(statement, 3);
        (void)snprintf(out->topic, sizeof out->topic, "%s",
                       topic == NULL ? "" : (const char *)topic);
        out->next = (uint64_t)sqlite3_column_int64(statement, 4) + 1;
    }
    return db_finish(&s->db, statement, rc) < 0 ? -1 : found;
}

int store_room_make(struct store *s, const char *name, struct store_room *out)
{
    int rc = db_run(&s->db, db_ask(&s->db, ROOM_MAKE, "tiik", name, (int64_t)out->flags,
                                   (int64_t)out->next - 1, out->creator));
    out->id = sqlite3_last_insert_rowid(s->db.handle);
    return rc;
}

/* --- events ------------------------------------------------------------------------------------------ */

static bool add_event(struct store *s, int64_t room, const struct chat_packet *p,
                      const struct log_event *event)
{
    char topic[CHAT_TEXT_MAX + 1];
    if (db_run(&s->db, db_ask(&s->db, EVENT_ADD, "iiib", room, (int64_t)event->seq,
                              (int64_t)p->time, event->packet, event->len)) < 0) {
        return false;
    }
    s->newest = sqlite3_last_insert_rowid(s->db.handle);
    if (p->kind == CHAT_KIND_TOPIC) {
        (void)snprintf(topic, sizeof topic, "%.*s", (int)p->body.len,
                       p->body.len == 0 ? "" : (const char *)p->body.data);
        if (db_run(&s->db, db_ask(&s->db, ROOM_TOPIC, "ti", topic, room)) < 0) {
            return false;
        }
    }
    return p->id == 0 ||
           db_run(&s->db, db_ask(&s->db, SAID_SET, "ikii", room, p->key, (int64_t)(p->id >> 32),
                                 (int64_t)(uint32_t)p->id)) > 0;
}

int store_append(struct store *s, int64_t room, const struct chat_packet *p,
                 const struct log_event *event)
{
    return db_begin(&s->db) < 0 ? -1 : db_end(&s->db, add_event(s, room, p, event));
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
    return db_run(&s->db, db_ask(&s->db, WORDS_ADD, "itt", event, place_word(room, place), text)) >
           0;
}

/* Many in one transaction, since each costs FTS5 a segment of its own. */
static int index_some(struct store *s)
{
    int64_t last = s->indexed;
    if (last >= s->newest) {
        return 1;
    }
    if (db_begin(&s->db) < 0) {
        return -1;
    }
    sqlite3_stmt *statement = db_ask(&s->db, UNINDEXED, "ii", last, (int64_t)INDEX_EVENTS);
    int rc = statement == NULL ? SQLITE_ERROR : sqlite3_step(statement);
    bool is_whole = true;
    for (; is_whole && rc == SQLITE_ROW; rc = sqlite3_step(statement)) {
        last = sqlite3_column_int64(statement, 0);
        is_whole = sqlite3_column_int(statement, 3) == 0 ||
                   add_words(s, last, sqlite3_column_int64(statement, 1),
                             sqlite3_column_blob(statement, 2),
                             (size_t)sqlite3_column_bytes(statement, 2));
    }
    is_whole = db_finish(&s->db, statement, is_whole ? rc : SQLITE_ROW) > 0 && is_whole;
    if (db_end(&s->db, is_whole) < 0) {
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
    return db_finish(&s->db, statement, rc);
}

int store_replay(struct store *s, int64_t room, uint64_t from, uint64_t before, store_each *each,
                 void *user)
{
    return each_row(s, db_ask(&s->db, REPLAY, "iii", room, (int64_t)from, (int64_t)before), each,
                    user);
}

int store_before(struct store *s, int64_t room, uint64_t seq, store_each *each, void *user)
{
    int64_t before = seq > INT64_MAX ? INT64_MAX : (int64_t)seq;
    return each_row(s, db_ask(&s->db, BEFORE, "iii", room, before, (int64_t)STORE_FOUND), each,
                    user);
}

/* False: there are no words, or too many. */
static bool make_query(int64_t room, struct chat_slice text, char *out, size_t size)
{
    char place[32];
    int used = snprintf(out, size, "place:%s", place_word(room, place));
    return db_words("body", PREFIX, text.data, text.len, out + used, size - (size_t)used);
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
    sqlite3_progress_handler(s->db.handle, 1000, count_steps, s);
    int rc =
        each_row(s, db_ask(&s->db, SEARCH, "tii", query, room, (int64_t)STORE_FOUND), each, user);
    sqlite3_progress_handler(s->db.handle, 0, NULL, NULL);
    return s->steps > SEARCH_STEPS ? 1 : rc; /* what was found so far is an answer, too */
}

int store_said(struct store *s, int64_t room, const uint8_t key[TERN_KEY_SIZE], uint32_t instance,
               uint32_t *last)
{
    sqlite3_stmt *statement = db_ask(&s->db, SAID, "iki", room, key, (int64_t)instance);
    int rc = statement == NULL ? SQLITE_ERROR : sqlite3_step(statement);
    bool is_new = rc == SQLITE_DONE;
    *last = rc == SQLITE_ROW ? (uint32_t)sqlite3_column_int64(statement, 0) : 0;
    if (db_finish(&s->db, statement, rc) < 0) {
        return -1;
    }
    /* Or somebody could fill the file with programs, which are no events and so never get old. */
    return is_new ? db_run(&s->db,
                           db_ask(&s->db, SAID_TRIM, "iki", room, key, (int64_t)STORE_PROGRAMS))
                  : 1;
}

/* --- people ------------------------------------------------------------------------------------------ */

int store_nick_owner(struct store *s, const char *skeleton, uint64_t now,
                     uint8_t key[TERN_KEY_SIZE], bool *is_fresh)
{
    uint64_t since = now > STORE_NICK_AGE ? now - STORE_NICK_AGE : 0;
    sqlite3_stmt *statement = db_ask(&s->db, NICK_OWNER, "ti", skeleton, (int64_t)since);
    int rc = statement == NULL ? SQLITE_ERROR : sqlite3_step(statement);
    int found = rc == SQLITE_ROW && db_take_blob(statement, 0, key, TERN_KEY_SIZE);
    *is_fresh = found == 1 && (uint64_t)sqlite3_column_int64(statement, 1) + DAY > now;
    return db_finish(&s->db, statement, rc) < 0 ? -1 : found;
}

int store_nick_claim(struct store *s, const char *skeleton, const char *nick,
                     const uint8_t key[TERN_KEY_SIZE], uint64_t now)
{
    return db_begin(&s->db) < 0
               ? -1
               : db_end(&s->db, db_run(&s->db, db_ask(&s->db, NICK_CLAIM, "ttki", skeleton, nick,
                                                      key, (int64_t)now)) > 0 &&
                                    db_run(&s->db, db_ask(&s->db, NICK_TRIM, "ki", key,
                                                          (int64_t)STORE_NICKS)) > 0);
}

int store_nick_of(struct store *s, const uint8_t key[TERN_KEY_SIZE], char nick[CHAT_NAME_MAX + 1])
{
    sqlite3_stmt *statement = db_ask(&s->db, NICK_OF, "k", key);
    int rc = statement == NULL ? SQLITE_ERROR : sqlite3_step(statement), found = 0;
    if (rc == SQLITE_ROW && sqlite3_column_text(statement, 0) != NULL) {
        found = 1;
        (void)snprintf(nick, CHAT_NAME_MAX + 1, "%s",
                       (const char *)sqlite3_column_text(statement, 0));
    }
    return db_finish(&s->db, statement, rc) < 0 ? -1 : found;
}

int store_ban(struct store *s, int64_t room, const uint8_t key[TERN_KEY_SIZE], bool is_banned)
{
    return db_run(&s->db, db_ask(&s->db, is_banned ? BAN : UNBAN, "ik", room, key));
}

int store_is_banned(struct store *s, int64_t room, const uint8_t key[TERN_KEY_SIZE])
{
    sqlite3_stmt *statement = db_ask(&s->db, IS_BANNED, "ik", room, key);
    int rc = statement == NULL ? SQLITE_ERROR : sqlite3_step(statement);
    return db_finish(&s->db, statement, rc) < 0 ? -1 : rc == SQLITE_ROW;
}

int store_pair(struct store *s, int64_t room, const uint8_t one[TERN_KEY_SIZE],
               const uint8_t other[TERN_KEY_SIZE])
{
    return db_run(&s->db, db_ask(&s->db, PAIR, "kik", one, room, other));
}

int store_pair_read(struct store *s, int64_t room, const uint8_t key[TERN_KEY_SIZE], uint64_t seq)
{
    return db_run(&s->db, db_ask(&s->db, PAIR_READ, "iki", (int64_t)seq, key, room));
}

int store_pairs_unread(struct store *s, const uint8_t key[TERN_KEY_SIZE], store_pair_each *each,
                       void *user)
{
    sqlite3_stmt *statement = db_ask(&s->db, PAIRS_UNREAD, "k", key);
    int rc = statement == NULL ? SQLITE_ERROR : sqlite3_step(statement);
    while (rc == SQLITE_ROW) {
        uint8_t other[TERN_KEY_SIZE];
        if (db_take_blob(statement, 0, other, sizeof other)) {
            each(user, other, (uint64_t)sqlite3_column_int64(statement, 1));
        }
        rc = sqlite3_step(statement);
    }
    return db_finish(&s->db, statement, rc);
}

/* --- limits ------------------------------------------------------------------------------------------ */

uint64_t store_bytes(struct store *s)
{
    sqlite3_stmt *statement = db_ask(&s->db, PAGES, "");
    int rc = statement == NULL ? SQLITE_ERROR : sqlite3_step(statement);
    int64_t bytes = rc == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    (void)db_finish(&s->db, statement, rc);
    return (uint64_t)bytes;
}

/* Before which time is all too old? 0: nothing is. */
static int64_t too_old(struct store *s, uint64_t now)
{
    if (s->limits.bytes > 0 && store_bytes(s) > s->limits.bytes) {
        return INT64_MAX;
    }
    sqlite3_stmt *statement = s->limits.age == 0 ? NULL : db_ask(&s->db, OLDEST, "");
    int rc = statement == NULL ? SQLITE_DONE : sqlite3_step(statement);
    bool is_old =
        rc == SQLITE_ROW && (uint64_t)sqlite3_column_int64(statement, 0) + s->limits.age < now;
    (void)db_finish(&s->db, statement, rc);
    return is_old ? (int64_t)(now - s->limits.age) : 0;
}

/* Numbers of rooms stay where they are: `floor` remembers what was forgotten. */
static bool drop_oldest(struct store *s, int64_t before)
{
    sqlite3_stmt *statement = db_ask(&s->db, SPAN, "ii", (int64_t)TIDY_EVENTS, before);
    int rc = statement == NULL ? SQLITE_ERROR : sqlite3_step(statement);
    int64_t last = rc == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    s->indexed = s->indexed > last ? s->indexed : last;
    return db_finish(&s->db, statement, rc) > 0 &&
           db_run(&s->db, db_ask(&s->db, FLOORS, "i", last)) > 0 &&
           db_run(&s->db, db_ask(&s->db, WORDS_DROP, "i", last)) > 0 &&
           db_run(&s->db, db_ask(&s->db, EVENTS_DROP, "i", last)) > 0;
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
    return db_begin(&s->db) < 0 ? -1 : db_end(&s->db, drop_oldest(s, before));
}
