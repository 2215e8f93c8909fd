/* SPDX-License-Identifier: MIT
 *
 * The hazards: see hazards.h.
 *
 * Each scenario has pools of its own, and most have a single worker, so that the order of its tasks
 * is the order of its waits. A value is a request id; what is read is compared with what a reader
 * of the code would expect: the value that was current where the task was submitted, or that the
 * task itself made current last.
 *
 * A tally is written by one task at a time, each of which has ended before the next one begins or
 * is read.
 */
#include "hazards.h"

#include <semaphore.h>

#include <weft/weft.h>

#include "terminal.h"

#define ROUNDS  32
#define NOTHING ((struct scope){0})

/* What every scenario needs. */
struct stage {
        const struct scoping *scoping;
        struct tally *tally;
        weft_pool *pool;
        weft_group group;
};

static int stage_open(struct stage *stage, unsigned workers)
{
        weft_pool_options options = {.size = sizeof(options), .workers = workers, .name = "hazard"};
        int r = weft_pool_create(&stage->pool, &options);
        return r ? r : weft_group_init(&stage->group, stage->pool);
}

static void stage_close(struct stage *stage)
{
        if (!stage->pool)
                return;
        weft_group_fini(&stage->group);
        weft_pool_destroy(stage->pool);
}

static void make_current(const struct stage *stage, int request)
{
        stage->scoping->set((struct scope){.request = request});
}

static void read_current(const struct stage *stage, int expected)
{
        stage->tally->of++;
        stage->tally->wrong += stage->scoping->get().request != expected;
}

/* Submit a task and wait for it. */
static int call(struct stage *stage, weft_fn *fn, void *arg)
{
        int r = scoping_spawn(stage->scoping, &stage->group, fn, arg);
        return r ? r : weft_group_wait(&stage->group, WEFT_FOREVER);
}

/* Hand a request in from outside the pool, as its scoping does that, and wait for its task. */
static int arrive(struct stage *stage, weft_fn *fn, void *arg, int request)
{
        if (!stage->scoping->set_in_worker)
                make_current(stage, request);
        int r = call(stage, fn, arg);
        stage->scoping->set(NOTHING);
        return r;
}

/* ... and the first thing that this task does. */
static void begin_request(struct stage *stage, int request)
{
        if (stage->scoping->set_in_worker)
                make_current(stage, request);
}

/* ---- not inherited: a request's task submits another, which runs on the other worker ---- */

struct inherit {
        struct stage stage;
        int request;
        sem_t read;
};

static int inherit_child(void *arg)
{
        struct inherit *s = arg;
        read_current(&s->stage, s->request);
        sem_post(&s->read);
        return 0;
}

static int inherit_parent(void *arg)
{
        struct inherit *s = arg;
        begin_request(&s->stage, s->request);
        int r = scoping_spawn(s->stage.scoping, &s->stage.group, inherit_child, s);
        if (!r)
                sem_wait(&s->read); /* holds this worker, so the other one must run the child */
        return r;
}

static int not_inherited(const struct scoping *scoping, struct tally *tally)
{
        int r = 0;
        for (int i = 0; i < ROUNDS && !r; i++) { /* a new pool each time: nobody has been here */
                struct inherit s = {.stage = {.scoping = scoping, .tally = tally},
                                    .request = 1 + i};
                sem_init(&s.read, 0, 0);
                r = stage_open(&s.stage, 2);
                if (!r)
                        r = arrive(&s.stage, inherit_parent, &s, s.request);
                stage_close(&s.stage);
                sem_destroy(&s.read);
        }
        return r;
}

/* ---- stale: after a request's task, one that belongs to none runs on the same worker ---- */

struct stale {
        struct stage stage;
        int request;
};

static int stale_request(void *arg)
{
        struct stale *s = arg;
        begin_request(&s->stage, s->request);
        return 0;
}

static int stale_unrelated(void *arg)
{
        struct stale *s = arg;
        read_current(&s->stage, 0);
        return 0;
}

