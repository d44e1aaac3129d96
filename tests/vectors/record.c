/* A JSON reader for one shape: an array of flat objects, with arrays of strings and of messages.
 * SPDX-License-Identifier: MIT */
#include "record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX  (64L << 20)
#define DEPTH_MAX 16

/* --- JSON ---------------------------------------------------------------------------------------- */

static bool fail(struct record_file *file, const char *why)
{
    if (file->error == NULL) {
        file->error = why;
    }
    return false;
}

static char peek(struct record_file *file)
{
    file->at += strspn(file->at, " \t\r\n");
    return *file->at;
}

static bool take(struct record_file *file, char wanted)
{
    if (peek(file) != wanted) {
        return false;
    }
    file->at++;
    return true;
}

static bool expect(struct record_file *file, char wanted)
{
    return take(file, wanted) || fail(file, "a bracket, colon or comma is missing");
}

/* The inside of a string, as it stands. No field that we use has escapes, so they stay. */
static bool read_string(struct record_file *file, const char **text, size_t *len)
{
    if (!take(file, '"')) {
        return fail(file, "a string was expected");
    }
    *text = file->at;
    while (*file->at != '"') {
        file->at += *file->at == '\\' && file->at[1] != '\0' ? 2 : 1;
        if (file->at[-1] == '\0' || *file->at == '\0') {
            return fail(file, "a string does not end");
        }
    }
    *len = (size_t)(file->at - *text);
    file->at++;
    return true;
}

/* Passes over a value of any kind. */
static bool skip_value(struct record_file *file)
{
    const char *text = NULL;
    size_t len = 0, depth = 0;
    do {
        char c = peek(file);
        if (c == '"') {
            if (!read_string(file, &text, &len)) {
                return false;
            }
        } else if (c == '{' || c == '[') {
            depth++;
            file->at++;
        } else if (c == '}' || c == ']') {
            if (depth == 0) {
                return fail(file, "a value is missing");
            }
            depth--;
            file->at++;
        } else if (c == '\0' || depth > DEPTH_MAX) {
            return fail(file, "the text ends in a value, or is nested too deep");
        } else {
            size_t word = strcspn(file->at, " \t\r\n,:{}[]\"");
            file->at += word == 0 ? 1 : word;
        }
    } while (depth > 0);
    return true;
}

/* --- fields -------------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *at = c == '\0' ? NULL : strchr(digits, c);
    return at == NULL ? -1 : (int)((at - digits) % 16);
}

static bool read_blob(struct record_file *file, struct blob *blob)
{
    const char *text = NULL;
    size_t len = 0;
    if (!read_string(file, &text, &len)) {
        return false;
    }
    if (len % 2 != 0 || blob->data != NULL) {
        return fail(file, "an odd number of hexadecimal digits, or a field that comes twice");
    }
    blob->data = malloc(len / 2 + 1);
    if (blob->data == NULL) {
        return fail(file, "out of memory");
    }
    blob->len = len / 2;
    for (size_t i = 0; i < blob->len; i++) {
        int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);
        if (high < 0 || low < 0) {
            return fail(file, "a character that is no hexadecimal digit");
        }
        blob->data[i] = (uint8_t)(high * 16 + low);
    }
    return true;
}

static bool read_name(struct record_file *file, struct record *record)
{
    const char *text = NULL;
    size_t len = 0;
    if (!read_string(file, &text, &len)) {
        return false;
    }
    if (len >= sizeof record->name) {
        return fail(file, "a protocol name is too long");
    }
    memcpy(record->name, text, len);
    record->name[len] = '\0';
    return true;
}

static bool read_psks(struct record_file *file, struct record_side *side)
{
    if (!expect(file, '[')) {
        return false;
    }
    while (!take(file, ']')) {
        if (side->psk_count == RECORD_PSKS_MAX) {
            return fail(file, "too many pre-shared keys");
        }
        if (!read_blob(file, &side->psks[side->psk_count++])) {
            return false;
        }
        if (!take(file, ',') && peek(file) != ']') {
            return expect(file, ',');
        }
    }
    return true;
}

/* A key and its colon. */
static bool read_key(struct record_file *file, char key[32])
{
    const char *text = NULL;
    size_t len = 0;
    if (!read_string(file, &text, &len)) {
        return false;
    }
    len = len < 31 ? len : 31;
    memcpy(key, text, len);
    key[len] = '\0';
    return expect(file, ':');
}

/* After a member of an object: a comma before another one, or the closing bracket. */
static bool has_more(struct record_file *file, bool *more)
{
    *more = take(file, ',');
    return *more || expect(file, '}');
}

