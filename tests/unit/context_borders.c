/* SPDX-License-Identifier: MIT
 *
 * Rule C9: what becomes of frames and bindings at the borders of threads and of the process: thread
 * exit, pthread_exit, pthread_cancel, process exit, fork, longjmp, exceptions. Signals are in
 * context_signals.c, two copies of the library in context_copies.c, vars that go in var.c.
 */
#include "context_help.h"

#include <setjmp.h>
#include <unwind.h>

static weft_var kept = WEFT_VAR_INIT("kept", .retain = counted_retain, .release = counted_release);
static weft_var also = WEFT_VAR_INIT("also", .retain = counted_retain, .release = counted_release);
static weft_var plain = WEFT_VAR_INIT("plain", .fallback = V(7));

#define is_unset(var) (weft_lookup((var), &(void *){0}) == -ENOENT)

/* ---- thread exit ---- */

static void *bind_and_return(void *value)
{
        cr_assert_eq(weft_set(&plain, V(1), NULL), 0);
        cr_assert_eq(weft_set(&kept, value, NULL), 0);
        return NULL;
}

Test(context, c9_thread_exit_releases_what_is_bound_on_that_thread)
{
        static struct counted a;
        pthread_t thread;

        pthread_create(&thread, NULL, bind_and_return, &a);
        pthread_join(thread, NULL);
        assert_gone(&a, 1);
        cr_assert(pthread_equal(a.released_on, thread));
}

Test(context, c9_thread_exit_leaves_alone_what_others_bind)
{
        static struct counted a;
        pthread_t thread;

        cr_assert_eq(weft_set(&kept, &a, NULL), 0);
        for (int i = 0; i < 3; i++) {
                cr_assert_eq(weft_thread_create(&thread, NULL, bind_and_return, &a), 0);
                pthread_join(thread, NULL);
        }
        cr_assert_eq(atomic_load(&a.retained), 4);
        cr_assert_eq(atomic_load(&a.released), 3);
        cr_assert_eq(weft_get(&kept), &a);
}

Test(context, c9_the_exit_of_a_detached_thread_releases_too)
{
        static struct counted a;
        pthread_attr_t attr;
        pthread_t thread;

        pthread_attr_init(&attr);
        pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
        cr_assert_eq(weft_thread_create(&thread, &attr, bind_and_return, &a), 0);
        pthread_attr_destroy(&attr);
        while (!atomic_load(&a.released))
                usleep(200);
        assert_gone(&a, 1);
}

static struct {
        void *get;
        int set, lookup;
        weft_context *captured;
} in_release;

static void look_around(void *value)
{
        (void)value;
        in_release.get = weft_get(&plain);
        in_release.lookup = weft_lookup(&plain, &(void *){0});
        in_release.set = weft_set(&plain, V(2), NULL);
        in_release.captured = weft_context_capture();
}

static weft_var looks = WEFT_VAR_INIT("looks", .release = look_around);

static void *bind_looks_and_return(void *arg)
{
        (void)arg;
        weft_set(&plain, V(1), NULL);
        weft_set(&looks, V(1), NULL);
        return NULL;
}

Test(context, c9_at_thread_exit_the_frame_is_empty_before_its_references_go)
{
        in_release.captured = (void *)&in_release;
        on_thread(bind_looks_and_return, NULL);
        cr_assert_eq(in_release.get, V(7));
        cr_assert_eq(in_release.lookup, -ENOENT);
        cr_assert_eq(in_release.set, -ESHUTDOWN);
        cr_assert_null(in_release.captured);
}

/* A thread-exit destructor that sets its key again is called again, after those of all other keys:
 * in the second round the frame is surely gone. */
static pthread_key_t late;
static const char *late_failure;
static int late_calls;
static struct counted late_value, late_swapped;
static weft_token late_token;

static int compare_kept(void *value)
{
        return weft_get(&kept) == value ? 0 : -EIO;
}

/* References to the context of a run are taken one by one: this thread keeps none in stock. */
static int capture_in_run(void *context)
{
        weft_context *c = weft_context_capture();
        int r = c == context ? 0 : -EIO;
        weft_context_unref(c);
        return r;
}

