/* SPDX-License-Identifier: MIT
 *
 * The fork/join kernels by OpenMP tasks, with gcc's runtime or with clang's: whichever compiles
 * this. As in the book of examples of OpenMP ("Tasking"): all parts but the last are tasks, the
 * last is a call, and taskwait. The main thread is one of the team.
 */
#include "forkjoin.h"

#include <alloca.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

#include "../kernels/cilksort.h"
#include "../kernels/fib.h"
#include "../kernels/irregular.h"
#include "../kernels/matmul.h"
#include "../kernels/nqueens.h"
#include "../kernels/skynet.h"
#include "../kernels/uts.h"

static void fib(struct fib *f)
{
        if (f->n < 2) {
                f->result = f->n;
                return;
        }
        struct fib a = {.n = f->n - 1}, b = {.n = f->n - 2};
#pragma omp task shared(a)
        fib(&a);
        fib(&b);
#pragma omp taskwait
        f->result = a.result + b.result;
}

static void nqueens(struct nqueens *q)
{
        struct nqueens child[NQUEENS_MOST];
        q->ways = q->row == q->n;
        size_t n = q->ways ? 0 : nqueens_children(q, child);
        if (n == 0)
                return;
        for (size_t i = 0; i + 1 < n; i++) {
#pragma omp task shared(child)
                nqueens(&child[i]);
        }
        nqueens(&child[n - 1]);
#pragma omp taskwait
        for (size_t i = 0; i < n; i++)
                q->ways += child[i].ways;
}

static void uts(struct uts *node)
{
        size_t n = uts_count(node);
        node->nodes = 1;
        if (n == 0)
                return;
        struct uts *child = alloca(n * sizeof(*child));
        uts_children(node, child, n);
        for (size_t i = 0; i + 1 < n; i++) {
#pragma omp task
                uts(&child[i]);
        }
        uts(&child[n - 1]);
#pragma omp taskwait
        for (size_t i = 0; i < n; i++)
                node->nodes += child[i].nodes;
}

static void merge(const struct cilkmerge *m)
{
        struct cilkmerge half[2];
        if (!cilkmerge_split(m, half))
                return;
#pragma omp task shared(half)
        merge(&half[0]);
        merge(&half[1]);
#pragma omp taskwait
}

static void cilksort(const struct cilksort *s)
{
        struct cilksort quarter[4];
        struct cilkmerge merges[3];
        if (!cilksort_split(s, quarter, merges))
                return;
        for (int i = 0; i < 3; i++) {
#pragma omp task shared(quarter)
                cilksort(&quarter[i]);
        }
        cilksort(&quarter[3]);
#pragma omp taskwait
#pragma omp task shared(merges)
        merge(&merges[0]);
        merge(&merges[1]);
#pragma omp taskwait
        merge(&merges[2]);
}

static void matmul(const struct matmul *m)
{
        struct matmul half[2];
        switch (matmul_split(m, half)) {
        case MATMUL_DONE:
                break;
        case MATMUL_AT_ONCE:
#pragma omp task shared(half)
                matmul(&half[0]);
                matmul(&half[1]);
#pragma omp taskwait
                break;
        case MATMUL_ONE_AFTER_OTHER:
                matmul(&half[0]);
                matmul(&half[1]);
                break;
        }
}

static void skynet(struct skynet *s)
{
        struct skynet child[SKYNET_CHILDREN];
        s->sum = s->first;
        if (s->leaves == 1)
                return;
        skynet_children(s, child);
        for (size_t i = 0; i + 1 < SKYNET_CHILDREN; i++) {
#pragma omp task shared(child)
                skynet(&child[i]);
        }
        skynet(&child[SKYNET_CHILDREN - 1]);
#pragma omp taskwait
        s->sum = 0;
        for (size_t i = 0; i < SKYNET_CHILDREN; i++)
                s->sum += child[i].sum;
}

static void irregular(struct irregular *node)
{
        struct irregular child[IRREGULAR_CHILDREN];
        if (node->leaves == 1) {
                node->sum = irregular_leaf(node);
                return;
        }
        size_t n = irregular_children(node, child);
        for (size_t i = 0; i + 1 < n; i++) {
#pragma omp task shared(child)
                irregular(&child[i]);
        }
        irregular(&child[n - 1]);
#pragma omp taskwait
        node->sum = 0;
        for (size_t i = 0; i < n; i++)
                node->sum += child[i].sum;
}

static unsigned team;

/* Clang's runtime reads its settings at the first call. On two workers its threads yield in between
 * by default, and take two to four times as long; gcc's runtime is no faster with that. */
static void up(unsigned workers)
{
        setenv("OMP_WAIT_POLICY", "active", 0);
        team = workers;
        omp_set_dynamic(0);
}

static void run_by_one(enum kernel_id id, void *data)
{
        switch (id) {
        case KERNEL_FIB:
                fib(data);
                break;
        case KERNEL_NQUEENS:
                nqueens(data);
                break;
        case KERNEL_UTS_T1:
        case KERNEL_UTS_T3:
                uts(data);
                break;
        case KERNEL_CILKSORT:
                cilksort(data);
                break;
        case KERNEL_MATMUL:
                matmul(data);
                break;
        case KERNEL_SKYNET:
                skynet(data);
                break;
        case KERNEL_IRREGULAR:
                irregular(data);
                break;
        case KERNELS:
                break;
        }
}

static void run(enum kernel_id id, void *data)
{
#pragma omp parallel num_threads((int)team)
#pragma omp single
        run_by_one(id, data);
}

int main(int argc, char **argv)
{
        char name[64];
#ifdef __clang__
        snprintf(name, sizeof(name), "libomp %d.%d.%d", __clang_major__, __clang_minor__,
                 __clang_patchlevel__);
#else
        snprintf(name, sizeof(name), "libgomp %s", __VERSION__);
#endif
        const struct forkjoin openmp = {.rival = {.name = name, .up = up}, .run = run};
        return forkjoin_main(argc, argv, &openmp);
}
