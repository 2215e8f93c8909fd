/* SPDX-License-Identifier: MIT
 *
 * The example of weft_context_cross(3).
 */
#include <assert.h>
#include <string.h>
#include <weft/weft.h>

/* A transaction is nobody's but the task's that has begun it. */
static weft_var transaction = WEFT_VAR_INIT("transaction", .drop_at = WEFT_BORDER_ALL);

/* What others do for a user they do as a guest of his. */
static int as_guest(unsigned border, void *user, void **ret_value)
{
        (void)border, (void)user;
        *ret_value = "guest";
        return 0;
}

static weft_var user = WEFT_VAR_INIT("user", .hand_on = as_guest);

static int is_guest(void *unused)
{
        (void)unused;
        return !weft_get(&transaction) && strcmp(weft_get(&user), "guest") == 0;
}

int main(void)
{
        weft_task *t = NULL;
        weft_context *foreign = NULL;
        int r = weft_set(&transaction, "begun", NULL);
        assert(r == 0);
        r = weft_set(&user, "ada", NULL);
        assert(r == 0);

        r = weft_spawn(NULL, &t, is_guest, NULL); /* crosses by itself */
        assert(r == 0);
        r = weft_await(t, WEFT_FOREVER);
        assert(r == 1);
        weft_task_unref(t);

        r = weft_context_cross(WEFT_BORDER_FOREIGN, &foreign); /* in an adapter */
        assert(r == 0);
        r = weft_context_run(foreign, is_guest, NULL, NULL);
        assert(r == 1);
        weft_context_unref(foreign);
        assert(strcmp(weft_get(&user), "ada") == 0); /* here all is as it was */
        return 0;
}
