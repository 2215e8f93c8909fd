/* SPDX-License-Identifier: MIT
 *
 * include/weft/carry.h: the rules Y1 to Y6, over headers, environments and bytes; O6 of trace.h and
 * A1 of baggage.h where they are about several headers. Of the W3C's validation suite for
 * trace-context it has what is about the number of headers and white space around them.
 */
#include <criterion/criterion.h>

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include <weft/baggage.h>
#include <weft/carry.h>
#include <weft/trace.h>

#include "context/memory.h"
#include "context_help.h"

#define TRACE "12345678901234567890123456789012"
#define GOOD  "00-" TRACE "-1234567890123456-01"

/* ---- messages ---- */

enum { HEADERS = 40 };

struct message {
        size_t n;
        char name[HEADERS][70];
        char *value[HEADERS];
};

static int put(void *arg, const char *name, const char *value)
{
        struct message *m = arg;
        cr_assert_lt(m->n, HEADERS);
        strcpy(m->name[m->n], name);
        m->value[m->n++] = strdup(value);
        return 0;
}

/* By a name in any case, as HTTP has it. */
static const char *find(void *arg, const char *name, size_t index, size_t *ret_length)
{
        const struct message *m = arg;
        for (size_t i = 0; i < m->n; i++)
                if (strcasecmp(m->name[i], name) == 0 && index-- == 0) {
                        *ret_length = strlen(m->value[i]);
                        return m->value[i];
                }
        return NULL;
}

static void clear(struct message *m)
{
        while (m->n > 0)
                free(m->value[--m->n]);
}

#define header(m, name, value) put(m, name, value)

static const char *value_in(const struct message *m, const char *name)
{
        size_t length;
        const char *value = find((void *)m, name, 0, &length);
        return value ? value : "none";
}

/* What is extracted from the message, injected again. */
static struct message *carried_on(struct message *m)
{
        static struct message out;
        weft_context *c;
        clear(&out);
        cr_assert_geq(weft_context_extract(NULL, find, m, &c), 0);
        cr_assert_eq(weft_context_inject(c, put, &out), (int)out.n);
        weft_context_unref(c);
        clear(m);
        return &out;
}

/* ---- a codec of one's own: strings that are counted by their number ---- */

static int live;

static void text_retain(void *value)
{
        live++;
        ++*(char *)value;
}

static void text_release(void *value)
{
        live--;
        if (--*(char *)value == 0)
                free(value);
}

/* The text behind its count. */
static void *text_new(const char *text, size_t length)
{
        char *t = malloc(length + 2);
        t[0] = 1;
        memcpy(t + 1, text, length);
        t[length + 1] = '\0';
        live++;
        return t;
}

static int text_encode(const void *value, char *ret_text, size_t size)
{
        return snprintf(ret_text, size, "%s", (const char *)value + 1);
}

static int text_decode(const char *text, size_t length, void *so_far, void **ret_value)
{
        (void)so_far;
        if (length > 0 && text[0] == '!')
                return -EPROTO;
        *ret_value = text_new(text, length);
        return 0;
}

static weft_var user = WEFT_VAR_INIT("user", .retain = text_retain, .release = text_release);
static weft_codec user_codec = {
    .var = &user, .name = "x-user", .encode = text_encode, .decode = text_decode};

/* A var that takes its values over. */
static weft_var given = WEFT_VAR_INIT("given", .release = text_release);
static weft_codec given_codec = {.var = &given,
                                 .name = "given",
                                 .flags = WEFT_CODEC_LIST,
                                 .encode = text_encode,
                                 .decode = text_decode};

static void begin(void)
{
        cr_assert_eq(weft_codec_register(&user_codec), 0);
        cr_assert_eq(weft_codec_register(&given_codec), 0);
}

static void end(void)
{
        weft_context_unref(weft_context_swap(NULL));
        cr_assert_eq(live, 0, "%d values are left, or too few", live);
}

TestSuite(carry, .init = begin, .fini = end);

static void bind_text(weft_var *var, const char *text)
{
        void *value = text_new(text, strlen(text));
        cr_assert_eq(weft_set(var, value, NULL), 0);
        if (var->retain)
                text_release(value);
}

static const char *text_in(const weft_context *c, const weft_var *var)
{
        void *value;
        return weft_context_lookup(c, var, &value) == 0 ? (char *)value + 1 : "unset";
}

