/* SPDX-License-Identifier: MIT
 *
 * weft_explain(): each reason why a var has a value or none, with the places where that was brought
 * about. A place is looked for as the function of this file that it is in, by address, since that
 * is what a program that is not linked with -rdynamic has; or by file and line (WEFT_LINES).
 */
#include "memory_help.h"
#include "see_help.h"

#include <dlfcn.h>
#include <sys/mman.h>

#include <weft/carry.h>
#include <weft/fork.h>
#include <weft/timer.h>

/* Before the library looks, where it is linked statically. */
__attribute__((constructor(101))) static void ask_for_nothing(void)
{
        setenv("WEFT_EXPLAIN", "0", 1);
}

static int format_number(void *value, char *text, size_t size)
{
        return snprintf(text, size, "number %d", N(value));
}

static weft_var var = WEFT_VAR_INIT("var", .format = format_number);
static weft_var other = WEFT_VAR_INIT("other");
static weft_var dropped = WEFT_VAR_INIT("dropped", .drop_at = WEFT_BORDER_TASK);
static weft_var before = WEFT_VAR_INIT("before");

enum { SIZE = 1024 };

/* A function that is looked for by its address, of which there is to be one. */
#if defined(__clang__)
#define A_PLACE __attribute__((noinline))
#else
#define A_PLACE __attribute__((noinline, noclone))
#endif

static void skip_unless_recorded(void)
{
        if (weft_explain_record(true) == -EOPNOTSUPP)
                cr_skip_test("built without");
}

/* What is said of a var, as far as `has` is in it. */
static bool says(const weft_var *of, const char *has)
{
        char text[SIZE];
        int n = weft_explain(of, text, sizeof(text));
        bool found = n == (int)strlen(text) && strstr(text, has);
        if (!found)
                fprintf(stderr, "not \"%s\" in:\n%s", has, text);
        return found;
}

/* The offset that is said after those words is one of this function, of its first bytes. */
static bool says_place(const weft_var *of, const char *words, const void *function)
{
        enum { FUNCTION = 2048 };
        char text[SIZE];
        Dl_info info;
        weft_explain(of, text, sizeof(text));
        const char *at = strstr(text, words), *end = at ? strchr(at, '\n') : NULL;
        const char *offset = NULL;
        for (const char *p = at; p && p < end; p++)
                if (strncmp(p, "+0x", 3) == 0)
                        offset = p + 1; /* the last one is that into the object */
        if (!offset || !dladdr(function, &info)) {
                fprintf(stderr, "no place after \"%s\" in:\n%s", words, text);
                return false;
        }
        size_t said = strtoul(offset, NULL, 16);
        size_t from = (size_t)((const char *)function - (const char *)info.dli_fbase);
        if (said < from || said - from > FUNCTION)
                fprintf(stderr, "0x%zx is not in the function at 0x%zx:\n%s", said, from, text);
        return said >= from && said - from <= FUNCTION;
}

/* ---- sets ---- */

static A_PLACE int sets(void *value)
{
        int r = weft_set(&var, value, NULL);
        __asm__ volatile("");
        return r;
}

static A_PLACE int resets(weft_token *token)
{
        int r = weft_reset(&var, token);
        __asm__ volatile("");
        return r;
}

Test(explain, where_a_var_was_set)
{
        char text[SIZE];
        skip_unless_recorded();
        cr_assert_eq(sets(V(7)), 0);
        cr_assert(says(&var, "var is number 7\n"));
        cr_assert(says_place(&var, "set at", (const void *)sets));
        weft_explain(&var, text, sizeof(text));
        cr_assert_null(strchr(text, '/'), "the file by its name alone:\n%s", text);
        cr_assert(says(&other, "other is not set here\n  it was never set in this process\n"));
        assert_checks();
}

Test(explain, where_it_was_reset)
{
        weft_token token;
        skip_unless_recorded();
        cr_assert_eq(weft_set(&var, V(1), &token), 0);
        cr_assert_eq(resets(&token), 0);
        cr_assert(says(&var, "var is not set here\n"));
        cr_assert(says_place(&var, "put back, by a reset, at", (const void *)resets));
        void *value;
        cr_assert_eq(weft_lookup(&var, &value), -ENOENT);
        weft_context *c = weft_context_capture();
        cr_assert_eq(weft_context_size(c), 0); /* what is recorded is no binding */
        weft_context_unref(c);
}

static A_PLACE bool says_in_a_block(void)
{
        bool r = false;
        WEFT_WITH (&var, V(3))
                r = says_place(&var, "set at", (const void *)says_in_a_block);
        return r && says_place(&var, "put back, by a reset, at", (const void *)says_in_a_block);
}

