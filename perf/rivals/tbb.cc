/* SPDX-License-Identifier: MIT
 *
 * oneTBB. Threads outside enqueue into an arena that keeps no slot for them, which is its way to
 * fire and forget; a task that waits for another one uses a task_group.
 */
#include "tools.h"

#include <memory>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>
#include <oneapi/tbb/version.h>

/* Without this there would be a worker less than processors, as the main thread is to work too. */
static std::unique_ptr<tbb::global_control> threads;

static std::unique_ptr<tbb::task_arena> arena;  /* for those outside */
static std::unique_ptr<tbb::task_arena> inside; /* the main thread being one of its workers */

static void up(unsigned workers)
{
        threads = std::make_unique<tbb::global_control>(
            tbb::global_control::max_allowed_parallelism, workers + 1);
        arena = std::make_unique<tbb::task_arena>((int)workers, 0);
        inside = std::make_unique<tbb::task_arena>((int)workers, 1);
}

static void down()
{
        inside.reset();
        arena.reset();
        threads.reset();
}

static void submit(size_t size)
{
        for (size_t i = 0; i < size; i++)
                arena->enqueue([] { rival_tick(); });
}

static void round_submit(struct rival_round *r)
{
        rival_submit(r, 1, submit);
}

static void round_submit4(struct rival_round *r)
{
        rival_submit(r, 4, submit);
}

static void round_spawn_await(struct rival_round *r)
{
        inside->execute([r] {
                tbb::task_group group;
                r->begin = rival_now();
                for (size_t i = 0; i < r->size; i++) {
                        uint64_t result;
                        group.run([&result, i] { result = i & 1023; });
                        group.wait();
                        r->check += result;
                }
                r->end = rival_now();
        });
}

static void round_burst(struct rival_round *r)
{
        uint64_t before = rival_ticks();
        inside->execute([r] {
                tbb::task_group group;
                r->begin = rival_now();
                for (size_t i = 0; i < r->size; i++)
                        group.run([] { rival_tick(); });
                group.wait();
                r->end = rival_now();
        });
        r->check = rival_ticks() - before;
}

static void start()
{
        arena->enqueue([] { rival_started(); });
}

static void round_wake(struct rival_round *r)
{
        rival_wake(r, start);
}

static void round_idle(struct rival_round *r)
{
        rival_idle(r, start);
}

static void shut(unsigned workers)
{
        for (unsigned i = 0; i < workers; i++)
                arena->enqueue([] { rival_gate_wait(); });
        rival_gate_reached(workers);
}

static void open_gate()
{
        rival_gate_open((unsigned)arena->max_concurrency());
}

static void round_queued(struct rival_round *r)
{
        rival_queued(r, shut, submit, open_gate);
}

static const struct rival_case cases[] = {
    {"submit", round_submit}, {"submit4", round_submit4}, {"spawn-await", round_spawn_await},
    {"burst", round_burst},   {"wake", round_wake},       {"idle", round_idle},
    {"queued", round_queued}, {nullptr, nullptr},
};

int main(int argc, char **argv)
{
        const struct rival tbb = {"oneTBB " TBB_VERSION_STRING, up, down};
        return rival_main(argc, argv, &tbb, cases);
}
