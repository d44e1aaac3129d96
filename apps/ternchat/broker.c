/* The two connections, what waits for answers, and what is listened to.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "ternchat/broker.h"

#include <hiredis/adapters/libev.h>
#include <hiredis/async.h>
#include <netdb.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker_lua.h"
#include "shared/steady.h"

#define TICK      0.1 /* s */
#define PAUSE_MIN 0.1 /* s between attempts, doubled each time */
#define PAUSE_MAX 3.0
#define WAITING   20000 /* questions at most */
#define SHA       40

enum line_state { LINE_DOWN, LINE_CONNECTING, LINE_GREETING, LINE_UP };

/* One connection. */
struct line {
    struct broker *broker;
    redisAsyncContext *ac;
    enum line_state state;
    double pause;
    ev_tstamp next, since; /* when to try again; when the attempt began */
    bool is_listening;
    unsigned greetings; /* answers that are to come before it is up */
};

struct request {
    struct broker *broker;
    struct request *next, *prev; /* in the order of asking */
    char *command;
    size_t len;
    ev_tstamp deadline;      /* 0: none */
    bool is_sent, is_urgent; /* urgent: it is about one connection, and ends with that */
    broker_answer *answer;
    void *user;
};

struct channel {
    struct broker *broker;
    struct channel *next, **link;
    bool is_wanted, is_on, is_closing; /* closing: UNSUBSCRIBE left, its answer is not here */
    char name[];
};

struct broker {
    struct ev_loop *loop;
    struct broker_url url;
    struct broker_front front;
    char address[64]; /* of the host */
    char prefix[24], age[24];
    char sha[SHA + 1];
    struct line asking, listening;
    struct request *first, *last, *urgent; /* urgent: the last of those that go before all others */
    size_t waiting;
    bool is_greeting, is_ending;
    struct channel *channels;
    void *by_name;
    struct ev_timer ticker;
};

static void line_open(struct line *line);

/* --- questions --------------------------------------------------------------------------------------- */

void broker_word(struct broker_question *q, const void *data, size_t len)
{
    if (q->count < BROKER_WORDS) {
        q->words[q->count] = data;
        q->sizes[q->count++] = len;
    }
}

void broker_text(struct broker_question *q, const char *text)
{
    broker_word(q, text, strlen(text));
}

static void unlink_request(struct broker *b, struct request *r)
{
    b->urgent = b->urgent == r ? r->prev : b->urgent;
    if (b->first == r) {
        b->first = r->next;
    } else {
        r->prev->next = r->next;
    }
    if (b->last == r) {
        b->last = r->prev;
    } else {
        r->next->prev = r->prev;
    }
    b->waiting--;
}

/* Behind `after`; NULL: at the front. */
static void link_request(struct request *r, struct request *after)
{
    struct broker *b = r->broker;
    r->prev = after;
    r->next = after == NULL ? b->first : after->next;
    if (after == NULL) {
        b->first = r;
    } else {
        after->next = r;
    }
    if (r->next == NULL) {
        b->last = r;
    } else {
        r->next->prev = r;
    }
    b->waiting++;
}

static void finish(struct broker *b, struct request *r, const redisReply *reply)
{
    unlink_request(b, r);
    r->answer(r->user, reply);
    free(r->command);
    free(r);
}

static void on_reply(redisAsyncContext *ac, void *data, void *user);

/* The name of the script, which only the connection tells, has its place in the command already. */
static void send_request(struct request *r)
{
    struct broker *b = r->broker;
    char *sha = memmem(r->command, r->len, "$40\r\n", 5);
    memcpy(sha + 5, b->sha, SHA);
    r->is_sent =
        redisAsyncFormattedCommand(b->asking.ac, on_reply, r, r->command, r->len) == REDIS_OK;
}