static const char *what_fails_after_exit(void)
{
        weft_context *derived = NULL;

        if (weft_get(&plain) != V(7))
                return "get gives the fallback";
        if (!is_unset(&plain))
                return "lookup finds nothing";
        if (weft_set(&plain, V(2), NULL) != -ESHUTDOWN)
                return "set gives -ESHUTDOWN";
        if (weft_set(&kept, &late_value, &late_token) != -ESHUTDOWN)
                return "set of a kept var gives -ESHUTDOWN";
        if (weft_get(&plain) != V(7) || !is_unset(&kept))
                return "a refused set binds nothing";
        if (weft_context_capture())
                return "the empty context is captured";
        if (weft_context_with(NULL, &kept, &late_swapped, &derived) != 0)
                return "a context can be derived";
        if (weft_context_run(derived, compare_kept, &late_swapped, NULL) != 0)
                return "a run sees its context";
        if (weft_context_run(derived, capture_in_run, derived, NULL) != 0)
                return "a run's context is captured";
        if (weft_context_swap(derived))
                return "swap returns NULL";
        if (!is_unset(&kept))
                return "swap installs nothing";
        WEFT_WITH (&plain, V(3)) {
                return "a WEFT_WITH block is not entered";
        }
        return NULL;
}

static void late_destructor(void *arg)
{
        if (++late_calls < 3)
                pthread_setspecific(late, arg);
        else
                late_failure = what_fails_after_exit();
}

static void *bind_and_exit_late(void *value)
{
        pthread_setspecific(late, value);
        weft_set(&plain, V(1), NULL);
        weft_set(&kept, value, NULL);
        return NULL;
}

Test(context, c9_after_thread_exit_get_gives_the_fallback_and_set_refuses)
{
        static struct counted a;

        late_failure = "not called";
        pthread_key_create(&late, late_destructor);
        on_thread(bind_and_exit_late, &a);
        cr_assert(!late_failure, "%s", late_failure);
        assert_gone(&a, 1);
        assert_gone(&late_swapped, 1);
        cr_assert_eq(atomic_load(&late_value.released), atomic_load(&late_value.retained));
}

static void first_use_in_destructor(void *value)
{
        weft_set(&kept, value, NULL);
}

static void *only_set_the_key(void *value)
{
        pthread_setspecific(late, value);
        return NULL;
}

/* The first set of a thread may come from a thread-exit destructor. */
Test(context, c9_what_a_thread_exit_destructor_binds_is_released)
{
        static struct counted a;

        pthread_key_create(&late, first_use_in_destructor);
        on_thread(only_set_the_key, &a);
        assert_gone(&a, 1);
}

/* ---- pthread_exit and pthread_cancel ---- */

static struct counted outer_value, with_value, inner_value;
static int with_undone;

static int exit_inside(void *arg)
{
        (void)arg;
        weft_set(&also, &inner_value, NULL);
        pthread_exit(NULL);
}

static void *exit_inside_a_run(void *arg)
{
        weft_set(&kept, &outer_value, NULL);
        weft_context_run(NULL, exit_inside, arg, NULL);
        return (void *)"pthread_exit came back";
}

Test(context, c9_pthread_exit_inside_a_run_releases_both_frames)
{
        assert_thread_ok(on_thread(exit_inside_a_run, NULL));
        assert_gone(&outer_value, 1);
        assert_gone(&inner_value, 1);
}

static int exit_in_a_bound_call(void *arg)
{
        (void)arg;
        pthread_exit(NULL);
}

/* On a thread that has bound nothing of its own. */
static void *call_bound(void *bound)
{
        weft_bound_call(bound);
        return (void *)"pthread_exit came back";
}

Test(context, c9_pthread_exit_inside_a_bound_call_gives_its_context_back)
{
        static struct counted a;
        weft_bound *bound;

        weft_set(&kept, &a, NULL);
        cr_assert_eq(weft_bind(&bound, exit_in_a_bound_call, NULL), 0);
        assert_thread_ok(on_thread(call_bound, bound));
        weft_context_unref(weft_context_swap(NULL));
        assert_alive(&a, 1);
        weft_bound_free(bound);
        assert_gone(&a, 1);
}

static void note_with_undone(void *arg)
{
        (void)arg;
        with_undone = is_unset(&also) && weft_get(&kept) == &outer_value ? 1 : -1;
}

static void *exit_inside_with(void *how)
{
        weft_set(&kept, &outer_value, NULL);
        pthread_cleanup_push(note_with_undone, NULL);
        WEFT_WITH (&kept, &with_value) {
                WEFT_WITH (&also, &inner_value) {
                        if (how)
                                pthread_exit(NULL);
                        pthread_cancel(pthread_self());
                        pthread_testcancel();
                }
        }
        pthread_cleanup_pop(0);
        return (void *)"the thread did not end";
}

