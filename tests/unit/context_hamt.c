/* SPDX-License-Identifier: MIT
 *
 * The cases of CPython's test of the map behind its contexts (class HamtTest of
 * Lib/test/test_context.py), as they carry over to ours; the table of those that do not is at the
 * head of context_contextvars.c. Where a case makes keys collide, these make vars whose ids lie
 * near and far, in one node and in different ones. A binding is deleted by resetting the set that
 * made it.
 */
#include "context_help.h"

static weft_var vars[400];

/* Give the vars their ids in order: vars[0] to [15] near, the others in nodes of sixteen. */
static void enlist_all(void)
{
        weft_token token;

        for (int i = 0; i < 400; i++) {
                vars[i] = (weft_var)WEFT_VAR_INIT("key");
                weft_set(&vars[i], V(1), &token);
                weft_reset(&vars[i], &token);
        }
}

static weft_context *with(weft_context *base, int key, void *value)
{
        weft_context *derived;

        cr_assert_eq(weft_context_with(base, &vars[key], value, &derived), 0);
        return derived;
}

/* The same, giving up base. */
static weft_context *then(weft_context *base, int key, void *value)
{
        weft_context *derived = with(base, key, value);

        weft_context_unref(base);
        return derived;
}

#define NOT_IN V(-99)

static void *in(const weft_context *context, int key)
{
        void *value;

        return weft_context_lookup(context, &vars[key], &value) == 0 ? value : NOT_IN;
}

/* hamt_basics_1 */
Test(hamt, basics_1)
{
        cr_assert_null(weft_context_unref(weft_context_empty()));
}

/* hamt_basics_2 */
Test(hamt, basics_2)
{
        weft_context *h = NULL;

        enlist_all();
        cr_assert_eq(weft_context_size(h), 0);
        weft_context *h2 = with(h, 0, V(1));
        cr_assert_neq(h, h2);
        cr_assert_eq(weft_context_size(h2), 1);
        cr_assert_eq(in(h, 0), NOT_IN);
        cr_assert_eq(in(h2, 0), V(1));
        weft_context *h3 = with(h2, 1, V(10));
        cr_assert_neq(h2, h3);
        cr_assert_eq(weft_context_size(h), 0);
        cr_assert_eq(weft_context_size(h2), 1);
        cr_assert_eq(weft_context_size(h3), 2);
        cr_assert_eq(in(h3, 0), V(1));
        cr_assert_eq(in(h3, 1), V(10));
        cr_assert_eq(in(h2, 1), NOT_IN);
        weft_context_unref(h2);
        weft_context_unref(h3);
}

/* hamt_basics_3: the same value again gives an equal map (there: the very same). */
Test(hamt, basics_3)
{
        enlist_all();
        for (int key = 0; key < 400; key += 399) {
                weft_context *h1 = with(NULL, key, V(1)), *h2 = with(h1, key, V(1));
                cr_assert(weft_context_equal(h1, h2));
                weft_context_unref(h1);
                weft_context_unref(h2);
        }
}

/* hamt_basics_4: another value, if only by identity, gives another. */
Test(hamt, basics_4)
{
        int a = 0, b = 0;

        enlist_all();
        for (int key = 0; key < 400; key += 399) {
                weft_context *h1 = with(NULL, key, &a), *h2 = with(h1, key, &b);
                cr_assert(!weft_context_equal(h1, h2));
                cr_assert_eq(weft_context_size(h1), 1);
                cr_assert_eq(weft_context_size(h2), 1);
                cr_assert_eq(in(h1, key), &a);
                cr_assert_eq(in(h2, key), &b);
                weft_context_unref(h1);
                weft_context_unref(h2);
        }
}

static void collide(int k1, int k2, int k3)
{
        weft_context *h2 = with(NULL, k1, V(1)), *h3 = with(h2, k2, V(2));
        weft_context *h4 = with(h3, k2, V(3)), *h5 = with(h4, k3, V(4));

        cr_assert_eq(in(h2, k1), V(1));
        cr_assert_eq(in(h2, k2), NOT_IN);
        cr_assert_eq(in(h3, k1), V(1));
        cr_assert_eq(in(h3, k2), V(2));
        cr_assert_eq(in(h4, k1), V(1));
        cr_assert_eq(in(h4, k2), V(3));
        cr_assert_eq(in(h4, k3), NOT_IN);
        cr_assert_eq(in(h5, k1), V(1));
        cr_assert_eq(in(h5, k2), V(3));
        cr_assert_eq(in(h5, k3), V(4));
        cr_assert_eq(weft_context_size(h2), 1);
        cr_assert_eq(weft_context_size(h3), 2);
        cr_assert_eq(weft_context_size(h4), 2);
        cr_assert_eq(weft_context_size(h5), 3);
        weft_context_unref(h2);
        weft_context_unref(h3);
        weft_context_unref(h4);
        weft_context_unref(h5);
}

