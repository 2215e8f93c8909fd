/* SPDX-License-Identifier: MIT
 *
 * References to contexts: a context lives as long as anybody has one, and is seen unchanged by all
 * who have; what a binding keeps alive is retained once and released once. The banks of spare
 * references are in between.
 */
#include <stdatomic.h>
#include <string.h>

#include "checker/model.h"

#include <weft/weft.h>

enum { VARS_KEPT = 1 }; /* the block in which the vars of the process are listed */

static weft_var plain = WEFT_VAR_INIT("plain");
static int alive; /* plain: released by whoever gave the last reference */

static void retain(void *value)
{
        model_check(value == &alive);
        alive++;
}

static void release(void *value)
{
        model_check(value == &alive && alive > 0);
        alive--;
}

static weft_var kept = WEFT_VAR_INIT("kept", .retain = retain, .release = release);

static weft_context *context;

static void bind(weft_var *var, void *value)
{
        model_check(weft_set(var, value, NULL) == 0);
}

static int look(void *expected)
{
        model_check(weft_get(&plain) == expected);
        return 0;
}

/* ---- who gives the last reference frees ---- */

static void unrefs(void *unused)
{
        (void)unused;
        look(NULL);
        model_check(weft_context_size(context) == 1);
        weft_context_unref(context);
}

MODEL(context_unref_by_two, .preemptions = 3, .keeps = VARS_KEPT)
{
        bind(&plain, &plain);
        context = weft_context_capture();
        model_start("unrefs", unrefs, NULL);
        bind(&plain, NULL);
        weft_context_unref(weft_context_swap(NULL));
        model_join_all();
}

MODEL(context_unref_by_three, .preemptions = 2, .keeps = VARS_KEPT)
{
        bind(&plain, &plain);
        context = weft_context_ref(weft_context_capture());
        model_start("a", unrefs, NULL);
        model_start("b", unrefs, NULL);
        bind(&plain, &context);
        model_join_all();
}

/* ---- what others have is not edited ---- */

static void *expected;

static void looks(void *unused)
{
        (void)unused;
        weft_context_run(context, look, expected, NULL);
        weft_context_unref(context);
}

MODEL(context_set_beside_one_who_looks, .preemptions = 3, .keeps = VARS_KEPT)
{
        expected = &plain;
        bind(&plain, expected);
        context = weft_context_capture();
        model_start("looks", looks, NULL);
        bind(&plain, &context);
        look(&context);
        model_join_all();
}

/* Two sets: when the other's reference is given back the second one may be in place. */
MODEL(context_set_twice_beside_one_who_looks, .preemptions = 3, .keeps = VARS_KEPT)
{
        expected = &plain;
        bind(&plain, expected);
        context = weft_context_capture();
        model_start("looks", looks, NULL);
        bind(&kept, &alive);
        bind(&plain, &context);
        model_join_all();
}

/* The one who looks does so in a context of its own, made from the same. */
static int binds(void *value)
{
        bind(&plain, value);
        return look(value);
}

static void binds_in_it(void *unused)
{
        (void)unused;
        weft_context_run(context, binds, &expected, NULL);
        weft_context_run(context, look, expected, NULL);
        weft_context_unref(context);
}

MODEL(context_two_set_from_one, .preemptions = 3, .keeps = VARS_KEPT)
{
        expected = &plain;
        bind(&plain, expected);
        context = weft_context_capture();
        model_start("binds", binds_in_it, NULL);
        bind(&plain, &context);
        look(&context);
        model_join_all();
}

/* ---- capture and give back, again and again, on two threads: the banks ---- */

static int captures(void *unused)
{
        (void)unused;
        weft_context *a = weft_context_capture(), *b = weft_context_capture();
        weft_context_unref(a);
        weft_context_unref(b);
        return 0;
}

static void runs_captures(void *unused)
{
        (void)unused;
        weft_context_run(context, captures, NULL, NULL);
        weft_context_unref(context);
}

MODEL(context_two_capture, .preemptions = 3, .keeps = VARS_KEPT)
{
        bind(&plain, &plain);
        context = weft_context_capture();
        model_start("captures", runs_captures, NULL);
        captures(NULL);
        bind(&plain, NULL);
        model_join_all();
}

MODEL(context_two_capture_what_is_kept, .preemptions = 3, .keeps = VARS_KEPT)
{
        bind(&kept, &alive);
        context = weft_context_capture();
        model_start("captures", runs_captures, NULL);
        captures(NULL);
        bind(&kept, &alive);
        model_join_all();
        model_check(alive == 1);
        weft_context_unref(weft_context_swap(NULL));
        model_check(alive == 0);
}