static void assert_with_was_left(void)
{
#if defined(__EXCEPTIONS)
        cr_assert_eq(with_undone, 1);
#endif
        assert_gone(&outer_value, 1);
        assert_gone(&with_value, 1);
        assert_gone(&inner_value, 1);
}

Test(context, c9_pthread_exit_inside_a_with_block_leaves_it)
{
        assert_thread_ok(on_thread(exit_inside_with, V(1)));
        assert_with_was_left();
}

Test(context, c9_pthread_cancel_inside_a_with_block_leaves_it)
{
        cr_assert_eq(on_thread(exit_inside_with, NULL), PTHREAD_CANCELED);
        assert_with_was_left();
}

static pthread_barrier_t ready;

static int wait_to_be_cancelled(void *arg)
{
        weft_set(&also, arg, NULL);
        pthread_barrier_wait(&ready);
        while (true)
                pause();
        return 0;
}

static void *wait_in_a_run(void *value)
{
        weft_set(&kept, &outer_value, NULL);
        weft_context_run(NULL, wait_to_be_cancelled, value, NULL);
        return NULL;
}

Test(context, c9_pthread_cancel_inside_a_run_releases_both_frames)
{
        pthread_t thread;
        void *result;

        pthread_barrier_init(&ready, NULL, 2);
        pthread_create(&thread, NULL, wait_in_a_run, &inner_value);
        pthread_barrier_wait(&ready);
        pthread_cancel(thread);
        pthread_join(thread, &result);
        cr_assert_eq(result, PTHREAD_CANCELED);
        assert_gone(&inner_value, 1);
        assert_gone(&outer_value, 1);
}

static void *end_at_once(void *arg)
{
        pthread_testcancel();
        return arg;
}

/* Cancelled before, while or after it starts: what it would have inherited is given back. */
Test(context, c9_a_thread_that_is_cancelled_at_its_birth_keeps_nothing, .timeout = 120)
{
        static struct counted a;

        weft_set(&kept, &a, NULL);
        for (int i = 0; i < 300; i++) {
                pthread_t thread;
                cr_assert_eq(weft_thread_create(&thread, NULL, end_at_once, NULL), 0);
                pthread_cancel(thread);
                pthread_join(thread, NULL);
        }
        assert_alive(&a, 1);
        weft_context_unref(weft_context_swap(NULL));
        assert_gone(&a, 1);
}

static void exit_in_release(void *value)
{
        if (value)
                pthread_exit(value);
}

static void *displace_and_exit(void *arg)
{
        static weft_var exits = WEFT_VAR_INIT("exits", .release = exit_in_release);

        (void)arg;
        weft_set(&kept, &outer_value, NULL);
        weft_set(&exits, V(5), NULL);
        weft_set(&exits, NULL, NULL);
        return NULL;
}

Test(context, c9_a_thread_may_end_in_a_release_function)
{
        cr_assert_eq(on_thread(displace_and_exit, NULL), V(5));
        assert_gone(&outer_value, 1);
}

/* ---- process exit ---- */

static int report;

static void write_a_byte(void *value)
{
        if (write(report, value, 1) != 1)
                _exit(3);
}

static weft_var tells = WEFT_VAR_INIT("tells", .release = write_a_byte);
static char set_before[] = "x";

static void *bind_and_stay(void *arg)
{
        weft_set(&tells, set_before, NULL);
        pthread_barrier_wait(&ready);
        while (true)
                pause();
        return arg;
}

Test(context, c9_process_exit_releases_nothing)
{
        int ends[2];
        char byte;

        cr_assert_eq(pipe(ends), 0);
        report = ends[1];
        fflush(NULL);
        pid_t pid = fork();
        if (pid == 0) {
                pthread_t thread;

                pthread_barrier_init(&ready, NULL, 2);
                weft_set(&tells, set_before, NULL);
                pthread_create(&thread, NULL, bind_and_stay, NULL);
                pthread_barrier_wait(&ready);
                exit(0);
        }
        close(ends[1]);
        cr_assert_eq(read(ends[0], &byte, 1), 0);
        waitpid(pid, NULL, 0);
}

/* ---- fork ---- */

static int do_nothing(void *arg)
{
        (void)arg;
        return 0;
}

