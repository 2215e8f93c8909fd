/* SPDX-License-Identifier: MIT
 *
 * The bare switch between two stacks, under everything that a task takes along. It is inside the
 * library: this file alone looks there, and is left out where the library is shared.
 */
#include "bench.h"

#include <string.h>

#include "pool/fiber.h"

static struct {
        weft__stacks stacks;
        weft__fiber here, *other;
} two;

static void switch_back(weft__fiber *other)
{
        weft__fiber_begins(other);
        for (;;)
                weft__fiber_switch(other, &two.here, false);
}

static enum bench_end setup(struct bench *b)
{
        weft__stacks_init(&two.stacks, 64 * 1024);
        weft__fiber_init_thread(&two.here);
        two.other = weft__fiber_new(&two.stacks, switch_back);
        return two.other ? BENCH_OK : bench_wrong(b, "there is no stack to be had");
}

static enum bench_end round_switch(struct bench *b, double *ret)
{
        size_t n = bench_ops(b, 1000000);
        int64_t begin = bench_now();
        for (size_t i = 0; i < n; i++)
                weft__fiber_switch(&two.here, two.other, false);
        ret[0] = bench_per(begin, 2 * n);
        return BENCH_OK;
}

static enum bench_end teardown(struct bench *b)
{
        (void)b;
        weft__fiber_free(&two.stacks, two.other);
        weft__stacks_fini(&two.stacks);
        return BENCH_OK;
}

const struct bench_case bench_switch_cases[] = {
    {
        .name = "switch/bare",
        .what = "from one stack to another, with nothing taken along",
        .figure = {{.name = "switch", .in = BENCH_NS, BENCH_MARK(3.5, BENCH_U)}},
        .setup = setup,
        .round = round_switch,
        .teardown = teardown,
    },
    {0},
};