/* The context of a task of some request. */
static weft_context *some_context(void)
{
        weft_traceparent p;
        weft_trace *t;
        cr_assert_eq(weft_traceparent_parse(&p, GOOD, 55), 0);
        cr_assert_eq(weft_trace_create(&t, &p, "foo=1,bar=2"), 0);
        cr_assert_eq(weft_set(weft_trace_var(), t, NULL), 0);
        weft_trace_unref(t);
        cr_assert_eq(weft_baggage_set("tenant", "a b", NULL, NULL), 0);
        bind_text(&user, "ada");
        weft_context *c = weft_context_capture();
        weft_context_unref(weft_context_swap(NULL));
        return c;
}

static void expect_some_context(const weft_context *c)
{
        void *value;
        weft_baggage_member m;
        char text[56];
        cr_assert_eq(weft_context_size(c), 3);
        cr_assert_eq(weft_context_lookup(c, weft_trace_var(), &value), 0);
        cr_assert_eq(weft_traceparent_format(weft_trace_parent(value), text), 55);
        cr_assert_str_eq(text, GOOD);
        cr_assert_str_eq(weft_trace_state(value), "foo=1,bar=2");
        cr_assert_eq(weft_context_lookup(c, weft_baggage_var(), &value), 0);
        cr_assert_eq(weft_baggage_lookup(value, "tenant", &m), 0);
        cr_assert_str_eq(m.value, "a b");
        cr_assert_str_eq(text_in(c, &user), "ada");
}

/* ---- headers ---- */

Test(carry, Y1_vars_with_a_codec_cross_as_headers)
{
        static weft_var own = WEFT_VAR_INIT("own");
        struct message m = {0};
        weft_context *c = some_context();
        weft_context *with;
        weft_context *came;
        cr_assert_eq(weft_context_with(c, &own, V(1), &with), 0);
        cr_assert_eq(weft_context_inject(with, put, &m), 4);
        cr_assert_str_eq(value_in(&m, "traceparent"), GOOD);
        cr_assert_str_eq(value_in(&m, "tracestate"), "foo=1,bar=2");
        cr_assert_str_eq(value_in(&m, "baggage"), "tenant=a%20b");
        cr_assert_str_eq(value_in(&m, "x-user"), "ada");
        cr_assert_eq(weft_context_extract(NULL, find, &m, &came), 4);
        expect_some_context(came);
        clear(&m);
        weft_context_unref(c);
        weft_context_unref(with);
        weft_context_unref(came);
}

Test(carry, Y1_the_empty_context_sends_nothing)
{
        struct message m = {0};
        weft_context *came;
        cr_assert_eq(weft_context_inject(NULL, put, &m), 0);
        cr_assert_eq(weft_context_extract(NULL, find, &m, &came), 0);
        cr_assert_null(came);
        cr_assert_eq(weft_baggage_set("a", "1", NULL, NULL), 0);
        cr_assert_eq(weft_baggage_set("a", NULL, NULL, NULL), 0);
        cr_assert_eq(weft_set(weft_trace_var(), NULL, NULL), 0);
        weft_context *c = weft_context_capture();
        cr_assert_eq(weft_context_inject(c, put, &m), 0, "nor what is bound to nothing");
        weft_context_unref(c);
}

Test(carry, Y2_control_characters_are_not_sent)
{
        static const char *const bad[] = {"a\r\nx-admin: 1", "a\nb", "\x01", "a\x7f", "\x1b[0m"};
        struct message m = {0};
        for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
                bind_text(&user, bad[i]);
                weft_context *c = weft_context_capture();
                cr_expect_eq(weft_context_inject(c, put, &m), -EBADMSG);
                cr_expect_eq(m.n, 0);
                weft_context_unref(c);
        }
        bind_text(&user, "a\tb \xc3\xa9");
        weft_context *c = weft_context_capture();
        cr_assert_eq(weft_context_inject(c, put, &m), 1);
        weft_context_unref(c);
        clear(&m);
}

static int refuses(void *arg, const char *name, const char *value)
{
        (void)arg;
        (void)value;
        return strcmp(name, "tracestate") == 0 ? -EPIPE : 0;
}

static int cannot_encode(const void *value, char *ret_text, size_t size)
{
        (void)value;
        (void)ret_text;
        (void)size;
        return -ERANGE;
}

Test(carry, an_error_of_put_or_of_a_codec_ends_the_inject)
{
        static weft_var late = WEFT_VAR_INIT("late");
        static weft_codec codec = {
            .var = &late, .name = "late", .encode = cannot_encode, .decode = text_decode};
        struct message m = {0};
        weft_context *c = some_context();
        weft_context *with;
        cr_assert_eq(weft_context_inject(c, refuses, NULL), -EPIPE);
        cr_assert_eq(weft_codec_register(&codec), 0);
        cr_assert_eq(weft_context_with(c, &late, V(1), &with), 0);
        cr_assert_eq(weft_context_inject(with, put, &m), -ERANGE);
        clear(&m);
        weft_context_unref(c);
        weft_context_unref(with);
}

