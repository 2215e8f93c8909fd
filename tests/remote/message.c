/* SPDX-License-Identifier: MIT
 *
 * What is read of messages (adapt/nats/message.c): names, numbers, headers, data; as they are sent
 * by whoever may publish, without a server. What must not be taken is not, and *ret stays as it is.
 */
#include <criterion/criterion.h>

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>

#include <weft/baggage.h>
#include <weft/carry.h>
#include <weft/trace.h>

#include "adapt/nats/remote.h"

static void open_library(void)
{
        nats_Open(-1);
}

static void close_library(void)
{
        nats_Close();
}

TestSuite(message, .init = open_library, .fini = close_library);

static natsMsg *message(const void *data, int size)
{
        natsMsg *m;
        cr_assert_eq(natsMsg_Create(&m, "subject", NULL, data, size), NATS_OK);
        return m;
}

static void add(natsMsg *m, const char *name, const char *value)
{
        cr_assert_eq(natsMsgHeader_Add(m, name, value), NATS_OK);
}

/* ---- names ---- */

Test(message, a_name_begins_with_a_letter_and_has_no_dot)
{
        static const char *const good[] = {"a", "Z", "echo", "A-b_9", "zZ"};
        static const char *const bad[] = {"",  "1a", "-a", "_a", "a.b", "a b", "a*",
                                          ">", "ä",  "@",  "[",  "`",   "{",   "/"};
        char longest[WEFT_REMOTE_NAME_MAX + 2];
        for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
                cr_assert(weft__remote_is_name(good[i]), "%s", good[i]);
        for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
                cr_assert_not(weft__remote_is_name(bad[i]), "%s", bad[i]);
        cr_assert_not(weft__remote_is_name(NULL));
        memset(longest, 'n', sizeof(longest));
        longest[WEFT_REMOTE_NAME_MAX + 1] = '\0';
        cr_assert_not(weft__remote_is_name(longest));
        longest[WEFT_REMOTE_NAME_MAX] = '\0';
        cr_assert(weft__remote_is_name(longest));
}

Test(message, an_id_may_begin_with_anything_that_it_may_have)
{
        char longest[WEFT_REMOTE_ID_MAX + 2];
        cr_assert(weft__remote_is_id("0"));
        cr_assert(weft__remote_is_id("-_-"));
        cr_assert_not(weft__remote_is_id(""));
        cr_assert_not(weft__remote_is_id("a\n"));
        cr_assert_not(weft__remote_is_id(NULL));
        memset(longest, '7', sizeof(longest));
        longest[WEFT_REMOTE_ID_MAX + 1] = '\0';
        cr_assert_not(weft__remote_is_id(longest));
        longest[WEFT_REMOTE_ID_MAX] = '\0';
        cr_assert(weft__remote_is_id(longest));
}

Test(message, ids_that_are_made_up_are_ids_and_differ)
{
        char one[ID_SIZE], other[ID_SIZE];
        weft__remote_random_id(one);
        weft__remote_random_id(other);
        cr_assert(weft__remote_is_id(one));
        cr_assert_eq(strlen(one), 32);
        cr_assert_str_neq(one, other);
}

Test(message, what_a_subject_says_is_what_was_written)
{
        static const char *const bad[] = {"",
                                          "weft",
                                          "weft.cancel.echo",
                                          "weft.cancel.echo.",
                                          "weft..echo.7",
                                          "weft.cancel.echo.7.8",
                                          "weft.cancel.2b.7",
                                          "weft.cancel.echo.a b",
                                          ".cancel.echo.7"};
        weft_remote remote = {.prefix = "weft"};
        char subject[SUBJECT_SIZE], name[NAME_SIZE] = "?", id[ID_SIZE] = "?";
        for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
                cr_assert_not(weft__remote_read_subject(bad[i], name, id), "%s", bad[i]);
        cr_assert_str_eq(name, "?");
        cr_assert_str_eq(id, "?");
        weft__remote_subject(&remote, subject, "call", "echo", NULL);
        cr_assert_str_eq(subject, "weft.call.echo");
        weft__remote_subject(&remote, subject, "cancel", "echo", "7");
        cr_assert_str_eq(subject, "weft.cancel.echo.7");
        cr_assert(weft__remote_read_subject(subject, name, id));
        cr_assert_str_eq(name, "echo");
        cr_assert_str_eq(id, "7");

        char longest_name[NAME_SIZE], longest_id[ID_SIZE], too_long[2 * SUBJECT_SIZE];
        memset(longest_name, 'n', sizeof(longest_name));
        memset(longest_id, '9', sizeof(longest_id));
        longest_name[NAME_SIZE - 1] = longest_id[ID_SIZE - 1] = '\0';
        strcpy(remote.prefix, longest_name);
        weft__remote_subject(&remote, subject, "cancel", longest_name, longest_id);
        cr_assert(weft__remote_read_subject(subject, name, id));
        cr_assert_str_eq(name, longest_name);
        cr_assert_str_eq(id, longest_id);
        snprintf(too_long, sizeof(too_long), "%s9", subject);
        cr_assert_not(weft__remote_read_subject(too_long, name, id));
}

