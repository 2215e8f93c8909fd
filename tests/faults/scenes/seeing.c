/* SPDX-License-Identifier: MIT
 *
 * Dumps, to a stream and at a signal, and figures.
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
