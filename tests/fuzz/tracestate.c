/* SPDX-License-Identifier: MIT
 *
 * weft_tracestate_parse: what it writes is within the limits, and read again it is the same. And
 * weft_trace_with_state: whatever is set stands at the front of a valid state.
 *
 * The input is a state; or key, NUL, value, NUL and a state.
 */
#include "fuzz.h"

static const weft_traceparent parent = {.trace_id = {1}, .span_id = {1}};

static int members(const char *state)
{
        int n = *state != '\0';
        for (; *state; state++)
                n += *state == ',';
        return n;
}

static void is_valid(const char *state, size_t length)
{
        char again[WEFT_TRACESTATE_LENGTH + 1];
        MUST(length <= WEFT_TRACESTATE_LENGTH && strlen(state) == length);
        MUST(members(state) <= WEFT_TRACESTATE_MEMBERS);
        MUST(weft_tracestate_parse(state, length, again) == (int)length);
        MUST(memcmp(state, again, length + 1) == 0);
}

/* What is there of the key in a state. */
static const char *member(const char *state, const char *key)
{
        size_t n = strlen(key);
        while (state) {
                if (strncmp(state, key, n) == 0 && state[n] == '=')
                        return state;
                state = strchr(state, ',');
                state = state ? state + 1 : NULL;
        }
        return NULL;
}

static void sets(const weft_trace *trace, const char *key, const char *value)
{
        weft_trace *next;
        size_t n = strlen(key);
        int r = weft_trace_with_state(&next, trace, key, value);
        MUST(r == 0 || r == -EBADMSG || r == -EMSGSIZE);
        if (r < 0)
                return;
        const char *state = weft_trace_state(next);
        is_valid(state, strlen(state));
        if (value) {
                MUST(strncmp(state, key, n) == 0 && state[n] == '=');
                MUST(strncmp(state + n + 1, value, strlen(value)) == 0);
                state = strchr(state, ',');
                state = state ? state + 1 : NULL;
        }
        MUST(member(state, key) == NULL);
        weft_trace_unref(next);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char state[WEFT_TRACESTATE_LENGTH + 1] = "untouched";
        const char *key = NULL;
        const char *value = NULL;
        char *text = exact(data, size);
        const char *at = text;
        char *end = memchr(text, '\0', size);
        char *second = end ? memchr(end + 1, '\0', size - (size_t)(end + 1 - text)) : NULL;
        if (second) {
                key = text;
                value = end + 1;
                at = second + 1;
        }
        int r = weft_tracestate_parse(at, size - (size_t)(at - text), state);
        if (r < 0)
                MUST(r == -EBADMSG && strcmp(state, "untouched") == 0);
        else
                is_valid(state, (size_t)r);
        if (r >= 0 && key) {
                weft_trace *trace;
                MUST(weft_trace_create(&trace, &parent, state) == 0);
                sets(trace, key, value);
                sets(trace, key, NULL);
                weft_trace_unref(trace);
        }
        free(text);
        return 0;
}
