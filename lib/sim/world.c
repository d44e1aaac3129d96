/* A world in virtual time: hosts with an endpoint each, links between them, one clock for all.
 *
 * A step goes to the next moment at which anything happens and does all of that moment in a fixed
 * order: links in the order of their birth deliver, then bottlenecks in theirs, then hosts in theirs
 * tick, and at last every host that was touched transmits until it has nothing more to say.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "sim/clock.h"
#include "sim/link.h"
#include "sim/nat.h"

#define WORLD_START (3600 * TERN_SEC)

/* An endpoint that still wants to act at this very moment after it has acted is asked again this
 * much later, so that time always goes on. */
#define LEAST_STEP TERN_USEC

/* Datagrams handed over in one call at most. */
enum { BATCH = 64 };
enum { TRAIN_CAPACITY = 65535 };

/* Streams of the world's seed: each kind counts up from a place far from the others. */
enum { STREAM_TESTS = 0, STREAM_LINKS = 1 };
#define STREAM_BOTTLENECKS (UINT64_MAX / 4)
#define STREAM_HOSTS       (UINT64_MAX / 2)

struct tern_sim_host {
    tern_sim *sim;
    tern_endpoint *endpoint;
    struct tern_chance chance;
    tern_nat *nat;        /* that it is behind, or NULL */
    tern_addr inner;      /* what the host believes */
    size_t outer;         /* what the world sees: an index into the addresses */
    tern_time not_before; /* see LEAST_STEP */
    bool touched;
};

/* Tags of packets: where from and where to, as indices into the addresses. */
struct wire {
    tern_link *link;
    tern_sim_host *from, *to;
    tern_link *next; /* the bottleneck that it leads to; NULL: straight to the host */
};

/* Packets that one host takes in at once. */
struct batch {
    tern_sim_host *to;
    size_t count;
    struct tern_packet *packets[BATCH];
    tern_datagram in[BATCH];
};

/* Every address that was ever in use. Who has it now, is asked when a packet is sent or arrives. */
struct place {
    tern_addr addr;
    tern_sim_host *host; /* NULL: nobody, its packets vanish */
    tern_nat *nat;       /* or whoever has this port of it now */
    bool is_added;       /* the host knows it as one of its own */
};

struct tern_sim {
    uint64_t seed;
    tern_time now;
    struct tern_chance chance;
    uint64_t hash;
    tern_sim_tap_fn tap;
    void *tap_user;

    tern_sim_host **hosts;
    size_t host_count, host_capacity;
    struct wire *wires;
    size_t wire_count, wire_capacity;
    tern_link **bottlenecks;
    size_t bottleneck_count, bottleneck_capacity;
    tern_nat **nats;
    size_t nat_count, nat_capacity;
    struct place *places;
    size_t place_count, place_capacity;
    uint8_t *train; /* TRAIN_CAPACITY bytes, lent to one endpoint at a time */
};

/* --- birth and death --- */

int tern_sim_new(tern_sim **out, uint64_t seed)
{
    tern_sim *sim = calloc(1, sizeof *sim);
    if (sim == NULL || (sim->train = malloc(TRAIN_CAPACITY)) == NULL) {
        free(sim);
        return TERN_ERR_NOMEM;
    }
    sim->seed = seed;
    sim->now = WORLD_START;
    sim->hash = 0xcbf29ce484222325u;
    tern_chance_init(&sim->chance, seed, STREAM_TESTS);
    *out = sim;
    return 0;
}

static void host_free(tern_sim_host *host)
{
    if (host != NULL) {
        tern_endpoint_free(host->endpoint);
        free(host);
    }
}

void tern_sim_free(tern_sim *sim)
{
    if (sim == NULL) {
        return;
    }
    for (size_t i = 0; i < sim->host_count; i++) {
        host_free(sim->hosts[i]);
    }
    for (size_t i = 0; i < sim->wire_count; i++) {
        tern_link_free(sim->wires[i].link);
    }
    for (size_t i = 0; i < sim->bottleneck_count; i++) {
        tern_link_free(sim->bottlenecks[i]);
    }
    for (size_t i = 0; i < sim->nat_count; i++) {
        tern_nat_free(sim->nats[i]);
    }
    free(sim->hosts);
    free(sim->nats);
    free(sim->wires);
    free(sim->bottlenecks);
    free(sim->places);
    free(sim->train);
    free(sim);
}