Test(explain, so_it_is_with_blocks)
{
        skip_unless_recorded();
        cr_assert(says_in_a_block());
}

#if defined(__x86_64__)
typedef int set_fn(weft_var *var, void *value, weft_token *ret_token);

/* A function that calls weft_set(), in memory that belongs to no file, as compilers at run time
 * make them. */
static set_fn *made_at_run_time(const unsigned char **ret_code, size_t *ret_size)
{
        static const unsigned char code[] = {0x48, 0x83, 0xec, 0x08, /* sub $8, %rsp */
                                             0x48, 0xb8, 0,    0,    0,
                                             0,    0,    0,    0,    0,     /* mov &, %rax */
                                             0xff, 0xd0,                    /* call *%rax */
                                             0x48, 0x83, 0xc4, 0x08, 0xc3}; /* add $8, %rsp; ret */
        set_fn *target = weft_set, *made;
        unsigned char *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (at == MAP_FAILED)
                return NULL;
        memcpy(at, code, sizeof(code));
        memcpy(at + 6, &target, sizeof(target));
        memcpy(&made, &at, sizeof(made));
        *ret_code = at;
        *ret_size = sizeof(code);
        return made;
}

Test(explain, a_place_in_no_file_is_an_address)
{
        const unsigned char *code;
        char text[SIZE];
        size_t size;
        skip_unless_recorded();
        set_fn *set = made_at_run_time(&code, &size);
        if (!set)
                cr_skip_test("no code may be made here");
        cr_assert_eq(set(&var, V(7), NULL), 0);
        weft_explain(&var, text, sizeof(text));
        const char *said = strstr(text, "  set at 0x");
        cr_assert_not_null(said, "%s", text);
        const unsigned char *at = (const unsigned char *)strtoul(said + 9, NULL, 16);
        cr_assert(at > code && at < code + size, "%s", text);
}
#endif

/* ---- borders ---- */

static int looks_in_a_task(void *submits)
{
        CHECK(says(&var, "var is number 7\n"));
        CHECK(says_place(&var, "  set at", (const void *)sets));
        CHECK(says_place(&var, "this is a task, submitted at", submits));
        CHECK(says(&dropped, "dropped is not set here\n"
                             "  dropped at the border to a task, by its policy; it was set at"));
        CHECK(says(&other, "it was not set where this was handed over, nor since"));
        return 0;
}

static A_PLACE int from_one_place(weft_pool *pool)
{
        int r = weft_submit(pool, looks_in_a_task, (void *)from_one_place);
        __asm__ volatile(""); /* a call, not a jump to it, which would return elsewhere */
        return r;
}

static A_PLACE int from_another(weft_pool *pool)
{
        weft_task *task;
        int r = weft_spawn(pool, &task, looks_in_a_task, (void *)from_another);
        return r < 0 ? r : join(task);
}

static A_PLACE int from_a_group(weft_pool *pool)
{
        weft_group group;
        int r = weft_group_init(&group, pool);
        if (r == 0)
                r = weft_group_spawn(&group, looks_in_a_task, (void *)from_a_group);
        weft_group_fini(&group);
        return r;
}

static int from_all_places(void *pool)
{
        CHECK(weft_set(&dropped, V(1), NULL) == 0);
        for (int i = 0; i < 3; i++) {
                CHECK(from_one_place(pool) == 0);
                CHECK(from_another(pool) == 0);
                CHECK(from_a_group(pool) == 0);
        }
        return 0;
}

Test(explain, where_a_task_was_submitted_and_which_border_dropped_it)
{
        skip_unless_recorded();
        weft_pool *pool = begin(2);
        cr_assert_eq(weft_set(&other, NULL, NULL), 0);
        weft_context_unref(weft_context_swap(NULL));
        cr_assert_eq(sets(V(7)), 0);
        from_all_places(pool);
        cr_assert_eq(join(spawn(pool, from_all_places, pool)), 0);
        finish(pool);
}

Test(explain, a_dump_tells_where_tasks_were_submitted)
{
        skip_copies_in_emulator();
        skip_unless_recorded();
        weft_pool *pool = begin(1);
        struct plug plug;
        cr_assert_eq(sets(V(7)), 0);
        plug_in(&plug, pool, 1);
        char *text = dumped();
        plug_out(&plug);
        finish(pool);
        cr_assert(strstr(text, "submitted at ") && strstr(text, "var=\"number 7\""), "%s", text);
        free(text);
}

