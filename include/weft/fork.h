/* SPDX-License-Identifier: MIT
 *
 * Fork and join: jobs in the caller's own storage, strictly last in, first out.
 *
 *   static long fib(long n);
 *   WEFT_JOB_OF(fib_job, long, fib, long)
 *
 *   static long fib(long n)
 *   {
 *           if (n < 2)
 *                   return n;
 *           fib_job a;
 *           fib_job_fork(&a, n - 1);       // may run meanwhile on another worker
 *           long b = fib(n - 2);
 *           return fib_job_join(&a) + b;   // or runs here, now
 *   }
 *
 * or, where what is to be called is known only at run time:
 *
 *   weft_job job;
 *   weft_fork(&job, work, &half);
 *   work(&other_half);
 *   int error = weft_join(&job);
 *
 * A forked job belongs to its task, and is shown to other workers only when one of them has nothing
 * to do, or when the task parks; of its jobs the oldest first. A job that nobody took runs at its
 * join, as a call. While nobody takes any, fork and join allocate nothing, use no fence and no
 * atomic read-modify-write, and do not count references. A worker that falls idle is seen at the
 * task's next fork or join, or wait; jobs that were forked before are then started.
 *
 * A job runs in a frame of its own that starts from the context current at its fork (C1), wherever
 * it runs. Cancellation and deadlines reach it as any other function that the task calls; one that
 * another worker has taken sees the deadline of its context, and not the cancellation of the task.
 *
 * Nor does a task that forks and joins without end starve others: while tasks from outside wait,
 * each worker that has such a task steps aside at every 61st join, or range of a
 * weft_parallel_for(), parked as by weft_yield(), and runs one of them. (With WEFT_MIGRATE tasks
 * that have stepped aside stand in one line with those from outside: where several do nothing but
 * fork, each of them may have its 61 joins first.)
 *
 * On a thread outside pools a job runs at its join.
 *
 * There is no bound on how many jobs are forked and not joined, but for their storage: ten million
 * in an array are fine. Recursion ends where the stack does, with the message that pool.h tells of.
 *
 * Every job must be joined before its storage goes, on every way out of the function that forked
 * it; and before the task's function returns. To leave by longjmp() is undefined. In C++ an
 * exception of the job's function passes through the join if it runs there; if a worker has taken
 * it (the task's own may, while the task is parked) the process ends, as with any exception that
 * leaves a task, or the body of a loop.
 */
#ifndef WEFT_FORK_H
#define WEFT_FORK_H

#include <stddef.h>

#include <weft/inline.h>
#include <weft/pool.h>

WEFT_BEGIN_DECLS

/* weft_fork - let fn(arg) run, sometime before the return of the weft_join() that must follow in
 * the same task, in the opposite order of the forks.
 *
 * The job is the caller's storage (a weft_job, private inside), untouched until it is joined.
 * Cannot fail. In tasks and on any other thread; never blocks or parks. Since 0.1. */
WEFT_API void weft_fork(weft_job *job, weft_fn *fn, void *arg);

/* weft_join - wait for a forked job, or run it; its result. What it did happens before the return.
 *
 * Neither a deadline nor cancellation ends the wait, since the storage of the job must not go
 * before it. With nothing done: -EINVAL: job is NULL, or runs right now, or another job was forked
 * after it and is not joined; -EPERM: it is no job of this task that waits for its join: forked by
 * another task or thread, joined already, or not forked; -EOWNERDEAD: a worker was running it when
 * this process was forked from that one's. Parks (or, outside pools, runs the job). Since 0.1. */
WEFT_API int weft_join(weft_job *job);

/* WEFT_JOB_OF(name, result, fn, types...) - a type of jobs that call fn with arguments of these
 * types, one to six, and give back its result, which is not void:
 *
 *   name                                  the job: storage as weft_job
 *   void name_fork(name *, types...)      as weft_fork()
 *   result name_join(name *)              as weft_join(), but that it ends the process, by abort(),
 *                                         where that returns an error of its own
 *
 * The compiler sees which function is called where nobody has taken the job: it checks the types,
 * and may inline the call. About half of what the other form costs. The declaration of fn must come
 * before it. At file scope. Two joins want an order: not f(a_join(&a), b_join(&b)). Since 0.1. */
