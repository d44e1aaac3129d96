/* Two links with a driver's datagrams in them: a packet's tag says which addresses it bears.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include <tern/sim.h>

/* Pairs of addresses are remembered for as long as the conditioner lives, since a link does not tell what
 * it lost. A server that has seen so many passes the packets of others by. */
enum { WAYS_MAX = 1 << 16, WAYS_FIRST = 64 };

struct way {
    tern_addr local, remote;
};

struct links {
    tern_conditioner face; /* comes first */
    tern_link *forth, *back;
    struct way *ways;
    size_t way_count, way_room; /* room: a power of two */
    uint32_t *slots;            /* twice as many: a way's number + 1, or 0 */
};

/* --- addresses --- */

/* FNV-1a; nobody gains from collisions in a network of his own making. */
static uint64_t mix(uint64_t hash, const tern_addr *addr)
{
    for (size_t i = 0; i < sizeof addr->ip; i++) {
        hash = (hash ^ addr->ip[i]) * UINT64_C(0x100000001b3);
    }
    hash = (hash ^ addr->port) * UINT64_C(0x100000001b3);
    return (hash ^ addr->family) * UINT64_C(0x100000001b3);
}

/* The slot of a way, or the free one where it belongs. */
static size_t slot_of(const struct links *links, const tern_datagram *d)
{
    uint64_t hash = mix(mix(UINT64_C(0xcbf29ce484222325), &d->local), &d->remote);
    size_t mask = 2 * links->way_room - 1, slot = (size_t)(hash >> 20) & mask;
    for (; links->slots[slot] != 0; slot = (slot + 1) & mask) {
        const struct way *way = &links->ways[links->slots[slot] - 1];
        if (tern_addr_equal(&way->remote, &d->remote) && tern_addr_equal(&way->local, &d->local)) {
            break;
        }
    }
    return slot;
}

static int make_room(struct links *links)
{
    if (links->way_count < links->way_room) {
        return 0;
    }
    size_t room = links->way_room > 0 ? 2 * links->way_room : WAYS_FIRST;
    uint32_t *slots = calloc(2 * room, sizeof *slots);
    struct way *ways = slots == NULL ? NULL : realloc(links->ways, room * sizeof *ways);
    if (ways == NULL) {
        free(slots);
        return TERN_ERR_NOMEM;
    }
    free(links->slots);
    links->slots = slots;
    links->ways = ways;
    links->way_room = room;
    for (size_t i = 0; i < links->way_count; i++) {
        tern_datagram d = {.local = ways[i].local, .remote = ways[i].remote};
        slots[slot_of(links, &d)] = (uint32_t)i + 1;
    }
    return 0;
}

/* 0 · TERN_ERR_NOMEM · TERN_ERR_LIMIT */
static int find_way(struct links *links, const tern_datagram *d, uint64_t *number)
{
    int rc = make_room(links);
    if (rc != 0) {
        return rc;
    }
    uint32_t *slot = &links->slots[slot_of(links, d)];
    if (*slot == 0 && links->way_count == WAYS_MAX) {
        return TERN_ERR_LIMIT;
    }
    if (*slot == 0) {
        links->ways[links->way_count++] = (struct way){.local = d->local, .remote = d->remote};
        *slot = (uint32_t)links->way_count;
    }
    *number = *slot - 1;
    return 0;
}

/* --- the three functions --- */

static struct links *links_of(tern_conditioner *self)
{
    return (struct links *)(void *)self;
}

static int links_send(tern_conditioner *self, bool is_out, const tern_datagram *d, tern_time now)
{
    struct links *links = links_of(self);
    tern_link *link = is_out ? links->forth : links->back;
    uint64_t number = 0;
    int rc = find_way(links, d, &number);
    return rc == TERN_ERR_LIMIT ? 0
           : rc != 0            ? rc
                                : tern_link_send(link, d->data, d->len, d->ecn, number, now);
}

static tern_time links_next(const tern_conditioner *self, bool is_out)
{
    const struct links *links = (const struct links *)(const void *)self;
    return tern_link_next(is_out ? links->forth : links->back);
}

static int links_receive(tern_conditioner *self, bool is_out, tern_datagram *d, tern_time now)
{
    struct links *links = links_of(self);
    uint64_t number = 0;
    int came = tern_link_receive(is_out ? links->forth : links->back, d->data, d->len, &d->len,
                                 &d->ecn, &number, now);
    if (came > 0) {
        d->local = links->ways[number].local;
        d->remote = links->ways[number].remote;
        d->segment = 0;
    }
    return came;
}

/* --- birth and death --- */

int tern_conditioner_new(tern_conditioner **out, const tern_link_config *forth,
                         const tern_link_config *back, uint64_t seed)
{
    tern_link_config wire;
    tern_link_config_init(&wire);
    struct links *links = calloc(1, sizeof *links);
    if (links == NULL) {
        return TERN_ERR_NOMEM;
    }
    links->face = (tern_conditioner){links_send, links_next, links_receive};
    int rc = tern_link_new(&links->forth, forth != NULL ? forth : &wire, seed);
    if (rc == 0) { /* another stream than that of the first */
        rc = tern_link_new(&links->back, back != NULL ? back : &wire, ~seed);
    }
    if (rc != 0) {
        tern_conditioner_free(&links->face);
        return rc;
    }
    *out = &links->face;
    return 0;
}

void tern_conditioner_free(tern_conditioner *conditioner)
{
    if (conditioner != NULL) {
        struct links *links = links_of(conditioner);
        tern_link_free(links->forth);
        tern_link_free(links->back);
        free(links->ways);
        free(links->slots);
        free(links);
    }
}

tern_link *tern_conditioner_link(tern_conditioner *conditioner, bool is_out)
{
    struct links *links = links_of(conditioner);
    return is_out ? links->forth : links->back;
}
