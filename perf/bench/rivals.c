/* SPDX-License-Identifier: MIT
 *
 * The tables of comparisons: which programs there may be, and what they are asked to do.
 */
#include "rivals.h"

/* weft first: the others are compared with it, and with the result that it gives. Of the fork/join
 * kernels that is the form with function pointers. */
const struct bench_program bench_programs[] = {
    {"weft", "weft", NULL},
    {"forkjoin-weft", "weft", NULL},
    {"forkjoin-weft-typed", "weft, typed", NULL},
    {"tbb", "oneTBB", "libtbb-dev"},
    {"libgomp", "OpenMP of gcc", "gcc"},
    {"libomp", "OpenMP of clang", "clang libomp-dev"},
    {"glib", "GLib", "libglib2.0-dev"},
    {"libuv", "libuv", "libuv1-dev"},
    {"forkjoin-tbb", "oneTBB", "libtbb-dev"},
    {"forkjoin-gomp", "OpenMP of gcc", "gcc"},
    {"forkjoin-omp", "OpenMP of clang", "clang libomp-dev"},
    {0},
};

#define TIME           .figure = {{.name = "the whole", .in = BENCH_NS}}
#define OPERATIONS(of) .per = BENCH_PER_OPERATION, .figure = {{.name = of, .in = BENCH_NS}}

const struct bench_contest bench_contests[] = {
    {"submit", "a million empty tasks from a thread outside, submit and run", 1000000, 100000,
     OPERATIONS("task")},
    {"submit4", "a million empty tasks from four threads outside, submit and run", 1000000, 100000,
     OPERATIONS("task")},
    {"spawn-await", "a task starts another one and waits for it", 200000, 20000,
     OPERATIONS("start + wait")},
    {"burst", "a task starts a million empty ones and waits for all", 1000000, 100000,
     OPERATIONS("task")},
    {"wake", "from submit until the task starts, all workers being asleep", 500, 50,
     .figure = {{.name = "wake, p50", .in = BENCH_NS}, {.name = "wake, p99", .in = BENCH_NS}},
     .rounds = 5},
    {"idle", "CPU time of a pool that has nothing to do, of one CPU", 1000, 100,
     .figure = {{.name = "idle pool", .in = BENCH_PERCENT, BENCH_MARK(0.1, BENCH_PERCENT)}},
     .rounds = 3, .workers = {2}},
    {"queued", "memory of a task that waits in the queue, of a million", 1000000, 100000,
     .figure = {{.name = "queued task", .in = BENCH_BYTES}}, .rounds = 3, .workers = {1}},
    {"fib", "fork and join, nothing else: fib(30) by its definition", 30, 20, TIME},
    {"nqueens", "all ways to place 11 queens", 11, 8, TIME},
    {"uts-t1", "unbalanced tree search, a geometric tree 8 deep", 8, 6, TIME},
    {"uts-t3", "unbalanced tree search, the binomial tree T3", 2000, 100, TIME, .rounds = 3},
    {"cilksort", "a million numbers, sorted by merges", 1 << 20, 1 << 16, TIME},
    {"matmul", "matrices of 512 x 512, multiplied", 512, 256, TIME},
    {"skynet", "a tree of a million leaves, ten children a node", 1000000, 10000, TIME},
    {"irregular", "a tree of uneven depth, leaves of uneven work", 100000, 10000, TIME},
    {0},
};
