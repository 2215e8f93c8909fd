/* SPDX-License-Identifier: MIT
 *
 * include/weft/trace.h: the rules O1 to O6, with the cases of the W3C's own validation suite for
 * trace-context (what a service must accept and what it must not) as far as they are about headers.
 * Several headers, their names and white space around them are in carry.c.
 */
#include <criterion/criterion.h>

#include <errno.h>
#include <string.h>

#include <weft/trace.h>

#include "context/memory.h"
#include "context_help.h"

#define TRACE "12345678901234567890123456789012"
#define SPAN  "1234567890123456"
#define GOOD  "00-" TRACE "-" SPAN "-01"

static int parses(const char *text, weft_traceparent *ret)
{
        return weft_traceparent_parse(ret, text, strlen(text));
}

static void refuses(const char *const *texts, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                weft_traceparent p = {.flags = 77};
                cr_expect_eq(parses(texts[i], &p), -EBADMSG, "taken: '%s'", texts[i]);
                cr_expect_eq(p.flags, 77, "written to: '%s'", texts[i]);
        }
}
#define REFUSES(...)                                                                               \
        refuses((const char *const[]){__VA_ARGS__},                                                \
                sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

/* ---- traceparent ---- */

Test(trace, O1_a_traceparent_is_read_and_written_as_it_was)
{
        weft_traceparent p;
        char text[56];
        cr_assert_eq(parses(GOOD, &p), 0);
        cr_assert_eq(p.trace_id[0], 0x12);
        cr_assert_eq(p.trace_id[15], 0x12);
        cr_assert_eq(p.trace_id[14], 0x90);
        cr_assert_eq(p.span_id[0], 0x12);
        cr_assert_eq(p.span_id[7], 0x56);
        cr_assert_eq(p.flags, WEFT_TRACE_SAMPLED);
        cr_assert_eq(weft_traceparent_format(&p, text), 55);
        cr_assert_str_eq(text, GOOD);
        cr_assert_eq(parses("00-abcdef0123456789abcdef0123456789-fedcba9876543210-02", &p), 0);
        cr_assert_eq(weft_traceparent_format(&p, text), 55);
        cr_assert_str_eq(text, "00-abcdef0123456789abcdef0123456789-fedcba9876543210-02");
}

Test(trace, O1_version_00_is_exactly_55_bytes)
{
        char text[sizeof(GOOD) + 1] = GOOD;
        weft_traceparent p;
        cr_assert_eq(sizeof(GOOD) - 1, 55);
        for (size_t n = 0; n < 55; n++)
                cr_expect_eq(weft_traceparent_parse(&p, text, n), -EBADMSG, "%zu bytes", n);
        cr_assert_eq(weft_traceparent_parse(&p, text, 55), 0);
        cr_assert_eq(weft_traceparent_parse(&p, text, 56), -EBADMSG, "with a NUL");
        REFUSES(GOOD ".", GOOD "-", GOOD "-what-the-future-will-be-like", GOOD " ", " " GOOD);
}

Test(trace, O1_a_later_version_counts_as_far_as_it_is_known)
{
        static const char *const good[] = {
            "cc-" TRACE "-" SPAN "-01",
            "cc-" TRACE "-" SPAN "-01-",
            "cc-" TRACE "-" SPAN "-01-what-the-future-will-be-like",
            "01-" TRACE "-" SPAN "-01",
            "fe-" TRACE "-" SPAN "-01",
        };
        char text[56];
        for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
                weft_traceparent p;
                cr_assert_eq(parses(good[i], &p), 0, "%s", good[i]);
                cr_assert_eq(weft_traceparent_format(&p, text), 55);
                cr_assert_str_eq(text, GOOD, "version 00 is what is written");
        }
        REFUSES("cc-" TRACE "-" SPAN "-01.what-the-future-will-not-be-like",
                "cc-" TRACE "-" SPAN "-012", "cc-" TRACE "-" SPAN "-0");
}

