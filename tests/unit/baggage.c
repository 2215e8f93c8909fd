/* SPDX-License-Identifier: MIT
 *
 * include/weft/baggage.h: the rules A1 to A5, with the cases of the W3C's own tests for baggage.
 * Several headers are in carry.c.
 */
#include <criterion/criterion.h>

#include <errno.h>
#include <string.h>

#include <weft/baggage.h>

#include "context/memory.h"
#include "context_help.h"

static weft_baggage *parsed(const char *text)
{
        weft_baggage *b;
        cr_assert_eq(weft_baggage_parse(text, strlen(text), &b), 0);
        return b;
}

/* How a header is passed on. */
static const char *passed_on(const char *text)
{
        static char out[WEFT_BAGGAGE_LENGTH + 1];
        weft_baggage *b = parsed(text);
        cr_assert_eq((size_t)weft_baggage_format(b, out, sizeof(out)), strlen(out));
        weft_baggage_unref(b);
        return out;
}

/* The value of k in a header; its length is in `length`. */
static size_t length;

static const char *value_of_k(const char *text)
{
        static char out[WEFT_BAGGAGE_LENGTH + 1];
        weft_baggage_member m;
        weft_baggage *b = parsed(text);
        int r = weft_baggage_lookup(b, "k", &m);
        if (r == 0) {
                cr_assert_eq(m.value[m.value_length], '\0');
                memcpy(out, m.value, m.value_length + 1);
                length = m.value_length;
        }
        weft_baggage_unref(b);
        return r == 0 ? out : weft_err_name(r);
}

static int count(const weft_baggage_member *m, void *n)
{
        (void)m;
        ++*(int *)n;
        return 0;
}

static int members(const weft_baggage *b)
{
        int n = 0;
        cr_assert_eq(weft_baggage_foreach(b, count, &n), 0);
        return n;
}

/* ---- what is read ---- */

Test(baggage, members_and_their_properties_are_read)
{
        weft_baggage_member m;
        weft_baggage *b =
            parsed("SomeKey=SomeValue;SomeProp,SomeKey2=SomeValue2;ValueProp=PropVal");
        cr_assert_eq(members(b), 2);
        cr_assert_eq(weft_baggage_lookup(b, "SomeKey", &m), 0);
        cr_assert_str_eq(m.value, "SomeValue");
        cr_assert_str_eq(m.properties, "SomeProp");
        cr_assert_eq(weft_baggage_lookup(b, "SomeKey2", &m), 0);
        cr_assert_str_eq(m.value, "SomeValue2");
        cr_assert_str_eq(m.properties, "ValueProp=PropVal");
        cr_assert_eq(weft_baggage_lookup(b, "somekey", &m), -ENOENT, "keys have their case");
        weft_baggage_unref(b);
}

Test(baggage, a_value_may_have_equals_signs_and_be_empty)
{
        cr_assert_str_eq(value_of_k("k=SomeValue=equals"), "SomeValue=equals");
        cr_assert_str_eq(value_of_k("k=="), "=");
        cr_assert_str_eq(value_of_k("k="), "");
        cr_assert_str_eq(passed_on("k="), "k=");
}

Test(baggage, A4_white_space_goes_and_properties_stay)
{
        cr_assert_str_eq(
            passed_on("SomeKey \t = \t SomeValue \t ; \t SomeProp \t , \t SomeKey2 \t = \t "
                      "SomeValue2 \t ; \t ValueProp \t = \t PropVal"),
            "SomeKey=SomeValue;SomeProp,SomeKey2=SomeValue2;ValueProp=PropVal");
        cr_assert_str_eq(passed_on("k=v;SomeProp;SomeProp=PropValue;SomeProp=AnotherPropValue"),
                         "k=v;SomeProp;SomeProp=PropValue;SomeProp=AnotherPropValue");
        cr_assert_str_eq(passed_on("k=v;p=%09%20%22;q="), "k=v;p=%09%20%22;q=");
        cr_assert_str_eq(passed_on("k=v;ValueProp%20%09%20%3D%20%09%20PropVal"),
                         "k=v;ValueProp%20%09%20%3D%20%09%20PropVal");
        cr_assert_str_eq(
            passed_on(
                "key1=value1;property1;property2, key2 = value2, key3=value3; propertyKey=pV"),
            "key1=value1;property1;property2,key2=value2,key3=value3;propertyKey=pV");
}