#define WEFT_JOB_OF(name, result, fn, ...)                                                         \
        typedef struct name {                                                                      \
                weft_job weft__job;                                                                \
                result weft__result;                                                               \
                WEFT__EACH(WEFT__MEMBER, __VA_ARGS__)                                              \
        } name;                                                                                    \
        static int name##_run(void *job)                                                           \
        {                                                                                          \
                name *j = (name *)job;                                                             \
                j->weft__result = fn(WEFT__LIST(WEFT__MEMBER_OF_J, __VA_ARGS__));                  \
                return 0;                                                                          \
        }                                                                                          \
        static inline __attribute__((always_inline, unused)) void name##_fork(                     \
            name *j, WEFT__LIST(WEFT__PARAMETER, __VA_ARGS__))                                     \
        {                                                                                          \
                WEFT__EACH(WEFT__STORE, __VA_ARGS__)                                               \
                j->weft__job.weft__fn = name##_run;                                                \
                weft__fork_link(&j->weft__job, WEFT__LINK_TYPED);                                  \
        }                                                                                          \
        static inline __attribute__((always_inline, unused)) result name##_join(name *j)           \
        {                                                                                          \
                if (!weft__join_begins(&j->weft__job, WEFT__LINK_TYPED)) {                         \
                        weft__join_typed(&j->weft__job);                                           \
                        return j->weft__result;                                                    \
                }                                                                                  \
                WEFT__RUNS_HERE(&j->weft__job, weft__typed_ends);                                  \
                return fn(WEFT__LIST(WEFT__MEMBER_OF_J, __VA_ARGS__));                             \
        }

/* weft_parallel_for - call body(from, to, arg) for ranges that together are begin to end - 1, on as
 * many workers as have nothing else to do.
 *
 * A range has at most grain indices, but for grain 0: then the library chooses. Ranges are split
 * only while a worker is idle, at most once a range. Returns 0, or the first error (negative
 * result) of a body; after that no further ranges are begun, and those not begun are left out. In a
 * task of the pool (NULL: this one) the caller takes part; elsewhere it waits. Bodies run in frames
 * that start from the caller's context. -EINVAL: body is NULL, or begin > end; else as weft_spawn()
 * and weft_await(); -EOWNERDEAD also: a body has forked this process from one in which others had
 * some of the ranges. Parks or blocks. Since 0.1. */
WEFT_API int weft_parallel_for(weft_pool *pool, size_t begin, size_t end, size_t grain,
                               int (*body)(size_t from, size_t to, void *arg), void *arg);

/* weft_parallel_reduce - weft_parallel_for() with a result.
 *
 *   static int sum(size_t from, size_t to, void *partial, void *arg)
 *   {
 *           for (size_t i = from; i < to; i++)
 *                   *(double *)partial += ((double *)arg)[i];
 *           return 0;
 *   }
 *   static void add(void *left, const void *right, void *arg)
 *   {
 *           *(double *)left += *(const double *)right;
 *   }
 *   double total = 0;
 *   weft_parallel_reduce(NULL, 0, n, 0, sum, add, &total, sizeof(total), values);
 *
 * result, of size bytes (1 to 256), comes in as the neutral element, such as 0 for a sum: each
 * part of the range that is worked off by itself begins with a copy of it, to which body adds one
 * range after the other. combine adds to the part on the left the part that follows it on the
 * right. So the order of the indices is kept, and combine need be associative, not commutative; how
 * the range is split differs from run to run. On an error result is as it came. Else as
 * weft_parallel_for(); -EINVAL also: combine or result is NULL, or size is out of its range. Since
 * 0.1. */
WEFT_API int weft_parallel_reduce(weft_pool *pool, size_t begin, size_t end, size_t grain,
                                  int (*body)(size_t from, size_t to, void *partial, void *arg),
                                  void (*combine)(void *left, const void *right, void *arg),
                                  void *result, size_t size, void *arg);

/* ---- private: the paths on which nobody else wants a job -------------------------------------
 *
 * The list of the jobs that are forked and not joined is in inline.h. A fork pushes; a join of the
 * newest, if it is as the fork left it, marks it as running, calls, and pops. What has happened to
 * a job meanwhile shows in the link to it, so that one comparison asks for everything. */

WEFT_API void weft__fork_asked(void);          /* a worker has nothing to do */
WEFT_API int weft__join_slowly(weft_job *job); /* what weft_join() is where that does not hold */
WEFT_API void weft__join_typed(weft_job *job); /* the same, aborting on misuse */
WEFT_API void weft__call_ends_slowly(weft_job *job);

WEFT__INLINE void weft__fork_link(weft_job *job, uintptr_t flags)
{
        weft__at at = weft__here_at();
        job->weft__below = weft__calls_at(at);
        weft__calls_become(at, weft__link_to(job, flags));
        if (WEFT__RARE(weft__asked_at(at)))
                weft__fork_asked();
}