Test(trace, O1_a_version_is_two_digits_and_not_ff)
{
        REFUSES("ff-" TRACE "-" SPAN "-01", "ff-" TRACE "-" SPAN "-01-more",
                ".0-" TRACE "-" SPAN "-01", "0.-" TRACE "-" SPAN "-01", "000-" TRACE "-" SPAN "-01",
                "0000-" TRACE "-" SPAN "-01", "0-" TRACE "-" SPAN "-01", "CC-" TRACE "-" SPAN "-01",
                "", "-", "00");
}

Test(trace, O1_the_id_of_a_trace_is_32_digits_and_not_zero)
{
        REFUSES("00-00000000000000000000000000000000-" SPAN "-01",
                "00-.2345678901234567890123456789012-" SPAN "-01",
                "00-1234567890123456789012345678901.-" SPAN "-01",
                "00-123456789012345678901234567890123-" SPAN "-01",
                "00-1234567890123456789012345678901-" SPAN "-01",
                "00-1234567890123456789012345678901A-" SPAN "-01",
                "00-1234567890123456789012345678901g-" SPAN "-01",
                "cc-00000000000000000000000000000000-" SPAN "-01");
}

Test(trace, O1_the_id_of_a_span_is_16_digits_and_not_zero)
{
        REFUSES("00-" TRACE "-0000000000000000-01", "00-" TRACE "-.234567890123456-01",
                "00-" TRACE "-123456789012345.-01", "00-" TRACE "-12345678901234567-01",
                "00-" TRACE "-123456789012345-01", "00-" TRACE "-123456789012345F-01");
}

Test(trace, O1_flags_are_two_digits)
{
        REFUSES("00-" TRACE "-" SPAN "-.0", "00-" TRACE "-" SPAN "-0.", "00-" TRACE "-" SPAN "-001",
                "00-" TRACE "-" SPAN "-1", "00-" TRACE "-" SPAN "-0A", "00-" TRACE "-" SPAN "-");
}

Test(trace, O1_dashes_stand_where_they_must)
{
        for (size_t i = 0; i < 55; i++) {
                char text[] = GOOD;
                weft_traceparent p;
                if (text[i] != '-')
                        continue;
                text[i] = '0';
                cr_expect_eq(parses(text, &p), -EBADMSG, "%s", text);
        }
}

Test(trace, O1_every_byte_that_is_no_digit_is_refused_in_every_place)
{
        for (size_t i = 0; i < 55; i++) {
                for (int c = 0; c < 256; c++) {
                        char text[] = GOOD;
                        weft_traceparent p;
                        text[i] = (char)c;
                        bool digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
                        bool good = GOOD[i] == '-' ? c == '-' : digit;
                        if (memcmp(text, "ff", 2) == 0)
                                good = false;
                        int r = weft_traceparent_parse(&p, text, 55);
                        cr_assert_eq(r, good ? 0 : -EBADMSG, "%d at %zu", c, i);
                }
        }
}

Test(trace, O2_unknown_flags_are_passed_on_as_zero)
{
        weft_traceparent p;
        char text[56];
        cr_assert_eq(parses("00-" TRACE "-" SPAN "-ff", &p), 0);
        cr_assert_eq(p.flags, WEFT_TRACE_SAMPLED | WEFT_TRACE_RANDOM);
        cr_assert_eq(parses("00-" TRACE "-" SPAN "-fc", &p), 0);
        cr_assert_eq(p.flags, 0);
        cr_assert_eq(parses("cc-" TRACE "-" SPAN "-ff", &p), 0);
        cr_assert_eq(p.flags, WEFT_TRACE_SAMPLED, "of a later version only this one is known");
        p.flags = 0xff;
        cr_assert_eq(weft_traceparent_format(&p, text), 55);
        cr_assert_str_eq(text + 53, "03");
}

