/* The model's memory: what happens is written to it, and a room that is entered is as it was left.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCHAT_MODEL_MEMORY_H
#define TERNCHAT_MODEL_MEMORY_H

#include "ternchat/memory.h"
#include "ternchat/model_parts.h"

/* All of these do nothing without a memory. */
void model_memory_enter(struct model *model, struct model_room *room); /* a room that is new here */
void model_memory_joined(struct model *model, struct model_room *room);
void model_memory_last(struct model *model, struct model_room *room);
void model_memory_leave(struct model *model, struct model_room *room);
void model_memory_line(struct model *model, struct model_room *room, const struct line *line);
/* An offer, with what is needed to have it again; model_memory_line leaves it out. */
void model_memory_offer(struct model *model, struct model_room *room, const struct line *line,
                        const char *text);
void model_memory_said(struct model *model, struct model_room *room, const struct unheard *u);
void model_memory_heard(struct model *model, struct model_room *room, uint64_t id);
/* What is known of the sender of a sealed body has changed. */
void model_memory_chain(struct model *model, struct model_room *room,
                        const uint8_t from[TERN_KEY_SIZE], struct chat_slice body);
void model_memory_hold(struct model *model, struct model_room *room, const struct chat_packet *p);
void model_memory_let_go(struct model *model, struct model_room *room, uint64_t seq);
void model_memory_person(struct model *model, struct model_room *room,
                         const struct model_person *person);
void model_memory_no_person(struct model *model, struct model_room *room,
                            const uint8_t key[TERN_KEY_SIZE]);
void model_memory_known(struct model *model, const struct known *known);

/* Questions that it answers in the server's place, by on_answer. False: there is no memory. */
bool model_memory_search(struct model *model, struct model_room *room, const char *text,
                         uint64_t id);
bool model_memory_before(struct model *model, struct model_room *room, uint64_t seq, uint64_t id);

#endif