static int hands_on_one_more(unsigned border, void *value, void **ret_value)
{
        (void)border;
        *ret_value = V(N(value) + 1);
        return 0;
}

static weft_var never_crosses = WEFT_VAR_INIT("never", .drop_at = WEFT_BORDER_ALL);
static weft_var handed_on = WEFT_VAR_INIT("handed on", .hand_on = hands_on_one_more);

static int looks_across(void *border)
{
        char has[128];
        snprintf(has, sizeof(has), "  dropped at the border %s, by its policy; it was set at ",
                 (const char *)border);
        CHECK(says(&never_crosses, has));
        snprintf(has, sizeof(has), "  handed on at the border %s, by its policy; it was set at ",
                 (const char *)border);
        CHECK(says(&handed_on, "handed on is 0x2\n") && says(&handed_on, has));
        return 0;
}

Test(explain, which_border_it_was)
{
        static const char *const names[] = {"to a task", "to a task that starts at a time",
                                            "to a thread", "to another executor",
                                            "out of the process"};
        skip_unless_recorded();
        cr_assert_eq(weft_set(&never_crosses, V(1), NULL), 0);
        cr_assert_eq(weft_set(&handed_on, V(1), NULL), 0);
        for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++) {
                weft_context *across;
                cr_assert_eq(weft_context_cross(1u << i, &across), 0);
                cr_assert_eq(weft_context_run(across, looks_across, (void *)names[i], NULL), 0);
                weft_context_unref(across);
        }
        assert_checks();
}

static int looks_without_bindings(void *submits)
{
        CHECK(says_place(&var, "this is a task, submitted at", submits));
        CHECK(says(&var, "it was not set where this was handed over, nor since"));
        weft_context *here = weft_context_capture();
        CHECK(weft_context_size(here) == 0);
        weft_context_unref(here);
        return 0;
}

static A_PLACE int with_nothing_bound(weft_pool *pool)
{
        weft_task *task;
        int r = weft_spawn(pool, &task, looks_without_bindings, (void *)with_nothing_bound);
        return r < 0 ? r : join(task);
}

/* Bound before places were recorded: in a context that has no room for notes. */
static int looks_with_old_bindings(void *submits)
{
        CHECK(says_place(&before, "this is a task, submitted at", submits));
        CHECK(weft_get(&before) == V(1));
        return 0;
}

static A_PLACE int with_old_bindings(weft_pool *pool)
{
        weft_task *task;
        int r = weft_spawn(pool, &task, looks_with_old_bindings, (void *)with_old_bindings);
        return r < 0 ? r : join(task);
}

Test(explain, where_a_task_was_submitted_from_a_context_without_notes)
{
        weft_pool *pool = begin(1);
        cr_assert_eq(weft_set(&before, V(1), NULL), 0);
        skip_unless_recorded();
        cr_assert_eq(sets(V(7)), 0); /* var is one of which places are recorded */
        weft_context_unref(weft_context_swap(NULL));
        cr_assert_eq(with_nothing_bound(pool), 0);
        cr_assert_eq(weft_explain_record(false), 0);
        cr_assert_eq(weft_set(&before, V(1), NULL), 0);
        cr_assert_eq(weft_explain_record(true), 0);
        cr_assert_eq(with_old_bindings(pool), 0);
        finish(pool);
}

static void *looks_in_a_thread(void *creates)
{
        CHECK(says_place(&var, "this is a thread, created at", creates));
        CHECK(says_place(&var, "  set at", (const void *)sets));
        return NULL;
}

static int looks_when_called(void *binds)
{
        CHECK(says_place(&var, "a function for another executor, bound at", binds));
        return 0;
}

static int looks_at_its_time(void *spawns)
{
        CHECK(says_place(&var, "a task that starts at a time, spawned at", spawns));
        return 0;
}

static A_PLACE void hands_over(weft_pool *pool)
{
        pthread_t thread;
        weft_bound *bound;
        weft_task *task;
        CHECK(weft_thread_create(&thread, NULL, looks_in_a_thread, (void *)hands_over) == 0);
        pthread_join(thread, NULL);
        CHECK(weft_bind(&bound, looks_when_called, (void *)hands_over) == 0);
        CHECK(weft_bound_call(bound) == 0);
        weft_bound_free(bound);
        CHECK(weft_spawn_at(pool, &task, 0, WEFT_INHERIT, looks_at_its_time, (void *)hands_over) ==
              0);
        CHECK(join(task) == 0);
}

