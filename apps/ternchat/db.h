/* A file of SQLite in WAL mode, with prepared statements, and a thread that moves the log into the database:
 * what a call writes is in the file when it returns, and on the platter some seconds later. So the caller
 * waits for writes into the page cache, never for a disk.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCHAT_DB_H
#define TERNCHAT_DB_H

#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DB_WHY_SIZE 256

struct db {
    sqlite3 *handle;
    sqlite3_stmt **statements;
    const char *const *texts;              /* of the statements */
    size_t count, begin, commit, rollback; /* how many; the places of those three */
    int lock;
    char why[DB_WHY_SIZE]; /* the last failure */
    /* The worker, on a connection of its own. */
    sqlite3 *worker_db;
    pthread_t worker;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool has_worker, is_ending;
};

enum db_opened {
    DB_OPEN,
    DB_DAMAGED,
    DB_USED,    /* by another program of ours */
    DB_FOREIGN, /* another program's, or a later version's: why says so */
    DB_FAILED   /* why says so */
};

struct db_layout {
    const char *schema; /* what makes the tables of an empty file */
    int application, version;
};

/* begin, commit and rollback are places in `texts`. db_close is due in any case. */
void db_init(struct db *db, const char *const *texts, size_t count, size_t begin, size_t commit,
             size_t rollback);
/* With the file `path`.lock, which says that it is in use. */
enum db_opened db_open(struct db *db, const char *path, const struct db_layout *layout);
void db_close(struct db *db);

/* A statement with its values: i int64_t, t text, b bytes and their length, k a key. NULL: it failed. */
sqlite3_stmt *db_ask(struct db *db, unsigned which, const char *types, ...);
/* Ends it: 1, or -1 after a step that was neither a row nor the end. */
int db_finish(struct db *db, sqlite3_stmt *statement, int rc);
int db_run(struct db *db, sqlite3_stmt *statement);
int db_begin(struct db *db);
int db_end(struct db *db, bool is_whole); /* is_whole: everything since db_begin has worked */

/* A row's bytes, of exactly that many. */
bool db_take_blob(sqlite3_stmt *statement, int column, void *out, size_t len);
/* The only number that it answers; -1: it fails. */
int64_t db_number(struct db *db, const char *text);
/* A query of FTS5 for column `column`: each word between quotes means itself, the last one also as a
 * beginning if it has `least` bytes: to gather all words that begin with one letter takes long. False: there are
 * no words, or too many for `size`. */
bool db_words(const char *column, size_t least, const uint8_t *text, size_t len, char *out,
              size_t size);

#endif
