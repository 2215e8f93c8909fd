/* SPDX-License-Identifier: MIT
 *
 * The hazards of a submit: what a task finds that did not wait itself (see hazards.h).
 *
 * Each scenario has pools of its own, and most have a single worker, so that the order of its tasks
 * is the order of its waits.
 */
#include "stage.h"

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
                hold_thread(&s->read); /* holds this worker, so the other one must run the child */
        return r;
}

int not_inherited(const struct scoping *scoping, struct tally *tally)
{
        int r = 0;
        for (int i = 0; i < ROUNDS && !r; i++) { /* a new pool each time: nobody has been here */
                struct inherit s = {.stage = {.scoping = scoping, .tally = tally},
                                    .request = 1 + i};
                sem_init(&s.read, 0, 0);
                r = stage_open(&s.stage, 2, 0);
                if (!r)
                        r = call_request(&s.stage, inherit_parent, &s, s.request);
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

int stale(const struct scoping *scoping, struct tally *tally)
{
        struct stale s = {.stage = {.scoping = scoping, .tally = tally}};
        int r = stage_open(&s.stage, 1, 0);
        for (int i = 0; i < ROUNDS && !r; i++) {
                s.request = 1 + i;
                r = call_request(&s.stage, stale_request, &s, s.request);
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

int changed_after_submit(const struct scoping *scoping, struct tally *tally)
{
        struct change s = {.stage = {.scoping = scoping, .tally = tally}};
        int r = stage_open(&s.stage, 1, 0);
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

int leaks_back(const struct scoping *scoping, struct tally *tally)
{
        struct leak s = {.stage = {.scoping = scoping, .tally = tally}};
        int r = stage_open(&s.stage, 1, 0);
        for (int i = 0; i < ROUNDS && !r; i++) {
                s.request = 1 + 2 * i;
                r = call(&s.stage, leak_parent, &s);
        }
        stage_close(&s.stage);
        return r;
}