bool broker_ask(struct broker *b, const uint8_t server[BROKER_ID], const struct broker_question *q,
                bool is_patient, broker_answer *answer, void *user)
{
    const char *words[BROKER_WORDS + 6];
    size_t sizes[BROKER_WORDS + 6];
    static const char sha[] = "0000000000000000000000000000000000000000";
    const char *front[] = {"EVALSHA",           sha, "0", q->words[0], b->prefix, b->age,
                           (const char *)server};
    struct request *r = b->waiting >= WAITING && !b->is_greeting ? NULL : calloc(1, sizeof *r);
    if (r == NULL) {
        return false;
    }
    for (size_t i = 0; i < 7; i++) {
        words[i] = front[i];
        sizes[i] = i == 3 ? q->sizes[0] : i == 6 ? BROKER_ID : strlen(front[i]);
    }
    memcpy(words + 7, q->words + 1, (q->count - 1) * sizeof words[0]);
    memcpy(sizes + 7, q->sizes + 1, (q->count - 1) * sizeof sizes[0]);
    int len = redisFormatCommandArgv(&r->command, (int)q->count + 6, words, sizes);
    if (len < 0) {
        free(r);
        return false;
    }
    r->broker = b;
    r->len = (size_t)len;
    r->deadline = is_patient ? 0 : steady_now() + BROKER_PATIENCE;
    r->is_urgent = b->is_greeting;
    r->answer = answer;
    r->user = user;
    link_request(r, b->is_greeting ? b->urgent : b->last);
    b->urgent = b->is_greeting ? r : b->urgent;
    if (b->asking.state == LINE_UP && !b->is_greeting) {
        send_request(r);
    }
    return true;
}

bool broker_is_idle(const struct broker *b)
{
    return b->first == NULL;
}

/* --- lines -------------------------------------------------------------------------------------------- */

static void down(struct line *line, const char *why)
{
    struct broker *b = line->broker;
    line->state = LINE_DOWN;
    line->ac = NULL;
    line->next = steady_now() + line->pause;
    line->pause = 2 * line->pause < PAUSE_MAX ? 2 * line->pause : PAUSE_MAX;
    for (struct channel *c = line->is_listening ? b->channels : NULL; c != NULL; c = c->next) {
        c->is_on = c->is_closing = false;
    }
    if (!b->is_ending) {
        b->front.on_down(b->front.user, why);
    }
}

/* Lets the connection go: its answers come as NULL, within this call or after it. */
static void hang_up(struct line *line, const char *why)
{
    redisAsyncContext *ac = line->ac;
    if (ac != NULL) {
        ac->data = NULL;
        down(line, why);
        redisAsyncFree(ac);
    }
}

static void on_reply(redisAsyncContext *ac, void *data, void *user)
{
    struct request *r = user;
    struct broker *b = r->broker;
    redisReply *reply = data;
    if (reply == NULL) { /* the connection is lost: it is asked again */
        r->is_sent = false;
        return;
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        char why[BROKER_WHY_SIZE];
        (void)snprintf(why, sizeof why, "%s", reply->str);
        bool is_passing = strncmp(why, "NOSCRIPT", 8) == 0 || strncmp(why, "LOADING", 7) == 0 ||
                          strncmp(why, "READONLY", 8) == 0 || strncmp(why, "MASTERDOWN", 10) == 0;
        if (is_passing && ac->data != NULL) {
            r->is_sent = false;
            hang_up(ac->data, why); /* a new one finds out what is the matter */
        } else if (!is_passing) {
            b->front.on_down(b->front.user, why);
            finish(b, r, NULL);
        } else {
            r->is_sent = false;
        }
    } else {
        b->asking.pause = PAUSE_MIN;
        finish(b, r, reply);
    }
    b->front.on_done(b->front.user);
}

static void on_channel(redisAsyncContext *ac, void *data, void *user);