/* ---- headers ---- */

static bool number_of(const char *text, int64_t *ret)
{
        natsMsg *m = message(NULL, 0);
        if (text)
                add(m, "Number", text);
        bool good = weft__remote_get_number(m, "Number", -5, INT64_MAX, ret);
        natsMsg_Destroy(m);
        return good;
}

Test(message, a_number_is_digits_within_bounds_and_nothing_else)
{
        static const char *const bad[] = {"",
                                          "-",
                                          "+1",
                                          " 1",
                                          "1 ",
                                          "1.",
                                          "0x1",
                                          "one",
                                          "--1",
                                          "-6",
                                          "9223372036854775808",
                                          "00000000000000000001",
                                          "99999999999999999999999999"};
        int64_t n = 77;
        cr_assert_not(number_of(NULL, &n));
        for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
                cr_assert_not(number_of(bad[i], &n), "%s", bad[i]);
        cr_assert_eq(n, 77);
        cr_assert(number_of("-5", &n));
        cr_assert_eq(n, -5);
        cr_assert(number_of("9223372036854775807", &n));
        cr_assert_eq(n, INT64_MAX);

        natsMsg *m = message(NULL, 0);
        cr_assert_eq(natsMsgHeader_Set(m, "Number", NULL), NATS_OK); /* a header without any */
        cr_assert_not(weft__remote_get_number(m, "Number", 0, 7, &n));
        cr_assert_eq(natsMsgHeader_Set(m, "Number", "8"), NATS_OK);
        cr_assert_not(weft__remote_get_number(m, "Number", 0, 7, &n));
        cr_assert_eq(weft__remote_put_number(m, "Number", INT64_MIN), 0);
        cr_assert(weft__remote_get_number(m, "Number", INT64_MIN, 7, &n));
        cr_assert_eq(n, INT64_MIN);
        natsMsg_Destroy(m);
}

Test(message, an_id_in_a_header_is_one)
{
        natsMsg *m = message(NULL, 0);
        char id[ID_SIZE] = "?";
        cr_assert_not(weft__remote_get_id(m, "Weft-Id", id));
        add(m, "Weft-Id", "a.>");
        cr_assert_not(weft__remote_get_id(m, "Weft-Id", id));
        cr_assert_str_eq(id, "?");
        cr_assert_eq(natsMsgHeader_Set(m, "Weft-Id", "a-7"), NATS_OK);
        cr_assert(weft__remote_get_id(m, "Weft-Id", id));
        cr_assert_str_eq(id, "a-7");
        natsMsg_Destroy(m);
}

static bool bounded(int names, int values, size_t length)
{
        static char value[WEFT_REMOTE_HEADER_BYTES_MAX + 2];
        natsMsg *m = message(NULL, 0);
        memset(value, 'v', sizeof(value));
        value[length] = '\0';
        for (int i = 0; i < names; i++) {
                char name[8];
                snprintf(name, sizeof(name), "N-%02d", i);
                for (int k = 0; k < values; k++)
                        add(m, name, value);
        }
        bool good = weft__remote_headers_bounded(m);
        natsMsg_Destroy(m);
        return good;
}

Test(message, headers_are_bounded_in_number_and_bytes)
{
        cr_assert_not(bounded(0, 0, 0));
        cr_assert(bounded(1, 1, 0));
        cr_assert(bounded(WEFT_REMOTE_HEADERS_MAX, 1, 1));
        cr_assert_not(bounded(WEFT_REMOTE_HEADERS_MAX + 1, 1, 1));
        cr_assert(bounded(1, WEFT_REMOTE_HEADERS_MAX, 1));
        cr_assert_not(bounded(1, WEFT_REMOTE_HEADERS_MAX + 1, 1));
        cr_assert_not(bounded(2, WEFT_REMOTE_HEADERS_MAX, 1));
        cr_assert(bounded(1, 1, WEFT_REMOTE_HEADER_BYTES_MAX - 4)); /* less the name */
        cr_assert_not(bounded(1, 1, WEFT_REMOTE_HEADER_BYTES_MAX - 3));
        cr_assert_not(bounded(2, 2, WEFT_REMOTE_HEADER_BYTES_MAX / 4));
}

/* ---- data ---- */

