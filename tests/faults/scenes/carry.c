/* SPDX-License-Identifier: MIT
 *
 * What crosses the border of a process: a call that fails has made nothing, and what it was to
 * start from is as it was.
 */
#include "tests/faults/scene.h"

#include <string.h>

static const char parent[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

static int put(void *arg, const char *name, const char *value)
{
        (void)name;
        (void)value;
        ++*(int *)arg;
        return 0;
}

static const char *find(void *arg, const char *name, size_t index, size_t *ret_length)
{
        const char *value = strcmp(name, "traceparent") == 0  ? parent
                            : strcmp(name, "tracestate") == 0 ? "a=1"
                                                              : "b=2";
        (void)arg;
        if (index > 0)
                return NULL;
        *ret_length = strlen(value);
        return value;
}

static void makes_traces(void)
{
        weft_trace *t;
        weft_trace *other;
        if (TRY(weft_trace_child(&t, NULL), -ENOMEM, -EAGAIN) < 0)
                return;
        if (TRY(weft_trace_child(&other, t), -ENOMEM, -EAGAIN) == 0)
                weft_trace_unref(other);
        if (TRY(weft_trace_with_state(&other, t, "a", "1"), -ENOMEM) == 0)
                weft_trace_unref(other);
        if (TRY(weft_set(weft_trace_var(), t, NULL), -ENOMEM) == 0)
                cr_assert_eq(weft_get(weft_trace_var()), t);
        weft_trace_unref(t);
}

static void makes_baggage(void)
{
        weft_baggage *b;
        if (TRY(weft_baggage_parse("a=1,b=2", 7, &b), -ENOMEM) == 0)
                weft_baggage_unref(b);
        const char *before = weft_baggage_get("a");
        int r = TRY(weft_baggage_set("a", "2", NULL, NULL), -ENOMEM);
        cr_assert(r == 0 ? weft_baggage_get("a") != NULL : weft_baggage_get("a") == before);
}

SCENE(carry, contexts_cross)
{
        char bytes[1024];
        char **environment;
        char *base[] = {"PATH=/bin", NULL};
        weft_context *came = NULL;
        int n = 0;

        makes_traces();
        makes_baggage();
        if (TRY(weft_context_extract(NULL, find, NULL, &came), -ENOMEM) < 0)
                cr_assert_null(came);
        weft_context *here = weft_context_capture();
        TRY(weft_context_inject(came, put, &n), -ENOMEM);
        if (TRY(weft_context_environ(came, base, &environment), -ENOMEM) >= 0) {
                weft_context *again;
                if (TRY(weft_context_from_environ(here, environment, &again), -ENOMEM) >= 0)
                        weft_context_unref(again);
                weft_environ_free(environment);
        }
        n = TRY(weft_context_to_bytes(came, bytes, sizeof(bytes)), -ENOMEM);
        if (n >= 0) {
                weft_context *again;
                if (TRY(weft_context_from_bytes(here, bytes, (size_t)n, &again), -ENOMEM) >= 0)
                        weft_context_unref(again);
        }
        weft_context_unref(came);
        weft_context_unref(here);
        weft_context_unref(weft_context_swap(NULL));
}
