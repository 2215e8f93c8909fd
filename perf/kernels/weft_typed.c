/* SPDX-License-Identifier: MIT
 *
 * The kernels for weft with jobs of their own types (WEFT_JOB_OF): see weft.h. Results are given
 * back by value, where the other form leaves them in the argument.
 */
#include <alloca.h>

#include "cilksort.h"
#include "fib.h"
#include "irregular.h"
#include "matmul.h"
#include "nqueens.h"
#include "skynet.h"
#include "weft.h"

static uint64_t fib(unsigned n);
WEFT_JOB_OF(fib_job, uint64_t, fib, unsigned)

static uint64_t fib(unsigned n)
{
        if (n < 2)
                return n;
        fib_job a;
        fib_job_fork(&a, n - 1);
        uint64_t b = fib(n - 2);
        return fib_job_join(&a) + b;
}

/* fn, its jobs, and fn_sum(part, n, job): the sum of fn over n parts in a row, at once, the last
 * one by a call; there is room for n - 1 jobs. */
#define SUM_OF(fn, type)                                                                           \
        static uint64_t fn(const type *part);                                                      \
        WEFT_JOB_OF(fn##_job, uint64_t, fn, const type *)                                          \
        static inline uint64_t fn##_sum(const type *part, size_t n, fn##_job *job)                 \
        {                                                                                          \
                for (size_t i = 0; i + 1 < n; i++)                                                 \
                        fn##_job_fork(&job[i], &part[i]);                                          \
                uint64_t sum = fn(&part[n - 1]);                                                   \
                for (size_t i = n; i-- > 1;)                                                       \
                        sum += fn##_job_join(&job[i - 1]);                                         \
                return sum;                                                                        \
        }

SUM_OF(nqueens, struct nqueens)
SUM_OF(uts, struct uts)
SUM_OF(skynet, struct skynet)
SUM_OF(irregular, struct irregular)

static uint64_t nqueens(const struct nqueens *q)
{
        struct nqueens child[NQUEENS_MOST];
        nqueens_job job[NQUEENS_MOST - 1];
        if (q->row == q->n)
                return 1;
        size_t n = nqueens_children(q, child);
        return n ? nqueens_sum(child, n, job) : 0;
}

static uint64_t uts(const struct uts *node)
{
        size_t n = uts_count(node);
        if (n == 0)
                return 1;
        struct uts *child = alloca(n * sizeof(*child));
        uts_job *job = alloca((n - 1) * sizeof(*job));
        uts_children(node, child, n);
        return 1 + uts_sum(child, n, job);
}

static uint64_t skynet(const struct skynet *s)
{
        struct skynet child[SKYNET_CHILDREN];
        skynet_job job[SKYNET_CHILDREN - 1];
        if (s->leaves == 1)
                return s->first;
        skynet_children(s, child);
        return skynet_sum(child, SKYNET_CHILDREN, job);
}

static uint64_t irregular(const struct irregular *node)
{
        struct irregular child[IRREGULAR_CHILDREN];
        irregular_job job[IRREGULAR_CHILDREN - 1];
        if (node->leaves == 1)
                return irregular_leaf(node);
        size_t n = irregular_children(node, child);
        return irregular_sum(child, n, job);
}

static int merge(const struct cilkmerge *m);
static int cilksort(const struct cilksort *s);
static int matmul(const struct matmul *m);
WEFT_JOB_OF(merge_job, int, merge, const struct cilkmerge *)
WEFT_JOB_OF(cilksort_job, int, cilksort, const struct cilksort *)
WEFT_JOB_OF(matmul_job, int, matmul, const struct matmul *)

static int merge_both(const struct cilkmerge part[2])
{
        merge_job job;
        merge_job_fork(&job, &part[0]);
        merge(&part[1]);
        return merge_job_join(&job);
}

static int merge(const struct cilkmerge *m)
{
        struct cilkmerge half[2];
        return cilkmerge_split(m, half) ? merge_both(half) : 0;
}

static int cilksort(const struct cilksort *s)
{
        struct cilksort quarter[4];
        struct cilkmerge merges[3];
        cilksort_job job[3];
        if (!cilksort_split(s, quarter, merges))
                return 0;
        for (int i = 0; i < 3; i++)
                cilksort_job_fork(&job[i], &quarter[i]);
        cilksort(&quarter[3]);
        for (int i = 3; i-- > 0;)
                cilksort_job_join(&job[i]);
        merge_both(merges);
        return merge(&merges[2]);
}

static int matmul(const struct matmul *m)
{
        struct matmul half[2];
        matmul_job job;
        switch (matmul_split(m, half)) {
        case MATMUL_DONE:
                return 0;
        case MATMUL_AT_ONCE:
                matmul_job_fork(&job, &half[0]);
                matmul(&half[1]);
                return matmul_job_join(&job);
        case MATMUL_ONE_AFTER_OTHER:
                matmul(&half[0]);
                return matmul(&half[1]);
        }
        return 0;
}

/* ---- as weft_fns, which leave the result in the kernel's data ---- */

static int run_fib(void *data)
{
        struct fib *f = data;
        f->result = fib(f->n);
        return 0;
}

static int run_nqueens(void *data)
{
        struct nqueens *q = data;
        q->ways = nqueens(q);
        return 0;
}

static int run_uts(void *data)
{
        struct uts *root = data;
        root->nodes = uts(root);
        return 0;
}

static int run_cilksort(void *data)
{
        return cilksort(data);
}

static int run_matmul(void *data)
{
        return matmul(data);
}

static int run_skynet(void *data)
{
        struct skynet *s = data;
        s->sum = skynet(s);
        return 0;
}

static int run_irregular(void *data)
{
        struct irregular *root = data;
        root->sum = irregular(root);
        return 0;
}

weft_fn *const kernels_weft_typed[KERNELS] = {
    [KERNEL_FIB] = run_fib,       [KERNEL_NQUEENS] = run_nqueens,     [KERNEL_UTS_T1] = run_uts,
    [KERNEL_UTS_T3] = run_uts,    [KERNEL_CILKSORT] = run_cilksort,   [KERNEL_MATMUL] = run_matmul,
    [KERNEL_SKYNET] = run_skynet, [KERNEL_IRREGULAR] = run_irregular,
};