Test(message, data_are_copied_with_a_nul_behind_them)
{
        weft_remote_data data;
        natsMsg *m = message("a\0b", 3);
        cr_assert_eq(weft__remote_get_data(m, &data), 0);
        natsMsg_Destroy(m);
        cr_assert_eq(data.size, 3);
        cr_assert_arr_eq(data.data, "a\0b", 4);
        free(data.data);
        m = message(NULL, 0);
        cr_assert_eq(weft__remote_get_data(m, &data), 0);
        natsMsg_Destroy(m);
        cr_assert_null(data.data);
        cr_assert_eq(data.size, 0);
}

Test(message, data_that_there_is_no_memory_for_are_not_taken)
{
        enum { LARGE = 256 << 20 };
        weft_remote_data data = {NULL, 7};
        char *large = malloc(LARGE);
        cr_assert_not_null(large);
        memset(large, 0, 1);
        natsMsg *m = message(large, LARGE);
        free(large);
        struct rlimit before, none;
        getrlimit(RLIMIT_AS, &before);
        none = (struct rlimit){1 << 20, before.rlim_max};
        setrlimit(RLIMIT_AS, &none);
        int r = weft__remote_get_data(m, &data);
        setrlimit(RLIMIT_AS, &before);
        cr_assert_eq(r, -ENOMEM);
        cr_assert_eq(data.size, 7);
        natsMsg_Destroy(m);
}

/* ---- contexts ---- */

static const char traceparent[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

Test(message, a_context_is_read_as_it_was_written_whatever_case_its_names_have)
{
        static const char *const names[] = {"traceparent", "Traceparent", "TRACEPARENT"};
        for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
                natsMsg *m = message(NULL, 0), *sent = message(NULL, 0);
                weft_context *came;
                const char *value = NULL;
                add(m, "Other", "x");
                add(m, names[i], traceparent);
                add(m, "baggage", "a=1");
                add(m, "Baggage", "b=2"); /* of several headers, in several cases */
                add(m, "Baggage", "c=3");
                add(m, "Weft-Id", "7");
                cr_assert_eq(weft__remote_get_context(m, &came), 0);
                weft_context_unref(weft_context_swap(came));
                cr_assert_str_eq(weft_baggage_get("a"), "1");
                cr_assert_str_eq(weft_baggage_get("b"), "2");
                cr_assert_str_eq(weft_baggage_get("c"), "3");
                add(sent, "Weft-Id", "7");
                cr_assert_eq(weft__remote_put_context(sent), 0);
                cr_assert_eq(natsMsgHeader_Get(sent, "traceparent", &value), NATS_OK);
                cr_assert_eq(strncmp(value, traceparent, 35), 0, "%s", value);
                natsMsg_Destroy(m);
                natsMsg_Destroy(sent);
                weft_context_unref(weft_context_swap(NULL));
        }
}

static int encode_some(const void *value, char *text, size_t size)
{
        return value ? snprintf(text, size, "%s", (const char *)value) : -EOVERFLOW;
}

static int decode_none(const char *text, size_t length, void *so_far, void **ret_value)
{
        (void)text;
        (void)length;
        (void)so_far;
        (void)ret_value;
        return -EPROTO;
}

Test(message, a_context_that_cannot_be_written_whole_is_not_sent)
{
        static weft_var var = WEFT_VAR_INIT("var");
        static weft_codec codec = {
            .var = &var, .name = "x-var", .encode = encode_some, .decode = decode_none};
        natsMsg *m = message(NULL, 0);
        cr_assert_eq(weft_codec_register(&codec), 0);
        add(m, "Weft-Id", "7");
        cr_assert_eq(weft_set(&var, NULL, NULL), 0);
        cr_assert_eq(weft__remote_put_context(m), -EOVERFLOW);
        cr_assert_eq(weft_set(&var, "1", NULL), 0);
        for (int i = 0; i < WEFT_REMOTE_HEADERS_MAX - 2; i++)
                add(m, "Other", "x");
        cr_assert_eq(weft__remote_put_context(m), 0);
        add(m, "Other", "x");
        cr_assert_eq(weft__remote_put_context(m), -EMSGSIZE);
        natsMsg_Destroy(m);
}

Test(message, what_cannot_be_read_binds_nothing)
{
        natsMsg *m = message(NULL, 0);
        weft_context *came;
        cr_assert_eq(weft__remote_get_context(m, &came), 0);
        cr_assert_null(came);
        add(m, "traceparent", "00-zz");
        add(m, "baggage", "");
        cr_assert_eq(weft__remote_get_context(m, &came), 0);
        cr_assert_eq(weft_context_size(came), 0);
        weft_context_unref(came);
        natsMsg_Destroy(m);
}