/* If the job is the newest, as its fork left it, and nobody asks for work: it runs from here on. */
WEFT__INLINE int weft__join_begins(weft_job *job, uintptr_t flags)
{
        if (__builtin_constant_p(!job) && !job)
                return 0; /* which no compiler is to see used as an address */
        weft__at at = weft__here_at();
        if (WEFT__RARE(!weft__calls_are(at, weft__link_to(job, flags)) || weft__asked_at(at)))
                return 0;
        weft__calls_become(at, weft__link_to(job, flags + WEFT__LINK_RUNNING));
        return 1;
}

/* The call of a job has ended. */
WEFT__INLINE void weft__call_ends(weft_job *job, uintptr_t flags)
{
        weft__at at = weft__here_at();
        if (WEFT__RARE(!weft__calls_are(at, weft__link_to(job, flags + WEFT__LINK_RUNNING))))
                weft__call_ends_slowly(job);
        else
                weft__calls_become(at, job->weft__below);
}

WEFT__INLINE void weft__plain_ends(weft_job **job)
{
        weft__call_ends(*job, 0);
}

WEFT__INLINE void weft__typed_ends(weft_job **job)
{
        weft__call_ends(*job, WEFT__LINK_TYPED);
}

/* Until the end of the block the job runs, by whichever way that is left: an exception, too. */
#define WEFT__RUNS_HERE(job, ends)                                                                 \
        __attribute__((cleanup(ends), unused)) weft_job *weft__runs = (job)

#if defined(WEFT__INLINES)
WEFT__INLINE void weft_fork(weft_job *job, weft_fn *fn, void *arg)
{
        job->weft__fn = fn;
        job->weft__arg = arg;
        weft__fork_link(job, 0);
}

WEFT__INLINE int weft_join(weft_job *job)
{
        if (!weft__join_begins(job, 0))
                return weft__join_slowly(job);
        WEFT__RUNS_HERE(job, weft__plain_ends);
        return job->weft__fn(job->weft__arg);
}
#endif

/* F(i, type) for each type: one after the other, and with commas between. */
#define WEFT__EACH(F, ...) WEFT__JOIN(WEFT__EACH_, WEFT__COUNT(__VA_ARGS__))(F, __VA_ARGS__)
#define WEFT__LIST(F, ...) WEFT__JOIN(WEFT__LIST_, WEFT__COUNT(__VA_ARGS__))(F, __VA_ARGS__)
#define WEFT__JOIN(a, b)   WEFT__JOIN_(a, b)
#define WEFT__JOIN_(a, b)  a##b
#define WEFT__COUNT(...)   WEFT__SEVENTH(__VA_ARGS__, 6, 5, 4, 3, 2, 1, 0)

#define WEFT__SEVENTH(a, b, c, d, e, f, g, ...) g

#define WEFT__EACH_1(F, a)                F(1, a)
#define WEFT__EACH_2(F, a, b)             F(1, a) F(2, b)
#define WEFT__EACH_3(F, a, b, c)          WEFT__EACH_2(F, a, b) F(3, c)
#define WEFT__EACH_4(F, a, b, c, d)       WEFT__EACH_3(F, a, b, c) F(4, d)
#define WEFT__EACH_5(F, a, b, c, d, e)    WEFT__EACH_4(F, a, b, c, d) F(5, e)
#define WEFT__EACH_6(F, a, b, c, d, e, f) WEFT__EACH_5(F, a, b, c, d, e) F(6, f)
#define WEFT__LIST_1(F, a)                F(1, a)
#define WEFT__LIST_2(F, a, b)             F(1, a), F(2, b)
#define WEFT__LIST_3(F, a, b, c)          WEFT__LIST_2(F, a, b), F(3, c)
#define WEFT__LIST_4(F, a, b, c, d)       WEFT__LIST_3(F, a, b, c), F(4, d)
#define WEFT__LIST_5(F, a, b, c, d, e)    WEFT__LIST_4(F, a, b, c, d), F(5, e)
#define WEFT__LIST_6(F, a, b, c, d, e, f) WEFT__LIST_5(F, a, b, c, d, e), F(6, f)

#define WEFT__MEMBER(i, type)      type weft__##i;
#define WEFT__PARAMETER(i, type)   type a##i
#define WEFT__STORE(i, type)       j->weft__##i = a##i;
#define WEFT__MEMBER_OF_J(i, type) j->weft__##i

WEFT_END_DECLS

#endif
