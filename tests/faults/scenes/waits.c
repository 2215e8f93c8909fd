/* SPDX-License-Identifier: MIT
 *
 * Every wait of a task: it succeeds, or says why not, and has taken nothing. With and without
 * WEFT_MIGRATE. Threads outside pools wait without any of it.
 */
#include "tests/faults/scene.h"

#include <fcntl.h>
#include <poll.h>

static struct {
        weft_mutex mutex;
        weft_semaphore semaphore;
        weft_event event;
        weft_channel *channel;
        int pipe[2];
        atomic_int inside;
} it;

static int late(int r)
{
        return r == -ETIMEDOUT ? 0 : r;
}

static int locks(void *unused)
{
        (void)unused;
        for (int i = 0; i < 5; i++) {
                if (TRY(weft_mutex_lock(&it.mutex, WEFT_FOREVER), -ENOMEM) < 0)
                        continue;
                cr_assert_eq(atomic_fetch_add(&it.inside, 1), 0);
                TRY(weft_yield(), -ENOMEM);
                atomic_fetch_sub(&it.inside, 1);
                MUST(weft_mutex_unlock(&it.mutex));
        }
        return 0;
}

static int posts(void *unused)
{
        (void)unused;
        TRY(weft_sleep_until(scene_ms(1)), -ENOMEM);
        MUST(weft_semaphore_post(&it.semaphore));
        MUST(weft_event_set(&it.event));
        TRY(weft_channel_send(it.channel, &it, WEFT_FOREVER), -ENOMEM);
        return 0;
}

static int waits(void *unused)
{
        char item;
        (void)unused;
        TRY(late(weft_semaphore_wait(&it.semaphore, scene_ms(20))), -ENOMEM);
        TRY(late(weft_event_wait(&it.event, scene_ms(20))), -ENOMEM);
        TRY(late(weft_channel_receive(it.channel, &item, scene_ms(20))), -ENOMEM);
        return 0;
}

static int blocks(void *ran)
{
        usleep(500);
        *(bool *)ran = true;
        return 4;
}

static int calls(void *unused)
{
        bool ran = false;
        (void)unused;
        int r = TRY(weft_blocking(blocks, &ran), -ENOMEM, -EAGAIN);
        cr_assert_eq(ran, r == 4);
        return 0;
}

static int reads(void *unused)
{
        char byte;
        (void)unused;
        int r =
            TRY(late(weft_wait_fd(it.pipe[0], POLLIN, scene_ms(30))), -ENOMEM, -EMFILE, -EAGAIN);
        cr_assert(r <= 0 || r & POLLIN);
        if (r > 0) /* the other reader may have been quicker */
                cr_assert(read(it.pipe[0], &byte, 1) >= 0 || errno == EAGAIN);
        return 0;
}

static int writes(void *unused)
{
        (void)unused;
        TRY(weft_sleep_until(scene_ms(2)), -ENOMEM);
        TRY(weft_wait_fd(it.pipe[1], POLLOUT, WEFT_FOREVER), -ENOMEM, -EMFILE, -EAGAIN);
        return write(it.pipe[1], "xx", 2) < 0 ? -EIO : 0;
}

static int within_a_deadline(void *unused)
{
        weft_event never;
        bool entered = false;
        (void)unused;
        weft_event_init(&never);
        WEFT_DEADLINE (scene_ms(3)) {
                entered = true;
                TRY(late(weft_event_wait(&never, WEFT_FOREVER)), -ENOMEM);
                WEFT_SHIELD {
                        MUST(weft_cancelled());
                }
        }
        cr_assert(entered || scene_disturbed());
        return 0;
}

static weft_fn *const fns[] = {locks, locks, posts, waits,  calls,
                               calls, reads, reads, writes, within_a_deadline};
enum { FNS = sizeof(fns) / sizeof(fns[0]) };

static void all(unsigned flags)
{
        weft_pool *pool = scene_pool(2, flags);
        weft_task *task[FNS];
        int n = 0;
        if (!pool)
                return;
        weft_mutex_init(&it.mutex);
        weft_semaphore_init(&it.semaphore, 0);
        weft_event_init(&it.event);
        it.channel = NULL;
        cr_assert_eq(pipe2(it.pipe, O_NONBLOCK), 0);
        if (TRY(weft_channel_create(&it.channel, 1, 1), -ENOMEM) == 0) {
                for (int i = 0; i < FNS; i++)
                        n += TRY(weft_spawn(pool, &task[n], fns[i], NULL), -ENOMEM) == 0;
                for (int i = 0; i < n; i++) {
                        MUST(weft_await(task[i], WEFT_FOREVER));
                        weft_task_unref(task[i]);
                }
                weft_channel_destroy(it.channel);
        }
        scene_usable(pool);
        weft_pool_destroy(pool);
        close(it.pipe[0]);
        close(it.pipe[1]);
}

SCENE(waits, all)
{
        all(0);
}

SCENE(waits, all_where_tasks_migrate)
{
        all(WEFT_MIGRATE);
}

/* ---- one that is closed while it is waited for ---- */

static int waits_for_the_end(void *fd)
{
        TRY(weft_wait_fd(*(int *)fd, POLLIN, WEFT_FOREVER) == -EBADF ? 0 : -EPROTO, -EPROTO);
        return 0;
}

SCENE(waits, descriptor_that_is_closed)
{
        weft_pool *pool = scene_pool(1, 0);
        weft_task *task[2];
        int ends[2], n = 0;
        if (!pool)
                return;
        cr_assert_eq(pipe2(ends, O_NONBLOCK), 0);
        for (int i = 0; i < 2; i++)
                n += TRY(weft_spawn(pool, &task[n], waits_for_the_end, &ends[0]), -ENOMEM) == 0;
        usleep(3000);
        TRY(weft_close(ends[0]), -EIO);
        for (int i = 0; i < n; i++) {
                TRY(weft_await(task[i], WEFT_FOREVER), -EPROTO);
                weft_task_unref(task[i]);
        }
        close(ends[1]);
        scene_usable(pool);
        weft_pool_destroy(pool);
}

/* ---- on a thread outside ---- */

SCENE(waits, outside)
{
        int ends[2];
        weft_event event;
        weft_event_init(&event);
        cr_assert_eq(pipe(ends), 0);
        TRY(late(weft_wait_fd(ends[0], POLLIN, scene_ms(1))), -ENOMEM);
        TRY(weft_wait_fd(ends[1], POLLOUT, scene_ms(1)), -ENOMEM);
        cr_assert_eq(weft_event_wait(&event, scene_ms(1)), -ETIMEDOUT);
        MUST(weft_sleep_until(scene_ms(1)));
        MUST(weft_yield());
        bool ran = false;
        cr_assert_eq(weft_blocking(blocks, &ran), 4);
        TRY(weft_close(ends[0]), -EIO);
        TRY(weft_close(ends[1]), -EIO);
}
