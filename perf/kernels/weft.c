/* SPDX-License-Identifier: MIT
 *
 * The kernels for weft: see weft.h. Each function is a weft_fn: a job, or a call by the one that
 * would otherwise only wait.
 */
#include "weft.h"

#include <alloca.h>

#include "cilksort.h"
#include "fib.h"
#include "irregular.h"
#include "matmul.h"
#include "nqueens.h"
#include "skynet.h"

/* fn for each of n parts in a row, at once: the last one as a call. */
static inline void at_once(weft_fn *fn, void *parts, size_t size, size_t n, weft_job *job)
{
        char *part = parts;
        for (size_t i = 0; i + 1 < n; i++)
                weft_fork(&job[i], fn, part + i * size);
        fn(part + (n - 1) * size);
        for (size_t i = n - 1; i-- > 0;)
                weft_join(&job[i]);
}

static int fib(void *arg)
{
        struct fib *f = arg;
        if (f->n < 2) {
                f->result = f->n;
                return 0;
        }
        struct fib a = {.n = f->n - 1}, b = {.n = f->n - 2};
        weft_job job;
        weft_fork(&job, fib, &a);
        fib(&b);
        weft_join(&job);
        f->result = a.result + b.result;
        return 0;
}

static int nqueens(void *arg)
{
        struct nqueens *q = arg, child[NQUEENS_MOST];
        weft_job job[NQUEENS_MOST - 1];
        q->ways = q->row == q->n;
        size_t n = q->ways ? 0 : nqueens_children(q, child);
        if (n == 0)
                return 0;
        at_once(nqueens, child, sizeof(*child), n, job);
        for (size_t i = 0; i < n; i++)
                q->ways += child[i].ways;
        return 0;
}

static int uts(void *arg)
{
        struct uts *node = arg;
        size_t n = uts_count(node);
        node->nodes = 1;
        if (n == 0)
                return 0;
        struct uts *child = alloca(n * sizeof(*child));
        weft_job *job = alloca((n - 1) * sizeof(*job));
        uts_children(node, child, n);
        at_once(uts, child, sizeof(*child), n, job);
        for (size_t i = 0; i < n; i++)
                node->nodes += child[i].nodes;
        return 0;
}

static int merge(void *arg)
{
        struct cilkmerge half[2];
        weft_job job;
        if (cilkmerge_split(arg, half))
                at_once(merge, half, sizeof(*half), 2, &job);
        return 0;
}

static int cilksort(void *arg)
{
        struct cilksort quarter[4];
        struct cilkmerge merges[3];
        weft_job job[3];
        if (!cilksort_split(arg, quarter, merges))
                return 0;
        at_once(cilksort, quarter, sizeof(*quarter), 4, job);
        at_once(merge, merges, sizeof(*merges), 2, job);
        return merge(&merges[2]);
}

static int matmul(void *arg)
{
        struct matmul half[2];
        weft_job job;
        switch (matmul_split(arg, half)) {
        case MATMUL_DONE:
                return 0;
        case MATMUL_AT_ONCE:
                at_once(matmul, half, sizeof(*half), 2, &job);
                return 0;
        case MATMUL_ONE_AFTER_OTHER:
                matmul(&half[0]);
                return matmul(&half[1]);
        }
        return 0;
}

static int skynet(void *arg)
{
        struct skynet *s = arg, child[SKYNET_CHILDREN];
        weft_job job[SKYNET_CHILDREN - 1];
        s->sum = s->first;
        if (s->leaves == 1)
                return 0;
        skynet_children(s, child);
        at_once(skynet, child, sizeof(*child), SKYNET_CHILDREN, job);
        s->sum = 0;
        for (size_t i = 0; i < SKYNET_CHILDREN; i++)
                s->sum += child[i].sum;
        return 0;
}

static int irregular(void *arg)
{
        struct irregular *node = arg, child[IRREGULAR_CHILDREN];
        weft_job job[IRREGULAR_CHILDREN - 1];
        if (node->leaves == 1) {
                node->sum = irregular_leaf(node);
                return 0;
        }
        size_t n = irregular_children(node, child);
        at_once(irregular, child, sizeof(*child), n, job);
        node->sum = 0;
        for (size_t i = 0; i < n; i++)
                node->sum += child[i].sum;
        return 0;
}

weft_fn *const kernels_weft[KERNELS] = {
    [KERNEL_FIB] = fib,       [KERNEL_NQUEENS] = nqueens,     [KERNEL_UTS_T1] = uts,
    [KERNEL_UTS_T3] = uts,    [KERNEL_CILKSORT] = cilksort,   [KERNEL_MATMUL] = matmul,
    [KERNEL_SKYNET] = skynet, [KERNEL_IRREGULAR] = irregular,
};
