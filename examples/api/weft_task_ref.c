/* SPDX-License-Identifier: MIT
 *
 * The example of weft_task_ref(3).
 */
#include <assert.h>
#include <weft/weft.h>

static weft_task *kept;
static weft_event known;

static int introduce(void *unused)
{
        (void)unused;
        kept = weft_task_ref(weft_task_current()); /* which was borrowed */
        weft_event_set(&known);
        return 5;
}

int main(void)
{
        assert(weft_task_current() == NULL); /* this is none */
        int r = weft_submit(NULL, introduce, NULL);
        assert(r == 0);
        r = weft_event_wait(&known, WEFT_FOREVER);
        assert(r == 0 && kept != NULL);

        r = weft_await(kept, WEFT_FOREVER);
        assert(r == 5);
        kept = weft_task_unref(kept);
        assert(kept == NULL);
        return 0;
}
