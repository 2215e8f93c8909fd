/* SPDX-License-Identifier: MIT
 *
 * A C library as test_weft.py finds one: vars of its own, functions that read and set them, and
 * that call back, in tasks of a pool and otherwise.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/weft.h>

#define API __attribute__((visibility("default")))

API weft_var app_user = WEFT_VAR_INIT("user", .fallback = "nobody");
API weft_var app_note = WEFT_VAR_INIT("note", .release = free);
API weft_var app_level = WEFT_VAR_INIT("level");

/* The pool is never shut down. */
static weft_pool *pool;

/* For structures that Python has a copy of. */
API const size_t app_sizes[] = {sizeof(weft_var), offsetof(weft_var, weft__key),
                                sizeof(weft_token)};

API int app_begin(void)
{
        weft_pool_options options = {.workers = 2, .stack_size = 1 << 20};
        return pool ? 0 : weft_pool_create(&pool, &options);
}

API const char *app_whoami(void)
{
        return weft_get(&app_user);
}

API void app_audit(void)
{
        puts(app_whoami());
        fflush(stdout);
}

API int app_login(const char *name)
{
        return weft_set(&app_user, strdup(name), NULL); /* which is kept */
}

API const char *app_noted(void)
{
        return weft_get(&app_note);
}

API int app_write(const char *note)
{
        return weft_set(&app_note, strdup(note), NULL);
}

static weft_token level_before;

API int app_raise(intptr_t level)
{
        return weft_set(&app_level, (void *)level, &level_before);
}

API int app_lower(void)
{
        return weft_reset(&app_level, &level_before);
}

API intptr_t app_height(void)
{
        return (intptr_t)weft_get(&app_level);
}

/* What var is bound to in weft's frame, or NULL. */
API const char *app_text(weft_var *var)
{
        void *value;
        return weft_lookup(var, &value) == 0 ? value : NULL;
}

API int app_call(weft_fn *fn)
{
        return fn(NULL);
}

static int run(weft_fn *fn, void *arg)
{
        weft_task *task;
        int r = weft_spawn(pool, &task, fn, arg);
        if (r < 0)
                return r;
        r = weft_await(task, WEFT_FOREVER);
        weft_task_unref(task);
        return r;
}

/* A task that only calls back: what it calls must not wait. */
API int app_short_task(weft_fn *fn)
{
        return run(fn, NULL);
}

/* A task that calls back as Python wants it: on a thread that blocks when it waits. */
static int calls(void *fn)
{
        return weft_blocking(*(weft_fn **)fn, NULL);
}

API int app_task(weft_fn *fn)
{
        return run(calls, &fn);
}

API int app_task_as(const char *name, weft_fn *fn)
{
        WEFT_WITH (&app_user, (void *)name)
                return app_task(fn);
        return -ENOMEM;
}

static int tells_who(void *arg)
{
        (void)arg;
        return app_whoami()[0];
}

API int app_who_in_a_task(void)
{
        return run(tells_who, NULL);
}

API int app_sleep(int ms)
{
        return weft_sleep_until(weft_now() + ms * INT64_C(1000000));
}

/* As many tasks at once, each with a level of its own from 1 on, in all of which fn has to return
 * that. How many did not. */
API int app_tasks(int n, weft_fn *fn)
{
        weft_group group;
        int results[64] = {0}, wrong = 0;
        if (n > 64 || weft_group_init(&group, pool) < 0)
                return -1;
        for (int i = 0; i < n; i++)
                WEFT_WITH (&app_level, (void *)(intptr_t)(i + 1))
                        weft_group_spawn_into(&group, &results[i], calls, &fn);
        weft_group_wait(&group, WEFT_FOREVER);
        weft_group_fini(&group);
        for (int i = 0; i < n; i++)
                wrong += results[i] != i + 1;
        return wrong;
}

/* A task that calls back, and then looks who it is. */
static int calls_and_tells(void *fn)
{
        int r = calls(fn);
        return r < 0 ? r : app_whoami()[0];
}

API int app_who_after(weft_fn *fn)
{
        return run(calls_and_tells, &fn);
}

/* ---- contexts that C holds ---- */

API void *app_hold(void)
{
        return weft_context_capture();
}

static int drops(void *context)
{
        weft_context_unref(context);
        return 0;
}

API int app_drop_in_a_task(void *context)
{
        return run(drops, context);
}

/* Binds again what it finds there, and drops it, until told to stop: -1 if it was not there. */
static weft_var *rebound;
static int stops;

static int binds_again(void *arg)
{
        (void)arg;
        for (int i = 0; i < 200 || !__atomic_load_n(&stops, __ATOMIC_ACQUIRE); i++) {
                void *value = weft_get(rebound);
                weft_context *next;
                if (!value || weft_context_with(NULL, rebound, value, &next) < 0)
                        return -1;
                weft_context_unref(next);
                weft_yield();
        }
        return 0;
}

/* Four tasks for as long as fn runs, in the current context. */
API int app_bind_again(weft_var *var, weft_fn *fn)
{
        weft_group group;
        rebound = var;
        __atomic_store_n(&stops, 0, __ATOMIC_RELEASE);
        int r = weft_group_init(&group, pool);
        for (int i = 0; i < 4 && r >= 0; i++)
                r = weft_group_spawn(&group, binds_again, NULL);
        int called = fn(NULL);
        __atomic_store_n(&stops, 1, __ATOMIC_RELEASE);
        int waited = weft_group_wait(&group, WEFT_FOREVER);
        weft_group_fini(&group);
        return r < 0 ? r : called < 0 ? called : waited;
}

static int never_ends(void *arg)
{
        (void)arg;
        for (;;) {
                weft_context *next;
                if (weft_context_with(NULL, rebound, weft_get(rebound), &next) == 0)
                        weft_context_unref(next);
        }
        return 0;
}

/* A task that goes on binding and releasing until the process is gone. */
API int app_never_end(weft_var *var)
{
        rebound = var;
        return weft_submit(pool, never_ends, NULL);
}