Test(carry, Y3_what_cannot_be_read_leaves_the_rest_and_the_base)
{
        struct message m = {0};
        weft_context *base = some_context();
        weft_context *came;
        header(&m, "traceparent", "00-" TRACE "-0000000000000000-01");
        header(&m, "baggage", "tenant");
        header(&m, "x-user", "!");
        cr_assert_eq(weft_context_extract(base, find, &m, &came), 0);
        cr_assert(weft_context_equal(base, came));
        weft_context_unref(came);
        header(&m, "given", "1");
        cr_assert_eq(weft_context_extract(base, find, &m, &came), 1);
        cr_assert_str_eq(text_in(came, &given), "1");
        cr_assert_str_eq(text_in(came, &user), "ada");
        cr_assert_str_eq(text_in(base, &given), "unset");
        weft_context_unref(came);
        weft_context_unref(base);
        clear(&m);
}

Test(carry, Y3_what_came_in_goes_before_the_base)
{
        struct message m = {0};
        weft_context *base = some_context();
        weft_context *came;
        void *value;
        header(&m, "x-user", "grace");
        header(&m, "traceparent", "00-" TRACE "-aaaaaaaaaaaaaaaa-00");
        cr_assert_eq(weft_context_extract(base, find, &m, &came), 2);
        cr_assert_str_eq(text_in(came, &user), "grace");
        cr_assert_eq(weft_context_lookup(came, weft_trace_var(), &value), 0);
        cr_assert_str_eq(weft_trace_state(value), "", "the state of another trace is not mixed in");
        weft_context_unref(came);
        weft_context_unref(base);
        clear(&m);
}

Test(carry, Y4_a_second_traceparent_makes_it_unreadable)
{
        struct message m = {0};
        header(&m, "traceparent", GOOD);
        header(&m, "traceparent", GOOD);
        header(&m, "tracestate", "foo=1");
        cr_assert_eq(carried_on(&m)->n, 0);
}

Test(carry, Y4_names_are_compared_by_whoever_finds_them)
{
        struct message m = {0};
        header(&m, "TraceParent", GOOD);
        header(&m, "TRACESTATE", "foo=1");
        const struct message *on = carried_on(&m);
        cr_assert_str_eq(value_in(on, "traceparent"), GOOD);
        cr_assert_str_eq(value_in(on, "tracestate"), "foo=1");
        header(&m, "trace-parent", GOOD);
        header(&m, "trace.parent", GOOD);
        cr_assert_eq(carried_on(&m)->n, 0);
}

Test(carry, O6_no_state_without_a_parent_and_a_parent_without_a_state)
{
        struct message m = {0};
        header(&m, "tracestate", "foo=1");
        cr_assert_eq(carried_on(&m)->n, 0);
        header(&m, "traceparent", GOOD ".");
        header(&m, "tracestate", "foo=1");
        cr_assert_eq(carried_on(&m)->n, 0);
        header(&m, "traceparent", GOOD);
        header(&m, "tracestate", "FOO=1");
        const struct message *on = carried_on(&m);
        cr_assert_eq(on->n, 1);
        cr_assert_str_eq(value_in(on, "traceparent"), GOOD);
}

Test(carry, Y4_headers_of_a_list_are_one)
{
        struct message m = {0};
        header(&m, "traceparent", GOOD);
        header(&m, "tracestate", "foo=1,bar=2");
        header(&m, "tracestate", "");
        header(&m, "tracestate", "rojo=1,congo=2");
        header(&m, "tracestate", "baz=3");
        header(&m, "baggage", "userId=alice");
        header(&m, "baggage", "serverNode=DF%2028,isProduction=false");
        const struct message *on = carried_on(&m);
        cr_assert_str_eq(value_in(on, "tracestate"), "foo=1,bar=2,rojo=1,congo=2,baz=3");
        cr_assert_str_eq(value_in(on, "baggage"),
                         "userId=alice,serverNode=DF%2028,isProduction=false");
}