Test(trace, a_traceparent_without_an_id_is_not_written)
{
        weft_traceparent p;
        char text[56] = "as it was";
        cr_assert_eq(parses(GOOD, &p), 0);
        memset(p.span_id, 0, sizeof(p.span_id));
        cr_assert_eq(weft_traceparent_format(&p, text), -EINVAL);
        cr_assert_eq(parses(GOOD, &p), 0);
        memset(p.trace_id, 0, sizeof(p.trace_id));
        cr_assert_eq(weft_traceparent_format(&p, text), -EINVAL);
        cr_assert_str_eq(text, "as it was");
}

/* ---- tracestate ---- */

static const char *state(const char *text)
{
        static char out[513];
        strcpy(out, "as it was");
        int r = weft_tracestate_parse(text, strlen(text), out);
        if (r < 0) {
                cr_assert_eq(r, -EBADMSG);
                cr_assert_str_eq(out, "as it was", "written to: %s", text);
                return "bad";
        }
        cr_assert_eq((size_t)r, strlen(out));
        return out;
}

/* barNN=NN for each number, with that between them. */
static const char *many(const char *between, int from, int to)
{
        static char text[9000];
        char *at = text;
        for (int i = from; i <= to; i++)
                at += sprintf(at, "%sbar%02d=%02d", i > from ? between : "", i, i);
        return text;
}

Test(trace, O3_members_keep_their_order_and_lose_the_space_around_them)
{
        cr_assert_str_eq(state("foo=1,bar=2"), "foo=1,bar=2");
        cr_assert_str_eq(state("foo=1 \t , \t bar=2, \t baz=3"), "foo=1,bar=2,baz=3");
        cr_assert_str_eq(state("foo=1\t \t,\t \tbar=2,\t \tbaz=3"), "foo=1,bar=2,baz=3");
        cr_assert_str_eq(state(" foo=1"), "foo=1");
        cr_assert_str_eq(state("\tfoo=1"), "foo=1");
        cr_assert_str_eq(state("foo=1 "), "foo=1");
        cr_assert_str_eq(state("foo=1\t"), "foo=1");
        cr_assert_str_eq(state("\t foo=1 \t"), "foo=1");
        cr_assert_str_eq(state("foo=  1"), "foo=  1", "space at the front of a value is its own");
}

Test(trace, O3_empty_members_are_left_out)
{
        cr_assert_str_eq(state(""), "");
        cr_assert_str_eq(state(" \t"), "");
        cr_assert_str_eq(state(",,,"), "");
        cr_assert_str_eq(state("foo=1,"), "foo=1");
        cr_assert_str_eq(state(",foo=1, ,bar=2,"), "foo=1,bar=2");
}

Test(trace, O3_of_members_with_one_key_the_first_is_kept)
{
        cr_assert_str_eq(state("foo=1,foo=1"), "foo=1");
        cr_assert_str_eq(state("foo=1,bar=3,foo=2"), "foo=1,bar=3");
}

Test(trace, O3_all_characters_that_are_allowed)
{
        char text[300] = "abcdefghijklmnopqrstuvwxyz0123456789_-*/@a-z0-9_-*/=";
        size_t n = strlen(text);
        for (int c = ' '; c <= '~'; c++)
                if (c != ',' && c != '=')
                        text[n++] = (char)c;
        cr_assert_str_eq(state(text), text);
        cr_assert_str_eq(state("0digit=1"), "0digit=1");
}

Test(trace, O3_a_key_that_breaks_the_grammar_spoils_all)
{
        static const char *const bad[] = {
            "foo =1",    "FOO=1",  "foo.bar=1", "@foo=1,bar=2", "=1",          "foo",
            "bar=2,foo", "_foo=1", "foo\t=1",   "-=1",          "f\xc3\xb6=1", "foo=1;bar=2,F=1",
        };
        for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
                cr_expect_str_eq(state(bad[i]), "bad", "%s", bad[i]);
        /* Signs within a key are no matter of its grammar. */
        cr_assert_str_eq(state("foo@=1,bar=2"), "foo@=1,bar=2");
        cr_assert_str_eq(state("foo@@bar=1,bar=2"), "foo@@bar=1,bar=2");
        cr_assert_str_eq(state("foo@bar@baz=1,bar=2"), "foo@bar@baz=1,bar=2");
}

