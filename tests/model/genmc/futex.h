/* SPDX-License-Identifier: MIT
 *
 * A futex, and what else of the library sleep and wake come to. To wait is to wait until the word
 * is another: so a client does not see that a word is changed and nobody woken, which the models
 * of tests/model do. One that nobody will ever change is what GenMC calls a liveness error.
 */
#ifndef WEFT_TESTS_GENMC_FUTEX_H
#define WEFT_TESTS_GENMC_FUTEX_H

#ifdef GENMC
void __VERIFIER_loop_begin(void);
void __VERIFIER_spin_start(void);
void __VERIFIER_spin_end(bool ends);
#else
#define __VERIFIER_loop_begin()   ((void)0)
#define __VERIFIER_spin_start()   ((void)0)
#define __VERIFIER_spin_end(ends) ((void)0)
#endif

void weft__futex_wait(atomic_uint *word, unsigned expected, int64_t deadline)
{
        unsigned is;
        (void)deadline;
        __VERIFIER_loop_begin();
        do {
                __VERIFIER_spin_start();
                is = atomic_load_explicit(word, __ATOMIC_RELAXED);
                __VERIFIER_spin_end(is != expected);
        } while (is == expected);
}

void weft__futex_wake(atomic_uint *word, int n)
{
        (void)word;
        (void)n;
}

#endif
