/* SPDX-License-Identifier: MIT
 *
 * Dumps, to a stream and at a signal, figures, and the watchdog.
 */
#include "tests/faults/scene.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>

static int waits(void *event)
{
        return TRY(weft_event_wait(event, WEFT_FOREVER), -ENOMEM) < 0;
}

SCENE(seeing, dump)
{
        weft_event event;
        FILE *null = fopen("/dev/null", "w");
        weft_pool *pool = scene_pool(2, 0);
        weft_event_init(&event);
        for (int i = 0; pool && i < 3; i++)
                TRY(weft_submit(pool, waits, &event), -ENOMEM);
        TRY(weft_dump(null), -ENOMEM, -EMFILE, -EAGAIN);
        for (int how = WEFT_STATS_TEXT; how <= WEFT_STATS_PROMETHEUS; how++)
                TRY(weft_stats_write(null, how), -ENOMEM);
        weft_event_set(&event);
        if (pool)
                scene_usable(pool);
        weft_pool_destroy(pool);
        fclose(null);
}

static void ignore(const char *report, void *unused)
{
        (void)report;
        (void)unused;
}

/* A task that holds its worker, then one that waits for ever. */
static int holds_and_waits(void *event)
{
        usleep(30000);
        return TRY(weft_event_wait(event, WEFT_FOREVER), -ENOMEM) < 0;
}

SCENE(seeing, watch)
{
        weft_event event;
        weft_pool *pool = scene_pool(1, 0);
        weft_event_init(&event);
        if (pool)
                TRY(weft_submit(pool, holds_and_waits, &event), -ENOMEM);
        if (TRY(weft_watch_begin(2000000, ignore, NULL), -ENOMEM, -EAGAIN) == 0) {
                usleep(60000);
                MUST(weft_watch_end());
        }
        weft_event_set(&event);
        if (pool)
                scene_usable(pool);
        weft_pool_destroy(pool);
}

/* The thread that writes stays, and is that of the next call. */
SCENE(seeing, dump_on_signal)
{
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        if (TRY(weft_dump_on_signal(SIGUSR1, null), -ENOMEM, -EAGAIN) == 0) {
                raise(SIGUSR1);
                usleep(50000);
                MUST(weft_dump_on_signal(0, -1));
        }
        close(null);
}
