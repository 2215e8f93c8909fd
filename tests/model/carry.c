/* SPDX-License-Identifier: MIT
 *
 * What crosses the border of a process: the list of codecs, which only grows, and values that are
 * counted.
 */
#include <errno.h>
#include <string.h>

#include "checker/model.h"

#include <weft/baggage.h>
#include <weft/carry.h>
#include <weft/context.h>

/* ---- codecs ---- */

enum { VARS_KEPT = 1 }; /* the block in which the vars of the process are listed */

static weft_var var = WEFT_VAR_INIT("carried");
static int result[2];

static int encode(const void *value, char *ret_text, size_t size)
{
        (void)value;
        (void)size;
        strcpy(ret_text, "1");
        return 1;
}

static int decode(const char *text, size_t length, void *so_far, void **ret_value)
{
        (void)text;
        (void)length;
        (void)so_far;
        *ret_value = &var;
        return 0;
}

static int count(void *counts, const char *name, const char *value)
{
        (void)value;
        counts = (int *)counts + (strcmp(name, "x-a") == 0 ? 0 : 1);
        return ++*(int *)counts > 0 ? 0 : -1;
}

static int inject(int *ret_put)
{
        weft_context *context = weft_context_capture();
        int n = weft_context_inject(context, count, ret_put);
        weft_context_unref(context);
        return n;
}

/* A codec that is made just before, so that who finds it in the list must see it whole. */
static void registers(const char *name)
{
        static weft_codec codecs[2];
        int me = model_self() != 0;
        codecs[me] = (weft_codec){.var = &var, .name = name, .encode = encode, .decode = decode};
        result[me] = weft_codec_register(&codecs[me]);
}

static void registers_a(void *unused)
{
        (void)unused;
        registers("x-a");
}

MODEL(carry_two_register, .preemptions = 3, .keeps = VARS_KEPT)
{
        int put[2] = {0, 0};
        model_start("other", registers_a, NULL);
        registers("x-b");
        model_join_all();
        model_check(result[0] == 0 && result[1] == 0);
        model_check(weft_set(&var, &var, NULL) == 0);
        model_check(inject(put) == 2);
        model_check(put[0] == 1 && put[1] == 1);
}

MODEL(carry_two_register_one_name, .preemptions = 3, .sees = 3)
{
        model_start("other", registers_a, NULL);
        registers("x-a");
        model_join_all();
        model_check(result[0] + result[1] == -EALREADY);
        model_seen(result[0] == 0);
}

static void injects(void *unused)
{
        int put[2] = {0, 0};
        (void)unused;
        model_check(weft_set(&var, &var, NULL) == 0);
        int n = inject(put);
        model_check(n == put[0] && put[1] == 0);
        model_seen((unsigned)n);
}

MODEL(carry_one_registers_and_one_injects, .preemptions = 3, .sees = 3, .keeps = VARS_KEPT)
{
        model_start("other", injects, NULL);
        registers("x-a");
        model_join_all();
}

/* ---- values ---- */

static weft_baggage *baggage;

static void looks(void *unused)
{
        (void)unused;
        weft_baggage_member member;
        model_check(weft_baggage_lookup(baggage, "k", &member) == 0);
        model_check(strcmp(member.value, "v") == 0);
        weft_baggage_unref(baggage);
}

/* Whoever gives the last reference back frees it. */
MODEL(carry_value_of_two, .preemptions = 3)
{
        model_check(weft_baggage_with(NULL, "k", "v", NULL, &baggage) == 0);
        weft_baggage_ref(baggage);
        model_start("other", looks, NULL);
        looks(NULL);
        model_join_all();
}