/* Makes room for `more` entries of an array. */
static int array_reserve(void **array, size_t *capacity, size_t count, size_t more, size_t size)
{
    if (count + more <= *capacity) {
        return 0;
    }
    size_t wanted = *capacity > 0 ? *capacity * 2 : 8;
    void *grown = realloc(*array, wanted * size);
    if (grown == NULL) {
        return TERN_ERR_NOMEM;
    }
    *array = grown;
    *capacity = wanted;
    return 0;
}

/* --- addresses --- */

static size_t find_place(const tern_sim *sim, const tern_addr *addr)
{
    size_t i = 0;
    while (i < sim->place_count && !tern_addr_equal(&sim->places[i].addr, addr)) {
        i++;
    }
    return i;
}

/* The index of the address, which is written down if it is new. */
static int note_place(tern_sim *sim, const tern_addr *addr, size_t *out)
{
    size_t i = find_place(sim, addr);
    if (i == sim->place_count) {
        void *places = sim->places;
        int rc = array_reserve(&places, &sim->place_capacity, i, 1, sizeof sim->places[0]);
        sim->places = places;
        if (rc != 0) {
            return rc;
        }
        sim->places[sim->place_count++] = (struct place){.addr = *addr};
    }
    *out = i;
    return 0;
}

/* An outside port of a NAT, whoever has it. */
static bool is_of_nat(const tern_nat *nat, const tern_addr *addr)
{
    tern_addr first = *addr;
    const tern_addr *outside = &nat->config.outside;
    first.port = outside->port;
    return tern_addr_equal(&first, outside) && addr->port >= outside->port &&
           (size_t)(addr->port - outside->port) < nat->config.ports;
}

static bool is_free_addr(const tern_sim *sim, const tern_addr *addr)
{
    size_t i = find_place(sim, addr);
    size_t n = 0;
    while (n < sim->nat_count && !is_of_nat(sim->nats[n], addr)) {
        n++;
    }
    return addr->family != 0 && n == sim->nat_count &&
           (i == sim->place_count || sim->places[i].host == NULL);
}

/* Who gets what is sent to a place: looked at when it leaves, and again when it arrives. */
static tern_sim_host *host_at(const tern_sim *sim, size_t place, const tern_addr *from)
{
    const struct place *to = &sim->places[place];
    if (to->nat == NULL) {
        return to->host;
    }
    size_t slot = (size_t)(to->addr.port - to->nat->config.outside.port);
    tern_sim_host *inside = tern_nat_inside(to->nat, slot, from, sim->now);
    to->nat->counters.strays += inside == NULL;
    return inside;
}

/* --- hosts and links --- */

static void host_random(void *user, uint8_t *buf, size_t len)
{
    tern_sim_host *host = user;
    tern_chance_fill(&host->chance, buf, len);
}

static int host_new(tern_sim *sim, const tern_addr *addr, const tern_config *config,
                    tern_sim_host **out)
{
    tern_sim_host *host = calloc(1, sizeof *host);
    if (host == NULL) {
        return TERN_ERR_NOMEM;
    }
    host->sim = sim;
    host->inner = *addr;
    tern_chance_init(&host->chance, sim->seed, STREAM_HOSTS + sim->host_count);
    tern_config copy;
    tern_config_init(&copy);
    size_t size = config->size < sizeof copy ? config->size : sizeof copy;
    memcpy(&copy, config, size);
    copy.size = sizeof copy;
    copy.random = (tern_random_source){.fill = host_random, .user = host};
    int rc = tern_endpoint_new(&host->endpoint, &copy, sim->now);
    if (rc != 0) {
        free(host);
        return rc;
    }
    *out = host;
    return 0;
}

int tern_sim_add_host(tern_sim *sim, const tern_addr *addr, const tern_config *config,
                      tern_sim_host **out)
{
    if (!is_free_addr(sim, addr)) {
        return TERN_ERR_INVALID;
    }
    void *hosts = sim->hosts;
    int rc =
        array_reserve(&hosts, &sim->host_capacity, sim->host_count, 1, sizeof(tern_sim_host *));
    sim->hosts = hosts;
    size_t place = 0;
    tern_sim_host *host = NULL;
    if (rc != 0 || (rc = note_place(sim, addr, &place)) != 0 ||
        (rc = host_new(sim, addr, config, &host)) != 0) {
        return rc;
    }
    host->outer = place;
    sim->places[place].host = host;
    sim->hosts[sim->host_count++] = host;
    *out = host;
    return 0;
}

tern_endpoint *tern_sim_host_endpoint(tern_sim_host *host)
{
    return host->endpoint;
}

