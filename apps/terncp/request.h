/* What a request says about trees: flags, and the rules that follow it.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_REQUEST_H
#define TERNCP_REQUEST_H

#include <tern/tern.h>

#include "terncp/control.h"
#include "terncp/wishes.h"

/* PROTO_FLAG_* of the options about trees. */
uint64_t request_flags(const struct wishes *wishes);
/* Before HELLO, to a receiver: what the request cannot do without. partial_dir NULL: nothing. False as
 * control_send(). */
bool request_send_settings(tern_stream *control, const char *partial_dir);
/* Behind HELLO, when the flags have PROTO_FLAG_RULES. False as control_send(). */
bool request_send_rules(tern_stream *control, const struct wishes *wishes);

/* The rules as a server takes them. */
struct request_rules {
    struct filter *filter; /* NULL: none */
    uint64_t max_delete;
    bool is_done;
};

void request_rules_init(struct request_rules *rules, bool will_come);
void request_rules_clear(struct request_rules *rules);
/* One PROTO_RULE. NULL, or why it is none. */
const char *request_take_rule(struct request_rules *rules, const char *text);

/* Answers to questions go out many in a message. */
struct request_answers {
    struct control_done want, current;
};
bool request_answer(struct request_answers *answers, tern_stream *control, uint32_t index,
                    bool is_wanted);
bool request_answers_flush(struct request_answers *answers, tern_stream *control);

/* The path as asked for, without a leading or trailing slash; "." for the root. */
void request_normalise(char *path);
/* A path of a shell's: from the home folder, in which ssh starts us, with "~" for it. */
void request_expand(char *path);

#endif