Test(trace, O3_a_value_that_breaks_the_grammar_spoils_all)
{
        static const char *const bad[] = {
            "foo=bar=baz", "foo=,bar=3", "foo=",         "foo= ",    "foo=a\tb",
            "foo=\x7f",    "foo=\x1f",   "foo=\xc3\xb6", "foo=a\nb",
        };
        for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
                cr_expect_str_eq(state(bad[i]), "bad", "%s", bad[i]);
        char out[513];
        cr_assert_eq(weft_tracestate_parse("foo=a\0b", 7, out), -EBADMSG);
}

Test(trace, O3_32_members_and_no_more)
{
        char text[9000] = "";
        cr_assert_str_eq(state(many(",", 1, 32)), many(",", 1, 32));
        cr_assert_str_eq(state(many(",", 1, 33)), "bad");
        strcpy(text, many(" ,, ", 1, 32));
        cr_assert_str_eq(state(text), many(",", 1, 32), "those that are empty do not count");
        text[0] = '\0';
        for (int i = 0; i < 33; i++)
                strcat(text, "foo=1,");
        cr_assert_str_eq(state(text), "bad", "those that are there twice do");
}

Test(trace, O3_keys_and_values_have_256_characters_at_most)
{
        char text[600];
        sprintf(text, "foo=1,%0256d=1", 0);
        cr_assert_str_eq(state(text), text);
        sprintf(text, "foo=1,%0257d=1", 0);
        cr_assert_str_eq(state(text), "bad");
        sprintf(text, "t%0240d@v%013d=1", 0, 0);
        cr_assert_str_eq(state(text), text);
        sprintf(text, "foo=%0256d", 0);
        cr_assert_str_eq(state(text), text);
        sprintf(text, "foo=%0257d", 0);
        cr_assert_str_eq(state(text), "bad");
}

Test(trace, O4_up_to_512_characters_are_passed_on_as_they_are)
{
        char text[1200];
        int n = sprintf(text, "a=%0250d,b=%0256d", 0, 0);
        cr_assert_eq(n, 252 + 1 + 258);
        sprintf(text, "a=%0251d,b=%0256d", 0, 0);
        cr_assert_eq(strlen(text), 512);
        cr_assert_str_eq(state(text), text);
}

Test(trace, O4_long_members_go_first_then_those_at_the_end)
{
        char text[9000];
        char want[600];
        sprintf(text, "a=%0252d,b=%0256d", 0, 0);
        sprintf(want, "a=%0252d", 0);
        cr_assert_eq(strlen(text), 513);
        cr_assert_str_eq(state(text), want, "the later of two long ones");

        sprintf(text, "a=%0200d,b=%0100d,c=%0100d,d=%0100d,e=%0100d", 0, 0, 0, 0, 0);
        sprintf(want, "b=%0100d,c=%0100d,d=%0100d,e=%0100d", 0, 0, 0, 0);
        cr_assert_str_eq(state(text), want, "a long one, though it is at the front");

        sprintf(text, "a=%0127d,b=%0126d,c=%0126d,d=%0126d,e=%0126d", 1, 2, 3, 4, 5);
        sprintf(want, "b=%0126d,c=%0126d,d=%0126d", 2, 3, 4);
        cr_assert_str_eq(state(text), want, "129 is long; 128 is not");
}

/* ---- the value ---- */

static weft_trace *trace(const char *parent, const char *its_state)
{
        weft_traceparent p;
        weft_trace *t;
        cr_assert_eq(parses(parent, &p), 0);
        cr_assert_eq(weft_trace_create(&t, &p, its_state), 0);
        return t;
}