static bool read_message(struct record_file *file, struct record *record)
{
    bool more = true;
    if (record->message_count == RECORD_MESSAGES_MAX) {
        return fail(file, "too many messages");
    }
    size_t i = record->message_count++;
    if (!expect(file, '{')) {
        return false;
    }
    while (more) {
        char key[32];
        bool ok = read_key(file, key);
        if (ok && strcmp(key, "payload") == 0) {
            ok = read_blob(file, &record->messages[i].payload);
        } else if (ok && strcmp(key, "ciphertext") == 0) {
            ok = read_blob(file, &record->messages[i].ciphertext);
        } else if (ok) {
            ok = skip_value(file);
        }
        if (!ok || !has_more(file, &more)) {
            return false;
        }
    }
    return (record->messages[i].payload.data != NULL &&
            record->messages[i].ciphertext.data != NULL) ||
           fail(file, "a message lacks its payload or its ciphertext");
}

static bool read_messages(struct record_file *file, struct record *record)
{
    if (!expect(file, '[')) {
        return false;
    }
    while (!take(file, ']')) {
        if (!read_message(file, record)) {
            return false;
        }
        if (!take(file, ',') && peek(file) != ']') {
            return expect(file, ',');
        }
    }
    return true;
}

static bool read_side(struct record_file *file, struct record_side *side, const char *key)
{
    if (strcmp(key, "prologue") == 0) {
        return read_blob(file, &side->prologue);
    }
    if (strcmp(key, "static") == 0) {
        return read_blob(file, &side->secret);
    }
    if (strcmp(key, "ephemeral") == 0) {
        return read_blob(file, &side->ephemeral);
    }
    if (strcmp(key, "remote_static") == 0) {
        return read_blob(file, &side->remote_static);
    }
    return strcmp(key, "psks") == 0 ? read_psks(file, side) : skip_value(file);
}

static bool read_member(struct record_file *file, struct record *record)
{
    char key[32];
    if (!read_key(file, key)) {
        return false;
    }
    if (strcmp(key, "protocol_name") == 0 ||
        (strcmp(key, "name") == 0 && record->name[0] == '\0')) {
        return read_name(file, record);
    }
    if (strncmp(key, "init_", 5) == 0) {
        return read_side(file, &record->init, key + 5);
    }
    if (strncmp(key, "resp_", 5) == 0) {
        return read_side(file, &record->resp, key + 5);
    }
    if (strcmp(key, "handshake_hash") == 0) {
        return read_blob(file, &record->hash);
    }
    if (strcmp(key, "messages") == 0) {
        return read_messages(file, record);
    }
    record->is_fallback = record->is_fallback || strcmp(key, "fallback") == 0;
    return skip_value(file);
}

/* --- the file ------------------------------------------------------------------------------------ */

static char *load(const char *path)
{
    char *text = NULL;
    FILE *stream = fopen(path, "rb");
    if (stream == NULL) {
        return NULL;
    }
    if (fseek(stream, 0, SEEK_END) == 0) {
        long size = ftell(stream);
        rewind(stream);
        if (size >= 0 && size <= FILE_MAX) {
            text = malloc((size_t)size + 1);
        }
        if (text != NULL) {
            text[fread(text, 1, (size_t)size, stream)] = '\0';
        }
    }
    (void)fclose(stream);
    return text;
}

/* Stands behind the bracket of the outermost array, or of the member "vectors". */
static bool find_records(struct record_file *file)
{
    bool more = true;
    if (take(file, '[')) {
        return true;
    }
    if (!expect(file, '{')) {
        return false;
    }
    while (more) {
        char key[32];
        if (!read_key(file, key)) {
            return false;
        }
        if (strcmp(key, "vectors") == 0) {
            return expect(file, '[');
        }
        if (!skip_value(file) || !has_more(file, &more)) {
            return false;
        }
    }
    return fail(file, "there is no member \"vectors\"");
}

bool record_file_open(struct record_file *file, const char *path)
{
    memset(file, 0, sizeof *file);
    file->text = load(path);
    file->at = file->text;
    return file->text == NULL ? fail(file, "cannot be read") : find_records(file);
}

void record_file_close(struct record_file *file)
{
    free(file->text);
    memset(file, 0, sizeof *file);
}

bool record_next(struct record_file *file, struct record *record)
{
    bool more = true;
    memset(record, 0, sizeof *record);
    (void)take(file, ',');
    if (take(file, ']')) {
        return false;
    }
    if (!expect(file, '{')) {
        return false;
    }
    while (more) {
        if (!read_member(file, record) || !has_more(file, &more)) {
            record_clear(record);
            return false;
        }
    }
    return true;
}

static void clear_side(struct record_side *side)
{
    free(side->prologue.data);
    free(side->secret.data);
    free(side->ephemeral.data);
    free(side->remote_static.data);
    for (size_t i = 0; i < side->psk_count; i++) {
        free(side->psks[i].data);
    }
}

void record_clear(struct record *record)
{
    clear_side(&record->init);
    clear_side(&record->resp);
    free(record->hash.data);
    for (size_t i = 0; i < record->message_count; i++) {
        free(record->messages[i].payload.data);
        free(record->messages[i].ciphertext.data);
    }
    memset(record, 0, sizeof *record);
}