Test(baggage, A2_values_are_percent_coded_where_need_be)
{
        cr_assert_str_eq(value_of_k("k=%09%20%22%27%3B%3Dasdf%21%40%23%24%25%5E%26%2A%28%29"),
                         "\t \"';=asdf!@#$%^&*()");
        cr_assert_str_eq(passed_on("k=%09%20%22%27%3B%3Dasdf%21%40%23%24%25%5E%26%2A%28%29"),
                         "k=%09%20%22'%3B=asdf!@#$%25^&*()");
        cr_assert_str_eq(value_of_k("k=Am%C3%A9lie"), "Am\xc3\xa9lie");
        cr_assert_str_eq(value_of_k("k=Am%c3%a9lie"), "Am\xc3\xa9lie");
        cr_assert_str_eq(passed_on("k=Am%c3%a9lie"), "k=Am%C3%A9lie");
        cr_assert_str_eq(passed_on("k=%41%2C%5C%7F%00"), "k=A%2C%5C%7F%00");
        cr_assert_str_eq(value_of_k("k=a%00b"), "a");
        cr_assert_eq(length, 3, "a NUL is a byte like another");
}

Test(baggage, A2_what_is_not_utf8_is_replaced)
{
#define R "\xef\xbf\xbd"
        static const char *const cases[][2] = {
            {"k=%FF", R},
            {"k=a%80b", "a" R "b"},
            {"k=%C3", R},
            {"k=%C3a", R "a"},
            {"k=%C0%AF", R R}, /* '/' longer than it is */
            {"k=%E0%80%AF", R R R},
            {"k=%ED%A0%80", R R R}, /* a surrogate */
            {"k=%E2%82", R},        /* the beginning of one */
            {"k=%E2%82%AC", "\xe2\x82\xac"},
            {"k=%F0%8F%BF%BF", R R R R}, /* longer than it is */
            {"k=%F0%9F%98%80", "\xf0\x9f\x98\x80"},
            {"k=%F0%9F%98", R},
            {"k=%F0%9F%98x", R "x"},
            {"k=%F4%90%80%80", R R R R}, /* behind the last */
            {"k=%F5%80", R R},
            {"k=%C3%C3%A9", R "\xc3\xa9"},
        };
        for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
                cr_expect_str_eq(value_of_k(cases[i][0]), cases[i][1], "%s", cases[i][0]);
        cr_assert_str_eq(passed_on("k=%FF"), "k=%EF%BF%BD");
}

Test(baggage, A3_a_member_that_breaks_the_grammar_is_left_out_and_others_stand)
{
        static const char *const bad[] = {
            "",       "b",     "=b",     " = b",   "b c=1",   "b=\"x\"",    "b=c d",       "b=c\\",
            "b=%",    "b=%4",  "b=%4g",  "b=%g4",  "b=%%41",  "b=\xc3\xa9", "b\xc3\xa9=1", "b=\x01",
            "b=\x7f", "b=1;",  "b=1;;p", "b=1;=p", "b=1;p q", "b=1;p=q r",  "b=1;p=%4",    "b;p=1",
            "(b)=1",  "b@c=1", ";",      ";b=1",
        };
        char text[100];
        for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
                sprintf(text, "a=1,%s,c=2", bad[i]);
                cr_expect_str_eq(passed_on(text), "a=1,c=2", "'%s'", bad[i]);
                cr_expect_str_eq(passed_on(bad[i]), "", "'%s'", bad[i]);
        }
        cr_assert_null(parsed(" , ,\t"));
}