tern_addr tern_sim_host_addr(const tern_sim_host *host)
{
    return host->sim->places[host->outer].addr;
}

static struct wire *find_wire(const tern_sim *sim, const tern_sim_host *from,
                              const tern_sim_host *to)
{
    for (size_t i = 0; i < sim->wire_count; i++) {
        if (sim->wires[i].from == from && sim->wires[i].to == to) {
            return &sim->wires[i];
        }
    }
    return NULL;
}

/* Whatever is random in the link comes from its own stream of the world's seed. */
static int link_new(const tern_sim *sim, uint64_t stream, const tern_link_config *config,
                    tern_link **out)
{
    struct tern_chance chance;
    tern_chance_init(&chance, sim->seed, stream);
    return tern_link_new(out, config, tern_chance_next(&chance));
}

static int add_wire(tern_sim *sim, tern_sim_host *from, tern_sim_host *to,
                    const tern_link_config *config, tern_link *next)
{
    struct wire wire = {.from = from, .to = to, .next = next};
    int rc = link_new(sim, STREAM_LINKS + sim->wire_count, config, &wire.link);
    if (rc == 0) {
        sim->wires[sim->wire_count++] = wire;
    }
    return rc;
}

static bool is_ours(const tern_sim *sim, const tern_link *bottleneck)
{
    size_t i = 0;
    while (i < sim->bottleneck_count && sim->bottlenecks[i] != bottleneck) {
        i++;
    }
    return bottleneck == NULL || i < sim->bottleneck_count;
}

int tern_sim_add_bottleneck(tern_sim *sim, const tern_link_config *config, tern_link **out)
{
    void *links = sim->bottlenecks;
    size_t count = sim->bottleneck_count;
    int rc = array_reserve(&links, &sim->bottleneck_capacity, count, 1, sizeof(tern_link *));
    sim->bottlenecks = links;
    if (rc != 0 || (rc = link_new(sim, STREAM_BOTTLENECKS + count, config, out)) != 0) {
        return rc;
    }
    sim->bottlenecks[sim->bottleneck_count++] = *out;
    return 0;
}

int tern_sim_connect(tern_sim *sim, tern_sim_host *a, tern_sim_host *b, const tern_link_config *ab,
                     const tern_link_config *ba)
{
    return tern_sim_connect_through(sim, a, b, ab, ba, NULL, NULL);
}

int tern_sim_connect_through(tern_sim *sim, tern_sim_host *a, tern_sim_host *b,
                             const tern_link_config *ab, const tern_link_config *ba,
                             tern_link *forth, tern_link *back)
{
    if (a == b || find_wire(sim, a, b) != NULL || !is_ours(sim, forth) || !is_ours(sim, back)) {
        return TERN_ERR_INVALID;
    }
    void *wires = sim->wires;
    int rc = array_reserve(&wires, &sim->wire_capacity, sim->wire_count, 2, sizeof sim->wires[0]);
    sim->wires = wires;
    if (rc != 0 || (rc = add_wire(sim, a, b, ab, forth)) != 0) {
        return rc;
    }
    rc = add_wire(sim, b, a, ba != NULL ? ba : ab, back);
    if (rc != 0) {
        tern_link_free(sim->wires[--sim->wire_count].link);
    }
    return rc;
}

tern_link *tern_sim_link(tern_sim *sim, tern_sim_host *a, tern_sim_host *b)
{
    struct wire *wire = find_wire(sim, a, b);
    return wire != NULL ? wire->link : NULL;
}

int tern_sim_rebind(tern_sim *sim, tern_sim_host *host, const tern_addr *addr)
{
    size_t place = 0;
    if (host->nat != NULL || !is_free_addr(sim, addr)) {
        return TERN_ERR_INVALID;
    }
    int rc = note_place(sim, addr, &place);
    if (rc != 0) {
        return rc;
    }
    sim->places[host->outer].host = NULL;
    sim->places[place].host = host;
    host->outer = place;
    return 0;
}

int tern_sim_add_addr(tern_sim *sim, tern_sim_host *host, const tern_addr *addr)
{
    size_t place = 0;
    if (!is_free_addr(sim, addr)) {
        return TERN_ERR_INVALID;
    }
    int rc = note_place(sim, addr, &place);
    if (rc == 0) {
        sim->places[place].host = host;
        sim->places[place].is_added = true;
    }
    return rc;
}