Test(explain, threads_bound_functions_and_timers)
{
        skip_unless_recorded();
        weft_pool *pool = begin(1);
        cr_assert_eq(sets(V(7)), 0);
        hands_over(pool);
        finish(pool);
}

static void *plain_thread(void *arg)
{
        CHECK(says(&var, "this thread was handed no context"));
        return arg;
}

Test(explain, a_thread_that_nobody_gave_a_context)
{
        skip_unless_recorded();
        pthread_t thread;
        cr_assert_eq(sets(V(7)), 0);
        pthread_create(&thread, NULL, plain_thread, NULL);
        pthread_join(thread, NULL);
        assert_checks();
}

/* ---- what is recorded changes nothing else ---- */

static int sees_what_it_should(void *arg)
{
        weft_context *here = weft_context_capture();
        CHECK(weft_context_size(here) == 2);
        CHECK(weft_get(&var) == arg);
        CHECK(weft_get(&other) == V(2));
        CHECK(weft_lookup(&dropped, &(void *){0}) == -ENOENT);
        weft_context_unref(here);
        return 0;
}

Test(explain, contexts_bind_what_they_would_bind_without)
{
        skip_unless_recorded();
        weft_pool *pool = begin(1);
        weft_context *one, *two;
        cr_assert_eq(sets(V(1)), 0);
        cr_assert_eq(weft_set(&other, V(2), NULL), 0);
        cr_assert_eq(weft_set(&dropped, V(3), NULL), 0);
        one = weft_context_capture();
        cr_assert_eq(weft_set(&other, V(2), NULL), 0); /* elsewhere, to the same */
        two = weft_context_capture();
        cr_assert(weft_context_equal(one, two));
        cr_assert_eq(join(spawn(pool, sees_what_it_should, V(1))), 0);
        cr_assert_eq(join(spawn(pool, sees_what_it_should, V(1))), 0);
        weft_context_unref(one);
        weft_context_unref(two);
        finish(pool);
}

static int encode(const void *value, char *text, size_t size)
{
        return snprintf(text, size, "%d", N(value)) < (int)size ? 0 : -EBADMSG;
}

static int decode(const char *text, size_t length, void *previous, void **ret_value)
{
        (void)length;
        (void)previous;
        *ret_value = V(atoi(text));
        return 0;
}

static int count_header(void *arg, const char *name, const char *value)
{
        CHECK(strcmp(name, "x-var") == 0 && strcmp(value, "7") == 0);
        ++*(int *)arg;
        return 0;
}

Test(explain, nothing_of_it_leaves_the_process)
{
        static weft_codec codec = {
            .var = &var, .name = "x-var", .encode = encode, .decode = decode};
        int sent = 0;
        skip_unless_recorded();
        cr_assert_eq(weft_codec_register(&codec), 0);
        cr_assert_eq(sets(V(7)), 0);
        weft_context *here = weft_context_capture(), *across;
        cr_assert_eq(weft_context_inject(here, count_header, &sent), 1);
        cr_assert_eq(weft_context_cross(WEFT_BORDER_PROCESS, &across), 0);
        cr_assert_eq(weft_context_inject(across, count_header, &sent), 1);
        cr_assert_eq(sent, 2);
        weft_context_unref(across);
        weft_context_unref(here);
        assert_checks();
}

/* ---- without memory ---- */

static int set_with(int allocations, weft_var *of)
{
        leave_allocations(allocations);
        int r = weft_set(of, V(1), NULL);
        leave_memory();
        return r;
}

Test(explain, C8_recording_that_finds_no_memory_is_not_begun)
{
        leave_allocations(0);
        int r = weft_explain_record(true);
        leave_memory();
        if (r == -EOPNOTSUPP)
                cr_skip_test("built without");
        cr_assert_eq(r, -ENOMEM);
        cr_assert_eq(sets(V(7)), 0);
        cr_assert(says(&var, "places are not recorded"));
        cr_assert_eq(weft_explain_record(true), 0);
        cr_assert_eq(sets(V(8)), 0);
        cr_assert(says(&var, "var is number 8\n"));
}

Test(explain, C8_a_set_that_finds_no_memory_for_its_note_changes_nothing)
{
        enum { VARS = 300 };
        static weft_var many[VARS];
        int refused = 0, r;
        skip_unless_recorded();
        for (int i = 0; i < VARS; i++) {
                many[i] = (weft_var)WEFT_VAR_INIT("one of many");
                for (int n = 0; (r = set_with(n, &many[i])) < 0; n++, refused++) {
                        cr_assert_eq(r, -ENOMEM);
                        cr_assert_eq(weft_lookup(&many[i], &(void *){0}), -ENOENT);
                        cr_assert(i == 0 || weft_get(&many[i - 1]) == V(1));
                }
                cr_assert(says(&many[i], "  set at "));
        }
        cr_assert_gt(refused, 10);
}

