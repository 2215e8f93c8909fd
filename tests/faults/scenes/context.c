/* SPDX-License-Identifier: MIT
 *
 * Contexts: a set that fails changes nothing, and what has been captured stays as it was.
 */
#include "tests/faults/scene.h"

#define V(n) ((void *)(intptr_t)(n))

enum { VARS = 40 }; /* the first eight are near, the others need a trie, and a second table */

static weft_var vars[VARS];
static atomic_int kept; /* values retained and not released */

static void keep(void *value)
{
        (void)value;
        atomic_fetch_add(&kept, 1);
}

static void drop(void *value)
{
        (void)value;
        atomic_fetch_sub(&kept, 1);
}

static weft_var owner = WEFT_VAR_INIT("owner", .retain = keep, .release = drop);

/* Each thread that binds must be known, so that its bindings go with it. */
static void set(weft_var *var, void *value)
{
        void *before = weft_get(var);
        int r = TRY(weft_set(var, value, NULL), -ENOMEM);
        cr_assert_eq(weft_get(var), r == 0 ? value : before);
}

static void sets_and_resets(void)
{
        weft_token token[VARS];
        int done[VARS];

        for (int i = 0; i < VARS; i++) {
                void *before = weft_get(&vars[i]);
                done[i] = TRY(weft_set(&vars[i], V(i + 1), &token[i]), -ENOMEM);
                cr_assert_eq(weft_get(&vars[i]), done[i] == 0 ? V(i + 1) : before);
        }
        /* While somebody holds the context an undo needs memory. */
        weft_context *held = weft_context_capture();
        size_t size = weft_context_size(held);
        for (int i = VARS - 1; i >= 0; i--) {
                if (done[i] < 0)
                        continue;
                int r = TRY(weft_reset(&vars[i], &token[i]), -ENOMEM);
                if (r < 0) /* not used up: */
                        r = TRY(weft_reset(&vars[i], &token[i]), -ENOMEM);
                cr_assert_eq(weft_get(&vars[i]) == V(i + 1), r < 0);
                weft_token_drop(&token[i]);
        }
        cr_assert_eq(weft_context_size(held), size);
        weft_context_unref(held);
        weft_context_unref(weft_context_swap(NULL));
}

SCENE(context, sets_and_resets)
{
        for (int i = 0; i < VARS; i++)
                vars[i].name = "a var";
        sets_and_resets();
        sets_and_resets();
}

SCENE(context, values_that_are_kept)
{
        weft_token token;
        int ran = 0;
        set(&owner, V(1));
        if (TRY(weft_set(&owner, V(2), &token), -ENOMEM) == 0) {
                weft_context *held = weft_context_capture();
                TRY(weft_reset(&owner, &token), -ENOMEM);
                weft_token_drop(&token);
                weft_context_unref(held);
        }
        WEFT_WITH (&owner, V(3)) {
                ran = 1;
                cr_assert_eq(weft_get(&owner), V(3));
        }
        else
        {
                ran = 2;
                cr_assert(scene_disturbed());
        }
        cr_assert_neq(ran, 0);
        weft_context_unref(weft_context_swap(NULL));
        cr_assert_eq(atomic_load(&kept), 0);
}

static int binds(void *arg)
{
        set(&owner, arg);
        set(&vars[0], arg);
        return 5;
}

SCENE(context, derived_and_run)
{
        weft_context *base = NULL, *after = NULL;
        vars[0].name = "a var";
        for (int i = 0; i < 3; i++) {
                weft_context *next;
                if (TRY(weft_context_with(base, i % 2 ? &owner : &vars[0], V(i + 1), &next),
                        -ENOMEM) == 0) {
                        weft_context_unref(base);
                        base = next;
                }
        }
        cr_assert_eq(MUST(weft_context_run(base, binds, V(9), &after)), 5);
        cr_assert(scene_disturbed() || weft_context_size(after) == 2);
        weft_context_unref(after);
        weft_context_unref(base);
        cr_assert_eq(atomic_load(&kept), 0);
}

static int looks(void *seen)
{
        *(void **)seen = weft_get(&owner);
        return 3;
}

SCENE(context, bound)
{
        weft_bound *b;
        void *seen = V(1);
        set(&owner, V(4));
        void *mine = weft_get(&owner);
        if (TRY(weft_bind(&b, looks, &seen), -ENOMEM) == 0) {
                weft_context_unref(weft_context_swap(NULL));
                cr_assert_eq(MUST(weft_bound_call(b)), 3);
                cr_assert_eq(seen, mine);
                weft_bound_free(b);
        }
        weft_context_unref(weft_context_swap(NULL));
        cr_assert_eq(atomic_load(&kept), 0);
}

static void *thread(void *seen)
{
        looks(seen);
        set(&owner, V(6));
        return NULL;
}

SCENE(context, threads_that_inherit)
{
        pthread_t id;
        void *seen = V(1);
        set(&owner, V(4));
        void *mine = weft_get(&owner);
        if (TRY(weft_thread_create(&id, NULL, thread, &seen), -ENOMEM, -EAGAIN) == 0) {
                pthread_join(id, NULL);
                cr_assert_eq(seen, mine);
        }
        weft_context_unref(weft_context_swap(NULL));
        cr_assert_eq(atomic_load(&kept), 0);
}

static atomic_int told;

static void follow(void *previous, void *next, void *user)
{
        (void)previous;
        (void)next;
        (void)user;
        atomic_fetch_add(&told, 1);
}

static weft_var hooked = WEFT_VAR_INIT("hooked", .on_change = follow);
static weft_var at_home = WEFT_VAR_INIT("at home", .drop_at = WEFT_BORDER_FOREIGN);

static int at_home_is(void *value)
{
        cr_assert_eq(weft_get(&at_home), value);
        return 0;
}

/* What is not bound is not told; and what does not cross a border does not for want of memory. */
SCENE(context, hooks_and_policies)
{
        int before = atomic_load(&told);
        set(&hooked, V(1));
        cr_assert_eq(atomic_load(&told) - before, (weft_get(&hooked) != NULL));
        set(&at_home, V(2));
        weft_bound *bound;
        if (TRY(weft_bind(&bound, at_home_is, NULL), -ENOMEM) == 0) {
                cr_assert_eq(weft_bound_call(bound), 0);
                weft_bound_free(bound);
        }
        weft_context_unref(weft_context_swap(NULL));
        cr_assert_eq((atomic_load(&told) - before) % 2, 0);
}