int tern_sim_drop_addr(tern_sim *sim, tern_sim_host *host, const tern_addr *addr)
{
    size_t place = find_place(sim, addr);
    if (place == sim->place_count || sim->places[place].host != host ||
        !sim->places[place].is_added) {
        return TERN_ERR_INVALID;
    }
    sim->places[place].host = NULL;
    sim->places[place].is_added = false;
    return 0;
}

/* The place that a host sends from: an added address if it asks for one, else its first. */
static size_t source_of(const tern_sim *sim, const tern_sim_host *host, const tern_addr *local)
{
    size_t place = local->family != 0 ? find_place(sim, local) : sim->place_count;
    bool is_added =
        place < sim->place_count && sim->places[place].host == host && sim->places[place].is_added;
    return is_added ? place : host->outer;
}

/* --- address translation --- */

/* No host and no NAT but this one has any of the ports. */
static bool are_free_ports(const tern_sim *sim, const tern_addr *outside, size_t ports,
                           const tern_nat *but)
{
    tern_nat_config config = {.outside = *outside, .ports = ports};
    const tern_nat probe = {.config = config};
    for (size_t i = 0; i < sim->place_count; i++) {
        if (sim->places[i].host != NULL && is_of_nat(&probe, &sim->places[i].addr)) {
            return false;
        }
    }
    for (size_t i = 0; i < sim->nat_count; i++) {
        const tern_nat *nat = sim->nats[i];
        if (nat != but && (is_of_nat(nat, outside) || is_of_nat(&probe, &nat->config.outside))) {
            return false;
        }
    }
    return true;
}

int tern_sim_add_nat(tern_sim *sim, const tern_nat_config *config, tern_nat **out)
{
    void *nats = sim->nats;
    int rc = array_reserve(&nats, &sim->nat_capacity, sim->nat_count, 1, sizeof(tern_nat *));
    tern_nat *nat = NULL;
    sim->nats = nats;
    if (rc != 0 || (rc = tern_nat_new(&nat, config)) != 0) {
        return rc;
    }
    if (!are_free_ports(sim, &nat->config.outside, nat->config.ports, NULL)) {
        tern_nat_free(nat);
        return TERN_ERR_INVALID;
    }
    nat->sim = sim;
    sim->nats[sim->nat_count++] = nat;
    *out = nat;
    return 0;
}

int tern_sim_put_behind(tern_sim *sim, tern_sim_host *host, tern_nat *nat)
{
    if (nat->sim != sim || host->sim != sim) {
        return TERN_ERR_INVALID;
    }
    if (sim->places[host->outer].host == host) {
        sim->places[host->outer].host = NULL;
    }
    host->nat = nat;
    return 0;
}

int tern_nat_restart(tern_nat *nat, const tern_addr *outside)
{
    if (outside != NULL) {
        if (outside->family == 0 || nat->config.ports > (size_t)UINT16_MAX + 1 - outside->port ||
            !are_free_ports(nat->sim, outside, nat->config.ports, nat)) {
            return TERN_ERR_INVALID;
        }
        nat->config.outside = *outside;
    }
    for (size_t i = 0; i < nat->sim->place_count; i++) {
        struct place *place = &nat->sim->places[i];
        place->nat = place->nat == nat ? NULL : place->nat;
    }
    tern_nat_forget(nat);
    return 0;
}

/* The address that a packet of the host carries to this peer. 1 · 0: the NAT has none ·
 * TERN_ERR_NOMEM */
static int translate(tern_sim *sim, tern_sim_host *host, const tern_addr *peer)
{
    size_t slot = 0, place = 0;
    if (!tern_nat_leave(host->nat, host, peer, &slot, sim->now)) {
        return 0;
    }
    tern_addr addr = host->nat->config.outside;
    addr.port = (uint16_t)(addr.port + slot);
    int rc = note_place(sim, &addr, &place);
    if (rc != 0) {
        return rc;
    }
    sim->places[place].nat = host->nat;
    host->outer = place;
    return 1;
}

/* --- the trace hash --- */

/* Eight bytes a round: a multiplication spreads upward, the shift brings it back down. */
static uint64_t hash_word(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
    return hash ^ (hash >> 32);
}

static uint64_t hash_bytes(uint64_t hash, const uint8_t *data, size_t len)
{
    hash = hash_word(hash, len);
    for (; len > 0;) {
        uint64_t word = 0;
        size_t take = len < 8 ? len : 8;
        for (size_t i = 0; i < take; i++) {
            word |= (uint64_t)data[i] << (8 * i);
        }
        hash = hash_word(hash, word);
        data += take;
        len -= take;
    }
    return hash;
}