static void subscribe(struct channel *c)
{
    struct line *line = &c->broker->listening;
    char name[256];
    (void)snprintf(name, sizeof name, "%s%s", c->broker->prefix, c->name);
    const char *words[] = {c->is_wanted ? "SUBSCRIBE" : "UNSUBSCRIBE", name};
    if (line->state == LINE_UP && !c->is_closing) {
        c->is_closing = !c->is_wanted;
        (void)redisAsyncCommandArgv(line->ac, c->is_wanted ? on_channel : NULL, c->broker, 2, words,
                                    NULL);
    }
}

static void drop_urgent(struct broker *b) /* they are in front of all others */
{
    while (b->first != NULL && b->first->is_urgent) {
        finish(b, b->first, NULL);
    }
    b->urgent = NULL;
}

static void on_greeted(redisAsyncContext *ac, void *data, void *user)
{
    struct line *line = user;
    struct broker *b = line->broker;
    const redisReply *reply = data;
    if (reply == NULL || ac->data == NULL) {
        return;
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        hang_up(line, reply->str);
        b->front.on_done(b->front.user);
        return;
    }
    if (reply->type == REDIS_REPLY_STRING && reply->len == SHA) {
        memcpy(b->sha, reply->str, SHA);
    }
    if (--line->greetings > 0) {
        return;
    }
    line->state = LINE_UP;
    if (line->is_listening) {
        line->pause = PAUSE_MIN;
        for (struct channel *c = b->channels; c != NULL; c = c->next) {
            subscribe(c);
        }
        return;
    }
    drop_urgent(b);
    b->is_greeting = true;
    b->front.on_up(b->front.user);
    b->is_greeting = false;
    for (struct request *r = b->first; r != NULL; r = r->next) {
        send_request(r);
    }
    b->front.on_done(b->front.user);
}

static void greet(struct line *line)
{
    struct broker *b = line->broker;
    char db[16];
    const char *select[] = {"SELECT", db};
    const char *auth[] = {"AUTH", b->url.user, b->url.password};
    const char *load[] = {"SCRIPT", "LOAD", (const char *)broker_lua};
    size_t load_sizes[] = {6, 4, sizeof broker_lua};
    line->state = LINE_GREETING;
    line->greetings = 1u + (b->url.password[0] != '\0' ? 1 : 0) + (line->is_listening ? 0 : 1);
    if (b->url.password[0] != '\0' && b->url.user[0] == '\0') {
        auth[1] = b->url.password;
    }
    if (b->url.password[0] != '\0') {
        (void)redisAsyncCommandArgv(line->ac, on_greeted, line, b->url.user[0] == '\0' ? 2 : 3,
                                    auth, NULL);
    }
    (void)snprintf(db, sizeof db, "%u", b->url.db);
    (void)redisAsyncCommandArgv(line->ac, on_greeted, line, 2, select, NULL);
    if (!line->is_listening) {
        (void)redisAsyncCommandArgv(line->ac, on_greeted, line, 3, load, load_sizes);
    }
}

static void on_connected(const redisAsyncContext *ac, int status)
{
    struct line *line = ac->data;
    if (line == NULL) {
        return;
    }
    if (status != REDIS_OK) {
        down(line, ac->errstr); /* it frees itself */
    } else {
        greet(line);
    }
}

static void on_disconnected(const redisAsyncContext *ac, int status)
{
    struct line *line = ac->data;
    (void)status;
    if (line != NULL) {
        down(line, ac->errstr == NULL || ac->errstr[0] == '\0' ? "it has ended" : ac->errstr);
    }
}

static void line_open(struct line *line)
{
    struct broker *b = line->broker;
    redisAsyncContext *ac = b->url.is_unix ? redisAsyncConnectUnix(b->url.place)
                                           : redisAsyncConnect(b->address, b->url.port);
    line->since = steady_now();
    if (ac == NULL || ac->err != 0) {
        down(line, ac == NULL ? "out of memory" : ac->errstr);
        if (ac != NULL) {
            redisAsyncFree(ac);
        }
        return;
    }
    ac->data = line;
    line->ac = ac;
    line->state = LINE_CONNECTING;
    (void)redisLibevAttach(b->loop, ac);
    (void)redisAsyncSetConnectCallback(ac, on_connected);
    (void)redisAsyncSetDisconnectCallback(ac, on_disconnected);
}