Test(trace, a_child_is_another_span_of_the_same_trace)
{
        weft_trace *t = trace(GOOD, "foo=1");
        weft_trace *child;
        cr_assert_eq(weft_trace_child(&child, t), 0);
        const weft_traceparent *p = weft_trace_parent(t);
        const weft_traceparent *c = weft_trace_parent(child);
        cr_assert_arr_eq(c->trace_id, p->trace_id, 16);
        cr_assert_arr_neq(c->span_id, p->span_id, 8);
        cr_assert_eq(c->flags, p->flags);
        cr_assert_str_eq(weft_trace_state(child), "foo=1");
        weft_trace_unref(t);
        weft_trace_unref(child);
}

Test(trace, a_child_of_none_begins_a_trace)
{
        static const unsigned char zero[16];
        weft_trace *one;
        weft_trace *other;
        cr_assert_eq(weft_trace_child(&one, NULL), 0);
        cr_assert_eq(weft_trace_child(&other, NULL), 0);
        const weft_traceparent *p = weft_trace_parent(one);
        cr_assert_arr_neq(p->trace_id, zero, 16);
        cr_assert_arr_neq(p->span_id, zero, 8);
        cr_assert_arr_neq(p->trace_id, weft_trace_parent(other)->trace_id, 16);
        cr_assert_eq(p->flags, WEFT_TRACE_RANDOM);
        cr_assert_str_eq(weft_trace_state(one), "");
        weft_trace_unref(one);
        weft_trace_unref(other);
}

/* The state of GOOD with `before` once key is set. */
static const char *with(const char *before, const char *key, const char *value)
{
        static char out[513];
        weft_trace *t = trace(GOOD, before);
        weft_trace *next;
        int r = weft_trace_with_state(&next, t, key, value);
        if (r == 0) {
                strcpy(out, weft_trace_state(next));
                cr_assert_arr_eq(weft_trace_parent(next), weft_trace_parent(t),
                                 sizeof(weft_traceparent));
                weft_trace_unref(next);
        }
        cr_assert_str_eq(weft_trace_state(t), before, "the old one is as it was");
        weft_trace_unref(t);
        return r == 0 ? out : weft_err_name(r);
}

Test(trace, O5_what_is_set_goes_to_the_front)
{
        cr_assert_str_eq(with("", "a", "1"), "a=1");
        cr_assert_str_eq(with("b=2,c=3", "a", "1"), "a=1,b=2,c=3");
        cr_assert_str_eq(with("b=2,a=9,c=3", "a", "1"), "a=1,b=2,c=3");
        cr_assert_str_eq(with("b=2,a=9,c=3", "a", NULL), "b=2,c=3");
        cr_assert_str_eq(with("b=2", "a", NULL), "b=2");
        cr_assert_str_eq(with("b=2", "A", "1"), "EBADMSG");
        cr_assert_str_eq(with("b=2", "a", "1=1"), "EBADMSG");
        cr_assert_str_eq(with("b=2", "a", ""), "EBADMSG");
        cr_assert_str_eq(with("b=2", "a", "1,c"), "EBADMSG", "two members are not one value");
        cr_assert_str_eq(with("b=2", "a", "1 "), "EBADMSG", "who reads it would not see the space");
        cr_assert_str_eq(with("b=2", "", "1"), "EBADMSG");
}

Test(trace, O5_what_is_too_much_goes_and_not_what_is_set)
{
        char before[600];
        char key[300];
        char value[300];
        char want[600] = "new=1,";
        strcpy(before, many(",", 1, 32));
        strcat(want, many(",", 1, 31));
        cr_assert_str_eq(with(before, "new", "1"), want, "a 33rd");
        strcpy(want, "bar32=1,");
        strcat(want, many(",", 1, 31));
        cr_assert_str_eq(with(before, "bar32", "1"), want, "no 33rd");

        sprintf(value, "%0200d", 0);
        sprintf(before, "a=%0126d,b=%0126d,c=%0126d,d=%0100d", 1, 2, 3, 4);
        sprintf(want, "new=%s,a=%0126d,b=%0126d", value, 1, 2);
        cr_assert_str_eq(with(before, "new", value), want, "long as it is");

        sprintf(key, "%0256d", 0);
        sprintf(value, "%0255d", 0);
        sprintf(want, "%s=%s", key, value);
        cr_assert_str_eq(with("a=1", key, value), want);
        sprintf(value, "%0256d", 0);
        cr_assert_str_eq(with("a=1", key, value), "EMSGSIZE", "513 by itself");
}