Test(carry, Y4_the_limit_of_members_is_that_of_all_headers)
{
        struct message m = {0};
        char text[2000];
        header(&m, "traceparent", GOOD);
        for (int i = 0; i < 33; i++) {
                sprintf(text, "bar%02d=1", i);
                header(&m, "tracestate", text);
        }
        cr_assert_str_eq(value_in(carried_on(&m), "tracestate"), "none");
        for (int h = 0; h < 4; h++) {
                char *at = text;
                for (int i = 0; i < 50; i++)
                        at += sprintf(at, "%sk%d=v", i ? "," : "", h * 50 + i);
                header(&m, "baggage", text);
        }
        const char *on = value_in(carried_on(&m), "baggage");
        int commas = 0;
        for (const char *c = on; *c; c++)
                commas += *c == ',';
        cr_assert_eq(commas, 179, "180 of the 200, whichever header they are in");
}

Test(carry, A1_Y4_the_limit_of_bytes_is_that_of_all_headers)
{
        static char long_one[9000];
        struct message m = {0};
        header(&m, "baggage", "first=1");
        sprintf(long_one, "a=%04000d", 0);
        header(&m, "baggage", long_one);
        sprintf(long_one, "b=%04000d", 0);
        header(&m, "baggage", long_one);
        sprintf(long_one, "c=1,d=%04000d,e=1", 0);
        header(&m, "baggage", long_one);
        header(&m, "baggage", "f=1");
        const char *on = value_in(carried_on(&m), "baggage");
        cr_assert_eq(strlen(on), 7 + 1 + 4002 + 1 + 4002 + 1 + 3);
        cr_assert_str_eq(on + strlen(on) - 4, ",c=1", "whole members, and none behind");

        sprintf(long_one, "a=%08190d", 0);
        header(&m, "given", long_one);
        header(&m, "given", "more");
        cr_assert_str_eq(value_in(carried_on(&m), "given"), long_one);
        sprintf(long_one, "a=%08191d", 0);
        header(&m, "given", long_one);
        cr_assert_str_eq(value_in(carried_on(&m), "given"), "");
        sprintf(long_one, "b=1,a=%08186d", 0);
        header(&m, "given", long_one);
        header(&m, "given", "");
        cr_assert_str_eq(value_in(carried_on(&m), "given"), long_one);

        /* What is cut off begins at its comma: the one before is whole, but for the space. */
        sprintf(long_one, "a=%08188d \t,b=1", 0);
        header(&m, "given", long_one);
        sprintf(long_one, "a=%08188d", 0);
        cr_assert_str_eq(value_in(carried_on(&m), "given"), long_one);
        header(&m, "given", "");
        cr_assert_str_eq(value_in(carried_on(&m), "given"), "", "an element that is empty");
}

Test(carry, Y4_what_is_no_list_has_8192_bytes_and_no_more)
{
        static char text[9000];
        struct message m = {0};
        memset(text, 'x', 8192);
        header(&m, "x-user", text);
        cr_assert_str_eq(value_in(carried_on(&m), "x-user"), text);
        text[8192] = 'x';
        header(&m, "x-user", text);
        cr_assert_eq(carried_on(&m)->n, 0);
}

static const char *finds_without_end(void *arg, const char *name, size_t index, size_t *ret_length)
{
        (void)name;
        (void)index;
        ++*(size_t *)arg;
        *ret_length = 0;
        return "";
}

Test(carry, Y4_headers_without_end_come_to_one)
{
        size_t calls = 0;
        weft_context *came;
        cr_assert_geq(weft_context_extract(NULL, finds_without_end, &calls, &came), 0);
        cr_assert_leq(calls, 4 * 8194);
        weft_context_unref(came);
}

Test(carry, Y5_white_space_around_a_value_is_not_part_of_it)
{
        static const char *const values[] = {" " GOOD, "\t" GOOD, GOOD " ", GOOD "\t",
                                             "\t " GOOD " \t"};
        struct message m = {0};
        for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
                header(&m, "traceparent", values[i]);
                cr_expect_str_eq(value_in(carried_on(&m), "traceparent"), GOOD);
        }
}

/* ---- codecs ---- */

Test(carry, a_name_is_registered_once_and_is_one)
{
        static weft_codec c = {
            .var = &user, .name = "own", .encode = text_encode, .decode = text_decode};
        static const char *const bad[] = {"",    "Own", "1own",     "-own", "o_n",
                                          "o n", "o:n", "\xc3\xb6", "o\n"};
        char long_name[66];
        cr_assert_eq(weft_codec_register(&user_codec), -EALREADY, "the same");
        c.name = "x-user";
        cr_assert_eq(weft_codec_register(&c), -EALREADY);
        c.name = "baggage";
        cr_assert_eq(weft_codec_register(&c), -EALREADY);
        for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
                c.name = bad[i];
                cr_expect_eq(weft_codec_register(&c), -EINVAL, "%s", bad[i]);
        }
        memset(long_name, 'a', 65);
        long_name[65] = '\0';
        c.name = long_name;
        cr_assert_eq(weft_codec_register(&c), -EINVAL);
        long_name[64] = '\0';
        c.flags = 2;
        cr_assert_eq(weft_codec_register(&c), -EINVAL);
        c.flags = 0;
        cr_assert_eq(weft_codec_register(&c), 0);
        cr_assert_eq(weft_codec_register(NULL), -EINVAL);
}