static void tend(struct line *line)
{
    ev_tstamp now = steady_now();
    if (line->state == LINE_DOWN && now >= line->next) {
        line_open(line);
    } else if (line->state != LINE_DOWN && line->state != LINE_UP &&
               now - line->since > BROKER_PATIENCE) {
        hang_up(line, "no answer");
    }
}

/* The first that such a function picks; NULL: none. */
static struct request *pick(const struct broker *b, bool (*is_it)(const struct request *r))
{
    struct request *r = b->first;
    while (r != NULL && !is_it(r)) {
        r = r->next;
    }
    return r;
}

static bool is_overdue(const struct request *r)
{
    return r->deadline != 0 && r->deadline <= steady_now();
}

static bool is_unanswered(const struct request *r)
{
    return r->is_sent && is_overdue(r);
}

static bool is_unsent(const struct request *r)
{
    return !r->is_sent && is_overdue(r);
}

static void on_tick(struct ev_loop *loop, struct ev_timer *timer, int events)
{
    struct broker *b = timer->data;
    (void)loop;
    (void)events;
    if (pick(b, is_unanswered) != NULL) { /* it may be done still: numbers and leases see to that */
        hang_up(&b->asking, "no answer");
    }
    for (struct request *r; (r = pick(b, is_unsent)) != NULL;) {
        finish(b, r, NULL);
    }
    tend(&b->asking);
    tend(&b->listening);
    b->front.on_done(b->front.user);
}

/* --- channels ----------------------------------------------------------------------------------------- */

static int compare_channels(const void *a, const void *b)
{
    const struct channel *c = a, *d = b;
    return strcmp(c->name, d->name);
}

static struct channel *find_channel(const struct broker *b, const char *name)
{
    struct channel *like = malloc(sizeof *like + strlen(name) + 1);
    if (like == NULL) {
        return NULL;
    }
    memcpy(like->name, name, strlen(name) + 1);
    struct channel **found = tfind(like, &b->by_name, compare_channels);
    free(like);
    return found == NULL ? NULL : *found;
}

static void drop_channel(struct channel *c)
{
    (void)tdelete(c, &c->broker->by_name, compare_channels);
    *c->link = c->next;
    if (c->next != NULL) {
        c->next->link = c->link;
    }
    free(c);
}

bool broker_listen(struct broker *b, const char *name)
{
    struct channel *c = find_channel(b, name);
    if (c == NULL) {
        c = calloc(1, sizeof *c + strlen(name) + 1);
        if (c == NULL) {
            return false;
        }
        c->broker = b;
        memcpy(c->name, name, strlen(name) + 1);
        if (tsearch(c, &b->by_name, compare_channels) == NULL) {
            free(c);
            return false;
        }
        c->next = b->channels;
        c->link = &b->channels;
        if (c->next != NULL) {
            c->next->link = &c->next;
        }
        b->channels = c;
    }
    if (!c->is_wanted) {
        c->is_wanted = true;
        subscribe(c);
    }
    return true;
}

void broker_unlisten(struct broker *b, const char *name)
{
    struct channel *c = find_channel(b, name);
    if (c == NULL || !c->is_wanted) {
        return;
    }
    c->is_wanted = false;
    subscribe(c);
    if (!c->is_closing) { /* not connected: there is nothing to undo */
        drop_channel(c);
    }
}

void broker_renew(struct broker *b)
{
    if (b->asking.state == LINE_UP) {
        hang_up(&b->asking, "it has forgotten us");
    }
}

