/* SPDX-License-Identifier: MIT
 *
 * The fork/join kernels by oneTBB, as its guide has it ("Task-Based Programming"): a task_group of
 * each function's own, all parts but the last run by it, the last one called. The main thread is
 * one of the workers.
 */
#include "forkjoin.h"

#include <alloca.h>
#include <memory>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>
#include <oneapi/tbb/version.h>

#include "../kernels/cilksort.h"
#include "../kernels/fib.h"
#include "../kernels/irregular.h"
#include "../kernels/matmul.h"
#include "../kernels/nqueens.h"
#include "../kernels/skynet.h"
#include "../kernels/uts.h"

namespace tbb = oneapi::tbb;

/* Of all groups: with one each they take a third longer in fib. */
static tbb::task_group_context context;

/* All n parts in a row, at once: the last one as a call. */
template <typename Part> static inline void at_once(Part *part, size_t n)
{
        tbb::task_group group(context);
        for (size_t i = 0; i + 1 < n; i++)
                group.run([=] { solve(&part[i]); });
        solve(&part[n - 1]);
        group.wait();
}

static void solve(struct fib *f)
{
        if (f->n < 2) {
                f->result = f->n;
                return;
        }
        struct fib a = {f->n - 1, 0}, b = {f->n - 2, 0};
        tbb::task_group group(context);
        group.run([&a] { solve(&a); });
        solve(&b);
        group.wait();
        f->result = a.result + b.result;
}

static void solve(struct nqueens *q)
{
        struct nqueens child[NQUEENS_MOST];
        q->ways = q->row == q->n;
        size_t n = q->ways ? 0 : nqueens_children(q, child);
        if (n == 0)
                return;
        at_once(child, n);
        for (size_t i = 0; i < n; i++)
                q->ways += child[i].ways;
}

static void solve(struct uts *node)
{
        size_t n = uts_count(node);
        node->nodes = 1;
        if (n == 0)
                return;
        auto child = static_cast<struct uts *>(alloca(n * sizeof(struct uts)));
        uts_children(node, child, n);
        at_once(child, n);
        for (size_t i = 0; i < n; i++)
                node->nodes += child[i].nodes;
}

static void solve(const struct cilkmerge *m)
{
        struct cilkmerge half[2];
        if (cilkmerge_split(m, half))
                at_once(half, 2);
}

static void solve(const struct cilksort *s)
{
        struct cilksort quarter[4];
        struct cilkmerge merges[3];
        if (!cilksort_split(s, quarter, merges))
                return;
        at_once(quarter, 4);
        at_once(merges, 2);
        solve(&merges[2]);
}

static void solve(const struct matmul *m)
{
        struct matmul half[2];
        switch (matmul_split(m, half)) {
        case MATMUL_DONE:
                break;
        case MATMUL_AT_ONCE:
                at_once(half, 2);
                break;
        case MATMUL_ONE_AFTER_OTHER:
                solve(&half[0]);
                solve(&half[1]);
                break;
        }
}

static void solve(struct skynet *s)
{
        struct skynet child[SKYNET_CHILDREN];
        s->sum = s->first;
        if (s->leaves == 1)
                return;
        skynet_children(s, child);
        at_once(child, SKYNET_CHILDREN);
        s->sum = 0;
        for (size_t i = 0; i < SKYNET_CHILDREN; i++)
                s->sum += child[i].sum;
}

static void solve(struct irregular *node)
{
        struct irregular child[IRREGULAR_CHILDREN];
        if (node->leaves == 1) {
                node->sum = irregular_leaf(node);
                return;
        }
        size_t n = irregular_children(node, child);
        at_once(child, n);
        node->sum = 0;
        for (size_t i = 0; i < n; i++)
                node->sum += child[i].sum;
}

static std::unique_ptr<tbb::global_control> threads, stacks;
static std::unique_ptr<tbb::task_arena> arena;

static void up(unsigned workers)
{
        threads = std::make_unique<tbb::global_control>(
            tbb::global_control::max_allowed_parallelism, workers);
        stacks = std::make_unique<tbb::global_control>(tbb::global_control::thread_stack_size,
                                                       UTS_STACK);
        arena = std::make_unique<tbb::task_arena>((int)workers, 1);
}

static void down()
{
        arena.reset();
        stacks.reset();
        threads.reset();
}

static void run(enum kernel_id id, void *data)
{
        arena->execute([=] {
                switch (id) {
                case KERNEL_FIB:
                        return solve(static_cast<struct fib *>(data));
                case KERNEL_NQUEENS:
                        return solve(static_cast<struct nqueens *>(data));
                case KERNEL_UTS_T1:
                case KERNEL_UTS_T3:
                        return solve(static_cast<struct uts *>(data));
                case KERNEL_CILKSORT:
                        return solve(static_cast<struct cilksort *>(data));
                case KERNEL_MATMUL:
                        return solve(static_cast<struct matmul *>(data));
                case KERNEL_SKYNET:
                        return solve(static_cast<struct skynet *>(data));
                case KERNEL_IRREGULAR:
                        return solve(static_cast<struct irregular *>(data));
                case KERNELS:
                        break;
                }
        });
}

int main(int argc, char **argv)
{
        const struct forkjoin tbb = {{"oneTBB " TBB_VERSION_STRING, up, down}, run};
        return forkjoin_main(argc, argv, &tbb);
}
