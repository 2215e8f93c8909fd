/* SPDX-License-Identifier: MIT
 *
 * matmul: see matmul.h.
 */
#include "matmul.h"

#include <stdlib.h>
#include <string.h>

enum {
        BLOCK = 32,
        MOST = 8192,
        LINE = 64,                  /* bytes: rows begin at one... */
        PAD = LINE / sizeof(double) /* ...but not all at the same place in a page, where one row
                                       would push the next one out of the cache */
};

/* The product of it all, and the matrices: two factors that are never changed, and the result. */
struct whole {
        struct matmul product;
        _Alignas(LINE) double memory[];
};

static void fill(double *matrix, size_t n, unsigned step)
{
        for (size_t i = 0; i < n; i++)
                matrix[i] = (double)(i * step % 17) - 8;
}

void *matmul_make(size_t size)
{
        if (size < BLOCK || size > MOST || (size & (size - 1)))
                return NULL;
        size_t stride = size + PAD, n = size * stride;
        struct whole *w = aligned_alloc(LINE, sizeof(*w) + 3 * n * sizeof(double));
        if (!w)
                return NULL;
        w->product = (struct matmul){.a = w->memory,
                                     .b = w->memory + n,
                                     .c = w->memory + 2 * n,
                                     .rows = size,
                                     .columns = size,
                                     .inner = size,
                                     .stride = stride};
        fill(w->memory, n, 5);
        fill(w->memory + n, n, 11);
        return w;
}

void matmul_ready(void *data)
{
        struct matmul *m = data;
        memset(m->c, 0, m->rows * m->stride * sizeof(double));
}

uint64_t matmul_check(void *data)
{
        const struct matmul *m = data;
        uint64_t sum = 0;
        for (size_t i = 0; i < m->rows * m->stride; i++)
                sum += (uint64_t)(int64_t)m->c[i] * (i % 1009 + 1);
        return sum;
}

/* Numbers next to one another, as many as every processor takes at once; blocks begin at a multiple
 * of that. */
typedef double two __attribute__((vector_size(2 * sizeof(double))));

/* Eight columns of a row at a time, which stay in registers while they are summed up. */
static void multiply_small(const struct matmul *m)
{
        for (size_t i = 0; i < m->rows; i++) {
                const double *a = m->a + i * m->stride;
                for (size_t j = 0; j < m->columns; j += 8) {
                        two *c = (two *)(m->c + i * m->stride + j);
                        two c0 = c[0], c1 = c[1], c2 = c[2], c3 = c[3];
                        for (size_t k = 0; k < m->inner; k++) {
                                const two *b = (const two *)(m->b + k * m->stride + j);
                                c0 += a[k] * b[0];
                                c1 += a[k] * b[1];
                                c2 += a[k] * b[2];
                                c3 += a[k] * b[3];
                        }
                        c[0] = c0;
                        c[1] = c1;
                        c[2] = c2;
                        c[3] = c3;
                }
        }
}

/* The longest side. */
enum matmul_how matmul_split(const struct matmul *m, struct matmul half[2])
{
        if (m->rows <= BLOCK && m->columns <= BLOCK && m->inner <= BLOCK) {
                multiply_small(m);
                return MATMUL_DONE;
        }
        half[0] = half[1] = *m;
        if (m->rows >= m->columns && m->rows >= m->inner) {
                half[0].rows = half[1].rows = m->rows / 2;
                half[1].a += half[0].rows * m->stride;
                half[1].c += half[0].rows * m->stride;
                return MATMUL_AT_ONCE;
        }
        if (m->columns >= m->inner) {
                half[0].columns = half[1].columns = m->columns / 2;
                half[1].b += half[0].columns;
                half[1].c += half[0].columns;
                return MATMUL_AT_ONCE;
        }
        half[0].inner = half[1].inner = m->inner / 2;
        half[1].a += half[0].inner;
        half[1].b += half[0].inner * m->stride;
        return MATMUL_ONE_AFTER_OTHER;
}

void matmul_serial(void *data)
{
        struct matmul half[2];
        if (matmul_split(data, half) == MATMUL_DONE)
                return;
        matmul_serial(&half[0]);
        matmul_serial(&half[1]);
}
