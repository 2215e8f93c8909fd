/* SPDX-License-Identifier: MIT
 *
 * What client and worker of this test agree on: a var that crosses, and where the worker writes
 * down what it does.
 */
#ifndef TESTS_REMOTE_ORDER_H
#define TESTS_REMOTE_ORDER_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft/weft.h>

/* Whose order a task works for: a number, as a pointer. */
static weft_var order_var = WEFT_VAR_INIT("order");
/* It has no codec, so it must not cross. */
static weft_var secret_var = WEFT_VAR_INIT("secret");

/* It has one, and stays all the same. */
static weft_var private_var = WEFT_VAR_INIT("private", .drop_at = WEFT_BORDER_PROCESS);

static inline int order_encode(const void *value, char *ret_text, size_t size)
{
        return snprintf(ret_text, size, "%ld", (long)(intptr_t)value);
}

static inline int order_decode(const char *text, size_t length, void *so_far, void **ret_value)
{
        (void)so_far;
        if (length == 0 || length > 9 || strspn(text, "0123456789") != length)
                return -EBADMSG;
        *ret_value = (void *)(intptr_t)strtol(text, NULL, 10);
        return 0;
}

static weft_codec order_codec = {
    .var = &order_var, .name = "order", .encode = order_encode, .decode = order_decode};

static weft_codec private_codec = {
    .var = &private_var, .name = "private", .encode = order_encode, .decode = order_decode};

/* A line a run, in DIR/runs: FUNCTION ID PID DELIVERY EVENT ORDER TRACE. */
struct run {
        char function[64], id[80], event[16], trace[60];
        int pid, order;
        unsigned delivery;
};
#define RUN_WRITE "%s %s %d %u %s %d %s\n"
#define RUN_READ  "%63s %79s %d %u %15s %d %59s"

enum { ACK_WAIT_MS = 1500, MAX_DELIVER = 3 };

#endif
