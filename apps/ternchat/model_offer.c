/* Offers of files as lines of a room; what is remembered of one has its body behind the words for people.
 * SPDX-License-Identifier: MIT */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "ternchat/model_memory.h"

#define SAFE_VARIANT sodium_base64_VARIANT_URLSAFE_NO_PADDING
#define WORDS        (OFFER_NAME_SIZE + 100)
#define BODY_TEXT    (OFFER_BODY_MAX * 4 / 3 + 4)

/* "offers tree.jpg (3.4 MB)" */
static void describe(const struct offer *offer, char out[WORDS])
{
    char size[OFFER_BYTES_TEXT];
    (void)snprintf(out, WORDS, "offers %s (%s)", offer->name, offer_bytes_text(offer->size, size));
}

/* The line, with the number under which it can be had. */
static void show(struct model *model, struct model_room *room, struct line *about, uint64_t id,
                 const struct offer *offer)
{
    char text[WORDS];
    describe(offer, text);
    size_t used = strlen(text);
    if (model->front.on_offer != NULL) {
        about->file = model->front.on_offer(model->front.user, room, about, id, offer);
    }
    if (about->file != 0) {
        (void)snprintf(text + used, sizeof text - used, about->is_own ? " (%u)" : ": /get %u",
                       about->file);
    }
    model_line(model, room, about, chat_text(text));
}

void model_offer(struct model *model, struct model_room *room, const struct chat_packet *p,
                 struct line *about)
{
    struct offer offer;
    char kept[WORDS + BODY_TEXT];
    about->kind = LINE_FILE;
    if (!offer_decode(&offer, p->body)) {
        model_line(model, room, about, chat_text("offers a file in a way that is not known here"));
        return;
    }
    describe(&offer, kept);
    size_t used = strlen(kept);
    kept[used++] = '\n';
    (void)sodium_bin2base64(kept + used, sizeof kept - used, p->body.data, p->body.len,
                            SAFE_VARIANT);
    model_memory_offer(model, room, about, kept);
    show(model, room, about, p->id, &offer);
    sodium_memzero(kept, sizeof kept);
    sodium_memzero(&offer, sizeof offer);
}

void model_offer_recall(struct model *model, struct model_room *room, struct line *about,
                        const char *kept)
{
    uint8_t body[OFFER_BODY_MAX];
    struct offer offer;
    size_t words = strcspn(kept, "\n"), len = 0;
    bool is_there = kept[words] == '\n' &&
                    sodium_base642bin(body, sizeof body, kept + words + 1, strlen(kept + words + 1),
                                      NULL, &len, NULL, SAFE_VARIANT) == 0 &&
                    offer_decode(&offer, (struct chat_slice){body, len});
    if (is_there) {
        show(model, room, about, 0, &offer);
        sodium_memzero(&offer, sizeof offer);
    } else {
        model_line(model, room, about, (struct chat_slice){(const uint8_t *)kept, words});
    }
    sodium_memzero(body, sizeof body);
}