/* ---- cells: shared by contexts, released once ---- */

static void drops(void *unused)
{
        (void)unused;
        weft_context_unref(context);
}

MODEL(context_cell_of_two, .preemptions = 3, .keeps = VARS_KEPT)
{
        bind(&kept, &alive);
        context = weft_context_capture();
        bind(&plain, &plain); /* a copy, with the same cell */
        model_start("drops", drops, NULL);
        weft_context_unref(weft_context_swap(NULL));
        model_join_all();
        model_check(alive == 0);
}

/* The token keeps what it displaced, whatever becomes of the contexts. */
MODEL(context_token_keeps, .preemptions = 3, .keeps = VARS_KEPT)
{
        weft_token token;
        bind(&kept, &alive);
        context = weft_context_capture();
        model_start("drops", drops, NULL);
        model_check(weft_set(&kept, &alive, &token) == 0);
        model_check(weft_reset(&kept, &token) == 0);
        void *value = weft_get(&kept);
        model_check(value == &alive && alive >= 1);
        model_join_all();
        model_check(alive == 1);
        weft_context_unref(weft_context_swap(NULL));
        model_check(alive == 0);
}

/* ---- fork, set, reset, join: what the child looks at is the parent's ---- */

static atomic_bool done;

static void child(void *unused)
{
        (void)unused;
        weft_context *previous = weft_context_swap(context);
        look(expected);
        model_check(weft_get(&kept) == &alive);
        weft_context_unref(weft_context_swap(previous));
        atomic_store_explicit(&done, true, memory_order_release);
}

MODEL(context_reset_while_a_child_looks, .preemptions = 3, .keeps = VARS_KEPT)
{
        weft_token token;
        expected = &plain;
        bind(&plain, expected);
        model_check(weft_set(&kept, &alive, &token) == 0);
        context = weft_context_capture();
        model_start("child", child, NULL);
        model_check(weft_reset(&kept, &token) == 0);
        bind(&plain, NULL);
        model_join_all();
        model_check(alive == 0);
}

/* ---- far vars: nodes of the trie are shared too ---- */

enum { VARS = 10 };
static weft_var far[VARS];

static int looks_far(void *unused)
{
        (void)unused;
        model_check(weft_get(&far[VARS - 1]) == &far[VARS - 1]);
        return 0;
}

static void looks_far_in_it(void *unused)
{
        (void)unused;
        weft_context_run(context, looks_far, NULL, NULL);
        weft_context_unref(context);
}

MODEL(context_far_set_beside_one_who_looks, .preemptions = 3, .keeps = VARS_KEPT)
{
        for (int i = 0; i < VARS; i++)
                bind(&far[i], &far[i]);
        context = weft_context_capture();
        model_start("looks", looks_far_in_it, NULL);
        bind(&far[VARS - 1], NULL);
        bind(&far[VARS - 1], &context);
        model_join_all();
}

/* A copy that differs in a near var has the same nodes; whoever gives the last reference to one
 * frees it, and the only one who is left edits it where it is. */
static void looks_far_and_unrefs(void *unused)
{
        void *value;
        (void)unused;
        model_check(weft_context_lookup(context, &far[VARS - 1], &value) == 0);
        model_check(value == &far[VARS - 1]);
        weft_context_unref(context);
}

/* With a value that is kept contexts go at once, and not by way of a bank. */
static void share_nodes(void)
{
        bind(&kept, &alive);
        for (int i = 0; i < VARS; i++)
                bind(&far[i], &far[i]);
        context = weft_context_capture();
        bind(&far[0], NULL);
        model_start("looks", looks_far_and_unrefs, NULL);
}

MODEL(context_far_unref_by_two, .preemptions = 3, .keeps = VARS_KEPT)
{
        share_nodes();
        model_check(looks_far(NULL) == 0);
        weft_context_unref(weft_context_swap(NULL));
        model_join_all();
}

MODEL(context_far_set_when_the_other_is_gone, .preemptions = 3, .keeps = VARS_KEPT)
{
        share_nodes();
        bind(&far[VARS - 1], NULL);
        model_join_all();
}

/* One that moves on to another context has the reference in its bank until it ends. */
static void moves_on(void *unused)
{
        (void)unused;
        model_check(!weft_context_swap(context));
        look(&plain);
        bind(&plain, NULL);
}

