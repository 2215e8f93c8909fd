/* SPDX-License-Identifier: MIT
 *
 * What all scenes share: see scene.h.
 */
#include "scene.h"

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>

#include "inject.h"

bool scene_disturbed(void)
{
        const struct faults_state *s = faults_state();
        return (s->for_good || !atomic_load(&s->lifted)) && atomic_load(&s->injected);
}

int scene_try(const char *file, int line, const char *text, int result, const int *errors)
{
        if (result >= 0)
                return result;
        while (*errors && *errors != result)
                errors++;
        if (!*errors || !scene_disturbed())
                run_ended(file, line, text, "%s%s", weft_err_name(result),
                          *errors ? ", and nothing has failed" : ", which it does not tell of");
        return result;
}

/* ---- pools ---- */

weft_pool *scene_pool(unsigned workers, unsigned flags)
{
        weft_pool *const untouched = (weft_pool *)&workers;
        weft_pool *pool = untouched;
        weft_pool_options o = {
            .size = sizeof(o), .workers = workers, .name = "scene", .flags = flags};
        if (TRY(weft_pool_create(&pool, &o), -ENOMEM, -EAGAIN) == 0)
                return pool;
        cr_assert_eq(pool, untouched);
        return NULL;
}

static int answer(void *arg)
{
        return *(int *)arg;
}

static int rests(void *arg)
{
        MUST(weft_sleep_until(scene_ms(1)));
        atomic_fetch_add((atomic_int *)arg, 1);
        return 0;
}

void scene_usable(weft_pool *pool)
{
        struct faults_state *s = faults_state();
        int n = 7;
        atomic_int rested = 0;
        weft_task *task;
        weft_group group;

        atomic_store(&s->lifted, true);
        MUST(weft_spawn(pool, &task, answer, &n));
        cr_assert_eq(weft_await(task, WEFT_FOREVER), 7);
        weft_task_unref(task);
        MUST(weft_group_init(&group, pool));
        for (int i = 0; i < 20; i++)
                MUST(weft_group_spawn(&group, rests, &rested));
        MUST(weft_group_wait(&group, WEFT_FOREVER));
        weft_group_fini(&group);
        cr_assert_eq(atomic_load(&rested), 20);
        atomic_store(&s->lifted, false);
}

/* ---- folders ---- */

void scene_folder(char *path, size_t size)
{
        const char *under = getenv("TMPDIR");
        snprintf(path, size, "%s/weft-faults-XXXXXX", under ? under : P_tmpdir);
        cr_assert_not_null(mkdtemp(path));
}

static int remove_one(const char *path, const struct stat *s, int type, struct FTW *at)
{
        (void)s;
        (void)type;
        (void)at;
        return remove(path);
}

void scene_folder_remove(const char *path)
{
        nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* ---- rounds ---- */

/* Those of the scenes' own pools; others are the process's for good. */
static int threads_of_pools(void)
{
        char path[300], name[32];
        int n = 0;
        DIR *d = opendir("/proc/self/task");
        for (struct dirent *e; d && (e = readdir(d));) {
                snprintf(path, sizeof(path), "/proc/self/task/%s/comm", e->d_name);
                FILE *f = fopen(path, "r");
                if (!f)
                        continue;
                n += fgets(name, sizeof(name), f) && strncmp(name, "scene-", 6) == 0;
                fclose(f);
        }
        if (d)
                closedir(d);
        return n;
}

void scene_play(void (*scene)(void))
{
        struct faults_state *s = faults_state();
        scene();
        atomic_store(&s->lifted, true);
        scene();
        int threads = 1;
        for (int i = 0; i < 1000 && (threads = threads_of_pools()); i++)
                usleep(1000); /* one that was joined may be seen for a moment yet */
        cr_assert_eq(threads, 0, "a thread is left");
        faults_tell();
}
