/* SPDX-License-Identifier: MIT
 *
 * The example of weft_event_wait(3).
 */
#include <assert.h>
#include <weft/weft.h>

static weft_event ready;
static const char *config;

static int use(void *unused)
{
        (void)unused;
        int r = weft_event_wait(&ready, WEFT_FOREVER);
        return r < 0 ? r : config[0]; /* which happened before */
}

int main(void)
{
        weft_task *t[3];
        weft_event_init(&ready);
        int r;
        for (int i = 0; i < 3; i++) {
                r = weft_spawn(NULL, &t[i], use, NULL);
                assert(r == 0);
        }
        r = weft_event_wait(&ready, 0);
        assert(r == -ETIMEDOUT);

        config = "file";
        r = weft_event_set(&ready);
        assert(r == 0);
        for (int i = 0; i < 3; i++) {
                r = weft_await(t[i], WEFT_FOREVER);
                assert(r == 'f');
                weft_task_unref(t[i]);
        }

        r = weft_event_wait(&ready, 0);
        assert(r == 0); /* it stays set, */
        r = weft_event_reset(&ready);
        assert(r == 0);
        r = weft_event_wait(&ready, 0);
        assert(r == -ETIMEDOUT); /* until it is reset */
        return 0;
}
