/* SPDX-License-Identifier: MIT
 *
 * The example of weft_channel_send(3).
 */
#include <assert.h>
#include <weft/weft.h>

static int produce(void *channel)
{
        int r = 0;
        for (int i = 1; i <= 100 && r == 0; i++)
                r = weft_channel_send(channel, &i, WEFT_FOREVER);
        weft_channel_close(channel);
        return r;
}

static int add_up(void *channel)
{
        int item = 0, sum = 0, r;
        while ((r = weft_channel_receive(channel, &item, WEFT_FOREVER)) == 0)
                sum += item;
        return r == -EPIPE ? sum : r; /* closed, and nothing is left */
}

int main(void)
{
        weft_channel *channel = NULL;
        weft_task *t = NULL;
        int r = weft_channel_create(&channel, sizeof(int), 4);
        assert(r == 0);
        r = weft_spawn(NULL, &t, add_up, channel);
        assert(r == 0);
        r = weft_submit(NULL, produce, channel);
        assert(r == 0);
        r = weft_await(t, WEFT_FOREVER);
        assert(r == 5050);
        weft_task_unref(t);

        int more = 1;
        r = weft_channel_send(channel, &more, WEFT_FOREVER);
        assert(r == -EPIPE);
        r = weft_channel_close(channel);
        assert(r == -EALREADY);
        weft_channel_destroy(channel);
        return 0;
}