static void looks_and_unrefs(void *unused)
{
        void *value;
        (void)unused;
        model_check(weft_context_lookup(context, &plain, &value) == 0 && value == &plain);
        weft_context_unref(context);
}

MODEL(context_in_the_bank_is_the_last, .preemptions = 3, .keeps = VARS_KEPT)
{
        bind(&plain, &plain);
        context = weft_context_capture();
        model_check(weft_context_swap(NULL) == context);
        model_start("moves on", moves_on, NULL);
        model_start("looks", looks_and_unrefs, NULL);
        model_join_all();
}

/* The bank is needed for another context, and what was in it the last reference. */
MODEL(context_in_the_bank_gives_way, .preemptions = 3, .keeps = VARS_KEPT)
{
        bind(&plain, &plain);
        context = weft_context_capture();
        model_start("looks", looks_and_unrefs, NULL);
        bind(&plain, &context);
        weft_context_unref(weft_context_capture());
        model_join_all();
}

/* ---- vars that are set for the first time ---- */

static weft_var fresh = WEFT_VAR_INIT("fresh"), other = WEFT_VAR_INIT("other");

static int visit(const weft_var *var, void *value, void *meant)
{
        model_check(var == meant && value == meant);
        return 1;
}

/* Whoever has bound a var finds it by its binding. */
static void sets(void *var)
{
        bind(var, var);
        weft_context *c = weft_context_capture();
        model_check(weft_context_foreach(c, visit, var) == 1); /* what is not found is left out */
        weft_context_unref(c);
}

MODEL(context_two_set_a_var_first, .preemptions = 3, .keeps = VARS_KEPT)
{
        model_start("sets", sets, &fresh);
        sets(&fresh);
        model_join_all();
}

MODEL(context_two_set_two_vars_first, .preemptions = 3, .keeps = VARS_KEPT)
{
        model_start("sets", sets, &fresh);
        sets(&other);
        model_join_all();
}

/* ---- what is made of a context for the other side of a border ---- */

static weft_var dropped = WEFT_VAR_INIT("dropped", .drop_at = WEFT_BORDER_TASK);

/* Sees what was bound when it was made. */
static int crosses(void *bound)
{
        weft_context *across;
        void *value = NULL;
        model_check(weft_context_cross(WEFT_BORDER_TASK, &across) == 0);
        model_check(weft_context_lookup(across, &plain, &value) == 0 && value == bound);
        model_check(weft_context_lookup(across, &dropped, &value) == -ENOENT);
        weft_context_unref(across);
        return 0;
}

static void runs_crosses(void *bound)
{
        weft_context_run(context, crosses, bound, NULL);
        weft_context_unref(context);
}

/* Both make it; one is kept. */
MODEL(context_two_cross, .preemptions = 3, .keeps = VARS_KEPT)
{
        bind(&plain, &plain);
        bind(&dropped, &dropped);
        context = weft_context_capture();
        model_start("crosses", runs_crosses, &plain);
        crosses(&plain);
        crosses(&plain);
        model_join_all();
        weft_context_unref(weft_context_swap(NULL));
}

/* The other one has made something of it, and gives its reference back: then the owner must not
 * edit it in place, though it is the only one. */
MODEL(context_cross_and_set, .preemptions = 3, .keeps = VARS_KEPT)
{
        bind(&plain, &plain);
        bind(&dropped, &dropped);
        context = weft_context_capture();
        model_start("crosses", runs_crosses, &plain);
        bind(&dropped, &plain);
        bind(&plain, &context);
        crosses(&context);
        model_join_all();
        weft_context_unref(weft_context_swap(NULL));
}

/* A value that is shared by both sides, and given back on each. */
MODEL(context_cell_beyond_a_border, .preemptions = 2, .keeps = VARS_KEPT)
{
        bind(&kept, &alive);
        bind(&plain, &plain);
        bind(&dropped, &dropped);
        context = weft_context_capture();
        model_start("crosses", runs_crosses, &plain);
        weft_context_unref(weft_context_swap(NULL));
        model_join_all();
        model_check(alive == 0);
}

/* What is kept of what was made is given back with the context; the other one has it still. */
static int crosses_alone(void *ret)
{
        return weft_context_cross(WEFT_BORDER_TASK, (weft_context **)ret);
}

static void has_crossed(void *unused)
{
        weft_context *across;
        void *value = NULL;
        (void)unused;
        weft_context_run(context, crosses_alone, &across, NULL);
        weft_context_unref(context);
        model_check(weft_context_lookup(across, &plain, &value) == 0 && value == &plain);
        weft_context_unref(across);
}

