/* SPDX-License-Identifier: MIT
 *
 * The example of WEFT_OMP_IN(3).
 */
#include <assert.h>
#include <string.h>
#include <weft/adapt/openmp.h>

static weft_var user = WEFT_VAR_INIT("user", .fallback = "nobody");

static int is(const char *name)
{
        return strcmp(weft_get(&user), name) == 0;
}

int main(void)
{
        int right = 0, tasks = 0;
        weft_context *context = NULL;
        WEFT_WITH (&user, "ada")
                context = weft_context_capture();
#pragma omp parallel num_threads(3)
        WEFT_OMP_IN (context) { /* each thread of the team */
#pragma omp for reduction(+ : right)
                for (int i = 0; i < 30; i++)
                        right += is("ada");
        }
        assert(right == 30 && is("nobody"));

#pragma omp parallel
#pragma omp single
        for (int i = 0; i < 5; i++) {
                weft_context *each = weft_context_ref(context);
#pragma omp task firstprivate(each) shared(tasks)
                WEFT_OMP_TAKE (each) { /* the task owns it, and gives it back */
#pragma omp atomic
                        tasks += is("ada");
                }
        }
        assert(tasks == 5);
        weft_context_unref(context);
        return 0;
}
