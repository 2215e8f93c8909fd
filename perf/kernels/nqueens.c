/* SPDX-License-Identifier: MIT
 *
 * nqueens: see nqueens.h.
 */
#include "nqueens.h"

#include <stdbool.h>
#include <stdlib.h>

void *nqueens_make(size_t size)
{
        struct nqueens *q = size <= NQUEENS_MOST ? malloc(sizeof(*q)) : NULL;
        if (q)
                *q = (struct nqueens){.n = (int)size};
        return q;
}

void nqueens_ready(void *data)
{
        struct nqueens *q = data;
        q->ways = 0;
}

static bool is_free(const struct nqueens *q, int column)
{
        for (int row = 0; row < q->row; row++) {
                int apart = q->at[row] - column, rows = q->row - row;
                if (apart == 0 || apart == rows || apart == -rows)
                        return false;
        }
        return true;
}

size_t nqueens_children(const struct nqueens *q, struct nqueens child[NQUEENS_MOST])
{
        size_t n = 0;
        for (int column = 0; column < q->n; column++) {
                if (!is_free(q, column))
                        continue;
                child[n] = *q;
                child[n].row = q->row + 1;
                child[n++].at[q->row] = (char)column;
        }
        return n;
}

void nqueens_serial(void *data)
{
        struct nqueens *q = data, child[NQUEENS_MOST];
        q->ways = q->row == q->n;
        if (q->ways)
                return;
        size_t n = nqueens_children(q, child);
        for (size_t i = 0; i < n; i++)
                nqueens_serial(&child[i]);
        for (size_t i = 0; i < n; i++)
                q->ways += child[i].ways;
}

uint64_t nqueens_check(void *data)
{
        const struct nqueens *q = data;
        return q->ways;
}