/* With so many vars that it is far from what a context holds itself. */
Test(explain, C8_a_task_whose_place_finds_no_memory_is_not_handed_over)
{
        enum { VARS = 40 };
        static weft_var many[VARS];
        weft_context *across = NULL;
        int refused = 0, r;
        for (int i = 0; i < VARS; i++) {
                many[i] = (weft_var)WEFT_VAR_INIT("one of many");
                cr_assert_eq(weft_set(&many[i], V(i + 1), NULL), 0);
        }
        skip_unless_recorded();
        for (int n = 0; (r = cross_with(n, WEFT_BORDER_TASK, &across)) < 0; n++, refused++) {
                cr_assert_eq(r, -ENOMEM);
                cr_assert_null(across);
                cr_assert_eq(weft_get(&many[VARS - 1]), V(VARS));
        }
        cr_assert_geq(refused, 2);
        weft_context *here = weft_context_swap(across);
        cr_assert(weft_context_equal(here, across));
        cr_assert(says(&many[0], "this is a task, submitted at "));
        weft_context_unref(here);
}

/* ---- off ---- */

Test(explain, a_0_in_the_environment_does_not_ask_for_it)
{
        cr_assert_eq(sets(V(7)), 0);
        cr_assert(says(&var, "places are not recorded"));
}

Test(explain, without_recording_it_tells_what_there_is)
{
        cr_assert_eq(weft_set(&var, V(1), NULL), 0);
        cr_assert(says(&var, "var is number 1\n"));
        cr_assert(says(&var, "places are not recorded"));
        weft_context_unref(weft_context_swap(NULL));
        cr_assert(says(&dropped, "drops it at the borders to a task\n"));
        cr_assert_eq(weft_explain(NULL, NULL, 0), -EINVAL);
        cr_assert_eq(weft_explain(&var, NULL, 1), -EINVAL);
        char few[5] = "xxxx";
        int length = weft_explain(&var, NULL, 0);
        cr_assert_gt(length, 20);
        cr_assert_eq(weft_explain(&var, few, sizeof(few)), length);
        cr_assert_str_eq(few, "var ");
}

static int format_lines(void *value, char *text, size_t size)
{
        return N(value) ? snprintf(text, size, "a\n  set at\x1b\x7f~\xff") : -1;
}

Test(explain, a_value_makes_no_lines_and_one_that_has_no_text_is_a_pointer)
{
        static weft_var lines = WEFT_VAR_INIT("lines", .format = format_lines);
        cr_assert_eq(weft_set(&lines, V(1), NULL), 0);
        cr_assert(says(&lines, "lines is a\\x0a  set at\\x1b\\x7f~\\xff\n"));
        cr_assert_eq(weft_set(&lines, V(0), NULL), 0);
        cr_assert(says(&lines, "lines is (nil)\n"));
}

static int format_row(void *value, char *text, size_t size)
{
        return snprintf(text, size, "%*s€ and more", N(value), "a");
}

Test(explain, a_long_value_is_cut_before_a_character_not_inside)
{
        static weft_var row = WEFT_VAR_INIT("row", .format = format_row);
        cr_assert_eq(weft_set(&row, V(254), NULL), 0);
        cr_assert(says(&row, " a\n"));
        cr_assert_eq(weft_set(&row, V(252), NULL), 0);
        cr_assert(says(&row, " a€\n"));
}

Test(explain, a_name_makes_no_lines_either)
{
        static weft_var forger = WEFT_VAR_INIT("é is 1\n  set at"), nameless = WEFT_VAR_INIT(NULL);
        cr_assert(says(&forger, "é is 1\\x0a  set at is not set here\n"));
        cr_assert(says(&nameless, "? is not set here\n"));
}

Test(explain, of_vars_from_before_nothing_is_recorded_and_all_goes_on)
{
        cr_assert_eq(weft_set(&before, V(1), NULL), 0);
        skip_unless_recorded();
        cr_assert_eq(sets(V(2)), 0);
        cr_assert_eq(weft_set(&before, V(3), NULL), 0);
        cr_assert(says(&before, "before is 0x3\n"));
        cr_assert_eq(weft_explain_record(false), 0);
        cr_assert_eq(sets(V(4)), 0);
        cr_assert(says(&var, "var is number 4\n"));
        cr_assert_eq(weft_get(&before), V(3));
}
