/* SPDX-License-Identifier: MIT
 *
 * weft_explain() in a program that has its lines recorded (WEFT_LINES), and that asked for it by
 * its environment: which is read before main(), so it is set before that, where the library is
 * linked statically.
 */
#define WEFT_LINES 1

#include "see_help.h"

static weft_var var = WEFT_VAR_INIT("var");

__attribute__((constructor(101))) static void ask(void)
{
        setenv("WEFT_EXPLAIN", "1", 1);
}

/* Whether a line of this file is said after these words. */
static bool says_line(const char *words, int line, const char *function)
{
        char text[1024], has[300];
        if (weft_explain(&var, text, sizeof(text)) < 0)
                return false;
        snprintf(has, sizeof(has), "%s%s:%d (%s)\n", words, __FILE__, line, function);
        if (!strstr(text, has))
                fprintf(stderr, "not \"%s\" in:\n%s", has, text);
        return strstr(text, has);
}

static void skip_unless_recorded(void)
{
        char text[1024];
        weft_explain(&var, text, sizeof(text));
        if (strstr(text, "not recorded"))
                cr_skip_test("it came too late, or the library was built without");
}

static int set_line, submit_line;

static int looks(void *function)
{
        CHECK(says_line("  set at ", set_line, function));
        CHECK(says_line("this is a task, submitted at ", submit_line, function));
        return 0;
}

/* An argument of a call that is noted notes something itself. */
static void *sets_meanwhile(void *value)
{
        CHECK(weft_set(&var, V(1), NULL) == 0);
        return value;
}

Test(explain_lines, lines_of_sets_submits_and_blocks)
{
        skip_unless_recorded();
        weft_pool *pool = begin(1);
        weft_task *task;
        set_line = __LINE__ + 1;
        cr_assert_eq(weft_set(&var, sets_meanwhile(V(2)), NULL), 0);
        cr_assert_eq(weft_get(&var), V(2));
        cr_assert(says_line("  set at ", set_line, __func__));
        submit_line = __LINE__ + 1;
        cr_assert_eq(weft_submit(pool, looks, (void *)__func__), 0);
        cr_assert_eq(join(spawn(pool, nothing, NULL)), 0);
        submit_line = __LINE__ + 1;
        cr_assert_eq(weft_spawn(pool, &task, looks, (void *)__func__), 0);
        cr_assert_eq(join(task), 0);
        WEFT_WITH (&var, V(3))
                cr_assert(says_line("  set at ", __LINE__ - 1, __func__));
        finish(pool);
}

static weft_var dropped = WEFT_VAR_INIT("dropped", .drop_at = WEFT_BORDER_TASK);

static int looks_for_dropped(void *unused)
{
        char text[1024], has[300];
        (void)unused;
        snprintf(has, sizeof(has), "by its policy; it was set at %s:%d (", __FILE__, set_line);
        CHECK(weft_explain(&dropped, text, sizeof(text)) > 0 && strstr(text, has));
        return 0;
}

Test(explain_lines, the_line_of_a_set_is_told_beyond_the_border_that_dropped_it)
{
        skip_unless_recorded();
        weft_pool *pool = begin(1);
        set_line = __LINE__ + 1;
        cr_assert_eq(weft_set(&dropped, V(2), NULL), 0);
        cr_assert_eq(join(spawn(pool, looks_for_dropped, NULL)), 0);
        finish(pool);
}

static weft_var inner = WEFT_VAR_INIT("inner");

/* As code does that is compiled without lines. */
static void binds_inner(void *value)
{
        CHECK((weft_set)(&inner, value, NULL) == 0);
}

static weft_var outer = WEFT_VAR_INIT("outer", .release = binds_inner);

Test(explain_lines, what_a_call_runs_is_not_said_to_be_at_its_line)
{
        char text[1024];
        skip_unless_recorded();
        cr_assert_eq(weft_set(&outer, V(1), NULL), 0);
        cr_assert_eq(weft_set(&outer, V(2), NULL), 0);
        cr_assert_eq(weft_get(&inner), V(1));
        weft_explain(&inner, text, sizeof(text));
        cr_assert(strstr(text, "  set at ") && !strstr(text, __FILE__), "%s", text);
}

Test(explain_lines, a_dump_has_them_too)
{
        skip_copies_in_emulator();
        skip_unless_recorded();
        weft_pool *pool = begin(1);
        struct plug plug;
        char has[300];
        plug_in(&plug, pool, 1);
        submit_line = __LINE__ + 1;
        cr_assert_eq(weft_submit(pool, nothing, NULL), 0);
        char *text = dumped();
        plug_out(&plug);
        finish(pool);
        snprintf(has, sizeof(has), ", submitted in %s:%d\n", __FILE__, submit_line);
        cr_assert(strstr(text, has), "not \"%s\" in:\n%s", has, text);
        free(text);
}
