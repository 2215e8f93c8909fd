/* SPDX-License-Identifier: MIT
 *
 * Calls functions that other processes serve (adapt_nats_worker), as tasks of this one: each in the
 * context of whoever submits it, and awaited as any other task.
 *
 *   adapt_nats_client nats://localhost:4222
 */
#include <stdio.h>
#include <weft/adapt/nats.h>
#include <weft/weft.h>

static weft_remote *remote;

/* A task that has another process greet its user. */
static int greet(void *user)
{
        weft_task *call;
        weft_remote_data reply;
        weft_baggage_set("user", user, NULL, NULL);
        int r = weft_remote_submit(remote, &call, "greet", "hello", 5, &reply);
        if (r < 0)
                return r;
        r = weft_await(call, WEFT_FOREVER); /* parked: a worker of ours does something else */
        weft_task_unref(call);
        if (r >= 0)
                printf("%s\n", (const char *)reply.data);
        weft_remote_data_free(&reply);
        return r;
}

/* Done once, however often this program is run: the second time, the record is found. */
static int welcome(void *arg)
{
        weft_task *call;
        weft_remote_data reply;
        (void)arg;
        int r = weft_remote_submit_once(remote, &call, "greet", "welcome-everybody", "welcome", 7,
                                        &reply);
        if (r < 0)
                return r;
        r = weft_await(call, WEFT_FOREVER);
        weft_task_unref(call);
        if (r >= 0)
                printf("%s\n", (const char *)reply.data);
        weft_remote_data_free(&reply);
        return r;
}

/* The other process is told when the time is up, and ends its task, too. */
static int ponder(void *arg)
{
        weft_task *call;
        int r = -ENOMEM;
        (void)arg;
        WEFT_DEADLINE (weft_now() + 500000000)
                r = weft_remote_submit(remote, &call, "ponder", NULL, 0, NULL);
        if (r < 0)
                return r;
        r = weft_await(call, WEFT_FOREVER);
        weft_task_unref(call);
        printf("ponder: %s\n", weft_strerror(r));
        return r == -ETIMEDOUT ? 0 : r;
}

int main(int argc, char **argv)
{
        weft_remote_options options = {.url = argc > 1 ? argv[1] : NULL};
        weft_group group;
        int r = weft_remote_open(&remote, &options);
        if (r < 0) {
                fprintf(stderr, "%s\n", weft_strerror(r));
                return 1;
        }
        weft_group_init(&group, NULL);
        weft_group_spawn(&group, greet, (char *)"ada");
        weft_group_spawn(&group, greet, (char *)"grace");
        weft_group_spawn(&group, welcome, NULL);
        weft_group_spawn(&group, ponder, NULL);
        r = weft_group_wait(&group, WEFT_FOREVER);
        weft_group_fini(&group);
        struct weft_remote_stats stats = {.size = sizeof(stats)};
        weft_remote_stats(remote, &stats);
        printf("%d calls\n", (int)stats.submitted);
        weft_remote_close(remote);
        return r < 0;
}
