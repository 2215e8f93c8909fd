/* SPDX-License-Identifier: MIT
 *
 * The example of weft_mutex_lock(3).
 */
#include <assert.h>
#include <weft/weft.h>

static weft_mutex mutex = WEFT_MUTEX_INIT;
static int balance;

static int pay(void *unused)
{
        (void)unused;
        int r = weft_mutex_lock(&mutex, WEFT_FOREVER);
        if (r < 0)
                return r;
        int seen = balance;
        weft_yield(); /* it may be held across waits */
        balance = seen + 1;
        return weft_mutex_unlock(&mutex);
}

int main(void)
{
        weft_group group;
        int r = weft_group_init(&group, NULL);
        assert(r == 0);
        for (int i = 0; i < 100; i++) {
                r = weft_group_spawn(&group, pay, NULL);
                assert(r == 0);
        }
        r = weft_group_wait(&group, WEFT_FOREVER);
        weft_group_fini(&group);
        assert(r == 0 && balance == 100);

        r = weft_mutex_trylock(&mutex);
        assert(r == 0);
        r = weft_mutex_trylock(&mutex);
        assert(r == -EAGAIN);
        r = weft_mutex_lock(&mutex, weft_now() + 1000000); /* not recursive */
        assert(r == -ETIMEDOUT);
        weft_mutex_init(&mutex); /* free, whoever held it */
        r = weft_mutex_unlock(&mutex);
        assert(r == -EPERM);
        return 0;
}