/* hamt_collision_1: three keys in one place: near, in one node, in three nodes, at every height. */
Test(hamt, collision_1)
{
        enlist_all();
        collide(0, 1, 2);
        collide(16, 17, 18);
        collide(16, 32, 300);
        collide(300, 32, 16);
        collide(0, 16, 399);
        collide(399, 16, 0);
}

static int note_key(const weft_var *var, void *value, void *arg)
{
        bool *found = arg;
        int key = (int)(var - vars);

        cr_assert(key >= 0 && key < 400 && !found[key]);
        cr_assert_eq(value, V(key));
        found[key] = true;
        return 0;
}

static void assert_has_exactly(const weft_context *h, const bool *keys)
{
        bool found[400] = {false};
        size_t count = 0;

        cr_assert_eq(weft_context_foreach(h, note_key, found), 0);
        for (int i = 0; i < 400; i++) {
                cr_assert_eq(found[i], keys[i]);
                cr_assert_eq(in(h, i), keys[i] ? V(i) : NOT_IN);
                count += keys[i];
        }
        cr_assert_eq(weft_context_size(h), count);
}

static void items(const int *which, int n)
{
        bool keys[400] = {false};
        weft_context *h = NULL;

        for (int i = 0; i < n; i++) {
                h = then(h, which[i], V(which[i]));
                keys[which[i]] = true;
        }
        assert_has_exactly(h, keys);
        weft_context_unref(h);
}

/* hamt_collision_3: walking the tallest tree there can be. */
Test(hamt, collision_3)
{
        enlist_all();
        items((const int[]){399, 398, 0}, 3);
}

/* hamt_items_1 and 2, hamt_keys_1 */
Test(hamt, items_and_keys)
{
        enlist_all();
        items((const int[]){0, 201, 101, 3, 4, 10}, 6);
        items((const int[]){100, 101, 102, 110, 0, 399}, 6);
        items((const int[]){399, 100, 17, 16, 15, 1}, 6);
}

/* hamt_items_3 */
Test(hamt, items_3)
{
        items(NULL, 0);
}

/* hamt_delete_1 to 5: bind some, and delete them in a given order. */
static void delete_in_order(const int *set, const int *order, int n)
{
        bool keys[400] = {false};
        weft_token tokens[20];
        weft_context *all;

        for (int i = 0; i < n; i++) {
                cr_assert_eq(weft_set(&vars[set[i]], V(set[i]), &tokens[i]), 0);
                keys[set[i]] = true;
        }
        all = weft_context_capture();
        for (int i = 0; i < n; i++) {
                weft_context *now;
                int which = 0;

                while (set[which] != order[i])
                        which++;
                cr_assert_eq(weft_reset(&vars[order[i]], &tokens[which]), 0);
                cr_assert_eq(weft_reset(&vars[order[i]], &tokens[which]), -EALREADY);
                keys[order[i]] = false;
                now = weft_context_capture();
                assert_has_exactly(now, keys);
                weft_context_unref(now);
        }
        cr_assert_eq(weft_context_size(all), (size_t)n);
        weft_context_unref(all);
        cr_assert_null(weft_context_capture());
}

Test(hamt, delete_1)
{
        enlist_all();
        delete_in_order((const int[]){0, 1, 2, 3, 4}, (const int[]){2, 3, 0, 4, 1}, 5);
}

Test(hamt, delete_2)
{
        enlist_all();
        delete_in_order((const int[]){0, 201, 101, 3, 4}, (const int[]){101, 201, 0, 3, 4}, 5);
}

Test(hamt, delete_3)
{
        enlist_all();
        delete_in_order((const int[]){100, 1, 101, 102, 4}, (const int[]){100, 4, 101, 102, 1}, 5);
}

Test(hamt, delete_4)
{
        enlist_all();
        delete_in_order((const int[]){0, 1, 100, 101, 102}, (const int[]){101, 102, 100, 0, 1}, 5);
}