static uint64_t hash_addr(uint64_t hash, const tern_addr *addr)
{
    hash = hash_bytes(hash, addr->ip, addr->family == 4 ? 4 : 16);
    return hash_word(hash,
                     ((uint64_t)addr->scope << 24) | ((uint64_t)addr->port << 8) | addr->family);
}

/* --- sending --- */

/* One datagram leaves a host: into the hash, past the tap, into the link. */
static int send_datagram(tern_sim *sim, tern_sim_host *host, const tern_train *train, uint8_t *data,
                         size_t len)
{
    int rc = host->nat != NULL ? translate(sim, host, &train->remote) : 1;
    if (rc != 1) {
        return rc;
    }
    size_t source = source_of(sim, host, &train->local);
    const tern_addr from = sim->places[source].addr;
    sim->hash = hash_word(sim->hash, sim->now);
    sim->hash = hash_addr(sim->hash, &from);
    sim->hash = hash_addr(sim->hash, &train->remote);
    sim->hash = hash_bytes(sim->hash, data, len);
    if (sim->tap != NULL && !sim->tap(sim->tap_user, sim->now, &from, &train->remote, data, len)) {
        return 0;
    }
    size_t to = find_place(sim, &train->remote);
    tern_sim_host *receiver = to < sim->place_count ? host_at(sim, to, &from) : NULL;
    struct wire *wire = receiver != NULL ? find_wire(sim, host, receiver) : NULL;
    if (wire == NULL) {
        return 0;
    }
    uint64_t tag = ((uint64_t)source << 32) | (uint64_t)to;
    return tern_link_send(wire->link, data, len, train->ecn, tag, sim->now);
}

static int send_train(tern_sim *sim, tern_sim_host *host, const tern_train *train)
{
    int rc = 0;
    size_t segment = train->segment > 0 ? train->segment : train->len;
    for (size_t at = 0; at < train->len; at += segment) {
        size_t len = train->len - at < segment ? train->len - at : segment;
        int each = send_datagram(sim, host, train, train->data + at, len);
        rc = rc != 0 ? rc : each;
    }
    return rc;
}

static int host_transmit(tern_sim *sim, tern_sim_host *host)
{
    int rc = 0;
    tern_train train = {.data = sim->train, .capacity = TRAIN_CAPACITY};
    for (;;) {
        int n = tern_endpoint_transmit(host->endpoint, &train, sim->now);
        if (n <= 0) {
            return rc != 0 ? rc : n;
        }
        int sent = send_train(sim, host, &train);
        rc = rc != 0 ? rc : sent;
    }
}

int tern_sim_flush(tern_sim *sim)
{
    int rc = 0;
    for (size_t i = 0; i < sim->host_count; i++) {
        int each = host_transmit(sim, sim->hosts[i]);
        rc = rc != 0 ? rc : each;
    }
    return rc;
}

/* --- the next moment --- */

static tern_time host_deadline(const tern_sim_host *host)
{
    tern_time at = tern_endpoint_deadline(host->endpoint);
    return at > host->not_before ? at : host->not_before;
}

static tern_time next_moment(const tern_sim *sim)
{
    tern_time next = TERN_TIME_NEVER;
    for (size_t i = 0; i < sim->wire_count; i++) {
        tern_time at = tern_link_next(sim->wires[i].link);
        next = at < next ? at : next;
    }
    for (size_t i = 0; i < sim->bottleneck_count; i++) {
        tern_time at = tern_link_next(sim->bottlenecks[i]);
        next = at < next ? at : next;
    }
    for (size_t i = 0; i < sim->host_count; i++) {
        tern_time at = host_deadline(sim->hosts[i]);
        next = at < next ? at : next;
    }
    return next > sim->now ? next : sim->now;
}

static int batch_arrive(tern_sim *sim, tern_link *link, struct batch *batch)
{
    if (batch->count == 0) {
        return 0;
    }
    int rc = tern_endpoint_receive(batch->to->endpoint, batch->in, batch->count, sim->now);
    batch->to->touched = true;
    for (size_t i = 0; i < batch->count; i++) {
        tern_link_give(link, batch->packets[i]);
    }
    batch->count = 0;
    return rc;
}

