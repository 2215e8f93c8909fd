/* SPDX-License-Identifier: MIT
 *
 * The example of weft_trace_create(3).
 */
#include <assert.h>
#include <string.h>
#include <weft/weft.h>

static int is_in_trace(void *trace_id) /* a task */
{
        const weft_traceparent *here = weft_trace_parent(weft_get(weft_trace_var()));
        return here && memcmp(here->trace_id, trace_id, sizeof(here->trace_id)) == 0;
}

int main(void)
{
        weft_traceparent came = {.trace_id = {1}, .span_id = {2}, .flags = WEFT_TRACE_SAMPLED};
        weft_trace *trace = NULL, *span = NULL, *marked = NULL;
        int r = weft_trace_create(&trace, &came, "rojo=1");
        assert(r == 0);
        r = weft_trace_child(&span, trace); /* for the work of this service */
        assert(r == 0);
        const weft_traceparent *own = weft_trace_parent(span);
        assert(memcmp(own->trace_id, came.trace_id, sizeof(came.trace_id)) == 0);
        assert(memcmp(own->span_id, came.span_id, sizeof(came.span_id)) != 0);

        r = weft_trace_with_state(&marked, span, "congo", "2");
        assert(r == 0 && strcmp(weft_trace_state(marked), "congo=2,rojo=1") == 0);

        weft_task *t = NULL;
        WEFT_WITH (weft_trace_var(), marked) {
                r = weft_spawn(NULL, &t, is_in_trace, came.trace_id);
                assert(r == 0);
        }
        r = weft_await(t, WEFT_FOREVER);
        assert(r == 1);
        weft_task_unref(t);

        weft_trace *kept = weft_trace_ref(trace);
        assert(kept == trace);
        weft_trace_unref(kept);
        weft_trace_unref(trace);
        weft_trace_unref(span);
        weft_trace_unref(marked);
        return 0;
}
