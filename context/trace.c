/* SPDX-License-Identifier: MIT
 *
 * W3C Trace Context: the two headers, the value that holds what they say, and its var.
 *
 * A trace does not change once it is made. Its state is one that weft_tracestate_parse() has
 * written or could have: so what is sent is always within the limits.
 */
#include <weft/trace.h>

#include <string.h>
#include <sys/random.h>

#include "codecs.h"
#include "counted.h"
#include "memory.h"
#include "tracestate.h"

enum { VERSION = 0, TRACE_AT = 3, SPAN_AT = 36, FLAGS_AT = 53 };

struct weft_trace {
        weft__refs refs;
        size_t size; /* of all of it */
        weft_traceparent parent;
        char state[];
};

/* ---- traceparent ---- */

static int digit(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hex(const char *text, unsigned char *ret, size_t bytes)
{
        for (size_t i = 0; i < bytes; i++) {
                int high = digit(text[2 * i]);
                int low = digit(text[2 * i + 1]);
                if (high < 0 || low < 0)
                        return false;
                ret[i] = (unsigned char)(high << 4 | low);
        }
        return true;
}

static char *write_hex(char *text, const unsigned char *bytes, size_t n)
{
        static const char digits[] = "0123456789abcdef";
        for (size_t i = 0; i < n; i++) {
                *text++ = digits[bytes[i] >> 4];
                *text++ = digits[bytes[i] & 15];
        }
        return text;
}

static bool all_zero(const unsigned char *bytes, size_t n)
{
        unsigned char any = 0;
        for (size_t i = 0; i < n; i++)
                any |= bytes[i];
        return any == 0;
}

static bool is_valid(const weft_traceparent *p)
{
        return !all_zero(p->trace_id, sizeof(p->trace_id)) &&
               !all_zero(p->span_id, sizeof(p->span_id));
}

int weft_traceparent_parse(weft_traceparent *ret, const char *text, size_t length)
{
        weft_traceparent p;
        unsigned char version;
        if (!ret || !text)
                return -EINVAL;
        if (length < WEFT_TRACEPARENT_LENGTH || !read_hex(text, &version, 1) || version == 0xff)
                return -EBADMSG;
        if (length > WEFT_TRACEPARENT_LENGTH &&
            (version == VERSION || text[WEFT_TRACEPARENT_LENGTH] != '-'))
                return -EBADMSG;
        if (text[TRACE_AT - 1] != '-' || text[SPAN_AT - 1] != '-' || text[FLAGS_AT - 1] != '-')
                return -EBADMSG;
        if (!read_hex(text + TRACE_AT, p.trace_id, sizeof(p.trace_id)) ||
            !read_hex(text + SPAN_AT, p.span_id, sizeof(p.span_id)) ||
            !read_hex(text + FLAGS_AT, &p.flags, 1) || !is_valid(&p))
                return -EBADMSG;
        p.flags &= version == VERSION ? WEFT_TRACE_SAMPLED | WEFT_TRACE_RANDOM : WEFT_TRACE_SAMPLED;
        *ret = p;
        return 0;
}

int weft_traceparent_format(const weft_traceparent *parent, char *ret_text)
{
        if (!parent || !ret_text || !is_valid(parent))
                return -EINVAL;
        unsigned char flags = parent->flags & (WEFT_TRACE_SAMPLED | WEFT_TRACE_RANDOM);
        char *at = write_hex(ret_text, &(unsigned char){VERSION}, 1);
        *at++ = '-';
        at = write_hex(at, parent->trace_id, sizeof(parent->trace_id));
        *at++ = '-';
        at = write_hex(at, parent->span_id, sizeof(parent->span_id));
        *at++ = '-';
        at = write_hex(at, &flags, 1);
        *at = '\0';
        return WEFT_TRACEPARENT_LENGTH;
}

/* ---- the value ---- */

static int create(weft_trace **ret, const weft_traceparent *parent, const char *state,
                  size_t length)
{
        size_t size = sizeof(weft_trace) + length + 1;
        weft_trace *t = weft__alloc(size);
        if (!t)
                return -ENOMEM;
        atomic_init(&t->refs, 1);
        t->size = size;
        t->parent = *parent;
        t->parent.flags &= WEFT_TRACE_SAMPLED | WEFT_TRACE_RANDOM;
        memcpy(t->state, state, length);
        t->state[length] = '\0';
        *ret = t;
        return 0;
}

int weft_trace_create(weft_trace **ret, const weft_traceparent *parent, const char *state)
{
        char clean[WEFT_TRACESTATE_LENGTH + 1] = "";
        if (!ret || !parent || !is_valid(parent))
                return -EINVAL;
        int length = state ? weft_tracestate_parse(state, strlen(state), clean) : 0;
        return length < 0 ? length : create(ret, parent, clean, (size_t)length);
}

/* Random bytes, not all zero. Leaves errno alone, as every call does. */
static int random_id(unsigned char *id, size_t size)
{
        int before = errno;
        do {
                if (getrandom(id, size, 0) != (ssize_t)size) {
                        errno = before;
                        return -EAGAIN;
                }
        } while (all_zero(id, size));
        return 0;
}

int weft_trace_child(weft_trace **ret, const weft_trace *parent)
{
        weft_traceparent p = {.flags = WEFT_TRACE_RANDOM};
        if (!ret)
                return -EINVAL;
        int r = 0;
        if (parent)
                p = parent->parent;
        else
                r = random_id(p.trace_id, sizeof(p.trace_id));
        if (r == 0)
                r = random_id(p.span_id, sizeof(p.span_id));
        return r < 0 ? r
                     : create(ret, &p, weft_trace_state(parent), strlen(weft_trace_state(parent)));
}

int weft_trace_with_state(weft_trace **ret, const weft_trace *trace, const char *key,
                          const char *value)
{
        char state[WEFT_TRACESTATE_LENGTH + 1];
        if (!ret || !trace || !key)
                return -EINVAL;
        int length = weft__tracestate_with(trace->state, key, value, state);
        return length < 0 ? length : create(ret, &trace->parent, state, (size_t)length);
}

const weft_traceparent *weft_trace_parent(const weft_trace *trace)
{
        return trace ? &trace->parent : NULL;
}

const char *weft_trace_state(const weft_trace *trace)
{
        return trace ? trace->state : "";
}

weft_trace *weft_trace_ref(weft_trace *trace)
{
        if (trace)
                weft__refs_up(&trace->refs);
        return trace;
}

weft_trace *weft_trace_unref(weft_trace *trace)
{
        if (trace && weft__refs_down(&trace->refs))
                weft__free(trace, trace->size);
        return NULL;
}

/* ---- the var ---- */

static void retain(void *trace)
{
        weft_trace_ref(trace);
}

static void release(void *trace)
{
        weft_trace_unref(trace);
}

static weft_var trace_var = WEFT_VAR_INIT("trace", .retain = retain, .release = release);

weft_var *weft_trace_var(void)
{
        return &trace_var;
}

static int parent_encode(const void *trace, char *ret_text, size_t size)
{
        if (!trace)
                return -ENOENT;
        return size > WEFT_TRACEPARENT_LENGTH
                   ? weft_traceparent_format(weft_trace_parent(trace), ret_text)
                   : -EMSGSIZE;
}

static int parent_decode(const char *text, size_t length, void *so_far, void **ret_value)
{
        weft_traceparent p;
        weft_trace *t;
        (void)so_far;
        int r = weft_traceparent_parse(&p, text, length);
        if (r == 0)
                r = create(&t, &p, "", 0);
        if (r == 0)
                *ret_value = t;
        return r;
}

static int state_encode(const void *trace, char *ret_text, size_t size)
{
        const char *state = weft_trace_state(trace);
        size_t length = strlen(state);
        if (length == 0)
                return -ENOENT;
        if (length >= size)
                return -EMSGSIZE;
        memcpy(ret_text, state, length + 1);
        return (int)length;
}

static int state_decode(const char *text, size_t length, void *so_far, void **ret_value)
{
        char state[WEFT_TRACESTATE_LENGTH + 1];
        weft_trace *t;
        if (!so_far)
                return -ENOENT;
        int r = weft_tracestate_parse(text, length, state);
        if (r >= 0)
                r = create(&t, weft_trace_parent(so_far), state, (size_t)r);
        if (r == 0)
                *ret_value = t;
        return r;
}

weft_codec weft__codec_traceparent = {
    .var = &trace_var,
    .name = "traceparent",
    .encode = parent_encode,
    .decode = parent_decode,
    .weft__next = &weft__codec_tracestate,
};

weft_codec weft__codec_tracestate = {
    .var = &trace_var,
    .name = "tracestate",
    .flags = WEFT_CODEC_LIST,
    .encode = state_encode,
    .decode = state_decode,
    .weft__next = &weft__codec_baggage,
};