Test(baggage, A3_all_characters_of_tokens_and_values)
{
        cr_assert_str_eq(passed_on("!#$%&'*+-.^_`|~09azAZ=1"), "!#$%&'*+-.^_`|~09azAZ=1");
        char text[200] = "k=";
        size_t n = 2;
        for (int c = '!'; c <= '~'; c++)
                if (!strchr("\",;\\%", c))
                        text[n++] = (char)c;
        cr_assert_str_eq(passed_on(text), text);
        weft_baggage *b;
        cr_assert_eq(weft_baggage_parse("a=1\0,b=2", 8, &b), 0);
        cr_assert_eq(members(b), 1, "a NUL is none of them");
        weft_baggage_unref(b);
        cr_assert_eq(weft_baggage_parse("a\0c=1,b=2", 9, &b), 0);
        cr_assert_eq(members(b), 1, "nor of those of a key");
        weft_baggage_unref(b);
}

/* ---- limits ---- */

/* n members "kNNN=v", then the text. */
static char *many(int n, const char *then)
{
        static char text[20000];
        char *at = text;
        for (int i = 0; i < n; i++)
                at += sprintf(at, "k%03d=v,", i);
        strcpy(at, then);
        return text;
}

Test(baggage, A1_180_members_and_no_more)
{
        weft_baggage_member m;
        weft_baggage *b = parsed(many(179, "last=1"));
        cr_assert_eq(members(b), 180);
        cr_assert_eq(weft_baggage_lookup(b, "last", &m), 0);
        weft_baggage_unref(b);
        b = parsed(many(180, "last=1"));
        cr_assert_eq(members(b), 180, "the first of them");
        cr_assert_eq(weft_baggage_lookup(b, "k179", &m), 0);
        cr_assert_eq(weft_baggage_lookup(b, "last", &m), -ENOENT);
        weft_baggage *more = NULL;
        cr_assert_eq(weft_baggage_with(b, "last", "1", NULL, &more), -EMSGSIZE);
        cr_assert_null(more);
        cr_assert_eq(weft_baggage_with(b, "k000", "new", NULL, &more), 0, "in place of one");
        cr_assert_eq(members(more), 180);
        weft_baggage_unref(more);
        weft_baggage_unref(b);
        b = parsed(many(400, ""));
        cr_assert_eq(members(b), 180);
        weft_baggage_unref(b);
}

Test(baggage, A1_8192_bytes_and_no_more)
{
        static char text[20000];
        sprintf(text, "a=%08190d", 0);
        cr_assert_eq(strlen(text), 8192);
        cr_assert_str_eq(passed_on(text), text);
        sprintf(text, "a=%08191d", 0);
        cr_assert_str_eq(passed_on(text), "", "no part of a member");
        sprintf(text, "b=1,a=%08186d", 0);
        cr_assert_eq(strlen(text), 8192);
        cr_assert_str_eq(passed_on(text), text);
        sprintf(text, "b=1,a=%08187d,c=2", 0);
        cr_assert_str_eq(passed_on(text), "b=1", "what is behind is not looked at");
        sprintf(text, "b=1,a=%08186d,c=2", 0);
        cr_assert_eq(strlen(passed_on(text)), 8192, "a whole one that ends there");
        memset(text, ' ', 8192);
        strcpy(text + 8192, ",a=1");
        cr_assert_str_eq(passed_on(text), "");
}

Test(baggage, A1_what_grows_when_it_is_written_counts_as_it_is_written)
{
        static char text[9000];
        char *at = text;
        at += sprintf(at, "a=");
        for (int i = 0; i < 909; i++)
                at += sprintf(at, "%%FF"); /* 3 bytes that become 9 */
        cr_assert_eq(strlen(passed_on(text)), 2 + 909 * 9);
        strcpy(at, ",b=1");
        cr_assert_eq(strlen(passed_on(text)), 2 + 909 * 9 + 4);
        strcpy(at, "%FF,b=1");
        cr_assert_eq(strlen(passed_on(text)), 8192, "the one that came first is kept");
        strcpy(at, "%FF%FF,b=1");
        cr_assert_str_eq(passed_on(text), "b=1");
}

