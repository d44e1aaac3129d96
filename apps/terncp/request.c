/* From options to flags and rules, and back.
 * SPDX-License-Identifier: MIT */
#include "terncp/request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool has_rules(const struct wishes *wishes)
{
    return filter_count(wishes->filter) > 0 || (wishes->delete &&wishes->max_delete != UINT64_MAX);
}

uint64_t request_flags(const struct wishes *w)
{
    return (w->links ? PROTO_FLAG_LINKS : 0) | (w->copy_links ? PROTO_FLAG_FOLLOW : 0) |
           (w->hard_links ? PROTO_FLAG_HARD_LINKS : 0) | (w->xattrs ? PROTO_FLAG_XATTRS : 0) |
           (w->owner ? PROTO_FLAG_OWNER : 0) | (w->sparse ? PROTO_FLAG_SPARSE : 0) |
           (w->update ? PROTO_FLAG_UPDATE : 0) | (w->checksum ? PROTO_FLAG_CHECKSUM : 0) |
           (w->dry_run ? PROTO_FLAG_DRY_RUN : 0) | (w->delete ? PROTO_FLAG_DELETE : 0) |
           (has_rules(w) ? PROTO_FLAG_RULES : 0);
}

bool request_send_settings(tern_stream *control, const char *partial_dir)
{
    struct proto_message m = {.type = PROTO_SETTING, .setting = PROTO_PARTIAL_DIR};
    if (partial_dir == NULL) {
        return true;
    }
    (void)snprintf(m.text, sizeof m.text, "%s", partial_dir);
    return control_send(control, &m);
}

bool request_send_rules(tern_stream *control, const struct wishes *wishes)
{
    struct proto_message m = {.type = PROTO_RULE};
    for (size_t i = 0; i < filter_count(wishes->filter); i++) {
        (void)filter_rule(wishes->filter, i, m.text, sizeof m.text);
        if (!control_send(control, &m)) {
            return false;
        }
    }
    if (wishes->delete &&wishes->max_delete != UINT64_MAX) {
        (void)snprintf(m.text, sizeof m.text, "= %llu", (unsigned long long)wishes->max_delete);
        if (!control_send(control, &m)) {
            return false;
        }
    }
    m.text[0] = '\0';
    return control_send(control, &m);
}

void request_rules_init(struct request_rules *rules, bool will_come)
{
    *rules = (struct request_rules){.max_delete = UINT64_MAX, .is_done = !will_come};
}

void request_rules_clear(struct request_rules *rules)
{
    filter_free(rules->filter);
    rules->filter = NULL;
}

const char *request_take_rule(struct request_rules *rules, const char *text)
{
    if (text[0] == '\0') {
        rules->is_done = true;
        return NULL;
    }
    if (text[0] == '=' && text[1] == ' ') {
        char *end;
        rules->max_delete = strtoull(text + 2, &end, 10);
        return *end == '\0' && text[2] >= '0' && text[2] <= '9' ? NULL : "no number";
    }
    if (rules->filter == NULL && (rules->filter = filter_new()) == NULL) {
        return filter_error_text(FILTER_MEMORY);
    }
    enum filter_error error = filter_add_rule(rules->filter, text);
    return error == FILTER_OK ? NULL : filter_error_text(error);
}

bool request_answer(struct request_answers *answers, tern_stream *control, uint32_t index,
                    bool is_wanted)
{
    answers->want.type = PROTO_WANT;
    answers->current.type = PROTO_CURRENT;
    return control_done_add(is_wanted ? &answers->want : &answers->current, control, index);
}

bool request_answers_flush(struct request_answers *answers, tern_stream *control)
{
    return control_done_flush(&answers->want, control) &&
           control_done_flush(&answers->current, control);
}

void request_normalise(char *path)
{
    size_t start = strspn(path, "/");
    size_t len = strlen(path + start);
    while (len > 0 && path[start + len - 1] == '/') {
        len--;
    }
    memmove(path, path + start, len);
    path[len] = '\0';
    if (len == 0) {
        (void)snprintf(path, 2, ".");
    }
}

void request_expand(char *path)
{
    size_t skip = strncmp(path, "~/", 2) == 0 ? 2 + strspn(path + 2, "/")
                  : strcmp(path, "~") == 0    ? 1
                                              : 0;
    memmove(path, path + skip, strlen(path + skip) + 1);
    if (path[0] == '\0') {
        (void)snprintf(path, 2, ".");
    }
}
