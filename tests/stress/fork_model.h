/* SPDX-License-Identifier: MIT
 *
 * What the fork tests share: the vars, a plain array beside each frame that says what must be bound
 * there, and the checks of the one against the other. Half of the vars count what they bind; what
 * they bind must be alive wherever it is seen.
 */
#ifndef FORK_MODEL_H
#define FORK_MODEL_H

#include "stress.h"

enum {
        VARS = 40, /* more than fit into one node of a context */
        COUNTED = 20,
        VALUES = 1 << 16, /* as good as one for each binding */
};

static struct stress_value values[VALUES];
static weft_var vars[VARS] = {
    [0 ... COUNTED - 1] =
        WEFT_VAR_INIT("counted", .retain = stress_retain, .release = stress_release),
    [COUNTED... VARS - 1] = WEFT_VAR_INIT("plain"),
};

/* In a shadow: not bound, which is something else than bound to NULL. */
static char unset_mark;
#define UNSET ((void *)&unset_mark)

/* What each var is bound to in some frame. */
struct shadow {
        void *value[VARS];
};

static inline struct shadow shadow_empty(void)
{
        struct shadow s;
        for (int i = 0; i < VARS; i++)
                s.value[i] = UNSET;
        return s;
}

static inline void check_var(const struct shadow *s, int i, int r, void *is, const char *where)
{
        CHECK(r == (s->value[i] == UNSET ? -ENOENT : 0), "var %d: %d %s", i, r, where);
        if (r < 0)
                return;
        CHECK(is == s->value[i], "var %d: another value %s", i, where);
        CHECK(i >= COUNTED || !is || stress_alive(is), "var %d: a value that is gone %s", i, where);
}

/* The current frame is as its shadow says. */
static inline void check_frame(const struct shadow *s, const char *where)
{
        for (int i = 0; i < VARS; i++) {
                void *is = NULL;
                int r = weft_lookup(&vars[i], &is);
                check_var(s, i, r, is, where);
        }
}

/* A context is. */
static inline void check_context(const weft_context *c, const struct shadow *s, const char *where)
{
        for (int i = 0; i < VARS; i++) {
                void *is = NULL;
                int r = weft_context_lookup(c, &vars[i], &is);
                check_var(s, i, r, is, where);
        }
}

/* One that nobody else has bound of late; or NULL. */
static inline void *random_value(struct rng *rng)
{
        static atomic_uint next;
        return rng_chance(rng, 16) ? NULL : &values[atomic_fetch_add(&next, 1) % VALUES];
}

/* A set of var i, and what it displaced; in the frame and in its shadow. */
static inline void *shadowed_set(struct shadow *s, int i, void *value, weft_token *token)
{
        void *old = s->value[i];
        int r = weft_set(&vars[i], value, token);
        CHECK(r == 0, "set: %s", weft_err_name(r));
        s->value[i] = value;
        return old;
}

static inline void shadowed_reset(struct shadow *s, int i, void *old, weft_token *token)
{
        int r = weft_reset(&vars[i], token);
        CHECK(r == 0, "reset: %s", weft_err_name(r));
        s->value[i] = old;
}

/* At the end: whatever was retained has been released. A task of the default pool, which is not
 * destroyed, may let go of its context a little after somebody has awaited it. */
static inline void check_released(void)
{
        int64_t patience = weft_now() + 10 * INT64_C(1000000000);
        for (int i = 0; i < VALUES; i++) {
                while (stress_alive(&values[i]) && weft_now() < patience)
                        usleep(1000);
                int retained = atomic_load(&values[i].retained);
                int released = atomic_load(&values[i].released);
                CHECK(retained == released, "value %d: retained %d times, released %d", i, retained,
                      released);
        }
}

#endif