static void batch_add(const tern_sim *sim, struct batch *batch, tern_sim_host *to,
                      struct tern_packet *packet)
{
    batch->to = to;
    batch->packets[batch->count] = packet;
    const struct place *place = &sim->places[packet->tag & UINT32_MAX];
    batch->in[batch->count++] = (tern_datagram){.local = place->is_added ? place->addr : to->inner,
                                                .remote = sim->places[packet->tag >> 32].addr,
                                                .data = packet->data,
                                                .len = packet->len,
                                                .ecn = packet->ecn};
}

/* All that the link has to give at this moment arrives: at `only`, or at any host. */
static int deliver(tern_sim *sim, tern_link *link, const tern_sim_host *only)
{
    int rc = 0;
    struct batch batch;
    batch.to = NULL;
    batch.count = 0;
    for (struct tern_packet *packet; (packet = tern_link_take(link, sim->now)) != NULL;) {
        tern_sim_host *to =
            host_at(sim, packet->tag & UINT32_MAX, &sim->places[packet->tag >> 32].addr);
        if (to == NULL || (only != NULL && to != only)) {
            tern_link_give(link, packet); /* the address is no longer the host's */
            continue;
        }
        if (batch.count == BATCH || to != batch.to) {
            int each = batch_arrive(sim, link, &batch);
            rc = rc != 0 ? rc : each;
        }
        batch_add(sim, &batch, to, packet);
    }
    int each = batch_arrive(sim, link, &batch);
    return rc != 0 ? rc : each;
}

/* All that the link has to give at this moment goes into the bottleneck behind it. */
static int forward(tern_sim *sim, struct wire *wire)
{
    int rc = 0;
    for (struct tern_packet *packet; (packet = tern_link_take(wire->link, sim->now)) != NULL;) {
        int each = tern_link_send(wire->next, packet->data, packet->len, packet->ecn, packet->tag,
                                  sim->now);
        rc = rc != 0 ? rc : each;
        tern_link_give(wire->link, packet);
    }
    return rc;
}

static int deliver_all(tern_sim *sim)
{
    int rc = 0;
    for (size_t i = 0; i < sim->wire_count; i++) {
        struct wire *wire = &sim->wires[i];
        int each = wire->next != NULL ? forward(sim, wire) : deliver(sim, wire->link, wire->to);
        rc = rc != 0 ? rc : each;
    }
    for (size_t i = 0; i < sim->bottleneck_count; i++) {
        int each = deliver(sim, sim->bottlenecks[i], NULL);
        rc = rc != 0 ? rc : each;
    }
    return rc;
}

static void tick_hosts(tern_sim *sim)
{
    for (size_t i = 0; i < sim->host_count; i++) {
        tern_sim_host *host = sim->hosts[i];
        if (host_deadline(host) <= sim->now) {
            tern_endpoint_tick(host->endpoint, sim->now);
            host->touched = true;
        }
    }
}

static int transmit_touched(tern_sim *sim)
{
    int rc = 0;
    for (size_t i = 0; i < sim->host_count; i++) {
        tern_sim_host *host = sim->hosts[i];
        if (!host->touched) {
            continue;
        }
        int each = host_transmit(sim, host);
        rc = rc != 0 ? rc : each;
        host->touched = false;
        bool is_late = tern_endpoint_deadline(host->endpoint) <= sim->now;
        host->not_before = is_late ? sim->now + LEAST_STEP : 0;
    }
    return rc;
}

int tern_sim_step(tern_sim *sim, tern_time until)
{
    int rc = tern_sim_flush(sim);
    tern_time next = next_moment(sim);
    if (next == TERN_TIME_NEVER || next > until) {
        if (until != TERN_TIME_NEVER && until > sim->now) {
            sim->now = until;
        }
        return rc;
    }
    sim->now = next;
    int arrived = deliver_all(sim);
    rc = rc != 0 ? rc : arrived;
    tick_hosts(sim);
    int each = transmit_touched(sim);
    rc = rc != 0 ? rc : each;
    return rc != 0 ? rc : 1;
}

/* --- the rest --- */

tern_time tern_sim_now(const tern_sim *sim)
{
    return sim->now;
}

uint64_t tern_sim_hash(const tern_sim *sim)
{
    return sim->hash;
}

void tern_sim_tap(tern_sim *sim, tern_sim_tap_fn tap, void *user)
{
    sim->tap = tap;
    sim->tap_user = user;
}

uint64_t tern_sim_random(tern_sim *sim)
{
    return tern_chance_next(&sim->chance);
}

uint64_t tern_sim_random_below(tern_sim *sim, uint64_t n)
{
    return tern_chance_below(&sim->chance, n);
}