static int use_the_frame_in_the_child(void *token)
{
        weft_var fresh = WEFT_VAR_INIT("first set in the child");
        weft_context *after;

        CHILD_CHECK(weft_get(&plain) == V(1));
        CHILD_CHECK(weft_reset(&plain, token) == 0);
        CHILD_CHECK(weft_get(&plain) == V(7));
        CHILD_CHECK(weft_set(&plain, V(2), NULL) == 0);
        CHILD_CHECK(weft_set(&fresh, V(3), NULL) == 0);
        CHILD_CHECK(weft_get(&plain) == V(2) && weft_get(&fresh) == V(3));
        weft_context *now = weft_context_capture();
        CHILD_CHECK(weft_context_size(now) == 2);
        CHILD_CHECK(weft_context_run(now, do_nothing, NULL, &after) == 0);
        CHILD_CHECK(weft_context_equal(now, after));
        weft_context_unref(after);
        weft_context_unref(now);
        return 0;
}

Test(context, c9_after_fork_the_child_reads_and_writes_its_frame)
{
        weft_token token;

        weft_set(&plain, V(1), &token);
        cr_assert_eq(in_child(use_the_frame_in_the_child, &token), 0);
        cr_assert_eq(weft_get(&plain), V(1));
        cr_assert_eq(weft_reset(&plain, &token), 0);
}

static int release_in_the_child(void *value)
{
        struct counted *c = value;

        weft_set(&kept, NULL, NULL);
        CHILD_CHECK(atomic_load(&c->released) == 1);
        return 0;
}

Test(context, c9_after_fork_each_process_releases_its_own)
{
        static struct counted a;

        weft_set(&kept, &a, NULL);
        cr_assert_eq(in_child(release_in_the_child, &a), 0);
        assert_alive(&a, 1);
}

static void *hold_and_wait(void *arg)
{
        pthread_barrier_t *barrier = arg;

        weft_set(&kept, &outer_value, NULL);
        pthread_barrier_wait(barrier);
        pthread_barrier_wait(barrier);
        return NULL;
}

static int expect_it_is_still_there(void *arg)
{
        (void)arg;
        CHILD_CHECK(is_unset(&kept));
        weft_context_unref(weft_context_swap(NULL));
        CHILD_CHECK(atomic_load(&outer_value.retained) == 1);
        CHILD_CHECK(atomic_load(&outer_value.released) == 0);
        return 0;
}

Test(context, c9_after_fork_what_other_threads_held_is_not_released)
{
        pthread_barrier_t barrier;
        pthread_t thread;

        pthread_barrier_init(&barrier, NULL, 2);
        pthread_create(&thread, NULL, hold_and_wait, &barrier);
        pthread_barrier_wait(&barrier);
        cr_assert_eq(in_child(expect_it_is_still_there, NULL), 0);
        pthread_barrier_wait(&barrier);
        pthread_join(thread, NULL);
        assert_gone(&outer_value, 1);
}

static atomic_bool stop;

static void *set_new_vars_all_the_time(void *arg)
{
        (void)arg;
        for (unsigned i = 1; !atomic_load(&stop); i++) {
                weft_var *var = malloc(sizeof(*var));
                *var = (weft_var)WEFT_VAR_INIT("new");
                weft_set(var, V(1), NULL);
                weft_context *now = weft_context_capture();
                weft_set(&plain, V(1), NULL);
                weft_context_unref(now);
                weft_context_unref(weft_context_swap(NULL));
                weft_var_fini(var);
                free(var);
                if (i % 100 == 0)
                        usleep(10); /* valgrind runs one thread at a time: let others have it */
        }
        return NULL;
}

static int set_many_new_vars(void *arg)
{
        static weft_var vars[300];

        (void)arg;
        for (int i = 0; i < 300; i++) {
                vars[i] = (weft_var)WEFT_VAR_INIT("in the child");
                CHILD_CHECK(weft_set(&vars[i], V(i), NULL) == 0);
        }
        for (int i = 0; i < 300; i++)
                CHILD_CHECK(weft_get(&vars[i]) == V(i));
        return 0;
}

/* Whatever the other threads were in the middle of, the child finds nothing locked or half done.
 * (But for the sanitizers' own allocators, whose locks do not take part in fork.) */
