/* SPDX-License-Identifier: MIT
 *
 * The table of the hazards (see hazards.h), and the stage that their scenarios share. The scenarios
 * are in hazards_submit.c and hazards_wait.c.
 */
#include "hazards.h"

#include "stage.h"
#include "terminal.h"

int stage_open(struct stage *stage, unsigned workers, unsigned flags)
{
        weft_pool_options options = {
            .size = sizeof(options), .workers = workers, .name = "hazard", .flags = flags};
        int r = weft_pool_create(&stage->pool, &options);
        return r ? r : weft_group_init(&stage->group, stage->pool);
}

void stage_close(struct stage *stage)
{
        if (!stage->pool)
                return;
        weft_group_fini(&stage->group);
        weft_pool_destroy(stage->pool);
}

void make_current(const struct stage *stage, int request)
{
        stage->scoping->set((struct scope){.request = request});
}

void read_current(const struct stage *stage, int expected)
{
        stage->tally->of++;
        stage->tally->wrong += stage->scoping->get().request != expected;
}

int start(struct stage *stage, weft_fn *fn, void *arg)
{
        return scoping_spawn(stage->scoping, &stage->group, fn, arg);
}

int call(struct stage *stage, weft_fn *fn, void *arg)
{
        int r = start(stage, fn, arg);
        return r ? r : weft_group_wait(&stage->group, WEFT_FOREVER);
}

int start_request(struct stage *stage, weft_fn *fn, void *arg, int request)
{
        if (!stage->scoping->set_in_worker)
                make_current(stage, request);
        int r = start(stage, fn, arg);
        stage->scoping->set(NOTHING);
        return r;
}

int call_request(struct stage *stage, weft_fn *fn, void *arg, int request)
{
        int r = start_request(stage, fn, arg, request);
        return r ? r : weft_group_wait(&stage->group, WEFT_FOREVER);
}

void begin_request(const struct stage *stage, int request)
{
        if (stage->scoping->set_in_worker)
                make_current(stage, request);
}

void begin_rightly(const struct stage *stage, int request)
{
        if (stage->scoping->get().request != request)
                make_current(stage, request);
}

void hold_thread(sem_t *until)
{
        while (sem_wait(until))
                ;
}

#define BIT(scoping)     (1u << (scoping))
#define NOT_BY_HAND      (BIT(BY_SUBMITTER) | BIT(IN_WORKER))
#define ANY_THREAD_LOCAL (NOT_BY_HAND | BIT(BY_HAND))

const struct hazard hazards[HAZARDS] = {
    {
        .name = "not inherited",
        .what = "A request's task submits another task, which runs on another worker.",
        .provoked_in = NOT_BY_HAND,
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
        .provoked_in = NOT_BY_HAND,
        .provoke = changed_after_submit,
    },
    {
        .name = "the child's change leaks back",
        .what = "A task waits for its child, which has made another request current for itself.",
        .provoked_in = NOT_BY_HAND,
        .provoke = leaks_back,
    },
    {
        .name = "a task that waits sees another's",
        .what = "A task waits, and another request's task runs on its worker and waits too.",
        .provoked_in = ANY_THREAD_LOCAL,
        .provoke = sees_anothers,
    },
    {
        .name = "interleaved",
        .what = "Two requests take turns on one worker: each waits in its middle, and the other "
                "one runs there.",
        .provoked_in = ANY_THREAD_LOCAL,
        .provoke = interleaved,
    },
    {
        .name = "resumed elsewhere",
        .what = "A task waits, its worker is kept busy, and it goes on on another worker.",
        .provoked_in = ANY_THREAD_LOCAL,
        .provoke = resumed_elsewhere,
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