MODEL(context_across_is_left_by_two, .preemptions = 3, .keeps = VARS_KEPT)
{
        bind(&kept, &alive);
        bind(&plain, &plain);
        bind(&dropped, &dropped);
        context = weft_context_capture();
        model_start("has crossed", has_crossed, NULL);
        weft_context_unref(weft_context_swap(NULL));
        model_join_all();
        model_check(alive == 0);
}

/* ---- hooks ---- */

static void count(void *previous, void *next, void *told)
{
        model_check(previous != next);
        ++*(int *)told;
}

static int told[2];
static weft_var followed[2] = {
    WEFT_VAR_INIT("one", .on_change = count, .on_change_user = &told[0]),
    WEFT_VAR_INIT("two", .on_change = count, .on_change_user = &told[1])};

/* Whoever has bound a var has its hook found, whatever others bind first meanwhile. */
static void follows(void *i)
{
        int at = (int)(intptr_t)i;
        bind(&followed[at], &told);
        weft_context_unref(weft_context_swap(NULL));
        model_check(told[at] == 2);
}

MODEL(context_two_set_a_var_with_a_hook_first, .preemptions = 2, .stale = 1, .keeps = VARS_KEPT + 2)
{
        told[0] = told[1] = 0;
        model_start("follows", follows, NULL);
        follows((void *)1);
        model_join_all();
}

/* So has whoever is given its binding, and a place is used again. */
static void runs_followed(void *unused)
{
        (void)unused;
        weft_context_run(context, look, NULL, NULL);
        model_check(told[0] == 3);
        weft_context_unref(context);
}

MODEL(context_set_a_var_with_a_hook_first_beside_one_who_is_told, .preemptions = 2, .stale = 1,
      .keeps = VARS_KEPT + 2)
{
        weft_var gone = WEFT_VAR_INIT("gone", .on_change = count, .on_change_user = &told[1]);
        told[0] = told[1] = 0;
        bind(&gone, &told);
        weft_context_unref(weft_context_swap(NULL));
        bind(&followed[0], &told);
        context = weft_context_swap(NULL);
        weft_var_fini(&gone);
        told[0] = 1;
        model_start("runs", runs_followed, NULL);
        bind(&followed[1], &told);
        weft_context_unref(weft_context_swap(NULL));
        model_join_all();
        model_check(told[1] == 4);
}

/* Whoever binds no var with a hook learns nothing of those who do; all that it comes across, places
 * and keys, has to be there none the less. */
static void runs_plain(void *unused)
{
        (void)unused;
        weft_context_run(context, look, &plain, NULL);
        weft_context_unref(context);
}

MODEL(context_set_a_var_with_a_hook_first_beside_one_who_has_none, .preemptions = 2, .stale = 1,
      .keeps = VARS_KEPT + 1)
{
        bind(&plain, &plain);
        context = weft_context_capture();
        told[0] = 0;
        model_start("runs", runs_plain, NULL);
        bind(&followed[0], &told);
        model_join_all();
        model_check(told[0] == 1);
}

/* So has its var: the key that is found may be one of a block of the list that is new. */
enum { FIRST_BLOCK = 16 };

MODEL(context_set_the_first_var_of_a_block_beside_one_who_has_none, .preemptions = 2, .stale = 1,
      .keeps = VARS_KEPT + 3)
{
        weft_var filling[FIRST_BLOCK - 2];
        memset(filling, 0, sizeof(filling));
        for (int i = 0; i < FIRST_BLOCK - 2; i++)
                bind(&filling[i], NULL);
        bind(&followed[0], &told);
        weft_context_unref(weft_context_swap(NULL));
        bind(&plain, &plain);
        context = weft_context_capture();
        model_start("runs", runs_plain, NULL);
        bind(&followed[1], &told);
        model_join_all();
}

/* And a var that is retired may be in use nowhere else, but hooks are looked through everywhere;
 * what becomes of its memory is nobody's business any more. */
MODEL(context_retire_a_var_with_a_hook_beside_one_who_has_none, .preemptions = 2, .stale = 1,
      .keeps = VARS_KEPT + 1)
{
        weft_var gone = WEFT_VAR_INIT("gone", .on_change = count, .on_change_user = &told[0]);
        bind(&gone, &told);
        weft_context_unref(weft_context_swap(NULL));
        bind(&plain, &plain);
        context = weft_context_capture();
        model_start("runs", runs_plain, NULL);
        weft_var_fini(&gone);
        memset(&gone, 0x55, sizeof(gone));
        model_join_all();
}