Test(context, c9_fork_in_the_middle_of_other_threads_first_sets, .timeout = 120)
{
        pthread_t threads[2];

        if (WITH_ASAN || WITH_TSAN)
                cr_skip_test("a sanitizer's allocator does not survive this");
        for (int i = 0; i < 2; i++)
                pthread_create(&threads[i], NULL, set_new_vars_all_the_time, NULL);
        for (int i = 0; i < 40; i++)
                cr_assert_eq(in_child(set_many_new_vars, NULL), 0);
        atomic_store(&stop, true);
        for (int i = 0; i < 2; i++)
                pthread_join(threads[i], NULL);
}

/* ---- longjmp ---- */

static jmp_buf back;

/* What a lost undo of a kept var kept alive stays so for good: none of these displaces anything. */

static void bind_and_jump(void)
{
        WEFT_WITH (&kept, &with_value) {
                WEFT_WITH (&plain, V(2)) {
                        longjmp(back, 1);
                }
        }
}

Test(context, c9_longjmp_out_of_a_with_block_loses_the_undo_and_nothing_else)
{
        weft_token token;

        weft_set(&also, &outer_value, &token);
        if (setjmp(back) == 0)
                bind_and_jump();
        cr_assert_eq(weft_get(&kept), &with_value);
        cr_assert_eq(weft_get(&plain), V(2));

        /* the frame goes on as before: earlier tokens are good, and sets set */
        cr_assert_eq(weft_reset(&also, &token), 0);
        cr_assert(is_unset(&also));
        assert_gone(&outer_value, 1);
        cr_assert_eq(weft_set(&plain, V(3), NULL), 0);
        cr_assert_eq(weft_get(&plain), V(3));
        cr_assert_eq(weft_set(&kept, NULL, NULL), 0);
        assert_gone(&with_value, 1);
}

static int jump_within_the_run(void *arg)
{
        (void)arg;
        if (setjmp(back) == 0)
                bind_and_jump();
        return weft_get(&kept) == &with_value ? 0 : -EIO;
}

Test(context, c9_what_a_longjmp_left_bound_goes_with_the_frame)
{
        weft_set(&plain, V(1), NULL);
        cr_assert_eq(weft_context_run(NULL, jump_within_the_run, NULL, NULL), 0);
        assert_gone(&with_value, 1);
        cr_assert_eq(weft_get(&plain), V(1));
        cr_assert(is_unset(&kept));
}

/* ---- exceptions ---- */

#if defined(__EXCEPTIONS)

/* What throwing a C++ exception does to the frames between, as C can do it: unwind them one by one,
 * running their clean-ups, and land in the function that catches. */
static struct _Unwind_Exception exception;
static uintptr_t catcher;
static jmp_buf caught;

static _Unwind_Reason_Code land_in_the_catcher(int version, _Unwind_Action actions,
                                               _Unwind_Exception_Class class_,
                                               struct _Unwind_Exception *what,
                                               struct _Unwind_Context *frame, void *arg)
{
        (void)version, (void)class_, (void)what, (void)arg;
        if ((actions & _UA_END_OF_STACK) || _Unwind_GetCFA(frame) > catcher)
                longjmp(caught, 1);
        return _URC_NO_REASON;
}

static int throw(void *arg)
{
        (void)arg;
        weft_set(&also, &inner_value, NULL);
        WEFT_WITH (&kept, &with_value) {
                _Unwind_ForcedUnwind(&exception, land_in_the_catcher, NULL);
        }
        return -EIO;
}

static __attribute__((noinline)) void with_then_run(void)
{
        WEFT_WITH (&plain, V(2)) {
                weft_context_run(NULL, throw, NULL, NULL);
        }
}

static __attribute__((noinline)) bool catch_what_is_thrown(void)
{
        catcher = (uintptr_t)__builtin_frame_address(0);
        if (setjmp(caught) != 0)
                return true;
        with_then_run();
        return false;
}

Test(context, c9_an_exception_leaves_with_blocks_and_runs)
{
        weft_token token;

        weft_set(&plain, V(1), NULL);
        weft_set(&kept, &outer_value, &token);
        cr_assert(catch_what_is_thrown());
        cr_assert_eq(weft_get(&plain), V(1));
        cr_assert_eq(weft_get(&kept), &outer_value);
        cr_assert(is_unset(&also));
        assert_gone(&with_value, 1);
        assert_gone(&inner_value, 1);
        assert_alive(&outer_value, 1);
        cr_assert_eq(weft_reset(&kept, &token), 0, "it is the same frame as before");
}

#endif
