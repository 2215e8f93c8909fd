/* SPDX-License-Identifier: MIT
 *
 * Records: started, written both ways, and by the environment, which has nobody to tell of an error
 * but standard error.
 */
#include "tests/faults/scene.h"

#include <stdio.h>
#include <stdlib.h>

static weft_var number = WEFT_VAR_INIT("number");

static int waits(void *unused)
{
        (void)unused;
        weft_yield();
        return 0;
}

/* A stream needs memory that is not the library's, so it is made before anything fails. */
static FILE *nowhere;

__attribute__((constructor)) static void open_nowhere(void)
{
        nowhere = fopen("/dev/null", "w");
}

static void use(weft_pool *pool)
{
        weft_task *task = NULL;
        TRY(weft_set(&number, (void *)7, NULL), -ENOMEM);
        for (int i = 0; i < 3; i++) {
                if (TRY(weft_spawn(pool, &task, waits, NULL), -ENOMEM) < 0)
                        continue;
                TRY(weft_await(task, WEFT_FOREVER), -ENOMEM);
                weft_task_unref(task);
        }
}

SCENE(records, written)
{
        const weft_record_options o = {.size = sizeof(o), .var = &number, .stretches = 16};
        weft_record *record = NULL;
        weft_pool *pool = scene_pool(2, 0);
        if (!pool)
                return;
        if (TRY(weft_record_start(pool, &record, &o), -ENOMEM) == 0) {
                use(pool);
                MUST(weft_record_stop(record));
                TRY(weft_record_write(record, nowhere, WEFT_RECORD_JSON), -ENOMEM);
                TRY(weft_record_write(record, nowhere, WEFT_RECORD_PAGE), -ENOMEM);
                weft_record_destroy(record);
        }
        scene_usable(pool);
        weft_pool_destroy(pool);
}

static void by_environment(const char *file)
{
        setenv("WEFT_RECORD", file, 1);
        setenv("WEFT_RECORD_VAR", "number", 1);
        weft_pool *pool = scene_pool(1, 0);
        if (pool) {
                use(pool);
                scene_usable(pool);
                weft_pool_destroy(pool);
        }
        unsetenv("WEFT_RECORD");
        unsetenv("WEFT_RECORD_VAR");
}

SCENE(records, by_environment)
{
        char folder[200], file[256];
        scene_folder(folder, sizeof(folder));
        snprintf(file, sizeof(file), "%s/a.html", folder);
        by_environment(file);
        scene_folder_remove(folder);
}
