/* SPDX-License-Identifier: MIT
 *
 * OpenMP: a parallel loop for ada, and tasks, each for whoever it was made for.
 */
#include <stdio.h>
#include <weft/adapt/openmp.h>

static weft_var user = WEFT_VAR_INIT("user", .fallback = "nobody");

static void serve(const char *what)
{
        printf("%s: %s\n", what, (char *)weft_get(&user));
}

static void later(const char *what)
{
        weft_context *context = weft_context_capture();
#pragma omp task firstprivate(context, what)
        WEFT_OMP_TAKE (context) {
                serve(what);
        }
}

int main(void)
{
        weft_context *context = NULL;
        WEFT_WITH (&user, "ada")
                context = weft_context_capture();
#pragma omp parallel num_threads(3)
        WEFT_OMP_IN (context) {
#pragma omp for
                for (int i = 0; i < 3; i++)
                        serve("loop");
        }
        weft_context_unref(context);

#pragma omp parallel
#pragma omp single
        {
                WEFT_WITH (&user, "grace")
                        later("task");
                WEFT_WITH (&user, "edith")
                        later("task");
        }
        return 0;
}
