/* SPDX-License-Identifier: MIT
 *
 * fib: see fib.h.
 */
#include "fib.h"

#include <stdlib.h>

void *fib_make(size_t size)
{
        struct fib *f = size <= 90 ? malloc(sizeof(*f)) : NULL;
        if (f)
                *f = (struct fib){.n = (unsigned)size};
        return f;
}

void fib_ready(void *data)
{
        struct fib *f = data;
        f->result = 0;
}

void fib_serial(void *data)
{
        struct fib *f = data;
        if (f->n < 2) {
                f->result = f->n;
                return;
        }
        struct fib a = {.n = f->n - 1}, b = {.n = f->n - 2};
        fib_serial(&a);
        fib_serial(&b);
        f->result = a.result + b.result;
}

uint64_t fib_check(void *data)
{
        const struct fib *f = data;
        return f->result;
}

/* F(n) = 1 + F(n - 1) + F(n - 2), which is fib(n + 1) - 1. */
uint64_t fib_forks(unsigned n)
{
        uint64_t before = 0, last = 1;
        for (unsigned i = 0; i < n; i++) {
                uint64_t next = before + last;
                before = last;
                last = next;
        }
        return last - 1;
}