Test(hamt, delete_5)
{
        static const int set[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 32};
        static const int order[] = {2, 32, 16, 1, 0, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

        enlist_all();
        delete_in_order(set, order, 18);
}

/* hamt_stress: 7,000 keys, set and then deleted in a random order, held against an array; and what
 * was captured half-way is still what it was then. */
enum { STRESS = 7000 };
static weft_var stress_vars[STRESS];
static weft_token stress_tokens[STRESS];
static bool bound[STRESS], half[STRESS];

static int expect_it_bound(const weft_var *var, void *value, void *keys)
{
        int key = (int)(var - stress_vars);
        return ((bool *)keys)[key] && value == V(key) ? 0 : -EIO;
}

static void assert_stress(const weft_context *h, bool *keys, size_t size)
{
        cr_assert_eq(weft_context_size(h), size);
        cr_assert_eq(weft_context_foreach(h, expect_it_bound, keys), 0);
        for (int i = 0; i < STRESS; i++)
                cr_assert_eq(weft_context_lookup(h, &stress_vars[i], &(void *){0}),
                             keys[i] ? 0 : -ENOENT);
}

static void assert_stress_now(size_t size)
{
        weft_context *now = weft_context_capture();

        assert_stress(now, bound, size);
        weft_context_unref(now);
}

Test(hamt, stress, .timeout = 120)
{
        static int order[STRESS];
        weft_context *at_half = NULL;

        for (int i = 0; i < STRESS; i++) {
                stress_vars[i] = (weft_var)WEFT_VAR_INIT("key");
                cr_assert_eq(weft_set(&stress_vars[i], V(i), &stress_tokens[i]), 0);
                bound[i] = true;
                order[i] = i;
                if (i % 647 == 0)
                        assert_stress_now((size_t)i + 1);
        }
        srand(647);
        for (int i = STRESS - 1; i > 0; i--) {
                int k = rand() % (i + 1), swap = order[i];
                order[i] = order[k];
                order[k] = swap;
        }
        for (int i = 0; i < STRESS; i++) {
                cr_assert_eq(weft_reset(&stress_vars[order[i]], &stress_tokens[order[i]]), 0);
                bound[order[i]] = false;
                if (i == STRESS / 2) {
                        at_half = weft_context_capture();
                        memcpy(half, bound, sizeof(half));
                }
                if (i % 647 == 0)
                        assert_stress_now((size_t)(STRESS - 1 - i));
        }
        cr_assert_null(weft_context_capture());
        assert_stress(at_half, half, STRESS - 1 - STRESS / 2);
        weft_context_unref(at_half);
}

static bool equal(const weft_context *a, const weft_context *b)
{
        bool r = weft_context_equal(a, b);

        cr_assert_eq(weft_context_equal(b, a), r);
        return r;
}

/* hamt_eq_1 */
Test(hamt, eq_1)
{
        enlist_all();
        weft_context *h1 = then(then(then(then(NULL, 0, V(1)), 1, V(2)), 100, V(3)), 101, V(4));
        weft_context *h2 = then(NULL, 0, V(1));

        cr_assert(!equal(h1, h2));
        h2 = then(h2, 1, V(2));
        cr_assert(!equal(h1, h2));
        h2 = then(h2, 100, V(3));
        cr_assert(!equal(h1, h2));
        h2 = then(h2, 101, V(5));
        cr_assert(!equal(h1, h2));
        h2 = then(h2, 101, V(4));
        cr_assert(equal(h1, h2));
        h2 = then(h2, 20, V(6));
        cr_assert(!equal(h1, h2));

        /* as many keys, but another one */
        weft_context *h3 = then(then(then(then(NULL, 0, V(1)), 1, V(2)), 100, V(3)), 20, V(4));
        cr_assert(!equal(h1, h3));
        weft_context_unref(h1);
        weft_context_unref(h2);
        weft_context_unref(h3);
}

/* hamt_gc_1 and 2: there, a cycle is collected. Here a value that owns the context that binds it
 * would never go; what carries over is that a value which owns another context takes that along. */
static void unref_the_value(void *value)
{
        weft_context_unref(value);
}

Test(hamt, gc)
{
        static weft_var owns = WEFT_VAR_INIT("owns", .release = unref_the_value);
        static weft_var kept =
            WEFT_VAR_INIT("kept", .retain = counted_retain, .release = counted_release);
        static struct counted a;
        weft_context *h, *outer;

        weft_context_with(NULL, &kept, &a, &h);
        weft_context_with(NULL, &owns, h, &outer);
        assert_alive(&a, 1);
        weft_context_unref(outer);
        assert_gone(&a, 1);
}

/* hamt_in_1, hamt_getitem_1 */
Test(hamt, in_and_getitem)
{
        enlist_all();
        for (int key = 0; key < 399; key++) {
                weft_context *h = with(NULL, key, V(1));
                cr_assert_eq(in(h, key), V(1));
                cr_assert_eq(in(h, key + 1), NOT_IN);
                weft_context_unref(h);
        }
}