Test(baggage, A1_a_set_beyond_8192_bytes_fails)
{
        static char value[9000];
        weft_baggage *b = NULL;
        sprintf(value, "%08190d", 0);
        cr_assert_eq(weft_baggage_with(NULL, "ab", value, NULL, &b), -EMSGSIZE);
        cr_assert_eq(weft_baggage_with(NULL, "a", value, "p", &b), -EMSGSIZE);
        memset(value, ' ', 2731);
        value[2731] = '\0';
        cr_assert_eq(weft_baggage_with(NULL, "a", value, NULL, &b), -EMSGSIZE, "as it is written");
        value[2730] = '\0';
        cr_assert_eq(weft_baggage_with(NULL, "a", value, NULL, &b), 0);
        weft_baggage_unref(b);
        memset(value, 'x', sizeof(value) - 1);
        cr_assert_eq(weft_baggage_with(NULL, "a", value, NULL, &b), -EMSGSIZE);
        cr_assert_eq(weft_baggage_with(NULL, value, "1", NULL, &b), -EMSGSIZE);
        cr_assert_eq(weft_baggage_with(NULL, "a", "1", value, &b), -EMSGSIZE);
}

/* ---- setting ---- */

Test(baggage, A5_of_one_key_the_last_is_found_and_a_set_replaces_all)
{
        char out[100];
        weft_baggage *next;
        cr_assert_str_eq(value_of_k("k=1,b=2,k=3"), "3");
        cr_assert_str_eq(passed_on("k=1,b=2,k=3"), "k=1,b=2,k=3");
        weft_baggage *b = parsed("k=1,b=2,k=3");
        cr_assert_eq(weft_baggage_with(b, "k", "4", " p ; q = 1 ", &next), 0);
        weft_baggage_format(next, out, sizeof(out));
        cr_assert_str_eq(out, "b=2,k=4;p;q=1");
        weft_baggage_unref(next);
        cr_assert_eq(weft_baggage_with(b, "k", NULL, NULL, &next), 0);
        weft_baggage_format(next, out, sizeof(out));
        cr_assert_str_eq(out, "b=2");
        weft_baggage_unref(b);
        b = next;
        cr_assert_eq(weft_baggage_with(b, "b", NULL, NULL, &next), 0);
        cr_assert_null(next, "the empty one is NULL");
        weft_baggage_unref(b);
}

Test(baggage, what_could_not_be_read_again_is_not_set)
{
        weft_baggage *b = NULL;
        cr_assert_eq(weft_baggage_with(NULL, "a b", "1", NULL, &b), -EBADMSG);
        cr_assert_eq(weft_baggage_with(NULL, "", "1", NULL, &b), -EBADMSG);
        cr_assert_eq(weft_baggage_with(NULL, "a", "\xff", NULL, &b), -EBADMSG);
        cr_assert_eq(weft_baggage_with(NULL, "a", "1\xff 2", NULL, &b), -EBADMSG);
        cr_assert_eq(weft_baggage_with(NULL, "a", "1", "p q", &b), -EBADMSG);
        cr_assert_eq(weft_baggage_with(NULL, "a", "1", "p;", &b), -EBADMSG);
        cr_assert_eq(weft_baggage_with(NULL, "a", "1", "p,b=2", &b), -EBADMSG);
        cr_assert_null(b);
}