Test(carry, a_codec_lacks_nothing)
{
        static weft_codec whole = {
            .var = &user, .name = "whole", .encode = text_encode, .decode = text_decode};
        weft_codec c = whole;
        c.var = NULL;
        cr_assert_eq(weft_codec_register(&c), -EINVAL);
        c = whole;
        c.name = NULL;
        cr_assert_eq(weft_codec_register(&c), -EINVAL);
        c = whole;
        c.encode = NULL;
        cr_assert_eq(weft_codec_register(&c), -EINVAL);
        c = whole;
        c.decode = NULL;
        cr_assert_eq(weft_codec_register(&c), -EINVAL);
        cr_assert_eq(weft_codec_register(&whole), 0);
}

enum { CODECS = 200 };
static weft_codec codecs[CODECS];
static char names[CODECS][16];

static void *registers(void *count)
{
        for (int i = 0; i < CODECS; i++)
                if (weft_codec_register(&codecs[i]) == 0)
                        atomic_fetch_add((atomic_int *)count, 1);
        return NULL;
}

Test(carry, codecs_may_be_registered_on_many_threads_at_once)
{
        atomic_int n = 0;
        pthread_t threads[3];
        struct message m = {0};
        for (int i = 0; i < CODECS; i++) {
                sprintf(names[i], "c%d", i);
                codecs[i] = user_codec;
                codecs[i].name = names[i];
                codecs[i].weft__next = NULL;
        }
        for (int i = 0; i < 3; i++)
                cr_assert_eq(pthread_create(&threads[i], NULL, registers, &n), 0);
        for (int i = 0; i < 3; i++)
                pthread_join(threads[i], NULL);
        cr_assert_eq(atomic_load(&n), CODECS, "each once");
        header(&m, "c0", "1");
        header(&m, "c199", "2");
        weft_context *c;
        cr_assert_eq(weft_context_extract(NULL, find, &m, &c), 2);
        cr_assert_str_eq(text_in(c, &user), "2", "of one var the one that was registered last");
        weft_context_unref(c);
        clear(&m);
}

/* The name of the last codec lies on a page that cannot be read: whoever registers another looks at
 * it when it has seen that none comes after it, and is held up until somebody was faster. */
static char *page_of_last;
static long page_size;
static weft_codec faster, slower;
static int faster_registered = 1;

static void is_held_up(int signal)
{
        (void)signal;
        mprotect(page_of_last, (size_t)page_size, PROT_READ);
        faster_registered = weft_codec_register(&faster);
}