static int stale(const struct scoping *scoping, struct tally *tally)
{
        struct stale s = {.stage = {.scoping = scoping, .tally = tally}};
        int r = stage_open(&s.stage, 1);
        for (int i = 0; i < ROUNDS && !r; i++) {
                s.request = 1 + i;
                r = arrive(&s.stage, stale_request, &s, s.request);
                if (!r)
                        r = call(&s.stage, stale_unrelated, &s);
        }
        stage_close(&s.stage);
        return r;
}

/* ---- changed after submit: a task makes each request current in turn and submits its task ---- */

struct change {
        struct stage stage;
        struct change_child {
                struct change *all;
                int request;
        } children[ROUNDS];
};

static int change_child(void *arg)
{
        struct change_child *child = arg;
        read_current(&child->all->stage, child->request);
        return 0;
}

static int change_submitter(void *arg)
{
        struct change *s = arg;
        int r = 0;
        for (int i = 0; i < ROUNDS && !r; i++) {
                s->children[i] = (struct change_child){s, 1 + i};
                make_current(&s->stage, 1 + i);
                r = scoping_spawn(s->stage.scoping, &s->stage.group, change_child, &s->children[i]);
        }
        make_current(&s->stage, 1 + ROUNDS); /* the only worker is here: no child has run yet */
        return r;
}

static int changed_after_submit(const struct scoping *scoping, struct tally *tally)
{
        struct change s = {.stage = {.scoping = scoping, .tally = tally}};
        int r = stage_open(&s.stage, 1);
        if (!r)
                r = call(&s.stage, change_submitter, &s);
        stage_close(&s.stage);
        return r;
}

/* ---- leaks back: a task's child makes another request current, and the task waits for it ---- */

struct leak {
        struct stage stage;
        int request;
};

static int leak_child(void *arg)
{
        struct leak *s = arg;
        make_current(&s->stage, s->request + 1);
        return 0;
}

static int leak_parent(void *arg)
{
        struct leak *s = arg;
        weft_group children;
        make_current(&s->stage, s->request);
        int r = weft_group_init(&children, NULL);
        if (r)
                return r;
        r = scoping_spawn(s->stage.scoping, &children, leak_child, s);
        if (!r)
                r = weft_group_wait(&children, WEFT_FOREVER);
        weft_group_fini(&children);
        read_current(&s->stage, s->request);
        return r;
}

static int leaks_back(const struct scoping *scoping, struct tally *tally)
{
        struct leak s = {.stage = {.scoping = scoping, .tally = tally}};
        int r = stage_open(&s.stage, 1);
        for (int i = 0; i < ROUNDS && !r; i++) {
                s.request = 1 + 2 * i;
                r = call(&s.stage, leak_parent, &s);
        }
        stage_close(&s.stage);
        return r;
}

/* ---- waits: a task waits, another request's task runs meanwhile, and waits too ----
 *
 * The first is resumed while the second is still in its wait; then the second. What they wait for
 * are gates: tasks of a pool beside, that end when they are let. */

struct waiter {
        struct waits *all;
        int request;
        sem_t arrived; /* it is about to wait */
        sem_t resumed; /* it has waited and read */
        sem_t let;     /* ends the gate */
        weft_task *gate;
};

struct waits {
        struct stage stage;
        struct waiter first, second;
};

static int gate(void *arg)
{
        struct waiter *w = arg;
        sem_wait(&w->let);
        return 0;
}

static int wait_at_gate(void *arg)
{
        struct waiter *w = arg;
        make_current(&w->all->stage, w->request);
        sem_post(&w->arrived);
        int r = weft_await(w->gate, WEFT_FOREVER);
        read_current(&w->all->stage, w->request);
        sem_post(&w->resumed);
        return r;
}