Test(trace, a_state_that_is_none_makes_no_trace)
{
        weft_traceparent p;
        weft_trace *t = NULL;
        cr_assert_eq(parses(GOOD, &p), 0);
        cr_assert_eq(weft_trace_create(&t, &p, "FOO=1"), -EBADMSG);
        memset(p.trace_id, 0, 16);
        cr_assert_eq(weft_trace_create(&t, &p, NULL), -EINVAL);
        cr_assert_null(t);
}

Test(trace, the_var_keeps_its_trace_as_long_as_it_is_bound)
{
        weft_trace *t = trace(GOOD, NULL);
        cr_assert_eq(weft_set(weft_trace_var(), t, NULL), 0);
        weft_context *here = weft_context_capture();
        weft_trace_unref(t);
        cr_assert_eq(weft_get(weft_trace_var()), t);
        cr_assert_eq(weft_trace_parent(t)->flags, WEFT_TRACE_SAMPLED);
        cr_assert_eq(weft_set(weft_trace_var(), NULL, NULL), 0);
        void *value;
        cr_assert_eq(weft_context_lookup(here, weft_trace_var(), &value), 0);
        cr_assert_str_eq(weft_trace_state(value), "");
        weft_context_unref(here);
}

Test(trace, null_is_no_trace)
{
        weft_trace *t = trace(GOOD, NULL);
        weft_traceparent p = *weft_trace_parent(t);
        char text[513];
        cr_assert_eq(weft_trace_ref(t), t);
        cr_assert_null(weft_trace_unref(t));
        cr_assert_null(weft_trace_ref(NULL));
        cr_assert_null(weft_trace_unref(NULL));
        cr_assert_null(weft_trace_parent(NULL));
        cr_assert_str_eq(weft_trace_state(NULL), "");
        cr_assert_eq(weft_traceparent_parse(NULL, "", 0), -EINVAL);
        cr_assert_eq(weft_traceparent_parse(&p, NULL, 0), -EINVAL);
        cr_assert_eq(weft_traceparent_format(NULL, text), -EINVAL);
        cr_assert_eq(weft_traceparent_format(&p, NULL), -EINVAL);
        cr_assert_eq(weft_tracestate_parse(NULL, 0, text), -EINVAL);
        cr_assert_eq(weft_tracestate_parse("", 0, NULL), -EINVAL);
        cr_assert_eq(weft_trace_create(NULL, &p, NULL), -EINVAL);
        cr_assert_eq(weft_trace_create(&t, NULL, NULL), -EINVAL);
        cr_assert_eq(weft_trace_child(NULL, t), -EINVAL);
        cr_assert_eq(weft_trace_with_state(NULL, t, "a", "1"), -EINVAL);
        cr_assert_eq(weft_trace_with_state(&t, NULL, "a", "1"), -EINVAL);
        cr_assert_eq(weft_trace_with_state(&t, t, NULL, "1"), -EINVAL);
        weft_trace_unref(t);
}

static int always(size_t size)
{
        (void)size;
        return 1;
}

Test(trace, without_memory_there_is_no_trace_and_nothing_is_written)
{
        weft_trace *t = trace(GOOD, "foo=1");
        weft_trace *none = NULL;
        weft__alloc_fails = always;
        cr_expect_eq(weft_trace_create(&none, weft_trace_parent(t), NULL), -ENOMEM);
        cr_expect_eq(weft_trace_child(&none, t), -ENOMEM);
        cr_expect_eq(weft_trace_with_state(&none, t, "a", "1"), -ENOMEM);
        weft__alloc_fails = NULL;
        cr_assert_null(none);
        weft_trace_unref(t);
}