Test(baggage, a_set_is_a_new_binding)
{
        weft_token token;
        cr_assert_null(weft_baggage_get("user"));
        cr_assert_eq(weft_baggage_set("user", "ada", NULL, NULL), 0);
        weft_context *before = weft_context_capture();
        cr_assert_eq(weft_baggage_set("user", "grace, \xc3\xa9", "p", &token), 0);
        cr_assert_eq(weft_baggage_set("tenant", "42", NULL, NULL), 0);
        cr_assert_str_eq(weft_baggage_get("user"), "grace, \xc3\xa9");
        cr_assert_str_eq(weft_baggage_get("tenant"), "42");
        void *value;
        weft_baggage_member m;
        cr_assert_eq(weft_context_lookup(before, weft_baggage_var(), &value), 0);
        cr_assert_eq(weft_baggage_lookup(value, "user", &m), 0);
        cr_assert_str_eq(m.value, "ada");
        cr_assert_eq(weft_baggage_lookup(value, "tenant", &m), -ENOENT);
        cr_assert_eq(weft_reset(weft_baggage_var(), &token), 0);
        cr_assert_str_eq(weft_baggage_get("user"), "ada");
        cr_assert_eq(weft_baggage_set("user", NULL, NULL, NULL), 0);
        cr_assert_null(weft_baggage_get("user"));
        weft_context_unref(before);
}

Test(baggage, get_gives_nothing_short_of_the_whole_value)
{
        weft_baggage *b = parsed("k=admin%00not");
        cr_assert_eq(weft_set(weft_baggage_var(), b, NULL), 0);
        weft_baggage_unref(b);
        cr_assert_null(weft_baggage_get("k"));
}

static int stop(const weft_baggage_member *m, void *arg)
{
        (void)arg;
        return strcmp(m->key, "b") == 0 ? 7 : 0;
}

Test(baggage, null_is_the_empty_one_and_arguments_are_checked)
{
        char out[10];
        weft_baggage_member m;
        weft_baggage *b = parsed("a=1,b=2,c=3");
        cr_assert_eq(weft_baggage_foreach(b, stop, NULL), 7);
        cr_assert_eq(weft_baggage_foreach(NULL, stop, NULL), 0);
        cr_assert_eq(weft_baggage_foreach(b, NULL, NULL), -EINVAL);
        cr_assert_eq(weft_baggage_format(b, out, 10), -EMSGSIZE);
        cr_assert_eq(weft_baggage_format(NULL, out, 1), 0);
        cr_assert_str_eq(out, "");
        cr_assert_eq(weft_baggage_format(NULL, out, 0), -EMSGSIZE);
        cr_assert_eq(weft_baggage_format(b, NULL, 0), -EINVAL);
        cr_assert_eq(weft_baggage_lookup(NULL, "a", &m), -ENOENT);
        cr_assert_eq(weft_baggage_lookup(b, NULL, &m), -EINVAL);
        cr_assert_eq(weft_baggage_lookup(b, "a", NULL), -EINVAL);
        cr_assert_eq(weft_baggage_parse(NULL, 0, &b), -EINVAL);
        cr_assert_eq(weft_baggage_parse("", 0, NULL), -EINVAL);
        cr_assert_eq(weft_baggage_with(b, NULL, "1", NULL, &b), -EINVAL);
        cr_assert_eq(weft_baggage_with(b, "a", "1", NULL, NULL), -EINVAL);
        cr_assert_eq(weft_baggage_set(NULL, "1", NULL, NULL), -EINVAL);
        cr_assert_eq(weft_baggage_ref(b), b);
        cr_assert_null(weft_baggage_unref(b));
        cr_assert_null(weft_baggage_unref(b));
        cr_assert_null(weft_baggage_ref(NULL));
        cr_assert_null(weft_baggage_unref(NULL));
}

static int always(size_t size)
{
        (void)size;
        return 1;
}

Test(baggage, without_memory_nothing_is_changed)
{
        weft_baggage *b = NULL;
        cr_assert_eq(weft_baggage_set("a", "1", NULL, NULL), 0);
        weft__alloc_fails = always;
        cr_expect_eq(weft_baggage_set("a", "2", NULL, NULL), -ENOMEM);
        cr_expect_eq(weft_baggage_parse("a=1", 3, &b), -ENOMEM);
        weft__alloc_fails = NULL;
        cr_assert_null(b);
        cr_assert_str_eq(weft_baggage_get("a"), "1");
}