void broker_on_silence(struct broker *b)
{
    if (b->listening.state == LINE_UP) {
        hang_up(&b->listening, "it says nothing any more");
    }
}

/* hiredis forgets the channel with the answer to UNSUBSCRIBE: who wants it again must wait for that. */
static void on_closed(struct broker *b, struct channel *c)
{
    (void)b;
    c->is_closing = c->is_on = false;
    if (c->is_wanted) {
        subscribe(c);
    } else {
        drop_channel(c);
    }
}

static bool is_text(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_STRING;
}

static void on_channel(redisAsyncContext *ac, void *data, void *user)
{
    struct broker *b = user;
    const redisReply *reply = data;
    size_t skip = strlen(b->prefix);
    if (reply == NULL || ac->data == NULL || reply->type != REDIS_REPLY_ARRAY ||
        reply->elements != 3 || !is_text(reply->element[0]) || !is_text(reply->element[1]) ||
        (size_t)reply->element[1]->len < skip) {
        return;
    }
    const char *what = reply->element[0]->str, *name = reply->element[1]->str + skip;
    struct channel *c = find_channel(b, name);
    if (c == NULL) {
        return;
    }
    if (strcmp(what, "unsubscribe") == 0) {
        on_closed(b, c);
    } else if (strcmp(what, "subscribe") == 0) {
        c->is_on = true;
        if (c->is_wanted) {
            b->front.on_listening(b->front.user, name);
        }
    } else if (is_text(reply->element[2]) && c->is_wanted) {
        b->front.on_heard(b->front.user, name, (const uint8_t *)reply->element[2]->str,
                          (size_t)reply->element[2]->len);
    }
    b->front.on_done(b->front.user);
}

/* --- birth and death ---------------------------------------------------------------------------------- */

/* Once, since a look-up waits: a broker whose address changes is a new one. */
static bool resolve(struct broker *b, char why[BROKER_WHY_SIZE])
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    int rc = b->url.is_unix ? 0 : getaddrinfo(b->url.place, NULL, &hints, &found);
    if (rc == 0 && found != NULL) {
        rc = getnameinfo(found->ai_addr, found->ai_addrlen, b->address, sizeof b->address, NULL, 0,
                         NI_NUMERICHOST);
        freeaddrinfo(found);
    }
    if (rc != 0) {
        (void)snprintf(why, BROKER_WHY_SIZE, "%.150s: %.90s", b->url.place, gai_strerror(rc));
    }
    return rc == 0;
}

struct broker *broker_new(struct ev_loop *loop, const struct broker_url *url,
                          const struct broker_front *front, uint64_t age, char why[BROKER_WHY_SIZE])
{
    struct broker *b = calloc(1, sizeof *b);
    if (b == NULL) {
        (void)snprintf(why, BROKER_WHY_SIZE, "out of memory");
        return NULL;
    }
    b->loop = loop;
    b->url = *url;
    b->front = *front;
    if (!resolve(b, why)) {
        free(b);
        return NULL;
    }
    (void)snprintf(b->prefix, sizeof b->prefix, "tern:%u:", url->db);
    (void)snprintf(b->age, sizeof b->age, "%llu", (unsigned long long)age);
    b->asking = (struct line){.broker = b, .pause = PAUSE_MIN};
    b->listening = (struct line){.broker = b, .pause = PAUSE_MIN, .is_listening = true};
    ev_timer_init(&b->ticker, on_tick, 0, TICK);
    b->ticker.data = b;
    ev_timer_start(loop, &b->ticker);
    return b;
}

void broker_free(struct broker *b)
{
    if (b == NULL) {
        return;
    }
    b->is_ending = true;
    ev_timer_stop(b->loop, &b->ticker);
    hang_up(&b->asking, "");
    hang_up(&b->listening, "");
    while (b->first != NULL) {
        finish(b, b->first, NULL);
    }
    tdestroy(b->by_name, free);
    free(b);
}
