/* SPDX-License-Identifier: MIT
 *
 * The runs behind the pictures: see shots.h.
 */
#include "shots.h"

#include <stdlib.h>

#include "clients.h"
#include "work.h"

const struct shot shots[SHOTS] = {
    {
        .title = "Two requests on one thread",
        .what = "They take turns: while one waits, for its client or for a file, the other one "
                "runs. The lines below join the stretches of a task over its waits.",
        .requests = 2,
        .files = 2,
        .part = 1,
        .workers = 1,
        .close_up = true,
    },
    {
        .title = "Six requests",
        .what = "The same with more requests, more files at once, and more workers.",
        .requests = 6,
        .files = 6,
        .part = 2,
        .workers = 4,
    },
};

/* How many spans there will be: a request has one for its beginning and its end, and two for each
 * part, and a file's task has two. */
static size_t span_room(const struct shot *shot, size_t files)
{
        size_t parts = clients_parts(files, shot->requests, shot->part);
        return 2 * files + (size_t)shot->requests * (2 + 2 * parts);
}

static int take(const struct shot *shot, struct trace traces[SCOPINGS], const struct work *common,
                const struct scratch *scratch)
{
        int r = 0;
        for (int s = 0; s < SCOPINGS && !r; s++) {
                struct work work = *common;
                struct work_result result;
                work.scoping = &scopings[s];
                work.trace = &traces[s];
                r = trace_init(&traces[s], span_room(shot, work.tree->count), work.workers);
                if (!r)
                        r = work_run(&work, &result);
                scratch_clear(scratch);
        }
        return r;
}

int shots_take(struct trace traces[SHOTS][SCOPINGS], const struct tree *tree, unsigned workers,
               const struct scratch *scratch)
{
        int r = 0;
        for (int i = 0; i < SHOTS && !r; i++) {
                const struct shot *shot = &shots[i];
                struct tree sample;
                r = tree_sample(&sample, tree, (size_t)shot->requests * shot->files);
                if (r)
                        break;
                struct work work = {
                    .tree = &sample,
                    .requests = shot->requests,
                    .part = shot->part,
                    .workers = workers < shot->workers ? workers : shot->workers,
                    .folder = scratch->path,
                };
                r = take(shot, traces[i], &work, scratch);
                free(sample.files);
        }
        return r;
}