Test(carry, a_codec_that_another_thread_registers_in_between_is_not_lost)
{
        static weft_codec last;
        struct message m = {0};
        page_size = sysconf(_SC_PAGESIZE);
        page_of_last = mmap(NULL, (size_t)page_size, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        cr_assert_neq(page_of_last, MAP_FAILED);
        strcpy(page_of_last, "last");
        last = faster = slower = user_codec;
        last.weft__next = faster.weft__next = slower.weft__next = NULL;
        last.name = page_of_last;
        faster.name = "faster";
        slower.name = "slower";
        cr_assert_eq(weft_codec_register(&last), 0);

        signal(SIGSEGV, is_held_up);
        cr_assert_eq(mprotect(page_of_last, (size_t)page_size, PROT_NONE), 0);
        cr_assert_eq(weft_codec_register(&slower), 0);
        signal(SIGSEGV, SIG_DFL);
        cr_assert_eq(faster_registered, 0);
        bind_text(&user, "ada");
        weft_context *c = weft_context_capture();
        cr_assert_eq(weft_context_inject(c, put, &m), 4);
        cr_assert_str_eq(value_in(&m, "last"), "ada");
        cr_assert_str_eq(value_in(&m, "faster"), "ada");
        cr_assert_str_eq(value_in(&m, "slower"), "ada");
        weft_context_unref(c);
        clear(&m);
}

static int sum_encode(const void *value, char *ret_text, size_t size)
{
        return snprintf(ret_text, size, "%d", (int)(intptr_t)value);
}

static int sum_decode(const char *text, size_t length, void *so_far, void **ret_value)
{
        (void)length;
        *ret_value = V((int)(intptr_t)so_far + atoi(text));
        return 0;
}

Test(carry, several_codecs_of_a_var_that_owns_nothing_read_one_after_the_other)
{
        static weft_var sum = WEFT_VAR_INIT("sum");
        static weft_codec tens = {
            .var = &sum, .name = "tens", .encode = sum_encode, .decode = sum_decode};
        static weft_codec ones = {
            .var = &sum, .name = "ones", .encode = sum_encode, .decode = sum_decode};
        struct message m = {0};
        weft_context *c;
        void *value;
        cr_assert_eq(weft_codec_register(&tens), 0);
        cr_assert_eq(weft_codec_register(&ones), 0);
        header(&m, "ones", "2");
        header(&m, "tens", "40");
        cr_assert_eq(weft_context_extract(NULL, find, &m, &c), 2);
        cr_assert_eq(weft_context_lookup(c, &sum, &value), 0);
        cr_assert_eq(value, V(42));
        weft_context_unref(c);
        clear(&m);
}

/* ---- environments ---- */

static const char *variable(char **e, const char *name)
{
        size_t n = strlen(name);
        for (; *e; e++)
                if (strncmp(*e, name, n) == 0 && (*e)[n] == '=')
                        return *e + n + 1;
        return "none";
}

Test(carry, an_environment_has_the_context_and_what_else_was_in_it)
{
        char *base[] = {"PATH=/bin", "TRACEPARENT=old", "GIVEN=old",  "GIVENNESS=1", "odd",
                        "=x",        "BAGGAGE",         "X_USER=old", NULL};
        char **e;
        weft_context *c = some_context();
        weft_context *came;
        cr_assert_eq(weft_context_environ(c, base, &e), 4);
        int n = 0;
        while (e[n])
                n++;
        cr_assert_eq(n, 4 + 4);
        cr_assert_str_eq(variable(e, "PATH"), "/bin");
        cr_assert_str_eq(variable(e, "GIVENNESS"), "1");
        cr_assert_str_eq(variable(e, "TRACEPARENT"), GOOD);
        cr_assert_str_eq(variable(e, "TRACESTATE"), "foo=1,bar=2");
        cr_assert_str_eq(variable(e, "BAGGAGE"), "tenant=a%20b");
        cr_assert_str_eq(variable(e, "X_USER"), "ada");
        cr_assert_str_eq(variable(e, "GIVEN"), "none", "what is not bound is not inherited either");
        cr_assert_eq(weft_context_from_environ(NULL, e, &came), 4);
        expect_some_context(came);
        weft_context_unref(came);
        weft_context_unref(c);
        cr_assert_null(weft_environ_free(e));
        cr_assert_null(weft_environ_free(NULL));
}

Test(carry, a_program_that_is_started_goes_on_in_the_context)
{
        char **e;
        weft_context *c = some_context();
        char *argv[] = {"sh", "-c", "test \"$TRACEPARENT\" = " GOOD " && test \"$X_USER\" = ada",
                        NULL};
        setenv("TRACEPARENT", "of this process", 1);
        cr_assert_eq(weft_context_environ(c, NULL, &e), 4);
        pid_t child = fork();
        if (child == 0) {
                execve("/bin/sh", argv, e);
                _exit(127);
        }
        int status;
        cr_assert_eq(waitpid(child, &status, 0), child);
        cr_assert_eq(status, 0);
        weft_environ_free(e);
        weft_context_unref(c);
}

Test(carry, an_environment_that_was_found_is_untrusted)
{
        char *e[] = {"TRACEPARENT=ff", "X_USER=!",    "X_USER=second",
                     "x_user=third",   "BAGGAGE=a=1", NULL};
        weft_context *c;
        cr_assert_eq(weft_context_from_environ(NULL, e, &c), 1, "the baggage");
        cr_assert_str_eq(text_in(c, &user), "unset", "of one name the first counts");
        weft_context_unref(c);
        setenv("X_USER", "of this process", 1);
        cr_assert_eq(weft_context_from_environ(NULL, NULL, &c), 1);
        cr_assert_str_eq(text_in(c, &user), "of this process");
        weft_context_unref(c);
        clearenv();
        cr_assert_eq(weft_context_from_environ(NULL, NULL, &c), 0);
        char **none;
        cr_assert_eq(weft_context_environ(NULL, NULL, &none), 0);
        cr_assert_null(none[0]);
        weft_environ_free(none);
}

/* ---- bytes ---- */

static unsigned char bytes[WEFT_CARRY_BYTES_MAX + 10];

static int from(size_t length)
{
        weft_context *c = NULL;
        int r = weft_context_from_bytes(NULL, bytes, length, &c);
        weft_context_unref(c);
        return r;
}

Test(carry, Y6_a_context_crosses_as_bytes)
{
        weft_context *c = some_context();
        weft_context *came;
        int n = weft_context_to_bytes(c, NULL, 0);
        cr_assert_gt(n, 100);
        cr_assert_eq(weft_context_to_bytes(c, bytes, (size_t)n - 1), n);
        cr_assert_eq(bytes[0], 0, "too little room: nothing is written");
        cr_assert_eq(weft_context_to_bytes(c, bytes, (size_t)n), n);
        cr_assert_eq(weft_context_from_bytes(NULL, bytes, (size_t)n, &came), 4);
        expect_some_context(came);
        weft_context_unref(came);
        weft_context_unref(c);
        cr_assert_eq(weft_context_to_bytes(NULL, bytes, sizeof(bytes)), 8);
        cr_assert_arr_eq(bytes, "wft\1\0\0\0\0", 8);
        cr_assert_eq(from(8), 0);
}

Test(carry, Y6_the_format_is_as_it_is_written)
{
        bind_text(&user, "ada");
        weft_context *c = weft_context_capture();
        cr_assert_eq(weft_context_to_bytes(c, bytes, sizeof(bytes)), 20);
        cr_assert_arr_eq(bytes, "wft\1\x0c\0\0\0\x06\x03\0x-userada", 20);
        weft_context_unref(c);
}

Test(carry, Y6_bytes_that_are_cut_or_changed_are_refused_or_read_but_nothing_else)
{
        weft_context *c = some_context();
        int n = weft_context_to_bytes(c, bytes, sizeof(bytes));
        weft_context_unref(c);
        for (int i = 0; i < n; i++)
                cr_expect_eq(from((size_t)i), -EBADMSG, "cut after %d", i);
        cr_assert_eq(from((size_t)n + 1), -EBADMSG, "one too many");
        for (int i = 0; i < n; i++) {
                for (int bit = 0; bit < 8; bit++) {
                        bytes[i] ^= (unsigned char)(1 << bit);
                        int r = from((size_t)n);
                        cr_expect(r == -EBADMSG || (r >= 0 && r <= 4), "bit %d of %d: %d", bit, i,
                                  r);
                        cr_expect(i >= 8 || r == -EBADMSG, "the head, bit %d of %d", bit, i);
                        bytes[i] ^= (unsigned char)(1 << bit);
                }
        }
        cr_assert_eq(from((size_t)n), 4);
}

Test(carry, Y6_names_that_are_not_known_are_skipped_and_the_first_of_two_counts)
{
        static const char known[] = "wft\1\x22\0\0\0"
                                    "\x03\1\0newx"
                                    "\x06\1\0x-user1"
                                    "\x06\1\0x-user2"
                                    "\x04\0\0none";
        weft_context *c;
        cr_assert_eq(weft_context_from_bytes(NULL, known, sizeof(known) - 1, &c), 1);
        cr_assert_str_eq(text_in(c, &user), "1");
        weft_context_unref(c);
}

/* A head, and one field of that name and value. */
static size_t field(size_t name_length, size_t length)
{
        static const char head[] = {'w', 'f', 't', 1};
        uint32_t rest = (uint32_t)(3 + name_length + length);
        memcpy(bytes, head, sizeof(head));
        for (int i = 0; i < 4; i++)
                bytes[4 + i] = (unsigned char)(rest >> 8 * i);
        bytes[8] = (unsigned char)name_length;
        bytes[9] = (unsigned char)length;
        bytes[10] = (unsigned char)(length >> 8);
        memset(bytes + 11, 'x', name_length + length);
        return 8 + rest;
}

Test(carry, Y6_names_and_values_have_their_limits_in_bytes_too)
{
        cr_assert_eq(from(field(64, 8192)), 0);
        cr_assert_eq(from(field(65, 10)), -EBADMSG);
        cr_assert_eq(from(field(0, 10)), -EBADMSG);
        cr_assert_eq(from(field(10, 8193)), -EBADMSG);
}

Test(carry, Y6_65536_bytes_and_no_more)
{
        static weft_codec many[9];
        static char many_names[9][8];
        static char text[8193];
        memset(text, 'x', 8192);
        for (int i = 0; i < 8; i++) {
                sprintf(many_names[i], "many%d", i);
                many[i] = user_codec;
                many[i].weft__next = NULL;
                many[i].name = many_names[i];
                cr_assert_eq(weft_codec_register(&many[i]), 0);
        }
        bind_text(&user, text);
        weft_context *c = weft_context_capture();
        cr_assert_eq(weft_context_to_bytes(c, bytes, sizeof(bytes)), -EMSGSIZE);
        weft_context_unref(c);
        text[7000] = '\0';
        bind_text(&user, text);
        c = weft_context_capture();
        int n = weft_context_to_bytes(c, bytes, sizeof(bytes));
        cr_assert_gt(n, 9 * 7000);
        cr_assert_eq(from((size_t)n), 9);
        weft_context_unref(c);
}

Test(carry, Y6_65537_bytes_are_refused_even_if_each_field_is_right)
{
        size_t n = 8;
        size_t rest = WEFT_CARRY_BYTES_MAX - n;
        for (size_t value; rest > 0; rest -= 3 + 1 + value) {
                value = rest > 8192 + 8 ? 8192 : rest - 4;
                bytes[n] = 1;
                bytes[n + 1] = (unsigned char)value;
                bytes[n + 2] = (unsigned char)(value >> 8);
                memset(bytes + n + 3, 'x', 1 + value);
                n += 3 + 1 + value;
        }
        cr_assert_eq(n, WEFT_CARRY_BYTES_MAX);
        const unsigned char head[] = {'w', 'f', 't', 1, 0xf8, 0xff, 0, 0};
        memcpy(bytes, head, sizeof(head));
        cr_assert_eq(from(n), 0);
        /* The last one longer by a byte, and the head right again. */
        size_t last = 8 + 7 * (3 + 1 + 8192);
        size_t value = n - last - 4 + 1;
        bytes[last + 1] = (unsigned char)value;
        bytes[last + 2] = (unsigned char)(value >> 8);
        bytes[n] = 'x';
        bytes[4]++;
        cr_assert_eq(from(n + 1), -EBADMSG);
}

/* ---- arguments and memory ---- */

Test(carry, arguments_are_checked)
{
        weft_context *c;
        cr_assert_eq(weft_context_inject(NULL, NULL, NULL), -EINVAL);
        cr_assert_eq(weft_context_extract(NULL, NULL, NULL, &c), -EINVAL);
        cr_assert_eq(weft_context_extract(NULL, find, NULL, NULL), -EINVAL);
        cr_assert_eq(weft_context_environ(NULL, NULL, NULL), -EINVAL);
        cr_assert_eq(weft_context_from_environ(NULL, NULL, NULL), -EINVAL);
        cr_assert_eq(weft_context_to_bytes(NULL, NULL, 1), -EINVAL);
        cr_assert_eq(weft_context_from_bytes(NULL, NULL, 0, &c), -EINVAL);
        cr_assert_eq(weft_context_from_bytes(NULL, bytes, 0, NULL), -EINVAL);
}

static int asked, fails_at;

static int one_fails(size_t size)
{
        (void)size;
        return asked++ == fails_at;
}

/* Each allocation fails once: the call says so, and keeps nothing. Returns how many there were. */
#define each_fails(call, give_back)                                                                \
        do {                                                                                       \
                for (fails_at = 0;; fails_at++) {                                                  \
                        asked = 0;                                                                 \
                        weft__alloc_fails = one_fails;                                             \
                        int r_ = (call);                                                           \
                        weft__alloc_fails = NULL;                                                  \
                        if (asked <= fails_at) {                                                   \
                                cr_assert_geq(r_, 0);                                              \
                                give_back;                                                         \
                                break;                                                             \
                        }                                                                          \
                        cr_assert_eq(r_, -ENOMEM, "allocation %d", fails_at);                      \
                }                                                                                  \
                cr_assert_geq(fails_at, 2, "few: %d", fails_at);                                   \
        } while (0)

Test(carry, without_memory_a_call_says_so_and_keeps_nothing)
{
        struct message m = {0};
        char **e;
        weft_context *came;
        weft_context *c = some_context();
        weft_context *with;
        void *value = text_new("x", 1);
        cr_assert_eq(weft_context_with(c, &given, value, &with), 0);
        cr_assert_eq(weft_context_inject(with, put, &m), 5);
        int n = weft_context_to_bytes(with, bytes, sizeof(bytes));
        each_fails(weft_context_extract(NULL, find, &m, &came), weft_context_unref(came));
        each_fails(weft_context_from_bytes(c, bytes, (size_t)n, &came), weft_context_unref(came));
        each_fails(weft_context_to_bytes(with, bytes, sizeof(bytes)), (void)0);
        each_fails(weft_context_environ(with, NULL, &e), weft_environ_free(e));
        clear(&m);
        weft_context_unref(with);
        weft_context_unref(c);
}