static int waiter_init(struct waiter *w, struct waits *all, weft_pool *gates, int request)
{
        *w = (struct waiter){.all = all, .request = request};
        sem_init(&w->arrived, 0, 0);
        sem_init(&w->resumed, 0, 0);
        sem_init(&w->let, 0, 0);
        return weft_spawn(gates, &w->gate, gate, w);
}

/* Its task has ended, or was never submitted. */
static void waiter_fini(struct waiter *w)
{
        weft_task_unref(w->gate);
        sem_destroy(&w->arrived);
        sem_destroy(&w->resumed);
        sem_destroy(&w->let);
}

static int waiter_start(struct waiter *w)
{
        int r = scoping_spawn(w->all->stage.scoping, &w->all->stage.group, wait_at_gate, w);
        if (!r)
                sem_wait(&w->arrived);
        return r;
}

static void waiter_let(struct waiter *w, bool started)
{
        sem_post(&w->let);
        if (started)
                sem_wait(&w->resumed);
}

static int wait_round(struct waits *s, weft_pool *gates, int request)
{
        int first = waiter_init(&s->first, s, gates, request);
        int second = waiter_init(&s->second, s, gates, request + 1);
        int r = first ? first : second;
        bool first_started = !r && !(r = waiter_start(&s->first));
        bool second_started = !r && !(r = waiter_start(&s->second));
        waiter_let(&s->first, first_started);
        waiter_let(&s->second, second_started);
        int waited = weft_group_wait(&s->stage.group, WEFT_FOREVER);
        if (!first)
                weft_await(s->first.gate, WEFT_FOREVER);
        if (!second)
                weft_await(s->second.gate, WEFT_FOREVER);
        waiter_fini(&s->first);
        waiter_fini(&s->second);
        return r ? r : waited;
}

static int sees_anothers(const struct scoping *scoping, struct tally *tally)
{
        struct waits s = {.stage = {.scoping = scoping, .tally = tally}};
        weft_pool_options options = {.size = sizeof(options), .workers = 2, .name = "gates"};
        weft_pool *gates;
        int r = weft_pool_create(&gates, &options);
        if (r)
                return r;
        r = stage_open(&s.stage, 1);
        for (int i = 0; i < ROUNDS / 2 && !r; i++)
                r = wait_round(&s, gates, 1 + 2 * i);
        stage_close(&s.stage);
        weft_pool_destroy(gates);
        return r;
}

#define BIT(scoping) (1u << (scoping))

const struct hazard hazards[HAZARDS] = {
    {
        .name = "not inherited",
        .what = "A request's task submits another task, which runs on another worker.",
        .provoked_in = BIT(BY_SUBMITTER) | BIT(IN_WORKER),
        .provoke = not_inherited,
    },
    {
        .name = "stale from the last job",
        .what = "A task that belongs to no request runs where a request's task ran before.",
        .provoked_in = BIT(IN_WORKER),
        .provoke = stale,
    },
    {
        .name = "the submitter changes it after submit",
        .what = "A task submits tasks for one request after the other; then they run.",
        .provoked_in = BIT(BY_SUBMITTER) | BIT(IN_WORKER),
        .provoke = changed_after_submit,
    },
    {
        .name = "the child's change leaks back",
        .what = "A task waits for its child, which has made another request current for itself.",
        .provoked_in = BIT(BY_SUBMITTER) | BIT(IN_WORKER),
        .provoke = leaks_back,
    },
    {
        .name = "a task that waits sees another's",
        .what = "A task waits, and another request's task runs on its worker and waits too.",
        .provoked_in = BIT(BY_SUBMITTER) | BIT(IN_WORKER) | BIT(BY_HAND),
        .provoke = sees_anothers,
    },
};

int hazard_run(const struct hazard *hazard, const struct scoping *scoping, struct tally *ret)
{
        struct tally tally = {0};
        int r = hazard->provoke(scoping, &tally);
        if (r < 0)
                return complain("cannot provoke \"%s\": %s", hazard->name, weft_strerror(r));
        *ret = tally;
        return 0;
}
